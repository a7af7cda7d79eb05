"""hatimerun(1M): run a program under a time limit, in a process group of its own.

Options and exit statuses are Sun's to the letter (semantics.md 6.1); `_USAGE` below has the synopsis.

    99    the limit was reached; -e gives another number
    98    the limit was not reached but hatimerun itself failed: bad usage, a program that cannot be executed;
          also after SIGTERM, which kills the program as the limit does. -e does not change it
    else  the program's own status; 128 + N when signal N killed it

At the limit the whole process group gets SIGKILL, or what -k says, and hatimerun ends at once: it neither waits nor
escalates. A signal that a stopped program would not hear is followed by SIGCONT.

Beyond Sun's page: fractions of a second and of a percent, signal names with SIG before them, `--help`.

Why so
    Other signals. Sun names SIGTERM only. HUP, INT, QUIT, ABRT, ALRM, USR1 and USR2 are passed on to the group, as
    if hatimerun were not there (Ctrl-C reaches the program; RGM's SIGABRT too, semantics.md 6.4), and the wait goes
    on: hatimerun never ends before the program or its limit. One that came ignored (nohup) stays ignored. SIGTSTP
    stops both and `fg` continues both; the limit is real time, and goes on. SIGKILL cannot be passed on: it leaves
    the program running.
    -a and SIGTERM. -a speaks of the limit; SIGTERM before it still kills.
    The terminal. A group of its own is a background group, and a background program that reads the terminal is
    stopped (SIGTTIN). When that happens while hatimerun is in the foreground it lends the terminal to the group and
    continues it, so prompts and editors work, and takes it back at the end. While hatimerun itself is in the
    background the program stays stopped, as any job would, and the limit still ends it.
    -d. posix_spawn returns when the exec is done, so the clock is read just after it, and without -d just before. An
    exec that hangs in the kernel (a dead file server) holds hatimerun too: it says 99 only when the exec comes back.

This is a door: the standard library only, and few modules of it, because it is started for every command of a
script. What halockrun shares with it (options, spawning, statuses) is in launching.py.
"""

from __future__ import annotations

import os
import signal
import sys
import time

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
    whole,
)
from gds.errors import GdsError, UsageError

_USAGE = """\
usage: hatimerun -t secs [-adv] [-e exitcode] [-x percent] prog [args]
       hatimerun -t secs [-dv] [-e exitcode] [-k signal] [-x percent] prog [args]
"""

TIMED_OUT = 99
FAILED = 98

# A SIGCONT after one of these would undo it; SIGKILL needs none.
_NO_CONT_AFTER = (signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT)
_LONGEST_WAIT = 1e7  # seconds; sigtimedwait refuses a time_t that overflows


# ---- options --------------------------------------------------------------------------------------------------------


class Options:
    """The command line of hatimerun, checked. Raises UsageError."""

    def __init__(self, argv: list[str]) -> None:
        self.limit = 0.0  # seconds
        self.leave_running = False
        self.clock_from_exec = False
        self.timeout_exit = TIMED_OUT
        self.kill_signal: int = signal.SIGKILL
        self.verbose = False
        self.threshold: float | None = None  # percent of limit
        found, self.command, problem = split_options(argv, "adv", "tekx")
        if problem:
            raise UsageError(problem)
        for letter, value in found:
            self._take(letter, value)
        letters = {letter for letter, _ in found}
        if "t" not in letters:
            raise UsageError("cannot run without a limit: -t secs is required")
        if "a" in letters and "k" in letters:
            raise UsageError("cannot use -a together with -k: -a leaves the program running at the limit")
        if not self.command:
            raise UsageError("cannot run without a program: expected prog [args] after the options")

    def _take(self, letter: str, value: str) -> None:
        if letter == "t":
            self.limit = _number(value) or 0.0
            if self.limit <= 0:
                raise UsageError(f"cannot use -t {printable(value)}: expected seconds above 0, without a unit")
        elif letter == "e":
            self.timeout_exit = exit_code(value)
        elif letter == "k":
            self.kill_signal = _signal_number(value)
        elif letter == "x":
            self.threshold = _number(value)
            if self.threshold is None or self.threshold > 100:
                raise UsageError(f"cannot use -x {printable(value)}: expected a percentage from 0 to 100")
        elif letter == "a":
            self.leave_running = True
        elif letter == "d":
            self.clock_from_exec = True
        else:
            self.verbose = True


def _number(text: str) -> float | None:
    """Digits with at most one point; None for all else that float() would take (signs, inf, exponents)."""
    digits = text.replace(".", "", 1)
    return float(text) if digits.isascii() and digits.isdecimal() else None


def _signal_number(text: str) -> int:
    name = text.upper() if text.isascii() else ""
    known = signal.Signals.__members__.get(name if name.startswith("SIG") else "SIG" + name)
    number = whole(text) if known is None else known
    if number is None or not 0 < number < signal.NSIG:
        expected = f"expected a signal name such as TERM, or a number from 1 to {signal.NSIG - 1}"
        raise UsageError(f"cannot use -k {printable(text)}: {expected}")
    return number


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# ---- the run --------------------------------------------------------------------------------------------------------


