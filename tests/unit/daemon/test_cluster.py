"""Several nodes, by their drivers: who masters what, what is asked of whom, what becomes of what cannot be stopped."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gds.daemon.aftermath import tell_before
from gds.model.cluster import Goal
from gds.model.resource import Command, Group, Need, Plan, Resource
from gds.model.scha import Code
from gds.model.store import Put, Transaction
from gds.testing.processes import Program
from tests.unit.daemon.several import LIFETIME, MARGIN, Client, Node, Nodes, nodes
from tests.unit.daemon.world import WELL, ends

WEB = Resource("web", Command(("web",)), group="web", stop_timeout=10.0)
ONE = Group("web", resources=("web",), nodelist=("n1", "n2", "n3"), pingpong_interval=60.0)
DB = Resource("db", Command(("db",)), group="store", stop_timeout=10.0)
STORE = Group("store", resources=("db",), nodelist=("n2", "n1", "n3"))
DEAD = LIFETIME * 1.01 + 1.0
"""Seconds after which a silent node's groups are elsewhere."""


def test_the_first_of_the_nodelist_takes_it_and_its_commands_have_the_token() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.run(LIFETIME)
        assert cluster.masters() == [], "the store is new"
        cluster.settled()
        assert cluster.masters() == ["n1"]
        n1 = cluster["n1"]
        token = n1.tenant.token("web")
        assert n1.here.rgmd.launch_of(n1.here.app(), "why").env["GDS_FENCING_TOKEN"] == str(token) != "0"
        assert n1.life == "n1-life-0"


def test_the_runner_after_a_crash_knows_the_token_of_what_it_had_and_starts_nothing_else() -> None:
    with nodes(WEB, DB, groups=(ONE, STORE)) as cluster:
        cluster.settled()
        n1, n2 = cluster["n1"], cluster["n2"]
        assert n1.tokens == {"web": n1.tenant.token("web")}
        assert n2.tokens == {"store": n2.tenant.token("store")}
        after = Node(cluster, "n1", (WEB, DB), (ONE, STORE), before=n1)
        assert after.tenant.token("web") == n1.tenant.token("web"), "before the store has said anything"
        assert after.tenant.refusal("web") == ""
        assert after.tenant.token("store") == 0
        assert "not its master" in after.tenant.refusal("store"), "n2 is, as far as anybody knows"
        n1.engine.cut()
        cluster.run(LIFETIME)
        assert after.tenant.token("web") == 0, "its tenure is over"
        assert "not its master" in after.tenant.refusal("web")
        after.here.forest.close()


