"""What a node masters, could take and gives up, each branch by hand."""

from __future__ import annotations

import json

import pytest

from gds.model.cluster import Goal
from gds.model.resource import Group
from gds.model.store import Committed, Compare, Conflict, Delete, Put, Rejected
from gds.rgm import records
from gds.rgm.mastery import Local, goal_value
from gds.rgm.member import Cancelled, Check, Offline, Online, Possible
from tests.unit.rgm.onenode import LOST, STOPPING, STUCK, UPS, WAIT, WEB, One, Store, master, member

SLOT = "rg/web/slot/0"


def lived(*others: str) -> Store:
    """A settled store in which these live."""
    store = Store().settled()
    for name in others:
        store.lives(name)
    return store


def second(**how: object) -> One:
    """n2, a member beside n1, who should take web first."""
    return member(lived("n1"), name="n2", **how)


# -- claims -----------------------------------------------------------------------------------------------------------


def test_the_first_candidate_claims_at_once_and_its_token_is_the_revision() -> None:
    one = One(Store().settled())
    one.load()
    one.run()
    [online] = one.did(Online)
    assert online.token == one.store.dictionary.records[SLOT].modified == one.masteries.token("web")
    assert one.masteries.token("another") == 0
    assert "taken: n1 should take it" in one.told()


def test_number_two_leaves_a_turn_to_the_first() -> None:
    one = second()
    assert not one.asked("claim")
    assert one.member.due(one.now) == pytest.approx(one.now + 0.3)
    one.run(0.31)
    assert one.did(Online)


def test_nothing_fails_back_to_a_node_that_lived_and_did_not_act_until_it_joins_anew() -> None:
    back = WEB.replace(failback=True)
    one = member(lived("n1"), back, name="n2")
    one.run(0.31)
    assert one.did(Online)
    assert "n1 should take it: the first of its nodelist that can, but did not act; n2 is next" in one.told()
    one.local(UPS)
    for seq in range(2, 10):
        one.run(1.0)
        one.store.lives("n1", seq=seq)  # it renews, and that is all it does
    assert not one.did(Offline), "down and up again, for nothing"
    one.store.put(Delete("nodes/n1"))
    one.store.lives("n1", life="another")
    one.run(0.5)
    assert [o.because for o in one.did(Offline)] == ["n1 is preferred (failback)"]


def test_of_two_that_took_it_in_place_of_one_that_did_not_act_the_first_stays() -> None:
    back = WEB.replace(failback=True, maximum_primaries=2)
    store = lived("n1", "n3")
    one = member(store, back, name="n2")
    one.run(0.31)
    assert one.did(Online)
    one.local(UPS)
    store.holds("n3", slot=1)
    one.run(1.0)
    assert one.masteries.decisions["web"].failback == ("n2", "n3")
    assert not one.did(Offline)
    other = member(lived("n1", "n3"), back, name="n2")
    other.run(0.31)
    other.local(UPS)
    [slot] = other.member.board.holders("web")
    other.store.put(Delete(SLOT))
    other.store.holds("n3")
    other.hear()
    other.member.board.slots["web"][1] = slot.replace(index=1)
    other.masteries.held["web"].slot = 1
    other.masteries.stale = True
    other.run()
    assert other.masteries.decisions["web"].failback == ("n3", "n2")
    assert [o.because for o in other.did(Offline)] == ["n1 is preferred (failback)"]


def test_numbers_of_a_store_that_was_wiped_are_not_mistaken_for_those_of_the_new_one() -> None:
    """Revisions begin anew: a slot of another node may have the number that ours had."""
    one = master()
    offline(one)
    one.run()
    one.local()
    one.step()
    [release] = one.asked("release")
    assert Compare("nodes/n1", created=one.member.birth) in release.transaction.compares
    [ours] = one.member.board.holders("web")
    theirs = one.member.board.slots["web"][0] = ours.replace(node="n2")
    one.answer("release", Conflict(), happens=False)
    assert one.member.board.slots["web"][0] == theirs, "it is not what we gave up"


def test_a_slot_with_our_number_that_is_anothers_is_not_ours() -> None:
    one = master()
    one.store.lives("n2")
    one.hear()
    one.local(UPS)
    one.step()
    [ours] = one.member.board.holders("web")
    one.member.board.slots["web"][0] = ours.replace(node="n2", born=one.member.board.nodes["n2"].born)
    one.masteries.stale = True
    one.step()
    assert "n2 has taken it" in one.told()
    assert one.did(Offline)


