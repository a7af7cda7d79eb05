"""What stands in the store, read once: also what is foreign, garbage, newer than we are, late, or told twice."""

from __future__ import annotations

import pytest

from gds.model.cluster import Bar, Goal
from gds.model.resource import Group
from gds.model.store import Change, Record
from gds.rgm import reading, records
from gds.rgm.board import Board
from gds.rgm.tenure import Tenure

TENURE = Tenure(10.0, 2.0, 0.0, 0.0)
WEB = Group("web", nodelist=("n1", "n2"), pingpong_interval=30.0)


def board(*pairs: tuple[str, str], now: float = 100.0) -> Board:
    """With these records, made one after the other."""
    made = Board()
    made.load({key: Record(key, value, n + 2, n + 2) for n, (key, value) in enumerate(pairs)}, now)
    return made


def node(name: str, **facts: object) -> tuple[str, str]:
    """A node's record."""
    return records.node_key(name), records.encode(**{"life": "x", "lifetime": 10.0, **facts})


def report(name: str, born: int | None = None, **digests: str) -> tuple[str, str]:
    """What it says of its groups, in the life that began at `born`."""
    groups = {group: {"digest": digest} for group, digest in digests.items()}
    return records.report_key(name), records.encode(groups=groups, born=born)


# -- values -----------------------------------------------------------------------------------------------------------

UNREADABLE = [
    ("no JSON", "{", "it is no JSON"),
    ("too deep", "[" * 100_000, "it is nested too deeply"),
    ("a number nobody can count", '{"schema":' + "9" * 5000 + "}", "it is no JSON"),
    ("a list", "[]", "it is no JSON object"),
    ("no schema", "{}", "it has no schema"),
    ("a schema in words", '{"schema":"1"}', "it has no schema"),
    ("newer", '{"schema":2}', "it is of schema 2, written by a newer gds"),
]


@pytest.mark.parametrize(("value", "why"), [u[1:] for u in UNREADABLE], ids=[u[0] for u in UNREADABLE])
def test_what_cannot_be_read_is_named(value: str, why: str) -> None:
    assert reading.decode(value) == ({}, why)


def test_texts_can_be_shown_and_sent() -> None:
    facts, fault = reading.decode('{"schema":1,"a":"\\ud800x","b":7,"c":"\u00e9"}')
    assert not fault
    assert [reading.text(facts, key) for key in "abcd"] == ["?x", "", "\u00e9", ""]


@pytest.mark.parametrize("value", ["10", -1, 0, 1e9, float("nan"), None, [10]])
def test_a_lifetime_that_is_none_is_for_ever(value: object) -> None:
    assert reading.lifetime({"lifetime": value}) == float("inf")
    assert reading.lifetime({"lifetime": 7}) == 7.0


@pytest.mark.parametrize("word", ["", "-1", "x", "01", "\u00b2", "\u0661", "99999", "1 "])
def test_a_slot_that_is_not_written_as_we_write_it_is_none(word: str) -> None:
    assert reading.index(word) == -1


def test_slots_are_numbered() -> None:
    assert [reading.index(word) for word in ("0", "7", "10")] == [0, 7, 10]


def test_a_goal_is_read_as_it_was_written() -> None:
    goal = Goal(
        online=False, suspended=True, managed=False, targets=("n1",), request="r", since=7, count=2, because="b"
    )
    assert reading.goal(reading.decode(reading.goal_value(goal))[0]) == goal
    assert reading.goal({"targets": "n1"}) == Goal()
    assert reading.goal({"since": "7", "count": -1}) == Goal()
    assert reading.goal({"targets": ["n1"], "carried": True}) == Goal(), "an older gds says so that a switch is over"


def test_switches_of_nobody() -> None:
    assert reading.switches({"of": []}) == {}
    assert reading.switches({"of": {"web": {"enabled": False, "x": 1}, "db": 3}}) == {"web": {"enabled": False}}


# -- keys -------------------------------------------------------------------------------------------------------------

EVERY = [
    node("n1"),
    report("n1", web="a"),
    (records.drain_key("n1"), records.encode(because="disks", evacuate=True)),
    (records.goal_key("web"), reading.goal_value(Goal(online=False))),
    (records.slot_key("web", 0), records.encode(node="n1", born=2)),
    (records.avoid_key("web", "n2"), records.encode(by="n1", because="its probe")),
    (records.check_key("web", "n2"), records.encode(request="r")),
    (records.files_key("web", "n1"), records.encode(says={})),
    (records.switches_key("web"), records.encode(of={"web": {"enabled": False}})),
    (records.set_key("web"), records.encode(request="r")),
    (records.set_key("web", "n1"), records.encode(request="r")),
    (records.CLUSTER, records.encode(settled=True)),
]


