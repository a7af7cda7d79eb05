"""The composition root: builds every part once, with a reason for each wire, runs the loop, and takes all down again.

A runner takes its directories (or is refused, 75), chooses the tracking rung, takes back what an earlier runner left
and brings everything up (daemon/bringup.py), serves, and on TERM brings everything down (daemon/ownlife.py).
"""

from __future__ import annotations

import os
import signal
from functools import partial

from gds import __version__, late
from gds.daemon.app import App
from gds.daemon.bringup import BringUp
from gds.daemon.fed import Fed
from gds.daemon.groups import Groups
from gds.daemon.house import House
from gds.daemon.keeping import Keeping, record_of
from gds.daemon.managing import Managing
from gds.daemon.ownlife import OwnLife
from gds.daemon.rehearsal import rehearse_restart
from gds.daemon.rgmd import Rgmd
from gds.daemon.upgrading import Upgrade
from gds.daemon.world import World
from gds.errors import ConfigError, EngineError
from gds.linux import clock, handover
from gds.linux.handover import Parcel as Parcel
from gds.linux.history import History
from gds.linux.kept import Lock, Memory, Switches
from gds.linux.loop import Loop
from gds.linux.notices import Notices
from gds.linux.reaper import Reaper
from gds.model.launch import Launch
from gds.model.names import TAG_MARK
from gds.rgm import upgrade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from gds.api.server import Connection, Server
    from gds.daemon.receptionist import Receptionist
    from gds.daemon.rmapi import Rmapi
    from gds.daemon.setting import Setting
    from gds.joining import Joining
    from gds.linux.journal import Log
    from gds.linux.zygote import Zygote
    from gds.model.resource import Plan, Resource
    from gds.model.restype import ResourceType
    from gds.model.settings import Settings
    from gds.ports import LastingForest

TRY_AGAIN = 1.0
"""Seconds until what could not be kept is written again."""
FORWARDED = ("SIGQUIT", "SIGWINCH", "SIGALRM", "SIGCONT", "SIGURG", "SIGIO", "SIGPWR")


