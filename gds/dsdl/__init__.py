"""gds.dsdl: what Sun's Data Service Development Library gave to C programs, for methods and fault monitors in Python.

    from gds.dsdl import Dsdl

    web = Dsdl()                                       # the resource this program belongs to
    interval = web.properties().thorough_probe_interval or 60.0
    while True:
        web.fm_sleep(interval)                         # wakes when the service dies
        seen = web.net_probe("localhost", 8080, timeout=5.0)
        web.fm_action(seen.score, because=seen.message)

It speaks to the runner through its control socket and decides nothing of its own: the verdict on a failure is the one
that the built-in fault monitor reaches (gds.fault), and what is asked for may be refused. `AsyncDsdl` is the same for
asyncio, which is imported only by those who use it. Names are Sun's without `scds_`; facts: semantics.md 2, 4.4, 5, 17.

Beyond the standard library nothing is needed, and little of that is loaded.
"""

from __future__ import annotations

from gds.api.client import Denied, NoRunner, TimedOut
from gds.dsdl.blocking import Dsdl
from gds.dsdl.values import (
    Answer,
    Done,
    Kind,
    Net,
    NetProbe,
    PmfError,
    PmfStatus,
    Port,
    Priority,
    Properties,
    Ran,
    SchaError,
    Status,
    Taken,
)
from gds.errors import GdsError, SpawnError, UsageError
from gds.fault.score import COMPLETE_FAILURE, IMMEDIATE_FAILOVER
from gds.model.scha import Code
from gds.model.state import FailoverMode, ResourceState, ResourceStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.dsdl.aio import AsyncDsdl

__all__ = [
    "COMPLETE_FAILURE",
    "IMMEDIATE_FAILOVER",
    "Answer",
    "AsyncDsdl",
    "Code",
    "Denied",
    "Done",
    "Dsdl",
    "FailoverMode",
    "GdsError",
    "Kind",
    "Net",
    "NetProbe",
    "NoRunner",
    "PmfError",
    "PmfStatus",
    "Port",
    "Priority",
    "Properties",
    "Ran",
    "ResourceState",
    "ResourceStatus",
    "SchaError",
    "SpawnError",
    "Status",
    "Taken",
    "TimedOut",
    "UsageError",
]


def __getattr__(name: str) -> object:
    if name == "AsyncDsdl":
        from gds.dsdl.aio import AsyncDsdl

        return AsyncDsdl
    raise AttributeError(f"module {__name__} has no attribute {name}")
