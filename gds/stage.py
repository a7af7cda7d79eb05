"""The stage on which `simulate.py` plays: its clock, its actors, and the course that the script gives Start and Stop.

Pure. What the methods of daemon/generic.py wait for in the world, the script says here; the schedule of a stop and
what shows that a start is done are those of `pmf`. Nothing is decided here.
"""

from __future__ import annotations

from functools import partial
from heapq import heappop, heappush

from gds.fault.history import FRESH, MonitorState
from gds.model.ending import signal_name
from gds.model.window import EMPTY
from gds.pmf import starting, stopping
from gds.rgm.events import (
    PostnetFailed,
    PostnetSucceeded,
    PrenetFailed,
    PrenetSucceeded,
    StartFailed,
    StartSucceeded,
    StopFailed,
    StopSucceeded,
)
from gds.rgm.resource import ResourceView
from gds.script import Decision, Line, Siding, Starting, Stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.model.resource import Resource
    from gds.rgm.events import Event


class Appointment:
    """Something to be done at an instant; `cancel` it when it is no longer wanted."""

    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """Nothing happens at its instant."""
        self.cancelled = True


class Method:
    """A Start or a Stop under way, with its appointments."""

    def __init__(self) -> None:
        self.appointments: list[Appointment] = []

    def cancel(self) -> None:
        """All of them."""
        for each in self.appointments:
            each.cancel()


class Start(Method):
    """`seen`: what the last look at the application said."""

    def __init__(self, seen: str) -> None:
        super().__init__()
        self.seen = seen


class Stop(Method):
    """`commanding`: stop_command has not ended yet."""

    def __init__(self, course: Stopping, commanding: bool) -> None:
        super().__init__()
        self.course = course
        self.commanding = commanding


