"""uWSGI: applications, mounted ones too, files and internal routing, which are applications
and routes here."""

import os
import re

from . import criteria
from .output import Routes, absolute, app_name

# ---- Applications ------------------------------------------------------------------------

NO_TARGET = ("no application is named that alicorn can run; it is the last word of the command "
             "line: alicorn -c FILE TARGET")
NO_APP = ("no application is named that alicorn can run; the routes do without, until "
          "applications has one, and a route has its name as app")


class App:
    """One that is served, at the path that it is mounted on; "" is everywhere else."""

    def __init__(self, mount, name, settings):
        self.mount, self.name, self.settings = mount, name, settings


def python_app(job, mount, what, is_file):
    """Of a file, or of MODULE or MODULE:CALLABLE; None: it is told."""
    name = job.last("callable") or "application"
    stem = re.match(r"\w*", os.path.basename(what))[0]
    if is_file and not what.endswith(".py"):
        job.app.tell("target", f"{what}: a file of Python has a name that ends in .py; rename it")
        return None
    if is_file:
        target = f"{absolute(what, job.folder)}:{name}"
    else:
        target = what if ":" in what else f"{what}:{name}"
    return App(mount, mount.strip("/") or stem, {"target": "python:" + target})


def php_app(job):
    root = absolute(job.last("php-app", "php-docroot"), job.folder)
    settings = {"target": "php:" + root}
    if job.last("php-docroot"):
        settings["root"] = absolute(job.last("php-docroot"), job.folder)
    return App("", os.path.basename(root).partition(".")[0], settings)


def main_app(job):
    """The application that no path is needed for, from the options that say it between
    them."""
    if job.last("php-app", "php-docroot"):
        return php_app(job)
    module, file = job.last("module", "wsgi"), job.last("wsgi-file", "file")
    return python_app(job, "", module or file, not module) if module or file else None


def mounted_apps(job):
    for value in job.options.get("mount", []):
        point, _, what = value.partition("=")
        if not what or (point and not criteria.path(point)):
            job.app.tell(f"mount = {value}", "is not converted; see host and app of routes")
            continue
        app = python_app(job, point.rstrip("/"), what, what.endswith((".py", ".wsgi")))
        if app:
            yield app


def find_apps(job):
    """The one that is everywhere else comes first, if there is one: uWSGI takes the one that
    is loaded first."""
    main, places = main_app(job), {}
    for app in [*([main] if main else []), *mounted_apps(job)]:
        if places.setdefault(app.mount, app) is not app:
            job.app.tell(app.settings["target"], "there is another application at its place")
    found = sorted(places.values(), key=lambda app: app.mount != "")
    for number, app in enumerate(found):
        app.name = app_name(app.name, [other.name for other in found[:number]])
    return found


# ---- Internal routing --------------------------------------------------------------------

RULE = re.compile(r"(error-|response-|final-)?route(-|$)")
NO_RULE = ("has no counterpart among routes, which look at host, path, method, header and "
           "address; it is left out, also where it refused requests")
BENEATH = "a route for /a/* is for /a and all beneath, and for no other paths that begin with /a"

# Of regular expressions, what stands for itself.
PLAIN = r"(?:[\w/~@,=!-]|\\[^\w\s]|(?<=\w)\.(?=\w))+"


def unescaped(text):
    return re.sub(r"\\(.)", r"\1", text)


def match_path(regex):
    """The path that a regular expression means, and whether $1 is what its * is; None: routes
    cannot say it."""
    found = re.fullmatch(rf"\^(/(?:{PLAIN})?)\$", regex)
    if found and criteria.path(unescaped(found[1])):
        return unescaped(found[1]), False
    found = re.fullmatch(rf"\^(/{PLAIN}?)/?(\.\*|\(\.\*\))?\$?", regex)
    if found and criteria.path(unescaped(found[1])):
        return unescaped(found[1]) + "/*", "/(.*)" in regex
    found = re.fullmatch(r"(?:\.\*)?(\\\.\w+)\$", regex)
    return ("*" + unescaped(found[1]), False) if found else None


def match_host(regex):
    found = re.fullmatch(rf"(\^|(?:\^?\(?\.\*\)?)?\\\.)({PLAIN})\$", regex)
    name = found and criteria.host(("" if found[1] == "^" else "*.") + unescaped(found[2]))
    return (name, False) if name else None


