"""What people are told is so: status, reasons and history never say better, nor less, than what happened.

The real receptionist and drivers over a little Linux and a clock that the test drives.
"""

from __future__ import annotations

from gds.model.resource import Command, Resource
from gds.model.state import FailoverMode, ResourceStatus
from tests.unit.daemon.test_asking import Desk

LEFT = Resource("web", Command(("web",)), group="g", failover_mode=FailoverMode.LOG_ONLY)


def test_what_is_dead_stays_faulted_when_its_failures_are_forgotten() -> None:
    desk = Desk(LEFT)
    here = desk.here
    try:
        desk.ask("start", "web")
        here.app("web").tree.end_all(9)  # type: ignore[union-attr]
        here.run()
        assert here.app("web").is_dead
        stays = "nothing of it runs, so it stays FAULTED until somebody starts it"
        assert desk.ask("clear", "web") == (0, [f"web: its failures are forgotten; {stays}"])
        assert here.app("web").view.status is ResourceStatus.FAULTED
        assert ("web", "clear", f"clear asked by root; {stays}") in here.hands.decisions
        desk.ask("start", "web")
        assert here.app("web").view.status is ResourceStatus.OK
        assert desk.ask("clear", "web") == (0, [])
    finally:
        here.close()
