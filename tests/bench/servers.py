"""The servers that are compared, set up as their manuals advise for speed: two workers
each, no access log, keep-alive without an end where there is keep-alive. What is compared
with what is in groups.py."""

import glob
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
WORKERS = 2
MANY = 20000  # connections that a server must be able to hold
HELLO = b"Hello, World!\n"


def tool(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


NGINX, UWSGI, GUNICORN = tool("nginx"), tool("uwsgi"), tool("gunicorn")
LIGHTTPD = tool("lighttpd")
# Debian's nginx module has a LuaJIT of its own, which cannot be installed beside the one that
# Alicorn is built with: $NGINX_LUA is a folder in which its packages were unpacked.
NGINX_LUA = Path(os.environ.get("NGINX_LUA", "/"))
NGINX_LUA_MODULES = [NGINX_LUA / "usr/lib/nginx/modules" / name
                     for name in ("ndk_http_module.so", "ngx_http_lua_module.so")]
UWSGI_LUA = (sorted(glob.glob("/usr/lib/uwsgi/plugins/lua*_plugin.so")) or [None])[-1]
FPM = (sorted(glob.glob("/usr/sbin/php-fpm*")) or [None])[-1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def dashed(name):
    """As a part of a path."""
    return re.sub(r"[^\w.,-]", "-", name)


class Server:
    """A running server; `needs` are others that work for it and count as its own."""

    def __init__(self, name, folder, command, port, needs=()):
        self.name, self.port = name, port
        self.wrk = self.rate = None  # where they are not those of its group
        self.log = folder / (dashed(name) + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        self.leaders = [self.process.pid, *(n.process.pid for n in needs)]
        self.url = f"http://127.0.0.1:{port}/"

    def wait(self, address):
        """Until it accepts; raises when it ended or takes too long."""
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        for _ in range(500):
            with socket.socket(family) as s:
                if s.connect_ex(address) == 0:
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self.name} does not start:\n{self.log.read_text()}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(name, folder, command, port, needs=()):
    return Server(name, folder, command, port, needs).wait(("127.0.0.1", port))


def alicorn_of(name, folder, program, text, port, needs=(), launcher=()):
    """With this text in its configuration file."""
    config = folder / f"{dashed(name)}.conf"
    config.write_text(f"""
loglevel = "warning";
keepalive = 60;
worker_connections = {MANY};
{'user = "root";' if os.getuid() == 0 else ""}
{text}
""")
    return start(name, folder, [*launcher, program, "-c", config], port, needs)


def alicorn(name, folder, program, target, needs=(), settings="", launcher=()):
    """With one application."""
    port = free_port()
    text = f'workers = {WORKERS}; applications: {{ hello: {{ target = "{target}"; ' \
        f'bind = "127.0.0.1:{port}"; {settings} }}; }};'
    return alicorn_of(name, folder, program, text, port, needs, launcher)


def alicorn_routes(name, folder, program, targets, routes, launcher=(),
                   settings=f"workers = {WORKERS};"):
    """With these applications, named a, b and so on, behind one address, and routes."""
    port = free_port()
    apps = "".join(f'{chr(ord("a") + i)}: {{ target = "{t}"; }}; '
                   for i, t in enumerate(targets))
    text = f'bind = "127.0.0.1:{port}"; {settings}\n' \
        f"applications: {{ {apps} }};\nroutes = ( {', '.join(routes)} );"
    return alicorn_of(name, folder, program, text, port, launcher=launcher)


def nginx(name, folder, location, needs=(), main="", http="", launcher=(), connections=1024):
    """One server; `location` is what it does for every path, or whole locations."""
    port = free_port()
    config = folder / f"{dashed(name)}.nginx"
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    if not location.startswith("location"):
        location = f"location / {{ {location} }}"
    config.write_text(f"""
{main}
{"user root root;" if os.getuid() == 0 else ""}
daemon off;
worker_processes {WORKERS};
worker_rlimit_nofile {MANY};
pid {folder}/{port}.pid;
error_log stderr crit;
events {{ worker_connections {connections}; }}
http {{
	access_log off;
	{http}
	keepalive_requests 1000000000;
	keepalive_timeout 60;
	{temporary}
	server {{
		listen 127.0.0.1:{port};
		{location}
	}}
}}
""")
    return start(name, folder, [*launcher, NGINX, "-e", "stderr", "-c", config], port, needs)


def nginx_lua(name, folder):
    location = """default_type text/plain; content_by_lua_block {
        local body = "Hello, World!\\n"
        ngx.header["Content-Length"] = #body
        ngx.print(body)
    }"""
    return nginx(name, folder, location,
                 main="".join(f"load_module {module};" for module in NGINX_LUA_MODULES),
                 http=f'lua_package_path "{NGINX_LUA}/usr/share/lua/5.1/?.lua;;";',
                 launcher=["env", f"LD_LIBRARY_PATH={NGINX_LUA}/usr/lib/x86_64-linux-gnu"])


def lighttpd(name, folder, root):
    """Files of a folder."""
    port = free_port()
    config = folder / f"{dashed(name)}.lighttpd"
    config.write_text(f"""
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{root}"
server.errorlog = "{folder}/lighttpd-errors.log"
server.max-worker = {WORKERS}
server.max-fds = {MANY}
server.max-connections = {MANY // 2}
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 60
server.network-backend = "sendfile"
server.stat-cache-engine = "inotify"
index-file.names = ( "index.html" )
mimetype.assign = ( ".html" => "text/html" )
""")
    return start(name, folder, [LIGHTTPD, "-D", "-f", config], port)


def gunicorn(name, folder, *arguments):
    port = free_port()
    return start(name, folder, [
        GUNICORN, "--workers", WORKERS, "--bind", f"127.0.0.1:{port}", "--keep-alive", 60,
        "--worker-connections", MANY, "--log-level", "warning", "--chdir", HERE, *arguments,
        "hello:application"], port)


UWSGI_COMMON = ["--master", "--processes", WORKERS, "--disable-logging", "--die-on-term"]
UWSGI_ARGUMENTS = ["--plugin", "python3", *UWSGI_COMMON, "--need-app", "--chdir", HERE,
                   "--module", "hello:application"]


def uwsgi(name, folder, *arguments):
    port = free_port()
    return start(name, folder, [UWSGI, "--http-socket", f"127.0.0.1:{port}",
                                *UWSGI_ARGUMENTS, *arguments], port)


def uwsgi_lua(name, folder):
    port = free_port()
    return start(name, folder, [
        UWSGI, "--plugin", UWSGI_LUA, *UWSGI_COMMON, "--http-socket", f"127.0.0.1:{port}",
        "--http-socket-modifier1", 6, "--lua", HERE / "hello_uwsgi.lua"], port)


def uwsgi_socket(name, folder, *arguments):
    """For nginx: its address is the path of the socket."""
    path = f"{folder}/{dashed(name)}.sock"
    server = Server(name, folder, [UWSGI, "--uwsgi-socket", path, *UWSGI_ARGUMENTS,
                                   *arguments], None)
    server.path = path
    return server.wait(path)


def fpm_socket(name, folder, processes=WORKERS):
    path = f"{folder}/{dashed(name)}.sock"
    config = folder / f"{dashed(name)}.conf"
    config.write_text(f"""
[global]
error_log = {folder}/fpm-errors.log
[www]
{"user = root" if os.getuid() == 0 else ""}
listen = {path}
pm = static
pm.max_children = {processes}
""")
    server = Server(name, folder, [FPM, "-F", "-R", "-y", config], None)
    server.path = path
    return server.wait(path)


def version(command):
    """What a program says of its version, or None."""
    if not command[0]:
        return None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found and found[0]


def versions():
    """Of all that is compared."""
    programs = {
        "nginx": [NGINX, "-v"],
        "lighttpd": [LIGHTTPD, "-v"],
        "gunicorn": [GUNICORN, "--version"],
        "uwsgi": [UWSGI, "--version"],
        "php-fpm": [FPM, "-v"],
        "Python": ["/usr/bin/python3", "--version"],
    }
    found = {name: version(command) for name, command in programs.items()}
    return ", ".join(f"{name} {number}" for name, number in found.items() if number)
