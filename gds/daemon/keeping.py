"""Keeping: an App as a record that outlives the runner, and back. The stores are handed in.

`about_to_start` writes at once (write-ahead); everything else is written once at the end of the loop's turn.
"""

from __future__ import annotations

from gds.daemon.recording import Recording
from gds.fault.history import MonitorState
from gds.model.window import Mark, Window
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.ports import Scheduler

    class Store(Protocol):
        """Where records go."""

        def note(self, record: dict[str, object]) -> None: ...

    class Decisions(Protocol):
        """Where decisions go."""

        def add(self, record: dict[str, object] | Callable[[], dict[str, object]]) -> None: ...


class Keeping:
    """See the module."""

    def __init__(
        self,
        loop: Scheduler,
        store: Store,
        decisions: Decisions,
        stamp: Callable[[], str],
        logged: Callable[[str, str, str, bool, str], None],
    ) -> None:
        self._loop = loop
        self._store = store
        self._decisions = decisions
        self._stamp = stamp
        self._logged = logged
        self._dirty: dict[str, App] = {}
        recording = Recording(loop, decisions)
        self.stepped = recording.stepped
        """The RGM was told a fact; `app` stands as before."""
        self.judged = recording.judged
        """The judge was told a score."""
        self.tried = recording.tried
        """A probe could not be run; `app` stands as before."""
        self.forget = recording.forget
        """Something about it was changed that no judge was told."""

    def about_to_start(self, app: App) -> None:
        """The next thing is a fork, or the answer to a person: write it now."""
        self._dirty.pop(app.name, None)
        self._store.note(record_of(app))

    def changed(self, app: App) -> None:
        """Something worth keeping changed."""
        if not self._dirty:
            self._loop.soon(self._flush)
        self._dirty[app.name] = app

    def decided(self, app: App, event: str, because: str, **facts: object) -> None:
        """A decision for the history."""
        self._decisions.add(
            {
                "at": self._stamp(),
                "monotonic": round(self._loop.now(), 6),
                "resource": app.name,
                "group": app.resource.group,
                "event": event,
                "because": because,
                "incarnation": app.incarnation,
                **facts,
            }
        )

        if app.resource.log_level != "NONE" and event != "probe":
            # what is stopped because its Start failed belongs to that Start
            failed_start = app.view.life in (Life.ABANDONING, Life.START_FAILED)
            stopping = event in ("STOPPING", "OFFLINE", "STOP_FAILED", "Stop") and not failed_start
            failed = event.endswith("_FAILED") or event == "Stop" or failed_start
            self._log(app, "STOP" if stopping else "START", failed, f"{event}: {because}")

    def told(self, event: str, because: str) -> None:
        """A decision about the runner itself, for the history."""
        at = {"at": self._stamp(), "monotonic": round(self._loop.now(), 6)}
        self._decisions.add({**at, "resource": "", "group": "", "event": event, "because": because})

    def probed(self, app: App, points: int, text: str) -> None:
        """The result of one probe, for log_level."""
        if app.resource.log_level != "NONE":
            self._log(app, "PROBE", points > 0, f"probe status {points}{': ' if text else ''}{text}")

    def _log(self, app: App, kind: str, failed: bool, text: str) -> None:
        if failed == (app.resource.log_level == "ERR"):
            self._logged(app.resource.group, app.name, kind, failed, text)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for app in dirty.values():
            self._store.note(record_of(app))


def record_of(app: App) -> dict[str, object]:
    """What must not be forgotten about it."""
    history = app.history
    record: dict[str, object] = {
        "resource": app.name,
        "incarnation": app.incarnation,
        "pid": app.tree.main_pid if app.tree is not None else 0,
        "life": app.view.life.value,
        "because": app.view.because,
        "wanted": app.wanted,
        "online_since": app.online_since_wall,
    }
    if app.resource.group != app.name:
        record["group"] = app.resource.group  # so that it is found by that name when the runner is gone
    if not app.enabled:
        record["disabled"] = True  # the reason is that of this
    if app.view.last_try:
        record["last_try"] = True
    if app.is_dead:
        record["dead"] = True  # it was left alone, and is by the next runner too
    if app.tags:
        record["tags"] = list(app.tags)
    if history.restarts.marks:
        record["restarts"] = [m.at for m in history.restarts.marks]
    if history.scores.marks:
        record["scores"] = [[m.at, m.weight] for m in history.scores.marks]
    if history.timeouts:
        record["timeouts"] = history.timeouts
    if app.forgiven_at:
        record["forgiven_at"] = app.forgiven_at
    return record


def recall(app: App, record: Mapping[str, Any], now: float) -> Life:
    """Give the App back what `record_of` kept; returns the life it had. What makes no sense is not believed."""
    try:
        app.incarnation = int(record.get("incarnation", 0))
        app.wanted = bool(record.get("wanted", True))
        app.online_since_wall = float(record.get("online_since", 0.0))
        app.view = app.view.replace(last_try=record.get("last_try") is True)
        app.tags = tuple([str(nametag) for nametag in record.get("tags", ())])
        app.history = MonitorState(
            _window(record.get("scores", ()), now),
            _window([(at, 1) for at in record.get("restarts", ())], now),
            int(record.get("timeouts", 0)),
        )
        app.forgiven_at = min(float(record.get("forgiven_at", 0.0)), now)
        return Life(record.get("life", "OFFLINE"))
    except (TypeError, ValueError):
        return Life.OFFLINE


def _window(marks: Iterable[Any], now: float) -> Window:
    made = []
    for at, weight in marks:
        if float(at) <= now:
            made.append(Mark(float(at), int(weight)))
    made.sort(key=lambda m: m.at)
    return Window(tuple(made))
