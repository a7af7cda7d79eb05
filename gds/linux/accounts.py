"""Who a command runs as: names to numbers, looked up before the fork."""

from __future__ import annotations

import os

from gds.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.resource import Resource


def look_up(resource: Resource) -> tuple[int, int, tuple[int, ...] | None, str, str, str]:
    """(uid, gid, supplementary groups, name, home, shell); -1, None and "" for what is not asked for.

    Raises ConfigError for a user or group that does not exist.
    """
    if not (resource.user or resource.group_name or resource.supplementary_groups):
        return -1, -1, None, "", "", ""
    import grp
    import pwd

    uid = gid = -1
    groups: tuple[int, ...] | None = None
    name = home = shell = ""
    if resource.user:
        try:
            entry = pwd.getpwnam(resource.user) if not resource.user.isdigit() else pwd.getpwuid(int(resource.user))
        except KeyError:
            raise ConfigError(f"cannot run {resource.name} as {resource.user}: there is no such user") from None
        uid, gid, name, home, shell = entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir, entry.pw_shell
        groups = None if uid == os.geteuid() and uid != 0 else tuple(os.getgrouplist(name, gid))
    if resource.group_name:
        gid = _group(grp, resource.name, resource.group_name)
        if groups is None and os.geteuid() == 0:
            groups = (gid,)
    if resource.supplementary_groups:
        extra = tuple([_group(grp, resource.name, g) for g in resource.supplementary_groups])
        groups = tuple(dict.fromkeys((*(groups or ()), *extra)))
    return uid, gid, groups, name, home, shell


def _group(grp: object, resource: str, name: str) -> int:
    try:
        entry = grp.getgrgid(int(name)) if name.isdigit() else grp.getgrnam(name)  # type: ignore[attr-defined]
    except KeyError:
        raise ConfigError(f"cannot run {resource} with group {name}: there is no such group") from None
    return int(entry.gr_gid)
