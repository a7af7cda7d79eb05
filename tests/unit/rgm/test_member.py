"""A node's life in the cluster, each branch by hand. (That it is safe in whatever order: tests/property.)"""

from __future__ import annotations

import pytest

from gds.model.resource import Group
from gds.model.store import Committed, Compare, Conflict, Delete, Put, Rejected
from gds.rgm import records
from gds.rgm.member import FOREVER, Arm, Commit, Fence, Joined, Left, Offline, Online, Refuse, Told
from tests.unit.rgm.onenode import LOST, STOPPING, STUCK, UPS, WAIT, WEB, One, Store, master, member

# -- joining ----------------------------------------------------------------------------------------------------------


def test_a_fresh_node_joins_and_its_tenure_counts_from_when_it_asked() -> None:
    one = One(Store().settled())
    assert one.step() == []
    assert one.member.due(one.now) == FOREVER
    one.load()
    one.step()
    assert one.member.waiting == "it is joining"
    one.now += 0.7
    one.answer("join")
    one.step()
    assert [o.until for o in one.did(Arm)] == [108.0]
    assert [o.life for o in one.did(Joined)] == [one.member.life]
    assert one.member.birth == one.store.dictionary.revision
    assert one.member.waiting == ""
    assert one.member.due(one.now) == 102.0


def test_what_runs_here_has_to_be_down_before_a_node_joins() -> None:
    one = One(Store().settled())
    one.local(UPS)
    one.step()
    assert [o.because for o in one.did(Offline)] == ["the store has not answered in time"]
    one.load()
    one.step()
    assert one.member.waiting == "what runs here has to be down first"
    assert not one.open
    one.local()
    one.step()
    assert one.asked("join")


def test_a_join_whose_answer_was_lost_is_found_in_the_store_and_counts_from_the_first_asking() -> None:
    one = One(Store().settled())
    one.load()
    one.step()
    one.now += 1.0
    one.answer("join", LOST)
    one.step()
    one.answer("join", LOST, happens=False)
    one.hear()
    one.step()
    assert one.member.birth == one.store.dictionary.revision
    assert [o.until for o in one.did(Arm)] == [108.0]


def test_a_join_that_is_answered_when_its_life_is_over_begins_nothing() -> None:
    one = One(Store().settled())
    one.load()
    one.step()
    join = one.asked("join")[0]
    one.store.commit(join.transaction)
    one.hear()
    one.step()  # by the news it lives
    one.store.put(Delete(records.node_key("n1")))
    one.run(2.0)
    one.member.answered(join.tag, Committed(2), one.now)
    one.member.answered(join.tag, Committed(2), one.now)  # of which nobody has heard
    one.run()
    assert one.member.birth == one.store.dictionary.records["nodes/n1"].created


def test_a_join_that_conflicts_is_not_asked_again_at_once_in_the_same_words() -> None:
    one = One(Store().settled())
    one.load()
    one.store.lives("n1")
    one.step()
    assert one.answer("join") == Conflict()
    one.step()
    assert not one.open
    assert one.member.due(one.now) == 101.0
    one.step(after=1.0)
    assert one.asked("join")


def test_the_life_before_of_this_very_directory_is_ended_at_once() -> None:
    store = Store().settled()
    store.lives("n1", identity="here")
    one = One(store)
    one.load()
    one.step()
    assert one.member.waiting == "the life before is being ended"
    one.run()
    assert one.member.birth
    assert "joined the cluster as n1" in one.told()


def test_a_stranger_of_our_name_that_is_silent_is_waited_for_and_then_removed() -> None:
    store = Store().settled()
    store.lives("n1", lifetime=20.0)
    one = One(store)
    one.load()
    one.run()
    assert one.member.waiting == "a node n1 was here before; it is given 20 s to show that it lives"
    assert one.member.due(one.now) == pytest.approx(100.0 + 1.01 * 20.0)
    one.run(20.19)
    assert not one.member.birth
    one.run(0.02)
    assert one.member.birth


def test_a_stranger_of_our_name_that_moves_refuses_us() -> None:
    store = Store().settled()
    store.lives("n1")
    one = One(store)
    one.load()
    one.run(3.0)
    store.lives("n1", seq=2)
    one.run()
    [refused] = one.did(Refuse)
    assert refused.because.startswith("cannot be node n1: another runner lives under that name in this cluster (there)")
    assert one.member.due(one.now) == FOREVER
    assert one.step() == []


