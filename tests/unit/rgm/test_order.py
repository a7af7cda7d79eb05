"""Who waits for whom, and who is told what. Sun: semantics.md 9.2, 11.2, 13."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gds.model.resource import Command, Group, Need, Plan, Resource
from gds.rgm import order
from gds.rgm.events import NeedGone, NeedRestarted, NeedsMet, UsersGone, UserStuck
from gds.rgm.order import OFFLINE_RESTART, RESTART, STRONG, WEAK, Graph, Link
from gds.rgm.resource import ALONE, Life, ResourceView

if TYPE_CHECKING:
    from gds.rgm.events import Event

L = Life
COMMAND = Command(("x",))
KEYS = {
    STRONG: "resource_dependencies",
    WEAK: "resource_dependencies_weak",
    RESTART: "resource_dependencies_restart",
    OFFLINE_RESTART: "resource_dependencies_offline_restart",
}


def resource(name: str, group: str = "shop", **more: Any) -> Resource:
    """One resource; its needs by kind."""
    needs = {KEYS[kind]: tuple(map(Need, more.pop(kind).split())) for kind in KEYS if kind in more}
    return Resource(name, COMMAND, group).replace(**needs, **more)


def plan(*resources: Resource, **groups: dict[str, Any]) -> Plan:
    """A plan of these, with a group for each group named."""
    names = dict.fromkeys(r.group for r in resources)
    made = [
        Group(name, resources=tuple(r.name for r in resources if r.group == name)).replace(**groups.get(name, {}))
        for name in names
    ]
    return Plan(resources, tuple(made))


def graph(*resources: Resource, **groups: dict[str, Any]) -> Graph:
    """The graph of such a plan."""
    return order.graph_of(plan(*resources, **groups))


def views(**lives: Life | ResourceView) -> dict[str, ResourceView]:
    """Resources in these lives."""
    return {n: v if isinstance(v, ResourceView) else ResourceView(n, v, "before") for n, v in lives.items()}


def waiting(name: str, waits: str = "waits for x") -> ResourceView:
    """One that is to run."""
    return ResourceView(name, L.AWAITING, "asked", waits=waits)


def held(name: str, goal: Life) -> ResourceView:
    """One that is to stop."""
    return ResourceView(name, L.HELD, "asked", waits="waits until x is down", next=goal)


TWO = {kind: graph(resource("db"), resource("web", **{kind: "db"})) for kind in KEYS}


TWICE = graph(resource("db"), resource("web", **{STRONG: "db", RESTART: "db"}))
"""Two links between the same two."""


# -- the graph --------------------------------------------------------------------------------------------------------


def test_a_resource_that_nobody_is_linked_with_stands_nowhere() -> None:
    made = graph(resource("a"), resource("b", "other"))
    assert made == Graph({}, {}, {}, groups={"a": "shop", "b": "other"})
    assert not made.knows("a")
    assert order.around(made, "a", views(a=L.OFFLINE).get) is ALONE


@pytest.mark.parametrize("kind", KEYS)
def test_a_link_is_known_from_both_ends(kind: str) -> None:
    link = Link("web", "db", kind)
    assert TWO[kind].needs == {"web": (link,)}
    assert TWO[kind].users == {"db": (link,)}
    assert TWO[kind].knows("web")
    assert TWO[kind].knows("db")


def test_addresses_of_the_group_are_needed_by_all_others_of_it() -> None:
    address = resource("vip", type="LogicalHostname")
    made = graph(address, resource("web"), resource("far", "other"))
    assert made.needs == {"web": (Link("web", "vip", STRONG),)}
    assert graph(address, resource("web"), shop={"implicit_network_dependencies": False}).needs == {}
    assert graph(address, resource("web"), shop={"rg_mode": "SCALABLE"}).needs == {}


def test_groups_that_depend_on_each_other_are_weak_links_of_their_resources() -> None:
    made = graph(resource("a", "one"), resource("b", "two"), resource("c", "two"), two={"rg_dependencies": ("one",)})
    assert made.needs == {"b": (Link("b", "a", WEAK),), "c": (Link("c", "a", WEAK),)}


def test_mates_are_those_of_a_group_with_prenet_start_or_postnet_stop() -> None:
    made = graph(resource("a", prenet_start_command=COMMAND), resource("b"), resource("c", "other"))
    assert made.mates == {"a": ("b",), "b": ("a",)}
    assert made.prenet == {"a"}
    assert not made.knows("c")
    assert graph(resource("a", postnet_stop_command=COMMAND)).knows("a")


def test_start_order_and_stop_order() -> None:
    made = graph(
        resource("web", strong="db cache"),
        resource("cache", weak="db"),
        resource("db"),
        resource("ip", prenet_start_command=COMMAND, strong="db"),
    )
    assert order.start_order(made, ["web", "cache", "db", "ip"]) == ["ip", "db", "cache", "web"]
    assert order.stop_order(made, ["web", "cache", "db", "ip"]) == ["ip", "web", "cache", "db"]
    assert order.stop_order(made, ["db", "web"]) == ["web", "db"]


# -- to start ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "db", "unmet"),
    [
        (STRONG, L.ONLINE, ""),
        (STRONG, L.STARTING, "waits for db"),
        (STRONG, L.PREPARING, "waits for db"),
        (STRONG, L.CYCLING, "waits for db"),
        (STRONG, L.WAITING, "waits for db"),
        (STRONG, waiting("db"), "waits for db"),
        (STRONG, held("db", L.CYCLING), "waits for db"),
        (STRONG, held("db", L.STOPPING), "needs db, which goes down"),
        (STRONG, L.STOPPING, "needs db, which goes down"),
        (STRONG, L.CLEARING, "needs db, which goes down"),
        (STRONG, ResourceView("db", L.CLEARING, again=True), "waits for db"),
        (STRONG, L.OFFLINE, "needs db, which is OFFLINE (before)"),
        (STRONG, ResourceView("db"), "needs db, which is OFFLINE"),
        (STRONG, L.START_FAILED, "needs db, which is START_FAILED"),
        (RESTART, L.OFFLINE, "needs db, which is OFFLINE (before)"),
        (OFFLINE_RESTART, L.OFFLINE, "needs db, which is OFFLINE (before)"),
        (WEAK, L.OFFLINE, ""),
        (WEAK, L.START_FAILED, ""),
        (WEAK, L.STOPPING, ""),
        (WEAK, L.STARTING, "waits for db"),
        (WEAK, waiting("db"), "waits for db"),
    ],
)
def test_what_has_to_be_there_before_a_start(kind: str, db: Life | ResourceView, unmet: str) -> None:
    assert order.around(TWO[kind], "web", views(db=db, web=L.OFFLINE).get).unmet == unmet


def test_a_need_that_nobody_declares_is_named() -> None:
    assert order.unmet(TWO[STRONG], "web", views(web=L.OFFLINE).get) == "needs db, which nobody declares"
    assert order.unmet(TWO[WEAK], "web", views(web=L.OFFLINE).get) == ""


def test_what_will_not_come_is_told_before_what_comes() -> None:
    made = graph(resource("a"), resource("b"), resource("c", strong="a b"))
    assert order.unmet(made, "c", views(a=L.STARTING, b=L.OFFLINE).get) == "needs b, which is OFFLINE (before)"


def test_many_are_counted() -> None:
    made = graph(*[resource(n) for n in "abcde"], resource("z", strong="a b c d e"))
    assert order.unmet(made, "z", views(**dict.fromkeys("abcde", L.STARTING)).get) == "waits for a, b, c and 2 more"


def test_one_that_waits_for_what_will_not_come_does_not_come_itself() -> None:
    made = graph(resource("a"), resource("b", strong="a"), resource("c", weak="b"), resource("d", strong="b"))
    stuck = views(a=L.OFFLINE, b=waiting("b", "needs a, which is OFFLINE"), c=L.OFFLINE, d=waiting("d"))
    assert not order.is_coming(made, "b", stuck.get)
    assert order.unmet(made, "c", stuck.get) == ""
    assert order.unmet(made, "d", stuck.get) == "needs b, which needs a, which is OFFLINE"
    assert order.is_at_rest(made, "b", stuck.get)
    moving = {**stuck, "a": ResourceView("a", L.STARTING)}
    assert order.is_coming(made, "b", moving.get)
    assert not order.is_at_rest(made, "b", moving.get)


@pytest.mark.parametrize(
    ("life", "rest"),
    [(life, life in (L.OFFLINE, L.ONLINE, L.START_FAILED, L.STOP_FAILED, L.AWAITING)) for life in Life],
)
def test_what_is_at_rest(life: Life, rest: bool) -> None:
    made = graph(resource("a"), resource("b", strong="a"))
    assert order.is_at_rest(made, "b", views(a=L.OFFLINE, b=life).get) is rest
    assert order.is_at_rest(made, "nobody", views().get)


def test_an_answer_is_not_looked_for_twice() -> None:
    made = graph(resource("a"), resource("b", strong="a"), resource("c", strong="b"), resource("d", strong="b c"))
    look = views(a=L.STARTING, b=waiting("b"), c=waiting("c"), d=waiting("d")).get
    assert order.unmet(made, "d", look) == "waits for b, c"
    assert not order.is_coming(made, "nobody", look)


# -- Prenet_start -----------------------------------------------------------------------------------------------------

NET = graph(
    resource("far", "other"),
    resource("ip", prenet_start_command=COMMAND),
    resource("net", prenet_start_command=COMMAND, strong="ip"),
    resource("app"),
)


def test_prenet_start_of_all_comes_before_the_first_start() -> None:
    look = views(ip=L.PREPARING, net=waiting("net"), app=L.OFFLINE).get
    assert order.around(NET, "app", look).unmet == "waits for Prenet_start of ip, net"
    done = ResourceView("ip", L.STARTING, prepared=True)
    assert order.unmet(NET, "app", views(ip=done, net=ResourceView("net", prepared=True)).get) == ""
    assert order.unmet(NET, "app", views(ip=L.OFFLINE, net=L.OFFLINE).get) == ""


def test_prenet_start_goes_in_the_order_of_needs() -> None:
    around = order.around(NET, "net", views(ip=L.PREPARING, net=L.OFFLINE, app=L.OFFLINE).get)
    assert around.unprepared == "waits for Prenet_start of ip"
    assert around.prenet
    assert order.around(NET, "net", views(ip=L.OFFLINE, net=L.OFFLINE).get).unprepared == ""


def test_prenet_start_waits_for_what_is_needed_of_another_group_and_is_not_waited_for_then() -> None:
    made = graph(
        resource("far", "other", weak="app"),
        resource("ip", prenet_start_command=COMMAND, strong="far"),
        resource("app"),
    )
    look = views(far=L.OFFLINE, ip=waiting("ip"), app=L.OFFLINE).get
    assert order.around(made, "ip", look).unprepared == "needs far, which is OFFLINE (before)"
    assert order.unmet(made, "app", look) == ""
    assert order.news(made, "ip", "far", L.OFFLINE, look) == NeedsMet()
    weak = graph(resource("far", "other"), resource("ip", prenet_start_command=COMMAND, weak="far"))
    assert order.around(weak, "ip", look).unprepared == ""


# -- to stop ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "web", "in_use"),
    [
        (STRONG, L.ONLINE, ""),
        (STRONG, L.STARTING, ""),
        (STRONG, L.OFFLINE, ""),
        (STRONG, L.CLEARING, ""),
        (STRONG, waiting("web"), ""),
        (STRONG, L.STOPPING, "waits until web is down"),
        (STRONG, L.CYCLING, "waits until web is down"),
        (STRONG, L.ABANDONING, "waits until web is down"),
        (STRONG, held("web", L.STOPPING), "waits until web is down"),
        (STRONG, held("web", L.CLEARING), ""),
        (STRONG, L.STOP_FAILED, ""),
        (WEAK, L.STOPPING, "waits until web is down"),
        (RESTART, L.ONLINE, ""),
        (OFFLINE_RESTART, L.ONLINE, "waits until web is down"),
        (OFFLINE_RESTART, L.STARTING, "waits until web is down"),
        (OFFLINE_RESTART, L.OFFLINE, ""),
    ],
)
def test_who_has_to_be_down_before_a_stop(kind: str, web: Life | ResourceView, in_use: str) -> None:
    assert order.around(TWO[kind], "db", views(db=L.ONLINE, web=web).get).in_use == in_use


def test_a_user_that_nobody_declares_any_more_stops_nobody() -> None:
    assert order.around(TWO[OFFLINE_RESTART], "db", views(db=L.ONLINE).get).in_use == ""


def test_several_are_down_first() -> None:
    made = graph(resource("db"), resource("a", strong="db"), resource("b", strong="db"))
    look = views(db=L.ONLINE, a=L.STOPPING, b=L.STOPPING).get
    assert order.around(made, "db", look).in_use == "waits until a, b are down"


def test_postnet_stop_comes_after_the_last_stop_and_in_reverse() -> None:
    made = graph(
        resource("ip", postnet_stop_command=COMMAND), resource("net", postnet_stop_command=COMMAND, strong="ip")
    )
    look = views(ip=L.STOPPING, net=L.STOPPING)
    assert order.around(made, "ip", look.get).undrained == "waits until net went down"
    assert order.around(made, "ip", look.get).postnet
    look = views(ip=held("ip", L.CLEARING), net=L.CLEARING)
    assert order.around(made, "ip", look.get).undrained == "waits until net went down"
    assert order.news(made, "ip", "net", L.STOPPING, look.get) is None
    look = views(ip=held("ip", L.CLEARING), net=L.OFFLINE)
    assert order.news(made, "ip", "net", L.CLEARING, look.get) == UsersGone()
    assert order.around(made, "ip", views(ip=L.STOPPING).get).undrained == ""


# -- news -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "lives", "before", "told"),
    [
        (STRONG, "web", {"web": waiting("web", "waits for db"), "db": L.ONLINE}, L.STARTING, NeedsMet()),
        (STRONG, "web", {"web": waiting("web", "waits for db"), "db": L.STARTING}, L.OFFLINE, None),
        (STRONG, "web", {"web": waiting("web", "waits for db"), "db": L.START_FAILED}, L.ABANDONING, NeedsMet()),
        (STRONG, "db", {"db": held("db", L.STOPPING), "web": L.OFFLINE}, L.STOPPING, UsersGone()),
        (STRONG, "db", {"db": held("db", L.STOPPING), "web": L.CYCLING}, L.ONLINE, None),
        (
            STRONG,
            "db",
            {"db": held("db", L.STOPPING), "web": L.STOP_FAILED},
            L.STOPPING,
            UserStuck("not stopped: web could not be stopped, and needs it"),
        ),
        (WEAK, "db", {"db": held("db", L.STOPPING), "web": L.STOP_FAILED}, L.STOPPING, UsersGone()),
        (STRONG, "web", {"web": L.ONLINE, "db": L.STOPPING}, L.ONLINE, None),
        (STRONG, "web", {"web": L.ONLINE, "db": L.ONLINE}, L.STARTING, None),
        (RESTART, "web", {"web": L.ONLINE, "db": L.STOPPING}, L.ONLINE, None),
        (RESTART, "web", {"web": L.ONLINE, "db": L.ONLINE}, L.HELD, None),
        (RESTART, "web", {"web": L.OFFLINE, "db": L.ONLINE}, L.STARTING, None),
        (
            RESTART,
            "web",
            {"web": L.ONLINE, "db": L.ONLINE},
            L.STARTING,
            NeedRestarted("db, which it needs, was started anew"),
        ),
        (
            OFFLINE_RESTART,
            "web",
            {"web": L.ONLINE, "db": L.CYCLING},
            L.ONLINE,
            NeedGone("db, which it needs, goes down: before", "db"),
        ),
        (
            OFFLINE_RESTART,
            "web",
            {"web": L.STARTING, "db": held("db", L.STOPPING)},
            L.ONLINE,
            NeedGone("db, which it needs, goes down: asked", "db"),
        ),
        (OFFLINE_RESTART, "web", {"web": L.STOPPING, "db": L.CYCLING}, L.ONLINE, None),
        (OFFLINE_RESTART, "web", {"web": L.ONLINE}, L.ONLINE, None),
        (OFFLINE_RESTART, "web", {"db": L.ONLINE}, L.ONLINE, None),
    ],
)
def test_what_a_change_of_one_means_for_another(
    kind: str, name: str, lives: dict[str, Life | ResourceView], before: Life, told: Event | None
) -> None:
    changed = "db" if name == "web" else "web"
    assert order.news(TWO[kind], name, changed, before, views(**lives).get) == told


def test_when_everything_goes_down_who_is_stuck_keeps_nobody_up() -> None:
    look = views(db=held("db", L.STOPPING), web=L.STOP_FAILED).get
    assert order.news(TWO[STRONG], "db", "web", L.STOPPING, look, leaving=True) == UsersGone()
    assert order.around(TWO[STRONG], "db", look, leaving=True).in_use == ""


def test_whom_a_change_concerns() -> None:
    made = graph(resource("a"), resource("b", strong="a", prenet_start_command=COMMAND), resource("c", weak="b"))
    assert order.concerned(made, "b") == ["c", "a"]
    assert order.concerned(made, "a") == ["b", "c"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (ResourceView("a"), ResourceView("a", L.STARTING), True),
        (waiting("a"), waiting("a", "waits for y"), True),
        (held("a", L.CYCLING), held("a", L.STOPPING), True),
        (ResourceView("a", L.CLEARING, again=True), ResourceView("a", L.CLEARING), True),
        (ResourceView("a", L.ONLINE), ResourceView("a", L.ONLINE, "why"), False),
    ],
)
def test_others_hear_of_a_life_and_of_where_it_leads(before: ResourceView, after: ResourceView, told: bool) -> None:
    assert order.is_news(before, after) is told


def test_who_is_restarted_and_then_goes_down_for_good_is_waited_for_no_longer_by_anybody() -> None:
    made = graph(
        resource("a", "other"),
        resource("b", prenet_start_command=COMMAND, **{STRONG: "a"}),
        resource("d", **{WEAK: "b"}),
    )
    lives = views(a=L.CYCLING, b=waiting("b", "needs a, which is restarted"), d=waiting("d", "waits for b"))
    assert order.news(made, "b", "a", L.ONLINE, lives.get) is None
    assert order.news(made, "d", "b", L.AWAITING, lives.get) is None
    lives["a"] = lives["a"].replace(life=L.STOPPING)
    assert order.news(made, "b", "a", L.CYCLING, lives.get) == NeedsMet()
    assert order.news(made, "d", "b", L.AWAITING, lives.get) == NeedsMet()


# -- several nodes ----------------------------------------------------------------------------------------------------


def spread(need: Need, **groups: dict[str, Any]) -> Graph:
    """The graph of `web` in a group of its own, which needs `db` in another, when the two may be on different nodes."""
    web = resource("web", "front").replace(resource_dependencies=(need,))
    return order.graph_of(plan(resource("db", "store"), web, **groups), here="n1")


@pytest.mark.parametrize(
    ("where", "affinity", "name", "far"),
    [
        ("LOCAL_NODE", "", "db", {}),
        ("ANY_NODE", "", "db on any node", {"db on any node": ("db", "")}),
        ("n2", "", "db on n2", {"db on n2": ("db", "n2")}),
        ("n1", "", "db", {}),
        ("FROM_RG_AFFINITIES", "", "db on any node", {"db on any node": ("db", "")}),
        ("FROM_RG_AFFINITIES", "--store", "db on any node", {"db on any node": ("db", "")}),
        ("FROM_RG_AFFINITIES", "+store", "db", {}),
        ("FROM_RG_AFFINITIES", "+++store", "db", {}),
    ],
)
def test_a_need_of_another_group_is_looked_for_where_its_qualifier_says(
    where: str, affinity: str, name: str, far: dict[str, tuple[str, str]]
) -> None:
    made = spread(Need("db", where), front={"rg_affinities": (affinity,) if affinity else ()})
    assert [link.need for link in made.needs["web"]] == [name]
    assert made.far == far
    # on this node, who needs it still goes down before it
    assert Link("web", "db", STRONG) in made.users["db"]


def test_the_own_group_is_always_here_and_rg_dependencies_are_anywhere() -> None:
    inside = order.graph_of(plan(resource("db"), resource("web", strong="db")), here="n1")
    assert inside.far == {}
    after = order.graph_of(
        plan(resource("db", "store"), resource("web", "front"), front={"rg_dependencies": ("store",)}), here="n1"
    )
    assert after.needs["web"] == (Link("web", "db on any node", WEAK),)


def test_what_is_needed_elsewhere_is_waited_for_and_told_by_its_name() -> None:
    made = spread(Need("db", "ANY_NODE"))
    name = "db on any node"
    down = {**views(web=L.OFFLINE, db=L.OFFLINE), name: ResourceView(name, L.OFFLINE, "no node masters store")}
    up = {**down, name: ResourceView(name, L.ONLINE)}
    assert order.unmet(made, "web", down.get) == f"needs {name}, which is OFFLINE (no node masters store)"
    assert order.unmet(made, "web", up.get) == ""
    asked = {**up, "web": waiting("web")}
    assert isinstance(order.news(made, "web", name, L.OFFLINE, asked.get), NeedsMet)
    assert order.concerned(made, name) == ["web"]


ANYWHERE = "db on any node"


def tied(kind: str = OFFLINE_RESTART, where: str = "ANY_NODE") -> Graph:
    """`web` needs `db` of another group so, and both may be here, on n1."""
    web = resource("web", "front").replace(**{KEYS[kind]: (Need("db", where),)})
    return order.graph_of(plan(resource("db", "store"), web), here="n1")


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("where", ["ANY_NODE", "FROM_RG_AFFINITIES", "LOCAL_NODE", "n1"])
def test_what_is_here_goes_down_when_who_uses_it_here_is_down(kind: str, where: str) -> None:
    made = tied(kind, where)
    lives = views(web=L.STOPPING, db=L.HELD)
    lives["db"] = held("db", L.STOPPING)
    assert order.around(made, "db", lives.get).in_use == "waits until web is down"
    assert order.news(made, "db", "web", L.ONLINE, lives.get) is None
    assert "db" in order.concerned(made, "web"), "it waits for it"
    for down in (L.OFFLINE, L.AWAITING, L.START_FAILED):
        lives["web"] = ResourceView("web", down)
        assert order.news(made, "db", "web", L.STOPPING, lives.get) == UsersGone()


@pytest.mark.parametrize("where", ["ANY_NODE", "FROM_RG_AFFINITIES", "LOCAL_NODE", "n1"])
def test_who_needs_what_goes_down_here_goes_first_and_hears_why(where: str) -> None:
    made = tied(where=where)
    lives = {**views(web=L.ONLINE), "db": held("db", L.CYCLING)}
    assert order.around(made, "db", lives.get).in_use == "waits until web is down"
    assert "web" in order.concerned(made, "db")
    said = order.news(made, "web", "db", L.ONLINE, lives.get)
    assert said == NeedGone(f"db, which it needs, goes down: {lives['db'].because}", "db")
    lives["web"] = ResourceView("web", L.CYCLING)
    coming = ANYWHERE if where in ("ANY_NODE", "FROM_RG_AFFINITIES") else "db"
    assert order.unmet(made, "web", lives.get) == f"waits for {coming}", "it is restarted"
    lives["db"] = ResourceView("db", L.OFFLINE, "asked")
    assert order.unmet(made, "web", lives.get) == f"needs {coming}, which is OFFLINE (asked)"


def test_a_need_that_goes_down_without_a_reason_says_how_it_is() -> None:
    made = tied()
    lives = {**views(web=L.ONLINE, db=L.OFFLINE), ANYWHERE: ResourceView(ANYWHERE, L.STOPPING)}
    gone = NeedGone(f"{ANYWHERE}, which it needs, goes down: it is STOPPING", ANYWHERE)
    assert order.news(made, "web", ANYWHERE, L.ONLINE, lives.get) == gone


@pytest.mark.parametrize(
    ("where", "elsewhere", "follows"),
    [
        ("ANY_NODE", None, True),
        ("ANY_NODE", L.OFFLINE, True),
        ("ANY_NODE", L.STOPPING, True),
        ("ANY_NODE", L.ONLINE, False),
        ("n2", L.ONLINE, False),
        ("n2", L.OFFLINE, False),
    ],
)
def test_nobody_waits_for_who_goes_on_with_what_another_node_has(
    where: str, elsewhere: Life | None, follows: bool
) -> None:
    made = tied(where=where)
    name = ANYWHERE if where == "ANY_NODE" else "db on n2"
    lives = {**views(web=L.ONLINE), "db": held("db", L.STOPPING)}
    if elsewhere is not None:
        lives[name] = ResourceView(name, elsewhere, "n2 says so")
    assert order.around(made, "db", lives.get).in_use == ("waits until web is down" if follows else "")
    said = order.news(made, "web", "db", L.ONLINE, lives.get)
    assert isinstance(said, NeedGone) if follows else said is None
    assert isinstance(order.news(made, "db", "web", L.STARTING, lives.get), UsersGone) is not follows


@pytest.mark.parametrize("kind", [STRONG, WEAK, RESTART])
def test_only_offline_restart_makes_who_runs_on_go_first(kind: str) -> None:
    lives = {**views(web=L.ONLINE), "db": ResourceView("db", L.ONLINE)}
    assert order.around(tied(kind), "db", lives.get).in_use == ""


@pytest.mark.parametrize(
    ("here", "elsewhere", "unmet"),
    [
        (L.ONLINE, None, ""),
        (L.ONLINE, L.OFFLINE, ""),
        (L.STOPPING, L.ONLINE, ""),
        (L.OFFLINE, L.ONLINE, ""),
        (L.START_FAILED, L.STARTING, f"waits for {ANYWHERE}"),
        (L.STARTING, L.STOPPING, f"waits for {ANYWHERE}"),
        (L.OFFLINE, L.STOPPING, f"needs {ANYWHERE}, which goes down"),
        (L.OFFLINE, L.OFFLINE, f"needs {ANYWHERE}, which is OFFLINE (n2 says so)"),
        (L.OFFLINE, None, f"needs {ANYWHERE}, which is OFFLINE (before)"),
    ],
)
def test_of_what_is_here_and_elsewhere_the_best_counts(here: Life, elsewhere: Life | None, unmet: str) -> None:
    lives = views(web=L.OFFLINE, db=here)
    if elsewhere is not None:
        lives[ANYWHERE] = ResourceView(ANYWHERE, elsewhere, "n2 says so")
    assert order.unmet(tied(), "web", lives.get) == unmet


def test_what_waits_here_for_what_comes_is_waited_for() -> None:
    web = resource("web", "front").replace(resource_dependencies=(Need("db"),))
    made = order.graph_of(plan(resource("disk", "store"), resource("db", "store", strong="disk"), web), here="n1")
    lives = {**views(web=L.OFFLINE, disk=L.STARTING), "db": waiting("db", "waits for disk")}
    assert order.unmet(made, "web", lives.get) == f"waits for {ANYWHERE}"
    lives["disk"] = ResourceView("disk", L.START_FAILED)
    assert order.unmet(made, "web", lives.get) == f"needs {ANYWHERE}, which waits for disk"


@pytest.mark.parametrize("kind", [RESTART, OFFLINE_RESTART])
def test_a_need_that_any_node_may_serve_and_was_started_anew_here_restarts_who_needs_it(kind: str) -> None:
    lives = views(web=L.ONLINE, db=L.ONLINE)
    said = order.news(tied(kind), "web", "db", L.STARTING, lives.get)
    assert (said == NeedRestarted("db, which it needs, was started anew")) is (kind == RESTART)


@pytest.mark.parametrize("up", [True, False])
def test_prenet_start_waits_for_another_group_wherever_it_is(up: bool) -> None:
    web = resource("web", "front", prenet_start_command=COMMAND).replace(resource_dependencies=(Need("db"),))
    made = order.graph_of(plan(resource("db", "store"), web), here="n1")
    lives = views(web=L.OFFLINE, db=L.ONLINE if up else L.OFFLINE)
    said = "" if up else f"needs {ANYWHERE}, which is OFFLINE (before)"
    assert order.around(made, "web", lives.get).unprepared == said


# -- two that are linked twice ----------------------------------------------------------------------------------------


def test_who_is_needed_in_two_ways_is_named_once() -> None:
    assert order.unmet(TWICE, "web", views(db=L.STARTING).get) == "waits for db"
    assert order.unmet(TWICE, "web", views().get) == "needs db, which nobody declares"


def test_who_needs_it_in_two_ways_is_named_once() -> None:
    going = order.around(TWICE, "db", views(db=L.ONLINE, web=L.STOPPING).get)
    assert going.in_use == "waits until web is down"
    event = order.news(TWICE, "db", "web", L.STOPPING, views(db=held("db", L.STOPPING), web=L.STOP_FAILED).get)
    assert event == UserStuck("not stopped: web could not be stopped, and needs it")


def test_who_is_prepared_before_it_in_two_ways_is_named_once() -> None:
    db, web = resource("db", prenet_start_command=COMMAND), resource("web", prenet_start_command=COMMAND)
    made = graph(db, web.replace(resource_dependencies=(Need("db"),), resource_dependencies_weak=(Need("db"),)))
    around = order.around(made, "web", views(db=L.PREPARING, web=L.OFFLINE).get)
    assert around.unprepared == "waits for Prenet_start of db"
