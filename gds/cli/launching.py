"""What hatimerun and halockrun share: an option parser, signals, the spawn of a program, and its exit status.

The standard library only, and few modules of it: both are started for every command of a script.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from gds.errors import SpawnError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGABRT,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""Passed on to the program, as if we were not there."""
# Python ignores the first two for itself, and we may have been started with the third ignored; no program expects that.
_TO_DEFAULT = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)


def say(program: str, text: str, synopsis: str = "") -> None:
    """One line on stderr, and after it the synopsis when usage was wrong."""
    if sys.stderr is not None:  # with descriptor 2 closed at the start, the lock file may be 2
        show(f"{program}: {text}\n{synopsis}", 2)


def show(text: str, descriptor: int) -> None:
    """Writes past Python's streams, which would complain at the end when nobody reads."""
    try:
        os.write(descriptor, text.encode(errors="backslashreplace"))
    except OSError:
        pass  # closed or full: never a reason to fail


def printable(text: str) -> str:
    """A name for a message of one line."""
    return text if text and text.isprintable() else ascii(text)


def split_options(argv: list[str], flags: str, valued: str) -> tuple[list[tuple[str, str]], list[str], str]:
    """getopt(3C): (options with their values, operands, what is wrong first or "").

    Ends at `--` or the first operand, so that the program's own options are left alone. Goes on after a mistake: the
    caller may still want an option that stands behind it.
    """
    found: list[tuple[str, str]] = []
    problem = ""
    rest = list(argv)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        bundle = rest.pop(0)[1:]
        if bundle == "-":
            break
        while bundle:
            letter, bundle = bundle[0], bundle[1:]
            if letter in flags:
                found.append((letter, ""))
            elif letter not in valued:
                problem = problem or f"cannot use option {printable('-' + letter)}: there is no such option"
            elif bundle or rest:
                found.append((letter, bundle or rest.pop(0)))
                break
            else:
                problem = problem or f"cannot use -{letter} without a value"
    return found, rest, problem


def exit_code(text: str) -> int:
    """The value of -e; raises UsageError."""
    code = whole(text)
    if code is None or code > 255:
        raise UsageError(f"cannot use -e {printable(text)}: expected an exit status from 0 to 255")
    return code


def claim_signals(handled: Iterable[signal.Signals]) -> tuple[set[signal.Signals], Iterable[int]]:
    """Blocks handled and SIGCHLD for a wait by sigtimedwait; returns what to wait for, and the mask as it was.

    What came ignored stays so. Nothing is unblocked at the end: a signal that comes while we leave with the
    program's status must not replace that status.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would reap the child and lose its status
    claimed = {signal.SIGCHLD, *(each for each in handled if signal.getsignal(each) != signal.SIG_IGN)}
    return claimed, signal.pthread_sigmask(signal.SIG_BLOCK, claimed)


def spawn(command: list[str], mask: Iterable[int], own_group: bool) -> int:
    """Starts command with the signals and the environment that we were given; returns its pid once it is executing.

    Raises SpawnError when it cannot be executed.
    """
    program, environment = command[0], _given_environment()
    try:
        if own_group:
            return os.posix_spawnp(program, command, environment, setpgroup=0, setsigmask=mask, setsigdef=_TO_DEFAULT)
        return os.posix_spawnp(program, command, environment, setsigmask=mask, setsigdef=_TO_DEFAULT)
    except ValueError as error:  # an argument that no exec can take
        raise SpawnError(f"cannot execute {printable(program)}: {error}") from None
    except OSError as error:
        reason = (error.strerror or str(error)) + _hint(program, error.errno)
        raise SpawnError(f"cannot execute {printable(program)}: {reason}", error.errno or 0) from None


def _hint(program: str, number: int | None) -> str:
    """What the bare words of exec(2) leave unsaid."""
    if number == errno.ENOEXEC:
        return "; a script needs a first line such as #!/bin/sh"
    if number == errno.ENOENT and "/" not in program:
        return "; it is not in PATH"
    if number == errno.ENOENT and os.path.exists(program):
        return "; the interpreter in its first line is missing"
    return ""


def exit_status(status: int) -> int:
    """What wait(2) told, as a shell would put it: 128 + N when signal N killed."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _given_environment() -> dict[bytes, bytes]:
    """In the C locale Python adds LC_CTYPE=C.UTF-8 to its own environment (PEP 538): the child gets it as it was."""
    environment = dict(os.environb)
    if b"LC_CTYPE" in environment:
        try:
            with open("/proc/self/environ", "rb") as given:
                kept = [entry for entry in given.read().split(b"\0") if entry.startswith(b"LC_CTYPE=")]
        except OSError:
            return environment  # no /proc: the addition is harmless
        del environment[b"LC_CTYPE"]
        environment.update((b"LC_CTYPE", entry[9:]) for entry in kept)
    return environment


def whole(text: str) -> int | None:
    """Decimal digits and nothing else; None for all that int() would take besides."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
