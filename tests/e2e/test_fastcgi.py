"""The FastCGI client, against a backend that may be hostile or broken. Before the response
has begun the client gets 502, 503 or 504; behind that the response is visibly incomplete."""

import shutil
import socket
import time

import pytest

from conftest import wait_for
from fake_fastcgi import END, OK_HEAD, STDERR, STDOUT, Backend, end, record, stdout
from wire import Cut


@pytest.fixture
def backed(server):
    """A function that starts a server before a backend that answers as it is told: with
    these bytes, or by a function."""
    backends = []

    def start(answer, **settings):
        if isinstance(answer, bytes):
            content = answer

            def answer(connection, request):
                connection.sendall(content)
        backend = Backend(answer)
        backends.append(backend)
        s = server(apps={"fast": {"target": backend.target, "bind": "127.0.0.1:0",
                                  "workers": 1, **settings}})
        s.backend = backend
        return s

    yield start
    for backend in backends:
        backend.close()


# ---- What the backend is sent ----


def test_params_and_body(backed, tmp_path):
    script = tmp_path / "www/a/b.php"
    script.parent.mkdir(parents=True)
    script.touch()
    s = backed(stdout(OK_HEAD + b"fine") + end(), root=str(tmp_path / "www"),
               params=["ADDED=1", "SERVER_NAME=x"])
    r = s.get("/a/b.php?c=d", "POST", body=b"x" * 200000,
              fields=[("X-One", "1"), ("Proxy", "evil"), ("Content-Type", "text/x")])
    assert (r.status, r.body, r.field("Content-Type")) == (200, b"fine", "text/plain")
    (request,) = s.backend.requests
    assert request.fault is None and request.role == 1
    assert request.flags == 0  # no keep-alive: it would hold a process of the backend
    assert request.body == b"x" * 200000
    expected = {
        "REQUEST_METHOD": "POST", "QUERY_STRING": "c=d", "CONTENT_LENGTH": "200000",
        "CONTENT_TYPE": "text/x", "HTTP_X_ONE": "1", "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "test",
        "REQUEST_URI": "/a/b.php?c=d", "SCRIPT_NAME": "/a/b.php",
        "SCRIPT_FILENAME": str(script), "DOCUMENT_ROOT": str(tmp_path / "www"),
        "ADDED": "1", "SERVER_NAME": "x"}
    assert {name: request.params.get(name) for name in expected} == expected
    assert "HTTP_PROXY" not in request.params and "HTTP_CONTENT_LENGTH" not in request.params


