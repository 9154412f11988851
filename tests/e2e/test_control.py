"""The control socket, spoken to byte by byte and by alicornctl."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import termios
import threading
import time
from pathlib import Path

import pytest

from conftest import ALICORN, APPS, PROBE, TOP, environment, stat_of, wait_for
from wire import LIMIT

CTL = ALICORN.parent / "alicornctl"
needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def path():
    """A path that is short enough for a unix socket, in a folder that all may enter."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as folder:
        os.chmod(folder, 0o755)
        yield f"{folder}/control"


class Answer:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<{self.status} {self.out!r} {self.err!r}>"


@pytest.fixture
def ctl(path):
    """A function that runs alicornctl: ctl("scale", "probe", "+1").status, .out, .err."""
    def run(*words, become=(), status=None, socket_path=path, **how):
        done = subprocess.run(
            [*become, CTL, "-s", socket_path, *map(str, words)], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=LIMIT, **how)
        answer = Answer(done)
        assert status is None or answer.status == status, answer
        return answer
    return run


@pytest.fixture
def start(server, path):
    """The probe, with a control socket."""
    def run(**settings):
        s = server(control_socket=path, **settings)
        s.wait_log(rf"control socket {path}\n")
        return s
    return run


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(LIMIT)
    s.connect(path)
    return s


def receive(s):
    pieces = []
    try:
        while piece := s.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:  # not all that was sent was read
        pass
    return b"".join(pieces).decode()


def say(path, line):
    """The whole answer, as it comes."""
    with connect(path) as s:
        s.sendall(line if isinstance(line, bytes) else line.encode())
        return receive(s)


def app_of(answer, name="probe"):
    return next(a for a in answer.json["applications"] if a["name"] == name)


def no_failures(wrk):
    output = wrk.communicate(timeout=60)[0]
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    assert int(re.search(r"(\d+) requests in", output)[1]) > 100, output


def begin_load(s, seconds):
    host, port = s.address
    return subprocess.Popen(["wrk", "-t1", "-c16", f"-d{seconds}", f"http://{host}:{port}/hello"],
                            stdout=subprocess.PIPE, text=True)


# ---- Commands ----------------------------------------------------------------------------


def test_status(start, ctl):
    s = start(workers=2)
    s.wait_workers(2)
    for _ in range(3):
        assert s.get("/hello").status == 200

    def counted():
        answer = ctl("status", "--json", status=0)
        return app_of(answer)["requests"] == 3 and answer
    answer = wait_for(counted, what="three requests")
    assert answer.json["server"]["pid"] == s.pid and answer.json["server"]["ready"]
    assert app_of(answer)["workers"]["wanted"] == 2
    assert {p["pid"] for p in app_of(answer)["processes"]} == set(s.workers())

    text = ctl("status", status=0).out
    assert re.search(r"^probe +0/2 ", text, re.M) and "\033" not in text
    text = ctl("status", "--workers", status=0).out
    assert all(re.search(rf"^ +{pid} +idle", text, re.M) for pid in s.workers())


def test_slow(start, ctl):
    s = start()
    s.get("/sleep?ms=300")
    s.get("/hello")
    slowest = wait_for(lambda: ctl("slow", "--json", status=0).json, what="slow requests")[0]
    assert slowest["request"].startswith("GET /sleep") and slowest["duration_ms"] >= 300
    assert "GET /sleep" in ctl("slow", "--app", "probe", status=0).out
    assert "no such application" in ctl("slow", "--app", "other", status=1).err


def test_slow_says_where_the_stacks_are(start, ctl):
    probe = {"target": PROBE, "bind": "127.0.0.1:0"}
    start(apps={"told": {**probe, "slow_stack_after": 1000}, "silent": probe})
    last = 'stacks (slow_stack_after) are in the log, behind "its stack is asked for"\n'
    assert ctl("slow", status=0).out.endswith(last)
    assert ctl("slow", "--app", "told", status=0).out.endswith(last)
    assert last not in ctl("slow", "--app", "silent", status=0).out
    assert last not in ctl("slow", "--json", status=0).out


