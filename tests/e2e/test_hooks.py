"""Hooks: commands and functions at the moments that gunicorn's users know."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import PROBE, SANITIZED, TOP, wait_for

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
    if environ["PATH_INFO"] == "/crash":
        import ctypes
        ctypes.string_at(0)
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
    s.wait_log(reason.format("child_exit")) # a command is not waited for at the end
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


def test_a_new_program(server, plug_in, notes):
    """pre_exec runs in the process that becomes it; it can refuse."""
    def second():
        return [line for line in notes() if line.startswith("pre_exec")]

    s = server(pre_exec=f"!{plug_in}:note", pidfile="p", env=notes.env)
    s.wait_workers(1)
    s.signal(signal.SIGUSR2)
    wait_for(lambda: second() and (s.folder / "p.2").exists(), what="the second arbiter")
    os.kill(int((s.folder / "p.2").read_text()), signal.SIGTERM)
    s.wait_log("the new arbiter has ended")
    s.configure(pre_exec="!false", pidfile="p")
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    s.signal(signal.SIGUSR2)
    s.wait_log("hook pre_exec failed with status 1")
    time.sleep(0.3)
    assert not (s.folder / "p.2").exists() and s.get("/hello").status == 200


def test_a_mark_without_a_meaning_is_refused(alicorn, tmp_path):
    (tmp_path / "x.conf").write_text('on_exit = "!true";\ntarget = "a:b";\n')
    run = alicorn("-c", "x.conf", "--print-config")
    assert run.returncode == 1
    assert 'x.conf:1: on_exit: "!true": nothing that follows' in run.stderr


# ---- Those of an application, in Python --------------------------------------------------


def test_functions_in_their_order(server, tmp_path, notes):
    s = server(apps=python_app(tmp_path, **hooked("post_worker_init", "pre_request",
                                                  "post_request", "worker_int", "worker_exit")),
               env=notes.env)
    worker, = s.wait_workers(1)
    assert s.get("/a?b=c").body == b"hello"
    assert s.get("/fail").status == 500
    with s.connect() as c:
        c.send(b"BAD\r\n\r\n")
        assert c.response().status == 400
    wait_for(lambda: len(notes()) == 5)
    assert notes() == [
        f"post_worker_init {worker} 1 app",
        "pre_request GET /a b=c", "post_request /a b=c 200 200 Fine",
        "pre_request GET /fail ", "post_request /fail  500 500"]
    s.stop(signal.SIGTERM)
    assert notes()[5:] == ["worker_exit True"]


def test_a_quick_stop_calls_worker_int(server, tmp_path, notes):
    s = server(apps=python_app(tmp_path, **hooked()), env=notes.env)
    worker, = s.wait_workers(1)
    assert s.get("/").status == 200
    s.stop(signal.SIGQUIT)
    assert notes.names()[-2:] == ["worker_int", "worker_exit"]
    s.wait_log(f"worker {worker}: int")


def test_a_quick_stop_in_the_middle_of_a_request(server, tmp_path, notes):
    s = server(apps=python_app(tmp_path, **hooked()), env=notes.env)
    s.wait_workers(1)
    with s.connect() as c:
        c.ask("/stuck")
        wait_for(lambda: "pre_request" in notes.names())
        s.signal(signal.SIGQUIT)
        assert c.response().status == 503
    assert s.wait() == 0
    assert notes.names()[-2:] == ["worker_int", "worker_exit"]


# The id of the request is there if the logger reads it before the worker has ended.
SAID = r"\n\[.*\] \[INFO\] app: (?:\S+: )?"  # before a line that the application prints


@pytest.mark.parametrize("hooks", [[], ["worker_exit"], ["worker_abort", "worker_exit"]])
def test_the_stack_of_a_request_that_takes_too_long(server, tmp_path, notes, hooks):
    s = server(apps=python_app(tmp_path, timeout=1, **(hooked(*hooks) if hooks else {})),
               env=notes.env)
    s.wait_workers(1)
    assert s.get("/stuck").status == 504
    s.wait_log("GET /stuck.*time is over")
    s.wait_log(rf'most recent call first\):{SAID}  File "\S*hooked.py", line \d+ in app')
    s.wait_log(r"by the arbiter: request timeout")
    assert notes.names() == hooks
    assert s.get("/").status == 200


@pytest.mark.skipif(SANITIZED, reason="a sanitizer reports the crash")
def test_the_stack_of_a_crash(server, tmp_path):
    s = server(apps=python_app(tmp_path))
    assert s.get("/crash").status == 502
    s.wait_log(rf'most recent call first\):({SAID}  File .*)+{SAID}  File "\S*hooked.py", line \d+ in app')


@pytest.mark.parametrize("name, note", [
    ("two", "two /x?y"), ("three", "three /x"), ("headers", "yes [('X-Who', '{}')]")])
def test_forms_of_post_request(server, tmp_path, notes, name, note):
    s = server(apps=python_app(tmp_path, post_request=f"hooked:{name}"), env=notes.env)
    worker, = s.wait_workers(1)
    with s.connect() as c:
        c.ask("/x?y", fields=[("X-Test", "yes")])
        assert c.response().status == 200
    wait_for(lambda: notes())
    assert notes() == [note.format(worker)]


@pytest.mark.parametrize("value, reason", [
    ("hooked:raising", "RuntimeError: of the hook"),
    ("hooked:missing", "has no attribute 'missing'"),
    ("nowhere:f", "No module named 'nowhere'"),
    ("hooked", "'hooked' is not MODULE:FUNCTION"),
    ("os:getpid", "does not take"),
])
def test_a_function_that_fails_is_reported_and_harmless(server, tmp_path, notes, value, reason):
    s = server(apps=python_app(tmp_path, **dict.fromkeys(APP_HOOKS, value)), env=notes.env)
    for _ in range(2):
        assert s.get("/").body == b"hello"
    s.wait_log(reason)
    for name in "pre_request", "post_request":
        s.wait_log(f"hook {name}")
    s.stop()


def test_with_preload_app(server, tmp_path, notes, plug_in):
    s = server(apps=python_app(tmp_path, preload_app=True, workers=2, **hooked()),
               post_fork=f"{plug_in}:note", env=notes.env)
    workers = s.wait_workers(2)
    s.get("/")
    wait_for(lambda: notes.names().count("post_worker_init") == 2)
    for worker in workers:
        assert any(f"kind=worker worker={worker} " in line for line in notes())
        assert any(line.startswith(f"post_worker_init {worker} ") for line in notes())
    assert sum("kind=prototype" in line for line in notes()) == 1
    s.stop(signal.SIGQUIT)


# ---- Those of an application, in C -------------------------------------------------------


def test_functions_of_a_c_application(server, compile_app, notes):
    source = """
        #include <fcntl.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <unistd.h>
        static void note(const char *name, struct al_request *req)
        {
            int fd = open(getenv("NOTES"), O_WRONLY | O_APPEND);
            dprintf(fd, "%s %s %u\\n", name, req ? al_env(req, "PATH_INFO") : "-",
                    req ? al_status(req) : 0);
            close(fd);
        }
        int al_handle(void *app, struct al_request *req)
        {
            (void)app;
            note("handle", req);
            return al_start(req, "204 x", NULL, 0) == -1 ? AL_ERROR : AL_DONE;
        }
    """
    for name in APP_HOOKS:
        source += f"""
            void on_{name}(void *app, struct al_request *req)
            {{ (void)app; note("{name}", req); }}"""
    hooks = {name: f"on_{name}" for name in APP_HOOKS}
    s = server(apps={"app": {"target": f"c:{compile_app(source)}", "bind": "127.0.0.1:0",
                             **hooks, "worker_abort": "on_nothing"}}, env=notes.env)
    s.wait_workers(1)
    s.wait_log("hook worker_abort: .*undefined symbol: on_nothing")
    assert s.get("/p").status == 204
    s.stop(signal.SIGQUIT)
    assert notes() == ["post_worker_init - 0", "pre_request /p 0", "handle /p 0",
                       "post_request /p 204", "worker_int - 0", "worker_exit - 0"]