def test_a_stranger_that_leaves_makes_room() -> None:
    store = Store().settled()
    store.lives("n1")
    one = One(store)
    one.load()
    one.run()
    store.put(Delete("nodes/n1"))
    one.hear()
    assert one.member.due(one.now) == FOREVER  # a step is due now
    one.run()
    assert one.member.birth


def test_a_record_of_our_name_that_cannot_be_read_is_never_removed() -> None:
    store = Store().settled()
    store.put(Put("nodes/n1", '{"schema":2}'))
    one = One(store)
    one.load()
    one.run(60.0)
    assert one.member.waiting == (
        "there is a record nodes/n1 that cannot be read: it is of schema 2, written by a newer gds"
    )
    assert store.has("nodes/n1")


# -- after a crash of the runner --------------------------------------------------------------------------------------


def resumed(sent: float, **how: object) -> One:
    """The runner after one whose last renewal was sent then; web ran."""
    store = Store().settled()
    store.lives("n1", life="old", identity="here")
    store.holds("n1")
    one = One(store, life="old", sent=sent, **how)  # type: ignore[arg-type]  # those of One
    one.local(UPS)
    return one


def test_a_life_whose_tenure_has_not_ended_goes_on() -> None:
    one = resumed(95.0)
    assert one.member.may_go_on(one.now)
    assert one.step() == []
    assert one.member.due(one.now) == 103.0
    one.load()
    one.step()
    assert [o.until for o in one.did(Arm)] == [103.0]
    assert one.told() == "taken up again as the node it was"
    assert not one.did(Offline)
    assert one.phase == "up"
    assert one.asked("renew")
    one.run()
    assert [o.until for o in one.did(Arm)] == [108.0]
    assert not one.did(Online)


def test_a_life_whose_tenure_has_ended_is_taken_up_when_all_is_down() -> None:
    one = resumed(90.0)
    one.step()
    assert [o.group for o in one.did(Offline)] == ["web"]
    assert one.member.due(one.now) == FOREVER
    one.load()
    one.step()
    assert [o.until for o in one.did(Arm)] == [98.0]
    one.local()
    one.run()
    assert [o.group for o in one.did(Online)] == ["web"]


def test_a_life_that_was_ended_meanwhile_is_not_taken_up() -> None:
    one = resumed(95.0)
    one.store.put(Delete("nodes/n1"))
    one.load()
    one.step()
    fenced = "this node was fenced while no runner was here, or its record was removed"
    assert [o.because for o in one.did(Offline)] == [fenced]
    assert [(o.group, o.because) for o in one.did(Told)] == [("web", fenced)]
    one.local()
    one.run()
    assert one.did(Joined)[0].life != "old"


def test_what_the_runner_before_was_stopping_is_stopped_and_comes_up_again() -> None:
    one = resumed(95.0)
    one.local(STOPPING)
    one.load()
    one.run()
    assert [o.because for o in one.did(Offline)] == ["the runner before was stopping it"]
    token = one.masteries.token("web")
    one.local()
    one.run()
    assert [o.token for o in one.did(Online)] == [token]


# -- renewing ---------------------------------------------------------------------------------------------------------


def test_a_renewal_counts_from_when_it_was_sent() -> None:
    one = member()
    one.step(after=2.0)
    one.now += 0.9
    one.answer("renew")
    one.step()
    assert [o.until for o in one.did(Arm)] == [110.0]
    assert one.member.due(one.now) == 104.0


def test_a_renewal_of_unknown_outcome_is_asked_again_soon_but_not_without_end() -> None:
    one = member()
    one.step(after=2.0)
    one.answer("renew", LOST)
    one.step()
    assert not one.open
    assert one.member.due(one.now) == 102.25
    one.step(after=0.25)
    assert one.asked("renew")
    assert not one.did(Arm)


def test_a_full_store_is_told_of_and_asked_again_in_a_while() -> None:
    one = member()
    one.step(after=2.0)
    one.answer("renew", Rejected("it is full"), happens=False)
    one.step()
    assert one.told() == "the store refuses renew: it is full"
    assert one.member.due(one.now) == 103.0
    one.step(after=1.0)
    one.answer("renew", Rejected("it is full"), happens=False)
    one.step()
    assert one.told() == "", "once is enough"


