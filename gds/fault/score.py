"""Score: what a probe's outcome, or the death of the tree, is worth: 0 fine … 100 complete failure, 201 fail over now.

Sun: semantics.md 2.6; the numbers where Sun was silent: design.md 2 ("Probe statuses"). Does not know histories.
"""

from __future__ import annotations

from gds.model.ending import signal_name
from gds.model.resource import Probe, Resource
from gds.model.value import Value

COMPLETE_FAILURE = 100
IMMEDIATE_FAILOVER = 201
PARTIAL_TIMEOUT = 50


class Outcome(Value):
    """What came of one probe. `kind`:

    exit     the command ended with status `code`
    signal   the command was killed by signal `code`
    timeout  no answer within probe_timeout
    cannot   the command cannot be executed at all
    ok, refused, disconnect, status, error   a built-in probe's answer
    """

    kind: str
    code: int = 0
    message: str = ""
    seconds: float = 0.0


SAID = {
    "timeout": "the probe was not answered in time",
    "cannot": "the probe cannot be executed",
    "unable": "the probe could not be run",
    "ok": "the probe was answered well",
    "refused": "the probe found nobody listening",
    "disconnect": "the probe was answered, but not ended well",
    "status": "the probe got a status it did not expect",
    "error": "the probe failed",
}
"""The outcomes that need no number, in words; "unable" is for the monitor of the monitor (unable.py)."""


class Score(Value):
    """`points` 0..100 or 201, and in words what was seen. `timed_out`: counts towards num_probe_timeouts."""

    points: int
    because: str
    timed_out: bool = False


def of_probe(outcome: Outcome, resource: Resource, timeouts: int) -> Score:
    """The score of a probe, when the `timeouts` probes before it ran into their limit, in a row."""
    builtin = resource.probe if resource.probe_command is None else None
    if outcome.kind == "timeout":
        return _timeout(resource, builtin, timeouts)
    if outcome.kind == "exit":
        points = _exit_points(outcome.code, resource)
        return Score(points, f"the probe exited with status {outcome.code}")
    if outcome.kind == "signal":
        return Score(COMPLETE_FAILURE, f"the probe was killed by {signal_name(outcome.code)}")
    if outcome.kind == "cannot":
        return Score(COMPLETE_FAILURE, said_of(outcome))
    if outcome.kind == "ok":
        return Score(0, outcome.message)
    settings = builtin or _PLAIN
    points = {
        "refused": settings.refused_score,
        "disconnect": settings.disconnect_score,
        "status": settings.status_score,
        "error": settings.error_score,
    }[outcome.kind]
    return Score(points, outcome.message or SAID[outcome.kind])


def said_of(outcome: Outcome) -> str:
    """What came of the probe, in words, with what it said itself."""
    said = SAID[outcome.kind]
    return f"{said}: {outcome.message}" if outcome.message else said


_PLAIN = Probe("tcp", "")


def _timeout(resource: Resource, builtin: Probe | None, timeouts: int) -> Score:
    said = f"the probe gave no answer within {resource.probe_timeout:g} s"
    if timeouts + 1 >= resource.num_probe_timeouts:
        row = f", {timeouts + 1} times in a row" if timeouts else ""
        return Score(COMPLETE_FAILURE, said + row, timed_out=True)
    return Score(builtin.timeout_score if builtin else PARTIAL_TIMEOUT, said, timed_out=True)


def _exit_points(code: int, resource: Resource) -> int:
    if resource.exit_map is not None:
        for status, points in resource.exit_map.pairs:
            if status == code:
                return points
        return resource.exit_map.other
    if code <= COMPLETE_FAILURE or code == IMMEDIATE_FAILOVER:
        return code
    return COMPLETE_FAILURE


def of_silence(resource: Resource, seconds: float) -> Score:
    """An application that has to say WATCHDOG=1 said nothing for so long."""
    points = resource.probe.timeout_score if resource.probe is not None else COMPLETE_FAILURE
    return Score(points, f"no WATCHDOG=1 for {seconds:.3g} s")


def of_death(how: str) -> Score:
    """The last process of the tree ended (surprise 1: whatever its exit status)."""
    return Score(COMPLETE_FAILURE, f"the last process of the tree ended ({how})")
