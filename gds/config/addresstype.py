"""LogicalHostname as a resource type like any other, made from the one table of properties when it is asked for.

`gds rt show LogicalHostname --rtr` prints it as an RTR file. Sun: SUNW.LogicalHostname(5).
"""

from __future__ import annotations

from gds import __version__
from gds.config.addressed import FOREIGN
from gds.config.generictype import declarations
from gds.model.hostname import METHODS as PROGRAMS
from gds.model.names import ADDRESS_TYPES
from gds.model.properties import RESOURCE
from gds.model.restype import METHODS, ResourceType

NAME, ALIAS = ADDRESS_TYPES
BUILT_IN = "/built-in/LogicalHostname"
COMMENT = (
    "Network addresses that go where their group goes, as gds " + __version__ + " brings them up and takes them down.",
    "Made from the table of properties by: gds rt show LogicalHostname --rtr",
    "Its methods are parts of gds: the paths below lead to no program.",
)
_MONITOR = ("Monitor_start", "Monitor_stop")
_NO_TIME = ("init", "boot", "fini", "update")
"""Methods it has not, and so no time for them either."""


def address_type() -> ResourceType:
    """The type of network addresses. It has what every resource has, but for what only an application can use."""
    own = {f"{name.lower()}_command" for name in METHODS} & set(PROGRAMS)
    known = [
        each
        for each in RESOURCE
        if each.supported
        and each.of in ("", NAME)
        and each.name not in FOREIGN
        and each.name != "ready"
        and each.kind != "command"
        and each.name not in [f"{name}_timeout" for name in _NO_TIME]
    ]
    return ResourceType(
        resource_type=NAME,
        rt_version=__version__,
        rt_description="Network addresses that go where their group goes",
        api_version=7,
        failover=True,
        rt_basedir=BUILT_IN,
        sysdefined_type="LOGICAL_HOSTNAME",
        methods=tuple([(m, m.lower()) for m in METHODS if m in _MONITOR or f"{m.lower()}_command" in own]),
        declared=declarations(known),
    )
