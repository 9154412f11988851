"""Every signal while clients are served, and more signals than anybody sends."""

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from conftest import SANITIZED, is_alive, wait_for
from test_signals import is_pending
from wire import Client, Cut

SECONDS = float(os.environ.get("STORM_SECONDS", 3))


def send_counted(s, number):
    """The kernel keeps one of each number: the next one when this was delivered."""
    s.signal(number)
    while is_pending(s.pid, number):
        time.sleep(0.0005)


def test_each_ttin_of_a_storm_counts(server):
    n = 40 if SANITIZED else 200
    s = server(workers=1)
    s.wait_workers(1)
    for i in range(n):
        send_counted(s, signal.SIGTTIN)
        time.sleep(1 / n / 2)
    s.wait_workers(1 + n)
    assert s.get("/hello").status == 200
    for _ in range(n):
        send_counted(s, signal.SIGTTOU)
    s.wait_workers(1)
    assert s.get("/hello").status == 200
    s.stop()


def test_storm_of_hups(server):
    s = server(workers=2)
    s.wait_workers(2)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        s.signal(signal.SIGHUP)
        time.sleep(0.002)
    assert s.get("/hello").status == 200
    wait_for(lambda: s.get("/hello").status == 200 and len(s.workers()) == 2,
             what="two workers again")
    assert "reload failed" not in s.log()
    s.stop()


# ---- Each signal under load --------------------------------------------------------------


def scale(s):
    for number in [signal.SIGTTIN] * 2 + [signal.SIGTTOU] * 3:
        s.signal(number)
        time.sleep(0.2)
    s.wait_workers(1)


def reload(s):
    for n in range(1, 4):
        s.signal(signal.SIGHUP)
        s.wait_log("reload done", n)


def reopen(s):
    for n in range(5):
        s.log_file.rename(s.folder / f"log.{n}")
        s.signal(signal.SIGUSR1)
        wait_for(s.log_file.exists, what="a new log")


def pause(s):
    """The clients wait; nobody is turned away."""
    s.signal(signal.SIGWINCH)
    s.wait_workers(0)
    s.signal(signal.SIGHUP)
    s.wait_workers(2)


def mean_nothing(s):
    for number in [signal.SIGCHLD, signal.SIGPIPE] * 5:
        s.signal(number)
        time.sleep(0.05)


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
@pytest.mark.parametrize("how", [scale, reload, reopen, pause, mean_nothing])
def test_signal_under_load(server, how):
    s = server(workers=2)
    host, port = s.address
    seconds = 6 if SANITIZED else 4
    wrk = subprocess.Popen(["wrk", "-t1", "-c32", f"-d{seconds}", f"http://{host}:{port}/hello"],
                           stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.3)
        how(s)
        output = wrk.communicate(timeout=30)[0]
    finally:
        wrk.kill()
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    assert int(re.search(r"(\d+) requests in", output)[1]) > 500, output


def ask_until_closed(address, statuses, faults):
    """Requests on kept connections, until nobody listens. A response that has begun is
    complete."""
    while True:
        try:
            with Client(address) as c:
                while True:
                    r = c.get("/sleep?ms=20")
                    statuses.append(r.status)
                    if r.field("Connection") == "close":
                        break
        except Cut:
            if c.buffer:
                faults.append(c.buffer)
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
            return
        except Exception as fault:
            faults.append(fault)
            return


@pytest.mark.parametrize("number,expected", [
    (signal.SIGTERM, {200}), (signal.SIGQUIT, {200, 503}), (signal.SIGINT, {200, 503})])
def test_stop_under_load(server, number, expected):
    s = server(workers=2)
    statuses, faults = [], []
    clients = [threading.Thread(target=ask_until_closed, args=(s.address, statuses, faults))
               for _ in range(8)]
    for c in clients:
        c.start()
    time.sleep(0.5)
    s.stop(number)
    for c in clients:
        c.join(10)
    assert not faults and set(statuses) <= expected and len(statuses) > 10


