"""What a lab is: its directory, nodes, addresses and names. Kept as `lab.json`, written before anything is made."""

from __future__ import annotations

import json
import os
import zlib
from ipaddress import IPv4Network

from gds.errors import GdsError
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD = "lab.json"
CLIENT = "client"
"""The name of the place that has no runner and no member of etcd: where a user of the service would be."""
DEFAULT_NET = "192.0.2.0/24"
"""For documentation (RFC 5737): no machine has a route of its own there."""
RESERVED = (CLIENT, "switch", "trial", "page")
"""What else has a name among the nodes' namespaces and directories."""
MOST = 9


class LabFault(GdsError):
    """What was asked cannot be done to this lab. Exit status `code` (design.md 4)."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Lab(Value):
    """`net`: in numbers with a prefix, "" for plain directories. `ports`: of each node's member, for clients and for
    members. `paths`: descriptors, absolute; their own relative paths start at `cwd`. `cgroup`: the directory of the
    lab's cgroup. `page`: of the example."""

    directory: str
    nodes: tuple[str, ...]
    cgroup: str
    net: str = ""
    interface: str = "eth0"
    plain_because: str = ""
    etcd: str = "etcd"
    ports: tuple[tuple[int, int], ...] = ()
    paths: tuple[str, ...] = ()
    page: str = ""
    cwd: str = "/"

    def home(self, node: str) -> str:
        """The directory of a node."""
        return f"{self.directory}/{node}"

    def socket(self, node: str) -> str:
        """Where its runner is asked."""
        return f"{self.directory}/{node}/run/control.sock"

    def cell(self, node: str) -> str:
        """Its cgroup. Never n1: so a runner calls cgroups of its own."""
        return f"{self.cgroup}/node.{node}"

    def namespace(self, node: str) -> str:
        """Of its network."""
        return f"{prefix_of(self.directory)}-{node}"

    def port_of_switch(self, node: str) -> str:
        """Its interface at the switch: 15 characters are too few for a node's name."""
        return "vc" if node == CLIENT else f"v{self.nodes.index(node) + 1}"

    def address(self, node: str) -> str:
        """Of a node or the client; 127.0.0.1 for plain directories."""
        if not self.net:
            return "127.0.0.1"
        return str(IPv4Network(self.net)[250 if node == CLIENT else 101 + self.nodes.index(node)])

    def floating(self) -> str:
        """An address of the lab's network that belongs to no node."""
        return str(IPv4Network(self.net)[10])

    def url(self, node: str) -> str:
        """Its member of etcd, for clients."""
        return f"http://{self.address(node)}:{self.ports[self.nodes.index(node)][0]}"

    def known(self, name: str) -> str:
        """`name`, if it is a node. Raises LabFault."""
        if name not in self.nodes:
            raise LabFault(f"cannot find node {name}; there are {', '.join(self.nodes)}", 4)
        return name

    def networked(self, verb: str) -> None:
        """Refuses what needs networks. Raises LabFault."""
        if not self.net:
            raise LabFault(
                f"cannot {verb}: the nodes of this lab share the machine's network ({self.plain_because}); "
                "`gds lab pause` and `gds lab kill` work without"
            )


def default_directory(environ: Mapping[str, str], euid: int) -> str:
    """/run/gds-lab for root, else $XDG_RUNTIME_DIR/gds-lab, else /tmp/gds-lab-UID."""
    if euid == 0:
        return "/run/gds-lab"
    given = environ.get("XDG_RUNTIME_DIR", "")
    return f"{given.rstrip('/')}/gds-lab" if given.startswith("/") else f"/tmp/gds-lab-{euid}"


def prefix_of(directory: str) -> str:
    """How the names of its namespaces and cgroup begin; those of the lab in the usual place have no number."""
    return "gdslab" if directory == "/run/gds-lab" else f"gdslab{zlib.crc32(os.fsencode(directory)):08x}"


def network_of(text: str) -> str:
    """The lab's network as it was typed, in its usual form. Raises LabFault."""
    try:
        made = IPv4Network(text)
    except ValueError as error:
        raise LabFault(f"cannot use {text} as the lab's network: {error}; write it as 192.0.2.0/24", 2) from None
    if not 8 <= made.prefixlen <= 24:
        raise LabFault(
            f"cannot use {text} as the lab's network: its prefix must be /8 to /24, to have 256 addresses", 2
        )
    return str(made)


def _trust(directory: str) -> None:
    """What is recorded there is done to cgroups and files: it must be our own word. Raises LabFault."""
    try:
        owner = os.stat(directory).st_uid
    except OSError:
        return  # not there: nothing is believed
    if owner != os.geteuid():
        raise LabFault(f"cannot trust {directory}: it belongs to uid {owner}, and only who owns a lab may use it", 77)


def look(directory: str) -> None:
    """A lab may be made in this directory. Raises LabFault."""
    _trust(directory)
    if os.path.exists(f"{directory}/{RECORD}"):
        raise LabFault(f"cannot bring up a lab in {directory}: one is there; gds lab down ends it")
    try:
        if os.listdir(directory):
            raise LabFault(f"cannot use {directory} for a lab: it is not empty")
    except FileNotFoundError:
        pass  # it will be made
    except OSError as error:
        raise LabFault(f"cannot use {directory} for a lab: {error.strerror}") from None


def write(lab: Lab) -> None:
    """Before anything is made. Raises LabFault when a lab is there, also one that was begun this moment."""
    path = f"{lab.directory}/{RECORD}"
    plain = {"schema": 1, **{name: getattr(lab, name) for name in Lab.__fields__ if name != "directory"}}
    try:
        os.makedirs(lab.directory, 0o755, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            json.dump(plain, file, indent=1)
    except FileExistsError:
        raise LabFault(f"cannot bring up a lab in {lab.directory}: one is there; gds lab down ends it") from None
    except OSError as error:
        raise LabFault(f"cannot use {lab.directory} for a lab: {error.strerror}") from None


def read(directory: str) -> Lab:
    """The lab in a directory. Raises LabFault (exit status 4) when there is none."""
    path = f"{directory}/{RECORD}"
    _trust(directory)
    try:
        with open(path, encoding="utf-8") as file:
            plain = json.load(file)
        if plain.pop("schema") != 1:
            raise LabFault(f"cannot use {path}: a newer gds wrote it")
        for name in ("nodes", "paths"):
            plain[name] = tuple(plain[name])
        return Lab(directory=directory, **{**plain, "ports": tuple((a, b) for a, b in plain["ports"])})
    except FileNotFoundError:
        raise LabFault(f"cannot find a lab in {directory}: gds lab up makes one (--dir: in another place)", 4) from None
    except OSError as error:
        raise LabFault(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabFault(f"cannot understand {path}: {error}") from None
