"""LogicalHostname as it was declared: host names that move between nodes with their group (SUNW.LogicalHostname(5)).

A resource of this type has no application. Its methods are calls of a program of ours, one process each, and this
module says which: `commands` is all the compiler needs. The program's side is `gds.cli.hostname`, whose docstring has
the table of what each of Sun's four steps (plumb, up, down, unplumb) means on Linux.

Properties, with Sun's names and tunability (LogicalHostname(5)): `hostnamelist` (HostnameList, WHEN_DISABLED),
`netiflist` (NetIfList, ANYTIME, for the next Start; entries `eth0`, or Sun's `eth0@node` for one node),
`check_name_service` (CheckNameService, ANYTIME, default TRUE: Monitor_check asks whether names can be looked up; false
where the cluster runs the name service itself). `prefix` is Sun's Netmask (WHEN_DISABLED) as lengths, at most one for
each family: up to 32 is IPv4's, more is IPv6's; only needed where the interface has no address in that subnet yet.

Wider than Sun's: the names of one resource may lie in several subnets.

Links, held addresses and places are the facts and the answers that `gds.linux` and `gds.rgm.address` exchange.
"""

from __future__ import annotations

from gds.model.names import ADDRESS_TYPES
from gds.model.resource import Command
from gds.model.value import Value

TYPES = ADDRESS_TYPES
PROTOCOL = 103
"""IFA_PROTO of every address that gds takes ('g'); kernels before 5.18 do not keep it."""
LABEL = "gds:"
"""IPv4 labels of ours begin so; the kernel keeps 15 characters."""
_LABEL_ROOM = 15 - len(LABEL)
_METRIC = 0x60000000
_METRIC_ROOM = 0x0FFFFFFF


class Link(Value):
    """One network interface. `carrier`: the other end is there; `arp`: it has neighbours to ask (it is no tunnel)."""

    index: int
    name: str
    mac: str = ""
    up: bool = True
    carrier: bool = True
    arp: bool = True
    loopback: bool = False

    @property
    def usable(self) -> bool:
        """A packet can leave by it."""
        return self.up and self.carrier


class Held(Value):
    """One address that the kernel has on the interface of this index. `failed`: the kernel's own duplicate check found
    it elsewhere, so it is not used."""

    index: int
    address: str
    prefix: int
    label: str = ""
    metric: int = 0
    protocol: int = 0
    failed: bool = False

    @property
    def by_gds(self) -> bool:
        """Some resource of gds took it."""
        return self.protocol == PROTOCOL or self.label.startswith(LABEL)


class Place(Value):
    """Where one address goes. `host`: the name it was resolved from. `covered`: the interface already has the subnet,
    so no route comes with the address."""

    host: str
    address: str
    prefix: int
    interface: str
    covered: bool = True

    @property
    def shown(self) -> str:
        """For people: the address, and the name if there is one."""
        return self.address if self.host == self.address else f"{self.address} ({self.host})"


class LogicalHostname(Value):
    """One resource of the type. `prefix` 0 = of the subnet that the interface has."""

    resource: str
    hostnamelist: tuple[str, ...]
    netiflist: tuple[str, ...] = ()
    prefix: tuple[int, ...] = ()
    check_name_service: bool = True

    def interfaces(self, node: str) -> tuple[str, ...]:
        """The interfaces that may be used on `node`, in the order of netiflist; empty: whichever has the subnet."""
        split = [entry.partition("@") for entry in self.netiflist]
        return tuple([name for name, _, where in split if where in ("", node)])

    def prefix_for(self, version: int) -> int:
        """The length given for IPv4 or IPv6; 0 where none was."""
        for each in self.prefix:
            if (each > 32) == (version == 6):
                return each
        return 0


def faults(declared: LogicalHostname) -> tuple[str, ...]:
    """What is wrong with it, seen without any machine; sentences that begin "cannot"."""
    return tuple([message for _, message in placed_faults(declared)])


