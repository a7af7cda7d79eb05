"""Process trees under PMF: scds_pmf_start and its kin. Sun: semantics.md 4.4.

A tree's nametag is `group,resource,instance.kind`, the same that pmfadm shows. Retries, period and action come with the
kind: a service (SVC) and OTHER are never started again by PMF, because the monitor decides on that; a monitor (MON) is,
Monitor_retry_count times within Monitor_retry_interval.

These are the trees that `pmf_start` made. The service of a resource of the generic type is the runner's own: it is
started, followed and restarted there, and has no nametag.
"""

from __future__ import annotations

from itertools import pairwise

from gds.dsdl import asking
from gds.dsdl.effects import Ask, Now, Pause, Watch
from gds.dsdl.values import Kind, PmfError, PmfStatus, Properties
from gds.pmf import stopping
from gds.pmf.tag import FOR_EVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from gds.dsdl.effects import Steps
    from gds.dsdl.handle import Handle

DONE, NO_SUCH, TIMED_OUT = 0, 1, 2
"""Answers of the verbs "pmf.…": pmfadm's exit statuses."""
GRACE = 30.0
"""Seconds that an answer may take beyond what was waited for."""
FIRST_LOOK, LONGEST_LOOK = 0.01, 0.25
"""Seconds to the next look at a tag that has no process just now: it ends, or starts again."""
RANGE = "expected a number from 1 to 64"
AGAIN = "a tree is started once; stop it first (the RGM calls Stop between two Starts)"


def _ask(handle: Handle, verb: str, nametag: str, **fields: Any) -> Steps[dict[str, Any]]:
    """An answer of PMF. Raises PmfError for what it refuses."""
    wait = fields.get("wait", 0)
    answer: dict[str, Any] = yield Ask(
        {"verb": f"pmf.{verb}", "nametag": nametag, **fields}, None if wait < 0 else wait + GRACE
    )
    if not answer.get("pmf") or answer["code"] not in (DONE, NO_SUCH, TIMED_OUT):
        raise PmfError(str(answer.get("message")) or f"cannot {verb} {nametag}: the runner did not answer")
    return answer


def words_of(command: str | Sequence[str]) -> tuple[str, ...]:
    """A string is for the shell, a sequence is executed as it is. Raises ValueError for nothing."""
    words = ("/bin/sh", "-c", command) if isinstance(command, str) else tuple(command)
    if not words or not words[-1 if isinstance(command, str) else 0].strip():
        raise ValueError("cannot run nothing: a command is missing")
    return words


def check_signal(number: int) -> int:
    """Raises ValueError."""
    if not 1 <= number <= 64:
        raise ValueError(f"cannot send signal {number}: {RANGE}")
    return int(number)


def start(
    handle: Handle,
    kind: Kind,
    instance: int,
    command: str | Sequence[str],
    child_mon_level: int,
    env: Mapping[str, str] | None,
    cwd: str,
    path: str,
) -> Steps[None]:
    """scds_pmf_start, scds_pmf_start_env. Raises PmfError."""
    properties = yield from asking.properties(handle)
    retries, period = _budget(kind, properties)
    nametag = handle.nametag(kind, instance)
    answer = yield from _ask(
        handle,
        "create",
        nametag,
        command=list(words_of(command)),
        level=child_mon_level,
        retries=retries,
        period=period,
        cwd=cwd,
        path=path,
        extra={**handle.environment(), **(env or {})},
        serves=handle.resource if kind is Kind.SVC else "",
        monitors=handle.resource if kind is Kind.MON else "",
    )
    if answer["code"] == NO_SUCH:
        raise PmfError(f"{answer['message']}: {AGAIN}")
    if kind is Kind.SVC:
        handle.expected.add(nametag)


def _budget(kind: Kind, properties: Properties) -> tuple[int, float]:
    """Retries and their period in seconds."""
    if kind is not Kind.MON:
        return 0, FOR_EVER
    retries, period = properties.monitor_retry_count, properties.monitor_retry_interval
    return (-1 if retries is not None and retries < 0 else min(retries or 0, 100)), period or FOR_EVER


def stop(handle: Handle, kind: Kind, instance: int, signal: int, timeout: float) -> Steps[bool]:
    """scds_pmf_stop: the signal, SIGKILL after 80 % of the time, over after a further 15 % (pmf/stopping.py)."""
    if timeout <= 0:
        raise ValueError(f"cannot stop within {timeout:g} s: expected a time above 0")
    nametag = handle.nametag(kind, instance)
    handle.expected.discard(nametag)
    schedule = stopping.by_signal(check_signal(signal), timeout)
    for step, following in pairwise(schedule):
        number = step.signal if step.act == "signal" else 9
        answer = yield from _ask(handle, "stop", nametag, signal=number, wait=following.after - step.after)
        if answer["code"] != TIMED_OUT:
            return True
    return False


