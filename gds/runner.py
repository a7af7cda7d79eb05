"""The composition root: builds every part once, with a reason for each wire, and owns the runner's own life.

Life of a runner: take the directories (or refuse, 75), choose the tracking rung, take back what an earlier runner
left, bring everything up, serve, and on TERM bring everything down and end with the status design.md 4 gives.
"""

from __future__ import annotations

import os
import signal
from functools import partial

from gds import __version__
from gds.daemon.app import App
from gds.daemon.environment import AS_RUNNER, DEFAULT_PATH, Account, parse_file
from gds.daemon.fed import Fed
from gds.daemon.keeping import Keeping, recall, record_of
from gds.daemon.rgmd import SETTLED, Rgmd, World
from gds.errors import ConfigError, EngineError
from gds.fault.score import Outcome
from gds.linux import clock, procfs
from gds.linux.kept import History, Lock, Memory, Switches
from gds.linux.loop import Loop
from gds.linux.reaper import Reaper
from gds.model.ending import how_it_ended
from gds.model.launch import Launch
from gds.model.names import TAG_MARK
from gds.model.state import ResourceState, ResourceStatus
from gds.rgm.events import RestartAsked, StartAsked, StopAsked
from gds.rgm.resource import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from gds.api.server import Connection, Server
    from gds.daemon.fed import Result, Run
    from gds.daemon.pmfdesk import PmfDesk
    from gds.daemon.receptionist import Receptionist
    from gds.daemon.tags import Tags
    from gds.linux.dslog import DataServiceLog
    from gds.linux.journal import Log
    from gds.linux.notify import Notifies
    from gds.linux.output import Outputs
    from gds.linux.probing import Answer, Asking
    from gds.linux.zygote import Zygote
    from gds.model.resource import Output, Plan, Resource
    from gds.model.settings import Settings
    from gds.ports import Forest

DONE, FAILED, GIVEOVER = 0, 1, 75
FORWARDED = ("SIGQUIT", "SIGWINCH", "SIGALRM", "SIGCONT", "SIGURG", "SIGIO", "SIGPWR")
ABORT_LIMIT = 60.0
"""Seconds for node_abort_command."""
ALONE = 10.0
"""Seconds a runner that has nothing but tags waits for the first one."""
PROGRESS = 10.0
"""Seconds between two EXTEND_TIMEOUT_USEC while a start or stop goes on."""


