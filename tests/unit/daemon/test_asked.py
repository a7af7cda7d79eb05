"""What a person hears who moves a group by one of several runners: that it is so, or why it is not."""

from __future__ import annotations

import pytest

from gds.model.resource import Command, Group, Need, Resource
from gds.testing.processes import Program
from tests.unit.daemon.several import LIFETIME, Node, Nodes, nodes

NODES = ("n1", "n2", "n3")
WEB = Resource("web", Command(("web",)), group="web", stop_timeout=10.0)
ONE = Group("web", resources=("web",), nodelist=NODES, pingpong_interval=600.0)
TWO = ONE.replace(maximum_primaries=2, desired_primaries=2)
DEAD = LIFETIME * 1.01 + 2.0
"""Seconds after which a silent node's groups are elsewhere."""


def dies(cluster: Nodes, name: str) -> None:
    """It is cut off for so long that it is another's; then it comes back."""
    cluster[name].engine.cut()
    cluster.run(DEAD)
    cluster[name].engine.heal()
    cluster.run(3.0)


def joins_anew(cluster: Nodes, name: str, group: Group) -> None:
    """Its runner ends, and another begins."""
    before = cluster[name]
    before.tenant.leave(lambda: None, False)
    cluster.run(2.0)
    before.here.forest.close()
    after = Node(cluster, name, (WEB,), (group,))
    cluster.nodes[cluster.nodes.index(before)] = after
    after.tenant.begin()
    cluster.run(5.0)


def test_a_switch_is_forgotten_when_it_is_over() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n2", "rg.switch", "web", "n3").code == 0
        dies(cluster, "n3")
        assert cluster.masters() == ["n1"]
        dies(cluster, "n1")
        assert cluster.masters() == ["n2"], "the nodelist again"


def test_failback_does_not_undo_a_switch_before_a_node_joins() -> None:
    group = ONE.replace(failback=True)
    with nodes(WEB, groups=(group,)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "rg.switch", "web", "n2").code == 0
        cluster.run(20.0)
        assert cluster.masters() == ["n2"]
        for name, then in (("n3", ["n2"]), ("n1", ["n1"])):
            joins_anew(cluster, name, group)
            assert cluster.masters() == then, name


def test_a_switch_names_all_masters() -> None:
    with nodes(WEB, groups=(TWO,)) as cluster:
        cluster.settled()
        assert cluster.masters() == ["n1", "n2"]
        refused = cluster.ask("n3", "rg.switch", "web", *NODES)
        assert refused.code == 1
        assert refused.message == ("cannot switch web to n1, n2, n3: these are 3 nodes, and its maximum_primaries is 2")
        assert cluster.masters() == ["n1", "n2"]
        assert cluster.ask("n3", "rg.switch", "web", "n2", "n1", seconds=0.1).code == 0, "it is so already"
        assert cluster.ask("n3", "rg.switch", "web", "n1").code == 0
        assert cluster.masters() == ["n1"]
        cluster.run(20.0)
        assert cluster.masters() == ["n1"], "and stays so"
        assert cluster.ask("n3", "rg.switch", "web", "n1", seconds=0.1).code == 0
        assert cluster.ask("n3", "rg.switch", "web", "n3", "n2").code == 0
        assert cluster.masters() == ["n2", "n3"]
        assert cluster.ask("n3", "rg.switch", "web", "n3").code == 0
        assert cluster.ask("n3", "rg.online", "web").code == 0
        assert cluster.masters() == ["n1", "n3"], "desired_primaries again"


@pytest.mark.parametrize("others", [0, 1])
def test_a_switch_that_comes_to_nothing_says_why(others: int) -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        cluster["n2"].here.forest.programs["web"] = Program(refuses=2)
        if not others:
            for name in ("n1", "n3"):
                cluster.ask("n1", "node.drain", name)
        heard = cluster.ask("n3", "rg.switch", "web", "n2", seconds=8.0)
        assert heard.code == 1
        if others:
            assert heard.message.startswith("cannot switch web: it is on n1 instead: n2 ")
        else:
            assert heard.message.startswith("cannot switch web: web is ONLINE_FAULTED on n2: ")
        assert "web: " in heard.message
        assert "Start failed: No such file or directory" in heard.message


def test_what_is_asked_of_a_node_that_is_cut_off_is_refused_with_how_old_its_news_are() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        cluster["n3"].engine.cut("no quorum")
        cluster.run(DEAD + 3.0)
        for verb, names in (
            ("rg.switch", ("web", "n2")),
            ("rg.online", ("web",)),
            ("rg.offline", ("web",)),
            ("rg.suspend", ("web",)),
            ("node.evacuate", ("n2",)),
            ("node.drain", ("n2",)),
            ("node.resume", ("n2",)),
            ("cluster.picture", ()),
        ):
            heard = cluster.ask("n3", verb, *names, seconds=0.05)
            assert heard.code in (1, 4), verb
            assert "this node has had no contact with the cluster for" in heard.message, verb
            assert "memory is away: no quorum" in heard.message
        told = cluster.ask("n3", "nodes", seconds=0.05).more["cluster"]
        assert told["cut_off"].startswith("this node has had no contact with the cluster for")
        assert told["old_seconds"] > LIFETIME
        assert [(each["node"], each["alive"], each["masters"]) for each in told["nodes"]] == [
            ("n1", True, ["web"]),
            ("n2", True, []),
            ("n3", True, []),
        ], "as it was then"
        well = cluster.ask("n1", "nodes", seconds=0.05).more["cluster"]
        assert (well["cut_off"], well["old_seconds"]) == ("", 0)
        assert not [each["alive"] for each in well["nodes"]][2]