def match_address(regex):
    whole = re.fullmatch(r"\^(\d+(?:\\\.\d+){3})\$", regex)
    begun = re.fullmatch(r"\^((?:\d+\\\.){1,3})(?:\.\*)?\$?", regex)
    if not whole and not begun:
        return None
    parts = unescaped((whole or begun)[1]).rstrip(".").split(".")
    size = "" if whole else f"/{8 * len(parts)}"
    found = criteria.network(".".join(parts + ["0"] * (4 - len(parts))) + size)
    return (found, False) if found else None


def match_uri(regex):
    """A path and what follows it, so its end is not the path's."""
    return None if re.search(r"[^*)]\$$", regex) else match_path(regex)


SUBJECTS = {
    "route": ("path", match_path),
    "route-uri": ("path", match_uri),
    "route-host": ("host", match_host),
    "route-remote-addr": ("source", match_address),
}
VARIABLES = {"HTTP_HOST": "$host", "REQUEST_URI": "$uri", "PATH_INFO": "$path",
             "QUERY_STRING": "$query", "UWSGI_SCHEME": "$scheme", "REQUEST_SCHEME": "$scheme"}


def location(text, has_rest):
    """Where a redirect leads to; None: it has what redirects here have not."""
    def value(found):
        if found[1]:
            return VARIABLES.get(found[1], "\n")
        return "$rest" if found[0] == "/$1" and has_rest else "\n"
    made = re.sub(r"\$\{(\w+)\}|/\$1(?!\d)|\$", value, text)
    return made if re.fullmatch(r"(/(?![/$])|https?://)[!-~]*", made) else None


def redirect(status):
    def turn(text, has_rest):
        to = location(text, has_rest)
        return to and {"redirect": to, **status}
    return turn


def answer(text, _):
    found = re.match(r"([2-5]\d\d)\b", text)
    return found and {"status": int(found[1])}


ACTIONS = {
    "redirect": redirect({}),
    "redirect-302": redirect({}),
    "redirect-permanent": redirect({"status": 301}),
    "redirect-301": redirect({"status": 301}),
    "break": answer,
    "break-with-status": answer,
    "return": answer,
}


def rule_route(key, value):
    """None: there is none that says the same."""
    regex, _, action = value.partition(" ")
    name, _, argument = action.strip().partition(":")
    criterion, match = SUBJECTS.get(key, (None, None))
    found = match and match(regex)
    done = found and name in ACTIONS and ACTIONS[name](argument, found[1])
    return done and {criterion: found[0], **done}


def add_rules(job, routes):
    for key, value in job.lines:
        if not RULE.match(key):
            continue
        route = rule_route(key, value)
        if not route:
            job.app.tell(f"{key} = {value}", NO_RULE)
            continue
        if route.get("path", "").endswith("/*"):
            job.app.tell("path", BENEATH)
        routes.add(route)


# ---- Files -------------------------------------------------------------------------------

NOT_FILES = "what is no file there is answered 404; uWSGI asks the application"
FIRST_FILES = "a path again; a route sends the files of one folder, and the first one counts"
EVERYTHING = re.compile(r"[*/^.$()]*\*[/.$)]*")


def file_settings(job):
    """What static-index and static-expires say of all files."""
    settings = {}
    for value in job.options.get("static-index", []):
        if settings.setdefault("index", value) != value:
            job.app.tell(f"static-index = {value}", "a folder has one index, the first one")
    for key, value in job.lines:
        if not key.startswith("static-expires"):
            continue
        pattern, _, age = value.strip().rpartition(" ")
        if EVERYTHING.fullmatch(pattern.strip()) and age.isdigit():
            settings["cache_control"] = f"max-age={age}"
        else:
            job.app.tell(f"{key} = {value}", "each route with files has one cache_control of its "
                         "own")
    return settings


def one_file(point, file):
    """A route for one file; None: its name is another one than in the path."""
    above, name = os.path.split(point)
    if name != os.path.basename(file):
        return None
    route = {"path": point, "files": os.path.dirname(file)}
    return {**route, "mount": above} if above != "/" else route


def map_route(point, place):
    """Of static-map."""
    is_file = os.path.isfile(place) or (not os.path.isdir(place) and "." in
                                        os.path.basename(place))
    if is_file:
        return one_file(point, place)
    return {"path": point + "/*", "files": place, "mount": point}


def map2_route(point, place):
    return {"path": point + "/*", "files": place}


