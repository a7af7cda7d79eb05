"""Descriptors, and scenarios beside them, for verbs that only look at them: there is a plan, or every fault is told."""

from __future__ import annotations

import sys

from gds.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.config.load import Loaded, Problem
    from gds.model.resource import Plan


def plan_of(paths: list[str], deed: str) -> Plan:
    """What the descriptors say. Raises ConfigError, when their faults are told: `deed` cannot be done."""
    loaded = _loaded(paths)
    if loaded.plan is None:
        raise _told(loaded.problems, f"cannot {deed}: correct the descriptors first")
    return loaded.plan


def plan_to_play(paths: list[str]) -> Plan | None:
    """What the descriptors beside a scenario say, None without one. Raises ConfigError, when their faults are told."""
    if not paths:
        return None
    loaded = _loaded(paths)
    if loaded.plan is None:
        raise unplayable(loaded.problems)
    return loaded.plan


def unplayable(problems: tuple[Problem, ...]) -> ConfigError:
    """These are told; what there is to raise."""
    return _told(problems, f"cannot simulate: {len(problems)} error{'' if len(problems) == 1 else 's'}")


def _loaded(paths: list[str]) -> Loaded:
    from gds.config.load import load

    # whether commands exist here is of no account: the descriptors may be another machine's
    return load(paths, can_abort=True, look=False)


def _told(problems: tuple[Problem, ...], sentence: str) -> ConfigError:
    for problem in problems:
        print(problem, file=sys.stderr)
    return ConfigError(sentence)
