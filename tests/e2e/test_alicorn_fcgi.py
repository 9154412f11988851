"""alicorn-fcgi: C applications as FastCGI responders on libfcgi, behind nginx and behind
Alicorn itself, which runs them as managed programs."""

import os
import re
import shutil
import signal
import socket
import subprocess
import zlib
from pathlib import Path

import pytest

from conftest import ALICORN, APPS, TOP, free_port, processes, stat_of, title_of, wait_for
from wire import Client, Cut

PROGRAM = ALICORN.parent / "alicorn-fcgi"
PROBE = APPS / "probe.so"


@pytest.fixture
def responder(tmp_path):
    """A function that starts it on a socket of its own: .path, .process, .log()."""
    running = []

    class Responder:
        def __init__(self, app):
            self.path = tmp_path / f"socket{len(running)}"
            self.stderr = tmp_path / f"stderr{len(running)}"
            with socket.socket(socket.AF_UNIX) as listener, open(self.stderr, "wb") as stderr:
                listener.bind(str(self.path))
                listener.listen()
                self.process = subprocess.Popen(
                    [PROGRAM, str(app)], stdin=listener, stdout=stderr, stderr=stderr,
                    env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)})
            running.append(self)

        def log(self):
            return self.stderr.read_text()

    yield Responder
    for r in running:
        if r.process.poll() is None:
            r.process.kill()
        r.process.wait()


