"""Whether this node can ask the cluster anything, and since when what it knows is old. Loaded with nodes.py."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.daemon.tenant import Tenant


def lost(tenant: Tenant, now: float) -> str:
    """Why nothing can be asked, and nothing that is known be relied on; "" = it can. `now`: CLOCK_BOOTTIME."""
    member = tenant.member
    if not tenant.away and (not member.birth or member.may_run(now)):
        return ""
    if refused := member.refused():
        return f"the store refuses what keeps this node in the cluster: {refused}"
    heard = heard_at(tenant)
    since = f"for {now - heard:.0f} s" if heard >= 0 else "yet"
    why = f"{tenant.engine.traits.name} is away: {tenant.away}" if tenant.away else "no renewal came through"
    return f"this node has had no contact with the cluster {since} ({why})"


def heard_at(tenant: Tenant) -> float:
    """When it last heard of the cluster; -1: never."""
    member = tenant.member
    own = [member.tenure.sent_at] if member.birth else []
    return max([*own, *[node.seen for node in member.board.nodes.values()]], default=-1.0)


def as_of(tenant: Tenant, now: float) -> float:
    """The instant of which what it knows was true: `now`, as long as it hears of the cluster."""
    heard = heard_at(tenant)
    return heard if heard >= 0 and lost(tenant, now) else now
