"""The demo that `make run` serves: every page of it, on a free port."""

import os
import re
import subprocess

import pytest

from conftest import ALICORN, SANITIZED, TOP, USER, format_settings, wait_for

BUILD = ALICORN.parent
LANGUAGES = ("python", "php", "lua")
PAGES = {"/": "Alicorn is running", "/c/": "Hello from C", "/python/": "Hello from Python",
         "/php/": "Hello from PHP", "/lua/": "Hello from Lua",
         "/cgi/": "Hello from a CGI program", "/chat/": "WebSocket", "/docs/": "ARCHITECTURE.md",
         "/look.css": "body", "/-/": "python", "/-/metrics": "alicorn_", "/-/healthy": ""}


def absent():
    """Languages that are not installed; PHP opens its extensions in a way that sanitizers
    refuse."""
    return [name for name in LANGUAGES
            if not (BUILD / f"{name}.so").exists() or (name == "php" and SANITIZED)]


def demo(tmp_path):
    text = (TOP / "conf.d/demo.conf").read_text()
    for name in absent():
        text = re.sub(rf"(?ms)^\t{name}: \{{.*?^\t\}};\n", "", text)
        text = re.sub(rf'(?m)^.*app = "{name}".*\n', "", text)
    text = text.replace("127.0.0.1:8000", "127.0.0.1:0").replace("../build/", f"{BUILD}/")
    text = re.sub(r'([":])(\.\./|demo/|demo")', rf"\1{TOP}/conf.d/\2", text)
    return format_settings({**USER, "errorlog": str(tmp_path / "log")}) + text


def test_every_page(server, tmp_path):
    s = server(text=demo(tmp_path), apps=[0])
    with s.connect() as client:
        for path, what in PAGES.items():
            if path.strip("/") in absent():
                continue
            r = client.get(path)
            assert r.status == 200 and what in r.text, (path, r)


def test_the_start_page_leads_everywhere():
    page = (TOP / "conf.d/demo/www/index.html").read_text()
    mounts = re.findall(r'mount = "(/[^"]+)"', (TOP / "conf.d/demo.conf").read_text())
    assert sorted(f"/{href}" for href in re.findall(r'class="card" href="([^"]+)"', page)) == \
        sorted({f"{mount}/" for mount in mounts})


@pytest.mark.skipif(not os.access(TOP / "conf.d/demo/run", os.X_OK), reason="not a checkout")
def test_the_script_that_runs_it(tmp_path):
    """What make run calls, for a build without a language."""
    build = tmp_path / "build"
    build.mkdir()
    for file in BUILD.iterdir():
        if file.name not in ("alicorn", "php.so"):
            (build / file.name).symlink_to(file)
    (build / "alicorn").write_text(f'#!/bin/sh\nexec {ALICORN} "$@" --check-config\n')
    (build / "alicorn").chmod(0o755)
    ran = subprocess.run([TOP / "conf.d/demo/run", build / "alicorn"], text=True,
                         capture_output=True, stdin=subprocess.DEVNULL)
    assert "php is left out" in ran.stderr
    text = (build / "demo.conf").read_text()
    assert 'app = "php"' not in text and "php: {" not in text
    assert ran.returncode == 0, ran.stderr
