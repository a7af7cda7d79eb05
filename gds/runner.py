"""The composition root: builds every part once, with a reason for each wire, runs the loop, and takes all down again.

A runner takes its directories (or is refused, 75), chooses the tracking rung, takes back what an earlier runner left
and brings everything up (daemon/bringup.py), serves, and on TERM brings everything down (daemon/ownlife.py).
"""

from __future__ import annotations

import os
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
from gds.ground import Ground
from gds.linux import clock, handover
from gds.linux.history import History
from gds.linux.kept import Memory, Switches
from gds.linux.loop import Loop
from gds.linux.notices import Notices
from gds.model.launch import Launch
from gds.model.names import TAG_MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, MutableMapping
    from typing import Any

    from gds.config.sources import Sources
    from gds.daemon.setting import Setting
    from gds.joining import Joining
    from gds.linux.handover import Parcel
    from gds.linux.journal import Log
    from gds.model.resource import Plan, Resource
    from gds.model.settings import Settings
    from gds.reception import Reception
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory


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
        # Nothing is declared, and nothing can be read again: pmfadm started us, and we end with its last tag.
        self._for_tags = not plan.resources and not sources.paths

        loop = self._loop = Loop()
        loop.on_error = self._our_bug
        # Before anything is started: a signal between two lines here must not kill us with a tree half made.
        self._hear_signals()
        if handed is None:  # else what an upgrade has kept waiting comes when all is taken over
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

        self._ground = Ground(loop, settings, environ, log, facts)
        self._open_stores()
        self._life = OwnLife(loop, self._ground.manager, log, settings, environ)
        self._world = self._build_world(environ)
        self._build_rgm(plan, facts)
        # The end waits for tags too; a runner that has nothing else ends with the last of them.
        given = {**environ, "GDS_SOCKET": settings.socket}
        self._tags = self._life.tags = late.LateTags(
            loop, self._ground.forest, log, given, self._decided_tag, self._life.no_tags, self._rgmd
        )
        self._house = self._build_house(plan)
        self._reception: Reception | None = None
        self._upgrade = self._build_upgrade(facts.get("began", loop.now()))
        self._joining = self._join()
        self._bring_up(plan, facts)
        if self._joining is not None:
            self._joining.begin()

    # -- what is built, in this order ---------------------------------------------------------------------------------

    def _open_stores(self) -> None:
        """What is kept, and where applications print and speak."""
        loop, log, settings = self._loop, self._log, self._settings
        runtime_dir, state_dir = self._ground.runtime_dir, self._ground.state_dir
        self._memory = Memory(runtime_dir, log, partial(loop.after, TRY_AGAIN)) if runtime_dir else None
        self._switches = Switches(state_dir, log)
        # SQLite stays out of our memory: its store is filled and read by processes of their own.
        self._history = History(loop, state_dir, log, self._aside, int(settings.history_size))
        self._ds_log = late.LateDataServiceLog(state_dir, settings.node)
        # Most applications inherit our stdout: what copies and rotates is loaded for the first that does not.
        self._outputs = late.LateOutputs(loop, runtime_dir, log)
        # What an application says of itself is the RGM's to judge.
        self._notifies = late.LateNotifies(
            loop, runtime_dir, lambda who, said, _pid: self._rgmd.notified(who, said), log
        )

    def _build_world(self, environ: Mapping[str, str]) -> World:
        """Everything the drivers are handed."""
        loop, settings, life, ground = self._loop, self._settings, self._life, self._ground
        world = World()
        world.loop = loop
        world.forest = ground.forest
        # Methods run in trees of their own on the same rung as applications.
        world.fed = life.fed = Fed(loop, ground.forest, loop.watch, loop.unwatch)
        world.prober = late.LateProbes(loop, ground.reaper)
        world.outputs = self._outputs
        world.notifies = self._notifies
        world.kept = Keeping(loop, self, self._history, _stamp_now, self._ds_log.write)
        world.log = self._log
        world.launch = Launch
        world.accounts = late.account
        world.files = late.environment_files
        # A plain dict, for os.environ encodes and decodes at each look. Nothing changes the environment any more.
        world.environ = dict(environ)
        world.everything = ground.is_pid1
        world.node = settings.node
        world.socket = settings.socket
        world.on_giveover = settings.on_giveover
        if world.on_giveover == "auto":
            world.on_giveover = "exit" if ground.is_pid1 else "refuse"
        # A granted giveover ends this runner: to the outside, that is the other node's turn.
        world.leave = life.leave
        # HARD and a failed stop: the node must not come back with the application still on it.
        world.abort = life.abort
        world.observed = self._observed
        world.wall = clock.wall
        world.chance = _chance
        return world

    def _build_rgm(self, plan: Plan, facts: dict[str, Any]) -> None:
        """The RGM, what it manages and its groups, as declared."""
        self._rgmd = self._life.rgmd = Rgmd(self._world)
        if self._memory is not None:
            self._memory.snapshot = lambda: [record_of(a) for a in self._rgmd.apps.values()]
        self._switches.of.update(facts.get("switches", {}))
        # Init, Boot, Fini and Update are run for the RGM; only a reboot since the last runner makes Boot due.
        joined = not facts and (self._memory is None or not self._memory.is_of_this_boot)
        self._rgmd.managing = Managing(self._rgmd, self._switches, joined)
        self._groups = Groups(self._rgmd, self._switches, joined)
        self._groups.take(plan)

    def _build_house(self, plan: Plan) -> House:
        """What our door shows, and what is asked there of the runner as a whole."""
        # What others have to say to whoever looks at this runner (under Pacemaker: that nothing fences).
        notices = Notices(self._ground.runtime_dir)
        keepers = [self._memory, self._switches, self._history, self._ds_log, notices]
        house = House(
            __version__,
            self._settings.node,
            self._rgmd,
            self._groups,
            self._life,
            self._switches,
            self._history,
            self._outputs,
            clock.rfc3339,
            [k for k in keepers if k is not None],
            self._new_app,
            self._compile if self._sources.paths else None,
            self._released,
        )
        self._desk: Setting | None = None
        house.setting = self._setting
        house.is_set = lambda: self._desk is not None or os.path.lexists(self._set_path)
        # while nobody ran here, the files came to say what somebody had set
        self._caught_up = [[*w.key.split("."), True, w.message] for w in plan.warnings if w.code == "set-over"]
        return house

    def _build_upgrade(self, began: float) -> Upgrade:
        """An upgrade replaces all of this in place; what it needs for that is in memory from the start."""
        return Upgrade(
            __version__,
            self._rgmd,
            self._life,
            self._groups,
            self._ground.forest,
            self._tags,
            self._outputs,
            self._notifies,
            self._switches.of,
            self._settings,
            self._sources.handed_on(),
            self._ground.locks,
            began,
            self._history.flush,
            handover.Ferry(self._loop, self._ground.reaper),
        )

    def _join(self) -> Joining | None:
        """Several nodes: an engine says where groups run, and the guard ends what may no longer."""
        if self._settings.engine == "standalone":
            return None
        from gds.joining import Joining

        return Joining(self._ground, self._world, self._rgmd, self._groups, self._life, self._house)

    def _bring_up(self, plan: Plan, facts: dict[str, Any]) -> None:
        """Take back what a runner before us left, or go on from what it handed over; then what is declared."""
        rgmd, memory, outputs, notifies, tags = self._rgmd, self._memory, self._outputs, self._notifies, self._tags
        if facts:
            from gds import takeover

            self._house.began = facts["began"]
            takeover.go_on(facts, self._ground, rgmd, memory, outputs, notifies, tags)
            return
        ready = self._life.await_start
        BringUp(rgmd, memory, outputs, notifies, late.account, tags, self._new_app, ready, self._groups).begin(plan)

    # -- its life -----------------------------------------------------------------------------------------------------

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
        if self._reception is not None:
            self._reception.close()
        self._ground.zygote.end()
        self._ground.forest.close()
        self._ground.manager.exit_status(self._life.code)
        return self._life.code

    def note(self, record: dict[str, object]) -> None:
        """Keeping's store: nothing is kept without a runtime directory."""
        if self._memory is not None:
            self._memory.note(record)

    # -- wires that need a word ---------------------------------------------------------------------------------------

    def _hear_signals(self) -> None:
        # The callbacks come from the loop, when all is built.
        hear = self._loop.on_signal
        hear(signal.SIGTERM, lambda: self._life.asked_to_end())
        hear(signal.SIGINT, lambda: self._life.asked_to_end())
        hear(signal.SIGHUP, lambda: self._heard(self._house.asked_to_reload))
        hear(signal.SIGUSR1, lambda: self._heard(lambda: self._house.asked_to_tell(self._loop.turns)))
        hear(signal.SIGUSR2, lambda: self._heard(self._outputs.reopen))
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # a log line from the background must not stop the runner
        if os.getpid() == 1:
            for name in FORWARDED:
                number = getattr(signal, name)
                hear(number, partial(lambda which: self._house.forward(which), number))

    def _heard(self, then: Callable[[], None]) -> None:
        """A signal is all that can be told to a runner whose socket somebody removed: each puts it back."""
        self._serve()
        then()

    def _observed(self, app: App) -> None:
        """Its life or status changed: the service manager and the group hear of it."""
        self._life.observed(app)
        self._groups.observed(app)

    def _new_app(self, resource: Resource) -> App:
        """With what people switched for good, which is stronger than the descriptor."""
        app = App(resource)
        switches = self._switches.of.get(resource.name, {})
        app.enabled = switches.get("enabled", app.enabled)
        app.monitored = switches.get("monitored", app.monitored)
        return app

    def _serve(self) -> None:
        """Open the control socket; or see that it is in its place."""
        if self._reception is not None:
            self._reception.keep_place()
            return
        if not self._ground.runtime_dir:
            return
        from gds.reception import Reception

        handed = self._handed.facts["server"] if self._handed is not None else None
        try:
            reception = Reception(self._ground, self._rgmd, self._groups, self._house, self._tags, handed)
        except (EngineError, ConfigError) as error:
            self._log.error(f"{error}; applications run, but nobody can ask or tell this runner anything")
            return
        self._reception = reception
        if self._joining is not None:
            self._joining.serve(reception.receptionist)
        reception.receptionist.acting["upgrade"] = self._upgrade.asked  # type: ignore[assignment]  # of Connections
        self._upgrade.server = reception.server
        parcel, self._handed = self._handed, None
        if parcel is not None:
            from gds import takeover

            takeover.tell(parcel, reception.server, self._rgmd, self._tags, self._history.add)

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

        Question(self._loop, self._ground.reaper, argv, done, given)

    @property
    def _set_path(self) -> str:
        from gds.config.kept_set import path_of

        return path_of(self._ground.state_dir) if self._ground.state_dir and self._sources.paths else ""

    def _setting(self) -> Setting:
        """Where properties are changed and asked for; most runners never load it."""
        if self._desk is None:
            from gds.setdesk import open_desk

            sources = self._sources
            self._desk = open_desk(
                self._set_path,
                not sources.paths,
                lambda what, given, done: self._aside(sources.question(what), done, given),
                self._rgmd,
                self._groups,
                self._life,
                self._new_app,
            )
            self._house.add_keeper(self._desk.store)
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


def _stamp_now() -> str:
    return clock.rfc3339(clock.wall())


def _chance() -> float:
    return os.urandom(1)[0] / 255.0
