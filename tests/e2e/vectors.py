"""The vectors of tests/vectors, whose format tests/unit/vectors.h tells."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "vectors"

ESCAPE = re.compile(rb"\\(x..|.)|\{(.*?)\*(\d+)\}", re.DOTALL)
LETTERS = {b"r": b"\r", b"n": b"\n", b"t": b"\t"}


class Vector:
    def __init__(self, title):
        self.name, _, self.rule = (part.strip() for part in title[3:].partition("|"))
        self.expects = []
        self.raw = b""

    def every(self, word):
        """What stands behind a word that begins an expectation."""
        return [e[len(word) + 1:] for e in self.expects if e.split(" ")[0] == word]

    def expected(self, word):
        return next(iter(self.every(word)), None)


def replace(match):
    escape, text, times = match.groups()
    if text is not None:
        return unescape(text) * int(times)
    if escape[:1] == b"x" and len(escape) == 3:
        return bytes([int(escape[1:], 16)])
    return LETTERS.get(escape, escape)


def unescape(line):
    return ESCAPE.sub(replace, line)


def read_vectors(folder):
    """All vectors of all files of a folder."""
    found = []
    for path in sorted((FOLDER / folder).glob("*.txt")):
        for line in path.read_bytes().split(b"\n"):
            if line.startswith(b"==="):
                found.append(Vector(line.decode()))
            elif line.startswith(b"> "):
                found[-1].expects.append(line[2:].decode())
            elif line and not line.startswith((b"#", b">", b"=")):
                found[-1].raw += unescape(line)
    return found
