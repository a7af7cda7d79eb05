"""gds set over the real drivers and the real compiler, with fake hands: what is refused has changed nothing at all.

People set good and bad values in any mixture, one or two at once, while Validate agrees or not, and applications run,
are stopped, are disabled, fail to start.
"""

from __future__ import annotations

import marshal
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from gds.config.setter import answer_set
from gds.daemon.groups import Groups
from gds.daemon.managing import Managing
from gds.daemon.setting import Setting
from gds.linux.setfile import SetFile
from gds.model.resource import Command, Group, Plan, Resource
from gds.model.value import fields_of
from gds.rgm.resource import Life
from gds.testing.processes import Program
from tests.unit.daemon.world import WELL, Here, ends

WEB = Resource(
    "web", Command(("web",)), "shop", validate_command=Command(("check",)), update_command=Command(("tell",))
)
DB = Resource("db", Command(("db",)), "shop")
ALONE = Resource("alone", Command(("alone",)), "alone")
GOOD = {
    "retry_count": ("0", "7", "-1"),
    "retry_interval": ("5m", "10"),
    "description": ("a b", "12"),
    "resource_dependencies": ("db", '""'),
    "port_list": ('["80/tcp"]', "[]"),
    "nice": ("3", "0"),
    "stop_signal": ("INT", "15"),
    "update_command": ('["tell"]', "tell them"),
}
BAD = {
    "retry_count": ("many", "-2"),
    "retry_cuont": ("3",),
    "group": ("other",),
    "enabled": ("false",),
    "network_aware": ("true",),
    "resource_dependencies": ("web", "nobody"),
    "failover_mode": ("HARD", "LOUD"),
    "pingpong_interval": ("5",),
}


class LittleSwitches:
    """Nothing is switched."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, bool]] = {}

    def set(self, name: str, what: str, value: bool) -> str:
        """Keep it."""
        self.of.setdefault(name, {})[what] = value
        return ""


class LittleClient:
    """Somebody who asked."""

    uid = 0
    pid = 1

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.answers: list[tuple[int, str]] = []

    def tell(self, message: dict[str, Any]) -> None:
        """A line before the end."""
        self.lines.append(message["line"])

    def done(self, code: int, message: str = "", **_more: Any) -> None:
        """The end."""
        self.answers.append((code, message))


class Shop:
    """A runner's worth of drivers, with the desk."""

    def __init__(self) -> None:
        self.here = Here(WEB, DB, ALONE, web=WELL, db=Program(), alone=Program(), check=WELL, tell=WELL)
        self.here.forest.programs["web"] = Program()
        rgmd = self.here.rgmd
        switches = LittleSwitches()
        rgmd.managing = Managing(rgmd, switches, False)
        self.groups = Groups(rgmd, switches, False)
        self.groups.take(Plan((WEB, DB, ALONE), (Group("shop", "", ("web", "db")), Group("alone", "", ("alone",)))))
        self.store = SetFile("", "the test has no directory")
        self.stopping = ""
        self.desk = Setting(
            rgmd, self.groups, self.store, self._ask, self._app, lambda: self.stopping, lambda: "now", bare=True
        )

    def _app(self, resource: Resource) -> Any:
        from gds.daemon.app import App

        return App(resource)

    def _ask(self, what: str, handed: bytes, done: Any) -> None:
        request = {"ask": what, "paths": []}
        self.here.loop.soon(lambda: done(answer_set(request, {}, marshal.loads(handed))))

    def set(self, name: str, pairs: list[tuple[str, str]], restart: bool) -> LittleClient:
        """gds set; the answer comes when time passes."""
        client = LittleClient()
        self.desk.set(client, {"names": [name], "pairs": [list(p) for p in pairs], "restart": restart})
        return client

    def seen(self) -> tuple[Any, ...]:
        """All that a set may change."""
        apps = self.here.rgmd.apps.values()
        told = [d for d in self.here.hands.decisions if d[1] == "set"]
        return (
            [app.resource for app in apps],
            [app.incarnation for app in apps],
            [app.view.life for app in apps],
            dict(self.groups.declared),
            dict(self.store.entries),
            self.here.rgmd.graph,
            told,
        )


