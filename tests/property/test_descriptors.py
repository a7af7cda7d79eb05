"""Whatever is in a descriptor: a plan, or errors in words; never a traceback, never what marshal cannot carry."""

from __future__ import annotations

import contextlib
import io
import json
import marshal
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from gds.cli import check
from gds.config.graph import Order, as_document, as_dot, as_mermaid, as_text, order_of
from gds.config.load import Problem, load
from gds.config.positions import Positions
from gds.model.codec import pack, unpack
from gds.model.methodcall import Setting
from gds.model.properties import GROUP, RESOURCE
from gds.model.resource import (
    Command,
    ExitMap,
    Group,
    Need,
    Output,
    Plan,
    Port,
    Probe,
    Resource,
    Source,
    Warning_,
)
from gds.model.restype import ResourceType
from gds.model.state import FailoverMode
from gds.model.typed import Typed
from gds.model.value import fields_of
from tests.unit.config.telling import write

SOUND = '''# everything at once
"$schema" = "x"

[group.shop]
description = "the shop"
nodelist = ["n1", "n2"]
rg_mode = "SCALABLE"
maximum_primaries = 2
desired_primaries = 1
failback = true
pingpong_interval = "1h"
rg_dependencies = ["web"]
rg_affinities = "-web"
implicit_network_dependencies = false
auto_start_on_new_cluster = false

[resource.db]
group = "shop"
start_command = ["/bin/sleep", "1000"]
probe_command = "pg_isready -q || exit 100"
stop_signal = "SIGINT"
user = "root"
environment = {A = "1", "B.c" = """two
lines"""}
limits = {nofile = 1024, core = "infinity", nproc = "100:200"}
exit_map = {0 = 0, 1 = 50, 2 = 100, other = 100}
resource_dependencies = ["web{LOCAL_NODE}"]
Resource_dependencies_weak = "cache@n1, cache@n2"
init_command = ["/bin/true"]
update_command = "true"
postnet_stop_timeout = "30s"

[resource.cache]
start_command = "true"
group = "shop"
resource_dependencies_offline_restart = ["web"]

[resource.web]
start_command = "exec nginx -g 'daemon off;'"
stop_command = "nginx -s quit"
port_list = ["8080/tcp", "53/udp"]
probe = {http = "http://127.0.0.1:8080/health", timeout_score = 50, expect = [200, "300-399"]}
retry_count = 2
retry_interval = "5m"
restart_delay = 0.5
umask = "027"
stdout = {path = "/tmp/web.log", rotate = "10MiB", keep = 5}
stderr = "journal"
failover_mode = "SOFT"
'''

PIECES = st.sampled_from(
    [
        *"[]{}=.,\"'#\\\n\0é",
        '"""',
        "'''",
        "[[",
        "]]",
        "\r\n",
        "true",
        "-1",
        "0x" + "f" * 5000,
        "9" * 5000,
        "nan",
        "1979-05-27T07:32:00Z",
        "07:32:00",
        "[resource.web]",
        "[resource.web.probe]",
        "[[resource.web]]",
        "resource = 1\n",
        "Start_Command = 'x'\n",
        "a" * 300,
        "[" * 200,
        "{a=" * 200,
        "a." * 200 + "b = 1\n",
        "'\\u0000'",
        '"\\ud800"',
        '"\\u0000"',
        "\ufeff",
    ]
)


def verdict(directory: Path, content: bytes) -> tuple[int, str]:
    """Exit status and output of gds check; anything but 0 or 78 is a fault of ours."""
    path = write(directory, content)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = check.main([path])
    assert status in (0, 78)
    return status, out.getvalue()


def judged(directory: Path, content: bytes) -> None:
    """Said in words, with places that exist; and what is accepted survives the journey to the runner."""
    status, out = verdict(directory, content)
    loaded = load([str(directory / "app.toml")])
    lines = content.count(b"\n") + 1
    assert (loaded.plan is None) is (status == 78)
    assert bool(loaded.problems) is (status == 78)
    told: list[Problem | Warning_] = [*loaded.problems, *loaded.warnings]
    for problem in told:
        assert problem.message
        assert "Traceback" not in problem.message
        assert 0 <= problem.line <= lines
        assert str(problem).isprintable()
    assert len(out.splitlines()) == len(told) + (status == 0)
    if loaded.plan is not None:
        assert unpack(marshal.loads(marshal.dumps(pack(loaded.plan)))) == loaded.plan
        for resource in loaded.plan.resources:
            assert str(resource.retry_count)
            assert resource.start_command.argv


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("descriptors")


