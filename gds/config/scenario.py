"""A scenario file → a script for `simulate`, and the plan when the file declares resources itself.

    description = "A death is a failure whatever the exit status"
    until = "10m"                     # how long to play; else until nothing is due any more
    on_giveover = "exit"              # or "refuse", the default
    chance = 0.5                      # 0..1, for the 10 % more or less of a restart delay

    [resource.web]                    # as in a descriptor; or the descriptor is given beside the scenario
    start_command = "web"
    probe_command = "ask-web"

    [[fact]]
    at = 30                           # since the runner started
    resource = "web"                  # may be left out where there is only one
    died = 0                          # its last process ended: an exit status, or "SIGKILL"

    [[fact]]
    at = "1m"
    probe = 50                        # an exit status, "SIGKILL", or one of ANSWERS
    message = "slow"
    every = "30s"                     # again and again …
    times = 3                         # … so often in all

    [[fact]]
    at = 200
    asked = "restart"                 # one of ACTS, by a person

    [[fact]]                          # from now on, or for the next `times`, a Start
    at = 210
    starts = {takes = 2}              # … takes so long; {fails = "why"}, {dies = 1}, {hangs = true}

    [[fact]]                          # and a Stop: its tree ends after `takes` seconds; deaf = true: only by SIGKILL;
    at = 210                          # leaves = [4711]: not even by that; stop_command ends as `command` says, an exit
    stops = {deaf = true, times = 1}  # status or "hangs", after `command_takes` seconds

    [[fact]]                          # and Prenet_start, or postnet_stop: its command ends after `takes` seconds;
    at = 220                          # {fails = 1}: so; {hangs = true}: never
    prenet_start = {takes = 2}

    [[fact]]
    at = 225
    control = "RESOURCE_RESTART"      # root asks for that through scha_control, as monitors and methods do

    [[fact]]
    at = 230
    group = "shop"
    asked = "offline"                 # one of GROUP_ACTS, by a person

A scenario that a runner recorded (`gds history --export`) says `recorded = true`. Nothing in it comes by itself: beside
`died` and `asked`, its facts are

    stands = {view = {...}}           # where the resource stood, and what its monitor remembered
    event = "StopSucceeded"           # what the RGM was told; with = {because = "..."} holds what belongs to it, and
                                      # around = {...} what the other resources had to say
    weighed = {points = 100, ...}     # what the judge was told, where no probe gave it
    answered = {kind = "exit", ...}   # ... and where a probe did

and `[[decided]]` is what was decided then: `at`, `resource`, `said`, `because`. Any scenario may have such tables;
`gds simulate` compares. A descriptor given beside a recorded one takes the place of the properties it was recorded
with: what would have been decided with others?

Every fault is told with its place, as `gds check` does. Nothing in a scenario is executed, so anybody's may be read.
"""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from gds.config.compile import compile_plan, questions
from gds.config.declared import Fault
from gds.config.files import FileFault, read_trusted
from gds.config.load import Problem, Unreadable, decode, parse, shown_keys
from gds.config.positions import Positions
from gds.config.reading import read_document, written
from gds.config.refusal import did_you_mean, refused, shown, unexpected
from gds.config.values import parse_duration, parse_signal
from gds.fault.history import MonitorState
from gds.fault.score import SAID, Outcome, Score
from gds.model.ending import how_it_ended, signal_name
from gds.model.resource import Plan
from gds.model.state import ResourceStatus
from gds.model.value import Value, defaults_of, fields_of
from gds.model.window import Mark, Window
from gds.pmf import starting
from gds.rgm.control import Optag
from gds.rgm.events import EVENTS
from gds.rgm.resource import ALONE, Around, Life, ResourceView
from gds.script import (
    ACTS,
    GROUP_ACTS,
    Asked,
    Decision,
    Died,
    GroupAsked,
    Happened,
    Probed,
    Requested,
    Script,
    Sides,
    Siding,
    Stands,
    Starting,
    Starts,
    Stopping,
    Stops,
    Weighed,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from gds.model.resource import Resource
    from gds.script import Fact

    Keys = tuple[str | int, ...]
    T = TypeVar("T")
    V = TypeVar("V", bound=Value)

ANYBODY = -1
"""Whom `read_trusted` does not protect: nothing here is executed."""
ASKED = ("timeout", "cannot", "unable")
"""What may come of every probe that is asked."""
BUILT_IN = ("ok", "refused", "disconnect", "status", "error")
"""What else may come of a built-in one."""
ANSWERS = (*ASKED, *BUILT_IN)
TOP = ("description", "recorded", "until", "on_giveover", "chance", "fact", "decided")
TABLES = ("resource", "group")
SIDES = {"prenet_start": "Prenet_start", "postnet_stop": "Postnet_stop"}
KINDS = ("died", "probe", "asked", "control", "starts", "stops", *SIDES)
IN_FACT = ("at", "resource", "group", *KINDS, "message", "every", "times")
RECORDED_KINDS = ("stands", "event", "weighed", "answered", "asked")
IN_RECORDED = ("at", "resource", *RECORDED_KINDS, "with", "around", "on_giveover", "dead")
IN_STANDS = ("view", "scores", "restarts", "timeouts", "unable", "monitored", "monitor_failed", "alive")
IN_DECIDED = ("at", "resource", "said", "because")
BY_NAME = {kind.__name__: kind for kind in EVENTS}
IN_START = ("takes", "fails", "dies", "hangs", "times")
IN_SIDE = ("takes", "fails", "hangs", "times")
IN_STOP = ("takes", "deaf", "leaves", "command", "command_takes", "times")
MOST = 10_000
"""Facts of a script that a person wrote."""
MOST_RECORDED = 100_000
LARGEST = 64 << 20
"""Bytes: a recorded scenario is no descriptor."""


class Scenario(Value):
    """What a file says; trusted only when there is no problem."""

    plan: Plan
    script: Script
    description: str
    problems: tuple[Problem, ...]
    decided: tuple[Decision, ...] = ()
    """What was decided when it was recorded, or what has to be."""


def read_scenario(path: str, plan: Plan | None) -> Scenario:
    """Read a scenario for the resources of `plan`; None: it has to declare them itself."""
    try:
        text = decode(read_trusted(path, ANYBODY, LARGEST))
    except FileFault as error:
        return _unreadable(Problem(path, 0, 0, "", str(error)))
    except Unreadable as error:
        return _unreadable(Problem(path, error.line, error.column, error.key, str(error)))
    return scenario_of(text, path, plan)


def scenario_of(text: str, path: str, plan: Plan | None) -> Scenario:
    """The same of a text; `path` is what problems name."""
    try:
        data = parse(text)
    except Unreadable as error:
        return _unreadable(Problem(path, error.line, error.column, error.key, str(error)))
    return _Reading(path, text).read(data, plan)


def _unreadable(problem: Problem) -> Scenario:
    return Scenario(Plan(), Script(), "", (problem,))


class _Reading:
    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._positions: Positions | None = None
        """Made for the first fault: a long recording that is sound is not looked through."""
        self._problems: list[Problem] = []
        self._resources: dict[str, Resource] = {}
        self._groups: tuple[str, ...] = ()

    def read(self, data: dict[str, Any], plan: Plan | None) -> Scenario:
        self._recorded = self._value((), data, "recorded", False, _boolean)
        plan = self._plan({k: v for k, v in data.items() if k in TABLES}, plan)
        self._resources = {r.name: r for r in plan.resources}
        self._groups = tuple([g.name for g in plan.groups])
        known = (*TOP, *TABLES)
        self._unknown((), {k: v for k, v in data.items() if k not in TABLES}, TOP, known)
        description = self._value((), data, "description", "", _text)
        until = self._value((), data, "until", -1.0, parse_duration)
        on_giveover = self._value((), data, "on_giveover", "refuse", _giveover)
        chance = self._value((), data, "chance", 0.5, _chance)
        facts = self._facts(data.get("fact", []))
        if facts and 0 <= until < facts[-1].at:
            self._fault(("until",), f"the play ends before its last fact, at {facts[-1].at:g} s")
        decided = self._tables("decided", data.get("decided", []), self._decision)
        self._problems.sort(key=lambda p: (p.line, p.column))
        script = Script(tuple(facts), until, on_giveover, chance, self._recorded)
        return Scenario(plan, script, description, tuple(self._problems), tuple(decided))

    # -- the plan -----------------------------------------------------------------------------------------------------

    def _plan(self, tables: dict[str, Any], given: Plan | None) -> Plan:
        if given is not None:
            for key in () if self._recorded else tables:
                self._fault((key,), "resources are declared here and in the descriptor given beside it", on_key=True)
            return given
        if not tables:
            self._fault(
                (), "nothing is declared; expected a table [resource.NAME], or a descriptor beside the scenario"
            )
            return Plan()
        document = read_document(tables, self._path)
        # This machine is not asked whether commands and users exist, and HARD is taken at its word: nothing is run.
        compiled = compile_plan(document.tables, dict.fromkeys(questions(document.tables), ""), can_abort=True)
        for fault in (*document.faults, *compiled.faults):
            self._placed(fault, written(document.spelled, fault.keys))
        return compiled.plan

    def _placed(self, fault: Fault, keys: Keys) -> None:
        self._fault(keys, fault.message, on_key=fault.on_key)

    # -- facts --------------------------------------------------------------------------------------------------------

    def _facts(self, tables: object) -> list[Fact]:
        found: list[Fact] = []
        most = MOST_RECORDED if self._recorded else MOST

        def read(keys: Keys, table: dict[str, Any]) -> None:
            if len(found) > most:
                return
            if self._recorded:
                fact = self._told(keys, table)
                found.extend([] if fact is None else [fact])
            else:
                fact = self._fact(keys, table)
                found.extend([] if fact is None else self._repeated(keys, table, fact))
            if len(found) > most:
                self._fault(keys, f"a scenario may have {most} facts, repeated ones included")

        self._tables("fact", tables, read)
        found.sort(key=lambda f: f.at)
        return found

    def _tables(self, key: str, tables: object, read: Callable[[Keys, dict[str, Any]], T]) -> list[T]:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self._fault((key,), f"expected tables [[{key}]], not {shown(tables)}")
            return []
        return [read((key, number), table) for number, table in enumerate(tables)]

    def _repeated(self, keys: Keys, table: dict[str, Any], fact: Fact) -> list[Fact]:
        every = self._value(keys, table, "every", 0.0, lambda v: parse_duration(v, 0.001))
        times = self._value(keys, table, "times", 1, lambda v: _count(v, 1, MOST))
        if ("every" in table) != ("times" in table):
            here, missing = ("every", "times") if "every" in table else ("times", "every")
            self._fault((*keys, here), f"{here} needs {missing}: a fact is repeated `times` times, one `every` so long")
        return [fact.replace(at=fact.at + n * every) for n in range(times)]

    def _fact(self, keys: Keys, table: dict[str, Any]) -> Fact | None:
        misspelt = self._unknown(keys, table, IN_FACT, IN_FACT)
        at = self._value(keys, table, "at", 0.0, parse_duration)
        if "at" not in table:
            self._fault(keys, "at is missing: the seconds since the runner started")
        kinds = [k for k in KINDS if k in table]
        if len(kinds) > 1 or (not kinds and not misspelt):
            there = f", not {' and '.join(kinds)}" if kinds else ""
            self._fault((*keys, kinds[1]) if kinds else keys, f"expected one of {', '.join(KINDS)}{there}")
        if "message" in table and "probe" not in table:
            self._fault((*keys, "message"), "message is what a probe said; there is no probe here", on_key=True)
        if "group" in table:
            return self._of_group(keys, at, table, kinds)
        resource = self._resource(keys, table)
        if resource is None or len(kinds) != 1:
            return None
        message = self._value(keys, table, "message", "", _text)
        made: dict[str, Callable[[Any], Fact]] = {
            "died": lambda v: Died(at, resource.name, _death(v, resource)),
            "probe": lambda v: Probed(at, resource.name, _outcome(v, message, resource)),
            "asked": lambda v: Asked(at, resource.name, _word(v, ACTS)),
            "control": lambda v: Requested(at, resource.name, Optag(_word(v, tuple(Optag)))),
            "starts": lambda v: self._starts((*keys, "starts"), at, v, resource),
            "stops": lambda v: self._stops((*keys, "stops"), at, v, resource),
            "prenet_start": lambda v: self._sides((*keys, "prenet_start"), at, v, resource),
            "postnet_stop": lambda v: self._sides((*keys, "postnet_stop"), at, v, resource),
        }
        return self._value(keys, table, kinds[0], None, made[kinds[0]])

    def _of_group(self, keys: Keys, at: float, table: dict[str, Any], kinds: list[str]) -> Fact | None:
        if "resource" in table:
            self._fault((*keys, "group"), "a fact is about a resource or a group, not both", on_key=True)
        if kinds != ["asked"]:
            self._fault(keys, f"a group is only asked: asked = one of {', '.join(GROUP_ACTS)}")
            return None
        group = self._value(keys, table, "group", "", lambda v: _word(v, self._groups))
        act = self._value(keys, table, "asked", "", lambda v: _word(v, GROUP_ACTS))
        return GroupAsked(at, group, act) if group and act else None

    def _resource(self, keys: Keys, table: dict[str, Any]) -> Resource | None:
        if "resource" not in table:
            if len(self._resources) == 1:
                return next(iter(self._resources.values()))
            if self._resources:
                self._fault(keys, f"resource is missing: one of {', '.join(self._resources)}")
            return None
        name = table["resource"]
        if not isinstance(name, str):
            self._fault((*keys, "resource"), f"expected the name of a resource, not {shown(name)}")
        elif name not in self._resources and self._resources:
            hint = did_you_mean(name, self._resources, f"; declared: {', '.join(self._resources)}")
            self._fault((*keys, "resource"), f"there is no resource {shown(name)}{hint}")
        return self._resources.get(name) if isinstance(name, str) else None

    # -- what was recorded --------------------------------------------------------------------------------------------

    def _told(self, keys: Keys, table: dict[str, Any]) -> Fact | None:
        misspelt = self._unknown(keys, table, IN_RECORDED, IN_RECORDED)
        if "at" not in table:
            self._fault(keys, "at is missing: the seconds since the record begins")
        at = self._value(keys, table, "at", 0.0, _instant)
        kinds = [k for k in RECORDED_KINDS if k in table]
        if len(kinds) > 1 or (not kinds and not misspelt):
            there = f", not {' and '.join(kinds)}" if kinds else ""
            self._fault((*keys, kinds[1]) if kinds else keys, f"expected one of {', '.join(RECORDED_KINDS)}{there}")
        resource = self._resource(keys, table)
        dead = self._value(keys, table, "dead", False, _boolean)
        on_giveover = self._value(keys, table, "on_giveover", "", _giveover)
        around = self._record((*keys, "around"), table.get("around", {}), Around) or ALONE
        if resource is None or len(kinds) != 1:
            return None
        name, what = resource.name, table[kinds[0]]
        inner = (*keys, kinds[0])
        if kinds[0] == "stands":
            return self._stands(inner, at, name, what)
        if kinds[0] == "event":
            known = self._value(keys, table, "event", "", lambda v: _word(v, tuple(BY_NAME)))
            event: Any = self._record((*keys, "with"), table.get("with", {}), BY_NAME[known]) if known else None
            return None if event is None else Happened(at, name, event, around, on_giveover)
        if kinds[0] == "weighed":
            score = self._record(inner, what, Score)
            return None if score is None else Weighed(at, name, score, dead, around, on_giveover)
        if kinds[0] == "answered":
            outcome = self._record(inner, what, Outcome)
            if outcome is not None and outcome.kind not in (*SAID, "exit", "signal"):
                self._fault((*inner, "kind"), f"expected one of exit, signal, {', '.join(SAID)}")
                return None
            return None if outcome is None else Probed(at, name, outcome, dead, around, on_giveover)
        act = self._value(keys, table, "asked", "", lambda v: _word(v, ACTS))
        return Asked(at, name, act, around, on_giveover) if act else None

    def _stands(self, keys: Keys, at: float, name: str, table: object) -> Stands | None:
        if not isinstance(table, dict):
            self._fault(keys, f"expected a table, not {shown(table)}")
            return None
        self._unknown(keys, table, IN_STANDS, IN_STANDS)
        view = self._record((*keys, "view"), table.get("view", {}), ResourceView, name=name)
        history = MonitorState(
            Window(self._value(keys, table, "scores", (), _marks)),
            Window(self._value(keys, table, "restarts", (), _marks)),
            self._value(keys, table, "timeouts", 0, lambda v: _count(v, 0, 1 << 30)),
        )
        unable = Window(self._value(keys, table, "unable", (), _marks))
        monitored = self._value(keys, table, "monitored", True, _boolean)
        failed = self._value(keys, table, "monitor_failed", False, _boolean)
        alive = self._value(keys, table, "alive", False, _boolean)
        return None if view is None else Stands(at, name, view, history, unable, monitored, failed, alive)

    def _record(self, keys: Keys, table: object, kind: type[V], **given: object) -> V | None:
        """A value of ours, field by field; None: it is not one, and that has been told."""
        if not isinstance(table, dict):
            self._fault(keys, f"expected a table, not {shown(table)}")
            return None
        before = len(self._problems)
        fields, defaults = fields_of(kind), defaults_of(kind)
        self._unknown(keys, table, fields, fields)
        types: dict[str, str] = kind.__annotations__
        for field in fields:
            if field in table:
                given[field] = self._value(keys, table, field, None, FIELDS[types[field]])
            elif field not in defaults and field not in given:
                self._fault(keys, f"{field} is missing")
        return kind(**given) if len(self._problems) == before else None

    def _decision(self, keys: Keys, table: dict[str, Any]) -> Decision:
        self._unknown(keys, table, IN_DECIDED, IN_DECIDED)
        at = self._value(keys, table, "at", 0.0, _instant)
        resource = self._resource(keys, table)
        if "said" not in table:
            self._fault(keys, 'said is missing: a life and status, such as "ONLINE, OK", a verdict, or "status OK"')
        said = self._value(keys, table, "said", "", _text)
        because = self._value(keys, table, "because", "", _text)
        return Decision(at, resource.name if resource is not None else "", said, because)

    # -- courses ------------------------------------------------------------------------------------------------------

    def _starts(self, keys: Keys, at: float, table: object, resource: Resource) -> Starts:
        if not isinstance(table, dict):
            raise unexpected("a table such as {takes = 2}", table)
        self._unknown(keys, table, IN_START, IN_START)
        takes = self._value(keys, table, "takes", -1.0, parse_duration)
        fails = self._value(keys, table, "fails", "", _given)
        dies = self._value(keys, table, "dies", "", lambda v: _death(v, resource))
        hangs = self._value(keys, table, "hangs", False, _boolean)
        times = self._value(keys, table, "times", 0, lambda v: _count(v, 1, MOST))
        ends = [k for k in ("fails", "dies", "hangs") if table.get(k) not in (None, False)]
        if len(ends) > 1:
            self._fault((*keys, ends[1]), f"a start either {' or '.join(ends)}", on_key=True)
        if takes >= 0 and hangs:
            self._fault((*keys, "takes"), "a start that hangs takes start_timeout", on_key=True)
        elif takes >= 0 and not ends and starting.evidence(resource) == "grace":
            text = f"{resource.name} has no probe that could be asked: its start takes start_grace"
            self._fault((*keys, "takes"), text, on_key=True)
        elif dies and takes > resource.start_grace and starting.evidence(resource) == "grace":
            text = (
                f"{resource.name} has no probe that could be asked: its start is done after start_grace, and what ends"
            )
            self._fault((*keys, "takes"), f"{text} later has `died`", on_key=True)
        return Starts(at, resource.name, Starting(takes, fails, dies, hangs), times)

    def _stops(self, keys: Keys, at: float, table: object, resource: Resource) -> Stops:
        if not isinstance(table, dict):
            raise unexpected("a table such as {takes = 2}", table)
        self._unknown(keys, table, IN_STOP, IN_STOP)
        takes = self._value(keys, table, "takes", 0.0, parse_duration)
        deaf = self._value(keys, table, "deaf", False, _boolean)
        nobody: tuple[int, ...] = ()
        leaves = self._value(keys, table, "leaves", nobody, _pids)
        hangs = table.get("command") == "hangs"
        command = "" if hangs else self._value(keys, table, "command", "", _ending)
        command_takes = self._value(keys, table, "command_takes", 0.0, parse_duration)
        times = self._value(keys, table, "times", 0, lambda v: _count(v, 1, MOST))
        for key in ("command", "command_takes"):
            if key in table and resource.stop_command is None:
                self._fault((*keys, key), f"{resource.name} has no stop_command", on_key=True)
        for key in ("takes", "deaf", "leaves"):
            if key in table and not resource.pmf_managed:
                self._fault((*keys, key), _unwatched(resource), on_key=True)
        return Stops(at, resource.name, Stopping(takes, deaf, leaves, command, command_takes, hangs), times)

    def _sides(self, keys: Keys, at: float, table: object, resource: Resource) -> Sides:
        key = str(keys[-1])
        if not isinstance(table, dict):
            raise unexpected("a table such as {takes = 2}", table)
        if getattr(resource, f"{key}_command") is None:
            self._fault(keys, f"{resource.name} has no {key}_command", on_key=True)
        self._unknown(keys, table, IN_SIDE, IN_SIDE)
        takes = self._value(keys, table, "takes", 0.0, parse_duration)
        ended = self._value(keys, table, "fails", "", _ending)
        hangs = self._value(keys, table, "hangs", False, _boolean)
        times = self._value(keys, table, "times", 0, lambda v: _count(v, 1, MOST))
        return Sides(at, resource.name, SIDES[key], Siding(takes, ended, hangs), times)

    # -- faults -------------------------------------------------------------------------------------------------------

    def _value(self, keys: Keys, table: dict[str, Any], key: str, default: T, read: Callable[[Any], T]) -> T:
        """The value of a key, read; its default where it is missing, or refused."""
        if key not in table:
            return default
        try:
            return read(table[key])
        except PydanticCustomError as error:
            self._fault((*keys, key, *(error.context or {}).get("at", ())), error.message())
            return default

    def _unknown(self, keys: Keys, table: dict[str, Any], allowed: tuple[str, ...], known: tuple[str, ...]) -> bool:
        """Tells of every key that is not `allowed`; whether there is one."""
        found = [key for key in table if key not in allowed]
        for key in found:
            hint = did_you_mean(key, known, f"; known: {', '.join(known)}")
            self._fault((*keys, key), f"unknown key{hint}", on_key=True)
        return bool(found)

    def _fault(self, keys: Keys, message: str, on_key: bool = False) -> None:
        if self._positions is None:
            self._positions = Positions(self._text)
        place = self._positions.place(self._positions.offset_of(keys, on_key))
        self._problems.append(Problem(self._path, place.line, place.column, shown_keys(keys), message))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise unexpected("a string", value)
    return value


def _given(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise unexpected("a sentence that says why", value)
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise unexpected("true or false", value)
    return value


def _word(value: object, words: tuple[str, ...]) -> str:
    if value not in words:
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        raise refused(f"expected one of {', '.join(words)}, not {shown(value)}{hint}")
    return str(value)


def _giveover(value: object) -> str:
    return _word(value, ("refuse", "exit"))


def _chance(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise unexpected("a number from 0 to 1", value)
    return float(value)


def _count(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise unexpected(f"a whole number from {least} to {most}", value)
    return value


def _pids(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise unexpected("an array of process ids", value)
    return tuple([_count(pid, 1, 1 << 22) for pid in value])


def _wait_status(value: object) -> int:
    """As os.waitpid would say it."""
    if isinstance(value, str):
        return parse_signal(value)
    return _count(value, 0, 255) << 8


def _death(value: object, resource: Resource) -> str:
    if not resource.pmf_managed:
        raise refused(_unwatched(resource))
    return how_it_ended(_wait_status(value))


def _unwatched(resource: Resource) -> str:
    return f"pmf_managed of {resource.name} is false: none of its processes is watched"


def _ending(value: object) -> str:
    status = _wait_status(value)
    if status & 0x7F:
        return f"was killed by {signal_name(status & 0x7F)}"
    return f"exited with status {status >> 8}" if status else ""


def _outcome(value: object, message: str, resource: Resource) -> Outcome:
    if resource.is_told:
        return Outcome(_word(value, ("timeout",)), 0, message)
    if not resource.has_probe:
        raise refused(f"{resource.name} has no probe")
    if resource.probe_command is None:
        return Outcome(_word(value, ANSWERS), 0, message)
    if isinstance(value, str) and value in ASKED:
        return Outcome(value, 0, message)
    if isinstance(value, str) and value in BUILT_IN:
        raise refused(f"{shown(value)} is for built-in probes; {resource.name} has a probe_command")
    status = _wait_status(value)
    if status & 0x7F:
        return Outcome("signal", status & 0x7F, message)
    return Outcome("exit", status >> 8, message)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise unexpected("a number", value)
    return float(value)


def _instant(value: object) -> float:
    """Seconds since the record begins."""
    number = _number(value)
    if number < 0:
        raise unexpected("seconds, 0 or more", value)
    return number


def _marks(value: object) -> tuple[Mark, ...]:
    """Instants, or pairs of instant and weight; before the record begins they are negative."""
    if not isinstance(value, list):
        raise unexpected("an array", value)
    made = []
    for each in value:
        pair = each if isinstance(each, list) else [each, 1]
        if len(pair) != 2:
            raise unexpected("a number, or two", each)
        made.append(Mark(_number(pair[0]), _count(pair[1], 0, 1 << 30)))
    return tuple(sorted(made, key=lambda m: m.at))


FIELDS: dict[str, Callable[[object], object]] = {
    "str": _text,
    "bool": _boolean,
    "float": _number,
    "int": lambda v: _count(v, -(1 << 31), 1 << 31),
    "Life": lambda v: Life(_word(v, tuple(Life))),
    "ResourceStatus": lambda v: ResourceStatus(_word(v, tuple(ResourceStatus))),
}
"""How a field of a value is read, by its type."""
