"""Rung B when somebody is killed or stopped: the runner, a keeper, the zygote, several of them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gds.linux import lineage, procfs, striking
from tests.contract.forests import STUBBORN, marked

pytestmark = pytest.mark.slow

ROOT = os.geteuid() == 0
NOBODY = 65534
DEADLINE = 30.0
TREE = Path(__file__).parents[2]


class Runner:
    """A little runner in a process of its own."""

    def __init__(self, folder: Path, *before: str, uid: int | None = None) -> None:
        words = [*before, sys.executable, "-m", "tests.system.little_runner", str(folder)]
        if uid is not None:
            words.append(str(uid))
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=TREE)
        self.facts: list[list[Any]] = []
        self._pending = b""
        self.pid = int(self.wait("ready")[1])

    def ask(self, verb: str, *words: object) -> Any:
        """Do that, and its result."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([verb, *words]).encode() + b"\n")
        self.process.stdin.flush()
        seen = len(self.facts)
        return self.wait("done", verb, since=seen)[2]

    def wait(self, *beginning: object, since: int = 0) -> list[Any]:
        """The first fact that begins so; it may have come already."""
        wanted = list(beginning)
        end = time.monotonic() + DEADLINE
        while True:
            for fact in self.facts[since:]:
                if fact[: len(wanted)] == wanted:
                    return fact
            assert time.monotonic() < end, f"{wanted} never came, only {self.facts}"
            self._read(0.1)

    def plant(self, name: str, what: str, *words: int, lasting: bool = True, incarnation: int = 1) -> str:
        """Start a stubborn program, and wait until it runs; its mark."""
        mark = f"mark-{uuid.uuid4().hex}"
        argv = [sys.executable, "-I", "-S", STUBBORN, what, *map(str, words), mark]
        seen = len(self.facts)
        self.ask("plant", name, incarnation, argv, lasting)
        self.wait("started", name, since=seen)
        # the kernel lets the parent go on a moment before it shows the new arguments
        until(lambda: marked(mark) or "main" in self.heard(name))
        if what == "deaf":  # three, and not one more that forks the third
            until(lambda: any(procfs.read(f"/proc/{pid}/comm") == b"ready\n" for pid in marked(mark)))
        return mark

    def heard(self, name: str) -> list[str]:
        """What was told of that tree, in order."""
        self._read(0.0)
        return [fact[0] for fact in self.facts if len(fact) > 1 and fact[0] != "done" and fact[1] == name]

    def kill(self) -> None:
        """SIGKILL to the runner alone."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)
        self.close()

    def end(self) -> None:
        """End in order."""
        self.ask("close")
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(DEADLINE) == 0
        self.close()

    def close(self) -> None:
        """Our ends of its pipes."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def _read(self, seconds: float) -> None:
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        while select.select([fd], [], [], seconds)[0]:
            data = os.read(fd, 65536)
            if not data:
                raise AssertionError(f"the runner has ended: {self.process.poll()}, {self.facts}")
            *lines, self._pending = (self._pending + data).split(b"\n")
            self.facts.extend(json.loads(line) for line in lines)
            seconds = 0.0


class Scene:
    """Runners over one folder; in the end nothing may be left of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runners: list[Runner] = []
        self.marks: list[str] = []

    def runner(self, *before: str, uid: int | None = None) -> Runner:
        """Start one more."""
        made = Runner(self.folder, *before, uid=uid)
        self.runners.append(made)
        return made

    def keepers(self) -> list[str]:
        """What is in the keepers' folder."""
        return sorted(os.listdir(self.folder / "keepers"))

    def helpers(self) -> list[int]:
        """Zygotes and keepers of ours: they have our folder among their arguments, as the runner has."""
        return [
            pid
            for pid in marked(str(self.folder))
            if pid not in {r.pid for r in self.runners if r.process.poll() is None}
        ]


