"""The numbers: kept raw, summed up as medians, 99th percentiles and ratios to the bare loop of the same run."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from tests.bench.peers import FLOOR

QUANTITIES: dict[str, str] = {
    "respawn": "ms from SIGKILL to the replacement's first instruction",
    "at_once": "s from the first of N SIGKILLs until the last replacement's first instruction",
    "start": "s from exec of the supervisor to the last app's first instruction",
    "start_cpu": "CPU s of the supervisor and the apps for it",
    "start_cold": "s, the first start with this configuration",
    "stop_apps": "s from the documented stop until every app is gone",
    "stop_all": "s until the supervisor is gone too",
    "idle_cpu": "% of one processor",
    "idle_wakeups": "times a second a thread of the supervisor went to sleep again",
    "memory_pss": "KB PSS of all processes of the supervisor",
    "memory_anonymous": "KB of it anonymous",
    "memory_tables": "KB of page tables beside it",
    "memory_processes": "processes of the supervisor",
    "exec_probe_cpu": "CPU ms for each probe by a command, the command's own included",
    "exec_probe_rate": "probes done each second",
    "tcp_probe_cpu": "CPU ms for each connect-and-disconnect probe",
    "tcp_probe_rate": "probes done each second",
    "hung_exec_acted": "s from SIGSTOP until the app is ended, probed by a command",
    "hung_exec_back": "s from SIGSTOP to the replacement's first instruction",
    "hung_http_acted": "s from SIGSTOP until the app is ended, probed by HTTP",
    "hung_http_back": "s from SIGSTOP to the replacement's first instruction",
    "logs_rate": "MB/s of output into the peer's own log, rotated at 10 MB",
    "logs_cpu": "CPU s of the supervisor's side for it",
    "logs_lost": "lines lost",
    "logs_give_rate": "MB/s in the mode that costs the supervisor least",
    "logs_give_cpu": "CPU s of the supervisor's side for it",
    "logs_give_lost": "lines lost",
    "status": "ms of the status command",
    "pmfadm_q": "ms of `pmfadm -q`",
    "hatimerun": "ms from exec to the command's first instruction",
    "halockrun": "ms from exec to the command's first instruction",
    "daemon_tracked": "1 when the death of an app that daemonised is answered by one restart",
    "daemon_back": "s from that death to the replacement's first instruction",
    "daemon_copies": "copies running at once before it",
    "daemon_orphans": "processes of it left after the stop",
    "stubborn_left": "processes left some seconds after the stop of an app whose child ignores TERM",
    "stubborn_gone": "s until all were gone",
    "graph_seconds": "s from exec to the last first instruction, of apps that need each other",
    "graph_path": "s that must pass before the last of them may begin",
    "graph_ratio": "the first by the second",
}


def percentile(values: list[float], percent: float) -> float:
    """By the nearest rank: of fewer than 100 values the 99th is the greatest."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


class Results:
    """Samples by quantity, size of the fleet, and peer; and why there are none."""

    def __init__(self, peers: list[str]) -> None:
        self.peers = peers
        self.samples: dict[str, dict[int, dict[str, list[float]]]] = {}
        self.reasons: dict[str, dict[int, dict[str, str]]] = {}

    def add(self, quantity: str, size: int, peer: str, value: float) -> None:
        """One sample, in the unit QUANTITIES says."""
        if quantity not in QUANTITIES:
            raise KeyError(quantity)
        self.samples.setdefault(quantity, {}).setdefault(size, {}).setdefault(peer, []).append(value)

    def refuse(self, figure: str, size: int, peer: str, reason: str) -> None:
        """The figure cannot be had of this peer at this size."""
        self.reasons.setdefault(figure, {}).setdefault(size, {})[peer] = reason

    def values(self, quantity: str, size: int, peer: str) -> list[float]:
        """The samples; empty without any."""
        return self.samples.get(quantity, {}).get(size, {}).get(peer, [])

    def sizes(self, quantity: str) -> list[int]:
        """The sizes of fleet for which anybody has a sample or a reason."""
        return sorted({*self.samples.get(quantity, {}), *self.reasons.get(quantity, {})})

    def summary(self) -> dict[str, object]:
        """For each series: n, least, median, p99, and the ratio of the medians to the bare loop's."""
        out: dict[str, object] = {}
        for quantity, sizes in self.samples.items():
            for size, peers in sizes.items():
                for peer, values in peers.items():
                    entry = {
                        "n": len(values),
                        "least": min(values),
                        "median": median(values),
                        "p99": percentile(values, 99),
                        "ratio": self.ratio(quantity, size, peer),
                    }
                    out.setdefault(quantity, {}).setdefault(str(size), {})[peer] = entry  # type: ignore[attr-defined]
        return out

    def ratio(self, quantity: str, size: int, peer: str) -> float | None:
        """Median of the peer by median of the bare loop."""
        own, floor = self.values(quantity, size, peer), self.values(quantity, size, FLOOR)
        if not own or not floor or median(floor) == 0:
            return None
        return median(own) / median(floor)


