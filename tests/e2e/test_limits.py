"""Limits of a process: who reaches one is replaced, and the log says which one it was."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from conftest import ALICORN, SANITIZED, wait_for
from wire import LIMIT

needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
not_sanitized = pytest.mark.skipif(SANITIZED, reason="sanitizers need memory of their own")

# /grow takes so many MiB for ever and tells whether it got them; /hold then waits for as
# many milliseconds, /burn does nothing but that.
SOURCE = """
    #include <stdio.h>
    #include <stdlib.h>
    #include <unistd.h>
    int al_handle(void *app, struct al_request *req)
    {
        const char *path = al_env(req, "PATH_INFO"), *text = "had\\n";
        size_t n = strtoul(al_env(req, "QUERY_STRING"), NULL, 10);
        char *memory = NULL;

        (void)app;
        if (strcmp(path, "/grow") == 0 || strcmp(path, "/hold") == 0) {
            memory = malloc(n << 20);
            if (memory != NULL)
                memset(memory, 1, n << 20);
            else
                text = "refused\\n";
        }
        if (strcmp(path, "/hold") == 0)
            sleep(20);
        for (volatile int i = 0; strcmp(path, "/burn") == 0; i = 0)
            ;
        if (al_start(req, "200 OK", NULL, 0) == -1)
            return AL_ERROR;
        return al_write(req, text, strlen(text)) == -1 ? AL_ERROR : AL_DONE;
    }"""


@pytest.fixture
def start(server, compile_app):
    def run(**settings):
        return server(apps={"a": {"target": f"c:{compile_app(SOURCE)}",
                                  "bind": "127.0.0.1:0"}}, **settings)
    return run


def wrk(s, seconds):
    """Load on 32 connections; no request may fail."""
    host, port = s.address
    output = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{seconds}", f"http://{host}:{port}/hello"],
        capture_output=True, text=True, timeout=seconds + 30).stdout
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    assert int(re.search(r"(\d+) requests in", output)[1]) > 500, output


def renewed(s, old, n=1):
    wait_for(lambda: len(s.workers()) == n and not set(s.workers()) & set(old), what="renewed")
    assert s.get("/").status == 200


# ---- Of the system ----


@not_sanitized
def test_limits_are_those_of_the_process(start):
    s = start(limit_memory="3G", limit_files=123, limit_processes=456, limit_cpu=78)
    limits = Path(f"/proc/{s.wait_workers(1)[0]}/limits").read_text()
    for name, soft, hard in (("Max address space", 3 << 30, 3 << 30),
                             ("Max open files", 123, 123), ("Max processes", 456, 456),
                             ("Max cpu time", 78, 83)):
        assert re.search(rf"^{name} +{soft} +{hard} ", limits, re.M), limits
    own = Path(f"/proc/{s.pid}/limits").read_text()
    assert not re.search(r"^Max open files +123 ", own, re.M)


def test_without_limits_those_of_the_arbiter_are_inherited(start):
    s = start()
    own, inherited = (Path(f"/proc/{pid}/limits").read_text()
                      for pid in (s.pid, s.wait_workers(1)[0]))
    assert own == inherited


@not_sanitized
def test_memory_beyond_the_limit_is_refused(start):
    s = start(limit_memory="500M")
    assert s.get("/grow?100").text == "had\n"
    assert s.get("/grow?450").text == "refused\n"
    assert s.get("/grow?100").text == "had\n"


def test_cpu_time(start):
    s = start(limit_cpu=1)
    old = s.wait_workers(1)
    assert s.get("/burn").status == 502
    s.wait_log(r"ended by signal 24 .*, cpu time limit, \d\.\d s in GET /burn \([-0-9a-f]{36}\); cpu \d")
    renewed(s, old)
    s.stop()


def test_limit_that_cannot_be_set(server):
    """More descriptors than the kernel has for anybody."""
    s = server(limit_files=2147483647, wait=False)
    assert s.wait() == 4
    assert "limit_files: Operation not permitted" in s.log()


# ---- Of the arbiter ----


def limited(soft, hard):
    """What starts a program that may have so many descriptors."""
    return ["sh", "-c", f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$@"', "sh"]


def files_of(pid):
    text = Path(f"/proc/{pid}/limits").read_text()
    return tuple(map(int, re.search(r"^Max open files +(\d+) +(\d+) ", text, re.M).groups()))


@not_sanitized
def test_arbiter_raises_its_limit_of_descriptors_for_its_processes(server):
    """Nobody else has more for it: not workers, nor hooks, nor the arbiter after this one."""
    settings = {"workers": 30, "pre_exec": "sh -c 'ulimit -Sn >hook'"}
    s = server(launcher=limited(64, 1024), **settings)
    old = s.wait_workers(30)
    soft, hard = files_of(s.pid)
    assert 30 * 3 * 2 < soft < 500 and hard == 1024
    assert files_of(old[0]) == (64, 1024)
    s.signal(signal.SIGHUP)
    wait_for(lambda: len(s.workers()) == 30 and not set(old) & set(s.workers()))
    s.signal(signal.SIGTTIN)
    s.wait_workers(31)
    assert files_of(s.pid) == (soft + 6, 1024)
    s.signal(signal.SIGUSR2)
    new = int(s.wait_log(r"arbiter (\d+) starts beside")[1])
    wait_for(lambda: files_of(new) == (soft, hard), what="the new one's limit")
    assert (s.folder / "hook").read_text() == "64\n"
    assert "Too many open files" not in s.log()
    s.signal(signal.SIGTERM)
    assert s.wait() == 0
    s.signal(signal.SIGTERM, new)
    wait_for(lambda: not s.left(), what="the new one gone")


def test_limit_of_descriptors_that_cannot_be_raised_so_far(server):
    """Said before anything is started, by a reload and by --check-config too."""
    text = (r"server.conf:\d+: workers = 300: the arbiter needs \d+ descriptors, "
            "and may have no more than 512")
    s = server(launcher=limited(512, 512), workers=1)
    (worker,) = s.wait_workers(1)
    s.configure(workers=300, errorlog="-")
    s.signal(signal.SIGHUP)
    s.wait_log("reload failed: .*" + text)
    assert s.workers() == [worker]
    for question in [], ["--check-config"]:
        done = subprocess.run(
            [*limited(512, 512), ALICORN, "-c", s.folder / "server.conf", *question],
            capture_output=True, text=True, timeout=LIMIT, cwd=s.folder)
        assert done.returncode == 1 and re.search(text, done.stderr), done
    s.stop()


@not_sanitized
def test_log_of_processes_that_took_the_last_descriptors(server):
    """Those that the logger could not be given at once it is given later."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as folder:
        control = f"{folder}/control"
        s = server(launcher=limited(512, 512), workers=1, control_socket=control)
        s.wait_workers(1)
        subprocess.run([ALICORN.parent / "alicornctl", "-s", control, "scale", "probe", "+200"],
                       check=True, capture_output=True, timeout=LIMIT)
        s.wait_log("start of a worker for probe: .*Too many open files", times=2)
        assert s.get("/log").status == 200
        s.wait_log("probe says")
        assert "Bad file descriptor" not in s.log()
        s.stop()


