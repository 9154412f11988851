"""Bodies of more than 2 GiB, up and down, through every binding: all bytes arrive, and no
process holds them. By default they have 64 MiB; ALICORN_ENDURANCE=full makes them huge."""

import os
import random
import re
import shutil
import time
import zlib
from pathlib import Path

import pytest

from conftest import ALICORN, PROBE, SANITIZED, TOP

HUGE = (2 << 30 if os.environ.get("ALICORN_ENDURANCE") == "full" else 64 << 20) + 1
PIECE = bytes(ord("a") + i % 23 for i in range(65536))

SCRIPT = """<?php
if ($_SERVER['REQUEST_METHOD'] == 'POST') {
    $h = hash_init('adler32');
    $n = hash_update_stream($h, fopen('php://input', 'rb'));
    echo $n, ' ', hexdec(hash_final($h));
} else {
    $piece = '';
    for ($i = 0; $i < 65536; $i++)
        $piece .= chr(97 + $i % 23);
    header('Content-Length: ' . $_SERVER['QUERY_STRING']);
    for ($left = (int)$_SERVER['QUERY_STRING']; $left > 0; $left -= 65536)
        echo $left < 65536 ? substr($piece, 0, $left) : $piece;
}"""

# The application, and the paths that take and give bodies.
APPS = {"c": ({"target": PROBE}, "/sum", "/big?length=1&bytes=")}
if (ALICORN.parent / "python.so").exists():
    APPS["python"] = ({"target": "python:endurance_app", "chdir": f"{TOP}/tests/apps"}, "/", "/?")
if shutil.which("php-cgi"):
    APPS["fastcgi"] = ({"target": f"fcgi-exec:{shutil.which('php-cgi')} "
                        "-d enable_post_data_reading=0 -d output_buffering=0"}, "/", "/?")

pytestmark = pytest.mark.skipif(SANITIZED, reason="counts memory")


@pytest.fixture
def start(server, tmp_path):
    """A function that starts one of them."""
    def run(name):
        root = tmp_path / "root"
        root.mkdir()
        (root / "index.php").write_text(SCRIPT)
        app = {**APPS[name][0], "bind": "127.0.0.1:0", "workers": 1, "root": root,
               "script": "index.php", "limit_request_body": "3G", "timeout": 300}
        s = server(apps={name: app})
        # A program that is still being loaded grows by what it is, not by what it holds.
        with s.connect() as c:
            c.ask(f"{APPS[name][2]}1")
            assert c.response().text == "a"
        return s
    return run


def peaks(s):
    """The most memory that each process has had."""
    text = {pid: Path(f"/proc/{pid}/status").read_text() for pid in s.session()}
    return {pid: int(re.search(r"VmHWM:\s+(\d+)", status)[1]) << 10
            for pid, status in text.items()}


def check_peaks(s, before, what, began):
    grown = {pid: peak - before.get(pid, 0) for pid, peak in peaks(s).items()}
    print(f"\n{what}: {HUGE} bytes in {time.monotonic() - began:.1f} s, "
          f"peaks grown by {list(grown.values())} bytes")
    assert max(grown.values()) < 32 << 20, grown


@pytest.mark.parametrize("name", APPS)
def test_upload(start, name):
    s = start(name)
    before, began = peaks(s), time.monotonic()
    piece, adler = random.Random(1).randbytes(1 << 20), 1
    with s.connect(timeout=300) as c:
        c.send(f"POST {APPS[name][1]} HTTP/1.1\r\nHost: t\r\nContent-Length: {HUGE}\r\n\r\n")
        for i in range(HUGE >> 20):
            part = i.to_bytes(8, "big") + piece[8:]
            adler = zlib.adler32(part, adler)
            c.send(part)
        c.send(b"x")
        assert c.response().text.split()[:2] == [str(HUGE), str(zlib.adler32(b"x", adler))]
    check_peaks(s, before, f"{name}, up", began)


@pytest.mark.parametrize("name", APPS)
def test_download(start, name):
    s = start(name)
    before, began = peaks(s), time.monotonic()
    expected = received = 1
    for left in range(HUGE, 0, -len(PIECE)):
        expected = zlib.adler32(PIECE[:left], expected)
    with s.connect(timeout=300) as c:
        c.ask(f"{APPS[name][2]}{HUGE}")
        r = c.head()
        assert r.field("Content-Length") == str(HUGE)
        for piece in c.body(r, "GET"):
            received = zlib.adler32(piece, received)
    assert received == expected
    check_peaks(s, before, f"{name}, down", began)
