"""ResourceType: what an RTR file says of a type: its methods, its properties with their attributes, its upgrades.

Facts: semantics.md 14 and 18. Values only; an RTR file becomes one in `config/rtr.py`, the values a descriptor gives
are held against one in `config/typecheck.py`, and the calls of its methods are made in `methodcall.py`.

**Names.** A type is called `vendor.base`, and `vendor.base:version` when its RTR file has `#$upgrade`; without
Vendor_id the vendor and its dot are missing. Letter case never counts in a name, but is kept.

**Which version is the latest.** Runs of digits are compared as numbers, the rest as text: 1.10 is later than 1.9. The
time of registration does not count, so that two machines with the same types agree.
"""

from __future__ import annotations

from enum import StrEnum

from gds.model.tunable import Tunable
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    PropertyValue = str | bool | int | tuple[str, ...]
    """A STRING or ENUM, BOOLEAN, INT, STRINGARRAY."""


class PropertyType(StrEnum):
    """What a property holds (Sun: semantics.md 14.3)."""

    STRING = "STRING"
    BOOLEAN = "BOOLEAN"
    INT = "INT"
    ENUM = "ENUM"
    STRINGARRAY = "STRINGARRAY"


class UpgradeWhen(StrEnum):
    """When a resource may move to a newer version of its type (Sun: semantics.md 14.4)."""

    ANYTIME = "ANYTIME"
    WHEN_UNMONITORED = "WHEN_UNMONITORED"
    WHEN_OFFLINE = "WHEN_OFFLINE"
    WHEN_DISABLED = "WHEN_DISABLED"
    WHEN_UNMANAGED = "WHEN_UNMANAGED"
    AT_CREATION = "AT_CREATION"


METHODS = (
    *("Prenet_start", "Start", "Stop", "Postnet_stop", "Init", "Fini", "Boot", "Validate", "Update"),
    *("Monitor_start", "Monitor_stop", "Monitor_check"),
)
"""The callback methods, as Sun spells them (semantics.md 9.2)."""

FORBIDDEN_IN_VERSION = " \t/\\*?,;[]"
"""RT_version may not hold these (Sun: semantics.md 14.1)."""

NEWEST_API = 7
"""The newest API_version whose meaning is known (Sun: semantics.md 14.1); a type that needs a newer one is refused."""

INIT_NODES = ("RG_PRIMARIES", "RT_INSTALLED_NODES")
SYSDEFINED_TYPES = ("NONE", "LOGICAL_HOSTNAME", "SHARED_ADDRESS")


class PropertyDeclaration(Value):
    """One property of a type with its attributes (Sun: semantics.md 14.3). `default` None: a resource must give it.

    `minimum` and `maximum` bound an INT; `min_length` and `max_length` a STRING, or each element of a STRINGARRAY;
    `array_min` and `array_max` the number of elements. None: no bound. `enumlist` are the words of an ENUM.
    """

    name: str
    type: PropertyType
    extension: bool = False
    per_node: bool = False
    tunable: Tunable = Tunable.ANYTIME
    default: PropertyValue | None = None
    description: str = ""
    enumlist: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    array_min: int | None = None
    array_max: int | None = None

    @property
    def key(self) -> str:
        """Its name as a key of a descriptor."""
        return self.name.lower()


class Upgrade(Value):
    """One `#$upgrade_from` line: from which version ("" = one without a version, or one that is not listed)."""

    from_version: str
    when: UpgradeWhen


class ResourceType(Value):
    """All type properties of Sun's (semantics.md 14.1), and the declared properties of its resources.

    `methods` are pairs of a method's name (as in METHODS) and its path as written. `installed_nodes` and `rt_system`
    are an administrator's to set and never in an RTR file; empty `installed_nodes` are all nodes.
    """

    resource_type: str
    rt_version: str
    vendor_id: str = ""
    rt_description: str = ""
    api_version: int = 2
    rt_basedir: str = ""
    failover: bool = False
    single_instance: bool = False
    proxy: bool = False
    global_zone: bool = False
    init_nodes: str = "RG_PRIMARIES"
    installed_nodes: tuple[str, ...] = ()
    pkglist: tuple[str, ...] = ()
    rt_system: bool = False
    sysdefined_type: str = "NONE"
    methods: tuple[tuple[str, str], ...] = ()
    upgrade_aware: bool = False
    upgrades: tuple[Upgrade, ...] = ()
    declared: tuple[PropertyDeclaration, ...] = ()

    @property
    def unversioned(self) -> str:
        """`vendor.base`."""
        return f"{self.vendor_id}.{self.resource_type}" if self.vendor_id else self.resource_type

    @property
    def name(self) -> str:
        """The name it is registered under: with its version only when it has `#$upgrade` (semantics.md 18)."""
        return f"{self.unversioned}:{self.rt_version}" if self.upgrade_aware else self.unversioned

    @property
    def is_logical_hostname(self) -> bool:
        """Its resources are failover addresses."""
        return self.sysdefined_type == "LOGICAL_HOSTNAME"

    @property
    def is_shared_address(self) -> bool:
        """Its resources are addresses of scalable services."""
        return self.sysdefined_type == "SHARED_ADDRESS"

    def has(self, method: str) -> bool:
        """The type declares that method."""
        return any(name == method for name, _ in self.methods)

    def path_of(self, method: str) -> str:
        """The program of a method, RT_basedir before a relative path; empty when the type has no such method."""
        for name, path in self.methods:
            if name == method:
                return path if path.startswith("/") else f"{self.rt_basedir.rstrip('/')}/{path}"
        return ""


