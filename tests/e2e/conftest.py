"""Runs the real program for a test, speaks HTTP to it byte by byte, and sees to it that no
process is left behind.

    def test_hello(server):
        s = server(workers=2)                   # the probe, tests/apps/probe.c
        assert s.get("/hello").body == b"hello\\n"

$ALICORN is the program (build/alicorn); the applications lie beside it in apps/.
"""

import os
import re
import socket
import subprocess
import time
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from wire import LIMIT, Client

TOP = Path(__file__).resolve().parents[2]
ALICORN = Path(os.environ.get("ALICORN") or TOP / "build/alicorn").absolute()
APPS = ALICORN.parent / "apps"
PROBE = f"c:{APPS}/probe.so"
SANITIZED = bool(os.environ.get("SANITIZE"))

# As root the program demands to be told whom the applications run as.
USER = {"user": "root"} if os.getuid() == 0 else {}
AS_USER = [f"--user={name}" for name in USER.values()]


def wait_for(condition, limit=LIMIT, what=None):
    """Waits until the condition is true and returns its value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"after {limit} s still not: {what or condition.__doc__ or 'true'}")
        time.sleep(0.02)


# ---- Processes ---------------------------------------------------------------------------


def stat_of(pid):
    """Fields of /proc/PID/stat behind the name (state is the first), or None."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def is_alive(pid):
    stat = stat_of(pid)
    return stat is not None and stat[0] not in "ZX"


def title_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def processes():
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]


def text_of(path):
    return path.read_text(errors="replace") if path.exists() else ""


# ---- The server --------------------------------------------------------------------------


def format_value(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[ " + ", ".join(format_value(v) for v in value) + " ]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def format_settings(settings):
    return "".join(f"{name} = {format_value(value)};\n" for name, value in settings.items())


def format_config(apps, settings):
    """A configuration file: settings at the top, then the applications."""
    text = format_settings(settings) + "applications: {\n"
    for name, app in apps.items():
        text += f"{name}: {{\n{format_settings(app)}}};\n"
    return text + "};\n"


class Server:
    """The running program. Its processes are told by the session, which is its own."""

    def __init__(self, folder, arguments, env, launcher=(), fds=()):
        self.folder = folder
        self.log_file, self.stderr_file = folder / "log", folder / "stderr"
        with open(self.stderr_file, "ab") as stderr:
            self.process = subprocess.Popen(
                [*launcher, ALICORN, *map(str, arguments)], cwd=folder, env=env,
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                start_new_session=True, pass_fds=fds)
        self.pid = self.process.pid
        self.listening = []  # (address, application), as the log said
        self.known = {}  # pid: start time, of every process that was seen

    # -- what it says

    def log(self):
        """What is in the log when no more comes: the logger writes a little after others
        speak. What must be there is waited for with wait_log()."""
        while True:
            text = self.text()
            time.sleep(0.03)
            if text == self.text():
                return text

    def text(self):
        return text_of(self.log_file) + text_of(self.stderr_file)

    def wait_log(self, pattern, times=1, limit=LIMIT):
        """Waits until the log has a match (so many of them) and returns the last one."""
        def found():
            matches = list(re.finditer(pattern, self.text()))
            return matches[-1] if len(matches) >= times else None
        try:
            return wait_for(found, limit)
        except pytest.fail.Exception:
            pytest.fail(f"no {pattern!r} in the log:\n{self.log()}")

    def listeners(self, name=None):
        """Addresses as Client takes them, of an application or of all that ever listened."""
        for pair in re.findall(r"listening on (\S+) for (\S+)", self.text()):
            if pair not in self.listening:
                self.listening.append(pair)
        found = []
        for text, app in self.listening:
            if name in (None, app):
                host, _, port = text.rpartition(":")
                found.append(text.removeprefix("unix:") if text.startswith("unix:")
                             else (host.strip("[]"), int(port)))
        return found

    @property
    def address(self):
        return self.listeners()[0]

    # -- its processes

    def session(self):
        """All its processes that live, the arbiter too; remembers them."""
        alive = []
        for pid in processes():
            stat = stat_of(pid)
            if stat and int(stat[3]) == self.pid:
                self.known[pid] = stat[19]
                if stat[0] not in "ZX":
                    alive.append(pid)
        return alive

    def workers(self, name=""):
        """Pids of the workers of an application, the oldest first."""
        return sorted((pid for pid in self.session()
                       if int((stat_of(pid) or [0, -1])[1]) == self.pid
                       and re.search(rf"worker {name}", title_of(pid))),
                      key=lambda pid: int(self.known[pid]))

    def wait_workers(self, n, name=""):
        wait_for(lambda: len(self.workers(name)) == n, what=f"{n} workers")
        return self.workers(name)

    def left(self):
        """Processes that were seen, or are of its session, and live."""
        self.session()
        return [pid for pid, start in self.known.items()
                if is_alive(pid) and (stat_of(pid) or [None] * 20)[19] == start]

    def signal(self, number, pid=None):
        os.kill(pid or self.pid, number)

    def wait(self, limit=LIMIT):
        """Waits for its end; the exit status."""
        return self.process.wait(limit)

    def stop(self, number=SIGTERM, status=0, limit=LIMIT):
        self.session()
        self.signal(number)
        assert self.wait(limit) == status, self.log()
        wait_for(lambda: not self.left(), what=f"all ended, but {self.left()}")

    def end(self):
        """At the end of a test, whatever happened in it."""
        self.session()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.session()
                self.process.kill()
                self.process.wait()
        end = time.monotonic() + 3
        while self.left() and time.monotonic() < end:
            time.sleep(0.02)
        for pid in self.left():
            os.kill(pid, SIGKILL)

    # -- requests

    def connect(self, name=None, **how):
        return Client(self.listeners(name)[0], **how)

    def get(self, path, method="GET", name=None, **how):
        """One request on a connection of its own."""
        with self.connect(name) as client:
            return client.get(path, method, **how)

    def ask_at_once(self, path, n=8):
        """So many clients that ask together, with their responses: of those that ask one after
        the other all may go to the worker that waits longest."""
        clients = [self.connect() for _ in range(n)]
        for client in clients:
            client.ask(path)
        return [(client, client.response()) for client in clients]


def environment(folder, extra=None):
    """Only what is said: settings can come from the environment too."""
    sanitizer = f"log_path={folder}/sanitizer"
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder),
           # Each binding has an al_binding of its own.
           "ASAN_OPTIONS": sanitizer + ":detect_odr_violation=0",
           "TSAN_OPTIONS": sanitizer, "UBSAN_OPTIONS": sanitizer + ":print_stacktrace=1",
           "LSAN_OPTIONS": f"suppressions={TOP}/tests/lsan.supp:print_suppressions=0"}
    return {**env, **(extra or {})}


