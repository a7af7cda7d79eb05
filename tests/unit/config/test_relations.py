"""What tables say of each other: unknown names, circles, affinities that contradict each other."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gds.config.declared import Declared
from gds.config.load import load
from gds.config.relations import relation_faults
from gds.model.resource import Need
from tests.unit.config.telling import problems, read, write


def shop(**needs: str) -> str:
    """Resources by name, with the keys of each."""
    return "".join([f"[resource.{name}]\nstart_command = 'true'\n{keys}\n" for name, keys in needs.items()])


def groups(**keys: str) -> str:
    """Groups by name with their keys, and a resource of the same name in each."""
    return "".join(
        [f"[group.{name}]\n{text}\n[resource.{name}]\nstart_command = 'true'\n" for name, text in keys.items()]
    )


def told(directory: Path, text: str) -> list[str]:
    """The errors without file, line and column."""
    return [line.split(": ", 1)[1] for line in problems(directory, text)]


STRONG, WEAK = "resource_dependencies", "resource_dependencies_weak"
RESTART, OFFLINE = "resource_dependencies_restart", "resource_dependencies_offline_restart"

RESOURCES: list[tuple[str, str, list[str]]] = [
    ("a chain", shop(a=f'{STRONG} = ["b"]', b=f'{WEAK} = ["c"]', c=""), []),
    ("a diamond", shop(a=f'{STRONG} = ["b", "c"]', b=f'{STRONG} = ["d"]', c=f'{RESTART} = ["d"]', d=""), []),
    (
        "a circle over all four kinds",
        shop(a=f'{STRONG} = ["b"]', b=f'{WEAK} = ["c"]', c=f'{RESTART} = ["d"]', d=f'{OFFLINE} = ["a"]'),
        [f"resource.a.{STRONG}[0]: circle: a -> b -> c -> d -> a"],
    ),
    (
        "two circles",
        shop(a=f'{STRONG} = ["b"]', b=f'{STRONG} = ["a"]', c=f'{STRONG} = ["d"]', d=f'{STRONG} = ["c"]'),
        [f"resource.a.{STRONG}[0]: circle: a -> b -> a", f"resource.c.{STRONG}[0]: circle: c -> d -> c"],
    ),
    (
        "two circles through one resource",
        shop(a=f'{STRONG} = ["b", "c"]', b=f'{STRONG} = ["a"]', c=f'{STRONG} = ["a"]'),
        [f"resource.a.{STRONG}[0]: circle: a -> b -> a", f"resource.a.{STRONG}[1]: circle: a -> c -> a"],
    ),
    (
        "a circle beside a way into it",
        shop(x=f'{STRONG} = ["a"]', a=f'{STRONG} = ["b"]', b=f'{STRONG} = ["a"]'),
        [f"resource.a.{STRONG}[0]: circle: a -> b -> a"],
    ),
    (
        "a name with a mistake in it",
        shop(web=f'{STRONG} = ["postgers"]', postgres=""),
        [f"resource.web.{STRONG}[0]: no resource postgers is declared; did you mean postgres?"],
    ),
    (
        "twice in one list",
        shop(a=f'{STRONG} = ["b", "b{{ANY_NODE}}"]', b=""),
        [f"resource.a.{STRONG}[1]: b stands twice in this list (the other is at app.toml:3:26)"],
    ),
    ("on two nodes", shop(a=f'{STRONG} = ["b@n1", "b@n2"]', b=""), []),
    (
        "a table that has another fault still counts as declared",
        shop(a=f'{STRONG} = ["b"]', b="retry_count = 'x'"),
        ['resource.b.retry_count: expected a whole number, not "x"'],
    ),
]
GROUPS: list[tuple[str, str, list[str]]] = [
    ("an order", groups(a="rg_dependencies = ['b']", b="rg_dependencies = ['c']", c=""), []),
    (
        "a circle",
        groups(a="rg_dependencies = ['b']", b="rg_dependencies = ['c']", c="rg_dependencies = ['a']"),
        ["group.a.rg_dependencies[0]: circle: a -> b -> c -> a"],
    ),
    (
        "unknown",
        groups(shop="rg_dependencies = ['shpo', 'storage']\nrg_affinities = ['+storag']", storage=""),
        [
            "group.shop.rg_dependencies[0]: no group shpo is declared; did you mean shop?",
            "group.shop.rg_affinities[0]: no group storag is declared; did you mean storage?",
        ],
    ),
    (
        "itself",
        groups(a="rg_dependencies = ['a']\nrg_affinities = ['-a']"),
        [
            "group.a.rg_dependencies[0]: a group cannot depend on itself",
            "group.a.rg_affinities[0]: a group cannot have an affinity to itself",
        ],
    ),
    ("a group without a table", groups(a="rg_dependencies = ['b']") + shop(x="group = 'b'"), []),
    (
        "an order that a dependency contradicts",
        groups(a="rg_dependencies = ['b']", b="") + f"{STRONG} = ['a']",
        [f"resource.b.{STRONG}[0]: circle: b -> a -> group b -> b"],
    ),
    ("an order that a dependency agrees with", groups(b="", a="rg_dependencies = ['b']") + f"{STRONG} = ['b']", []),
    (
        "with and without",
        groups(a="rg_affinities = ['++b', '--b']", b=""),
        [
            "group.a.rg_affinities[1]: b cannot be wanted here (++) and away (--) at once (the other is at "
            "app.toml:2:18)"
        ],
    ),
    (
        "twice",
        groups(a="rg_affinities = ['+b', '-b']", b=""),
        ["group.a.rg_affinities[1]: b stands twice in this list (the other is at app.toml:2:18)"],
    ),
    (
        "with one that keeps away",
        groups(a="rg_affinities = ['++b']", b="rg_affinities = ['--a']"),
        ["group.b.rg_affinities[0]: a runs only where b runs (++), so b cannot keep away from a"],
    ),
    (
        "with two that keep apart",
        groups(a="rg_affinities = ['++b', '+++c']", b="rg_affinities = ['--c']", c=""),
        ["group.b.rg_affinities[0]: a runs only where b and c run (++), so b cannot keep away from c"],
    ),
    (
        "a circle of strong affinities",
        groups(a="rg_affinities = ['++b']", b="rg_affinities = ['+++a']"),
        ["group.a.rg_affinities[0]: circle: a -> b -> a"],
    ),
    (
        "a circle of affinity and order",
        groups(a="rg_affinities = ['++b']", b="rg_dependencies = ['a']"),
        ["group.a.rg_affinities[0]: circle: a -> b -> a"],
    ),
    ("apart of each other, rather", groups(a="rg_affinities = ['-b']", b="rg_affinities = ['-a']"), []),
    (
        "no sign",
        groups(a="rg_affinities = ['b']", b=""),
        ['group.a.rg_affinities[0]: "b": begins with none of the signs +++ ++ + -- -'],
    ),
    ("a sign alone", groups(a="rg_affinities = '++'"), ['group.a.rg_affinities[0]: "++": a name may not be empty']),
    (
        "a node that is none",
        groups(a="nodelist = ['n 1']"),
        ["group.a.nodelist[0]: \"n 1\": a name has letters, digits, '-' and '_' only, not ' '"],
    ),
    (
        "one node at a time, twice",
        groups(a="rg_mode = 'FAILOVER'\nmaximum_primaries = 2"),
        [
            "group.a.maximum_primaries: a FAILOVER group runs on one node at a time, so maximum_primaries = 2 needs "
            "rg_mode SCALABLE"
        ],
    ),
    (
        "more than may be",
        groups(a="desired_primaries = 2"),
        ["group.a.desired_primaries: desired_primaries = 2 is more than maximum_primaries (1, the default)"],
    ),
    ("as many as may be", groups(a="desired_primaries = 3\nmaximum_primaries = 3"), []),
    (
        "a mode like no other",
        groups(a="rg_mode = 'MULTI'"),
        ['group.a.rg_mode: expected one of "FAILOVER", "SCALABLE", not "MULTI"'],
    ),
    (
        "no primary",
        groups(a="maximum_primaries = 0"),
        ["group.a.maximum_primaries: expected a number of at least 1, not 0"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [r[1:] for r in RESOURCES], ids=[r[0] for r in RESOURCES])
def test_between_resources(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert told(tmp_path, text) == expected


@pytest.mark.parametrize(("text", "expected"), [g[1:] for g in GROUPS], ids=[g[0] for g in GROUPS])
def test_between_groups(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert told(tmp_path, text) == expected


def test_a_circle_is_told_where_it_begins(tmp_path: Path) -> None:
    text = shop(a=f'{STRONG} = ["c", "b"]', b=f'{WEAK} = "c, a"', c="")
    assert problems(tmp_path, text) == [f"app.toml:3:31: resource.a.{STRONG}[1]: circle: a -> b -> a"]


def test_a_dependency_reaches_into_another_file(tmp_path: Path) -> None:
    one = write(tmp_path, shop(a=f'{STRONG} = ["b"]'), "one.toml")
    two = write(tmp_path, shop(b=""), "two.toml")
    assert load([one, two]).problems == ()
    assert [str(p) for p in load([one]).problems] == [f"{one}:3:26: resource.a.{STRONG}[0]: no resource b is declared"]


def test_what_a_file_that_cannot_be_read_may_declare_is_not_missed(tmp_path: Path) -> None:
    one = write(tmp_path, shop(a=f'{STRONG} = ["b"]') + "[group.a]\nrg_dependencies = ['b']\n", "one.toml")
    two = write(tmp_path, shop(b="") + "[", "two.toml")
    assert [p.path for p in load([one, two]).problems] == [two]


def test_a_circle_of_thousands_is_told_at_once_and_in_short(tmp_path: Path) -> None:
    size = 5000
    text = shop(**{f"r{n}": f'{STRONG} = ["r{(n + 1) % size}"]' for n in range(size)})
    found = told(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(f"resource.r0.{STRONG}[0]: circle: r0 -> r1 -> ")
    assert found[0].endswith(f" -> r49 -> ({size - 50} more) -> r0")


def test_many_circles_are_told_within_patience(tmp_path: Path) -> None:
    size = 60
    everyone = [f"r{n}" for n in range(size)]
    text = shop(**{name: f"{STRONG} = {[other for other in everyone if other != name]}" for name in everyone})
    start = time.process_time()
    found = told(tmp_path, text)
    assert len(found) == 20
    assert time.process_time() - start < 10


def test_a_plan_is_there_only_without_circles(tmp_path: Path) -> None:
    assert read(tmp_path, shop(a=f"{STRONG} = 'b'", b=f"{STRONG} = 'a'")).plan is None
    plan = read(tmp_path, shop(a=f"{STRONG} = 'b'", b="")).plan
    assert plan is not None
    assert [str(need) for need in plan.resources[0].resource_dependencies] == ["b"]


def table(name: str, group: bool = False, **values: object) -> Declared:
    """A table as it was read."""
    return Declared(name, "app.toml", ("group" if group else "resource", name), values, group)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ["circle: lh -> db -> lh"]),
        ({"implicit_network_dependencies": False}, []),
        ({"rg_mode": "SCALABLE"}, []),
        ({"maximum_primaries": 2}, []),
    ],
    ids=["by default", "switched off", "scalable", "several nodes"],
)
def test_an_address_may_not_need_what_waits_for_it(keys: dict[str, object], expected: list[str]) -> None:
    address = table("lh", group=False, type="LogicalHostname", resource_dependencies=(Need("db"),))
    tables = (address.replace(values={**address.values, "group": "g"}), table("db").replace(values={"group": "g"}))
    assert [f.message for f in relation_faults((*tables, table("g", group=True, **keys)), True)] == expected


def test_an_address_of_a_group_without_a_table() -> None:
    address = Declared("lh", "app.toml", ("resource", "lh"), {"group": "g", "type": "LogicalHostname"})
    web = Declared("web", "app.toml", ("resource", "web"), {"group": "g", "resource_dependencies": (Need("lh"),)})
    assert relation_faults((address, web), True) == []


def test_a_group_without_resources_passes_an_order_on(tmp_path: Path) -> None:
    text = "[group.a]\nrg_dependencies = ['e']\n[group.e]\nrg_dependencies = ['b']\n" + shop(a="", b=f"{STRONG} = 'a'")
    assert told(tmp_path, text) == [f"resource.b.{STRONG}[0]: circle: b -> a -> group e -> group b -> b"]
