"""Why a group is placed as it is, in words. The rules are those of placement.py."""

from __future__ import annotations

from gds.rgm.eligible import NO_GOAL, listed, reasons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.cluster import Goal
    from gds.rgm.affinity import Wish
    from gds.rgm.eligible import Pass


def why_less(goal: Goal, chosen: list[str], new: list[str], wanted: int) -> str:
    """Why a master has to leave that was not chosen again."""
    named = [node for node in chosen if node in goal.targets]
    if named:
        return f"switched to {listed(named)}"
    return f"{new[0]} is preferred (failback)" if new else f"it is to run on {wanted} node{'s' if wanted > 1 else ''}"


def because_of(
    known: Pass,
    wish: Wish,
    stays: list[str],
    free: list[str],
    later: list[str],
    nowhere: tuple[tuple[str, str], ...],
    wanted: int,
) -> str:
    """Of the whole group: where it runs, who takes it and why, and why not enough do."""
    said = [f"runs on {listed(stays)}"] if stays else []
    if free:
        said.append(f"{listed(free)} should take it: {why_best(known, wish, free[0])}")
    for node in later:
        gone = listed([m.node for m in known.view.held.get(wish.group.name, ()) if m.node not in stays])
        said.append(f"{node} takes it when {known.waits_for(wish, node) or f'{gone} gave it up'}")
    if len(stays) + len(free) + len(later) < wanted:
        why = reasons(nowhere) or "there is no node"
        said.append(f"{'no other node can take it' if said else 'stays down'}: {why}")
    return "; ".join(said)


def why_best(known: Pass, wish: Wish, node: str) -> str:
    """Why that node, and not another one."""
    goal = known.view.goals.get(wish.group.name, NO_GOAL)
    if node in goal.targets:
        return "a switch names it"
    if (wish.group.name, node) in known.view.mild:
        return "no other node can, and pingpong_interval keeps it away only from giveovers"
    weak = f"{', after its affinities,' if wish.near or wish.far else ''}"
    return f"the first{weak} {'of its nodelist' if wish.group.nodelist else 'by name'} that can"
