"""FastCGI backends: what they may do wrong, how one of several is chosen, how connections are
kept, and what is waited for and how long. See test_fastcgi.py for single answers."""

import itertools
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from conftest import SANITIZED, free_port, wait_for
from fake_fastcgi import (ABORT, BEGIN, END, OK_HEAD, PARAMS, STDERR, STDIN, STDOUT, Backend,
                          Request, end, record, stdout)
from wire import Cut

KEEP = 1  # the flag FCGI_KEEP_CONN
RESET = "reset"
OK = stdout(OK_HEAD + b"body") + end()


class Scripted(Backend):
    """Plays a script for each request, which script(request) gives: bytes are sent, numbers
    are seconds of rest, "reset" and "close" end the connection, functions are called with
    the connection. Behind the script it reads the next request from the same connection, if
    that was asked for. `processes` connections are served at a time, the others wait."""

    def __init__(self, script, address=("127.0.0.1", 0), processes=100, backlog=100):
        self.script = script if callable(script) else lambda request: script
        self.requests = []
        self.connections = 0
        self.open = 0
        self.slots = threading.Semaphore(processes)
        self.lock = threading.Lock()
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(address)
            self.socket.listen(backlog)
            self.place = "unix:" + address
        else:
            self.socket = socket.create_server(address, backlog=backlog)
            self.place = "%s:%d" % self.socket.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            self.slots.acquire()
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=[connection, self.connections],
                             daemon=True).start()

    def serve(self, connection, number):
        with connection, self.counted():
            connection.settimeout(20)
            if connection.family == socket.AF_INET:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while self.serve_one(connection, number):
                    pass
            except (AssertionError, OSError, struct.error):
                pass
        self.slots.release()

    @contextmanager
    def counted(self):
        with self.lock:
            self.open += 1
        yield
        with self.lock:
            self.open -= 1

    def serve_one(self, connection, number):
        request = Request()
        request.connection = number
        if getattr(self.script, "unread", False):
            request.params = {}
        else:
            self.read(connection, request)
        self.requests.append(request)
        for action in self.script(request):
            if isinstance(action, bytes):
                connection.sendall(action)
            elif isinstance(action, (int, float)):
                time.sleep(action)
            elif callable(action):
                action(connection)
            elif action == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
                return False
            else:
                return False
        return request.flags == KEEP


def says(text):
    return stdout(OK_HEAD + text.encode()) + end()


def says_query(request):
    return [says(request.params["QUERY_STRING"])]


def unread(*actions):
    """A script that does not read the request."""
    def script(request):
        return actions
    script.unread = True
    return script


@pytest.fixture
def play(server):
    """A function that starts a server before backends that follow these scripts (or are
    made already)."""
    backends = []

    def start(*scripts, target=None, **settings):
        mine = [s if isinstance(s, Scripted) else Scripted(s) for s in scripts]
        backends.extend(mine)
        prefix = "fcgi:" if mine and mine[0].place.startswith("unix:") else "fcgi://"
        target = target or prefix + ",".join(b.place for b in mine)
        env = settings.pop("env", None)
        s = server(apps={"fast": {"target": target, "bind": "127.0.0.1:0", "workers": 1,
                                  **settings}}, env=env)
        s.backends = mine
        return s

    yield start
    for backend in backends:
        backend.close()


def ask_all(s, paths, method="GET", **how):
    """Clients that have asked, in this order."""
    clients = []
    for path in paths:
        clients.append(s.connect())
        clients[-1].ask(path, method, **how)
    return clients


def statuses(clients):
    found = [c.response().status for c in clients]
    for c in clients:
        c.close()
    return found


# ---- Hostile ----

CUT = "cut"
PAUSE = 0.15  # what was sent so far has been passed on by then
HEAD_OF_5 = b"Content-Length: 5\r\n" + OK_HEAD
SOME = stdout(OK_HEAD + b"some")

