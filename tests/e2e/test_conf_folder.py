"""-c FOLDER: applications in files, each for itself; what gunicorn's users are told."""

import re
import signal

import pytest

from conftest import PROBE, format_config, free_port, saying, wait_for

HUP = signal.SIGHUP


@pytest.fixture
def site(tmp_path, server, compile_app):
    """A server of the files in conf.d; put(NAME, …) writes one that says its own name."""
    class Site:
        folder = tmp_path / "conf.d"

        def text(self, name, **settings):
            target = f"c:{compile_app(saying(name), name + '.so')}"
            return f'errorlog = "{tmp_path}/log";\n' + format_config(
                {name: {"target": target, "bind": f"127.0.0.1:{free_port()}", **settings}}, {})

        def put(self, name, text=None, **settings):
            (self.folder / f"{name}.conf").write_text(text or self.text(name, **settings))

        def start(self, names):
            for name in names:
                self.put(name)
            self.server = server(arguments=["-c", "conf.d"])
            for name in names:
                self.wait_serving(name)
            return self.server

        def wait_serving(self, name):
            wait_for(lambda: self.server.listeners(name), what=f"{name} listens")
            assert self.server.get("/", name=name).text == name

        def reload(self, pattern="reload done"):
            times = len(re.findall(pattern, self.server.log())) + 1
            self.server.signal(HUP)
            self.server.wait_log(pattern, times)

    Site.folder.mkdir()
    return Site()


def test_two_files_are_two_applications(site):
    s = site.start(["blog", "shop"])
    assert len(s.workers("blog")) == len(s.workers("shop")) == 1
    s.stop()


def test_top_of_a_file_is_for_its_applications_only(site, alicorn):
    site.put("a", f"workers = 3;\n{site.text('a')}")
    site.put("b")
    out = alicorn("--print-config", "-c", "conf.d").stdout
    assert re.findall(r"workers = (\d+);.*", out) == ["3", "1"]
    assert "/* conf.d/a.conf:1 */" in out


def test_file_is_added_changed_and_removed(site):
    s = site.start(["blog"])
    site.put("shop")
    site.reload()
    site.wait_serving("shop")
    site.wait_serving("blog")
    site.put("shop", workers=2, bind=f"127.0.0.1:{s.listeners('shop')[0][1]}")
    site.reload()
    s.wait_workers(2, "shop")
    (site.folder / "shop.conf").unlink()
    site.reload()
    wait_for(lambda: not s.workers("shop"), what="the workers of shop gone")
    with pytest.raises(ConnectionRefusedError):
        s.get("/", name="shop")
    site.wait_serving("blog")
    s.stop()


def test_broken_file_goes_on_as_it_was(site):
    s = site.start(["blog", "shop"])
    good = (site.folder / "shop.conf").read_text()
    site.put("shop", "\n\nworkerz = 2;\n")
    site.put("wiki")
    site.reload()
    s.wait_log(r"conf\.d/shop\.conf:3: unknown setting workerz; did you mean workers\?")
    s.wait_log(r"conf\.d/shop\.conf: what it said before goes on")
    for name in ("blog", "shop", "wiki"):
        site.wait_serving(name)
    # Again, now that the configuration before has it from the one before that.
    site.put("shop", "applications: {\n")
    site.reload()
    s.wait_log(r"conf\.d/shop\.conf:1: this \{ is not closed")
    site.wait_serving("shop")
    site.put("shop", good)
    site.reload()
    site.wait_serving("shop")
    s.stop()


def test_broken_file_is_left_out_at_start(site, server):
    site.put("bad", "workers = 0;\n")
    s = site.start(["shop"])
    s.wait_log(r"conf\.d/bad\.conf:1: workers: \"0\" is not a whole number from 1 to")
    s.wait_log(r"conf\.d/bad\.conf is left out")
    site.put("bad", site.text("bad"))
    site.reload()
    site.wait_serving("bad")
    s.stop()


def test_nothing_is_left_at_start(site, alicorn):
    site.put("bad", "workers = 0;\n")
    done = alicorn("-c", "conf.d")
    assert done.returncode == 1
    assert "conf.d/bad.conf:1:" in done.stderr and "no application" in done.stderr


def test_last_file_does_not_vanish(site):
    """Without any application the reload is refused."""
    s = site.start(["shop"])
    (site.folder / "shop.conf").unlink()
    site.reload("reload failed")
    site.wait_serving("shop")
    s.stop()


