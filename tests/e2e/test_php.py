"""PHP in three ways: in process, by php-fpm, and by php-cgi as managed processes."""

import glob
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

import pytest

from conftest import ALICORN, SANITIZED, title_of, wait_for

FPM = (sorted(glob.glob("/usr/sbin/php-fpm*")) or [None])[-1]
CGI = shutil.which("php-cgi")

SCRIPTS = {
    "index.php": "<?php echo 'index';",
    "env.php": "<?php header('Content-Type: application/json'); echo json_encode($_SERVER);",
    "form.php": "<?php echo json_encode([$_GET, $_POST]);",
    "sum.php": """<?php
        $h = hash_init('adler32'); $in = fopen('php://input', 'rb');
        $n = hash_update_stream($h, $in); echo $n, ' ', hexdec(hash_final($h));""",
    "upload.php": """<?php
        $f = $_FILES['f']; echo $f['name'], ' ', $f['size'], ' ',
        hexdec(hash_file('adler32', $f['tmp_name']));""",
    "big.php": "<?php for ($i = 0; $i < $_GET['n']; $i++) echo str_repeat('x', 100000);",
    "log.php": "<?php error_log('php says oops'); echo 'logged';",
    "fatal.php": "<?php ini_set('display_errors', '0'); nothing();",
    "status.php": "<?php http_response_code(418); header('X-A: 1'); header('X-A: 2', false);",
    "redirect.php": "<?php header('Location: /elsewhere');",
    "session.php": "<?php session_start(); echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;",
    "pid.php": "<?php echo getmypid();",
    "sleep.php": "<?php sleep(1); echo getmypid();",
    "die.php": "<?php posix_kill(getmypid(), 11);",
}


@pytest.fixture
def root():
    with tempfile.TemporaryDirectory(prefix="alicorn-") as folder:
        folder = Path(folder) / "www"
        folder.mkdir()
        for name, text in SCRIPTS.items():
            (folder / name).write_text(text)
        yield str(folder)


@pytest.fixture
def fpm(root):
    """The address of a php-fpm with two processes."""
    if FPM is None:
        pytest.skip("php-fpm is not installed")
    user = "user = root\n" if os.getuid() == 0 else ""
    (Path(root) / "fpm.conf").write_text(f"""
[global]
error_log = {root}/fpm.log
[www]
{user}listen = {root}/fpm.sock
pm = static
pm.max_children = 2
php_admin_value[post_max_size] = 100M
php_admin_value[upload_max_filesize] = 100M
php_admin_value[session.save_path] = {root}
php_admin_value[log_errors] = 1
""")
    process = subprocess.Popen([FPM, "-F", "-R", "-y", f"{root}/fpm.conf"],
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: os.path.exists(f"{root}/fpm.sock"), what="php-fpm")
        yield f"fcgi:unix:{root}/fpm.sock"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=["process", "fpm", "cgi"])
def php(request, server, root):
    """A server that runs scripts itself, one before php-fpm, and one that runs php-cgi."""
    more = {}
    if request.param == "process":
        if not (ALICORN.parent / "php.so").exists():
            pytest.skip("libphp8.2-embed is not installed")
        if SANITIZED:
            pytest.skip("PHP's extensions cannot be opened under sanitizers")
        target, more = f"php:{root}", {"php_admin_value": [
            "post_max_size=100M", "upload_max_filesize=100M", f"session.save_path={root}",
            "log_errors=1"]}
    elif request.param == "fpm":
        target = request.getfixturevalue("fpm")
    elif CGI is None:
        pytest.skip("php-cgi is not installed")
    else:
        target = (f"fcgi-exec:{CGI} -d post_max_size=100M -d upload_max_filesize=100M "
                  f"-d session.save_path={root} -d log_errors=1")
    return server(apps={"php": {"target": target, "bind": "127.0.0.1:0", "root": root,
                                "workers": 2, **more}})


def test_environ(php, root):
    r = php.get("/env.php/extra/path?a=b", fields=[("X-One", "1")])
    env = json.loads(r.body)
    expected = {
        "SCRIPT_NAME": "/env.php", "SCRIPT_FILENAME": f"{root}/env.php",
        "PATH_INFO": "/extra/path", "QUERY_STRING": "a=b", "DOCUMENT_ROOT": root,
        "REQUEST_METHOD": "GET", "REQUEST_URI": "/env.php/extra/path?a=b",
        "HTTP_X_ONE": "1", "HTTP_HOST": "test", "REMOTE_ADDR": "127.0.0.1",
        "PHP_SELF": "/env.php/extra/path"}
    assert {name: env.get(name) for name in expected} == expected


def test_index(php):
    assert php.get("/").text == "index"


def test_missing_script_is_404(php):
    assert php.get("/missing.php").status == 404


@pytest.mark.parametrize("path", ["/../secret.php", "/x/../../secret.php", "/%2e%2e/secret.php",
                                  "/..%2fsecret.php"])
def test_nothing_outside_of_the_root_runs(php, root, path):
    secret = Path(root).parent / "secret.php"
    secret.write_text("<?php echo 'secret';")
    try:
        r = php.get(path)
        assert b"secret" not in r.body and r.status in (400, 403, 404)
    finally:
        secret.unlink()


def test_forms(php):
    r = php.get("/form.php?a=1", "POST", body=b"b=2&c%5B%5D=3",
                fields=[("Content-Type", "application/x-www-form-urlencoded")])
    assert json.loads(r.body) == [{"a": "1"}, {"b": "2", "c": ["3"]}]


