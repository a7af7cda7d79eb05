"""A hardware watchdog (/dev/watchdog): what is not fed in time resets the node."""

from __future__ import annotations

import fcntl
import os
import stat
import struct

NS = 1_000_000_000
_SETTIMEOUT, _GETTIMEOUT = 0xC0045706, 0x80045707
"""WDIOC_SETTIMEOUT, WDIOC_GETTIMEOUT; linux/watchdog.h."""


class Watchdog:
    """The hardware's. Raises OSError when it cannot be opened or set below the lifetime (seconds)."""

    def __init__(self, path: str, margin: float, lifetime: float) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        wanted = max(1, int(margin))
        if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            number = bytearray(struct.pack("=i", wanted))
            fcntl.ioctl(self._fd, _SETTIMEOUT, number)
            fcntl.ioctl(self._fd, _GETTIMEOUT, number)
            wanted = struct.unpack("=i", number)[0]
            if wanted >= lifetime:
                self.close()
                raise OSError(34, f"its shortest time-out is {wanted} s, and lifetime {lifetime:g} s")
        self.every = wanted * NS // 4
        self._fed_at = 0

    def feed(self, now: int) -> None:
        """Put the reset off, when that is due."""
        if now - self._fed_at >= self.every:
            self._fed_at = now
            try:
                os.write(self._fd, b"\0")
            except OSError:
                pass  # nobody can be told here; the node is reset, which is what was asked for

    def close(self) -> None:
        """In order: no reset."""
        try:
            os.write(self._fd, b"V")
        except OSError:
            pass  # as above
        os.close(self._fd)