def pairs_of(pool: dict[str, tuple[str, ...]], least: int = 0) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Some of these keys, each with one of its values."""
    pairs = [(key, value) for key, values in sorted(pool.items()) for value in values]
    return st.lists(st.sampled_from(pairs), min_size=least, max_size=3).map(lambda found: list(dict(found).items()))


SETS = st.tuples(
    st.sampled_from(("web", "web", "db", "alone")),
    pairs_of(GOOD, 1),
    st.just([]) | st.just([]) | pairs_of(BAD),
    st.sampled_from((True, True, False)),
    st.booleans(),
)
STATES = st.sampled_from(("up", "up", "stopped", "disabled", "failed"))


@settings(max_examples=120)
@given(acts=st.lists(SETS, min_size=1, max_size=4), state=STATES)
def test_what_is_refused_has_changed_nothing(
    acts: list[tuple[str, list[tuple[str, str]], list[tuple[str, str]], bool, bool]], state: str
) -> None:
    shop = Shop()
    here = shop.here
    here.up("db").up("alone")
    if state == "failed":
        here.forest.programs["web"] = ends(1)
        here.up_later(10_000.0)
    elif state != "stopped":
        here.up()
    if state == "disabled":
        here.app().enabled = False
        here.rgmd.stop(here.app(), "disable")
        here.run(1000.0)
    if state == "stopped":
        here.app().wanted = False
    for name, good, bad, agrees, restart in acts:
        here.forest.programs["check"] = WELL if agrees else ends(1)
        asked = [*good, *[pair for pair in bad if pair[0] not in dict(good)]]
        before = shop.seen()
        client = shop.set(name, asked, restart)
        here.run(1000.0)
        ((code, message),) = client.answers
        event(f"{state}: {code}")
        if code:
            if "was changed, and is" not in message:
                assert shop.seen() == before, (message, client.lines)
            assert message
        else:
            resource = here.app(name).resource
            old = before[0][[r.name for r in before[0]].index(name)]
            changed = {f for f in fields_of(Resource) if getattr(old, f) != getattr(resource, f)}
            assert changed <= {*dict(asked), "network_aware"}
            assert not changed or name != "web" or agrees or old.validate_command is None
            assert {key for kind, who, key in shop.store.entries if who == name} >= changed - {"network_aware"}
        assert not shop.desk.busy
        for app in here.rgmd.apps.values():
            assert shop.groups.declared[app.resource.group]
        if state == "disabled":
            assert here.app().view.life is Life.OFFLINE
    here.close()


@settings(max_examples=40)
@given(one=SETS, two=SETS)
def test_two_at_once_are_done_one_after_the_other_or_one_is_told_to_wait(one: Any, two: Any) -> None:
    shop = Shop()
    shop.here.up("db").up("alone").up()
    clients = []
    for name, good, _, _, restart in (one, two):
        clients.append((name, good, shop.set(name, good or [("nice", "5")], restart)))
    shop.here.run(1000.0)
    (name, good, first), (other, also, second) = clients
    assert len(first.answers) == len(second.answers) == 1
    groups = [shop.here.app(each).resource.group for each in (name, other)]
    if groups[0] == groups[1]:
        assert second.answers[0][0] == 75
        assert "its group is busy: set" in second.answers[0][1]
    else:
        assert second.answers[0][0] != 75
    if second.answers[0][0] == 0 and first.answers[0][0] == 0:
        kept = {(who, key) for _, who, key in shop.store.entries}
        assert kept >= {(name, key) for key, _ in good if self_differs(shop, name, key)}
        assert kept >= {(other, key) for key, _ in also if self_differs(shop, other, key)}
    assert not shop.desk.busy
    shop.here.close()


def self_differs(shop: Shop, name: str, key: str) -> bool:
    """It is not what it was declared as."""
    declared = {"web": WEB, "db": DB, "alone": ALONE}[name]
    return bool(getattr(shop.here.app(name).resource, key) != getattr(declared, key))
