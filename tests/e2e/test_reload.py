"""HUP: in two phases, ready-gated, without a lost request."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import ALICORN, PROBE, SANITIZED, free_port, saying, stat_of, wait_for
from wire import LIMIT


def app(target, **settings):
    return {"app": {"target": f"c:{target}", "bind": "127.0.0.1:0", **settings}}


def reload(s, old):
    s.signal(signal.SIGHUP)
    wait_for(lambda: s.workers() and not set(old) & set(s.workers()), what="new workers")


def test_new_code_is_served(server, compile_app):
    s = server(apps=app(compile_app(saying("one"))), workers=2)
    assert s.get("/").body == b"one"
    old = s.wait_workers(2)
    compile_app(saying("two"))
    assert s.get("/").body == b"one"
    reload(s, old)
    for _ in range(10):
        assert s.get("/").body == b"two"
    assert len(s.wait_workers(2)) == 2


def test_new_settings_hold(server):
    s = server(workers=1)
    old = s.wait_workers(1)
    s.configure(workers=3, timeout=77)
    reload(s, old)
    s.wait_workers(3)
    assert s.get("/option?name=timeout").text == "77"


def test_listener_with_port_0_stays(server):
    """The same line of the file means the same socket."""
    s = server()
    old = s.wait_workers(1)
    reload(s, old)
    assert s.get("/hello").status == 200


def test_keep_alive_connections_survive_or_end_properly(server):
    """An idle connection may be closed; a busy one gets its answer, which says close."""
    s = server(workers=1, keepalive=30)
    old = s.wait_workers(1)
    with s.connect() as c:
        assert c.get("/hello").status == 200
        c.ask("/sleep?ms=800")
        time.sleep(0.2)
        reload_began = time.monotonic()
        s.signal(signal.SIGHUP)
        assert c.response().status == 200
        assert time.monotonic() - reload_began < 5
    wait_for(lambda: s.workers() and old[0] not in s.workers(), what="new workers")


def test_nothing_listens_anew_and_the_backlog_is_served(server, compile_app):
    """While the new generation boots slowly, the old one serves."""
    s = server(apps=app(compile_app(saying("one"))), workers=1)
    old = s.wait_workers(1)
    compile_app(saying("two") + """
        #include <unistd.h>
        const char *al_worker_init(void **app)
        {
            *app = NULL;
            usleep(1000000);
            return NULL;
        }""")
    s.signal(signal.SIGHUP)
    began = time.monotonic()
    answers = []
    while time.monotonic() < began + 3 and b"two" not in answers:
        answers.append(s.get("/").body)
        time.sleep(0.02)
    assert set(answers) == {b"one", b"two"}
    assert answers.index(b"two") >= 5
    wait_for(lambda: old[0] not in s.workers(), what="the old worker gone")


@pytest.mark.parametrize("text,fault", [
    ("workers = 2;\nworkerz = 3;\n", "server.conf:2"),
    ("workers = 0;\n", "server.conf:1"),
    ("workers = 2;\napplications: {\n", "server.conf:"),
    ("workers = \"many\";\n", "server.conf:1"),
])
def test_broken_file_leaves_the_old_workers(server, text, fault):
    s = server(workers=1)
    old = s.wait_workers(1)
    (s.folder / "server.conf").write_text(text)
    s.signal(signal.SIGHUP)
    s.wait_log(re.escape(fault))
    assert s.get("/hello").status == 200
    assert s.workers() == old
    s.stop()


@pytest.mark.parametrize("how", ["fail", "crash", "exit"])
def test_broken_application_leaves_the_old_workers(server, how):
    s = server(workers=2, boot_attempts=2)
    old = s.wait_workers(2)
    s.configure(workers=2, boot_attempts=2, raw_env=[f"PROBE_INIT={how}"])
    s.signal(signal.SIGHUP)
    s.wait_log("does not want to" if how == "fail" else "(?i)reload.*(fail|gave|given)|keep")
    s.wait_workers(2)
    assert s.workers() == old
    assert s.get("/hello").status == 200
    # And it can be mended.
    s.configure(workers=2)
    reload(s, old)
    assert s.get("/hello").status == 200
    s.stop()


def test_missing_application_leaves_the_old_workers(server, compile_app):
    path = compile_app(saying("one"))
    s = server(apps=app(path))
    old = s.wait_workers(1)
    path.rename(str(path) + ".gone")
    s.signal(signal.SIGHUP)
    s.wait_log(re.escape(path.name) + ".*(No such file|cannot)")
    time.sleep(0.3)
    assert s.get("/").body == b"one" and s.workers() == old
    s.stop()


def test_application_is_added_and_taken_away(server, compile_app):
    one, two = compile_app(saying("one"), "1.so"), compile_app(saying("two"), "2.so")
    # A line with port 0 would not tell the two sockets apart.
    apps = {name: {"target": f"c:{path}", "bind": f"127.0.0.1:{free_port()}"}
            for name, path in (("one", one), ("two", two))}
    s = server(apps={"one": apps["one"]})
    s.configure(apps)
    s.signal(signal.SIGHUP)
    wait_for(lambda: s.listeners("two"), what="the second listens")
    assert s.get("/", name="two").body == b"two"
    assert s.get("/", name="one").body == b"one"
    gone = s.listeners("one")[0]
    s.configure({"two": apps["two"]})
    s.signal(signal.SIGHUP)

    def refused():
        try:
            with s.connect("one"):
                return False
        except ConnectionRefusedError:
            return True

    wait_for(refused, what=f"{gone} closed")
    assert s.get("/", name="two").body == b"two"
    wait_for(lambda: not s.workers("one"), what="workers of the first gone")


def test_bind_address_changes(server):
    s = server()
    old_address = s.address
    s.configure(apps={"probe": {"target": PROBE, "bind": ["127.0.0.1:0", "127.0.0.2:0"]}})
    s.signal(signal.SIGHUP)
    wait_for(lambda: any(host == "127.0.0.2" for host, _ in s.listeners()), what="bound")
    with s.connect() as c:
        assert c.socket.getpeername() == old_address
        assert c.get("/hello").status == 200


@pytest.mark.parametrize("stop_first", [False, True])
def test_hup_twice_in_a_row_and_stop_during_a_reload(server, stop_first):
    s = server(workers=1, raw_env=["PROBE_INIT=slow"])
    s.get("/hello")
    s.signal(signal.SIGHUP)
    time.sleep(0.2)
    if not stop_first:
        s.signal(signal.SIGHUP)
        time.sleep(0.2)
        assert s.get("/hello").status == 200
    s.stop()


# Each request is held up until there is a file that has the pid of its worker for a name.
HELD = """
    #include <stdio.h>
    #include <unistd.h>
    int al_handle(void *app, struct al_request *req)
    {
        char in[32], out[32];

        (void)app;
        snprintf(in, sizeof(in), "%d.in", (int)getpid());
        snprintf(out, sizeof(out), "%d.out", (int)getpid());
        fclose(fopen(in, "w"));
        while (access(out, F_OK) != 0)
            usleep(5000);
        return al_start(req, "204 No Content", NULL, 0) == -1 ? AL_ERROR : AL_DONE;
    }"""


def hold_up(s, workers):
    """One request for each worker, as who has one takes no other: clients by pid."""
    clients = {}
    while len(clients) < len(workers):
        client = s.connect()
        client.ask("/")
        (pid,) = wait_for(lambda: {int(p.stem) for p in s.folder.glob("*.in")} - set(clients),
                          what="another worker held up")
        clients[pid] = client
    return clients


def draining(path):
    """The workers that have been told to stop."""
    done = subprocess.run([ALICORN.parent / "alicornctl", "-s", path, "status", "--json"],
                          capture_output=True, text=True, check=True, timeout=LIMIT)
    (app,) = json.loads(done.stdout)["applications"]
    return [p["pid"] for p in app["processes"] if p["state"] == "draining"]


@pytest.mark.parametrize("setting,batch", [(0, 1), (1, 1), (2, 2), (4, 4)])
def test_old_workers_stop_a_few_at_a_time(server, compile_app, setting, batch):
    """The next one is told when one has gone, the oldest first; 0 is a quarter of them."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as folder:
        control = f"{folder}/control"
        s = server(apps=app(compile_app(HELD)), workers=4, reload_batch=setting,
                   control_socket=control)
        old = s.wait_workers(4)
        clients = hold_up(s, old)
        s.signal(signal.SIGHUP)
        s.wait_log("reload done")
        while old:
            wait_for(lambda: draining(control) == old[:batch], what=f"{batch} told to stop")
            time.sleep(0.1)  # would any other be told, it were by now
            assert draining(control) == old[:batch]
            oldest = old.pop(0)
            (s.folder / f"{oldest}.out").touch()
            with clients.pop(oldest) as client:
                assert client.response().status == 204
            wait_for(lambda: stat_of(oldest) is None, what="the oldest one gone")
        assert draining(control) == []
        s.wait_workers(4)


