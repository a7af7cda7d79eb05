"""gds nodes, gds node: the nodes of a cluster, what is asked of one, and what `gds status` says of them."""

from __future__ import annotations

from gds.cli import control, options
from gds.model.printed import printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERBS = {
    "evacuate": "its groups go elsewhere, and none comes until `gds node resume`",
    "drain": "no group comes any more; those that are there stay",
    "resume": "it takes groups again",
}
USAGE = "gds node VERB NODE [--no-wait] [--timeout SECONDS] [--socket PATH]"
NODES_USAGE = "usage: gds nodes [--json] [--socket PATH] [--runtime-dir DIR]"


def node(argv: list[str]) -> int:
    """gds node; the exit status (design.md 4)."""
    verb, code = control.chosen("node", argv, VERBS, USAGE)
    if not verb:
        return code
    return control.acting(f"node.{verb}", USAGE.replace("VERB", verb), by_name=False)(argv[1:])


@options.door(NODES_USAGE)
def main(argv: list[str]) -> int:
    """gds nodes: every node, how it is, and what it masters."""
    typed = options.parse(argv, {"--json": "json"}, control.WHERE)
    found = [control.answered(path, {"verb": "nodes"})["cluster"] for path in control.owners([], typed)]
    if "json" in typed.flags:
        import json

        print(json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False))
        return 0
    for cluster in found:
        print("\n".join(map(printed, _table(cluster))))
    return 0


def columns(rows: list[list[str]]) -> list[str]:
    """The lines of a table, its head among the rows."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _table(cluster: dict[str, Any]) -> list[str]:
    rows = [["NODE", "STATE", "MASTERS", "VERSION"]]
    for each in cluster["nodes"]:
        state = "alive" if each["alive"] else "dead"
        if cluster.get("cut_off"):
            state = "cut off" if each["node"] == cluster["node"] else f"{state} {cluster['old_seconds']:.0f} s ago"
        if each["drained"]:
            state += ", evacuated" if each["evacuated"] else ", drained"
        rows.append([each["node"], state, ", ".join(each["masters"]) or "-", each["version"] or "-"])
    lines = columns(rows)
    for each in cluster["nodes"]:
        why = each["because"] or each["drained"]
        if why:
            lines.append(f"    {each['node']}: {why}")
    return lines + believes(cluster)


def believes(cluster: dict[str, Any]) -> list[str]:
    """What this node believes, and until when it may."""
    lines = []
    name = cluster["engine"]
    if cluster["member"]:
        seconds = cluster["may_run_seconds"]
        longer = f"what it masters may run {seconds:.1f} s longer without it"
        lines.append(
            f"cluster: member by {name}; {longer if seconds else 'its tenure is over, and nothing may run here'}"
        )
    else:
        lines.append(f"cluster: no member: {cluster['waiting']}")
    if cluster.get("cut_off"):
        lines.append(f"cluster: {cluster['cut_off']}: this is what it knew then")
    elif cluster["away"]:
        lines.append(f"cluster: {name} is away: {cluster['away']}")
    elif cluster.get("refused"):
        lines.append(f"cluster: {name} refuses what keeps this node a member: {cluster['refused']}")
    elif cluster["member"] and not cluster["settled"]:
        lines.append(f"cluster: the store is new; nothing is taken for {cluster['lifetime_seconds']:g} s")
    guard = cluster["guard"]
    if not guard.get("pid"):
        lines.append("cluster: the guard is not running: what this node masters is not fenced if the runner hangs")
    if not guard.get("watchdog"):
        lines.append("cluster: no hardware watchdog stands behind the guard")
    lines += [f"cluster: key {key} is not ours: {why}" for key, why in sorted(cluster["strange"].items())]
    return lines


def lines(cluster: dict[str, Any], only: str = "") -> list[str]:
    """For `gds status`: each group on each node. `only`: one node."""
    names = [each["node"] for each in cluster["nodes"] if only in ("", each["node"])]
    rows = [["GROUP", "MASTER", *names]]
    for group, facts in cluster["groups"].items():
        masters = ", ".join(f"{m['node']} (token {m['token']})" for m in facts["masters"]) or "-"
        rows.append([group, masters, *[str(facts["nodes"].get(n, {}).get("state", "-")) for n in names]])
    made = columns(rows)
    for group, facts in cluster["groups"].items():
        if not facts["masters"] and facts["because"]:
            made.append(f"    {group}: {facts['because']}")
        made += [f"    {group} not on {n}: {why}" for n, why in facts["barred"].items() if only in ("", n)]
        off = facts.get("switched_off", {})
        made += [f"    {group} on {n}: {said}" for n in names for said in off.get(n, [])]
        for n in names:
            said = facts["nodes"].get(n, {}).get("because", "")
            if said and n != "":
                made.append(f"    {group} on {n}: {said}")
    dead = [each for each in cluster["nodes"] if (not each["alive"] or each["drained"]) and only in ("", each["node"])]
    made += [f"    node {each['node']}: {each['because'] or each['drained']}" for each in dead]
    return made + believes(cluster)
