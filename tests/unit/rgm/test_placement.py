"""Which nodes should be master of a group: each rule once, in pictures of a few nodes. Sun: semantics.md 7.3, 13."""

from __future__ import annotations

from typing import Any

from gds.model.cluster import Bar, Cluster, Goal, Mastery, Peer
from gds.model.resource import Group
from gds.rgm.affinity import web_of
from gds.rgm.eligible import View
from gds.rgm.placement import Decision, candidates, decide, first_goal, give_over, plan, view_of

NODES = ("n1", "n2", "n3")


def group(name: str, *affinities: str, **more: Any) -> Group:
    """A group on n1, n2, n3, in this order."""
    return Group(name, rg_affinities=affinities, **{"nodelist": NODES, **more})


def on(name: str, node: str, state: str = "ONLINE", **more: Any) -> Mastery:
    """A group runs there."""
    return Mastery(name, node, 7, state=state, **more)


def picture(*groups: Group, at: tuple[Mastery, ...] = (), down: str = "", **more: Any) -> Cluster:
    """Three nodes, of which those in `down` are dead."""
    nodes = more.pop("nodes", tuple([Peer(n, n not in down) for n in NODES]))
    return Cluster(nodes, groups, at, **more)


def taken(cluster: Cluster, name: str = "a") -> tuple[str, ...]:
    """Who should take it."""
    return decide(cluster, name).take


# -- the nodelist -----------------------------------------------------------------------------------------------------


def test_the_first_of_the_nodelist_takes_it() -> None:
    made = decide(picture(group("a")), "a")
    assert made == Decision(("n1",), because="n1 should take it: the first of its nodelist that can")


def test_without_a_nodelist_every_node_may_take_it_by_name() -> None:
    nodes = (Peer("n2"), Peer("n1"))
    cluster = Cluster(nodes, (Group("a"),))
    assert [c.node for c in candidates(cluster, "a")] == ["n1", "n2"]
    assert decide(cluster, "a").because == "n1 should take it: the first by name that can"


def test_who_is_its_master_stays_though_a_better_one_is_there() -> None:
    made = decide(picture(group("a"), at=(on("a", "n2"),)), "a")
    assert made == Decision(stay=("n2",), because="runs on n2")
    assert [c.because_not for c in candidates(picture(group("a"), at=(on("a", "n2"),)), "a")] == [
        "",
        "is its master already",
        "",
    ]


def test_each_node_that_cannot_take_it_says_why() -> None:
    nodes = (
        Peer("n1", alive=False, because="no sign of life for 10.1 s"),
        Peer("n2", drained="maintenance until six"),
        Peer("n3"),
        Peer("n4", evacuated=True),
        Peer("n5", alive=False),
        Peer("n6", evacuated=True, because="a person said so"),
    )
    names = ("n1", "n2", "n3", "n4", "n5", "n6", "n7")
    bars = (Bar("a", "n3", "gave it over 20 s ago"), Bar("b", "n3", "of another group"))
    cluster = Cluster(nodes, (group("a", nodelist=names),), bars=bars)
    made = decide(cluster, "a")
    assert not made.take
    assert dict(made.nowhere) == {
        "n1": "is dead: no sign of life for 10.1 s",
        "n2": "takes no group: maintenance until six",
        "n3": "gave it over 20 s ago",
        "n4": "takes no group: it is evacuated",
        "n5": "is dead",
        "n6": "takes no group: a person said so",
        "n7": "has not joined the cluster",
    }
    assert made.because == (
        "stays down: n1 is dead: no sign of life for 10.1 s; n2 takes no group: maintenance until six; "
        "n3 gave it over 20 s ago; n4 takes no group: it is evacuated; and 3 more"
    )


def test_a_cluster_without_nodes_runs_nothing() -> None:
    assert decide(Cluster((), (Group("a"),)), "a").because == "stays down: there is no node"


def test_what_is_not_declared_is_left_alone() -> None:
    cluster = picture(at=(on("a", "n1"),))
    assert decide(cluster, "a") == Decision(because="no group of that name is declared here")
    assert candidates(cluster, "a") == ()


