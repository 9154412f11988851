"""The access log, captured output and syslog: a line for each request, whatever became of
it, and no byte of a client's that could pass for a part of a line."""

import base64
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import ALICORN, PROBE, text_of, wait_for
from wire import Cut

MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


@pytest.fixture
def logged(server):
    """A function that starts the probe with an access log of this format."""
    def start(form=None, **settings):
        if form is not None:
            settings["access_log_format"] = form
        return server(workers=1, accesslog="access.log", **settings)
    return start


def lines(s, n, name="access.log"):
    """The lines of the access log, of which there must be n."""
    def found():
        text = text_of(s.folder / name)
        return text.endswith("\n") and text.count("\n") >= n
    wait_for(found, what=f"{n} lines in the access log: {text_of(s.folder / name)!r}")
    found = text_of(s.folder / name).splitlines()
    assert len(found) == n, found
    return found


def line_of(s):
    return lines(s, 1)[0]


# ---- Atoms -------------------------------------------------------------------------------


def test_combined_format(logged):
    s = logged()
    fields = [("User-Agent", "test/1"), ("Referer", "http://there/"),
              ("Authorization", "Basic " + base64.b64encode(b"joe:secret").decode())]
    before = int(time.time())
    assert s.get("/hello?a=%20b", fields=fields).status == 200
    match = re.fullmatch(r'(\S+) (\S+) (\S+) \[([^]]+)\] "([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)"',
                         line_of(s))
    assert match, line_of(s)
    host, ident, user, when, request, status, size, referer, agent = match.groups()
    assert (host, ident, user) == ("127.0.0.1", "-", "joe")
    assert request == "GET /hello?a=%20b HTTP/1.1"
    assert (status, size, referer, agent) == ("200", "6", "http://there/", "test/1")
    d, month, y, clock, zone = re.fullmatch(
        r"(\d\d)/(\w{3})/(\d{4}):(\d\d:\d\d:\d\d) ([-+]\d{4})", when).groups()
    assert MONTHS.index(month) % 3 == 0
    logged_at = time.mktime(time.strptime(f"{y} {MONTHS.index(month) // 3 + 1} {d} {clock}",
                                          "%Y %m %d %H:%M:%S"))
    assert before <= logged_at <= time.time()
    assert zone == time.strftime("%z")


def test_missing_values_are_dashes(logged):
    s = logged()
    s.get("/hello")
    assert re.fullmatch(r'127.0.0.1 - - \[[^]]+\] "GET /hello HTTP/1.1" 200 6 "-" "-"', line_of(s))


ATOMS = [("h", "127.0.0.1"), ("l", "-"), ("u", "-"), ("r", "POST /echo?x=1&y=%22 HTTP/1.0"),
         ("s", "200"), ("m", "POST"), ("U", "/echo"), ("q", "x=1&y=%22"), ("H", "HTTP/1.0"),
         ("b", "3"), ("B", "3"), ("f", "-"), ("a", "-"), ("T", r"0"), ("M", r"\d{1,4}"),
         ("D", r"\d{2,7}"), ("L", r"0\.\d{6}"), ("{host}i", "test"), ("{X-Name}i", "value"),
         ("{None}i", "-"), ("{content-type}o", "text/plain"), ("{Content-Length}o", "3"),
         ("{None}o", "-"), ("{REMOTE_ADDR}e", "127.0.0.1"), ("{path_info}e", "/echo"),
         ("{HTTP_X_NAME}e", "value"), ("{None}e", "-"), ("z", "-"), ("zz", "-"), ("{x}z", "-"),
         ("t", r"\[\d\d/[A-Z][a-z][a-z]/20\d\d:\d\d:\d\d:\d\d [-+]\d{4}\]")]


def test_every_atom(logged):
    s = logged("|".join(f"%({atom})s" for atom, _ in ATOMS) + "|%(p)s|%%|%(D)d")
    s.get("/echo?x=1&y=%22", "POST", body=b"abc", version="HTTP/1.0",
          fields=[("X-Name", "value")])
    *values, pid, percent, again = line_of(s).split("|")
    for (atom, expected), value in zip(ATOMS, values, strict=True):
        if atom in "TMDLt{None}e":
            assert re.fullmatch(expected, value), atom
        else:
            assert value == expected, atom
    assert pid == f"<{s.workers()[0]}>" and percent == "%" and again.isdigit()


