"""The same application in Alicorn and in gunicorn, and a client that does the same to both
and writes down what it is told."""

import difflib
import hashlib
import re
import shutil
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from conftest import TOP, environment, free_port, text_of, wait_for
from wire import Client

APPS = TOP / "tests/apps"
GUNICORN = shutil.which("gunicorn", path="/usr/bin:/bin")

# The server's own fields, and those of the framing, which is checked as it is read.
OWN = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length",
       "x-request-id"}


class Browser:
    """Keeps cookies and its connection, and a diary, in which what differs from one run to
    the next is left out: all that its expressions in vague match."""

    def __init__(self, address, vague=()):
        self.address, self.vague = address, list(vague)
        self.client, self.cookies, self.diary = None, {}, []

    def ask(self, path, method="GET", body=None, kind=None, fields=()):
        fields = [("Host", "test"), *fields]
        if self.cookies:
            fields.append(("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items())))
        if kind:
            fields.append(("Content-Type", kind))
        if body is not None:
            fields.append(("Content-Length", str(len(body))))
        if self.client is None:
            self.client = Client(self.address)
        self.client.send(f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in fields) + "\r\n")
        self.client.send(body or b"")
        r = self.client.response(method)
        if (r.field("Connection") or "").lower() == "close":
            self.leave()
        for cookie in r.every("Set-Cookie"):
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        self.note(method, path, r)
        return r

    def leave(self):
        if self.client is not None:
            self.client.close()
            self.client = None

    def note(self, method, path, r):
        fields = sorted(f"{name.lower()}: {value}" for name, value in r.fields
                        if name.lower() not in OWN)
        how = {"gzip": 31, "deflate": 15}.get(r.field("Content-Encoding"))
        body = zlib.decompress(r.body, how) if how and r.body else r.body
        try:
            body = body.decode()
        except UnicodeDecodeError:
            body = f"{len(body)} bytes, {hashlib.sha256(body).hexdigest()}"
        text = "\n".join([f"{method} {path}", f"{r.status} {r.reason}", *fields, body])
        for expression in self.vague:
            text = re.sub(expression, "...", text)
        self.diary += text.splitlines() + [""]

    def form(self, path, data, fields=(), method="POST"):
        return self.ask(path, method, urlencode(data, True).encode(),
                        "application/x-www-form-urlencoded", fields)


class Gunicorn:
    """It runs until end()."""

    def __init__(self, folder, target, env):
        self.log_file = folder / "gunicorn.log"
        port = free_port()
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                ["/usr/bin/python3", GUNICORN, "-b", f"127.0.0.1:{port}", "--chdir", APPS, target],
                cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.address = ("127.0.0.1", port)

    def wait(self):
        wait_for(lambda: "Listening at" in self.log() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()

    def log(self):
        return text_of(self.log_file)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Twins:
    """Runs scripts on both servers."""

    def __init__(self, server, folder):
        self.server, self.folder, self.running = server, folder, []

    def compare(self, application, script, prepare=None, env=None, vague=(), faults=0,
                clients=1):
        """script(browser, folder) is what a client does; each server has a folder of its
        own, which is $DATA, and prepare(folder) fills it. faults: how many exceptions the
        script provokes. More clients do all the same at the same time, in threads."""
        diaries = []
        for make, n in (self.gunicorn, 1), (self.alicorn, clients):
            data = self.folder / make.__name__
            data.mkdir()
            extra = {"APPLICATION": application, "DATA": str(data),
                     "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
                     **{k: v.replace("DATA", str(data)) for k, v in (env or {}).items()}}
            if prepare:
                prepare(data)
            s = make("validated", extra, n)
            browsers = [Browser(s.address, vague) for _ in range(n)]
            with ThreadPoolExecutor(n) as threads:
                list(threads.map(lambda browser: script(browser, data), browsers))
            found = len(re.findall("Traceback", s.log()))
            assert found == faults * n and "AssertionError" not in s.log(), s.log()
            assert "without being closed" not in s.log(), s.log()
            for browser in browsers:
                browser.leave()
                diaries.append(browser.diary)
        for diary in diaries[1:]:
            differences = list(difflib.unified_diff(
                diaries[0], diary, "gunicorn", "alicorn", "", "", 6, ""))
            assert not differences, "\n".join(line[:1000] for line in differences)

    def alicorn(self, target, env, threads=1):
        return self.server(env=env, apps={"app": {
            "target": f"python:{target}", "bind": "127.0.0.1:0", "chdir": str(APPS),
            "keepalive": 60, "threads": threads, "request_id_header": "none"}})

    def gunicorn(self, target, env, _=1):
        s = Gunicorn(self.folder, target, environment(self.folder, env))
        self.running.append(s)
        s.wait()
        return s

    def end(self):
        for s in self.running:
            s.end()


@pytest.fixture
def twins(server, tmp_path):
    if GUNICORN is None:
        pytest.skip("gunicorn is not installed")
    made = Twins(server, tmp_path)
    yield made
    made.end()


def run(command, **how):
    """A program of the test's own that must succeed."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
