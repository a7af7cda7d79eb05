"""Values that people set: read from the command line, written back, laid over the files, compared with them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gds.config.compile import resource_of
from gds.config.load import load
from gds.config.overlay import Entry, entries_of, lay
from gds.config.reading import read_table
from gds.config.setter import answer_set, parsed
from gds.config.writing import TABLES, plain, toml_text
from gds.model import codec
from gds.model.properties import GROUP, RESOURCE, Property
from gds.model.resource import Plan
from tests.unit.config.telling import write

WRITABLE = [("resource", p) for p in RESOURCE if p.supported] + [("group", p) for p in GROUP if p.supported]
MORE = {
    "command": ['["/bin/echo", "a b", "é\\"x"]', '"a | b"'],
    "limits": ['{nofile = 5, core = "infinity", nproc = "100:200", as = "10:infinity"}'],
    "probe": [
        "{tcp = 5}",
        '{unix = "/run/x"}',
        "{notify = true}",
        '{notify = "5s"}',
        '{http = "http://localhost/", expect = [200, "300-302"], status_score = 7}',
    ],
    "exit_map": ["{0 = 0, 3 = 201, other = 50}", '"nagios"'],
    "output": ['"journal"', '{path = "/tmp/x", rotate = "1MiB", keep = 2}'],
    "environment": ['{A = "1", "B.C" = "x\\ny"}'],
    "signal": ["9", '"SIGRTMIN+3"'],
    "umask": ['"7"', '"0o027"'],
    "duration": ["0.25", '"1h"', '"100ms"'],
    "needs": ['["a", "b@n1", "c{ANY_NODE}"]', '""'],
}


def read(kind: str, key: str, value: Any) -> Any:
    """The value of the model."""
    made, faults = read_table((kind, "x"), "x", {key: value}, "x", group=kind == "group")
    assert not faults, faults
    return made.values[key]


@pytest.mark.parametrize(("kind", "prop"), WRITABLE, ids=lambda v: v if isinstance(v, str) else v.name)
def test_what_is_written_is_read_back_to_the_same_value(kind: str, prop: Property) -> None:
    for text in [prop.example, *MORE.get(prop.kind, [])]:
        value = tomllib.loads(f"value = {text}")["value"]
        if prop.name == "start_grace" or not text:
            continue
        try:
            meant = read(kind, prop.name, value)
        except AssertionError:
            assert text != prop.example, "the example of a property is a value of it"
            continue  # 100 ms, where the least is a second
        data = plain(prop, meant)
        assert read(kind, prop.name, data) == meant
        assert tomllib.loads(f"value = {toml_text(data)}")["value"] == data
        assert read(kind, prop.name, json.loads(json.dumps(data))) == meant


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("retry_count", "5", 5),
        ("retry_count", "five", "five"),
        ("retry_interval", "5m", "5m"),
        ("retry_interval", "0.5", 0.5),
        ("retry_interval", '"5m"', "5m"),
        ("failover_mode", "HARD", "HARD"),
        ("description", "hello world", "hello world"),
        ("description", '"hello world"', "hello world"),
        ("description", "12", "12"),
        ("description", "true", "true"),
        ("description", "2026-01-31", "2026-01-31"),
        ("description", "1\nb = 2", "1\nb = 2"),
        ("description", "", ""),
        ("user", "1000", "1000"),
        ("start_command", "true", "true"),
        ("start_command", "sleep 5", "sleep 5"),
        ("start_command", '["sleep", "5"]', ["sleep", "5"]),
        ("umask", "22", "22"),
        ("umask", "027", "027"),
        ("umask", "0o22", 0o22),
        ("stop_signal", "INT", "INT"),
        ("stop_signal", "2", 2),
        ("port_list", '["80/tcp"]', ["80/tcp"]),
        ("environment", '{A = "1"}', {"A": "1"}),
        ("resource_dependencies", "db,cache", "db,cache"),
        ("no_such_key", "12", 12),
    ],
)
def test_a_bare_word_is_a_string_where_the_key_wants_one(key: str, text: str, value: object) -> None:
    assert parsed(TABLES["resource"].get(key), text) == value


BASE = """\
[group.shop]
pingpong_interval = 5

[resource.web]
group = "shop"
start_command = ["sleep", "1"]
retry_count = 2