def test_who_is_no_candidate_waits_for_ever() -> None:
    store = lived("n1")
    store.put(Put(records.drain_key("n2"), records.encode(because="disks")))
    one = member(store, name="n2")
    one.run(3.0)
    assert not one.did(Online)


def test_what_somebody_else_took_first_is_not_ours() -> None:
    one = second()
    one.step(after=0.31)
    one.store.holds("n1")
    assert one.answer("claim") == Conflict()
    one.step()
    assert not one.open
    one.run(2.0)
    assert not one.did(Online)


def test_a_claim_in_a_store_that_is_another_by_now_fails() -> None:
    one = second()
    one.step(after=0.31)
    one.store.put(Put("cluster", records.encode(settled=False)))
    assert one.answer("claim") == Conflict()


def test_who_was_fenced_claims_nothing() -> None:
    one = second()
    one.step(after=0.31)
    one.store.put(Delete("nodes/n2"))
    assert one.answer("claim") == Conflict()


def test_a_claim_of_unknown_outcome_that_happened_is_claimed_anew_before_anything_runs() -> None:
    one = second()
    one.step(after=0.31)
    one.answer("claim", LOST)
    assert one.store.has(SLOT)
    one.hear()
    one.step(after=0.25)
    assert not one.did(Online)
    assert one.asked("claim")
    one.run()
    [online] = one.did(Online)
    assert online.token == one.store.dictionary.records[SLOT].modified


def test_a_claim_of_unknown_outcome_that_did_not_happen_is_asked_again() -> None:
    one = second()
    one.step(after=0.31)
    one.answer("claim", LOST, happens=False)
    one.run(0.3)
    assert one.did(Online)


def test_an_answer_to_a_claim_of_a_life_before_counts_for_nothing() -> None:
    one = second()
    one.step(after=2.0)
    claim = one.asked("claim")[0]
    answer = one.store.commit(claim.transaction)
    one.store.put(Delete("nodes/n2"))
    one.answer("renew")
    one.step()
    one.member.answered(claim.tag, answer, one.now)
    assert one.phase == ""


def test_what_we_are_told_we_hold_while_our_tenure_is_over_waits() -> None:
    one = second()
    one.step(after=0.31)
    one.answer("claim", LOST)
    one.hear()
    one.step(after=8.0)
    assert not one.asked("claim")


def test_a_group_that_is_not_declared_any_more_when_the_claim_comes_back_is_given_back() -> None:
    one = second()
    one.step(after=0.31)
    one.masteries.redeclare((), {}, {})
    one.run()
    assert not one.store.has(SLOT)
    assert one.phase == ""


def test_whose_turn_it_would_be_is_nobodys_when_the_group_is_gone() -> None:
    one = second()
    one.masteries.redeclare((), {}, {})
    assert one.member.due(one.now) == 102.0
    one.run(1.0)
    one.masteries.redeclare((WEB,), {"web": "same"}, {})
    one.step()
    assert not one.asked("claim"), "it begins anew"


def test_a_slot_too_many_is_given_back() -> None:
    one = master()
    one.store.holds("n1", slot=1)
    one.run()
    assert not one.store.has("rg/web/slot/1")
    assert one.store.has(SLOT)
    assert one.phase == "up"


def test_a_switch_is_over_when_somebody_takes_it() -> None:
    store = lived("n1", "n2")
    store.put(Put(records.goal_key("web"), goal_value(Goal(targets=("n3",), request="r"))))
    one = member(store, name="n3")
    assert one.masteries.token("web")
    said = json.loads(store.dictionary.records["rg/web/goal"].value)
    assert (said["targets"], said["request"]) == ([], "r")
    assert one.masteries.cluster is not None
    one.run(1.0)
    assert not one.masteries.cluster.goals["web"].targets


def test_all_slots_taken_is_none_left() -> None:
    both = Group("web", maximum_primaries=2, desired_primaries=2)
    store = lived("n1", "n3")
    store.holds("n1")
    store.put(Put("rg/web/slot/1", "garbage"))
    one = member(store, both, name="n2")
    one.run(3.0)
    assert not one.did(Online)
    store.put(Delete("rg/web/slot/1"))
    one.run(3.0)
    assert one.did(Online)


