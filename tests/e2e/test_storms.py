"""Every signal while clients are served, and more signals than anybody sends."""

import os
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
