"""Workers that are in the application for long: their connections go on, by relief, by the
queue of the pool, by threads."""

import os
import time
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM, SIGTTIN, SIGUSR2

import pytest

from conftest import text_of, wait_for
from wire import Client, Cut

SLOW = {"timeout": 60, "graceful_timeout": 30, "keepalive": 60}


class Gate:
    """What /wait waits for."""

    def __init__(self, folder):
        self.file = folder / "gate"

    def ask(self, client):
        client.ask(f"/wait?for={self.file}")

    def open(self):
        self.file.touch()


@pytest.fixture
def gate(tmp_path):
    tmp_path.chmod(0o755)
    gate = Gate(tmp_path)
    yield gate
    gate.open()


def pid_of(client):
    return int(client.get("/pid").body)


def connect_to(s, pid, n):
    """So many idle connections that this worker has."""
    kept, others = [], []
    while len(kept) < n:
        for client, response in s.ask_at_once("/pid"):
            is_its = int(response.body) == pid
            (kept if is_its and len(kept) < n else others).append(client)
        assert len(others) < 1000, "all connections go to the same worker"
    for client in others:
        client.close()
    return kept


def busy_with(s, gate, n=2):
    """A worker in the middle of a request, and other connections that it has."""
    first = s.connect()
    pid = pid_of(first)
    others = connect_to(s, pid, n - 1)
    gate.ask(first)
    wait_for(lambda: is_asleep_in_call(pid), what="the call")
    return pid, first, others


def is_asleep_in_call(pid):
    """The main thread is in the application: it sleeps there, and not for events."""
    return "nanosleep" in text_of(Path(f"/proc/{pid}/task/{pid}/wchan"))


def sleeping_threads(pid):
    return sum("nanosleep" in text_of(task / "wchan") for task in Path(f"/proc/{pid}/task").iterdir())


# ---- Relief and the queue ----------------------------------------------------------------


def test_requests_of_a_busy_worker_are_answered_by_another(server, gate):
    s = server(workers=2, **SLOW)
    busy, first, (other,) = busy_with(s, gate)
    for _ in range(3):  # the connection has moved, and stays usable
        assert pid_of(other) not in (busy, 0)
    gate.open()
    assert int(first.response().body) == busy


def test_a_worker_that_computes_is_busy_too(server, gate):
    """On a busy machine calls last as others have the processors; this one has one."""
    s = server(workers=2, **SLOW)
    with s.connect() as first:
        busy = pid_of(first)
        other, = connect_to(s, busy, 1)
        first.ask(f"/compute?for={gate.file}")
        assert pid_of(other) not in (busy, 0)
        gate.open()
        assert int(first.response().body) == busy


def test_without_relief_they_wait(server, gate):
    s = server(workers=2, relief_after=0, **SLOW)
    busy, first, (other,) = busy_with(s, gate)
    other.ask("/pid")
    other.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        other.response()
    other.socket.settimeout(20)
    gate.open()
    assert int(other.response().body) == busy
    assert int(first.response().body) == busy


