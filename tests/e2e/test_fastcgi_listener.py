"""Listeners that speak FastCGI, and what web servers may say there, well or badly."""

import socket
import struct
import threading
from signal import SIGHUP

import pytest

from conftest import PROBE, is_alive, wait_for
from fastcgi_client import (ABORT, AUTHORIZER, CANT_MPX, COMPLETE, END, GET_VALUES,
                            GET_VALUES_RESULT, PARAMS, STDIN, UNKNOWN_ROLE, UNKNOWN_TYPE,
                            Client, Cut, begin, decode_pairs, encode, encode_pair, record,
                            request, stream, variables)

MB = bytes(i * 7 % 251 for i in range(1 << 20))


@pytest.fixture
def listen(server):
    """A function that starts the probe behind FastCGI; client() of it connects."""
    def start(bind="127.0.0.1:0", **settings):
        s = server(apps={"probe": {"target": PROBE, "bind": bind, "protocol": "fastcgi"}},
                   **settings)
        s.client = lambda: Client(s.address)
        return s
    return start


@pytest.fixture
def unix(tmp_path_factory):
    return f"unix:{tmp_path_factory.mktemp('s')}/fcgi"


# ---- What the application sees --------------------------------------------------------------


def test_the_environ(listen):
    with listen().client() as c:
        env = c.get("/env?a=%20b", HTTP_X_FOO_BAR="yes", REMOTE_USER="ann", HTTP_COOKIE="c=d",
                    CONTENT_TYPE="text/x", SERVER_PROTOCOL="HTTP/2.0", HTTP_PROXY="evil",
                    HTTP_CONTENT_TYPE="no", PYTHONPATH="/evil", SCRIPT_FILENAME="/evil",
                    **{"wsgi.input": "evil", "HTTP_x_lower": "evil"}).environ
    assert env == {
        "REQUEST_METHOD": "GET", "REQUEST_SCHEME": "http", "REQUEST_URI": "/env?a=%20b",
        "RAW_URI": "/env?a=%20b", "SCRIPT_NAME": "", "PATH_INFO": "/env",
        "QUERY_STRING": "a=%20b", "SERVER_NAME": "server.test", "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/2.0", "SERVER_SOFTWARE": env["SERVER_SOFTWARE"],
        "GATEWAY_INTERFACE": "CGI/1.1", "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711",
        "REMOTE_USER": "ann", "HTTP_HOST": "host.test", "HTTP_X_FOO_BAR": "yes",
        "HTTP_COOKIE": "c=d", "CONTENT_TYPE": "text/x",
        "REQUEST_ID": env["REQUEST_ID"], "HTTP_X_REQUEST_ID": env["REQUEST_ID"]}


@pytest.mark.parametrize("told, seen", [
    ({"SCRIPT_NAME": "/app", "PATH_INFO": "/env"}, ("/app", "/env")),
    ({"SCRIPT_NAME": "/", "PATH_INFO": "/env"}, ("", "/env")),
    ({"SCRIPT_NAME": "/env", "PATH_INFO": None}, ("", "/env")),  # nginx as it is
    ({"SCRIPT_NAME": None, "PATH_INFO": None}, ("", "/env"))])
def test_paths(listen, told, seen):
    with listen().client() as c:
        env = c.get("/env", **told).environ
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == seen


def test_a_decoded_path_is_not_decoded_again(listen):
    with listen().client() as c:
        assert c.get("/%2565nv", PATH_INFO="/%65nv").status == 404
        assert c.socket.recv(1) == b""


@pytest.mark.parametrize("told, scheme", [
    ({"HTTPS": "on"}, "https"), ({"HTTPS": "off"}, "http"), ({"HTTPS": ""}, "http"),
    ({"REQUEST_SCHEME": "https"}, "https"),
    ({"HTTPS": "on", "REQUEST_SCHEME": "http"}, "https"),
    ({"HTTP_X_FORWARDED_PROTO": "https"}, "http")])
def test_the_scheme(listen, told, scheme):
    with listen().client() as c:
        assert c.get("/env", **told).environ["REQUEST_SCHEME"] == scheme


@pytest.mark.parametrize("told, seen", [
    ("2001:db8::1", "2001:db8::1"), ("unix:", ""), ("", "")])
def test_the_client(listen, told, seen):
    with listen().client() as c:
        assert c.get("/env", REMOTE_ADDR=told).environ["REMOTE_ADDR"] == seen


def test_of_a_variable_that_comes_twice_the_last_value_counts(listen):
    """As in: include fastcgi_params; fastcgi_param SCRIPT_NAME "";"""
    told = encode(variables("/env", SCRIPT_NAME="/env")) + encode_pair("SCRIPT_NAME", "/app")
    with listen().client() as c:
        c.send(begin() + stream(PARAMS, told) + record(STDIN))
        assert c.response().environ["SCRIPT_NAME"] == "/app"