class Runner:
    """See the module. Raises EngineError (75: somebody has the directories; else 1)."""

    def __init__(
        self, plan: Plan, settings: Settings, sources: Sources, environ: MutableMapping[str, str], log: Log
    ) -> None:
        self.version = __version__
        self.stopping = False
        self.log = log
        self.settings = settings
        self._sources = sources
        self._environ = environ
        self._code = DONE
        self._hurried = False
        self._ready_told = False
        self._left: set[str] = set()
        self._starting: set[str] = set()
        self._aborting = 0
        self._began = clock.monotonic()
        self._pid1 = os.getpid() == 1
        self._reloading = False
        self._server: Server | None = None
        self._receptionist: Receptionist | None = None
        self._zygote: Zygote | None = None
        self._notifies: Notifies | None = None
        self._ds_log: DataServiceLog | None = None
        self._tags: Tags | None = None
        self._pmf: PmfDesk | None = None
        # Nothing is declared, and nothing can be read again: pmfadm started us, and we end with its last tag.
        self._for_tags = not plan.resources and not sources.paths
        self._alone = False

        loop = self.loop = Loop()
        loop.on_error = self._our_bug
        # Before anything is started: a signal between two lines here must not kill us with a tree half made.
        for name in ("SIGTERM", "SIGINT"):
            loop.on_signal(getattr(signal, name), self._asked_to_end)
        loop.on_signal(signal.SIGHUP, self._asked_to_reload)
        loop.on_signal(signal.SIGUSR1, self._asked_to_tell)
        loop.on_signal(signal.SIGUSR2, self._asked_to_reopen)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # a log line from the background must not stop the runner
        if self._pid1:
            for name in FORWARDED:
                number = getattr(signal, name)
                loop.on_signal(number, partial(self._forward, number))

        self.runtime_dir = self._directory(settings.runtime_dir, "runtime_dir")
        self._state_dir = self._directory(settings.state_dir, "state_dir")
        # One runner a directory: two would double every application.
        self._locks = [Lock(d) for d in dict.fromkeys((self.runtime_dir, self._state_dir)) if d]

        # The service manager is found first, because it takes NOTIFY_SOCKET out of the environment applications see.
        self._manager = _manager(loop, environ)

        # Orphans of our applications must come to us: their exit is attributed, and nobody is forgotten.
        from gds.linux.prctl import become_subreaper

        if not self._pid1:
            become_subreaper()
        self.reaper = Reaper(loop)
        self.forest = self._choose_forest()

        self._memory = Memory(self.runtime_dir, log) if self.runtime_dir else None
        self._switches = Switches(self._state_dir, log)
        self._history = History(loop, self._state_dir, log)
        self._keeping = Keeping(loop, self, self._history, self._stamp_now, self._logged)

        world = World()
        world.loop = loop
        world.forest = self.forest
        # Methods run in trees of their own on the same rung as applications.
        self._fed = world.fed = Fed(loop, self.forest, loop.watch, loop.unwatch)
        world.prober = Probes(self)
        # Most applications inherit our stdout: what copies and rotates is loaded for the first that does not.
        self._outputs = LateOutputs(self)
        world.outputs = self._outputs
        world.notifies = self
        world.kept = self._keeping
        world.log = log
        world.launch = Launch
        world.accounts = _account
        world.files = _environment_files
        # A plain dict, for os.environ encodes and decodes at each look. Nothing changes the environment any more.
        world.environ = dict(environ)
        world.everything = self._pid1
        world.node = settings.node
        world.socket = settings.socket
        world.on_giveover = settings.on_giveover
        if world.on_giveover == "auto":
            world.on_giveover = "exit" if self._pid1 else "refuse"
        # A granted giveover ends this runner: to the outside, that is the other node's turn.
        world.leave = self._leave
        # HARD and a failed stop: the node must not come back with the application still on it.
        world.abort = self._abort
        world.observed = self._observed
        world.wall = clock.wall
        world.chance = _chance
        self.rgmd: Rgmd = Rgmd(world)
        if self._memory is not None:
            self._memory.snapshot = lambda: [record_of(a) for a in self.rgmd.apps.values()]

        self._take(plan)

    # -- building -----------------------------------------------------------------------------------------------------

    def _directory(self, path: str, what: str) -> str:
        """Make it, private to us where it is ours alone; "" when it cannot be written (a read-only container)."""
        try:
            os.makedirs(path, 0o755, exist_ok=True)
            trial = f"{path}/.trial.{os.getpid()}"
            os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.unlink(trial)
        except OSError as error:
            said = f"cannot write {what} {path}: {error.strerror}"
            if error.errno == 28 and os.path.isdir(path):
                self.log.warning(f"{said}; it is tried again at each change")
                return path
            lost = (
                "no control socket, and a crash of this runner would be forgotten"
                if what == "runtime_dir"
                else "no history, and nothing is kept over a reboot"
            )
            self.log.warning(f"{said}: {lost}; --{what.replace('_', '-')} names another")
            return ""
        found = os.stat(path)
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            raise ConfigError(
                f"cannot use {what} {path}: it must belong to us or root, and nobody else may write there"
                f" (it belongs to uid {found.st_uid}, mode {found.st_mode & 0o7777:o})"
            )
        return path

    def _choose_forest(self) -> Forest:
        """The highest rung that works here; GDS_TRACKING=cgroup or keeper forces one."""
        wanted = self._environ.pop("GDS_TRACKING", "")
        if wanted not in ("", "cgroup", "keeper"):
            raise ConfigError(f"cannot use GDS_TRACKING={wanted}: it is cgroup or keeper")
        if wanted != "keeper":
            from gds.linux.cgroupforest import CgroupForest

            try:
                return CgroupForest(self.loop, self.reaper, _ident(self.settings.runtime_dir), self._get_zygote)
            except EngineError as error:
                if wanted:
                    raise
                self.log.debug(f"{error}; keepers track instead")
        from gds.linux.keeperforest import KeeperForest

        return KeeperForest(self.loop, self.reaper, self._get_zygote, self.runtime_dir)

    def _get_zygote(self) -> Zygote:
        """The fork server, made when it is first needed."""
        if self._zygote is None:
            from gds.linux.zygote import Zygote

            self._zygote = Zygote(self.loop, self.reaper)
        return self._zygote

    def open(self, name: str, uid: int) -> str:
        """An application's NOTIFY_SOCKET."""
        if self._notifies is None:
            from gds.linux.notify import Notifies

            self._notifies = Notifies(
                self.loop, self.runtime_dir, lambda who, said, _pid: self.rgmd.notified(who, said), self.log
            )
        return self._notifies.open(name, uid)

    def drain(self, name: str) -> None:
        """What a dead application said last is heard before its death is judged."""
        if self._notifies is not None:
            self._notifies.drain(name)

    def _take(self, plan: Plan) -> None:
        """Bring up what the plan says, after taking back what an earlier runner of this boot left."""
        records = self._memory.recall() if self._memory is not None else {}
        found = self.forest.survivors()
        strays = [each for each in found if each[0].startswith(TAG_MARK)]
        if strays:
            self._get_tags().take_strays(strays)
        survivors = dict([each for each in found if each not in strays])
        probed = [r for r in plan.resources if r.has_probe]
        for resource in plan.resources:
            self.rgmd.apps[resource.name] = self._new_app(resource)
        for rank, resource in enumerate(probed):
            self.rgmd.apps[resource.name].clock_rank = rank / len(probed)
        now = self.loop.now()
        lives = {name: recall(self.rgmd.apps[name], r, now) for name, r in records.items() if name in self.rgmd.apps}
        for name, incarnation in survivors.items():
            if name not in self.rgmd.apps:
                self._end_stray(name, incarnation)
        if self._memory is not None:
            self._memory.begin()
        for app in list(self.rgmd.apps.values()):
            if app.name in survivors:
                pid = records.get(app.name, {}).get("pid", 0)
                self._take_back(app, lives.get(app.name, Life.OFFLINE), survivors[app.name], int(pid))
            else:
                self._bring_up(app, lives.get(app.name, Life.OFFLINE))

    def _new_app(self, resource: Resource) -> App:
        app = App(resource)
        switches = self._switches.of.get(resource.name, {})
        app.enabled = switches.get("enabled", app.enabled)
        app.monitored = switches.get("monitored", app.monitored)
        return app

    def _bring_up(self, app: App, was: Life) -> None:
        gone = getattr(self.forest, "gone", None)
        ended = gone(app.name) if gone is not None else None
        if was is Life.STOP_FAILED:
            because = "its last stop failed, and that was not cleared; nothing of it is found now"
            app.view = app.view.replace(life=Life.OFFLINE, because=because)
        if not app.resource.pmf_managed and was not in (Life.OFFLINE, Life.START_FAILED, Life.STOP_FAILED):
            self._resume_unmanaged(app, was)
            return
        if not (app.enabled and app.wanted):
            why = "disabled" if not app.enabled else "stopped by a person"
            app.view = app.view.replace(because=why)
            return
        if was is Life.START_FAILED:
            because = "its start failed under the runner before this one: it stays down until somebody asks"
            app.view = app.view.replace(
                life=Life.START_FAILED, because=because, status=ResourceStatus.FAULTED, status_msg=because
            )
            return
        self._starting.add(app.name)
        if was is Life.ONLINE and ended is not None:
            # a true death, seen by its keeper while nobody ran here: it counts as any other
            app.view = app.view.replace(life=Life.ONLINE)
            self.rgmd.died(app, f"{how_it_ended(ended[1])}, while no runner was there")
        else:
            because = "the runner starts"
            if was is not Life.OFFLINE:
                because = "it was not running when the runner came back"
            self.rgmd.submit(app, StartAsked(because))

    def _resume_unmanaged(self, app: App, was: Life) -> None:
        """What it started has no tree to be found by, and runs for all we know: it is probed on, or ended first."""
        app.view = app.view.replace(life=Life.ONLINE, because="taken over from the runner before this one")
        because = f"the runner before this one ended while it was {was.value}"
        if not (app.enabled and app.wanted):
            self.rgmd.submit(app, StopAsked(because))
        elif was is Life.ONLINE:
            app.view = app.view.replace(status=ResourceStatus.OK)
            self._keeping.changed(app)
            self._keeping.decided(app, "taken back", app.view.because)
            self.rgmd.monitor.begin(app, False)
        else:
            self._starting.add(app.name)
            self.rgmd.submit(app, RestartAsked(because))

    def _take_back(self, app: App, was: Life, incarnation: int, pid: int) -> None:
        """Its processes live. Followed again where its life was at rest, ended and started anew where it was not."""
        app.view = app.view.replace(life=Life.ONLINE, because="taken back from the runner before this one")
        self.rgmd.pmfd.take_back(app, incarnation, pid)
        if was is Life.STOP_FAILED:
            because = "its stop failed under the runner before this one"
            app.view = app.view.replace(
                life=Life.STOP_FAILED, because=because, status=ResourceStatus.FAULTED, status_msg=because
            )
        elif not (app.enabled and app.wanted):
            self.rgmd.submit(app, StopAsked("a stop was under way when the runner before this one ended"))
        elif was is Life.ONLINE and app.tree is not None:
            app.view = app.view.replace(status=ResourceStatus.OK)
            account = _account(app.resource)
            for stream, output in (("stdout", app.resource.stdout), ("stderr", app.resource.stderr)):
                self._outputs.adopt(app.name, stream, output, account.uid, account.gid)
            if app.resource.wants_notify:
                self.open(app.name, account.uid)
            self._keeping.changed(app)
            self._keeping.decided(app, "taken back", app.view.because)
            self.log.info(app.view.because, resource=app.name, pid=pid)
            self.rgmd.monitor.begin(app, False)
        else:
            self._starting.add(app.name)
            because = f"the runner before this one ended while it was {was.value}"
            self.rgmd.submit(app, RestartAsked(because))

    def _end_stray(self, name: str, incarnation: int) -> None:
        """Processes of a resource that no descriptor names any more."""
        from gds.model.resource import Command, Resource

        stray = App(Resource(name, Command(("/bin/false",)), group=name))
        stray.wanted = False
        self.rgmd.apps[name] = stray
        stray.view = stray.view.replace(life=Life.ONLINE)
        self.rgmd.pmfd.take_back(stray, incarnation, 0)
        self.rgmd.submit(stray, StopAsked("no descriptor names it any more"))
        self.rgmd.settled(stray, lambda: self.rgmd.apps.pop(name, None))

    def serve(self) -> None:
        """Open the control socket; after the applications, because they must not wait for it."""
        if not self.runtime_dir:
            return
        from gds.api.server import Server
        from gds.daemon.receptionist import Receptionist

        group = -1
        if self.settings.socket_group:
            import grp

            try:
                group = grp.getgrnam(self.settings.socket_group).gr_gid
            except KeyError:
                self.log.error(f"cannot give the socket to group {self.settings.socket_group}: there is no such group")
        try:
            self._server = Server(self.loop, self.settings.socket, group, self._answer)
        except EngineError as error:
            self.log.error(f"{error}; applications run, but nobody can ask or tell this runner anything")
            return
        self._receptionist = Receptionist(self.rgmd, self, os.geteuid())

    def _answer(self, client: Connection, request: dict[str, Any]) -> None:
        if request["verb"].startswith("pmf."):
            self._ask_pmf(client, request)
        elif self._receptionist is not None:
            self._receptionist.answer(client, request)

    def run(self) -> int:
        """Until it ends; the exit status."""
        self.loop.soon(self.serve)
        # The loop calls this itself; a judge that was left in the middle of a step makes no progress.
        self._manager.every(lambda: not self.rgmd.stepping)
        if self._manager.present:
            self._extend()
        self._check_ready()
        if self._for_tags:
            self.loop.after(ALONE, self._waited_for_tags)
        self.loop.run()
        self._history.flush()
        self._outputs.close()
        if self._notifies is not None:
            self._notifies.close_all()
        if self._memory is not None:
            self._memory.forget()
        if self._server is not None:
            self._server.close()
        if self._zygote is not None:
            # it has a cgroup of its own, which can only go after it
            pid = self._zygote.pid
            self._zygote.close()
            for _ in range(20):
                if not pid or not procfs.alive(pid):
                    break
                self.loop.turn(0.02)
        self.forest.close()
        self._manager.exit_status(self._code)
        return self._code

    # -- signals ------------------------------------------------------------------------------------------------------

    def _asked_to_end(self) -> None:
        if self.stopping:
            self._hurry()
        else:
            self.log.info("asked to end: stopping everything")
            self._stop_all("the runner is asked to end")

    def _hurry(self) -> None:
        if self._hurried:
            return
        self._hurried = True
        self._code = FAILED
        self.log.warning("asked to end a second time: SIGKILL to everything")
        for app in list(self.rgmd.apps.values()):
            if app.stop is not None:
                app.stop.hurry()
        if self._tags is not None:
            self._tags.hurry()

    def _leave(self, because: str) -> None:
        if self.stopping:
            return
        self.log.error(f"leaving this node: {because}")
        self._code = GIVEOVER
        self._stop_all(because)

    def _abort(self, because: str) -> None:
        """End this node by node_abort_command; without it no descriptor with HARD compiles."""
        command = self.settings.node_abort_command
        self.log.error(f"ending this node, {command}: {because}")
        env = {"PATH": self._environ.get("PATH", DEFAULT_PATH), "GDS_NODE": self.settings.node, "GDS_REASON": because}
        self._fed.run(
            "gds:NodeAbort",
            lambda out: Launch(("/bin/sh", "-c", command), env, out, out),
            ABORT_LIMIT,
            self._aborted,
        )
        self._aborting += 1

    def _aborted(self, result: Result) -> None:
        self.log.error(f"node_abort_command {result.said}")
        self._aborting -= 1
        if self.stopping:
            self._check_end()

    def _stop_all(self, because: str) -> None:
        self.stopping = True
        self._manager.stopping(f"Stopping: {because}")
        if self._manager.present:
            self._extend()
        apps = list(self.rgmd.apps.values())
        self._left = {app.name for app in apps if app.view.life is not Life.STOP_FAILED}
        for app in apps:
            self.rgmd.submit(app, StopAsked(because))
            self.rgmd.settled(app, partial(self._settled, app))
        if self._tags is not None and not self._tags.empty:
            self._left.add(TAG_MARK)
            self._tags.end(because)
        elif not apps:
            self.loop.stop()

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
                self.log.error(f"cannot stop {', '.join(failed)}")
                self._code = FAILED
            self.loop.stop()

    # -- PMF by itself ------------------------------------------------------------------------------------------------

    def _get_tags(self) -> Tags:
        """Made when somebody first asks for tags, or when a runner before us left some."""
        if self._tags is None:
            from gds.daemon.tags import Tags

            self._tags = Tags(self.loop, self.forest, self.log, self._decided_tag, self._check_tags)
        return self._tags

    def _ask_pmf(self, client: Connection, request: dict[str, Any]) -> None:
        if self._pmf is None:
            from gds.daemon.pmfdesk import PmfDesk

            self._pmf = PmfDesk(self._get_tags(), self.loop, self.log, self._environ)
        if self.stopping:
            self._get_tags().ending = "the runner is stopping everything"
        self._pmf.answer(client, request)

    def _decided_tag(self, nametag: str, event: str, because: str) -> None:
        record = {"at": self._stamp_now(), "monotonic": round(self.loop.now(), 3), "resource": TAG_MARK + nametag}
        self._history.add({**record, "group": "", "event": event, "because": because})

    def _check_tags(self) -> None:
        """No tag is left, and no process of one: that may be what we wait for."""
        if self._tags is not None and not self._tags.empty:
            return
        if self.stopping:
            self._left.discard(TAG_MARK)
            self._check_end()
        elif self._for_tags and (self._alone or (self._tags is not None and self._tags.had_any)):
            self.loop.stop()

    def _waited_for_tags(self) -> None:
        self._alone = True
        self._check_tags()

    def _asked_to_reload(self) -> None:
        self.reload(False, self._tell_plan, self._reloaded)

    def _tell_plan(self, plan: list[str]) -> None:
        for line in plan:
            self.log.info(f"reload: {line}")

    def _reloaded(self, code: int, message: str, _plan: list[str]) -> None:
        if code:
            self.log.error(message)

    def _asked_to_tell(self) -> None:
        """SIGUSR1: the state to the log."""
        now = self.loop.now()
        for app in self.rgmd.apps.values():
            span = app.resource.retry_interval
            self.log.info(
                app.view.because or "nothing happened yet",
                resource=app.name,
                state=self.rgmd.public(app).value,
                status=app.view.status.value,
                pids=len(app.tree.members()) if app.tree is not None else 0,
                restarts=app.history.done(span, now),
                sum=app.history.total(span, now),
            )
        self.log.info("state told", turns=self.loop.turns, tracking=self.forest.rung, applications=len(self.rgmd.apps))

    def _asked_to_reopen(self) -> None:
        self._outputs.reopen()

    def _forward(self, number: int) -> None:
        """As PID 1: what we do not use ourselves is for the application."""
        for app in self.rgmd.apps.values():
            if app.tree is not None and app.tree.main_alive:
                app.tree.signal(number, [app.tree.main_pid])

    # -- telling the service manager ----------------------------------------------------------------------------------

    def _observed(self, app: App) -> None:
        if app.view.life in SETTLED:
            self._starting.discard(app.name)
            self._check_ready()
        if self._manager.present:
            self._manager.status(self._status_line())

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
            return f"{bad[0].name} {self.rgmd.public(bad[0])}: {bad[0].view.because}{more}"
        moving = [f"{a.name} {s}" for a, s in states if a.view.life not in SETTLED]
        if moving:
            return ", ".join(moving[:5]) + (f" and {len(moving) - 5} more" if len(moving) > 5 else "")
        up = sum(1 for _, s in states if s in (ResourceState.ONLINE, ResourceState.ONLINE_NOT_MONITORED))
        return f"{up} of {len(states)} online"

    def _extend(self) -> None:
        """While a start or a stop goes on, systemd's own limit must not end it: ours do."""
        if self._starting or self.stopping or self._reloading:
            self._manager.extend_timeout(PROGRESS * 3)
            self.loop.after(PROGRESS, self._extend)

    # -- what the receptionist sees -----------------------------------------------------------------------------------

    def identity(self) -> dict[str, Any]:
        """The head of `gds status --json`."""
        made: dict[str, Any] = {
            "version": self.version,
            "node": self.settings.node,
            "pid": os.getpid(),
            "uptime_seconds": round(clock.monotonic() - self._began, 3),
            "tracking": self.forest.rung,
        }
        problems = [
            p.problem
            for p in (self._memory, self._switches, self._history, self._ds_log)
            if p is not None and p.problem
        ]
        if problems:
            made["problems"] = problems
        if self.stopping:
            made["stopping"] = True
        return made

    def switch(self, name: str, what: str, value: bool) -> str:
        """Keep a switch for good; why it could not be kept, or ""."""
        return self._switches.set(name, what, value)

    def history(self, name: str, most: int) -> list[dict[str, Any]]:
        """The last decisions."""
        return self._history.read(name, most)

    def log_paths(self, app: App) -> dict[str, Any]:
        """Where what the application printed can be read."""
        files = self._outputs.paths(app.name)
        return {
            stream: {"kind": output.kind, "file": files.get(stream) or output.path}
            for stream, output in (("stdout", app.resource.stdout), ("stderr", app.resource.stderr))
        }

    def stamp(self, seconds: float) -> str:
        """Wall time for people."""
        return clock.rfc3339(seconds)

    def _logged(self, group: str, resource: str, kind: str, failed: bool, text: str) -> None:
        """log_level: the logs SUNW.gds kept."""
        if not self._state_dir:
            return
        if self._ds_log is None:
            from gds.linux.dslog import DataServiceLog

            self._ds_log = DataServiceLog(self._state_dir, self.settings.node)
        self._ds_log.write(group, resource, kind, failed, text)

    def _stamp_now(self) -> str:
        return clock.rfc3339(clock.wall())

    def note(self, record: dict[str, object]) -> None:
        """Keeping's store: nothing is kept without a runtime directory."""
        if self._memory is not None:
            self._memory.note(record)

    # -- reload -------------------------------------------------------------------------------------------------------

    def reload(
        self, dry: bool, planned: Callable[[list[str]], None], done: Callable[[int, str, list[str]], None]
    ) -> None:
        """Read the descriptors again, in a process of its own; tell the plan, then touch only what changed."""
        from gds.daemon.reloading import Reload

        if self.stopping:
            done(75, "cannot reload: the runner is stopping everything", [])
            return
        if self._reloading:
            done(75, "cannot reload: a reload is under way", [])
            return
        if not self._sources.paths:
            done(1, "cannot reload: this runner was given a command, not descriptors", [])
            return
        self._reloading = True
        self._manager.reloading("Reloading")
        if self._manager.present:
            self._extend()

        def finished(code: int, message: str, plan: list[str]) -> None:
            self._reloading = False
            if not self.stopping:
                self._manager.ready(self._status_line())
            done(code, message, plan)

        reload = Reload(
            self.rgmd, self._compile, self._new_app, self._released, lambda: self.stopping, planned, finished
        )
        try:
            reload.begin(dry)
        except OSError as error:
            finished(1, f"cannot reload: cannot start the compiler: {error.strerror}", [])

    def _compile(self, done: Callable[[dict[str, Any]], None]) -> None:
        from gds.linux.compiling import Question

        Question(self.loop, self.reaper, self._sources.command(), done)

    def _released(self, name: str) -> None:
        """No descriptor names it any more."""
        self._outputs.release(name)
        if self._notifies is not None:
            self._notifies.close(name)

    def _our_bug(self, error: BaseException) -> None:
        """Applications must not pay for a mistake of ours: it is told in full, and the runner goes on."""
        import traceback

        where = "".join(traceback.format_exception(error)).strip().replace("\n", " | ")
        self.log.error(f"internal error: {error!r}; please report it: {where}")


