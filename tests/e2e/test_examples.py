"""The files of conf.d: each is started as it is, on another port, and asked for each of its
parts."""

import glob
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ALICORN, SANITIZED, TOP, free_port, wait_for
from wire import Client

BUILD = ALICORN.parent
FPM = (sorted(glob.glob("/usr/sbin/php-fpm*")) or [None])[-1]

DJANGO = glob.glob("/usr/lib/python3/dist-packages/django")
WORDPRESS = Path("/usr/share/wordpress")

EXAMPLES = sorted(p.stem for p in (TOP / "conf.d").glob("*.conf") if p.stem != "demo")


def needs(what, there):
    return pytest.mark.skipif(not there, reason=f"{what} is not installed")


needs_php = pytest.mark.skipif(SANITIZED or not (BUILD / "php.so").exists(),
                               reason="PHP is not installed, or refuses sanitizers")
needs_python = needs("Python", (BUILD / "python.so").exists())


def copy_folder(tmp_path):
    """A copy of conf.d; where it lies, the clone is empty otherwise."""
    folder = tmp_path / "clone/conf.d"
    shutil.copytree(TOP / "conf.d", folder,
                    ignore=shutil.ignore_patterns("__pycache__", "demo.conf"))
    return folder


@pytest.fixture
def example(server, tmp_path):
    """A function that starts an example by its name, from a copy of the folder in which some
    texts are others."""
    def start(name, replace=(), port=0):
        folder = copy_folder(tmp_path)
        for file in [folder / f"{name}.conf", *folder.glob("*/*.conf")]:
            text = file.read_text()
            for old, new in replace:
                text = text.replace(str(old), str(new))
            file.write_text(text)
        s = server(arguments=["-c", folder / f"{name}.conf", "-b", f"127.0.0.1:{port}"])
        return s
    return start


@pytest.fixture
def process(tmp_path):
    """A function that starts a program, which ends with the test."""
    running = []

    def start(*command):
        with open(tmp_path / "program", "ab") as log:
            running.append(subprocess.Popen(
                list(map(str, command)), cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True))
    yield start
    for one in running:
        one.terminate()
        one.wait()


