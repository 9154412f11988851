"""Request ids: made or taken, the same everywhere, in all that is said about a request; and
the one line that a slow, a crashed and a killed request leaves."""

import os
import re
import signal
import time
import uuid

import pytest

from conftest import ALICORN, TOP, text_of, wait_for
from fake_fastcgi import OK_HEAD, Backend, end, stdout

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def environ(response):
    assert response.status == 200, response
    return dict(line.split("=", 1) for line in response.text.splitlines() if "=" in line)


def id_of(response, name="X-Request-ID"):
    return response.field(name)


def access_lines(s, n):
    log = s.folder / "access.log"
    wait_for(lambda: text_of(log).count("\n") >= n, what=f"{n} lines: {text_of(log)!r}")
    return text_of(log).splitlines()


# ---- Made, or taken ----------------------------------------------------------------------


def test_made_ids(server):
    s = server(workers=2, accesslog="access.log", access_log_format="%(id)s %(U)s")
    before, ids = time.time(), []
    for _ in range(3):
        with s.connect() as c:
            ids += [id_of(c.get("/hello")) for _ in range(100)]
    after = time.time()
    assert all(re.fullmatch(UUID, found) for found in ids), ids[:5]
    assert len(set(ids)) == 300
    assert [line.split()[0] for line in sorted(access_lines(s, 300))] == sorted(ids)
    times = [(uuid.UUID(found).int >> 80) / 1000 for found in ids]
    assert before - 0.001 <= times[0] and times[-1] <= after
    assert ids == sorted(ids)  # as they were asked for, one after the other


def test_the_same_everywhere(server):
    s = server(accesslog="access.log", access_log_format="%(id)s %({X-Request-ID}i)s %(U)s")
    r = s.get("/env")
    env = environ(r)
    assert env["REQUEST_ID"] == env["HTTP_X_REQUEST_ID"] == id_of(r)
    assert access_lines(s, 1) == [f"{id_of(r)} {id_of(r)} /env"]
    r = s.get("/log")
    s.wait_log(rf"\[WARNING\] probe: {id_of(r)}: GET /log: probe says")


@pytest.mark.parametrize("given", ["a", "0" * 128, "Az09._:/+=@-"])
def test_taken_from_a_proxy(server, given):
    r = server().get("/env", fields=[("x-request-id", given)])
    env = environ(r)
    assert env["REQUEST_ID"] == env["HTTP_X_REQUEST_ID"] == id_of(r) == given


@pytest.mark.parametrize("fields", [
    [("X-Request-ID", "")], [("X-Request-ID", "0" * 129)], [("X-Request-ID", "a b")],
    [("X-Request-ID", "a;b")], [("X-Request-ID", "caf\xe9")], [("X-Request-ID", '"x"')]])
def test_not_taken_when_it_is_none(server, fields):
    r = server().get("/env", fields=fields)
    assert re.fullmatch(UUID, id_of(r))
    assert environ(r)["HTTP_X_REQUEST_ID"] == environ(r)["REQUEST_ID"] == id_of(r)


def test_not_taken_from_others(server):
    r = server(forwarded_allow_ips=[]).get("/env", fields=[
        ("X-A", "1"), ("X-Request-ID", "forged"), ("X-B", "1"), ("x-request-id", "too"),
        ("X-B", "2")])
    env = environ(r)
    assert re.fullmatch(UUID, id_of(r))
    assert env["REQUEST_ID"] == env["HTTP_X_REQUEST_ID"] == id_of(r)
    assert env["HTTP_X_A"] == "1" and env["HTTP_X_B"] == "1, 2" and "forged" not in str(env)


def test_beside_as_many_fields_as_are_allowed(server):
    s = server(limit_request_fields=5)
    fields = [(f"X-{i}", "x") for i in range(4)]
    env = environ(s.get("/env", fields=fields))
    assert env["HTTP_X_REQUEST_ID"] == env["REQUEST_ID"] and env["HTTP_X_3"] == "x"


def test_another_field(server):
    s = server(request_id_header="X-Trace")
    r = s.get("/env", fields=[("X-Request-ID", "client"), ("X-Trace", "proxy")])
    env = environ(r)
    assert id_of(r, "X-Trace") == env["REQUEST_ID"] == env["HTTP_X_TRACE"] == "proxy"
    assert env["HTTP_X_REQUEST_ID"] == "client" and id_of(r) is None


def test_none(server):
    s = server(request_id_header="none", accesslog="access.log", access_log_format="%(id)s")
    r = s.get("/env", fields=[("X-Request-ID", "client")])
    assert id_of(r) is None
    assert "REQUEST_ID" not in environ(r) and environ(r)["HTTP_X_REQUEST_ID"] == "client"
    s.get("/log")
    s.wait_log(r"\] probe: GET /log: probe says")
    assert access_lines(s, 2) == ["-", "-"]


