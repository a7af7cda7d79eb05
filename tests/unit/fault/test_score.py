"""Outcome of a probe → score. Sun: semantics.md 2.6; design.md 2, "Probe statuses"."""

from __future__ import annotations

import pytest

from gds.fault.score import Outcome, Score, of_death, of_probe, of_silence
from gds.model.resource import Command, ExitMap, Probe, Resource

ASKED = Resource("web", Command(("web",)), probe_command=Command(("ask",)))
HTTP = Probe(
    "http", "http://x/", refused_score=90, timeout_score=40, disconnect_score=20, status_score=60, error_score=70
)
BUILT_IN = ASKED.replace(probe_command=None, probe=HTTP)
PORTS = ASKED.replace(probe_command=None)
MAPPED = ASKED.replace(exit_map=ExitMap(((0, 0), (1, 25), (2, 201)), 80))


@pytest.mark.parametrize(
    ("status", "points"),
    [(0, 0), (1, 1), (50, 50), (99, 99), (100, 100), (101, 100), (200, 100), (201, 201), (202, 100), (255, 100)],
)
def test_suns_scale_of_exit_statuses(status: int, points: int) -> None:
    assert of_probe(Outcome("exit", status), ASKED, 0) == Score(points, f"the probe exited with status {status}")


@pytest.mark.parametrize(("status", "points"), [(0, 0), (1, 25), (2, 201), (3, 80), (255, 80)])
def test_an_exit_map_translates(status: int, points: int) -> None:
    assert of_probe(Outcome("exit", status), MAPPED, 0).points == points


@pytest.mark.parametrize(
    ("outcome", "because"),
    [
        (Outcome("signal", 9), "the probe was killed by SIGKILL"),
        (Outcome("cannot"), "the probe cannot be executed"),
        (Outcome("cannot", 2, "no such file"), "the probe cannot be executed: no such file"),
    ],
)
def test_a_probe_that_could_not_say_anything_is_a_complete_failure(outcome: Outcome, because: str) -> None:
    assert of_probe(outcome, ASKED, 0) == Score(100, because)


@pytest.mark.parametrize(
    ("resource", "points"), [(ASKED, 50), (PORTS, 50), (BUILT_IN, 40)], ids=["command", "ports", "built-in"]
)
def test_one_timeout_is_a_partial_failure(resource: Resource, points: int) -> None:
    got = of_probe(Outcome("timeout"), resource, 0)
    assert got == Score(points, "the probe gave no answer within 30 s", timed_out=True)


@pytest.mark.parametrize(
    ("allowed", "before", "points", "row"),
    [
        (2, 0, 50, ""),
        (2, 1, 100, ", 2 times in a row"),
        (2, 2, 100, ", 3 times in a row"),
        (3, 1, 50, ""),
        (1, 0, 100, ""),
    ],
)
def test_num_probe_timeouts_in_a_row_are_a_complete_failure(allowed: int, before: int, points: int, row: str) -> None:
    got = of_probe(Outcome("timeout"), ASKED.replace(num_probe_timeouts=allowed, probe_timeout=0.5), before)
    assert got == Score(points, f"the probe gave no answer within 0.5 s{row}", timed_out=True)


@pytest.mark.parametrize(
    ("kind", "built_in", "plain"),
    [("ok", 0, 0), ("refused", 90, 100), ("disconnect", 20, 50), ("status", 60, 100), ("error", 70, 100)],
)
def test_each_way_of_a_built_in_probe_to_fail_has_its_own_score(kind: str, built_in: int, plain: int) -> None:
    outcome = Outcome(kind, 0, "what was seen")
    assert of_probe(outcome, BUILT_IN, 0) == Score(built_in, "what was seen")
    assert of_probe(outcome, PORTS, 0).points == plain
    assert kind == "ok" or of_probe(Outcome(kind), PORTS, 0).because.startswith("the probe ")


def test_surprise_1_an_exit_with_status_0_of_the_application_is_a_failure() -> None:
    assert of_death("exit status 0") == Score(100, "the last process of the tree ended (exit status 0)")


def test_silence_of_an_application_that_has_to_speak() -> None:
    told = ASKED.replace(probe_command=None, probe=Probe("notify", "true", timeout_score=60))
    assert of_silence(told, 10.0) == Score(60, "no WATCHDOG=1 for 10 s")
    assert of_silence(PORTS, 1.5) == Score(100, "no WATCHDOG=1 for 1.5 s")
