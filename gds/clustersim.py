"""What would a cluster do? Its judges (placement, tenure) at one table, with a model of nodes and of the store. Pure.

The model: the store answers at once, and every node that reaches it sees the same. A node renews its record every
`renew` seconds. One that is cut off ends everything at its last renewal + L - M; the others may take its groups 1.01 L
after that renewal, and so they may those of one that died. One that is healed before it was fenced keeps what it has;
what it had ended it starts again. The first node that can take a group claims it at once, number k after k x 0.3 s.
A failed Start, a giveover, and a Monitor_check that said no to one mark the node for pingpong_interval; but for the
failed Start, that is no hindrance when no other node can take the group.
"""

from __future__ import annotations

from _heapq import heappop, heappush

from gds.clusterfacts import tell
from gds.clusterscript import ClusterTranscript, Line, Standing
from gds.model.cluster import Bar, Cluster, Mastery, Peer
from gds.rgm.affinity import web_of
from gds.rgm.eligible import View
from gds.rgm.placement import candidates, first_goal, plan
from gds.rgm.tenure import Tenure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.clusterscript import ClusterScript
    from gds.model.cluster import Goal
    from gds.rgm.placement import Decision

MOST = 10_000
"""Lines after which a play has no end."""
TURN = 0.3
"""Seconds that each candidate leaves to the one before it."""


class Node:
    """One node, as it really is, and when its record last moved."""

    def __init__(self, name: str, tenure: Tenure) -> None:
        self.name = name
        self.up = True
        self.cut = False
        self.fenced = False
        self.life = 0
        self.silence = 0
        self.born = 0.0
        self.joined = 1
        self.tenure = tenure
        self.drained = ""
        self.evacuated = False

    @property
    def acts(self) -> bool:
        """It can do what is decided."""
        return self.up and not self.cut


class Slot:
    """A mastery: `run` counts what was begun, so that the end of an earlier Start or Stop is not taken for a later."""

    def __init__(self, group: str, node: str, token: int, slot: int, at: float) -> None:
        self.group, self.node, self.token, self.slot = group, node, token, slot
        self.state = "PENDING_ONLINE"
        self.since = at
        self.run = 0
        self.leaving = False


def simulate_cluster(script: ClusterScript) -> ClusterTranscript:
    """Play it."""
    return Play(script).played()


