"""Too many clients, too slow ones, too large ones: each gets an answer, and the others do
not notice."""

import threading
import time

import pytest

from conftest import PROBE, wait_for
from wire import Cut


def begin(s):
    """A connection that has begun a request, and so cannot be closed for another."""
    c = s.connect()
    c.send("GET /hello HTTP/1.1\r\n")
    return c


def test_a_full_worker_turns_clients_away(server):
    s = server(workers=1, worker_connections=3, header_timeout=60)
    held = [begin(s) for _ in range(3)]
    with s.connect() as c:
        c.ask("/hello")
        r = c.response()
        assert (r.status, r.field("Retry-After")) == (503, "1")
        assert r.field("Connection") == "close" and c.is_closed()
    held.pop().close()
    wait_for(lambda: s.get("/hello").status == 200, what="room again")
    held[0].send("Host: x\r\n\r\n")
    assert held[0].response().status == 200


def test_idle_connections_make_room(server):
    s = server(workers=1, worker_connections=3, keepalive=60)
    idle = [s.connect() for _ in range(3)]
    for c in idle:
        assert c.get("/hello").status == 200
    with s.connect() as c:
        assert c.get("/hello").status == 200
        assert idle[0].is_closed()  # the one that was idle for longest
        assert idle[2].get("/hello").status == 200


def test_another_worker_takes_what_a_full_one_cannot(server):
    s = server(workers=2, worker_connections=2, header_timeout=60)
    held = [begin(s) for _ in range(3)]
    assert s.get("/hello").status == 200
    for c in held:
        c.close()


# ---- Slow clients ------------------------------------------------------------------------


