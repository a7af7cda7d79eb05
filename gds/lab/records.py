"""Processes as they are recorded: a number, and when the process of that number was started, so that a number which
another process got since is never taken for ours."""

from __future__ import annotations

import os
import time

from gds.lab.place import LabFault
from gds.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def record(path: str, pid: int) -> None:
    """Keep that this process is the one. What is gone already is not recorded."""
    facts = procfs.stat(pid)
    if facts is not None:
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(f"{pid} {facts[2]}\n")
        os.replace(path + ".new", path)


def recorded(path: str) -> int:
    """The recorded process while it lives, else 0."""
    words = (procfs.read(path, 64) or b"").split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return 0
    pid = int(words[0])
    facts = procfs.stat(pid)
    return pid if facts is not None and facts[0] not in "ZX" and facts[2] == int(words[1]) else 0


def stopped(pid: int) -> bool:
    """It was told to stand still (SIGSTOP)."""
    facts = procfs.stat(pid)
    return facts is not None and facts[0] == "T"


def signal(path: str, number: int) -> int:
    """Send it to the recorded process; its pid, or 0 when that is gone. Raises LabFault when it is not ours to end."""
    pid = recorded(path)
    if pid:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return 0
        except PermissionError:
            raise LabFault(
                f"cannot signal process {pid}: it is another user's; be who brought the lab up", 77
            ) from None
    return pid


def wait(fact: Callable[[], bool], seconds: float) -> bool:
    """Until it is true; False when it was not within the time."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
