"""preload_app: a prototype that has loaded the application forks the workers."""

import json
import re
import subprocess
import time
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1

import pytest

from conftest import ALICORN, PROBE, SANITIZED, is_alive, saying, stat_of, title_of, wait_for

python_only = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                                 reason="python3-dev is not installed")

# Each import leaves a line in the file "imports".
HEAD = """
import json, os, random, threading, time

with open("imports", "a") as f:
    print(os.getpid(), file=f)

loaded = {"pid": os.getpid(), "time": time.time(), "id": id(os)}
word = "one"
"""

TAIL = """
def application(environ, start_response):
    time.sleep({"/slow": 0.1, "/slower": 1}.get(environ["PATH_INFO"], 0))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({**loaded, "worker": os.getpid(), "parent": os.getppid(), "word": word,
        "random": random.random(), "threads": threading.active_count(),
        "user": os.getuid()}).encode()]
"""


def write(folder, middle="", head=HEAD, tail=TAIL):
    (folder / "app.py").write_text(head + middle + tail)


def start(server, folder, workers=3, **settings):
    app = {"target": "python:app", "bind": "127.0.0.1:0", "chdir": str(folder),
           "workers": workers, "preload_app": True, **settings}
    return server(apps={"shop": app}, env={"PYTHONDONTWRITEBYTECODE": "1"})


def preloaded(server, folder, middle="", workers=3, **settings):
    """A server of this application, when all its workers live."""
    write(folder, middle)
    s = start(server, folder, workers, **settings)
    s.wait_workers(workers)
    return s


def prototypes(s):
    return [pid for pid in s.session()
            if int((stat_of(pid) or [0, -1])[1]) == s.pid and "prototype shop" in title_of(pid)]


def imports(folder):
    return (folder / "imports").read_text().split()


def ask(s):
    return json.loads(s.get("/").body)


def ask_all(s, n):
    """What n different workers say, by pid."""
    answers = {}

    def all_have_answered():
        clients = []
        for _ in range(2 * n):  # who is in a request does not accept the next
            clients.append(s.connect())
            clients[-1].ask("/slow")
        for client in clients:
            answer = json.loads(client.response().body)
            answers[answer["worker"]] = answer
            client.close()
        return len(answers) >= n
    wait_for(all_have_answered, what="an answer of each")
    return answers


def scale(s, number, times):
    """So many signals, each when the arbiter has taken the one before."""
    done = s.log().count("number of processes is now")
    for n in range(times):
        s.signal(number)
        s.wait_log("number of processes is now", times=done + n + 1)


