"""The agent `ocf:gds:app`: one action, one exit status (OCF 1.1; engines.md 3.3, 3.4).

Pacemaker places; gds does all the rest: it follows every process, probes, restarts within its budget, and asks to be
moved when that is spent. So each action is a question to the runner of this instance, and only `start`, `stop` and the
loss of a runner are more.

`monitor`, the rules
- A runner that answers is believed: `judged` maps what it says.
- A runner that is dead, with nothing left of the application: 7.
- A runner that is dead while processes of the application live: never 7, which would start a second copy. A recurring
  monitor begins a new runner, which takes them back as they are; a probe starts nothing, and says that it runs.
- A runner that is there and does not answer: 1.

Why a monitor may begin a runner: gds is crash-only, so a new runner is the repair that costs the application nothing,
and Pacemaker's own repair for a 1, stop and start elsewhere, would cost it everything. The attendant does the same
within a tenth of a second (gds/ocf/attendant.py); this is for when both were killed.

`stop` answers 0 only when nothing is left, whatever became of runner and attendant: gds/ocf/place.py says how it knows.
"""

from __future__ import annotations

import os
import sys
import time

from gds.api import client
from gds.errors import GdsError
from gds.ocf import asked as codes
from gds.ocf.asked import Asked, Failure, reason, warn
from gds.ocf.place import Place, signal_and_wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
    from typing import Any
else:
    import _signal as signal  # plain numbers, without the enums

USAGE = """usage: gds-ocf ACTION        the resource agent ocf:gds:app; Pacemaker calls it

  start, stop, monitor, reload-agent, validate-all, meta-data
  The parameters come as OCF_RESKEY_config, …; `gds-ocf meta-data` describes them."""
UP = ("ONLINE", "ONLINE_NOT_MONITORED", "MONITOR_FAILED")
BUSY = 75
"""A runner's answer while it stops everything (design.md 4)."""
_LOOK_AGAIN = 0.02
_PATIENCE = 0.3
"""Seconds for what is being born, or ends by itself, before a stop ends it."""
_FAULTS_EVERY = 60.0
_SHARE = 0.9
"""Of Pacemaker's timeout: what comes after that must still be able to answer."""


def start(asked: Asked) -> int:
    """Up, and answered when every enabled resource is online; 0 also when it was up already."""
    asked.check()
    asked.check_here()
    place = Place(asked.runtime_dir, asked.state_dir)
    place.make()
    deadline = time.monotonic() + _SHARE * asked.timeout
    if not place.is_alive():
        place.take_back_promise()
        _begin(asked, place)
    _tell_faults(place)
    status = _status_soon(asked, place, deadline)
    names = [r["name"] for r in _enabled(status)]
    if not names:
        raise Failure(codes.GENERIC, f"cannot start {asked.config}: nothing in it is enabled here")
    try:
        answer = client.ask(place.socket, {"verb": "start", "names": names}, timeout=deadline - time.monotonic())
    except GdsError as error:
        raise Failure(codes.GENERIC, f"cannot start {asked.config}: {_why_ended(place) or error}") from None
    if answer["code"] == BUSY and (why := _why_ended(place)):
        # it failed so fast that the runner has given it over already
        raise Failure(codes.GENERIC, f"cannot start {asked.config}: {why}")
    if answer["code"]:
        raise Failure(codes.GENERIC, str(answer["message"]))
    place.promise()
    return codes.SUCCESS


def stop(asked: Asked) -> int:
    """Nothing is left: 0; else 1, and Pacemaker fences the node or leaves the resource where it is."""
    place = Place(asked.runtime_dir, asked.state_dir)
    if not place.exists:
        return codes.SUCCESS  # never here since the last boot
    deadline = time.monotonic() + _SHARE * asked.timeout
    place.take_back_promise()
    claim = _end_everybody(place, deadline)
    try:
        from gds.ocf.remains import Remains

        remains = Remains(place)
        if remains.processes():
            warn(f"the runner of {asked.instance} is dead, and processes of it live: they are ended by signals")
            left = remains.end(max(1.0, deadline - time.monotonic()))
            if left:
                raise Failure(codes.GENERIC, f"cannot stop {asked.instance}: {_listed(left)} cannot be killed")
    finally:
        os.close(claim)
    place.forget_notice()
    return codes.SUCCESS


def monitor(asked: Asked) -> int:
    """How it is: see the module."""
    place = Place(asked.runtime_dir, asked.state_dir)
    if not place.exists:
        return _absent(asked, place)
    deadline = time.monotonic() + 0.8 * asked.timeout
    status = _status(place, deadline)
    if status is None and place.is_alive():
        status = _status_soon(asked, place, deadline)
    if status is None:
        from gds.ocf.remains import Remains

        living = Remains(place).processes()
        if not living:
            return _absent(asked, place)
        warn(f"the runner of {asked.instance} is dead, and {_listed(living)} of it live")
        if asked.is_probe:
            return codes.SUCCESS
        asked.check()
        asked.check_here()
        _begin(asked, place)
        status = _status_soon(asked, place, deadline)
    if not asked.is_probe:
        _tell_faults(place)
    code, because = judged(status)
    if asked.level and code in (codes.SUCCESS, codes.DEGRADED):
        code, because = _deeper(place, status, code, because, deadline)
    if because:
        reason(because)
    return code


