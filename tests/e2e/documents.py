"""The commands of a document, run as a reader would. What is done with a fenced block
stands behind its language, where a page that shows the document shows nothing of it:

    ```python file=app.py           the block is that file
    ```sh serve                     a server: runs until the next one, or the end
    ```sh test                      commands: must succeed, under bash -e
    ```text output                  what the commands before must have said; ... is anything
    ```sh no-test: it needs systemd

`needs=php,curl` behind test, serve or file names bindings and programs; where one is not
there, the rest of its section is left out. Ports become free ones, and folders of the
system such of the test.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from conftest import ALICORN, TOP, free_port

BINDINGS = ("python", "php", "lua", "luajit")
PLACES = (".", "../lib/alicorn")
IS_INSTALLED = ALICORN.parent.name == "bin"
OURS = re.compile(r"(?<![\w.])/(srv|run|etc/alicorn|var/log/alicorn|var/www)\b")
PORT = re.compile(r"(?:(?<=:)|(?<=\", )|(?<=listen )|(?<=port ))(\d{4,5})\b(?![:.]\d)")
LIMIT = 60


@dataclass
class Block:
    line: int
    language: str
    words: list
    text: str

    @property
    def is_left_out(self):
        return "no-test:" in self.words

    def option(self, name):
        for word in self.words:
            if word.startswith(name + "="):
                return word[len(name) + 1:]
        return None


def sections(document):
    """The blocks of a document, a list for each section; its title comes first."""
    found, fence = [("", [])], None
    for number, line in enumerate(document.read_text().splitlines(), 1):
        mark = re.match(r"(```+)\s*(\S*)\s*(.*)", line)
        if fence is None and mark and mark[2]:
            fence = mark[1]
            block = Block(number, mark[2], mark[3].split(), "")
            found[-1][1].append(block)
        elif fence is None and mark:
            fence, block = mark[1], Block(number, "", [], "")
        elif fence is not None and line.startswith(fence):
            fence = None
        elif fence is not None:
            block.text += line + "\n"
        elif line.startswith("#"):
            found.append((line.lstrip("# "), []))
    assert fence is None, f"{document}: a block has no end"
    return found


def is_there(need):
    if need in BINDINGS:
        return any((ALICORN.parent / place / f"{need}.so").exists() for place in PLACES)
    if need == "duktape":
        return Path("/usr/include/duktape.h").exists()
    if need == "root":
        return os.getuid() == 0
    return shutil.which(need, path=path()) is not None


def path():
    tools = "" if IS_INSTALLED else f"{TOP}/tools:"
    return f"{ALICORN.parent}:{tools}/usr/bin:/usr/sbin:{os.environ['PATH']}"


@dataclass
class Reader:
    """Somebody who does what a document says, in a folder of his own."""

    folder: object
    ports: dict = field(default_factory=dict)
    server: object = None
    said: str = ""

    def environment(self):
        (self.folder / "pkgconfig").mkdir(exist_ok=True)
        if not IS_INSTALLED:
            (self.folder / "pkgconfig/alicorn.pc").write_text(
                "Name: alicorn\nVersion: 0\nDescription: as it was built\n"
                f"Cflags: -I{TOP}/gateway\nbindingdir={ALICORN.parent}\n")
        env = {"PATH": path(), "HOME": str(self.folder), "TMPDIR": str(self.folder),
               "PORT": self.port("8000"), "PKG_CONFIG_PATH": str(self.folder / "pkgconfig"),
               "ALICORN": str(TOP), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
        if os.getuid() == 0:
            env["ALICORN_CMD_ARGS"] = "--user root"
        return env

    def port(self, text):
        if text not in self.ports:
            new = str(free_port())
            while new in self.ports.values():
                new = str(free_port())
            self.ports[text] = new
        return self.ports[text]

    def moved(self, text):
        """A text of the document, with the test's ports and folders."""
        text = PORT.sub(lambda m: self.port(m[1]), text)
        return OURS.sub(lambda m: f"{self.folder}/{m[1]}", text)

    def as_written(self, text):
        """What the machine said, with the ports and folders of the document."""
        for written, real in self.ports.items():
            text = text.replace(real, written)
        for name in ("srv", "run", "etc", "var"):
            text = text.replace(f"{self.folder}/{name}", f"/{name}")
        return text

    def write(self, block):
        file = self.folder / self.moved(block.option("file"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.moved(block.text))
        if block.text.startswith("#!"):
            file.chmod(0o755)

    def run(self, block):
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", self.moved(block.text)], cwd=self.folder,
            env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=LIMIT)
        self.said = self.as_written(done.stdout)
        assert done.returncode == 0, (
            f"status {done.returncode}:\n{block.text}\n{done.stdout}{done.stderr}\n"
            f"{self.server_log()}")

    def compare(self, block):
        """Where lines are broken may depend on the length of a path."""
        def flat(text):
            return re.sub(r"\s+(?:#\s+)?", " ", text.strip())

        parts = [re.escape(flat(part)) for part in block.text.split("...")]
        assert re.search(".*?".join(parts), flat(self.said)), (
            f"{block.text}\nshould be in\n{self.said}")

    # -- the server

    def server_log(self):
        log = self.folder / "server.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def is_up(self):
        if re.search(r"[Ll]istening (on|at)|spawned uWSGI", self.server_log()):
            return True
        for port in self.ports.values():
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", int(port))) == 0:
                    return True
        return False

    def serve(self, block):
        self.end()
        command = self.moved(block.text)
        env = self.environment()
        with open(self.folder / "server.log", "wb") as log:
            self.server = subprocess.Popen(
                ["bash", "-c", command], cwd=self.folder, env=env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + LIMIT
        while not self.is_up():
            assert self.server.poll() is None and time.monotonic() < end, (
                f"does not serve:\n{command}\n{self.server_log()}")
            time.sleep(0.05)

    def end(self):
        """The session of the server is its own, and ends as a whole."""
        if self.server is None:
            return
        for number, limit in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            try:
                os.killpg(self.server.pid, number)
                self.server.wait(limit)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        self.server = None

    # -- all of it

    def do(self, block):
        if block.option("file"):
            self.write(block)
        elif "serve" in block.words:
            self.serve(block)
        elif "test" in block.words:
            self.run(block)
        elif "output" in block.words:
            self.compare(block)

    def read(self, document):
        """The titles of the sections that were left out, as something is not there."""
        without = []
        for title, blocks in sections(document):
            for block in blocks:
                if not all(map(is_there, filter(None, (block.option("needs") or "").split(",")))):
                    without.append(title)
                    break
                try:
                    self.do(block)
                except (AssertionError, subprocess.TimeoutExpired) as e:
                    raise AssertionError(f"{document.name}:{block.line}: {e}") from None
        return without
