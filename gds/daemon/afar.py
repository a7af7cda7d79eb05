"""Resources of other groups that are needed here and live on other nodes: how they are, as those nodes report it.

How they are on this node is nobody's report: order.py looks at them beside it.
"""

from __future__ import annotations

from gds.rgm.resource import Life, ResourceView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.daemon.rgmd import Rgmd
    from gds.rgm.member import Member

_LIVES = {
    "ONLINE": Life.ONLINE,
    "ONLINE_NOT_MONITORED": Life.ONLINE,
    "MONITOR_FAILED": Life.ONLINE,
    "STARTING": Life.STARTING,
    "STOPPING": Life.STOPPING,
    "START_FAILED": Life.START_FAILED,
    "STOP_FAILED": Life.STOP_FAILED,
}
_BEST_FIRST = (Life.ONLINE, Life.STARTING, Life.STOPPING, Life.START_FAILED, Life.STOP_FAILED)


class Afar:
    """See the module."""

    def __init__(self, rgmd: Rgmd, member: Member) -> None:
        self._rgmd = rgmd
        self._member = member
        self._known: dict[str, tuple[Life, tuple[tuple[int, int], ...]]] = {}

    def view(self, name: str, resource: str, node: str) -> ResourceView | None:
        """How a resource is on the node that masters it (`node` "": on any other). `name`: what it is called in the
        graph. None: nobody but this node masters it."""
        found = self._found(resource, node)
        if not found:
            group = self._group(resource)
            is_here = not node and any(slot.node == self._member.me for slot in self._member.board.holders(group))
            return None if is_here else ResourceView(name, because=f"no node masters {group}")
        life = _of(found)
        return ResourceView(name, life, next(said for each, said, _ in found if each is life))

    def look(self) -> None:
        """What is needed elsewhere may live otherwise now, or have been started anew while nobody looked. What is seen
        for the first time is no news to who runs: the runner before this one has seen it."""
        if self._member.revision < 0:
            return
        for name, (resource, node) in self._rgmd.graph.far.items():
            found = self._found(resource, node)
            life, starts = _of(found), tuple([start for _, _, start in found])
            is_first = name not in self._known
            before, starts_before = self._known.get(name, (life, starts))
            self._known[name] = life, starts
            anew = life is before is Life.ONLINE and starts != starts_before
            if life is not before or anew or (is_first and life is Life.ONLINE):
                self._rgmd.changed_elsewhere(name, before, anew)

    def _found(self, resource: str, node: str) -> list[tuple[Life, str, tuple[int, int]]]:
        """Its life on each other node that masters it, what that node says, and what tells one start of it from
        another: the mastery's token, and the incarnation."""
        board = self._member.board
        group = self._group(resource)
        found = []
        for slot in board.holders(group):
            if slot.node == self._member.me or node not in ("", slot.node):
                continue
            report = board.report_of(slot.node, group)
            said, starts = report.get("resources"), report.get("incarnations")
            state = said.get(resource, ["OFFLINE"])[0] if isinstance(said, dict) else "OFFLINE"
            start = starts.get(resource, 0) if isinstance(starts, dict) else 0
            life = _LIVES.get(state, Life.OFFLINE)
            found.append((life, f"{slot.node} reports it {state}", (slot.token, start)))
        return found

    def _group(self, resource: str) -> str:
        app = self._rgmd.apps.get(resource)
        return app.resource.group if app is not None else ""


def _of(found: list[tuple[Life, str, tuple[int, int]]]) -> Life:
    """The best of them."""
    lives = [life for life, _, _ in found]
    return next((each for each in _BEST_FIRST if each in lives), Life.OFFLINE)
