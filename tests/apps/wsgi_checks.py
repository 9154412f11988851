"""A WSGI application with a path for every rule of PEP 3333 that a server must keep.

    wsgi_checks:application          every path
    wsgi_checks:strict               the well-behaved paths, under wsgiref's validator
    wsgi_checks:named('x', count=2)  made by a factory
    wsgi_checks:Box.app              an attribute of an attribute
"""

import atexit
import gzip
import hashlib
import io
import json
import os
import sys
import tempfile
import threading
import time
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]
EVENTS = []  # what earlier requests left behind: /events tells it and forgets it
KEPT = {}
TICKS = [0]
PATHS = {}


def path(function):
    PATHS["/" + function.__name__.strip("_").replace("__", "-")] = function
    return function


def reply(start_response, text, status="200 OK"):
    start_response(status, TEXT)
    return [text if isinstance(text, bytes) else str(text).encode()]


class Body:
    """An iterable that tells when it is closed, and can fail at item n."""

    def __init__(self, items, name, fail_at=None, fail_in_close=False):
        self.items, self.name = iter(items), name
        self.fail_at, self.fail_in_close = fail_at, fail_in_close
        self.given = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.given == self.fail_at:
            raise ValueError(f"{self.name} fails at item {self.given}")
        item = next(self.items)
        self.given += 1
        return item

    def close(self):
        EVENTS.append(f"{self.name} closed after {self.given}")
        if self.fail_in_close:
            raise ValueError(f"{self.name} fails in close")


# ---- Replies as they should be -----------------------------------------------------------


@path
def hello(environ, start_response):
    body = b"hello\n"
    start_response("200 OK", TEXT + [("Content-Length", str(len(body)))])
    return [body]


@path
def no_length(environ, start_response):
    return reply(start_response, "no length")


@path
def empty(environ, start_response):
    start_response("200 OK", TEXT)
    return []


@path
def items(environ, start_response):
    start_response("200 OK", TEXT)
    return Body([b"one ", b"", b"two ", b"three"], "items")


@path
def late(environ, start_response):
    """start_response is called at the first item."""
    start_response("200 OK", TEXT)
    yield b"late"


@path
def slow(environ, start_response):
    """Every item must have arrived before the next is asked for."""
    start_response("200 OK", TEXT)
    for i in range(3):
        yield f"{i}\n".encode()
        time.sleep(0.2)


@path
def status(environ, start_response):
    return reply(start_response, "", environ["QUERY_STRING"].replace("+", " "))


@path
def two_cookies(environ, start_response):
    start_response("200 OK", TEXT + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
                                     ("X-Latin", "caf\xe9")])
    return [b"cookies"]


@path
def write(environ, start_response):
    out = start_response("200 OK", TEXT)
    out(b"written ")
    out(b"")
    return [b"returned"]


@path
def big(environ, start_response):
    """As many MiB as the query says, in items of 64 KiB."""
    count = int(environ["QUERY_STRING"] or 1) * 16
    start_response("200 OK", TEXT)
    return Body((bytes([65 + i % 26]) * 65536 for i in range(count)), "big")


@path
def big_at_once(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"x" * (int(environ["QUERY_STRING"] or 1) << 20)]


# ---- The environ -------------------------------------------------------------------------


@path
def hints(environ, start_response):
    hint = environ["wsgi.early_hints"]
    said = [hint([("Link", "</a.css>; rel=preload"), ("Link", "</b.js>; rel=preload")])]
    for bad in ([("Link", "a\r\nb")], "Link", [("Link",)]):
        try:
            hint(bad)
        except (TypeError, ValueError) as error:
            said.append(type(error).__name__)
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"begun ")
    said.append(hint([("Link", "too late")]))
    return [repr(said).encode()]


@path
def environ(environ, start_response):
    shown = {k: v if isinstance(v, (str, bool, tuple)) else type(v).__name__
             for k, v in environ.items()}
    shown["type"] = type(environ).__name__
    return reply(start_response, json.dumps(shown))


@path
def latin1(environ, start_response):
    """The bytes of PATH_INFO's brothers, as the client sent them."""
    return reply(start_response, environ["QUERY_STRING"].encode("latin-1")
                 + b" " + environ.get("HTTP_X_TEXT", "").encode("latin-1"))


