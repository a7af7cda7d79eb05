"""What is known here of the groups of another node: what that node published of them, in the shape of a runner's own
status. Loaded by `gds status --node`.

What changes with the state is published; the message, the probe and the pids are not, and are null. So is what a node
of an older version does not publish. What the files say is taken from ours, unless that node's differ.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def groups(runner: dict[str, Any], own: list[dict[str, Any]], node: str, names: list[str]) -> list[dict[str, Any]]:
    """The groups of that node as this runner knows them, those with one of the names; `own`: the runner's own."""
    cluster = runner["cluster"]
    ours = {group["name"]: group for group in own}
    made = []
    for name, facts in cluster["groups"].items():
        told = facts["nodes"].get(node, {})
        group = ours.get(name, {})
        same = told.get("digest") == facts["nodes"].get(runner["node"], {}).get("digest")
        declared = {each["name"]: each for each in group.get("resources", ())} if same else {}
        resources = [
            _resource(name, each, told, declared.get(each, {}))
            for each in told.get("resources", {})
            if not names or name in names or each in names
        ]
        if resources:
            because = told.get("because") or next((r["because"] for r in resources if r["because"]), "")
            heads = {key: group.get(key) for key in ("managed", "suspended")}
            state = told.get("state", "-")
            made.append({"name": name, "state": state, "because": because, **heads, "resources": resources})
    return made


def _resource(group: str, name: str, told: dict[str, Any], declared: dict[str, Any]) -> dict[str, Any]:
    state, status = told["resources"][name]
    published = told.get("facts")
    facts = published.get(name, {}) if isinstance(published, dict) else None
    since = (facts or {}).get("online_since")
    limits = declared.get("restarts", {})
    return {
        "name": name,
        "group": group,
        "type": declared.get("type"),
        "state": state,
        "status": status,
        "status_msg": None,
        "enabled": None if facts is None else not facts.get("disabled"),
        "monitored": None if facts is None else not facts.get("unmonitored"),
        "incarnation": told.get("incarnations", {}).get(name, 0),
        "main_pid": (facts or {}).get("main_pid"),
        "pids": None,
        "online_since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since)) if since else None,
        "restarts": {
            "done": None if facts is None else facts.get("restarts", 0),
            "limit": limits.get("limit"),
            "interval_seconds": limits.get("interval_seconds"),
        },
        "probe": None,
        "because": None if facts is None else facts.get("because", ""),
    }
