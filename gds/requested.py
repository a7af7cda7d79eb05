"""What is asked for in a play: by people, and through scha_control by monitors and methods.

Pure; beside `simulate.py`, as the doors of the runner (daemon/rgmd.py, groups.py, rmapi.py) stand beside its step.
Whether a request is granted is decided by `rgm`; the same sentences are said.
"""

from __future__ import annotations

from gds.fault import score, verdict
from gds.model.state import ResourceStatus
from gds.model.window import EMPTY
from gds.rgm import control
from gds.rgm.control import Optag
from gds.rgm.events import ClearAsked, GiveoverAsked, RestartAsked, StartAsked, StopAsked
from gds.rgm.group import doing
from gds.rgm.life import STAYS_DEAD
from gds.rgm.order import needing
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from gds.fault.score import Score
    from gds.model.state import ResourceState
    from gds.rgm.events import Event
    from gds.stage import Actor, Stage
    from gds.troupe import Troupe

    class Play(Protocol):
        """Who plays. `on_giveover`: where a giveover leads now; `recorded`: nothing comes by itself."""

        @property
        def stage(self) -> Stage: ...
        @property
        def troupe(self) -> Troupe: ...
        @property
        def recorded(self) -> bool: ...
        @property
        def on_giveover(self) -> str: ...
        def submit(self, actor: Actor, event: Event) -> None: ...
        def weigh(self, actor: Actor, got: Score) -> None: ...
        def public(self, actor: Actor) -> ResourceState: ...
        def set_status(self, actor: Actor, status: ResourceStatus, message: str) -> None: ...


STARTING = (Life.STARTING, Life.PREPARING)
UNRULED = ("giveover", "clear")
"""What a busy group has no say in."""


def _is_dead(actor: Actor) -> bool:
    """It counts as up, and has no process any more: it was left alone."""
    return actor.view.life is Life.ONLINE and not actor.alive and actor.resource.pmf_managed


