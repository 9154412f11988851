"""Real applications: the same client does the same to each in Alicorn and in gunicorn, with
the validator of the standard library around them, and is told the same."""

import base64
import json
import os
import sys
import time

import pytest

from conftest import ALICORN, SANITIZED
from test_python import multipart
from twins import APPS, Browser, run, twins  # noqa: F401
from wire import Client

pytestmark = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                                reason="python3-dev is not installed")

LARGE = bytes(i * 7 % 256 for i in range(400_000))
FILES = {"small": b"s" * 1000, "large": LARGE}
FORM_DATA = "multipart/form-data; boundary=b"


def basic(user, password):
    return [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]


def as_json(value):
    return {"body": json.dumps(value).encode(), "kind": "application/json"}


def chunked(b, path, body, kind):
    """A request whose length is not told; gunicorn's environ has none then either."""
    b.leave()
    with Client(b.address) as c:
        c.send(f"POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
               f"Content-Type: {kind}\r\n\r\n")
        for i in range(0, len(body), 100_000):
            c.send(b"%x\r\n%b\r\n" % (len(body[i:i + 100_000]), body[i:i + 100_000]))
        c.send(b"0\r\n\r\n")
        b.note("POST", path, c.response("POST"))


# One client, and as many at the same time as there are threads.
clients = pytest.mark.parametrize("clients", [1, 4])


# ---- Frameworks --------------------------------------------------------------------------


@clients
def test_flask(twins, clients):  # noqa: F811
    pytest.importorskip("flask")

    def script(b, folder):
        for path in "/", "/hello/w%C3%B6rld", "/nothing", "/stream", "/memory", "/where?a=%20b":
            b.ask(path)
            b.ask(path, "HEAD")
        b.form("/form?q=%C3%A9", {"a": ["1", "2"], "b": "\u2713"})
        b.ask("/json", "PUT", **as_json({"k": [1, None]}))
        b.ask("/json", "POST", b"{", "application/json")
        b.ask("/upload", "POST", multipart({"note": "\u2713"}, FILES), FORM_DATA)
        b.ask("/raw", "POST", LARGE, "application/octet-stream")
        assert b.ask("/me").status == 403
        b.form("/login", {"user": "ann"})
        assert b.ask("/me").text == "ann"
        assert [b.ask("/count").text for _ in range(3)] == ["1", "2", "3"]
        tag = b.ask("/file").field("ETag")
        assert b.ask("/file", fields=[("If-None-Match", tag)]).status == 304
        assert b.ask("/file", fields=[("Range", "bytes=10-19")]).status == 206
        b.ask("/file", fields=[("Range", "bytes=999999-")])
        b.ask("/", "OPTIONS")
        b.ask("/", "DELETE")
        assert b.ask("/fail").status == 500
        chunked(b, "/upload", multipart({}, FILES), FORM_DATA)

    twins.compare("flask_app:app", script, faults=1, clients=clients, vague=[
        r"session=[^;]*", r"expires=[^;]*", r'"content_length": *\w+'])


@pytest.fixture(scope="module")
def django_database(tmp_path_factory):
    """Of a site with one user; it takes a second to be made."""
    pytest.importorskip("django")
    folder = tmp_path_factory.mktemp("django")
    run([sys.executable, APPS / "django_site.py"], env={**os.environ, "DATA": str(folder)})
    return (folder / "site.sqlite").read_bytes()


