"""`gds upgrade`, in the runner that goes: it asks the new code, waits until it is at rest, hands over, and is replaced
by it in place (execve: same pid, same arguments, same descriptors). daemon/resuming.py is the runner that comes.

First a process of its own loads the new code, reads what would be handed over and says whether it understands it. If it
does not, nothing is touched. When execve itself fails, this runner goes on as before. `rgm/upgrade.py` decides when.

What                            how it gets over
pid, cgroup, limits, locks      they belong to the process; the locks' descriptors stay open
applications, every process     untouched: they are our children still; a keeper's socket stays open
deaths meanwhile                zombies wait to be reaped, keepers' words wait in sockets: judged with their true status
descriptors (the plan), set-    as they are in memory, not read again: an upgrade is no reload, and a file that was
  tings, live changes             broken meanwhile changes nothing
lives, status, reasons          carried (appparcel.py); a life in between is waited for, or the upgrade refused
scores, restarts, timeouts      carried: no budget is given anew
restart delays, next probes     carried as instants
probes under way                ended, and asked anew at once: nothing but their answer is lost
other methods under way         waited for, or refused
child_mon_level: who is whose   carried
stdout, stderr into rotated     our end of the FIFO stays open, what is in it is copied by the new runner; journal,
  files                           inherit, null and plain files are the application's own
NOTIFY_SOCKETs                  stay open, what was said meanwhile is heard then
control socket                  stays open: who connects meanwhile waits in the kernel's queue; connections too
requests not answered yet       waited for; pmfadm -w goes on waiting in the new runner
nametags                        carried, with their trees, counts, pauses and action programs
groups, switches                kept in STATE, and carried, should that not be writable
history                         what waited is written; the new runner begins a spool of its own; told as "upgraded"
state.log                       written as ever, and anew by the new runner
systemd                         RELOADING=1 before, READY=1 after; the watchdog goes on; NOTIFY_SOCKET is in the first
                                  environment, which is handed on
signals meanwhile               blocked until the new runner hears: a SIGTERM is late, not lost
zygote and idle keepers         end by themselves; a zygote lives until its last keeper has ended
compilers, readers of history   end by themselves, or are waited for with the request they serve
log level of loops, counters of unread output, spare cgroups: made anew

It stands in memory from the start, for the reason that linux/handover.py gives.
"""

from __future__ import annotations

from gds.daemon import appparcel
from gds.model import codec
from gds.model.settings import plain_from
from gds.rgm.upgrade import AT_REST, FORMAT, Later, Moment, Now, Refused, may_upgrade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.ownlife import OwnLife
    from gds.daemon.rgmd import Rgmd
    from gds.model.settings import Settings
    from gds.ports import LastingForest
    from gds.rgm.upgrade import Ruling

    class Client(Protocol):
        """Who asked."""

        fd: int
        on_gone: Callable[[], None] | None

        def tell(self, message: dict[str, Any]) -> None: ...
        def done(self, code: int, message: str = "", **more: Any) -> None: ...

    class Server(Protocol):
        """The control socket."""

        def hand_over(self) -> tuple[dict[str, Any], list[int]]: ...
        def unanswered(self) -> list[Any]: ...

    class Tags(Protocol):
        """The nametags."""

        def unsettled(self) -> tuple[str, ...]: ...
        def waiting(self) -> set[int]: ...
        def hand_over(self) -> tuple[dict[str, Any] | None, list[int]]: ...

    class Streams(Protocol):
        """Something with descriptors that applications hold the other ends of; the last of each tuple is ours."""

        def hand_over(self) -> Iterable[tuple[Any, ...]]: ...

    class Lock(Protocol):
        """A directory that is ours."""

        directory: str
        fd: int

    class Ferry(Protocol):
        """linux/handover.py, and the loop's and the reaper's share of it."""

        def pack(self, format_: int, version: str, facts: dict[str, Any]) -> int: ...
        def close(self, parcel: int) -> None: ...
        def is_quiet(self) -> bool: ...
        def try_out(self, parcel: int, done: Callable[[dict[str, Any]], None]) -> None: ...
        def send(self, parcel: int, keep: Iterable[int]) -> None: ...


