"""What is asked of a node that does not master the group, and whether a group is suspended: the same on every node."""

from __future__ import annotations

import pytest

from gds.model.resource import Command, Group, Need, Resource
from tests.unit.daemon.several import LIFETIME, Nodes, nodes

WEB = Resource("web", Command(("web",)), group="web", stop_timeout=10.0)
TWO = Group("web", resources=("web",), nodelist=("n1", "n2"), pingpong_interval=60.0)


def die(cluster: Nodes, node: str) -> None:
    """Its processes end by themselves."""
    for tree in cluster[node].here.forest.alive("web"):
        tree.end_all(9)
    cluster.run(2.0)


def is_suspended(cluster: Nodes) -> list[bool]:
    """As each node says."""
    return [node.groups.facts("web")["suspended"] for node in cluster.nodes]


def test_suspended_is_suspended_everywhere_and_resumed_likewise() -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        assert cluster.ask("n2", "rg.suspend", "web").code == 0
        assert is_suspended(cluster) == [True, True, True]
        die(cluster, "n1")
        assert not cluster["n1"].runs()
        assert "left alone, automatic recovery of its group is suspended" in cluster["n1"].here.app().view.because
        assert cluster.ask("n3", "rg.switch", "web", "n2").code == 0
        assert cluster["n2"].runs(), "people still act"
        assert cluster.ask("n3", "rg.resume", "web").code == 0
        assert is_suspended(cluster) == [False, False, False]
        die(cluster, "n2")
        assert cluster["n2"].runs()
        assert "restart 1 of 2" in cluster["n2"].here.app().view.because


def test_who_was_away_follows_when_it_is_back_and_holds_to_what_it_knew_until_then() -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        cluster["n3"].engine.cut()
        assert cluster.ask("n1", "rg.suspend", "web").code == 0
        assert is_suspended(cluster) == [True, True, False]
        cluster["n3"].engine.heal()
        cluster.settled()
        assert is_suspended(cluster) == [True, True, True]
        for node in cluster.nodes:
            node.engine.cut("no quorum")
        cluster.run(0.5)
        assert is_suspended(cluster) == [True, True, True]


def test_a_suspension_that_the_store_does_not_hear_is_none() -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        cluster["n2"].engine.cut()
        assert cluster.ask("n2", "rg.suspend", "web", seconds=2 * LIFETIME).code == 1
        cluster["n2"].engine.heal()
        cluster.settled()
        assert is_suspended(cluster) == [False, False, False]


def test_who_died_while_suspended_is_recovered_when_it_is_resumed() -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        assert cluster.ask("n2", "rg.suspend", "web").code == 0
        die(cluster, "n1")
        assert not cluster["n1"].runs()
        assert cluster.ask("n3", "rg.resume", "web").code == 0
        assert cluster["n1"].runs()
        said = (
            "restart 1 of 2 within 370 s: the last process of the tree ended (while automatic recovery was suspended)"
        )
        assert cluster["n1"].here.app().view.because == said


@pytest.mark.parametrize("asked", ["rg.online", "start", "restart"])
def test_a_person_brings_up_what_died_while_suspended(asked: str) -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        assert cluster.ask("n2", "rg.suspend", "web").code == 0
        die(cluster, "n1")
        assert cluster.ask("n1", asked, "web").code == 0
        assert cluster["n1"].runs()
        assert is_suspended(cluster) == [True, True, True]
        assert cluster["n1"].here.app().history.done(1000.0, cluster.clock.monotonic()) == 0, "a person asked"


def test_online_asked_elsewhere_brings_up_what_is_dead_and_leaves_alone_what_runs() -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        before = cluster["n1"].here.app().incarnation
        assert cluster.ask("n3", "rg.online", "web").code == 0
        assert cluster["n1"].here.app().incarnation == before
        assert cluster.ask("n2", "rg.suspend", "web").code == 0
        die(cluster, "n1")
        assert cluster.ask("n3", "rg.online", "web").code == 0
        assert cluster["n1"].runs()


@pytest.mark.parametrize(("verb", "said"), [("start", "start"), ("restart", "restart"), ("rg.restart", "restart")])
def test_what_another_node_masters_is_not_tried_here(verb: str, said: str) -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        for node in ("n2", "n3"):
            client = cluster.ask(node, verb, "web")
            assert (client.code, client.message) == (1, f"cannot {said} web: n1 masters web: ask there")
            app = cluster[node].here.app()
            assert (cluster[node].state(), app.incarnation) == ("OFFLINE", 0), "nothing was tried"
        assert cluster["n1"].runs()


def test_what_runs_elsewhere_is_not_stopped_here_and_that_is_said() -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        client = cluster.ask("n2", "stop", "web")
        said = "cannot stop web: nothing of it runs on this node; n1 masters web: ask there"
        assert (client.code, client.message) == (1, said)
        assert cluster["n2"].here.app().wanted
        assert cluster["n1"].runs()
        assert cluster.ask("n1", "stop", "web").code == 0
        assert cluster.ask("n2", "stop", "web").code == 1
        assert cluster.ask("n3", "rg.offline", "web").code == 0
        assert cluster.ask("n2", "stop", "web").code == 0, "it is down everywhere"


def test_without_contact_nothing_is_started_and_no_start_fails() -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        for node in cluster.nodes:
            node.engine.cut("no quorum")
        cluster.run(LIFETIME)
        assert cluster["n1"].state() == "OFFLINE"
        client = cluster.ask("n1", "start", "web")
        assert client.code == 1
        assert client.message == "cannot start web: contact with the cluster is lost"
        assert cluster["n1"].state() == "OFFLINE", "no start has failed"


def test_a_group_whose_needs_are_elsewhere_is_not_tried_on_a_node_that_does_not_master_it() -> None:
    late = Resource("late", Command(("late",)), group="late", resource_dependencies=(Need("web"),))
    with nodes(WEB, late, groups=(TWO, TWO.replace(name="late", resources=("late",)))) as cluster:
        cluster.settled()
        assert cluster["n1"].runs("late")
        assert cluster.ask("n2", "start", "late").message == "cannot start late: n1 masters late: ask there"
