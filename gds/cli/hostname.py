"""The methods of LogicalHostname: `python -m gds.cli.hostname METHOD --resource NAME --hostname HOST...`.

One process for each call, so that the runner knows nothing of addresses and loads nothing for them. What Sun's four
steps (Developer's Guide 2, "Using the Optional Prenet_start and Postnet_stop Methods") mean on Linux, where an address
that an interface has is answered for at once, and there is none that is "down":

    Sun       method         here
    plumb     prenet_start   names are resolved, the interface chosen, its link looked at; nobody else on the link may
                             answer for an address; what an earlier life left is removed; the choice is written down
                             (the claim). The kernel has nothing yet: an application whose own Prenet_start binds to
                             the address sets IP_FREEBIND, or net.ipv4.ip_nonlocal_bind
    up        start          a short second check, then the addresses are put on the interface and announced
    down      stop           the addresses are removed: the network no longer reaches this node by them; connections
                             keep their sockets, as at Sun
    unplumb   postnet_stop   removed, if some are still there; the claim is forgotten

stop and postnet_stop ask no name service and need no claim: they remove what carries the resource's marks in the
kernel, so they also work after a SIGKILL anywhere in between, for an interface that is gone, and for nothing at all.
start without prenet_start before it (Sun's RESOURCE_RESTART) does what is missing. All may be repeated.

    serve          start, then watch; tells NOTIFY_SOCKET between them that it is ready. The process that PMF keeps
    watch          announces again (1 s and 3 s after), then sleeps until the kernel has news; ends with 100 when an
                   address has vanished, or the link has been down for LINK_GRACE; a link that comes back within it, and
                   a new MAC, are announced
    probe          one look: 0 all addresses there and link up, 100 not; 50 when it could not look
    validate       names resolve, interfaces and subnets are there; needs no privilege and asks nobody on the link
    monitor_check  as validate, and the link is up: could it be hosted here? With --no-name-service names are not looked
                   up (Sun's CheckNameService), and only the interfaces of netiflist are looked at

    --resource NAME     default GDS_RESOURCE          --prefix LENGTH     up to 32 for IPv4, above for IPv6
    --hostname HOST     once for each                 --no-name-service
    --interface IF      once for each; IF@NODE        --claims DIR        default: `addresses` beside GDS_SOCKET,
    --node NAME         default GDS_NODE                                  else /run/gds/addresses

Exit status: 0 done; 1 refused or failed, with a sentence for each reason; 2 usage; 77 not permitted; probe and watch: 0
to 100, Sun's score.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time

from gds.errors import EngineError, UsageError
from gds.linux import address, neighbour, netlink
from gds.linux.neighbour import NotPermitted
from gds.model.hostname import LogicalHostname, Place, faults
from gds.model.names import LAST_WORDS, name_fault
from gds.rgm.address import Placing, look, marked, place, standing, strangers, unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from gds.model.hostname import Held, Link

LINK_GRACE = 1.0
"""Seconds for which a link may be down before `watch` gives up: a switch port that renegotiates is not a failure."""
COULD_NOT_LOOK = 50
QUICK = 1
"""Duplicate probes in Start, which comes after Prenet_start's whole check."""


