"""Daemon mode: the command ends when the server is ready, or is not going to be."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import (ALICORN, APPS, AS_USER, environment, free_port, is_alive, stat_of, text_of,
                      wait_for)
from wire import Client


@pytest.fixture
def daemon(alicorn, tmp_path):
    """A function that starts a daemon and returns what came of the command; it is given
    .port, and .pid when it succeeded. The log is a file."""
    started = []

    def start(*arguments, **how):
        port = free_port()
        done = alicorn("-D", "-b", f"127.0.0.1:{port}", "-p", "pid", "--log-file", "log",
                       *arguments, f"{APPS}/probe.so", **how)
        done.port, done.pid = port, None
        if (tmp_path / "pid").exists():
            done.pid = int((tmp_path / "pid").read_text())
            started.append(done.pid)
        return done

    yield start
    for pid in started:
        stop(pid)


def stop(pid):
    if is_alive(pid):
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(pid), what="the daemon gone")


def get(port):
    with Client(("127.0.0.1", port)) as c:
        return c.get("/hello").status


def test_serves_when_the_command_ends(daemon, tmp_path):
    done = daemon()
    assert done.returncode == 0 and done.stdout == done.stderr == ""
    assert get(done.port) == 200
    stat = stat_of(done.pid)
    assert stat[3] != str(os.getsid(0)) and stat[4] == "0"  # a session, and no terminal
    for fd in range(3):
        assert os.readlink(f"/proc/{done.pid}/fd/{fd}") == "/dev/null"
    with open(f"/proc/{done.pid}/status") as f:
        assert re.search(r"Umask:\s*0022", f.read())
    stop(done.pid)
    assert not (tmp_path / "pid").exists()
    assert "stopped" in text_of(tmp_path / "log")


def test_waits_until_ready(daemon):
    began = time.monotonic()
    done = daemon("-e", "PROBE_INIT=slow")
    assert done.returncode == 0 and time.monotonic() - began > 0.8
    assert get(done.port) == 200


@pytest.mark.parametrize("how,status,words", [
    ("fail", 4, "does not want to"), ("crash", 3, "died before one was ready")])
def test_failure_is_told_on_the_terminal(daemon, how, status, words):
    done = daemon("-e", f"PROBE_INIT={how}", "--boot-attempts", "2")
    assert done.returncode == status and words in done.stderr
    assert done.pid is None


def test_address_in_use(alicorn):
    with socket.create_server(("127.0.0.1", 0)) as s:
        done = alicorn("-D", "-b", f"127.0.0.1:{s.getsockname()[1]}", "--log-file", "log",
                       f"{APPS}/probe.so")
    assert done.returncode == 1 and "Address already in use" in done.stderr


def test_log_that_cannot_be_opened(alicorn):
    done = alicorn("-D", "--log-file", "/nowhere/log", f"{APPS}/probe.so")
    assert done.returncode == 1 and "/nowhere/log" in done.stderr


def test_stopped_before_it_was_ready(tmp_path, server):
    s = server(daemon=True, pidfile="pid", raw_env=["PROBE_INIT=slow"], wait=False)
    wait_for((tmp_path / "pid").exists, what="the pidfile")
    pid = int((tmp_path / "pid").read_text())
    time.sleep(0.2)
    os.kill(pid, signal.SIGQUIT)
    assert s.wait() != 0
    wait_for(lambda: not is_alive(pid), what="the daemon gone")


@pytest.mark.parametrize("keep", [False, True])
def test_output_is_kept_when_asked_for(tmp_path, keep):
    port = free_port()
    with open(tmp_path / "out", "wb") as out:
        done = subprocess.run(
            [ALICORN, *AS_USER, "-D", *(["-R"] if keep else []), "-p", tmp_path / "pid", "-b",
             f"127.0.0.1:{port}", f"{APPS}/probe.so"], cwd=tmp_path, stdout=out, stderr=out,
            env=environment(tmp_path), timeout=20)
    assert done.returncode == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        assert get(port) == 200
    finally:
        stop(pid)
    assert ("listening on" in (tmp_path / "out").read_text()) == keep


def test_upgrade_stays_in_the_background(daemon, tmp_path):
    done = daemon()
    os.kill(done.pid, signal.SIGUSR2)
    wait_for((tmp_path / "pid.2").exists, what="the second pidfile")
    new = int((tmp_path / "pid.2").read_text())
    os.kill(done.pid, signal.SIGTERM)
    wait_for(lambda: text_of(tmp_path / "pid") == f"{new}\n", what="promoted")
    assert get(done.port) == 200
    stop(new)