def test_without_room_nothing_is_claimed() -> None:
    """Placement and the board are asked a moment apart: the slot may be gone."""
    one = second()
    decision = one.masteries.decisions["web"]
    one.store.holds("n1")
    one.hear()
    one.masteries.claiming.claim(WEB, decision, one.now)
    assert not one.asked("claim")
    assert not [o for o in one.step() if getattr(o, "tag", ("",))[0] == "claim"]


def test_a_claim_ends_no_switch_that_came_after_what_was_decided() -> None:
    """As above: the decision may be older than what the board says."""
    for request, targets in (("first", []), ("second", ["n3"])):
        store = lived("n1", "n3")
        store.put(Put(records.goal_key("web"), goal_value(Goal(targets=("n3",), request="first"))))
        one = member(store, name="n2")
        decision = one.masteries.decisions["web"]
        one.store.put(Put(records.goal_key("web"), goal_value(Goal(targets=("n3",), request=request))))
        one.hear()
        one.masteries.claiming.claim(WEB, decision, one.now)
        one.run()
        assert json.loads(store.dictionary.records["rg/web/goal"].value)["targets"] == targets, request


def test_a_switch_that_needs_no_claim_is_said_to_be_over_by_one_node() -> None:
    one = master()
    one.store.put(Put(records.goal_key("web"), goal_value(Goal(targets=("n1",), request="r"))))
    one.run()
    assert json.loads(one.store.dictionary.records["rg/web/goal"].value)["targets"] == []
    other = member(one.store, name="n2")
    one.store.put(Put(records.goal_key("web"), goal_value(Goal(targets=("n1",), request="s"))))
    other.run()
    assert json.loads(one.store.dictionary.records["rg/web/goal"].value)["targets"] == ["n1"], "its master says so"


# -- giving up --------------------------------------------------------------------------------------------------------


def offline(one: One) -> None:
    """People want it offline."""
    one.store.put(Put(records.goal_key("web"), goal_value(Goal(online=False))))
    one.hear()


def test_the_slot_is_given_up_only_when_everything_is_down() -> None:
    one = master()
    offline(one)
    one.run()
    assert [o.because for o in one.did(Offline)] == ["it is to be offline"]
    assert one.phase == "leaving"
    one.local(STOPPING)
    one.run(3.0)
    assert one.store.has(SLOT)
    one.local()
    one.run()
    assert not one.store.has(SLOT)
    assert "given up" in one.told()
    assert one.phase == ""


def test_what_cannot_be_stopped_keeps_its_slot_until_somebody_has_ended_it() -> None:
    one = master()
    offline(one)
    one.run()
    one.did(Offline)
    one.local(STUCK)
    one.run(1.0)
    assert one.told().count("web: it is deaf: it is not given up, and nobody else may start it") == 1
    one.run(30.0)
    assert one.store.has(SLOT)
    one.local(UPS)  # somebody cleared it, and started it
    one.run()
    assert [o.group for o in one.did(Offline)] == ["web"]
    one.local()
    one.run()
    assert not one.store.has(SLOT)


def test_a_release_whose_answer_was_lost_is_learnt_from_the_news() -> None:
    one = master()
    offline(one)
    one.run()
    one.local()
    one.step()
    one.answer("release", LOST)
    one.hear()
    one.step()
    assert one.phase == ""
    assert "taken from us" not in one.told()


def test_a_release_that_conflicts_had_happened() -> None:
    one = master()
    offline(one)
    one.run()
    one.local()
    one.step()
    one.answer("release", LOST)
    one.step(after=0.25)
    assert one.answer("release") == Conflict()
    assert one.phase == ""


def test_what_was_given_up_is_not_taken_from_who_has_it_now() -> None:
    """Their claim may be heard of before the answer to our release."""
    one = master(lived("n2"))
    offline(one)
    one.run()
    one.local()
    one.step()
    [release] = one.asked("release")
    answer = one.store.commit(release.transaction)
    one.store.holds("n2")
    one.hear()
    one.member.answered(release.tag, answer, one.now)
    assert [slot.node for slot in one.member.board.holders("web")] == ["n2"]


def test_a_slot_that_somebody_removes_by_hand_takes_the_group_down() -> None:
    one = master()
    one.store.put(Delete(SLOT))
    one.hear()
    one.step()
    assert "removed from the store, by no node" in one.told()
    assert [o.because for o in one.did(Offline)] == ["its slot was removed from the store, by no node of the cluster"]


