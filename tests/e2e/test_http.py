"""HTTP/1.1 and 1.0 connections: framing, keep-alive, pipelining, limits."""

import re
import time

import pytest

from wire import Cut


@pytest.fixture
def s(server):
    return server()


def test_keep_alive(s):
    with s.connect() as c:
        for _ in range(50):
            r = c.get("/hello")
            assert (r.status, r.body) == (200, b"hello\n")
            assert r.field("Connection") is None
        c.ask("/hello", fields=[("Connection", "close")])
        assert c.response().field("Connection") == "close"
        assert c.is_closed()


def test_fields_of_every_response(s):
    r = s.get("/hello")
    assert (r.version, r.reason) == ("HTTP/1.1", "OK")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", r.field("Date"))
    assert r.field("Content-Length") == "6"
    assert r.field("Content-Type") == "text/plain"


def test_idle_connection_is_closed(server):
    with server(keepalive=1).connect() as c:
        c.get("/hello")
        began = time.monotonic()
        assert c.is_closed()
        assert 0.5 < time.monotonic() - began < 4


def test_keepalive_0_closes_after_each_response(server):
    with server(keepalive=0).connect() as c:
        assert c.get("/hello").field("Connection") == "close"
        assert c.is_closed()


def test_pipelining_keeps_the_order(s):
    with s.connect() as c:
        requests = b""
        for i in range(100):
            requests += b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n%03d" % i
        c.send(requests)
        assert [c.response().body for _ in range(100)] == [b"%03d" % i for i in range(100)]


def test_pipelining_behind_a_slow_request_and_before_a_close(s):
    with s.connect() as c:
        c.send("GET /sleep?ms=200 HTTP/1.1\r\nHost: t\r\n\r\n"
               "HEAD /hello HTTP/1.1\r\nHost: t\r\n\r\n"
               "GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
               "GET /never HTTP/1.1\r\nHost: t\r\n\r\n")
        assert c.response().body.strip().isdigit()
        assert c.response("HEAD").body == b""
        assert c.response().body == b"hello\n"
        assert c.is_closed()


def test_request_that_comes_byte_by_byte(s):
    with s.connect() as c:
        for byte in b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello":
            c.send(bytes([byte]))
            time.sleep(0.001)
        assert c.response().body == b"hello"


def test_head_has_the_fields_of_get_and_no_body(s):
    with s.connect() as c:
        for path in ("/hello", "/big?bytes=1000000", "/big?bytes=5&length=1"):
            get, head = c.get(path), c.get(path, "HEAD")
            assert head.status == get.status and head.body == b""
            assert head.field("Content-Type") == get.field("Content-Type")
            assert head.field("Content-Length") in (str(len(get.body)), None)
        assert c.get("/big?bytes=5&length=1", "HEAD").field("Content-Length") == "5"


@pytest.mark.parametrize("code", [204, 304])
def test_status_without_a_body(s, code):
    with s.connect() as c:
        r = c.get(f"/status?code={code}")
        assert (r.status, r.body) == (code, b"")
        assert r.field("Transfer-Encoding") is None
        assert c.get("/hello").body == b"hello\n"


@pytest.mark.parametrize("code,reason", [
    ("404", "Not Found"), ("503", "Service Unavailable"), ("404%20Nope", None)])
def test_status_and_reason(s, code, reason):
    r = s.get(f"/status?code={code}")
    if reason is None:  # the probe does not decode: this is no status
        assert r.status == 500
    else:
        assert (r.status, r.reason, r.body) == (int(code), reason, b"status\n")


def test_http_1_0(s):
    with s.connect() as c:
        c.send("GET /hello HTTP/1.0\r\n\r\n")
        r = c.response()
        assert r.body == b"hello\n" and r.field("Transfer-Encoding") is None
        assert c.is_closed()
    with s.connect() as c:
        for _ in range(3):
            r = c.get("/hello", version="HTTP/1.0", fields=[("Connection", "keep-alive")])
            assert r.field("Connection").lower() == "keep-alive"


def test_http_1_0_of_unknown_length_ends_with_the_connection(s):
    with s.connect() as c:
        c.ask("/big?bytes=3000000", version="HTTP/1.0", fields=[("Connection", "keep-alive")])
        r = c.response()
        assert r.field("Transfer-Encoding") is None and len(r.body) == 3000000


def test_expect_100_continue(s):
    with s.connect() as c:
        c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n"
               "Expect: 100-continue\r\n\r\n")
        assert c.head().status == 100
        c.send("body")
        assert c.response().body == b"body"
        # One who does not wait gets one answer all the same, perhaps with the interim one.
        c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n"
               "Expect: 100-continue\r\n\r\nbody")
        r = c.head()
        if r.status == 100:
            r = c.head()
        assert r.status == 200 and c.take(4) == b"body"


def test_expect_100_continue_is_refused_before_the_body(server):
    with server(limit_request_body="1K").connect() as c:
        c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4000\r\n"
               "Expect: 100-continue\r\n\r\n")
        assert c.response().status == 413


