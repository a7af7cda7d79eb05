"""Three nodes under faults: never two masters at once, tokens only rise, and each group is back within its bound.

A part of the table of engines.md 7, row by row, and a minute of random faults; all rows and the long run are behind
`python -m tests.system.cluster` (`--list` says which are which).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.cluster import faults
from tests.system.cluster.lab import ClusterLab, workplace
from tests.system.cluster.rows import ROWS
from tests.system.cluster.trial import Trial, told
from tests.system.lab import install

LIFETIME = 5.0
SEED = 20261122
SHORT_ONES = (
    "runner-kill", "runner-pause", "app-kill", "app-pause", "etcd-kill", "etcd-pause", "cut-short", "switch",
    "giveover", "runner-term", "evacuate", "cut", "guard-kill",
)  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[ClusterLab]:
    """One cluster for all rows: what one leaves behind, the next must bear."""
    install("etcd")
    where = workplace()
    try:
        with ClusterLab(where, f"test{os.getpid()}", LIFETIME) as made:
            yield made
    finally:
        shutil.rmtree(where, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if row.in_check and not row.own_lab])
def test_a_row_of_the_table(lab: ClusterLab, name: str) -> None:
    check(lab, ROWS[name].steps(LIFETIME), name)


@pytest.mark.slow
def test_a_minute_of_random_faults(lab: ClusterLab) -> None:
    check(lab, faults.schedule(SEED, 12, LIFETIME, SHORT_ONES, longest=4.0), f"seed {SEED}")


@pytest.mark.slow
def test_wall_clocks_that_jump_are_not_noticed() -> None:
    install("etcd", "clocks")
    where = workplace()
    try:
        with ClusterLab(where, f"clocks{os.getpid()}", LIFETIME, clocks=True) as made:
            check(made, ROWS["wall-clock-jumps"].steps(LIFETIME), "wall-clock-jumps")
    finally:
        shutil.rmtree(where, ignore_errors=True)


@pytest.mark.slow
def test_a_runner_without_a_guard_is_found_out() -> None:
    where = workplace()
    try:
        with ClusterLab(where, f"naive{os.getpid()}", LIFETIME, naive=True) as made:
            trial = Trial(made)
            trial.run(ROWS["runner-stopped"].steps(LIFETIME))
        assert {"two masters", "older token"} <= {v.rule for v in trial.violations}
    finally:
        shutil.rmtree(where, ignore_errors=True)


def check(lab: ClusterLab, steps: list[faults.Step], name: str) -> None:
    """Carry them out; nothing may be violated. What was written is kept for a look, when something was."""
    trial = Trial(lab)
    wrong: list[str] = []
    try:
        trial.run(steps)
    except AssertionError as stuck:
        wrong.append(str(stuck))
    wrong += dict.fromkeys(told(v) for v in [*trial.violations, *trial.over_all()])
    wrong += [f"refused: {done.refused}" for done in trial.done if done.refused and len(steps) == 1]
    if wrong:
        kept = lab.keep(Path(tempfile.mkdtemp(prefix="gds-cluster-kept-")), ("violations", "\n".join(wrong)))
        raise AssertionError("\n".join([f"{name}: logs are in {kept}", *wrong]))
