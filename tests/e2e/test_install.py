"""make install, make uninstall, and what the Debian packages take of it."""

import fcntl
import os
import re
import shutil
import subprocess

import pytest

from conftest import ALICORN, AS_USER, SANITIZED, TOP, wait_for
from wire import Client

pytestmark = [
    pytest.mark.skipif(bool(SANITIZED), reason="nobody installs that"),
    pytest.mark.skipif(not (TOP / "Makefile").exists() or shutil.which("make") is None,
                       reason="not a checkout"),
]


def make(*arguments):
    # What make was called with is not for this one.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    # One at a time, and nothing is built: other tests use what is there.
    with open(ALICORN.parent / "install.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", "-C", TOP, "-o", "all", f"BUILD={ALICORN.parent}", *arguments],
            env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """As the packages do it: below a folder, for another place than the default."""
    folder = tmp_path_factory.mktemp("installed")
    make("install", f"DESTDIR={folder}", "PREFIX=/usr")
    yield folder
    make("uninstall", f"DESTDIR={folder}", "PREFIX=/usr")
    assert files(folder) == []


EXPECTED = [
    "bin/alicorn", "bin/alicorn-fcgi", "bin/alicorn-convert", "include/alicorn.h",
    "include/alicorn-hooks.h", "include/alicorn-worker.h", "lib/alicorn/c.so",
    "lib/alicorn/files.so", "lib/systemd/system/alicorn.service",
    "share/pkgconfig/alicorn.pc", "share/man/man8/alicorn.8", "share/man/man5/alicorn.conf.5",
    "share/man/man3/alicorn.3", "share/alicorn/welcome.conf", "share/alicorn/welcome/index.html",
]


def test_all_is_where_it_is_looked_for(installed):
    assert {f"usr/{name}" for name in EXPECTED} <= set(files(installed))
    for page in (TOP / "docs").glob("*.[1-8]"):
        assert (installed / f"usr/share/man/man{page.suffix[1]}" / page.name).exists()
    for binding in ALICORN.parent.glob("*.so"):
        assert (installed / "usr/lib/alicorn" / binding.name).exists()


def test_nothing_names_another_place(installed):
    for name in "lib/systemd/system/alicorn.service", "share/alicorn/welcome.conf":
        assert "/usr/local" not in (installed / "usr" / name).read_text()


def test_the_headers_are_found_and_do_for_an_application(installed, tmp_path):
    flags = subprocess.run(
        ["pkg-config", "--cflags", "alicorn"], capture_output=True, text=True, check=True,
        env={**os.environ, "PKG_CONFIG_PATH": str(installed / "usr/share/pkgconfig"),
             "PKG_CONFIG_SYSROOT_DIR": str(installed),
             "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1"}).stdout.split()
    assert any(f.endswith("/usr/include") for f in flags)
    for source in TOP.glob("conf.d/demo/hello.c"):
        subprocess.run(["cc", "-shared", "-fPIC", f"-I{installed}/usr/include", "-o",
                        tmp_path / "hello.so", source], check=True)


def test_what_is_installed_serves(installed, tmp_path):
    process = subprocess.Popen(
        [installed / "usr/bin/alicorn", *AS_USER, "-b", f"unix:{tmp_path}/s",
         f"files:{installed}/usr/share/alicorn/welcome"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        wait_for((tmp_path / "s").exists, what="the socket")
        with Client(str(tmp_path / "s")) as client:
            assert "Alicorn is running" in client.get("/").text
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_the_first_site_is_a_good_one(installed):
    text = (installed / "usr/share/alicorn/welcome.conf").read_text()
    text = text.replace("/usr/", f"{installed}/usr/").replace('"alicorn"', f'"{os.getuid()}"')
    (installed / "welcome.conf").write_text(text)
    done = subprocess.run(
        [installed / "usr/bin/alicorn", "-c", installed / "welcome.conf", "--check-config"],
        capture_output=True, text=True, timeout=60)
    (installed / "welcome.conf").unlink()
    assert done.returncode == 0, done.stderr


# ---- The packages ------------------------------------------------------------------------


def debian_files():
    return sorted((TOP / "debian").glob("*.install"))


@pytest.mark.parametrize("package", debian_files(), ids=lambda p: p.stem)
def test_a_package_finds_its_files(installed, package):
    # What debian/rules moves.
    moved = {"lib/systemd": "usr/lib/systemd", "etc/alicorn": "usr/share/alicorn/welcome.conf"}
    for line in package.read_text().split():
        for new, old in moved.items():
            line = line.replace(new, old, 1) if line.startswith(new) else line
        if line.endswith(".so") and not ALICORN.with_name(line.rpartition("/")[2]).exists():
            pytest.skip("built without this language")
        assert list(installed.glob(line.removesuffix("/alicorn.service"))), line


def test_a_package_has_each_file(installed):
    """What is installed, and in no package, is so for a reason."""
    taken = [line for p in debian_files() for line in p.read_text().split()]
    taken += ["usr/lib/systemd", "usr/share/alicorn/conf.d", "usr/share/alicorn/welcome.conf"]
    left = [f for f in files(installed) if not f.startswith(tuple(taken))]
    assert left == []


def test_versions_are_one():
    version = re.search(r"^VERSION = (.*)$", (TOP / "Makefile").read_text(), re.M)[1]
    assert (TOP / "debian/changelog").read_text().startswith(f"alicorn ({version}) ")


@pytest.mark.skipif(os.environ.get("ALICORN_PACKAGES") != "full",
                    reason="takes two minutes: ALICORN_PACKAGES=full")
def test_the_packages_are_built_and_accepted(tmp_path):
    if shutil.which("dpkg-buildpackage") is None or shutil.which("lintian") is None:
        pytest.skip("dpkg-dev, debhelper and lintian are not installed")
    make("deb", f"BUILD={tmp_path}/build")
    changes = list((tmp_path / "build/deb").glob("*.changes"))
    done = subprocess.run(["lintian", "--fail-on=error,warning", "--allow-root", *changes],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