def test_a_group_that_is_to_be_offline_leaves_and_nobody_takes_it() -> None:
    cluster = picture(group("a"), at=(on("a", "n1"),), goals={"a": Goal(online=False)})
    made = decide(cluster, "a")
    assert made == Decision(leave=(("n1", "it is to be offline"),), because="it is to be offline")
    assert {c.because_not for c in candidates(cluster, "a")} == {"the group is to be offline", "is its master already"}


def test_nobody_touches_an_unmanaged_group() -> None:
    cluster = picture(group("a"), at=(on("a", "n1"),), goals={"a": Goal(managed=False)})
    assert decide(cluster, "a") == Decision(stay=("n1",), because="it is unmanaged")
    assert candidates(cluster, "a")[1].because_not == "the group is unmanaged"


def test_a_new_group_is_online_if_it_starts_on_a_new_cluster() -> None:
    assert first_goal(group("a")).online
    waits = group("a", auto_start_on_new_cluster=False)
    assert not first_goal(waits).online
    assert not first_goal(group("a", desired_primaries=0)).online
    said = decide(picture(waits, goals={"a": first_goal(waits)}), "a").because
    assert said == "auto_start_on_new_cluster is false: it starts when somebody asks"
    assert taken(picture(group("a", desired_primaries=0))) == ("n1",)  # somebody asked


def test_a_master_outside_the_nodelist_leaves() -> None:
    made = decide(picture(group("a", nodelist=("n2",)), at=(on("a", "n1"),)), "a")
    assert made.leave == (("n1", "n1 is not in its nodelist"),)
    assert made.because == "n2 takes it when n1 gave it up"


# -- nodes that go ----------------------------------------------------------------------------------------------------


def test_a_dead_node_s_group_is_taken_when_its_time_is_over() -> None:
    waiting = decide(picture(group("a"), at=(on("a", "n1"),), down="n1"), "a")
    assert (waiting.take, waiting.next, waiting.leave) == ((), ("n2",), ())
    assert waiting.because == "n2 takes it when n1 gave it up"
    assert taken(picture(group("a"), at=(on("a", "n1", live=False),), down="n1")) == ("n2",)


def test_an_evacuated_node_gives_up_even_what_nobody_can_take() -> None:
    nodes = (Peer("n1", drained="new disks", evacuated=True), Peer("n2"))
    made = decide(
        picture(group("a"), group("b", nodelist=("n1",)), at=(on("a", "n1"), on("b", "n1")), nodes=nodes), "a"
    )
    assert made.leave == (("n1", "n1 was being evacuated: new disks"),)
    assert made.next == ("n2",)
    alone = decide(picture(group("b", nodelist=("n1",)), at=(on("b", "n1"),), nodes=nodes), "b")
    assert alone.leave == (("n1", "n1 was being evacuated: new disks"),)
    assert alone.because == "stays down: n1 takes no group: new disks"


def test_a_drained_node_keeps_what_it_has() -> None:
    nodes = (Peer("n1", drained="new disks"), Peer("n2"))
    assert decide(picture(group("a"), at=(on("a", "n1"),), nodes=nodes), "a").stay == ("n1",)
    assert decide(picture(group("a"), nodes=(Peer("n1", evacuated=True),), at=(on("a", "n1"),)), "a").leave == (
        ("n1", "n1 was being evacuated"),
    )


# -- people -----------------------------------------------------------------------------------------------------------


def test_a_suspended_group_is_moved_only_by_a_switch() -> None:
    suspended = {"a": Goal(suspended=True)}
    assert decide(picture(group("a"), goals=suspended), "a").because.startswith(
        "stays down: the group is suspended: it is moved only by a switch"
    )
    better = picture(group("a", failback=True), at=(on("a", "n2"),), goals=suspended)
    assert decide(better, "a").stay == ("n2",)
    outside = picture(group("a", nodelist=("n1",)), at=(on("a", "n2"),), goals=suspended)
    assert decide(outside, "a").stay == ("n2",)
    switched = picture(group("a"), at=(on("a", "n2"),), goals={"a": Goal(suspended=True, targets=("n3",))})
    made = decide(switched, "a")
    assert (made.leave, made.next) == ((("n2", "switched to n3"),), ("n3",))


