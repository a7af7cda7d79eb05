"""`gds plan what-if`: the judge of the cluster, asked about nodes that go."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from gds.cli import plan
from gds.model.cluster import Bar, Cluster, Goal, Mastery, Peer
from gds.model.picture import to_json
from gds.model.resource import Group
from gds.whatif import Row, what_if

NODES = ("n1", "n2", "n3")
GROUPS = (
    Group("db", nodelist=NODES),
    Group("web", nodelist=NODES, rg_affinities=("++db",)),
    Group("batch", nodelist=NODES, rg_affinities=("--db",)),
    Group("local", nodelist=("n1",)),
    Group("off", nodelist=NODES),
)
SHOP = Cluster(
    tuple([Peer(name) for name in NODES]),
    GROUPS,
    (
        Mastery("db", "n1", 1, state="ONLINE"),
        Mastery("web", "n1", 2, state="PENDING_ONLINE"),
        Mastery("batch", "n2", 3, state="ONLINE"),
        Mastery("local", "n1", 4, state="ONLINE"),
    ),
    {"off": Goal(online=False)},
)


def by_group(rows: tuple[Row, ...]) -> dict[str, Row]:
    """The same under their names."""
    return {row.group: row for row in rows}


def test_as_things_are_nothing_moves() -> None:
    rows = what_if(SHOP)
    assert [row.group for row in rows] == ["batch", "db", "local", "off", "web"]
    assert all(row.now == row.then for row in rows)
    assert by_group(rows)["off"] == Row("off", (), (), "it is to be offline")


def test_a_node_that_dies_sends_its_groups_on_and_others_out_of_their_way() -> None:
    rows = by_group(what_if(SHOP, down=("n1",)))
    assert rows["db"].then == rows["web"].then == ("n2",)
    assert rows["db"].because == "n1 would be down; n2 should take it: the first of its nodelist that can"
    assert rows["batch"].then == ("n3",)
    assert rows["batch"].because == (
        "db comes to n2, and it must not be where db is (--); n3 should take it: the first of its nodelist that can"
    )
    assert rows["local"] == Row("local", ("n1",), (), "n1 would be down; stays down: n1 is dead", True)
    assert not rows["off"].stays_down


def test_an_evacuation_and_a_node_that_comes_back() -> None:
    rows = by_group(what_if(SHOP, evacuated=("n1", "n2")))
    assert rows["db"].then == ("n3",)
    assert rows["batch"].stays_down
    assert rows["local"].because == "n1 would be evacuated; stays down: n1 takes no group: it would be evacuated"
    gone = SHOP.replace(nodes=(Peer("n1", False), Peer("n2"), Peer("n3")), masteries=())
    assert by_group(what_if(gone, up=("n1",)))["local"].then == ("n1",)


def test_who_comes_back_joins_anew_and_a_switch_holds_nobody_away_from_it() -> None:
    home = Group("home", nodelist=NODES, failback=True)
    nodes = (Peer("n1", False, born=3), Peer("n2", born=4), Peer("n3", born=5))
    switched = Cluster(nodes, (home,), (Mastery("home", "n3", 1, state="ONLINE"),), {"home": Goal(since=7)})
    assert by_group(what_if(switched))["home"].then == ("n3",)
    assert by_group(what_if(switched, up=("n1", "n2")))["home"].then == ("n1",)


def test_what_could_not_be_stopped_stays_and_keeps_its_slot() -> None:
    stuck = Cluster(
        (Peer("n1"), Peer("n2"), Peer("n3")),
        (Group("a", maximum_primaries=3, desired_primaries=2), Group("b")),
        (Mastery("a", "n1", 1, state="ERROR_STOP_FAILED"), Mastery("a", "n2", 2, state="ONLINE", slot=1)),
        bars=(Bar("b", "n1", "gave it over"),),
    )
    rows = by_group(what_if(stuck, evacuated=("n1",)))
    assert set(rows["a"].then) == {"n1", "n2", "n3"}
    assert rows["b"].then == ("n2",)


def test_wishes_that_contradict_each_other_are_answered_all_the_same() -> None:
    """`gds check` refuses them; a picture may hold them."""
    groups = (Group("a", rg_affinities=("++b",)), Group("b", rg_affinities=("--a",)))
    assert [row.group for row in what_if(Cluster((Peer("n1"), Peer("n2")), groups))] == ["a", "b"]


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def runner(tmp_path: Path) -> Any:
    """Answers one request as a runner would: on a real socket."""
    path = tmp_path / "control.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    threads: list[threading.Thread] = []

    def answers(answer: dict[str, Any]) -> str:
        def serve() -> None:
            talk, _ = listening.accept()
            with talk:
                assert json.loads(talk.makefile("rb").readline())["verb"] == "cluster.picture"
                talk.sendall(json.dumps({"done": True, **answer}).encode() + b"\n")

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return str(path)

    yield answers
    for thread in threads:
        thread.join(30)
    listening.close()


def test_it_asks_the_runner_and_says_where_each_group_would_be(runner: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = runner({"code": 0, "cluster": to_json(SHOP)})
    assert plan.main(["what-if", "--node-down", "n1", "--socket", path]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["GROUP", "NOW", "THEN", "WHY"]
    assert lines[2].startswith("*  db     n1   n2    n1 would be down; n2 should take it")
    assert lines[3].startswith("!  local  n1   -     n1 would be down; stays down: n1 is dead")
    assert lines[4].startswith("   off    -    -     it is to be offline")


def test_the_same_for_programs(runner: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = runner({"code": 0, "cluster": to_json(SHOP)})
    assert plan.main(["what-if", "--evacuate=n3", "--node-up", "n1,n2", "--json", "--socket", path]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["if"] == {"down": [], "up": ["n1", "n2"], "evacuated": ["n3"]}
    assert document["groups"][1] == {
        "group": "db",
        "now": ["n1"],
        "then": ["n1"],
        "because": "runs on n1",
        "stays_down": False,
    }


def test_a_node_that_nobody_knows_is_named(runner: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = runner({"code": 0, "cluster": to_json(SHOP)})
    assert plan.main(["what-if", "--node-down", "n9", "--socket", path]) == 2
    assert "cannot tell what n9 would change: the nodes are n1, n2, n3" in capsys.readouterr().err


def test_a_runner_without_a_cluster_says_so(runner: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = runner({"code": 1, "message": "cannot show the cluster: this runner has no engine"})
    assert plan.main(["what-if", "--socket", path]) == 1
    assert "this runner has no engine" in capsys.readouterr().err


def test_a_picture_that_cannot_be_read_is_no_traceback(runner: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = runner({"code": 0, "cluster": {"nodes": 1}})
    assert plan.main(["what-if", "--socket", path]) != 0
    assert "cannot read the runner's picture of the cluster: nodes: not a list" in capsys.readouterr().err


def test_nothing_declared_is_said(runner: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = runner({"code": 0, "cluster": {}})
    assert plan.main(["what-if", "--socket", path]) == 0
    assert capsys.readouterr().out == "no group is declared\n"


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], 2, "usage: gds plan what-if"),
        (["--help"], 0, "usage: gds plan what-if"),
        (["what-if", "--help"], 0, "usage: gds plan what-if"),
        (["order"], 2, "cannot plan order: the one question is what-if"),
        (["what-if", "n1"], 2, "cannot use n1: --node-down, --node-up and --evacuate name nodes"),
        (["what-if", "--node-down"], 2, "cannot use --node-down: it needs the name of a node"),
        (["what-if", "--socket", "/nowhere/control.sock"], 4, "cannot reach a runner at /nowhere/control.sock"),
    ],
)
def test_what_was_typed(argv: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(argv) == code
    out = capsys.readouterr()
    assert said in out.out + out.err
