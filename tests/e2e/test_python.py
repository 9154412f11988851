"""WSGI applications in the Python binding: each rule of PEP 3333, loading, the life of the
interpreter, and two frameworks. The applications are in tests/apps."""

import hashlib
import json
import random
import re
import signal
import subprocess
import time
import urllib.parse
import zlib

import pytest

from conftest import ALICORN, SANITIZED, TOP
from wire import Cut

APPS = TOP / "tests/apps"

pytestmark = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                                reason="python3-dev is not installed")


def python(server, target="wsgi_checks", env=None, wait=True, **settings):
    """A server with one worker that runs this application of tests/apps."""
    app = {"target": f"python:{target}", "bind": "127.0.0.1:0", "workers": 1,
           "chdir": str(APPS), **settings}
    return server(apps={"app": app}, env={"PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
                  wait=wait)


@pytest.fixture
def s(server):
    return python(server)


def events(s):
    return s.get("/events").text.split("\n")


# ---- Responses ---------------------------------------------------------------------------


def test_lengths_and_framing(s):
    with s.connect() as c:
        for path, body, length in [("/hello", b"hello\n", "6"), ("/no_length", b"no length", "9"),
                                   ("/empty", b"", "0"), ("/items", b"one two three", None),
                                   ("/late", b"late", None), ("/write", b"written returned", None),
                                   ("/many_headers", b"many", "4"),
                                   ("/big_at_once?1", b"x" * (1 << 20), str(1 << 20))]:
            r = c.get(path)
            assert (r.status, r.body, r.field("Content-Length")) == (200, body, length), path
    assert events(s) == ["items closed after 4"]


def test_head_status_and_headers(s):
    with s.connect() as c:
        assert c.get("/hello", "HEAD").field("Content-Length") == "6"
        assert c.get("/items", "HEAD").body == b""
        assert c.get("/status?204+No+Content").status == 204
        assert c.get("/status?304+Not+Modified").status == 304
        r = c.get("/status?299+Odd+One")
        assert (r.status, r.reason) == (299, "Odd One")
        r = c.get("/two_cookies")
        assert r.every("Set-Cookie") == ["a=1", "b=2"]
        assert r.field("X-Latin") == "caf\xe9"


def test_each_item_is_sent_before_the_next_is_asked_for(s):
    with s.connect() as c:
        c.ask("/slow")
        times = []
        c.response(sink=lambda piece: times.append(time.monotonic()))
    assert len(times) == 3
    assert times[1] - times[0] > 0.1 and times[2] - times[1] > 0.1


def test_large_response_to_a_slow_reader(server):
    s = python(server, response_buffer_size=100_000)
    with s.connect(receive_buffer=4096) as c:
        c.ask("/big?8")
        sums = [0, 0]

        def sink(piece):
            sums[0] += len(piece)
            sums[1] = zlib.crc32(piece, sums[1])
            if sums[0] < 200_000:
                time.sleep(0.001)
        c.response(sink=sink)
    body = b"".join(bytes([65 + i % 26]) * 65536 for i in range(128))
    assert sums == [len(body), zlib.crc32(body)]
    assert events(s) == ["big closed after 128"]


def test_client_that_leaves_ends_the_iteration(server):
    s = python(server, response_buffer_size=65536)
    with s.connect(receive_buffer=4096) as c:
        c.ask("/big?100")
        c.take(1000)
    assert re.fullmatch(r"big closed after \d{1,3}", events(s)[0])
    assert "Traceback" not in s.log()


# ---- The environ and the body ------------------------------------------------------------


def test_environ(s):
    with s.connect() as c:
        env = json.loads(c.get("/environ?a=%41&b", fields=[
            ("X-Text", "caf\xe9"), ("X-Twice", "1"), ("X-Twice", "2"), ("Proxy", "evil")]).body)
    host, port = s.address
    expected = {
        "type": "dict", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/environ",
        "QUERY_STRING": "a=%41&b", "RAW_URI": "/environ?a=%41&b", "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_PORT": str(port), "REMOTE_ADDR": host, "HTTP_HOST": "test",
        "HTTP_X_TEXT": "caf\xe9", "wsgi.version": [1, 0], "wsgi.url_scheme": "http",
        "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False,
        "wsgi.input_terminated": True, "wsgi.input": "input", "wsgi.errors": "errors",
        "wsgi.file_wrapper": "type"}
    assert {k: env.get(k) for k in expected} == expected
    assert env["HTTP_X_TWICE"].replace(" ", "") == "1,2"
    assert env["SERVER_SOFTWARE"].startswith("alicorn/")
    assert "HTTP_PROXY" not in env and "CONTENT_LENGTH" not in env


def test_latin_1(s):
    r = s.get("/latin1?%C3%A9", fields=[("X-Text", "\xff\xfe")])
    assert r.body == b"%C3%A9 \xff\xfe"


def test_environ_is_of_one_request(s):
    with s.connect() as c:
        for _ in range(3):
            assert c.get("/own").body == b"nothing"
            assert json.loads(c.get("/environ").body)["wsgi.version"] == [1, 0]
        for i in range(50):
            assert c.get(f"/latin1?{i}", fields=[("X-Text", "t" * i)]).text == f"{i} {'t' * i}"


@pytest.mark.parametrize("size", [0, 1, 23_456, 3_000_000])
def test_ways_to_read_the_body(s, size):
    line = bytes(97 + i % 26 for i in range(4999)) + b"\n"
    body = (line * (size // 5000 + 1))[:size]
    told = f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    with s.connect() as c:
        for how in "sized", "readline", "readlines", "hint", "iterate", "short_lines":
            if how == "short_lines" and size > 100_000:
                continue
            r = c.get(f"/reads?{how}", "POST", body=body)
            assert r.text.split(" ", 1)[1] == told, how
            if how in ("readline", "readlines", "iterate"):
                assert r.text.split()[0] == str(-(-size // 5000))
        assert c.get("/echo", "POST", body=body).body == body


def test_input_and_errors_as_files(s):
    large = b"abc" + b"line\n" * 40_000
    for body, file in (b"abc\nd\n", "in memory"), (large, hashlib.sha256(large).hexdigest()):
        told = json.loads(s.get("/streams", "POST", body=body).body)
        assert told == [True, False, False, False, False, True, False, False, "utf-8", file,
                        [3, "abc"], body[3:].count(b"\n"), True, True]


def test_headers_of_one_request_never_reach_another(s):
    names = ["Accept", "Cookie", "Authorization", "Range", "X-Own", "Content-Type", "Referer"]
    dice = random.Random(7)
    with s.connect() as c:
        for i in range(400):
            fields = [(name, f"{dice.choice([1, 1, 1, i])}" + dice.choice(["", "l" * 300]))
                      for name in names if dice.random() < 0.5 or i % 40 < 20]
            body = dice.choice([None, b"x"])
            env = json.loads(c.get("/environ", dice.choice(["GET", "POST"]),
                                   fields=fields, body=body).body)
            sent = {("" if name == "Content-Type" else "HTTP_") + name.upper().replace("-", "_"):
                    value for name, value in fields}
            sent["HTTP_HOST"] = "test"
            sent["HTTP_X_REQUEST_ID"] = env["REQUEST_ID"]
            if body:
                sent["CONTENT_LENGTH"] = "1"
            assert {k: v for k, v in env.items() if k.startswith(("HTTP_", "CONTENT_"))} == sent


def test_chunked_and_unread_bodies(s):
    with s.connect() as c:
        c.send("POST /digest HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert c.response().text == f"5 {hashlib.sha256(b'abcde').hexdigest()}"
        c.send("POST /environ HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n0\r\n\r\n")
        env = json.loads(c.response().body)
        assert env["CONTENT_LENGTH"] == "3" and "HTTP_TRANSFER_ENCODING" not in env
        assert c.get("/unread", "POST", body=b"x" * 200_000).body == b"not read"
        assert c.get("/hello").body == b"hello\n"


# ---- start_response ----------------------------------------------------------------------


def test_start_response_again(s):
    with s.connect() as c:
        assert c.get("/twice").text == "RuntimeError"
        r = c.get("/replaced")
        assert (r.status, r.reason, r.field("X-Old")) == (503, "Sorry", None)
        assert (r.field("X-New"), r.body) == ("1", b"replaced")
        r = c.get("/replaced_after_empty")
        assert (r.status, r.reason, r.body) == (500, "Late", b"replaced")
    with s.connect() as c, pytest.raises(Cut):
        c.get("/too_late")
    assert events(s) == ["raised again"]
    s.wait_log("ValueError: too late for a new head")


BAD_STARTS = {
    "TypeError": ["bytes_status", "tuple_of_headers", "list_header", "triple", "int_value",
                  "bytes_name", "no_headers", "too_many"],
    "ValueError": ["no_status", "crlf_status", "nul_status", "wide_status", "crlf_value",
                   "nul_value", "wide_value", "colon_name", "empty_name", "two_lengths"],
}


def test_bad_status_and_headers_are_refused(s):
    with s.connect() as c:
        for error, names in BAD_STARTS.items():
            for name in names:
                r = c.get(f"/bad_start?{name}")
                assert (r.status, r.text) == (200, error), name
                assert r.field("X-Evil") is None


# ---- Faults ------------------------------------------------------------------------------


@pytest.mark.parametrize("path, told", [
    ("/raises", "ValueError: raised \u2713 before the head"),
    ("/raises_after_start", "ValueError: raised after start_response"),
    ("/fails_first", "ValueError: fails_first fails at item 0"),
    ("/exits", "SystemExit: the application wants to exit"),
    ("/interrupts", "KeyboardInterrupt"),
    ("/no_start", "start_response was not called"),
    ("/nothing", "did not call start_response"),
    ("/returns_none", "the application returned None, not an iterable of bytes"),
    ("/returns_text", "made of bytes"),
    ("/file_text", "made of bytes"),
])
def test_fault_before_the_head_is_answered_500(s, path, told):
    pid = s.wait_workers(1)
    assert s.get(path).status == 500
    s.wait_log(re.escape(told))
    assert s.get("/hello").status == 200
    assert s.workers() == pid


def test_fault_after_the_head_cuts_the_connection(s):
    for path in "/fails_later", "/too_short":
        with s.connect() as c, pytest.raises(Cut):
            c.get(path)
    assert events(s) == ["fails_later closed after 1"]
    assert s.get("/too_long").body == b"12345"
    assert s.get("/fails_in_close").body == b"all"
    s.wait_log("ValueError: fails_in_close fails in close")
    assert events(s) == ["fails_in_close closed after 1"]


def test_wsgi_errors(s):
    assert s.get("/errors").body == b"logged"
    s.wait_log("without an end")
    log = s.log()
    for line in ("one line", "begin and end", "first of two", "second of two",
                 "d\xe9j\xe0 \u2713 \\ud800", "flushed", "printed"):
        assert re.search(rf": {re.escape(line)}$", log, re.M), line


# ---- wsgi.file_wrapper -------------------------------------------------------------------


def test_file_wrapper(s):
    content = bytes(i % 251 for i in range(100_000))
    with s.connect() as c:
        for path, body in [("/file", content), ("/file?50", content[50:]), ("/file?100000", b""),
                           ("/file?200000", b""), ("/file_with_length", content[:1000]),
                           ("/file_in_memory", b"m" * 10_000),
                           ("/file_iterated", content[:10_000]),
                           ("/file_pipe", b"through a pipe"), ("/file_gzip", b"z" * 5000)]:
            assert c.get(path).body == body, path
        assert c.get("/file", "HEAD").body == b""
        assert c.get("/hello").body == b"hello\n"
    assert events(s) == ["file closed"] * 4 + ["memory closed", "file closed"]


# ---- After the request, between requests -------------------------------------------------


def test_use_after_the_request_raises(s):
    with s.connect() as c:
        assert c.get("/keep").body == b"kept"
        for _ in range(3):
            assert c.get("/kept").text == "ValueError " * 8 + "/keep"


def test_threads_of_the_application_run_between_requests(s):
    assert s.get("/ticks").body == b"0"
    time.sleep(0.5)
    assert int(s.get("/ticks").body) > 5


def test_validator(server):
    s = python(server, "wsgi_checks:strict")
    with s.connect() as c:
        for path in ("/hello", "/no_length", "/empty", "/items", "/late", "/write",
                     "/two_cookies"):
            assert c.get(path).status == 200, path
            assert c.get(path, "HEAD").status == 200, path
        assert c.get("/replaced").status == 503
        body = b"b" * 5000
        assert c.get("/digest_by_parts", "POST", body=body).text == \
            f"5000 {hashlib.sha256(body).hexdigest()}"
    assert "Traceback" not in s.log() and "Assertion" not in s.log()


@pytest.mark.skipif(SANITIZED, reason="the sanitizer keeps freed memory")
def test_memory_stays_flat(s):
    def size():
        statm = open(f"/proc/{s.wait_workers(1)[0]}/statm").read()
        return int(statm.split()[1]) * 4096

    paths = ["/hello", "/late", "/write", "/replaced", "/environ", "/file_with_length",
             "/reads?readline", "/bad_start?crlf_value", "/errors"]
    with s.connect() as c:
        def run(times):
            for i in range(times):
                for path in paths:
                    c.get(path, "POST", body=b"line\n" * 10)
        run(150)
        before = size()
        run(300)
        assert size() - before < 400_000


# ---- Loading -----------------------------------------------------------------------------


@pytest.mark.parametrize("target, body", [
    ("wsgi_checks:application", b"no such check"),
    ("wsgi_checks:named('x', count=2)", b"xx"),
    ("wsgi_checks:Box.app", b"boxed"),
    (f"{APPS}/wsgi_checks.py", b"no such check"),
    (f"{APPS}/wsgi_checks.py:Box.app", b"boxed"),
])
def test_targets(server, target, body):
    assert python(server, target).get("/").body == body


@pytest.mark.parametrize("target, told", [
    ("shop.wsgi", "cannot import 'shop.wsgi': No module named 'shop' "
                  r"\(looked for in .*tests/apps, .*/python3"),
    ("wsgi_checks:nope", "there is no 'nope' in 'wsgi_checks' .*wsgi_checks.py"),
    ("wsgi_checks:TEXT", "'wsgi_checks:TEXT' is not callable"),
    ("wsgi_checks:named(x)", "literals"),
    ("/nowhere/at/all.py", "/nowhere/at/all.py: No such file"),
    ("json", "neither 'application' nor 'app' in 'json'"),
    ("broken:app", r"(?s)ZeroDivisionError.*cannot load 'broken:app': ZeroDivisionError"),
    ("missing:app", r"cannot load 'missing:app': ModuleNotFoundError: No module named 'nothing'"),
    ("exiting:app", "cannot load 'exiting:app': SystemExit: 7"),
])
def test_what_cannot_be_loaded_is_told(server, tmp_path, target, told):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "missing.py").write_text("import nothing.at.all\n")
    (tmp_path / "exiting.py").write_text("raise SystemExit(7)\n")
    s = server(apps={"app": {"target": f"python:{target}", "bind": "127.0.0.1:0", "workers": 1,
                             "chdir": str(APPS), "pythonpath": [str(tmp_path)]
                             if "app" in target.split(":")[1:] else []}}, wait=False)
    s.wait_log(told)
    assert s.wait() not in (0, -signal.SIGSEGV)


def test_import_path(server, tmp_path):
    for name in "first", "second":
        (tmp_path / name).mkdir()
    s = python(server, pythonpath=[str(tmp_path / "first"), str(tmp_path / "second")])
    told = json.loads(s.get("/process").body)
    assert told["path"][:3] == [str(tmp_path / "first"), str(tmp_path / "second"), str(APPS)]
    assert told["argv"] == ["alicorn"]
    assert told["cwd"] == str(APPS)
    assert told["executable"] == "/usr/bin/python3"
    assert told["main"] == "MainThread"


def test_virtual_environment(server, tmp_path):
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", tmp_path / "venv"],
                   check=True)
    s = python(server, env={"VIRTUAL_ENV": str(tmp_path / "venv")})
    told = json.loads(s.get("/process").body)
    assert told["prefix"] == str(tmp_path / "venv")
    assert told["executable"] == str(tmp_path / "venv/bin/python")


def test_a_virtual_environment_by_its_setting(server, tmp_path):
    venv = tmp_path / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
    s = python(server, venv=str(venv), preload_app=True)
    assert json.loads(s.get("/process").body)["prefix"] == str(venv)
    s.stop()
    for lacks, told in (("lib", "was not made for Python 3"), ("bin", "there is no program")):
        (venv / lacks).rename(tmp_path / lacks)
        s = python(server, venv=str(venv), preload_app=False, wait=False)
        s.wait_log(f"venv: .*{told}")
        assert s.wait() not in (0, -signal.SIGSEGV)


def test_a_home_that_is_none_is_told(server, tmp_path):
    s = python(server, env={"PYTHONHOME": str(tmp_path)}, wait=False)
    s.wait_log("cannot start Python: ")
    assert s.wait() not in (0, -signal.SIGSEGV)


def test_what_is_printed_is_whole_lines_of_the_log(server):
    s = python(server, capture_output=True)
    s.get("/prints")
    s.wait_log(r"(?m): printed in parts$")


def test_atexit_runs_when_the_worker_ends(server, tmp_path):
    s = python(server, env={"AT_EXIT_FILE": str(tmp_path / "end")})
    s.get("/hello")
    s.stop()
    assert (tmp_path / "end").read_text() == "atexit\n"


# ---- Frameworks --------------------------------------------------------------------------


def multipart(fields, files):
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields.items()]
    parts += [f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.bin"\r\n'
              "Content-Type: application/octet-stream\r\n\r\n".encode() + data + b"\r\n"
              for name, data in files.items()]
    return b"".join(parts) + b"--b--\r\n"


def post(c, path, data, fields=(), kind="application/x-www-form-urlencoded"):
    body = data if isinstance(data, bytes) else urllib.parse.urlencode(data, True).encode()
    return c.get(path, "POST", body=body, fields=[("Content-Type", kind), *fields])


def cookies(r):
    return "; ".join(value.split(";")[0] for value in r.every("Set-Cookie"))


FRAMEWORKS = ["flask_app", "django_app"]


@pytest.fixture(params=FRAMEWORKS)
def site(server, request):
    pytest.importorskip(request.param.split("_")[0])
    s = python(server, request.param)
    s.framework = request.param
    return s


def test_framework_pages_forms_and_files(site):
    with site.connect() as c:
        assert c.get("/").body.startswith(b"<h1>")
        assert c.get("/hello/w%C3%B6rld").text == "hello w\xf6rld\n"
        assert c.get("/nothing").status == 404
        told = json.loads(post(c, "/form?q=%C3%A9", {"a": ["1", "2"], "b": "\u2713"}).body)
        assert told == {"form": {"a": ["1", "2"], "b": ["\u2713"]}, "args": {"q": "\xe9"}}
        assert c.get("/stream").body.count(b"\n") == 5
        assert c.get("/file").body == (APPS / f"{site.framework}.py").read_bytes()
        assert json.loads(c.get("/where").body)["host"] == "test"
        assert c.get("/fail").status == 500
    if site.framework != "django_app":
        site.wait_log("failed on purpose")


def test_framework_uploads(site):
    data = {"small": b"s" * 1000, "large": bytes(i * 7 % 256 for i in range(3_000_000))}
    body = multipart({"note": "\u2713"}, data)
    expected = {name: (len(d), hashlib.sha256(d).hexdigest()) for name, d in data.items()}
    with site.connect() as c:
        told = json.loads(post(c, "/upload", body, kind="multipart/form-data; boundary=b").body)
        assert {n: (f["size"], f["sha256"]) for n, f in told["files"].items()} == expected
        assert told["form"] == {"note": "\u2713"}
        c.ask("/upload", "POST", fields=[("Transfer-Encoding", "chunked"),
                                         ("Content-Type", "multipart/form-data; boundary=b")])
        for i in range(0, len(body), 100_000):
            part = body[i:i + 100_000]
            c.send(b"%x\r\n" % len(part) + part + b"\r\n")
        c.send(b"0\r\n\r\n")
        assert json.loads(c.response().body) == told
        raw = json.loads(post(c, "/raw", data["large"], kind="application/octet-stream").body)
        assert (raw["size"], raw["sha256"]) == expected["large"]


def test_framework_sessions(site):
    with site.connect() as c:
        r = c.get("/count")
        assert r.body == b"1"
        assert c.get("/count", fields=[("Cookie", cookies(r))]).body == b"2"
        assert c.get("/count").body == b"1"
        assert c.get("/me").status == 403
        fields = []
        if site.framework == "django_app":
            assert post(c, "/login", {"user": "ann"}).status == 403
            r = c.get("/token")
            fields = [("Cookie", cookies(r)), ("X-CSRFToken", r.text)]
        r = post(c, "/login", {"user": "ann"}, fields)
        assert r.status == 302
        assert c.get("/me", fields=[("Cookie", cookies(r))]).body == b"ann"


def test_flask_ranges_and_conditions(server):
    pytest.importorskip("flask")
    content = (APPS / "flask_app.py").read_bytes()
    with python(server, "flask_app").connect() as c:
        r = c.get("/file", fields=[("Range", "bytes=10-19")])
        assert (r.status, r.body) == (206, content[10:20])
        tag = c.get("/file").field("ETag")
        assert c.get("/file", fields=[("If-None-Match", tag)]).status == 304
        assert c.get("/memory").body == b"0123456789" * 1000
        r = post(c, "/json", json.dumps({"k": [1, None]}).encode(), kind="application/json")
        assert json.loads(r.body)["received"] == {"k": [1, None]}


def test_early_hints(s):
    with s.connect() as c:
        c.ask("/hints")
        hint = c.head()
        assert (hint.status, hint.every("Link")) == (
            103, ["</a.css>; rel=preload", "</b.js>; rel=preload"])
        r = c.response()
        assert (r.status, r.text) == (
            200, "begun [None, 'ValueError', 'TypeError', 'TypeError', None]")
        assert c.get("/hello").status == 200
        c.ask("/hints", version="HTTP/1.0")
        assert c.response().status == 200
