"""Scenarios that a runner recorded: what may stand in them, every mistake with its place, how they are replayed, and
what is said when the decisions are not the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gds.cli.simulate import main
from gds.config.scenario import read_scenario, scenario_of
from gds.fault.history import MonitorState
from gds.fault.score import Outcome, Score
from gds.model.resource import Command, Plan, Resource
from gds.model.state import ResourceStatus
from gds.model.window import Mark, Window
from gds.rgm.events import PostnetSucceeded, PrenetSucceeded, RestartJudged, StartAsked, StopAsked, StopSucceeded
from gds.rgm.resource import Around, Life, ResourceView
from gds.script import Asked, Decision, Happened, Probed, Script, Stands, Weighed, first_difference
from gds.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from gds.config.scenario import Scenario
    from gds.script import Fact

WEB = Resource("web", Command(("web",)), probe_command=Command(("ask",)), retry_count=1)
DB = WEB.replace(name="db")
HEAD = "recorded = true\n"


def scenario(text: str, *resources: Resource) -> Scenario:
    """What a text says."""
    return scenario_of(HEAD + text, "s.toml", Plan(resources or (WEB,)))


def fact(line: str) -> str:
    """A fact at 5 s."""
    return f"[[fact]]\nat = 5\n{line}\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("stands = {}", Stands(5.0, "web", ResourceView("web"))),
        (
            'stands = {view = {life = "ONLINE", status = "OK", at = -3.5, restarting = true},'
            " scores = [[-1.5, 50], [2, 1]], restarts = [-4], unable = [1], timeouts = 1, monitored = false,"
            " monitor_failed = true, alive = true}",
            Stands(
                5.0,
                "web",
                ResourceView("web", Life.ONLINE, at=-3.5, status=ResourceStatus.OK, restarting=True),
                MonitorState(Window((Mark(-1.5, 50), Mark(2.0, 1))), Window((Mark(-4.0),)), 1),
                Window((Mark(1.0),)),
                monitored=False,
                monitor_failed=True,
                alive=True,
            ),
        ),
        ('event = "StopSucceeded"', Happened(5.0, "web", StopSucceeded())),
        (
            'event = "RestartJudged"\nwith = {because = "why", delay = 2, cause = "x"}\naround = {unmet = "waits"}\n'
            'on_giveover = "exit"',
            Happened(5.0, "web", RestartJudged("why", 2.0, "x"), Around(unmet="waits"), "exit"),
        ),
        (
            'weighed = {points = 100, because = "it said so"}\ndead = true',
            Weighed(5.0, "web", Score(100, "it said so"), dead=True),
        ),
        (
            'answered = {kind = "exit", code = 3, seconds = 0.5}',
            Probed(5.0, "web", Outcome("exit", 3, seconds=0.5)),
        ),
        ('asked = "clear"', Asked(5.0, "web", "clear")),
    ],
)
def test_each_kind_of_fact(line: str, expected: Fact) -> None:
    found = scenario(fact(line))
    assert found.problems == ()
    assert found.script == Script((expected,), recorded=True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("died = 0", "died: unknown key"),
        ("probe = 0", "probe: unknown key"),
        ("", "expected one of stands, event, weighed, answered, asked"),
        ('event = "StopSucceeded"\nasked = "clear"', "not event and asked"),
        ('event = "Stopped"', "expected one of StartAsked"),
        ('event = "StartAsked"', "because is missing"),
        ('event = "StartAsked"\nwith = {because = 1}', "expected a string, not 1"),
        ('event = "StartAsked"\nwith = {because = "x", why = "y"}', "why: unknown key"),
        ('event = "StartAsked"\nwith = "x"', 'expected a table, not "x"'),
        ('event = "RestartJudged"\nwith = {because = "x", delay = "2s"}', "expected a number"),
        ('event = "GiveoverAsked"\nwith = {because = "x", by_monitor = 1}', "expected true or false"),
        ('event = "StopSucceeded"\naround = {unmet = 1}', "expected a string"),
        ('event = "StopSucceeded"\naround = 3', "expected a table, not 3"),
        ('event = "StopSucceeded"\non_giveover = "auto"', "expected one of refuse, exit"),
        ("stands = 3", "expected a table, not 3"),
        ("stands = {scores = 3}", "expected an array, not 3"),
        ("stands = {scores = [[1, 2, 3]]}", "expected a number, or two"),
        ("stands = {scores = [[1, -2]]}", "expected a whole number from 0"),
        ('stands = {restarts = ["x"]}', "expected a number"),
        ('stands = {view = {life = "UP"}}', "expected one of OFFLINE"),
        ('stands = {view = {status = "FINE"}}', "expected one of OK"),
        ("stands = {viev = {}}", "did you mean view?"),
        ("stands = {timeouts = -1}", "expected a whole number from 0"),
        ("weighed = {points = 100}", "because is missing"),
        ('weighed = {points = 1.5, because = "x"}', "expected a whole number"),
        ("answered = {}", "kind is missing"),
        ('answered = {kind = "well"}', "expected one of exit, signal"),
        ('asked = "dance"', "expected one of start"),
        ('event = "StopSucceeded"\nresource = "db"', 'there is no resource "db"'),
        ('event = "StopSucceeded"\nevery = 3', "every: unknown key"),
    ],
)
def test_each_mistake_in_a_fact(line: str, said: str) -> None:
    (problem, *_) = scenario(fact(line)).problems
    assert said in str(problem), str(problem)
    assert problem.line >= 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[fact]]\nevent = "StopSucceeded"\n', "at is missing: the seconds since the record begins"),
        ('[[fact]]\nat = -1\nevent = "StopSucceeded"\n', "seconds, 0 or more"),
        ("[[decided]]\nat = 1\n", "said is missing"),
        ('[[decided]]\nat = 1\nsaid = "x"\nwhy = "y"\n', "why: unknown key"),
        ("decided = 3\n", "expected tables [[decided]], not 3"),
        ('[[decided]]\nat = 1\nsaid = "x"\nresource = "db"\n', 'there is no resource "db"'),
    ],
)
def test_each_mistake_of_a_file(text: str, said: str) -> None:
    (problem, *_) = scenario(text).problems
    assert said in str(problem)


def test_recorded_is_true_or_false() -> None:
    (problem,) = scenario_of('recorded = "yes"\n', "s.toml", Plan((WEB,))).problems
    assert "expected true or false" in str(problem)
    (problem,) = scenario_of("a = [\n", "s.toml", None).problems
    assert problem.line in (1, 2)


def test_a_descriptor_takes_the_place_of_what_it_was_recorded_with() -> None:
    text = f'{HEAD}[resource.web]\nstart_command = "x"\nretry_count = 9\n'
    assert scenario_of(text, "s.toml", None).plan.resources[0].retry_count == 9
    assert scenario_of(text, "s.toml", Plan((WEB,))).plan.resources[0].retry_count == 1


# -- replay -----------------------------------------------------------------------------------------------------------


def play(*facts: Fact, resource: Resource = WEB) -> list[str]:
    """The transcript's lines from these facts on, ONLINE before."""
    view = ResourceView("web", Life.ONLINE, "why", status=ResourceStatus.OK)
    script = Script((Stands(0.0, "web", view, alive=True), *facts), recorded=True)
    made = simulate(Plan((resource,)), script)
    assert not made.cut
    return [line.text for line in made.lines[1:]]


