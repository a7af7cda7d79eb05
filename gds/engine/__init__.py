"""Engines by name. An engine's modules are loaded when it is asked for, not before: a runner alone pays for none."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from gds.engine.wants import EngineLoop, Names
    from gds.model.settings import Settings
    from gds.ports import ClusterEngine

    Factory: TypeAlias = Callable[[Settings, EngineLoop, str, Names], ClusterEngine]


def _standalone(_settings: Settings, loop: EngineLoop, _node: str, _names: Names) -> ClusterEngine:
    from gds.engine.standalone import Standalone

    return Standalone(loop)


def _etcd(settings: Settings, loop: EngineLoop, node: str, names: Names) -> ClusterEngine:
    from gds.engine.etcd import EtcdEngine

    return EtcdEngine(settings.etcd, loop, node, names)


FACTORIES: dict[str, Factory] = {"standalone": _standalone, "etcd": _etcd}
"""Name -> (settings, loop, this node's name, resolver) -> engine. A factory raises ConfigError when the settings name
something that is not there (a file, a URL that is none); it asks nobody yet."""
