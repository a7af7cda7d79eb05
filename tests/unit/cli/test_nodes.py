"""What people read of a cluster: the table of its nodes, and the lines under `gds status`."""

from __future__ import annotations

from typing import Any

import pytest

from gds.cli import nodes
from gds.cli.main import main


def cluster(**changes: Any) -> dict[str, Any]:
    """As a runner tells it."""
    told: dict[str, Any] = {
        "engine": "etcd",
        "away": "",
        "member": True,
        "waiting": "",
        "may_run_seconds": 7.25,
        "lifetime_seconds": 10.0,
        "settled": True,
        "guard": {"pid": 5, "watchdog": "/dev/watchdog"},
        "strange": {},
        "nodes": [
            {
                "node": "n1",
                "alive": True,
                "drained": "",
                "evacuated": False,
                "because": "",
                "version": "1",
                "masters": ["shop"],
            },
            {
                "node": "n2",
                "alive": False,
                "drained": "",
                "evacuated": False,
                "because": "silent",
                "version": "",
                "masters": [],
            },
        ],
        "groups": {
            "shop": {
                "masters": [{"node": "n1", "token": 42}],
                "nodes": {"n1": {"state": "ONLINE", "because": ""}},
                "because": "runs on n1",
                "barred": {"n2": "its files differ"},
            },
            "store": {"masters": [], "nodes": {}, "because": "stays down: n1 is drained", "barred": {}},
        },
    }
    return {**told, **changes}


def test_each_group_on_each_node_and_why_one_is_nowhere() -> None:
    assert nodes.lines(cluster()) == [
        "GROUP  MASTER         n1      n2",
        "shop   n1 (token 42)  ONLINE  -",
        "store  -              -       -",
        "    shop not on n2: its files differ",
        "    store: stays down: n1 is drained",
        "    node n2: silent",
        "cluster: member by etcd; what it masters may run 7.2 s longer without it",
    ]
    assert nodes.lines(cluster(), "n1")[0] == "GROUP  MASTER         n1"
    told = cluster()
    told["groups"]["shop"]["switched_off"] = {"n2": ["web is disabled there, and not on n1"]}
    assert "    shop on n2: web is disabled there, and not on n1" in nodes.lines(told)
    assert "    shop on n2: web is disabled there, and not on n1" not in nodes.lines(told, "n1")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"member": False, "waiting": "it is joining"}, "cluster: no member: it is joining"),
        ({"may_run_seconds": 0.0}, "cluster: member by etcd; its tenure is over, and nothing may run here"),
        ({"away": "no answer"}, "cluster: etcd is away: no answer"),
        ({"settled": False}, "cluster: the store is new; nothing is taken for 10 s"),
        ({"guard": {"pid": 5, "watchdog": ""}}, "cluster: no hardware watchdog stands behind the guard"),
        (
            {"guard": {"pid": 0, "watchdog": "x"}},
            "cluster: the guard is not running: what this node masters is not fenced if the runner hangs",
        ),
        ({"strange": {"rg/x": "it is no JSON"}}, "cluster: key rg/x is not ours: it is no JSON"),
    ],
)
def test_what_the_node_believes(changes: dict[str, Any], line: str) -> None:
    assert line in nodes.believes(cluster(**changes))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["node"], 2, ""),
        (["node", "evacuat", "n1"], 2, "did you mean evacuate?"),
        (["node", "drain", "--socket", "/nowhere/control.sock"], 2, "no name is given"),
        (["node", "drain", "n1", "--socket", "/nowhere/control.sock"], 4, "cannot"),
        (["nodes", "--socket", "/nowhere/control.sock"], 4, "cannot"),
        (["rg", "switch", "shop", "n1", "--socket", "/nowhere/control.sock"], 4, "cannot"),
    ],
)
def test_mistakes_are_told(words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == code
    assert said in capsys.readouterr().err


def test_of_a_node_that_is_cut_off_is_shown_what_it_knew_and_how_old_that_is() -> None:
    why = "this node has had no contact with the cluster for 8 s (etcd is away: no answer)"
    told = cluster(node="n1", cut_off=why, old_seconds=8.4, away="no answer", may_run_seconds=0.0)
    assert nodes._table(told) == [
        "NODE  STATE         MASTERS  VERSION",
        "n1    cut off       shop     1",
        "n2    dead 8 s ago  -        -",
        "    n2: silent",
        "cluster: member by etcd; its tenure is over, and nothing may run here",
        f"cluster: {why}: this is what it knew then",
    ]
