"""What a runner recorded → a scenario file that `gds simulate` replays (scenario.py says what stands in it).

- Of a resource's properties only those that a judge looks at are written, and of each command only its program, because
  such a file is made to be sent to somebody: no arguments, no environment, no users, no paths of files.
- The facts of a resource begin where its standing is known, after its properties last changed: others were judged by
  other properties. What is left out is told.
- A resource of a registered type is left out (`left_out` says so): what judges it is a monitor of its own, and its
  type is registered here alone.
- Instants are seconds since the first fact; over a reboot, in which the monotonic clock begins anew, wall time joins.

Written through `toml`, and read back before it is given out: what does not come back as it was is an error of ours.
"""

from __future__ import annotations

import tomllib
from datetime import datetime

import toml
from toml.decoder import InlineTableDict

from gds.config.scenario import Scenario, scenario_of
from gds.config.typed import is_typed
from gds.errors import InternalError
from gds.model import codec
from gds.model.resource import Command, Probe, Resource
from gds.model.value import defaults_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

JUDGED = (
    *("enabled", "monitored", "child_mon_level", "failover_enabled", "pmf_managed", "start_timeout", "stop_timeout"),
    *("probe_timeout", "retry_count", "retry_interval", "thorough_probe_interval", "num_probe_timeouts"),
    *("monitor_retry_count", "monitor_retry_interval", "start_grace", "restart_delay", "restart_delay_max", "ready"),
)
"""Properties that a judge looks at, and that stand in a descriptor as they are."""
PERSONS = {"clear": "clear", "monitor": "monitor", "unmonitor": "unmonitor", "giveover refused": "giveover"}
"""Decisions that are a person's act, and the act: they change what the monitor remembers."""
SHIFTED = ("scores", "restarts", "unable")
"""Instants of a standing."""


class Exported:
    """The scenario as text and as it was read back, and what somebody should know about it."""

    def __init__(self, text: str, scenario: Scenario, notes: list[str]) -> None:
        self.text = text
        self.scenario = scenario
        self.notes = notes


def export(records: Iterable[Mapping[str, Any]], description: str) -> Exported | None:
    """The scenario of these records (facts and decisions, oldest first); None: nothing in them can be replayed.

    Raises InternalError when what was written does not read back.
    """
    made = _Recorded()
    kept = list(records)
    made.look(kept)
    for record in kept:
        made.take(record)
    if not made.resources or not made.facts:
        return None
    head = {"description": description, "recorded": True, "on_giveover": made.on_giveover}
    resources = {"resource": {name: _properties(resource) for name, resource in made.resources.items()}}
    told = {"fact": made.facts, **({"decided": made.decided} if made.decided else {})}
    text = _written(head, resources, told)
    scenario = scenario_of(text, "the export", None)
    if scenario.problems:
        raise InternalError(f"internal error: the export does not read back: {scenario.problems[0]}")
    return Exported(text, scenario, made.notes)


