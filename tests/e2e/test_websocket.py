"""Connections that leave, by the examples: WebSockets in C and Python."""

import asyncio
import json
import os
import select
import shutil
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from conftest import ALICORN, TOP, stat_of, text_of, wait_for
from websocket_client import (BINARY, CLOSE, HANDSHAKE, PING, PONG, TEXT, WebSocket,
                              close_frame, frame)
from wire import Cut

EXAMPLES = ALICORN.parent / "examples/websocket"
SOURCES = TOP / "examples/websocket"

pytestmark = pytest.mark.skipif(not (EXAMPLES / "chat.so").exists(),
                                reason="the examples are not built (make test-files)")

python = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                            reason="python3-dev is not installed")

TARGETS = {"c": f"c:{EXAMPLES}/chat.so", "python": "python:chat:application",
           "echo": f"c:{EXAMPLES}/echo.so"}


@pytest.fixture(params=["c", pytest.param("python", marks=python)])
def language(request):
    return request.param


@pytest.fixture
def run(server, tmp_path):
    """A server of an example; chat(), of it, is a new client of the chat."""
    def start(example, **settings):
        s = server(apps={"app": {"target": TARGETS[example], "bind": "127.0.0.1:0",
                                 "workers": 1, "chdir": str(SOURCES),
                                 "accesslog": str(tmp_path / "access"), **settings}},
                   env={"PYTHONDONTWRITEBYTECODE": "1"})
        s.path = "/" if example == "echo" else "/chat?ada"
        s.chat = lambda name="ada", **how: WebSocket(s.address, f"/chat?{name}", **how)
        s.access = lambda: text_of(tmp_path / "access").splitlines()
        return s
    return start


# ---- The handshake -----------------------------------------------------------------------

REFUSALS = {
    "no upgrade": ({"Upgrade": None}, 426),
    "another protocol": ({"Upgrade": "h2c"}, 426),
    "no version": ({"Sec-WebSocket-Version": None}, 426),
    "an old version": ({"Sec-WebSocket-Version": "8"}, 426),
    "no key": ({"Sec-WebSocket-Key": None}, 400),
    "a short key": ({"Sec-WebSocket-Key": "c2hvcnQ="}, 400),
    "no base64": ({"Sec-WebSocket-Key": "????????????????????????"}, 400),
    "not for this connection": ({"Connection": "keep-alive"}, 400),
}


def test_refusals(run, language):
    s = run(language)
    with s.connect() as c:
        for what, (changes, status) in REFUSALS.items():
            fields = {k: v for k, v in {**HANDSHAKE, **changes}.items() if v is not None}
            r = c.get("/chat?ada", fields=fields.items())
            assert r.status == status, what
            assert r.field("Sec-WebSocket-Version") == "13"
        assert c.get("/chat", "POST", fields=HANDSHAKE.items()).status == 400
        assert "<title>Chat</title>" in c.get("/").text
        assert c.get("/nowhere").status == 404
    r = s.get("/chat", fields=HANDSHAKE.items(), version="HTTP/1.0")
    assert r.status == 400


# ---- Frames ------------------------------------------------------------------------------


def test_echo_of_all_sizes(run):
    with WebSocket(run("echo").address, "/") as c:
        for n in 0, 1, 125, 126, 65535, 65536, 1 << 20:
            for data in "x" * n, os.urandom(n):
                c.say(data)
                assert c.hear() == data, n
        c.send(close_frame(4321, b"enough"))
        assert c.wait_close() == 4321
        assert c.is_closed()


def test_split_in_any_way(run, language):
    s = run(language)
    with s.chat() as c:
        for byte in frame(TEXT, "grüß dich") + frame(TEXT, ""):
            c.send(bytes([byte]))
        assert [c.hear(), c.hear()] == ["ada: grüß dich", "ada: "]
        c.send(frame(TEXT, "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}".encode()[:3], last=False)
               + frame(PING, b"there?") + frame(0, b"", last=False)
               + frame(0, "ü".encode()[1:] + b"n") + frame(PONG, b"nobody asked"))
        assert c.frame() == (PONG, b"there?")
        assert c.hear() == "ada: grün"
        c.send(close_frame(1000) + frame(TEXT, "and one more thing"))
        assert c.wait_close() == 1000
        assert c.is_closed()


def test_frames_right_behind_the_request(run, language):
    s = run(language)
    with s.chat(behind=frame(TEXT, "in a hurry") + frame(TEXT, "very")[:3]) as c:
        assert c.hear() == "ada: in a hurry"
    with s.chat(behind=frame(TEXT, "hello") + close_frame(1000)) as c:
        assert c.hear() == "ada: hello"
        assert c.wait_close() == 1000
        assert c.is_closed()