class Sources:
    """Where the plan came from, and how it is read again without loading the compiler into the runner."""

    def __init__(self, paths: list[str], flags: dict[str, str], cache_dirs: list[str]) -> None:
        self.paths = paths
        self.flags = flags
        self.cache_dirs = cache_dirs

    def command(self) -> list[str]:
        """The compiler's command line."""
        from gds.config import asking

        return asking.command({"paths": self.paths, "flags": self.flags, "cache_dirs": self.cache_dirs})


class LateOutputs:
    """Outputs, loaded when the first application wants more than to inherit."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._made: Outputs | None = None

    def _get(self) -> Outputs:
        if self._made is None:
            from gds.linux.output import Outputs

            self._made = Outputs(self._runner.loop, self._runner.runtime_dir, self._runner.log)
        return self._made

    def open(self, name: str, stream: str, output: Output, uid: int, gid: int) -> int:
        """The descriptor to hand over."""
        if output.kind == "inherit" and self._made is None:
            return 1 if stream == "stdout" else 2
        return self._get().open(name, stream, output, uid, gid)

    def adopt(self, name: str, stream: str, output: Output, uid: int, gid: int) -> None:
        """After a crash of the runner before us."""
        if output.kind != "inherit":
            self._get().adopt(name, stream, output, uid, gid)

    def after_spawn(self, name: str) -> None:
        """The application has its descriptors."""
        if self._made is not None:
            self._made.after_spawn(name)

    def flush(self, name: str) -> None:
        """The application is gone: nothing more comes."""
        if self._made is not None:
            self._made.flush(name)

    def release(self, name: str) -> None:
        """No descriptor names it any more."""
        if self._made is not None:
            self._made.release(name)

    def reopen(self) -> None:
        """SIGUSR2."""
        if self._made is not None:
            self._made.reopen()

    def paths(self, name: str) -> dict[str, str]:
        """stream -> file."""
        return self._made.paths(name) if self._made is not None else {}

    def close(self) -> None:
        """The runner ends."""
        if self._made is not None:
            self._made.close()


class Probes:
    """The built-in probes as the monitor asks for them: one Outcome for one question."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._prober: Any = None

    def ask(self, resource: Resource, on_answer: Callable[[Outcome], None]) -> Run:
        """Ask the probe table, or every tcp port of port_list side by side; the worst answer counts."""
        if self._prober is None:
            from gds.linux.probing import Prober

            self._prober = Prober(self._runner.loop, self._runner.reaper.expect)
        if resource.probe is not None:
            return self._prober.ask(  # type: ignore[no-any-return]  # both can be cancelled, that is all that counts
                resource.probe, resource.probe_timeout, lambda a: on_answer(_outcome(a))
            )
        ports = resource.tcp_ports
        if len(ports) == 1:
            return self._prober.ask(  # type: ignore[no-any-return]  # as above
                ports[0], resource.probe_timeout, lambda a: on_answer(_outcome(a))
            )
        return Ports(self._prober, resource, on_answer)  # type: ignore[return-value]  # as above


