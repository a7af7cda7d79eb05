"""pmfadm with real processes, on both rungs: every row of Sun's tables (semantics.md 4), and surprises 1 to 3."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from gds.api import client
from tests.system.running import RUNGS, Running, alive, eventually, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

REPO = Path(__file__).resolve().parents[2]
NOBODY = 65534
DAEMON = 1
DEAF = "trap '' TERM; touch deaf; while :; do sleep 0.05; done"


class Pmf:
    """pmfadm for a runtime directory of the test's own; commands run in `work`, where their processes are found."""

    def __init__(self, base: Path, rung: str) -> None:
        self.base = base
        self.runtime = base / "run"
        self.work = base / "work"
        self.work.mkdir(exist_ok=True)
        self.rung = rung
        self.prefix: tuple[str, ...] = ()
        self.python = sys.executable
        self.env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "GDS_RUNTIME_DIR": str(self.runtime),
            "GDS_TRACKING": rung,
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
        }

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """pmfadm to its end."""
        return subprocess.run(
            [*self.prefix, self.python, "-m", "gds.cli.pmfadm", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=cwd or self.work,
            env={**self.env, **(env or {})},
        )

    def code(self, *words: str) -> int:
        """Its exit status."""
        return self.run(*words).returncode

    def make(self, *words: str, env: Mapping[str, str] | None = None) -> None:
        """pmfadm -c, which must work."""
        made = self.run("-c", *words, env=env)
        assert (made.returncode, made.stdout, made.stderr) == (0, "", "")

    def said(self, nametag: str) -> dict[str, str]:
        """What -l says, by its words."""
        told = self.run("-l", nametag)
        assert told.returncode == 0, told.stderr
        lines = [line.strip().partition(":") for line in told.stdout.splitlines()[1:]]
        return {key: value.strip() for key, _, value in lines}

    def pids(self, nametag: str) -> list[int]:
        """The processes -l names."""
        return [int(word) for word in self.said(nametag)["pids"].split() if word.isdigit()]

    def exists(self, nametag: str) -> bool:
        """-q."""
        code = self.code("-q", nametag)
        assert code in (0, 1)
        return code == 0

    def gone(self, nametag: str) -> None:
        """Wait until it is."""
        eventually(lambda: not self.exists(nametag), f"{nametag} is gone")

    def lines(self, name: str) -> list[str]:
        """A file that commands write."""
        path = self.work / name
        return path.read_text().splitlines() if path.exists() else []

    def wrote(self, name: str, count: int = 1) -> list[str]:
        """The file, once it has so many lines."""
        return eventually(lambda: lines if len(lines := self.lines(name)) >= count else [], f"{count} lines in {name}")

    def runner(self) -> int:
        """The pid of the runner that has the directory; 0: none."""
        holder = self.runtime / "lock"
        if not (self.runtime / "control.sock").exists() or not holder.exists():
            return 0
        pid = int(holder.read_text() or 0)
        return pid if alive(pid) else 0

    def runners(self) -> list[int]:
        """All that were started for the directory; a zygote and keepers are forks of one, and look alike."""
        found = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                if str(self.runtime).encode() in words:
                    found[int(entry)] = int(field(int(entry), "PPid"))
            except OSError:
                continue
        return [pid for pid, parent in found.items() if parent not in found]

    def processes(self) -> list[int]:
        """Whoever has his directory in `work`."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd").startswith(str(self.work)):
                    found.append(int(entry))
            except OSError:
                continue
        return [pid for pid in found if alive(pid)]

    def close(self) -> None:
        """End the runner in order; nothing of it or its tags may be left."""
        pid = self.runner()
        if pid:
            os.kill(pid, signal.SIGTERM)
            try:
                eventually(lambda: not alive(pid), "the runner ends")
            finally:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
        left = self.processes()
        for each in left:
            os.kill(each, signal.SIGKILL)
        assert not left, f"processes are left: {left}"
        eventually(lambda: not self._writers(), "what folds the history of a runner has ended too")

    def _writers(self) -> list[str]:
        """Processes that were told a directory of ours: a runner's, or one that it started aside."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                if str(self.runtime.parent).encode() in Path(f"/proc/{entry}/cmdline").read_bytes():
                    found.append(entry)
            except OSError:
                continue
        return [entry for entry in found if alive(int(entry))]


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory with a short name, open to all: a socket's path has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="pmf"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(params=RUNGS)
def pmf(request: pytest.FixtureRequest, base: Path) -> Iterator[Pmf]:
    made = Pmf(base, request.param)
    yield made
    made.close()


@pytest.fixture
def keeper(base: Path) -> Iterator[Pmf]:
    """One rung: for what has nothing to do with tracking."""
    made = Pmf(base, "keeper")
    yield made
    made.close()


def field(pid: int, name: str) -> str:
    """One line of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(name + ":"))


# ---- without a runner, and the one in the background ----------------------------------------------------------------


@pytest.mark.parametrize("option", ["-q", "-k", "-s", "-l", "-m"])
def test_without_a_runner_there_are_no_tags_so_it_ends_with_1_and_starts_nothing(keeper: Pmf, option: str) -> None:
    ended = keeper.run(option, "web")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == ("" if option == "-q" else "pmfadm: cannot find web: there is no such nametag\n")
    assert not keeper.runtime.exists()


def test_without_a_runner_the_list_is_empty(keeper: Pmf) -> None:
    ended = keeper.run("-L")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_socket_that_a_killed_runner_left_counts_as_no_runner(keeper: Pmf) -> None:
    keeper.make("t", "sleep", "1000")
    os.kill(keeper.runner(), signal.SIGKILL)
    eventually(lambda: not keeper.runner(), "the runner is dead")
    assert [keeper.code(option, "t") for option in ("-q", "-k", "-s", "-l", "-m")] == [1] * 5
    assert keeper.run("-L").stdout == ""
    keeper.make("other", "true")  # the next runner ends what is left


def test_c_starts_a_runner_in_the_background_which_ends_with_its_last_tag(pmf: Pmf) -> None:
    pmf.make("one", "sleep", "1000")
    runner = pmf.runner()
    assert runner
    assert os.getsid(runner) == runner
    assert os.readlink(f"/proc/{runner}/cwd") == "/"
    assert os.readlink(f"/proc/{runner}/fd/0") == os.readlink(f"/proc/{runner}/fd/1") == "/dev/null"
    pmf.make("two", "sleep", "1000")
    assert pmf.runner() == runner
    assert pmf.code("-s", "one", "-w", "10", "TERM") == 0
    assert not pmf.exists("one")
    assert pmf.exists("two")
    assert pmf.runner() == runner
    assert pmf.code("-s", "two", "KILL") == 0
    eventually(lambda: not alive(runner), "the runner ends with its last tag")
    assert not (pmf.runtime / "control.sock").exists()


def test_the_next_c_starts_the_next_runner(keeper: Pmf) -> None:
    for _ in range(3):
        keeper.make("t", "sleep", "1000")
        assert keeper.code("-s", "t", "KILL") == 0
        eventually(lambda: not keeper.exists("t"), "it is gone, at once or with its runner")


def test_many_c_at_once_end_up_with_one_runner(pmf: Pmf) -> None:
    codes: dict[str, int] = {}

    def make(name: str) -> None:
        codes[name] = pmf.code("-c", name, "sleep", "1000")

    names = [f"t{n}" for n in range(6)]
    threads = [threading.Thread(target=make, args=(name,)) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert codes == dict.fromkeys(names, 0)
    assert pmf.run("-L").stdout.split() == names
    eventually(lambda: pmf.runners() == [pmf.runner()], "those that came second have ended")


def test_many_c_of_one_tag_at_once_make_one(pmf: Pmf) -> None:
    codes: list[int] = []

    def make() -> None:
        codes.append(pmf.code("-c", "t", "sh", "-c", "echo x >>starts; exec sleep 1000"))

    threads = [threading.Thread(target=make) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(codes) == [0, 1, 1, 1, 1]
    assert pmf.wrote("starts") == ["x"]
    assert len(pmf.pids("t")) == 1


def test_a_directory_of_somebody_else_gets_no_runner(keeper: Pmf) -> None:
    keeper.runtime.mkdir()
    os.chown(keeper.runtime, NOBODY, NOBODY)
    if os.geteuid() == 0:
        ended = keeper.run("-c", "t", "true")
        assert ended.returncode == 3
        assert ended.stderr == f"pmfadm: cannot trust a runner in {keeper.runtime}: it belongs to uid {NOBODY}\n"


def test_a_runner_with_applications_has_tags_too_and_does_not_end_with_the_last(pmf: Pmf) -> None:
    descriptor = write(pmf.base / "app.toml", 'start_command = ["sleep", "2000"]\n')
    with Running(pmf.base, descriptor, rung=pmf.rung) as running:
        pmf.make("t", "sleep", "1000")
        assert running.process is not None
        assert pmf.runner() == running.process.pid
        (pid,) = pmf.pids("t")
        assert pmf.code("-s", "t", "-w", "10", "KILL") == 0
        assert not pmf.exists("t")
        assert not alive(pid)
        running.until("app", state="ONLINE")
        pmf.make("u", "sleep", "1000")
        (other,) = pmf.pids("u")
        assert running.end() == 0
        assert not alive(other)


# ---- -c -------------------------------------------------------------------------------------------------------------


def test_c_on_a_tag_that_exists_ends_with_1_and_has_no_side_effect(pmf: Pmf) -> None:
    pmf.make("t", "-n", "3", "sleep", "1000")
    before = pmf.run("-l", "t").stdout
    again = pmf.run("-c", "t", "-n", "9", "touch", "made")
    assert (again.returncode, again.stderr) == (1, "pmfadm: cannot use nametag t: it exists\n")
    assert pmf.run("-l", "t").stdout == before
    assert not (pmf.work / "made").exists()


def test_everything_after_the_options_is_the_command(pmf: Pmf) -> None:
    pmf.make("t", "-n", "0", "sh", "-c", 'printf "%s\\n" "$@" >args', "sh", "-n", "-q", "a b", "")
    assert pmf.wrote("args", 4) == ["-n", "-q", "a b", ""]


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (("/no/such/program",), "cannot execute /no/such/program: No such file or directory"),
        (("no-such-program",), "cannot execute no-such-program: No such file or directory"),
        (("/",), "cannot execute /: it is a directory"),
    ],
)
def test_a_command_that_cannot_be_executed_makes_no_tag(pmf: Pmf, command: tuple[str, ...], complaint: str) -> None:
    ended = pmf.run("-c", "t", "-n", "-1", *command)
    assert (ended.returncode, ended.stderr) == (3, f"pmfadm: {complaint}\n")
    assert not pmf.exists("t")
    eventually(lambda: not pmf.runner(), "a runner without any tag ends")


def test_the_command_is_found_along_the_path_of_the_caller_and_runs_in_his_directory(pmf: Pmf) -> None:
    place = pmf.work / "bin"
    place.mkdir()
    tool = write(place / "tool", '#!/bin/sh\npwd >>where\necho "$PATH" >path\n')
    tool.chmod(0o755)
    path = f"{place}:/usr/bin:/bin"
    pmf.make("t", "-n", "1", "tool", env={"PATH": path})
    assert pmf.wrote("where", 2) == [str(pmf.work)] * 2, "again at each start"
    assert pmf.lines("path") == [path]


def test_no_variable_but_path_is_kept_without_e(pmf: Pmf) -> None:
    pmf.make("t", "sh", "-c", "env >seen; echo >done", env={"SECRET": "1"})
    pmf.wrote("done")
    seen = dict(line.split("=", 1) for line in pmf.lines("seen"))
    assert seen["PATH"] == pmf.env["PATH"]
    assert not {"SECRET", "GDS_RUNTIME_DIR", "GDS_TRACKING", "NOTIFY_SOCKET"} & {*seen}


def test_e_adds_variables_and_nothing_else(pmf: Pmf) -> None:
    words = ("-e", "A=1", "-e", "B=x y=z", "-e", "EMPTY=")
    pmf.make("t", *words, "sh", "-c", "env >seen; echo >done", env={"SECRET": "1"})
    pmf.wrote("done")
    seen = dict(line.split("=", 1) for line in pmf.lines("seen"))
    assert (seen["A"], seen["B"], seen["EMPTY"]) == ("1", "x y=z", "")
    assert "SECRET" not in seen


def test_capital_e_gives_the_whole_environment_at_every_start(pmf: Pmf) -> None:
    command = ("sh", "-c", "echo $MINE $ALSO >>seen")
    pmf.make("t", "-E", "-n", "1", *command, env={"MINE": "1", "ALSO": "é\udcff"})
    raw = eventually(
        lambda: data if len((data := (pmf.work / "seen").read_bytes()).splitlines()) >= 2 else b"",
        "it was started twice",
    )
    assert raw.splitlines() == ["1 é\udcff".encode("utf-8", "surrogateescape")] * 2


def test_stdin_stdout_and_stderr_are_dev_null(pmf: Pmf) -> None:
    pmf.make("t", "sleep", "1000")
    (pid,) = pmf.pids("t")
    eventually(lambda: open_files(pid) == dict.fromkeys("012", "/dev/null"), "nothing but that, once it is loaded")


def open_files(pid: int) -> dict[str, str]:
    """Descriptor -> what it leads to; of one that is closed meanwhile, ""."""
    found = dict.fromkeys(os.listdir(f"/proc/{pid}/fd"), "")
    for entry in found:
        with contextlib.suppress(FileNotFoundError):
            found[entry] = os.readlink(f"/proc/{pid}/fd/{entry}")
    return found


# ---- -n and -t ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_surprise_1_exit_0_is_a_failure_and_n_n_starts_it_1_plus_n_times(pmf: Pmf, retries: int) -> None:
    pmf.make("t", "-n", str(retries), "sh", "-c", "echo start >>starts; exit 0")
    pmf.gone("t")
    assert pmf.lines("starts") == ["start"] * (1 + retries)


def test_n_is_0_by_default(keeper: Pmf) -> None:
    keeper.make("t", "sh", "-c", "echo start >>starts")
    keeper.gone("t")
    assert keeper.lines("starts") == ["start"]


def test_n_minus_1_has_no_limit(pmf: Pmf) -> None:
    pmf.make("t", "-n", "-1", "sh", "-c", "echo start >>starts; sleep 0.02")
    pmf.wrote("starts", 12)
    assert pmf.exists("t")
    assert pmf.said("t")["retries"].startswith("no limit")
    assert pmf.code("-s", "t") == 0
    pmf.gone("t")


def test_surprise_3_t_is_in_minutes_and_failures_older_than_it_do_not_count(keeper: Pmf) -> None:
    keeper.make("t", "-n", "1", "-t", "0.02", "sh", "-c", "echo start >>starts; exec sleep 1.4")
    assert keeper.said("t")["period"] == "0.02 min"
    keeper.wrote("starts", 4)  # 1.2 s: each failure is forgotten when the next one comes
    assert keeper.exists("t")


def test_without_t_failures_never_expire(keeper: Pmf) -> None:
    keeper.make("t", "-n", "1", "sh", "-c", "echo start >>starts; exec sleep 0.4")
    assert keeper.said("t")["period"] == "for ever"
    keeper.gone("t")
    assert keeper.lines("starts") == ["start"] * 2


def test_a_restart_that_cannot_be_executed_counts_as_a_failure(pmf: Pmf) -> None:
    script = write(pmf.work / "once", "#!/bin/sh\necho start >>starts\nrm once\n")
    script.chmod(0o755)
    pmf.make("t", "-n", "2", "./once")
    pmf.gone("t")
    assert pmf.lines("starts") == ["start"]


# ---- the tree: rule 3, and -C ---------------------------------------------------------------------------------------


def test_rule_3_only_the_end_of_the_last_descendant_is_a_failure(pmf: Pmf) -> None:
    # daemonises twice, in new sessions, its parents gone
    daemon = "setsid sh -c 'setsid sleep 1000 & exit' & exit 0"
    pmf.make("t", "-n", "1", "sh", "-c", f"echo start >>starts; {daemon}")
    (pid,) = eventually(lambda: pids if len(pids := pmf.pids("t")) == 1 else [], "the daemon alone is left")
    assert pmf.said("t")["retries"].startswith("0 of 1 used")
    assert pmf.lines("starts") == ["start"]
    os.kill(pid, signal.SIGKILL)
    pmf.wrote("starts", 2)
    eventually(lambda: pid not in pmf.pids("t") and pmf.pids("t"), "it runs again")


def test_capital_c_0_waits_for_the_command_alone_and_leaves_its_children_in_peace(pmf: Pmf) -> None:
    pmf.make("t", "-n", "1", "-C", "0", "sh", "-c", "echo start >>starts; sleep 1000 & exec sleep 2000")
    main, child = eventually(lambda: pids if len(pids := pmf.pids("t")) == 2 else [], "both run")
    assert pmf.said("t")["child level"] == "0"
    os.kill(main, signal.SIGTERM)
    pmf.wrote("starts", 2)
    assert alive(child)
    pids = eventually(lambda: pids if len(pids := pmf.pids("t")) == 3 else [], "the new ones and the old child")
    assert child in pids
    # signals of the tag reach what is not waited for as well
    assert pmf.code("-s", "t", "-w", "10", "KILL") == 0
    eventually(lambda: not pmf.processes(), "nothing is left")


def test_capital_c_0_a_runner_in_the_background_stays_for_what_its_last_tag_left(pmf: Pmf) -> None:
    pmf.make("t", "-C", "0", "sh", "-c", "sleep 1000 & echo $! >child; exec sleep 2000")
    child = int(pmf.wrote("child")[0])
    main = next(pid for pid in pmf.pids("t") if pid != child)
    os.kill(main, signal.SIGTERM)
    pmf.gone("t")
    runner = pmf.runner()
    assert runner
    assert alive(child)
    os.kill(child, signal.SIGKILL)
    eventually(lambda: not alive(runner), "then it ends")


def test_capital_c_1_waits_for_the_children_too_but_not_for_theirs(pmf: Pmf) -> None:
    # level 0 ends, level 1 goes on, level 2 is below it
    deep = "sleep 3000 & echo $! >two; exec sleep 2000"
    first = f"echo start >>starts; sh -c '{deep}' & echo $! >one; until [ -e go ]; do sleep 0.05; done"
    pmf.make("t", "-n", "1", "-C", "1", "sh", "-c", first)
    one, two = int(pmf.wrote("one")[0]), int(pmf.wrote("two")[0])
    main = pmf.pids("t")[0]  # which observes them, while everybody's parent lives
    (pmf.work / "go").touch()
    eventually(lambda: not alive(main), "level 0 ends")
    assert pmf.said("t")["retries"].startswith("0 of 1 used")
    os.kill(one, signal.SIGKILL)
    pmf.wrote("starts", 2)
    assert alive(two)


def test_without_capital_c_all_levels_count(pmf: Pmf) -> None:
    pmf.make("t", "sh", "-c", "sh -c 'sleep 1000 & exec sleep 0.01' & exit 0")
    (pid,) = eventually(lambda: pids if len(pids := pmf.pids("t")) == 1 else [], "level 2 alone is left")
    assert pmf.said("t")["child level"] == "all"
    os.kill(pid, signal.SIGKILL)
    pmf.gone("t")


# ---- -a -------------------------------------------------------------------------------------------------------------


def action(pmf: Pmf, body: str) -> str:
    """An action program that notes its arguments."""
    script = write(pmf.work / "action", f'#!/bin/sh\necho "$# $*" >>acted\npwd >>acted\n{body}\n')
    script.chmod(0o755)
    return str(script)


def test_rule_7_the_action_gets_failed_and_the_nametag_when_the_retries_are_used_up(pmf: Pmf) -> None:
    pmf.make("my tag", "-n", "1", "-a", action(pmf, "exit 1"), "sh", "-c", "echo start >>starts")
    pmf.gone("my tag")
    assert pmf.lines("starts") == ["start"] * 2
    assert pmf.lines("acted") == ["2 failed my tag", str(pmf.work)]


def test_rule_7_the_action_may_be_several_words_found_along_the_callers_path(pmf: Pmf) -> None:
    action(pmf, "exit 1")
    path = f"{pmf.work}:{pmf.env['PATH']}"
    pmf.make("t", "-a", "action one 'two words'", "true", env={"PATH": path})
    pmf.gone("t")
    assert pmf.lines("acted") == ["4 one two words failed t", str(pmf.work)]


def test_rule_7_action_exit_0_starts_the_command_anew_with_all_its_retries(pmf: Pmf) -> None:
    command = 'echo start >>starts; [ "$(wc -l <starts)" -ge 4 ] && exec sleep 1000; exit 0'
    pmf.make("t", "-n", "1", "-a", action(pmf, "exit 0"), "sh", "-c", command)
    pmf.wrote("starts", 4)  # 2, the action, 2
    eventually(lambda: pmf.said("t")["state"].startswith("RUNNING"), "it runs")
    assert pmf.said("t")["retries"] == "1 of 1 used; failures in all: 3"
    assert pmf.lines("acted")[0::2] == ["2 failed t"]


@pytest.mark.parametrize("end", ["exit 1", "exit 255", "kill -KILL $$", "no-such-program"])
def test_rule_7_any_other_end_of_the_action_removes_the_tag(keeper: Pmf, end: str) -> None:
    keeper.make("t", "-a", action(keeper, end), "sh", "-c", "echo start >>starts")
    keeper.gone("t")
    assert keeper.lines("starts") == ["start"]


def test_rule_11_an_action_that_succeeds_again_within_a_minute_is_throttled(pmf: Pmf) -> None:
    pmf.make("t", "-a", action(pmf, "exit 0"), "sh", "-c", "echo start >>starts")
    eventually(lambda: pmf.said("t")["state"].startswith("WAITING"), "it waits")
    assert "restarts too often" in pmf.said("t")["state"]
    assert pmf.lines("starts") == ["start"] * 2
    assert pmf.exists("t")
    assert pmf.pids("t") == []
    assert pmf.code("-s", "t") == 0  # there is no process to wait for
    assert not pmf.exists("t")
    assert pmf.lines("starts") == ["start"] * 2


def test_rule_12_signals_reach_a_running_action_program(pmf: Pmf) -> None:
    pmf.make("t", "-a", action(pmf, "sleep 1000 & echo $! >child; wait"), "true")
    child = int(pmf.wrote("child")[0])
    assert pmf.exists("t")
    assert child in pmf.pids("t")
    assert pmf.code("-k", "t", "-w", "10") == 0
    pmf.gone("t")
    assert not alive(child)


def test_s_during_the_action_nothing_is_started_though_it_exits_0(pmf: Pmf) -> None:
    pmf.make("t", "-a", action(pmf, "until [ -e go ]; do sleep 0.02; done; exit 0"), "sh", "-c", "echo start >>starts")
    pmf.wrote("acted", 2)
    assert pmf.code("-s", "t") == 0
    assert pmf.exists("t"), "it lives until the last process has ended"
    (pmf.work / "go").touch()
    pmf.gone("t")
    assert pmf.lines("starts") == ["start"]


# ---- -k and -s ------------------------------------------------------------------------------------------------------


def test_surprise_2_k_sends_kill_and_what_it_killed_is_restarted_while_retries_are_left(pmf: Pmf) -> None:
    pmf.make("t", "-n", "1", "sh", "-c", f"echo start >>starts; {DEAF}")
    pmf.wrote("starts")
    first = pmf.pids("t")
    assert pmf.code("-k", "t", "-w", "10") == 0
    pmf.wrote("starts", 2)
    assert not [pid for pid in first if alive(pid)]
    assert pmf.exists("t")
    assert pmf.code("-k", "t", "-w", "10") == 0
    pmf.gone("t")
    assert pmf.lines("starts") == ["start"] * 2


@pytest.mark.parametrize("name", ["USR1", "SIGUSR1", "usr1", "sigusr1", "10"])
def test_k_sends_the_signal_to_every_process_by_name_as_kill_knows_it_or_number(keeper: Pmf, name: str) -> None:
    catch = "trap 'echo caught >>caught' USR1; echo ready >>ready; while :; do sleep 0.02; done"
    keeper.make("t", "sh", "-c", f'sh -c "{catch}" & setsid sh -c "{catch}" & {catch}')
    keeper.wrote("ready", 3)
    assert keeper.code("-k", "t", name) == 0
    keeper.wrote("caught", 3)
    assert keeper.exists("t")


@pytest.mark.parametrize("name", ["RTMIN", "SIGRTMIN+3", "rtmax-2", "CHLD", "IO", "64", "STOP"])
def test_k_knows_the_other_names_of_kill(keeper: Pmf, name: str) -> None:
    keeper.make("t", "-n", "5", "sleep", "1000")
    assert keeper.code("-k", "t", name) == 0


@pytest.mark.parametrize("name", ["NONE", "0", "65", "SIG", "RTMIN+99", "RTMAX-99", "RTMIN-1", "TERM,HUP", "é"])
def test_k_refuses_what_is_no_signal(keeper: Pmf, name: str) -> None:
    keeper.make("t", "sleep", "1000")
    ended = keeper.run("-k", "t", name)
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"pmfadm: cannot use signal {name}: expected a name such as TERM")


def test_k_on_a_stopped_tree_is_heard(pmf: Pmf) -> None:
    pmf.make("t", "sleep", "1000")
    (pid,) = pmf.pids("t")
    assert pmf.code("-k", "t", "STOP") == 0
    eventually(lambda: field(pid, "State").startswith("T"), "it is stopped")
    assert pmf.code("-k", "t", "-w", "10", "TERM") == 0
    pmf.gone("t")


def test_surprise_2_s_sends_no_signal_and_the_tag_lives_on_until_the_last_process_has_exited(pmf: Pmf) -> None:
    pmf.make("t", "-n", "5", "sh", "-c", "echo start >>starts; until [ -e go ]; do sleep 0.02; done")
    pmf.wrote("starts")
    before = pmf.pids("t")[0]
    assert pmf.code("-s", "t") == 0
    assert pmf.exists("t")
    assert alive(before)
    assert pmf.said("t")["state"].startswith("LEAVING")
    assert pmf.code("-c", "t", "true") == 1, "it exists"
    (pmf.work / "go").touch()
    pmf.gone("t")
    assert pmf.lines("starts") == ["start"], "no more restarts"


def test_s_with_a_signal_sends_it_to_every_process(pmf: Pmf) -> None:
    pmf.make("t", "-n", "5", "sh", "-c", "sleep 1000 & setsid sleep 1001 & sleep 1002")
    pids = eventually(lambda: pids if len(pids := pmf.pids("t")) == 4 else [], "all run")
    assert pmf.code("-s", "t", "-w", "10", "HUP") == 0
    assert not [pid for pid in pids if alive(pid)]
    pmf.gone("t")


def test_k_after_s_still_works(pmf: Pmf) -> None:
    pmf.make("t", "-n", "5", "sleep", "1000")
    assert pmf.code("-s", "t") == 0
    assert pmf.code("-k", "t", "-w", "10") == 0
    pmf.gone("t")


# ---- -w -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-k", "-s"])
def test_w_when_the_time_runs_out_it_ends_with_2_and_names_what_is_left(pmf: Pmf, option: str) -> None:
    pmf.make("t", "-n", "1", "sh", "-c", DEAF)
    eventually((pmf.work / "deaf").exists, "it is deaf")
    ended = pmf.run(option, "t", "-w", "0.2", "TERM")
    assert ended.returncode == 2
    assert ended.stderr.startswith("pmfadm: cannot wait longer for t: after 0.2 s ")
    assert pmf.exists("t")
    assert pmf.code("-s", "t", "KILL") == 0


def test_w_0_is_the_default_and_does_not_wait(keeper: Pmf) -> None:
    keeper.make("t", "sh", "-c", DEAF)
    eventually((keeper.work / "deaf").exists, "it is deaf")
    assert keeper.code("-s", "t", "TERM") == 0
    assert keeper.code("-s", "t", "-w", "0", "TERM") == 0
    assert keeper.exists("t")
    assert keeper.code("-k", "t") == 0


def test_w_minus_1_waits_for_ever(pmf: Pmf) -> None:
    pmf.make("t", "sh", "-c", "until [ -e go ]; do sleep 0.02; done")
    (pmf.work / "later").write_text("sleep 0.7; touch go")
    with subprocess.Popen(["sh", "later"], cwd=pmf.work):
        assert pmf.code("-s", "t", "-w", "-1") == 0
    assert (pmf.work / "go").exists()
    assert not pmf.exists("t")


def test_w_waits_for_the_processes_that_run_now_not_for_those_of_the_restart(pmf: Pmf) -> None:
    pmf.make("t", "-n", "-1", "sleep", "1000")
    (first,) = pmf.pids("t")
    assert pmf.code("-k", "t", "-w", "-1") == 0
    assert not alive(first)
    eventually(lambda: pmf.pids("t"), "it runs again")


def test_a_client_that_goes_away_while_it_waits_harms_nobody(keeper: Pmf) -> None:
    keeper.make("t", "sleep", "1000")
    waiting = subprocess.Popen(
        [sys.executable, "-m", "gds.cli.pmfadm", "-s", "t", "-w", "-1"], env=keeper.env, cwd=keeper.base
    )
    eventually(lambda: keeper.said("t")["state"].startswith("LEAVING"), "its request is there")
    waiting.kill()
    waiting.wait()
    assert keeper.code("-k", "t", "-w", "10") == 0
    keeper.gone("t")


# ---- -q, -l, -L, -m, -h ---------------------------------------------------------------------------------------------


def test_q_is_0_for_a_tag_that_exists_1_for_one_that_does_not_and_says_nothing(pmf: Pmf) -> None:
    pmf.make("t", "sleep", "1000")
    for nametag, expected in (("t", 0), ("T", 1), ("t2", 1), ("", 3)):
        ended = pmf.run("-q", nametag)
        assert (ended.returncode, ended.stdout) == (expected, "")


def test_l_prints_command_environment_retries_owner_child_level_and_pids(pmf: Pmf) -> None:
    words = ("-n", "4", "-t", "5", "-C", "7", "-e", "A=b c", "-a", "echo it")
    pmf.make("web:1/a%b,é", *words, "sh", "-c", "sleep 1000 & wait")
    eventually(lambda: len(pmf.pids("web:1/a%b,é")) == 2, "both run")
    told = pmf.run("-l", "web:1/a%b,é").stdout
    pids = " ".join(map(str, pmf.pids("web:1/a%b,é")))
    uid = os.geteuid()
    for line in (
        "web:1/a%b,é\n    state: RUNNING: asked for by uid",
        "    command: sh -c 'sleep 1000 & wait'\n",
        "    action: echo it\n",
        f"    directory: {pmf.work}\n",
        "        A=b c\n",
        f"        PATH={pmf.env['PATH']}\n",
        "    retries: 0 of 4 used; failures in all: 0\n",
        "    period: 5 min\n",
        f"    owner: root ({uid})\n",
        "    child level: 7\n",
        f"    pids: {pids}\n",
    ):
        assert line in told
    assert pmf.code("-s", "web:1/a%b,é", "KILL") == 0
    pmf.gone("web:1/a%b,é")


def test_capital_l_lists_the_tags_in_order(pmf: Pmf) -> None:
    for name in ("b", "c", "a"):
        pmf.make(name, "sleep", "1000")
    assert pmf.run("-L").stdout == "a\nb\nc\n"


def test_m_changes_retries_and_period_and_clears_the_history(pmf: Pmf) -> None:
    pmf.make("t", "-n", "1", "sh", "-c", "echo start >>starts; exec sleep 1000")
    pmf.wrote("starts")
    assert pmf.code("-k", "t", "-w", "10") == 0
    pmf.wrote("starts", 2)
    assert pmf.said("t")["retries"].startswith("1 of 1 used")
    assert pmf.code("-m", "t", "-n", "2", "-t", "10") == 0
    assert pmf.said("t")["retries"].startswith("0 of 2 used")
    assert pmf.said("t")["period"] == "10 min"
    for count in (3, 4):
        assert pmf.code("-k", "t", "-w", "10") == 0
        pmf.wrote("starts", count)
    assert pmf.code("-m", "t", "-t", "-1") == 0
    assert pmf.said("t")["period"] == "for ever"
    assert pmf.said("t")["retries"].startswith("0 of 2 used"), "-n stays, the failures are forgotten"
    assert pmf.code("-m", "t", "-n", "0") == 0
    assert pmf.code("-k", "t", "-w", "10") == 0
    pmf.gone("t")


@pytest.mark.parametrize("option", ["-k", "-s", "-l", "-m"])
def test_a_tag_that_does_not_exist_ends_with_1(keeper: Pmf, option: str) -> None:
    keeper.make("t", "sleep", "1000")
    ended = keeper.run(option, "other")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "pmfadm: cannot find other: there is no such nametag\n"


@pytest.mark.parametrize("words", [("-q", "t"), ("-l", "t"), ("-L",)], ids=lambda words: words[0])
def test_h_serves_this_host_and_says_that_others_are_not_supported_yet(keeper: Pmf, words: tuple[str, ...]) -> None:
    keeper.make("t", "sleep", "1000")
    plain = keeper.run(*words)
    for host in ("localhost", "127.0.0.1", os.uname().nodename):
        asked = keeper.run(*words, "-h", host)
        assert (asked.returncode, asked.stdout) == (0, plain.stdout)
    other = keeper.run(*words, "-h", "elsewhere.example")
    assert other.returncode == 3
    assert "hosts other than this one are not supported yet" in other.stderr


# ---- usage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "cannot guess what to do: give one of -c, -k, -L, -l, -m, -q and -s"),
        (("-x",), "cannot use -x: there is no such option"),
        (("--nonsense",), "cannot use --nonsense: there is no such option"),
        (("-q",), "cannot use -q without a value"),
        (("-c", "t"), "cannot start nothing: a command is missing"),
        (("-c", "t", "-n"), "cannot use -n without a value"),
        (("-q", "t", "-k", "t"), "cannot do -q and -k at once"),
        (("-q", "t", "-n", "1"), "cannot use -n with -q"),
        (("-k", "t", "-h", "localhost"), "cannot use -h with -k"),
        (("-c", "t", "-w", "1", "true"), "cannot use -w with -c"),
        (("-k", "t", "TERM", "HUP"), "cannot use HUP: -k takes no such operand"),
        (("-q", "t", "u"), "cannot use u: -q takes no such operand"),
        (("-c", "t", "-e", "A=1", "-E", "true"), "cannot use -e together with -E"),
        (("-c", "t", "-e", "A", "true"), "cannot use -e A: expected VAR=value"),
        (("-c", "t", "-e", "=1", "true"), "cannot use -e =1: expected VAR=value"),
        (("-c", "t", "-n", "101", "true"), "cannot use -n 101: expected a whole number from -1 to 100"),
        (("-c", "t", "-n", "-2", "true"), "cannot use -n -2: expected a whole number from -1 to 100"),
        (("-c", "t", "-n", "1.5", "true"), "cannot use -n 1.5: expected a whole number from -1 to 100"),
        (("-c", "t", "-t", "0", "true"), "cannot use -t 0: expected minutes above 0, or -1"),
        (("-c", "t", "-t", "5m", "true"), "cannot use -t 5m: expected minutes above 0, or -1"),
        (("-c", "t", "-C", "-1", "true"), "cannot use -C -1: expected a whole number from 0"),
        (("-k", "t", "-w", "soon"), "cannot use -w soon: expected seconds from 0, or -1"),
        (("-k", "t", "-w", "-2"), "cannot use -w -2: expected seconds from 0, or -1"),
        (("-c", "a\nb", "true"), "cannot use that nametag: it must be printable text"),
        (("-c", "", "true"), "cannot use that nametag: it must be printable text"),
        (("-c", "x" * 300, "true"), "cannot use that nametag: it is longer than 240 bytes"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else "",
)
def test_a_mistake_ends_with_3_and_says_what_it_is(keeper: Pmf, words: tuple[str, ...], complaint: str) -> None:
    ended = keeper.run(*words)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith(f"pmfadm: {complaint}\n")


def test_help_and_the_verb_of_gds(keeper: Pmf) -> None:
    told = keeper.run("--help")
    assert told.returncode == 0
    assert "pmfadm -c nametag [-a action]" in told.stdout
    keeper.make("t", "sleep", "1000")

    def gds(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gds", "pmf", *words]
        return subprocess.run(command, capture_output=True, text=True, env=keeper.env, check=False, timeout=60)

    assert gds("-L").stdout == "t\n"
    assert gds("-q", "u").returncode == 1


def test_socket_and_runtime_dir_name_the_runner(keeper: Pmf) -> None:
    elsewhere = {"GDS_RUNTIME_DIR": str(keeper.base / "other")}
    keeper.make("t", "sleep", "1000")
    assert keeper.run("-q", "t", env=elsewhere).returncode == 1
    assert keeper.run("--runtime-dir", str(keeper.runtime), "-q", "t", env=elsewhere).returncode == 0
    assert keeper.run(f"--socket={keeper.runtime}/control.sock", "-q", "t", env=elsewhere).returncode == 0
    assert keeper.run("-q", "t", env={**elsewhere, "GDS_SOCKET": f"{keeper.runtime}/control.sock"}).returncode == 0


def test_a_nametag_that_two_runners_have_is_refused_naming_both(keeper: Pmf) -> None:
    below = Pmf(keeper.base, "keeper")
    below.runtime = keeper.runtime / "unit"
    below.env["GDS_RUNTIME_DIR"] = str(below.runtime)
    below.make("t", "sleep", "1000")
    try:
        assert keeper.exists("t"), "every runner under the directory is asked"
        again = keeper.run("-c", "t", "true")
        assert (again.returncode, again.stderr) == (
            1,
            f"pmfadm: cannot use nametag t: it exists at {below.runtime}/control.sock\n",
        )
        keeper.make("other", "sleep", "1000")
        assert keeper.run(f"--socket={keeper.runtime}/control.sock", "-c", "t", "sleep", "1000").returncode == 0
        ended = keeper.run("-s", "t", "KILL")
        assert ended.returncode == 3
        assert f"t stands in {keeper.runtime}/control.sock and in {below.runtime}/control.sock" in ended.stderr
        assert keeper.exists("t")
    finally:
        os.kill(below.runner(), signal.SIGTERM)
        eventually(lambda: not below.runner(), "the other runner ends")


# ---- the end of the runner ------------------------------------------------------------------------------------------


def test_rule_13_tags_end_with_the_runner_term_first_then_kill(pmf: Pmf) -> None:
    pmf.make("polite", "-n", "9", "sh", "-c", "trap 'echo heard >heard; exit' TERM; while :; do sleep 0.02; done")
    pmf.make("deaf", "-n", "9", "sh", "-c", f"setsid sh -c '{DEAF.replace(chr(39), chr(34))}' & {DEAF}")
    pmf.make("acting", "-a", action(pmf, "sleep 1000"), "true")
    pmf.make("waiting", "-a", "true", "true")
    pmf.make("left", "-n", "1", "-C", "0", "sh", "-c", "[ -e once ] && exec sleep 1000; touch once; sleep 1000 &")
    pmf.wrote("acted", 2)
    eventually(lambda: pmf.said("waiting")["state"].startswith("WAITING"), "it waits")
    eventually(lambda: len(pmf.pids("left")) == 2, "one is left behind")
    eventually((pmf.work / "deaf").exists, "it is deaf")
    runner = pmf.runner()
    os.kill(runner, signal.SIGTERM)
    eventually(lambda: not alive(runner), "the runner ends")
    assert pmf.lines("heard") == ["heard"]
    assert pmf.processes() == []
    assert not pmf.exists("polite")


def test_a_second_term_kills_at_once(pmf: Pmf) -> None:
    descriptor = write(pmf.base / "app.toml", 'start_command = ["sleep", "2000"]\n')
    with Running(pmf.base, descriptor, rung=pmf.rung) as running:
        pmf.make("deaf", "-n", "9", "sh", "-c", DEAF)
        eventually((pmf.work / "deaf").exists, "it is deaf")
        assert running.process is not None
        running.process.send_signal(signal.SIGTERM)
        refused = "pmfadm: cannot start anything: the runner is stopping everything\n"
        eventually(lambda: pmf.run("-c", "new", "true").stderr == refused, "it is stopping")
        assert running.end() == 1
    assert pmf.processes() == []


def test_after_a_crash_the_next_runner_ends_what_was_left_before_it_starts_the_same_again(pmf: Pmf) -> None:
    note = "echo $(ls running* 2>/dev/null | wc -l) >>others; touch running$$; trap 'rm running$$; exit' TERM"
    command = ("sh", "-c", f"{note}; while :; do sleep 0.02; done")
    pmf.make("t", "-n", "3", *command)
    pmf.make("deaf", "sh", "-c", f"{DEAF}")
    pmf.make("acting", "-a", action(pmf, "sleep 1000"), "true")
    pmf.wrote("others")
    pmf.wrote("acted", 2)
    eventually((pmf.work / "deaf").exists, "it is deaf")
    left = pmf.processes()
    os.kill(pmf.runner(), signal.SIGKILL)
    eventually(lambda: not pmf.runner(), "the runner is dead")
    assert not pmf.exists("t"), "the tag is lost"
    pmf.make("t", "-n", "3", *command)
    assert pmf.wrote("others", 2) == ["0", "0"], "never two copies"
    assert pmf.exists("t")
    eventually(lambda: not [pid for pid in left if alive(pid)], "the rest is ended, too")
    assert pmf.run("-L").stdout == "t\n"


def test_a_crash_does_not_leave_the_keepers_of_tags_that_have_ended(pmf: Pmf) -> None:
    pmf.make("t", "sleep", "1000")
    (pid,) = pmf.pids("t")
    os.kill(pmf.runner(), signal.SIGKILL)
    eventually(lambda: not pmf.runner(), "the runner is dead")
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), "its process has ended while nobody was there")
    pmf.make("t", "-n", "0", "sh", "-c", "echo start >>starts; exec sleep 1000")
    assert pmf.wrote("starts") == ["start"]


# ---- who may --------------------------------------------------------------------------------------------------------


class User(Pmf):
    """pmfadm as another user, with an interpreter and a copy of gds that every user may read."""

    def __init__(self, base: Path, rung: str, uid: int, gid: int, *groups: int) -> None:
        super().__init__(base, rung)
        more = ("--groups", ",".join(map(str, groups))) if groups else ("--clear-groups",)
        self.prefix = ("setpriv", "--reuid", str(uid), "--regid", str(gid), *more)
        code = base / "code"
        if not code.exists():
            shutil.copytree(REPO / "gds", code / "gds", ignore=shutil.ignore_patterns("__pycache__"))
            subprocess.run(["chmod", "-R", "a+rX", str(code)], check=True)
        self.env["PYTHONPATH"] = str(code)
        self.env["PYTHONDONTWRITEBYTECODE"] = "1"
        self.python = self._interpreter()

    def _interpreter(self) -> str:
        check = "import json, sys; sys.exit(sys.version_info < (3, 11))"
        for path in (os.path.realpath(sys.executable), "/usr/bin/python3"):
            # by way of a shell: setpriv itself executes with root's rights
            if not subprocess.run(
                [*self.prefix, "sh", "-c", 'exec "$@"', "sh", path, "-c", check], check=False
            ).returncode:
                return path
        raise AssertionError("no Python that every user may execute: install /usr/bin/python3")

    def own(self, path: Path, uid: int) -> Path:
        """A directory that belongs to this user."""
        path.mkdir(exist_ok=True)
        os.chown(path, uid, uid)
        return path


def test_an_unprivileged_user_has_a_runner_of_his_own_in_his_own_directory(base: Path) -> None:
    user = User(base, "keeper", NOBODY, NOBODY)
    user.own(user.runtime, NOBODY)
    user.own(user.work, NOBODY)
    try:
        user.make("t", "-n", "1", "sh", "-c", "echo $(id -u) $(id -g) $(id -G) >ids; exec sleep 1000")
        assert user.wrote("ids")[0] == f"{NOBODY} {NOBODY} {NOBODY}"
        assert field(user.runner(), "Uid").split()[0] == str(NOBODY)
        assert user.run("-L").stdout == "t\n"
        (pid,) = user.pids("t")
        assert user.code("-k", "t", "-w", "10") == 0
        assert not alive(pid)
        eventually(lambda: user.pids("t"), "it runs again")
        # root may open the socket, and may read and change; but nothing can be run as root there
        root = Pmf(base, "keeper")
        assert root.exists("t")
        assert root.code("-m", "t", "-n", "5") == 0
        refused = root.run("-c", "u", "true")
        assert refused.returncode == 3
        assert refused.stderr.startswith("pmfadm: cannot run a command as uid 0, gid 0 with groups ")
        assert root.code("-s", "t", "KILL") == 0
        user.gone("t")
    finally:
        user.close()


def test_an_unprivileged_user_without_a_directory_of_his_own_hears_why(base: Path) -> None:
    user = User(base, "keeper", NOBODY, NOBODY)
    ended = user.run("-c", "t", "true")
    assert ended.returncode == 3
    assert ended.stderr == f"pmfadm: cannot start a runner in {user.runtime}: Permission denied\n"


@pytest.mark.parametrize("rung", RUNGS)
def test_rule_2_a_command_runs_as_the_requester_and_only_he_and_root_may_change_or_signal_it(
    base: Path, rung: str
) -> None:
    root = Pmf(base, rung)
    root.work.chmod(0o777)
    user = User(base, rung, DAEMON, DAEMON, NOBODY, 7)
    other = User(base, rung, 2, NOBODY)
    stranger = User(base, rung, 3, 3)
    try:
        root.make("roots", "-e", "SECRET=hidden", "sleep", "1000", env={"GDS_SOCKET_GROUP": "nogroup"})
        user.make("users", "-e", "SECRET=hidden", "sh", "-c", "echo $(id -u) $(id -g) $(id -G) >ids; exec sleep 1000")
        assert user.wrote("ids")[0] == f"{DAEMON} {DAEMON} {DAEMON} 7 {NOBODY}"
        (pid,) = user.pids("users")
        assert field(pid, "Uid").split() == [str(DAEMON)] * 4
        assert field(pid, "Gid").split() == [str(DAEMON)] * 4
        assert field(pid, "CapEff").strip("0") == ""
        # everybody who can open the socket may read; the values of the environment are not for him
        for nametag in ("roots", "users"):
            assert other.exists(nametag)
            told = other.run("-l", nametag).stdout
            assert "        SECRET\n" in told
            assert "hidden" not in told
        assert "SECRET=hidden" in user.run("-l", "users").stdout
        assert "SECRET=hidden" in root.run("-l", "users").stdout
        assert [each.run("-L").stdout for each in (root, user, other)] == ["roots\nusers\n", "users\n", ""]
        # nobody else may change or signal
        for words in (("-k", "users"), ("-s", "users"), ("-m", "users", "-n", "5")):
            refused = other.run(*words)
            assert refused.returncode == 3
            assert refused.stderr.endswith(f"users: only its owner, uid {DAEMON}, and root may\n")
        assert user.run("-k", "roots").returncode == 3
        assert alive(pid)
        assert user.said("users")["retries"].startswith("0 of 0 used")
        assert user.run("-c", "roots", "true").returncode == 1, "nametags are for all"
        # who cannot open the socket can do nothing
        for asked in (("-q", "users"), ("-l", "users"), ("-L",), ("-c", "mine", "true")):
            denied = stranger.run(*asked)
            assert denied.returncode == 3
            assert denied.stderr.startswith("pmfadm: cannot open ")
        assert user.code("-m", "users", "-n", "5") == 0
        assert root.code("-k", "users", "-w", "10") == 0
        assert not alive(pid)
        eventually(lambda: user.pids("users"), "it runs again")
        assert user.code("-s", "users", "-w", "10", "KILL") == 0
        assert not user.exists("users")
    finally:
        root.close()


@pytest.mark.parametrize("rung", RUNGS)
def test_the_action_program_runs_as_the_requester_too(base: Path, rung: str) -> None:
    root = Pmf(base, rung)
    root.work.chmod(0o777)
    user = User(base, rung, DAEMON, DAEMON, NOBODY)
    try:
        root.make("hold", "sleep", "1000", env={"GDS_SOCKET_GROUP": "nogroup"})
        user.make("t", "-a", "echo $(id -u) $(id -g) >acted; false", "true")
        user.gone("t")
        assert user.wrote("acted")[0] == f"{DAEMON} {DAEMON}"
    finally:
        root.close()


# ---- bad requests ---------------------------------------------------------------------------------------------------

GOOD = {"verb": "pmf.create", "nametag": "bad", "command": ["true"], "cwd": "/"}


@pytest.mark.parametrize(
    "request_",
    [
        {**GOOD, "nametag": 7},
        {**GOOD, "nametag": None},
        {**GOOD, "nametag": "a\udcff"},
        {**GOOD, "command": []},
        {**GOOD, "command": "true"},
        {**GOOD, "command": [1]},
        {**GOOD, "command": ["a\0b"]},
        {**GOOD, "cwd": "relative"},
        {**GOOD, "cwd": "/a\0b"},
        {**GOOD, "cwd": 1},
        {**GOOD, "environ": []},
        {**GOOD, "environ": {"A": 1}},
        {**GOOD, "environ": {"A=B": "1"}},
        {**GOOD, "environ": {"": "1"}},
        {**GOOD, "extra": {"A": "\0"}},
        {**GOOD, "path": []},
        {**GOOD, "retries": 101},
        {**GOOD, "retries": True},
        {**GOOD, "retries": 1.5},
        {**GOOD, "period": "long"},
        {**GOOD, "period": 0},
        {**GOOD, "period": float("nan")},
        {**GOOD, "level": -2},
        {**GOOD, "level": "all"},
        {**GOOD, "action": {}},
        {"verb": "pmf.kill", "nametag": "t", "signal": 65},
        {"verb": "pmf.kill", "nametag": "t", "signal": "KILL"},
        {"verb": "pmf.kill", "nametag": "t", "wait": -2},
        {"verb": "pmf.kill", "nametag": "t", "wait": float("inf")},
        {"verb": "pmf.modify", "nametag": "t", "retries": "x"},
        {"verb": "pmf.query"},
        {"verb": "pmf.nonsense"},
        {"verb": "pmf."},
    ],
    ids=json.dumps,
)
def test_a_request_that_makes_no_sense_is_refused_and_harms_nobody(tag_t: Pmf, request_: dict[str, object]) -> None:
    answer = client.ask(f"{tag_t.runtime}/control.sock", request_, timeout=20)
    assert (answer["code"], answer["pmf"]) == (3, True)
    assert answer["message"].startswith("cannot ")
    assert tag_t.run("-L").stdout == "t\n"
    kept = [spool.read_text() for spool in tag_t.runtime.glob("history.*.spool")]
    assert kept
    assert "internal error" not in "".join(kept)


@pytest.fixture(scope="module")
def tag_t() -> Iterator[Pmf]:
    """A runner with one tag, for requests that change nothing."""
    base = Path(tempfile.mkdtemp(prefix="pmf"))
    made = Pmf(base, "keeper")
    made.make("t", "sleep", "1000")
    yield made
    made.close()
    shutil.rmtree(base)
