"""What `gds status` and `gds nodes` show of the cluster: what this node knows, believes, and until when it may."""

from __future__ import annotations

from gds.daemon import contact, published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gds.daemon.tenant import Tenant
    from gds.model.cluster import Cluster


def of_cluster(tenant: Tenant, declared: Iterable[str], now: float) -> dict[str, Any]:
    """The part of `gds status --json` about the cluster. `now`: CLOCK_BOOTTIME."""
    member = tenant.member
    tenure = member.tenure
    known = contact.as_of(tenant, now)
    return {
        "node": member.me,
        "cut_off": contact.lost(tenant, now),
        "old_seconds": round(now - known, 3),
        "engine": tenant.engine.traits.name,
        "away": tenant.away,
        "refused": member.refused(),
        "member": bool(member.birth),
        "heard": member.revision >= 0,
        "lost": member.lost() if member.birth and not member.may_run(now) else "",
        "waiting": member.waiting,
        "may_run_seconds": round(max(0.0, tenure.until - now), 3) if member.birth else 0.0,
        "lifetime_seconds": tenure.lifetime,
        "settled": bool(member.board.settled),
        "guard": tenant.guard.describe(),
        "store": tenant.engine.describe(),
        "strange": dict(member.board.strange),
        "nodes": _nodes(tenant, known),
        "groups": {name: _group(tenant, name, known) for name in declared},
    }


def _nodes(tenant: Tenant, now: float) -> list[dict[str, Any]]:
    picture = tenant.masteries.picture(now)
    silent = _silent(tenant, picture, now)
    versions = {node.name: node.version for node in tenant.member.board.nodes.values()}
    return [
        {
            "node": peer.name,
            "alive": peer.alive,
            "drained": peer.drained,
            "evacuated": peer.evacuated,
            "because": silent.get(peer.name, ""),
            "version": versions.get(peer.name, ""),
            "masters": [m.group for m in picture.masteries if m.node == peer.name],
        }
        for peer in picture.nodes
    ]


def _silent(tenant: Tenant, picture: Cluster, now: float) -> dict[str, str]:
    """Why a node is taken for dead, and what keeps the others from taking what it has."""
    held_up = tenant.member.fencing.held_up(now)
    dead = {peer.name: peer.because for peer in picture.nodes if peer.because}
    return {name: "; ".join([why, *([held_up[name]] if name in held_up else [])]) for name, why in dead.items()}


def _group(tenant: Tenant, name: str, now: float) -> dict[str, Any]:
    board, masteries = tenant.member.board, tenant.masteries
    picture = masteries.picture(now)
    silent = _silent(tenant, picture, now)
    masters = [m.node for m in picture.masteries if m.group == name]
    decision = masteries.decisions.get(name)
    told = {node: board.report_of(node, name) for node in sorted(board.reports)}
    here = masteries.locals.get(name)
    if here is not None:
        # of ourselves we know more than the store may have heard
        told[tenant.member.me] = {
            **told.get(tenant.member.me, {}),
            "state": here.state,
            "because": here.because,
            "resources": {each: [state, status] for each, state, status in here.resources},
            "incarnations": dict(here.incarnations),
            "facts": here.facts,
        }
    return {
        "masters": [
            {"node": m.node, "token": m.token, "because": silent.get(m.node, "")}
            for m in picture.masteries
            if m.group == name
        ],
        "nodes": dict(sorted(told.items())),
        "wanted": bool(picture.goals[name].online),
        "because": decision.because if decision is not None else "",
        "switched_off": published.in_words(published.unlike(board, name)),
        "nowhere": dict(decision.nowhere) if decision is not None else {},
        "barred": {bar.node: bar.because for bar in picture.bars if bar.group == name and bar.node not in masters},
    }