def until(fact: Callable[[], object], complaint: Callable[[], object] = lambda: "") -> None:
    """Poll until it is so."""
    end = time.monotonic() + DEADLINE
    while not fact():
        assert time.monotonic() < end, complaint()
        time.sleep(0.01)


@pytest.fixture
def scene(open_path: Path) -> Iterator[Scene]:
    made = Scene(open_path / "run")
    yield made
    for runner in made.runners:
        if runner.process.poll() is None:
            runner.process.kill()
            runner.process.wait(DEADLINE)
        runner.close()
    left = made.helpers()
    for pid in left:
        striking.strike_below([pid])
    until(lambda: not made.helpers(), lambda: f"keepers or zygotes are left: {made.helpers()}")


# -- the runner is killed ---------------------------------------------------------------------------------------------


def test_a_killed_runners_application_goes_on_and_is_taken_back_with_its_status(scene: Scene) -> None:
    first = scene.runner()
    mark = first.plant("web", "rest", incarnation=7)
    main = marked(mark)
    first.kill()
    second = scene.runner()

    assert marked(mark) == main, "neither gone nor doubled"
    assert second.ask("survivors") == [["web", 7]]
    second.ask("adopt", "web", 7, main[0])
    assert second.wait("started", "web")[2] == main[0]
    assert second.ask("members", "web") == main
    os.kill(main[0], signal.SIGUSR1)

    assert second.wait("main", "web")[2] == signal.SIGUSR1
    assert second.wait("emptied", "web")[2:] == [signal.SIGUSR1, ""]
    until(lambda: scene.keepers() == [], scene.keepers)
    second.end()


def test_what_the_first_process_did_before_the_crash_is_handed_over(scene: Scene) -> None:
    first = scene.runner()
    mark = first.plant("web", "daemons", 2, 5)
    first.wait("main", "web")
    first.kill()
    second = scene.runner()

    second.ask("survivors")
    second.ask("adopt", "web", 1, 0)

    assert second.wait("main", "web")[2] == 5 << 8
    assert sorted(second.ask("members", "web")) == sorted(marked(mark))
    second.ask("kill", "web")
    assert second.wait("emptied", "web")[2:] == [signal.SIGKILL, ""]
    assert marked(mark) == []
    second.end()


def test_the_last_word_of_a_tree_that_ended_alone_is_kept(scene: Scene) -> None:
    first = scene.runner()
    mark = first.plant("web", "rest", incarnation=3)
    first.kill()
    os.kill(marked(mark)[0], signal.SIGTERM)
    until(lambda: not scene.helpers(), scene.helpers)
    second = scene.runner()

    assert second.ask("survivors") == []
    assert second.ask("gone", "web") == [3, signal.SIGTERM]
    assert second.ask("gone", "other") is None
    second.plant("web", "rest", incarnation=4)
    assert second.ask("gone", "web") is None
    second.ask("kill", "web")
    second.wait("emptied", "web")
    second.end()
    until(lambda: scene.keepers() == [], scene.keepers)


def test_long_folders_and_odd_names_are_found_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path / ("long-" * 40) / "run")
    scene.folder.mkdir(parents=True)
    name = "ä\n 1\n" + "x" * 240
    first = scene.runner()
    mark = first.plant(name, "rest", incarnation=12)
    first.kill()
    second = scene.runner()

    assert second.ask("survivors") == [[name, 12]]
    second.ask("adopt", name, 12, marked(mark)[0])
    second.ask("kill", name)
    assert second.wait("emptied", name)[2:] == [signal.SIGKILL, ""]
    second.end()


def test_a_tree_whose_record_cannot_be_written_ends_with_its_runner(scene: Scene) -> None:
    runner = scene.runner()
    (scene.folder / "keepers").rmdir()
    mark = runner.plant("web", "daemons", 1, 0)
    assert runner.ask("lasting", "web") is False

    runner.kill()

    until(lambda: not marked(mark))


