"""A kept plan may be old, never wrong: whatever it was made from is compared before it is believed."""

from __future__ import annotations

import json
import marshal
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gds.config import cache, compiler
from gds.config.cache import load_cached
from gds.model.codec import unpack
from gds.model.resource import Plan
from tests.unit.config.telling import write

ONE = '[resource.a]\nstart_command = ["/bin/true"]\n'


class Bench:
    """A descriptor and a directory of kept plans, in a directory of the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kept = str(directory / "kept")
        self.environ = {"GDS_CONFIG": write(directory, "[runner]\nnode = 'n1'\n", "gds.toml")}

    def write(self, text: str, name: str = "app.toml") -> str:
        return write(self.directory, text, name)

    def compile(self, *paths: str, beside: bool = False) -> Plan:
        """As `python -m gds.config.compiler` does, in this process."""
        request = {"paths": list(paths), "cache_dirs": [self.kept], "keep_beside": beside}
        found = compiler.answer(request, self.environ)
        assert found["errors"] == []
        plan: Plan = unpack(found["plan"])
        return plan

    def cached(self, *paths: str, flags: dict[str, str] | None = None) -> tuple[Plan, dict[str, str]] | None:
        return load_cached(list(paths), [self.kept], flags, self.environ)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_plan_is_kept_whole(bench: Bench) -> None:
    path = bench.write(ONE + 'retry_count = 5\nport_list = ["80", "80"]\n')
    plan = bench.compile(path)
    found = bench.cached(path)
    assert found is not None
    assert found[0] == plan
    assert [w.code for w in found[0].warnings] == ["retry-interval", "port-twice"]
    assert found[1]["node"] == "n1"


def test_nothing_kept_nothing_found(bench: Bench) -> None:
    assert bench.cached(bench.write(ONE)) is None


def test_flags_and_variables_stand_above_what_is_kept(bench: Bench) -> None:
    path = bench.write(ONE)
    bench.compile(path)
    bench.environ["GDS_SOCKET"] = "/run/x.sock"
    found = bench.cached(path, flags={"node": "n2", "state_dir": "/s"})
    assert found is not None
    assert (found[1]["node"], found[1]["state_dir"], found[1]["socket"]) == ("n2", "/s", "/run/x.sock")
    assert bench.cached(path, flags={"on_giveover": "maybe"}) is None


CHANGES: list[tuple[str, Callable[[Bench, str], object]]] = [
    ("its content", lambda b, p: b.write(ONE.replace("true", "echo"))),
    ("its length", lambda b, p: b.write(ONE + "\n")),
    ("it is gone", lambda b, p: os.unlink(p)),
    ("others may write it", lambda b, p: os.chmod(p, 0o666) if os.geteuid() == 0 else os.unlink(p)),
    ("the settings", lambda b, p: write(b.directory, "[runner]\nnode = 'n2'\n", "gds.toml")),
    ("a variable that is wrong", lambda b, p: b.environ.update(GDS_ON_GIVEOVER="maybe")),
    ("the way to end the node", lambda b, p: b.environ.update(GDS_NODE_ABORT_COMMAND="x")),
    ("the settings are gone", lambda b, p: os.unlink(b.environ["GDS_CONFIG"])),
]


@pytest.mark.parametrize("change", [c[1] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_change_is_seen(bench: Bench, change: Callable[[Bench, str], object]) -> None:
    path = bench.write(ONE)
    bench.compile(path)
    assert bench.cached(path) is not None
    change(bench, path)
    assert bench.cached(path) is None


def test_a_program_that_has_gone_is_seen(bench: Bench) -> None:
    program = bench.directory / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = bench.write(f'start_command = ["{program}"]')
    bench.compile(path)
    assert bench.cached(path) is not None
    program.chmod(0o644)
    assert bench.cached(path) is None


def test_a_program_that_appears_takes_a_warning_away(bench: Bench) -> None:
    where = bench.directory / "log"
    path = bench.write(f'{ONE}stdout = {{path = "{where}/app.log"}}\n')
    assert len(bench.compile(path).warnings) == 1
    where.mkdir()
    assert bench.cached(path) is None


def test_a_file_more_or_less_in_a_directory_is_seen(bench: Bench) -> None:
    apps = bench.directory / "apps"
    apps.mkdir()
    one = write(apps, ONE, "one.toml")
    assert len(bench.compile(str(apps)).resources) == 1
    assert bench.cached(str(apps)) is not None
    two = write(apps, ONE.replace("resource.a", "resource.b"), "two.toml")
    assert bench.cached(str(apps)) is None
    assert len(bench.compile(str(apps)).resources) == 2
    assert bench.cached(str(apps)) is not None
    os.unlink(two)
    assert bench.cached(str(apps)) is None
    os.unlink(one)
    os.rmdir(apps)
    assert bench.cached(str(apps)) is None


def test_other_paths_have_other_plans(bench: Bench) -> None:
    one = bench.write(ONE)
    two = bench.write(ONE.replace("resource.a", "resource.b"), "two.toml")
    bench.compile(one)
    bench.compile(one, two)
    assert bench.cached(two) is None
    assert bench.cached(two, one) is None
    alone, both = bench.cached(one), bench.cached(one, two)
    assert alone is not None
    assert both is not None
    assert [len(found[0].resources) for found in (alone, both)] == [1, 2]


def test_a_relative_path_finds_what_an_absolute_one_kept(bench: Bench) -> None:
    path = bench.write(ONE)
    bench.compile(path)
    assert bench.cached(os.path.relpath(path)) is not None


def test_without_paths_there_are_only_settings(bench: Bench) -> None:
    bench.compile()
    found = bench.cached()
    assert found is not None
    assert found[0] == Plan()
    assert found[1]["node"] == "n1"


def test_a_plan_beside_the_descriptor_is_found_everywhere(bench: Bench) -> None:
    del bench.environ["GDS_CONFIG"]
    path = bench.write(ONE)
    plan = bench.compile(path, beside=True)
    kept = f"{path}.plan"
    assert os.stat(kept).st_mode & 0o777 == 0o644
    found = load_cached([path], ["/no/such/directory"], {}, bench.environ)
    assert found is not None
    assert found[0] == plan


def test_a_plan_beside_a_secret_descriptor_is_secret(bench: Bench) -> None:
    path = bench.write(ONE)
    os.chmod(path, 0o600)
    bench.compile(path, beside=True)
    assert os.stat(f"{path}.plan").st_mode & 0o777 == 0o600


def kept_files(bench: Bench) -> list[str]:
    return [os.path.join(bench.kept, name) for name in sorted(os.listdir(bench.kept))]


def test_what_is_kept_is_nobody_elses_business(bench: Bench) -> None:
    bench.compile(bench.write(ONE))
    assert len(kept_files(bench)) == 2
    assert {os.stat(file).st_mode & 0o777 for file in kept_files(bench)} == {0o600}
    assert os.stat(bench.kept).st_mode & 0o777 == 0o700


def _spoiled(data: bytes) -> list[bytes]:
    other = cache.MAGIC + b"\0\0\0\0" + marshal.dumps({"gds": "0"})
    return [b"", b"x", data[:-1], data[:20], data[:30] + b"?" + data[31:], data.replace(b"plan 1", b"plan 2"), other]


def test_a_kept_plan_that_is_damaged_is_not_believed(bench: Bench) -> None:
    path = bench.write(ONE)
    bench.compile(path)
    file = cache.plan_file(bench.kept, [path])
    data = Path(file).read_bytes()
    for spoiled in _spoiled(data):
        Path(file).write_bytes(spoiled)
        assert bench.cached(path) is None
    Path(file).write_bytes(data)
    assert bench.cached(path) is not None


def test_a_kept_plan_of_another_version_is_not_believed(bench: Bench) -> None:
    path = bench.write(ONE)
    bench.compile(path)
    file = cache.plan_file(bench.kept, [path])
    kept = marshal.loads(Path(file).read_bytes()[len(cache.MAGIC) + 4 :])
    for key in ("gds", "python"):
        cache.keep_plan(file, kept)
        assert bench.cached(path) is not None
        cache.keep_plan(file, {**kept, key: "other"})
        assert bench.cached(path) is None


def test_a_kept_plan_that_others_may_write_is_not_believed(bench: Bench) -> None:
    path = bench.write(ONE)
    bench.compile(path)
    os.chmod(cache.plan_file(bench.kept, [path]), 0o620)
    assert bench.cached(path) is None


def test_a_kept_plan_that_is_a_link_is_not_believed(bench: Bench) -> None:
    path = bench.write(ONE)
    bench.compile(path)
    file = cache.plan_file(bench.kept, [path])
    os.rename(file, file + ".real")
    os.symlink(file + ".real", file)
    assert bench.cached(path) is None


def test_a_directory_that_cannot_be_written_costs_only_time(bench: Bench) -> None:
    path = bench.write(ONE)
    Path(bench.kept).write_text("not a directory")
    assert bench.compile(path).resources
    assert bench.cached(path) is None


def test_directories_are_made_for_us_alone_whatever_the_umask(bench: Bench) -> None:
    before = os.umask(0)
    try:
        cache.keep_plan(str(bench.directory / "a/b/plan"), {})
    finally:
        os.umask(before)
    modes = [os.stat(bench.directory / path).st_mode & 0o777 for path in ("a", "a/b", "a/b/plan")]
    assert modes == [0o755, 0o700, 0o600]


def test_an_interrupted_write_leaves_nothing(bench: Bench) -> None:
    target = bench.directory / "target"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        cache.keep_plan(str(target), {"x": 1})
    assert sorted(os.listdir(bench.directory)) == ["gds.toml", "target"]


def test_where_plans_are_kept() -> None:
    assert cache.directories({}, {}, 0) == ["/var/lib/gds/plans"]
    assert cache.directories({}, {"GDS_STATE_DIR": "/v"}, 0) == ["/v/plans"]
    assert cache.directories({"state_dir": "/f"}, {"GDS_STATE_DIR": "/v"}, 0) == ["/f/plans"]
    assert cache.directories({"state_dir": "/f"}, {"GDS_CACHE_DIR": "/c"}, 0) == ["/c", "/f/plans"]


def test_a_kept_plan_is_read_in_no_time_and_with_few_modules(bench: Bench) -> None:
    """No limit of time: a bound on the work. pydantic, tomllib, hashlib, re and their like stay out."""
    path = bench.write(ONE)
    bench.compile(path)
    program = (
        "import json, sys; before = set(sys.modules);"
        "from gds.config.cache import load_cached;"
        "found = load_cached([sys.argv[1]], [sys.argv[2]]);"
        "print(json.dumps([found is not None, sorted(set(sys.modules) - before)]))"
    )
    environ = {**os.environ, **bench.environ}
    command = [sys.executable, "-c", program, path, bench.kept]
    reader, writer = os.pipe()
    pid = os.posix_spawn(sys.executable, command, environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    with os.fdopen(reader) as answer:
        found, modules = json.load(answer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert found
    heavy = {"pydantic", "tomllib", "hashlib", "re", "toml", "click", "typing", "dataclasses", "inspect", "logging"}
    assert not heavy & set(modules)
    assert not [m for m in modules if m.startswith("gds.") and m.split(".")[1] not in ("config", "model", "errors")]


@pytest.mark.slow
def test_a_thousand_resources_compile_and_load(bench: Bench) -> None:
    text = "".join(
        [f'[resource.app{n}]\nstart_command = ["/bin/true"]\nport_list = ["{n + 1}"]\n' for n in range(1000)]
    )
    path = bench.write(text)
    plan = bench.compile(path)
    found = bench.cached(path)
    assert found is not None
    assert found[0] == plan
    assert len(plan.resources) == 1000
