"""What a fault monitor does with what it saw: scds_fm_action, scds_fm_sleep, scds_svc_wait. Sun: semantics.md 5.

The verdict is the runner's own (fault/verdict.py), so a monitor of yours and the built-in one decide alike. The scores
that add up are in the handle's memory, and vanish with the monitor. The restarts are the runner's to count
(Num_resource_restarts): asked before each verdict on a failure, so that deaths it saw itself, and restarts before this
monitor was started, are in the same budget; as is since when failures count: whatever makes the runner forget its own
(a restart, whoever asked for it, a giveover, `gds clear`) empties the scores here as well.
"""

from __future__ import annotations

from gds import seam
from gds.dsdl import asking, trees
from gds.dsdl.effects import Now, Say
from gds.dsdl.values import UP, Done, Priority, SchaError, Taken
from gds.fault import score, verdict
from gds.fault.score import Outcome, Score
from gds.fault.verdict import Giveover, LeaveAlone, Restart, Watch
from gds.model.resource import Command, Resource
from gds.model.scha import Code
from gds.model.state import ResourceStatus
from gds.model.window import Mark, Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gds.dsdl.effects import Steps
    from gds.dsdl.handle import Handle
    from gds.dsdl.values import Answer, Properties, Verdict

SUSPENDED = "automatic recovery of its group is suspended"


def policy(handle: Handle, properties: Properties) -> Resource:
    """What the judge goes by. Raises SchaError for a type without a budget."""
    count, interval = properties.retry_count, properties.retry_interval
    if count is None or interval is None:
        missing = "Retry_count" if count is None else "Retry_interval"
        raise SchaError(Code.PROP, f"cannot judge {handle.resource}: its type {properties.type} declares no {missing}")
    return Resource(
        handle.resource,
        Command(()),
        handle.group,
        failover_enabled=properties.failover_enabled,
        failover_mode=properties.failover_mode,
        retry_count=count,
        retry_interval=interval,
    )


def _judge(handle: Handle, resource: Resource, got: Score) -> Steps[Verdict]:
    if not got.points:
        handle.monitor, said = verdict.judge(handle.monitor, got, resource, (yield Now()))
        return said
    done, forgotten = yield from asking.failures(handle)
    now: float = yield Now()  # after the answer, which may take its time: nothing from before may be left
    # The runner says how many still count, not when they were: none of them is old at this moment.
    restarts = Window(tuple([Mark(now)] * done))
    handle.monitor = handle.monitor.replace(scores=handle.monitor.scores.within(forgotten, now), restarts=restarts)
    paused = (yield from asking.of_group(handle, "SUSPEND_AUTOMATIC_RECOVERY")) == ("TRUE",)
    handle.monitor, said = verdict.judge(handle.monitor, got, resource, now, SUSPENDED if paused else "")
    return said


def action(handle: Handle, probe_status: int, because: str = "") -> Steps[Taken]:
    """scds_fm_action. Raises SchaError, ValueError."""
    if not 0 <= probe_status <= 255:
        raise ValueError(f"cannot score a probe status of {probe_status}: expected 0 to 100, or 201")
    resource = policy(handle, (yield from asking.properties(handle)))
    if idle := (yield from _idle(handle)):
        return Taken(Done.NOTHING, Watch(idle), idle)
    got = score.of_probe(Outcome("exit", probe_status), resource, 0)
    said = because or f"the monitor's probe says {probe_status}"
    return (yield from _act(handle, resource, Score(got.points, said), last_resort=False))


def _idle(handle: Handle) -> Steps[str]:
    """Why a probe means nothing now; "" when it does. What is not up is on its way, or somebody stopped it; what is not
    monitored is judged by its deaths alone, as with the built-in monitor."""
    state = yield from asking.state(handle)
    if state not in UP:
        return f"not judged: it is {state.value}"
    if (yield from asking.of_resource(handle, "MONITORED_SWITCH")) == ("DISABLED",):
        return "not judged: it is not monitored"
    return ""


