"""Questions of the scha_…_get commands: one optag in, the lines of its value out. Sun: semantics.md 15.

Facts are read from the runner and nothing is changed. There is one node: its id is 1, and every question about "a node"
is about that one.
"""

from __future__ import annotations

from gds.model.restype import METHODS, Ambiguous, ResourceType, find_type
from gds.model.scha import Code
from gds.model.sunview import group_settings, shown
from gds.model.sysprops import SYSTEM, properties_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd
    from gds.model.resource import Group
    from gds.model.sunview import Shown

NODE_ID = "1"
DAEMON_FACILITY = "24"
"""LOG_DAEMON as syslog(3) and logger(1) have it."""
GENERIC = ("gds", "sunw.gds")


class Wrong(Exception):
    """It cannot be answered; `code` says why in Sun's terms."""

    def __init__(self, code: Code, because: str) -> None:
        super().__init__(because)
        self.code = code


class Query:
    """See the module."""

    def __init__(self, rgmd: Rgmd, groups: Groups, node: str, types: Callable[[], tuple[ResourceType, ...]]) -> None:
        self._rgmd = rgmd
        self._groups = groups
        self._node = node
        self._types = types
        self._built_in: tuple[ResourceType, ...] | None = None
        """The generic type, and that of network addresses."""

    def answer(self, verb: str, request: dict[str, Any]) -> tuple[str, ...]:
        """The lines of the value. Raises Wrong."""
        ask = {
            "scha.resource_get": self._of_resource,
            "scha.resourcegroup_get": self._of_group,
            "scha.resourcetype_get": self._of_type,
            "scha.cluster_get": self._of_cluster,
            "scha.failures": self._of_failures,
        }.get(verb)
        if ask is None:
            raise Wrong(Code.INVAL, f"this runner does not know {verb}")
        optag = request.get("optag", "")
        args = request.get("args", [])
        if not isinstance(optag, str) or not isinstance(args, list) or not all(isinstance(a, str) for a in args):
            raise Wrong(Code.INVAL, "the request makes no sense: optag and its arguments are strings")
        optag = optag.upper()
        lines = ask(optag, args, request)
        if args and not (optag.endswith(("_NODE", "_ZONE")) or optag in _WITH_ARGUMENT):
            raise Wrong(Code.INVAL, f"the optag wants no argument, and {args[0]} is given")
        return lines

    # -- names --------------------------------------------------------------------------------------------------------

    def resource(self, request: Mapping[str, Any]) -> App:
        """The resource asked about. Raises Wrong."""
        name, group = request.get("resource", ""), request.get("group", "")
        app = self._rgmd.apps.get(name) if isinstance(name, str) else None
        if app is None:
            raise Wrong(Code.RSRC, f"no resource is called {name}")
        if group and group != app.resource.group:
            if group not in self._group_names():
                raise Wrong(Code.RG, f"no group is called {group}")
            raise Wrong(Code.RSRC, f"{name} is not in group {group} but in {app.resource.group}")
        return app

    def kind_of(self, app: App) -> ResourceType:
        """The type of a resource."""
        if app.resource.typed is not None:
            return app.resource.typed.kind
        if self._built_in is None:
            self._built_in = self._types()[:2]
        return self._built_in[app.resource.is_address]

    def budget(self, app: App) -> tuple[int | None, float | None]:
        """Retry_count and Retry_interval; None for what its type does not declare."""
        keys = {each.key for each in properties_of(self.kind_of(app))}
        resource = app.resource
        return (
            resource.retry_count if "retry_count" in keys else None,
            resource.retry_interval if "retry_interval" in keys else None,
        )

    def _group_names(self) -> list[str]:
        return list(dict.fromkeys([*self._groups.declared, *[a.resource.group for a in self._rgmd.apps.values()]]))

    def _on(self, args: list[str]) -> None:
        """The one argument names this node. Raises Wrong."""
        if _one(args, "a node") not in (self._node, NODE_ID):
            raise Wrong(Code.NODE, f"there is no node {args[0]}; this one is {self._node}, and there is no other")

    # -- resources ----------------------------------------------------------------------------------------------------

    def _of_resource(self, optag: str, args: list[str], request: Mapping[str, Any]) -> tuple[str, ...]:
        app = self.resource(request)
        kind = self.kind_of(app)
        qualified = request.get("qualified") is True
        for ending in ("_NODE", "_ZONE"):
            if optag.endswith(ending) and optag.removesuffix(ending) in _PER_NODE:
                self._on(args)
                return self._live(app, optag.removesuffix(ending))
        if optag in _PER_NODE:
            return self._live(app, optag)
        if optag == "EXTENSION_NODE":
            if len(args) != 2:
                raise Wrong(Code.INVAL, "the optag wants the name of a property and a node")
            self._on(args[1:])
            return self._extension(app, kind, args[0], qualified)
        if optag == "EXTENSION":
            return self._extension(app, kind, _one(args, "the name of a property"), qualified)
        if optag == "ALL_EXTENSIONS":
            return tuple([each.name for each in properties_of(kind) if each.extension])
        fixed = {
            "GROUP": app.resource.group,
            "RESOURCE_NAME": app.name,
            "TYPE": kind.name,
            "TYPE_VERSION": kind.rt_version,
        }
        if optag in fixed:
            return (fixed[optag],)
        found = self._shown(app, kind, optag, qualified)
        if found is not None and not found.declaration.extension:
            return found.lines
        if optag.lower() in SYSTEM or found is not None:
            meant = "; it is an extension property: -O EXTENSION" if found is not None else ""
            raise Wrong(Code.PROP, f"a resource of type {kind.name} has no property {optag}{meant}")
        of_type = self._type_value(kind, optag)
        if of_type is None:
            raise Wrong(Code.TAG, f"there is no optag {optag} for a resource")
        return of_type

    def _shown(self, app: App, kind: ResourceType, name: str, qualified: bool) -> Shown | None:
        return shown(app.resource, kind, name.lower(), qualified, self._node)

    def _extension(self, app: App, kind: ResourceType, name: str, qualified: bool) -> tuple[str, ...]:
        found = self._shown(app, kind, name, qualified)
        if found is None or not found.declaration.extension:
            hint = "; it is system-defined: ask for it by its own optag" if found is not None else ""
            raise Wrong(Code.PROP, f"a resource of type {kind.name} has no extension property {name}{hint}")
        return (found.declaration.type.value, *found.lines)

    def _live(self, app: App, optag: str) -> tuple[str, ...]:
        rgmd, view = self._rgmd, app.view
        if optag == "STATUS":
            return (view.status.value, view.status_msg.replace("\n", " "))
        if optag == "RESOURCE_STATE":
            return (rgmd.public(app).value,)
        if optag == "STATUS_MSG":
            return (view.status_msg.replace("\n", " "),)
        if optag in ("ON_OFF_SWITCH", "MONITORED_SWITCH"):
            return ("ENABLED" if (app.enabled if optag == "ON_OFF_SWITCH" else app.monitored) else "DISABLED",)
        _count, interval = self.budget(app)
        if interval is None:
            raise Wrong(Code.PROP, f"{optag} is not there: its type declares no Retry_interval")
        window = app.history.restarts if optag == "NUM_RESOURCE_RESTARTS" else app.rg_restarts
        return (str(window.count(interval, rgmd.loop.now())),)

    def _of_failures(self, _optag: str, _args: list[str], request: Mapping[str, Any]) -> tuple[str, ...]:
        """For gds.dsdl, whose monitors add up failures themselves: restarts that count, as NUM_RESOURCE_RESTARTS, and
        how many seconds ago all failures were forgotten last."""
        app = self.resource(request)
        return (*self._live(app, "NUM_RESOURCE_RESTARTS"), repr(self._rgmd.loop.now() - app.forgiven_at))

    # -- groups -------------------------------------------------------------------------------------------------------

    def _of_group(self, optag: str, args: list[str], request: Mapping[str, Any]) -> tuple[str, ...]:
        name = request.get("group", "")
        if name not in self._group_names():
            raise Wrong(Code.RG, f"no group is called {name}")
        if optag in ("RG_STATE", "RG_STATE_NODE"):
            if optag == "RG_STATE_NODE":
                self._on(args)
            return (self._groups.state(name).value,)
        if optag == "RESOURCE_LIST":
            return tuple([app.name for app in self._rgmd.apps.values() if app.resource.group == name])
        group = self._groups.declared.get(name)
        if optag == "NODELIST":
            return (group.nodelist if group is not None else ()) or (self._node,)
        if optag == "SUSPEND_AUTOMATIC_RECOVERY":
            return (_boolean(name in self._rgmd.suspended),)
        return _group_value(group, name, optag)

    # -- types --------------------------------------------------------------------------------------------------------

    def _of_type(self, optag: str, _args: list[str], request: Mapping[str, Any]) -> tuple[str, ...]:
        asked = str(request.get("type", ""))
        known = self._types()
        found = find_type("gds" if asked.lower() in GENERIC else asked, known)
        if not isinstance(found, ResourceType):
            raise Wrong(Code.RT, str(found) if isinstance(found, Ambiguous) else f"no type is called {asked}")
        value = self._type_value(found, optag)
        if value is None:
            raise Wrong(Code.TAG, f"there is no optag {optag} for a type")
        return value

    def _type_value(self, kind: ResourceType, optag: str) -> tuple[str, ...] | None:
        """A property of a type; None: there is none of that name."""
        method = next((each for each in METHODS if each.upper() == optag), "")
        if method:
            declared = dict(kind.methods)
            return (declared.get(method, ""),)
        if optag == "RESOURCE_LIST":
            return tuple([app.name for app in self._rgmd.apps.values() if self.kind_of(app) == kind])
        if optag == "INSTALLED_NODES":
            return kind.installed_nodes or (self._node,)
        if optag == "PKGLIST":
            return kind.pkglist
        plain: dict[str, object] = {
            "API_VERSION": kind.api_version,
            "FAILOVER": kind.failover,
            "GLOBAL_ZONE": kind.global_zone,
            "INIT_NODES": kind.init_nodes,
            "IS_LOGICAL_HOSTNAME": kind.is_logical_hostname,
            "IS_SHARED_ADDRESS": kind.is_shared_address,
            "PROXY": kind.proxy,
            "RT_BASEDIR": kind.rt_basedir,
            "RT_DESCRIPTION": kind.rt_description,
            "RT_SYSTEM": kind.rt_system,
            "RT_VERSION": kind.rt_version,
            "SINGLE_INSTANCE": kind.single_instance,
        }
        if optag not in plain:
            return None
        value = plain[optag]
        return (_boolean(value) if isinstance(value, bool) else str(value),)

    # -- the cluster --------------------------------------------------------------------------------------------------

    def _of_cluster(self, optag: str, args: list[str], _request: Mapping[str, Any]) -> tuple[str, ...]:
        node = (self._node,)
        if optag == "ALL_RESOURCEGROUPS":
            return tuple(self._group_names())
        if optag == "ALL_RESOURCETYPES":
            return tuple([each.name for each in self._types()])
        if optag == "ALL_NONGLOBAL_ZONES":
            return ()
        if optag == "NODENAME_NODEID":
            if _one(args, "a node id") != NODE_ID:
                raise Wrong(Code.NODE, f"there is no node id {args[0]}; this node is {NODE_ID}, and there is no other")
            return node
        if optag in ("NODEID_NODENAME", "NODESTATE_NODE", "PRIVATELINK_HOSTNAME_NODE"):
            self._on(args)
        answers = {
            "ALL_NODEIDS": (NODE_ID,),
            "ALL_NODENAMES": node,
            "ALL_PRIVATELINK_HOSTNAMES": node,
            "CLUSTERNAME": node,
            "NODEID_LOCAL": (NODE_ID,),
            "NODEID_NODENAME": (NODE_ID,),
            "NODENAME_LOCAL": node,
            "NODESTATE_LOCAL": ("UP",),
            "NODESTATE_NODE": ("UP",),
            "PRIVATELINK_HOSTNAME_LOCAL": node,
            "PRIVATELINK_HOSTNAME_NODE": node,
            "SYSLOG_FACILITY": (DAEMON_FACILITY,),
            "ZONE_LOCAL": ("global",),
        }
        if optag not in answers:
            raise Wrong(Code.TAG, f"there is no optag {optag} for the cluster")
        return answers[optag]


