"""What is said to the neighbours on a link: is this address yours, and, from now on it is here.

Duplicate check, for all addresses of a link at once: ARP Probes (RFC 5227 2.1.1: the sender's address is 0.0.0.0, so
that no neighbour learns from them) and Neighbour Solicitations from `::` (RFC 4862 5.4). An answer, or a probe of
somebody else's for the same address, is a conflict, and its MAC is told. The kernel's own check is not used: it knows
only IPv6 and does not say who answered. RFC 5227 waits 4 to 9 s for networks of 2008; a failover waits for this, and
what is alive on a link answers within milliseconds, so it is 3 probes in 0.6 s here.

Announcement: an ARP request and reply for the address itself (neighbours differ in which they believe), and a
Neighbour Advertisement to all nodes with the override flag. Linux ignores a second word on an address within a second,
and frames get lost: so several times, see AGAIN.

Frames are made and read here, over AF_PACKET, which needs CAP_NET_RAW.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time

from gds.errors import EngineError
from gds.model.hostname import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Question = Callable[[bytes, bytes], tuple[bytes, bytes]]
    Owner = Callable[[bytes], bytes]

PROBES, WAIT = 3, 0.2
"""How many times is asked, and the seconds of listening after each."""
AGAIN = (0.0, 0.2, 1.0, 3.0)
"""Seconds after an address came up at which it is announced."""
_ARP, _IP6 = 0x0806, 0x86DD
_ARP_BODY = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2
_SOLICIT, _ADVERTISE = 135, 136
_BROADCAST = b"\xff" * 6
_NOBODY = b"\0" * 6
_ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
_FLAGS = socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
_SOL_PACKET, _ADD_MEMBERSHIP, _MULTICAST = 263, 1, 0
NOT_PERMITTED = "not permitted; it needs CAP_NET_ADMIN and CAP_NET_RAW (run as root, or AmbientCapabilities= in a unit)"


class NotPermitted(EngineError):
    """The kernel refuses for want of a capability. Exit status 77."""


class Wire:
    """The link under IP: frames of one kind, ARP or IPv6, sent and received on one interface."""

    def __init__(self, link: Link, kind: int) -> None:
        self.mac = bytes.fromhex(link.mac.replace(":", ""))
        self.kind = kind
        self._link = link.name
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | _FLAGS, socket.htons(kind))
        except PermissionError:
            raise NotPermitted(f"cannot speak to the neighbours on {link.name}: {NOT_PERMITTED}") from None
        try:
            self._socket.bind((link.name, kind))
        except OSError as error:
            self._socket.close()
            raise EngineError(f"cannot speak to the neighbours on {link.name}: {error.strerror}") from None

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No more frames."""
        self._socket.close()

    def fileno(self) -> int:
        """Readable when a frame came."""
        return self._socket.fileno()

    def join(self, group: bytes) -> None:
        """Receive what is sent to this multicast address, while the socket is open."""
        index = socket.if_nametoindex(self._socket.getsockname()[0])
        request = struct.pack("=iHH8s", index, _MULTICAST, len(group), group)
        self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)

    def send(self, to: bytes, body: bytes) -> None:
        """One frame. Raises EngineError."""
        try:
            self._socket.send(to + self.mac + self.kind.to_bytes(2, "big") + body)
        except OSError as error:
            raise EngineError(f"cannot speak to the neighbours on {self._link}: {error.strerror}") from None

    def receive(self) -> tuple[bytes, bytes]:
        """The sender's MAC and the body of the next frame; both empty when there was none after all."""
        try:
            frame = self._socket.recv(2048)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENETDOWN):  # the link went down: nobody can answer
                return b"", b""
            raise
        return frame[6:12], frame[14:]


def answering(link: Link, addresses: Iterable[str], probes: int = PROBES, wait: float = WAIT) -> dict[str, str]:
    """Of these addresses those that somebody else on the link has, with the MAC that answers. Empty on a link without
    neighbours. Takes `probes` * `wait` seconds when nobody answers. Raises EngineError."""
    found: dict[str, str] = {}
    if not link.arp:
        return found
    four, six = _packed(addresses)
    asking: list[Asking] = []
    try:
        if four:
            asking.append(Asking(Wire(link, _ARP), four, _arp_probe, _arp_owner))
        if six:
            asking.append(Asking(Wire(link, _IP6), six, _solicitation, _solicited_owner))
            for each in six:
                asking[-1].wire.join(_multicast_mac(_solicited(each)))
        for _ in range(probes):
            for one in asking:
                one.ask(found)
            until = time.monotonic() + wait
            while len(found) < len(four) + len(six) and (left := until - time.monotonic()) > 0:
                for one in select.select(asking, [], [], left)[0]:
                    one.hear(found)
    finally:
        for one in asking:
            one.wire.close()
    return found


