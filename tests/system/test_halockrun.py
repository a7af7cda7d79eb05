"""halockrun with real processes: every row of Sun's tables (semantics.md 6.2), and surprise 11 of its section 19."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.test_hatimerun import DEFAULTS, PATIENCE, Terminal, field, gone, line, strays, until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["strays"]  # a fixture: pytest finds it by name

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

HALOCKRUN = [sys.executable, "-m", "gds.cli.halockrun"]
UNTIL_EOF = "echo in; cat >/dev/null"  # a program that says when it runs, and runs until its stdin is closed


def start(*arguments: str | Path, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """halockrun with pipes on stdin, stdout and stderr."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*DEFAULTS, *prefix, *HALOCKRUN, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*HALOCKRUN, *arguments]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def status(*arguments: str | Path) -> int:
    return run(*arguments).returncode


def finish(process: subprocess.Popen[str]) -> int:
    """Lets UNTIL_EOF end; returns halockrun's status."""
    process.communicate(timeout=PATIENCE)
    return process.returncode


def told(process: subprocess.Popen[str]) -> str:
    """The next line that -v wrote."""
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """A halockrun that holds the lock exclusively, until told to finish."""
    with start(lock, "sh", "-c", UNTIL_EOF) as process:
        assert line(process) == "in"
        yield process


# ---- exit statuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["LOCK", "true"], 0, id="0 of the program"),
        pytest.param(["LOCK", "sh", "-c", "exit 7"], 7, id="7 of the program"),
        pytest.param(["LOCK", "sh", "-c", "exit 99"], 99, id="99 of the program"),
        pytest.param(["-e", "5", "LOCK", "sh", "-c", "exit 3"], 3, id="-e is not for the program"),
        pytest.param(["-n", "LOCK", "sh", "-c", "exit 3"], 3, id="-n and the lock is free"),
        pytest.param(["-s", "LOCK", "sh", "-c", "exit 3"], 3, id="-s"),
        pytest.param(["LOCK", "sh", "-c", "kill -TERM $$"], 143, id="killed by TERM: 128 + 15"),
        pytest.param(["LOCK", "sh", "-c", "kill -KILL $$"], 137, id="killed by KILL: 128 + 9"),
        pytest.param(["LOCK"], 99, id="bad usage: 99"),
        pytest.param(["-e", "5", "LOCK"], 5, id="bad usage with -e"),
        pytest.param(["LOCK", "/no/such/program"], 99, id="cannot execute: 99"),
        pytest.param(["-e", "5", "LOCK", "/no/such/program"], 5, id="cannot execute with -e"),
        pytest.param(["/no/such/directory/lock", "true"], 99, id="cannot create the file: 99"),
        pytest.param(["-e", "5", "/no/such/directory/lock", "true"], 5, id="cannot create the file with -e"),
        pytest.param(["-n", "/no/such/directory/lock", "true"], 99, id="cannot create the file with -n: not 1"),
        pytest.param(["-e", "5", "/", "true"], 5, id="the lock file is a directory"),
    ],
)
def test_halockrun_exits_with(lock: Path, arguments: list[str], expected: int) -> None:
    assert status(*(str(lock) if word == "LOCK" else word for word in arguments)) == expected


@pytest.mark.parametrize("extra", [["-n"], ["-n", "-e", "5"], ["-ns"], ["-nse5"], ["-e", "0", "-n"]])
def test_halockrun_minus_n_exits_1_whatever_minus_e_says(
    lock: Path, holder: subprocess.Popen[str], extra: list[str]
) -> None:
    ended = run(*extra, lock, "echo", "ran")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")
    assert finish(holder) == 0
    assert run(*extra, lock, "echo", "ran").stdout == "ran\n"


@pytest.mark.parametrize(
    ("lockfile", "program", "complaint"),
    [
        ("/no/such/lock", "true", "cannot open lock file /no/such/lock: No such file or directory"),
        ("/", "true", "cannot open lock file /: Is a directory"),
        ("LOCK", "/no/such/program", "cannot execute /no/such/program: No such file or directory"),
        ("LOCK", "/", "cannot execute /: Permission denied"),
    ],
)
def test_halockrun_says_why_it_failed(lock: Path, lockfile: str, program: str, complaint: str) -> None:
    ended = run(lock if lockfile == "LOCK" else lockfile, program)
    assert (ended.returncode, ended.stderr) == (99, f"halockrun: {complaint}\n")


# ---- the lock file --------------------------------------------------------------------------------------------------


