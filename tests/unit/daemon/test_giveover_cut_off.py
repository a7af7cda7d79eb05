"""A giveover on a node that has no contact with the cluster: nobody can be asked who takes it."""

from __future__ import annotations

import pytest

from gds.model.resource import Command, Group, Resource
from gds.model.scha import Code
from gds.model.store import Delete, Transaction
from gds.rgm.records import node_key
from tests.unit.daemon.several import RENEW, Nodes, nodes
from tests.unit.daemon.world import ends

WEB = Resource("web", Command(("web",)), group="web", stop_timeout=10.0)
CHECKED = WEB.replace(monitor_check_command=Command(("may-i",)), monitor_check_timeout=30.0)
ONE = Group("web", resources=("web",), nodelist=("n1", "n2"), pingpong_interval=60.0)


def cut(cluster: Nodes) -> None:
    """n1 is, and knows it."""
    cluster["n1"].engine.cut("no quorum")
    cluster.run(0.1)


@pytest.mark.parametrize("optag", ["GIVEOVER", "CHECK_GIVEOVER"])
def test_a_person_and_a_method_are_refused_at_once_and_nothing_is_touched(optag: str) -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        cut(cluster)
        refused = cluster.ask("n1", "scha.control", seconds=0.05, optag=optag, resource="web", group="web")
        assert refused.code == Code.CHECKS
        assert "this node has had no contact with the cluster for" in refused.message
        assert "memory is away: no quorum" in refused.message
        assert cluster["n1"].runs()
        n1 = cluster["n1"].here
        assert n1.rgmd.giveover_leads(n1.app()).startswith("refuse: this node has had no contact"), "gds giveover"
        cluster["n1"].engine.heal()
        cluster.run(3.0)
        assert cluster.masters() == ["n1"]
        assert cluster.ask("n1", "scha.control", optag=optag, resource="web", group="web").code == 0


def test_a_judge_of_our_own_is_heard_and_it_moves_when_contact_is_back() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        cut(cluster)
        n1 = cluster["n1"]
        n1.tenant.giveover(n1.here.app(), "its budget is spent", by_monitor=True)
        cluster.run(1.0)
        assert not n1.runs()
        n1.engine.heal()
        cluster.run(3.0)
        assert cluster["n2"].runs()


def test_who_waits_for_one_hears_that_contact_is_lost_and_it_stays() -> None:
    with nodes(CHECKED, groups=(ONE,), may_i=ends(0, after=3.0)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        told: list[str] = []
        n1.here.rgmd.give_over(n1.here.app(), "a person asked", told.append)
        cluster.run(0.5)
        assert told == [], "the candidate is still thinking"
        n1.engine.cut("no quorum")
        cluster.run(RENEW)
        (why,) = told
        assert why.startswith("this node has had no contact with the cluster for")
        assert why.endswith("(memory is away: no quorum); it stays as it is")
        n1.engine.heal()
        cluster.run(5.0)
        assert cluster.masters() == ["n1"], "what the candidate says then is no longer asked"
        assert n1.here.app().view.status_msg.startswith("giveover cancelled")


def test_what_is_brought_down_for_another_reason_is_not_given_over() -> None:
    with nodes(CHECKED, groups=(ONE,), may_i=ends(0, after=20.0)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        told: list[str] = []
        n1.here.rgmd.give_over(n1.here.app(), "a person asked", told.append)
        cluster.run(0.5)
        cluster.store.commit(Transaction((), (Delete(node_key("n1")),)))
        cluster.run(3.0)
        (why,) = told
        assert why == "n2 has taken it: this node's life in the cluster was ended"