def test_a_tenure_that_ended_while_no_runner_was_here_is_told_of_each_group_that_there_was() -> None:
    with nodes(WEB, DB, groups=(ONE, STORE)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        n1.here.hands.decisions.clear()
        tell_before(n1.here.rgmd, n1.groups, n1.tokens)
        ((name, event, because),) = n1.here.hands.decisions
        assert (name, event) == ("web", "cluster")
        assert because.startswith("this node's tenure ended while no runner was here")


def test_what_is_being_given_up_is_not_remembered() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster["n1"].here.forest.programs["web"] = Program(obeys_after=2.0)
        cluster.settled()
        assert cluster["n1"].tokens
        cluster.ask("n2", "rg.switch", "web", "n2", seconds=1.0)
        assert cluster["n1"].runs()
        assert cluster["n1"].tokens == {}
        cluster.run(3.0)
        assert list(cluster["n2"].tokens) == ["web"]


def test_a_node_that_is_cut_off_stops_before_another_starts() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        first = cluster["n1"].tenant.token("web")
        cluster["n1"].engine.cut()
        cluster.run(LIFETIME - MARGIN - 1.0)
        assert cluster["n1"].runs(), "an election of the store's leader stops nothing"
        cluster.run(1.1)
        assert not cluster["n1"].runs()
        assert not cluster["n2"].runs()
        cluster.run(MARGIN + 1.5)
        assert cluster["n2"].runs()
        assert cluster["n2"].tenant.token("web") > first
        cluster["n1"].engine.heal()
        cluster.run(3.0)
        assert cluster["n1"].tenant.member.birth, "it is a node again"
        assert cluster.masters() == ["n2"], "and takes nothing back"


def test_contact_that_comes_back_before_anybody_fenced_brings_it_up_again_where_it_was() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        token = cluster["n1"].tenant.token("web")
        for node in cluster.nodes:
            node.engine.cut("no quorum")
        cluster.run(LIFETIME)
        assert not any(node.runs() for node in cluster.nodes)
        for node in cluster.nodes:
            node.engine.heal()
        cluster.run(3.0)
        assert cluster["n1"].runs()
        assert cluster["n1"].tenant.token("web") == token
        assert cluster["n1"].here.app().history.done(1000.0, cluster.clock.monotonic()) == 0, "no failure of its own"


def test_nothing_is_started_on_a_node_that_is_no_master() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        client = cluster.ask("n2", "start", "web")
        assert client.code == 1
        assert client.message == "cannot start web: n1 masters web: ask there"
        assert cluster.masters() == ["n1"]


def test_switch_evacuate_and_resume() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "rg.switch", "web", "n3").code == 0
        assert cluster.masters() == ["n3"]
        assert cluster.ask("n1", "node.evacuate", "n3").code == 0
        assert cluster.masters() == ["n1"]
        refused = cluster.ask("n2", "rg.switch", "web", "n3")
        assert refused.code == 1
        assert "cannot switch web to n3" in refused.message
        assert cluster.ask("n2", "node.resume", "n3").code == 0
        assert cluster.ask("n2", "rg.switch", "web", "n3").code == 0
        assert cluster.ask("n2", "node.drain", "n1").code == 0
        assert cluster.masters() == ["n3"]
        assert cluster.ask("n2", "node.drain", "n9").code == 4
        assert cluster.ask("n2", "rg.switch", "web").code == 2
        assert cluster.ask("n2", "rg.switch", "wbe", "n1").code == 4


def test_offline_and_online_are_of_the_whole_cluster() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n3", "rg.offline", "web").code == 0
        assert not any(node.runs() for node in cluster.nodes)
        cluster.run(30.0)
        assert cluster.masters() == []
        assert cluster.ask("n2", "rg.online", "web").code == 0
        assert cluster.masters() == ["n1"]
        assert cluster.ask("n2", "rg.suspend", "web").code == 0
        cluster["n1"].engine.cut()
        cluster.run(DEAD + 5.0)
        assert cluster.masters() in ([], ["n1"]), "nothing moves by itself while it is suspended"


def test_who_asks_hears_that_the_store_does_not_answer() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        cluster["n2"].engine.cut()
        client = cluster.ask("n2", "rg.offline", "web")
        assert client.code == 1
        assert "the store did not answer" in client.message
        cluster.store.full = "etcd: database space exceeded"
        client = cluster.ask("n3", "rg.offline", "web", seconds=0.5)
        assert (client.code, "database space exceeded" in client.message) == (1, True)


def test_a_store_that_is_full_stops_everything_and_says_why() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "nodes").more["cluster"]["refused"] == ""
        cluster.store.full = "etcd is full: compact and defragment it"
        cluster.run(2.0)
        assert cluster["n1"].runs(), "until its tenure is over"
        assert "etcd is full" in cluster.ask("n2", "nodes", seconds=0.1).more["cluster"]["refused"]
        cluster.run(LIFETIME)
        assert not any(node.runs() for node in cluster.nodes)
        why = cluster["n1"].here.app().view.why
        assert why == (
            "the guard has killed it: the store refuses our renewals: etcd is full: compact and defragment it"
        )
        cluster.store.full = ""
        cluster.run(3.0)
        assert cluster["n1"].runs()
        assert cluster.ask("n1", "nodes").more["cluster"]["refused"] == ""


CHECKED = WEB.replace(monitor_check_command=Command(("may-i",)), monitor_check_timeout=10.0)


def test_a_giveover_goes_to_who_says_yes_and_passes_over_who_says_no() -> None:
    with nodes(CHECKED, groups=(ONE,), may_i=WELL) as cluster:
        cluster.settled()
        cluster["n2"].here.forest.programs["may-i"] = ends(1)
        n1 = cluster["n1"]
        n1.tenant.giveover(n1.here.app(), "its budget is spent", by_monitor=True)
        cluster.run(3.0)
        assert cluster.masters() == ["n3"]
        cluster["n3"].engine.cut()
        cluster.run(DEAD + 2.0)
        assert cluster["n1"].runs(), "n1 gave it over, and n2 refused it, but n3 is dead"


