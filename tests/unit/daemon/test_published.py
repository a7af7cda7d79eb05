"""What a node publishes of its resources: with each change of their state, never with a probe; what differs is told."""

from __future__ import annotations

from typing import Any

from gds.fault.score import Outcome
from gds.model.resource import Command, Group, Probe, Resource
from gds.rgm.records import report_key
from tests.unit.daemon.several import Nodes, nodes

WEB = Resource(
    "web",
    Command(("web",)),
    group="web",
    probe=Probe("tcp", "80", "127.0.0.1", 80),
    thorough_probe_interval=2.0,
    stop_timeout=10.0,
)
ONE = Group("web", resources=("web",), nodelist=("n1", "n2", "n3"))


def heard(cluster: Nodes, node: str, of: str) -> dict[str, Any]:
    """What that node has heard of the resource on the other."""
    found: dict[str, Any] = cluster[node].tenant.identity()["groups"]["web"]["nodes"][of]["facts"].get("web", {})
    return found


def test_what_changes_with_the_state_is_published_and_no_probe_is() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        app = n1.here.app()
        tree = n1.here.tree()
        told = heard(cluster, "n2", "n1")
        assert told["main_pid"] == tree.main_pid > 0
        assert told["online_since"] == app.online_since_wall > 0
        assert told["because"] == app.view.why
        assert "restarts" not in told
        assert heard(cluster, "n2", "n1") == heard(cluster, "n1", "n1"), "as it knows of itself"
        assert "main_pid" not in heard(cluster, "n2", "n3")
        cluster.run(5.0)
        written, asked = cluster.store.records[report_key("n1")].modified, len(n1.here.prober.asked)
        n1.here.prober.answers.extend([Outcome("ok", 0, f"request {n}") for n in range(50)])
        cluster.run(40.0)
        assert len(n1.here.prober.asked) > asked + 10
        assert cluster.store.records[report_key("n1")].modified == written
        tree.end_all(9)
        cluster.run(3.0)
        again = heard(cluster, "n2", "n1")
        assert again["restarts"] == 1
        assert again["main_pid"] == n1.here.tree().main_pid != told["main_pid"]
        assert again["because"].startswith("restart 1 of 2")


def test_a_switch_is_published_also_of_what_is_not_here() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "disable", "web").code == 0
        assert [heard(cluster, "n2", of).get("disabled") for of in ("n1", "n2", "n3")] == [True] * 3
        assert cluster["n2"].tenant.identity()["groups"]["web"]["switched_off"] == {}
        assert cluster.ask("n3", "enable", "web").code == 0
        assert [heard(cluster, "n2", of).get("disabled") for of in ("n1", "n2", "n3")] == [None] * 3


def test_what_is_switched_on_one_node_alone_is_told_on_all() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n2", "diff.cluster").code == 0
        alone = cluster["n3"].here.app()
        alone.enabled = alone.monitored = False
        cluster["n3"].tenant.observed(alone)
        cluster.run(1.0)
        for name in ("n1", "n2", "n3"):
            differs = cluster.ask(name, "diff.cluster", "web", seconds=0.1)
            assert differs.code == 1
            assert differs.more["differences"] == [
                {"name": "web", "key": "enabled", "nodes": {"n1": "True", "n2": "True", "n3": "False"}},
                {"name": "web", "key": "monitored", "nodes": {"n1": "True", "n2": "True", "n3": "False"}},
            ]
            assert cluster[name].tenant.identity()["groups"]["web"]["switched_off"] == {
                "n3": ["web is disabled there, and not on n1, n2", "web is unmonitored there, and not on n1, n2"]
            }
