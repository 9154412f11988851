"""Workers that work between requests: the example in each language, and in C the ways in which
an iteration goes wrong."""

import json
import signal
import time

import pytest

from conftest import ALICORN, TOP, is_alive, wait_for

FOLDER = TOP / "examples/simulation"
LONG = 3_600_000  # milliseconds of a pause: nothing but a request ends it


def target_of(kind):
    """The example, or why it cannot be run."""
    library = "examples/simulation/simulation.so" if kind == "c" else f"{kind}.so"
    if not (ALICORN.parent / library).exists():
        pytest.skip(f"{library} is not built")
    return {"c": f"c:{ALICORN.parent / library}", "python": "python:simulation:life",
            "lua": f"lua:{FOLDER}/simulation.lua"}[kind]


@pytest.fixture(params=["c", "python", "lua"])
def simulation(request, server):
    def start(**settings):
        app = {"target": target_of(request.param), "bind": "127.0.0.1:0", "chdir": str(FOLDER),
               "worker_class": "iterating", **settings}
        return server(apps={"app": app}, env={"PYTHONDONTWRITEBYTECODE": "1"})
    return start


def state(s, form=None):
    """What the simulation shows, after it was told this."""
    how = {} if form is None else {"method": "POST", "body": form.encode()}
    r = s.get("/", **how)
    assert r.status == 200 and r.field("Content-Type") == "application/json"
    return json.loads(r.body)


# ---- The example -------------------------------------------------------------------------


def life(rows, n, born, survives):
    """The same in the shortest form, to compare with."""
    alive = {(x, y) for y, row in enumerate(rows) for x, c in enumerate(row) if c == "#"}
    h, w = len(rows), len(rows[0])
    for _ in range(n):
        counts = {(x, y): sum(((x + dx) % w, (y + dy) % h) in alive for dx in (-1, 0, 1)
                              for dy in (-1, 0, 1) if dx or dy)
                  for x in range(w) for y in range(h)}
        alive = {c for c, n in counts.items() if n in (survives if c in alive else born)}
    return ["".join("#" if (x, y) in alive else " " for x in range(w)) for y in range(h)]


def test_simulation_is_steered(simulation):
    s = simulation(iterate_interval=LONG)
    first = state(s)
    assert first["generation"] == first["to_go"] == 0 and first["alive"] == 5
    state(s, "steps=7")
    then = wait_for(lambda: (now := state(s))["to_go"] == 0 and now)
    assert then["generation"] == 7
    assert then["rows"] == life(first["rows"], 7, {3}, {2, 3})
    state(s, "steps=4&born=36&survives=12")
    last = wait_for(lambda: (now := state(s))["to_go"] == 0 and now)
    assert last["generation"] == 11
    assert last["rows"] == life(then["rows"], 4, {3, 6}, {1, 2})
    assert last["alive"] == "".join(last["rows"]).count("#")


def test_it_runs_while_requests_come(simulation):
    s = simulation(iterate_interval=LONG)
    state(s, "steps=1000000")
    with s.connect() as c:
        seen = []
        for _ in range(20):
            seen.append(json.loads(c.get("/").body)["generation"])
            time.sleep(0.02)
    assert seen == sorted(seen) and seen[-1] > seen[0]
    at = state(s, "steps=0")["generation"]
    time.sleep(0.1)
    assert state(s)["generation"] == at < 1000000
    state(s, "steps=1000000")
    s.stop()  # in the middle of it


# ---- What goes wrong -----------------------------------------------------------------------

# Each iteration does what /do?COMMAND last said: "again", "pause" (at first), "sleep", until
# there is the file GATE, "hang", "crash", "exit"; every request answers the number of iterations so
# far, but /pid.
SOURCE = r"""
    #include <stdio.h>
    #include <stdlib.h>
    #include <unistd.h>
    static unsigned long n;
    static char command[32] = "pause";

    int al_iterate(void *app)
    {
        (void)app;
        n++;
        if (strcmp(command, "again") == 0)
            return AL_AGAIN;
        if (strcmp(command, "sleep") == 0)
            while (access(getenv("GATE"), F_OK) != 0)
                usleep(5000);
        if (strcmp(command, "hang") == 0)
            for (;;) pause();
        if (strcmp(command, "crash") == 0)
            *(volatile int *)8 = 1;
        if (strcmp(command, "exit") == 0)
            exit(3);
        strcpy(command, "pause");
        return AL_PAUSE;
    }

    int al_handle(void *app, struct al_request *req)
    {
        const char *path = al_env(req, "PATH_INFO");
        char text[64];
        (void)app;
        if (strcmp(path, "/do") == 0)
            snprintf(command, sizeof command, "%s", al_env(req, "QUERY_STRING"));
        if (strcmp(path, "/pid") == 0)
            snprintf(text, sizeof text, "%d", (int)getpid());
        else
            snprintf(text, sizeof text, "%lu", n);
        if (al_start(req, "200 OK", NULL, 0) == -1)
            return AL_ERROR;
        return al_write(req, text, strlen(text)) == -1 ? AL_ERROR : AL_DONE;
    }"""


@pytest.fixture
def app(server, compile_app, tmp_path):
    tmp_path.chmod(0o755)
    gate = tmp_path / "gate"

    def start(**settings):
        s = server(apps={"app": {"target": f"c:{compile_app(SOURCE)}", "bind": "127.0.0.1:0",
                                 "worker_class": "iterating", "keepalive": 60, **settings}},
                   env={"GATE": str(gate)})
        s.open_gate = gate.touch
        return s
    yield start
    gate.touch()


def count(s):
    return int(s.get("/").body)


