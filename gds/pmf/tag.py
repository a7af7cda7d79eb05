"""The life of a nametag: one table. Sun: semantics.md 4; pmfadm(1M).

Rules
- The end of the last watched process is one *failure*, whatever the exit status was (4.1 rules 3 and 4; surprise 1).
- Failures older than `period` do not count. As long as no more than `retries` of them are in the window, this one
  included, the command is started again; so it is started at most 1 + `retries` times in the window (rules 5, 8, 9).
- Then the action program runs, when there is one (rules 6, 7). Exit 0: the command is started anew, as at first, so
  the history begins anew too (Sun's page: "started over again with the original options"). Any other end, or no
  action program: the nametag goes.
- -s (`StopAsked`) takes nothing away but the next start: the tag lives until its last process has ended (surprise 2).
  That holds for the processes of an action program that failed, too.
- -m (`Modified`) changes retries and period, and forgets the failures.
- Actions that succeed start the command at most once a minute: the next one waits (rule 11).
- A command that cannot be executed at its very first start makes no tag. Later that is a failure as any other; with
  unlimited retries it waits a second each time, because nothing else would end that circle. (Ours; Sun is silent.)

Every pair of life and event is in exactly one of TABLE, BUDGETED and IGNORED; a test walks the cross product. `step`
looks up the next life; BUDGETED are the three that depend on more: on the window, or on the last minute.

Knows no processes: which of them are watched is `pmf/family.py`. Instants and spans are seconds of one monotonic clock.
"""

from __future__ import annotations

from enum import StrEnum

from gds.model import window
from gds.model.value import Value
from gds.model.window import Window

UNLIMITED = -1
"""`retries`: no limit."""
FOR_EVER = -1.0
"""`period`: failures never expire."""
MOST_RETRIES = 100
"""Sun's maximum of -n."""
THROTTLE = 60.0
"""Seconds between two starts that action programs caused (rule 11)."""
UNSTARTABLE = 1.0
"""Seconds before the next try of a command without limit that could not be started."""


