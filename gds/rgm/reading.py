"""What stands in a record of the cluster, in the runner's own words; garbage is found out, and named.

Pure, and afraid of nothing: anybody who may write to the store may have written anything.
"""

from __future__ import annotations

import json

from gds.model.cluster import Goal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCHEMA = 1
_LONGEST = 1e6
"""Seconds; no lifetime is longer."""


def decode(value: str) -> tuple[dict[str, Any], str]:
    """(what it says, "") or ({}, why nobody can tell)."""
    try:
        facts = json.loads(value)
    except ValueError:
        return {}, "it is no JSON"
    except RecursionError:
        return {}, "it is nested too deeply"
    if not isinstance(facts, dict):
        return {}, "it is no JSON object"
    schema = facts.get("schema")
    if not isinstance(schema, int):
        return {}, "it has no schema"
    if schema > SCHEMA:
        return {}, f"it is of schema {schema}, written by a newer gds"
    return facts, ""


def encode(**facts: object) -> str:
    """A value."""
    return json.dumps({"schema": SCHEMA, **facts}, sort_keys=True, separators=(",", ":"))


def text(facts: dict[str, Any], key: str) -> str:
    """A text that can be shown and sent; "" where there is none."""
    value = facts.get(key, "")
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode(errors="replace").decode()


def lifetime(facts: dict[str, Any]) -> float:
    """Seconds; infinite when it does not say: who lives by a rule that we cannot read is never taken for dead."""
    value = facts.get("lifetime")
    return float(value) if isinstance(value, int | float) and 0 < value < _LONGEST else float("inf")


def index(word: str) -> int:
    """The number of a slot, as it is written in a key; -1: it is none."""
    if not (word.isascii() and word.isdigit()) or len(word) > 4 or word != str(int(word)):
        return -1
    return int(word)


def goal(facts: dict[str, Any]) -> Goal:
    """What people want of a group."""
    # "carried": an older gds kept the targets of a switch that was over
    targets = [] if facts.get("carried") else facts.get("targets")
    return Goal(
        online=bool(facts.get("online", True)),
        suspended=bool(facts.get("suspended", False)),
        managed=bool(facts.get("managed", True)),
        targets=tuple([t for t in targets if isinstance(t, str)]) if isinstance(targets, list) else (),
        request=text(facts, "request"),
        since=_number(facts, "since"),
        count=_number(facts, "count"),
        because=text(facts, "because"),
    )


def _number(facts: dict[str, Any], key: str) -> int:
    value = facts.get(key)
    return value if isinstance(value, int) and value > 0 else 0


def switches(facts: dict[str, Any]) -> dict[str, dict[str, bool]]:
    """Resource -> enabled, monitored; what cannot be read was switched by nobody."""
    of = facts.get("of")
    found = of.items() if isinstance(of, dict) else ()
    return {
        name: {what: value for what, value in said.items() if isinstance(value, bool)}
        for name, said in found
        if isinstance(said, dict)
    }


def goal_value(goal: Goal) -> str:
    """As it stands in the store."""
    return encode(
        online=goal.online,
        suspended=goal.suspended,
        managed=goal.managed,
        targets=list(goal.targets),
        request=goal.request,
        since=goal.since,
        count=goal.count,
        because=goal.because,
    )
