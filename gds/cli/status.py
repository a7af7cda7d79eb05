"""gds status: a table for people, one document for programs, an exit status for scripts."""

from __future__ import annotations

import os
import sys

from gds.api import client
from gds.cli import options
from gds.cli.control import WHERE, Refused, answered, owners
from gds.errors import GdsError
from gds.model.printed import escaped, printed, printed_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Show = Callable[[dict[str, Any] | None, str], None]

USAGE = """usage: gds status [NAME...] [--json] [--watch [--interval SECONDS]] [--node NODE]
                  [--socket PATH] [--runtime-dir DIR]

Several runners are shown together, each followed by its own line with pid, node and socket. With an engine all nodes
are shown; --node narrows that to one.

  --json            one document; of several runners, "runners" lists them, and each group has "socket" and "pid"
  --watch --json    one document a line, whenever anything but the clocks changed; {"schema": 1, "error": "..."} while
                    nobody answers

Exit status with NAME: 0 online, 3 not online (or FAULTED), 4 no runner, no such name or node, or no answer. Without
NAME: 0, or 4 when a runner does not answer, or is gone without having ended in order."""
UP = ("ONLINE", "ONLINE_NOT_MONITORED", "MONITOR_FAILED")
NO_ANSWER = 4
CLOCKS = ("uptime_seconds", "old_seconds", "may_run_seconds", "seconds", "at", "guard", "store")
"""Keys of the document whose values change when nothing does."""


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
    mute: list[GdsError] = []
    found = {
        path: answered(path, {"verb": "status", "names": names})["status"]
        for path, names in owners(typed.names, typed, mute).items()
    }
    merged = merge(found)
    if mute and not typed.names:
        merged["unanswered"] = [str(error) for error in mute]
    return merged if "node" not in typed.values else _narrowed(merged, typed.values["node"], typed.names)