class Runner:
    """See the module. Raises EngineError (75: somebody has the directories; else 1), ConfigError (78)."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        sources: Sources,
        environ: MutableMapping[str, str],
        log: Log,
        handed: Parcel | None = None,
    ) -> None:
        """`handed`: what a runner in this same process left for us (`gds upgrade`)."""
        self._log = log
        self._handed = handed
        facts: dict[str, Any] = handed.facts if handed is not None else {}
        self._settings = settings
        self._sources = sources
        self._server: Server | None = None
        self._receptionist: Receptionist | None = None
        self._rmapi: Rmapi | None = None
        # Nothing is declared, and nothing can be read again: pmfadm started us, and we end with its last tag.
        self._for_tags = not plan.resources and not sources.paths
        pid1 = os.getpid() == 1

        loop = self._loop = Loop()
        loop.on_error = self._our_bug
        # Before anything is started: a signal between two lines here must not kill us with a tree half made.
        self._hear_signals(pid1)

        self._runtime_dir = _directory(settings.runtime_dir, "runtime_dir", log)
        self._state_dir = _directory(settings.state_dir, "state_dir", log)
        # One runner a directory: two would double every application.
        locks = facts.get("locks", {})
        self._locks = [Lock(d, locks.get(d, -1)) for d in dict.fromkeys((self._runtime_dir, self._state_dir)) if d]

        # The service manager is found first, because it takes NOTIFY_SOCKET out of the environment applications see.
        self._manager = late.service_manager(loop, environ, log)

        # Orphans of our applications must come to us: their exit is attributed, and nobody is forgotten.
        from gds.linux.prctl import become_subreaper

        if not pid1:
            become_subreaper()
        self._reaper = Reaper(loop)
        self._zygote = late.LateZygote(loop, self._reaper)
        if settings.engine != "standalone":
            # A guard that ends what the runner before us left must not take us for a part of it.
            from gds.linux.guarding import announce

            announce(settings.runtime_dir)
        wanted = facts.get("rung") or environ.pop("GDS_TRACKING", "")
        environ.pop("GDS_TRACKING", None)
        self._forest = _choose_forest(
            wanted, loop, self._reaper, self._zygote.get, settings.runtime_dir, self._runtime_dir, log
        )

        self._memory = Memory(self._runtime_dir, log, partial(loop.after, TRY_AGAIN)) if self._runtime_dir else None
        self._switches = Switches(self._state_dir, log)
        # SQLite stays out of our memory: its store is filled and read by processes of their own.
        self._history = History(loop, self._state_dir, log, self._aside, int(settings.history_size))
        ds_log = late.LateDataServiceLog(self._state_dir, settings.node)
        # Most applications inherit our stdout: what copies and rotates is loaded for the first that does not.
        self._outputs = late.LateOutputs(loop, self._runtime_dir, log)
        # What an application says of itself is the RGM's to judge.
        self._notifies = late.LateNotifies(
            loop, self._runtime_dir, lambda who, said, _pid: self._rgmd.notified(who, said), log
        )
        life = self._life = OwnLife(loop, self._manager, log, settings, environ)

        world = self._world = World()
        world.loop = loop
        world.forest = self._forest
        # Methods run in trees of their own on the same rung as applications.
        world.fed = life.fed = Fed(loop, self._forest, loop.watch, loop.unwatch)
        world.prober = late.LateProbes(loop, self._reaper)
        world.outputs = self._outputs
        world.notifies = self._notifies
        world.kept = Keeping(loop, self, self._history, _stamp_now, ds_log.write)
        world.log = log
        world.launch = Launch
        world.accounts = late.account
        world.files = late.environment_files
        # A plain dict, for os.environ encodes and decodes at each look. Nothing changes the environment any more.
        world.environ = dict(environ)
        world.everything = pid1
        world.node = settings.node
        world.socket = settings.socket
        world.on_giveover = settings.on_giveover
        if world.on_giveover == "auto":
            world.on_giveover = "exit" if pid1 else "refuse"
        # A granted giveover ends this runner: to the outside, that is the other node's turn.
        world.leave = life.leave
        # HARD and a failed stop: the node must not come back with the application still on it.
        world.abort = life.abort
        world.observed = self._observed
        world.wall = clock.wall
        world.chance = _chance
        self._rgmd = life.rgmd = Rgmd(world)
        if self._memory is not None:
            self._memory.snapshot = lambda: [record_of(a) for a in self._rgmd.apps.values()]

        self._switches.of.update(facts.get("switches", {}))
        # Init, Boot, Fini and Update are run for the RGM; only a reboot since the last runner makes Boot due.
        joined = not facts and (self._memory is None or not self._memory.is_of_this_boot)
        self._rgmd.managing = Managing(self._rgmd, self._switches, joined)
        self._groups = Groups(self._rgmd, self._switches, joined)
        self._groups.take(plan)

        # The end waits for tags too; a runner that has nothing else ends with the last of them.
        self._tags = life.tags = late.LateTags(
            loop, self._forest, log, {**environ, "GDS_SOCKET": settings.socket}, self._decided_tag, life.no_tags
        )
        # What others have to say to whoever looks at this runner (under Pacemaker: that nothing fences).
        notices = Notices(self._runtime_dir)
        self._house = House(
            __version__,
            settings.node,
            self._rgmd,
            self._groups,
            life,
            self._switches,
            self._history,
            self._outputs,
            clock.rfc3339,
            [k for k in (self._memory, self._switches, self._history, ds_log, notices) if k is not None],
            self._new_app,
            self._compile if sources.paths else None,
            self._released,
        )
        self._desk: Setting | None = None
        self._house.setting = self._setting
        self._house.is_set = lambda: self._desk is not None or os.path.lexists(self._set_path)
        # while nobody ran here, the files came to say what somebody had set
        self._caught_up = [[*w.key.split("."), True, w.message] for w in plan.warnings if w.code == "set-over"]
        # An upgrade replaces all of this in place; what it needs for that is in memory from the start.
        self._upgrade = Upgrade(
            __version__,
            self._rgmd,
            life,
            self._groups,
            self._forest,
            self._tags,
            self._outputs,
            self._notifies,
            self._switches.of,
            settings,
            self._locks,
            facts.get("began", loop.now()),
            self._history.flush,
            handover.Ferry(loop, self._reaper),
        )
        # Several nodes: an engine says where groups run, and the guard ends what may no longer.
        self._joining: Joining | None = None
        if settings.engine != "standalone":
            from gds.joining import Joining

            self._joining = Joining(
                loop,
                self._reaper,
                self._forest,
                settings,
                self._runtime_dir,
                world,
                self._rgmd,
                self._groups,
                life,
                self._house,
                log,
            )
        if facts:
            self._resume(facts)
            self._begin_joining()
            return
        BringUp(
            self._rgmd,
            self._memory,
            self._outputs,
            self._notifies,
            late.account,
            self._tags,
            self._new_app,
            life.await_start,
            self._groups,
        ).begin(plan)
        self._begin_joining()

    def _begin_joining(self) -> None:
        if self._joining is not None:
            self._joining.begin()

    def _resume(self, facts: dict[str, Any]) -> None:
        """Instead of bringing up: nobody shall notice."""
        from gds.daemon.resuming import Resume

        self._house.began = facts["began"]
        # first of all in the first turn: who died meanwhile is still there as a zombie, which says whose it was
        self._loop.soon(self._reaper.reap)
        Resume(self._rgmd, self._forest, self._memory, self._outputs, self._notifies, late.account, self._tags).begin(
            facts
        )
        handover.unblock()

    def _tell_upgraded(self, parcel: Parcel, server: Server) -> None:
        """To who asked, and to who wants to know later."""
        facts = parcel.facts
        seconds = self._loop.now() - facts["left_at"]
        because = f"upgraded from {parcel.version} to {__version__}"
        self._log.info(because, seconds=round(seconds, 3))
        record = {"at": _stamp_now(), "monotonic": round(self._loop.now(), 6), "resource": "", "group": ""}
        self._history.add({**record, "event": "upgraded", "because": because})
        if facts["tags"] is not None:
            self._tags.resume_clients(facts["tags"], server.by_fd)
        asked = server.by_fd.get(facts["client"])
        if asked is not None:
            told = {"from": parcel.version, "to": __version__, "seconds": round(seconds, 3), "pid": os.getpid()}
            asked.done(0, upgrade={**told, "applications": len(self._rgmd.apps)})
        server.by_fd.clear()

    def run(self) -> int:
        """Until it ends; the exit status."""
        # after the applications, because they must not wait for it
        self._loop.soon(self._serve)
        if self._caught_up:
            self._loop.soon(lambda: self._setting().followed(self._caught_up))
        self._life.begin(self._for_tags)
        # the first application to die must not wait for what the others will find ready
        self._loop.when_idle(rehearse_restart)
        self._loop.run()
        self._history.close()
        self._outputs.close()
        self._notifies.close_all()
        if self._memory is not None:
            self._memory.forget()
        if self._server is not None:
            self._server.close()
        self._zygote.end()
        self._forest.close()
        self._manager.exit_status(self._life.code)
        return self._life.code

    def note(self, record: dict[str, object]) -> None:
        """Keeping's store: nothing is kept without a runtime directory."""
        if self._memory is not None:
            self._memory.note(record)

    # -- wires that need a word ---------------------------------------------------------------------------------------

    def _hear_signals(self, pid1: bool) -> None:
        # The callbacks come from the loop, when all is built.
        hear = self._loop.on_signal
        for number in (signal.SIGTERM, signal.SIGINT):
            hear(number, lambda: self._life.asked_to_end())
        hear(signal.SIGHUP, lambda: self._house.asked_to_reload())
        hear(signal.SIGUSR1, lambda: self._house.asked_to_tell(self._loop.turns))
        hear(signal.SIGUSR2, lambda: self._outputs.reopen())
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # a log line from the background must not stop the runner
        if pid1:
            for name in FORWARDED:
                number = getattr(signal, name)
                hear(number, partial(self._forward, number))

    def _observed(self, app: App) -> None:
        """Its life or status changed: the service manager and the group hear of it."""
        self._life.observed(app)
        self._groups.observed(app)

    def _forward(self, number: int) -> None:
        self._house.forward(number)

    def _new_app(self, resource: Resource) -> App:
        """With what people switched for good, which is stronger than the descriptor."""
        app = App(resource)
        switches = self._switches.of.get(resource.name, {})
        app.enabled = switches.get("enabled", app.enabled)
        app.monitored = switches.get("monitored", app.monitored)
        return app

    def _serve(self) -> None:
        """Open the control socket."""
        if not self._runtime_dir:
            return
        from gds.api.server import Server
        from gds.daemon.receptionist import Receptionist

        settings = self._settings
        group = -1
        if settings.socket_group:
            import grp

            try:
                group = grp.getgrnam(settings.socket_group).gr_gid
            except KeyError:
                self._log.error(f"cannot give the socket to group {settings.socket_group}: there is no such group")
        try:
            handed = self._handed.facts["server"] if self._handed is not None else None
            self._server = Server(self._loop, settings.socket, group, self._answer, handed)
        except EngineError as error:
            self._log.error(f"{error}; applications run, but nobody can ask or tell this runner anything")
            return
        self._receptionist = Receptionist(self._rgmd, self._groups, self._house, os.geteuid())
        if self._joining is not None:
            self._joining.serve(self._receptionist)
        self._receptionist.acting["upgrade"] = self._upgrade.asked  # type: ignore[assignment]  # of Connections
        self._upgrade.server = self._server
        parcel, self._handed = self._handed, None
        if parcel is not None:
            self._tell_upgraded(parcel, self._server)

    def _answer(self, client: Connection, request: dict[str, Any]) -> None:
        if request["verb"].startswith("pmf."):
            self._tags.answer(client, request, self._life.stopping)
        elif request["verb"].startswith("scha."):
            self._ask_rmapi(client, request)
        elif self._receptionist is not None:
            self._receptionist.answer(client, request)

    def _ask_rmapi(self, client: Connection, request: dict[str, Any]) -> None:
        if self._rmapi is None:
            from gds.daemon.rmapi import Rmapi

            self._rmapi = Rmapi(
                self._rgmd,
                self._groups,
                self._house,
                os.geteuid(),
                self._settings.node,
                self._types,
            )
        self._rmapi.answer(client, request)

    def _types(self) -> tuple[ResourceType, ...]:
        """The registered types as they are now, the generic one first, then that of network addresses."""
        from gds.config.registry import load_registry

        return tuple([each.type for each in load_registry(self._state_dir, os.geteuid()).types])

    def _decided_tag(self, nametag: str, event: str, because: str) -> None:
        record = {"at": _stamp_now(), "monotonic": round(self._loop.now(), 3), "resource": TAG_MARK + nametag}
        self._history.add({**record, "group": "", "event": event, "because": because})

    def _compile(self, done: Callable[[dict[str, Any]], None]) -> None:
        """Reload reads the descriptors in a process of its own: the compiler must not stay in our memory. What people
        set goes with it as we know it, because a full disk may not."""
        was_set = self._setting().store.content() if self._house.is_set() else b""
        self._aside(self._sources.command("stdin"), done, was_set)

    def _aside(self, argv: list[str], done: Callable[[dict[str, Any]], None], given: bytes = b"") -> None:
        """A process of its own does it, and tells what came of it. `given`: its stdin."""
        from gds.linux.compiling import Question

        Question(self._loop, self._reaper, argv, done, given)

    @property
    def _set_path(self) -> str:
        from gds.config.kept_set import path_of

        return path_of(self._state_dir) if self._state_dir and self._sources.paths else ""

    def _setting(self) -> Setting:
        """Where properties are changed and asked for; most runners never load it."""
        if self._desk is None:
            from gds.daemon.setting import Setting
            from gds.linux.setfile import SetFile

            house = self._house

            def refuses() -> str:
                if self._life.stopping:
                    return "the runner is stopping everything"
                return "a reload is under way" if self._life.reloading else ""

            self._desk = Setting(
                self._rgmd,
                self._groups,
                SetFile(
                    self._set_path, "" if self._sources.paths else "this runner was given a command, not descriptors"
                ),
                lambda what, given, done: self._aside(self._sources.question(what), done, given),
                self._new_app,
                refuses,
                _stamp_now,
                not self._sources.paths,
            )
            house.add_keeper(self._desk.store)
        return self._desk

    def _released(self, name: str) -> None:
        """No descriptor names it any more."""
        self._outputs.release(name)
        self._notifies.close(name)

    def _our_bug(self, error: BaseException) -> None:
        """Applications must not pay for a mistake of ours: it is told in full, and the runner goes on."""
        import traceback

        where = "".join(traceback.format_exception(error)).strip().replace("\n", " | ")
        self._log.error(f"internal error: {error!r}; please report it: {where}")


