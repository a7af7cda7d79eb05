"""Lines for the system log, tagged as Sun's services tag theirs. Sun: semantics.md 17 (scds_syslog)."""

from __future__ import annotations

import os
import sys
import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.dsdl.handle import Handle

DAEMON = 3 << 3
"""The facility LOG_DAEMON (scha_cluster_get -O SYSLOG_FACILITY)."""
LONGEST = 2048
"""Bytes of one line; what is longer is cut."""


def write(handle: Handle, priority: int, text: str) -> None:
    """One line; to stderr, which the runner keeps, where no system log listens. Never waits, never fails."""
    line = f"{handle.tag}: {' '.join(text.split())}"
    stamp = time.strftime("%b %d %H:%M:%S")
    packet = f"<{DAEMON | priority}>{stamp} {handle.tag}[{os.getpid()}]: {' '.join(text.split())}"
    log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)
    try:
        log.connect(handle.log_socket)
        log.send(packet.encode("utf-8", "replace")[:LONGEST])
    except OSError:
        if sys.stderr is not None:
            try:
                sys.stderr.write(line + "\n")
                sys.stderr.flush()
            except OSError:
                pass  # closed or full: never a reason for a monitor to end
    finally:
        log.close()
