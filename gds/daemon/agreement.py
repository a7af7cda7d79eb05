"""What the nodes of a cluster have to agree on: what their files say, and properties that are set while they run.

Each node publishes what it declares of each group; `gds diff --cluster` compares. Values of `environment` are published
as digests: they may be secrets, and the store is no place for them.

`gds set` on a cluster goes in two steps, each a record that all nodes see: every living node that declares the group
judges and validates the change; one refusal refuses it everywhere, and nothing was changed. Only then every one carries
it out. A node that is away meanwhile is told about: it comes back with other values, says so, and takes no mastery of
the group until they are the same. Who has no contact with the store can ask nobody, and changes nothing.
"""

from __future__ import annotations

import os

from gds.daemon.names import BUSY, FAILED, OK
from gds.daemon.published import unlike
from gds.model.store import Committed, Delete, Put, Transaction, Unknown
from gds.model.value import Value, fields_of
from gds.rgm import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from gds.daemon.groups import Groups
    from gds.daemon.names import Client
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.setting import Setting
    from gds.daemon.tenant import Tenant
    from gds.model.store import Answer, Operation

    Says: TypeAlias = dict[str, dict[str, str]]
    """[group.G] or [resource.R] -> key -> value in words."""

CHECK, APPLY, DROP = "check", "apply", "drop"
PATIENCE = 120.0
"""Seconds in which every node has to answer."""


class Proxy:
    """Who asks, on a node that was asked through the store."""

    uid = 0
    pid = 0

    def __init__(self, done: Callable[[int, str, list[dict[str, Any]]], None]) -> None:
        self._done = done

    def tell(self, message: dict[str, Any]) -> None:
        """Lines on the way are for who asked; here they have nobody to read them."""

    def done(self, code: int, message: str = "", **more: Any) -> None:
        """What came of it."""
        self._done(code, message, more.get("changes") or [])


class Asked:
    """A set that was asked for here."""

    def __init__(self, client: Client, request: str, nodes: tuple[str, ...], until: float) -> None:
        self.client = client
        self.request = request
        self.nodes = nodes
        self.until = until
        self.phase = CHECK
        self.facts: dict[str, Any] = {}
        self.changes: list[dict[str, Any]] = []
        """What it was to change here, and did."""