def test_django_admin(twins, django_database):  # noqa: F811
    def token(r):
        return r.text.split('csrfmiddlewaretoken" value="')[1].split('"')[0]

    def script(b, folder):
        assert b.ask("/admin/").status == 302
        page = b.ask("/admin/login/?next=/admin/")
        login = {"username": "ann", "password": "secret", "next": "/admin/"}
        assert b.form("/admin/login/?next=/admin/", login).status == 403  # without the token
        wrong = {**login, "password": "wrong", "csrfmiddlewaretoken": token(page)}
        assert b"correct username" in b.form("/admin/login/?next=/admin/", wrong).body
        login["csrfmiddlewaretoken"] = token(page)
        assert b.form("/admin/login/?next=/admin/", login).field("Location") == "/admin/"
        assert b"Site administration" in b.ask("/admin/").body
        page = b.ask("/admin/auth/user/add/")
        added = b.form("/admin/auth/user/add/", {
            "csrfmiddlewaretoken": token(page), "username": "b\xf6b", "password1": "xk2-9Qw!z",
            "password2": "xk2-9Qw!z", "_save": "Save"})
        assert added.field("Location") == "/admin/auth/user/2/change/"
        assert "b\xf6b" in b.ask("/admin/auth/user/?q=b%C3%B6b").text
        page = b.ask("/admin/auth/user/2/delete/")
        b.form("/admin/auth/user/2/delete/", {"csrfmiddlewaretoken": token(page), "post": "yes"})
        assert "b\xf6b" in b.ask("/admin/auth/user/").text  # in the message that it was deleted
        assert "b\xf6b" not in b.ask("/admin/auth/user/").text
        style = b.ask("/static/admin/css/base.css")
        assert len(style.body) > 10_000
        since = [("If-Modified-Since", style.field("Last-Modified"))]
        assert b.ask("/static/admin/css/base.css", fields=since).status == 304
        b.ask("/static/admin/img/search.svg")
        b.ask("/static/admin/js/vendor/jquery/jquery.min.js", "HEAD")
        assert b.ask("/static/nothing.css").status == 404
        assert b.ask("/admin/logout/").status == 200
        assert b.ask("/admin/").status == 302

    twins.compare(
        "django_site:application", script,
        prepare=lambda folder: (folder / "site.sqlite").write_bytes(django_database),
        vague=[r'csrfmiddlewaretoken" value="[^"]*"', r"csrftoken=[^;]*", r"sessionid=[^;]*",
               r"messages=[^;]*", r"expires=[^;]*", r"expires: .*", r"last-modified: .*",
               r"\w+\.? \d+, 2\d\d\d[^<]*"])


@clients
def test_bottle(twins, clients):  # noqa: F811
    pytest.importorskip("bottle")

    def script(b, folder):
        for path in "/", "/hello/w%C3%B6rld", "/nothing", "/stream", "/away", "/gone":
            b.ask(path)
            b.ask(path, "HEAD")
        b.form("/form?q=%C3%A9", {"a": ["1", "2"], "b": "\u2713"})
        b.ask("/upload", "POST", multipart({"note": "\u2713"}, FILES), FORM_DATA)
        for method in "POST", "PUT", "PATCH", "DELETE":
            b.ask("/json", method, **as_json({"k": [1, None], "t": "\u2713"}))
        assert [b.ask("/count").text for _ in range(3)] == ["1", "2", "3"]
        b.ask("/file/bottle_app.py")
        b.ask("/file/bottle_app.py?download=other.py")
        b.ask("/file/bottle_app.py", fields=[("Range", "bytes=10-19")])
        b.ask("/file/nothing.py")
        assert b.ask("/auth").status == 401
        assert b.ask("/auth", fields=basic("ann", "secret")).text == "ann"
        assert b.ask("/fail").status == 500

    twins.compare("bottle_app:application", script, faults=1, clients=clients,
                  vague=[r'count="?[^;]*'])


@clients
def test_pyramid(twins, clients):  # noqa: F811
    pytest.importorskip("pyramid")

    def script(b, folder):
        for path in ("/", "/?a=1&b=%C3%A9", "/hello/w%C3%B6rld", "/nothing", "/stream", "/away",
                     "/forbidden", "/file", "/conditional", "/static/pyramid_app.py",
                     "/static/../conftest.py", "/fail"):
            b.ask(path)
            b.ask(path, "HEAD")
        b.form("/form?q=%C3%A9", {"a": ["1", "2"], "b": "\u2713"})
        b.ask("/upload", "POST", multipart({}, FILES), FORM_DATA)
        assert [b.ask("/count").text for _ in range(3)] == ["1", "2", "3"]
        assert b.ask("/conditional", fields=[("If-None-Match", '"one"')]).status == 304
        b.ask("/file", fields=[("Range", "bytes=10-19")])
        chunked(b, "/upload", multipart({}, FILES), FORM_DATA)

    twins.compare("pyramid_app:application", script, clients=clients, vague=[r"session=[^;]*"])