def answers(port):
    try:
        Client(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def test_each_is_started():
    """Here, and by its own comment."""
    source = (TOP / "tests/e2e/test_examples.py").read_text()
    for name in EXAMPLES:
        assert f'example("{name}"' in source, name
        assert f"alicorn -c conf.d/{name}.conf" in (TOP / f"conf.d/{name}.conf").read_text()


@pytest.mark.parametrize("name", EXAMPLES)
def test_ports_differ(name):
    text = (TOP / f"conf.d/{name}.conf").read_text()
    others = "".join(p.read_text() for p in (TOP / "conf.d").glob("*.conf") if p.stem != name)
    ports = [word.split('"')[0] for word in text.split('bind = "127.0.0.1:')[1:]]
    assert ports and not any(f'127.0.0.1:{port}"' in others for port in ports)


@needs_python
@needs_php
@needs("Lua", (BUILD / "lua.so").exists())
@needs("python3-django", DJANGO)
def test_all_at_once(alicorn, tmp_path):
    """The folder is a configuration too: no file has a name that another one has."""
    done = alicorn("--check-config", "-c", copy_folder(tmp_path))
    assert done.returncode == 0, done.stderr


@needs_python
def test_one_app(example):
    s = example("one-app")
    assert "Hello from Python" in s.get("/").text
    assert len(s.workers("one")) == 2


@needs_python
@needs_php
@needs("Lua", (BUILD / "lua.so").exists())
def test_three_languages(example):
    s = example("three-languages")
    with s.connect() as client:
        for _ in range(3):
            assert "Hello from <a" in client.get("/").text
            for path, name in (("python", "Python"), ("php", "PHP"), ("lua", "Lua")):
                r = client.get(f"/{path}/")
                assert r.status == 200 and f"Hello from {name}" in r.text, r
            r = client.get("/static/look.css")
            assert r.field("Content-Type").startswith("text/css")
            assert r.field("Cache-Control") == "max-age=3600"
        r = client.get("/py/x?y")
        assert (r.status, r.field("Location")) == (301, "/python/x")
        page = client.get("/python/a%20b").text
        assert "<td>/a b\n" in page and "<td>SCRIPT_NAME<td>/python\n" in page
        assert client.get("/elsewhere").status == 404


@needs_php
def test_wordpress(example):
    s = example("wordpress")
    with s.connect() as client:
        assert "A small blog" in client.get("/").text
        assert "Hello, world" in client.get("/2026/hello-world/").text
        r = client.get("/no/such/post")
        assert r.status == 404 and "No such post" in r.text
        assert "This is /wp-login.php" in client.get("/wp-login.php").text
        r = client.get("/wp-content/themes/plain/style.css")
        assert r.status == 200 and r.field("Cache-Control") == "max-age=600"
        r = client.get("/wp-content/uploads/picture.php")
        assert r.text.startswith("<?php") and r.field("Content-Security-Policy") == "sandbox"
        for path in ("/wp-config.php", "//wp-config.php", "/x/../wp-config.php",
                     "/wp-config%2ephp", "/./%77p-config.php"):
            assert client.get(path).status == 403
        for path in ("/wp-config.php/", "/wp-config.php%00"):
            assert "nobody should read this" not in s.get(path).text


@needs_php
@needs("wordpress", (WORDPRESS / "wp-settings.php").exists())
def test_wordpress_of_the_package(example):
    """Without a database: its files, and a script that says so."""
    s = example("wordpress", [('"wordpress/wp-content/uploads', f'"{WORDPRESS}/wp-content'),
                              ('"wordpress', f'"{WORDPRESS}'), (":wordpress", f":{WORDPRESS}")])
    with s.connect() as client:
        r = client.get("/wp-includes/css/buttons.css")
        assert r.field("Content-Type").startswith("text/css")
        assert "<?php" not in client.get("/wp-login.php").text
        assert client.get("/wp-config.php").status == 403


@needs_python
@needs("python3-django", DJANGO)
def test_django(example):
    s = example("django")
    with s.connect() as client:
        assert "GET /, answered" in client.get("/").text
        assert "GET /pages/a &amp; b/, answered" in client.get("/pages/a%20&%20b/").text
        assert "keepers" in client.get("/admin/").text
        r = client.get("/static/site.css")
        assert r.status == 200 and r.field("Cache-Control") == "max-age=86400"
        assert client.get("/static/../project.py").status == 404


@needs("git", shutil.which("git"))
def test_git_http(example, tmp_path):
    s = example("git-http")
    clone = tmp_path / "clone"

    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.com",
                        *map(str, arguments)], check=True, capture_output=True, cwd=clone,
                       env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, timeout=60)
    git("init", "-q")
    git("add", "conf.d/one-app.conf")
    git("commit", "-q", "-m", "first")
    url = "http://127.0.0.1:%d/alicorn.git" % s.address[1]
    git("clone", "-q", url, tmp_path / "copy")
    assert (tmp_path / "copy/conf.d/one-app.conf").exists()
    assert "git clone" in s.get("/").text
    assert s.get("/alicorn.git/git-receive-pack", "POST", body=b"").status == 404
    assert "git clone" in s.get("/alicorn.git/HEAD").text


@needs_python
@needs("nginx", shutil.which("nginx"))
def test_behind_nginx(example, process, tmp_path):
    back, front = free_port(), free_port()
    example("behind-nginx", [(8060, back), (8061, front)], back)
    process("nginx", "-c", tmp_path / "clone/conf.d/nginx/nginx.conf", "-p", tmp_path)
    wait_for(lambda: answers(front), what="nginx")
    with Client(("127.0.0.1", front)) as client:
        r = client.get("/x", fields=[("X-Forwarded-For", "192.0.2.7")])
        assert r.status == 200 and r.field("Server").startswith("nginx")
        assert "<td>REMOTE_ADDR<td>192.0.2.7\n" in r.text
        assert "<td>HTTP_HOST<td>test\n" in r.text


@needs("php-fpm", FPM)
def test_fastcgi_php_fpm(example, process, tmp_path):
    port = free_port()
    s = example("fastcgi-php-fpm", [(8071, port), ("www-data", "root")])
    process(FPM, "-F", *["-R"] * (os.getuid() == 0), "-y",
            tmp_path / "clone/conf.d/php-fpm/php-fpm.conf")
    wait_for(lambda: answers(port), what="php-fpm")
    with s.connect() as client:
        assert "A small blog" in client.get("/").text
        assert "Hello, world" in client.get("/2026/hello-world/").text
        assert "This is /wp-login.php" in client.get("/wp-login.php").text
        assert client.get("/wp-content/uploads/notes.txt").text.startswith("Somebody")
        assert client.get("/wp-content/uploads/picture.php").text.startswith("<?php")
        assert client.get("/wp-config.php").status == 403
