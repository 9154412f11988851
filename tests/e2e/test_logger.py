"""The logger: every line once, whatever happens to it, to its files and to who speaks."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import PROBE, SANITIZED, USER, is_alive, text_of, title_of, wait_for

FULL = os.environ.get("ALICORN_ENDURANCE") == "full"
ROOT = os.getuid() == 0


def loggers(s):
    return [pid for pid in s.session() if title_of(pid).endswith(": logger")]


def logger(s):
    """The pid of the one that runs."""
    return wait_for(lambda: (loggers(s) or [None])[0], what="a logger")


def numbers(folder, name):
    """The number in each line of a log and of all its older files."""
    found = []
    for file in sorted(folder.glob(name + "*")):
        data = file.read_bytes()
        assert data == b"" or data.endswith(b"\n"), f"{file} ends in the middle of a line"
        for line in data.splitlines():
            whole = re.fullmatch(rb"<(\d+)> 200 6", line)
            assert whole, f"torn: {line[:200]!r} in {file}"
            found.append(int(whole[1]))
    return found


def load(address, first, n, step, depth=50):
    """Requests whose numbers are first, first + step, …; pipelined."""
    with socket.create_connection(address) as c, c.makefile("rb") as answers:
        todo = list(range(first, n, step))
        while todo:
            part, todo = todo[:depth], todo[depth:]
            c.sendall(b"".join(b"GET /hello?%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in part))
            for _ in part:
                assert answers.readline().startswith(b"HTTP/1.1 200")
                length = 0
                while (field := answers.readline().strip().lower()):
                    if field.startswith(b"content-length:"):
                        length = int(field[15:])
                answers.read(length)


@pytest.mark.skipif(SANITIZED and not FULL, reason="slow with sanitizers")
def test_every_line_once(server):
    """Files are renamed and opened anew all the time, and the logger is killed."""
    n = 1_000_000 if FULL else 60_000
    s = server(workers=3, accesslog="access.log", access_log_format="<%(q)s> %(s)s %(b)s",
               keepalive=60)
    log, over, kills, renames = s.folder / "access.log", threading.Event(), [], []
    threads = [threading.Thread(target=load, args=(s.address, i, n, 4)) for i in range(4)]

    def rotate():
        while not over.wait(0.1):
            if log.exists():
                log.rename(s.folder / f"access.log.{len(renames):06}")
                renames.append(1)
            s.signal(signal.SIGUSR1)

    def kill():
        while not over.wait(1 if FULL else 0.2):
            for pid in loggers(s):
                os.kill(pid, signal.SIGKILL)
                kills.append(pid)

    others = [threading.Thread(target=rotate), threading.Thread(target=kill)]
    for thread in threads + others:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    for thread in others:
        thread.join()
    s.stop()
    assert kills and renames
    found = numbers(s.folder, "access.log")
    assert len(found) == n and sorted(found) == list(range(n)), \
        f"{len(found)} lines, {len(set(found))} different, of {n}"


def test_a_killed_worker_has_said_it_all(server):
    s = server(workers=1, accesslog="access.log", access_log_format="%(q)s")
    os.kill(logger(s), signal.SIGSTOP)
    with s.connect() as c:
        for i in range(101):  # the last one may be answered and not logged yet
            c.get(f"/hello?{i}")
    os.kill(s.workers()[0], signal.SIGKILL)
    s.wait_workers(1)
    os.kill(logger(s), signal.SIGKILL)
    wait_for(lambda: len(text_of(s.folder / "access.log").splitlines()) >= 100)
    s.stop()
    assert text_of(s.folder / "access.log").split()[:100] == [str(i) for i in range(100)]


def test_it_outlives_the_arbiter(server):
    """And leaves when nobody has anything to say any more."""
    s = server(workers=1, accesslog="access.log", access_log_format="%(q)s")
    pid = logger(s)
    s.get("/hello?1")
    s.signal(signal.SIGKILL)
    s.process.wait()
    wait_for(lambda: not is_alive(pid), what="the logger to leave")
    assert text_of(s.folder / "access.log") == "1\n"
    assert "the arbiter has gone" in s.log()


def test_signals_of_the_terminal_are_not_for_it(server):
    s = server(workers=1)
    pid = logger(s)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
        os.kill(pid, number)
    s.get("/hello")
    assert logger(s) == pid
    s.stop()
    assert s.log().endswith("stopped\n")


# ---- Room --------------------------------------------------------------------------------

BIG = "%(q)s " + "x" * 2000


def fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def test_dropped_lines_are_counted(server, tmp_path):
    """Nobody reads: workers go on, and the log tells how many lines it missed."""
    path = fifo(tmp_path)
    s = server(workers=1, accesslog=path, access_log_format=BIG, log_overflow="drop")
    n = 2000
    with s.connect() as c:
        for i in range(n):
            assert c.get(f"/hello?{i}").status == 200
    reader = subprocess.Popen(["cat", path], stdout=open(tmp_path / "read", "wb"))
    said = s.wait_log(r"\[WARNING\] (\d+) lines of worker probe \(pid \d+\) were dropped")

    def is_last_read():  # as long as there is no room it is dropped as well
        nonlocal n
        s.get("/hello?last")
        n += 1
        return "\nlast x" in text_of(tmp_path / "read")

    wait_for(is_last_read)
    s.stop()
    reader.wait(20)
    lines = text_of(tmp_path / "read").splitlines()
    assert all(re.fullmatch(r"(\d+|last) x{2000}", line) for line in lines)
    dropped = sum(map(int, re.findall(r"(\d+) lines of worker", s.log())))
    assert int(said[1]) > 0 and len(lines) + dropped == n


def test_workers_wait_for_room(server, tmp_path):
    path = fifo(tmp_path)
    s = server(workers=1, accesslog=path, access_log_format=BIG, timeout=60)
    n, done = 2000, []

    def ask():
        with s.connect() as c:
            for i in range(n):
                done.append(c.get(f"/hello?{i}").status)

    thread = threading.Thread(target=ask)
    thread.start()

    def is_stuck():
        before = len(done)
        time.sleep(0.5)
        return before == len(done) > 100
    wait_for(is_stuck)
    assert len(done) < n
    reader = subprocess.Popen(["cat", path], stdout=open(tmp_path / "read", "wb"))
    thread.join(60)
    s.stop()
    reader.wait(20)
    assert done == [200] * n and "dropped" not in s.log()
    read = [line.split()[0] for line in text_of(tmp_path / "read").splitlines()]
    assert read == [str(i) for i in range(n)]


def test_other_overflow_needs_no_other_files(server):
    """A reload that changes log_overflow is told to the sinks there are."""
    s = server(log_overflow="block")
    before = len(os.listdir(f"/proc/{logger(s)}/fd"))
    for i, how in enumerate(("drop", "block") * 4):
        s.configure(log_overflow=how)
        s.signal(signal.SIGHUP)
        s.wait_log("reload done", times=i + 1)
    # Not two more with each; a process that begins or ends has a pipe for a while.
    wait_for(lambda: len(os.listdir(f"/proc/{logger(s)}/fd")) <= before + 4, what="no more files")


def test_others_are_not_held_up(server, tmp_path):
    """An access log that nobody reads, and another application with its own."""
    apps = {"stuck": {"target": PROBE, "bind": "127.0.0.1:0", "accesslog": fifo(tmp_path),
                      "access_log_format": BIG},
            "free": {"target": PROBE, "bind": "127.0.0.1:0", "accesslog": "free.log",
                     "access_log_format": "%(q)s"}}
    s = server(apps=apps, log_overflow="drop")
    wait_for(lambda: len(s.listeners()) == 2)
    with s.connect("stuck") as c:
        for i in range(1500):
            c.get(f"/hello?{i}")
    for i in range(10):
        with s.connect("free") as c:
            c.get(f"/hello?{i}")
    wait_for(lambda: text_of(s.folder / "free.log").split() == [str(i) for i in range(10)])


@pytest.mark.skipif(not ROOT, reason="only root can mount")
def test_a_full_disk(server, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk]).returncode:
        pytest.skip("no mounts here")
    try:
        s = server(workers=1, accesslog=disk / "access.log", access_log_format=BIG)
        n = 300
        with s.connect() as c:
            for i in range(n):
                assert c.get(f"/hello?{i}").status == 200
        s.wait_log(r"log \S*access.log: No space left on device")
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        s.wait_log("takes lines again")
        s.stop()
        lines = text_of(disk / "access.log").splitlines()
        assert [line.split()[0] for line in lines] == [str(i) for i in range(n)]
        assert all(re.fullmatch(r"\d+ x{2000}", line) for line in lines)
    finally:
        subprocess.run(["umount", "-l", disk])


# ---- Whose is what -----------------------------------------------------------------------


@pytest.mark.skipif(not ROOT, reason="only root can run several users")
def test_it_has_no_rights(server):
    s = server(workers=1)
    status = Path(f"/proc/{logger(s)}/status").read_text()
    assert re.search(r"^Uid:\s+65534\s+65534\s+65534\s+65534$", status, re.M)
    assert re.search(r"^Groups:\s*$", status, re.M)
    assert re.search(r"^CapEff:\s+0+$", status, re.M)


@pytest.mark.skipif(not ROOT, reason="only root can run several users")
def test_it_may_be_a_number(server):
    s = server(workers=1, log_user="4711")
    status = Path(f"/proc/{logger(s)}/status").read_text()
    assert re.search(r"^Uid:\s+4711\s+4711\s+4711\s+4711$", status, re.M)
    assert re.search(r"^Gid:\s+65534\s+65534\s+65534\s+65534$", status, re.M)


def test_an_unknown_user_is_refused(alicorn, tmp_path):
    (tmp_path / "x.conf").write_text(f'target = "{PROBE}";\nlog_user = "no-such-user";\n')
    for how in (["--check-config"], []):
        done = alicorn("-c", "x.conf", *how)
        assert done.returncode == 1
        assert done.stderr.count(
            'x.conf:2: log_user: "no-such-user": there is no such user; adduser') == 1


def descriptors(pid):
    """What it has open: the targets of the links."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except OSError:
            pass
    return found


