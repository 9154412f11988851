"""Hooks: commands and functions at the moments that gunicorn's users know."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import PROBE, TOP, wait_for

SERVER_HOOKS = ["on_starting", "when_ready", "on_reload", "nworkers_changed", "pre_fork",
                "post_fork", "child_exit", "on_exit"]
APP_HOOKS = ["post_worker_init", "pre_request", "post_request", "worker_int", "worker_abort",
             "worker_exit"]

PLUG_IN = """
    #include <alicorn-hooks.h>
    #include <fcntl.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <unistd.h>

    const char *note(const struct al_facts *f)
    {
        char line[256];
        int fd = open(getenv("NOTES"), O_WRONLY | O_APPEND | O_CREAT, 0666);
        int n = snprintf(line, sizeof line, "%s kind=%s worker=%d status=%d %u->%u uid=%d\\n",
                f->hook, f->kind ? f->kind : "-", (int)f->worker, f->status, f->workers_old,
                f->workers_new, (int)geteuid());
        if (fd == -1 || write(fd, line, n) != n)
            return "cannot take a note";
        close(fd);
        return NULL;
    }

    const char *refuse(const struct al_facts *f)
    {
        (void)f;
        return "it does not want to";
    }
"""

HOOKS_PY = """
import os, time

def note(*words):
    with open(os.environ["NOTES"], "a") as f:
        f.write(" ".join(map(str, words)) + "\\n")

def app(environ, start_response):
    if environ["PATH_INFO"] == "/stuck":
        time.sleep(60)
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("failing")
    start_response("200 Fine", [("X-Who", str(os.getpid()))])
    return [b"hello"]

def post_worker_init(worker): note("post_worker_init", worker.pid, worker.age, worker.name)
def pre_request(worker, req): note("pre_request", req.method, req.path, req.query)
def post_request(worker, req, environ, resp):
    note("post_request", req.path, environ["QUERY_STRING"], resp.status_code, resp.status)
def two(worker, req): note("two", req.uri)
def three(worker, req, environ): note("three", environ["PATH_INFO"])
def headers(worker, req, environ, resp): note(dict(req.headers)["X-TEST"], resp.headers)
def raising(*args): raise RuntimeError("of the hook")
def worker_int(worker): note("worker_int"); worker.log.info("worker %s: int", worker.pid)
def worker_abort(worker): note("worker_abort")
def worker_exit(server, worker): note("worker_exit", server.pid == worker.ppid)
"""


@pytest.fixture
def plug_in(tmp_path):
    """The plug-in, as the word before a function's name."""
    source = tmp_path / "hooks.c"
    source.write_text(PLUG_IN)
    subprocess.run(["cc", f"-I{TOP}/gateway", "-fPIC", "-shared", "-o", tmp_path / "hooks.so",
                    source], check=True)
    return "c:./hooks.so"


@pytest.fixture
def notes(tmp_path):
    """What the hooks have written so far, line by line."""
    file = tmp_path / "notes"
    file.touch()
    file.chmod(0o666)

    def lines():
        return file.read_text().splitlines()

    lines.env = {"NOTES": str(file)}
    lines.names = lambda: [line.split()[0] for line in lines()]
    return lines


def script(tmp_path, text):
    file = tmp_path / "hook"
    file.write_text("#!/bin/sh\n" + text)
    file.chmod(0o755)
    return file


def python_app(tmp_path, **settings):
    (tmp_path / "hooked.py").write_text(HOOKS_PY)
    return {"app": {"target": "python:hooked:app", "chdir": str(tmp_path),
                    "bind": "127.0.0.1:0", **settings}}


def hooked(*names):
    return {name: f"hooked:{name}" for name in names or APP_HOOKS}


# ---- Those of the server -----------------------------------------------------------------


def test_functions_of_a_plug_in_in_their_order(server, plug_in, notes):
    s = server(workers=1, env=notes.env,
               **{name: f"{plug_in}:note" for name in SERVER_HOOKS})
    old = s.wait_workers(1)
    assert s.get("/hello").status == 200
    assert notes.names() == ["nworkers_changed", "on_starting", "when_ready", "pre_fork",
                             "post_fork"]
    assert notes()[0].endswith(f"0->1 uid={os.geteuid()}")
    assert f"worker={old[0]} " in notes()[4]

    s.signal(signal.SIGHUP)
    wait_for(lambda: "child_exit" in notes.names(), what="the old worker's end")
    assert notes.names()[5:] == ["nworkers_changed", "on_reload", "pre_fork", "post_fork",
                                 "child_exit"]
    assert f"worker={old[0]} status=0 " in notes()[9]

    s.signal(signal.SIGTTIN)
    s.wait_workers(2)
    wait_for(lambda: len(notes()) == 13)
    assert notes.names()[10:] == ["nworkers_changed", "pre_fork", "post_fork"]
    assert " 1->2 " in notes()[10]
    s.stop(signal.SIGQUIT)
    assert notes.names()[13:] == ["child_exit", "child_exit", "on_exit"]


