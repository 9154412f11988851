"""The settings of gunicorn, which are the rows of one table. What a row says last is a
function that turns the value into settings of Alicorn, or the text to be told."""

import re
from typing import Callable, NamedTuple, Union

from .hooks import command_hook, function_hook
from .output import absolute, octal, unix_socket

# ---- Values, as gunicorn takes them ------------------------------------------------------


def number(value):
    """Whole numbers may be written as 0x10 and 0o17 too."""
    return value if isinstance(value, int) else int(str(value), 0)


def mode(value):
    """As a umask: a text is octal."""
    return value if isinstance(value, int) else int(value, 8 if value.startswith("0") else 0)


def truth(value):
    if isinstance(value, str):
        return {"true": True, "false": False}[value.strip().lower()]
    return bool(value)


def text(value):
    return str(value).strip()


def texts(value):
    """A list, or a text with commas."""
    parts = value.split(",") if isinstance(value, str) else value
    return [str(part).strip() for part in parts if str(part).strip()]


def anything(value):
    return value


# ---- Turning them into settings ----------------------------------------------------------


class Job(NamedTuple):
    """What a turning function needs beside the value."""
    app: object     # section that is written
    folder: str     # where relative paths begin
    file: str       # configuration file that hooks are from, or None
    values: dict    # of all settings that are set


def same(name):
    def turn(job, value):
        job.app.set(name, value)
    return turn


def unlimited(name, highest):
    """0 stands for no limit."""
    return lambda job, value: job.app.set(name, value if value > 0 else highest)


def path(name):
    def turn(job, value):
        job.app.set(name, value if value == "-" else absolute(value, job.folder))
    return turn


def paths(name):
    return lambda job, value: job.app.set(name, [absolute(p, job.folder) for p in value])


def target(job, value):
    module, parenthesis, arguments = value.partition("(")
    job.app.set("target", "python:" + module + parenthesis + arguments)


def bind(job, value):
    addresses = []
    for address in value:
        if re.match(r"unix:", address, re.I):
            address = unix_socket("unix:" + address[5:], job.folder)
            socket_permissions(job)
        addresses.append(re.sub(r"^tcp://", "", address))
    if any(a.startswith("fd://") for a in addresses):
        addresses = [a for a in addresses if a.startswith("fd://")]
    job.app.set("bind", addresses)


def socket_permissions(job):
    """gunicorn's umask is that of its sockets alone, and 0 unless it is set."""
    umask = mode(job.values.get("umask") or 0)
    if umask:
        job.app.set("socket_mode", octal(0o666 & ~umask))
    else:
        job.app.tell("socket_mode", "everybody may connect to a socket of gunicorn; here its "
                     "owner and group alone, unless socket_mode = \"0666\" or socket_group says "
                     "otherwise")


def umask(job, value):
    if not any(address.lower().startswith("unix:") for address in job.values.get("bind") or []):
        job.app.tell("umask", "gunicorn's is that of its sockets alone, of which there are none; "
                     "here umask is that of the files that the application makes")


NOT_WSGI = ("ASGI is not built in; the application must be a WSGI one, or its framework must "
            "offer one beside it")
ONE_AT_A_TIME = ("there is no {0}: a worker needs none to wait for clients, and to wait in the "
                 "application it has threads; more of them if that is not enough")

CLASSES = [
    (r"sync$|SyncWorker", lambda job, name: None),
    (r"gthread|Thread", lambda job, name: job.app.set("worker_class", "gthread")),
    (r"gevent|eventlet|greenlet|tornado", lambda job, name: green(job, name)),
    (r"asgi|uvicorn|hypercorn|aiohttp", lambda job, name: job.app.tell(
        "worker_class", f"{name}: {NOT_WSGI}")),
]


def green(job, name):
    job.app.set("worker_class", "gthread")
    if number(job.values.get("threads") or 1) < 2:
        job.app.set("threads", 16)
    job.app.tell("worker_class", ONE_AT_A_TIME.format(name))
    job.app.tell("timeout", "was that of the whole worker; here it is that of each request")