def announce(link: Link, addresses: Iterable[str], router: bool = False) -> None:
    """Tell everybody on the link, once, that these addresses are at its MAC. `router`: this node forwards IPv6 there,
    and must say so, else hosts that route by it stop. Raises EngineError."""
    if not link.arp:
        return
    four, six = _packed(addresses)
    if four:
        with Wire(link, _ARP) as wire:
            for each in four:
                for operation in (_REQUEST, _REPLY):
                    target = _NOBODY if operation == _REQUEST else wire.mac
                    wire.send(_BROADCAST, _arp(operation, wire.mac, each, target, each))
    if six:
        with Wire(link, _IP6) as wire:
            for each in six:
                flags = 0x20 | (0x80 if router else 0)
                body = bytes((_ADVERTISE, 0, 0, 0, flags, 0, 0, 0)) + each + b"\x02\x01" + wire.mac
                wire.send(_multicast_mac(_ALL_NODES), _ip6(each, _ALL_NODES, body))


class Asking:
    """One family's part of a duplicate check."""

    def __init__(self, wire: Wire, asked: dict[bytes, str], question: Question, owner: Owner) -> None:
        self.wire = wire
        self._asked = asked
        self._question = question
        self._owner = owner

    def fileno(self) -> int:
        """For select."""
        return self.wire.fileno()

    def ask(self, found: dict[str, str]) -> None:
        """Ask for all that nobody answered for yet."""
        for packed, address in self._asked.items():
            if address not in found:
                self.wire.send(*self._question(self.wire.mac, packed))

    def hear(self, found: dict[str, str]) -> None:
        """Take one frame in."""
        mac, body = self.wire.receive()
        address = self._asked.get(self._owner(body))
        if address is not None and mac != self.wire.mac:
            found[address] = mac.hex(":")


def _arp_probe(mac: bytes, address: bytes) -> tuple[bytes, bytes]:
    return _BROADCAST, _arp(_REQUEST, mac, bytes(4), _NOBODY, address)


def _arp_owner(body: bytes) -> bytes:
    """The address that the sender of this frame has, or is about to take; empty: neither."""
    if len(body) < _ARP_BODY.size:
        return b""
    *_, operation, _, sender, _, target = _ARP_BODY.unpack_from(body)
    if any(sender):
        return bytes(sender)
    return bytes(target) if operation == _REQUEST else b""


def _arp(operation: int, sender_mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> bytes:
    return _ARP_BODY.pack(1, 0x0800, 6, 4, operation, sender_mac, sender, target_mac, target)


def _solicitation(_mac: bytes, address: bytes) -> tuple[bytes, bytes]:
    group = _solicited(address)
    return _multicast_mac(group), _ip6(bytes(16), group, bytes((_SOLICIT, 0, 0, 0, 0, 0, 0, 0)) + address)


def _solicited_owner(body: bytes) -> bytes:
    """As `_arp_owner`: an advertisement of the address, or a solicitation from `::`, which is another check."""
    if len(body) < 64 or body[6] != 58 or body[7] != 255:
        return b""
    kind, target = body[40], body[48:64]
    if kind == _ADVERTISE or (kind == _SOLICIT and not any(body[8:24])):
        return target
    return b""


def _solicited(address: bytes) -> bytes:
    return socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + address[13:]


def _multicast_mac(group: bytes) -> bytes:
    return b"\x33\x33" + group[12:]


def _ip6(source: bytes, to: bytes, icmp: bytes) -> bytes:
    summed = _checksum(source + to + struct.pack("!II", len(icmp), 58) + icmp)
    icmp = icmp[:2] + struct.pack("!H", summed) + icmp[4:]
    return struct.pack("!IHBB", 6 << 28, len(icmp), 58, 255) + source + to + icmp


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packed(addresses: Iterable[str]) -> tuple[dict[bytes, str], dict[bytes, str]]:
    four, six = {}, {}
    for each in addresses:
        if ":" in each:
            six[socket.inet_pton(socket.AF_INET6, each)] = each
        else:
            four[socket.inet_pton(socket.AF_INET, each)] = each
    return four, six