# -- the table ---------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A line of the table: a figure, a title with {n} for the size, and how a cell is made of samples."""

    figure: str
    lead: str
    title: str
    cell: Callable[[Results, int, str], str]


def figure_text(value: float) -> str:
    """Three digits that mean something."""
    if value == 0:
        return "0"
    if abs(value) < 0.0005:
        return "0.000"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 3)}f}"


def _middle(results: Results, quantity: str, size: int, peer: str, scale: float = 1.0) -> str:
    values = results.values(quantity, size, peer)
    return figure_text(median(values) * scale) if values else "–"


def _with_ratio(results: Results, quantity: str, size: int, peer: str, text: str) -> str:
    ratio = results.ratio(quantity, size, peer)
    if peer == FLOOR or ratio is None:
        return text
    return f"{text} ({figure_text(ratio) if ratio < 10 else f'{ratio:,.0f}'}×)"


def _single(quantity: str, scale: float = 1.0, compare: bool = True) -> Callable[[Results, int, str], str]:
    def cell(results: Results, size: int, peer: str) -> str:
        text = _middle(results, quantity, size, peer, scale)
        return _with_ratio(results, quantity, size, peer, text) if compare else text

    return cell


def _and_p99(quantity: str, scale: float = 1.0) -> Callable[[Results, int, str], str]:
    def cell(results: Results, size: int, peer: str) -> str:
        worst = percentile(results.values(quantity, size, peer), 99) * scale
        text = f"{_middle(results, quantity, size, peer, scale)} / {figure_text(worst)}"
        return _with_ratio(results, quantity, size, peer, text)

    return cell


def _joined(*quantities: str) -> Callable[[Results, int, str], str]:
    def cell(results: Results, size: int, peer: str) -> str:
        text = " / ".join(_middle(results, quantity, size, peer) for quantity in quantities)
        return _with_ratio(results, quantities[0], size, peer, text)

    return cell


def _plain(*quantities: str) -> Callable[[Results, int, str], str]:
    def cell(results: Results, size: int, peer: str) -> str:
        return " / ".join(_middle(results, quantity, size, peer) for quantity in quantities)

    return cell


def _logs(figure: str) -> Callable[[Results, int, str], str]:
    def cell(results: Results, size: int, peer: str) -> str:
        rate = _middle(results, f"{figure}_rate", size, peer)
        spent = _middle(results, f"{figure}_cpu", size, peer)
        return f"{rate} / {spent} / {_count(results, f'{figure}_lost', size, peer)}"

    return cell


def _memory(results: Results, size: int, peer: str) -> str:
    pss = _middle(results, "memory_pss", size, peer, 1 / 1024)
    anonymous = _middle(results, "memory_anonymous", size, peer, 1 / 1024)
    return f"{pss} / {anonymous} ({median(results.values('memory_processes', size, peer)):.0f})"


def _each_app(results: Results, size: int, peer: str) -> str:
    least = min(results.sizes("memory_pss"))
    if size == least:
        return "–"
    slopes = []  # of PSS it would be noise: file pages are shared with whoever else runs on the machine
    for quantity in ("memory_anonymous", "memory_tables"):
        few, many = results.values(quantity, least, peer), results.values(quantity, size, peer)
        if not few or not many:
            return "–"
        slopes.append((median(many) - median(few)) / (size - least))
    return " / ".join(f"{slope:.1f}" for slope in slopes)


def _count(results: Results, quantity: str, size: int, peer: str) -> str:
    return f"{max(results.values(quantity, size, peer), default=0):.0f}"


def _daemon(results: Results, size: int, peer: str) -> str:
    tracked = results.values("daemon_tracked", size, peer)
    orphans = _count(results, "daemon_orphans", size, peer)
    if all(tracked):
        return f"tracked, back after {_middle(results, 'daemon_back', size, peer)} s, {orphans} left"
    copies = _count(results, "daemon_copies", size, peer)
    return f"not tracked ({sum(tracked):.0f} of {len(tracked)}), {copies} copies, {orphans} left"


def _stubborn(results: Results, size: int, peer: str) -> str:
    left = max(results.values("stubborn_left", size, peer))
    return f"{left:.0f} left" if left else f"none left, {_middle(results, 'stubborn_gone', size, peer)} s"


