"""Connections that leave the server for a Python application: environ["gunicorn.socket"],
ALREADY_HANDLED and detached mode."""

import json

import pytest

from conftest import ALICORN, TOP, wait_for

pytestmark = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                                reason="python3-dev is not installed")


def leaving(server, **settings):
    return server(apps={"app": {"target": "python:leaving_app", "bind": "127.0.0.1:0",
                                "workers": 1, "chdir": str(TOP / "tests/apps"), **settings}},
                  env={"PYTHONDONTWRITEBYTECODE": "1"})


@pytest.fixture
def s(server):
    return leaving(server)


def events(s):
    return s.get("/events").text


def test_the_socket_is_there_but_costs_nothing_unless_used(s):
    with s.connect() as c:
        for _ in range(2):
            same, before, peer, waits, inheritable = json.loads(c.get("/look").body)
            assert same and "not open yet" in before and waits and not inheritable
            assert tuple(peer) == c.socket.getsockname()
        # It was of its request: the application has kept it, but it is closed.
        assert c.get("/kept").text == "Bad file descriptor"
        assert c.get("/late").text == "begun a response has begun"
        assert c.get("/kept").text == "Bad file descriptor"


def test_an_application_that_makes_it_block_and_answers_as_usual(s):
    with s.connect(receive_buffer=4096) as slow, s.connect() as c:
        slow.ask("/blocking")
        slow.more()
        assert c.get("/events").status == 200
        assert len(slow.response().body) == (1 << 22)


def test_handled_within_the_call(s):
    for path in "/here", "/foreign?gunicorn.workers.base_async", "/foreign?eventlet.wsgi":
        with s.connect() as c:
            assert c.get(path).body in (b"here", b"foreign"), path
            assert c.is_closed()
    assert s.get("/nothing").status == 500
    s.wait_log("returned without")


def test_bytes_behind_the_request(s):
    with s.connect() as c:
        c.send("GET /unread HTTP/1.1\r\nHost: t\r\n\r\nand this")
        assert c.response().body == b"unread: and this"
        assert c.is_closed()


def echoes(c):
    assert c.head().status == 101
    for text in b"one", b"two":
        c.send(text)
        assert c.take(3) == text


def test_a_thread_goes_on(s):
    with s.connect() as c:
        c.ask("/thread")
        echoes(c)
        assert s.get("/events").text == ""  # the worker serves others meanwhile
        c.send(b"end")
        assert c.is_closed()
    wait_for(lambda: events(s) == "echo ended")


def test_a_client_that_leaves(s):
    with s.connect() as c:
        c.ask("/thread")
        echoes(c)
    wait_for(lambda: events(s) == "echo ended")


def test_a_forked_child_ends_nothing_of_its_parent(s):
    with s.connect() as c:
        c.ask("/fork")
        assert c.response().body == b"child"
        assert c.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n and parent"
    assert events(s) == ""


@pytest.mark.parametrize("kind", ["thread", "child"])
def test_detached(s, kind):
    with s.connect() as c:
        c.ask(f"/detached?{kind}")
        if kind == "thread":
            echoes(c)
            c.send(b"end")
        else:
            assert c.take(5) == b"ready"
            c.send(b"to the child")
            assert c.take(12) == b"to the child"
            c.socket.shutdown(1)
        assert c.is_closed()
    told = {"thread": "echo ended", "child": "child ended 0"}[kind]
    wait_for(lambda: events(s) == told)


def test_a_proc_that_fails(s):
    with s.connect() as c:
        c.ask("/detached?failing")
        assert c.is_closed()
    s.wait_log("ValueError: status fails")
    assert events(s) == ""


def test_terminated_at_stop_and_reload(server):
    s = leaving(server, graceful_timeout=10)
    for number, reason in (1, "reload"), (15, "stop"):
        with s.connect() as c:
            c.ask("/detached?thread")
            echoes(c)
            s.signal(number)
            text = f"bye: {reason}".encode()
            assert c.take(len(text)) == text
            assert c.is_closed()
        s.wait_log(f"terminate {reason}")
    assert s.wait() == 0


def test_terminated_at_recycling(server):
    s = leaving(server, max_requests=2)
    with s.connect() as c:
        c.ask("/detached?thread")
        echoes(c)
        s.get("/events")
        assert c.take(12) == b"bye: recycle"


def test_terminated_after_a_time(server):
    s = leaving(server, detached_timeout=1)
    with s.connect() as c:
        c.ask("/detached?thread")
        echoes(c)
        assert c.take(12) == b"bye: timeout"


def test_detached_under_preload_and_threads(server):
    s = leaving(server, preload_app=True, threads=2)
    with s.connect() as c:
        c.ask("/detached?thread")
        echoes(c)
        c.send(b"end")
        assert c.is_closed()