def proportional(pid):
    """The memory of a process, in KiB, where what is shared counts by its share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])


# ---- What is shared ----------------------------------------------------------------------


@python_only
def test_workers_are_forked_from_what_was_loaded_once(server, tmp_path):
    s = preloaded(server, tmp_path)
    answers = ask_all(s, 3)
    [prototype] = prototypes(s)
    assert {a["pid"] for a in answers.values()} == {prototype}
    assert len({(a["time"], a["id"]) for a in answers.values()}) == 1
    assert imports(tmp_path) == [str(prototype)]


@python_only
def test_workers_are_children_of_the_arbiter(server, tmp_path):
    s = preloaded(server, tmp_path)
    assert {a["parent"] for a in ask_all(s, 3).values()} == {s.pid}
    assert all(title_of(pid) == "alicorn: worker shop" for pid in s.workers())


@python_only
def test_random_differs_between_workers(server, tmp_path):
    s = preloaded(server, tmp_path)
    assert len({a["random"] for a in ask_all(s, 3).values()}) == 3


@python_only
@pytest.mark.skipif(SANITIZED, reason="a sanitizer has memory of its own")
def test_memory_is_shared(server, tmp_path):
    data = "data = [bytes([i % 256]) * 1000 for i in range(20000)]\n"
    sums = {}
    for preload in False, True:
        s = preloaded(server, tmp_path, data, workers=4, preload_app=preload)
        ask_all(s, 4)
        sums[preload] = sum(map(proportional, s.workers() + prototypes(s)))
        s.stop()
    assert sums[True] < sums[False] - 3 * 20000 * 0.8


# ---- Lives and deaths --------------------------------------------------------------------


@python_only
def test_a_dead_worker_is_replaced_without_an_import(server, tmp_path):
    s = preloaded(server, tmp_path, "time.sleep(1)\n", workers=2)
    time.sleep(1)  # they have served well
    victim = s.workers()[0]
    began = time.monotonic()
    s.signal(SIGKILL, victim)
    wait_for(lambda: victim not in s.workers() and len(s.workers()) == 2)
    assert SANITIZED or time.monotonic() - began < 0.8
    s.wait_log(rf"worker shop \(pid {victim}\) was ended by signal 9")
    assert len(ask_all(s, 2)) == 2
    assert len(imports(tmp_path)) == 1


@python_only
def test_workers_survive_their_prototype(server, tmp_path):
    s = preloaded(server, tmp_path, workers=2)
    time.sleep(1.1)
    workers, [old] = s.workers(), prototypes(s)
    s.signal(SIGKILL, old)
    wait_for(lambda: prototypes(s) not in ([], [old]), what="a new prototype")
    assert s.workers() == workers
    wait_for(lambda: len(imports(tmp_path)) == 2)
    s.signal(SIGKILL, workers[0])
    wait_for(lambda: workers[0] not in s.workers() and len(s.workers()) == 2)
    assert len(imports(tmp_path)) == 2


@python_only
def test_a_prototype_that_keeps_dying_waits(server, tmp_path):
    """The application can be loaded once only; the workers go on."""
    s = preloaded(server, tmp_path, """
if len(open("imports").read().split()) > 1:
    os._exit(9)