def connect_to(s, pid, n):
    """So many idle connections that this worker has."""
    kept = []
    while len(kept) < n:
        for client, response in s.ask_at_once("/pid"):
            if int(response.body) == pid and len(kept) < n:
                kept.append(client)
            else:
                client.close()
    return kept


def test_one_iteration_for_each_request_when_it_pauses(app):
    s = app(iterate_interval=LONG)
    with s.connect() as c:
        first = int(c.get("/").body)
        for i in range(1, 50):
            assert int(c.get("/").body) <= first + i
    # The last request is followed by one too: the pause is over at once.
    before = count(s)
    time.sleep(0.2)
    assert count(s) <= before + 1


def test_iterate_interval(app):
    s = app(iterate_interval=50)
    before = count(s)
    time.sleep(1)
    after = count(s)
    assert before + 2 <= after <= before + 40


def test_again_and_again(app):
    s = app(iterate_interval=LONG)
    before = int(s.get("/do?again").body)
    wait_for(lambda: count(s) > before + 1000)


def test_a_long_iteration_holds_nobody(app):
    """Connections of the worker are served by the other one, and their limits count."""
    s = app(workers=2, header_timeout=1, timeout=60, iterate_interval=LONG)
    with s.connect() as c:
        pid = int(c.get("/pid").body)
        others = connect_to(s, pid, 3)
        assert c.get("/do?sleep").status == 200
        late, *others = others
        late.send("GET / HTTP/1.1\r\nHost:")
        for other in [c, *others]:
            assert int(other.get("/pid").body) != pid
        assert late.response().status == 408
        s.open_gate()
        assert others[0].get("/").status == 200


def test_a_request_of_a_long_iteration_waits_when_it_is_alone(app):
    s = app(timeout=60, iterate_interval=LONG)
    with s.connect() as c:
        assert c.get("/do?sleep").status == 200
        c.ask("/")
        c.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            c.response()
        c.socket.settimeout(20)
        s.open_gate()
        assert c.response().status == 200


@pytest.mark.parametrize("command,status,told", [
    ("hang", 504, r"s in an iteration: time is over"),
    ("crash", 502, r"signal 11"),
    ("exit", 502, r"the application called exit\(3\), in an iteration")])
def test_the_worker_is_replaced(app, command, status, told):
    s = app(timeout=1, iterate_interval=LONG, relief_after=0)
    (pid,) = s.wait_workers(1)
    with s.connect() as c:
        assert c.get(f"/do?{command}").status == 200
        s.wait_log(told)
    wait_for(lambda: s.workers() not in ([], [pid]))
    assert s.get("/").status == 200


def test_many_short_iterations_are_no_long_one(app):
    s = app(timeout=1, iterate_interval=LONG)
    (pid,) = s.wait_workers(1)
    s.get("/do?again")
    time.sleep(2.5)
    assert s.workers() == [pid] and "time is over" not in s.log()


def test_it_is_stopped_in_the_middle(app):
    s = app(workers=2, timeout=60, graceful_timeout=30, iterate_interval=LONG)
    s.get("/do?again")
    s.stop()
    s = app(workers=1, timeout=60, graceful_timeout=1, iterate_interval=LONG)
    s.get("/do?sleep")
    s.stop()
    assert "graceful_timeout" in s.log() or "signal 9" in s.log(), s.log()


def test_a_stop_waits_for_a_long_iteration(app):
    s = app(timeout=60, graceful_timeout=30, iterate_interval=LONG)
    s.get("/do?sleep")
    s.session()
    s.signal(signal.SIGTERM)
    time.sleep(0.5)
    assert is_alive(s.pid)
    s.open_gate()
    assert s.wait() == 0


def test_reload(app):
    s = app(workers=2, iterate_interval=LONG)
    old = s.wait_workers(2)
    for _ in range(5):
        s.get("/do?again")
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    wait_for(lambda: not set(s.workers()) & set(old))
    assert s.get("/").status == 200


# ---- What cannot iterate -------------------------------------------------------------------


def test_not_in_several_threads(alicorn, compile_app):
    app = compile_app("const uint32_t al_flags = AL_THREAD_SAFE;" + SOURCE)
    done = alicorn("-k", "iterating", "--threads=2", "-b", "127.0.0.1:0", app)
    assert done.returncode == 4
    assert "worker_class iterating: it works between requests, in one thread" in done.stderr


@pytest.mark.skipif(not (ALICORN.parent / "cgi.so").exists(), reason="cgi.so is not built")
def test_a_kind_of_application_without_iterations(alicorn):
    done = alicorn("-k", "iterating", "-b", "127.0.0.1:0", "cgi:/bin/true")
    assert done.returncode == 4
    assert "worker_class iterating: this kind of application has no iterate()" in done.stderr


@pytest.mark.parametrize("kind", ["c", "lua"])
def test_an_application_without_iterations(server, kind, tmp_path):
    if not (ALICORN.parent / f"{kind}.so").exists():
        pytest.skip(f"{kind} is not installed")
    (tmp_path / "plain.lua").write_text("return function() return 200, {} end")
    tmp_path.chmod(0o755)
    target = {"c": f"c:{ALICORN.parent}/apps/probe.so", "lua": f"lua:{tmp_path}/plain.lua"}[kind]
    s = server(apps={"app": {"target": target, "bind": "127.0.0.1:0", "iterate_interval": 10,
                             "worker_class": "iterating"}})
    s.wait_log(r"the application has no (al_iterate\(\)|function iterate), as worker_class")
    assert s.get("/hello").status == 200
    time.sleep(0.1)
    assert s.log().count("has no") == 1
