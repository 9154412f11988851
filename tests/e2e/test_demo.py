"""The demo that `make run` serves: every page of it, on free ports."""

import os
import re

import pytest

from conftest import ALICORN, SANITIZED, TOP, USER, format_settings

BUILD = ALICORN.parent
WHAT = {"start": "Alicorn is running", "hello": "Hello from C", "python": "Hello from Python",
        "php": "Hello from PHP", "lua": "Hello from Lua", "cgi": "Hello from a CGI program",
        "files": "ARCHITECTURE.md", "chat": "WebSocket"}


def demo(tmp_path):
    """The configuration without the applications whose language is not installed."""
    text = (TOP / "conf.d/demo.conf").read_text()
    for name in ("python", "php", "lua"):
        # PHP opens its extensions in a way that sanitizers refuse.
        if not (BUILD / f"{name}.so").exists() or (name == "php" and SANITIZED):
            text = re.sub(rf"(?ms)^\t{name}: \{{.*?^\t\}};\n", "", text)
    text = re.sub(r'127\.0\.0\.1:80\d\d', "127.0.0.1:0", text)
    text = text.replace("../build/", f"{BUILD}/").replace('"demo', f'"{TOP}/conf.d/demo')
    text = re.sub(r"([\":])(\.\./|demo)", rf"\1{TOP}/conf.d/\2", text)
    return format_settings({**USER, "errorlog": str(tmp_path / "log")}) + text


def test_every_page(server, tmp_path):
    text = demo(tmp_path)
    names = re.findall(r"(?m)^\t(\w+): \{", text)
    assert set(names) <= set(WHAT) and len(names) >= 5
    s = server(text=text, apps=dict.fromkeys(names))
    for name in names:
        r = s.get("/", name=name)
        assert r.status == 200 and WHAT[name] in r.text, (name, r)


@pytest.mark.skipif(not os.access(TOP / "conf.d/demo/run", os.X_OK), reason="not a checkout")
def test_the_start_page_names_them_all():
    page = (TOP / "conf.d/demo/start.html").read_text()
    ports = re.findall(r"127\.0\.0\.1:(80\d\d)", (TOP / "conf.d/demo.conf").read_text())
    assert sorted(re.findall(r'data-port="(\d+)"', page)) == sorted(p for p in ports if p != "8000")
