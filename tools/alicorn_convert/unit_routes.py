"""NGINX Unit: listeners, and the routes that they pass requests to."""

import os
import re
from urllib.parse import unquote

from . import criteria
from .output import Routes, Section, unix_socket

NO_TLS = "TLS is not built in; put a TLS proxy in front"
LEFT_OUT = ("has no counterpart in routes, which look at host, path, method, header and source; "
            "the step is left out, and what it took goes on to the next ones")
REFUSES_MORE = ("has no counterpart in routes; as the step refuses requests it is kept without, "
                "and refuses more")
UNSAID = "cannot be said in a route; the other values count"
TWICE = "asks again for what the step did that led here; it is left out"
BENEATH = "a route for /a/* is for /a as well"
NOWHERE = "has no counterpart, so its requests are answered 503"
NO_REWRITE = "the path stays as it came, but for mount"
NO_VARIABLES = "fields are added as they stand, without variables; none is taken away"
NO_MOUNT = ("paths below {0} come here without it as SCRIPT_NAME; mount, in a route for them "
            "alone, says it")
LINKS = "links are followed as long as they stay in the folder"
ONE_FOLDER = "a route sends the files of one folder; the first one counts"
ONE_FILE = "one file for many paths is an application's; these requests are answered 503"
NO_CHOICE = "files are not chosen by their types, nor by other paths; none are sent"
NO_FALLBACK = "behind files only an application can come; what is no file is answered 404"
NO_UPSTREAMS = ("there are no upstreams here, nor anything else than applications; a proxy in "
                "front passes requests on")
NO_ABSTRACT = "there are no abstract sockets here"
UNREACHED = ("no listener leads to it, so it has a socket that a proxy in front can pass requests "
             "on to")
ROUTER = ("of the processes that accept connections for the routes; Unit's router had one of its "
          "own")

# ---- What a step matches -----------------------------------------------------------------


def texts(value):
    return [value] if isinstance(value, str) else list(value)


def path(text):
    return criteria.path(unquote(text))


def method(text):
    return text if re.fullmatch(r"[A-Z-]+", text) else None


CRITERIA = {"host": ("host", criteria.host), "uri": ("path", path), "method": ("method", method),
            "source": ("source", criteria.network)}
ALL = {"host": {"*"}, "path": {"*", "/*"}}  # what leaves nothing out


def header_names(value):
    """Of fields that may have any value: no other kind is to be had."""
    found = [list(item.items()) for item in ([value] if isinstance(value, dict) else value)]
    if any(len(item) != 1 or item[0][1] not in ("*", ["*"]) for item in found):
        return None
    return [item[0][0] for item in found]


def read_criterion(key, value, denies):
    """(name, values of it that routes can say, those that they cannot). Exceptions count for
    nothing where requests are refused, as more are then."""
    if key == "headers":
        return "header", header_names(value) or [], []
    name, read = CRITERIA.get(key, (key, None))
    if read is None or (not denies and any(text.startswith("!") for text in texts(value))):
        return name, [], []
    said = [read(text) for text in texts(value)]
    return (name, [text for text in said if text],
            [text for text, made in zip(texts(value), said) if not made])


def is_denial(action):
    return action.get("return", 0) >= 400


def excepted_paths(step):
    """Those that a step is not for, if it is for all others."""
    said = texts(step.get("match", {}).get("uri", []))
    paths = [path(text[1:]) for text in said if text.startswith("!")]
    return paths if len(paths) == len(said) and all(paths) else []


# ---- What it does ------------------------------------------------------------------------

VARIABLES = {"host": "$host", "request_uri": "$uri", "uri": "$path", "args": "$query",
             "dollar": "$$"}


def location(text):
    """Where a redirect leads to; None: it has what redirects here have not."""
    made = re.sub(r"\$(?:\{(\w+)\}|(\w+))?",
                  lambda m: VARIABLES.get(m[1] or m[2], "\n"), text)
    return made if re.fullmatch(r"(/(?![/$])|https?://|\$uri|\$path)[!-~]*", made) else None


def folder_of(share):
    """The folder whose files are shared by their whole path; None: it is another thing."""
    found = re.fullmatch(r"([^$]+?)/?\$(uri|\{uri\})", share)
    return os.path.normpath(found[1]) if found and found[1].startswith("/") else None


