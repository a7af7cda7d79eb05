"""The cgroup of a node: every process of it is found there, whatever it did to hide. Cgroup v2, no controllers."""

from __future__ import annotations

import os
from errno import EACCES
from signal import SIGKILL

from gds.lab.place import LabFault, prefix_of
from gds.lab.records import wait
from gds.linux import procfs
from gds.linux.cgroupforest import mount_point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 10.0
"""Seconds within which killed processes are gone; the kernel may be writing a core or waiting for a disk."""


def place_for(directory: str) -> str:
    """Where the cgroup of the lab in `directory` belongs: below our own. Raises LabFault when there can be none."""
    mount, own = mount_point(), procfs.cgroup(os.getpid())
    if not mount or not own or own.startswith("/.."):
        raise LabFault(
            "cannot bring up a lab: no cgroup v2 hierarchy is mounted here, and a node of a cluster needs it"
        )
    return f"{mount}{own.rstrip('/')}/{prefix_of(directory)}"


def claim(path: str) -> None:
    """Make it. Raises LabFault when we may not (then runners could not have what they need either), or when an earlier
    lab lives there."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise LabFault(
            f"cannot bring up a lab: {error.strerror}: {path}; be root, or start it with"
            " `systemd-run --user --scope -p Delegate=yes gds lab up`",
            77,
        ) from None
    if pids(path):
        raise LabFault(f"cannot bring up a lab: processes {', '.join(map(str, pids(path)))} are in {path} already")


def make(cell: str) -> None:
    """Ready to be joined."""
    os.makedirs(cell, exist_ok=True)


def join(cell: str) -> None:
    """This process belongs to it from now on. Raises LabFault."""
    try:
        _write(f"{cell}/cgroup.procs", b"0")
    except OSError as error:
        hint = "; brought up in a unit of yours, a lab is used from one: `systemd-run --user --scope gds lab ...`"
        raise LabFault(f"cannot enter {cell}: {error.strerror}" + (hint if error.errno == EACCES else ""), 77) from None


def holds_us(cell: str) -> bool:
    """This process belongs to it, or to a cgroup below."""
    return f"{mount_point()}{procfs.cgroup(os.getpid())}/".startswith(f"{cell}/")


def pids(cell: str) -> list[int]:
    """All processes in it and below; empty when it is gone."""
    found: list[int] = []
    for place in _below(cell):
        found += [int(word) for word in (procfs.read(f"{place}/cgroup.procs", 1 << 20) or b"").split()]
    return found


def kill(cell: str) -> None:
    """Everybody at once, as a power cut; without cgroup.kill (before Linux 5.14) by rounds. Raises LabFault."""
    before = pids(cell)
    if not wait(lambda: _struck(cell), _PATIENCE):
        raise LabFault(f"cannot end processes {', '.join(map(str, pids(cell)))}: killed, and not gone after 10 s")
    # a process leaves its cgroup a moment before it is gone
    wait(lambda: not any(procfs.alive(pid) for pid in before), 1.0)


def _struck(cell: str) -> bool:
    """Nobody is there; else they are told to go."""
    if b"populated 1" not in (procfs.read(f"{cell}/cgroup.events", 256) or b""):
        return True
    try:
        _write(f"{cell}/cgroup.kill", b"1")
    except FileNotFoundError:
        for pid in pids(cell):
            try:
                os.kill(pid, SIGKILL)
            except ProcessLookupError:
                continue
    return False


def freeze(cell: str, frozen: bool) -> None:
    """All of it stands still, or goes on. Raises LabFault."""
    try:
        _write(f"{cell}/cgroup.freeze", b"1" if frozen else b"0")
    except OSError as error:
        raise LabFault(f"cannot {'pause' if frozen else 'resume'}: {error.strerror}: {cell}/cgroup.freeze") from None
    word = b"frozen 1" if frozen else b"frozen 0"
    wait(lambda: word in (procfs.read(f"{cell}/cgroup.events", 256) or word), _PATIENCE)


def is_frozen(cell: str) -> bool:
    """It was told to stand still."""
    return (procfs.read(f"{cell}/cgroup.freeze", 16) or b"0").strip() == b"1"


def remove(cell: str) -> None:
    """It and all below, with who comes in meanwhile. Raises LabFault when somebody is still there."""
    if not wait(lambda: not os.path.isdir(cell) or (_struck(cell) and _removed(cell)), _PATIENCE):
        raise LabFault(f"cannot remove {cell}: processes {', '.join(map(str, pids(cell))) or 'of others'} are in it")


def _removed(cell: str) -> bool:
    for place in reversed(list(_below(cell))):
        try:
            os.rmdir(place)
        except FileNotFoundError:
            continue
        except OSError:
            return False  # still ending
    return not os.path.isdir(cell)


def _below(cell: str) -> Iterator[str]:
    """It and its children, parents first."""
    for place, _, _ in os.walk(cell):
        yield place


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
