"""Many applications behind one address: what answers a request, whatever the connection was
used for before."""

import os
import random
import signal
import threading
import time

import pytest

from conftest import ALICORN, APPS, SANITIZED, TOP, USER, format_settings, free_port, wait_for
from wire import Client, Cut

WHO = TOP / "tests/apps/who"
REQUESTS = 1_000_000 if os.environ.get("ALICORN_ENDURANCE") == "full" else 6_000
USERS = ["nobody", "daemon", "games", "man", "mail"]

# name: the settings of its application.
LANGUAGES = {"c": {"target": f"c:{APPS}/who.so"}}
if (ALICORN.parent / "python.so").exists():
    LANGUAGES["python"] = {"target": "python:who:app", "chdir": WHO, "workers": 2}
if (ALICORN.parent / "lua.so").exists():
    LANGUAGES["lua"] = {"target": f"lua:{WHO}/who.lua"}
if (ALICORN.parent / "php.so").exists() and not SANITIZED:
    LANGUAGES["php"] = {"target": f"php:{WHO}/php", "script": "index.php"}
LANGUAGES["cgi"] = {"target": f"cgi:{WHO}/cgi"}


def group(settings):
    return "{ " + format_settings(settings).replace("\n", " ") + "}"


def site(apps, routes, top=None, listeners=None, log=None):
    """A configuration file; routes and listeners as dictionaries."""
    top = {**({"errorlog": log} if log else {}), **USER, **(top or {})}
    text = format_settings(top)
    text += "applications: {\n" + "".join(
        f"{name}: {group(app)};\n" for name, app in apps.items()) + "};\n"
    if listeners:
        text += "listeners = ( " + ", ".join(map(group, listeners)) + " );\n"
    return text + "routes = ( " + ",\n".join(map(group, routes)) + " );\n"


@pytest.fixture
def serve(server, tmp_path):
    """Starts a server with these applications and routes."""
    def start(apps, routes, top=None, listeners=None, n=1):
        top = {**({} if listeners else {"bind": "127.0.0.1:0"}), **(top or {})}
        text = site(apps, routes, top, listeners, tmp_path / "log")
        s = server(text=text, wait=False)
        s.again = lambda routes: s.configure(
            text=site(apps, routes, top, listeners, tmp_path / "log"))
        wait_for(lambda: s.process.poll() is not None or s.log().count("listening on") >= n,
                 what=f"listening: {s.log()}")
        assert s.process.poll() is None, s.log()
        return s
    return start


def mounted(names):
    return [{"path": f"/{name}/*", "app": name, "mount": f"/{name}"} for name in names
            if name != "cgi"] + [{"path": "/cgi/*", "app": "cgi", "mount": "/cgi"}] * ("cgi" in names)


def path_for(name, number):
    return f"/{name}/{'who/' if name == 'cgi' else ''}{number}?q={number}"


def check(name, number, response):
    assert response.status == 200, (name, number, response)
    who, mount, path, query, address, length = response.text.split("|")
    assert (who, mount, query, address, length) == (name, f"/{name}", f"q={number}", "127.0.0.1", "0")
    assert path == f"/{number}"


# ---- Who answers ------------------------------------------------------------------------


def test_a_connection_alternates_between_languages(serve):
    s = serve(LANGUAGES, mounted(LANGUAGES))
    with s.connect() as c:
        for number in range(40):
            name = list(LANGUAGES)[number % len(LANGUAGES)]
            check(name, number, c.get(path_for(name, number)))


