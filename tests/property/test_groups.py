"""Groups of resources that need each other, in the hands of a world that does what it likes.

The judges are the real ones (rgm: order, resource; fault: verdict); the hands carry out orders as daemon/rgmd.py does.
Up to six resources in two groups, all four kinds of links; methods succeed, fail or hang, applications die, people ask,
groups are suspended, a reload says anew who needs whom, the runner leaves, in any order.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gds import seam
from gds.fault import verdict
from gds.fault.history import FRESH, MonitorState
from gds.fault.score import Score
from gds.model.resource import Command, Group, Need, Plan, Resource
from gds.model.state import FailoverMode, GroupState
from gds.rgm import commands, order
from gds.rgm.events import (
    ClearAsked,
    DelayOver,
    NeedsMet,
    PostnetFailed,
    PostnetSucceeded,
    PrenetFailed,
    PrenetSucceeded,
    RestartAsked,
    StartAsked,
    StartFailed,
    StartSucceeded,
    StopAsked,
    StopFailed,
    StopSucceeded,
    UsersGone,
)
from gds.rgm.group import Member, state_of
from gds.rgm.resource import ALONE, Life, ResourceView, public, step

if TYPE_CHECKING:
    from gds.rgm.events import Event
    from gds.rgm.resource import Around

NAMES = ("a", "b", "c", "d", "e", "f")
COMMAND = Command(("x",))
KINDS = (order.STRONG, order.WEAK, order.RESTART, order.OFFLINE_RESTART)
KEY = {
    order.STRONG: "resource_dependencies",
    order.WEAK: "resource_dependencies_weak",
    order.RESTART: "resource_dependencies_restart",
    order.OFFLINE_RESTART: "resource_dependencies_offline_restart",
}
STOPPING = (Life.CYCLING, Life.STOPPING, Life.ABANDONING)
METHODS = {
    **dict.fromkeys(STOPPING, "stop"),
    Life.STARTING: "start",
    Life.PREPARING: "prenet",
    Life.CLEARING: "postnet",
}
UP = (Life.ONLINE, Life.HELD)
HERE, THERE = "n1", "n2"
WHERE = ("FROM_RG_AFFINITIES", "LOCAL_NODE", "ANY_NODE", HERE, THERE)
ELSEWHERE = (
    None,
    *[ResourceView("", life, "told") for life in (Life.OFFLINE, Life.STARTING, Life.ONLINE, Life.STOPPING)],
)
"""What another node may say of a resource; None: nobody but this node masters it."""
SPAN = 60.0
"""retry_interval: so many steps."""


@st.composite
def needs(draw: st.DrawFn, before: tuple[str, ...]) -> dict[str, tuple[Need, ...]]:
    """What a resource needs of those before it, so there is no circle."""
    found: dict[str, list[Need]] = {key: [] for key in KEY.values()}
    for other in before:
        kind = draw(st.sampled_from((*KINDS, None, None)))
        if kind is not None:
            found[KEY[kind]].append(Need(other, draw(st.sampled_from(WHERE))))
    return {key: tuple(each) for key, each in found.items()}


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Up to six resources."""
    names = NAMES[: draw(st.integers(1, 6))]
    made = []
    for rank, name in enumerate(names):
        made.append(
            Resource(name, COMMAND).replace(
                group=draw(st.sampled_from(("left", "right"))),
                failover_mode=draw(st.sampled_from((FailoverMode.NONE, FailoverMode.SOFT))),
                prenet_start_command=draw(st.sampled_from((None, None, COMMAND))),
                postnet_stop_command=draw(st.sampled_from((None, None, COMMAND))),
                retry_count=draw(st.sampled_from((0, 1, 2))),
                retry_interval=SPAN,
                **draw(needs(names[:rank])),
            )
        )
    groups = [Group(g, resources=tuple(r.name for r in made if r.group == g)) for g in ("left", "right")]
    return Plan(tuple(made), tuple(g for g in groups if g.resources))


PERSON = (StartAsked, RestartAsked)