@path
def own(environ, start_response):
    """A change in the environ must not be seen by the next request."""
    seen = environ.get("mine", "nothing")
    environ["mine"] = "something"
    environ["wsgi.version"] = None
    return reply(start_response, seen)


# ---- The body of the request -------------------------------------------------------------


@path
def echo(environ, start_response):
    return reply(start_response, environ["wsgi.input"].read())


@path
def digest(environ, start_response):
    body = environ["wsgi.input"].read()
    return reply(start_response, f"{len(body)} {hashlib.sha256(body).hexdigest()}")


@path
def reads(environ, start_response):
    """The same by every way to read, each of which the query can name."""
    source, how = environ["wsgi.input"], environ["QUERY_STRING"]
    if how == "sized":
        parts = list(iter(lambda: source.read(1000), b""))
    elif how == "readline":
        parts = list(iter(source.readline, b""))
    elif how == "short_lines":
        parts = list(iter(lambda: source.readline(10), b""))
        assert all(len(p) <= 10 for p in parts)
    elif how == "readlines":
        parts = source.readlines()
    elif how == "hint":
        parts = list(iter(lambda: b"".join(source.readlines(1)), b""))
    elif how == "iterate":
        parts = list(source)
    else:
        parts = [source.read(0), source.read(None), source.read(-1), source.read(5)]
    end = [source.read(), source.read(5), source.readline(), source.readlines(), list(source)]
    assert end == [b"", b"", b"", [], []], end
    body = b"".join(parts)
    return reply(start_response, f"{len(parts)} {len(body)} {hashlib.sha256(body).hexdigest()}")


@path
def streams(environ, start_response):
    """The input as the classes of io take it; what files answer beside that."""
    source, log = environ["wsgi.input"], environ["wsgi.errors"]
    told = [source.readable(), source.writable(), source.seekable(), source.closed,
            log.readable(), log.writable(), log.isatty(), log.closed, log.encoding]
    try:
        fd = source.fileno()
        told.append(hashlib.sha256(os.pread(fd, 1 << 30, 0)).hexdigest())
    except io.UnsupportedOperation as e:
        told.append("in memory")
    room = bytearray(3)
    told.append([source.readinto(room), room.decode()])
    told.append(sum(1 for _ in io.TextIOWrapper(source, "latin-1")))
    told.append(source.closed)
    try:
        source.read()
    except ValueError as e:
        told.append("closed" in str(e))
    return reply(start_response, json.dumps(told))


@path
def digest_by_parts(environ, start_response):
    body = b"".join(iter(lambda: environ["wsgi.input"].read(1000), b""))
    environ["wsgi.errors"].write("digested\n")
    return reply(start_response, f"{len(body)} {hashlib.sha256(body).hexdigest()}")


@path
def unread(environ, start_response):
    return reply(start_response, "not read")


# ---- start_response ----------------------------------------------------------------------


@path
def twice(environ, start_response):
    start_response("200 OK", TEXT)
    try:
        start_response("200 OK", TEXT)
    except Exception as e:
        return [type(e).__name__.encode()]
    return [b"no error"]


@path
def replaced(environ, start_response):
    start_response("200 OK", TEXT + [("X-Old", "1")])
    try:
        raise ValueError("caught")
    except ValueError:
        start_response("503 Sorry", TEXT + [("X-New", "1")], sys.exc_info())
    return [b"replaced"]


@path
def replaced_after_empty(environ, start_response):
    """An empty item does not send the head."""
    start_response("200 OK", TEXT)
    yield b""
    try:
        raise ValueError("caught")
    except ValueError:
        start_response("500 Late", TEXT, exc_info=sys.exc_info())
    yield b"replaced"


@path
def too_late(environ, start_response):
    """The head has gone: the exception comes again, and the connection is cut."""
    start_response("200 OK", TEXT)
    yield b"begun"
    try:
        raise ValueError("too late for a new head")
    except ValueError:
        try:
            start_response("500 Too Late", TEXT, sys.exc_info())
        except ValueError:
            EVENTS.append("raised again")
            raise


