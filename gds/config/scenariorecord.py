"""What a runner recorded, read back from a scenario (recorded.py writes it; scenario.py says what stands in it).

Beside its facts, these are the decisions that were taken, or that have to be.
"""

from __future__ import annotations

from gds.config.refusal import shown
from gds.config.scenariovalues import (
    parse_boolean,
    parse_count,
    parse_giveover,
    parse_instant,
    parse_marks,
    parse_number,
    parse_text,
    parse_word,
)
from gds.fault.history import MonitorState
from gds.fault.score import SAID, Outcome, Score
from gds.model.state import ResourceStatus
from gds.model.value import Value, defaults_of, fields_of
from gds.model.window import Window
from gds.rgm.events import EVENTS
from gds.rgm.resource import ALONE, Around, Life, ResourceView
from gds.script import ACTS, Asked, Decision, Happened, Probed, Stands, Weighed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from gds.config.scenarioreading import Keys, ScenarioReading
    from gds.model.resource import Resource
    from gds.script import Fact

    V = TypeVar("V", bound=Value)

KINDS = ("stands", "event", "weighed", "answered", "asked")
IN_FACT = ("at", "resource", *KINDS, "with", "around", "on_giveover", "dead")
IN_STANDS = ("view", "scores", "restarts", "timeouts", "unable", "monitored", "monitor_failed", "alive")
IN_DECIDED = ("at", "resource", "said", "because")
BY_NAME = {kind.__name__: kind for kind in EVENTS}
FIELDS: dict[str, Callable[[object], object]] = {
    "str": parse_text,
    "bool": parse_boolean,
    "float": parse_number,
    "int": lambda v: parse_count(v, -(1 << 31), 1 << 31),
    "Life": lambda v: Life(parse_word(v, tuple(Life))),
    "ResourceStatus": lambda v: ResourceStatus(parse_word(v, tuple(ResourceStatus))),
}
"""How a field of a value is read, by its type."""


class Record:
    """Reads what was recorded; `resource` finds the one that a table is about, or tells that there is none."""

    def __init__(self, reading: ScenarioReading, resource: Callable[[Keys, dict[str, Any]], Resource | None]) -> None:
        self._reading = reading
        self._resource = resource

    def fact(self, keys: Keys, table: dict[str, Any]) -> Fact | None:
        """A fact of a recorded scenario; None: it is not one, and that has been told."""
        reading = self._reading
        misspelt = reading.unknown(keys, table, IN_FACT)
        at = reading.at(keys, table, "the record begins", parse_instant)
        kinds = reading.kinds(keys, table, KINDS, misspelt)
        resource = self._resource(keys, table)
        dead = reading.value(keys, table, "dead", False, parse_boolean)
        on_giveover = reading.value(keys, table, "on_giveover", "", parse_giveover)
        around = self._filled((*keys, "around"), table.get("around", {}), Around) or ALONE
        if resource is None or len(kinds) != 1:
            return None
        name, what = resource.name, table[kinds[0]]
        inner = (*keys, kinds[0])
        if kinds[0] == "stands":
            return self._stands(inner, at, name, what)
        if kinds[0] == "event":
            known = reading.value(keys, table, "event", "", lambda v: parse_word(v, tuple(BY_NAME)))
            event: Any = self._filled((*keys, "with"), table.get("with", {}), BY_NAME[known]) if known else None
            return None if event is None else Happened(at, name, event, around, on_giveover)
        if kinds[0] == "weighed":
            score = self._filled(inner, what, Score)
            return None if score is None else Weighed(at, name, score, dead, around, on_giveover)
        if kinds[0] == "answered":
            outcome = self._outcome(inner, what)
            return None if outcome is None else Probed(at, name, outcome, dead, around, on_giveover)
        act = reading.value(keys, table, "asked", "", lambda v: parse_word(v, ACTS))
        return Asked(at, name, act, around, on_giveover) if act else None

    def decision(self, keys: Keys, table: dict[str, Any]) -> Decision:
        """What was decided, or has to be."""
        reading = self._reading
        reading.unknown(keys, table, IN_DECIDED)
        at = reading.value(keys, table, "at", 0.0, parse_instant)
        resource = self._resource(keys, table)
        if "said" not in table:
            text = 'said is missing: a life and status, such as "ONLINE, OK", a verdict, or "status OK"'
            reading.fault(keys, text)
        said = reading.value(keys, table, "said", "", parse_text)
        because = reading.value(keys, table, "because", "", parse_text)
        return Decision(at, resource.name if resource is not None else "", said, because)

    def _stands(self, keys: Keys, at: float, name: str, table: object) -> Stands | None:
        reading = self._reading
        if not isinstance(table, dict):
            reading.fault(keys, f"expected a table, not {shown(table)}")
            return None
        reading.unknown(keys, table, IN_STANDS)
        view = self._filled((*keys, "view"), table.get("view", {}), ResourceView, name=name)
        history = MonitorState(
            Window(reading.value(keys, table, "scores", (), parse_marks)),
            Window(reading.value(keys, table, "restarts", (), parse_marks)),
            reading.value(keys, table, "timeouts", 0, lambda v: parse_count(v, 0, 1 << 30)),
        )
        unable = Window(reading.value(keys, table, "unable", (), parse_marks))
        monitored = reading.value(keys, table, "monitored", True, parse_boolean)
        failed = reading.value(keys, table, "monitor_failed", False, parse_boolean)
        alive = reading.value(keys, table, "alive", False, parse_boolean)
        return None if view is None else Stands(at, name, view, history, unable, monitored, failed, alive)

    def _outcome(self, keys: Keys, table: object) -> Outcome | None:
        outcome = self._filled(keys, table, Outcome)
        if outcome is not None and outcome.kind not in (*SAID, "exit", "signal"):
            self._reading.fault((*keys, "kind"), f"expected one of exit, signal, {', '.join(SAID)}")
            return None
        return outcome

    def _filled(self, keys: Keys, table: object, kind: type[V], **given: object) -> V | None:
        """A value of ours, field by field; None: it is not one, and that has been told."""
        reading = self._reading
        if not isinstance(table, dict):
            reading.fault(keys, f"expected a table, not {shown(table)}")
            return None
        before = len(reading.problems)
        fields, defaults = fields_of(kind), defaults_of(kind)
        reading.unknown(keys, table, fields)
        types: dict[str, str] = kind.__annotations__
        for field in fields:
            if field in table:
                given[field] = reading.value(keys, table, field, None, FIELDS[types[field]])
            elif field not in defaults and field not in given:
                reading.fault(keys, f"{field} is missing")
        return kind(**given) if len(reading.problems) == before else None