class Walk:
    """Follows the steps of a listener's routes."""

    def __init__(self, output, config, apps):
        self.output, self.config, self.apps = output, config, apps
        self.routes = Routes(output)
        self.depth = 0

    def add(self, asked, action, route):
        """With the header fields that the action adds."""
        fields = {name: value for name, value in action.get("response_headers", {}).items()
                  if isinstance(value, str) and "$" not in value}
        if len(fields) < len(action.get("response_headers", {})):
            self.output.tell("response_headers", NO_VARIABLES)
        if any(text.endswith("/*") and text != "/*" for text in asked.get("path", [])):
            self.output.tell("path", BENEATH)
        self.routes.add({**asked, **route, **({"response_headers": fields} if fields else {})})

    def nowhere(self, asked, what, why=NOWHERE):
        self.output.tell(what, why)
        self.routes.add({**asked, "status": 503})

    # ---- Steps

    def read(self, step, label):
        """A dict; None: the step is left out."""
        found, lacking, denies = {}, [], is_denial(step.get("action", {}))
        for key, value in step.get("match", {}).items():
            name, said, unsaid = read_criterion(key, value, denies)
            if not said:
                lacking.append(key)
            elif not ALL.get(name, set()) & set(said):
                found[name] = said
            if said and unsaid:
                self.output.tell(f"{label}: {key} {', '.join(unsaid)}", UNSAID)
        keep = found and denies
        if lacking:
            self.output.tell(f"{label}: {', '.join(lacking)}", REFUSES_MORE if keep else LEFT_OUT)
        return found if keep or not lacking else None

    def walk(self, name, outer, before):
        """The steps of a route, up to one that takes every request. Whoever none is for is
        answered 404."""
        routes = self.config.get("routes", [])
        steps = routes.get(name) if isinstance(routes, dict) else None if name else routes
        if steps is None:
            self.nowhere(outer, f"{before}: routes/{name}")
            return
        for number, step in enumerate(steps, 1):
            label = f"routes{'/' + name if name else ''}, step {number}"
            if number == len(steps) and excepted_paths(step) and "path" not in outer:
                self.routes.add({**outer, "path": excepted_paths(step), "status": 404})
                match = {key: value for key, value in step["match"].items() if key != "uri"}
                step = {**step, "match": match}
            found = self.read(step, label)
            if found is None:
                continue
            if found.keys() & outer.keys():
                self.output.tell(label, TWICE)
                continue
            self.act(step.get("action", {}), {**outer, **found}, label)
            if not found:
                return
        if outer:
            self.routes.add({**outer, "status": 404})

    def act(self, action, asked, label):
        if "rewrite" in action:
            self.output.tell(f"{label}: rewrite", NO_REWRITE)
        if "pass" in action:
            self.go(action, asked, label)
        elif "share" in action:
            self.share(action, asked, label)
        elif "return" in action:
            self.answer(action, asked, label)
        else:
            self.nowhere(asked, f"{label}: {', '.join(action)}")

    def answer(self, action, asked, label):
        status, said = action["return"], action.get("location", "")
        to = location(said)
        if "location" not in action and 200 <= status <= 599:
            self.add(asked, action, {"status": status})
        elif to and status in (301, 302, 303, 307, 308):
            self.add(asked, action, {"redirect": to, "status": status})
        else:
            self.nowhere(asked, f"{label}: return {status} {said}".strip())

    def go(self, action, asked, label):
        kind, _, rest = action["pass"].partition("/")
        name, _, target = rest.partition("/")
        if kind == "routes" and self.depth < 10:
            self.depth += 1
            self.walk(unquote(rest), asked, label)
            self.depth -= 1
        elif kind == "applications" and self.apps.get((unquote(name), unquote(target) or None)):
            self.to_app(action, asked, (unquote(name), unquote(target) or None))
        else:
            self.nowhere(asked, f"{label}: {action['pass']}")

    def to_app(self, action, asked, key):
        """A prefix is the application's SCRIPT_NAME below it, and nothing elsewhere."""
        app, route = self.apps[key], {"app": self.apps[key].name}
        mount = app.prefix.rstrip("/") if app.prefix else ""
        paths = asked.get("path", [])
        if mount and not paths:
            self.add({**asked, "path": [mount + "/*"]}, action, {**route, "mount": mount})
        elif mount and all((text + "/").startswith(mount + "/") for text in paths):
            route["mount"] = mount
        else:
            self.tell_prefix(app)
        self.add(asked, action, route)

    def tell_prefix(self, app):
        if app.prefix:
            app.tell("prefix", NO_MOUNT.format(app.prefix))

    # ---- Files

    def share(self, action, asked, label):
        shares = texts(action["share"])
        folder, fallback = folder_of(shares[0]), self.fallback(action, label)
        if any(folder_of(other) != folder for other in shares[1:]):
            self.output.tell(f"{label}: share", ONE_FOLDER)
        if not all(action.get(name, True) for name in ("follow_symlinks", "traverse_mounts")):
            self.output.tell(f"{label}: share", LINKS)
        if fallback and self.sends_files(fallback, folder or shares[0]):
            self.to_app(action, asked, fallback)
        elif folder is None:
            self.one_file(action, asked, shares[0], label)
        elif "types" in action or "rewrite" in action:
            self.output.tell(f"{label}: share", NO_CHOICE)
            self.instead(asked, action, fallback)
        else:
            route = {"files": folder}
            if "index" in action:
                route["index"] = action["index"]
            if fallback:
                route["app"] = self.apps[fallback].name
                self.tell_prefix(self.apps[fallback])
            self.add(asked, action, route)

    def one_file(self, action, asked, share, label):
        """Routes send a file by its own name alone."""
        paths = asked.get("path", [])
        if len(paths) == 1 and "$" not in share and share.endswith(paths[0]):
            self.add(asked, action, {"files": share[:-len(paths[0])] or "/"})
        else:
            self.nowhere(asked, f"{label}: share {share}", ONE_FILE)

    def instead(self, asked, action, fallback):
        if fallback:
            self.to_app(action, asked, fallback)
        else:
            self.routes.add({**asked, "status": 404})

    def fallback(self, action, label):
        """The application that gets what is no file, by its key in apps."""
        then = action.get("fallback")
        if not then or then.get("return") == 404:
            return None
        kind, _, rest = then.get("pass", "").partition("/")
        name, _, target = rest.partition("/")
        key = unquote(name), unquote(target) or None
        if kind == "applications" and self.apps.get(key):
            return key
        self.output.tell(f"{label}: fallback", NO_FALLBACK)
        return None

    def sends_files(self, key, folder):
        """A PHP application sends what is beside its scripts, and never the scripts."""
        target = self.apps[key].get("target", "")
        root = os.path.normpath(self.apps[key].get("root") or "/-")
        return target.startswith("php:") and (root + "/").startswith(folder.rstrip("/") + "/")


