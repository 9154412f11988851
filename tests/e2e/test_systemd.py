"""What a service manager such as systemd gives and hears: sockets, messages, a watchdog."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from conftest import PROBE, free_port, saying, wait_for
from test_upgrade import end, finish, upgrade, workers_of
from wire import Client

# Does with descriptors what systemd does, and becomes the program.
LAUNCHER = """
import os, sys
fds = [os.dup(int(fd)) for fd in sys.argv[1].split(",")] if sys.argv[1] else []
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
for fd in fds + high:
    if fd >= 3 + len(high):
        os.close(fd)
pid = str(os.getpid() + int(sys.argv[2]))
os.environ.update(LISTEN_PID=pid, LISTEN_FDS=str(len(high)), WATCHDOG_PID=pid)
os.execv(sys.argv[3], sys.argv[3:])
"""


def launcher(*sockets, wrong_pid=False):
    """How the program is started with these sockets."""
    fds = [s.fileno() for s in sockets]
    return {"launcher": [sys.executable, "-c", LAUNCHER, ",".join(map(str, fds)),
                         str(int(wrong_pid))], "fds": fds}


def bound_to(*addresses, **more):
    return {"probe": {"target": PROBE, "bind": list(addresses), **more}}


@pytest.fixture
def sockets():
    """A folder whose name is short enough for the path of a unix socket."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as folder:
        yield folder


@pytest.fixture
def tcp():
    with socket.create_server(("127.0.0.1", 0)) as s:
        yield s


def text(s, host="127.0.0.1"):
    return f"{host}:{s.getsockname()[1]}"


def is_answered(address):
    with Client(address) as c:
        return c.get("/hello").status == 200


# ---- Sockets -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["address", "name of the host", "number", "name"])
def test_socket_is_used(server, tcp, how):
    bind = {"address": text(tcp), "name of the host": text(tcp, "localhost"),
            "number": "fd://3", "name": "fd://web"}[how]
    s = server(apps=bound_to(bind), env={"LISTEN_FDNAMES": "web"}, **launcher(tcp))
    assert is_answered(tcp.getsockname())
    assert s.listeners() == [tcp.getsockname()] or how == "name of the host"
    s.stop()
    with socket.create_connection(tcp.getsockname()):
        pass  # it is still open here


def test_each_application_gets_its_own(server, tcp, sockets, compile_app):
    path = f"{sockets}/s"
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        os.chmod(path, 0o640)
        app = {"target": f"c:{compile_app(saying('unix'))}", "bind": f"unix:{path}"}
        s = server(apps={"unix": app, **bound_to("fd://4", "127.0.0.1:0")},
                   **launcher(unix, tcp))
        assert is_answered(tcp.getsockname())
        with Client(path) as c:
            assert c.get("/").text == "unix"
        assert os.stat(path).st_mode & 0o777 == 0o640
        s.stop()
        assert os.path.exists(path)


def test_wildcard_of_both_families(server):
    try:
        both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError:
        pytest.skip("no IPv6 here")
    with both:
        server(apps=bound_to(text(both, "")), **launcher(both))
        assert is_answered(("127.0.0.1", both.getsockname()[1]))


def test_socket_for_nothing_is_told(server, tcp):
    s = server(apps=bound_to("127.0.0.1:0"), env={"LISTEN_FDNAMES": "web"}, **launcher(tcp))
    s.wait_log("descriptor 3, handed over as web, is used by no bind")
    assert s.get("/hello").status == 200


@pytest.mark.parametrize("bind", ["fd://9", "fd://web"])
def test_socket_that_is_not_there(server, tcp, bind):
    s = server(apps=bound_to(bind), wait=False, **launcher(tcp))
    assert s.wait() == 1
    assert f"listen on {bind}: no listening socket of that number or name" in s.log()


def test_what_does_not_listen_is_not_taken(server):
    with socket.socket() as deaf:
        s = server(apps=bound_to("fd://3"), wait=False, **launcher(deaf))
        assert s.wait() == 1


