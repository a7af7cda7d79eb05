"""The monitors that registered types bring along: Monitor_start after Start, Monitor_stop before Stop.

Sun: semantics.md 9.2. The monitor itself is a program of the type, which Monitor_start leaves running under pmfadm; it
speaks through scha_control and scha_resource_setstatus. A failed Monitor_start is MONITOR_FAILED and nothing more; a
failed Monitor_stop before a Stop is a failed Stop. Loaded with the first resource of a registered type.

How far it is stands in `app.own_monitor`: "" (not begun, or ended), STARTING, UP, FAILED.
"""

from __future__ import annotations

from gds.model.resource import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.daemon.app import App
    from gds.daemon.fed import Result, Run
    from gds.daemon.rgmd import Rgmd

STARTING, UP, FAILED = "starting", "up", "failed"


class OwnMonitors:
    """See the module."""

    def __init__(self, rgmd: Rgmd) -> None:
        self._rgmd = rgmd
        self._runs: dict[str, Run] = {}
        """Methods under way, by resource."""

    def begin(self, app: App) -> None:
        """Monitor_start, where the type has one and it is not there already; nobody waits for it."""
        if app.own_monitor in (STARTING, UP) or not _has(app, "Monitor_start"):
            return
        self._cancel(app)
        app.own_monitor = STARTING
        self._call(app, "Monitor_start", lambda result: self._begun(app, result))

    def end(self, app: App, then: Callable[[str], None]) -> Run | None:
        """Monitor_stop, when there was a Monitor_start; `then` hears why it failed, or "". None: nothing is to be done,
        and `then` hears nothing."""
        if not app.own_monitor or not _has(app, "Monitor_stop"):
            app.own_monitor = ""
            return None
        self._cancel(app)

        def ended(result: Result) -> None:
            self._runs.pop(app.name, None)
            fault = "" if _is_well(result) else f"Monitor_stop {result.said}"
            if not fault:
                app.own_monitor = ""
                self._rgmd.kept.decided(app, "Monitor_stop", "Monitor_stop done")
            then(fault)

        return self._call(app, "Monitor_stop", ended)

    def end_alone(self, app: App) -> None:
        """Nobody wants it monitored any more; the resource stays up."""

        def ended(fault: str) -> None:
            if fault:
                self._rgmd.log.error(fault, resource=app.name)
                self._rgmd.kept.decided(app, "Monitor_stop", fault)
            self._rgmd.seen(app)

        self.end(app, ended)

    def _begun(self, app: App, result: Result) -> None:
        self._runs.pop(app.name, None)
        if _is_well(result):
            app.own_monitor = UP
            self._rgmd.kept.decided(app, "Monitor_start", "Monitor_start done")
            self._rgmd.seen(app)
        else:
            app.own_monitor = FAILED
            app.monitor_failed = True
            self._rgmd.changed(app, f"Monitor_start failed: it {result.said}")

    def _cancel(self, app: App) -> None:
        run = self._runs.pop(app.name, None)
        if run is not None:
            run.cancel()

    def _call(self, app: App, method: str, done: Callable[[Result], None]) -> Run:
        typed = app.resource.typed
        assert typed is not None
        words = typed.call(method, app.name, app.resource.group)
        run = self._rgmd.run_method(app, method, Command(words), typed.timeout(method), done, app.view.because)
        self._runs[app.name] = run
        return run


def tagged(rgmd: Rgmd, resource: str, nametag: str, there: bool) -> None:
    """The Start of a resource has asked for a nametag, or that one is gone: a runner after us that finds the tag ended
    with this one knows then that the resource is not up."""
    app = rgmd.apps.get(resource)
    if app is not None and app.resource.typed is not None:
        others = tuple([each for each in app.tags if each != nametag])
        app.tags = (*others, nametag) if there else others
        rgmd.kept.about_to_start(app)


def _has(app: App, method: str) -> bool:
    typed = app.resource.typed
    return typed is not None and typed.kind.has(method)


def _is_well(result: Result) -> bool:
    return result.kind == "exit" and result.code == 0