def test_a_node_that_never_heard_of_the_cluster_says_so() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster["n3"].engine.cut("no route")
        heard = cluster.ask("n3", "rg.switch", "web", "n2", seconds=0.05)
        assert "this node has had no contact with the cluster yet (" in heard.message


def test_who_waits_hears_that_contact_was_lost_meanwhile() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster["n1"].here.forest.programs["web"] = Program(obeys_after=8.0)
        cluster.settled()
        heard = cluster.ask("n3", "rg.switch", "web", "n2", seconds=1.0)
        assert not heard.message
        cluster["n3"].engine.cut("no quorum")
        cluster.run(LIFETIME)
        assert heard.code == 1
        assert "cannot tell what came of it: this node has had no contact with the cluster for" in heard.message


def test_online_waits_until_it_is_up_or_says_why_it_is_not() -> None:
    web = WEB.replace(resource_dependencies=(Need("db"),))
    db = Resource("db", Command(("db",)), group="store")
    store = Group("store", resources=("db",), nodelist=NODES, auto_start_on_new_cluster=False)
    with nodes(web, db, groups=(ONE, store)) as cluster:
        cluster.settled()
        blocked = cluster.ask("n2", "rg.online", "web")
        assert blocked.code == 1
        assert blocked.message.startswith("cannot bring it online: web is PENDING_ONLINE_BLOCKED on n1: web: needs db")
        assert cluster.ask("n2", "rg.online", "web", "store").code == 0, "both come up"
        assert cluster.ask("n2", "rg.offline", "web", "store").code == 0
        for name in NODES:
            cluster.ask("n1", "node.drain", name)
        nowhere = cluster.ask("n2", "rg.online", "web")
        assert nowhere.code == 1
        assert "web stays down: each of n1, n2, n3 takes no group" in nowhere.message


def test_who_waits_for_a_group_that_does_not_come_hears_that() -> None:
    after = ONE.replace(rg_dependencies=("store",))
    db = Resource("db", Command(("db",)), group="store", resource_dependencies=(Need("idle"),))
    idle = Resource("idle", Command(("idle",)), group="idle")
    store = Group("store", resources=("db",), nodelist=("n1",))
    waits = Group("idle", resources=("idle",), nodelist=NODES, auto_start_on_new_cluster=False)
    with nodes(WEB, db, idle, groups=(after, store, waits)) as cluster:
        cluster.settled()
        heard = cluster.ask("n3", "rg.switch", "web", "n2")
        assert (heard.code, "n2 waits until store is online" in heard.message) == (1, True), heard.message
        assert cluster.ask("n3", "rg.offline", "web").code == 0
        drained = cluster.ask("n3", "node.drain", "n1")
        assert drained.code == 0
        heard = cluster.ask("n3", "rg.online", "web")
        assert heard.code == 1
        assert heard.message == "cannot bring it online: web: n2 takes it when store is online"
        assert cluster.ask("n3", "rg.online", "web", "idle").code == 0
        assert cluster.masters() == ["n2"]


def test_online_of_what_is_disabled_has_nothing_to_wait_for() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "disable", "web").code == 0
        assert cluster.ask("n2", "rg.online", "web").code == 0


def test_what_has_come_about_is_said() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        for verb, name, said in (
            ("rg.suspend", "web", "automatic recovery of web is suspended"),
            ("rg.suspend", "web", "automatic recovery of web is suspended"),
            ("rg.resume", "web", "automatic recovery of web goes on"),
            ("rg.offline", "web", "web is offline"),
            ("rg.online", "web", "web is online"),
            ("node.drain", "n3", "n3 takes no group any more"),
            ("node.evacuate", "n1", "n1 is evacuated: it has no group, and takes none"),
            ("node.resume", "n1", "n1 takes groups again"),
        ):
            done = cluster.ask("n2", verb, name, seconds=5.0)
            assert (done.code, done.lines) == (0, [said])
        assert cluster.ask("n2", "rg.offline", "web", no_wait=True).lines == [], "nobody knows yet"


def test_online_of_a_suspended_group_starts_as_many_as_are_desired() -> None:
    with nodes(WEB, groups=(ONE.replace(maximum_primaries=3, nodelist=()),)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "rg.offline", "web").code == 0
        assert cluster.ask("n1", "rg.suspend", "web").code == 0
        assert cluster.ask("n2", "rg.online", "web").code == 0
        assert cluster.masters() == ["n1"]
