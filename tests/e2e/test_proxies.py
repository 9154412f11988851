"""What is believed of a request that a proxy passed on, and of whom."""

import pytest

from conftest import PROBE

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def environ(response):
    assert response.status == 200, response
    return dict(line.split("=", 1) for line in response.text.splitlines())


@pytest.fixture
def ask(server):
    """A function: ask(fields, path, **settings) gives the environ the application saw."""
    def get(fields=(), path="/env", **settings):
        with server(**settings).connect() as c:
            return environ(c.get(path, fields=fields))
    return get


# ---- The scheme --------------------------------------------------------------------------


@pytest.mark.parametrize("field", [
    ("X-Forwarded-Proto", "https"), ("X-FORWARDED-PROTOCOL", "ssl"), ("x-forwarded-ssl", "on")])
def test_a_trusted_proxy_tells_the_scheme(ask, field):
    env = ask([field])
    assert (env["REQUEST_SCHEME"], env["HTTPS"]) == ("https", "on")


def test_any_other_value_says_http(ask):
    env = ask([("X-Forwarded-Proto", "HTTPS")])
    assert env["REQUEST_SCHEME"] == "http" and "HTTPS" not in env


def test_an_untrusted_peer_tells_nothing(ask):
    env = ask([("X-Forwarded-Proto", "https")], forwarded_allow_ips="10.0.0.0/8")
    assert env["REQUEST_SCHEME"] == "http" and "HTTPS" not in env
    assert env["HTTP_X_FORWARDED_PROTO"] == "https"  # as any other field


def test_trust_may_be_told_by_the_environment(server):
    s = server(env={"FORWARDED_ALLOW_IPS": "192.0.2.1"})
    with s.connect() as c:
        env = environ(c.get("/env", fields=[("X-Forwarded-Proto", "https")]))
    assert env["REQUEST_SCHEME"] == "http"


def test_a_disagreement_is_refused(server):
    fields = [("X-Forwarded-Proto", "https"), ("X-Forwarded-SSL", "off")]
    assert server().get("/env", fields=fields).status == 400


def test_the_scheme_does_not_stay_for_the_next_request(server):
    with server().connect() as c:
        first = environ(c.get("/env", fields=[("X-Forwarded-Proto", "https")]))
        assert first["HTTPS"] == "on"
        assert "HTTPS" not in environ(c.get("/env"))


def test_own_scheme_fields(ask):
    settings = {"secure_scheme_headers": ["X-Tls=yes"]}
    assert ask([("X-Tls", "yes")], **settings)["HTTPS"] == "on"


def test_a_unix_socket_is_trusted(server, tmp_path):
    s = server(apps={"p": {"target": PROBE, "bind": f"unix:{tmp_path}/s"}},
               forwarded_allow_ips="192.0.2.1")
    with s.connect() as c:
        env = environ(c.get("/env", fields=[("X-Forwarded-Proto", "https")]))
    assert env["HTTPS"] == "on" and env["SERVER_PORT"] == "443"


# ---- Names with an underscore ------------------------------------------------------------


def test_underscores_are_dropped(ask):
    env = ask([("X_User", "evil"), ("X-User", "good"), ("Content_Length", "7")])
    assert env["HTTP_X_USER"] == "good"
    assert "HTTP_CONTENT_LENGTH" not in env and "CONTENT_LENGTH" not in env


def test_the_first_drop_is_told(server):
    s = server(workers=1)
    for _ in range(3):
        s.get("/env", fields=[("X_User", "evil")])
    s.get("/env")
    s.wait_log("dropped the field X_User")
    assert s.log().count("dropped the field X_User") == 1


def test_underscores_may_be_refused(server):
    s = server(header_map="refuse")
    assert s.get("/env", fields=[("X_User", "evil")]).status == 400
    assert s.get("/env", fields=[("X-User", "good")]).status == 200


def test_underscores_may_be_let_through(ask):
    env = ask([("X_User", "a"), ("X-User", "b")], header_map="dangerous")
    assert env["HTTP_X_USER"] == "a, b"


def test_names_of_a_trusted_proxy(ask):
    env = ask([("REMOTE_USER", "me")], forwarder_headers="REMOTE_USER", header_map="refuse")
    assert env["HTTP_REMOTE_USER"] == "me" and "REMOTE_USER" not in env


# ---- SCRIPT_NAME -------------------------------------------------------------------------


def test_script_name_is_the_beginning_of_the_path(ask):
    env = ask([("SCRIPT_NAME", "/app")], path="/app/env?x=1")
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/app", "/env")
    assert (env["REQUEST_URI"], env["QUERY_STRING"]) == ("/app/env?x=1", "x=1")


@pytest.mark.parametrize("path", ["/env", "/application/env"])
def test_a_path_elsewhere_is_an_error(server, path):
    s = server()
    assert s.get(path, fields=[("SCRIPT_NAME", "/app")]).status == 500
    s.wait_log(r"SCRIPT_NAME /app is not the beginning of " + path)