class Agreement:
    """See the module."""

    def __init__(
        self,
        tenant: Tenant,
        rgmd: Rgmd,
        groups: Groups,
        desk: Callable[[], Setting],
        boottime: Callable[[], float],
    ) -> None:
        self._tenant = tenant
        self._rgmd = rgmd
        self._groups = groups
        self._desk = desk
        self._boottime = boottime
        self._published: dict[str, str] = {}
        self._publishing: set[str] = set()
        self._asked: dict[str, Asked] = {}
        self._answered: dict[str, tuple[str, str]] = {}
        self._published_as = 0

    def look(self) -> None:
        """Records, or what is declared here, may have changed."""
        member = self._tenant.member
        if not member.birth:
            return
        if self._published_as != member.birth:
            self._published_as = member.birth
            # what a life before this one said is said anew, or taken back
            self._published = {group: "" for group, node in member.board.files if node == member.me}
        for group in self._groups.declared:
            self._publish(group)
        for group in self._published.keys() - self._groups.declared.keys():
            self._take_back(group)
        for (group, node), facts in list(member.board.sets.items()):
            if not node:
                self._take_part(group, facts)
        for group, asked in list(self._asked.items()):
            self._hear(group, asked)

    # -- files --------------------------------------------------------------------------------------------------------

    def _publish(self, group: str) -> None:
        member = self._tenant.member
        said = records.encode(born=member.birth, says=self._says(group))
        if self._published.get(group) != said:

            def done() -> None:
                self._published[group] = said

            self._tell_files(group, Put(records.files_key(group, member.me), said), done)

    def _take_back(self, group: str) -> None:
        """Its files do not declare it any more."""

        def done() -> None:
            self._published.pop(group, None)

        self._tell_files(group, Delete(records.files_key(group, self._tenant.member.me)), done)

    def _tell_files(self, group: str, change: Operation, done: Callable[[], None]) -> None:
        if group in self._publishing:
            return
        self._publishing.add(group)

        def answered(answer: Answer) -> None:
            self._publishing.discard(group)
            if isinstance(answer, Committed):  # else it is tried again at the next turn, whenever that comes
                done()
                self._tenant.look()

        self._tenant.commit(Transaction((self._tenant.member.alive(),), (change,)), answered)

    def _says(self, group: str) -> Says:
        """Name -> key -> value in words; what is the default is left out."""
        told = {f"[group.{group}]": _given(self._groups.declared[group])}
        for app in self._groups.apps(group):
            told[f"[resource.{app.name}]"] = _given(app.resource)
        return told

    def diff(self, client: Client, request: dict[str, Any]) -> None:
        """gds diff --cluster [NAME...]: 0 no difference, 1 difference."""
        names = request.get("names") or []
        wanted = {self._rgmd.apps[n].resource.group if n in self._rgmd.apps else n for n in names}
        board = self._tenant.member.board
        found: list[dict[str, Any]] = []
        told: dict[str, dict[str, Says]] = {}
        for (group, node), facts in sorted(board.files.items()):
            if node in board.nodes and facts.get("born") == board.nodes[node].born:
                told.setdefault(group, {})[node] = _readable(facts.get("says"))
        for group, says in sorted(told.items()):
            if not wanted or group in wanted:
                lists = [said.get(f"[group.{group}]", {}).get("nodelist", "") for said in says.values()]
                named = () if "" in lists else {node for each in lists for node in each.split(", ")}
                lacking = board.declared.without(group, named, board.nodes)
                # the report is the newer word: what a lost request said of files may come late
                found += _differences(dict(sorted({**says, **dict.fromkeys(lacking, _NOTHING)}.items())))
                found += unlike(board, group)
        client.done(FAILED if found else OK, differences=found)

    # -- set: the node that is asked ----------------------------------------------------------------------------------

    def set(self, client: Client, request: dict[str, Any]) -> None:
        """gds set: checked on every node before it is carried out on any."""
        names = request.get("names") or []
        if len(names) != 1 or request.get("dry_run"):
            self._desk().set(client, request)  # it says what is wrong, or what would be done here
            return
        name = names[0]
        group = self._rgmd.apps[name].resource.group if name in self._rgmd.apps else name
        if group not in self._groups.declared:
            self._desk().set(client, request)
            return
        if group in self._asked:
            client.done(BUSY, f"cannot set {name}: its group is busy: another set is under way")
            return
        if why := self._no_contact():
            client.done(FAILED, f"cannot set {name}: {why}, and the other nodes cannot be asked; nothing was changed")
            return
        member = self._tenant.member
        nodes = self._present(group)
        nodelist = self._groups.declared[group].nodelist
        lacking = member.board.declared.without(group, nodelist, member.board.nodes)
        if lacking:
            client.tell({"line": f"{', '.join(lacking)}: its files do not declare {group}; nothing is set there"})
        away = [n for n in nodelist if n not in nodes and n not in lacking]
        if away:
            client.tell({"line": f"{', '.join(away)} cannot be told now, and will differ until the same is set there"})
        asked = Asked(client, f"{member.me}.{os.urandom(6).hex()}", nodes, self._boottime() + PATIENCE)
        asked.facts = {
            "name": name,
            "pairs": request.get("pairs", []),
            "unset": request.get("unset", []),
            "restart": bool(request.get("restart")),
            "by": client.uid,
        }
        self._asked[group] = asked
        self._say(group, asked, CHECK)

    def _no_contact(self) -> str:
        """Why no other node can be asked from here; "" = they can."""
        member = self._tenant.member
        if self._tenant.away:
            return f"contact with the cluster is lost: {self._tenant.away}"
        if not member.birth:
            return f"this node is no member of the cluster: {member.waiting}"
        return "" if member.may_run(self._boottime()) else f"contact with the cluster is lost: {member.lost()}"

    def _present(self, group: str) -> tuple[str, ...]:
        """Who has to agree: this node, and each other that lives and declares the group."""
        member = self._tenant.member
        board = member.board
        others = [n for n in board.nodes if n != member.me and board.report_of(n, group) and self._is_alive(n)]
        return tuple(sorted([member.me, *others]))

    def _is_alive(self, node: str) -> bool:
        facts = self._tenant.member.board.nodes[node]
        return self._boottime() < self._tenant.member.tenure.fence_after(facts.seen, facts.lifetime)

    def _say(self, group: str, asked: Asked, phase: str) -> None:
        asked.phase = phase
        member = self._tenant.member
        key = records.set_key(group)
        said = Put(key, records.encode(request=asked.request, phase=phase, **asked.facts))

        def done(answer: Answer) -> None:
            if not isinstance(answer, Committed) and self._asked.get(group) is asked:
                del self._asked[group]
                why = getattr(answer, "because", "somebody else sets the same group just now")
                so = "nothing was changed"
                if phase == APPLY and isinstance(answer, Unknown):
                    so = "it may have been changed all the same; `gds diff --cluster` shows it"
                asked.client.done(FAILED, f"cannot set {asked.facts['name']}: {why}; {so}")

        compares = (member.alive(), member.same(key)) if phase == CHECK else (member.alive(),)
        self._tenant.commit(Transaction(compares, (said,)), done)

    def _hear(self, group: str, asked: Asked) -> None:
        board = self._tenant.member.board
        name = asked.facts["name"]
        answers = {}
        for node in asked.nodes:
            said = board.sets.get((group, node), {})
            if said.get("request") == asked.request and said.get("phase") == asked.phase:
                answers[node] = str(said.get("because", ""))
            elif node not in board.nodes:
                answers[node] = "" if asked.phase == APPLY else "it has left the cluster"
        if len(answers) < len(asked.nodes):
            if self._boottime() < asked.until:
                return
            silent = [node for node in asked.nodes if node not in answers]
            answers.update(dict.fromkeys(silent, "it did not answer in time"))
        bad = {node: why for node, why in answers.items() if why}
        if asked.phase == CHECK and not bad:
            self._say(group, asked, APPLY)
            return
        del self._asked[group]
        lines = [f"{node}: {why}" for node, why in bad.items()]
        if asked.phase == CHECK:
            self._say(group, asked, DROP)
            lines.append(f"cannot set {name}: refused on {', '.join(bad)}; nothing was changed on any node")
        elif bad:
            lines.append(f"{name} was changed, but not on {', '.join(bad)}; `gds diff --cluster` shows the difference")
        asked.client.done(FAILED if bad else OK, "\n".join(lines), changes=asked.changes)

    # -- set: every node ----------------------------------------------------------------------------------------------

    def _take_part(self, group: str, facts: dict[str, Any]) -> None:
        request, phase = str(facts.get("request", "")), str(facts.get("phase", ""))
        before = self._answered.get(group)
        if group not in self._groups.declared or phase not in (CHECK, APPLY) or before == (request, phase):
            return
        me = self._tenant.member.me
        mine = self._tenant.member.board.sets.get((group, me), {})
        if phase == APPLY and (request, CHECK) not in (before, (mine.get("request"), mine.get("phase"))):
            self._answered[group] = (request, phase)  # it was for those who were there; we differ, and say so
            return
        self._answered[group] = (request, phase)
        wanted = {
            "names": [facts.get("name")],
            "pairs": facts.get("pairs", []),
            "unset": facts.get("unset", []),
            "restart": bool(facts.get("restart")),
            "trial": phase == CHECK,
        }

        def done(code: int, message: str, changes: list[dict[str, Any]]) -> None:
            asked = self._asked.get(group)
            if asked is not None and asked.request == request and phase == APPLY:
                asked.changes = changes
            why = "" if code == OK else (message or f"exit status {code}").replace("\n", "; ")
            said = Put(records.set_key(group, me), records.encode(request=request, phase=phase, because=why))
            alive = self._tenant.member.alive()
            self._tenant.commit(Transaction((alive,), (said,)), lambda _answer: self._tenant.look())

        self._desk().set(Proxy(done), wanted)