HOSTILE = {
    # the connection
    "closes at once": (unread("close"), 502),
    "resets at once": (unread(RESET), (502, 503)),  # 503: it was not connected yet
    "reads and closes": (["close"], 502),
    "reads and resets": ([RESET], 502),
    "says nothing": ([5], 504),
    "half a record head, then nothing": ([b"\1\6\0\1", 5], 504),
    "half a response head, then nothing": ([stdout(OK_HEAD[:10]), 5], 504),
    "half a response head, then closes": ([stdout(OK_HEAD[:10]), PAUSE, "close"], 502),
    "half a record head, then closes": ([b"\1\6\0\1", PAUSE, "close"], 502),
    "body, then nothing": ([SOME, 5], CUT),
    "body of a length, then nothing": ([stdout(HEAD_OF_5 + b"some"), 5], CUT),
    "body, then closes": ([SOME, PAUSE, "close"], CUT),
    "body, then resets": ([SOME, PAUSE, RESET], CUT),
    "body, then half-closes": (
        [SOME, PAUSE, lambda c: c.shutdown(socket.SHUT_WR), 3], CUT),
    "body, then half an end": ([SOME, end()[:12], PAUSE, "close"], CUT),
    "end of stdout, but not of the request": (
        [SOME + record(STDOUT), PAUSE, "close"], CUT),
    "whole body of its length, no end": ([stdout(HEAD_OF_5 + b"whole"), PAUSE, "close"], 200),
    "whole answer, then resets": ([OK, RESET], 200),
    # the protocol
    "end before the answer, answer behind it": ([end() + OK], 502),
    "refuses multiplexing after a part": ([SOME, PAUSE, end(1)], CUT),
    "overloaded after a part": ([SOME, PAUSE, end(2)], CUT),
    "protocol status that there is not": ([SOME, PAUSE, end(200)], CUT),
    "end of another request": ([record(END, bytes(8), request=2) + OK], 502),
    "stdout of another request after a part": (
        [SOME, PAUSE, record(STDOUT, b"x", request=7)], CUT),
    "stdout of no request": ([record(STDOUT, OK_HEAD, request=0) + OK], 502),
    "stderr of another request": ([record(STDERR, b"x", request=3) + OK], 502),
    "echoes what it is sent": ([record(BEGIN, bytes(8)) + record(PARAMS) + record(STDIN)], 502),
    "sends params": ([record(PARAMS, b"\1\1ab") + OK], 502),
    "sends stdin": ([record(STDIN, b"x") + OK], 502),
    "aborts": ([record(ABORT) + OK], 502),
    "record type that there is not": ([record(12, b"x") + OK], 502),
    "record type of a later version": ([record(77, b"x" * 500, request=0, padding=9) + OK], 200),
    "values that nobody asked for": ([record(10, b"\17\1FCGI_MPXS_CONNS0", request=0) + OK], 200),
    "unknown-type record": ([record(11, bytes(8), request=0) + OK], 200),
    "version 0": ([record(STDOUT, OK_HEAD, version=0) + OK], 502),
    "version 2 after a part": ([SOME, PAUSE, record(STDOUT, b"x", version=2)], CUT),
    "end of 16 bytes": ([SOME, PAUSE, record(END, bytes(16))], CUT),
    "only the end of stdout": ([record(STDOUT) + end()], 502),
    "http": ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], 502),
    "largest padding": ([b"".join(record(STDOUT, p, padding=255) for p in
                                  (OK_HEAD, b"bo", b"dy", b"")) + record(END, bytes(8), padding=255)],
                        200),
    # the response
    "no-parsed-headers": ([stdout(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody") + end()],
                          502),
    "interim status": ([stdout(b"Status: 100 Continue\r\n" + OK_HEAD) + end()], 502),
    "switches protocols": ([stdout(b"Status: 101\r\n" + OK_HEAD) + end()], 502),
    "status of two digits": ([stdout(b"Status: 20\r\n" + OK_HEAD) + end()], 502),
    "empty status": ([stdout(b"Status:\r\n" + OK_HEAD + b"body") + end()], (200, 502)),
    "status of 200 bytes": ([stdout(b"Status: 200 " + b"x" * 200 + b"\r\n" + OK_HEAD) + end()],
                            502),
    "folded field": ([stdout(b"X-A: a\r\n b\r\n" + OK_HEAD) + end()], 502),
    "empty name": ([stdout(b": a\r\n" + OK_HEAD) + end()], 502),
    "NUL in a name": ([stdout(b"X\0A: a\r\n" + OK_HEAD) + end()], 502),
    "line of a request in the head": ([stdout(b"GET / HTTP/1.1\r\n" + OK_HEAD) + end()], 502),
    "129 fields": ([stdout(b"X-A: b\r\n" * 128 + OK_HEAD) + end()], 502),
    "field of 33 KB": ([stdout(b"X-A: " + b"b" * 33000 + b"\r\n" + OK_HEAD) + end()], 502),
    "field of 20 KB": ([stdout(b"X-A: " + b"b" * 20000 + b"\r\n" + OK_HEAD + b"body") + end()],
                       200),
    "length beyond all numbers": (
        [stdout(b"Content-Length: 99999999999999999999\r\n" + OK_HEAD) + end()], 502),
    "length with a sign": ([stdout(b"Content-Length: +4\r\n" + OK_HEAD + b"body") + end()], 502),
    "length with a list": ([stdout(b"Content-Length: 4, 5\r\n" + OK_HEAD + b"body") + end()], 502),
    "chunked of its own": (
        [stdout(b"Transfer-Encoding: chunked\r\n" + OK_HEAD + b"0\r\n\r\n") + end()], 200),
    "length and chunked": ([stdout(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" +
                                   OK_HEAD + b"0\r\n\r\n") + end()], 200),
    "body for a length of 0": ([stdout(b"Content-Length: 0\r\n" + OK_HEAD + b"HTTP/1.1 200") +
                                end()], 200),
    "one byte less than its length": ([stdout(HEAD_OF_5 + b"some") + end()], CUT),
    # stderr
    "stderr of 2 MB": ([record(STDERR, b"oops " * 10000) * 40 + OK], 200),
    "stderr without end, then closes": ([record(STDERR, b"oops" * 10000), PAUSE, "close"], 502),
    "stderr of control bytes": ([record(STDERR, bytes(range(256))) + OK], 200),
    "stderr behind the body": ([SOME + record(STDERR, b"late\n") + end()], 200),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(play, name):
    """Each twice, as a kept connection must not carry anything into the next exchange. A
    response that lacks something shows it."""
    script, outcome = HOSTILE[name]
    is_silent = not callable(script) and 5 in script
    s = play(script, fcgi_read_timeout=1 if is_silent else 20, fcgi_keepalive=1)
    worker = s.wait_workers(1)
    for _ in range(1 if is_silent else 2):
        with s.connect() as c:
            c.ask("/")
            if outcome == CUT:
                with pytest.raises(Cut):
                    c.response()
            else:
                expected = outcome if isinstance(outcome, tuple) else (outcome,)
                assert c.response().status in expected
    assert s.workers() == worker


def test_at_least_forty():
    assert len(HOSTILE) >= 40


def test_more_behind_the_end_is_nobodys_answer(play):
    """A second answer that came with the first must not be given to the next request."""
    count = itertools.count(1)
    s = play(lambda request: [says(f"answer {next(count)}") + says("forged")], fcgi_keepalive=5)
    for i in range(1, 4):
        assert s.get("/").text == f"answer {i}"
    assert [r.connection for r in s.backends[0].requests] == [1, 2, 3]


def test_what_comes_while_idle_is_nobodys_answer(play):
    count = itertools.count(1)
    late = threading.Event()

    def script(request):
        return [says(f"answer {next(count)}"), 0.1, says("forged"), lambda c: late.set()]

    s = play(script, fcgi_keepalive=5)
    for i in range(1, 4):
        late.clear()
        assert s.get("/").text == f"answer {i}"
        assert late.wait(10)


def test_death_is_seen_by_http10_clients(play):
    """To them the end of the connection is the end of the body, so it must be a reset."""
    s = play([SOME, PAUSE, "close"])
    with s.connect() as c:
        c.ask("/", version="HTTP/1.0")
        with pytest.raises(ConnectionResetError):
            while c.socket.recv(1000):
                pass


def test_backend_that_takes_nothing(play):
    """The request is larger than what the sockets hold."""
    s = play(unread(5), fcgi_send_timeout=1)
    r = s.get("/", "POST", body=b"x" * 30_000_000)
    assert r.status == 504
    s.wait_log("has taken nothing of the request")


def test_backend_that_takes_slowly_is_waited_for(play, tmp_path):
    """The limit is one of pauses. (A unix socket, whose buffers do not grow.)"""
    def read_slowly(connection):
        tail = b""
        for i in itertools.count():
            if i < 30:
                time.sleep(0.05)
            tail = (tail + connection.recv(60_000))[-8:]
            if tail == record(STDIN):
                return

    backend = Scripted(unread(read_slowly, OK), str(tmp_path / "socket"))
    s = play(backend, fcgi_send_timeout=1, fcgi_read_timeout=1)
    assert s.get("/", "POST", body=b"x" * 4_000_000).status == 200


def test_answer_that_pauses_less_than_the_limit(play):
    parts = [part for i in range(8) for part in (0.3, stdout(b"%d" % i))]
    s = play([stdout(OK_HEAD), *parts, end()], fcgi_read_timeout=1)
    assert s.get("/").text == "01234567"


@pytest.mark.parametrize("endless", [record(STDERR, b"oops\n" * 100), record(STDOUT),
                                     record(11, bytes(8), request=0)])
def test_endless_answer_without_content(play, endless):
    """No pause, and no progress: the application's own limit ends it."""
    def script(request):
        return itertools.repeat(endless * 100)

    assert play(script, timeout=1).get("/").status == 504


def test_variable_larger_than_a_record(play):
    """php would take the parts of a pair that is split for a broken request."""
    s = play([OK], limit_request_field_size=65536, limit_request_head=200_000)
    assert s.get("/", fields=[("X-A", "a" * 30_000)] * 2).status == 200  # they are joined
    assert s.get("/", fields=[("X-A", "a" * 33_000)] * 2).status == 431
    assert len(s.backends[0].requests) == 1


@pytest.mark.parametrize("path", ["/a.php%0a/x", "/a.php/%0d%0ax", "/%7f/a.php"])
def test_control_bytes_in_paths_of_scripts(play, tmp_path, path):
    """They deceive patterns (CVE-2019-11043); we have none, but others behind us may."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/a.php").touch()
    s = play([OK], root=str(tmp_path / "www"))
    assert s.get("/a.php/x").status == 200
    assert s.get(path).status == 400
    assert len(s.backends[0].requests) == 1


def test_stderr_is_logged_with_its_request(play):
    s = play([record(STDERR, b"first\nsecond\n") + OK])
    s.get("/some/path?x=1")
    s.wait_log(r"GET /some/path\?x=1: 127\.0\.0\.1:\d+: first")
    s.wait_log(r"GET /some/path\?x=1: 127\.0\.0\.1:\d+: second")


def test_stderr_has_a_limit(play):
    s = play([record(STDERR, b"oops\n" * 13000) * 4 + OK])
    s.get("/")
    s.wait_log("the rest of STDERR is not logged")
    assert len(s.log()) < 4_000_000


def is_served(s):
    """Whether the worker has begun, whatever the answer."""
    try:
        return s.get("/").status
    except Cut:
        return True


def test_all_of_it_at_once(play):
    """Three backends that do any of it, few connections, clients that leave: everybody else is
    answered, and nothing is left behind."""
    scripts = [script for script, outcome in HOSTILE.values()
               if not callable(script) and 5 not in script] + [[OK]] * 20
    def script(request):
        return random.choice(scripts)

    s = play(script, script, script, fcgi_keepalive=2, fcgi_connections=3, fcgi_fail_timeout=1)
    (worker,) = s.wait_workers(1)
    assert is_served(s)
    wait_for(lambda: all(b.open == 0 for b in s.backends))
    before = len(os.listdir(f"/proc/{worker}/fd"))
    found = []

    def ask(number):
        for i in range(60):
            with s.connect() as c:
                c.ask("/", random.choice(["GET", "POST", "PUT"]), body=b"x" * (i * 1000))
                if i % 10 == 9:
                    continue  # leaves
                try:
                    found.append(c.response().status)
                except Cut:
                    found.append(CUT)

    clients = [threading.Thread(target=ask, args=[number]) for number in range(8)]
    for c in clients:
        c.start()
    for c in clients:
        c.join()
    assert len(found) == 8 * 54 and {200, 502, CUT} <= set(found) <= {200, 502, 503, CUT}
    assert s.workers() == [worker]
    wait_for(lambda: len(os.listdir(f"/proc/{worker}/fd")) <= before, what="all closed")


# ---- Several backends ----


def test_least_busy_is_chosen(play):
    """Twelve requests, none answered until all have come: each backend has a third."""
    go = threading.Event()
    script = lambda request: [lambda connection: go.wait(15), OK]
    s = play(script, script, script)
    clients = ask_all(s, ["/"] * 12)
    wait_for(lambda: sum(len(b.requests) for b in s.backends) == 12)
    assert [len(b.requests) for b in s.backends] == [4, 4, 4]
    go.set()
    assert statuses(clients) == [200] * 12


def test_slow_backend_gets_less(play):
    go = threading.Event()
    s = play(lambda request: [lambda connection: go.wait(15), OK], [OK])
    first = ask_all(s, ["/"])
    wait_for(lambda: s.backends[0].requests)
    for _ in range(10):
        assert s.get("/").status == 200
    assert len(s.backends[0].requests) == 1
    go.set()
    assert statuses(first) == [200]


def test_equals_take_turns(play):
    s = play([OK], [OK])
    for _ in range(6):
        s.get("/")
    assert [len(b.requests) for b in s.backends] == [3, 3]


def test_next_backend_when_one_does_not_listen(play):
    """… which is then left out, and comes back when its time is over."""
    dead = free_port()
    alive = Scripted([OK])
    s = play(alive, target=f"fcgi://127.0.0.1:{dead},{alive.place}", fcgi_fail_timeout=1)
    for _ in range(4):
        assert s.get("/", "POST", body=b"x").status == 200
    assert s.log().count("cannot connect") == 1
    risen = Scripted([OK], ("127.0.0.1", dead))
    try:
        wait_for(lambda: s.get("/").status == 200 and risen.requests, what="used again")
    finally:
        risen.close()
    s.wait_log("takes connections again")


def test_next_backend_when_one_is_unreachable(play):
    """Its queue is full, so the kernel does not answer: the time to connect ends."""
    with unanswered() as port:
        alive = Scripted([OK])
        s = play(alive, target=f"fcgi://127.0.0.1:{port},{alive.place}", fcgi_connect_timeout=1,
                 fcgi_fail_timeout=60)
        assert s.get("/").status == 200
        s.wait_log(f"127.0.0.1:{port}: cannot connect")
        for _ in range(3):
            assert s.get("/").status == 200
        assert len(alive.requests) == 4


def test_connecting_has_a_limit(play):
    with unanswered() as port:
        s = play(target=f"fcgi://127.0.0.1:{port}", fcgi_connect_timeout=1)
        assert s.get("/").status == 504


@contextmanager
def unanswered():
    """A port at which connections are not completed."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        try:
            for _ in range(3):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(listener.getsockname())
            time.sleep(0.1)
            yield listener.getsockname()[1]
        finally:
            for w in waiting:
                w.close()


def test_no_other_backend_once_something_was_sent(play):
    """It may have been done."""
    s = play(["close"], ["close"])
    assert s.get("/").status == 502
    assert sum(len(b.requests) for b in s.backends) == 1


def test_all_are_down(play):
    ports = [free_port(), free_port()]
    s = play(target="fcgi://" + ",".join(f"127.0.0.1:{p}" for p in ports))
    r = s.get("/")
    assert r.status == 503 and int(r.field("Retry-After")) > 0
    again = Scripted([OK], ("127.0.0.1", ports[1]))
    try:
        assert s.get("/").status == 200  # who failed is tried when there is no other
    finally:
        again.close()


def test_unix_sockets(play, tmp_path):
    backends = [Scripted([OK], str(tmp_path / name)) for name in "ab"]
    s = play(*backends)
    for _ in range(4):
        assert s.get("/").status == 200
    assert [len(b.requests) for b in backends] == [2, 2]
    backends[0].close()
    os.unlink(tmp_path / "a")
    for _ in range(4):
        assert s.get("/").status == 200


@contextmanager
def full_unix_socket(path):
    """A unix socket whose queue is full: the kernel says so at once, and waits for none."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        waiting = []
        try:
            while True:
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)
                if waiting[-1].connect_ex(str(path)) != 0:
                    break
            yield listener
        finally:
            for w in waiting:
                w.close()


def test_full_queue_of_a_unix_socket(play, tmp_path):
    """Another backend has room; it is no failure of this one."""
    with full_unix_socket(tmp_path / "full"):
        other = Scripted([OK], str(tmp_path / "other"))
        s = play(other, target=f"fcgi:unix:{tmp_path}/full,{other.place}")
        for _ in range(4):
            assert s.get("/").status == 200
        assert len(other.requests) == 4 and "cannot connect" not in s.log()


def test_full_queues_are_waited_for(play, tmp_path):
    with full_unix_socket(tmp_path / "a"), full_unix_socket(tmp_path / "b") as listener:
        s = play(target=f"fcgi:unix:{tmp_path}/a,unix:{tmp_path}/b", fcgi_connect_timeout=1)
        assert s.get("/").status == 503
        s.wait_log("its queue is full")
        with s.connect() as c:
            c.ask("/")
            time.sleep(0.2)
            threading.Thread(target=accept_all, args=[listener], daemon=True).start()
            assert c.response().status == 502  # it was tried again, and then accepted


def accept_all(listener):
    try:
        while True:
            listener.accept()[0].close()
    except OSError:
        pass


# ---- The queue ----


class Concurrency:
    """Counts who is between enter() and leave(), in scripts."""

    def __init__(self):
        self.now = self.most = 0
        self.lock = threading.Lock()

    def enter(self, connection):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def leave(self, connection):
        with self.lock:
            self.now -= 1


def test_no_more_connections_than_allowed(play):
    many = Concurrency()
    s = play(lambda request: [many.enter, 0.05, many.leave, *says_query(request)],
             fcgi_connections=2)
    clients = ask_all(s, [f"/?{i}" for i in range(10)])
    assert [c.response().text for c in clients] == [str(i) for i in range(10)]
    for c in clients:
        c.close()
    assert many.most == 2
    served = [int(r.params["QUERY_STRING"]) for r in s.backends[0].requests]
    assert all(abs(i - at) <= 1 for at, i in enumerate(served)), "who came first is first"


def test_limit_is_that_of_each_backend(play):
    many = [Concurrency(), Concurrency()]
    s = play(*([m.enter, 0.05, m.leave, OK] for m in many), fcgi_connections=2)
    assert statuses(ask_all(s, ["/"] * 12)) == [200] * 12
    assert [m.most for m in many] == [2, 2]


def test_queue_is_limited(play):
    go = threading.Event()
    s = play(lambda request: [lambda connection: go.wait(15), OK], fcgi_connections=1, fcgi_queue=2)
    served = ask_all(s, ["/?1"])
    wait_for(lambda: s.backends[0].requests)
    waiting = ask_all(s, ["/?2", "/?3"])
    time.sleep(0.2)
    r = s.get("/?4")
    assert r.status == 503 and int(r.field("Retry-After")) > 0
    go.set()
    assert statuses(served + waiting) == [200] * 3
    assert len(s.backends[0].requests) == 3


def test_waiting_is_limited(play):
    go = threading.Event()
    s = play(lambda request: [lambda connection: go.wait(15), OK], fcgi_connections=1,
             fcgi_queue_timeout=1)
    served = ask_all(s, ["/"])
    wait_for(lambda: s.backends[0].requests)
    r = s.get("/")
    assert r.status == 503 and int(r.field("Retry-After")) > 0
    s.wait_log("no connection has become free for 1 s")
    go.set()
    assert statuses(served) == [200]
    assert s.get("/").status == 200
    assert len(s.backends[0].requests) == 2


def test_who_leaves_the_queue_is_not_sent(play):
    go = threading.Event()
    s = play(lambda request: [lambda connection: go.wait(15), OK], fcgi_connections=1)
    served = ask_all(s, ["/?1"])
    wait_for(lambda: s.backends[0].requests)
    leaving, staying = ask_all(s, ["/?2", "/?3"])
    time.sleep(0.2)
    leaving.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    leaving.close()
    time.sleep(0.2)
    go.set()
    assert statuses([*served, staying]) == [200, 200]
    assert [r.params["QUERY_STRING"] for r in s.backends[0].requests] == ["1", "3"]


def test_who_leaves_makes_room(play):
    """A connection that is given up is the next one's."""
    s = play(lambda request: [OK] if request.params["QUERY_STRING"] == "2" else [15],
             fcgi_connections=1)
    (first,) = ask_all(s, ["/?1"])
    wait_for(lambda: s.backends[0].requests)
    (second,) = ask_all(s, ["/?2"])
    time.sleep(0.2)
    first.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    first.close()
    assert statuses([second]) == [200]


def test_queue_before_a_dead_backend_is_answered(play):
    """Hundreds that wait, each of whom frees the way for the next by its own failure."""
    s = play(unread(0.3, "close"), fcgi_connections=1, fcgi_queue=1000)
    clients = ask_all(s, ["/"] * 200)
    time.sleep(0.2)
    s.backends[0].close()
    with socket.socket() as c:  # wakes accept(), which otherwise keeps the socket open
        c.connect_ex(("127.0.0.1", int(s.backends[0].place.rpartition(":")[2])))
    assert set(statuses(clients)) <= {502, 503}


# ---- Kept connections ----


def connections(s):
    return [r.connection for r in s.backends[0].requests]


def test_connection_is_kept(play):
    s = play(says_query, fcgi_keepalive=1)
    for i in range(5):
        assert s.get(f"/?{i}").text == str(i)
    assert connections(s) == [1] * 5
    assert all(r.flags == KEEP for r in s.backends[0].requests)


def test_connection_is_kept_after_errors_of_the_application(play):
    s = play([stdout(b"Status: 500\r\n" + OK_HEAD) + end(app_status=1)], fcgi_keepalive=1)
    for _ in range(3):
        assert s.get("/").status == 500
    assert connections(s) == [1] * 3


def test_no_more_are_kept_than_allowed(play):
    s = play(says_query, fcgi_keepalive=2)
    assert statuses(ask_all(s, [f"/?{i}" for i in range(6)])) == [200] * 6
    wait_for(lambda: s.backends[0].open in (1, 2), what="the others closed")
    wait_for(lambda: s.backends[0].open == 0, what="closed, as nobody needs them")


def test_idle_connection_that_the_backend_closes(play):
    s = play(lambda request: [OK, "close"], fcgi_keepalive=1)
    for _ in range(5):
        assert s.get("/").status == 200
        time.sleep(0.05)
    assert "ERROR" not in s.log()


def on_second_use(action):
    """Follows the script only on a connection that has been used."""
    used = set()

    def script(request):
        if request.connection in used:
            return action
        used.add(request.connection)
        return [says(str(len(request.body)))]
    return script


@pytest.mark.parametrize("action", ["close", RESET])
def test_closed_while_the_request_is_on_its_way(play, action):
    """The request is sent again, over a new connection: the answer is the client's."""
    s = play(on_second_use([action]), fcgi_keepalive=1)
    for _ in range(3):
        assert s.get("/").status == 200
    assert connections(s) == [1, 1, 2, 2, 3]


def test_large_body_is_sent_again(play):
    s = play(on_second_use(["close"]), fcgi_keepalive=1, body_buffer_size="16K")
    body = os.urandom(500_000)
    for n in (500_000, 3, 0):
        s.get("/")
        assert s.get("/", "PUT", body=body[:n]).text == str(n)
    puts = [r for r in s.backends[0].requests if r.params["REQUEST_METHOD"] == "PUT"]
    assert [len(r.body) for r in puts] == [500_000] * 2 + [3] * 2 + [0] * 2
    assert all(r.body == body[:len(r.body)] for r in puts)


def test_part_of_an_answer_is_not_asked_for_again(play):
    s = play(on_second_use([stdout(OK_HEAD[:5]), PAUSE, "close"]), fcgi_keepalive=1)
    assert [s.get("/").status for _ in range(2)] == [200, 502]
    assert connections(s) == [1, 1]


def test_new_connection_is_not_tried_again(play):
    s = play(["close"], fcgi_keepalive=1)
    assert s.get("/").status == 502
    assert connections(s) == [1]


def test_post_is_never_sent_twice(play):
    """It gets a new connection; the idle one makes room for it at the backend."""
    s = play(on_second_use(["close"]), fcgi_keepalive=1)
    for _ in range(3):
        assert s.get("/", "POST", body=b"x").status == 200
    assert connections(s) == [1, 2, 3]
    wait_for(lambda: s.backends[0].open == 1, what="one kept")


def test_answer_before_the_request_was_read_ends_the_connection(play):
    """What is left of the request must not be taken for the next one."""
    def answer_early(connection):
        connection.recv(100)
        connection.sendall(OK)
        time.sleep(0.3)

    s = play(unread(answer_early, "close"), fcgi_keepalive=1)
    assert s.get("/", "PUT", body=b"x" * 10_000_000).status in (200, 502)
    wait_for(lambda: s.backends[0].open == 0, limit=10)
    assert s.get("/").status == 200


def test_kept_connections_do_not_starve_who_waits(play):
    """One process, two clients: the connection that holds it is closed for the other's."""
    s = play(Scripted(says_query, processes=1), fcgi_keepalive=1)
    began = time.monotonic()
    for _ in range(30):
        assert statuses(ask_all(s, ["/?a", "/?b"])) == [200, 200]
    assert time.monotonic() - began < 10  # they are closed after half a second anyway


def test_kept_connections_count(play):
    many = Concurrency()
    s = play([many.enter, 0.02, many.leave, OK], fcgi_keepalive=2, fcgi_connections=2)
    for method in ("GET", "POST", "GET"):
        assert statuses(ask_all(s, ["/?x"] * 10, method, body=b"")) == [200] * 10
    assert many.most == 2


def test_queue_goes_on_over_kept_connections(play):
    s = play(says_query, fcgi_keepalive=1, fcgi_connections=1)
    clients = ask_all(s, [f"/?{i}" for i in range(20)])
    assert [c.response().text for c in clients] == [str(i) for i in range(20)]
    for c in clients:
        c.close()
    assert len(set(connections(s))) < 20


def test_stop_with_kept_connections(play):
    s = play(says_query, fcgi_keepalive=4)
    assert s.get("/?x").status == 200
    s.stop()


# ---- Names ----

RESOLVER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* backend.test stands for what the file says: addresses, or "sleep 3", or "fail". */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
	struct addrinfo **found)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");
	struct addrinfo **end = found;
	char word[64];

	if (node == NULL || strcmp(node, "backend.test") != 0 ||
		(hints->ai_flags & AI_NUMERICHOST) != 0)
		return real(node, service, hints, found);
	FILE *file = fopen(getenv("NAMES"), "r");
	*found = NULL;
	while (file != NULL && fscanf(file, "%63s", word) == 1) {
		if (strcmp(word, "fail") == 0)
			return EAI_AGAIN;
		if (strcmp(word, "sleep") == 0) {
			sleep(3);
			continue;
		}
		if (real(word, service, hints, end) != 0)
			return EAI_NONAME;
		end = &(*end)->ai_next;
	}
	if (file != NULL)
		fclose(file);
	return *found != NULL ? 0 : EAI_NONAME;
}
"""


@pytest.fixture
def names(tmp_path):
    """A function that says what backend.test stands for from now on; it returns the
    environment of the server."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    if SANITIZED:
        pytest.skip("the sanitizer must be the first library")
    source, library, file = tmp_path / "names.c", tmp_path / "names.so", tmp_path / "names"
    source.write_text(RESOLVER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)

    def say(text):
        new = tmp_path / "names.new"
        new.write_text(text)
        new.rename(file)
        return {"LD_PRELOAD": str(library), "NAMES": str(file)}

    return say


