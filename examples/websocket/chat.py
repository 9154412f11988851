"""A chat: what one client says all of them hear, whichever worker they are in.

    alicorn -w 2 --chdir examples/websocket chat:application

and http://127.0.0.1:8000/ in two windows of a browser. The page, chat.html, is served beside
the WebSocket, which is /chat?NAME.

A WebSocket stays for hours, and an application that waited for it would keep its worker. So
the connection leaves: the application takes the socket, says by alicorn.detach() whom to ask
about it, and returns alicorn.ALREADY_HANDLED. One thread of our own, the Room, serves all
clients of this worker from then on; what other workers' clients say comes as messages of the
server's, by alicorn.send().

Everything about guests happens in the thread of the room: others leave it a note by ask(),
so nothing needs a lock.
"""

import os
import selectors
import socket
import threading
import time
from collections import deque
from pathlib import Path

import alicorn
import websocket

PAGE = Path(__file__).with_name("chat.html")
SAID = 1  # the type of our messages to other workers
LINE_MAX, QUEUE_MAX, NOTES_MAX = 4096, 1 << 20, 10000
LEAVING, SILENCE = 5, 30  # seconds

FAREWELLS = {
    "stop": (websocket.GOING_AWAY, "the server stops"),
    "reload": (websocket.RESTART, "the server was reloaded"),
    "recycle": (websocket.RESTART, "the worker is replaced"),
    "timeout": (websocket.POLICY, "open for too long"),
}


class Guest(alicorn.Proc):
    """A client. Without a status() of its own it is there until its socket is closed."""

    def __init__(self, room, sock, name, head):
        sock.setblocking(False)
        self.room, self.sock, self.name = room, sock, name
        self.reader = websocket.Reader(LINE_MAX)
        self.out = bytearray(head)
        self.state = "open"  # then "closing": we have said so; then "leaving": both have
        self.heard, self.deadline, self.asked = time.monotonic(), 0, False

    def terminate(self, reason):
        """Called in the main thread, when the server wants the connection to end."""
        self.room.ask(self.close, *FAREWELLS[reason])

    # From here on all is called in the thread of the room.

    def enter(self):
        self.room.guests.add(self)
        self.room.selector.register(self.sock, selectors.EVENT_READ, self)
        if self.sock.unread:
            self.hear(self.sock.unread)
        self.flush()

    def leave(self):
        """The connection ends with the socket: the gateway notices."""
        if self in self.room.guests:
            self.room.guests.remove(self)
            self.room.selector.unregister(self.sock)
            self.sock.close()
        self.state = "ended"

    def attend(self, events):
        try:
            if events & selectors.EVENT_READ:
                data = self.sock.recv(1 << 16)
                if not data:
                    return self.leave()
                self.hear(data)
            self.flush()
        except BlockingIOError:
            pass
        except OSError:
            self.leave()

    def hear(self, data):
        self.heard, self.asked = time.monotonic(), False
        if self.state not in ("open", "closing"):
            return  # it is read only until its end
        try:
            for opcode, message in self.reader.feed(data):
                self.obey(opcode, message)
        except websocket.Failure as failure:
            self.agree(failure.code)

    def obey(self, opcode, message):
        if opcode == websocket.CLOSE:
            self.agree(message)
        elif self.state != "open":
            return
        elif opcode == websocket.PING:
            self.say(websocket.frame(websocket.PONG, message))
        elif opcode == websocket.TEXT:
            self.room.say(f"{self.name}: {message}")
        elif opcode == websocket.BINARY:
            self.close(websocket.POLICY, "lines of text")

    def say(self, frame):
        if self.state == "open":
            self.out += frame
        if len(self.out) > QUEUE_MAX:
            self.leave()  # it does not listen

    def close(self, code, why=""):
        if self.state == "open":
            self.say(websocket.close_frame(code, why))
            self.state, self.deadline = "closing", time.monotonic() + LEAVING
            self.flush()

    def agree(self, code):
        """To a close, or to what cannot be understood: both have said all. We shut our end
        first, and read on until the other is shut, as bytes that are left unread at a close
        reset the connection and may take our last frame with them."""
        self.close(code)
        if self.state != "ended":
            self.state = "leaving"

    def flush(self):
        """Sends what waits, and listens to those only for whom nothing does."""
        if self not in self.room.guests:
            return
        try:
            while self.out:
                del self.out[:self.sock.send(self.out)]
            if self.state == "leaving":
                self.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            return self.leave()
        self.room.selector.modify(
            self.sock, selectors.EVENT_WRITE if self.out else selectors.EVENT_READ, self)

    def look(self, now):
        """Once a second."""
        silence = now - self.heard
        if silence > 2 * SILENCE or self.state != "open" and now > self.deadline:
            self.leave()
        elif silence > SILENCE and not self.asked:
            self.asked = True
            self.say(websocket.frame(websocket.PING, b""))
            self.flush()


