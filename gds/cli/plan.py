"""gds plan: questions about the cluster as it is, answered without touching it."""

from __future__ import annotations

import json

from gds.cli import control, options
from gds.cli.nodes import columns
from gds.errors import GdsError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.model.cluster import Cluster
    from gds.whatif import Row

USAGE = """usage: gds plan what-if [--node-down NODE]... [--node-up NODE]... [--evacuate NODE]... [--json]
                       [--socket PATH] [--runtime-dir DIR]

Where would each group run if these nodes died, came back or were evacuated, and why? The picture of the cluster is the
runner's own, the judge is the one that decides; every start is taken to succeed. Nothing is touched. Without a NODE:
what is still to be done as things are. An option may be repeated, or name several nodes with commas.
Exit status: 0 whatever should run would run, 1 a group would stay down, 2 usage, 4 no runner that
has contact with the cluster."""
NODES = {"--node-down": "down", "--node-up": "up", "--evacuate": "evacuated"}
STAYS_DOWN = 1


@options.door(USAGE, USAGE)
def main(argv: list[str]) -> int:
    """Answer; exit status as above."""
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if argv else 2
    if argv[0] != "what-if":
        raise UsageError(f"cannot plan {argv[0]}: the one question is what-if")
    named, rest = nodes_of(argv[1:])
    typed = options.parse(rest, {"--json": "json"}, control.WHERE)
    if typed.names or typed.after is not None:
        raise UsageError(f"cannot use {(typed.names or ['--'])[0]}: --node-down, --node-up and --evacuate name nodes")
    path = next(iter(control.owners([], typed)))
    answer = control.answered(path, {"verb": "cluster.picture"})
    return told(answer["cluster"], named, "json" in typed.flags)


def nodes_of(argv: list[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The nodes named by each option, which may be repeated, and what else was typed. Raises UsageError."""
    named: dict[str, list[str]] = {word: [] for word in NODES.values()}
    rest: list[str] = []
    left = list(argv)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name not in NODES:
            rest.append(name + equals + value)
            continue
        if not equals:
            value = left.pop(0) if left else ""
        nodes = [node.strip() for node in value.split(",") if node.strip()]
        if not nodes:
            raise UsageError(f"cannot use {name}: it needs the name of a node")
        named[NODES[name]] += nodes
    return {word: tuple(dict.fromkeys(nodes)) for word, nodes in named.items()}, rest


def told(plain: dict[str, Any], named: dict[str, tuple[str, ...]], as_json: bool) -> int:
    """Print the answer for a picture; the exit status. Raises UsageError for a node that the picture does not have."""
    from gds.model.picture import from_json
    from gds.whatif import what_if

    try:
        cluster = from_json(plain)
    except ValueError as error:
        raise GdsError(f"cannot read the runner's picture of the cluster: {error}; is it of another version?") from None
    _known(cluster, named)
    rows = what_if(cluster, named["down"], named["evacuated"], named["up"])
    if as_json:
        print(json.dumps(document_of(rows, named), ensure_ascii=False))
    else:
        print("\n".join(text_of(rows)))
    return STAYS_DOWN if any(row.stays_down for row in rows) else 0


def _known(cluster: Cluster, named: dict[str, tuple[str, ...]]) -> None:
    nodes = [peer.name for peer in cluster.nodes]
    for each in (node for given in named.values() for node in given):
        if each not in nodes:
            raise UsageError(
                f"cannot tell what {each} would change: "
                + (f"the nodes are {', '.join(sorted(nodes))}" if nodes else "there is no node")
            )


def text_of(rows: tuple[Row, ...]) -> list[str]:
    """For people: a line for each group, those that change marked."""
    if not rows:
        return ["no group is declared"]
    cells = [[" ", "GROUP", "NOW", "THEN", "WHY"]]
    for row in rows:
        mark = "!" if row.stays_down else " " if set(row.now) == set(row.then) else "*"
        cells.append([mark, row.group, ", ".join(row.now) or "-", ", ".join(row.then) or "-", row.because])
    return columns(cells)


def document_of(rows: tuple[Row, ...], named: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """For programs, version 1: keys may be added, never renamed."""
    return {
        "schema": 1,
        "if": {word: list(nodes) for word, nodes in named.items()},
        "groups": [
            {
                "group": row.group,
                "now": list(row.now),
                "then": list(row.then),
                "because": row.because,
                "stays_down": row.stays_down,
            }
            for row in rows
        ],
    }
