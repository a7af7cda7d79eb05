"""Decisions about the addresses of a LogicalHostname: which interface each goes to, and how one that is up does.

Facts go in (links, held addresses, what names resolved to), places or sentences come out; nothing is looked up here.

Rules
    An address goes to the interface that has a subnet with it, that is, an address of somebody else's than gds in that
    subnet. Of several: one that a packet can leave by, then the narrowest subnet, then the order of netiflist.
    `prefix` given and no such interface: the first usable of netiflist, with a route of its own.
    A name with addresses of both families needs room for one of them; the other is left out with a remark (as
    SUNW.LogicalHostname does with an adapter group of one family).
    Loopback, link-local, multicast and unspecified addresses cannot move: every node has them, or none.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface

from gds.model.hostname import Held, Link, LogicalHostname, Place, belongs
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Placing(Value):
    """Where everything goes. With `problems` nothing may be done; `remarks` are for people."""

    places: tuple[Place, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Look(Value):
    """How the addresses do: `score` on Sun's scale (0 healthy, 100 complete failure), one sentence. `link`: what is
    wrong is the link, which may come back by itself."""

    score: int
    because: str
    link: bool = False


def place(
    declared: LogicalHostname,
    node: str,
    resolved: Sequence[tuple[str, Sequence[str]]],
    links: Sequence[Link],
    held: Sequence[Held],
) -> Placing:
    """A place for every address of every name. `resolved`: each name with its addresses, in the order asked."""
    wanted = declared.interfaces(node)
    problems = [_no_interface(name, links) for name in wanted if name not in {each.name for each in links}]
    if declared.netiflist and not wanted:
        problems.append(
            f"cannot use netiflist of {declared.resource} on node {node}: it names interfaces of other nodes only"
        )
    if problems:
        return Placing(problems=tuple(problems))
    candidates = [each for name in wanted for each in links if each.name == name]
    if not wanted:
        candidates = [each for each in links if not each.loopback]
    places: list[Place] = []
    remarks: list[str] = []
    for host, addresses in resolved:
        found = [_one(declared, host, address, candidates, held, bool(wanted)) for address in addresses]
        good = [each for each in found if isinstance(each, Place)]
        families = {":" in each.address for each in good}
        for address, answer in zip(addresses, found, strict=True):
            if isinstance(answer, Place):
                places.append(answer)
            elif good and (":" in address) not in families:
                remarks.append(f"left out: {answer}")
            else:
                problems.append(answer)
    return Placing(_once(places), tuple(problems), tuple(remarks))


def _once(places: list[Place]) -> tuple[Place, ...]:
    """Two names for one address: it is taken once."""
    return tuple({each.address: each for each in reversed(places)}.values())[::-1]


def _one(
    declared: LogicalHostname, host: str, address: str, candidates: Sequence[Link], held: Sequence[Held], named: bool
) -> Place | str:
    ip = ip_address(address)
    shown = address if host == address else f"{address} ({host})"
    unfit = _unfit(ip)
    if unfit:
        return f"cannot move {shown}: {unfit}"
    fits = [
        (not link.usable, -subnet, order, link.name, subnet)
        for order, link in enumerate(candidates)
        for subnet in _subnets(link, ip, held)
    ]
    given = declared.prefix_for(ip.version)
    if fits:
        *_, name, subnet = min(fits)
        return Place(host, address, given or subnet, name)
    if given and named:
        name = next((each.name for each in candidates if each.usable), candidates[0].name)
        return Place(host, address, given, name, covered=False)
    way = "give prefix" if named else "give netiflist and prefix"
    return (
        f"cannot place {shown}: no interface {'of netiflist ' if named else ''}has an IPv{ip.version} subnet with it"
        f" ({_shown_subnets(candidates, held, ip.version)}); correct the address, or {way}"
    )


def _unfit(ip: IPv4Address | IPv6Address) -> str:
    if ip.is_loopback:
        return "a loopback address is this node's own on every node"
    if ip.is_link_local:
        return "a link-local address means another host on each link"
    if ip.is_multicast:
        return "a multicast address belongs to a group of hosts"
    if ip.is_unspecified:
        return "it is no host's address"
    return ""


def _subnets(link: Link, ip: IPv4Address | IPv6Address, held: Sequence[Held]) -> list[int]:
    """Lengths of the subnets with `ip` that the interface has of its own."""
    found = []
    for each in held:
        if each.index == link.index and not each.by_gds:
            own = ip_interface(f"{each.address}/{each.prefix}")
            if own.version == ip.version and each.prefix < own.network.max_prefixlen and ip in own.network:
                found.append(each.prefix)
    return found


def _shown_subnets(candidates: Sequence[Link], held: Sequence[Held], version: int) -> str:
    shown = []
    for link in candidates:
        subnets = [
            str(ip_interface(f"{each.address}/{each.prefix}").network)
            for each in held
            if each.index == link.index and (":" in each.address) == (version == 6) and not each.by_gds
        ]
        shown.append(f"{link.name} has {', '.join(subnets) or 'none'}")
    return "; ".join(shown) or "there is none but loopback"


def _no_interface(name: str, links: Sequence[Link]) -> str:
    there = ", ".join(each.name for each in links if not each.loopback) or "only loopback"
    return f"cannot use interface {name}: there is no such interface on this node; there are {there}"


def unusable(places: Sequence[Place], links: Sequence[Link]) -> tuple[str, ...]:
    """Why no packet can leave by the interfaces of these places; one sentence each."""
    found = []
    for name in dict.fromkeys(each.interface for each in places):
        link = next((each for each in links if each.name == name), None)
        if link is None:
            found.append(_no_interface(name, links))
        elif not link.up:
            found.append(f"cannot use interface {name}: it is down; `ip link set {name} up` brings it up")
        elif not link.carrier:
            found.append(f"cannot use interface {name}: it has no carrier; look at the cable and the switch port")
    return tuple(found)


def strangers(places: Sequence[Place], links: Sequence[Link], held: Sequence[Held], resource: str) -> tuple[str, ...]:
    """Addresses of these places that this node has already, but not by this resource; one sentence each."""
    names = {each.index: each.name for each in links}
    found = []
    for each in places:
        for other in held:
            if other.address == each.address and not belongs(other, resource):
                who = "another resource of gds has" if other.by_gds else "not gds, somebody put"
                found.append(
                    f"cannot take {each.shown}: {who} it on {names.get(other.index, 'an interface')} of this node;"
                    f" remove it there first"
                )
    return tuple(found)


def standing(places: Sequence[Place], links: Sequence[Link], held: Sequence[Held], resource: str) -> tuple[Place, ...]:
    """Those of the places that are taken already, by this resource and where they should be."""
    where = {
        (each.name, other.address)
        for each in links
        for other in held
        if other.index == each.index and belongs(other, resource) and not other.failed
    }
    return tuple([each for each in places if (each.interface, each.address) in where])


def marked(links: Sequence[Link], held: Sequence[Held], resource: str) -> tuple[Place, ...]:
    """What carries the marks of a resource, as if it had been placed there."""
    names = {each.index: each.name for each in links}
    return tuple(
        [
            Place(each.address, each.address, each.prefix, names.get(each.index, "?"))
            for each in held
            if belongs(each, resource)
        ]
    )


def look(places: Sequence[Place], links: Sequence[Link], held: Sequence[Held], resource: str) -> Look:
    """One look at a resource that should be up. Without `places` (a lost claim) what carries its marks is judged."""
    places = places or marked(links, held, resource)
    if not places:
        return Look(100, f"no address of {resource} is on this node")
    there = standing(places, links, held, resource)
    missing = [each for each in places if each not in there]
    down = unusable(places, links)
    if down:
        return Look(100, down[0].removeprefix("cannot use "), link=True)
    if missing:
        shown = ", ".join(f"{each.shown} on {each.interface}" for each in missing)
        return Look(100, f"the address is gone: {shown}")
    return Look(0, ", ".join(f"{each.shown} on {each.interface}" for each in places) + ", link up")
