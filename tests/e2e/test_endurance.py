"""What many requests and many slow clients do to the server: nothing.

By default these are short. ALICORN_ENDURANCE=full has a million requests; what was measured
is printed (pytest -s)."""

import contextlib
import multiprocessing
import os
import re
import resource
import shutil
import socket
import time
from pathlib import Path

import pytest

from conftest import ALICORN, PROBE, SANITIZED, TOP, wait_for

FULL = os.environ.get("ALICORN_ENDURANCE") == "full"
REQUESTS = 1_000_000 if FULL else 100_000

pytestmark = pytest.mark.skipif(SANITIZED, reason="counts memory and time")


def need_descriptors(n):
    """As many for this process, and for the server that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n:
        pytest.skip(f"at most {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))


# ---- Many requests -----------------------------------------------------------------------


def memory_of(pid):
    """Bytes of the process's own memory."""
    return int(re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) << 10


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def request(path, method="GET", fields="", body=b""):
    return f"{method} {path} HTTP/1.1\r\nHost: t\r\n{fields}\r\n".encode() + body


BATCH = request("/hello") * 70 + \
    request("/sum", "POST", "Content-Length: 5\r\n", b"hello") * 10 + \
    request("/sum", "POST", "Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n") * 10 + \
    request("/hello?" + "x" * 500, "GET", "Cookie: a=b\r\nCookie: c=d\r\nX-Y: z\r\n") * 10
IN_BATCH = 100

ODD = [
    request("/sum", "POST", "Content-Length: 100000\r\n", b"x" * 100000),  # spooled
    request("/sum", "POST", "Content-Length: 100000\r\n", b"x" * 70000),  # and aborted
    request("/hello", "GET", "Host: u\r\n"),  # refused
    request("/sum", "POST", "Transfer-Encoding: chunked\r\n", b"5\r\nhello\rx"),
    b"GET /hello HTTP/1.1\r\nHo",
    b"",
]


def ask_batch(client, expected):
    """Pipelined; returns the answer, which is of that length when it is known."""
    client.sendall(BATCH)
    answer = b""
    while len(answer) < expected if expected else answer.count(b"HTTP/1.1 200 ") < IN_BATCH:
        piece = client.recv(1 << 16)
        assert piece, "closed"
        answer += piece
    assert answer.count(b"HTTP/1.1 200 ") == IN_BATCH
    return answer


