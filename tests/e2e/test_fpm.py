"""php-fpm as a backend whose connections are kept, and that is restarted under load."""

import glob
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import wait_for
from wire import Cut

FPM = (sorted(glob.glob("/usr/sbin/php-fpm*")) or [None])[-1]

SCRIPTS = {
    "pid.php": "<?php echo getmypid();",
    "echo.php": "<?php echo file_get_contents('php://input');",
    "later.php": "<?php echo 'now'; fastcgi_finish_request(); usleep(500000); "
                 "touch(__DIR__ . '/done');",
    "slow.php": "<?php usleep(300000); echo 'slow';",
    "die.php": "<?php posix_kill(getmypid(), 9);",
    "long.php": "<?php register_shutdown_function(function () { if (connection_aborted()) "
                "touch(__DIR__ . '/aborted'); }); "
                "for ($i = 0; $i < 500; $i++) { echo str_repeat('x', 10000); flush(); "
                "usleep(20000); }",
}


class Fpm:
    """A php-fpm with two processes."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        for name, text in SCRIPTS.items():
            (folder / name).write_text(text)
        user = "user = root\n" if os.getuid() == 0 else ""
        (folder / "fpm.conf").write_text(f"""
[global]
error_log = {folder}/fpm.log
pid = {folder}/fpm.pid
process_control_timeout = 10s
[www]
{user}listen = {folder}/fpm.sock
pm = static
pm.max_children = 2
""")
        self.target = f"fcgi:unix:{folder}/fpm.sock"

    def start(self):
        self.process = subprocess.Popen([FPM, "-F", "-R", "-y", self.folder / "fpm.conf"],
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(lambda: os.path.exists(self.folder / "fpm.sock"), what="php-fpm")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def log(self):
        return (self.folder / "fpm.log").read_text()


@pytest.fixture
def fpm(tmp_path):
    if FPM is None:
        pytest.skip("php-fpm is not installed")
    folder = tmp_path / "www"
    folder.mkdir()
    f = Fpm(folder)
    f.start()
    yield f
    f.stop()


@pytest.fixture(params=[0, 2])
def site(request, server, fpm):
    """A server before it that keeps so many connections."""
    s = server(apps={"php": {"target": fpm.target, "bind": "127.0.0.1:0", "workers": 1,
                             "root": str(fpm.folder), "fcgi_keepalive": request.param}})
    s.keeps = request.param
    return s


@pytest.fixture
def load(site):
    """A function that begins requests of both kinds, and returns one that ends them and gives
    what was answered; "cut" is what was not complete."""
    over, answers, clients = threading.Event(), [], []

    def ask(number):
        for i in range(100_000):
            body = b"%d %d" % (number, i)
            try:
                r = site.get("/echo.php", *(["GET"] if i % 2 else ["POST"]), body=body)
                answers.append(r.status if r.status != 200 or r.body == body else "wrong")
            except Cut:
                answers.append("cut")
            if over.is_set():
                return

    def begin():
        clients.extend(threading.Thread(target=ask, args=[number]) for number in range(4))
        for c in clients:
            c.start()
        return finish

    def finish():
        over.set()
        for c in clients:
            c.join()
        return answers

    yield begin
    finish()


def test_load(site, load):
    finish = load()
    time.sleep(0.5)
    answers = finish()
    assert set(answers) == {200} and len(answers) > 20


def test_reload_of_fpm_loses_no_request(site, load, fpm):
    finish = load()
    for times in (1, 2):
        fpm.process.send_signal(signal.SIGUSR2)
        wait_for(lambda: fpm.log().count("ready to handle connections") == times + 1,
                 what="reloaded")
        time.sleep(0.1)
    assert set(finish()) == {200}


def test_restart_of_fpm(site, load, fpm):
    """Who asks in between is told so; nobody gets half of an answer as a whole one."""
    finish = load()
    time.sleep(0.1)
    fpm.stop()
    time.sleep(0.2)
    fpm.start()
    wait_for(lambda: site.get("/pid.php").status == 200)
    assert set(finish()) <= {200, 502, 503}


def test_kept_connection_has_its_process(site):
    pids = [site.get("/pid.php").text for _ in range(10)]
    assert len(set(pids)) == 1 or site.keeps == 0


def test_more_clients_than_processes(site):
    """A connection that is kept must not hold a process that somebody waits for."""
    began = time.monotonic()
    for _ in range(3):
        clients = [site.connect() for _ in range(6)]
        for c in clients:
            c.ask("/slow.php")
        assert all(c.response().text == "slow" for c in clients)
        for c in clients:
            c.close()
    assert time.monotonic() - began < 3 * 6 * 2


def test_script_that_goes_on_behind_its_answer(site, fpm):
    """The next requests are answered, by the other process or behind it."""
    for _ in range(3):
        assert site.get("/later.php").text == "now"
        assert site.get("/pid.php").status == 200
    wait_for(lambda: (fpm.folder / "done").exists())


def test_death_on_a_kept_connection(site):
    """The request was begun on it, but it was asked for nothing but GET: it is asked once
    more, and kills another. Then the client is told."""
    assert site.get("/pid.php").status == 200
    assert site.get("/die.php").status == 502
    wait_for(lambda: site.get("/pid.php").status == 200)


def test_leaving_client_ends_the_script(site, fpm):
    with site.connect() as c:
        c.ask("/long.php")
        c.socket.recv(1000)
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for(lambda: (fpm.folder / "aborted").exists())
    assert site.get("/pid.php").status == 200


@pytest.mark.parametrize("file,status,said", [("missing.php", 404, "Primary script unknown"),
                                              ("fpm.conf", 403, "Access .* denied")])
def test_script_that_fpm_does_not_run(server, fpm, file, status, said):
    """Without a root it is php-fpm that judges what it is asked for."""
    s = server(apps={"php": {"target": fpm.target, "bind": "127.0.0.1:0",
                             "params": [f"SCRIPT_FILENAME={fpm.folder}/{file}"]}})
    assert s.get("/").status == status
    s.wait_log(said)


def test_preloaded(server, fpm):
    s = server(apps={"php": {"target": fpm.target, "bind": "127.0.0.1:0", "workers": 2,
                             "root": str(fpm.folder), "fcgi_keepalive": 1, "preload_app": True}})
    for _ in range(10):
        assert s.get("/pid.php").status == 200
