"""logs: sinks with forms, filters and samples; a file of their own; reloads."""

import json
import re
import signal
import socket
import tempfile
import time
from pathlib import Path

import pytest

from conftest import PROBE, TOP, USER, format_settings, text_of, wait_for

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def row(**members):
    """One of logs."""
    numbers = {name: value for name, value in members.items() if isinstance(value, float)}
    texts = {name: value for name, value in members.items() if name not in numbers}
    return "{ " + format_settings(texts).replace("\n", " ") + "".join(
        f"{name} = {value}; " for name, value in numbers.items()) + "}"


def logs(*rows):
    return "logs = (\n" + ",\n".join(rows) + "\n);\n"


def config(folder, *rows, more="", apps=("probe",), **settings):
    """A file as write_config() makes it, and logs."""
    settings = {"workers": 1, "errorlog": str(folder / "log"), **USER, **settings}
    text = format_settings(settings) + more + (logs(*rows) if rows else "")
    return text + "applications: {\n" + "".join(
        f'{name}: {{ target = "{PROBE}"; bind = "127.0.0.1:0"; }};\n' for name in apps) + "};\n"


@pytest.fixture
def logged(server, tmp_path):
    """A function that starts a server with these rows of logs."""
    def start(*rows, wait=True, **how):
        s = server(text=config(tmp_path, *rows, **how), wait=wait)
        wait_for(lambda: len(s.listeners()) == len(how.get("apps", [0])))
        return s
    return start


def lines(path, n, exactly=True):
    """The lines of a file, of which there must be n."""
    wait_for(lambda: text_of(path).count("\n") >= n, what=f"{n} lines: {text_of(path)!r}")
    found = path.read_text(errors="surrogateescape").splitlines()
    assert len(found) == n or not exactly, found
    return found


def objects(path, n, exactly=True):
    found = []
    for line in path.read_bytes().splitlines() if lines(path, n, exactly) else []:
        assert not re.search(rb"[\x00-\x1f\x7f]", line), line
        found.append(json.loads(line.decode()))
    return found


# ---- JSON --------------------------------------------------------------------------------