def worker_class(job, value):
    name = getattr(value, "__name__", None) or str(value)
    for pattern, turn in CLASSES:
        if re.search(pattern, name):
            turn(job, name)
            return
    job.app.tell("worker_class", f"{name}: a class of one's own has no place here; there are "
                 "sync, gthread and iterating, and shared objects, see alicorn-worker(7)")


def threads(job, value):
    job.app.set("threads", value)
    if value > 1:
        job.app.tell("timeout", "was that of the whole worker; here it is that of each request")


def sendfile(job, value):
    if value is not None:
        job.app.set("sendfile", truth(value))


def reload_engine(job, value):
    job.app.set("reload_engine", value if value in ("poll", "inotify") else "auto")


def identity(name):
    """gunicorn takes 0 and None for its own user."""
    return lambda job, value: job.app.set(name, str(value))


def schemes(job, value):
    job.app.set("secure_scheme_headers", {k: v for k, v in dict(value).items()})


def proxy_protocol(job, value):
    words = {True: "auto", False: "off", "true": "auto", "false": "off"}
    job.app.set("proxy_protocol", words.get(value, value))


def control_socket(job, value):
    job.app.set("control_socket", absolute(value, job.folder))
    job.app.tell("control_socket", "alicornctl(1) speaks with it, in place of gunicornc")


def loglevel(job, value):
    levels = "debug", "info", "warning", "error", "critical"
    job.app.set("loglevel", value.lower() if value.lower() in levels else "info")


def syslog_addr(job, value):
    if value.startswith("unix:"):
        address, _, kind = value.partition("#")
        value = unix_socket(address, job.folder) + ("#stream" if kind == "stream" else "")
    job.app.set("syslog_addr", value)


def initgroups(job, value):
    """It is always so here."""


def variables(job, value):
    """A virtual environment among them is found too."""
    job.app.add("raw_env", value)


# ---- The table ---------------------------------------------------------------------------

NO_TLS = "TLS is not built in; put a TLS proxy in front"
NO_HTTP2 = "HTTP/2 is not built in; put a proxy in front that speaks it to clients"
NO_UWSGI = ("the uwsgi protocol is not spoken; let the proxy pass requests on by HTTP (in nginx "
            "proxy_pass instead of uwsgi_pass)")
NO_PYTHON_LOG = ("the log is not Python's; errorlog, accesslog, loglevel, access_log_format and "
                 "syslog are there, and logs for several places, forms and choices, as in logs = "
                 "( { to = \"/var/log/shop.json\"; format = \"json\"; } ). The application may "
                 "configure logging for itself")
NO_DIRTY = ("there is no second kind of workers; what takes long can be an application of its own, "
            "with its own workers and timeout")
NO_PASTE = ("ini files are not read; name a function that loads the file as target: "
            "MODULE:FUNCTION(\"FILE\")")
TOO_LAX = ("has no meaning here: a request of that form is refused, as programs differ in how they "
           "read it")
NEEDLESS = "has no meaning here, and no need"


class Row(NamedTuple):
    name: str
    flags: str  # of the command line; "" in files alone
    kind: Callable
    turn: Union[Callable, str]