def test_a_switch_that_cannot_be_carried_out_moves_nothing() -> None:
    made = decide(picture(group("a"), at=(on("a", "n2"),), down="n3", goals={"a": Goal(targets=("n3",))}), "a")
    assert (made.stay, made.leave, made.nowhere) == (("n2",), (), (("n3", "is dead"),))


def test_a_switch_to_a_node_outside_the_nodelist_says_so() -> None:
    made = decide(picture(group("a", nodelist=("n1",)), goals={"a": Goal(targets=("n2",))}), "a")
    assert (made.take, made.nowhere) == (("n1",), (("n2", "is not in its nodelist"),))
    assert taken(picture(group("a"), goals={"a": Goal(targets=("n2",))})) == ("n2",)


def test_a_switch_is_over_when_it_is_carried_out_or_cannot_be() -> None:
    goals = {"a": _to("n3")}
    assert decide(picture(group("a"), at=(on("a", "n3"),), goals=goals), "a").over
    assert decide(picture(group("a"), at=(on("a", "n1"),), goals=goals, down="n3"), "a").over
    assert decide(picture(group("a"), goals=goals, down="n1, n2, n3"), "a").over
    assert not decide(picture(group("a"), at=(on("a", "n1"),), goals=goals), "a").over, "n1 is to leave"
    assert not decide(picture(group("a"), goals=goals), "a").over, "n3 is to take it"
    assert not decide(picture(group("a"), at=(on("a", "n3"),)), "a").over, "there was none"
    waits = (group("a", rg_dependencies=("d",)), group("d"))
    there = (on("a", "n1"), on("d", "n2", "PENDING_ONLINE"))
    assert not decide(picture(*waits, at=there, goals=goals), "a").over, "it goes when d is online"


def test_who_was_switched_away_from_is_failed_back_to_when_it_has_joined_anew() -> None:
    goals = {"a": Goal(since=50)}
    nodes = (Peer("n1", born=20), Peer("n2", born=30), Peer("n3", born=40))
    cluster = picture(group("a", failback=True), at=(on("a", "n3"),), nodes=nodes, goals=goals)
    assert decide(cluster, "a").stay == ("n3",)
    joined = cluster.replace(nodes=(nodes[0], nodes[1].replace(born=51), nodes[2]))
    assert decide(joined, "a").next == ("n2",)
    assert decide(cluster.replace(goals={}), "a").next == ("n1",)
    assert taken(joined.replace(masteries=())) == ("n1",), "a failover is by the nodelist"
    gone = cluster.replace(nodes=nodes[1:])
    assert decide(gone, "a").stay == ("n3",)


def test_as_many_as_a_switch_named_until_somebody_asks_for_online() -> None:
    many = group("a", maximum_primaries=3, desired_primaries=2)
    one = picture(many, at=(on("a", "n2"), on("a", "n1")), goals={"a": _to("n2")})
    assert decide(one, "a").leave == (("n1", "switched to n2"),)
    after = picture(many, at=(on("a", "n2"),), goals={"a": Goal(count=1)})
    assert decide(after, "a").will == ("n2",)
    assert decide(after.replace(goals={}), "a").will == ("n2", "n1")
    suspended = picture(many, at=(on("a", "n2"), on("a", "n1")), goals={"a": _to("n2").replace(suspended=True)})
    assert decide(suspended, "a").will == ("n2",)


def test_failback_goes_to_a_better_node_that_can_take_it() -> None:
    cluster = picture(group("a", failback=True), at=(on("a", "n3"),), down="n1")
    made = decide(cluster, "a")
    assert made.leave == (("n3", "n2 is preferred (failback)"),)
    assert made.next == ("n2",)
    assert decide(cluster.replace(bars=(Bar("a", "n2", "a Start failed there"),)), "a").stay == ("n3",)