DEATH = Weighed(1.0, "web", Score(100, "it died"), dead=True)


def test_nothing_comes_by_itself() -> None:
    made = simulate(Plan((WEB,)), Script(recorded=True))
    assert (made.lines, made.decisions) == ((), ())


def test_a_death_is_weighed_and_the_rest_is_told() -> None:
    lines = play(DEATH, Happened(2.0, "web", StopSucceeded()))
    assert lines == [
        "it died",
        "100 points: restart 1 of 1 within 370 s: it died",
        "ONLINE -> STOPPING (CYCLING), DEGRADED",
        "run Stop",
        "StopSucceeded",
        "STOPPING (CYCLING) -> STARTING, UNKNOWN",
        "run Start",
    ]


def test_what_was_weighed_may_not_fit_other_decisions() -> None:
    lines = play(DEATH, Happened(2.0, "web", StopSucceeded()), Happened(3.0, "web", StopSucceeded()))
    assert lines[-1] == "nothing changes: news of a method that no longer matters"
    assert play(DEATH, DEATH)[-1] == "not weighed: it is STOPPING"


def test_a_giveover_that_was_granted_is_not_carried_out_again() -> None:
    facts = (DEATH.replace(on_giveover="exit"), Happened(2.0, "web", StartAsked("no")))
    lines = play(*facts, resource=WEB.replace(retry_count=0))
    assert "leave this node" in lines
    assert lines[-1].startswith("nothing changes")


def test_a_delay_ends_when_it_is_told_to() -> None:
    resource = WEB.replace(restart_delay=10.0, retry_count=5)
    restarts = MonitorState(restarts=Window((Mark(-1.0),)))
    view = ResourceView("web", Life.ONLINE, "why", status=ResourceStatus.OK)
    facts = (Stands(0.0, "web", view, restarts, alive=True), DEATH, Happened(2.0, "web", StopSucceeded()))
    made = simulate(Plan((resource,)), Script(facts, recorded=True))
    assert made.after[0].state.value == "STARTING"
    assert made.at == 2.0
    assert made.lines[-1].text == "wait 10 s (restart_delay)"


