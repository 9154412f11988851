"""What is compared with what. `begin(needed, function, name, …)` starts a server, or says
why not: then it returns None."""

from dataclasses import dataclass
from typing import Callable

from servers import (FPM, GUNICORN, HELLO, HERE, LIGHTTPD, NGINX, NGINX_LUA_MODULES, UWSGI,
                     UWSGI_LUA, alicorn, alicorn_routes, fpm_socket, gunicorn, lighttpd,
                     nginx, nginx_lua, uwsgi, uwsgi_lua, uwsgi_socket)

MEGABYTE = 1 << 20
CHILDREN = 40  # of php-fpm where each connection of nginx is kept: one each, and some
NGINX_HELLO = r'default_type text/plain; return 200 "Hello, World!\n";'
UWSGI_PARAMS = "include /etc/nginx/uwsgi_params; "
FASTCGI_PARAMS = ("include /etc/nginx/fastcgi_params; "
                  f"fastcgi_param SCRIPT_FILENAME {HERE}/hello.php; ")


@dataclass(eq=False)
class Group:
    """A table: its servers, what "/" answers, how wrk and openloop ask, and the requests a
    second of the latter; 0: not at all."""
    title: str
    start: Callable
    rate: int = 5000
    body: bytes = HELLO
    wrk: tuple = ()
    openloop: tuple = ()


def fixed(program, entry=""):
    return f"c:{program.parent}/apps/fixed.so{entry}"


def python_servers(begin, folder, program, settings="", threads=4, processes=()):
    """All that run hello.py; processes: as options of both, if there are not two."""
    begin((program.parent / "python.so").exists(), alicorn, "alicorn, Python", folder,
          program, "python:hello:application", settings=f'chdir = "{HERE}"; {settings}')
    begin(GUNICORN, gunicorn, "gunicorn gthread", folder, "--worker-class", "gthread",
          "--threads", threads, *(["--workers", processes] if processes else []))
    more = ["--processes", processes] if processes else []
    begin(UWSGI, uwsgi, "uwsgi, http-socket", folder, *more)
    behind = begin(UWSGI and NGINX, uwsgi_socket, "uwsgi behind nginx", folder, *more)
    if behind:
        begin(NGINX, nginx, "nginx + uwsgi", folder,
              UWSGI_PARAMS + f"uwsgi_pass unix:{behind.path};", [behind],
              http="client_max_body_size 10m; client_body_buffer_size 2m;")


def fixed_reply(begin, folder, program):
    begin(program, alicorn, "alicorn, C", folder, program, fixed(program))
    begin(program, alicorn, "alicorn, C, no ids", folder, program, fixed(program),
          settings='request_id_header = "none";')
    begin(program, alicorn, "alicorn, C, access log", folder, program, fixed(program),
          settings=f'accesslog = "{folder}/access.log";')
    begin(NGINX, nginx, "nginx, return 200", folder, NGINX_HELLO)
    begin(NGINX, nginx, "nginx, access log", folder,
          NGINX_HELLO + f" access_log {folder}/nginx.log combined buffer=64k flush=1s;")


def python_hello(begin, folder, program):
    python_servers(begin, folder, program)
    begin(GUNICORN, gunicorn, "gunicorn sync", folder)


def php_hello(begin, folder, program):
    begin((program.parent / "php.so").exists(), alicorn, "alicorn, PHP", folder, program,
          f"php:{HERE}", settings='index = "hello.php";')
    fpm = begin(FPM, fpm_socket, "php-fpm", folder)
    if not fpm:
        return
    settings = f'root = "{HERE}"; index = "hello.php";'
    begin(program, alicorn, "alicorn + php-fpm", folder, program, f"fcgi:unix:{fpm.path}",
          [fpm], settings)
    begin(NGINX, nginx, "nginx + php-fpm", folder,
          FASTCGI_PARAMS + f"fastcgi_pass unix:{fpm.path};", [fpm])


def php_kept(begin, folder, program):
    """Connections to php-fpm are kept. One holds a process of it for as long, and nginx has
    no limit of them: for it there is a process for each that its clients can make it open."""
    few = begin(FPM, fpm_socket, "php-fpm", folder)
    many = begin(FPM and NGINX, fpm_socket, "php-fpm of nginx", folder, CHILDREN)
    if few:
        begin(program, alicorn, "alicorn + php-fpm, kept", folder, program,
              f"fcgi:unix:{few.path}", [few],
              f'root = "{HERE}"; index = "hello.php"; workers = 1; fcgi_connections = 2; '
              'fcgi_keepalive = 2;')
    if many:
        begin(NGINX, nginx, f"nginx + php-fpm ({CHILDREN}), kept", folder,
              FASTCGI_PARAMS + "fastcgi_pass fpm; fastcgi_keep_conn on;", [many],
              http=f"upstream fpm {{ server unix:{many.path}; keepalive {CHILDREN // 2}; }}")


def lua_hello(begin, folder, program):
    for kind, label in ("lua", "Lua 5.4"), ("luajit", "LuaJIT"):
        begin((program.parent / f"{kind}.so").exists(), alicorn, f"alicorn, {label}", folder,
              program, f"{kind}:{HERE}/hello.lua")
    begin(NGINX and NGINX_LUA_MODULES[1].exists(), nginx_lua, "nginx, lua module", folder)
    begin(UWSGI and UWSGI_LUA, uwsgi_lua, "uwsgi, Lua", folder)