# ---- Bodies and responses -------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"size": 1000, "padding": 255}, {"size": 8},
                                 {"CONTENT_LENGTH": None}], ids=str)
@pytest.mark.parametrize("size", [0, 1, 20000, 1 << 20])
def test_bodies(listen, unix, size, how):
    if how.get("size") == 8 and size > 20000:
        pytest.skip("too many records")
    with listen(unix).client() as c:
        r = c.get("/echo", "POST", body=MB[:size], **how)
        assert (r.status, r.body) == (200, MB[:size])
        assert c.is_closed()


def test_heads(listen):
    with listen().client() as c:
        r = c.get("/hello", keep=True)
        assert r.fields == [("Status", "200 OK"), ("Content-Length", "6"),
                            ("X-Request-ID", dict(r.fields)["X-Request-ID"]),
                            ("Content-Type", "text/plain")]
        r = c.get("/hop-by-hop", keep=True)
        assert dict(r.fields[:2] + r.fields[3:]) == {
            "Status": "200 OK", "Content-Length": "4", "X-Stays": "yes"}


def test_head_requests_have_no_body(listen):
    with listen().client() as c:
        r = c.get("/hello", "HEAD", keep=True)
        assert dict(r.fields)["Content-Length"] == "6" and r.body == b""
        assert c.get("/error", "HEAD").body == b""


@pytest.mark.parametrize("length", [0, 1])
def test_large_responses(listen, length):
    with listen().client() as c:
        r = c.get(f"/big?bytes=3000000&length={length}", keep=True)
        assert len(r.body) == 3000000
        assert c.get("/hello").body == b"hello\n"


@pytest.mark.parametrize("size", [0, 1, 65528, 65529, 200000])
@pytest.mark.parametrize("sendfile", [True, False])
def test_files(listen, tmp_path, size, sendfile):
    (tmp_path / "data").write_bytes(MB[:size])
    with listen(sendfile=sendfile).client() as c:
        for _ in range(2):
            assert c.get(f"/file?path={tmp_path}/data", keep=True).body == MB[:size]


def test_a_client_that_reads_slowly(listen, unix, tmp_path):
    """Headers of records, too, are sent in parts then."""
    (tmp_path / "data").write_bytes(MB * 4)
    with listen(unix).client() as c:
        c.send(request(f"/file?path={tmp_path}/data"))
        while len(c.buffer) < 50000:
            c.buffer += c.socket.recv(3001)
        assert c.response().body == MB * 4


def test_interim_responses_are_left_out(listen):
    with listen().client() as c:
        assert c.get("/hints").body == b"0 0 -2 -1\n"


def test_statuses(listen):
    with listen().client() as c:
        for status in (204, 304, 404, 503):
            assert c.get(f"/status?code={status}", keep=True).status == status


def test_error_pages(listen, tmp_path):
    (tmp_path / "500.html").write_text("x" * 65536)
    s = listen(error_pages=[f"500={tmp_path}/500.html"])
    with s.client() as c:
        r = c.get("/error", keep=True)
        assert r.status == 500 and r.body == b"x" * 65536
        assert "Connection" not in dict(r.fields)
        assert c.is_closed()


def test_a_response_that_breaks_off_has_no_end(listen):
    s = listen()
    for path in ("/partial", "/length?say=10&write=3"):
        with s.client() as c, pytest.raises(Cut):
            c.get(path, keep=True)


@pytest.mark.parametrize("path", ["/crash", "/exit", "/abort"])
def test_a_worker_that_dies_says_so(listen, path):
    with listen().client() as c:
        r = c.get(path, keep=True)
        assert r.status == 502 and b"502" in r.body


def test_the_time_limit_of_the_application(listen):
    with listen(timeout=1).client() as c:
        assert c.get("/sleep?ms=20000").status == 504


# ---- Connections ----------------------------------------------------------------------------


def test_a_connection_is_kept_when_it_is_asked_for(listen):
    with listen(keepalive=30).client() as c:
        for i in range(1, 6):
            assert c.get("/echo", "POST", body=b"x" * i, number=i, keep=i < 5).body == b"x" * i
        assert c.is_closed()


def test_requests_that_come_at_once_are_answered_one_by_one(listen):
    with listen().client() as c:
        c.send(b"".join(request("/echo", "POST", b"%d" % i, i, keep=i < 9) for i in range(1, 10)))
        for i in range(1, 10):
            assert c.response(i).body == b"%d" % i
        assert c.is_closed()


