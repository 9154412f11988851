"""A FastCGI backend that does what a test tells it, byte by byte."""

import socket
import struct
import threading

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)
OK_HEAD = b"Content-Type: text/plain\r\n\r\n"


def record(kind, content=b"", request=1, padding=0, version=1):
    return struct.pack(">BBHHBx", version, kind, request, len(content), padding) + \
        content + b"\0" * padding


def stdout(content, size=65535):
    """Content as records of this size."""
    return b"".join(record(STDOUT, content[i:i + size]) for i in range(0, len(content), size))


def end(protocol_status=0, app_status=0):
    return record(END, struct.pack(">IB3s", app_status, protocol_status, b"xyz"))


def decode_pairs(content):
    """Name-value pairs of one record; each must be whole."""
    pairs, at = {}, 0
    while at < len(content):
        lengths = []
        for _ in range(2):
            n, at = content[at], at + 1
            if n & 0x80:
                n = struct.unpack(">I", content[at - 1:at + 3])[0] & 0x7FFFFFFF
                at += 3
            lengths.append(n)
        assert at + sum(lengths) <= len(content), "a pair crosses the end of its record"
        name = content[at:at + lengths[0]].decode("latin-1")
        at += sum(lengths)
        assert name not in pairs, f"{name} comes twice"
        pairs[name] = content[at - lengths[1]:at].decode("latin-1")
    return pairs


class Request:
    def __init__(self):
        self.params, self.body, self.flags, self.role = {}, b"", None, None
        self.fault = None


class Backend:
    """Listens on a port of its own. answer(connection, request) is called for each request
    in a thread of its own; the connection is closed behind it."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.target = "fcgi://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.socket.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection):
        connection.settimeout(20)
        with connection:
            request = Request()
            self.requests.append(request)
            try:
                self.read(connection, request)
            except (AssertionError, OSError, struct.error, IndexError) as fault:
                request.fault = fault
                return
            try:
                self.answer(connection, request)
            except OSError:
                pass

    def read(self, connection, request):
        """Reads until STDIN has ended, strictly."""
        stream = connection.makefile("rb")
        done = set()
        while STDIN not in done:
            head = stream.read(8)
            assert len(head) == 8, "closed early"
            version, kind, number, length, padding = struct.unpack(">BBHHBx", head)
            content = stream.read(length + padding)[:length]
            assert version == 1 and number == 1 and kind not in done, head
            if kind == BEGIN:
                request.role, request.flags = struct.unpack(">HB5x", content)
                done.add(BEGIN)
                continue
            assert BEGIN in done and kind in (PARAMS, STDIN), head
            assert kind == PARAMS or PARAMS in done, "STDIN before the end of PARAMS"
            if not content:
                done.add(kind)
            elif kind == PARAMS:
                pairs = decode_pairs(content)
                assert not set(pairs) & set(request.params)
                request.params.update(pairs)
            else:
                request.body += content