def _given(value: Value) -> dict[str, str]:
    """Its fields that are not the default, in words; environment values as digests."""
    import hashlib

    from gds.model.value import defaults_of

    defaults = defaults_of(type(value))
    told = {}
    for field in fields_of(type(value)):
        found = getattr(value, field)
        if field in ("name", "resources", "group") or (field in defaults and found == defaults[field]):
            continue
        if field == "environment":
            found = {k: f"digest {hashlib.sha256(str(v).encode()).hexdigest()[:8]}" for k, v in dict(found).items()}
        told[field] = _words(found)
    return told


def _words(found: object) -> str:
    if isinstance(found, Value):
        shown = ", ".join(f"{f} {_words(getattr(found, f))}" for f in fields_of(type(found)) if getattr(found, f))
        return shown or str(found)
    if isinstance(found, tuple):
        return ", ".join(_words(each) for each in found)
    return str(found)


_NOTHING: Says = {}


def _readable(says: object) -> Says:
    """What a node says of a group; what is not written as we write it is nothing."""
    found = says.items() if isinstance(says, dict) else ()
    return {
        name: {key: text for key, text in of.items() if isinstance(text, str)}
        for name, of in found
        if isinstance(of, dict)
    }


def _differences(says: dict[str, Says]) -> list[dict[str, Any]]:
    """Where not all nodes say the same. `key` "": some do not declare it; of those that do the keys are compared."""
    found = []
    for name in sorted({name for said in says.values() for name in said}):
        if not all(name in said for said in says.values()):
            nodes = {node: "declared" if name in said else "" for node, said in says.items()}
            found.append({"name": name, "key": "", "nodes": nodes})
        having = {node: said[name] for node, said in says.items() if name in said}
        for key in sorted({key for of in having.values() for key in of}):
            values = {node: of.get(key, "") for node, of in having.items()}
            if len(set(values.values())) > 1:
                found.append({"name": name, "key": key, "nodes": values})
    return found