@pytest.mark.parametrize("what", ["name", "bind"])
def test_later_file_is_the_broken_one(site, what):
    s = site.start(["blog", "shop"])
    text = (site.folder / "shop.conf").read_text()
    fresh = f'bind = "127.0.0.1:{free_port()}"'
    site.put("zoo", re.sub('bind = ".*"', fresh, text) if what == "name"
             else text.replace("shop: {", "zoo: {"))
    site.reload()
    if what == "name":
        s.wait_log(r"conf\.d/zoo\.conf:\d+: application shop is in conf\.d/shop\.conf already")
    else:
        s.wait_log(r"conf\.d/zoo\.conf:\d+: bind: .* of application shop and of application zoo")
    s.wait_log(r"conf\.d/zoo\.conf is left out")
    site.wait_serving("shop")
    assert not s.workers("zoo")
    s.stop()


def test_earlier_file_takes_nothing_away(site):
    """What serves would have to stop: the reload is refused."""
    s = site.start(["blog", "shop"])
    old = s.workers()
    text = (site.folder / "shop.conf").read_text()
    site.put("aaa", text.replace("shop: {", "aaa: {"))
    site.reload("reload failed")
    s.wait_log(r"conf\.d/shop\.conf: what it said before does not fit any more")
    site.wait_serving("shop")
    assert s.workers() == old
    s.stop()


def test_folder_that_is_gone_stops_nobody(site, tmp_path, alicorn):
    """At a reload, that is; a start would do without that file."""
    (tmp_path / "home").mkdir()
    site.put("shop", chdir=str(tmp_path / "home"))
    s = site.start(["blog"])
    site.wait_serving("shop")
    (tmp_path / "home").rmdir()
    site.reload("reload failed")
    s.wait_log(r"conf\.d/shop\.conf:\d+: chdir: .*/home: No such file or directory")
    for name in ("blog", "shop"):
        site.wait_serving(name)
    s.stop()
    done = alicorn("--check-config", "-c", "conf.d")
    assert done.stdout == "blog: ok\n" and "conf.d/shop.conf is left out" in done.stderr


def test_server_settings_must_agree(site, alicorn):
    site.put("a", f'loglevel = "debug";\n{site.text("a")}')
    site.put("b", f'loglevel = "info";\n{site.text("b")}')
    done = alicorn("--check-config", "-c", "conf.d")
    assert done.returncode == 1 and done.stdout == "a: ok\n"
    assert "conf.d/b.conf:1: loglevel is another value in conf.d/a.conf:1\n" in done.stderr
    site.put("b", f'loglevel = "debug";\n{site.text("b")}')
    assert alicorn("--check-config", "-c", "conf.d").returncode == 0


def test_server_settings_may_have_a_file_of_their_own(site, alicorn):
    site.put("00-server", 'loglevel = "warning";\n')
    site.put("shop")
    done = alicorn("--check-config", "-c", "conf.d")
    assert done.returncode == 0, done
    assert done.stdout == "shop: ok\n"


def test_short_file_has_its_name(site, alicorn):
    site.put("10-shop", f'target = "{PROBE}";\n')
    site.put("20 x", f'target = "{PROBE}"; bind = ":1";\n')
    (site.folder / ".shop.conf").write_text("what an editor left")
    (site.folder / "shop.conf~").write_text("what an editor left")
    done = alicorn("--print-config", "-c", "conf.d")
    assert done.returncode == 1 and "\tshop: {\n" in done.stdout
    assert 'conf.d/20 x.conf: "20 x", from the name of the file' in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_printed_configuration_reads_back(site, alicorn, tmp_path):
    site.put("blog", f'proc_name = "x";\n{site.text("blog", raw_env=["A=1", "B=2"])}')
    site.put("shop", f"timeout = 7;\n{site.text('shop', chdir='.')}")
    first = alicorn("--print-config", "-c", "conf.d", "--keep-alive", "9")
    assert first.returncode == 0, first
    (tmp_path / "printed.conf").write_text(first.stdout)
    again = alicorn("--print-config", "-c", "printed.conf")
    bare = [re.sub(r"; /\*.*", ";", done.stdout) for done in (first, again)]
    assert bare[0] == bare[1]
    for origin in ("conf.d/blog.conf:1", "conf.d/shop.conf:1", "command line", "default"):
        assert f"/* {origin} */" in first.stdout