@pytest.mark.parametrize("size", [0, 1, 70000, 20 << 20])
def test_upload(php, size):
    body = random.Random(size).randbytes(size)
    r = php.get("/sum.php", "POST", body=body, fields=[("Content-Type", "text/x")])
    assert r.text == f"{size} {zlib.adler32(body)}"


def test_chunked_upload(php):
    with php.connect() as c:
        c.send(b"POST /sum.php HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
               b"Content-Type: text/x\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        assert c.response().text == f"5 {zlib.adler32(b'hello')}"


def test_multipart_upload(php):
    content = random.Random(1).randbytes(20 << 20)
    body = (b'--B\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n' +
            content + b"\r\n--B--\r\n")
    r = php.get("/upload.php", "POST", body=body,
                fields=[("Content-Type", "multipart/form-data; boundary=B")])
    assert r.text == f"a.bin {len(content)} {zlib.adler32(content)}"


def test_big_download(php):
    assert php.get("/big.php?n=300").body == b"x" * 30000000


def test_stderr_is_logged(php):
    assert php.get("/log.php").text == "logged"
    php.wait_log("php says oops")


def test_fatal_error_is_500(php):
    assert php.get("/fatal.php").status == 500
    php.wait_log("undefined function")


def test_status_and_fields(php):
    r = php.get("/status.php")
    assert r.status == 418 and r.every("X-A") == ["1", "2"]
    r = php.get("/redirect.php")
    assert (r.status, r.field("Location")) == (302, "/elsewhere")


def test_session(php):
    cookie = php.get("/session.php").field("Set-Cookie").partition(";")[0]
    assert php.get("/session.php", fields=[("Cookie", cookie)]).text == "2"


def test_death_of_php_is_502_and_healed(php):
    assert php.get("/die.php").status == 502
    wait_for(lambda: php.get("/").status == 200)


def test_keep_alive_clients_do_not_starve_others(php):
    """Twenty idle clients, two processes."""
    clients = [php.connect() for _ in range(20)]
    for _ in range(2):
        for c in clients:
            assert c.get("/").text == "index"
    for c in clients:
        c.close()


def test_front_controller(server, root, fpm):
    s = server(apps={"php": {"target": fpm, "bind": "127.0.0.1:0", "root": root,
                             "script": f"{root}/env.php"}})
    env = json.loads(s.get("/no/such/file?x=1").body)
    assert env["SCRIPT_FILENAME"] == f"{root}/env.php" and env["SCRIPT_NAME"] in ("", "/env.php")
    assert env["REQUEST_URI"] == "/no/such/file?x=1"


# ---- php-cgi as managed processes ----


@pytest.fixture
def managed(server, root):
    if CGI is None:
        pytest.skip("php-cgi is not installed")
    return server(apps={"php": {"target": f"fcgi-exec:{CGI}", "bind": "127.0.0.1:0",
                                "root": root, "workers": 2}})


def programs(s):
    return [pid for pid in s.session() if "php-cgi" in title_of(pid)]


def test_as_many_processes_as_workers(managed):
    wait_for(lambda: len(programs(managed)) == 2, what="two php-cgi")
    clients = [managed.connect() for _ in range(2)]
    for c in clients:
        c.ask("/sleep.php")
    assert {int(c.response().text) for c in clients} == set(programs(managed))


def test_killed_process_is_replaced(managed):
    old = wait_for(lambda: len(programs(managed)) == 2 and programs(managed))
    managed.signal(signal.SIGKILL, old[0])
    wait_for(lambda: len(programs(managed)) == 2 and old[0] not in programs(managed),
             what="another php-cgi")
    for _ in range(10):
        assert managed.get("/").text == "index"


def test_ttin_starts_one_more(managed):
    wait_for(lambda: len(programs(managed)) == 2)
    managed.signal(signal.SIGTTIN)
    wait_for(lambda: len(programs(managed)) == 3, what="three php-cgi")
    managed.signal(signal.SIGTTOU)
    wait_for(lambda: len(programs(managed)) == 2, what="two php-cgi")


def test_stop_leaves_no_process(managed):
    wait_for(lambda: len(programs(managed)) == 2)
    managed.stop()


def test_graceful_stop_finishes_the_running_request(managed):
    with managed.connect() as c:
        c.ask("/sleep.php")
        time.sleep(0.3)
        managed.session()
        managed.signal(signal.SIGTERM)
        assert c.response().status == 200
    assert managed.wait() == 0
    wait_for(lambda: not managed.left(), what="no process left")


def test_hup_replaces_the_processes(managed):
    old = wait_for(lambda: len(programs(managed)) == 2 and programs(managed))
    managed.signal(signal.SIGHUP)
    wait_for(lambda: len(programs(managed)) == 2 and not set(old) & set(programs(managed)),
             what="new processes")
    assert managed.get("/").text == "index"


def test_program_has_no_descriptor_it_should_not_have(managed):
    """Its socket and its output, nothing of the server's."""
    (pid, *_) = wait_for(lambda: len(programs(managed)) == 2 and programs(managed))
    managed.get("/")
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in ("0", "1", "2")]
    assert links[0].startswith("socket:")
    arbiter = {os.readlink(f"/proc/{managed.pid}/fd/{fd}")
               for fd in os.listdir(f"/proc/{managed.pid}/fd") if int(fd) > 2}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if int(fd) > 2:
            assert os.readlink(f"/proc/{pid}/fd/{fd}") not in arbiter


def test_missing_program(server):
    s = server(apps={"php": {"target": "fcgi-exec:/nowhere/php", "bind": "127.0.0.1:0"}},
               wait=False)
    assert s.wait() in (1, 4)
    assert "/nowhere/php" in s.log()
