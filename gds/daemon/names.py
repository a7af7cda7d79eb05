"""Who is meant: the names in a request, and what all who answer requests share."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.rgmd import Rgmd

    class Client(Protocol):
        """One connection."""

        uid: int
        pid: int

        def tell(self, message: dict[str, Any]) -> None: ...
        def done(self, code: int, message: str = "", **more: Any) -> None: ...


OK, FAILED, USAGE, NOT_RUNNING, UNKNOWN, BUSY, DENIED = 0, 1, 2, 3, 4, 75, 77
"""Exit statuses: design.md 4."""


def because_of(client: Client, verb: str) -> str:
    """The reason of what a person asked for."""
    who = "root" if client.uid == 0 else f"uid {client.uid}"
    return f"{verb} asked by {who}"


class Names:
    """Finds resources by their names and those of their groups."""

    def __init__(self, rgmd: Rgmd) -> None:
        self._rgmd = rgmd

    def named(self, client: Client, request: dict[str, Any], all_if_none: bool = False) -> list[App] | None:
        """Those named, a group standing for all of it; None: the client has been told what is wrong."""
        names = request.get("names") or []
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            client.done(USAGE, "cannot read the request: names is not a list of strings")
            return None
        apps = self._rgmd.apps
        if not names:
            if all_if_none:
                return list(apps.values())
            client.done(USAGE, "cannot act: no name is given")
            return None
        found: dict[str, App] = {}
        for name in names:
            if name in apps:
                found[name] = apps[name]
                continue
            members = {a.name: a for a in apps.values() if a.resource.group == name}
            if not members:
                client.done(
                    UNKNOWN,
                    f"cannot find {name}: no resource or group of this runner has that name" + self.nearest(name),
                    unknown=name,
                )
                return None
            found.update(members)
        return list(found.values())

    def known(self) -> set[str]:
        """All names of resources and groups."""
        return {a.name for a in self._rgmd.apps.values()} | {a.resource.group for a in self._rgmd.apps.values()}

    def nearest(self, name: str) -> str:
        """A question that helps who mistyped."""
        import difflib

        near = difflib.get_close_matches(name, sorted(self.known()), 1)
        return f"; did you mean {near[0]}?" if near else ""
