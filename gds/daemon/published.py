"""What a node publishes of each of its resources, and what differs between the nodes by what they published.

Written when the life, the status or a switch of something in the group has changed, never at a probe: the message, the
probe and the pids of a resource stay on its node. What is as it is of one that never ran is left out.
"""

from __future__ import annotations

from gds.daemon.report import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.rgmd import Rgmd
    from gds.rgm.board import Board

LONGEST = 500
"""Characters of a reason."""
SWITCHES = {"disabled": "enabled", "unmonitored": "monitored"}


def of_resources(rgmd: Rgmd, apps: Iterable[App]) -> dict[str, Any]:
    """The part of rgm/hold.py's Local about these."""
    shown, starts, facts = [], [], {}
    for app in apps:
        shown.append((app.name, rgmd.public(app).value, app.view.status.value))
        if app.incarnation:
            starts.append((app.name, app.incarnation))
        if told := {what: value for what, value in _facts(rgmd, app).items() if value}:
            facts[app.name] = told
    return {"resources": tuple(shown), "incarnations": tuple(starts), "facts": facts}


def _facts(rgmd: Rgmd, app: App) -> dict[str, Any]:
    tree = app.tree
    main = 0
    if tree is not None:
        main = tree.main_pid if tree.main_alive else next(iter(tree.members()), 0)
    return {
        "because": app.view.why[:LONGEST],
        "main_pid": main,
        "online_since": app.online_since_wall if rgmd.public(app) in UP else 0.0,
        "restarts": app.history.done(app.resource.retry_interval, rgmd.loop.now()),
        "disabled": not app.enabled,
        "unmonitored": not app.monitored,
    }


def unlike(board: Board, group: str) -> list[dict[str, Any]]:
    """What is switched on some nodes and not on others, as `gds diff --cluster` tells of a key. What people switch
    holds on all nodes; one on which it could not be done differs."""
    told = {}
    for name, node in sorted(board.nodes.items()):
        said = board.report_of(name, group)
        if board.reports.get(name, {}).get("born") == node.born and isinstance(said.get("facts"), dict):
            told[name] = said
    found = []
    for resource in sorted({name for said in told.values() for name in said["facts"]}):
        having = [name for name, said in told.items() if resource in said.get("resources", {})]
        for off, key in SWITCHES.items():
            values = {name: str(not told[name]["facts"].get(resource, {}).get(off, False)) for name in having}
            if len(set(values.values())) > 1:
                found.append({"name": resource, "key": key, "nodes": values})
    return found


def in_words(differences: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Of `unlike`: node -> what of it is switched off there, and where not."""
    words = {off: key for key, off in SWITCHES.items()}
    made: dict[str, list[str]] = {}
    for each in differences:
        others = ", ".join([node for node, value in each["nodes"].items() if value == "True"])
        for node, value in each["nodes"].items():
            if value == "False":
                made.setdefault(node, []).append(f"{each['name']} is {words[each['key']]} there, and not on {others}")
    return made