class Group:
    """The program and its process group, while the program is not yet reaped: so the number cannot be another's."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._terminal = -1  # the descriptor of the terminal while it is lent

    def signal(self, number: int) -> None:
        """Sends to the whole group, SIGCONT after it where a stopped process would not hear it."""
        self._send(number)
        if number not in _NO_CONT_AFTER:
            self._send(signal.SIGCONT)

    def _send(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            os.kill(self.pid, number)  # it moved to another group; as our child it is there, at least as a zombie

    def status(self) -> int | None:
        """The program's exit status; None while it lives. Sees to a program that the terminal has stopped."""
        pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
        if not pid:
            return None
        if not os.WIFSTOPPED(status):
            return exit_status(status)
        why = os.WSTOPSIG(status)
        if why in (signal.SIGTTIN, signal.SIGTTOU):
            self._lend_terminal()
        elif why == signal.SIGTSTP and self._terminal >= 0:  # Ctrl-Z reached the group alone
            self.take_terminal_back()
            self.suspend()
        return None

    def suspend(self) -> None:
        """Stops us too, as the job that we are; from here on when somebody continues us. The kernel lets a job
        stop only when there is someone to continue it, which is why this is no SIGSTOP."""
        signal.raise_signal(signal.SIGTSTP)  # blocked: waits for the next line
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
        self._send(signal.SIGCONT)

    def _lend_terminal(self) -> None:
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            return  # no terminal of ours; the limit ends it
        try:
            if os.tcgetpgrp(terminal) == os.getpgrp():  # else we are in the background and have nothing to lend
                os.tcsetpgrp(terminal, self.pid)
                self._terminal, terminal = terminal, self._terminal
                self._send(signal.SIGCONT)
        except OSError:
            pass  # the terminal has just gone; its SIGHUP is on the way
        if terminal >= 0:
            os.close(terminal)

    def take_terminal_back(self) -> None:
        """Undoes the loan, if there is one. SIGTTOU is blocked, else this would stop us."""
        if self._terminal < 0:
            return
        try:
            if os.tcgetpgrp(self._terminal) == self.pid:
                os.tcsetpgrp(self._terminal, os.getpgrp())
        except OSError:
            pass  # the terminal has gone: nothing to take back
        os.close(self._terminal)
        self._terminal = -1


def _kill(group: Group, options: Options, why: str) -> None:
    name = _signal_name(options.kill_signal)
    try:
        group.signal(options.kill_signal)
    except OSError as error:
        say("hatimerun", f"cannot send {name} to process group {group.pid}: {error.strerror}")
    else:
        if options.verbose:
            say("hatimerun", f"{why}: sent {name} to process group {group.pid}")


def _expired(group: Group, options: Options) -> int:
    if not options.leave_running:
        _kill(group, options, f"limit of {options.limit:g} s reached")
    elif options.verbose:
        say("hatimerun", f"limit of {options.limit:g} s reached: process group {group.pid} is left running")
    return options.timeout_exit


def _ended(status: int, used: float, options: Options) -> int:
    """The program ended by itself, after `used` seconds."""
    percent = 100 * used / options.limit
    name = printable(options.command[0])
    if options.threshold is not None and percent > options.threshold:
        say("hatimerun", f"{name} used {percent:.0f}% of its limit of {options.limit:g} s")
    if options.verbose:
        say("hatimerun", f"{name} ended with status {status} after {used:.3f} s")
    return status


def _pass_on(number: int, group: Group) -> None:
    try:
        group.signal(number)
    except PermissionError as error:  # a program of another user; it is still under the limit
        say("hatimerun", f"cannot send {_signal_name(number)} to process group {group.pid}: {error.strerror}")


def _watch(group: Group, began: float, claimed: set[signal.Signals], options: Options) -> int:
    """Waits for the end, the limit or a signal, asleep; returns what to exit with."""
    while True:
        left = began + options.limit - time.monotonic()
        if left <= 0:
            # An end not yet seen goes before the limit: a hatimerun that was itself held up kills nobody in time.
            status = group.status()
            return _expired(group, options) if status is None else _ended(status, options.limit - left, options)
        news = signal.sigtimedwait(claimed, min(left, _LONGEST_WAIT))
        if news is None or began + options.limit <= time.monotonic():
            # Stopped (SIGSTOP) and continued after the limit, CPython 3.11 returns a siginfo that nobody filled in.
            continue
        if news.si_signo == signal.SIGCHLD:
            status = group.status()
            if status is not None:
                return _ended(status, time.monotonic() - began, options)
        elif news.si_signo == signal.SIGTERM:
            _kill(group, options, "SIGTERM")
            return FAILED
        elif news.si_signo == signal.SIGTSTP:
            _pass_on(signal.SIGTSTP, group)
            group.suspend()
        else:
            _pass_on(news.si_signo, group)


def _run(options: Options) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Sun: it is caught, even where it came ignored
    claimed, mask = claim_signals((signal.SIGTERM, signal.SIGTSTP, *FORWARDED))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    began = time.monotonic()
    group = Group(spawn(options.command, mask, own_group=True))
    if options.clock_from_exec:
        began = time.monotonic()
    if options.verbose:
        name = printable(options.command[0])
        say("hatimerun", f"{name} runs as process group {group.pid}, limit {options.limit:g} s")
    try:
        return _watch(group, began, claimed, options)
    finally:
        group.take_terminal_back()


def main(argv: list[str] | None = None) -> int:
    """The console script; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments == ["--help"]:
        show(_USAGE, 1)
        return 0
    try:
        return _run(Options(arguments))
    except UsageError as error:
        say("hatimerun", str(error), _USAGE)
    except GdsError as error:
        say("hatimerun", str(error))
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