FAULTS = {
    "not masked": (frame(TEXT, b"x", masked=False), 1002),
    "reserved bit": (frame(TEXT, b"", head=b"\xc1\x80"), 1002),
    "unknown opcode": (frame(3), 1002),
    "unknown control opcode": (frame(11), 1002),
    "nothing to continue": (frame(0, b"x"), 1002),
    "two messages at once": (frame(TEXT, b"x", last=False) + frame(TEXT, b"y"), 1002),
    "ping in pieces": (frame(PING, b"x", last=False), 1002),
    "long ping": (frame(PING, b"x" * 126), 1002),
    "long form of a length": (frame(TEXT, b"x", head=b"\x81\xfe\0\1"), 1002),
    "length of 64 bits": (frame(TEXT, b"x", head=b"\x81\xff\xff" + b"\0" * 7), 1002),
    "overlong": (frame(TEXT, b"\xc0\x80"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "half a character": (frame(TEXT, b"\xe2\x82"), 1007),
    "not text in a piece": (frame(TEXT, b"a\xff", last=False), 1007),
    "a byte of a code": (frame(CLOSE, b"\x03"), 1002),
    "code 1005": (close_frame(1005), 1002),
    "code 999": (close_frame(999), 1002),
    "reason that is no text": (close_frame(1000, b"\xff"), 1007),
    "too long": (frame(TEXT, b"x" * 4097), 1009),
    "too long, promised": (frame(TEXT, b"", head=b"\x81\xff" + struct.pack("!Q", 1 << 40)), 1009),
    "too long in pieces": (frame(TEXT, b"x" * 4096, last=False) + frame(0, b"x" * 4096), 1009),
    "binary": (frame(BINARY, b"x"), 1008),
}

IN_ORDER = {
    "code 1000": (close_frame(1000, "grüß Gott".encode()), 1000),
    "code 4999": (close_frame(4999), 4999),
    "no code": (frame(CLOSE), 1005),
}


def test_close_codes(run, language):
    s = run(language)
    for what, (data, code) in {**FAULTS, **IN_ORDER}.items():
        with s.chat() as c:
            c.send(data)
            assert c.wait_close() == code, what
            if code == 1008:
                c.send(close_frame(1008))
            c.socket.shutdown(1)
            assert c.is_closed(), what
    assert "Traceback" not in s.log()


def test_who_asks_and_does_not_read_is_not_read_from(run):
    """It holds at most what the queue of a peer may be."""
    s = run("echo")
    with WebSocket(s.address, "/") as c:
        c.socket.settimeout(2)
        sent, data = 0, frame(BINARY, b"x" * 100000)
        with pytest.raises(TimeoutError):
            while sent < 100 << 20:
                c.send(data)
                sent += len(data)
    with WebSocket(s.address, "/") as c:
        c.say("still here")
        assert c.hear() == "still here"


def test_the_library_that_others_use(run, language):
    client = pytest.importorskip("websockets")
    s = run(language)
    host, port = s.address

    async def talk():
        address = f"ws://{host}:{port}/chat?"
        async with client.connect(address + "ada") as ada, client.connect(address + "bob") as bob:
            await ada.send("hello")
            assert await bob.recv() == await ada.recv() == "ada: hello"
            await (await bob.ping())
        assert ada.close_code == bob.close_code == 1000
    asyncio.run(asyncio.wait_for(talk(), 20))


def hears(guest, text):
    """At some time: what others said may come before it."""
    while (heard := guest.hear()) != text:
        assert ": " in heard
    return True


# ---- Several workers ---------------------------------------------------------------------


def sockets_of(pid):
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except FileNotFoundError:
            pass
    return sum(link.startswith("socket:") for link in links)


def in_different_workers(s):
    """Two guests. Who waits for events is given the connection, so all others are stopped
    while the second one comes."""
    pids = s.wait_workers(2)
    before = [sockets_of(pid) for pid in pids]
    ada = s.chat("ada")
    ada.send(frame(PING))
    assert ada.frame() == (PONG, b"")
    home = pids[0] if sockets_of(pids[0]) > before[0] else pids[1]
    os.kill(home, signal.SIGSTOP)
    wait_for(lambda: stat_of(home)[0] == "T", what="the worker has stopped")
    bob = s.chat("bob")
    os.kill(home, signal.SIGCONT)
    return ada, bob, home


@pytest.mark.parametrize("more", [{}, {"threads": 3}, {"relief_after": 0},
                                  {"preload_app": True}], ids=str)
def test_all_workers_hear(run, language, more):
    s = run(language, workers=2, **more)
    ada, bob, home = in_different_workers(s)
    with ada, bob:
        for guest, text in (ada, "hello"), (bob, "hëllo too"):
            guest.say(text)
            name = "ada" if guest is ada else "bob"
            assert [ada.hear(), bob.hear()] == [f"{name}: {text}"] * 2
        # A worker that is killed takes its own guests only.
        os.kill(home, signal.SIGKILL)
        assert ada.is_cut()
        bob.say("alone")
        assert bob.hear() == "bob: alone"
        s.wait_log("ended|killed")
        s.wait_workers(2)
        with s.chat("ada") as ada:
            ada.say("back")
            assert bob.hear() == ada.hear() == "ada: back"


# The chat, and /gate, which waits for a file of this name.
GATED = """
import os, sys, time
sys.path.insert(0, %r)
import chat

def application(environ, start_response):
    while environ["PATH_INFO"] == "/gate" and not os.path.exists("gate"):
        time.sleep(0.01)
    return chat.application(environ, start_response)
"""


@python
@pytest.mark.parametrize("more", [{"workers": 1}, {"workers": 2}, {"workers": 1, "threads": 2}],
                         ids=str)
def test_a_call_that_takes_long_holds_no_guest_up(run, tmp_path, more):
    (tmp_path / "gated.py").write_text(GATED % str(SOURCES))
    s = run("python", target="python:gated:application", chdir=str(tmp_path), **more)
    s.wait_workers(more["workers"])
    kept = [WebSocket(s.address) for _ in range(6)]
    for c in kept:
        assert c.get("/").status == 200
    with s.chat("ada") as ada, s.chat("bob") as bob, s.connect() as slow:
        slow.ask("/gate")
        # Where there are two workers bob may be a guest of the other one, which may be held:
        # messages of other workers wait for the main thread.
        near = [ada] if more.get("workers") == 2 else [ada, bob]
        for text in "one", "two":
            ada.say(text)
            assert [c.hear() for c in near] == [f"ada: {text}"] * len(near)
        if more != {"workers": 1}:
            # Of these some are connections of the worker that is held; they are handed on,
            # with what came behind the request.
            for i, c in enumerate(kept):
                c.upgrade("/chat?eve", behind=frame(TEXT, f"number {i}"))
                assert hears(c, f"eve: number {i}")
        assert not select.select([slow.socket], [], [], 0)[0]
        (tmp_path / "gate").touch()
        assert slow.response().status == 404
        if more != {"workers": 1}:
            assert hears(ada, "eve: number 5") and hears(bob, "eve: number 5")
    for c in kept:
        c.close()


# ---- The end -----------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"threads": 3}, {"relief_after": 0, "workers": 2},
                                  {"preload_app": True}], ids=str)