def test_a_slot_that_another_node_has_taken_is_said_to_be_that_nodes() -> None:
    one = master()
    one.store.lives("n2")
    one.store.holds("n2")
    one.hear()
    one.step()
    assert "n2 has taken it: this node's life in the cluster was ended" in one.told()
    assert len(one.did(Offline)) == 1


def test_news_from_before_our_claim_says_nothing_about_it() -> None:
    one = second()
    one.step(after=0.31)
    one.answer("claim")
    one.step()
    assert one.did(Online)
    one.step()
    assert one.phase == "up"


def test_what_runs_here_though_we_are_not_its_master_is_stopped() -> None:
    store = lived("n1")
    store.holds("n1")
    one = member(store, name="n2")
    one.local(UPS)
    one.step()
    assert [o.because for o in one.did(Offline)] == ["this node is not its master"]


def test_who_ends_has_given_up_everything_with_its_life() -> None:
    one = master()
    one.member.end(one.now)
    one.local()
    one.run()
    other = One(one.store, name="n2")
    other.load()
    other.run(1.0)
    assert other.did(Online)


def test_who_ends_gives_up_each_group_when_it_is_down_and_takes_nothing() -> None:
    one = master()
    one.masteries.departing = True
    one.run(1.0)
    assert one.did(Offline) == [], "everything was asked to stop already"
    assert one.told().count("the runner ends") == 1
    assert one.store.has(SLOT), "something of it is left"
    one.local()
    one.run(5.0)
    assert not one.store.has(SLOT)
    assert not one.did(Online), "it is the first of the nodelist, and lives, but takes nothing"
    other = One(one.store, name="n2")
    other.load()
    other.run(1.0)
    assert other.did(Online)


def test_who_ends_takes_nothing_from_others() -> None:
    one = master(lived("n2", "n3"), limits={"web": 5.0})
    one.masteries.departing = True
    one.store.put(Put(records.check_key("web", "n1"), records.encode(request="r1", answered=False)))
    one.run(1.0)
    said = one.store.dictionary.records[records.check_key("web", "n1")].value
    assert said == records.encode(request="r1", answer="its runner ends", answered=True)


def test_what_comes_to_be_ours_while_we_end_is_given_up_at_once() -> None:
    one = member(Store().settled())
    one.run()
    one.step()
    one.masteries.departing = True
    one.run(3.0)
    assert not one.store.has(SLOT)
    assert not one.did(Online)


# -- losing contact, being killed -------------------------------------------------------------------------------------


def test_what_the_guard_killed_comes_up_again() -> None:
    one = master()
    one.masteries.killed("the guard has killed it")
    one.step()
    assert [o.because for o in one.did(Offline)] == ["the guard has killed it"]
    one.masteries.killed("the guard has killed it")
    one.local()
    one.run()
    assert one.did(Online)


def test_what_is_given_up_when_contact_is_lost_is_given_up_later() -> None:
    one = master()
    offline(one)
    one.run()
    one.step(after=9.0)
    one.local()
    one.step()
    assert not one.asked("release")
    one.run()
    assert not one.store.has(SLOT)


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_group_that_is_not_declared_any_more_is_given_up_when_it_is_down() -> None:
    one = master()
    one.masteries.redeclare((), {}, {})
    one.masteries.redeclare((), {}, {})
    one.run()
    assert [o.because for o in one.did(Offline)] == ["its files do not declare it any more"]
    assert one.store.has(SLOT)
    one.local()
    one.run()
    assert not one.store.has(SLOT)
    assert "web" not in one.masteries.locals
    one.masteries.redeclare((WEB,), {"web": "same"}, {})
    one.run()
    assert one.did(Online)


def test_a_group_that_is_declared_is_taken() -> None:
    one = member(None, Group("other", nodelist=("n2",)))
    one.masteries.redeclare((WEB,), {"web": "same"}, {})
    one.run()
    assert one.did(Online)
    assert "other" not in one.masteries.locals


def test_what_a_former_runner_left_of_a_group_nobody_declares_is_not_taken_up() -> None:
    store = Store().settled()
    store.lives("n1", life="old", identity="here")
    store.holds("n1", group="gone")
    one = One(store, life="old", sent=95.0)
    one.load()
    one.run()
    assert not store.has("rg/gone/slot/0")


