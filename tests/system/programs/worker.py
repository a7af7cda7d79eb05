"""An application that tells when it runs twice: worker.py MODE NAME SHARED [PORT], started with `python -I -S`.

Every incarnation takes SHARED/NAME.lock (flock, handed on to all it forks, so the last process of the tree lets it go).
One that finds it taken says so in SHARED/overlaps: two copies at one moment, also between two looks from outside.
Modes: plain, daemon (double fork), stubborn (ignores SIGTERM, its child too), slow (ready after 0.2 s), tcp (listens).
Switches, looked for at the start: NAME.fail: exit 3; NAME.late: half a second before anything is served.
"""

import fcntl
import os
import signal
import sys
import time


def main(mode: str, name: str, shared: str, port: int) -> None:
    lock = os.open(f"{shared}/{name}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with open(f"{shared}/overlaps", "a") as file:
            file.write(f"{name} incarnation {os.environ.get('GDS_INCARNATION')} pid {os.getpid()} met another\n")
        os._exit(9)
    os.set_inheritable(lock, True)
    if os.path.exists(f"{shared}/{name}.fail"):
        os._exit(3)
    if os.path.exists(f"{shared}/{name}.late"):
        time.sleep(0.5)
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "daemon":
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
    if os.fork() == 0:
        wait()  # the grandchild
    if mode == "slow":
        time.sleep(0.2)
        with open(f"{shared}/{name}.ready", "w") as file:
            file.write(os.environ["GDS_INCARNATION"] + "\n")
    if mode == "tcp":
        serve(port)
    wait()


def wait() -> None:
    while True:
        signal.pause()


def serve(port: int) -> None:
    import _socket

    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(16)
    while True:
        fd, _ = sock._accept()  # type: ignore[attr-defined]  # what socket.accept is made of
        os.close(fd)


main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 0)
