"""What is done to a lab: up, start, kill, pause, resume, partition, heal, down. Each returns what it did, as a line."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys

from gds.api import client
from gds.config import places
from gds.errors import GdsError
from gds.lab import cells, example, keeping, members, network
from gds.lab.place import CLIENT, RECORD, Lab, LabFault, write
from gds.lab.records import recorded, stopped, wait
from gds.lab.records import signal as strike
from gds.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_PATIENCE = 20.0
"""Seconds until a process that was started is there."""
_AGAIN = 15.0
"""Seconds that a runner is given to be a node of the cluster again, when nothing keeps it from that any more."""
_KEPT = ("etcd", "state")
"""Of a node's directory: what lies on its disk, and outlives its power. (Its logs are the lab's.)"""


def build(lab: Lab, settings: Mapping[str, str]) -> None:
    """Everything of a new lab but its nodes' processes. Raises LabFault; then nothing of it is left."""
    write(lab)
    try:
        _build(lab, settings)
    except LabFault:
        down(lab.directory, lab)
        raise


def _build(lab: Lab, settings: Mapping[str, str]) -> None:
    cells.claim(lab.cgroup)
    if lab.page:
        _put(lab.paths[0], example.descriptor(lab))
    ending = [sys.executable, "-P", "-m", "gds", "lab", "kill", "--dir", lab.directory]
    lines = ["[runner]", f"node_abort_command = {json.dumps(f'exec {shlex.join(ending)} $GDS_NODE')}", "[runner.etcd]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    _put(f"{lab.directory}/{keeping.SETTINGS}", "\n".join([*lines, ""]))
    registered = f"{types_of_machine()}/rt"
    for node in lab.nodes:
        os.makedirs(f"{lab.home(node)}/state", 0o755)
        if os.path.isdir(registered):
            shutil.copytree(registered, f"{lab.home(node)}/state/rt")  # types that this machine knows
        cells.make(lab.cell(node))
    cells.make(lab.cell(CLIENT))
    if lab.net:
        network.make(lab)


def types_of_machine() -> str:
    """The state directory of this machine's own runner, for the resource types that are registered in it."""
    return places.state_dir(os.environ.get("GDS_STATE_DIR", ""), os.environ, os.geteuid())


def start(lab: Lab, node: str) -> str:
    """Power on; on a node that has power: what is missing. Raises LabFault."""
    home = lab.home(node)
    if cells.is_frozen(lab.cell(node)):
        raise LabFault(f"cannot start {node}: it is paused; gds lab resume {node}")
    before = {what: procfs.read(f"{home}/{what}.pid") for what in ("keeper", "etcd", "runner")}
    missing = [what for what in before if not recorded(f"{home}/{what}.pid")]
    if "keeper" not in missing:
        strike(f"{home}/keeper.pid", signal.SIGUSR1)
        _await(lab, node, {what: before[what] for what in missing})
        return f"{node}: {' and '.join(missing)} started" if missing else f"{node}: all of it is running"
    cells.kill(lab.cell(node))  # what a keeper that was killed has left
    if lab.net and not os.path.exists(f"{network.NAMESPACES}/{lab.namespace(node)}"):
        network.plug(lab, node)
    null, log = os.open(os.devnull, os.O_RDWR), os.open(f"{home}/keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    argv = [sys.executable, "-P", "-m", "gds.lab.keeping", lab.directory, node]
    actions = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((null, 0), (log, 1), (log, 2))]
    keeper = os.posix_spawn(argv[0], argv, members.environment(), file_actions=actions, setsid=True)
    os.close(null)
    os.close(log)
    _await(lab, node, before, keeper)
    return f"{node}: power on"


def _await(lab: Lab, node: str, before: Mapping[str, bytes | None], keeper: int = 0) -> None:
    """Until these were started at least: each has another record than `before`. `keeper`: a child of ours. Raises
    LabFault with the last words of what was not started."""

    def is_new(what: str) -> bool:
        return procfs.read(f"{lab.home(node)}/{what}.pid") not in (None, before[what])

    for what in before:
        wait(lambda what=what: is_new(what) or (keeper > 0 and not procfs.alive(keeper)), _PATIENCE)  # type: ignore[misc]
        if not is_new(what):
            log = procfs.read(f"{lab.home(node)}/{what}.log") or b"it says nothing"
            said = log.decode(errors="replace").strip().splitlines()[-3:]
            raise LabFault(f"cannot start the {what} of {node}: " + "\n".join(said))


def cut_power(lab: Lab, node: str) -> str:
    """Every process of it at once; nothing is said to anybody. Raises LabFault."""
    if cells.holds_us(lab.cell(node)):
        cells.join(lab.cell(CLIENT))  # typed on the node itself, or by its runner: we are to see the end of it
    ended = len(cells.pids(lab.cell(node)))
    cells.kill(lab.cell(node))
    cells.freeze(lab.cell(node), False)
    if lab.net:
        network.unplug(lab, node)
    for what in ("keeper", "runner", "etcd"):
        _unlink(f"{lab.home(node)}/{what}.pid")
    shutil.rmtree(f"{lab.home(node)}/run", ignore_errors=True)  # the next boot begins with an empty /run
    _recut(lab)
    return f"{node}: power cut ({ended} processes)"


def kill(lab: Lab, node: str, what: str, name: str = "") -> str:
    """SIGKILL to its runner, etcd or guard, or to the main process of an application. Raises LabFault."""
    if what == "runner" and recorded(f"{lab.home(node)}/runner.pid"):
        pid = recorded(f"{lab.home(node)}/runner.pid")
        _kill(lab, node, pid)
        return f"{node}: runner (pid {pid}) killed; it is started again, as systemd would"
    if what == "etcd" and recorded(f"{lab.home(node)}/etcd.pid"):
        pid = recorded(f"{lab.home(node)}/etcd.pid")
        _kill(lab, node, pid)
        return f"{node}: etcd (pid {pid}) killed; gds lab start {node} starts it again"
    if what == "guard":
        for place, _, _ in os.walk(lab.cell(node)):
            for pid in cells.pids(place) if place.endswith("/guard") else ():
                _kill(lab, node, pid)
                return f"{node}: guard (pid {pid}) killed; the runner starts another"
    if what == "app":
        pid = _application(lab, node, name)
        _kill(lab, node, pid)
        return f"{node}: {name} (pid {pid}) killed"
    raise LabFault(f"cannot kill the {what} of {node}: it is not running", 3)


def _kill(lab: Lab, node: str, pid: int) -> None:
    if pid not in cells.pids(lab.cell(node)):
        raise LabFault(f"cannot kill process {pid}: it is none of {node}")
    os.kill(pid, signal.SIGKILL)
    wait(lambda: not procfs.alive(pid), 5.0)


def _application(lab: Lab, node: str, name: str) -> int:
    answer = client.ask(lab.socket(node), {"verb": "status", "names": [name]}, timeout=10.0)
    if answer["code"]:
        raise LabFault(str(answer["message"]), int(answer["code"]))
    for group in answer["status"]["groups"]:
        for resource in group["resources"]:
            if resource["name"] == name and resource["pids"]:
                return int(resource["main_pid"] or resource["pids"][0])
    raise LabFault(f"cannot kill {name}: it has no process on {node}", 3)


def pause(lab: Lab, node: str, what: str = "") -> str:
    """The whole node stands still and answers nothing, or one process of it does. Raises LabFault."""
    if what:
        pid = strike(f"{lab.home(node)}/{what}.pid", signal.SIGSTOP)
        if not pid:
            raise LabFault(f"cannot pause the {what} of {node}: it is not running", 3)
        return f"{node}: {what} (pid {pid}) stopped; gds lab resume {node}"
    if not recorded(f"{lab.home(node)}/keeper.pid"):
        raise LabFault(f"cannot pause {node}: it has no power", 3)
    cells.freeze(lab.cell(node), True)
    # its processes stand still, but the kernel would still answer for its addresses
    _recut(lab)
    return f"{node}: frozen, with everything on it; gds lab resume {node}"


def resume(lab: Lab, node: str) -> str:
    """All of it goes on. Raises LabFault."""
    was = cells.is_frozen(lab.cell(node))
    if was:
        cells.freeze(lab.cell(node), False)
        _recut(lab)
    woken = [what for what in ("runner", "etcd") if stopped(recorded(f"{lab.home(node)}/{what}.pid"))]
    for what in woken:
        strike(f"{lab.home(node)}/{what}.pid", signal.SIGCONT)
    if not was and not woken:
        return f"{node}: was not paused"
    return f"{node}: {', '.join(woken) or 'all of it'} goes on" + _again(lab, [node])


def partition(lab: Lab, nodes: list[str]) -> str:
    """One node from all others, or two from each other. Raises LabFault."""
    lab.networked("partition")
    wanted = network.cuts(lab)
    if not any(sorted(each) == sorted(nodes) for each in wanted):
        network.cut(lab, [*wanted, nodes], _silent(lab))
    others = "all others and the client" if len(nodes) == 1 else nodes[1]
    return f"{nodes[0]}: cut off from {others}; gds lab heal {nodes[0]}"


def heal(lab: Lab, node: str) -> str:
    """No packet of `node` is lost any more ("": of nobody). Raises LabFault."""
    lab.networked("heal")
    network.cut(lab, [each for each in network.cuts(lab) if node and node not in each], _silent(lab))
    said = f"{node}: not cut off any more" if node else "nothing is cut off any more"
    return said + _again(lab, [node] if node else lab.nodes)


def _again(lab: Lab, nodes: Iterable[str]) -> str:
    """Waits until what runs there has heard of the cluster again, so that what it says next is so. Else a half-sentence
    about who has not: a store without a majority may be why."""

    def is_back(node: str) -> bool:
        cluster = (identity(lab, node) or {}).get("cluster") or {}
        return bool(cluster.get("member")) and cluster["may_run_seconds"] > 0 and not cluster["away"]

    up = [node for node in nodes if _may_run(lab, node) and [node] not in network.cuts(lab)]
    wait(lambda: all(map(is_back, up)), _AGAIN)
    late = [node for node in up if not is_back(node)]
    return f"; {', '.join(late)} is no node of the cluster again yet" if late else ""


def _may_run(lab: Lab, node: str) -> bool:
    """Its etcd can answer, and its runner, or the one that its keeper starts after it."""
    pids = [recorded(f"{lab.home(node)}/{what}.pid") for what in ("keeper", "etcd")]
    there = all(pid and not stopped(pid) for pid in pids) and not cells.is_frozen(lab.cell(node))
    return there and not stopped(recorded(f"{lab.home(node)}/runner.pid"))


def _silent(lab: Lab) -> list[str]:
    return [node for node in lab.nodes if cells.is_frozen(lab.cell(node))]


def _recut(lab: Lab) -> None:
    if lab.net and shutil.which("nft"):
        network.cut(lab, network.cuts(lab), _silent(lab))


def down(directory: str, lab: Lab | None) -> str:
    """Nothing of it is left. `lab`: None when its record is gone or was never written. Raises LabFault."""
    if lab is not None:
        cells.kill(lab.cgroup)
        cells.remove(lab.cgroup)
    spaces = network.remove(directory)
    if lab is None:
        return f"no lab is in {directory}" + (f"; {len(spaces)} network namespaces removed" if spaces else "")
    for entry in sorted(os.listdir(directory)):
        if entry != RECORD:
            path = f"{directory}/{entry}"
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else _unlink(path)
    _unlink(f"{directory}/{RECORD}")  # the last: until then it says what else there is
    try:
        os.rmdir(directory)
    except OSError as error:
        raise LabFault(f"cannot remove {directory}: {error.strerror}") from None
    return f"the lab in {directory} is gone: {', '.join(lab.nodes)}"


def identity(lab: Lab, node: str) -> dict[str, Any] | None:
    """What a runner says of itself, its cluster and its groups; None when it does not answer."""
    if stopped(recorded(f"{lab.home(node)}/runner.pid")) or cells.is_frozen(lab.cell(node)):
        return None
    try:
        answer = client.ask(lab.socket(node), {"verb": "status", "names": []}, timeout=5.0)
    except GdsError:
        return None
    status: dict[str, Any] | None = answer.get("status")
    return status


def _put(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # it never came so far
