"""What every rung of the tracking ladder promises (ports.Forest, ports.Tree), with real processes."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gds.linux import procfs
from gds.model.launch import Launch
from tests.contract.forests import PATH, Heard, World, marked, rungs, world

ROOT = os.geteuid() == 0
USER = 65534 if ROOT else os.geteuid()
"""Somebody we may become."""
GROUP = 65534 if ROOT else os.getegid()

LAUNCHERS: dict[str, dict[str, Any]] = {"spawned": {}, "launched": {"nice": 5}}
"""The two ways to start: posix_spawn, and a fork that sets things before the exec."""


@pytest.fixture(params=rungs())
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with world(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=list(LAUNCHERS))
def how(request: pytest.FixtureRequest) -> dict[str, Any]:
    return LAUNCHERS[request.param]


# -- starting and ending ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7 << 8), ("kill -9 $$", 9)])
def test_a_command_is_started_and_its_end_told_with_its_status(
    here: World, how: dict[str, Any], script: str, status: int
) -> None:
    planted = here.plant(["sh", "-c", script], **how).until_over()

    assert planted.heard.facts == [("started", planted.tree.main_pid), ("main", status), ("emptied", status)]
    assert planted.heard.lost == ""
    assert planted.tree.main_pid > 1
    assert not planted.tree.main_alive
    assert planted.tree.members() == []
    assert planted.tree.signal(signal.SIGTERM) == []


def test_its_output_arrives_whole(here: World, how: dict[str, Any]) -> None:
    planted = here.plant(["sh", "-c", "echo out; echo err >&2"], **how).until_over()

    assert sorted(planted.read().split()) == [b"err", b"out"]


def unexecutable(folder: Path) -> dict[str, tuple[list[str], int]]:
    """What cannot be executed, and the errno that says so."""
    plain, script, lost = folder / "plain", folder / "script", folder / "lost"
    plain.write_text("echo no\n")
    script.write_text("echo no\n")
    lost.write_text("#!/nonexistent/interpreter\n")
    script.chmod(0o755)
    lost.chmod(0o755)
    return {
        "missing": (["/nonexistent/program"], errno.ENOENT),
        "missing along the PATH": (["no-such-program-anywhere"], errno.ENOENT),
        "not executable": ([str(plain)], errno.EACCES),
        "a directory": ([str(folder)], errno.EACCES),
        "without interpreter": ([str(script)], errno.ENOEXEC),
        "with a missing interpreter": ([str(lost)], errno.ENOENT),
    }


CASES = (
    "missing",
    "missing along the PATH",
    "not executable",
    "a directory",
    "without interpreter",
    "with a missing interpreter",
)


@pytest.mark.parametrize("case", CASES)
def test_a_command_that_cannot_be_executed_fails_with_its_reason(
    here: World, how: dict[str, Any], case: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    argv, number = unexecutable(tmp_path)[case]

    planted = here.plant(argv, **how).until_over()
    here.turn_for(0.05)

    assert planted.heard.words == ["failed"]
    told, message = planted.heard.detail("failed")
    assert told == number
    assert message.startswith("cannot ")
    assert argv[0] in message
    assert planted.tree.members() == []


def test_a_working_directory_that_is_missing_fails_the_start(here: World, how: dict[str, Any]) -> None:
    planted = here.plant(["true"], cwd="/nonexistent/folder", **how).until_over()

    assert planted.heard.words == ["failed"]
    assert planted.heard.detail("failed")[0] == errno.ENOENT
    assert "/nonexistent/folder" in planted.heard.detail("failed")[1]


def test_a_program_is_looked_for_along_the_path_it_will_have(here: World, how: dict[str, Any], tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    mine = tmp_path / "only-here"
    mine.write_text("#!/bin/sh\nexit 9\n")
    mine.chmod(0o755)

    found = here.plant(["only-here"], env={"PATH": f"/nonexistent:{tmp_path}"}, **how).until_over()
    other = here.plant(["only-here"], name="other", cwd=str(tmp_path), **how).until_over()

    assert found.heard.detail("main") == 9 << 8
    assert other.heard.words == ["failed"], "the working directory is not in its PATH"


def test_after_a_failure_the_next_start_works(here: World, how: dict[str, Any]) -> None:
    here.plant(["/nonexistent/program"], **how).until_over().tree.release()

    again = here.plant(["true"], incarnation=2, **how).until_over()

    assert again.heard.words == ["started", "main", "emptied"]


def test_the_same_name_is_started_again_and_again(here: World) -> None:
    for incarnation in range(1, 11):
        planted = here.plant(["sh", "-c", "exit 4"], incarnation=incarnation).until_over()
        assert planted.heard.facts[1:] == [("main", 4 << 8), ("emptied", 4 << 8)]
        planted.tree.release()
    for _each in range(10):
        assert here.plant(["true"], name="web:Probe", incarnation=0, lasting=False).until_over().heard.words == [
            "started",
            "main",
            "emptied",
        ]


def test_fifty_trees_at_once_are_told_apart(here: World) -> None:
    planted = [here.plant(["sh", "-c", f"sleep 0.2; exit {n}"], name=f"app{n}") for n in range(50)]

    for number, each in enumerate(planted):
        each.until_over()
        assert each.heard.facts[1:] == [("main", number << 8), ("emptied", number << 8)], each.tree.name


def test_two_hundred_starts_leave_no_descriptor_open(here: World) -> None:
    def round_of(count: int) -> None:
        for number in range(count):
            planted = here.plant(
                ["true"], name="web:Probe", lasting=False, **LAUNCHERS[("spawned", "launched")[number % 2]]
            )
            planted.until_over()
            planted.tree.release()
            planted.close()
            here.forget(planted)

    round_of(20)
    here.turn_for(0.05)
    before = len(os.listdir("/proc/self/fd"))
    round_of(200)

    here.until(lambda: len(os.listdir("/proc/self/fd")) <= before, lambda: str(os.listdir("/proc/self/fd")))


def test_many_trees_at_once_leave_no_descriptor_open(here: World, how: dict[str, Any]) -> None:
    def wave() -> int:
        for planted in [here.plant(["sleep", "0.1"], name=f"app{n}:Probe", lasting=False, **how) for n in range(30)]:
            planted.until_over().tree.release()
            planted.close()
            here.forget(planted)
        here.turn_for(0.1)
        return len(os.listdir("/proc/self/fd"))

    first = wave()
    wave()

    here.until(lambda: len(os.listdir("/proc/self/fd")) <= first, lambda: str(os.listdir("/proc/self/fd")))


def use_up_descriptors() -> list[int]:
    """Open files until there is no descriptor any more."""
    used = []
    while True:
        try:
            used.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            return used


def test_without_descriptors_a_start_fails_or_works_whole_and_the_next_one_works(
    here: World, how: dict[str, Any]
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    heard = Heard()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(300, limits[0]), limits[1]))
    used = use_up_descriptors()
    try:
        tree = here.forest.plant("web", 1, Launch(("true",), {"PATH": PATH}, **how), heard, lasting=True)
        here.turn_for(0.1)
    finally:
        for fd in used:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    here.until(lambda: heard.over, lambda: str(heard.facts))
    tree.release()

    assert heard.words in (["failed"], ["started", "main", "emptied"])
    assert heard.words != ["failed"] or heard.detail("failed")[0] == errno.EMFILE
    assert here.plant(["true"], incarnation=2, **how).until_over().heard.words == ["started", "main", "emptied"]


# -- following --------------------------------------------------------------------------------------------------------


def test_daemons_are_followed_and_the_tree_is_empty_only_when_the_last_is_gone(here: World) -> None:
    planted = here.stubborn("daemons", 2, 7)
    here.until(lambda: "main" in planted.heard.words, lambda: str(planted.heard.facts))

    assert planted.heard.detail("main") == 7 << 8
    first, second = planted.tree.members()
    assert sorted(marked(planted.mark)) == sorted([first, second])
    os.kill(first, signal.SIGTERM)
    here.until(lambda: planted.tree.members() == [second], lambda: str(planted.tree.members()))
    here.turn_for(0.05)
    assert not planted.heard.over
    os.kill(second, signal.SIGUSR1)
    planted.until_over()

    assert planted.heard.words == ["started", "main", "emptied"]
    assert planted.heard.detail("emptied") == signal.SIGUSR1
    assert planted.heard.lost == ""


def test_members_and_parents_are_the_live_processes_the_first_one_first(here: World) -> None:
    planted = here.plant(["sh", "-c", "sleep 50 & sleep 50 & echo ready; wait"]).until_said(b"ready")
    main = planted.tree.main_pid

    members = planted.tree.members()
    parents = planted.tree.parents()

    assert members[0] == main
    assert len(members) == 3
    assert set(parents) == set(members)
    assert [parents[pid] for pid in members[1:]] == [main, main]
    assert planted.tree.main_alive


def test_a_zombie_is_no_member(here: World) -> None:
    script = "import os,sys,time\nif os.fork(): print('ready', flush=True); time.sleep(50)\n"
    planted = here.plant([sys.executable, "-I", "-S", "-c", script]).until_said(b"ready")

    here.until(lambda: planted.tree.members() == [planted.tree.main_pid], lambda: str(planted.tree.members()))


# -- signals ----------------------------------------------------------------------------------------------------------


def test_a_signal_reaches_all_or_those_who_are_named(here: World) -> None:
    planted = here.plant(["sh", "-c", "trap '' USR1; sleep 50 & echo ready; wait"]).until_said(b"ready")
    main, child = planted.tree.members()

    assert planted.tree.signal(signal.SIGTERM, [child]) == [child]
    here.until(lambda: child not in planted.tree.members(), lambda: "the child goes on")
    planted.until_over()

    assert main == planted.tree.main_pid
    assert planted.heard.detail("main") == 0 or planted.heard.detail("main") == (128 + 15) << 8


def test_a_stopped_process_hears_the_signal(here: World) -> None:
    planted = here.stubborn("stopped").until_said(b"ready")
    pid = planted.tree.main_pid
    here.until(lambda: (procfs.stat(pid) or ("?",))[0] == "T", lambda: "it does not stop")

    assert planted.tree.signal(signal.SIGTERM) == [pid]
    planted.until_over()

    assert planted.heard.detail("main") == 3 << 8


def test_sigstop_is_not_undone(here: World) -> None:
    planted = here.stubborn("rest").until_started()
    pid = planted.tree.main_pid

    assert planted.tree.signal(signal.SIGSTOP) == [pid]
    here.until(lambda: (procfs.stat(pid) or ("?",))[0] == "T", lambda: "it does not stop")
    here.turn_for(0.05)

    assert (procfs.stat(pid) or ("?",))[0] == "T"


def test_a_stranger_gets_no_signal(here: World) -> None:
    planted = here.plant(["sleep", "50"]).until_started()
    ends: list[int] = []
    stranger = os.posix_spawn("/bin/sleep", ["sleep", "50"], {})
    here.reaper.expect(stranger, ends.append)

    assert planted.tree.signal(signal.SIGKILL, [stranger, 1, os.getpid()]) == []
    here.turn_for(0.05)
    assert ends == []

    os.kill(stranger, signal.SIGKILL)
    here.until(lambda: ends == [9], lambda: "the stranger lives")
    assert not planted.heard.over


# -- killing ----------------------------------------------------------------------------------------------------------


def test_who_ignores_term_is_killed_with_everybody(here: World) -> None:
    planted = here.stubborn("deaf").until_said(b"ready")
    here.until(lambda: len(planted.tree.members()) == 3, lambda: str(planted.tree.members()))

    assert len(planted.tree.signal(signal.SIGTERM)) == 3
    here.turn_for(0.1)
    assert len(planted.tree.members()) == 3
    planted.tree.kill()
    planted.tree.kill()
    planted.until_over()

    assert planted.heard.detail("main") == signal.SIGKILL
    assert marked(planted.mark) == []


@pytest.mark.slow
def test_a_fork_bomb_is_killed_and_nothing_is_left(here: World) -> None:
    planted = here.stubborn("bomb", 200, 20).until_said(b"ready")

    planted.tree.kill()
    planted.until_over()

    assert marked(planted.mark) == []
    assert here.plant(["true"], incarnation=2).until_over().heard.words == ["started", "main", "emptied"]


def test_killed_as_soon_as_asked_for_it_still_ends_in_order(here: World, how: dict[str, Any]) -> None:
    for incarnation in range(1, 6):
        planted = here.plant(["sleep", "50"], incarnation=incarnation, **how)
        planted.tree.kill()
        planted.until_over()

        assert planted.heard.words in (["started", "main", "emptied"], ["failed"])


def test_killing_an_empty_tree_does_nothing(here: World) -> None:
    planted = here.plant(["true"]).until_over()

    planted.tree.kill()
    here.turn_for(0.05)

    assert planted.heard.words == ["started", "main", "emptied"]


# -- what the command sees --------------------------------------------------------------------------------------------


def status_of(planted_text: bytes) -> dict[str, str]:
    """/proc/PID/status as a table."""
    rows = [line.split(":", 1) for line in planted_text.decode().splitlines() if ":" in line]
    return {key: value.strip() for key, value in rows}


def test_it_has_a_session_of_its_own(here: World, how: dict[str, Any]) -> None:
    planted = here.plant(["cat", "/proc/self/stat"], **how).until_over()

    pid, _name, _state, _parent, group, session, terminal = planted.read().split()[:7]
    assert int(pid) == int(group) == int(session) == planted.tree.main_pid
    assert int(terminal) == 0


def test_its_signals_are_as_if_freshly_booted(here: World, how: dict[str, Any]) -> None:
    old = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
    try:
        planted = here.plant(["cat", "/proc/self/status"], **how).until_over()
    finally:
        signal.signal(signal.SIGUSR2, old)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    status = status_of(planted.read())
    # 32 and 33 are the C library's own, and its posix_spawn always leaves them ignored
    found = [int(status[key], 16) & ~(3 << 31) for key in ("SigBlk", "SigIgn", "SigCgt")]
    assert found == [0, 0, 0]


def test_it_has_three_descriptors_and_reads_nothing(here: World, how: dict[str, Any]) -> None:
    planted = here.plant(["sh", "-c", "ls -l /proc/$$/fd; cat"], **how).until_over()

    rows = [line.split(" -> ") for line in planted.read().decode().splitlines() if " -> " in line]
    found = {left.split()[-1]: right for left, right in rows}
    assert set(found) == {"0", "1", "2"}
    assert found["0"] == "/dev/null"
    assert found["1"] == found["2"]
    assert found["1"].startswith("pipe:")


def test_its_environment_is_exactly_what_was_given(here: World, how: dict[str, Any]) -> None:
    env = {"PATH": "/usr/bin:/bin", "EMPTY": "", "LONG": "x" * 100_000, "ODD": "a=b\nc \udcff ü"}
    planted = here.plant(["cat", "/proc/self/environ"], env=env, **how).until_over()

    pairs = [entry.partition(b"=") for entry in planted.read().split(b"\0") if entry]
    assert {os.fsdecode(key): os.fsdecode(value) for key, _eq, value in pairs} == env


def test_its_arguments_are_exactly_what_was_given(here: World, how: dict[str, Any]) -> None:
    argv = ["sh", "-c", 'printf "%s|" "$@"', "name", "", "two words", "a\nb", "ü\udcff", "$HOME"]
    planted = here.plant(argv, **how).until_over()

    assert os.fsdecode(planted.read()) == "".join([word + "|" for word in argv[4:]])


def test_it_works_where_and_with_the_umask_it_should(here: World, how: dict[str, Any], tmp_path: Path) -> None:
    before = os.getcwd(), os.umask(0o022)
    os.umask(before[1])

    planted = here.plant(["sh", "-c", "pwd; umask"], cwd=str(tmp_path), umask=0o027, **how).until_over()
    other = here.plant(["sh", "-c", "pwd; umask"], name="other", **how).until_over()

    assert planted.read().decode().split() == [str(tmp_path), "0027"]
    assert other.read().decode().split() == [before[0], f"{before[1]:04o}"]
    assert os.getcwd() == before[0]
    assert os.umask(before[1]) == before[1]


def test_it_runs_as_the_user_with_the_groups_it_should(here: World) -> None:
    groups = (GROUP, 12345) if ROOT else None
    planted = here.plant(["cat", "/proc/self/status"], uid=USER, gid=GROUP, groups=groups).until_over()

    status = status_of(planted.read())
    assert status["Uid"].split() == [str(USER)] * 4
    assert status["Gid"].split() == [str(GROUP)] * 4
    if ROOT:
        assert set(status["Groups"].split()) == {"12345", str(GROUP)}
        assert int(status["CapEff"], 16) == 0
        assert int(status["CapPrm"], 16) == 0


def test_a_user_that_already_is_ours_changes_nothing(here: World) -> None:
    planted = here.plant(["id", "-u"], uid=os.geteuid(), gid=os.getegid(), groups=tuple(os.getgroups())).until_over()

    assert planted.read().split() == [b"%d" % os.geteuid()]


def test_its_limits_nice_and_out_of_memory_score_are_as_asked(here: World) -> None:
    planted = here.plant(
        ["cat", "/proc/self/limits", "/proc/self/oom_score_adj", "/proc/self/stat"],
        limits=((resource.RLIMIT_NOFILE, 100, 200), (resource.RLIMIT_CORE, 0, 0)),
        nice=7,
        oom_score_adjust=321,
    ).until_over()

    lines = planted.read().decode().splitlines()
    assert next(line.split()[3:5] for line in lines if line.startswith("Max open files")) == ["100", "200"]
    assert next(line.split()[4:6] for line in lines if line.startswith("Max core file size")) == ["0", "0"]
    assert "321" in lines
    assert lines[-1].split()[18] == "7"


def test_a_limit_that_cannot_be_set_fails_the_start_by_name(here: World) -> None:
    planted = here.plant(["true"], limits=((resource.RLIMIT_NOFILE, 200, 100),)).until_over()

    assert planted.heard.words == ["failed"]
    assert "nofile" in str(planted.heard.detail("failed"))


def test_the_next_command_does_not_inherit_what_one_was_given(here: World) -> None:
    first = here.plant(["true"], nice=9, oom_score_adjust=500, umask=0o077, cwd="/", name="web:Probe", lasting=False)
    first.until_over()
    second = here.plant(["cat", "/proc/self/oom_score_adj", "/proc/self/stat"], name="web:Stop", lasting=False)
    second.until_over()

    score, line = second.read().decode().splitlines()
    assert score == Path("/proc/self/oom_score_adj").read_text().strip()
    assert line.split()[18] == str(os.getpriority(os.PRIO_PROCESS, 0))


def test_a_killed_command_leaves_no_priority_to_the_next(here: World) -> None:
    policy, nice = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
    killed = here.plant(["sleep", "50"], name="web:Probe", incarnation=0, lasting=False).until_started()
    killed.tree.kill()
    killed.until_over()

    planted = here.plant(["cat", "/proc/self/stat"], name="web:Stop", incarnation=0, lasting=False).until_over()

    fields = planted.read().rsplit(b")", 1)[1].split()
    assert int(fields[16]) == nice
    assert int(fields[38]) == policy


@pytest.mark.slow
def test_an_idle_forest_sleeps(here: World) -> None:
    here.plant(["sleep", "50"]).until_started()
    here.turn_for(0.3)
    before, spent = here.loop.turns, time.process_time()

    here.turn_for(1.0)

    assert here.loop.turns - before <= 2, "nothing is due"
    assert time.process_time() - spent < 0.1