def test_forced_stop_under_load(server):
    s = server(workers=2)
    statuses, faults = [], []
    client = threading.Thread(target=ask_until_closed, args=(s.address, statuses, faults))
    client.start()
    time.sleep(0.3)
    s.session()
    s.signal(signal.SIGTERM)
    time.sleep(0.02)
    if is_alive(s.pid):
        s.stop(signal.SIGTERM)
    client.join(10)
    assert statuses and not faults


# ---- Workers that are killed at random -----------------------------------------------------


class Killer:
    """Kills a worker every now and then, and remembers when and which."""

    def __init__(self, s):
        self.s, self.kills, self.first_seen = s, [], {}

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(random.uniform(0.1, 0.4))
            now = time.monotonic()
            for pid in self.s.workers():
                self.first_seen.setdefault(pid, now)
            # One that has served for a while: else the next one is started later.
            settled = [pid for pid in self.s.workers() if now > self.first_seen[pid] + 1.5]
            if settled:
                self.kill(random.choice(settled))

    def kill(self, pid):
        self.kills.append((time.monotonic(), pid))
        self.s.signal(signal.SIGKILL, pid)


class Asker(threading.Thread):
    """Asks on one connection, for as long as that lives: one in 100 requests takes 50 ms. For
    each that fails it notes since when the connection had been well, when it failed, and which
    worker had answered last there (None: nobody yet)."""

    def __init__(self, address):
        super().__init__()
        self.address, self.over = address, False
        self.answered, self.moved, self.failures, self.faults = 0, 0, [], []
        self.start()

    def run(self):
        try:
            while not self.over:
                began = time.monotonic()
                with Client(self.address) as c:
                    self.ask_on(c, began)
        except Exception as fault:  # what no kill is a reason for
            self.faults.append(fault)

    def ask_on(self, c, well_since):
        last = None
        while not self.over:
            asked = time.monotonic()
            try:
                r = c.get("/sleep?ms=50" if random.random() < 0.01 else "/pid")
            except (Cut, OSError) as e:
                assert not c.buffer, f"half a response: {c.buffer!r}"
                self.failures.append((well_since, time.monotonic(), last, repr(e)))
                return
            assert r.status == 200, r
            well_since = asked
            self.answered += 1
            pid = int(r.body)
            self.moved += last not in (None, pid)
            last = pid


def explain(failure, kills, stays):
    """The kill that was the reason: it came while the connection was in some worker's hands.
    Where connections stay at their workers, it was this one's. A moment is allowed between the
    kill and when its client hears of it."""
    well_since, failed, last, _ = failure
    for kill in kills:
        moment, pid = kill
        if well_since <= moment <= failed and (not stays or last in (None, pid)):
            return kill
    return None


@pytest.mark.parametrize("settings", [
    {"relief_after": 0, "limit_queue": 0}, {"relief_after": 1}], ids=["stays", "moves"])
def test_random_kills_under_load(server, settings):
    """A request fails only when a worker was killed that had its connection: each kill is the
    reason for one failure of a client at most, and there is no failure without one. One that
    waits in the queue is in nobody's hands (test_handoff.py kills a worker meanwhile); so where
    connections move, many that a killed worker once had go on."""
    s = server(workers=4, keepalive=60, timeout=60, **settings)
    s.wait_workers(4)
    killer = Killer(s)
    askers = [Asker(s.address) for _ in range(16)]
    killer.run(SECONDS + 2)
    time.sleep(0.5)
    for asker in askers:
        asker.over = True
    for asker in askers:
        asker.join(20)
    stays = "limit_queue" in settings
    for asker in askers:
        assert not asker.faults
        reasons = [explain(f, killer.kills, stays) for f in asker.failures]
        assert None not in reasons, list(zip(asker.failures, reasons))
        assert len(set(reasons)) == len(reasons), list(zip(asker.failures, reasons))
    assert killer.kills and sum(a.answered for a in askers) > 200 * SECONDS
    assert (sum(a.moved for a in askers) == 0) == stays
    for _, pid in killer.kills:
        s.wait_log(rf"pid {pid}\) was ended by signal 9")
    s.wait_workers(4)
    assert s.get("/hello").status == 200
    assert s.log().count("was ended by signal") == len(killer.kills)
    s.stop()
