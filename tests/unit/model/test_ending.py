"""How a process ended, in words."""

from __future__ import annotations

import os
import signal

import pytest

from gds.model.ending import SIGNALS, how_it_ended, signal_name


def test_the_names_of_signals_are_this_machines() -> None:
    # Python also knows the borders of the real-time range, which are no names of signals
    machine = {s.value: s.name for s in signal.Signals if not s.name.startswith("SIGRT")}
    assert machine == SIGNALS


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "exit status unknown"),
        (0, "exit status 0"),
        (3 << 8, "exit status 3"),
        (255 << 8, "exit status 255"),
        (9, "killed by SIGKILL"),
        (11 | 0x80, "killed by SIGSEGV, core dumped"),
        (35, "killed by signal 35"),
    ],
)
def test_a_wait_status_in_words(status: int | None, words: str) -> None:
    assert how_it_ended(status) == words


def test_a_real_death_reads_the_same() -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "kill -TERM $$"], dict(os.environ))
    _, status = os.waitpid(pid, 0)
    assert how_it_ended(status) == "killed by SIGTERM"


def test_a_number_without_a_name() -> None:
    assert signal_name(15) == "SIGTERM"
    assert signal_name(64) == "signal 64"
