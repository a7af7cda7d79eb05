"""systemd: what the runner tells the service manager, through the sdnotify package made safe (ux.md 7 and 18).

sdnotify encodes Latin-1 and drops, without a word, what does not fit; it blocks; and it reads the environment itself.
So text is made ASCII first, its socket is set not to block, and it is imported only under NOTIFY_SOCKET. That
variable and those of the watchdog are taken out of our environment, so that no command inherits them. A message that
the manager has no room for is kept and sent again: the newest of each kind, since only READY, STOPPING and the last
status matter.

`watchdog_interval` is how often WATCHDOG=1 must be sent: half of what the manager allows. Whether the runner deserves
it (loop and judges make progress) is the caller's to say.
"""

from __future__ import annotations

import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, MutableMapping
    from typing import Protocol

    from gds.linux.loop import Loop

    class Notifier(Protocol):
        """sdnotify.SystemdNotifier, which has no types."""

        socket: socket.socket

        def notify(self, state: str) -> None: ...


_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_LONGEST_STATUS = 2000
_AGAIN_AFTER = 0.1
"""Seconds until a message is sent again that the manager's queue had no room for."""


def ascii_safe(text: str) -> str:
    """One line of ASCII: accents and arrows become the nearest that sdnotify can carry."""
    table = {"→": "->", "←": "<-", "…": "...", "–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "×": "x"}
    plain = "".join([c if " " <= c <= "~" else table.get(c, " " if c.isspace() else "?") for c in text])
    return plain[:_LONGEST_STATUS]


class ServiceManager:
    """See the module. Without NOTIFY_SOCKET every method does nothing."""

    def __init__(
        self, loop: Loop, environ: MutableMapping[str, str], told: Callable[[str], object] | None = None
    ) -> None:
        """`told` hears each `fault` once."""
        self._loop = loop
        self._told = told
        self._notifier: Notifier | None = None
        self._unsent: dict[str, str] = {}
        self._waiting = False
        self._status = ""
        address = environ.get("NOTIFY_SOCKET", "")
        self.watchdog_interval = watchdog_interval(environ) if address else 0.0
        """Seconds between two WATCHDOG=1; 0 = none is awaited."""
        self.fault = ""
        """Why the service manager cannot be told anything although it asked; empty: nothing wrong."""
        if address:
            self._connect(address)
        for name in _VARIABLES:
            environ.pop(name, None)

    @property
    def present(self) -> bool:
        """Somebody listens."""
        return self._notifier is not None

    def close(self) -> None:
        """Nothing is told any more."""
        if self._notifier is not None:
            self._notifier.socket.close()
            self._notifier = None
        self._unsent.clear()

    def _connect(self, address: str) -> None:
        if address.startswith("/") and not os.path.exists(address):
            # sdnotify would leave an open socket to the garbage collector
            self._blame(f"cannot reach the service manager at {address}: {os.strerror(errno.ENOENT)}")
            return
        from sdnotify import SystemdNotifier  # type: ignore[import-untyped]

        kept = os.environ.get("NOTIFY_SOCKET")
        os.environ["NOTIFY_SOCKET"] = address  # where sdnotify looks
        try:
            notifier: Notifier = SystemdNotifier(debug=True)
            notifier.socket.setblocking(False)
        except OSError as error:
            self._blame(f"cannot reach the service manager at {address}: {error.strerror}")
        else:
            self._notifier = notifier
        finally:
            if kept is None:
                del os.environ["NOTIFY_SOCKET"]
            else:
                os.environ["NOTIFY_SOCKET"] = kept

    def _blame(self, fault: str) -> None:
        if fault != self.fault and self._told is not None:
            self._told(fault)
        self.fault = fault

    # -- what may be told ---------------------------------------------------------------------------------------------

    def ready(self, status: str = "") -> None:
        """Start-up, or a reload, is done."""
        self._send("READY", "READY=1", status)

    def status(self, text: str) -> None:
        """One line for `systemctl status`; the same text again is not sent."""
        if text != self._status:
            self._send("STATUS", "", text)

    def reloading(self, status: str = "") -> None:
        """A reload begins; `ready` ends it. The time goes in the same message (Type=notify-reload)."""
        stamp = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("READY", f"RELOADING=1\nMONOTONIC_USEC={stamp}", status)

    def stopping(self, status: str = "") -> None:
        """The orderly stop begins."""
        self._send("STOPPING", "STOPPING=1", status)

    def watchdog(self) -> None:
        """We make progress."""
        self._send("WATCHDOG", "WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> None:
        """A start or stop goes on for up to so many seconds more, and makes progress."""
        self._send("EXTEND", f"EXTEND_TIMEOUT_USEC={max(1, round(seconds * 1e6))}")

    def exit_status(self, code: int) -> None:
        """With which status we are about to end."""
        self._send("EXIT_STATUS", f"EXIT_STATUS={code}")

    # -- sending ------------------------------------------------------------------------------------------------------

    def _send(self, kind: str, message: str, status: str = "") -> None:
        if self._notifier is None:
            return
        if status:
            self._status = status
            message = f"{message}\nSTATUS={ascii_safe(status)}".lstrip("\n")
        if self._unsent:
            # one after the other: READY must not overtake RELOADING
            self._unsent.pop(kind, None)
            self._unsent[kind] = message
        elif not self._sent(message):
            self._unsent[kind] = message
            self._wait()

    def _sent(self, message: str) -> bool:
        try:
            if self._notifier is not None:
                self._notifier.notify(message)
        except BlockingIOError:
            return False
        except OSError as error:
            self._blame(f"cannot tell the service manager: {error.strerror}")
        return True

    def _wait(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.after(_AGAIN_AFTER, self._again)

    def _again(self) -> None:
        self._waiting = False
        while self._unsent:
            kind = next(iter(self._unsent))
            if not self._sent(self._unsent[kind]):
                self._wait()
                return
            del self._unsent[kind]

    def every(self, deserved: Callable[[], bool]) -> None:
        """Send WATCHDOG=1 in time, for as long as `deserved()` says so each time. Nothing without a watchdog."""
        if self.watchdog_interval and self._notifier is not None:
            if deserved():
                self.watchdog()
            self._loop.after(self.watchdog_interval, lambda: self.every(deserved))


def watchdog_interval(environ: MutableMapping[str, str]) -> float:
    """Half of WATCHDOG_USEC in seconds, when the watchdog is meant for us; else 0."""
    try:
        micro = int(environ.get("WATCHDOG_USEC", "0"))
        whose = int(environ.get("WATCHDOG_PID") or os.getpid())
    except ValueError:
        return 0.0
    return micro / 2e6 if micro > 0 and whose == os.getpid() else 0.0
