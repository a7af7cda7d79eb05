"""A service that says how it is: READY=1, a STATUS, and WATCHDOG=1 twice per interval. SIGUSR1 makes it fall silent."""

import os
import signal
import socket
import time

address = os.environ["NOTIFY_SOCKET"]
speaker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
speaker.connect("\0" + address[1:] if address.startswith("@") else address)
silent = False


def fall_silent(_number: int, _frame: object) -> None:
    """What a deadlock looks like from outside."""
    global silent
    silent = True


signal.signal(signal.SIGUSR1, fall_silent)
pause = int(os.environ.get("WATCHDOG_USEC", "2000000")) / 2e6
speaker.send(b"READY=1\nSTATUS=serving")
while True:
    if not silent:
        speaker.send(b"WATCHDOG=1")
    time.sleep(pause)
