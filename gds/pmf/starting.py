"""When Start is done. Sun: semantics.md 2.4 (steps 5 and 6); design.md 2 ("First probe", "Exit 0 of the app").

A Start is not done before the service can be reached; what shows that depends on the properties alone. There is no own
limit: start_timeout ends a Start that is not done by then. Knows no processes and never asks for the time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.resource import Resource

FIRST_LOOK = 0.05
"""Seconds until Start asks the probe a second time; doubled each time up to LONGEST_LOOK (Sun: 5 s)."""
LONGEST_LOOK = 5.0


def evidence(resource: Resource) -> str:
    """What shows that the launched application is there:

    return   pmf_managed is false: the command returns by itself, well; then the probe says healthy
    notify   it says READY=1
    probe    the probe says healthy
    grace    nothing can ask it: its tree has lived through start_grace
    """
    if not resource.pmf_managed:
        return "return"
    if resource.ready == "notify":
        return "notify"
    if resource.has_probe and not resource.is_told:
        return "probe"
    return "grace"


def next_look(look: float) -> float:
    """Seconds to the look after the one that was `look` seconds away."""
    return min(look * 2, LONGEST_LOOK)


def overrun(resource: Resource, seen: str) -> str:
    """What is said of a Start that was not done within start_timeout; `seen`: the last that was known."""
    said = f"; last seen: {seen}" if seen else ""
    return f"not available within {resource.start_timeout:g} s (start_timeout){said}"
