"""As process 1 of a container, and where nothing can be written."""

import os
import shutil
import signal
import subprocess

import pytest

from conftest import PROBE, stat_of, wait_for
from test_upgrade import children

ALONE = ["unshare", "--pid", "--fork", "--kill-child"]
READ_ONLY = ["unshare", "--mount", "sh", "-c",
             'mount -o remount,bind,ro / && ! touch . 2>/dev/null && exec "$@"', "sh"]


def can(launcher):
    return shutil.which("unshare") and subprocess.run(
        [*launcher, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can(ALONE), reason="no process namespaces here")
def test_process_1(server, compile_app):
    path = compile_app("""
        #include <sys/wait.h>
        #include <unistd.h>
        /* Leaves an orphan, which ends soon. */
        int al_handle(void *app, struct al_request *req)
        {
            (void)app;
            pid_t pid = fork();
            if (pid == 0) {
                if (fork() == 0)
                    usleep(200000);
                _Exit(0);
            }
            waitpid(pid, NULL, 0);
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write(req, "x", 1) == -1 ? AL_ERROR : AL_DONE;
        }""")
    s = server(apps={"app": {"target": f"c:{path}", "bind": "127.0.0.1:0"}}, launcher=ALONE)
    (arbiter,) = children(s.pid)
    assert s.get("/").status == 200
    (worker, orphan) = sorted(children(arbiter))
    wait_for(lambda: stat_of(orphan) is None, what="the orphan reaped")
    assert str(orphan) not in s.log()
    os.kill(arbiter, signal.SIGUSR2)
    s.wait_log("USR2: process 1 of a container cannot be replaced")
    os.kill(arbiter, signal.SIGHUP)
    s.wait_log("reload done")
    assert s.get("/").status == 200
    os.kill(arbiter, signal.SIGTERM)
    assert s.wait() == 0


@pytest.mark.skipif(not can(READ_ONLY), reason="no mount namespaces here")
def test_read_only_file_system(server):
    s = server(apps={"probe": {"target": PROBE, "bind": "127.0.0.1:0"}}, errorlog="-",
               launcher=READ_ONLY)
    assert s.get("/hello").status == 200
    s.signal(signal.SIGHUP)
    s.wait_log("reload done")
    assert s.get("/hello").status == 200
    s.stop()
