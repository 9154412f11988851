"""USR2: a new arbiter beside the old one on the same sockets; to its end, and back."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import (ALICORN, APPS, PROBE, SANITIZED, is_alive, processes, stat_of, title_of,
                      wait_for)
from wire import Client

SECONDS = 9 if SANITIZED else 6
needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")


@pytest.fixture
def sockets():
    """A folder whose name is short enough for the path of a unix socket."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as folder:
        yield folder


def children(pid):
    return [p for p in processes() if (stat_of(p) or [0, -1])[1] == str(pid) and is_alive(p)
            and not title_of(p).endswith(": logger")]


def workers_of(s, pid):
    s.session()  # so that none is forgotten
    return [p for p in children(pid) if "worker" in title_of(p)]


def upgrade(s, workers=1):
    """Starts the new arbiter and waits until its workers are there; returns its pid."""
    before = s.log().count("starts beside this one")
    s.signal(signal.SIGUSR2)
    s.wait_log("starts beside this one", before + 1)
    pid = int(re.findall(r"arbiter (\d+) starts beside", s.log())[-1])
    wait_for(lambda: len(workers_of(s, pid)) == workers, what="workers of the new arbiter")
    return pid


def finish(s, new, *numbers):
    """Ends the old arbiter by these signals, the last of which does it."""
    for number in numbers:
        s.signal(number)
        if number == signal.SIGWINCH:
            wait_for(lambda: not workers_of(s, s.pid), what="no old workers")
    assert s.wait() == 0, s.log()
    wait_for(lambda: title_of(new).endswith(": arbiter"), what="promoted")


def end(s, pid):
    s.session()
    s.signal(signal.SIGTERM, pid)
    wait_for(lambda: not s.left(), what=f"all ended, but {s.left()}")


def no_failures(wrk):
    output = wrk.communicate(timeout=60)[0]
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    assert int(re.search(r"(\d+) requests in", output)[1]) > 500, output


@pytest.fixture
def load():
    """A function that puts a server under load by keep-alive connections."""
    running = []

    def start(s, seconds=SECONDS):
        host, port = s.address
        running.append(subprocess.Popen(
            ["wrk", "-t1", "-c32", f"-d{seconds}", f"http://{host}:{port}/hello"],
            stdout=subprocess.PIPE, text=True))
        time.sleep(0.3)
        return running[-1]

    yield start
    for wrk in running:
        wrk.kill()
        wrk.wait()


# ---- Forwards ----------------------------------------------------------------------------


@needs_wrk
@pytest.mark.parametrize("numbers", [
    [signal.SIGWINCH, signal.SIGQUIT], [signal.SIGWINCH, signal.SIGTERM], [signal.SIGTERM]])
def test_upgrade_under_load(server, load, numbers):
    s = server(workers=2, pidfile="pid")
    pidfile, second = s.folder / "pid", s.folder / "pid.2"
    wrk = load(s)
    new = upgrade(s, 2)
    assert int(pidfile.read_text()) == s.pid and int(second.read_text()) == new
    assert title_of(new).endswith(": arbiter 2")
    assert len(workers_of(s, s.pid)) == 2
    time.sleep(0.5)
    finish(s, new, *numbers)
    wait_for(lambda: not second.exists(), what="renamed")
    assert int(pidfile.read_text()) == new
    no_failures(wrk)
    end(s, new)
    assert not pidfile.exists()


def test_unix_sockets_are_removed_by_the_last(server, sockets):
    path = f"{sockets}/s"
    s = server(apps={"probe": {"target": PROBE, "bind": [f"unix:{path}", "127.0.0.1:0"]}})
    inode = os.stat(path).st_ino
    new = upgrade(s)
    finish(s, new, signal.SIGTERM)
    assert os.stat(path).st_ino == inode
    with Client(path) as c:
        assert c.get("/hello").status == 200
    end(s, new)
    assert not os.path.exists(path)


def test_unix_socket_that_the_new_one_does_not_want(server, sockets):
    """It serves as long as the old arbiter does, and is removed with it."""
    s = server(apps={"probe": {"target": PROBE, "bind": [f"unix:{sockets}/a", "127.0.0.1:0"]}})
    s.configure({"probe": {"target": PROBE, "bind": [f"unix:{sockets}/b", "127.0.0.1:0"]}})
    new = upgrade(s)
    for name in "ab":
        with Client(f"{sockets}/{name}") as c:
            assert c.get("/hello").status == 200
    finish(s, new, signal.SIGQUIT)
    wait_for(lambda: os.listdir(sockets) == ["b"], what="removed")
    end(s, new)
    assert os.listdir(sockets) == []


def test_connections_that_wait_are_served_by_the_new_one(server):
    s = server(workers=1)
    s.wait_workers(1)
    s.signal(signal.SIGWINCH)
    s.wait_workers(0)
    with s.connect() as waiting:
        waiting.ask("/hello")
        new = upgrade(s)
        assert waiting.response().status == 200
    finish(s, new, signal.SIGQUIT)
    end(s, new)


