"""fm_action, fm_sleep and svc_wait. Sun: semantics.md 5; each rule has the number it has there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.dsdl import asking, monitoring
from gds.dsdl.values import Done, SchaError, Taken
from gds.fault import verdict
from gds.fault.history import FRESH
from gds.fault.score import Score
from gds.fault.verdict import Giveover, Restart
from gds.model.scha import Code
from gds.model.window import Mark, Window
from tests.unit.dsdl.world import World

SVC = "shop,web,0.svc"


def act(world: World, *statuses: int) -> list[Done]:
    """What is done about each, ten seconds apart."""
    done = []
    for each in statuses:
        world.now += 10
        done.append(world.play(monitoring.action(world.handle, each)).done)
    return done


def test_the_worked_example() -> None:
    # 5.2: N = 2, T = 300
    world = World()
    world.refuses["GIVEOVER"] = [(Code.CHECKS, "there is no other node to run it on")]
    assert act(world, 50, 50) == [Done.NOTHING, Done.RESTARTED]
    assert act(world, 50, 0, 50) == [Done.NOTHING, Done.NOTHING, Done.RESTARTED]
    assert act(world, 100) == [Done.REFUSED]
    assert world.asked == ["RESOURCE_RESTART", "RESOURCE_RESTART", "GIVEOVER"]
    assert world.status == ("FAULTED", "giveover: 2 restarts within 300 s: the monitor's probe says 100")
    assert world.handle.monitor == FRESH, "a refused giveover purges the history (rule 7)"
    assert act(world, 100) == [Done.RESTARTED], "and the cycle starts anew"


def test_failures_that_are_older_than_the_interval_do_not_count() -> None:
    # rule 1
    world = World()
    assert act(world, 60) == [Done.NOTHING]
    world.now += 300
    assert act(world, 60) == [Done.NOTHING]
    assert world.asked == []


def test_restarts_that_the_runner_did_itself_are_in_the_same_budget() -> None:
    # as is what was before this monitor began
    world = World()
    world.restarts = [world.now, world.now]
    assert act(world, 100) == [Done.GAVE_OVER]
    old = World()
    old.restarts = [old.now - 301, old.now]
    assert act(old, 100) == [Done.RESTARTED]


@pytest.mark.parametrize(
    ("status", "lines", "movable", "done", "asked"),
    [
        (0, {}, "TRUE", Done.NOTHING, []),
        (99, {}, "TRUE", Done.NOTHING, []),
        (100, {}, "TRUE", Done.RESTARTED, ["RESOURCE_RESTART"]),
        (150, {}, "TRUE", Done.RESTARTED, ["RESOURCE_RESTART"]),
        (255, {}, "TRUE", Done.RESTARTED, ["RESOURCE_RESTART"]),
        (201, {}, "TRUE", Done.GAVE_OVER, ["GIVEOVER"]),
        (201, {}, "FALSE", Done.LEFT_ALONE, []),
        (201, {"FAILOVER_MODE": "RESTART_ONLY"}, "TRUE", Done.LEFT_ALONE, []),
        (100, {"RETRY_COUNT": "0"}, "TRUE", Done.GAVE_OVER, ["GIVEOVER"]),
        (100, {"RETRY_COUNT": "0"}, "FALSE", Done.LEFT_ALONE, []),
        (100, {"FAILOVER_MODE": "LOG_ONLY"}, "TRUE", Done.LEFT_ALONE, []),
        (100, {"FAILOVER_MODE": "NONE", "RETRY_COUNT": "0"}, "TRUE", Done.GAVE_OVER, ["GIVEOVER"]),
        (100, {"FAILOVER_MODE": "RESTART_ONLY", "RETRY_COUNT": "0"}, "TRUE", Done.LEFT_ALONE, []),
        (100, {"RETRY_COUNT": "-1"}, "TRUE", Done.RESTARTED, ["RESOURCE_RESTART"]),
    ],
)
def test_every_way_to_act(status: int, lines: dict[str, str], movable: str, done: Done, asked: list[str]) -> None:
    world = World(**lines)
    world.extensions["Failover_enabled"] = ("BOOLEAN", movable)
    assert act(world, status) == [done]
    assert world.asked == asked
    word = {Done.GAVE_OVER: "FAULTED", Done.LEFT_ALONE: "FAULTED", Done.RESTARTED: "DEGRADED"}
    assert world.status[0] == word.get(done, "DEGRADED" if status else "OK")


def test_nothing_is_recovered_while_recovery_is_suspended() -> None:
    world = World()
    world.group["SUSPEND_AUTOMATIC_RECOVERY"] = ("TRUE",)
    assert act(world, 100, 201) == [Done.LEFT_ALONE, Done.LEFT_ALONE]
    assert world.asked == []
    assert "suspended" in world.status[1]


@pytest.mark.parametrize("status", [-1, 256])
def test_what_is_no_exit_status_is_no_probe_status(status: int) -> None:
    world = World()
    with pytest.raises(ValueError, match=f"cannot score a probe status of {status}"):
        act(world, status)
    assert world.asked == []


@pytest.mark.parametrize(("missing", "name"), [("RETRY_COUNT", "Retry_count"), ("RETRY_INTERVAL", "Retry_interval")])
def test_a_type_without_a_budget_cannot_be_judged(missing: str, name: str) -> None:
    world = World()
    del world.lines[missing]
    with pytest.raises(SchaError, match=f"cannot judge web: its type gds declares no {name}") as caught:
        act(world, 100)
    assert caught.value.code is Code.PROP


def test_a_status_is_said_once_and_an_ok_with_a_message_stays() -> None:
    world = World()
    world.status = ("OK", "answers on 8080")
    act(world, 0, 0)
    assert world.set == []
    act(world, 20, 0, 0)
    assert [word for word, _ in world.set] == ["DEGRADED", "OK"]


def test_a_restart_that_is_refused_is_not_counted_and_keeps_the_scores() -> None:
    # many refusals cure themselves (7.1)
    world = World()
    world.refuses["RESOURCE_RESTART"] = [(Code.RECONF, "its group is being reconfigured")]
    world.now += 10
    taken = world.play(monitoring.action(world.handle, 100))
    assert (taken.done, taken.code) == (Done.REFUSED, Code.RECONF)
    assert taken.because.endswith("; refused: its group is being reconfigured")
    assert world.asked == ["RESOURCE_RESTART"], "refused is not failed: no giveover"
    assert act(world, 1) == [Done.RESTARTED]
    assert len(world.restarts) == 1


def test_a_restart_that_fails_is_a_giveover() -> None:
    # rule 6d
    world = World()
    world.after = "web is START_FAILED: it cannot"
    world.now += 10
    taken = world.play(monitoring.action(world.handle, 100, "slow"))
    assert taken.done is Done.GAVE_OVER
    assert taken.because == "restart 1 of 2 within 300 s: slow; the restart failed: web is START_FAILED: it cannot"
    assert world.asked == ["RESOURCE_RESTART", "GIVEOVER"]
    assert world.status[0] == "FAULTED"


def test_a_giveover_is_asked_again_while_the_group_is_being_reconfigured() -> None:
    world = World()
    world.refuses["GIVEOVER"] = [(Code.RECONF, "busy")] * 2
    began = world.now
    assert world.play(asking.failover_rg(world.handle)).granted
    assert (len(world.asked), world.now - began) == (3, 1.5)
    world.refuses["GIVEOVER"] = [(Code.RECONF, "busy")] * 9
    assert world.play(asking.failover_rg(world.handle)).code is Code.RECONF
    assert len(world.asked) == 3 + asking.TRIES


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ({"RESOURCE_STATE": "OFFLINE"}, "it is OFFLINE"),
        ({"RESOURCE_STATE": "STARTING"}, "it is STARTING"),
        ({"MONITORED_SWITCH": "DISABLED"}, "it is not monitored"),
    ],
)
@pytest.mark.parametrize("status", [0, 60, 100, 201])
def test_a_probe_of_what_is_not_up_or_not_monitored_means_nothing(lines: dict[str, str], why: str, status: int) -> None:
    world = World(**lines)
    world.status = ("OFFLINE", "")
    taken = world.play(monitoring.action(world.handle, status))
    assert (taken.done, taken.because) == (Done.NOTHING, f"not judged: {why}")
    assert (world.asked, world.set, world.handle.monitor) == ([], [], FRESH)


def test_what_the_runner_forgot_is_forgotten() -> None:
    # gds clear, a restart that a person or the runner itself asked for: the handle hears of it with the next failure
    world = World()
    assert act(world, 60) == [Done.NOTHING]
    world.forgiven = world.now + 5
    assert act(world, 60) == [Done.NOTHING]
    assert world.status == ("DEGRADED", "60 of 100 within 300 s: the monitor's probe says 60")
    assert act(world, 40) == [Done.RESTARTED]


def test_a_runner_that_cannot_say_what_it_forgot_is_asked_for_its_restarts() -> None:
    world = World()
    world.old = True
    world.restarts = [world.now]
    assert act(world, 60, 60) == [Done.NOTHING, Done.RESTARTED]
    assert world.status[1] == "restart 2 of 2 within 300 s: failures add up to 120: the monitor's probe says 60"


def test_what_is_asked_for_is_asked_with_its_reason() -> None:
    world = World()
    world.now += 10
    world.play(monitoring.action(world.handle, 100, "slow"))
    world.play(monitoring.action(world.handle, 201, "burning"))
    world.play(asking.restart_rg(world.handle, "it is time"))
    world.play(asking.restart_resource(world.handle))
    assert world.reasons == ["restart 1 of 2 within 300 s: slow", "giveover: burning", "it is time", ""]


@given(
    st.lists(
        st.tuples(st.floats(0.1, 400), st.sampled_from([0, 1, 30, 50, 99, 100, 150, 201])), min_size=1, max_size=30
    ),
    st.integers(-1, 3),
)
def test_the_verdicts_are_those_of_the_built_in_monitor(seen: list[tuple[float, int]], retries: int) -> None:
    world = World(RETRY_COUNT=str(retries))
    policy = monitoring.policy(world.handle, world.play(asking.properties(world.handle)))
    own = FRESH
    for gap, status in seen:
        world.now += gap
        points = status if status <= 100 or status == 201 else 100
        own, expected = verdict.judge(own, Score(points, "x"), policy, world.now)
        if isinstance(expected, Restart):
            own = verdict.restarted(own)
        elif isinstance(expected, Giveover):
            own = verdict.gave_over()
        taken: Taken = world.play(monitoring.action(world.handle, status, "x"))
        assert taken.verdict == expected


# -- fm_sleep ---------------------------------------------------------------------------------------------------------


def test_a_sleep_without_a_death_is_a_sleep() -> None:
    world = World()
    world.tag(SVC)
    assert world.play(monitoring.sleep(world.handle, 60)) is None
    assert (world.now, world.asked) == (1060.0, [])
    world.tags.clear()
    world.handle.expected.clear()
    assert world.play(monitoring.sleep(world.handle, 0)) is None


def test_a_death_wakes_it_at_once_and_is_a_failure_of_100() -> None:
    world = World()
    world.tag(SVC)
    world.deaths = [(1007.0, SVC)]
    taken = world.play(monitoring.sleep(world.handle, 60))
    assert taken is not None
    assert (taken.done, world.now) == (Done.RESTARTED, 1007.0)
    assert "the last process of the tree ended (shop,web,0.svc)" in taken.because


def test_a_death_between_two_sleeps_or_before_the_first_is_seen() -> None:
    world = World()
    world.tag(SVC)
    assert world.play(monitoring.sleep(world.handle, 1)) is None
    world.tags.clear()
    taken = world.play(monitoring.sleep(world.handle, 60))
    assert taken is not None
    assert world.now < 1002
    other = World()
    assert other.play(monitoring.sleep(other.handle, 60)) is None, "nothing is expected"
    taken = other.play(monitoring.sleep(other.handle, 60, instances=(0,)))
    assert taken is not None, "now it is"
    assert taken.done is Done.RESTARTED
    assert other.play(monitoring.sleep(other.handle, 60, instances=(0,))) is None, "what is dead is told once"
    other.tag(SVC)
    other.deaths = [(other.now + 7, SVC)]
    assert other.play(monitoring.sleep(other.handle, 60, instances=(0,))) is not None, "it lived again meanwhile"


@pytest.mark.parametrize("state", ["STOPPING", "OFFLINE", "STARTING", "START_FAILED"])
def test_what_somebody_stops_is_no_failure(state: str) -> None:
    world = World(RESOURCE_STATE=state)
    world.tag(SVC)
    world.deaths = [(1007.0, SVC)]
    assert world.play(monitoring.sleep(world.handle, 60)) is None
    assert (world.now, world.asked) == (1060.0, [])


def test_other_trees_of_the_resource_and_of_others_do_not_count() -> None:
    world = World()
    for name in (SVC, "shop,web,0.mon", "shop,web2,0.svc", "shop,db,0.svc"):
        world.tag(name, pids=[hash(name) % 1000])
    world.deaths = [(1001.0, "shop,web,0.mon"), (1002.0, "shop,web2,0.svc"), (1003.0, "shop,db,0.svc")]
    assert world.play(monitoring.sleep(world.handle, 60)) is None


def test_a_refused_giveover_leads_to_a_restart() -> None:
    # 5.4, rule 4; fm_action does not do this
    world = World(RETRY_COUNT="0")
    world.tag(SVC)
    world.deaths = [(1007.0, SVC)]
    world.refuses["GIVEOVER"] = [(Code.CHECKS, "there is no other node to run it on")]
    taken = world.play(monitoring.sleep(world.handle, 60))
    assert taken is not None
    assert taken.done is Done.RESTARTED
    assert world.asked == ["GIVEOVER", "RESOURCE_RESTART"]
    assert taken.because.endswith("; refused: there is no other node to run it on; restarted instead")


@pytest.mark.parametrize("refused", [True, False])
def test_and_when_that_fails_too_it_says_internal(refused: bool) -> None:
    world = World(RETRY_COUNT="0")
    world.tag(SVC)
    world.deaths = [(1007.0, SVC)]
    world.refuses["GIVEOVER"] = [(Code.CHECKS, "nowhere")]
    if refused:
        world.refuses["RESOURCE_RESTART"] = [(Code.STATE, "it is OFFLINE")]
    else:
        world.after = "web is START_FAILED"
    taken = world.play(monitoring.sleep(world.handle, 60))
    assert taken is not None
    assert (taken.done, taken.code) == (Done.FAILED, Code.INTERNAL)


def test_a_process_that_ended_while_its_tag_is_still_there_is_looked_at_again() -> None:
    # the runner learns of a death a moment after the kernel told us
    world = World()
    world.tag(SVC)
    world.deaths = [(1000.3, SVC)]
    world.late = True
    taken = world.play(monitoring.sleep(world.handle, 60))
    assert taken is not None
    assert taken.done is Done.RESTARTED
    assert world.watches == 1, "a process that has ended is not waited for again"


# -- svc_wait ---------------------------------------------------------------------------------------------------------


def test_svc_wait_is_true_when_nothing_dies() -> None:
    world = World()
    world.tag(SVC)
    assert world.play(monitoring.svc_wait(world.handle, 5))
    assert world.now == 1005.0


def test_svc_wait_starts_again_what_dies_and_waits_all_of_the_time_anew() -> None:
    world = World()
    world.tag(SVC, command=["daemon", "-x"], cwd="/srv", environment={"A": "1"})
    world.deaths = [(1003.0, SVC)]
    assert world.play(monitoring.svc_wait(world.handle, 5))
    assert world.now == 1008.0
    made = next(each for each in world.pmf if each["verb"] == "pmf.create")
    assert (made["command"], made["cwd"], made["environ"]) == (["daemon", "-x"], "/srv", {"A": "1"})


def test_svc_wait_is_false_when_retry_count_have_died_in_all_calls_together() -> None:
    world = World()
    world.tag(SVC)
    world.deaths = [(1003.0, SVC)]
    assert world.play(monitoring.svc_wait(world.handle, 5))
    world.deaths = [(1010.0, SVC)]
    assert not world.play(monitoring.svc_wait(world.handle, 5))
    assert world.now == 1010.0
    assert SVC not in world.tags, "what died last is left for Stop to find"
    assert "died 2 times within 300 s" in world.said[-1]


def test_svc_wait_forgets_deaths_older_than_the_interval() -> None:
    world = World()
    world.handle.deaths = Window((Mark(world.now - 298),))
    world.tag(SVC)
    world.deaths = [(1003.0, SVC)]
    assert world.play(monitoring.svc_wait(world.handle, 5))