def judged(status: dict[str, Any]) -> tuple[int, str]:
    """(exit status, reason) from what the runner says of itself.

    A restart within the budget is nobody's business but gds's: 0. The budget used up, or DEGRADED: 190.
    """
    if status.get("stopping"):
        return codes.GENERIC, "the runner is stopping everything; it gave the application over, or was asked to end"
    resources = _enabled(status)
    up = [r for r in resources if r["state"] in UP]
    moving = [r for r in resources if r["state"] in ("STARTING", "STOPPING")]
    for each in resources:
        if each["state"] in ("START_FAILED", "STOP_FAILED") or (each in up and each["status"] == "FAULTED"):
            return codes.GENERIC, f"{each['name']} is {each['state']}: {each['because'] or each['status_msg']}"
    if not up and not moving:
        return codes.NOT_RUNNING, ""
    said = []
    for each in resources:
        done, limit = each["restarts"]["done"], each["restarts"]["limit"]
        if each in up and each["status"] == "DEGRADED":
            said.append(f"{each['name']} is DEGRADED: {each['status_msg'] or each['because']}")
        elif done and done >= limit >= 0:
            said.append(f"{each['name']}: all {limit} restarts of its budget are used up; {each['because']}")
        elif each["state"] == "MONITOR_FAILED":
            said.append(f"{each['name']} runs, and its monitor has failed: {each['because']}")
        elif each not in up and each not in moving:
            said.append(f"{each['name']} is {each['state']}: {each['because']}")
    return (codes.DEGRADED, "\n".join(said)) if said else (codes.SUCCESS, "")


def reload_agent(asked: Asked) -> int:
    """A parameter marked reloadable was changed: the descriptor is read again, and only what changed is touched."""
    asked.check()
    asked.check_here()
    place = Place(asked.runtime_dir, asked.state_dir)
    deadline = time.monotonic() + _SHARE * asked.timeout
    from gds.ocf.attendant import descriptor_of

    descriptor_of(asked, place.chosen)
    answer = client.ask(place.socket, {"verb": "reload"}, timeout=deadline - time.monotonic())
    if answer["code"]:
        raise Failure(codes.GENERIC, str(answer["message"]))
    return codes.SUCCESS


def validate_all(asked: Asked) -> int:
    """gds check; with OCF_CHECK_LEVEL 10 or more also the Validate methods, by the runner if there is one."""
    asked.check()
    asked.check_here()
    place = Place(asked.runtime_dir, asked.state_dir)
    deadline = time.monotonic() + _SHARE * asked.timeout
    from gds.ocf.attendant import check

    if asked.level and _status(place, deadline) is not None:
        answer = client.ask(place.socket, {"verb": "validate", "names": []}, timeout=deadline - time.monotonic())
        if answer["code"]:
            raise Failure(codes.GENERIC, str(answer["message"]))
        return codes.SUCCESS
    code, said = check(asked, "validate" if asked.level else "check", deadline - time.monotonic())
    if code:
        raise Failure(codes.ARGS if code == 78 else codes.GENERIC, said)
    return codes.SUCCESS


def meta_data(_asked: Asked) -> int:
    """What the agent can do, in XML."""
    from gds.ocf.metadata import document

    form = os.environ.get("OCF_RA_VERSION_MAJOR", "1"), os.environ.get("OCF_RA_VERSION_MINOR", "0")
    sys.stdout.write(document(form >= ("1", "1")))
    return codes.SUCCESS


ACTIONS: dict[str, Callable[[Asked], int]] = {
    "start": start,
    "stop": stop,
    "monitor": monitor,
    "status": monitor,
    "reload-agent": reload_agent,
    "validate-all": validate_all,
    "meta-data": meta_data,
}


