"""Where the RMAPI commands ask: the verbs "scha.…" of the control socket. Sun: semantics.md 7, 10.3, 15.

Loaded with the first such request. Every answer has `scha`, and `code` is Sun's exit status (model/scha.py). Whether a
request of scha_control is granted is decided by rgm/control.py; questions are answered by rmquery.py.

Asking is for whoever can open the socket; scha_control and scha_resource_setstatus for root and the runner's own user.
A granted request is answered when it has been carried out; who asked may be stopped on the way.
"""

from __future__ import annotations

from gds.daemon.rmquery import Query, Wrong
from gds.model.printed import printed
from gds.model.scha import Code
from gds.model.state import ResourceStatus
from gds.model.window import EMPTY
from gds.rgm import control, order
from gds.rgm.control import Optag
from gds.rgm.events import RestartAsked, StartAsked, StopAsked
from gds.rgm.life import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd
    from gds.model.restype import ResourceType

    class Client(Protocol):
        """One connection."""

        uid: int

        def done(self, code: int, message: str = "", **more: Any) -> None: ...

    class House(Protocol):
        """The runner, seen from its door."""

        @property
        def stopping(self) -> bool: ...
        def switch(self, name: str, what: str, value: bool) -> str: ...


STARTING = (Life.STARTING, Life.PREPARING)
IMPORTING = (Optag.CHANGE_STATE_OFFLINE, Optag.CHANGE_STATE_ONLINE)
WAITING = frozenset((Optag.RESTART, Optag.RESOURCE_RESTART, Optag.RESOURCE_DISABLE, *IMPORTING))
"""What is answered when it has been carried out."""
LONGEST_REASON = 4096