def test_name(play):
    backend = Scripted([OK])
    s = play(backend, target="fcgi://localhost:%s" % backend.place.rpartition(":")[2])
    assert s.get("/").status == 200


def two_at_one_port():
    first = Scripted([says("first")])
    port = int(first.place.rpartition(":")[2])
    return first, Scripted([says("second")], ("127.0.0.2", port)), port


@pytest.mark.parametrize("keepalive", [0, 2])
def test_name_that_moves(play, names, keepalive):
    """Also kept connections to where it was before are left."""
    first, second, port = two_at_one_port()
    s = play(first, second, target=f"fcgi://backend.test:{port}", env=names("127.0.0.1"),
             fcgi_resolve=1, fcgi_keepalive=keepalive)
    assert s.get("/").text == "first"
    names("127.0.0.2")
    wait_for(lambda: s.get("/").text == "second", what="the new address")
    assert all(s.get("/").text == "second" for _ in range(5))


def test_name_of_several_addresses(play, names):
    """The first does not listen. The one that did is remembered."""
    backend = Scripted([OK], ("127.0.0.2", 0))
    port = backend.place.rpartition(":")[2]
    s = play(backend, target=f"fcgi://backend.test:{port}", env=names("127.0.0.1 127.0.0.2"))
    for _ in range(3):
        assert s.get("/").status == 200
    assert "cannot connect" not in s.log()
    backend.close()


