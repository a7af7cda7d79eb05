"""A status that a method or a monitor has set, and a Start whose failure is excused. Sun: semantics.md 7.2, 10.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gds.model.state import FailoverMode, ResourceStatus
from gds.rgm import commands
from gds.rgm.events import (
    GiveoverAsked,
    LeftAlone,
    PrenetFailed,
    PrenetSucceeded,
    RestartAsked,
    StartAsked,
    StartFailed,
    StartRefused,
    StartSucceeded,
    StopAsked,
    StopFailed,
    StopSucceeded,
    UserStuck,
)
from gds.rgm.resource import Around, Life, ResourceView, Step, step

if TYPE_CHECKING:
    from gds.rgm.events import Event

L, S = Life, ResourceStatus
TOLD = (S.DEGRADED, "half of it")


def after(
    life: Life, event: Event, around: Around | None = None, mode: FailoverMode = FailoverMode.NONE, **more: object
) -> Step:
    """What comes of it for a resource whose status was set."""
    view = ResourceView("r", life, "why", status=TOLD[0], status_msg=TOLD[1], told=True).replace(**more)
    return step(view, event, mode, "refuse", 5.0, around or Around())


@pytest.mark.parametrize(
    ("life", "event", "around", "then"),
    [
        (L.STARTING, StartSucceeded(), Around(), L.ONLINE),
        (L.STARTING, StartFailed("no"), Around(), L.ABANDONING),
        (L.ABANDONING, StopSucceeded(), Around(), L.START_FAILED),
        (L.ABANDONING, StopFailed("no"), Around(), L.STOP_FAILED),
        (L.STOPPING, StopSucceeded(), Around(), L.OFFLINE),
        (L.STOPPING, StopFailed("no"), Around(), L.STOP_FAILED),
        (L.STOPPING, StopSucceeded(), Around(postnet=True), L.CLEARING),
        (L.PREPARING, PrenetSucceeded(), Around(prenet=True), L.STARTING),
        (L.PREPARING, PrenetFailed("no"), Around(), L.ABANDONING),
        (L.ONLINE, StopAsked("x"), Around(in_use="waits for web"), L.HELD),
        (L.HELD, UserStuck("x"), Around(), L.ONLINE),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, Life) else str(value),
)
def test_what_was_said_on_the_way_holds_at_its_end(life: Life, event: Event, around: Around, then: Life) -> None:
    made = after(life, event, around, next=L.STOPPING).view
    assert (made.life, made.status, made.status_msg, made.told) == (then, *TOLD, True)


@pytest.mark.parametrize(
    ("life", "event", "status"),
    [
        (L.ONLINE, StopAsked("x"), S.UNKNOWN),
        (L.ONLINE, RestartAsked("x"), S.DEGRADED),
        (L.OFFLINE, StartAsked("x"), S.UNKNOWN),
        (L.CYCLING, StopSucceeded(), S.UNKNOWN),
        (L.ONLINE, LeftAlone("x"), S.FAULTED),
        (L.ONLINE, GiveoverAsked("x"), S.FAULTED),
        (L.STARTING, GiveoverAsked("x"), S.FAULTED),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, Life) else str(value),
)
def test_a_new_way_up_or_down_and_a_verdict_say_something_of_their_own(
    life: Life, event: Event, status: ResourceStatus
) -> None:
    made = after(life, event).view
    assert (made.status, made.told) == (status, False)
    assert made.status_msg != TOLD[1]


@pytest.mark.parametrize(("excused", "orders"), [(True, ()), (False, (commands.PurgeHistory(), commands.RunStart))])
@pytest.mark.parametrize("mode", [FailoverMode.SOFT, FailoverMode.HARD])
def test_an_excused_start_that_fails_is_not_recovered(
    mode: FailoverMode, excused: bool, orders: tuple[object, ...]
) -> None:
    failed = after(L.STARTING, StartFailed("no"), mode=mode, excused=excused)
    assert failed.view.excused is excused
    made = step(failed.view, StopSucceeded(), mode, "refuse", 6.0)
    assert [type(order) for order in made.orders] == [o if isinstance(o, type) else type(o) for o in orders]
    assert (made.view.life is L.START_FAILED) is excused
    assert not made.view.excused


@pytest.mark.parametrize(
    ("life", "event", "around"),
    [
        (L.STARTING, StartSucceeded(), Around()),
        (L.PREPARING, PrenetSucceeded(), Around(prenet=True)),
        (L.STARTING, RestartAsked("x"), Around()),
    ],
)
def test_an_excuse_is_for_one_invocation(life: Life, event: Event, around: Around) -> None:
    assert not after(life, event, around, excused=True).view.excused


@pytest.mark.parametrize("life", [L.OFFLINE, L.START_FAILED])
def test_what_it_said_before_its_type_refused_it_holds_no_longer(life: Life) -> None:
    made = after(life, StartRefused("Validate ended with 1"))
    assert (made.view.status, made.view.status_msg, made.view.told) == (S.FAULTED, "Validate ended with 1", False)
    assert (made.view.life, made.orders, made.because) == (L.START_FAILED, (), "Validate ended with 1")
