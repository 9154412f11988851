"""Fails, or goes on until the client has left, and counts what was made and closed."""

import gc
import json
import tracemalloc

COUNTS = {"made": 0, "closed": 0}


class Body:
    def __init__(self, items):
        self.items = iter(items)
        COUNTS["made"] += 1

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.items)

    def close(self):
        COUNTS["closed"] += 1


def failing(items):
    yield from items
    raise ValueError("on purpose")


def endless():
    while True:
        yield b"x" * 65536


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise ValueError("on purpose")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/first":
        return Body(failing([]))
    if path == "/later":
        return Body(failing([b"begun"]))
    if path == "/endless":
        return Body(endless())
    if path == "/trace":
        tracemalloc.start()
    gc.collect()
    return [json.dumps({**COUNTS, "traced": tracemalloc.get_traced_memory()[0]}).encode()]
