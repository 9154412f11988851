"""Arguments, the configuration's checks, exit statuses."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import ALICORN, APPS, AS_USER, PROBE, saying, wait_for
from wire import Client


def test_help_names_gunicorns_flags(alicorn):
    done = alicorn("--help")
    assert done.returncode == 0 and done.stderr == ""
    for flag in ("-b", "--bind", "-w", "--workers", "-c", "--config", "-t", "--timeout",
                 "--graceful-timeout", "--keep-alive", "--error-logfile", "--log-level",
                 "-p", "--pid", "--chdir", "--env", "--check-config", "--print-config",
                 "--limit-request-field_size", "--version"):
        assert re.search(rf"(^|[\s,|]){re.escape(flag)}\b", done.stdout), flag
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_version(alicorn):
    done = alicorn("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"alicorn[ /]\d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize("arguments", [
    ["--nonsense"], ["-Z"], ["-w"], ["-w", "many", "x.so"], ["-w", "0", "x.so"],
    ["--workers=-1", "x.so"], ["--timeout=99999999999999999999", "x.so"],
    ["--log-level=loud", "x.so"], [], ["x.so", "y.so"],
])
def test_usage_errors(alicorn, arguments):
    done = alicorn(*arguments)
    assert done.returncode == 2, done
    assert done.stderr and done.stdout == ""
    assert len(done.stderr.splitlines()) < 10


def test_missing_file(alicorn):
    done = alicorn("-c", "nowhere.conf")
    assert done.returncode == 1 and "nowhere.conf" in done.stderr


def test_faults_in_a_file_are_told_with_their_lines(alicorn, tmp_path):
    (tmp_path / "bad.conf").write_text(
        'workers = 2;\nworkerz = 3;\ntimeout = "x";\n'
        f'applications: {{ a: {{ target = "{PROBE}";\n\ncolour = 1; }}; }};\n')
    for arguments in (["-c", "bad.conf"], ["--check-config", "-c", "bad.conf"]):
        done = alicorn(*arguments)
        assert done.returncode == 1
        for line in (2, 3, 6):
            assert f"bad.conf:{line}:" in done.stderr, (line, done.stderr)


@pytest.mark.parametrize("setting", [
    'bind = "127.0.0.1:99999"', 'bind = "[::1:80"', 'workers = 1.5',
    'limit_request_body = "1X"', 'raw_env = [ "=1" ]', 'loglevel = "loud"'])
def test_bad_value_is_told_with_its_line(alicorn, tmp_path, setting):
    where = "" if "loglevel" in setting else f"{setting};"
    top = "" if where else f"{setting};"
    (tmp_path / "bad.conf").write_text(
        f'{top}\napplications: {{ a: {{ target = "{PROBE}";\n{where} }}; }};\n')
    done = alicorn("--check-config", "-c", "bad.conf")
    assert done.returncode == 1
    assert f"bad.conf:{3 if where else 1}:" in done.stderr
    assert setting.partition(" ")[0] in done.stderr


def test_check_config(alicorn, tmp_path):
    (tmp_path / "good.conf").write_text(
        f'applications: {{ a: {{ target = "{PROBE}"; bind = "127.0.0.1:1"; }}; }};\n')
    done = alicorn("--check-config", "-c", "good.conf")
    assert done.returncode == 0, done


def test_print_config_reads_back_the_same(alicorn, tmp_path):
    env = {"ALICORN_CMD_ARGS": "--timeout 11 --keep-alive=7", "WEB_CONCURRENCY": "5"}
    done = alicorn("--print-config", "--keep-alive", "9", "-b", "127.0.0.1:1",
                   "-b", "unix:/tmp/x.sock", "-e", 'A=b "c" \\d', PROBE, env=env)
    assert done.returncode == 0, done
    for line in (r"workers = 5;.*WEB_CONCURRENCY", r"timeout = 11;.*ALICORN_CMD_ARGS",
                 r"keepalive = 9;.*command line", r"header_timeout = 10;.*default"):
        assert re.search(line, done.stdout), (line, done.stdout)
    (tmp_path / "again.conf").write_text(done.stdout)
    again = alicorn("--print-config", "-c", "again.conf")
    assert again.returncode == 0, again
    bare = [re.sub(r"\s*(#|//|/\*).*", "", text) for text in (done.stdout, again.stdout)]
    assert bare[0] == bare[1]


def test_order_of_strength(alicorn, tmp_path):
    (tmp_path / "a.conf").write_text(
        "workers = 2; timeout = 2; keepalive = 2;\n"
        f'applications: {{ a: {{ target = "{PROBE}"; keepalive = 3; }}; }};\n')
    out = alicorn("--print-config", "-c", "a.conf", "--timeout", "8",
                  env={"ALICORN_CMD_ARGS": "-w 5 --timeout 5", "WEB_CONCURRENCY": "9"}).stdout
    a = out[out.index("applications"):]
    assert re.search(r"\btimeout = 8;", out) and re.search(r"\bworkers = 5;", out)
    assert re.search(r"\bkeepalive = 3;", a)


def test_environment_variables(alicorn):
    out = alicorn("--print-config", PROBE, env={"PORT": "1234"}).stdout
    assert re.search(r'bind = .*:1234"', out)


@pytest.mark.parametrize("target", ["{path}", "c:{path}", "./app.so"])
def test_short_form(server, compile_app, target):
    path = compile_app(saying("short"))
    s = server(arguments=["-b", "127.0.0.1:0", "-w", "2", target.format(path=path)])
    assert s.get("/").body == b"short"
    assert len(s.wait_workers(2)) == 2
    s.stop()


def started(arguments, cwd="/"):
    """Starts a program and waits until it listens; its port and the process."""
    process = subprocess.Popen(arguments, cwd=cwd, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    for line in process.stderr:
        listening = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
        if listening:
            return int(listening[1]), process
    pytest.fail(f"ended with status {process.wait()}")


def ended(process):
    process.terminate()
    process.communicate(timeout=20)
    return process.returncode


def test_chdir_and_bindings_beside_the_program(compile_app, tmp_path):
    """Where it is started, and by which name, does not matter."""
    path = compile_app("""
        #include <unistd.h>
        int al_handle(void *app, struct al_request *req)
        {
            char folder[4096];

            (void)app;
            if (getcwd(folder, sizeof(folder)) == NULL || al_start(req, "200", NULL, 0) == -1)
                return AL_ERROR;
            return al_write(req, folder, strlen(folder)) == -1 ? AL_ERROR : AL_DONE;
        }""")
    link, there = tmp_path / "link", tmp_path / "there"
    link.symlink_to(ALICORN)
    there.mkdir()
    port, process = started([link, *AS_USER, "-b", "127.0.0.1:0", "--chdir", there, path])
    try:
        with Client(("127.0.0.1", port)) as c:
            assert c.get("/").text == str(there)
    finally:
        assert ended(process) == 0


def test_installed_program_finds_its_bindings(tmp_path):
    for part, name in (("bin", "alicorn"), ("lib/alicorn", "c.so")):
        (tmp_path / part).mkdir(parents=True)
        shutil.copy(ALICORN.parent / name, tmp_path / part)
    _, process = started(
        [tmp_path / "bin/alicorn", *AS_USER, "-b", "127.0.0.1:0", APPS / "probe.so"])
    assert ended(process) == 0


def test_chdir_to_nowhere_is_told(alicorn):
    done = alicorn("-b", "127.0.0.1:0", "--chdir", "/nowhere", APPS / "probe.so")
    assert done.returncode in (1, 3, 4) and "/nowhere" in done.stderr


def test_missing_binding_is_told(tmp_path):
    shutil.copy(ALICORN, tmp_path)
    done = subprocess.run([tmp_path / "alicorn", *AS_USER, "-b", "127.0.0.1:0", APPS / "probe.so"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode in (1, 4) and "c.so" in done.stderr


def test_missing_shared_object(alicorn):
    done = alicorn("-b", "127.0.0.1:0", "./nowhere.so")
    assert done.returncode in (1, 4) and "nowhere.so" in done.stderr


def test_shared_object_without_the_function(alicorn, compile_app):
    path = compile_app("int nothing(void); int nothing(void) { return 0; }")
    done = alicorn("-b", "127.0.0.1:0", path)
    assert done.returncode == 4 and "al_handle" in done.stderr


def test_address_in_use(server, alicorn):
    s = server()
    done = alicorn("-b", f"127.0.0.1:{s.address[1]}", APPS / "probe.so")
    assert done.returncode == 1
    assert f"127.0.0.1:{s.address[1]}" in done.stderr and "in use" in done.stderr


def test_address_that_cannot_be_bound(alicorn):
    done = alicorn("-b", "192.0.2.1:80", APPS / "probe.so")
    assert done.returncode == 1 and "192.0.2.1" in done.stderr


def test_log_levels(server):
    s = server(loglevel="error", wait=False)
    wait_for(lambda: len(s.workers()) == 1, what="a worker")
    s.stop()
    assert "[INFO]" not in s.log() and "[WARNING]" not in s.log()


def test_environment_of_the_application(server, compile_app):
    path = compile_app("""
        #include <stdlib.h>
        int al_handle(void *app, struct al_request *req)
        {
            const char *value = getenv(al_env(req, "QUERY_STRING"));

            (void)app;
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            if (value == NULL)
                value = "(none)";
            return al_write(req, value, strlen(value)) == -1 ? AL_ERROR : AL_DONE;
        }""")
    s = server(apps={"a": {"target": f"c:{path}", "bind": "127.0.0.1:0",
                           "raw_env": ["ONE=1=1", "EMPTY="]}}, env={"FROM_OUTSIDE": "yes"})
    assert s.get("/?ONE").text == "1=1"
    assert s.get("/?EMPTY").text == ""
    assert s.get("/?FROM_OUTSIDE").text == "yes"
    assert s.get("/?NONE").text == "(none)"


def test_output_to_a_closed_pipe_does_not_end_the_server(compile_app):
    """The reader of its stderr has gone."""
    path = compile_app(saying("x"))
    _, process = started([ALICORN, *AS_USER, "-b", "127.0.0.1:0", path])
    try:
        process.stderr.close()
        process.send_signal(signal.SIGTTIN)
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: os.waitid(os.P_PID, process.pid, os.WNOHANG | os.WEXITED |
                                   os.WNOWAIT) is None)
    finally:
        process.terminate()
        assert process.wait(20) == 0