def test_methods_and_probes_die_with_their_runner(scene: Scene) -> None:
    runner = scene.runner()
    deaf = runner.plant("web:Probe", "deaf", lasting=False)
    daemons = runner.plant("web:Start", "daemons", 2, 0, lasting=False)
    runner.wait("main", "web:Start")

    runner.kill()

    until(lambda: not marked(deaf) and not marked(daemons))
    until(lambda: not scene.helpers(), scene.helpers)
    assert scene.keepers() == []


def test_without_a_folder_applications_end_with_the_runner(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    runner = Runner(blocked / "run")
    mark = runner.plant("web", "daemons", 1, 0)
    assert runner.ask("lasting", "web") is False

    runner.kill()

    until(lambda: not marked(mark))


def test_a_second_runner_gets_nothing_while_the_first_one_lives(scene: Scene) -> None:
    first = scene.runner()
    mark = first.plant("web", "rest")
    second = scene.runner()

    second.ask("survivors")
    second.ask("adopt", "web", 1, marked(mark)[0])

    assert "another runner" in second.wait("error")[1]
    second.kill()
    assert first.ask("members", "web") == marked(mark)
    first.ask("kill", "web")
    assert first.wait("emptied", "web")[3] == ""
    first.end()


def test_a_keeper_that_slept_over_the_death_of_its_runner_starts_nothing(scene: Scene) -> None:
    runner = scene.runner()
    runner.ask("plant", "web", 1, ["true"], True)
    runner.wait("emptied", "web")
    zygote = runner.ask("zygote")
    keeper = next(iter(lineage.below([zygote])))
    os.kill(zygote, signal.SIGSTOP)  # it would continue its keeper
    os.kill(keeper, signal.SIGSTOP)
    until(lambda: [(procfs.stat(pid) or "?")[0] for pid in (zygote, keeper)] == ["T", "T"])
    mark = f"mark-{uuid.uuid4().hex}"
    argv = [sys.executable, "-I", "-S", STUBBORN, "rest", mark]
    runner.ask("plant", "web", 2, argv, True)
    runner.kill()
    for pid in (keeper, zygote):
        os.kill(pid, signal.SIGCONT)

    until(lambda: not scene.helpers(), scene.helpers)
    assert marked(mark) == []
    assert scene.keepers() == []


def test_an_application_is_started_anew_by_the_keeper_of_a_new_runner(scene: Scene) -> None:
    scene.runner().kill()
    second = scene.runner()
    for incarnation in (1, 2, 3):
        mark = second.plant("web", "rest", incarnation=incarnation)
        second.ask("kill", "web")
        seen = len(second.facts)
        second.wait("emptied", "web", since=max(0, seen - 3))
        assert marked(mark) == []
    second.end()


# -- a keeper is killed -----------------------------------------------------------------------------------------------


def test_a_killed_keepers_tree_is_killed_and_told_empty_with_the_reason(scene: Scene) -> None:
    runner = scene.runner()
    mark = runner.plant("web", "deaf")
    other = runner.plant("db", "rest")
    until(lambda: len(marked(mark)) == 3)

    os.kill(runner.ask("keeper", "web"), signal.SIGKILL)

    assert runner.wait("emptied", "web")[2:] == [None, "its keeper was killed"]
    assert marked(mark) == []
    assert runner.ask("members", "db") == marked(other)
    assert runner.heard("db") == ["started"]
    again = runner.plant("web", "rest", incarnation=2)
    assert len(marked(again)) == 1
    for name in ("web", "db"):
        runner.ask("kill", name)
    runner.wait("emptied", "db")
    runner.end()


def test_two_keepers_killed_at_once_lose_both_trees_and_no_process(scene: Scene) -> None:
    runner = scene.runner()
    marks = [runner.plant(name, "daemons", 2, 0) for name in ("web", "db")]
    for name in ("web", "db"):
        runner.wait("main", name)
    keepers = [runner.ask("keeper", name) for name in ("web", "db")]

    for keeper in keepers:
        os.kill(keeper, signal.SIGKILL)

    for name, mark in zip(("web", "db"), marks, strict=True):
        assert runner.wait("emptied", name)[2:] == [None, "its keeper was killed"]
        assert marked(mark) == []
    runner.end()


def test_zygote_and_keeper_killed_at_once_lose_no_process(scene: Scene) -> None:
    runner = scene.runner()
    mark = runner.plant("web", "daemons", 2, 0)
    runner.wait("main", "web")
    other = runner.plant("db", "rest")

    for pid in (runner.ask("zygote"), runner.ask("keeper", "web")):
        os.kill(pid, signal.SIGKILL)

    assert runner.wait("emptied", "web")[2:] == [None, "its keeper was killed"]
    assert marked(mark) == []
    assert runner.ask("members", "db") == marked(other)
    runner.ask("kill", "db")
    assert runner.wait("emptied", "db")[3] == ""
    runner.end()


def test_with_the_zygote_dead_trees_go_on_and_others_can_be_planted(scene: Scene) -> None:
    runner = scene.runner()
    mark = runner.plant("web", "deaf")
    old = runner.ask("zygote")
    os.kill(old, signal.SIGKILL)
    until(lambda: lineage.look(old) is None)

    other = runner.plant("db", "rest")
    assert runner.ask("zygote") != old
    os.kill(runner.ask("keeper", "web"), signal.SIGKILL)

    assert runner.wait("emptied", "web")[2:] == [None, "its keeper was killed"]
    assert marked(mark) == []
    assert runner.ask("members", "db") == marked(other)
    runner.ask("kill", "db")
    runner.wait("emptied", "db")
    runner.end()


def test_runner_and_keeper_killed_at_once_leave_no_process(scene: Scene) -> None:
    runner = scene.runner()
    mark = runner.plant("web", "deaf")
    until(lambda: len(marked(mark)) == 3)
    keeper = runner.ask("keeper", "web")
    os.kill(runner.ask("zygote"), signal.SIGSTOP)  # so that it is late

    os.kill(runner.pid, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    runner.kill()
    second = scene.runner()
    assert len(marked(mark)) == 3

    assert second.ask("survivors") == []
    assert marked(mark) == [], "never two copies: whoever asks for survivors waits until they are gone"
    second.end()
    until(lambda: scene.keepers() == [], scene.keepers)


def test_an_adopted_keepers_tree_is_killed_by_the_zygote_of_the_dead_runner(scene: Scene) -> None:
    first = scene.runner()
    mark = first.plant("web", "daemons", 2, 0)
    first.wait("main", "web")
    keeper = first.ask("keeper", "web")
    first.kill()
    second = scene.runner()
    second.ask("survivors")
    second.ask("adopt", "web", 1, 0)
    second.wait("main", "web")

    os.kill(keeper, signal.SIGKILL)

    assert second.wait("emptied", "web")[2:] == [None, "its keeper was killed"]
    assert marked(mark) == []
    second.end()


def test_without_that_zygote_what_was_seen_is_killed_and_the_reason_says_so(scene: Scene) -> None:
    first = scene.runner()
    mark = first.plant("web", "deaf")
    until(lambda: len(marked(mark)) == 3)
    keeper, zygote = first.ask("keeper", "web"), first.ask("zygote")
    first.kill()
    os.kill(zygote, signal.SIGKILL)
    second = scene.runner()
    second.ask("survivors")
    second.ask("adopt", "web", 1, 0)

    os.kill(keeper, signal.SIGKILL)

    (scene.folder / "keepers" / "999999.sock").write_text("")
    status, lost = second.wait("emptied", "web")[2:]
    assert status is None
    assert "may be left" in lost
    until(lambda: not marked(mark))
    assert second.ask("survivors") == []
    assert scene.keepers() == [], "what nobody uses is tidied up"
    second.end()


# -- somebody is stopped ----------------------------------------------------------------------------------------------


def test_a_stopped_keeper_goes_on_and_hears_of_the_death(scene: Scene) -> None:
    runner = scene.runner()
    mark = runner.plant("web", "rest")

    os.kill(runner.ask("keeper", "web"), signal.SIGSTOP)
    os.kill(marked(mark)[0], signal.SIGTERM)

    assert runner.wait("emptied", "web")[2:] == [signal.SIGTERM, ""]
    runner.end()


def test_a_stopped_keeper_without_its_zygote_goes_on_too(scene: Scene) -> None:
    runner = scene.runner()
    mark = runner.plant("web", "rest")
    zygote, keeper = runner.ask("zygote"), runner.ask("keeper", "web")
    os.kill(zygote, signal.SIGKILL)
    until(lambda: lineage.look(zygote) is None)

    os.kill(keeper, signal.SIGSTOP)
    os.kill(marked(mark)[0], signal.SIGTERM)

    assert runner.wait("emptied", "web")[2:] == [signal.SIGTERM, ""]
    runner.end()


def test_with_keeper_and_zygote_stopped_signals_and_kills_still_work(scene: Scene) -> None:
    runner = scene.runner()
    deaf = runner.plant("web", "deaf")
    rest = runner.plant("db", "rest")
    until(lambda: len(marked(deaf)) == 3)
    stopped = [runner.ask("zygote"), runner.ask("keeper", "web"), runner.ask("keeper", "db")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    until(lambda: all((procfs.stat(pid) or "?")[0] == "T" for pid in stopped))

    assert len(runner.ask("signal", "web", signal.SIGTERM)) == 3
    assert runner.ask("signal", "db", signal.SIGTERM) == marked(rest) or not marked(rest)
    # a process that ends has lost its arguments, by which it is marked, a moment before it is a zombie
    until(lambda: runner.ask("members", "db") == [], lambda: marked(rest))
    assert not marked(rest)
    runner.ask("kill", "web")

    assert runner.wait("emptied", "web")[2:] == [signal.SIGKILL, ""]
    assert marked(deaf) == []
    runner.ask("kill", "db")
    runner.wait("emptied", "db")
    runner.end()


def test_a_stopped_zygote_is_continued_when_it_is_needed(scene: Scene) -> None:
    runner = scene.runner()
    runner.plant("web", "rest")
    os.kill(runner.ask("zygote"), signal.SIGSTOP)

    runner.plant("db", "rest")

    for name in ("web", "db"):
        runner.ask("kill", name)
        runner.wait("emptied", name)
    runner.end()


def test_a_keeper_that_has_killed_gives_its_priority_back(scene: Scene) -> None:
    runner = scene.runner()
    runner.plant("web", "deaf")
    keeper = runner.ask("keeper", "web")

    runner.ask("kill", "web")
    runner.wait("emptied", "web")

    assert os.sched_getscheduler(keeper) == os.SCHED_OTHER
    runner.end()


# -- elsewhere --------------------------------------------------------------------------------------------------------


def test_an_unprivileged_runner_does_all_of_it(scene: Scene) -> None:
    scene.folder.mkdir()
    user = NOBODY if ROOT else os.geteuid()
    if ROOT:
        os.chown(scene.folder, user, user)
    first = scene.runner(uid=user if ROOT else None)
    first.ask("plant", "web", 1, ["sh", "-c", "setsid sleep 51 & sleep 51 & wait"], True)
    main = first.wait("started", "web")[2]
    until(lambda: len(first.ask("members", "web")) == 3)
    members = first.ask("members", "web")
    assert (scene.folder / "keepers").stat().st_mode & 0o777 == 0o700
    assert (scene.folder / "keepers").stat().st_uid == user
    first.kill()
    second = scene.runner(uid=user if ROOT else None)

    assert second.ask("survivors") == [["web", 1]]
    second.ask("adopt", "web", 1, main)
    assert second.ask("members", "web") == members
    assert second.ask("signal", "web", signal.SIGTERM) == members
    assert second.wait("emptied", "web")[2:] == [signal.SIGTERM, ""]
    second.ask("plant", "db", 1, ["sh", "-c", "trap '' TERM; setsid sleep 52 & sleep 52"], True)
    second.wait("started", "db")
    os.kill(second.ask("keeper", "db"), signal.SIGKILL)
    assert second.wait("emptied", "db")[3] == "its keeper was killed"
    second.end()


def test_it_works_as_process_1_of_a_namespace(scene: Scene) -> None:
    privilege = () if ROOT else ("--user", "--map-root-user")
    process = subprocess.Popen(
        [
            "unshare",
            *privilege,
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            sys.executable,
            "-m",
            "tests.system.little_runner",
            str(scene.folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=TREE,
    )
    runner = Runner.__new__(Runner)
    runner.process, runner.facts, runner._pending = process, [], b""
    assert runner.wait("ready")[1] == 1
    runner.pid = process.pid
    scene.runners.append(runner)

    mark = runner.plant("web", "daemons", 2, 3)
    assert runner.wait("main", "web")[2] == 3 << 8
    assert len(runner.ask("members", "web")) == len(marked(mark)) == 2
    runner.ask("kill", "web")
    assert runner.wait("emptied", "web")[2:] == [signal.SIGKILL, ""]
    lost = runner.plant("db", "deaf")
    # the zygote is 2, the keeper that was used again 3
    names = {(procfs.read(f"/proc/{pid}/comm") or b"").strip(): pid for pid in lineage.below([process.pid])}
    os.kill(names[b"gds-zygote"], signal.SIGKILL)
    os.kill(names[b"gds-keeper"], signal.SIGKILL)
    assert runner.wait("emptied", "db")[3] == "its keeper was killed"
    assert marked(lost) == []
    runner.end()


if ROOT:  # who has but one user has nobody to keep out

    def test_an_application_of_another_user_reaches_neither_keeper_nor_runner(scene: Scene) -> None:
        runner = scene.runner()
        runner.ask("inheritable", "/etc/passwd")
        runner.plant("warm", "rest")  # the zygote and a keeper exist
        runner.ask("inheritable", "/etc/passwd")
        output = scene.folder / "said"
        keeper = runner.ask("keeper", "warm")
        script = (
            "ls -l /proc/$$/fd;"
            f"for pid in {keeper} {runner.pid} $PPID; do"
            " kill -0 $pid && echo can-signal; ls /proc/$pid/fd >/dev/null && echo can-look; done;"
            f"ls {scene.folder}/keepers && echo can-list; cat {scene.folder}/keepers/*.tree && echo can-read"
        )
        runner.ask("plant_as", "web", ["sh", "-c", script], NOBODY, str(output))
        runner.wait("emptied", "web")

        said = output.read_text()
        assert "can-" not in said
        rows = [line.split(" -> ")[0].split()[-1] for line in said.splitlines() if " -> " in line]
        assert rows == ["0", "1", "2"]
        runner.ask("kill", "warm")
        runner.wait("emptied", "warm")
        runner.end()


def test_a_folder_that_is_anothers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "keepers").symlink_to(tmp_path / "real")
    words = [sys.executable, "-m", "tests.system.little_runner", str(tmp_path)]

    ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, cwd=TREE, timeout=DEADLINE)

    assert ended.returncode != 0
    assert b"cannot keep keepers in" in ended.stderr


# -- the walk itself --------------------------------------------------------------------------------------------------


def test_a_scan_of_proc_finds_the_same_children_as_the_kernels_list() -> None:
    script = "sleep 50 & sleep 50 & echo ready; wait"
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    assert sorted(lineage.scan()(process.pid)) == sorted(procfs.children(process.pid))
    assert len(lineage.scan()(process.pid)) == 2

    os.killpg(process.pid, signal.SIGKILL)
    process.wait(DEADLINE)
    process.stdout.close()


def test_a_pid_that_was_used_again_is_not_the_same_process() -> None:
    me = os.getpid()
    start = lineage.start_of(me)

    assert lineage.is_alive(me, start)
    assert not lineage.is_alive(me, start + 1)
    assert not lineage.is_alive(0, 0)
