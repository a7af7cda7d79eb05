"""The properties that Sun's RGM defines by itself, with what it says of them where an RTR file says nothing.

Facts: semantics.md 11. An RTR file may give such a property other bounds, another default and another tunability, but
no type and no description. Whether a resource has one depends on its presence, a word of ours for Sun's categories:

- ALWAYS: every resource has it.
- METHOD: the timeout of a method; there when the type declares the method.
- SCALABLE: there when the RTR file declares it, or declares Scalable.
- DECLARED: there only when the RTR file declares it ("conditional"); without a Default a resource must give it.
- RGM: the RGM's own; neither an RTR file nor a resource gives it.
"""

from __future__ import annotations

from enum import StrEnum

from gds.model.restype import METHODS, PropertyDeclaration, PropertyType, ResourceType
from gds.model.tunable import Tunable
from gds.model.value import Value

ANYTIME, WHEN_DISABLED, AT_CREATION = Tunable.ANYTIME, Tunable.WHEN_DISABLED, Tunable.AT_CREATION
STRING, BOOLEAN, INT = PropertyType.STRING, PropertyType.BOOLEAN, PropertyType.INT
ENUM, STRINGARRAY = PropertyType.ENUM, PropertyType.STRINGARRAY


class Presence(StrEnum):
    """When a resource has the property (see above)."""

    ALWAYS = "ALWAYS"
    METHOD = "METHOD"
    SCALABLE = "SCALABLE"
    DECLARED = "DECLARED"
    RGM = "RGM"


class SystemProperty(Value):
    """One of them; `seconds`: an INT that counts seconds."""

    declaration: PropertyDeclaration
    presence: Presence
    seconds: bool = False
    method: str = ""


_D = PropertyDeclaration
_SWITCH = ("DISABLED", "ENABLED")
LONGEST_METHOD = 3600
"""Seconds a method may take when neither the RTR file nor the resource says how long."""


def _rgm(name: str, kind: PropertyType = STRING, words: tuple[str, ...] = ()) -> SystemProperty:
    return SystemProperty(_D(name, kind, tunable=Tunable.NONE, enumlist=words), Presence.RGM)


_ALL: tuple[SystemProperty, ...] = (
    *[
        SystemProperty(
            _D(f"{method}_timeout", INT, default=LONGEST_METHOD, minimum=1),
            Presence.METHOD,
            seconds=True,
            method=method,
        )
        for method in METHODS
    ],
    SystemProperty(
        _D(
            "Failover_mode",
            ENUM,
            default="NONE",
            enumlist=("NONE", "SOFT", "HARD", "RESTART_ONLY", "LOG_ONLY"),
        ),
        Presence.ALWAYS,
    ),
    SystemProperty(_D("R_description", STRING, default=""), Presence.ALWAYS),
    SystemProperty(_D("Resource_dependencies", STRINGARRAY, default=()), Presence.ALWAYS),
    SystemProperty(_D("Resource_dependencies_weak", STRINGARRAY, default=()), Presence.ALWAYS),
    SystemProperty(_D("Resource_dependencies_restart", STRINGARRAY, default=()), Presence.ALWAYS),
    SystemProperty(_D("Resource_dependencies_offline_restart", STRINGARRAY, default=()), Presence.ALWAYS),
    SystemProperty(_D("Resource_project_name", STRING, default=""), Presence.ALWAYS),
    SystemProperty(_D("Cheap_probe_interval", INT, tunable=WHEN_DISABLED), Presence.DECLARED, seconds=True),
    SystemProperty(_D("Thorough_probe_interval", INT, tunable=WHEN_DISABLED), Presence.DECLARED, seconds=True),
    SystemProperty(_D("Retry_count", INT, tunable=WHEN_DISABLED), Presence.DECLARED),
    SystemProperty(_D("Retry_interval", INT, tunable=WHEN_DISABLED), Presence.DECLARED, seconds=True),
    SystemProperty(_D("Global_zone_override", BOOLEAN, tunable=AT_CREATION, default=False), Presence.DECLARED),
    SystemProperty(_D("Scalable", BOOLEAN, tunable=AT_CREATION, default=False), Presence.DECLARED),
    SystemProperty(_D("Affinity_timeout", INT, default=0, minimum=-1), Presence.SCALABLE, seconds=True),
    SystemProperty(_D("Conn_threshold", INT, tunable=WHEN_DISABLED, default=10000), Presence.SCALABLE),
    SystemProperty(_D("Generic_affinity", BOOLEAN, tunable=WHEN_DISABLED, default=False), Presence.SCALABLE),
    SystemProperty(_D("Load_balancing_policy", STRING, tunable=AT_CREATION, default="LB_WEIGHTED"), Presence.SCALABLE),
    SystemProperty(_D("Load_balancing_weights", STRINGARRAY, default=()), Presence.SCALABLE),
    SystemProperty(_D("Network_resources_used", STRINGARRAY, default=()), Presence.SCALABLE),
    SystemProperty(_D("Port_list", STRINGARRAY), Presence.SCALABLE),
    SystemProperty(_D("Round_robin", BOOLEAN, tunable=WHEN_DISABLED, default=False), Presence.SCALABLE),
    SystemProperty(_D("UDP_affinity", BOOLEAN, tunable=WHEN_DISABLED, default=False), Presence.SCALABLE),
    SystemProperty(_D("Weak_affinity", BOOLEAN, tunable=WHEN_DISABLED, default=False), Presence.SCALABLE),
    _rgm("Monitored_switch", ENUM, _SWITCH),
    _rgm("On_off_switch", ENUM, _SWITCH),
    _rgm("Num_resource_restarts", INT),
    _rgm("Num_rg_restarts", INT),
    _rgm("Resource_name"),
    _rgm("Resource_state"),
    _rgm("Status"),
    _rgm("Status_msg"),
    _rgm("Type"),
    _rgm("Type_version"),
)

SYSTEM: dict[str, SystemProperty] = {each.declaration.key: each for each in _ALL}
"""All of them by their names in lower case."""


def properties_of(kind: ResourceType) -> tuple[PropertyDeclaration, ...]:
    """Every property a resource of that type has: what is there by itself, then what the RTR file declares.

    Port_list that is there only because of Scalable may be empty; one that is declared without Default is required.
    """
    declared = {each.key for each in kind.declared}
    scalable = "scalable" in declared
    implied = []
    for key, system in SYSTEM.items():
        if key in declared:
            continue
        if system.presence is Presence.ALWAYS or (system.presence is Presence.METHOD and kind.has(system.method)):
            implied.append(system.declaration)
        elif system.presence is Presence.SCALABLE and scalable:
            made = system.declaration
            implied.append(made if made.default is not None else made.replace(default=()))
    present = [each for each in kind.declared if not _idle(kind, each)]
    return (*implied, *present)


def _idle(kind: ResourceType, declaration: PropertyDeclaration) -> bool:
    """The timeout of a method that the type does not have."""
    system = SYSTEM.get(declaration.key)
    return system is not None and bool(system.method) and not kind.has(system.method)
