"""The three streams as we were given them: a closed one must not become a file of ours, and what cannot be written to
stdout is told in one line, by whoever tells of what failed.
"""

from __future__ import annotations

import errno
import io
import os
import sys

from gds.errors import GdsError


class Unwritable(GdsError):
    """What was asked cannot be written to stdout. Exit status 1."""


class _Out(io.FileIO):
    """Descriptor 1. A reader that went away stays a BrokenPipeError."""

    is_lost = False
    """It has been told: what is left in the buffer need not be tried again."""

    def write(self, data: object) -> int:
        try:
            return len(memoryview(data)) if self.is_lost else super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            raise
        except OSError as error:
            self.is_lost = True
            raise Unwritable(fault(error)) from None


def fault(error: OSError) -> str:
    """One line about a stdout that cannot be written."""
    return f"cannot write to stdout: {'it is closed' if error.errno == errno.EBADF else error.strerror}"


def take(is_runner: bool = False) -> None:
    """Call it first. Nothing changes for streams that are open, but that stdout raises Unwritable.

    One that came closed is filled, so that no file of ours gets its number: stdout with what cannot be written (in a
    runner with /dev/null, which its applications inherit), stderr with /dev/null: what cannot be told is not told, and
    must not land among the results.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR if is_runner or fd == 2 else os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    was = sys.stdout
    if was is not sys.__stdout__:
        return  # a test reads what we say
    is_terminal = os.isatty(1)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Out(1, "w", closefd=False)),
        encoding=was.encoding if was is not None else "utf-8",
        errors=was.errors if was is not None else "surrogateescape",
        line_buffering=is_terminal,
    )


def flush() -> None:
    """Everything that was said is written. Raises Unwritable, BrokenPipeError."""
    if sys.stdout is not None:
        sys.stdout.flush()
