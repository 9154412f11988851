"""Static files: files:FOLDER. The rules of RFC 9110, and that nothing leaves the folder."""

import gzip
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from signal import SIGHUP, SIGKILL

import pytest

from conftest import APPS, SANITIZED, free_port, wait_for
from fake_fastcgi import OK_HEAD, Backend, end, stdout
from test_routes import site
from wire import Client, Cut

SECRET = b"the secret"
THEN = 784111777  # a time in 1994
DATE, BEFORE, AFTER = (formatdate(THEN + n, usegmt=True) for n in (0, -1, 1))
TEXT = bytes(range(256)) * 4


def write(path, content=TEXT, when=THEN):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (when, when))
    return path


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def files(server, root):
    """A function that starts a server of the folder with these settings; a/file is in it."""
    def start(env=None, **settings):
        write(root / "a/file")
        return server(env=env, apps={"files": {
            "target": f"files:{root}", "bind": "127.0.0.1:0", "workers": 1, **settings}})
    return start


def without_openat2(compile_app):
    """The environment of a process whose kernel does not know the call."""
    library = compile_app("""
        #include <dlfcn.h>
        #include <errno.h>
        #include <sys/syscall.h>
        long syscall(long number, long a, long b, long c, long d, long e, long f)
        {
            static long (*next)(long, ...);
            if (number == SYS_openat2) {
                errno = ENOSYS;
                return -1;
            }
            if (next == NULL)
                next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
            return next(number, a, b, c, d, e, f);
        }""", "noopenat2.so")
    return {"LD_PRELOAD": str(library)}


# ---- Conditional requests and ranges -----------------------------------------------------

