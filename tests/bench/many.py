"""Many connections: what an idle one costs, and what it costs to serve many."""

import socket
import tempfile
from pathlib import Path

from groups import NGINX_HELLO, fixed
from measure import OpenLoop, Wrk, pss_bytes, table
from servers import (GUNICORN, HERE, LIGHTTPD, MANY, NGINX, alicorn, gunicorn, lighttpd,
                     nginx)

IDLE = 10_000
RATE, SECONDS = 2000, 2  # of what is asked meanwhile
CROWDS = {10: 1, 100: 1, 1000: 1, 10_000: 4}  # seconds; it takes some to connect them
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def kept_alive_servers(folder, program):
    """Those that keep connections without a process or thread for each."""
    (folder / "index.html").write_bytes(b"Hello, World!\n")
    yield alicorn("alicorn, C", folder, program, fixed(program))
    if (program.parent / "python.so").exists():
        yield alicorn("alicorn, Python", folder, program, "python:hello:application",
                      settings=f'chdir = "{HERE}";')
    if NGINX:
        yield nginx("nginx, return 200", folder, NGINX_HELLO, connections=MANY)
    if LIGHTTPD:
        yield lighttpd("lighttpd, a file", folder, folder)
    if GUNICORN:
        yield gunicorn("gunicorn gthread", folder, "--worker-class", "gthread", "--threads", 4)


class Held:
    """What a server does while it holds connections that have been served once."""

    def __init__(self, server, run, n):
        self.name, held = server.name, []
        Wrk(server.url, server.leaders, 1)
        before = pss_bytes(server.leaders)
        self.before = before / (1 << 20)
        try:
            self.lost = sum(not self.hold(server.port, held) for _ in range(n))
            self.bytes = (pss_bytes(server.leaders) - before) / max(n - self.lost, 1)
            self.timed = OpenLoop(run.program, server.port, RATE, SECONDS)
        finally:
            for s in held:
                s.close()

    def hold(self, port, held):
        """Opens one, and has a request answered on it."""
        s = socket.socket()
        held.append(s)
        s.settimeout(5)
        try:
            s.connect(("127.0.0.1", port))
            s.sendall(REQUEST)
            return s.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


HELD = [
    ("bytes each", lambda r: r.bytes, "{:,.0f}"),
    ("PSS MB before", lambda r: r.before, "{:.1f}"),
    ("p50 ms", lambda r: r.timed.p50, "{:.2f}"),
    ("p99 ms", lambda r: r.timed.p99, "{:.2f}"),
    ("p99.9 ms", lambda r: r.timed.p999, "{:.2f}"),
    ("errors", lambda r: r.lost + r.timed.errors, "{}"),
]


def each(run, measure):
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for server in kept_alive_servers(Path(name), run.program):
            try:
                yield measure(server)
            finally:
                server.stop()


def idle_connections(run):
    n = IDLE // 10 if run.quick else IDLE
    rows = list(each(run, lambda server: Held(server, run, n)))
    return table(f"{n:,} idle connections; latencies meanwhile, at {RATE:,} requests/s", rows,
                 HELD)


class Crowds:
    """CPU of a request for each number of connections that are all in use."""

    def __init__(self, server):
        self.name = server.name
        self.runs = {n: Wrk(server.url, server.leaders, seconds, connections=n)
                     for n, seconds in CROWDS.items()}

    def cpu_us(self, n):
        return None if self.runs[n].failed else self.runs[n].cpu_us


def connections(run):
    columns = [(f"{n:,}", lambda r, n=n: r.cpu_us(n), "{:.1f}") for n in CROWDS]
    return table("µs CPU / request with so many connections in use",
                 list(each(run, Crowds)), columns)
