"""What is done to the cluster: each kind of fault with its bound, and a schedule of them made from a seed.

Pure: a seed gives the same schedule for ever, so that what it found can be had again. Who is hit is said by a *role*
(the master of a group, the node whose etcd member leads), which the trial resolves when the time comes.

Bounds are seconds, a × L + b with L the lifetime of a node's record (engines.md 5.3): a node that is cut off or dead is
taken for dead after 1.01 L, and a start takes its time; `b` has one more second for a machine that does other work.
"""

from __future__ import annotations

import random
from typing import NamedTuple

GROUPS = {"web": ("n1", "n2", "n3"), "db": ("n2", "n3", "n1")}
"""The groups of the trial, and their nodelists."""
NODES = ("n1", "n2", "n3")
STOP_TIMEOUT = 4.0
START_TIMEOUT = 8.0
QUIET = (0.0, 1.0)
"""The bound of what nobody may notice: a second for a busy machine, and the same instance must go on."""
TAKEN_OVER = (1.01, 3.0)
"""The bound of what another node takes over because the old one is silent."""
HEALED = (1.01, 5.0)
"""The bound of what comes back when a majority of etcd is there again: an election comes first."""

ELECTING = ("cut", "cut-short", "cut-pair", "oneway", "loss", "starve", "node-crash", "etcd-kill", "etcd-pause")
"""When these hit the node whose etcd member leads, another is elected first: 2.2 s, or 3.5 with two split votes."""
BEARS_ELECTIONS = 8.0
"""From this lifetime on even the long ones are not noticed; with a shorter one all groups count as hit."""


class Kind(NamedTuple):
    """A kind of fault. `roles`: whom it may hit; `lasts`: seconds until it is undone, in parts of L and seconds:
    (a, b) to (c, d); `hits`: "node" (the groups mastered there), "group" (the role's group), "all".
    `keeps`, `from_healing`, `tolerates`, `forgets`: see checker.Fault. `weight`: how often it comes."""

    name: str
    about: str
    roles: tuple[str, ...]
    lasts: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))
    bound: tuple[float, float] = QUIET
    hits: str = "node"
    keeps: str = ""
    from_healing: bool = False
    weight: int = 4
    tolerates: float = 0.0
    forgets: bool = False

    def bound_at(self, lifetime: float) -> float:
        """Seconds."""
        return self.bound[0] * lifetime + self.bound[1]

    def lasting(self, lifetime: float, part: float) -> float:
        """Seconds until it is undone; `part` of the range, 0 to 1."""
        low, high = (a * lifetime + b for a, b in self.lasts)
        return low + (high - low) * part


MASTERS = ("master of web", "master of db")
ANY = (*NODES, *MASTERS)
MEMBERS = (*NODES, "leader", *MASTERS)
SHORT = ((0.0, 0.2), (0.0, 1.0))
"""Well within what a node bears without an answer."""
SPENT = ((1.0, 3.0), (1.0, 3.0))
AROUND = ((0.4, 0.0), (1.0, 3.0))
"""From before the deadline to well after the take-over."""

