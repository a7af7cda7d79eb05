"""Under which cgroup ours are made on this machine; which of those there are ours, whose each is, and how one goes.

The root is the cgroup that systemd delegated to us, or else one of our own below that in which we were started.
"""

from __future__ import annotations

import os

from gds.errors import EngineError
from gds.linux import procfs

MARK = "user.gds"
"""The extended attribute that says which start of which application a cgroup was made for."""


def find_root(mount: str, ident: str) -> tuple[str, str]:
    """(the cgroup that we came from, the one under which ours are); `ident` tells runners in the same place apart.

    `mount`: where the hierarchy is mounted, "" when it is not. Raises EngineError when there can be no root.
    """
    if not mount:
        raise EngineError("cannot use cgroups: no cgroup v2 hierarchy is mounted")
    own = procfs.cgroup(os.getpid())
    if not own or own.startswith("/.."):
        raise EngineError("cannot use cgroups: our own cgroup is outside of what is mounted here")
    parent = mount + own.rstrip("/")
    above, _, last = parent.rpartition("/")
    if is_ours(last) and (is_delegated(above) or above.endswith(f"/gds-{ident}")):
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


def remove(path: str) -> None:
    """A cgroup that is empty; one that is not stays."""
    try:
        os.rmdir(path)
    except OSError:
        # an application may have made cgroups of its own below; empty ones are ours to remove
        try:
            for entry in os.listdir(path):
                if os.path.isdir(f"{path}/{entry}"):
                    remove(f"{path}/{entry}")
            os.rmdir(path)
        except OSError:
            return  # still somebody there: the next start of the runner looks again


def is_delegated(path: str) -> bool:
    """systemd marks what it leaves to us (platform.md 2)."""
    for mark in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(path, mark) == b"1":
                return True
        except OSError:
            continue
    return False
