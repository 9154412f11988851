"""Server-sent events by the examples: connections that leave in C, a generator in Python."""

import signal

import pytest

from conftest import ALICORN, TOP, text_of, wait_for

EVENTS = ALICORN.parent / "examples/events/events.so"

pytestmark = pytest.mark.skipif(not EVENTS.exists(),
                                reason="the examples are not built (make test-files)")

TARGETS = {"c": f"c:{EVENTS}", "python": "python:events:application"}

python = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                            reason="python3-dev is not installed")


@pytest.fixture
def run(server, tmp_path):
    def start(language, **settings):
        s = server(apps={"app": {"target": TARGETS[language], "bind": "127.0.0.1:0",
                                 "chdir": str(TOP / "examples/events"),
                                 "accesslog": str(tmp_path / "access"),
                                 "graceful_timeout": 1, **settings}},
                   env={"PYTHONDONTWRITEBYTECODE": "1"})
        s.access = lambda: text_of(tmp_path / "access").splitlines()
        return s
    return start


class Stream:
    """What an EventSource gets."""

    def __init__(self, s, **fields):
        self.client = s.connect()
        self.client.ask("/", fields=fields.items())
        self.head = self.client.head()
        assert self.head.status == 200
        assert self.head.field("Content-Type") == "text/event-stream"
        chunked = self.head.field("Transfer-Encoding") == "chunked"
        self.pieces = self.client.body(self.head, "GET") if chunked else self.rest()
        self.text = ""
        assert self.event() == {"retry": "1000"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def rest(self):
        while True:
            if not self.client.buffer:
                self.client.more()
            piece, self.client.buffer = self.client.buffer, b""
            yield piece

    def event(self):
        """The next one as a dictionary; comments are none."""
        while True:
            while "\n\n" not in self.text:
                self.text += next(self.pieces).decode()
            event, self.text = self.text.split("\n\n", 1)
            fields = {}
            for line in event.splitlines():
                name, _, value = line.partition(": ")
                if name != ":":
                    fields[name] = fields[name] + "\n" + value if name in fields else value
            if fields:
                return fields


@pytest.mark.parametrize("language", ["c", pytest.param("python", marks=python)])
def test_all_who_listen_are_told(run, language):
    s = run(language, workers=2, threads=1 if language == "c" else 6)
    s.wait_workers(2)
    streams = [Stream(s) for _ in range(6)]
    for text in "hello", "two\nlines", "grüß dich":
        assert s.get("/", "POST", body=text.encode()).status == 204
        assert [stream.event()["data"] for stream in streams] == [text] * 6
    for stream in streams:
        stream.client.close()
    if language == "python":
        return  # it notices when it has something to say, in some seconds
    wait_for(lambda: len([line for line in s.access() if '"GET / HTTP/1.1" 200' in line]) == 6,
             what="six lines of the access log")


def test_too_long(run):
    s = run("c")
    assert s.get("/", "POST", body=b"\n" * 1023).status == 204
    assert s.get("/", "POST", body=b"x" * 1024).status == 413


@pytest.mark.parametrize("number, reason", [(signal.SIGHUP, "reload"), (signal.SIGTERM, "stop")])
def test_terminated(run, number, reason):
    s = run("c", graceful_timeout=20)
    with Stream(s) as stream:
        s.signal(number)
        assert stream.event() == {"event": "bye", "data": reason}
        assert stream.client.is_closed()
    wait_for(lambda: len(s.access()) == 1, what="a line of the access log")


@python
def test_who_comes_back_misses_nothing(run):
    s = run("python", threads=2)
    with Stream(s) as stream:
        s.get("/", "POST", body=b"one")
        seen = stream.event()
    for text in "two", "three":
        assert s.get("/", "POST", body=text.encode()).status == 204
    with Stream(s, **{"Last-Event-ID": seen["id"]}) as stream:
        assert [stream.event()["data"], stream.event()["data"]] == ["two", "three"]
