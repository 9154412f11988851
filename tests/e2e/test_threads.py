"""Several threads of a worker run the application, in Python and in Lua; and a worker with one
that is in a request holds nobody. (In C: test_handoff.py.)"""

import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import ALICORN, TOP, wait_for
from wire import Client, Cut

APPS = TOP / "tests/apps"


def start(server, target, **settings):
    return server(apps={"app": {"target": target, "bind": "127.0.0.1:0", "workers": 1,
                                "chdir": str(APPS), "timeout": 60, "graceful_timeout": 30,
                                "keepalive": 60, **settings}},
                  env={"PYTHONDONTWRITEBYTECODE": "1"})


@pytest.fixture
def python(server):
    if not (ALICORN.parent / "python.so").exists():
        pytest.skip("python3-dev is not installed")
    return lambda **settings: start(server, "python:threads_app", **settings)


@pytest.fixture(params=["lua", "luajit"])
def lua(request, server):
    if not (ALICORN.parent / f"{request.param}.so").exists():
        pytest.skip(f"{request.param} is not installed")
    return lambda **settings: start(server, f"{request.param}:{APPS}/threads_app.lua", **settings)


def told(response):
    assert response.status == 200, response
    return json.loads(response.body)


def at_once(s, n, path):
    """So many requests, each on a connection of its own."""
    clients = [s.connect() for _ in range(n)]
    for i, client in enumerate(clients):
        client.ask(path(i) if callable(path) else path)
    return [client.response() for client in clients]


# ---- At once -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 8])
def test_requests_meet(python, n):
    s = python(threads=n)
    rows = [told(r) for r in at_once(s, n, f"/meet?{n}")]
    assert len({row[0] for row in rows}) == n
    assert all(row[1:] == [True, False] for row in rows)


def test_one_thread_says_so(python):
    assert told(python(workers=2).get("/meet?1"))[1:] == [False, True]


@pytest.mark.parametrize("threads", [1, 3])
def test_what_an_application_starts_can_be_signalled(python, threads):
    said = told(python(threads=threads).get("/blocked"))
    assert int(said.split()[1], 16) == 0


def test_requests_meet_in_lua(lua, tmp_path):
    tmp_path.chmod(0o777)
    s = lua(threads=3)
    states = at_once(s, 3, lambda i: f"/meet?{tmp_path},{i + 1},3")
    assert len({r.body for r in states}) == 3


def counts_of(s, path, clients=8, each=50):
    """What several clients at once are told: by thread, the counts."""
    def ask(_):
        with s.connect() as c:
            return [c.get(path) for _ in range(each)]
    with ThreadPoolExecutor(clients) as pool:
        return [r for responses in pool.map(ask, range(clients)) for r in responses]


def test_what_is_local_to_a_thread_stays_there(python):
    by_thread = {}
    for r in counts_of(python(threads=4), "/local"):
        ident, count = told(r)
        by_thread.setdefault(ident, []).append(count)
    assert 1 < len(by_thread) <= 4
    for counts in by_thread.values():
        assert sorted(counts) == list(range(1, len(counts) + 1))


def test_each_thread_has_a_lua_of_its_own(lua):
    by_state = {}
    for r in counts_of(lua(threads=4), "/own"):
        state, count = r.text.rsplit(" ", 1)
        by_state.setdefault(state, []).append(int(count))
    assert len(by_state) <= 4
    for counts in by_state.values():
        assert sorted(counts) == list(range(1, len(counts) + 1))


# ---- The application's own threads -----------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_of_the_application_run_meanwhile(python, threads):
    s = python(threads=threads)
    before = told(s.get("/ticks"))
    wait_for(lambda: told(s.get("/ticks")) > before + 10, what="ticks while the worker waits")
    before = told(s.get("/ticks"))
    s.get("/sleep?0.5")
    assert told(s.get("/ticks")) > before + 5


# ---- Responses -----------------------------------------------------------------------------


def expected(n):
    return b"".join(bytes([97 + i % 26]) * 10_000 for i in range(n))


def test_slow_clients_of_several_threads(python):
    """Each holds one thread; the last thread is free for the others."""
    s = python(threads=4, response_buffer_size=16384, response_spool_size=0)
    slow = [Client(s.address, receive_buffer=4096) for _ in range(3)]
    for client in slow:
        client.ask("/pieces?300")
    for _ in range(10):
        assert told(s.get("/pid"))
    for client in slow:
        assert client.response().body == expected(300)
    assert told(s.get("/counts")) == [3, 3]


