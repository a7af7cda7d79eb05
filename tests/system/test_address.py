"""A group with a LogicalHostname and a server that binds to it, under a runner; a client on another node asks it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.network import Network, Node
from tests.system.running import Running, eventually, write

pytestmark = pytest.mark.slow

FOUR, SIX = "10.77.0.50", "fd77::50"
PORT = 7000
TOP = Path(__file__).parents[2]
SERVER = f"""
import socket, sys
# a name may stand for several addresses: the first is enough here
served = socket.create_server((sys.argv[1], {PORT}))
while True:
    came, _ = served.accept()
    came.sendall(b"here")
    came.close()
"""
SHOP = f"""
[resource.web-ip]
type = "SUNW.LogicalHostname"
group = "shop"
HostnameList = ["{FOUR}", "{SIX}"]
netiflist = ["eth0@a"]
probe_timeout = 5
thorough_probe_interval = 5

[resource.web]
group = "shop"
start_command = {json.dumps([sys.executable, "-c", SERVER, FOUR])}
environment = {{SEEN = "x"}}
stop_timeout = 20
"""
CLIENT = f"import socket, sys; print(socket.create_connection((sys.argv[1], {PORT}), 5).recv(4).decode())"


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    with Network(tmp_path, "a", "client") as made:
        yield made


@pytest.fixture
def shop(net: Network, tmp_path: Path) -> Iterator[Running]:
    """A runner on node a, not yet begun; at the end no address may be left."""
    where = tmp_path / "runner"
    where.mkdir()
    path = write(where / "shop.toml", SHOP)
    made = Running(where, path, wrapper=tuple(net.nodes["a"].inside()), options=("--node", "a"))
    try:
        yield made
    finally:
        made.end()
    assert taken(net.nodes["a"]) == set()


def taken(node: Node) -> set[str]:
    """The addresses of the group that a node has."""
    return {FOUR, SIX} & set(node.addresses())


def answer(net: Network) -> str:
    """What the client gets; empty: nothing."""
    return net.nodes["client"].run(sys.executable, "-c", CLIENT, FOUR).out.strip()


def served(net: Network) -> None:
    """Wait until the client gets an answer: a server without a probe is ONLINE before it listens."""
    assert eventually(lambda: answer(net), "the client gets an answer") == "here"


def pids(runner: Running) -> tuple[int, int]:
    """The watch of the address, and the server."""
    watch = runner.until("web-ip", state="ONLINE")
    server = runner.until("web", state="ONLINE")
    return int(watch["main_pid"]), int(server["main_pid"])


def test_the_address_comes_before_the_server_and_goes_after_it(net: Network, shop: Running) -> None:
    node = net.nodes["a"]
    shop.begin()
    _, server = pids(shop)
    assert taken(node) == {FOUR, SIX}
    served(net)
    assert f"GDS_HOSTNAMES={FOUR},{SIX}".encode() in Path(f"/proc/{server}/environ").read_bytes().split(b"\0")

    assert shop.gds("rg", "offline", "shop").returncode == 0
    assert taken(node) == set()
    assert answer(net) == ""
    told = shop.log()
    assert told.index("web is OFFLINE") < told.index("web-ip is OFFLINE")

    assert shop.gds("rg", "online", "shop").returncode == 0
    pids(shop)
    assert taken(node) == {FOUR, SIX}
    served(net)
    # the second time too, and a change of what may change live takes nothing down
    done = shop.gds("set", "web-ip", "netiflist=")
    assert done.returncode == 0, done.stderr
    assert shop.resource("web-ip")["state"] == "ONLINE"
    assert shop.gds("rg", "offline", "shop").returncode == 0
    assert taken(node) == set()
    refused = shop.gds("set", "web-ip", "start_command=true")
    assert refused.returncode == 78
    assert "brings methods and a probe of its own" in refused.stderr


@pytest.mark.parametrize("phase", ["PREPARING", "STARTING", "ONLINE", "STOPPING"])
def test_a_runner_killed_in_any_phase_leaves_no_address_behind_a_stop(net: Network, shop: Running, phase: str) -> None:
    node = net.nodes["a"]
    shop.begin(wait=phase in ("ONLINE", "STOPPING"))
    if phase == "PREPARING":  # Prenet_start asks the link for a second and a half
        eventually(lambda: shop.answers() and "gds.cli.hostname" in commands_of(shop), "Prenet_start runs")
    elif phase == "STARTING":  # the address is there before Start has announced it
        eventually(lambda: taken(node), "Start has taken the address")
    else:
        pids(shop)
    if phase == "STOPPING":
        asked = shop.gds("rg", "offline", "shop", "--no-wait")
        assert asked.returncode == 0, asked.stderr
    shop.crash()
    shop.begin()
    if phase == "STOPPING":  # the stop that was under way goes on
        shop.until("web-ip", state="OFFLINE")
        assert taken(node) == set()
    else:
        pids(shop)
        assert taken(node) == {FOUR, SIX}
        served(net)
    assert shop.gds("rg", "offline", "shop").returncode == 0, shop.log()
    assert shop.resource("web-ip")["state"] == "OFFLINE"
    assert taken(node) == set()
    assert shop.gds("rg", "online", "shop").returncode == 0, shop.log()
    pids(shop)
    served(net)


def commands_of(runner: Running) -> str:
    """The command lines of all that the runner's processes started."""
    found = ""
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                words = (each / "environ").read_bytes()
                if str(runner.socket).encode() in words:
                    found += (each / "cmdline").read_bytes().replace(b"\0", b" ").decode() + "\n"
            except OSError:
                continue  # it has just ended
    return found


def test_the_example_as_its_first_lines_say(net: Network, tmp_path: Path) -> None:
    node = net.nodes["a"]
    # as a dummy, which not every kernel has: an interface that leads nowhere
    node.ip("link", "add", "gds0", "type", "veth", "peer", "name", "nowhere")
    for each in ("gds0", "nowhere"):
        node.ip("link", "set", each, "up")
    eventually(lambda: '"UP"' in node.ip("-j", "link", "show", "dev", "gds0"), "gds0 has carrier")
    path = tmp_path / "address.toml"
    shutil.copy(TOP / "examples/address.toml", path)
    os.chmod(path, 0o644)
    with Running(tmp_path, str(path), wrapper=tuple(node.inside())) as runner:
        runner.until("web", state="ONLINE")
        done = node.run(sys.executable, "-c", "import urllib.request as u; u.urlopen('http://192.0.2.10:8080/')")
        assert done.status == 0, done.err
        assert set(node.addresses("gds0")) == {"192.0.2.10"}
        assert runner.gds("rg", "offline", "shop").returncode == 0
        assert node.addresses("gds0") == {}
