"""Says hello whatever the path, and takes and gives bodies of any length: the answer to a
body is its length and its Adler-32, that to ?N is N bytes as the probe's /big has them."""

import zlib

PIECE = bytes(ord("a") + i % 23 for i in range(65536))


def counted(left):
    while left > 0:
        yield PIECE[:left]
        left -= len(PIECE)


def summed(stream):
    length, total = 0, 1
    while piece := stream.read(1 << 18):
        length += len(piece)
        total = zlib.adler32(piece, total)
    return f"{length} {total}\n".encode()


def application(environ, start_response):
    query = environ["QUERY_STRING"]
    if query.isdigit():
        length, body = int(query), counted(int(query))
    else:
        text = summed(environ["wsgi.input"])
        text = b"hello\n" if text == b"0 1\n" else text
        length, body = len(text), [text]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(length))])
    return body
