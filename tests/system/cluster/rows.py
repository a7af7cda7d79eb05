"""The rows of the table of failure tests (engines.md 7) that one machine can run, each as a list of faults.

`in_check`: it runs with the other system tests; the others take longer, and run by `--rows`. Not here, because this
machine has no such thing: delay (no netem), clock rate and suspend, directors of scalable services; Pacemaker's rows
have their own test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.system.cluster.faults import KINDS, TRIALS, Step

if TYPE_CHECKING:
    from collections.abc import Callable

MARGIN = 1.0
"""GDS_ETCD_MARGIN of the lab."""


class Row(NamedTuple):
    """`steps` are for a lifetime. `own_lab`: in a lab in which nothing else is tried, and
    whose wall clocks may jump."""

    name: str
    must: str
    steps: Callable[[float], list[Step]]
    in_check: bool = True
    own_lab: bool = False


def one(
    kind: str, role: str, parts: float = 0.0, seconds: float = 0.0, times: int = 1
) -> Callable[[float], list[Step]]:
    """The same fault so many times, undone after parts × lifetime + seconds."""
    return lambda lifetime: [Step(n + 1, 0.3, kind, role, round(parts * lifetime + seconds, 3)) for n in range(times)]


def sweep(kind: str, role: str) -> Callable[[float], list[Step]]:
    """From a second before the guard's deadline to a second after the take-over, in steps of 0.1 s."""

    def made(lifetime: float) -> list[Step]:
        first, last = lifetime - MARGIN - 1, lifetime + 1
        count = round((last - first) / 0.1) + 1
        return [Step(n + 1, 0.5, kind, role, round(first + n * 0.1, 3)) for n in range(count)]

    return made


def under(
    kind: str, role: str, parts: float, seconds: float, top: str, top_role: str, delay: float
) -> Callable[[float], list[Step]]:
    """A fault, and another on top of it after `delay` seconds, which lasts as long as is left."""

    def made(lifetime: float) -> list[Step]:
        lasts = parts * lifetime + seconds
        left = lasts - delay if (KINDS | TRIALS)[top].lasts[1] != (0.0, 0.0) else 0.0
        return [Step(1, 0.3, kind, role, lasts, Step(2, 0.0, top, top_role, left), delay)]

    return made


