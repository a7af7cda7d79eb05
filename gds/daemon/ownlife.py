"""The runner's own life: when it is ready, what it says of itself to the service manager, and how it ends.

Facts come in: a resource's life has changed, somebody asks the runner to end, a giveover was granted, this node must be
ended, the last nametag is gone. READY=1 is told once, when everything that was asked to start has come to rest; the
loop is stopped when everything is down, and `code` is then the exit status that design.md 4 gives.
"""

from __future__ import annotations

from functools import partial

from gds.daemon.environment import DEFAULT_PATH
from gds.daemon.rgmd import SETTLED
from gds.model.launch import Launch
from gds.model.names import TAG_MARK
from gds.model.state import ResourceState, ResourceStatus
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from gds.daemon.app import App
    from gds.daemon.fed import Fed, Result
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.world import Log
    from gds.model.resource import Resource
    from gds.model.settings import Settings
    from gds.ports import Scheduler

    class Loop(Scheduler, Protocol):
        """The loop, which can be ended."""

        def stop(self) -> None: ...

    class ServiceManager(Protocol):
        """Who started us, when it wants to know."""

        @property
        def present(self) -> bool: ...
        def ready(self, status: str = "") -> None: ...
        def status(self, text: str) -> None: ...
        def reloading(self, status: str = "") -> None: ...
        def stopping(self, status: str = "") -> None: ...
        def every(self, deserved: Callable[[], bool]) -> None: ...
        def extend_timeout(self, seconds: float) -> None: ...
        def exit_status(self, code: int) -> None: ...

    class TagsIfAny(Protocol):
        """The nametags people made with pmfadm."""

        @property
        def empty(self) -> bool: ...
        @property
        def had_any(self) -> bool: ...
        def end(self, because: str) -> None: ...
        def hurry(self) -> None: ...


DONE, FAILED, GIVEOVER, BAD_SETTINGS = 0, 1, 75, 78
ABORT_LIMIT = 60.0
"""Seconds for node_abort_command."""
ALONE = 10.0
"""Seconds a runner that has nothing but tags waits for the first one."""
PROGRESS = 10.0
"""Seconds between two EXTEND_TIMEOUT_USEC while a start or stop goes on."""