def test_who_was_fenced_kills_everything_at_once_and_joins_anew_when_all_is_down() -> None:
    one = master()
    born, life = one.member.birth, one.member.life
    one.store.put(Delete("nodes/n1"))
    one.step(after=2.0)
    assert one.answer("renew") == Conflict()
    one.step()
    assert [o.until for o in one.did(Arm)] == [one.now]
    assert [o.group for o in one.did(Offline)] == ["web"]
    assert not one.member.may_run(one.now)
    one.hear()
    one.run()
    assert not one.member.birth
    one.local()
    one.run()
    assert one.member.birth > born
    assert one.member.life != life
    assert [o.token > born for o in one.did(Online)] == [True]


@pytest.mark.parametrize("first", ["the renewal", "the news"])
def test_who_was_fenced_says_so_for_each_group_whichever_news_comes_first(first: str) -> None:
    one = master()
    one.step(after=9.0)
    one.local()
    one.step()
    assert not one.member.may_run(one.now)
    one.orders.clear()
    one.store.put(Delete("nodes/n1"))
    if first == "the renewal":
        assert one.answer("renew") == Conflict()
    else:
        one.store.put(Put("rg/web/slot/0", records.encode(node="n2", born=99, because="")))
        one.hear()
        one.step()
        one.answer("renew")
    one.step()
    said = [o.because for o in one.did(Told) if o.group == "web"]
    assert len(said) == 1
    assert ("this node was fenced" if first == "the renewal" else "n2 has taken it") in said[0]


def test_a_store_that_went_back_in_time_is_another_store() -> None:
    one = member()
    one.step(after=2.0)
    one.answer("renew", Committed(1), happens=False)
    one.step()
    assert "restored from a backup" in one.told()
    assert not one.member.birth


# -- losing contact ---------------------------------------------------------------------------------------------------


def test_without_renewal_everything_stops_and_comes_up_again_with_the_same_token() -> None:
    one = master()
    token = one.masteries.token("web")
    one.step(after=2.0)
    one.step(after=2.0)
    assert one.member.due(one.now) == 108.0
    one.step(after=3.9)
    assert not one.did(Offline)
    one.step(after=0.1)
    assert [o.group for o in one.did(Offline)] == ["web"]
    assert one.told() == "no renewal since 8.0 s: everything of the cluster stops"
    one.step(after=0.1)
    assert one.told() == ""
    one.local(STOPPING)
    one.answer("renew", LOST, happens=False)
    one.run()
    assert not one.did(Online)
    one.local()
    one.run()
    assert [o.token for o in one.did(Online)] == [token]


# -- others -----------------------------------------------------------------------------------------------------------


def with_other(**how: object) -> One:
    """A member beside n2, which is master of web."""
    store = Store().settled()
    store.lives("n2")
    store.holds("n2")
    one = One(store, **how)  # type: ignore[arg-type]  # those of One
    one.load()
    one.run()
    return one


def test_a_silent_node_is_fenced_when_it_holds_what_we_could_take_and_not_before() -> None:
    one = with_other()
    one.run(WAIT - 0.01)
    assert one.store.has("nodes/n2")
    assert one.member.due(one.now) <= 100.0 + WAIT
    one.run(0.02)
    assert not one.store.has("nodes/n2")
    one.run(0.4)
    assert [o.group for o in one.did(Online)] == ["web"]


def test_a_pulse_puts_it_off() -> None:
    one = with_other()
    one.run(5.0)
    one.store.lives("n2", seq=2)
    assert not one.hear()
    one.run(WAIT - 0.1)
    assert one.store.has("nodes/n2")
    one.run(0.2)
    assert not one.store.has("nodes/n2")


def test_only_who_lives_in_a_store_says_of_another_that_it_is_silent_there() -> None:
    """In a store that was wiped the revisions begin anew, and who has not heard of it has numbers of the old one."""
    one = with_other()
    one.run(WAIT - 0.1)
    one.step(after=0.2)
    [fence] = one.asked("fence")
    silent = one.member.board.nodes["n2"]
    seen = Compare("nodes/n2", silent.modified, silent.born)
    here = Compare(records.CLUSTER, value=one.member.board.word)
    assert fence.transaction.compares == (seen, Compare("nodes/n1", created=one.member.birth), here)
    assert here.value