_PER_NODE = frozenset(
    (
        *("RESOURCE_STATE", "STATUS", "STATUS_MSG", "ON_OFF_SWITCH", "MONITORED_SWITCH"),
        *("NUM_RG_RESTARTS", "NUM_RESOURCE_RESTARTS"),
    )
)


_WITH_ARGUMENT = frozenset(("EXTENSION", "NODENAME_NODEID", "NODEID_NODENAME"))


def _group_value(group: Group | None, name: str, optag: str) -> tuple[str, ...]:
    """A property of a group. Raises Wrong."""
    from gds.model.resource import Group

    known = group if group is not None else Group(name)
    given: dict[str, object] = {each.name.upper(): each.value for each in group_settings(known)}
    value = {**_UNUSED, **given, "RG_NAME": name}.get(_ALIASES.get(optag, optag))
    if value is None:
        raise Wrong(Code.TAG, f"there is no optag {optag} for a group")
    if isinstance(value, tuple):
        return value
    return (_boolean(value) if isinstance(value, bool) else str(value),)


_ALIASES = {"IMPL_NET_DEPEND": "IMPLICIT_NETWORK_DEPENDENCIES"}
_UNUSED: dict[str, object] = {
    "RG_IS_FROZEN": False,
    "LOAD_FACTORS": (),
    "PRIORITY": 500,
    "PREEMPTION_MODE": "Has_Cost",
    "RG_SLM_TYPE": "manual",
    "RG_SLM_CPU_SHARES": 1,
    "RG_SLM_PSET_TYPE": "default",
    "RG_SLM_PSET_MIN": 0,
}
"""Properties of a group that nobody can give it here: Sun's defaults (semantics.md 13)."""


def _boolean(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _one(args: list[str], what: str) -> str:
    if len(args) != 1:
        raise Wrong(Code.INVAL, f"the optag wants {what} after the options")
    return args[0]
