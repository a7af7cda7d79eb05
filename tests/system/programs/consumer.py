"""A user of gds.dsdl as a type checker and a runner see it: every call once, in both forms; prints what came of it.

`consumer.py FORM PORT` is run under a runner, for the resource `web` of the group `shop`; mypy --strict reads it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import assert_type

from gds.dsdl import (
    Answer,
    AsyncDsdl,
    Dsdl,
    Kind,
    NetProbe,
    PmfStatus,
    Properties,
    Ran,
    ResourceState,
    ResourceStatus,
    Status,
    Taken,
)


def waiting(port: int) -> dict[str, object]:
    """Each call of Dsdl."""
    web = Dsdl("web", "shop")
    seen: dict[str, object] = {}
    properties = assert_type(web.properties(), Properties)
    seen["retry_count"] = assert_type(properties.retry_count, int | None)
    seen["interval"] = assert_type(web.refresh().retry_interval, float | None)
    seen["probe_timeout"] = assert_type(web.extension("Probe_timeout"), str | bool | int | tuple[str, ...])
    seen["lines"] = [web.property_lines("PORT_LIST"), web.group_lines("RG_STATE"), web.type_lines("FAILOVER")]
    seen["state"] = assert_type(web.state(), ResourceState)
    web.set_status(ResourceStatus.DEGRADED, "hm")
    seen["status"] = assert_type(web.status(), Status).message
    seen["ran"] = [assert_type(web.timerun("exit 3", 30.0), Ran).status, web.timerun(["sleep", "60"], 0.2).timed_out]
    there = assert_type(web.net_probe("127.0.0.1", port, 10.0), NetProbe)
    seen["net"] = [there.ok, there.score, web.net_probe("127.0.0.1", 1, 10.0).score]
    web.pmf_start(Kind.SVC, ["sleep", "1000"], env={"A": "1"})
    seen["pmf"] = [assert_type(web.pmf_get_status(Kind.SVC), PmfStatus)]
    seen["quiet"] = assert_type(web.fm_sleep(0.05), Taken | None) is None
    seen["lives"] = assert_type(web.svc_wait(0.05), bool)
    seen["signalled"] = assert_type(web.pmf_signal(Kind.SVC, 0, signal.SIGKILL, 30.0), bool)
    woken = web.fm_sleep(600.0)
    seen["woken"] = woken.done if woken else None
    web.pmf_start(Kind.OTHER, "exec sleep 1000")
    seen["again"] = assert_type(web.pmf_restart(Kind.OTHER), bool)
    web.pmf_stop_monitoring(Kind.OTHER)
    seen["stopped"] = assert_type(web.pmf_stop(Kind.OTHER, timeout=30.0), bool)
    seen["action"] = assert_type(web.fm_action(60, because="slow"), Taken).done
    seen["restart"] = assert_type(web.restart_resource(), Answer).granted
    seen["restart_rg"] = web.restart_rg().granted
    seen["giveover"] = web.failover_rg().code.name
    return seen


async def other(port: int) -> dict[str, object]:
    """Each call of AsyncDsdl."""
    # under -X dev asyncio prints what takes longer than 0.1 s, as all may on a busy machine
    asyncio.get_running_loop().slow_callback_duration = 60.0
    web = AsyncDsdl("web", "shop")
    seen: dict[str, object] = {}
    properties = assert_type(await web.properties(), Properties)
    seen["retry_count"] = properties.retry_count
    seen["interval"] = (await web.refresh()).retry_interval
    seen["probe_timeout"] = assert_type(await web.extension("Probe_timeout"), str | bool | int | tuple[str, ...])
    seen["lines"] = [
        await web.property_lines("PORT_LIST"),
        await web.group_lines("RG_STATE"),
        await web.type_lines("FAILOVER"),
    ]
    seen["state"] = assert_type(await web.state(), ResourceState)
    await web.set_status(ResourceStatus.DEGRADED, "hm")
    seen["status"] = (await web.status()).message
    # side by side, as is the sense of this form
    ran, late, there, away = await asyncio.gather(
        web.timerun("exit 3", 30.0),
        web.timerun(["sleep", "60"], 0.2),
        web.net_probe("127.0.0.1", port, 10.0),
        web.net_probe("127.0.0.1", 1, 10.0),
    )
    seen["ran"] = [ran.status, late.timed_out]
    seen["net"] = [there.ok, there.score, away.score]
    await web.pmf_start(Kind.SVC, ["sleep", "1000"], env={"A": "1"})
    seen["pmf"] = [await web.pmf_get_status(Kind.SVC)]
    seen["quiet"] = await web.fm_sleep(0.05) is None
    seen["lives"] = await web.svc_wait(0.05)
    seen["signalled"] = await web.pmf_signal(Kind.SVC, 0, signal.SIGKILL, 30.0)
    woken = assert_type(await web.fm_sleep(600.0), Taken | None)
    seen["woken"] = woken.done if woken else None
    await web.pmf_start(Kind.OTHER, "exec sleep 1000")
    seen["again"] = await web.pmf_restart(Kind.OTHER)
    await web.pmf_stop_monitoring(Kind.OTHER)
    seen["stopped"] = await web.pmf_stop(Kind.OTHER, timeout=30.0)
    seen["action"] = (await web.fm_action(60, because="slow")).done
    seen["restart"] = (await web.restart_resource()).granted
    seen["restart_rg"] = (await web.restart_rg()).granted
    seen["giveover"] = (await web.failover_rg()).code.name
    return seen


if __name__ == "__main__":
    at = int(sys.argv[2])
    print(json.dumps(asyncio.run(other(at)) if sys.argv[1] == "other" else waiting(at)))
