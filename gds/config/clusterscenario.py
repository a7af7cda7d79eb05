"""A cluster scenario → a script for `simulate --cluster`, and the groups when the file declares them itself.

    description = "A node dies"
    until = "2m"                      # how long to play; else until nothing is due any more

    [cluster]
    nodes = ["n1", "n2", "n3"]
    lifetime = 10                     # L, M and R of the tenure, in seconds; these are the defaults
    margin = 2
    renew = 2
    start = 1                         # so long a group takes to come up, and to go down
    stop = 0.5

    [group.web]                       # as in a descriptor; or the descriptor is given beside the scenario
    nodelist = ["n1", "n2"]
    rg_affinities = ["++db"]

    [[fact]]
    at = 30                           # since the cluster started
    node = "n1"
    happens = "dies"                  # one of: dies, returns, cut off, healed

    [[fact]]
    at = 40
    node = "n2"
    asked = "evacuate"                # by a person, one of: evacuate, drain, resume

    [[fact]]
    at = 50
    group = "web"
    asked = "switch"                  # one of: switch, online, offline, suspend, resume
    to = ["n3"]                       # of a switch alone

    [[fact]]
    at = 60
    group = "web"
    gives_over = "the probe failed"   # its fault monitor asks to be rid of the node; `node`: which one

    [[fact]]                          # from now on, or for the next `times`, on that node …
    at = 70
    group = "web"
    node = "n2"
    monitor_check = "no disk"         # … its Monitor_check says no, because; "": yes
    # start = "why"                   # … or its Start fails, because; "": succeeds
    # stop = "why"                    # … or its Stop
    times = 1

Every fault is told with its place. Nothing in a scenario is executed, so anybody's may be read.
"""

from __future__ import annotations

from gds.clusterscript import (
    GROUP_ACTS,
    HAPPENINGS,
    NODE_ACTS,
    Asked,
    ClusterScript,
    Course,
    GivesOver,
    Happens,
    NodeAsked,
)
from gds.config.files import FileFault
from gds.config.load import Problem, Unreadable, parse
from gds.config.refusal import shown, unexpected
from gds.config.scenarioreading import ScenarioReading, declared_in, read_text, unread
from gds.config.scenariovalues import parse_text
from gds.config.values import parse_duration
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.clusterscript import Fact
    from gds.config.scenarioreading import Keys
    from gds.model.resource import Group

LARGEST = 8 << 20
"""Bytes."""
MOST = 10_000
"""Facts."""
TOP = ("description", "until", "cluster", "fact")
TIMES = ("lifetime", "margin", "renew", "start", "stop")
METHODS = {"start": "Start", "stop": "Stop", "monitor_check": "Monitor_check"}
KINDS = ("happens", "asked", "gives_over", *METHODS)
IN_FACT = ("at", "node", "group", *KINDS, "to", "times")


class ClusterScenario(Value):
    """What a file says; trusted only when there is no problem."""

    script: ClusterScript
    description: str = ""
    problems: tuple[Problem, ...] = ()


def read_cluster_scenario(path: str, groups: tuple[Group, ...] | None) -> ClusterScenario:
    """Read a scenario for these groups; None: it has to declare them itself."""
    try:
        text = read_text(path, LARGEST)
        data = parse(text)
    except (FileFault, Unreadable) as error:
        return ClusterScenario(ClusterScript(), "", (unread(path, error),))
    return _Reading(path, text).read(data, groups)


