"""Resources of other groups that are needed here and live on other nodes: how they are, as those nodes report it."""

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
}


class Afar:
    """See the module."""

    def __init__(self, rgmd: Rgmd, member: Member) -> None:
        self._rgmd = rgmd
        self._member = member
        self._known: dict[str, tuple[Life, tuple[tuple[int, int], ...]]] = {}

    def view(self, name: str, resource: str, node: str) -> ResourceView:
        """How a resource is on the node that masters it (`node` "": on any). `name`: what it is called in the graph."""
        found = self._found(resource, node)
        app = self._rgmd.apps.get(resource)
        because = "" if found else f"no node masters {app.resource.group if app is not None else ''}"
        return ResourceView(name, _of(found), because)

    def look(self) -> None:
        """What is needed elsewhere may live otherwise now, or have been started anew while nobody looked."""
        for name, (resource, node) in self._rgmd.graph.far.items():
            found = self._found(resource, node)
            life, starts = _of(found), tuple([start for _, start in found])
            before, starts_before = self._known.get(name, (Life.OFFLINE, ()))
            self._known[name] = life, starts
            anew = life is before is Life.ONLINE and starts != starts_before
            if life is not before or anew:
                self._rgmd.changed_elsewhere(name, before, anew)

    def _found(self, resource: str, node: str) -> list[tuple[Life, tuple[int, int]]]:
        """Its life on each node that masters it, and what tells one start of it from another: the mastery's token, and
        the incarnation."""
        board = self._member.board
        app = self._rgmd.apps.get(resource)
        group = app.resource.group if app is not None else ""
        found = []
        for slot in board.holders(group):
            if node not in ("", slot.node):
                continue
            if slot.node == self._member.me and app is not None:
                found.append((app.view.life, (slot.token, app.incarnation)))
                continue
            report = board.report_of(slot.node, group)
            said, starts = report.get("resources"), report.get("incarnations")
            state = said.get(resource, ["OFFLINE"])[0] if isinstance(said, dict) else "OFFLINE"
            start = starts.get(resource, 0) if isinstance(starts, dict) else 0
            found.append((_LIVES.get(state, Life.OFFLINE), (slot.token, start)))
        return found


def _of(found: list[tuple[Life, tuple[int, int]]]) -> Life:
    """The best of them."""
    lives = [life for life, _ in found]
    return next((each for each in (Life.ONLINE, Life.STARTING, Life.STOPPING) if each in lives), Life.OFFLINE)