class Play:
    """The play while it goes on."""

    def __init__(self, script: ClusterScript) -> None:
        self.script = script
        self.web = web_of(script.groups)
        self.now = 0.0
        self.lines: list[Line] = []
        self.nodes = {n: Node(n, Tenure(script.lifetime, script.margin, 0.0, 0.0)) for n in script.nodes}
        self.slots: list[Slot] = []
        self.goals: dict[str, Goal] = {group.name: first_goal(group) for group in script.groups}
        self.marks: dict[tuple[str, str], tuple[float, str, bool]] = {}
        self.courses: dict[tuple[str, str, str], tuple[str, int]] = {}
        self.opened: dict[str, float] = {}
        self.said: dict[str, str] = {}
        self.away: dict[str, float] = {}
        self.down_since: dict[str, float] = {}
        self.revision = 0
        self.joins = 1
        """How often a node has joined; they all did, to begin with."""
        self._queue: list[tuple[float, int, bool, Callable[[], None]]] = []
        self._count = 0

    def played(self) -> ClusterTranscript:
        """Until nothing is due."""
        for fact in self.script.facts:
            self.at(fact.at, lambda fact=fact: tell(self, fact))  # type: ignore[misc]
        self._settle()
        while self._queue and len(self.lines) < MOST:
            if self.script.until < 0 and all(quiet for _, _, quiet, _ in self._queue) and not self._is_short():
                break
            at, _, _, then = heappop(self._queue)
            if 0 <= self.script.until < at:
                break
            self.now = at
            then()
            if not self._queue or self._queue[0][0] > at:
                self._settle()
        self.now = max(self.now, self.script.until)
        return self._transcript()

    # -- what facts do to it ------------------------------------------------------------------------------------------

    def at(self, when: float, then: Callable[[], None], quiet: bool = False) -> None:
        self._count += 1
        heappush(self._queue, (when, self._count, quiet, then))

    def say(self, about: str, kind: str, text: str) -> None:
        self.lines.append(Line(round(self.now, 6), about, kind, text))

    # -- the picture, and what is decided -----------------------------------------------------------------------------

    def picture(self) -> View:
        return View(self.cluster(), self.web)

    def cluster(self) -> Cluster:
        peers = [
            Peer(n.name, not n.fenced, n.drained, n.evacuated, "no sign of life" if n.fenced else "", n.joined)
            for n in self.nodes.values()
        ]
        held = [Mastery(s.group, s.node, s.token, True, s.state, s.slot) for s in self.slots]
        bars = [
            Bar(g, n, f"is kept away until {until:g} s (pingpong_interval): {why}", True, is_mild)
            for (g, n), (until, why, is_mild) in self.marks.items()
            if until > self.now
        ]
        return Cluster(tuple(peers), self.script.groups, tuple(held), self.goals, tuple(bars))

    def _settle(self) -> None:
        """What is decided now is begun; a claim changes the picture for the next."""
        changed = True
        while changed and len(self.lines) < MOST:
            view = self.picture()
            made = plan(view)
            changed = [name for name, decision in made.items() if self._carry_out(view, name, decision)] != []
        for name, decision in made.items():
            short = not (decision.take or decision.stay) or "no other node" in decision.because
            if short and self.said.get(name) != decision.because:
                self.say(name, "decided", decision.because)
            self.said[name] = decision.because

    def _carry_out(self, view: View, name: str, decision: Decision) -> bool:
        if decision.over:
            self.goals[name] = self.goals[name].replace(targets=())
        changed = decision.over
        for slot in [s for s in self.slots if s.group == name]:
            why = dict(decision.leave).get(slot.node)
            if why and slot.state in ("ONLINE", "PENDING_ONLINE") and self.nodes[slot.node].acts:
                self.say(name, "decided", f"{slot.node} gives it up: {why}")
                self.stop(slot)
                changed = True
        if not decision.take:
            self.opened.pop(name, None)
        elif self._claim(view, name, decision):
            changed = True
        return changed

    def _claim(self, view: View, name: str, decision: Decision) -> bool:
        """The first of those that can take it does, unless an earlier one's turn is not over."""
        opened = self.opened.setdefault(name, self.now)
        able = [c.node for c in candidates(view, name) if not c.because_not]
        line = [*decision.take, *[node for node in able if node not in decision.take]]
        for turn, node in enumerate(line):
            if not self.nodes[node].acts:
                continue
            late = 0 if node in decision.take else turn * TURN
            if self.now < opened + late:
                self.at(opened + late, lambda: None)
                return False
            why = decision.because.rpartition("should take it: ")[2].split("; ")[0]
            self._take(name, node, why if node in decision.take else f"{line[0]} does not act, and {node} comes next")
            return True
        return False

    def _take(self, name: str, node: str, because: str) -> None:
        self.revision += 1
        used = [s.slot for s in self.slots if s.group == name]
        slot = Slot(name, node, self.revision, next(i for i in range(len(used) + 1) if i not in used), self.now)
        self.slots.append(slot)
        self.opened.pop(name, None)
        self.say(name, "decided", f"{node} takes it with token {slot.token}: {because}")
        self.start(slot)

    # -- methods ------------------------------------------------------------------------------------------------------

    def start(self, slot: Slot) -> None:
        self.enter(slot, "PENDING_ONLINE")
        self._later(self.script.start, slot, self._started)

    def stop(self, slot: Slot) -> None:
        slot.leaving = True
        self.enter(slot, "PENDING_OFFLINE")
        self._later(self.script.stop, slot, self._stopped)

    def _later(self, seconds: float, slot: Slot, then: Callable[[Slot], None]) -> None:
        run = slot.run
        self.at(self.now + seconds, lambda: then(slot) if slot.run == run and slot in self.slots else None)

    def enter(self, slot: Slot, state: str) -> None:
        slot.run += 1
        slot.state, slot.since = state, self.now
        self.reckon(slot.group)

    def _started(self, slot: Slot) -> None:
        why = self.fails(slot.group, slot.node, "Start")
        if why:
            self.say(slot.group, "done", f"its Start failed on {slot.node}: {why}")
            self.mark(slot.group, slot.node, f"its Start failed there: {why}")
            self.stop(slot)
            return
        away = self.now - self.down_since.get(slot.group, self.now)
        self.enter(slot, "ONLINE")
        self.say(slot.group, "done", f"ONLINE on {slot.node}{f', after {away:g} s without' if away else ''}")

    def _stopped(self, slot: Slot) -> None:
        why = self.fails(slot.group, slot.node, "Stop")
        if why:
            self.enter(slot, "ERROR_STOP_FAILED")
            self.say(slot.group, "done", f"could not be stopped on {slot.node}: {why}; nobody else may start it")
            return
        self.say(slot.group, "done", f"OFFLINE on {slot.node}")
        if self.nodes[slot.node].cut:
            self.enter(slot, "OFFLINE")  # it cannot say so
        else:
            self.drop(slot)

    def drop(self, slot: Slot) -> None:
        self.slots.remove(slot)
        self.reckon(slot.group)

    def fails(self, group: str, node: str, method: str) -> str:
        why, times = self.courses.get((group, node, method), ("", 0))
        if times == 1:
            del self.courses[group, node, method]
        elif times:
            self.courses[group, node, method] = (why, times - 1)
        return why

    def mark(self, group: str, node: str, because: str, is_mild: bool = False) -> None:
        """`is_mild`: see Bar."""
        until = self.now + self.web.wishes[group].group.pingpong_interval
        self.marks[group, node] = (until, because, is_mild)
        self.at(until, lambda: None, quiet=True)

    def reckon(self, group: str) -> None:
        """Since when it is online nowhere, after it was online once."""
        up = any(s.group == group and s.state == "ONLINE" and self.nodes[s.node].up for s in self.slots)
        if up or not self.goals[group].online:
            self.away[group] = self.away.get(group, 0.0) + self.now - self.down_since.pop(group, self.now)
        elif group in self.away:
            self.down_since.setdefault(group, self.now)

    def _is_short(self) -> bool:
        return any(goal.online and not any(s.group == g for s in self.slots) for g, goal in self.goals.items())

    # -- the end ------------------------------------------------------------------------------------------------------

    def _transcript(self) -> ClusterTranscript:
        standings = []
        for name in sorted(self.web.wishes):
            self.reckon(name)
            own = sorted([s for s in self.slots if s.group == name], key=lambda s: s.slot)
            masters = tuple([(s.node, s.state if self.nodes[s.node].up else "lost", round(s.since, 6)) for s in own])
            away = self.away.get(name, 0.0) + self.now - self.down_since.get(name, self.now)
            standings.append(Standing(name, masters, self.said.get(name, ""), round(away, 6)))
        nodes = tuple([(node.name, _how(node)) for node in self.nodes.values()])
        return ClusterTranscript(
            tuple(self.lines), nodes, tuple(standings), round(self.now, 6), len(self.lines) >= MOST
        )


def _how(node: Node) -> str:
    said = "dead" if not node.up else "cut off" if node.cut else "up"
    return f"{said}{', fenced' if node.fenced else ''}{', ' + node.drained if node.drained else ''}"
