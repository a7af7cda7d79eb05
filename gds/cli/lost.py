"""Runners that are gone and did not end in order: killed, or ended by a defect. One that ends in order takes its socket
with it; one that is gone leaves it behind, with the lock that nobody holds and the file of what it ran.

What it ran may still run, so nobody may take it for stopped, nor for what another runner calls by the same name.
"""

from __future__ import annotations

import json
import os
import stat

from gds.api.client import NoRunner

_FLOCK = "hhlli"
"""struct flock, in the alignment of the machine."""
MOST_NAMED = 5


class Lost(NoRunner):
    """Such a runner. `names`: its resources and groups, as far as that may be read here."""

    def __init__(self, path: str, names: set[str], resources: list[str]) -> None:
        ran = ", ".join(resources[:MOST_NAMED])
        if len(resources) > MOST_NAMED:
            ran += f" and {len(resources) - MOST_NAMED} more"
        what = f"what it had ({ran})" if ran else "what it ran"
        super().__init__(
            f"cannot reach the runner at {path}: it is gone, and did not end in order; {what} may still run: start that"
            " runner again (or remove its socket, when nothing of it is left)"
        )
        self.path = path
        self.names = names


def at(path: str) -> Lost | None:
    """The runner that listened at this socket, where nobody answers now. None: it ended in order meanwhile, the machine
    has booted since, so that nothing of it runs, or a runner has the place and is about to listen."""
    directory = os.path.dirname(path)
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode) or _is_held(f"{directory}/lock"):
            return None
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        with open(f"{directory}/state.log", "rb") as file:
            records = [_parsed(line) for line in file]
    except FileNotFoundError:
        return Lost(path, set(), []) if os.path.exists(path) else None
    except OSError:
        return Lost(path, set(), [])
    if any(record.get("boot", boot) != boot for record in records[:1]):
        return None
    resources = list(dict.fromkeys([str(record["resource"]) for record in records if "resource" in record]))
    groups = {str(record["group"]) for record in records if "group" in record}
    return Lost(path, {*resources, *groups}, resources)


def _is_held(path: str) -> bool:
    """Somebody has the lock of that directory."""
    import fcntl
    import struct

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # not ours to read: nobody listens, and that is all there is to know
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind: int = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))[0]
        return kind != fcntl.F_UNLCK
    finally:
        os.close(fd)


def _parsed(line: bytes) -> dict[str, object]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}  # its writer was killed in the middle of it
    return record if isinstance(record, dict) else {}
