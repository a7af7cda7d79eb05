"""enable, disable, monitor, unmonitor, and manage, unmanage, suspend and resume of a group, on a cluster: switched on
every node, as at Sun (clresource without -n, clresourcegroup).

What a person switches is carried out where they ask; when that went well it stands in the store, and every other node
follows, now or when it comes back. So what was disabled here is not started elsewhere by a failover. A node that is cut
off refuses before anything is changed; when the store does not take it all the same, it is taken back here.
"""

from __future__ import annotations

from gds.daemon import contact
from gds.daemon.agreement import Proxy
from gds.daemon.names import FAILED, OK, USAGE
from gds.daemon.nodes import MOST
from gds.model.store import Committed, Conflict, Put, Rejected, Transaction
from gds.rgm import records
from gds.rgm.board import THE_GROUP
from gds.rgm.eligible import NO_GOAL
from gds.rgm.group import doing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.names import Client
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.tenant import Tenant
    from gds.model.resource import Group
    from gds.model.store import Answer

    Verb: TypeAlias = Callable[[Client, dict[str, Any]], None]

SWITCHES: dict[str, tuple[str, bool]] = {
    "enable": ("enabled", True),
    "disable": ("enabled", False),
    "monitor": ("monitored", True),
    "unmonitor": ("monitored", False),
    "rg.manage": ("managed", True),
    "rg.unmanage": ("managed", False),
}
MANAGED = "managed"
VERBS = {said: verb for verb, said in SWITCHES.items()}


