"""uWSGI: its ini files. An option may come more than once, so it has a list of values."""

import os
import re

from .output import Unusable, absolute, octal, unix_socket
from .uwsgi_site import RULE, Site

# ---- Files -------------------------------------------------------------------------------

TRUE = {"true", "1", "yes", "on", ""}


def magic(text, path):
    """%d and the like, of the file that they stand in."""
    folder, name = os.path.split(path)
    stem, dot, suffix = name.rpartition(".")
    values = {"p": path, "s": name, "d": folder + "/", "n": stem if dot else name, "e": suffix,
              "c": os.path.basename(folder), "v": os.getcwd(), "h": os.uname().nodename,
              "k": str(os.cpu_count()), "%": "%"}
    return re.sub(r"%([a-zA-Z%])", lambda m: values.get(m[1], m[0]), text)


class Reader:
    def __init__(self, output):
        self.output, self.options, self.lines = output, {}, []
        self.places, self.used = {}, set()  # place-holders
        self.files = 0

    def read(self, path, section="uwsgi"):
        self.files += 1
        if self.files > 50:
            raise Unusable(f"{path}: files that include each other")
        now = None
        with open(path, encoding="utf-8") as file:
            for line in file:
                line = line.strip()
                if line.startswith("[") and line.endswith("]"):
                    now = line[1:-1]
                elif line and line[0] not in "#;" and now == section:
                    key, _, value = line.partition("=")
                    self.option(key.strip(), value.strip(), path)

    def option(self, key, value, path):
        value = self.fill(magic(value, path))
        if key in ("ini", "include", "inherit"):
            file, _, section = value.partition(":")
            self.read(absolute(file, os.path.dirname(path)) if file else path,
                      section or "uwsgi")
        elif key in ("set", "set-placeholder", "set-ph"):
            name, _, text = value.partition("=")
            self.places[name] = text
        elif re.match(r"(if|for|end|endif|endfor|else)(-|$)", key):
            self.output.tell(key, "conditions and loops are not followed: what is between them "
                             "counts")
        else:
            self.places[key] = value
            self.lines.append((key.replace("_", "-"), value))
            self.options.setdefault(key.replace("_", "-"), []).append(value)

    def fill(self, text):
        """Place-holders, %(name), each of which is an option before, and $(VARIABLE)."""
        def value(found):
            self.used.add(found[1].strip())
            return self.places.get(found[1].strip(), found[0])
        text = re.sub(r"%\(([^)]*)\)", value, text)
        return re.sub(r"\$\(([^)]*)\)", lambda m: os.environ.get(m[1], m[0]), text)


# ---- Options -----------------------------------------------------------------------------


class Job:
    """What a turning function needs beside the values: lines are the options in their order."""

    def __init__(self, app, folder, options, lines):
        self.app, self.folder, self.options, self.lines = app, folder, options, lines
        self.site = Site(self)

    def last(self, *names):
        for name in names:
            if name in self.options:
                return self.options[name][-1]
        return None

    def is_on(self, *names):
        value = self.last(*names)
        return value is not None and value.lower() in TRUE


def count(text):
    """A whole number, or none that can be used: on means 1 nearly everywhere."""
    return int(text) if re.fullmatch(r"\d+", text) else None


def same(name):
    def turn(job, values):
        if count(values[-1]) is not None:
            job.app.set(name, count(values[-1]))
    return turn


def flag(name):
    return lambda job, values: job.app.set(name, values[-1].lower() in TRUE)


def plain(name):
    return lambda job, values: job.app.set(name, values[-1])


def path(name):
    return lambda job, values: job.app.set(name, absolute(values[-1], job.folder))


def paths(name):
    return lambda job, values: job.app.add(name, [absolute(v, job.folder) for v in values])


def mebibytes(name):
    def turn(job, values):
        if count(values[-1]):
            job.app.set(name, values[-1] + "M")
    return turn


def address(job, text):
    if text.isdigit():
        return ":" + text
    if ":" in text and not text.startswith("unix:"):
        return re.sub(r"^\*:", ":", text)
    return unix_socket(text, job.folder)


def bind(job, values):
    for value in values:
        text = value.split(",")[0].strip()
        if text.startswith("@"):
            job.app.tell("bind", f"{text}: there are no abstract sockets here")
        else:
            job.app.add("bind", [address(job, text)])


def behind_proxy(job, values):
    bind(job, values)
    if job.last("protocol", "socket-protocol") != "http":
        job.app.tell("socket", "the uwsgi protocol is not spoken: in nginx proxy_pass and "
                     "proxy_set_header stand instead of uwsgi_pass and include uwsgi_params, to "
                     "the same address")