def contents(of: Board) -> list[object]:
    """All that it has read."""
    found: list[object] = [of.nodes, of.reports, of.drains, of.goals, of.marks, of.checks, of.files, of.switches]
    return [*found, of.sets, {g: s for g, s in of.slots.items() if s}, of.settled or {}]


def test_every_key_is_read_and_forgotten() -> None:
    made = board(*EVERY)
    assert all(contents(made))
    assert not made.strange
    assert set(made.sets) == {("web", ""), ("web", "n1")}
    assert made.drains == {"n1": ("disks", True)}
    assert made.change([Change(key, None, 99) for key, _ in EVERY], 101.0)
    assert not any(contents(made))
    assert not made.stamp
    assert made.settled is None


def test_what_cannot_be_read_is_strange_and_errs_on_the_safe_side() -> None:
    made = board(*[(key, "garbage") for key, _ in EVERY])
    assert set(made.strange) == {key for key, _ in EVERY}
    assert made.settled is False
    assert made.goals["web"].suspended
    [slot] = made.holders("web")
    assert (slot.node, slot.because) == ("", "it is no JSON")
    assert made.drains["n1"] == ("drained", False)
    assert made.marks["web", "n2"].because == "it is marked"
    assert made.nodes["n1"].lifetime == float("inf")
    assert not made.checks
    assert not made.sets
    assert not made.files
    assert not made.switches
    picture = made.cluster((WEB,), TENURE, 1e9)
    assert [p.because for p in picture.nodes] == [
        "its record cannot be read: it is no JSON",
        "it is not in the cluster",
    ]
    assert not picture.masteries
    [unread] = picture.unread
    assert unread.because.startswith("has a record rg/web/slot/0 that cannot be read (it is no JSON)")
    assert "rg/web/goal that cannot be read (it is no JSON)" in picture.goals["web"].unread


FOREIGN = [
    "x",
    "nodes/a/b",
    "rg/web",
    "rg/web/slot",
    "rg/web/slot/01",
    "rg/web/slot/\u00b2",
    "rg/web/new",
    "report/a/b",
]


@pytest.mark.parametrize("key", FOREIGN)
def test_a_foreign_key_is_left_alone(key: str) -> None:
    made = board((key, records.encode(node="n1", born=1)))
    assert made.strange == {key: "this version of gds has no such key"}
    assert not any(contents(made))
    made.change([Change(key, None, 9)], 101.0)
    assert not made.strange


@pytest.mark.parametrize("value", [records.encode(), records.encode(node="n1"), records.encode(node=3, born=3)])
def test_a_slot_that_names_nobody_is_held_by_somebody(value: str) -> None:
    [slot] = board((records.slot_key("web", 0), value)).holders("web")
    assert (slot.node, slot.because) == ("", "it names no node")


def test_a_report_without_groups_says_nothing() -> None:
    made = board((records.report_key("n1"), records.encode(groups=[])), report("n2", web="a"))
    assert made.report_of("n1", "web") == {}
    assert made.report_of("n2", "web") == {"digest": "a"}
    odd = board((records.report_key("n1"), records.encode(groups={"web": "up"})))
    assert odd.report_of("n1", "web") == {}


# -- news -------------------------------------------------------------------------------------------------------------


def test_a_pulse_does_not_matter_and_everything_else_does() -> None:
    made = board(node("n1"))
    key, value = node("n1", seq=2)
    assert not made.change([Change(key, Record(key, value, 2, 5), 5)], 101.0)
    assert made.nodes["n1"].seen == 101.0
    key, value = node("n1", lifetime=20.0)
    assert made.change([Change(key, Record(key, value, 2, 6), 6)], 102.0)
    assert made.change([Change(key, Record(key, value, 7, 7), 7)], 103.0)
    key, value = node("n2")
    assert made.change([Change(key, Record(key, value, 8, 8), 8)], 103.0)


def test_who_was_dead_in_the_picture_and_moves_matters() -> None:
    made = board(node("n1"))
    made.watch(made.cluster((), TENURE, 111.0))
    key, value = node("n1", seq=2)
    assert made.change([Change(key, Record(key, value, 2, 5), 5)], 112.0)