[resource.db]
group = "shop"
start_command = ["sleep", "1"]
"""


class Desk:
    """A runner's half of a `gds set`: what runs, what was set."""

    def __init__(self, where: Path, text: str = BASE) -> None:
        self.path = write(where, text)
        self.state = str(where / "state")
        self.entries: list[dict[str, Any]] = []
        loaded = load([self.path])
        assert loaded.plan is not None
        self.running: Plan = loaded.plan

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        """The answer of the compiler's process."""
        content = json.dumps({"set": self.entries}).encode() if self.entries else b""
        request = {"ask": what, "paths": [self.path], "flags": {"state_dir": self.state}}
        return answer_set(request, {}, {"plan": codec.pack(self.running), "set": content, **more})

    def set(self, name: str, *pairs: str, unset: tuple[str, ...] = ()) -> dict[str, Any]:
        """gds set."""
        return self.ask("set", name=name, pairs=[p.split("=", 1) for p in pairs], unset=list(unset))

    def errors(self, name: str, *pairs: str, unset: tuple[str, ...] = ()) -> list[str]:
        """What is wrong with it."""
        return [f"{e['key']}: {e['message']}" for e in self.set(name, *pairs, unset=unset)["errors"]]

    def file(self, text: str) -> None:
        """Somebody edits the file."""
        Path(self.path).write_text(text)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """One with two resources in a group."""
    return Desk(tmp_path)


def test_only_the_keys_that_were_named_change(desk: Desk) -> None:
    desk.file(BASE.replace("retry_count = 2", 'retry_count = 9\ndescription = "edited since"'))
    answer = desk.set("web", "retry_interval=5m", "RETRY_COUNT=4")
    assert not answer["errors"]
    before = desk.running.resource("web")
    assert before is not None
    assert codec.unpack(answer["after"]) == before.replace(retry_interval=300.0, retry_count=4)
    told = {c["key"]: (c["old"], c["new"], c["tunable"], c["file"], c["drop"]) for c in answer["changes"]}
    assert told == {
        "retry_interval": ("370", "300", "ANYTIME", "", False),
        "retry_count": ("2", "4", "ANYTIME", "9", False),
    }


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["retry_cuont=3"], "retry_cuont: unknown key; did you mean retry_count?"),
        (["retry_count=many"], 'retry_count: expected a whole number, not "many"'),
        (["retry_count=-2"], "retry_count: expected a number of at least -1, not -2"),
        (["enabled=false"], "enabled: a switch: `gds enable web` and `gds disable web` turn it"),
        (["monitored=true"], "monitored: a switch: `gds monitor web` and `gds unmonitor web` turn it"),
        (["retry_count=1", "Retry_count=2"], "retry_count: given twice"),
        (["failover_mode=HARD"], "failover_mode: failover_mode HARD needs an engine that can fence, or node_abort"),
        (["resource_dependencies=dv"], "resource_dependencies[0]: "),
        (["user=nobody-of-that-name"], "user: user nobody-of-that-name"),
        (["start_command=/no/such/program"], "start_command: /no/such/program"),
        (["pingpong_interval=5", "retry_count=3"], "pingpong_interval: unknown key here; it belongs into a table"),
        (["environment={A = 1}"], "environment.A: the value of an environment variable has to be a string"),
    ],
)
def test_a_bad_value_is_refused_in_the_words_of_the_compiler(desk: Desk, pairs: list[str], said: str) -> None:
    answer = desk.set("web", "description=fine", *pairs)
    assert said in "\n".join(f"{e['key']}: {e['message']}" for e in answer["errors"])
    assert "after" not in answer


def test_a_circle_is_seen_against_what_runs(desk: Desk) -> None:
    desk.running = desk.running.replace(
        resources=tuple(
            codec.unpack(desk.set("db", "resource_dependencies=web")["after"]) if r.name == "db" else r
            for r in desk.running.resources
        )
    )
    assert "circle" in desk.errors("web", "resource_dependencies=db")[0]


def test_what_was_wrong_before_is_not_held_against_a_change(tmp_path: Path) -> None:
    program = tmp_path / "daemon"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    desk = Desk(tmp_path, f'[resource.web]\nstart_command = ["{program}"]\n')
    program.unlink()
    assert desk.errors("web", "retry_count=4") == []
    desk.file("this is = not toml at all [")
    assert desk.errors("web", "retry_count=4") == []
    assert "cannot tell what the files say" in desk.errors("web", unset=("retry_count",))[0]


