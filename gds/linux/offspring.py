"""What the processes forked from the runner have in common: the zygote, and the keepers that it forks in turn.

Signals that are the runner's to answer, waking up when a child ended, and telling the runner of an error of ours.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

IGNORED = frozenset(
    (
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGPIPE,
        signal.SIGALRM,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
    )
)
"""What a keeper and the zygote do not hear: a shutdown's or a terminal's signal is the runner's to answer, in order."""


def wake_on_children() -> int:
    """A descriptor that is readable when a child ended or was stopped."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    return reader


def drain(wake: int) -> None:
    """Forget what woke us; call it before looking."""
    try:
        while len(os.read(wake, 4096)) == 4096:
            pass
    except BlockingIOError:
        pass  # read in full


def read_all(fd: int) -> bytes:
    """What was written into a pipe until nobody could write any more; closes it."""
    data = b""
    try:
        while more := os.read(fd, 4096):
            data += more
    finally:
        os.close(fd)
    return data


def _nothing(_number: int, _frame: object) -> None:
    """The wake-up descriptor carries the news."""


def trouble() -> str:
    """The error being handled and where it was raised; `traceback` is large and may not be readable any more."""
    _kind, error, trace = sys.exc_info()
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return f"{error!r} at {', '.join(places)}"
