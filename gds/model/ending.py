"""How a process ended, in words, from the wait status that os.waitpid gives."""

from __future__ import annotations

SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    5: "SIGTRAP",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    10: "SIGUSR1",
    11: "SIGSEGV",
    12: "SIGUSR2",
    13: "SIGPIPE",
    14: "SIGALRM",
    15: "SIGTERM",
    16: "SIGSTKFLT",
    17: "SIGCHLD",
    18: "SIGCONT",
    19: "SIGSTOP",
    20: "SIGTSTP",
    21: "SIGTTIN",
    22: "SIGTTOU",
    23: "SIGURG",
    24: "SIGXCPU",
    25: "SIGXFSZ",
    26: "SIGVTALRM",
    27: "SIGPROF",
    28: "SIGWINCH",
    29: "SIGIO",
    30: "SIGPWR",
    31: "SIGSYS",
}
"""Linux's numbers on x86, ARM, POWER, RISC-V and s390; a test holds them against the machine's."""


def signal_name(number: int) -> str:
    """SIGTERM for 15; "signal 35" for one without a name."""
    return SIGNALS.get(number, f"signal {number}")


def how_it_ended(status: int | None) -> str:
    """A wait status in words: "exit status 1", "killed by SIGKILL"; None: nobody can know."""
    if status is None:
        return "exit status unknown"
    number = status & 0x7F
    if number:
        return f"killed by {signal_name(number)}{', core dumped' if status & 0x80 else ''}"
    return f"exit status {status >> 8}"