def left_out(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each resource in these records that no scenario can have."""
    found: dict[str, str] = {}
    for record in records:
        if record.get("fact") == "stands" and _is_registered(kind := codec.unpack(record["properties"]).type):
            found[record["resource"]] = kind
    return [
        f"{name} is left out: its type, {kind}, is a registered one, whose own monitor judges it; that is not replayed"
        for name, kind in found.items()
    ]


def _is_registered(kind: str) -> bool:
    return is_typed({"type": kind})


class _Recorded:
    """What becomes of the records, one after the other."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}
        self.facts: list[dict[str, Any]] = []
        self.decided: list[dict[str, Any]] = []
        self.on_giveover = "refuse"
        self.notes: list[str] = []
        self._from: dict[str, int] = {}
        """The first record of a resource that can be used."""
        self._number = -1
        self._boot = ""
        self._zero = 0.0
        """What is taken off the monotonic clock of this boot."""
        self._at = 0.0
        self._wall = ""
        self._judged: dict[str, dict[str, Any]] = {}
        """The last fact of each resource that a judge was told."""

    def look(self, records: list[Mapping[str, Any]]) -> None:
        """Where to begin with each resource."""
        properties: dict[str, Any] = {}
        before: dict[str, int] = {}
        for number, record in enumerate(records):
            name = record["resource"]
            if record.get("fact") == "stands":
                if properties.get(name) != record["properties"]:
                    if name in properties:
                        self.notes.append(
                            f"{name} has other properties since {record['at']}: what came before is not here"
                        )
                    properties[name] = record["properties"]
                    self._from[name] = number
            elif "fact" in record and name not in properties:
                before[name] = before.get(name, 0) + 1
            if record.get("on_giveover"):
                self.on_giveover = record["on_giveover"]
        known = {name: codec.unpack(packed) for name, packed in properties.items()}
        self.resources = {name: resource for name, resource in known.items() if not _is_registered(resource.type)}
        self.notes += [
            f"{name}: {n} older facts are not here: where it stood then is not known"
            for name, n in before.items()
            if name in self.resources or name not in known
        ]

    def take(self, record: Mapping[str, Any]) -> None:
        """One record."""
        self._number += 1
        name = record["resource"]
        if name not in self.resources or self._number < self._from[name]:
            return
        kind = record.get("fact", "")
        if kind == "stands":
            if self._number == self._from[name] or not record.get("again"):
                self._fact(record, stands=self._standing(record))
        elif kind == "step":
            self._step(record)
        elif kind == "judge":
            self._judge(record)
        elif kind == "unable":
            self._fact(record, answered=_Inline(kind="unable", message=record["message"]))
            self._decided(record, "MONITOR_FAILED" if record["failed"] else "Unable")
        elif record.get("event") in PERSONS:
            self._fact(record, asked=PERSONS[record["event"]])
        elif str(record.get("event", "")).startswith("status ") and not record.get("told"):
            self._decided(record, record["event"])

    def _step(self, record: Mapping[str, Any]) -> None:
        name = record["resource"]
        beside: dict[str, Any] = {}
        if record.get("around"):
            beside["around"] = _Inline(record["around"])
        if record.get("on_giveover", self.on_giveover) != self.on_giveover:
            beside["on_giveover"] = record["on_giveover"]
        if record.get("judged"):
            # it follows from what the judge was told, a moment before
            self._judged.get(name, {}).update(beside)
        else:
            if record["with"]:
                beside["with"] = _Inline(record["with"])
            self._fact(record, event=record["event"], **beside)
        if not record.get("ignored"):
            self._decided(record, f"{record['life']}, {record['status']}")

    def _judge(self, record: Mapping[str, Any]) -> None:
        beside = {"dead": True} if record.get("dead") else {}
        if record.get("probe"):
            fact = self._fact(record, answered=_Inline(record["probe"]), **beside)
        else:
            fact = self._fact(record, weighed=_Inline(record["score"]), **beside)
        self._judged[record["resource"]] = fact
        self._decided(record, record["verdict"])

    def _standing(self, record: Mapping[str, Any]) -> dict[str, Any]:
        zero = self._begin(record)
        view = dict(record["view"])
        if "at" in view:
            view["at"] = round(view["at"] - zero, 9)
        found: dict[str, Any] = {"view": _Inline(view)}
        for key in SHIFTED:
            if record[key]:
                found[key] = [
                    [round(each[0] - zero, 9), each[1]] if isinstance(each, list) else round(each - zero, 9)
                    for each in record[key]
                ]
        for key in ("timeouts", "monitor_failed", "alive"):
            if record[key]:
                found[key] = record[key]
        if not record["monitored"]:
            found["monitored"] = False
        return found

    def _fact(self, record: Mapping[str, Any], **what: Any) -> dict[str, Any]:
        fact = {"at": self._instant(record), "resource": record["resource"], **what}
        self.facts.append(fact)
        return fact

    def _decided(self, record: Mapping[str, Any], said: str) -> None:
        made = {"at": self._instant(record), "resource": record["resource"], "said": said}
        if record["because"]:
            made["because"] = record["because"]
        self.decided.append(made)

    def _begin(self, record: Mapping[str, Any]) -> float:
        """What is taken off the monotonic clock of the boot that the record is from."""
        if not self._wall or record["boot"] != self._boot:
            passed = 0.0
            if self._wall:
                away = datetime.fromisoformat(record["at"]) - datetime.fromisoformat(self._wall)
                passed = self._at + max(away.total_seconds(), 0.0)
            self._boot = record["boot"]
            self._zero = record["monotonic"] - passed
        self._wall = record["at"]
        return self._zero

    def _instant(self, record: Mapping[str, Any]) -> float:
        zero = self._begin(record)
        # decisions are told to the microsecond: they may not fall behind a fact before them
        self._at = max(self._at, round(record["monotonic"] - zero, 9))
        return self._at


# -- properties -------------------------------------------------------------------------------------------------------


def _properties(resource: Resource) -> dict[str, Any]:
    defaults = defaults_of(Resource)
    found: dict[str, Any] = {"start_command": _program(resource.start_command)}
    for key in ("stop_command", "probe_command"):
        command = getattr(resource, key)
        if command is not None:
            found[key] = _program(command)
    if resource.group != resource.name:
        found["group"] = resource.group
    if resource.failover_mode is not defaults["failover_mode"]:
        found["failover_mode"] = resource.failover_mode.value
    for key in JUDGED:
        value = getattr(resource, key)
        if value != defaults[key]:
            found[key] = value
    if resource.port_list:
        found["port_list"] = [str(port) for port in resource.port_list]
        found["network_aware"] = resource.network_aware
    if resource.exit_map is not None:
        pairs = {str(status): points for status, points in resource.exit_map.pairs}
        found["exit_map"] = _Inline({**pairs, "other": resource.exit_map.other})
    if resource.probe is not None:
        found["probe"] = _Inline(_probe(resource.probe))
    return found


def _program(command: Command) -> list[str]:
    words = command.text.split() if command.text else list(command.argv)
    return [words[0] if words else "sh"]


def _probe(probe: Probe) -> dict[str, Any]:
    asked: object = probe.target
    if probe.kind == "notify":
        asked = probe.interval or True
    elif probe.kind == "http":
        host = f"[{probe.host}]" if ":" in probe.host else probe.host
        asked = f"http://{host}:{probe.port}/"
    found: dict[str, Any] = {probe.kind: asked}
    defaults = defaults_of(Probe)
    if probe.expect != defaults["expect"]:
        found["expect"] = [f"{least}-{most}" for least, most in probe.expect]
    for key in ("refused_score", "timeout_score", "disconnect_score", "status_score", "error_score"):
        if getattr(probe, key) != defaults[key]:
            found[key] = getattr(probe, key)
    return found


# -- text -------------------------------------------------------------------------------------------------------------


class _Inline(dict, InlineTableDict):  # type: ignore[type-arg]  # `Any` is not there at run time
    """Written in one line."""


class _Encoder(toml.TomlPreserveInlineDictEncoder):  # type: ignore[type-arg]  # as above
    """With the two things `toml` gets wrong: keys of an inline table that are no bare keys, and its line's end."""

    def dump_inline_table(self, section: object) -> str:
        """`{a = 1, "b c" = 2}`."""
        if not isinstance(section, dict):
            return str(self.dump_value(section))
        inner = [f"{_key(k)} = {self.dump_inline_table(v).strip()}" for k, v in section.items()]
        return "{" + ", ".join(inner) + "}\n"


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else f'"{key}"'


def _written(*parts: dict[str, Any]) -> str:
    """The parts one after the other, for a person who looks into it."""
    for given in (parts, [_told_plainly(part) for part in parts]):
        text = "\n".join([toml.dumps(part, encoder=_Encoder()).strip("\n") + "\n" for part in given])
        try:
            if tomllib.loads(text) == {key: value for part in given for key, value in part.items()}:
                return text
        except tomllib.TOMLDecodeError:
            continue
    raise InternalError("internal error: the export is no TOML")


def _told_plainly(value: Any) -> Any:
    """Without the characters over which `toml` stumbles. The same in facts and in decisions, so they still agree."""
    if isinstance(value, str):
        return "".join([c if c.isprintable() and c != "\\" else "?" for c in value])
    if isinstance(value, dict):
        return type(value)({k: _told_plainly(v) for k, v in value.items()})
    if isinstance(value, list):
        return [_told_plainly(v) for v in value]
    return value