# ---- Memory ----


@not_sanitized
def test_soft_limit_of_memory(start):
    s = start(max_worker_memory="100M", workers=2)
    old = s.wait_workers(2)
    assert s.get("/grow?50").text == "had\n"
    time.sleep(1.2)
    assert s.workers() == old
    s.get("/grow?150")
    s.wait_log(r"is recycled: (1[5-9]|20)\d MiB of memory")
    wait_for(lambda: len(s.workers()) == 2 and s.workers() != old)
    assert len(set(old) & set(s.workers())) == 1
    assert "[ERROR]" not in s.log()
    s.stop()


@not_sanitized
def test_hard_limit_of_memory(start):
    s = start(max_worker_memory_hard="100M")
    old = s.wait_workers(1)
    begin = time.monotonic()
    assert s.get("/hold?150").status == 502
    assert time.monotonic() - begin < 5
    s.wait_log(r"by the arbiter: memory limit, \d\.\d s in GET /hold\?150 \([-0-9a-f]{36}\); cpu .* memory 1\d\d MiB")
    renewed(s, old)
    s.stop()


def limited_group():
    """A group of processes that may have 64 MiB, or None: where the kernel lets us make one."""
    for top, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                       ("/sys/fs/cgroup", "memory.max")):
        group = Path(top) / f"alicorn-test-{os.getpid()}"
        try:
            group.mkdir()
            try:
                (group / limit).write_text("64M")
                return group
            except OSError:
                group.rmdir()
        except OSError:
            pass
    return None