def test_falcon(twins):  # noqa: F811
    pytest.importorskip("falcon")

    def script(b, folder):
        b.ask("/things?a=1&b=2,3&c=%C3%A9", fields=[("Accept", "application/json")])
        b.ask("/things", "POST", **as_json({"name": "one", "text": "\u2713"}))
        b.ask("/things", "POST", b"{", "application/json")
        b.ask("/things", "POST", b"a=b", "text/csv")
        tag = b.ask("/things/one").field("ETag")
        b.ask("/things/one", fields=[("If-None-Match", tag)])
        b.ask("/things/one", "DELETE")
        assert b.ask("/things/one").status == 404
        b.ask("/things", "OPTIONS")
        b.ask("/things", "PATCH")
        b.ask("/upload", "POST", multipart({"note": "n"}, FILES), FORM_DATA)
        b.ask("/upload", "PUT", LARGE, "application/octet-stream")
        b.ask("/stream")
        b.ask("/stream", "HEAD")
        b.ask("/file")
        b.ask("/static/falcon_app.py", fields=[("Range", "bytes=10-19")])
        b.ask("/static/nothing")
        b.ask("/sink/a/b%20c")
        assert b.ask("/fail").status == 500

    twins.compare("falcon_app:application", script, faults=1)


# ---- WebOb, WebTest ----------------------------------------------------------------------


def webob_script(b, folder):
    b.ask("/")
    b.form("/form", {"a": ["1", "\u2713"]})
    b.ask("/form", "POST", multipart({"a": "x"}, FILES), FORM_DATA)
    b.ask("/cookies")
    b.ask("/hello")
    b.ask("/away")
    b.ask("/nothing")
    b.ask("/range", fields=[("Range", "bytes=5-14")])
    b.ask("/range", "HEAD")


def test_webob(twins):  # noqa: F811
    pytest.importorskip("webob")
    twins.compare("webob_app:application", webob_script, vague=[r"expires=[^;]*"])


def test_webtest_is_told_the_same(twins, monkeypatch):  # noqa: F811
    """What WebTest sees of the application within its own process is what comes over the
    wire."""
    webtest = pytest.importorskip("webtest")
    monkeypatch.syspath_prepend(str(APPS))
    from webob_app import application
    inside = webtest.TestApp(application)

    def script(b, folder):
        inside.reset()
        for method, path, body, kind, fields in [
                ("GET", "/", b"", None, {}), ("POST", "/form", b"a=1&a=2&go=yes",
                                              "application/x-www-form-urlencoded", {}),
                ("GET", "/cookies", b"", None, {}), ("GET", "/away", b"", None, {}),
                ("GET", "/range", b"", None, {"Range": "bytes=5-14"}),
                ("GET", "/nothing", b"", None, {})]:
            kinds = {"content_type": kind} if kind else {}
            expected = inside.request(path, method=method, body=body, expect_errors=True,
                                      headers={"Host": "test", **fields}, **kinds)
            told = b.ask(path, method, body or None, kind, list(fields.items()))
            assert (told.status, told.body) == (expected.status_int, expected.body), path
            assert told.field("Content-Type") == expected.headers.get("Content-Type")

    twins.compare("webob_app:application", script, vague=[r"expires=[^;]*"])


# ---- The environ that frameworks' own test clients make ------------------------------------


