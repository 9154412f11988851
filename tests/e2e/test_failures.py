"""There is always an answer, and a worker that fails is replaced."""

import re
import resource
import signal
import time

import pytest

from conftest import PROBE, SANITIZED, wait_for
from wire import Cut


def healed(s, old, n):
    """So many workers serve, and not all of them are old ones."""
    wait_for(lambda: len(s.workers()) == n and set(s.workers()) != set(old), what="healed")
    assert s.get("/hello").status == 200


# ---- The worker dies ----


@pytest.mark.parametrize("path", ["/crash", "/abort", "/_exit", "/_exit?status=3", "/exit",
                                  "/exit?status=3", "/exit?status=4"])
def test_death_is_answered_502_and_healed(server, path):
    s = server(workers=2)
    old = s.wait_workers(2)
    with s.connect() as c:
        r = c.get(path)
        assert (r.status, r.field("Connection")) == (502, "close")
        assert c.is_closed()
    healed(s, old, 2)
    s.wait_log(re.escape(path.partition("?")[0]))  # which request it was
    s.stop()


def test_exit_statuses_of_workers_never_stop_the_server(server):
    """3 and 4 mean something as the program's own status only."""
    s = server(workers=1)
    for status in (0, 1, 3, 4, 255):
        old = s.wait_workers(1)
        assert s.get(f"/_exit?status={status}").status == 502
        healed(s, old, 1)
    s.stop()


def test_other_clients_of_a_dying_worker_are_cut_or_answered(server):
    """Nothing that looks complete and is not. What was begun may be answered 502 too."""
    s = server(workers=1)
    old = s.wait_workers(1)
    with s.connect() as victim, s.connect() as idle, s.connect() as half:
        idle.get("/hello")
        half.send("GET /hello HT")
        time.sleep(0.1)
        assert victim.get("/crash").status == 502
        assert idle.is_closed()
        try:
            assert half.response().status == 502
        except Cut:
            pass
        assert half.is_closed()
    healed(s, old, 1)


def test_sigkill_inside_a_request_cuts_the_connection(server):
    s = server(workers=1)
    old = s.wait_workers(1)
    with s.connect() as c:
        c.ask("/kill")
        with pytest.raises(Cut):
            c.response()
    healed(s, old, 1)


@pytest.mark.parametrize("then", ["crash", "exit"])
@pytest.mark.parametrize("length", [0, 1])
def test_death_after_some_bytes_is_seen(server, then, length):
    s = server(workers=1)
    old = s.wait_workers(1)
    with s.connect() as c:
        c.ask(f"/partial?then={then}&length={length}")
        r = c.head()
        assert r.status == 200
        with pytest.raises(Cut):
            list(c.body(r, "GET"))
        assert b"502" not in c.buffer
    healed(s, old, 1)


def test_death_after_some_bytes_of_http_1_0(server):
    """Only a reset tells such a client, as the end of the connection is the end of the body."""
    s = server(workers=1)
    with s.connect() as c:
        c.ask("/partial?then=error", version="HTTP/1.0")
        try:
            received = b"".join(iter(lambda: c.socket.recv(65536), b""))
        except ConnectionResetError:
            return
        pytest.fail(f"looks complete: {received!r}")


def test_crash_with_a_pipelined_request_behind(server):
    s = server(workers=1)
    with s.connect() as c:
        c.send("GET /crash HTTP/1.1\r\nHost: t\r\n\r\nGET /hello HTTP/1.1\r\nHost: t\r\n\r\n")
        assert c.response().status == 502
        assert c.is_closed()


def test_head_request_that_crashes(server):
    with server(workers=1).connect() as c:
        assert c.get("/crash", "HEAD").status == 502
        assert c.is_closed()


def test_each_of_many_crashes_is_healed(server):
    s = server(workers=2)
    for _ in range(8):
        assert s.get("/crash").status == 502
    assert s.get("/hello").status == 200
    s.wait_workers(2)
    s.stop()


# ---- The worker takes too long ----


def test_timeout_is_answered_504_and_the_worker_replaced(server):
    s = server(workers=1, timeout=1)
    old = s.wait_workers(1)
    with s.connect() as c:
        began = time.monotonic()
        r = c.get("/sleep?ms=60000")
        took = time.monotonic() - began
        assert (r.status, r.field("Connection")) == (504, "close")
        assert c.is_closed()
    assert 0.9 < took < 4
    healed(s, old, 1)
    s.wait_log("(?m)^.*probe.*/sleep.*$")