def test_reasons(run, language, more):
    """1012 at a reload, 1001 at a stop; the connection is logged once, when it ends."""
    s = run(language, graceful_timeout=20, **more)
    old = set(s.wait_workers(more.get("workers", 1)))
    for number, code in (signal.SIGHUP, 1012), (signal.SIGTERM, 1001):
        with s.chat() as c:
            c.say("hello")
            assert c.hear() == "ada: hello"
            lines = len(s.access())
            s.signal(number)
            assert c.follow_close() == code
        wait_for(lambda: len(s.access()) == lines + 1, what="a line of the access log")
        if number == signal.SIGHUP:
            wait_for(lambda: not old & set(s.workers()), what="the old ones have ended")
    assert s.wait() == 0
    assert [line.split('"')[1:3] for line in s.access()] == \
        [["GET /chat?ada HTTP/1.1", " 101 0 "]] * 2
    assert "cut off" not in s.log() and "Traceback" not in s.log()


def test_recycled(run, language):
    s = run(language, max_requests=2, graceful_timeout=20)
    old = s.wait_workers(1)
    with s.chat() as c:
        s.get("/")
        s.get("/")
        assert c.follow_close() == 1012
    wait_for(lambda: s.workers() and not set(old) & set(s.workers()), what="another worker")


def test_time_limit(run, language):
    s = run(language, detached_timeout=1)
    with s.chat() as c:
        c.say("hello")
        assert c.hear() == "ada: hello"
        assert c.follow_close() == 1008


def test_a_client_that_does_not_agree_to_the_end(run, language):
    """The example gives it five seconds, graceful_timeout less: it is cut off."""
    s = run(language, detached_timeout=1, graceful_timeout=2)
    with s.chat() as c:
        assert c.wait_close() == 1008
        assert c.is_closed()
        s.wait_log("cut off")
    with s.chat() as c:
        c.say("still served")
        assert c.hear() == "ada: still served"