def test_a_giveover_that_all_refuse_is_cancelled_and_one_restart_is_tried() -> None:
    with nodes(CHECKED, groups=(ONE,), may_i=ends(1)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        before = n1.here.app().incarnation
        n1.tenant.giveover(n1.here.app(), "its budget is spent", by_monitor=True)
        cluster.run(3.0)
        assert cluster.masters() == ["n1"]
        assert n1.here.app().incarnation == before + 1
        said = [because for _who, event, because in n1.here.hands.decisions if event == "giveover cancelled"]
        assert len(said) == 1
        assert "n2: its Monitor_check says: web: monitor_check_command exited with status 1" in said[0]
        assert "n3: its Monitor_check says" in said[0]
        n1.tenant.giveover(n1.here.app(), "asked by root", by_monitor=False)
        cluster.run(3.0)
        assert n1.here.app().incarnation == before + 1, "a person's giveover that is refused leaves it as it is"


def scha_control(cluster: Nodes, node: str, optag: str, seconds: float = 3.0) -> Client:
    """`scha_control -O optag -G web -R web` on that node."""
    return cluster.ask(node, "scha.control", optag=optag, resource="web", group="web", seconds=seconds)


def test_scha_control_hears_what_came_of_its_giveover() -> None:
    with nodes(CHECKED, groups=(ONE,), may_i=WELL) as cluster:
        cluster.settled()
        before = cluster["n1"].here.app().incarnation
        assert scha_control(cluster, "n1", "CHECK_GIVEOVER").code == 0
        assert cluster.masters() == ["n1"], "it was only asked"
        assert cluster["n1"].here.app().incarnation == before
        refused = scha_control(cluster, "n2", "GIVEOVER")
        assert (refused.code, "not online here" in refused.message) == (Code.STATE, True)
        assert scha_control(cluster, "n1", "GIVEOVER").code == 0
        assert cluster.masters() == ["n2"]


def test_scha_control_is_refused_a_giveover_that_nobody_takes_and_nothing_is_restarted() -> None:
    with nodes(CHECKED, groups=(ONE,), may_i=ends(1, after=1.0)) as cluster:
        cluster.settled()
        before = cluster["n1"].here.app().incarnation
        only = scha_control(cluster, "n1", "CHECK_GIVEOVER")
        assert only.code == Code.CHECKS
        assert "n2: its Monitor_check says: web: monitor_check_command exited with status 1" in only.message
        assert not cluster["n1"].here.app().view.status_msg
        trial = scha_control(cluster, "n1", "CHECK_GIVEOVER", seconds=0.1)
        early = scha_control(cluster, "n1", "GIVEOVER", seconds=0.5)
        assert (trial.code, early.code) == (None, None), "the candidates are still thinking"
        again = scha_control(cluster, "n1", "GIVEOVER")
        for client in (trial, early, again):
            assert client.code == Code.CHECKS
            assert "n2: its Monitor_check says: web: monitor_check_command exited with status 1" in client.message
            assert "n3: its Monitor_check says" in client.message
        assert cluster.masters() == ["n1"]
        assert cluster["n1"].here.app().incarnation == before, "that is the monitor's to ask for"
        assert "giveover cancelled" in cluster["n1"].here.app().view.status_msg
        for other in ("n2", "n3"):
            cluster[other].engine.cut()
        cluster.run(DEAD)
        lonely = scha_control(cluster, "n1", "GIVEOVER")
        assert lonely.code == Code.CHECKS
        assert "n2: " in lonely.message


def test_a_start_that_fails_here_is_tried_elsewhere() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster["n1"].here.forest.programs["web"] = Program(refuses=2)
        cluster.settled()
        cluster.run(5.0)
        assert cluster.masters() == ["n2"]
        assert cluster["n2"].runs()


@pytest.mark.parametrize(("verb", "named"), [("clear", "app"), ("rg.clear", "web")])
def test_who_clears_a_group_forgets_what_is_held_against_nodes(verb: str, named: str) -> None:
    app = WEB.replace(name="app")
    with nodes(app, groups=(ONE.replace(resources=("app",), failback=True),)) as cluster:
        programs = cluster["n1"].here.forest.programs
        programs["web"] = Program(refuses=2)
        cluster.settled()
        cluster.run(5.0)
        assert cluster.masters() == ["n2"]
        other = cluster["n3"].tenant.member.board
        assert list(other.marks) == [("web", "n1")]
        del programs["web"]
        cleared = cluster.ask("n2", verb, named)
        assert (cleared.code, cleared.lines) == (0, ["web may go to n1 again"])
        assert not other.marks
        assert cluster.masters() == ["n1"], "it fails back"
        assert (cluster.ask("n3", verb, named).lines, cluster.masters()) == ([], ["n1"])


def test_a_group_that_is_suspended_twice_is_not_brought_up_for_that() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n2", "rg.suspend", "web").code == 0
        wanted = cluster["n2"].tenant.member.board.modified("rg/web/goal")
        n1 = cluster["n1"].here
        tree = n1.app().tree
        assert tree is not None
        tree.kill()
        cluster.run(2.0)
        assert n1.app().is_dead
        assert cluster.ask("n3", "rg.suspend", "web").code == 0
        assert n1.app().is_dead
        assert cluster["n2"].tenant.member.board.modified("rg/web/goal") == wanted
        assert cluster.ask("n3", "rg.resume", "web").code == 0
        assert not n1.app().is_dead, "it is judged when that is over"


def test_what_keeps_a_node_away_stays_while_processes_do_or_the_store_does_not_answer() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster["n1"].here.forest.programs["web"] = Program(refuses=2)
        cluster["n2"].here.forest.programs["web"] = Program(immortal=True, deaf=frozenset((15,)))
        cluster.settled()
        cluster.run(5.0)
        assert cluster.ask("n2", "rg.switch", "web", "n3", seconds=30.0).code == 1
        assert "are still there" in cluster.ask("n2", "clear", "web").message
        assert list(cluster["n3"].tenant.member.board.marks) == [("web", "n1")]
        cluster["n3"].engine.cut()
        silent = cluster.ask("n3", "clear", "web")
        assert silent.code == 1
        assert "cannot forget what keeps web from n1: " in silent.message


def test_what_cannot_be_stopped_keeps_its_group() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster["n1"].here.forest.programs["web"] = Program(immortal=True, deaf=frozenset((15,)))
        cluster.settled()
        client = cluster.ask("n2", "rg.switch", "web", "n2", seconds=30.0)
        assert client.code == 1
        assert "could not be stopped" in client.message
        cluster.run(60.0)
        assert cluster.masters() == ["n1"]


def test_disabled_is_disabled_everywhere() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster.ask("n1", "disable", "web").code == 0
        assert [node.here.app().enabled for node in cluster.nodes] == [False] * 3
        assert cluster.ask("n3", "enable", "web").code == 0
        cluster.run(2.0)
        assert cluster["n1"].runs()


def test_nothing_is_switched_on_a_node_that_is_cut_off() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        cluster["n2"].engine.notices = 4.0
        cluster["n2"].engine.cut()
        unheard = cluster.ask("n2", "disable", "web", seconds=0.0)
        assert cluster["n2"].here.app().enabled is False, "done here first"
        cluster.run(3.0)
        assert unheard.code == 1
        assert "cannot disable web on all nodes: " in unheard.message
        assert "taken back on this one" in unheard.message
        assert cluster["n2"].here.app().enabled is True
        cluster.run(LIFETIME)
        for verb in ("disable", "enable", "monitor", "unmonitor", "rg.unmanage"):
            refused = cluster.ask("n2", verb, "web", seconds=0.1)
            assert refused.code == 1
            assert "no contact with the cluster" in refused.message
            assert "; ask another node" in refused.message
        assert cluster["n2"].here.app().enabled is True, "nothing was changed"
        cluster["n2"].engine.heal()
        cluster.run(LIFETIME)
        assert [node.here.app().enabled for node in cluster.nodes] == [True] * 3
        assert n1.runs()
        assert cluster.ask("n2", "disable", "web").code == 0
        assert [node.here.app().enabled for node in cluster.nodes] == [False] * 3


def test_what_the_store_took_though_it_did_not_say_so_is_switched_everywhere() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        cluster["n2"].engine.cut(answers_only=True)
        client = cluster.ask("n2", "disable", "web")
        assert client.code == 1
        assert "if the store has it, all nodes follow" in client.message
        assert [node.here.app().enabled for node in cluster.nodes] == [False, True, False]
        cluster["n2"].engine.heal()
        cluster.run(1.0)
        assert [node.here.app().enabled for node in cluster.nodes] == [False] * 3


def test_unmanaged_is_unmanaged_everywhere() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        refused = cluster.ask("n2", "rg.unmanage", "web")
        assert (refused.code, refused.message) == (1, "cannot unmanage web: it is on n1; `gds rg offline web` first")
        assert cluster.ask("n2", "rg.offline", "web").code == 0
        assert cluster.ask("n2", "disable", "web").code == 0
        cluster["n3"].engine.cut()
        cluster.run(1.0)
        assert cluster.ask("n2", "rg.unmanage", "web").code == 0
        assert [node.groups.is_managed("web") for node in cluster.nodes] == [False, False, True]
        cluster["n3"].engine.heal()
        cluster.run(3.0)
        assert not cluster["n3"].groups.is_managed("web"), "it follows when it is back"
        for asked in (("rg.online", "web"), ("rg.switch", "web", "n3")):
            client = cluster.ask("n1", *asked)
            assert (client.code, "it is unmanaged; `gds rg manage web` first" in client.message) == (1, True)
        assert cluster.ask("n1", "enable", "web").code == 0
        assert cluster.masters() == []
        assert cluster.ask("n3", "rg.manage", "web").code == 0
        assert all(node.groups.is_managed("web") for node in cluster.nodes)
        assert cluster.ask("n1", "rg.online", "web").code == 0
        assert cluster["n1"].runs()


def test_files_that_differ_bar_a_node_and_are_shown() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        n3 = cluster["n3"]
        app = n3.here.app()
        app.resource = app.resource.replace(stop_timeout=20.0, environment=(("PASSWORD", "secret"),))
        n3.tenant.redeclared()
        cluster.settled()
        client = cluster.ask("n1", "diff.cluster")
        assert client.code == 1
        told = {each["key"]: each["nodes"] for each in client.more["differences"]}
        assert told["stop_timeout"] == {"n1": "10.0", "n2": "10.0", "n3": "20.0"}
        assert "secret" not in str(client.more)
        refused = cluster.ask("n1", "rg.switch", "web", "n3")
        assert "differ" in refused.message
        cluster["n1"].engine.cut()
        cluster["n2"].engine.cut()
        cluster.run(DEAD + 5.0)
        assert not cluster["n3"].runs()


def test_a_set_is_refused_everywhere_when_one_node_refuses() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        asked: list[tuple[str, bool]] = []

        class Desk:
            """The desk of one node."""

            def __init__(self, name: str, code: int) -> None:
                self.name, self.code = name, code

            def set(self, client: SimpleNamespace, request: dict[str, object]) -> None:
                """gds set."""
                asked.append((self.name, bool(request["trial"])))
                client.done(self.code, "" if not self.code else "Validate says no")

        for node, code in zip(cluster.nodes, (0, 0, 1), strict=True):
            node.desk = Desk(node.name, code)
        refused = cluster.ask("n2", "set", "web", pairs=[["retry_count", "5"]])
        assert refused.code == 1
        assert "n3: Validate says no" in refused.message
        assert "nothing was changed on any node" in refused.message
        assert sorted(asked) == [("n1", True), ("n2", True), ("n3", True)]
        asked.clear()
        cluster["n3"].desk.code = 0
        assert cluster.ask("n2", "set", "web", pairs=[["retry_count", "5"]]).code == 0
        assert sorted(each for each in asked if not each[1]) == [("n1", False), ("n2", False), ("n3", False)]


class Setter:
    """The desk of one node, where all is well; remembers what it was asked to change."""

    def __init__(self) -> None:
        self.changed: list[object] = []

    def set(self, client: SimpleNamespace, request: dict[str, object]) -> None:
        """gds set."""
        if not request["trial"]:
            self.changed.append(request["pairs"])
        client.done(0, "", changes=[{"key": "retry_count", "old": "2", "new": "5", "same": False}])


def test_a_set_that_was_carried_out_tells_what_it_changed() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        for node in cluster.nodes:
            node.desk = Setter()
        done = cluster.ask("n2", "set", "web", pairs=[["retry_count", "5"]])
        assert done.code == 0
        assert [(c["key"], c["old"], c["new"]) for c in done.more["changes"]] == [("retry_count", "2", "5")]
        assert done.lines == []


@pytest.mark.parametrize("seconds", [0.0, 2.0, LIFETIME * 3])
def test_a_set_without_contact_is_refused_and_changes_nothing(seconds: float) -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        for node in cluster.nodes:
            node.desk = Setter()
        cluster["n3"].engine.cut()
        cluster.run(seconds)
        refused = cluster.ask("n3", "set", "web", pairs=[["retry_count", "5"]])
        assert refused.code == 1
        assert "nothing was changed" in refused.message
        assert "will differ" not in str(refused.lines)
        cluster["n3"].engine.heal()
        cluster.run(DEAD)
        assert [node.desk.changed for node in cluster.nodes] == [[], [], []]


def test_a_node_that_was_away_while_something_was_set_differs_until_the_same_is_set_there() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        for node in cluster.nodes:
            node.desk = Setter()
        assert cluster.ask("n1", "set", "web", pairs=[["retry_count", "4"]]).code == 0
        cluster["n3"].engine.cut()
        cluster.run(DEAD)
        done = cluster.ask("n1", "set", "web", pairs=[["retry_count", "5"]])
        assert done.code == 0
        assert done.lines == ["n3 cannot be told now, and will differ until the same is set there"]
        cluster["n3"].engine.heal()
        cluster.run(DEAD)
        assert cluster["n3"].desk.changed == [[["retry_count", "4"]]]
        assert cluster["n2"].desk.changed == [[["retry_count", "4"]], [["retry_count", "5"]]]


def test_a_set_passes_over_a_node_whose_files_do_not_declare_it() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        for node in cluster.nodes:
            node.desk = Setter()
        cluster["n3"].groups.take(Plan((), ()))
        cluster.run(2.0)
        done = cluster.ask("n1", "set", "web", pairs=[["retry_count", "4"]])
        assert done.code == 0
        assert done.lines == ["n3: its files do not declare web; nothing is set there"]
        assert [node.desk.changed for node in cluster.nodes] == [[[["retry_count", "4"]]]] * 2 + [[]]


def test_a_node_is_taken_from_when_the_fence_hook_has_ended_it() -> None:
    with nodes(WEB, groups=(ONE,), hook=True) as cluster:
        cluster.settled()
        cluster["n1"].engine.cut()
        cluster.run(DEAD + 5.0)
        n2 = cluster["n2"]
        assert n2.hooked == ["n1"]
        assert not n2.runs()
        n2.hook.pop()(SimpleNamespace(kind="exit", code=1, said="exited with status 1"))
        cluster.run(8.0)
        assert n2.hooked == ["n1", "n1"], "it is tried again"
        assert not n2.runs()
        told = cluster.ask("n2", "nodes").more["cluster"]
        for because in (told["nodes"][0]["because"], told["groups"]["web"]["masters"][0]["because"]):
            assert "it has not been heard of for" in because
            assert "fence_command exited with status 1, and is tried again; nothing of n1 is taken" in because
        n2.hook.pop()(SimpleNamespace(kind="exit", code=0, said="exited with status 0"))
        cluster.run(2.0)
        assert n2.runs()


def test_the_guards_kill_is_no_death_of_the_application() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        n1.guard._kill()
        cluster.run(3.0)
        assert n1.runs()
        assert n1.here.app().history.done(1000.0, cluster.clock.monotonic()) == 0
        assert not [d for d in n1.here.hands.decisions if "restart 1" in d[2]]


def test_without_a_guard_nothing_starts() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        for node in cluster.nodes:
            node.guard.pid = 0
        cluster.settled()
        assert not any(node.runs() for node in cluster.nodes)


def test_leaving_gives_everything_up_at_once() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        n1 = cluster["n1"]
        n1.here.rgmd.stop_all("the runner ends")
        cluster.run(1.0)
        gone: list[bool] = []
        assert n1.life
        n1.engine.cut()
        n1.tenant.leave(lambda: gone.append(True), False)
        cluster.run(0.1)
        assert not gone
        assert n1.life == "", "its end is asked for, and may come late: nobody is to live it again"
        n1.engine.heal()
        cluster.run(3.0)
        assert gone == [True]
        assert n1.guard.closed
        assert cluster["n2"].runs()


def test_a_need_on_another_node_is_waited_for() -> None:
    web = WEB.replace(resource_dependencies_offline_restart=(Need("db"),))
    with nodes(web, DB, groups=(ONE, STORE)) as cluster:
        cluster.settled()
        cluster.run(3.0)
        assert (cluster.masters("web"), cluster.masters("store")) == (["n1"], ["n2"])
        assert cluster["n1"].runs("web")
        before = cluster["n1"].here.app().incarnation
        assert cluster.ask("n3", "rg.offline", "store").code == 0
        assert not cluster["n1"].runs("web")
        assert "needs db on any node" in cluster["n1"].here.app().view.why
        assert cluster.ask("n3", "rg.online", "store").code == 0
        assert cluster["n1"].runs("web")
        assert cluster["n1"].here.app().incarnation == before + 1


@pytest.mark.parametrize("kind", ["restart", "offline_restart"])
def test_a_need_elsewhere_that_was_started_anew_between_two_reports_is_noticed(kind: str) -> None:
    web = WEB.replace(**{f"resource_dependencies_{kind}": (Need("db"),)})
    with nodes(web, DB, groups=(ONE, STORE)) as cluster:
        cluster.settled()
        cluster.run(3.0)
        n1, n2 = cluster["n1"], cluster["n2"]
        assert (cluster.masters("web"), cluster.masters("store")) == (["n1"], ["n2"])
        before = n1.here.app().incarnation
        n2.tenant.observed(n2.here.app("db"))
        cluster.run(1.0)
        assert n1.here.app().incarnation == before, "a report like the last one is no news"
        n2.here.app("db").incarnation += 1  # so quick that no report was made in between
        n2.tenant.observed(n2.here.app("db"))
        cluster.run(1.0)
        assert n1.here.app().incarnation == before + 1
        assert n1.here.app().history.done(1000.0, cluster.clock.monotonic()) == 0, "it counts in nobody's budget"


def test_an_engine_that_never_answered_is_in_the_log_once_for_each_reason_and_why_does_not_pretend() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        n1 = cluster["n1"]
        before = cluster.ask("n1", "nodes", seconds=0.0).more["cluster"]
        assert (before["heard"], bool(before["away"])) == (False, True)
        for endpoint in (1, 2, 3, 1):
            n1.tenant.engine_away(f"http://10.0.0.{endpoint}:2379: no answer within 0.{endpoint} s")
        n1.tenant.engine_away("etcd: authentication failed")
        said = [line for line in n1.here.hands.logged if "engine is away" in line]
        assert [line.partition(": ")[2] for line in said] == [
            "http://10.0.0.1:2379: no answer within 0.1 s; nothing is started before it has answered",
            "etcd: authentication failed; nothing is started before it has answered",
        ]
        cluster.settled()
        assert cluster.ask("n1", "nodes").more["cluster"]["heard"]
        assert "the memory engine answers" in n1.here.hands.logged
        n1.tenant.engine_away("etcd: authentication failed")
        assert n1.here.hands.logged[-1] == "the memory engine is away: etcd: authentication failed", "another absence"


def test_what_a_node_whose_tenure_is_over_says_of_the_cluster_is_old_news() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        assert cluster["n1"].tenant.identity()["lost"] == ""
        cluster["n1"].engine.cut()
        cluster.run(LIFETIME)
        assert cluster["n1"].tenant.identity()["lost"] == "no renewal in time"


def test_status_says_what_the_node_believes_and_until_when_it_may() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        told = cluster.ask("n2", "nodes").more["cluster"]
        assert told["engine"] == "memory"
        assert told["member"]
        assert 0 < told["may_run_seconds"] <= LIFETIME - MARGIN
        assert [(n["node"], n["alive"], n["masters"]) for n in told["nodes"]] == [
            ("n1", True, ["web"]),
            ("n2", True, []),
            ("n3", True, []),
        ]
        assert told["groups"]["web"]["nodes"]["n1"]["state"] == "ONLINE"
        assert cluster.ask("n2", "cluster.picture").more["cluster"]


# -- records that nobody can read -------------------------------------------------------------------------------------


def test_nobody_takes_a_group_whose_slot_cannot_be_read_before_a_person_clears_it() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        cluster.store.commit(Transaction((), (Put("rg/web/slot/0", "garbage{"),)))
        cluster.run(3.0)
        assert cluster.masters() == []
        assert not cluster["n1"].runs(), "who had it cannot know who has"
        why = "has a record rg/web/slot/0 that cannot be read (it is no JSON), and nobody can tell which node has it;"
        then = "when none runs it, `gds clear web` removes that record"
        told = cluster["n2"].tenant.identity()["groups"]["web"]
        assert (told["masters"], told["because"]) == ([], f"stays down: it {why} {then}")
        lost = "rg/web/slot/0 was overwritten, by no node of the cluster, with what cannot be read: it is no JSON"
        assert cluster["n1"].here.app().view.because == lost
        for verb, words in {"rg.online": ("web",), "rg.switch": ("web", "n2")}.items():
            asked = cluster.ask("n3", verb, *words)
            assert (asked.code, f"web {why} {then}" in asked.message) == (1, True), asked.message
        cleared = cluster.ask("n3", "clear", "web")
        assert cleared.lines == ["rg/web/slot/0, which could not be read, is removed: web may be taken again"]
        assert cleared.code == 0
        assert cluster.masters() == ["n1"]


def test_a_slot_that_cannot_be_read_stays_while_a_node_may_run_the_group() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster["n1"].here.forest.programs["web"] = Program(immortal=True, deaf=frozenset((15,)))
        cluster.settled()
        n3 = cluster["n3"]
        cluster.store.commit(Transaction((), (Put("rg/web/slot/0", "garbage{"),)))
        cluster.run(0.2)
        early = cluster.ask("n3", "clear", "web")
        assert early.code == 1
        assert "cannot remove rg/web/slot/0, which cannot be read (it is no JSON): " in early.message
        cluster.run(30.0)
        stuck = cluster.ask("n3", "clear", "web")
        assert (stuck.code, stuck.message.endswith(": it is ERROR_STOP_FAILED on n1")) == (1, True), stuck.message
        cluster["n1"].engine.cut()
        cluster.run(1.0)
        assert cluster.ask("n3", "clear", "web").code == 1
        cluster.run(DEAD)
        assert "n1" not in n3.tenant.member.board.nodes, "it is fenced, for it might have it"
        assert cluster.ask("n3", "clear", "web").code == 0
        assert cluster.masters() == ["n2"]


def test_a_goal_that_cannot_be_read_suspends_until_a_person_says_what_is_wanted() -> None:
    with nodes(WEB, groups=(ONE,)) as cluster:
        cluster.settled()
        n1, board = cluster["n1"], cluster["n2"].tenant.member.board
        for verb, words in {"rg.resume": ("web",), "rg.switch": ("web", "n2"), "rg.online": ("web",)}.items():
            cluster.store.commit(Transaction((), (Put("rg/web/goal", "garbage{"),)))
            cluster.run(2.0)
            assert n1.groups.is_suspended("web")
            why = "the group has a record rg/web/goal that cannot be read (it is no JSON): nothing is moved by itself"
            assert ("suspended", True) in [
                (event, because.startswith(why)) for _name, event, because in n1.here.hands.decisions
            ]
            assert cluster.ask("n3", verb, *words).code == 0
            assert not board.goals["web"].suspended
            assert not n1.groups.is_suspended("web")
        assert cluster.masters() == ["n2"]
        cluster.store.commit(Transaction((), (Put("rg/web/goal", "garbage{"),)))
        cluster.run(1.0)
        assert cluster.ask("n3", "rg.suspend", "web").code == 0
        assert board.goals["web"] == Goal(suspended=True)