class Refused(EngineError):
    """What was asked cannot be done here, for each of these reasons. Exit status 1."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))


class Call:
    """One call of one method: what was declared, and where."""

    def __init__(self, declared: LogicalHostname, node: str, claims: str, argv: Sequence[str]) -> None:
        self.argv = argv
        self.declared = declared
        self.resource = declared.resource
        self.node = node
        self.claims = claims
        self.asked = (
            *declared.hostnamelist,
            "",
            *declared.interfaces(node),
            "",
            *[str(each) for each in declared.prefix],
        )

    # ---- the steps ----

    def prenet_start(self) -> int:
        """Plumb."""
        say(f"{self.resource}: {_shown(self._plumb())}: free, claimed")
        return 0

    def start(self) -> int:
        """Up."""
        self._up()
        return 0

    def stop(self) -> int:
        """Down."""
        gone = address.release(self.resource)
        say(f"{self.resource}: " + (f"removed {', '.join(gone)}" if gone else "no address of it was up"))
        return 0

    def postnet_stop(self) -> int:
        """Unplumb."""
        status = self.stop()
        address.forget(self.claims, self.resource)
        return status

    def serve(self) -> NoReturn:
        """Start, and stay."""
        self._up()
        _notify(b"READY=1")
        # The same process, without what was loaded to make the change: 13 MB that stay instead of 35.
        os.execv(sys.executable, [sys.executable, "-P", "-m", "gds.cli.hostname", "watch", *self.argv])

    def watch(self) -> int:
        """Stay until it is no longer true that all is up."""
        changes = netlink.Changes()
        began = time.monotonic()
        again = [began + after for after in neighbour.AGAIN if after >= 1.0]
        down_since = 0.0
        macs: dict[str, str] = {}
        while True:
            links, held = netlink.look()
            now = time.monotonic()
            places = self._places(held, links)
            found = look(places, links, held, self.resource)
            if not found.score:
                seen = {each.interface: _link(each, links).mac for each in places}
                due = [at for at in again if at <= now]
                if due or down_since or (macs and seen != macs):
                    try:
                        _announce(places, links)
                    except EngineError as error:
                        say(str(error))  # gone down in this very moment: the next look sees it
                again, macs, down_since = [at for at in again if at > now], seen, 0.0
            elif not found.link or (down_since and now - down_since >= LINK_GRACE):
                say(f"{self.resource}: {found.because}")
                _notify(f"{LAST_WORDS}={found.because}".encode())
                return found.score
            else:
                down_since = down_since or now
            wake = [*again, *([down_since + LINK_GRACE] if down_since else [])]
            if select.select([changes], [], [], max(0.0, min(wake) - now) if wake else None)[0]:
                changes.drain()

    def probe(self) -> int:
        """One look."""
        try:
            links, held = netlink.look()
        except EngineError as error:
            say(str(error))
            return COULD_NOT_LOOK
        found = look(self._claimed(), links, held, self.resource)
        say(found.because)
        return found.score

    def validate(self) -> int:
        """Could it be right?"""
        places, _, _ = self._possible()
        say(f"{self.resource}: {_shown(places)}")
        return 0

    def monitor_check(self) -> int:
        """Could it be here?"""
        links, held = netlink.look()
        if self.declared.check_name_service:
            places = self._placing(links, held).places
        else:
            interfaces = self.declared.interfaces(self.node)
            places = tuple([Place(name, name, 0, name) for name in interfaces])
        reasons = unusable(places, links)
        if reasons:
            raise Refused(reasons)
        say(f"{self.resource}: could be hosted here")
        return 0

    # ---- their parts ----

    def _placing(self, links: Sequence[Link], held: Sequence[Held]) -> Placing:
        resolved, wrong = [], []
        for host in self.declared.hostnamelist:
            try:
                resolved.append((host, address.resolve(host)))
            except EngineError as error:
                wrong.append(str(error))
        found = place(self.declared, self.node, resolved, links, held)
        if wrong or found.problems:
            raise Refused((*wrong, *found.problems))
        for each in found.remarks:
            say(f"{self.resource}: {each}")
        return found

    def _possible(self) -> tuple[tuple[Place, ...], Sequence[Link], Sequence[Held]]:
        """Where its addresses would be, and what there is on this node. Raises Refused."""
        wrong = faults(self.declared)
        if wrong:
            raise Refused(wrong)
        links, held = netlink.look()
        return self._placing(links, held).places, links, held

    def _plumb(self) -> tuple[Place, ...]:
        places, links, held = self._possible()
        self._check(places, links, held, neighbour.PROBES)
        address.remember(self.claims, self.resource, self.asked, places)
        return places

    def _check(self, places: Sequence[Place], links: Sequence[Link], held: Sequence[Held], probes: int) -> None:
        """Nothing stands against taking them. What an earlier life left elsewhere is removed first: it would answer."""
        reasons = unusable(places, links) or strangers(places, links, held, self.resource)
        if reasons:
            raise Refused(reasons)
        there = standing(places, links, held, self.resource)
        address.release(self.resource, but=there)
        taken = []
        for link in links:
            here = {each.address: each for each in places if each.interface == link.name and each not in there}
            for found, mac in sorted(neighbour.answering(link, here, probes).items()):
                taken.append(
                    f"cannot take {here[found].shown}: it is in use elsewhere, {mac} answers for it on {link.name};"
                    " while that is another node of the group, the group is still online there"
                )
        if taken:
            raise Refused(taken)

    def _up(self) -> None:
        try:
            places = self._taken()
        except EngineError as error:
            # nobody calls Stop after every failed Start: an address that is half up would draw clients to nothing
            try:
                address.release(self.resource)
            except EngineError as another:
                raise Refused((str(error), str(another))) from None
            raise
        say(f"{self.resource}: {_shown(places)}: up, announced")

    def _taken(self) -> tuple[Place, ...]:
        places = self._claimed()
        links, held = netlink.look()
        if not places or unusable(places, links):
            places = self._plumb()  # never plumbed, or the adapter chosen has failed since: another may do
        else:
            self._check(places, links, held, QUICK)
        there = standing(places, *netlink.look(), self.resource)
        address.take([each for each in places if each not in there], self.resource)
        links, held = netlink.look()
        found = look(places, links, held, self.resource)
        if found.score:
            raise EngineError(f"cannot bring {self.resource} up: {found.because}")
        for after in neighbour.AGAIN[:2]:
            time.sleep(after)
            _announce(places, links)
        return places

    def _claimed(self) -> tuple[Place, ...]:
        return address.remembered(self.claims, self.resource, self.asked)

    def _places(self, held: Sequence[Held], links: Sequence[Link]) -> tuple[Place, ...]:
        """What the watch watches: the claim, or, lost, what was marked when it began."""
        claimed = self._claimed()
        if claimed:
            self._watched = claimed
        elif not self._watched:
            self._watched = marked(links, held, self.resource)
        return self._watched

    _watched: tuple[Place, ...] = ()


METHODS: dict[str, Callable[[Call], int]] = {
    name: getattr(Call, name)
    for name in (
        *("prenet_start", "start", "stop", "postnet_stop"),
        *("serve", "watch", "probe", "validate", "monitor_check"),
    )
}


def _announce(places: Sequence[Place], links: Sequence[Link]) -> None:
    for link in links:
        here = [each.address for each in places if each.interface == link.name]
        if here:
            neighbour.announce(link, here, router=address.routes_ipv6(link.name))


def _link(where: Place, links: Sequence[Link]) -> Link:
    return next(each for each in links if each.name == where.interface)


def _shown(places: Sequence[Place]) -> str:
    return ", ".join(f"{each.shown} on {each.interface}" for each in places)


def _notify(text: bytes) -> None:
    """To whoever started us with `ready = "notify"`."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if where:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            try:
                told.sendto(text, "\0" + where[1:] if where.startswith("@") else where)
            except OSError as error:
                say(f"cannot say {text.decode(errors='replace')} to {where}: {error.strerror}")