def test_scale(start, ctl):
    s = start(workers=1)
    assert ctl("scale", "probe", "+2", status=0).out == "probe: the number of processes is now 3\n"
    s.wait_workers(3)
    assert app_of(ctl("status", "--json"))["workers"]["wanted"] == 3
    assert ctl("scale", "probe", "-1", status=0)
    s.wait_workers(2)
    assert ctl("scale", "probe", 4, "--json", status=0).json == {
        "message": "probe: the number of processes is now 4"}
    s.wait_workers(4)
    assert "stays 4: it can be 1 to" in ctl("scale", "probe", 0, status=1).err
    assert "no application shop" in ctl("scale", "shop", 1, status=1).err
    assert ctl("scale", "probe", "many", status=2).err == "many is not +N, -N or N\n"
    assert ctl("scale", "probe", status=2).err == "usage: scale NAME +N|-N|N\n"
    s.wait_log(r"control: scale probe \+2, asked by user \d+ \(pid \d+\)")


def test_recycle(start, ctl):
    s = start(workers=2)
    first = s.wait_workers(2)
    assert ctl("recycle", first[0], status=0).out == "one process is replaced\n"
    wait_for(lambda: first[0] not in s.workers() and len(s.workers()) == 2, what="replaced")
    second = s.workers()
    assert first[1] in second
    assert "2 processes" in ctl("recycle", "probe", status=0).out
    wait_for(lambda: not set(second) & set(s.workers()) and len(s.workers()) == 2, what="all new")
    assert "1 is no application" in ctl("recycle", 1, status=1).err


def test_reload_says_how_it_went(start, ctl, path):
    s = start(workers=1)
    s.configure(workers=2, control_socket=path)
    assert ctl("reload", status=0).out == "generation 2 serves with 2 processes\n"
    s.configure(text="workers = many;\n")
    answer = ctl("reload", status=1)
    assert "server.conf:1" in answer.err and "generation 2 goes on" in answer.err
    s.configure(apps={"probe": {"target": "c:/no/such.so", "bind": "127.0.0.1:0"}},
                control_socket=path)
    answer = ctl("reload", "--json", status=1)
    assert "/no/such.so" in answer.json["error"]
    s.configure(workers=1, control_socket=path)
    assert ctl("reload", "--json", status=0).json["message"].startswith("generation")


def test_reload_gives_the_terminal_no_orders(start, ctl, path):
    """What it says may be an application's words."""
    s = start(workers=1)
    s.configure(apps={"probe": {"target": "c:/no/\x1b[31m\u009b31m.so", "bind": "127.0.0.1:0"}},
                control_socket=path)
    answer = ctl("reload", status=1)
    assert "/no/\\x1b[31m\\xc2\\x9b31m.so" in answer.err
    assert answer.err.replace("\n", "").isprintable()


def test_reload_with_a_broken_file_of_a_folder(server, ctl, path, tmp_path):
    """The others are reloaded, but that is not what was wanted."""
    folder = tmp_path / "conf.d"
    folder.mkdir()
    user = 'user = "root";\n' if os.getuid() == 0 else ""
    (folder / "a.conf").write_text(
        f'{user}target = "{PROBE}"; bind = "127.0.0.1:0"; control_socket = "{path}";'
        f'errorlog = "{tmp_path}/log";')
    (folder / "b.conf").write_text(f'{user}target = "{PROBE}"; bind = "127.0.0.1:0";')
    s = server(arguments=["-c", folder])
    wait_for(lambda: os.path.exists(path), what="socket")
    assert ctl("reload", status=0)
    (folder / "b.conf").write_text("broken")
    answer = ctl("reload", status=1)
    assert "b.conf" in answer.err and "generation 3 serves" in answer.err
    s.stop()


def test_reloads_that_are_asked_for_at_once(start, ctl):
    s = start()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ctl("reload"))) for _ in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [a.status for a in answers] == [0] * 5, answers
    assert s.get("/hello").status == 200


def test_reopen(start, ctl):
    s = start()
    s.log_file.rename(s.folder / "log.1")
    assert ctl("reopen", status=0).out == "logs are reopened\n"
    wait_for(s.log_file.exists, what="a new log")


def test_stop_waits_for_the_end(start, ctl):
    s = start()
    client = s.connect()
    client.ask("/sleep?ms=500")
    time.sleep(0.1)
    assert ctl("stop", status=0).out == "the server stops\n"
    # All that is left to it is to exit.
    assert "stopped" in s.text() and not s.workers()
    assert client.response().status == 200
    assert s.wait() == 0
    answer = ctl("status", status=3)
    assert "no server listens on" in answer.err and "control_socket" in answer.err


def test_quick_stop(start, ctl):
    s = start()
    client = s.connect()
    client.ask("/sleep?ms=10000")
    time.sleep(0.2)
    assert ctl("stop", "--slowly", status=2)
    assert ctl("stop", "--quick", "--json", status=0).json
    assert client.response().status == 503
    assert s.wait() == 0


