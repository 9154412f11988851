"""Connections that leave, by an application that does what few would."""

import signal

import pytest

from conftest import wait_for

# /hold takes the connection, sends "taken", and holds it, deaf to terminate(). By the query:
# "fails" and "ends": so says status() when it is asked; "late": it is given back by the
# status() of another one, at the moment when both are cut off. "crashes": so it does when it
# has taken the connection, and has not returned yet.
SOURCE = r"""
    #include <stdio.h>
    #include <stdlib.h>
    #include <sys/socket.h>
    #include <unistd.h>

    struct hold { struct al_request *req; char how[16]; int fd, told, ended; };
    static struct hold holds[64], *late;
    static unsigned n_holds, n_ended;

    static int status(void *arg)
    {
        struct hold *h = arg;
        if (h->told && late != NULL && h != late && !late->ended) {
            al_finish(late->req, AL_DONE, 0);
            late = NULL;
        }
        return strcmp(h->how, "fails") == 0 ? -1 : strcmp(h->how, "ends") != 0;
    }

    static void terminate(void *arg, enum al_reason reason)
    {
        struct hold *h = arg;
        h->told = 1;
        al_log(NULL, AL_INFO, "told %d", (int)reason);
    }

    static void ended(void *arg)
    {
        ((struct hold *)arg)->ended = 1;
        al_log(NULL, AL_INFO, "ended %u", ++n_ended);
    }

    void before(void *app, struct al_request *req)
    {
        (void)app, (void)req;
        al_log(NULL, AL_INFO, "before");
    }

    void after(void *app, struct al_request *req)
    {
        (void)app;
        al_log(NULL, AL_INFO, "after %u", al_status(req));
    }

    static const struct al_proc proc = { status, terminate, ended };

    int al_handle(void *app, struct al_request *req)
    {
        const char *path = al_env(req, "PATH_INFO");
        const void *unread;
        size_t n;
        (void)app;
        if (strcmp(path, "/sleep") == 0)
            sleep(3);
        if (strcmp(path, "/hold") != 0)
            return al_start(req, "200 OK", NULL, 0);
        struct hold *h = &holds[n_holds++ % 64];
        *h = (struct hold){ .req = req };
        snprintf(h->how, sizeof h->how, "%s", al_env(req, "QUERY_STRING"));
        h->fd = al_socket(req, &unread, &n);
        if (strcmp(h->how, "late") == 0)
            late = h;
        if (strcmp(h->how, "answers") == 0)
            return al_start(req, "201 Created", NULL, 0);
        if (strcmp(h->how, "errors") == 0)
            return AL_ERROR;
        if (strcmp(h->how, "pending") == 0)
            return AL_PENDING;
        send(h->fd, "taken", 5, MSG_NOSIGNAL);
        if (strcmp(h->how, "crashes") == 0)
            abort();
        if (strcmp(h->how, "alone") != 0)
            al_detach(req, &proc, h);
        if (strcmp(h->how, "twice") == 0)
            al_detach(req, &proc, h);
        if (strcmp(h->how, "early") == 0)
            al_finish(req, AL_DONE, 0);
        return AL_ALREADY_HANDLED;
    }
"""


@pytest.fixture
def run(server, compile_app, tmp_path):
    app = compile_app(SOURCE)

    def start(**settings):
        return server(apps={"app": {"target": f"c:{app}", "bind": "127.0.0.1:0", "workers": 1,
                                    "accesslog": str(tmp_path / "access"), **settings}})
    return start


def hold(s, how=""):
    c = s.connect()
    c.ask(f"/hold?{how}")
    assert c.take(5) == b"taken"
    return c


@pytest.mark.parametrize("how", ["fails", "ends"])
def test_what_status_says(run, how):
    s = run()
    with hold(s, how) as c:
        assert c.is_closed()
    s.wait_log("ended 1")
    assert ("has failed" in s.log()) == (how == "fails")


def test_given_back_before_the_return(run):
    s = run()
    with hold(s, "early") as c:
        assert c.is_closed()
    s.wait_log("ended 1")
    assert s.get("/").status == 200


def test_answered_as_usual_after_a_look_at_the_socket(run):
    s = run()
    for how, status in ("answers", 201), ("errors", 500), ("pending", 500):
        assert s.get(f"/hold?{how}").status == status
    s.stop()
    assert "ended" not in s.log().replace("ended with status", "")


def test_the_hooks_of_requests(run):
    s = run(pre_request="before", post_request="after")
    with hold(s, "ends") as c:
        assert c.is_closed()
    s.wait_log("ended 1")
    assert s.get("/").status == 200
    s.wait_log("before(.|\n)*before(.|\n)*after 200")
    assert s.log().count("before") == s.log().count("after 200") == 2


def test_the_deaf_are_cut_off(run):
    s = run(detached_timeout=1, graceful_timeout=1)
    with hold(s) as c, hold(s, "alone") as alone, hold(s, "twice") as twice:
        for client in c, alone, twice:
            assert client.is_closed()
    s.wait_log("told 3", times=2)
    s.wait_log("cut off", times=3)
    s.wait_log("ended 2")
    assert s.get("/").status == 200


def test_cut_off_and_given_back_at_once(run):
    """al_finish() of another thread may have been called just before."""
    s = run(detached_timeout=1, graceful_timeout=1)
    (worker,) = s.wait_workers(1)
    with hold(s, "late") as late, hold(s) as c:
        assert c.is_closed() and late.is_closed()
        s.wait_log("ended 2")
        assert s.get("/").status == 200
    assert s.workers() == [worker], s.log()


def test_a_stop_is_not_waited_for_longer_than_graceful_timeout(run):
    s = run(graceful_timeout=1)
    with hold(s) as c:
        s.signal(signal.SIGTERM)
        assert c.is_closed()
    s.wait_log("told 0")
    s.wait()


def test_a_quick_stop_waits_for_nobody(run):
    s = run(graceful_timeout=60)
    with hold(s) as c:
        assert s.get("/").status == 200  # that of /hold has returned
        s.signal(signal.SIGQUIT)
        assert c.is_closed()
    assert s.wait() == 0


def test_nothing_is_added_to_what_the_application_says(run):
    """A crash is answered 502 only where the gateway answers."""
    s = run()
    with hold(s, "crashes") as c:
        assert c.is_closed()


def test_who_is_in_a_call_is_told_after_it(run):
    """Relief keeps the worker's connections going; terminate() is the main thread's."""
    s = run(detached_timeout=1, graceful_timeout=20)
    with hold(s) as c, s.connect() as slow:
        slow.ask("/sleep")
        assert slow.response().status == 200
        s.wait_log("told 3")
        s.signal(signal.SIGKILL, s.wait_workers(1)[0])
        assert c.is_closed()
    wait_for(lambda: s.get("/").status == 200)