def test_variables_for_another_process_mean_nothing(server, tcp):
    s = server(apps=bound_to("fd://web"), env={"LISTEN_FDNAMES": "web"}, wait=False,
               **launcher(tcp, wrong_pid=True))
    assert s.wait() == 1


def test_other_programs_may_hand_over_too(server, tcp):
    """Without the variables, by number."""
    server(apps=bound_to(f"fd://{tcp.fileno()}"), fds=[tcp.fileno()])
    assert is_answered(tcp.getsockname())


def test_variables_are_not_for_children(server, tcp, sockets, compile_app):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{sockets}/notify")
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
        s = server(apps={"app": {"target": f"c:{path}", "bind": "fd://3"}},
                   env={"LISTEN_FDNAMES": "web", "WATCHDOG_USEC": "60000000", "MARK": "1",
                        "NOTIFY_SOCKET": f"{sockets}/notify"}, **launcher(tcp))
        names = [line.partition("=")[0] for line in s.get("/").text.splitlines()]
        assert "MARK" in names
        assert not [n for n in names if n.startswith(("LISTEN", "NOTIFY", "WATCHDOG", "ALICORN"))]


def test_reload_finds_it_again(server, tcp):
    """Also when the file calls it otherwise than before, and after it was not wanted."""
    s = server(apps=bound_to(text(tcp)), **launcher(tcp))
    for n, addresses in enumerate([["fd://3"], ["127.0.0.1:0"], [text(tcp)]], 1):
        s.configure(bound_to(*addresses))
        s.signal(signal.SIGHUP)
        s.wait_log("reload done", n)
        assert addresses == ["127.0.0.1:0"] or is_answered(tcp.getsockname())


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
@pytest.mark.parametrize("bind", ["address", "fd://3"])
def test_upgrade_with_these_sockets_under_load(server, tcp, bind):
    s = server(apps=bound_to(text(tcp) if bind == "address" else bind, "127.0.0.1:0"),
               workers=2, **launcher(tcp))
    host, port = tcp.getsockname()
    wrk = subprocess.Popen(["wrk", "-t1", "-c32", "-d6", f"http://{host}:{port}/hello"],
                           stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.3)
        new = upgrade(s, 2)
        again = None
        finish(s, new, signal.SIGWINCH, signal.SIGQUIT)
        # And the new one can be replaced as well.
        os.kill(new, signal.SIGUSR2)
        again = int(s.wait_log(rf"\[{new}\].*arbiter (\d+) starts beside this one")[1])
        wait_for(lambda: len(workers_of(s, again)) == 2, what="workers")
        os.kill(new, signal.SIGTERM)
        output = wrk.communicate(timeout=30)[0]
    finally:
        wrk.kill()
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    wait_for(lambda: new not in s.left(), what="the second gone")
    assert is_answered(tcp.getsockname())
    end(s, again)


# ---- Messages ----------------------------------------------------------------------------


