"""The module alicorn in Python applications: the log, the worker, messages between workers;
threads; iterating workers."""

import ast
import json
import re
import threading

import pytest

from conftest import ALICORN, TOP, wait_for

pytestmark = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                                reason="python3-dev is not installed")


def python(server, target="module_app", **settings):
    return server(apps={"shop": {"target": f"python:{target}", "bind": "127.0.0.1:0",
                                 "workers": 1, "chdir": str(TOP / "tests/apps"), **settings}},
                  env={"PYTHONDONTWRITEBYTECODE": "1"})


def test_log(server):
    s = python(server)
    assert s.get("/log").text == "logged"
    s.wait_log(r"\[ERROR\] shop: of no request")
    for line in (r"\[WARNING\] shop: [-0-9a-f]{36}: GET /log: first line", r"\[WARNING\] .*: second \u2713",
                 r"\[ERROR\] shop: [-0-9a-f]{36}: GET /log: by number"):
        assert re.search(line, s.log()), line
    assert "hardly a line" not in s.log()


def test_worker(server):
    s = python(server)
    told = json.loads(s.get("/worker").body)
    assert told[0] == told[1] >= 1
    assert told[2:6] == ["shop", True, 1, 1]
    assert told[6].startswith("alicorn/") and told[7] in (None, told[7])


def test_the_stub_has_its_names(server):
    names = set()
    for node in ast.parse((TOP / "bindings/python/alicorn.pyi").read_text()).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    assert python(server).get("/names").text.split() == sorted(
        name for name in names if not name.startswith("_"))


def test_what_is_refused(server):
    assert python(server).get("/refuse").text == (
        "OSError ValueError ValueError TypeError TypeError OSError OSError "
        "TypeError ValueError TypeError ValueError")


def receivers(s, text):
    return {int(pid) for pid in re.findall(rf"\[(\d+)\] \[INFO\] shop: received {text}", s.log())}


def send(s, kind, n):
    """Until n workers are there to hear it; their pids and the sender's."""
    for i in range(20):
        sender = int(s.get(f"/send?{kind},{i}").text)
        try:
            wait_for(lambda: len(receivers(s, f"{kind} {i} from {sender}")) == n, limit=1)
        except pytest.fail.Exception:
            continue
        return sender, receivers(s, f"{kind} {i} from {sender}")
    pytest.fail(f"no message was heard:\n{s.log()}")


def test_messages_between_workers(server):
    s = python(server, workers=3)
    pids = s.wait_workers(3)
    sender, heard = send(s, 5, 2)
    assert heard | {sender} == set(pids) and sender not in heard


def test_a_message_carries_a_descriptor(server, tmp_path):
    s = python(server, workers=2)
    pids = s.wait_workers(2)
    send(s, 5, 1)
    file = tmp_path / "file"
    sender = int(s.get(f"/send_file?{file}").text)
    wait_for(lambda: file.read_text() == f"{(set(pids) - {sender}).pop()} has it")


def test_a_receiver_that_fails(server):
    s = python(server, workers=2)
    send(s, 13, 1)
    s.wait_log("ValueError: fails on purpose")
    assert s.get("/worker").status == 200


# ---- Threads -----------------------------------------------------------------------------


def test_threads(server):
    s = python(server, threads=3, pre_request="module_app:pre_request",
               post_request="module_app:post_request")
    assert s.get("/multithread").text == "True"
    told = []

    def ask():
        told.append(s.get("/together").text)
    clients = [threading.Thread(target=ask) for _ in range(3)]
    for c in clients:
        c.start()
    for c in clients:
        c.join()
    assert len(set(told)) == 3
    s.wait_log("post_request True True /together", times=3)
    assert "post_request False" not in s.log() and "Traceback" not in s.log()
    s.stop()


def test_threads_under_load(server):
    s = python(server, threads=4, preload_app=True)

    def ask():
        with s.connect() as c:
            for i in range(200):
                assert json.loads(c.get("/worker").body)[3]
                assert c.get("/multithread").text == "True"
        done.append(1)
    done = []
    clients = [threading.Thread(target=ask) for _ in range(8)]
    for c in clients:
        c.start()
    for c in clients:
        c.join()
    assert len(done) == 8
    s.stop()
    assert "Traceback" not in s.log()


# ---- Iterating workers -------------------------------------------------------------------


def ask(s, path="/"):
    return json.loads(s.get(path).body)


@pytest.mark.parametrize("name", ["simulation", "generating"])
def test_work_between_requests(server, name):
    s = python(server, f"iterating_app:{name}", worker_class="iterating",
               iterate_interval=3_600_000)
    wait_for(lambda: ask(s)["pauses"])
    assert ask(s)["steps"] == 0
    ask(s, "/go?10")
    wait_for(lambda: ask(s)["steps"] == 10)
    ask(s, "/go?10")
    wait_for(lambda: ask(s)["steps"] == 20)
    if name == "simulation":
        s.wait_log("ValueError: step 13")
    else:
        ask(s, "/go?1000")
        wait_for(lambda: ask(s)["steps"] == 100)
        assert ask(s)["steps"] == 100
    s.stop()


def test_an_application_that_is_no_iterator(server):
    s = python(server, "iterating_app:plain", worker_class="iterating")
    s.wait_log("no iterator")
    assert ask(s)["steps"] == 0
