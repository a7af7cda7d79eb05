"""How each kind of fault is done, and undone, in the lab. Names are those of faults.KINDS and faults.TRIALS."""

from __future__ import annotations

import os
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.system.cluster import faults
from tests.system.cluster.lab import QUOTA, ClusterLab
from tests.system.cluster.node import Node, kill
from tests.system.running import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


LATE = 8.0
"""Seconds after which nothing asked of etcd happens any more (a member that knows no leader keeps it for 7)."""


class Aim(NamedTuple):
    """Whom it hits. `group`: that of the role ("" when the role is a node's)."""

    lab: ClusterLab
    node: Node
    group: str


class Refused(Exception):
    """The fault could not be done, and why: an operator's command said no."""


class Broken(Exception):
    """The runner did not do what it must, whatever is beating; nothing is left to be undone."""


def nothing() -> None:
    """What heals by itself."""


def perform(kind: str, aim: Aim) -> Callable[[], None]:
    """Do it; what is returned undoes it. Raises Refused, Broken."""
    return _ACTS[kind](aim)


# -- processes of a node ----------------------------------------------------------------------------------------------


def _runner_kill(aim: Aim) -> Callable[[], None]:
    aim.node.signal_runner(signal.SIGKILL)
    return nothing


def _runner_stop(aim: Aim) -> Callable[[], None]:
    aim.node.signal_runner(signal.SIGSTOP)
    return lambda: aim.node.signal_runner(signal.SIGCONT)


def _runner_down(aim: Aim) -> Callable[[], None]:
    aim.node.wanted = False
    aim.node.signal_runner(signal.SIGKILL)
    return aim.node.begin


def _runner_term(aim: Aim) -> Callable[[], None]:
    aim.node.wanted = False
    aim.node.signal_runner(signal.SIGTERM)
    process = aim.node.process
    assert process is not None
    eventually(lambda: process.poll() is not None, f"the runner of {aim.node.name} ends after TERM", 30)
    return aim.node.begin


def _guard(aim: Aim) -> int:
    pid = aim.node.guard()
    if not pid:
        raise Refused(f"there is no guard on {aim.node.name}")
    return pid


def _guard_kill(aim: Aim) -> Callable[[], None]:
    kill([_guard(aim)])
    return nothing


def _guard_pause(aim: Aim) -> Callable[[], None]:
    pid = _guard(aim)
    kill([pid], signal.SIGSTOP)
    return lambda: kill([pid], signal.SIGCONT)


def _runner_and_guard(aim: Aim) -> Callable[[], None]:
    guard = _guard(aim)
    aim.node.wanted = False
    kill([guard])
    aim.node.signal_runner(signal.SIGKILL)
    return aim.node.begin


def _app_kill(aim: Aim) -> Callable[[], None]:
    kill(aim.node.apps(aim.group))
    return nothing


def _app_pause(aim: Aim) -> Callable[[], None]:
    pids = aim.node.apps(aim.group)
    kill(pids, signal.SIGSTOP)
    return lambda: kill(pids, signal.SIGCONT)


def _node_crash(aim: Aim) -> Callable[[], None]:
    aim.node.crash()
    back = _etcd_kill(aim)

    def boot() -> None:
        back()
        aim.node.begin()

    return boot


def _node_freeze(aim: Aim) -> Callable[[], None]:
    aim.node.freeze(True)
    return lambda: aim.node.freeze(False)


def _starve(aim: Aim) -> Callable[[], None]:
    if aim.lab.share is None:
        raise Refused("processor time cannot be rationed here: there is no cgroup v1 hierarchy for it")
    place = aim.lab.share / aim.node.name
    place.mkdir(exist_ok=True)
    (place / "cpu.cfs_period_us").write_text("50000")
    (place / "cpu.cfs_quota_us").write_text("5000")
    _move(aim.node.pids(), place)

    def feed() -> None:
        def fed() -> bool:
            _move([int(word) for word in (place / "cgroup.procs").read_text().split()], place.parent)
            return not (place / "cgroup.procs").read_text()

        eventually(fed, f"nobody is in {place} any more", 10)
        place.rmdir()

    return feed


