"""Taking and releasing addresses of this machine, resolving their names, and what is remembered between two methods.

Marks. Whatever is taken carries two: the label (IPv4) and the metric (both families) of its resource, see
`gds.model.hostname`. They are in the kernel, together with the address or not at all, so there is no instant at which
a SIGKILL leaves an address that the next Stop would not know. Addresses without them are never touched.

Claim. Prenet_start writes down what it chose (`plumbed`), so that Start needs no second look-up of names, and a probe
none at all. It is a hint: lost, it is made anew; Stop and Postnet_stop do not read it.

How an address is taken. With the subnet's length, and without a route where the interface has that subnet
(IFA_F_NOPREFIXROUTE); IPv6 without the kernel's duplicate check, because ours has been (IFA_F_NODAD), and deprecated
(preferred for 0 s), so that the node's own connections do not begin to come from an address that will move away.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket

from gds.errors import EngineError
from gds.linux import netlink
from gds.linux.neighbour import NOT_PERMITTED, NotPermitted
from gds.model.hostname import PROTOCOL, Held, Link, Place, belongs, label, metric
from gds.model.value import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyroute2 import IPRoute

_NO_PREFIX_ROUTE, _NO_DAD = 0x200, 0x02
_FOREVER = 0xFFFFFFFF


def resolve(name: str) -> tuple[str, ...]:
    """All addresses of a host name, IPv4 first, by whatever /etc/nsswitch.conf names; blocks as long as that does.
    An address is its own name. Raises EngineError."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise EngineError(
            f"cannot resolve {name}: {error.strerror}; put it into /etc/hosts of every node, or into the name service"
        ) from None
    except UnicodeError:
        raise EngineError(f"cannot resolve {name}: it is not a host name") from None
    addresses = dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in found)
    return tuple(sorted(addresses, key=lambda address: ":" in address))


def take(places: Iterable[Place], resource: str) -> None:
    """Put these addresses on their interfaces, marked. Raises EngineError at the first that is refused."""
    from pyroute2 import IPRoute  # loaded by nobody who only looks

    indexes = {each.name: each.index for each in netlink.look()[0]}
    with IPRoute() as route:
        for each in places:
            if each.interface not in indexes:
                raise EngineError(f"cannot put {each.shown} on {each.interface}: the interface is gone")
            _add(route, each, indexes[each.interface], resource)


def _add(route: IPRoute, place: Place, index: int, resource: str) -> None:
    wanted: dict[str, object] = {
        "index": index,
        "address": place.address,
        "prefixlen": place.prefix,
        "IFA_RT_PRIORITY": metric(resource),
        "IFA_PROTO": PROTOCOL,
    }
    flags = _NO_PREFIX_ROUTE if place.covered else 0
    if ":" in place.address:
        wanted.update(family=socket.AF_INET6, IFA_FLAGS=flags | _NO_DAD)
        wanted["IFA_CACHEINFO"] = {"ifa_preferred": 0, "ifa_valid": _FOREVER}
    else:
        wanted.update(family=socket.AF_INET, IFA_FLAGS=flags, label=label(resource))
    code = _asked(route, "add", wanted)
    if code:
        raise _refusal(code, f"cannot put {place.shown} on {place.interface}", place)


def release(resource: str, but: Sequence[Place] = ()) -> tuple[str, ...]:
    """Remove every address that this resource took, wherever it is, but for these places; says what, in words.
    Raises EngineError when one stays. Nothing to remove is well."""
    links, held = netlink.look()
    names = {each.index: each.name for each in links}
    stay = {(each.interface, each.address) for each in but}
    gone = [each for each in held if belongs(each, resource) and (names.get(each.index, ""), each.address) not in stay]
    if not gone:
        return ()
    from pyroute2 import IPRoute  # loaded by nobody who only looks

    said = []
    tried = {(each.index, each.address) for each in gone}
    with IPRoute() as route:
        for each in gone:
            name = names.get(each.index, f"interface {each.index}")
            with _Promoting(name, each, [h for h in held if h not in gone]):
                code = _asked(
                    route,
                    "del",
                    {
                        "index": each.index,
                        "address": each.address,
                        "prefixlen": each.prefix,
                        "family": socket.AF_INET6 if ":" in each.address else socket.AF_INET,
                    },
                )
            # gone already: with its interface, or by another Stop
            if code and code not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                raise _refusal(code, f"cannot remove {each.address} from {name}", None)
            said.append(f"{each.address} from {name}")
    left = [h.address for h in netlink.look()[1] if belongs(h, resource) and (h.index, h.address) in tried]
    if left:
        raise EngineError(f"cannot remove {', '.join(left)}: the kernel said yes, and it is still there")
    return tuple(said)


