"""Worker classes of one's own: the example, which answers lines with the same in capitals,
lives as the server's own workers do; and classes that are none."""

import re
import signal
import socket
import time

import pytest

from conftest import ALICORN, is_alive, wait_for

TARGET = "python:no.such:thing"  # is the class's business

UPPER = ALICORN.parent / "examples/worker/upper.so"

# Answers a word with what it was given. "sleep" takes longer than any limit; "hang" does, and
# takes no ABRT; "long" does, with signs of life; after "early" run() returns, in "exit" the
# process ends. Before that init() fails if FAULT says why.
SOURCE = r"""
    #include <alicorn-worker.h>
    #include <poll.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <unistd.h>

    static const char *init(const struct al_worker *worker, void **state)
    {
        const char *fault = getenv("FAULT");
        *state = (void *)worker;
        return fault;
    }

    static int answer(const struct al_worker *w, int client)
    {
        char word[32] = "", text[512];
        ssize_t n = read(client, word, sizeof word - 1);
        al_worker_notify(word);
        if (strcmp(word, "hang") == 0) {
            signal(SIGABRT, SIG_IGN);
            for (;;) pause();
        }
        if (strcmp(word, "sleep") == 0)
            for (;;) pause();
        if (strcmp(word, "exit") == 0)
            exit(3);
        if (strcmp(word, "long") == 0)
            for (int i = 0; i < 25; i++) {
                usleep(100000);
                al_worker_notify(word);
            }
        snprintf(text, sizeof text, "WORD %d %s %s %d %u %u %u %u %zu %s %s %s", (int)n, w->name,
            w->target, (int)w->arbiter, w->age, w->generation, w->timeout, w->graceful_timeout,
            w->n_listeners, w->listeners[0].address, al_worker_option("raw_env", 1),
            al_worker_option("nothing", 0) == NULL ? "NULL" : "text");
        al_worker_log(2, "asked %s\n[1] forged", word);
        printf("printed\n");
        write(client, text, strlen(text));
        close(client);
        al_worker_notify(NULL);
        return strcmp(word, "early") == 0 ? 7 : -1;
    }

    static int run(const struct al_worker *w, void *state)
    {
        struct pollfd p[] = { { al_control_fd(), POLLIN, 0 }, { w->listeners[0].fd, 0, 0 } };
        unsigned said;
        int result = -1;
        if (state != w)
            return 9;
        while (((said = al_control()) & AL_CONTROL_STOP) == 0 && result < 0) {
            p[1].events = said & AL_CONTROL_SERVE ? POLLIN : 0;
            if (poll(p, 2, -1) <= 0 || p[1].revents == 0)
                continue;
            int client = accept(w->listeners[0].fd, NULL, NULL);
            if (client >= 0)
                result = answer(w, client);
        }
        return result < 0 ? 0 : result;
    }

    const struct al_worker_class al_worker_class = { ABI, "mine", INIT, RUN };
"""


@pytest.fixture
def build(tmp_path, compile_app):
    def compile_class(word="one", abi="AL_WORKER_ABI", init="init", run="run", name="mine.so"):
        return compile_app(f"#define ABI {abi}\n#define INIT {init}\n#define RUN {run}\n"
                           + SOURCE.replace("WORD", word), name)
    tmp_path.chmod(0o755)
    return compile_class


@pytest.fixture
def start(server):
    def run(shared_object, wait=True, env=None, **settings):
        top = {name: settings.pop(name) for name in ("reload", "reload_engine")
               if name in settings}
        return server(apps={"own": {"target": TARGET, "bind": "127.0.0.1:0",
                                    "worker_class": str(shared_object), **settings}},
                      wait=wait, env=env, **top)
    return run


@pytest.fixture
def upper(start):
    if not UPPER.exists():
        pytest.skip("the examples are not built")
    return lambda **settings: start(UPPER, **settings)


class Lines:
    """A client of the example."""

    def __init__(self, s):
        self.socket = socket.create_connection(s.address, 20)
        self.file = self.socket.makefile("rwb")

    def ask(self, text):
        self.file.write(text.encode() + b"\n")
        self.file.flush()
        return self.file.readline().decode().rstrip("\n")

    def close(self):
        self.file.close()
        self.socket.close()


