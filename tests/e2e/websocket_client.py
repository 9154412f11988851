"""A WebSocket client that sends what it is told and reads strictly, as wire.Client does."""

import os
import struct

from wire import Client, Cut

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3

HANDSHAKE = {"Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
             "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}


def frame(opcode, data=b"", last=True, masked=True, head=None):
    """A frame of a client; with a head of its own it need not be in order."""
    if isinstance(data, str):
        data = data.encode()
    n = len(data)
    if head is None:
        bit = 0x80 if masked else 0
        head = bytes([(0x80 if last else 0) | opcode])
        head += (bytes([bit | n]) if n < 126 else
                 struct.pack("!BH", bit | 126, n) if n < 1 << 16 else
                 struct.pack("!BQ", bit | 127, n))
    if not masked:
        return head + data
    mask = os.urandom(4)
    key = int.from_bytes((mask * (n // 4 + 1))[:n], "big")
    return head + mask + (int.from_bytes(data, "big") ^ key).to_bytes(n, "big")


def close_frame(code, why=b""):
    return frame(CLOSE, struct.pack("!H", code) + why)


class WebSocket(Client):
    """A connection whose handshake is done; `behind` is sent in one piece with it. Without a
    path it is one for HTTP, until upgrade()."""

    def __init__(self, address, path=None, behind=b"", fields=()):
        super().__init__(address)
        self.host = address if isinstance(address, str) else address[0]
        if path is not None:
            self.upgrade(path, behind, fields)

    def upgrade(self, path, behind=b"", fields=()):
        fields = "".join(f"{k}: {v}\r\n" for k, v in {**HANDSHAKE, **dict(fields)}.items())
        self.send(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n{fields}\r\n".encode() + behind)
        answer = self.head()
        assert answer.status == 101, answer
        assert answer.field("Upgrade").lower() == "websocket"
        assert answer.field("Connection").lower() == "upgrade"
        assert answer.field("Sec-WebSocket-Accept") == ACCEPT

    def say(self, data):
        self.send(frame(TEXT if isinstance(data, str) else BINARY, data))

    def frame(self):
        """The next one, which must be whole, unmasked and in its shortest form."""
        first, n = self.take(2)
        assert first & 0xf0 == 0x80 and n < 128, (first, n)
        if n >= 126:
            size = {126: 2, 127: 8}[n]
            n = int.from_bytes(self.take(size), "big")
            assert n >= {2: 126, 8: 1 << 16}[size]
        return first & 15, self.take(n)

    def hear(self):
        """The next message, as say() takes it."""
        opcode, data = self.frame()
        assert opcode in (TEXT, BINARY), (opcode, data)
        return data.decode() if opcode == TEXT else data

    def wait_close(self):
        """The code of the close frame that comes next; 1005: it has none."""
        opcode, data = self.frame()
        assert opcode == CLOSE, (opcode, data)
        assert len(data) != 1
        return int.from_bytes(data[:2], "big") if data else 1005

    def follow_close(self):
        """As a browser does: reads on to the close frame, answers it, waits for the end."""
        opcode, data = self.frame()
        while opcode != CLOSE:
            opcode, data = self.frame()
        self.send(frame(CLOSE, data[:2]))
        assert self.is_closed()
        return int.from_bytes(data[:2], "big") if data else 1005

    def is_cut(self):
        """It ends without a close frame."""
        try:
            self.more()
        except Cut:
            return True
        return False