# ---- Listeners ---------------------------------------------------------------------------


def address(text):
    return unix_socket(text, "/") if text.startswith("unix:") else text.removeprefix("*")


def settings_of(output, name, options):
    """Those of a listener's connections."""
    listener = Section(output, f"listener {name}")
    trusted = options.get("forwarded") or options.get("client_ip")
    if trusted:
        listener.set("forwarded_allow_ips", texts(trusted.get("source", [])))
        where = (trusted.get("client_ip") or trusted.get("header", "")).lower()
        if where in ("x-forwarded-for", "forwarded"):
            listener.set("client_address", where)
        elif where:
            listener.tell("forwarded", "the client's address is taken from X-Forwarded-For or "
                          f"Forwarded, not from {where}")
    if options.get("backlog", -1) > 0:
        listener.set("backlog", options["backlog"])
    return listener.settings


class Listener:
    """Addresses that pass requests to the same place, with the same settings."""

    def __init__(self, to, settings):
        self.to, self.settings, self.bind, self.rows = to, settings, [], []


def group_listeners(output, config):
    groups = []
    for name, options in config.get("listeners", {}).items():
        to, settings = options.get("pass", ""), settings_of(output, name, options)
        if "tls" in options:
            output.tell(f"listener {name}", NO_TLS)
        if not to.startswith(("applications/", "routes")):
            output.tell(f"listener {name}", f"{to}: {NO_UPSTREAMS}")
            continue
        if name.startswith("unix:@"):
            output.tell(f"listener {name}", NO_ABSTRACT)
            continue
        same = [group for group in groups if (group.to, group.settings) == (to, settings)]
        groups += [] if same else [Listener(to, settings)]
        (same or groups)[-1].bind.append(address(name))
    return groups


def own_app(group, apps):
    """The application that has the address to itself, without any route."""
    words = [unquote(word) for word in group.to.split("/")]
    app = apps.get((words[1], words[2] if len(words) > 2 else None)) \
        if words[0] == "applications" else None
    return app if app and not app.prefix else None


def convert_listeners(output, config, apps):
    groups, routed = group_listeners(output, config), []
    for group in groups:
        app = own_app(group, apps)
        if app:
            app.add("bind", group.bind)
            app.settings.update(group.settings)
            continue
        walk = Walk(output, config, apps)
        walk.act({"pass": group.to}, {}, f"listener {', '.join(group.bind)}")
        group.rows = walk.routes.rows
        if any(row.get("status") != 503 for row in group.rows):
            routed.append(group)
        else:
            output.tell(f"listener {', '.join(group.bind)}", "nothing is left where it leads to")
    put_routes(output, routed, alone=len(groups) == 1)


def put_routes(output, routed, alone):
    """The settings of the only listener can stand at the top, where they are everybody's."""
    if len(routed) == 1 and (alone or not routed[0].settings):
        output.top.set("bind", routed[0].bind)
        output.top.settings.update(routed[0].settings)
        output.lists["routes"] = routed[0].rows
    else:
        output.lists["listeners"] = [{"bind": group.bind, **group.settings, "routes": group.rows}
                                     for group in routed]


def routed_apps(output):
    rows = sum((listener["routes"] for listener in output.lists["listeners"]),
               output.lists["routes"])
    return {row["app"] for row in rows if "app" in row}


def find_addresses(output, apps):
    """Each has an address or a route."""
    routed = routed_apps(output)
    for app in apps:
        if not app.get("bind") and app.name not in routed:
            app.set("bind", [f"unix:/run/alicorn-{app.name}.sock"])
            app.tell("bind", UNREACHED)
    users = [app.get("user") for app in apps]
    if (output.lists["routes"] or output.lists["listeners"]) and users and all(users):
        output.top.set("user", users[0])
        output.tell("user", ROUTER)
