"""Clocks: monotonic for every decision, wall time for people only.

Instants kept over a restart of the runner are CLOCK_MONOTONIC together with the boot id: within one boot they compare.
"""

from __future__ import annotations

import time

monotonic = time.monotonic
wall = time.time


def boottime() -> float:
    """Seconds since the machine was booted; those in which it was suspended count."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """The kernel's name for this boot; empty when it does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as file:
            return file.read(64).decode("ascii").strip()
    except OSError:
        return ""


def rfc3339(seconds: float) -> str:
    """Wall time in UTC, to the millisecond only when there is a fraction to show: 2026-01-31T12:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