KINDS = {
    kind.name: kind
    for kind in (
        Kind("runner-kill", "SIGKILL to the runner, which is started again", ANY, keeps="instance", weight=8),
        Kind("runner-pause", "SIGSTOP to the runner, SIGCONT in time", ANY, SHORT, keeps="instance"),
        Kind("runner-stop", "SIGSTOP to the runner, beyond its deadline", ANY, AROUND, TAKEN_OVER, weight=6),
        Kind("runner-down", "SIGKILL to the runner, nobody starts it", MASTERS, AROUND, TAKEN_OVER, weight=6),
        Kind("runner-term", "TERM to the runner, started again", ANY, ((0, 0.2), (0, 2)), (0.0, STOP_TIMEOUT + 3)),
        Kind("guard-kill", "SIGKILL to the guard", ANY, bound=TAKEN_OVER, weight=6),
        Kind("guard-pause", "SIGSTOP to the guard, SIGCONT later", ANY, ((0, 0.2), (1, 1)), TAKEN_OVER),
        Kind("app-kill", "SIGKILL to the application", MASTERS, bound=(0.0, 2.0), hits="group", keeps="mastery"),
        Kind("app-pause", "SIGSTOP to the application, SIGCONT later", MASTERS, ((0, 0.2), (0, 3)), QUIET, "group",
             "instance", from_healing=True),
        Kind("node-crash", "all of a node killed at once, its etcd member too", ANY, ((0.2, 0), (1, 4)), TAKEN_OVER,
             weight=6),
        Kind("etcd-kill", "SIGKILL to an etcd member, started again later", MEMBERS, ((0, 0.5), (1, 2)),
             keeps="instance", hits="all", weight=6),
        Kind("etcd-pause", "SIGSTOP to an etcd member", MEMBERS, ((0, 0.5), (1, 2)), keeps="instance", hits="all"),
        Kind("etcd-flicker", "two etcd members killed, started at once", NODES, ((0, 0.1), (0, 0.1)), HEALED, "all",
             from_healing=True),
        Kind("etcd-majority", "two etcd members killed", NODES, AROUND, HEALED, "all", from_healing=True),
        Kind("etcd-stuck-disk", "each fsync of the leading member takes 12 s", ("leader",), ((0, 6), (1, 8)), HEALED,
             "all", from_healing=True, weight=3),
        Kind("etcd-full", "the store takes no more", ("leader",), ((0, 1), (1, 3)), HEALED, "all", from_healing=True,
             weight=1),
        Kind("cut-short", "a node cut off for a moment", ANY, SHORT, hits="all", keeps="instance"),
        Kind("cut", "a node cut off from all", ANY, AROUND, TAKEN_OVER, weight=12),
        Kind("cut-pair", "two nodes do not hear each other", NODES, AROUND, HEALED, "all"),
        Kind("oneway", "what a node sends is lost", ANY, AROUND, HEALED, "all", weight=6),
        Kind("loss", "30 of 100 packets of a node are lost", ANY, AROUND, HEALED, "all", from_healing=True),
        Kind("switch", "gds rg switch", MASTERS, bound=(0.0, 4.0), hits="group", weight=6),
        Kind("switch-deaf", "gds rg switch while the application does not obey", MASTERS,
             bound=(0.0, STOP_TIMEOUT + 4.0), hits="group"),
        Kind("switch-crash", "in a switch while it does not obey, SIGKILL to the runner that gives up", MASTERS,
             ((0, 0.0), (0, STOP_TIMEOUT)), (1.01, STOP_TIMEOUT + 4.0), "group"),
        Kind("switch-crash-there", "in a switch, SIGKILL to the runner that takes", MASTERS,
             ((0, 0.0), (0, 0.5)), (1.01, STOP_TIMEOUT + 4.0), "group"),
        Kind("giveover", "gds giveover", MASTERS, bound=(0.0, 4.0), hits="group", weight=6),
        Kind("evacuate", "gds node evacuate, resume later", MASTERS, ((0, 0.5), (0, 2)), (0.0, 4.0)),
        Kind("upgrade", "gds upgrade", ANY, keeps="instance", weight=2),
        Kind("starve", "all of a node gets a tenth of a processor", ANY, AROUND, HEALED, from_healing=True, weight=2),
        Kind("twin", "another runner with the node's name", NODES, keeps="instance", hits="all", weight=1),
        Kind("drain", "gds node drain, resume later", MASTERS, ((0, 0.5), (0, 2)), keeps="instance", weight=2),
    )
}  # fmt: skip