def chmod(job, values):
    mode = int(values[-1], 8) if re.fullmatch(r"[0-7]+", values[-1]) else 0o666
    job.app.set("socket_mode", octal(mode & 0o666))


def chown(job, values):
    owner, _, group = values[-1].partition(":")
    for name, value in ("socket_owner", owner), ("socket_group", group):
        if value:
            job.app.set(name, value)


def daemonize(job, values):
    job.app.set("daemon", True)
    path("errorlog")(job, values)


def request_log(job, values):
    kind, colon, name = values[-1].partition(":")
    if colon and kind != "file":
        job.app.tell("req-logger", f"{kind}: where lines of requests go beside a file and stdout "
                     "is for logs to say: logs = ( { to = \"syslog:...\"; take = \"access\"; } )")
    else:
        job.app.set("accesslog", absolute(name or kind, job.folder))


LOG_WORDS = {
    "addr": "%(h)s", "user": "%(u)s", "ltime": "%(t)s", "ctime": "%(t)s", "time": "%(t)s",
    "method": "%(m)s", "uri": "%({RAW_URI}e)s", "proto": "%(H)s", "status": "%(s)s",
    "size": "%(B)s", "rsize": "%(B)s", "referer": "%(f)s", "uagent": "%(a)s", "msecs": "%(M)s",
    "micros": "%(D)s", "secs": "%(T)s", "pid": "%(w)s", "host": "%({Host}i)s", "ftime": "%(t)s",
    "epoch": "%(t)s",
}


def log_format(job, values):
    def atom(found):
        name = found[1]
        if name.startswith("var."):
            return f"%({{{name[4:]}}}e)s"
        if name not in LOG_WORDS:
            job.app.tell("log-format", f"{name} has no counterpart; - stands for it")
        return LOG_WORDS.get(name, "-")
    job.app.set("access_log_format", re.sub(r"%\(([^)]*)\)", atom, values[-1].replace(
        "%%", "%")))


def cheaper(job, values):
    workers = count(job.last("processes", "workers", "p") or "1") or 1
    job.app.set("workers_min", count(values[-1]) or 1)
    job.app.set("workers_max", workers)
    job.app.set("workers", min(count(job.last("cheaper-initial") or values[-1]) or 1, workers))


def stats(job, values):
    for value in values:
        job.site.statuses.append(address(job, value))
    job.app.tell("stats", "the application status has a page, /status.json and /metrics; for "
                 "uwsgitop there is alicornctl top")


def stats_push(job, values):
    """statsd:HOST:PORT, and a prefix."""
    for value in values:
        kind, _, rest = value.partition(":")
        host, _, prefix = (rest if kind == "statsd" else value).partition(",")
        if kind != "statsd" and "statsd-push" not in job.options:
            job.app.tell(f"stats-push = {value}", NO_COUNTERS)
            continue
        job.app.set("statsd_host", host)
        if prefix:
            job.app.set("statsd_prefix", prefix)
        job.app.tell("statsd_host", "the metrics have the names that gunicorn gives them")


def reload_files(job, values):
    job.app.set("reload", True)


def name_list(name):
    return lambda job, values: job.app.add(name, values)


PREFORK = ("application is loaded once and the processes forked from it, as without lazy-apps; "
           "preload_app = false loads it in each")
NO_COUNTERS = ("metrics go to statsd (statsd_host), or are fetched from an application whose "
               "target is status:")
NO_TLS = "TLS is not built in; put a TLS proxy in front"
NO_TASKS = ("there are no tasks beside the application; a timer or a service of systemd, or a "
            "queue of its own, does that")
NO_MEMORY = "nothing is shared between workers here; a cache such as Redis is for that"
NO_LOOPS = ("there is no other loop: a worker needs none to wait for clients, and to wait in the "
            "application it has threads")
NO_TOUCH = ("no file is looked at: HUP and alicornctl reload, USR1 reopens logs; with reload = "
            "true the sources are followed, and reload_extra_files")
NO_EMPEROR = "a folder of configurations is given to alicorn itself: alicorn -c FOLDER"
HOOKS = ("commands are run by on_starting (before the server listens), post_fork (in each "
         "process), child_exit and on_exit")
NO_MULES = "put what listens to tasks in a service, or in an application, of its own"

