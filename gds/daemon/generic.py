"""The methods of the generic resource type: Start and Stop, as drivers. Sun: semantics.md 2.4, 2.5.

Facts emitted (to rgmd): StartSucceeded, StartFailed, StopSucceeded, StopFailed, and every death while starting.
Nothing is decided here: schedules come from pmf, verdicts from fault, lives from rgm.
"""

from __future__ import annotations

from gds.daemon.fed import LAST_SECOND
from gds.daemon.launching import program_of
from gds.fault import score, unable
from gds.model.ending import signal_name
from gds.model.printed import printed
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
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.daemon.app import App
    from gds.daemon.fed import Result, Run
    from gds.daemon.rgmd import Rgmd
    from gds.fault.score import Outcome
    from gds.pmf.stopping import Step
    from gds.ports import TimerHandle

ABORT = 6


class StartMethod:
    """Validate, start the command under PMF, wait until the service can be reached."""

    __slots__ = ("_app", "_because", "_deadline", "_look", "_overran", "_rgmd", "_run", "_timer", "said")

    def __init__(self, rgmd: Rgmd, app: App, because: str) -> None:
        self._rgmd = rgmd
        self._app = app
        self._because = because
        self._run: Run | None = None
        self._timer: TimerHandle | None = None
        self._look = starting.FIRST_LOOK
        self.said = ""
        self._overran: StartFailed | None = None
        self._deadline: TimerHandle | None = None

    def begin(self) -> None:
        """Go."""
        if self._app.imported:
            self._end(StartSucceeded())
            return
        resource = self._app.resource
        self._deadline = self._rgmd.loop.after(resource.start_timeout, self._overrun)
        # Sun's RGM asks the Validate of a type when its resource comes into being or changes, and not at a start
        if resource.validate_command is not None and resource.typed is None:
            self._run = self._rgmd.run_method(
                self._app,
                "Validate",
                resource.validate_command,
                resource.validate_timeout,
                self._validated,
                self._because,
            )
        else:
            self._launch()

    def cancel(self) -> None:
        """The Start is given up; what it started is for Stop."""
        for timer in (self._timer, self._deadline):
            if timer is not None:
                timer.cancel()
        self._timer = self._deadline = None
        self._rgmd.monitor.end(self._app)
        if self._run is not None:
            self._run.cancel()
            self._run = None
        if self._app.start is self:
            self._app.start = None

    def _validated(self, result: Result) -> None:
        self._run = None
        if result.kind == "exit" and result.code == 0:
            self._launch()
        else:
            self._end(StartFailed(f"Start failed: validate_command {result.said}"))

    def _launch(self) -> None:
        self._rgmd.pmfd.launch(self._app, self._because)

    # -- what pmfd tells ----------------------------------------------------------------------------------------------

    def launched(self) -> None:
        """The process runs; is it also there for others?"""
        resource = self._app.resource
        evidence = starting.evidence(resource)
        if evidence == "notify":
            self.said = "no READY=1 yet"
        elif evidence == "probe":
            self._ask()
        elif evidence == "grace":
            self._timer = self._rgmd.loop.after(resource.start_grace, self._graced)

    def failed(self, message: str) -> None:
        """It cannot be executed."""
        self._end(StartFailed(f"Start failed: {message}"))

    def returned(self, how: str, well: bool) -> None:
        """pmf_managed is false and the command has returned."""
        if self._overran is not None:
            self._end(self._overran)
        elif not well:
            self._end(StartFailed(f"Start failed: {program_of(self._app.resource, 'Start')} {how}"))
        elif self._app.resource.has_probe:
            self._ask()
        else:
            self._end(StartSucceeded())

    def notified_ready(self) -> None:
        """The application said READY=1."""
        if self._app.resource.ready == "notify":
            self._end(StartSucceeded())

    # -- waiting until available --------------------------------------------------------------------------------------

    def _graced(self) -> None:
        self._timer = None
        self._end(StartSucceeded())

    def _ask(self) -> None:
        self._timer = None
        self._rgmd.pmfd.look(self._app)
        self._rgmd.monitor.ask(self._app, self._answered)

    def _answered(self, outcome: Outcome) -> None:
        app = self._app
        if app.start is not self:
            return
        if outcome.kind == "unable":
            self.said = unable.could_not(outcome.message)
        else:
            got = score.of_probe(outcome, app.resource, 0)
            self._rgmd.monitor.note(app, got, outcome)
            if got.points == 0:
                self._end(StartSucceeded())
                if app.view.life is Life.ONLINE and (message := self._rgmd.monitor.said(app, outcome)):
                    self._rgmd.set_status(app, app.view.status, message)
                return
            told = printed(outcome.message) if outcome.kind == "exit" else ""
            self.said = f"{got.because}: {told}" if told else got.because
        self._timer = self._rgmd.loop.after(self._look, self._ask)
        self._look = starting.next_look(self._look)

    def _overrun(self) -> None:
        self._deadline = None
        failed = StartFailed(f"Start failed: {starting.overrun(self._app.resource, self.said)}")
        tree = self._app.tree
        if self._run is not None:
            self._run.abort()
            self._run = None
        elif tree is not None and not self._app.resource.pmf_managed:
            # the command is Start's own, no application under PMF: it ends as every command of a method does
            self._overran = failed
            tree.signal(ABORT)
            self._timer = self._rgmd.loop.after(LAST_SECOND, lambda: self._end(failed))
            return
        self._end(failed)

    def _end(self, event: StartSucceeded | StartFailed) -> None:
        self.cancel()
        self._rgmd.submit(self._app, event)


