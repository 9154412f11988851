"""Every command of every document works; see documents.py for how they are marked."""

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import SANITIZED, TOP
from documents import Reader, sections

DOCUMENTS = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
SHELL = ("sh", "bash", "console")
# Of all documents: what needs systemd, a cluster, root's rights, minutes.
MOST_LEFT_OUT = 12


def name(document):
    return str(document.relative_to(TOP))


def commands(document):
    return [block for _, blocks in sections(document) for block in blocks
            if block.language in SHELL and not block.option("file")]


@pytest.fixture
def folder():
    """With a short name, as sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as name:
        yield Path(name)


as_installed = pytest.mark.skipif(
    SANITIZED, reason="documents are about the program as it is installed")


@as_installed
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if commands(d)], ids=name)
def test_its_commands_work(document, folder):
    reader = Reader(folder)
    try:
        without = reader.read(document)
    finally:
        reader.end()
    if without:
        pytest.skip(f"done, but for what is not installed here: {', '.join(without)}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_its_commands_are_marked(document):
    for block in commands(document):
        assert {"test", "serve", "no-test:"} & set(block.words), f"line {block.line}"
        if block.is_left_out:
            assert block.words[-1] != "no-test:", f"line {block.line}: no reason is given"


def test_few_are_left_out():
    left_out = [f"{name(d)}:{b.line}" for d in DOCUMENTS for b in commands(d) if b.is_left_out]
    assert len(left_out) <= MOST_LEFT_OUT, left_out


def test_the_tests_of_documents_fail_where_they_should(tmp_path):
    document = tmp_path / "x.md"
    for text, told in (("```sh test\nfalse\n```\n", "status 1"),
                       ("```sh serve\nalicorn --nonsense\n```\n", "does not serve"),
                       ("```sh test\necho a b c\n```\n```text output\na ... d\n```\n", "in\na b c")):
        document.write_text(text)
        with pytest.raises(AssertionError, match=re.escape(told)):
            Reader(tmp_path).read(document)


# ---- The manuals -------------------------------------------------------------------------


def manual_commands():
    """The lines of manuals by which the server is started, without what follows them."""
    found = []
    for page in sorted((TOP / "docs").glob("*.[1-8]")):
        for line in re.findall(r"(?m)^\.Dl (alicorn .*)$", page.read_text()):
            words = shlex.split(line.replace("\\&", "").partition("&&")[0])
            if "-c" not in words:
                found.append(pytest.param(words[1:], id=f"{page.name}: {' '.join(words)}"))
    return found


@as_installed
@pytest.mark.parametrize("words", manual_commands())
def test_commands_of_manuals_are_understood(words, folder):
    """With all that they name in place."""
    reader = Reader(folder)
    words = [reader.moved(word) for word in words]
    for word in words:
        if word.startswith("fcgi-exec:") and not Path(word.partition(":")[2]).exists():
            pytest.skip(f"{word} is not installed")
        path = folder / re.sub(r"^(c|php|files|lua):", "", word)
        if path.suffix in (".so", ".lua"):
            path.write_text("")
        elif str(folder) in word and not word.startswith("unix:"):
            path.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["alicorn", "--print-config", *words], cwd=folder,
                          env=reader.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def manual_programs():
    for page in sorted((TOP / "docs").glob("*.[37]")):
        text = page.read_text()
        for n, body in enumerate(re.findall(r"(?ms)^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", text)):
            if body.startswith("#include <alicorn"):
                yield pytest.param(body.replace("\\e", "\\").replace("\\&", ""),
                                   id=f"{page.name}-{n}")


@pytest.mark.parametrize("text", manual_programs())
def test_programs_of_manuals_compile(text, tmp_path):
    (tmp_path / "x.c").write_text(text)
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                    "-Wno-unused-parameter", f"-I{TOP}/gateway", "-fPIC", "-shared", "-o",
                    tmp_path / "x.so", tmp_path / "x.c"], check=True)
