"""PHP in process: what is not the same as by FastCGI (that is in test_php.py)."""

import json
import os
import threading
import time
from signal import SIGHUP, SIGTERM, SIGTTIN

import pytest

from conftest import ALICORN, SANITIZED, wait_for
from wire import Cut

pytestmark = pytest.mark.skipif(not (ALICORN.parent / "php.so").exists(),
                                reason="libphp8.2-embed is not installed")

# PHP opens its extensions in a way that sanitizers refuse (RTLD_DEEPBIND): none, then.
ENVIRONMENT = {"PHP_INI_SCAN_DIR": ""} if SANITIZED else None

SCRIPTS = {
    "index.php": "<?php echo 'index';",
    "env.php": "<?php echo json_encode($_SERVER);",
    "pid.php": "<?php echo getmypid();",
    "sub/index.php": "<?php echo getcwd();",
    "sub/deep.php": "<?php echo $_SERVER['SCRIPT_NAME'];",
    "bare/file.txt": "no index here",
    ".well-known/a.txt": "known",
    ".git/config": "secret",
    ".git/hook.php": "<?php echo 'secret';",
    "style.css": "b {}",
    "empty.txt": "",
    "page.html": "<p>",
    "upload.jpg": "<?php echo 'secret';",
    "old.php.bak": "<?php $secret;",
    "OLD.PHP": "<?php $secret;",
    "part.inc": "<?php $secret;",
    "tool.phar": "<?php $secret;",
    "folder.php/x.txt": "in a folder of that name",
    "opcache.php": """<?php $s = opcache_get_status(false);
        echo json_encode([getmypid(), $s['opcache_statistics'], $s['memory_usage']]);""",
    "exit.php": "<?php echo 'a'; exit(3); echo 'b';",
    "fatal.php": "<?php undefined_function();",
    "throw.php": "<?php throw new Exception(\"first\\nsecond\");",
    "memory.php": "<?php ini_set('memory_limit', '8M'); $s = str_repeat('x', 9 << 20);",
    "busy.php": "<?php set_time_limit(1); while (true);",
    "sleep.php": "<?php sleep((int)$_GET['s']); echo getmypid();",
    "stuck.php": """<?php class A {
        static function b() { sleep(60); } }
        function c() { A::b(); } c();""",
    "finish.php": """<?php echo 'done'; echo fastcgi_finish_request() ? '' : 'not';
        sleep(1); echo 'more'; flush();
        file_put_contents('finished', fastcgi_finish_request() ? 'twice' : 'once');""",
    "flush.php": "<?php echo 'first'; ob_flush(); flush(); sleep(1); echo 'last';",
    "gone.php": """<?php ignore_user_abort((bool)$_GET['ignore']);
        register_shutdown_function(fn() => file_put_contents('gone', connection_status()));
        for ($i = 0; $i < 100; $i++) { echo str_repeat('x', 100000); flush(); usleep(10000); }
        file_put_contents('through', 'yes');""",
    "headers.php": """<?php
        echo json_encode([getallheaders(), getallheaders() === apache_request_headers()]);""",
    "stdin.php": """<?php echo file_get_contents('php://stdin'), '|',
        file_get_contents('php://input');""",
    "auth.php": "<?php echo json_encode([$_SERVER['PHP_AUTH_USER'] ?? null]);",
    "status.php": "<?php header($_GET['line']); header('X-A: b');",
    "bad.php": "<?php header('no field'); header('Bad Name: x');",
    "odd.php": "<?php header('no field'); echo 'odd';",
    "big.php": "<?php echo str_repeat('x', (int)$_GET['n']);",
    "chdir.php": "<?php chdir('/'); echo getcwd();",
    "here.php": "<?php echo getcwd();",
    "ini.php": """<?php echo json_encode([ini_get('precision'), ini_set('precision', '5'),
        ini_get('user_agent'), ini_set('user_agent', 'x'), ini_get('error_reporting')]);""",
    "filter.php": """<?php echo filter_input(INPUT_SERVER, 'REQUEST_METHOD'),
        filter_input(INPUT_GET, 'a', FILTER_VALIDATE_INT);""",
    "log.php": "<?php error_log(\"one\\ntwo\"); error_log(\"bell\\x07\");",
    "send.php": "<?php header($_GET['field'] . ': ' . $_GET['file']); echo 'not this';",
    "cookie.php": "<?php setcookie('a', 'b c'); echo json_encode($_COOKIE);",
}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "www"
    for name, text in SCRIPTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def start(server, root):
    def start_php(target=None, workers=1, **settings):
        return server(apps={"php": {"target": target or f"php:{root}", "bind": "127.0.0.1:0",
                                    "workers": workers, **settings}}, env=ENVIRONMENT)
    return start_php


