"""How the server's own cost grows: with workers, with requests for the arbiter, with pools."""

import os
import socket
import tempfile
import time
from pathlib import Path

from groups import fixed
from measure import (COLUMNS, OpenLoop, Result, Wrk, cpu_of_thread, pss_bytes, pss_of,
                     table)
from servers import HERE, Server, alicorn

WORKERS = (1, 2, 4, 8)
RATE = 10_000
POOLS = (1, 200)


class Row:
    def __init__(self, name, **figures):
        self.name = name
        self.__dict__.update(figures)


def workers(run):
    """1 to 8 workers on the cores that there are."""
    kinds = {"C": (fixed(run.program), ""),
             "Python": ("python:hello:application", f'chdir = "{HERE}";')}
    if not (run.program.parent / "python.so").exists():
        del kinds["Python"]
    running, results = [], []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        try:
            for kind, (target, settings) in kinds.items():
                for n in WORKERS:
                    running.append(alicorn(f"{kind}, {n} worker{'s' * (n > 1)}", Path(name),
                                           run.program, target,
                                           settings=f"workers = {n}; {settings}"))
                    results.append(Result(running[-1].name))
            for _ in range(run.rounds):
                for server, result in zip(running, results):
                    result.rounds.append(Wrk(server.url, server.leaders, 1))
            for server, result in zip(running, results):
                result.pss = pss_bytes(server.leaders)
        finally:
            for server in running:
                server.stop()
    return table(f"Workers, on {len(os.sched_getaffinity(0))} cores", results,
                 [c for c in COLUMNS if c[0] in ("µs CPU / request", "requests/s", "PSS MB")])


def arbiter_under_load(run):
    seconds = 1 if run.quick else 5
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        server = alicorn("alicorn, C", Path(name), run.program, fixed(run.program))
        try:
            OpenLoop(run.program, server.port, RATE, 1)
            before = cpu_of_thread(server.process.pid)
            OpenLoop(run.program, server.port, RATE, seconds)
            used = cpu_of_thread(server.process.pid) - before
            row = Row("alicorn, C, 2 workers", share=used / seconds * 100)
        finally:
            server.stop()
    return table(f"The arbiter at {RATE:,} requests/s", [row],
                 [("% of a core", lambda r: r.share, "{:.3f}")])


def ask(path):
    """The answer of whoever listens there; None: nobody does yet."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        try:
            s.connect(path)
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return s.recv(64)
        except (FileNotFoundError, ConnectionRefusedError):
            return None


def pools_row(run, folder, n):
    """n applications of one worker each; started is who has answered in each of them."""
    config = folder / f"{n}.conf"
    sockets = [f"{folder}/{n}-{i}.sock" for i in range(n)]
    apps = "".join(f'app{i}: {{ target = "{fixed(run.program)}"; bind = "unix:{path}"; }};\n'
                   for i, path in enumerate(sockets))
    config.write_text(f"""
workers = 1;
loglevel = "warning";
{'user = "root";' if os.getuid() == 0 else ""}
applications: {{
{apps}}};
""")
    began = time.monotonic()
    server = Server(f"{n} pools", folder, [run.program, "-c", config], None)
    try:
        for path in sockets:
            while ask(path) is None:
                if server.process.poll() is not None:
                    raise RuntimeError(server.log.read_text())
                time.sleep(0.01)
        started = time.monotonic() - began
        time.sleep(1)
        seconds, before = 1 if run.quick else 5, cpu_of_thread(server.process.pid)
        time.sleep(seconds)
        return Row(f"{n} {'pools' if n > 1 else 'pool'}", started=started * 1000,
                   arbiter=pss_of(server.process.pid) / (1 << 20),
                   idle=(cpu_of_thread(server.process.pid) - before) / seconds * 100,
                   pss=pss_bytes(server.leaders) / (1 << 20))
    finally:
        server.stop()


def pools(run):
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        rows = [pools_row(run, Path(name), n) for n in POOLS]
    return table("Pools of one worker each", rows, [
        ("ms until all have answered", lambda r: r.started, "{:,.0f}"),
        ("arbiter, PSS MB", lambda r: r.arbiter, "{:.1f}"),
        ("arbiter idle, % of a core", lambda r: r.idle, "{:.3f}"),
        ("all processes, PSS MB", lambda r: r.pss, "{:.1f}"),
    ])