class _Promoting:
    """While an IPv4 address goes, which may be a primary: others in its subnet, its secondaries, become primary instead
    of going with it, as the kernel would have it without net.ipv4.conf.*.promote_secondaries."""

    def __init__(self, name: str, going: Held, staying: Sequence[Held]) -> None:
        self._path = ""
        self._file = -1
        self._was = b""
        # whether it is primary is not asked: another Stop may have promoted it since we looked
        others = any(h.index == going.index and ":" not in h.address for h in staying)
        if others and ":" not in going.address:
            self._path = f"/proc/sys/net/ipv4/conf/{name}/promote_secondaries"

    def __enter__(self) -> None:
        if not self._path:
            return
        try:
            # locked, because another resource's Stop may be here too, and must not find our 1 and lose it
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._was = os.pread(self._file, 16, 0)
            os.pwrite(self._file, b"1", 0)
        except OSError:
            pass  # /proc/sys is read-only in a container: the resources whose addresses go notice and put them back

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            if self._was:
                os.pwrite(self._file, self._was, 0)
            os.close(self._file)


def _asked(route: IPRoute, verb: str, wanted: dict[str, object]) -> int:
    """0, or the errno of the kernel's refusal."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        route.addr(verb, **wanted)
    except NetlinkError as error:
        return int(error.code)
    return 0


def _refusal(code: int, what: str, place: Place | None) -> EngineError:
    if code == errno.EPERM:
        return NotPermitted(f"{what}: {NOT_PERMITTED}")
    reason = os.strerror(code)
    if code == errno.EACCES and place is not None and ":" in place.address:
        reason = f"IPv6 is switched off there; sysctl net.ipv6.conf.{place.interface}.disable_ipv6=0 switches it on"
    elif code == errno.EEXIST:
        reason = "somebody else put it there in this very moment; remove it there first"
    return EngineError(f"{what}: {reason}")


def routes_ipv6(interface: str) -> bool:
    """This node forwards IPv6 from the interface, and advertisements have to say so."""
    return _read(f"/proc/sys/net/ipv6/conf/{interface}/forwarding") == "1"


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""  # no such sysctl here: as if it were off


def remember(directory: str, resource: str, asked: Sequence[str], places: Sequence[Place]) -> None:
    """Write the claim of a resource: what was asked, and the places chosen. Raises EngineError."""
    kept = {"asked": list(asked), "places": [[getattr(each, f) for f in fields_of(Place)] for each in places]}
    path = _claim(directory, resource)
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        with open(path + ".new", "w") as file:
            json.dump(kept, file)
        os.rename(path + ".new", path)
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}; --claims names another directory") from None


def remembered(directory: str, resource: str, asked: Sequence[str]) -> tuple[Place, ...]:
    """The places of a claim; empty: there is none, or not for what is asked now."""
    try:
        with open(_claim(directory, resource)) as file:
            kept = json.load(file)
        if kept["asked"] == list(asked):
            return tuple([Place(*each) for each in kept["places"]])
    except (OSError, ValueError, TypeError, KeyError):
        pass  # a hint, and no good one: it is made anew
    return ()


def forget(directory: str, resource: str) -> None:
    """The claim goes; none is well. Raises EngineError."""
    path = _claim(directory, resource)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise EngineError(f"cannot remove {path}: {error.strerror}") from None


def _claim(directory: str, resource: str) -> str:
    return os.path.join(directory, resource + ".json")


def link_of(place: Place, links: Sequence[Link]) -> Link | None:
    """The interface of a place, while it is there."""
    return next((each for each in links if each.name == place.interface), None)
