"""Frames: those that are sent are as the RFCs say, and whatever else passes on a link is survived."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.linux import neighbour
from gds.model.hostname import Link

MAC = bytes.fromhex("020000000001")
FOUR = socket.inet_aton("10.0.0.9")
SIX = socket.inet_pton(socket.AF_INET6, "fd00::12:3456")


def test_an_arp_probe_teaches_nobody_anything() -> None:
    to, body = neighbour._arp_probe(MAC, FOUR)
    assert to == b"\xff" * 6
    # RFC 5227 2.1.1: hardware Ethernet, protocol IPv4, request, the sender's address all zeroes, the target's MAC too
    assert body == bytes.fromhex("0001 0800 06 04 0001 020000000001 00000000 000000000000") + FOUR


def test_a_solicitation_is_that_of_duplicate_address_detection() -> None:
    to, body = neighbour._solicitation(MAC, SIX)
    assert to == bytes.fromhex("3333ff123456")
    assert body[:8] == bytes.fromhex("60000000 0018 3a ff")  # 24 bytes of ICMPv6, hop limit 255
    assert body[8:24] == bytes(16)
    assert body[24:40] == socket.inet_pton(socket.AF_INET6, "ff02::1:ff12:3456")
    assert body[40] == 135
    assert body[48:64] == SIX
    assert len(body) == 64  # from `::` no option may stand there


@given(st.binary(max_size=100))
def test_whatever_passes_is_survived(frame: bytes) -> None:
    assert len(neighbour._arp_owner(frame)) in (0, 4)
    assert len(neighbour._solicited_owner(frame)) in (0, 16)


@pytest.mark.parametrize(
    ("operation", "sender", "target", "owner"),
    [
        (2, FOUR, bytes(4), FOUR),
        (1, FOUR, socket.inet_aton("10.0.0.1"), FOUR),
        (1, bytes(4), FOUR, FOUR),  # another's probe for the same address
        (2, bytes(4), FOUR, b""),
    ],
)
def test_who_has_an_address_or_is_about_to(operation: int, sender: bytes, target: bytes, owner: bytes) -> None:
    assert neighbour._arp_owner(neighbour._arp(operation, MAC, sender, MAC, target)) == owner


@pytest.mark.parametrize(
    ("kind", "source", "owner"),
    [(136, SIX, SIX), (135, bytes(16), SIX), (135, SIX, b""), (134, SIX, b"")],
)
def test_which_discovery_speaks_for_an_address(kind: int, source: bytes, owner: bytes) -> None:
    body = neighbour._ip6(source, SIX, bytes((kind, 0, 0, 0, 0, 0, 0, 0)) + SIX)
    assert neighbour._solicited_owner(body) == owner
    assert neighbour._solicited_owner(body[:7] + b"\x40" + body[8:]) == b""  # routed: not from this link


def test_a_link_without_neighbours_is_not_asked() -> None:
    tunnel = Link(99, "nothing-there", arp=False)
    assert neighbour.answering(tunnel, ("10.0.0.9", "fd00::9")) == {}
    neighbour.announce(tunnel, ("10.0.0.9", "fd00::9"))