def test_slow_name_server_delays_nobody(play, names):
    backend = Scripted([OK])
    port = backend.place.rpartition(":")[2]
    s = play(backend, target=f"fcgi://backend.test:{port}", env=names("127.0.0.1"), fcgi_resolve=1)
    assert s.get("/").status == 200
    names("sleep 127.0.0.1")
    slowest, end_of_test = 0, time.monotonic() + 3
    while time.monotonic() < end_of_test:
        began = time.monotonic()
        assert s.get("/").status == 200
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 2.5
    s.stop()


def test_name_server_that_fails(play, names):
    """The addresses that are known stay, and it is said why."""
    backend = Scripted([OK])
    port = backend.place.rpartition(":")[2]
    s = play(backend, target=f"fcgi://backend.test:{port}", env=names("127.0.0.1"), fcgi_resolve=1)
    assert s.get("/").status == 200
    names("fail")
    s.wait_log("backend.test:.*cannot look up its name")
    assert s.get("/").status == 200


def test_name_server_that_fails_at_the_start(play, names):
    backend = Scripted([OK])
    port = backend.place.rpartition(":")[2]
    s = play(backend, target=f"fcgi://backend.test:{port}", env=names("fail"), fcgi_resolve=1)
    assert s.get("/").status == 503
    names("127.0.0.1")
    wait_for(lambda: s.get("/").status == 200, what="the address is known")