def say(text: str) -> None:
    """For the log, and for the status message of a probe."""
    try:
        print(text, flush=True)
    except OSError:
        pass  # nobody reads any more: what was done is done all the same


def parse(argv: Sequence[str], environ: dict[str, str]) -> tuple[Callable[[Call], int], Call]:
    """The command line. Raises UsageError."""
    if not argv or argv[0] not in METHODS:
        raise UsageError(f"cannot call {argv[0] if argv else 'nothing'}: expected one of {', '.join(METHODS)}")
    given: dict[str, list[str]] = {
        each: [] for each in ("--resource", "--hostname", "--interface", "--prefix", "--node", "--claims")
    }
    asks_names = True
    rest = list(argv[1:])
    while rest:
        option = rest.pop(0)
        if option == "--no-name-service":
            asks_names = False
        elif option not in given:
            raise UsageError(f"cannot use {option!r}: expected {', '.join(given)} or --no-name-service")
        elif not rest:
            raise UsageError(f"cannot use {option} without a value")
        else:
            given[option].append(rest.pop(0))

    def single(option: str, variable: str, default: str) -> str:
        return (given[option] or [environ.get(variable) or default])[-1]

    resource = single("--resource", "GDS_RESOURCE", "")
    if name_fault(resource):
        raise UsageError(f"cannot use --resource {resource!r}: {name_fault(resource)}")
    prefix = []
    for text in given["--prefix"]:
        if not (text.isascii() and text.isdecimal() and len(text) < 5):
            raise UsageError(f"cannot use --prefix {text}: expected a number from 1 to 128")
        prefix.append(int(text))
    declared = LogicalHostname(
        resource, tuple(given["--hostname"]), tuple(given["--interface"]), tuple(prefix), asks_names
    )
    beside = os.path.dirname(environ.get("GDS_SOCKET", "")) or "/run/gds"
    claims = (given["--claims"] or [os.path.join(beside, "addresses")])[-1]
    return METHODS[argv[0]], Call(declared, single("--node", "GDS_NODE", os.uname().nodename), claims, argv[1:])


def main(argv: Sequence[str] | None = None) -> int:
    """See the module; returns the exit status."""
    try:
        method, call = parse(sys.argv[1:] if argv is None else argv, dict(os.environ))
        return method(call)
    except KeyboardInterrupt:
        return 130
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except NotPermitted as error:
        print(error, file=sys.stderr)
        return 77
    except EngineError as error:
        print(error, file=sys.stderr)
        _notify(f"{LAST_WORDS}={'; '.join(str(error).splitlines())}".encode())
        return 1


if __name__ == "__main__":
    sys.exit(main())