def test_old_news_that_comes_again_changes_nothing() -> None:
    made = board(*[("x", "")] * 1, node("n1"))
    key, value = node("n1", seq=2)
    made.change([Change(key, Record(key, value, 3, 9), 9)], 101.0)
    assert not made.change([Change(key, None, 5), Change(key, Record(key, value, 3, 9), 9)], 110.0)
    assert made.nodes["n1"].seen == 101.0


def test_what_we_know_to_be_gone_is_gone_unless_it_has_come_anew() -> None:
    made = board(node("n1"))
    made.vanish("nodes/n1", 1)
    assert made.nodes
    made.vanish("nodes/n1", 2)
    assert not made.nodes
    assert made.created("nodes/n1") == made.modified("nodes/n1") == 0


def test_what_is_as_it_was_when_all_is_told_again_keeps_its_time() -> None:
    made = board(node("n1"), node("n2"))
    now = {key: Record(key, value, n + 2, n + 2) for n, (key, value) in enumerate([node("n1"), node("n2", seq=2)])}
    made.load(now, 105.0)
    assert (made.nodes["n1"].seen, made.nodes["n2"].seen) == (100.0, 105.0)
    made.load({}, 106.0)
    assert not made.nodes


def test_an_unmanaged_group_is_so_in_the_picture() -> None:
    key = records.switches_key("web")
    for managed in (False, True):
        made = board((key, records.encode(of={"": {"managed": managed}})))
        assert made.cluster((WEB,), TENURE, 100.0).goals["web"].managed is managed


# -- the picture ------------------------------------------------------------------------------------------------------


def test_who_lives_and_who_does_not() -> None:
    made = board(node("n1"), node("n3", lifetime=30.0), (records.drain_key("n1"), records.encode(because="disks")))
    made.change([Change("nodes/n1", Record("nodes/n1", node("n1")[1], 2, 9), 9)], 105.0)
    assert [(p.name, p.alive, p.drained) for p in made.cluster((WEB,), TENURE, 115.0).nodes] == [
        ("n1", True, "disks"),
        ("n2", False, ""),
        ("n3", True, ""),
    ]
    late = made.cluster((WEB,), TENURE, 116.0)
    assert late.nodes[0].because == "it has not been heard of for 11 s"


def test_masters_marks_and_goals() -> None:
    made = board(*EVERY, (records.slot_key("web", 1), records.encode(node="n9", born=2)))
    picture = made.cluster((WEB, Group("db")), TENURE, 100.0)
    assert [(m.group, m.node, m.token, m.slot) for m in picture.masteries] == [("web", "n1", 6, 0)]
    kept = "is kept away for 30 s (pingpong_interval): its probe"
    assert picture.bars == (Bar("web", "n2", kept, True),)
    assert made.cluster((WEB,), TENURE, 110.0).bars == picture.bars, "it changes only when something does"
    (told,) = made.cluster((WEB,), TENURE, 110.0, told=True).bars
    assert told.because == "is kept away for 20 s more (pingpong_interval): its probe"
    assert picture.goals == {"web": Goal(online=False), "db": Goal(online=True)}
    assert made.cluster((WEB,), TENURE, 130.0).bars == ()
    assert made.cluster((), TENURE, 100.0).bars == ()


DIFFERING = [
    ("all the same", {"n1": "a", "n2": "a"}, "", [], ""),
    ("the master's are right", {"n1": "a", "n2": "b", "n3": "b"}, "n1", ["n2", "n3"], "n1, its master"),
    ("most are right", {"n1": "a", "n2": "b", "n3": "b"}, "", ["n1"], "most other nodes"),
    ("the first of the nodelist is right", {"n2": "a", "n3": "b"}, "", ["n3"], "n2"),
    ("who says nothing is not barred", {"n1": "a", "n2": ""}, "", [], ""),
    ("who is not there does not count", {"n1": "a", "gone": "b"}, "", [], ""),
    ("nobody is there", {"gone": "a", "over": "b"}, "", [], ""),
]