def test_what_the_next_start_would_refuse_is_refused_now(desk: Desk) -> None:
    desk.file(BASE.replace("retry_count = 2", "probe = {tcp = 80}"))
    said = desk.errors("web", "probe_command=true")
    assert len(said) == 1
    assert "the next start would be refused" in said[0]
    assert "a resource has one probe" in said[0]


def test_the_group_is_meant_when_only_groups_have_such_keys(tmp_path: Path) -> None:
    desk = Desk(tmp_path, '[resource.web]\nstart_command = ["sleep", "1"]\n')
    assert desk.set("web", "pingpong_interval=7")["kind"] == "group"
    assert desk.set("web", "description=7")["kind"] == "resource"
    after = codec.unpack(desk.set("web", "maximum_primaries=2")["after"])
    assert (after.maximum_primaries, after.rg_mode, after.resources) == (2, "SCALABLE", ("web",))


def test_unset_goes_back_to_the_file_and_else_to_the_default(desk: Desk) -> None:
    web = desk.running.resource("web")
    assert web is not None
    others = tuple(r for r in desk.running.resources if r.name != "web")
    desk.running = desk.running.replace(resources=(web.replace(retry_count=7, retry_interval=1.0), *others))
    answer = desk.set("web", unset=("retry_count", "Retry_Interval"))
    assert codec.unpack(answer["after"]) == web
    assert [c["drop"] for c in answer["changes"]] == [True, True]
    assert "did you mean retry_count" in desk.errors("web", unset=("retry_cuont",))[0]


def test_a_value_that_the_file_has_need_not_be_kept(desk: Desk) -> None:
    (change,) = desk.set("web", "retry_count=2")["changes"]
    assert change["drop"]
    assert change["same"]


def test_port_list_takes_network_aware_along_as_in_a_descriptor(desk: Desk) -> None:
    after = codec.unpack(desk.set("web", 'port_list=["80/tcp"]')["after"])
    assert after.network_aware
    web = desk.running.resource("web")
    assert after == web.replace(port_list=after.port_list, network_aware=True)  # type: ignore[union-attr]


# -- laid over the files ----------------------------------------------------------------------------------------------


def entry(key: str, value: Any, file: str = "", name: str = "web", kind: str = "resource") -> Entry:
    """One that was set."""
    return Entry(kind, name, key, value, file, "root", "2026-01-31T12:00:00Z")


def test_what_was_set_is_stronger_than_the_file(desk: Desk) -> None:
    entries = (
        entry("retry_count", 5),
        entry("nice", 3),
        entry("nice", 3, name="nobody"),
        entry("pingpong_interval", 9, name="shop", kind="group"),
    )
    plan = load([desk.path], entries=entries, kept_in="set.json").plan
    assert plan is not None
    web = plan.resource("web")
    assert web is not None
    assert (web.retry_count, web.nice) == (5, 3)
    assert plan.groups[0].pingpong_interval == 9.0


def test_a_group_without_a_table_of_its_own_can_be_set(tmp_path: Path) -> None:
    path = write(tmp_path, '[resource.web]\nstart_command = ["sleep", "1"]\n')
    plan = load([path], entries=(entry("failback", True, kind="group"),), kept_in="set.json").plan
    assert plan is not None
    assert plan.groups[0].failback
    assert load([path], entries=(entry("failback", True, name="x", kind="group"),)).plan == load([path]).plan


def test_a_fault_that_was_set_is_told_where_it_is_kept(desk: Desk) -> None:
    entries = (entry("failover_mode", "HARD"), entry("retry_count", "many"), entry("old_key", 1))
    problems = load([desk.path], entries=entries, kept_in="/var/lib/gds/set.json").problems
    assert {(p.path, p.line, p.key) for p in problems} == {
        ("/var/lib/gds/set.json", 0, "resource.web.failover_mode"),
        ("/var/lib/gds/set.json", 0, "resource.web.retry_count"),
        ("/var/lib/gds/set.json", 0, "resource.web.old_key"),
    }


