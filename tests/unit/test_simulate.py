"""The simulation beyond its scenarios: a play without an end, and one that ends where it is told to."""

from __future__ import annotations

from gds.model.resource import Command, Plan, Resource
from gds.model.state import ResourceState
from gds.script import Asked, Died, Script, Starting, Starts
from gds.simulate import MOST, simulate

WEB = Resource("web", Command(("web",)))


def test_a_play_without_an_end_is_cut() -> None:
    for_ever = Plan((WEB.replace(retry_count=-1),))
    said = simulate(for_ever, Script((Starts(0.0, "web", Starting(dies="exit status 1")),)))
    assert said.cut
    assert MOST <= len(said.lines) < MOST + 10


def test_it_ends_when_nothing_is_due_any_more() -> None:
    said = simulate(Plan((WEB,)), Script((Died(5.0, "web", "exit status 0"),)))
    assert said.at == 5.1
    assert (said.exit_status, said.cut) == (-1, False)
    assert [s.state for s in said.before] == [ResourceState.OFFLINE]
    assert [s.state for s in said.after] == [ResourceState.ONLINE]


def test_it_ends_where_it_is_told_to() -> None:
    early = Script((Died(5.0, "web", "exit status 0"),), until=5.05)
    said = simulate(Plan((WEB,)), early)
    assert said.at == 5.05
    assert said.after[0].state is ResourceState.STARTING
    late = simulate(Plan((WEB,)), early.replace(until=1000.0))
    assert late.at == 1000.0
    assert late.after[0].restarts == 0  # the window has slid away


def test_nothing_is_declared_and_nothing_happens() -> None:
    said = simulate(Plan(), Script(until=10.0))
    assert (said.lines, said.after, said.at) == ((), (), 10.0)


def test_the_dice_are_the_scripts() -> None:
    plan = Plan((WEB.replace(restart_delay=10.0),))
    deaths = (Died(10.0, "web", "exit status 0"), Died(20.0, "web", "exit status 0"))
    waited = {
        chance: [
            line.text for line in simulate(plan, Script(deaths, chance=chance)).lines if line.text.startswith("wait")
        ]
        for chance in (0.0, 1.0)
    }
    assert waited == {0.0: ["wait 9 s (restart_delay)"], 1.0: ["wait 11 s (restart_delay)"]}


def test_an_old_appointment_does_not_lengthen_the_play() -> None:
    plan = Plan((WEB.replace(restart_delay=1000.0),))
    deaths = (Died(10.0, "web", "exit status 0"), Died(20.0, "web", "exit status 0"))
    said = simulate(plan, Script((*deaths, Asked(30.0, "web", "stop"))))
    assert said.at == 30.0
    assert said.after[0].state is ResourceState.OFFLINE
