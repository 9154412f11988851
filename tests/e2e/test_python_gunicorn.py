"""The same application under gunicorn and here: the environ is the same but for what is said
here, with the reason."""

import json
import os
import re
import subprocess
import time

import pytest

from conftest import ALICORN, TOP
from wire import LIMIT, Client

APPS = TOP / "tests/apps"

pytest.importorskip("gunicorn")
pytestmark = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                                reason="python3-dev is not installed")

REQUESTS = {
    "plain": ("GET /a/b?a=%41&b=c%20d HTTP/1.1", "Host: h.example:81\r\nCookie: a=1\r\n"
              "User-Agent: t\r\nAccept: */*\r\nX-Latin: caf\xe9\r\n"),
    "repeated": ("GET / HTTP/1.1", "Host: h\r\nX-Two: 1\r\nX-Two: 2\r\n"
                 "Cookie: a=1\r\nCookie: b=2\r\n"),
    "path": ("GET /x/../%C3%A9%2Fy;p?q HTTP/1.1", "Host: h\r\n"),
    "absolute": ("GET http://other.example/x?y HTTP/1.1", "Host: h\r\n"),
    "old": ("GET / HTTP/1.0", ""),
    "body": ("POST / HTTP/1.1", "Host: h\r\nContent-Type: text/x\r\nContent-Length: 3\r\n\r\nabc"),
    "chunked": ("POST / HTTP/1.1",
                "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    "https": ("GET / HTTP/1.1", "Host: h\r\nX-Forwarded-Proto: https\r\n"
              "X-Forwarded-For: 192.0.2.1\r\n"),
    "script": ("GET /s/x HTTP/1.1", "Host: h\r\nSCRIPT_NAME: /s\r\n"),
}

# What is here and not there. HTTPS is set for https, as CGI programs know it.
ADDED = {"GATEWAY_INTERFACE", "REQUEST_SCHEME", "REQUEST_URI", "alicorn.socket",
         "wsgi.early_hints", "HTTPS", "REQUEST_ID", "HTTP_X_REQUEST_ID"}
# Of these the values are others by nature. Types of objects are told by their names.
OTHERS = {"REMOTE_PORT", "SERVER_PORT", "SERVER_SOFTWARE", "gunicorn.socket", "wsgi.errors",
          "wsgi.input", "wsgi.early_hints"}
# Where gunicorn is not to be followed: values joined by a comma alone, or Cookies by one at
# all (RFC 6265 section 5.4); a Host field that the target overrules (RFC 9112 section
# 3.2.2); a body whose length applications do not learn.
REPAIRED = {
    "repeated": {"HTTP_X_TWO": "1, 2", "HTTP_COOKIE": "a=1; b=2"},
    "absolute": {"HTTP_HOST": "other.example"},
    "chunked": {"CONTENT_LENGTH": "3", "HTTP_TRANSFER_ENCODING": None},
}


@pytest.fixture
def gunicorn(tmp_path):
    """The address of gunicorn with the application."""
    log = tmp_path / "gunicorn.log"
    with open(log, "w") as out:
        process = subprocess.Popen(
            ["/usr/bin/python3", "-m", "gunicorn", "-b", "127.0.0.1:0", "--chdir", APPS,
             "environ_app"], stdout=out, stderr=out,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        end = time.monotonic() + LIMIT
        while not (found := re.search(r"Listening at: http://([0-9.]+):(\d+)", log.read_text())):
            assert time.monotonic() < end and process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield found[1], int(found[2])
    finally:
        process.terminate()
        process.wait()


def ask(address, name):
    line, rest = REQUESTS[name]
    head, _, body = rest.partition("\r\n\r\n")
    with Client(address) as c:
        c.send(f"{line}\r\n{head.rstrip()}{chr(13) + chr(10) if head else ''}"
               f"Connection: close\r\n\r\n{body}")
        return json.loads(c.response().body)


def test_environ_is_that_of_gunicorn(server, gunicorn):
    s = server(apps={"app": {"target": "python:environ_app", "bind": "127.0.0.1:0",
                             "workers": 1, "chdir": str(APPS),
                             "request_id_header": "none"}},
               env={"PYTHONDONTWRITEBYTECODE": "1"})
    for name in REQUESTS:
        theirs, ours = ask(gunicorn, name), ask(s.address, name)
        assert set(ours) - set(theirs) - set(REPAIRED.get(name, ())) <= ADDED, name
        expected = {key: value for key, value in theirs.items() if key not in OTHERS}
        expected.update(REPAIRED.get(name, {}))
        assert {key: ours.get(key) for key in expected} == expected, name
        assert OTHERS <= set(ours), name
