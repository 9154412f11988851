"""Routes in a folder of files: deployed, broken and taken away while the rest serves."""

import re
import signal

import pytest

from conftest import USER, format_settings, saying, wait_for


def group(settings):
    return "{ " + format_settings(settings).replace("\n", " ") + "}"


def routes(*rows):
    return "routes = ( " + ",\n".join(map(group, rows)) + " );\n"


def under(name, **more):
    """The route to the application of that name."""
    return routes({"path": f"/{name}/*", "mount": f"/{name}", "app": name, **more})


@pytest.fixture
def site(tmp_path, server, compile_app):
    """A server of the files in conf.d, with one address; app(NAME, …) writes a file with an
    application that says its own name, and what else is given."""
    class Site:
        folder = tmp_path / "conf.d"

        def put(self, name, text):
            (self.folder / f"{name}.conf").write_text(text)

        def app(self, name, text="", **settings):
            target = f"c:{compile_app(saying(name), name + '.so')}"
            self.put(name, format_settings({"target": target, **settings}) + text)

        def start(self, text=""):
            self.put("00-site", format_settings(
                {"errorlog": tmp_path / "log", "bind": "127.0.0.1:0"}) + text)
            self.server = server(arguments=["-c", "conf.d"])
            return self.server

        def reload(self, pattern="reload done"):
            times = len(re.findall(pattern, self.server.log())) + 1
            self.server.signal(signal.SIGHUP)
            self.server.wait_log(pattern, times)

        def answers(self, path):
            response = self.server.get(path)
            return response.body.decode() if response.status == 200 else response.status

    Site.folder.mkdir()
    return Site()


def test_site_is_deployed_by_files(site):
    site.app("blog", under("blog"))
    site.app("shop", under("shop"))
    s = site.start()
    assert site.answers("/blog/x") == "blog" and site.answers("/shop") == "shop"
    assert site.answers("/wiki/") == 404
    assert s.workers("front")
    site.app("wiki", under("wiki"))
    site.reload()
    # Workers that were told to stop may still take a connection.
    wait_for(lambda: site.answers("/wiki/") == "wiki", what="wiki serves")
    (site.folder / "blog.conf").unlink()
    site.reload()
    wait_for(lambda: site.answers("/blog/x") == 404, what="blog is gone")
    assert site.answers("/shop/") == "shop"
    s.stop()


def test_route_to_a_broken_application_answers_503(site):
    site.app("shop", under("shop"))
    site.put("blog", "\nworkers = 0;\n")
    s = site.start(under("blog"))
    s.wait_log(r"conf\.d/blog\.conf is left out")
    s.wait_log(r"conf\.d/00-site\.conf:3: app: there is no application blog")
    assert site.answers("/blog/") == 503 and site.answers("/shop/") == "shop"
    site.app("blog")
    site.reload()
    wait_for(lambda: site.answers("/blog/") == "blog", what="blog serves")
    s.stop()


def test_broken_routes_go_on_as_they_were(site):
    site.app("blog", under("blog"))
    site.app("shop", under("shop"))
    s = site.start()
    site.app("blog", under("blog", method="get"))
    site.app("wiki", under("wiki"))
    site.reload()
    s.wait_log(r"conf\.d/blog\.conf:2: method: \"get\": methods are written in capitals")
    s.wait_log(r"conf\.d/blog\.conf: what it said before goes on")
    for name in "blog", "shop", "wiki":
        wait_for(lambda: site.answers(f"/{name}/") == name, what=f"{name} serves")
    s.stop()


def test_application_that_nobody_reaches_is_left_out(site):
    site.app("blog", under("shop"))
    site.app("shop")
    s = site.start()
    s.wait_log(r"blog\.conf:\d: application blog has neither a bind of its own nor a route")
    assert site.answers("/shop/") == "shop"
    s.stop()


def test_single_file_is_refused_whole(server, tmp_path, compile_app):
    target = f"c:{compile_app(saying('shop'), 'shop.so')}"
    log = tmp_path / "log"

    def text(route):
        return format_settings({"errorlog": log, "bind": "127.0.0.1:0", **USER}) + (
            f'applications: {{ shop: {{ target = "{target}"; }}; }};\n' + routes(route))
    s = server(text=text({"app": "shop"}))
    assert s.get("/").text == "shop"
    s.configure(text=text({"app": "shp"}))
    s.signal(signal.SIGHUP)
    s.wait_log(r"app: there is no application shp; did you mean shop\?")
    s.wait_log("reload failed")
    assert s.get("/").text == "shop"
    s.stop()


# ---- --check-config and --print-config ------------------------------------------------


def test_routes_are_checked(site, alicorn, tmp_path):
    site.app("shop", under("shop") + 'bind = "127.0.0.1:0";\n')
    assert alicorn("--check-config", "-c", "conf.d").returncode == 0
    site.put("zoo", routes({"files": "gone", "path": "/zoo/*"}))
    done = alicorn("--check-config", "-c", "conf.d")
    assert done.returncode == 1 and "shop: ok\n" in done.stdout
    gone = tmp_path / "conf.d/gone"
    assert f'conf.d/zoo.conf:1: files: "{gone}": {gone}: No such file' in done.stderr
    site.put("zoo", under("zoo"))
    done = alicorn("--check-config", "-c", "conf.d")
    assert done.returncode == 1 and "shop: ok\n" in done.stdout
    assert "conf.d/zoo.conf:1: app: there is no application zoo\n" in done.stderr


def test_printed_routes_read_back(site, alicorn, tmp_path):
    site.app("blog", under("blog") + 'bind = "127.0.0.1:0";\n')
    site.app("shop", under("shop"))
    site.put("zoo", routes({"files": ".", "path": "/zoo/*", "listing": True}))
    first = alicorn("--print-config", "-c", "conf.d")
    assert first.returncode == 0, first
    (tmp_path / "printed.conf").write_text(first.stdout)
    again = alicorn("--print-config", "-c", "printed.conf")
    bare = [re.sub(r"; /\*.*", ";", done.stdout) for done in (first, again)]
    assert bare[0] == bare[1] and "/* conf.d/zoo.conf:1 */" in first.stdout
    assert alicorn("--check-config", "-c", "printed.conf").returncode == 0