# name, and other names: what turns the values, or what is told.
TABLE = [
    ("chdir chdir2", path("chdir")),
    ("http http-socket http11-socket", bind),
    ("socket uwsgi-socket s", behind_proxy),
    ("chmod-socket chmod", chmod),
    ("chown-socket", chown),
    ("listen l", same("backlog")),
    ("reuse-port", flag("reuse_port")),
    ("processes workers p", same("workers")),
    ("threads", same("threads")),
    ("cheaper", cheaper),
    ("idle cheaper-idle", same("idle_timeout")),
    ("harakiri t", same("timeout")),
    ("reload-mercy worker-reload-mercy", same("graceful_timeout")),
    ("http-keepalive", lambda job, values: count(values[-1]) not in (None, 0, 1)
     and same("keepalive")(job, values)),
    ("max-requests R", same("max_requests")),
    ("max-requests-delta", same("max_requests_jitter")),
    ("reload-on-rss", mebibytes("max_worker_memory")),
    ("evil-reload-on-rss", mebibytes("max_worker_memory_hard")),
    ("limit-as", mebibytes("limit_memory")),
    ("limit-nproc", same("limit_processes")),
    ("max-fd", same("limit_files")),
    ("limit-post", same("limit_request_body")),
    ("post-buffering", lambda job, values: (count(values[-1]) or 0) > 1
     and same("body_buffer_size")(job, values)),
    ("buffer-size b", lambda job, values: (count(values[-1]) or 0) > 131072
     and same("limit_request_head")(job, values)),
    ("uid", plain("user")),
    ("gid", plain("group")),
    ("umask", plain("umask")),
    ("env", name_list("raw_env")),
    ("home virtualenv venv pyhome H", path("venv")),
    ("pythonpath python-path pp", paths("pythonpath")),
    ("pidfile pidfile2 safe-pidfile", path("pidfile")),
    ("daemonize daemonize2 d", daemonize),
    ("logto logto2", path("errorlog")),
    ("logger log-route log-encoder", "the log goes to a file, to stderr, to syslog and to the "
     "journal; see errorlog, syslog and logs"),
    ("req-logger", request_log),
    ("log-format logformat", log_format),
    ("log-big log-zero log-sendfile log-ioerror", "the access log has a line for each request; "
     "logs choose them by status, path and time"),
    ("threads-stacksize threads-stack-size", "threads have the stack that ulimit -s gives them"),
    ("log-x-forwarded-for", lambda job, values: job.app.set("client_address",
                                                            "x-forwarded-for")),
    ("procname procname-prefix procname-master", plain("proc_name")),
    ("py-autoreload python-autoreload py-auto-reload", reload_files),
    ("php-index", lambda job, values: job.site.main().set("index", values[-1])),
    ("php-set", name_list("php_value")),
    ("php-ini", path("php_ini")),

    ("https https2 http-to-https ssl-option", NO_TLS),
    ("fastcgi-socket scgi-socket puwsgi-socket zeromq raw-socket",
     "with protocol = \"fastcgi\" a socket speaks FastCGI; the others are not spoken"),
    ("static-safe", "links that lead out of a folder are not followed"),
    ("static-map3 check-static-docroot docroot static-cache-paths", "is not converted; see "
     "routes with files"),
    ("stats stats-server", stats),
    ("statsd-push stats-push", stats_push),
    ("carbon memory-report stats-pusher-instance", NO_COUNTERS),
    ("cron unique-cron legion-cron spooler spooler-processes timer rb-timer", NO_TASKS),
    ("mule mules farm", NO_MULES),
    ("attach-daemon attach-daemon2 smart-attach-daemon smart-attach-daemon2",
     "other programs are for systemd to start; a FastCGI program is an application: fcgi-exec:"),
    ("cache cache2 sharedarea queue locks", NO_MEMORY),
    ("gevent gevent-monkey-patch asyncio tornado greenlet async ugreen loop", NO_LOOPS),
    ("http-websockets", "websockets are not built in"),
    ("touch-reload touch-chain-reload touch-workers-reload touch-logreopen touch-logrotate "
     "touch-mule-reload fs-reload", NO_TOUCH),
    ("emperor vassals-dir", NO_EMPEROR),
    ("exec-asap exec-pre-jail exec-post-jail exec-as-root exec-as-user exec-pre-app exec-post-app "
     "exec-as-user-atexit hook-asap hook-post-fork hook-as-user hook-master-start hook-accepting1 "
     "hook-as-user-atexit", HOOKS),
    ("master-fifo", "there is no fifo: signals do its work, see alicorn(8), and alicornctl(1) by "
     "control_socket"),
    ("max-worker-lifetime min-worker-lifetime", "there is no limit of a worker's age; max_requests "
     "and max_worker_memory replace workers"),
    ("reload-on-as evil-reload-on-as", "it is resident memory that replaces workers: "
     "max_worker_memory; limit_memory limits the address space"),
    ("harakiri-graceful-timeout harakiri-queue-threshold", "an application that is too slow has "
     "one second for worker_abort, then its worker is ended"),
    ("chroot unshare cgroup cap pivot-root apparmor", "is for the service of systemd to do"),
    ("paste paste-logger ini-paste", "ini files are not read; name a function that loads the file: "
     "MODULE:FUNCTION(\"FILE\")"),
    ("http-timeout socket-timeout http-connect-timeout socket-send-timeout", "clients have limits "
     "of their own for each step: header_timeout, body_timeout, write_timeout, keepalive"),
    ("psgi rack lua rails perl ring cgi symcall", "this kind of application is not converted; see "
     "Targets in alicorn.conf(5)"),
    ("import shared-import py-import spooler-import", "is loaded by the application, or by "
     "post_worker_init"),
]