class Actor:
    """What daemon/app.py is in the runner."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.name = resource.name
        self.view = ResourceView(resource.name)
        self.told = ""
        """The reason that stands in the transcript already."""
        self.history: MonitorState = FRESH
        self.enabled = resource.enabled
        self.monitored = resource.monitored
        self.monitor_failed = False
        self.failures = EMPTY
        self.alive = False
        self.started = 0
        self.start: Start | None = None
        self.stop: Stop | None = None
        self.delay = Appointment(lambda: None)
        self.starts = (Starting(), 0)
        self.stops = (Stopping(), 0)
        self.side: Method | None = None
        """Prenet_start or Postnet_stop under way."""
        self.sides: dict[str, tuple[Siding, int]] = {}

    def next_start(self) -> Starting:
        """The course of the Start that begins now."""
        course, left = self.starts
        if left:
            self.starts = (course, left - 1) if left > 1 else (Starting(), 0)
        return course

    def next_stop(self) -> Stopping:
        """The course of the Stop that begins now."""
        course, left = self.stops
        if left:
            self.stops = (course, left - 1) if left > 1 else (Stopping(), 0)
        return course

    def next_side(self, method: str) -> Siding:
        """The course of the Prenet_start or Postnet_stop that begins now."""
        course, left = self.sides.get(method, (Siding(), 0))
        if left:
            self.sides[method] = (course, left - 1) if left > 1 else (Siding(), 0)
        return course


class Stage:
    """The clock and the methods. What comes of a method is told to `submit`, a death that the script wants in a Start
    to `died`, with the kind of line it makes."""

    def __init__(self, submit: Callable[[Actor, Event], None], died: Callable[[Actor, str, str], None]) -> None:
        self.submit = submit
        self.died = died
        self.now = 0.0
        self.lines: list[Line] = []
        self.decisions: list[Decision] = []
        self._due: list[tuple[float, int, Appointment]] = []
        self._number = 0

    # -- time ---------------------------------------------------------------------------------------------------------

    def next_due(self) -> float | None:
        """The instant of the next appointment."""
        while self._due and self._due[0][2].cancelled:
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def turn(self) -> None:
        """Keep the appointment that `next_due` told of."""
        self.now, _, appointment = heappop(self._due)
        appointment.callback()

    def at(self, when: float, callback: Callable[[], None]) -> Appointment:
        """Call back at the instant `when`; at one instant, first come, first served."""
        made = Appointment(callback)
        self._number += 1
        heappush(self._due, (when, self._number, made))
        return made

    def _in(self, method: Method, seconds: float, callback: Callable[[], None]) -> None:
        method.appointments.append(self.at(self.now + seconds, callback))

    def line(self, actor: Actor, kind: str, text: str) -> None:
        """One line of the transcript."""
        self.said(actor.name, kind, text)

    def said(self, name: str, kind: str, text: str) -> None:
        """The same of a resource or group of that name."""
        self.lines.append(Line(self.now, name, kind, text))

    def decided(self, actor: Actor, said: str, because: str) -> None:
        """One decision."""
        self.decisions.append(Decision(self.now, actor.name, said, because))

    # -- Start --------------------------------------------------------------------------------------------------------

    def run_start(self, actor: Actor) -> None:
        """Start begins."""
        resource, course = actor.resource, actor.next_start()
        evidence = starting.evidence(resource)
        start = actor.start = Start("no READY=1 yet" if evidence == "notify" else "")
        actor.started += 1
        actor.alive = resource.pmf_managed and not course.fails
        self.line(actor, "order", "run Start")
        self._in(start, resource.start_timeout, partial(self._overran, actor, start))
        takes = max(course.takes, 0.0)
        if course.fails:
            self._in(start, takes, partial(self.started, actor, StartFailed(f"Start failed: {course.fails}")))
        elif course.dies:
            self._in(start, takes, partial(self.died, actor, "method", course.dies))
        elif not course.hangs:
            least = resource.start_grace if evidence == "grace" and course.takes < 0 else takes
            self._in(start, least, partial(self.started, actor, StartSucceeded()))

    def _overran(self, actor: Actor, start: Start) -> None:
        self.started(actor, StartFailed(f"Start failed: {starting.overrun(actor.resource, start.seen)}"))

    def started(self, actor: Actor, event: StartSucceeded | StartFailed) -> None:
        """Start ends."""
        self._give_up_start(actor)
        if isinstance(event, StartFailed):
            self.line(actor, "method", event.because)
            actor.told = event.because
        else:
            self.line(actor, "method", "Start is done")
        self.submit(actor, event)

    def _give_up_start(self, actor: Actor) -> None:
        if actor.start is not None:
            actor.start.cancel()
            actor.start = None

    # -- Stop ---------------------------------------------------------------------------------------------------------

    def run_stop(self, actor: Actor) -> None:
        """Stop begins; a Start is given up first. The RGM never orders a second one."""
        self._give_up_start(actor)
        if actor.side is not None:
            actor.side.cancel()
            actor.side = None
        resource, course = actor.resource, actor.next_stop()
        stop = actor.stop = Stop(course, resource.stop_command is not None)
        self.line(actor, "order", "run Stop" if actor.alive else "run Stop, nothing of it is left already")
        if stop.commanding:
            limit = stopping.command_limit(resource.stop_timeout)
            overruns = course.command_hangs or course.command_takes > limit
            said = f"did not end within {limit:g} s" if overruns else course.command
            takes = limit if overruns else course.command_takes
            self._in(stop, takes, partial(self._commanded, actor, stop, said))
        elif actor.alive:
            self._follow(actor, stop, stopping.by_signal(resource.stop_signal, resource.stop_timeout))
        else:
            self._stopped(actor, stop, StopSucceeded())
        if actor.alive and actor.stop is stop and not course.deaf and not course.leaves:
            self._in(stop, course.takes, partial(self._empty, actor, stop))

    def _commanded(self, actor: Actor, stop: Stop, said: str) -> None:
        stop.commanding = False
        self.line(actor, "method", f"stop_command {said or 'ended well'}")
        if actor.alive:
            self._follow(actor, stop, stopping.after_command(actor.resource.stop_timeout))
        elif stopping.is_down(actor.resource, not said):
            self._stopped(actor, stop, StopSucceeded())
        else:
            self._stopped(actor, stop, StopFailed(f"Stop failed: stop_command {said}, and PMF watches nothing of it"))

    def _follow(self, actor: Actor, stop: Stop, steps: tuple[stopping.Step, ...]) -> None:
        self._do(actor, stop, steps[0])  # the first is due at once
        for step in steps[1:]:
            if actor.stop is stop:
                self._in(stop, step.after, partial(self._do, actor, stop, step))

    def _do(self, actor: Actor, stop: Stop, step: stopping.Step) -> None:
        if step.act == "signal":
            self.line(actor, "method", f"{signal_name(step.signal)} to every process")
        elif step.act == "kill":
            self.line(actor, "method", "SIGKILL to every process")
            if not stop.course.leaves:
                self._empty(actor, stop)
        else:
            left = stopping.left_over(stop.course.leaves, actor.resource.stop_timeout)
            self._stopped(actor, stop, StopFailed(f"Stop failed: {left}"))

    def _empty(self, actor: Actor, stop: Stop) -> None:
        actor.alive = False
        self.line(actor, "method", "nothing of it is left")
        self.emptied(actor, stop)

    def emptied(self, actor: Actor, stop: Stop) -> None:
        """The last process is gone. A stop_command that still runs may finish its work."""
        if not stop.commanding:
            self._stopped(actor, stop, StopSucceeded())

    def _stopped(self, actor: Actor, stop: Stop, event: StopSucceeded | StopFailed) -> None:
        actor.stop = None
        stop.cancel()
        if isinstance(event, StopFailed):
            self.line(actor, "method", event.because)
            actor.told = event.because
        self.submit(actor, event)

    # -- Prenet_start and Postnet_stop --------------------------------------------------------------------------------

    def run_side(self, actor: Actor, method: str) -> None:
        """One of them begins."""
        resource, course = actor.resource, actor.next_side(method)
        limit = resource.prenet_start_timeout if method == "Prenet_start" else resource.postnet_stop_timeout
        overruns = course.hangs or course.takes > limit
        said = f"did not end within {limit:g} s" if overruns else course.ended
        side = actor.side = Method()
        self.line(actor, "order", f"run {method}")
        self._in(side, limit if overruns else course.takes, partial(self._sided, actor, method, said))

    def _sided(self, actor: Actor, method: str, said: str) -> None:
        actor.side = None
        before = method == "Prenet_start"
        if not said:
            self.line(actor, "method", f"{method} is done")
            self.submit(actor, PrenetSucceeded() if before else PostnetSucceeded())
            return
        because = f"{method} failed: {method.lower()}_command {said}"
        self.line(actor, "method", because)
        actor.told = because
        self.submit(actor, PrenetFailed(because) if before else PostnetFailed(because))


class Told(Stage):
    """The stage of what was recorded: what comes of a method is told by the script, at its instant."""

    def run_start(self, actor: Actor) -> None:
        """Start begins."""
        actor.started += 1
        actor.alive = actor.resource.pmf_managed
        self.line(actor, "order", "run Start")

    def run_stop(self, actor: Actor) -> None:
        """Stop begins."""
        self.line(actor, "order", "run Stop")

    def run_side(self, actor: Actor, method: str) -> None:
        """One of them begins."""
        self.line(actor, "order", f"run {method}")