class Rmapi:
    """See the module. `types` are all that are registered, the generic one first."""

    def __init__(
        self,
        rgmd: Rgmd,
        groups: Groups,
        house: House,
        own_uid: int,
        node: str,
        types: Callable[[], tuple[ResourceType, ...]],
    ) -> None:
        self._rgmd = rgmd
        self._groups = groups
        self._house = house
        self._own_uid = own_uid
        self._query = Query(rgmd, groups, node, types)
        self._verbs: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            "scha.control": self._control,
            "scha.setstatus": self._set_status,
        }

    def answer(self, client: Client, request: dict[str, Any]) -> None:
        """One request."""
        verb = request["verb"]
        acting = self._verbs.get(verb)
        try:
            if acting is None:
                lines = self._query.answer(verb, request)
                _reply(client, Code.NOERR, lines=lines)
                return
            if client.uid not in (0, self._own_uid):
                raise Wrong(Code.ACCESS, f"only root and the runner's own user may; you are uid {client.uid}")
            acting(client, request)
        except Wrong as wrong:
            _reply(client, wrong.code, str(wrong))

    # -- scha_resource_setstatus --------------------------------------------------------------------------------------

    def _set_status(self, client: Client, request: dict[str, Any]) -> None:
        app = self._query.resource(request)
        word = str(request.get("status", "")).upper()
        if word not in ResourceStatus.__members__:
            known = ", ".join(ResourceStatus.__members__)
            raise Wrong(Code.RSTATUS, f"there is no status {request.get('status', '')!r}; known: {known}")
        message = request.get("message", "")
        if not isinstance(message, str):
            raise Wrong(Code.INVAL, "the message is not a string")
        self._rgmd.told_status(app, ResourceStatus[word], message)
        _reply(client, Code.NOERR)

    # -- scha_control -------------------------------------------------------------------------------------------------

    def _control(self, client: Client, request: dict[str, Any]) -> None:
        asked = str(request.get("optag", ""))
        try:
            optag = Optag(asked.upper())
        except ValueError:
            raise Wrong(Code.TAG, f"there is no optag {asked}; known: {', '.join(Optag)}") from None
        app = self._query.resource(request)
        if self._house.stopping:
            raise Wrong(Code.RECONF, "the runner is stopping everything")
        ruling = control.judge(optag, self._standing(app))
        because = f"{optag.value} asked by {'root' if client.uid == 0 else f'uid {client.uid}'}"
        if said := _reason(request):
            because = f"{said} ({because})"
        if optag is Optag.GIVEOVER:
            # whether or not it is granted (Sun: semantics.md 7.3, rule 8)
            self._rgmd.purge(app)
            app.rg_restarts = EMPTY
            self._rgmd.kept.forget(app)
        if isinstance(ruling, control.Refused):
            self._rgmd.kept.decided(app, "refused", f"{because}: {ruling.because}")
            self._rgmd.log.warning(f"{because} is refused: {ruling.because}", resource=app.name)
            raise Wrong(ruling.code, f"refused: {ruling.because}")
        self._carry_out(optag, app, because, client)

    def _standing(self, app: App) -> control.Standing:
        rgmd, resource, now = self._rgmd, app.resource, self._rgmd.loop.now()
        count, interval = self._query.budget(app)
        bound = order.bound(rgmd.graph, app.name)
        needed = [name for name in bound if (user := rgmd.apps.get(name)) is not None and user.enabled]
        return control.Standing(
            state=rgmd.public(app),
            group_state=self._groups.state(resource.group),
            mode=resource.failover_mode,
            on_giveover=rgmd.giveover_leads(app),
            enabled=app.enabled,
            monitored=app.monitored,
            suspended=rgmd.suspended.get(resource.group, ""),
            retry_count=count,
            retry_interval=interval,
            restarts=app.history.done(interval or 0.0, now),
            starting=app.view.life in STARTING,
            needed_by=tuple(needed),
            proxy=self._query.kind_of(app).proxy,
            stopped=not app.wanted,
        )

    def _carry_out(self, optag: Optag, app: App, because: str, client: Client) -> None:
        rgmd = self._rgmd
        group = app.resource.group
        concerned = [app]
        if optag is Optag.GIVEOVER:
            rgmd.give_over(app, f"giveover: {because.removeprefix('giveover: ')}", lambda why: _gave_over(client, why))
            return
        cluster = self._groups.cluster
        if optag is Optag.CHECK_GIVEOVER and cluster is not None:
            cluster.check_giveover(app, lambda why: _gave_over(client, why))
            return
        if optag is Optag.RESTART:
            app.rg_restarts = app.rg_restarts.add(rgmd.loop.now())
            concerned = self._groups.restart(group, because)
        elif optag is Optag.RESOURCE_RESTART:
            self._count(app)
            rgmd.submit(app, RestartAsked(because))
        elif optag is Optag.RESOURCE_IS_RESTARTED:
            self._count(app)
            rgmd.kept.decided(app, "restarted by itself", because)
        elif optag is Optag.RESOURCE_DISABLE:
            fault = self._house.switch(app.name, "enabled", False)
            if fault:
                rgmd.log.warning(f"disabled until the runner ends: {fault}", resource=app.name)
            app.enabled = False
            wanted = app.wanted
            rgmd.stop(app, because)
            app.wanted = wanted
        elif optag is Optag.IGNORE_FAILED_START:
            rgmd.excuse(app)
            rgmd.kept.decided(app, "excused", because)
        elif optag in IMPORTING:
            self._import(optag, app, because)
        if optag in WAITING:
            self._wait(client, concerned, is_up=optag in (Optag.RESTART, Optag.RESOURCE_RESTART))
        else:
            _reply(client, Code.NOERR)

    def _import(self, optag: Optag, app: App, because: str) -> None:
        """A proxy's state follows what it stands for: no method of it is run, and its monitor goes on."""
        rgmd = self._rgmd
        if (app.view.life is Life.ONLINE) is (optag is Optag.CHANGE_STATE_ONLINE):
            return  # it is so already
        app.imported = True
        asked = StartAsked if optag is Optag.CHANGE_STATE_ONLINE else StopAsked
        rgmd.submit(app, asked(because))

        def settled() -> None:
            app.imported = False

        rgmd.settled(app, settled)

    def _count(self, app: App) -> None:
        """One restart more that counts (Num_resource_restarts)."""
        restarts = app.history.restarts.add(self._rgmd.loop.now())
        app.history = app.history.replace(restarts=restarts)
        self._rgmd.kept.forget(app)
        self._rgmd.kept.changed(app)

    def _wait(self, client: Client, apps: list[App], is_up: bool) -> None:
        """Answer when all have come to rest. Accepted is accepted: one that is not up as meant is told beside it."""
        rgmd = self._rgmd
        waiting = {app.name for app in apps}

        def settled(app: App) -> None:
            if not rgmd.is_at_rest(app):
                rgmd.settled(app, lambda: settled(app))
                return
            waiting.discard(app.name)
            if not waiting:
                down = [a for a in apps if is_up and a.enabled and a.view.life is not Life.ONLINE]
                said = [f"{a.name} is {rgmd.public(a).value}: {a.view.why}" for a in down]
                _reply(client, Code.NOERR, "; ".join(said))

        def watch() -> None:
            for app in apps:
                rgmd.settled(app, lambda app=app: settled(app))  # type: ignore[misc]  # bound now, not later

        rgmd.loop.soon(watch)


def _reason(request: dict[str, Any]) -> str:
    """Why a monitor asks, in its own words (gds.dsdl); "" where nothing is said. Raises Wrong."""
    said = request.get("because", "")
    if not isinstance(said, str):
        raise Wrong(Code.INVAL, "the reason is not a string")
    return printed(said[:LONGEST_REASON]).strip()


def _gave_over(client: Client, why: str) -> None:
    """Who asked is answered as the group begins to leave: it is stopped with it."""
    _reply(client, Code.CHECKS if why else Code.NOERR, f"refused: {why}" if why else "")


def _reply(client: Client, code: Code, message: str = "", lines: tuple[str, ...] = ()) -> None:
    client.done(int(code), message, scha=True, lines=lines)
