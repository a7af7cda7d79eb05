"""The judges at one table, without hands: a script of timed facts → a transcript of every decision with its reason.

Pure. Facts go the way they go in the drivers: a death or a probe's answer is scored (fault), the verdict becomes a
request (seam), the RGM steps (rgm), its orders run Start and Stop (stage). `tests/unit/daemon` plays the same scripts
through the real drivers, and the decisions have to be the same.

A script that a runner recorded is played in the same way, but nothing in it comes by itself: each event that the RGM
was told, and each score that the judge was told, is a fact of the script.

Of any other, what the script does not say goes well: a start takes no longer than it must, an application obeys its
stop signal at once, a person is never there. Probes are facts of the script; nothing is asked by the clock. The runner
starts at 0, and brings up what is enabled, each after what it needs. States of groups are told where a group has
several resources, or somebody needs somebody.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from gds import seam
from gds.fault import score, unable, verdict
from gds.model.ending import how_it_ended
from gds.model.printed import printed
from gds.model.state import ResourceStatus
from gds.model.window import EMPTY
from gds.requested import Requests
from gds.rgm import commands
from gds.rgm import resource as life_of
from gds.rgm.events import (
    DelayOver,
    NeedGone,
    NeedRestarted,
    NeedsMet,
    StartAsked,
    StartSucceeded,
    StopAsked,
    StopSucceeded,
    UsersGone,
    UserStuck,
)
from gds.rgm.life import well_again
from gds.rgm.resource import ALONE, Life
from gds.script import (
    Asked,
    Died,
    GroupAsked,
    Happened,
    Probed,
    Requested,
    Sides,
    Standing,
    Stands,
    Starts,
    Stops,
    Transcript,
    Weighed,
)
from gds.stage import Actor, Stage, Told
from gds.troupe import Troupe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.fault.score import Outcome, Score
    from gds.model.resource import Plan
    from gds.model.state import ResourceState
    from gds.rgm.commands import Order
    from gds.rgm.events import Event
    from gds.script import Fact, Found, Script
    from gds.stage import Start

GIVEOVER, FAILED = 75, 1
MOST = 10_000
"""Lines of a transcript; a play without an end is cut there."""
NEWS = (NeedGone, NeedRestarted, NeedsMet, UsersGone, UserStuck)
"""What resources tell each other: that it changes nothing is no answer to anybody."""
TELLING = frozenset(
    (Life.AWAITING, Life.WAITING, Life.PREPARING, Life.HELD, Life.CYCLING, Life.CLEARING, Life.ABANDONING)
)
"""Lives that say more than the public state."""
DOWN = frozenset((Life.OFFLINE, Life.START_FAILED, Life.STOP_FAILED))


def simulate(plan: Plan, script: Script) -> Transcript:
    """Play `script` with the resources of `plan`. Each fact has to be about one of them."""
    return _Play(plan, script).run()


class _Play:
    def __init__(self, plan: Plan, script: Script) -> None:
        self._script = script
        self.recorded = script.recorded
        kind = Told if script.recorded else Stage
        stage = self.stage = kind(self.submit, self._died)
        self._line = stage.line
        self._actors = {r.name: Actor(r) for r in plan.resources}
        self.troupe = Troupe(plan, self._actors, any(isinstance(f, GroupAsked) for f in script.facts))
        self._queue: deque[tuple[Actor, Event]] = deque()
        self._around = ALONE
        self.on_giveover = script.on_giveover
        self._requests = Requests(self)
        self._stepping = False
        self._exit_status = -1

    def run(self) -> Transcript:
        before = self._standings()
        for fact in self._script.facts:
            self.stage.at(fact.at, partial(self._happens, fact))
        if not self.recorded:
            self.stage.at(0.0, self._begin)  # what is said of 0 is said before
        until = self._script.until
        while self.recorded or (self._exit_status < 0 and len(self.stage.lines) < MOST):
            due = self.stage.next_due()
            if due is None or 0 <= until < due:
                break
            self.stage.turn()
            for name, was, state in self.troupe.changed(self.stage.now):
                self.stage.said(name, "group", f"{was} -> {state}")
        if self._exit_status < 0:
            self.stage.now = max(self.stage.now, until)
        cut = len(self.stage.lines) >= MOST and not self.recorded
        lines, decisions = tuple(self.stage.lines), tuple(self.stage.decisions)
        groups = self.troupe.standings(self.stage.now)
        return Transcript(before, lines, self._standings(), self.stage.now, self._exit_status, cut, decisions, groups)

    def _begin(self) -> None:
        for actor in self.troupe.all():
            if actor.enabled:
                self.submit(actor, StartAsked("the runner starts"))

    def _standings(self) -> tuple[Standing, ...]:
        return tuple([self._standing(a) for a in self._actors.values()])

    def _standing(self, actor: Actor) -> Standing:
        view, span = actor.view, actor.resource.retry_interval
        done, failures = actor.history.done(span, self.stage.now), actor.history.total(span, self.stage.now)
        limit = actor.resource.retry_count
        state = self.public(actor)
        return Standing(actor.name, state, view.status, view.why, actor.started, done, limit, span, failures)

    # -- facts --------------------------------------------------------------------------------------------------------

    def _happens(self, fact: Fact) -> None:
        if isinstance(fact, GroupAsked):
            self.stage.said(fact.group, "fact", f"a person asks for {fact.act} of the group")
            self._requests.of_group(fact.group, fact.act)
        else:
            self._happens_to(self._actors[fact.resource], fact)

    def _happens_to(self, actor: Actor, fact: Found) -> None:
        self._around = getattr(fact, "around", ALONE)
        self.on_giveover = getattr(fact, "on_giveover", "") or self._script.on_giveover
        if isinstance(fact, Died):
            self._died(actor, "fact", fact.how)
        elif isinstance(fact, Probed):
            actor.alive = actor.alive and not fact.dead
            self._probed(actor, fact.outcome)
        elif isinstance(fact, Asked):
            self._line(actor, "fact", f"a person asks for {fact.act}")
            self._requests.of_resource(actor, fact.act)
        elif isinstance(fact, Requested):
            self._line(actor, "fact", f"root asks for {fact.optag.value} (scha_control)")
            self._requests.of_scha_control(actor, fact.optag)
        elif isinstance(fact, Starts):
            actor.starts = (fact.course, fact.times)
        elif isinstance(fact, Stops):
            actor.stops = (fact.course, fact.times)
        elif isinstance(fact, Sides):
            actor.sides[fact.method] = (fact.course, fact.times)
        elif isinstance(fact, Stands):
            self._stands(actor, fact)
        elif isinstance(fact, Weighed):
            self._weighed(actor, fact)
        else:
            last: Happened = fact  # mypy: nothing else is left
            self._happened(actor, last)

    # -- facts that were recorded -------------------------------------------------------------------------------------

    def _stands(self, actor: Actor, fact: Stands) -> None:
        actor.view, actor.history, actor.failures = fact.view, fact.history, fact.unable
        actor.monitored, actor.monitor_failed, actor.alive = fact.monitored, fact.monitor_failed, fact.alive
        actor.told = fact.view.because
        self._line(actor, "fact", f"it stands at {self._shown(actor)}, {fact.view.status}")

    def _weighed(self, actor: Actor, fact: Weighed) -> None:
        self._line(actor, "fact", fact.score.because)
        actor.alive = actor.alive and not fact.dead
        if actor.view.life in (Life.ONLINE, Life.STARTING):
            self.weigh(actor, fact.score)
        else:
            self._line(actor, "answer", f"not weighed: it is {self.public(actor)}")

    def _happened(self, actor: Actor, fact: Happened) -> None:
        event = fact.event
        because = getattr(event, "because", "")
        name = type(event).__name__
        self._line(actor, "fact", f"{name}: {because}" if because else name)
        if isinstance(event, StopSucceeded):
            actor.alive = False
        actor.told = because or actor.told
        self.submit(actor, event)

    # -- facts --------------------------------------------------------------------------------------------------------

    def _died(self, actor: Actor, kind: str, how: str) -> None:
        if not actor.alive:
            self._line(actor, kind, f"nothing of it runs that could end ({how})")
            return
        actor.alive = False
        self._line(actor, kind, f"its last process ended ({how})")
        if actor.stop is not None:
            self.stage.emptied(actor, actor.stop)
        elif actor.view.life in (Life.ONLINE, Life.STARTING):
            self.weigh(actor, score.of_death(how))

    def _probed(self, actor: Actor, outcome: Outcome) -> None:
        resource = actor.resource
        silence = (
            score.of_silence(resource, outcome.seconds or resource.watchdog_interval) if resource.is_told else None
        )
        self._line(actor, "fact", silence.because if silence is not None else _answer(outcome))
        if actor.start is not None and silence is None:
            self._looked(actor, actor.start, outcome)
        elif actor.view.life is not Life.ONLINE or not actor.monitored or actor.monitor_failed:
            self._line(actor, "answer", f"not weighed: it is {self.public(actor)}")
        elif outcome.kind == "unable":
            self._unable(actor, outcome)
        else:
            got = silence or score.of_probe(outcome, resource, actor.history.timeouts)
            self.weigh(actor, got, outcome.message if resource.probe_command is not None else "")

    def _looked(self, actor: Actor, start: Start, outcome: Outcome) -> None:
        """Start asked the probe."""
        if outcome.kind == "unable":
            start.seen = unable.could_not(outcome.message)
            return
        got = score.of_probe(outcome, actor.resource, 0)
        if got.points == 0:
            self.stage.started(actor, StartSucceeded())
        else:
            told = printed(outcome.message) if outcome.kind == "exit" else ""
            start.seen = f"{got.because}: {told}" if told else got.because

    def _unable(self, actor: Actor, outcome: Outcome) -> None:
        tried = unable.unable(actor.failures, outcome.message, actor.resource, self.stage.now)
        actor.failures, actor.monitor_failed = tried.failures, tried.failed
        self.stage.decided(actor, "MONITOR_FAILED" if tried.failed else "Unable", tried.because)
        if tried.failed:
            actor.view = actor.view.replace(because=tried.because)
            self._told(actor, self._shown(actor))
        else:
            self._line(actor, "verdict", f"not weighed: {tried.because}")

    def weigh(self, actor: Actor, got: Score, message: str = "") -> None:
        """One score to the judge, and the verdict to the life."""
        suspended = self._around.suspended if self.recorded else self.troupe.suspended(actor)
        actor.history, said = verdict.judge(actor.history, got, actor.resource, self.stage.now, suspended)
        if isinstance(said, verdict.Healthy):
            words = "healthy"
        else:
            words = f"watch, {said.because}" if isinstance(said, verdict.Watch) else said.because
        self._line(actor, "verdict", f"{got.points} point{'' if got.points == 1 else 's'}: {words}")
        self.stage.decided(actor, type(said).__name__, getattr(said, "because", ""))
        actor.told = getattr(said, "because", actor.told)
        delay = 0.0
        if isinstance(said, verdict.Restart):
            delay = verdict.restart_delay(actor.history, actor.resource, self.stage.now, lambda: self._script.chance)
        asked = seam.request(said, delay)
        if asked is not None:
            self.submit(actor, asked)
        elif (status := seam.status(said, message)) is not None and (actor.alive or not actor.resource.pmf_managed):
            # a probe that says well of what has no process left is no reason to believe it
            self.set_status(actor, *status)

    def set_status(self, actor: Actor, status: ResourceStatus, message: str) -> None:
        if actor.view.told and status is ResourceStatus.OK:
            return
        before = actor.view.status
        view = well_again(actor.view) if status is ResourceStatus.OK else actor.view
        actor.view = view.replace(status=status, status_msg=message, told=False)
        if status is not before:
            because = f": {message}" if message and message != actor.told else ""
            self._line(actor, "status", f"{before} -> {status}{because}")
            self.stage.decided(actor, f"status {status}", message)

    # -- the step -----------------------------------------------------------------------------------------------------

    def submit(self, actor: Actor, event: Event) -> None:
        self._queue.append((actor, event))
        if self._stepping:
            return
        self._stepping = True
        while self._queue:
            self._step(*self._queue.popleft())
        self._stepping = False
        if self.troupe.leaving and not self.recorded and all(a.view.life in DOWN for a in self._actors.values()):
            failed = any(a.view.life is Life.STOP_FAILED for a in self._actors.values())
            self._exit_status = FAILED if failed else GIVEOVER

    def _step(self, actor: Actor, event: Event) -> None:
        mode, before = actor.resource.failover_mode, actor.view
        around = self._around if self.recorded else self.troupe.around(actor)
        made = life_of.step(actor.view, event, mode, self.on_giveover, self.stage.now, around)
        if made.ignored:
            if self.recorded or not (self.troupe.leaving or isinstance(event, NEWS)):
                self._line(actor, "answer", f"nothing changes: {made.ignored}")
            return
        was = self._shown(actor)
        actor.view = made.view
        self.stage.decided(actor, f"{made.view.life}, {made.view.status}", made.view.because)
        self._told(actor, was)
        for order in made.orders:
            self._carry_out(actor, order)
        if not self.recorded:
            self._queue.extend(self.troupe.news(actor, before))

    def _told(self, actor: Actor, was: str) -> None:
        view = actor.view
        said = view.why if view.waits or view.because != actor.told else ""
        because = f": {said}" if said else ""
        actor.told = view.because
        now = self._shown(actor)
        self._line(actor, "state", f"{now if now == was else f'{was} -> {now}'}, {view.status}{because}")

    def _shown(self, actor: Actor) -> str:
        """The public state, and the private one where that says more."""
        state, life = self.public(actor), actor.view.life
        return f"{state} ({life})" if life in TELLING else state.value

    def public(self, actor: Actor) -> ResourceState:
        return life_of.public(actor.view, actor.monitored, actor.monitor_failed)

    def _carry_out(self, actor: Actor, order: Order) -> None:
        if isinstance(order, commands.RunStart):
            self.stage.run_start(actor)
        elif isinstance(order, commands.RunStop):
            self.stage.run_stop(actor)
        elif isinstance(order, commands.StartMonitor):
            if order.restarted:
                actor.history = verdict.restarted(actor.history)
            actor.failures, actor.monitor_failed = EMPTY, False
        elif isinstance(order, commands.StopMonitor):
            pass  # probes are facts of the script
        elif isinstance(order, commands.ArmDelay):
            self._line(actor, "order", f"wait {order.seconds:.3g} s (restart_delay)")
            if self.recorded:
                return
            actor.delay = self.stage.at(self.stage.now + order.seconds, lambda: self.submit(actor, DelayOver()))
        elif isinstance(order, commands.CancelDelay):
            actor.delay.cancel()
        elif isinstance(order, commands.PurgeHistory):
            actor.history = verdict.gave_over()
            self._line(actor, "order", "forget failures and restarts")
        elif isinstance(order, commands.LeaveNode):
            self._leave(actor, order.because)
        elif isinstance(order, commands.RunPrenet | commands.RunPostnet):
            self.stage.run_side(actor, "Prenet_start" if isinstance(order, commands.RunPrenet) else "Postnet_stop")
        else:
            last: commands.AbortNode = order  # mypy: nothing else is left
            self._line(actor, "order", f"end this node (node_abort_command): {last.because}")

    def _leave(self, actor: Actor, because: str) -> None:
        if self.recorded:
            self._line(actor, "order", "leave this node")
            return
        self.troupe.leaving = True
        self._line(actor, "order", "leave this node: stop everything, end with exit status 75")
        for each in self.troupe.all(down=True):
            self.submit(each, StopAsked(because))


def _answer(outcome: Outcome) -> str:
    """A probe's answer in words."""
    if outcome.kind in score.SAID:
        return score.said_of(outcome)
    ended = outcome.code if outcome.kind == "signal" else outcome.code << 8
    return f"the probe ended ({how_it_ended(ended)}){outcome.message and ': '}{outcome.message}"
