"""WebSockets (RFC 6455), the side of the server: the opening handshake, frames and messages.
Nothing here reads or writes a socket."""

import base64
import binascii
import hashlib
import struct
from codecs import getincrementaldecoder

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_CODE = 1000, 1001, 1002, 1005
NOT_TEXT, POLICY, TOO_BIG, RESTART = 1007, 1008, 1009, 1012


class Failure(Exception):
    """The connection is to be closed with this code."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


# ---- The handshake (section 4) -----------------------------------------------------------


class Refusal(Exception):
    """The request is to be answered with this status instead."""


def names(fields, token):
    return token in [part.strip().lower() for part in fields.split(",")]


def answer(environ):
    """The head that agrees to the request; or Refusal."""
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    if not names(environ.get("HTTP_UPGRADE", ""), "websocket"):
        raise Refusal("426 Upgrade Required")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        raise Refusal("426 Upgrade Required")
    if (environ["REQUEST_METHOD"] != "GET" or environ["SERVER_PROTOCOL"] == "HTTP/1.0"
            or not names(environ.get("HTTP_CONNECTION", ""), "upgrade") or not is_key(key)):
        raise Refusal("400 Bad Request")
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest())
    return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def is_key(key):
    try:
        return base64.b64encode(base64.b64decode(key, validate=True)).decode() == key \
            and len(key) == 24
    except (ValueError, binascii.Error):
        return False


# ---- Frames (section 5) ------------------------------------------------------------------


def frame(opcode, data):
    """A whole message in one frame, as a server sends it."""
    n = len(data)
    if n < 126:
        return struct.pack("!BB", 0x80 | opcode, n) + data
    if n < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, 126, n) + data
    return struct.pack("!BBQ", 0x80 | opcode, 127, n) + data


def close_frame(code, why=""):
    return frame(CLOSE, b"" if code == NO_CODE else struct.pack("!H", code) + why.encode())


def unmask(data, mask):
    """XOR of numbers as long as the data: the loop is in C."""
    n = len(data)
    key = (mask * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(n, "little")


class Reader:
    """Is fed with what comes, in pieces of any size, and gives messages: (opcode, data), the
    data of a text a str. Raises Failure; it must not be used again then."""

    def __init__(self, limit=1 << 20):
        self.limit = limit
        self.buffer = bytearray()
        self.kind = None  # of the message whose fragments come
        self.parts, self.size = [], 0

    def feed(self, data):
        self.buffer += data
        while (got := self.take_frame()) is not None:
            message = self.take_part(*got)
            if message is not None:
                yield message

    def take_frame(self):
        """(last, opcode, data), or None: more is needed."""
        head = self.buffer[:14]
        if len(head) < 2:
            return None
        last, opcode, short = head[0] >> 7, head[0] & 15, head[1] & 127
        self.check(head[0] & 0x70, last, opcode, head[1] >> 7, short)
        at = 2 + {126: 2, 127: 8}.get(short, 0)
        if len(head) < at + 4:
            return None
        length = int.from_bytes(head[2:at], "big") if at > 2 else short
        # The shortest form is the only one, and 63 bits are the most.
        if at > 2 and not {4: 126, 10: 1 << 16}[at] <= length < 1 << 63:
            raise Failure(PROTOCOL_ERROR)
        if opcode < CLOSE and length > self.limit - self.size:
            raise Failure(TOO_BIG)
        end = at + 4 + length
        if len(self.buffer) < end:
            return None
        data = unmask(bytes(self.buffer[at + 4:end]), bytes(head[at:at + 4]))
        del self.buffer[:end]
        return last, opcode, data

    def check(self, reserved, last, opcode, masked, short):
        """No extension was agreed on; a client masks; a control frame is small and in one
        piece; a message ends before the next one begins."""
        ok = opcode in (CLOSE, PING, PONG) and last and short < 126 \
            or opcode in (TEXT, BINARY) and self.kind is None \
            or opcode == CONTINUATION and self.kind is not None
        if reserved or not masked or not ok:
            raise Failure(PROTOCOL_ERROR)

    def take_part(self, last, opcode, data):
        if opcode == CLOSE:
            return CLOSE, self.close_code(data)
        if opcode > BINARY:
            return opcode, data
        if opcode != CONTINUATION:
            self.kind = opcode
            self.decoder = getincrementaldecoder("utf-8")()
        part = self.decode(data, last) if self.kind == TEXT else data
        if part:
            self.parts.append(part)
        self.size += len(data)
        if not last:
            return None
        message = self.kind, ("" if self.kind == TEXT else b"").join(self.parts)
        self.kind, self.parts, self.size = None, [], 0
        return message

    def decode(self, data, last):
        try:
            return self.decoder.decode(data, last)
        except UnicodeDecodeError:
            raise Failure(NOT_TEXT) from None

    @staticmethod
    def close_code(data):
        """A code, and a text for people, or nothing at all."""
        if not data:
            return NO_CODE
        code = int.from_bytes(data[:2], "big")
        if len(data) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014
                                  or 3000 <= code <= 4999):
            raise Failure(PROTOCOL_ERROR)
        try:
            data[2:].decode()
        except UnicodeDecodeError:
            raise Failure(NOT_TEXT) from None
        return code
