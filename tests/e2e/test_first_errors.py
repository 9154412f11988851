"""What people meet first: each is one line that says what to do."""

import os
import shutil
import socket
import subprocess

import pytest

from conftest import ALICORN, AS_USER, SANITIZED, TOP, environment

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]


APP = """
def app(environ, start_response):
    pass

async def starlette(scope, receive, send):
    pass

class Starlette:
    async def __call__(self, scope, receive, send):
        pass
"""


@pytest.fixture
def said(tmp_path):
    """A function that starts the program, which must end by itself, and returns the lines
    in which it complained."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "folder").mkdir()

    def run(*arguments, status, launcher=(), program=ALICORN, user=AS_USER):
        done = subprocess.run(
            [*launcher, program, *user, *map(str, arguments)], cwd=tmp_path, timeout=60,
            env=environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return [line for line in done.stderr.splitlines()
                if not any(f"[{level}]" in line for level in ("INFO", "WARNING"))]

    return run


def one(lines, *words):
    assert len(lines) == 1, lines
    for word in words:
        assert word in lines[0]


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as s:
        yield s.getsockname()[1]


def test_a_port_that_is_taken_names_the_process(said, taken):
    one(said("--bind", f":{taken}", "app:app", status=1),
        "Address already in use by ", f"(pid {os.getpid()})", "bind another address")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to start it as another user")
@pytest.mark.skipif(SANITIZED, reason="the other user cannot write the sanitizer's files")
def test_a_port_that_is_taken_by_another_user(said, taken):
    one(said("--bind", f"127.0.0.1:{taken}", "app:app", status=1, launcher=NOBODY, user=[]),
        "in use by a process of the user root: end it")


def test_a_unix_socket_that_is_taken(said, tmp_path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "s"))
        s.listen()
        one(said("--bind", f"unix:{tmp_path}/s", "app:app", status=1), "a server answers there")


def unprivileged_port_start():
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
        return int(f.read())


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to start it as another user")
@pytest.mark.skipif(SANITIZED, reason="the other user cannot write the sanitizer's files")
@pytest.mark.skipif(unprivileged_port_start() < 81, reason="everybody may have port 80 here")
def test_a_low_port(said):
    one(said("--bind", "127.0.0.1:80", "app:app", status=1, launcher=NOBODY, user=[]),
        "Permission denied: ports below 1024 are root's; start as root")


def test_an_address_of_another_machine(said):
    one(said("--bind", "192.0.2.1:8000", "app:app", status=1), "no interface of this machine has it")


def test_a_folder_that_is_not_there(said, tmp_path):
    one(said("--bind", f"unix:{tmp_path}/no/s", "app:app", status=1), "its folder has to be there")


FREE = ("--bind", "127.0.0.1:0")


@pytest.mark.skipif(not ALICORN.with_name("python.so").exists(), reason="built without Python")
@pytest.mark.parametrize("target, words", [
    ("shop:app", ["cannot import 'shop'", "looked for in", "start in its folder, or name that"]),
    ("app:apps", ["there is no 'apps' in 'app'", "did you mean 'app'?"]),
    ("app:wsgi", ["there is no 'wsgi' in 'app'", "did you mean 'app'?"]),
    ("app:starlette", ["'app:starlette' is asynchronous", "only WSGI applications"]),
    ("app:Starlette()", ["'app:Starlette()' is asynchronous", "only WSGI applications"]),
    ("folder", ["neither 'application' nor 'app' in 'folder' (a folder without __init__.py)"]),
])
def test_an_application_that_is_not_there(said, target, words):
    one(said(*FREE, target, status=4), *words)


@pytest.mark.skipif(not ALICORN.with_name("python.so").exists(), reason="built without Python")
def test_a_package_that_is_not_there(said, tmp_path):
    """Where it is missing is told before that."""
    (tmp_path / "bare.py").write_text("\nimport no_such\n")
    lines = said(*FREE, "bare:app", status=4)
    assert f'File "{tmp_path}/bare.py", line 2' in "\n".join(lines)
    one(lines[-1:], "No module named 'no_such'; is it in a virtual environment? venv names that")


@pytest.mark.parametrize("target", ["./shop.so", "shop.py", "php:/nowhere", "files:/nowhere"])
def test_a_file_that_is_not_there(said, target):
    one(said(*FREE, target, status=1), f'TARGET: "{target}": ', "No such file or directory")


@pytest.mark.parametrize("target, package", [
    ("app:app", "alicorn-python3"), ("php:.", "alicorn-php8.2"), ("lua:x", "alicorn-lua5.4"),
    ("luajit:x", "alicorn-luajit"),
])
def test_a_binding_that_is_not_there(said, tmp_path, target, package):
    program = shutil.copy(ALICORN, tmp_path / "alicorn")
    one(said(*FREE, target, status=4, program=program), f"apt-get install {package},", "make deps")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to start it as another user")
@pytest.mark.skipif(SANITIZED, reason="the other user cannot write the sanitizer's files")
@pytest.mark.parametrize("target, binding, closed", [
    ("app:app", "python", ""), ("./app.py:app", "python", "/app.py"), ("php:folder", "php", "/folder"),
])
def test_a_folder_that_is_closed_to_the_user(said, tmp_path, target, binding, closed):
    if not ALICORN.with_name(f"{binding}.so").exists():
        pytest.skip(f"built without {binding}")
    tmp_path.chmod(0o700)
    one(said(*FREE, "--user=nobody", target, status=4, user=[]),
        f"the user nobody may not read {tmp_path}{closed}: ")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to start it as another user")
@pytest.mark.skipif(SANITIZED, reason="the other user cannot write the sanitizer's files")
def test_a_binding_that_is_closed_to_the_user(said, tmp_path):
    program = shutil.copy(ALICORN, tmp_path / "alicorn")
    tmp_path.chmod(0o700)
    one(said(*FREE, "--user=nobody", "app:app", status=4, user=[], program=program),
        f"the user nobody may not read {tmp_path}: the binding ")


@pytest.mark.parametrize("binding", ["lua", "luajit"])
def test_a_lua_module_that_is_not_there(said, tmp_path, binding):
    if not ALICORN.with_name(f"{binding}.so").exists():
        pytest.skip(f"built without {binding}")
    one(said(*FREE, f"{binding}:shop", status=4),
        f"there is no module shop in {tmp_path}", "start in its folder, or name that")


def test_a_program_that_is_none(said):
    one(said(*FREE, "cgi:app.py", status=4), "not a program that can be run (chmod +x)")


@pytest.mark.parametrize("target, words", [
    ("pythonn:app:app", "did you mean python:app:app?"), ("shop/app:app", "did you mean shop.app:app?"),
])
def test_a_target_with_a_typing_error(said, target, words):
    one(said(*FREE, target, status=1), f'TARGET: "{target}": not a target; {words}')


@pytest.mark.parametrize("option, words", [
    ("--wrokers=4", "did you mean --workers?"), ("--bnd=:1", "did you mean --bind?"),
    ("--pidfile=x", "did you mean --pid?"), ("--errorlog=x", "did you mean --log-file?"),
])
def test_a_wrong_option(said, option, words):
    one(said(option, "app:app", status=2), words)


@pytest.mark.parametrize("line, words", [
    ("wokers = 4;", "site.conf:2: unknown setting wokers; did you mean workers?"),
    ('workers = "4";', 'site.conf:2: workers: "4" is not a whole number from 1 to 4096'),
    ("workers 4;", "site.conf:2: behind workers a = is missing"),
    ("preload_app = yes;", "site.conf:2: yes is neither a number nor true or false"),
    ('user = "root;', "site.conf:2: this text goes over the end of the line: is a quote missing?"),
    ('applications: {', "site.conf:2: this { is not closed"),
])
def test_a_typing_error_in_a_file(said, tmp_path, line, words):
    (tmp_path / "site.conf").write_text(f'target = "app:app";\n{line}\n')
    one(said("-c", "site.conf", status=1, user=[]), words)


def test_neither_target_nor_file(said):
    one(said(status=2, user=[]), "no TARGET", "alicorn --help")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_root_without_a_user(said):
    one(said(*FREE, "app:app", status=1, user=[]), "not run as root", "--user www-data")


def test_a_user_that_is_not_there(said):
    one(said("--user", "nobdy", "app:app", status=1, user=[]), 'user: "nobdy"', "adduser --system")


def test_the_packages_exist():
    """Those that the message names are those of debian/control."""
    control = (TOP / "debian/control").read_text()
    for package in "alicorn-python3", "alicorn-php8.2", "alicorn-lua5.4", "alicorn-luajit":
        assert f"\nPackage: {package}\n" in control