def test_close_is_called_whatever_happens(python):
    s = python(threads=4, response_buffer_size=16384, response_spool_size=0)

    def ask(i):
        with Client(s.address, receive_buffer=4096) as c:
            if i % 4 == 0:
                assert c.get("/fail").status == 500
            elif i % 4 == 1:
                with pytest.raises(Cut):
                    c.get("/fail_late?5")
            elif i % 4 == 2:
                c.ask("/pieces?300")
                c.take(1000)  # and leaves
            else:
                assert c.get("/pieces?20").body == expected(20)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(60)))
    wait_for(lambda: told(s.get("/counts")) == [45, 45], what="each close()")
    assert s.log().count("ValueError: at once") == s.log().count(
        "ValueError: in the middle") == 15


# ---- Reload, stop, recycling ------------------------------------------------------------------


class Load:
    """Clients that ask without a pause, on connections that are kept as long as the server
    does. What fails on one that was not said to be closed is a lost request."""

    def __init__(self, s, path, n=6):
        self.address, self.path = s.address, path
        self.pids, self.lost, self.over = [], [], False
        self.threads = [threading.Thread(target=self.ask) for _ in range(n)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        while not self.over:
            try:
                client = Client(self.address)
            except ConnectionError:
                return  # nobody listens any more
            with client:
                self.ask_on(client)

    def ask_on(self, client):
        asked = 0
        while not self.over:
            try:
                r = client.get(self.path)
            except (Cut, OSError) as e:
                if asked > 0 or not self.over:
                    self.lost.append((asked, repr(e)))
                return
            asked += 1
            if r.status != 200:
                self.lost.append((asked, r))
            else:
                self.pids.append(int(r.body))
            if r.field("Connection") == "close":
                return

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join(20)
        return self.pids, self.lost


def test_reloads_under_load(python):
    s = python(threads=4, workers=2)
    load = Load(s, "/sleep?0.002")
    for n in range(1, 4):
        s.signal(signal.SIGHUP)
        s.wait_log("reload done", n)
        time.sleep(0.3)
    pids, lost = load.end()
    assert not lost, lost
    assert len(set(pids)) >= 4


def test_recycling_under_load(python):
    s = python(threads=4, workers=2, max_requests=60, max_requests_jitter=10)
    load = Load(s, "/pid")
    wait_for(lambda: len(set(load.pids)) > 4, what="five workers")
    pids, lost = load.end()
    assert not lost, lost


def test_stop_under_load(python):
    """Requests on connections that were served before are answered; of new ones the kernel may
    have accepted some that nobody has any more."""
    s = python(threads=4, workers=2)
    load = Load(s, "/sleep?0.002")
    time.sleep(0.5)
    s.stop()
    pids, lost = load.end()
    assert len(pids) > 10
    assert not [row for row in lost if row[0] > 0], lost


# ---- Threads that do not return ----------------------------------------------------------------


def stick(s):
    pid = s.wait_workers(1)[0]
    with s.connect() as c:
        assert c.get("/stuck").status == 504
    s.wait_log(r"a thread has been in GET /stuck for 1 s")
    return pid


def test_stuck_threads(python):
    s = python(threads=2, timeout=1, graceful_timeout=1)
    pid = stick(s)
    assert told(s.get("/pid")) == pid
    assert s.get("/stuck").status == 504
    s.wait_log("all threads are stuck")
    wait_for(lambda: s.workers() and pid not in s.workers(), what="another worker")
    assert told(s.get("/pid")) != pid


def test_stuck_threads_in_lua(lua):
    s = lua(threads=2, timeout=1, graceful_timeout=1)
    pid = stick(s)
    assert s.get("/own").status == 200
    s.signal(signal.SIGHUP)
    wait_for(lambda: s.workers() and pid not in s.workers(), what="another worker")
    assert s.get("/own").status == 200


# ---- One thread, and relief ----------------------------------------------------------------


def test_a_slow_request_holds_no_other_connection(python):
    s = python(workers=2)
    first = s.connect()
    pid = told(first.get("/pid"))
    others = []
    while len(others) < 3:
        for client, response in s.ask_at_once("/pid"):
            if told(response) == pid and len(others) < 3:
                others.append(client)
            else:
                client.close()
    first.ask("/sleep?2")
    time.sleep(0.2)
    for other in others * 2:
        assert told(other.get("/pid")) != pid
    assert told(first.response()) == pid
