"""A node whose files do not declare a group takes no mastery of it; who asks hears so, and nothing is moved."""

from __future__ import annotations

import pytest

from gds.daemon.app import App
from gds.model.resource import Command, Group, Plan, Resource
from gds.model.store import Put, Transaction
from gds.rgm.records import files_key
from tests.unit.daemon.several import LIFETIME, Nodes, nodes

WEB = Resource("web", Command(("web",)), group="web", stop_timeout=10.0)
OF_TWO = Group("web", resources=("web",), nodelist=("n3", "n2"), pingpong_interval=60.0)
OF_ALL = OF_TWO.replace(nodelist=("n1", "n2", "n3"))
WHY = "has files that do not declare it; `gds diff --cluster` shows it"


def forgets(cluster: Nodes, name: str) -> App:
    """The group is removed from the files of this node, and it reloads; its resource, as it was."""
    node = cluster[name]
    node.groups.take(Plan((), ()))
    cluster.run(2.0)
    return node.here.rgmd.apps.pop("web")


def remembers(cluster: Nodes, name: str, app: App, group: Group) -> None:
    """It is in the files of this node again."""
    node = cluster[name]
    node.here.rgmd.apps["web"] = app
    node.groups.take(Plan((WEB,), (group,)))
    cluster.run(2.0)


def test_it_is_given_over_to_nobody() -> None:
    with nodes(WEB, groups=(OF_TWO,)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "rg.switch", "web", "n2").code == 0
        forgets(cluster, "n3")
        n2 = cluster["n2"]
        told: list[str] = []
        n2.tenant.check_giveover(n2.here.app(), told.append)
        n2.here.rgmd.give_over(n2.here.app(), "a person asked", told.append)
        cluster.run(2.0)
        assert told[0] == f"n3: {WHY}"
        assert cluster.masters() == ["n2"]
        assert n2.runs()
        assert n2.tenant.identity()["groups"]["web"]["barred"] == {"n3": WHY}


def test_a_switch_to_it_is_refused_before_anything_is_stopped() -> None:
    with nodes(WEB, groups=(OF_ALL,)) as cluster:
        cluster.settled()
        forgets(cluster, "n3")
        token = cluster["n1"].tenant.token("web")
        refused = cluster.ask("n2", "rg.switch", "web", "n3")
        assert (refused.code, refused.message) == (1, f"cannot switch web to n3: n3 {WHY}")
        assert cluster["n1"].tenant.token("web") == token, "nobody touched it"


def test_online_says_why_nobody_takes_it() -> None:
    with nodes(WEB, groups=(OF_TWO,)) as cluster:
        cluster.settled()
        forgets(cluster, "n3")
        assert cluster.masters() == ["n2"], "it goes where it is declared"
        assert cluster.ask("n2", "rg.offline", "web").code == 0
        cluster["n2"].engine.cut()
        cluster.run(2 * LIFETIME)
        refused = cluster.ask("n1", "rg.online", "web")
        assert refused.code == 1
        assert f"web stays down: n3 {WHY}; n2 is dead" in refused.message


@pytest.mark.parametrize("group", [OF_TWO, OF_ALL, OF_ALL.replace(nodelist=())], ids=["two", "all", "by name"])
def test_the_difference_is_shown_by_every_node_until_it_is_none(group: Group) -> None:
    with nodes(WEB, groups=(group,)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "diff.cluster").code == 0
        app = forgets(cluster, "n3")
        there = ["n1", "n2"]
        for asked in ("n1", "n3"):
            client = cluster.ask(asked, "diff.cluster")
            assert client.code == 1
            told = [(each["name"], each["key"], each["nodes"]) for each in client.more["differences"]]
            nodes_told = {**dict.fromkeys(there, "declared"), "n3": ""}
            assert told == [("[group.web]", "", nodes_told), ("[resource.web]", "", nodes_told)]
        assert ("web", "n3") not in cluster["n1"].tenant.member.board.files
        remembers(cluster, "n3", app, group)
        assert cluster.ask("n1", "diff.cluster").code == 0
        if group is OF_TWO:
            assert cluster.ask("n1", "rg.switch", "web", "n3").code == 0


def test_who_is_not_in_the_nodelist_need_not_declare_it() -> None:
    with nodes(WEB, groups=(OF_TWO,)) as cluster:
        cluster.settled()
        forgets(cluster, "n1")
        assert cluster.ask("n2", "diff.cluster").code == 0
        assert cluster["n2"].tenant.identity()["groups"]["web"]["barred"] == {}


def test_what_a_life_before_said_of_files_is_no_difference_and_is_taken_back() -> None:
    with nodes(WEB, groups=(OF_TWO,)) as cluster:
        cluster.settled()
        cluster["n3"].engine.cut()
        cluster.run(2 * LIFETIME)
        assert "n3" not in cluster["n1"].tenant.member.board.nodes
        assert ("web", "n3") in cluster["n1"].tenant.member.board.files, "as it left it"
        assert cluster.ask("n1", "diff.cluster").code == 0
        forgets(cluster, "n3")
        cluster["n3"].engine.heal()
        cluster.run(3.0)
        assert ("web", "n3") not in cluster["n1"].tenant.member.board.files
        assert cluster.ask("n1", "diff.cluster").code == 1


def test_what_was_said_of_files_and_comes_late_does_not_hide_that_they_are_gone() -> None:
    with nodes(WEB, groups=(OF_ALL,)) as cluster:
        cluster.settled()
        late = cluster.store.records[files_key("web", "n3")].value
        forgets(cluster, "n3")
        cluster.store.commit(Transaction((), (Put(files_key("web", "n3"), late),)))
        cluster.run(0.5)
        told = cluster.ask("n1", "diff.cluster").more["differences"]
        assert [each["nodes"]["n3"] for each in told] == ["", ""]