class SomeGroups(RuleBasedStateMachine):
    """See the module."""

    @initialize(
        plan=plans(), on_giveover=st.sampled_from(("refuse", "refuse", "exit")), here=st.sampled_from(("", HERE))
    )
    def declared(self, plan: Plan, on_giveover: str, here: str) -> None:
        """Somebody wrote descriptors. `here`: this is one node of several."""
        self.plan = plan
        self.here = here
        self.elsewhere: dict[str, ResourceView] = {}
        self.graph = order.graph_of(plan, here)
        self.resources = {r.name: r for r in plan.resources}
        self.views = {name: ResourceView(name) for name in self.resources}
        self.now = 0.0
        self.queue: deque[tuple[str, Event]] = deque()
        self.running: dict[str, str] = {}
        """resource -> the method that runs for it."""
        self.alive: set[str] = set()
        self.log: list[tuple[str, Event, float, Around]] = []
        self.leaving = False
        self.on_giveover = on_giveover
        self.gone = False
        """A giveover was granted: the runner leaves, and people are not heard any more."""
        self.hurried = False
        self.suspended: set[str] = set()
        self.history: dict[str, MonitorState] = dict.fromkeys(self.resources, FRESH)
        self.restarts: dict[str, list[float]] = {name: [] for name in self.resources}
        """When the judge said restart, since the history was forgotten."""
        self.new_links: set[order.Link] = set()
        """Links that a reload made while the user ran: they hold from its next start on."""

    # -- the hands ----------------------------------------------------------------------------------------------------

    def look(self, name: str) -> ResourceView | None:
        """As daemon/rgmd.py does."""
        return self.views.get(name) or self.elsewhere.get(name)

    def is_up(self, need: str) -> bool:
        """On this node, or on one where it may be as well."""
        resource, node = self.graph.far.get(need, (need, ""))
        here = None if node else self.views[resource]
        return any(view is not None and view.life is Life.ONLINE for view in (here, self.elsewhere.get(need)))

    def tell(self, name: str, event: Event) -> None:
        """As daemon/rgmd.py does."""
        self.queue.append((name, event))
        turns = 0
        while self.queue:
            turns += 1
            assert turns < 2000, "they tell each other for ever"
            self._step(*self.queue.popleft())

    def _step(self, name: str, event: Event) -> None:
        before = self.views[name]
        linked = self.graph.knows(name)
        here = linked and not self.hurried
        around = order.around(self.graph, name, self.look, self.leaving) if here else ALONE
        around = around.replace(suspended=self.why_suspended(name))
        self.now += 1.0
        made = step(before, event, self.resources[name].failover_mode, self.on_giveover, self.now, around)
        self.log.append((name, event, self.now, around))
        if made.ignored:
            assert made.view == before
            return
        self.views[name] = made.view
        if self.why_suspended(name) and before.life is Life.ABANDONING:
            assert made.view.life not in (Life.STARTING, Life.PREPARING, Life.AWAITING) or isinstance(event, PERSON), (
                f"{name} is tried again, and its group is suspended"
            )
        for each in made.orders:
            self._carry_out(name, each, before.life)
        if linked and order.is_news(before, made.view):
            for other in order.concerned(self.graph, name):
                said = order.news(self.graph, other, name, before.life, self.look, self.leaving)
                if said is not None:
                    self.queue.append((other, said))

    def _carry_out(self, name: str, wanted: commands.Order, before: Life) -> None:
        if isinstance(wanted, commands.RunStart):
            assert name not in self.running, f"{name} is started while {self.running.get(name)} runs"
            assert name not in self.alive, f"{name} would run twice"
            for link in self.graph.needs.get(name, ()):
                if link.kind != order.WEAK:
                    assert self.is_up(link.need), f"{name} is started before {link.need}"
            for mate in self.graph.mates.get(name, ()):
                assert self.running.get(mate) != "prenet", f"{name} is started while Prenet_start of {mate} runs"
            self.running[name] = "start"
            self.alive.add(name)
            self.new_links = {link for link in self.new_links if link.user != name}
        elif isinstance(wanted, commands.RunStop):
            for link in self.graph.users.get(name, ()):
                user = self.views[link.user]
                going = user.life in STOPPING or (user.life is Life.HELD and user.next is not Life.CLEARING)
                bound = link.kind == order.OFFLINE_RESTART and user.life in (Life.ONLINE, Life.STARTING)
                bound = bound and self.follows(link.user, name)
                # a start that is broken off is stopped at once: nobody can use it yet
                assert self.hurried or before not in UP or not (going or bound), (
                    f"{name} is stopped before {link.user}: {user.life}"
                )
            self.running[name] = "stop"
        elif isinstance(wanted, commands.RunPrenet):
            assert name not in self.running
            self.running[name] = "prenet"
        elif isinstance(wanted, commands.RunPostnet):
            assert name not in self.running
            assert name not in self.alive
            self.running[name] = "postnet"
        elif isinstance(wanted, commands.StartMonitor):
            if wanted.restarted:
                self.history[name] = verdict.restarted(self.history[name])
        elif isinstance(wanted, commands.PurgeHistory):
            self.history[name] = verdict.gave_over()
            self.restarts[name].clear()
        elif isinstance(wanted, commands.LeaveNode):
            assert self.on_giveover == "exit"
            assert not self.why_suspended(name)
            self.gone = self.leaving = True
            for each in order.stop_order(self.graph, self.views):
                self.queue.append((each, StopAsked(wanted.because)))

    def follows(self, user: str, need: str) -> bool:
        """It cannot do without the one on this node."""
        links = [each.need for each in self.graph.needs[user] if each.kind == order.OFFLINE_RESTART]
        return need in links or any(self.graph.far.get(n) == (need, "") and n not in self.up_elsewhere() for n in links)

    def up_elsewhere(self) -> list[str]:
        """What other nodes have up."""
        return [name for name, view in self.elsewhere.items() if view.life is Life.ONLINE]

    def why_suspended(self, name: str) -> str:
        """Why nothing of it may be recovered."""
        return "suspended" if self.resources[name].group in self.suspended else ""

    def weigh(self, name: str, points: int) -> None:
        """As daemon/monitor.py does."""
        resource = self.resources[name]
        got = Score(points, "seen")
        self.history[name], said = verdict.judge(self.history[name], got, resource, self.now, self.why_suspended(name))
        if isinstance(said, verdict.Restart):
            assert not self.why_suspended(name)
            told = self.restarts[name]
            told.append(self.now)
            spent = [at for at in told if at > self.now - SPAN]
            assert len(spent) <= resource.retry_count, f"{name}: {len(spent)} restarts of {resource.retry_count}"
        asked = seam.request(said)
        if asked is not None:
            self.do(name, asked)

    def do(self, name: str, event: Event) -> None:
        """One thing happens."""
        self.tell(name, event)

    # -- what happens -------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), kind=st.sampled_from((StartAsked, StartAsked, StopAsked, RestartAsked)))
    def a_person_asks(self, name: str, kind: type[StartAsked | StopAsked | RestartAsked]) -> None:
        """For one resource."""
        if name in self.views and not self.gone:
            self.do(name, kind("asked"))

    @rule(group=st.sampled_from(("left", "right")), what=st.sampled_from(("online", "offline", "restart")))
    def a_person_asks_a_group(self, group: str, what: str) -> None:
        """As daemon/groups.py does."""
        own = [r.name for r in self.plan.resources if r.group == group]
        if self.gone:
            return
        ordered = order.start_order if what == "online" else order.stop_order
        for name in ordered(self.graph, own):
            because = f"{what} asked"
            asked: dict[str, Event] = {
                "online": StartAsked(because),
                "offline": StopAsked(because),
                "restart": RestartAsked(because, whole=True),
            }
            self.do(name, asked[what])

    @precondition(lambda self: bool(getattr(self, "running", None)))
    @rule(data=st.data(), well=st.sampled_from((True, True, True, False)))
    def a_method_ends(self, data: st.DataObject, well: bool) -> None:
        """One of those that run."""
        name = data.draw(st.sampled_from(sorted(self.running)))
        method = self.running.pop(name)
        if method == "start":
            if not well and data.draw(st.booleans()):
                self.alive.discard(name)
            self.do(name, StartSucceeded() if well else StartFailed("Start failed"))
        elif method == "stop":
            if well:
                self.alive.discard(name)
            self.do(name, StopSucceeded() if well else StopFailed("Stop failed"))
        elif method == "prenet":
            self.do(name, PrenetSucceeded() if well else PrenetFailed("Prenet_start failed"))
        else:
            self.do(name, PostnetSucceeded() if well else PostnetFailed("Postnet_stop failed"))

    @rule(name=st.sampled_from(NAMES))
    def it_dies(self, name: str) -> None:
        """While it starts, or is up."""
        if name in self.alive and self.views[name].life in (Life.ONLINE, Life.STARTING):
            self.alive.discard(name)
            self.weigh(name, 100)

    @rule(name=st.sampled_from(NAMES), points=st.sampled_from((0, 50, 100, 201)))
    def a_probe_answers(self, name: str, points: int) -> None:
        """Of one that is up."""
        if name in self.alive and self.views[name].life is Life.ONLINE:
            self.weigh(name, points)

    @rule(group=st.sampled_from(("left", "right")))
    def a_group_is_suspended_or_resumed(self, group: str) -> None:
        """Suspend_automatic_recovery."""
        self.suspended ^= {group}

    @rule(data=st.data())
    def a_reload_says_anew_who_needs_whom(self, data: st.DataObject) -> None:
        """As daemon/reloading.py does: those that wait look again, nothing else happens."""
        if self.gone:
            return
        names = tuple(self.resources)
        name = data.draw(st.sampled_from(names))
        self.resources[name] = self.resources[name].replace(**data.draw(needs(names[: names.index(name)])))
        self.plan = self.plan.replace(resources=tuple(self.resources.values()))
        before, self.graph = self.graph, order.graph_of(self.plan, self.here)
        self.new_links |= set(self.graph.needs.get(name, ())) - set(before.needs.get(name, ()))
        for each, view in list(self.views.items()):
            if view.life is Life.AWAITING:
                self.do(each, NeedsMet())
            elif view.life is Life.HELD:
                self.do(each, UsersGone())

    @rule(data=st.data(), said=st.sampled_from(ELSEWHERE), anew=st.booleans())
    def another_node_tells(self, data: st.DataObject, said: ResourceView | None, anew: bool) -> None:
        """As daemon/afar.py hears it."""
        if not self.graph.far:
            return
        name = data.draw(st.sampled_from(sorted(self.graph.far)))
        self._is_told(name, None if self.gone else said, anew)

    def _is_told(self, name: str, said: ResourceView | None, anew: bool = False) -> None:
        view = said.replace(name=name) if said is not None else ResourceView(name, because="no master")
        before = self.elsewhere.get(name, ResourceView(name))
        self.elsewhere[name] = view
        if said is None and not self.graph.far[name][1]:
            del self.elsewhere[name]
        if view.life is before.life and not (anew and view.life is Life.ONLINE):
            return
        for user in order.concerned(self.graph, name):
            event = order.news(self.graph, user, name, before.life, self.look, self.leaving, view.life is before.life)
            if event is not None:
                self.do(user, event)

    @rule(name=st.sampled_from(NAMES))
    def a_delay_is_over(self, name: str) -> None:
        """If one was armed."""
        if name in self.views and self.views[name].life is Life.WAITING:
            self.do(name, DelayOver())

    @rule(name=st.sampled_from(NAMES))
    def a_person_clears(self, name: str) -> None:
        """Having ended what was left."""
        if name in self.views and self.views[name].life is Life.STOP_FAILED:
            self.alive.discard(name)
            self.do(name, ClearAsked())

    @rule()
    def everything_works_from_now_on(self) -> None:
        """Then everything comes to rest, on the other nodes first, and nobody waits for what is there."""
        for name in sorted(self.elsewhere):
            after = {Life.STARTING: Life.ONLINE, Life.STOPPING: Life.OFFLINE}.get(self.elsewhere[name].life)
            if after is not None and name in self.graph.far:
                self._is_told(name, ResourceView(name, after, "told"))
        for _ in range(200):
            waiting = [n for n, v in self.views.items() if v.life is Life.WAITING]
            if self.running:
                name = min(self.running)
                method = self.running.pop(name)
                self.alive -= {name} if method == "stop" else set()
                ends: dict[str, Event] = {
                    "start": StartSucceeded(),
                    "stop": StopSucceeded(),
                    "prenet": PrenetSucceeded(),
                    "postnet": PostnetSucceeded(),
                }
                self.do(name, ends[method])
            elif waiting:
                self.do(waiting[0], DelayOver())
            else:
                break
        assert not self.running
        for name, view in self.views.items():
            assert order.is_at_rest(self.graph, name, self.look), f"{name} is {view.life} for ever: {view.why}"
            if view.life is Life.AWAITING:
                assert not order.is_coming(self.graph, name, self.look)
                assert order.unmet(self.graph, name, self.look) or self.resources[name].prenet_start_command

    @rule(at_once=st.booleans())
    def everything_is_stopped(self, at_once: bool) -> None:
        """The runner ends, and every Stop works: nothing is left. `at_once`: a person does not want to wait, so what
        hangs is killed (rgmd.hurry)."""
        self.leaving = True
        for name in order.stop_order(self.graph, self.views):
            self.do(name, StopAsked("the runner ends"))
        self.hurried = at_once
        for name in self.views if at_once else ():
            if self.views[name].life is Life.HELD:
                self.do(name, UsersGone())
            if self.running.get(name) == "postnet":
                del self.running[name]
                self.do(name, PostnetSucceeded())
            assert self.views[name].life in (Life.STOPPING, Life.OFFLINE, Life.CLEARING), f"{name} is not hurried"
        self.everything_works_from_now_on()
        assert not self.alive
        assert {view.life for view in self.views.values()} <= {Life.OFFLINE}
        self.leaving = self.gone
        self.hurried = False

    # -- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def who_has_a_method_has_the_life_of_it(self) -> None:
        """A method runs in, and only in, the lives that wait for its end: no pending life without a deadline."""
        for name, view in getattr(self, "views", {}).items():
            assert self.running.get(name) == METHODS.get(view.life), f"{name}: {view.life}, {self.running.get(name)}"

    @invariant()
    def nobody_waits_without_a_reason(self) -> None:
        """AWAITING and HELD say what they wait for, and it is true."""
        for name, view in getattr(self, "views", {}).items():
            if view.life in (Life.AWAITING, Life.HELD):
                assert view.waits, f"{name} is {view.life} and does not say why"
                around = order.around(self.graph, name, self.look, self.leaving)
                assert around.unmet or around.unprepared or around.in_use or around.undrained, f"{name}: {view.why}"

    @invariant()
    def offline_restart_holds(self) -> None:
        """When nothing moves, who has an offline-restart dependency runs only while what it needs is up."""
        if getattr(self, "running", None) or not hasattr(self, "views"):
            return
        for links in self.graph.needs.values():
            for link in links:
                held = link.kind == order.OFFLINE_RESTART and link not in self.new_links
                if held and self.views[link.user].life is Life.ONLINE:
                    assert self.is_up(link.need) or self.is_moving(link.need), f"{link.user} runs without {link.need}"

    def is_moving(self, need: str) -> bool:
        """Something goes on with it here."""
        view = self.views.get(self.graph.far.get(need, (need, ""))[0])
        return view is not None and view.life not in (Life.OFFLINE, Life.START_FAILED)

    @invariant()
    def replay_gives_the_same_views(self) -> None:
        """The judge has no memory of its own."""
        if len(getattr(self, "log", [])) > 60:
            return
        views = {name: ResourceView(name) for name in getattr(self, "resources", {})}
        for name, event, now, around in getattr(self, "log", []):
            views[name] = step(
                views[name], event, self.resources[name].failover_mode, self.on_giveover, now, around
            ).view
        assert views == getattr(self, "views", {})

    @invariant()
    def the_state_of_a_group_can_be_told(self) -> None:
        """And an online group has everything up that is asked to be."""
        for group in getattr(self, "plan", Plan()).groups:
            members = [self._member(name) for name in group.resources]
            state = state_of(members)
            if state is GroupState.ONLINE:
                assert not [m for m in members if m.waits]

    def _member(self, name: str) -> Member:
        view = self.views[name]
        waits = view.life is Life.AWAITING
        coming = waits and order.is_coming(self.graph, name, self.look)
        return Member(name, public(view, True, False), view.status, True, waits, coming, view.why)


SomeGroups.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSomeGroups = SomeGroups.TestCase