class SideMethod:
    """Prenet_start or Postnet_stop: a command of the descriptor, within its timeout. Sun: semantics.md 9.2."""

    __slots__ = ("_app", "_ended_well", "_failed", "_rgmd", "_run")

    def __init__(self, rgmd: Rgmd, app: App, method: str, because: str) -> None:
        self._rgmd = rgmd
        self._app = app
        resource = app.resource
        self._ended_well: PrenetSucceeded | PostnetSucceeded
        self._failed: type[PrenetFailed | PostnetFailed]
        if method == "Prenet_start":
            command, limit = resource.prenet_start_command, resource.prenet_start_timeout
            self._ended_well, self._failed = PrenetSucceeded(), PrenetFailed
        else:
            command, limit = resource.postnet_stop_command, resource.postnet_stop_timeout
            self._ended_well, self._failed = PostnetSucceeded(), PostnetFailed
        self._run: Run | None = None
        if command is None or app.imported:  # None: a reload took it away meanwhile
            rgmd.loop.soon(lambda: self._done(None))
        else:
            self._run = rgmd.run_method(app, method, command, limit, self._done, because)

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        if self._run is not None:
            self._run.cancel()
            self._run = None
        if self._app.side is self:
            self._app.side = None

    def _done(self, result: Result | None) -> None:
        app = self._app
        if app.side is not self:
            return
        app.side = None
        if result is None or (result.kind == "exit" and result.code == 0):
            self._rgmd.submit(app, self._ended_well)
        else:
            method = "Prenet_start" if self._failed is PrenetFailed else "Postnet_stop"
            self._rgmd.submit(app, self._failed(f"{method} failed: {program_of(app.resource, method)} {result.said}"))


