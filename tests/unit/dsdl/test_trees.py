"""Trees under PMF: nametags, what comes with a kind, the stop schedule. Sun: semantics.md 4.4."""

from __future__ import annotations

import pytest

from gds.dsdl import trees
from gds.dsdl.values import Kind, PmfError, PmfStatus
from gds.errors import UsageError
from tests.unit.dsdl.world import World

SVC = "shop,web,0.svc"


def start(world: World, kind: Kind = Kind.SVC, instance: int = 0, command: str | list[str] = "daemon") -> None:
    """As Dsdl.pmf_start does it."""
    world.play(trees.start(world.handle, kind, instance, command, -1, {"A": "1"}, "/srv", "/bin"))


@pytest.mark.parametrize(
    ("kind", "interval", "retries", "period"),
    [
        (Kind.SVC, "120", 0, -1.0),
        (Kind.OTHER, "120", 0, -1.0),
        (Kind.MON, "120", 4, 120.0),
        (Kind.MON, "-1", 4, -1.0),
    ],
)
def test_what_comes_with_a_kind(kind: Kind, interval: str, retries: int, period: float) -> None:
    world = World()
    world.extensions["Monitor_retry_interval"] = ("INT", interval)
    start(world, kind, 3)
    made = world.pmf[-1]
    assert (made["nametag"], made["retries"], made["period"]) == (f"shop,web,3.{kind.value}", retries, period)
    assert made["command"] == ["/bin/sh", "-c", "daemon"]
    assert made["serves"] == ("web" if kind is Kind.SVC else "")
    assert made["monitors"] == ("web" if kind is Kind.MON else "")
    assert made["extra"] == {
        "GDS_RESOURCE": "web",
        "GDS_GROUP": "shop",
        "GDS_TYPE": "gds",
        "GDS_NODE": "n1",
        "A": "1",
    }


def test_a_registered_type_counts_the_monitors_window_in_minutes() -> None:
    world = World(TYPE="SUNW.smpl:1.0")
    world.extensions["Monitor_retry_interval"] = ("INT", "2")
    start(world, Kind.MON)
    assert world.pmf[-1]["period"] == 120.0


@pytest.mark.parametrize(("count", "retries"), [("-1", -1), ("0", 0), ("1000", 100)])
def test_a_monitor_has_the_retries_of_its_type(count: str, retries: int) -> None:
    world = World()
    world.extensions["Monitor_retry_count"] = ("INT", count)
    start(world, Kind.MON)
    assert world.pmf[-1]["retries"] == retries


def test_what_runs_already_is_not_started_again() -> None:
    world = World()
    start(world)
    with pytest.raises(PmfError, match="a tree is started once; stop it first"):
        start(world)
    start(world, instance=1)
    with pytest.raises(UsageError, match="instances count from 0"):
        start(world, instance=-1)


@pytest.mark.parametrize("command", ["", "  ", [], [""]])
def test_nothing_cannot_be_started(command: str | list[str]) -> None:
    world = World()
    with pytest.raises(ValueError, match="cannot run nothing"):
        start(world, command=command)
    assert not world.tags


def test_a_stop_goes_by_the_schedule() -> None:
    world = World()
    start(world)
    assert world.play(trees.stop(world.handle, Kind.SVC, 0, 15, 10.0))
    assert [(each.get("signal"), each.get("wait")) for each in world.pmf[1:]] == [(15, 8.0)]
    assert world.play(trees.stop(world.handle, Kind.SVC, 0, 15, 10.0)), "nothing runs: success"
    world.deaf = {SVC}
    start(world)
    began = world.now
    assert world.play(trees.stop(world.handle, Kind.SVC, 0, 2, 10.0))
    assert [(each["signal"], each["wait"]) for each in world.pmf[-2:]] == [(2, 8.0), (9, pytest.approx(1.5))]
    assert world.now - began == 8.0


def test_a_stop_that_leaves_something_says_so() -> None:
    world = World()
    world.handle.resource = "unkillable"
    start(world)
    assert not world.play(trees.stop(world.handle, Kind.SVC, 0, 15, 10.0))
    assert world.now == 1009.5
    with pytest.raises(PmfError, match="still there after SIGKILL and 10 s"):
        world.play(trees.restart(world.handle, Kind.SVC, 0, 10.0))


@pytest.mark.parametrize(("signal", "timeout"), [(0, 10.0), (65, 10.0), (15, 0.0), (15, -3.0)])
def test_a_stop_that_makes_no_sense(signal: int, timeout: float) -> None:
    world = World()
    start(world)
    with pytest.raises(ValueError, match=r"cannot (send signal|stop within)"):
        world.play(trees.stop(world.handle, Kind.SVC, 0, signal, timeout))
    assert SVC in world.tags


def test_a_signal_waits_as_long_as_it_is_told_to() -> None:
    world = World()
    world.deaf = {SVC}
    start(world)
    assert world.play(trees.signal(world.handle, Kind.SVC, 0, 15, 0.0))
    assert not world.play(trees.signal(world.handle, Kind.SVC, 0, 15, 3.0))
    assert world.now == 1003.0
    assert world.play(trees.signal(world.handle, Kind.SVC, 0, 9, -1.0))
    with pytest.raises(ValueError, match="cannot wait -2 s"):
        world.play(trees.signal(world.handle, Kind.SVC, 0, 9, -2.0))


def test_status_and_the_end_of_monitoring() -> None:
    world = World()
    assert world.play(trees.get_status(world.handle, Kind.SVC, 0)) is PmfStatus.NOT_MONITORED
    world.play(trees.stop_monitoring(world.handle, Kind.SVC, 0))
    start(world)
    assert world.play(trees.get_status(world.handle, Kind.SVC, 0)) is PmfStatus.MONITORED
    world.play(trees.stop_monitoring(world.handle, Kind.SVC, 0))
    assert "signal" not in world.pmf[-1]
    assert SVC in world.tags
    assert world.handle.expected == set(), "its end is no death from now on"


def test_a_monitor_is_restarted_as_it_was() -> None:
    world = World()
    assert not world.play(trees.restart(world.handle, Kind.MON, 0, 10.0))
    start(world, Kind.MON, command=["monitor", "-v"])
    assert world.play(trees.restart(world.handle, Kind.MON, 0, 10.0))
    stopped, made = world.pmf[-2:]
    assert (stopped["verb"], stopped["signal"]) == ("pmf.stop", 9)
    assert (made["command"], made["retries"], made["period"]) == (["monitor", "-v"], 4, 120.0)
