"""The picture in README is drawn from the table, so they cannot disagree. Stale: python -m tests.arch.test_diagram"""

from __future__ import annotations

from pathlib import Path

from gds.rgm.life import BY_MORE_THAN_LIFE, DETOURS, TABLE, Life

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- life:begin -->\n", "<!-- life:end -->"


def drawn() -> str:
    """The life of a resource as Mermaid; edges between the same two lives share one arrow."""
    edges: dict[tuple[Life, Life], list[str]] = {}
    for (before, event), after in TABLE.items():
        edges.setdefault((before, after), []).append(event.__name__)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> OFFLINE"]
    lines += [f"    {before} --> {after}: {', '.join(events)}" for (before, after), events in edges.items()]
    for life, detours in DETOURS.items():
        lines.append(f"    note left of {life}: the way here may lead over {' or '.join(detours)}")
    more: dict[Life, list[str]] = {}
    for life, event in sorted(BY_MORE_THAN_LIFE, key=lambda pair: (pair[0], pair[1].__name__)):
        more.setdefault(life, []).append(event.__name__)
    lines += [f"    note right of {life}: decided by more than the life: {', '.join(e)}" for life, e in more.items()]
    return "\n".join([*lines, "```", ""])


def test_the_diagram_in_readme_is_that_of_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    found = text.split(BEGIN)[1].split(END)[0]
    assert found == drawn(), "README is stale: run python -m tests.arch.test_diagram"


if __name__ == "__main__":
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    README.write_text(before + BEGIN + drawn() + END + rest.split(END)[1], encoding="utf-8")
