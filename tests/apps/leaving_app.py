"""Takes its client's connection, in each way that there is."""

import json
import os
import socket
import subprocess
import sys
import threading
import types

import alicorn

EVENTS = []
KEPT = []
TEXT = [("Content-Type", "text/plain")]

# What gunicorn and eventlet would have loaded.
for name in "gunicorn.workers.base_async", "eventlet.wsgi":
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].ALREADY_HANDLED = object()


def reply(start_response, text):
    start_response("200 OK", TEXT)
    return [str(text).encode()]


def answer(sock, text):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


def echo(sock):
    """Sends back what comes, until the client ends or says so."""
    with sock:
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + sock.unread)
        while (data := sock.recv(4096)) not in (b"", b"end"):
            sock.sendall(data)
    EVENTS.append("echo ended")


class Thread(alicorn.Proc):
    def __init__(self, sock):
        self.sock = sock
        self.thread = threading.Thread(target=echo, args=[sock], daemon=True)
        self.thread.start()

    def status(self):
        return self.thread.is_alive()

    def terminate(self, reason):
        EVENTS.append(f"terminate {reason}")
        alicorn.log("info", f"terminate {reason}")
        self.sock.sendall(f"bye: {reason}".encode())
        self.sock.shutdown(socket.SHUT_RDWR)


class Child(alicorn.Proc):
    """cat(1) with the connection as its input and output."""

    def __init__(self, sock):
        sock.setblocking(True)
        sock.sendall(b"ready")
        self.child = subprocess.Popen(["cat"], stdin=sock, stdout=sock)

    def status(self):
        status = self.child.poll()
        if status is not None:
            EVENTS.append(f"child ended {status}")
        return status

    def terminate(self, reason):
        self.child.terminate()


class Failing(alicorn.Proc):
    def status(self):
        raise ValueError("status fails")


def application(environ, start_response):
    path, sock = environ["PATH_INFO"], environ["gunicorn.socket"]
    if path == "/look":
        same = environ["alicorn.socket"] is sock and isinstance(sock, socket.socket)
        before = repr(sock)
        KEPT.append(sock)
        return reply(start_response, json.dumps(
            [same, before, sock.getpeername(), sock.gettimeout() is not None,
             os.get_inheritable(sock.fileno())]))
    if path == "/blocking":
        sock.setblocking(True)
        return reply(start_response, "x" * (1 << 22))
    if path == "/kept":
        try:
            KEPT[0].send(b"x")
        except OSError as e:
            return reply(start_response, e.strerror)
    if path == "/events":
        return reply(start_response, " ".join(EVENTS))
    if path == "/late":
        write = start_response("200 OK", TEXT)
        write(b"begun ")
        try:
            sock.fileno()
        except OSError as e:
            return [e.strerror.encode()]
    if path == "/here":
        answer(sock, b"here")
        return alicorn.ALREADY_HANDLED
    if path == "/unread":
        answer(sock, b"unread: " + sock.unread)
        sock.close()
        return alicorn.ALREADY_HANDLED
    if path == "/foreign":
        answer(sock, b"foreign")
        return sys.modules[environ["QUERY_STRING"]].ALREADY_HANDLED
    if path == "/nothing":
        return alicorn.ALREADY_HANDLED
    if path == "/thread":
        threading.Thread(target=echo, args=[sock], daemon=True).start()
        return alicorn.ALREADY_HANDLED
    if path == "/fork":
        pid = os.fork()
        if pid == 0:
            answer(sock, b"child")
            sock.close()
            os._exit(0)
        os.waitpid(pid, 0)
        answer(sock, b" and parent")
        return alicorn.ALREADY_HANDLED
    if path == "/detached":
        kinds = {"thread": Thread, "child": Child, "failing": lambda _: Failing()}
        alicorn.detach(environ, kinds[environ["QUERY_STRING"]](sock))
        return alicorn.ALREADY_HANDLED
    return reply(start_response, "no such path")