class OwnLife:
    """See the module."""

    rgmd: Rgmd
    """Set once, by who builds both: it asks us to leave, we ask it to stop everything."""
    fed: Fed
    """As above; runs node_abort_command."""
    tags: TagsIfAny
    """As above; tells us when the last one is gone."""

    def __init__(
        self, loop: Loop, manager: ServiceManager, log: Log, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        self._loop = loop
        self._manager = manager
        self._log = log
        self._settings = settings
        self._environ = environ
        self.code = DONE
        """The exit status."""
        self.stopping = False
        """Everything is being stopped; nothing is started any more."""
        self.reloading = False
        """A reload is under way."""
        self._hurried = False
        self._ready_told = False
        self._starting: set[str] = set()
        self._left: set[str] = set()
        self._aborting = 0
        self._for_tags = False
        self._alone = False
        self.departing: Callable[[], None] | None = None
        """Tells the cluster that everything is being stopped, so that others take each group when it is down."""
        self.farewell: Callable[[Callable[[], None], bool], None] | None = None
        """Tells the cluster that we go, and calls back; True: something could not be stopped."""

    def begin(self, for_tags: bool) -> None:
        """The loop is about to run. `for_tags`: there is nothing but tags, and we end with the last of them."""
        # The loop calls this itself; a judge that was left in the middle of a step makes no progress.
        self._manager.every(lambda: not self.rgmd.stepping)
        if self._manager.present:
            self._extend()
        self._check_ready()
        self._for_tags = for_tags
        if for_tags:
            self._loop.after(ALONE, self._waited_for_tags)

    # -- telling the service manager ----------------------------------------------------------------------------------

    def await_start(self, name: str) -> None:
        """We are not ready before this one has come to rest."""
        self._starting.add(name)

    def observed(self, app: App) -> None:
        """Its life or status changed."""
        if app.view.life in SETTLED:
            self._starting.discard(app.name)
            self._check_ready()
        elif app.view.life is Life.AWAITING:
            # after this turn: what it waits for may be asked to start in the same turn
            self._loop.soon(lambda: self._rested(app))
        if self._manager.present:
            self._manager.status(self._status_line())

    def _rested(self, app: App) -> None:
        if self.rgmd.is_at_rest(app):
            self._starting.discard(app.name)
            self._check_ready()

    def reload_begins(self) -> None:
        """Until `reload_ends`, systemd waits."""
        self.reloading = True
        self._manager.reloading("Reloading")
        if self._manager.present:
            self._extend()

    def reload_ends(self) -> None:
        """As it was before."""
        self.reloading = False
        if not self.stopping:
            self._manager.ready(self._status_line())

    def _check_ready(self) -> None:
        if not self._ready_told and not self._starting and not self.stopping:
            self._ready_told = True
            self._manager.ready(self._status_line())

    def _status_line(self) -> str:
        states = [(a, self.rgmd.public(a)) for a in self.rgmd.apps.values()]
        bad = [a for a, s in states if s in (ResourceState.START_FAILED, ResourceState.STOP_FAILED)]
        bad += [a for a, _ in states if a.view.status is ResourceStatus.FAULTED and a not in bad]
        if bad:
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            return f"{bad[0].name} {self.rgmd.public(bad[0])}: {bad[0].view.why}{more}"
        moving = [f"{a.name} {s}" for a, s in states if a.view.life not in SETTLED]
        if moving:
            return ", ".join(moving[:5]) + (f" and {len(moving) - 5} more" if len(moving) > 5 else "")
        up = sum(1 for _, s in states if s in (ResourceState.ONLINE, ResourceState.ONLINE_NOT_MONITORED))
        return f"{up} of {len(states)} online"

    def _extend(self) -> None:
        """While a start or a stop goes on, systemd's own limit must not end it: ours do."""
        if self._starting or self.stopping or self.reloading:
            self._manager.extend_timeout(PROGRESS * 3)
            self._loop.after(PROGRESS, self._extend)

    # -- the end ------------------------------------------------------------------------------------------------------

    def asked_to_end(self) -> None:
        """SIGTERM or SIGINT: stop everything in order; the second one hurries."""
        if self.stopping:
            self._hurry()
        else:
            self._log.info("asked to end: stopping everything")
            self._stop_all("the runner is asked to end")

    def leave(self, because: str) -> None:
        """A giveover was granted: to the outside, our end is the other node's turn."""
        if self.stopping:
            return
        self._loop.soon(lambda: self._log.error(f"leaving this node: {because}"))  # after what led to it is told
        self.code = GIVEOVER
        self._stop_all(because)

    def abort(self, because: str, resource: Resource) -> None:
        """End this node by node_abort_command, for that resource; without it no descriptor with HARD compiles."""
        command = self._settings.node_abort_command
        node = self._settings.node
        self._log.error(f"ending this node, {command}: {because}")
        if (app := self.rgmd.apps.get(resource.name)) is not None:
            self.rgmd.kept.decided(app, "abort", f"ending this node: {because}")
        env = {"PATH": self._environ.get("PATH", DEFAULT_PATH), "GDS_NODE": node, "GDS_REASON": because}
        env |= {"GDS_RESOURCE": resource.name, "GDS_GROUP": resource.group, "GDS_TYPE": resource.type}
        self.fed.run(
            "gds:NodeAbort",
            lambda out: Launch(("/bin/sh", "-c", command), env, out, out),
            ABORT_LIMIT,
            self._aborted,
        )
        self._aborting += 1

    def _aborted(self, result: Result) -> None:
        self._log.error(f"node_abort_command {result.said}")
        self._aborting -= 1
        if self.stopping:
            self._check_end()

    def _hurry(self) -> None:
        if self._hurried:
            return
        self._hurried = True
        self.code = FAILED
        self._log.warning("asked to end a second time: SIGKILL to everything")
        self.rgmd.hurry()
        self.tags.hurry()

    def _stop_all(self, because: str) -> None:
        self.stopping = True
        self._manager.stopping(f"Stopping: {because}")
        if self._manager.present:
            self._extend()
        apps = list(self.rgmd.apps.values())
        self._left = {app.name for app in apps}  # also what could not be stopped before: it is tried again
        self.rgmd.stop_all(because)
        if self.departing is not None:
            self.departing()
        for app in apps:
            self.rgmd.settled(app, partial(self._settled, app))
        if not self.tags.empty:
            self._left.add(TAG_MARK)
            self.tags.end(because)
        elif not apps:
            self._end()

    def _settled(self, app: App) -> None:
        if app.view.life not in SETTLED or app.view.life is Life.ONLINE:
            self.rgmd.settled(app, lambda: self._settled(app)) if app.view.life is not Life.ONLINE else None
            return
        self._left.discard(app.name)
        self._check_end()

    def _check_end(self) -> None:
        if not self._left and not self._aborting:
            failed = [a.name for a in self.rgmd.apps.values() if a.view.life is Life.STOP_FAILED]
            if failed:
                self._log.error(f"cannot stop {', '.join(failed)}")
                self.code = FAILED
            self._end(bool(failed))

    def _end(self, failed: bool = False) -> None:
        if self.farewell is None:
            self._loop.stop()
        else:
            farewell, self.farewell = self.farewell, lambda _then, _failed: None
            farewell(self._loop.stop, failed)

    def refused(self, because: str) -> None:
        """We cannot be what we were started as: everything stops, and the runner ends with 78, which no
        service manager tries again."""
        self._log.error(because)
        self.code = BAD_SETTINGS
        if not self.stopping:
            self._stop_all(because)

    # -- nametags -----------------------------------------------------------------------------------------------------

    def no_tags(self) -> None:
        """No tag is left, and no process of one: that may be what we wait for."""
        if not self.tags.empty:
            return
        if self.stopping:
            self._left.discard(TAG_MARK)
            self._check_end()
        elif self._for_tags and (self._alone or self.tags.had_any):
            self._loop.stop()

    def _waited_for_tags(self) -> None:
        self._alone = True
        self.no_tags()