def test_unknown_expectation(s):
    with s.connect() as c:
        assert c.get("/hello", fields=[("Expect", "the-unexpected")]).status in (200, 417)


def test_environ(s):
    with s.connect() as c:
        r = c.get("/env?a=1&b=%20", fields=[
            ("X-One", "1"), ("X-Two", "2"), ("X-Two", "3"), ("Cookie", "a=b"),
            ("Cookie", "c=d"), ("Proxy", "evil"), ("X_Under", "evil"),
            ("Content-Type", "text/x")])
        port = c.socket.getsockname()[1]
    env = dict(line.split("=", 1) for line in r.text.splitlines())
    host, server_port = s.address
    expected = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/env",
        "QUERY_STRING": "a=1&b=%20", "CONTENT_TYPE": "text/x", "SERVER_NAME": host,
        "SERVER_PROTOCOL": "HTTP/1.1", "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": host, "REMOTE_PORT": str(port), "REQUEST_URI": "/env?a=1&b=%20",
        "RAW_URI": "/env?a=1&b=%20", "REQUEST_SCHEME": "http", "HTTP_HOST": "test",
        "HTTP_X_ONE": "1", "HTTP_X_TWO": "2, 3", "HTTP_COOKIE": "a=b; c=d"}
    assert {name: env.get(name) for name in expected} == expected
    assert env["SERVER_SOFTWARE"].startswith("alicorn/")
    assert env["SERVER_PORT"] in (str(server_port), "80")
    assert not {"HTTP_PROXY", "HTTP_X_UNDER", "HTTP_CONTENT_TYPE"} & set(env)


def test_path_is_decoded_once(s):
    r = s.get("/%65nv%2F%252F")
    assert r.status == 404
    env = dict(line.split("=", 1) for line in s.get("/e%6ev").text.splitlines())
    assert env["PATH_INFO"] == "/env" and env["RAW_URI"] == "/e%6ev"


@pytest.mark.parametrize("request_text,status", [
    ("GET / HTTP/1.1\r\n\r\n", 400),                                       # no Host
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),                # obs-fold
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400),                   # bare CR
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", (400, 501)),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    ("nonsense\r\n\r\n", 400),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", (400, 505)),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
])
def test_request_that_is_none(s, request_text, status):
    with s.connect() as c:
        c.send(request_text)
        r = c.response()
        assert r.status in (status if isinstance(status, tuple) else (status,))
        assert r.field("Connection") == "close" and r.body
        assert c.is_closed()
    assert s.get("/hello").status == 200


# ---- Limits ----


def test_limit_of_the_request_line(server):
    s = server(limit_request_line=100)
    assert s.get("/hello?" + "x" * 70).status == 200
    with s.connect() as c:
        r = c.get("/hello?" + "x" * 200)
        assert (r.status, r.field("Connection")) == (414, "close")


def test_request_line_without_an_end(s):
    with s.connect() as c:
        c.send("GET /" + "x" * 100000)
        assert c.response().status == 414


def test_limit_of_fields(server):
    s = server(limit_request_fields=10, limit_request_field_size=100)
    assert s.get("/hello", fields=[("X-A", "1")] * 9).status == 200
    for fields in ([("X-A", "1")] * 10, [("X-A", "x" * 100)], [("X" * 100, "")]):
        r = s.get("/hello", fields=fields)
        assert (r.status, r.field("Connection")) == (431, "close")


def test_field_without_an_end(s):
    with s.connect() as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + "x" * 100000)
        assert c.response().status == 431


def test_slow_head(server):
    s = server(header_timeout=1)
    with s.connect() as c:
        began = time.monotonic()
        c.send("GET /hello HTTP/1.1\r\n")
        time.sleep(0.6)
        c.send("Host: a\r\n")  # a drip does not win more time
        r = c.response()
        assert (r.status, r.field("Connection")) == (408, "close")
        assert 0.5 < time.monotonic() - began < 4
        assert c.is_closed()


def test_connection_without_a_request_is_closed(server):
    s = server(header_timeout=1, keepalive=1)
    with s.connect() as c:
        rest = c.rest()  # nothing was asked, so nothing need be answered
        assert rest == b"" or rest.startswith(b"HTTP/1.1 408 ")
    assert s.get("/hello").status == 200


def test_slow_body(server):
    with server(body_timeout=1).connect() as c:
        c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        for byte in b"12345":  # each pause is short enough
            c.send(bytes([byte]))
            time.sleep(0.4)
        c.send("67890")
        assert c.response().body == b"1234567890"
        c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
        began = time.monotonic()
        r = c.response()
        assert (r.status, r.field("Connection")) == (408, "close")
        assert 0.5 < time.monotonic() - began < 4


def test_client_that_does_not_read(server):
    """It holds no worker; after write_timeout it is cut."""
    s = server(workers=1, write_timeout=1, response_buffer_size="64K")
    path = s.folder / "sparse"
    with open(path, "wb") as f:
        f.truncate(200 << 20)
    with s.connect(receive_buffer=4096) as c:
        c.ask(f"/file?path={path}")
        assert s.get("/hello").status == 200
        time.sleep(3.5)
        with pytest.raises((Cut, ConnectionError)):
            c.response(sink=lambda piece: None)