# -- several masters --------------------------------------------------------------------------------------------------


def test_as_many_masters_as_are_desired_and_one_on_a_node() -> None:
    many = group("a", maximum_primaries=3, desired_primaries=2)
    assert taken(picture(many)) == ("n1", "n2")
    made = decide(picture(many, at=(on("a", "n2"),), down="n3"), "a")
    assert made.because == "runs on n2; n1 should take it: the first of its nodelist that can"
    less = decide(picture(many, at=(on("a", "n2"),), down="n1, n3"), "a")
    assert less.because == "runs on n2; no other node can take it: each of n1, n3 is dead"
    more = decide(picture(many, at=(on("a", "n3"), on("a", "n2"), on("a", "n1"))), "a")
    assert more.leave == (("n3", "it is to run on 2 nodes"),)
    one = picture(group("a", maximum_primaries=3), at=(on("a", "n3"), on("a", "n2")))
    assert decide(one, "a").leave == (("n3", "it is to run on 1 node"),)


def test_there_is_never_one_more_than_the_maximum() -> None:
    many = group("a", maximum_primaries=2, desired_primaries=2, failback=True)
    made = decide(picture(many, at=(on("a", "n2"), on("a", "n3"))), "a")
    assert (made.take, made.stay, made.next) == ((), ("n2",), ("n1",))
    assert made.leave == (("n3", "n1 is preferred (failback)"),)


def test_a_switch_of_several_adds_what_it_names() -> None:
    many = group("a", maximum_primaries=2)
    goals = {"a": Goal(targets=("n2", "n3"))}
    assert taken(picture(many, goals=goals)) == ("n2", "n3")
    assert taken(picture(many, goals=goals, down="n3")) == ("n2", "n1")  # two are wanted
    assert decide(picture(many, at=(on("a", "n1"),), goals=goals), "a").leave == (("n1", "switched to n2, n3"),)


# -- affinities -------------------------------------------------------------------------------------------------------


def test_strong_positive_only_where_the_other_is() -> None:
    pair = (group("a", "++t"), group("t", nodelist=("n2", "n1")))
    made = plan(picture(*pair))
    assert list(made) == ["t", "a"]
    assert made["t"].take == ("n2",)
    assert (made["a"].take, made["a"].next) == ((), ("n2",))
    assert made["a"].because == "n2 takes it when t is up there"
    assert taken(picture(*pair, at=(on("t", "n2"),))) == ("n2",)
    assert taken(picture(*pair, at=(on("t", "n2", "PENDING_OFFLINE"),))) == ()
    nowhere = picture(group("a", "++t", nodelist=("n3",)), pair[1], at=(on("t", "n2"),))
    assert decide(nowhere, "a").because == "stays down: n3 must be where t is, which is not there (++)"


def test_strong_positive_leaves_with_the_other() -> None:
    made = plan(picture(group("a", "+++t"), group("t"), at=(on("a", "n1"), on("t", "n1")), goals={"t": Goal(False)}))
    assert made["a"].leave == (("n1", "t is not on n1, and it must be where t is (+++)"),)
    moved = plan(picture(group("a", "++t"), group("t"), at=(on("a", "n1"), on("t", "n1")), goals={"t": _to("n3")}))
    assert (moved["t"].next, moved["a"].next) == (("n3",), ("n3",))


def _to(*nodes: str) -> Goal:
    return Goal(targets=nodes)