# What a test client knows nothing of, or puts there for itself.
OTHERWISE = {"SERVER_NAME", "SERVER_PORT", "SERVER_SOFTWARE", "wsgi.multiprocess",
             "wsgi.multithread", "wsgi.run_once", "werkzeug.request", "HTTP_COOKIE"}

REQUESTS = [
    ("GET", "/environ?a=%41&b", None, None, {"X-Text": "caf\xe9", "X-Two-Words": "b"}),
    ("GET", "/%E2%9C%93/a%20b/%2F;p=1?", None, None, {}),
    ("GET", "/double//slash", None, None, {"Accept": "*/*"}),
    ("POST", "/form?q=1", b"a=1&b=%C3%A9", "application/x-www-form-urlencoded", {}),
    ("PUT", "/", b'{"k": [1]}', "application/json; charset=utf-8", {"If-Match": '"x"'}),
    ("DELETE", "/thing", b"", None, {}),
]


def make_werkzeug(method, path, body, kind, headers):
    from werkzeug.test import EnvironBuilder
    return EnvironBuilder(path=path, base_url="http://test", method=method, data=body,
                          content_type=kind, headers=headers).get_environ()


def make_django(method, path, body, kind, headers):
    from django.conf import settings
    from django.test import RequestFactory
    if not settings.configured:
        settings.configure()
    fields = {"HTTP_" + k.upper().replace("-", "_"): v for k, v in headers.items()}
    made = RequestFactory(HTTP_HOST="test").generic(
        method, path, body or b"", kind or "", **fields)
    # The request has decoded that of the environ in place.
    return {**made.environ, "PATH_INFO": made.path_info.encode().decode("latin-1")}


@pytest.mark.parametrize("client, make", [("werkzeug", make_werkzeug), ("django", make_django)])
def test_environ_is_that_of_test_clients(twins, client, make):  # noqa: F811
    pytest.importorskip(client)

    def script(b, lacking):
        for method, path, body, kind, headers in REQUESTS:
            expected = make(method, path, body, kind, headers)
            told = json.loads(b.ask(path, method, body, kind, headers.items()).body)
            types, sent = told.pop("types"), told.pop("body")
            assert sent == (body or b"").decode("latin-1")
            for key, value in expected.items():
                if key in OTHERWISE | lacking or value == "" and key not in told:
                    continue
                if isinstance(value, (str, bool)):
                    assert told[key] == value, (path, key)
                elif isinstance(value, tuple):
                    assert told[key] == list(value), (path, key)
                else:
                    assert key in types, (path, key)
        b.leave()

    # The diaries are not compared: beyond PEP 3333 each server has keys of its own.
    script(Browser(twins.alicorn("webob_app:environ", {}).address), set())
    script(Browser(twins.gunicorn("webob_app:environ", {}).address), {"REQUEST_URI"})


# ---- Whole applications ------------------------------------------------------------------