def test_a_bad_name_is_refused(alicorn, tmp_path):
    (tmp_path / "x.conf").write_text('target = "files:.";\nrequest_id_header = "X Y";\n')
    done = alicorn("--check-config", "-c", "x.conf")
    assert done.returncode == 1
    assert 'x.conf:2: request_id_header: "X Y": not the name of a header field' in done.stderr


def test_an_application_sets_its_own(server, compile_app):
    app = compile_app("""
        int al_handle(void *app, struct al_request *req)
        {
            struct al_header own = { .name = "x-request-ID", .value = "own" };
            (void)app;
            if (al_start(req, "200 OK", &own, 1) != 0)
                return AL_ERROR;
            return al_env(req, "QUERY_STRING")[0] ? AL_ERROR : AL_DONE;
        }""")
    s = server(apps={"own": {"target": app, "bind": "127.0.0.1:0"}})
    assert id_of(s.get("/")) == "own"
    assert re.fullmatch(UUID, id_of(s.get("/?fails")))  # an answer of the server's


def test_in_answers_of_the_server(server):
    s = server(timeout=1, accesslog="access.log", access_log_format="%(id)s %(s)s")
    found = []
    for path in ("/silent", "/crash", "/_exit"):
        r = s.get(path)
        assert r.status >= 500 and re.fullmatch(UUID, id_of(r)), r
        found.append(f"{id_of(r)} {r.status}")
    with s.connect() as c:
        c.send("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")
        r = c.response()
        assert r.status == 400
        found.append(f"{id_of(r)} 400")
    assert sorted(access_lines(s, 4)) == sorted(found)


def test_workers_of_a_prototype_make_their_own(server):
    s = server(workers=2, preload_app=True)
    ids = {}

    def ask():
        for c, response in s.ask_at_once("/pid"):
            ids.setdefault(response.body, []).append(id_of(c.get("/hello")))
            c.close()
        return len(ids) == 2
    wait_for(ask, what="answers of both")
    every = [found for some in ids.values() for found in some]
    assert len({found[19:] for found in every}) == len(every)


# ---- On the way --------------------------------------------------------------------------


def test_a_connection_that_another_worker_takes(server, tmp_path):
    tmp_path.chmod(0o755)
    gate = tmp_path / "gate"
    s = server(workers=2, timeout=60, accesslog="access.log",
               access_log_format="%(id)s %(w)s %(Q)s %(U)s")
    clients = [s.connect() for _ in range(12)]
    pids = [int(c.get("/pid").body) for c in clients]
    busy = pids[0]
    others = [c for c, pid in zip(clients, pids) if pid == busy][1:]
    if not others:
        pytest.skip("no second connection of the same worker")
    clients[0].ask(f"/wait?for={gate}")
    time.sleep(0.1)
    r = others[0].get("/env", fields=[("X-Request-ID", "kept")])
    assert environ(r)["REQUEST_ID"] == id_of(r) == "kept"
    r = others[0].get("/hello")
    gate.touch()
    clients[0].response()
    lines = {line.split()[0]: line.split() for line in access_lines(s, 15)}
    assert lines["kept"][3] == "/env" and int(lines["kept"][1]) != busy
    assert lines[id_of(r)][3] == "/hello"


def test_fastcgi_is_passed_it(server):
    seen = []

    def answer(connection, request):
        seen.append(request.params)
        connection.sendall(stdout(OK_HEAD + b"x") + end())
    backend = Backend(answer)
    s = server(apps={"back": {"target": backend.target, "bind": "127.0.0.1:0"}})
    r = s.get("/x.php")
    assert seen[0]["REQUEST_ID"] == seen[0]["HTTP_X_REQUEST_ID"] == id_of(r)


@pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(), reason="no Python binding")
def test_python_knows_it(server):
    s = server(apps={"shop": {"target": "python:module_app", "bind": "127.0.0.1:0",
                              "chdir": str(TOP / "tests/apps")}},
               env={"PYTHONDONTWRITEBYTECODE": "1"})
    r = s.get("/worker")
    assert f'"{id_of(r)}"' in r.text


# ---- One line ----------------------------------------------------------------------------


def level_lines(s, found, level="ERROR"):
    return [line for line in s.log().splitlines() if f"[{level}]" in line and found in line]


def one_line(s, found, *patterns, level="ERROR"):
    """Of the lines that name the request one is an error, and it says all this."""
    wait_for(lambda: level_lines(s, found, level), what=f"a line with {found}: {s.log()}")
    s.stop()
    lines = level_lines(s, found, level)
    assert len(lines) == 1, lines
    for pattern in patterns:
        assert re.search(pattern, lines[0]), (pattern, lines)


