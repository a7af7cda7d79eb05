"""Each rule of the linter: where it speaks, and where it keeps quiet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gds.config.lint import CODES
from gds.config.load import load
from tests.unit.config.telling import codes, read

B = '\n[resource.b]\nstart_command = ["/bin/true"]\n'
HEAD = '[resource.a]\nstart_command = ["/bin/true"]\n'

# Keys beside the start command, and the warnings as code, or code:key.
RULES: list[tuple[str, str, list[str]]] = [
    ("nothing to say", "", []),
    ("the defaults keep Sun's rule", 'port_list = ["80/tcp"]', []),
    ("a window just large enough", "retry_interval = 180", []),
    ("a window too small for the probes", "retry_interval = 179", ["retry-interval:retry_interval"]),
    ("too many restarts for the window", "retry_count = 5", ["retry-interval:retry_count"]),
    ("probes too rare for the window", "thorough_probe_interval = 200", ["retry-interval:thorough_probe_interval"]),
    ("no restart, no window", "retry_count = 0\nretry_interval = 1", []),
    ("restarts without end, no window", "retry_count = -1\nretry_interval = 1", []),
    (
        "a budget that delays put out of reach",
        "retry_count = 10\nretry_interval = 215\nrestart_delay = 10\nprobe_timeout = 1\nthorough_probe_interval = 1",
        ["budget-unreachable:retry_interval"],
    ),
    (
        # 10 + 20 + 30 x 7 = 240 s, 10 % less = 216 s
        "the same, where the delays just fit",
        "retry_count = 10\nretry_interval = 218\nrestart_delay = 10\nprobe_timeout = 1\nthorough_probe_interval = 1",
        [],
    ),
    ("one restart never waits", "retry_count = 1\nrestart_delay = 3600\nrestart_delay_max = 3600", []),
    (
        "a budget that delays put out of reach of the probe alone",
        'retry_count = 3\nretry_interval = 275\nrestart_delay = "5s"\nprobe = {tcp = 1}',
        ["budget-unreachable:retry_interval"],
    ),
    ("the same in time", 'retry_count = 3\nretry_interval = 285\nrestart_delay = "5s"\nprobe = {tcp = 1}', []),
    (
        "every Start needs its grace",
        "retry_count = 4\nstart_grace = 100\nretry_interval = 400",
        ["budget-unreachable:retry_interval"],
    ),
    (
        "a billion restarts are reckoned at once",
        "retry_count = 1000000000\nrestart_delay = 0.001",
        ["budget-unreachable:retry_count"],
    ),
    ("a delay with no room to grow", "restart_delay = 31", ["restart-delay-max:restart_delay"]),
    ("a probe longer than its interval", "probe_timeout = 61", ["probe-timeout:probe_timeout"]),
    ("an interval shorter than its probe", "thorough_probe_interval = 29", ["probe-timeout:thorough_probe_interval"]),
    ("an idle signal", 'stop_signal = "INT"\nstop_command = "true"', ["stop-signal-unused:stop_signal"]),
    ("a stop signal that ends nothing", 'stop_signal = "CONT"', ["stop-signal:stop_signal"]),
    ("a port twice", 'port_list = ["80", "80/tcp"]', ["port-twice:port_list[1]"]),
    ("a port in two families", 'port_list = ["80/tcp", "80/tcp6", "80/udp"]', []),
    ("a variable of ours", 'environment = {GDS_NODE = "x"}', ["environment-reserved:environment.GDS_NODE"]),
    ("a socket of ours", 'environment = {NOTIFY_SOCKET = "x"}', ["environment-reserved:environment.NOTIFY_SOCKET"]),
    ("a directory that is not there", 'stdout = {path = "/no/such/log"}', ["output-directory:stdout"]),
    ("an output beside the runner", 'stdout = {path = "log"}', ["relative-path:stdout"]),
    ("a socket beside the runner", 'probe = {unix = "sock"}', ["relative-path:probe.unix"]),
    ("an abstract socket", 'probe = {unix = "@sock"}', []),
    ("both outputs in one file", 'stdout = {path = "/tmp/x", rotate = 9}\nstderr = {path = "/tmp/x"}', []),
    ("a program that fails with 1", 'probe_command = ["test", "-e", "/x"]', ["probe-exit-status:probe_command"]),
    ("the same with an exit map", 'probe_command = ["/usr/bin/test", "-e", "/x"]\nexit_map = "pass-fail"', []),
    ("a probe that is sound", 'probe_command = "true"', []),
    ("a shell in an array", 'probe_command = ["/bin/sh", "-c", "test -e /x"]', ["probe-exit-status:probe_command"]),
    ("another shell in an array", 'probe_command = ["/bin/sh", "-x", "test -e /x"]', []),
    (
        "a resource of another group's name",
        'group = "b"\n[resource.c]\nstart_command = "true"\ngroup = "a"',
        ["ambiguous-name:resource.a"],
    ),
    (
        "a resource named as its group, which has another",
        '[resource.c]\nstart_command = "true"\ngroup = "a"',
        ["ambiguous-name:resource.a"],
    ),
    ("a group of one's own name", 'group = "a"\n[group.a]', []),
    ("a group where nobody lives", "[group.g]", ["empty-group:group.g"]),
    (
        "a dependency that is down for good",
        f'resource_dependencies_restart = ["b"]{B}enabled = false',
        ["dependency-disabled:resource_dependencies_restart[0]"],
    ),
    ("a weak dependency that is down for good", f'resource_dependencies_weak = ["b"]{B}enabled = false', []),
    ("both down for good", f'enabled = false\nresource_dependencies = ["b"]{B}enabled = false', []),
    (
        "two kinds of dependency on one",
        f'resource_dependencies = ["b"]\nresource_dependencies_weak = ["b"]{B}',
        ["dependency-twice:resource_dependencies_weak[0]"],
    ),
    ("a dependency on another node", f'resource_dependencies = ["b@n2"]{B}', ["one-node:resource_dependencies[0]"]),
    ("a dependency anywhere", f'resource_dependencies = ["b{{ANY_NODE}}"]{B}', []),
    (
        "several copies",
        "[group.a]\nmaximum_primaries = 2\ndesired_primaries = 2",
        ["one-node:group.a.maximum_primaries"],
    ),
    (
        "apart",
        f'{B}[group.a]\nrg_affinities = ["-b", "--b1"]\n[resource.b1]\nstart_command = "true"',
        ["one-node:group.a.rg_affinities[1]"],
    ),
    ("nodes and failback", '[group.a]\nnodelist = ["n1", "n2"]\nfailback = true\npingpong_interval = 0', []),
]


@pytest.mark.parametrize(("keys", "expected"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_rules(tmp_path: Path, keys: str, expected: list[str]) -> None:
    found = codes(tmp_path, HEAD + keys + "\n")
    assert [f"{code}:{key.removeprefix('resource.a.')}" for code, key in found] == expected


BACKGROUND = [
    ("sleep 1 & wait", False),
    ("sleep 1 & sleep 2 & wait $!", False),
    ("sleep 1 & sleep 2 &", True),
    ("sleep 1 &", True),
    ("(sleep 1 &)", True),
    ("true && true", False),
    ("true >&2", False),
    ("true 2>&1", False),
    ("true &>/dev/null", False),
    ("echo '&'", False),
    ('echo "a & b"', False),
    ("echo \\& x", False),
    ("true # & comment", False),
    ("echo $(true & true)", False),
    ("true |& cat", False),
]


@pytest.mark.parametrize(("text", "expected"), BACKGROUND)
def test_a_command_in_the_background(tmp_path: Path, text: str, expected: bool) -> None:
    found = codes(tmp_path, f"start_command = '''{text}'''\n")
    assert found.count(("shell-background", "start_command")) == expected


def test_what_nobody_follows_has_to_go_into_the_background(tmp_path: Path) -> None:
    unmanaged = 'start_command = "true &"\nstop_command = "kill 1"\npmf_managed = false\n'
    assert codes(tmp_path, unmanaged + 'probe_command = "true"\n') == []
    found = codes(tmp_path, unmanaged + 'probe_command = "true & exit 0"\n')
    assert found == [("shell-background", "probe_command")], "the others are followed as ever"


PROBES = [
    ("pg_isready -q", True),
    ("pg_isready -q || exit 100", False),
    ("curl -sf http://x || exit 1", True),
    ("exec /usr/bin/curl -sf http://x >/dev/null 2>&1", True),
    ("cd / && LANG=C [ -e x ]", True),
    ("redis-cli ping | grep -q PONG", True),
    ("! nc -z localhost 80", True),
    ("curl -sf http://x; exit 50", False),
    ("if test -e /x; then exit 0; else exit 100; fi", False),
    ("# nothing", False),
]


@pytest.mark.parametrize(("text", "expected"), PROBES)
def test_a_probe_whose_exit_status_is_no_score(tmp_path: Path, text: str, expected: bool) -> None:
    found = codes(tmp_path, f"start_command = 'true'\nprobe_command = '''{text}'''\n")
    assert (("probe-exit-status", "probe_command") in found) is expected


STOPS = [
    ("nginx -s quit", True),
    ("nginx -s stop", True),
    ("nginx -s reload", False),
    ("kill $MAINPID", True),
    ("kill $MAINPID; while kill -0 $MAINPID; do sleep 1; done", False),
    ("killall --wait x", False),
    ("apachectl graceful-stop", True),
    ("apachectl configtest", False),
    ("pg_ctl stop -D /x -W", True),
    ("pg_ctl stop -D /x", False),
]


@pytest.mark.parametrize(("text", "expected"), STOPS)
def test_a_stop_command_that_does_not_wait(tmp_path: Path, text: str, expected: bool) -> None:
    found = codes(tmp_path, f"start_command = 'true'\nstop_command = '''{text}'''\n")
    assert (("stop-returns-early", "stop_command") in found) is expected


MISSING = [
    ("no-such-program -x", True),
    ("true", False),
    ("test -e /", False),
    ("PROGRAM=1 no-such-program", False),
    ("'no-such-program'", False),
    ("sh -c true", False),
]


@pytest.mark.parametrize(("text", "expected"), MISSING)
def test_a_shell_string_whose_first_word_nobody_knows(tmp_path: Path, text: str, expected: bool) -> None:
    found = codes(tmp_path, f'start_command = "{text}"\n')
    assert (("command-missing", "start_command") in found) is expected


def test_a_missing_word_may_come_from_an_environment_file(tmp_path: Path) -> None:
    text = "start_command = 'no-such-program'\nenvironment_files = ['/etc/passwd']\n"
    assert codes(tmp_path, text) == []


def test_relative_paths_of_directories_and_files(tmp_path: Path) -> None:
    here = os.path.relpath("/etc")
    text = f'{HEAD}working_directory = "{here}"\nenvironment_files = ["{here}/passwd"]\n'
    assert codes(tmp_path, text) == [
        ("relative-path", "resource.a.working_directory"),
        ("relative-path", "resource.a.environment_files[0]"),
    ]


def test_a_port_of_two_resources_is_told_with_both_places(tmp_path: Path) -> None:
    text = f'{HEAD}port_list = ["80"]\n[resource.b]\nstart_command = "true"\nport_list = [80]\n'
    loaded = read(tmp_path, text)
    assert [w.message for w in loaded.warnings] == [
        f"port 80/tcp is declared twice: also by a (the other is at {tmp_path}/app.toml:3:14)"
    ]


def test_an_output_shared_by_two_resources_one_of_which_rotates(tmp_path: Path) -> None:
    second = '[resource.b]\nstart_command = "true"\n'
    text = f'{HEAD}stdout = {{path = "/tmp/x"}}\n{second}stderr = {{path = "/tmp/x", rotate = 9}}\n'
    assert codes(tmp_path, text) == [("output-shared", "resource.b.stderr")]
    text = f'{HEAD}stdout = {{path = "/tmp/x"}}\n{second}stderr = {{path = "/tmp/x"}}\n'
    assert codes(tmp_path, text) == []


def test_only_root_can_be_somebody_else(tmp_path: Path) -> None:
    expected = [] if os.geteuid() == 0 else [("user-needs-root", "resource.a.user")]
    assert codes(tmp_path, f'{HEAD}user = "root"\ngroup_name = "root"\n') == expected


def test_an_empty_directory_is_allowed_and_told(tmp_path: Path) -> None:
    loaded = load([str(tmp_path)])
    assert [str(p) for p in loaded.problems] == []
    assert [(w.code, w.path, w.line) for w in loaded.warnings] == [("empty-directory", str(tmp_path), 0)]
    assert loaded.plan is not None
    assert loaded.plan.resources == ()


def test_remarks_stand_beside_faults(tmp_path: Path) -> None:
    loaded = read(tmp_path, f'{HEAD}stop_signal = "CONT"\n[resource.b]\nuser = "no-such"\n')
    assert len(loaded.problems) == 2
    assert [w.code for w in loaded.warnings] == ["stop-signal"]


def test_every_explanation_has_its_rule() -> None:
    source = (Path(__file__).parents[3] / "gds/config/lint.py").read_text()
    rules = source[source.index("def lint_questions") :] + 'code="empty-directory"'
    assert all(f'"{code}"' in rules for code in CODES)


def test_warnings_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = f'{HEAD}probe_timeout = 100\nport_list = ["1", "1"]\nstop_signal = "CONT"\n'
    lines = [w.line for w in read(tmp_path, text).warnings]
    assert len(lines) == 3
    assert lines == sorted(lines)
