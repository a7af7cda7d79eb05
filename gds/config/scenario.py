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

from gds.config.files import FileFault
from gds.config.load import Problem, Unreadable, parse
from gds.config.refusal import did_you_mean, refused, shown, unexpected
from gds.config.scenarioreading import ScenarioReading, declared_in, read_text, unread
from gds.config.scenariorecord import Record
from gds.config.scenariovalues import (
    parse_boolean,
    parse_chance,
    parse_count,
    parse_death,
    parse_ending,
    parse_giveover,
    parse_pids,
    parse_reason,
    parse_text,
    parse_wait_status,
    parse_word,
    unwatched,
)
from gds.config.values import parse_duration
from gds.fault.score import Outcome
from gds.model.resource import Plan
from gds.model.value import Value
from gds.pmf import starting
from gds.rgm.control import Optag
from gds.script import (
    ACTS,
    GROUP_ACTS,
    Asked,
    Decision,
    Died,
    GroupAsked,
    Probed,
    Requested,
    Script,
    Sides,
    Siding,
    Starting,
    Starts,
    Stopping,
    Stops,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.config.scenarioreading import Keys
    from gds.model.resource import Resource
    from gds.script import Fact

ASKED = ("timeout", "cannot", "unable")
"""What may come of every probe that is asked."""
BUILT_IN = ("ok", "refused", "disconnect", "status", "error")
"""What else may come of a built-in one."""
ANSWERS = (*ASKED, *BUILT_IN)
TOP = ("description", "recorded", "until", "on_giveover", "chance", "fact", "decided")
SIDES = {"prenet_start": "Prenet_start", "postnet_stop": "Postnet_stop"}
KINDS = ("died", "probe", "asked", "control", "starts", "stops", *SIDES)
IN_FACT = ("at", "resource", "group", *KINDS, "message", "every", "times")
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
        text = read_text(path, LARGEST)
    except (FileFault, Unreadable) as error:
        return Scenario(Plan(), Script(), "", (unread(path, error),))
    return scenario_of(text, path, plan)


def scenario_of(text: str, path: str, plan: Plan | None) -> Scenario:
    """The same of a text; `path` is what problems name."""
    try:
        data = parse(text)
    except Unreadable as error:
        return Scenario(Plan(), Script(), "", (unread(path, error),))
    return _Reading(path, text).read(data, plan)


class _Reading(ScenarioReading):
    def __init__(self, path: str, text: str) -> None:
        super().__init__(path, text)
        self._resources: dict[str, Resource] = {}
        self._groups: tuple[str, ...] = ()

    def read(self, data: dict[str, Any], plan: Plan | None) -> Scenario:
        self._recorded = self.value((), data, "recorded", False, parse_boolean)
        plan = self._plan(declared_in(data), plan)
        self._resources = {r.name: r for r in plan.resources}
        self._groups = tuple([g.name for g in plan.groups])
        self.unknown_at_top(data, TOP)
        description = self.value((), data, "description", "", parse_text)
        until = self.value((), data, "until", -1.0, parse_duration)
        on_giveover = self.value((), data, "on_giveover", "refuse", parse_giveover)
        chance = self.value((), data, "chance", 0.5, parse_chance)
        record = Record(self, self._resource)
        facts = self._facts(data.get("fact", []), record)
        self.reaches(until, facts[-1].at if facts else 0.0)
        decided = [
            record.decision(("decided", number), table)
            for number, table in enumerate(self.tables("decided", data.get("decided", [])))
        ]
        script = Script(tuple(facts), until, on_giveover, chance, self._recorded)
        return Scenario(plan, script, description, self.in_order(), tuple(decided))

    def _plan(self, tables: dict[str, Any], given: Plan | None) -> Plan:
        if given is not None and self._recorded:
            return given
        if self.declares(tables, given is not None, "resource"):
            return self.compiled(tables)
        return Plan() if given is None else given

    # -- facts --------------------------------------------------------------------------------------------------------

    def _facts(self, tables: object, record: Record) -> list[Fact]:
        found: list[Fact] = []
        most = MOST_RECORDED if self._recorded else MOST
        for number, table in enumerate(self.tables("fact", tables)):
            keys: Keys = ("fact", number)
            if self._recorded:
                fact = record.fact(keys, table)
                found.extend([] if fact is None else [fact])
            else:
                fact = self._fact(keys, table)
                found.extend([] if fact is None else self._repeated(keys, table, fact))
            if len(found) > most:
                self.fault(keys, f"a scenario may have {most} facts, repeated ones included")
                break
        found.sort(key=lambda f: f.at)
        return found

    def _repeated(self, keys: Keys, table: dict[str, Any], fact: Fact) -> list[Fact]:
        every = self.value(keys, table, "every", 0.0, lambda v: parse_duration(v, 0.001))
        times = self.value(keys, table, "times", 1, lambda v: parse_count(v, 1, MOST))
        if ("every" in table) != ("times" in table):
            here, missing = ("every", "times") if "every" in table else ("times", "every")
            self.fault((*keys, here), f"{here} needs {missing}: a fact is repeated `times` times, one `every` so long")
        return [fact.replace(at=fact.at + n * every) for n in range(times)]

    def _fact(self, keys: Keys, table: dict[str, Any]) -> Fact | None:
        misspelt = self.unknown(keys, table, IN_FACT)
        at = self.at(keys, table, "the runner started", parse_duration)
        kinds = self.kinds(keys, table, KINDS, misspelt)
        if "message" in table and "probe" not in table:
            self.fault((*keys, "message"), "message is what a probe said; there is no probe here", on_key=True)
        if "group" in table:
            return self._of_group(keys, at, table, kinds)
        resource = self._resource(keys, table)
        if resource is None or len(kinds) != 1:
            return None
        message = self.value(keys, table, "message", "", parse_text)
        made: dict[str, Callable[[Any], Fact]] = {
            "died": lambda v: Died(at, resource.name, parse_death(v, resource)),
            "probe": lambda v: Probed(at, resource.name, _outcome(v, message, resource)),
            "asked": lambda v: Asked(at, resource.name, parse_word(v, ACTS)),
            "control": lambda v: Requested(at, resource.name, Optag(parse_word(v, tuple(Optag)))),
            "starts": lambda v: self._starts((*keys, "starts"), at, v, resource),
            "stops": lambda v: self._stops((*keys, "stops"), at, v, resource),
            "prenet_start": lambda v: self._sides((*keys, "prenet_start"), at, v, resource),
            "postnet_stop": lambda v: self._sides((*keys, "postnet_stop"), at, v, resource),
        }
        return self.value(keys, table, kinds[0], None, made[kinds[0]])

    def _of_group(self, keys: Keys, at: float, table: dict[str, Any], kinds: list[str]) -> Fact | None:
        if "resource" in table:
            self.fault((*keys, "group"), "a fact is about a resource or a group, not both", on_key=True)
        if kinds != ["asked"]:
            self.fault(keys, f"a group is only asked: asked = one of {', '.join(GROUP_ACTS)}")
            return None
        group = self.value(keys, table, "group", "", lambda v: parse_word(v, self._groups))
        act = self.value(keys, table, "asked", "", lambda v: parse_word(v, GROUP_ACTS))
        return GroupAsked(at, group, act) if group and act else None

    def _resource(self, keys: Keys, table: dict[str, Any]) -> Resource | None:
        if "resource" not in table:
            if len(self._resources) == 1:
                return next(iter(self._resources.values()))
            if self._resources:
                self.fault(keys, f"resource is missing: one of {', '.join(self._resources)}")
            return None
        name = table["resource"]
        if not isinstance(name, str):
            self.fault((*keys, "resource"), f"expected the name of a resource, not {shown(name)}")
        elif name not in self._resources and self._resources:
            hint = did_you_mean(name, self._resources, f"; declared: {', '.join(self._resources)}")
            self.fault((*keys, "resource"), f"there is no resource {shown(name)}{hint}")
        return self._resources.get(name) if isinstance(name, str) else None

    # -- courses ------------------------------------------------------------------------------------------------------

    def _starts(self, keys: Keys, at: float, table: object, resource: Resource) -> Starts:
        if not isinstance(table, dict):
            raise unexpected("a table such as {takes = 2}", table)
        self.unknown(keys, table, IN_START)
        takes = self.value(keys, table, "takes", -1.0, parse_duration)
        fails = self.value(keys, table, "fails", "", parse_reason)
        dies = self.value(keys, table, "dies", "", lambda v: parse_death(v, resource))
        hangs = self.value(keys, table, "hangs", False, parse_boolean)
        times = self.value(keys, table, "times", 0, lambda v: parse_count(v, 1, MOST))
        ends = [k for k in ("fails", "dies", "hangs") if table.get(k) not in (None, False)]
        if len(ends) > 1:
            self.fault((*keys, ends[1]), f"a start either {' or '.join(ends)}", on_key=True)
        if takes >= 0 and hangs:
            self.fault((*keys, "takes"), "a start that hangs takes start_timeout", on_key=True)
        elif takes >= 0 and not ends and starting.evidence(resource) == "grace":
            text = f"{resource.name} has no probe that could be asked: its start takes start_grace"
            self.fault((*keys, "takes"), text, on_key=True)
        elif dies and takes > resource.start_grace and starting.evidence(resource) == "grace":
            text = (
                f"{resource.name} has no probe that could be asked: its start is done after start_grace, and what ends"
            )
            self.fault((*keys, "takes"), f"{text} later has `died`", on_key=True)
        return Starts(at, resource.name, Starting(takes, fails, dies, hangs), times)

    def _stops(self, keys: Keys, at: float, table: object, resource: Resource) -> Stops:
        if not isinstance(table, dict):
            raise unexpected("a table such as {takes = 2}", table)
        self.unknown(keys, table, IN_STOP)
        takes = self.value(keys, table, "takes", 0.0, parse_duration)
        deaf = self.value(keys, table, "deaf", False, parse_boolean)
        nobody: tuple[int, ...] = ()
        leaves = self.value(keys, table, "leaves", nobody, parse_pids)
        hangs = table.get("command") == "hangs"
        command = "" if hangs else self.value(keys, table, "command", "", parse_ending)
        command_takes = self.value(keys, table, "command_takes", 0.0, parse_duration)
        times = self.value(keys, table, "times", 0, lambda v: parse_count(v, 1, MOST))
        for key in ("command", "command_takes"):
            if key in table and resource.stop_command is None:
                self.fault((*keys, key), f"{resource.name} has no stop_command", on_key=True)
        for key in ("takes", "deaf", "leaves"):
            if key in table and not resource.pmf_managed:
                self.fault((*keys, key), unwatched(resource), on_key=True)
        return Stops(at, resource.name, Stopping(takes, deaf, leaves, command, command_takes, hangs), times)

    def _sides(self, keys: Keys, at: float, table: object, resource: Resource) -> Sides:
        key = str(keys[-1])
        if not isinstance(table, dict):
            raise unexpected("a table such as {takes = 2}", table)
        if getattr(resource, f"{key}_command") is None:
            self.fault(keys, f"{resource.name} has no {key}_command", on_key=True)
        self.unknown(keys, table, IN_SIDE)
        takes = self.value(keys, table, "takes", 0.0, parse_duration)
        ended = self.value(keys, table, "fails", "", parse_ending)
        hangs = self.value(keys, table, "hangs", False, parse_boolean)
        times = self.value(keys, table, "times", 0, lambda v: parse_count(v, 1, MOST))
        return Sides(at, resource.name, SIDES[key], Siding(takes, ended, hangs), times)


def _outcome(value: object, message: str, resource: Resource) -> Outcome:
    if resource.is_told:
        return Outcome(parse_word(value, ("timeout",)), 0, message)
    if not resource.has_probe:
        raise refused(f"{resource.name} has no probe")
    if resource.probe_command is None:
        return Outcome(parse_word(value, ANSWERS), 0, message)
    if isinstance(value, str) and value in ASKED:
        return Outcome(value, 0, message)
    if isinstance(value, str) and value in BUILT_IN:
        raise refused(f"{shown(value)} is for built-in probes; {resource.name} has a probe_command")
    status = parse_wait_status(value)
    if status & 0x7F:
        return Outcome("signal", status & 0x7F, message)
    return Outcome("exit", status >> 8, message)