def test_what_is_under_way_when_a_store_is_wiped_does_nothing_in_the_one_after_it() -> None:
    """The same nodes make it anew, and so the same numbers: only the word that its founder wrote differs. A claim, an
    end of the waiting, a fence and a release of the store before compare it."""
    one = with_other()
    known = one.member.same_cluster()
    assert (known.modified, known.created) == (
        one.member.board.modified("cluster"),
        one.member.board.created("cluster"),
    )
    assert known.value == one.member.board.word == one.member.at_home()[1].value
    one.member.board.load({}, 0.0)
    assert one.member.board.word == ""
    assert one.member.at_home() == (one.member.alive(),)


def test_a_pulse_we_had_not_seen_saves_it() -> None:
    one = with_other()
    one.run(WAIT - 0.1)
    one.store.lives("n2", seq=2)
    one.step(after=0.2)
    assert one.answer("fence") == Conflict()
    one.step()
    assert not one.asked("fence")
    assert one.hear(), "it was dead in the picture"
    one.run()
    assert one.store.has("nodes/n2")


def test_the_longer_lifetime_counts() -> None:
    store = Store().settled()
    store.lives("n2", lifetime=30.0)
    store.holds("n2")
    one = One(store)
    one.load()
    one.run(30.2)
    assert store.has("nodes/n2")
    one.run(0.2)
    assert not store.has("nodes/n2")


def test_who_holds_nothing_of_ours_is_left_alone() -> None:
    store = Store().settled()
    store.lives("n2")
    one = One(store)
    one.load()
    one.run(30.0)
    assert store.has("nodes/n2")


def test_whose_own_tenure_is_over_fences_nobody() -> None:
    one = with_other()
    one.run(3.0)
    for _ in range(20):
        one.step(after=0.5)
    assert not one.asked("fence")


def test_a_node_that_does_not_say_how_long_it_lives_is_never_fenced() -> None:
    store = Store().settled()
    store.put(Put("nodes/n2", records.encode(life="x")))
    store.holds("n2")
    one = One(store)
    one.load()
    one.run(200.0, every=1.0)
    assert store.has("nodes/n2")
    assert one.member.board.strange["nodes/n2"] == "it does not say how long it lives"


def test_a_fenced_node_counts_as_dead_before_the_news_comes() -> None:
    one = with_other()
    one.run(WAIT - 0.01)
    one.step(after=0.02)
    one.answer("fence")
    one.step()
    assert one.asked("claim")


def test_with_a_hook_a_silent_node_is_ended_by_it_first() -> None:
    one = with_other(hook=True)
    one.run(WAIT + 0.1)
    fencing = one.member.fencing
    assert [o.node for o in one.did(Fence)] == ["n2"]
    one.run(5.0)
    assert not one.did(Fence)
    assert fencing.held_up(one.now)["n2"].startswith("fence_command is under way; nothing of n2 is taken before it ")
    fencing.failed("n2", "exited with status 1")
    assert fencing.held_up(one.now)["n2"].startswith("fence_command exited with status 1, and is tried again; ")
    one.member.hooked("n2", False)
    one.run()
    assert [o.node for o in one.did(Fence)] == ["n2"]
    assert one.store.has("nodes/n2")
    assert "exited with status 1" in fencing.held_up(one.now)["n2"], "until it has succeeded"
    one.member.hooked("n2", True)
    assert fencing.held_up(one.now) == {}
    one.run()
    assert not one.store.has("nodes/n2")


def test_what_the_hook_said_of_one_silence_is_not_said_of_the_next() -> None:
    one = with_other(hook=True)
    assert one.member.fencing.held_up(one.now) == {}
    one.run(WAIT + 0.1)
    one.member.fencing.failed("n2", "exited with status 1")
    one.store.put(Put("nodes/n2", records.encode(life="x", identity="there", version="1", lifetime=5.0)))
    one.hear()
    one.step()
    assert one.member.fencing.held_up(one.now) == {}, "it moves"
    one.run(WAIT + 0.1)
    assert "under way" in one.member.fencing.held_up(one.now)["n2"]


# -- a new store ------------------------------------------------------------------------------------------------------


def test_in_a_new_store_nothing_is_taken_for_a_lifetime() -> None:
    one = One(Store())
    one.load()
    one.run(WAIT - 0.1)
    assert "the store is new: nothing is taken for 10.1 s" in one.told()
    assert not one.did(Online)
    assert one.member.due(one.now) <= 100.0 + WAIT
    one.run(0.2)
    assert [o.group for o in one.did(Online)] == ["web"]