def test_three_in_a_row_from_a_relative_path(server, tmp_path):
    """Each one is found where the first one was called, also through a link that points
    elsewhere by then."""
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        for file in ("alicorn", "c.so"):
            shutil.copy(ALICORN.parent / file, tmp_path / name / file)
    (tmp_path / "bin").symlink_to("1")
    command = f"cd {tmp_path} && exec bin/alicorn -b 127.0.0.1:0 -u root {APPS}/probe.so"
    if os.getuid() != 0:
        command = command.replace("-u root ", "")
    process = subprocess.Popen(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
    pids = [process.pid]
    try:
        lines = iter(process.stderr.readline, "")
        assert any("listening on" in line for line in lines)
        (tmp_path / "bin").unlink()
        (tmp_path / "bin").symlink_to("2")
        for _ in range(2):
            os.kill(pids[-1], signal.SIGUSR2)
            line = next(line for line in lines if "starts beside" in line)
            pids.append(int(re.search(r"arbiter (\d+) starts", line)[1]))
            wait_for(lambda: children(pids[-1]), what="workers")
            assert os.readlink(f"/proc/{pids[-1]}/exe") == f"{tmp_path}/2/alicorn"
            os.kill(pids[-2], signal.SIGTERM)
            assert any("is the arbiter now" in line for line in lines)
    finally:
        os.kill(pids[-1], signal.SIGTERM)
        wait_for(lambda: not is_alive(pids[-1]), what="the last one gone")
        process.stderr.close()
        process.wait()


def test_environment_and_folder_are_those_of_the_start(server, compile_app):
    path = compile_app("""
        #include <unistd.h>
        int al_handle(void *app, struct al_request *req)
        {
            (void)app;
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            for (char **v = environ; *v != NULL; v++)
                if (al_write(req, *v, strlen(*v)) == -1 || al_write(req, "\\n", 1) == -1)
                    return AL_ERROR;
            return AL_DONE;
        }""")
    s = server(apps={"app": {"target": f"c:{path}", "bind": "127.0.0.1:0"}},
               env={"MARK": "original"})
    before = s.get("/").text
    new = upgrade(s)
    finish(s, new, signal.SIGTERM)
    assert s.get("/").text == before and "MARK=original" in before
    assert "ALICORN_" not in before
    assert os.readlink(f"/proc/{new}/cwd") == str(s.folder)
    end(s, new)


def test_killed_old_arbiter_is_succeeded(server):
    s = server(pidfile="pid")
    new = upgrade(s)
    s.signal(signal.SIGKILL)
    s.wait()
    wait_for(lambda: (s.folder / "pid").read_text() == f"{new}\n", what="promoted")
    assert s.get("/hello").status == 200
    end(s, new)


def test_old_arbiter_is_killed_before_the_new_one_begins(server):
    """While the hook runs that comes before it."""
    s = server(pidfile="pid", pre_exec="sh -c 'while ! test -e go; do sleep 0.02; done'")
    s.signal(signal.SIGUSR2)
    s.wait_log("starts beside this one")
    new = int(re.findall(r"arbiter (\d+) starts beside", s.log())[-1])
    s.session()
    s.signal(signal.SIGKILL)
    s.wait()
    (s.folder / "go").touch()
    wait_for(lambda: title_of(new).endswith(": arbiter") and
             (s.folder / "pid").read_text() == f"{new}\n", what="promoted")
    assert s.get("/hello").status == 200
    end(s, new)


# ---- Back --------------------------------------------------------------------------------


@needs_wrk
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_roll_back_under_load(server, load, number):
    """HUP brings the old workers back before the new ones leave."""
    s = server(workers=2, pidfile="pid")
    wrk = load(s)
    new = upgrade(s, 2)
    s.signal(signal.SIGWINCH)
    wait_for(lambda: not workers_of(s, s.pid), what="no old workers")
    s.signal(signal.SIGHUP)
    wait_for(lambda: len(workers_of(s, s.pid)) == 2, what="workers again")
    s.wait_log("reload done")
    if number == signal.SIGQUIT:  # without finishing: so let there be nothing to finish
        s.signal(signal.SIGWINCH, new)
        wait_for(lambda: not workers_of(s, new), what="no new workers")
    s.signal(number, new)
    wait_for(lambda: not is_alive(new), what="the new one gone")
    assert sorted(p.name for p in s.folder.glob("pid*")) == ["pid"]
    no_failures(wrk)
    s.wait_log("the new arbiter has ended")
    s.stop()


def test_workers_come_back_by_themselves(server):
    """When the new arbiter ends while the old one has none; nobody is turned away."""
    s = server(workers=2)
    new = upgrade(s, 2)
    s.signal(signal.SIGWINCH)
    wait_for(lambda: not workers_of(s, s.pid), what="no old workers")
    s.signal(signal.SIGKILL, new)
    assert s.get("/hello").status == 200
    wait_for(lambda: len(workers_of(s, s.pid)) == 2, what="workers again")
    s.stop()


def test_unix_socket_survives_a_roll_back(server, sockets):
    path = f"{sockets}/s"
    s = server(apps={"probe": {"target": PROBE, "bind": [f"unix:{path}", "127.0.0.1:0"]}})
    new = upgrade(s)
    s.signal(signal.SIGTERM, new)
    s.wait_log("the new arbiter has ended, with status 0")
    with Client(path) as c:
        assert c.get("/hello").status == 200
    again = upgrade(s)
    finish(s, again, signal.SIGTERM)
    end(s, again)
    assert not os.path.exists(path)


@pytest.mark.parametrize("text,status", [("workerz = 1;\n", 1), ("", 1)])
def test_new_one_that_cannot_start(server, text, status):
    s = server(workers=1, pidfile="pid")
    old = s.wait_workers(1)
    (s.folder / "server.conf").write_text(text)
    s.signal(signal.SIGUSR2)
    s.wait_log(f"the new arbiter has ended, with status {status}")
    assert s.get("/hello").status == 200 and s.workers() == old
    assert not (s.folder / "pid.2").exists()


def test_new_application_that_cannot_be_loaded(server):
    s = server(workers=1, pidfile="pid")
    old = s.wait_workers(1)
    s.configure(workers=1, pidfile="pid", raw_env=["PROBE_INIT=fail"])
    s.signal(signal.SIGUSR2)
    s.wait_log("the new arbiter has ended, with status 4")
    assert s.get("/hello").status == 200 and s.workers() == old
    assert sorted(p.name for p in s.folder.glob("pid*")) == ["pid"]
    s.configure(workers=1, pidfile="pid")
    finish(s, upgrade(s), signal.SIGTERM)


def test_program_that_is_gone(tmp_path, server):
    for file in ("alicorn", "c.so"):
        shutil.copy(ALICORN.parent / file, tmp_path / file)
    process = subprocess.Popen(
        [tmp_path / "alicorn", "-b", "127.0.0.1:0", *(["-u", "root"] if os.getuid() == 0 else []),
         f"{APPS}/probe.so"], stderr=subprocess.PIPE, text=True)
    try:
        lines = iter(process.stderr.readline, "")
        assert any("listening on" in line for line in lines)
        (tmp_path / "alicorn").unlink()
        process.send_signal(signal.SIGUSR2)
        assert any(f"exec {tmp_path}/alicorn: No such file" in line for line in lines)
        assert any("the new arbiter has ended, with status 1" in line for line in lines)
    finally:
        process.terminate()
        assert process.wait() == 0
        process.stderr.close()


# ---- Limits ------------------------------------------------------------------------------


def test_one_upgrade_at_a_time(server):
    s = server()
    new = upgrade(s)
    s.signal(signal.SIGUSR2)
    s.wait_log(rf"USR2: arbiter {new}, started by an earlier one, still runs")
    s.signal(signal.SIGUSR2, new)
    s.wait_log(rf"USR2: arbiter {s.pid}, which this one is to replace, still runs")
    finish(s, new, signal.SIGTERM)
    end(s, new)


def test_reload_and_scale_of_both_meanwhile(server):
    s = server(workers=1)
    new = upgrade(s)
    for pid in (s.pid, new):
        s.signal(signal.SIGTTIN, pid)
        wait_for(lambda: len(workers_of(s, pid)) == 2, what="one more")
        old = workers_of(s, pid)
        s.signal(signal.SIGHUP, pid)
        wait_for(lambda: len(workers_of(s, pid)) == 2 and not set(old) & set(workers_of(s, pid)),
                 what="reloaded")
        assert s.get("/hello").status == 200
    finish(s, new, signal.SIGTERM)
    assert s.get("/hello").status == 200
    end(s, new)


def test_managed_program(server, tmp_path):
    """Each arbiter has programs of its own, over a socket of its own."""
    if not shutil.which("php-cgi"):
        pytest.skip("php-cgi is not installed")
    (tmp_path / "a.php").write_text("<?php echo 'php';")
    s = server(apps={"php": {"target": f"fcgi-exec:{shutil.which('php-cgi')}",
                             "root": str(tmp_path), "bind": "127.0.0.1:0", "workers": 2}})
    assert s.get("/a.php").text == "php"
    new = upgrade(s)
    wait_for(lambda: len(children(new)) == 3, what="a worker and two programs")
    finish(s, new, signal.SIGWINCH, signal.SIGQUIT)
    for _ in range(5):
        assert s.get("/a.php").text == "php"
    end(s, new)
    assert not list(tmp_path.glob("alicorn-*"))