def ask(s, text):
    """One question, and all of the answer."""
    with socket.create_connection(s.address, 20) as c:
        c.sendall(text.encode())
        answer = b""
        try:
            while piece := c.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
        return answer.decode()


def ask_line(s, text="a line"):
    client = Lines(s)
    try:
        return client.ask(text)
    finally:
        client.close()


# ---- The example -------------------------------------------------------------------------


def test_serves_and_is_stopped(upper):
    s = upper(workers=2)
    s.wait_workers(2)
    client = Lines(s)
    assert client.ask("Hello, x-y") == "HELLO, X-Y"
    assert client.ask("again") == "AGAIN"
    client.close()
    s.stop()
    assert len(re.findall(r"own: worker \d+ stops", s.log())) == 2


def test_a_client_in_service_is_finished(upper):
    s = upper(graceful_timeout=20)
    client = Lines(s)
    assert client.ask("one") == "ONE"
    s.signal(signal.SIGTERM)
    s.wait_log("stop: requests are finished first")
    assert client.ask("two") == "TWO"
    client.close()
    assert s.wait() == 0


def test_who_does_not_finish_is_killed(upper):
    s = upper(graceful_timeout=1)
    client = Lines(s)
    assert client.ask("one") == "ONE"
    s.stop()
    assert client.file.readline() == b""
    client.close()


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_quick_stop(upper, number):
    s = upper(workers=2, graceful_timeout=60)
    client = Lines(s)
    assert client.ask("one") == "ONE"
    s.stop(number)
    client.close()


def test_reload_and_scale(upper):
    s = upper(workers=2)
    old = s.wait_workers(2)
    for n in (1, 2):
        s.signal(signal.SIGHUP)
        s.wait_log("reload done", n)
        assert ask_line(s) == "A LINE"
    new = wait_for(lambda: len(s.workers()) == 2 and s.workers())
    assert not set(old) & set(new)
    s.signal(signal.SIGTTIN)
    s.wait_workers(3)
    for n in (2, 1):
        s.signal(signal.SIGTTOU)
        s.wait_workers(n)
    assert ask_line(s) == "A LINE"


def test_clients_of_a_reload_are_all_served(upper):
    """A worker that is to stop leaves those that wait to the others."""
    s = upper(workers=2)
    for n in range(1, 4):
        s.signal(signal.SIGHUP)
        for i in range(50):
            assert ask_line(s, f"line {i}") == f"LINE {i}"
        s.wait_log("reload done", n)


def test_a_killed_worker_is_replaced(upper):
    s = upper()
    (pid,) = s.wait_workers(1)
    s.signal(signal.SIGKILL, pid)
    s.wait_log(rf"pid {pid}\).*signal 9")
    wait_for(lambda: s.workers() not in ([], [pid]))
    assert ask_line(s) == "A LINE"


def test_logs_are_opened_anew(upper):
    s = upper()
    s.wait_workers(1)
    s.log_file.rename(s.folder / "log.1")
    s.signal(signal.SIGUSR1)
    wait_for(s.log_file.exists, what="a new log")
    time.sleep(0.3)
    s.stop()
    assert "own: worker 1 stops" in s.log_file.read_text()


def test_the_arbiter_has_gone(upper):
    s = upper()
    (pid,) = s.wait_workers(1)
    s.signal(signal.SIGKILL)
    wait_for(lambda: not is_alive(pid), what="its end")
    s.wait_log("own: worker 1 stops")



# ---- What a class is given, and what becomes of it -----------------------------------------


def test_what_it_is_given(start, build):
    s = start(build(), raw_env=["A=1", "B=two"], timeout=60, graceful_timeout=7,
              capture_output=True)
    told = ask(s, "hello").split()
    assert told == ["one", "5", "own", "no.such:thing", str(s.pid), "1", "1", "60", "7", "1",
                    "127.0.0.1:0", "B=two", "NULL"]
    s.wait_log(r"\[WARNING\] own: asked hello\\x0a\[1\] forged")
    s.wait_log("printed")
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    wait_for(lambda: ask(s, "hello").split()[5:7] == ["2", "2"], what="the second generation")