""", workers=2)
    time.sleep(1.1)
    workers = s.workers()
    s.signal(SIGKILL, prototypes(s)[0])
    s.wait_log(r"prototype shop \(pid \d+\) ended with status 9", times=3)
    time.sleep(0.5)
    assert len(imports(tmp_path)) < 8
    assert s.workers() == workers and ask(s)["word"] == "one"


@python_only
def test_a_worker_that_dies_at_once(server, tmp_path):
    """Its pid is known, and how it ended; at the start that is the end."""
    write(tmp_path, "os.register_at_fork(after_in_child=lambda: os.abort())\n")
    s = server(apps={"shop": {"target": "python:app", "bind": "127.0.0.1:0",
               "chdir": str(tmp_path), "preload_app": True, "boot_attempts": 2}}, wait=False)
    assert s.wait() == 3, s.log()
    assert len(re.findall(r"worker shop \(pid \d+\) was ended by signal 6", s.log())) >= 2
    assert "unborn" not in s.log()


@python_only
def test_more_and_fewer_workers(server, tmp_path):
    s = preloaded(server, tmp_path, workers=1)
    scale(s, SIGTTIN, 12)
    s.wait_workers(13)
    scale(s, SIGTTOU, 11)
    s.wait_workers(2)
    assert len(imports(tmp_path)) == 1
    assert len(prototypes(s)) == 1


@python_only
@pytest.mark.parametrize("number", [SIGTERM, SIGINT, SIGQUIT])
def test_all_end(server, tmp_path, number):
    s = preloaded(server, tmp_path)
    [prototype] = prototypes(s)
    s.stop(number)
    assert not is_alive(prototype)
    assert "[ERROR]" not in s.log()


@python_only
def test_the_prototype_goes_last(server, tmp_path):
    s = preloaded(server, tmp_path, workers=2)
    [prototype] = prototypes(s)
    with s.connect() as c:
        c.ask("/slower")
        time.sleep(0.2)
        s.signal(SIGTERM)
        wait_for(lambda: len(s.workers()) == 1)
        assert is_alive(prototype)
        assert c.response().status == 200
    assert s.wait() == 0
    wait_for(lambda: not s.left())


@python_only
def test_nobody_is_left_when_the_arbiter_is_killed(server, tmp_path):
    s = preloaded(server, tmp_path)
    s.session()
    s.signal(SIGKILL)
    s.wait()
    wait_for(lambda: not s.left(), what=f"all ended, but {s.left()}")


@python_only
def test_prototype_that_loads_leaves_when_the_arbiter_is_killed(server, tmp_path):
    write(tmp_path, "time.sleep(1000)\n")
    s = start(server, tmp_path)
    wait_for((tmp_path / "imports").exists, what="loading")
    assert len(prototypes(s)) == 1
    s.signal(SIGKILL)
    s.wait()
    wait_for(lambda: not s.left(), what=f"all ended, but {s.left()}")


@python_only
def test_stop_in_the_middle_of_births(server, tmp_path):
    write(tmp_path, "os.register_at_fork(before=lambda: time.sleep(0.2))\n")
    s = start(server, tmp_path, workers=10)
    s.wait_workers(2)
    s.stop()


# ---- Failures ----------------------------------------------------------------------------


@python_only
def test_a_failing_import_ends_the_start(server, tmp_path):
    write(tmp_path, "raise ValueError('not today')\n")
    s = server(apps={"shop": {"target": "python:app", "bind": "127.0.0.1:0",
               "chdir": str(tmp_path), "preload_app": True}}, wait=False)
    assert s.wait() == 4
    assert re.search(r"prototype shop \(pid \d+\) cannot load python:app: .*not today", s.log())
    assert len(imports(tmp_path)) == 1


@python_only
def test_a_slow_import_meets_boot_timeout(server, tmp_path):
    write(tmp_path, "time.sleep(60)\n")
    s = start(server, tmp_path, boot_timeout=1)
    s.wait_log(r"prototype shop .*boot timeout")
    s.stop()


# ---- Reload ------------------------------------------------------------------------------


def reload(s, old):
    s.signal(SIGHUP)
    wait_for(lambda: s.workers() and not set(old) & set(s.workers()), what="new workers")


@python_only
def test_a_reload_loads_anew(server, tmp_path):
    s = preloaded(server, tmp_path)
    assert ask(s)["word"] == "one"
    workers, [old] = s.workers(), prototypes(s)
    write(tmp_path, 'word = "two"\n')
    reload(s, workers)
    assert {a["word"] for a in ask_all(s, 3).values()} == {"two"}
    wait_for(lambda: len(prototypes(s)) == 1)
    assert prototypes(s) != [old]
    assert len(imports(tmp_path)) == 2


@python_only
def test_a_reload_that_fails_changes_nothing(server, tmp_path):
    s = preloaded(server, tmp_path)
    workers, old = s.workers(), prototypes(s)
    write(tmp_path, "raise ValueError('not today')\n")
    s.signal(SIGHUP)
    s.wait_log("reload failed: prototype shop .*not today")
    wait_for(lambda: prototypes(s) == old)
    assert s.workers() == workers and ask(s)["word"] == "one"


@python_only
def test_a_reload_switches_preloading_on_and_off(server, tmp_path):
    write(tmp_path)
    app = {"target": "python:app", "bind": "127.0.0.1:0", "chdir": str(tmp_path), "workers": 2}
    s = server(apps={"shop": app}, env={"PYTHONDONTWRITEBYTECODE": "1"})
    old = s.wait_workers(2)
    for preload in True, False:
        s.configure(apps={"shop": {**app, "preload_app": preload}})
        reload(s, old)
        old = s.wait_workers(2)
        wait_for(lambda: len(prototypes(s)) == preload)
        assert all((a["pid"] == a["worker"]) != preload for a in ask_all(s, 2).values())


@python_only
def test_reloads_under_load(server, tmp_path):
    s = preloaded(server, tmp_path)
    host, port = s.address
    wrk = subprocess.Popen(["wrk", "-t1", "-c16", "-d4s", f"http://{host}:{port}/"],
                           stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        time.sleep(0.8)
        old = s.workers()
        s.signal(SIGHUP)
        wait_for(lambda: s.workers() and not set(old) & set(s.workers()), what="new workers")
    report = wrk.communicate()[0]
    assert "Socket errors" not in report and "Non-2xx" not in report, report
    assert int(re.search(r"(\d+) requests in", report)[1]) > 100


# ---- Python ------------------------------------------------------------------------------


@python_only
@pytest.mark.skipif(SANITIZED, reason="the leak check does not know the threads of before a fork")
def test_a_thread_of_the_import_hangs_no_worker(server, tmp_path):
    """It stays in the prototype, and runs there."""
    s = preloaded(server, tmp_path, """
