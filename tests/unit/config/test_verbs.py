"""gds check, explain, schema and new, as they are called."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gds.cli import check, explain, new
from gds.config.cache import load_cached
from gds.config.compiler import answer
from gds.config.load import load
from gds.daemon.environment import AS_RUNNER, Call, of_command
from gds.model.properties import ETCD, GROUP, RESOURCE, SETTINGS
from gds.model.resource import Command, ExitMap, Port, Probe, Resource
from tests.unit.config.telling import write

ONE = '[resource.a]\nstart_command = ["/bin/true"]\n'
Said = pytest.CaptureFixture[str]


# -- check


def test_check_of_a_sound_file(tmp_path: Path, capsys: Said) -> None:
    path = write(tmp_path, ONE)
    assert check.main([path]) == 0
    assert capsys.readouterr() == (f"{path}: 1 resource, nothing wrong\n", "")


def test_check_tells_every_error_on_a_line_of_its_own(tmp_path: Path, capsys: Said) -> None:
    path = write(tmp_path, ONE + "retry_cuont = 1\nnice = 99\n")
    assert check.main([path]) == 78
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{path}:3:1: resource.a.retry_cuont: unknown key; did you mean retry_count?",
        f"{path}:4:8: resource.a.nice: expected a number of at most 19, not 99",
    ]
    assert err == f"gds: cannot use {path}: 2 errors\n"


def test_check_warns_and_strict_makes_it_an_error(tmp_path: Path, capsys: Said) -> None:
    path = write(tmp_path, ONE + "probe_timeout = 99\nstop_signal = 'CONT'\n")
    place = f"{path}:3:17: resource.a.probe_timeout:"
    text = "probe_timeout (99 s) is longer than thorough_probe_interval (60 s) [probe-timeout]"
    assert check.main([path]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{place} warning: {text}"
    assert out.splitlines()[-1] == f"{path}: 1 resource, 2 warnings"
    assert err == ""
    assert check.main(["--strict", path]) == 78
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{place} {text}"
    assert err == f"gds: cannot use {path}: 2 warnings\n"


def test_check_as_json(tmp_path: Path, capsys: Said) -> None:
    path = write(tmp_path, ONE + "nice = 99\n")
    assert check.main([path, "--json"]) == 78
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "ok": False,
        "strict": False,
        "errors": [
            {
                "path": path,
                "line": 3,
                "column": 8,
                "key": "resource.a.nice",
                "message": "expected a number of at most 19, not 99",
            }
        ],
        "warnings": [],
        "resources": [],
    }
    write(tmp_path, ONE)
    assert check.main([path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["resources"]) == (True, ["a"])


def test_check_compiles_for_images(tmp_path: Path, capsys: Said) -> None:
    path = write(tmp_path, ONE)
    assert check.main(["--compile", path]) == 0
    found = load_cached([path], [], {}, {})
    assert found is not None
    assert [r.name for r in found[0].resources] == ["a"]
    capsys.readouterr()


def test_check_does_not_compile_what_is_wrong(tmp_path: Path, capsys: Said) -> None:
    path = write(tmp_path, ONE + "stop_signal = 'CONT'\n")
    assert check.main(["--compile", "--strict", path]) == 78
    assert os.listdir(tmp_path) == ["app.toml"]
    capsys.readouterr()


def test_check_says_when_a_plan_cannot_be_kept(tmp_path: Path, capsys: Said) -> None:
    path = write(tmp_path, ONE)
    os.mkdir(f"{path}.plan")
    assert check.main(["--compile", path]) == 1
    assert capsys.readouterr().err == f"gds: cannot keep the plan in {path}.plan: Is a directory\n"


@pytest.mark.parametrize("argv", [[], ["--foo", "x"], ["--", "x"]])
def test_check_of_nothing(argv: list[str], capsys: Said) -> None:
    assert check.main(argv) == 2
    assert capsys.readouterr().err.startswith("gds: cannot ")


@pytest.mark.parametrize("verb", [check.main, explain.main, explain.schema, new.main])
def test_help(verb: object, capsys: Said) -> None:
    assert callable(verb)
    assert verb(["--help"]) == 0
    assert "gds " in capsys.readouterr().out


# -- explain and schema

WORDS = [
    ("retry_count", "key of [resource.NAME]"),
    ("Retry_Count", "key of [resource.NAME]"),
    ("R_description", "key of [resource.NAME]"),
    ("nodelist", "key of [group.NAME]"),
    ("on_giveover", "setting"),
    ("GDS_STATE_DIR", "setting"),
    ("GDS_RESTARTS", "variable given to commands"),
    ("online_faulted", "state of a group"),
    ("start_failed", "state of a resource"),
    ("degraded", "status of a resource"),
    ("exit 75", "exit status of gds"),
    ("exit status 78", "exit status of gds"),
    ("201", "exit status of a probe"),
    ("42", "exit status of a probe"),
    ("giveover", "decision"),
    ("leave-alone", "decision"),
    ("start", "method"),
    ("tracking", "word"),
    ("port-twice", "warning"),
]


@pytest.mark.parametrize(("word", "topic"), WORDS, ids=[w[0] for w in WORDS])
def test_explain_knows_a_word(word: str, topic: str, capsys: Said) -> None:
    assert explain.main(word.split()) == 0
    assert f"({topic})" in capsys.readouterr().out


def test_explain_of_the_runner_is_a_list_of_its_keys(capsys: Said) -> None:
    assert explain.main(["runner"]) == 0
    said = capsys.readouterr().out
    assert "/etc/gds/gds.toml" in said
    for prop in SETTINGS:
        assert (f"\n  {prop.name} " in said) is prop.supported
    for prop in ETCD:
        assert (f"\n  etcd.{prop.name} " in said) is prop.supported


def test_explain_knows_every_variable_that_a_command_is_given(capsys: Said) -> None:
    call = Call("Stop", 1, 2.0, main_pid=7)
    given = of_command(Resource("web", Command(("x",))), call, AS_RUNNER, {}, {}, "n1", "/s", False)
    for name in (*given.keys() - {"PATH"}, "GDS_FENCING_TOKEN", "GDS_FENCED_NODE"):
        assert explain.main([name]) == 0, name
        assert "variable given to commands" in capsys.readouterr().out


def test_what_one_node_cannot_do_is_no_remark_where_an_engine_is_configured(tmp_path: Path) -> None:
    group = '[group.web]\nmaximum_primaries = 2\nrg_mode = "SCALABLE"\n'
    request = {"paths": [write(tmp_path, f'[resource.web]\nstart_command = "true"\n{group}')]}
    settings = write(tmp_path, '[runner]\nengine = "etcd"\n[runner.etcd]\nendpoints = ["http://h:2379"]\n', "gds.toml")
    alone, several = answer(request, {}), answer(request, {"GDS_CONFIG": settings})
    assert [w["code"] for w in alone["warnings"]] == ["one-node"]
    assert alone["warnings"][0]["message"].endswith("without an engine there is one, and the group runs once")
    assert (several["errors"], several["warnings"]) == ([], [])


def test_explain_tells_all_about_a_key(capsys: Said) -> None:
    assert explain.main(["start_timeout"]) == 0
    assert capsys.readouterr().out == (
        "start_timeout   (key of [resource.NAME])\n"
        "  Time for Start, first healthy probe included.\n"
        '  value:    a number of seconds, or a string such as "500ms", "30s", "5m" or "1h"\n'
        "  bounds:   at least 1 s\n"
        "  default:  300 s\n"
        "  tunable:  ANYTIME: may be changed while the application runs\n"
        '  example:  start_timeout = "5m"\n'
    )


def test_explain_says_what_is_not_supported_yet(capsys: Said) -> None:
    assert explain.main(["network_resources_used"]) == 0
    assert "  not supported yet\n" in capsys.readouterr().out


def test_explain_suggests_the_nearest_word(capsys: Said) -> None:
    assert explain.main(["retri_count"]) == 4
    assert capsys.readouterr().err == "gds: cannot explain retri_count: no such word; did you mean retry_count?\n"
    assert explain.main(["xyzzy"]) == 4
    assert capsys.readouterr().err == "gds: cannot explain xyzzy: no such word (gds explain lists all words)\n"


def test_explain_lists_every_word(capsys: Said) -> None:
    assert explain.main([]) == 0
    listed = capsys.readouterr().out
    assert explain.main(["--json"]) == 0
    topics = json.loads(capsys.readouterr().out)["topics"]
    words = [word for topic in topics.values() for word in topic]
    assert {p.name for p in (*RESOURCE, *GROUP, *SETTINGS)} <= set(words)
    for word in words:
        assert f"  {word}" in listed
        assert explain.main([word]) == 0
        assert len(capsys.readouterr().out.splitlines()) > 1


def test_explain_as_json(capsys: Said) -> None:
    assert explain.main(["--json", "offline"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [m["topic"] for m in found["meanings"]] == [
        "state of a resource",
        "state of a group",
        "status of a resource",
    ]


@pytest.mark.parametrize("verb", [explain.main, explain.schema])
def test_an_option_that_is_none(verb: object, capsys: Said) -> None:
    assert callable(verb)
    assert verb(["--foo"]) == 2
    assert capsys.readouterr().err.startswith("gds: cannot use --foo")


def test_schema_in_both_drafts(capsys: Said) -> None:
    assert explain.schema([]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert explain.schema(["--editor"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert explain.schema(["x"]) == 2
    capsys.readouterr()


# -- new


def made(path: Path) -> Resource:
    """The one resource of a descriptor that compiles."""
    loaded = load([str(path)])
    assert [str(p) for p in loaded.problems] == []
    assert loaded.plan is not None
    return loaded.plan.resources[0]


def test_new_writes_every_flag(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "web.toml"
    flags = ["--start", "exec sleep 1", "--stop", "true", "--validate", "true", "--port", "80/tcp", "--port", "53/udp"]
    flags += ["--user", "root", "--group", "shop", "--description", "the shop's", "--working-directory", "/tmp"]
    assert new.main(["web", *flags, "--probe", "pg_isready -q", "-o", str(path)]) == 0
    resource = made(path)
    assert resource.name == "web"
    assert resource.start_command == Command(("/bin/sh", "-c", "exec sleep 1"), "exec sleep 1")
    assert resource.port_list == (Port(80), Port(53, "udp"))
    assert resource.exit_map == ExitMap(((0, 0),))
    assert (resource.user, resource.group, resource.description) == ("root", "shop", "the shop's")
    assert resource.working_directory == "/tmp"
    assert (resource.retry_count, resource.retry_interval) == (2, 370.0)
    assert os.stat(path).st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["web.toml"]
    assert f"wrote {path}" in capsys.readouterr().err


def test_new_comments_every_line(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "web.toml"
    assert new.main(["web", "--start", "true", "--stop-signal", "INT", "--port", "80", "-o", str(path)]) == 0
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# ")
    capsys.readouterr()


PROBES = [
    ("http://127.0.0.1:80/x", Probe("http", "http://127.0.0.1:80/x", "127.0.0.1", 80, "/x")),
    ("8080", Probe("tcp", "8080", "127.0.0.1", 8080)),
    ("db:5432", Probe("tcp", "db:5432", "db", 5432)),
    ("exit 0", None),
    ("test 1 = http:80", None),
]


@pytest.mark.parametrize(("asked", "expected"), PROBES, ids=[p[0] for p in PROBES])
def test_new_understands_how_to_ask(tmp_path: Path, asked: str, expected: Probe | None, capsys: Said) -> None:
    path = tmp_path / "web.toml"
    assert new.main(["web", "--start", "true", "--probe", asked, "-o", str(path)]) == 0
    resource = made(path)
    assert resource.probe == expected
    assert (resource.probe_command is None) is (expected is not None)
    capsys.readouterr()


AWKWARD = [
    "\\x41",
    "a\tb\nc",
    "\"quoted\" 'twice'",
    "é → ✓",
    "\x1b[0m",
    "\x7f",
    "# no comment",
    "\\",
    "a\\u0041",
    "[x]\n=",
    "$(a)",
]


@pytest.mark.parametrize("text", AWKWARD, ids=[repr(a) for a in AWKWARD])
def test_new_writes_what_was_meant_where_toml_would_not(tmp_path: Path, text: str, capsys: Said) -> None:
    path = tmp_path / "web.toml"
    assert new.main(["web", "--start", f"echo {text}", "-o", str(path)]) == 0
    assert tomllib.loads(path.read_text())["resource"]["web"]["start_command"] == f"echo {text}"
    capsys.readouterr()


def test_new_never_overwrites_unless_forced(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "web.toml"
    path.write_text("mine")
    assert new.main(["web", "--start", "true", "-o", str(path)]) == 1
    assert capsys.readouterr().err == f"gds: cannot write {path}: it exists; --force replaces it\n"
    assert path.read_text() == "mine"
    assert new.main(["web", "--start", "true", "-o", str(path), "--force"]) == 0
    assert made(path).name == "web"
    capsys.readouterr()


def test_new_never_follows_a_link_that_leads_nowhere(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "web.toml"
    path.symlink_to("elsewhere")
    assert new.main(["web", "--start", "true", "-o", str(path)]) == 1
    assert os.listdir(tmp_path) == ["web.toml"]
    capsys.readouterr()


REFUSED: list[tuple[list[str], int, str]] = [
    (["9", "--start", "x"], 2, "cannot name a resource '9': a name starts with a letter"),
    (["web", "--port", "80"], 2, "cannot write a descriptor without a start command"),
    (
        ["web", "--start", "x", "--port", "99999"],
        78,
        "resource.web.port_list[0]: expected a port from 1 to 65535, not 99999",
    ),
    (["web", "--start", "x", "--probe", "http://"], 78, "resource.web.probe.http: expected a URL"),
    (["web", "--start", "x", "--stop-signal", "y"], 78, "resource.web.stop_signal: expected the name of a signal"),
    (["web", "--start", "a\0b"], 78, "may not hold the character NUL"),
    (["web", "--start", "\udcff"], 2, "what was typed is not UTF-8"),
    (["web", "--start", "x", "-o", "/no/such/x.toml"], 1, "cannot write /no/such/x.toml: No such file or directory"),
    (["--start", "x"], 2, "Missing argument 'NAME'"),
    (["web", "--foo"], 2, "No such option"),
]


@pytest.mark.parametrize(
    ("argv", "status", "told"),
    REFUSED,
    ids=[" ".join(r[0])[:40].encode("ascii", "replace").decode().replace("\0", "0") for r in REFUSED],
)
def test_new_refuses(tmp_path: Path, argv: list[str], status: int, told: str, capsys: Said) -> None:
    output = [] if "-o" in argv else ["-o", str(tmp_path / "x.toml")]
    assert new.main([*argv, *output]) == status
    assert told in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_new_notes_what_this_machine_lacks_and_writes_all_the_same(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "web.toml"
    assert new.main(["web", "--start", "/no/such -x", "--user", "no-such", "-o", str(path)]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[:2] == [
        "note: resource.web.start_command: /no/such does not exist on this machine",
        "note: resource.web.user: user no-such does not exist on this machine",
    ]
    assert path.exists()


def test_new_warns_as_the_linter_does(tmp_path: Path, capsys: Said) -> None:
    assert new.main(["web", "--start", "sleep 1 &", "-o", str(tmp_path / "web.toml")]) == 0
    assert "[shell-background]" in capsys.readouterr().err


def test_new_on_standard_output(capsys: Said) -> None:
    assert new.main(["web", "--start", "true", "-o", "-"]) == 0
    out, err = capsys.readouterr()
    assert tomllib.loads(out)["resource"]["web"]["start_command"] == "true"
    assert err == ""


def run_new(directory: Path, answers: str | None) -> tuple[int, str]:
    """`gds new web` as a person meets it: on a terminal with these answers, or without one."""
    command = [sys.executable, "-c", "import sys; from gds.cli.new import main; sys.exit(main(['web']))"]
    if answers is None:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=directory, timeout=60
        )
        return ran.returncode, ran.stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, cwd=directory) as process:
        os.close(theirs)
        os.write(ours, answers.encode())
        assert process.stderr is not None
        told = process.stderr.read().decode()
    os.close(ours)
    return process.returncode, told


@pytest.mark.slow
def test_new_asks_on_a_terminal(tmp_path: Path) -> None:
    status, told = run_new(tmp_path, "\nsleep 1000\n\n8080, 53/udp\nhttp://127.0.0.1:8080/\n\n\n")
    assert "Command that starts it" in told
    assert status == 0
    resource = made(tmp_path / "web.toml")
    assert resource.start_command.text == "sleep 1000"
    assert resource.port_list == (Port(8080), Port(53, "udp"))
    assert resource.probe is not None
    assert resource.stop_command is None


@pytest.mark.slow
def test_new_interrupted_writes_nothing(tmp_path: Path) -> None:
    status, told = run_new(tmp_path, "sleep 1\n\x04")
    assert status == 1
    assert "nothing was written" in told
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_new_without_a_terminal_and_without_flags_says_what_to_do(tmp_path: Path) -> None:
    assert run_new(tmp_path, None) == (
        2,
        "gds: cannot ask questions without a terminal: give at least --start\n",
    )
