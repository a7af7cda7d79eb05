"""The two process attributes that Python's library cannot set, by one call into libc without `ctypes`.

`import ctypes` costs a megabyte in a process that lives for months; `_ctypes`, the module in C under it, does not.
"""

from __future__ import annotations

import _ctypes

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None = ourselves


def become_subreaper() -> bool:
    """Orphans among our descendants become our children. False when the kernel refuses."""
    return bool(_ctypes.call_function(_prctl, (_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0)


def die_with_parent(number: int) -> None:
    """Get this signal when the thread that forked us ends."""
    _ctypes.call_function(_prctl, (_PR_SET_PDEATHSIG, number, 0, 0, 0))


def set_name(name: bytes) -> None:
    """The name `ps` and /proc/PID/comm show; the first 15 bytes count."""
    _ctypes.call_function(_prctl, (_PR_SET_NAME, name[:15] + b"\0", 0, 0, 0))
