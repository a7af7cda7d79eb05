"""A stdout or stderr that is closed or full, and a directory that was removed under us: one line, never a traceback."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.system.running import GDS, Running, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SCHA = "import sys; from gds.cli import scha; sys.exit(scha.cluster_get())"
PMF = "import sys; from gds.cli import pmfadm; sys.exit(pmfadm.main())"
SCRIPTS = {
    "gds": GDS,
    # as the console scripts do
    "scha_cluster_get": [sys.executable, "-c", SCHA],
    "pmfadm": [sys.executable, "-c", PMF],
}


@pytest.fixture(name="shop", scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    where = tmp_path_factory.mktemp("shop")
    with Running(where, write(where / "web.toml", 'start_command = "sleep 1000"\n')) as runner:
        runner.until("web", state="ONLINE")
        yield runner


def shell(runner: Running, words: str, redirections: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Status, stdout and stderr of a command, as far as these are left."""
    program, _, rest = words.partition(" ")
    line = f"exec {shlex.join(SCRIPTS[program])} {rest} {redirections}"
    env = {**runner.env, "GDS_RUNTIME_DIR": str(runner.runtime), "GDS_STATE_DIR": str(runner.state)}
    done = subprocess.run(
        ["sh", "-c", line], env=env, cwd=cwd or runner.where, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


TELLING = {
    "gds status": 1,
    "gds status --json": 1,
    "gds status --watch": 1,
    "gds check web.toml": 1,
    "gds history": 1,
    "gds --help": 1,
    "gds status --help": 1,
    "gds run --help": 1,
    "scha_cluster_get -O NODENAME_LOCAL": 18,
    "pmfadm --help": 3,
}


@pytest.mark.parametrize(("redirection", "why"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")])
@pytest.mark.parametrize("words", TELLING)
def test_what_cannot_be_written_is_one_line_and_a_status(shop: Running, words: str, redirection: str, why: str) -> None:
    program = words.split()[0]
    said = f"{program}: cannot write to stdout: {why}\n"
    assert shell(shop, words, redirection) == (TELLING[words], "", said)


@pytest.mark.parametrize("words", ["gds status nosuch", "gds nosuch", "gds run nosuch.toml", "scha_cluster_get"])
def test_an_error_never_lands_among_the_results(shop: Running, words: str) -> None:
    code, out, _ = shell(shop, words, "2>&-")
    assert (code != 0, out) == (True, "")


def test_what_has_nothing_to_tell_needs_no_stdout(shop: Running) -> None:
    assert shell(shop, "gds clear web", ">&- 2>&-") == (0, "", "")


def test_a_reader_that_went_away_is_no_error(shop: Running) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*GDS, "explain"], stdout=writer, stderr=subprocess.PIPE, env=shop.env, timeout=60, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("words", ["check a.toml", "run a.toml", "run --runtime-dir r -- sleep 9", "graph a.toml"])
@pytest.mark.parametrize("settings", ["", "[runner]\n"], ids=["no settings", "settings"])
def test_a_current_directory_that_was_removed(shop: Running, tmp_path: Path, words: str, settings: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    env = {**shop.env, "GDS_STATE_DIR": str(tmp_path / "state")}
    if settings:
        env["GDS_CONFIG"] = str(write(tmp_path / "gds.toml", settings))
    line = f"rmdir ../gone; exec {shlex.join(GDS)} {words}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=gone, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("gds: cannot tell what a relative path means here: the current directory was removed")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", ["run a.toml", "run -- sleep 9", "run --pmf"])
def test_without_proc_nothing_is_run(shop: Running, tmp_path: Path, words: str) -> None:
    """As in a chroot in which nobody has mounted it."""
    write(tmp_path / "a.toml", 'start_command = ["sleep", "9"]\n')
    own = ["--runtime-dir", str(tmp_path / "own"), "--state-dir", str(tmp_path / "kept")]
    verb, *more = words.split()
    line = f"mount -t tmpfs none /proc && exec {shlex.join([*GDS, verb, *own, *more])}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", line],
        cwd=tmp_path,
        env=shop.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("gds: cannot run without /proc, which tells what processes there are: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "own").exists()