def test_stuck_worker_is_answered_for(server):
    """It blocks every signal: the arbiter writes the answer itself and kills it."""
    s = server(workers=1, timeout=1)
    old = s.wait_workers(1)
    with s.connect() as c:
        r = c.get("/stuck")
        assert (r.status, r.field("Connection")) == (504, "close")
        assert c.is_closed()
    healed(s, old, 1)
    s.wait_log("/stuck")


def test_stuck_worker_after_some_bytes(server):
    s = server(workers=1, timeout=1)
    old = s.wait_workers(1)
    with s.connect() as c:
        c.ask("/partial?then=stuck")
        r = c.head()
        assert r.status == 200
        with pytest.raises(Cut):
            list(c.body(r, "GET"))
        assert b"504" not in c.buffer
    healed(s, old, 1)


def test_timeout_is_of_one_request(server):
    """Many short requests one after another are no long one; waiting costs nothing."""
    s = server(workers=1, timeout=1, keepalive=10)
    (worker,) = s.wait_workers(1)
    with s.connect() as c:
        for _ in range(4):
            assert c.get("/sleep?ms=600").status == 200
        time.sleep(1.5)
        assert c.get("/hello").status == 200
        c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n")
        time.sleep(1.5)  # that is body_timeout's
        c.send("abc")
        assert c.response().body == b"abc"
    assert s.workers() == [worker]


def test_timeout_0_is_none(server):
    s = server(workers=1, timeout=0)
    assert s.get("/sleep?ms=2500").status == 200


def test_slow_client_is_no_timeout(server):
    """The application is done; the client takes its time, within write_timeout."""
    s = server(workers=1, timeout=1, response_buffer_size="2M")
    (worker,) = s.wait_workers(1)
    with s.connect(receive_buffer=4096) as c:
        c.ask("/big?bytes=1500000&length=1")
        time.sleep(2.5)
        assert len(c.response().body) == 1500000
    assert s.workers() == [worker]


def test_stopped_worker_is_replaced_when_it_held_a_request(server):
    s = server(workers=1, timeout=1)
    old = s.wait_workers(1)
    with s.connect() as c:
        c.ask("/sleep?ms=300")
        time.sleep(0.1)
        s.signal(signal.SIGSTOP, old[0])
        assert c.response().status == 504
    healed(s, old, 1)


# ---- The worker does not begin ----


@pytest.mark.parametrize("how,status", [("fail", 4), ("crash", 3), ("exit", 3)])
def test_application_that_cannot_be_loaded_at_start(server, how, status):
    s = server(wait=False, boot_attempts=2, raw_env=[f"PROBE_INIT={how}"])
    assert s.wait() == status
    if how == "fail":
        assert "does not want to" in s.log()
    wait_for(lambda: not s.left(), what="nothing left")


def test_one_of_two_applications_cannot_be_loaded(server):
    good = {"target": PROBE, "bind": "127.0.0.1:0"}
    s = server(apps={"good": good, "bad": {**good, "raw_env": ["PROBE_INIT=fail"]}},
               wait=False)
    assert s.wait() == 4
    assert "bad" in s.log()


def test_slow_loading_is_waited_for(server):
    s = server(workers=1, raw_env=["PROBE_INIT=slow"])
    assert s.get("/hello").status == 200


def test_boot_timeout(server):
    s = server(wait=False, boot_timeout=1, boot_attempts=1, raw_env=["PROBE_INIT=slow"])
    assert s.wait() == 3


def test_application_says_goodbye(server):
    s = server(workers=1)
    s.get("/hello")
    s.stop()
    assert "says goodbye" in s.log()


@pytest.mark.skipif(SANITIZED, reason="needs its descriptors")
def test_out_of_descriptors_is_survived(server):
    """With no descriptor left for another connection, service goes on when some are free."""
    s = server(workers=1)
    (worker,) = s.wait_workers(1)
    s.get("/hello")
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (40, 40))
    clients = [s.connect() for _ in range(60)]
    try:
        for c in clients[:10]:
            assert c.get("/hello").status == 200
    finally:
        for c in clients:
            c.close()
    wait_for(lambda: s.get("/hello").status == 200)
    assert s.workers() == [worker]


def test_requests_that_crash_do_not_keep_others_waiting(server):
    """Each of many in a row is answered: a worker that one ended is replaced at once."""
    s = server(workers=2)
    for _ in range(30):
        assert s.get("/crash").status == 502
    assert s.get("/hello").status == 200