WEB = "master of web"
DB = "master of db"
ROWS = {
    row.name: row
    for row in (
        Row("runner-killed", "nothing is noticed but by the runner", one("runner-kill", WEB, times=2)),
        Row("guard-killed", "no overlap, and it is back", one("guard-kill", WEB)),
        Row("runner-stopped", "dead before another starts; woken, it starts nothing",
            one("runner-stop", WEB, 1.0, 3.0)),
        Row("runner-stopped-a-moment", "nothing is noticed", one("runner-pause", WEB, seconds=1.0)),
        Row("runner-killed-for-long", "its guard ends what it ran, another takes over",
            one("runner-down", WEB, 1.0, 3.0)),
        Row("node-crashed", "failover within 1.01 L, a start, and a second", one("node-crash", DB, 1.0, 3.0)),
        Row("cut-off", "the minority stops before the majority starts", one("cut", WEB, 1.0, 3.0)),
        Row("one-way", "no overlap", one("oneway", DB, 1.0, 3.0), in_check=False),
        Row("pairwise", "no overlap", one("cut-pair", "n1", 1.0, 3.0), in_check=False),
        Row("flapping", "no needless failover", one("cut-short", WEB, seconds=0.5, times=6), in_check=False),
        Row("packets-lost", "no overlap", one("loss", WEB, 1.0, 5.0), in_check=False),
        Row("cut-off-around-the-deadline", "never stuck without an application", sweep("cut", WEB), in_check=False),
        Row("runner-stopped-around-the-deadline", "never stuck without an application", sweep("runner-stop", DB),
            in_check=False),
        Row("majority-lost-around-the-deadline", "never stuck without an application", sweep("etcd-majority", "n1"),
            in_check=False),
        Row("etcd-leader-killed", "nothing stops", one("etcd-kill", "leader", seconds=3.0)),
        Row("etcd-own-member-killed", "nothing stops", one("etcd-kill", WEB, seconds=3.0), in_check=False),
        Row("etcd-leader-stopped", "the client changes its endpoint", one("etcd-pause", "leader", seconds=4.0),
            in_check=False),
        Row("etcd-own-member-stopped", "the client changes its endpoint", one("etcd-pause", WEB, 1.0, 2.0)),
        Row("etcd-majority-lost", "all stop in time, all come back", one("etcd-majority", "n1", 1.0, 2.0)),
        Row("etcd-disk-stuck", "no overlap", one("etcd-stuck-disk", "leader", seconds=12.0), in_check=False),
        Row("etcd-disk-slow", "no overlap", one("etcd-slow-disk", "leader", seconds=8.0), in_check=False),
        Row("etcd-full", "no overlap, and it comes back", one("etcd-full", "leader", 1.0, 3.0), in_check=False),
        Row("application-killed", "restarted on the spot", one("app-kill", DB)),
        Row("killed-again-and-again", "the budget is spent, and it goes on elsewhere",
            one("app-kill-again", WEB, times=8), in_check=False),
        Row("application-stopped", "nothing else happens", one("app-pause", WEB, seconds=2.0), in_check=False),
        Row("stop-hangs", "killed, then started elsewhere", one("switch-deaf", DB)),
        Row("given-over", "it comes up elsewhere", one("giveover", WEB)),
        Row("switched", "it comes up there", one("switch", DB)),
        Row("killed-while-it-is-switched-away", "no overlap", lambda lifetime: [
            step._replace(number=n + 1, seconds=0.1 + n * 0.4) for n, step in
            enumerate(one("switch-crash", WEB, times=8)(lifetime))], in_check=False),
        Row("killed-while-it-is-switched-here", "no overlap", lambda lifetime: [
            step._replace(number=n + 1, seconds=0.02 + n * 0.04) for n, step in
            enumerate(one("switch-crash-there", DB, times=8)(lifetime))], in_check=False),
        Row("evacuated", "it comes up elsewhere", one("evacuate", WEB, seconds=1.0)),
        Row("etcd-wiped", "no overlap; tokens begin anew", one("etcd-wipe", "n1"), in_check=False, own_lab=True),
        Row("wall-clock-jumps", "nothing happens at all", one("clock-jump", WEB), own_lab=True),
        Row("upgraded", "nothing is noticed", one("upgrade", WEB)),
        Row("two-with-one-name", "the second refuses", one("twin", "n1")),
        Row("start-fails", "it comes up on a third", one("switch-refused", WEB, times=2)),
        Row("start-hangs", "given up in time, started elsewhere", one("switch-hangs", DB), in_check=False),
        *[
            row
            for what in ("descriptors", "processes", "memory")
            for row in (
                Row(f"{what}-spent", "the application goes on, or comes back", one(f"no-{what}", WEB, 1.0, 3.0),
                    in_check=False),
                Row(f"{what}-spent-and-the-application-killed", "no overlap, and it is back",
                    under(f"no-{what}", WEB, 1.0, 3.0, "app-kill", WEB, 0.5), in_check=False),
                Row(f"{what}-spent-and-cut-off", "the guard meets its deadline",
                    under(f"no-{what}", WEB, 1.0, 3.0, "cut", WEB, 0.5), in_check=False),
            )
        ],
        Row("etcd-upgraded", "nothing stops", one("etcd-upgrade", "n1"), in_check=False, own_lab=True),
        Row("starved", "the guard meets its deadline", one("starve", WEB, 1.0, 3.0), in_check=False),
        Row("cut-off-while-it-is-given-over", "no overlap", under("cut", WEB, 1.0, 3.0, "giveover", WEB, 0.2),
            in_check=False),
        Row("stop-hangs-while-cut-off", "no overlap", under("cut", DB, 1.0, 3.0, "switch-deaf", DB, 0.1),
            in_check=False),
        Row("node-frozen-and-woken", "the old application is dead 0.1 s after (measured, not promised)",
            one("node-freeze", WEB, 1.01, 2.0, times=3), in_check=False),
        Row("runner-and-guard-killed", "not promised: how long both run is measured",
            one("runner-and-guard", WEB, 1.01, 4.0), in_check=False),
    )
}  # fmt: skip