def test_what_the_runner_before_ran_of_such_a_group_is_given_up_whatever_becomes_of_it() -> None:
    store = Store().settled()
    store.lives("n1", life="old", identity="here")
    store.holds("n1", group="gone")
    one = One(store, Group("gone"), life="old", sent=95.0)
    one.local(UPS, "gone")
    one.masteries.redeclare((), {}, {})
    one.load()
    one.run()
    assert [(o.group, o.because) for o in one.did(Offline)] == [("gone", "its files do not declare it any more")]
    one.masteries.killed("the guard has killed it")
    one.local(group="gone")
    one.run()
    assert not one.did(Online)
    assert not store.has("rg/gone/slot/0")


def test_what_runs_of_such_a_group_is_stopped_before_it_is_given_back() -> None:
    store = Store().settled()
    store.lives("n1", life="old", identity="here")
    one = One(store, Group("gone"), life="old", sent=95.0)
    one.local(UPS, "gone")
    one.masteries.redeclare((), {}, {})
    one.load()
    one.run()
    store.holds("n1", group="gone")
    one.run()
    assert [o.group for o in one.did(Offline)] == ["gone"]
    assert store.has("rg/gone/slot/0")
    one.local(group="gone")
    one.run()
    assert not store.has("rg/gone/slot/0")


# -- giveover ---------------------------------------------------------------------------------------------------------


def giver(limit: float = 0.0) -> One:
    """n1, master of web, beside n2 and n3; with `limit`, web has a Monitor_check that may take so long."""
    limits = {"web": limit} if limit else {}
    return master(lived("n2", "n3"), limits=limits)


def says(one: One, node: str, because: str) -> None:
    """That node answers what it was asked."""
    key = records.check_key("web", node)
    request = json.loads(one.store.dictionary.records[key].value)["request"]
    one.store.put(Put(key, records.encode(request=request, answer=because, answered=True)))


def test_without_monitor_check_it_is_given_over_at_once_and_we_are_marked() -> None:
    one = giver()
    one.masteries.giveover("web", "its probe says so", one.now)
    one.run()
    assert [o.because for o in one.did(Offline)] == ["its probe says so"]
    one.local()
    one.run()
    assert not one.store.has(SLOT)
    mark = json.loads(one.store.dictionary.records["rg/web/avoid/n1"].value)
    assert mark == {"schema": 1, "by": "n1", "because": "its probe says so", "start_failed": False}
    one.run(9.0)
    assert not one.did(Online)
    one.run(22.0)
    assert not one.store.has("rg/web/avoid/n1")


def test_who_gave_it_over_takes_it_again_when_all_others_are_dead() -> None:
    one = giver()
    one.masteries.giveover("web", "its probe says so", one.now)
    one.run()
    one.local()
    one.run(9.0)
    assert not one.did(Online), "n2 or n3 takes it"
    one.run(2.0)
    assert one.did(Online)
    assert "n1 should take it: no other node can, and pingpong_interval" in one.told()


@pytest.mark.parametrize(
    "failed",
    [Local("ONLINE_FAULTED", "", False, False, (("web", "START_FAILED", "FAULTED"),)), Local("PENDING_ONLINE")],
)
def test_who_failed_to_start_it_does_not_before_pingpong_interval(failed: Local) -> None:
    one = giver()
    one.local(failed.replace(down=False))
    one.masteries.giveover("web", "Start failed", one.now)
    one.run()
    one.local()
    one.run(29.0)
    assert json.loads(one.store.dictionary.records["rg/web/avoid/n1"].value)["start_failed"]
    assert not one.did(Online)
    one.run(2.0)
    assert not one.store.has("rg/web/avoid/n1")
    assert one.did(Online)


def test_a_mark_of_an_older_gds_counts_as_that_of_a_failed_start() -> None:
    one = master()
    old = Put("rg/web/avoid/n2", records.encode(by="n1", because="who knows"))
    new = Put("rg/web/avoid/n3", records.encode(by="n1", because="sick", start_failed=False))
    one.store.put(old, new)
    one.run()
    assert [(b.node, b.is_mark, b.is_mild) for b in one.masteries.picture(one.now).bars] == [
        ("n2", True, False),
        ("n3", True, True),
    ]


def test_with_nowhere_to_go_it_is_cancelled() -> None:
    one = master()
    one.masteries.giveover("web", "its probe says so", one.now)
    one.step()
    assert [o.because for o in one.did(Cancelled)] == [
        "n2: has not joined the cluster; n3: has not joined the cluster"
    ] or one.phase == "up"


def test_nobody_else_in_the_nodelist() -> None:
    one = master(None, Group("web", nodelist=("n1",)))
    one.masteries.giveover("web", "its probe says so", one.now)
    one.step()
    assert [o.because for o in one.did(Cancelled)] == ["there is no other node to run it on"]