def test_what_is_cleared_was_cleared() -> None:
    view = ResourceView("web", Life.STOP_FAILED, "left", status=ResourceStatus.FAULTED)
    facts = (Stands(0.0, "web", view, alive=True), Asked(1.0, "web", "clear"))
    made = simulate(Plan((WEB,)), Script(facts, recorded=True))
    assert made.after[0].state.value == "OFFLINE"
    assert [d.said for d in made.decisions] == ["OFFLINE, OFFLINE"]


def test_the_methods_around_start_and_stop_end_when_they_are_told_to() -> None:
    around = Around(prenet=True, postnet=True)
    facts = (
        Happened(1.0, "web", StopAsked("why"), around),
        Happened(2.0, "web", StopSucceeded(), around),
        Happened(3.0, "web", PostnetSucceeded(), around),
        Happened(4.0, "web", StartAsked("again"), around),
        Happened(5.0, "web", PrenetSucceeded(), around),
    )
    view = ResourceView("web", Life.ONLINE, "why", status=ResourceStatus.OK, prepared=True)
    made = simulate(Plan((WEB,)), Script((Stands(0.0, "web", view, alive=True), *facts), recorded=True))
    lives = [d.said.partition(",")[0] for d in made.decisions]
    assert lives == ["STOPPING", "CLEARING", "OFFLINE", "PREPARING", "STARTING"]


def test_what_a_monitor_was_told_to_say_is_not_taken_back_by_a_probe() -> None:
    view = ResourceView("web", Life.ONLINE, "why", status=ResourceStatus.DEGRADED, status_msg="slow", told=True)
    facts = (Stands(0.0, "web", view, alive=True), Probed(1.0, "web", Outcome("exit", 0)))
    made = simulate(Plan((WEB,)), Script(facts, recorded=True))
    assert made.after[0].status is ResourceStatus.DEGRADED
    assert [d.said for d in made.decisions] == ["Healthy"]


# -- comparison -------------------------------------------------------------------------------------------------------


def decision(said: str, resource: str = "web", at: float = 1.0) -> Decision:
    """One."""
    return Decision(at, resource, said, "")


def test_the_same_is_the_same_whenever_it_was() -> None:
    a, b = decision("A"), decision("B")
    assert first_difference((a, b), (a.replace(at=9.0), b)) is None
    assert first_difference((a, decision("X", "db"), b), (decision("X", "db"), a, b)) is None
    assert first_difference((), ()) is None


def test_the_first_difference_is_told() -> None:
    a, b, c = decision("A"), decision("B"), decision("C", at=7.0)
    changed = first_difference((a, b), (a, c))
    assert changed is not None
    assert (changed.expected, changed.made, changed.same) == (b, c, 1)
    missing = first_difference((a, b), (a,))
    assert missing is not None
    assert (missing.expected, missing.made) == (b, None)
    more = first_difference((a,), (a, c))
    assert more is not None
    assert (more.expected, more.made, more.same) == (None, c, 1)


PLAYED = f"""{HEAD}
[resource.web]
start_command = "x"

[[fact]]
at = 0
event = "StartAsked"
with = {{because = "why"}}

[[decided]]
at = 0
said = "STARTING, UNKNOWN"
because = "why"
"""


def test_the_comparison_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.toml"
    file.write_text(PLAYED)
    assert main([str(file)]) == 0
    assert capsys.readouterr().out.endswith("\n  the same decisions as recorded: 1\n")
    assert main([str(file), "--compare"]) == 0
    assert capsys.readouterr().out == "  the same decisions as recorded: 1\n"
    assert main([str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compared"] == {"same": True, "decisions": 1}

    file.write_text(PLAYED.replace('said = "STARTING, UNKNOWN"', 'said = "ONLINE, OK"'))
    assert main([str(file), "--compare"]) == 1
    assert capsys.readouterr().out == (
        "  NOT the same decisions: web at 0.000 s, the first of all\n"
        "    recorded  ONLINE, OK: why\n"
        "    now       STARTING, UNKNOWN: why\n"
    )
    file.write_text(PLAYED + '\n[[decided]]\nat = 1\nsaid = "ONLINE, OK"\n')
    assert main([str(file), "--compare"]) == 1
    assert capsys.readouterr().out == (
        "  NOT the same decisions: web at 1.000 s, after 1 that are\n    recorded  ONLINE, OK\n    now       nothing\n"
    )
    assert main([str(file), "--json"]) == 1
    compared = json.loads(capsys.readouterr().out)["compared"]
    assert (compared["same"], compared["after"], compared["now"]) == (False, 1, None)
    assert compared["recorded"] == {"at": 1.0, "resource": "web", "said": "ONLINE, OK", "because": ""}

    file.write_text(PLAYED.partition("[[decided]]")[0])
    assert main([str(file), "--compare"]) == 78
    assert "has no [[decided]]" in capsys.readouterr().err
    assert read_scenario(str(file), None).problems == ()
