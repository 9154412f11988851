"""NGINX Unit: the JSON that its control API takes and gives."""

import json
import re

from .output import Unusable, absolute
from .unit_routes import convert_listeners, find_addresses

NO_ASGI = "ASGI is not built in; the application must be a WSGI one"
NO_ISOLATION = ("is for the service of systemd to do: RootDirectory=, PrivateUsers=, "
                "PrivateNetwork=, Slice=")

# ---- Applications ------------------------------------------------------------------------


class Job:
    """What a turning function needs beside the value."""

    def __init__(self, app, options):
        self.app, self.options = app, options
        self.folder = options.get("working_directory", "/")


def same(name):
    return lambda job, value: job.app.set(name, value)


def seconds(name, lowest=0):
    return lambda job, value: job.app.set(name, max(int(value), lowest))


def told(text):
    return lambda job, value: job.app.tell(job.option, text)


def nothing(job, value):
    """Another option says it, or it is always so."""


def processes(job, value):
    if isinstance(value, int):
        job.app.set("workers", value)
        return
    most, spare = value.get("max", 1), value.get("spare", 0)
    job.app.set("workers", min(max(spare, 1), most))
    job.app.set("workers_min", min(max(spare, 1), most))
    job.app.set("workers_max", most)
    job.app.set("idle_timeout", value.get("idle_timeout", 15))


def limits(job, value):
    turn_all(job, value, LIMITS, "limits.")


LIMITS = {
    "timeout": seconds("timeout"),
    "requests": same("max_requests"),
    "shm": told("nothing is shared with another process; response_buffer_size and "
                "response_spool_size limit what waits for a client"),
}


def path(name):
    return lambda job, value: job.app.set(name, absolute(value, job.folder))


def paths(name):
    return lambda job, value: job.app.set(name, [absolute(p, job.folder) for p in (
        [value] if isinstance(value, str) else value)])


def environment(job, value):
    job.app.add("raw_env", [f"{name}={text}" for name, text in value.items()])


def output_file(job, value):
    job.app.tell(job.option, "what applications write goes where the server's own does, or with "
                 "capture_output = true to errorlog")


def python_protocol(job, value):
    if value == "asgi":
        job.app.tell("protocol", NO_ASGI)


COMMON = {
    "type": nothing,
    "working_directory": path("chdir"),
    "processes": processes,
    "limits": limits,
    "user": same("user"),
    "group": same("group"),
    "environment": environment,
    "isolation": told(NO_ISOLATION),
    "stdout": output_file,
    "stderr": output_file,
    "targets": nothing,
}

PYTHON = {
    **COMMON,
    "home": path("venv"),
    "path": paths("pythonpath"),
    "threads": same("threads"),
    "thread_stack_size": told("threads have the stack that ulimit -s gives them"),
    "protocol": python_protocol,
    "module": nothing,
    "callable": nothing,
    "factory": nothing,
    "prefix": nothing,
}


def php_options(job, value):
    for key, name in ("admin", "php_admin_value"), ("user", "php_value"):
        if value.get(key):
            job.app.set(name, value[key])
    if "file" in value:
        job.app.set("php_ini", absolute(value["file"], job.folder))


PHP = {
    **COMMON,
    "options": php_options,
    "root": path("root"),
    "index": same("index"),
    "script": same("script"),
}


def python_target(job, options):
    name = options.get("callable", "application") + ("()" if options.get("factory") else "")
    return f"python:{options['module']}:{name}"


def php_target(job, options):
    return "php:" + absolute(options["root"], job.folder)


TYPES = {
    "python": (PYTHON, python_target, ("module", "callable", "factory", "prefix")),
    "php": (PHP, php_target, ("root", "index", "script")),
}


def turn_all(job, options, table, before=""):
    for name, value in options.items():
        job.option = before + name
        if name in table:
            table[name](job, value)
        else:
            job.app.tell(job.option, "is not converted")


def convert_app(output, name, options, target):
    """One application, or one target of it."""
    kind = re.split(r"\s", options["type"])[0]
    if kind not in TYPES:
        output.tell(name, f"applications of type {kind} have no counterpart; a program that "
                    "speaks HTTP by itself stays a service of its own, behind the proxy")
        return None
    table, make_target, of_target = TYPES[kind]
    if target is not None:
        options = {**{k: v for k, v in options.items() if k not in of_target},
                   **options["targets"][target]}
    app = output.app(name if target is None else f"{name}_{target}")
    app.prefix = options.get("prefix")
    if target is not None:
        output.tell(f"{name}: targets", "each is an application, with processes of its own")
    job = Job(app, options)
    app.set("target", make_target(job, options))
    turn_all(job, options, table)
    if "timeout" not in options.get("limits", {}):
        app.set("timeout", 0)
        app.tell("timeout", "there is no limits.timeout, so requests have no limit of time; "
                 "without timeout = 0 it is 30 seconds")
    return app