def test_strong_negative_yields() -> None:
    pair = (group("a", "--t"), group("t"))
    assert plan(picture(*pair))["a"].take == ("n2",)
    came = plan(picture(*pair, at=(on("a", "n1"),)))
    assert (came["t"].take, came["t"].next) == ((), ("n1",))
    assert came["t"].because == "n1 takes it when a, which must not be with it, has left n1"
    assert came["a"].leave == (("n1", "t comes to n1, and it must not be where t is (--)"),)
    assert came["a"].next == ("n2",)
    both = plan(picture(*pair, at=(on("a", "n1"), on("t", "n1"))))
    assert both["a"].leave == (("n1", "t is on n1, and it must not be where t is (--)"),)
    stuck = plan(picture(*pair, at=(on("a", "n1"), on("t", "n1", "ERROR_STOP_FAILED")), goals={"t": Goal(False)}))
    assert stuck["a"].leave == both["a"].leave
    leaving = plan(picture(*pair, at=(on("a", "n1"), on("t", "n1")), goals={"t": Goal(False)}))
    assert leaving["a"].stay == ("n1",)
    going = plan(picture(*pair, at=(on("t", "n1"),), goals={"t": Goal(False)}))
    assert going["a"].nowhere == (("n1", "must not be where t is, which has not left it yet (--)"),)
    narrow = picture(group("a", "--t", nodelist=("n1",)), pair[1], at=(on("t", "n1"),))
    assert decide(narrow, "a").because == "stays down: n1 must not be where t is (--)"
    assert [c.waits for c in candidates(picture(*pair, at=(on("a", "n1"),)), "t")] == [True, False, False]
    assert [c.because_not for c in candidates(picture(*pair, at=(on("a", "n1"),)), "t")] == [
        "waits until a, which must not be with it, has left n1",
        "",
        "",
    ]


def test_nobody_comes_where_one_that_keeps_away_cannot_leave() -> None:
    pair = (group("a", "--t"), group("t"))
    for state, goal, why in (
        ("ERROR_STOP_FAILED", Goal(), "it could not be stopped"),
        ("ONLINE", Goal(suspended=True), "it is suspended"),
        ("ONLINE", Goal(managed=False), "it is unmanaged"),
    ):
        made = decide(picture(*pair, at=(on("a", "n1", state),), goals={"a": goal}), "t")
        assert made.take == ("n2",)
        assert made.nowhere == (("n1", f"a must not be with it and cannot leave: {why} (--)"),)


def test_weak_ones_are_preferences() -> None:
    at = (on("t", "n2"), on("u", "n1"))
    others = (group("t"), group("u"))
    assert taken(picture(group("a", "+t"), *others, at=at)) == ("n2",)
    assert taken(picture(group("a", "-u"), *others, at=at)) == ("n2",)
    assert taken(picture(group("a", "-u", "-t"), *others, at=at)) == ("n3",)
    assert taken(picture(group("a", "+t"), *others, at=at, down="n2")) == ("n1",)
    made = decide(picture(group("a", "+t"), *others, at=at), "a")
    assert made.because == "n2 should take it: the first, after its affinities, of its nodelist that can"


def test_weak_ones_in_a_circle_find_rest() -> None:
    chase = (group("a", "+b", failback=True), group("b", "-a", failback=True))
    made = plan(picture(*chase, at=(on("a", "n1"), on("b", "n1"))))
    assert (made["a"].stay, made["b"].leave) == (("n1",), (("n1", "n2 is preferred (failback)"),))
    assert plan(picture(*chase, at=(on("a", "n1"), on("b", "n2"))))["a"].stay == ("n1",)


def test_strong_ones_go_before_weak_ones_in_a_circle() -> None:
    assert list(web_of((group("a", "++b"), group("b", "+a"), group("c"))).wishes) == ["c", "b", "a"]
    assert list(web_of((group("a", "++b"), group("b", "++a"))).wishes) == ["a", "b"]  # which nobody may declare
    assert taken(picture(group("a", "++b"), group("b", "++a"), at=(on("b", "n2"),))) == ("n2",)


# -- rg_dependencies --------------------------------------------------------------------------------------------------


def test_a_group_comes_up_after_those_it_depends_on() -> None:
    pair = (group("a", rg_dependencies=("d",)), group("d", nodelist=("n2",)))
    waiting = plan(picture(*pair))
    assert waiting["a"].because == "n1 takes it when d is online"
    assert taken(picture(*pair, at=(on("d", "n2", "PENDING_ONLINE"),))) == ()
    assert taken(picture(*pair, at=(on("d", "n2"),))) == ("n1",)
    here = picture(group("a", rg_dependencies=("d",), nodelist=("n2",)), pair[1], at=(on("d", "n2", "PENDING_ONLINE"),))
    assert taken(here) == ("n2",)  # on the same node their resources keep the order
    never = picture(*pair, down="n2")
    assert decide(never, "a").because == (
        "stays down: each of n1, n3 comes up after d, which is online on no node (rg_dependencies); n2 is dead"
    )
    assert decide(picture(*pair, at=(on("a", "n1"),), down="n2"), "a").stay == ("n1",)


