"""The processes of an application run as its user, with as little as that needs."""

import grp
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import conftest
import pytest

from conftest import ALICORN, APPS, wait_for

ROOT = os.getuid() == 0
A, B = "nobody", "www-data"
KNOWN = all(name in {entry.pw_name for entry in pwd.getpwall()} for name in (A, B))
PHP_CGI = Path("/usr/bin/php-cgi")

needs_root = pytest.mark.skipif(not (ROOT and KNOWN), reason="needs root and two users")

# /?read=PATH and /?make=PATH tell how that went; /?log= says so in the log.
SOURCE = """
    #include <errno.h>
    #include <fcntl.h>
    #include <unistd.h>
    int al_handle(void *app, struct al_request *req)
    {
        const char *query = al_env(req, "QUERY_STRING");
        const char *path = strchr(query, '=') + 1, *text = "done";
        int flags = query[0] == 'm' ? O_WRONLY | O_CREAT | O_EXCL : O_RDONLY, fd = -1;

        (void)app;
        if (query[0] == 'l')
            al_log(req, AL_WARNING, "said %s", path);
        else if ((fd = open(path, flags, 0666)) == -1)
            text = strerror(errno);
        if (fd != -1)
            close(fd);
        if (al_start(req, "200 OK", NULL, 0) == -1)
            return AL_ERROR;
        return al_write(req, text, strlen(text)) == -1 ? AL_ERROR : AL_DONE;
    }"""


def uid(name):
    return pwd.getpwnam(name).pw_uid


def gid(name):
    return pwd.getpwnam(name).pw_gid


def status_of(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return {key: value.split() for key, value in re.findall(r"^(\w+):(.*)$", text, re.M)}


def owner(path):
    st = os.lstat(path)
    return st.st_uid, st.st_gid, st.st_mode & 0o7777


@pytest.fixture
def public(compile_app, monkeypatch):
    """A folder that everybody can enter, with a copy of the program and of what it loads."""
    folder = Path(tempfile.mkdtemp(prefix="alicorn-test-"))
    folder.chmod(0o755)
    for file in [ALICORN, *ALICORN.parent.glob("*.so"), APPS / "probe.so",
                 compile_app(SOURCE, "tell.so")]:
        shutil.copy(file, folder)
    for file in folder.iterdir():
        file.chmod(0o755)
    monkeypatch.setattr(conftest, "ALICORN", folder / "alicorn")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(server, public):
    """As `server`, with $TMPDIR where everybody gets."""
    def run(env=None, **settings):
        return server(env={"TMPDIR": "/tmp", **(env or {})}, **settings)
    return run


def app(public, name="tell.so", **settings):
    return {"target": f"c:{public}/{name}", "bind": "127.0.0.1:0", **settings}


def run_as(user, *arguments):
    """To its end, or to the end of our patience; its status and what it said."""
    how = {"user": uid(user), "group": gid(user), "extra_groups": []} if ROOT else {}
    process = subprocess.Popen(
        list(map(str, arguments)), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, cwd="/", env={"PATH": os.environ["PATH"]}, start_new_session=True, **how)
    said = ""
    for line in process.stderr:
        said += line
        if "listening on" in line:
            process.terminate()
    return process.wait(20), said


# ---- Two applications, two users ----


@needs_root
def test_two_applications_of_different_users(start, public):
    secrets = {}
    for name in (A, B):
        folder = public / name
        folder.mkdir(mode=0o700)
        secrets[name] = folder / "secret"
        secrets[name].write_text("x")
        for path in (folder, secrets[name]):
            os.chown(path, uid(name), gid(name))
    s = start(apps={name: app(public, user=name) for name in (A, B)}, workers=2)
    for name, other in ((A, B), (B, A)):
        pids = s.wait_workers(2, name)
        out = subprocess.run(["ps", "-o", "user=", "-p", ",".join(map(str, pids))],
                             capture_output=True, text=True).stdout
        assert out.split() == [name, name]
        assert s.get(f"/?read={secrets[name]}", name=name).text == "done"
        assert s.get(f"/?read={secrets[other]}", name=name).text == "Permission denied"
        for pid in pids:
            status = status_of(pid)
            assert status["Uid"] == [str(uid(name))] * 4
            assert status["Gid"] == [str(gid(name))] * 4
            assert status["Groups"] == [str(gid(name))]
            assert status["NoNewPrivs"] == ["1"]
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[kind][0], 16) == 0, kind
    assert status_of(s.pid)["Uid"] == ["0"] * 4
    s.stop()


