"""Server-sent events, in their simplest form: a generator.

    alicorn --threads 8 --chdir examples/events events:application

    curl -N http://127.0.0.1:8000/
    curl -d 'hello' http://127.0.0.1:8000/

What is posted is told to all who listen, in all workers. A listener takes one of the threads
for as long as it listens, so this is for a few of them, as a page for the operators of
something; for thousands see events.c, whose connections leave. For the same reason a stream
ends after a while, before the time limit of requests (timeout), or a graceful stop, has to
end it: the browser comes back by itself, after the milliseconds that retry says, and tells
the id of the last event that it has seen.
"""

import threading
import time
from collections import deque

import alicorn

POSTED = 1  # the type of our messages to other workers
LENGTH = 20  # seconds of a stream
KEPT = 100  # events, for those who come back
LINE_MAX = 4096


class Events:
    """Those that were posted last, each with an id; listeners wait for the next one."""

    def __init__(self):
        self.news = threading.Condition()
        self.kept = deque(maxlen=KEPT)

    def add(self, id, text):
        with self.news:
            self.kept.append((id, text))
            self.news.notify_all()

    def since(self, id, limit):
        """Those behind this id; waits for one until the limit."""
        def found():
            return [event for event in self.kept if event[0] > id]
        with self.news:
            self.news.wait_for(found, max(0, limit - time.monotonic()))
            return found()


events = Events()


def now():
    """An id: later events have larger ones, whichever worker they are posted to."""
    return time.time_ns() // 1000


def on_message(type, data, fd, sender):
    id, _, text = data.decode().partition(" ")
    events.add(int(id), text)


alicorn.on_message(on_message)


def format_event(id, text):
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"id: {id}\n{lines}\n".encode()


def stream(last):
    yield b"retry: 1000\n\n"
    end = time.monotonic() + LENGTH
    while time.monotonic() < end:
        for last, text in events.since(last, min(end, time.monotonic() + 5)):
            yield format_event(last, text)
        yield b":\n\n"  # a comment: only so is a client noticed that has left


def publish(environ, start_response):
    text = environ["wsgi.input"].read(LINE_MAX).decode(errors="replace")
    id = now()
    events.add(id, text)
    alicorn.send(POSTED, f"{id} {text}".encode())
    start_response("204 No Content", [])
    return []


def application(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        return publish(environ, start_response)
    last = environ.get("HTTP_LAST_EVENT_ID", "")
    start_response("200 OK", [("Content-Type", "text/event-stream"),
                              ("Cache-Control", "no-store")])
    return stream(int(last) if last.isdecimal() else now())
