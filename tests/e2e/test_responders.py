"""FastCGI programs of several languages that the arbiter runs: each is scaled, healed and
reloaded like a worker."""

import random
import shutil
import signal
import subprocess
import threading

import pytest

from conftest import TOP, title_of, wait_for

FOLDER = TOP / "tests/apps/responders"


def has(*command):
    """Whether the program runs, and finds its library."""
    return shutil.which(command[0]) is not None and subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def compile_c(folder):
    program = folder / "responder"
    done = subprocess.run(["cc", "-O1", "-o", program, FOLDER / "responder.c", "-lfcgi"],
                          capture_output=True, check=False)
    return str(program) if done.returncode == 0 else None


def find_command(language, folder):
    """The program and its arguments; None: what it needs is not installed."""
    if language == "c":
        return compile_c(folder)
    needs, command = {
        "perl": (["perl", "-MFCGI", "-e1"], "perl {}/responder.pl"),
        "python": (["/usr/bin/python3", "-c", "0"], "/usr/bin/python3 {}/responder.py"),
        "lua": (["lua5.1", "-e", "require 'wsapi.fastcgi'"], "lua5.1 {}/responder.lua"),
        "node": (["node", "-e", "0"], "node {}/responder.js"),
    }[language]
    return command.format(FOLDER) if has(*needs) else None


@pytest.fixture(params=["c", "perl", "python", "lua", "node"])
def managed(request, server, tmp_path):
    """Two responders of a language behind a server."""
    command = find_command(request.param, tmp_path)
    if command is None:
        pytest.skip(f"no FastCGI for {request.param} is installed")
    s = server(apps={"app": {"target": f"fcgi-exec:{command}", "bind": "127.0.0.1:0",
                             "workers": 2}})
    s.language = request.param
    wait_for(lambda: len(programs(s)) == 2, what="two programs")
    return s


def programs(s):
    return [pid for pid in s.session() if "responder" in title_of(pid)
            and "alicorn:" not in title_of(pid)]


def ask_until(s, done, n=4):
    """Clients that ask, one request after the other, until done() is true; what each was
    answered."""
    over, answers = threading.Event(), []

    def ask(number):
        for i in range(100_000):
            body = b"%d %d" % (number, i)
            r = s.get(f"/?{number}", "POST", body=body)
            answers.append((r.status, r.body == b"POST %d %s" % (number, body)))
            if over.is_set():
                return

    clients = [threading.Thread(target=ask, args=[number]) for number in range(n)]
    for c in clients:
        c.start()
    try:
        done()
    finally:
        over.set()
        for c in clients:
            c.join()
    return answers


def test_request_and_answer(managed):
    assert managed.get("/a?b=c").body == b"GET b=c "
    body = random.Random(1).randbytes(100_000).replace(b"\0", b"x")
    assert managed.get("/?d", "POST", body=body).body == b"POST d " + body
    managed.wait_log(f"{managed.language} was asked")


def test_ttin_scales(managed):
    managed.signal(signal.SIGTTIN)
    wait_for(lambda: len(programs(managed)) == 3, what="three programs")
    managed.signal(signal.SIGTTOU)
    wait_for(lambda: len(programs(managed)) == 2, what="two programs")
    assert managed.get("/?x").body == b"GET x "


def test_kill_heals(managed):
    killed = programs(managed)
    for pid in killed:
        managed.signal(signal.SIGKILL, pid)
    wait_for(lambda: len(programs(managed)) == 2 and not set(killed) & set(programs(managed)),
             what="new programs")
    for i in range(10):
        assert managed.get(f"/?{i}").body == b"GET %d " % i


def test_hup_loses_no_request(managed):
    old = programs(managed)

    def reload():
        managed.signal(signal.SIGHUP)
        wait_for(lambda: len(programs(managed)) == 2 and not set(old) & set(programs(managed)),
                 what="new programs")

    answers = ask_until(managed, reload)
    assert len(answers) >= 4 and set(answers) == {(200, True)}
    assert int(managed.get("/").field("X-Pid")) in programs(managed)


def test_connections_to_programs_are_not_kept(server, tmp_path):
    """They share a socket: one that is idle would hold a program."""
    command = compile_c(tmp_path)
    if command is None:
        pytest.skip("libfcgi is not installed")
    s = server(apps={"app": {"target": f"fcgi-exec:{command}", "bind": "127.0.0.1:0",
                             "workers": 1, "fcgi_keepalive": 5}})
    for _ in range(3):
        assert s.get("/").field("X-Keep") == "0"