def merge(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One document of those of the runners at these sockets: the first's, with the groups of all; of several it says
    whose is what."""
    merged = dict(next(iter(found.values())))
    if len(found) == 1:
        return merged
    merged["groups"], merged["runners"] = [], []
    for path, status in found.items():
        head = {key: value for key, value in status.items() if key not in ("schema", "groups")}
        merged["runners"].append({**head, "socket": path})
        merged["groups"] += [{**group, "socket": path, "pid": status["pid"]} for group in status["groups"]]
    return merged


def verdict(status: dict[str, Any], names: list[str]) -> int:
    """LSB: 0 when all of them are online and none is FAULTED, else 3. Of a group, what is disabled does not count."""
    resources = [r for g in status["groups"] for r in g["resources"] if r["enabled"] is not False or r["name"] in names]
    return 0 if resources and all(r["state"] in UP and r["status"] != "FAULTED" for r in resources) else 3


def _once(typed: options.Options) -> int:
    status = ask(typed)
    if "json" in typed.flags:
        print(_document(status))
    else:
        print("\n".join(table(status, _coloured())))
    for error in status.get("unanswered", ()):
        print(f"gds: {printed_lines(error)}", file=sys.stderr)
    if "unanswered" in status:
        return NO_ANSWER
    return verdict(status, typed.names) if typed.names and "json" not in typed.flags else 0


def _document(status: dict[str, Any]) -> str:
    import json

    return escaped(json.dumps(status, ensure_ascii=False))


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


_COLOURS = {"OK": "32", "DEGRADED": "33", "FAULTED": "31;1", "UNKNOWN": "36", "OFFLINE": "2"}


HEADS = ["RESOURCE", "GROUP", "STATE", "STATUS", "PID", "PROCS", "RESTARTS", "SUM"]


def _cell(resource: dict[str, Any]) -> list[str]:
    cells = [
        resource["name"],
        resource["group"] if resource["group"] != resource["name"] else "-",
        resource["state"] + (" (disabled)" if resource["enabled"] is False else ""),
        resource["status"],
    ]
    restarts, pids = resource["restarts"], resource["pids"]
    done, limit = restarts["done"], restarts["limit"]
    probe = resource["probe"]
    return [
        *cells,
        str(resource["main_pid"] or (pids[0] if pids else "-")),
        str(len(pids)) if pids is not None else "-",  # of another node they are not known here
        "-" if done is None else f"{done}/{limit if limit is not None and limit >= 0 else '-'}",
        str(probe["sum"]) if probe else "-",
    ]


def table(status: dict[str, Any], coloured: bool) -> list[str]:
    """The lines of the table, each resource followed by its reason, those of each runner by its own line."""
    rows = [HEADS, *[_cell(r) for g in status["groups"] for r in g["resources"]]]
    widths = [max(len(x) for x in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(h.ljust(w) for h, w in zip(HEADS, widths, strict=True)).rstrip()]
    runners = status.get("runners") or [status]
    for runner in runners:
        groups = [g for g in status["groups"] if g.get("socket", "") == runner.get("socket", "")]
        lines += _block(runner, groups, widths, coloured, status.get("shown_node", ""))
    clusters = [runner["cluster"] for runner in runners if "cluster" in runner]
    if clusters:
        from gds.cli import nodes

        lines += map(printed, nodes.lines(clusters[0], status.get("shown_node", "")))
    return lines


def _block(
    runner: dict[str, Any], groups: list[dict[str, Any]], widths: list[int], coloured: bool, shown: str
) -> list[str]:
    """What one runner has, or knows of the node that is shown, and its own line."""
    lines = []
    for resource in [r for g in groups for r in g["resources"]]:
        row = _cell(resource)
        cells = [c.ljust(w) for c, w in zip(row, widths, strict=True)]
        if coloured:
            cells[3] = f"\x1b[{_COLOURS.get(row[3], '0')}m{cells[3]}\x1b[0m"
        lines.append("  ".join(cells).rstrip())
        because = printed(resource["because"] or "")
        if because:
            lines.append(f"    because {because}")
        message = printed(resource["status_msg"] or "")
        if message and message not in because:
            lines.append(f"    {message}")
    lines += _groups(groups)
    if not lines:
        lines.append("(nothing declared)")
    where = f", socket {runner['socket']}" if "socket" in runner else ""
    if shown not in ("", runner["node"]):
        lines.append(f"node {shown}, by what it published last; told by:")
    lines.append(
        f"runner pid {runner['pid']}, up {_span(runner['uptime_seconds'])}, node {runner['node']},"
        f" tracking {runner['tracking']}{where}"
    )
    return lines + [f"problem: {printed(p)}" for p in runner.get("problems", [])]


def _narrowed(status: dict[str, Any], node: str, names: list[str]) -> dict[str, Any]:
    """The same of one node alone: as the runner on it says; of another node, as it reported itself to the cluster.
    Raises NoRunner when there is no such node."""
    runners = status.get("runners") or [status]
    seen = next((r["cluster"] for r in runners if node in _nodes_of(r.get("cluster"))), None)
    here = [runner for runner in runners if runner["node"] == node]
    if not here and seen is None:
        known = dict.fromkeys([n for r in runners for n in (r["node"], *_nodes_of(r.get("cluster")))])
        are = f"there {'are' if len(known) > 1 else 'is'} {', '.join(known)}"
        raise client.NoRunner(f"cannot show node {node}: no node of that name; {are}")
    narrowed = {**status, "shown_node": node}
    if here:
        sockets = [runner.get("socket", "") for runner in here]
        narrowed["groups"] = [g for g in status["groups"] if g.get("socket", "") in sockets]
        if "runners" in status:
            narrowed["runners"] = here
    elif seen is not None:
        from gds.cli import reported

        runner = next(r for r in runners if r.get("cluster") is seen)
        own = [g for g in status["groups"] if g.get("socket", "") == runner.get("socket", "")]
        narrowed["groups"] = reported.groups(runner, own, node, names)
        if "runners" in status:
            narrowed["runners"] = [runner]
            narrowed["groups"] = [{**g, "socket": runner["socket"]} for g in narrowed["groups"]]
    return narrowed


def _nodes_of(cluster: dict[str, Any] | None) -> list[str]:
    return [each["node"] for each in cluster["nodes"]] if cluster is not None else []


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
    """Redraw on a terminal; elsewhere print the table again whenever it differs. As documents: one a line, whenever
    there is another one."""
    import time

    pause = options.seconds(typed.values.get("interval", "1"), "--interval")
    show = _documents() if "json" in typed.flags else _redrawn if sys.stdout.isatty() else _tables()
    while True:
        try:
            show(ask(typed), "")
        except (client.NoRunner, client.NoAnswer, Refused) as error:
            show(None, str(error))
        sys.stdout.flush()
        time.sleep(max(pause, 0.05))


def _lines_of(status: dict[str, Any] | None, error: str) -> list[str]:
    if status is None:
        return [f"gds: {printed_lines(error)}"]
    return table(status, _coloured()) + [f"gds: {printed(each)}" for each in status.get("unanswered", ())]


def _redrawn(status: dict[str, Any] | None, error: str) -> None:
    sys.stdout.write("\x1b[H\x1b[J" + "\n".join(_lines_of(status, error)) + "\n")


def _tables() -> Show:
    last: list[str] = []

    def show(status: dict[str, Any] | None, error: str) -> None:
        nonlocal last
        lines = _lines_of(status, error)
        shown = [line for line in lines if not line.startswith(("runner pid", "cluster: member by"))]
        if shown != last:
            print("\n".join(lines))
        last = shown

    return show


def _documents() -> Show:
    last: Any = None

    def show(status: dict[str, Any] | None, error: str) -> None:
        nonlocal last
        document = status if status is not None else {"schema": 1, "error": error}
        lasting = _without_clocks(document)
        if lasting != last:
            print(_document(document))
        last = lasting

    return show


def _without_clocks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_clocks(each) for key, each in value.items() if key not in CLOCKS}
    return [_without_clocks(each) for each in value] if isinstance(value, list) else value
