"""alicorn-convert: configurations of other servers, as people have them, each of which must
give a file that alicorn accepts, with the settings and the words that belong to it.

In the inputs FOLDER is the folder of the test, USER and GROUP are those it runs as."""

import grp
import os
import pwd
import re
import subprocess
import sys

import pytest

from conftest import SANITIZED, ALICORN, AS_USER, TOP, environment

CONVERT = TOP / "tools/alicorn-convert"

pytestmark = pytest.mark.skipif(not (ALICORN.parent / "python.so").exists(),
                                reason="python3-dev is not installed")

WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]

app = api = application

def create_app(*_, **__):
    return application
"""


@pytest.fixture
def folder(tmp_path):
    """With an application in shop/wsgi.py and app.py, and a PHP script in blog/."""
    for name, text in {"shop/__init__.py": "", "shop/wsgi.py": WSGI, "app.py": WSGI,
                       "blog/index.php": "<?php echo 'hello';\n",
                       "blog/public/index.php": "<?php echo 'hello';\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    make_venv(tmp_path / "venv")
    return tmp_path


def make_venv(folder):
    """As python3 -m venv does it, in less time."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to("/usr/bin/python3")
    (folder / "lib/python{}.{}/site-packages".format(*sys.version_info)).mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")


def filled(text, folder):
    names = {"FOLDER": str(folder), "USER": pwd.getpwuid(os.getuid()).pw_name,
             "GROUP": grp.getgrgid(os.getgid()).gr_name}
    return re.sub(r"\b(FOLDER|USER|GROUP)\b", lambda m: names[m[0]], text)


def run(folder, *arguments, env=None):
    return subprocess.run([sys.executable, CONVERT, *arguments], cwd=folder, text=True,
                          env=environment(folder, env), capture_output=True, timeout=60)


def split(text):
    """The comment and the settings, each of them on one line."""
    lines = text.splitlines()
    told = " ".join(line[1:].strip() for line in lines if line.startswith("#"))
    settings = "\n".join(line for line in lines if not line.startswith("#"))
    return told, re.sub(r"\s+", " ", settings)