def test_name_that_does_not_exist(server, names):
    s = server(apps={"fast": {"target": "fcgi://backend.test:9000", "bind": "127.0.0.1:0"}},
               env=names(""), wait=False)
    assert s.wait() == 4
    assert "Name or service not known" in s.log()


# ---- Files in place of bodies ----


@pytest.fixture
def files(tmp_path):
    root = tmp_path / "files"
    (root / "sub").mkdir(parents=True)
    (root / "a file%41").write_bytes(b"content " * 50_000)
    (root / "sub/b").write_text("b")
    (root / "empty").touch()
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "inside").symlink_to("sub/b")
    (tmp_path / "alias").symlink_to(root)
    os.mkfifo(root / "fifo")
    return root


def answers_with(field, value):
    return [stdout(f"{field}: {value}\r\nContent-Type: a/b\r\nX-A: b\r\nContent-Length: 3\r\n"
                   "\r\nown".encode()) + end()]


SENT = {
    ("X-Sendfile", "ROOT/a file%41"): "a file%41",
    ("X-Sendfile", "sub/b"): "sub/b",
    ("X-Sendfile", "/sub/b"): "sub/b",
    ("X-Sendfile", "/sub/../empty"): "empty",
    ("X-Sendfile", "/inside"): "sub/b",
    ("x-lighttpd-send-file", "ROOT/sub/b"): "sub/b",
    ("X-Accel-Redirect", "/a%20file%2541?x=1"): "a file%41",
    ("X-Accel-Redirect", "/sub/b"): "sub/b",
    ("X-Accel-Redirect", "ROOT/empty"): "empty",
    ("X-Sendfile", "ALIAS/sub/b"): "sub/b",
}
NOT_SENT = [
    ("X-Sendfile", "ROOT/../secret"), ("X-Sendfile", "/../secret"), ("X-Sendfile", "../secret"),
    ("X-Sendfile", "ROOT/link"), ("X-Sendfile", "/etc/passwd"), ("X-Sendfile", "/missing"),
    ("X-Sendfile", "ROOT"), ("X-Sendfile", "/"), ("X-Sendfile", ""), ("X-Sendfile", "sub"),
    ("X-Sendfile", "/fifo"), ("X-Sendfile", "ROOTx/b"), ("X-Sendfile", "x" * 5000),
    ("X-Accel-Redirect", "/%2e%2e/secret"), ("X-Accel-Redirect", "/sub/b%00"),
    ("X-Accel-Redirect", "/..%2fsecret"),
]


