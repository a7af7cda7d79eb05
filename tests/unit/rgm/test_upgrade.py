"""May the runner be replaced now? Facts and the time spent waiting in, a ruling with its reason out."""

from __future__ import annotations

import pytest

from gds.rgm.life import Life
from gds.rgm.upgrade import AT_REST, Later, Moment, Now, Refused, may_upgrade, understands

IDLE = Moment()


def test_a_runner_at_rest_may_be_replaced() -> None:
    assert may_upgrade(IDLE, 0.0, 0.0) == Now()


def test_a_runner_that_stops_is_never_replaced() -> None:
    assert may_upgrade(Moment(stopping=True), 0.0, 1e9) == Refused("the runner is stopping everything")


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (Moment(lives=(("web", Life.STARTING),)), "web, which is STARTING"),
        (
            Moment(lives=(("web", Life.STARTING),), methods=("web:Probe", "db:Validate")),
            "web, which is STARTING, Validate of db",
        ),
        (Moment(methods=("web",)), "web, whose processes are being started or ended"),
        (Moment(tags=("one",)), "nametag one, which is being started or ended"),
        (Moment(reloading=True), "a reload"),
        (Moment(asked=1), "a request that is not answered yet"),
        (Moment(asked=3), "3 requests"),
        (Moment(methods=tuple(f"r{n}:Init" for n in range(8))), "Init of r0, Init of r1, Init of r2, Init of r3, Init"
         " of r4 and 3 more"),
    ],
)  # fmt: skip
def test_what_is_under_way_is_waited_for_and_named(moment: Moment, said: str) -> None:
    assert may_upgrade(moment, 1.0, 30.0) == Later(said)
    assert may_upgrade(moment, 30.0, 30.0) == Refused(f"it waits for {said}, and did so for 30 s")
    assert may_upgrade(moment, 0.0, 0.0) == Refused(f"it waits for {said}")


def test_every_life_is_at_rest_or_has_a_method_or_a_wait_before_it() -> None:
    moving = {Life.PREPARING, Life.STARTING, Life.HELD, Life.CYCLING, Life.STOPPING, Life.CLEARING, Life.ABANDONING}
    assert moving == set(Life) - AT_REST


def test_another_format_is_another_language() -> None:
    assert understands(1, 1) == ""
    assert understands(1, 2) == "it reads what is handed over in format 2, and this runner writes format 1"