def test_the_sound_one_is_sound(directory: Path) -> None:
    assert verdict(directory, SOUND.encode())[0] == 0


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_spoiled_descriptor_is_told_in_words(directory: Path, data: st.DataObject) -> None:
    text = SOUND
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(st.one_of(st.just(""), PIECES, st.text(max_size=5))) + text[end:]
    judged(directory, text.encode("utf-8", "replace"))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_spoiled_bytes_are_told_in_words(directory: Path, data: st.DataObject) -> None:
    content = bytearray(SOUND.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    judged(directory, bytes(content[: data.draw(st.integers(0, len(content)))]))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
@example(b"")
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_told_in_words(directory: Path, content: bytes) -> None:
    judged(directory, content)


SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(-10, 100),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            *("8080/tcp", "5m", "SIGTERM", "/bin/sh", "/no/such", "root", "http://h/", "pass-fail", "1:2", "027"),
            *("a", "b", "a,b", "web{ANY_NODE}", "b@n1", "{", "@", "++g", "--a", "-b", "+++", "SCALABLE"),
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["tcp", "http", "notify", "path", "rotate", "nofile", "other", "0"]),
                st.text(max_size=3),
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)
KEYS = st.sampled_from([p.name for p in (*RESOURCE, *GROUP)] + ["Retry_Count", "nonsense"])
TABLES = st.dictionaries(KEYS, VALUES, max_size=6)


def _quoted(text: str) -> str:
    return '"' + "".join([c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text]) + '"'


def toml_of(value: Any) -> str:
    """Any value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join([toml_of(v) for v in value]) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_quoted(k)} = {toml_of(v)}" for k, v in value.items()]) + "}"
    return repr(value)


@given(st.dictionaries(st.sampled_from(["a", "b", "web"]), TABLES, max_size=2), TABLES)
@settings(max_examples=300, deadline=None)
def test_any_value_of_any_key_is_told_in_words(
    directory: Path, resources: dict[str, dict[str, Any]], group: dict[str, Any]
) -> None:
    text = ""
    for name, table in resources.items():
        text += f'[resource.{name}]\n"start_command" = "true"\n'
        text += "".join([f"{_quoted(k)} = {toml_of(v)}\n" for k, v in table.items() if k != "start_command"])
    text += "[group.g]\n" + "".join([f"{_quoted(k)} = {toml_of(v)}\n" for k, v in group.items()])
    assert Positions(text).stopped == -1
    judged(directory, text.encode())


# -- dependencies

NEEDS = ("resource_dependencies", *[f"resource_dependencies_{kind}" for kind in ("weak", "restart", "offline_restart")])
NAMES = ("a", "b", "c", "d", "e", "f")
HOMES = ("g", "h", "i")
FEW = st.sets(st.sampled_from(NAMES), max_size=1)
SHOPS = st.lists(
    st.tuples(st.sampled_from(HOMES), st.fixed_dictionaries(dict.fromkeys(NEEDS, FEW))),
    min_size=4,
    max_size=len(NAMES),
)


def has_circle(links: Iterable[tuple[str, str]]) -> bool:
    """Judged by the standard library."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for user, need in links:
        sorter.add(user, need)
    try:
        sorter.prepare()
    except CycleError:
        return True
    return False