def test_nobody_has_what_is_anothers(server):
    apps = {name: {"target": PROBE, "bind": "127.0.0.1:0", "accesslog": f"{name}.log"}
            for name in ("one", "two")}
    s = server(apps=apps)
    wait_for(lambda: len(s.listeners()) == 2)
    one, two = s.wait_workers(1, "one")[0], s.wait_workers(1, "two")[0]
    for pid in (one, two):
        assert not [d for d in descriptors(pid) if "memfd:" in d or d.endswith(".log")], \
            "rings and files are not a worker's"
        rings = [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
                 if "memfd:log" in line]
        assert len({line.split()[4] for line in rings}) == 1, "it has its own ring only"

    def pipes(pid):
        return {d for d in descriptors(pid) if d.startswith("pipe:")}
    assert not {d for d in pipes(one) & pipes(two)
                if d not in (os.readlink(f"/proc/{one}/fd/{n}") for n in (0, 1, 2))}


# ---- Sinks -------------------------------------------------------------------------------


def test_the_journal(server, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        journal.settimeout(20)
        (tmp_path / "logs.conf").write_text(
            'logs = ( { to = "journal"; take = "both"; format = "%(r)s %(s)s"; } );\n')
        s = server(workers=1, journal_socket=tmp_path / "journal", log_user="root",
                   log_config=tmp_path / "logs.conf")
        s.get("/hello")
        found = []
        while not any(b"MESSAGE=GET /hello HTTP/1.1 200" in d for d in found):
            found.append(journal.recv(65536))
        fields = dict(line.split("=", 1) for line in found[-1].decode().splitlines())
        assert fields["PRIORITY"] == "6" and fields["ALICORN_POOL"] == "probe"
        assert fields["SYSLOG_IDENTIFIER"] == "alicorn"
        assert int(fields["SYSLOG_PID"]) == s.workers()[0]


def test_what_takes_nothing_does_not_stay(server, tmp_path):
    """A syslog that is not there, once it is not in the configuration any more."""
    s = server(workers=1)
    before = len(os.listdir(f"/proc/{s.pid}/fd"))
    s.configure(workers=1, syslog=True, syslog_addr=f"unix://{tmp_path}/nobody")
    s.signal(signal.SIGHUP)
    s.wait_log("syslog .*nobody: (No such file|Permission)")
    s.configure(workers=1)
    s.signal(signal.SIGHUP)
    s.wait_log("syslog .*nobody: what it did not take is dropped")
    wait_for(lambda: len(os.listdir(f"/proc/{s.pid}/fd")) <= before, what="no more files")


def test_two_servers_write_to_one_file(server):
    """After USR2 there are two loggers, too."""
    s = server(workers=2, accesslog="access.log", access_log_format="<%(q)s> %(s)s %(b)s",
               keepalive=60)
    threads = [threading.Thread(target=load, args=(s.address, i, 4000, 2)) for i in range(2)]
    s.signal(signal.SIGUSR2)
    wait_for(lambda: len(loggers(s)) == 2, what="the second logger")
    for thread in threads:
        thread.start()
    for pid in loggers(s):
        os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    second = next(pid for pid in s.session() if title_of(pid).endswith("arbiter 2"))
    os.kill(second, signal.SIGTERM)
    s.wait_log(f"the new arbiter has ended, with status 0")
    s.stop()
    found = numbers(s.folder, "access.log")
    assert sorted(found) == list(range(4000))


PRINTS = """
import os, sys, subprocess
def application(environ, start_response):
    print("out", environ["QUERY_STRING"], flush=True)
    os.write(2, b"raw\\x1b[31m " + environ["QUERY_STRING"].encode() + b"\\n")
    subprocess.run(["sh", "-c", "echo of a child; printf 'no end'"])
    start_response("200 OK", [])
    return [b"ok"]
"""


def test_what_is_printed(server, tmp_path):
    (tmp_path / "prints.py").write_text(PRINTS)
    s = server(apps={"app": {"target": "python:prints", "chdir": tmp_path, "workers": 1,
                             "bind": "127.0.0.1:0", "capture_output": True}})
    os.kill(logger(s), signal.SIGSTOP)
    assert s.get("/?a").status == 200
    os.kill(logger(s), signal.SIGKILL)
    assert s.get("/?b").status == 200
    worker = s.workers()[0]
    s.stop()
    head = rf"\[[-\d: +]+\] \[{worker}\] \[INFO\] app: (?:\S+: )?"
    text = s.log()
    for line in ("out a", r"raw\\x1b\[31m a", "of a child", "no endout b", "no end"):
        assert len(re.findall(rf"^{head}{line}$", text, re.M)) >= 1, f"{line}\n{text}"
    assert len(re.findall("of a child", text)) == 2