def convert_apps(output, config):
    """Sections by (name, target)."""
    made = {}
    for name, options in config.get("applications", {}).items():
        for target in options.get("targets") or [None]:
            made[name, target] = convert_app(output, name, options, target)
    return made


# ---- The server --------------------------------------------------------------------------

LOG_WORDS = {
    "remote_addr": "%(h)s", "time_local": "%(t)s", "request_line": "%(r)s", "status": "%(s)s",
    "body_bytes_sent": "%(B)s", "header_referer": "%(f)s", "header_user_agent": "%(a)s",
    "method": "%(m)s", "uri": "%(U)s", "request_uri": "%({RAW_URI}e)s", "args": "%(q)s",
    "host": "%({Host}i)s", "request_time": "%(L)s", "dollar": "$",
}


def log_format(top, text):
    def atom(found):
        name = found[1] or found[2]
        for start, suffix in ("header_", "i"), ("response_header_", "o"):
            if name.startswith(start) and name not in LOG_WORDS:
                return f"%({{{name[len(start):].replace('_', '-')}}}{suffix})s"
        if name not in LOG_WORDS:
            top.tell("access_log", f"${name} has no counterpart; - stands for it")
        return LOG_WORDS.get(name, "-")
    text = text.replace("[$time_local]", "$time_local")
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", atom, text)


def access_log(top, options):
    if isinstance(options, str):
        options = {"path": options}
    if "path" in options:
        top.set("accesslog", absolute(options["path"], "/"))
    if isinstance(options.get("format"), str):
        top.set("access_log_format", log_format(top, options["format"]))
    elif "format" in options:
        top.tell("access_log", "in logs there is format = \"json\", with members of its own")
    if "if" in options:
        top.tell("access_log", "a line is written for each request; logs choose them by status, "
                 "path and time")


def server_version(job, value):
    job.app.set("server_header", "alicorn" if value else "none")


def discard_unsafe(job, value):
    if not value:
        job.app.tell(job.option, "fields with an underscore in the name are left out, see "
                     "header_map and forwarder_headers; other odd names are refused")


HTTP = {
    "header_read_timeout": seconds("header_timeout", 1),
    "body_read_timeout": seconds("body_timeout", 1),
    "send_timeout": seconds("write_timeout", 1),
    "idle_timeout": seconds("keepalive"),
    "max_body_size": same("limit_request_body"),
    "body_buffer_size": same("body_buffer_size"),
    "body_temp_path": lambda job, value: job.app.set("spool_dir", value),
    "server_version": server_version,
    "discard_unsafe_fields": discard_unsafe,
    "chunked_transform": nothing,
    "log_route": told("alicorn --explain tells which route a request takes"),
    "static": told("types are told by extensions; /etc/mime.types counts"),
    "compression": told("responses are not compressed by the server"),
}
SETTINGS = {
    "http": lambda job, value: turn_all(job, value, HTTP, "settings.http."),
    "js_module": told("there are no scripts within the server"),
    "telemetry": told("there is no telemetry; metrics go to statsd (statsd_host), or are fetched "
                      "from an application whose target is status:"),
    "listen_threads": nothing,
}


def convert_server(output, config):
    turn_all(Job(output.top, {}), config.get("settings", {}), SETTINGS, "settings.")
    if config.get("access_log"):
        access_log(output.top, config["access_log"])
    if config.get("upstreams"):
        output.tell("upstreams", "there are none here; a proxy in front passes requests on")


def convert_file(output, file, words):
    if words:
        raise Unusable("nothing may follow the name of the file")
    with open(file, encoding="utf-8") as source:
        try:
            config = json.load(source)
        except json.JSONDecodeError as error:
            raise Unusable(f"{file}: {error}") from None
    config = config.get("config", config) if isinstance(config, dict) else {}
    if not isinstance(config.get("applications", {}), dict):
        raise Unusable(f"{file}: the applications are not an object")
    try:
        convert_server(output, config)
        apps = convert_apps(output, config)
        convert_listeners(output, config, apps)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise Unusable(f"{file} is not a configuration of Unit: {error!r}") from None
    made = [app for app in apps.values() if app]
    if not made:
        raise Unusable(f"{file}: there is no application that alicorn can run")
    find_addresses(output, made)
