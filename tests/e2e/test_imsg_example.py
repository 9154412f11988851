"""The example of examples/imsg: two programs that use the messages' library alone."""

import os
import subprocess
from pathlib import Path

import pytest

from conftest import ALICORN, TOP, wait_for

PROGRAMS = ALICORN.parent / "examples/imsg"


@pytest.fixture
def receiver(tmp_path):
    """The path of its socket."""
    if not (PROGRAMS / "receiver").exists():
        pytest.skip("the example was not built")
    path = tmp_path / "socket"
    process = subprocess.Popen([PROGRAMS / "receiver", path])
    wait_for(path.exists, what="a socket")
    yield path
    process.terminate()
    assert process.wait() == 0 and not path.exists()


def send(socket, *files):
    return subprocess.run([PROGRAMS / "sender", socket, *files], capture_output=True, text=True)


def test_files_are_counted(receiver, tmp_path):
    large = tmp_path / "large"
    large.write_bytes(b"line\n" * 200000 + b"rest")
    (tmp_path / "empty").touch()
    for _ in range(3):
        done = send(receiver, large, tmp_path / "empty")
        assert done.returncode == 0, done
        assert done.stdout == (f"1000004 bytes, 200000 lines: {large}\n"
                               f"0 bytes, 0 lines: {tmp_path}/empty\n")


def test_many_files(receiver):
    """More than descriptors may wait; none is left open."""
    done = send(receiver, *["/dev/null"] * 2000)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2000


def test_what_cannot_be_opened(receiver):
    done = send(receiver, "/dev/null", "/there/is/none")
    assert done.returncode == 1 and "/there/is/none: No such file" in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_it_is_built_as_the_manual_says(tmp_path):
    if not os.path.exists("/usr/bin/cc"):
        pytest.skip("no compiler")
    manual = (Path(TOP) / "docs/alicorn-imsg.3").read_text()
    command = manual[manual.index("cc -I."):].partition(".Ed")[0].replace("\\e\n", "")
    command = command.replace("-o receiver", f"-o {tmp_path}/receiver")
    assert subprocess.run(command, shell=True, cwd=TOP).returncode == 0
    assert (tmp_path / "receiver").exists()
