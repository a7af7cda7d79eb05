"""Composition of the runner that comes after `gds upgrade`; daemon/resuming.py does it. Only that one loads it."""

from __future__ import annotations

import os

from gds import __version__, late
from gds.config.sources import Sources
from gds.daemon.resuming import Resume, plan_of, settings_of, understand
from gds.linux import clock, handover
from gds.linux.handover import Parcel as Parcel
from gds.rgm import upgrade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from gds.api.server import Server
    from gds.daemon.rgmd import Rgmd
    from gds.ground import Ground
    from gds.linux.kept import Memory
    from gds.model.resource import Plan
    from gds.model.settings import Settings


def handed_over(environ: MutableMapping[str, str]) -> Parcel | None:
    """What a runner in this same process left for us; None: this is an ordinary start."""
    return handover.take(environ, upgrade.FORMAT)


def declared_before(parcel: Parcel) -> tuple[Plan, Settings, Sources | None]:
    """What that runner knew to be declared, its settings, and whence it all came: nothing is read again. None: it is of
    a version that does not tell that."""
    told = parcel.facts.get("sources")
    sources = Sources(told["paths"], told["flags"], told["cache_dirs"]) if told is not None else None
    return plan_of(parcel.facts), settings_of(parcel.facts), sources


def could_take_over(fd: int) -> str:
    """Asked by `gds upgrade`, of the new code: why it could not go on from the parcel in `fd`; "" = it could."""
    try:
        parcel = handover.read(fd, upgrade.FORMAT)
    except (OSError, ValueError) as error:
        return f"it cannot read what it would be handed: {error}"
    return upgrade.understands(parcel.format) or understand(parcel.facts)


def go_on(
    facts: dict[str, Any],
    ground: Ground,
    rgmd: Rgmd,
    memory: Memory | None,
    outputs: late.LateOutputs,
    notifies: late.LateNotifies,
    tags: late.LateTags,
) -> None:
    """Instead of bringing up: nobody shall notice."""
    # first of all in the first turn: who died meanwhile is still there as a zombie, which says whose it was
    ground.loop.soon(ground.reaper.reap)
    Resume(rgmd, ground.forest, memory, outputs, notifies, late.account, tags).begin(facts)
    handover.unblock()


def tell(
    parcel: Parcel, server: Server, rgmd: Rgmd, tags: late.LateTags, keep: Callable[[dict[str, object]], None]
) -> None:
    """To who asked, and to who wants to know later."""
    facts = parcel.facts
    now = rgmd.loop.now
    seconds = now() - facts["left_at"]
    because = f"upgraded from {parcel.version} to {__version__}"
    rgmd.log.info(because, seconds=round(seconds, 3))
    record = {"at": clock.rfc3339(clock.wall()), "monotonic": round(now(), 6), "resource": "", "group": ""}
    keep({**record, "event": "upgraded", "because": because})
    if facts["tags"] is not None:
        tags.resume_clients(facts["tags"], server.by_fd)
    asked = server.by_fd.get(facts["client"])
    if asked is not None:
        told = {"from": parcel.version, "to": __version__, "seconds": round(seconds, 3), "pid": os.getpid()}
        asked.done(0, upgrade={**told, "applications": len(rgmd.apps)})
    server.by_fd.clear()