@pytest.mark.parametrize("field,value", SENT)
def test_file_is_sent(play, files, field, value):
    content = (files / SENT[field, value]).read_bytes()
    alias = str(files.parent / "alias")
    s = play(answers_with(field, value.replace("ROOT", str(files)).replace("ALIAS", alias)),
             sendfile_roots=[alias], fcgi_keepalive=1)
    with s.connect() as c:
        for method in ("GET", "HEAD", "GET"):
            r = c.get("/", method)
            assert r.status == 200 and r.body == (b"" if method == "HEAD" else content)
            assert r.field("Content-Length") == str(len(content))
            assert r.field("Content-Type") == "a/b" and r.field("X-A") == "b"
            assert r.field(field) is None
    assert connections(s) == [1] * 3


def test_file_that_is_not_under_the_roots_is_502(play, files):
    values = iter(NOT_SENT)
    s = play(lambda request: answers_with(*(text.replace("ROOT", str(files))
                                            for text in next(values))),
             sendfile_roots=[str(files)])
    for field, value in NOT_SENT:
        r = s.get("/")
        assert (r.status, r.field(field)) == (502, None), value
        assert b"secret" not in r.body and b"own" not in r.body
    s.wait_log("X-Sendfile: .*/link: ")


def test_first_root_that_has_it(play, files):
    s = play(answers_with("X-Sendfile", "/b"), sendfile_roots=[str(files), str(files / "sub")])
    assert s.get("/").text == "b"


@pytest.mark.parametrize("field", ["X-Sendfile", "X-Accel-Redirect"])
def test_without_roots_the_field_is_passed_on(play, field):
    s = play(answers_with(field, "/etc/passwd"))
    r = s.get("/")
    assert (r.status, r.field(field), r.text) == (200, "/etc/passwd", "own")


def test_field_of_a_request_is_not_passed_on(play):
    s = play([OK])
    s.get("/", fields=[("X-Sendfile-Type", "X-Accel-Redirect"), ("X-Accel-Mapping", "/=/x")])
    assert not [name for name in s.backends[0].requests[0].params
                if "SENDFILE" in name or "ACCEL" in name]


def test_missing_root_is_an_error_of_the_start(server):
    s = server(apps={"fast": {"target": "fcgi://127.0.0.1:1", "bind": "127.0.0.1:0",
                              "sendfile_roots": ["/nowhere"]}}, wait=False)
    assert s.wait() in (1, 4)
    assert "sendfile_roots" in s.log()