def test_json_of_a_request(logged, tmp_path):
    s = logged(row(to="a.json", take="access", format="json"))
    before = time.time()
    r = s.get("/echo?a=%20b", "POST", body=b"12345", fields=[
        ("User-Agent", "test/1"), ("Referer", "http://there/")])
    found, = objects(tmp_path / "a.json", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", found["time"])
    at = time.mktime(time.strptime(found["time"][:19], "%Y-%m-%dT%H:%M:%S"))
    assert before - 1.1 < at <= time.time()
    assert found["time"][-6:].replace(":", "") == time.strftime("%z")
    times = [found.pop(key) for key in ("duration_us", "queue_us", "app_us")]
    assert 0 < times[2] <= times[0] and 0 <= times[1] < times[0]
    assert found.pop("pid") == s.workers()[0]
    assert found.pop("bytes_in") > len("POST /echo?a=%20b HTTP/1.1\r\n\r\n12345")
    assert found == {
        "time": found["time"], "level": "info", "pool": "probe",
        "request_id": r.field("X-Request-ID"), "client": "127.0.0.1", "host": "test",
        "method": "POST", "path": "/echo", "query": "a=%20b", "protocol": "HTTP/1.1",
        "status": 200, "bytes_out": 5, "referer": "http://there/", "user_agent": "test/1"}


NASTY = [b'"', b"\\", b'\\"', b'","status":999,"x":"', b"\x80\xff", "\u00e4\u20ac".encode(),
         "\U0001f600".encode(), b"\xc3", b"\xed\xa0\x80", b"\xc2\x9b31m", b"\t", b"a" * 7000,
         b"\xff" * 7000, b'\\' * 7000]


def test_json_of_nasty_requests(logged, tmp_path):
    s = logged(row(to="a.json", take="access", format="json"))
    with s.connect() as c:
        for text in NASTY:
            c.send(b"GET /hello HTTP/1.1\r\nHost: x\r\nUser-Agent: a" + text + b"b\r\n\r\n")
            assert c.response().status == 200
    found = objects(tmp_path / "a.json", len(NASTY))
    for text, line in zip(NASTY, found):
        assert line["status"] == 200 and line["path"] == "/hello"
        seen = "a" + text.decode(errors="replace") + "b"
        if len(text) < 1000 and text != b"\xc2\x9b31m":
            assert line["user_agent"].replace("\ufffd", "") == seen.replace("\ufffd", "")
    raw = (tmp_path / "a.json").read_bytes()
    assert b"\xc2\x9b" not in raw and b"\\u009b31m" in raw
    assert all(len(line) < 8192 for line in raw.splitlines())


def test_json_of_what_is_no_request(logged, tmp_path):
    s = logged(row(to="a.json", take="access", format="json"))
    for sent, status in ((b"GET / HTTP/1.1\r\n\r\n", 400), (b"\x1b[31m\xff\r\n\r\n", 400),
                         (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414)):
        with s.connect() as c:
            c.send(sent)
            assert c.response().status == status
    with s.connect() as c:
        c.send(b"GET /half HTTP/1.1\r\nHo")
    found = objects(tmp_path / "a.json", 4)
    assert sorted(line["status"] for line in found) == [400, 400, 414, 499]
    for line in found:
        assert line["method"] is None and line["path"] is None and line["app_us"] == 0
        assert re.fullmatch(UUID, line["request_id"])


# ---- Forms -------------------------------------------------------------------------------


def test_forms(logged, tmp_path):
    s = logged(row(to="combined", take="access", format="combined"),
               row(to="common", take="access", format="common"),
               row(to="own", take="access", format="%(id)s %(I)s %(R)s %(w)s %(Q)s %(A)s %(zz)s"),
               row(to="text", take="access"), access_log_format="as the application says %(U)s")
    r = s.get("/hello?x", fields=[("User-Agent", "u")])
    when = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    line = rf'127\.0\.0\.1 - - {when} "GET /hello\?x HTTP/1\.1" 200 6'
    assert re.fullmatch(line + ' "-" "u"', lines(tmp_path / "combined", 1)[0])
    assert re.fullmatch(line, lines(tmp_path / "common", 1)[0])
    assert lines(tmp_path / "text", 1) == ["as the application says /hello"]
    assert re.fullmatch(rf"{r.field('X-Request-ID')} \d\d+ probe {s.workers()[0]} \d+ \d+ -",
                        lines(tmp_path / "own", 1)[0])


def test_the_time_in_the_application(logged, tmp_path):
    s = logged(row(to="own", take="access", format="%(Q)s %(A)s %(D)s"))
    s.get("/sleep?ms=300")
    queue, app, all_of_it = map(int, lines(tmp_path / "own", 1)[0].split())
    assert 300000 <= app <= all_of_it and queue <= all_of_it - app


# ---- Filters -----------------------------------------------------------------------------


PATHS = ["/hello", "/status?code=404", "/status?code=503", "/status?code=302",
         "/status?code=304", "/pid"]


@pytest.mark.parametrize("members,expected", [
    ({"status": "5xx"}, ["503"]), ({"status": ["404", "5xx"]}, ["404", "503"]),
    ({"status": "!304,!200"}, ["404", "503", "302"]), ({"status": "3xx, !304"}, ["302"]),
    ({"path": "/hello"}, ["200"]), ({"path": "/h*"}, ["200"]), ({"path": "*id"}, ["200"]),
    ({"path": ["/pid", "/hello"]}, ["200", "200"]), ({"path": "/nothing*"}, []),
    ({"path": "/status", "status": "404"}, ["404"]), ({"apps": ["probe"], "path": "/pid"}, ["200"]),
    ({"slower_than": 60000}, []), ({"sample": 0}, ["503"])])
def test_filters(logged, tmp_path, members, expected):
    s = logged(row(to="some", take="access", format="%(s)s", **members),
               row(to="all", take="access", format="%(s)s"))
    for path in PATHS:
        s.get(path)
    lines(tmp_path / "all", len(PATHS))
    assert text_of(tmp_path / "some").split() == expected


def test_only_slow_ones(logged, tmp_path):
    s = logged(row(to="slow", take="access", format="%(U)s", slower_than=400),
               row(to="all", take="access", format="%(U)s"))
    s.get("/hello")
    s.get("/sleep?ms=500")
    lines(tmp_path / "all", 2)
    assert "/sleep" in lines(tmp_path / "slow", 1, exactly=False)


def test_applications(logged, tmp_path):
    s = logged(row(to="a", take="access", format="%(R)s", apps="a"),
               row(to="b", take="access", format="%(R)s", apps=["b", "c"]),
               row(to="all", take="access", format="%(R)s"), apps=("a", "b", "c"))
    for name in ("a", "b", "c"):
        s.get("/hello", name=name)
    lines(tmp_path / "all", 3)
    assert lines(tmp_path / "a", 1) == ["a"] and sorted(lines(tmp_path / "b", 2)) == ["b", "c"]


@pytest.mark.parametrize("header", ["X-Request-ID", "none"])
def test_samples(logged, tmp_path, header):
    s = logged(row(to="some", take="access", format="%(id)s", sample=0.25),
               row(to="twin", take="access", format="%(id)s", sample=0.25),
               row(to="all", take="access", format="%(id)s"), request_id_header=header)
    with s.connect() as c:
        for _ in range(1000):
            c.get("/hello")
    lines(tmp_path / "all", 1000)
    n = text_of(tmp_path / "some").count("\n")
    assert 150 < n < 350
    if header != "none":  # by the id, so that it is the same everywhere
        assert text_of(tmp_path / "some") == text_of(tmp_path / "twin")


# ---- Reopened, reloaded ------------------------------------------------------------------


def test_reopened_after_a_rename(logged, tmp_path):
    names = ["a", "b"]
    s = logged(row(to="a", take="access", format="%(U)s"), row(to="b", take="access", format="json"))
    s.get("/one")
    for name in names:
        lines(tmp_path / name, 1)
        (tmp_path / name).rename(tmp_path / f"{name}.old")
    s.get("/two")
    for name in names:
        lines(tmp_path / f"{name}.old", 2)
    s.signal(signal.SIGUSR1)
    wait_for(lambda: all((tmp_path / name).exists() for name in names))
    s.get("/three")
    assert lines(tmp_path / "a", 1) == ["/three"]
    assert objects(tmp_path / "b", 1)[0]["path"] == "/three"
    assert text_of(tmp_path / "a.old").split() == ["/one", "/two"]


def test_a_reload_changes_them(logged, tmp_path):
    s = logged(row(to="a", take="access", format="%(U)s"))
    s.get("/one")
    lines(tmp_path / "a", 1)
    (tmp_path / "server.conf").write_text(config(
        tmp_path, row(to="a", take="access", format="new %(U)s", path="/t*"),
        row(to="b", take="access", format="json")))
    s.signal(signal.SIGHUP)
    s.wait_log("generation 2 serves")
    for path in ("/one", "/two"):
        s.get(path)
    assert [line["path"] for line in objects(tmp_path / "b", 2)] == ["/one", "/two"]
    assert lines(tmp_path / "a", 2) == ["/one", "new /two"]


BROKEN = [
    ("logs = ( { take = \"access\"; } );", 1, "nothing says where to"),
    ("logs = (\n{ to = \"x\"; status = \"6xx\"; } );", 2, 'status: "6xx": not a status'),
    ("logs = (\n{ to = \"x\";\nfrom = 1; } );", 3, "unknown from"),
    ("logs = (\n{ to = \"x\";\nformat = \"%(h\"; } );", 3, r"%\( is not closed"),
    ("\nlogs = ( { to = \"x\"; apps = \"nobody\"; } );", 2, "there is no application nobody"),
    ("logs = 5;", 1, "not a list of groups"),
    ("logs = ( { to = \"syslog:ftp://x\"; } );", 1, "to: \"syslog:ftp://x\""),
    ("workers = 3;", 1, "there is only logs in this file"),
    ("logs = (\n{ to = ", 2, "to has no value"),
]


def test_a_file_of_its_own(logged, tmp_path):
    own = tmp_path / "sub" / "logs.conf"
    own.parent.mkdir()
    own.write_text(logs(row(to="a", take="access", format="first %(U)s")))
    s = logged(row(to="main", take="access", format="%(U)s"), log_config="sub/logs.conf")
    s.get("/one")
    assert lines(own.parent / "a", 1) == ["first /one"]  # beside the file that names it
    own.write_text(logs(row(to="a", take="access", format="second %(U)s")))
    s.signal(signal.SIGHUP)
    s.wait_log("generation 2 serves")
    s.get("/two")
    assert lines(own.parent / "a", 2) == ["first /one", "second /two"]
    for n, (text, line, words) in enumerate(BROKEN, 1):
        own.write_text(text)
        s.signal(signal.SIGHUP)
        s.wait_log(rf"sub/logs\.conf:{line}: .*{words}")
        s.wait_log(r"generation 2 goes on", times=n)
    s.get("/three")
    assert lines(own.parent / "a", 3)[2] == "second /three"
    assert lines(tmp_path / "main", 3) == ["/one", "/two", "/three"]


def test_the_option(alicorn, tmp_path):
    (tmp_path / "logs.conf").write_text("logs = ( { to = 5; } );")
    done = alicorn("--check-config", "--log-config", "logs.conf", PROBE)
    assert done.returncode == 1 and "logs.conf:1: logs: to is not a text" in done.stderr
    (tmp_path / "logs.conf").write_text(logs(row(to="a", take="access")))
    assert alicorn("--check-config", "--log-config", "logs.conf", PROBE).returncode == 0
    done = alicorn("--check-config", "--log-config", "nowhere.conf", PROBE)
    assert done.returncode == 1 and "nowhere.conf: No such file" in done.stderr


def test_a_broken_main_file_is_refused(alicorn, tmp_path):
    for text, line, words in BROKEN[:4]:
        (tmp_path / "x.conf").write_text(f'target = "{PROBE}";\n{text}\n')
        done = alicorn("--check-config", "-c", "x.conf")
        assert done.returncode == 1
        assert re.search(rf"x\.conf:{line + 1}: logs: .*{words}", done.stderr), done.stderr


def test_printed_it_reads_back_the_same(alicorn, tmp_path):
    (tmp_path / "x.conf").write_text(config(tmp_path, row(
        to="a.json", take="access", format="json", status=["404", "5xx", "!304"],
        path=["/a/*", "*.css", "*b*", "/c"], slower_than=500, sample=0.5, apps=["probe"]),
        row(to="syslog:udp://localhost:514", take="errors", level="warning", facility="local3",
            tag="name", rfc=5424), row(to="journal", format="%(h)s \"\\\x01"), row(to="stdout")))
    first = alicorn("--print-config", "-c", "x.conf")
    assert first.returncode == 0, first.stderr
    (tmp_path / "y.conf").write_text(first.stdout)
    second = alicorn("--print-config", "-c", "y.conf")

    def plain(text):
        return re.sub(r"/\*.*?\*/", "", text)
    assert plain(first.stdout) == plain(second.stdout) and "5xx" in first.stdout


# ---- What the server says, and applications ----------------------------------------------


def test_messages_in_json(logged, tmp_path):
    s = logged(row(to="all.json", format="json"),
               row(to="worse", take="errors", level="warning"),
               row(to="probe.json", take="errors", format="json", apps="probe"))
    r = s.get("/log", fields=[("User-Agent", "x")])
    wait_for(lambda: "probe says" in text_of(tmp_path / "all.json"))
    found = [json.loads(line) for line in (tmp_path / "all.json").read_bytes().splitlines()]
    line, = [line for line in found if "probe says" in line.get("message", "")]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", line.pop("time"))
    assert line == {"level": "warning", "pid": s.workers()[0], "pool": "probe",
                    "request_id": r.field("X-Request-ID"), "request": "GET /log",
                    "message": "probe says\r\n[1] forged \x1b[31m line"}
    assert any(line.get("message", "").startswith("listening on") and line["pid"] == s.pid
               for line in found)
    assert any(line.get("path") == "/log" for line in found)  # it takes both
    worse = lines(tmp_path / "worse", 1)
    assert re.fullmatch(rf"\[[^]]+\] \[{s.workers()[0]}\] \[WARNING\] probe: {UUID}: GET /log: "
                        r"probe says\\x0d\\x0a\[1\] forged \\x1b\[31m line", worse[0])
    only = [json.loads(line) for line in lines(tmp_path / "probe.json", 1, exactly=False)]
    assert all(line["pid"] != s.pid for line in only)


def test_crashes_in_json(logged, tmp_path):
    s = logged(row(to="a.json", take="errors", format="json", level="error"))
    pid, = s.wait_workers(1)
    r = s.get("/crash")
    found, = objects(tmp_path / "a.json", 1)
    assert (found["level"], found["pid"], found["pool"], found["request_id"],
            found["request"]) == ("error", s.pid, "probe", r.field("X-Request-ID"), "GET /crash")
    assert re.search(rf"pid {pid}\) was ended by signal 11 .*, \d\.\d s in GET /crash",
                     found["message"])


def test_logs_take_the_place_of_stderr(server, tmp_path):
    text = config(tmp_path, row(to="log"), errorlog="-")
    text = text.replace('errorlog = "-";\n', "")
    s = server(text=text)
    s.get("/hello")
    wait_for(lambda: "GET /hello" in text_of(tmp_path / "log"))
    assert "listening on" in text_of(tmp_path / "log")
    assert "listening on" not in text_of(s.stderr_file)


def test_the_example_of_the_manual(server, tmp_path):
    page = (TOP / "docs/alicorn.conf.5").read_text().partition(".Sh LOGS")[2]
    example = page.partition(".Bd -literal -offset indent\n")[2].partition(".Ed")[0]
    folder = tmp_path / "logs"
    folder.mkdir()
    s = server(text=config(tmp_path, more=example.replace("\\e", "\\").replace(
        "/var/log/alicorn", str(folder)), errorlog=str(tmp_path / "log")))
    for path in ("/hello", "/status?code=404", "/sleep?ms=600", "/log"):
        r = s.get(path)
    line, = lines(folder / "slow.log", 1)
    assert re.search(rf'\] {UUID} probe "GET /sleep\?ms=600 HTTP/1\.1" 200 \d+ [6-9]\d{{5}}', line)
    wait_for(lambda: r.field("X-Request-ID") in text_of(folder / "errors.log"))
    wait_for(lambda: text_of(folder / "all.json").count('"path":') == 4)
    assert text_of(folder / "api.json") == ""
    s.get("/api/x.json?code=500")


# ---- Syslog, and the journal -------------------------------------------------------------


@pytest.fixture
def receiver():
    """A socket of datagrams, which anybody may send to, and a function that gives the next
    one that has a text."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        path = Path(folder) / "socket"
        path.parent.chmod(0o755)
        s.bind(str(path))
        path.chmod(0o777)
        s.settimeout(20)

        def find(text):
            while True:
                message = s.recv(65536)
                if text in message:
                    return message
        yield path, find


def test_syslog(logged, receiver):
    path, find = receiver
    s = logged(row(to=f"syslog:unix:{path}", facility="local3", tag="shop",
                   format="%(m)s %(U)s %(id)s"))
    r = s.get("/log")
    said = find(b"probe says")
    assert re.match(rb"<156>\w{3} [ \d]\d \d\d:\d\d:\d\d .*alicorn\.shop\.error\[\d+\]: probe: ", said)
    access = find(b"GET /log " + r.field("X-Request-ID").encode())
    assert re.match(rb"<158>.*alicorn\.shop\.access\[\d+\]: GET /log ", access)


def test_syslog_rfc_5424(logged, receiver):
    path, find = receiver
    s = logged(row(to=f"syslog:unix:{path}", rfc=5424, format="json"))
    s.get("/log")
    assert re.match(rb"<12>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* \S+ \S+ \d+ ", find(b"probe says"))
