"""Recording: what the judges were told, so that it can be played again (`gds history --export`, `gds simulate`).

Four kinds of facts, each with its instant (monotonic), in the order in which they happened:

    step     what went into `rgm.step`, and the life, status and reason it led to
    judge    what went into `fault.judge`, and the verdict; a probe as it was answered, anything else as its score
    unable   a probe that could not be run, and whether the monitor has failed by it
    stands   where a resource stands: its properties, view, and what its monitor remembers. Before its first fact of a
             runner or after a change of its properties, and again after each `BETWEEN` facts, so that a history that
             has lost its oldest part can still be played

A probe that is answered well and finds all well changes nothing: such probes are only counted, and the next fact says
how many there were (`well`). On the path of a restart a fact is put aside; words are found for it when nothing waits.
"""

from __future__ import annotations

from functools import partial

from gds.fault.verdict import Giveover, Healthy, LeaveAlone, Restart
from gds.model import codec
from gds.model.state import ResourceStatus
from gds.model.value import defaults_of, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.fault.history import MonitorState
    from gds.fault.score import Outcome, Score
    from gds.fault.unable import Tried
    from gds.fault.verdict import Verdict
    from gds.model.resource import Resource
    from gds.model.value import Value
    from gds.ports import Scheduler
    from gds.rgm.events import Event
    from gds.rgm.resource import ResourceView, Step

    class Records(Protocol):
        """Where records go."""

        def add(self, record: dict[str, object] | Callable[[], dict[str, object]]) -> None: ...


BETWEEN = 200
"""Facts of a resource between two of its standings."""
ASKING = (Restart, Giveover, LeaveAlone)
"""Verdicts that lead to an event for the RGM."""
SECRET = ("environment", "environment_files", "pass_environment", "validate_command", "description", "typed")
"""Properties that no judge looks at and that may hold what is nobody's business."""


class Recording:
    """See the module."""

    def __init__(self, loop: Scheduler, records: Records) -> None:
        self._loop = loop
        self._records = records
        self._known: dict[str, Resource] = {}
        self._since: dict[str, int] = {}
        self._well: dict[str, int] = {}
        self._verdicts: dict[str, str] = {}

    def stepped(self, app: App, event: Event, made: Step, around: Value | None, on_giveover: str) -> None:
        """`rgm.step` was asked; `app` stands as before."""
        now = self._begin(app, app.history)
        name = app.name
        # what the judge asked for follows from what the judge was told: it is not told again
        judged = name in self._verdicts and self._verdicts.pop(name) == getattr(event, "because", "")
        self._records.add(
            partial(_step, now, app, app.resource, event, made, around, on_giveover, judged, self._well.pop(name, 0))
        )

    def judged(
        self, app: App, now: float, before: MonitorState, got: Score, said: Verdict, outcome: Outcome | None
    ) -> None:
        """`fault.judge` was asked at the instant `now`; `before` is what the monitor remembered."""
        name = app.name
        if isinstance(said, Healthy) and app.history is before and app.view.status is ResourceStatus.OK:
            self._well[name] = self._well.get(name, 0) + 1
            return
        self._begin(app, before)
        if isinstance(said, ASKING):
            self._verdicts[name] = said.because
        dead = app.tree is None and app.resource.pmf_managed
        well = self._well.pop(name, 0)
        self._records.add(partial(_judge, now, app, app.resource, got, said, outcome, dead, well))

    def tried(self, app: App, message: str, came: Tried) -> None:
        """A probe could not be run; `app` stands as before."""
        now = self._begin(app, app.history)
        self._records.add(
            lambda: {
                **_head(now, app, app.resource, "unable"),
                "message": message,
                "failed": came.failed,
                "because": came.because,
            }
        )

    def forget(self, app: App) -> None:
        """It stands as no fact has told: where it stands comes before its next one."""
        self._known.pop(app.name, None)

    def _begin(self, app: App, history: MonitorState) -> float:
        now = self._loop.now()
        name = app.name
        if self._known.get(name) is not app.resource:
            self._known[name] = app.resource
            self._stand(app, app.view, history, now)
        else:
            since = self._since[name] = self._since[name] + 1
            if since == BETWEEN:
                self._loop.when_idle(partial(self._stand_again, app))
        return now

    def _stand_again(self, app: App) -> None:
        self._stand(app, app.view, app.history, self._loop.now(), again=True)

    def _stand(self, app: App, view: ResourceView, history: MonitorState, now: float, again: bool = False) -> None:
        self._since[app.name] = 0
        failures = app.monitor_failures
        unable = [m.at for m in failures.marks] if failures is not None else []
        alive = app.tree is not None
        self._records.add(
            partial(
                _stands, now, app, app.resource, view, history, unable, app.monitored, app.monitor_failed, alive, again
            )
        )


def _head(now: float, app: App, resource: Resource, fact: str) -> dict[str, object]:
    return {"monotonic": now, "resource": app.name, "group": resource.group, "fact": fact}


def plain(value: Value) -> dict[str, object]:
    """The fields of a flat value that are not its defaults."""
    defaults: dict[str, Any] = defaults_of(type(value))
    found: dict[str, object] = {}
    for field in fields_of(type(value)):
        each = getattr(value, field)
        if field not in defaults or each != defaults[field]:
            found[field] = each.value if hasattr(each, "value") else each
    return found


def _step(
    now: float,
    app: App,
    resource: Resource,
    event: Event,
    made: Step,
    around: Value | None,
    on_giveover: str,
    judged: bool,
    well: int,
) -> dict[str, object]:
    record = {**_head(now, app, resource, "step"), "event": type(event).__name__, "with": plain(event)}
    if around is not None and (said := plain(around)):
        record["around"] = said
    record["on_giveover"] = on_giveover
    if judged:
        record["judged"] = True
    if well:
        record["well"] = well
    if made.ignored:
        return {**record, "ignored": made.ignored}
    view = made.view
    return {**record, "life": view.life.value, "status": view.status.value, "because": view.because}


def _judge(
    now: float,
    app: App,
    resource: Resource,
    got: Score,
    said: Verdict,
    outcome: Outcome | None,
    dead: bool,
    well: int,
) -> dict[str, object]:
    record = {**_head(now, app, resource, "judge"), "score": plain(got)}
    if outcome is not None:
        record["probe"] = plain(outcome)
    if dead:
        record["dead"] = True
    if well:
        record["well"] = well
    return {**record, "verdict": type(said).__name__, "because": getattr(said, "because", "")}


def _stands(
    now: float,
    app: App,
    resource: Resource,
    view: ResourceView,
    history: MonitorState,
    unable: list[float],
    monitored: bool,
    monitor_failed: bool,
    alive: bool,
    again: bool,
) -> dict[str, object]:
    left_out = {key: value for key, value in defaults_of(type(resource)).items() if key in SECRET}
    return {
        **_head(now, app, resource, "stands"),
        "view": plain(view),
        "scores": [[m.at, m.weight] for m in history.scores.marks],
        "restarts": [m.at for m in history.restarts.marks],
        "timeouts": history.timeouts,
        "unable": unable,
        "monitored": monitored,
        "monitor_failed": monitor_failed,
        "alive": alive,
        "properties": codec.pack(resource.replace(**left_out)),
        **({"again": True} if again else {}),
    }
