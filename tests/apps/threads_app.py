"""An application that several threads of a worker run, for tests/e2e/test_threads.py."""

import json
import os
import subprocess
import threading
import time

lock = threading.Lock()
barriers = {}
mine = threading.local()
made = closed = ticks = 0


def tick():
    global ticks
    while True:
        time.sleep(0.01)
        ticks += 1


threading.Thread(target=tick, daemon=True).start()


class Pieces:
    """A response whose close() is counted."""

    def __init__(self, n, fails=False):
        global made
        self.n, self.fails = n, fails
        with lock:
            made += 1

    def __iter__(self):
        for i in range(self.n):
            yield bytes([97 + i % 26]) * 10_000
        if self.fails:
            raise ValueError("in the middle")

    def close(self):
        global closed
        with lock:
            closed += 1


def meet(query, environ):
    """Returns when so many requests are here at once."""
    with lock:
        barrier = barriers.setdefault(query, threading.Barrier(int(query)))
    barrier.wait(20)
    return [threading.get_ident(), environ["wsgi.multithread"], environ["wsgi.multiprocess"]]


def local(query, environ):
    """The thread, and how many such requests it has had."""
    mine.count = getattr(mine, "count", 0) + 1
    time.sleep(0.001)
    return [threading.get_ident(), mine.count]


def sleep(query, environ):
    time.sleep(float(query))
    return os.getpid()


def stuck(query, environ):
    threading.Event().wait()


def fail(query, environ):
    raise ValueError("at once")


def blocked(query, environ):
    """The signals that a program which the application starts has blocked."""
    return subprocess.check_output(["grep", "SigBlk", "/proc/self/status"], text=True)


SAID = {"/meet": meet, "/blocked": blocked, "/local": local, "/sleep": sleep, "/stuck": stuck, "/fail": fail,
        "/pid": lambda query, environ: os.getpid(),
        "/ticks": lambda query, environ: ticks,
        "/counts": lambda query, environ: [made, closed]}


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path in SAID:
        body = [json.dumps(SAID[path](query, environ)).encode()]
    else:
        body = Pieces(int(query), fails=path == "/fail_late")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return body