@not_sanitized
def test_want_of_memory_is_told_from_other_kills(start):
    s = start(workers=1)
    os.kill(s.wait_workers(1)[0], signal.SIGKILL)
    s.wait_log(r"ended by signal 9 \(Killed\), by somebody else;")
    old = s.wait_workers(1)
    group = limited_group()
    if group is None:
        pytest.skip("no group with a limit of memory can be made")
    try:
        (group / "cgroup.procs").write_text(str(old[0]))
        with s.connect() as c:
            c.ask("/grow?100")
            s.wait_log(r"ended by signal 9 \(Killed\), out of memory \(killed by the kernel\), "
                       r".* in GET /grow\?100")
        renewed(s, old)
    finally:
        s.stop()
        wait_for(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


# ---- Requests ----


def test_max_requests(start):
    s = start(max_requests=3)
    old = s.wait_workers(1)
    for _ in range(3):
        assert s.workers() == old and s.get("/").status == 200
    s.wait_log(rf"worker a \(pid {old[0]}\) is recycled after 3 requests")
    renewed(s, old)
    assert "[ERROR]" not in s.log() and "[WARNING]" not in s.log()
    s.stop()


@needs_wrk
@pytest.mark.parametrize("preload", [False, True])
def test_no_request_fails_while_workers_are_recycled(server, preload):
    s = server(workers=2, max_requests=200, max_requests_jitter=100, preload_app=preload)
    wrk(s, 4)
    lines = re.findall(r"pid (\d+)\) (is recycled after (\d+) requests|ended with status 0)",
                       s.log())
    s.stop()
    recycled = [int(n) for _, _, n in lines if n]
    assert len(recycled) > 10 and min(recycled) >= 200 and len(set(recycled)) > 5
    for (pid, _, n), (next_pid, _, next_n) in zip(lines, lines[1:]):
        assert not n or (pid == next_pid and not next_n), "two at a time"
    assert "[ERROR]" not in s.log()


def test_replacement_serves_first(server, compile_app, tmp_path):
    """It takes its time, and may fail: meanwhile the old one goes on."""
    path = compile_app(f"""
        #include <stdio.h>
        #include <unistd.h>
        const char *al_worker_init(void **app)
        {{
            (void)app;
            if (access("{tmp_path}/slow", F_OK) == 0)
                usleep(700000);
            return access("{tmp_path}/broken", F_OK) == 0 ? "it is broken" : NULL;
        }}
        int al_handle(void *app, struct al_request *req)
        {{
            char text[32];
            (void)app;
            snprintf(text, sizeof(text), "%d", (int)getpid());
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write(req, text, strlen(text)) == -1 ? AL_ERROR : AL_DONE;
        }}""")
    s = server(apps={"a": {"target": f"c:{path}", "bind": "127.0.0.1:0"}}, max_requests=2)
    old = s.get("/").text
    (tmp_path / "broken").touch()
    (tmp_path / "slow").touch()
    assert s.get("/").text == old
    s.wait_log("cannot load", times=2)
    assert s.get("/").text == old
    (tmp_path / "broken").unlink()
    wait_for(lambda: s.get("/").text != old)
    s.stop()


# ---- Loading ----

HANGS = """
    #include <unistd.h>
    const char *al_worker_init(void **app) { (void)app; for (;;) pause(); }
    int al_handle(void *app, struct al_request *req)
    { (void)app; (void)req; return AL_ERROR; }"""


def test_loading_that_hangs_at_start(server, compile_app):
    s = server(apps={"a": {"target": f"c:{compile_app(HANGS)}", "bind": "127.0.0.1:0"}},
               boot_timeout=1, boot_attempts=2, wait=False)
    assert s.wait() == 3
    assert len(re.findall("by the arbiter: boot timeout", s.log())) == 2


def test_loading_that_hangs_at_reload(server, compile_app):
    s = server(workers=2)
    old = s.wait_workers(2)
    s.configure(apps={"probe": {"target": f"c:{compile_app(HANGS)}", "bind": "127.0.0.1:0"}},
                boot_timeout=1)
    s.signal(signal.SIGHUP)
    s.wait_log("reload failed")
    assert "boot timeout" in s.log()
    assert s.wait_workers(2) == old and s.get("/hello").status == 200
    s.stop()
