"""The loop under a clock that tests drive."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gds.linux.loop import Loop
from gds.testing.clock import FakeClock


class Told:
    """What was called back, and when."""

    def __init__(self) -> None:
        self.clock = FakeClock(50.0)
        self.loop = Loop(self.clock)
        self.facts: list[tuple[float, str]] = []

    def mark(self, word: str) -> None:
        """A callback."""
        self.facts.append((self.clock.monotonic(), word))

    def run(self, seconds: float) -> list[tuple[float, str]]:
        """What comes of so many seconds."""
        self.facts = []
        self.clock.run(self.loop, seconds)
        return self.facts


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.loop._epoll.close()


def test_appointments_are_kept_in_order_at_their_instants(told: Told) -> None:
    for word, seconds in (("c", 3.0), ("a", 1.0), ("b", 2.5)):
        told.loop.after(seconds, lambda word=word: told.mark(word))  # type: ignore[misc]  # mypy cannot infer it
    assert told.run(10.0) == [(51.0, "a"), (52.5, "b"), (53.0, "c")]
    assert told.loop.now() == 60.0


def test_none_is_kept_early(told: Told) -> None:
    told.loop.after(2.0, lambda: told.mark("late"))
    assert told.run(1.999) == []
    assert told.run(0.001) == [(52.0, "late")]


def test_an_appointment_made_by_another_is_kept_in_the_same_run(told: Told) -> None:
    def again() -> None:
        told.mark("again")
        if told.clock.monotonic() < 54.0:
            told.loop.after(1.0, again)

    told.loop.after(1.0, again)
    assert [at for at, _ in told.run(10.0)] == [51.0, 52.0, 53.0, 54.0]


def test_one_that_is_overdue_is_kept_now(told: Told) -> None:
    told.loop.at(10.0, lambda: told.mark("overdue"))
    assert told.run(0.0) == [(50.0, "overdue")]


def test_a_cancelled_appointment_is_not_kept(told: Told) -> None:
    told.loop.after(1.0, lambda: told.mark("no")).cancel()
    assert told.run(5.0) == []


def test_what_is_asked_for_soon_comes_before_what_waits_for_idleness(told: Told) -> None:
    def soon() -> None:
        told.mark("soon")
        told.loop.soon(lambda: told.mark("sooner or later"))

    told.loop.when_idle(lambda: told.mark("idle"))
    told.loop.soon(soon)
    assert [word for _, word in told.run(0.0)] == ["soon", "sooner or later", "idle"]


def test_what_idleness_asks_for_is_done_at_the_same_instant(told: Told) -> None:
    told.loop.when_idle(lambda: told.loop.soon(lambda: told.loop.when_idle(lambda: told.mark("done"))))
    assert told.run(0.0) == [(50.0, "done")]


def test_real_descriptors_are_heard_too(told: Told) -> None:
    reader, writer = os.pipe()
    told.loop.watch(reader, lambda _events: told.mark(os.read(reader, 10).decode()))
    os.write(writer, b"word")
    assert told.run(0.0) == [(50.0, "word")]
    told.loop.unwatch(reader)
    os.close(reader)
    os.close(writer)


def test_time_does_not_go_back(told: Told) -> None:
    with pytest.raises(ValueError, match="cannot let -1 s pass: time does not go back"):
        told.clock.run(told.loop, -1)
    assert not [name for name in vars(FakeClock) if "set" in name.split("_")]


def test_a_loop_that_never_rests_is_told_of(told: Told) -> None:
    def restless() -> None:
        told.loop.soon(restless)

    restless()
    with pytest.raises(RuntimeError, match="cannot come to rest at 50"):
        told.clock.run(told.loop, 1.0)