# ---- --check-config -----------------------------------------------------------------


@pytest.mark.parametrize("settings,reason", [
    ({"target": "no_such_module:app"}, "no_such_module"),
    ({"target": "fcgi-exec:no-such-program"}, "the program no-such-program is not in the PATH"),
    ({"target": PROBE, "raw_env": ["PROBE_INIT=exit"]}, "exited with status"),
    ({"target": PROBE, "raw_env": ["PROBE_INIT=fail"]}, "does not want to"),
    ({"target": PROBE, "raw_env": ["PROBE_INIT=slow"], "boot_timeout": 1},
     "not loaded within 1 s, the boot_timeout"),
])
def test_application_that_cannot_be_loaded(site, alicorn, settings, reason):
    site.put("bad", format_config({"bad": settings}, {}))
    site.put("shop")
    done = alicorn("--check-config", "-c", "conf.d")
    assert done.returncode == 1 and done.stdout == "shop: ok\n"
    assert re.search(rf"^bad: .*{re.escape(reason)}", done.stderr, re.M), done.stderr


def test_program_is_found(site, alicorn, tmp_path):
    (tmp_path / "my-cgi").write_text("#!/bin/sh\n")
    (tmp_path / "my-cgi").chmod(0o755)
    site.put("a", format_config({"a": {"target": "fcgi-exec:my-cgi",
                                       "raw_env": [f"PATH=/nowhere:{tmp_path}"]}}, {}))
    assert alicorn("--check-config", "-c", "conf.d").stdout == "a: ok\n"


def test_broken_file_with_its_line(site, alicorn):
    site.put("bad", "timeout = 1;\nworkerz = 2;\n")
    site.put("shop")
    done = alicorn("--check-config", "-c", "conf.d")
    assert done.returncode == 1 and done.stdout == "shop: ok\n"
    assert "conf.d/bad.conf:2: unknown setting workerz; did you mean workers?" in done.stderr


@pytest.mark.parametrize("setting,value", [("chdir", "/nowhere"), ("root", "/etc/passwd"),
                                           ("venv", "/nowhere"), ("group", "nobody-knows")])
def test_what_has_vanished_with_its_line(site, alicorn, setting, value):
    site.put("bad", f'target = "{PROBE}";\nbind = ":1";\n{setting} = "{value}";\n')
    site.put("shop")
    done = alicorn("--check-config", "-c", "conf.d")
    assert done.returncode == 1 and done.stdout == "shop: ok\n"
    assert re.search(rf"conf\.d/bad\.conf:3: {setting}: .*{value}.*: (No such file|not a folder"
                     "|there is no such group)", done.stderr), done.stderr


# ---- What gunicorn's users are told --------------------------------------------------


@pytest.mark.parametrize("option,sentence", [
    ("--keyfile=x", "--keyfile: TLS is not built in yet; put a TLS proxy in front"),
    ("--paste=x", "--paste: ini files are not read"),
    ("--worker-tmp-dir=/dev/shm", "--worker-tmp-dir: has no meaning here"),
])
def test_flags_of_gunicorn_get_a_sentence(alicorn, option, sentence):
    done = alicorn(option, "x.so")
    assert done.returncode == 2 and sentence in done.stderr


def test_worker_classes_of_gunicorn_get_a_sentence(alicorn):
    done = alicorn("--worker-class=gevent", "x.so")
    assert done.returncode == 1
    assert '--worker-class: "gevent": not sync, gthread, iterating or FILE.so' in done.stderr


def test_settings_of_gunicorn_get_a_sentence(alicorn, tmp_path):
    (tmp_path / "x.conf").write_text('certfile = "x";\nwsgi_app = "a:b";\nconfig = "y";\n')
    done = alicorn("-c", "x.conf")
    assert done.returncode == 1
    assert "x.conf:1: certfile: TLS is not built in yet" in done.stderr
    assert "x.conf:2: wsgi_app: give the application as target" in done.stderr
    assert "x.conf:3: config stands on the command line only" in done.stderr


def test_file_of_gunicorn_gets_a_sentence(alicorn):
    done = alicorn("-c", "gunicorn.conf.py")
    assert done.returncode == 1 and "is no Python program" in done.stderr
    assert "alicorn-convert" in done.stderr