@pytest.mark.parametrize("keepalive", [True, False])
def test_no_wrong_answer_under_load_and_reloads(serve, keepalive):
    """Each answer carries who answered and what was asked."""
    s = serve(LANGUAGES, mounted(LANGUAGES), {"keepalive": 5, "timeout": 60})
    names = [name for name in LANGUAGES if name != "cgi"] * 5 + ["cgi"]
    total = REQUESTS if keepalive else REQUESTS // 4
    failed, threads, done = [], [], [0] * 4

    def ask(i):
        numbers, client = random.Random(i), None
        try:
            while done[i] < total // len(done) and not failed:
                client = client or s.connect()
                name, number = numbers.choice(names), numbers.randrange(10**9)
                try:
                    r = client.get(path_for(name, number))
                except (OSError, EOFError, ConnectionError) as error:
                    raise AssertionError(f"{name} {number}: {error!r}")
                check(name, number, r)
                done[i] += 1
                if r.field("Connection") == "close" or not keepalive:
                    client.close()
                    client = None
        except BaseException as error:
            failed.append(repr(error))
            raise
        finally:
            if client:
                client.close()

    for i in range(len(done)):
        threads.append(threading.Thread(target=ask, args=(i,)))
        threads[-1].start()
    reloads = 0
    while any(t.is_alive() for t in threads):
        if sum(done) >= reloads * total / 4:
            s.signal(signal.SIGHUP)
            reloads += 1
            s.wait_log("reload done", times=reloads)
        time.sleep(0.1)
    for t in threads:
        t.join()
    assert not failed, (failed, s.log())
    assert sum(done) >= total - len(done)
    assert reloads > 0


# ---- What a route says --------------------------------------------------------------------


@pytest.fixture
def www(tmp_path):
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "a.txt").write_text("a file\n")
    (folder / "index.html").write_text("<p>index\n")
    (tmp_path / "secret").write_text("secret")
    tmp_path.chmod(0o755)
    return folder


C = {"c": LANGUAGES["c"]}
TWO = {**C, "other": {"target": f"c:{APPS}/who.so", "chdir": "/"}}


def workers(s, name):
    return len(s.workers(name))


@pytest.mark.parametrize("apps", [C, TWO], ids=["direct", "front"])
def test_actions(serve, www, apps):
    s = serve(apps, [
        {"path": "/old/*", "redirect": "https://$host/new$rest?$query", "status": 301},
        {"path": "/gone", "status": 410, "body": "gone for good"},
        {"path": "/no/*", "status": 403},
        {"path": "/static/*", "files": www, "mount": "/static", "cache_control": "max-age=60",
         "response_headers": ["X-By=the route"]},
        {"host": "only.example", "path": "/host", "status": 204},
        {"method": "DELETE", "status": 405, "body": "not here"},
        {"header": "X-Secret", "status": 418, "body": "teapot"},
        {"path": "*.hid", "status": 404, "body": "hidden"},
        {"path": "/two/*", "app": list(apps)[-1], "mount": "/two", "limit_request_body": 1000,
         "response_headers": ["X-Two=2"]},
        {"path": "/try/*", "files": www, "app": "c", "mount": "/try"},
        {"path": "/c/*", "app": "c"},
    ])
    wait_for(lambda: (workers(s, "front") > 0) == (apps is TWO) and workers(s, "c"), what="workers")
    with s.connect() as c:
        r = c.get("/old/a%20b?x=1")
        assert (r.status, r.field("Location")) == (301, "https://test/new/a%20b?x=1")
        r = c.get("/gone")
        assert (r.status, r.text) == (410, "gone for good")
        r = c.get("/no/thing")
        assert r.status == 403 and "403" in r.text
        r = c.get("/static/a.txt")
        assert (r.text, r.field("Cache-Control"), r.field("X-By")) == ("a file\n", "max-age=60", "the route")
        assert c.get("/static/").text == "<p>index\n"
        assert c.get("/static/none").status == 404
        assert c.get("/static/%2e%2e/secret").status == 404
        assert c.get("/c/x", method="DELETE").text == "not here"
        assert c.get("/c/x", fields=[("x-secret", "")]).status == 418
        assert c.get("/c/x.hid").text == "hidden"
        assert c.get("/c//../c/x.h%69d").text == "hidden"
        r = c.get("/two/x/y?q")
        assert (r.text, r.field("X-Two")) == ("c|/two|/x/y|q|127.0.0.1|0", "2")
        assert c.get("/two").text == "c|/two||" + "|127.0.0.1|0"
        assert c.get("/tw%6f/x").text == "c|/two|/x||127.0.0.1|0"
        assert c.get("/x/../two//x").text == "c|/two|/x||127.0.0.1|0"
        # What is left behind the mount does not lead to another place than what was matched.
        assert c.get("/two/../two/x").text == "c|/two|/x||127.0.0.1|0"
        assert c.get("/two/y/../x").text == "c|/two|/y/../x||127.0.0.1|0"
        assert c.get("/try/a.txt").text == "a file\n"
        assert c.get("/try/none").text == "c|/try|/none||127.0.0.1|0"
        assert c.get("/try/a.txt", method="POST", body=b"12345").text == "c|/try|/a.txt||127.0.0.1|5"
        assert c.get("/c/x").text == "c||/c/x||127.0.0.1|0"
        assert c.get("/nobody").status == 404
        assert c.get("/two/x", method="POST", body=b"x" * 1000).text.endswith("|1000")
        assert c.get("/two/x", method="POST", body=b"x" * 1001).status == 413
    with s.connect() as c:
        c.send("GET /host HTTP/1.1\r\nHost: ONLY.example:80\r\n\r\n")
        assert c.response().status == 204
        c.send("GET /host HTTP/1.1\r\nHost: other.example\r\n\r\n")
        assert c.response().status == 404


