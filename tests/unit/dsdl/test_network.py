"""net_probe: what the two families together mean. Sun: semantics.md 2.6, 17."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from gds.dsdl import network
from gds.dsdl.effects import Reach, Resolve
from gds.dsdl.values import Net
from tests.unit.dsdl.world import World

if TYPE_CHECKING:
    from gds.dsdl.values import NetProbe

V4, V6 = (2, ("127.0.0.1", 80)), (10, ("::1", 80, 0, 0))


def probe(found: list[tuple[int, tuple[object, ...]]] | None, v4: int = 0, v6: int = 0) -> NetProbe:
    """A host with these addresses, which answer so."""
    world = World()
    world.resolved = found
    world.reached = {2: (v4, 0.25), 10: (v6, 0.5)}
    return world.play(network.probe("host", 80, 5.0))


@pytest.mark.parametrize(
    ("found", "v4", "v6", "families", "ok", "score"),
    [
        ([V4, V6], 0, 0, (Net.OK, Net.OK), True, 0),
        ([V4], 0, 0, (Net.OK, Net.NA), True, 0),
        ([V6], 0, 0, (Net.NA, Net.OK), True, 0),
        ([V4, V6], 0, errno.ECONNREFUSED, (Net.OK, Net.REFUSED), False, 100),
        ([V4, V6], errno.ETIMEDOUT, 0, (Net.TIMEOUT, Net.OK), False, 50),
        ([V4, V6], errno.ETIMEDOUT, errno.ECONNREFUSED, (Net.TIMEOUT, Net.REFUSED), False, 100),
        ([V4, V6], errno.ENETUNREACH, 0, (Net.REFUSED, Net.OK), False, 100),
        ([], 0, 0, (Net.NA, Net.NA), False, 100),
        (None, 0, 0, (Net.TIMEOUT, Net.TIMEOUT), False, 50),
    ],
)
def test_one_family_that_fails_fails_the_call(
    found: list[tuple[int, tuple[object, ...]]] | None,
    v4: int,
    v6: int,
    families: tuple[Net, Net],
    ok: bool,
    score: int,
) -> None:
    seen = probe(found, v4, v6)
    assert ((seen.ipv4, seen.ipv6), seen.ok, seen.score) == (families, ok, score)
    assert bool(seen.message) is not ok


def test_what_was_wrong_is_said_for_each_family() -> None:
    seen = probe([V4, V6], errno.ECONNREFUSED, errno.ETIMEDOUT)
    assert seen.message == "IPv4 127.0.0.1 port 80: nobody listens; IPv6 ::1 port 80: no answer within 5 s"
    assert probe([V4], errno.EHOSTUNREACH).message == "IPv4 127.0.0.1 port 80: EHOSTUNREACH"
    assert seen.seconds == 0.5


def test_what_the_name_took_is_not_there_for_the_connection() -> None:
    world = World()
    world.resolved = [V4]
    steps = network.probe("host", 80, 5.0)
    seen = []
    answer: object = None
    for at in (10.0, 10.0, 13.0, 13.0):
        effect = steps.send(answer)
        world.now = at
        answer = world.perform(effect) if not isinstance(effect, Reach) else [(0, 0.1)]
        seen.append(effect)
    assert [each.seconds for each in seen if isinstance(each, Resolve | Reach)] == [5.0, 2.0]


@pytest.mark.parametrize(("port", "timeout"), [(0, 1.0), (65536, 1.0), (80, 0.0), (80, -1.0)])
def test_what_cannot_be_probed(port: int, timeout: float) -> None:
    with pytest.raises(ValueError, match="cannot probe"):
        World().play(network.probe("host", port, timeout))
