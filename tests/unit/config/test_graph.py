"""What starts when, and who waits for whom: order, text, data, dot and Mermaid."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gds.cli import graph as verb
from gds.config.graph import as_document, as_dot, as_mermaid, as_text, order_of
from gds.config.load import load
from gds.model.resource import Command, Group, Need, Plan, Resource
from tests.unit.config.telling import plan_of, write

SHOP = """
[group.storage]
[group.shop]
rg_dependencies = ["storage"]
[resource.disk]
group = "storage"
start_command = "true"
[resource.web]
group = "shop"
start_command = "true"
resource_dependencies = ["app"]
[resource.app]
group = "shop"
start_command = "true"
resource_dependencies_restart = ["db"]
resource_dependencies_weak = ["cache"]
[resource.db]
group = "shop"
start_command = "true"
[resource.cache]
group = "shop"
start_command = "true"
[resource.report]
start_command = "true"
resource_dependencies_offline_restart = ["db{LOCAL_NODE}"]
resource_dependencies_weak = ["db"]
[resource.mail]
start_command = "true"
enabled = false
"""
TEXT = """\
7 resources in 4 groups, 4 waves: what stands in one wave starts at the same time.

wave 1
  disk    [storage]  awaited by group shop
  mail               (disabled)
wave 2
  db      [shop]     waits for group storage; awaited by app, report
  cache   [shop]     waits for group storage; awaited by app
wave 3
  app     [shop]     waits for db (restart), cache (weak); awaited by web
  report             waits for db (offline-restart)
wave 4
  web     [shop]     waits for app

