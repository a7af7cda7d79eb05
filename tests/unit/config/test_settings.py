"""[runner] of the settings file, variables, flags: rising strength, and every mistake told where it was made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gds.config import places
from gds.config.compiler import settle
from gds.config.settings import load_settings
from gds.model.settings import Settings, settings_from
from gds.model.value import defaults_of
from tests.unit.config.telling import write

EUID = os.geteuid()


def given(
    directory: Path, text: str, flags: dict[str, str], environ: dict[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The values given, and the problems without the directory."""
    path = write(directory, text, "gds.toml")
    found = load_settings(flags, {"GDS_CONFIG": path, **environ}, EUID)
    return found.values, [str(p).replace(f"{directory}/", "") for p in found.problems]


def test_flags_are_stronger_than_variables_and_those_than_the_file(tmp_path: Path) -> None:
    text = '[runner]\nnode = "file"\nstate_dir = "/file"\nsocket = "/file"\n'
    environ = {"GDS_NODE": "variable", "GDS_STATE_DIR": "/variable", "GDS_RUNTIME_DIR": "", "OTHER": "x"}
    assert given(tmp_path, text, {"node": "flag"}, environ) == (
        {"node": "flag", "state_dir": "/variable", "socket": "/file"},
        [],
    )


def test_keys_have_no_case_and_a_schema_is_ignored(tmp_path: Path) -> None:
    text = '"$schema" = "x"\n[Runner]\nNode = "n1"\nLog_Format = "JSON"\n'
    assert given(tmp_path, text, {}, {}) == ({"node": "n1", "log_format": "json"}, [])


def test_a_file_without_runner_says_nothing(tmp_path: Path) -> None:
    assert given(tmp_path, "", {}, {}) == ({}, [])


