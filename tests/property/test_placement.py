"""Placement in clusters of up to seven nodes and ten groups with wishes of every kind.

What it decides is carried out by hands that may be slow: any part of a plan, in any order, before it is asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from gds.model.cluster import Bar, Cluster, Goal, Mastery, Peer
from gds.model.resource import Group
from gds.rgm.affinity import web_of
from gds.rgm.eligible import NO_GOAL
from gds.rgm.placement import candidates, decide, give_over, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.rgm.placement import Decision

    Draw = Callable[[st.SearchStrategy[object]], object]

PASSING = ("ONLINE", "ONLINE", "ONLINE_FAULTED", "PENDING_ONLINE", "PENDING_OFFLINE", "")
STUCK = "ERROR_STOP_FAILED"
SIGNS = ("++", "+++", "+", "-", "--")
ROUNDS = 60
"""Ten groups that wait for each other in a chain, each for a move of three steps, are done in half of that."""


@st.composite
def groups_of(draw: st.DrawFn, nodes: tuple[str, ...], signs: tuple[str, ...] = SIGNS) -> tuple[Group, ...]:
    """Up to ten groups; strong affinities and rg_dependencies name earlier ones alone, weak ones anybody."""
    names = [f"g{n}" for n in range(draw(st.integers(1, 10)))]
    made = []
    for place, name in enumerate(names):
        wishes: dict[str, str] = {}
        for _ in range(draw(st.integers(0, 3))):
            sign = draw(st.sampled_from(signs))
            others = names[:place] if len(sign) > 1 else [n for n in names if n != name]
            if others:
                wishes.setdefault(draw(st.sampled_from(others)), sign)
        maximum = draw(st.sampled_from((1, 1, 1, 2, 3)))
        made.append(
            Group(
                name,
                nodelist=tuple(draw(st.lists(st.sampled_from(nodes), unique=True))),
                maximum_primaries=maximum,
                desired_primaries=draw(st.integers(0, maximum)),
                failback=draw(st.booleans()),
                rg_dependencies=tuple(draw(st.lists(st.sampled_from(names[:place]), unique=True, max_size=2)))
                if place
                else (),
                rg_affinities=tuple([sign + other for other, sign in wishes.items()]),
            )
        )
    return tuple(draw(st.permutations(made)))


@st.composite
def clusters(draw: st.DrawFn, signs: tuple[str, ...] = SIGNS, stuck: bool = False) -> Cluster:
    """A picture in the middle of anything. `stuck`: some could not be stopped."""
    names = tuple([f"n{n}" for n in range(1, draw(st.integers(1, 7)) + 1)])
    alive, evacuated = st.sampled_from((True, True, True, False)), st.sampled_from((False, False, False, True))
    drained = st.sampled_from(("", "", "", "for a change of disks"))
    born = st.integers(1, 4)
    nodes = tuple([Peer(n, draw(alive), draw(drained), draw(evacuated), "", draw(born)) for n in names])
    groups = draw(groups_of(names, signs))
    masteries: list[Mastery] = []
    for group in groups:
        on = draw(st.lists(st.sampled_from(names), unique=True, max_size=group.maximum_primaries))
        states = st.sampled_from((*PASSING, STUCK) if stuck else PASSING)
        up = {peer.name for peer in nodes if peer.alive}
        lost = st.sampled_from((False, False, True))  # its time is not over yet
        for slot, node in enumerate(on):
            live = node in up or draw(lost)
            masteries.append(Mastery(group.name, node, 1, live, draw(states), slot))
    bars = [
        Bar(draw(st.sampled_from(groups)).name, draw(st.sampled_from(names)), "marked", is_mild=draw(st.booleans()))
        for _ in range(draw(st.integers(0, 5)))
    ]
    goals = {group.name: draw(goals_of(names)) for group in groups if draw(st.booleans())}
    return Cluster(nodes, groups, tuple(masteries), goals, tuple(bars))


def goals_of(names: tuple[str, ...]) -> st.SearchStrategy[Goal]:
    """What people may want of a group."""
    often = st.sampled_from((True, True, True, False))
    return st.builds(
        Goal,
        online=often,
        suspended=often.map(lambda so: not so),
        managed=often,
        targets=st.lists(st.sampled_from(names), unique=True, max_size=2).map(tuple),
        since=st.sampled_from((0, 0, 2)),
        count=st.sampled_from((0, 0, 1, 2)),
    )


def held(cluster: Cluster, name: str) -> list[str]:
    """Where it has a live mastery."""
    return [m.node for m in cluster.masteries if m.group == name and m.live]


def alive(cluster: Cluster, node: str) -> bool:
    """It can do what is decided."""
    return any(peer.alive for peer in cluster.nodes if peer.name == node)


def check(cluster: Cluster, made: dict[str, Decision]) -> None:
    """What no plan may do."""
    known = {peer.name: peer for peer in cluster.nodes}
    barred = {(bar.group, bar.node) for bar in cluster.bars if not bar.is_mild}
    groups = {group.name: group for group in cluster.groups}
    for name, decision in made.items():
        group, goal = groups[name], cluster.goals.get(name, NO_GOAL)
        there = held(cluster, name)
        assert decision.because
        assert all(because for _, because in (*decision.leave, *decision.nowhere))
        assert len(there) + len(decision.take) <= max(group.maximum_primaries, len(there))
        assert {node for node, _ in decision.leave} <= set(there)
        assert not {node for node, _ in decision.leave} & set(decision.will)
        assert len(set(decision.will)) == len(decision.will)
        if decision.take:
            assert goal.online
            assert goal.managed
        for node in (*decision.take, *decision.next):
            peer = known[node]
            assert peer.alive, f"{name} on a dead node"
            assert not peer.drained
            assert not peer.evacuated
            assert (name, node) not in barred
            assert not group.nodelist or node in group.nodelist
            assert not goal.suspended or node in goal.targets
            assert node not in there
            back = decision.failback and not goal.targets
            assert (
                not back or not goal.since or any(known[n].born > goal.since for n in (*decision.take, *decision.next))
            )
        for node in decision.take:
            for text in group.rg_affinities:
                other = text.lstrip("+-")
                if text.startswith("++"):
                    assert node in held(cluster, other), f"{name} {text} on {node}"
                elif text.startswith("--"):
                    assert node not in held(cluster, other), f"{name} {text} on {node}"
                    assert node not in made[other].take, f"{name} {text} both on {node}"
            for source in cluster.groups:
                if f"--{name}" in source.rg_affinities:
                    assert node not in held(cluster, source.name), f"{source.name} keeps away from {name}"
            for other in group.rg_dependencies:
                assert held(cluster, other), f"{name} before {other}"


def apply(
    cluster: Cluster, made: dict[str, Decision], only: Callable[[str, str], bool] = lambda _g, _n: True
) -> Cluster:
    """The picture after what was decided has been done; `only`: which part of it."""
    masteries = []
    for m in cluster.masteries:
        leaves = m.node in dict(made[m.group].leave) and m.state != STUCK
        if m.live and not (leaves and only(m.group, m.node)):
            masteries.append(m.replace(state="ONLINE") if m.state != STUCK and only(m.group, m.node) else m)
    for name, decision in made.items():
        masteries += [Mastery(name, node, 2, state="ONLINE") for node in decision.take if only(name, node)]
    over = {name: cluster.goals[name].replace(targets=()) for name, decision in made.items() if decision.over}
    return cluster.replace(masteries=tuple(masteries), goals={**cluster.goals, **over})


def settled(cluster: Cluster) -> tuple[Cluster, dict[str, Decision]]:
    """Where it comes to rest when everything decided is done."""
    for _ in range(ROUNDS):
        made = plan(cluster)
        check(cluster, made)
        after = apply(cluster, made)
        if after == cluster:
            return cluster, made
        cluster = after
    raise AssertionError(f"no rest after {ROUNDS} rounds: {plan(cluster)}")


@given(st.data(), clusters(stuck=True))
@settings(max_examples=100, deadline=None)
def test_it_comes_to_rest_whatever_part_of_it_is_done_first(data: st.DataObject, cluster: Cluster) -> None:
    for _ in range(data.draw(st.integers(0, 4))):
        made = plan(cluster)
        check(cluster, made)
        done = data.draw(st.integers(0, 2**20))
        cluster = apply(cluster, made, lambda g, n, bits=done: bool(bits >> (hash_of(g, n) % 20) & 1))  # type: ignore[misc]
    cluster, made = settled(cluster)
    stays = {(m.group, m.node) for m in cluster.masteries if m.state == STUCK}
    for name, decision in made.items():
        assert not decision.take, name
        assert {(name, node) for node, _ in decision.leave} <= stays, name
    for group in cluster.groups:
        goal = cluster.goals.get(group.name, NO_GOAL)
        if goal.managed and not goal.suspended:
            can_leave = {n for n in held(cluster, group.name) if (group.name, n) not in stays and alive(cluster, n)}
            for text in group.rg_affinities:
                others = set(held(cluster, text.lstrip("+-")))
                assert not text.startswith("++") or can_leave <= others, (group.name, text)
                assert not text.startswith("--") or not can_leave & others, (group.name, text)


def hash_of(group: str, node: str) -> int:
    """The same on each run."""
    return int(group[1:]) * 7 + int(node[1:])


@given(clusters())
@settings(max_examples=60, deadline=None)
def test_one_group_alone_is_decided_as_in_the_whole_plan(cluster: Cluster) -> None:
    made = plan(cluster)
    assert list(made) == list(web_of(cluster.groups).wishes)
    for name, decision in made.items():
        assert decide(cluster, name) == decision
        assert plan(cluster, [name, "of another file"])[name] == decision
        able = {c.node for c in candidates(cluster, name) if not c.because_not}
        assert set(decision.take) <= able


@given(clusters(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_what_is_in_the_picture_makes_no_difference(cluster: Cluster, random: object) -> None:
    shuffled = cluster.replace(
        nodes=tuple(reversed(cluster.nodes)),
        groups=tuple(reversed(cluster.groups)),
        goals=dict(reversed(cluster.goals.items())),
    )
    assert plan(shuffled) == plan(cluster)


@given(clusters(("++", "+++", "+", "-")))
@settings(max_examples=60, deadline=None)
def test_what_can_be_online_is_online(cluster: Cluster) -> None:
    """Said anew in the plainest words; without groups that keep away from each other, which may have to yield."""
    goals = {n: g.replace(suspended=False, managed=True, targets=g.targets[:1]) for n, g in cluster.goals.items()}
    up = {peer.name for peer in cluster.nodes if peer.alive}
    over = tuple([m for m in cluster.masteries if m.node in up])
    rest, made = settled(cluster.replace(goals=goals, masteries=over))
    barred = {(bar.group, bar.node) for bar in rest.bars if not bar.is_mild}
    for group in rest.groups:
        there = held(rest, group.name)
        if not rest.goals.get(group.name, NO_GOAL).online:
            assert not there
            continue
        usable = [p.name for p in rest.nodes if p.alive and not p.drained and not p.evacuated]
        can = [n for n in usable if n in (group.nodelist or usable) and (group.name, n) not in barred]
        for text in group.rg_affinities:
            if text.startswith("++"):
                can = [n for n in can if n in held(rest, text.lstrip("+"))]
        if not all(held(rest, other) for other in group.rg_dependencies):
            can = []
        asked = rest.goals.get(group.name, NO_GOAL).count or group.desired_primaries
        wanted = min(max(1, asked), group.maximum_primaries)
        assert len(there) >= min(wanted, len(can)), (group.name, made[group.name])
        assert len(there) <= group.maximum_primaries


@given(clusters())
@settings(max_examples=60, deadline=None)
def test_whoever_could_take_a_group_given_over_may_take_it(cluster: Cluster) -> None:
    rest, _ = settled(cluster)
    alone = {group.name for group in rest.groups if group.maximum_primaries == 1}
    for mastery in [m for m in rest.masteries if m.group in alone]:
        found = give_over(rest, mastery.group, mastery.node)
        assert not set(found.candidates) & {node for node, _why in found.refused}
        assert all(why for _node, why in found.refused)
        if found.candidates and found.group == mastery.group:
            marked = rest.replace(
                masteries=tuple([m for m in rest.masteries if m != mastery]),
                bars=(*rest.bars, Bar(mastery.group, mastery.node, "it gave it over", True, True)),
            )
            made = decide(marked, mastery.group)
            assert set(made.will) & set(found.candidates), made
            assert mastery.node not in made.will