def drive(address, n):
    """So many requests; each connection carries ten batches, and odd ones come between."""
    expected = None
    for batch in range(n // IN_BATCH):
        if batch % 10 == 0:
            client = socket.create_connection(address, timeout=20)
            with socket.create_connection(address, timeout=20) as odd:
                odd.sendall(ODD[batch // 10 % len(ODD)])
        expected = len(ask_batch(client, expected))
        if batch % 10 == 9:
            client.close()
    client.close()


def endurance_apps():
    apps = {"c": ({"target": PROBE}, 1)}
    if (ALICORN.parent / "python.so").exists():
        apps["python"] = ({"target": "python:endurance_app", "chdir": f"{TOP}/tests/apps"}, 0.2)
    if shutil.which("php-cgi"):
        apps["fastcgi"] = ({"target": f"fcgi-exec:{shutil.which('php-cgi')}"}, 0.02)
    return apps


@pytest.mark.parametrize("name", endurance_apps())
def test_nothing_grows(server, tmp_path, name):
    """Descriptors of all processes stay the same, and their memory does."""
    app, share = endurance_apps()[name]
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    (root / "index.php").write_text(
        "<?php header('Content-Length: 6'); file_get_contents('php://input'); echo \"hello\\n\";")
    s = server(apps={name: {**app, "bind": "127.0.0.1:0", "workers": 1, "root": root,
                            "script": "index.php", "timeout": 60, "keepalive": 60}})
    n = int(REQUESTS * share)
    drive(s.address, max(n // 10, 2000))
    processes = s.session()

    def counts():
        return {pid: descriptors_of(pid) for pid in processes}

    time.sleep(0.3)
    memory, descriptors = {pid: memory_of(pid) for pid in processes}, counts()
    began = time.monotonic()
    drive(s.address, n)
    took = time.monotonic() - began
    assert s.session() == processes
    wait_for(lambda: counts() == descriptors, what=f"{descriptors} descriptors, but {counts()}")
    grown = {pid: memory_of(pid) - memory[pid] for pid in processes}
    print(f"\n{name}: {n} requests in {took:.1f} s; grown by {list(grown.values())} bytes, "
          f"descriptors {list(descriptors.values())}")
    assert max(grown.values()) < 1 << 20, grown


# ---- Many slow clients -------------------------------------------------------------------


class Crowd:
    """So many clients, in a process of their own: each sends its first bytes, and then does
    one step a second."""

    def __init__(self, address, n, first, step, receive_buffer=None):
        ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(
            target=self.live, args=[theirs, address, n, first, step, receive_buffer])
        self.process.start()
        theirs.close()
        assert ours.poll(60) and ours.recv() == "ready"

    @staticmethod
    def live(pipe, address, n, first, step, receive_buffer):
        clients = []
        for _ in range(n):
            client = socket.socket()
            if receive_buffer:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.settimeout(20)
            client.connect(address)
            client.sendall(first)
            clients.append(client)
        for client in clients if step is None else ():
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        pipe.send("ready")
        while step is None:
            time.sleep(60)
        while True:
            for client in clients:
                with contextlib.suppress(OSError):
                    step(client)
                time.sleep(1 / n)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join()


def drip(client):
    client.send(b"x")


def sip(client):
    client.recv(500)


LONG = 10 << 20

CROWDS = {
    "heads": (1000, b"GET /hello HTTP/1.1\r\nHost: t\r\nX: ", drip, None),
    "bodies": (1000, request("/sum", "POST", "Content-Length: 100000\r\n"), drip, None),
    "readers": (1000, request(f"/file?path=FILE&say={LONG}"), sip, 4096),
    "idle": (5000, request("/hello"), None, None),
}


def latencies(s):
    """Milliseconds that normal requests take, one after the other: p50, p99 and all."""
    times = []
    end = time.monotonic() + (20 if FULL else 1.2)
    while time.monotonic() < end:
        began = time.monotonic()
        assert s.get("/hello").status == 200
        times.append((time.monotonic() - began) * 1e3)
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100], len(times)


def most_queued(port):
    """Bytes that the kernel holds for the slowest client of a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return max(int(row[4].split(":")[0], 16) for row in rows
               if row[1].endswith(f":{port:04X}") and row[3] == "01")


def connections_of(s):
    return sum(descriptors_of(pid) for pid in s.workers())


@pytest.mark.parametrize("kind", CROWDS)
def test_slow_clients_disturb_nobody(server, tmp_path, kind):
    """Normal requests beside them are served as before, no worker is lost, none of them is
    cut; a connection that is idle costs less than 4 KiB, a slow reader's less than 1 MiB."""
    n, first, step, receive_buffer = CROWDS[kind]
    need_descriptors(n + 1000)
    with open(tmp_path / "long", "wb") as f:
        f.truncate(LONG)
    patience = {name: 600 for name in ("header_timeout", "body_timeout", "write_timeout",
                                       "keepalive")}
    s = server(workers=2, worker_connections=20000, **patience)
    workers = s.wait_workers(2)
    alone = latencies(s)
    connections, memory = connections_of(s), sum(map(memory_of, workers))
    with Crowd(s.address, n, first.replace(b"FILE", str(tmp_path / "long").encode()), step,
               receive_buffer):
        beside = latencies(s)
        assert connections_of(s) >= n
        grown = (sum(map(memory_of, workers)) - memory) / n
        queued = most_queued(s.address[1])
    print("\n%d %s: p50, p99 of requests: %.2f, %.2f ms of %d alone;" % (n, kind, *alone),
          "%.2f, %.2f ms of %d beside; %d bytes a connection" % (*beside, grown))
    assert s.workers() == workers
    assert beside[1] < max(10 * alone[1], 500)
    assert kind != "idle" or grown < 4096
    assert queued < 1 << 20
    wait_for(lambda: connections_of(s) <= connections, what="all of them gone")