def test_httpbin(twins):  # noqa: F811
    pytest.importorskip("httpbin")

    def script(b, folder):
        for path in ("/", "/html", "/xml", "/robots.txt", "/ip", "/user-agent", "/headers",
                     "/get?a=1&a=2&b=%C3%A9", "/encoding/utf8", "/image/png", "/image/svg",
                     "/links/5/2", "/stream/5", "/bytes/500?seed=1", "/stream-bytes/5000?seed=1",
                     "/base64/aGVsbG8=", "/cache/60", "/etag/one", "/redirect/3",
                     "/relative-redirect/2", "/absolute-redirect/2", "/gzip", "/deflate",
                     "/drip?numbytes=20&duration=0.05&delay=0", "/response-headers?X-A=1&X-A=2",
                     "/redirect-to?url=%2Fget&status_code=307", "/range/1000", "/forms/post",
                     "/deny", "/cache", "/json", "/uuid"):
            b.ask(path)
            b.ask(path, "HEAD")
        for status in 200, 201, 204, 301, 304, 400, 401, 402, 404, 405, 406, 418, 500, 503:
            b.ask(f"/status/{status}")
            b.ask(f"/status/{status}", "POST", b"ignored")
        for method in "POST", "PUT", "PATCH", "DELETE", "TRACE", "GET":
            b.ask("/anything/x%20y/z?q", method, **as_json({"k": [1]}))
        b.form("/post?x=1", {"a": ["1", "2"], "b": "\u2713"})
        b.ask("/post", "POST", multipart({"note": "n"}, {"f": b"file"}), FORM_DATA)
        b.ask("/post", "POST", LARGE, "application/octet-stream")
        b.ask("/put", "PUT", b"text", "text/plain")
        b.ask("/cookies/set/a/1")
        b.ask("/cookies/set?b=2&c=3")
        b.ask("/cookies")
        b.ask("/cookies/delete?a")
        b.ask("/basic-auth/ann/secret")
        b.ask("/basic-auth/ann/secret", fields=basic("ann", "secret"))
        b.ask("/bearer", fields=[("Authorization", "Bearer x")])
        b.ask("/range/1000", fields=[("Range", "bytes=10-99")])
        b.ask("/etag/one", fields=[("If-None-Match", '"one"')])
        b.ask("/cache", fields=[("If-None-Match", "x")])

    twins.compare("httpbin:app", script, vague=[
        r'"uuid": ?"[^"]*"', r"etag: \w{32}", r"last-modified: .*"])


def calendar(name, day):
    return "\r\n".join([
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", "BEGIN:VEVENT", f"UID:{name}",
        f"SUMMARY:{name} \u2713", f"DTSTART:201309{day:02}T120000Z", "DTEND:20130930T120000Z",
        "DTSTAMP:20130901T000000Z", "END:VEVENT", "END:VCALENDAR", ""]).encode()


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's crypt_r finds none that is loaded later")
def test_radicale(twins):  # noqa: F811
    pytest.importorskip("radicale")
    ann = basic("ann", "secret")

    def prepare(folder):
        (folder / "users").write_text("ann:secret\n")
        (folder / "config").write_text(
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder}/users\n"
            "htpasswd_encryption = plain\ndelay = 0\n"
            f"[storage]\nfilesystem_folder = {folder}/collections\n")

    def script(b, folder):
        def dav(method, path, text="", depth="1"):
            return b.ask(path, method, text.encode(), "application/xml; charset=utf-8",
                         [*ann, ("Depth", depth)])
        assert b.ask("/ann/").status == 401
        b.ask("/", fields=ann)
        b.ask("/.web/", fields=ann)
        dav("OPTIONS", "/ann/")
        dav("PROPFIND", "/ann/", depth="0")
        made = dav("MKCALENDAR", "/ann/work/", """<?xml version="1.0" encoding="utf-8"?>
            <C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>
            <D:displayname>W\u00f6rk</D:displayname></D:prop></D:set></C:mkcalendar>""")
        assert made.status == 201
        for day in range(1, 6):
            put = b.ask(f"/ann/work/e{day}.ics", "PUT", calendar(f"e{day}", day),
                        "text/calendar", ann)
            assert put.status == 201
        assert b.ask("/ann/work/e1.ics", fields=ann).body.count(b"\r\n") > 8
        b.ask("/ann/work/e1.ics", "HEAD", fields=ann)
        listed = dav("PROPFIND", "/ann/work/", """<?xml version="1.0"?><propfind xmlns="DAV:">
            <prop><displayname/><resourcetype/><getcontenttype/></prop></propfind>""")
        assert listed.status == 207 and listed.body.count(b".ics<") == 5
        found = dav("REPORT", "/ann/work/", """<?xml version="1.0"?>
            <C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:">
            <D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR">
            <C:comp-filter name="VEVENT"><C:time-range start="20130904T000000Z"
            end="20130905T000000Z"/></C:comp-filter></C:comp-filter></C:filter>
            </C:calendar-query>""")
        assert found.status == 207
        b.ask("/ann/work/e1.ics", "MOVE", fields=[
            *ann, ("Destination", "http://test/ann/work/moved.ics")])
        b.ask("/ann/work/", fields=ann)
        b.ask("/ann/work/e2.ics", "DELETE", fields=ann)
        assert b.ask("/ann/work/e2.ics", fields=ann).status == 404
        dav("PROPPATCH", "/ann/work/", """<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:">
            <D:set><D:prop><D:displayname>Other</D:displayname></D:prop></D:set>
            </D:propertyupdate>""")
        b.ask("/ann/broken.ics", "PUT", b"BEGIN:NOTHING", "text/calendar", ann)
        b.ask("/ann/work/", "DELETE", fields=ann)

    twins.compare("radicale:application", script, prepare, {"RADICALE_CONFIG": "DATA/config"},
                  vague=[r"last-modified: .*"])


