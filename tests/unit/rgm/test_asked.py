"""What people ask of where a group runs: judged before anything moves. Sun: semantics.md 13, 13.1."""

from __future__ import annotations

from gds.model.cluster import Bar, Cluster, Goal, Mastery, Peer
from gds.model.resource import Group
from gds.rgm import asked

NODES = ("n1", "n2", "n3")
ONE = Group("a", nodelist=NODES)
TWO = Group("a", nodelist=NODES, maximum_primaries=2, desired_primaries=2)
PEERS = tuple([Peer(name) for name in NODES])


def switched(group: Group, *nodes: str, bars: tuple[Bar, ...] = (), goal: Goal | None = None) -> tuple[Goal, str]:
    """What is wanted after it; the group runs on n1."""
    cluster = Cluster(PEERS, (group,), (Mastery("a", "n1", 7),), {"a": goal} if goal is not None else {}, bars)
    return asked.switch(cluster, "a", nodes, 40, "r")


def test_a_switch_names_its_nodes_and_since_when() -> None:
    assert switched(ONE, "n3", "n3") == (Goal(targets=("n3",), request="r", since=40), "")
    offline = Goal(online=False, because="auto_start_on_new_cluster is false")
    assert switched(ONE, "n3", goal=offline)[0].because == ""


def test_fewer_than_are_desired_are_exactly_these_and_more_than_the_maximum_are_refused() -> None:
    assert switched(TWO, "n1", "n2")[0].count == 0
    assert switched(TWO, "n2")[0].count == 1
    before = Goal(request="before")
    assert switched(TWO, "n1", "n2", "n3", goal=before) == (before, "these are 3 nodes, and its maximum_primaries is 2")


def test_a_node_that_cannot_take_it_is_refused_and_a_mark_does_not_stand_in_the_way() -> None:
    mark, other = Bar("a", "n2", "gave it over", True), Bar("a", "n2", "its files differ")
    assert switched(ONE, "n2", bars=(mark,))[1] == ""
    assert switched(ONE, "n2", bars=(mark, other))[1] == "n2 its files differ"
    assert switched(ONE, "n9")[1] == "n9 has not joined the cluster"
    assert switched(ONE, "n1", bars=(Bar("a", "n1", "its files differ"),))[1] == "", "it is there"


def test_online_forgets_the_switch_and_a_suspended_group_is_told_its_nodes() -> None:
    cluster = Cluster(PEERS, (TWO,), goals={"a": Goal(online=False, targets=("n3",), count=1, since=40)})
    assert asked.online(cluster, "a") == (Goal(since=40), "")
    suspended = cluster.replace(goals={"a": Goal(online=False, suspended=True)})
    assert asked.online(suspended, "a") == (Goal(suspended=True, targets=("n1", "n2")), "")
    dead = suspended.replace(nodes=tuple([peer.replace(alive=False) for peer in PEERS]))
    assert asked.online(dead, "a")[1] == "stays down: each of n1, n2, n3 is dead"


def test_offline_forgets_everything_but_the_suspension() -> None:
    before = Goal(targets=("n3",), count=1, since=40, suspended=True, request="r")
    assert asked.offline(before) == Goal(online=False, suspended=True, request="r")