class Life(StrEnum):
    """What PMF is doing with a tag."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    ACTING = "ACTING"
    WAITING = "WAITING"
    LEAVING = "LEAVING"
    GONE = "GONE"


# -- facts in ---------------------------------------------------------------------------------------------------------


class Started(Value):
    """The command runs."""


class StartFailed(Value):
    """The command could not be started."""

    why: str


class Emptied(Value):
    """The last watched process of what ran (command or action program) is gone."""

    how: str


class ActionSucceeded(Value):
    """The action program exited with status 0."""


class ActionFailed(Value):
    """The action program ended in any other way, or could not be run."""

    how: str


class StopAsked(Value):
    """pmfadm -s, or the end of the runner."""

    because: str


class Modified(Value):
    """pmfadm -m; None = as it was."""

    because: str
    retries: int | None = None
    period: float | None = None


class PauseOver(Value):
    """The pause before a start has passed."""


# -- orders out -------------------------------------------------------------------------------------------------------


class Start(Value):
    """Start the command."""

    because: str


class RunAction(Value):
    """Run the action program."""

    because: str


class Pause(Value):
    """Tell `PauseOver` in so many seconds."""

    seconds: float


class CancelPause(Value):
    """The pause no longer matters."""


class Remove(Value):
    """The nametag does not exist any more."""

    because: str


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Event: TypeAlias = (
        Started | StartFailed | Emptied | ActionSucceeded | ActionFailed | StopAsked | Modified | PauseOver
    )
    Order: TypeAlias = Start | RunAction | Pause | CancelPause | Remove

EVENTS: tuple[type[Value], ...] = (
    Started,
    StartFailed,
    Emptied,
    ActionSucceeded,
    ActionFailed,
    StopAsked,
    Modified,
    PauseOver,
)


# -- the table --------------------------------------------------------------------------------------------------------

_L = Life
TABLE: dict[tuple[Life, type[Value]], Life] = {
    (_L.STARTING, Started): _L.RUNNING,
    (_L.STARTING, StopAsked): _L.LEAVING,
    (_L.RUNNING, StopAsked): _L.LEAVING,
    (_L.ACTING, StopAsked): _L.LEAVING,
    (_L.ACTING, ActionFailed): _L.LEAVING,
    (_L.WAITING, StopAsked): _L.GONE,
    (_L.WAITING, PauseOver): _L.STARTING,
    (_L.LEAVING, StartFailed): _L.GONE,
    (_L.LEAVING, Emptied): _L.GONE,
    **{(life, Modified): life for life in Life if life is not _L.GONE},
}

BUDGETED = frozenset(((_L.STARTING, StartFailed), (_L.RUNNING, Emptied), (_L.ACTING, ActionSucceeded)))
"""The pairs `step` decides by more than the table."""

_OVER = "news of something that is over"
IGNORED: dict[tuple[Life, type[Value]], str] = {
    **{(life, Started): _OVER for life in Life if life not in (_L.STARTING, _L.LEAVING)},
    (_L.LEAVING, Started): "it was asked to stop meanwhile: nothing is started after it",
    **{(life, StartFailed): _OVER for life in Life if life not in (_L.STARTING, _L.LEAVING)},
    **{(life, Emptied): _OVER for life in (_L.STARTING, _L.WAITING, _L.GONE)},
    (_L.ACTING, Emptied): "the exit status of the action program decides",
    **{
        (life, kind): _OVER
        for kind in (ActionSucceeded, ActionFailed)
        for life in Life
        if life not in (_L.ACTING, _L.LEAVING)
    },
    (_L.LEAVING, ActionSucceeded): "it was asked to stop meanwhile: nothing is started any more",
    (_L.LEAVING, ActionFailed): "it leaves already, with the last process",
    (_L.LEAVING, StopAsked): "it is so already",
    (_L.GONE, StopAsked): _OVER,
    (_L.GONE, Modified): _OVER,
    **{(life, PauseOver): _OVER for life in Life if life is not _L.WAITING},
}


class TagView(Value):
    """What PMF knows of a tag. `because` is the reason of its life, in one sentence.

    `failures` is empty while `retries` is unlimited: nobody asks. `failed` counts all there ever were. `acted` is the
    instant of the last start that an action program caused, None before the first.
    """

    nametag: str
    retries: int = 0
    period: float = FOR_EVER
    has_action: bool = False
    life: Life = Life.STARTING
    because: str = ""
    failures: Window = window.EMPTY
    failed: int = 0
    acted: float | None = None
    ever_ran: bool = False

    @property
    def span(self) -> float:
        """Seconds that a failure counts."""
        return float("inf") if self.period < 0 else self.period

    def used(self, now: float) -> int:
        """Retries used up in the window."""
        return self.failures.count(self.span, now)


class Step(Value):
    """What `step` returns: the view from now on, what to do, and the reason ("" when nothing was decided)."""

    view: TagView
    orders: tuple[Order, ...] = ()
    because: str = ""
    ignored: str = ""


def begin(nametag: str, retries: int, period: float, has_action: bool, because: str) -> Step:
    """pmfadm -c: a new tag, and the order to start its command."""
    view = TagView(nametag, retries, period, has_action, because=because)
    return Step(view, (Start(because),), because)


def step(view: TagView, event: Event, now: float) -> Step:
    """The only door: one fact in, the new view and the orders out."""
    if (view.life, type(event)) in BUDGETED:
        if isinstance(event, StartFailed):
            return _start_failed(view, event.why, now)
        if isinstance(event, Emptied):
            return _failed(view, event.how, now)
        return _start_after_action(view, now)
    after = TABLE.get((view.life, type(event)))
    if after is None:
        return Step(view, ignored=IGNORED[view.life, type(event)])
    if isinstance(event, Modified):
        return _modified(view, event)
    because = _reason(view, event)
    moved = view.replace(life=after, because=because, ever_ran=view.ever_ran or isinstance(event, Started))
    return Step(moved, _orders(view, moved), because)


def _reason(view: TagView, event: Event) -> str:
    if isinstance(event, StopAsked):
        return event.because
    if isinstance(event, ActionFailed):
        return f"action program failed: {event.how}"
    if isinstance(event, StartFailed):
        return f"{view.because}; {event.why}"
    if isinstance(event, Emptied):
        return f"{view.because}; the last process ended ({event.how})"
    return view.because


def _orders(before: TagView, after: TagView) -> tuple[Order, ...]:
    if after.life is Life.GONE:
        remove = Remove(after.because)
        return (CancelPause(), remove) if before.life is Life.WAITING else (remove,)
    return (Start(after.because),) if after.life is Life.STARTING else ()


def _modified(view: TagView, event: Modified) -> Step:
    changed = view.replace(
        retries=view.retries if event.retries is None else event.retries,
        period=view.period if event.period is None else event.period,
        failures=window.EMPTY,
    )
    return Step(changed, (), event.because)


def _start_failed(view: TagView, why: str, now: float) -> Step:
    if not view.ever_ran:
        return Step(view.replace(life=Life.GONE, because=why), (Remove(why),), why)
    return _failed(view, why, now, UNSTARTABLE)


def _failed(view: TagView, how: str, now: float, pause: float = 0.0) -> Step:
    """One failure more. `pause`: seconds before the next start, where there is no limit."""
    view = view.replace(failed=view.failed + 1)
    if view.retries == UNLIMITED:
        because = f"restart {view.failed} (no limit): {how}"
        if pause:
            return Step(view.replace(life=Life.WAITING, because=because), (Pause(pause),), because)
        return _start(view, because)
    failures = view.failures.within(view.span, now).add(now)
    view = view.replace(failures=failures)
    within = "" if view.period < 0 else f" within {view.period / 60:g} min"
    if len(failures.marks) <= view.retries:
        return _start(view, f"restart {len(failures.marks)} of {view.retries}{within}: {how}")
    allowed = "1 restart" if view.retries == 1 else f"{view.retries} restarts"
    spent = f"{how}; the budget of {allowed}{within} is spent" if view.retries else f"{how}; no retries"
    if view.has_action:
        because = f"{spent}: action program"
        return Step(view.replace(life=Life.ACTING, because=because), (RunAction(because),), because)
    because = f"{spent}: not restarted"
    return Step(view.replace(life=Life.GONE, because=because), (Remove(because),), because)


def _start(view: TagView, because: str) -> Step:
    return Step(view.replace(life=Life.STARTING, because=because), (Start(because),), because)


def _start_after_action(view: TagView, now: float) -> Step:
    because = "the action program exited with status 0: started anew"
    pause = 0.0 if view.acted is None else view.acted + THROTTLE - now
    view = view.replace(failures=window.EMPTY, acted=now + max(0.0, pause))
    if pause <= 0:
        return _start(view, because)
    because = f"{because}, in {pause:.0f} s because it restarts too often"
    return Step(view.replace(life=Life.WAITING, because=because), (Pause(pause),), because)
