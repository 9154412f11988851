"""The servers that are compared, set up as their manuals advise for speed: two workers
each, no access log, keep-alive without an end where there is keep-alive."""

import glob
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKERS = 2
HELLO = b"Hello, World!\n"


def tool(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


NGINX, UWSGI, GUNICORN = tool("nginx"), tool("uwsgi"), tool("gunicorn")
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


class Server:
    """A running server; `needs` are others that work for it and count as its own."""

    def __init__(self, name, folder, command, port, needs=()):
        self.name, self.port = name, port
        self.log = folder / (name.replace(" ", "-").replace("/", "-") + ".log")
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


def alicorn(name, folder, program, target, needs=(), settings=""):
    port = free_port()
    config = folder / f"{name.replace(' ', '-')}.conf"
    config.write_text(f"""
workers = {WORKERS};
loglevel = "warning";
keepalive = 60;
{'user = "root";' if os.getuid() == 0 else ""}
applications: {{ hello: {{ target = "{target}"; bind = "127.0.0.1:{port}"; {settings} }}; }};
""")
    return start(name, folder, [program, "-c", config], port, needs)


def nginx(name, folder, location, needs=(), main="", http="", launcher=()):
    port = free_port()
    config = folder / f"{name.replace(' ', '-')}.nginx"
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config.write_text(f"""
{main}
{"user root root;" if os.getuid() == 0 else ""}
daemon off;
worker_processes {WORKERS};
pid {folder}/{port}.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	{http}
	keepalive_requests 1000000000;
	keepalive_timeout 60;
	{temporary}
	server {{
		listen 127.0.0.1:{port};
		location / {{ {location} }}
	}}
}}
""")
    return start(name, folder, [*launcher, NGINX, "-e", "stderr", "-c", config], port, needs)


def gunicorn(name, folder, *arguments):
    port = free_port()
    return start(name, folder, [
        GUNICORN, "--workers", WORKERS, "--bind", f"127.0.0.1:{port}", "--keep-alive", 60,
        "--log-level", "warning", "--chdir", HERE, *arguments, "hello:application"], port)


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
        "--http-socket-modifier1", 6, "--lua", HERE / "hello.lua"], port)


def uwsgi_socket(name, folder, *arguments):
    path = f"{folder}/uwsgi.sock"
    return Server(name, folder, [UWSGI, "--uwsgi-socket", path, *UWSGI_ARGUMENTS, *arguments],
                  None).wait(path)


def fpm_socket(name, folder):
    path = f"{folder}/fpm.sock"
    (folder / "fpm.conf").write_text(f"""
[global]
error_log = {folder}/fpm-errors.log
[www]
{"user = root" if os.getuid() == 0 else ""}
listen = {path}
pm = static
pm.max_children = {WORKERS}
""")
    return Server(name, folder, [FPM, "-F", "-R", "-y", folder / "fpm.conf"],
                  None).wait(path)


# ---- What is compared with what. begin(needed, function, …) starts a server, or says why
# not: then it returns None. A group's `body` is what "/" answers, if it is not HELLO. ----


def fixed_reply(begin, folder, program):
    begin(program, alicorn, "alicorn, C", folder, program,
          f"c:{program.parent}/apps/fixed.so")
    begin(program, alicorn, "alicorn, C, no relief", folder, program,
          f"c:{program.parent}/apps/fixed.so", settings="relief_after = 0;")
    begin(NGINX, nginx, "nginx, return 200", folder,
          r'default_type text/plain; return 200 "Hello, World!\n";')


def python_hello(begin, folder, program):
    begin(program, alicorn, "alicorn, Python", folder, program, "python:hello:application",
          settings=f'chdir = "{HERE}";')
    begin(GUNICORN, gunicorn, "gunicorn sync", folder)
    begin(GUNICORN, gunicorn, "gunicorn gthread", folder, "--worker-class", "gthread",
          "--threads", 4)
    begin(UWSGI, uwsgi, "uwsgi, http-socket", folder)
    behind = begin(UWSGI and NGINX, uwsgi_socket, "uwsgi behind nginx", folder)
    if behind:
        begin(NGINX, nginx, "nginx + uwsgi", folder, "include /etc/nginx/uwsgi_params; "
              f"uwsgi_pass unix:{folder}/uwsgi.sock;", [behind])