def test_cut_everywhere(listen):
    whole = (record(GET_VALUES, encode_pair("FCGI_MPXS_CONNS", ""), 0)
             + request("/echo", "POST", b"body", keep=True, size=20, padding=3))
    with listen().client() as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(1, len(whole), 3):
            c.send(whole[:i])
            threading.Event().wait(0.001)
            c.send(whole[i:])
            assert c.record()[0] == GET_VALUES_RESULT
            assert c.response().body == b"body"


def test_another_request_beside_one_is_refused(listen):
    first, told = b"abc", encode(variables("/echo", "POST", b"abc"))
    with listen().client() as c:
        c.send(begin(1, keep=True) + stream(PARAMS, told, 1) + begin(2) + stream(PARAMS, told, 2))
        assert c.record() == (END, 2, struct.pack(">IB3x", 0, CANT_MPX))
        c.send(stream(STDIN, first, 2) + stream(STDIN, first, 1))
        assert c.response(1).body == first
        assert c.get("/hello", number=2).status == 200


def test_other_roles_are_refused(listen):
    with listen().client() as c:
        c.send(begin(3, keep=True, role=AUTHORIZER) + record(PARAMS, b"", 3))
        assert c.response(3).protocol_status == UNKNOWN_ROLE
        assert c.get("/hello", keep=True).status == 200
        c.send(begin(4, role=AUTHORIZER))
        assert c.response(4).protocol_status == UNKNOWN_ROLE
        assert c.is_closed()


@pytest.mark.parametrize("so_far", [
    b"", record(PARAMS, b"\x01"), stream(PARAMS, encode(variables("/echo", "POST", b"123"))),
    stream(PARAMS, encode(variables("/echo", "POST", b"123"))) + record(STDIN, b"1")],
    ids=["begun", "variables", "head", "body"])
def test_an_abort(listen, so_far):
    with listen().client() as c:
        c.send(begin(keep=True) + so_far + record(ABORT))
        r = c.response()
        assert (r.protocol_status, r.head) == (COMPLETE, "")
        assert c.get("/hello", keep=True).status == 200
        c.send(begin() + so_far + record(ABORT))
        assert c.response().head == ""
        assert c.is_closed()


def test_values(listen):
    asked = b"".join(encode_pair(name, "") for name in
                     ("FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS", "OTHER"))
    with listen(worker_connections=50).client() as c:
        c.send(record(GET_VALUES, asked, 0))
        kind, number, content = c.record()
        assert (kind, number) == (GET_VALUES_RESULT, 0)
        assert decode_pairs(content) == {"FCGI_MAX_CONNS": "50", "FCGI_MAX_REQS": "50",
                                         "FCGI_MPXS_CONNS": "0"}
        c.send(record(77, b"what is that", 0))
        assert c.record() == (UNKNOWN_TYPE, 0, b"\x4d" + bytes(7))
        assert c.get("/hello").status == 200


@pytest.mark.parametrize("bytes_", [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", record(1, bytes(8), 1, version=2), record(77, b"", 1),
    record(1, bytes(7)), record(6, b"x"), begin() + begin(), begin() + record(STDIN, b"x"),
    begin() + stream(PARAMS, encode(variables("/"))) + record(PARAMS, b"x"), begin(0)],
    ids=["http", "version", "type", "begin", "stdout", "twice", "stdin", "params", "id"])
def test_what_is_not_fastcgi_ends_the_connection(listen, bytes_):
    s = listen()
    with s.client() as c:
        c.send(bytes_)
        assert c.is_closed()
    with s.client() as c:
        assert c.get("/hello").status == 200


@pytest.mark.parametrize("told, status", [
    ({"REQUEST_METHOD": None}, 501), ({"REQUEST_METHOD": "CONNECT"}, 501),
    ({"REQUEST_URI": None}, 400), ({"REQUEST_URI": "/a b"}, 400), ({"REQUEST_URI": "a"}, 400),
    ({"REQUEST_URI": "/" + "a" * 5000}, 414), ({"PATH_INFO": "env"}, 400),
    ({"HTTP_HOST": "a b"}, 400), ({"HTTP_X": "a\r\nb"}, 400), ({"PATH_INFO": "/\0"}, 400),
    ({"CONTENT_LENGTH": "-1"}, 400), ({"CONTENT_LENGTH": "1001"}, 413),
    ({"CONTENT_LENGTH": "5"}, 400), ({"HTTP_X": "a" * 9000}, 431),
    ({f"HTTP_X_{i}": "" for i in range(101)}, 431), ({"OTHER": "a" * 200000}, 431)], ids=str)
def test_requests_that_are_refused(listen, told, status):
    with listen(limit_request_body=1000).client() as c:
        r = c.get("/env", **told)
        assert r.status == status and str(status).encode() in r.body


@pytest.mark.parametrize("length, body, status", [
    ("3", b"ab", 400), ("1", b"ab", 400), (None, b"a" * 1001, 413), ("0", b"a", 400)])
