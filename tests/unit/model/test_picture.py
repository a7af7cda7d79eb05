"""A picture of the cluster goes through JSON and comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gds.model.cluster import Bar, Cluster, Goal, Mastery, Peer, Unread
from gds.model.picture import from_json, to_json
from gds.model.resource import Group

PICTURE = Cluster(
    (Peer("n1"), Peer("n2", False, "new disks", True, "not heard of")),
    (Group("a", nodelist=("n1", "n2"), rg_affinities=("++b",), pingpong_interval=60.0, failback=True), Group("b")),
    (Mastery("a", "n1", 7, state="ONLINE"), Mastery("b", "n2", 8, False, slot=1)),
    {"a": Goal(targets=("n2",), request="r1", since=7, count=2, because="why", unread="it cannot be read")},
    (Bar("a", "n2", "gave it over", True, True),),
    (Unread("b", 0, "has a record"),),
)


def test_it_comes_back_as_it_was() -> None:
    assert from_json(json.loads(json.dumps(to_json(PICTURE)))) == PICTURE


def test_what_another_version_left_out_or_added_does_no_harm() -> None:
    plain: dict[str, Any] = {
        "nodes": [{"name": "n1", "colour": "red"}],
        "groups": [{"name": "a", "pingpong_interval": 60}],
    }
    assert from_json(plain) == Cluster((Peer("n1"),), (Group("a", pingpong_interval=60.0),))
    assert from_json({}) == Cluster()


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"goals": []}, "goals: not a table"),
        ({"goals": {"a": 1}}, "goals.a: not a table"),
        ({"nodes": {}}, "nodes: not a list"),
        ({"nodes": [1]}, "nodes.0: not a table"),
        ({"nodes": [{}]}, "nodes.0.name: missing"),
        ({"nodes": [{"name": 1}]}, "nodes.0.name: 1 is not text"),
        ({"masteries": [{"group": "a", "node": "n", "token": True}]}, "masteries.0.token: True is not of its type"),
        ({"groups": [{"name": "a", "nodelist": "n1"}]}, "groups.0.nodelist: not a list of strings"),
        ({"groups": [{"name": "a", "nodelist": [1]}]}, "groups.0.nodelist: not a list of strings"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_place(plain: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as refused:
        from_json(plain)
    assert str(refused.value) == said