class Ports:
    """Several ports asked side by side."""

    GRAVITY = ("ok", "unable", "disconnect", "status", "timeout", "error", "refused")

    def __init__(self, prober: Any, resource: Resource, on_answer: Callable[[Outcome], None]) -> None:
        self._worst: Outcome | None = None
        self._on_answer = on_answer
        self._left = len(resource.tcp_ports)
        self._asked: list[Asking] = []
        for port in resource.tcp_ports:
            self._asked.append(prober.ask(port, resource.probe_timeout, self._answered))

    def _answered(self, answer: Answer) -> None:
        outcome = _outcome(answer)
        gravity = self.GRAVITY.index
        if self._worst is None or gravity(outcome.kind) > gravity(self._worst.kind):
            self._worst = outcome
        self._left -= 1
        if not self._left:
            self._on_answer(self._worst)

    def cancel(self) -> None:
        """No answer is wanted."""
        for each in self._asked:
            each.cancel()


def _outcome(answer: Answer) -> Outcome:
    return Outcome(answer.outcome, 0, answer.message, answer.seconds)


def _rehearse() -> None:
    """In a quiet moment, what a restart will need: constructors compiled, the words of a death at hand."""
    from gds.daemon.environment import Call
    from gds.fault.history import MonitorState
    from gds.fault.score import Score
    from gds.fault.verdict import Giveover, Healthy, Restart, Watch
    from gds.model.value import rehearse
    from gds.model.window import Mark, Window
    from gds.rgm import commands, events
    from gds.rgm.resource import ResourceView, Step

    rehearse(Call, MonitorState, Score, Giveover, Healthy, Restart, Watch, Mark, Window, Launch, ResourceView, Step)
    rehearse(commands.RunStop, commands.RunStart, commands.StartMonitor, commands.ArmDelay)
    rehearse(events.RestartAsked, events.StopAsked, events.StartAsked, events.StartSucceeded)


