"""The house: the runner seen from its door. What the receptionist shows and asks of the runner as a whole: who it is,
what it keeps, its history and logs, and reload.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.ownlife import OwnLife
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.setting import Setting
    from gds.model.resource import Resource

    class Keeper(Protocol):
        """Something that may be unable to keep what it should: "" = it is able."""

        @property
        def problem(self) -> str: ...

    class Switches(Protocol):
        """What people set for good."""

        def set(self, name: str, what: str, value: bool) -> str: ...

    class Decisions(Protocol):
        """The decisions, with their reasons."""

        def read(
            self,
            names: list[str],
            most: int,
            done: Callable[[list[dict[str, Any]]], None],
            since: str = "",
            facts: bool = False,
        ) -> None: ...

    class Files(Protocol):
        """Where stdout and stderr go."""

        def paths(self, name: str) -> dict[str, str]: ...


class House:
    """See the module. `compile_` reads the descriptors again in a process of its own, and is None when there are none;
    `released` hears of a resource that no descriptor names any more."""

    def __init__(
        self,
        version: str,
        node: str,
        rgmd: Rgmd,
        groups: Groups,
        life: OwnLife,
        switches: Switches,
        decisions: Decisions,
        files: Files,
        stamp: Callable[[float], str],
        keepers: Iterable[Keeper],
        new_app: Callable[[Resource], App],
        compile_: Callable[[Callable[[dict[str, Any]], None]], None] | None,
        released: Callable[[str], None],
    ) -> None:
        self.version = version
        self._node = node
        self._rgmd = rgmd
        self._groups = groups
        self._life = life
        self.switch = switches.set
        """Keep a switch for good (name, what, value); why it could not be kept, or ""."""
        self.history = decisions.read
        """The last decisions, to a callback."""
        self._files = files
        self.stamp = stamp
        """Wall time for people."""
        self._keepers = tuple(keepers)
        self._new_app = new_app
        self._compile = compile_
        self._released = released
        self.began = rgmd.loop.now()
        """The instant at which this runner began; an upgrade does not make it younger."""
        self.cluster: Callable[[], dict[str, Any]] | None = None
        """What `gds status` shows of the cluster; None: there is none."""
        self.setting: Callable[[], Setting]
        """The desk where properties are changed, made when it is first asked for; set by who can make it."""
        self.is_set: Callable[[], bool]
        """Somebody has set something, so that the desk has to be asked."""

    def add_keeper(self, keeper: Keeper) -> None:
        """One more that may be unable to keep what it should."""
        self._keepers = (*self._keepers, keeper)

    @property
    def stopping(self) -> bool:
        """Everything is being stopped."""
        return self._life.stopping

    def placed(self, group: str) -> dict[str, Any] | None:
        """Of several nodes: who masters the group, how it is there, and where it may not go; `away`: why this node has
        no contact with the cluster, so that this is old news; `heard`: it ever had. None: there is one node."""
        if self.cluster is None:
            return None
        known = self.cluster()
        placed: dict[str, Any] | None = known["groups"].get(group)
        away = known["away"] or known["lost"]
        return {"away": away, "heard": known["heard"], **placed} if placed is not None else None

    def identity(self) -> dict[str, Any]:
        """The head of `gds status --json`."""
        made: dict[str, Any] = {
            "version": self.version,
            "node": self._node,
            "pid": os.getpid(),
            "uptime_seconds": round(self._rgmd.loop.now() - self.began, 3),
            "tracking": self._rgmd.forest.rung,
        }
        problems = [k.problem for k in self._keepers if k.problem]
        if problems:
            made["problems"] = problems
        if self.stopping:
            made["stopping"] = True
        if self.cluster is not None:
            made["cluster"] = self.cluster()
        return made

    def log_paths(self, app: App) -> dict[str, Any]:
        """Where what the application printed can be read."""
        files = self._files.paths(app.name)
        return {
            stream: {"kind": output.kind, "file": files.get(stream) or output.path, "rotate": output.rotate}
            for stream, output in (("stdout", app.resource.stdout), ("stderr", app.resource.stderr))
        }

    # -- reload -------------------------------------------------------------------------------------------------------

    def reload(
        self, dry: bool, planned: Callable[[list[str]], None], done: Callable[[int, str, list[str]], None]
    ) -> None:
        """Read the descriptors again, in a process of its own; tell the plan, then touch only what changed."""
        from gds.daemon.reloading import Reload

        life = self._life
        if life.stopping:
            done(75, "cannot reload: the runner is stopping everything", [])
            return
        if life.reloading:
            done(75, "cannot reload: a reload is under way", [])
            return
        if self.is_set() and self.setting().busy:
            done(75, f"cannot reload: {self.setting().busy}", [])
            return
        if self._compile is None:
            done(1, "cannot reload: this runner was given a command, not descriptors", [])
            return
        life.reload_begins()

        def finished(code: int, message: str, plan: list[str]) -> None:
            life.reload_ends()
            done(code, message, plan)

        reload = Reload(
            self._rgmd,
            self._compile,
            self._groups,
            self._new_app,
            self._released,
            lambda: life.stopping,
            planned,
            finished,
            lambda stands: self.setting().followed(stands) if stands else None,
        )
        try:
            reload.begin(dry)
        except OSError as error:
            finished(1, f"cannot reload: cannot start the compiler: {error.strerror}", [])

    # -- asked by a signal --------------------------------------------------------------------------------------------

    def asked_to_reload(self) -> None:
        """SIGHUP."""
        self.reload(False, self._tell_plan, self._reloaded)

    def _tell_plan(self, plan: list[str]) -> None:
        for line in plan:
            self._rgmd.log.info(f"reload: {line}")

    def _reloaded(self, code: int, message: str, _plan: list[str]) -> None:
        if code:
            self._rgmd.log.error(message)

    def asked_to_tell(self, turns: int) -> None:
        """SIGUSR1: the state to the log. `turns` of the loop so far."""
        rgmd = self._rgmd
        now = rgmd.loop.now()
        for app in rgmd.apps.values():
            span = app.resource.retry_interval
            rgmd.log.info(
                app.view.why or "nothing happened yet",
                resource=app.name,
                state=rgmd.public(app).value,
                status=app.view.status.value,
                pids=len(app.tree.members()) if app.tree is not None else 0,
                restarts=app.history.done(span, now),
                sum=app.history.total(span, now),
            )
        rgmd.log.info("state told", turns=turns, tracking=rgmd.forest.rung, applications=len(rgmd.apps))

    def forward(self, number: int) -> None:
        """As PID 1: a signal that we do not use ourselves is for the application."""
        for app in self._rgmd.apps.values():
            if app.tree is not None and app.tree.main_alive:
                app.tree.signal(number, [app.tree.main_pid])
