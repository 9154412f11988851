"""Request and response bodies: of 0 bytes to 2 GiB, in memory and spooled, chunked."""

import os
import random
import re
import time
import zlib

import pytest

from conftest import SANITIZED, wait_for

HUGE = 64 << 20 if SANITIZED else 2 << 30
SIZES = [0, 1, 65535, 65536, 65537, 1 << 20, 20 << 20]


def random_bytes(n):
    return random.Random(n).randbytes(n)


def sum_of(body):
    return f"{len(body)} {zlib.adler32(body)}"


def chunked(body, size):
    out = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size])
                   for i in range(0, len(body), size))
    return out + b"0\r\n\r\n"


CHUNKED_HEAD = b"POST /%s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("size", SIZES)
def test_upload(server, size):
    body = random_bytes(size)
    with server(body_buffer_size="64K").connect() as c:
        where = "none" if size == 0 else "memory" if size <= 65536 else "file"
        assert c.get("/sum", "POST", body=body).text == f"{sum_of(body)} {where}\n"
        assert c.get("/hello").body == b"hello\n"


@pytest.mark.parametrize("size", SIZES)
def test_echo(server, size):
    body = random_bytes(size)
    with server(response_buffer_size="64K").connect() as c:
        r = c.get("/echo", "POST", body=body)
        assert r.body == body and r.field("Content-Length") == str(size)
        assert c.get("/hello").body == b"hello\n"


@pytest.mark.parametrize("size,chunk", [(0, 1), (1, 1), (5000, 7), (65537, 65537),
                                        (20 << 20, 99999)])
def test_chunked_upload(server, size, chunk):
    body = random_bytes(size)
    with server().connect() as c:
        c.send(CHUNKED_HEAD % b"sum" + chunked(body, chunk))
        assert c.response().text.startswith(sum_of(body) + " ")
        assert c.get("/hello").body == b"hello\n"


def test_chunked_upload_byte_by_byte(server):
    with server().connect() as c:
        request = (CHUNKED_HEAD % b"echo" +
                   b"3;ext=1\r\nabc\r\n00A; q=\"\\\"x\"\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n")
        for byte in request:
            c.send(bytes([byte]))
            time.sleep(0.001)
        assert c.response().body == b"abc0123456789"
        env = c.get("/env").text
        assert "TRAILER" not in env


def test_chunked_upload_reaches_the_application_with_its_length(server):
    with server().connect() as c:
        c.send(CHUNKED_HEAD % b"env" + chunked(b"abcde", 2))
        env = c.response().text
        assert "\nCONTENT_LENGTH=5\n" in env and "TRANSFER_ENCODING" not in env


def test_pipelined_chunked_requests(server):
    with server().connect() as c:
        one = CHUNKED_HEAD % b"echo" + chunked(b"abcdef", 4)
        c.send(one * 20)
        for _ in range(20):
            assert c.response().body == b"abcdef"


def test_lines(server):
    body = b"a\n\nbcd\n" + b"x" * 2500 + b"\nend"
    with server().connect() as c:
        assert c.get("/lines", "POST", body=body).text == "2 1 4 1000 1000 501 3 "