def test_a_store_that_is_wiped_while_it_was_waited_for_is_waited_for_anew() -> None:
    one = One(Store())
    one.load()
    one.run(8.0)
    one.store.put(Delete("cluster"))
    one.run(8.0)
    assert not one.did(Online)
    one.run(3.0)
    assert one.did(Online)


def test_two_stores_are_told_apart_though_their_numbers_are_the_same() -> None:
    one = One(Store())
    one.load()
    one.run(8.0)
    record = one.store.dictionary.records["cluster"]
    other = record.replace(value=records.encode(settled=False, by="somebody else"))
    one.member.loaded({**one.store.dictionary.records, "cluster": other}, one.member.revision, one.now)
    one.step(after=WAIT - 8.0 + 0.1)
    assert not one.asked("settle")


def test_what_a_newer_version_says_of_the_store_is_not_touched() -> None:
    store = Store()
    store.put(Put("cluster", '{"schema":2,"settled":true}'))
    one = One(store)
    one.load()
    one.run(30.0)
    assert store.dictionary.records["cluster"].value == '{"schema":2,"settled":true}'
    assert not one.did(Online)


def test_who_was_fenced_begins_to_wait_anew() -> None:
    one = One(Store())
    one.load()
    one.run(8.0)
    one.store.put(Delete("nodes/n1"))
    one.run(8.0)
    assert not one.did(Online)


# -- leaving ----------------------------------------------------------------------------------------------------------


def test_a_runner_that_ends_leaves_when_everything_is_down() -> None:
    one = master()
    one.member.end(one.now)
    one.step()
    assert [o.because for o in one.did(Offline)] == ["the runner ends"]
    one.local()
    one.step()
    one.answer("leave")
    assert one.step() == [Left()]
    assert not one.store.has("nodes/n1")
    one.member.hopeless()
    assert one.step() == []
    assert one.member.due(one.now) == FOREVER


def test_a_life_is_forgotten_before_its_end_is_asked_for() -> None:
    """A leave whose answer is lost may take effect when a runner after us lives: it must not live the same life."""
    one = master()
    one.member.end(one.now)
    one.step()
    assert not one.did(Joined), "what runs may still be taken back"
    one.local()
    orders = one.step()
    forgotten = next(n for n, order in enumerate(orders) if order == Joined(""))
    asked = next(n for n, order in enumerate(orders) if isinstance(order, Commit) and order.tag == ("leave",))
    assert forgotten < asked
    one.now += 1.0
    one.answer("leave", LOST, happens=False)
    assert Joined("") not in one.step(), "once is enough"


def test_leaving_is_tried_three_times() -> None:
    one = member()
    one.member.end(one.now)
    for _ in range(4):
        one.step()
        one.now += 1.0
        one.answer("leave", LOST, happens=False)
    assert one.step()[-1] == Left()


def test_who_was_fenced_meanwhile_has_left() -> None:
    one = member()
    one.store.put(Delete("nodes/n1"))
    one.member.end(one.now)
    one.step()
    assert one.answer("leave") == Conflict()
    assert one.step() == [Left()]
    one.member.answered(("renew",), Conflict(), one.now)


def test_a_runner_that_ends_before_it_has_joined_waits_for_its_answer() -> None:
    one = One(Store().settled())
    one.load()
    one.step()
    one.member.end(one.now)
    assert one.step() == []
    one.answer("join")
    one.run()
    assert one.did(Left) == [Left()]
    assert not one.store.has("nodes/n1")


def test_a_runner_that_ends_before_it_was_told_anything_is_gone() -> None:
    one = One(Store())
    one.member.end(one.now)
    assert one.step() == [Left()]


def test_a_runner_that_ends_does_not_join() -> None:
    one = One(Store().settled())
    one.member.end(one.now)
    one.load()
    assert one.step() == [Left()]


def test_what_could_not_be_stopped_keeps_its_record() -> None:
    one = master()
    one.local(STUCK)
    one.member.hopeless()
    assert one.step() == [Left()]
    assert one.store.has("nodes/n1")
    assert one.store.has("rg/web/slot/0")


def test_a_node_without_a_group_of_its_own_just_lives() -> None:
    one = member(None, Group("other", nodelist=("n2",)))
    one.run(20.0)
    assert one.member.may_run(one.now)
    assert WEB.name not in one.masteries.locals
