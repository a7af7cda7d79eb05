"""The table of a resource's life is total: nobody has to guess what an event does in a life."""

from __future__ import annotations

import pytest

from gds.model.value import Value
from gds.rgm import events
from gds.rgm.events import EVENTS
from gds.rgm.life import BY_MORE_THAN_LIFE, DETOURS, IGNORED, LIFE_HELP, TABLE, Life

PAIRS = [(life, kind) for life in Life for kind in EVENTS]


@pytest.mark.parametrize(("life", "kind"), PAIRS, ids=[f"{life} {kind.__name__}" for life, kind in PAIRS])
def test_every_pair_of_life_and_event_is_in_exactly_one_place(life: Life, kind: type[Value]) -> None:
    places = {
        "TABLE": (life, kind) in TABLE,
        "IGNORED": (life, kind) in IGNORED,
        "BY_MORE_THAN_LIFE": (life, kind) in BY_MORE_THAN_LIFE,
    }
    assert sum(places.values()) == 1, f"{life}, {kind.__name__}: {[name for name, there in places.items() if there]}"


def test_no_place_knows_a_pair_that_cannot_be() -> None:
    assert {*TABLE, *IGNORED, *BY_MORE_THAN_LIFE} <= set(PAIRS)


def test_every_ignored_pair_has_its_reason() -> None:
    assert all(IGNORED.values())


def test_all_events_are_listed() -> None:
    declared = {
        each
        for each in vars(events).values()
        if isinstance(each, type) and issubclass(each, Value) and each is not Value
    }
    assert declared == set(EVENTS)


def test_every_life_can_be_reached_and_left() -> None:
    reached = {after for (before, _), after in TABLE.items() if after is not before}
    left = {before for (before, _), after in TABLE.items() if after is not before}
    # WAITING is entered by `step` itself: a delay; HELD is left for what it was held for
    assert reached | {each for detours in DETOURS.values() for each in detours} | {Life.WAITING} == set(Life)
    assert left | {Life.HELD} == set(Life)


def test_every_life_has_its_meaning() -> None:
    assert list(LIFE_HELP) == list(Life)
