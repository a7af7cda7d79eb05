"""The monitor of the monitor. Sun: semantics.md 2.8, 4.4 (Monitor_retry_count), 10.1 (MONITOR_FAILED).

A probe that the machine would not let us start (no descriptor, no process) says nothing about the application, so it
is no score. Such failures are counted within monitor_retry_interval; one more than monitor_retry_count, and the
resource is MONITOR_FAILED: no longer probed, its deaths still count. A negative monitor_retry_count has no limit.
"""

from __future__ import annotations

from gds.fault.score import Outcome, said_of
from gds.model.value import Value
from gds.model.window import MOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.resource import Resource
    from gds.model.window import Window


class Tried(Value):
    """`failures` to be remembered; `failed`: it is MONITOR_FAILED now, and why."""

    failures: Window
    failed: bool
    because: str


def could_not(message: str) -> str:
    """What is said of it."""
    return said_of(Outcome("unable", 0, message))


def unable(failures: Window, message: str, resource: Resource, now: float) -> Tried:
    """The probe could not be run once more; `message` says why."""
    span = resource.monitor_retry_interval
    failures = failures.within(span, now).add(now, most=max(MOST, resource.monitor_retry_count + 1))
    said = could_not(message)
    times = len(failures.marks)
    if 0 <= resource.monitor_retry_count < times:
        return Tried(failures, True, f"MONITOR_FAILED: {times} times within {span:g} s {said}")
    return Tried(failures, False, said)
