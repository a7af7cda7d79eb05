"""What shows that a start is done."""

from __future__ import annotations

import pytest

from gds.model.resource import Command, Port, Probe, Resource
from gds.pmf.starting import FIRST_LOOK, LONGEST_LOOK, evidence, next_look, overrun

WEB = Resource("web", Command(("web",)))


@pytest.mark.parametrize(
    ("changes", "shown_by"),
    [
        ({}, "grace"),
        ({"probe_command": Command(("ask",))}, "probe"),
        ({"probe": Probe("unix", "/run/x")}, "probe"),
        ({"port_list": (Port(80),), "network_aware": True}, "probe"),
        ({"port_list": (Port(53, "udp"),), "network_aware": True}, "grace"),
        ({"ready": "notify"}, "notify"),
        ({"ready": "notify", "probe_command": Command(("ask",))}, "notify"),
        ({"probe": Probe("notify", "true")}, "grace"),
        ({"probe": Probe("notify", "true"), "ready": "notify"}, "notify"),
        ({"pmf_managed": False, "probe_command": Command(("ask",))}, "return"),
        ({"pmf_managed": False, "ready": "notify"}, "return"),
    ],
    ids=str,
)
def test_what_shows_that_it_is_there(changes: dict[str, object], shown_by: str) -> None:
    assert evidence(WEB.replace(**changes)) == shown_by


def test_the_probe_is_asked_less_and_less_often_at_most_each_5_seconds() -> None:
    looks = [FIRST_LOOK]
    while looks[-1] < LONGEST_LOOK:
        looks.append(next_look(looks[-1]))
    assert looks[:4] == [0.05, 0.1, 0.2, 0.4]
    assert next_look(looks[-1]) == looks[-1] == 5.0


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ("", "not available within 7 s (start_timeout)"),
        ("no READY=1 yet", "not available within 7 s (start_timeout); last seen: no READY=1 yet"),
    ],
)
def test_a_start_that_overran_says_what_was_seen_last(seen: str, said: str) -> None:
    assert overrun(WEB.replace(start_timeout=7.0), seen) == said
