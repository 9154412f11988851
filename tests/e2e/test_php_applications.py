"""Real PHP applications in four ways: in process, by php-fpm, by managed php-cgi, and, to
know that the client is right, by nginx and php-fpm."""

import glob
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import ALICORN, SANITIZED, free_port, wait_for

pytest.importorskip("requests")

import php_client  # noqa: E402 (needs requests)

pytestmark = pytest.mark.skipif(SANITIZED, reason="PHP's extensions cannot be opened then")

FPM = (sorted(glob.glob("/usr/sbin/php-fpm*")) or [None])[-1]
CGI, NGINX, MARIADB = map(shutil.which, ("php-cgi", "nginx", "mariadbd"))
SHARE = Path("/usr/share")

# Uploads of some MB, and no messages in pages.
VALUES = {"upload_max_filesize": "20M", "post_max_size": "20M", "display_errors": "0"}

NEEDS = {"process": (ALICORN.parent / "php.so").exists(), "fpm": FPM, "cgi": CGI,
         "nginx": FPM and NGINX}


@pytest.fixture(params=NEEDS)
def way(request):
    if not NEEDS[request.param]:
        pytest.skip(f"{request.param}: not installed")
    return request.param


def needs(path):
    return pytest.mark.skipif(not (SHARE / path).exists(), reason=f"{path} is not installed")


needs_mariadb = pytest.mark.skipif(not MARIADB, reason="mariadb-server is not installed")


@pytest.fixture(scope="module")
def processes():
    """A function that starts a program, which ends with the module."""
    running = []

    def start(*command):
        running.append(subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True))
        return running[-1]

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait()


@pytest.fixture(scope="module")
def short():
    """A folder whose name leaves room for that of a socket."""
    with tempfile.TemporaryDirectory(prefix="alicorn-") as folder:
        yield Path(folder)


AS_ROOT = ["--user=root"] if os.getuid() == 0 else []


@pytest.fixture(scope="module")
def mariadb(short, processes):
    """The socket of a server with the user app and a database for each way."""
    data, socket = short / "data", short / "db.sock"
    subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                    "--auth-root-authentication-method=normal",
                    "--innodb-log-file-size=8M", *AS_ROOT],
                   check=True, stdout=subprocess.DEVNULL)
    processes(MARIADB, "--no-defaults", f"--datadir={data}", f"--socket={socket}",
              "--skip-networking", "--innodb-flush-log-at-trx-commit=0",
              "--innodb-log-file-size=8M", *AS_ROOT)
    wait_for(socket.exists, limit=60, what="mariadb")
    sql = f"CREATE USER app@localhost IDENTIFIED BY '{php_client.PASSWORD}';" + "".join(
        f"CREATE DATABASE {name};" for name in NEEDS) + "GRANT ALL ON *.* TO app@localhost;"
    subprocess.run(["mariadb", "--no-defaults", f"--socket={socket}", "-u", "root", "-e", sql],
                   check=True)
    return socket


@pytest.fixture(scope="module")
def fpm(short, processes):
    """The path of the socket of a php-fpm."""
    user = "user = root\n" if os.getuid() == 0 else ""
    values = "".join(f"php_admin_value[{name}] = {text}\n" for name, text in VALUES.items())
    (short / "fpm.conf").write_text(
        f"[global]\nerror_log = {short}/fpm.log\n[www]\n{user}listen = {short}/fpm.sock\n"
        f"pm = static\npm.max_children = 3\n{values}")
    processes(FPM, "-F", "-R", "-y", short / "fpm.conf")
    wait_for((short / "fpm.sock").exists, what="php-fpm")
    return short / "fpm.sock"


