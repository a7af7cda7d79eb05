"""What passes on a link: one line for each ARP frame and each neighbour discovery message about the addresses given.

listener.py INTERFACE ADDRESS...

arp request SENDER TARGET        arp reply SENDER TARGET
solicit SOURCE TARGET            advertise SOURCE TARGET FLAGS MAC
"""

from __future__ import annotations

import socket
import sys


def arp(frame: bytes) -> list[str]:
    kind = {1: "request", 2: "reply"}[int.from_bytes(frame[20:22], "big")]
    return ["arp", kind, socket.inet_ntoa(frame[28:32]), socket.inet_ntoa(frame[38:42])]


def discovery(frame: bytes) -> list[str]:
    kind = {135: "solicit", 136: "advertise"}.get(frame[54], "")
    if frame[20] != 58 or not kind:
        return []
    said = [kind, *[socket.inet_ntop(socket.AF_INET6, each) for each in (frame[22:38], frame[62:78])]]
    return said if kind == "solicit" else [*said, f"{frame[58]:#x}", frame[80:86].hex(":")]


if __name__ == "__main__":
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as link:
        link.bind((sys.argv[1], 3))
        # solicitations go to groups that nobody here has joined
        link.setsockopt(263, 1, socket.if_nametoindex(sys.argv[1]).to_bytes(4, "little") + b"\1\0" + bytes(10))
        print("ready", flush=True)
        while True:
            seen = link.recv(2048)
            kind = seen[12:14]
            words = arp(seen) if kind == b"\x08\x06" else discovery(seen) if kind == b"\x86\xdd" else []
            if set(words) & set(sys.argv[2:]):
                print(*words, flush=True)
