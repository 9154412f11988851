"""Messages of applications: to the other workers of theirs, and to the hook on_message."""

import os
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import SANITIZED, TOP, wait_for

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


def wait_serving(s, n, name=None):
    """Each of so many workers has sent a message, or was sent one."""
    wait_for(lambda: s.get("/send?warm", name=name) and
             len({pid for note in s.notes() for pid in note[:2]}) == n, what=f"{n} that serve")


def test_reaches_all_others_of_the_pool(start):
    s = start(apps=("a", "b"), workers=3)
    s.wait_workers(3, "a"), s.wait_workers(3, "b")
    wait_serving(s, 3, "a")

    def hellos():
        return [note for note in s.notes() if note[-1] != "warm"]
    assert s.get("/send?hello", name="a").text.startswith("0 0")
    wait_for(lambda: len(hellos()) == 2, what="two notes")
    workers = set(s.workers("a"))
    readers, senders = ({int(note[i]) for note in hellos()} for i in (0, 1))
    assert len(readers) == 2 and len(senders) == 1 and readers | senders == workers
    assert all(note[2:] == ["7", "arg", "hello"] for note in hellos())
    time.sleep(0.3)
    assert len(hellos()) == 2


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
    wait_serving(s, 3)

    def send():
        for _ in range(20):
            assert s.get("/send?x").text.startswith("0")
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: sum(note[-1] == "x" for note in s.notes()) == 160, what="160 notes")


# Receivers know each sender's messages by their numbers, and check the length, the order and
# every byte. /stream?N,SIZE sends so many from a thread of its own, patiently, of up to this
# size; /told answers "PID come wrong lost" for each sender, and /sent whether all are sent.
STREAMS = r"""
    #include <errno.h>
    #include <pthread.h>
    #include <stdatomic.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <unistd.h>
    enum { SENDERS = 64, STREAM = 20 };
    static struct { pid_t pid; uint32_t next; unsigned come, wrong, lost; } seen[SENDERS];
    static _Atomic unsigned running, failed;
    static unsigned long wanted, size;

    static size_t length_of(uint32_t i, unsigned long most) { return (i * 7919ul) % (most + 1); }

    static void on_message(void *arg, pid_t from, uint32_t type, const void *data, size_t n,
        int fd)
    {
        const unsigned char *bytes = data;
        uint32_t head[2], at = 0;
        (void)arg;
        if (fd >= 0)
            close(fd);
        while (at < SENDERS - 1 && seen[at].pid != 0 && seen[at].pid != from)
            at++;
        seen[at].pid = from;
        seen[at].come++;
        if (type != STREAM || n < sizeof head) {
            seen[at].wrong++;
            return;
        }
        memcpy(head, data, sizeof head);
        if (head[0] < seen[at].next || n != sizeof head + length_of(head[0], head[1]))
            seen[at].wrong++;
        for (size_t i = sizeof head; i < n; i++)
            if (bytes[i] != (unsigned char)head[0]) {
                seen[at].wrong++;
                break;
            }
        seen[at].lost += head[0] - seen[at].next;
        seen[at].next = head[0] + 1;
    }

    static void *stream(void *arg)
    {
        static unsigned char bytes[AL_MESSAGE_MAX];
        uint32_t head[2] = { 0, (uint32_t)size };
        (void)arg;
        while (head[0] < wanted) {
            size_t n = sizeof head + length_of(head[0], size);
            memset(bytes, (int)head[0], n);
            memcpy(bytes, head, sizeof head);
            if (al_send(AL_TO_POOL, STREAM, bytes, n, -1) == 0)
                head[0]++;
            else if (errno == EAGAIN)
                usleep(500);
            else {
                failed++;
                break;
            }
        }
        running--;
        return NULL;
    }

    const char *al_worker_init(void **app)
    {
        (void)app;
        al_on_message(on_message, NULL);
        return NULL;
    }

    int al_handle(void *app, struct al_request *req)
    {
        const char *path = al_env(req, "PATH_INFO");
        char text[SENDERS * 64] = "", *end;
        size_t len = 0;
        pthread_t thread;
        (void)app;
        if (strcmp(path, "/stream") == 0) {
            wanted = strtoul(al_env(req, "QUERY_STRING"), &end, 10);
            size = strtoul(end + 1, NULL, 10);
            running++;
            pthread_create(&thread, NULL, stream, NULL);
            pthread_detach(thread);
        } else if (strcmp(path, "/told") == 0) {
            for (int i = 0; i < SENDERS && seen[i].pid != 0; i++)
                len += (size_t)snprintf(text + len, sizeof text - len, "%d %u %u %u\n",
                    (int)seen[i].pid, seen[i].come, seen[i].wrong, seen[i].lost);
        } else if (strcmp(path, "/sleep") == 0) {
            sleep(1);
        }
        if (strcmp(path, "/told") != 0)
            snprintf(text, sizeof text, "%d %u %u", (int)getpid(), running, failed);
        if (al_start(req, "200 OK", NULL, 0) == -1)
            return AL_ERROR;
        return al_write(req, text, strlen(text)) == -1 ? AL_ERROR : AL_DONE;
    }"""


