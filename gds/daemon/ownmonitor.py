"""The monitors that registered types bring along: Monitor_start after Start, Monitor_stop before Stop.

Sun: semantics.md 9.2. The monitor itself is a program of the type, which Monitor_start leaves running under pmfadm; it
speaks through scha_control and scha_resource_setstatus. A failed Monitor_start is MONITOR_FAILED and nothing more, and
so is a monitor that has ended and that PMF does not start again; a failed Monitor_stop before a Stop is a failed Stop.
Loaded with the first resource of a registered type.

How far it is stands in `app.own_monitor`: "" (not begun, or ended), STARTING, UP, FAILED.
"""

from __future__ import annotations

from gds.model.resource import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from gds.daemon.app import App
    from gds.daemon.fed import Result, Run
    from gds.daemon.rgmd import Rgmd

STARTING, UP, FAILED = "starting", "up", "failed"


class OwnMonitors:
    """See the module."""

    def __init__(self, rgmd: Rgmd) -> None:
        self._rgmd = rgmd
        self._runs: dict[str, Run] = {}
        """Methods under way, by resource. Until one has ended, its resource has not come to rest."""
        self.faults: dict[str, str] = {}
        """Why the last method of a monitor failed, by resource."""
        self._before: dict[str, str] = {}
        """The reason of a resource's state before such a fault took its place."""

    def begin(self, app: App) -> None:
        """Monitor_start, where the type has one and it is not there already; nobody waits for it."""
        if app.own_monitor in (STARTING, UP) or not _has(app, "Monitor_start"):
            self._forget(app)
            return
        self._cancel(app)
        app.own_monitor = STARTING
        self._call(app, "Monitor_start", lambda result: self._begun(app, result))

    def end(self, app: App, then: Callable[[str], None]) -> Run | None:
        """Monitor_stop, when there was a Monitor_start; `then` hears why it failed, or "". None: nothing is to be done,
        and `then` hears nothing."""
        if not app.own_monitor or not _has(app, "Monitor_stop"):
            app.own_monitor = ""
            self._forget(app)
            return None
        self._cancel(app)

        def ended(result: Result) -> None:
            self._ended(app)
            fault = "" if _is_well(result) else f"Monitor_stop {result.said}"
            if not fault:
                app.own_monitor = ""
                self._well(app, "Monitor_stop")
            then(fault)
            self._rgmd.answer(app)

        return self._call(app, "Monitor_stop", ended)

    def end_alone(self, app: App) -> None:
        """Nobody wants it monitored any more, or not just now; the resource stays up."""

        def ended(fault: str) -> None:
            if fault:
                self._failed(app, fault)
            self._rgmd.seen(app)

        self.end(app, ended)

    def _begun(self, app: App, result: Result) -> None:
        self._ended(app)
        if _is_well(result):
            app.own_monitor = UP
            self._well(app, "Monitor_start")
            self._rgmd.seen(app)
        else:
            app.own_monitor = FAILED
            app.monitor_failed = True
            self._failed(app, f"Monitor_start failed: it {result.said}")
        self._rgmd.answer(app)

    def lost(self, app: App, fault: str) -> None:
        """What its Monitor_start had left running is gone."""
        app.own_monitor = FAILED
        app.monitor_failed = True
        self._failed(app, fault)

    def _failed(self, app: App, fault: str) -> None:
        if self.faults.get(app.name) != app.view.because:
            self._before[app.name] = app.view.because
        self.faults[app.name] = fault
        self._rgmd.changed(app, fault)

    def _well(self, app: App, method: str) -> None:
        self._forget(app)
        self._rgmd.kept.decided(app, method, f"{method} done")

    def _forget(self, app: App) -> None:
        """A fault of before is none any more, and no reason either."""
        before, fault = self._before.pop(app.name, ""), self.faults.pop(app.name, "")
        if fault and app.view.because == fault:
            app.view = app.view.replace(because=before)
            self._rgmd.kept.forget(app)

    def _ended(self, app: App) -> None:
        self._runs.pop(app.name, None)
        self._rgmd.busy.discard(app.name)

    def _cancel(self, app: App) -> None:
        run = self._runs.get(app.name)
        if run is not None:
            self._ended(app)
            run.cancel()

    def _call(self, app: App, method: str, done: Callable[[Result], None]) -> Run:
        typed = app.resource.typed
        assert typed is not None
        words = typed.call(method, app.name, app.resource.group)
        run = self._rgmd.run_method(app, method, Command(words), typed.timeout(method), done, app.view.because)
        self._runs[app.name] = run
        self._rgmd.busy.add(app.name)
        return run


def unmonitored(rgmd: Rgmd, tags: Container[str], resource: str, nametag: str, because: str) -> None:
    """A nametag of the monitor of a resource is gone. When no method of it has made it anew by the time that none runs,
    nobody watches the resource any more."""

    def look() -> None:
        app = rgmd.apps.get(resource)
        if app is not None and app.own_monitor == UP and nametag not in tags and not rgmd.leaving:
            rgmd.own_monitors().lost(app, f"its monitor is gone, nametag {nametag}: {because}")

    def wait() -> None:
        if (app := rgmd.apps.get(resource)) is not None and app.own_monitor:
            rgmd.settled(app, look)

    rgmd.loop.soon(wait)  # in its own turn: who told us is in the middle of something


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