def test_a_body_that_drips_is_refused(server):
    s = server(body_timeout=1, body_min_rate=100)
    with s.connect() as c:
        c.send("POST /sum HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        stop = threading.Event()

        def drip():
            while not stop.wait(0.1):
                try:
                    c.send("x")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert c.response().status == 408
        finally:
            stop.set()
            dripping.join()


def test_a_steady_body_is_taken(server):
    s = server(body_timeout=1, body_min_rate=10)
    with s.connect() as c:
        c.send("POST /sum HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            c.send("x")
            time.sleep(0.08)
        assert c.response().status == 200


def test_a_response_that_is_taken_in_drips_is_cut(server):
    s = server(write_timeout=1, write_min_rate=1000000, response_buffer_size="64M")
    with s.connect(receive_buffer=4096) as c:
        c.ask("/big?bytes=20000000")
        c.head()
        began = time.monotonic()
        with pytest.raises(Cut):
            while True:
                c.take(1000)
                time.sleep(0.01)
        assert time.monotonic() - began < 15
    assert s.get("/hello").status == 200


def test_who_does_not_read_holds_no_worker(server):
    """A long response that an application writes waits in a file, not in the application."""
    s = server(workers=1, timeout=60)
    with s.connect(receive_buffer=4096) as slow:
        slow.ask("/big?bytes=30000000&length=1")
        assert slow.head().status == 200
        for _ in range(10):
            assert s.get("/hello").status == 200
        left = 30000000
        while left:
            left -= len(slow.take(min(left, 1 << 20)))
        assert slow.get("/hello").status == 200


def test_what_a_file_may_not_hold_the_application_waits_with(server):
    s = server(workers=1, write_timeout=2, response_spool_size="1M")
    with s.connect(receive_buffer=4096) as slow:
        slow.ask("/big?bytes=100000000")
        assert slow.head().status == 200
        assert s.get("/hello").status == 200  # when the slow one was given up
        with pytest.raises(Cut):
            while True:
                slow.take(1 << 20)


# ---- Large bodies ------------------------------------------------------------------------


def test_files_of_bodies_have_a_quota(server):
    s = server(workers=1, body_buffer_size="1K", limit_spool="100K")
    with s.connect() as first:
        first.send("POST /sum HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + "x" * 80000)
        s.wait_log("listening")
        with s.connect() as second:
            second.ask("/sum", "POST", body=b"y" * 90000)
            r = second.response()
            assert (r.status, r.field("Retry-After")) == (503, "1")
        s.wait_log(r"503: limit_spool")
        first.send("x" * 10000)
        assert first.response().status == 200
    # What has ended counts no more.
    for _ in range(5):
        assert s.get("/sum", "POST", body=b"z" * 90000).status == 200


# ---- The server's own responses ----------------------------------------------------------


def test_error_pages_are_replaced(server, tmp_path):
    (tmp_path / "502.html").write_text("<h1>Sorry</h1>")
    (tmp_path / "413.txt").write_text("too much")
    s = server(limit_request_body=10, error_pages=[
        f"502={tmp_path}/502.html", f"413={tmp_path}/413.txt"])
    r = s.get("/crash")
    assert (r.status, r.body) == (502, b"<h1>Sorry</h1>")
    assert r.field("Content-Type") == "text/html; charset=utf-8"
    r = s.get("/sum", "POST", body=b"x" * 100)
    assert (r.status, r.body) == (413, b"too much")
    assert r.field("Content-Type") == "text/plain; charset=utf-8"
    assert s.get("/crash", "HEAD").body == b""


def test_applications_answer_with_error_pages(server, tmp_path):
    """al_error, and what bindings say themselves: a response like others."""
    (tmp_path / "404.html").write_text("<h1>Not here</h1>")
    (tmp_path / "folder").mkdir()
    s = server(error_pages=[f"404={tmp_path}/404.html"], apps={
        name: {"target": target, "bind": "127.0.0.1:0", "workers": 1, **settings}
        for name, target, settings in (
            ("c", PROBE, {}), ("files", f"files:{tmp_path}/folder", {}),
            ("cgi", f"cgi:{tmp_path}/folder", {}),
            ("fast", f"fcgi:unix:{tmp_path}/none", {"root": tmp_path / "folder"}))})
    for name in ("c", "files", "cgi", "fast"):
        with s.connect(name) as c:
            for method in ("GET", "HEAD", "GET"):
                r = c.get("/error-page?status=404", method)
                assert r.status == 404, (name, r)
                assert r.field("Content-Type") == "text/html; charset=utf-8"
                assert r.field("Content-Length") == "17"
                assert r.body == (b"<h1>Not here</h1>" if method == "GET" else b"")
                assert r.field("Connection") is None
    with s.connect("c") as c:
        for asked, status in {405: 405, 503: 503, 599: 599, 200: 500, 600: 500, 0: 500}.items():
            r = c.get(f"/error-page?status={asked}")
            assert (r.status, r.field("Allow")) == (status, "GET")
            assert r.body.startswith(b"%d " % status) and r.body.endswith(b"\n")
            assert r.field("Retry-After") == ("1" if status == 503 else None)


@pytest.mark.parametrize("page, reason", [
    ("502=/nonexistent", "error_pages: /nonexistent: No such file"),
    ("200=/dev/null", "error_pages: 200=/dev/null does not begin with a status from 400"),
    ("x=/dev/null", "error_pages: x=/dev/null does not begin with a status"),
])
def test_a_bad_error_page_is_told(server, page, reason):
    s = server(error_pages=[page], wait=False)
    assert s.wait() == 4
    assert reason in s.log()


def test_own_responses_echo_nothing(server):
    with server().connect() as c:
        c.send("GET /<script> HTTP/1.1\r\nHost: x\r\nBad Name: <script>\r\n\r\n")
        r = c.response()
        assert r.status == 400 and b"script" not in r.body


@pytest.mark.parametrize("setting, field", [(None, "alicorn"), ("mine/1", "mine/1"), ("none", None)])
def test_server_header(server, setting, field):
    settings = {} if setting is None else {"server_header": setting}
    assert server(**settings).get("/hello").field("Server") == field
