"""The vectors of tests/vectors/http1 over sockets: each whole and in small pieces.

A refused request gets its status and a closed connection, and nothing behind it is
answered. An accepted one reaches the application as the vector says, and where it ends the
next request begins."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_to_bytes

import pytest

from conftest import APPS
from vectors import read_vectors
from wire import Client, Cut

MIRROR = f"c:{APPS}/probe.so:mirror"
CANARY = b"GET /canary HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n"
PIECES = 12

# What a vector calls a limit, its setting, and which values the setting may have.
LIMITS = {
    "line": ("limit_request_line", 64, 65536),
    "fields": ("limit_request_fields", 1, 32768),
    "field_size": ("limit_request_field_size", 64, 65536),
    "body": ("limit_request_body", 1, 2**63 - 1),
}


def settings_of(vector):
    """Settings by which the server has the limits of a vector, or None."""
    settings = {}
    for text in vector.every("limit"):
        name, value = text.split()
        setting, least, most = LIMITS[name]
        if int(value) > 2**63:  # none
            settings[setting] = 0
        elif not least <= int(value) <= most:
            return None
        else:
            settings[setting] = int(value)
    return settings


def groups():
    """(settings, vectors): all that one server can be asked."""
    found = {}
    for vector in read_vectors("http1"):
        settings = settings_of(vector)
        if settings is not None:
            found.setdefault(tuple(settings.items()), []).append(vector)
    return [(dict(settings), vectors) for settings, vectors in found.items()]


def send(client, raw, pieces):
    """A server that has refused may close before it has all."""
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    step = max(1, len(raw) // PIECES if pieces else len(raw))
    try:
        for at in range(0, len(raw), step):
            if at > 0:
                time.sleep(0.004)
            client.send(raw[at:at + step])
    except OSError:
        pass


def final_head(client):
    """The next response without the interim ones; its body is not read yet."""
    while True:
        r = client.head()
        if r.status >= 200:
            return r


def response(client, method):
    r = final_head(client)
    r.body = b"".join(client.body(r, method))
    return r


def leave(client):
    """Says that nothing more comes; the server may have closed already."""
    try:
        client.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def check_refused(client, vector, pieces):
    send(client, vector.raw + CANARY, pieces)
    leave(client)
    r = response(client, "GET")
    assert r.status == int(vector.expects[0].split()[0]), r
    assert r.field("Connection") == "close", r
    assert client.is_closed()


def check_unfinished(client, vector, pieces):
    """It is no request, so the application never has it."""
    send(client, vector.raw, pieces)
    leave(client)
    try:
        r = response(client, "GET")
    except Cut:
        assert not client.buffer
    else:
        assert r.status in (400, 408) and r.field("Connection") == "close", r
        assert client.is_closed()


def environ_expected(vector):
    """The variables that a vector tells of; None: it must not be there."""
    names = {"method": "REQUEST_METHOD", "target": "REQUEST_URI", "query": "QUERY_STRING",
             "authority": "HTTP_HOST"}
    env = {name: vector.expected(word).encode() for word, name in names.items()
           if vector.expected(word) is not None}
    if vector.expected("path") is not None:
        env["PATH_INFO"] = unquote_to_bytes(vector.expected("path"))
    if vector.expected("version") is not None:
        env["SERVER_PROTOCOL"] = f"HTTP/{vector.expected('version')}".encode()
    if vector.expected("framing") == "none":
        env["CONTENT_LENGTH"] = None
    if env.get("HTTP_HOST") == b"":
        env["HTTP_HOST"] = None
    return env


def check_environ(text, vector):
    pairs = [pair.split(b"=", 1) for pair in text.split(b"\0")[:-1]]
    env = {name.decode(): value for name, value in pairs}
    assert len(env) == len(pairs), "a name comes twice"
    for name, value in environ_expected(vector).items():
        assert env.get(name) == value, (name, env.get(name))
    for field in vector.every("field"):
        name, _, value = field.partition(":")
        key = "HTTP_" + name.upper().replace("-", "_")
        if "_" in name:
            assert key not in env
        elif key in env:
            assert value.strip().encode() in env[key], (key, env[key])
    assert not {"HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"} & env.keys()
    return env


def check_body(body, env, vector):
    if vector.expected("body") is not None:
        assert body == vector.expected("body").encode(), body
    if vector.expected("bytes") is not None:
        assert len(body) == int(vector.expected("bytes"))
    assert int(env.get("CONTENT_LENGTH", 0)) == len(body)


def check_accepted(client, vector, pieces):
    rest = vector.expected("rest")
    send(client, vector.raw + (CANARY if rest is None else b""), pieces)
    leave(client)
    method = vector.raw.lstrip().split(b" ", 1)[0].decode()
    r = response(client, method)
    assert r.status == 200, r
    if method != "HEAD":
        text, _, body = r.body.partition(b"\0\0")
        check_body(body, check_environ(text + b"\0", vector), vector)
    kept = vector.expected("keep-alive")
    if kept is not None:
        assert (r.field("Connection") != "close") == (kept == "yes"), r
    if r.field("Connection") == "close":
        assert client.is_closed()
    elif rest is None:  # where it ends the next one begins
        assert b"PATH_INFO=/canary\0" in response(client, "GET").body
        assert client.is_closed()


CHECKS = {"ok": check_accepted, "more": check_unfinished}


def fault(address, vector, pieces):
    """What is wrong, or None."""
    check = CHECKS.get(vector.expects[0], check_refused)
    try:
        with Client(address) as client:
            check(client, vector, pieces)
    except (AssertionError, Cut, OSError) as error:
        return f"{vector.name} ({vector.rule}): {type(error).__name__} {error}"
    return None


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "in-pieces"])
def test_corpus(server, pieces):
    faults, n = [], 0
    for settings, vectors in groups():
        s = server(apps={"mirror": {"target": MIRROR, "bind": "127.0.0.1:0"}}, workers=2,
                   **{"limit_request_body": "1M", **settings})
        with ThreadPoolExecutor(16) as pool:
            found = pool.map(lambda v: fault(s.address, v, pieces), vectors)
            faults += [f for f in found if f is not None]
        n += len(vectors)
        s.stop()
    assert not faults, "\n".join(faults)
    assert n >= 250
