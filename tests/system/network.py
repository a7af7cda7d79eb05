"""A small network of the test's own: nodes in namespaces, each with `eth0` on one switch (a bridge in a namespace of
its own). Nothing of the machine's network is touched.

A namespace lives as long as the process that holds it, which dies with us: nothing is left behind, whatever happens.
Each node has its own /etc/hosts, in a mount namespace of its own. Needs root, `ip`, `unshare` and `nsenter`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.system.running import eventually

if TYPE_CHECKING:
    from types import TracebackType

HOLDER = "mount --make-rprivate / && mount --bind {hosts} /etc/hosts && ip link set lo up && echo up && exec sleep 1000"


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


class Node:
    """One namespace; `mac` of its eth0."""

    def __init__(self, name: str, where: Path, hosts: str = "") -> None:
        self.name = name
        self.claims = where / f"claims-{name}"
        self.hosts = where / f"hosts-{name}"
        self.hosts.write_text("127.0.0.1 localhost\n" + hosts)
        command = ["setpriv", "--pdeathsig", "KILL", "sh", "-ec", HOLDER.format(hosts=self.hosts)]
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", *command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"
        self.pid = self._holder.pid
        self._started: list[subprocess.Popen[str]] = []

    def inside(self, *command: str) -> list[str]:
        """The command line that runs a command here."""
        return ["nsenter", "-t", str(self.pid), "-n", "-m", "--", *command]

    def run(self, *command: str) -> Done:
        """Run a command here to its end."""
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *command: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command here; it is killed at the end. Its errors come with its output."""
        made = subprocess.Popen(
            self.inside(*command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=env,
        )
        self._started.append(made)
        return made

    def ip(self, *words: str) -> str:
        """`ip WORDS`; it must not fail."""
        done = self.run("ip", *words)
        assert done.status == 0, (words, done.err)
        return done.out

    def hostname(self, method: str, *words: str, resource: str = "web-ip") -> Done:
        """One method of a LogicalHostname here."""
        return self.run(*self.call(method, *words, resource=resource))

    def call(self, method: str, *words: str, resource: str = "web-ip") -> list[str]:
        """The command line of a method."""
        program = [sys.executable, "-P", "-m", "gds.cli.hostname", method, "--resource", resource]
        return [*program, "--node", self.name, "--claims", str(self.claims), *words]

    def addresses(self, interface: str = "eth0") -> dict[str, Any]:
        """What the kernel says of the addresses of an interface, link-local ones left out."""
        shown = json.loads(self.ip("-j", "address", "show", "dev", interface))
        return {each["local"]: each for each in shown[0]["addr_info"] if each["scope"] == "global"}

    @property
    def mac(self) -> str:
        """Of eth0."""
        return str(json.loads(self.ip("-j", "link", "show", "dev", "eth0"))[0]["address"])

    def neighbour(self, address: str) -> str:
        """The MAC that this node knows for an address; empty: none."""
        return str((json.loads(self.ip("-j", "neigh", "show", address)) or [{}])[0].get("lladdr", ""))

    def close(self) -> None:
        """End what was started here, and the namespace."""
        for each in (*self._started, self._holder):
            each.kill()
            each.wait(20)
            for stream in (each.stdin, each.stdout):
                if stream is not None:
                    stream.close()


class Network:
    """A switch and its nodes: `a`, `b` (two nodes of a cluster) and `client`, or those named."""

    def __init__(self, where: Path, *names: str, hosts: str = "") -> None:
        self.switch = Node("switch", where)
        self.nodes = {name: Node(name, where, hosts) for name in names or ("a", "b", "client")}
        self.switch.ip("link", "add", "dev", "br0", "type", "bridge")
        self.switch.ip("link", "set", "br0", "up")
        for number, node in enumerate(self.nodes.values(), 1):
            self.plug(node, "eth0")
            node.ip("address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            node.ip("address", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")

    def plug(self, node: Node, interface: str) -> None:
        """A cable from the switch to a new interface of the node."""
        port = self.port(node, interface)
        peer = ["peer", "name", port, "netns", str(self.switch.pid)]
        node.ip("link", "add", "dev", interface, "type", "veth", *peer)
        self.switch.ip("link", "set", port, "master", "br0", "up")
        node.ip("link", "set", interface, "up")
        eventually(lambda: '"UP"' in node.ip("-j", "link", "show", "dev", interface), f"{interface} has carrier")

    def port(self, node: Node, interface: str = "eth0") -> str:
        """The switch's end of a cable."""
        return f"{node.name}-{interface}"

    def unplug(self, node: Node, interface: str = "eth0") -> None:
        """The node loses carrier."""
        self.switch.ip("link", "set", self.port(node, interface), "down")

    def replug(self, node: Node, interface: str = "eth0") -> None:
        """Carrier again."""
        self.switch.ip("link", "set", self.port(node, interface), "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (*self.nodes.values(), self.switch):
            each.close()
