"""What would become of every group if nodes went down, came back or were evacuated? `gds plan what-if`.

The judge is placement; everything it decides is taken to succeed at once, until it decides nothing more. Pure.
"""

from __future__ import annotations

from gds.model.cluster import Mastery
from gds.model.value import Value
from gds.rgm.eligible import NO_GOAL
from gds.rgm.placement import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from gds.model.cluster import Cluster, Peer
    from gds.rgm.placement import Decision

STUCK = "ERROR_STOP_FAILED"
COMING = ("", "PENDING_ONLINE", "PENDING_OFFLINE")
"""States that pass by themselves."""
MOST = 1000
"""Rounds. A chain of groups that wait for each other takes a few for each."""


class Row(Value):
    """One group: where it is `now`, where it would be `then`, and why. `stays_down`: it should run, and would not."""

    group: str
    now: tuple[str, ...]
    then: tuple[str, ...]
    because: str
    stays_down: bool = False


def what_if(
    cluster: Cluster, down: Collection[str] = (), evacuated: Collection[str] = (), up: Collection[str] = ()
) -> tuple[Row, ...]:
    """A row for each group, by name."""
    left: dict[str, list[str]] = {}
    for mastery in cluster.masteries:
        if mastery.live and mastery.node in down:
            left.setdefault(mastery.group, []).append(f"{mastery.node} would be down")
    # who comes back joins anew, after every switch there was
    anew = 1 + max([goal.since for goal in cluster.goals.values()], default=0)
    changed = cluster.replace(
        nodes=tuple([_changed(peer, down, evacuated, up, anew) for peer in cluster.nodes]),
        masteries=tuple([m for m in cluster.masteries if m.live and m.node not in down]),
    )
    taken: dict[str, str] = {}
    for _ in range(MOST):
        made = plan(changed)
        for name, decision in made.items():
            reasons = [f"{n} would be evacuated" if n in evacuated else why for n, why in decision.leave]
            left.setdefault(name, []).extend(reasons)
            if decision.take:
                taken[name] = decision.because
        after = carried_out(changed, made)
        if after == changed:
            break
        changed = after
    return tuple([_row(name, cluster, changed, made[name], left[name], taken.get(name, "")) for name in sorted(made)])


def carried_out(cluster: Cluster, made: dict[str, Decision]) -> Cluster:
    """The picture when all of this was done, and every start succeeded."""
    masteries: list[Mastery] = []
    for mastery in cluster.masteries:
        goes = mastery.group in made and mastery.node in [node for node, _ in made[mastery.group].leave]
        if not goes or mastery.state == STUCK:
            masteries.append(mastery.replace(state="ONLINE") if mastery.state in COMING else mastery)
    for name, decision in made.items():
        used = {m.slot for m in masteries if m.group == name}
        slots = [slot for slot in range(len(used) + len(decision.take)) if slot not in used]
        masteries += [
            Mastery(name, node, 0, state="ONLINE", slot=slot) for node, slot in zip(decision.take, slots, strict=False)
        ]
    return cluster.replace(masteries=tuple(masteries))


def _changed(peer: Peer, down: Collection[str], evacuated: Collection[str], up: Collection[str], anew: int) -> Peer:
    if peer.name in down:
        return peer.replace(alive=False, because="")
    if peer.name in up:
        peer = peer.replace(alive=True, because="", born=peer.born if peer.alive else anew)
    if peer.name in evacuated:
        return peer.replace(because=peer.because or "it would be evacuated", evacuated=True)
    return peer


def _row(name: str, before: Cluster, after: Cluster, decision: Decision, left: list[str], taken: str) -> Row:
    now, then = (tuple([m.node for m in each.masteries if m.group == name and m.live]) for each in (before, after))
    goal = before.goals.get(name, NO_GOAL)
    said = list(dict.fromkeys(left)) if set(now) - set(then) else []
    said += [taken.removeprefix(f"runs on {', '.join(now)}; ")] if taken else []
    if not said or not then:
        said.append(decision.because)
    return Row(name, now, then, "; ".join(said), goal.online and goal.managed and not then)
