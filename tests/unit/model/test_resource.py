"""What follows from the properties of a resource alone."""

from __future__ import annotations

import pytest

from gds.model.launch import Launch
from gds.model.resource import Command, Plan, Port, Probe, Resource

START = Command(("web",))
WEB = Resource("web", START)
TCP, UDP = Port(80), Port(53, "udp")
HTTP, NOTIFY = Probe("http", "http://x/"), Probe("notify", "true", interval=5.0)


@pytest.mark.parametrize(
    ("resource", "has_probe", "is_told", "wants_notify"),
    [
        (WEB, False, False, False),
        (WEB.replace(probe_command=START), True, False, False),
        (WEB.replace(probe=HTTP), True, False, False),
        (WEB.replace(probe=NOTIFY), True, True, True),
        (WEB.replace(probe=NOTIFY, probe_command=START), True, False, True),
        (WEB.replace(ready="notify"), False, False, True),
        (WEB.replace(port_list=(TCP,), network_aware=True), True, False, False),
        (WEB.replace(port_list=(TCP,)), False, False, False),
        (WEB.replace(port_list=(UDP,), network_aware=True), False, False, False),
    ],
)
def test_what_can_be_asked(resource: Resource, has_probe: bool, is_told: bool, wants_notify: bool) -> None:
    assert resource.has_probe is has_probe
    assert resource.is_told is is_told
    assert resource.wants_notify is wants_notify


def test_ports_are_asked_only_where_nothing_else_is() -> None:
    aware = WEB.replace(port_list=(TCP, UDP, Port(81, "tcp6")), network_aware=True)
    assert aware.tcp_ports == (TCP, Port(81, "tcp6"))
    assert aware.replace(probe_command=START).tcp_ports == ()
    assert aware.replace(probe=HTTP).tcp_ports == ()
    assert aware.replace(network_aware=False).tcp_ports == ()


@pytest.mark.parametrize(
    ("resource", "interval"),
    [
        (WEB.replace(probe=NOTIFY), 5.0),
        (WEB.replace(probe=NOTIFY.replace(interval=0.0), thorough_probe_interval=7.0), 7.0),
        (WEB, 60.0),
    ],
)
def test_how_often_watchdog_must_come(resource: Resource, interval: float) -> None:
    assert resource.watchdog_interval == interval


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "x"},
        {"group_name": "x"},
        {"supplementary_groups": ("x",)},
        {"limits": (("nofile", 1, 1),)},
        {"nice": 1},
        {"oom_score_adjust": 1},
    ],
    ids=lambda c: next(iter(c)),
)
def test_what_needs_a_launcher(changes: dict[str, object]) -> None:
    assert WEB.replace(**changes).needs_launcher
    assert not WEB.needs_launcher


@pytest.mark.parametrize(
    "changes",
    [{"uid": 0}, {"gid": 0}, {"groups": ()}, {"limits": ((1, 1, 1),)}, {"nice": 1}, {"oom_score_adjust": 1}],
    ids=lambda c: next(iter(c)),
)
def test_a_launch_that_posix_spawn_cannot_do(changes: dict[str, object]) -> None:
    launch = Launch(("web",), {})
    assert launch.replace(**changes).needs_launcher
    assert not launch.needs_launcher


def test_words_for_people() -> None:
    assert Command(("nginx", "-t")).shown == "nginx -t"
    assert Command(("/bin/sh", "-c", "a; b"), "a; b").shown == "a; b"
    assert str(Port(53, "udp")) == "53/udp"


def test_a_plan_is_asked_by_name() -> None:
    plan = Plan((WEB, WEB.replace(name="db")))
    assert plan.resource("db") == WEB.replace(name="db")
    assert plan.resource("x") is None
