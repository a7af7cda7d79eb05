"""When the guard kills: what the runner, if it is there to see it, makes of that.

Facts: the guard's count of kills, the end of the tenure. A death the guard brought about is none of the application's;
the groups come up again, where they may, as if they had been stopped. What has to be tidied up by methods of ours (a
stop_command, Postnet_stop) waits until the guard has found nothing more and can rest: whatever runs past the deadline
is killed, our own methods too.
"""

from __future__ import annotations

from gds.rgm.events import StopAsked
from gds.rgm.life import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.world import Deadline
    from gds.rgm.mastery import Masteries
    from gds.rgm.member import Member
    from gds.rgm.nodeorders import Offline

LOOK = 0.05
"""Seconds between two looks at whether the guard has found nothing more."""
SURELY = 0.3
"""Seconds after the deadline in which a guard that has something to kill has killed something."""
MOST_TOLD = 20
"""Resources of a group in whose history it is written."""
TOO_LONG = 3.0
"""Seconds after which our methods are run although something is left: somebody has to say so."""


def tell_before(rgmd: Rgmd, groups: Groups, tokens: Iterable[str]) -> None:
    """The groups that this node had under the runner before this one, and whose tenure ended while nobody was here to
    see it: each of their resources tells so, for it is one of them that will be asked why."""
    because = (
        "this node's tenure ended while no runner was here: what ran of it was killed, and another may have taken it"
    )
    for group in tokens:
        rgmd.log.warning(because, group=group)
        for app in groups.apps(group)[:MOST_TOLD]:
            rgmd.kept.decided(app, "cluster", because)


class Aftermath:
    """See the module. `look`: the cluster is looked at again; `offline`: carry out such an order."""

    def __init__(
        self,
        rgmd: Rgmd,
        guard: Deadline,
        member: Member,
        masteries: Masteries,
        boottime: Callable[[], float],
        look: Callable[[], None],
        offline: Callable[[Offline], None],
    ) -> None:
        self._rgmd = rgmd
        self._guard = guard
        self._member = member
        self._masteries = masteries
        self._boottime = boottime
        self._look = look
        self._offline = offline
        self._kills = guard.killed()[0]
        self._since = 0.0
        """When the tenure was seen to be over; 0.0: it is not, or all is tidied up."""
        self._kills_then = self._kills
        self._held_back: list[Offline] = []

    def explains(self, app: App) -> bool:
        """This death is the guard's doing, or is about to be told as such."""
        return self._guard.killed()[0] != self._kills or not self._member.may_run(self._boottime())

    def hear(self) -> None:
        """At each turn: has it killed?"""
        count, at = self._guard.killed()
        if count == self._kills:
            return
        if not self._since:
            ran = any(app.view.life is not Life.OFFLINE for app in self._rgmd.apps.values())
            met = "what ran here" if ran else "a process of the runner's own, begun after the deadline"
            self._rgmd.log.warning(f"the guard has killed {met}, {self._boottime() - at:.2f} s ago")
            self._begin(self._kills)
        self._kills = count
        self._masteries.killed(f"the guard has killed it: {self._member.lost()}")
        for app in self._rgmd.apps.values():
            self._rgmd.purge(app)

    def holds_back(self, order: Offline) -> bool:
        """The guard is at it: the order waits until it is done."""
        now = self._boottime()
        if not self._guard.pid or now < self._guard.deadline() or not self._guard.deadline():
            return False
        if not self._since:
            self._begin(self._kills)
        self._held_back.append(order)
        return True

    def _begin(self, kills: int) -> None:
        self._since, self._kills_then = self._boottime(), kills
        self._rgmd.loop.after(LOOK, self._tidy_up)

    def _tidy_up(self) -> None:
        now = self._boottime()
        over = now - self._since
        if self._member.may_run(now) or not self._guard.pid or over >= TOO_LONG:
            self._end()
        elif self._is_done(over):
            # nothing runs, and nothing may be started: it may rest while our methods run
            self._guard.disarm()
            self._end()
        else:
            self._rgmd.loop.after(LOOK, self._tidy_up)

    def _is_done(self, over: float) -> bool:
        """The guard has looked since the deadline, found nothing more, and so do we."""
        if not self._guard.is_quiet() or (self._guard.killed()[0] == self._kills_then and over < SURELY):
            return False
        return not any(app.tree is not None and app.tree.members() for app in self._rgmd.apps.values())

    def _end(self) -> None:
        self._since = 0.0
        orders, self._held_back = self._held_back, []
        for order in orders:
            self._offline(order)
        for app in self._rgmd.apps.values():
            if app.view.life is Life.STOP_FAILED:
                self._rgmd.submit(app, StopAsked("once more, for the guard has killed everything meanwhile"))
        self._look()
