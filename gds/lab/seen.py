"""How a lab is: its nodes, their power, runners, members of etcd and networks; and what a living runner says."""

from __future__ import annotations

from gds.lab import cells, members, network
from gds.lab.deeds import identity
from gds.lab.place import CLIENT, Lab
from gds.lab.records import recorded, stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def document(lab: Lab) -> dict[str, Any]:
    """For programs, version 1: keys may be added, never renamed. `status` is that of the first runner that is a member
    of the cluster, else of any that answers, else null."""
    powers = {node: power(lab, node) for node in lab.nodes}
    living = [n for n in lab.nodes if powers[n] == "on" and _alive(lab, n, "etcd")]
    states = members.states(lab, living)
    cuts = network.cuts(lab)
    told = [(node, said) for node in lab.nodes if powers[node] == "on" and (said := identity(lab, node)) is not None]
    best = [said for _, said in told if said.get("cluster", {}).get("member")] or [said for _, said in told]
    return {
        "schema": 1,
        "directory": lab.directory,
        "network": lab.net,
        "plain_because": lab.plain_because,
        "client": lab.address(CLIENT) if lab.net else "",
        "nodes": [
            {
                "node": node,
                "power": powers[node],
                "address": lab.address(node),
                "runner": {
                    "pid": recorded(f"{lab.home(node)}/runner.pid"),
                    "state": _runner(lab, node, powers[node], [name for name, _ in told]),
                },
                "etcd": {
                    "pid": recorded(f"{lab.home(node)}/etcd.pid"),
                    "state": states.get(node) or ("paused" if _halted(lab, node, "etcd", powers[node]) else "down"),
                    "url": lab.url(node),
                },
                "cut_off_from": _cut_off(lab, node, cuts),
            }
            for node in lab.nodes
        ],
        "status": best[0] if best else None,
    }


def power(lab: Lab, node: str) -> str:
    """on, off, or paused: it has power, and stands still."""
    if not recorded(f"{lab.home(node)}/keeper.pid"):
        return "off"
    return "paused" if cells.is_frozen(lab.cell(node)) else "on"


def _alive(lab: Lab, node: str, what: str) -> bool:
    pid = recorded(f"{lab.home(node)}/{what}.pid")
    return pid > 0 and not stopped(pid)


def _halted(lab: Lab, node: str, what: str, power: str) -> bool:
    pid = recorded(f"{lab.home(node)}/{what}.pid")
    return pid > 0 and (power == "paused" or stopped(pid))


def _runner(lab: Lab, node: str, power: str, answering: list[str]) -> str:
    if not recorded(f"{lab.home(node)}/runner.pid"):
        return "down"
    if _halted(lab, node, "runner", power):
        return "paused"
    return "up" if node in answering else "no answer"


def _cut_off(lab: Lab, node: str, cuts: list[list[str]]) -> list[str]:
    if [node] in cuts:
        return [CLIENT, *[name for name in lab.nodes if name != node]]
    return [
        name for name in lab.nodes if name != node and (sorted((name, node)) in map(sorted, cuts) or [name] in cuts)
    ]


def table(facts: dict[str, Any]) -> list[str]:
    """The same for people."""
    rows = [["NODE", "POWER", "RUNNER", "ETCD", "NETWORK"]]
    for each in facts["nodes"]:
        cut = each["cut_off_from"]
        where = each["address"] if facts["network"] else "the machine's"
        if each["power"] == "off":
            where = "-"
        elif cut:
            where += ", cut off" if CLIENT in cut else f", cut off from {', '.join(cut)}"
        cells_ = [f"{part['state']} ({part['pid']})" if part["pid"] else "-" for part in (each["runner"], each["etcd"])]
        rows.append([each["node"], each["power"], *cells_, where])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def missing(lab: Lab) -> str:
    """What is not as it is to be after `up`: each node a member of the cluster, each group online; "" = nothing."""
    groups: dict[str, Any] = {}
    for node in lab.nodes:
        told = identity(lab, node)
        cluster = told.get("cluster") if told is not None else None
        if told is None or cluster is None:
            return f"the runner of {node} does not answer"
        if not cluster["member"]:
            return f"{node} is no member of the cluster: {cluster['waiting'] or cluster['away']}"
        groups = cluster["groups"]
    for name, facts in groups.items():
        if facts["wanted"] and not any(_is_online(facts["nodes"].get(m["node"])) for m in facts["masters"]):
            return f"group {name} is not online" + (f": {facts['because']}" if facts["because"] else "")
    return ""


def _is_online(report: dict[str, Any] | None) -> bool:
    return report is not None and report.get("state") == "ONLINE"