Longest path, 4 starts one after another: disk, then db, then app, then web
A resource starts as soon as all it waits for is online. Stopping goes the other way round."""
SHOP_EXAMPLE = Path(__file__).parents[3] / "examples" / "shop.toml"
TRUE = Command(("true",))


def lines_of(text: str) -> set[str]:
    """The lines without their indentation."""
    return {line.strip() for line in text.splitlines()}


def test_the_text_of_a_shop(tmp_path: Path) -> None:
    assert as_text(order_of(plan_of(tmp_path, SHOP))) == TEXT


def test_the_document_of_a_shop(tmp_path: Path) -> None:
    made = as_document(order_of(plan_of(tmp_path, SHOP)))
    assert json.loads(json.dumps(made)) == made
    assert made["waves"] == [["disk", "mail"], ["db", "cache"], ["app", "report"], ["web"]]
    assert made["longest_path"] == ["disk", "db", "app", "web"]
    by_name = {each["name"]: each for each in made["resources"]}
    assert by_name["report"]["needs"] == [{"name": "db", "kind": "offline-restart", "where": "LOCAL_NODE"}]
    assert by_name["cache"]["needs"] == [{"name": "disk", "kind": "group", "where": "storage"}]
    assert by_name["cache"]["needed_by"] == [{"name": "app", "kind": "weak"}]
    assert (by_name["mail"]["starts"], by_name["mail"]["because"]) == (False, "disabled")
    assert (by_name["web"]["wave"], by_name["web"]["group"], by_name["web"]["starts"]) == (4, "shop", True)
    assert made["groups"][1] == {
        "name": "shop",
        "resources": ["web", "app", "db", "cache"],
        "rg_dependencies": ["storage"],
    }


def test_dot_draws_groups_as_clusters_and_each_kind_in_its_way(tmp_path: Path) -> None:
    drawn = as_dot(order_of(plan_of(tmp_path, SHOP)))
    assert drawn.startswith("digraph gds {\n  rankdir=RL;\n")
    assert (drawn.count("{"), drawn.count("subgraph")) == (drawn.count("}"), 2)
    assert lines_of(drawn) >= {
        'subgraph "cluster_shop" {',
        '"mail" [style=dashed];',
        '"app" -> "db" [label="restart"];',
        '"app" -> "cache" [label="weak", style=dashed];',
        '"report" -> "db" [label="offline-restart", penwidth=2];',
        '"web" -> "app";',
        '"db" -> "disk" [ltail="cluster_shop", lhead="cluster_storage", style=dotted, label="after"];',
    }


def test_mermaid_draws_groups_as_subgraphs_and_each_kind_in_its_way(tmp_path: Path) -> None:
    drawn = as_mermaid(order_of(plan_of(tmp_path, SHOP)))
    ids = {
        line.split('["')[1][:-2]: line.split("[")[0] for line in lines_of(drawn) if '["' in line and "sub" not in line
    }
    assert set(ids) == {"disk", "mail", "db", "cache", "app", "report", "web"}
    assert drawn.startswith("flowchart RL\n")
    assert drawn.count("subgraph") == drawn.count("\n  end") == 2
    assert lines_of(drawn) >= {
        'subgraph g1["shop"]',
        f"{ids['app']} -->|restart| {ids['db']}",
        f"{ids['app']} -.->|weak| {ids['cache']}",
        f"{ids['report']} ==>|offline-restart| {ids['db']}",
        f"{ids['web']} --> {ids['app']}",
        "g1 -.->|after| g0",
        f"class {ids['mail']} held",
    }


def test_the_picture_of_the_example_is_that_of_its_first_lines() -> None:
    loaded = load([str(SHOP_EXAMPLE)], look=False)
    assert loaded.plan is not None
    assert (loaded.problems, loaded.warnings) == ((), ())
    order = order_of(loaded.plan)
    assert [[step.name for step in steps] for steps in order.waves] == [
        ["disk"],
        ["db", "cache"],
        ["app", "report"],
        ["web"],
    ]
    assert order.longest == ("disk", "db", "app", "web")


def test_what_waits_for_nothing_is_one_wave(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "[resource.a]\nstart_command = 'true'\n[resource.b]\nstart_command = 'true'\n")
    assert as_text(order_of(plan)) == (
        "2 resources in 2 groups: nothing waits for anything, so everything starts at the same time.\n\n  a\n  b"
    )


def test_nothing_at_all() -> None:
    order = order_of(Plan())
    assert as_text(order) == "nothing is declared"
    assert as_document(order)["waves"] == []
    assert as_mermaid(order) == "flowchart RL"


def test_who_does_not_start_by_itself_and_why() -> None:
    plan = Plan(
        (
            Resource("db", TRUE, "g"),
            Resource("app", TRUE, "app", resource_dependencies=(Need("db"),)),
            Resource("web", TRUE, "web", resource_dependencies_restart=(Need("app"),)),
            Resource("mail", TRUE, "mail", resource_dependencies_weak=(Need("db"),)),
            Resource("off", TRUE, "off", enabled=False),
            Resource("log", TRUE, "h"),
        ),
        (
            Group("g", resources=("db",), auto_start_on_new_cluster=False),
            *[Group(name, resources=(name,)) for name in ("app", "web", "mail", "off")],
            Group("h", resources=("log",), desired_primaries=0, maximum_primaries=1),
        ),
    )
    assert {step.name: step.held for step in order_of(plan).steps} == {
        "db": "group g starts only when somebody asks",
        "app": "cannot start before db, which does not start by itself",
        "web": "cannot start before app, which does not start by itself",
        "mail": "",
        "off": "disabled",
        "log": "group h starts only when somebody asks",
    }


def test_an_address_is_waited_for_by_all_others_of_its_group() -> None:
    members = (Resource("web", TRUE, "g"), Resource("lh", TRUE, "g", "LogicalHostname"))
    order = order_of(Plan(members, (Group("g", resources=("web", "lh")),)))
    assert [[step.name for step in wave] for wave in order.waves] == [["lh"], ["web"]]
    assert [(edge.need, edge.kind) for edge in order.steps[1].needs] == [("lh", "address")]
    assert '"web" -> "lh" [label="address", color=gray];' in as_dot(order)


def test_of_two_kinds_between_two_the_one_that_asks_for_more_is_drawn() -> None:
    app = Resource("app", TRUE, "app", resource_dependencies=(Need("db"),), resource_dependencies_weak=(Need("db"),))
    order = order_of(Plan((app, Resource("db", TRUE, "db")), (Group("app"), Group("db"))))
    assert [(edge.need, edge.kind) for edge in order.steps[1].needs] == [("db", "strong")]


def test_a_group_where_nobody_lives_is_not_drawn() -> None:
    groups = (Group("app", resources=("app",), rg_dependencies=("none",)), Group("none"))
    order = order_of(Plan((Resource("app", TRUE, "app"),), groups))
    assert "none" not in as_dot(order)
    assert "none" not in as_mermaid(order)
    assert as_document(order)["groups"][1] == {"name": "none", "resources": [], "rg_dependencies": []}


def test_a_long_line_is_folded_under_its_column() -> None:
    needs = tuple([Need(f"resource-{number}") for number in range(20)])
    plan = Plan(
        (Resource("web", TRUE, "web", resource_dependencies=needs), *[Resource(n.on, TRUE, n.on) for n in needs]),
        tuple([Group(name, resources=(name,)) for name in ("web", *[n.on for n in needs])]),
    )
    text = as_text(order_of(plan))
    assert max(map(len, text.splitlines())) <= 100
    folded = text[text.index("  web ") :].splitlines()[:4]
    assert folded[1].startswith(" " * 15 + "resource-")


def test_the_verb_prints_each_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, SHOP)
    for form, first in (("text", "7 resources"), ("json", "{"), ("dot", "digraph"), ("mermaid", "flowchart")):
        assert verb.main([path, "--format", form]) == 0
        assert capsys.readouterr().out.startswith(first)
    assert verb.main(["--json", path]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == 1
    assert verb.main([os.path.dirname(path)]) == 0
    assert capsys.readouterr().out.startswith("7 resources")


def test_the_verb_tells_what_is_wrong_with_descriptors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "start_command = 'true'\nresource_dependencies = ['app']\n")
    assert verb.main([path]) == 78
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"{path}:2:26: resource_dependencies[0]: a resource cannot depend on itself\n"
        "gds: cannot draw a graph: correct the descriptors first\n"
    )


@pytest.mark.parametrize("argv", [[], ["x.toml", "--format", "png"], ["--foo", "x"], ["--", "x"]])
def test_the_verb_is_used_wrongly(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.main(argv) == 2
    assert capsys.readouterr().err.startswith("gds: cannot ")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.main(["--help"]) == 0
    assert "gds graph PATH" in capsys.readouterr().out