def test_what_is_not_ours_or_is_not_up_is_not_given_over() -> None:
    one = second()
    one.masteries.giveover("web", "why", one.now)
    assert one.step() == []


def test_the_best_yes_lets_it_happen_and_who_refused_is_marked_too() -> None:
    one = giver(5.0)
    one.masteries.giveover("web", "its probe says so", one.now)
    one.masteries.giveover("web", "and again", one.now)
    one.run(1.0)
    assert one.phase == "asking"
    assert not one.did(Offline)
    says(one, "n2", "no disk")
    one.run(1.0)
    assert one.phase == "asking"
    says(one, "n3", "")
    one.run()
    assert [o.because for o in one.did(Offline)] == ["its probe says so; n3 can take it"]
    one.local()
    one.run()
    assert one.store.has("rg/web/avoid/n1")
    refused = json.loads(one.store.dictionary.records["rg/web/avoid/n2"].value)
    assert "Monitor_check says: no disk" in refused["because"]
    assert refused["start_failed"] is False


def test_if_all_refuse_it_is_cancelled_with_each_reason() -> None:
    one = giver(5.0)
    one.masteries.giveover("web", "its probe says so", one.now)
    one.run()
    assert one.member.due(one.now) <= one.now + 7.0
    says(one, "n2", "no disk")
    for _ in range(16):
        one.store.lives("n2", seq=3)
        one.store.lives("n3", seq=3)
        one.run(0.5)
    assert [o.because for o in one.did(Cancelled)] == [
        "nobody can take it: n2: its Monitor_check says: no disk; n3: it did not answer in time"
    ]
    assert one.phase == "up"
    assert not one.store.has("rg/web/avoid/n2")


def test_a_yes_waits_for_the_answer_of_who_would_take_it_before() -> None:
    one = giver(5.0)
    one.masteries.giveover("web", "its probe says so", one.now)
    one.run()
    says(one, "n3", "")
    one.run(1.0)
    assert one.phase == "asking"
    says(one, "n2", "")
    one.run()
    assert [o.because for o in one.did(Offline)] == ["its probe says so; n2 can take it"]


def test_who_dies_before_it_answers_is_waited_for_no_longer() -> None:
    one = giver(50.0)
    one.masteries.giveover("web", "its probe says so", one.now)
    one.run()
    says(one, "n3", "")
    for _ in range(8):
        one.store.lives("n3", seq=3)
        one.run(1.0)
    assert one.phase == "asking"
    for _ in range(4):
        one.store.lives("n3", seq=4)
        one.run(1.0)
    assert [o.because for o in one.did(Offline)] == ["its probe says so; n3 can take it"]


def test_a_trial_asks_the_same_and_does_nothing() -> None:
    one = giver(5.0)
    assert one.masteries.giveover("web", "trial", one.now, trial=True) == "web"
    assert one.masteries.giveover("web", "trial", one.now, trial=True) == "", "it is under way"
    one.run()
    assert one.phase == "asking"
    says(one, "n2", "")
    one.run()
    assert [o.group for o in one.did(Possible)] == ["web"]
    assert one.phase == "up"
    assert not one.did(Offline)
    one.run(1.0)
    one.masteries.giveover("web", "trial", one.now, trial=True)
    one.run()
    for name in ("n2", "n3"):
        says(one, name, "no disk")
    one.run()
    assert "n3: its Monitor_check says: no disk" in one.did(Cancelled)[0].because
    assert (one.phase, one.did(Offline), one.did(Possible)) == ("up", [], [])


def test_what_is_abandoned_stays_and_late_answers_move_nothing() -> None:
    one = giver(5.0)
    one.masteries.giving.abandon("web", "nobody is asked")
    one.masteries.giving.abandon("db", "it is not ours")
    one.masteries.giveover("web", "its probe says so", one.now)
    one.run()
    one.masteries.giving.abandon("web", "contact is lost")
    one.run()
    assert [(o.group, o.because) for o in one.did(Cancelled)] == [("web", "contact is lost")]
    says(one, "n2", "")
    one.run()
    assert (one.phase, one.did(Offline)) == ("up", [])