@pytest.fixture
def nginx(tmp_path):
    """A function that starts nginx before a responder; its address."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    running = []

    def start(path, more=""):
        port = free_port()
        (tmp_path / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid {tmp_path}/nginx.pid;
            error_log {tmp_path}/nginx.log info;
            events {{ worker_connections 64; }}
            http {{
                access_log off; client_max_body_size 100m;
                client_body_temp_path {tmp_path}; fastcgi_temp_path {tmp_path};
                proxy_temp_path {tmp_path}; scgi_temp_path {tmp_path}; uwsgi_temp_path {tmp_path};
                upstream app {{ server unix:{path}; {more and "keepalive 1;"} }}
                server {{
                    listen 127.0.0.1:{port};
                    location / {{
                        include /etc/nginx/fastcgi_params;
                        fastcgi_param SCRIPT_NAME "";
                        fastcgi_param PATH_INFO $fastcgi_script_name;
                        fastcgi_pass app; {more}
                    }}
                }}
            }}""")
        process = subprocess.Popen(
            ["nginx", "-c", tmp_path / "nginx.conf"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.append(process)
        wait_for(lambda: answers(("127.0.0.1", port)), what="nginx")
        return "127.0.0.1", port

    yield start
    for process in running:
        process.terminate()
        process.wait()


def answers(address):
    try:
        Client(address).close()
        return True
    except OSError:
        return False


def exchange(address, tmp_path):
    """What must be the same behind every web server."""
    body = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(body)

    def get(path, method="GET", **how):
        with Client(address) as c:
            return c.get(path, method, **how)

    def is_broken(path):
        """Cut, or all is replaced, if nothing has left the web server yet. nginx takes the
        end of a connection for that of the response, so it must not keep the client's."""
        try:
            return get(path, fields=[("Connection", "close")]).status == 502
        except Cut:
            return True

    assert get("/hello").body == b"hello\n"
    assert get("/hello", "HEAD").body == b""
    r = get("/env?a=%41", "POST", body=b"abc",
            fields=[("X-One", "1"), ("Proxy", "evil"), ("Content-Type", "a/b")])
    env = dict(line.split("=", 1) for line in r.text.splitlines())
    assert len(env) == len(r.text.splitlines())
    expected = {"REQUEST_METHOD": "POST", "PATH_INFO": "/env", "SCRIPT_NAME": "",
                "QUERY_STRING": "a=%41", "REQUEST_URI": "/env?a=%41", "RAW_URI": "/env?a=%41",
                "CONTENT_LENGTH": "3", "CONTENT_TYPE": "a/b", "HTTP_X_ONE": "1"}
    assert {name: env.get(name) for name in expected} == expected
    assert not {"HTTP_PROXY", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(env)
    assert "CONTENT_LENGTH" not in get("/env").text
    for size, where in ((0, "none"), (1000, "memory"), (len(body), "file")):
        part = body[:size]
        assert get("/sum", "POST", body=part).text == f"{size} {zlib.adler32(part)} {where}\n"
        assert get("/echo", "POST", body=part).body == part
    assert get("/lines", "POST", body=b"a\nbc\n\nd").text == "2 3 1 1 "
    assert get(f"/file?path={tmp_path}/file").body == body
    assert get(f"/file?path={tmp_path}/file&offset=10&length=20").body == body[10:30]
    assert len(get("/big?bytes=5000000").body) == 5_000_000
    assert get("/status?code=404").status == 404
    assert get("/status?code=204").body == b""
    r = get("/hop-by-hop")
    assert r.field("X-Stays") == "yes" and r.field("Keep-Alive") is None
    assert get("/bad-heads").status == 201
    assert get("/length?say=3&write=5").body == b"xxx"
    assert get("/hints").text.startswith("0 0 ")
    assert get("/error").status == 500 and get("/silent").status == 500
    assert is_broken("/length?say=10&write=3")
    assert is_broken("/partial?length=1")
    assert get("/log").body == b"logged\n"
    assert get("/hello").body == b"hello\n"


@pytest.mark.parametrize("more", ["", "fastcgi_keep_conn on;"])
def test_behind_nginx(responder, nginx, tmp_path, more):
    r = responder(PROBE)
    exchange(nginx(r.path, more), tmp_path)
    assert r.process.poll() is None
    log = (tmp_path / "nginx.log").read_text()
    assert "[WARNING] probe says??[1] forged ?[31m line" in log


def test_behind_alicorn(server, tmp_path):
    s = server(apps={"c": {"target": f"fcgi-exec:{PROGRAM} {PROBE}", "bind": "127.0.0.1:0",
                           "workers": 2, "limit_request_body": "10M"}})
    exchange(s.address, tmp_path)
    s.wait_log(r"\[WARNING\] probe says")
    assert len([pid for pid in children_of(s.pid) if str(PROGRAM) in title_of(pid)]) == 2


def children_of(parent):
    return [pid for pid in processes() if int((stat_of(pid) or [0, -1])[1]) == parent]


def catches_term(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s+(\w+)", status)[1], 16) & 1 << signal.SIGTERM - 1


def test_stop_between_requests(responder, nginx, tmp_path):
    r = responder(PROBE)
    address = nginx(r.path)
    with Client(address) as c:
        c.ask("/sleep?ms=1500")
        wait_for(lambda: "sleep" in Path(f"/proc/{r.process.pid}/wchan").read_text())
        r.process.send_signal(signal.SIGTERM)
        assert c.response().text == f"{r.process.pid}\n"
    assert r.process.wait(10) == 0
    assert "the probe says goodbye" in r.log()
    idle = responder(PROBE)
    wait_for(lambda: catches_term(idle.process.pid))
    idle.process.send_signal(signal.SIGTERM)
    assert idle.process.wait(10) == 0


def test_application_that_wants_to_go_on_by_itself(responder, nginx, compile_app, tmp_path):
    app = compile_app("""
        static const struct al_pending calls;
        int al_handle(void *app, struct al_request *req)
        {
            const void *unread;
            size_t n;
            (void)app;
            al_pending(req, &calls, NULL);
            return al_socket(req, &unread, &n) == -1 ? AL_PENDING : AL_DONE;
        }""")
    r = responder(app)
    with Client(nginx(r.path)) as c:
        assert c.get("/").status == 500
    assert "AL_PENDING" in (tmp_path / "nginx.log").read_text()
    assert r.process.poll() is None


@pytest.mark.parametrize("arguments,says", [
    ([], "usage"), (["-h"], "usage"), (["a.so", "b.so"], "usage"),
    (["/nowhere/a.so"], "/nowhere/a.so"), ([str(ALICORN)], "alicorn"),
    ([f"{PROBE}:nothing"], "no function nothing")])
def test_bad_starts(arguments, says):
    with socket.socket() as listener:
        listener.listen()
        done = subprocess.run([PROGRAM, *arguments], stdin=listener, capture_output=True,
                              text=True, timeout=20)
    assert done.returncode in (2, 4) and says in done.stderr
    assert done.stderr.startswith("alicorn-fcgi: ")


def test_start_without_a_socket():
    done = subprocess.run([PROGRAM, PROBE], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 2 and "not a listening socket" in done.stderr


def test_it_has_all_calls():
    """An application that was built for the server finds them all."""
    header = (TOP / "gateway/alicorn.h").read_text()
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    application_own = {"al_handle", "al_worker_init", "al_worker_exit", "al_iterate"}
    calls = set(re.findall(r"\b(al_[a-z_]+)\s*\(", header)) - application_own
    calls = {c for c in calls if not c.endswith("_fn")} - {"al_app_hook"}
    symbols = subprocess.run(["nm", "-D", "--defined-only", PROGRAM], capture_output=True,
                             text=True, check=True).stdout
    assert len(calls) > 40
    assert calls - set(re.findall(r" T (\w+)", symbols)) == set()