def test_script_name_of_an_untrusted_peer_is_dropped(ask):
    env = ask([("SCRIPT_NAME", "/app")], forwarded_allow_ips="192.0.2.1")
    assert env["SCRIPT_NAME"] == "" and "HTTP_SCRIPT_NAME" not in env


# ---- The PROXY protocol ------------------------------------------------------------------


INTRODUCTIONS = {
    "v1": b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n",
    "v2": V2 + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 198, 51, 100, 1])
          + (4711).to_bytes(2, "big") + (443).to_bytes(2, "big"),
}


@pytest.mark.parametrize("version", INTRODUCTIONS)
@pytest.mark.parametrize("setting", ["own", "auto"])
def test_the_client_is_told_for_the_whole_connection(server, version, setting):
    s = server(proxy_protocol=version if setting == "own" else "auto")
    with s.connect() as c:
        for byte in INTRODUCTIONS[version]:
            c.send(bytes([byte]))
        for _ in range(3):
            env = environ(c.get("/env"))
            assert (env["REMOTE_ADDR"], env["REMOTE_PORT"]) == ("192.0.2.7", "4711")
            assert env["PROXY_PROTOCOL"] == "TCP4"
            assert (env["PROXY_ADDR"], env["PROXY_PORT"]) == ("198.51.100.1", "443")


def test_version_6(server):
    with server(proxy_protocol="v1").connect() as c:
        c.send("PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n")
        env = environ(c.get("/env"))
    assert (env["REMOTE_ADDR"], env["PROXY_PROTOCOL"]) == ("2001:db8::7", "TCP6")


@pytest.mark.parametrize("head", [b"", b"PROXY UNKNOWN\r\n", V2 + b"\x20\0\0\0"])
def test_without_an_address_the_peer_stays(server, head):
    with server(proxy_protocol="auto").connect() as c:
        c.send(head)
        env = environ(c.get("/env"))
    assert env["REMOTE_ADDR"] == "127.0.0.1" and "PROXY_PROTOCOL" not in env


@pytest.mark.parametrize("head", [b"PROXY TCP4 1.2.3.4\r\n", V2 + b"\x31\0\0\0"])
def test_a_broken_header_is_refused(server, head):
    with server(proxy_protocol="auto").connect() as c:
        c.send(head)
        r = c.response()
        assert r.status == 400 and r.field("Connection") == "close"
        assert c.is_closed()


def test_others_may_not_introduce(server):
    with server(proxy_protocol="auto", proxy_allow_ips="192.0.2.1").connect() as c:
        c.send(INTRODUCTIONS["v1"])
        assert c.response().status == 403
        assert c.is_closed()


def test_it_is_off_unless_said(server):
    with server().connect() as c:
        c.send(INTRODUCTIONS["v1"])
        assert c.response().status == 400


def test_trust_is_of_the_proxy_not_of_whom_it_names(server):
    s = server(proxy_protocol="auto", forwarded_allow_ips="127.0.0.1")
    with s.connect() as c:
        c.send(INTRODUCTIONS["v1"])
        assert environ(c.get("/env", fields=[("X-Forwarded-SSL", "on")]))["HTTPS"] == "on"


# ---- The client's address ----------------------------------------------------------------


CHAIN = "203.0.113.9, 192.0.2.7, 10.1.1.1, 127.0.0.1"


@pytest.mark.parametrize("fields, client", [
    ([("X-Forwarded-For", CHAIN)], "192.0.2.7"),  # what stands before it, it may have made up
    ([("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "10.2.2.2")], "192.0.2.1"),
    ([("X-Forwarded-For", "10.2.2.2")], "10.2.2.2"),
    ([("X-Forwarded-For", "192.0.2.1, unknown")], "127.0.0.1"),
    ([("X-Forwarded-For", "2001:db8::1")], "2001:db8::1"),
    ([("Forwarded", "for=192.0.2.1")], "127.0.0.1"),  # not the field that was chosen
    ([], "127.0.0.1"),
])
def test_x_forwarded_for(ask, fields, client):
    env = ask(fields, client_address="x-forwarded-for",
              forwarded_allow_ips=["127.0.0.1", "10.0.0.0/8"])
    assert env["REMOTE_ADDR"] == client


def test_forwarded(ask):
    env = ask([("Forwarded", 'for="[2001:db8::1]:4711";proto=http, for=127.0.0.1')],
              client_address="forwarded")
    assert (env["REMOTE_ADDR"], env["REMOTE_PORT"]) == ("2001:db8::1", "4711")


def test_an_untrusted_peer_forwards_for_nobody(ask):
    env = ask([("X-Forwarded-For", "192.0.2.1")], client_address="x-forwarded-for",
              forwarded_allow_ips="10.0.0.0/8")
    assert env["REMOTE_ADDR"] == "127.0.0.1"


def test_the_peer_is_the_client_unless_said(ask):
    assert ask([("X-Forwarded-For", "192.0.2.1")])["REMOTE_ADDR"] == "127.0.0.1"
