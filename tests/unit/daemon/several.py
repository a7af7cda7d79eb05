"""Several runners' worth of drivers over one store in memory: what daemon/tenant.py and its desks do together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gds.config.addresstype import address_type
from gds.config.generictype import generic_type
from gds.daemon.agreement import Agreement
from gds.daemon.clearing import Clearing
from gds.daemon.groups import Groups
from gds.daemon.names import Names
from gds.daemon.nodes import NodesDesk
from gds.daemon.rmapi import Rmapi
from gds.daemon.switching import Switching
from gds.daemon.tenant import Tenant, digest_of
from gds.daemon.updown import UpAndDown
from gds.linux.loop import Loop
from gds.model.resource import Group, Plan, Resource
from gds.ports import TimerHandle
from gds.rgm.member import Member
from gds.rgm.tenure import Tenure
from gds.testing.clock import FakeClock
from gds.testing.engine import MemoryEngine, MemoryStore
from gds.testing.processes import Program
from tests.unit.daemon.world import Here, InMemory

LIFETIME, RENEW, ATTEMPT, MARGIN = 5.0, 1.0, 0.7, 1.0


class There(Here):
    """One runner's worth of drivers, of several that have one time."""

    def __init__(self, node: str, clock: FakeClock, loop: Loop, resources: tuple[Resource, ...]) -> None:
        self._place = node, clock, loop
        super().__init__(*resources)

    def place(self) -> tuple[str, FakeClock, Loop]:
        """See Here."""
        return self._place


class Client:
    """Somebody who asks; remembers what they were told."""

    uid = 0
    pid = 1

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.code: int | None = None
        self.message = ""
        self.more: dict[str, Any] = {}

    def tell(self, message: dict[str, Any]) -> None:
        """On the way."""
        self.lines.append(str(message["line"]))

    def done(self, code: int, message: str = "", **more: Any) -> None:
        """In the end."""
        assert self.code is None, "answered twice"
        self.code, self.message, self.more = code, message, more