def test_config(start, ctl, path):
    s = start(timeout=77)
    text = ctl("config", status=0).out
    assert "timeout = 77" in text and f'control_socket = "{path}"' in text
    printed = [ALICORN, "-c", s.folder / "server.conf", "--print-config"]
    assert text == subprocess.run(printed, capture_output=True, text=True, cwd=s.folder,
                                  env=environment(s.folder)).stdout
    assert ctl("config", "--json", status=0).json["message"] == text.rstrip("\n")


def test_routes(start, ctl):
    s = start(apps={"a": {"target": PROBE, "bind": ["127.0.0.1:0"]},
                    "b": {"target": PROBE, "bind": ["127.0.0.1:0"]}})
    text = ctl("routes", status=0).out
    for name in "ab":
        host, port = s.listeners(name)[0]
        assert f"{host}:{port}\n    * -> app {name} (c:{APPS}/probe.so)\n" in text
    listeners = ctl("routes", "--json", status=0).json
    assert {r["routes"][0]["app"] for r in listeners} == {"a", "b"}


def test_help_is_of_all_commands(start, ctl):
    start()
    named = [c["name"] for c in ctl("help", "--json", status=0).json]
    assert named == sorted(named)
    text = ctl("help", status=0).out
    assert all(re.search(rf"^{name}\b", text, re.M) for name in named)
    page = (TOP / "docs/alicornctl.1").read_text()
    assert all(re.search(rf"^\.It Cm {name}\b", page, re.M) for name in named)


