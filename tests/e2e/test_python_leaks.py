"""Requests that fail and clients that leave cost nothing that stays, and close() is called in
each case. ALICORN_ENDURANCE=full for long."""

import json
import os
import re
from pathlib import Path

import pytest

from conftest import ALICORN, SANITIZED, TOP, wait_for
from wire import Client, Cut

pytestmark = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                                reason="python3-dev is not installed")

SCALE = 10 if os.environ.get("ALICORN_ENDURANCE") == "full" else 1


def ask(address, path):
    with Client(address) as c:
        return c.get(path)


def told(address, path="/told"):
    return json.loads(ask(address, path).body)


def pss(s):
    """Its own memory: of files the part of each depends on who else has them open."""
    text = Path(f"/proc/{s.workers()[0]}/smaps_rollup").read_text()
    return int(re.search(r"Pss_Anon:\s+(\d+) kB", text, re.M)[1])


def fail(address, times):
    """Half of them after the first byte."""
    for _ in range(times // 4):
        for path in "/raise", "/first":
            assert ask(address, path).status == 500
        for _ in range(2):
            with pytest.raises(Cut):
                ask(address, "/later")


def leave(address, times):
    for _ in range(times):
        with Client(address, receive_buffer=4096) as c:
            c.ask("/endless")
            c.take(1000)


def test_failures_and_clients_that_leave(server):
    s = server(apps={"app": {"target": "python:leak_app", "bind": "127.0.0.1:0", "workers": 1,
                             "chdir": str(TOP / "tests/apps"), "response_buffer_size": 65536,
                             "response_spool_size": 0}},
               env={"PYTHONDONTWRITEBYTECODE": "1"})
    address = s.address
    fail(address, 100)
    leave(address, 20)
    told(address, "/trace")
    fail(address, 20)
    before, memory = told(address), pss(s)
    fail(address, 1000 * SCALE)
    leave(address, 100 * SCALE)
    wait_for(lambda: (now := told(address))["made"] == now["closed"])
    after = told(address)
    assert after["made"] - before["made"] == 850 * SCALE
    assert after["traced"] - before["traced"] < 20_000
    assert SANITIZED or pss(s) - memory < 1500