def test_download_of_unknown_length_is_chunked(server):
    with server(response_buffer_size="64K").connect() as c:
        r = c.get("/big?bytes=20000000")
        assert r.field("Transfer-Encoding") == "chunked"
        piece = bytes(ord("a") + i % 23 for i in range(65536))
        assert r.body == (piece * (20000000 // 65536 + 1))[:20000000]


def test_part_of_a_file(server):
    s = server()
    content = random_bytes(300000)
    (s.folder / "file").write_bytes(content)
    with s.connect() as c:
        path = f"/file?path={s.folder}/file"
        assert c.get(path).body == content
        assert c.get(path + "&say=300000").body == content
        assert c.get(path + "&offset=1000&length=200000").body == content[1000:201000]
        assert c.get(path + "&offset=299999").body == content[299999:]
        assert c.get(path, "HEAD").body == b""
        assert c.get("/hello").body == b"hello\n"


# ---- Limits ----


def test_body_above_the_limit(server):
    s = server(limit_request_body="100K")
    body = random_bytes(100 << 10)
    assert s.get("/sum", "POST", body=body).status == 200
    with s.connect() as c:
        c.send(b"POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 102401\r\n\r\n")
        r = c.response()
        assert (r.status, r.field("Connection")) == (413, "close")
    with s.connect() as c:
        c.send(CHUNKED_HEAD % b"sum" + chunked(body + b"x", 50000))
        assert c.response().status == 413


def test_413_reaches_a_client_that_goes_on_sending(server):
    """Closing at once would reset the connection, and the answer with it: lingering close."""
    s = server(limit_request_body="1K")
    for _ in range(5):
        with s.connect() as c:
            c.send(b"POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 50000000\r\n\r\n")
            for _ in range(10):
                c.send(b"x" * 50000)
                time.sleep(0.01)
            r = c.response()
            assert (r.status, r.field("Connection")) == (413, "close")


def test_endless_sender_is_cut_after_linger_timeout(server):
    s = server(limit_request_body="1K", linger_timeout=1)
    with s.connect() as c:
        c.send(b"POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 50000000\r\n\r\n")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < began + 10:
                c.send(b"x" * 100)
                time.sleep(0.05)
        assert time.monotonic() - began < 5


def test_overlong_chunk_sizes_and_extensions(server):
    s = server()
    for bad in (b"fffffffffffffffff\r\n", b"1;" + b"x" * 100000, b"-1\r\n", b"0x1\r\n",
                b"1 \nx", b"1\r\nxy\r\n"):
        with s.connect() as c:
            c.send(CHUNKED_HEAD % b"sum" + bad)
            assert c.response().status in (400, 413)
    with s.connect() as c:  # trailers without an end
        c.send(CHUNKED_HEAD % b"sum" + b"0\r\n" + b"X: y\r\n" * 20000)
        assert c.response().status in (400, 413, 431)


def test_body_that_cannot_be_spooled(server):
    s = server(spool_dir="/proc/self")
    r = s.get("/sum", "POST", body=random_bytes(1 << 20))
    assert r.status in (500, 503, 507) and r.field("Connection") == "close"
    s.wait_log("/proc/self")
    assert s.get("/sum", "POST", body=b"abc").text.startswith("3 ")


# ---- Memory ----


def resident(pid):
    """Bytes of the process's own memory, shared files not counted."""
    return int(re.search(r"RssAnon:\s+(\d+) kB", open(f"/proc/{pid}/status").read())[1]) << 10


@pytest.mark.skipif(SANITIZED, reason="counts memory")
def test_slow_client_costs_no_more_memory_than_the_limit(server):
    s = server(response_buffer_size="1M", write_timeout=60)
    (worker,) = s.wait_workers(1)
    before = resident(worker)
    path = s.folder / "sparse"
    with open(path, "wb") as f:
        f.truncate(1 << 30)
    with s.connect(receive_buffer=4096) as c:
        c.ask(f"/file?path={path}")
        time.sleep(0.5)
        assert s.get("/hello").status == 200
        assert resident(worker) - before < 8 << 20


def test_huge_upload(server):
    s = server(limit_request_body="3G", body_timeout=20, timeout=100)
    piece = random_bytes(1 << 20)
    adler = 1
    with s.connect(timeout=100) as c:
        c.send(b"POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % (HUGE + 1))
        for i in range(HUGE >> 20):
            part = i.to_bytes(8, "big") + piece[8:]
            adler = zlib.adler32(part, adler)
            c.send(part)
        adler = zlib.adler32(b"x", adler)
        c.send(b"x")
        assert c.response().text == f"{HUGE + 1} {adler} file\n"
        assert c.get("/hello").body == b"hello\n"


def test_huge_download(server):
    """A sparse file with marks at its end and where 32 bits end."""
    s = server(write_timeout=20)
    path = s.folder / "huge"
    marks = {HUGE - 100: b"A" * 50, HUGE - 1: b"BC"}
    with open(path, "wb") as f:
        for at, mark in marks.items():
            f.seek(at)
            f.write(mark)
    length = HUGE + 1
    with s.connect(timeout=100) as c:
        c.ask(f"/file?path={path}&say={length}")
        assert c.head().field("Content-Length") == str(length)
        rest, view = length - len(c.buffer), memoryview(bytearray(1 << 20))
        tail = c.take(len(c.buffer))
        while rest > 0:
            n = c.socket.recv_into(view, min(rest, len(view)))
            assert n > 0
            rest -= n
            tail = (tail + bytes(view[max(n - 200, 0):n]))[-200:]
        assert tail == expected_tail(marks, length)
        assert c.get("/hello").body == b"hello\n"


def expected_tail(marks, length):
    tail = bytearray(200)
    for at, mark in marks.items():
        begin = at - (length - 200)
        tail[begin:begin + len(mark)] = mark
    return bytes(tail)


def test_spool_files_leave_nothing_behind(server):
    s = server(body_buffer_size="1K")
    (worker,) = s.wait_workers(1)

    def fds():
        return len(os.listdir(f"/proc/{worker}/fd"))

    s.get("/hello")
    before = fds()
    names = set(os.listdir(s.folder))
    for _ in range(5):
        s.get("/sum", "POST", body=random_bytes(100000))
    with s.connect() as c:  # one that never completes
        c.send(b"POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50000)
        time.sleep(0.2)
    wait_for(lambda: fds() <= before, what="spool files closed")
    assert set(os.listdir(s.folder)) == names


def test_download_is_cut_when_the_client_leaves(server):
    s = server(workers=1)
    with s.connect() as c:
        c.ask("/big?bytes=500000000")
        c.take(100000)
    began = time.monotonic()
    assert s.get("/hello").status == 200
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("end", [16384, 16384 - 1024, 16384 - 1023, 32768, 32768 - 1024])
def test_chunks_behind_a_head_that_fills_the_buffer(server, end):
    """The buffer of a head grows in these steps; the body comes later."""
    s = server(limit_request_head=65536, limit_request_fields=200)
    head = b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
    while len(head) + 8100 < end - 20:
        head += b"X: " + b"x" * 8000 + b"\r\n"
    head += b"X: " + b"x" * (end - len(head) - 7) + b"\r\n\r\n"
    assert len(head) == end
    with s.connect() as c:
        c.send(head)
        time.sleep(0.05)
        c.send(b"5\r\nabcde\r\n0\r\n\r\n")
        assert c.response().body == b"abcde"