class LittleGuard:
    """Kills every tree of a node at its deadline."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self._timer: TimerHandle | None = None
        self._deadline = 0.0
        self.pid = 77
        self.kills = (0, 0.0)
        self.closed = False

    def arm(self, deadline: float) -> None:
        """See world.Deadline."""
        self.disarm()
        self._deadline = deadline
        self._timer = self._here.loop.at(deadline, self._kill)

    def disarm(self) -> None:
        """See world.Deadline."""
        self._deadline = 0.0
        if self._timer is not None:
            self._timer.cancel()

    def deadline(self) -> float:
        """See world.Deadline."""
        return self._deadline

    def _kill(self) -> None:
        alive = [tree for tree in self._here.forest.planted if tree.members()]
        for tree in alive:
            tree.program = tree.program.replace(immortal=False)
            tree.kill()
        if alive:
            self.kills = self.kills[0] + 1, self._here.clock.monotonic()

    def killed(self) -> tuple[int, float]:
        """See world.Deadline."""
        return self.kills

    def is_quiet(self) -> bool:
        """See world.Deadline."""
        return not any(tree.members() for tree in self._here.forest.planted)

    def addresses(self, resources: Any) -> None:
        """See world.Deadline."""

    def describe(self) -> dict[str, Any]:
        """See world.Deadline."""
        return {"pid": self.pid, "watchdog": ""}

    def close(self) -> None:
        """See world.Deadline."""
        self.disarm()
        self.closed = True


class Staying:
    """The runner, seen from its door."""

    stopping = False

    def switch(self, _name: str, _what: str, _value: bool) -> str:
        """Kept by nobody."""
        return ""


class Node:
    """One node. `before`: the runner before this one, which has been killed."""

    def __init__(
        self,
        cluster: Nodes,
        name: str,
        resources: tuple[Resource, ...],
        groups: tuple[Group, ...],
        before: Node | None = None,
    ) -> None:
        self.name = name
        self.life = ""
        self.tokens: dict[str, int] = {}
        self.tenant: Tenant
        here = self.here = There(name, cluster.clock, cluster.loop, resources)
        here.forest.programs.update({program.replace("_", "-"): what for program, what in cluster.programs.items()})
        self.groups = Groups(here.rgmd, InMemory(), False)
        self.groups.take(Plan(resources, groups))
        self.engine = MemoryEngine(cluster.store, cluster.loop, name)
        self.guard = LittleGuard(here)
        self.refused: list[str] = []
        self.hooked: list[str] = []
        self.hook: list[Any] = []
        lives = iter(f"{name}-life-{n}" for n in range(1000))
        member = Member(
            name,
            Tenure(LIFETIME, MARGIN, 0.0, 0.0),
            RENEW,
            ATTEMPT,
            f"machine-of-{name}",
            "1.0",
            lambda: next(lives),
            before.life if before is not None else "",
            before.tenant.member.tenure.sent_at if before is not None else 0.0,
            hook=cluster.hook,
        )
        self.tenant = Tenant(
            here.rgmd,
            self.groups,
            self.engine,
            self.guard,
            member,
            cluster.clock.monotonic,
            lambda group: digest_of(self.groups.declared[group], [a.resource for a in self.groups.apps(group)]),
            self._keep,
            dict(before.tokens) if before is not None else {},
            self.refused.append,
            self._fence,
        )
        here.world.cluster = self.groups.cluster = self.tenant
        self.groups.take_again()
        here.world.observed = self._observed
        names = Names(here.rgmd)
        on_node = UpAndDown(here.rgmd, self.groups, names, lambda *_: "", self._clear).verbs
        on_node["clear"] = self._clear
        on_node["monitor"] = on_node["unmonitor"] = lambda client, _request: client.done(0)
        desk = NodesDesk(self.tenant, self.groups, cluster.clock.monotonic)
        self.agreement = Agreement(self.tenant, here.rgmd, self.groups, lambda: self.desk, cluster.clock.monotonic)
        self.desk: Any = None
        switching = Switching(self.tenant, here.rgmd, self.groups, on_node, cluster.clock.monotonic)
        self.verbs = {**on_node, **desk.acting, **desk.reading, **switching.acting, "diff.cluster": self.agreement.diff}
        self.verbs |= Clearing(self.tenant, here.rgmd, on_node).acting
        self.verbs["set"] = self.agreement.set
        types = (generic_type(), address_type())
        rmapi = Rmapi(here.rgmd, self.groups, Staying(), 0, name, lambda: types)
        self.verbs["scha.control"] = rmapi.answer
        self.tenant.each_turn += [self.agreement.look, switching.look]

    def _observed(self, app: Any) -> None:
        self.groups.observed(app)

    def _clear(self, client: Any, request: dict[str, Any]) -> None:
        apps = [app for app in self.here.rgmd.apps.values() if app.name in request["names"]]
        bad = [fault for app in apps if (fault := self.here.rgmd.clear(app))]
        client.done(1 if bad else 0, "; ".join(bad))

    def _keep(self, life: str, tokens: dict[str, int]) -> None:
        self.life, self.tokens = life, tokens

    def _fence(self, node: str, done: Any) -> None:
        self.hooked.append(node)
        self.hook.append(done)

    def runs(self, name: str = "web") -> bool:
        """A process of it is there."""
        return bool(self.here.forest.alive(name))

    def state(self, name: str = "web") -> str:
        """As people see it."""
        return self.here.state(name).value


class Nodes:
    """Some nodes; `run` lets time pass on all of them, and nothing runs twice meanwhile."""

    def __init__(
        self,
        resources: tuple[Resource, ...],
        groups: tuple[Group, ...],
        count: int = 3,
        hook: bool = False,
        **programs: Program,
    ) -> None:
        self.clock = FakeClock()
        self.loop = Loop(self.clock)
        self.store = MemoryStore()
        self.programs = programs
        self.hook = hook
        self.single = [r.name for r in resources if all(g.maximum_primaries == 1 for g in groups if g.name == r.group)]
        self.nodes = [Node(self, f"n{n + 1}", resources, groups) for n in range(count)]
        for node in self.nodes:
            node.tenant.begin()

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 1e-9:
            self.clock.run(self.loop, min(left, 0.05))
            for node in self.nodes:
                assert not node.here.bugs, node.here.bugs
            for name in self.single:
                assert len([n for n in self.nodes if n.runs(name)]) <= 1, f"{name} runs twice"

    def settled(self) -> Nodes:
        """The store is a cluster's, and everything is where it should be."""
        self.run(LIFETIME * 1.01 + 2.0)
        return self

    def masters(self, group: str = "web") -> list[str]:
        """Nodes on which it runs, by their own account."""
        return [node.name for node in self.nodes if node.tenant.masteries.held.get(group) is not None]

    def ask(self, node: str, verb: str, *names: str, seconds: float = 3.0, **more: Any) -> Client:
        """Ask, and let so much time pass."""
        client = Client()
        self[node].verbs[verb](client, {"verb": verb, "names": list(names), **more})
        self.run(seconds)
        return client

    def close(self) -> None:
        """Nothing may be left behind."""
        for node in self.nodes:
            node.engine.close()
            for tree in node.here.forest.planted:
                tree.program = tree.program.replace(immortal=False, deaf=frozenset())
                tree.kill()
        self.clock.run(self.loop, 400.0)
        for node in self.nodes:
            node.here.forest.close()
        self.loop._epoll.close()


@contextmanager
def nodes(*resources: Resource, groups: tuple[Group, ...], **more: Any) -> Iterator[Nodes]:
    """A cluster for one test."""
    made = Nodes(resources, groups, **more)
    yield made
    made.close()
