"""May this runner be replaced by new code now? Facts in, a ruling with its reason out.

Rules
- Only a runner at rest is replaced: the way a method has come cannot be handed over, so a Start, Stop or any other
  method but Probe is waited for, and so are the lives that have one before them at once. Probes are asked anew.
- Waiting has a limit, chosen by who asks; after it the upgrade is refused, and nothing was touched (75, as for all
  that is busy).
- A runner that is stopping is not upgraded at all.
- New code that does not understand what it would be handed is refused (1), however long one waits.
"""

from __future__ import annotations

from gds.model.value import Value
from gds.rgm.life import Life

FORMAT = 1
"""The number of what one runner hands to the next. Another number is another language: refused."""

AT_REST = frozenset((Life.OFFLINE, Life.AWAITING, Life.WAITING, Life.ONLINE, Life.START_FAILED, Life.STOP_FAILED))
"""Lives that can be handed over as they are: no method runs, and what they wait for can be told."""

MOST_NAMED = 5


class Moment(Value):
    """What the runner does just now.

    `lives`: resource and life, of those that are not at rest. `methods`: what runs beside lives ("web:Validate"), and
    trees that are neither up nor gone. `tags`: nametags between two states. `asked`: requests that are not answered,
    without the one that asks for this. `stopping`, `reloading`: of the runner as a whole.
    """

    lives: tuple[tuple[str, Life], ...] = ()
    methods: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    asked: int = 0
    stopping: bool = False
    reloading: bool = False


class Now(Value):
    """It may be replaced."""


class Later(Value):
    """Ask again soon: `waits_for` says why, in words."""

    waits_for: str


class Refused(Value):
    """Not now: the runner has a reason that waiting does not change, or the limit is over."""

    because: str


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Ruling: TypeAlias = Now | Later | Refused


def may_upgrade(moment: Moment, waited: float, limit: float) -> Ruling:
    """The ruling, `waited` seconds after it was asked for; `limit` is how long at most."""
    if moment.stopping:
        return Refused("the runner is stopping everything")
    waits_for = _waits_for(moment)
    if not waits_for:
        return Now()
    if waited >= limit:
        return Refused(f"it waits for {waits_for}" + (f", and did so for {limit:g} s" if limit else ""))
    return Later(waits_for)


def understands(theirs: int, ours: int = FORMAT) -> str:
    """Why a runner that reads format `ours` cannot take over from one that hands over `theirs`; "" = it can."""
    if theirs == ours:
        return ""
    return f"it reads what is handed over in format {ours}, and this runner writes format {theirs}"


def _waits_for(moment: Moment) -> str:
    said = [f"{name}, which is {life.value}" for name, life in moment.lives]
    busy = {name for name, _ in moment.lives}
    for method in moment.methods:
        of, colon, what = method.partition(":")
        if not colon:
            said.append(f"{method}, whose processes are being started or ended")
        elif of not in busy:
            said.append(f"{what} of {of}")
    said += [f"nametag {name}, which is being started or ended" for name in moment.tags]
    if moment.reloading:
        said.append("a reload")
    if moment.asked:
        said.append("a request that is not answered yet" if moment.asked == 1 else f"{moment.asked} requests")
    more = f" and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else ""
    return ", ".join(said[:MOST_NAMED]) + more