def sleep(handle: Handle, seconds: float, instances: Iterable[int] = ()) -> Steps[Taken | None]:
    """scds_fm_sleep. Raises SchaError, PmfError."""
    if seconds < 0:
        raise ValueError(f"cannot sleep {seconds:g} s")
    now: float = yield Now()
    until = now + seconds
    instances = tuple(instances)
    while True:
        dead, _details = yield from trees.death(handle, until, instances)
        if not dead:
            return None
        instances = ()  # told once
        if (yield from asking.state(handle)) not in UP:
            continue  # somebody stops it: that is no failure
        resource = policy(handle, (yield from asking.properties(handle)))
        return (yield from _act(handle, resource, score.of_death(dead), last_resort=True))


def _act(handle: Handle, resource: Resource, got: Score, last_resort: bool) -> Steps[Taken]:
    """Judge, say so, and do it. `last_resort`: a refused giveover leads to one restart (semantics.md 5.4, rule 4)."""
    said = yield from _judge(handle, resource, got)
    told = seam.status(said)
    if told is not None:
        yield from asking.say_status(handle, *told)
        return Taken(Done.NOTHING, said, told[1])
    assert isinstance(said, Restart | Giveover | LeaveAlone)  # the seam has a status for the other two
    yield Say(Priority.ERR, said.because)
    if isinstance(said, LeaveAlone):
        yield from asking.say_status(handle, ResourceStatus.FAULTED, said.because)
        return Taken(Done.LEFT_ALONE, said, said.because)
    if isinstance(said, Restart):
        yield from asking.say_status(handle, ResourceStatus.DEGRADED, said.because)
        return (yield from _restart(handle, said))
    taken = yield from _give_over(handle, said, said.because)
    if taken.done is not Done.REFUSED or not last_resort:
        return taken
    answer = yield from asking.restart_resource(handle, taken.because)
    if answer.granted and not answer.message:
        return Taken(Done.RESTARTED, said, f"{taken.because}; restarted instead")
    because = f"{taken.because}; and the restart instead failed: {_why(answer)}"
    yield Say(Priority.ERR, because)
    return Taken(Done.FAILED, said, because, Code.INTERNAL)


def _restart(handle: Handle, said: Restart) -> Steps[Taken]:
    answer = yield from asking.restart_resource(handle, said.because)
    if not answer.granted:
        # Refused is not failed: it is restarted just now by somebody else, or must not be. The scores stay.
        because = f"{said.because}; refused: {_why(answer)}"
        yield Say(Priority.WARNING, because)
        return Taken(Done.REFUSED, said, because, answer.code)
    if not answer.message:
        handle.monitor = verdict.restarted(handle.monitor)
        return Taken(Done.RESTARTED, said, said.because)
    return (yield from _give_over(handle, said, f"{said.because}; the restart failed: {answer.message}"))


def _give_over(handle: Handle, said: Verdict, because: str) -> Steps[Taken]:
    """Granted or refused, everything is forgotten (semantics.md 5.2, rule 7; surprise 7)."""
    yield from asking.say_status(handle, ResourceStatus.FAULTED, because)
    answer = yield from asking.failover_rg(handle, because)
    handle.monitor = verdict.gave_over()
    if answer.granted:
        return Taken(Done.GAVE_OVER, said, because)
    because = f"{because}; refused: {_why(answer)}"
    yield Say(Priority.ERR, because)
    return Taken(Done.REFUSED, said, because, answer.code)


def _why(answer: Answer) -> str:
    """The runner's reason without its first word."""
    return answer.message.removeprefix("refused: ")


def svc_wait(handle: Handle, seconds: float, instances: Iterable[int] = ()) -> Steps[bool]:
    """scds_svc_wait: True when the service's trees have lived through `seconds`. One that dies is started again, and
    all of the time begins anew; False as soon as Retry_count have died within Retry_interval, in all calls together.
    Raises SchaError, PmfError."""
    resource = policy(handle, (yield from asking.properties(handle)))
    limit, span = resource.retry_count, resource.retry_interval
    instances = tuple(instances)
    while True:
        now: float = yield Now()
        dead, details = yield from trees.death(handle, now + seconds, instances)
        if not dead:
            return True
        instances = ()
        now = yield Now()
        handle.deaths = handle.deaths.within(span, now).add(now)
        died = handle.deaths.count(span, now)
        if 0 <= limit <= died or details is None:
            yield Say(Priority.ERR, f"{dead} died {died} times within {span:g} s; the limit is {limit} (Retry_count)")
            return False
        yield Say(Priority.WARNING, f"{dead} died, {died} of {limit} times within {span:g} s; started again")
        yield from trees.again(handle, dead, details)
