"""How many idle keepers wait, and for how long, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gds.linux.keeperpool import Pool
from gds.linux.loop import Loop


class Clock:
    """Time stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Place:
    """A pool, and who was ended."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = Loop(self.clock)
        self.ended: list[Any] = []
        self.pool = Pool(self.loop, self.ended.append)

    def put(self, count: int) -> list[Any]:
        """So many keepers become idle, one after the other."""
        keepers: list[Any] = [Named(number) for number in range(count)]
        for keeper in keepers:
            self.pool.put(keeper)
        return keepers

    def settle(self) -> None:
        """Until nothing is due."""
        for _each in range(4):
            self.loop.turn(0.0)


class Named:
    """Stands for a keeper, of which the pool wants nothing but that it is itself."""

    def __init__(self, number: int) -> None:
        self.number = number


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.loop._epoll.close()


def test_the_last_to_become_idle_is_taken_first(place: Place) -> None:
    first, second = place.put(2)

    assert place.pool.take() is second
    assert place.pool.take() is first
    assert place.pool.take() is None


def test_too_many_are_ended_when_nothing_else_waits_and_not_before(place: Place) -> None:
    keepers = place.put(100)
    assert place.ended == [], "a restart in this turn may want them"

    place.settle()

    assert place.ended == keepers[:84]
    assert place.pool.take() is keepers[-1]


def test_two_wait_for_ever_and_the_others_for_half_a_minute(place: Place) -> None:
    keepers = place.put(5)
    place.clock.now += 29.0
    place.settle()
    assert place.ended == []

    place.clock.now += 2.0
    place.settle()

    assert place.ended == keepers[:3]
    assert place.loop.next_due() is None, "nothing is due for those who stay"


def test_who_came_later_waits_its_own_half_minute(place: Place) -> None:
    early = place.put(4)
    place.clock.now += 20.0
    late = place.put(2)

    place.clock.now += 11.0
    place.settle()
    assert place.ended == early

    place.clock.now += 100.0
    place.settle()
    assert place.ended == early
    assert place.pool.take() is late[1]


def test_a_few_need_no_timer(place: Place) -> None:
    place.put(2)

    assert place.loop.next_due() is None


def test_one_that_died_is_no_longer_there(place: Place) -> None:
    first, second = place.put(2)

    assert place.pool.remove(second)
    assert not place.pool.remove(second)
    assert place.pool.take() is first
