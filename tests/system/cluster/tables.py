"""What a run came to, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.cluster.trial import Done


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * len(ordered) * 1000) // 1000) - 1))] if ordered else 0.0


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be; the first to the left, numbers to the right."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    lines = [[w.ljust(widths[0]) if n == 0 else w.rjust(widths[n]) for n, w in enumerate(row)] for row in (head, *rows)]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def summary(done: Sequence[Done]) -> str:
    """One line a kind: how often, outages, overlap, violations."""
    rows = []
    for kind in sorted({d.kind for d in done}):
        here = [d for d in done if d.kind == kind]
        lost = [s for d in here if not d.refused for s in d.outages]
        rows.append((
            kind, str(len(here)), str(sum(1 for d in here if d.refused)),
            *(f"{v:.2f}" for v in (percentile(lost, 0.5), percentile(lost, 0.99), max(lost, default=0.0))),
            f"{max(d.overlap for d in here):.0f}", str(sum(len(d.violations) for d in here)),
        ))  # fmt: skip
    head = ("fault", "count", "refused", "outage median s", "p99 s", "max s", "overlap ms", "violations")
    return table(head, rows)


def measured(rows: Sequence[tuple[str, Sequence[float], str]]) -> str:
    """In Markdown: what, number, median, p99, worst, and what it is held against."""
    lines = ["| what | n | median | p99 | worst | beside |", "| --- | --: | --: | --: | --: | --- |"]
    for what, values, beside in rows:
        figures = " | ".join(_seconds(v) for v in (percentile(values, 0.5), percentile(values, 0.99), max(values)))
        lines.append(f"| {what} | {len(values)} | {figures} | {beside} |")
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