@pytest.fixture
def streams(server, compile_app):
    app = compile_app(STREAMS)

    def run(workers, **settings):
        s = server(apps={"a": {"target": f"c:{app}", "bind": "127.0.0.1:0", "workers": workers,
                               "keepalive": 60, **settings}})
        s.wait_workers(workers)
        return s, connection_to_each(s, workers)
    return run


def connection_to_each(s, n):
    """A connection of each worker, by pid."""
    found = {}
    while len(found) < n:
        for client, response in s.ask_at_once("/pid"):
            if found.setdefault(int(response.text.split()[0]), client) is not client:
                client.close()
    return found


def wait_sent(clients):
    for client in clients:
        wait_for(lambda: client.get("/pid").text.split()[1:] == ["0", "0"], what="all sent")


def told(client):
    """What this worker has seen: sender: (come, wrong, lost)."""
    rows = [list(map(int, line.split())) for line in client.get("/told").text.splitlines()]
    return {row[0]: tuple(row[1:]) for row in rows}


@pytest.mark.parametrize("n,size", [(3000 if SANITIZED else 10_000, 0), (300, 16 * 1024 - 8)])
def test_streams_from_several_workers_at_once(streams, n, size):
    """From threads of their own: nothing is lost to those who have nothing else to do, and
    what is sent comes in its order. No worker dies of it."""
    s, clients = streams(3, relief_after=0)
    for client in clients.values():
        client.get(f"/stream?{n},{size}")
    wait_sent(clients.values())
    for pid, client in clients.items():
        expected = {other: (n, 0, 0) for other in clients if other != pid}
        wait_for(lambda: sum(row[0] for row in told(client).values()) >= 2 * n
                 or "are lost" in s.log(), what="all messages")
        assert told(client) == expected or "are lost" in s.log()
        assert all(row[1] == 0 for row in told(client).values())
    assert set(s.workers()) == set(clients)
    s.stop()


@pytest.mark.parametrize("relief_after", [0, 1])
def test_who_is_busy_gets_them_afterwards_or_loses_them_with_a_line(streams, relief_after):
    s, clients = streams(2, relief_after=relief_after)
    (busy, reader), (pid, sender) = clients.items()
    reader.ask("/sleep")
    n = 5000
    sender.get(f"/stream?{n},100")
    assert reader.response().status == 200
    wait_sent([sender])
    (client,) = [c for p, c in connection_to_each(s, 2).items() if p == busy]
    rows = wait_for(lambda: (now := told(client)) and sum(now[pid][::2]) == n and now
                    or "are lost" in s.log() and now, what="all")
    come, wrong, lost = rows[pid]
    assert wrong == 0 and come >= 1000
    assert lost == 0 or re.search("messages (of other workers )?are lost", s.log())
    assert set(s.workers()) == set(clients)
    # The channel goes on.
    before = told(client)[pid][0]
    client.get("/stream?10,10")
    wait_for(lambda: busy in told(connection_to_each(s, 2)[pid]), what="an answer")
    assert before >= come
    s.stop()


def test_streams_while_reloads_go_on(streams):
    """They go to whoever serves; each sees what it sees in order."""
    s, clients = streams(2, graceful_timeout=20)
    for client in clients.values():
        client.get("/stream?3000,50")
    for n in (1, 2):
        s.signal(signal.SIGHUP)
        s.wait_log("reload done", n)
    wait_for(lambda: len(s.workers()) == 2 and not set(s.workers()) & set(clients))
    for client in connection_to_each(s, 2).values():
        assert all(row[1] == 0 for row in told(client).values())
    assert "WARNING" not in s.log().replace("are lost", "") or "are lost" in s.log()
    assert "signal" not in s.log()
    s.stop()


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