def sanitizer_reports(folder):
    """What it says of us: now and then the search for leaks fails itself, over a library that
    is unloaded at the same time, and has found nothing then."""
    reports = [p.read_text(errors="replace") for p in folder.glob("sanitizer.*")]
    return "\n".join(r for r in reports if not r.startswith("Tracer caught signal"))


@pytest.fixture
def server(tmp_path):
    """A function that starts a server:

    server(workers=2, timeout=1)             the probe with these settings
    server(apps={"a": {…}, "b": {…}}, workers=1)
    server(text="…")                         a configuration file as it is
    server(arguments=["./x.so"])             no file; the log goes to stderr
    server(launcher=[…], fds=[…])            started by a program that gets these descriptors

    It waits until every application listens. The file is server.conf in the folder of the
    server; server(…).configure(…) writes it anew."""
    running = []

    def start(apps=None, text=None, arguments=None, env=None, wait=True,
              launcher=(), fds=(), **settings):
        folder = tmp_path / str(len(running)) if running else tmp_path
        folder.mkdir(exist_ok=True)
        if arguments is None:
            write_config(folder, apps, text, settings)
            arguments = ["-c", folder / "server.conf"]
        else:
            arguments = [*AS_USER, *arguments]
        s = Server(folder, arguments, environment(folder, env), launcher, fds)
        s.configure = lambda apps=None, text=None, **settings: write_config(
            folder, apps, text, settings)
        running.append(s)
        if wait:
            wait_listening(s, len(apps or [0]))
        return s

    yield start
    for s in running:
        s.end()
    reports = "".join(sanitizer_reports(s.folder) for s in running)
    assert not reports, reports


def write_config(folder, apps, text, settings):
    if text is None:
        if apps is None:
            apps = {"probe": {"target": PROBE, "bind": "127.0.0.1:0"}}
        settings = {"errorlog": str(folder / "log"), **USER, **settings}
        text = format_config(apps, settings)
    (folder / "server.conf").write_text(text)


def wait_listening(s, n):
    def listening():
        if s.process.poll() is not None:
            pytest.fail(f"ended with status {s.process.returncode}:\n{s.log()}")
        return len({app for _, app in re.findall(r"listening on (\S+) for (\S+)", s.text())}) >= n
    wait_for(listening, what="listening")
    s.listeners()


def free_port():
    """A port for a configuration that must name one."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def alicorn(tmp_path):
    """A function that runs the program to its end: alicorn("--help").returncode, .stdout,
    .stderr."""
    def run(*arguments, env=None, limit=LIMIT):
        return subprocess.run(
            [ALICORN, *AS_USER, *map(str, arguments)], cwd=tmp_path, env=environment(tmp_path, env),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)

    yield run
    reports = sanitizer_reports(tmp_path)
    assert not reports, reports


@pytest.fixture
def compile_app(tmp_path):
    """A function that makes a C application of source text, put in place at one stroke, so
    that a worker which has the old one keeps it; returns its path."""
    def compile_text(source, name="app.so"):
        c, new = tmp_path / (name + ".c"), tmp_path / (name + ".new")
        c.write_text('#include "alicorn.h"\n#include <string.h>\n' + source)
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", f"-I{TOP}/gateway", "-fPIC",
                        "-shared", "-o", new, c], check=True)
        new.rename(tmp_path / name)
        return tmp_path / name

    return compile_text


def saying(text):
    """The source of an application that answers everything with this text."""
    return f"""
        int al_handle(void *app, struct al_request *req)
        {{
            (void)app;
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write(req, "{text}", strlen("{text}")) == -1 ? AL_ERROR : AL_DONE;
        }}"""
