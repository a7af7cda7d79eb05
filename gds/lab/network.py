"""The lab's network: a switch in a namespace of its own, and a namespace for each node and the client.

None has a default route, and the machine itself is not on the switch: nothing leaves the machine, and labs of the same
addresses stand side by side. Partitions are rules of the switch, made anew from what is recorded.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess

from gds.lab.place import CLIENT, Lab, LabFault, prefix_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAMESPACES = "/run/netns"
_CLONE_NEWNET = 0x40000000
_SWITCH = "switch"
_CUTS = "cuts.json"


def missing(directory: str) -> str:
    """Why there can be no networks here, by a trial; "" when there can."""
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which("ip"):
        return "the command ip is missing: package iproute2"
    trial = f"{prefix_of(directory)}-trial"
    try:
        _ip("netns", "add", trial)
        _ip("netns", "del", trial)
    except LabFault as error:
        return str(error)
    return ""


def make(lab: Lab) -> None:
    """The switch, the nodes' namespaces and the client's. Raises LabFault."""
    switch = lab.namespace(_SWITCH)
    _ip("netns", "add", switch)
    _ip("-n", switch, "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0")
    _ip("-n", switch, "link", "set", "br0", "up")
    for node in (*lab.nodes, CLIENT):
        plug(lab, node)


def plug(lab: Lab, node: str) -> None:
    """A namespace, and the cable from its interface to the switch. Raises LabFault."""
    space, switch, port = lab.namespace(node), lab.namespace(_SWITCH), lab.port_of_switch(node)
    width = lab.net.rpartition("/")[2]
    _ip("netns", "add", space)
    _ip("-n", space, "link", "set", "lo", "up")
    _ip("link", "add", port, "netns", switch, "type", "veth", "peer", "name", lab.interface, "netns", space)
    _ip("-n", switch, "link", "set", port, "master", "br0", "up")
    _ip("-n", space, "address", "add", f"{lab.address(node)}/{width}", "dev", lab.interface)
    _ip("-n", space, "link", "set", lab.interface, "up")


def unplug(lab: Lab, node: str) -> None:
    """The cable and the namespace: a kernel without power answers for no address. Raises LabFault."""
    if os.path.exists(f"{NAMESPACES}/{lab.namespace(node)}"):
        # a namespace ends some time after its name; the cable must be gone before there is another
        _ip("-n", lab.namespace(_SWITCH), "link", "del", lab.port_of_switch(node))
        _ip("netns", "del", lab.namespace(node))


def remove(directory: str) -> list[str]:
    """Every namespace of the lab in that directory, by its name; the names. Raises LabFault."""
    before = prefix_of(directory) + "-"
    try:
        names = sorted(os.listdir(NAMESPACES))
    except FileNotFoundError:
        return []
    ours = [name for name in names if name.startswith(before)]
    for name in ours:
        _ip("netns", "del", name)
    return ours


def enter(lab: Lab, node: str) -> None:
    """This thread sees that node's network from now on. Raises LabFault."""
    if not lab.net:
        return
    path = f"{NAMESPACES}/{lab.namespace(node)}"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LabFault(f"cannot enter the network of {node}: {error.strerror}: {path}") from None
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET):
            raise LabFault(f"cannot enter the network of {node}: {os.strerror(ctypes.get_errno())}", 77)
    finally:
        os.close(fd)


# -- partitions -------------------------------------------------------------------------------------------------------


def cuts(lab: Lab) -> list[list[str]]:
    """What is cut: [node] from all, [node, node] from each other."""
    try:
        with open(f"{lab.directory}/{_CUTS}", encoding="utf-8") as file:
            found: list[list[str]] = json.load(file)
            return found
    except FileNotFoundError:
        return []


def cut(lab: Lab, wanted: list[list[str]], silent: Iterable[str]) -> None:
    """From now on exactly this is cut, and what is `silent`: nodes that are frozen answer nothing. Raises LabFault."""
    whole = [lab.port_of_switch(each[0]) for each in wanted if len(each) == 1]
    whole += [lab.port_of_switch(node) for node in silent]
    pairs = [[lab.port_of_switch(node) for node in each] for each in wanted if len(each) == 2]
    rules = ["add table bridge lab", "delete table bridge lab"]
    if whole or pairs:
        rules += [
            "add table bridge lab",
            "add chain bridge lab pass { type filter hook forward priority 0; }",
            *[f'add rule bridge lab pass {way} "{port}" drop' for port in whole for way in ("iifname", "oifname")],
            *[f'add rule bridge lab pass iifname "{a}" oifname "{b}" drop' for p in pairs for a, b in (p, p[::-1])],
        ]
    if not shutil.which("nft"):
        raise LabFault("cannot cut or heal a network: the command nft is missing: package nftables")
    enter_switch = ["ip", "netns", "exec", lab.namespace(_SWITCH), "nft", "-f", "-"]
    _run(enter_switch, "\n".join(rules) + "\n")
    path = f"{lab.directory}/{_CUTS}"
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(wanted, file)
    os.replace(path + ".new", path)


def _ip(*words: str) -> None:
    _run(["ip", *words])


def _run(argv: list[str], text: str = "") -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit status {done.returncode}"
        raise LabFault(f"cannot change the lab's network: {' '.join(argv)}: {said}")