def test_chunked_body_arrives_with_its_length(backed):
    s = backed(stdout(OK_HEAD) + end())
    with s.connect() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert c.response().status == 200
    (request,) = s.backend.requests
    assert request.body == b"abcde" and request.params["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in request.params


def test_params_larger_than_a_record(backed):
    """Pairs stay whole at the borders of records."""
    s = backed(stdout(OK_HEAD + b"ok") + end())
    fields = [(f"X-Field-{i}", "v" * (8000 - i)) for i in range(12)]
    assert s.get("/", fields=fields).body == b"ok"
    (request,) = s.backend.requests
    assert request.fault is None
    assert all(request.params[f"HTTP_X_FIELD_{i}"] == v for i, (_, v) in enumerate(fields))


def test_body_is_complete_before_the_backend_is_asked(backed):
    s = backed(stdout(OK_HEAD) + end())
    with s.connect() as c:
        c.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nab")
        time.sleep(0.3)
        assert s.backend.requests == []
        c.send("cd")
        assert c.response().status == 200


# ---- Proper answers ----

ANSWERS = {
    "one record": (stdout(OK_HEAD + b"body") + end(), 200, b"body"),
    "records of one byte": (stdout(OK_HEAD + b"body", 1) + end(), 200, b"body"),
    "20,000 records": (stdout(OK_HEAD + b"b" * 20000, 1) + end(), 200, b"b" * 20000),
    "lines end with LF": (stdout(b"Content-Type: a/b\nX-A: 1\n\nbody") + end(), 200, b"body"),
    "padding": (record(STDOUT, OK_HEAD + b"bo", padding=255) +
                record(STDOUT, b"dy", padding=1) + record(STDOUT) + end(), 200, b"body"),
    "status": (stdout(b"Status: 404 Gone Fishing\r\n" + OK_HEAD + b"body") + end(), 404,
               b"body"),
    "status without a reason": (stdout(b"Status: 403\r\n" + OK_HEAD) + end(), 403, b""),
    "location": (stdout(b"Location: http://a.example/\r\n\r\n") + end(), 302, b""),
    "empty body": (stdout(OK_HEAD) + end(), 200, b""),
    "length": (stdout(b"Content-Length: 4\r\n" + OK_HEAD + b"body") + end(), 200, b"body"),
    "length too short": (stdout(b"Content-Length: 2\r\n" + OK_HEAD + b"body") + end(), 200,
                         b"bo"),
    "appStatus": (stdout(OK_HEAD + b"body") + end(app_status=1), 200, b"body"),
    "204 with a body": (stdout(b"Status: 204\r\n\r\nbody") + end(), 204, b""),
    "304 with a body": (stdout(b"Status: 304\r\n\r\nbody") + end(), 304, b""),
    "stderr before": (record(STDERR, b"oops\n") + stdout(OK_HEAD + b"body") + end(), 200,
                      b"body"),
    "stderr between": (stdout(OK_HEAD[:9]) + record(STDERR, b"oops\n") +
                       stdout(OK_HEAD[9:] + b"bo") + record(STDERR, b"oops\n" * 10000) +
                       stdout(b"dy") + end(), 200, b"body"),
    "more behind the end": (stdout(OK_HEAD + b"body") + end() + stdout(b"more") + end(), 200,
                            b"body"),
    "hop-by-hop": (stdout(b"Connection: close\r\nTransfer-Encoding: gzip\r\n" + OK_HEAD +
                          b"body") + end(), 200, b"body"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer(backed, name):
    answer, status, body = ANSWERS[name]
    s = backed(answer)
    with s.connect() as c:
        r = c.get("/")
        assert (r.status, r.body) == (status, body)
        if name == "status":
            assert r.reason == "Gone Fishing"
        if name != "hop-by-hop":
            assert c.get("/").status == status  # the client's connection goes on
    if name.startswith("stderr"):
        s.wait_log("oops")


def test_answer_that_comes_byte_by_byte(backed):
    def answer(connection, request):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in stdout(OK_HEAD + b"body", 3) + end():
            connection.send(bytes([byte]))
            time.sleep(0.002)

    assert backed(answer).get("/").body == b"body"


def test_head_request(backed):
    s = backed(stdout(OK_HEAD + b"body") + end())
    with s.connect() as c:
        assert c.get("/", "HEAD").body == b""
        assert c.get("/").body == b"body"


def test_big_answer_to_a_slow_client(backed):
    body = bytes(range(256)) * 40000
    s = backed(stdout(OK_HEAD + body) + end(), response_buffer_size="64K")
    with s.connect(receive_buffer=65536) as c:
        c.ask("/")
        time.sleep(1)
        assert c.response().body == body


PATIENT = """
#include <unistd.h>

static void
drained(struct al_request *req, void *arg)
{
	(void)arg;
	al_finish(req, AL_DONE, 0);
}

static const struct al_pending calls = { .drained = drained };
static char bytes[16000000];

int
al_handle(void *app, struct al_request *req)
{
	(void)app;
	al_pending(req, &calls, NULL);
	al_start(req, "200 OK", NULL, 0);
	al_write(req, bytes, sizeof(bytes));
	while (al_queued(req) > 0) {
		usleep(1000);
		al_write(req, "x", 1);
		al_flush(req);
	}
	return AL_PENDING;
}
"""


def test_who_waits_for_the_client_is_told_in_any_case(server, compile_app):
    """Also when the queue was emptied by what the application wrote itself."""
    s = server(apps={"app": {"target": str(compile_app(PATIENT)), "bind": "127.0.0.1:0",
                             "response_spool_size": 0}})
    with s.connect() as c:
        c.ask("/")
        body = c.response().body
        assert body[:16000000] == bytes(16000000) and not body[16000000:].strip(b"x")


def test_many_at_once(backed):
    """One worker waits for 50 answers at the same time."""
    def answer(connection, request):
        time.sleep(0.5)
        connection.sendall(stdout(OK_HEAD + request.params["QUERY_STRING"].encode()) + end())

    s = backed(answer)
    clients = [s.connect() for _ in range(50)]
    began = time.monotonic()
    for i, c in enumerate(clients):
        c.ask(f"/?{i}")
    for i, c in enumerate(clients):
        assert c.response().text == str(i)
        c.close()
    assert time.monotonic() - began < 5


def test_stderr_cannot_forge_log_lines(backed):
    s = backed(record(STDERR, b"oops \033[31m\n[1] [INFO] forged\n") + stdout(OK_HEAD) + end())
    s.get("/")
    s.wait_log("forged")
    assert "\033" not in s.log() and "\n[1] [INFO] forged" not in s.log()


# ---- Broken before the response has begun ----

BROKEN = {
    "closed": b"",
    "http": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "garbage": bytes(range(256)) * 10,
    "version": record(STDOUT, OK_HEAD + b"body", version=2) + end(),
    "end without an answer": end(),
    "stderr only": record(STDERR, b"oops\n") + end(),
    "head without an end": stdout(b"Content-Type: text/plain\r\n") + end(),
    "truncated head": stdout(b"Content-Type: tex"),
    "truncated record": record(STDOUT, OK_HEAD)[:20],
    "truncated record head": b"\1\6\0",
    "huge head": stdout(b"X: " + b"x" * 2000000),
    "huge head of fields": stdout(b"X: y\r\n" * 300000),
    "no colon": stdout(b"Content-Type\r\n\r\nbody") + end(),
    "html at once": stdout(b"<html>\r\n\r\nbody</html>") + end(),
    "empty head": stdout(b"\r\n\r\nbody") + end(),
    "NUL in a value": stdout(b"X-A: a\0b\r\n" + OK_HEAD) + end(),
    "CR in a value": stdout(b"X-A: a\rb\r\n" + OK_HEAD) + end(),
    "space in a name": stdout(b"X A: b\r\n" + OK_HEAD) + end(),
    "status is none": stdout(b"Status: fine\r\n" + OK_HEAD) + end(),
    "status too great": stdout(b"Status: 1000\r\n" + OK_HEAD) + end(),
    "two statuses": stdout(b"Status: 200\r\nStatus: 404\r\n" + OK_HEAD) + end(),
    "two lengths": stdout(b"Content-Length: 1\r\nContent-Length: 2\r\n" + OK_HEAD + b"ab") +
    end(),
    "length is none": stdout(b"Content-Length: x\r\n" + OK_HEAD + b"ab") + end(),
    "length of -1": stdout(b"Content-Length: -1\r\n" + OK_HEAD + b"ab") + end(),
    "unknown role": end(protocol_status=3),
    "end is too short": record(END, b"\0\0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_answer_is_502(backed, name):
    s = backed(BROKEN[name])
    worker = s.wait_workers(1)
    assert s.get("/").status == 502
    assert s.workers() == worker


@pytest.mark.parametrize("status,answers", [(1, (502, 503)), (2, (503,))])
def test_overloaded_backend(backed, status, answers):
    assert backed(end(protocol_status=status)).get("/").status in answers


def test_records_of_another_request_are_not_ours(backed):
    s = backed(record(STDOUT, OK_HEAD + b"theirs", request=2) + stdout(OK_HEAD + b"ours") + end())
    r = s.get("/")
    assert r.status == 502 or r.body == b"ours"


def test_reset_before_the_answer(backed):
    def answer(connection, request):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert backed(answer).get("/").status == 502


def test_reset_while_the_request_is_sent(backed):
    s = backed(b"")
    s.backend.read = lambda connection, request: connection.recv(100)
    assert s.get("/", "POST", body=b"x" * 10000000).status == 502


def test_answer_before_the_request_was_read(backed):
    """A backend may answer 413 and close without reading all."""
    s = backed(b"")

    def answer_at_once(connection, request):
        connection.recv(100)
        connection.sendall(stdout(b"Status: 413\r\n" + OK_HEAD + b"too much") + end())
        time.sleep(0.5)

    s.backend.read = answer_at_once
    assert s.get("/", "POST", body=b"x" * 10000000).status in (413, 502)


def test_nobody_listens(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        s = server(apps={"fast": {"target": "fcgi://127.0.0.1:%d" % free.getsockname()[1],
                                  "bind": "127.0.0.1:0"}})
        assert s.get("/").status == 503
    s.wait_log("(?i)refused")


def test_no_such_socket(server):
    s = server(apps={"fast": {"target": "fcgi:unix:/nowhere/socket", "bind": "127.0.0.1:0"}})
    assert s.get("/").status == 503
    s.wait_log("/nowhere/socket")


def test_silent_backend_is_504(backed):
    s = backed(lambda connection, request: time.sleep(10), timeout=1)
    worker = s.wait_workers(1)
    began = time.monotonic()
    assert s.get("/").status == 504
    assert 0.9 < time.monotonic() - began < 4
    assert s.workers() == worker  # the worker is not to blame
    assert s.get("/").status == 504


def test_dripping_backend_is_504_too(backed):
    """The limit is that of the whole request, as for every application."""
    def answer(connection, request):
        for byte in stdout(b"X: " + b"y" * 100):
            connection.send(bytes([byte]))
            time.sleep(0.1)

    assert backed(answer, timeout=1).get("/").status == 504


# ---- Broken behind that ----

CUT = {
    "closed": stdout(OK_HEAD + b"body"),
    "truncated record": stdout(OK_HEAD + b"body") + record(STDOUT, b"x" * 100)[:50],
    "garbage": stdout(OK_HEAD + b"body") + b"garbage!" * 10,
    "length too long": stdout(b"Content-Length: 100\r\n" + OK_HEAD + b"body") + end(),
    "closed with a length": stdout(b"Content-Length: 100\r\n" + OK_HEAD + b"body"),
}


@pytest.mark.parametrize("name", CUT)
def test_broken_behind_the_head_is_visibly_incomplete(backed, name):
    def answer(connection, request):
        # The first record has been passed on when the rest comes.
        first = 8 + int.from_bytes(CUT[name][4:6], "big")
        connection.sendall(CUT[name][:first])
        time.sleep(0.3)
        connection.sendall(CUT[name][first:])

    s = backed(answer)
    with s.connect() as c:
        c.ask("/")
        try:
            r = c.response()
        except Cut:
            return
        assert r.status == 502, "it looks complete"


def test_silence_behind_the_head_is_cut(backed):
    def answer(connection, request):
        connection.sendall(stdout(OK_HEAD + b"body"))
        time.sleep(10)

    with backed(answer, timeout=1).connect() as c:
        c.ask("/")
        began = time.monotonic()
        try:
            assert c.response().status == 504
        except Cut:
            pass
        assert time.monotonic() - began < 4


# ---- Connections to the backend ----


def test_backend_is_let_go_at_the_end_of_its_answer(backed):
    """A slow client must not hold a process of the backend."""
    freed = []

    def answer(connection, request):
        connection.sendall(stdout(OK_HEAD + b"x" * 600000) + end())
        began = time.monotonic()
        assert connection.recv(1) == b""
        freed.append(time.monotonic() - began)

    s = backed(answer, response_buffer_size="1M")
    with s.connect(receive_buffer=4096) as c:
        c.ask("/")
        wait_for(lambda: freed, limit=5, what="the backend's connection closed")


def test_backend_is_told_when_the_client_leaves(backed):
    freed = []

    def answer(connection, request):
        assert connection.recv(1) == b""
        freed.append(True)

    s = backed(answer)
    with s.connect() as c:
        c.ask("/")
        wait_for(lambda: s.backend.requests)
        # A reset: only one who closes for reading too has left.
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_for(lambda: freed, limit=5, what="the backend's connection closed")
    assert len(s.backend.requests) == 1


def test_graceful_stop_waits_for_the_backend(backed):
    def answer(connection, request):
        time.sleep(1)
        connection.sendall(stdout(OK_HEAD + b"body") + end())

    s = backed(answer)
    with s.connect() as c:
        c.ask("/")
        wait_for(lambda: s.backend.requests)
        s.signal(15)
        assert c.response().body == b"body"
    assert s.wait() == 0


# ---- Programs of our own ----


@pytest.mark.skipif(not shutil.which("php-cgi"), reason="php-cgi is not installed")
@pytest.mark.parametrize("method,status", [("GET", 200), ("PUT", 200), ("POST", 502)])
def test_a_program_that_ends_as_it_gets_a_request(server, tmp_path, method, status):
    """Another one has it, once, if it may be done twice."""
    (tmp_path / "index.php").write_text("""<?php
        file_put_contents('count', 'x', FILE_APPEND);
        if ($_SERVER['QUERY_STRING'] == 'always' || filesize('count') == 1)
            exec('kill -9 ' . getmypid());
        echo strlen(file_get_contents('php://input'));""")
    s = server(apps={"php": {
        "target": f"fcgi-exec:{shutil.which('php-cgi')}", "bind": "127.0.0.1:0", "workers": 2,
        "root": tmp_path, "script": "index.php"}})
    r = s.get("/", method, body=b"x" * 100_000)
    assert r.status == status
    assert status != 200 or r.text == "100000"
    assert s.get("/?always", method).status == 502
    assert (tmp_path / "count").read_text() == "x" * {200: 4, 502: 2}[status]