@pytest.mark.parametrize("apps", [C, TWO], ids=["direct", "front"])
@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
def test_a_route_may_allow_more_than_its_application(serve, apps, chunked):
    s = serve({name: {**app, "limit_request_body": 1000} for name, app in apps.items()},
              [{"path": "/two", "app": list(apps)[-1]},
               {"path": "/much", "app": "c", "limit_request_body": 5000}, {"app": "c"}])
    for path, most in (("/much", 5000), ("/x", 1000)):
        for size, status in ((most, 200), (most + 1, 413)):
            with s.connect() as c:
                if chunked:
                    c.ask(path, "POST", [("Transfer-Encoding", "chunked")])
                    c.send(b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size))
                else:
                    c.ask(path, "POST", body=b"x" * size)
                assert c.response().status == status, (path, size)


def test_sources(serve):
    s = serve(TWO, [{"path": "/a", "source": "10.0.0.0/8", "app": "c"},
                    {"path": "/a", "status": 403}, {"app": "other"}],
              {"client_address": "x-forwarded-for"})
    with s.connect() as c:
        assert c.get("/a").status == 403
        assert c.get("/b").status == 200
        r = c.get("/a", fields=[("X-Forwarded-For", "10.1.2.3")])
        assert r.text == "c||/a||10.1.2.3|0"