def check(folder, text, *arguments, what="--check-config"):
    """Alicorn accepts the file, and has nothing to say about it."""
    (folder / "alicorn.conf").write_text(text)
    done = subprocess.run([ALICORN, *AS_USER, what, "-c", "alicorn.conf", *arguments], cwd=folder,
                          env=environment(folder), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + text
    assert not done.stderr, done.stderr + text


class Case:
    def __init__(self, name, arguments, files, settings, told=(), untold=(), env=None,
                 check=(), php=False, printed=""):
        self.name, self.arguments, self.files = name, arguments, files
        self.settings, self.told, self.untold, self.env = settings, told, untold, env
        self.check, self.php, self.printed = check, php, printed


# ---- gunicorn ----------------------------------------------------------------------------

GUNICORN = [
    Case("the smallest", ["gunicorn.conf.py", "shop.wsgi"], {
        "gunicorn.conf.py": "bind = '127.0.0.1:8000'\nworkers = 2\n"},
        ['target = "python:shop.wsgi";', 'chdir = "FOLDER";', 'bind = [ "127.0.0.1:8000" ];',
         "workers = 2;"], ["is taken for the folder"]),
    Case("without an application", ["gunicorn.conf.py"], {
        "gunicorn.conf.py": "workers = 3\ntimeout = 90\n"},
        ["workers = 3;", "timeout = 90;"], ["target: no application is named"],
        check=["shop.wsgi:app"]),
    Case("computed", ["gunicorn.conf.py"], {
        "gunicorn.conf.py": """
import multiprocessing
import os

wsgi_app = "shop.wsgi:application"
bind = "0.0.0.0:" + os.environ.get("APP_PORT", "8080")
workers = multiprocessing.cpu_count() * 2 + 1
threads = int(os.getenv("PYTHON_MAX_THREADS", 4))
worker_class = "gthread"
print(f"{threads} threads")
worker_connections = 1000
max_requests = 1000
max_requests_jitter = 50
keepalive = 5
graceful_timeout = 60
accesslog = "-"
loglevel = os.environ.get("LOG_LEVEL", "INFO")
_private = lambda x: x
""", }, ['bind = [ "0.0.0.0:9001" ];', "threads = 4;", 'worker_class = "gthread";',
         "max_requests = 1000;", "max_requests_jitter = 50;", "keepalive = 5;",
         "graceful_timeout = 60;", 'accesslog = "-";', 'loglevel = "info";'],
        ["timeout: was that of the whole worker"], env={"APP_PORT": "9001"}, printed="4 threads\n"),
    Case("its own example", ["gunicorn.conf.py", "app:app"], {
        "gunicorn.conf.py": '''
bind = '127.0.0.1:8000'
backlog = 2048
workers = 1
worker_class = 'sync'
worker_connections = 1000
timeout = 30
keepalive = 2
spew = False
daemon = False
raw_env = [
    'DJANGO_SECRET_KEY=some "quoted" secret',
    'SPAM=eggs',
]
pidfile = None
umask = 0
user = None
group = None
tmp_upload_dir = None
errorlog = '-'
loglevel = 'info'
accesslog = '-'
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
proc_name = None

def post_fork(server, worker):
    server.log.info("Worker spawned (pid: %s)", worker.pid)

def pre_fork(server, worker):
    pass

def pre_exec(server):
    server.log.info("Forked child, re-executing.")

def when_ready(server):
    server.log.info("Server is ready. Spawning workers")

def worker_int(worker):
    worker.log.info("worker received INT or QUIT signal")
    import threading, sys, traceback
    id2name = {th.ident: th.name for th in threading.enumerate()}
    for threadId, stack in sys._current_frames().items():
        worker.log.debug("%s", id2name.get(threadId))

def worker_abort(worker):
    worker.log.info("worker received SIGABRT signal")

def ssl_context(conf, default_ssl_context_factory):
    return default_ssl_context_factory()
''', "gunicorn_conf.py": "def worker_int(worker): pass\ndef worker_abort(worker): pass\n"},
        ["daemon = false;", '"DJANGO_SECRET_KEY=some \\"quoted\\" secret"',
         'worker_int = "gunicorn_conf:worker_int";',
         'worker_abort = "gunicorn_conf:worker_abort";'],
        ["post_fork: the server runs no Python", "belongs into post_worker_init",
         "when_ready: the server runs no Python", "copy gunicorn.conf.py to gunicorn_conf.py",
         "ssl_context: TLS is not built in"], ["pre_fork:", "spew", "tmp_upload_dir"]),
    Case("behind nginx on a unix socket", ["gunicorn_config.py", "shop.wsgi:app"], {
        "gunicorn_config.py": """
bind = "unix:run/gunicorn.sock"
umask = 0o007
pidfile = "run/gunicorn.pid"
errorlog = "log/error.log"
accesslog = "log/access.log"
user, group = "USER", "GROUP"
forwarded_allow_ips = "10.0.0.0/8, 192.168.1.7"
proxy_allow_ips = ["10.0.0.1"]
proxy_protocol = True
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
"""}, ['bind = [ "unix:FOLDER/run/gunicorn.sock" ];', 'socket_mode = "0660";',
         'pidfile = "FOLDER/run/gunicorn.pid";', 'errorlog = "FOLDER/log/error.log";',
         'user = "USER";', 'group = "GROUP";', '[ "10.0.0.0/8", "192.168.1.7" ]',
         'proxy_protocol = "auto";', '[ "X-FORWARDED-PROTO=https" ]'],
        untold=["umask", "socket_mode:"]),
    Case("a socket for everybody", ["gunicorn.conf.py", "shop.wsgi:app"], {
        "gunicorn.conf.py": "bind = ['unix:/run/shop.sock', 'fd://3']\n"},
        ['bind = [ "fd://3" ];'], ["socket_mode: everybody may connect to a socket of gunicorn"]),
    Case("limits at their ends", ["gunicorn.conf.py", "shop.wsgi:app"], {
        "gunicorn.conf.py": "limit_request_line = 0\nlimit_request_fields = 0\n"
                            "limit_request_field_size = 0\ntimeout = 1000000\nworkers = '0x4'\n"
                            "backlog = 100000\n"},
        ["limit_request_line = 65536;", "limit_request_fields = 32768;",
         "limit_request_field_size = 65536;", "timeout = 86400;", "workers = 4;",
         "backlog = 65535;"], ["timeout: 1000000 is beyond the limits"]),
    Case("gevent", ["gunicorn.conf.py", "shop.wsgi:app"], {
        "gunicorn.conf.py": "worker_class = 'gevent'\nworker_connections = 500\n"},
        ['worker_class = "gthread";', "threads = 16;", "worker_connections = 500;"],
        ["there is no gevent", "that of each request"]),
    Case("uvicorn", ["gunicorn.conf.py", "shop.wsgi:app"], {
        "gunicorn.conf.py": "worker_class = 'uvicorn.workers.UvicornWorker'\n"},
        [], ["worker_class: uvicorn.workers.UvicornWorker: ASGI is not built in"]),
    Case("classes of one's own", ["gunicorn.conf.py", "shop.wsgi:app"], {
        "gunicorn.conf.py": """
class Careful:
    pass
worker_class = Careful
logger_class = 'shop.log.Logger'
statsd_host = 'localhost:8125'
statsd_prefix = 'shop'
logconfig_dict = {'version': 1}
worker_tmp_dir = '/dev/shm'
control_socket = 'run/gunicorn.ctl'
control_socket_mode = 0o660
"""}, ['statsd_host = "localhost:8125";', 'statsd_prefix = "shop";',
         'control_socket = "FOLDER/run/gunicorn.ctl";', 'control_socket_mode = "0660";'],
        ["worker_class: Careful: a class of one's own", "logconfig_dict, logger_class: the log is",
         "logs = ( { to =", "worker_tmp_dir: has no meaning here", "alicornctl(1) speaks"]),
    Case("TLS and HTTP/2", ["gunicorn.conf.py", "shop.wsgi:app"], {
        "gunicorn.conf.py": "certfile = 'c.pem'\nkeyfile = 'k.pem'\nca_certs = 'ca.pem'\n"
                            "cert_reqs = 2\nhttp_protocols = 'h2,h1'\n"
                            "permit_obsolete_folding = True\ncasefold_http_method = False\n"
                            "dirty_apps = ['ml:Model']\ndirty_workers = 2\nprotocol = 'uwsgi'\n"},
        [], ["keyfile, certfile, ca_certs, cert_reqs: TLS", "http_protocols: HTTP/2",
             "protocol: the uwsgi protocol is not spoken", "dirty_apps, dirty_workers: there is no second kind",
             "permit_obsolete_folding: has no meaning"], ["casefold"]),
    Case("syslog and reload", ["gunicorn.conf.py", "app"], {
        "gunicorn.conf.py": "syslog = True\nsyslog_addr = 'unix:///dev/log#dgram'\n"
                            "syslog_prefix = 'shop'\nsyslog_facility = 'local0'\nreload = True\n"
                            "reload_extra_files = ['templates/**/*.html']\npreload_app = True\n"
                            "sendfile = False\nreuse_port = True\ncapture_output = True\n"
                            "pythonpath = 'lib,vendor'\ninitgroups = True\n"},
        ['syslog_addr = "unix:/dev/log";', 'syslog_facility = "local0";',
         'reload_extra_files = [ "FOLDER/templates/**/*.html" ];', "preload_app = true;",
         "sendfile = false;", 'pythonpath = [ "FOLDER/lib", "FOLDER/vendor" ];']),
    Case("hooks of other modules", ["conf/settings.py", "--chdir", "FOLDER", "shop.wsgi:app"], {
        "conf/settings.py": """
from shop.hooks import pre_request
post_request = "shop.hooks.after"
def worker_exit(server, worker):
    server.log.info("%s leaves", worker.pid)
def child_exit(server, worker):
    multiprocess.mark_process_dead(worker.pid)
def nworkers_changed(server, new_value, old_value):
    pass
def post_worker_init(worker):
    worker.cfg.settings
""", "shop/hooks.py": "def pre_request(worker, req): print(req)\n"
                           "def after(worker, req): print(req)\n"},
        ['pre_request = "shop.hooks:pre_request";', 'post_request = "shop.hooks:after";',
         'worker_exit = "settings:worker_exit";', 'pythonpath = [ "FOLDER/conf" ];'],
        ["child_exit: the server runs no Python", "ALICORN_WORKER_PID",
         "worker_exit: of the server it gets pid and log alone", "post_worker_init: uses cfg"],
        ["nworkers_changed"]),
    Case("a factory", ["gunicorn", "-w", "2", "shop.wsgi:create_app('production', debug=False)"],
         {}, ["target = \"python:shop.wsgi:create_app('production', debug=False)\";"]),
]

# ---- Commands ----------------------------------------------------------------------------

UNIT = """[Unit]
Description=gunicorn daemon
Requires=gunicorn.socket
After=network.target

[Service]
# gunicorn can let systemd know when it is ready
Type=notify
NotifyAccess=main
User=USER
Group=GROUP
RuntimeDirectory=gunicorn
WorkingDirectory=FOLDER
ExecStart=FOLDER/venv/bin/gunicorn shop.wsgi
ExecReload=/bin/kill -s HUP $MAINPID
KillMode=mixed
TimeoutStopSec=5
PrivateTmp=true

[Install]
WantedBy=multi-user.target
"""

COMMANDS = [
    Case("typed", ["gunicorn", "-w", "4", "-b", "127.0.0.1:8001", "--chdir", "shop",
                   "--pythonpath", "..", "--access-logfile", "-", "-t60", "wsgi:app"], {},
         ['target = "python:wsgi:app";', 'chdir = "FOLDER/shop";', 'pythonpath = [ "FOLDER" ];',
          "workers = 4;", "timeout = 60;", 'bind = [ "127.0.0.1:8001" ];']),
    Case("typed, with a file that is found", ["/usr/bin/gunicorn3", "--workers=4", "app:app"], {
        "gunicorn.conf.py": "workers = 2\nbind = ['127.0.0.1:1', '127.0.0.1:2']\n"},
        ["workers = 4;", 'bind = [ "127.0.0.1:1", "127.0.0.1:2" ];'], ["gunicorn.conf.py by"]),
    Case("typed, with a file and the environment",
         ["gunicorn", "-c", "python:conf", "-e", "A=1", "-e", "B=2", "app:app"],
         {"conf.py": "workers = 2\nraw_env = ['C=3']\nkeepalive = 7\n"},
         ["workers = 2;", "threads = 3;", "keepalive = 9;", 'raw_env = [ "A=1", "B=2" ];'],
         env={"GUNICORN_CMD_ARGS": "--threads 3 --keep-alive=9"}),
    Case("typed, in a virtual environment", ["gunicorn", "app:app"], {},
         ['venv = "FOLDER/venv";'], untold=["is taken"], env={"VIRTUAL_ENV": "FOLDER/venv"}),
    Case("typed, what is no option", ["gunicorn", "--wrokers=3", "--no-sendfile", "--statsd-host",
                                      "localhost:8125", "app:app", "more"], {},
         ["sendfile = false;", 'statsd_host = "localhost:8125";'],
         ["--wrokers=3: no option", "more: more than one application"]),
    Case("systemd, as documented", ["gunicorn.service"], {
        "gunicorn.service": UNIT,
        "gunicorn.socket": "[Socket]\nListenStream=/run/gunicorn.sock\nSocketUser=www-data\n"},
        ['bind = [ "unix:/run/gunicorn.sock" ];', 'venv = "FOLDER/venv";'],
        ["ExecStart: becomes", "bind: is what systemd opens"], ["user:", "raw_env"]),
    Case("systemd, without the socket unit", ["shop.service"], {"shop.service": UNIT},
         ['bind = [ "fd://3" ];', 'chdir = "FOLDER";']),
    Case("systemd, long lines and a file", ["shop.service"], {
        "shop.service": """[Service]
Environment=WORKERS=5 "GUNICORN_CMD_ARGS=--log-level debug"
EnvironmentFile=-/etc/default/nowhere
EnvironmentFile=FOLDER/environment
WorkingDirectory=FOLDER
ExecStart=/usr/bin/gunicorn \\
    --workers ${WORKERS} \\
    --access-logfile - \\
    --timeout=$TIMEOUT \\
    --name shop-%i \\
    -c FOLDER/conf.py \\
    --bind unix:FOLDER/shop.sock shop.wsgi:application
Restart=on-failure
""", "environment": "# of the service\nTIMEOUT='75'\n", "conf.py": "keepalive = 11\n"},
        ["workers = 5;", "timeout = 75;", 'loglevel = "debug";', "keepalive = 11;",
         'bind = [ "unix:FOLDER/shop.sock" ];'],
        ["%: shop-%i", "user: the service has none, so root starts", "socket_mode: everybody"]),
    Case("systemd, by a shell", ["web.service"], {
        "web.service": """[Service]
User=USER
WorkingDirectory=FOLDER
ExecStart=/bin/bash -lc 'cd shop && exec newrelic-admin run-program gunicorn -b :8002 \
wsgi:application >> /var/log/shop.log 2>&1'
"""}, ['chdir = "FOLDER/shop";', 'bind = [ ":8002" ];', 'target = "python:wsgi:application";'],
        ["newrelic-admin run-program: stands before gunicorn", ">> /var/log/shop.log 2>&1: what"]),
    Case("systemd, as a module", ["web.service"], {
        "web.service": "[Service]\nWorkingDirectory=FOLDER\nUser=USER\n"
                       "ExecStart=/usr/bin/python3 -m gunicorn -b 127.0.0.1:8003 app:app\n"},
        ['bind = [ "127.0.0.1:8003" ];', 'target = "python:app:app";'], untold=["stands before"]),
    Case("Procfile", ["Procfile"], {
        "Procfile": "release: python manage.py migrate\n"
                    "web: gunicorn --bind 0.0.0.0:$PORT --workers ${WEB_CONCURRENCY:-3} "
                    "shop.wsgi --log-file -\n"
                    "worker: celery -A shop worker\n"},
        ['target = "python:shop.wsgi";', 'errorlog = "-";'],
        ["$PORT: is taken from the environment", "without it the value was 3",
         "release, worker: another"]),
    Case("Procfile, this machine alone", ["Procfile"], {
        "Procfile": "web: cd shop; venv/bin/gunicorn -b 127.0.0.1:$PORT --bind=:${PORT:-9000} "
                    "--log-level=$LEVEL -t $LIMIT wsgi:app\n"},
         ['bind = [ "127.0.0.1:8000", ":9000" ];', 'chdir = "FOLDER/shop";',
          'venv = "FOLDER/shop/venv";'],
         ["--log-level=$LEVEL is left out", "-t=$LIMIT is left out", "taken for a virtual"],
         ["loglevel", "timeout"], check=["--venv", "FOLDER/venv"]),
    Case("Procfile, other names", ["Procfile", "api"], {
        "Procfile": "web: bundle exec puma\n"
                    "api: PYTHONPATH=lib DEBUG=1 poetry run gunicorn -k gevent -b :$API_PORT "
                    "--max-requests=${MAX:-500} 'app:create_app()'\n"},
        ['raw_env = [ "PYTHONPATH=lib", "DEBUG=1" ];', "max_requests = 500;", 'bind = [ ":8000" ];',
         'target = "python:app:create_app()";'],
        ["$API_PORT: is not known here", "poetry run: stands before", "$MAX: its default, 500"]),
]

# ---- uWSGI -------------------------------------------------------------------------------

UWSGI = [
    Case("Django with nginx", ["shop_uwsgi.ini"], {
        "shop_uwsgi.ini": """# shop_uwsgi.ini file
[uwsgi]

# Django-related settings
# the base directory (full path)
chdir           = FOLDER
# Django's wsgi file
module          = shop.wsgi
# the virtualenv (full path)
home            = FOLDER/venv

# process-related settings
master          = true
processes       = 10
socket          = FOLDER/shop.sock
chmod-socket    = 664
vacuum          = true
"""}, ['target = "python:shop.wsgi:application";', "workers = 10;",
         'bind = [ "unix:FOLDER/shop.sock" ];', 'socket_mode = "0664";', "preload_app = true;",
         'venv = "FOLDER/venv";', "timeout = 0;", 'accesslog = "-";'],
        ["socket: the uwsgi protocol is not spoken", "timeout: harakiri is not set", "preload_app"],
        ["vacuum", "master:"]),
    Case("Flask by HTTP", ["uwsgi.ini"], {
        "uwsgi.ini": "[uwsgi]\nhttp = :5000\nwsgi-file = app.py\ncallable = app\nprocesses = 4\n"
                     "threads = 2\nstats = 127.0.0.1:9191\ndisable-logging = true\n"},
        ["app: {", 'target = "python:FOLDER/app.py:app";', 'bind = [ ":5000" ];', "threads = 2;",
         "status: {", 'target = "status:";', 'bind = [ "127.0.0.1:9191" ];', "workers = 1;"],
        ["stats: the application status has a page"], ["accesslog", "routes"]),
    Case("production", ["uwsgi.ini"], {
        "uwsgi.ini": """[uwsgi]
strict = true
master = true
enable-threads = true
vacuum = true
single-interpreter = true
die-on-term = true
need-app = true
lazy-apps = true

http-socket = 127.0.0.1:8080
module = shop.wsgi:application
max-requests = 1000
max-worker-lifetime = 3600
reload-on-rss = 2048
evil-reload-on-rss = 4096
worker-reload-mercy = 60

cheaper-algo = busyness
processes = 128
cheaper = 8
cheaper-initial = 16
cheaper-overload = 1
cheaper-step = 16

harakiri = 60
harakiri-verbose = true
auto-procname = true
procname-prefix = shop
log-4xx = true
buffer-size = 65535
listen = 1024
limit-post = 10485760
py-autoreload = 0
"""}, ["workers_min = 8;", "workers_max = 128;", "workers = 16;", "timeout = 60;",
         "max_requests = 1000;", 'max_worker_memory = "2048M";',
         'max_worker_memory_hard = "4096M";',
         "graceful_timeout = 60;", 'proc_name = "shop";', "backlog = 1024;",
         "limit_request_body = 10485760;"], ["max-worker-lifetime: there is no limit"],
        ["preload_app", "strict", "cheaper"]),
    Case("place-holders and sections", ["uwsgi.ini:live"], {
        "uwsgi.ini": """[base]
project = shop
chdir = %d
module = %(project).wsgi:application
[live]
ini = :base
socket = %d%(project).sock
procname = %(project)-%n
pidfile = /tmp/%(project).pid
env = SETTINGS=%(project).settings
env = HOST=$(SHOP_HOST)
touch-reload = %p
"""}, ['target = "python:shop.wsgi:application";', 'bind = [ "unix:FOLDER/shop.sock" ];',
         'proc_name = "shop-uwsgi";', 'raw_env = [ "SETTINGS=shop.settings", "HOST=here" ];',
         'pidfile = "/tmp/shop.pid";'], ["touch-reload: no file is looked at"], ["project"],
        env={"SHOP_HOST": "here"}),
    Case("what has no counterpart", ["uwsgi.ini"], {
        "uwsgi.ini": """[uwsgi]
plugins = python3,http
http-socket = 0.0.0.0:8000
https = :8443,cert.pem,key.pem
module = shop.wsgi:application
route-if = equal:${HTTP_X};1 redirect:/new
carbon = 127.0.0.1:2003
master-fifo = fifo
cron = 0 2 -1 -1 -1 python manage.py clearsessions
spooler = spool
mule = mule.py
attach-daemon = celery -A shop worker
cache2 = name=default,items=100
gevent = 100
offload-threads = 2
unheard-of = 1
if-env = PORT
http = :$(PORT)
endif =
"""}, ['target = "python:shop.wsgi:application";'],
        ["https: TLS is not built in",
         "route-if = equal:${HTTP_X};1 redirect:/new: has no counterpart among routes",
         "cron, spooler: there are no tasks", "carbon: metrics go to statsd", "alicornctl(1)",
         "mule: put what", "attach-daemon: other programs", "cache2: nothing is shared",
         "gevent: there is no other loop", "unheard-of: is not converted",
         "if-env, endif: conditions"], env={"PORT": "8099"}),
    Case("logs and identity", ["uwsgi.ini"], {
        "uwsgi.ini": "[uwsgi]\nsocket = 127.0.0.1:3031\nprotocol = http\nmodule = shop.wsgi\n"
                     "callable = app\nuid = USER\ngid = GROUP\numask = 022\n"
                     "daemonize = log/uwsgi.log\nlogformat = %(addr) %(method) %(uri) %(status) "
                     "%(msecs) %(var.HTTP_X_ID) %(cpu)\nlog-x-forwarded-for = true\n"
                     "pythonpath = lib\npp = vendor\nharakiri = 20\nlimit-as = 512\n"
                     "chown-socket = USER:GROUP\n"},
        ['target = "python:shop.wsgi:app";', 'user = "USER";', 'umask = "022";', "daemon = true;",
         'errorlog = "FOLDER/log/uwsgi.log";', 'accesslog = "FOLDER/log/uwsgi.log";',
         '"%(h)s %(m)s %({RAW_URI}e)s %(s)s %(M)s %({HTTP_X_ID}e)s -"',
         'client_address = "x-forwarded-for";', 'limit_memory = "512M";',
         'pythonpath = [ "FOLDER/lib", "FOLDER/vendor" ];'],
        ["log-format: cpu has no counterpart"], ["socket: only"]),
    Case("mounted applications", ["uwsgi.ini"], {
        "uwsgi.ini": """[uwsgi]
master = true
processes = 2
http-socket = 127.0.0.1:8080
manage-script-name = true
mount = /shop=shop.wsgi:application
mount = /shop/admin=app.py
mount = /=app:app
static-map = /static=FOLDER/static
static-map = /static=FOLDER/other
static-map = /robots.txt=FOLDER/static/robots.txt
static-map = /favicon.ico=FOLDER/static/icon.ico
static-index = index.html
static-expires = /* 7776000
route = ^/old/(.*) redirect-permanent:/new/$1
route = ^/shop\\.html$ redirect:https://${HTTP_HOST}/shop
route = \\.bak$ break:404 Not Found
route-uri = ^/hidden/ break:403 Forbidden
route-uri = ^/exactly$ break:403 Forbidden
route = ^/closed break:403
route-host = ^www\\.example\\.org$ redirect-301:https://example.org${REQUEST_URI}
route-remote-addr = ^10\\.1\\..* break:403
route = ^/a rewrite:/b
stats-push = statsd:127.0.0.1:8125,shop
""", "static/robots.txt": ""},
         ["app: {", 'target = "python:app:app";', "shop: {",
          'target = "python:shop.wsgi:application";', "shop_admin: {",
          'target = "python:FOLDER/app.py:application";', 'bind = [ "127.0.0.1:8080" ];',
          '{ path = "/old/*"; redirect = "/new$rest"; status = 301; }',
          '{ path = "/shop.html"; redirect = "https://$host/shop"; }',
          '{ path = "*.bak"; status = 404; }', '{ path = "/closed/*"; status = 403; }',
          '{ path = "/hidden/*"; status = 403; }',
          'host = "www.example.org";', 'redirect = "https://example.org$uri";',
          '{ source = "10.1.0.0/16"; status = 403; }',
          'files = "FOLDER/static";', 'mount = "/static";', 'cache_control = "max-age=7776000";',
          '{ path = "/shop/admin/*"; app = "shop_admin"; mount = "/shop/admin"; }, '
          '{ path = "/shop/*"; app = "shop"; mount = "/shop"; }, { app = "app"; }',
          'statsd_host = "127.0.0.1:8125";', 'statsd_prefix = "shop";', "preload_app = true;"],
         ["route-uri = ^/exactly$ break:403 Forbidden, route = ^/a rewrite:/b: has no counterpart",
          "static-map = /static=FOLDER/other: a path again",
          "static-map = /favicon.ico=FOLDER/static/icon.ico: is not",
          "workers: each application has processes of its own", "static-map: what is no file"]),
    Case("files beside the application", ["uwsgi.ini"], {
        "uwsgi.ini": "[uwsgi]\nhttp-socket = 127.0.0.1:8080\nmodule = shop.wsgi\n"
                     "check-static = static\nstatic-skip-ext = .py\nstatic-skip-ext = .cfg\n"
                     "static-map2 = /media=%d\nstatic-expires-type = text/css 60\n"
                     "disable-logging = true\nlog-4xx = true\nlog-5xx = true\n"
                     "log-slow = 500\nlogformat = %(addr) %(pid)\nharakiri = 5\n",
        "static/a.css": ""},
         ["shop: {", '{ path = [ "*.py", "*.cfg" ]; app = "shop"; }',
          '{ path = "/media/*"; files = "FOLDER"; app = "shop"; }',
          '{ files = "FOLDER/static"; app = "shop"; }', 'status = [ "4xx", "5xx" ];',
          "slower_than = 500;", 'format = "%(h)s %(w)s";'],
         ["static-expires-type = text/css 60: each route"], ["accesslog"]),
    Case("PHP", ["uwsgi.ini"], {
        "uwsgi.ini": "[uwsgi]\nplugin = php\nhttp-socket = 127.0.0.1:8080\n"
                     "php-docroot = blog\nphp-index = index.php\nphp-set = date.timezone=UTC\n"
                     "php-allowed-ext = .php\n"},
        ['target = "php:FOLDER/blog";', 'index = "index.php";', '[ "date.timezone=UTC" ]'],
        php=True),
    Case("PHP with its files", ["uwsgi.ini"], {
        "uwsgi.ini": "[uwsgi]\nplugin = php\nhttp-socket = 127.0.0.1:8080\nharakiri = 9\n"
                     "php-docroot = FOLDER/blog\ncheck-static = FOLDER/blog\n"
                     "static-skip-ext = .php\nphp-index = index.php\nstatic-map = /s=FOLDER/shop\n"},
        ["blog: {", 'index = "index.php";', 'files = "FOLDER/shop"; mount = "/s";'],
        ["check-static: a PHP application sends"], ['files = "FOLDER/blog"'], php=True),
    Case("an emperor's", ["uwsgi.ini"], {
        "uwsgi.ini": "[uwsgi]\nemperor = /etc/uwsgi/vassals\nuid = USER\n"},
        [], ["emperor: a folder of configurations", "target: no application is named"],
        check=["app:app"]),
]

# ---- Unit --------------------------------------------------------------------------------

UNIT_JSON = [
    Case("Python", ["unit.json"], {"unit.json": """{
    "listeners": { "127.0.0.1:8300": { "pass": "applications/shop" } },
    "applications": {
        "shop": {
            "type": "python 3.11",
            "processes": 2,
            "working_directory": "FOLDER",
            "path": "FOLDER/lib/",
            "home": "FOLDER/venv/",
            "module": "shop.wsgi",
            "callable": "app",
            "user": "USER",
            "group": "GROUP",
            "environment": { "DJANGO_SETTINGS_MODULE": "shop.settings", "DB": "a=b" },
            "limits": { "timeout": 10, "requests": 1000 }
        }
    },
    "access_log": "FOLDER/access.log"
}"""}, ["shop: {", 'target = "python:shop.wsgi:app";', 'bind = [ "127.0.0.1:8300" ];',
        "workers = 2;", "timeout = 10;", "max_requests = 1000;", '"DB=a=b"',
        'venv = "FOLDER/venv";',
        'accesslog = "FOLDER/access.log";']),
    Case("dynamic processes and forwarding", ["unit.json"], {"unit.json": """{"config": {
    "settings": { "http": { "header_read_timeout": 10, "body_read_timeout": 20,
        "send_timeout": 30, "idle_timeout": 120, "max_body_size": 6291456,
        "server_version": false, "static": { "mime_types": { "text/x-code": [".c"] } } } },
    "listeners": { "*:8080": { "pass": "applications/my-app", "forwarded": {
        "client_ip": "X-Forwarded-For", "source": ["10.0.0.0/8", "127.0.0.1"] } } },
    "applications": { "my-app": { "type": "python", "module": "app", "factory": true,
        "callable": "create_app", "path": "FOLDER", "threads": 4, "protocol": "wsgi",
        "stderr": "stderr.log", "isolation": { "namespaces": { "network": true } },
        "processes": { "max": 10, "spare": 5, "idle_timeout": 20 } } },
    "access_log": { "path": "/var/log/access.log",
        "format": "$remote_addr - - [$time_local] \\"$request_line\\" $status ${body_bytes_sent} \
$header_x_id $cookie_a" }
}}"""}, ["my-app: {", 'target = "python:app:create_app()";', 'bind = [ ":8080" ];',
         "workers = 5;", "workers_min = 5;", "workers_max = 10;", "idle_timeout = 20;",
         "threads = 4;", "header_timeout = 10;", "body_timeout = 20;", "write_timeout = 30;",
         "keepalive = 120;", "limit_request_body = 6291456;", 'server_header = "none";',
         'client_address = "x-forwarded-for";', '%(h)s - - %(t)s \\"%(r)s\\" %(s)s %(B)s',
         "%({x-id}i)s -"],
        ["my-app: isolation: is for the service of systemd", "my-app: stderr: what applications",
         "settings.http.static: types are told", "access_log: $cookie_a",
         "my-app: timeout: there is no limits.timeout"]),
    Case("routes, targets and PHP", ["unit.json"], {"unit.json": """{
    "listeners": {
        "*:8080": { "pass": "routes" },
        "[::1]:8443": { "pass": "routes", "tls": { "certificate": "bundle" } },
        "unix:/run/unit/admin.sock": { "pass": "applications/blog/admin" }
    },
    "routes": [
        { "match": { "uri": "/static/*" }, "action": { "share": "FOLDER/shop$uri" } },
        { "match": { "uri": "/api/*" }, "action": { "pass": "applications/api" } },
        { "match": { "uri": ["*.php", "*.php/*"] }, "action": { "pass": "applications/blog/admin" } },
        { "match": { "uri": "/chat/*" }, "action": { "pass": "applications/chat" } },
        { "action": { "share": "FOLDER/blog/public$uri",
                      "fallback": { "pass": "applications/blog/index" } } }
    ],
    "applications": {
        "blog": { "type": "php 8.2", "processes": 4, "options": {
                "file": "/etc/php/8.2/embed/php.ini",
                "admin": { "memory_limit": "256M" }, "user": { "display_errors": "0" } },
            "targets": {
                "admin": { "root": "FOLDER/blog", "index": "index.php" },
                "index": { "root": "FOLDER/blog/public", "script": "index.php" } } },
        "api": { "type": "python", "path": "FOLDER", "module": "app" },
        "legacy": { "type": "ruby", "script": "/www/config.ru" },
        "chat": { "type": "external", "working_directory": "/www/chat", "executable": "bin/chat" }
    },
    "upstreams": { "other": { "servers": { "192.168.0.100:8080": {} } } }
}"""}, ["blog_admin: {", "blog_index: {", 'target = "php:FOLDER/blog/public";',
        'script = "index.php";', '[ "memory_limit=256M" ]', 'bind = [ ":8080", "[::1]:8443" ];',
        'bind = [ "unix:/run/unit/admin.sock" ];', '{ path = "/static/*"; files = "FOLDER/shop"; }, '
        '{ path = "/api/*"; app = "api"; }, { path = "*.php"; app = "blog_admin"; }, '
        '{ path = "/chat/*"; status = 503; }, { app = "blog_index"; }'],
        ["legacy: applications of type ruby", "chat: applications of type external",
         "listener [::1]:8443: TLS", "upstreams: there are none", "blog: targets: each is",
         "routes, step 3: uri *.php/*: cannot be said", "step 4: applications/chat: has no"],
        php=True),
    Case("criteria and actions", ["unit.json"], {"unit.json": """{
    "listeners": {
        "*:8080": { "pass": "routes/main" },
        "*:8081": { "pass": "routes/main", "forwarded": { "client_ip": "X-Forwarded-For",
                                                          "source": "10.0.0.1" } },
        "*:8082": { "pass": "applications/api" },
        "*:8083": { "pass": "applications/shop" },
        "*:8084": { "pass": "routes/gone" }
    },
    "routes": {
        "main": [
            { "match": { "uri": "/old/*", "host": "WWW.example.org" },
              "action": { "return": 301, "location": "https://${host}/new$request_uri" } },
            { "match": { "uri": "/a b", "method": ["GET", "HEAD"], "headers": { "X-Api": "*" } },
              "action": { "return": 410 } },
            { "match": { "scheme": "http" }, "action": { "return": 301, "location": "/s" } },
            { "match": { "uri": "/admin/*", "source": "!10.0.0.0/8" }, "action": { "return": 403 } },
            { "match": { "uri": "~^/x" }, "action": { "pass": "applications/api" } },
            { "match": { "uri": "/favicon.ico" }, "action": { "share": "FOLDER/shop/favicon.ico" } },
            { "match": { "host": "*.example.com" }, "action": { "pass": "routes/sub" } },
            { "match": { "uri": "/r/*" }, "action": { "rewrite": "/$uri",
                                                      "pass": "applications/shop" } },
            { "match": { "uri": "/far/*" }, "action": { "proxy": "http://127.0.0.1:1" } },
            { "match": { "uri": "/js/*" }, "action": { "share": "FOLDER$uri", "types": ["text/*"],
                                                       "fallback": { "pass": "applications/shop" } } },
            { "action": { "share": ["FOLDER/shop$uri", "FOLDER/venv$uri"], "index": "i.html",
                "response_headers": { "Cache-Control": "max-age=60", "Server": null },
                "fallback": { "pass": "applications/shop" } } }
        ],
        "sub": [
            { "match": { "uri": ["/api/v1/*"], "source": ["127.0.0.1", "[::1]", "10.1.2.3/8"] },
              "action": { "pass": "applications/api" } }
        ],
        "gone": [ { "action": { "pass": "upstreams/x" } } ]
    },
    "applications": {
        "shop": { "type": "python", "path": "FOLDER", "module": "shop.wsgi", "user": "USER" },
        "api": { "type": "python", "path": "FOLDER", "module": "app", "prefix": "/api",
                 "user": "USER" }
    }
}"""}, ['bind = [ ":8083" ];', 'user = "USER";', '[ ":8080" ];', '[ ":8081" ];', '[ ":8082" ];',
        'forwarded_allow_ips = [ "10.0.0.1" ];', 'host = "www.example.org";', 'path = "/a b";',
        'redirect = "https://$host/new$uri";', 'method = [ "GET", "HEAD" ];', 'header = "X-Api";',
        "status = 410;", '{ path = "/admin/*"; status = 403; }',
        '{ path = "/favicon.ico"; files = "FOLDER/shop"; }', 'path = "/api/v1/*";',
        'source = [ "127.0.0.1", "::1", "10.0.0.0/8" ];', 'mount = "/api";',
        '{ host = "*.example.com"; status = 404; }', '{ path = "/r/*"; app = "shop"; }',
        '{ path = "/far/*"; status = 503; }', '{ path = "/js/*"; app = "shop"; }',
        'files = "FOLDER/shop";', 'index = "i.html";', '[ "Cache-Control=max-age=60" ]',
        '{ path = "/api/*"; app = "api"; mount = "/api"; }, { app = "api"; }'],
        ["routes/main, step 3: scheme", "step 5: uri: has no counterpart", "step 4: source: has no "
         "counterpart in routes; as the step refuses requests", "step 8: rewrite: the path stays",
         "step 9: proxy, routes/gone, step 1: upstreams/x: has no", "step 10: share: files are not chosen",
         "step 11: share: a route sends", "response_headers: fields are added",
         "listener :8084: nothing is left where", "user: of the"]),
    Case("Laravel", ["unit.json"], {"unit.json": """{
    "listeners": { "*:8080": { "pass": "routes" } },
    "routes": [
        { "match": { "uri": ["!/.well-known/*", "/vendor/*", "*.inc"] }, "action": { "return": 404 } },
        { "match": { "uri": "!/index.php" },
          "action": { "share": "FOLDER/blog/public$uri", "follow_symlinks": false,
                      "fallback": { "pass": "applications/laravel" } } }
    ],
    "applications": { "laravel": { "type": "php", "root": "FOLDER/blog/public/",
                                   "script": "index.php", "user": "USER" } }
}"""}, ['{ path = [ "/vendor/*", "*.inc" ]; status = 404; }, '
        '{ path = "/index.php"; status = 404; }, { app = "laravel"; }', 'user = "USER";'],
        ["step 1: uri !/.well-known/*: cannot be said", "step 2: share: links are followed"],
        php=True),
    Case("names and ASGI", ["unit.json"], {"unit.json": """{
    "listeners": { "*:8000": { "pass": "applications/2nd app" },
                   "*:8001": { "pass": "upstreams/x" } },
    "applications": {
        "2nd app": { "type": "python", "path": "FOLDER", "module": "app", "protocol": "asgi",
                     "prefix": "/shop", "thread_stack_size": 65536 },
        "2nd_app": { "type": "python", "path": ["FOLDER"], "module": "app" } }
}"""}, ["app_2nd_app: {", "app_2nd_app_2: {", 'app = "app_2nd_app"; mount = "/shop"; }, '
        '{ app = "app_2nd_app"; }'],
        ["ASGI is not built in", "upstreams/x: there are no upstreams"]),
]

CASES = [("gunicorn", case) for case in GUNICORN] + [("command", case) for case in COMMANDS] \
    + [("uwsgi", case) for case in UWSGI] + [("unit", case) for case in UNIT_JSON]


@pytest.mark.parametrize("case", [case for _, case in CASES],
                         ids=[f"{kind}-{case.name}".replace(" ", "-") for kind, case in CASES])
def test_input(folder, case):
    if SANITIZED and any("limit-as" in str(text) for text in case.files.values()):
        pytest.skip("a sanitizer needs more address space than the limit")
    write_files(folder, case.files)
    env = {name: filled(value, folder) for name, value in (case.env or {}).items()}
    done = run(folder, *(filled(a, folder) for a in case.arguments), env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == case.printed
    told, settings = split(done.stdout)
    for part in case.settings:
        assert filled(part, folder) in settings, done.stdout
    for part in case.told:
        assert filled(part, folder) in told, done.stdout
    for part in case.untold:
        assert part not in done.stdout, done.stdout
    check(folder, done.stdout, *(filled(a, folder) for a in case.check), what=way_to_check(case))


def way_to_check(case):
    """Without PHP the file is read, but nothing is loaded."""
    return "--check-config" if not case.php or php_works() else "--print-config"


def php_works():
    done = subprocess.run([ALICORN, *AS_USER, "--check-config", f"php:{TOP}/tests"],
                          capture_output=True, timeout=60)
    return done.returncode == 0


# ---- What cannot be converted ------------------------------------------------------------


@pytest.mark.parametrize("arguments, files, told", [
    (["gunicorn.conf.py"], {}, "gunicorn.conf.py: there is no such file"),
    (["gunicorn.conf.py"], {"gunicorn.conf.py": "workers = (\n"}, "SyntaxError"),
    (["gunicorn.conf.py"], {"gunicorn.conf.py": "a = 1\nb = c\n"}, r"NameError.*, line 2\)"),
    (["gunicorn.conf.py"], {"gunicorn.conf.py": "import no_such_thing\n"}, "let the Python that"),
    (["gunicorn.conf.py"], {"gunicorn.conf.py": "exit(3)\n"}, "SystemExit"),
    (["gunicorn.conf.py"], {"gunicorn.conf.py": "workers = 'many'\n"},
     "workers: gunicorn does not take 'many'"),
    (["gunicorn", "--workers"], {}, "expected one argument"),
    (["a.txt"], {"a.txt": ""}, "say --from"),
    (["--from=systemd", "a.txt"], {"a.txt": "[Service]\n"}, "no ExecStart"),
    (["a.service"], {"a.service": "[Service]\nExecStart=/usr/bin/uvicorn shop:app\n"},
     "does not start gunicorn"),
    (["a.service"], {"a.service": "[Service]\nExecStart=/usr/bin/gunicorn 'shop:app\n"},
     "No closing quotation"),
    (["Procfile"], {"Procfile": "web: rackup\n"}, "no process starts gunicorn"),
    (["uwsgi.ini"], {"uwsgi.ini": "[other]\na = b\n"}, r"nothing in a section \[uwsgi\]"),
    (["uwsgi.ini"], {"uwsgi.ini": "[uwsgi]\nini = uwsgi.ini\n"}, "include each other"),
    (["unit.json"], {"unit.json": "{,}"}, "unit.json: Expecting"),
    (["unit.json"], {"unit.json": "[]"}, "no application that alicorn can run"),
    (["unit.json"], {"unit.json": '{"applications": {"a": {"type": "python"}}}'},
     "not a configuration of Unit"),
])
def test_what_cannot_be_converted_is_told(folder, arguments, files, told):
    for name, text in files.items():
        (folder / name).write_text(text)
    done = run(folder, *arguments)
    assert done.returncode == 1 and not done.stdout
    assert re.search(f"^alicorn-convert: .*{told}", done.stderr) and done.stderr.count("\n") == 1


# ---- The tables --------------------------------------------------------------------------


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(TOP / "tools"))
    from alicorn_convert.gunicorn_settings import TABLE
    return {row.name: row for row in TABLE}


def test_every_setting_of_gunicorn_is_known(table):
    config = pytest.importorskip("gunicorn.config")
    for setting in config.KNOWN_SETTINGS:
        if setting.name in ("config", "check_config", "print_config"):
            continue
        assert setting.name in table, setting.name
        own = table[setting.name].flags.split()
        assert set(setting.cli or []) <= set(own), setting.name


def test_what_alicorn_refuses_is_known(table):
    """The settings of gunicorn that are none of alicorn's, and those that are."""
    reserved = (TOP / "gateway/config/reserved.c").read_text()
    words = re.findall(r'"([\w|-]+)"', reserved.split("table[] = {")[1])
    names = {word.replace("-", "_") for text in words for word in text.split("|")
             if word}
    flags = {flag.lstrip("-").replace("-", "_") for row in table.values()
             for flag in row.flags.split()}
    assert not names - set(table) - flags
    settings = (TOP / "gateway/config/settings.def").read_text()
    own = set(re.findall(r"^(?:SERVER|APP)\((\w+),", settings, re.M))
    for name, row in table.items():
        if callable(row.turn):
            assert name in own or name == "wsgi_app", name


# ---- It runs -----------------------------------------------------------------------------


def test_hooks_of_gunicorn_run(server, folder):
    (folder / "gunicorn_conf.py").write_text("""
wsgi_app = "shop.wsgi:app"
bind = "127.0.0.1:0"
def post_worker_init(worker):
    worker.log.info("hook: begun %d", worker.pid)
def pre_request(worker, req):
    worker.log.info("hook: %s %s", req.method, req.path)
def post_request(worker, req, environ, resp):
    worker.log.info("hook: %s", resp.status)
def worker_exit(server, worker):
    server.log.info("hook: %d leaves %d", worker.pid, server.pid)
""")
    text = run(folder, "gunicorn_conf.py").stdout
    (folder / "alicorn.conf").write_text(text)
    s = server(arguments=["-c", folder / "alicorn.conf"])
    assert s.get("/here").body == b"served"
    s.wait_log("hook: GET /here")
    s.wait_log("hook: 200 OK")
    s.stop()
    s.wait_log(rf"hook: \d+ leaves {s.pid}")
    assert "hook: begun" in s.log()


NAMES = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode()]
"""


def write_files(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(filled(text, folder))


def served(server, folder, name, files):
    """A server of what was made of these files."""
    write_files(folder, files)
    done = run(folder, "-o", "made.conf", name)
    assert done.returncode == 0, done.stderr
    return server(arguments=["-c", folder / "made.conf"])


def test_what_uwsgi_mounts_is_served(server, folder):
    s = served(server, folder, "uwsgi.ini", {"names.py": NAMES, "static/a.css": "a {}", "uwsgi.ini": """