def static(size):
    """Files of that size."""
    body = bytes(i * i % 251 for i in range(1024)) * (size // 1024)

    def start(begin, folder, program):
        root = folder / "root"
        root.mkdir()
        (root / "index.html").write_bytes(body)
        begin((program.parent / "files.so").exists(), alicorn, "alicorn, files", folder, program,
              f"files:{root}")
        # nginx heeds tcp_nopush of a server, but not of a location.
        begin(NGINX, nginx, "nginx, open_file_cache", folder, f"root {root};",
              http="sendfile on; tcp_nopush on; open_file_cache max=1000; "
                   "open_file_cache_valid 1s;")
        begin(LIGHTTPD, lighttpd, "lighttpd", folder, root)
    return {"start": start, "body": body}


def uploads(begin, folder, program):
    settings = "limit_request_body = 10000000; body_buffer_size = 2000000;"
    begin(program, alicorn, "alicorn, C", folder, program, fixed(program, ":with_body"),
          settings=settings)
    python_servers(begin, folder, program, settings)
    begin(GUNICORN, gunicorn, "gunicorn sync", folder)


def one_in_a_hundred(begin, folder, program):
    """Four workers each: 8,000 requests a second are all that four can do that sleep for
    half a millisecond in the mean."""
    begin(program, alicorn, "alicorn, C", folder, program, fixed(program, ":with_slow"),
          settings="workers = 4;")
    python = f'workers = 4; chdir = "{HERE}";'
    begin(program, alicorn, "alicorn, Python, no relief", folder, program,
          "python:hello:application", settings=python + " relief_after = 0;")
    begin(program, alicorn, "alicorn, Python, 4 threads", folder, program,
          "python:hello:application", settings=python + " threads = 4;")
    python_servers(begin, folder, program, "workers = 4;", processes=4)


def new_connections(begin, folder, program):
    begin(program, alicorn, "alicorn, C", folder, program, fixed(program))
    begin(NGINX, nginx, "nginx, return 200", folder, NGINX_HELLO)
    python_servers(begin, folder, program)
    begin(GUNICORN, gunicorn, "gunicorn sync", folder)


def pipelined(begin, folder, program):
    begin(program, alicorn, "alicorn, C", folder, program, fixed(program))
    begin((program.parent / "python.so").exists(), alicorn, "alicorn, Python", folder,
          program, "python:hello:application", settings=f'chdir = "{HERE}";')
    begin(NGINX, nginx, "nginx, return 200", folder, NGINX_HELLO)


def routed(begin, folder, program):
    """The same hello, by more and more to decide. A direct site has one application, whose
    own workers accept; a front sends connections to the applications."""
    app = fixed(program)
    many = [f'{{ path = "/old-{i}/*"; status = 410; }}' for i in range(1000)]
    begin(program, alicorn, "its own address", folder, program, app)
    begin(program, alicorn_routes, "a direct site, 2 routes", folder, program, [app],
          [many[0], '{ app = "a"; }'])
    begin(program, alicorn_routes, "a direct site, 1,000 routes", folder, program, [app],
          [*many, '{ app = "a"; }'])
    two = [app, app], ['{ path = "/b/*"; app = "b"; }', '{ app = "a"; }']
    begin(program, alicorn_routes, "a front, kept on one application", folder, program, *two)
    begin(program, alicorn_routes, "a front, 100 routes", folder, program, two[0],
          many[:98] + two[1])
    turns = begin(program, alicorn_routes, "a front, applications by turns", folder, program,
                  *two)
    if turns:
        turns.wrk = ("-s", HERE / "alternate.lua")
        turns.rate = 0
    locations = "".join(f"location /old-{i}/ {{ return 410; }} " for i in range(1000))
    begin(NGINX, nginx, "nginx, 1,000 locations", folder,
          locations + f"location / {{ {NGINX_HELLO} }}")


GROUPS = [
    Group("Hello, a fixed reply", fixed_reply),
    Group("Python", python_hello),
    Group("PHP", php_hello),
    Group("PHP, connections to php-fpm kept", php_kept),
    Group("Lua", lua_hello),
    Group("Static, 1 KB", **static(1 << 10)),
    Group("Static, 100 KB", **static(100 << 10), rate=2000),
    Group("Static, 10 MB", **static(10 << 20), rate=50),
    Group("Uploads of 1 MB", uploads, rate=200, wrk=("-s", HERE / "upload.lua"),
          openloop=("-b", MEGABYTE)),
    Group("One call in a hundred sleeps 50 ms", one_in_a_hundred, rate=4000,
          wrk=("-s", HERE / "slow.lua"), openloop=("-s", "/slow")),
    Group("A connection for each request", new_connections, rate=2000,
          wrk=("-H", "Connection: close"), openloop=("-f", "Connection: close")),
    Group("Sixteen requests at a time", pipelined, rate=0,
          wrk=("-s", HERE / "pipeline.lua")),
    Group("Routes", routed),
]