@pytest.fixture
def php(start):
    return start()


# ---- What is run, and what is not --------------------------------------------------------


@pytest.mark.parametrize("path, script, info", [
    ("/env.php", "/env.php", None),
    ("//env.php", "/env.php", None),
    ("/env.php/", "/env.php", "/"),
    ("/env.php/a//b/x.php", "/env.php", "/a//b/x.php"),
    ("/env.php/%C3%A9%2Fb", "/env.php", "/é/b"),
    ("/env.php/.hidden?a=/x.php", "/env.php", "/.hidden"),
])
def test_split_of_the_path(php, root, path, script, info):
    env = json.loads(php.get(path).body)
    assert env["SCRIPT_NAME"] == script and env.get("PATH_INFO") == info
    assert env["SCRIPT_FILENAME"] == str(root) + script
    assert env["PHP_SELF"] == script + (info or "")


@pytest.mark.parametrize("path", [
    "/upload.jpg/x.php", "/upload.jpg/", "/upload.jpg/.php", "/env.php%00.jpg",
    "/upload.jpg%00.php", "/upload.jpg%0a.php", "/upload.jpg;.php", "/.git/hook.php",
    "/.git/config", "/sub/../.git/config", "/../secret.php", "/sub/..%2f..%2fsecret.php",
    "/%2e%2e/secret.php", "/old.php.bak", "/OLD.PHP", "/old.PHP", "/part.inc", "/tool.phar",
    "/env.php.", "/env.php%20", "/env.ph", "/link.php", "/linked/secret.php", "/link.txt",
    "/linked/secret.txt", "/up/secret.php", "/bare/", "/bare", "/" + "a" * 5000 + ".php",
    "/folder.php", "/folder.php/", "/fifo.php", "/fifo"])
def test_hostile_paths(php, root, path):
    outside = root.parent / "outside"
    outside.mkdir()
    for name in "secret.php", "secret.txt":
        (outside / name).write_text("<?php echo 'secret';")
    (root.parent / "secret.php").write_text("<?php echo 'secret';")
    (root / "link.php").symlink_to(outside / "secret.php")
    (root / "link.txt").symlink_to("../outside/secret.txt")
    (root / "linked").symlink_to(outside)
    (root / "up").symlink_to("..")
    os.mkfifo(root / "fifo")
    os.mkfifo(root / "fifo.php")
    r = php.get(path)
    assert r.status in (400, 403, 404, 414) and b"secret" not in r.body


def test_links_below_the_root_are_followed(php, root):
    (root / "relative.php").symlink_to("env.php")
    (root / "absolute.php").symlink_to(root / "env.php")
    for name in "/relative.php", "/absolute.php":
        assert json.loads(php.get(name).body)["SCRIPT_NAME"] == name


@pytest.mark.skipif(os.getuid() == 0, reason="root may read all")
def test_unreadable_script_is_403(php, root):
    (root / "env.php").chmod(0)
    assert php.get("/env.php").status == 403


def test_deleted_script_is_404(php, root):
    assert php.get("/sub/deep.php").status == 200
    (root / "sub/deep.php").unlink()
    wait_for(lambda: php.get("/sub/deep.php").status == 404)


def test_folder_without_its_slash(php):
    r = php.get("/sub?a=b")
    assert (r.status, r.field("Location")) == (301, "/sub/?a=b")
    assert php.get("//sub").field("Location") == "/sub/"
    assert php.get("/sub/").text.endswith("/www/sub")


@pytest.mark.parametrize("how", ["script", "target", "root and target"])
def test_front_controller(start, root, how):
    s = {"script": lambda: start(script="sub/deep.php"),
         "target": lambda: start(f"php:{root}/sub/deep.php"),
         "root and target": lambda: start(f"php:{root}/sub/deep.php", root=str(root))}[how]()
    name = "/deep.php" if how == "target" else "/sub/deep.php"
    for path in "/no/such/file", "/.git/config", "/x.php", "/upload.jpg/x.php":
        assert s.get(path).text == name
    if how != "target":
        assert s.get("/style.css").text == "b {}"


