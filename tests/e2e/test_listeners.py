"""Addresses to listen on, several applications in one server."""

import ctypes
import os
import signal
import socket
import stat
import tempfile

import pytest

from conftest import ALICORN, PROBE, free_port, saying, stat_of
from wire import Client, Cut


UPPER = ALICORN.parent / "examples/worker/upper.so"


def bound_to(*addresses):
    return {"probe": {"target": PROBE, "bind": list(addresses)}}


@pytest.fixture
def sockets():
    """A folder whose name is short enough for the path of a unix socket."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as folder:
        yield folder


def test_unix_socket(server, sockets):
    path = f"{sockets}/s"
    s = server(apps=bound_to(f"unix:{path}"))
    with Client(path) as c:
        assert c.get("/hello").body == b"hello\n"
        env = dict(line.split("=", 1) for line in c.get("/env").text.splitlines())
    assert env.get("REMOTE_ADDR", "") == "" and env["SERVER_NAME"]
    s.stop()
    assert not os.path.exists(path)


def test_unix_socket_that_was_left_behind_is_replaced(server, sockets):
    path = f"{sockets}/s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    server(apps=bound_to(f"unix:{path}"))
    with Client(path) as c:
        assert c.get("/hello").status == 200


def test_file_in_the_place_of_a_unix_socket_is_kept(server, sockets):
    path = f"{sockets}/s"
    with open(path, "w") as f:
        f.write("precious")
    s = server(apps=bound_to(f"unix:{path}"), wait=False)
    assert s.wait() == 1
    assert path in s.log() and open(path).read() == "precious"


def test_unix_socket_in_use_is_not_taken(server, sockets):
    path = f"{sockets}/s"
    server(apps=bound_to(f"unix:{path}"))
    second = server(apps=bound_to(f"unix:{path}"), wait=False)
    assert second.wait() == 1
    with Client(path) as c:
        assert c.get("/hello").status == 200
    assert stat.S_ISSOCK(os.stat(path).st_mode)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_ipv6(server):
    s = server(apps=bound_to("[::1]:0"))
    with s.connect() as c:
        env = dict(line.split("=", 1) for line in c.get("/env").text.splitlines())
    assert env["REMOTE_ADDR"] == "::1" and env["REMOTE_PORT"].isdigit()


def test_several_listeners(server, sockets):
    s = server(apps=bound_to("127.0.0.1:0", "127.0.0.1:0", f"unix:{sockets}/s"), workers=2)
    assert len(s.listeners()) == 3
    for address in s.listeners():
        with Client(address) as c:
            assert c.get("/hello").status == 200


def test_several_applications(server, compile_app):
    s = server(workers=2, apps={
        name: {"target": f"c:{compile_app(saying(name), name + '.so')}",
               "bind": "127.0.0.1:0", **more}
        for name, more in (("one", {}), ("two", {"workers": 1}), ("three", {}))})
    for name, workers in (("one", 2), ("two", 1), ("three", 2)):
        assert s.get("/", name=name).text == name
        s.wait_workers(workers, name)
    s.stop()


@pytest.mark.parametrize("primary", ["one", "two"])
def test_ttin_means_the_primary_application(server, compile_app, primary):
    path = compile_app(saying("x"))
    s = server(apps={name: {"target": f"c:{path}", "bind": "127.0.0.1:0",
                            **({"primary": True} if primary == name == "two" else {})}
                     for name in ("one", "two")})
    s.wait_workers(2)
    s.signal(signal.SIGTTIN)
    s.wait_workers(2, primary)
    assert len(s.workers()) == 3


def test_crash_of_one_application_is_not_the_others_matter(server, compile_app):
    s = server(apps={"probe": {"target": PROBE, "bind": "127.0.0.1:0"},
                     "good": {"target": f"c:{compile_app(saying('good'))}",
                              "bind": "127.0.0.1:0"}})
    good = s.wait_workers(1, "good")
    for _ in range(3):
        assert s.get("/crash", name="probe").status == 502
        assert s.get("/", name="good").text == "good"
    assert s.workers("good") == good


@pytest.mark.parametrize("reuse_port", [False, True])
def test_two_servers_at_one_address(server, reuse_port):
    """If both want that; also after a reload."""
    address = f"127.0.0.1:{free_port()}"
    first = server(apps=bound_to(address), reuse_port=reuse_port)
    second = server(apps=bound_to(address), reuse_port=reuse_port, wait=False)
    if not reuse_port:
        assert second.wait() == 1 and "Address already in use" in second.log()
        return
    second.wait_log("listening on")
    first.signal(signal.SIGHUP)
    first.wait_log("reload done")
    servers = set()
    for _ in range(40):
        with Client(first.address) as c:
            servers.add(stat_of(int(c.get("/pid").text))[1])
    assert servers == {str(first.pid), str(second.pid)}


def listening_of(pid):
    """Duplicates of the sockets that a process listens with."""
    libc, pidfd = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid)
    for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
        if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            own = libc.pidfd_getfd(pidfd, fd, 0)
            if own < 0:
                pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
            with socket.socket(fileno=own) as s:
                if s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    yield s
    os.close(pidfd)


@pytest.mark.parametrize("settings, deferred", [
    ({}, True), ({"defer_accept": False}, False),
    ({"worker_class": str(UPPER), "target": "x:y"}, False)], ids=str)
def test_new_connections_are_left_to_the_kernel(server, sockets, settings, deferred):
    """Until they have something to say, where they are who speaks first."""
    if "target" in settings and not UPPER.exists():
        pytest.skip("the examples are not built")
    app = {"target": PROBE, "bind": ["127.0.0.1:0", f"unix:{sockets}/s"], **settings}
    s = server(apps={"probe": app})
    pid, = s.wait_workers(1)
    found = {l.family: l.family == socket.AF_INET
             and l.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) > 0
             for l in listening_of(pid)}
    assert found == {socket.AF_INET: deferred, socket.AF_UNIX: False}


def test_who_says_nothing_is_accepted_too(server):
    """And told when its time is up."""
    s = server(workers=1, header_timeout=1)
    with s.connect() as c:
        with pytest.raises(Cut):
            c.response()