def test_idle_connections_go_to_the_new_workers(server):
    s = server(workers=2, keepalive=30)
    old = s.wait_workers(2)
    clients = [s.connect() for _ in range(10)]
    for c in clients:
        assert int(c.get("/pid").text) in old
    s.signal(signal.SIGHUP)
    wait_for(lambda: not set(old) & set(s.workers()), what="the old ones have gone")
    for c in clients:
        assert int(c.get("/pid").text) not in old
        c.close()


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_no_request_fails_while_reloading_under_load(server):
    s = server(workers=2)
    old = s.wait_workers(2)
    host, port = s.address
    seconds = 8 if SANITIZED else 5
    wrk = subprocess.Popen(["wrk", "-t1", "-c32", f"-d{seconds}", f"http://{host}:{port}/hello"],
                           stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.3)
        for _ in range(5):
            s.signal(signal.SIGHUP)
            time.sleep(0.7)
        output = wrk.communicate(timeout=30)[0]
    finally:
        wrk.kill()
    assert not set(old) & set(s.workers())
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    assert int(re.search(r"(\d+) requests in", output)[1]) > 500, output


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_no_request_fails_while_scaling_under_load(server):
    s = server(workers=2)
    host, port = s.address
    wrk = subprocess.Popen(["wrk", "-t1", "-c32", "-d4", f"http://{host}:{port}/hello"],
                           stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.3)
        for number in [signal.SIGTTIN] * 3 + [signal.SIGTTOU] * 4:
            s.signal(number)
            time.sleep(0.4)
        output = wrk.communicate(timeout=30)[0]
    finally:
        wrk.kill()
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    s.wait_workers(1)


