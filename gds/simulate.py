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
from gds.model.state import ResourceStatus
from gds.model.window import EMPTY
from gds.rgm import commands, control
from gds.rgm import resource as life_of
from gds.rgm.events import (
    ClearAsked,
    DelayOver,
    GiveoverAsked,
    NeedGone,
    NeedRestarted,
    NeedsMet,
    RestartAsked,
    StartAsked,
    StartSucceeded,
    StopAsked,
    StopSucceeded,
    UsersGone,
    UserStuck,
)
from gds.rgm.resource import ALONE, Life
from gds.script import (
    Asked,
    Died,
    GroupAsked,
    Happened,
    Probed,
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
        self._recorded = script.recorded
        kind = Told if script.recorded else Stage
        stage = self._stage = kind(self._submit, self._died)
        self._line = stage.line
        self._actors = {r.name: Actor(r) for r in plan.resources}
        self._troupe = Troupe(plan, self._actors, any(isinstance(f, GroupAsked) for f in script.facts))
        self._queue: deque[tuple[Actor, Event]] = deque()
        self._around = ALONE
        self._on_giveover = script.on_giveover
        self._stepping = False
        self._exit_status = -1

    def run(self) -> Transcript:
        before = self._standings()
        for fact in self._script.facts:
            self._stage.at(fact.at, partial(self._happens, fact))
        if not self._recorded:
            self._stage.at(0.0, self._begin)  # what is said of 0 is said before
        until = self._script.until
        while self._recorded or (self._exit_status < 0 and len(self._stage.lines) < MOST):
            due = self._stage.next_due()
            if due is None or 0 <= until < due:
                break
            self._stage.turn()
            for name, was, state in self._troupe.changed(self._stage.now):
                self._stage.said(name, "group", f"{was} -> {state}")
        if self._exit_status < 0:
            self._stage.now = max(self._stage.now, until)
        cut = len(self._stage.lines) >= MOST and not self._recorded
        lines, decisions = tuple(self._stage.lines), tuple(self._stage.decisions)
        groups = self._troupe.standings(self._stage.now)
        return Transcript(before, lines, self._standings(), self._stage.now, self._exit_status, cut, decisions, groups)

    def _begin(self) -> None:
        for actor in self._troupe.all():
            if actor.enabled:
                self._submit(actor, StartAsked("the runner starts"))

    def _standings(self) -> tuple[Standing, ...]:
        return tuple([self._standing(a) for a in self._actors.values()])

    def _standing(self, actor: Actor) -> Standing:
        view, span = actor.view, actor.resource.retry_interval
        done, failures = actor.history.done(span, self._stage.now), actor.history.total(span, self._stage.now)
        limit = actor.resource.retry_count
        state = self._public(actor)
        return Standing(actor.name, state, view.status, view.why, actor.started, done, limit, span, failures)

    # -- facts --------------------------------------------------------------------------------------------------------

    def _happens(self, fact: Fact) -> None:
        if isinstance(fact, GroupAsked):
            self._group_asked(fact.group, fact.act)
        else:
            self._happens_to(self._actors[fact.resource], fact)

    def _happens_to(self, actor: Actor, fact: Found) -> None:
        self._around = getattr(fact, "around", ALONE)
        self._on_giveover = getattr(fact, "on_giveover", "") or self._script.on_giveover
        if isinstance(fact, Died):
            self._died(actor, "fact", fact.how)
        elif isinstance(fact, Probed):
            actor.alive = actor.alive and not fact.dead
            self._probed(actor, fact.outcome)
        elif isinstance(fact, Asked):
            self._line(actor, "fact", f"a person asks for {fact.act}")
            self._asked(actor, fact.act)
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
            self._weigh(actor, fact.score)
        else:
            self._line(actor, "answer", f"not weighed: it is {self._public(actor)}")

    def _happened(self, actor: Actor, fact: Happened) -> None:
        event = fact.event
        because = getattr(event, "because", "")
        name = type(event).__name__
        self._line(actor, "fact", f"{name}: {because}" if because else name)
        if isinstance(event, StopSucceeded):
            actor.alive = False
        actor.told = because or actor.told
        self._submit(actor, event)

    # -- facts --------------------------------------------------------------------------------------------------------

    def _died(self, actor: Actor, kind: str, how: str) -> None:
        if not actor.alive:
            self._line(actor, kind, f"nothing of it runs that could end ({how})")
            return
        actor.alive = False
        self._line(actor, kind, f"its last process ended ({how})")
        if actor.stop is not None:
            self._stage.emptied(actor, actor.stop)
        elif actor.view.life in (Life.ONLINE, Life.STARTING):
            self._weigh(actor, score.of_death(how))

    def _probed(self, actor: Actor, outcome: Outcome) -> None:
        resource = actor.resource
        silence = (
            score.of_silence(resource, outcome.seconds or resource.watchdog_interval) if resource.is_told else None
        )
        self._line(actor, "fact", silence.because if silence is not None else _answer(outcome))
        if actor.start is not None and silence is None:
            self._looked(actor, actor.start, outcome)
        elif actor.view.life is not Life.ONLINE or not actor.monitored or actor.monitor_failed:
            self._line(actor, "answer", f"not weighed: it is {self._public(actor)}")
        elif outcome.kind == "unable":
            self._unable(actor, outcome)
        else:
            got = silence or score.of_probe(outcome, resource, actor.history.timeouts)
            self._weigh(actor, got, outcome.message if resource.probe_command is not None else "")

    def _looked(self, actor: Actor, start: Start, outcome: Outcome) -> None:
        """Start asked the probe."""
        if outcome.kind == "unable":
            start.seen = unable.could_not(outcome.message)
            return
        got = score.of_probe(outcome, actor.resource, 0)
        if got.points == 0:
            self._stage.started(actor, StartSucceeded())
        else:
            start.seen = got.because + (f": {outcome.message}" if outcome.message and outcome.kind == "exit" else "")

    def _unable(self, actor: Actor, outcome: Outcome) -> None:
        tried = unable.unable(actor.failures, outcome.message, actor.resource, self._stage.now)
        actor.failures, actor.monitor_failed = tried.failures, tried.failed
        self._stage.decided(actor, "MONITOR_FAILED" if tried.failed else "Unable", tried.because)
        if tried.failed:
            actor.view = actor.view.replace(because=tried.because)
            self._told(actor, self._shown(actor))
        else:
            self._line(actor, "verdict", f"not weighed: {tried.because}")

    def _weigh(self, actor: Actor, got: Score, message: str = "") -> None:
        suspended = self._around.suspended if self._recorded else self._troupe.suspended(actor)
        actor.history, said = verdict.judge(actor.history, got, actor.resource, self._stage.now, suspended)
        if isinstance(said, verdict.Healthy):
            words = "healthy"
        else:
            words = f"watch, {said.because}" if isinstance(said, verdict.Watch) else said.because
        self._line(actor, "verdict", f"{got.points} point{'' if got.points == 1 else 's'}: {words}")
        self._stage.decided(actor, type(said).__name__, getattr(said, "because", ""))
        actor.told = getattr(said, "because", actor.told)
        delay = 0.0
        if isinstance(said, verdict.Restart):
            delay = verdict.restart_delay(actor.history, actor.resource, self._stage.now, lambda: self._script.chance)
        asked = seam.request(said, delay)
        if asked is not None:
            self._submit(actor, asked)
        elif (status := seam.status(said, message)) is not None and (actor.alive or not actor.resource.pmf_managed):
            # a probe that says well of what has no process left is no reason to believe it
            self._set_status(actor, *status)

    def _set_status(self, actor: Actor, status: ResourceStatus, message: str) -> None:
        if actor.view.told and status is ResourceStatus.OK:
            return
        before = actor.view.status
        actor.view = actor.view.replace(status=status, status_msg=message, told=False)
        if status is not before:
            because = f": {message}" if message and message != actor.told else ""
            self._line(actor, "status", f"{before} -> {status}{because}")
            self._stage.decided(actor, f"status {status}", message)

    # -- what people ask ----------------------------------------------------------------------------------------------

    def _asked(self, actor: Actor, act: str) -> None:
        because = f"{act} asked by a person"
        if self._troupe.leaving and act != "clear":
            self._line(actor, "answer", f"cannot {act} {actor.name}: the runner is stopping everything")
        elif act in ("start", "restart") and not actor.enabled:
            self._line(actor, "answer", f"cannot {act} {actor.name}: it is disabled")
        elif act in ("start", "restart") and not self._is_managed(actor):
            self._line(actor, "answer", f"cannot {act} {actor.name}: its group is unmanaged")
        elif act == "disable" and (needed := self._troupe.needed_by(actor)):
            needed_by = ", ".join(needed)
            self._line(actor, "answer", f"cannot disable {actor.name}: {needed_by} needs it; disable that as well")
        elif act in ("start", "restart") and actor.view.life is Life.STOP_FAILED:
            self._line(actor, "answer", f"cannot {act} {actor.name}: its last stop failed ({actor.view.because})")
        elif act in ("start", "enable"):
            actor.enabled = True
            if self._is_managed(actor):
                self._submit(actor, StartAsked(because))
        elif act in ("stop", "disable"):
            actor.enabled = actor.enabled and act == "stop"
            if needed := self._troupe.needed_by(actor):
                goes_on = f"{', '.join(needed)} needs {actor.name}, and goes on running without it"
                self._line(actor, "answer", goes_on)
            self._submit(actor, StopAsked(because))
        elif act == "restart":
            self._submit(actor, RestartAsked(because))
        elif act == "giveover":
            self._ask_giveover(actor, because)
        elif act == "clear":
            self._clear(actor)
        else:
            self._switch_monitor(actor, act == "monitor")

    def _is_managed(self, actor: Actor) -> bool:
        return self._troupe.is_managed(actor.resource.group)

    def _group_asked(self, group: str, act: str) -> None:
        stage, troupe = self._stage, self._troupe
        stage.said(group, "fact", f"a person asks for {act} of the group")
        because = f"rg {act} asked by a person"
        refusal = "the runner is stopping everything" if troupe.leaving else troupe.refusal(group, act, stage.now)
        if refusal:
            stage.said(group, "answer", f"cannot {act} {group}: {refusal}")
        elif act in ("suspend", "resume"):
            troupe.suspend(group, act == "suspend")
            stage.said(group, "answer", f"automatic recovery is {'suspended' if act == 'suspend' else 'on again'}")
        elif act in ("manage", "unmanage"):
            troupe.manage(group, act == "manage")
            stage.said(group, "answer", f"it is {'managed' if act == 'manage' else 'unmanaged'}")
        elif act == "offline":
            for actor in troupe.of(group, down=True):
                self._submit(actor, StopAsked(because))
        elif act == "clear":
            for actor in troupe.of(group):
                self._clear(actor)
        else:
            for actor in troupe.of(group, down=act == "restart"):
                if actor.enabled:
                    self._submit(actor, StartAsked(because) if act == "online" else RestartAsked(because))

    def _ask_giveover(self, actor: Actor, because: str) -> None:
        ruling = control.giveover(self._on_giveover)
        if actor.view.life is not Life.ONLINE:
            self._line(actor, "answer", f"cannot give over {actor.name}: it is {self._public(actor)}")
        elif isinstance(ruling, control.Refused):
            actor.history = verdict.gave_over()  # surprise 7: after a giveover, even a refused one, the counters are 0
            said = f"cannot give over {actor.name}: {ruling.because}; it stays as it is, its history is forgotten"
            self._line(actor, "answer", said)
        else:
            self._submit(actor, GiveoverAsked(f"giveover: {because}", by_monitor=False))

    def _clear(self, actor: Actor) -> None:
        if actor.view.life is Life.STOP_FAILED:
            if actor.alive and not self._recorded:
                self._line(actor, "answer", f"cannot clear {actor.name}: processes are still there")
                return
            self._submit(actor, ClearAsked())
        actor.history = verdict.gave_over()
        actor.failures, actor.monitor_failed = EMPTY, False
        self._line(actor, "answer", "its history is forgotten")
        if actor.view.life is Life.ONLINE and actor.view.status is ResourceStatus.FAULTED:
            self._set_status(actor, ResourceStatus.UNKNOWN, "cleared, not probed since")

    def _switch_monitor(self, actor: Actor, monitored: bool) -> None:
        actor.monitored = monitored
        if monitored and actor.view.life is Life.ONLINE:
            actor.failures, actor.monitor_failed = EMPTY, False
        self._line(actor, "answer", f"it is {self._public(actor)}, {'' if monitored else 'not '}monitored")

    # -- the step -----------------------------------------------------------------------------------------------------

    def _submit(self, actor: Actor, event: Event) -> None:
        self._queue.append((actor, event))
        if self._stepping:
            return
        self._stepping = True
        while self._queue:
            self._step(*self._queue.popleft())
        self._stepping = False
        if self._troupe.leaving and not self._recorded and all(a.view.life in DOWN for a in self._actors.values()):
            failed = any(a.view.life is Life.STOP_FAILED for a in self._actors.values())
            self._exit_status = FAILED if failed else GIVEOVER

    def _step(self, actor: Actor, event: Event) -> None:
        mode, before = actor.resource.failover_mode, actor.view
        around = self._around if self._recorded else self._troupe.around(actor)
        made = life_of.step(actor.view, event, mode, self._on_giveover, self._stage.now, around)
        if made.ignored:
            if self._recorded or not (self._troupe.leaving or isinstance(event, NEWS)):
                self._line(actor, "answer", f"nothing changes: {made.ignored}")
            return
        was = self._shown(actor)
        actor.view = made.view
        self._stage.decided(actor, f"{made.view.life}, {made.view.status}", made.view.because)
        self._told(actor, was)
        for order in made.orders:
            self._carry_out(actor, order)
        if not self._recorded:
            self._queue.extend(self._troupe.news(actor, before))

    def _told(self, actor: Actor, was: str) -> None:
        view = actor.view
        said = view.why if view.waits or view.because != actor.told else ""
        because = f": {said}" if said else ""
        actor.told = view.because
        now = self._shown(actor)
        self._line(actor, "state", f"{now if now == was else f'{was} -> {now}'}, {view.status}{because}")

    def _shown(self, actor: Actor) -> str:
        """The public state, and the private one where that says more."""
        state, life = self._public(actor), actor.view.life
        return f"{state} ({life})" if life in TELLING else state.value

    def _public(self, actor: Actor) -> ResourceState:
        return life_of.public(actor.view, actor.monitored, actor.monitor_failed)

    def _carry_out(self, actor: Actor, order: Order) -> None:
        if isinstance(order, commands.RunStart):
            self._stage.run_start(actor)
        elif isinstance(order, commands.RunStop):
            self._stage.run_stop(actor)
        elif isinstance(order, commands.StartMonitor):
            if order.restarted:
                actor.history = verdict.restarted(actor.history)
            actor.failures, actor.monitor_failed = EMPTY, False
        elif isinstance(order, commands.StopMonitor):
            pass  # probes are facts of the script
        elif isinstance(order, commands.ArmDelay):
            self._line(actor, "order", f"wait {order.seconds:.3g} s (restart_delay)")
            if self._recorded:
                return
            actor.delay = self._stage.at(self._stage.now + order.seconds, lambda: self._submit(actor, DelayOver()))
        elif isinstance(order, commands.CancelDelay):
            actor.delay.cancel()
        elif isinstance(order, commands.PurgeHistory):
            actor.history = verdict.gave_over()
            self._line(actor, "order", "forget failures and restarts")
        elif isinstance(order, commands.LeaveNode):
            self._leave(actor, order.because)
        elif isinstance(order, commands.RunPrenet | commands.RunPostnet):
            self._stage.run_side(actor, "Prenet_start" if isinstance(order, commands.RunPrenet) else "Postnet_stop")
        else:
            last: commands.AbortNode = order  # mypy: nothing else is left
            self._line(actor, "order", f"end this node (node_abort_command): {last.because}")

    def _leave(self, actor: Actor, because: str) -> None:
        if self._recorded:
            self._line(actor, "order", "leave this node")
            return
        self._troupe.leaving = True
        self._line(actor, "order", "leave this node: stop everything, end with exit status 75")
        for each in self._troupe.all(down=True):
            self._submit(each, StopAsked(because))


def _answer(outcome: Outcome) -> str:
    """A probe's answer in words."""
    if outcome.kind in score.SAID:
        return score.said_of(outcome)
    ended = outcome.code if outcome.kind == "signal" else outcome.code << 8
    return f"the probe ended ({how_it_ended(ended)}){outcome.message and ': '}{outcome.message}"