def test_klaus_and_git(twins):  # noqa: F811
    """Pages about a repository, and git itself, which clones and pushes."""
    pytest.importorskip("klaus")
    who = {**os.environ, "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "a@example.org",
           "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "a@example.org",
           "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000",
           "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}

    def git(folder, *words):
        return run(["git", "-C", folder, *words], env=who)

    def prepare(folder):
        work = folder / "work"
        work.mkdir()
        git(work, "init", "-q", "-b", "main")
        (work / "README").write_text("# Read me\n")
        (work / "large.bin").write_bytes(LARGE)
        (work / "caf\xe9.py").write_text("print('\u2713')\n")
        git(work, "add", ".")
        git(work, "commit", "-q", "-m", "First \u2713")
        (work / "README").write_text("# Read me\n\nMore.\n")
        git(work, "commit", "-q", "-a", "-m", "Second")
        git(folder, "clone", "-q", "--bare", "work", "shop")

    def script(b, folder):
        head = git(folder / "work", "rev-parse", "HEAD").strip()
        for path in ("/", "/shop/", "/shop/tree/main/", f"/shop/commit/{head}/",
                     f"/shop/commit/{head}.diff", "/shop/blob/main/README",
                     "/shop/raw/main/README", "/shop/raw/main/large.bin",
                     "/shop/blob/main/caf%C3%A9.py", "/shop/blame/main/README",
                     "/shop/history/main/README", "/shop/nothing", "/robots.txt",
                     "/static/klaus.css"):
            b.ask(path)
        assert len(b.ask("/shop/tarball/main/").body) > 1000
        b.diary[-2] = "an archive, with times in it"
        url = "http://{}:{}/shop".format(*b.address)
        b.leave()
        git(folder, "clone", "-q", url, "clone")
        assert (folder / "clone/large.bin").read_bytes() == LARGE
        push(folder, "third", bytes(reversed(LARGE)))
        b.ask("/shop/")
        b.leave()
        if folder.name == "alicorn":  # as no length is told, it fails in gunicorn
            push(folder, "fourth", LARGE[1:], "-c", "http.postBuffer=65536")

    def push(folder, name, content, *options):
        (folder / "clone" / name).write_bytes(content)
        git(folder / "clone", "add", name)
        git(folder / "clone", "commit", "-q", "-m", name)
        git(folder / "clone", *options, "push", "-q", "origin", "main")
        assert git(folder / "shop", "show", "-s", "--format=%s").strip() == name

    twins.compare("klaus.contrib.wsgi:application", script, prepare, {
        "KLAUS_REPOS": "DATA/shop", "KLAUS_USE_SMARTHTTP": "1", "KLAUS_UNAUTHENTICATED_PUSH": "1",
        "KLAUS_SITE_NAME": "test"}, vague=[r"last-modified: .*", r"etag: .*", r"expires: .*",
                                          r"\w+ years? ago"])


def graphite_settings(folder):
    (folder / "graphite_local.py").write_text(f"""
SECRET_KEY = "not a secret"
ALLOWED_HOSTS = ["test"]
TIME_ZONE = "UTC"
CONF_DIR = STORAGE_DIR = WHISPER_DIR = STATIC_ROOT = LOG_DIR = {str(folder)!r}
INDEX_FILE = {str(folder / "index")!r}
LOG_ROTATION = False
STANDARD_DIRS = [WHISPER_DIR]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3",
                          "NAME": {str(folder / "graphite.db")!r}}}}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
""")


GRAPHITE_ENV = {"PYTHONPATH": "DATA", "GRAPHITE_SETTINGS_MODULE": "graphite_local",
                "DJANGO_SETTINGS_MODULE": "graphite.settings"}


@pytest.fixture(scope="module")
def graphite_database(tmp_path_factory):
    pytest.importorskip("graphite")
    folder = tmp_path_factory.mktemp("graphite")
    graphite_settings(folder)
    run([sys.executable, "-c", """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from django.contrib.auth.models import User
User.objects.create_user("ann", "ann@example.org", "secret")
"""], env={**os.environ, **{k: v.replace("DATA", str(folder)) for k, v in GRAPHITE_ENV.items()}})
    return (folder / "graphite.db").read_bytes()


def test_graphite(twins, graphite_database):  # noqa: F811
    whisper = pytest.importorskip("whisper")
    now = int(time.time()) // 60 * 60

    def prepare(folder):
        graphite_settings(folder)
        (folder / "graphite.db").write_bytes(graphite_database)
        for name in "one", "two":
            (folder / "shop").mkdir(exist_ok=True)
            file = str(folder / "shop" / f"{name}.wsp")
            whisper.create(file, [(60, 1440)])
            whisper.update_many(file, [(now - 60 * i, i * len(name)) for i in range(1, 60)])

    def script(b, folder):
        span = f"from={now - 1800}&until={now}"
        assert json.loads(b.ask("/metrics/index.json").body) == ["shop.one", "shop.two"]
        assert b.ask("/metrics/find?query=shop.*&format=completer").status == 200
        b.ask("/metrics/expand?query=shop.*")
        data = json.loads(b.ask(f"/render?target=shop.one&format=json&{span}").body)
        assert data[0]["target"] == "shop.one" and len(data[0]["datapoints"]) == 30
        for target in ("sumSeries(shop.*)", "movingAverage(shop.one,5)",
                       "alias(shop.two,'caf\xe9')"):
            b.form("/render", {"target": target, "format": "csv", "from": now - 1800, "until": now})
        b.ask(f"/render?target=shop.*&format=raw&{span}")
        image = b.ask(f"/render?target=shop.*&format=png&width=600&height=300&{span}")
        assert image.field("Content-Type") == "image/png" and image.body[1:4] == b"PNG"
        b.ask(f"/render?target=shop.*&format=svg&{span}")
        b.ask("/")
        b.ask("/browser/")
        b.ask("/composer/")
        b.ask("/dashboard/")
        b.ask("/version/")
        b.form("/dashboard/save/mine", {"state": json.dumps({"name": "mine", "graphs": []})})
        assert json.loads(b.ask("/dashboard/load/mine").body)["state"]["name"] == "mine"
        b.ask("/dashboard/find?query=mine")
        b.ask("/events/", "POST", json.dumps({
            "what": "deployed \u2713", "tags": ["shop"], "when": now - 600}).encode(),
            "application/json")
        assert json.loads(b.ask(f"/events/get_data?{span}").body)[0]["what"] == "deployed \u2713"
        b.form("/tags/tagSeries", {"path": "disk.used;host=a"})
        b.ask("/tags")
        b.form("/account/login", {"username": "ann", "password": "secret", "nextPage": "/"})
        b.ask("/admin/")
        b.ask("/nothing/here")

    twins.compare("graphite.wsgi:application", script, prepare, GRAPHITE_ENV, vague=[
        r"csrftoken=[^;]*", r"sessionid=[^;]*", r"expires=[^;]*", r"expires: .*",
        r"last-modified: .*", r'csrfmiddlewaretoken" value="[^"]*"'])
