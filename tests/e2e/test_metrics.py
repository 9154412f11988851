"""What the server tells of itself: the status application (page, JSON, Prometheus' metrics,
events, health), statsd, and that nothing counted is lost."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from conftest import PROBE, free_port, wait_for
from wire import LIMIT, Cut

ADMIN = {"target": "status:", "bind": "127.0.0.1:0"}


@pytest.fixture
def watched(server):
    """The probe and the status application; settings are the probe's."""
    def start(settings=None, **rest):
        probe = {"target": PROBE, "bind": "127.0.0.1:0", **(settings or {})}
        return server(apps={"probe": probe, "admin": ADMIN}, **rest)
    return start


def status(s):
    return json.loads(s.get("/status.json", name="admin").body)


def app(s, name="probe"):
    return next(a for a in status(s)["applications"] if a["name"] == name)


def metrics(s):
    """The samples, by their names with labels."""
    text = s.get("/metrics", name="admin").body.decode()
    return {name: float(value) for name, value in
            re.findall(r"(?m)^([^#\s][^ ]*(?:{[^}]*})?) (\S+)$", text)}


def count_to(s, n):
    """Waits until so many requests have ended: a response comes before its end is noted."""
    wait_for(lambda: app(s)["requests"] >= n, what=f"{n} requests")
    return app(s)


# ---- What is counted -----------------------------------------------------------------


def test_counts_are_those_of_what_was_asked(watched):
    s = watched({"workers": 2})
    for path in ["/hello"] * 5 + ["/nonesuch"] * 2 + ["/error"]:
        s.get(path, name="probe")
    with s.connect("probe") as client:
        client.send(b"BAD\r\n\r\n")
        assert client.response().status == 400
    a = count_to(s, 9)
    assert a["requests"] == 9
    assert a["responses"] == {"1xx": 0, "2xx": 5, "3xx": 0, "4xx": 3, "5xx": 1, "499": 0}
    assert a["latency"]["count"] == 8  # the application has not seen the bad one
    assert 0 < a["latency"]["p50_ms"] <= a["latency"]["p99_ms"] <= a["latency"]["max_ms"]
    assert a["sent_bytes"] > a["received_bytes"] > 0
    assert a["workers"] == {"wanted": 2, "idle": 2, "busy": 0, "booting": 0, "draining": 0}
    assert {p["pid"] for p in a["processes"]} == set(s.workers("probe"))
    assert sum(p["requests"] for p in a["processes"]) == 8
    assert a["memory"]["resident_bytes"] > a["memory"]["proportional_bytes"] > 0
    assert a["listen_backlog"] == 0 and a["queue_depth"] == 0


