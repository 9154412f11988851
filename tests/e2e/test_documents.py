"""Every command of every document works; see documents.py for how they are marked."""

import re
import tempfile
from pathlib import Path

import pytest

from conftest import SANITIZED, TOP
from documents import Reader, sections

DOCUMENTS = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
SHELL = ("sh", "bash", "console")
# Of all documents: what needs systemd, a cluster, root's rights, minutes.
MOST_LEFT_OUT = 25


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


@pytest.mark.skipif(SANITIZED, reason="documents are about the program as it is installed")
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
