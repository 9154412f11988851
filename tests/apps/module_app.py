"""What `import alicorn` is for, beside connections: see leaving_app.py for these."""

import json
import logging
import os
import threading

import alicorn

BARRIER = threading.Barrier(3, timeout=10)


def receive(kind, data, fd, sender):
    alicorn.log("info", f"received {kind} {data.decode()} from {sender}")
    if fd != -1:
        with open(fd, "w") as f:
            f.write(f"{os.getpid()} has it")
    if kind == 13:
        raise ValueError("fails on purpose")


alicorn.on_message(receive)


def send(query):
    kind, text = query.split(",")
    alicorn.send(int(kind), text.encode())
    return os.getpid()


def send_file(path):
    """The receiver writes to it."""
    with open(path, "w") as f:
        alicorn.send(7, memoryview(b"a file"), fd=f)
    return os.getpid()


def refuse(query):
    told = []
    for arguments in ((1, b"x" * (16 * 1024 + 1)), (-1, b""), (1 << 32, b""), ("1", b""),
                      (1, "text"), (1, b"", 9999), (1, b"", -1, 7)):
        try:
            alicorn.send(*arguments)
            told.append("sent")
        except (OSError, TypeError, ValueError, OverflowError) as e:
            told.append(type(e).__name__)
    for function, arguments in ((alicorn.on_message, (1,)), (alicorn.log, ("loud", "x")),
                                (alicorn.log, (1,)), (alicorn.detach, ({}, alicorn.Proc()))):
        try:
            function(*arguments)
            told.append("done")
        except (TypeError, ValueError) as e:
            told.append(type(e).__name__)
    return " ".join(told)


def log(query):
    alicorn.log("warning", "first line\nsecond \u2713")
    alicorn.log(logging.ERROR, "by number")
    alicorn.log(1, "hardly a line")
    threading.Thread(target=alicorn.log, args=["error", "of no request"]).start()
    return "logged"


def worker(query):
    w = alicorn.worker
    return json.dumps([w.id, w.age, w.pool, w.pid == os.getpid(), w.generation,
                       w.busy_workers, alicorn.version, alicorn.request_id()])


def names(query):
    return " ".join(sorted(name for name in dir(alicorn) if not name.startswith("_")))


def together(query):
    """Returns when three requests are in the application at once."""
    BARRIER.wait()
    return threading.current_thread().ident


PATHS = {"/" + f.__name__: f for f in (send, send_file, refuse, log, worker, names, together)}


def application(environ, start_response):
    if environ["PATH_INFO"] == "/multithread":
        text = environ["wsgi.multithread"]
    else:
        text = PATHS[environ["PATH_INFO"]](environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain"),
                              ("X-Path", environ["PATH_INFO"])])
    return [str(text).encode()]


def pre_request(worker, req):
    req.mark = threading.get_ident()


def post_request(worker, req, environ, resp):
    here = threading.get_ident() == req.mark
    path = dict(resp.headers)["X-Path"]
    worker.log.info("post_request %s %s %s", here, path == environ["PATH_INFO"], path)