@pytest.mark.parametrize("size", [0, 1, 3000, 70_000, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
def test_bodies_follow_their_requests(serve, size, chunked):
    """A body is received by who answers it; what was received before goes along."""
    s = serve(TWO, [{"path": "/a/*", "app": "c"}, {"app": "other"}])
    body = random.Random(size).randbytes(size)
    with s.connect() as c:
        for i in range(6):
            path = "/a/x" if i % 2 else "/b/x"
            if chunked:
                framed = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body) if size else b"0\r\n\r\n"
                c.send(f"POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
                c.send(framed)
                r = c.response()
            else:
                r = c.get(path, method="POST", body=body)
            assert r.text == f"c||{path}||127.0.0.1|{size}"


def test_expect_continue(serve):
    s = serve(TWO, [{"path": "/a/*", "app": "c"}, {"app": "other"}])
    with s.connect() as c:
        for path in ("/a/x", "/b"):
            c.send(f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n"
                   "Expect: 100-continue\r\n\r\n")
            assert c.head().status == 100
            c.send(b"12345")
            assert c.response().text == f"c||{path}||127.0.0.1|5"


def test_pipelined_requests_go_where_they_belong(serve):
    s = serve(TWO, [{"path": "/a/*", "app": "c", "mount": "/a"},
                    {"path": "/s", "status": 200, "body": "said"}, {"app": "other"}])
    paths = ["/a/1", "/a/2", "/3", "/s", "/a/4", "/5", "/s", "/s", "/6"]
    with s.connect() as c:
        c.send("".join(f"GET {p} HTTP/1.1\r\nHost: t\r\n\r\n" for p in paths))
        for path in paths:
            text = c.response().text
            if path == "/s":
                assert text == "said"
            else:
                assert text.split("|")[2] == path.removeprefix("/a"), text


def test_large_heads(serve):
    s = serve(TWO, [{"path": "/a/*", "app": "c"}, {"app": "other"}])
    fields = [(f"X-{i}", "x" * 8000) for i in range(15)]
    with s.connect() as c:
        for path in ("/a/x", "/b", "/a/y"):
            assert c.get(path, fields=fields).text.split("|")[2] == path


# ---- Connections that move ----------------------------------------------------------------


def test_idle_connections_survive_a_reload(serve):
    """Those that wait in workers that are replaced go to the new ones."""
    s = serve(TWO, [{"path": "/a/*", "app": "c"}, {"app": "other"}], {"keepalive": 60})
    clients = [s.connect() for _ in range(20)]
    for i, c in enumerate(clients):
        assert c.get("/a/x" if i % 2 else "/b").status == 200
    old = set(s.workers())
    s.signal(signal.SIGHUP)
    wait_for(lambda: not old & set(s.workers()), what="the old workers have gone")
    for c in clients:
        assert c.get("/a/x").text.startswith("c|")
        assert c.get("/b").text.startswith("c|")
        c.close()


def test_a_pool_without_workers(serve, compile_app):
    """Requests wait for its worker, and are told 503 when there is none for too long."""
    app = compile_app("""
        #include <stdlib.h>
        int al_handle(void *app, struct al_request *req)
        {
            (void)app;
            (void)req;
            raise(9);
            return AL_ERROR;
        }""".replace("stdlib.h", "signal.h"))
    s = serve({**C, "dies": {"target": f"c:{app}", "queue_timeout": 2}},
              [{"path": "/d", "app": "dies"}, {"app": "c"}], {"queue_timeout": 2})
    for _ in range(6):
        with s.connect() as c:
            c.ask("/d")
            try:
                r = c.response()
                assert r.status == 503 and r.field("Retry-After")
            except Cut:
                pass  # it was in the application
    assert s.get("/x").status == 200


def test_the_queue_of_a_busy_pool(serve, compile_app):
    """More requests than its queue takes: they wait in the front, and all are answered."""
    app = compile_app("""
        #include <unistd.h>
        int al_handle(void *app, struct al_request *req)
        {
            (void)app;
            usleep(3000);
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write_last(req, "slow", 4) == -1 ? AL_ERROR : AL_DONE;
        }""")
    s = serve({**C, "slow": {"target": f"c:{app}", "backlog": 5}},
              [{"path": "/slow", "app": "slow"}, {"app": "c"}])
    clients = [s.connect() for _ in range(60)]
    for c in clients:
        c.ask("/slow")
    assert s.get("/x").status == 200
    for c in clients:
        assert c.response().text == "slow"
        c.close()


PROXY_V1 = "PROXY TCP4 192.0.2.7 192.0.2.1 5555 80\r\n"


def test_the_proxy_protocol(serve):
    """What the header said holds wherever the connection is, and when it comes back."""
    s = serve(TWO, [{"path": "/a/*", "app": "c"}, {"path": "/s", "status": 200, "body": "said"},
                    {"app": "other"}], {"proxy_protocol": "v1"})
    with s.connect() as c:
        c.send(PROXY_V1)
        for path in ["/a/1", "/2", "/s", "/a/3", "/a/4", "/5"] * 3:
            text = c.get(path).text
            assert text == ("said" if path == "/s" else f"c||{path}||192.0.2.7|0")
    with s.connect() as c:
        assert c.get("/a/1").text == "c||/a/1||127.0.0.1|0"
        assert c.get("/2").text == "c||/2||127.0.0.1|0"


@pytest.mark.skipif(os.getuid() != 0, reason="changes users")
def test_users_do_not_read_each_others_requests(serve, tmp_path):
    """After each response the connection goes back to the front, and what is pipelined
    behind a request does not go along."""
    apps = {name: {**LANGUAGES["c"], "user": user}
            for name, user in zip(["a", "b"], USERS)}
    s = serve(apps, [{"path": "/a/*", "app": "a"}, {"path": "/s", "status": 200, "body": "said"},
                     {"app": "b"}], {"keepalive": 30})
    with s.connect() as c:
        for i in range(12):
            path = ["/a/x", "/b", "/s"][i % 3]
            assert c.get(path).status == 200
        assert c.get("/a/x").status == 200

        def owners():
            """Which processes have the connection."""
            ends = [c.socket.getpeername()[1], c.socket.getsockname()[1]]
            lines = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]
            inode = next(l[9] for l in lines if
                         [int(end.split(":")[1], 16) for end in l[1:3]] == ends)
            found = set()
            for name in ("front", "a", "b"):
                for pid in s.workers(name):
                    for fd in os.listdir(f"/proc/{pid}/fd"):
                        try:
                            if os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]":
                                found.add(name)
                        except OSError:
                            pass
            return found

        wait_for(lambda: owners() == {"front"}, what="back in the front")
    with s.connect() as c:
        c.send("".join(f"GET {p} HTTP/1.1\r\nHost: t\r\n\r\n" for p in ["/a/1", "/b/2"]))
        r = c.response()
        # What follows may be asked again (RFC 9112 section 9.3.2).
        assert (r.text.split("|")[2], r.field("Connection")) == ("/a/1", "close")