def test_usage_without_a_server():
    done = subprocess.run([CTL, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: alicornctl")
    for words in [[], ["--what"]]:
        assert subprocess.run([CTL, *words], capture_output=True).returncode == 2
    done = subprocess.run([CTL, "status"], capture_output=True, text=True,
                          env={"ALICORN_CONTROL": "/no/such/socket"})
    assert done.returncode == 3 and "/no/such/socket" in done.stderr


# ---- Upgrades ----------------------------------------------------------------------------


def test_upgrade_hands_the_socket_on(start, ctl, path):
    s = start(workers=1)
    assert "beside this one" in ctl("upgrade", status=0).out
    second = f"{path}.2"

    def is_ready():
        answer = ctl("status", "--json", socket_path=second)
        return answer.status == 0 and answer.json["server"]["ready"]
    wait_for(is_ready, what="a second server that is ready")
    new = ctl("status", "--json", socket_path=second).json["server"]["pid"]
    assert new != s.pid == ctl("status", "--json").json["server"]["pid"]
    assert "still runs" in ctl("upgrade", status=1).err

    assert ctl("stop", status=0)
    assert ctl("status", "--json", status=0).json["server"]["pid"] == new
    assert not os.path.exists(second)
    assert ctl("reload", status=0) and ctl("scale", "probe", 2, status=0)
    s.session()
    assert ctl("stop", status=0)
    wait_for(lambda: not s.left(), what="all ended")
    assert not os.path.exists(path)


def test_upgrade_that_is_undone(start, ctl, path):
    s = start(workers=1)
    ctl("upgrade", status=0)
    wait_for(lambda: os.path.exists(f"{path}.2"), what="a second socket")
    assert ctl("stop", socket_path=f"{path}.2", status=0)
    s.wait_log("this one goes on")
    assert not os.path.exists(f"{path}.2")
    assert ctl("status", "--json", status=0).json["server"]["pid"] == s.pid


# ---- trace -------------------------------------------------------------------------------


class Trace:
    def __init__(self, path, *words):
        self.process = subprocess.Popen([CTL, "-s", path, "trace", *words], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def lines(self, n):
        return [self.process.stdout.readline() for _ in range(n)]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT)


@pytest.fixture
def trace(path):
    running = []

    def run(*words):
        running.append(Trace(path, *words))
        time.sleep(0.3)  # until it follows
        return running[-1]
    yield run
    for t in running:
        t.end()


def test_trace(start, trace):
    s = start(workers=2)
    everything, errors, slow = trace(), trace("--json", "--status", "4xx"), trace(
        "--path", "/sl*", "--slower-than", "100", "--app", "probe")
    s.get("/hello?a=\x1b"[:8])
    s.get("/none")
    s.get("/sleep?ms=1")
    s.get("/sleep?ms=200")
    lines = everything.lines(4)
    assert all(" probe[" in line and " 127.0.0.1 GET /" in line for line in lines), lines
    assert re.search(r" 200 .* GET /hello", lines[0])
    first = json.loads(errors.lines(1)[0])
    assert first["target"] == "/none" and first["status"] == 404
    assert first["application"] == "probe" and first["pid"] in s.workers()
    assert "/sleep?ms=200" in slow.lines(1)[0]


def test_trace_that_is_not_understood(start, ctl):
    start()
    for words in (["--status", "9xx"], ["--status", "70"], ["--slower-than", "x"], ["--what", "1"],
                  ["--path"], ["--path", "x" * 300]):
        assert ctl("trace", *words, status=2).err


@needs_wrk
def test_trace_that_is_not_read(start, path, ctl):
    """What does not fit is dropped and counted; the server serves on."""
    s = start(workers=1)
    with connect(path) as peer:
        peer.sendall(b"trace --json\n")
        time.sleep(0.3)
        wrk = begin_load(s, 2)
        no_failures(wrk)
        assert ctl("status", status=0)
        seen = b""
        while b'"dropped"' not in seen:
            seen += peer.recv(1 << 20)
            s.get("/hello")
    s.stop()


# ---- top ---------------------------------------------------------------------------------


def read_until(master, text, seen=b""):
    end = time.monotonic() + LIMIT
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([master], [], [], 0.2)[0]:
            seen += os.read(master, 65536)
    return seen


def set_size(master, rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.mark.parametrize("ending", ["key", "interrupt"])
def test_top(start, path, ending):
    s = start(workers=2)
    s.wait_workers(2)
    master, slave = pty.openpty()
    set_size(master, 10, 100)
    before = termios.tcgetattr(slave)
    top = subprocess.Popen([CTL, "-s", path, "top"], stdin=slave, stdout=slave, stderr=slave,
                           start_new_session=True, preexec_fn=lambda: fcntl.ioctl(
                               0, termios.TIOCSCTTY, 0), env={"TERM": "xterm"})
    seen = read_until(master, b"q: end")
    assert b"\033[?1049h" in seen and b"probe" in seen
    assert all(str(pid).encode() in seen for pid in s.workers())
    assert termios.tcgetattr(slave)[3] & termios.ECHO == 0
    set_size(master, 5, 60)
    os.kill(top.pid, signal.SIGWINCH)
    seen = read_until(master, b"\033[5;1H")
    os.write(master, b"q" if ending == "key" else b"\x03")
    read_until(master, b"\033[?1049l")
    assert top.wait(LIMIT) == 0
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_top_ends_with_the_server(start, path):
    s = start()
    master, slave = pty.openpty()
    top = subprocess.Popen([CTL, "-s", path, "top"], stdin=slave, stdout=slave,
                           stderr=subprocess.PIPE, start_new_session=True)
    os.close(slave)
    read_until(master, b"q: end")
    s.stop()
    read_until(master, b"\033[?1049l")
    assert top.wait(LIMIT) == 3
    assert b"no server listens" in top.stderr.read()
    os.close(master)


def test_top_needs_a_terminal(start, ctl):
    start()
    assert "needs a terminal" in ctl("top", status=2).err


def test_colours_are_for_terminals(start, path):
    s = start()
    for env, coloured in [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                          ({"TERM": "dumb"}, False)]:
        master, slave = pty.openpty()
        subprocess.run([CTL, "-s", path, "status"], stdout=slave, env=env, check=True)
        trace = subprocess.Popen([CTL, "-s", path, "trace"], stdout=slave, env=env)
        os.close(slave)
        seen = os.read(master, 65536)
        assert (b"\033[" in seen) == coloured, seen
        time.sleep(0.3)  # until it follows
        s.get("/hello")
        seen = read_until(master, b"/hello")
        assert (b"\033[32m200\033[0m" in seen) == coloured, seen
        trace.terminate()
        trace.wait()
        os.close(master)


# ---- Who may -----------------------------------------------------------------------------


def nobody(name="nobody"):
    return ["setpriv", f"--reuid={name}", "--regid=nogroup", "--clear-groups"]


@needs_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv is not installed")
def test_others_are_refused(start, ctl, path):
    s = start(control_socket_mode="0666", control_users=["daemon"])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
    reachable = ["cp", CTL, f"{os.path.dirname(path)}/ctl"]
    subprocess.run(reachable, check=True)
    program = [f"{os.path.dirname(path)}/ctl", "-s", path]
    done = subprocess.run([*nobody(), *program, "stop"], capture_output=True, text=True)
    assert done.returncode == 1 and "control_users" in done.stderr
    s.wait_log(r"control: user \d+ \(pid \d+\) is none of control_users")
    done = subprocess.run([*nobody("daemon"), *program, "help"], capture_output=True, text=True)
    assert done.returncode == 0, done
    # The mode of the file comes first.
    s.configure(control_socket=path)
    assert ctl("reload", status=0)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    done = subprocess.run([*nobody("daemon"), *program, "help"], capture_output=True, text=True)
    assert done.returncode == 1 and "Permission denied" in done.stderr
    assert s.get("/hello").status == 200


def test_unknown_users_are_refused_with_their_line(alicorn, tmp_path):
    (tmp_path / "x.conf").write_text(f'control_users = ["no-such-user"];\ntarget = "{PROBE}";\n')
    done = alicorn("-c", "x.conf", "--check-config")
    assert done.returncode == 1
    assert 'x.conf:1: control_users: "no-such-user": there is no such user' in done.stderr


# ---- The socket's file -------------------------------------------------------------------


def test_file(start, ctl, path):
    s = start()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    s.stop()
    assert not os.path.exists(path)


def test_stale_socket_is_replaced(start, ctl, path):
    s = start()
    s.session()
    s.signal(signal.SIGKILL)
    s.wait()
    wait_for(lambda: not s.left(), what="all ended")
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    start()
    wait_for(lambda: ctl("status").status == 0, what="an answer")


def test_socket_of_another_server(start, server, path, ctl):
    s = start()
    other = server(control_socket=path, wait=False)
    assert other.wait() == 1
    assert f"control socket {path}: another server answers there" in other.log()
    assert ctl("status", "--json", status=0).json["server"]["pid"] == s.pid


def test_what_is_no_socket_stays(server, path):
    Path(path).write_text("mine")
    s = server(control_socket=path, wait=False)
    assert s.wait() == 1
    assert "exists and is not a socket" in s.log()
    assert Path(path).read_text() == "mine"


def test_reload_moves_it(start, ctl, path):
    s = start()
    s.configure(control_socket=f"{path}-new")
    assert ctl("reload", status=0)
    wait_for(lambda: not os.path.exists(path), what="moved")
    assert ctl("status", socket_path=f"{path}-new", status=0)
    s.configure(control_socket=f"{path}-new", control_socket_disable=True)
    assert ctl("reload", socket_path=f"{path}-new", status=0)
    wait_for(lambda: not os.path.exists(f"{path}-new"), what="removed")
    assert s.get("/hello").status == 200


def test_reload_makes_it_anew(start, ctl, path):
    """After somebody has removed its file."""
    s = start()
    os.unlink(path)
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    wait_for(lambda: ctl("status").status == 0, what="an answer")
    os.unlink(path)
    Path(path).write_text("of somebody else")
    s.signal(signal.SIGHUP)
    s.wait_log("exists and is not a socket")
    s.stop()
    assert Path(path).read_text() == "of somebody else"


def test_none_unless_named(server):
    s = server(env={"XDG_RUNTIME_DIR": "/tmp"})
    assert "control socket" not in s.log()


# ---- Peers -------------------------------------------------------------------------------


def test_protocol(start, path):
    start()
    assert say(path, "scale probe '+1'\n").startswith("ok\nprobe: ")
    assert say(path, 'scale "probe" 1 --json\r\n').startswith('ok\n{"message": ')
    assert say(path, "help\nstop\n").startswith("ok\n")  # one command each
    with connect(path) as s:  # without the end of the line, but an end
        s.sendall(b"reopen")
        s.shutdown(socket.SHUT_WR)
        assert receive(s) == "ok\nlogs are reopened\n"
    with connect(path) as s:  # who waits may have closed its side
        s.sendall(b"reload\n")
        s.shutdown(socket.SHUT_WR)
        assert receive(s).startswith("ok\ngeneration 2 serves")
    with connect(path) as s:
        for byte in b"help\n":
            s.sendall(bytes([byte]))
            time.sleep(0.01)
        assert receive(s).startswith("ok\n")


@pytest.mark.parametrize("line", [
    b"\n", b"what\n", b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff\x1b[31m\n", b"'help\n", b"help me\n",
    b"--json\n", b"x" * 5000 + b"\n", b"y " * 2040 + b"\n", b"status --columns -1\n"],
    ids=lambda line: repr(line[:12]))
def test_garbage(start, path, line):
    s = start()
    answer = say(path, line)
    assert answer.startswith("usage\n") and len(answer) < 300
    assert say(path, "status\n").startswith("ok\n")
    assert "\033" not in s.log()


def test_many_peers(start, path, ctl):
    """Sixteen at a time; those that say nothing are cut, in the end."""
    start()
    silent = [connect(path) for _ in range(16)]
    time.sleep(0.2)
    answer = ctl("status", status=1)
    assert "busy" in answer.err
    silent[0].close()
    wait_for(lambda: ctl("status").status == 0, what="a place")
    assert receive(silent[1]) == "usage\nno command has come\n"
    for s in silent:
        s.close()


def test_peers_that_come_at_once(start, path):
    """More than the arbiter takes in one round: each has an answer."""
    s = start()
    s.signal(signal.SIGSTOP)
    peers = [connect(path) for _ in range(100)]
    for peer in peers:
        peer.sendall(b"help\n")
    s.signal(signal.SIGCONT)
    for peer in peers:
        assert receive(peer).startswith(("ok\n", "failed\nthe control socket is busy"))
        peer.close()


def cpu_of(pid):
    """Seconds that it has used."""
    fields = stat_of(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_peers_that_leave(start, path):
    s = start()
    for line in (b"", b"hel", b"help\n", b"status\n", b"reload\n", b"trace\n", b"config\n"):
        with connect(path) as peer:
            peer.sendall(line)
    s.wait_log("reload done")
    assert say(path, "status\n").startswith("ok\n")
    # Nobody is left that the arbiter would look at again and again.
    before = cpu_of(s.pid)
    time.sleep(0.5)
    assert cpu_of(s.pid) - before < 0.2
    s.stop()


def test_slow_reader(start, path):
    """It gets all of it, in its own time, and nobody waits for it."""
    start()
    with connect(path) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"config\n")
        time.sleep(0.3)
        whole = say(path, "config\n")
        seen = b""
        while piece := slow.recv(512):
            seen += piece
        assert seen.decode() == whole


# ---- Under load --------------------------------------------------------------------------


@needs_wrk
def test_reloads_under_load(start, ctl):
    s = start(workers=2, reload_batch=1)
    wrk = begin_load(s, 8)
    time.sleep(0.3)
    for i in range(20):
        assert f"generation {i + 2} serves" in ctl("reload", status=0).out
    assert wrk.poll() is None, "the load ended before the reloads"
    no_failures(wrk)


@needs_wrk
def test_recycle_and_scale_under_load(start, ctl):
    s = start(workers=3)
    first = s.wait_workers(3)
    wrk = begin_load(s, 4)
    time.sleep(0.3)
    assert ctl("recycle", "probe", status=0)
    wait_for(lambda: not set(first) & set(s.workers()), what="all new")
    assert ctl("scale", "probe", "+1", status=0) and ctl("scale", "probe", "-2", status=0)
    s.wait_workers(2)
    no_failures(wrk)


# ---- Completions -------------------------------------------------------------------------


def complete(program, function, *words):
    """What bash offers for the last word."""
    script = f'''. {TOP}/completions/bash/{program}
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        {function} "$1"; printf '%s\\n' "${{COMPREPLY[@]}}"'''
    done = subprocess.run(["bash", "-c", script, "bash", *map(str, words)], text=True,
                          capture_output=True, timeout=LIMIT)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def test_completion_of_alicornctl(start, ctl, path):
    start(workers=1)
    commands = [c["name"] for c in ctl("help", "--json", status=0).json]
    offered = complete("alicornctl", "_alicornctl", CTL, "")
    assert [w for w in offered if not w.startswith("-")] == commands
    zsh = (TOP / "completions/zsh/_alicornctl").read_text()
    assert re.findall(r"^\t'([a-z]+):", zsh, re.M) == commands
    assert complete("alicornctl", "_alicornctl", CTL, "re") == [
        c for c in commands if c.startswith("re")]
    assert complete("alicornctl", "_alicornctl", CTL, "-s", path, "scale", "") == ["probe"]
    assert "--quick" in complete("alicornctl", "_alicornctl", CTL, "stop", "")


def test_completion_of_alicorn():
    offered = complete("alicorn", "_alicorn", ALICORN, "--control-s")
    assert offered == ["--control-socket", "--control-socket-mode"]
    assert complete("alicorn", "_alicorn", ALICORN, "--log-level", "") == [
        "debug", "info", "warning", "error", "critical"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completions_are_read_by_their_shell(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    for file in (TOP / "completions" / shell).iterdir():
        subprocess.run([shell, "-n", file], check=True)
