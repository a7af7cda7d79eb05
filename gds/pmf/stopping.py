"""The stop schedule: 80 / 15 / 5. What to do next, and when; Sun: semantics.md 2.5.

Without stop_command: the signal to the whole tree, up to 80 % of the time; SIGKILL only if somebody is left, up to
15 %; the last 5 % is the machinery's own, so a stop that has not ended by 95 % has failed.
With stop_command: it gets 80 % and is killed then; whatever came of it, SIGKILL follows *in every case* to what is
left (surprise 4), and again after 80 % of the 15 %; failure after 95 % of them.

Instants are seconds since the step before the schedule began. Knows no processes: "somebody is left" is a fact.
"""

from __future__ import annotations

from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gds.model.resource import Resource


class Step(Value):
    """`after` seconds: do `act` (signal, kill, fail), if somebody is left then."""

    after: float
    act: str
    signal: int = 0


def command_limit(stop_timeout: float) -> float:
    """Seconds that stop_command may take."""
    return stop_timeout * 0.80


def by_signal(stop_signal: int, stop_timeout: float) -> tuple[Step, ...]:
    """The schedule without stop_command."""
    return (
        Step(0.0, "signal", stop_signal),
        Step(stop_timeout * 0.80, "kill"),
        Step(stop_timeout * 0.95, "fail"),
    )


def after_command(stop_timeout: float) -> tuple[Step, ...]:
    """The schedule once stop_command has ended, or was killed."""
    hard = stop_timeout * 0.15
    return (
        Step(0.0, "kill"),
        Step(hard * 0.80, "kill"),
        Step(hard * 0.95, "fail"),
    )


def left_over(pids: Sequence[int], stop_timeout: float) -> str:
    """What is said of processes that survived everything."""
    return f"{_named(pids)} still there after SIGKILL and {stop_timeout:g} s (stop_timeout)"


def killed(pids: Sequence[int], when: str) -> str:
    """What is said of processes that get SIGKILL; `when`: how long they had been asked to end, in words."""
    return f"SIGKILL to {_named(pids)}, still there {when}"


def _named(pids: Sequence[int]) -> str:
    more = f" and {len(pids) - MOST_NAMED} more" if len(pids) > MOST_NAMED else ""
    return f"process{'' if len(pids) == 1 else 'es'} {', '.join(map(str, pids[:MOST_NAMED]))}{more}"


MOST_NAMED = 20


def is_down(resource: Resource, well: bool) -> bool:
    """With no process left that PMF watches: is it stopped? `well`: stop_command ended with 0.

    The status of stop_command counts only where nothing else could tell (pmf_managed = false); surprise 4.
    """
    return well or resource.pmf_managed


def at_once() -> tuple[Step, ...]:
    """A second TERM to the runner: no more asking."""
    return (Step(0.0, "kill"), Step(5.0, "fail"))