def signal(handle: Handle, kind: Kind, instance: int, number: int, timeout: float) -> Steps[bool]:
    """scds_pmf_signal: as pmfadm -k. True: done, and with a time: nothing of it is left."""
    if timeout != -1 and timeout < 0:
        raise ValueError(f"cannot wait {timeout:g} s: expected seconds from 0, or -1 for as long as it takes")
    answer = yield from _ask(
        handle, "kill", handle.nametag(kind, instance), signal=check_signal(number), wait=float(timeout)
    )
    return bool(answer["code"] != TIMED_OUT)


def stop_monitoring(handle: Handle, kind: Kind, instance: int) -> Steps[None]:
    """scds_pmf_stop_monitoring: no signal, and no restart any more."""
    nametag = handle.nametag(kind, instance)
    handle.expected.discard(nametag)
    yield from _ask(handle, "stop", nametag)


def get_status(handle: Handle, kind: Kind, instance: int) -> Steps[PmfStatus]:
    """scds_pmf_get_status, as pmfadm -q."""
    answer = yield from _ask(handle, "query", handle.nametag(kind, instance))
    return PmfStatus.MONITORED if answer["code"] == DONE else PmfStatus.NOT_MONITORED


def restart(handle: Handle, kind: Kind, instance: int, timeout: float) -> Steps[bool]:
    """scds_pmf_restart_fm: killed with SIGKILL, and started again as it was; False: none of that runs. Raises
    PmfError."""
    nametag = handle.nametag(kind, instance)
    answer = yield from _ask(handle, "details", nametag)
    if answer["code"] == NO_SUCH:
        return False
    if not (yield from stop(handle, kind, instance, 9, timeout)):
        raise PmfError(f"cannot restart {nametag}: it is still there after SIGKILL and {timeout:g} s")
    yield from again(handle, nametag, answer["details"])
    return True


def again(handle: Handle, nametag: str, was: dict[str, Any]) -> Steps[None]:
    """Start what ran under that nametag once more, as it was. Raises PmfError."""
    fields = {"command": was["command"], "cwd": was["cwd"], "environ": was["environment"], "level": was["level"]}
    answer = yield from _ask(handle, "create", nametag, retries=was["retries"], period=was["period"], **fields)
    if answer["code"] != DONE:
        raise PmfError(str(answer["message"]))
    if nametag.endswith(f".{Kind.SVC.value}"):
        handle.expected.add(nametag)


# -- deaths -----------------------------------------------------------------------------------------------------------


class Seen:
    """The service's trees at one look: `alive`, by nametag, with their details; `dead` is one that was expected and is
    not there any more, "" = none."""

    def __init__(self, alive: dict[str, dict[str, Any]], dead: str) -> None:
        self.alive = alive
        self.dead = dead


def look(handle: Handle, instances: Iterable[int] = ()) -> Steps[Seen]:
    """Which trees of the service are there; from now on they are expected."""
    named = {handle.nametag(Kind.SVC, each) for each in instances}
    handle.expected.update(named - handle.reported)
    answer = yield from _ask(handle, "list", "")
    head, tail = f"{handle.group},{handle.resource},", f".{Kind.SVC.value}"
    names = [name for name in answer.get("tags", ()) if name.startswith(head) and name.endswith(tail)]
    alive = {}
    for name in names:
        got = yield from _ask(handle, "details", name)
        if got["code"] == DONE:
            alive[name] = got["details"]
    missing = sorted(handle.expected - set(alive))
    handle.expected.update(alive)
    handle.reported.difference_update(alive)
    return Seen(alive, missing[0] if missing else "")


def death(handle: Handle, until: float, instances: Iterable[int] = ()) -> Steps[tuple[str, dict[str, Any] | None]]:
    """Wait for the end of a tree of the service until the instant `until`: its nametag ("" = none ended), and its
    details as they were last seen. Asleep all the while: the kernel tells when a process of it ends."""
    last: dict[str, dict[str, Any]] = {}
    ended: set[int] = set()
    pause = FIRST_LOOK
    while True:
        seen = yield from look(handle, instances)
        last.update(seen.alive)
        if seen.dead:
            handle.expected.discard(seen.dead)
            handle.reported.add(seen.dead)
            return seen.dead, last.get(seen.dead)
        now = yield Now()
        if now >= until:
            return "", None
        listed = [pid for details in seen.alive.values() for pid in details["pids"]]
        pids = tuple([pid for pid in listed if pid not in ended])
        if pids or not seen.alive:
            ended.update((yield Watch(pids, until - now)))
            pause = FIRST_LOOK
        else:
            # what ended is not yet known there, or it is started again
            yield Pause(min(pause, until - now))
            pause = min(pause * 2, LONGEST_LOOK)