# ---- Files -------------------------------------------------------------------------------


@pytest.mark.parametrize("path, kind, body", [
    ("/style.css", "text/css", b"b {}"), ("/page.html", "text/html", b"<p>"),
    ("/.well-known/a.txt", "text/plain", b"known"), ("/empty.txt", "text/plain", b""),
    ("/upload.jpg", "image/jpeg", b"<?php echo 'secret';"),
    ("/folder.php/x.txt", "text/plain", b"in a folder of that name")])
def test_files_are_sent(php, path, kind, body):
    r = php.get(path)
    assert (r.status, r.field("Content-Type"), r.body) == (200, kind, body)
    assert r.field("Content-Length") == str(len(body))
    r = php.get(path, fields=[("If-Modified-Since", r.field("Last-Modified"))])
    assert (r.status, r.body) == (304, b"")
    assert php.get(path, "HEAD").field("Content-Length") == str(len(body))
    r = php.get(path, "POST", body=b"x")
    assert (r.status, r.field("Allow")) == (405, "GET, HEAD")


def test_old_copies_are_not_current(php):
    r = php.get("/style.css", fields=[("If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT")])
    assert r.status == 200
    assert php.get("/style.css", fields=[("If-Modified-Since", "yesterday")]).status == 200


@pytest.mark.parametrize("field, file, status", [
    ("X-Sendfile", "{files}/a.bin", 200), ("X-Accel-Redirect", "/a.bin", 200),
    ("X-Accel-Redirect", "/%2561.bin?x", 200), ("X-Sendfile", "a.bin", 200),
    ("X-Accel-Redirect", "{files}/a.bin", 200), ("X-Sendfile", "{files}/../www/env.php", 404),
    ("X-Accel-Redirect", "/../www/env.php", 404), ("X-Sendfile", "/etc/passwd", 404),
    ("X-Sendfile", "{files}/none", 404), ("X-Sendfile", "{files}", 404),
    ("X-Sendfile", "{files}/link", 404)])
def test_sendfile(start, root, field, file, status):
    files = root.parent / "files"
    files.mkdir()
    (files / "a.bin").write_bytes(b"abc" * 100000)
    (files / "link").symlink_to("/etc/passwd")
    s = start(sendfile_roots=[str(files)])
    r = s.get(f"/send.php?field={field}&file={file.format(files=files)}")
    assert r.status == status and r.field(field) is None
    assert r.body == (b"abc" * 100000 if status == 200 else b"")


def test_sendfile_is_off_without_folders(php):
    r = php.get("/send.php?field=X-Sendfile&file=/etc/passwd")
    assert (r.text, r.field("X-Sendfile")) == ("not this", "/etc/passwd")


# ---- The request -------------------------------------------------------------------------


def test_server_variables(start, root):
    s = start(raw_env=["COLOUR=blue"])
    env = json.loads(s.get("/env.php/i?q=1", fields=[
        ("Host", "h:1"), ("X-Sendfile-Type", "x"), ("X-Accel-Mapping", "x"), ("Proxy", "evil"),
        ("X-Two", "2")][1:]).body)
    wanted = {"DOCUMENT_ROOT": str(root), "REQUEST_METHOD": "GET", "QUERY_STRING": "q=1",
              "REQUEST_URI": "/env.php/i?q=1", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_X_TWO": "2",
              "GATEWAY_INTERFACE": "CGI/1.1", "REMOTE_ADDR": "127.0.0.1", "COLOUR": "blue",
              "HTTP_HOST": "test", "SERVER_PORT": str(s.address[1]), "REDIRECT_STATUS": "200"}
    assert {name: env.get(name) for name in wanted} == wanted
    assert {"REQUEST_TIME", "REQUEST_TIME_FLOAT", "USER", "HOME", "SERVER_SOFTWARE"} <= set(env)
    assert not {"HTTP_X_SENDFILE_TYPE", "HTTP_X_ACCEL_MAPPING", "HTTP_PROXY", "HTTPS",
                "ORIG_PATH_INFO"} & set(env)


def test_fields_of_the_request(php):
    fields, same = json.loads(php.get("/headers.php", "POST", body=b"xy", fields=[
        ("Content-Type", "text/x"), ("x-Long-NAME", "v")]).body)
    assert same and fields.pop("X-Request-Id")
    assert fields == {"Host": "test", "Content-Type": "text/x", "Content-Length": "2",
                      "X-Long-Name": "v"}