class Sources:
    """Where the plan came from, and how it is read again without loading the compiler into the runner."""

    def __init__(self, paths: list[str], flags: dict[str, str], cache_dirs: list[str]) -> None:
        self.paths = paths
        self.flags = flags
        self.cache_dirs = cache_dirs

    def command(self, was_set: str = "state") -> list[str]:
        """The compiler's command line; `was_set`: whence it learns what people set."""
        from gds.config import asking

        return asking.command({"paths": self.paths, "flags": self.flags, "cache_dirs": self.cache_dirs, "set": was_set})

    def question(self, what: str) -> list[str]:
        """The command line of gds/config/setter.py: "set" or "look"."""
        from gds.config import asking

        return asking.command({"ask": what, "paths": self.paths, "flags": self.flags})


def _directory(path: str, what: str, log: Log) -> str:
    """Make it, private to us where it is ours alone; "" when it cannot be written (a read-only container)."""
    try:
        os.makedirs(path, 0o755, exist_ok=True)
        trial = f"{path}/.trial.{os.getpid()}"
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.unlink(trial)
    except OSError as error:
        said = f"cannot write {what} {path}: {error.strerror}"
        if error.errno == 28 and os.path.isdir(path):
            log.warning(f"{said}; it is tried again at each change")
            return path
        lost = (
            "no control socket, and a crash of this runner would be forgotten"
            if what == "runtime_dir"
            else "no history, and nothing is kept over a reboot"
        )
        log.warning(f"{said}: {lost}; --{what.replace('_', '-')} names another")
        return ""
    found = os.stat(path)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise ConfigError(
            f"cannot use {what} {path}: it must belong to us or root, and nobody else may write there"
            f" (it belongs to uid {found.st_uid}, mode {found.st_mode & 0o7777:o})"
        )
    return path


