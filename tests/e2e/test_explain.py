"""--explain METHOD URL: which route a request would take, and why."""

import pytest

from conftest import PROBE, USER, format_settings

CONFIG = """
listeners = (
    { bind = [ "127.0.0.1:8081", "[::1]:8081" ]; },
    { name = "inside"; bind = "127.0.0.2:8082"; routes = ( { app = "blog"; } ); }
);
routes = (
    { path = "/blog/*"; app = "blog"; mount = "/blog"; },
    { host = [ "a.example", "*.b.example" ]; path = "*.php"; method = "POST"; status = 403; },
    { source = "10.0.0.0/8"; redirect = "https://$host$uri"; status = 308; },
    { header = [ "X-Key", "X-Door" ]; status = 404; },
    { path = "/static/*"; files = "FOLDER"; mount = "/static"; },
    { path = "/old/*"; redirect = "/new$rest?$query"; },
    { path = "/f/*"; fastcgi = "127.0.0.1:9000"; mount = "/f"; },
    { path = "/shop/*"; files = "FOLDER"; app = "shop"; }
);
applications: {
    blog: { target = "PROBE"; };
    shop: { target = "PROBE"; };
    alone: { target = "PROBE"; bind = "127.0.0.1:8083"; };
};
"""


@pytest.fixture
def explain(alicorn, tmp_path):
    """A function that asks, and returns the exit status and the lines."""
    text = format_settings(USER) + CONFIG.replace("PROBE", PROBE)
    (tmp_path / "site.conf").write_text(text.replace("FOLDER", str(tmp_path)))

    def ask(*arguments):
        done = alicorn("-c", "site.conf", "--explain", *arguments)
        return done.returncode, done.stdout.splitlines() or done.stderr.splitlines()
    return ask


# Of the routes of 8081: which one, and what becomes of the request.
ROUTES = [
    ("GET", "http://h:8081/blog", 1, 'application blog, SCRIPT_NAME "/blog", PATH_INFO ""'),
    ("GET", "/blog/x/../%79", 1, 'application blog, SCRIPT_NAME "/blog", PATH_INFO "/y"'),
    ("GET", "/x/%2e%2e/blog/", 1, 'application blog, SCRIPT_NAME "/blog", PATH_INFO "/"'),
    ("POST", "http://A.Example.:8081/x.php", 2, "status 403"),
    ("POST", "http://x.y.b.example/x.php?q", 2, "status 403"),
    ("GET", "/static/a%20b", 5, 'file "{}/a b"'),
    ("GET", "/static/%0a", 5, 'file "{}/\\x0a"'),
    ("GET", "/old/x%22?q=1", 6, "redirect with 302 to /new/x%22?q=1"),
    ("POST", "/f/x", 7, 'FastCGI program at 127.0.0.1:9000, SCRIPT_NAME "/f", PATH_INFO "/x"'),
    ("GET", "/shop/x", 8, 'file "{}/shop/x" or, if there is none, application shop, '
                          'SCRIPT_NAME "", PATH_INFO "/shop/x"'),
    ("POST", "/shop", 8, 'application shop, SCRIPT_NAME "", PATH_INFO "/shop"'),
]


@pytest.mark.parametrize("method, url, route, outcome", ROUTES)
def test_routes(explain, tmp_path, method, url, route, outcome):
    status, lines = explain(method, url)
    assert status == 0
    assert lines[-1] == outcome.format(tmp_path)
    assert lines[-2].startswith(f"route {route} at site.conf:") and lines[-2].endswith(": matches")
    assert len(lines) == route + 2


def test_reasons(explain):
    status, lines = explain("GET", "http://h:8081/x")
    assert status == 1
    line = lines[1].split(":")[1]
    assert line.isdigit()
    where = [f"route {i} at site.conf:{int(line) + i - 1}: " for i in range(1, 9)]
    assert lines == [
        "front listens at 127.0.0.1:8081",
        where[0] + "path /x is not /blog/*",
        where[1] + "host h is not a.example or *.b.example, path /x is not *.php, "
                   "method GET is not POST",
        where[2] + "client 127.0.0.1 is not in 10.0.0.0/8",
        where[3] + "there is no field X-Key or X-Door",
        where[4] + "path /x is not /static/*",
        where[5] + "path /x is not /old/*",
        where[6] + "path /x is not /f/*",
        where[7] + "path /x is not /shop/*",
        "no route matches: status 404",
    ]
    assert "host (none) is not a.example" in explain("GET", "/x")[1][2]


def test_client(explain):
    status, lines = explain("GET", "http://h:8081/a//b?x", "--explain-from", "10.1.2.3")
    assert (status, lines[-1]) == (0, "redirect with 308 to https://h:8081/a//b?x")
    status, lines = explain("GET", "/x", "--explain-from=fd00::1")
    assert status == 1 and "client fd00::1 is not in 10.0.0.0/8" in lines[3]
    for text in ("home", "10.0.0.0/8"):
        status, lines = explain("GET", "/x", f"--explain-from={text}")
        assert status == 2 and "the client has no such address" in lines[0]


@pytest.mark.parametrize("url, listens", [
    ("http://h:8081/", "front listens at 127.0.0.1:8081"),
    ("http://[::1]:8081/", "front listens at ::1:8081"),
    ("http://127.0.0.2:8082/", "inside listens at 127.0.0.2:8082"),
    ("http://h:8083/", "alone listens at 127.0.0.1:8083"),
    ("https://h/", "front listens at 127.0.0.1:8081"),
    ("http://h:8084/", "nobody listens at port 8084"),
])
def test_listeners(explain, url, listens):
    assert explain("GET", url)[1][0] in (listens, listens.replace("::1:", "[::1]:"))


def test_application_alone(explain, alicorn):
    outcome = 'application {}, SCRIPT_NAME "", PATH_INFO "/x"'
    status, lines = explain("GET", "http://h:8083/x")
    assert (status, lines[1:]) == (0, [outcome.format("alone")])
    done = alicorn("--explain", "GET", "/x", PROBE)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == [outcome.format("default")]


def test_questions(explain, alicorn):
    assert explain("GET /blog/")[0] == 0  # in one word
    for arguments in (["FETCH", "/"], ["GET", "blog"], ["GET", "/%zz"], ["GET", "/a b"],
                      ["GET", "ftp://h/"], ["GET", "/\r\nX: y"]):
        status, lines = explain(*arguments)
        assert status == 2 and lines[0].startswith("alicorn: --explain "), lines
    for arguments in ([], ["GET"]):
        done = alicorn(PROBE, "--explain", *arguments)
        assert done.returncode == 2 and "--explain needs METHOD URL" in done.stderr
