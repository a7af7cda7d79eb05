"""Under which cgroup ours are made on this machine; which of those there are ours, whose each is, and how one goes.

The root is the cgroup that systemd delegated to us, or else one of our own below that in which we were started.
"""

from __future__ import annotations

import os

from gds.errors import EngineError
from gds.linux import procfs

MARK = "user.gds"
"""The extended attribute that says which start of which application a cgroup was made for."""
_CHILDLESS = 2
"""Links of a directory of the cgroup file system that has none below it."""


def find_root(mount: str, ident: str, again: bool = False) -> tuple[str, str]:
    """(the cgroup that we came from, the one under which ours are); `ident` tells runners in the same place apart.

    `mount`: where the hierarchy is mounted, "" when it is not. `again`: a runner was in this same process before us.
    Raises EngineError when there can be no root.
    """
    if not mount:
        raise EngineError("cannot use cgroups: no cgroup v2 hierarchy is mounted")
    own = procfs.cgroup(os.getpid())
    if not own or own.startswith("/.."):
        raise EngineError("cannot use cgroups: our own cgroup is outside of what is mounted here")
    parent = mount + own.rstrip("/")
    above, _, last = parent.rpartition("/")
    theirs = not again and whose_is(parent) is not None  # another runner's: we are one of its applications
    if is_ours(last) and not theirs and (is_delegated(above) or above.endswith(f"/gds-{ident}")):
        # the same process in new clothes: it is still in a cgroup of ours
        parent = above.removesuffix(f"/gds-{ident}")
    return parent, parent if is_delegated(parent) else f"{parent}/gds-{ident}"


def is_ours(entry: str) -> bool:
    """The runner gave a cgroup this name, for itself and then for an application."""
    return entry[:1] == "n" and entry[1:].isdigit()


def whose_is(path: str) -> tuple[str, int] | None:
    """(name, incarnation) of the application a cgroup was made for."""
    try:
        incarnation, _, name = os.getxattr(path, MARK).decode().partition(" ")
        return name, int(incarnation)
    except (OSError, ValueError):
        return None


def subtree(path: str) -> list[str]:
    """The cgroup and those that its application made below it, each before what is below it: who moves down while
    they are read in this order is met. Without any below it costs one system call."""
    found = [path]
    for each in found:
        try:
            if os.stat(each).st_nlink != _CHILDLESS:
                with os.scandir(each) as entries:
                    found += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # removed meanwhile
    return found


def members(path: str) -> list[int]:
    """The pids in the whole of it, each once."""
    found: dict[int, None] = {}
    for each in subtree(path):
        data = procfs.read(each + "/cgroup.procs", 1 << 20)
        if data:
            found.update(dict.fromkeys(map(int, data.split())))
    return list(found)


def remove(path: str) -> None:
    """A cgroup that is empty, with those that an application made below it; one that is not empty stays."""
    try:
        os.rmdir(path)
    except OSError:
        for each in reversed(subtree(path)):
            try:
                os.rmdir(each)
            except OSError:
                continue  # still somebody there: the next start of the runner looks again


def remove_below(path: str) -> None:
    """What is empty below a cgroup that stays."""
    for each in reversed(subtree(path)[1:]):
        try:
            os.rmdir(each)
        except OSError:
            continue  # still somebody there


def is_delegated(path: str) -> bool:
    """systemd marks what it leaves to us (platform.md 2)."""
    for mark in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(path, mark) == b"1":
                return True
        except OSError:
            continue
    return False