# ---- --reload: for development -----------------------------------------------------------

ENGINES = pytest.mark.parametrize("engine", ["inotify", "poll"])

APP_PY = """
import helper

def app(environ, start_response):
    if environ["PATH_INFO"] == "/lazy":
        import lazy
    start_response("200 OK", [])
    return [helper.text]
"""


def write_python(folder, text):
    (folder / "served.py").write_text(APP_PY)
    (folder / "lazy.py").write_text("")
    replace(folder / "helper.py", f"text = b'{text}'\n")
    return {"app": {"target": "python:served:app", "chdir": str(folder), "bind": "127.0.0.1:0"}}


def replace(path, text):
    """As an editor saves a file."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def wait_body(s, body):
    wait_for(lambda: s.get("/").body == body, what=f"{body} is served")


@pytest.mark.parametrize("engine, preload", [("inotify", False), ("poll", False),
                                             ("auto", True)])
def test_a_module_that_changes_is_loaded_anew(server, tmp_path, engine, preload):
    s = server(apps=write_python(tmp_path, "one"), reload=True, reload_engine=engine,
               preload_app=preload, workers=2)
    assert s.get("/").body == b"one"
    time.sleep(0.5)
    assert "has changed" not in s.log()
    replace(tmp_path / "helper.py", "text = b'other'")
    wait_body(s, b"other")
    (tmp_path / "helper.py").write_text("text = b'written over'")
    wait_body(s, b"written over")
    s.wait_log(f"{tmp_path}/helper.py has changed")
    assert s.log().count("reload done") == 2


def test_a_module_that_was_loaded_late(server, tmp_path):
    s = server(apps=write_python(tmp_path, "one"), reload=True)
    assert s.get("/lazy").status == 200
    time.sleep(0.3)
    replace(tmp_path / "lazy.py", "1 + 1")
    s.wait_log("lazy.py has changed")
    s.wait_log("reload done")


@pytest.mark.parametrize("preload", [False, True])
def test_what_cannot_be_loaded_does_not_replace_what_serves(server, tmp_path, preload):
    """Not even when it is a new module that cannot, whose repair is noticed."""
    s = server(apps=write_python(tmp_path, "one"), reload=True, preload_app=preload)
    assert s.get("/").body == b"one"
    (tmp_path / "broken.py").write_text("this is no Python")
    replace(tmp_path / "helper.py", "from broken import text")
    s.wait_log("reload failed: .*SyntaxError")
    for _ in range(5):
        assert s.get("/").body == b"one"
    replace(tmp_path / "broken.py", "text = b'repaired'")
    wait_body(s, b"repaired")


@ENGINES
def test_a_shared_object_that_changes(server, compile_app, engine):
    s = server(apps=app(compile_app(saying("one"))), reload=True, reload_engine=engine)
    assert s.get("/").body == b"one"
    compile_app(saying("two"))
    wait_body(s, b"two")


@ENGINES
def test_extra_files(server, tmp_path, engine):
    """Changed, new and removed ones; also one that was missing, and folders that are new."""
    templates = tmp_path / "templates/deep"
    templates.mkdir(parents=True)
    (templates / "a.html").write_text("a")
    missing = tmp_path / "later.txt"
    s = server(reload=True, reload_engine=engine,
               reload_extra_files=[str(tmp_path / "templates/**/*.html"), str(missing),
                                   "none/*.x"])
    s.wait_log("later.txt: No such file")
    s.wait_log("none/.*matches nothing")
    s.wait_workers(1)

    def reloaded(change, name, times):
        time.sleep(0.3)
        change()
        s.wait_log(f"{name} has changed")
        s.wait_log("reload done", times=times)

    (templates / "a.txt").write_text("no match")
    (templates / ".hidden.html").write_text("no match")
    reloaded(lambda: (templates / "a.html").write_text("changed"), "deep/a.html", 1)
    reloaded(lambda: (tmp_path / "templates/b.html").write_text("new"), "templates/b.html", 2)
    reloaded((templates / "a.html").unlink, "deep/a.html", 3)
    reloaded(lambda: missing.write_text("there"), "later.txt", 4)
    (tmp_path / "templates/new").mkdir()
    reloaded(lambda: (tmp_path / "templates/new/c.html").write_text("c"), "new/c.html", 5)
    assert s.log().count("has changed") == 5


def test_nothing_is_watched_without_it(server, tmp_path):
    s = server(apps=write_python(tmp_path, "one"))
    assert s.get("/").body == b"one"
    replace(tmp_path / "helper.py", "text = b'two'")
    time.sleep(0.5)
    assert s.get("/").body == b"one"
    assert "inotify" not in " ".join(
        os.readlink(f"/proc/{s.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{s.pid}/fd"))
