"""Slots and goals that nobody can read: nothing automatic touches them, and a person clears them when that is safe."""

from __future__ import annotations

import pytest

from gds.model.cluster import Cluster, Goal, Mastery, Peer, Unread
from gds.model.resource import Group
from gds.model.store import Committed, Conflict, Delete, Put, Transaction
from gds.rgm import asked, records, unread
from gds.rgm.member import Offline, Online
from gds.rgm.placement import decide, give_over
from gds.rgm.records import Slot
from tests.unit.rgm.onenode import STUCK, UPS, WAIT, WEB, One, Store, master, member

SLOT = "rg/web/slot/0"
ONE = Group("a", nodelist=("n1", "n2"))
TWO = ONE.replace(maximum_primaries=2, desired_primaries=2)
PEERS = (Peer("n1"), Peer("n2"))
LOST = Unread("a", 0, "has a record")
WRONG = Goal(suspended=True, unread="the group has a goal that cannot be read")


def garbage(one: One, key: str = SLOT) -> One:
    """Somebody writes garbage there, and it is heard."""
    one.store.put(Put(key, "garbage{"))
    return one.run()


def report(store: Store, node: str, **said: object) -> None:
    """That node says so of web."""
    born = store.dictionary.records[records.node_key(node)].created
    store.put(Put(records.report_key(node), records.encode(born=born, groups={"web": said} if said else {})))


def lived() -> Store:
    """n2 lives, and runs nothing."""
    store = Store().settled()
    store.lives("n2")
    report(store, "n2", state="OFFLINE", token=0)
    return store


def found(one: One) -> Slot:
    """The slot that nobody can read."""
    [slot] = unread.slots(one.member.board, ["web", "another"])
    return slot


def where(one: One) -> str:
    """Where web may run."""
    return unread.runs_where(one.member, found(one))


# -- the judge --------------------------------------------------------------------------------------------------------


def test_a_group_stays_down_as_long_as_nobody_can_tell_who_has_it() -> None:
    made = decide(Cluster(PEERS, (ONE,), unread=(LOST,)), "a")
    assert (made.will, made.because) == ((), "stays down: it has a record")


def test_with_room_for_another_it_runs_on_one_node_less() -> None:
    cluster = Cluster(PEERS, (TWO,), unread=(LOST,))
    made = decide(cluster, "a")
    assert made.take == ("n1",)
    assert made.because == "n1 should take it: the first of its nodelist that can; it has a record"
    there = cluster.replace(masteries=(Mastery("a", "n1", 1, state="ONLINE"), Mastery("a", "n2", 2, state="ONLINE")))
    assert decide(there, "a").stay == ("n1", "n2"), "nothing that runs is stopped for it"


def test_what_has_left_one_node_waits_for_no_other_mastery() -> None:
    there = Mastery("a", "n1", 1, state="PENDING_OFFLINE")
    dead = (Peer("n1", alive=False), Peer("n2"))
    made = decide(Cluster(dead, (TWO,), (there,), unread=(LOST,)), "a")
    assert (made.take, made.next) == ((), ("n2",))


def test_a_goal_that_cannot_be_read_says_so_wherever_it_stands_in_the_way() -> None:
    cluster = Cluster(PEERS, (ONE,), goals={"a": WRONG})
    assert decide(cluster, "a").because == f"stays down: {WRONG.unread}"
    there = cluster.replace(masteries=(Mastery("a", "n1", 1, state="ONLINE"),))
    assert decide(there, "a").stay == ("n1",)
    assert give_over(there, "a", "n1").because == WRONG.unread


# -- what people ask --------------------------------------------------------------------------------------------------


def test_whatever_is_said_of_a_goal_that_cannot_be_read_replaces_it() -> None:
    cluster = Cluster(PEERS, (ONE,), goals={"a": WRONG})
    assert asked.online(cluster, "a") == (Goal(), "")
    assert asked.offline(WRONG) == Goal(online=False)
    assert asked.switch(cluster, "a", ("n2",), 4, "r") == (Goal(targets=("n2",), since=4, request="r"), "")
    assert asked.suspend(WRONG, False) == Goal()
    assert asked.suspend(WRONG, True) == Goal(suspended=True)
    assert asked.suspend(Goal(count=2), True) == Goal(count=2, suspended=True)
    assert asked.suspend(Goal(suspended=True), True) is None


