"""git over HTTP by its own CGI program, and two sites that show repositories, whose pages
are compared with those that lighttpd's mod_cgi gives of the same programs."""

import difflib
import os
import re
import shutil
import subprocess

import pytest

from conftest import free_port, wait_for
from wire import Client

BACKEND = "/usr/lib/git-core/git-http-backend"
GITWEB = "/usr/share/gitweb/gitweb.cgi"
CGIT = "/usr/lib/cgit/cgit.cgi"

# The ages that pages show must not change while they are compared.
DATE = "2020-01-02T03:04:05Z"


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


class Git:
    """git with an environment of its own."""

    def __init__(self, home):
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_TERMINAL_PROMPT": "0",
                    "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_DATE": DATE,
                    "GIT_COMMITTER_DATE": DATE}
        for name, value in (("user.name", "A U Thor"), ("user.email", "a@example.com"),
                            ("init.defaultBranch", "main"), ("core.compression", "0"),
                            ("gc.auto", "0"), ("core.bigFileThreshold", "1m")):
            self(None, "config", "--global", name, value)

    def __call__(self, folder, *arguments):
        done = subprocess.run(["git", *map(str, arguments)], cwd=folder, env=self.env,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"git {arguments}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


@pytest.fixture
def git(tmp_path):
    (tmp_path / "home").mkdir()
    return Git(tmp_path / "home")


def commit(git, folder, files, message):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", message)


@needs("git", BACKEND)
def test_push_and_clone_of_50_megabytes(server, git, tmp_path):
    bare, work, copy = tmp_path / "srv/big.git", tmp_path / "work", tmp_path / "copy"
    git(None, "init", "-q", "--bare", bare)
    git(bare, "config", "http.receivepack", "true")
    git(None, "init", "-q", work)
    commit(git, work, {f"{i}.bin": os.urandom(5_000_000) for i in range(10)}, "first")
    s = server(apps={"git": {
        "target": f"cgi:{BACKEND}", "bind": "127.0.0.1:0", "workers": 1,
        "limit_request_body": "100M", "limit_spool": 0,
        "raw_env": [f"GIT_PROJECT_ROOT={tmp_path}/srv", "GIT_HTTP_EXPORT_ALL=1",
                    f"HOME={tmp_path}/home"]}})
    url = "http://127.0.0.1:%d/big.git" % s.address[1]
    git(work, "push", "-q", url, "main")
    assert git(bare, "rev-parse", "main") == git(work, "rev-parse", "main")
    git(None, "clone", "-q", url, copy)
    for i in range(10):
        assert (copy / f"{i}.bin").read_bytes() == (work / f"{i}.bin").read_bytes()
    # A small one on top, each way: other requests, among them a compressed body.
    commit(git, copy, {"small": b"x"}, "second")
    git(copy, "push", "-q", "origin", "main")
    git(work, "pull", "-q", url, "main")
    assert (work / "small").read_bytes() == b"x"
    git(bare, "fsck", "--connectivity-only")
    assert s.get("/nothing.git/info/refs?service=git-upload-pack").status == 404


@needs("git", BACKEND)
def test_push_is_refused_without_leave(server, git, tmp_path):
    bare, work = tmp_path / "srv/a.git", tmp_path / "work"
    git(None, "init", "-q", "--bare", bare)
    git(None, "init", "-q", work)
    commit(git, work, {"a": b"a"}, "first")
    s = server(apps={"git": {
        "target": f"cgi:{BACKEND}", "bind": "127.0.0.1:0",
        "raw_env": [f"GIT_PROJECT_ROOT={tmp_path}/srv", "GIT_HTTP_EXPORT_ALL=1",
                    f"HOME={tmp_path}/home"]}})
    assert s.get("/a.git/info/refs?service=git-receive-pack").status == 403


# ---- Pages, as under lighttpd ------------------------------------------------------------


@pytest.fixture
def lighttpd(tmp_path):
    """A function that starts lighttpd for a folder of CGI programs; its address."""
    running = []

    def start(folder, environment):
        port = free_port()
        pairs = ", ".join(f'"{k}" => "{v}"' for k, v in environment.items())
        config = tmp_path / "lighttpd.conf"
        config.write_text(f"""
            server.modules = ( "mod_setenv", "mod_cgi" )
            server.document-root = "{folder}"
            server.bind = "127.0.0.1"
            server.port = {port}
            server.errorlog = "{tmp_path}/lighttpd.log"
            cgi.assign = ( ".cgi" => "" )
            setenv.set-environment = ( {pairs} )
            """)
        running.append(subprocess.Popen(["/usr/sbin/lighttpd", "-D", "-f", config]))
        address = ("127.0.0.1", port)
        wait_for(lambda: answers(address), what="lighttpd")
        return address

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


@pytest.fixture
def projects(git, tmp_path):
    """A folder with a repository of two commits."""
    work = tmp_path / "work"
    git(None, "init", "-q", work)
    commit(git, work, {"README": b"hello\n" * 50}, "first")
    commit(git, work, {"README": b"hello\nworld\n", "umlaut": "äöü\n".encode()}, "sec\u00f6nd")
    (tmp_path / "srv").mkdir()
    git(None, "clone", "-q", "--bare", work, tmp_path / "srv/a.git")
    (tmp_path / "srv/a.git/description").write_text("the repository\n")
    return tmp_path / "srv"


VARYING = (
    rb"generated by .* at \d{4}-[^<]*",
    rb"127\.0\.0\.1:\d+",
    rb"test:\d+",
)


def page(r):
    """What must be the same of a page."""
    body = r.body
    for pattern in VARYING:
        body = re.sub(pattern, b"-", body)
    return r.status, r.field("Content-Type"), r.every("Set-Cookie"), r.field("Location"), body


def difference(a, b):
    texts = [str(x if isinstance(x, bytes) else [x]).split("\\n") for x in (a, b)]
    return list(difflib.unified_diff(*texts, "alicorn", "lighttpd", lineterm="", n=0))[:20]


def compare(s, other, paths):
    for path in paths:
        with Client(other) as theirs:
            expected = theirs.get(path)
        ours = s.get(path)
        for a, b in zip(page(ours), page(expected)):
            assert a == b, f"{path}:\n" + "\n".join(difference(a, b))
        assert expected.status == 404 or expected.body, path


@needs("git", "/usr/sbin/lighttpd", GITWEB)
def test_gitweb(server, lighttpd, projects, tmp_path):
    config = tmp_path / "gitweb.conf"
    config.write_text(f'our $projectroot = "{projects}"; our $site_name = "here";\n')
    env = {"GITWEB_CONFIG": str(config), "HOME": str(tmp_path / "home"),
           "PATH": os.environ["PATH"]}
    s = server(apps={"web": {"target": f"cgi:{os.path.dirname(GITWEB)}", "bind": "127.0.0.1:0",
                             "raw_env": [f"{k}={v}" for k, v in env.items()]}})
    other = lighttpd(os.path.dirname(GITWEB), env)
    compare(s, other, ["/gitweb.cgi", "/gitweb.cgi?p=a.git", "/gitweb.cgi?p=a.git;a=log",
                       "/gitweb.cgi?p=a.git;a=commitdiff;h=main",
                       "/gitweb.cgi?p=a.git;a=blob;f=umlaut;hb=main",
                       "/gitweb.cgi?p=a.git;a=snapshot;h=main;sf=tgz", "/gitweb.cgi/a.git/tree",
                       "/gitweb.cgi?p=nothing.git", "/gitweb.cgi?p=a.git;a=nothing"])


@needs("git", "/usr/sbin/lighttpd", CGIT)
def test_cgit(server, lighttpd, projects, tmp_path):
    config = tmp_path / "cgitrc"
    config.write_text(f"virtual-root=/cgit.cgi/\nsnapshots=tar.gz\nscan-path={projects}\n")
    env = {"CGIT_CONFIG": str(config), "HOME": str(tmp_path / "home"),
           "PATH": os.environ["PATH"]}
    s = server(apps={"web": {"target": f"cgi:{os.path.dirname(CGIT)}", "bind": "127.0.0.1:0",
                             "raw_env": [f"{k}={v}" for k, v in env.items()]}})
    other = lighttpd(os.path.dirname(CGIT), env)
    compare(s, other, ["/cgit.cgi/", "/cgit.cgi/a.git/", "/cgit.cgi/a.git/log/",
                       "/cgit.cgi/a.git/diff/", "/cgit.cgi/a.git/tree/umlaut",
                       "/cgit.cgi/a.git/plain/README",
                       "/cgit.cgi/a.git/snapshot/a-main.tar.gz", "/cgit.cgi/nothing/",
                       "/cgit.cgi/a.git/?q=x&a=b"])