class StopMethod:
    """80 / 15 / 5 until nothing is left."""

    __slots__ = ("_app", "_asked", "_because", "_began", "_rgmd", "_run", "_steps", "_timer", "hurried")

    def __init__(self, rgmd: Rgmd, app: App, because: str) -> None:
        self._rgmd = rgmd
        self._app = app
        self._because = because
        self._run: Run | None = None
        self._timer: TimerHandle | None = None
        self._steps: tuple[Step, ...] = ()
        self._began = 0.0
        self._asked = ""
        """Since when it is asked to end, in words; "" = a SIGKILL need not be told (again)."""
        self.hurried = False

    def begin(self) -> None:
        """Go."""
        if self._app.imported:
            self._end(StopSucceeded())
            return
        if self._app.own_monitor:
            self._run = self._rgmd.own_monitors().end(self._app, self._unmonitored)
        if self._run is None:
            self._stop()

    def _unmonitored(self, fault: str) -> None:
        """Monitor_stop is over; a failed one is a failed Stop (Sun: semantics.md 9.2)."""
        self._run = None
        if fault:
            self._end(StopFailed(f"Stop failed: {fault}"))
        else:
            self._stop()

    def _stop(self) -> None:
        app = self._app
        resource = app.resource
        if resource.typed is not None and resource.stop_command is not None:
            if app.tree is not None:
                # a Start that nobody waits for any more: it may not bring up what Stop has just ended
                self._follow(stopping.at_once())
                return
            # all of the time is its own: nothing comes after it
            self._run = self._rgmd.run_method(
                app, "Stop", resource.stop_command, resource.stop_timeout, self._typed_stopped, self._because
            )
        elif resource.stop_command is not None:
            limit = stopping.command_limit(resource.stop_timeout)
            self._run = self._rgmd.run_method(
                app, "Stop", resource.stop_command, limit, self._commanded, self._because, first_signal=9
            )
        elif app.tree is None:
            self._end(StopSucceeded())
        else:
            steps = stopping.by_signal(resource.stop_signal, resource.stop_timeout)
            self._asked = f"{steps[1].after:g} s after {signal_name(resource.stop_signal)}"
            self._follow(steps)

    def hurry(self) -> None:
        """No more asking: SIGKILL now."""
        if self.hurried:
            return
        self.hurried = True
        self._asked = ""
        if self._run is not None:
            self._run.cancel()
            self._run = None
        if self._app.tree is None:
            self._end(StopSucceeded())
        else:
            self._follow(stopping.at_once())

    def emptied(self) -> None:
        """Nothing of the application is left. A stop_command that still runs may finish its work."""
        if self._run is None and self._app.resource.typed is not None and not self.hurried:
            self._stop()
        elif self._run is None:
            self._end(StopSucceeded())

    def _commanded(self, result: Result) -> None:
        self._run = None
        app = self._app
        well = result.kind == "exit" and result.code == 0
        if not well:
            self._tell(f"stop_command {result.said}")
        if app.tree is None:
            if stopping.is_down(app.resource, well):
                self._end(StopSucceeded())
            else:
                self._end(StopFailed(f"Stop failed: stop_command {result.said}, and PMF watches nothing of it"))
        else:
            self._asked = "when stop_command was over"
            self._follow(stopping.after_command(app.resource.stop_timeout))

    def _typed_stopped(self, result: Result) -> None:
        self._run = None
        if result.kind == "exit" and result.code == 0:
            self._end(StopSucceeded())
        else:
            self._end(StopFailed(f"Stop failed: its method {result.said}"))

    def _follow(self, steps: tuple[Step, ...]) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._steps = steps
        self._began = self._rgmd.loop.now()
        self._next()

    def _next(self) -> None:
        self._timer = None
        tree = self._app.tree
        while self._steps and tree is not None:
            step = self._steps[0]
            wait = self._began + step.after - self._rgmd.loop.now()
            if wait > 0:
                self._timer = self._rgmd.loop.after(wait, self._next)
                return
            self._steps = self._steps[1:]
            if step.act == "signal":
                tree.signal(step.signal)
            elif step.act == "kill":
                if self._asked and (pids := tree.members()):
                    self._tell(stopping.killed(pids, self._asked))
                    self._asked = ""
                tree.kill()
            else:
                left = stopping.left_over(tree.members(), self._app.resource.stop_timeout)
                self._end(StopFailed(f"Stop failed: {left}"))
                return

    def _tell(self, said: str) -> None:
        """What whoever asks for a lost write has to find: it was not ended as it wanted to be."""
        self._rgmd.kept.decided(self._app, "Stop", said)
        self._rgmd.log.warning(said, resource=self._app.name)

    def _end(self, event: StopSucceeded | StopFailed) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._app.stop is self:
            self._app.stop = None
            self._rgmd.submit(self._app, event)