def test_body_as_a_stream(php):
    fields = [("Content-Type", "text/x")]
    assert php.get("/stdin.php", "PUT", body=b"hello", fields=fields).text == "hello|hello"


def test_the_user_of_one_request_is_not_that_of_the_next(php):
    fields = [("Authorization", "Basic dTpw")]
    assert php.get("/auth.php", fields=fields).text == '["u"]'
    assert php.get("/auth.php").text == "[null]"


def test_cookies(php):
    r = php.get("/cookie.php", fields=[("Cookie", "x=1; y=a%20b")])
    assert json.loads(r.body) == {"x": "1", "y": "a b"}
    assert r.field("Set-Cookie") == "a=b%20c"


def test_filters_know_the_request(php):
    assert php.get("/filter.php?a=12").text == "GET12"


# ---- The response ------------------------------------------------------------------------


@pytest.mark.parametrize("line, status, reason", [
    ("HTTP/1.1%20404%20Gone%20fishing", 404, "Gone fishing"),
    ("Status:%20422%20Unclear", 422, "Unclear"), ("Location:%20/x", 302, "Found"),
    ("WWW-Authenticate:%20Basic", 401, "Unauthorized")])
def test_status(php, line, status, reason):
    r = php.get(f"/status.php?line={line}")
    assert (r.status, r.reason, r.field("X-A")) == (status, reason, "b")
    assert r.field("Status") is None


def test_what_is_no_field(php):
    assert php.get("/odd.php").text == "odd"
    assert php.get("/bad.php").status == 500
    assert php.get("/").text == "index"


@pytest.mark.parametrize("n", [0, 1, 4095, 4096, 16384, 65536])
def test_pages_have_a_length(php, n):
    r = php.get(f"/big.php?n={n}")
    assert r.body == b"x" * n and r.field("Content-Length") == str(n)
    assert php.get(f"/big.php?n={n}", "HEAD").body == b""


def test_a_long_page_is_chunked(php):
    r = php.get("/big.php?n=1000000")
    assert r.body == b"x" * 1000000 and r.field("Transfer-Encoding") == "chunked"


def test_flush_sends(php):
    with php.connect() as c:
        c.ask("/flush.php")
        pieces, begun = [], None
        for piece in c.body(c.head(), "GET"):
            pieces.append(piece)
            begun = begun or time.monotonic()
        assert pieces == [b"first", b"last"] and time.monotonic() - begun > 0.5


def test_finished_response(php, root):
    with php.connect() as c:
        begun = time.monotonic()
        r = c.get("/finish.php")
        assert r.text == "done" and r.field("Connection") == "close"
        assert time.monotonic() - begun < 0.9 and not (root / "finished").exists()
    wait_for(lambda: (root / "finished").exists())
    wait_for(lambda: (root / "finished").read_text() == "once")
    assert php.get("/").text == "index"


@pytest.mark.parametrize("ignore", [0, 1])
def test_client_that_leaves(start, root, ignore):
    s = start(response_spool_size=0)
    with s.connect() as c:
        c.ask(f"/gone.php?ignore={ignore}")
        c.head()
    wait_for(lambda: (root / "gone").exists() and (root / "gone").read_text() == "1")
    assert (root / "through").exists() == bool(ignore)
    assert s.get("/").text == "index"


# ---- Life --------------------------------------------------------------------------------


@pytest.mark.parametrize("path, status, word", [
    ("/exit.php", 200, None), ("/fatal.php", 500, "undefined_function"),
    ("/throw.php", 500, "second"), ("/memory.php", 500, "Allowed memory size"),
    ("/busy.php", 500, "Maximum execution time")])
def test_the_end_of_a_script_is_not_that_of_the_worker(start, path, status, word):
    s = start(php_value=["display_errors=0", "log_errors=1"])
    pid = s.get("/pid.php").text
    assert s.get(path).status == status
    assert s.get("/pid.php").text == pid
    if word:
        s.wait_log(rf"GET {path}.*{word}|{word}")


def test_timeout(start):
    s = start(timeout=1)
    pid = s.get("/pid.php").text
    assert s.get("/sleep.php?s=60").status == 504
    wait_for(lambda: s.get("/pid.php").text != pid)


