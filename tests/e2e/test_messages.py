"""Messages of applications: to the other workers of theirs, and to the hook on_message."""

import os
import signal
import subprocess
import threading
import time

import pytest

from conftest import TOP, wait_for

# /send?TEXT sends a message of type 7 with the text to the pool, and a descriptor by which
# its readers write "PID TEXT" to the file that NOTES names; /tell?TEXT sends it to the
# server; /flood sends as many as it says, each of 16 KiB; /sleep takes so many seconds;
# /huge sends one that is too large; /count answers how many have come.
SOURCE = r"""
    #include <errno.h>
    #include <fcntl.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <unistd.h>
    static unsigned come;
    static char bytes[AL_MESSAGE_MAX + 1];

    static void on_message(void *arg, pid_t from, uint32_t type, const void *data, size_t n,
        int fd)
    {
        come++;
        if (fd == -1)
            return;
        dprintf(fd, "%d %d %u %s %.*s\n", (int)getpid(), (int)from, (unsigned)type,
            (const char *)arg, (int)n, (const char *)data);
        close(fd);
    }

    const char *al_worker_init(void **app)
    {
        *app = bytes;
        al_on_message(on_message, "arg");
        return NULL;
    }

    int al_handle(void *app, struct al_request *req)
    {
        const char *path = al_env(req, "PATH_INFO"), *text = al_env(req, "QUERY_STRING");
        long n = strtol(text, NULL, 10);
        int fd = open(getenv("NOTES"), O_WRONLY | O_APPEND), result = 0;
        char answer[64];

        (void)app;
        if (strcmp(path, "/send") == 0)
            result = al_send(AL_TO_POOL, 7, text, strlen(text), fd);
        else if (strcmp(path, "/tell") == 0)
            result = al_send(AL_TO_ARBITER, 8, text, strlen(text), fd);
        else if (strcmp(path, "/huge") == 0)
            result = al_send(AL_TO_POOL, 9, bytes, sizeof bytes, -1);
        else if (strcmp(path, "/sleep") == 0)
            sleep((unsigned)n);
        close(fd);
        while (strcmp(path, "/flood") == 0 && n > 0) {
            if (al_send(AL_TO_POOL, 10, bytes, AL_MESSAGE_MAX, -1) == 0)
                n--;
            else if (errno == EAGAIN)
                break; /* its rest is for the next request */
        }
        snprintf(answer, sizeof answer, "%d %d %u %ld", result,
            result == -1 ? errno : 0, come, n);
        if (al_start(req, "200 OK", NULL, 0) == -1)
            return AL_ERROR;
        return al_write(req, answer, strlen(answer)) == -1 ? AL_ERROR : AL_DONE;
    }"""

PLUG_IN = r"""
    #include <alicorn-hooks.h>
    #include <stdio.h>
    const char *on_message(const struct al_facts *f)
    {
        dprintf(f->fd, "%s %s %d %u %.*s\n", f->pool, f->kind, (int)f->worker,
            (unsigned)f->type, (int)f->length, (const char *)f->data);
        return f->length == 3 ? "three is refused" : NULL;
    }
"""


@pytest.fixture
def start(server, compile_app, tmp_path):
    notes = tmp_path / "notes"
    notes.touch()
    notes.chmod(0o666)
    app = compile_app(SOURCE)

    def run(apps=("a",), settings=(), **of_apps):
        s = server(apps={name: {"target": f"c:{app}", "bind": "127.0.0.1:0", **of_apps}
                         for name in apps}, env={"NOTES": str(notes)}, **dict(settings))
        s.notes = lambda: [line.split() for line in notes.read_text().splitlines()]
        return s
    return run


def test_reaches_all_others_of_the_pool(start):
    s = start(apps=("a", "b"), workers=3)
    s.wait_workers(3, "a"), s.wait_workers(3, "b")
    assert s.get("/send?hello", name="a").text.startswith("0 0")
    wait_for(lambda: len(s.notes()) == 2, what="two notes")
    workers = set(s.workers("a"))
    readers, senders = ({int(note[i]) for note in s.notes()} for i in (0, 1))
    assert len(readers) == 2 and len(senders) == 1 and readers | senders == workers
    assert all(note[2:] == ["7", "arg", "hello"] for note in s.notes())
    time.sleep(0.3)
    assert len(s.notes()) == 2


def test_reaches_workers_of_a_reload_and_not_those_that_leave(start):
    s = start(workers=2, graceful_timeout=20)
    old = set(s.wait_workers(2))
    with s.connect() as c:
        c.ask("/sleep?3")
        time.sleep(0.5)
        s.signal(signal.SIGHUP)
        s.wait_log("reload done: generation 2")
        wait_for(lambda: len(set(s.workers()) - old) == 2)
        assert s.get("/send?new").status == 200
        wait_for(lambda: s.notes())
        assert c.response().status == 200
    assert not {int(note[0]) for note in s.notes()} & old


def test_too_large(start):
    s = start(workers=2)
    result, error, *_ = s.get("/huge").text.split()
    assert (result, os.strerror(int(error))) == ("-1", "Message too long")


def test_who_does_not_read_loses_messages_and_nothing_else(start):
    s = start(workers=2, relief_after=0)
    s.wait_workers(2)
    with s.connect() as busy:
        busy.ask("/sleep?6")
        time.sleep(0.5)
        for _ in range(20):
            assert s.get("/flood?40").status == 200
        s.wait_log(r"worker a \(pid \d+\) does not read what others send: \d+ messages are lost")
        assert busy.response().status == 200
        wait_for(lambda: int(busy.get("/count").text.split()[2]) > 0, what="some have come")
        come = int(busy.get("/count").text.split()[2])
        assert come < 800
        assert s.log().count("does not read") < 10
        assert busy.get("/send?after").status == 200
    wait_for(lambda: s.notes(), what="a note")
    s.stop()


def test_many_senders(start):
    """Each message comes once to each other worker."""
    s = start(workers=3)
    s.wait_workers(3)

    def send():
        for _ in range(20):
            assert s.get("/send?x").text.startswith("0")
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(s.notes()) == 160, what="160 notes")


# ---- To the server ----


@pytest.fixture
def plug_in(tmp_path):
    (tmp_path / "hooks.c").write_text(PLUG_IN)
    subprocess.run(["cc", f"-I{TOP}/gateway", "-fPIC", "-shared", "-o", tmp_path / "hooks.so",
                    tmp_path / "hooks.c"], check=True)
    return "c:./hooks.so:on_message"


def test_hook(start, plug_in):
    s = start(settings={"on_message": plug_in})
    (pid,) = s.wait_workers(1)
    assert s.get("/tell?hello").text.startswith("0")
    wait_for(lambda: s.notes() == [["a", "worker", str(pid), "8", "hello"]])
    assert s.get("/tell?abc").text.startswith("0")
    s.wait_log("hook on_message: .*: three is refused")
    assert s.get("/send?alone").text.startswith("0")


def test_without_a_hook_nobody_hears(start):
    s = start()
    assert s.get("/tell?hello").text.startswith("0")
    assert s.get("/send?hello").text.startswith("0")
    s.stop()
    assert s.notes() == [] and "WARNING" not in s.log()


def test_a_command_is_no_function(alicorn, tmp_path):
    (tmp_path / "x.conf").write_text('target = "a:b";\non_message = "/bin/true";\n')
    done = alicorn("--check-config", "-c", "x.conf")
    assert done.returncode == 1
    assert 'x.conf:2: on_message: "/bin/true": a message is given to a function' in done.stderr