BAD_STARTS = {
    "bytes_status": (b"200 OK", TEXT),
    "no_status": ("OK", TEXT),
    "crlf_status": ("200 OK\r\nX-Evil: 1", TEXT),
    "nul_status": ("200 OK\0", TEXT),
    "wide_status": ("200 \u2713", TEXT),
    "tuple_of_headers": ("200 OK", tuple(TEXT)),
    "list_header": ("200 OK", [["X", "y"]]),
    "triple": ("200 OK", [("X", "y", "z")]),
    "int_value": ("200 OK", [("Content-Length", 5)]),
    "bytes_name": ("200 OK", [(b"X", "y")]),
    "crlf_value": ("200 OK", [("X", "y\r\nX-Evil: 1")]),
    "nul_value": ("200 OK", [("X", "y\0z")]),
    "wide_value": ("200 OK", [("X", "\u2713")]),
    "colon_name": ("200 OK", [("X:", "y")]),
    "empty_name": ("200 OK", [("", "y")]),
    "no_headers": ("200 OK",),
    "too_many": ("200 OK", TEXT, None, None),
    "two_lengths": ("200 OK", [("Content-Length", "1"), ("Content-Length", "2")]),
}


@path
def bad_start(environ, start_response):
    """The fault must be refused when it is made; the application can still answer."""
    try:
        start_response(*BAD_STARTS[environ["QUERY_STRING"]])
    except (TypeError, ValueError) as e:
        return reply(start_response, type(e).__name__)
    return [b"no error"]


@path
def many_headers(environ, start_response):
    start_response("200 OK", TEXT + [(f"X-{i}", str(i)) for i in range(60)])
    return [b"many"]


@path
def no_start(environ, start_response):
    return [b"body without a head"]


@path
def nothing(environ, start_response):
    return []


# ---- Faults ------------------------------------------------------------------------------


@path
def raises(environ, start_response):
    raise ValueError("raised \u2713 before the head")


@path
def raises_after_start(environ, start_response):
    start_response("200 OK", TEXT)
    raise ValueError("raised after start_response")


@path
def fails_first(environ, start_response):
    start_response("200 OK", TEXT)
    return Body([b"one"], "fails_first", fail_at=0)


@path
def fails_later(environ, start_response):
    start_response("200 OK", TEXT)
    return Body([b"one", b"two"], "fails_later", fail_at=1)


@path
def fails_in_close(environ, start_response):
    start_response("200 OK", TEXT)
    return Body([b"all"], "fails_in_close", fail_in_close=True)


@path
def exits(environ, start_response):
    sys.exit("the application wants to exit")


@path
def interrupts(environ, start_response):
    raise KeyboardInterrupt


@path
def returns_none(environ, start_response):
    start_response("200 OK", TEXT)


@path
def returns_text(environ, start_response):
    start_response("200 OK", TEXT)
    return ["text"]


@path
def too_short(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "10")])
    return [b"short"]


@path
def too_long(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "5")])
    return [b"12345", b"6789"]


# ---- wsgi.errors -------------------------------------------------------------------------


@path
def errors(environ, start_response):
    log = environ["wsgi.errors"]
    log.write("one line\nbegin ")
    log.write("and end\n")
    log.writelines(["first of two\n", "second of two\n"])
    log.write("d\xe9j\xe0 \u2713 \ud800\n")
    log.write("flushed")
    log.flush()
    print("printed", file=log)
    log.write("l" * 3000 + "\n")
    log.write("without an end")
    return reply(start_response, "logged")


# ---- wsgi.file_wrapper -------------------------------------------------------------------


class ClosingFile:
    """A file, or not, that tells when it is closed."""

    def __init__(self, file, name):
        self.file, self.name = file, name
        self.read = file.read

    def close(self):
        EVENTS.append(f"{self.name} closed")
        self.file.close()


class RealFile(ClosingFile):
    def fileno(self):
        return self.file.fileno()

    def tell(self):
        return self.file.tell()


def temporary(size):
    file = tempfile.TemporaryFile()
    file.write(bytes(i % 251 for i in range(size)))
    file.seek(0)
    return file


