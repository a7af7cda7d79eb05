"""A property that needs a stop, set on several nodes: who masters the group stops and starts it, and nobody else."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from typing import Any

from gds.daemon.setting import Setting
from gds.model import codec
from gds.model.resource import Command, Group, Resource
from tests.unit.daemon.several import Node, nodes

WEB = Resource("web", Command(("web",)), group="web", stop_timeout=10.0)
ONE = Group("web", resources=("web",), nodelist=("n1", "n2", "n3"), pingpong_interval=60.0)
NICE = {"key": "nice", "tunable": "WHEN_DISABLED", "old": "0", "new": "5", "value": 5, "file": "0"}


class Kept:
    """What was set, in memory."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.unreadable = self.problem = ""

    def content(self, entries: object = None) -> bytes:
        """For the compiler, which is not asked here."""
        return b""

    def keep(self, entries: dict[tuple[str, str, str], dict[str, Any]]) -> str:
        """For good."""
        self.entries = entries
        return ""


def compiled(_what: str, given: bytes, done: Callable[[dict[str, Any]], None]) -> None:
    """nice=5, as the compiler reads it."""
    (web,) = codec.unpack(marshal.loads(given)["plan"]).resources
    change = {**NICE, "same": web.nice == 5, "drop": False}
    done({"errors": [], "kind": "resource", "after": codec.pack(web.replace(nice=5)), "changes": [change]})


def desk(node: Node) -> Setting:
    """Its desk where properties are changed."""
    here = node.here
    return Setting(here.rgmd, node.groups, Kept(), compiled, lambda _r: here.app(), lambda: "", lambda: "now", False)


def test_only_the_master_stops_and_starts_it() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        for node in cluster.nodes:
            node.desk = desk(node)
        started = [node.here.app().incarnation for node in cluster.nodes]
        told = cluster.ask("n2", "set", "web", pairs=[["nice", "5"]], restart=True)
        assert (told.code, told.message) == (0, "")
        assert [node.here.app().resource.nice for node in cluster.nodes] == [5, 5, 5]
        assert [node.state() for node in cluster.nodes] == ["ONLINE", "OFFLINE", "OFFLINE"]
        assert [node.here.app().incarnation for node in cluster.nodes] == [started[0] + 1, *started[1:]]
        assert cluster.ask("n2", "rg.switch", "web", "n3").code == 0, "nobody has failed a start"
        assert cluster["n3"].runs()


def test_what_would_be_done_on_a_node_that_is_not_its_master_is_no_start() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        steps = {}
        for name in ("n1", "n2"):
            cluster[name].desk = desk(cluster[name])
            steps[name] = cluster.ask(name, "set", "web", pairs=[["nice", "5"]], restart=True, dry_run=True).lines[-1]
        assert steps == {"n1": "web: Stop, then change, then Start", "n2": "web: change"}