ROWS: tuple[Row, ...] = (
    Row("respawn", "respawn", "respawn after SIGKILL, {n}, ms: median / p99", _and_p99("respawn")),
    Row("at_once", "at_once", "all of {n} killed at once, until all are back, s", _single("at_once")),
    Row("entry", "start", "exec → the app's first instruction, {n}, ms: median / p99", _and_p99("start", 1000)),
    Row("start", "start", "{n} started, s", _single("start")),
    Row("start", "start_cpu", "CPU s of the start of {n}, apps included", _single("start_cpu")),
    Row("start_cold", "start_cold", "{n} started, nothing compiled before, s", _single("start_cold", compare=False)),
    Row("stop", "stop_apps", "{n} stopped: apps gone / supervisor gone, s", _joined("stop_apps", "stop_all")),
    Row("idle", "idle_cpu", "idle, {n}: % of a processor / wake-ups a second", _plain("idle_cpu", "idle_wakeups")),
    Row("memory", "memory_pss", "memory, {n}: MB PSS / anonymous (processes)", _memory),
    Row("memory", "memory_pss", "each further app up to {n}, KB: anonymous / page tables", _each_app),
    Row(
        "exec_probe",
        "exec_probe_cpu",
        "exec probe, {n}: CPU ms each / probes a second",
        _joined("exec_probe_cpu", "exec_probe_rate"),
    ),
    Row(
        "tcp_probe",
        "tcp_probe_cpu",
        "tcp probe, {n}: CPU ms each / probes a second",
        _joined("tcp_probe_cpu", "tcp_probe_rate"),
    ),
    Row(
        "hung_exec",
        "hung_exec_acted",
        "hung app (SIGSTOP), exec probe: acted / back, s",
        _plain("hung_exec_acted", "hung_exec_back"),
    ),
    Row(
        "hung_http",
        "hung_http_acted",
        "hung app (SIGSTOP), http probe: acted / back, s",
        _plain("hung_http_acted", "hung_http_back"),
    ),
    Row(
        "logs",
        "logs_rate",
        "output kept and rotated: MB/s / CPU s / lines lost",
        _logs("logs"),
    ),
    Row(
        "logs_give",
        "logs_give_rate",
        "output, the cheapest way: MB/s / CPU s / lines lost",
        _logs("logs_give"),
    ),
    Row("status", "status", "status command, ms: median / p99", _and_p99("status")),
    Row("pmfadm_q", "pmfadm_q", "`pmfadm -q`, ms: median / p99", _and_p99("pmfadm_q")),
    Row(
        "hatimerun",
        "hatimerun",
        "`hatimerun` → the command's first instruction, ms: median / p99",
        _and_p99("hatimerun"),
    ),
    Row(
        "halockrun",
        "halockrun",
        "`halockrun` → the command's first instruction, ms: median / p99",
        _and_p99("halockrun"),
    ),
    Row("daemon", "daemon_tracked", "an app that daemonises", _daemon),
    Row("stubborn", "stubborn_left", "stop of an app whose child ignores TERM (KILL asked for after 2 s)", _stubborn),
    Row(
        "graph",
        "graph_ratio",
        "{n} that need each other: all begun / the longest path, s / ratio",
        _plain("graph_seconds", "graph_path", "graph_ratio"),
    ),
)


def markdown(results: Results, reasons_for_absence: dict[str, str]) -> str:
    """The table, a line for each figure and size, a column for each peer; reasons for n/a below it."""
    notes: dict[str, int] = {}

    def note(reason: str) -> str:
        return f"n/a [{notes.setdefault(reason, len(notes) + 1)}]"

    lines = [
        f"| figure | {' | '.join(results.peers)} |",
        "| --- |" + " --- |" * len(results.peers),
    ]
    for row in ROWS:
        for size in results.sizes(row.lead):
            if (row.cell is _each_app and size == min(results.sizes("memory_pss"))) or (
                row.lead == "start" and (row.figure == "entry") != (size == 1)
            ):
                continue
            cells = []
            for peer in results.peers:
                if results.values(row.lead, size, peer):
                    cells.append(row.cell(results, size, peer))
                elif peer in reasons_for_absence:
                    cells.append(note(reasons_for_absence[peer]))
                else:
                    figure_reasons = results.reasons.get(row.lead, {}).get(size, {})
                    cells.append(note(figure_reasons[peer]) if peer in figure_reasons else "–")
            apps = "1 app" if size == 1 else f"{size:,} apps"
            lines.append(f"| {row.title.format(n=apps)} | {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    if notes:
        text += "\nn/a: " + "; ".join(f"[{number}] {reason}" for reason, number in notes.items()) + ".\n"
    return text
