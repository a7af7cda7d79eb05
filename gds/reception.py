"""The control socket, and who answers what is asked there: the receptionist, the desk of nametags (pmf.…), the RMAPI
(scha.…)."""

from __future__ import annotations

import os

from gds.api.server import Server
from gds.daemon.receptionist import Receptionist
from gds.errors import ConfigError, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.api.server import Connection
    from gds.daemon.groups import Groups
    from gds.daemon.house import House
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.rmapi import Rmapi
    from gds.ground import Ground
    from gds.late import LateTags
    from gds.model.restype import ResourceType


class Reception:
    """See the module."""

    def __init__(
        self, ground: Ground, rgmd: Rgmd, groups: Groups, house: House, tags: LateTags, handed: dict[str, Any] | None
    ) -> None:
        """Opens the socket. `handed`: by the runner before us. Raises EngineError, ConfigError when that cannot be."""
        self._ground = ground
        self._rgmd = rgmd
        self._groups = groups
        self._house = house
        self._tags = tags
        self._rmapi: Rmapi | None = None
        settings = ground.settings
        group = -1
        if settings.socket_group:
            import grp

            try:
                group = grp.getgrnam(settings.socket_group).gr_gid
            except KeyError:
                ground.log.error(f"cannot give the socket to group {settings.socket_group}: there is no such group")
        self.server = Server(ground.loop, settings.socket, group, self._answer, handed)
        self.receptionist = Receptionist(rgmd, groups, house, os.geteuid())

    def _answer(self, client: Connection, request: dict[str, Any]) -> None:
        if request["verb"].startswith("pmf."):
            self._tags.answer(client, request, self._house.stopping)
        elif request["verb"].startswith("scha."):
            self._ask_rmapi(client, request)
        else:
            self.receptionist.answer(client, request)

    def _ask_rmapi(self, client: Connection, request: dict[str, Any]) -> None:
        if self._rmapi is None:
            from gds.daemon.rmapi import Rmapi

            node = self._ground.settings.node
            self._rmapi = Rmapi(self._rgmd, self._groups, self._house, os.geteuid(), node, self._types)
        self._rmapi.answer(client, request)

    def _types(self) -> tuple[ResourceType, ...]:
        """The registered types as they are now, the generic one first, then that of network addresses."""
        from gds.config.registry import load_registry

        return tuple([each.type for each in load_registry(self._ground.state_dir, os.geteuid()).types])

    def keep_place(self) -> None:
        """Make the socket anew when somebody removed or replaced it, and say so."""
        if self.server.is_in_place:
            return
        log, path = self._ground.log, self.server.path
        try:
            self.server.replace()
        except (EngineError, ConfigError) as error:
            log.error(f"{error}; applications run, but nobody can ask or tell this runner anything")
        else:
            log.warning(f"the control socket {path} was not in its place any more: made anew")

    def close(self) -> None:
        """The runner ends."""
        self.server.close()