def test_time_is_from_the_first_byte_to_the_end(logged):
    s = logged("%(D)s %(M)s %(L)s %(T)s")
    with s.connect() as c:
        c.get("/hello")
        time.sleep(0.3)  # idle time is nobody's
        c.send("GE")
        time.sleep(0.2)
        c.send("T /sleep?ms=100 HTTP/1.1\r\nHost: x\r\n\r\n")
        c.response()
    quick, slow = (line.split() for line in lines(s, 2))
    assert int(quick[0]) < 200000
    us, ms, seconds, whole = int(slow[0]), int(slow[1]), float(slow[2]), slow[3]
    assert 250000 <= us < 5000000 and ms == us // 1000 and seconds == us / 1000000
    assert int(whole) == us // 1000000


def test_unix_listener_has_no_address(logged, tmp_path):
    s = logged("%(h)s %(s)s", apps={"probe": {"target": PROBE, "bind": f"unix:{tmp_path}/sock"}})
    s.get("/hello")
    assert line_of(s) == "- 200"


# ---- What clients send -------------------------------------------------------------------


def test_values_cannot_break_a_line(logged):
    s = logged()
    agent = b'a"b\\c\t\xc3\xa4\xff" 200'
    with s.connect() as c:
        c.send(b"GET /hello HTTP/1.1\r\nHost: x\r\nReferer: \"\r\nUser-Agent: " + agent + b"\r\n\r\n")
        c.response()
    assert line_of(s).endswith(
        r'"GET /hello HTTP/1.1" 200 6 "\x22" "a\x22b\x5cc\x09\xc3\xa4\xff\x22 200"')