@pytest.mark.parametrize("body,fields", [
    (b"x" * 30000, [("Content-Length", "30000")]),
    (b"4\r\nabcd\r\n2;ext=1\r\nef\r\n0\r\nTrailer: 1\r\n\r\n", [("Transfer-Encoding", "chunked")]),
    (b"0\r\n\r\n", [("Transfer-Encoding", "chunked")]),
])
def test_a_body_moves_with_its_request(server, gate, body, fields):
    s = server(workers=2, **SLOW)
    busy, _, (other,) = busy_with(s, gate)
    head = "POST /echo HTTP/1.1\r\nHost: test\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in fields)
    # Received in pieces while the worker is busy, with the next request right behind.
    request = head.encode() + b"\r\n" + body + b"GET /pid HTTP/1.1\r\nHost: test\r\n\r\n"
    for at in range(0, len(request), len(request) // 3 + 1):
        other.send(request[at:at + len(request) // 3 + 1])
    answer = other.response()
    chunked = fields[0][0] == "Transfer-Encoding"
    assert answer.body == ((b"abcdef" if len(body) > 5 else b"") if chunked else body)
    assert int(other.response().body) not in (busy, 0)


def test_a_body_that_just_does_not_fit_stays(server, gate):
    """A message takes 256 KiB; what a chunked body has around it is a part of that."""
    s = server(workers=2, body_buffer_size="1M", limit_request_body="1M", **SLOW)
    busy, _, (other, third) = busy_with(s, gate, 3)
    head = b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"x" * ((256 << 10) - len(head))
    other.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert pid_of(third) != busy
    time.sleep(0.2)  # for it to be sent, if it were
    gate.open()
    assert other.response().body == body


def test_a_body_in_a_file_waits_for_its_worker(server, gate):
    s = server(workers=2, **SLOW)
    busy, first, (other,) = busy_with(s, gate)
    other.ask("/sum", "POST", body=b"a" * 1_000_000)
    gate.open()
    assert other.response().status == 200
    assert first.response().status == 200


@pytest.mark.parametrize("settings", [{"workers": 1}, {"workers": 2, "limit_queue": 0}])
def test_with_no_other_or_a_full_queue_they_wait_too(server, gate, settings):
    s = server(**settings, **SLOW)
    busy, first, (other,) = busy_with(s, gate)
    other.ask("/pid")
    gate.open()
    assert int(other.response().body) == busy
    assert int(first.response().body) == busy


def test_what_waits_too_long_is_told(server, gate):
    s = server(workers=2, queue_timeout=1, **SLOW)
    clients = busy_everywhere(s, gate)
    other = connect_queued(s)
    time.sleep(1.3)
    gate.open()
    assert [c.response().status for c in clients] == [200, 200]
    answer = other.response()
    assert answer.status == 503 and answer.field("Retry-After")


def busy_everywhere(s, gate):
    """A connection in the middle of a request, for each of two workers; and one more of the
    first is in self.extra."""
    first = s.connect()
    one = pid_of(first)
    s.extra = connect_to(s, one, 1)[0]
    second = s.connect()
    while pid_of(second) == one:
        second.close()
        second = s.connect()
    two = pid_of(second)
    for pid, client in ((one, first), (two, second)):
        gate.ask(client)
        wait_for(lambda: is_asleep_in_call(pid), what="the call")
    return [first, second]


def holders(s, client):
    """Processes that have the server's end of the connection."""
    port = client.socket.getsockname()[1]
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
              if int(line.split()[2].split(":")[1], 16) == port}
    found = []
    for pid in s.session():
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found += [pid] * (os.readlink(fd)[8:-1] in inodes)
            except OSError:
                pass
    return found


def connect_queued(s):
    """A request that lies in the queue, as all are busy."""
    s.extra.ask("/pid")
    wait_for(lambda: not holders(s, s.extra), what="the connection left its worker")
    return s.extra


@pytest.mark.parametrize("how", ["kill", "hup", "usr2"])
def test_what_lies_in_the_queue_outlives_workers(server, gate, how):
    s = server(workers=2, **SLOW)
    clients = busy_everywhere(s, gate)
    old = s.workers()
    waiting = connect_queued(s)
    if how == "kill":
        s.signal(SIGKILL, s.workers()[0])
    else:
        s.signal({"hup": SIGHUP, "usr2": SIGUSR2}[how])
    answer = int(waiting.response().body)
    assert answer not in old
    if how == "usr2":
        parent = int(open(f"/proc/{answer}/stat").read().rsplit(")", 1)[1].split()[1])
        assert parent != s.pid
        s.signal(SIGTERM, parent)
    gate.open()
    statuses = []
    for client in clients:
        try:
            statuses.append(client.response().status)
        except Exception:
            statuses.append(0)
    assert statuses.count(200) == (1 if how == "kill" else 2)


def test_the_loop_goes_on_while_the_application_runs(server, gate):
    """One worker, in the application: it reads, flushes, and keeps time limits."""
    s = server(workers=1, header_timeout=1, **SLOW)
    reader = Client(s.address, receive_buffer=65536)
    reader.ask("/big?bytes=3000000")
    first = s.connect()
    pid = pid_of(first)
    late = s.connect()
    late.send("GET /hello HTTP/1.1\r\nHos")
    gate.ask(first)
    wait_for(lambda: is_asleep_in_call(pid), what="the call")
    assert len(reader.response().body) == 3000000
    assert late.response().status == 408
    gate.open()
    assert first.response().status == 200


def test_a_graceful_stop_begins_while_the_application_runs(server, gate):
    s = server(workers=1, **SLOW)
    busy, first, (idle,) = busy_with(s, gate)
    s.signal(SIGTERM)
    assert idle.is_closed()  # after a second, while the application still runs
    gate.open()
    answer = first.response()
    assert answer.status == 200 and answer.field("Connection") == "close"
    assert s.wait() == 0


def test_a_stop_when_all_are_busy(server, gate):
    """What lies in the queue and in the backlog then is answered by the first who is done."""
    s = server(workers=2, **SLOW)
    clients = busy_everywhere(s, gate)
    late = [s.connect() for _ in range(3)]
    for client in late:
        client.ask("/hello")
    s.signal(SIGTERM)
    s.wait_log("stop: requests are finished first")
    gate.open()
    for client in clients:
        assert client.response().status == 200
    for client in late:
        assert client.response().text == "hello\n"
    assert s.wait() == 0


def test_a_stop_does_not_wait_for_relief(server):
    """The thread that looks each minute whether a call is long."""
    s = server(relief_after=60000, graceful_timeout=60)
    assert s.get("/hello").status == 200
    s.stop()


def test_connections_of_one_worker_are_balanced(server):
    s = server(workers=1, **SLOW)
    clients = [s.connect() for _ in range(32)]
    first = pid_of(clients[0])
    for n in range(2, 5):
        s.signal(SIGTTIN)
        s.wait_workers(n)

    def spread():
        for client in clients:
            client.ask("/pid")
        pids = [int(client.response().body) for client in clients]
        return pids.count(first) <= 16 and len(set(pids)) == 4
    wait_for(spread, what="no more than half of them at the first worker")


# ---- Threads -----------------------------------------------------------------------------


def test_threads_run_requests_side_by_side(server, gate):
    s = server(workers=1, threads=2, **SLOW)
    first, other = s.connect(), s.connect()
    gate.ask(first)
    assert other.get("/hello").body == b"hello\n"
    assert other.get("/hello").body == b"hello\n"
    gate.open()
    assert first.response().status == 200


def test_what_no_thread_takes_goes_to_another_worker(server, gate):
    s = server(workers=2, threads=2, **SLOW)
    first = s.connect()
    pid = pid_of(first)
    second, other = connect_to(s, pid, 2)
    before = sleeping_threads(pid)  # a sanitizer has one of its own
    gate.ask(first)
    gate.ask(second)
    wait_for(lambda: sleeping_threads(pid) == before + 2, what="both calls")
    assert pid_of(other) not in (pid, 0)
    gate.open()
    assert {int(c.response().body) for c in (first, second)} == {pid}


def test_a_stuck_thread_is_told_of_and_the_last_one_ends_the_worker(server, gate):
    s = server(workers=1, threads=2, timeout=1, graceful_timeout=2, keepalive=60)
    first, other = s.connect(), s.connect()
    pid = pid_of(other)
    gate.ask(first)
    answer = first.response()
    assert answer.status == 504
    s.wait_log(rf"a thread has been in GET /wait\?for={gate.file} for 1 s")
    assert pid_of(other) == pid
    gate.ask(other)
    assert other.response().status == 504
    s.wait_log("all threads are stuck")
    wait_for(lambda: s.workers() and pid not in s.workers(), what="another worker")
    assert s.get("/hello").status == 200


@pytest.mark.parametrize("settings", [{"threads": 4}, {}])
def test_large_responses_to_slow_readers_from_threads(server, settings):
    s = server(workers=1, response_buffer_size=16384, response_spool_size=0, **settings, **SLOW)
    clients = [Client(s.address, receive_buffer=65536) for _ in range(2 if settings else 1)]
    for client in clients:
        client.ask("/big?bytes=2000000")
    for client in clients:
        assert len(client.response().body) == 2000000


def test_threads_end_gracefully(server, gate):
    s = server(workers=1, threads=3, **SLOW)
    first, idle = s.connect(), s.connect()
    assert pid_of(idle)
    gate.ask(first)
    s.signal(SIGTERM)
    assert idle.is_closed()
    gate.open()
    assert first.response().status == 200
    assert s.wait() == 0


def is_served(s):
    try:
        return s.get("/hello").status == 200
    except Cut:
        return False  # it met the worker that was ending


@pytest.mark.parametrize("path,status", [("/crash", 502), ("/_exit", 502), ("/error", 500)])
def test_failures_in_a_thread(server, path, status, gate):
    s = server(workers=1, threads=3, **SLOW)
    other = s.connect()
    pid = pid_of(other)
    before = sleeping_threads(pid)
    gate.ask(other)
    wait_for(lambda: sleeping_threads(pid) > before, what="the call")
    with s.connect() as client:
        assert client.get(path).status == status
    if status == 500:
        gate.open()
        assert other.response().status == 200
    else:
        assert other.response().status == 502  # it was in the same process
    gate.open()
    wait_for(lambda: is_served(s), what="another worker")


def test_an_application_that_says_nothing_of_threads_has_none(alicorn, compile_app):
    app = compile_app("int al_handle(void *a, struct al_request *r) { (void)a; (void)r; return 0; }")
    done = alicorn("--threads=2", "-b", "127.0.0.1:0", app)
    assert done.returncode == 4
    assert "does not say that it may run in several (al_flags)" in done.stderr
