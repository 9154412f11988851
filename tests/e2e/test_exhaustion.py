"""When something runs out, or time goes back: service goes on, and the log says it."""

import os
import re
import select
import subprocess
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from conftest import SANITIZED, TOP, wait_for

DAY = 86400


def is_served(s):
    return s.get("/hello").body == b"hello\n"


# ---- A full disk -------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.getuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k,mode=777", "none", folder]).returncode != 0:
        pytest.skip("needs root, to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as f:
        try:
            while f.write(bytes(4096)):
                pass
        except OSError:
            pass


def test_disk_of_the_spool_is_full(server, disk):
    s = server(workers=1, spool_dir=str(disk), body_buffer_size="16K")
    (worker,) = s.wait_workers(1)
    big, small = b"x" * (1 << 20), b"y" * 100000
    for _ in range(3):
        r = s.get("/sum", "POST", body=big)
        assert (r.status, r.field("Connection")) == (507, "close")
        assert is_served(s)
        assert s.get("/sum", "POST", body=small).text.endswith(" file\n")
    s.wait_log("No space left on device", times=3)
    assert s.workers() == [worker]


def start_logging_to(server, disk, **settings):
    s = server(wait=False, errorlog=str(disk / "log"), **settings)
    s.log_file = disk / "log"
    wait_for(s.listeners, what="listening")
    return s


def test_disk_of_the_log_is_full(server, disk):
    """Workers come and go meanwhile. When there is room again the log goes on."""
    s = start_logging_to(server, disk, workers=2, loglevel="debug")
    s.wait_workers(2)
    fill(disk)
    for _ in range(200):
        assert is_served(s)
        s.get("/log")
    assert s.get("/crash").status == 502
    s.wait_workers(2)
    assert is_served(s)
    (disk / "filler").unlink()
    s.wait_log("takes lines again")
    s.stop()


def test_disk_of_the_access_log_is_full(server, disk):
    s = server(workers=1, accesslog=str(disk / "access"))
    s.wait_workers(1)
    assert is_served(s)
    fill(disk)
    for _ in range(3000):
        assert is_served(s)
    s.wait_log("log .*No space left on device")
    (disk / "filler").unlink()
    for _ in range(10):
        assert is_served(s)
    wait_for(lambda: (disk / "access").read_text().endswith("\n"))
    s.stop()


# ---- Descriptors and memory --------------------------------------------------------------


@pytest.mark.skipif(SANITIZED, reason="needs its descriptors")
def test_descriptors_are_out(server):
    """Who is there is served; who comes is told to come again later, or waits. It recovers
    by itself."""
    s = server(workers=1, limit_files=64, keepalive=60, header_timeout=60)
    (worker,) = s.wait_workers(1)
    clients = [s.connect() for _ in range(100)]
    try:
        for c in clients[:40]:
            assert c.get("/hello").status == 200
        # Those that say nothing come in any order.
        told = select.select([c.socket for c in clients[40:]], [], [], 20)[0]
        refused = next(c for c in clients[40:] if c.socket in told).response()
        assert (refused.status, refused.field("Connection")) == (503, "close")
        assert refused.field("Retry-After")
        s.wait_log("(?i)too many open files|descriptors")
        # A body that would go to a file is the one that cannot be had.
        r = clients[0].get("/sum", "POST", body=b"x" * 200000)
        assert r.status in (500, 503, 507)
        assert clients[1].get("/hello").status == 200
    finally:
        for c in clients:
            c.close()
    wait_for(lambda: s.get("/hello").status == 200)
    assert s.workers() == [worker]


@pytest.mark.skipif(SANITIZED, reason="needs its address space")
def test_memory_is_out(server):
    """A body that no memory can be had for is refused, and others are not."""
    s = server(workers=1, limit_memory="64M", body_buffer_size="200M")
    (worker,) = s.wait_workers(1)
    for _ in range(3):
        r = s.get("/sum", "POST", body=b"x" * (100 << 20))
        assert r.status in (500, 503, 507) and r.field("Connection") == "close"
        assert is_served(s)
    s.wait_log("Cannot allocate memory", times=3)
    assert s.get("/sum", "POST", body=b"x" * (1 << 20)).text.startswith("1048576 ")
    assert s.workers() == [worker]


# ---- Time --------------------------------------------------------------------------------


CLOCK = """
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long *offset;

__attribute__((constructor)) static void
begin(void)
{
	int fd = open(getenv("CLOCK_OFFSET"), O_RDONLY | O_CLOEXEC);
	offset = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, clock, now);
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		now->tv_sec += *offset;
	return result;
}

time_t
time(time_t *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *out, void *zone)
{
	struct timespec now;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	out->tv_sec = now.tv_sec;
	out->tv_usec = now.tv_nsec / 1000;
	return 0;
}
"""


class Clock:
    """Processes that have .env see the time of day with an offset that can be set."""

    def __init__(self, folder):
        source, library = folder / "clock.c", folder / "clock.so"
        self.offset = folder / "offset"
        source.write_text(CLOCK)
        subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-D_GNU_SOURCE", "-o", library, source],
                       check=True)
        self.set(0)
        self.env = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self.offset)}

    def set(self, seconds):
        with open(self.offset, "r+b" if self.offset.exists() else "wb") as f:
            f.write(seconds.to_bytes(8, "little", signed=True))


@pytest.mark.skipif(SANITIZED, reason="must be loaded before all else")
@pytest.mark.parametrize("offset", [-DAY, DAY], ids=["back", "forward"])
def test_clock_is_set(server, tmp_path, offset):
    """All limits are of time that passes: nothing ends early, nothing lasts. Only what tells
    the time of day follows."""
    clock = Clock(tmp_path)
    s = server(env=clock.env, workers=2, keepalive=2, header_timeout=2, timeout=2)
    workers = s.wait_workers(2)
    now = parsedate_to_datetime(s.get("/hello").field("Date"))
    with s.connect() as idle, s.connect() as busy, s.connect() as slow:
        assert idle.get("/hello").status == 200
        busy.ask("/sleep?ms=1000")
        slow.send("GET /hello HTTP/1.1\r\n")
        time.sleep(0.2)
        clock.set(offset)
        began = time.monotonic()
        time.sleep(0.5)
        assert idle.get("/hello").status == 200
        assert busy.response().status == 200
        assert slow.response().status == 408
        assert time.monotonic() - began < 6
        assert idle.is_closed()
        assert time.monotonic() - began < 8
    then = parsedate_to_datetime(s.get("/hello").field("Date"))
    assert abs((then - now).total_seconds() - offset) < 60
    assert s.workers() == workers
    began = time.monotonic()
    assert s.get("/sleep?ms=60000").status == 504
    assert 1.5 < time.monotonic() - began < 8
    s.wait_workers(2)
    assert is_served(s)
    days = set(re.findall(r"(?m)^\[(\d+-\d+-\d+) ", s.log()))
    assert len(days) > 1, "the log does not say it"
    s.stop()