@pytest.mark.parametrize(
    ("digests", "master", "barred", "whose"), [d[1:] for d in DIFFERING], ids=[d[0] for d in DIFFERING]
)
def test_whose_files_differ_may_not_take_it(
    digests: dict[str, str], master: str, barred: list[str], whose: str
) -> None:
    nodes = [node(name) for name in digests if name.startswith("n")]
    reports = [report(name, None, web=said) for name, said in digests.items()]
    slots = [(records.slot_key("web", 0), records.encode(node=master, born=2))] if master else []
    made = board(*nodes, *reports, *slots)
    bars = made.cluster((WEB,), TENURE, 100.0).bars
    assert [bar.node for bar in bars] == barred
    assert all(f"has files that differ from those of {whose};" in bar.because for bar in bars)


def test_a_master_that_has_not_reported_decides_nothing() -> None:
    slot = (records.slot_key("web", 0), records.encode(node="n3", born=4))
    made = board(node("n1"), node("n2"), node("n3"), report("n1", web="a"), report("n2", web="b"), slot)
    assert [bar.node for bar in made.cluster((WEB,), TENURE, 100.0).bars] == ["n2"]


def test_a_report_of_fewer_groups_takes_back_what_was_said_of_the_others() -> None:
    made = board(node("n1"), node("n2"), report("n1", web="a"), report("n2", web="b"))
    key, value = report("n2", db="b")
    made.change([Change(key, Record(key, value, 5, 9), 9)], 101.0)
    assert made.cluster((WEB,), TENURE, 101.0).bars == ()


LACKING = [
    ("it said so", ("n1", "n2"), {"n1": (2, {"web": "a"}), "n2": (3, {})}, ["n2"]),
    ("it has not reported yet", ("n1", "n2"), {"n1": (2, {"web": "a"})}, []),
    ("it said so in another life", ("n1", "n2"), {"n1": (2, {"web": "a"}), "n2": (1, {})}, []),
    ("it is not in the nodelist", ("n1",), {"n1": (2, {"web": "a"}), "n2": (3, {})}, []),
    ("an empty nodelist is every node", (), {"n1": (2, {"web": "a"}), "n2": (3, {})}, ["n2"]),
    ("nobody lives under that name", ("n1", "gone"), {"n1": (2, {"web": "a"}), "gone": (3, {})}, []),
    ("and others differ", ("n1", "n2", "n3"), {"n1": (2, {"web": "a"}), "n2": (3, {}), "n3": (4, {"web": "b"})}, None),
]


@pytest.mark.parametrize(("nodelist", "reports", "barred"), [c[1:] for c in LACKING], ids=[c[0] for c in LACKING])
def test_whose_files_do_not_declare_a_group_may_not_take_it(
    nodelist: tuple[str, ...], reports: dict[str, tuple[int, dict[str, str]]], barred: list[str] | None
) -> None:
    said = [report(name, born, **digests) for name, (born, digests) in reports.items()]
    made = board(*[node(name) for name in ("n1", "n2", "n3")], *said)
    bars = made.cluster((WEB.replace(nodelist=nodelist),), TENURE, 100.0).bars
    assert [bar.node for bar in bars] == (["n3", "n2"] if barred is None else barred)
    if bars:
        assert bars[-1].because == "has files that do not declare it; `gds diff --cluster` shows it"
        assert not bars[-1].is_mark, "nobody can be switched there"


@pytest.mark.parametrize("value", ["{", records.encode(born=3), records.encode(born="3", groups={})])
def test_a_report_that_cannot_be_read_says_nothing_of_files(value: str) -> None:
    made = board(node("n1"), node("n2"), report("n1", 2, web="a"), (records.report_key("n2"), value))
    assert made.cluster((WEB,), TENURE, 100.0).bars == ()


def test_a_node_that_declares_it_again_or_leaves_is_not_barred() -> None:
    made = board(node("n1"), node("n2"), report("n1", 2, web="a"), report("n2", 3))
    assert made.cluster((WEB,), TENURE, 100.0).bars
    key, value = report("n2", 3, web="a")
    made.change([Change(key, Record(key, value, 5, 9), 9)], 101.0)
    assert made.cluster((WEB,), TENURE, 101.0).bars == ()
    key, value = report("n2", 3, web="b")
    made.change([Change(key, Record(key, value, 5, 10), 10)], 102.0)
    assert "differ" in made.cluster((WEB,), TENURE, 102.0).bars[0].because
    key, value = report("n2", 3)
    made.change([Change(key, Record(key, value, 5, 11), 11)], 103.0)
    assert "do not declare" in made.cluster((WEB,), TENURE, 103.0).bars[0].because
    made.change([Change(key, None, 12)], 103.0)
    assert made.cluster((WEB,), TENURE, 103.0).bars == ()
