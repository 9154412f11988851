"""FastCGI as a web server speaks it, record by record: a client that sends what it is told
and reads strictly."""

import socket
import struct

from fake_fastcgi import (ABORT, BEGIN, END, PARAMS, STDIN, STDOUT, decode_pairs, record)
from wire import LIMIT

GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = 9, 10, 11
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
COMPLETE, CANT_MPX, OVERLOADED, UNKNOWN_ROLE = range(4)


class Cut(Exception):
    """The connection ended before the response was complete."""


class Response:
    def __init__(self, text, status):
        head, _, self.body = text.partition(b"\r\n\r\n")
        self.protocol_status = status
        self.head = head.decode("latin-1")
        self.fields = [tuple(line.split(": ", 1)) for line in self.head.split("\r\n") if line]
        self.status = int(dict(self.fields).get("Status", "0 ").split()[0])

    @property
    def environ(self):
        assert self.status == 200, self.head + self.body.decode()
        return dict(line.split("=", 1) for line in self.body.decode().splitlines())


def encode_pair(name, value):
    def length(n):
        return struct.pack(">B", n) if n < 128 else struct.pack(">I", n | 0x80000000)
    name, value = name.encode("latin-1"), value.encode("latin-1")
    return length(len(name)) + length(len(value)) + name + value


def begin(request=1, keep=False, role=RESPONDER):
    return record(BEGIN, struct.pack(">HB5x", role, keep), request)


def stream(kind, content, request=1, size=65535, padding=0):
    """Content in records of this size, and its end."""
    return b"".join(record(kind, content[i:i + size], request, padding)
                    for i in range(0, len(content), size)) + record(kind, b"", request)


def variables(path, method="GET", body=None, **more):
    """As a web server tells them of a request; None leaves one out."""
    uri, _, query = path.partition("?")
    told = {"REQUEST_METHOD": method, "REQUEST_URI": path, "QUERY_STRING": query,
            "SCRIPT_NAME": "", "PATH_INFO": uri, "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "server.test", "SERVER_PORT": "8080", "REMOTE_ADDR": "192.0.2.7",
            "REMOTE_PORT": "4711", "HTTP_HOST": "host.test",
            "CONTENT_LENGTH": None if body is None else str(len(body)), **more}
    return {name: value for name, value in told.items() if value is not None}


def encode(told):
    return b"".join(encode_pair(*pair) for pair in dict(told).items())


def request(path, method="GET", body=None, number=1, keep=False, size=65535, padding=0, **more):
    """A whole request, as bytes."""
    return (begin(number, keep)
            + stream(PARAMS, encode(variables(path, method, body, **more)), number, size, padding)
            + stream(STDIN, body or b"", number, size, padding))


class Client:
    def __init__(self, address, timeout=LIMIT / 2):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def take(self, n):
        while len(self.buffer) < n:
            try:
                piece = self.socket.recv(1 << 18)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Cut(f"with {self.buffer[-200:]!r} read")
            self.buffer += piece
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def record(self):
        version, kind, number, length, padding, _ = struct.unpack(">BBHHBB", self.take(8))
        assert version == 1
        content = self.take(length)
        self.take(padding)
        return kind, number, content

    def response(self, number=1):
        text = b""
        while True:
            kind, of, content = self.record()
            assert of == number
            if kind == END:
                app_status, protocol_status = struct.unpack(">IB3x", content)
                assert app_status == 0
                return Response(text, protocol_status)
            assert kind == STDOUT
            text += content

    def get(self, path, method="GET", number=1, **how):
        """A whole exchange."""
        self.send(request(path, method, number=number, **how))
        return self.response(number)

    def is_closed(self):
        """Waits for the end of the connection; nothing more may come before it."""
        try:
            rest = self.buffer or self.socket.recv(1000)
        except ConnectionResetError:
            rest = b""
        assert rest == b"", f"unexpected: {rest!r}"
        return True


__all__ = ["ABORT", "AUTHORIZER", "BEGIN", "CANT_MPX", "COMPLETE", "Client", "Cut", "END",
           "FILTER", "GET_VALUES", "GET_VALUES_RESULT", "PARAMS", "RESPONDER", "STDIN",
           "UNKNOWN_ROLE", "UNKNOWN_TYPE", "begin", "decode_pairs", "encode", "encode_pair",
           "record", "request", "stream", "variables"]
