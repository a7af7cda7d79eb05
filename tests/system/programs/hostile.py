"""Applications that behave badly: hostile.py KIND [ARGUMENT], started with `python -I -S`."""

import os
import signal
import sys


def bomb(most: int) -> None:
    """Fork without end; the test bounds it with the number of our own generations."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    import time

    # at most `most` alive at a time, for ever new ones
    pids: list[int] = []
    while True:
        try:
            pid = os.fork()
        except OSError:
            time.sleep(0.001)
            continue
        if pid == 0:
            time.sleep(0.5)
            os._exit(0)
        pids.append(pid)
        if len(pids) > most:
            time.sleep(0.002)
            pids = [p for p in pids if os.path.exists(f"/proc/{p}")]


def disguise() -> None:
    """Another title, another environment, another session, another working directory, no descriptors."""
    import ctypes

    libc = ctypes.CDLL(None)
    libc.prctl(15, b"gds-keeper", 0, 0, 0)
    os.chdir("/")
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 1024)
    os.execve("/bin/sleep", ["gds-zygote", "1000"], {})


def flood(size: int) -> None:
    """So many bytes on stdout, and no end of line."""
    piece = b"x" * 65536
    while size > 0:
        size -= os.write(1, piece[: min(size, 65536)])
    os.write(1, b"\nend of the flood\n")
    while True:
        signal.pause()


kind = sys.argv[1]
if kind == "bomb":
    bomb(int(sys.argv[2]))
elif kind == "disguise":
    disguise()
elif kind == "flood":
    flood(int(sys.argv[2]))
