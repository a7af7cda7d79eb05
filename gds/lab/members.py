"""The members of etcd: found on the machine, one for each node, and asked how they are."""

from __future__ import annotations

import http.client
import json
import os
import platform
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

from gds.engine.etcd_words import refusal
from gds.lab.network import enter
from gds.lab.place import Lab, LabFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ANSWER = 1.0
"""Seconds for one answer; on one machine it takes milliseconds."""


def found(given: str) -> tuple[str, str]:
    """The program and its version. Raises LabFault."""
    path = given or shutil.which("etcd") or ""
    if not path:
        raise LabFault(
            "cannot find etcd in PATH: install the package etcd-server (in Debian before 12, Fedora and others: etcd),"
            " or name the program with --etcd PATH"
        )
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, env=environment())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabFault(f"cannot run {path}: {error}") from None
    for line in done.stdout.splitlines():
        word, _, version = line.partition(": ")
        if word == "etcd Version":
            why = refusal(version.strip(), True)
            if why:
                raise LabFault(f"cannot use {path}: {why}")
            return os.path.abspath(path), version.strip()
    raise LabFault(f"cannot use {path}: it does not tell its version as etcd does")


def is_old(version: str) -> bool:
    """The engine takes it only when told to."""
    return bool(refusal(version, False))


def environment() -> dict[str, str]:
    """For members and runners: nothing that leads them, or a production node's settings, elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GDS_", "ETCD_", "LISTEN_"))
        and not name.lower().endswith("_proxy")
        and name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    }
    if platform.machine() == "aarch64":
        kept["ETCD_UNSUPPORTED_ARCH"] = "arm64"  # etcd 3.4 asks for this word there
    return kept


def free_ports(count: int) -> list[int]:
    """That many ports of 127.0.0.1 where nobody listens now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


def command(lab: Lab, node: str) -> list[str]:
    """How the member of a node is started; what it had before is in its directory."""

    def peer(name: str) -> str:
        return f"http://{lab.address(name)}:{lab.ports[lab.nodes.index(name)][1]}"

    listen = f"{lab.url(node)},http://127.0.0.1:2379" if lab.net else lab.url(node)
    return [
        *(lab.etcd, "--name", node, "--data-dir", f"{lab.home(node)}/etcd"),
        *("--listen-peer-urls", peer(node), "--initial-advertise-peer-urls", peer(node)),
        *("--listen-client-urls", listen, "--advertise-client-urls", lab.url(node)),
        *("--initial-cluster", ",".join(f"{name}={peer(name)}" for name in lab.nodes)),
        *("--initial-cluster-state", "new", "--initial-cluster-token", "gds-lab"),
        *("--auto-compaction-mode", "revision", "--auto-compaction-retention", "1000"),
        "--pre-vote",  # the default since 3.5: a member that comes back disturbs no leader
    ]


def states(lab: Lab, nodes: Iterable[str]) -> dict[str, str]:
    """Of each member that is asked, from its own network: leader, follower, no leader, or why it does not answer."""
    asked = list(nodes)
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        return dict(zip(asked, pool.map(lambda node: _state(lab, node), asked), strict=True))


def _state(lab: Lab, node: str) -> str:
    # a thread has a network of its own, which ends with it
    try:
        enter(lab, node)
        line = http.client.HTTPConnection(lab.address(node), lab.ports[lab.nodes.index(node)][0], timeout=_ANSWER)
        try:
            line.request("POST", "/v3/maintenance/status", b"{}")
            told = json.loads(line.getresponse().read())
        finally:
            line.close()
    except (OSError, http.client.HTTPException, ValueError, LabFault):
        return "no answer"
    leader = int(told.get("leader", 0))
    if not leader:
        return "no leader"
    return "leader" if leader == int(told["header"]["member_id"]) else "follower"
