"""The application: every 10 ms it writes into a log shared by all nodes that it lives, where, and as whom.

    beat.py LOG [--flags DIR] [--grandchild] [--port N]

One line is one write to a file opened with O_APPEND, so that lines of several processes never mix, and their order in
the file is the order in which they took effect:

    GROUP NODE INCARNATION TOKEN PID NANOSECONDS WORD

NANOSECONDS is CLOCK_MONOTONIC, common to all network namespaces of a machine. WORD is start, beat, stop (TERM came)
or deaf (TERM came, and is not obeyed). `--flags DIR`: while DIR/deaf exists, TERM is not obeyed; where DIR/refuse-NODE
exists, it ends at once, and where DIR/hang-NODE does, it neither beats nor listens. `--grandchild`: a process that left
its session and its parent beats as well. `--port N`: it listens there.

It runs with the standard library's smallest part only; the tests read its lines with checker.py.
"""

import os
import signal
import sys
import time

TICK = 0.01
"""Seconds between two beats."""


class Beater:
    """One process that beats."""

    def __init__(self, log: str, flags: str) -> None:
        self.fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.flags = flags
        names = ("GDS_GROUP", "GDS_NODE", "GDS_INCARNATION", "GDS_FENCING_TOKEN")
        # without a token it is no master of anything: 0 is older than every token
        self.who = " ".join(os.environ.get(name) or "0" for name in names)

    def say(self, word: str) -> None:
        """One line, now."""
        os.write(self.fd, f"{self.who} {os.getpid()} {time.monotonic_ns()} {word}\n".encode())

    def told_to_end(self, _number: int, _frame: object) -> None:
        """TERM: the end, unless the test wants a deaf one."""
        if self.flags and os.path.exists(self.flags + "/deaf"):
            self.say("deaf")
            return
        self.say("stop")
        os._exit(0)

    def run(self) -> None:
        """For ever. A late tick is not made up for: a process that was stopped resumes with one beat."""
        self.say("start")
        signal.signal(signal.SIGTERM, self.told_to_end)
        while True:
            time.sleep(TICK)
            self.say("beat")


def leave_parent() -> bool:
    """Double fork into a new session; True in the grandchild."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    return True


def listen(port: int) -> object:
    """A socket that accepts by the kernel alone."""
    import socket

    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("0.0.0.0", port))
    made.listen(128)
    return made


def main(argv: list[str]) -> None:
    """See the module."""
    flags = argv[argv.index("--flags") + 1] if "--flags" in argv else ""
    node = os.environ.get("GDS_NODE", "")
    if os.path.exists(f"{flags}/refuse-{node}"):
        sys.exit(1)
    while os.path.exists(f"{flags}/hang-{node}"):
        time.sleep(TICK)
    beater = Beater(argv[0], flags)
    kept = None
    if "--grandchild" not in argv or not leave_parent():
        kept = listen(int(argv[argv.index("--port") + 1])) if "--port" in argv else None
    beater.run()
    del kept  # never reached: it is open as long as the process lives


if __name__ == "__main__":
    main(sys.argv[1:])
