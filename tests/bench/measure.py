"""What a server costs: the CPU time, system calls and memory of its processes, and what its
clients see: wrk, which asks as fast as it is answered, and openloop, which asks by the
clock."""

import re
import resource
import signal
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


def cpu_of_clients():
    """Of all that was run and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_of_thread(pid):
    """Of the main thread of a process, in seconds: finer than the ticks of others."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def pss_of(pid):
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"(?m)^Pss:\s+(\d+)", rollup)
    return int(found[1]) << 10 if found else 0


def pss_bytes(leaders):
    """Proportional memory: a page that n processes share counts as an n-th in each."""
    return sum(pss_of(pid) for leader in leaders for pid in stats_of_session(leader))


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


class Wrk:
    """One run of wrk; `failed` where it gave nothing: it aborts at times when a server closes
    connections in its face."""

    def __init__(self, url, leaders, seconds, options=(), connections=CONNECTIONS, under=()):
        before, own = cpu_seconds(leaders), cpu_of_clients()
        done = subprocess.run(
            [*under, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *map(str, options), url],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        time.sleep(0.1)
        cpu = cpu_seconds(leaders) - before
        total = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
        self.failed = done.returncode != 0 or not total or int(total[1]) == 0
        if self.failed:
            return
        self.n = int(total[1])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
        sockets = re.search(r"Socket errors: (.*)", done.stdout)
        self.errors = int(bad[1]) if bad else 0
        self.errors += sum(map(int, re.findall(r"\d+", sockets[1]))) if sockets else 0
        self.cpu_us = cpu * 1e6 / self.n
        self.client_us = (cpu_of_clients() - own) * 1e6 / self.n
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


class OpenLoop:
    """One run of openloop: latencies in milliseconds."""

    def __init__(self, program, port, rate, seconds, options=()):
        done = subprocess.run(
            [program.parent / "bench-openloop", *map(str, options), str(port), str(rate),
             str(seconds), str(CONNECTIONS)], stdout=subprocess.PIPE, text=True, check=True)
        words = done.stdout.split()
        figures = dict(zip(words[::2], map(int, words[1::2])))
        self.errors = figures["errors"]
        self.p50, self.p99, self.p999 = (figures[p] / 1000 for p in ("p50", "p99", "p999"))


# ---- Of all processes at once, while wrk asks ----

COUNTERS = ("raw_syscalls:sys_enter", "instructions:u")


def pids_of(leaders):
    return ",".join(str(pid) for leader in leaders for pid in stats_of_session(leader))


def count_with_perf(url, leaders, options):
    """{counter: for one request}, of those that this machine has."""
    report = Path(f"/tmp/bench-perf-{leaders[0]}")
    events = [part for counter in COUNTERS for part in ("-e", counter)]
    run = Wrk(url, leaders, 1, options,
              under=["perf", "stat", "-x,", "-o", report, *events, "-p", pids_of(leaders), "--"])
    try:
        lines = report.read_text().splitlines()
    except OSError:
        return {}
    finally:
        report.unlink(missing_ok=True)
    found = {}
    for line in lines:
        fields = line.split(",")
        if len(fields) > 2 and fields[0].isdigit() and not run.failed:
            found[fields[2]] = int(fields[0]) / run.n
    return found


def count_with_strace(url, leaders, options):
    command = ["strace", "-c", "-f", "-p", pids_of(leaders)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as tracer:
        time.sleep(0.3)
        run = Wrk(url, leaders, 1, options)
        tracer.send_signal(signal.SIGINT)
        report = tracer.communicate()[1]
    total = re.search(r"(?m)^\s*100\.00\s+\S+\s+\S*?\s+(\d+)\s.*total$", report)
    return {COUNTERS[0]: int(total[1]) / run.n} if total and not run.failed else {}


def count(url, leaders, options, tools):
    """What one request takes of each counter; with perf, or by strace the system calls."""
    if "perf" in tools:
        return count_with_perf(url, leaders, options)
    if "strace" in tools:
        return count_with_strace(url, leaders, options)
    Wrk(url, leaders, 1, options)
    return {}


# ---- A line of a table ----


class Result:
    """All rounds of a server: the medians of its figures, None where there are none."""

    def __init__(self, name):
        self.name, self.rounds, self.timed = name, [], []
        self.counts, self.pss = {}, None

    def middle(self, runs, figure):
        good = [getattr(r, figure) for r in runs if hasattr(r, figure)]
        return median(good) if good else None

    @property
    def cpu_us(self):
        return self.middle(self.rounds, "cpu_us")

    @property
    def rate(self):
        return self.middle(self.rounds, "rate")

    @property
    def errors(self):
        lost = sum(r.failed for r in self.rounds)
        n = sum(r.errors for r in self.rounds + self.timed if hasattr(r, "errors"))
        return f"{n:,}" + (f", {lost} rounds lost" if lost else "")


COLUMNS = [
    ("µs CPU / request", lambda r: r.cpu_us, "{:.1f}"),
    ("of wrk", lambda r: r.middle(r.rounds, "client_us"), "{:.1f}"),
    ("requests/s", lambda r: r.rate, "{:,.0f}"),
    ("system calls", lambda r: r.counts.get(COUNTERS[0]), "{:.2f}"),
    ("instructions", lambda r: r.counts.get(COUNTERS[1]), "{:,.0f}"),
    ("p50 ms", lambda r: r.middle(r.timed, "p50"), "{:.2f}"),
    ("p99 ms", lambda r: r.middle(r.timed, "p99"), "{:.2f}"),
    ("p99.9 ms", lambda r: r.middle(r.timed, "p999"), "{:.2f}"),
    ("PSS MB", lambda r: r.pss and r.pss / (1 << 20), "{:.1f}"),
    ("errors", lambda r: r.errors, "{}"),
]


def table(title, results, columns=None):
    """The lines; a column that nobody has a figure for is left out."""
    used = [c for c in columns or COLUMNS if any(c[1](r) is not None for r in results)]

    def cell(column, result):
        figure = column[1](result)
        return "-" if figure is None else column[2].format(figure)
    return [f"| {title} | " + " | ".join(c[0] for c in used) + " |",
            "| --- |" + " ---: |" * len(used),
            *(f"| {r.name} | " + " | ".join(cell(c, r) for c in used) + " |" for r in results)]
