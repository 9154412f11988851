"""A FastCGI responder without a library: says who it is, what was asked and what was sent."""

import os
import socket
import struct

END, PARAMS, STDIN, STDOUT, STDERR = 3, 4, 5, 6, 7


def records(stream):
    while len(head := stream.read(8)) == 8:
        _, kind, number, length, padding = struct.unpack(">BBHHBx", head)
        yield kind, number, stream.read(length + padding)[:length]


def record(kind, number, content=b""):
    return struct.pack(">BBHHxx", 1, kind, number, len(content)) + content


def pairs(content):
    found, at = {}, 0
    while at < len(content):
        sizes = []
        for _ in range(2):
            size, at = content[at], at + 1
            if size & 0x80:
                size = struct.unpack(">I", content[at - 1:at + 3])[0] & 0x7FFFFFFF
                at += 3
            sizes.append(size)
        name, at = content[at:at + sizes[0]].decode(), at + sizes[0]
        found[name], at = content[at:at + sizes[1]].decode("latin-1"), at + sizes[1]
    return found


def answer(params, body):
    head = f"Content-Type: text/plain\r\nX-Pid: {os.getpid()}\r\n\r\n"
    said = f"{params['REQUEST_METHOD']} {params['QUERY_STRING']} "
    return head.encode() + said.encode() + body


def serve(connection):
    params = body = b""
    for kind, number, content in records(connection.makefile("rb")):
        if kind == PARAMS:
            params += content
        elif kind == STDIN and content:
            body += content
        elif kind == STDIN:
            out = answer(pairs(params), body)
            sent = [record(STDERR, number, b"python was asked\n")]
            sent += [record(STDOUT, number, out[i:i + 65535]) for i in range(0, len(out), 65535)]
            connection.sendall(b"".join(sent) + record(STDOUT, number) +
                               record(END, number, bytes(8)))
            return


listener = socket.socket(fileno=0)
while True:
    with listener.accept()[0] as client:
        serve(client)