@needs_root
def test_numbers_and_another_group(start, public):
    s = start(apps={"a": app(public, user=str(uid(A)), group=B),
                    "b": app(public, user="12345", group="23456")})
    for name, ids in (("a", (uid(A), gid(B))), ("b", (12345, 23456))):
        status = status_of(s.wait_workers(1, name)[0])
        assert (int(status["Uid"][0]), int(status["Gid"][0])) == ids
        assert status["Groups"] == [str(ids[1])]


@needs_root
def test_supplementary_groups_of_the_user(start, public):
    named = next((g for g in grp.getgrall() if g.gr_mem and g.gr_mem[0] != "root"), None)
    if named is None:
        pytest.skip("no user is in a second group")
    s = start(apps={"a": app(public, user=named.gr_mem[0])})
    assert str(named.gr_gid) in status_of(s.wait_workers(1)[0])["Groups"]


@needs_root
def test_umask(start, public):
    (public / "out").mkdir()
    os.chown(public / "out", uid(A), gid(A))
    s = start(apps={"a": app(public, user=A, umask="027")})
    assert s.get(f"/?make={public}/out/file").text == "done"
    assert owner(public / "out/file") == (uid(A), gid(A), 0o640)


@needs_root
@pytest.mark.skipif(not PHP_CGI.exists(), reason="php-cgi is not installed")
def test_managed_program_has_the_user_too(start, public):
    (public / "index.php").write_text("<?php readfile('/proc/self/status');")
    s = start(apps={"php": {"target": f"fcgi-exec:{PHP_CGI}", "bind": "127.0.0.1:0",
                            "root": public, "user": B}})
    text = s.get("/index.php").text
    assert re.search(rf"^Uid:\s{uid(B)}\s", text, re.M)
    assert re.search(r"^CapBnd:\s0+$", text, re.M) and re.search(r"^NoNewPrivs:\s1$", text, re.M)
    s.stop()


# ---- Root ----


@needs_root
def test_root_is_refused_unless_it_is_said(start, public):
    status, said = run_as("root", public / "alicorn", "-b", "127.0.0.1:0", public / "tell.so")
    assert status == 1
    assert "applications are not run as root" in said and 'user = "root"' in said
    s = start(apps={"a": app(public, user="root")})
    status = status_of(s.wait_workers(1)[0])
    assert status["Uid"][0] == "0" and int(status["CapEff"][0], 16) != 0


@needs_root
def test_reload_to_a_user_that_cannot_be(start, public):
    s = start(apps={"a": app(public, user=A)})
    old = s.wait_workers(1)
    for user, words in (("nobdy", r'server\.conf:\d+: user: "nobdy": there is no such user'),
                        (None, "applications are not run as root")):
        settings = {"user": user} if user else {}
        text = conftest.format_config({"a": app(public, **settings)},
                                      {"errorlog": s.log_file})
        s.configure(text=text)
        s.signal(signal.SIGHUP)
        s.wait_log(words)
        s.wait_log("reload failed", times=1 if user else 2)
    assert s.workers() == old and s.get("/?log=x").status == 200