DONE, FAILED, BUSY = 0, 1, 75
PATIENCE = 30.0
"""Seconds that methods under way are waited for, unless who asks says otherwise."""
LOOK_AGAIN = 0.05


class Upgrade:
    """See the module. One for each runner; what it hands over is made in `_facts`, what it needs comes in here."""

    server: Server
    """Set once, when there is one: who could ask without?"""

    def __init__(
        self,
        version: str,
        rgmd: Rgmd,
        life: OwnLife,
        groups: Groups,
        forest: LastingForest,
        tags: Tags,
        outputs: Streams,
        notifies: Streams,
        switches: dict[str, dict[str, bool]],
        settings: Settings,
        sources: dict[str, Any],
        locks: Iterable[Lock],
        began: float,
        flush: Callable[[], None],
        ferry: Ferry,
    ) -> None:
        self._version = version
        self._rgmd = rgmd
        self._life = life
        self._groups = groups
        self._forest = forest
        self._tags = tags
        self._outputs = outputs
        self._notifies = notifies
        self._switches = switches
        self._settings = settings
        self._sources = sources
        self._locks = list(locks)
        self._began = began
        self._flush = flush
        self._ferry = ferry
        self._client: Client | None = None
        self._asked_at = 0.0
        self._limit = PATIENCE
        self._told = ""
        self._new = ""

    # -- what is asked ------------------------------------------------------------------------------------------------

    def asked(self, client: Client, request: dict[str, Any]) -> None:
        """gds upgrade [--check]: answered by the runner that comes, or by this one when it stays."""
        limit = request.get("wait", PATIENCE)
        if not isinstance(limit, int | float) or isinstance(limit, bool) or not 0 <= limit < 1e9:
            client.done(2, "cannot read the request: wait is not a number of seconds")
            return
        if self._client is not None:
            client.done(BUSY, "cannot upgrade: an upgrade is under way")
            return
        self._client = client
        self._asked_at = self._rgmd.loop.now()
        self._limit = float(limit)
        self._told = self._new = ""
        client.on_gone = lambda: self._gone(client)
        if self._life.stopping:
            self._end(BUSY, "the runner is stopping everything")
            return
        check = bool(request.get("check"))
        try:
            facts, _fds = self._facts()
            parcel = self._ferry.pack(FORMAT, self._version, facts)
        except Exception as error:  # our bug too: who asked must not wait for ever
            self._end(FAILED, f"what is to be handed over cannot be made: {error!r}")
            return
        try:
            self._ferry.try_out(parcel, lambda answer: self._tried(client, answer, check))
        except OSError as error:
            self._end(FAILED, f"the new code cannot be started: {error.strerror}")
        finally:
            self._ferry.close(parcel)

    def _gone(self, client: Client) -> None:
        if self._client is client:
            self._client = None  # nobody wants it any more

    def _end(self, code: int, because: str, **more: Any) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.done(code, f"cannot upgrade: {because}" if because else "", **more)

    def _tried(self, client: Client, answer: dict[str, Any], check: bool) -> None:
        if self._client is not client:
            return
        self._new = str(answer.get("version", ""))
        if not answer.get("understood"):
            why = answer.get("why") or "it said nothing"
            self._end(FAILED, f"the new code{' ' + self._new if self._new else ''} cannot take over: {why}")
        elif check:
            ruling = self._rule(0.0)
            because = ruling.because if isinstance(ruling, Refused) else ""
            self._end(BUSY if because else DONE, because, upgrade={"from": self._version, "to": self._new})
        else:
            self._try_now()

    def _rule(self, limit: float) -> Ruling:
        return may_upgrade(self._moment(), self._rgmd.loop.now() - self._asked_at, limit)

    def _moment(self) -> Moment:
        lives = [(app.name, app.view.life) for app in self._rgmd.apps.values() if app.view.life not in AT_REST]
        methods = [name for name in self._forest.under_way() if not name.endswith(":Probe")]
        methods += [app.name for app in self._rgmd.apps.values() if app.tree is not None and not self._is_settled(app)]
        waiting = {each.fd for each in self.server.unanswered()} - self._tags.waiting()
        if self._client is not None:
            waiting.discard(self._client.fd)
        return Moment(
            tuple(lives),
            tuple(methods),
            self._tags.unsettled(),
            len(waiting),
            self._life.stopping,
            self._life.reloading,
        )

    def _is_settled(self, app: App) -> bool:
        return app.tree is not None and self._forest.is_settled(app.tree)

    # -- going --------------------------------------------------------------------------------------------------------

    def _try_now(self) -> None:
        client = self._client
        if client is None:
            return
        ruling = self._rule(self._limit)
        if isinstance(ruling, Now):
            # not when_idle: applications that print without end leave nothing idle
            self._rgmd.loop.after(0.0, self._go)
        elif isinstance(ruling, Later):
            if ruling.waits_for != self._told:
                self._told = ruling.waits_for
                client.tell({"line": f"waiting for {ruling.waits_for}"})
            self._rgmd.loop.after(LOOK_AGAIN, self._try_now)
        else:
            self._end(BUSY, ruling.because)

    def _go(self) -> None:
        """Nothing of this turn waits, and nothing may come between this look and the execve."""
        client = self._client
        if client is None:
            return
        if not isinstance(self._rule(self._limit), Now) or not self._ferry.is_quiet():
            self._try_now()
            return
        self._rgmd.log.info(f"upgrading from {self._version} to {self._new}")
        self._life.reload_begins()
        client.tell({"going": True, "from": self._version, "to": self._new})
        parcel = -1
        try:
            self._flush()
            facts, fds = self._facts()
            parcel = self._ferry.pack(FORMAT, self._version, facts)
            self._ferry.send(parcel, fds)
        except Exception as error:  # whatever it is, our bug too: who asked must hear it, and this runner goes on
            if parcel >= 0:
                self._ferry.close(parcel)
            self._life.reload_ends()
            why = error.strerror if isinstance(error, OSError) else f"internal error: {error!r}"
            said = f"the new code cannot be executed: {why}; this runner goes on as it was"
            self._rgmd.log.error(f"cannot upgrade: {said}")
            self._end(FAILED, said)

    def _facts(self) -> tuple[dict[str, Any], list[int]]:
        """What is handed over, and the descriptors it names. Changes nothing. Asked for before the runner is at rest
        (to try the new code) it lacks what is not."""
        rgmd = self._rgmd
        now = rgmd.loop.now()
        fds: list[int] = []
        apps = []
        for app in rgmd.apps.values():
            plain = {**appparcel.of_app(app, now), "tree": None}
            if app.tree is not None and self._is_settled(app):
                plain["tree"], needed = self._forest.hand_over(app.tree)
                fds.extend(needed)
            apps.append(plain)
        tags, needed_by_tags = self._tags.hand_over() if not self._tags.unsettled() else (None, [])
        server, needed_by_server = self.server.hand_over()
        outputs, notifies = list(self._outputs.hand_over()), list(self._notifies.hand_over())
        for each in (needed_by_tags, needed_by_server, [o[-1] for o in (*outputs, *notifies)]):
            fds.extend(each)
        locks = {lock.directory: lock.fd for lock in self._locks}
        fds.extend(locks.values())
        facts = {
            "rung": self._forest.rung,
            "apps": tuple(apps),
            "groups": codec.pack(tuple(self._groups.declared.values())),
            "settings": plain_from(self._settings),
            "sources": {**self._sources, "files": self._groups.files},
            "switches": {name: dict(each) for name, each in self._switches.items()},
            "tags": tags,
            "server": server,
            "client": self._client.fd if self._client is not None else -1,
            "outputs": tuple(outputs),
            "notifies": tuple(notifies),
            "locks": locks,
            "began": self._began,
            "asked_at": self._asked_at,
            "left_at": now,
        }
        return facts, fds
