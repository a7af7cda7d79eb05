"""Is somebody listening? scds_simple_net_probe: IPv4 and IPv6 side by side. Sun: semantics.md 2.6, 17."""

from __future__ import annotations

import errno

from gds.dsdl.effects import Now, Reach, Resolve
from gds.dsdl.values import Net, NetProbe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.dsdl.effects import Steps

AF_INET, AF_INET6 = 2, 10
"""Numbers of Linux; the module socket is not for the pure part."""
FAMILIES = {AF_INET: "IPv4", AF_INET6: "IPv6"}


def probe(host: str, port: int, timeout: float) -> Steps[NetProbe]:
    """See Dsdl.net_probe."""
    if not 0 < port < 65536:
        raise ValueError(f"cannot probe port {port}: expected a number from 1 to 65535")
    if timeout <= 0:
        raise ValueError(f"cannot probe within {timeout:g} s: expected a time above 0")
    began = yield Now()
    found: list[tuple[int, Any]] | None = yield Resolve(host, port, timeout)
    if found is None:
        return NetProbe(
            Net.TIMEOUT, Net.TIMEOUT, f"the addresses of {host} were not told within {timeout:g} s", timeout
        )
    first: dict[int, Any] = {}  # of each family: a name of a service has no more
    for family in FAMILIES:
        first.update([each for each in found if each[0] == family][:1])
    if not first:
        return NetProbe(Net.NA, Net.NA, f"{host} has no address")
    now = yield Now()
    left = max(timeout - (now - began), 0.001)
    results: list[tuple[int, float]] = yield Reach(tuple(first.items()), left)
    told = dict(zip(first, results, strict=True))
    said = [
        f"{FAMILIES[family]} {first[family][0]} port {port}: {_said(number, timeout)}"
        for family, (number, _seconds) in told.items()
        if number
    ]
    return NetProbe(
        _word(told.get(AF_INET)), _word(told.get(AF_INET6)), "; ".join(said), max([each[1] for each in results])
    )


def _word(result: tuple[int, float] | None) -> Net:
    if result is None:
        return Net.NA
    if result[0] == 0:
        return Net.OK
    return Net.TIMEOUT if result[0] == errno.ETIMEDOUT else Net.REFUSED


def _said(number: int, timeout: float) -> str:
    if number == errno.ETIMEDOUT:
        return f"no answer within {timeout:g} s"
    return "nobody listens" if number == errno.ECONNREFUSED else errno.errorcode.get(number, str(number))
