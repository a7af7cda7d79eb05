"""Whole stories through the real drivers, with a little Linux and a clock that the test drives."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest

from gds.fault.score import Outcome
from gds.model.resource import Command, Port, Probe, Resource
from gds.model.state import FailoverMode, ResourceState, ResourceStatus
from gds.rgm.resource import Life
from gds.testing.processes import Program
from tests.unit.daemon.world import PROBED, WEB, WELL, Here, ends

ABRT, KILL, TERM = 6, 9, 15
HANGS = Program()
Make = Callable[..., Here]


@pytest.fixture
def here() -> Iterator[Make]:
    made: list[Here] = []

    def make(*resources: Resource, on_giveover: str = "refuse", **programs: Program) -> Here:
        made.append(Here(*resources, on_giveover=on_giveover, **programs))
        return made[-1]

    yield make
    for each in made:
        each.close()


# -- Start ------------------------------------------------------------------------------------------------------------


def test_without_a_probe_a_start_is_done_when_the_tree_has_lived_through_start_grace(here: Make) -> None:
    one = here(WEB.replace(start_grace=2.0))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(1.999)
    assert one.state() is ResourceState.STARTING
    one.run(0.001)
    assert one.state() is ResourceState.ONLINE
    assert one.lives() == ["STARTING", "ONLINE"]


def test_a_start_is_not_done_before_the_probe_agrees(here: Make) -> None:
    one = here(PROBED, ask_web=ends(7))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(20.0)
    assert one.state() is ResourceState.STARTING
    one.forest.programs["ask-web"] = WELL
    one.run(5.0)
    assert one.state() is ResourceState.ONLINE
    # 0, 0.05, 0.15, 0.35, 0.75, 1.55, 3.15, 6.35 and then each 5 s: impatient at first, never a burden
    assert one.forest.count("web:Probe") == 11


def test_a_start_that_is_never_done_ends_at_start_timeout_and_says_what_was_seen_last(here: Make) -> None:
    resource = PROBED.replace(start_timeout=10.0, failover_mode=FailoverMode.NONE)
    one = here(resource, ask_web=ends(7).replace(says=b"no route yet\n"))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(10.5)
    assert one.state() is ResourceState.START_FAILED
    assert one.because() == (
        "Start failed: not available within 10 s (start_timeout); last seen: the probe exited with status 7:"
        " no route yet; failover_mode NONE does not recover"
    )
    assert one.tree().members() == []


def test_a_probe_that_cannot_be_run_inside_start_is_looked_at_again(here: Make) -> None:
    one = here(PROBED, ask_web=Program(refuses=errno.EMFILE))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(1.0)
    assert one.state() is ResourceState.STARTING
    one.forest.programs["ask-web"] = WELL
    one.run(5.0)
    assert one.state() is ResourceState.ONLINE


def test_ready_is_what_the_application_says(here: Make) -> None:
    one = here(WEB.replace(ready="notify"))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(100.0)
    assert one.state() is ResourceState.STARTING
    assert one.forest.launches[-1].env["NOTIFY_SOCKET"] == "@web"
    one.rgmd.notified("web", {"READY": "1"})
    one.run()
    assert one.state() is ResourceState.ONLINE


def test_validate_comes_before_the_fork(here: Make) -> None:
    one = here(WEB.replace(validate_command=Command(("validate",))), validate=ends(3).replace(says=b"bad file"))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(1.0)
    assert one.forest.count("web") == 0
    assert one.forest.count("web:Validate") == 2  # and one more try
    assert one.state() is ResourceState.START_FAILED
    assert one.because().startswith("Start failed: validate_command exited with status 3: bad file; ")


def test_surprise_10_a_method_over_its_limit_gets_sigabrt_and_sigkill_a_second_later(here: Make) -> None:
    resource = WEB.replace(
        validate_command=Command(("validate",)), validate_timeout=5.0, failover_mode=FailoverMode.NONE
    )
    one = here(resource, validate=Program(deaf=frozenset((ABRT, TERM))))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(4.9)
    tree = one.tree("web:Validate")
    assert tree.signals == []
    one.run(0.2)
    assert tree.signals == [ABRT]
    assert one.because().startswith("Start failed: validate_command did not end within 5 s")
    one.run(1.0)
    assert tree.signals == [ABRT, KILL]
    assert tree.members() == []


def test_what_cannot_be_executed_is_tried_once_more_and_then_stays_down(here: Make) -> None:
    one = here(WEB, web=Program(refuses=errno.EACCES, message="cannot execute web: Permission denied"))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(1.0)
    assert one.forest.count("web") == 2
    assert one.lives() == ["STARTING", "ABANDONING", "STARTING", "ABANDONING", "START_FAILED"]
    assert one.because() == (
        "Start failed: cannot execute web: Permission denied; there is no other node to run it on,"
        " and one more try failed: it stays down until somebody asks"
    )
    one.run(10_000.0)
    assert one.forest.count("web") == 2
    assert one.loop.next_due() is None


def test_an_application_that_dies_at_once_ends_as_well_when_nobody_asks(here: Make) -> None:
    one = here(PROBED, web=ends(1), ask_web=ends(100))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(10_000.0)
    assert one.state() is ResourceState.START_FAILED
    assert one.forest.count("web") == 4  # the first, two restarts, one more try
    assert one.app().incarnation == 4


def test_unmanaged_the_start_command_returns_and_the_probe_agrees(here: Make) -> None:
    resource = PROBED.replace(pmf_managed=False, stop_command=Command(("stop-web",)))
    one = here(resource, web=ends(0, 2.0), stop_web=ends(1)).up_later(1.0)
    assert one.state() is ResourceState.STARTING
    one.run(2.0)
    assert one.state() is ResourceState.ONLINE
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(1.0)
    assert one.state() is ResourceState.STOP_FAILED
    assert one.because() == "Stop failed: stop_command exited with status 1, and PMF watches nothing of it"
    one.forest.programs["stop-web"] = WELL
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(1.0)
    assert one.state() is ResourceState.OFFLINE


# -- deaths and restarts ----------------------------------------------------------------------------------------------


def test_a_death_is_followed_by_a_restart_as_a_new_incarnation(here: Make) -> None:
    one = here(WEB).up()
    one.tree().end_all(KILL)
    one.run(1.0)
    assert one.state() is ResourceState.ONLINE
    assert one.because() == "restart 1 of 2 within 370 s: the last process of the tree ended (killed by SIGKILL)"
    assert one.hands.written[-2:] == [("web", 1), ("web", 2)]  # written before each fork
    assert [tree.incarnation for tree in one.forest.planted] == [1, 2]
    assert one.hands.flushed == ["web"]


def test_surprise_1_exit_0_is_a_failure_and_only_when_the_last_descendant_is_gone(here: Make) -> None:
    one = here(WEB, web=Program(children=2)).up()
    tree = one.tree()
    tree.end(0)
    tree.end(0, tree.members()[0])
    one.run(100.0)
    assert one.lives() == ["STARTING", "ONLINE"]
    tree.end(0, tree.members()[0])
    one.run(1.0)
    assert one.forest.count("web") == 2
    assert one.because() == "restart 1 of 2 within 370 s: the last process of the tree ended (exit status 0)"


def test_every_decision_is_told_each_time_also_for_the_same_reason(here: Make) -> None:
    one = here(WEB.replace(retry_count=1, retry_interval=10.0)).up()
    for _ in range(3):
        one.run(20.0)
        one.tree().end_all(KILL)
    one.run(1.0)
    reason = "restart 1 of 1 within 10 s: the last process of the tree ended (killed by SIGKILL)"
    assert [because for _, event, because in one.hands.decisions if event == "STOPPING"] == [reason] * 3
    assert one.hands.logged.count(reason) == 3


def test_past_the_budget_with_nowhere_to_go_everything_is_forgotten_and_one_restart_tried(here: Make) -> None:
    one = here(WEB).up()
    for _ in range(3):
        one.tree().end_all(KILL)
        one.run(1.0)
    assert one.state() is ResourceState.ONLINE
    assert one.because().endswith("refused, there is no other node to run it on: history purged, one restart tried")
    assert one.app().history.done(370.0, one.loop.now()) == 0
    one.tree().end_all(KILL)
    one.run(1.0)
    assert one.because().startswith("restart 1 of 2")


def test_past_the_budget_a_granted_giveover_leaves_the_node(here: Make) -> None:
    one = here(WEB, on_giveover="exit").up()
    for _ in range(3):
        one.tree().end_all(KILL)
        one.run(1.0)
    reason = "giveover: 2 restarts within 370 s: the last process of the tree ended (killed by SIGKILL)"
    assert one.hands.left == [reason]
    assert one.forest.alive("web") == []
    assert one.app().view.status is ResourceStatus.FAULTED


def test_restarts_wait_longer_and_longer(here: Make) -> None:
    one = here(WEB.replace(restart_delay=1.0, restart_delay_max=3.0, retry_count=9, start_grace=0.0)).up()
    waited = []
    for _ in range(5):
        one.tree().end_all(KILL)
        one.run()
        began = one.loop.now()
        planted = one.forest.count("web")
        while one.state() is not ResourceState.ONLINE:
            assert one.state() is ResourceState.STARTING
            one.run(0.25)
        waited.append(one.loop.now() - began)
        assert one.forest.count("web") == planted + (1 if waited[-1] else 0)
    assert waited == [0.0, 1.0, 2.0, 3.0, 3.0]


def test_nobody_has_to_wait_for_a_delay_who_asks(here: Make) -> None:
    one = here(WEB.replace(restart_delay=100.0, retry_count=9)).up()
    for _ in range(2):
        one.tree().end_all(KILL)
        one.run(1.0)
    assert one.app().view.life is Life.WAITING
    one.rgmd.start(one.app(), "start asked by root")
    one.run(1.0)
    assert one.state() is ResourceState.ONLINE
    one.run(200.0)
    assert one.forest.count("web") == 3


def test_a_stop_ends_a_delay(here: Make) -> None:
    one = here(WEB.replace(restart_delay=100.0, retry_count=9)).up()
    for _ in range(2):
        one.tree().end_all(KILL)
        one.run(1.0)
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(500.0)
    assert one.state() is ResourceState.OFFLINE
    assert one.forest.count("web") == 2


def test_left_alone_it_is_online_faulted_and_a_probe_does_not_make_it_well(here: Make) -> None:
    one = here(PROBED.replace(failover_mode=FailoverMode.LOG_ONLY)).up()
    one.tree().end_all(KILL)
    one.run(100.0)
    assert one.state() is ResourceState.ONLINE
    assert one.app().view.status is ResourceStatus.FAULTED
    assert one.forest.count("web") == 1


def test_a_persons_restart_never_counts(here: Make) -> None:
    one = here(WEB).up()
    for _ in range(5):
        one.rgmd.restart(one.app(), "restart asked by root")
        one.run(1.0)
    assert one.forest.count("web") == 6
    assert one.app().history.done(370.0, one.loop.now()) == 0


def test_child_mon_level_0_watches_the_first_process_alone(here: Make) -> None:
    one = here(WEB.replace(child_mon_level=0), web=Program(children=2)).up()
    first = one.tree()
    first.end(0)
    one.run(1.0)
    assert one.forest.count("web") == 2
    assert first.members() == []  # Stop ends what is deeper before the next start
    assert one.because().endswith("(exit status 0; 2 deeper than child_mon_level 0)")


# -- Stop -------------------------------------------------------------------------------------------------------------


def test_without_stop_command_sigkill_follows_only_if_somebody_is_left(here: Make) -> None:
    one = here(WEB, web=Program(obeys_after=79.0)).up()
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(78.9)
    assert one.state() is ResourceState.STOPPING
    one.run(0.2)
    assert one.state() is ResourceState.OFFLINE
    assert one.tree().signals == [TERM]


def test_80_15_5(here: Make) -> None:
    one = here(WEB, web=Program(children=1, deaf=frozenset((TERM,)), immortal=True)).up()
    tree = one.tree()
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(79.9)
    assert tree.signals == [TERM]
    one.run(0.2)
    assert tree.signals == [TERM, KILL]
    one.run(14.8)
    assert one.state() is ResourceState.STOPPING
    one.run(0.2)
    assert one.state() is ResourceState.STOP_FAILED
    first, second = tree.members()
    assert one.because() == (
        f"Stop failed: processes {first}, {second} still there after SIGKILL and 100 s (stop_timeout)"
    )


def test_what_could_not_be_stopped_is_not_started_and_cleared_only_when_it_is_gone(here: Make) -> None:
    one = here(WEB, web=Program(immortal=True, deaf=frozenset((TERM,)))).up()
    tree = one.tree()
    one.rgmd.restart(one.app(), "restart asked by root")
    one.run(100.0)
    one.rgmd.start(one.app(), "start asked by root")
    one.run(100.0)
    assert one.state() is ResourceState.STOP_FAILED
    assert one.forest.count("web") == 1
    pid = tree.main_pid
    assert one.rgmd.clear(one.app()) == (
        f"cannot clear web: processes {pid} are still there; end them, then clear again"
    )
    tree.end_all(KILL)
    one.run()
    assert one.state() is ResourceState.STOP_FAILED
    assert one.rgmd.clear(one.app()) == ""
    assert one.state() is ResourceState.OFFLINE


STOPPED = WEB.replace(stop_command=Command(("stop-web",)))


def test_stop_command_that_works_is_waited_for_and_nobody_is_killed(here: Make) -> None:
    one = here(STOPPED, stop_web=ends(0, 3.0)).up()
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(1.0)
    one.tree().end_all(0)
    one.run(1.0)
    assert one.state() is ResourceState.STOPPING
    one.run(2.0)
    assert one.state() is ResourceState.OFFLINE
    assert one.tree().signals == []
    assert one.forest.launches[-1].env["MAINPID"] == str(one.tree().main_pid)


@pytest.mark.parametrize(("program", "killed_at"), [(ends(1, 3.0), 3.0), (HANGS, 80.0)], ids=["fails", "hangs"])
def test_surprise_4_stop_command_may_fail_or_hang_sigkill_follows(
    here: Make, program: Program, killed_at: float
) -> None:
    one = here(STOPPED, stop_web=program).up()
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(killed_at - 0.1)
    assert one.tree().signals == []
    one.run(0.2)
    assert one.tree().signals == [KILL]
    assert one.state() is ResourceState.OFFLINE
    assert one.forest.alive("web:Stop") == []


def test_surprise_4_only_surviving_processes_make_stop_failed(here: Make) -> None:
    one = here(STOPPED, stop_web=WELL, web=Program(immortal=True)).up()
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(14.2)
    assert one.tree().signals == [KILL, KILL]
    assert one.state() is ResourceState.STOPPING
    one.run(0.1)
    assert one.state() is ResourceState.STOP_FAILED


def test_hard_ends_the_node_when_a_stop_fails(here: Make) -> None:
    one = here(WEB.replace(failover_mode=FailoverMode.HARD), web=Program(immortal=True, deaf=frozenset((TERM,)))).up()
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(100.0)
    assert one.hands.aborted == [one.because()]


def test_a_stop_while_starting_gives_the_start_up(here: Make) -> None:
    one = here(PROBED, ask_web=HANGS)
    one.rgmd.start(one.app(), "start asked by root")
    one.run(1.0)
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(1.0)
    assert one.state() is ResourceState.OFFLINE
    assert one.forest.alive("web:Probe") == []
    one.run(1000.0)
    assert one.lives() == ["STARTING", "STOPPING", "OFFLINE"]


def test_a_start_while_stopping_comes_after_the_stop(here: Make) -> None:
    one = here(WEB, web=Program(obeys_after=10.0)).up()
    one.rgmd.stop(one.app(), "stop asked by root")
    one.run(5.0)
    one.rgmd.start(one.app(), "start asked by root")
    one.run(4.0)
    assert one.forest.count("web") == 1
    one.run(2.0)
    assert one.state() is ResourceState.ONLINE
    assert one.forest.count("web") == 2


def test_no_more_asking(here: Make) -> None:
    one = here(WEB, web=Program(deaf=frozenset((TERM,)))).up()
    one.rgmd.stop(one.app(), "the runner is asked to end")
    one.run(1.0)
    stop = one.app().stop
    assert stop is not None
    stop.hurry()
    stop.hurry()
    one.run()
    assert one.tree().signals == [TERM, KILL]
    assert one.state() is ResourceState.OFFLINE


def test_who_waits_for_it_to_come_to_rest_is_told_once(here: Make) -> None:
    one = here(WEB)
    told: list[str] = []
    one.rgmd.settled(one.app(), lambda: told.append("at once"))
    assert told == ["at once"]
    one.rgmd.start(one.app(), "start asked by root")
    one.rgmd.settled(one.app(), lambda: told.append(str(one.state())))
    one.run(10.0)
    assert told == ["at once", "ONLINE"]


# -- late answers -----------------------------------------------------------------------------------------------------


def test_news_of_an_older_incarnation_changes_nothing(here: Make) -> None:
    one = here(WEB).up()
    old = one.tree()
    old.end_all(KILL)
    one.run(1.0)
    before = one.app().view, one.app().history
    for listener in (old.listener, one.tree().listener):
        listener.main_exited(old, 0)
        listener.tree_emptied(old, 0, "")
        listener.tree_failed(old, errno.ENOENT, "cannot execute web")
    one.run(1.0)
    assert (one.app().view, one.app().history) == before


def test_a_tree_of_an_older_start_that_comes_up_late_is_killed(here: Make) -> None:
    one = here(WEB).up()
    late = one.forest.plant("late", 0, one.forest.launches[-1], one.tree().listener, lasting=False)
    one.run(1.0)
    assert late.signals == [KILL]
    assert late.members() == []
    assert one.forest.count("web") == 1


def test_ready_after_a_stop_was_asked_for_is_not_believed(here: Make) -> None:
    one = here(WEB.replace(ready="notify"), web=Program(obeys_after=5.0))
    one.rgmd.start(one.app(), "start asked by root")
    one.run(1.0)
    one.rgmd.stop(one.app(), "stop asked by root")
    one.rgmd.notified("web", {"READY": "1"})
    one.rgmd.notified("nobody", {"READY": "1"})
    one.run(10.0)
    assert one.lives() == ["STARTING", "STOPPING", "OFFLINE"]


def test_a_probe_under_way_is_killed_with_what_it_asks_about(here: Make) -> None:
    one = here(PROBED, ask_web=WELL).up()
    one.forest.programs["ask-web"] = ends(100, 20.0)
    one.run(65.0)
    assert len(one.forest.alive("web:Probe")) == 1
    one.forest.programs["ask-web"] = WELL
    one.tree().end_all(KILL)
    one.run(1.0)
    assert one.forest.alive("web:Probe") == []
    one.run(30.0)
    assert one.because().startswith("restart 1 of 2")


# -- probes -----------------------------------------------------------------------------------------------------------


def test_the_first_probe_comes_one_interval_after_start_and_then_each(here: Make) -> None:
    one = here(PROBED).up()
    inside = one.forest.count("web:Probe")
    one.run(58.9)
    assert one.forest.count("web:Probe") == inside
    one.run(0.2)
    assert one.forest.count("web:Probe") == inside + 1
    one.run(600.0)
    assert one.forest.count("web:Probe") == inside + 11


def test_partial_failures_add_up_to_a_restart(here: Make) -> None:
    one = here(PROBED).up()
    one.forest.programs["ask-web"] = ends(50).replace(says=b"slow")
    one.run(60.0)
    assert one.app().view.status is ResourceStatus.DEGRADED
    assert one.app().view.status_msg.endswith("the probe exited with status 50: slow")
    one.run(59.0)
    one.forest.programs["ask-web"] = ends(50)
    one.run(1.0)
    one.forest.programs["ask-web"] = WELL
    one.run(1.0)
    assert one.because() == "restart 1 of 2 within 370 s: failures add up to 100: the probe exited with status 50"


def test_a_probe_over_its_limit_is_killed_with_its_tree_and_two_in_a_row_are_a_failure(here: Make) -> None:
    one = here(PROBED).up()
    one.forest.programs["ask-web"] = Program(children=3, deaf=frozenset((TERM, ABRT)))
    one.run(59.0)
    assert len(one.tree("web:Probe").members()) == 4
    one.run(30.1)
    assert one.tree("web:Probe").signals == [KILL]
    assert one.forest.alive("web:Probe") == []
    assert one.app().view.status is ResourceStatus.DEGRADED
    one.run(59.0)
    one.forest.programs["ask-web"] = WELL
    one.run(31.0)
    assert one.because() == "restart 1 of 2 within 370 s: the probe gave no answer within 30 s, 2 times in a row"


def test_at_most_one_probe_of_a_resource_at_a_time(here: Make) -> None:
    one = here(PROBED.replace(thorough_probe_interval=1.0, num_probe_timeouts=99, retry_count=-1)).up()
    one.forest.programs["ask-web"] = HANGS
    for _ in range(200):
        one.run(0.5)
        assert len(one.forest.alive("web:Probe")) <= 1


def test_a_thousand_probes_are_spread_and_at_most_128_are_in_flight(here: Make) -> None:
    resources = [PROBED.replace(name=f"web{n}") for n in range(300)]
    one = here(*resources)
    for rank, app in enumerate(one.rgmd.apps.values()):
        app.clock_rank = rank / 300
        one.rgmd.start(app, "start asked by root")
    one.run(1.0)
    one.forest.programs["ask-web"] = ends(0, 50.0)
    most = 0
    for _ in range(30):
        one.run(4.0)
        most = max(most, sum(len(one.forest.alive(f"web{n}:Probe")) for n in range(300)))
    assert most == 128
    one.run(300.0)
    assert all(one.forest.count(f"web{n}:Probe") >= 3 for n in range(300))


def test_a_monitor_that_cannot_work_is_monitor_failed_until_somebody_clears_it(here: Make) -> None:
    resource = PROBED.replace(thorough_probe_interval=10.0, monitor_retry_count=2)
    one = here(resource).up()
    one.forest.programs["ask-web"] = Program(refuses=errno.ENFILE, message="no descriptor left")
    one.run(25.0)
    assert one.state() is ResourceState.ONLINE
    one.run(10.0)
    assert one.state() is ResourceState.MONITOR_FAILED
    assert one.because() == "MONITOR_FAILED: 3 times within 120 s the probe could not be run: no descriptor left"
    asked = one.forest.count("web:Probe")
    one.run(100.0)
    assert one.forest.count("web:Probe") == asked
    one.tree().end_all(KILL)
    one.forest.programs["ask-web"] = WELL
    one.run(1.0)
    assert one.because().startswith("restart 1 of 2")
    assert one.state() is ResourceState.ONLINE


def test_unmonitored_nothing_is_asked_and_deaths_still_count(here: Make) -> None:
    one = here(PROBED).up()
    one.rgmd.set_monitored(one.app(), False)
    asked = one.forest.count("web:Probe")
    one.run(1000.0)
    assert one.state() is ResourceState.ONLINE_NOT_MONITORED
    assert one.forest.count("web:Probe") == asked
    assert one.loop.next_due() is None
    one.tree().end_all(KILL)
    one.run(1.0)
    assert one.because().startswith("restart 1 of 2")
    one.rgmd.set_monitored(one.app(), True)
    asked = one.forest.count("web:Probe")
    one.run(61.0)
    assert one.forest.count("web:Probe") == asked + 1


def test_built_in_probes_are_asked_the_same_way(here: Make) -> None:
    one = here(WEB.replace(port_list=(Port(8080),), network_aware=True)).up()
    one.prober.answers.append(Outcome("disconnect", 0, "reset by peer"))
    one.run(60.0)
    assert one.app().view.status_msg == "50 of 100 within 370 s: reset by peer"
    one.prober.answers.append(Outcome("refused", 0, "nobody there"))
    one.run(60.0)
    assert one.because() == "restart 1 of 2 within 370 s: nobody there"


def test_an_application_that_has_to_speak_is_not_asked(here: Make) -> None:
    told = WEB.replace(ready="notify", probe=Probe("notify", "true", interval=10.0, timeout_score=100))
    one = here(told)
    one.rgmd.start(one.app(), "start asked by root")
    one.run(1.0)
    one.rgmd.notified("web", {"READY": "1"})
    for _ in range(10):
        one.run(9.0)
        one.rgmd.notified("web", {"WATCHDOG": "1", "STATUS": "serving"})
    assert one.app().view.status_msg == "serving"
    assert one.forest.launches[-1].env["WATCHDOG_USEC"] == "10000000"
    one.run(10.1)
    assert one.because() == "restart 1 of 2 within 370 s: no WATCHDOG=1 for 10 s"
    one.rgmd.notified("web", {"READY": "1"})
    one.run(0.1)
    one.rgmd.notified("web", {"WATCHDOG": "trigger"})
    one.run(0.1)
    assert one.because() == "restart 2 of 2 within 370 s: the application said WATCHDOG=trigger"


def test_an_idle_application_has_no_appointment(here: Make) -> None:
    one = here(WEB).up()
    one.run(10.0)
    assert one.loop.next_due() is None


def test_every_command_knows_what_it_is_run_for(here: Make) -> None:
    one = here(PROBED).up()
    one.tree().end_all(KILL)
    one.run(1.0)
    env = next(launch.env for launch in reversed(one.forest.launches) if launch.env["GDS_METHOD"] == "Start")
    assert {k: env[k] for k in ("GDS_RESOURCE", "GDS_GROUP", "GDS_INCARNATION", "GDS_RESTARTS", "GDS_NODE")} == {
        "GDS_RESOURCE": "web",
        "GDS_GROUP": "web",
        "GDS_INCARNATION": "2",
        "GDS_RESTARTS": "1",
        "GDS_NODE": "n1",
    }
    assert env["GDS_REASON"].startswith("restart 1 of 2 within 370 s: ")


def test_a_death_is_told_in_the_words_of_who_died_once() -> None:
    here = Here(WEB.replace(ready="notify"))
    here.rgmd.start(here.app(), "start asked by root")
    here.run(1.0)
    here.rgmd.notified("web", {"READY": "1"})
    here.run(1.0)
    for words in ("the link is down: ", ""):
        if words:
            here.rgmd.notified("web", {"X_GDS_BECAUSE": "the link is down"})
        here.tree().end_all(9)
        here.run(1.0)
        assert f"within 370 s: {words}the last process of the tree ended" in here.because()
        here.rgmd.notified("web", {"READY": "1"})
        here.run(1.0)
    here.close()
