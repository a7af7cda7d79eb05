"""Reading what may be trusted: descriptors, settings and cached plans. Light: also on the path of a cached plan."""

from __future__ import annotations

import os
import stat

from gds.errors import ConfigError

LARGEST = 1 << 20
"""A file over 1 MiB is not a descriptor (design.md 3)."""


ROOT_ONLY = "root obeys only files that root alone may write"


class FileFault(ConfigError):
    """A file that is not there, cannot be read, or may not be trusted."""


def listing(directory: str) -> tuple[str, ...]:
    """The descriptors of a directory, sorted; hidden files are left out. Raises OSError."""
    return tuple(sorted([n for n in os.listdir(directory) if n.endswith(".toml") and not n.startswith(".")]))


def read_trusted(path: str, euid: int, largest: int = LARGEST, ours: bool = False) -> bytes:
    """The content of a regular file of at most `largest` bytes; for root, that nobody else may write.

    `ours`: a file that we wrote ourselves: no link, of root's or our own, and written by nobody else, for any user.
    Raises FileFault.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (os.O_NOFOLLOW if ours else 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise FileFault(f"cannot read it: {error.strerror}") from error
    except ValueError as error:  # NUL, or characters the file system's encoding lacks
        raise FileFault("cannot read it: not the name of a file") from error
    try:
        found = os.fstat(handle)
        fault = distrust(found, euid)
        if fault:
            raise FileFault(fault)
        if ours and (found.st_uid not in (0, euid) or found.st_mode & 0o022):
            raise FileFault("cannot trust it: it is not ours")
        if found.st_size > largest:
            raise FileFault(too_large(largest))
        parts = []
        rest = largest + 1
        while rest and (part := os.read(handle, rest)):
            parts.append(part)
            rest -= len(part)
        if not rest:
            raise FileFault(too_large(largest))
        return b"".join(parts)
    except OSError as error:
        raise FileFault(f"cannot read it: {error.strerror}") from error
    finally:
        os.close(handle)


def too_large(largest: int) -> str:
    """What is said of a file that is too long."""
    return f"cannot read it: longer than {largest // (1 << 20)} MiB"


def distrust(found: os.stat_result, euid: int) -> str:
    """Why a file may not be used; empty when it may. Root obeys only files that nobody but root may write."""
    if stat.S_ISDIR(found.st_mode):
        return "cannot read it: a directory where a file is expected"
    if not stat.S_ISREG(found.st_mode):
        return "cannot read it: not a regular file"
    if euid == 0:
        if found.st_uid != 0:
            return f"cannot trust it: it belongs to user {found.st_uid}, and {ROOT_ONLY}; chown it to root"
        if found.st_mode & 0o022:
            who = "everybody" if found.st_mode & 0o002 else "its group"
            return f"cannot trust it: {who} may write it (mode {found.st_mode & 0o7777:o}), and {ROOT_ONLY}; chmod go-w"
    return ""
