"""Groups that need each other, on one node of several and on two: nobody waits without end for what is down."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gds.daemon.afar import Afar
from gds.model.resource import Command, Group, Need, Resource
from gds.rgm.resource import Life
from tests.unit.daemon.several import LIFETIME, Nodes, nodes

KINDS = ("resource_dependencies", *[f"resource_dependencies_{kind}" for kind in ("weak", "restart", "offline_restart")])
OFFLINE_RESTART = KINDS[-1]
BOTH = ("n1", "n2")


def play(kind: str, where: str, first: tuple[str, ...] = BOTH) -> tuple[tuple[Resource, ...], tuple[Group, ...]]:
    """`web` needs `db` of another group so; `first`: the nodes of that group."""
    db = Resource("db", Command(("db",)), group="store", stop_timeout=10.0)
    web = Resource("web", Command(("web",)), group="front", stop_timeout=10.0).replace(**{kind: (Need("db", where),)})
    store = Group("store", resources=("db",), nodelist=first, pingpong_interval=1.0)
    front = Group("front", resources=("web",), nodelist=BOTH, pingpong_interval=1.0)
    return (db, web), (store, front)


def die(name: str) -> Callable[[Nodes], None]:
    """Its processes are gone, wherever it runs."""

    def act(cluster: Nodes) -> None:
        for node in cluster.nodes:
            for tree in node.here.forest.alive(name):
                tree.end_all(9)

    return act


def ask(verb: str, *names: str) -> Callable[[Nodes], None]:
    """A person on the third node asks."""

    def act(cluster: Nodes) -> None:
        cluster.ask("n3", verb, *names, seconds=0.0)

    return act


def restart(name: str) -> Callable[[Nodes], None]:
    """A person asks where it runs."""

    def act(cluster: Nodes) -> None:
        for node in cluster.nodes:
            if node.runs(name):
                cluster.ask(node.name, "restart", name, seconds=0.0)

    return act


def lose_contact(cluster: Nodes) -> None:
    """For so long that nobody may run anything; then all is well again."""
    for node in cluster.nodes:
        node.engine.cut("no quorum")
    cluster.run(2 * LIFETIME)
    assert not any(node.runs(name) for node in cluster.nodes for name in ("db", "web"))
    for node in cluster.nodes:
        node.engine.heal()


def resume(cluster: Nodes) -> None:
    """The first node may have groups again."""
    cluster.run(1.0)
    assert cluster.ask("n3", "node.resume", "n1").code == 0


ACTS = {
    "restart of both": (restart("db"), restart("web")),
    "restart of who needs it first": (restart("web"), restart("db")),
    "both die": (die("db"), die("web")),
    "who needs it dies first": (die("web"), die("db")),
    "switch there and back": (ask("rg.switch", "store", "n2"), ask("rg.switch", "store", "n1")),
    "switch of who needs it": (ask("rg.switch", "front", "n2"), ask("rg.switch", "front", "n1")),
    "both switch": (ask("rg.switch", "store", "n2"), ask("rg.switch", "front", "n2")),
    "evacuated": (ask("node.evacuate", "n1"), resume),
    "off and on": (ask("rg.offline", "store"), ask("rg.online", "store")),
    "all off and on": (ask("rg.offline", "store", "front"), ask("rg.online", "front", "store")),
    "contact is lost": (lose_contact, lambda _cluster: None),
    "restart and loss of contact": (restart("db"), lose_contact),
}


def home(cluster: Nodes, store: str) -> None:
    """Both are brought to their nodes, for the next act."""
    for name, group, node in (("db", "store", store), ("web", "front", "n1")):
        asked = cluster.ask("n3", "rg.switch", group, node)
        assert asked.code == 0, asked.message
        cluster.run(LIFETIME)
        assert cluster[node].runs(name), f"{name}: {cluster[node].here.app(name).view.why}"


def agree(cluster: Nodes, act: str) -> None:
    """Nobody waits for what is there, or for who is down; and who waits says for what."""
    for node in cluster.nodes:
        for app in node.here.rgmd.apps.values():
            view = app.view
            said = f"{act}: {node.name}: {app.name} is {view.life}: {view.why}"
            assert view.life in (Life.OFFLINE, Life.AWAITING, Life.ONLINE), said
            assert view.life is not Life.AWAITING or view.waits, said
            assert ": ;" not in view.why, said
            assert not view.why.endswith(": "), said


@pytest.mark.parametrize(
    ("kind", "where", "store", "pause"),
    [
        *[(kind, "ANY_NODE", node, 0.0) for kind in KINDS for node in BOTH],
        *[(OFFLINE_RESTART, "ANY_NODE", node, 2.0) for node in BOTH],
        (OFFLINE_RESTART, "FROM_RG_AFFINITIES", "n1", 2.0),
        (OFFLINE_RESTART, "n1", "n1", 0.0),
        (OFFLINE_RESTART, "n2", "n2", 0.0),
    ],
)
def test_nobody_waits_without_end(kind: str, where: str, store: str, pause: float) -> None:
    """`store`: the node of what is needed; what needs it is on n1. `pause`: seconds between two acts."""
    resources, groups = play(kind, where, (store, *[node for node in BOTH if node != store]))
    with nodes(*resources, groups=groups) as cluster:
        cluster.settled()
        assert (cluster.masters("store"), cluster.masters("front")) == ([store], ["n1"])
        for name, acts in ACTS.items():
            for act in acts:
                act(cluster)
                cluster.run(pause)
            cluster.run(2 * LIFETIME)
            agree(cluster, name)
            home(cluster, store)


@pytest.mark.parametrize(
    ("kind", "where"),
    [*[(kind, "ANY_NODE") for kind in KINDS], (OFFLINE_RESTART, "LOCAL_NODE"), (OFFLINE_RESTART, "n1")],
)
def test_the_runner_ends_with_nobody_waiting(kind: str, where: str) -> None:
    resources, groups = play(kind, where)
    with nodes(*resources, groups=groups) as cluster:
        cluster.settled()
        rgmd = cluster["n1"].here.rgmd
        rgmd.stop_all("the runner is asked to end")
        cluster.run(1.0)
        assert {app.view.life for app in rgmd.apps.values()} == {Life.OFFLINE}


def test_what_several_nodes_have_is_stopped_on_one_and_nobody_follows() -> None:
    (db, web), (store, front) = play(OFFLINE_RESTART, "ANY_NODE")
    store = store.replace(maximum_primaries=2, desired_primaries=2)
    with nodes(db, web, groups=(store, front)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        assert (cluster.masters("store"), cluster.masters("front")) == (["n1", "n2"], ["n1"])
        before = n1.here.app("web").incarnation
        assert cluster.ask("n1", "stop", "db").code == 0
        assert (n1.runs("db"), cluster["n2"].runs("db")) == (False, True)
        assert (n1.runs("web"), n1.here.app("web").incarnation) == (True, before), "n2 has one still"
        assert cluster.ask("n2", "stop", "db").code == 0
        assert not n1.runs("web")
        assert n1.here.app("web").view.why == (
            "db on any node, which it needs, goes down: n2 reports it OFFLINE; "
            "needs db on any node, which is OFFLINE (n2 reports it OFFLINE)"
        )
        assert cluster.ask("n1", "start", "db").code == 0
        assert n1.runs("web")


@pytest.mark.parametrize("kind", ["resource_dependencies_restart", OFFLINE_RESTART])
def test_what_is_seen_elsewhere_for_the_first_time_restarts_nobody(kind: str) -> None:
    resources, groups = play(kind, "ANY_NODE")
    with nodes(*resources, groups=groups) as cluster:
        cluster.settled()
        assert cluster.ask("n3", "rg.switch", "store", "n2").code == 0
        n1 = cluster["n1"]
        before = n1.here.app("web").incarnation
        n1.tenant._afar = Afar(n1.here.rgmd, n1.tenant.member)  # as the runner after a crash looks
        n1.tenant.look()
        cluster.run(2.0)
        assert (n1.runs("web"), n1.here.app("web").incarnation) == (True, before)
        assert cluster.ask("n2", "restart", "db").code == 0
        assert n1.here.app("web").incarnation == before + 1
