"""Programs that are hard to follow or hard to kill, run by the tests as applications: `python stubborn.py WHAT ...`.

Every process of one run carries the run's mark as its last argument, so that a test can look for it from outside.
"""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 60.0
"""Seconds after which any of them ends by itself, should a test forget it."""


def ready() -> None:
    """Say that all it has to do is done: on stdout, and as the name that /proc shows."""
    with open("/proc/self/comm", "w") as name:
        name.write("ready")
    print("ready", flush=True)


def rest() -> None:
    """Sleep until killed."""
    time.sleep(LONGEST)


def fork_daemon() -> None:
    """Double fork and setsid, as daemons do; the daemon closes its files and rests."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            for fd in (0, 1, 2):
                os.close(fd)
            rest()
        os._exit(0)
    os.wait()


def daemons(count: int, status: int) -> None:
    """Start so many daemons, then exit with the status."""
    for _each in range(count):
        fork_daemon()
    os._exit(status)


def deaf() -> None:
    """Ignore TERM, HUP and INT, and have a deaf child and a deaf daemon."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    fork_daemon()
    os.fork()
    ready()
    rest()


def bomb(sleepers: int, comets: int) -> None:
    """So many processes that ignore TERM, and so many that fork and exit without end, half of them with setsid."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + LONGEST
    for _each in range(sleepers):
        if os.fork() == 0:
            rest()
    for number in range(comets):
        if os.fork() == 0:
            comet(number % 2 == 0, end)
    print("ready", flush=True)
    rest()


def comet(sets_sid: bool, end: float) -> None:
    """Never the same process for longer than a moment."""
    while time.monotonic() < end:
        if os.fork() != 0:
            os._exit(0)
        if sets_sid:
            os.setsid()


def stopped() -> None:
    """Say so, then stop; after that end with status 3 on TERM."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(3))
    print("ready", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    rest()


def below() -> None:
    """Make a cgroup below our own and one below that, and enter; a child daemonises there. On TERM it ends with 4.

    Where the hierarchy is mounted is our environment's MOUNT.
    """
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(4))
    with open("/proc/self/cgroup") as file:
        own = next(line[3:].strip() for line in file if line.startswith("0::"))
    inner = os.environ["MOUNT"] + own + "/inner"
    for path in (inner, inner + "/deeper"):
        os.mkdir(path)
    with open(inner + "/deeper/cgroup.procs", "w") as procs:
        procs.write(str(os.getpid()))
    if os.fork() == 0:
        fork_daemon()
        rest()
    ready()
    rest()


def main() -> None:
    """Be what is asked for."""
    what, *words = sys.argv[1:-1]
    numbers = [int(word) for word in words]
    programs: dict[str, Callable[..., None]] = {
        "daemons": daemons,
        "deaf": deaf,
        "bomb": bomb,
        "stopped": stopped,
        "below": below,
        "rest": rest,
    }
    programs[what](*numbers)


if __name__ == "__main__":
    main()