# -- finding a type by a name ---------------------------------------------------------------------------------------


class NoSuchType(Value):
    """Nobody is called so; `near` is the most likely meant name, or empty."""

    asked: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        listed = ", ".join(self.known[:8]) + (", ..." if len(self.known) > 8 else "")
        return f"no type {self.asked} is registered" + (f" (registered: {listed})" if listed else "")


class Ambiguous(Value):
    """Types of several vendors are called so."""

    asked: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.asked} may mean {' or '.join(self.names)}: name the vendor too"


def version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """A key to sort versions by: digits as numbers, other characters as text; digits come after text."""
    parts: list[tuple[int, int, str]] = []
    run = ""
    for character in version:
        if run and (character in _DIGITS) is not (run[0] in _DIGITS):
            parts.append(_part(run))
            run = ""
        run += character
    if run:
        parts.append(_part(run))
    return tuple(parts)


_DIGITS = frozenset("0123456789")


def _part(run: str) -> tuple[int, int, str]:
    # As many digits as one likes: their number and their text say the same as a number of unbounded size.
    stripped = run.lstrip("0")
    return (1, len(stripped), stripped) if run[0] in _DIGITS else (0, 0, run.lower())


def find_type(asked: str, types: Iterable[ResourceType]) -> ResourceType | NoSuchType | Ambiguous:
    """The type meant by `[vendor.]base[:version]`: the latest version when none is given.

    A name with a version is understood for a type without `#$upgrade` too. Two vendors with one base name: Ambiguous.
    """
    known = tuple(types)
    unversioned, colon, version = asked.partition(":")
    wanted = unversioned.lower()
    named = [
        t
        for t in known
        if wanted in (t.unversioned.lower(), t.resource_type.lower()) and (not colon or t.rt_version == version)
    ]
    exact = [t for t in named if t.unversioned.lower() == wanted] or named
    if not exact:
        return NoSuchType(asked, tuple(sorted([t.name for t in known])))
    if len({t.unversioned.lower() for t in exact}) > 1:
        return Ambiguous(asked, tuple(sorted({t.unversioned for t in exact})))
    return max(exact, key=lambda t: version_order(t.rt_version))


# -- upgrades -------------------------------------------------------------------------------------------------------


class Standing(Value):
    """How a resource stands at the moment it is to move to another version of its type.

    `monitored`: its monitor runs or would run; `online`: on any node; `enabled`; `managed`: its group is.
    """

    monitored: bool = True
    online: bool = True
    enabled: bool = True
    managed: bool = True


def upgrade_when(new: ResourceType, from_version: str) -> UpgradeWhen:
    """What the RTR file of the new version says of that old one; one not listed falls under the entry "", and
    without such an entry under WHEN_UNMANAGED (Sun: semantics.md 14.4)."""
    listed = {each.from_version: each.when for each in new.upgrades}
    return listed.get(from_version) or listed.get("") or UpgradeWhen.WHEN_UNMANAGED


def may_upgrade(new: ResourceType, from_version: str, standing: Standing) -> str:
    """Why a resource of `from_version` may not move to the type `new` now; empty: it may (Sun: semantics.md 14.4).

    A resource that is more at rest than asked for may: one that is offline is not monitored either, one that is
    disabled is offline, and nothing runs in an unmanaged group.
    """
    if not new.upgrade_aware:
        return f"cannot upgrade to {new.name}: its RTR file has no #$upgrade"
    if new.rt_version == from_version:
        return ""
    when = upgrade_when(new, from_version)
    managed = standing.managed
    enabled = managed and standing.enabled
    online = enabled and standing.online
    monitored = online and standing.monitored
    held, remedy = {
        UpgradeWhen.ANYTIME: (False, ""),
        UpgradeWhen.WHEN_UNMONITORED: (monitored, "it is monitored: unmonitor it first"),
        UpgradeWhen.WHEN_OFFLINE: (online, "it is online: stop it first"),
        UpgradeWhen.WHEN_DISABLED: (enabled, "it is enabled: disable it first"),
        UpgradeWhen.WHEN_UNMANAGED: (managed, "its group is managed: unmanage the group first"),
        UpgradeWhen.AT_CREATION: (True, "the resource is there: remove it and declare it anew"),
    }[when]
    if not held:
        return ""
    old = f"version {from_version}" if from_version else "one without a version"
    return f"cannot upgrade from {old} to {new.name}: that is allowed {when}, and {remedy}"