def _move(pids: Sequence[int], place: Path) -> None:
    for pid in pids:
        try:
            (place / "cgroup.procs").write_text(str(pid))
        except OSError:
            continue  # it has ended


def _ours(aim: Aim) -> list[int]:
    """Processes of gds on that node."""
    apps = aim.node.apps()
    return [pid for pid in aim.node.pids() if pid not in apps]


def _no_more(limit: int, used: Callable[[int], int]) -> Callable[[Aim], Callable[[], None]]:
    """Each process of gds has what it uses now, and gets no more of it until that is undone."""

    def act(aim: Aim) -> Callable[[], None]:
        before = {}
        for pid in _ours(aim):
            soft, hard = before[pid] = resource.prlimit(pid, limit)
            now = used(pid)
            resource.prlimit(pid, limit, (now if soft == resource.RLIM_INFINITY else min(now, soft), hard))

        def undo() -> None:
            for pid, limits in before.items():
                with suppress(ProcessLookupError):  # it has ended, as it may
                    resource.prlimit(pid, limit, limits)

        return undo

    return act


def _descriptors(pid: int) -> int:
    return max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1


def _address_space(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def _no_processes(aim: Aim) -> Callable[[], None]:
    hierarchy = Path("/sys/fs/cgroup/pids")
    if not (hierarchy / "cgroup.procs").exists():
        raise Refused("processes cannot be rationed here: there is no cgroup v1 hierarchy for it")
    place = hierarchy / f"gds-lab-{aim.lab.name}-{aim.node.name}"
    place.mkdir(exist_ok=True)
    _move(_ours(aim), place)
    (place / "pids.max").write_text((place / "pids.current").read_text())

    def undo() -> None:
        (place / "pids.max").write_text("max")

        def out() -> bool:
            _move([int(word) for word in (place / "cgroup.procs").read_text().split()], hierarchy)
            return not (place / "cgroup.procs").read_text()

        eventually(out, f"nobody is in {place} any more", 10)
        place.rmdir()

    return undo


def _twin(aim: Aim) -> Callable[[], None]:
    """A second runner of that name, on another node: it must refuse to be a node, and end."""
    others = [name for name in faults.NODES if name != aim.node.name]
    twin = Node(aim.lab, others[0], called=aim.node.name)
    twin.begin()
    process = twin.process
    assert process is not None
    try:
        deadline = time.monotonic() + 30
        while process.poll() is None:
            aim.lab.sleep(0.05)
            if time.monotonic() > deadline:
                raise Broken(f"a second {aim.node.name} lives for 30 s: {twin.log_path.read_text()[-500:]}")
    finally:
        twin.end()
    return nothing


def _clock_jump(aim: Aim) -> Callable[[], None]:
    if not aim.lab.clocks:
        raise Refused("the lab was brought up without clocks that jump")
    for jump in ("+1h", "-1d"):
        aim.node.clock.write_text(f"{jump}\n")
        aim.lab.sleep(aim.lab.lifetime / 2)
    return lambda: _drop(str(aim.node.clock.write_text("+0\n")))


def _upgrade(aim: Aim) -> Callable[[], None]:
    _command(aim, "upgrade")
    return nothing


# -- etcd -------------------------------------------------------------------------------------------------------------


def _etcd_kill(aim: Aim) -> Callable[[], None]:
    aim.lab.script("kill", aim.node.name, check=False)  # it may be down already, by a fault that goes on
    return lambda: _drop(aim.lab.script("start", aim.node.name))


def _etcd_pause(aim: Aim) -> Callable[[], None]:
    aim.lab.script("pause", aim.node.name, check=False)
    return lambda: _drop(aim.lab.script("resume", aim.node.name, check=False))


def _etcd_majority(aim: Aim) -> Callable[[], None]:
    other = faults.NODES[(faults.NODES.index(aim.node.name) + 1) % 3]
    undo = [_etcd_kill(aim), _etcd_kill(aim._replace(node=aim.lab.nodes[other]))]

    def start() -> None:
        for each in undo:
            each()

    return start


def _late_disk(milliseconds: int) -> Callable[[Aim], Callable[[], None]]:
    def act(aim: Aim) -> Callable[[], None]:
        aim.lab.script("stickdisk", aim.node.name, str(milliseconds))
        return lambda: _drop(aim.lab.script("unstick", aim.node.name))

    return act


def _etcd_upgrade(aim: Aim) -> Callable[[], None]:
    newer = aim.lab.where / "newer"
    aim.lab.script("newer", str(newer))
    for name in faults.NODES:
        aim.lab.script("kill", name)
        aim.lab.script("start", name, str(newer / "usr/bin/etcd"))
        eventually(aim.lab.serves, f"all members serve after {name}", 60)
    return nothing


def _etcd_wipe(aim: Aim) -> Callable[[], None]:
    aim.lab.script("wipe")
    return nothing


def _etcd_full(aim: Aim) -> Callable[[], None]:
    block = "x" * (1 << 20)
    for number in range(3 * QUOTA // len(block)):
        done = aim.lab.ctl("put", f"fill/{number}", stdin=block)
        if "space exceeded" in done.stderr:
            return lambda: _etcd_empty(aim.lab)
    _etcd_empty(aim.lab)
    raise AssertionError("cannot fill etcd: it took more than its quota")


def _etcd_empty(lab: ClusterLab) -> None:
    # removing is permitted to a full store; compaction and defragmentation make the room free
    lab.ctl("del", "--prefix", "fill/")
    told = lab.ctl("endpoint", "status", "-w", "fields").stdout
    revision = max(int(line.split(":")[1]) for line in told.splitlines() if line.startswith('"Revision"'))
    lab.ctl("compact", str(revision))
    lab.ctl("--command-timeout=30s", "defrag")
    for _ in range(2):  # the alarm of each member
        lab.ctl("alarm", "disarm")


def _drop(_text: str) -> None:
    """Nobody reads what the script said."""


# -- the network ------------------------------------------------------------------------------------------------------


def _network(verb: str, *words: str) -> Callable[[Aim], Callable[[], None]]:
    def act(aim: Aim) -> Callable[[], None]:
        more = [faults.NODES[(faults.NODES.index(aim.node.name) + 1) % 3]] if words == ("PEER",) else list(words)
        aim.lab.script(verb, aim.node.name, *more)
        return lambda: _drop(aim.lab.script("heal", aim.node.name))

    return act


# -- operators --------------------------------------------------------------------------------------------------------


def _command(aim: Aim, *words: str) -> None:
    done = aim.node.gds(*words)
    if done.returncode != 0:
        raise Refused(f"gds {' '.join(words)} on {aim.node.name}: {done.returncode}: {done.stderr.strip()[-300:]}")


def other_than(aim: Aim) -> str:
    """The node after this one in the group's nodelist."""
    nodes = faults.GROUPS[aim.group]
    return nodes[(nodes.index(aim.node.name) + 1) % len(nodes)]


def _switch(aim: Aim) -> Callable[[], None]:
    _command(aim, "rg", "switch", aim.group, other_than(aim))
    return nothing


def _switch_where(flag: str) -> Callable[[Aim], Callable[[], None]]:
    """To a node on which the application behaves so."""

    def act(aim: Aim) -> Callable[[], None]:
        there = other_than(aim)
        mark = aim.lab.flags / f"{flag}-{there}"
        mark.touch()
        try:
            aim.node.gds("rg", "switch", aim.group, there)  # whether or not it says that it did not come up there
            eventually(lambda: aim.lab.master(aim.group), f"{aim.group} beats somewhere", 60)
        finally:
            mark.unlink()
        if aim.lab.master(aim.group) == there:
            raise Broken(f"{aim.group} beats on {there}, where it cannot")
        return nothing

    return act


def _switch_deaf(aim: Aim) -> Callable[[], None]:
    deaf = aim.lab.flags / "deaf"
    deaf.touch()
    try:
        _command(aim, "rg", "switch", aim.group, other_than(aim))
    finally:
        deaf.unlink()
    return nothing


def _switch_crash(aim: Aim) -> Callable[[], None]:
    (aim.lab.flags / "deaf").touch()
    return _switch_and_kill(aim, aim.node)


def _switch_crash_there(aim: Aim) -> Callable[[], None]:
    return _switch_and_kill(aim, aim.lab.nodes[other_than(aim)])


def _switch_and_kill(aim: Aim, victim: Node) -> Callable[[], None]:
    """The switch goes on while the fault lasts; its end is the crash. Whatever comes of the switch, it must be one."""
    other = next(node for node in aim.lab.nodes.values() if node is not victim)
    switch = other.begin_gds("rg", "switch", aim.group, other_than(aim))

    def crash() -> None:
        victim.signal_runner(signal.SIGKILL)
        (aim.lab.flags / "deaf").unlink(missing_ok=True)
        other.end_gds(switch, within=60)

    return crash


def _giveover(aim: Aim) -> Callable[[], None]:
    _command(aim, "giveover", aim.group)  # the resource is called like its group
    return nothing


def _kept_off(verb: str) -> Callable[[Aim], Callable[[], None]]:
    def act(aim: Aim) -> Callable[[], None]:
        def resume() -> None:
            if not _resumed(aim):  # the store may be away, by a fault that goes on
                aim.lab.owed.append(lambda: eventually(lambda: _resumed(aim), f"{aim.node.name} is resumed", 60))

        try:
            _command(aim, "node", verb, aim.node.name)
        except Refused:

            def resume_late() -> None:
                aim.lab.sleep(LATE)
                resume()

            aim.lab.owed.append(resume_late)  # it may have happened all the same, or is yet to
            raise
        return resume

    return act


def _resumed(aim: Aim) -> bool:
    """What keeps a node off is the cluster's: any node may be asked to end it."""
    return any(node.gds("node", "resume", aim.node.name).returncode == 0 for node in aim.lab.nodes.values())


_ACTS: dict[str, Callable[[Aim], Callable[[], None]]] = {
    "runner-kill": _runner_kill,
    "runner-pause": _runner_stop,
    "runner-stop": _runner_stop,
    "runner-down": _runner_down,
    "runner-term": _runner_term,
    "guard-kill": _guard_kill,
    "guard-pause": _guard_pause,
    "runner-and-guard": _runner_and_guard,
    "app-kill": _app_kill,
    "app-kill-again": _app_kill,
    "app-pause": _app_pause,
    "node-crash": _node_crash,
    "node-freeze": _node_freeze,
    "starve": _starve,
    "clock-jump": _clock_jump,
    "twin": _twin,
    "upgrade": _upgrade,
    "no-descriptors": _no_more(resource.RLIMIT_NOFILE, _descriptors),
    "no-memory": _no_more(resource.RLIMIT_AS, _address_space),
    "no-processes": _no_processes,
    "etcd-kill": _etcd_kill,
    "etcd-pause": _etcd_pause,
    "etcd-flicker": _etcd_majority,
    "etcd-majority": _etcd_majority,
    "etcd-stuck-disk": _late_disk(12_000),
    "etcd-slow-disk": _late_disk(400),
    "etcd-upgrade": _etcd_upgrade,
    "etcd-wipe": _etcd_wipe,
    "etcd-full": _etcd_full,
    "cut-short": _network("partition"),
    "cut": _network("partition"),
    "cut-pair": _network("partition", "PEER"),
    "oneway": _network("oneway"),
    "loss": _network("loss", "30"),
    "switch": _switch,
    "switch-deaf": _switch_deaf,
    "switch-refused": _switch_where("refuse"),
    "switch-hangs": _switch_where("hang"),
    "switch-crash": _switch_crash,
    "switch-crash-there": _switch_crash_there,
    "giveover": _giveover,
    "evacuate": _kept_off("evacuate"),
    "drain": _kept_off("drain"),
}
KNOWN = frozenset(_ACTS)
"""Every kind that can be performed."""
