"""What people ask of the cluster through one of its runners: nodes, switches, goals. Each is one transaction."""

from __future__ import annotations

from gds.daemon import contact, outcome
from gds.daemon.names import FAILED, OK, UNKNOWN, USAGE, because_of
from gds.model.picture import to_json
from gds.model.store import Committed, Conflict, Delete, Put, Rejected, Transaction
from gds.rgm import asked, placement, records
from gds.rgm.mastery import goal_value
from gds.rgm.placement import first_goal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from gds.daemon.groups import Groups
    from gds.daemon.names import Client
    from gds.daemon.tenant import Tenant
    from gds.model.cluster import Cluster, Goal
    from gds.model.store import Answer, Operation

    So: TypeAlias = Callable[[Cluster], str | None]


PATIENCE = 1.0
"""Seconds for which something has to look hopeless before that is said: what one node knows another may not yet."""
MOST = 50
"""Groups in one transaction: a store takes 128 operations."""


class NodesDesk:
    """See the module."""

    def __init__(self, tenant: Tenant, groups: Groups, boottime: Callable[[], float]) -> None:
        self._tenant = tenant
        self._groups = groups
        self._boottime = boottime
        self._count = 0
        self._outcomes = outcome.Outcomes(tenant, groups)
        self.acting: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            "node.drain": lambda c, r: self._drain(c, r, evacuate=False),
            "node.evacuate": lambda c, r: self._drain(c, r, evacuate=True),
            "node.resume": self._resume,
            "rg.switch": self._switch,
            "rg.online": lambda c, r: self._want(c, r, True),
            "rg.offline": lambda c, r: self._want(c, r, False),
            "rg.suspend": lambda c, r: self._suspend(c, r, True),
            "rg.resume": lambda c, r: self._suspend(c, r, False),
        }
        self.reading: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            "nodes": lambda client, _request: client.done(OK, cluster=self._tenant.identity()),
            "cluster.picture": self._show,
        }

    def picture(self) -> Cluster:
        """The cluster as this node sees it."""
        return self._tenant.masteries.picture(self._boottime())

    def _show(self, client: Client, _request: dict[str, Any]) -> None:
        if lost := contact.lost(self._tenant, self._boottime()):
            client.done(UNKNOWN, f"cannot tell: {lost}")
        else:
            client.done(OK, cluster=to_json(self.picture()))

    def _is_cut_off(self, client: Client, verb: str) -> bool:
        """What this node knows is old, and nobody hears it; the client has been told."""
        lost = contact.lost(self._tenant, self._boottime())
        if lost:
            client.done(FAILED, f"cannot {verb}: {lost}; ask another node")
        return bool(lost)

    # -- groups -------------------------------------------------------------------------------------------------------

    def _named(self, client: Client, request: dict[str, Any]) -> list[str] | None:
        names = request.get("names")
        if not isinstance(names, list) or not names:
            client.done(USAGE, "cannot act: no group is given")
            return None
        if len(names) > MOST:
            client.done(USAGE, f"cannot act on {len(names)} groups in one transaction: name at most {MOST}")
            return None
        for name in names:
            if name not in self._groups.declared:
                client.done(UNKNOWN, f"cannot find {name}: no group of this node's files has that name", unknown=name)
                return None
        return names

    def _goal(self, group: str) -> Goal:
        goal = self._tenant.member.board.goals.get(group)
        return goal if goal is not None else first_goal(self._groups.declared[group])

    def _set_goals(
        self,
        client: Client,
        request: dict[str, Any],
        goals: dict[str, Goal],
        verb: str,
        so: So,
        marks: Iterable[tuple[str, str]] = (),
        said: str = "",
    ) -> None:
        """`so`: of a picture: "" when it has come about, why it never will, or None as long as it may. `marks`: (group,
        node) that keep nobody away any more."""
        member = self._tenant.member
        keys = [records.goal_key(group) for group in goals]
        changes = Transaction(
            tuple(member.same(key) for key in keys),
            (
                *[Put(key, goal_value(goal)) for key, goal in zip(keys, goals.values(), strict=True)],
                *[Delete(records.avoid_key(group, node)) for group, node in marks],
            ),
        )
        self._commit(client, request, changes, verb, so, said)

    def _commit(
        self,
        client: Client,
        request: dict[str, Any],
        changes: Transaction,
        verb: str,
        so: So,
        said: str,
    ) -> None:
        """`said`: when it has come about."""

        def done(answer: Answer) -> None:
            if isinstance(answer, Committed):
                self._await(client, request, verb, so, said, answer.revision)
            elif isinstance(answer, Conflict):
                client.done(FAILED, f"cannot {verb}: somebody else changed the same just now; try again")
            elif isinstance(answer, Rejected):
                client.done(FAILED, f"cannot {verb}: the store refuses it: {answer.because}")
            else:
                client.done(
                    FAILED,
                    f"cannot {verb}: the store did not answer ({answer.because}); it may have happened all the same,"
                    " see `gds status`",
                )

        self._tenant.commit(changes, done)

    def _await(self, client: Client, request: dict[str, Any], verb: str, so: So, said: str, revision: int) -> None:
        if request.get("no_wait"):
            client.done(OK)
            return

        hopeless: list[float] = []  # since when it is

        def come_about() -> bool:
            if self._tenant.member.revision < revision:
                return False
            now = self._boottime()
            if lost := contact.lost(self._tenant, now):
                client.done(FAILED, f"cannot tell what came of it: {lost}; it was asked, and goes on without this node")
                return True
            why = so(self.picture())
            if not why:
                hopeless.clear()
            elif not hopeless:
                hopeless.append(now)
            if why is None or (hopeless and now - hopeless[0] < PATIENCE):
                return False
            if said and not why:
                client.tell({"line": said})
            client.done(FAILED if why else OK, f"cannot {verb}: {why}" if why else "")
            return True

        self._tenant.waiting.append(come_about)
        self._tenant.look()

    def _want(self, client: Client, request: dict[str, Any], online: bool) -> None:
        verb = "bring it online" if online else "take it offline"
        names = self._named(client, request)
        if names is None or self._is_cut_off(client, verb):
            return
        if online and self._is_unmanaged(client, names, "bring {} online"):
            return
        goals = {}
        for name in names:
            if not online:
                goals[name] = asked.offline(self._goal(name))
                continue
            goals[name], why = asked.online(self._asked_of(name), name)
            if why:
                client.done(FAILED, f"cannot {verb}: {name} {why}")
                return

        def so(picture: Cluster) -> str | None:
            ask = self._outcomes.online if online else outcome.offline
            answers = [ask(picture, name) for name in names]
            return next((why for why in answers if why), None if None in answers else "")

        said = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {'online' if online else 'offline'}"
        self._set_goals(client, request, goals, verb, so, said=said)

    def _asked_of(self, group: str) -> Cluster:
        """The picture, with what people want of the group as it stands in the store."""
        picture = self.picture()
        return picture.replace(goals={**picture.goals, group: self._goal(group)})

    def _is_unmanaged(self, client: Client, names: list[str], what: str) -> bool:
        """One of them is, and the client has been told."""
        for name in names:
            if not self._groups.is_managed(name):
                client.done(FAILED, f"cannot {what.format(name)}: it is unmanaged; `gds rg manage {name}` first")
                return True
        return False

    def _suspend(self, client: Client, request: dict[str, Any], suspended: bool) -> None:
        names = self._named(client, request)
        if names is None or self._is_cut_off(client, "suspend" if suspended else "resume"):
            return
        # what is so already is not written again: a goal that is written looks like somebody's wish
        found = {name: asked.suspend(self._goal(name), suspended) for name in names}
        goals = {name: goal for name, goal in found.items() if goal is not None}
        said = f"automatic recovery of {', '.join(names)} {'is suspended' if suspended else 'goes on'}"
        if not goals:
            client.tell({"line": said})
            client.done(OK)
            return
        self._set_goals(client, request, goals, "suspend" if suspended else "resume", lambda _: "", said=said)

    def _switch(self, client: Client, request: dict[str, Any]) -> None:
        names = request.get("names")
        if not isinstance(names, list) or len(names) < 2:
            client.done(USAGE, "cannot switch: a group and a node are wanted: gds rg switch GROUP NODE")
            return
        group, *targets = names
        if self._named(client, {"names": [group]}) is None:
            return
        if self._is_cut_off(client, f"switch {group}") or self._is_unmanaged(client, [group], "switch {}"):
            return
        self._count += 1
        member = self._tenant.member
        name = f"{member.me}.{member.birth}.{self._count}"
        goal, why = asked.switch(self._asked_of(group), group, tuple(targets), member.revision, name)
        if why:
            client.done(FAILED, f"cannot switch {group} to {', '.join(targets)}: {why}")
            return
        # a person knows better than pingpong_interval (Sun: semantics.md 13.1)
        marks = [key for key in member.board.marks if key[0] == group and key[1] in targets]

        def so(picture: Cluster) -> str | None:
            return self._outcomes.switched(picture, group, targets, name)

        client.tell({"line": f"{group} goes to {', '.join(targets)}"})
        self._set_goals(client, request, {group: goal}, f"switch {group}", so, marks)

    # -- nodes --------------------------------------------------------------------------------------------------------

    def _node(self, client: Client, request: dict[str, Any]) -> str | None:
        names = request.get("names")
        if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
            client.done(USAGE, "cannot act: one node is wanted")
            return None
        known = [peer.name for peer in self.picture().nodes]
        if names[0] not in known:
            client.done(
                UNKNOWN, f"cannot find {names[0]}: no node of that name; there are {', '.join(known)}", unknown=names[0]
            )
            return None
        return names[0]

    def _drain(self, client: Client, request: dict[str, Any], evacuate: bool) -> None:
        node = self._node(client, request)
        verb = "evacuate" if evacuate else "drain"
        if node is None or self._is_cut_off(client, f"{verb} {node}"):
            return
        said = records.encode(because=because_of(client, verb), evacuate=evacuate)
        key = records.drain_key(node)

        def so(picture: Cluster) -> str | None:
            there = [m.group for m in picture.masteries if m.node == node]
            if not evacuate or not there:
                return ""
            left = [g for g in there if not placement.decide(picture, g).leave]
            if len(left) == len(there):
                return f"{', '.join(left)} can go nowhere else: {placement.decide(picture, left[0]).because}"
            return None

        operations: tuple[Operation, ...] = (Put(key, said),)
        # as it is now: one that was given up as lost may come true only as long as nobody said anything else
        as_seen = (self._tenant.member.same(key),)
        done = (
            f"{node} is evacuated: it has no group, and takes none" if evacuate else f"{node} takes no group any more"
        )
        self._commit(client, request, Transaction(as_seen, operations), f"{verb} {node}", so, done)

    def _resume(self, client: Client, request: dict[str, Any]) -> None:
        node = self._node(client, request)
        if node is not None and not self._is_cut_off(client, f"resume {node}"):
            key = records.drain_key(node)
            gone = Transaction((self._tenant.member.same(key),), (Delete(key),))
            self._commit(client, request, gone, f"resume {node}", lambda _: "", f"{node} takes groups again")