TRIALS = {
    kind.name: kind
    for kind in (
        Kind("node-freeze", "all of a node frozen, woken later", MASTERS, ((1.01, 2), (1.01, 2)), TAKEN_OVER,
             tolerates=250.0),
        Kind("runner-and-guard", "SIGKILL to runner and guard at once", MASTERS, ((1.01, 4), (1.01, 4)), TAKEN_OVER,
             tolerates=1e6),
        Kind("etcd-wipe", "all members emptied", NODES, bound=(2.02, 8.0), hits="all", forgets=True),
        Kind("clock-jump", "the wall clock an hour ahead, then a day back", ANY, keeps="instance", hits="all"),
        Kind("app-kill-again", "SIGKILL to the application, beyond its budget", MASTERS, bound=(0.0, 4.0),
             hits="group"),
        Kind("etcd-slow-disk", "each fsync of the leading member takes 400 ms", ("leader",), ((0, 8), (0, 8)), HEALED,
             "all", from_healing=True),
        Kind("etcd-upgrade", "each member in turn ended and started as a newer etcd", NODES, hits="all",
             keeps="instance"),
        Kind("switch-refused", "gds rg switch to where it ends as soon as it is started", MASTERS, bound=(0.0, 6.0),
             hits="group"),
        Kind("switch-hangs", "gds rg switch to where its start hangs", ("master of db",),
             bound=(0.0, START_TIMEOUT + STOP_TIMEOUT + 4.0), hits="group"),
        Kind("no-descriptors", "its runner, guard and keepers can open nothing more", MASTERS, SPENT, HEALED,
             from_healing=True),
        Kind("no-processes", "its runner, guard and keepers can start nothing more", MASTERS, SPENT, HEALED,
             from_healing=True),
        Kind("no-memory", "its runner, guard and keepers get no more memory", MASTERS, SPENT, HEALED,
             from_healing=True),
    )
}  # fmt: skip
"""Never in a schedule: what software alone cannot promise, and is measured; what needs a lab of its own, or is tried in
rows."""

BESIDE = ("runner-kill", "app-kill", "etcd-kill", "cut-short", "cut", "giveover", "switch", "switch-deaf", "loss",
          "app-pause", "evacuate")  # fmt: skip
"""What may be done on top of a fault that lasts. No guard among them: runner and guard of a node never go together."""
UNDER = ("cut", "etcd-kill", "etcd-pause", "runner-stop", "etcd-majority", "node-crash", "oneway", "etcd-stuck-disk")
"""Faults that last, on top of which another may come."""


class Step(NamedTuple):
    """One fault to come: `wait` seconds after everything is steady, `kind` is done to `role` and undone after
    `seconds`. `beside`: what is done on top, `delay` seconds after the first began; None for most."""

    number: int
    wait: float
    kind: str
    role: str
    seconds: float
    beside: Step | None = None
    delay: float = 0.0

    def __str__(self) -> str:
        text = f"{self.number} {self.kind} {self.role}"
        if self.seconds:
            text += f" for {self.seconds:.2f} s"
        return f"{text} + [{self.delay:.2f} s later: {self.beside}]" if self.beside else text


def schedule(seed: int, count: int, lifetime: float, only: tuple[str, ...] = (), longest: float = 1e9) -> list[Step]:
    """`count` faults (those on top counted) of the kinds in `only` (all), none of them longer than `longest` s."""
    dice = random.Random(f"{seed} {lifetime}")
    kinds = [k for k in KINDS.values() if not only or k.name in only]
    steps: list[Step] = []
    number = 0
    while number < count:
        kind = dice.choices(kinds, [k.weight for k in kinds])[0]
        number += 1
        step = _step(dice, number, kind, lifetime, longest)
        on_top = [k for k in BESIDE if k != kind.name and (not only or k in only)]
        if kind.name in UNDER and on_top and number < count and dice.random() < 0.25:
            number += 1
            top = KINDS[dice.choice(on_top)]
            beside = _step(dice, number, top, lifetime, longest)._replace(role=dice.choice(_apart(kind, step, top)))
            step = step._replace(beside=beside, delay=dice.uniform(0.0, min(step.seconds, lifetime)))
        steps.append(step)
    return steps


def _step(dice: random.Random, number: int, kind: Kind, lifetime: float, longest: float) -> Step:
    seconds = min(kind.lasting(lifetime, dice.random()), longest)
    return Step(number, dice.uniform(0.2, 2.0), kind.name, dice.choice(kind.roles), round(seconds, 3))


def _apart(kind: Kind, step: Step, top: Kind) -> list[str]:
    """Roles for what comes on top: the same node would be asked for what it cannot do any more."""
    others = [role for role in top.roles if role != step.role]
    return others or list(top.roles)