class Room(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.guests, self.notes = set(), deque()
        self.looked = self.complained = 0
        self.selector = selectors.DefaultSelector()
        self.bell, self.button = socket.socketpair()
        self.bell.setblocking(False)
        self.button.setblocking(False)
        self.selector.register(self.bell, selectors.EVENT_READ)

    def ask(self, function, *arguments):
        """In any thread: the function is called in that of the room."""
        self.notes.append((function, arguments))
        try:
            self.button.send(b"!")
        except BlockingIOError:
            pass  # it rings already

    def run(self):
        while True:
            self.attend()
            self.do_what_was_asked()
            self.look_at_all()

    def attend(self):
        for key, events in self.selector.select(1):
            if key.data is None:
                self.bell.recv(4096)
            elif key.data in self.guests:
                key.data.attend(events)

    def do_what_was_asked(self):
        while self.notes:
            function, arguments = self.notes.popleft()
            function(*arguments)

    def look_at_all(self):
        """At most once a second."""
        now = time.monotonic()
        if now - self.looked > 1:
            self.looked = now
            for guest in list(self.guests):
                guest.look(now)

    def say(self, line):
        self.tell(line.encode())
        try:
            alicorn.send(SAID, line.encode())
        except OSError as e:
            self.complain(f"other workers were not told: {e}")

    def complain(self, text):
        """At most once a second: more is said than the server passes on."""
        if time.monotonic() - self.complained > 1:
            self.complained = time.monotonic()
            alicorn.log("warning", text)

    def tell(self, line):
        for guest in list(self.guests):
            guest.say(websocket.frame(websocket.TEXT, line))
            guest.flush()


room, beginning = None, threading.Lock()


def the_room():
    """Begun with the first guest: a thread that was begun at import would not be there in
    workers that are forked afterwards (preload_app)."""
    global room
    with beginning:
        if room is None:
            room = Room()
            room.start()
            alicorn.on_message(hear)
        return room


def hear(type, data, fd, sender):
    """Called in the main thread with what another worker has sent. When the room cannot keep
    up, lines are lost."""
    if fd != -1:
        os.close(fd)
    if type == SAID and len(room.notes) < NOTES_MAX:
        room.ask(room.tell, data)


def chat(environ, start_response):
    name = environ["QUERY_STRING"][:31]
    if not name.replace("-", "").replace("_", "").isalnum():
        name = "somebody"
    try:
        head = websocket.answer(environ)
    except websocket.Refusal as refusal:
        start_response(str(refusal), [("Sec-WebSocket-Version", "13")])
        return []
    guest = Guest(the_room(), environ["alicorn.socket"], name, head)
    alicorn.detach(environ, guest)
    guest.room.ask(guest.enter)
    return alicorn.ALREADY_HANDLED


def application(environ, start_response):
    if environ["PATH_INFO"] == "/chat":
        return chat(environ, start_response)
    if environ["PATH_INFO"] == "/":
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [PAGE.read_bytes()]
    start_response("404 Not Found", [])
    return []