CRASHES = [
    ("/crash", r"ended by signal 11"), ("/abort", r"ended by signal 6"),
    ("/_exit?status=3", r"the application called _exit\(3\)"),
    ("/exit?status=3", r"the application called exit\(3\)")]


def crash(s, path, why):
    pid, = s.wait_workers(1)
    r = s.get(path)
    assert r.status == 502
    one_line(s, id_of(r), why, rf"{pid}\D", rf"GET {re.escape(path)}", r"\d\.\d s", "probe")


@pytest.mark.parametrize("path,why", CRASHES)
def test_a_crash(server, path, why):
    crash(server(workers=1), path, why)


@pytest.mark.parametrize("path,why", CRASHES[:3])
def test_a_crash_in_a_thread(server, compile_app, path, why):
    app = compile_app("""
        #include <signal.h>
        #include <stdlib.h>
        #include <unistd.h>
        const uint32_t al_flags = AL_THREAD_SAFE;
        int al_handle(void *app, struct al_request *req)
        {
            const char *path = al_env(req, "PATH_INFO");
            (void)app;
            if (path[1] == 'c')
                raise(SIGSEGV);
            if (path[1] == 'a')
                abort();
            _exit(3);
        }""")
    crash(server(apps={"probe": {"target": app, "bind": "127.0.0.1:0", "threads": 3,
                                 "workers": 1}}), path, why)


def test_a_killed_request(server):
    s = server(workers=1)
    pid, = s.wait_workers(1)
    with s.connect() as c:
        c.ask("/sleep?ms=20000", fields=[("X-Request-ID", "the-killed-one")])
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        one_line(s, "the-killed-one", r"ended by signal 9 \(Killed\), by somebody else",
                 rf"{pid}\D", r"GET /sleep\?ms=20000", r" 0\.[1-9] s|[1-9]\.\d s")


@pytest.mark.parametrize("path", ["/sleep?ms=20000", "/stuck"])
def test_a_request_that_takes_too_long(server, path):
    s = server(workers=1, timeout=1)
    pid, = s.wait_workers(1)
    with s.connect() as c:
        c.ask(path, fields=[("X-Request-ID", "the-slow-one")])
        assert c.response().status == 504
    one_line(s, "the-slow-one", r"time is over", rf"{pid}\D", re.escape(path), r"[1-9]\.\d s")


def test_a_request_with_too_much_memory(server, compile_app):
    app = compile_app("""
        #include <stdlib.h>
        #include <unistd.h>
        int al_handle(void *app, struct al_request *req)
        {
            size_t n = (size_t)200 << 20;
            volatile char *bytes = malloc(n);
            (void)app;
            (void)req;
            for (size_t i = 0; i < n; i += 4096)
                bytes[i] = 1;
            sleep(20);
            return AL_ERROR;
        }""")
    s = server(apps={"big": {"target": app, "bind": "127.0.0.1:0", "workers": 1,
                             "max_worker_memory_hard": "150M"}})
    pid, = s.wait_workers(1)
    r = s.get("/fill")
    assert r.status == 502
    one_line(s, id_of(r), r"by the arbiter: memory limit", rf"{pid}\D", r"GET /fill", r"\d\.\d s")


def test_requests_of_an_event_driven_worker(server):
    """Who was killed had several: their number is told, and the one that began last."""
    backend = Backend(lambda connection, request: time.sleep(20))
    s = server(apps={"back": {"target": backend.target, "bind": "127.0.0.1:0", "workers": 1}})
    pid, = s.wait_workers(1)
    with s.connect() as a, s.connect() as b:
        a.ask("/a", fields=[("X-Request-ID", "first")])
        wait_for(lambda: len(backend.requests) >= 1)
        b.ask("/b", fields=[("X-Request-ID", "second")])
        wait_for(lambda: len(backend.requests) >= 2)
        os.kill(pid, signal.SIGKILL)
        one_line(s, "second", rf"pid {pid}\) was ended by signal 9.*, 2 requests under way, the "
                              r"last one GET /b \(second\)")


def test_slow_requests(server):
    s = server(workers=1, slow_request=300)
    s.get("/hello")
    pid = s.get("/sleep?ms=600").text.strip()
    line = s.wait_log(r".*slow: .*")[0]
    assert re.fullmatch(rf"\[[^]]+\] \[{pid}\] \[WARNING\] probe: {UUID}: GET /sleep\?ms=600: "
                        r"slow: it was (0\.[6-9]|[1-9]\.\d)\d* s in the application, "
                        r"slow_request is 300 ms; it was answered 200", line), line
    assert s.log().count("slow: ") == 1