[uwsgi]
http-socket = 127.0.0.1:0
stats = FOLDER/stats.sock
manage-script-name = true
mount = /=app:app
mount = /names=names.py
mount = /names/in=names
static-map = /static=static
static-expires = /* 60
check-static = static
route = ^/old/(.*)$ redirect-permanent:/names/$1
route-uri = ^/secret/ break:403 Forbidden
"""})
    for name in "front", "status":
        s.wait_log(f"listening on .* for {name}")
    assert s.get("/", name="front").body == b"served"
    assert s.get("/names/a/b", name="front").body == b"/names|/a/b"
    assert s.get("/names/in", name="front").body == b"/names/in|"
    css = s.get("/static/a.css", name="front")
    assert css.body == b"a {}" and css.field("cache-control") == "max-age=60"
    assert s.get("/a.css", name="front").body == b"a {}"
    assert s.get("/static/none", name="front").status == 404
    moved = s.get("/old/x?q=1", name="front")
    assert (moved.status, moved.field("location")) == (301, "/names/x")
    assert s.get("/secret/x", name="front").status == 403
    assert s.get("/ready", name="status").status == 200


def test_what_unit_routes_is_served(server, folder):
    s = served(server, folder, "unit.json", {"names.py": NAMES, "static/a.css": "a {}", "unit.json": """{
    "listeners": { "127.0.0.1:0": { "pass": "routes" } },
    "routes": [
        { "match": { "uri": "/old/*" },
          "action": { "return": 307, "location": "http://${host}/new${request_uri}" } },
        { "match": { "method": "POST", "uri": "/static/*" }, "action": { "return": 405 } },
        { "match": { "uri": "/static/*" }, "action": { "share": "FOLDER$uri",
            "response_headers": { "X-By": "share" } } },
        { "match": { "host": "names.example" }, "action": { "pass": "applications/names" } },
        { "match": { "uri": "/names/*" }, "action": { "pass": "applications/names" } },
        { "action": { "share": "FOLDER/static$uri", "fallback": { "pass": "applications/app" } } }
    ],
    "applications": {
        "app": { "type": "python", "path": "FOLDER", "module": "app" },
        "names": { "type": "python", "path": "FOLDER", "module": "names", "prefix": "/names" }
    }
}"""})
    moved = s.get("/old/a?b=1")
    assert moved.status == 307 and moved.field("location").endswith("/new/old/a?b=1")
    assert s.get("/static/a.css", "POST").status == 405
    css = s.get("/static/a.css")
    assert css.body == b"a {}" and css.field("x-by") == "share"
    assert s.get("/static/none").status == 404
    assert s.get("/names/a").body == b"/names|/a"
    with s.connect() as client:
        for path, names in ("/b", b"|/b"), ("/names/b", b"/names|/b"):
            client.send(f"GET {path} HTTP/1.1\r\nHost: names.example:80\r\n\r\n")
            assert client.response().body == names
    assert s.get("/a.css").body == b"a {}"
    assert s.get("/").body == b"served"


def test_installed(folder):
    """As make install puts it: the program in bin, its modules in lib/alicorn."""
    for source in [CONVERT, *(TOP / "tools/alicorn_convert").glob("*.py")]:
        to = folder / ("bin" if source == CONVERT else "lib/alicorn/alicorn_convert")
        to.mkdir(parents=True, exist_ok=True)
        (to / source.name).write_bytes(source.read_bytes())
    (folder / "gunicorn.conf.py").write_text("workers = 2\n")
    done = subprocess.run([sys.executable, folder / "bin/alicorn-convert", "gunicorn.conf.py",
                           "-w", "3", "-o", "nothing"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and "workers = 3;" in done.stdout
    done = subprocess.run([sys.executable, folder / "bin/alicorn-convert", "-o", "made.conf",
                           "gunicorn.conf.py"], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert "workers = 2;" in (folder / "made.conf").read_text()
    assert not list(folder.rglob("__pycache__"))