@pytest.mark.parametrize("chunked", [False, True], ids=["none", "chunked"])
def test_the_response_before_a_close_arrives(serve, compile_app, tmp_path, chunked):
    """What was pipelined behind a request is not answered, and takes nothing from the answer
    to that one; nor is it a request of the access log."""
    app = compile_app("""
        static char text[300000];
        int al_handle(void *app, struct al_request *req)
        {
            (void)app;
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write_last(req, text, sizeof(text)) == -1 ? AL_ERROR : AL_DONE;
        }""")
    s = serve({"a": {"target": f"c:{app}", "accesslog": tmp_path / "access"},
               "b": {**LANGUAGES["c"], "user": USERS[0]}}, [{"path": "/b", "app": "b"}, {"app": "a"}])
    with s.connect(receive_buffer=4096) as c:
        if chunked:
            c.ask("/a", "POST", [("Transfer-Encoding", "chunked")])
            c.send("5\r\nabcde\r\n0\r\n\r\n" + "GET /b HTTP/1.1\r\nHost: t\r\n\r\n" * 1000)
        else:
            c.send("GET /a HTTP/1.1\r\nHost: t\r\n\r\n" * 3000)
        time.sleep(0.3)  # for the close to come before it is read
        assert len(c.response().body) == 300000
    wait_for(lambda: (tmp_path / "access").read_text(), what="a line")
    assert (tmp_path / "access").read_text().count("\n") == 1


def test_a_stop_answers_what_is_on_its_way(serve, compile_app):
    app = compile_app("""
        #include <unistd.h>
        int al_handle(void *app, struct al_request *req)
        {
            (void)app;
            usleep(300000);
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write_last(req, "slow", 4) == -1 ? AL_ERROR : AL_DONE;
        }""")
    s = serve({**C, "slow": {"target": f"c:{app}", "workers": 2}},
              [{"path": "/slow", "app": "slow"}, {"app": "c"}])
    clients = [s.connect() for _ in range(6)]
    for c in clients:
        c.ask("/slow")
    time.sleep(0.1)
    s.signal(signal.SIGTERM)
    for c in clients:
        assert c.response().text == "slow"
        c.close()
    assert s.wait() == 0