class Requests:
    """See the module."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._stage = play.stage
        self._troupe = play.troupe

    # -- people, of a resource ----------------------------------------------------------------------------------------

    def of_resource(self, actor: Actor, act: str) -> None:
        """A person asks for one of ACTS."""
        because = f"{act} asked by a person"
        refusal = "" if self._play.recorded else self._refusal(actor, act)  # what is recorded was not refused
        if refusal:
            self._answer(actor, f"cannot {act} {actor.name}: {refusal}")
        elif act in ("start", "enable"):
            actor.enabled = True
            if self._is_managed(actor):
                self._start(actor, because)
            else:
                actor.view = actor.view.replace(because=f"{because}; its group is unmanaged")
                group = actor.resource.group
                self._answer(actor, f"it is enabled, and starts when {group} is managed and brought online")
        elif act in ("stop", "disable"):
            actor.enabled = actor.enabled and act == "stop"
            if act == "stop" and (needed := self._troupe.needed_by(actor)):
                go = "goes" if len(needed) == 1 else "go"
                self._answer(actor, f"{needing(needed)} {actor.name}, and {go} on running without it")
            self._play.submit(actor, StopAsked(because))
        elif act == "restart":
            self._play.submit(actor, RestartAsked(because))
        elif act == "giveover":
            self._giveover(actor, because)
        elif act == "clear":
            self._clear(actor)
        else:
            self._switch_monitor(actor, act == "monitor")

    def _start(self, actor: Actor, because: str) -> None:
        self._play.submit(actor, (RestartAsked if _is_dead(actor) else StartAsked)(because))

    def _refusal(self, actor: Actor, act: str) -> str:
        """Why a person may not have it; "" when it is done, or somebody else says so."""
        if self._troupe.leaving and act != "clear":
            return "the runner is stopping everything"
        if act not in UNRULED and (busy := self._troupe.refusal_of(actor, act, self._stage.now)):
            return busy
        if act == "disable" and (needed := self._troupe.bound_to(actor)):
            return f"{needing(list(needed))} it; disable {'that' if len(needed) == 1 else 'those'} as well"
        if act not in ("start", "restart"):
            return ""
        if not actor.enabled:
            return "it is disabled"
        if not self._is_managed(actor):
            return "its group is unmanaged"
        return f"its last stop failed ({actor.view.because})" if actor.view.life is Life.STOP_FAILED else ""

    def _giveover(self, actor: Actor, because: str) -> None:
        ruling = control.giveover(self._play.on_giveover)
        if actor.view.life is not Life.ONLINE:
            self._answer(actor, f"cannot give over {actor.name}: it is {self._play.public(actor)}")
        elif isinstance(ruling, control.Refused):
            actor.history = verdict.gave_over()  # surprise 7: after a giveover, even a refused one, the counters are 0
            stays = "it stays as it is, its history is forgotten"
            self._answer(actor, f"cannot give over {actor.name}: {ruling.because}; {stays}")
        else:
            self._play.submit(actor, GiveoverAsked(f"giveover: {because}", by_monitor=False))

    def _clear(self, actor: Actor) -> None:
        if actor.view.life is Life.STOP_FAILED:
            if actor.alive and not self._play.recorded:
                self._answer(actor, f"cannot clear {actor.name}: processes are still there")
                return
            self._play.submit(actor, ClearAsked())
        actor.history = verdict.gave_over()
        actor.failures, actor.monitor_failed = EMPTY, False
        dead = _is_dead(actor)
        self._answer(actor, f"its history is forgotten; {STAYS_DEAD}" if dead else "its history is forgotten")
        if actor.view.life is Life.ONLINE and actor.view.status is ResourceStatus.FAULTED and not dead:
            self._play.set_status(actor, ResourceStatus.UNKNOWN, "cleared, not probed since")

    def _switch_monitor(self, actor: Actor, monitored: bool) -> None:
        actor.monitored = monitored
        if monitored and actor.view.life is Life.ONLINE:
            actor.failures, actor.monitor_failed = EMPTY, False
        self._answer(actor, f"it is {self._play.public(actor)}, {'' if monitored else 'not '}monitored")

    # -- people, of a group -------------------------------------------------------------------------------------------

    def of_group(self, group: str, act: str) -> None:
        """A person asks for one of GROUP_ACTS."""
        stage, troupe = self._stage, self._troupe
        because = f"rg {act} asked by a person"
        refusal = "the runner is stopping everything" if troupe.leaving else troupe.refusal(group, act, stage.now)
        if refusal:
            stage.said(group, "answer", f"cannot {doing(act, group)}: {refusal}")
        elif act in ("suspend", "resume"):
            troupe.suspend(group, act == "suspend")
            stage.said(group, "answer", f"automatic recovery is {'suspended' if act == 'suspend' else 'on again'}")
            for actor in troupe.of(group) if act == "resume" else ():
                if _is_dead(actor):
                    self._play.weigh(actor, score.of_death("while automatic recovery was suspended"))
        elif act in ("manage", "unmanage"):
            troupe.manage(group, act == "manage")
            stage.said(group, "answer", f"it is {'managed' if act == 'manage' else 'unmanaged'}")
        elif act == "offline":
            for actor in troupe.of(group, down=True):
                self._play.submit(actor, StopAsked(because))
        elif act == "clear":
            for actor in troupe.of(group):
                self._clear(actor)
        elif act == "online":
            for actor in troupe.of(group):
                if actor.enabled:
                    self._start(actor, because)
        else:
            self._restart_group(group, because)

    def _restart_group(self, group: str, because: str) -> None:
        for actor in self._troupe.of(group, down=True):
            if actor.enabled:
                self._play.submit(actor, RestartAsked(because, whole=True))

    # -- scha_control -------------------------------------------------------------------------------------------------

    def of_scha_control(self, actor: Actor, optag: Optag) -> None:
        """`scha_control -O optag` for that resource."""
        if self._troupe.leaving:
            self._answer(actor, "refused (RECONF): the runner is stopping everything")
            return
        ruling = control.judge(optag, self._standing(actor))
        because = f"{optag.value} asked by root"
        if optag is Optag.GIVEOVER:
            actor.history = verdict.gave_over()  # whether or not it is granted (Sun: semantics.md 7.3, rule 8)
        if isinstance(ruling, control.Refused):
            self._stage.decided(actor, "refused", f"{because}: {ruling.because}")
            self._answer(actor, f"refused ({ruling.code.name}): {ruling.because}")
            return
        self._answer(actor, "granted")
        self._carry_out(actor, optag, because)

    def _carry_out(self, actor: Actor, optag: Optag, because: str) -> None:
        if optag is Optag.GIVEOVER:
            self._play.submit(actor, GiveoverAsked(f"giveover: {because}", by_monitor=False))
        elif optag is Optag.RESTART:
            self._restart_group(actor.resource.group, because)
        elif optag in (Optag.RESOURCE_RESTART, Optag.RESOURCE_IS_RESTARTED):
            history = actor.history
            actor.history = history.replace(restarts=history.restarts.add(self._stage.now))
            if optag is Optag.RESOURCE_RESTART:
                self._play.submit(actor, RestartAsked(because))
        elif optag is Optag.RESOURCE_DISABLE:
            actor.enabled = False
            self._play.submit(actor, StopAsked(because))
        elif optag is Optag.IGNORE_FAILED_START:
            actor.view = actor.view.replace(excused=True)

    def _standing(self, actor: Actor) -> control.Standing:
        resource, troupe, now = actor.resource, self._troupe, self._stage.now
        return control.Standing(
            state=self._play.public(actor),
            group_state=troupe.state(resource.group, now),
            mode=resource.failover_mode,
            on_giveover=self._play.on_giveover,
            enabled=actor.enabled,
            monitored=actor.monitored,
            suspended=troupe.suspended(actor),
            retry_count=resource.retry_count,
            retry_interval=resource.retry_interval,
            restarts=actor.history.done(resource.retry_interval, now),
            starting=actor.view.life in STARTING,
            needed_by=troupe.bound_to(actor),
        )

    # -- what it says -------------------------------------------------------------------------------------------------

    def _answer(self, actor: Actor, text: str) -> None:
        self._stage.line(actor, "answer", text)

    def _is_managed(self, actor: Actor) -> bool:
        return self._troupe.is_managed(actor.resource.group)
