"""The end of a log file that is rotated while somebody reads it: its last lines, and what comes.

A file is told by its inode, because its name changes: PATH becomes PATH.1, and so on. When a file is rotated, the
beginning of a line may move from its end to the next one (logfile.py): what was shown of it is not shown again.
"""

from __future__ import annotations

import os
import time

from gds.linux.logfile import kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Protocol

    In = IO[bytes]

    class Out(Protocol):
        """Where it is written to."""

        def write(self, data: bytes, /) -> object: ...
        def flush(self) -> object: ...


POLL = 0.2
"""Seconds between two looks at a file that does not grow."""
MOMENT = 0.02
"""Seconds in which a rotation is done, once its first file has another name."""
LOOKS = 50
"""How often to look again, where files are renamed at that moment."""
MOST = 8 << 20
"""Bytes to look through for the last lines."""


def current(path: str) -> In:
    """The file being written, at its beginning. Raises OSError."""
    for _ in range(LOOKS):
        try:
            return open(path, "rb")
        except FileNotFoundError:
            if not kept(path):
                raise
            time.sleep(MOMENT)  # it has just been renamed
    return open(path, "rb")


def last(path: str, file: In, most: int) -> bytes:
    """The last `most` lines up to the end of `file`, those in older files included; `file` stands at its end then."""
    data = _tail(file, most)
    own = os.fstat(file.fileno()).st_ino
    names, inodes = _looked(path)
    older = names[: inodes.index(own)] if own in inodes else names[:-1]
    for name in reversed(older):
        if data.count(b"\n") >= most or len(data) >= MOST:
            break
        try:
            with open(name, "rb") as before:
                data = _tail(before, most) + data
        except FileNotFoundError:
            break  # it was the oldest, and has just gone
    lines = data.splitlines(keepends=True)
    return b"".join(lines[-most:]) if most else b""


def _tail(file: In, most: int) -> bytes:
    """At least so many lines of the end of one file, if it has them."""
    end = file.seek(0, os.SEEK_END)
    data = b""
    at = end
    while at > 0 and data.count(b"\n") <= most and len(data) < MOST:
        step = min(65536, at)
        at -= step
        file.seek(at)
        data = file.read(step) + data
    file.seek(end)
    return data


def follow(path: str, file: In, out: Out) -> None:
    """Write to `out` what comes, from where `file` stands; for ever. Raises OSError."""
    while True:
        data = file.read(1 << 20)
        if data:
            out.write(data)
            out.flush()
        elif not _is_current(path, file):
            time.sleep(MOMENT)
            out.write(file.read())
            out.flush()
            file = _next(path, file)
        elif os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)  # emptied in its place
        else:
            time.sleep(POLL)


def _is_current(path: str, file: In) -> bool:
    try:
        return os.stat(path).st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return True  # moved away, and no other one begun yet


def _looked(path: str) -> tuple[list[str], list[int]]:
    """The files there are, oldest first, and their inodes; two looks have seen the same, where that can be had."""
    before: tuple[list[str], list[int]] = ([], [])
    for _ in range(LOOKS):
        names = kept(path)
        try:
            seen = (names, [os.stat(name).st_ino for name in names])
        except FileNotFoundError:
            continue
        if seen == before:
            break
        before = seen
    return before


def _next(path: str, old: In) -> In:
    """The file that was begun after this one, which is closed; behind what was moved there and is shown already."""
    facts, shown = os.fstat(old.fileno()), old.tell()
    moved = max(0, shown - facts.st_size)
    with old:
        while True:
            names, inodes = _looked(path)
            gone = os.fstat(old.fileno()).st_nlink == 0
            if facts.st_ino in inodes[:-1]:
                at = inodes.index(facts.st_ino) + 1
            elif gone and names:
                at, moved = 0, 0  # too slow: all that is kept is newer
            elif names[-1:] == [path] and facts.st_ino not in inodes:
                at = len(names) - 1  # somebody else moved it away
            else:
                time.sleep(MOMENT)  # the next one is about to be begun
                continue
            try:
                file = open(names[at], "rb")  # noqa: SIM115  # followed until the user has seen enough
            except FileNotFoundError:
                continue
            if os.fstat(file.fileno()).st_ino == inodes[at]:
                file.seek(moved)
                return file
            file.close()  # renamed meanwhile