def test_a_table_at_top_level_is_laid_over_too(tmp_path: Path) -> None:
    path = write(tmp_path, 'start_command = ["sleep", "1"]\n')
    name = Path(path).stem
    plan = load([path], entries=(entry("retry_count", 5, name=name),)).plan
    assert plan is not None
    assert plan.resources[0].retry_count == 5


@pytest.mark.parametrize(
    ("text", "entries", "over", "said"),
    [
        (BASE, [entry("retry_count", 5, "2")], [], ""),
        (BASE, [entry("retry_count", 5, "3")], [False], "stays, though PATH:7 says 2 now (the file said 3 then)"),
        (
            BASE,
            [entry("retry_count", 5)],
            [False],
            "(the file did not give it then); `gds set web --unset retry_count`",
        ),
        (BASE, [entry("retry_count", 2, "3")], [True], "is what PATH:7 says now: from here on the file rules it"),
        (BASE, [entry("nice", 5, "3")], [False], "stays, though no file gives it any more (the file said 3 then)"),
        (BASE, [entry("nice", 5, name="old")], [True], "is forgotten: no descriptor names old any more"),
        (BASE, [entry("failback", True, name="db", kind="group")], [True], "is forgotten"),
        (BASE, [entry("environment", {"A": "hush"}, '{A = "x"}')], [False], "environment = {...}, set by root"),
    ],
)
def test_a_reload_says_what_became_of_what_was_set(
    tmp_path: Path, text: str, entries: list[Entry], over: list[bool], said: str
) -> None:
    path = write(tmp_path, text)
    stands = load([path], entries=tuple(entries)).stands
    assert [stand.over for stand in stands] == over
    assert said.replace("PATH", path) in "".join(stand.line for stand in stands)
    assert "hush" not in "".join(stand.line for stand in stands)


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"set": 5}', b'{"set": [{"kind": "resource"}]}', b"\xff"])
def test_a_file_that_we_never_wrote_is_not_believed(content: bytes) -> None:
    with pytest.raises(ValueError):
        entries_of(content)


def test_nothing_set_is_nothing() -> None:
    assert entries_of(b"") == ()
    table, _ = read_table(("resource", "x"), "x", {"start_command": "true"}, "x", group=False)
    assert lay([table], (), "x").tables == (table,)
    assert resource_of(table).name == "x"


# -- looking ----------------------------------------------------------------------------------------------------------


def rows(answer: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """By key."""
    (table,) = [t for t in answer["tables"] if t["name"] == name]
    return {row["key"]: row for row in table["keys"]}


def test_each_value_has_a_place_it_comes_from(desk: Desk) -> None:
    found = rows(desk.ask("look"), "web")
    assert found["retry_count"]["place"] == f"{desk.path}:7"
    assert found["retry_interval"]["default"]
    assert not any(row["differs"] for row in found.values())
    assert found["user"]["text"] == ""
    assert found["start_command"]["text"] == '["sleep", "1"]'


def test_what_runs_is_compared_with_what_the_files_say_now(desk: Desk) -> None:
    desk.file(BASE.replace("retry_count = 2", "nice = 4").replace("resource.db", "resource.cache"))
    answer = desk.ask("look")
    differs = {key: (row["text"], row["file"]) for key, row in rows(answer, "web").items() if row["differs"]}
    assert differs == {"nice": ("0", "4")}, "2 is what retry_count is without the file as well"
    assert [name for name, _ in answer["fresh"]] == ["cache"]
    assert answer["gone"] == ["db"]


def test_a_broken_file_is_told_and_what_runs_is_shown_all_the_same(desk: Desk) -> None:
    desk.file(BASE.replace("retry_count = 2", "retry_count = []"))
    answer = desk.ask("look")
    assert answer["errors"][0]["key"] == "resource.web.retry_count"
    assert rows(answer, "web")["retry_count"]["value"] == 2


def test_a_bare_command_has_no_files(tmp_path: Path) -> None:
    desk = Desk(tmp_path, '[resource.web]\nstart_command = ["sleep", "1"]\n')
    answer = answer_set({"ask": "look", "paths": []}, {}, {"plan": codec.pack(desk.running), "set": b""})
    assert not answer["errors"]
    assert not any(row["differs"] for row in rows({"tables": answer["tables"][:1]}, "web").values())
