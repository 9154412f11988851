"""Signals to the arbiter, and what happens to the workers."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from conftest import is_alive, stat_of, title_of, wait_for


def test_ttin_and_ttou_change_the_number_of_workers(server):
    s = server(workers=2)
    first = s.wait_workers(2)
    s.signal(signal.SIGTTIN)
    three = s.wait_workers(3)
    assert three[:2] == first
    s.signal(signal.SIGTTOU)
    s.wait_workers(2)
    assert s.get("/hello").status == 200


def test_each_of_many_ttin_counts(server):
    """However fast they follow one another, as long as the kernel tells them apart."""
    s = server(workers=1)
    s.wait_workers(1)
    for _ in range(9):
        s.signal(signal.SIGTTIN)
        wait_for(lambda: not is_pending(s.pid, signal.SIGTTIN), what="delivered")
    s.wait_workers(10)


def is_pending(pid, number):
    pending = re.search(r"ShdPnd:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())[1]
    return int(pending, 16) & 1 << (number - 1)


def test_ttou_leaves_one_worker(server):
    s = server(workers=2)
    s.wait_workers(2)
    for _ in range(5):
        s.signal(signal.SIGTTOU)
        time.sleep(0.02)
    s.wait_workers(1)
    time.sleep(0.5)
    assert len(s.workers()) == 1 and s.get("/hello").status == 200


def test_ttou_lets_the_running_request_finish(server):
    s = server(workers=2)
    s.wait_workers(2)
    with s.connect() as a, s.connect() as b:
        for c in (a, b):
            c.ask("/sleep?ms=700")
        time.sleep(0.2)
        s.signal(signal.SIGTTOU)
        assert a.response().status == b.response().status == 200
    s.wait_workers(1)


def test_number_of_workers_is_kept_across_hup(server):
    s = server(workers=1)
    s.wait_workers(1)
    s.signal(signal.SIGTTIN)
    old = s.wait_workers(2)
    s.signal(signal.SIGHUP)
    wait_for(lambda: not set(s.workers()) & set(old), what="old workers gone")
    s.wait_workers(2)


def test_killed_worker_is_replaced(server):
    s = server(workers=2)
    old = s.wait_workers(2)
    s.signal(signal.SIGKILL, old[0])
    wait_for(lambda: len(s.workers()) == 2 and old[0] not in s.workers(), what="healed")
    assert old[1] in s.workers()
    assert s.get("/hello").status == 200
    s.wait_log(rf"{old[0]}\D.*(signal|SIG|[kK]ill)")


def test_worker_leaves_no_zombie(server):
    s = server(workers=2)
    for _ in range(3):
        s.signal(signal.SIGKILL, s.wait_workers(2)[0])
        time.sleep(0.1)
    s.wait_workers(2)
    wait_for(lambda: not [pid for pid in s.known if (stat_of(pid) or "-")[0] == "Z"],
             what="no zombies")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop(server, number):
    s = server(workers=2)
    s.wait_workers(2)
    began = time.monotonic()
    s.stop(number)
    assert time.monotonic() - began < 5
    with pytest.raises(ConnectionRefusedError):
        s.connect()


def test_graceful_stop_finishes_the_running_request(server):
    s = server(workers=1, keepalive=30)
    with s.connect() as running, s.connect() as idle:
        assert idle.get("/hello").status == 200
        running.ask("/sleep?ms=1000")
        time.sleep(0.3)
        s.session()
        s.signal(signal.SIGTERM)
        assert idle.is_closed()  # at once
        r = running.response()
        assert r.status == 200 and r.field("Connection") == "close"
        assert running.is_closed()
    assert s.wait() == 0


def test_graceful_stop_finishes_a_request_that_is_being_received(server):
    s = server(workers=1)
    with s.connect() as c:
        c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\n\r\nabc")
        time.sleep(0.3)
        s.signal(signal.SIGTERM)
        time.sleep(0.3)
        c.send("def")
        assert c.response().body == b"abcdef"
    assert s.wait() == 0


def test_graceful_stop_finishes_a_download(server):
    s = server(workers=1, response_buffer_size="64K")
    with s.connect(receive_buffer=65536) as c:
        c.ask("/big?bytes=30000000&length=1")
        r = c.head()
        s.signal(signal.SIGTERM)
        assert sum(map(len, c.body(r, "GET"))) == 30000000
    assert s.wait() == 0


def test_graceful_timeout_is_enforced(server):
    s = server(workers=1, graceful_timeout=1)
    with s.connect() as c:
        c.ask("/sleep?ms=30000")
        time.sleep(0.3)
        began = time.monotonic()
        s.stop(signal.SIGTERM)
        assert 0.5 < time.monotonic() - began < 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_quick_stop_waits_for_no_request(server, number):
    s = server(workers=1)
    with s.connect() as c:
        c.ask("/sleep?ms=30000")
        time.sleep(0.3)
        began = time.monotonic()
        s.stop(number)
        assert time.monotonic() - began < 5


def test_second_signal_forces(server):
    s = server(workers=1, graceful_timeout=30)
    with s.connect() as c:
        c.ask("/sleep?ms=30000")
        time.sleep(0.3)
        began = time.monotonic()
        s.signal(signal.SIGTERM)
        time.sleep(0.5)
        assert is_alive(s.pid)
        s.stop(signal.SIGTERM)
        assert time.monotonic() - began < 6


def test_winch_stops_the_workers_and_hup_brings_them_back(server):
    s = server(workers=2)
    s.wait_workers(2)
    s.signal(signal.SIGWINCH)
    s.wait_workers(0)
    assert is_alive(s.pid)
    with s.connect() as waiting:  # in the backlog of the socket, which stays open
        waiting.ask("/hello")
        s.signal(signal.SIGHUP)
        assert waiting.response().status == 200
    s.wait_workers(2)


def test_usr1_reopens_the_log(server):
    s = server(workers=1)
    s.wait_workers(1)
    moved = s.folder / "log.1"
    s.log_file.rename(moved)
    s.signal(signal.SIGUSR1)
    wait_for(s.log_file.exists, what="a new log")
    size = moved.stat().st_size
    time.sleep(0.2)
    s.get("/log")  # the worker has reopened it too
    wait_for(lambda: "probe says" in s.log_file.read_text(), what="the worker's line")
    assert moved.stat().st_size == size


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP, signal.SIGTTIN,
                                    signal.SIGWINCH, signal.SIGPIPE, signal.SIGUSR2])
def test_signals_to_a_worker_that_are_not_for_it(server, number):
    """pkill of all processes of the name must not harm."""
    s = server(workers=1)
    workers = s.wait_workers(1)
    assert s.get("/hello").status == 200
    s.signal(number, workers[0])
    time.sleep(0.2)
    assert s.get("/hello").status == 200
    assert s.workers() == workers


def test_term_to_a_worker_is_graceful_and_healed(server):
    s = server(workers=1)
    (old,) = s.wait_workers(1)
    with s.connect() as c:
        c.ask("/sleep?ms=500")
        time.sleep(0.2)
        s.signal(signal.SIGTERM, old)
        assert c.response().status == 200
    wait_for(lambda: s.workers() and old not in s.workers(), what="another worker")
    assert s.get("/hello").status == 200


def test_workers_leave_when_the_arbiter_is_killed(server):
    s = server(workers=2)
    s.wait_workers(2)
    with s.connect() as c:
        c.ask("/sleep?ms=700")
        time.sleep(0.2)
        s.process.kill()
        s.wait()
        assert c.response().status == 200  # they finish first
    wait_for(lambda: not s.left(), what="no orphan")
    with pytest.raises(ConnectionRefusedError):
        s.connect()


STUCK = """
    #include <stdlib.h>
    #include <unistd.h>
    static const char *where;
    const char *al_worker_init(void **app)
    {
        *app = NULL;
        where = getenv("STUCK_IN");
        while (*where == 'l')
            pause();
        return NULL;
    }
    int al_handle(void *app, struct al_request *req)
    {
        (void)app, (void)req;
        for (;;)
            pause();
    }"""


@pytest.mark.parametrize("settings", [
    {"raw_env": ["STUCK_IN=load"]}, {"raw_env": ["STUCK_IN=call"], "relief_after": 0},
    {"raw_env": ["STUCK_IN=call"], "graceful_timeout": 0}], ids=["load", "call", "no time"])
def test_stuck_workers_leave_too_when_the_arbiter_is_killed(server, compile_app, settings):
    """Nobody else would end them when graceful_timeout is over."""
    app = {"target": f"c:{compile_app(STUCK)}", "bind": "127.0.0.1:0"}
    s = server(apps={"app": app}, **{"graceful_timeout": 1, **settings})
    (worker,) = s.wait_workers(1)
    with s.connect() as c:
        c.ask("/")
        # In its pause(): it sleeps, and has its own handlers.
        wait_for(lambda: is_caught(worker, signal.SIGHUP) and stat_of(worker)[0] == "S")
        time.sleep(0.2)
        s.signal(signal.SIGKILL)
        s.wait()
        wait_for(lambda: not s.left(), what="no orphan")


def is_caught(pid, number):
    caught = re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())[1]
    return int(caught, 16) & 1 << (number - 1)


def test_signals_that_were_blocked_at_the_start(server):
    """Whoever started it may have left them so, as some do from their threads."""
    blocked = {signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        s = server(workers=1)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
    s.wait_workers(1)
    s.stop()


def test_who_dies_in_stop_delay_is_replaced(server):
    """Also if it was the only one: the server does not end before its time."""
    s = server(workers=1, stop_delay=600)
    old = s.wait_workers(1)
    s.signal(signal.SIGTERM)
    s.wait_log("stop in 600 s")
    s.signal(signal.SIGKILL, old[0])
    wait_for(lambda: s.workers() and s.workers() != old, what="another worker")
    assert s.get("/hello").status == 200
    s.stop()


def test_reload_that_fails_in_stop_delay(server, compile_app):
    """Its workers that die are not started again and again meanwhile."""
    s = server(workers=1, stop_delay=600)
    old = s.wait_workers(1)
    stuck = {"target": f"c:{compile_app(STUCK)}", "bind": "127.0.0.1:0"}
    s.configure({"probe": stuck}, workers=1, raw_env=["STUCK_IN=load"])
    s.signal(signal.SIGHUP)
    coming = s.wait_workers(2)[-1]
    s.signal(signal.SIGTERM)
    s.wait_log("stop in 600 s")
    s.signal(signal.SIGKILL, coming)
    s.wait_log("reload failed: worker probe .* died")
    assert s.workers() == old and s.get("/hello").status == 200
    s.stop()


def test_storm_of_signals(server):
    s = server(workers=2)
    s.wait_workers(2)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for number in (signal.SIGTTIN, signal.SIGHUP, signal.SIGCHLD, signal.SIGTTOU,
                       signal.SIGUSR1):
            s.signal(number)
        time.sleep(0.005)
    assert s.get("/hello").status == 200
    s.stop()


def test_stopped_worker_does_not_keep_the_other_from_serving(server):
    s = server(workers=2)
    stopped = s.wait_workers(2)[0]
    assert s.get("/hello").status == 200
    s.signal(signal.SIGSTOP, stopped)
    wait_for(lambda: stat_of(stopped)[0] == "T", what="stopped")
    try:
        for _ in range(20):
            with s.connect(timeout=3) as c:
                assert c.get("/hello").status == 200
    finally:
        s.signal(signal.SIGCONT, stopped)


def test_pidfile(server):
    s = server(pidfile="alicorn.pid")
    pidfile = s.folder / "alicorn.pid"
    assert int(pidfile.read_text()) == s.pid
    s.signal(signal.SIGHUP)
    s.wait_log("(?i)reload|hup")
    time.sleep(0.3)
    assert int(pidfile.read_text()) == s.pid
    s.stop()
    assert not pidfile.exists()


def test_pidfile_of_another_that_runs(server, alicorn, tmp_path):
    s = server(pidfile="alicorn.pid")
    done = alicorn("-c", s.folder / "server.conf")
    assert done.returncode == 1
    assert str(s.pid) in done.stderr + s.log()
    assert int((s.folder / "alicorn.pid").read_text()) == s.pid


def test_stale_pidfile_is_replaced(server, tmp_path):
    (tmp_path / "alicorn.pid").write_text("999999999\n")
    s = server(pidfile="alicorn.pid")
    assert int((tmp_path / "alicorn.pid").read_text()) == s.pid


def test_titles(server):
    s = server(proc_name="shop")
    (worker,) = s.wait_workers(1)
    assert title_of(s.pid).startswith("shop: arbiter")
    assert title_of(worker) == "shop: worker probe"


def test_descriptors_of_an_arbiter_do_not_grow(server):
    s = server(workers=2)
    s.wait_workers(2)

    def descriptors():
        return len(os.listdir(f"/proc/{s.pid}/fd"))

    before = descriptors()
    for _ in range(5):
        old = s.wait_workers(2)
        s.signal(signal.SIGKILL, old[0])
        s.signal(signal.SIGHUP)
        wait_for(lambda: len(s.workers()) == 2 and not set(old) & set(s.workers()),
                 what="a new generation")
    wait_for(lambda: descriptors() <= before, what="descriptors closed")
