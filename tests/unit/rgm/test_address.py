"""Where the addresses of a LogicalHostname go, and how they do."""

from __future__ import annotations

import pytest

from gds.model.hostname import PROTOCOL, Held, Link, LogicalHostname, Place, label, metric
from gds.rgm.address import look, place, standing, strangers, unusable

LO = Link(1, "lo", loopback=True, arp=False)
ETH0 = Link(2, "eth0", "02:00:00:00:00:02")
ETH1 = Link(3, "eth1", "02:00:00:00:00:03")
DEAD = ETH1.replace(carrier=False)
LINKS = (LO, ETH0, ETH1)
LOCAL = Held(1, "127.0.0.1", 8)
OWN0 = Held(2, "10.0.0.1", 24, "eth0")
OWN1 = Held(3, "10.1.0.1", 16, "eth1")
SIX0 = Held(2, "fd00::1", 64)
HELD = (LOCAL, OWN0, OWN1, SIX0, Held(2, "fe80::1", 64))
WEB = LogicalHostname("web-ip", ("web.example",))


def ours(index: int, address: str, resource: str = "web-ip") -> Held:
    return Held(index, address, 24, "" if ":" in address else label(resource), metric(resource), PROTOCOL)


PLACED = {
    "the interface that has the subnet, and its length": (
        WEB, ("10.1.0.9",), LINKS, HELD, [("10.1.0.9", 16, "eth1", True)],
    ),
    "both families": (
        WEB, ("10.0.0.9", "fd00::9"), LINKS, HELD, [("10.0.0.9", 24, "eth0", True), ("fd00::9", 64, "eth0", True)],
    ),
    "prefix given goes before that of the subnet": (
        WEB.replace(prefix=(32,)), ("10.1.0.9",), LINKS, HELD, [("10.1.0.9", 32, "eth1", True)],
    ),
    "the narrower of two subnets": (
        WEB, ("10.0.0.9",), LINKS, (*HELD, Held(3, "10.0.0.2", 8)), [("10.0.0.9", 24, "eth0", True)],
    ),
    "of two equal ones the first": (
        WEB, ("10.0.0.9",), LINKS, (*HELD, Held(3, "10.0.0.2", 24)), [("10.0.0.9", 24, "eth0", True)],
    ),
    "netiflist says which is first": (
        WEB.replace(netiflist=("eth1", "eth0")), ("10.0.0.9",), LINKS, (*HELD, Held(3, "10.0.0.2", 24)),
        [("10.0.0.9", 24, "eth1", True)],
    ),
    "one with carrier goes before one without": (
        WEB.replace(netiflist=("eth1", "eth0")), ("10.0.0.9",), (LO, ETH0, DEAD), (*HELD, Held(3, "10.0.0.2", 24)),
        [("10.0.0.9", 24, "eth0", True)],
    ),
    "one without carrier is better than none, and refused later": (
        WEB, ("10.1.0.9",), (LO, ETH0, DEAD), HELD, [("10.1.0.9", 16, "eth1", True)],
    ),
    "no subnet, but netiflist and prefix": (
        WEB.replace(netiflist=("eth1", "eth0"), prefix=(24,)), ("192.0.2.9",), (LO, ETH0, DEAD), HELD,
        [("192.0.2.9", 24, "eth0", False)],
    ),
    "no subnet and none usable": (
        WEB.replace(netiflist=("eth1",), prefix=(24,)), ("192.0.2.9",), (LO, ETH0, DEAD), HELD,
        [("192.0.2.9", 24, "eth1", False)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACED)
def test_an_address_goes_to(case: str) -> None:
    declared, addresses, links, held, wanted = PLACED[case]
    found = place(declared, "n1", [("web.example", addresses)], links, held)
    assert not found.problems
    assert [(p.address, p.prefix, p.interface, p.covered) for p in found.places] == wanted


REFUSED = {
    "no subnet anywhere": (
        WEB, ("192.0.2.9",), LINKS,
        "cannot place 192.0.2.9 (web.example): no interface has an IPv4 subnet with it (eth0 has 10.0.0.0/24; eth1 has"
        " 10.1.0.0/16); correct the address, or give netiflist and prefix",
    ),
    "no subnet on the interface named": (
        WEB.replace(netiflist=("eth1",)), ("fd00::9",), LINKS,
        "cannot place fd00::9 (web.example): no interface of netiflist has an IPv6 subnet with it (eth1 has none);"
        " correct the address, or give prefix",
    ),
    "prefix of the other family": (
        WEB.replace(netiflist=("eth1",), prefix=(24,)), ("fd00::9",), LINKS, "cannot place fd00::9",
    ),
    "prefix without an interface": (WEB.replace(prefix=(24,)), ("192.0.2.9",), LINKS, "give netiflist and prefix"),
    "nothing but loopback": (WEB, ("192.0.2.9",), (LO,), "there is none but loopback"),
    "an interface that is not": (
        WEB.replace(netiflist=("eth9",)), ("10.0.0.9",), LINKS,
        "cannot use interface eth9: there is no such interface on this node; there are eth0, eth1",
    ),
    "an interface that is not, and no other": (
        WEB.replace(netiflist=("eth9",)), ("10.0.0.9",), (LO,), "there are only loopback",
    ),
    "interfaces of another node": (
        WEB.replace(netiflist=("eth0@n2",)), ("10.0.0.9",), LINKS,
        "cannot use netiflist of web-ip on node n1: it names interfaces of other nodes only",
    ),
    "loopback": (WEB, ("127.0.0.1",), LINKS, "cannot move 127.0.0.1 (web.example): a loopback address is"),
    "link-local": (WEB, ("fe80::9",), LINKS, "a link-local address means another host on each link"),
    "multicast": (WEB, ("224.0.0.1",), LINKS, "a multicast address"),
    "no address at all": (WEB, ("0.0.0.0",), LINKS, "it is no host's address"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_is(case: str) -> None:
    declared, addresses, links, words = REFUSED[case]
    found = place(declared, "n1", [("web.example", addresses)], links, HELD)
    assert not found.places
    assert words in found.problems[0]
    assert len(found.problems) == 1


def test_addresses_of_gds_make_no_subnet() -> None:
    held = (Held(3, "192.0.2.1", 24, label("db-ip"), metric("db-ip"), PROTOCOL), Held(3, "192.0.2.2", 32))
    assert place(WEB, "n1", [("web.example", ("192.0.2.9",))], LINKS, held).problems


def test_a_family_without_a_subnet_is_left_out_when_the_name_has_the_other() -> None:
    found = place(WEB, "n1", [("web.example", ("10.1.0.9", "2001:db8::9"))], LINKS, HELD)
    assert [each.address for each in found.places] == ["10.1.0.9"]
    assert found.remarks[0].startswith("left out: cannot place 2001:db8::9 (web.example)")
    assert not found.problems


def test_half_a_family_is_refused() -> None:
    found = place(WEB, "n1", [("web.example", ("10.1.0.9", "192.0.2.9"))], LINKS, HELD)
    assert len(found.problems) == 1


def test_two_names_of_one_address_take_it_once_in_the_name_of_the_first() -> None:
    found = place(WEB, "n1", [("a", ("10.0.0.9",)), ("b", ("10.0.0.9", "10.0.0.8"))], LINKS, HELD)
    assert [each.shown for each in found.places] == ["10.0.0.9 (a)", "10.0.0.8 (b)"]


HERE = Place("web.example", "10.0.0.9", 24, "eth0")
HERE6 = Place("web.example", "fd00::9", 64, "eth0")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (ETH0, ""),
        (ETH0.replace(up=False), "cannot use interface eth0: it is down; `ip link set eth0 up`"),
        (ETH0.replace(carrier=False), "cannot use interface eth0: it has no carrier"),
        (ETH1, "cannot use interface eth0: there is no such interface on this node; there are eth1"),
    ],
)
def test_a_link_that_cannot_be_used_is_said_once(link: Link, words: str) -> None:
    found = unusable((HERE, HERE6), (LO, link))
    assert len(found) == bool(words)
    assert not words or words in found[0]


def test_an_address_that_somebody_else_put_here_is_not_taken() -> None:
    held = (Held(3, "10.0.0.9", 24, "eth1"), ours(9, "fd00::9", "db-ip"))
    assert strangers((HERE, HERE6), LINKS, held, "web-ip") == (
        "cannot take 10.0.0.9 (web.example): not gds, somebody put it on eth1 of this node; remove it there first",
        "cannot take fd00::9 (web.example): another resource of gds has it on an interface of this node; remove it"
        " there first",
    )
    assert not strangers((HERE, HERE6), LINKS, (ours(2, "10.0.0.9"), *HELD), "web-ip")


def test_standing_is_what_is_ours_where_it_should_be_and_not_found_elsewhere() -> None:
    failed = ours(2, "fd00::9").replace(failed=True)
    assert standing((HERE, HERE6), LINKS, (ours(2, "10.0.0.9"), failed), "web-ip") == (HERE,)
    assert not standing((HERE,), LINKS, (ours(3, "10.0.0.9"), Held(2, "10.0.0.9", 24)), "web-ip")


LOOKS = {
    "all there": ((HERE, HERE6), LINKS, (ours(2, "10.0.0.9"), ours(2, "fd00::9")), 0,
                  "10.0.0.9 (web.example) on eth0, fd00::9 (web.example) on eth0, link up"),
    "one gone": ((HERE, HERE6), LINKS, (ours(2, "10.0.0.9"),), 100,
                "the address is gone: fd00::9 (web.example) on eth0"),
    "taken by somebody else": ((HERE,), LINKS, (Held(2, "10.0.0.9", 24),), 100, "the address is gone"),
    "no carrier": ((HERE,), (ETH0.replace(carrier=False),), (ours(2, "10.0.0.9"),), 100,
                   "interface eth0: it has no carrier; look at the cable and the switch port"),
    "no interface": ((HERE,), (ETH1,), (), 100, "interface eth0: there is no such interface on this node"),
    "claim lost, marks there": ((), LINKS, (ours(2, "10.0.0.9"), OWN0), 0, "10.0.0.9 on eth0, link up"),
    "claim lost, no marks": ((), LINKS, HELD, 100, "no address of web-ip is on this node"),
}  # fmt: skip


@pytest.mark.parametrize("case", LOOKS)
def test_one_look_says(case: str) -> None:
    places, links, held, score, words = LOOKS[case]
    found = look(places, links, held, "web-ip")
    assert found.score == score
    assert found.because.startswith(words)
    assert found.link == (case in ("no carrier", "no interface"))
