"""What people are told is so: status, reasons and history never say better, nor less, than what happened.

The real receptionist and drivers over a little Linux and a clock that the test drives.
"""

from __future__ import annotations

import pytest

from gds.model.resource import Command, Resource
from gds.model.state import FailoverMode, ResourceStatus
from gds.rgm.resource import Life
from gds.testing.processes import Program
from tests.unit.daemon.test_asking import Desk
from tests.unit.daemon.world import WEB, WELL, ends

HALT = Command(("halt",))
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


DEAF = Program(deaf=frozenset((15,)))


@pytest.mark.parametrize(
    ("web", "programs", "told"),
    [
        (WEB, {"web": DEAF}, ["SIGKILL to process {pid}, still there 80 s after SIGTERM"]),
        (WEB, {}, []),
        (
            WEB.replace(stop_command=HALT),
            {"halt": WELL},
            ["SIGKILL to process {pid}, still there when stop_command was over"],
        ),
        (
            WEB.replace(stop_command=HALT),
            {"halt": ends(3)},
            [
                "stop_command exited with status 3",
                "SIGKILL to process {pid}, still there when stop_command was over",
            ],
        ),
        (
            WEB.replace(stop_command=HALT),
            {"halt": Program()},
            [
                "stop_command did not end within 80 s",
                "SIGKILL to process {pid}, still there when stop_command was over",
            ],
        ),
    ],
    ids=["deaf", "by-signal", "command-well", "command-fails", "command-hangs"],
)
def test_who_was_not_ended_as_it_wanted_is_told_in_its_history(
    web: Resource, programs: dict[str, Program], told: list[str]
) -> None:
    desk = Desk(web, **programs)
    here = desk.here
    try:
        desk.ask("start", "web")
        (pid,) = here.app("web").tree.members()  # type: ignore[union-attr]
        desk.ask("stop", "web")
        assert here.app("web").view.life is Life.OFFLINE
        said = [each.format(pid=pid) for each in told]
        assert [because for _, event, because in here.hands.decisions if event == "Stop"] == said
        assert [line for line in here.hands.logged if line in said] == said
    finally:
        here.close()


def test_who_is_killed_in_a_hurry_was_meant_to_be() -> None:
    desk = Desk(WEB, web=DEAF)
    try:
        desk.ask("start", "web")
        desk.here.rgmd.stop_all("the runner ends")
        desk.here.rgmd.hurry()
        desk.here.run()
        assert desk.life("web") is Life.OFFLINE
        assert not [each for each in desk.here.hands.decisions if each[1] == "Stop"]
    finally:
        desk.here.close()


def test_left_alone_is_told_once_for_one_reason_and_is_over_when_it_is_well() -> None:
    web = WEB.replace(probe_command=Command(("ask-web",)), thorough_probe_interval=10.0, failover_enabled=False)
    desk = Desk(web)
    here = desk.here
    try:
        desk.begin("start", "web")
        here.forest.programs["ask-web"] = ends(201)
        here.run(45.0)
        muted = "the probe exited with status 201: giveover asked for at once, but failover_enabled is false"
        assert here.app("web").view.why == muted
        told = [each for each in here.hands.decisions if each == ("web", "ONLINE", muted)]
        asked = [each for each in here.hands.decisions if each[1] == "probe"]
        assert (len(told), len(asked) > 2) == (1, True)
        here.forest.programs["ask-web"] = WELL
        here.run(60.0)
        view = here.app("web").view
        assert (view.status, view.why) == (ResourceStatus.OK, f"its monitor finds it well again; before: {muted}")
    finally:
        here.close()


def test_what_a_person_asks_for_is_nothing_to_warn_of() -> None:
    desk = Desk(WEB)
    here = desk.here
    warned = here.hands.warned
    try:
        desk.ask("start", "web")
        desk.ask("restart", "web")
        assert warned == []
        here.app("web").tree.end_all(9)  # type: ignore[union-attr]
        here.run()
        assert len(warned) == 1
    finally:
        here.close()