def test_a_giveover_during_a_trial_is_one() -> None:
    one = giver(5.0)
    one.masteries.giveover("web", "trial", one.now, trial=True)
    one.run()
    assert one.masteries.giveover("web", "its probe says so", one.now) == "web"
    says(one, "n2", "")
    one.run()
    assert [o.because for o in one.did(Offline)] == ["its probe says so; n2 can take it"]


def test_a_trial_without_anybody_to_ask_is_answered_at_once() -> None:
    one = together()
    assert one.masteries.giveover("web", "trial", one.now, trial=True) == "db"
    one.run()
    assert [o.group for o in one.did(Possible)] == ["db"]
    assert "is given over" not in one.told()
    assert not one.did(Offline)


def test_contact_lost_while_others_are_asked_stops_everything() -> None:
    one = giver(5.0)
    one.masteries.giveover("web", "its probe says so", one.now)
    one.step(after=8.1)
    assert one.did(Offline)
    assert one.phase == "down"


def together() -> One:
    """n1, master of db, and of web, which hands its failovers on to db, beside n2."""
    groups = Group("db", nodelist=("n1", "n2")), Group("web", nodelist=("n1", "n2"), rg_affinities=("+++db",))
    one = member(lived("n2"), *groups)
    for _ in range(3):
        for group in one.masteries.held:
            one.local(UPS, group)
        one.run(0.5)
    assert set(one.masteries.held) == {"db", "web"}
    one.orders.clear()
    return one


def test_what_hands_its_failovers_on_takes_along_what_it_hands_them_to() -> None:
    one = together()
    one.masteries.giveover("web", "its probe says so", one.now)
    one.run()
    assert one.masteries.held["db"].phase == "leaving"
    assert "db is given over in its place" in one.told()
    one.masteries.giveover("web", "its probe says so", one.now)


def test_it_is_not_given_over_twice() -> None:
    one = together()
    one.masteries.giveover("db", "its probe says so", one.now)
    one.masteries.giveover("web", "its probe says so", one.now)
    one.step()
    assert [o.group for o in one.did(Offline)] == ["db"]
    assert one.masteries.held["db"].because == "its probe says so"


def asked(**how: object) -> One:
    """n2, whom n1 asks whether it could take web."""
    one = second(**how)
    one.run(1.0)
    one.orders.clear()
    one.store.put(Put(records.check_key("web", "n2"), records.encode(request="r1", answered=False)))
    one.store.put(Put(records.check_key("web", "n3"), records.encode(request="r1", answered=False)))
    return one


def said(one: One) -> object:
    """What n2 answered."""
    return json.loads(one.store.dictionary.records["rg/web/check/n2"].value).get("answer")


def test_who_is_asked_runs_its_monitor_check_and_answers_until_it_is_heard() -> None:
    one = asked(limits={"web": 5.0})
    one.run(1.0)
    assert [o.request for o in one.did(Check)] == ["r1"]
    one.masteries.checked("web", "r1", "no disk", one.now)
    one.step()
    one.answer("check", LOST, happens=False)
    one.run(1.0)
    assert said(one) == "no disk"
    assert not one.did(Check)


def test_who_has_no_monitor_check_says_yes() -> None:
    one = asked()
    one.run()
    assert said(one) == ""


def test_who_does_not_declare_it_says_so() -> None:
    one = second()
    one.run(1.0)
    one.store.put(Put(records.check_key("other", "n2"), records.encode(request="r1", answered=False)))
    one.run()
    assert "do not declare it" in one.store.dictionary.records["rg/other/check/n2"].value


def test_an_answer_to_an_older_request_is_kept_to_ourselves() -> None:
    one = asked(limits={"web": 5.0})
    one.run()
    one.did(Check)
    one.masteries.checked("web", "r0", "", one.now)
    assert one.step() == []


# -- marks ------------------------------------------------------------------------------------------------------------


def test_marks_that_concern_others_are_left_to_them_and_strange_ones_to_people() -> None:
    store = Store().settled()
    store.put(Put(records.avoid_key("web", "n3"), records.encode(by="n2", because="x")))
    store.put(Put(records.avoid_key("web", "n1"), '{"schema":9}'))
    one = member(store)
    assert not one.did(Online)
    one.run(40.0)
    assert store.has("rg/web/avoid/n3")
    assert store.has("rg/web/avoid/n1")
    assert one.did(Online)


# -- reports ----------------------------------------------------------------------------------------------------------


