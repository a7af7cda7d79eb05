"""What both forms of the library share: which resource it is about, and what never waits."""

from __future__ import annotations

from gds.dsdl import syslog
from gds.dsdl.handle import Handle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from gds.dsdl.values import Priority

DEBUG = 7
"""LOG_DEBUG."""


class About:
    """See the module."""

    def __init__(self, resource: str = "", group: str = "", *, socket: str = "") -> None:
        self._handle = Handle.of_environment(resource, group, socket)

    @classmethod
    def from_arguments(cls, argv: Sequence[str]) -> tuple[Self, list[str]]:
        """For methods and monitors of a registered type, called with -R resource -T type -G group; and the arguments
        that are left. Raises UsageError."""
        made = cls.__new__(cls)
        made._handle, rest = Handle.of_arguments(argv)
        return made, rest

    # -- who ----------------------------------------------------------------------------------------------------------

    @property
    def resource(self) -> str:
        """The name of the resource."""
        return self._handle.resource

    @property
    def group(self) -> str:
        """The name of its group."""
        return self._handle.group

    @property
    def type(self) -> str:
        """The name of its type."""
        return self._handle.type

    @property
    def tag(self) -> str:
        """What each line in the system log begins with: SC[type,group,resource,method]."""
        return self._handle.tag

    # -- logging ------------------------------------------------------------------------------------------------------

    def syslog(self, priority: Priority, text: str) -> None:
        """scds_syslog: one line to the system log under `tag`; to stderr where there is none."""
        syslog.write(self._handle, priority, text)

    def syslog_debug(self, level: int, text: str) -> None:
        """scds_syslog_debug: the same at DEBUG, when `debug_level` is at least `level` (1 to 9)."""
        if level <= self._handle.debug_level:
            syslog.write(self._handle, DEBUG, text)

    def log_to(self, debug_level: int = 0, socket: str = "") -> None:
        """How much syslog_debug lets through (0: nothing, 9: all), and another socket than /dev/log."""
        self._handle.debug_level = debug_level
        self._handle.log_socket = socket or self._handle.log_socket
