"""The long run, the rows, the measurements: see `python -m tests.system.cluster --help`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.system.cluster import checker, faults, tables
from tests.system.cluster.checker import SECOND
from tests.system.cluster.lab import ClusterLab, workplace
from tests.system.cluster.rows import ROWS
from tests.system.cluster.trial import Stuck, Trial, told
from tests.system.lab import install

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.cluster.faults import Step
    from tests.system.cluster.trial import Done

STUCK_AT_MOST = 5
"""So often a run begins anew with a fresh cluster and the faults that are left."""


def main(argv: list[str]) -> int:
    """Exit status 0: nothing was violated."""
    typed = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit("ended by TERM"))  # the lab is taken down on the way
    seed = typed.seed if typed.seed is not None else int.from_bytes(os.urandom(3), "big")
    if typed.list:
        for row in ROWS.values():
            print(f"{row.name:36} {'check' if row.in_check else '--rows':8} {row.must}")
        return 0
    install("etcd", "clocks")
    if typed.measure:
        return measure(typed)
    parts: list[tuple[list[Step], bool]] = []
    if typed.rows is not None:
        chosen = [ROWS[name] for name in typed.rows or ROWS]
        alone = [[row] for row in chosen if row.own_lab]
        for rows in filter(None, [[row for row in chosen if not row.own_lab], *alone]):
            steps = [s for row in rows for s in row.steps(typed.lifetime)]
            parts.append(([s._replace(number=n) for n, s in enumerate(steps, 1)], rows[0].own_lab))
    else:
        only = tuple(filter(None, typed.only.split(",")))
        parts.append((faults.schedule(seed, typed.faults, typed.lifetime, only, typed.longest)[typed.skip :], False))
        print(f"seed {seed}, lifetime {typed.lifetime:g} s, {typed.faults} faults", flush=True)
    done: list[Done] = []
    wrong: list[str] = []
    for steps, clocks in parts:
        run(steps, clocks, typed, seed, done, wrong)
    print(f"\n{tables.summary(done)}")
    for text in wrong:
        print(f"VIOLATION {text}")
    print(f"{len(wrong)} violations in {sum(1 + bool(d.step.beside) for d in done)} faults; seed {seed}")
    return 1 if wrong else 0


def parser() -> argparse.ArgumentParser:
    """Options."""
    made = argparse.ArgumentParser(prog="python -m tests.system.cluster")
    made.add_argument("--faults", type=int, default=500)
    made.add_argument("--seed", type=int, help="what the schedule is made from (chosen and printed)")
    made.add_argument("--lifetime", type=float, default=5.0, help="L, seconds (5)")
    made.add_argument("--only", default="", metavar="KIND,...", help=", ".join(faults.KINDS))
    made.add_argument("--longest", type=float, default=1e9, help="no fault lasts longer, seconds")
    made.add_argument("--skip", type=int, default=0, help="leave out so many steps of the schedule")
    made.add_argument("--first", action="store_true", help="stop at the first violation")
    made.add_argument("--rows", nargs="*", metavar="ROW", help="the table's rows instead of a schedule (all)")
    made.add_argument("--list", action="store_true", help="the table's rows, and which of them run in the check")
    made.add_argument("--measure", type=int, nargs="?", const=30, default=0, metavar="N", help="failover times, N each")
    made.add_argument("--naive", action="store_true", help="a runner that is wrong on purpose: must be found out")
    made.add_argument("--name", default="faults", help="of the lab: several may run at once")
    made.add_argument("--keep", default=tempfile.gettempdir(), help="where logs of a failed run are kept")
    return made


def run(
    steps: Sequence[Step], clocks: bool, typed: argparse.Namespace, seed: int, done: list[Done], wrong: list[str]
) -> None:
    """All steps, into what was `done`, and every violation in words. Logs of a part that went wrong are kept."""
    left = list(steps)
    part = 0
    while left and part <= STUCK_AT_MOST and not (typed.first and wrong):
        part += 1
        where = workplace()
        try:
            with ClusterLab(where, typed.name, typed.lifetime, naive=typed.naive, clocks=clocks) as lab:
                trial = Trial(lab, lambda text: print(text, flush=True))
                found = one_part(trial, left, typed.first)
                if found:
                    kept = Path(tempfile.mkdtemp(prefix=f"gds-cluster-{seed}-", dir=typed.keep))
                    lab.keep(kept, ("violations", "\n".join(found) + "\n"), ("faults", _listed(trial)))
                    print(f"logs are kept in {kept}", flush=True)
            done += trial.done
            wrong += found
        finally:
            shutil.rmtree(where, ignore_errors=True)


def one_part(trial: Trial, left: list[Step], first: bool) -> list[str]:
    """Until all is done, or it is stuck; takes what was begun out of `left`."""
    stuck = []
    try:
        trial.settle()
        while left:
            step = left.pop(0)
            trial.lab.sleep(step.wait)
            if trial.carry_out(step).violations and first:
                break
    except Stuck as why:
        stuck.append(f"stuck: {why}")
        print(f"  VIOLATION {stuck[0]}", flush=True)
    # what a step showed, the whole log shows again
    return list(dict.fromkeys([*(told(v) for v in [*trial.violations, *trial.over_all()]), *stuck]))


def _listed(trial: Trial) -> str:
    return "".join(f"{f}\n" for f in trial.faults)


# -- measurements -----------------------------------------------------------------------------------------------------


def measure(typed: argparse.Namespace) -> int:
    """Failover times, as a table."""
    where = workplace()
    asked = (
        ("application killed, started again on the spot", "app-kill", "master of web", 0.0, "no delay but its start"),
        ("giveover", "giveover", "master of web", 0.0, "a stop, a hand-over, a start"),
        ("switch", "switch", "master of db", 0.0, "a stop, a hand-over, a start"),
        ("runner killed", "runner-kill", "master of web", 0.0, "the application goes on"),
        ("node crashed", "node-crash", "master of web", typed.lifetime + 1, _floor(typed.lifetime)),
        ("node cut off, until it beats elsewhere", "cut", "master of web", typed.lifetime + 1, _floor(typed.lifetime)),
    )
    rows = []
    try:
        with ClusterLab(where, typed.name, typed.lifetime, retry_count=1_000_000) as lab:
            trial = Trial(lab, lambda text: print(text, file=sys.stderr, flush=True))
            trial.settle()
            for what, kind, role, seconds, beside in asked:
                if typed.only and kind not in typed.only.split(","):
                    continue
                times = [t for n in range(typed.measure) if (t := _time_of(trial, n, kind, role, seconds)) is not None]
                rows.append((what, times, beside))
            wrong = list(dict.fromkeys(told(v) for v in [*trial.violations, *trial.over_all()]))
    finally:
        shutil.rmtree(where, ignore_errors=True)
    print(tables.measured(rows))
    for text in wrong:
        print(f"VIOLATION {text}")
    return 1 if wrong else 0


def _floor(lifetime: float) -> str:
    return f"floor 1.01 x {lifetime:g} s less the age of the last renewal (0 to 1 s), and a start"


def _time_of(trial: Trial, number: int, kind: str, role: str, seconds: float) -> float | None:
    """Seconds without service; for a node cut off: from the cut to the first beat elsewhere."""
    if kind == "giveover":
        trial.lab.sleep(3.5)  # pingpong_interval: else nobody is left to take it
    done = trial.carry_out(faults.Step(number + 1, 0.0, kind, role, seconds))
    if done.refused:
        return None
    fault, group = trial.faults[-1], role.removeprefix("master of ")
    beats = [b for b in trial.lab.beats() if b.at > fault.began - SECOND and b.group == group]
    lives = sorted(checker.instances(beats), key=lambda life: life.first)
    new = [life for life in lives if life.first > fault.began]
    if not new:
        # the same instance went on: the longest stretch between two beats
        return max(o.seconds for o in checker.outages(beats, group, 0))
    if kind == "cut":
        return (new[0].first - fault.began) / SECOND
    return (new[0].first - max(life.last for life in lives if life.first < new[0].first)) / SECOND


if __name__ == "__main__":
    began = time.monotonic()
    code = main(sys.argv[1:])
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
