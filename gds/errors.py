"""The exception tree: whose fault is it?

Outcomes of the domain (a probe that failed, a restart refused) are values and never raised. What is raised is a
broken promise, and its class says who broke it, so that a caller can react by *who* failed. Messages begin "cannot",
name the thing and say what would help.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class GdsError(Exception):
    """Root of all; never raised itself."""


class ConfigError(GdsError):
    """The user's descriptor or settings; the user can mend it. Exit status 78."""


class UsageError(GdsError):
    """The command line as typed. Exit status 2."""


class SpawnError(GdsError):
    """The system refused to start a process: `errno` says why, `missing` that the program cannot be executed at all."""

    def __init__(self, message: str, errno: int = 0, missing: bool = False) -> None:
        super().__init__(message)
        self.errno = errno
        self.missing = missing


class EngineError(GdsError):
    """The machine or the engine under us cannot do what it must (directories, sockets, cgroups)."""


class InternalError(GdsError):
    """Our bug."""


def unreachable(value: NoReturn) -> NoReturn:
    """Closes a `match` over a union: mypy proves it is never called; raises InternalError if it is."""
    raise InternalError(f"internal error: {value!r} is not one of the cases")