def test_a_command_gets_the_facts(server, tmp_path, notes):
    command = script(tmp_path, """
        echo to the log
        { echo "$@"; env | grep ^ALICORN_; ls /proc/self/fd; } >$NOTES.new
        mv $NOTES.new $NOTES
    """)
    s = server(env=notes.env, child_exit=f"{command} one 'two three'", apps={
        "shop": {"target": PROBE, "bind": "127.0.0.1:0"}})
    worker, = s.wait_workers(1)
    assert s.get("/hello").status == 200
    os.kill(worker, signal.SIGSEGV)
    wait_for(lambda: notes(), what="the hook")
    lines = notes()
    assert lines[0] == "one two three"
    for fact in ("HOOK=child_exit", "POOL=shop", "KIND=worker", f"WORKER_PID={worker}",
                 f"PID={s.pid}", "STATUS=139", "GENERATION=1", "WORKER_AGE=1"):
        assert f"ALICORN_{fact}" in lines
    assert set(lines[-4:]) >= {"0", "1", "2"} and "4" not in lines
    s.wait_log("to the log")


def test_a_command_is_not_waited_for(server, tmp_path):
    command = script(tmp_path, "sleep 3")
    s = server(**dict.fromkeys(["when_ready", "pre_fork", "nworkers_changed", "child_exit"],
                               str(command)))
    began = time.monotonic()
    assert s.get("/hello").status == 200
    os.kill(s.wait_workers(1)[0], signal.SIGKILL)
    s.wait_log("was ended by signal 9")
    wait_for(lambda: s.workers())
    s.signal(signal.SIGTERM)
    assert s.wait() == 0
    assert time.monotonic() - began < 2.5


def test_no_more_commands_than_a_limit(server, tmp_path):
    s = server(pre_fork=script(tmp_path, "sleep 20"), workers=70)
    s.wait_log("hook pre_fork is not run: 64 commands of hooks have not ended", times=6)
    s.wait_workers(70)


@pytest.mark.parametrize("value, reason", [
    ("/bin/false", "hook {} failed with status 1"),
    ("/there/is/none", "hook {}: cannot execute /there/is/none: No such file"),
    ("sh -c 'kill -9 $$'", r"hook {} was ended by signal 9 \(Killed\)"),
    ("c:./hooks.so:refuse", "hook {}: c:\\S*/hooks.so:refuse: it does not want to"),
    ("c:./hooks.so:missing", "hook {}: c:\\S*missing: .*undefined symbol: missing"),
    ("c:./none.so:note", "hook {}: c:\\S*none.so:note: .*cannot open shared object"),
])
def test_a_hook_that_fails_is_reported_and_harmless(server, plug_in, value, reason):
    s = server(**dict.fromkeys(SERVER_HOOKS, value))
    old = s.wait_workers(1)
    assert s.get("/hello").status == 200
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    wait_for(lambda: s.workers() and old[0] not in s.workers())
    assert s.get("/hello").status == 200
    s.stop()
    for name in SERVER_HOOKS:
        assert re.search(reason.format(name), s.log()), name


@pytest.mark.parametrize("value", ["!/bin/false", "!c:./hooks.so:refuse", "!/there/is/none"])
def test_what_must_succeed(server, plug_in, value):
    s = server(on_starting=value, wait=False)
    assert s.wait() == 1
    s.wait_log("CRITICAL.*the hook on_starting failed")
    s = server(post_fork=value.replace("./", str(Path(s.folder)) + "/"), wait=False)
    assert s.wait() == 4
    s.wait_log("the hook post_fork failed")


def test_a_reload_waits_for_what_must_succeed(server, tmp_path):
    good = tmp_path / "good"
    s = server(on_reload=f"!{script(tmp_path, f'sleep 0.5; test -e {good}')}")
    old = s.wait_workers(1)
    s.signal(signal.SIGHUP)
    s.wait_log("reload failed: the hook on_reload failed; generation 1 goes on")
    assert s.get("/hello").status == 200 and old[0] in s.workers()
    good.touch()
    began = time.monotonic()
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    assert time.monotonic() - began > 0.4


def test_a_mark_without_a_meaning_is_refused(alicorn, tmp_path):
    (tmp_path / "x.conf").write_text('on_exit = "!true";\ntarget = "a:b";\n')
    run = alicorn("-c", "x.conf", "--print-config")
    assert run.returncode == 1
    assert 'x.conf:1: on_exit: "!true": nothing that follows' in run.stderr
