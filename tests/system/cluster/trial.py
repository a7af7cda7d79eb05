"""Faults, one after the other, against the lab; each judged as soon as it is over, and all of the log at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from tests.system.cluster import acts, checker, faults
from tests.system.cluster.checker import SECOND, Fault, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.system.cluster.faults import Kind, Step
    from tests.system.cluster.lab import ClusterLab

PATIENCE = 45.0
"""Seconds beyond every bound after which a cluster that is not steady again is called stuck."""
SEEN = SECOND // 20
"""Nanoseconds of silence that are shown as an outage: five ticks."""


class Stuck(AssertionError):
    """It does not come back: there is no use in going on."""


class Done(NamedTuple):
    """One step, carried out. `kind`: with what came on top; `outages`: seconds, of each group that it hit;
    `overlap`: ms; `refused`: why an operator's command was not obeyed."""

    step: Step
    kind: str
    outages: tuple[float, ...]
    overlap: float
    violations: tuple[Violation, ...]
    refused: str = ""


class Trial:
    """What was done to a lab, and what came of it."""

    def __init__(self, lab: ClusterLab, say: Callable[[str], None] = print) -> None:
        self.lab = lab
        self.say = say
        self.done: list[Done] = []
        self.faults: list[Fault] = []
        self.began = time.monotonic_ns()

    @property
    def violations(self) -> list[Violation]:
        """All so far."""
        return [v for each in self.done for v in each.violations]

    def settle(self) -> None:
        """Wait until every group has one instance that beats, and every runner and member answers. Raises Stuck."""
        while self.lab.owed:
            self.lab.owed.pop()()
        deadline = time.monotonic() + PATIENCE + 2 * self.lab.lifetime
        while not (self.lab.steady() and self.lab.healthy() and self.lab.steady()):
            self.lab.tend()
            if time.monotonic() > deadline:
                masters = {group: self.lab.master(group) for group in faults.GROUPS}
                raise Stuck(f"not steady again after {PATIENCE + 2 * self.lab.lifetime:g} s; masters: {masters}")
            time.sleep(0.05)

    def run(self, steps: Sequence[Step]) -> None:
        """All of them. Raises Stuck."""
        self.settle()
        for step in steps:
            self.lab.sleep(step.wait)
            self.carry_out(step)

    def carry_out(self, step: Step) -> Done:
        """One, until everything is steady again, and judged. Raises Stuck."""
        kind = (faults.KINDS | faults.TRIALS)[step.kind]
        began = time.monotonic_ns()
        broken: list[Violation] = []
        made: list[Fault] = []
        refused = ""
        try:
            made, refused = self._do(step, kind)
        except acts.Broken as why:
            broken.append(Violation("broken", "", began, 0.0, str(why), step.number))
        except AssertionError as why:
            raise Stuck(f"at {step}: {why}") from why
        self.faults += made
        try:
            self.settle()
        except Stuck as stuck:
            raise Stuck(f"after {step}: {stuck}") from None
        done = self._judged(step, made, began, refused)
        done = done._replace(violations=(*broken, *done.violations))
        self.done.append(done)
        self._tell(done)
        return done

    # -- parts --------------------------------------------------------------------------------------------------------

    def _aim(self, role: str) -> acts.Aim:
        if role.startswith("master of "):
            group = role.removeprefix("master of ")
            node = self.lab.master(group)
            if not node:
                raise acts.Refused(f"nobody is master of {group} now")
            return acts.Aim(self.lab, self.lab.nodes[node], group)
        name = self.lab.script("leader").strip() if role == "leader" else role
        if name not in self.lab.nodes:
            raise acts.Refused("no member of etcd leads now")
        return acts.Aim(self.lab, self.lab.nodes[name], "")

    def _hits(self, kind: Kind, aim: acts.Aim) -> tuple[str, ...]:
        if kind.hits == "all":
            return ()
        if kind.hits == "group":
            return (aim.group,)
        # "-": none, for () means all
        return tuple(g for g in faults.GROUPS if self.lab.master(g) == aim.node.name) or ("-",)

    def _elects(self, kind: Kind, aim: acts.Aim) -> bool:
        electing = kind.name in faults.ELECTING and self.lab.lifetime < faults.BEARS_ELECTIONS
        return electing and self.lab.script("leader").strip() in (aim.node.name, "none")

    def _do(self, step: Step, kind: Kind) -> tuple[list[Fault], str]:
        try:
            aim = self._aim(step.role)
        except acts.Refused as no:
            return [], str(no)
        if self._elects(kind, aim):
            kind = kind._replace(hits="all", keeps="", bound=faults.HEALED, from_healing=True)
        hits = self._hits(kind, aim)
        began = time.monotonic_ns()
        refused = ""
        undo = acts.nothing
        try:
            undo = acts.perform(step.kind, aim)
        except acts.Refused as no:
            refused = str(no)
        over = time.monotonic() + step.seconds
        beside: list[Fault] = []
        if step.beside is not None:
            self.lab.sleep(step.delay)
            beside, no_too = self._do(step.beside, faults.KINDS[step.beside.kind])
            refused = "; ".join(filter(None, (refused, no_too)))
        self.lab.sleep(over - time.monotonic())
        undo()
        bound, healed = kind.bound_at(self.lab.lifetime), time.monotonic_ns()
        made = Fault(step.number, step.kind, f"{step.role} ({aim.node.name})", began, healed, bound, hits,
                     kind.from_healing, kind.keeps, kind.tolerates, kind.forgets)  # fmt: skip
        if step.beside is None:
            return [made], refused
        # two at once: all that is promised is that it comes back when both are healed
        late = faults.HEALED[0] * self.lab.lifetime + faults.HEALED[1] + faults.STOP_TIMEOUT
        healed = max(f.healed for f in [made, *beside])
        both = [f._replace(healed=healed, bound=late, hits=(), from_healing=True, keeps="") for f in [made, *beside]]
        return both, refused

    def _judged(self, step: Step, made: Sequence[Fault], began: int, refused: str) -> Done:
        ended = time.monotonic_ns()
        beats = [b for b in self.lab.beats() if b.at > began - SECOND]
        found = checker.judge(beats, made, ended, self.lab.left())
        hit = {g for f in made for g in (f.hits or faults.GROUPS)}
        lost = tuple(checker.longest(checker.outages(beats, g, SEEN), began, ended) for g in sorted(hit - {"-"}))
        ms = max([ms for _, _, _, ms in checker.overlaps(checker.instances(beats))], default=0.0)
        name = f"{step.kind} + {step.beside.kind}" if step.beside else step.kind
        return Done(step, name, lost, ms, tuple(found), refused)

    def _tell(self, done: Done) -> None:
        masters = " ".join(f"{g}:{self.lab.master(g)}" for g in faults.GROUPS)
        lost = " ".join(f"{s:.2f}" for s in done.outages) or "-"
        self.say(f"{done.step}: outage {lost} s; {masters}{f'; refused: {done.refused}' if done.refused else ''}")
        for each in done.violations:
            self.say(f"  VIOLATION {told(each)}")

    def over_all(self) -> list[Violation]:
        """The whole log, judged for what a slice of it cannot show: two masters and tokens, over all masteries."""
        everything = checker.judge(self.lab.beats(), self.faults, time.monotonic_ns())
        return [v for v in everything if v.rule in ("two masters", "older token", "token twice", "no token")]


def told(violation: Violation) -> str:
    """In one line."""
    after = f" (after fault {violation.fault})" if violation.fault else ""
    return f"{violation.rule}: {violation.group} at {violation.at}: {violation.ms:.0f} ms: {violation.because}{after}"
