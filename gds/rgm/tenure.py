"""How long a node of a cluster may run what it runs without hearing from the store, and when another may take over.

A renewal of the node's record that was *sent* at T and committed lets the node run until T + L - M; at that instant the
guard (linux/guard.py) kills everything. Another node that has seen the record unmoved for 1.01 L may fence it. Why that
is safe: the other one cannot have seen the record before it was committed, and that was not before T. So it fences not
before T + 1.01 L of its own clock, which is after T + L of the owner's, as long as the rates of the two differ by less
than 1 %; and everything was dead by T + L - M + `KILL`. No instant of one clock is ever compared with one of another.
All instants are CLOCK_BOOTTIME seconds of the node that asks (it counts while the machine is suspended).

What a resource's Stop may take does not enter: a Stop that is longer than the grace ends with the kill.
"""

from __future__ import annotations

from gds.model.value import Value

ELECTION = 2.2
"""Seconds in which a store that lost its leader commits nothing (etcd 3.4 and 3.5 with defaults: 1.3 to 2.2)."""
KILL = 0.6
"""Seconds from the deadline until nothing runs here and no address is held any more: the guard wakes up (0.05), kills
and reaps (0.5), removes addresses. The margin may not be smaller."""
DRIFT = 1.01
"""A candidate waits so many times L: two clocks' rates may differ by 1 %. (Real ones differ by less than 0.05 %.)"""
ATTEMPTS = 3
"""So many lost requests in a row stop nothing."""

_ROUNDING = 1e-9


class Tenure(Value):
    """What the last renewal that was committed allows. `sent_at` is when it was sent, never when its answer came."""

    lifetime: float
    margin: float
    grace: float
    sent_at: float

    @property
    def until(self) -> float:
        """The guard's deadline: from then on nothing may run here."""
        return self.sent_at + self.lifetime - self.margin

    @property
    def stop_at(self) -> float:
        """From then on everything is stopped in order, as far as it can be before `until`."""
        return self.until - self.grace

    def renewed(self, sent_at: float) -> Tenure:
        """A renewal sent then was committed. An answer that comes late takes nothing back."""
        return self.replace(sent_at=sent_at) if sent_at > self.sent_at else self

    def may_run(self, now: float) -> bool:
        """Something may run here, and be started."""
        return now < self.until

    def must_stop(self, now: float) -> bool:
        """It is time to stop everything."""
        return now >= self.stop_at

    def fence_after(self, seen_at: float, theirs: float = 0.0) -> float:
        """When a record may be fenced that is as it was seen at `seen_at`. `theirs`: the L of its owner, if that is
        known and another than ours; the longer one counts."""
        return seen_at + DRIFT * max(self.lifetime, theirs)


def refusal(lifetime: float, renew: float, attempt: float, margin: float, grace: float) -> str:
    """Why a cluster cannot be run with these times (seconds); "" = it can.

    Neither three lost attempts nor one election of the store's leader may ever stop an application.
    """
    for name, value in (("lifetime", lifetime), ("renew", renew), ("attempt", attempt)):
        if not value > 0:
            return f"cannot keep a node's tenure: {name} is {value:g} s; it must be more than 0"
    if grace < 0:
        return f"cannot keep a node's tenure: grace is {grace:g} s; it must be 0 or more"
    if margin < KILL:
        return (
            f"cannot keep a node's tenure: margin is {margin:g} s; to wake up, to kill everything and to remove the "
            f"addresses takes up to {KILL:g} s"
        )
    lost = max(ATTEMPTS * attempt, ELECTION + attempt)
    needed = renew + lost + margin + grace
    if needed <= lifetime + _ROUNDING:
        return ""
    why = (
        f"{ATTEMPTS} attempts of {attempt:g}"
        if lost > ELECTION + attempt
        else f"an election of etcd's leader {ELECTION:g} + one attempt {attempt:g}"
    )
    return (
        f"cannot keep a node's tenure: renew {renew:g} + {why} + margin {margin:g} + grace {grace:g} = {needed:g} s "
        f"is more than lifetime {lifetime:g} s; make lifetime at least {needed:g}, or the others smaller"
    )