# What is always so here, or never, or is heard by another option.
NEEDLESS = set("""
    mount manage-script-name no-default-app static-map static-map2 check-static static-index
    static-expires static-expires-uri static-expires-mtime static-expires-type
    static-expires-path-info static-skip-ext static-gzip static-gzip-all static-gzip-dir
    static-gzip-ext offload-threads stats-http log-slow log-4xx log-5xx
    master M need-app vacuum die-on-term single-interpreter i enable-threads no-orphans strict
    thunder-lock close-on-exec ignore-sigpipe ignore-write-errors disable-write-exception
    catch-exceptions harakiri-verbose auto-procname py-call-osafterfork py-tracebacker optimize
    wsgi-disable-file-wrapper wsgi-manage-chunked-input http-auto-chunked http-chunked-input
    http-raw-body http-processes http-modifier1 http-socket-modifier1 http-socket-modifier2
    so-keepalive tcp-nodelay max-apps forkbomb-delay show-config
    plugin plugins plugin-dir plugins-dir
    cheaper-initial cheaper-step cheaper-algo cheaper-overload
    module wsgi wsgi-file file callable app php-docroot php-app php-allowed-ext
    lazy lazy-apps protocol socket-protocol disable-logging L
    log-master log-date logdate log-micros log-reopen log-maxsize""".split())

ALL = NEEDLESS.union(*(names.split() for names, _ in TABLE))


def defaults(job):
    """What is otherwise without a word."""
    target = job.site.main().get("target", "")
    if not job.is_on("lazy-apps", "lazy") and target.startswith("python:") \
            and job.is_on("master", "M"):
        job.app.set("preload_app", True)
        job.app.tell("preload_app", PREFORK)
    if not job.last("harakiri", "t"):
        job.app.set("timeout", 0)
        job.app.tell("timeout", "harakiri is not set, so requests have no limit of time; without "
                     "timeout = 0 it is 30 seconds")
    if job.is_on("disable-logging", "L"):
        chosen_requests(job)
    elif "accesslog" not in job.app.settings:
        job.app.set("accesslog", job.app.get("errorlog", "-"))


def chosen_requests(job):
    """Of a log that is disabled, those lines that are wanted nevertheless."""
    sink = {"to": job.app.get("errorlog", "stderr"), "take": "access"}
    if job.app.get("access_log_format"):
        sink["format"] = job.app.get("access_log_format")
    wanted = [name[4:] for name in ("log-4xx", "log-5xx") if job.is_on(name)]
    logs = job.app.output.lists["logs"]
    if wanted:
        logs.append({**sink, "status": wanted})
    if count(job.last("log-slow") or ""):
        logs.append({**sink, "slower_than": count(job.last("log-slow"))})


def convert_file(output, file, words):
    if words:
        raise Unusable("nothing may follow the name of an ini file")
    name, colon, section = file.partition(":")
    name = os.path.abspath(name)
    reader = Reader(output)
    reader.read(name, section if colon else "uwsgi")
    options = reader.options
    if not options:
        raise Unusable(f"{name}: there is nothing in a section [{section or 'uwsgi'}]")
    folder = os.path.dirname(name)
    for name in reader.used:
        if name not in ALL:
            options.pop(name, None)
    if "chdir" not in options:
        output.tell("chdir", f"{folder}, where the file is, is taken for the folder that uWSGI is "
                    "started in")
        options["chdir"] = [folder]
    lines = [(name, value) for name, value in reader.lines if name in options]
    job = Job(output.top, absolute(options["chdir"][-1], folder), options, lines)
    turn_all(job)
    defaults(job)
    job.site.finish()


def turn_all(job):
    for names, turn in TABLE:
        for name in names.split():
            if name not in job.options:
                continue
            if callable(turn):
                turn(job, job.options[name])
            elif any(value.lower() not in ("false", "0", "no") for value in job.options[name]):
                job.app.tell(name, turn)
    for name in job.options:
        if name not in ALL and not RULE.match(name):
            job.app.tell(name, "is not converted")
