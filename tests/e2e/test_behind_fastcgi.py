"""Applications behind real web servers that speak FastCGI with their workers: nginx, with
and without kept connections, by unix sockets and TCP, and Apache."""

import importlib.util
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from signal import SIGHUP, SIGKILL

import pytest

from conftest import ALICORN, PROBE, SANITIZED, TOP, free_port, is_alive, wait_for
from wire import Client, Cut

BODY = bytes(i * 7 % 251 for i in range(1 << 20))
APACHE, MODULES = shutil.which("apache2"), Path("/usr/lib/apache2/modules")

# Each as it stands in alicorn.conf(5), or as nginx comes.
NGINX = """
    include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_NAME "";
    fastcgi_param PATH_INFO $document_uri;
    fastcgi_pass app;
"""
NGINX_AS_IT_IS = "include /etc/nginx/fastcgi_params; fastcgi_pass app;"
KEPT = "fastcgi_keep_conn on;"

WAYS = {  # name: web server, where the application listens, its configuration
    "nginx": ("nginx", "unix", NGINX),
    "nginx-kept": ("nginx", "unix", NGINX + KEPT),
    "nginx-tcp": ("nginx", "tcp", NGINX),
    "nginx-tcp-kept": ("nginx", "tcp", NGINX + KEPT),
    "nginx-as-it-is": ("nginx", "unix", NGINX_AS_IT_IS),
    "nginx-unbuffered": ("nginx", "unix", NGINX + KEPT + """
        fastcgi_request_buffering off; fastcgi_buffering off;"""),
    "apache": ("apache", "unix", ""),
    "apache-kept": ("apache", "unix", " enablereuse=on"),
}


def answers(address):
    try:
        Client(address).close()
        return True
    except OSError:
        return False