def serve_nginx(folder, root, socket, processes):
    port = free_port()
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""
{"user root root;" if os.getuid() == 0 else ""}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_max_body_size 20m;
    {temporary}
    server {{
        listen 127.0.0.1:{port};
        root {root};
        index index.php;
        location / {{ try_files $uri $uri/ /index.php?$args; }}
        location ~ ^(?<script>.+?\\.php)(?<info>/.*)?$ {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_NAME $script;
            fastcgi_param SCRIPT_FILENAME $document_root$script;
            fastcgi_param PATH_INFO $info;
            fastcgi_param HTTP_HOST $http_host;
            fastcgi_pass unix:{socket};
        }}
    }}
}}
""")
    processes(NGINX, "-e", folder / "nginx.log", "-c", folder / "nginx.conf")
    wait_for((folder / "nginx.pid").exists, what="nginx")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def serve(way, server, request, tmp_path):
    """A function that serves a folder in this way and returns its URL."""
    def start(root, **settings):
        if way == "nginx":
            return serve_nginx(tmp_path, root, request.getfixturevalue("fpm"),
                               request.getfixturevalue("processes"))
        if way == "process":
            app = {"target": f"php:{root}",
                   "php_admin_value": [f"{name}={text}" for name, text in VALUES.items()]}
        elif way == "fpm":
            app = {"target": f"fcgi:unix:{request.getfixturevalue('fpm')}", "root": str(root)}
        else:
            values = " ".join(f"-d {name}={text}" for name, text in VALUES.items())
            app = {"target": f"fcgi-exec:{CGI} {values}", "root": str(root)}
        s = server(apps={"php": {**app, "bind": "127.0.0.1:0", "workers": 3, **settings}})
        return "http://%s:%d" % s.address
    return start


def copy(name, to):
    """A copy of a package's files, with what its links lead to."""
    subprocess.run(["cp", "-rL", SHARE / name, to], check=True)
    return to


@needs("dokuwiki/install.php")
def test_dokuwiki(serve, tmp_path):
    root = copy("dokuwiki", tmp_path / "wiki")
    (root / "inc/preload.php").unlink()
    subprocess.run(["cp", "-rL", "/etc/dokuwiki", root / "conf"], check=True)
    subprocess.run(["cp", "-rL", "/var/lib/dokuwiki/data", root / "data"], check=True)
    for name in "local.php", "users.auth.php", "acl.auth.php", "plugins.local.php":
        (root / "conf" / name).unlink(missing_ok=True)
    settings = root / "conf/dokuwiki.php"
    settings.write_text(settings.read_text().replace("/var/lib/dokuwiki/data", "./data"))
    php_client.dokuwiki(php_client.Browser(serve(root)))


CONFIG = """<?php
define('DB_NAME', '{name}');
define('DB_USER', 'app');
define('DB_PASSWORD', '{password}');
define('DB_HOST', 'localhost:{socket}');
define('DB_CHARSET', 'utf8mb4');
define('WP_HTTP_BLOCK_EXTERNAL', true);
$table_prefix = 'wp_';
define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""

# No theme comes with the package.
THEME = {
    "style.css": "/*\nTheme Name: Plain\n*/\n",
    "index.php": "<?php while (have_posts()) { the_post(); the_content(); } wp_footer();",
}


@needs("wordpress/wp-settings.php")
@needs_mariadb
def test_wordpress(serve, way, mariadb, tmp_path):
    root = copy("wordpress", tmp_path / "blog")
    shutil.rmtree(root / "wp-content")
    theme = root / "wp-content/themes/plain"
    theme.mkdir(parents=True)
    for name, text in THEME.items():
        (theme / name).write_text(text)
    (root / "wp-config.php").write_text(
        CONFIG.format(name=way, password=php_client.PASSWORD, socket=mariadb).replace(
            "$table_prefix", "define('WP_DEFAULT_THEME', 'plain');\n$table_prefix"))
    url = serve(root, script="index.php")
    php_client.wordpress(php_client.Browser(url), sends_files=way in ("process", "nginx"))


@needs("adminer/adminer.php")
@needs_mariadb
def test_adminer(serve, mariadb, tmp_path):
    root = tmp_path / "adminer"
    root.mkdir()
    shutil.copy(SHARE / "adminer/adminer.php", root)
    php_client.adminer(php_client.Browser(serve(root)), mariadb)