def test_routes_change_at_a_reload(serve):
    s = serve(TWO, [{"path": "/a/*", "app": "c"}, {"app": "other"}], {"keepalive": 60})
    with s.connect() as c:
        assert c.get("/new").text.startswith("c|")
        assert c.get("/a/x").text.startswith("c|")
        s.again([{"path": "/new", "status": 200, "body": "new"}, {"path": "/a/*", "app": "other"},
                 {"path": "/b", "app": "c"}])
        s.signal(signal.SIGHUP)
        s.wait_log("reload done")
        wait_for(lambda: s.get("/new").text == "new", what="the new routes")
        wait_for(lambda: c.get("/new").text == "new", what="the new routes, for the old connection")
        assert c.get("/gone").status == 404


def test_two_sites(serve):
    s = serve(C, [{"app": "c"}], listeners=[
        {"bind": "127.0.0.1:0", "name": "one", "workers": 1},
        {"bind": "127.0.0.1:0", "name": "two", "workers": 1, "server_header": "second"}], n=2)
    for name in ("one", "two"):
        with s.connect(name) as c:
            assert c.get("/x").status == 200
            assert c.get("/y").text == "c||/y||127.0.0.1|0"


def test_a_queue_without_workers_is_cleared(serve, compile_app, tmp_path):
    """A pool whose workers die and do not start any more, while requests lie in its queue."""
    broken = tmp_path / "broken"
    app = compile_app(f"""
        #include <signal.h>
        #include <unistd.h>
        const char *al_worker_init(void **app)
        {{
            (void)app;
            return access("{broken}", F_OK) == 0 ? "broken" : NULL;
        }}
        int al_handle(void *app, struct al_request *req)
        {{
            (void)app;
            (void)req;
            while (access("{broken}", F_OK) != 0)
                usleep(10000);
            raise(SIGKILL);
            return AL_ERROR;
        }}""")
    tmp_path.chmod(0o755)
    s = serve({**C, "dies": {"target": f"c:{app}", "queue_timeout": 2, "relief_after": 0}},
              [{"path": "/d", "app": "dies"}, {"app": "c"}])
    clients = [s.connect() for _ in range(4)]
    for c in clients:
        c.ask("/d")
    time.sleep(0.3)
    broken.touch()
    answers = []
    for c in clients:
        try:
            answers.append(c.response().status)
        except Cut:
            answers.append("cut")  # the one whose request was in the application
    assert sorted(map(str, answers)) == ["503", "503", "503", "cut"]
    assert s.get("/x").status == 200


# ---- What fronts and workers must bear ------------------------------------------------------


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_front_keeps_no_descriptor_that_it_does_not_know_of(serve, compile_app):
    """An application sends two with each message, to all queues that it has."""
    app = compile_app("""
        #include <stdio.h>
        #include <sys/socket.h>

        static int send_two(int to)
        {
            char bytes[CMSG_SPACE(2 * sizeof(int))] = "";
            struct iovec piece = { "nothing", 7 };
            struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1,
                .msg_control = bytes, .msg_controllen = sizeof(bytes) };
            struct cmsghdr *part = CMSG_FIRSTHDR(&m);
            *part = (struct cmsghdr){ CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
            memcpy(CMSG_DATA(part), (int[]){ 2, 2 }, 2 * sizeof(int));
            return sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
        }

        int al_handle(void *app, struct al_request *req)
        {
            char text[16];
            int n = 0, type;
            (void)app;
            for (int fd = 3; fd < 100; fd++)
                if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }) == 0
                    && type == SOCK_SEQPACKET)
                    for (int i = 0; i < 10; i++)
                        n += send_two(fd);
            snprintf(text, sizeof(text), "%d", n);
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write_last(req, text, strlen(text)) == -1 ? AL_ERROR : AL_DONE;
        }""")
    s = serve({**C, "bad": {"target": f"c:{app}"}}, [{"path": "/bad", "app": "bad"}, {"app": "c"}])
    assert s.get("/x").status == 200
    fronts = s.workers("front")
    before = sum(map(descriptors, fronts))
    assert int(s.get("/bad").text) > 0
    s.wait_log("front: a connection is closed, as another worker passed it on", times=10)
    wait_for(lambda: sum(map(descriptors, fronts)) <= before, what="as many as before")


