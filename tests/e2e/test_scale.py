"""Pools that grow and shrink: workers_min, workers_max, idle_timeout; how programs leave."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from conftest import PROBE, stat_of, title_of, wait_for
from wire import LIMIT, Client

# Accepts at descriptor 0, one connection at a time, and answers with its pid after as many
# seconds as the query says. It dies at once of TERM, as many programs do.
PROGRAM = r"""
import os, socket, struct, time
listener = socket.socket(fileno=os.dup(0))

def take(c, n):
    data = b""
    while len(data) < n:
        piece = c.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data

def record(c, kind, data=b""):
    c.sendall(struct.pack("!BBHHBB", 1, kind, 1, len(data), 0, 0) + data)

while True:
    c, _ = listener.accept()
    params = b""
    try:
        while True:
            _, kind, _, n, padding, _ = struct.unpack("!BBHHBB", take(c, 8))
            data = take(c, n + padding)[:n]
            params += data if kind == 4 else b""
            if kind == 5 and n == 0:
                break
        query = params.split(b"QUERY_STRING", 1)[1].split(b"=", 1)[0:2]
        time.sleep(float(query[1][:4]) if len(query) > 1 else 0)
        env = "".join(f"{k}={v}\n" for k, v in sorted(os.environ.items()))
        body = f"Content-Type: text/plain\r\n\r\n{os.getpid()}\n{env}"
        record(c, 6, body.encode())
        record(c, 6)
        record(c, 3, bytes(8))
    except (EOFError, OSError):
        pass
    c.close()
"""


@pytest.fixture(params=["workers", "programs"])
def pool(request, server, tmp_path):
    """Starts a pool of either kind, whose requests last as long as slow() says."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    target = {"workers": PROBE, "programs": f"fcgi-exec:/usr/bin/python3 {program}"}

    def start(**settings):
        s = server(apps={"a": {"target": target[request.param], "bind": "127.0.0.1:0",
                               **settings}})
        s.is_program = request.param == "programs"
        return s
    return start


def members(s):
    """Pids of the processes that the setting `workers` counts, the oldest first."""
    if not s.is_program:
        return s.workers()
    return sorted((pid for pid in s.session()
                   if int((stat_of(pid) or [0, -1])[1]) == s.pid
                   and not title_of(pid).startswith("alicorn: ")),
                  key=lambda pid: (int(s.known[pid]), pid))


def wait_members(s, n):
    wait_for(lambda: len(members(s)) == n, what=f"{n} processes, but {members(s)}")
    return members(s)


def slow(s, ms):
    return f"/?a={ms / 1000:.2f}" if s.is_program else f"/sleep?ms={ms}"


class Load:
    """Clients that ask one after the other, each on a connection of its own; every answer
    must be 200."""

    def __init__(self, s, clients, ms):
        self.s, self.ms, self.faults, self.answers = s, ms, [], 0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        address, path = self.s.address, slow(self.s, self.ms)
        while not self.over.is_set():
            try:
                with Client(address) as c:
                    r = c.get(path)
                if r.status != 200:
                    self.faults.append(r)
            except Exception as fault:
                self.faults.append(fault)
            self.answers += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, (self.faults[:3], self.s.log())


def test_grows_under_load_and_shrinks_when_idle(pool):
    s = pool(workers=1, workers_min=1, workers_max=4, idle_timeout=1)
    (first,) = wait_members(s, 1)
    with Load(s, 8, 200) as load:
        wait_members(s, 4)
        assert load.answers > 0
    s.wait_log(r"a: the number of processes is now 2, as all were busy")
    wait_members(s, 1)
    s.wait_log(r"a: the number of processes is now 1, as some had nothing to do")
    assert s.get(slow(s, 0)).status == 200
    s.stop()
    assert "killed" not in s.log()


def test_prototype_forks_those_that_are_missing(server):
    s = server(workers=1, workers_max=3, idle_timeout=1, preload_app=True)
    s.is_program = False
    s.wait_workers(1)
    with Load(s, 6, 200):
        s.wait_workers(3)
    s.wait_workers(1)


def test_shrinks_below_what_it_began_with(pool):
    s = pool(workers=3, workers_min=1, idle_timeout=1)
    wait_members(s, 1)
    assert s.get(slow(s, 0)).status == 200


def test_nothing_is_lost_while_the_number_changes(pool):
    """Few clients, then many, then few; and a reload in between."""
    s = pool(workers=1, workers_max=5, idle_timeout=1)
    wait_members(s, 1)
    with Load(s, 1, 20):
        with Load(s, 8, 100):
            wait_members(s, 5)
            s.signal(signal.SIGHUP)
            s.wait_log("reload done: generation 2")
            wait_members(s, 5)
        s.wait_log("as some had nothing to do")
        wait_members(s, 1) if s.is_program else wait_for(lambda: len(members(s)) < 5)