def test_halockrun_creates_the_file_for_its_owner_only_and_leaves_it(lock: Path) -> None:
    assert status(lock, "true") == 0
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert lock.read_bytes() == b""


def test_halockrun_leaves_an_existing_file_as_it_is(lock: Path) -> None:
    lock.write_text("kept")
    lock.chmod(0o644)
    assert status(lock, "true") == 0
    assert stat.S_IMODE(lock.stat().st_mode) == 0o644
    assert lock.read_text() == "kept"


def test_halockrun_minus_s_needs_no_permission_to_write(tmp_path: Path) -> None:
    """A file that is being executed cannot be opened for writing, by root neither."""
    busy = tmp_path / "busy"
    shutil.copy(shutil.which("sleep") or "", busy)
    with subprocess.Popen([busy, "60"]) as process:
        try:
            assert status("-s", busy, "true") == 0
            ended = run(busy, "true")
            assert (ended.returncode, ended.stderr) == (
                99,
                f"halockrun: cannot open lock file {busy}: Text file busy\n",
            )
        finally:
            process.kill()


def test_halockrun_locks_the_whole_file_for_everyone_who_uses_fcntl(lock: Path, holder: subprocess.Popen[str]) -> None:
    with lock.open("r+") as other:
        for offset in (0, 1, 1 << 40):
            with pytest.raises(BlockingIOError):
                fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        assert finish(holder) == 0
        fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert status("-n", lock, "true") == 1


