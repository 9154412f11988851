"""Many applications behind one address: what answers a request, whatever the connection was
used for before."""

import os
import random
import shutil
import signal
import socket
import threading
import time

import pytest

from conftest import ALICORN, APPS, PROBE, SANITIZED, TOP, USER, format_settings, free_port, wait_for
from wire import Client

WHO = TOP / "tests/apps/who"
REQUESTS = 1_000_000 if os.environ.get("ALICORN_ENDURANCE") == "full" else 6_000
USERS = ["nobody", "daemon", "games", "man", "mail"]

# name: the settings of its application.
LANGUAGES = {"c": {"target": f"c:{APPS}/who.so"}}
if (ALICORN.parent / "python.so").exists():
    LANGUAGES["python"] = {"target": "python:who:app", "chdir": WHO, "workers": 2}
if (ALICORN.parent / "lua.so").exists():
    LANGUAGES["lua"] = {"target": f"lua:{WHO}/who.lua"}
if (ALICORN.parent / "php.so").exists() and not SANITIZED:
    LANGUAGES["php"] = {"target": f"php:{WHO}/php", "script": "index.php"}
LANGUAGES["cgi"] = {"target": f"cgi:{WHO}/cgi"}


def group(settings):
    return "{ " + format_settings(settings).replace("\n", " ") + "}"


def site(apps, routes, top=None, listeners=None, log=None):
    """A configuration file; routes and listeners as dictionaries."""
    top = {**({"errorlog": log} if log else {}), **USER, **(top or {})}
    text = format_settings(top)
    text += "applications: {\n" + "".join(
        f"{name}: {group(app)};\n" for name, app in apps.items()) + "};\n"
    if listeners:
        text += "listeners = ( " + ", ".join(map(group, listeners)) + " );\n"
    return text + "routes = ( " + ",\n".join(map(group, routes)) + " );\n"


@pytest.fixture
def serve(server, tmp_path):
    """Starts a server with these applications and routes."""
    def start(apps, routes, top=None, listeners=None, n=1):
        top = {"bind": "127.0.0.1:0", **(top or {})}
        text = site(apps, routes, top, listeners, tmp_path / "log")
        s = server(text=text, wait=False)
        s.again = lambda routes: s.configure(
            text=site(apps, routes, top, listeners, tmp_path / "log"))
        wait_for(lambda: s.process.poll() is not None or s.log().count("listening on") >= n,
                 what=f"listening: {s.log()}")
        assert s.process.poll() is None, s.log()
        return s
    return start


def mounted(names):
    return [{"path": f"/{name}/*", "app": name, "mount": f"/{name}"} for name in names
            if name != "cgi"] + [{"path": "/cgi/*", "app": "cgi", "mount": "/cgi"}] * ("cgi" in names)


def path_for(name, number):
    return f"/{name}/{'who/' if name == 'cgi' else ''}{number}?q={number}"


def check(name, number, response):
    assert response.status == 200, (name, number, response)
    who, mount, path, query, address, length = response.text.split("|")
    assert (who, mount, query, address, length) == (name, f"/{name}", f"q={number}", "127.0.0.1", "0")
    assert path == f"/{number}"


# ---- Who answers ------------------------------------------------------------------------


def test_a_connection_alternates_between_languages(serve):
    s = serve(LANGUAGES, mounted(LANGUAGES))
    with s.connect() as c:
        for number in range(40):
            name = list(LANGUAGES)[number % len(LANGUAGES)]
            check(name, number, c.get(path_for(name, number)))


@pytest.mark.parametrize("keepalive", [True, False])
def test_no_wrong_answer_under_load_and_reloads(serve, keepalive):
    """Each answer carries who answered and what was asked."""
    s = serve(LANGUAGES, mounted(LANGUAGES), {"keepalive": 5, "timeout": 60})
    names = [name for name in LANGUAGES if name != "cgi"] * 5 + ["cgi"]
    total = REQUESTS if keepalive else REQUESTS // 4
    failed, threads, done = [], [], [0] * 4

    def ask(i):
        numbers, client = random.Random(i), None
        try:
            while done[i] < total // len(done) and not failed:
                client = client or s.connect()
                name, number = numbers.choice(names), numbers.randrange(10**9)
                # At a reload a worker that leaves may close an idle connection: such a
                # request is asked again, as clients do (RFC 9112 section 9.3.1).
                try:
                    r = client.get(path_for(name, number))
                except (OSError, EOFError, ConnectionError) as error:
                    raise AssertionError(f"{name} {number}: {error!r}")
                check(name, number, r)
                done[i] += 1
                if r.field("Connection") == "close" or not keepalive:
                    client.close()
                    client = None
        except BaseException as error:
            failed.append(repr(error))
            raise
        finally:
            if client:
                client.close()

    for i in range(len(done)):
        threads.append(threading.Thread(target=ask, args=(i,)))
        threads[-1].start()
    reloads = 0
    while any(t.is_alive() for t in threads):
        time.sleep(0.5)
        if sum(done) > reloads * total / 4 and sum(done) < total:
            s.signal(signal.SIGHUP)
            reloads += 1
            s.wait_log(r"reloaded|serves now|generation", times=1)
    for t in threads:
        t.join()
    assert not failed, (failed, s.log())
    assert sum(done) >= total - len(done)
    assert reloads > 0