def placed_faults(declared: LogicalHostname) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """The same, each with where it is: the property, and the place in it where there is one."""
    what = f"resource {declared.resource}"
    names, entries, lengths = declared.hostnamelist, declared.netiflist, declared.prefix
    found: list[tuple[tuple[str | int, ...], str]] = [
        *[
            (("hostnamelist", at), f"cannot use {name!r} in hostnamelist of {what}: expected a host name or an address")
            for at, name in enumerate(names)
            if not _may_be_host(name)
        ],
        *[
            (
                ("hostnamelist", names.index(name, names.index(name) + 1)),
                f"cannot use {name} twice in hostnamelist of {what}",
            )
            for name in sorted({each for each in names if names.count(each) > 1})
        ],
        *[
            (
                ("netiflist", at),
                f'cannot use {entry!r} in netiflist of {what}: expected "eth0", or "eth0@node" for one node',
            )
            for at, entry in enumerate(entries)
            if not _may_be_interface(entry)
        ],
        *[
            (("prefix",), f"cannot use prefix {length} of {what}: expected 1 to 32 for IPv4, 33 to 128 for IPv6")
            for length in lengths
            if not 0 < length <= 128
        ],
    ]
    if not names:
        said = f'cannot use {what}: hostnamelist is empty; name what moves, as in hostnamelist = ["web.example"]'
        found.append((("hostnamelist",), said))
    if sum(each <= 32 for each in lengths) > 1 or sum(each > 32 for each in lengths) > 1:
        said = f"cannot use prefix of {what}: at most one up to 32 (IPv4) and one above (IPv6)"
        found.append((("prefix",), said))
    return tuple(found)


def _may_be_host(name: str) -> bool:
    return 0 < len(name) < 254 and name[0] != "-" and name.isprintable() and not set(name) & set(" ,/@%")


def _may_be_interface(entry: str) -> bool:
    name, at, node = entry.partition("@")
    plain = entry.isprintable() and name[:1] != "-" and not set(name) & set(" /:")
    return plain and 0 < len(name) < 16 and bool(node or not at)


METHODS = {
    "prenet_start_command": "prenet_start",
    "start_command": "serve",
    "stop_command": "stop",
    "postnet_stop_command": "postnet_stop",
    "probe_command": "probe",
    "validate_command": "validate",
    "monitor_check_command": "monitor_check",
}
"""Field of `Resource` → the program's word. `serve` is Start and then the watch, in the process that PMF keeps."""
FOLLOW = frozenset((*METHODS, "ready"))
"""Fields of `Resource` that nobody gives for this type: they follow from its properties."""


def commands(declared: LogicalHostname, python: str) -> dict[str, Command]:
    """The commands of each method, by the field of `Resource` they belong to; `python` is the interpreter gds runs by.

    -P: a folder called gds in the working directory is not ours.
    """
    return {
        field: Command((python, "-P", "-m", "gds.cli.hostname", *words(declared, word)))
        for field, word in METHODS.items()
    }


def words(declared: LogicalHostname, method: str) -> tuple[str, ...]:
    """The arguments of `gds.cli.hostname` for one method."""
    found = [method, "--resource", declared.resource]
    for name in declared.hostnamelist:
        found += ["--hostname", name]
    for entry in declared.netiflist:
        found += ["--interface", entry]
    for length in declared.prefix:
        found += ["--prefix", str(length)]
    if not declared.check_name_service:
        found.append("--no-name-service")
    return tuple(found)


def label(resource: str) -> str:
    """The IPv4 label of a resource's addresses, as `ip address` shows it; at most 15 characters.

    A name that does not fit keeps its first four letters, and '~', which no name has, stands before its checksum.
    """
    if len(resource) <= _LABEL_ROOM:
        return LABEL + resource
    return f"{LABEL}{resource[:4]}~{_checksum(resource) & 0xFFFFFF:06x}"


def metric(resource: str) -> int:
    """IFA_RT_PRIORITY of a resource's addresses: the one number that kernels from 4.18 on keep with an address of
    either family, and of no effect on an address that brings no route. Two names share one in 2**28."""
    return _METRIC | (_checksum(resource) & _METRIC_ROOM)


def belongs(held: Held, resource: str) -> bool:
    """This resource took it. An address of somebody else's never does: both marks have to be right."""
    return held.metric == metric(resource) and (":" in held.address or held.label == label(resource))


def _checksum(text: str) -> int:
    """FNV-1a, 32 bits: the same on every machine and in every version."""
    found = 0x811C9DC5
    for byte in text.encode():
        found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    return found
