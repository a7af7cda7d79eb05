"""gds graph: the order in which descriptors start, and who waits for whom. No runner is asked."""

from __future__ import annotations

import json

from gds.cli import descriptors, options
from gds.errors import UsageError

USAGE = """usage: gds graph PATH... [--format text|json|dot|mermaid]

  PATH        a descriptor, or a directory of them (*.toml)
  --format    text: for reading (default); json; dot: for Graphviz (`gds graph PATH --format dot | dot -Tsvg`);
              mermaid: for Markdown. An arrow leads from the one that waits to the one it waits for
  --json      the same as --format json

Nothing is started, no runner is asked, and this machine is not asked whether commands exist.
Exit status: 0 drawn, 2 usage, 78 an error in a descriptor."""

FORMATS = ("text", "json", "dot", "mermaid")


@options.door(USAGE, USAGE)
def main(argv: list[str]) -> int:
    """Draw the descriptors named in `argv`; exit status as above."""
    typed = options.parse(argv, {"--json": "json"}, {"--format": "format", "-f": "format"})
    if not typed.names or typed.after is not None:
        raise UsageError("cannot draw a graph: name descriptors, or directories of them")
    form = typed.values.get("format", "json" if "json" in typed.flags else "text")
    if form not in FORMATS:
        raise UsageError(f"cannot draw a graph as {form}: the formats are {', '.join(FORMATS)}")
    from gds.config import graph

    order = graph.order_of(descriptors.plan_of(typed.names, "draw a graph"))
    match form:
        case "json":
            print(json.dumps(graph.as_document(order), indent=1))
        case "dot":
            print(graph.as_dot(order))
        case "mermaid":
            print(graph.as_mermaid(order))
        case _:
            print(graph.as_text(order))
    return 0