@pytest.mark.parametrize("name, value, words", [
    ("user", "nobdy", "no such user"), ("group", "nogrp", "no such group"),
    ("socket_owner", "nobdy", "no such user"), ("socket_group", "nogrp", "no such group"),
    ("user", "12345678", "group must be set too"), ("umask", "088", "octal"),
])
def test_unknown_names_have_file_and_line(alicorn, tmp_path, name, value, words):
    (tmp_path / "x.conf").write_text(
        f'target = "c:{APPS}/probe.so";\n{name} = "{value}";\n')
    done = subprocess.run([ALICORN, "--check-config", "-c", "x.conf"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert re.search(rf"^x\.conf:2: {name}: .*{words}", done.stderr), done.stderr


# ---- Not root ----


@needs_root
def test_without_root_it_is_ones_own_user_or_nobody(public):
    command = [public / "alicorn", "-b", "127.0.0.1:0"]
    for arguments in ([], ["-u", A], ["-u", str(uid(A)), "-g", str(gid(A))]):
        status, said = run_as(A, *command, *arguments, public / "tell.so")
        assert status == 0 and "listening on" in said, said
    for arguments in (["-u", B], ["-g", B], ["-u", "root"]):
        status, said = run_as(A, *command, *arguments, public / "tell.so")
        assert status == 1 and "only root can start processes of user" in said, said


# ---- unix sockets ----


def test_mode_of_a_unix_socket(server, tmp_path):
    path = tmp_path / "s"
    s = server(apps={"a": {"target": conftest.PROBE, "bind": f"unix:{path}"}})
    assert owner(path) == (os.getuid(), os.getgid(), 0o660)
    for mode in ("0600", "0666", "0660"):
        s.configure(apps={"a": {"target": conftest.PROBE, "bind": f"unix:{path}"}},
                    socket_mode=mode)
        s.signal(signal.SIGHUP)
        wait_for(lambda: owner(path)[2] == int(mode, 8), what=mode)
    assert s.get("/hello").status == 200


@needs_root
def test_owner_of_a_unix_socket(start, public):
    paths = [public / name for name in "abc"]
    settings = [{}, {"socket_group": B}, {"socket_owner": B, "socket_group": "0",
                                          "socket_mode": "0606"}]
    s = start(apps={path.name: app(public, user=A, bind=f"unix:{path}", **more)
                    for path, more in zip(paths, settings)})
    assert [owner(path) for path in paths] == [
        (uid(A), gid(A), 0o660), (uid(A), gid(B), 0o660), (uid(B), 0, 0o606)]
    s.stop()
    assert not any(path.exists() for path in paths)


# ---- Files of the arbiter ----


@needs_root
def test_logs_are_reopened_for_those_who_may_not(start, public):
    """Both logs lie in a folder of root's."""
    logs = public / "logs"
    logs.mkdir(mode=0o755)
    s = start(apps={"a": app(public, user=A, accesslog=logs / "access")},
              errorlog=logs / "error", wait=False)
    s.log_file = logs / "error"
    s.wait_log("listening on")
    for name in ("error", "access"):
        wait_for((logs / name).exists)
    s.get("/?log=one")
    for name in ("error", "access"):
        (logs / name).rename(logs / f"{name}.1")
    s.signal(signal.SIGUSR1)
    s.wait_log("log reopened")
    s.get("/?log=two")
    wait_for(lambda: "two" in (logs / "access").read_text())
    assert "said one" in (logs / "error.1").read_text()
    assert "said two" in (logs / "error").read_text()
    assert "said two" not in (logs / "error.1").read_text()
    assert owner(logs / "access")[0] == owner(logs / "error")[0] == 0
    s.stop()


@needs_root
def test_stuck_worker_of_another_user_is_answered_for(start, public):
    """The arbiter borrows the worker's descriptor, which it may as root."""
    s = start(apps={"a": app(public, "probe.so", user=A)}, timeout=1)
    assert s.get("/stuck").status == 504


# ---- With a prototype ----


@needs_root
def test_a_prototype_and_its_workers_run_as_the_user(start, public):
    """The arbiter, which is root, is told their pids by them and can still end them."""
    s = start(apps={"a": app(public, user=A, preload_app=True, workers=2, limit_files=77)})
    old = s.wait_workers(2, "a")
    prototypes = [pid for pid in s.session() if conftest.title_of(pid).endswith("prototype a")]
    assert len(prototypes) == 1
    for pid in old + prototypes:
        assert status_of(pid)["Uid"] == [str(uid(A))] * 4
        assert status_of(pid)["NoNewPrivs"] == ["1"]
        assert re.search(r"Max open files +77 ", Path(f"/proc/{pid}/limits").read_text())
    s.signal(signal.SIGHUP)
    wait_for(lambda: s.workers() and not set(old) & set(s.workers()))
    s.stop()
