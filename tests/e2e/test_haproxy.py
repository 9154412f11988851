"""HAProxy before two hosts, which are network namespaces of this test: it tells them of
clients by the PROXY protocol and asks whether they are ready, and the hosts are restarted,
one after the other, without a failed request."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from conftest import ALICORN, APPS, SANITIZED, wait_for

CTL = ALICORN.parent / "alicornctl"
HOSTS = ("one", "two")
number = itertools.count()


def namespaces_are_allowed():
    name = f"alc{os.getpid()}-try"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
        return False
    subprocess.run(["ip", "netns", "del", name], check=True)
    return True


pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="only root can make network namespaces"),
    pytest.mark.skipif(not all(map(shutil.which, ["haproxy", "ip", "wrk", "curl"])),
                       reason="haproxy, ip, wrk or curl is not installed"),
]


@pytest.fixture
def network():
    """Namespaces: that of the balancer, which has a link to each of the hosts'."""
    if not namespaces_are_allowed():
        pytest.skip("no network namespaces here")
    prefix = f"alc{os.getpid()}-{next(number)}"
    names = {who: f"{prefix}-{who}" for who in ("balancer", *HOSTS)}

    def ip(*words, inside=None):
        place = ["ip", "netns", "exec", inside] if inside else []
        subprocess.run([*place, "ip", *words], check=True)
    try:
        for name in names.values():
            ip("netns", "add", name)
            ip("link", "set", "lo", "up", inside=name)
        for i, host in enumerate(HOSTS):
            ip("link", "add", f"to{i}", "netns", names["balancer"], "type", "veth",
               "peer", "name", "eth0", "netns", names[host])
            ip("addr", "add", f"10.203.{i}.1/24", "dev", f"to{i}", inside=names["balancer"])
            ip("addr", "add", f"10.203.{i}.2/24", "dev", "eth0", inside=names[host])
            ip("link", "set", f"to{i}", "up", inside=names["balancer"])
            ip("link", "set", "eth0", "up", inside=names[host])
        yield names
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def inside(name):
    return ["ip", "netns", "exec", name]


class Balancer:
    """HAProxy in its namespace, on port 8080 there."""

    def __init__(self, folder, name):
        self.name, self.control = name, f"{folder}/haproxy"
        config = folder / "haproxy.cfg"
        servers = "".join(
            f"    server {host} 10.203.{i}.2:8000 send-proxy-v2 check port 8001 inter 200ms"
            " fall 1 rise 2\n" for i, host in enumerate(HOSTS))
        config.write_text(f"""
global
    stats socket {self.control} mode 600
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout check 5s
frontend web
    bind 127.0.0.1:8080
    default_backend hosts
backend hosts
    balance roundrobin
    option redispatch
    option httpchk GET /-/ready
{servers}""")
        self.process = subprocess.Popen([*inside(name), "haproxy", "-db", "-f", config])

    def states(self):
        """UP, DOWN or something between of each host."""
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(self.control)
            except OSError:
                return {}
            s.sendall(b"show stat\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        rows = [line.split(",") for line in text.splitlines()]
        return {row[1]: row[17] for row in rows if row[0] == "hosts" and row[1] in HOSTS}

    def wait(self, host, state):
        wait_for(lambda: self.states().get(host) == state, what=f"{host} {state}")

    def get(self, path):
        done = subprocess.run([*inside(self.name), "curl", "-sS", "--fail",
                               f"http://127.0.0.1:8080{path}"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def balancer(network, tmp_path):
    b = Balancer(tmp_path, network["balancer"])
    yield b
    b.end()


@pytest.fixture
def start(network, server, tmp_path):
    """A function that starts the server of a host."""
    def run(i, host):
        return server(
            launcher=inside(network[host]), control_socket=str(tmp_path / f"{host}.ctl"),
            stop_delay=1, reload_batch=1, apps={
                "web": {"target": f"c:{APPS}/probe.so", "bind": f"10.203.{i}.2:8000",
                        "workers": 2, "proxy_protocol": "v2",
                        "proxy_allow_ips": [f"10.203.{i}.1"]},
                "ready": {"target": "status:", "bind": f"10.203.{i}.2:8001"}})
    return run


def restart(s, i, host, start, balancer):
    """As an operator does: the balancer sees first that the host is to leave."""
    control = s.folder.parent if s.folder.name.isdigit() else s.folder
    stop = subprocess.Popen([CTL, "-s", control / f"{host}.ctl", "stop"], stdout=subprocess.PIPE)
    balancer.wait(host, "DOWN")
    assert stop.wait(60) == 0 and s.wait() == 0
    s = start(i, host)
    balancer.wait(host, "UP")
    return s


def test_rolling_restart(network, start, balancer):
    servers = {host: start(i, host) for i, host in enumerate(HOSTS)}
    for host in HOSTS:
        balancer.wait(host, "UP")
    # The hosts know the client, and where it connected to, which they could not see.
    for _ in range(4):
        seen = balancer.get("/env")
        assert "\nREMOTE_ADDR=127.0.0.1\n" in seen and "\nPROXY_ADDR=127.0.0.1\n" in seen, seen

    wrk = subprocess.Popen(
        [*inside(network["balancer"]), "wrk", "-t1", "-c16", "-d120", "http://127.0.0.1:8080/hello"],
        stdout=subprocess.PIPE, text=True)
    for _ in range(1 if SANITIZED else 2):
        for i, host in enumerate(HOSTS):
            before = servers[host]
            servers[host] = restart(before, i, host, start, balancer)
            assert servers[host].pid != before.pid
    time.sleep(0.5)
    assert wrk.poll() is None
    wrk.send_signal(signal.SIGINT)
    output = wrk.communicate(timeout=60)[0]
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    assert int(re.search(r"(\d+) requests in", output)[1]) > 500, output