def test_a_request_is_seen_while_it_runs_and_told_when_it_was_slow(watched):
    s = watched()
    with s.connect("probe") as client:
        client.send(b"GET /sleep?ms=1500&it=me HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: app(s)["workers"]["busy"] == 1)
        (worker,) = app(s)["processes"]
        assert worker["state"] == "busy" and worker["request"] == "GET /sleep?ms=1500&it=me"
        assert worker["connections"] == 1 and worker["idle_connections"] == 0
        assert client.response().status == 200
        wait_for(lambda: app(s)["connections"] == {"idle": 1, "active": 0})
    a = count_to(s, 1)
    (slow,) = a["slow"]
    assert slow["request"] == "GET /sleep?ms=1500&it=me" and slow["status"] == 200
    assert 1500 <= slow["duration_ms"] <= a["latency"]["max_ms"] * 1.2
    assert slow["pid"] == worker["pid"] and slow["id"] == worker["request_id"]


def test_the_slowest_sixteen_are_kept(watched):
    s = watched({"workers": 2})
    for i in range(20):
        s.get(f"/sleep?ms={i + 1}", name="probe")
    a = count_to(s, 20)
    times = [r["duration_ms"] for r in a["slow"]]
    assert len(times) <= 16 and times == sorted(times, reverse=True)
    assert a["slow"][0]["duration_ms"] >= 20


def test_counters_survive_crashes_recycling_and_reloads(watched):
    s = watched({"max_requests": 3})
    asked = 0

    def ask(path="/hello"):
        nonlocal asked
        asked += 1
        s.get(path, name="probe")
        assert count_to(s, asked)["requests"] == asked

    ask()
    ask("/crash")
    wait_for(lambda: app(s)["restarts"]["crash"] == 1)
    for _ in range(5):
        ask()
    wait_for(lambda: app(s)["restarts"]["recycled"] >= 1)
    s.signal(signal.SIGHUP)
    wait_for(lambda: status(s)["server"]["generation"] == 2)
    wait_for(lambda: len(app(s)["processes"]) == 1)
    ask()
    a, server = app(s), status(s)["server"]
    assert a["requests"] == asked == 8
    assert a["responses"]["5xx"] == 1 and a["responses"]["2xx"] == 7
    assert server["reloads"] == 1 and server["failed_reloads"] == 0
    assert len(a["slow"]) == 8


def test_why_processes_ended(watched):
    s = watched({"timeout": 1, "workers": 1})
    for path, reason in ("/_exit", "exit"), ("/kill", "killed"), ("/stuck", "timeout"):
        try:
            s.get(path, name="probe")
        except Cut:
            assert reason == "killed"
        wait_for(lambda: app(s)["restarts"][reason] == 1)
        wait_for(lambda: app(s)["workers"]["idle"] == 1)
    assert app(s)["restarts"] == {"crash": 0, "exit": 1, "timeout": 1, "memory": 0,
                                  "recycled": 0, "killed": 1, "boot": 0}
    # The last one was answered by the arbiter, and nobody could answer the second.
    assert app(s)["responses"]["5xx"] == 2
    assert ("GET /stuck", 504) in [(r["request"], r["status"]) for r in app(s)["slow"]]


def test_a_reload_that_fails_is_told_until_one_is_done(watched):
    s = watched()
    good = (s.folder / "server.conf").read_text()
    (s.folder / "server.conf").write_text(good + "oops = 1;\n")
    s.signal(signal.SIGHUP)
    wait_for(lambda: status(s)["server"]["failed_reloads"] == 1)
    assert "unknown setting oops" in status(s)["server"]["last_failure"]
    (s.folder / "server.conf").write_text(good)
    s.signal(signal.SIGHUP)
    wait_for(lambda: status(s)["server"]["reloads"] == 1)
    assert status(s)["server"]["last_failure"] is None


# ---- Prometheus ------------------------------------------------------------------------


def test_metrics_are_what_json_says(watched):
    s = watched({"workers": 2})
    for _ in range(3):
        s.get("/sleep?ms=3", name="probe")
    a, m = count_to(s, 3), metrics(s)
    assert m['alicorn_requests_total{app="probe",status="2xx"}'] == 3
    assert m['alicorn_workers{app="probe",state="idle"}'] == 2
    assert m['alicorn_request_duration_seconds_count{app="probe"}'] == 3
    assert m['alicorn_request_duration_seconds_bucket{app="probe",le="0.002048"}'] == 0
    assert m['alicorn_request_duration_seconds_bucket{app="probe",le="+Inf"}'] == 3
    assert m['alicorn_request_duration_seconds_sum{app="probe"}'] == pytest.approx(
        a["latency"]["mean_ms"] * 3 / 1000, rel=0.01)
    assert m['alicorn_listen_backlog{app="probe"}'] == 0
    assert m["alicorn_ready"] == 1 and m["alicorn_generation"] == 1


def test_promtool_finds_nothing(watched):
    if shutil.which("promtool") is None:
        pytest.skip("promtool (package prometheus) is not installed")
    s = watched()
    s.get("/hello", name="probe")
    text = s.get("/-/metrics", name="admin").body
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_prometheus_scrapes_it(watched, tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    s, port = watched(), free_port()
    for _ in range(4):
        s.get("/hello", name="probe")
    count_to(s, 4)
    host, admin = s.listeners("admin")[0]
    (tmp_path / "prometheus.yml").write_text(
        "global: { scrape_interval: 1s }\n"
        f"scrape_configs: [ {{ job_name: alicorn, static_configs: [ {{ targets: [ '{host}:{admin}' ] }} ] }} ]\n")
    process = subprocess.Popen(
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    query = "/api/v1/query?query=alicorn_requests_total%7Bapp%3D%22probe%22,status%3D%222xx%22%7D"

    def value():
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as c:
                c.sendall(f"GET {query} HTTP/1.0\r\n\r\n".encode())
                body = b"".join(iter(lambda: c.recv(65536), b"")).split(b"\r\n\r\n", 1)[1]
            return [r["value"][1] for r in json.loads(body)["data"]["result"]]
        except (OSError, ValueError, IndexError):
            return None
    try:
        wait_for(lambda: value() == ["4"], what="the value in Prometheus")
    finally:
        process.terminate()
        process.wait()


# ---- Paths, and health ---------------------------------------------------------------


def test_paths(watched):
    s = watched()
    get = lambda path, method="GET": s.get(path, method, name="admin")
    assert get("/-/status.json").status == 200
    assert get("/-/").field("content-type") == "text/html; charset=utf-8"
    assert get("/-").status == 308 and get("/-").field("location") == "/-/"
    assert get("/-x").status == get("/metrics/").status == get("/x").status == 404
    assert get("/metrics", "POST").status == 405
    head = get("/status.json", "HEAD")
    assert head.status == 200 and head.body == b""
    policy = get("/").field("content-security-policy")
    nonce = re.search(r"script-src 'nonce-(\w{32})'", policy)[1]
    page = get("/").body.decode()
    assert nonce not in page and "http://" not in page.replace("http://www.w3.org", "")
    assert "@NONCE@" not in page and "@NOW@" not in page and "@TABLE@" not in page


def test_what_clients_send_is_text_on_the_page(watched):
    s = watched()
    s.get("/sleep?ms=1&%3C&</script><b>\"", name="probe")
    count_to(s, 1)
    page = s.get("/", name="admin").body.decode()
    assert "</script><b>" not in page and "&lt;/script&gt;&lt;b&gt;" in page
    assert app(s)["slow"][0]["request"] == "GET /sleep?ms=1&%3C&</script><b>\""


def test_events_come_each_second(watched):
    s = watched()
    with s.connect("admin") as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        seen = b""
        end = time.monotonic() + LIMIT
        while b"data: " not in seen and time.monotonic() < end:
            seen += client.socket.recv(65536)
        s.get("/hello", name="probe")
        while not re.search(rb'"requests":1,.*"recent":{.*\n', seen) and time.monotonic() < end:
            seen += client.socket.recv(65536)
        events = re.findall(rb"data: (\{.*\})\n", seen)
        assert b"text/event-stream" in seen and len(events) >= 2
        recent = json.loads(events[-1])["applications"][0]["recent"]
        assert recent["requests_per_second"] > 0
        # A listener does not hold the server up.
        s.stop()


def health(s):
    return s.get("/ready", name="admin").status, s.get("/healthy", name="admin").status


def test_not_ready_before_it_stops(watched):
    s = watched(stop_delay=600)
    wait_for(lambda: health(s) == (200, 200))
    s.signal(signal.SIGTERM)
    wait_for(lambda: health(s) == (503, 200))
    assert s.get("/hello", name="probe").status == 200  # all is served as before
    assert s.get("/-/ready", name="admin").body == b"not ready\n"
    assert status(s)["server"]["state"] == "stopping"
    s.stop()  # a second order ends the wait


def test_the_stop_follows_the_delay(watched):
    s = watched(stop_delay=1)
    s.stop()
    assert re.search(r"stop in 1 s.*\n(.*\n)*.*requests are finished first", s.log())


def test_not_healthy_when_the_arbiter_does_not_answer(watched):
    s = watched()
    wait_for(lambda: s.get("/ready", name="admin").status == 200)
    os.kill(s.pid, signal.SIGSTOP)
    try:
        assert s.get("/healthy", name="admin").status == 503
        assert app(s)["name"] == "probe"  # what is known is told
    finally:
        os.kill(s.pid, signal.SIGCONT)
    assert s.get("/healthy", name="admin").status == 200


# ---- statsd ------------------------------------------------------------------------------


@pytest.fixture(params=["udp", "unix"])
def statsd(request, tmp_path):
    """A server: its address as a setting, and all lines that it has received."""
    path = str(tmp_path / "statsd")
    kind = socket.AF_INET if request.param == "udp" else socket.AF_UNIX
    with socket.socket(kind, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0) if request.param == "udp" else path)
        s.settimeout(0.01)
        lines = []

        def read():
            try:
                while True:
                    datagram = s.recv(65536)
                    assert len(datagram) <= 1432
                    lines.extend(datagram.decode().split("\n"))
            except socket.timeout:
                return lines
        read.address = (f"127.0.0.1:{s.getsockname()[1]}" if request.param == "udp"
                        else f"unix://{path}")
        yield read


def sum_of(lines, name):
    return sum(int(value) for value in re.findall(rf"(?m)^{re.escape(name)}:(\d+)\|c", "\n".join(lines)))


def test_statsd_gets_what_was_counted(server, statsd):
    s = server(workers=2, statsd_host=statsd.address, statsd_prefix="shop",
               dogstatsd_tags="region:eu,x:y", enable_backlog_metric=True)
    for path in ["/hello"] * 7 + ["/nonesuch"] * 3:
        s.get(path)
    s.get("/sleep?ms=30")
    wait_for(lambda: sum_of(statsd(), "shop.gunicorn.requests") == 11)
    wait_for(lambda: "shop.gunicorn.workers:2|g|#region:eu,x:y" in statsd())
    lines = statsd()
    assert sum_of(lines, "shop.gunicorn.request.status.200") == 8
    assert sum_of(lines, "shop.gunicorn.request.status.404") == 3
    assert any(re.fullmatch(r"shop\.gunicorn\.backlog:\d+\|h\|#region:eu,x:y", line) for line in lines)
    times = [float(t) for t in re.findall(r"shop\.gunicorn\.request\.duration:([\d.]+)\|ms\|#", "\n".join(lines))]
    assert len(times) == 11 and 30 <= max(times) < 10000
    s.get("/hello")
    s.stop()
    assert sum_of(statsd(), "shop.gunicorn.requests") == 12  # the last words of a worker


def test_many_durations_are_sampled(server, statsd):
    s = server(statsd_host=statsd.address)
    n = 600
    with s.connect() as client:
        for _ in range(n):
            client.get("/hello")
    wait_for(lambda: sum_of(statsd(), "gunicorn.requests") == n)
    rows = re.findall(r"(?m)^gunicorn\.request\.duration:[\d.]+\|ms(?:\|@([\d.]+))?$", "\n".join(statsd()))
    assert sum(1 / float(rate or 1) for rate in rows) == pytest.approx(n, rel=0.01)


@pytest.mark.parametrize("value,reason", [
    ("unix:x", "the path is not absolute"), ("host:0", "the port is not one from 1 to 65535"),
    (":8125", "the host is missing"), ("[::1", "the bracket is not closed")])
def test_statsd_host_is_checked(alicorn, value, reason):
    done = alicorn("--check-config", f"--statsd-host={value}", PROBE)
    assert done.returncode == 1 and f'--statsd-host: "{value}": {reason}' in done.stderr


# ---- The page --------------------------------------------------------------------------


def test_the_page_shows_what_json_says(watched, tmp_path):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    s = watched({"workers": 3})
    for path in ["/hello"] * 4 + ["/error"]:
        s.get(path, name="probe")
    a = count_to(s, 5)
    host, port = s.listeners("admin")[0]
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/browser",
         "--dump-dom", f"http://{host}:{port}/-/"],
        capture_output=True, text=True, timeout=LIMIT * 3, env={**os.environ, "HOME": str(tmp_path)})
    section = re.search(r"<main>.*?</section>", done.stdout, re.S)[0]
    shown = {name: re.sub(r"<[^>]*>", " ", text) for name, text in
             re.findall(r'data-v="(\w+)"[^>]*>(.*?)</(?:dd|h2|span)>', section, re.S)}
    assert shown["name"] == "probe" and shown["target"] == a["target"]
    assert shown["requests"].split()[0] == str(a["requests"])
    assert shown["errors"].split()[0] == str(a["responses"]["5xx"])
    assert shown["restarts"].split()[0] == "0"
    assert section.count('class="idle"') == a["workers"]["idle"] == 3
    assert section.count("<tr>") == 1 + len(a["slow"])
    assert "of 3" in section and ">serving<" in done.stdout
