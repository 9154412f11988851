"""Lua applications (WSAPI), in Lua 5.4 and in LuaJIT: the contract, what breaks it, loading,
the life of the interpreter, and what people run: lua-wsapi's modules and lua-orbit. The
applications are in tests/apps."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from conftest import ALICORN, TOP, wait_for
from wire import Cut

APPS = TOP / "tests/apps"
WSAPI = {"lua": "/usr/share/lua/5.2", "luajit": "/usr/share/lua/5.1"}
KINDS = [pytest.param(kind, marks=pytest.mark.skipif(
    not (ALICORN.parent / f"{kind}.so").exists(), reason=f"{kind} is not installed"))
    for kind in WSAPI]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def settings_of(kind, target="wsapi_checks.lua", **settings):
    path = APPS / target if target.endswith(".lua") else target
    return {"target": f"{kind}:{path}", "bind": "127.0.0.1:0", "workers": 1, **settings}


@pytest.fixture
def lua(server, kind):
    """A function that starts a server with one worker that runs an application."""
    def start(target="wsapi_checks.lua", env=None, wait=True, **settings):
        return server(apps={"app": settings_of(kind, target, **settings)}, env=env, wait=wait)
    return start


@pytest.fixture
def s(lua):
    return lua()


@pytest.fixture
def notes(tmp_path):
    """What the application has noted so far; .env has it do so."""
    file = tmp_path / "notes"
    file.touch()
    file.chmod(0o666)

    def lines():
        return file.read_text().splitlines()

    lines.env = {"NOTES": str(file)}
    return lines


def write(folder, name, text):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return str(folder / name)


def saying(word):
    return f"""return function(env)
        local word = {word}
        return 200, {{}}, function() local now = word; word = nil; return now end
    end"""


# ---- Responses ---------------------------------------------------------------------------


def test_kinds(s, kind):
    expected = {"lua": "Lua 5.4 nil", "luajit": "Lua 5.1 LuaJIT"}[kind]
    assert s.get("/version").text.startswith(expected)


def test_bodies_and_framing(s):
    with s.connect() as c:
        for path, body, length in [("/hello", b"hello\n", "6"), ("/no_body", b"", "0"),
                                   ("/items", b"one two 3", None), ("/falsy", b"a", None),
                                   ("/zero_results", b"once", None),
                                   ("/callable", b"called called ", None),
                                   ("/big?20", b"x" * 65536 * 20, None)]:
            r = c.get(path)
            assert (r.status, r.body, r.field("Content-Length")) == (200, body, length), path
        assert c.get("/none").status == 204
        assert c.get("/nowhere").status == 404
        r = c.get("/hello", "HEAD")
        assert (r.body, r.field("Content-Length")) == (b"", "6")
        assert c.get("/items", "HEAD").body == b""
    assert "ERROR" not in s.log()


def test_status(s):
    with s.connect() as c:
        for path, status, reason in [("/status?299+Odd+One", 299, "Odd One"),
                                     ("/status?404", 404, "Not Found"),
                                     ("/code?418", 418, None), ("/code?404.0", 404, "Not Found"),
                                     ("/code?304", 304, "Not Modified")]:
            r = c.get(path)
            assert r.status == status and reason in (None, r.reason), path


def test_headers(s):
    with s.connect() as c:
        r = c.get("/many_headers")
        assert r.every("Set-Cookie") == ["a=1", "b=2"]
        assert r.every("X-List") == ["1", "two", "3"]
        assert [r.field(f"X-{name}") for name in ("Number", "Great", "Half", "Empty", "No")] == [
            "3", "123456789012345", "0.5", "", None]
        r = c.get("/hundred_headers")
        assert {f"X-{i}": str(i) for i in range(1, 101)}.items() <= dict(r.fields).items()


def test_each_piece_is_sent_before_the_next_is_asked_for(s):
    with s.connect() as c:
        c.ask("/slow")
        times, pieces = [], []
        c.response(sink=lambda piece: (times.append(time.monotonic()), pieces.append(piece)))
    assert pieces == [b"piece 1", b"piece 2", b"piece 3"]
    assert times[1] - times[0] > 0.05 and times[2] - times[1] > 0.05


def test_client_that_leaves_ends_the_iteration(lua):
    s = lua(response_buffer_size=65536)
    with s.connect(receive_buffer=4096) as c:
        c.ask("/big?1000000")
        c.take(1000)
    assert s.get("/hello").status == 200
    assert "traceback" not in s.log()


# ---- The environ and the body ------------------------------------------------------------


def test_environ(s):
    with s.connect() as c:
        r = c.get("/env?REQUEST_METHOD&PATH_INFO&SCRIPT_NAME&HTTP_X_TEXT&HTTP_X_TEXT&HTTP_NONE&"
                  "CONTENT_LENGTH&SERVER_PROTOCOL&REMOTE_ADDR&APP_PATH&DOCUMENT_ROOT",
                  fields=[("X-Text", "caf\xe9")])
        assert r.body.decode("latin-1").split("\n") == [
            "REQUEST_METHOD=GET", "PATH_INFO=/env", "SCRIPT_NAME=", "HTTP_X_TEXT=caf\xe9",
            "HTTP_X_TEXT=caf\xe9", "HTTP_NONE=", "CONTENT_LENGTH=", "SERVER_PROTOCOL=HTTP/1.1",
            "REMOTE_ADDR=127.0.0.1", f"APP_PATH={APPS}", "DOCUMENT_ROOT="]
        names = c.get("/all", fields=[("X-Odd", "1")]).text.split()
        assert {"HTTP_HOST", "HTTP_X_ODD", "REQUEST_METHOD"} <= set(names)
        assert c.get("/set").text == "/changedmine MINE PATH_INFO nil"


def test_empty_path_is_a_slash(lua, tmp_path):
    s = lua(write(tmp_path, "path.lua", saying("env.PATH_INFO .. env.SCRIPT_NAME")))
    with s.connect() as c:
        assert c.get("*", "OPTIONS").text in ("/", "*")
        assert c.get("/").text == "/"


def test_body_is_read(s):
    with s.connect() as c:
        for query, body, expected in [
                ("3&0&-1&100&1", b"abcdefgh", "8 <abc>nilnil<defgh>nil"),
                ("nil&nil", b"whole", "5 <whole>nil"), ("2&nil", b"rest", "4 <re><st>"),
                ("1", b"", "0 nil"), ("1e300", b"ab", "2 <ab>")]:
            r = c.get(f"/read?{query}", "POST", body=body)
            assert r.text == expected, query
        for body, lengths in [(b"a\nbb\n\nccc", "1 2 0 3"), (b"", ""), (b"\n", "0"),
                              (b"x" * 20000 + b"\n" + b"y" * 40000, "20000 40000")]:
            assert c.get("/lines", "POST", body=body).text == lengths


def test_chunked_and_spooled_bodies(lua):
    s = lua(body_buffer_size=65536)
    total = 0
    body = os.urandom(300_000)
    for byte in body:
        total = (total * 31 + byte) % 65521
    with s.connect() as c:
        assert c.get("/sum", "POST", body=body).text == f"300000 {total}"
        c.send("POST /sum HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 100_000):
            c.send(b"%x\r\n%s\r\n" % (100_000, body[at:at + 100_000]))
        c.send("0\r\n\r\n")
        assert c.response().text == f"300000 {total}"
        lines = b"\n".join([b"line"] * 40000)
        assert c.get("/lines", "POST", body=lines).text == " ".join(["4"] * 40000)


def test_errors_go_to_the_log(s):
    assert s.get("/errors").text == "written"
    s.wait_log("(?m)^.*ERROR.* begun, 1 ended$")
    s.wait_log("(?m)^.*ERROR.* second line$")
    s.wait_log("(?m)^.*ERROR.* left$")
    s.wait_log("y{952}", times=3)


def test_what_is_kept_of_a_request_is_dead(s):
    with s.connect() as c:
        c.get("/keep", "POST", body=b"secret")
        said = c.get("/use_kept", "POST", body=b"other").text.split("\n")
    assert len(said) == 6
    for line in said:
        assert line.startswith("false ") and "not that of the current request" in line, said


# ---- What goes wrong ---------------------------------------------------------------------

FAULTS = {
    "nothing": "gives a nil for the status",
    "no_status": "gives a nil for the status",
    "status_true": "gives a boolean for the status",
    "status_table": "gives a table for the status",
    "status_nul": "the status holds a NUL",
    "headers_string": "gives a string for the headers",
    "headers_function": "gives a function for the headers",
    "headers_list": "the name of a header is a number",
    "header_true": "the header X is a boolean",
    "header_function": "the header X is a function",
    "header_nested": "the header X is a table",
    "iterator_string": "gives a string for the iterator of the body, not a function",
    "iterator_number": "gives a number for the iterator of the body, not a function",
    "iterator_table": "gives a table for the iterator of the body, not a function",
    "piece_table": "the iterator gives a table",
    "piece_true": "the iterator gives a boolean",
    "yields": "attempt to yield",
    "raises": "wsapi_checks.lua:\\d+: oops",
    "raises_table": "an error that is a table value",
    "raises_number": ": 404",
    "raises_nil": "an error that is a nil value|nil",
    "raises_speaking": "speaking",
    "raises_in_tostring": "again|error in",
    "raises_in_iterator": "wsapi_checks.lua:\\d+: oops",
    "raises_in_coroutine": "wsapi_checks.lua:\\d+: oops",
    "dead_coroutine": "cannot resume dead coroutine",
    "too_deep": "stack overflow",
}


def test_misbehaving_applications_are_answered_500(s):
    """Each is one request of a connection that goes on, and the interpreter does too."""
    with s.connect() as c:
        names = c.get("/faults").text.split()
    assert len(names) >= 40 and set(FAULTS) <= set(names)
    for name in names:
        with s.connect() as c:
            r = c.get(f"/fault?{name}")
            assert r.status == 500 and b"oops" not in r.body, name
        s.wait_log(FAULTS.get(name, "the application's response is refused"))
        log = s.log()
        s.log_file.write_text("")
        assert len(log.splitlines()) < 60, log
        if name in ("raises", "raises_in_iterator"):
            assert "stack traceback:" in log
    assert len(s.workers()) == 1
    assert s.get("/count").text == "1"


def test_failure_after_the_beginning_is_seen(s):
    with pytest.raises(Cut), s.connect() as c:
        c.get("/raise_late")
    s.wait_log("wsapi_checks.lua:\\d+: late")
    with pytest.raises(Cut), s.connect() as c:
        c.get("/too_short")
    with s.connect() as c:
        assert c.get("/too_long").body == b"lon"
    s.wait_log("longer than Content-Length")


def test_end_of_the_process_is_answered(s):
    assert s.get("/exit").status == 502
    s.wait_log(r"called exit\(3\)")
    assert s.get("/hello").status == 200


def test_stuck_request(lua, notes, kind):
    s = lua(timeout=1, env=notes.env, worker_abort="on_abort", worker_exit="on_exit")
    assert s.get("/stuck").status == 504
    s.wait_log("was killed|ended with status 1|ended by signal")
    assert s.get("/hello").status == 200
    if kind == "lua":
        s.wait_log("it takes too long, and is here:")
        assert re.search(r"wsapi_checks.lua:\d+: in ", s.log())
        assert notes()[1:3] == ["worker_abort", "exit hook"]


def test_garbage_and_failing_finalizers(s):
    with s.connect() as c:
        for _ in range(100):
            assert c.get("/garbage").status in (200, 500)
        assert c.get("/hello").status == 200
    assert len(s.workers()) == 1


# ---- Loading -----------------------------------------------------------------------------


def test_modules_and_paths(lua, tmp_path, kind):
    write(tmp_path, "shop/web.lua", "return { run = require('shop.answer') }")
    write(tmp_path, "shop/answer.lua", saying("require('other') .. require('shop')"))
    write(tmp_path, "shop/init.lua", "return ' shop'")
    write(tmp_path, "elsewhere/other.lua", "return 'other'")
    s = lua("shop.web", chdir=str(tmp_path), lua_path=f"{tmp_path}/elsewhere/?.lua;;",
            lua_cpath="/c/?.so")
    assert s.get("/").text == "other shop"
    s = lua(lua_path="/x/?.lua", lua_cpath=";;/c/?.so")
    path, cpath = s.get("/path").text.split("\n")
    assert path.startswith(f"{APPS}/?.lua;{APPS}/?/init.lua;/x/?.lua;")
    assert cpath.endswith(";/c/?.so") and ";;" not in path + cpath
    assert s.get("/late").text == "late /late"


@pytest.mark.parametrize("source", [
    saying("'fine'"),
    "local run = (function() " + saying("'fine'") + " end)() return { run = run }",
    "local me = {}; package.loaded[...] = me; function me.run() return 200, {}, "
    "coroutine.wrap(function() coroutine.yield('fine') end) end",
])
def test_forms_of_applications(lua, tmp_path, source):
    assert lua(write(tmp_path, "form.lua", source)).get("/").text == "fine"


def test_file_without_a_name_of_a_module(server, tmp_path, kind):
    path = write(tmp_path, "launch.ws", saying("'launched'"))
    s = server(apps={"app": {**settings_of(kind), "target": f"{kind}:{path}"}})
    assert s.get("/").text == "launched"


@pytest.mark.parametrize("source, reason", [
    ("return {", "unfinished.lua:1: unexpected symbol near"),
    ("error('at the start')", "unfinished.lua:1: at the start"),
    ("error()", "an error that is a nil value|nil"),
    ("require 'no.such.module'", "module 'no.such.module' not found:"),
    ("", "is no WSAPI application: it gives a boolean, not"),
    ("return 5", "is no WSAPI application: it gives a number, not"),
    ("return {}", "it gives a table without a function run"),
    ("return { run = 'x' }", "it gives a table without a function run"),
    ("return { run = print, worker_init = function() error('no database') end }", "no database"),
])
def test_applications_that_cannot_be_loaded(lua, tmp_path, source, reason):
    s = lua(write(tmp_path, "unfinished.lua", source), wait=False, boot_attempts=1)
    assert s.wait() != 0
    s.wait_log(reason)


def test_module_that_does_not_exist(lua, tmp_path):
    s = lua("no.such", chdir=str(tmp_path), wait=False, boot_attempts=1)
    assert s.wait() != 0
    s.wait_log(f"there is no module no.such in {tmp_path} and what lua_path names")


# ---- The life of the interpreter ---------------------------------------------------------


def test_reload_takes_new_code(lua, tmp_path):
    path = write(tmp_path, "app.lua", saying("'old'"))
    s = lua(path)
    assert s.get("/").text == "old"
    write(tmp_path, "app.lua", saying("'new'"))
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    wait_for(lambda: s.get("/").text == "new")
    write(tmp_path, "app.lua", "broken(")
    s.signal(signal.SIGHUP)
    s.wait_log("reload failed")
    assert s.get("/").text == "new"


def test_changed_files_are_reloaded(server, kind, tmp_path):
    path = write(tmp_path, "app.lua", "local word = require 'word'\n" + saying(
        "env.PATH_INFO == '/late' and require 'late' or word"))
    write(tmp_path, "word.lua", "return 'old'")
    write(tmp_path, "late.lua", "return 'late'")
    s = server(reload=True, apps={"app": settings_of(kind, path)})
    assert s.get("/").text == "old"
    write(tmp_path, "word.lua", "return (")
    s.wait_log("reload failed")
    write(tmp_path, "word.lua", "return 'new'")
    wait_for(lambda: s.get("/").text == "new")
    assert s.get("/late").text == "late"

    def changed():
        # The arbiter hears of a file that a request has loaded after that request.
        write(tmp_path, "late.lua", "return 'later'")
        time.sleep(0.3)
        return s.get("/late").text == "later"
    wait_for(changed)


def test_workers_draw_different_numbers(lua):
    for settings in {}, {"preload_app": True}:
        s = lua(workers=3, **settings)
        drawn = {}
        while len(drawn) < 3:
            for c, response in s.ask_at_once("/pid"):
                drawn.setdefault(response.text, c.get("/random").text)
                c.close()
        assert len(set(drawn.values())) == 3


def test_preload(lua, notes):
    s = lua(workers=2, preload_app=True, env=notes.env)
    pids = {int(s.get("/pid").text) for _ in range(20)}
    assert pids <= set(s.workers())
    wait_for(lambda: notes() == ["worker_init"] * 2)
    s.stop()
    assert notes() == ["worker_init"] * 2 + ["worker_exit"] * 2


def test_hooks(lua, notes):
    s = lua(env=notes.env, post_worker_init="on_init", pre_request="on_request",
            post_request="wsapi_checks.on_response", worker_exit="wsapi_checks:on_exit",
            worker_int="on_int")
    with s.connect() as c:
        c.get("/hello")
        c.get("/fault?raises")
    assert s.get("/hello", method="POST", body=b"x").status == 200
    s.stop()
    assert notes() == [
        "worker_init", "post_worker_init", "pre_request /hello",
        "post_request /hello 200 127.0.0.1", "pre_request /fault",
        "post_request /fault 500 127.0.0.1", "pre_request /hello",
        "post_request /hello 200 127.0.0.1", "exit hook", "worker_exit"]


def test_hooks_that_fail(lua):
    s = lua(post_worker_init="raising", pre_request="wsapi_checks.raising",
            post_request="no.such.thing", worker_exit="nothing")
    assert s.get("/hello").status == 200
    s.stop()
    assert len(re.findall("lua:\\d+: of the hook", s.log())) == 2
    assert re.search("hook post_request: .*module 'no.such' not found", s.log())
    assert "hook worker_exit: nothing is no function" in s.log()


@pytest.mark.parametrize("hooks", [["worker_int", "worker_exit"], ["worker_exit"]])
def test_quick_stop(lua, notes, kind, hooks):
    names = {"worker_int": "on_int", "worker_exit": "on_exit"}
    lines = {"worker_int": "worker_int", "worker_exit": "exit hook"}
    for is_busy in (False, True) if kind == "lua" else [False]:
        s = lua(env=notes.env, **{hook: names[hook] for hook in hooks})
        with s.connect() as c:
            assert c.get("/hello").status == 200
            if is_busy:
                c.ask("/stuck")
                time.sleep(0.2)
            s.stop(signal.SIGQUIT)
    assert notes() == ["worker_init", *(lines[hook] for hook in hooks)] * (1 + (kind == "lua"))


def test_module_alicorn(s):
    assert re.fullmatch(r"app alicorn/\d.*", s.get("/about").text)
    for level in "critical", "error", "warning", "info":
        assert s.get(f"/log?{level}").text == "logged"
        s.wait_log(rf"{level.upper()}\].*of the application\n.*{level.upper()}\].*and more")
    assert "invalid option 'loud'" in s.get("/log?loud").text


def test_what_is_printed_is_in_the_log_at_once(server, kind):
    s = server(apps={"app": settings_of(kind, capture_output=True)})
    assert s.get("/print").text == "printed"
    s.wait_log("printed by Lua")


# ---- Threads, iterations, connections, messages -------------------------------------------


def test_threads(lua, notes):
    s = lua(threads=4, env=notes.env, pre_request="on_request", post_request="on_response")
    connections = [s.connect() for _ in range(4)]
    for c in connections:
        c.ask("/slow")
    for c in connections:
        assert c.response().body == b"piece 1piece 2piece 3"
    counts = [int(c.get("/count").text) for c in connections for _ in range(10)]
    assert len(counts) == 40 and max(counts) < 40  # each thread has a count of its own
    for c in connections:
        c.close()
    assert s.get("/fault?raises").status == 500
    s.stop()
    lines = notes()
    assert lines.count("worker_init") == lines.count("worker_exit") == 5
    assert lines.count("pre_request /count") == lines.count(
        "post_request /count 200 127.0.0.1") == 40


def test_threads_that_cannot_load(lua, tmp_path):
    path = write(tmp_path, "once.lua", f"""
        local first = io.open("{tmp_path}/mark")
        if first then error("the second time") end
        io.open("{tmp_path}/mark", "w"):close()
        """ + saying("'fine'"))
    tmp_path.chmod(0o777)
    s = lua(path, threads=2)
    s.wait_log("a thread cannot load the application: .*once.lua:3: the second time")
    assert s.get("/").status == 500


def test_iterations(lua, kind):
    s = lua(worker_class="iterating", iterate_interval=10, env={"TURNS": "1"})
    wait_for(lambda: int(s.get("/count").text) > 300)
    assert s.log().count("of the fifth turn") == 1
    s = lua(worker_class="iterating")
    assert s.get("/count").text == "1"


def test_connection_is_taken(lua):
    s = lua("wsapi_sockets.lua")
    with s.connect() as c:
        c.send("GET /take HTTP/1.1\r\nHost: a\r\n\r\nbehind it")
        assert c.response().body in (b"", b"behind it") and c.is_closed()
    for path, reason in [("/nothing_taken", "without al_socket"),
                         ("/not_taken", "detach\\(\\) is called once, after socket\\(\\)"),
                         ("/no_status", "it has no function status"), ("/fails", "after all")]:
        assert s.get(path).status == 500
        s.wait_log(reason)
    assert s.get("/bad_descriptor").text == "; ".join(["Bad file descriptor"] * 3)


def test_detached_connections(lua):
    s = lua("wsapi_sockets.lua", worker_class="iterating", iterate_interval=20)
    clients = [s.connect() for _ in range(3)]
    for i, c in enumerate(clients):
        c.ask("/echo", fields=[("Upgrade", "echo")])
        assert c.head().status == 101
        c.send(f"word {i}")
        assert c.take(6) == b"WORD %d" % i
    assert s.get("/heard").text == ""
    clients[0].send("bye")
    assert clients[0].take(3) == b"BYE" and clients[0].is_closed()
    clients[1].send("fail")
    assert clients[1].take(4) == b"FAIL" and clients[1].is_closed()
    s.wait_log("lua:\\d+: of status")
    s.signal(signal.SIGTERM)
    assert clients[2].rest() == b"told to end: stop"
    assert s.wait() == 0


def test_connections_cannot_be_detached_in_threads(lua):
    s = lua("wsapi_sockets.lua", threads=2)
    with s.connect() as c:
        c.ask("/echo")
        c.rest()
    s.wait_log("a connection cannot be detached in a thread")


def test_messages(lua):
    s = lua("wsapi_sockets.lua", workers=2)
    s.wait_workers(2)
    pids = {}

    while len(pids) < 2:
        for c, response in s.ask_at_once("/pid"):
            pids.setdefault(response.text, c)
    (pid, one), (_, other) = pids.items()
    assert one.get("/send?pool&1000").text == "true"
    assert one.get("/send_descriptor").text == "true"
    assert one.get("/send_bad").text == "true"
    wait_for(lambda: other.get("/heard").text.count("\n") == 2)
    assert other.get("/heard").text.split("\n") == [
        f"7 1000 {pid} -", f"8 5 {pid} ", f"9 1 {pid} -"]
    assert one.get("/heard").text == ""
    assert one.get("/send?pool&20000").text == "Message too long"
    s.wait_log("lua:\\d+: of a message")


# ---- What people run ---------------------------------------------------------------------


@pytest.fixture
def forms(lua, kind):
    if not Path(WSAPI[kind], "wsapi/request.lua").exists():
        pytest.skip("lua-wsapi is not installed")
    return lua("wsapi_forms.lua", lua_path=f"{WSAPI[kind]}/?.lua")


def test_wsapi_requests_and_responses(forms):
    with forms.connect() as c:
        r = c.get("/?a=1&b=x%20y&a=2", fields=[("Cookie", "visit=first+one; other=2")])
        assert r.text == "a=1,2\nb=x y\npost_data=\ncookie=first one\n"
        assert r.every("Set-Cookie") == ["visit=two+words", "other=1; path=/; HttpOnly"]
        form = ("Content-Type", "application/x-www-form-urlencoded")
        for path in "/", "/twice":
            r = c.get(path, "POST", fields=[form], body=b"name=Lua&word=a%26b")
            assert r.text == "name=Lua\nword=a&b\ncookie=none\n"
        assert c.get("/", "POST", fields=[("Content-Type", "text/x")],
                     body=b"raw").text.startswith("post_data=raw\n")
        r = c.get("/redirect")
        assert (r.status, r.field("Location")) == (302, "/elsewhere?a=b+c")


def test_uploads_through_wsapi(forms):
    content, total = os.urandom(500_000), 0
    for byte in content:
        total = (total * 31 + byte) % 65521
    body = b"".join([
        b'--xyz\r\nContent-Disposition: form-data; name="title"\r\n\r\nA file\r\n',
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        b"Content-Type: image/png\r\n\r\n", content, b"\r\n--xyz--\r\n"])
    r = forms.get("/", method="POST", body=body,
                  fields=[("Content-Type", "multipart/form-data; boundary=xyz")])
    assert r.text == f"file=a.bin 500000 {total} image/png\ntitle=A file\ncookie=none\n"


@pytest.mark.skipif(not (ALICORN.parent / "luajit.so").exists(), reason="luajit is not installed")
@pytest.mark.skipif(not Path("/usr/share/lua/5.1/orbit.lua").exists(),
                    reason="lua-orbit is not installed")
def test_orbit(server):
    s = server(apps={"app": settings_of("luajit", "orbit_notes.lua", workers=1)})
    with s.connect() as c:
        r = c.get("/")
        assert r.status == 200 and "<h1>Notes</h1>" in r.text and "0 of them" in r.text
        r = c.get("/add", "POST", body=b"text=buy+milk",
                  fields=[("Content-Type", "application/x-www-form-urlencoded")])
        assert (r.status, r.field("Location")) == (303, "/note/1")
        assert c.get("/note/1").text == "<p>buy milk</p>"
        assert c.get("/note/7").status == 404 and c.get("/nowhere").status == 404
        assert "1 of them" in c.get("/index").text


@pytest.mark.parametrize("name, words", [
    ("hello/hello.lua", "Hello World!"), ("hello/hello.ws", "Hello World!"),
    ("songs/songs.ws", "Lucy in the Sky")])
def test_examples_of_orbit(server, name, words):
    path = Path("/usr/share/doc/lua-orbit") / name
    if not (ALICORN.parent / "luajit.so").exists() or not path.exists():
        pytest.skip("luajit or the documentation of lua-orbit is not installed")
    s = server(apps={"app": {**settings_of("luajit"), "target": f"luajit:{path}"}})
    r = s.get("/")
    assert r.status == 200 and words in r.text


def test_two_kinds_in_one_server(server):
    missing = [kind for kind in WSAPI if not (ALICORN.parent / f"{kind}.so").exists()]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    s = server(apps={kind: settings_of(kind) for kind in WSAPI})
    assert s.get("/version", name="lua").text.startswith("Lua 5.4")
    assert "LuaJIT" in s.get("/version", name="luajit").text
