"""What /proc says of one process, in few system calls. Every function answers for a process that may be gone."""

from __future__ import annotations

import os


def read(path: str, size: int = 65536) -> bytes | None:
    """The file's first `size` bytes; None when it is gone or not ours to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, size)
        while len(data) < size and (more := os.read(fd, size - len(data))):
            data += more
        return data
    except OSError:
        return None  # the process ended while we read
    finally:
        os.close(fd)


def stat(pid: int) -> tuple[str, int, int] | None:
    """(state letter, parent pid, start time in ticks since boot); None when it is gone."""
    data = read(f"/proc/{pid}/stat", 1024)
    if not data:
        return None
    rest = data[data.rfind(b")") + 2 :].split(None, 20)
    return chr(rest[0][0]), int(rest[1]), int(rest[19])


def alive(pid: int) -> bool:
    """It runs: it exists and is not a zombie."""
    facts = stat(pid)
    return facts is not None and facts[0] not in "ZX"


def children(pid: int) -> list[int]:
    """Its children as the kernel lists them, zombies included; empty when it is gone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        data = read(f"/proc/{pid}/task/{thread}/children", 1 << 20)
        if data:
            found.extend(int(word) for word in data.split())
    return found


def cgroup(pid: int) -> str:
    """Its path in the cgroup v2 hierarchy, as /proc shows it ("" unknown); a zombie still has one."""
    data = read(f"/proc/{pid}/cgroup", 8192)
    if data:
        for line in data.split(b"\n"):
            if line.startswith(b"0::"):
                return os.fsdecode(line[3:]).removesuffix(" (deleted)")
    return ""