def test_those_who_may_stay(run, language):
    s = run(language, detached_stop="stay", graceful_timeout=4)
    (old,) = s.wait_workers(1)
    with s.chat("ada") as ada, s.chat("eve") as eve:
        s.signal(signal.SIGHUP)
        s.wait_log("reload done: generation 2")
        ada.say("still here")
        assert ada.hear() == eve.hear() == "ada: still here"
        with s.chat("bob") as bob:
            bob.say("in the new one")
            assert hears(bob, "bob: in the new one")
        assert old in s.workers()
        # Until graceful_timeout.
        with pytest.raises(Cut):
            while ada.frame():
                pass
        wait_for(lambda: old not in s.workers(), what="the old worker has ended")


def test_the_last_one_lets_the_worker_end(run, language):
    s = run(language, detached_stop="stay", graceful_timeout=60)
    (old,) = s.wait_workers(1)
    with s.chat() as c:
        s.signal(signal.SIGHUP)
        s.wait_log("reload done: generation 2")
        c.send(close_frame(1000))
        assert c.wait_close() == 1000
    wait_for(lambda: old not in s.workers(), what="the old worker has ended")


# ---- Many --------------------------------------------------------------------------------


def those_who_hear(guests):
    """Numbers of those to whom something was said."""
    poll = select.poll()
    numbers = {guest.socket.fileno(): i for i, guest in enumerate(guests)}
    for fd in numbers:
        poll.register(fd, select.POLLIN)
    return [numbers[fd] for fd, _ in poll.poll(100)]


def test_500_clients_over_a_reload(run, language):
    """Each is told 1012, and comes back at once; again, if it came to a worker that was to
    stop next. No attempt fails."""
    s = run(language, workers=2, graceful_timeout=30)
    old = set(s.wait_workers(2))
    guests = [s.chat(f"n{i}") for i in range(500)]
    s.signal(signal.SIGHUP)
    closed = 0
    while (told := those_who_hear(guests)) or old & set(s.workers()):
        for i in told:
            assert guests[i].follow_close() == 1012
            guests[i].close()
            guests[i] = s.chat(f"n{i}")
            closed += 1
    assert closed >= 500
    guests[0].say("all here?")
    for guest in guests:
        assert guest.hear() == "n0: all here?"
        guest.send(close_frame(1000))
    for guest in guests:
        assert guest.wait_close() == 1000
        guest.close()
    wait_for(lambda: len(s.access()) == closed + 500, what="a line for each in the access log")
    assert "WARNING" not in s.log() and "ERROR" not in s.log()


# ---- A browser ---------------------------------------------------------------------------


class Browser:
    """Chromium without a window, asked by the DevTools protocol what its page shows."""

    def __init__(self, folder, url):
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking",
             "--remote-debugging-port=0", f"--user-data-dir={folder}", url],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)}, start_new_session=True)
        port, path = wait_for(lambda: text_of(folder / "DevToolsActivePort").split(), limit=60)
        self.tools = WebSocket(("127.0.0.1", int(port)), path)
        self.asked = 0
        targets = wait_for(lambda: [t for t in self.ask("Target.getTargets")["targetInfos"]
                                    if t["type"] == "page" and t["url"].startswith("http")])
        self.session = self.ask("Target.attachToTarget", targetId=targets[0]["targetId"],
                                flatten=True)["sessionId"]

    def ask(self, method, session=None, **parameters):
        self.asked += 1
        self.tools.say(json.dumps({"id": self.asked, "method": method, "params": parameters,
                                   **({"sessionId": session} if session else {})}))
        while (heard := json.loads(self.tools.hear())).get("id") != self.asked:
            pass  # events
        assert "error" not in heard, heard
        return heard["result"]

    def run(self, script):
        result = self.ask("Runtime.evaluate", self.session, expression=script)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def shows(self, element, text):
        wait_for(lambda: text in self.run(
                     f'document.getElementById("{element}")?.textContent ?? ""'),
                 what=f"{text!r} in #{element}")

    def say(self, text):
        self.run(f"""document.getElementById("text").value = {json.dumps(text)};
                     document.getElementById("form").requestSubmit();""")

    def end(self):
        self.tools.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_a_browser(run, language, tmp_path):
    s = run(language, workers=2)
    host, port = s.address
    browser = Browser(tmp_path / "browser", f"http://{host}:{port}/#eve")
    try:
        browser.shows("state", "connected")
        with s.chat("ada") as ada:
            ada.say("hello <b>you</b>")
            browser.shows("lines", "ada: hello <b>you</b>")
            browser.say("hëllo 🦄")
            assert hears(ada, "eve: hëllo 🦄")
            old = set(s.workers())
            s.signal(signal.SIGHUP)
            assert ada.follow_close() == 1012
        wait_for(lambda: not old & set(s.workers()), what="the old ones have ended")
        browser.shows("state", "connected")
        with s.chat("ada") as ada:
            browser.say("still here")
            assert hears(ada, "eve: still here")
    finally:
        browser.end()