MISTAKES: list[tuple[str, str, list[str]]] = [
    ("an unknown key", "[runner]\nsokcet = '/x'\n", ["gds.toml:2:1: runner.sokcet: unknown key; did you mean socket?"]),
    (
        "an engine's table",
        "[runner]\n[runner.pacemaker]\n",
        [
            "gds.toml:2:2: runner.pacemaker: there is no such table: Pacemaker runs gds as its agent, ocf:gds:app; see"
            " `gds convert --to pcs`"
        ],
    ),
    (
        "another engine",
        "[runner]\nengine = 'pacemaker'\n",
        [
            "gds.toml:2:10: runner.engine: Pacemaker is no engine of a runner: it runs gds as its agent, ocf:gds:app;"
            ' known: "standalone", "etcd"'
        ],
    ),
    (
        "no engine at all",
        "[runner]\nengine = 'etdc'\n",
        ['gds.toml:2:10: runner.engine: expected one of "standalone", "etcd", not "etdc"; did you mean "etcd"?'],
    ),
    ("a number", "[runner]\nnode = 1\n", ["gds.toml:2:8: runner.node: expected a string, not 1"]),
    ("nothing", "[runner]\nstate_dir = ''\n", ["gds.toml:2:13: runner.state_dir: may not be empty"]),
    (
        "no name",
        "[runner]\nnode = 'a b'\n",
        ["gds.toml:2:8: runner.node: a name has letters, digits, '-' and '_' only, not ' '"],
    ),
    (
        "twice",
        "[runner]\nnode = 'a'\nNode = 'b'\n",
        ["gds.toml:3:1: runner.Node: given twice, in different capitalisation"],
    ),
    ("no table", "runner = 1\n", ["gds.toml:1:10: runner: expected a table [runner], not 1"]),
    (
        "a resource",
        "[resource.a]\n",
        ["gds.toml:1:2: resource: [resource] and [group] belong into descriptors; expected [runner]"],
    ),
    ("another table", "[x]\n", ["gds.toml:1:2: x: unknown key; expected [runner]"]),
    ("no TOML", "[runner\n", ["gds.toml:1:8: not TOML: expected ']' at the end of a table declaration"]),
    (
        "several",
        "[runner]\nnode = 1\non_giveover = 'x'\n",
        [
            "gds.toml:2:8: runner.node: expected a string, not 1",
            'gds.toml:3:15: runner.on_giveover: expected one of "auto", "refuse", "exit", not "x"',
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_mistakes_in_the_file(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert given(tmp_path, text, {}, {})[1] == expected


def test_a_mistake_in_the_file_is_told_also_where_a_flag_hides_it(tmp_path: Path) -> None:
    values, problems = given(tmp_path, "[runner]\nnode = 1\n", {"node": "n1"}, {})
    assert problems == ["gds.toml:2:8: runner.node: expected a string, not 1"]
    assert values == {"node": "n1"}


def test_the_group_of_the_socket_has_to_be_there(tmp_path: Path) -> None:
    text = "[runner]\nsocket_group = 'no-such'\n"
    assert given(tmp_path, text, {}, {})[1] == ["gds.toml:2:16: runner.socket_group: group no-such does not exist"]
    found = load_settings({"socket_group": "no-such"}, {}, EUID)
    assert [str(p) for p in found.problems] == ["command line: --socket-group: group no-such does not exist"]
    assert load_settings({"socket_group": "root"}, {}, EUID).values == {"socket_group": "root"}


def test_mistakes_in_variables_and_flags_name_them() -> None:
    found = load_settings({"on_giveover": "exti", "socket": " "}, {"GDS_LOG_FORMAT": "xml", "GDS_NODE": "1"}, EUID)
    assert sorted(map(str, found.problems)) == [
        'command line: --on-giveover: expected one of "auto", "refuse", "exit", not "exti"; did you mean "exit"?',
        "command line: --socket: may not be empty",
        'environment: GDS_LOG_FORMAT: expected one of "text", "json", not "xml"',
        "environment: GDS_NODE: a name starts with a letter A-Z or a-z",
    ]


def test_a_settings_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    path = str(tmp_path / "no.toml")
    found = load_settings({}, {"GDS_CONFIG": path}, EUID)
    assert [str(p) for p in found.problems] == [f"{path}: cannot read it: No such file or directory"]


@pytest.mark.parametrize(("given", "bytes_"), [("1MiB", 1 << 20), ("400 kB", 400_000), ("1048576", 1 << 20)])
def test_the_size_of_the_history_is_bytes_whatever_its_unit(given: str, bytes_: int) -> None:
    assert load_settings({"history_size": given}, {}, EUID).values == {"history_size": str(bytes_)}
    assert load_settings({}, {"GDS_HISTORY_SIZE": given}, EUID).values == {"history_size": str(bytes_)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("1kB", 'expected at least 262144 bytes, not "1kB"'),
        ("big", "expected a number of bytes"),
        ("-1", "expected a number of bytes"),
    ],
)
def test_a_history_that_cannot_be_so_large_is_refused(given: str, said: str) -> None:
    (problem,) = load_settings({"history_size": given}, {}, EUID).problems
    assert said in str(problem)
    assert "--history-size" in str(problem)


def test_variables_of_a_command_are_no_settings_of_a_runner_it_starts() -> None:
    environ = {"GDS_RESOURCE": "a", "GDS_TIMEOUT": "30", "GDS_NODE": "n1", "GDS_CACHE_DIR": "/x"}
    assert places.variables(environ) == {"node": "n1"}
    environ["GDS_SOCKET"] = "/run/gds/control.sock"
    assert places.variables(environ)["socket"] == "/run/gds/control.sock", "a person's"
    environ["GDS_METHOD"] = "Start"
    assert places.variables(environ) == {"node": "n1"}, "that of the runner that runs the command"


PLAIN: list[tuple[dict[str, str], bool]] = [
    ({}, True),
    ({"state_dir": "/x", "node": "n1", "on_giveover": "exit", "node_abort_command": "x"}, True),
    ({"on_giveover": "Exit"}, False),
    ({"node": "1"}, False),
    ({"state_dir": " "}, False),
    ({"socket": "a\0b"}, False),
    ({"socket_group": "root"}, False),
    ({"unknown": "x"}, False),
]


@pytest.mark.parametrize(("values", "expected"), PLAIN, ids=[str(p[0]) for p in PLAIN])
def test_what_is_plainly_fine(values: dict[str, str], expected: bool) -> None:
    assert places.is_plain(values) is expected


@pytest.mark.parametrize("values", [v for v, plain in PLAIN if plain], ids=str)
def test_what_is_plainly_fine_is_fine_for_pydantic_too(values: dict[str, str]) -> None:
    assert load_settings(values, {}, EUID).values == values


DIRECTORIES: list[tuple[str, dict[str, str], int, tuple[str, str]]] = [
    ("", {}, 0, ("/run/gds", "/var/lib/gds")),
    ("/given", {"RUNTIME_DIRECTORY": "/x"}, 0, ("/given", "/given")),
    ("", {"RUNTIME_DIRECTORY": "/run/a:/run/b", "STATE_DIRECTORY": "/lib/a"}, 0, ("/run/a", "/lib/a")),
    ("", {"XDG_RUNTIME_DIR": "/run/user/7", "XDG_STATE_HOME": "/h/s/"}, 0, ("/run/gds", "/var/lib/gds")),
    ("", {"XDG_RUNTIME_DIR": "/run/user/7", "XDG_STATE_HOME": "/h/s/"}, 7, ("/run/user/7/gds", "/h/s/gds")),
    ("", {"HOME": "/home/u"}, 7, ("/tmp/gds-7", "/home/u/.local/state/gds")),
    ("", {"XDG_RUNTIME_DIR": "relative", "HOME": "/"}, 7, ("/tmp/gds-7", "/.local/state/gds")),
]


@pytest.mark.parametrize(("named", "environ", "euid", "expected"), DIRECTORIES, ids=[str(d[1]) for d in DIRECTORIES])
def test_directories(named: str, environ: dict[str, str], euid: int, expected: tuple[str, str]) -> None:
    assert (places.runtime_dir(named, environ, euid), places.state_dir(named, environ, euid)) == expected


def test_settled_fills_in_everything(tmp_path: Path) -> None:
    values = places.settled({"socket": "s", "node": "n1"}, {"STATE_DIRECTORY": str(tmp_path)}, 0)
    assert settings_from(values) == Settings(
        node="n1", runtime_dir="/run/gds", state_dir=str(tmp_path), socket=os.path.abspath("s")
    )
    assert places.settled({}, {}, 0)["node"]


def test_settle_says_all_or_the_mistakes(tmp_path: Path) -> None:
    values, errors = settle({"socket_group": "root"}, {"GDS_CONFIG": write(tmp_path, "[runner]\nnode = 'n2'\n")})
    assert (values["socket_group"], values["node"], errors) == ("root", "n2", [])
    assert set(values) == set(defaults_of(Settings)) - {"etcd"}
    values, errors = settle({"on_giveover": "x"}, {})
    assert values == {}
    assert [e["key"] for e in errors] == ["--on-giveover"]