def test_with_a_mastery_that_cannot_be_read_there_is_room_for_one_less() -> None:
    one = Cluster(PEERS, (ONE,), unread=(LOST, Unread("b", 0, "of another")))
    assert asked.online(one, "a")[1] == "has a record"
    assert asked.switch(one, "a", ("n2",), 4, "r")[1] == "a has a record"
    two = one.replace(groups=(TWO,))
    assert asked.online(two, "a") == (Goal(), "")
    assert asked.switch(two, "a", ("n2",), 4, "r")[1] == ""
    assert asked.switch(two, "a", ("n1", "n2"), 4, "r")[1] == "a has a record"


# -- a node -----------------------------------------------------------------------------------------------------------


def test_who_had_it_stops_it_and_nobody_takes_it() -> None:
    one = garbage(master(lived()))
    assert "rg/web/slot/0 was overwritten, by no node of the cluster, with what cannot be read: it is no JSON" in [
        each.because for each in one.did(Offline)
    ]
    one.local()
    one.orders.clear()
    one.run(1.0)
    assert not one.did(Online)
    assert not one.asked("claim")


def test_why_a_mastery_is_lost() -> None:
    assert unread.why_lost(None) == "its slot was removed from the store, by no node of the cluster"
    assert unread.why_lost(Slot("web", 0, "n2", 4, 9)) == "n2 has taken it: this node's life in the cluster was ended"


def test_a_silent_node_that_may_have_it_is_fenced() -> None:
    one = garbage(master(lived()))
    one.local()
    assert one.store.has("nodes/n2")
    one.run(WAIT + 1.0)
    assert not one.store.has("nodes/n2")


# -- the way out ------------------------------------------------------------------------------------------------------


def test_it_may_be_removed_when_every_node_says_that_it_does_not_run_there() -> None:
    one = garbage(master(lived()))
    assert where(one) == "it is ONLINE on n1"
    one.local(STUCK)
    one.run()
    assert where(one) == "it is ERROR_STOP_FAILED on n1"
    one.local()
    one.run()
    assert where(one) == "n2 has not been heard of since then, and may run it; it is fenced when it stays silent"
    one.store.lives("n2", seq=2)
    one.run()
    assert where(one) == ""
    gone = Transaction(unread.unchanged(one.member, found(one)), (Delete(SLOT),))
    report(one.store, "n2", state="ONLINE", token=9)
    assert isinstance(one.store.commit(gone), Conflict), "n2 has said something since"
    one.run()
    assert where(one) == "it is ONLINE on n2"
    report(one.store, "n2", state="PENDING_ONLINE", token=0)
    one.run()
    assert where(one) == "it is PENDING_ONLINE on n2"
    report(one.store, "n2")
    one.run()
    assert where(one) == ""
    gone = Transaction(unread.unchanged(one.member, found(one)), (Delete(SLOT),))
    assert isinstance(one.store.commit(gone), Committed)
    one.run(1.0)
    assert one.did(Online)


@pytest.mark.parametrize("key", ["report/n2", "nodes/n2"])
def test_a_node_that_says_nothing_may_run_it(key: str) -> None:
    one = garbage(master(lived()))
    one.local()
    one.store.lives("n2", seq=2)
    one.run()
    one.store.put(Delete(key))
    one.run()
    assert bool(where(one)) is (key == "report/n2"), "one that was fenced runs nothing"


def test_nobody_removes_anything_who_is_no_member_or_has_not_looked_yet() -> None:
    store = lived()
    store.put(Put(SLOT, "garbage{"))
    one = One(store)
    one.load()
    assert where(one).startswith("this node is no member of the cluster: ")
    one.member.born(store.lives("n1"), one.now, False)
    assert where(one).startswith("n2 has not been heard of")


def test_masteries_that_can_be_read_are_left_alone() -> None:
    two = WEB.replace(maximum_primaries=2)
    one = garbage(master(lived(), two), "rg/web/slot/1")
    one.local(UPS)
    other = one.store.holds("n2", slot=2)
    report(one.store, "n2", state="ONLINE", token=other)
    one.store.lives("n2", seq=2)
    one.run()
    assert where(one) == ""
    undeclared = member(one.store, Group("other"), name="n3")
    slot = Slot("web", 1, "", 0, found(one).token)
    assert unread.runs_where(undeclared.member, slot), "n1 and n2 are to be heard of"