def _chance() -> float:
    return os.urandom(1)[0] / 255.0


def _ident(runtime_dir: str) -> str:
    """A name for our cgroup that the next runner on the same directory finds again."""
    import zlib

    return f"{zlib.crc32(os.path.realpath(runtime_dir).encode()):08x}"


def _manager(loop: Loop, environ: MutableMapping[str, str]) -> Any:
    if "NOTIFY_SOCKET" in environ:
        from gds.linux.systemd import ServiceManager

        return ServiceManager(loop, environ)
    return NoManager()


class NoManager:
    """Nobody started us who wants to know."""

    present = False
    watchdog_interval = 0.0

    def ready(self, _status: str = "") -> None:
        """Nothing."""

    status = reloading = stopping = ready

    def exit_status(self, _code: int) -> None:
        """Nothing."""

    def every(self, _deserved: Callable[[], bool]) -> None:
        """Nothing."""

    def extend_timeout(self, _seconds: float) -> None:
        """Nothing."""


def _account(resource: Resource) -> Account:
    if not (resource.user or resource.group_name or resource.supplementary_groups):
        return AS_RUNNER
    from gds.linux.accounts import look_up

    return Account(*look_up(resource))


def _environment_files(resource: Resource) -> dict[str, str]:
    """Read as the runner, before privileges are dropped. Their values never appear in any message."""
    found: dict[str, str] = {}
    for path in resource.environment_files:
        optional = path.startswith("-")
        data = procfs.read(path[1:] if optional else path, 1 << 20)
        if data is None:
            if optional:
                continue
            raise ConfigError(f"cannot read environment file {path}")
        found.update(parse_file(data.decode("utf-8", "surrogateescape")))
    return found