def test_nobody_moves_to_where_it_would_have_to_wait() -> None:
    pair = (group("a", rg_dependencies=("d",), failback=True), group("d"))
    made = decide(picture(*pair, at=(on("a", "n2"), on("d", "n3", "PENDING_ONLINE"))), "a")
    assert (made.stay, made.nowhere) == (("n2",), (("n1", "waits until d is online"),))


# -- giving over ------------------------------------------------------------------------------------------------------


def test_who_could_take_it_and_why_not_the_others() -> None:
    cluster = picture(group("a"), at=(on("a", "n1"),), bars=(Bar("a", "n2", "gave it over 20 s ago"),))
    found = give_over(cluster, "a", "n1")
    assert (found.candidates, found.refused) == (("n3",), (("n2", "gave it over 20 s ago"),))


def test_it_is_refused_where_it_is_not_and_when_suspended() -> None:
    cluster = picture(group("a"), at=(on("a", "n1"),))
    assert give_over(cluster, "a", "n2").because == "n2 is not master of a"
    assert give_over(cluster, "x", "n1").because == "n1 is not master of x"
    suspended = cluster.replace(goals={"a": Goal(suspended=True)})
    assert give_over(suspended, "a", "n1").because == "a is suspended"


def test_who_is_master_beside_takes_nothing() -> None:
    cluster = picture(group("a", maximum_primaries=2), at=(on("a", "n1"), on("a", "n2")), down="n3")
    found = give_over(cluster, "a", "n1")
    assert (found.candidates, found.refused) == ((), (("n3", "is dead"),))


# -- pingpong_interval. Sun: semantics.md 13.1 ------------------------------------------------------------------------

GAVE = Bar("a", "n1", "gave it over", True, True)
SPARED = "no other node can, and pingpong_interval keeps it away only from giveovers"


def test_who_gave_it_over_does_not_take_it_as_long_as_another_can() -> None:
    cluster = picture(group("a"), bars=(GAVE,))
    assert taken(cluster) == ("n2",)
    assert [c.because_not for c in candidates(cluster, "a")] == ["gave it over", "", ""]
    waits = picture(group("a"), group("b", "--a"), at=(on("b", "n2"),), bars=(GAVE,), down="n3")
    assert decide(waits, "a").next == ("n2",), "when b has left"
    assert [c.because_not for c in candidates(waits, "a")][:2] == [
        "gave it over",
        "waits until b, which must not be with it, has left n2",
    ]


def test_who_gave_it_over_takes_it_when_no_other_node_can() -> None:
    cluster = picture(group("a"), bars=(GAVE,), down="n2 n3")
    made = decide(cluster, "a")
    assert (made.take, made.because) == (("n1",), f"n1 should take it: {SPARED}")
    assert made.nowhere == (("n2", "is dead"), ("n3", "is dead"))
    assert [c.because_not for c in candidates(cluster, "a")] == ["", "is dead", "is dead"]


def test_who_failed_to_start_it_does_not_even_then() -> None:
    failed = Bar("a", "n1", "a Start failed there", True)
    for bars in ((failed,), (GAVE, failed)):
        cluster = picture(group("a"), bars=bars, down="n2 n3")
        assert not taken(cluster)
        assert candidates(cluster, "a")[0].because_not == "a Start failed there"
        assert dict(decide(cluster, "a").nowhere)["n1"] == "a Start failed there"