def test_no_application_makes_a_front_wait(serve, compile_app):
    """It has made the socket one that waits, before the front has it back."""
    app = compile_app("""
        #include <fcntl.h>
        #include <netinet/in.h>
        int al_handle(void *app, struct al_request *req)
        {
            struct sockaddr_in peer;
            (void)app;
            for (int fd = 3; fd < 100; fd++)
                if (getpeername(fd, (struct sockaddr *)&peer, &(socklen_t){ sizeof(peer) }) == 0 &&
                    peer.sin_family == AF_INET)
                    fcntl(fd, F_SETFL, 0);
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write_last(req, "ok", 2) == -1 ? AL_ERROR : AL_DONE;
        }""")
    s = serve({"c": {**LANGUAGES["c"], "user": USERS[0]}, "bad": {"target": f"c:{app}"}},
              [{"path": "/bad", "app": "bad"}, {"app": "c"}], {"keepalive": 60})
    clients = [s.connect() for _ in range(8)]  # more than fronts
    for c in clients:
        assert c.get("/bad").text == "ok"
    for c in clients:
        assert c.get("/x").status == 200
        c.close()


def test_connections_that_were_handed_on_have_a_limit(serve):
    s = serve({**TWO, "c": {**TWO["c"], "workers": 1, "worker_connections": 10}},
              [{"path": "/other", "app": "other"}, {"app": "c"}], {"keepalive": 60})
    clients = [s.connect() for _ in range(15)]
    for c in clients:
        assert c.get("/x").status == 200
    for c in clients[:5]:
        assert c.is_closed()  # it was idle for longest
    for c in clients:
        c.close()


def test_more_connections_are_handed_on_than_there_are_descriptors(serve):
    s = serve({**TWO, "c": {**TWO["c"], "workers": 1, "limit_files": 64}},
              [{"path": "/other", "app": "other"}, {"app": "c"}], {"keepalive": 60})
    clients = []
    for _ in range(100):
        clients.append(s.connect())
        assert clients[-1].get("/x").status == 200
    for c in clients:
        c.close()


def test_addresses_change_their_order_at_a_reload(serve, compile_app, tmp_path):
    """Connections that move to the new workers came by the address that they came by."""
    app = compile_app("""
        int al_handle(void *app, struct al_request *req)
        {
            const char *port = al_env(req, "SERVER_PORT");
            (void)app;
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write_last(req, port, strlen(port)) == -1 ? AL_ERROR : AL_DONE;
        }""")
    ports = [free_port(), free_port()]
    apps = {**C, "port": {"target": f"c:{app}"}}
    routes = [{"path": "/c", "app": "c"}, {"app": "port"}]

    def top():
        return {"bind": [f"127.0.0.1:{port}" for port in ports], "keepalive": 60}

    s = serve(apps, routes, top(), n=2)
    clients = {port: Client(("127.0.0.1", port)) for port in ports}
    for port, c in clients.items():
        assert c.get("/x").text == str(port)
    old = set(s.workers())
    ports.reverse()
    s.configure(text=site(apps, routes, top(), log=tmp_path / "log"))
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    wait_for(lambda: not old & set(s.workers()), what="the old workers' end")
    for port, c in clients.items():
        assert c.get("/x").text == str(port)
        c.close()
