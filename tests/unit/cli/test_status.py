"""What `gds status` makes of several runners, and of a cluster of which one node is asked for."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gds.api.client import NoRunner
from gds.cli import status
from tests.unit.cli.test_nodes import cluster


def resource(name: str, **changes: Any) -> dict[str, Any]:
    """As a runner tells of its own."""
    told: dict[str, Any] = {"name": name, "group": name, "state": "ONLINE", "status": "OK", "status_msg": ""}
    told.update(enabled=True, main_pid=7, pids=[7], restarts={"done": 0, "limit": 2}, probe=None, because="")
    return {**told, **changes}


def runner(pid: int, node: str, *names: str, **more: Any) -> dict[str, Any]:
    """The document of one runner."""
    groups = [{"name": n, "state": "ONLINE", "because": "", "resources": [resource(n)]} for n in names]
    head = {"schema": 1, "version": "1", "node": node, "pid": pid, "uptime_seconds": 3.0, "tracking": "cgroup"}
    return {**head, "groups": groups, **more}


TWO = {"/a": runner(1, "n1", "web", "both"), "/b": runner(2, "n2", "longer-name", "both")}


def test_one_runner_is_told_as_it_tells_itself() -> None:
    assert status.merge({"/a": runner(1, "n1", "web")}) == runner(1, "n1", "web")


def test_no_resource_makes_a_line_of_its_own() -> None:
    faked = runner(1, "n1", "web")
    message = "full\nfake  -  ONLINE  OK\x1b[8m"
    faked["groups"][0]["resources"] = [resource("web", status="FAULTED", status_msg=message, because="no\nspace")]
    assert status.table(faked, False)[1:-1] == [
        "web       -      ONLINE  FAULTED  7    1      0/2       -",
        "    because no space",
        "    full fake - ONLINE OK\\u001b[8m",
    ]


def test_each_runner_is_named_after_what_is_its_own() -> None:
    lines = status.table(status.merge(copy.deepcopy(TWO)), False)
    assert lines == [
        "RESOURCE     GROUP  STATE   STATUS  PID  PROCS  RESTARTS  SUM",
        "web          -      ONLINE  OK      7    1      0/2       -",
        "both         -      ONLINE  OK      7    1      0/2       -",
        "runner pid 1, up 3 s, node n1, tracking cgroup, socket /a",
        "longer-name  -      ONLINE  OK      7    1      0/2       -",
        "both         -      ONLINE  OK      7    1      0/2       -",
        "runner pid 2, up 3 s, node n2, tracking cgroup, socket /b",
    ]


def test_the_document_of_several_says_whose_each_group_is() -> None:
    merged = status.merge(copy.deepcopy(TWO))
    assert [(g["name"], g["socket"], g["pid"]) for g in merged["groups"]] == [
        ("web", "/a", 1),
        ("both", "/a", 1),
        ("longer-name", "/b", 2),
        ("both", "/b", 2),
    ]
    assert [(r["pid"], r["node"], r["socket"]) for r in merged["runners"]] == [(1, "n1", "/a"), (2, "n2", "/b")]
    assert set(runner(1, "n1")) <= set(merged), "the keys of one runner's document are there"


def in_cluster() -> dict[str, Any]:
    """The document of n1, which has heard of n2."""
    told = cluster(node="n1")
    told["groups"]["shop"]["nodes"]["n2"] = {
        "state": "OFFLINE",
        "because": "n1 has it",
        "resources": {"web": ["OFFLINE", "OFFLINE"], "longer-name": ["OFFLINE", "OFFLINE"]},
    }
    return runner(1, "n1", "web", cluster=told)


def test_another_node_is_shown_as_the_table_shows_ours() -> None:
    lines = status.table(status._narrowed(in_cluster(), "n2", []), False)
    assert lines[:4] == [
        "RESOURCE     GROUP  STATE    STATUS   PID  PROCS  RESTARTS  SUM",
        "web          shop   OFFLINE  OFFLINE  -    -      -         -",
        "longer-name  shop   OFFLINE  OFFLINE  -    -      -         -",
        "group shop: OFFLINE",
    ]
    assert "GROUP  MASTER         n2" in lines
    narrow = status._narrowed(in_cluster(), "n2", ["web"])
    assert [r["name"] for g in narrow["groups"] for r in g["resources"]] == ["web"]
    assert status.verdict(narrow, ["web"]) == 3


def test_of_another_node_no_key_is_missing() -> None:
    document = in_cluster()
    ours = {**document["groups"][0]["resources"][0], "type": "gds", "monitored": True, "incarnation": 1}
    ours |= {"online_since": None, "restarts": {"done": 1, "limit": 2, "interval_seconds": 370.0}}
    document["groups"] = [{"name": "shop", "managed": True, "suspended": False, "resources": [ours]}]
    told = document["cluster"]["groups"]["shop"]["nodes"]
    told["n1"]["digest"] = told["n2"]["digest"] = "same"
    told["n2"]["resources"] = {"web": ["ONLINE", "OK"]}
    told["n2"]["incarnations"] = {"web": 4}
    told["n2"]["facts"] = {
        "web": {"because": "restart 1 of 2", "main_pid": 31, "online_since": 0.5, "restarts": 1, "unmonitored": True}
    }
    group = status._narrowed(document, "n2", [])["groups"][0]
    assert (group["managed"], group["suspended"], group["because"]) == (True, False, "n1 has it")
    assert group["resources"][0] == {
        **dict.fromkeys(("status_msg", "pids", "probe")),
        "name": "web",
        "group": "shop",
        "type": "gds",
        "state": "ONLINE",
        "status": "OK",
        "enabled": True,
        "monitored": False,
        "incarnation": 4,
        "main_pid": 31,
        "online_since": "1970-01-01T00:00:00Z",
        "restarts": {"done": 1, "limit": 2, "interval_seconds": 370.0},
        "because": "restart 1 of 2",
    }
    assert set(ours) <= set(group["resources"][0])
    lines = status.table(status._narrowed(document, "n2", []), False)
    assert lines[1:5] == [
        "web       shop   ONLINE  OK      31   -      1/2       -",
        "    because restart 1 of 2",
        "node n2, by what it published last; told by:",
        "runner pid 1, up 3 s, node n1, tracking cgroup",
    ]
    told["n2"]["digest"] = "other"
    there = status._narrowed(document, "n2", [])["groups"][0]["resources"][0]
    assert (there["type"], there["restarts"]["limit"]) == (None, None), "its files may say something else"
    del told["n2"]["facts"]
    there = status._narrowed(document, "n2", [])["groups"][0]["resources"][0]
    assert (there["enabled"], there["because"], there["restarts"]["done"]) == (None, None, None), "an older version"


def test_our_own_node_is_shown_with_all_that_we_know() -> None:
    lines = status.table(status._narrowed(in_cluster(), "n1", []), False)
    assert lines[1] == "web       -      ONLINE  OK      7    1      0/2       -"
    assert "GROUP  MASTER         n1" in lines


def test_of_several_runners_the_node_chooses() -> None:
    narrowed = status._narrowed(status.merge(copy.deepcopy(TWO)), "n2", [])
    assert [g["name"] for g in narrowed["groups"]] == ["longer-name", "both"]
    assert [r["pid"] for r in narrowed["runners"]] == [2]


@pytest.mark.parametrize(
    ("document", "said"),
    [(in_cluster(), "there are n1, n2"), (runner(1, "n1", "web"), "there is n1")],
    ids=["of a cluster", "of a runner alone"],
)
def test_a_node_that_is_not_there(document: dict[str, Any], said: str) -> None:
    with pytest.raises(NoRunner, match=f"cannot show node n9: no node of that name; {said}$"):
        status._narrowed(document, "n9", [])


def test_a_clock_is_no_change() -> None:
    later = in_cluster()
    later.update(uptime_seconds=99.0)
    later["cluster"]["may_run_seconds"] = 1.0
    assert status._without_clocks(later) == status._without_clocks(in_cluster())
    later["groups"][0]["resources"][0]["state"] = "OFFLINE"
    assert status._without_clocks(later) != status._without_clocks(in_cluster())
