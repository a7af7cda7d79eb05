"""The schema says what the loader does, in both drafts; editors accept the examples with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gds.cli import explain
from gds.config.schema import document_schema, editor_schema
from gds.model.properties import GROUP, RESOURCE, Property
from tests.unit.config.telling import write
from tests.unit.config.test_errors import HEAD, KEYS
from tests.unit.config.test_values import ACCEPTED

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("**/*.toml"))

DRAFTS = [
    (jsonschema.Draft202012Validator, document_schema()),
    (jsonschema.Draft4Validator, editor_schema()),
]
IDS = ["2020-12", "4"]

# What a schema cannot know: the machine, what one key means for another, and a few words inside strings.
BEYOND = (
    "does not exist",
    "not found in PATH",
    "is a directory",
    "is not a directory",
    "is not executable",
    "not a regular file",
    "NUL",
    "translates the exit status",
    "needs",
    "soft limit",
    "in octal",
    "finite",
    "at most 100 years",
    "expected at least",
    "it has tcp and unix",
    "it has none",
    "means nothing for",
    "path is missing",
    "SIGTREM",
    "RTMIN+99",
    "65536",
    '"12345678901"',
    "port from 1 to 65535",
    "name and password",
    "not 2.0",
    "at most 107 bytes",
    "with a blank",
    '"1777"',
    '"A=B"',
    '"1:2:3"',
    '"http://x/a b"',
    '":80"',
    '"399-200"',
    "exit_map alone",
    "the first word of a command",
    "a command may not be empty",
    "is declared",
    "depend on itself",
    "a method without",
)


@pytest.mark.parametrize(("validator", "schema"), DRAFTS, ids=IDS)
def test_the_schema_is_a_schema(validator: Any, schema: dict[str, Any]) -> None:
    validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(("validator", "schema"), DRAFTS, ids=IDS)
@pytest.mark.parametrize("keys", [a[0] for a in ACCEPTED], ids=[a[0][:50] for a in ACCEPTED])
def test_what_the_loader_accepts_in_lower_case_the_schema_accepts(
    validator: Any, schema: dict[str, Any], keys: str
) -> None:
    data = tomllib.loads(HEAD + keys)
    spelled = "sunw.GDS" in keys or any(
        word in keys for word in ("Retry_", "RETRY_", "NoFile", "Path =", "PROBE", "Other")
    )
    spelled |= any(word in keys for word in ('"log_only"', '"err"', '"Notify"', '"Journal"'))
    if spelled or "monitor_retry_interval = -1" in keys:
        # The schema offers one spelling; any other is for people.
        assert list(validator(schema).iter_errors(data))
    else:
        assert [e.message for e in validator(schema).iter_errors(data)] == []


@pytest.mark.parametrize(("validator", "schema"), DRAFTS, ids=IDS)
@pytest.mark.parametrize(("keys", "told"), [k[1:] for k in KEYS], ids=[k[0] for k in KEYS])
def test_what_the_loader_refuses_the_schema_refuses(
    validator: Any, schema: dict[str, Any], keys: str, told: list[str]
) -> None:
    errors = list(validator(schema).iter_errors(tomllib.loads(HEAD + keys)))
    assert errors or any(word in told[0] for word in BEYOND)


def test_every_supported_key_is_offered_with_its_help_and_default() -> None:
    offered = document_schema()["$defs"]["ResourceTable"]["properties"]
    assert set(offered) == {p.name for p in RESOURCE if p.supported or p.fixed}
    assert all(offered[p.name]["description"] == p.help for p in RESOURCE if p.name in offered)
    assert offered["retry_interval"]["default"] == 370.0
    assert offered["monitored"]["default"] is True
    of_groups = document_schema()["$defs"]["GroupTable"]["properties"]
    assert set(of_groups) == {p.name for p in GROUP}
    assert (of_groups["pingpong_interval"]["default"], of_groups["failback"]["default"]) == (3600.0, False)
    assert "default" not in of_groups["rg_mode"]
    assert "default" not in offered["network_aware"]


@pytest.mark.parametrize(
    "text",
    ['start_command = "x"', '[group.g]\n[resource.a]\nstart_command = "x"', '"$schema" = "x"\nstart_command = "x"'],
)
@pytest.mark.parametrize(("validator", "schema"), DRAFTS, ids=IDS)
def test_both_forms_of_a_descriptor(validator: Any, schema: dict[str, Any], text: str) -> None:
    assert validator(schema).is_valid(tomllib.loads(text))


@pytest.mark.parametrize("text", ["", "[x]", "[resource.a]\nretry_count = 1", '[resource."a b"]\nstart_command = "x"'])
@pytest.mark.parametrize(("validator", "schema"), DRAFTS, ids=IDS)
def test_what_is_no_descriptor(validator: Any, schema: dict[str, Any], text: str) -> None:
    assert not validator(schema).is_valid(tomllib.loads(text))


SHOWN = [("resource.a", p) for p in RESOURCE if p.example] + [("group.g", p) for p in GROUP if p.example]


@pytest.mark.parametrize(("validator", "schema"), DRAFTS, ids=IDS)
@pytest.mark.parametrize(("table", "prop"), SHOWN, ids=[f"{table}.{prop.name}" for table, prop in SHOWN])
def test_the_example_of_each_key_is_accepted(
    validator: Any, schema: dict[str, Any], table: str, prop: Property
) -> None:
    head = "" if prop.name == "start_command" else HEAD if table == "resource.a" else f"{HEAD}[group.g]\n"
    data = tomllib.loads(f"{head or '[resource.a]'}\n{prop.name} = {prop.example}")
    assert [e.message for e in validator(schema).iter_errors(data)] == []


LISTS = [
    ("resource.a", "resource_dependencies", ["", "b", " b , c@n1", "b{ANY_NODE}"], ["b,", "b{x}", "b@", "1"]),
    ("group.g", "nodelist", ["", "n1", "n1, n2"], ["n1,,n2", "n 1"]),
    ("group.g", "rg_dependencies", ["a", "a,b"], ["a b"]),
    ("group.g", "rg_affinities", ["++a", "+++a, - b,--c", "+a"], ["a", "++++a", "---a", "++"]),
]


@pytest.mark.parametrize(("validator", "schema"), DRAFTS, ids=IDS)
@pytest.mark.parametrize(("table", "key", "right", "wrong"), LISTS, ids=[case[1] for case in LISTS])
def test_a_list_in_an_array_or_in_one_string(
    validator: Any, schema: dict[str, Any], table: str, key: str, right: list[str], wrong: list[str]
) -> None:
    def fits(value: object) -> bool:
        data = tomllib.loads(f"{HEAD}[group.g]")
        kind, name = table.split(".")
        data[kind][name][key] = value
        return bool(validator(schema).is_valid(data))

    for text in right:
        assert fits(text)
        assert fits([part for part in text.split(",") if part])
    for text in wrong:
        assert not fits(text)
        assert not fits([text])
    assert not fits(1)


def test_the_default_of_the_mode_of_a_group_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.main(["rg_mode"]) == 0
    assert "FAILOVER when maximum_primaries is 1, else SCALABLE" in capsys.readouterr().out
    assert explain.main(["nodelist"]) == 0
    assert "  default:  every node\n" in capsys.readouterr().out


def test_draft_4_has_nothing_younger() -> None:
    text = json.dumps(editor_schema())
    for word in (
        '"$defs"',
        '"const"',
        '"prefixItems"',
        '"propertyNames"',
        '"if"',
        '"dependentRequired"',
        '"exclusiveM',
    ):
        assert word not in text


def editor(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An editor's checker, from the environment the tests run in."""
    path = os.path.join(os.path.dirname(sys.executable), program)
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.slow
def test_taplo_accepts_the_examples_and_refuses_mistakes(tmp_path: Path) -> None:
    schema = tmp_path / "gds.schema.json"
    schema.write_text(json.dumps(editor_schema()))
    ran = editor("taplo", "check", "--schema", f"file://{schema}", *map(str, EXAMPLES))
    assert (ran.returncode, ran.stderr.count("error")) == (0, 0)
    wrong = write(tmp_path, HEAD + "retry_count = 'x'\n")
    assert editor("taplo", "check", "--schema", f"file://{schema}", wrong).returncode != 0


@pytest.mark.slow
def test_tombi_accepts_the_examples_and_refuses_mistakes(tmp_path: Path) -> None:
    (tmp_path / "gds.schema.json").write_text(json.dumps(editor_schema()))
    copies = []
    for number, example in enumerate(EXAMPLES):
        copies.append(write(tmp_path, "#:schema ./gds.schema.json\n" + example.read_text(), f"{number}.toml"))
    ran = editor("tombi", "lint", "--offline", *copies)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wrong = write(tmp_path, "#:schema ./gds.schema.json\n" + HEAD + "retry_count = 'x'\n")
    assert editor("tombi", "lint", "--offline", wrong).returncode != 0