@pytest.mark.parametrize("word,end", [("sleep", "ABRT|signal 6"), ("hang", "KILL|signal 9")])
def test_without_a_sign_of_life(start, build, word, end):
    s = start(build(), timeout=1)
    (pid,) = s.wait_workers(1)
    assert ask(s, word) == ""
    s.wait_log(rf"pid {pid}\), \d\.\d s in {word}: time is over")
    s.wait_log(rf"pid {pid}\).*(request timeout|{end})")
    wait_for(lambda: s.workers() not in ([], [pid]))
    assert ask(s, "hello").startswith("one")


def test_signs_of_life(start, build):
    s = start(build(), timeout=1)
    (pid,) = s.wait_workers(1)
    assert ask(s, "long").startswith("one")
    time.sleep(1.2)  # it waits: no limit counts
    assert s.workers() == [pid] and "time is over" not in s.log()


@pytest.mark.parametrize("word,told", [
    ("early", r"pid {pid}\) ended with status 7"),
    ("exit", r"the application called exit\(3\), in exit")])
def test_run_returns_too_soon(start, build, word, told):
    s = start(build())
    (pid,) = s.wait_workers(1)
    ask(s, word)
    s.wait_log(told.format(pid=pid))
    wait_for(lambda: s.workers() not in ([], [pid]))
    assert ask(s, "hello").startswith("one")


def test_a_change_of_the_class_is_followed_by_a_reload(start, build):
    s = start(build("one"), reload=True, reload_engine="poll")
    assert ask(s, "hello").startswith("one")
    build("two")
    wait_for(lambda: ask(s, "hello").startswith("two"), what="the new class")
    build("bad", run="NULL")
    s.wait_log(r"its al_worker_class has no run\(\)")
    assert ask(s, "hello").startswith("two")
    build("good")
    wait_for(lambda: ask(s, "hello").startswith("good"), what="the next one")


# ---- What is none ----------------------------------------------------------------------------


FAULTS = [
    ({"abi": "AL_WORKER_ABI + 1"}, {}, "mine.so: its interface is 2, the server's is 1"),
    ({"init": "NULL"}, {}, r"mine.so: its al_worker_class has no init\(\)"),
    ({"run": "NULL"}, {}, r"mine.so: its al_worker_class has no run\(\)"),
    ({}, {"FAULT": "no such dictionary"}, "mine: no such dictionary"),
]


@pytest.mark.parametrize("source,env,told", FAULTS)
def test_classes_that_cannot_serve(start, build, alicorn, source, env, told):
    so = build(**source)
    s = start(so, env=env, wait=False)
    assert s.wait() == 4
    s.wait_log(told)
    done = alicorn("--check-config", "-k", so, "-b", "127.0.0.1:0", TARGET, env=env)
    assert done.returncode == 1 and re.search(told, done.stderr), done.stderr


def test_a_reload_to_one_that_cannot_serve_is_given_up(start, build):
    s = start(build("one"))
    build("two", abi="77")
    s.signal(signal.SIGHUP)
    s.wait_log("its interface is 77, the server's is 1")
    s.wait_log("reload failed")
    assert ask(s, "hello").startswith("one")


def test_check_config(alicorn, build):
    done = alicorn("--check-config", "-k", build(), "-b", "127.0.0.1:0", TARGET)
    assert done.returncode == 0, done.stderr


def test_what_is_no_class(alicorn, compile_app, tmp_path):
    for so, status, told in [
            (compile_app("int nothing;"), 4, "undefined symbol: al_worker_class"),
            (compile_app("int al_worker_class(void); extern int missing(void);"
                         "int al_worker_class(void) { return missing(); }", "needs.so"), 4,
             "undefined symbol: missing"),
            ("./none.so", 1, "No such file or directory"),
            ("gevent", 1, "not sync, gthread, iterating or FILE.so")]:
        done = alicorn("-k", so, "-b", "127.0.0.1:0", TARGET)
        assert done.returncode == status and told in done.stderr, done.stderr
    (tmp_path / "text.so").write_text("no shared object")
    done = alicorn("-k", "./text.so", "-b", "127.0.0.1:0", TARGET)
    assert done.returncode == 4 and "text.so: " in done.stderr, done.stderr


def test_not_with_preload_app(alicorn, build):
    done = alicorn("-k", build(), "--preload", "-b", "127.0.0.1:0", TARGET)
    assert done.returncode == 1
    assert "preload_app is not for workers of a kind of one's own" in done.stderr
