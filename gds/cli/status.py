"""gds status: a table for people, one document for programs, an exit status for scripts."""

from __future__ import annotations

import os
import sys

from gds.api import client
from gds.cli import options
from gds.cli.control import WHERE, Refused, answered, owners
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE = """usage: gds status [NAME...] [--json] [--watch [--interval SECONDS]] [--node NODE]
                  [--socket PATH] [--runtime-dir DIR]

With an engine all nodes are shown; --node narrows that to one.

Exit status with NAME: 0 online, 3 not online (or FAULTED), 4 no runner, or no such name."""
UP = ("ONLINE", "ONLINE_NOT_MONITORED", "MONITOR_FAILED")


@options.door(USAGE)
def main(argv: list[str]) -> int:
    """Show what runs, and why."""
    flags = {"--json": "json", "--watch": "watch", "-w": "watch"}
    typed = options.parse(argv, flags, {**WHERE, "--interval": "interval", "--node": "node"})
    if "watch" in typed.flags:
        return _watch(typed)
    return _once(typed)


def ask(typed: options.Options) -> dict[str, Any]:
    """The merged status of every runner concerned. Raises GdsError, Refused when one of them refuses."""
    found = [
        answered(path, {"verb": "status", "names": names})["status"]
        for path, names in owners(typed.names, typed).items()
    ]
    merged: dict[str, Any] = found[0]
    for status in found[1:]:
        merged["groups"] += status["groups"]
        merged.setdefault("runners", [{k: v for k, v in merged.items() if k != "groups"}])
        merged["runners"].append({k: v for k, v in status.items() if k != "groups"})
    return merged


def verdict(status: dict[str, Any], names: list[str]) -> int:
    """LSB: 0 when all of them are online and none is FAULTED, else 3. Of a group, what is disabled does not count."""
    resources = [r for g in status["groups"] for r in g["resources"] if r["enabled"] or r["name"] in names]
    return 0 if resources and all(r["state"] in UP and r["status"] != "FAULTED" for r in resources) else 3


def _once(typed: options.Options) -> int:
    status = ask(typed)
    if "json" in typed.flags:
        import json

        print(json.dumps(status, ensure_ascii=False))
        return 0
    shown = _of_node(status, typed.values["node"]) if "node" in typed.values else table(status, _coloured())
    print("\n".join(shown))
    return verdict(status, typed.names) if typed.names else 0


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


_COLOURS = {"OK": "32", "DEGRADED": "33", "FAULTED": "31;1", "UNKNOWN": "36", "OFFLINE": "2"}


def _cell(resource: dict[str, Any]) -> list[str]:
    restarts = resource["restarts"]
    limit = restarts["limit"]
    probe = resource["probe"]
    return [
        resource["name"],
        resource["group"] if resource["group"] != resource["name"] else "-",
        resource["state"] + ("" if resource["enabled"] else " (disabled)"),
        resource["status"],
        str(resource["main_pid"] or (resource["pids"][0] if resource["pids"] else "-")),
        str(len(resource["pids"])),
        f"{restarts['done']}/{limit if limit >= 0 else '-'}",
        str(probe["sum"]) if probe else "-",
    ]


def table(status: dict[str, Any], coloured: bool) -> list[str]:
    """The lines of the table, each resource followed by its reason."""
    heads = ["RESOURCE", "GROUP", "STATE", "STATUS", "PID", "PROCS", "RESTARTS", "SUM"]
    resources = [r for g in status["groups"] for r in g["resources"]]
    rows = [_cell(r) for r in resources]
    widths = [max(len(x) for x in column) for column in zip(heads, *rows, strict=True)]
    lines = ["  ".join(h.ljust(w) for h, w in zip(heads, widths, strict=True)).rstrip()]
    for resource, row in zip(resources, rows, strict=True):
        cells = [c.ljust(w) for c, w in zip(row, widths, strict=True)]
        if coloured:
            cells[3] = f"\x1b[{_COLOURS.get(row[3], '0')}m{cells[3]}\x1b[0m"
        lines.append("  ".join(cells).rstrip())
        because = resource["because"]
        if because:
            lines.append(f"    because {because}")
        message = resource["status_msg"]
        if message and message not in because:
            lines.append(f"    {message}")
    lines += _groups(status["groups"])
    if not resources:
        lines.append("(nothing declared)")
    tracking = status["tracking"]
    lines.append(
        f"runner pid {status['pid']}, up {_span(status['uptime_seconds'])}, node {status['node']}, tracking {tracking}"
    )
    lines += [f"problem: {p}" for p in status.get("problems", [])]
    if "cluster" in status:
        from gds.cli import nodes

        lines += nodes.lines(status["cluster"])
    return lines


def _of_node(status: dict[str, Any], node: str) -> list[str]:
    """One node alone, as it reports itself."""
    from gds.cli import nodes

    cluster = status.get("cluster")
    if cluster is None:
        raise UsageError(f"cannot narrow to node {node}: this runner is alone; it has no engine")
    known = [each["node"] for each in cluster["nodes"]]
    if node not in known:
        raise UsageError(f"cannot find node {node}; there are {', '.join(known)}")
    lines = []
    for group, facts in cluster["groups"].items():
        for name, (state, said) in facts["nodes"].get(node, {}).get("resources", {}).items():
            lines.append(f"{name}  {group}  {state}  {said}")
    return lines + nodes.lines(cluster, node)


def _groups(groups: list[dict[str, Any]]) -> list[str]:
    """A line for each group of which its resources do not say everything."""
    lines = []
    for group in groups:
        marks = ["automatic recovery suspended"] if group.get("suspended") else []
        if len(group["resources"]) > 1 or marks or group["state"] == "UNMANAGED":
            lines.append(" ".join([f"group {group['name']}: {group['state']}", *[f"({mark})" for mark in marks]]))
    return lines


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 172800:
        return f"{whole // 3600} h"
    return f"{whole // 86400} d"


def _watch(typed: options.Options) -> int:
    """Redraw on a terminal; elsewhere print the table again whenever it differs."""
    import time

    pause = options.seconds(typed.values.get("interval", "1"), "--interval")
    terminal = sys.stdout.isatty()
    last: list[str] = []
    while True:
        try:
            lines = table(ask(typed), _coloured())
        except (client.NoRunner, Refused) as error:
            lines = [f"gds: {error}"]
        shown = [line for line in lines if terminal or not line.startswith("runner pid")]
        if terminal:
            sys.stdout.write("\x1b[H\x1b[J" + "\n".join(lines) + "\n")
        elif shown != last:
            print("\n".join(lines))
        sys.stdout.flush()
        last = shown
        time.sleep(max(pause, 0.05))