def test_what_is_so_here_is_told_when_it_changes_and_until_it_is_heard() -> None:
    one = master()
    one.local(Local("ONLINE_FAULTED", "its probe", False, False, (("web", "ONLINE", "FAULTED"),)))
    one.step()
    one.answer("report", Rejected("full"), happens=False)
    one.run()
    assert "report" not in [c.tag[0] for c in one.open]
    one.run(1.0)
    told = json.loads(one.store.dictionary.records["report/n1"].value)["groups"]["web"]
    assert told["state"] == "ONLINE_FAULTED"
    assert told["digest"] == "same"
    assert told["token"] == one.masteries.token("web")
    assert told["resources"] == {"web": ["ONLINE", "FAULTED"]}
    one.local(Local("ONLINE_FAULTED", "its probe", False, False, (("web", "ONLINE", "FAULTED"),)))
    assert not [o for o in one.step() if getattr(o, "tag", ("",))[0] == "report"]


def test_a_pulse_of_another_does_not_make_us_plan_again() -> None:
    one = master(lived("n2"))
    decisions = one.masteries.decisions
    one.store.lives("n2", seq=2)
    assert not one.hear()
    one.step(after=0.1)
    assert one.masteries.decisions is decisions
    assert not one.masteries.stale


def test_with_many_groups_placement_rests_between_two_changes() -> None:
    """A thousand changes one after the other are not a thousand plans."""
    one = master(lived("n2"), *[Group(f"g{n}", nodelist=("n1",)) for n in range(150)])
    one.run(2.0)
    decisions = one.masteries.decisions
    one.store.put(Put(records.goal_key("g1"), goal_value(Goal(online=False))))
    one.hear()
    one.step(after=1.0)
    assert one.masteries.decisions is not decisions
    one.store.put(Put(records.goal_key("g2"), goal_value(Goal(online=False))))
    one.hear()
    one.step(after=0.001)
    assert not [o for o in one.did(Offline) if o.group == "g2"]
    assert one.member.due(one.now) == pytest.approx(one.now + 0.014)
    one.step(after=0.014)
    assert [o.group for o in one.did(Offline)] == ["g2"]


def test_what_was_to_be_offline_meanwhile_is_not_brought_up_when_contact_is_back() -> None:
    one = master()
    one.step(after=9.0)
    one.did(Offline)
    offline(one)
    one.local()
    one.run()
    assert not one.did(Online)
    assert not one.store.has(SLOT)


def test_answers_of_the_store_that_change_nothing_we_know() -> None:
    one = master()
    one.masteries.answered(("ask", "web", "n2", "r"), Committed(1))
    assert one.phase == "up"


def test_a_node_that_falls_silent_is_no_candidate_any_more() -> None:
    one = giver()
    one.run(WAIT + 0.1)
    assert one.masteries.somewhere("web", one.now)[1] == ()


# -- groups that go together ------------------------------------------------------------------------------------------

DB = Group("db", resources=("db",))
FRONT = Group("front", resources=("front",), rg_affinities=("+++db",))


def test_a_failover_that_is_handed_on_gives_the_other_group_over() -> None:
    one = member(lived("n2"), DB, FRONT)
    one.run(2.0)
    assert {one.masteries.token("db") > 0, one.masteries.token("front") > 0} == {True}
    one.local(UPS, "db")
    one.local(UPS, "front")
    one.run()
    one.masteries.giveover("front", "its budget is spent", one.now)
    assert one.masteries.held["db"].phase == "leaving"
    assert one.masteries.held["db"].because == "front: its budget is spent"
    one.run()
    # once more, while that is under way: nothing is asked twice, and who asks hears why
    one.masteries.giveover("front", "its budget is spent", one.now)
    assert Cancelled("front", "db, which goes along, is not up here") in one.member.orders
    assert one.masteries.held["db"].because == "front: its budget is spent"


def test_who_cannot_take_it_leaves_fencing_to_who_can() -> None:
    elsewhere = WEB.replace(nodelist=("n2", "n3"))
    store = lived("n2")
    store.holds("n2")
    one = member(store, elsewhere)
    one.run(WAIT + 1.0)
    assert not one.asked("fence")


def test_an_earlier_report_that_comes_late_is_written_over() -> None:
    one = master()
    one.run(1.0)
    key, records_of = records.report_key("n1"), one.store.dictionary.records
    right = records_of[key].value
    one.store.put(Put(key, records.encode(born=one.member.birth, groups={})))
    one.run(1.0)
    written = records_of[key]
    assert written.value == right
    one.run(3.0)
    assert records_of[key] == written, "once"
