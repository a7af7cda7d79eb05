"""The monitor that a registered type brings along: Monitor_start after Start, Monitor_stop before Stop.

Sun: semantics.md 9.2. The monitor itself is a program of the type, which Monitor_start leaves running under pmfadm; it
speaks through scha_control and scha_resource_setstatus. A failed Monitor_start is MONITOR_FAILED and nothing more; a
failed Monitor_stop before a Stop is a failed Stop. Loaded with the first resource of a registered type.
"""

from __future__ import annotations

from gds.model.resource import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.daemon.app import App
    from gds.daemon.fed import Result, Run
    from gds.daemon.rgmd import Rgmd
    from gds.model.typed import Typed

BEFORE, STARTING, UP, FAILED = "", "starting", "up", "failed"


class OwnMonitor:
    """See the module. `app.own_monitor` is set from Monitor_start until Monitor_stop has ended well."""

    __slots__ = ("_app", "_rgmd", "_run", "_state", "_typed")

    def __init__(self, rgmd: Rgmd, app: App, typed: Typed) -> None:
        self._rgmd = rgmd
        self._app = app
        self._typed = typed
        self._state = BEFORE
        self._run: Run | None = None

    @property
    def is_up(self) -> bool:
        """Monitor_start is done."""
        return self._state == UP

    def begin(self) -> None:
        """Monitor_start, where the type has one; nobody waits for it."""
        app = self._app
        if not self._typed.kind.has("Monitor_start"):
            return
        app.own_monitor = self
        self._state = STARTING
        self._run = self._call("Monitor_start", self._begun)

    @property
    def has_end(self) -> bool:
        """The type has a Monitor_stop."""
        return self._typed.kind.has("Monitor_stop")

    def end(self, then: Callable[[str], None]) -> Run:
        """Monitor_stop; `then` hears why it failed, or ""."""
        if self._run is not None:
            self._run.cancel()
            self._run = None

        def ended(result: Result) -> None:
            fault = "" if _is_well(result) else f"Monitor_stop {result.said}"
            if not fault:
                self._app.own_monitor = None
                self._rgmd.kept.decided(self._app, "Monitor_stop", "Monitor_stop done")
            then(fault)

        return self._call("Monitor_stop", ended)

    def end_alone(self) -> None:
        """Nobody wants it monitored any more; the resource stays up."""
        self._state = BEFORE
        if self.has_end:
            self._run = self.end(self._ended_alone)
        else:
            self._app.own_monitor = None

    def _ended_alone(self, fault: str) -> None:
        self._run = None
        if fault:
            self._rgmd.log.error(fault, resource=self._app.name)
            self._rgmd.kept.decided(self._app, "Monitor_stop", fault)
        self._rgmd.seen(self._app)

    def _begun(self, result: Result) -> None:
        self._run = None
        app = self._app
        if app.own_monitor is not self:
            return
        if _is_well(result):
            self._state = UP
            self._rgmd.kept.decided(app, "Monitor_start", "Monitor_start done")
            self._rgmd.seen(app)
        else:
            self._state = FAILED
            app.monitor_failed = True
            self._rgmd.changed(app, f"Monitor_start failed: it {result.said}")

    def _call(self, method: str, done: Callable[[Result], None]) -> Run:
        app = self._app
        words = self._typed.call(method, app.name, app.resource.group)
        limit = self._typed.timeout(method)
        return self._rgmd.run_method(app, method, Command(words), limit, done, app.view.because)


def _is_well(result: Result) -> bool:
    return result.kind == "exit" and result.code == 0
