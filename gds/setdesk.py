"""Composition of the desk where properties are changed and asked for; loaded by a runner that is first asked to."""

from __future__ import annotations

from gds.daemon.setting import Setting
from gds.linux import clock
from gds.linux.setfile import SetFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.groups import Groups
    from gds.daemon.ownlife import OwnLife
    from gds.daemon.rgmd import Rgmd
    from gds.model.resource import Resource


def open_desk(
    path: str,
    bare: bool,
    ask: Callable[[str, bytes, Callable[[dict[str, Any]], None]], None],
    rgmd: Rgmd,
    groups: Groups,
    life: OwnLife,
    new_app: Callable[[Resource], App],
) -> Setting:
    """`path`: of what people set, "" where nothing can be kept; `bare` and `ask`: see Setting."""

    def refuses() -> str:
        if life.stopping:
            return "the runner is stopping everything"
        return "a reload is under way" if life.reloading else ""

    return Setting(
        rgmd,
        groups,
        SetFile(path, "this runner was given a command, not descriptors" if bare else ""),
        ask,
        new_app,
        refuses,
        lambda: clock.rfc3339(clock.wall()),
        bare,
    )
