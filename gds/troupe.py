"""The groups of a play: who belongs together, who needs whom, and what a group is told and tells.

Pure; beside `stage.py`, as daemon/groups.py stands beside the methods in the runner. What is decided comes from `rgm`:
order.py for the links, group.py for states and rules. The same sentences are said.
"""

from __future__ import annotations

from gds.model.state import GroupState
from gds.rgm import group as group_of
from gds.rgm import order
from gds.rgm import resource as life_of
from gds.rgm.group import Ask, Member, Refused
from gds.rgm.resource import ALONE, Life
from gds.script import GroupStanding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gds.model.resource import Plan
    from gds.rgm.events import Event
    from gds.rgm.resource import Around, ResourceView
    from gds.stage import Actor

SUSPENDED = "automatic recovery of its group is suspended"


class Troupe:
    """See the module. `is_told`: there is more to say of groups than of their resources."""

    def __init__(self, plan: Plan, actors: dict[str, Actor], asked: bool) -> None:
        self._actors = actors
        self._graph = order.graph_of(plan)
        self._members = {group.name: group.resources for group in plan.groups}
        self._unmanaged: set[str] = set()
        self._suspended: set[str] = set()
        self.leaving = False
        self.is_told = asked or bool(self._graph.needs) or any(len(m) > 1 for m in self._members.values())
        self._told = {name: self.state(name, 0.0) for name in self._members} if self.is_told else {}

    # -- one resource among the others --------------------------------------------------------------------------------

    def around(self, actor: Actor) -> Around:
        """What the others have to say about it now."""
        known = self._graph.knows(actor.name)
        around = order.around(self._graph, actor.name, self._look, self.leaving) if known else ALONE
        return around.replace(suspended=self.suspended(actor)) if self.suspended(actor) else around

    def suspended(self, actor: Actor) -> str:
        """Why nothing of it may be recovered automatically; "" when it may."""
        return SUSPENDED if actor.resource.group in self._suspended else ""

    def news(self, actor: Actor, before: ResourceView) -> Iterator[tuple[Actor, Event]]:
        """What others are to be told, now that its view was `before`."""
        if not self._graph.knows(actor.name) or not order.is_news(before, actor.view):
            return
        for name in order.concerned(self._graph, actor.name):
            event = order.news(self._graph, name, actor.name, before.life, self._look, self.leaving)
            if event is not None:
                yield self._actors[name], event

    def needed_by(self, actor: Actor) -> list[str]:
        """Who needs it, is up, and goes on running without it."""
        return order.goes_on(self._graph, actor.name, self._look)

    def bound_to(self, actor: Actor) -> tuple[str, ...]:
        """Who is enabled, and cannot be without it."""
        return tuple([user for user in order.bound(self._graph, actor.name) if self._actors[user].enabled])

    def _look(self, name: str) -> ResourceView | None:
        actor = self._actors.get(name)
        return actor.view if actor is not None else None

    # -- groups -------------------------------------------------------------------------------------------------------

    def all(self, down: bool = False) -> list[Actor]:
        """Everybody, in the order in which to start, or with `down` to stop them."""
        return self._ordered(self._actors, down)

    def of(self, group: str, down: bool = False) -> list[Actor]:
        """Those of a group, in the same way."""
        return self._ordered(dict.fromkeys(self._members[group]), down)

    def _ordered(self, names: dict[str, Actor] | dict[str, None], down: bool) -> list[Actor]:
        ordered = order.stop_order if down else order.start_order
        return [self._actors[name] for name in ordered(self._graph, names)]

    def is_managed(self, group: str) -> bool:
        """Methods may be run for its resources."""
        return group not in self._unmanaged

    def state(self, group: str, now: float) -> GroupState:
        """How it is."""
        return group_of.state_of(self._cast(group, now), self.is_managed(group))

    def refusal(self, group: str, act: str, now: float) -> str:
        """Why this may not be done with it now; "" when it may. What is suspended or cleared is never refused."""
        if act in ("suspend", "resume", "clear"):
            return ""
        ruling = group_of.rule(group, self._cast(group, now), self.is_managed(group), Ask(act))
        return ruling.because if isinstance(ruling, Refused) else ""

    def refusal_of(self, actor: Actor, act: str, now: float) -> str:
        """Why this may not be done with one of its resources now; "" when it may."""
        group = actor.resource.group
        ruling = group_of.rule_of(actor.name, group, self._cast(group, now), act)
        return ruling.because if isinstance(ruling, Refused) else ""

    def manage(self, group: str, managed: bool) -> None:
        """Take it under management, or out of it."""
        (self._unmanaged.discard if managed else self._unmanaged.add)(group)

    def suspend(self, group: str, suspended: bool) -> None:
        """Suspend_automatic_recovery."""
        (self._suspended.add if suspended else self._suspended.discard)(group)

    def changed(self, now: float) -> Iterator[tuple[str, GroupState, GroupState]]:
        """(group, its state when it was told last, its state) of each that has another."""
        for name, before in self._told.items():
            state = self.state(name, now)
            if state is not before:
                self._told[name] = state
                yield name, before, state

    def standings(self, now: float) -> tuple[GroupStanding, ...]:
        """Where they stand, when there is something to say."""
        if not self.is_told:
            return ()
        return tuple([GroupStanding(n, self.state(n, now), n in self._suspended) for n in self._members])

    def _cast(self, group: str, now: float) -> list[Member]:
        return [self._member(self._actors[name], now) for name in self._members.get(group, ())]

    def _member(self, actor: Actor, now: float) -> Member:
        view = actor.view
        waits = view.life is Life.AWAITING
        coming = waits and order.is_coming(self._graph, actor.name, self._look)
        state = life_of.public(view, actor.monitored, actor.monitor_failed)
        return Member(actor.name, state, view.status, actor.enabled, waits, coming, view.why, max(0.0, now - view.at))