def test_of_two_that_gave_it_over_the_first_that_can() -> None:
    bars = (GAVE, Bar("a", "n2", "its Monitor_check says: no disk", True, True))
    assert taken(picture(group("a"), bars=bars, down="n3")) == ("n1",)
    drained = (Peer("n1", drained="work"), Peer("n2"), Peer("n3", alive=False))
    cluster = picture(group("a"), bars=bars, nodes=drained)
    assert taken(cluster) == ("n2",)
    assert [c.because_not for c in candidates(cluster, "a")] == ["takes no group: work", "", "is dead"]


def test_a_second_master_is_looked_for_there_too_but_nothing_fails_back_or_is_given_over() -> None:
    two = group("a", maximum_primaries=2, desired_primaries=2)
    one_left = picture(two, at=(on("a", "n2"),), bars=(GAVE,), down="n3")
    assert decide(one_left, "a").will == ("n2", "n1")
    assert [c.because_not for c in candidates(one_left, "a")] == ["", "is its master already", "is dead"]
    back = picture(group("a", failback=True), at=(on("a", "n2"),), bars=(GAVE,))
    assert decide(back, "a").will == ("n2",)
    alone = picture(group("a"), at=(on("a", "n2"),), bars=(GAVE,), down="n3")
    assert give_over(alone, "a", "n2").refused == (("n1", "gave it over"), ("n3", "is dead"))


def test_its_master_stays_though_it_gave_it_over_once() -> None:
    cluster = picture(group("a", failback=True), at=(on("a", "n1"),), bars=(GAVE,), down="n2 n3")
    assert decide(cluster, "a").stay == ("n1",)
    assert candidates(cluster, "a")[0].because_not == "is its master already"


def test_strong_positive_cannot_leave_alone_but_hands_its_failover_on() -> None:
    at = (on("a", "n1"), on("t", "n1"))
    alone = give_over(picture(group("a", "++t"), group("t"), at=at), "a", "n1")
    assert alone.refused == tuple([(n, "must be where t is, which is not there (++)") for n in ("n2", "n3")])
    cluster = picture(group("a", "+++t"), group("t"), at=at)
    found = give_over(cluster, "a", "n1")
    assert (found.group, found.candidates, found.along) == ("t", ("n2", "n3"), ("a",))
    elsewhere = picture(group("a", "+++t"), group("t"), at=(on("a", "n1"),))
    assert give_over(elsewhere, "a", "n1").group == "a"


def test_who_hands_its_failover_on_must_be_able_to_come_along() -> None:
    groups = (group("a", "+++m", "-x"), group("m", "+++t", nodelist=("n1", "n2")), group("t"), group("x"))
    at = (on("a", "n1"), on("m", "n1"), on("t", "n1"))
    found = give_over(picture(*groups, at=at), "a", "n1")
    assert (found.group, found.candidates, found.along) == ("t", ("n2",), ("m", "a"))
    assert found.refused == (("n3", "cannot take m, which goes along: is not in its nodelist"),)


def test_the_wishes_of_the_same_groups_are_found_once() -> None:
    groups = (group("a", "++t"), group("t"))
    assert web_of(groups) is web_of(groups)
    assert web_of((*groups, group("u"))) is not web_of(groups)
    assert web_of((groups[1], groups[0])) == web_of(groups)


def test_a_plan_of_some_groups_says_the_same_of_them() -> None:
    cluster = picture(group("a", "++t"), group("t"), group("u"), at=(on("t", "n2"),))
    made = plan(cluster, ("a", "x"))
    assert made == {name: each for name, each in plan(cluster).items() if name in ("a", "t")}


def test_a_picture_laid_out_is_used_as_it_is() -> None:
    view = view_of(picture(group("a")))
    assert isinstance(view, View)
    assert view_of(view) is view
    assert view_of(picture(group("a")), view.web).web is view.web
    assert decide(view, "a").take == ("n1",)


def test_every_one_of_several_strong_ones_counts() -> None:
    groups = (group("a", "++t", "--u", "--v"), group("t"), group("u"), group("v"))
    at = (on("a", "n1"), on("t", "n1"), on("u", "n2"), on("v", "n3"))
    assert plan(picture(*groups, at=at))["a"].stay == ("n1",)
    assert give_over(picture(*groups, at=at[1:]), "t", "n1").along == ()