def test_reload_begins_with_as_many_as_there_are(pool):
    s = pool(workers=1, workers_max=3, idle_timeout=60)
    with Load(s, 6, 200):
        old = wait_members(s, 3)
    s.signal(signal.SIGHUP)
    s.wait_log("reload done: generation 2")
    wait_for(lambda: not set(old) & set(members(s)), what="the old ones gone")
    assert len(members(s)) == 3


def test_ttin_and_ttou_move_the_least(pool):
    """Without workers_min the level is the least."""
    s = pool(workers=1, workers_max=3, idle_timeout=1)
    wait_members(s, 1)
    s.signal(signal.SIGTTIN)
    wait_members(s, 2)
    s.signal(signal.SIGTTIN)
    wait_members(s, 3)
    s.signal(signal.SIGTTIN)
    s.wait_log("number of processes stays 3")
    s.signal(signal.SIGTTOU)
    wait_members(s, 2)
    s.signal(signal.SIGHUP)
    s.wait_log("reload done: generation 2")
    wait_members(s, 2)
    time.sleep(2.5)
    assert len(members(s)) == 2, s.log()


def test_min_stops_ttou(pool):
    s = pool(workers=2, workers_min=2, workers_max=3)
    wait_members(s, 2)
    s.signal(signal.SIGTTOU)
    s.wait_log("number of processes stays 2")


TAKING = """
    #include <stdio.h>
    #include <unistd.h>
    int al_handle(void *app, struct al_request *req)
    {
        size_t n;
        const void *unread;
        int client;

        (void)app;
        if (strcmp(al_env(req, "PATH_INFO"), "/sleep") == 0) {
            sleep(2);
            return al_start(req, "204 No Content", NULL, 0) == -1 ? AL_ERROR : AL_DONE;
        }
        client = al_socket(req, &unread, &n);
        dprintf(client, "%d\\n", (int)getpid());
        return AL_ALREADY_HANDLED;
    }"""


def test_worker_of_a_connection_that_was_taken_over_stays(server, compile_app):
    """It is the one without requests for longer, and yet has something to do."""
    s = server(apps={"a": {"target": f"c:{compile_app(TAKING)}", "bind": "127.0.0.1:0",
                           "workers": 2, "workers_min": 1, "idle_timeout": 1,
                           "graceful_timeout": 1}})
    s.wait_workers(2)
    with s.connect() as sleeper, s.connect() as taken:
        sleeper.ask("/sleep")
        time.sleep(0.5)
        taken.send(b"GET /take HTTP/1.1\r\nHost: t\r\n\r\n")
        taken.more()
        pid = int(taken.buffer)
        assert sleeper.response().status == 204
        wait_for(lambda: s.workers() == [pid], what="the other one gone")


def test_one_busy_worker_of_two_is_no_reason(pool):
    s = pool(workers=2, workers_max=4, idle_timeout=1)
    wait_members(s, 2)
    with s.connect() as c:
        c.ask(slow(s, 3500))
        assert c.response().status == 200
    assert "number of processes" not in s.log() and len(members(s)) == 2


@pytest.mark.skipif(os.environ.get("ALICORN_ENDURANCE") != "full", reason="needs a CPU of its own")
@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_short_requests_that_fill_a_cpu(server):
    """A worker of such is between two requests at many looks."""
    s = server(workers=1, workers_max=2)
    s.wait_workers(1)
    wrk = subprocess.Popen(["wrk", "-t1", "-c16", f"-d{LIMIT}", "http://{}:{}/hello".format(
        *s.address)], stdout=subprocess.DEVNULL)
    try:
        s.wait_workers(2)
    finally:
        wrk.terminate()
        wrk.wait()


def ticks(pid):
    """Times that it was woken up, as far as the kernel counts: voluntary switches."""
    status = open(f"/proc/{pid}/status").read()
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1])


def test_arbiter_sleeps_where_nothing_scales(server):
    s = server(workers=2, timeout=0)
    s.wait_workers(2)
    time.sleep(0.5)
    before = ticks(s.pid)
    time.sleep(3)
    assert ticks(s.pid) - before <= 1
    t = server(workers=1, workers_max=2, timeout=0)
    t.wait_workers(1)
    time.sleep(0.5)
    before = ticks(t.pid)
    time.sleep(3)
    assert 2 <= ticks(t.pid) - before <= 8


# ---- How programs leave ----