def test_heads_that_are_refused(logged):
    s = logged('"%(r)s" %(s)s %(b)s %(m)s %(U)s %(q)s %(H)s "%(a)s" %({Host}i)s %({PATH_INFO}e)s')
    for turn, (sent, status, line) in enumerate([
            (b"GET / HTTP/1.1\r\n\r\n", 400, "GET / HTTP/1.1"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400,
             r"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            (b"GET /\x1b[31m\" HTTP/1.1\r\nHost: x\r\n\r\n", 400, r"GET /\x1b[31m\x22 HTTP/1.1"),
            (b"\r\nGET /a HTTP/3.7\r\nHost: x\r\n\r\n", 505, "GET /a HTTP/3.7"),
            (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414,
             "GET /" + "a" * 5000 + " HTTP/1.1")], 1):
        (s.folder / "access.log").unlink(missing_ok=True)
        s.signal(signal.SIGUSR1)
        s.wait_log("log reopened", turn)
        with s.connect() as c:
            c.send(sent)
            r = c.response()
        assert r.status == status
        begin, _, end = line_of(s).rpartition('" ' + str(status))
        assert end == f' {len(r.body)} - - - - "-" - -'
        assert line.startswith(begin[1:]) and len(begin) > min(len(line), 4000)


def test_long_lines_are_cut(logged):
    s = logged("%({X}i)s %({X}i)s %({X}i)s %(s)s")
    with s.connect() as c:
        c.get("/hello", fields=[("X", "\x80" * 4000)])
        c.get("/hello", fields=[("X", "x")])
    first, second = lines(s, 2)
    assert 8100 < len(first) < 8192 and set(first) <= set("\\x80 ")
    assert second == "x x x 200"


# ---- Sizes -------------------------------------------------------------------------------


def test_sizes_of_bodies(logged, tmp_path):
    s = logged("%(m)s %(s)s %(b)s %(B)s")
    (tmp_path / "file").write_bytes(b"x" * 300000)
    expected = []
    with s.connect() as c:
        for method, path, status, size in [
                ("GET", "/hello", 200, 6), ("HEAD", "/hello", 200, 0),
                ("GET", "/status?code=304", 304, 0), ("GET", "/status?code=204", 204, 0),
                ("GET", "/big?bytes=0", 200, 0), ("GET", "/pieces?n=3", 200, 18),
                ("GET", "/big?bytes=3000000", 200, 3000000),
                ("GET", f"/file?path={tmp_path}/file", 200, 300000),
                ("GET", f"/file?path={tmp_path}/file&offset=9&length=100&say=100", 200, 100),
                ("HEAD", f"/file?path={tmp_path}/file&say=300000", 200, 0)]:
            assert c.get(path, method).status == status
            expected.append(f"{method} {status} {size} {size}")
    assert lines(s, len(expected)) == expected


def test_errors_of_ours(logged):
    s = logged("%(r)s %(s)s %(b)s %({Content-Type}o)s %({Content-Length}o)s")
    for method, size in [("GET", 26), ("HEAD", 0)]:
        assert s.get("/error", method).status == 500
    assert lines(s, 2) == ["GET /error HTTP/1.1 500 26 - 26", "HEAD /error HTTP/1.1 500 0 - 26"]


# ---- Requests that end otherwise ---------------------------------------------------------


def test_clients_that_leave(logged):
    s = logged("%(r)s %(s)s %(b)s %(B)s")
    with s.connect():
        pass  # nothing was asked
    with s.connect() as c:
        c.send("GET /hello HT")
    lines(s, 1)
    with s.connect() as c:
        c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    assert lines(s, 2) == ["GET /hello HT 499 - 0", "POST /echo HTTP/1.1 499 - 0"]


@pytest.mark.parametrize("how", ["big?bytes=30000000&length=1", "file?path={}"])
def test_a_response_that_was_taken_in_part(logged, tmp_path, how):
    s = logged("%(s)s %(b)s")
    with open(tmp_path / "file", "wb") as file:
        file.truncate(30000000)
    with s.connect(receive_buffer=4096) as c:
        c.ask("/" + how.format(tmp_path / "file"))
        c.take(100000)
    status, size = line_of(s).split()
    assert status == "200" and 100000 <= int(size) < 30000000


def test_time_limits(logged):
    s = logged("%(r)s %(s)s", header_timeout=1, body_timeout=1, timeout=1)
    with s.connect() as head, s.connect() as body:
        head.send("GET /slow")
        body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        assert head.response().status == body.response().status == 408
    assert sorted(lines(s, 2)) == ["GET /slow 408", "POST /echo HTTP/1.1 408"]
    assert s.get("/sleep?ms=20000").status == 504
    assert lines(s, 3)[2] == "GET /sleep?ms=20000 HTTP/1.1 504"


@pytest.mark.parametrize("path", ["/crash", "/_exit", "/exit", "/abort"])
def test_last_words(logged, path):
    """What a dying worker answers; the lines that it had gathered before are not lost."""
    s = logged("%(t)s %(U)s %(r)s %(s)s %(b)s")
    with s.connect() as other, s.connect() as idle, s.connect() as c:
        idle.get("/hello")
        other.send("GET /oth")
        wait_for(lambda: text_of(s.folder / "access.log"))
        time.sleep(0.1)
        assert c.get(path).status == 502
    found = sorted(line.split("] ")[1] for line in lines(s, 3))
    assert found == sorted(["/hello GET /hello HTTP/1.1 200 6", "- GET /oth 502 16",
                            f"{path} GET {path} HTTP/1.1 502 16"])


def test_quick_stop(logged):
    s = logged("%(r)s %(s)s")
    with s.connect() as c:
        c.ask("/sleep?ms=20000")
        time.sleep(0.2)
        s.stop(signal.SIGQUIT)
    assert lines(s, 1) == ["GET /sleep?ms=20000 HTTP/1.1 503"]


def test_dying_in_the_middle_of_a_response(logged):
    s = logged("%(r)s %(s)s %(b)s")
    with s.connect() as c, pytest.raises(Cut):
        c.get("/partial?then=crash&length=1")
    assert lines(s, 1) == ["GET /partial?then=crash&length=1 HTTP/1.1 200 8"]


# ---- Files -------------------------------------------------------------------------------


def test_off_by_default(server):
    s = server(workers=1)
    s.get("/hello")
    s.stop()
    assert "GET" not in s.log() and not (s.folder / "access.log").exists()


def test_dash_is_stdout(server):
    s = server(workers=1, accesslog="-", access_log_format="to stdout %(s)s")
    s.get("/hello")
    s.wait_log("to stdout 200\n")


def test_each_application_has_its_own(server):
    apps = {name: {"target": PROBE, "bind": "127.0.0.1:0", "accesslog": f"{name}.log",
                   "access_log_format": f"{name} %(s)s"} for name in ("one", "two")}
    s = server(apps={**apps, "quiet": {"target": PROBE, "bind": "127.0.0.1:0"}})
    for name in ("one", "two", "quiet"):
        assert s.get("/hello", name=name).status == 200
    assert lines(s, 1, "one.log") == ["one 200"]
    assert lines(s, 1, "two.log") == ["two 200"]


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
def test_reopened_after_a_rename(logged, number):
    s = logged("%(U)s")
    log = s.folder / "access.log"
    s.get("/one")
    assert lines(s, 1) == ["/one"]
    log.rename(s.folder / "old.log")
    s.get("/two")
    assert lines(s, 2, "old.log") == ["/one", "/two"]
    s.signal(number)
    s.wait_log("log reopened|reload done")
    wait_for(lambda: len(s.workers()) == 1)
    s.get("/three")
    assert lines(s, 1) == ["/three"]
    assert lines(s, 2, "old.log") == ["/one", "/two"]


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_no_line_is_lost_or_torn_under_load(server, tmp_path, kind):
    """Workers write many lines at once; those of two workers are not mixed."""
    log = tmp_path / "access.log"
    if kind == "pipe":
        os.mkfifo(tmp_path / "pipe")
        copy = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=open(log, "wb"))
    s = server(workers=2, accesslog="pipe" if kind == "pipe" else "access.log",
               access_log_format="%(q)s %(s)s " + "x" * 90)
    clients = [s.connect() for _ in range(16)]
    for round in range(25):
        for i, c in enumerate(clients):
            c.send("".join(f"GET /hello?{i}.{round}.{k} HTTP/1.1\r\nHost: x\r\n\r\n"
                           for k in range(4)))
        for c in clients:
            for _ in range(4):
                c.response()
    for c in clients:
        c.close()
    expected = [f"{i}.{round}.{k} 200 " + "x" * 90
                for i in range(16) for round in range(25) for k in range(4)]
    assert sorted(lines(s, len(expected))) == sorted(expected)
    s.stop()
    if kind == "pipe":
        copy.wait(5)