class Switching:
    """See the module. `here`: the verbs as they work on one node."""

    def __init__(
        self, tenant: Tenant, rgmd: Rgmd, groups: Groups, here: dict[str, Verb], boottime: Callable[[], float]
    ) -> None:
        self._tenant = tenant
        self._boottime = boottime
        self._rgmd = rgmd
        self._groups = groups
        self._here = {verb: here[verb] for verb in SWITCHES}
        self._busy: set[str] = set()
        self._refused: dict[tuple[str, str, bool], str] = {}
        self._wishes = -1
        self._declared: dict[str, Group] = {}
        """For which goals and groups what follows from a goal was looked at."""
        self._goals: dict[str, int] = {}
        """Group -> the revision of what people want of it as it was seen last."""
        self.acting: dict[str, Verb] = {verb: self._asked(verb) for verb in SWITCHES}

    def _asked(self, verb: str) -> Verb:
        def switch(client: Client, request: dict[str, Any]) -> None:
            groups = {a.resource.group for a in self._named(request)}
            request = {**request, "names": list(request.get("names") or [])}
            if lost := contact.lost(self._tenant, self._boottime()):
                what = doing(verb, ", ".join(request["names"]))
                client.done(FAILED, f"cannot {what}: {lost}; ask another node")
                return
            if verb == "rg.unmanage" and (taken := self._taken(groups)):
                client.done(FAILED, taken)
                return
            if len(groups) > MOST:
                what = doing(verb, f"{len(groups)} groups")
                client.done(USAGE, f"cannot {what} in one transaction: name at most {MOST}")
                return
            self._busy |= groups
            before = self._other_than(verb, request, groups)

            def done(code: int, message: str = "") -> None:
                if code == OK:
                    self._published(request)
                    self._keep(client, request, verb, groups, before)
                else:
                    self._busy -= groups
                    client.done(code, message)

            self._here[verb](Caller(client, done), request)

        return switch

    def _taken(self, groups: set[str]) -> str:
        """Why they cannot be unmanaged: only what is offline everywhere can."""
        for group in sorted(groups):
            if nodes := self._tenant.masters(group):
                return f"cannot unmanage {group}: it is on {', '.join(nodes)}; `gds rg offline {group}` first"
        return ""

    def _named(self, request: dict[str, Any]) -> list[App]:
        names = request.get("names") or []
        return [a for a in self._rgmd.apps.values() if a.name in names or a.resource.group in names]

    def _published(self, request: dict[str, Any]) -> None:
        """The other nodes are told how it is switched here."""
        for app in self._named(request):
            self._tenant.observed(app)

    def _other_than(self, verb: str, request: dict[str, Any], groups: set[str]) -> list[str]:
        """What of it is not switched so yet."""
        what, value = SWITCHES[verb]
        if what == MANAGED:
            return [group for group in sorted(groups) if self._groups.is_managed(group) is not value]
        return [app.name for app in self._named(request) if getattr(app, what) is not value]

    def _keep(self, client: Client, request: dict[str, Any], verb: str, groups: set[str], before: list[str]) -> None:
        member = self._tenant.member
        what, value = SWITCHES[verb]
        operations = []
        for group in sorted(groups):
            of = dict(member.board.switches.get(group, {}))
            switched = [app.name for app in self._named(request) if app.resource.group == group]
            for name in [THE_GROUP] if what == MANAGED else switched:
                of[name] = {**of.get(name, {}), what: value}
            operations.append(Put(records.switches_key(group), records.encode(of=of)))
        compares = tuple(member.same(records.switches_key(group)) for group in sorted(groups))

        def done(answer: Answer) -> None:
            if isinstance(answer, Committed):
                revision = answer.revision
                self._tenant.waiting.append(lambda: self._seen(groups, revision))
                client.done(OK)
            else:
                self._busy -= groups
                why = getattr(answer, "because", "somebody else switched the same just now; try again")
                for name in before:
                    self._follow(name, what, not value)
                named = doing(verb, ", ".join(request["names"]))
                late = "" if isinstance(answer, Conflict | Rejected) else "; if the store has it, all nodes follow"
                client.done(FAILED, f"cannot {named} on all nodes: {why}; it is taken back on this one{late}")
            self._tenant.look()

        self._tenant.commit(Transaction(compares, tuple(operations)), done)

    def _seen(self, groups: set[str], revision: int) -> bool:
        if self._tenant.member.revision < revision:
            return False
        self._busy -= groups
        return True

    def look(self) -> None:
        """Follow what was switched elsewhere."""
        board, declared = self._tenant.member.board, self._groups.declared
        if self._tenant.member.revision >= 0 and (board.wishes != self._wishes or declared is not self._declared):
            self._wishes, self._declared = board.wishes, declared
            for group in declared:
                self._follow_goal(group)
        for group, of in board.switches.items():
            if group in self._busy:
                continue
            for name, switches in of.items():
                for what, value in switches.items():
                    if (what, value) in VERBS and self._is(group, name, what) is (not value):
                        self._follow(name or group, what, value)

    def _follow_goal(self, group: str) -> None:
        """Whether it is suspended is what the store says. Asked for again, it is up where it only counts as up."""
        board = self._tenant.member.board
        goal = board.goals.get(group, NO_GOAL)
        now = board.modified(records.goal_key(group))
        before = self._goals.get(group, now)
        self._goals[group] = now
        if goal.suspended is not self._groups.is_suspended(group):
            self._groups.suspend(group, goal.suspended, goal.unread or "asked by a person")
        elif before != now and goal.online and self._groups.is_here(group):
            self._groups.revive(group, "a person wants it online")

    def _is(self, group: str, name: str, what: str) -> bool | None:
        """How it is switched here; None: there is no such thing here."""
        if name == THE_GROUP:
            return self._groups.is_managed(group) if what == MANAGED and group in self._groups.declared else None
        app = self._rgmd.apps.get(name)
        return getattr(app, what) if app is not None and what != MANAGED else None

    def _follow(self, name: str, what: str, value: bool) -> None:
        key = (name, what, value)
        if key in self._refused:
            return
        self._refused[key] = "under way"

        def done(code: int, message: str, _changes: list[dict[str, Any]]) -> None:
            if code == OK:
                self._refused.pop(key, None)
                self._published({"names": [name]})
            else:
                self._refused[key] = message
                self._rgmd.log.error(f"cannot follow the other nodes: {message}", resource=name)

        self._here[VERBS[what, value]](Proxy(done), {"names": [name], "no_wait": True, "followed": True})


class Caller:
    """Who asked, whose answer waits until the store has it."""

    def __init__(self, client: Client, done: Callable[[int, str], None]) -> None:
        self.uid = client.uid
        self.pid = client.pid
        self.tell = client.tell
        self._done = done

    def done(self, code: int, message: str = "", **_more: Any) -> None:
        """What came of it on this node."""
        self._done(code, message)