class _Reading(ScenarioReading):
    def __init__(self, path: str, text: str) -> None:
        super().__init__(path, text)
        self._nodes: tuple[str, ...] = ()
        self._groups: tuple[str, ...] = ()

    def read(self, data: dict[str, Any], given: tuple[Group, ...] | None) -> ClusterScenario:
        groups = self._declared(declared_in(data), given)
        self._groups = tuple([group.name for group in groups])
        self.unknown_at_top(data, TOP)
        description = self.value((), data, "description", "", parse_text)
        until = self.value((), data, "until", -1.0, parse_duration)
        cluster = data.get("cluster", {})
        if not isinstance(cluster, dict):
            self.fault(("cluster",), f"expected a table, not {shown(cluster)}")
            cluster = {}
        self.unknown(("cluster",), cluster, ("nodes", *TIMES))
        self._nodes = self.value(("cluster",), cluster, "nodes", (), _names)
        if not self._nodes:
            self.fault(("cluster",) if cluster else (), 'no node: expected [cluster] with nodes = ["n1", "n2"]')
        plain = ClusterScript()
        times = {
            key: self.value(("cluster",), cluster, key, getattr(plain, key), lambda v: parse_duration(v, 0.001))
            for key in TIMES
        }
        if not self.problems and times["margin"] >= times["lifetime"]:
            self.fault(("cluster",), f"margin {times['margin']:g} s leaves nothing of lifetime {times['lifetime']:g} s")
        facts = self._facts(data.get("fact", []))
        self.reaches(until, facts[-1].at if facts else 0.0)
        script = ClusterScript(self._nodes, groups, tuple(facts), **times, until=until)
        return ClusterScenario(script, description, self.in_order())

    def _declared(self, tables: dict[str, Any], given: tuple[Group, ...] | None) -> tuple[Group, ...]:
        if not self.declares(tables, given is not None, "group"):
            return given or ()
        # A group needs no resource here: what is played is where groups are, not what is in them.
        groups = tables.get("group", {})
        inside = tables.get("resource", {})
        if isinstance(groups, dict) and isinstance(inside, dict):
            taken = {r.get("group", name) if isinstance(r, dict) else name for name, r in inside.items()}
            bare = {name: {"start_command": name, "group": name} for name in groups if name not in taken}
            tables = {**tables, "resource": {**inside, **{f"{name}-app": table for name, table in bare.items()}}}
        return self.compiled(tables).groups

    def _facts(self, tables: object) -> list[Fact]:
        facts = self.tables("fact", tables)
        if len(facts) > MOST:
            self.fault(("fact",), f"a scenario may have {MOST} facts")
            return []
        found = [self._fact(("fact", number), table) for number, table in enumerate(facts)]
        return sorted([fact for fact in found if fact is not None], key=lambda fact: fact.at)

    def _fact(self, keys: Keys, table: dict[str, Any]) -> Fact | None:
        misspelt = self.unknown(keys, table, IN_FACT)
        at = self.at(keys, table, "the cluster started", parse_duration)
        kinds = self.kinds(keys, table, KINDS, misspelt)
        if len(kinds) != 1:
            return None
        kind = kinds[0]
        node = self.value(keys, table, "node", "", lambda v: _known(v, self._nodes, "node"))
        group = self.value(keys, table, "group", "", lambda v: _known(v, self._groups, "group"))
        for key, wanted in (("to", table.get("asked") == "switch"), ("times", kind in METHODS)):
            if key in table and not wanted:
                self.fault((*keys, key), f"{key} belongs to {'a switch' if key == 'to' else 'a method'}", on_key=True)
        about_node = kind == "happens" or (kind == "asked" and "group" not in table)
        for key in ("node",) if about_node else ("group", "node") if kind in METHODS else ("group",):
            if key not in table:
                self.fault(keys, f"{key} is missing: {kind} is about a {key}")
        if about_node and "group" in table:
            self.fault((*keys, "group"), f"{kind} is about a node", on_key=True)
        return self._made(keys, table, kind, at, node, group)

    def _made(self, keys: Keys, table: dict[str, Any], kind: str, at: float, node: str, group: str) -> Fact | None:
        if kind == "happens":
            what = self.value(keys, table, kind, "", lambda v: _word(v, HAPPENINGS))
            return Happens(at, node, what)
        if kind == "asked":
            acts = GROUP_ACTS if "group" in table else NODE_ACTS
            act = self.value(keys, table, kind, "", lambda v: _word(v, acts))
            if "group" not in table:
                return NodeAsked(at, node, act)
            none: tuple[str, ...] = ()
            to = self.value(
                keys, table, "to", none, lambda v: tuple([_known(n, self._nodes, "node") for n in _names(v)])
            )
            if act == "switch" and not to:
                self.fault(keys, 'to is missing: where a switch sends it, such as to = ["n2"]')
            return Asked(at, group, act, to)
        why = self.value(keys, table, kind, "", parse_text)
        if kind == "gives_over":
            return GivesOver(at, group, why, node)
        return Course(at, group, node, METHODS[kind], why, self.value(keys, table, "times", 0, _count))


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise unexpected("an array of names", value)
    return tuple(dict.fromkeys(value))


def _word(value: object, words: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in words:
        raise unexpected(f"one of {', '.join(words)}", value)
    return value


def _known(value: object, names: tuple[str, ...], what: str) -> str:
    if not isinstance(value, str) or value not in names:
        raise unexpected(f"a {what} ({', '.join(names) or 'there is none'})", value)
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise unexpected(f"a number from 1 to {MOST}", value)
    return value