def _choose_forest(
    wanted: str,
    loop: Loop,
    reaper: Reaper,
    zygote: Callable[[], Zygote],
    named_by: str,
    runtime_dir: str,
    log: Log,
) -> LastingForest:
    """The highest rung that works here; `wanted` (GDS_TRACKING), cgroup or keeper, forces one. `named_by`: the
    directory after which our cgroup is named, so that the next runner on it finds it again."""
    if wanted not in ("", "cgroup", "keeper"):
        raise ConfigError(f"cannot use GDS_TRACKING={wanted}: it is cgroup or keeper")
    if wanted != "keeper":
        import zlib

        from gds.linux.cgroupforest import CgroupForest

        ident = f"{zlib.crc32(os.path.realpath(named_by).encode()):08x}"
        try:
            return CgroupForest(loop, reaper, ident, zygote)
        except EngineError as error:
            if wanted:
                raise
            log.debug(f"{error}; keepers track instead")
    from gds.linux.keeperforest import KeeperForest

    forest = KeeperForest(loop, reaper, zygote, runtime_dir)
    if forest.why_not_lasting:
        log.warning(f"{forest.why_not_lasting}: applications end with this runner, also when it crashes")
    return forest


def _stamp_now() -> str:
    return clock.rfc3339(clock.wall())


def _chance() -> float:
    return os.urandom(1)[0] / 255.0


def handed_over(environ: MutableMapping[str, str]) -> Parcel | None:
    """What a runner in this same process left for us; None: this is an ordinary start."""
    return handover.take(environ, upgrade.FORMAT)


def declared_before(parcel: Parcel) -> tuple[Plan, Settings]:
    """What that runner knew to be declared, and its settings: nothing is read again."""
    from gds.daemon.resuming import plan_of, settings_of

    return plan_of(parcel.facts), settings_of(parcel.facts)


def could_take_over(fd: int) -> str:
    """Asked by `gds upgrade`, of the new code: why it could not go on from the parcel in `fd`; "" = it could."""
    from gds.daemon.resuming import understand

    try:
        parcel = handover.read(fd, upgrade.FORMAT)
    except (OSError, ValueError) as error:
        return f"it cannot read what it would be handed: {error}"
    return upgrade.understands(parcel.format) or understand(parcel.facts)
