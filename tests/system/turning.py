"""A part of the runner on a loop that the test turns by itself, with a log it can read, and no descriptor left open."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gds.linux.journal import Log
from gds.linux.loop import Loop


class Turning:
    """The loop and the log; `close` them."""

    def __init__(self) -> None:
        self.loop = Loop()
        self._said = os.memfd_create("log")
        self.log = Log("journal", self._said)

    @property
    def said(self) -> list[str]:
        """The lines of the log."""
        return os.pread(self._said, 1_000_000, 0).decode().splitlines()

    def until(self, fact: Callable[[], bool], within: float = 60.0) -> None:
        """Turn the loop until it is so."""
        deadline = time.monotonic() + within
        while not fact():
            assert time.monotonic() < deadline, f"not within {within} s; the log: {self.said}"
            self.loop.turn(0.02)

    def close(self) -> None:
        """Nothing of it stays open."""
        self.loop._epoll.close()
        os.close(self._said)


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """What runs inside closes all that it opens."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert set(os.listdir("/proc/self/fd")) - before == set(), "a descriptor was left open"