# Fields of a request for a/file, the status, and the bytes that are sent. {etag} is that of
# the file.
SEVERAL = [(0, 2), (5, 1)]
CASES = [
    ({}, 200, None),
    ({"If-Match": "{etag}"}, 200, None),
    ({"If-Match": '"x", {etag}'}, 200, None),
    ({"If-Match": "*"}, 200, None),
    ({"If-Match": "W/{etag}"}, 412, None),
    ({"If-Match": '"x"'}, 412, None),
    ({"If-Match": "{etag}", "If-Unmodified-Since": BEFORE}, 200, None),
    ({"If-Match": '"x"', "If-None-Match": "{etag}"}, 412, None),
    ({"If-Unmodified-Since": DATE}, 200, None),
    ({"If-Unmodified-Since": AFTER}, 200, None),
    ({"If-Unmodified-Since": BEFORE}, 412, None),
    ({"If-Unmodified-Since": "no date"}, 200, None),
    ({"If-None-Match": "{etag}"}, 304, None),
    ({"If-None-Match": "W/{etag}"}, 304, None),
    ({"If-None-Match": '"x", {etag}'}, 304, None),
    ({"If-None-Match": "*"}, 304, None),
    ({"If-None-Match": '"x"'}, 200, None),
    ({"If-None-Match": '"x"', "If-Modified-Since": DATE}, 200, None),
    ({"If-None-Match": "{etag}", "If-Modified-Since": BEFORE}, 304, None),
    ({"If-Modified-Since": DATE}, 304, None),
    ({"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304, None),
    ({"If-Modified-Since": "Sun Nov  6 08:49:37 1994"}, 304, None),
    ({"If-Modified-Since": AFTER}, 304, None),
    ({"If-Modified-Since": BEFORE}, 200, None),
    ({"If-Modified-Since": "no date"}, 200, None),
    ({"Range": "bytes=0-0"}, 206, [(0, 1)]),
    ({"Range": "bytes=0-"}, 206, [(0, 1024)]),
    ({"Range": "bytes=1000-5000"}, 206, [(1000, 24)]),
    ({"Range": "bytes=-24"}, 206, [(1000, 24)]),
    ({"Range": "bytes=-5000"}, 206, [(0, 1024)]),
    ({"Range": "bytes=1023-"}, 206, [(1023, 1)]),
    ({"Range": "bytes=0-1,5-5"}, 206, SEVERAL),
    ({"Range": "bytes=0-1, 5-5, 2000-"}, 206, SEVERAL),
    ({"Range": "bytes=0-9,5-14"}, 206, [(0, 10), (5, 10)]),
    ({"Range": "bytes=5-5,0-1"}, 206, [(5, 1), (0, 2)]),
    ({"Range": "bytes=0-1,-0"}, 206, [(0, 2)]),
    ({"Range": "bytes=-1,2000-"}, 206, [(1023, 1)]),
    ({"Range": "BYTES=0-1"}, 206, [(0, 2)]),
    ({"Range": "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(16))}, 206,
     [(2 * n, 1) for n in range(16)]),
    ({"Range": "bytes=5-4"}, 200, None),
    ({"Range": "bytes=0-1,x"}, 200, None),
    ({"Range": "bytes="}, 200, None),
    ({"Range": "bytes=0-1000,500-"}, 200, None),
    ({"Range": "bytes=2000-,-0"}, 416, None),
    ({"Range": "bytes=1024-"}, 416, None),
    ({"Range": "bytes=5000-6000"}, 416, None),
    ({"Range": "bytes=-0"}, 416, None),
    ({"Range": "bytes=0-,0-,0-"}, 200, None),
    ({"Range": "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(17))}, 200, None),
    ({"Range": "lines=0-1"}, 200, None),
    ({"Range": "bytes=x-y"}, 200, None),
    ({"Range": "bytes=0-1", "If-Range": "{etag}"}, 206, [(0, 2)]),
    ({"Range": "bytes=0-1", "If-Range": DATE}, 206, [(0, 2)]),
    ({"Range": "bytes=0-1", "If-Range": "W/{etag}"}, 200, None),
    ({"Range": "bytes=0-1", "If-Range": '"x"'}, 200, None),
    ({"Range": "bytes=0-1", "If-Range": BEFORE}, 200, None),
    ({"Range": "bytes=0-1", "If-Range": AFTER}, 200, None),
    ({"Range": "bytes=5000-", "If-Range": '"x"'}, 200, None),
    ({"Range": "bytes=0-1", "If-None-Match": "{etag}"}, 304, None),
    ({"Range": "bytes=0-1", "If-Match": '"x"'}, 412, None),
    ({"Range": "bytes=5000-", "If-Modified-Since": DATE}, 304, None),
    ({"Range": "bytes=0-1", "If-Match": "*"}, 206, [(0, 2)]),
    ({"Range": "bytes=0-1", "If-None-Match": '"x"'}, 206, [(0, 2)]),
    ({"Range": "bytes=0-1", "If-None-Match": "*"}, 304, None),
    ({"Range": "bytes=0-1", "If-Unmodified-Since": BEFORE}, 412, None),
    ({"Range": "bytes=0-1", "If-Range": "{etag}", "If-None-Match": "{etag}"}, 304, None),
    ({"Range": "bytes=5000-", "If-Range": "{etag}"}, 416, None),
    ({"Range": "bytes=0-1", "If-Range": '"x", {etag}'}, 200, None),
    ({"Range": "bytes=0-1", "If-Range": "*"}, 200, None),
    ({"If-Range": "{etag}"}, 200, None),
]


def parts_of(response):
    """[(offset, bytes)] of a 206; every length in it is checked."""
    kind = response.field("Content-Type")
    if not kind.startswith("multipart/byteranges"):
        return [part_of(response.field("Content-Range"), response.body)]
    assert response.field("Content-Range") is None
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", kind)[1].encode()
    first, *parts, last = (b"\r\n" + response.body).split(b"\r\n--" + boundary)
    assert (first, last) == (b"", b"--\r\n")
    found = []
    for part in parts:
        head, body = part.split(b"\r\n\r\n", 1)
        fields = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        assert set(fields) == {"Content-Type", "Content-Range"}
        found.append(part_of(fields["Content-Range"], body))
    return found


def part_of(content_range, body):
    first, last, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range).groups())
    assert last - first + 1 == len(body) and last < size
    return first, body


def test_conditions_and_ranges(files):
    s = files(cache_control="max-age=60")
    with s.connect() as c:
        plain = c.get("/a/file")
        etag = plain.field("ETag")
        assert re.fullmatch(r'"[\x21\x23-\x7e]+"', etag), etag
        assert plain.field("Last-Modified") == DATE
        assert plain.field("Accept-Ranges") == "bytes"
        for fields, status, parts in CASES:
            fields = [(name, value.replace("{etag}", etag)) for name, value in fields.items()]
            r = c.get("/a/file", fields=fields)
            assert r.status == status, (fields, r)
            if status in (200, 206, 304):
                assert (r.field("ETag"), r.field("Last-Modified"), r.field("Cache-Control")) == \
                    (etag, DATE, "max-age=60"), (fields, r)
            if status == 200:
                assert r.body == TEXT and r.field("Content-Range") is None, fields
            if status == 206:
                assert parts_of(r) == [(at, TEXT[at:at + n]) for at, n in parts], fields
            if status == 416:
                assert r.field("Content-Range") == "bytes */1024"
            # To HEAD the same is said, but that ranges are for GET alone.
            head = c.get("/a/file", "HEAD", fields=fields)
            assert head.status == {206: 200, 416: 200}.get(status, status), (fields, head)
            if status == 200:
                own = ("Date", "X-Request-ID")  # of each response
                assert [f for f in head.fields if f[0] not in own] == \
                    [f for f in r.fields if f[0] not in own]


def test_conditions_of_what_is_not_there(files):
    """They are for what would be answered 2xx without them (RFC 9110 section 13.2.1)."""
    with files().connect() as c:
        for method, path, status in (("GET", "/none", 404), ("HEAD", "/none", 404),
                                     ("GET", "/a", 301), ("GET", "/a/", 403),
                                     ("PUT", "/a/file", 405)):
            for fields in ({"If-Match": "*"}, {"If-Match": '"x"'}, {"If-None-Match": "*"},
                           {"If-Unmodified-Since": BEFORE}, {"If-Modified-Since": AFTER},
                           {"Range": "bytes=0-1"}, {"Range": "bytes=5000-"}):
                assert c.get(path, method, fields=list(fields.items())).status == status, \
                    (method, path, fields)


def test_an_empty_file(files, root):
    s = files()
    write(root / "empty", b"")
    with s.connect() as c:
        assert c.get("/empty").body == b""
        assert c.get("/empty", fields=[("Range", "bytes=-5")]).status == 200
        r = c.get("/empty", fields=[("Range", "bytes=0-")])
        assert (r.status, r.field("Content-Range")) == (416, "bytes */0")


def test_a_file_from_the_future(files, root):
    """Last-Modified is never later than Date (RFC 9110 section 8.8.2.1)."""
    s = files()
    write(root / "later", b"x", 4102444800)
    r = s.get("/later")
    assert r.status == 200
    assert parsedate_to_datetime(r.field("Last-Modified")) <= parsedate_to_datetime(r.field("Date"))


def test_many_bytes_of_many_ranges(files, root):
    """More than the client's queue may hold: a part of what was asked for, named as such."""
    s = files(response_buffer_size="64K")
    content = os.urandom(1 << 20)
    write(root / "big", content)
    with s.connect() as c:
        ask = [("Range", "bytes=0-9,100000-140000,10-19,500000-599999")]
        assert parts_of(c.get("/big", fields=ask)) == [
            (0, content[:10]), (100000, content[100000:140001]), (10, content[10:20])]
        ask = [("Range", "bytes=100000-299999,0-1")]
        assert parts_of(c.get("/big", fields=ask)) == [(100000, content[100000:300000])]


# ---- What nginx does too -----------------------------------------------------------------

PLAIN = [
    ("GET", "/a/file"), ("HEAD", "/a/file"), ("GET", "/a/file?query"), ("GET", "//a///file"),
    ("GET", "/a%2Ffile"), ("GET", "/%61/f%69le"), ("GET", "/"), ("GET", "/index.html"),
    ("GET", "/none"), ("GET", "/a/file/"), ("GET", "/a/file/b"), ("GET", "/sub"),
    ("GET", "/sub?x=y"), ("GET", "/sub/"), ("GET", "/a/"), ("HEAD", "/a/"), ("GET", "/none/"),
    ("GET", "/with%20blank/%C3%A4"), ("GET", "/a/../../etc/passwd"), ("GET", "/../etc/passwd"),
    ("DELETE", "/a/file"), ("PUT", "/a/file"), ("GET", "/sub/index.html/x"), ("GET", "/fifo"),
]
# There nginx counts the date beside a tag, a date that is none, and 416 for what is no range.
DIFFERENT = [{"If-Match": "{etag}", "If-Unmodified-Since": BEFORE},
             {"If-None-Match": "{etag}", "If-Modified-Since": BEFORE},
             {"If-Unmodified-Since": "no date"},
             *({"Range": f"bytes={text}"} for text in ("x-y", "5-4", "0-1,x", ""))]


@pytest.fixture
def nginx(tmp_path, root):
    if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"):
        pytest.skip("nginx is not installed")
    port = free_port()
    temporary = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(f"""
        {"user root root;" if os.getuid() == 0 else ""}
        daemon off; master_process off; pid {tmp_path}/nginx.pid;
        error_log {tmp_path}/nginx.log; events {{ }}
        http {{ {temporary} access_log off; if_modified_since before; max_ranges 16;
            absolute_redirect off;
            server {{ listen 127.0.0.1:{port}; root {root}; index index.html; }} }}""")
    process = subprocess.Popen(
        ["/usr/sbin/nginx", "-e", tmp_path / "nginx.log", "-c", tmp_path / "nginx.conf"],
        stdin=subprocess.DEVNULL)

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    try:
        wait_for(answers, what="nginx")
        yield ("127.0.0.1", port)
    finally:
        process.send_signal(SIGKILL)
        process.wait()


def test_as_nginx_does(files, root, nginx):
    for name in ("index.html", "sub/index.html", "with blank/\u00e4"):
        write(root / name, name.encode())
    os.mkfifo(root / "fifo")
    s = files()

    def both(method, path, fields=()):
        answers = []
        for address in (s.address, nginx):
            with Client(address) as c:
                etag = c.get("/a/file").field("ETag")
                answers.append(c.get(path, method, fields=[
                    (name, value.replace("{etag}", etag)) for name, value in fields]))
        return answers

    for method, path in PLAIN:
        own, other = both(method, path)
        if path == "/fifo":  # nginx says that there is one
            assert own.status == 404 and other.status in (403, 404)
            continue
        assert own.status == other.status, (method, path, own, other)
        assert own.field("Location") == other.field("Location"), (method, path)
        if own.status == 200:
            assert own.body == other.body, (method, path)
            for name in ("Content-Length", "Last-Modified", "Accept-Ranges"):
                assert own.field(name) == other.field(name), (method, path, name)
    for fields, status, _ in CASES:
        if fields in DIFFERENT:
            continue
        own, other = both("GET", "/a/file", list(fields.items()))
        assert own.status == other.status == status, (fields, own, other)
        assert own.field("Content-Range") == other.field("Content-Range"), fields
        if status == 206:
            assert parts_of(own) == [(at, TEXT[at:at + len(part)]) for at, part in parts_of(own)]
        if status in (200, 206) and "multipart" not in own.field("Content-Type"):
            assert own.body == other.body, fields


# ---- Paths -------------------------------------------------------------------------------


def attempts():
    ups = ["..", "%2e%2e", ".%2e", "%2E.", "%2E%2e", "%252e%252e", "%25252e%25252e", "..%00", "%00..",
           "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "..;", "%u002e%u002e", "....", "..%20",
           "%20..", "..%0a", "...", "%ef%bc%8e%ef%bc%8e", "\xef\xbc\x8e" * 2, "%e2%80%a5", "..%09",
           "..\\..", "..%2e", "%f0%80%80%ae%f0%80%80%ae"]
    slashes = ["/", "%2f", "%2F", "\\", "%5c", "//", "/./", "%252f", "%c0%af", "%ef%bc%8f",
               "\xe2\x88\x95"]
    for up in ups:
        for slash in slashes:
            yield f"/{up}{slash}secret"
            yield f"/a/{up}{slash}{up}{slash}secret"
    for path in ["/root/secret", "/../root2/secret", "/..%2froot2%2fsecret", "/root2/secret",
                 "/a/file/../../../secret", "/a/file%00/../../secret", "/secret%00.html",
                 "/.%00./secret", "http://test/../secret", "http://test/%2e%2e/secret",
                 "file:///secret", "//..//secret", "///secret", "/%2fsecret", "/?/../secret",
                 "/#/../secret", "/a/;/../../secret", "/.git/secret", "/.secret", "/a/.secret",
                 "/.well-known/../../secret", "/.well-known/.secret", "/link", "/absolute",
                 "/chain", "/folder/secret", "/folder/", "/folder", "/slash/etc/passwd", "/slash/",
                 "/up/secret", "/up/root/link", "/proc/secret", "/cwd/secret", "/fd/0", "/loop",
                 "/loop/secret", "/sibling/secret", "/a/up2/secret", "/inner/../../secret",
                 "/dangling", "/exe", "/self/cwd/secret", "/self/root/etc/passwd",
                 "/.../secret", "/a/.../secret", "/link.", "/link/", "/link%20", "/link::$DATA",
                 "/proot/etc/passwd", "/chain64", "/through/secret", "/inner/up2/secret",
                 "/fds/0", "/Link", "/LINK/secret", "/~/secret", "/\\secret", "/c:/secret"]:
        yield path
    for target in ("/etc/passwd", "/proc/self/environ", "/proc/self/cmdline"):
        yield target
        yield "/" + target
        yield "/%2f" + target[1:].replace("/", "%2f")
        yield "/.." * 20 + target
        yield "/%2e%2e" * 20 + target


def make_traps(tmp_path, root):
    write(tmp_path / "secret", SECRET)
    write(tmp_path / "root2/secret", SECRET)
    for name in (".git/secret", ".secret", "a/.secret", ".well-known/.secret"):
        write(root / name, SECRET)
    for name, to in {
            "link": "../secret", "absolute": tmp_path / "secret", "chain": "link",
            "folder": tmp_path, "slash": "/", "up": "..", "proc": "/proc/self/cwd",
            "cwd": "/proc/self/cwd/..", "fd": "/proc/self/fd", "loop": "loop",
            "sibling": "../root2", "a/up2": "../..", "dangling": "../none",
            "exe": "/proc/self/exe", "self": "/proc/self", "proot": "/proc/self/root",
            "fds": "/dev/fd", "through": "a/up2"}.items():
        (root / name).symlink_to(to)
    for n in range(1, 65):
        (root / f"chain{n}").symlink_to(f"chain{n - 1}" if n > 1 else "link")
    (root / "inner").symlink_to("a")
    (root / "good").symlink_to("inner/file")
    (root / "round").symlink_to("a/../good")
    (root / "whole").symlink_to(root / "a")


@pytest.mark.parametrize("openat2", [True, False])
def test_nothing_leaves_the_root(files, root, tmp_path, compile_app, openat2):
    if SANITIZED and not openat2:
        pytest.skip("the sanitizer must be the first library")
    s = files(env=None if openat2 else without_openat2(compile_app), chdir=str(tmp_path))
    make_traps(tmp_path, root)
    tried, c = 0, s.connect()
    for path in attempts():
        try:
            r = c.get(path)
        except (Cut, ConnectionError, BrokenPipeError):  # after a 400
            c.close()
            c = s.connect()
            r = c.get(path)
        assert r.status in (400, 403, 404), (path, r)
        assert SECRET not in r.body and b"root:" not in r.body, path
        tried += 1
    c.close()
    assert tried >= 200
    # Links that stay inside are followed.
    for path in ("/good", "/inner/file", "/round", "/whole/file"):
        assert s.get(path).body == TEXT, path
    assert s.get("/inner").field("Location") == "/inner/"


def test_redirects_to_folders(files, root):
    s = files()
    (root / "other host").mkdir()
    for path, location in {"/a": "/a/", "/a?x=y?z": "/a/?x=y?z", "//a": "/a/",
                           "///other%20host": "/other%20host/"}.items():
        r = s.get(path)
        assert (r.status, r.field("Location")) == (301, location)


def test_methods(files):
    with files().connect() as c:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"):
            for path in ("/a/file", "/none", "/a"):
                r = c.get(path, method, body=b"x")
                assert (r.status, r.field("Allow")) == (405, "GET, HEAD"), method


def test_what_is_no_file(files, root):
    """A FIFO would block whoever opens it."""
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        s = files()
        (root / "null").symlink_to("/dev/null")
        for path in ("/fifo", "/socket", "/null", "/fifo/", "/socket/x"):
            assert s.get(path).status == 404, path


def test_long_paths(files, root):
    s = files(limit_request_line=8190)
    deep = "/".join(["d" * 200] * 15)
    write(root / deep / "file", b"deep")
    assert s.get(f"/{deep}/file").body == b"deep"
    for path in ("/" + "x" * 300, "/" + "x/" * 2000, "/" + "y" * 4095, "/" + "y" * 8000):
        assert s.get(path).status == 404, len(path)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root and another user")
def test_permissions(files, root):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "root").mkdir()
        shutil.rmtree(root)
        root.symlink_to(Path(folder) / "root")
        write(root / "shut", SECRET).chmod(0)
        write(root / "closed/file", SECRET)
        (root / "closed").chmod(0)
        s = files(target=f"files:{folder}/root", user="nobody")
        with s.connect() as c:
            assert c.get("/a/file").status == 200
            for path in ("/shut", "/closed/file", "/closed", "/closed/"):
                assert c.get(path).status == 403, path


# ---- Folders -----------------------------------------------------------------------------


def test_index(files, root):
    s = files(index="start.txt")
    assert s.get("/a/").status == 403
    assert s.get("/none/").status == 404
    write(root / "a/start.txt", b"here it begins")
    assert s.get("/a/").body == b"here it begins"
    assert s.get("/a/", "HEAD").field("Content-Type") == "text/plain; charset=utf-8"


def test_listing(files, root):
    s = files(listing=True)
    names = ['<b>&"\'', "javascript:alert(1)", "a b", "\u00e4", "100%", "big", "q?#"]
    for name in names:
        write(root / "list" / name, b"x" * 2048)
    (root / "list/folder").mkdir()
    (root / "list/inside").symlink_to("folder")
    (root / "list/outside").symlink_to("/etc/passwd")
    (root / "list/broken").symlink_to("none")
    write(root / "list/.hidden")
    os.mkfifo(root / "list/fifo")
    r = s.get("/list/")
    assert r.field("Content-Type") == "text/html; charset=utf-8"
    links = re.findall(r'href="([^"]*)"', r.text)
    assert links[:3] == ["../", "folder/", "inside/"] and len(links) == 3 + len(names)
    assert "<b>" not in r.text and "outside" not in r.text and "hidden" not in r.text
    assert "1994-11-06 08:49" in r.text and "2.0 K" in r.text
    for link in links[3:]:
        assert re.fullmatch(r"[A-Za-z0-9._~%-]+", link)
        assert s.get(f"/list/{link}").body == b"x" * 2048
    assert "../" not in s.get("/").text
    assert s.get("/list/", "HEAD").field("Content-Length") == str(len(r.body))
    write(root / "list/index.html", b"index")
    assert s.get("/list/").body == b"index"


# ---- Types, codings ----------------------------------------------------------------------


def test_types(files, root):
    s = files()
    for name, kind in {
            "a.html": "text/html; charset=utf-8", "a.CSS": "text/css; charset=utf-8",
            "a.js": "text/javascript; charset=utf-8", "a.json": "application/json",
            "a.png": "image/png", "a.svg": "image/svg+xml", "a.woff2": "font/woff2",
            "none": "application/octet-stream", "a.b.txt": "text/plain; charset=utf-8",
            "a.tar.gz": "application/gzip", "a.d/none": "application/octet-stream"}.items():
        write(root / name, b"x")
        assert s.get("/" + name).field("Content-Type") == kind, name


def test_encoded_neighbours(files, root):
    s = files()
    write(root / "a.css", TEXT)
    write(root / "a.css.gz", gzip.compress(TEXT), THEN + 60)
    write(root / "a.css.br", b"brotli", THEN)
    etags = {}
    with s.connect() as c:
        for accepted, coding in {
                None: None, "": None, "gzip": "gzip", "br": "br", "gzip, deflate, br": "br",
                "gzip;q=1.0, br;q=0.9": "gzip", "gzip;q=0.5": "gzip", "*": "br",
                "br;q=0, *": "gzip", "gzip;q=0": None, "identity, gzip;q=0.5": None,
                "identity;q=0.5, gzip;q=0.5": "gzip", "*;q=0": None, "deflate": None,
                "GZIP": "gzip", "identity;q=0, gzip": "gzip"}.items():
            fields = [] if accepted is None else [("Accept-Encoding", accepted)]
            r = c.get("/a.css", fields=fields)
            assert (r.status, r.field("Content-Encoding")) == (200, coding), accepted
            assert r.field("Vary") == "Accept-Encoding"
            assert r.field("Content-Type") == "text/css; charset=utf-8"
            assert r.body == {None: TEXT, "br": b"brotli"}.get(coding, (root / "a.css.gz").read_bytes())
            etags[coding] = r.field("ETag")
        assert len(set(etags.values())) == 3
        # What is compared, and cut, is what is sent.
        asks = [("Accept-Encoding", "br"), ("If-None-Match", etags["br"])]
        r = c.get("/a.css", fields=asks)
        assert (r.status, r.field("Vary")) == (304, "Accept-Encoding")
        assert c.get("/a.css", fields=asks[1:]).status == 200
        r = c.get("/a.css", fields=[("Accept-Encoding", "br"), ("Range", "bytes=1-2")])
        assert (r.status, r.field("Content-Encoding"), r.body) == (206, "br", b"ro")
        assert (r.field("Vary"), r.field("ETag")) == ("Accept-Encoding", etags["br"])
        # A part of one form is not continued with another one.
        r = c.get("/a.css", fields=[("Accept-Encoding", "gzip"), ("Range", "bytes=1-2"),
                                    ("If-Range", etags["br"])])
        assert (r.status, r.field("ETag")) == (200, etags["gzip"])
        r = c.get("/a.css", "HEAD", fields=[("Accept-Encoding", "br")])
        assert (r.field("ETag"), r.field("Content-Length")) == (etags["br"], "6")
        # Asked for by its own name it is a file like others; one that is alone is not found.
        r = c.get("/a.css.gz")
        assert (r.field("Content-Type"), r.field("Content-Encoding"), r.field("Vary")) == \
            ("application/gzip", None, None)
        write(root / "alone.gz", b"x")
        assert c.get("/alone", fields=[("Accept-Encoding", "gzip")]).status == 404


def test_a_neighbour_that_is_older(files, root):
    s = files()
    write(root / "a.css", b"new", THEN + 1)
    write(root / "a.css.gz", b"old", THEN)
    r = s.get("/a.css", fields=[("Accept-Encoding", "gzip")])
    assert (r.body, r.field("Content-Encoding"), r.field("Vary")) == (b"new", None, None)


# ---- Sizes, changes ----------------------------------------------------------------------


def test_a_file_of_three_gigabytes(files, root):
    s = files()
    size = 3 << 30
    with open(root / "large", "wb") as file:
        file.truncate(size)
        for at in (0, (2 << 30) - 3, size - 6):
            file.seek(at)
            file.write(b"marked")
    with s.connect() as c:
        assert c.get("/large", "HEAD").field("Content-Length") == str(size)

        def part(text):
            r = c.get("/large", fields=[("Range", f"bytes={text}")])
            assert r.status == 206
            return parts_of(r)

        assert part(f"{(2 << 30) - 3}-{(2 << 30) + 2}") == [((2 << 30) - 3, b"marked")]
        assert part("-6") == [(size - 6, b"marked")]
        assert part(f"0-5,{(2 << 30) - 4}-{(2 << 30) + 3},-7") == [
            (0, b"marked"), ((2 << 30) - 4, b"\0marked\0"), (size - 7, b"\0marked")]
        got = []
        first = (2 << 30) - (32 << 20)
        c.ask("/large", fields=[("Range", f"bytes={first}-{(2 << 30) + (32 << 20) - 1}")])
        c.response(sink=got.append)
        assert sum(map(len, got)) == 64 << 20
        assert b"".join(got)[(32 << 20) - 3:(32 << 20) + 3] == b"marked"
        if os.environ.get("ALICORN_ENDURANCE") == "full":
            lengths = []
            c.ask("/large")
            c.response(sink=lambda piece: lengths.append(len(piece)))
            assert sum(lengths) == size


def test_a_file_that_shrinks_while_it_is_sent(files, root):
    s = files()
    for size, ask in ((32 << 20, []), (32 << 20, [("Range", "bytes=1000-30000000")])):
        write(root / "shrinks", b"x" * size)
        with s.connect(receive_buffer=4096) as c:
            c.ask("/shrinks", fields=ask)
            c.more()
            os.truncate(root / "shrinks", 1 << 20)
            with pytest.raises(Cut):
                c.response(sink=lambda piece: None)
        assert s.get("/a/file").body == TEXT
    assert len(s.workers()) == 1 and "worker exited" not in s.log()


def test_changes_are_seen_at_once(files, root):
    s = files()
    with s.connect() as c:
        for content in (b"one", b"longer", b"same 6", b""):
            write(root / "file", content)
            os.utime(root / "file")
            assert c.get("/file").body == content
        for content in (b"replaced", b"replaced again"):
            write(root / "new", content)
            (root / "new").rename(root / "file")
            assert c.get("/file").body == content
        (root / "file").unlink()
        assert c.get("/file").status == 404
        write(root / "file", b"back")
        assert c.get("/file").body == b"back"
        # A new neighbour is looked for once a second; one that is known, when it is sent.
        zipped = [("Accept-Encoding", "gzip")]
        write(root / "file.gz", b"zipped", THEN)
        wait_for(lambda: c.get("/file", fields=zipped).body == b"zipped")
        write(root / "file.gz", b"zipped anew", THEN)
        assert c.get("/file", fields=zipped).body == b"zipped anew"
        (root / "file.gz").unlink()
        assert c.get("/file", fields=zipped).body == b"back"


def test_changes_of_a_file_at_rest(files, root):
    """A small one is kept in memory then; what is set back afterwards is its time."""
    s = files()
    write(root / "file", b"first")
    time.sleep(2.5)
    with s.connect() as c:
        for content in (b"first", b"other", b"third"):
            write(root / "file", content)
            for _ in range(3):
                assert c.get("/file").body == content
                assert c.get("/file", fields=[("Range", "bytes=1-2")]).body == content[1:3]


def test_a_root_that_moves(files, root, tmp_path):
    current = tmp_path / "current"
    current.symlink_to("root")
    s = files(target=f"files:{current}")
    write(tmp_path / "release2/a/file", b"release 2")
    with s.connect() as c:
        assert c.get("/a/file").body == TEXT
        (tmp_path / "link").symlink_to("release2")
        (tmp_path / "link").rename(current)
        wait_for(lambda: c.get("/a/file").body == b"release 2")
        (tmp_path / "release2").rename(tmp_path / "elsewhere")
        wait_for(lambda: c.get("/a/file").status == 404)
        s.wait_log("current: the folder is gone")
        (tmp_path / "elsewhere").rename(tmp_path / "release2")
        wait_for(lambda: c.get("/a/file").body == b"release 2")
    shutil.rmtree(tmp_path / "release2")
    s.signal(SIGHUP)
    s.wait_log(r"server\.conf:\d+: target: .*current: No such file or directory")
    assert s.process.poll() is None


def test_reload(files, root):
    s = files()
    assert s.get("/a/file").field("Cache-Control") is None
    s.configure(apps={"files": {
        "target": f"files:{root}", "bind": "127.0.0.1:0", "workers": 1,
        "cache_control": "no-cache", "index": "file"}})
    s.signal(SIGHUP)
    wait_for(lambda: s.get("/a/").status == 200)
    assert s.get("/a/file").field("Cache-Control") == "no-cache"


def test_descriptors_are_bounded(files, root):
    s = files()
    [worker] = s.wait_workers(1)

    def descriptors():
        return len(list(Path(f"/proc/{worker}/fd").iterdir()))

    before = descriptors()
    with s.connect() as c:
        for i in range(1000):
            write(root / f"n{i}", b"%d" % i)
            assert c.get(f"/n{i}").body == b"%d" % i
    assert descriptors() <= before + 256 + 1
    if os.environ.get("ALICORN_ENDURANCE") == "full":
        # Requests close what others have not asked for.
        wait_for(lambda: s.get("/a/file") and descriptors() <= before + 1, what="all closed")


def test_more_files_than_descriptors(files, root):
    """What the cache holds it gives up when descriptors are needed."""
    s = files(limit_files=64)
    with s.connect() as c:
        for i in range(200):
            write(root / f"n{i}", b"%d" % i)
            assert c.get(f"/n{i}").body == b"%d" % i


def test_targets(alicorn, tmp_path, root):
    for target, reason in {f"files:{tmp_path}/none": "No such file or directory",
                           "files:": "no path is given", "files:/etc/passwd": "not a folder"}.items():
        done = alicorn("--check-config", target)
        assert done.returncode == 1 and reason in done.stderr, done


# ---- Among other applications ------------------------------------------------------------


@pytest.fixture(params=["direct", "front"])
def routed(server, root, tmp_path, request):
    """A function that starts a server with these routes: the workers of their only
    application send the files too, or, with another application, those of a front."""
    def start(routes, **top):
        write(root / "a/file")
        names = ["c", "other"][:1 + (request.param == "front")]
        other = [{"path": "/other", "app": name} for name in names[1:]]
        s = server(text=site({name: {"target": f"c:{APPS}/who.so"} for name in names},
                             other + routes, {"bind": "127.0.0.1:0", **top},
                             log=tmp_path / "log"),
                   wait=False)
        wait_for(lambda: "listening on" in s.log(), what="listening")
        return s
    return start


def test_files_then_an_application(routed, root, tmp_path):
    make_traps(tmp_path, root)
    write(root / "with/index.html", b"index")
    (root / "empty").mkdir()
    s = routed([{"path": "/list/*", "files": root, "app": "c", "mount": "/list", "listing": True},
                {"files": root, "app": "c"}])
    with s.connect() as c:
        for method, path, status in [
                # what is there
                ("GET", "/a/file", 200), ("HEAD", "/a/file", 200), ("GET", "/with/", 200),
                ("GET", "/with", 301), ("GET", "/good", 200), ("GET", "/list/empty/", 200),
                ("GET", "/list/empty", 301),
                # what is not, by its name or its method
                ("GET", "/none", "c"), ("HEAD", "/none", "c"), ("GET", "/none/", "c"),
                ("GET", "/a/file/below", "c"), ("GET", "/" + "x" * 300, "c"), ("GET", "/", "c"),
                ("GET", "/loop", "c"), ("GET", "/dangling", "c"), ("GET", "/.secret", "c"),
                ("GET", "/.git/secret", "c"), ("GET", "/.well-known/none", "c"),
                ("GET", "/empty/", "c"), ("GET", "/empty", "c"), ("GET", "/list/none", "c"),
                ("POST", "/a/file", "c"), ("DELETE", "/a/file", "c"), ("PUT", "/none", "c"),
                # what is nobody's
                ("GET", "/link", 404), ("GET", "/chain", 404), ("GET", "/folder/secret", 404),
                ("GET", "/slash/etc/passwd", 404)]:
            r = c.get(path, method, body=b"12345" if method in ("POST", "PUT") else None)
            if status != "c":
                assert r.status == status and not r.body.startswith(b"c|"), (method, path, r)
                assert SECRET not in r.body
            else:
                mount = "/list" if path.startswith("/list") else ""
                said = f"c|{mount}|{path.removeprefix(mount)}||127.0.0.1|"
                assert r.status == 200, (method, path, r)
                assert method == "HEAD" or r.text == said + ("5" if method in ("POST", "PUT") else "0")
        # Conditions and ranges of what the application answers are not those of files.
        for fields in ([("If-None-Match", "*")], [("Range", "bytes=0-1")], [("If-Match", '"x"')]):
            assert c.get("/none", fields=fields).text.startswith("c|")


def test_what_files_decline_is_one_request(server, root, tmp_path):
    """To max_requests of the worker that answers it from its application."""
    s = server(text=site({"c": {"target": f"c:{APPS}/who.so", "workers": 1, "max_requests": 10}},
                         [{"files": root, "app": "c"}], {"bind": "127.0.0.1:0"},
                         log=tmp_path / "log"), wait=False)
    s.wait_log("listening on")
    for _ in range(9):
        assert s.get("/none").status == 200
    assert "recycled" not in s.log()
    assert s.get("/none").status == 200
    s.wait_log("recycled after 10 requests")


def test_files_of_several_routes_and_few_descriptors(server, root, tmp_path):
    """What one has open does not keep another's from being opened."""
    write(root / "a")
    routes = [{"path": f"/{i}/*", "files": root, "mount": f"/{i}"} for i in range(30)]
    s = server(text=site({"c": {"target": f"c:{APPS}/who.so", "limit_files": 64}},
                         [*routes, {"app": "c"}], {"bind": "127.0.0.1:0"},
                         log=tmp_path / "log"), wait=False)
    s.wait_log("listening on")
    with s.connect() as c:
        for i in range(30):
            assert c.get(f"/{i}/a").body == TEXT


def test_several_folders(routed, root, tmp_path):
    """Each route has settings of its own, and none of another's."""
    two = tmp_path / "two"
    for folder, content in ((root, b"root"), (two, b"two")):
        write(folder / "one.txt", content + b" one")
        write(folder / "index.html", content + b" index")
        write(folder / "sub/file", content + b" file")
    routes = [
        {"path": "/a/*", "mount": "/a", "files": root, "index": "one.txt", "cache_control": "no-cache"},
        {"path": "/b/*", "mount": "/b", "files": two, "listing": True},
        {"path": "/c/*", "mount": "/c", "files": root, "cache_control": "max-age=60"},
        {"path": "/d/*", "mount": "/d", "files": two, "index": "none", "listing": True},
        {"path": "/e/*", "app": "c"}]
    page = write(tmp_path / "403.html", b"<h1>Shut</h1>")
    s = routed(routes, error_pages=[f"403={page}"])
    expected = {
        "/a/": (200, b"root one", "no-cache"), "/b/": (200, b"two index", None),
        "/c/": (200, b"root index", "max-age=60"), "/a/sub/file": (200, b"root file", "no-cache"),
        "/b/sub/file": (200, b"two file", None), "/c/sub/file": (200, b"root file", "max-age=60"),
        "/a/sub/": (403, b"<h1>Shut</h1>", None), "/b/sub/": (200, None, None),
        "/c/sub/": (403, b"<h1>Shut</h1>", None), "/c/none": (404, b"404 Not Found\n", None),
        "/d/": (200, None, None), "/d/sub/file": (200, b"two file", None)}
    with s.connect() as c:
        for _ in range(3):
            for path, (status, body, cached) in expected.items():
                r = c.get(path)
                assert (r.status, r.field("Cache-Control")) == (status, cached), (path, r)
                assert body is None or r.body == body, (path, r)
            assert "sub/" in c.get("/d/").text and "root" not in c.get("/d/").text


def test_several_fastcgi_backends(routed, tmp_path):
    backends = []
    for name in ("x", "y"):
        def answer(connection, request, name=name):
            said = "|".join([name, *(request.params.get(key, "-") for key in (
                "SCRIPT_FILENAME", "DOCUMENT_ROOT", "SCRIPT_NAME", "PATH_INFO", "ONLY_X", "BOTH"))])
            connection.sendall(stdout(OK_HEAD + said.encode()) + end())
        backends.append(Backend(answer))
        write(tmp_path / name / "index.php", b"")
        write(tmp_path / name / "start.php", b"")
    x, y = (backend.target.removeprefix("fcgi://") for backend in backends)
    try:
        s = routed([
            {"path": "/x/*", "mount": "/x", "fastcgi": x, "root": tmp_path / "x",
             "params": ["ONLY_X=1", "BOTH=x"]},
            {"path": "/y/*", "mount": "/y", "fastcgi": y, "root": tmp_path / "y",
             "index": "start.php", "params": ["BOTH=y"]},
            {"path": "/z/*", "mount": "/z", "fastcgi": x},
            {"path": "/c/*", "app": "c"}])
        with s.connect() as c:
            for _ in range(3):
                assert c.get("/x/").text == \
                    f"x|{tmp_path}/x/index.php|{tmp_path}/x|/x/index.php|-|1|x"
                assert c.get("/y/").text == \
                    f"y|{tmp_path}/y/start.php|{tmp_path}/y|/y/start.php|-|-|y"
                assert c.get("/z/some/path").text == "x|-|-|/z|/some/path|-|-"
                assert c.get("/y/none.php").status == 404
                assert c.get("/c/x").text == "c||/c/x||127.0.0.1|0"
    finally:
        for backend in backends:
            backend.close()
