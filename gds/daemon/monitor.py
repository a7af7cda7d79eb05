"""The fault monitor's driver: waits, asks, hands the score to the judge, passes the verdict on as a request.

One timer for each probed resource, none for the others. Facts emitted: RestartJudged, GiveoverAsked, LeftAlone.
Probes run side by side, at most one for each resource, at most `MOST_AT_ONCE` together; their first turns are spread
over the interval by the resource's rank, so that a thousand do not fire together (design.md 5).

A probe that the machine would not let us start goes to the monitor of the monitor (fault/unable.py).
"""

from __future__ import annotations

from collections import deque

from gds import seam
from gds.fault import score, unable, verdict
from gds.fault.score import Outcome
from gds.model.window import EMPTY
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.daemon.app import App
    from gds.daemon.fed import Result
    from gds.daemon.rgmd import Rgmd
    from gds.fault.score import Score
    from gds.ports import Callback

MOST_AT_ONCE = 128


class Monitor:
    """See the module."""

    def __init__(self, rgmd: Rgmd) -> None:
        self._rgmd = rgmd
        self._asking = 0
        self._queue: deque[tuple[App, Callable[[Outcome], None]]] = deque()
        self._given_up: dict[str, Callback] = {}

    # -- the life of a monitor ----------------------------------------------------------------------------------------

    def begin(self, app: App, restarted: bool) -> None:
        """It is up."""
        if restarted:
            app.forgive(verdict.restarted(app.history), self._rgmd.loop.now())
        app.monitor_failed = False
        app.monitor_failures = None
        app.watchdog_at = self._rgmd.loop.now()
        self._schedule(app, first=True)

    def go_on(self, app: App, due: float | None) -> None:
        """As the runner before us in this process left it: the next probe at the instant `due`, None = no probe."""
        if due is not None:
            app.probe_timer = self._rgmd.loop.at(due, lambda: self._due(app))

    def end(self, app: App) -> None:
        """No probe from now on; one under way is killed."""
        if app.probe_timer is not None:
            app.probe_timer.cancel()
            app.probe_timer = None
        if app.probing is not None:
            app.probing.cancel()
            app.probing = None
            self._asking -= 1
        if self._queue:
            self._queue = deque([each for each in self._queue if each[0] is not app])
            self._rgmd.loop.soon(self._ask_next)
        given_up = self._given_up.pop(app.name, None)
        if given_up is not None:
            given_up()

    def _schedule(self, app: App, first: bool = False) -> None:
        resource = app.resource
        if not (app.monitored and resource.has_probe) or app.view.life is not Life.ONLINE or app.monitor_failed:
            return
        now = self._rgmd.loop.now()
        interval = resource.thorough_probe_interval
        if resource.is_told:
            due = max(app.watchdog_at + resource.watchdog_interval, now + 0.001)
        elif first:
            due = now + interval * (1.0 - app.clock_rank)
        else:
            due = max(app.probe_started + interval, now + interval * 0.1)
        app.probe_timer = self._rgmd.loop.at(due, lambda: self._due(app))

    def _due(self, app: App) -> None:
        app.probe_timer = None
        resource = app.resource
        if resource.child_mon_level > 0:
            self._rgmd.pmfd.look(app)
        if resource.is_told:
            self._watchdog(app)
            return
        incarnation = app.incarnation
        app.probe_started = self._rgmd.loop.now()
        if app.probing is not None:
            self._schedule(app)  # a person asks just now; one at a time
            return
        self.ask(app, lambda outcome: self._answered(app, incarnation, outcome))

    def _watchdog(self, app: App) -> None:
        """Nothing to ask: did it tell?"""
        now = self._rgmd.loop.now()
        app.probe_started = now
        silent = now - app.watchdog_at
        if silent + 0.0005 < app.resource.watchdog_interval:
            self._schedule(app)
            return
        app.watchdog_at = now
        got = score.of_silence(app.resource, silent)
        self._weigh(app, got, Outcome("timeout", 0, got.because, silent))

    # -- asking -------------------------------------------------------------------------------------------------------

    def ask(self, app: App, on_answer: Callable[[Outcome], None], on_given_up: Callback | None = None) -> None:
        """One probe of the application now; the answer comes later, or `on_given_up` when the monitor ends before."""
        if on_given_up is not None:
            self._given_up[app.name] = on_given_up
        if self._asking >= MOST_AT_ONCE:
            self._queue.append((app, on_answer))
            return
        self._asking += 1
        resource = app.resource

        def answered(outcome: Outcome) -> None:
            app.probing = None
            self._asking -= 1
            self._given_up.pop(app.name, None)
            on_answer(outcome)
            self._ask_next()

        if resource.probe_command is not None:
            app.probing = self._rgmd.run_method(
                app,
                "Probe",
                resource.probe_command,
                resource.probe_timeout,
                lambda result: answered(of_result(result)),
                "",
                first_signal=9,
            )
        else:
            app.probing = self._rgmd.prober.ask(resource, answered)

    def _ask_next(self) -> None:
        while self._queue and self._asking < MOST_AT_ONCE:
            self.ask(*self._queue.popleft())

    def _answered(self, app: App, incarnation: int, outcome: Outcome) -> None:
        if incarnation != app.incarnation or app.view.life is not Life.ONLINE:
            return
        if outcome.kind == "unable":
            self._failed(app, outcome)
            return
        got = score.of_probe(outcome, app.resource, app.history.timeouts)
        self._weigh(app, got, outcome)

    def note(self, app: App, got: Score, outcome: Outcome) -> None:
        """Remember a probe for status."""
        app.probe_score = got.points
        app.probe_seconds = outcome.seconds
        app.probe_at_wall = self._rgmd.wall()
        app.probe_message = outcome.message

    def _weigh(self, app: App, got: Score, outcome: Outcome) -> None:
        self.note(app, got, outcome)
        self._rgmd.probed(app, got, outcome)
        self.weigh(app, got, self.said(app, outcome), outcome)
        if app.view.life is Life.ONLINE and app.probe_timer is None:
            self._schedule(app)

    def _failed(self, app: App, outcome: Outcome) -> None:
        tried = unable.unable(app.monitor_failures or EMPTY, outcome.message, app.resource, self._rgmd.loop.now())
        self._rgmd.kept.tried(app, outcome.message, tried)
        app.monitor_failures = tried.failures
        if tried.failed:
            app.monitor_failed = True
            self._rgmd.changed(app, tried.because)
            return
        self._rgmd.log.warning(tried.because, resource=app.name)
        self._schedule(app)

    # -- judging ------------------------------------------------------------------------------------------------------

    def said(self, app: App, outcome: Outcome) -> str:
        """What probe_command printed: it becomes the status message (design.md 5)."""
        return outcome.message if app.resource.probe_command is not None else ""

    def weigh(self, app: App, got: Score, message: str = "", outcome: Outcome | None = None) -> None:
        """One score to the judge, and the verdict to the RGM; `message`: what the probe itself said; `outcome`: what
        came of it, when it was a probe."""
        now = self._rgmd.loop.now()
        before = app.history
        app.history, said = verdict.judge(
            before, got, app.resource, now, self._rgmd.suspended.get(app.resource.group, "")
        )
        self._rgmd.kept.judged(app, now, before, got, said, outcome)
        if app.history is not before:
            self._rgmd.kept.changed(app)
        delay = 0.0
        if isinstance(said, verdict.Restart):
            delay = verdict.restart_delay(app.history, app.resource, now, self._rgmd.chance)
        asked = seam.request(said, delay)
        if asked is not None:
            self._rgmd.submit(app, asked)
        elif (told := seam.status(said, message)) is not None and not self._rgmd.pmfd.is_dead(app):
            # a probe that says well of what has no process left is no reason to believe it
            self._rgmd.set_status(app, *told)


def of_result(result: Result) -> Outcome:
    """What a probe command's end means to the judge."""
    return Outcome(result.kind, result.code, result.output, result.seconds)
