"""halockrun(1M): run a program while holding a lock on a file.

Options and exit statuses are Sun's to the letter (semantics.md 6.2); `_USAGE` below has the synopsis.

    99    halockrun itself failed before the program ran (bad usage, the file, the exec); -e gives another number
    1     -n, and the lock is not free: at once, silent without -v; -e does not change it
    else  the program's own status; 128 + N when signal N killed it

The lock is an fcntl lock on the whole file, exclusive or with -s shared. It belongs to the process of halockrun alone
and goes with it however that ends; no child inherits it, so a daemon that the program leaves behind keeps nothing.

Beyond Sun's page: `--help`.

Why so
    The file is created with mode 0600: whoever can open it can hold others off for ever. Whoever wants to share it
    makes the file first, with the mode they want. An existing file is opened without O_CREAT, which the kernel
    refuses for another user's file in a directory such as /tmp. -s opens for reading only, so read permission is
    enough once the file exists.
    Signals. While it waits for the lock a signal ends halockrun as it would any program. While the program runs,
    TERM, HUP, INT, QUIT, ABRT, ALRM, USR1 and USR2 are passed on to it and the lock is held until it has ended. The
    program shares our process group (it may read the terminal), so what the terminal sent has reached it already
    and is not sent twice.

This is a door: the standard library only, and what launching.py has for both.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys

from gds.cli.launching import (
    FORWARDED,
    claim_signals,
    exit_code,
    exit_status,
    printable,
    say,
    show,
    spawn,
    split_options,
)
from gds.errors import EngineError, GdsError, UsageError

_USAGE = """\
usage: halockrun [-nsv] [-e exitcode] lockfile prog [args]
"""

FAILED = 99
BUSY = 1
_NEW_FILE_MODE = 0o600


class Options:
    """The command line of halockrun. Read at once; `check` says whether it can be used, so that -e holds for that
    failure too, wherever it stands."""

    def __init__(self, argv: list[str]) -> None:
        self.error_exit = FAILED
        found, operands, self._problem = split_options(argv, "nsv", "e")
        letters = {letter for letter, _ in found}
        self.nonblocking = "n" in letters
        self.shared = "s" in letters
        self.verbose = "v" in letters
        for letter, value in found:
            if letter == "e":
                try:
                    self.error_exit = exit_code(value)
                except UsageError as error:
                    self._problem = self._problem or str(error)
        self.lockfile = operands[0] if operands else ""
        self.command = operands[1:]

    def check(self) -> None:
        """Raises UsageError with the first mistake."""
        if self._problem:
            raise UsageError(self._problem)
        if not self.lockfile or not self.command:
            raise UsageError("cannot run without a lock file and a program: expected lockfile prog [args]")


def _open(options: Options) -> int:
    """The descriptor of the lock file, created if missing. Raises EngineError."""
    # O_NONBLOCK: a FIFO must not hold us; for a file it means nothing
    flags = (os.O_RDONLY if options.shared else os.O_RDWR) | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        try:
            return os.open(options.lockfile, flags)
        except FileNotFoundError:
            return os.open(options.lockfile, flags | os.O_CREAT, _NEW_FILE_MODE)
    except (OSError, ValueError) as error:  # ValueError: a name that no system call can take
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise EngineError(f"cannot open lock file {printable(options.lockfile)}: {reason}") from None


def _lock(descriptor: int, options: Options) -> bool:
    """Claims the whole file; False when -n was given and it is not free. Waits for ever without -n.

    Raises EngineError when the system cannot lock it.
    """
    kind = fcntl.LOCK_SH if options.shared else fcntl.LOCK_EX
    name = printable(options.lockfile)
    try:
        try:
            fcntl.lockf(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if options.verbose:
                say("halockrun", f"lock on {name} is not free" + ("" if options.nonblocking else ": waiting"))
            if options.nonblocking:
                return False
            fcntl.lockf(descriptor, kind)
    except OSError as error:
        raise EngineError(f"cannot lock {name}: {error.strerror}") from None
    if options.verbose:
        say("halockrun", f"holds the {'shared' if options.shared else 'exclusive'} lock on {name}")
    return True


def _run(options: Options) -> int:
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while waiting: end as any program, without a traceback
    if not _lock(_open(options), options):
        return BUSY
    claimed, mask = claim_signals((signal.SIGTERM, *FORWARDED))
    pid = spawn(options.command, mask, own_group=False)
    if options.verbose:
        say("halockrun", f"{printable(options.command[0])} runs as process {pid}")
    while True:
        news = signal.sigwaitinfo(claimed)
        if news.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = exit_status(status)
                if options.verbose:
                    say("halockrun", f"{printable(options.command[0])} ended with status {code}")
                return code
        elif news.si_code <= 0:  # sent by a process; above 0 the kernel has sent it to the whole group
            try:
                os.kill(pid, news.si_signo)
            except PermissionError:
                say("halockrun", f"cannot pass signal {news.si_signo} on to process {pid}: it is another user's")


def main(argv: list[str] | None = None) -> int:
    """The console script; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments == ["--help"]:
        show(_USAGE, 1)
        return 0
    options = Options(arguments)
    try:
        options.check()
        return _run(options)
    except UsageError as error:
        say("halockrun", str(error), _USAGE)
    except GdsError as error:
        say("halockrun", str(error))
    return options.error_exit


if __name__ == "__main__":
    sys.exit(main())
