"""A play for a cluster: nodes, groups, timed facts; and the transcript: every decision with its reason. Values only."""

from __future__ import annotations

from gds.model.resource import Group
from gds.model.value import Value

HAPPENINGS = ("dies", "returns", "cut off", "healed")
"""What may happen to a node."""
NODE_ACTS = ("evacuate", "drain", "resume")
"""What a person may ask of a node."""
GROUP_ACTS = ("switch", "online", "offline", "suspend", "resume")
"""What a person may ask of a group."""


class Happens(Value):
    """One of HAPPENINGS. `cut off`: its applications run on, but it reaches the store no more."""

    at: float
    node: str
    what: str


class NodeAsked(Value):
    """A person asks for one of NODE_ACTS."""

    at: float
    node: str
    act: str


class Asked(Value):
    """A person asks for one of GROUP_ACTS; `to`: where a switch sends it."""

    at: float
    group: str
    act: str
    to: tuple[str, ...] = ()


class GivesOver(Value):
    """The fault monitor of a group asks to be rid of the node. "": the node where it is online."""

    at: float
    group: str
    because: str
    node: str = ""


class Course(Value):
    """How it goes on a node from now on: `method` is "Start", "Stop" or "Monitor_check"; `fails`: why it fails ("" = it
    succeeds); so many `times` (0: for good)."""

    at: float
    group: str
    node: str
    method: str
    fails: str
    times: int = 0


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Fact: TypeAlias = Happens | NodeAsked | Asked | GivesOver | Course


class ClusterScript(Value):
    """The play. Seconds: `lifetime` L, `margin` M and `renew` R of rgm/tenure.py; a group takes `start` to come up and
    `stop` to go down. `until`: how long to play; -1: until nothing is due any more."""

    nodes: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    facts: tuple[Fact, ...] = ()
    lifetime: float = 10.0
    margin: float = 2.0
    renew: float = 2.0
    start: float = 1.0
    stop: float = 0.5
    until: float = -1.0


class Line(Value):
    """Something that happened at an instant, about a node or a group: a "fact", what was "decided", what was "done"."""

    at: float
    about: str
    kind: str
    text: str


class Standing(Value):
    """A group at the end: `masters` are (node, state, since). `away`: seconds in which it was online nowhere although
    people wanted it, after it had been online once."""

    group: str
    masters: tuple[tuple[str, str, float], ...]
    because: str
    away: float = 0.0


class ClusterTranscript(Value):
    """The whole play. `cut`: there was no end to it."""

    lines: tuple[Line, ...]
    nodes: tuple[tuple[str, str], ...]
    groups: tuple[Standing, ...]
    at: float
    cut: bool = False
