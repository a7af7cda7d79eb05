"""What the numbers were measured on, and a cgroup of the bench's own."""

from __future__ import annotations

import os
import platform
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def describe() -> dict[str, object]:
    """Kernel, processors, memory: for the head of the table."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
    }


def load() -> str:
    """The load averages, as the kernel writes them."""
    return "/".join(f"{value:.1f}" for value in os.getloadavg())


def stolen() -> tuple[float, float]:
    """Ticks that the hypervisor gave to others, and all ticks, since boot."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return float(fields[7]), float(sum(fields[:8]))


def raise_descriptor_limit() -> int:
    """A thousand apps need thousands of descriptors, here and in the supervisors, which inherit it; the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


def run_directory() -> str:
    """A tmpfs from which programs may be executed, where run directories stand on real systems; else the temporary
    directory. On a disk, what the C supervisors write at each change of state costs them several times the rest.
    """
    for place in ("/dev/shm", "/run"):
        if os.access(place, os.W_OK) and _is_tmpfs(place) and not os.statvfs(place).f_flag & os.ST_NOEXEC:
            return place
    return tempfile.gettempdir()


def _is_tmpfs(place: str) -> bool:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found = [fields for fields in map(str.split, mounts) if fields[4] == place]
    return bool(found) and found[-1][found[-1].index("-") + 1] == "tmpfs"


@contextmanager
def own_cgroup() -> Iterator[str]:
    """Live in a fresh cgroup (v2) while measuring, where that is allowed, so that cgroups made below it can be cleared.

    Yields its path, or the empty string. At the end the bench goes back where it was and removes the whole subtree.
    """
    home = _own_cgroup2()
    place = home / f"gds-bench-{os.getpid()}" if home else None
    try:
        if place is None or home is None:
            raise OSError("no cgroup2")
        place.mkdir()
    except OSError:
        yield ""
        return
    try:
        (place / "cgroup.procs").write_text("0")
    except OSError:
        place.rmdir()
        yield ""
        return
    try:
        yield str(place)
    finally:
        (home / "cgroup.procs").write_text("0")
        deadline = time.monotonic() + 5.0
        while place.exists() and time.monotonic() < deadline:
            for directory in sorted((Path(path) for path, _, _ in os.walk(place)), reverse=True):
                try:
                    directory.rmdir()
                except OSError:
                    time.sleep(0.05)  # a process in it is just ending


def _own_cgroup2() -> Path | None:
    name = ""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            name = line[3:].lstrip("/")
            break
    else:
        return None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            return Path(fields[4]) / name
    return None