def test_the_log_tells_where_a_stuck_script_was(start, root):
    s = start(timeout=1)
    assert s.get("/stuck.php").status == 504
    # The id of the request is there if the logger reads this before the worker has ended.
    said = r"\n\[.*\] \[INFO\] php: (?:\S+: )?"
    s.wait_log(rf"  sleep\(\){said}  A::b\(\) at {root}/stuck.php:2"
               rf"{said}  c\(\) at {root}/stuck.php:3{said}  {{main}} at {root}/stuck.php:3\n")


def test_log(php):
    php.get("/log.php")
    php.wait_log(r"\[WARNING\] .*GET /log.php: one\n")
    php.wait_log(r"GET /log.php: two\n")
    assert "\x07" not in php.log()


def test_settings(start, root):
    (root.parent / "php.ini").write_text("precision = 3\nuser_agent = file\n")
    s = start(php_ini=str(root.parent / "php.ini"), php_admin_value=["user_agent=a \"b\"; c"],
              php_value=["precision=7", "error_reporting=E_ALL & ~E_NOTICE"])
    for _ in range(2):
        assert json.loads(s.get("/ini.php").body) == ["7", "7", 'a "b"; c', False, "32759"]


def test_working_folder(php, root):
    assert php.get("/here.php").text == str(root)
    assert php.get("/sub/").text == f"{root}/sub"
    assert php.get("/here.php").text == str(root)
    assert php.get("/chdir.php").text == "/"
    assert php.get("/here.php").text == str(root)


def test_signals_stay_the_servers(start):
    s = start(workers=2)
    for _ in range(4):
        s.get("/")
    s.signal(SIGTTIN)
    s.wait_workers(3)
    with s.connect() as c:
        c.ask("/sleep.php?s=1")
        time.sleep(0.3)
        s.signal(SIGTERM)
        assert c.response().status == 200
    assert s.wait() == 0


# ---- Workers together --------------------------------------------------------------------


def opcache_of_all(s, n):
    """What the opcode cache says in n workers, by pid."""
    found = {}

    def ask():
        clients = [s.connect() for _ in range(n)]
        for client in clients:
            client.ask("/sleep.php?s=0")
        for client in clients:
            client.response()
            pid, statistics, memory = json.loads(client.get("/opcache.php").body)
            found[pid] = statistics
            client.close()
        return len(found) == n
    wait_for(ask, what="an answer of each worker")
    return found


@pytest.mark.skipif(SANITIZED, reason="opcache is an extension")
def test_opcache_is_shared(start):
    s = start(workers=3, php_admin_value=["opcache.file_update_protection=0"])
    for path in "/sleep.php?s=0", "/opcache.php", "/pid.php":
        s.get(path)
    first = opcache_of_all(s, 3)
    before = json.loads(s.get("/opcache.php").body)[1]
    assert len({statistics["start_time"] for statistics in first.values()}) == 1
    assert {statistics["num_cached_scripts"] for statistics in first.values()} == {3}
    for _ in range(100):
        s.get("/pid.php")
    after = json.loads(s.get("/opcache.php").body)[1]
    assert after["hits"] >= before["hits"] + 100 and after["misses"] == before["misses"]


def test_reload_under_load(start, root):
    """No request is lost, and none is answered by an old script after it."""
    s = start(workers=2)
    stop, answers = threading.Event(), []

    def ask():
        while not stop.is_set():
            try:
                with s.connect() as c:
                    for _ in range(20):
                        r = c.get("/pid.php")
                        answers.append(r.status)
                        if r.field("Connection") == "close":
                            break
            except Cut:
                answers.append(0)
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            old = set(s.workers("php"))
            s.signal(SIGHUP)
            wait_for(lambda: len(s.workers("php")) == 2 and not old & set(s.workers("php")),
                     what="new workers")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200} and len(answers) > 50


@pytest.mark.parametrize("settings, fault", [
    ({"script": "none.php"}, "script: no such file"),
    ({"script": "style.css"}, "script: its name does not end in .php"),
    ({"script": "../outside.php"}, "script: not below root"),
    ({"root": "/none"}, "root: /none: No such file or directory"),
    ({"php_ini": "/none"}, "php_ini: no file that can be read")])
def test_faults_at_the_start(server, root, settings, fault):
    (root.parent / "outside.php").touch()
    s = server(apps={"php": {"target": f"php:{root}", "bind": "127.0.0.1:0", **settings}},
               wait=False)
    assert s.wait() in (1, 4)
    assert fault in s.log()
