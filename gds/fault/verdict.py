"""The fault monitor's judgement: one score in, one verdict out. Sun: semantics.md 5 (scds_fm_action, scds_fm_sleep).

Rules, in this order:
1. Failures and restarts older than retry_interval are dropped.
2. Score 0: healthy, whatever was before; nothing is forgotten but by age.
3. Score 201: giveover at once, no restart first; muted by failover_enabled = false, RESTART_ONLY, LOG_ONLY.
4. Else the score joins the others. Below 100 together: watch.
5. 100 or more is one complete failure. Fewer than retry_count restarts in the window: restart, which is counted
   there and then. Otherwise giveover, or leave alone where the properties forbid to move it.
6. A restart that succeeded empties the scores. A giveover, granted or refused, empties both windows.
A negative retry_count has no limit; LOG_ONLY never restarts. A death is a score of 100: the judge does not know a probe
from a death. It knows neither groups nor processes, and never asks for the time.
"""

from __future__ import annotations

from gds.fault.history import FRESH, MonitorState
from gds.fault.score import COMPLETE_FAILURE, IMMEDIATE_FAILOVER, Score
from gds.model.resource import Resource
from gds.model.state import FailoverMode
from gds.model.value import Value
from gds.model.window import EMPTY, MOST


class Healthy(Value):
    """Nothing to do."""


class Watch(Value):
    """Not well, not yet bad enough."""

    because: str


class Restart(Value):
    """Stop and start it here; `number` of `limit` within the window (limit -1: no limit)."""

    because: str
    number: int
    limit: int
    cause: str


class Giveover(Value):
    """Ask that it run elsewhere."""

    because: str


class LeaveAlone(Value):
    """Past its budget, and its properties forbid both; it is FAULTED and stays as it is."""

    because: str


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Verdict: TypeAlias = Healthy | Watch | Restart | Giveover | LeaveAlone


def judge(
    state: MonitorState, score: Score, resource: Resource, now: float, suspended: str = ""
) -> tuple[MonitorState, Verdict]:
    """The verdict on `score`, and what is remembered from now on. `suspended`: why nothing may be recovered by itself
    (Suspend_automatic_recovery): then no restart is done, nor counted."""
    span = resource.retry_interval
    scores, restarts = state.scores.within(span, now), state.restarts.within(span, now)
    timeouts = state.timeouts + 1 if score.timed_out else 0
    if scores is not state.scores or restarts is not state.restarts or timeouts != state.timeouts:
        state = MonitorState(scores, restarts, timeouts)  # else the same one: nothing has to be kept anew
    if score.points == 0:
        return state, Healthy()
    if score.points == IMMEDIATE_FAILOVER:
        refusal = suspended or _may_not_move(resource)
        if refusal:
            return state, LeaveAlone(f"{score.because}: giveover asked for at once, but {refusal}")
        return state, Giveover(f"giveover: {score.because}")
    state = state.replace(scores=state.scores.add(now, score.points))
    total = state.scores.total(span, now)
    if total < COMPLETE_FAILURE:
        return state, Watch(f"{total} of 100 within {span:g} s: {score.because}")
    cause = score.because if score.points >= COMPLETE_FAILURE else f"failures add up to {total}: {score.because}"
    if suspended:
        return state, LeaveAlone(f"left alone, {suspended}: {cause}")
    return _complete_failure(state, cause, resource, now)


def _complete_failure(state: MonitorState, cause: str, resource: Resource, now: float) -> tuple[MonitorState, Verdict]:
    limit = resource.retry_count
    span = resource.retry_interval
    done = state.restarts.count(span, now)
    if resource.failover_mode is FailoverMode.LOG_ONLY:
        return state, LeaveAlone(f"left alone, failover_mode is LOG_ONLY: {cause}")
    if limit < 0 or done < limit:
        state = state.replace(restarts=state.restarts.add(now, most=max(MOST, limit)))
        of = f" of {limit}" if limit >= 0 else ""
        return state, Restart(f"restart {done + 1}{of} within {span:g} s: {cause}", done + 1, limit, cause)
    spent = f"{done} restart{'' if done == 1 else 's'} within {span:g} s"
    refusal = _may_not_move(resource)
    if refusal:
        return state, LeaveAlone(f"left alone after {spent}, {refusal}: {cause}")
    return state, Giveover(f"giveover: {spent}: {cause}")


def _may_not_move(resource: Resource) -> str:
    if not resource.failover_enabled:
        return "failover_enabled is false"
    if resource.failover_mode in (FailoverMode.RESTART_ONLY, FailoverMode.LOG_ONLY):
        return f"failover_mode is {resource.failover_mode}"
    return ""


def restarted(state: MonitorState) -> MonitorState:
    """A restart succeeded: the scores are forgotten, the budget is not (semantics.md 5.2, 6c)."""
    return state.replace(scores=EMPTY, timeouts=0)


def gave_over() -> MonitorState:
    """A giveover was asked for, granted or not: everything is forgotten (surprises 6 and 7)."""
    return FRESH


def restart_delay(state: MonitorState, resource: Resource, now: float, chance: Callable[[], float]) -> float:
    """Seconds to wait before the restart just judged (design.md 2, "Restart delay").

    The first restart of a window does not wait; the n-th waits restart_delay × 2^(n-2), ± 10 % by `chance` (which is
    asked for a number from 0 to 1), at most restart_delay_max.
    """
    number = state.restarts.count(resource.retry_interval, now)
    if resource.restart_delay <= 0 or number < 2:
        return 0.0
    delay: float = resource.restart_delay * 2.0 ** min(number - 2, 60)
    return min(delay * (0.9 + 0.2 * chance()), resource.restart_delay_max)
