"""What a server costs: the CPU time and memory of its processes, and what wrk sees."""

import re
import subprocess
import time
from pathlib import Path
from statistics import median

CONNECTIONS = 32
TICK = 100  # of /proc/PID/stat, per second


def stats_of_session(leader):
    """pid: fields of /proc/PID/stat behind the name, of all processes of a session."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == leader:
                found[int(folder.name)] = fields
    return found


def cpu_seconds(leaders):
    """User and system time of the sessions, with that of children that were waited for."""
    ticks = 0
    for leader in leaders:
        for pid, fields in stats_of_session(leader).items():
            ticks += sum(map(int, fields[11:15 if pid == leader else 13]))
    return ticks / TICK


def pss_bytes(leaders):
    """Proportional memory: a page that n processes share counts as an n-th in each."""
    kilobytes = 0
    for leader in leaders:
        for pid in stats_of_session(leader):
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            kilobytes += int(re.search(r"(?m)^Pss:\s+(\d+)", rollup)[1])
    return kilobytes << 10


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


class Round:
    """One run of wrk; None where it gave nothing. wrk itself aborts at times when a server
    closes connections in its face; such a round is told as failed."""

    def __init__(self, url, leaders, seconds, script=None):
        before = cpu_seconds(leaders)
        done = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency",
             *(["-s", script] if script else []), url],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(0.1)
        cpu = cpu_seconds(leaders) - before
        text = done.stdout
        total = re.search(r"(\d+) requests in ([\d.]+)s", text)
        self.failed = done.returncode != 0 or not total or int(total[1]) == 0
        if self.failed:
            return
        n = int(total[1])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        sockets = re.search(r"Socket errors: (.*)", text)
        self.errors = int(bad[1]) if bad else 0
        self.errors += sum(map(int, re.findall(r"\d+", sockets[1]))) if sockets else 0
        self.cpu_us = cpu * 1e6 / n
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        self.p50 = milliseconds(re.search(r"(?m)^\s*50%\s+(\S+)", text)[1])
        self.p99 = milliseconds(re.search(r"(?m)^\s*99%\s+(\S+)", text)[1])


def row(name, rounds, memory):
    """One line of the table: the medians of the rounds."""
    good = [r for r in rounds if not r.failed]
    if not good:
        return f"| {name} | - | - | - | - | - | wrk gave no figures |"
    failed = len(rounds) - len(good)
    errors = str(sum(r.errors for r in good)) + (f", {failed} rounds lost" if failed else "")

    def middle(figure):
        return median(getattr(r, figure) for r in good)

    return (f"| {name} | {middle('cpu_us'):.1f} | {middle('rate'):,.0f} | {middle('p50'):.2f} "
            f"| {middle('p99'):.2f} | {memory / (1 << 20):.1f} | {errors} |")