def main(argv: Sequence[str] | None = None) -> int:
    """One action; its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--help"], ["-h"], ["usage"]):
        print(USAGE)
        return codes.SUCCESS
    if len(words) != 1 or words[0] not in ACTIONS:
        print(f"gds-ocf: cannot {' '.join(words) or 'guess the action'}\n{USAGE}", file=sys.stderr)
        return codes.UNIMPLEMENTED
    try:
        return ACTIONS[words[0]](Asked(os.environ))
    except Failure as failure:
        reason(str(failure))
        return failure.code
    except client.Denied as error:
        reason(str(error))
        return codes.PERM
    except GdsError as error:
        reason(str(error))
        return codes.GENERIC


# -- the parts --------------------------------------------------------------------------------------------------------


def _absent(asked: Asked, place: Place) -> int:
    """Nothing runs. Asked for the first time on this node, it may be asked to start soon: what can be, is prepared."""
    asked.check()
    if asked.is_probe and os.path.exists(asked.config):
        from gds.ocf.attendant import prepare

        prepare(asked, place)
    return codes.NOT_RUNNING


def _begin(asked: Asked, place: Place) -> None:
    """A runner, begun in the background. Raises Failure."""
    from gds.ocf.attendant import begin, descriptor_of

    descriptor = descriptor_of(asked, place.chosen)
    claim = place.claim()
    if claim < 0:
        return  # another action was faster
    try:
        begin(asked, place, descriptor, claim)
    finally:
        os.close(claim)


def _status(place: Place, deadline: float) -> dict[str, Any] | None:
    """What the runner says; None: nobody answers."""
    try:
        answer = client.ask(place.socket, {"verb": "status"}, timeout=max(0.1, deadline - time.monotonic()))
    except (client.NoRunner, client.TimedOut):
        return None
    status: dict[str, Any] | None = answer.get("status")
    return status


def _status_soon(asked: Asked, place: Place, deadline: float) -> dict[str, Any]:
    """The same of a runner that was just begun. Raises Failure when it ended instead, or does not answer."""
    while True:
        status = _status(place, deadline)
        if status is not None:
            return status
        if not place.is_alive():
            from gds.ocf.attendant import check

            code, said = check(asked, "check", max(1.0, deadline - time.monotonic()))
            if code:
                raise Failure(codes.ARGS, said)
            raise Failure(codes.GENERIC, _why_ended(place) or f"cannot run {asked.config}: the runner ended at once")
        if time.monotonic() > deadline:
            raise Failure(codes.GENERIC, f"cannot hear the runner of {asked.instance}: it does not answer")
        time.sleep(_LOOK_AGAIN)


def _end_everybody(place: Place, deadline: float) -> int:
    """Runner and attendant are gone, and nobody comes: the claim that proves it. Raises Failure.

    The runner is asked, and stops everything in its order; a second time when three quarters of the time are over,
    and then it kills.
    """
    begun = time.monotonic()
    hurry = begun + 0.75 * (deadline - begun)
    told = 0
    quiet = begun
    while True:
        now = time.monotonic()
        pid = place.runner()
        claim = -1 if pid else place.claim()
        if claim >= 0:
            return claim
        if pid:
            number = signal.SIGTERM if pid != told else 0
            told = pid
            if now > hurry:
                number, hurry = signal.SIGTERM, deadline
            signal_and_wait(pid, number, min(hurry, deadline) - now)
            quiet = time.monotonic()
        elif now - quiet > _PATIENCE:
            # an attendant about to begin another one, or what an action that was killed had begun
            for each in place.holders():
                signal_and_wait(each, signal.SIGKILL, 1.0)
        if time.monotonic() > deadline:
            for each in {pid, *place.holders()} - {0}:
                signal_and_wait(each, signal.SIGKILL, 1.0)
            if time.monotonic() > deadline + 10:
                raise Failure(codes.GENERIC, f"cannot stop: process {pid or place.holders()} cannot be killed")
        time.sleep(_LOOK_AGAIN)


def _deeper(place: Place, status: dict[str, Any], code: int, because: str, deadline: float) -> tuple[int, str]:
    """One real probe of each resource that is online, now. What gds would restart by itself is 190, what it would give
    over, 1."""
    said = [because] if because else []
    for each in _enabled(status):
        if each["state"] not in UP or each["probe"] is None:
            continue
        request = {"verb": "probe", "names": [each["name"]]}
        found = client.ask(place.socket, request, timeout=max(0.1, deadline - time.monotonic())).get("probe")
        if not found or not found["score"]:
            continue  # healthy; or a probe of it is under way, or it is being restarted
        text = f"{each['name']}: the probe says {found['score']} of 100: {found['because']}"
        if found["verdict"] in ("Giveover", "LeaveAlone"):
            return codes.GENERIC, text
        code = codes.DEGRADED
        said.append(text)
    return code, "\n".join(said)


def _enabled(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [r for g in status["groups"] for r in g["resources"] if r["enabled"]]


def _tell_faults(place: Place) -> None:
    """Of the cluster around us. Asked at most once a minute, because it costs more than all the rest of a monitor; told
    every time."""
    if place.notice_age() > _FAULTS_EVERY:
        from gds.ocf.attendant import fencing_fault, metadata_fault

        place.notice("\n".join(filter(None, (fencing_fault(), metadata_fault()))))
    for fault in place.noticed().splitlines():
        warn(fault)


def _why_ended(place: Place) -> str:
    """The runner's last word, where it is kept in a file."""
    try:
        with open(place.log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().decode(errors="replace").strip().split("\n")
    except OSError:
        return ""
    for line in reversed(lines):
        _, error, said = line.partition(" error ")
        if error or line.startswith("gds: cannot"):
            return said or line
    return ""


def _listed(pids: Sequence[int]) -> str:
    more = f" and {len(pids) - 5} more" if len(pids) > 5 else ""
    return f"process{'' if len(pids) == 1 else 'es'} {', '.join(map(str, pids[:5]))}{more}"