beats = 0

def beat():
    global beats
    while True:
        beats += 1
        sum(range(1000))
        if beats % 100 == 0:
            time.sleep(0.001)

threading.Thread(target=beat, daemon=True).start()
""", workers=6)
    assert {a["threads"] for a in ask_all(s, 6).values()} == {1}
    scale(s, SIGTTIN, 10)
    s.wait_workers(16)
    s.stop()


@python_only
def test_what_waits_to_be_printed_is_printed_once(server, tmp_path):
    s = preloaded(server, tmp_path, 'print("imported", end="")\n', capture_output=False)
    s.stop()
    assert s.log().count("imported") <= 1


@python_only
def test_output_is_captured_and_follows_the_log(server, tmp_path):
    s = preloaded(server, tmp_path, 'print("imported")\n', workers=1, capture_output=True,
                  accesslog=str(tmp_path / "access"))
    assert s.log().count("imported") == 1
    s.log_file.rename(tmp_path / "old")
    (tmp_path / "access").rename(tmp_path / "access.old")
    s.signal(SIGUSR1)
    wait_for(lambda: s.log_file.exists() and "reopened" in s.log_file.read_text())
    time.sleep(0.2)
    old = s.workers()
    s.signal(SIGTERM, old[0])  # the next is forked by the prototype
    wait_for(lambda: s.workers() not in ([], old))
    ask(s)
    wait_for(lambda: "GET /" in (tmp_path / "access").read_text())


# ---- C -----------------------------------------------------------------------------------


def test_c_applications_are_opened_once_and_initialized_in_each_worker(server, compile_app):
    library = compile_app("""
        #include <stdio.h>
        #include <unistd.h>
        static int opened_by;
        static __attribute__((constructor)) void open_it(void) { opened_by = (int)getpid(); }
        const char *al_worker_init(void **app) { *app = (void *)(long)getpid(); return NULL; }
        int al_handle(void *app, struct al_request *req)
        {
            char text[64];
            int n = snprintf(text, sizeof(text), "%d %d %d", opened_by, (int)(long)app,
                (int)getpid());
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write(req, text, (size_t)n) == -1 ? AL_ERROR : AL_DONE;
        }""")
    s = server(apps={"shop": {"target": f"c:{library}", "bind": "127.0.0.1:0", "workers": 2,
                              "preload_app": True}})
    s.wait_workers(2)
    opened, initialized, pid = map(int, s.get("/").body.split())
    assert [opened] == prototypes(s)
    assert initialized == pid and pid in s.workers()


def test_a_failing_worker_init_ends_the_start(server, compile_app):
    library = compile_app(saying("never") + """
        const char *al_worker_init(void **app) { (void)app; return "no database"; }""")
    s = server(apps={"shop": {"target": f"c:{library}", "bind": "127.0.0.1:0",
                              "preload_app": True}}, wait=False)
    assert s.wait() == 4
    assert "no database" in s.log()


def test_the_probe_behaves_when_preloaded(server):
    """Last words, timers and watches are the worker's own."""
    s = server(apps={"shop": {"target": PROBE, "bind": "127.0.0.1:0", "preload_app": True,
                              "workers": 2, "timeout": 1}})
    s.wait_workers(2)
    assert s.get("/hello").body == b"hello\n"
    assert s.get("/sleep?ms=5000").status == 504
    s.wait_workers(2)
    assert s.get("/hello").status == 200


# ---- With other settings -----------------------------------------------------------------


@python_only
def test_recycled_workers_are_forked(server, tmp_path):
    s = preloaded(server, tmp_path, workers=1, max_requests=5)
    first = s.workers()
    for _ in range(20):
        ask(s)
        time.sleep(0.02)
    s.wait_log("is recycled", times=2)
    wait_for(lambda: len(s.workers()) == 1 and s.workers() != first)
    assert len(imports(tmp_path)) == 1
