"""HTTP as it stands on the wire: a client that sends what it is told and reads strictly."""

import re
import socket

LIMIT = 20  # seconds that a test waits for what must come


class Response:
    def __init__(self, status, reason, version, fields, head):
        self.status, self.reason, self.version = status, reason, version
        self.fields, self.head = fields, head
        self.body = b""

    def every(self, name):
        """All values of a field."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def field(self, name):
        """The only value of a field, or None."""
        values = self.every(name)
        assert len(values) < 2, f"{name} comes twice: {self.head}"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.fields} {self.body[:200]!r}>"


class Cut(Exception):
    """The connection ended before the response was complete."""


class Client:
    """One connection. What it reads it checks strictly: framing that is not exactly that of
    RFC 9112 raises."""

    def __init__(self, address, timeout=LIMIT, receive_buffer=None):
        family = {True: socket.AF_UNIX, False: socket.AF_INET}[isinstance(address, str)]
        if family == socket.AF_INET and ":" in address[0]:
            family = socket.AF_INET6
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def ask(self, path, method="GET", fields=(), body=None, version="HTTP/1.1"):
        head = f"{method} {path} {version}\r\nHost: test\r\n"
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.send(head.encode("latin-1") + b"\r\n" + (body or b""))

    def get(self, path, method="GET", **how):
        """A whole exchange."""
        self.ask(path, method, **how)
        return self.response(method)

    def more(self):
        try:
            piece = self.socket.recv(1 << 18)
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Cut(f"with {self.buffer[-200:]!r} read")
        self.buffer += piece

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def line(self):
        while b"\r\n" not in self.buffer:
            self.more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        assert b"\n" not in line and b"\r" not in line, f"bare CR or LF: {line!r}"
        return line.decode("latin-1")

    def head(self):
        """The head of a response, also of an interim one."""
        lines = [self.line()]
        while lines[-1]:
            lines.append(self.line())
        match = re.fullmatch(r"(HTTP/1\.[01]) (\d\d\d) ([^\x00-\x1f]*)", lines[0])
        assert match, f"not a status line: {lines[0]!r}"
        fields = []
        for line in lines[1:-1]:
            field = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?(.*)", line)
            assert field, f"not a field: {line!r}"
            fields.append((field[1], field[2].strip()))
        return Response(int(match[2]), match[3], match[1], fields, "\n".join(lines))

    def response(self, method="GET", sink=None):
        """The next final response. With a sink, pieces of the body go there."""
        r = self.head()
        assert r.status >= 200, f"interim response: {r}"
        body = []
        for piece in self.body(r, method):
            (sink or body.append)(piece)
        r.body = b"".join(body)
        return r

    def body(self, r, method):
        length, coding = r.field("Content-Length"), r.field("Transfer-Encoding")
        if r.status in (204, 304) or method == "HEAD":
            assert r.status != 204 or (length is None and coding is None), r.head
            return
        assert length is None or coding is None, f"both framings: {r.head}"
        if coding is not None:
            assert coding == "chunked" and r.version == "HTTP/1.1", r.head
            yield from self.chunks()
        elif length is not None:
            yield from self.counted(int(length))
        else:
            assert r.field("Connection") == "close" or r.version == "HTTP/1.0", \
                f"no framing: {r.head}"
            yield self.rest()

    def counted(self, left):
        while left > 0:
            if not self.buffer:
                self.more()
            piece, self.buffer = self.buffer[:left], self.buffer[left:]
            left -= len(piece)
            yield piece

    def chunks(self):
        while True:
            size = self.line()
            assert re.fullmatch("[0-9a-fA-F]+", size), f"not a chunk size: {size!r}"
            if int(size, 16) == 0:
                assert self.line() == ""
                return
            yield from self.counted(int(size, 16))
            assert self.take(2) == b"\r\n"

    def rest(self):
        """All until the end of the connection."""
        while True:
            try:
                self.more()
            except Cut:
                taken, self.buffer = self.buffer, b""
                return taken

    def is_closed(self):
        """Waits for the end of the connection; nothing more may come before it."""
        rest = self.rest()
        assert rest == b"", f"unexpected: {rest!r}"
        return True
