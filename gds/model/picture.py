"""A Cluster as JSON, and back: what the runner answers to the verb "cluster.picture", and `gds plan` reads.

Every field stands there under its own name. What an older runner left out has its default; what a newer one added is
not looked at.
"""

from __future__ import annotations

from gds.model.cluster import Bar, Cluster, Goal, Mastery, Peer, Unread
from gds.model.resource import Group
from gds.model.value import Value, defaults_of, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    V = TypeVar("V", bound=Value)


def to_json(cluster: Cluster) -> dict[str, Any]:
    """The picture in plain dicts, lists, strings and numbers."""
    return {
        "nodes": [_plain(peer) for peer in cluster.nodes],
        "groups": [_plain(group) for group in cluster.groups],
        "masteries": [_plain(mastery) for mastery in cluster.masteries],
        "goals": {name: _plain(goal) for name, goal in cluster.goals.items()},
        "bars": [_plain(bar) for bar in cluster.bars],
        "unread": [_plain(each) for each in cluster.unread],
    }


def from_json(plain: dict[str, Any]) -> Cluster:
    """The reverse. Raises ValueError, with the place, for what is no picture."""
    goals = plain.get("goals", {})
    if not isinstance(goals, dict):
        raise ValueError("goals: not a table")
    return Cluster(
        _all(Peer, plain, "nodes"),
        _all(Group, plain, "groups"),
        _all(Mastery, plain, "masteries"),
        {name: _made(Goal, goal, f"goals.{name}") for name, goal in goals.items()},
        _all(Bar, plain, "bars"),
        _all(Unread, plain, "unread"),
    )


def _plain(value: Value) -> dict[str, Any]:
    found = {field: getattr(value, field) for field in fields_of(type(value))}
    return {field: list(each) if isinstance(each, tuple) else each for field, each in found.items()}


def _all(kind: type[V], plain: dict[str, Any], key: str) -> tuple[V, ...]:
    listed = plain.get(key, [])
    if not isinstance(listed, list):
        raise ValueError(f"{key}: not a list")
    return tuple([_made(kind, each, f"{key}.{place}") for place, each in enumerate(listed)])


SAMPLES: dict[str, object] = {"name": "", "group": "", "node": "", "token": 0, "because": "", "slot": 0}
"""Of which type those fields are that have no default."""


def _made(kind: type[V], plain: object, place: str) -> V:
    if not isinstance(plain, dict):
        raise ValueError(f"{place}: not a table")
    defaults = {**SAMPLES, **defaults_of(kind)}
    found = {}
    for field in fields_of(kind):
        if field not in plain:
            if field not in defaults_of(kind):
                raise ValueError(f"{place}.{field}: missing")
            continue
        found[field] = _fitting(plain[field], defaults[field], f"{place}.{field}")
    return kind(**found)


def _fitting(given: Any, sample: object, place: str) -> Any:
    if isinstance(sample, tuple):
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise ValueError(f"{place}: not a list of strings")
        return tuple(given)
    if isinstance(sample, float) and type(given) is int:
        return float(given)
    if type(given) is not type(sample):
        raise ValueError(f"{place}: {given!r} is not {'text' if isinstance(sample, str) else 'of its type'}")
    return given