def after(orders: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Which group comes after which, also by way of others."""
    pairs = {(group, before) for group, all_ in orders.items() for before in all_}
    for _ in HOMES:
        pairs |= {(one, three) for one, two in pairs for other, three in pairs if two == other}
    return pairs


@given(SHOPS, st.dictionaries(st.sampled_from(HOMES), st.sets(st.sampled_from(HOMES), max_size=1)))
@settings(max_examples=300, deadline=None)
def test_a_circle_is_told_if_and_only_if_there_is_one(
    directory: Path, shop: list[tuple[str, dict[str, set[str]]]], orders: dict[str, set[str]]
) -> None:
    home = {name: group for name, (group, _) in zip(NAMES, shop, strict=False)}
    orders = {group: before - {group} for group, before in orders.items()}
    text = "".join([f"[group.{g}]\nrg_dependencies = {sorted(orders.get(g, ()))}\n" for g in HOMES])
    links = set()
    for name, (group, needs) in zip(NAMES, shop, strict=False):
        text += f"[resource.{name}]\nstart_command = 'true'\ngroup = '{group}'\n"
        for key, wanted in needs.items():
            known = sorted(wanted & set(home) - {name})
            text += f"{key} = {known}\n"
            links |= {(name, need) for need in known}
    pairs = after(orders)
    links |= {(one, two) for one in home for two in home if (home[one], home[two]) in pairs}
    loaded = load([write(directory, text)])
    circle = has_circle(links) or any(one == two for one, two in pairs)
    event("a circle" if circle else f"{len(links)} links")
    assert all(": circle: " in str(problem) for problem in loaded.problems)
    assert bool(loaded.problems) is circle
    for problem in loaded.problems:
        told = problem.message.removeprefix("circle: ").split(" -> ")
        assert len(told) > 2
        assert told[0] == told[-1]
    if loaded.plan is not None:
        order = order_of(loaded.plan)
        wave = {step.name: step.wave for step in order.steps}
        assert sorted(wave) == sorted(home)
        assert all(wave[need] < wave[user] for user, need in links if (user, need) in drawn(order))
        assert drawn(order) <= links
        assert {(n, w.on) for n, w in declared(loaded.plan)} <= drawn(order)
        assert len(order.longest) == len(order.waves)
        for show in (as_text, as_dot, as_mermaid, as_document):
            assert show(order)


def drawn(order: Order) -> set[tuple[str, str]]:
    """Who waits for whom in the picture."""
    return {(edge.user, edge.need) for step in order.steps for edge in step.needs}


def declared(plan: Plan) -> Iterable[tuple[str, Need]]:
    """And in the plan."""
    return [(each.name, need) for each in plan.resources for key in NEEDS for need in getattr(each, key)]


# -- the codec

TEXT = st.text(max_size=6)
SECONDS = st.floats(0, 1e6)
COMMANDS = st.builds(Command, st.lists(TEXT, min_size=1, max_size=3).map(tuple), TEXT)
SCORES = st.integers(0, 100)
PAIRS = st.lists(st.tuples(st.integers(0, 255), SCORES), max_size=3).map(tuple)
LAMP = ResourceType("lamp", "2.1", "ACME")
SETTING = st.builds(Setting, TEXT, TEXT | st.integers() | st.booleans() | st.lists(TEXT, max_size=2).map(tuple), TEXT)
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "bool": st.booleans(),
    "int": st.integers(),
    "float": SECONDS,
    "Command": COMMANDS,
    "Command | None": st.none() | COMMANDS,
    "tuple[Port, ...]": st.lists(st.builds(Port, st.integers(0, 65535), TEXT), max_size=3).map(tuple),
    "FailoverMode": st.sampled_from(FailoverMode),
    "Probe | None": st.none() | st.builds(Probe, TEXT, TEXT, TEXT, st.integers(), TEXT, SECONDS, PAIRS, SCORES, SCORES),
    "ExitMap | None": st.none() | st.builds(ExitMap, PAIRS, SCORES),
    "tuple[Need, ...]": st.lists(st.builds(Need, TEXT, TEXT), max_size=3).map(tuple),
    "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
    "tuple[int, ...]": st.lists(st.integers(), max_size=3).map(tuple),
    "tuple[tuple[str, str], ...]": st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    "tuple[tuple[str, int, int], ...]": st.lists(st.tuples(TEXT, st.integers(), st.integers()), max_size=3).map(tuple),
    "Typed | None": st.none() | st.builds(Typed, st.just(LAMP), st.lists(SETTING, max_size=3).map(tuple)),
    "Output": st.builds(Output, TEXT, TEXT, st.integers(), st.integers()),
}
RESOURCES = st.fixed_dictionaries({f: STRATEGIES[Resource.__annotations__[f]] for f in fields_of(Resource)}).map(
    lambda values: Resource(**values)
)
GROUPS = st.fixed_dictionaries({f: STRATEGIES[Group.__annotations__[f]] for f in fields_of(Group)}).map(
    lambda values: Group(**values)
)
PLANS = st.builds(
    Plan,
    st.lists(RESOURCES, max_size=2).map(tuple),
    st.lists(GROUPS, max_size=2).map(tuple),
    st.lists(st.builds(Source, TEXT, TEXT), max_size=2).map(tuple),
    st.lists(st.builds(Warning_, TEXT, st.integers(), st.integers(), TEXT, TEXT, TEXT), max_size=2).map(tuple),
)


@given(PLANS)
@settings(deadline=None)
def test_any_plan_survives_the_journey_to_the_runner(plan: Plan) -> None:
    plain = pack(plan)
    assert unpack(marshal.loads(marshal.dumps(plain))) == plan
    assert unpack(json.loads(json.dumps(plain))) == plan