class Manager:
    """Hears what a server says."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.heard = []

    def listen(self):
        while True:
            try:
                message = self.socket.recv(4096, socket.MSG_DONTWAIT).decode()
            except BlockingIOError:
                return self.heard
            self.heard.append(dict(line.split("=", 1) for line in message.splitlines()))

    def said(self, without=("STATUS", "WATCHDOG")):
        """The names that were said, in order."""
        return [name for message in self.listen() for name in message if name not in without]

    def wait(self, *names):
        wait_for(lambda: self.said() == list(names), what=f"{names}, but {self.said()}")


@pytest.fixture
def manager(sockets):
    m = Manager(f"{sockets}/notify")
    m.env = {"NOTIFY_SOCKET": f"{sockets}/notify"}
    yield m
    m.socket.close()


def test_messages_in_order(server, manager):
    s = server(workers=2, env=manager.env)
    manager.wait("READY")
    assert manager.heard[0] == {"READY": "1", "STATUS": "2 processes serve"}
    before = time.monotonic_ns() // 1000
    s.configure(workers=3)
    s.signal(signal.SIGHUP)
    manager.wait("READY", "RELOADING", "MONOTONIC_USEC", "READY")
    assert before <= int(manager.heard[1]["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.heard[2] == {"READY": "1", "STATUS": "3 processes serve"}
    s.stop()
    manager.wait("READY", "RELOADING", "MONOTONIC_USEC", "READY", "STOPPING")


def test_failed_reload_ends_too(server, manager):
    s = server(env=manager.env)
    manager.wait("READY")
    for fault in ({"workerz": 1}, {"raw_env": ["PROBE_INIT=fail"]}):
        s.configure(**fault)
        s.signal(signal.SIGHUP)
        s.wait_log("reload failed")
        manager.wait("READY", "RELOADING", "MONOTONIC_USEC", "READY")
        del manager.heard[1:]


def test_ready_when_all_applications_are(server, manager):
    port = free_port()
    s = server(apps={**bound_to("127.0.0.1:0"),
                     "slow": {"target": PROBE, "bind": f"127.0.0.1:{port}",
                              "raw_env": ["PROBE_INIT=slow"]}}, env=manager.env)
    assert s.get("/hello", name="probe").status == 200
    assert manager.said() == []
    manager.wait("READY")


def test_never_ready(server, manager):
    s = server(raw_env=["PROBE_INIT=fail"], env=manager.env, wait=False)
    assert s.wait() == 4
    assert manager.said() == ["STOPPING"]


def test_abstract_name(server):
    name = f"alicorn-test-{os.getpid()}"
    m = Manager("\0" + name)
    server(env={"NOTIFY_SOCKET": "@" + name})
    m.wait("READY")
    m.socket.close()


def test_manager_that_is_not_there(server):
    s = server(env={"NOTIFY_SOCKET": "/nowhere/notify"})
    s.wait_log("NOTIFY_SOCKET /nowhere/notify: No such file")
    assert s.get("/hello").status == 200


def test_upgrade_names_the_main_process(server, manager):
    """The old one, whose word counts until then; the new one when it is promoted."""
    s = server(env=manager.env)
    manager.wait("READY")
    new = upgrade(s)
    time.sleep(0.2)
    assert manager.said() == ["READY"]
    finish(s, new, signal.SIGTERM)
    manager.wait("READY", "MAINPID", "MAINPID", "READY")
    assert [m["MAINPID"] for m in manager.heard if "MAINPID" in m] == [str(new), str(new)]
    end(s, new)
    manager.wait("READY", "MAINPID", "MAINPID", "READY", "STOPPING")


def test_rolled_back_upgrade_is_not_told(server, manager):
    s = server(env=manager.env)
    manager.wait("READY")
    new = upgrade(s)
    s.signal(signal.SIGTERM, new)
    s.wait_log("the new arbiter has ended")
    assert manager.said() == ["READY"]


# ---- The watchdog ------------------------------------------------------------------------


def beats(manager, seconds):
    manager.listen()
    manager.heard.clear()
    time.sleep(seconds)
    return sum("WATCHDOG" in m for m in manager.listen())


def test_watchdog_hears_beats(server, manager):
    s = server(env={**manager.env, "WATCHDOG_USEC": "400000"}, **launcher())
    manager.wait("READY")
    assert 3 <= beats(manager, 1.5) <= 8
    s.signal(signal.SIGSTOP)
    assert beats(manager, 0.8) <= 1
    s.signal(signal.SIGCONT)
    new = upgrade(s)
    finish(s, new, signal.SIGTERM)
    assert 3 <= beats(manager, 1.5) <= 8
    end(s, new)


def test_watchdog_of_another_process(server, manager):
    server(env={**manager.env, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    manager.wait("READY")
    assert beats(manager, 0.5) == 0