def test_halockrun_is_not_held_by_a_fifo(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert status("-s", fifo, "true") == 0


# ---- who waits for whom ---------------------------------------------------------------------------------------------


def test_halockrun_waits_until_the_lock_is_free(lock: Path, holder: subprocess.Popen[str]) -> None:
    with start("-v", lock, "sh", "-c", "echo second; exit 4") as second:
        assert told(second) == f"halockrun: lock on {lock} is not free: waiting\n"
        until(lambda: field(second.pid, "State").startswith("S"), "the second sleeps")
        assert second.poll() is None
        assert finish(holder) == 0
        assert line(second) == "second"
        assert finish(second) == 4


def test_two_programs_under_one_lock_never_overlap(lock: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script = f"echo in >>{journal}; sleep 0.02; echo out >>{journal}"
    crowd = [start(lock, "sh", "-c", script) for _ in range(8)]
    assert [finish(process) for process in crowd] == [0] * 8
    assert journal.read_text().split() == ["in", "out"] * 8


def test_halockrun_minus_s_lets_others_share_and_keeps_an_exclusive_one_out(lock: Path) -> None:
    with start("-s", lock, "sh", "-c", UNTIL_EOF) as first, start("-ns", lock, "sh", "-c", UNTIL_EOF) as second:
        assert (line(first), line(second)) == ("in", "in")
        assert status("-n", lock, "true") == 1
        assert finish(first) == 0
        assert status("-n", lock, "true") == 1
        assert finish(second) == 0
        assert status("-n", lock, "true") == 0


def test_halockrun_minus_s_waits_for_an_exclusive_lock(lock: Path, holder: subprocess.Popen[str]) -> None:
    with start("-sv", lock, "echo", "shared") as second:
        assert "is not free: waiting" in told(second)
        assert finish(holder) == 0
        assert line(second) == "shared"
        assert "holds the shared lock" in told(second)


def test_a_daemonised_grandchild_does_not_keep_the_lock(lock: Path, strays: list[int]) -> None:
    script = "setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $!"
    ended = run(lock, "sh", "-c", script)
    strays.append(int(ended.stdout))
    assert ended.returncode == 0
    assert not gone(strays[0])
    assert status("-n", lock, "true") == 0


def test_the_lock_goes_with_halockrun_when_it_is_killed_though_the_program_lives(lock: Path, strays: list[int]) -> None:
    with start(lock, "sh", "-c", "echo $$; exec sleep 60") as process:
        strays.append(int(line(process)))
        process.kill()
        process.wait(PATIENCE)
        assert not gone(strays[0])
        assert status("-n", lock, "true") == 0


def test_the_program_may_open_and_close_the_lock_file_without_freeing_it(lock: Path) -> None:
    with start(lock, "sh", "-c", f"cat {lock}; {UNTIL_EOF}") as process:
        assert line(process) == "in"
        assert status("-n", lock, "true") == 1
        assert finish(process) == 0


# ---- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP"])
def test_a_signal_ends_halockrun_while_it_waits(lock: Path, holder: subprocess.Popen[str], name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    with start("-v", lock, "echo", "ran") as second:
        assert "waiting" in told(second)
        second.send_signal(number)
        out, err = second.communicate(timeout=PATIENCE)
    assert (second.returncode, out, err) == (-number, "", "")


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1"])
def test_halockrun_passes_a_signal_on_and_holds_the_lock_until_the_program_has_ended(lock: Path, name: str) -> None:
    script = f"trap 'echo heard; cat >/dev/null; exit 6' {name}; echo in; while :; do sleep 0.05; done"
    with start(lock, "sh", "-c", script) as process:
        assert line(process) == "in"
        process.send_signal(signal.Signals[f"SIG{name}"])
        assert line(process) == "heard"
        assert status("-n", lock, "true") == 1
        assert finish(process) == 6
    assert status("-n", lock, "true") == 0


def test_halockrun_exits_143_when_the_SIGTERM_it_passed_on_killed_the_program(lock: Path) -> None:
    with start(lock, "sh", "-c", "echo $$; exec sleep 60") as process:
        child = int(line(process))
        process.terminate()
        assert process.wait(PATIENCE) == 143
    assert gone(child)


def test_halockrun_knows_the_status_also_where_SIGCHLD_came_ignored(lock: Path) -> None:
    with start(lock, "sh", "-c", "exit 3", prefix=("env", "--ignore-signal=CHLD")) as process:
        assert finish(process) == 3


def test_ctrl_c_reaches_the_program_once(lock: Path) -> None:
    """The terminal sends it to both; halockrun does not send it again."""
    script = (
        "import signal, sys; heard = []\n"
        "signal.signal(signal.SIGINT, lambda *_: (heard.append(1), print('heard', flush=True)))\n"
        "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(len(heard)))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()"
    )
    with Terminal(
        "sh", "-c", 'echo pid $$.; exec "$@"', "sh", *HALOCKRUN, str(lock), sys.executable, "-c", script
    ) as tty:
        tty.shows("pid ")
        until(lambda: "ready" in tty.read(), "the program runs")
        halockrun = int(tty.seen.split(".")[0])
        os.kill(halockrun, signal.SIGSTOP)
        until(lambda: field(halockrun, "State").startswith("T"), "halockrun is stopped")
        tty.type("\x03")
        tty.shows("heard")
        os.kill(halockrun, signal.SIGUSR1)  # passed on, and after the SIGINT that waits for halockrun too
        os.kill(halockrun, signal.SIGCONT)
        tty.ends_with(1)


def test_the_program_reads_the_terminal(lock: Path) -> None:
    with Terminal(*HALOCKRUN, str(lock), "sh", "-c", "echo name?; read x; echo hello $x") as tty:
        tty.shows("name?")
        tty.type("world\n")
        tty.shows("hello world")
        tty.ends_with(0)


# ---- -v and what the program is given -------------------------------------------------------------------------------


def test_halockrun_is_silent_without_minus_v(lock: Path) -> None:
    ended = run(lock, "echo", "hello")
    assert (ended.stdout, ended.stderr) == ("hello\n", "")


def test_halockrun_minus_v_talks_on_stderr_only(lock: Path) -> None:
    ended = run("-v", lock, "sh", "-c", "echo $$; exit 3")
    assert ended.stderr.splitlines() == [
        f"halockrun: holds the exclusive lock on {lock}",
        f"halockrun: sh runs as process {ended.stdout.strip()}",
        "halockrun: sh ended with status 3",
    ]


def test_halockrun_minus_nv_says_that_the_lock_is_not_free(lock: Path, holder: subprocess.Popen[str]) -> None:
    assert run("-nv", lock, "true").stderr == f"halockrun: lock on {lock} is not free\n"
    assert finish(holder) == 0


def test_halockrun_runs_the_program_in_its_own_process_group_and_gives_it_no_descriptor(lock: Path) -> None:
    with start(lock, "sh", "-c", "echo $$; ls /proc/self/fd | tr '\\n' ' '; echo; cat >/dev/null") as process:
        child = int(line(process))
        assert os.getpgid(child) == os.getpgid(process.pid)
        assert line(process) == "0 1 2 3"  # 3 is the directory that ls reads
        assert finish(process) == 0


def test_halockrun_never_writes_into_the_lock_file_when_stderr_is_closed(lock: Path) -> None:
    command = 'exec "$@" 2>&-'
    ended = subprocess.run(["sh", "-c", command, "sh", *HALOCKRUN, "-v", lock, "sh", "-c", "exit 3"], check=False)
    assert ended.returncode == 3
    assert lock.read_bytes() == b""