def test_a_body_is_as_long_as_it_was_said(listen, length, body, status):
    with listen(limit_request_body=1000).client() as c:
        assert c.get("/echo", "POST", body=body, CONTENT_LENGTH=length).status == status


def test_a_stream_of_variables_that_is_cut(listen):
    with listen().client() as c:
        c.send(begin() + stream(PARAMS, encode(variables("/env"))[:-1]) + record(STDIN))
        assert c.response().status == 400


def test_who_is_not_believed_is_not_heard(listen, unix):
    s = listen(forwarded_allow_ips="192.0.2.1")
    with s.client() as c:
        assert c.is_closed()
    s.wait_log("refused a FastCGI connection on .*: its peer is not in forwarded_allow_ips")
    with listen(unix, forwarded_allow_ips="192.0.2.1").client() as c:
        assert c.get("/hello").status == 200


def test_time_limits(listen):
    with listen(header_timeout=1, body_timeout=1).client() as c:
        c.send(begin())
        assert c.response().status == 408
        assert c.is_closed()
    with listen(header_timeout=1).client() as c:
        assert c.is_closed()


def test_the_access_log(listen, tmp_path):
    log = tmp_path / "access"
    s = listen(accesslog=str(log), access_log_format="%(h)s %(r)s %(s)s %(b)s %({x-foo}i)s")
    with s.client() as c:
        c.get("/hello?a", HTTP_X_FOO="bar", keep=True)
        c.send(begin() + record(ABORT))
        c.response()
    wait_for(lambda: log.exists() and log.read_text().count("\n") == 2, what="two lines")
    first, second = log.read_text().splitlines()
    assert first == "192.0.2.7 GET /hello?a HTTP/1.1 200 6 bar"
    assert second.split()[1] == "-"


def test_other_addresses_are_not_affected(server):
    s = server(apps={"a": {"target": PROBE, "bind": "127.0.0.1:0"},
                     "b": {"target": PROBE, "bind": "127.0.0.1:0", "protocol": "fastcgi"}})
    assert s.get("/hello", name="a").status == 200
    with Client(s.listeners("b")[0]) as c:
        assert c.get("/hello").status == 200


def test_al_socket_is_not_supported(server, compile_app):
    app = compile_app("""
        #include <errno.h>
        int al_handle(void *app, struct al_request *req)
        {
            const void *unread;
            size_t n;
            (void)app;
            int fd = al_socket(req, &unread, &n);
            const char *text = fd == -1 && errno == ENOTSUP ? "no" : "yes";
            if (al_start(req, "200 OK", NULL, 0) == -1)
                return AL_ERROR;
            return al_write_last(req, text, strlen(text)) == -1 ? AL_ERROR : AL_DONE;
        }
        """)
    s = server(apps={"a": {"target": f"c:{app}", "bind": "127.0.0.1:0", "protocol": "fastcgi"}})
    with Client(s.address) as c:
        assert c.get("/").body == b"no"


# ---- Many -----------------------------------------------------------------------------------


def ask_until(s, done, faults, answers):
    """As a web server does: a connection that ended while it was idle is made anew."""
    client = Client(s.address)
    while not done.is_set():
        try:
            r = client.get("/echo", "POST", body=b"x" * 1000, keep=True)
            if r.status != 200 or r.body != b"x" * 1000:
                faults.append(r.head)
            answers.append(1)
        except Cut as cut:
            if "b''" not in str(cut):
                faults.append(str(cut))
            client = Client(s.address)
        except BrokenPipeError:
            client = Client(s.address)


@pytest.mark.parametrize("settings", [{"workers": 2}, {"workers": 1, "threads": 4},
                                      {"workers": 2, "relief_after": 0}], ids=str)
def test_reloads_under_load(listen, unix, settings):
    s = listen(unix, **settings)
    done, faults, answers = threading.Event(), [], []
    threads = [threading.Thread(target=ask_until, args=(s, done, faults, answers))
               for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(2):
        before, n = s.workers(), len(answers)
        wait_for(lambda: len(answers) > n + 50, what="answers")
        s.signal(SIGHUP)
        wait_for(lambda: not any(map(is_alive, before)), what="the old ones to end")
    done.set()
    for t in threads:
        t.join()
    assert not faults and len(answers) > 100, faults[:3]


def test_a_worker_that_is_busy_serves_later(listen, tmp_path):
    """Nobody else can take a request of such a connection over."""
    s = listen(workers=1)
    with s.client() as a, s.client() as b:
        assert b.get("/hello", keep=True).status == 200
        a.send(request(f"/wait?for={tmp_path}/go"))
        b.send(request("/hello"))
        (tmp_path / "go").touch()
        assert a.response().status == b.response().status == 200