TABLE = [
    Row("wsgi_app", "", text, target),
    Row("chdir", "--chdir", text, path("chdir")),
    Row("bind", "-b --bind", texts, bind),
    Row("umask", "-m --umask", mode, umask),
    Row("backlog", "--backlog", number, same("backlog")),
    Row("reuse_port", "--reuse-port", truth, same("reuse_port")),
    Row("workers", "-w --workers", number, same("workers")),
    Row("worker_class", "-k --worker-class", anything, worker_class),
    Row("threads", "--threads", number, threads),
    Row("worker_connections", "--worker-connections", number, same("worker_connections")),
    Row("max_requests", "--max-requests", number, same("max_requests")),
    Row("max_requests_jitter", "--max-requests-jitter", number, same("max_requests_jitter")),
    Row("timeout", "-t --timeout", number, same("timeout")),
    Row("graceful_timeout", "--graceful-timeout", number, same("graceful_timeout")),
    Row("keepalive", "--keep-alive", number, same("keepalive")),
    Row("limit_request_line", "--limit-request-line", number,
        unlimited("limit_request_line", 65536)),
    Row("limit_request_fields", "--limit-request-fields", number,
        unlimited("limit_request_fields", 32768)),
    Row("limit_request_field_size", "--limit-request-field_size", number,
        unlimited("limit_request_field_size", 65536)),
    Row("reload", "--reload", truth, same("reload")),
    Row("reload_engine", "--reload-engine", text, reload_engine),
    Row("reload_extra_files", "--reload-extra-file", texts, paths("reload_extra_files")),
    Row("preload_app", "--preload", truth, same("preload_app")),
    Row("sendfile", "--no-sendfile", anything, sendfile),
    Row("daemon", "-D --daemon", truth, same("daemon")),
    Row("raw_env", "-e --env", lambda v: [str(item) for item in v], variables),
    Row("pidfile", "-p --pid", text, path("pidfile")),
    Row("user", "-u --user", text, identity("user")),
    Row("group", "-g --group", text, identity("group")),
    Row("initgroups", "--initgroups", truth, initgroups),
    Row("secure_scheme_headers", "", anything, schemes),
    Row("forwarded_allow_ips", "--forwarded-allow-ips", texts, same("forwarded_allow_ips")),
    Row("forwarder_headers", "--forwarder-headers", texts, same("forwarder_headers")),
    Row("header_map", "--header-map", text, same("header_map")),
    Row("proxy_protocol", "--proxy-protocol", anything, proxy_protocol),
    Row("proxy_allow_ips", "--proxy-allow-from", texts, same("proxy_allow_ips")),
    Row("pythonpath", "--pythonpath", texts, paths("pythonpath")),
    Row("accesslog", "--access-logfile", text, path("accesslog")),
    Row("access_log_format", "--access-logformat", text, same("access_log_format")),
    Row("errorlog", "--error-logfile --log-file", text, path("errorlog")),
    Row("loglevel", "--log-level", text, loglevel),
    Row("capture_output", "--capture-output", truth, same("capture_output")),
    Row("disable_redirect_access_to_syslog", "--disable-redirect-access-to-syslog", truth,
        same("disable_redirect_access_to_syslog")),
    Row("syslog", "--log-syslog", truth, same("syslog")),
    Row("syslog_addr", "--log-syslog-to", text, syslog_addr),
    Row("syslog_prefix", "--log-syslog-prefix", text, same("syslog_prefix")),
    Row("syslog_facility", "--log-syslog-facility", text, same("syslog_facility")),
    Row("enable_stdio_inheritance", "-R --enable-stdio-inheritance", truth,
        same("enable_stdio_inheritance")),
    Row("proc_name", "-n --name", text, same("proc_name")),
    Row("control_socket", "--control-socket", text, control_socket),
    Row("control_socket_mode", "--control-socket-mode", mode,
        lambda job, value: job.app.set("control_socket_mode", octal(value))),
    Row("control_socket_disable", "--no-control-socket", truth, same("control_socket_disable")),
    Row("statsd_host", "--statsd-host", text, same("statsd_host")),
    Row("statsd_prefix", "--statsd-prefix", text, same("statsd_prefix")),
    Row("dogstatsd_tags", "--dogstatsd-tags", text, same("dogstatsd_tags")),
    Row("enable_backlog_metric", "--enable-backlog-metric", truth,
        same("enable_backlog_metric")),

    *(Row(name, "", anything, command_hook(name)) for name in
      ("on_starting", "when_ready", "on_reload", "nworkers_changed", "pre_fork", "post_fork",
       "child_exit", "pre_exec", "on_exit")),
    *(Row(name, "", anything, function_hook(name, takes)) for name, takes in
      [("post_worker_init", (1,)), ("pre_request", (2,)), ("post_request", (2, 3, 4)),
       ("worker_int", (1,)), ("worker_abort", (1,)), ("worker_exit", (1, 2))]),

    Row("keyfile", "--keyfile", text, NO_TLS),
    Row("certfile", "--certfile", text, NO_TLS),
    Row("ca_certs", "--ca-certs", text, NO_TLS),
    Row("cert_reqs", "--cert-reqs", anything, NO_TLS),
    Row("ciphers", "--ciphers", text, NO_TLS),
    Row("ssl_context", "", anything, NO_TLS),
    Row("ssl_version", "--ssl-version", anything, NEEDLESS),
    Row("suppress_ragged_eofs", "--suppress-ragged-eofs", truth, NEEDLESS),
    Row("do_handshake_on_connect", "--do-handshake-on-connect", truth, NEEDLESS),
    Row("http_protocols", "--http-protocols", text, NO_HTTP2),
    Row("http2_cleartext", "--http2-cleartext", text, NO_HTTP2),
    *(Row(name, "--" + name.replace("_", "-"), number, NO_HTTP2) for name in
      ("http2_max_concurrent_streams", "http2_initial_window_size", "http2_max_frame_size",
       "http2_max_header_list_size")),
    Row("protocol", "--protocol", text, NO_UWSGI),
    Row("uwsgi_allow_ips", "--uwsgi-allow-from", texts, NO_UWSGI),
    Row("logconfig", "--log-config", text, NO_PYTHON_LOG),
    Row("logconfig_dict", "", anything, NO_PYTHON_LOG),
    Row("logconfig_json", "--log-config-json", text, NO_PYTHON_LOG),
    Row("logger_class", "--logger-class", anything, NO_PYTHON_LOG),
    Row("paste", "--paste --paster", text, NO_PASTE),
    Row("raw_paste_global_conf", "--paste-global", texts, NO_PASTE),
    Row("django_settings", "--settings", text, "raw_env has DJANGO_SETTINGS_MODULE=MODULE, and "
        "wsgi.py of the project is the application"),
    Row("spew", "--spew", truth, "tracing is Python's business: its modules trace and sys do it"),
    Row("asgi_loop", "--asgi-loop", text, NOT_WSGI),
    Row("asgi_lifespan", "--asgi-lifespan", text, NOT_WSGI),
    Row("asgi_disconnect_grace_period", "--asgi-disconnect-grace-period", number, NOT_WSGI),
    Row("root_path", "--root-path", text, NOT_WSGI),
    Row("http_parser", "--http-parser", text, "there is one parser, in C"),
    Row("dirty_apps", "--dirty-app", texts, NO_DIRTY),
    *(Row(name, "--" + name.replace("_", "-"), number, NO_DIRTY) for name in
      ("dirty_workers", "dirty_threads", "dirty_timeout", "dirty_graceful_timeout")),
    *(Row(name, "", anything, NO_DIRTY) for name in
      ("on_dirty_starting", "dirty_post_fork", "dirty_worker_init", "dirty_worker_exit")),
    Row("default_proc_name", "", text, "is gunicorn's own; proc_name is there"),
    Row("worker_tmp_dir", "--worker-tmp-dir", text,
        "has no meaning here: workers report in shared memory"),
    Row("tmp_upload_dir", "", text, "large request bodies are in files in spool_dir"),
    *(Row(name, "--" + name.replace("_", "-"), truth, TOO_LAX) for name in
      ("tolerate_dangerous_framing", "permit_obsolete_folding", "strip_header_spaces",
       "permit_unconventional_http_method", "permit_unconventional_http_version",
       "casefold_http_method")),
]