@pytest.fixture
def programs(server, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)

    def start(**settings):
        s = server(apps={"a": {"target": f"fcgi-exec:/usr/bin/python3 {tmp_path}/program.py",
                               "bind": "127.0.0.1:0", **settings}})
        s.is_program = True
        return s
    return start


def test_program_in_a_request_is_not_told_to_stop(programs):
    """TTOU means the oldest of those that are free; and it waits for one."""
    s = programs(workers=2)
    old = wait_members(s, 2)
    with s.connect() as one, s.connect() as two:
        one.ask(slow(s, 1500))
        two.ask(slow(s, 2500))
        time.sleep(0.5)
        s.signal(signal.SIGTTOU)
        answers = [c.response() for c in (one, two)]
    assert [r.status for r in answers] == [200, 200]
    wait_members(s, 1)
    assert {int(r.text.split()[0]) for r in answers} == set(old)


def test_program_is_not_spared_for_ever(programs):
    s = programs(workers=1, graceful_timeout=1)
    wait_members(s, 1)
    s.signal(signal.SIGTTIN)
    wait_members(s, 2)
    with s.connect() as one, s.connect() as two:
        one.ask(slow(s, 9900))
        two.ask(slow(s, 9900))
        time.sleep(0.3)
        s.signal(signal.SIGTTOU)
        wait_members(s, 1)


def test_programs_are_recycled_in_turn(programs):
    """None is lost, and each serves so many on average."""
    s = programs(workers=2, max_requests=20)
    old = wait_members(s, 2)
    served = {}
    with s.connect() as c:
        for _ in range(100):
            r = c.get(slow(s, 20))
            assert r.status == 200, s.log()
            served[r.text.split()[0]] = served.get(r.text.split()[0], 0) + 1
    s.wait_log(r"program a \(pid \d+\) is recycled, the next one after 20 requests", times=2)
    wait_for(lambda: not set(old) & set(members(s)) and len(members(s)) == 2)
    assert len(served) >= 3
    assert s.log().count("worker a") == 0, s.log()


def test_program_that_goes_on_for_nobody_is_killed(programs):
    """The client was answered 504, or has left; the program does not notice."""
    s = programs(workers=2, timeout=1, fcgi_read_timeout=1)
    old = wait_members(s, 2)
    with s.connect() as c:
        assert c.get(slow(s, 9900)).status == 504
    with s.connect() as c:
        c.ask(slow(s, 9900))
        time.sleep(0.2)
    s.wait_log(r"program a \(pid \d+\) .*request timeout", times=2)
    wait_for(lambda: not set(old) & set(members(s)) and len(members(s)) == 2)
    assert s.get(slow(s, 0)).status == 200


def test_program_that_somebody_waits_for_is_not_killed(programs):
    s = programs(workers=1, timeout=1)
    old = wait_members(s, 1)
    with s.connect() as c:
        for _ in range(8):
            assert c.get(slow(s, 500)).status == 200
    assert members(s) == old


def test_environment_of_programs(programs):
    s = programs(workers=1, raw_env=["PHP_FCGI_CHILDREN=3", "OWN=a b"])
    wait_members(s, 1)
    env = s.get("/").text.splitlines()[1:]
    assert "PHP_FCGI_MAX_REQUESTS=0" in env and "PHP_FCGI_CHILDREN=3" in env
    assert "OWN=a b" in env


def test_list_of_tcp_addresses_is_not_inherited(server, tmp_path):
    """A program that is given one must refuse who comes over a unix socket."""
    (tmp_path / "program.py").write_text(PROGRAM)
    s = server(apps={"a": {"target": f"fcgi-exec:/usr/bin/python3 {tmp_path}/program.py",
                           "bind": "127.0.0.1:0"}},
               env={"FCGI_WEB_SERVER_ADDRS": "192.0.2.1"})
    assert "FCGI_WEB_SERVER_ADDRS" not in s.get("/").text


# ---- Settings ----


@pytest.mark.parametrize("text, fault", [
    ("workers = 2;\nworkers_min = 3;\n", "bad.conf:3: workers_min: 3 is more than workers, 2"),
    ("workers = 4;\n\nworkers_max = 3;\n",
     "bad.conf:4: workers_max: 3 is less than workers, 4"),
])
def test_bounds_that_exclude_the_number(alicorn, tmp_path, text, fault):
    (tmp_path / "bad.conf").write_text(f'target = "{PROBE}";\n{text}')
    done = alicorn("-c", "bad.conf", "--check-config")
    assert done.returncode == 1 and fault in done.stderr
    done = alicorn("--check-config", "--workers=2", "--workers-max=1", PROBE)
    assert "--workers-max: 1 is less than workers, 2" in done.stderr