def add_maps(job, routes, main, settings):
    taken = set()
    for option, make in ("static-map", map_route), ("static-map2", map2_route):
        for value in job.options.get(option, []):
            point, _, place = value.partition("=")
            point = "/" + point.strip("/")
            if point == "/":
                continue
            known = place and criteria.path(point)
            route = make(point, absolute(place, job.folder)) if known else None
            if route is None:
                job.app.tell(f"{option} = {value}", "is not converted: what is sent is a "
                             "folder, or a file by its own name")
            elif point in taken:
                job.app.tell(f"{option} = {value}", FIRST_FILES)
            else:
                taken.add(point)
                to = {"app": main.name} if main and "mount" not in route else {}
                routes.add({**route, **to, **settings})
            if route and "mount" in route:
                job.app.tell(option, NOT_FILES)


def skip_route(job, apps):
    """Files with these ends are the application's."""
    ends = job.options.get("static-skip-ext", [])
    if not ends:
        return None
    if len(apps) != 1:
        job.app.tell("static-skip-ext", "with several applications routes have to say whose such "
                     "paths are")
        return None
    return {"path": ["*" + end for end in ends], "app": apps[0].name}


def checked_folder(job, main):
    """Of check-static. A PHP application sends the files beside its scripts itself, and never
    the scripts."""
    said = job.options.get("check-static", []) + [
        value[2:] for name in ("static-map", "static-map2")
        for value in job.options.get(name, []) if value.startswith("/=")]
    folders = [absolute(value, job.folder) for value in said if value]
    if main and main.settings["target"].startswith("php:"):
        if folders:
            job.app.tell("check-static", "a PHP application sends the files of its root by "
                         "itself; others are for routes with files, which send scripts too")
        return None
    for folder in folders[1:]:
        job.app.tell(f"check-static = {folder}", FIRST_FILES)
    return folders[0] if folders else None


# ---- The site ----------------------------------------------------------------------------


def add_mounts(job, routes, apps):
    mounted = [app for app in apps if app.mount]
    for app in sorted(mounted, key=lambda app: -len(app.mount)):
        routes.add({"path": app.mount + "/*", "app": app.name, "mount": app.mount})
    if len(apps) > 1:
        job.app.tell("workers", "each application has processes of its own, as many as all of "
                     "them had together")
    if mounted and not job.is_on("manage-script-name"):
        job.app.tell("mount", "the server takes SCRIPT_NAME from the path, as with "
                     "manage-script-name; the proxy need not send it")


def find_routes(job, apps):
    """Of the whole site, or none at all for one application that all requests go to."""
    routes, main = Routes(job.app.output), apps[0] if apps else None
    if main and main.mount and job.is_on("no-default-app"):
        main = None
    settings, folder, skip = file_settings(job), checked_folder(job, main), skip_route(job, apps)
    add_rules(job, routes)
    if skip:
        routes.add(skip)
    add_maps(job, routes, main, settings)
    add_mounts(job, routes, apps)
    last = {"files": folder} if folder else {}
    last.update({"app": main.name} if main else {})
    if last and (routes.rows or folder):
        routes.add({**last, **(settings if folder else {})})
    return routes.rows


class Site:
    """Says where the settings of the one application stand: at the top if nothing else is
    there, or in a group."""

    def __init__(self, job):
        self.apps, self.statuses = find_apps(job), []
        self.output = job.app.output
        self.routes = find_routes(job, self.apps)
        self.is_plain = not self.routes and not job.last("stats", "stats-server")
        self.sections = []
        for app in self.apps:
            section = self.output.top if self.is_plain else self.output.app(app.name)
            section.settings.update(app.settings)
            self.sections.append(section)
        if not self.apps:
            job.app.tell("target", NO_APP if self.routes else NO_TARGET)

    def main(self):
        return self.sections[0] if self.sections else self.output.top

    def finish(self):
        """When all options are turned."""
        top = self.output.top
        self.output.lists["routes"] = self.routes
        if self.sections and not self.is_plain and not self.routes:
            self.main().set("bind", top.settings.pop("bind", ["127.0.0.1:8000"]))
        for address in self.statuses:
            add_status(self.output, address)


def add_status(output, address):
    """The number of processes at the top is that of the others."""
    app = output.app("status")
    app.set("target", "status:")
    app.set("bind", [address])
    for name in "workers", "workers_min", "workers_max":
        if name in output.top.settings:
            app.set(name, 1)