def test_half_closed_client_gets_its_answer(s):
    with s.connect() as c:
        c.ask("/sleep?ms=300")
        c.socket.shutdown(1)
        assert c.response().status == 200
        assert c.is_closed()


def test_client_that_leaves_in_the_middle(s):
    for request in (b"GET /hel", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
                    b"GET /big?bytes=50000000 HTTP/1.1\r\nHost: a\r\n\r\n"):
        for _ in range(10):
            with s.connect() as c:
                c.send(request)
    worker = s.wait_workers(1)
    assert s.get("/hello").status == 200
    assert s.workers() == worker


def test_many_connections(s):
    clients = [s.connect() for _ in range(300)]
    for c in clients:
        c.ask("/hello")
    for c in clients:
        assert c.response().body == b"hello\n"
        c.close()


def test_limit_of_connections_of_a_worker(server):
    """What is above the limit waits until one has gone."""
    s = server(workers=1, worker_connections=5, keepalive=30)
    clients = [s.connect() for _ in range(5)]
    for c in clients:
        assert c.get("/hello").status == 200
    with s.connect() as c:
        c.ask("/hello")
        time.sleep(0.3)
        clients[0].close()
        assert c.response().status == 200
    for c in clients:
        c.close()


# ---- What the application may and may not say ----


def test_hop_by_hop_fields_stay_out(s):
    with s.connect() as c:
        r = c.get("/hop-by-hop")
        assert (r.body, r.field("X-Stays"), r.reason) == (b"hop\n", "yes", "OK")
        assert not r.every("Keep-Alive") and not r.every("Upgrade")
        assert "X-Hop" not in r.head and "gzip" not in r.head
        assert c.get("/hello").status == 200


def test_bad_heads_are_refused_and_a_second_start_replaces(s):
    r = s.get("/bad-heads")
    assert (r.status, r.reason, r.field("X-Second")) == (201, "Second", "yes")
    assert r.field("Content-Type") is None
    assert r.text == "y" * 14


def test_too_short_a_body_is_seen(s):
    with s.connect() as c:
        c.ask("/length?say=10&write=3")
        with pytest.raises(Cut):
            c.response()


def test_too_long_a_body_is_cut_off(s):
    with s.connect() as c:
        assert c.get("/length?say=3&write=10").body == b"xxx"
        assert c.get("/hello").body == b"hello\n"
    s.wait_log("Content-Length")


@pytest.mark.parametrize("path", ["/silent", "/error"])
def test_application_without_an_answer(s, path):
    with s.connect() as c:
        assert c.get(path).status == 500
    assert s.get("/hello").status == 200


def test_failure_after_some_bytes_is_seen(s):
    for path in ("/partial?then=error", "/partial?then=error&length=1"):
        with s.connect() as c:
            c.ask(path)
            with pytest.raises(Cut):
                c.response()
    assert s.get("/hello").status == 200


def test_pieces_arrive_when_they_are_flushed(s):
    with s.connect() as c:
        began = time.monotonic()
        c.ask("/pieces?n=3&ms=500")
        r = c.head()
        first = next(c.body(r, "GET"))
        assert first == b"piece\n" and time.monotonic() - began < 1


def test_options_reach_the_application(server):
    s = server(timeout=17)
    assert s.get("/option?name=timeout").text == "17"
    assert s.get("/option?name=nonsense").text == "(none)"
    assert s.get("/option?name=bind&i=1").text == "(none)"


def test_log_lines_cannot_be_forged(s):
    s.get("/log")
    line = s.wait_log(r"(?m)^.*probe says.*$")[0]
    assert "forged" in line and "\033" not in s.log()
    assert "\n[1] forged" not in s.log()


def test_early_hints(s):
    with s.connect() as c:
        c.ask("/hints")
        for _ in range(2):
            hint = c.head()
            assert (hint.status, hint.fields) == (103, [("Link", "</style.css>; rel=preload")])
        r = c.response()
        assert (r.status, r.text) == (200, "0 0 -2 -1\n")
        assert c.get("/hello").status == 200


def test_http10_is_not_sent_hints(s):
    with s.connect() as c:
        c.ask("/hints", version="HTTP/1.0")
        assert c.response().text == "0 0 -2 -1\n"


def test_the_whole_head_has_a_limit(server):
    s = server(limit_request_head="8K")
    fields = [(f"X-{i}", "x" * 1000) for i in range(9)]
    assert s.get("/hello", fields=fields[:7]).status == 200
    assert s.get("/hello", fields=fields).status == 431


def test_files_are_sent_without_sendfile_too(server, tmp_path):
    data = bytes(range(256)) * 4000
    (tmp_path / "file").write_bytes(data)
    for sendfile in (True, False):
        s = server(sendfile=sendfile)
        assert s.get(f"/file?path={tmp_path}/file").body == data