@pytest.fixture
def folder():
    """One whose name leaves room for that of a socket, and that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def configure_nginx(folder, port, backend, how):
    (folder / "nginx.conf").write_text(f"""
        daemon off; master_process off; pid {folder}/nginx.pid;
        error_log {folder}/web.log info;
        events {{ worker_connections 256; }}
        http {{
            access_log off; client_max_body_size 100m; keepalive_requests 100000;
            client_body_temp_path {folder}; fastcgi_temp_path {folder};
            proxy_temp_path {folder}; scgi_temp_path {folder}; uwsgi_temp_path {folder};
            upstream app {{ server {backend}; {"keepalive 8;" if KEPT in how else ""} }}
            server {{ listen 127.0.0.1:{port}; location / {{ {how} }} }}
        }}""")
    return ["nginx", "-e", folder / "web.log", "-c", folder / "nginx.conf"]


def configure_apache(folder, port, backend, how):
    load = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in
                     ("mpm_event", "authz_core", "proxy", "proxy_fcgi"))
    (folder / "apache.conf").write_text(f"""
        {load}
        ServerName localhost
        ServerRoot {folder}
        DefaultRuntimeDir {folder}
        PidFile {folder}/apache.pid
        ErrorLog {folder}/web.log
        User www-data
        Group www-data
        MaxKeepAliveRequests 0
        Listen 127.0.0.1:{port}
        ProxyPass "/" "{backend}|fcgi://localhost/"{how}
        """)
    return [APACHE, "-DFOREGROUND", "-f", folder / "apache.conf"]


CONFIGURE = {"nginx": configure_nginx, "apache": configure_apache}


@pytest.fixture
def serve(server, folder):
    """A function: serve(way, target, **settings) starts an application and a web server
    before it, .web of which is the address."""
    running = []

    def start(way, target=PROBE, web_conf="", **settings):
        kind, family, how = WAYS[way]
        if not shutil.which("nginx" if kind == "nginx" else "apache2"):
            pytest.skip(f"{kind} is not installed")
        if kind == "apache" and not (MODULES / "mod_proxy_fcgi.so").exists():
            pytest.skip("mod_proxy_fcgi is not installed")
        bind = f"unix:{folder}/app" if family == "unix" else f"127.0.0.1:{free_port()}"
        s = server(apps={"app": {"target": target, "bind": bind, "protocol": "fastcgi",
                                 "keepalive": 60, "socket_mode": "0666", **settings}})
        port = free_port()
        command = CONFIGURE[kind](folder, port, bind, how + web_conf)
        running.append(subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        s.web = ("127.0.0.1", port)
        s.web_log = folder / "web.log"
        wait_for(lambda: answers(s.web), what=kind)
        return s

    yield start
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


def environ(response):
    assert response.status == 200, response
    return dict(line.split("=", 1) for line in response.text.splitlines())


def test_the_probe(serve, way, folder):
    (folder / "data").write_bytes(BODY)
    (folder / "data").chmod(0o644)
    s = serve(way)
    with Client(s.web) as c:
        env = environ(c.get("/env?a=%20b", fields=[("X-Foo", "bar"), ("Proxy", "evil"),
                                                   ("Cookie", "c=d")]))
        assert {name: env[name] for name in (
            "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "REMOTE_ADDR",
            "HTTP_HOST", "HTTP_X_FOO", "HTTP_COOKIE", "REQUEST_SCHEME")} == {
                "SCRIPT_NAME": "", "PATH_INFO": "/env", "QUERY_STRING": "a=%20b",
                "REQUEST_URI": "/env?a=%20b", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "test",
                "HTTP_X_FOO": "bar", "HTTP_COOKIE": "c=d", "REQUEST_SCHEME": "http"}
        assert env["SERVER_PORT"].isdigit() and env["REMOTE_PORT"].isdigit()
        assert "HTTP_PROXY" not in env and "HTTP_CONTENT_LENGTH" not in env
        for size in (0, 1, 17000, len(BODY)):
            assert c.get("/echo", "POST", body=BODY[:size]).body == BODY[:size]
        for length in (0, 1):
            assert len(c.get(f"/big?bytes=2000000&length={length}").body) == 2000000
        assert c.get(f"/file?path={folder}/data").body == BODY
        for status in (204, 304, 404):
            assert c.get(f"/status?code={status}").status == status
        head = c.get("/hello", "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert c.get("/pieces?n=3").body == b"piece\n" * 3
        assert c.get("/hints").status == 200
        assert c.get("/error").status == 500
    for path, status in (("/status?code=503", 503), ("/hello", 200)):
        with Client(s.web) as c:
            assert c.get(path).status == status


def test_a_chunked_body(serve, way):
    with Client(serve(way).web) as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(BODY), 100000):
            piece = BODY[at:at + 100000]
            c.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        c.send(b"0\r\n\r\n")
        assert c.response().body == BODY


@pytest.mark.parametrize("way", ["nginx-kept", "nginx-tcp", "nginx-tcp-kept"])
def test_a_response_that_breaks_off_is_seen(serve, way):
    """nginx without fastcgi_keep_conn, or with fastcgi_buffering off, takes the end of a unix
    connection for that of the response, whoever is behind it. Apache sees it late."""
    s = serve(way)
    for path in ("/length?say=100000&write=3", "/partial"):
        with Client(s.web) as c:
            try:
                assert c.get(path).status in (500, 502)
            except Cut:
                pass


@pytest.mark.parametrize("way", ["nginx", "nginx-kept", "apache"])
def test_a_worker_that_is_killed_is_a_bad_gateway(serve, way):
    s = serve(way)
    with Client(s.web) as c:
        worker = int(c.get("/pid").text)
        c.ask("/sleep?ms=30000", "POST", body=b"so that it is not tried again")
        time.sleep(0.2)
        s.signal(SIGKILL, worker)
        assert c.response().status in (502, 503)
    wait_for(lambda: Client(s.web).get("/hello").status == 200, what="an answer")
    with Client(s.web) as c:
        assert c.get("/crash").status in (502, 503)


@pytest.mark.parametrize("way", ["nginx", "nginx-kept", "nginx-tcp-kept", "apache"])
def test_reloads_under_load(serve, way):
    s = serve(way, workers=2)
    done, faults, counts = threading.Event(), [], []

    def load():
        with Client(s.web) as c:
            while not done.is_set():
                r = c.get("/hello")
                if r.body != b"hello\n":
                    faults.append(repr(r))
                counts.append(1)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(3):
        before, n = s.workers(), len(counts)
        wait_for(lambda: len(counts) > n + 50, what="answers")
        s.signal(SIGHUP)
        wait_for(lambda: not any(map(is_alive, before)), what="the old ones to end")
    done.set()
    for t in threads:
        t.join()
    assert not faults and len(counts) > 150, faults[:3]


@pytest.mark.skipif(not (ALICORN.parent / "python.so").exists() or
                    not importlib.util.find_spec("flask"), reason="Python or Flask is missing")
def test_flask(serve, way):
    s = serve(way, target="python:flask_app:app", pythonpath=f"{TOP}/tests/apps")
    with Client(s.web) as c:
        assert c.get("/hello/caf%C3%A9").body == "hello café\n".encode()
        form = c.get("/form?x=1", "POST", body=b"a=1&a=2",
                     fields=[("Content-Type", "application/x-www-form-urlencoded")])
        assert b'"a":["1","2"]' in form.body.replace(b" ", b"").replace(b"\n", b"")
        raw = c.get("/raw", "POST", body=BODY)
        assert b"1048576" in raw.body
        assert c.get("/nowhere").status == 404


@pytest.mark.parametrize("binding, target, text", [
    ("lua", "lua:{0}/a.lua", "return { run = function(e) return 200, "
     "{['Content-Type'] = 'text/plain'}, coroutine.wrap(function() "
     "coroutine.yield('path ' .. e.PATH_INFO) end) end }"),
    ("php", "php:{0}/index.php", "<?php echo 'path ', $_SERVER['REQUEST_URI'];")])
def test_other_languages(serve, folder, binding, target, text):
    if not (ALICORN.parent / f"{binding}.so").exists():
        pytest.skip(f"{binding} is not built")
    if binding == "php" and SANITIZED:
        pytest.skip("PHP's extensions cannot be opened then")
    file = folder / Path(target).name
    file.write_text(text)
    with Client(serve("nginx", target=target.format(folder)).web) as c:
        assert c.get("/some").body == b"path /some"
