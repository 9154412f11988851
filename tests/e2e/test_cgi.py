"""CGI programs (RFC 3875): real ones, well-behaved, odd and hostile."""

import os
import re
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from conftest import is_alive, processes, stat_of, wait_for
from wire import Cut

HELLO = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n"
ENV = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec env\n"


def write_program(path, text, mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


@pytest.fixture
def cgi(server, tmp_path):
    """A function that starts a server for a folder of programs: {"a.cgi": "#!/bin/sh …"}."""
    def start(programs, target="", **settings):
        for name, text in programs.items():
            write_program(tmp_path / "bin" / name, text)
        (tmp_path / "bin").mkdir(exist_ok=True)
        return server(apps={"cgi": {"target": f"cgi:{tmp_path}/bin{target}",
                                    "bind": "127.0.0.1:0", "workers": 1, **settings}})
    return start


def environ(response):
    """What env printed."""
    assert response.status == 200, response
    return dict(line.split("=", 1) for line in response.text.splitlines())


def children(s):
    """Processes whose parent is a worker, zombies too."""
    workers = set(s.workers())
    return [pid for pid in processes() if int((stat_of(pid) or [0, -1])[1]) in workers]


def ended(path):
    """True when all processes whose pids stand in the file have ended."""
    return path.exists() and not any(is_alive(int(pid)) for pid in path.read_text().split())


# ---- What a program is given -------------------------------------------------------------


def test_meta_variables(cgi, tmp_path):
    s = cgi({"sub/show.cgi": ENV})
    port = s.address[1]
    env = environ(s.get("/sub/show.cgi/a%20b/%2Fc?x=%41&y", "POST", body=b"12345",
                        fields=[("Content-Type", "text/x"), ("X-One", "1"), ("Proxy", "evil"),
                                ("Authorization", "Basic eDp5"), ("X_One", "forged"),
                                ("Cookie", "a=b"), ("Proxy-Authorization", "Basic eDp5"),
                                ("X-Sendfile-Type", "X-Accel-Redirect"),
                                ("Connection", "keep-alive")]))
    remote_port = env.pop("REMOTE_PORT")
    assert remote_port.isdigit()
    assert env.pop("SERVER_SOFTWARE").startswith("alicorn/")
    assert env.pop("PATH") == os.environ["PATH"]
    assert env.pop("REQUEST_ID") == env.pop("HTTP_X_REQUEST_ID")
    env.pop("PWD", None)  # the shell's own
    env.pop("SHLVL", None)
    env.pop("_", None)
    assert env == {
        "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(port), "REQUEST_METHOD": "POST",
        "REQUEST_SCHEME": "http", "REQUEST_URI": "/sub/show.cgi/a%20b/%2Fc?x=%41&y",
        "SCRIPT_NAME": "/sub/show.cgi", "PATH_INFO": "/a b//c",
        "PATH_TRANSLATED": f"{tmp_path}/bin/a b//c", "QUERY_STRING": "x=%41&y",
        "SCRIPT_FILENAME": f"{tmp_path}/bin/sub/show.cgi", "DOCUMENT_ROOT": f"{tmp_path}/bin",
        "REMOTE_ADDR": "127.0.0.1", "REMOTE_HOST": "127.0.0.1", "CONTENT_LENGTH": "5",
        "CONTENT_TYPE": "text/x", "HTTP_HOST": "test", "HTTP_X_ONE": "1", "HTTP_COOKIE": "a=b"}


def test_without_path_info_and_body(cgi):
    env = environ(cgi({"show.cgi": ENV}).get("/show.cgi"))
    assert env["SCRIPT_NAME"] == "/show.cgi" and env["QUERY_STRING"] == ""
    absent = {"PATH_INFO", "PATH_TRANSLATED", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTPS"}
    assert not absent & set(env)


def test_one_program_answers_everything(cgi, tmp_path):
    s = cgi({"show": ENV}, "/show", root=str(tmp_path))
    env = environ(s.get("/a.git/info?b"))
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("", "/a.git/info")
    assert env["PATH_TRANSLATED"] == f"{tmp_path}/a.git/info"


def test_configured_variables(cgi):
    s = cgi({"show.cgi": ENV}, raw_env=["A=1", "B=1", "SERVER_NAME=lost", "PATH=/bin"],
            params=["B=2", "SERVER_PORT=9", "AUTH_TYPE=Basic", "REMOTE_USER=me"],
            cgi_authorization=True)
    r = s.get("/show.cgi", fields=[("Authorization", "Basic eDp5")])
    env = environ(r)
    names = [line.split("=")[0] for line in r.text.splitlines()]
    assert len(names) == len(set(names))
    assert env["A"] == "1" and env["B"] == "2" and env["PATH"] == "/bin"
    assert env["SERVER_NAME"] == "127.0.0.1" and env["SERVER_PORT"] == "9"
    assert env["REMOTE_USER"] == "me" and env["HTTP_AUTHORIZATION"] == "Basic eDp5"


def test_process_is_clean(cgi, tmp_path):
    s = cgi({"a/look.cgi": """#!/bin/sh
        printf 'Content-Type: text/plain\\n\\n'
        exec 2>&1
        pwd
        for fd in 0 1 2 3 4 5 6 7 8 9; do (: >&$fd) 2>/dev/null && printf "$fd "; done; echo
        echo $$
        cut -d' ' -f5,6 /proc/$$/stat
        exec grep -E '^Sig(Blk|Ign)' /proc/self/status
        """})
    lines = s.get("/a/look.cgi").text.splitlines()
    assert lines[0] == f"{tmp_path}/bin/a"
    assert lines[1].split() == ["0", "1", "2"]  # from 10 on they are the shell's own
    assert lines[3] == f"{lines[2]} {lines[2]}"  # group and session
    masks = {line.split()[0]: int(line.split()[1], 16) for line in lines[4:]}
    internal = 3 << 31  # two signals of the C library, which it ignores in what it spawns
    assert masks["SigBlk:"] == 0 and masks["SigIgn:"] & ~internal == 0


@pytest.mark.parametrize("size", [0, 1, 3000, 300_000, 5_000_000])
def test_body(cgi, size):
    s = cgi({"echo.cgi": "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nexec cat\n"})
    body = os.urandom(size)
    with s.connect() as c:
        assert c.get("/echo.cgi", "POST", body=body).body == body
        assert c.get("/echo.cgi").body == b""  # no body: stdin is at its end


def test_chunked_body(cgi):
    s = cgi({"echo.cgi": "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'$CONTENT_LENGTH:\nexec cat"})
    with s.connect() as c:
        c.send(b"POST /echo.cgi HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert c.response().body == b"5:abcde"


def test_spooled_body_cannot_be_changed(cgi):
    s = cgi({"w.cgi": """#!/usr/bin/perl
        print "Content-Type: text/plain\\n\\n";
        open(my $w, ">&=", 0);
        syswrite($w, "x") ? print "written" : print "no"; """})
    assert s.get("/w.cgi", "POST", body=b"a" * 3_000_000).body == b"no"


def test_program_that_writes_before_it_reads(cgi):
    s = cgi({"both.cgi": """#!/bin/sh
        printf 'Content-Type: a/b\\n\\n'
        head -c 4000000 /dev/zero
        exec cat"""})
    body = os.urandom(2_000_000)
    assert s.get("/both.cgi", "POST", body=body).body == bytes(4_000_000) + body


def test_stderr_goes_to_the_log(cgi):
    s = cgi({"err.cgi": """#!/bin/sh
        printf 'one\\ntw' >&2
        printf 'Content-Type: text/plain\\n\\nbody'
        printf 'o\\033[31m\\n[1] [INFO] forged\\nlast without its end' >&2
        head -c 300000 /dev/zero | tr '\\0' x >&2"""})
    assert s.get("/err.cgi").body == b"body"
    s.wait_log(r"GET /err\.cgi: .*/err\.cgi: one\n")
    s.wait_log(r"/err\.cgi: two")
    s.wait_log("the rest of its stderr is not logged")
    assert "\033" not in s.log() and "\n[1] [INFO] forged" not in s.log()
    assert len(s.log()) < 150_000


def test_endless_stderr_holds_nobody_up(cgi):
    s = cgi({"yes.cgi": "#!/bin/sh\nprintf 'Status: 200\\n\\nbody'\nexec yes >&2\n",
             "a.cgi": HELLO})
    with s.connect() as c:
        c.ask("/yes.cgi")
        for _ in range(20):
            assert s.get("/a.cgi").body == b"hello\n"
        assert c.buffer or c.more() or c.buffer  # it goes on all the time


# ---- Which program -----------------------------------------------------------------------


def test_paths(cgi, tmp_path):
    outside = tmp_path / "outside.cgi"
    write_program(outside, HELLO)
    s = cgi({"a.cgi": HELLO, "sub/b.cgi": HELLO, "sub/deep/c.cgi": HELLO, ".hidden.cgi": HELLO,
             ".git/d.cgi": HELLO, "with/index.cgi": HELLO}, index="index.cgi")
    bin = tmp_path / "bin"
    write_program(bin / "data.txt", HELLO, mode=0o644)
    os.mkfifo(bin / "fifo", 0o755)
    (bin / "out.cgi").symlink_to(outside)
    (bin / "out").symlink_to(tmp_path)
    (bin / "in.cgi").symlink_to(bin / "sub/b.cgi")
    (bin / "gone.cgi").symlink_to("nowhere")
    expected = {
        "/a.cgi": 200, "/a.cgi/": 200, "/a.cgi/more/b.cgi": 200, "//a.cgi": 200,
        "/sub/b.cgi": 200, "/sub//b.cgi": 200, "/sub/deep/c.cgi/x": 200, "/in.cgi": 200,
        "/%61.cgi": 200, "/nothing": 404, "/a.cgi%00": 400, "/sub": 403, "/sub/": 403, "/": 403,
        "/sub/nothing/b.cgi": 404, "/.hidden.cgi": 404, "/.git/d.cgi": 404, "/data.txt": 403,
        "/data.txt/a.cgi": 403, "/fifo": 404, "/out.cgi": 404, "/out/outside.cgi": 404,
        "/gone.cgi": 404, "/../outside.cgi": 400, "/sub/../a.cgi": 400, "/a.cgi/../x": 400,
        "/sub/%2e%2e/a.cgi": 400, "/a.cgi%0a": 400, "/with/": 200, "/with": 301,
        "/with/index.cgi": 200}
    with s.connect() as c:
        for path, status in expected.items():
            if path == "/a.cgi%00":  # the gateway itself refuses, and closes
                assert s.get(path).status == status, path
                continue
            assert c.get(path).status == status, path
        assert c.get("//with?q=1").field("Location") == "/with/?q=1"
    s.wait_log("leads out of")
    s.wait_log("is not executable")


def test_target_that_is_no_program(alicorn, tmp_path):
    (tmp_path / "text").write_text("x")
    done = alicorn(f"cgi:{tmp_path}/text", "-b", "127.0.0.1:0")
    assert done.returncode == 4 and "not a program" in done.stderr
    done = alicorn(f"cgi:{tmp_path}/nothing", "-b", "127.0.0.1:0")
    assert done.returncode != 0 and "No such file" in done.stderr


# ---- What programs answer: status, and the body or a part of the log ---------------------

PERL = "#!/usr/bin/perl\n$| = 1;\n"


def printing(text):
    """A program that prints just this."""
    octal = "".join(f"\\{byte:03o}" for byte in text.encode("latin-1"))
    return f"#!/bin/sh\nprintf '{octal}'\n"


OK = "Content-Type: text/plain\n\n"

ODD = {
    # Proper ones.
    "document": (printing(OK + "body"), 200, b"body"),
    "CRLF": (printing("Content-Type: text/plain\r\nX-A: 1\r\n\r\nbody"), 200, b"body"),
    "mixed line ends": (printing("Content-Type: text/plain\r\nX-A: 1\n\r\nbody"), 200, b"body"),
    "empty body": (printing(OK), 200, b""),
    "no content type": (printing("X-A: 1\n\nbody"), 200, b"body"),
    "status": (printing("Status: 404 Gone Fishing\n" + OK + "body"), 404, b"body"),
    "status alone": (printing("Status: 204\n\n"), 204, b""),
    "204 with a body": (printing("Status: 204\n\nbody"), 204, b""),
    "length": (printing("Content-Length: 4\n" + OK + "body"), 200, b"body"),
    "longer than its length": (printing("Content-Length: 2\n" + OK + "body"), 200, b"bo"),
    "hop-by-hop fields": (printing("Connection: close\nTransfer-Encoding: chunked\n" + OK +
                                   "body"), 200, b"body"),
    "byte by byte": (PERL + 'for (split //, "Content-Type: a/b\\n\\nbody") { print; '
                     'select(undef, undef, undef, 0.002); }', 200, b"body"),
    "does not read its input": (printing(OK + "body"), 200, b"body"),
    "closes its stdin": ("#!/bin/sh\nexec <&-\nprintf 'Status: 200\\n\\nbody'\n", 200, b"body"),
    "status of exit": ("#!/bin/sh\nprintf 'Status: 500\\n\\nerror page'\nexit 255\n", 500,
                       b"error page"),
    "closes its stdout and goes on": ("#!/bin/sh\nprintf 'Status: 200\\n\\nbody'\nexec >&-\n"
                                      "sleep 1\n", 200, b"body"),
    "a child goes on to write": ("#!/bin/sh\nprintf 'Status: 200\\n\\nbo'\n"
                                 "(sleep 0.3; printf dy) &\n", 200, b"body"),
    "a child stays behind": ("#!/bin/sh\nprintf 'Status: 200\\n\\nbody'\n"
                             "sleep 1 >/dev/null 2>&1 &\n", 200, b"body"),
    "fields without an end of the file": (printing("Status: 201 A\nX: " + "y" * 20000 +
                                                   "\n\nbody"), 201, b"body"),
    # Broken before the response has begun.
    "nothing at all": ("#!/bin/sh\n", 502, "ended without a response, with status 0"),
    "fails": ("#!/bin/sh\nexit 3\n", 502, "with status 3"),
    "is killed": ("#!/bin/sh\nkill -9 $$\n", 502, "killed by signal 9"),
    "crashes": ("#!/bin/sh\nkill -SEGV $$\n", 502, "killed by signal 11"),
    "no interpreter": ("#!/no/such/interpreter\n", 502,
                       "it, or the interpreter of its first line, is not there"),
    "no program at all": ("just text", 502, "cannot be run"),
    "html at once": (printing("<html>\n\nbody</html>"), 502, "not a field"),
    "status line of HTTP": (printing("HTTP/1.1 200 OK\r\n\r\nbody"), 502, "not a field"),
    "empty head": (printing("\n\nbody"), 502, "no field"),
    "head without an end": (printing("Content-Type: text/plain\n"), 502, "without an empty line"),
    "huge head": ("#!/bin/sh\nprintf 'X: '\nhead -c 3000000 /dev/zero | tr '\\0' x\n", 502,
                  "too long"),
    "endless head": ("#!/bin/sh\nexec yes 'X: y'\n", 502, "too long"),
    "too many fields": ("#!/bin/sh\nfor i in $(seq 200); do echo X-$i: y; done; echo\n", 502,
                        "too many fields"),
    "NUL in a value": (printing("X-A: a\0b\n" + OK), 502, "NUL"),
    "CR in a value": (printing("X-A: a\rSet-Cookie: b\n" + OK), 502, "CR"),
    "space in a name": (printing("X A: b\n" + OK), 502, "not a field"),
    "folded field": (printing("X-A: a\n b\n" + OK), 502, "not a field"),
    "status is none": (printing("Status: fine\n" + OK), 502, "not valid"),
    "status of three": (printing("Status: 103\n" + OK), 502, None),
    "two statuses": (printing("Status: 200\nStatus: 404\n" + OK), 502, "two Status"),
    "two lengths": (printing("Content-Length: 1\nContent-Length: 2\n" + OK + "ab"), 502, None),
    "length of -1": (printing("Content-Length: -1\n" + OK + "ab"), 502, None),
    "closes stdout without a word": ("#!/bin/sh\nexec >&-\nexec sleep 30\n", 502,
                                     "closed its stdout"),
    # Broken behind that: the end is seen to be missing.
    "shorter than its length": (printing("Content-Length: 100\n" + OK + "body"), Cut, "shorter"),
    "is killed in the middle": ("#!/bin/sh\nprintf 'Status: 200\\n\\nbody'\nsleep 0.3\n"
                                "kill -9 $$\n", Cut, "killed by signal 9"),
}


def ask(c, path):
    """The status and the body; of a response that is cut only that."""
    try:
        r = c.get(path)
        return r.status, r.body
    except Cut:
        return Cut, None


@pytest.fixture(scope="module")
def odd_names():
    return {name: f"/{re.sub('[^a-z]+', '-', name.lower())}.cgi" for name in ODD}


def test_odd_programs(cgi, odd_names):
    """All of them, one after the other, by one worker that stays."""
    s = cgi({odd_names[name][1:]: row[0] for name, row in ODD.items()})
    workers = s.wait_workers(1)
    wrong = []
    for name, (_, outcome, says) in ODD.items():
        with s.connect() as c:
            got, body = ask(c, odd_names[name])
        # On a busy machine nothing may have left yet when it breaks off: better still.
        if got != outcome and (outcome, got) != (Cut, 502):
            wrong.append(f"{name}: {got} {body}")
        if isinstance(says, bytes) and body != says:
            wrong.append(f"{name}: {body}")
        if isinstance(says, str):
            path = re.escape(odd_names[name])
            s.wait_log(f"GET {path}: .*{says}")
    assert not wrong, "\n".join(wrong)
    assert s.workers() == workers
    wait_for(lambda: not children(s), what="no child and no zombie")


def test_connection_goes_on(cgi):
    s = cgi({"a.cgi": HELLO, "bad.cgi": "#!/bin/sh\n"})
    with s.connect() as c:
        for _ in range(3):
            assert c.get("/a.cgi").body == b"hello\n"
        r = c.get("/a.cgi", "HEAD")
        assert (r.status, r.body) == (200, b"")
        assert c.get("/a.cgi").body == b"hello\n"


def test_what_was_written_goes_out_at_once(cgi, tmp_path):
    s = cgi({"slow.cgi": f"""#!/bin/sh
        printf 'Content-Type: text/plain\\n\\nfirst'
        while ! [ -e {tmp_path}/go ]; do sleep 0.02; done
        printf second"""})
    with s.connect() as c:
        c.ask("/slow.cgi")
        wait_for(lambda: b"first" in c.buffer or c.more(), what="the first part")
        (tmp_path / "go").touch()
        assert c.response().body == b"firstsecond"


def test_big_answer_to_a_slow_client(cgi):
    s = cgi({"big.cgi": "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\n"
             "exec head -c 20000000 /dev/zero\n"}, response_buffer_size="64K")
    with s.connect(receive_buffer=4096) as c:
        c.ask("/big.cgi")
        time.sleep(0.5)
        # The program is held up, not copied: it has not written all.
        assert any(is_alive(pid) for pid in children(s))
        assert c.response().body == bytes(20_000_000)


# ---- Redirects ---------------------------------------------------------------------------


def test_client_redirects(cgi):
    s = cgi({
        "absolute.cgi": printing("Location: http://a.example/b?c\n\n"),
        "document.cgi": printing("Status: 303 See Other\nLocation: /x\n" + OK + "over there"),
        "no-status.cgi": printing("Location: http://a.example/\n" + OK + "over there"),
        "host.cgi": printing("Location: //a.example/x\n\n"),
        "fragment.cgi": printing("Location: /x#y\n\n")})
    for path, status, location, body in (
            ("/absolute.cgi", 302, "http://a.example/b?c", b""),
            ("/document.cgi", 303, "/x", b"over there"),
            ("/no-status.cgi", 302, "http://a.example/", b"over there"),
            ("/host.cgi", 302, "//a.example/x", b""),
            ("/fragment.cgi", 302, "/x#y", b"")):
        r = s.get(path)
        assert (r.status, r.field("Location"), r.body) == (status, location, body), path


def test_local_redirect(cgi):
    s = cgi({"from.cgi": printing("Location: /sub/sh%6fw.cgi/in%20fo?a=%42\n\n"),
             "sub/show.cgi": ENV})
    env = environ(s.get("/from.cgi?x", "POST", body=b"abc", fields=[("Content-Type", "a/b"),
                                                                    ("X-One", "1")]))
    assert env["REQUEST_METHOD"] == "GET" and env["SCRIPT_NAME"] == "/sub/show.cgi"
    assert env["PATH_INFO"] == "/in fo" and env["QUERY_STRING"] == "a=%42"
    assert env["REQUEST_URI"] == "/sub/sh%6fw.cgi/in%20fo?a=%42"
    assert "CONTENT_LENGTH" not in env and "CONTENT_TYPE" not in env
    assert env["HTTP_X_ONE"] == "1"


def test_local_redirect_below_a_mount(cgi):
    s = cgi({"in.cgi": printing("Location: /m/show.cgi/x\n\n"), "show.cgi": ENV,
             "out.cgi": "#!/bin/sh\nprintf 'Location: /show.cgi\\n\\nbo'\nsleep 0.2\nprintf dy\n"})
    mount = [("SCRIPT_NAME", "/m")]
    env = environ(s.get("/m/in.cgi", fields=mount))
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/m/show.cgi", "/x")
    assert env["REQUEST_URI"] == "/m/show.cgi/x"
    r = s.get("/m/out.cgi", fields=mount)  # that is another application's
    assert (r.status, r.field("Location"), r.body) == (302, "/show.cgi", b"body")


def test_local_redirect_whose_head_comes_in_pieces(cgi):
    s = cgi({"slow.cgi": PERL + 'for (split //, "Location: /a.cgi\\n\\n") { print; '
             "select(undef, undef, undef, 0.002); }", "a.cgi": HELLO,
             "nowhere.cgi": PERL + 'print "Location: /no"; '
             'select(undef, undef, undef, 0.1); print "thing\\n\\n";'})
    assert s.get("/slow.cgi").body == b"hello\n"
    assert s.get("/nowhere.cgi").status == 404


def test_local_redirects_that_lead_nowhere(cgi, tmp_path):
    s = cgi({"nowhere.cgi": printing("Location: /nothing\n\n"),
             "up.cgi": printing("Location: /../up.cgi\n\n"),
             "self.cgi": f"#!/bin/sh\necho >>{tmp_path}/runs\nprintf 'Location: /self.cgi\\n\\n'\n",
             "ten.cgi": "#!/bin/sh\nn=$((QUERY_STRING + 1))\n"
                        "[ $n = 11 ] && printf 'Status: 200\\n\\nthere' && exit\n"
                        "printf \"Location: /ten.cgi?$n\\n\\n\"\n",
             "hidden.cgi": printing("Location: /.secret.cgi\n\n"), ".secret.cgi": HELLO})
    for path, status in (("/nowhere.cgi", 404), ("/up.cgi", 400), ("/self.cgi", 502),
                         ("/hidden.cgi", 404), ("/ten.cgi?0", 200)):
        assert s.get(path).status == status, path
    s.wait_log("more than 10 local redirects")
    assert len((tmp_path / "runs").read_text()) == 11


def test_local_redirect_has_a_turn_of_its_own(cgi):
    """With one program at a time, those that redirect and those that wait all get there."""
    s = cgi({"from.cgi": printing("Location: /a.cgi\n\n"), "a.cgi": HELLO}, cgi_processes=1)
    clients = [s.connect() for _ in range(6)]
    for c in clients:
        c.ask("/from.cgi")
    for c in clients:
        assert c.response().body == b"hello\n"
        c.close()


# ---- Whole responses, files --------------------------------------------------------------

NPH = printing("HTTP/1.0 201 Made\r\nX-A: 1\r\nContent-Type: text/plain\r\n\r\nbody")


def test_whole_responses_are_refused(cgi):
    s = cgi({"nph-a.cgi": NPH, "to-nph.cgi": printing("Location: /nph-a.cgi\n\n")})
    assert s.get("/nph-a.cgi").status == 501
    assert s.get("/to-nph.cgi").status == 501
    s.wait_log("nph-a.cgi: not run, .*cgi_nph")


def test_whole_responses(cgi):
    s = cgi({"nph-a.cgi": NPH, "nph-b.cgi": printing(OK + "body"), "nph-c.cgi": "#!/bin/sh\n",
             "nph-d.cgi": PERL + 'for (split //, "HTTP/1.1 404 Not Here\\r\\nA: b\\r\\n\\r\\nx") '
             '{ print; select(undef, undef, undef, 0.002); }'}, cgi_nph=True)
    r = s.get("/nph-a.cgi")
    assert (r.status, r.reason, r.field("X-A"), r.body) == (201, "Made", "1", b"body")
    r = s.get("/nph-d.cgi")
    assert (r.status, r.reason, r.field("A"), r.body) == (404, "Not Here", "b", b"x")
    assert s.get("/nph-b.cgi").status == 502
    assert s.get("/nph-c.cgi").status == 502


def test_files_that_a_program_has_sent(cgi, tmp_path):
    files, secret = tmp_path / "files", tmp_path / "secret"
    files.mkdir()
    (files / "a b.bin").write_bytes(os.urandom(300_000))
    secret.write_text("secret")
    (files / "link").symlink_to(secret)
    os.mkfifo(files / "fifo")
    programs = {
        "a.cgi": printing(f"X-Sendfile: {files}/a b.bin\nContent-Length: 3\n" + OK + "not this"),
        "b.cgi": printing(f"X-Accel-Redirect: {files}/a%20b.bin?x\n" + OK),
        "c.cgi": printing("X-LIGHTTPD-send-file: /a b.bin\n" + OK)}
    for n, path in enumerate((secret, files / "link", files / "../secret", files / "fifo", files,
                              files / "nothing", "../secret")):
        programs[f"bad{n}.cgi"] = printing(f"X-Sendfile: {path}\n" + OK + "body")
    s = cgi(programs, sendfile_roots=[str(files)])
    for path in ("/a.cgi", "/b.cgi", "/c.cgi"):
        r = s.get(path)
        assert r.body == (files / "a b.bin").read_bytes()
        assert r.field("Content-Type") == "text/plain"
        assert r.field("X-Sendfile") is None and r.field("X-Accel-Redirect") is None
    for n in range(7):
        assert s.get(f"/bad{n}.cgi").status == 502
    s.wait_log("not in sendfile_roots")


def test_files_are_not_sent_without_folders(cgi, tmp_path):
    s = cgi({"a.cgi": printing("X-Sendfile: /etc/passwd\n" + OK + "body")})
    r = s.get("/a.cgi")
    assert (r.body, r.field("X-Sendfile")) == (b"body", "/etc/passwd")


# ---- Limits ------------------------------------------------------------------------------

# Counts the programs that run at the same time, by folders.
COUNTING = """#!/bin/sh
mkdir $0.d/$$
ls $0.d | wc -l >>$0.seen
sleep 0.2
rmdir $0.d/$$
printf 'Content-Type: text/plain\\n\\nhello\\n'
"""


def test_programs_at_a_time(cgi, tmp_path):
    s = cgi({"a.cgi": COUNTING}, cgi_processes=2)
    (tmp_path / "bin/a.cgi.d").mkdir()
    clients = [s.connect() for _ in range(8)]
    for c in clients:
        c.ask("/a.cgi")
    for c in clients:
        assert c.response().body == b"hello\n"
        c.close()
    seen = [int(n) for n in (tmp_path / "bin/a.cgi.seen").read_text().split()]
    assert len(seen) == 8 and max(seen) <= 2


@pytest.mark.parametrize("timeout", [30, 1])
def test_who_waits_too_long_is_told(cgi, tmp_path, timeout):
    """Also where the limit of the whole request would come first."""
    s = cgi({"slow.cgi": f"#!/bin/sh\nprintf 'Status: 200\\n\\n'\n"
             f"for i in $(seq 200); do [ -e {tmp_path}/go ] && exit; printf x; sleep 0.1; done"},
            cgi_processes=1, queue_timeout=1, timeout=timeout)
    with s.connect() as first, s.connect() as second, s.connect() as gone:
        first.ask("/slow.cgi")
        wait_for(lambda: first.buffer or first.more() or first.buffer)
        gone.ask("/slow.cgi")
        assert second.get("/slow.cgi").status == 503
        (tmp_path / "go").touch()
        assert first.response().status == 200
    s.wait_log("programs run already")
    assert s.get("/slow.cgi").status == 200


STUBBORN = """#!/bin/sh
# With a child, of which none minds TERM.
trap '' TERM
sleep 60 &
echo $$ $! >$0.pids.new && mv $0.pids.new $0.pids
sleep 60
"""

TRAPPED = """#!/bin/sh
trap 'echo TERM >$0.told; exit 0' TERM
sleep 60 &
echo $$ $! >$0.pids.new && mv $0.pids.new $0.pids
wait
"""


def test_time_limit(cgi, tmp_path):
    s = cgi({"a.cgi": TRAPPED, "b.cgi": HELLO}, timeout=1)
    worker = s.wait_workers(1)
    assert s.get("/a.cgi").status == 504
    wait_for(lambda: ended(tmp_path / "bin/a.cgi.pids"), what="the group ended")
    assert (tmp_path / "bin/a.cgi.told").exists()
    assert s.workers() == worker and s.get("/b.cgi").status == 200
    wait_for(lambda: not children(s), what="no zombie")


def test_client_that_leaves(cgi, tmp_path):
    """TERM does not end this program, KILL does."""
    pids = tmp_path / "bin/a.cgi.pids"
    s = cgi({"a.cgi": STUBBORN, "b.cgi": HELLO}, cgi_processes=1)
    c = s.connect()
    c.ask("/a.cgi")
    wait_for(pids.exists)
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    wait_for(lambda: ended(pids), what="the group ended")
    assert s.get("/b.cgi").status == 200  # it had waited for that one
    wait_for(lambda: not children(s), what="no zombie")


@pytest.mark.parametrize("half_closed", ["abort", "answer"])
def test_client_that_closes_its_side(cgi, tmp_path, half_closed):
    """Later than its request: most who do so have gone."""
    pids, gate = tmp_path / "pids", tmp_path / "gate"
    s = cgi({"a.cgi": f"#!/bin/sh\necho $$ >{pids}\nwhile [ ! -e {gate} ]; do sleep 0.05; done\n"
                      "printf 'Content-Type: text/plain\\n\\nhello\\n'\n"},
            half_closed=half_closed)
    tmp_path.chmod(0o777)
    with s.connect() as client:
        client.ask("/a.cgi")
        wait_for(lambda: pids.exists() and pids.read_text(), what="the program runs")
        time.sleep(0.2)
        client.socket.shutdown(socket.SHUT_WR)
        if half_closed == "abort":
            wait_for(lambda: ended(pids), what="the program ended")
        else:
            gate.touch()
            assert client.response().body == b"hello\n"


def test_client_that_closes_its_side_with_its_request_is_answered(cgi):
    s = cgi({"a.cgi": "#!/bin/sh\nsleep 0.3\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n"})
    for _ in range(5):
        with s.connect() as client:
            client.ask("/a.cgi")
            client.socket.shutdown(socket.SHUT_WR)
            assert client.response().body == b"hello\n"


def test_the_same_where_the_worker_is_held_up(cgi):
    """The end came right behind the request, but is seen late."""
    s = cgi({"a.cgi": "#!/bin/sh\nsleep 0.3\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n"})
    worker, = s.wait_workers(1)
    for _ in range(20):
        with s.connect() as client:
            began = time.monotonic()
            client.ask("/a.cgi")
            time.sleep(0.02)
            os.kill(worker, signal.SIGSTOP)
            client.socket.shutdown(socket.SHUT_WR)
            is_right_behind = time.monotonic() - began < 0.08
            time.sleep(0.2)
            os.kill(worker, signal.SIGCONT)
            if is_right_behind:
                assert client.response().body == b"hello\n"
                return
    pytest.skip("the machine is too busy")


def test_client_that_leaves_while_it_waits(cgi, tmp_path):
    s = cgi({"a.cgi": f"#!/bin/sh\necho >>{tmp_path}/runs\n"
             f"while ! [ -e {tmp_path}/go ]; do sleep 0.02; done\nprintf 'Status: 200\\n\\n'"},
            cgi_processes=1)
    with s.connect() as first:
        first.ask("/a.cgi")
        wait_for((tmp_path / "runs").exists)
        second = s.connect()
        second.ask("/a.cgi")
        time.sleep(0.1)
        second.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        second.close()
        time.sleep(0.1)
        (tmp_path / "go").touch()
        assert first.response().status == 200
    assert s.get("/a.cgi").status == 200
    assert len((tmp_path / "runs").read_text()) == 2


def test_program_that_goes_on_behind_its_response(cgi, tmp_path):
    """It may, for `timeout`."""
    s = cgi({"a.cgi": "#!/bin/sh\necho $$ >$0.pids\nprintf 'Status: 200\\n\\nbody'\n"
             "exec >&-\nsleep 0.5\necho later >&2\ntouch $0.done\nexec sleep 60\n"}, timeout=2)
    assert s.get("/a.cgi").body == b"body"
    wait_for((tmp_path / "bin/a.cgi.done").exists)
    s.wait_log("a.cgi: later")
    wait_for(lambda: ended(tmp_path / "bin/a.cgi.pids"), what="it was stopped")
    s.wait_log("after its response, is stopped")
    wait_for(lambda: not children(s), what="no zombie")


def test_graceful_stop_waits_for_programs(cgi, tmp_path):
    s = cgi({"a.cgi": f"#!/bin/sh\ntouch {tmp_path}/runs\nsleep 0.7\n"
             "printf 'Status: 200\\n\\nbody'\n"})
    with s.connect() as c:
        c.ask("/a.cgi")
        wait_for((tmp_path / "runs").exists)
        s.signal(signal.SIGTERM)
        assert c.response().body == b"body"
    assert s.wait() == 0


def test_quick_stop_kills_programs(cgi, tmp_path):
    pids = tmp_path / "bin/a.cgi.pids"
    s = cgi({"a.cgi": STUBBORN})
    with s.connect() as c:
        c.ask("/a.cgi")
        wait_for(pids.exists)
        s.signal(signal.SIGQUIT)
        s.wait()
        wait_for(lambda: ended(pids), what="the group ended")


def test_without_descriptors(cgi):
    """Who cannot be served now is told, and it passes."""
    s = cgi({"a.cgi": "#!/bin/sh\nsleep 0.2\nprintf 'Status: 200\\n\\nhello'\n"},
            limit_files=48, cgi_processes=100)
    clients = [s.connect() for _ in range(16)]
    for c in clients:
        c.ask("/a.cgi")
    statuses = set()
    for c in clients:
        statuses.add(c.response().status)
        c.close()
    assert statuses == {200, 503}
    assert s.get("/a.cgi").status == 200
    wait_for(lambda: not children(s), what="no zombie")


def test_many_at_once_leave_nothing_behind(cgi):
    s = cgi({"a.cgi": HELLO, "fails.cgi": "#!/bin/sh\nexit 1\n"}, preload_app=True)
    (worker,) = s.wait_workers(1)
    s.get("/a.cgi")
    before = len(list(Path(f"/proc/{worker}/fd").iterdir()))
    clients = [s.connect() for _ in range(20)]
    for _ in range(5):
        for n, c in enumerate(clients):
            c.ask("/a.cgi")
        for c in clients:
            assert c.response().body == b"hello\n"
    for c in clients:
        c.close()
    assert s.get("/fails.cgi").status == 502
    wait_for(lambda: not children(s), what="no zombie")
    wait_for(lambda: len(list(Path(f"/proc/{worker}/fd").iterdir())) <= before,
             what="no descriptor more")