def test_a_full_disk_is_told_once(server):
    s = server(workers=1, accesslog="/dev/full")
    with s.connect() as c:
        for _ in range(3):
            assert c.get("/hello").status == 200
    s.stop()
    assert len(re.findall("log /dev/full: No space left on device", s.log())) == 1


def test_a_file_that_cannot_be_opened(alicorn):
    run = alicorn("--access-logfile", "/nowhere/log", "-b", "127.0.0.1:0", PROBE)
    assert run.returncode == 1
    assert "access log /nowhere/log: No such file or directory" in run.stderr


# ---- Configuration -----------------------------------------------------------------------


@pytest.mark.parametrize("form, reason", [
    ("%(h)s %(t", "%( is not closed"), ("%(h)", "%(…) is not followed by s"),
    ("100%", "% is followed by neither ( nor %")])
def test_broken_formats(alicorn, tmp_path, form, reason):
    (tmp_path / "x.conf").write_text(
        f'target = "{PROBE}";\n\naccess_log_format = "{form}";\n')
    run = alicorn("-c", "x.conf", "--check-config")
    assert run.returncode == 1
    assert run.stderr == f'x.conf:3: access_log_format: "{form}": {reason}\n'
    run = alicorn("--access-logformat", form, PROBE)
    assert run.stderr == f'alicorn: --access-logformat: "{form}": {reason}\n'


@pytest.mark.parametrize("name, value, reason", [
    ("syslog_addr", "localhost", "it begins with none of udp://, tcp:// and unix:"),
    ("syslog_addr", "udp://a:x", "the port is not one from 1 to 65535")])
def test_broken_addresses_of_syslog(alicorn, tmp_path, name, value, reason):
    (tmp_path / "x.conf").write_text(f'target = "{PROBE}";\n{name} = "{value}";\n')
    run = alicorn("-c", "x.conf", "--check-config")
    assert (run.returncode, run.stderr) == (1, f'x.conf:2: {name}: "{value}": {reason}\n')


# ---- Captured output ---------------------------------------------------------------------

PRINTS = """
import os, sys
print("loaded", flush=False)
def application(environ, start_response):
    print("printed", environ["PATH_INFO"])
    sys.stderr.write("error\\n")
    os.system("echo of a child")
    start_response("200 OK", [])
    return [b"ok"]
"""


@pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                    reason="python3-dev is not installed")
@pytest.mark.parametrize("capture", [True, False])
def test_captured_output(server, tmp_path, capture):
    (tmp_path / "prints.py").write_text(PRINTS)
    s = server(apps={"app": {"target": "python:prints", "chdir": tmp_path, "workers": 1,
                             "bind": "127.0.0.1:0", "capture_output": capture,
                             "accesslog": "-", "access_log_format": "line %(s)s"}})
    assert s.get("/a").status == 200
    if capture:
        wait_for(lambda: "printed /a\n" in text_of(s.log_file))
        (s.log_file).rename(tmp_path / "old")
        s.signal(signal.SIGUSR1)
        wait_for(s.log_file.exists)
        wait_for(lambda: s.get("/b").status == 200 and "printed /b\n" in text_of(s.log_file))
    s.stop()
    old, new, stderr = (text_of(p) for p in (tmp_path / "old", s.log_file, s.stderr_file))
    captured = re.findall(rf"^\[.*\] \[\d+\] \[INFO\] app: (?:[-\w]+: )?"
                          r"(loaded|printed /a|error|of a child)$", old, re.M)
    assert captured == (["loaded", "printed /a", "error", "of a child"] if capture else [])
    assert ("of a child" in new) == capture
    assert ("of a child" in stderr) != capture
    assert "line 200\n" in stderr and "line 200" not in old + new


# ---- Syslog ------------------------------------------------------------------------------

STAMP = r"[A-Z][a-z][a-z] [ 1-3]\d \d\d:\d\d:\d\d"


def received(reader):
    """All datagrams that are there, and a little later."""
    reader.settimeout(1)
    found = []
    try:
        while True:
            found.append(reader.recv(65536).decode())
    except TimeoutError:
        return found


def reader(kind, tmp_path):
    if kind == "udp":
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        return made, f"udp://127.0.0.1:{made.getsockname()[1]}"
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(tmp_path / "devlog"))
    return made, f"unix:{tmp_path}/devlog"


@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_syslog(server, tmp_path, kind):
    at, address = reader(kind, tmp_path)
    with at:
        s = server(workers=1, syslog=True, syslog_addr=address, syslog_prefix="shop", log_user="root",
                   syslog_facility="local3", access_log_format="%(r)s %(s)s")
        assert s.get("/log").status == 200
        worker = s.workers()[0]
        s.stop()
        found = received(at)
    host = socket.gethostname() + " " if kind == "udp" else ""
    for line in found:
        assert re.fullmatch(rf"<1(58|56|55)>{STAMP} {host}alicorn\.shop\.(error|access)\[\d+\]: "
                            r"[^\x00-\x1f]+", line), line
    parts = [line.split(f" {host}alicorn.shop.")[1] for line in found]
    assert f"access[{worker}]: GET /log HTTP/1.1 200" in parts
    assert any(re.match(rf"error\[{s.pid}\]: listening on", part) for part in parts)
    assert any(line.startswith("<156>") and "probe says" in line for line in found)  # a warning
    assert not (s.folder / "access.log").exists()


def test_syslog_without_access_lines(server, tmp_path):
    at, address = reader("unix", tmp_path)
    with at:
        s = server(workers=1, syslog=True, syslog_addr=address, accesslog="access.log", log_user="root",
                   disable_redirect_access_to_syslog=True, proc_name="my:shop")
        s.get("/hello")
        lines(s, 1)
        s.stop()
        found = received(at)
    assert found and all("alicorn.my.shop.error[" in line for line in found), found


def test_syslog_off(server, tmp_path):
    at, address = reader("unix", tmp_path)
    with at:
        s = server(workers=1, syslog_addr=address)
        s.get("/hello")
        s.stop()
        assert received(at) == []


def test_syslog_that_nobody_reads(server, tmp_path):
    """Never a reason to stop, or to wait."""
    for address in (f"unix:{tmp_path}/nobody", "udp://127.0.0.1:9", "tcp://127.0.0.1:9",
                    "udp://no.such.host.invalid"):
        s = server(workers=1, syslog=True, syslog_addr=address)
        begin = time.monotonic()
        with s.connect() as c:
            for _ in range(100):
                assert c.get("/hello").status == 200
        assert time.monotonic() - begin < 3
        s.stop()
        if "invalid" in address:
            assert f"syslog {address}: " in s.log()


def test_syslog_over_tcp(server):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        s = server(workers=1, syslog=True, syslog_addr=f"tcp://127.0.0.1:{port}")
        s.get("/hello")
        worker = s.workers()[0]
        s.stop()
        text = ""
        with listener.accept()[0] as client, client.makefile() as file:
            text += file.read()
    assert re.search(rf"^<14>.* alicorn\.\S*access\[{worker}\]: .*\"GET /hello", text, re.M), text
    assert re.search(rf"^<14>.* alicorn\.\S*error\[{s.pid}\]: stopped$", text, re.M), text