def php_hello(begin, folder, program):
    begin((program.parent / "php.so").exists(), alicorn, "alicorn, PHP", folder, program,
          f"php:{HERE}", settings='index = "hello.php";')
    fpm = begin(FPM, fpm_socket, "php-fpm", folder)
    if not fpm:
        return
    begin(program, alicorn, "alicorn + php-fpm", folder, program,
          f"fcgi:unix:{folder}/fpm.sock", [fpm], f'root = "{HERE}"; index = "hello.php";')
    begin(NGINX, nginx, "nginx + php-fpm", folder, "include /etc/nginx/fastcgi_params; "
          f"fastcgi_param SCRIPT_FILENAME {HERE}/hello.php; "
          f"fastcgi_pass unix:{folder}/fpm.sock;", [fpm])
    # The last of its round, as the connections that it keeps hold php-fpm for a while.
    begin(program, alicorn, "alicorn + php-fpm, kept", folder, program,
          f"fcgi:unix:{folder}/fpm.sock", [fpm],
          f'root = "{HERE}"; index = "hello.php"; workers = 1; '
          f'fcgi_connections = {WORKERS}; fcgi_keepalive = {WORKERS};')


def lua_hello(begin, folder, program):
    for kind, label in ("lua", "Lua 5.4"), ("luajit", "LuaJIT"):
        begin((program.parent / f"{kind}.so").exists(), alicorn, f"alicorn, {label}", folder,
              program, f"{kind}:{HERE}/hello.lua")
    begin(NGINX and NGINX_LUA_MODULES[1].exists(), nginx_lua, "nginx, lua module", folder)
    begin(UWSGI and UWSGI_LUA, uwsgi_lua, "uwsgi, Lua", folder)


def one_in_a_hundred(begin, folder, program):
    """Four workers each; at the most 7,700 requests a second can be had from four."""
    workers, python = "workers = 4;", f'workers = 4; chdir = "{HERE}";'
    begin(program, alicorn, "alicorn, C", folder, program,
          f"c:{program.parent}/apps/fixed.so:with_slow", settings=workers)
    begin(program, alicorn, "alicorn, Python", folder, program, "python:hello:application",
          settings=python)
    begin(program, alicorn, "alicorn, Python, no relief", folder, program,
          "python:hello:application", settings=python + " relief_after = 0;")
    begin(program, alicorn, "alicorn, Python, 4 threads", folder, program,
          "python:hello:application", settings=python + " threads = 4;")
    begin(GUNICORN, gunicorn, "gunicorn gthread", folder, "--workers", 4, "--worker-class",
          "gthread", "--threads", 4)
    begin(UWSGI, uwsgi, "uwsgi, http-socket", folder, "--processes", 4)
    behind = begin(UWSGI and NGINX, uwsgi_socket, "uwsgi behind nginx", folder,
                   "--processes", 4)
    if behind:
        begin(NGINX, nginx, "nginx + uwsgi", folder, "include /etc/nginx/uwsgi_params; "
              f"uwsgi_pass unix:{folder}/uwsgi.sock;", [behind])


def static(size):
    """Files of that size; the body is what all must answer."""
    def group(begin, folder, program):
        root = folder / "root"
        root.mkdir()
        (root / "index.html").write_bytes(group.body)
        begin((program.parent / "files.so").exists(), alicorn, "alicorn, files", folder, program,
              f"files:{root}")
        # nginx heeds tcp_nopush of a server, but not of a location.
        location, http = f"root {root};", "sendfile on; tcp_nopush on;"
        begin(NGINX, nginx, "nginx", folder, location, http=http)
        begin(NGINX, nginx, "nginx, open_file_cache", folder, location,
              http=http + " open_file_cache max=1000; open_file_cache_valid 1s;")

    group.body = bytes(i * i % 251 for i in range(size))
    return group


GROUPS = {
    "A fixed reply": fixed_reply,
    "Python, hello": python_hello,
    "PHP, hello": php_hello,
    "Lua, hello": lua_hello,
    "Static, 1 KB": static(1 << 10),
    "Static, 100 KB": static(100 << 10),
    "Static, 1 MB": static(1 << 20),
    "One call in a hundred sleeps 50 ms": one_in_a_hundred,
}

# What wrk asks, where it is not the same each time.
SCRIPTS = {one_in_a_hundred: HERE / "slow.lua"}
