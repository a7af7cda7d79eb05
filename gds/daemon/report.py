"""Reports: what people and programs are shown, computed when asked, never stored. `gds status --json`, version 1."""

from __future__ import annotations

from gds.model.state import ResourceState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd

SCHEMA = 1
UP = (ResourceState.ONLINE, ResourceState.ONLINE_NOT_MONITORED, ResourceState.MONITOR_FAILED)


def of_resource(rgmd: Rgmd, app: App, stamp: Callable[[float], str]) -> dict[str, Any]:
    """One resource."""
    resource = app.resource
    now = rgmd.loop.now()
    span = resource.retry_interval
    state = rgmd.public(app)
    pids = app.tree.members() if app.tree is not None else []
    main = app.tree.main_pid if app.tree is not None and app.tree.main_alive else 0
    probe = None
    if app.probe_score >= 0:
        probe = {
            "score": app.probe_score,
            "sum": app.history.total(span, now),
            "seconds": round(app.probe_seconds, 6),
            "at": stamp(app.probe_at_wall),
            "message": app.probe_message,
        }
    return {
        "name": app.name,
        "group": resource.group,
        "type": resource.type,
        "state": state.value,
        "status": app.view.status.value,
        "status_msg": app.view.status_msg,
        "enabled": app.enabled,
        "monitored": app.monitored,
        "incarnation": app.incarnation,
        # of one that daemonised, the eldest that is left
        "main_pid": main or (pids[0] if pids else None),
        "pids": pids,
        "online_since": stamp(app.online_since_wall) if state in UP and app.online_since_wall else None,
        "restarts": {
            "done": app.history.done(span, now),
            "limit": resource.retry_count,
            "interval_seconds": float(span),
        },
        "probe": probe,
        "because": app.view.why,
    }


def of_groups(rgmd: Rgmd, groups: Groups, apps: Iterable[App], stamp: Callable[[float], str]) -> list[dict[str, Any]]:
    """The groups of these resources, in the order of the descriptors. Of a group with some resources named, the state
    is that of all."""
    members_of: dict[str, list[App]] = {}
    for app in apps:
        members_of.setdefault(app.resource.group, []).append(app)
    made = []
    for name, members in members_of.items():
        state = groups.state(name, members if len(members) == groups.size(name) else None)
        latest = max(members, key=lambda a: a.view.at)
        made.append(
            {
                "name": name,
                "state": state.value,
                "because": latest.view.why,
                **groups.facts(name),
                "resources": [of_resource(rgmd, a, stamp) for a in members],
            }
        )
    return made