@path
def file(environ, start_response):
    """From the position that the query says."""
    f = RealFile(temporary(100_000), "file")
    f.file.seek(int(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](f, 4096)


@path
def file_with_length(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "1000")])
    return environ["wsgi.file_wrapper"](temporary(100_000))


@path
def file_in_memory(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](ClosingFile(io.BytesIO(b"m" * 10_000), "memory"), 999)


@path
def file_iterated(environ, start_response):
    """Not returned itself, but its items are."""
    start_response("200 OK", TEXT)
    wrapper = environ["wsgi.file_wrapper"](temporary(10_000), 1000)
    return (block for block in wrapper)


@path
def file_pipe(environ, start_response):
    """A descriptor that is no file's."""
    r, w = os.pipe()
    os.write(w, b"through a pipe")
    os.close(w)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](os.fdopen(r, "rb"))


@path
def file_gzip(environ, start_response):
    """Its descriptor gives other bytes than its read()."""
    f = tempfile.NamedTemporaryFile()
    f.write(gzip.compress(b"z" * 5000))
    f.flush()
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](gzip.open(f.name))


@path
def file_text(environ, start_response):
    """A file in text mode, whose items are no bytes."""
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](open(__file__, encoding="utf-8"))


# ---- After the request -------------------------------------------------------------------


@path
def events(environ, start_response):
    told = "\n".join(EVENTS)
    EVENTS.clear()
    return reply(start_response, told)


@path
def keep(environ, start_response):
    """Keeps all it was given, for /kept to use."""
    KEPT.update(environ=environ, start=start_response)
    KEPT["write"] = start_response("200 OK", TEXT)
    return [b"kept"]


@path
def kept(environ, start_response):
    """Use after the end of a request raises, and does no harm to another request."""
    old = KEPT["environ"]
    told = []
    for use in (lambda: old["wsgi.input"].read(), lambda: old["wsgi.input"].readline(),
                lambda: old["wsgi.input"].readlines(), lambda: list(old["wsgi.input"]),
                lambda: old["wsgi.errors"].write("x"), lambda: old["wsgi.errors"].flush(),
                lambda: KEPT["start"]("200 OK", TEXT), lambda: KEPT["write"](b"x")):
        try:
            use()
            told.append("no error")
        except ValueError as e:
            told.append("ValueError")
    return reply(start_response, " ".join(told) + " " + old["PATH_INFO"])


# ---- The process -------------------------------------------------------------------------


def tick():
    while True:
        time.sleep(0.01)
        TICKS[0] += 1


@path
def ticks(environ, start_response):
    """A thread of the application, which must run between requests."""
    if not TICKS[0]:
        threading.Thread(target=tick, daemon=True).start()
    return reply(start_response, TICKS[0])


@path
def prints(environ, start_response):
    print("printed", "in", "parts")
    return reply(start_response, "printed")


@path
def process(environ, start_response):
    return reply(start_response, json.dumps({
        "pid": os.getpid(), "argv": sys.argv, "path": sys.path, "executable": sys.executable,
        "prefix": sys.prefix, "cwd": os.getcwd(), "main": threading.current_thread().name}))


def at_exit():
    if os.environ.get("AT_EXIT_FILE"):
        with open(os.environ["AT_EXIT_FILE"], "a") as f:
            f.write("atexit\n")


atexit.register(at_exit)


def application(environ, start_response):
    function = PATHS.get(environ["PATH_INFO"])
    if function is None:
        return reply(start_response, "no such check", "404 Not Found")
    return function(environ, start_response)


# What the validator accepts of the above; it wants read() to be given a size.
STRICT = ("/hello", "/no_length", "/empty", "/items", "/late", "/write", "/two_cookies",
          "/replaced", "/digest_by_parts")


def well_behaved(environ, start_response):
    if environ["PATH_INFO"] not in STRICT:
        return reply(start_response, "no such check", "404 Not Found")
    return PATHS[environ["PATH_INFO"]](environ, start_response)


strict = validator(well_behaved)


def named(name, count=1):
    return lambda environ, start_response: reply(start_response, name * count)


class Box:
    app = staticmethod(named("boxed"))
