"""hatimerun with real processes: every row of Sun's tables (semantics.md 6.1), and surprise 11 of its section 19."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

DEFAULTS = ("env", "--default-signal")  # whoever runs the tests may ignore signals: nohup, a job in the background
HATIMERUN = [sys.executable, "-m", "gds.cli.hatimerun"]
PATIENCE = 20.0  # seconds until a fact that must come true counts as missing
DEAF = "trap '' TERM; echo $$; while :; do sleep 0.05; done"  # hears no TERM; the loop ends only by KILL


def until(fact: Callable[[], bool], what: str) -> None:
    """Waits for a fact; fails with what was missing."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, f"not seen within {PATIENCE} s: {what}"
        time.sleep(0.005)


def field(pid: int, name: str) -> str:
    """One line of /proc/PID/status; "" when the process has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name + ":")), "")


def gone(pid: int) -> bool:
    """Ended: also as a zombie that nobody reaps where the tests run."""
    return field(pid, "State")[:1] in ("", "Z")


def start(*arguments: str, prefix: tuple[str, ...] = (), **options: object) -> subprocess.Popen[str]:
    """hatimerun with pipes on stdin, stdout and stderr."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | options
    return subprocess.Popen([*DEFAULTS, *prefix, *HATIMERUN, *arguments], text=True, **pipes)  # type: ignore[call-overload,no-any-return]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """hatimerun to its end; its output is read from files, so that what it leaves running does not hold us."""
    with start(*arguments, stdin=subprocess.DEVNULL) as process:
        out, err = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def line(process: subprocess.Popen[str]) -> str:
    """The next line of the program's output."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def strays() -> Iterator[list[int]]:
    """Pids that a test lets run on purpose; killed at its end."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


# ---- exit statuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(["-t", "20", "true"], 0, id="0 of the program"),
        pytest.param(["-t", "20", "sh", "-c", "exit 7"], 7, id="7 of the program"),
        pytest.param(["-t", "20", "sh", "-c", "exit 255"], 255, id="255 of the program"),
        pytest.param(["-t", "20", "sh", "-c", "exit 99"], 99, id="99 of the program"),
        pytest.param(["-t", "20", "-e", "5", "sh", "-c", "exit 3"], 3, id="-e is for the limit alone"),
        pytest.param(["-t", "20", "-a", "sh", "-c", "exit 3"], 3, id="-a is for the limit alone"),
        pytest.param(["-t", "20", "sh", "-c", "kill -TERM $$"], 143, id="killed by TERM: 128 + 15"),
        pytest.param(["-t", "20", "sh", "-c", "kill -KILL $$"], 137, id="killed by KILL: 128 + 9"),
        pytest.param(["-t", "0.2", "sleep", "60"], 99, id="the limit: 99"),
        pytest.param(["-t", "0.2", "-e", "5", "sleep", "60"], 5, id="the limit with -e"),
        pytest.param(["-t", "0.2", "-e", "0", "sleep", "60"], 0, id="the limit with -e 0"),
        pytest.param(["-d", "-t", "0.2", "sleep", "60"], 99, id="the limit with -d"),
        pytest.param(["-t", "0.2", "-k", "TERM", "sleep", "60"], 99, id="the limit with -k: not the signal's status"),
        pytest.param(["-t", "20"], 98, id="bad usage: 98"),
        pytest.param(["-e", "5", "-t", "0", "true"], 98, id="bad usage with -e: 98 all the same"),
        pytest.param(["-e", "5", "-t", "20", "/no/such/program"], 98, id="cannot execute with -e: 98 all the same"),
        pytest.param(["-t", "99999999999999999999", "true"], 0, id="a limit beyond any clock"),
    ],
)
def test_hatimerun_exits_with(arguments: list[str], status: int) -> None:
    assert run(*arguments).returncode == status


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        pytest.param(None, 0, "No such file or directory", id="missing"),
        pytest.param("#!/bin/sh\n", 0o600, "Permission denied", id="not executable"),
        pytest.param("exit 3\n", 0o700, "Exec format error; a script needs a first line such as #!/bin/sh", id="no #!"),
        pytest.param(
            "#!/no/such\n",
            0o700,
            "No such file or directory; the interpreter in its first line is missing",
            id="no interpreter",
        ),
    ],
)
def test_hatimerun_says_why_it_cannot_execute(tmp_path: Path, content: str | None, mode: int, reason: str) -> None:
    program = tmp_path / "program"
    if content is not None:
        program.write_text(content)
        program.chmod(mode)
    ended = run("-t", "20", str(program))
    assert ended.returncode == 98
    assert ended.stderr == f"hatimerun: cannot execute {program}: {reason}\n"


def test_hatimerun_looks_in_path_and_says_so() -> None:
    ended = run("-t", "20", "no-such-program-anywhere")
    assert ended.returncode == 98
    assert ended.stderr.endswith(
        "cannot execute no-such-program-anywhere: No such file or directory; it is not in PATH\n"
    )


def test_hatimerun_refuses_a_directory(tmp_path: Path) -> None:
    ended = run("-t", "20", str(tmp_path))
    assert (ended.returncode, ended.stderr) == (98, f"hatimerun: cannot execute {tmp_path}: Permission denied\n")


def test_hatimerun_gives_bytes_that_are_not_utf8_on_unchanged() -> None:
    ended = subprocess.run([*HATIMERUN, "-t", "20", "printf", "%s", b"\xff\xfe"], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"\xff\xfe")


# ---- the limit ------------------------------------------------------------------------------------------------------


def test_hatimerun_runs_the_program_in_its_own_process_group() -> None:
    with start("-t", "20", "sh", "-c", "echo $$; read x") as process:
        child = int(line(process))
        assert os.getpgid(child) == child != os.getpgid(process.pid)
        assert os.getsid(child) == os.getsid(process.pid)
        process.communicate("go\n", timeout=PATIENCE)
    assert process.returncode == 0


def test_hatimerun_kills_the_grandchild_in_the_same_group_at_the_limit() -> None:
    with start("-t", "1", "sh", "-c", "sleep 60 & echo $!; echo $$; wait") as process:
        grandchild, child = int(line(process)), int(line(process))
        assert process.wait(PATIENCE) == 99
    until(lambda: gone(child) and gone(grandchild), "both killed")


def test_hatimerun_kills_by_default_what_hears_no_TERM() -> None:
    with start("-t", "1", "sh", "-c", DEAF) as process:
        child = int(line(process))
        assert process.wait(PATIENCE) == 99
    until(lambda: gone(child), "killed")


@pytest.mark.parametrize("name", ["TERM", "term", "15", "SIGTERM"])
def test_hatimerun_minus_k_sends_that_signal_and_does_not_escalate(name: str, strays: list[int]) -> None:
    with start("-t", "1", "-k", name, "-v", "sh", "-c", DEAF) as process:
        child = int(line(process))
        strays.append(child)
        assert process.wait(PATIENCE) == 99
        assert not gone(child)
        assert process.stderr is not None
        assert "runs as" in process.stderr.readline()
        assert f"sent SIGTERM to process group {child}" in process.stderr.readline()


def test_hatimerun_minus_k_reaches_the_whole_group(tmp_path: Path, strays: list[int]) -> None:
    witness = tmp_path / "heard"
    inner = f"trap 'echo inner >>{witness}; exit' USR1; echo ready; while :; do sleep 0.05; done"
    outer = (
        f"trap 'echo outer >>{witness}; exit' USR1; sh -c \"$INNER\" & echo $!; echo $$; while :; do sleep 0.05; done"
    )
    with start("-t", "1", "-k", "USR1", "sh", "-c", outer, env=os.environ | {"INNER": inner}) as process:
        strays += [int(word) for word in (line(process), line(process), line(process)) if word != "ready"]
        assert process.wait(PATIENCE) == 99
    until(lambda: witness.exists() and sorted(witness.read_text().split()) == ["inner", "outer"], "both heard USR1")
    until(lambda: all(gone(pid) for pid in strays), "both ended")


def test_hatimerun_exits_at_once_at_the_limit_and_does_not_wait_for_the_program(strays: list[int]) -> None:
    with start("-t", "1", "-k", "WINCH", "sh", "-c", "echo $$; exec sleep 60") as process:
        strays.append(int(line(process)))
        assert process.wait(PATIENCE) == 99
        assert not gone(strays[0])


@pytest.mark.parametrize(("extra", "status"), [([], 99), (["-e", "6"], 6)])
def test_hatimerun_minus_a_leaves_the_program_running_at_the_limit(
    extra: list[str], status: int, strays: list[int]
) -> None:
    with start("-a", "-v", "-t", "1", *extra, "sh", "-c", "echo $$; read x; echo alive") as process:
        child = int(line(process))
        strays.append(child)
        assert process.wait(PATIENCE) == status
        out, err = process.communicate("go\n", timeout=PATIENCE)
    assert out == "alive\n"
    assert f"process group {child} is left running" in err


@pytest.mark.parametrize(
    ("extra", "command", "status"),
    [
        pytest.param([], "exec sleep 60", 99, id="without -d the clock runs before"),
        pytest.param(["-d"], "exit 0", 0, id="with -d it does not"),
    ],
)
def test_hatimerun_minus_d_starts_the_clock_when_prog_begins_to_execute(
    tmp_path: Path, extra: list[str], command: str, status: int
) -> None:
    """A write lease on the program holds its exec back in the kernel until the lease is given up."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o700)
    asked: list[int] = []
    before = signal.signal(signal.SIGIO, lambda number, frame: asked.append(number))
    descriptor = os.open(program, os.O_RDONLY)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        with start(*extra, "-t", "1.5", str(program)) as process:
            until(lambda: bool(asked), "the exec waits for the lease")
            held_until = time.monotonic() + 1.6
            until(lambda: time.monotonic() > held_until, "more than the limit has gone by")
            assert process.poll() is None
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            assert process.wait(PATIENCE) == status
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)


def test_hatimerun_counts_an_end_that_it_sees_late_as_in_time() -> None:
    with start("-t", "1.5", "sh", "-c", "echo $$; read x; exit 4") as process:
        child = int(line(process))
        os.kill(process.pid, signal.SIGSTOP)
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        until(lambda: gone(child), "the program ended")
        passed = time.monotonic() + 1.6
        until(lambda: time.monotonic() > passed, "the limit has gone by")
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(PATIENCE) == 4


def test_hatimerun_sleeps_while_it_waits() -> None:
    # it may be busy with the start for a while; whoever polls never has a second half like this one
    stretch = "sleep 0.5; echo later; read x"
    with start("-t", "60", "sh", "-c", f"echo began; while :; do {stretch}; done") as process:
        assert line(process) == "began"

        def sleeps() -> bool:
            before = field(process.pid, "voluntary_ctxt_switches")
            assert line(process) == "later"
            seen = field(process.pid, "voluntary_ctxt_switches") == before
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            return seen

        until(sleeps, "half a second in which it does nothing")
        process.terminate()
        process.communicate(timeout=PATIENCE)


# ---- -x and -v ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        pytest.param(["-x", "1", "-t", "20", "sleep", "0.3"], True, id="above: printed"),
        pytest.param(["-x", "90", "-t", "20", "true"], False, id="below: silent"),
        pytest.param(["-x", "5", "-t", "0.3", "sleep", "60"], False, id="at the limit: silent"),
        pytest.param(["-t", "1", "sleep", "0.9"], False, id="without -x: silent"),
        pytest.param(["-x", "0", "-k", "TERM", "-t", "20", "sh", "-c", "exit 3"], True, id="with -k, and a failure"),
    ],
)
def test_hatimerun_minus_x_prints_the_percentage_used(arguments: list[str], printed: bool) -> None:
    ended = run(*arguments)
    assert ("% of its limit" in ended.stderr) == printed
    assert (ended.stderr != "") == printed


def test_hatimerun_minus_x_names_program_and_share() -> None:
    words = run("-x", "2", "-t", "10", "sleep", "0.5").stderr.split()
    assert words[:3] == ["hatimerun:", "sleep", "used"]
    assert 5 <= int(words[3].removesuffix("%")) < 100


def test_hatimerun_is_silent_without_minus_v() -> None:
    ended = run("-t", "20", "echo", "hello")
    assert (ended.stdout, ended.stderr) == ("hello\n", "")


def test_hatimerun_minus_v_talks_on_stderr_only() -> None:
    ended = run("-v", "-t", "20", "sh", "-c", "echo $$; exit 3")
    child = ended.stdout.strip()
    told = ended.stderr.splitlines()
    assert told[0] == f"hatimerun: sh runs as process group {child}, limit 20 s"
    assert told[1].startswith("hatimerun: sh ended with status 3 after 0.")


# ---- signals to hatimerun -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param([], id="plain"),
        pytest.param(["-e", "5"], id="-e does not change it"),
        pytest.param(["-a"], id="-a speaks of the limit only"),
    ],
)
def test_hatimerun_exits_98_not_143_after_SIGTERM_and_kills_the_group(extra: list[str]) -> None:
    with start("-t", "20", *extra, "sh", "-c", "trap '' TERM; sleep 60 & echo $!; echo $$; wait") as process:
        grandchild, child = int(line(process)), int(line(process))
        process.terminate()
        assert process.wait(PATIENCE) == 98
    until(lambda: gone(child) and gone(grandchild), "both killed")


def test_hatimerun_sends_what_minus_k_says_after_SIGTERM_too(strays: list[int]) -> None:
    with start("-t", "20", "-k", "TERM", "sh", "-c", DEAF) as process:
        strays.append(int(line(process)))
        process.terminate()
        assert process.wait(PATIENCE) == 98
        assert not gone(strays[0])


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "ABRT", "ALRM", "USR1", "USR2"])
def test_hatimerun_passes_other_signals_on_and_stays_until_the_program_ends(name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    # A shell started with `&` ignores INT and QUIT; ulimit: QUIT and ABRT leave no core file.
    script = "ulimit -c 0; sleep 60 & echo $!; exec sleep 60"
    with start("-t", "20", "sh", "-c", f"echo $$; {script}") as process:
        child, grandchild = int(line(process)), int(line(process))
        until(lambda: field(child, "Name") == field(grandchild, "Name") == "sleep", "both sleep")
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        if name in ("INT", "QUIT"):
            os.kill(grandchild, signal.SIGKILL)
    until(lambda: gone(child) and gone(grandchild), "both ended")


def test_hatimerun_follows_a_signal_by_SIGCONT_for_a_stopped_program() -> None:
    with start("-t", "20", "sh", "-c", "echo $$; kill -STOP $$; exec sleep 60") as process:
        child = int(line(process))
        until(lambda: field(child, "State").startswith("T"), "the program is stopped")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


def test_hatimerun_does_not_stop_with_a_program_that_hangs_in_SIGSTOP() -> None:
    with start("-t", "1", "sh", "-c", "echo $$; kill -STOP $$") as process:
        child = int(line(process))
        assert process.wait(PATIENCE) == 99
    until(lambda: gone(child), "killed")


def test_hatimerun_leaves_the_answer_to_SIGINT_to_the_program() -> None:
    with start(
        "-t", "20", "sh", "-c", "trap 'echo heard; exit 5' INT; echo $$; while :; do sleep 0.05; done"
    ) as process:
        line(process)
        process.send_signal(signal.SIGINT)
        assert line(process) == "heard"
        assert process.wait(PATIENCE) == 5


def test_hatimerun_keeps_the_limit_for_a_program_that_ignores_SIGINT() -> None:
    with start("-t", "1", "sh", "-c", "trap '' INT; echo $$; while :; do sleep 0.05; done") as process:
        child = int(line(process))
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 99
    until(lambda: gone(child), "killed at the limit")


def test_hatimerun_under_nohup_ignores_SIGHUP() -> None:
    """Shown with a program that hears it."""
    program = ("env", "--default-signal=HUP", "sh", "-c", "echo $$; read x; exit 3")
    with start("-t", "20", *program, prefix=("env", "--ignore-signal=HUP")) as process:
        line(process)
        process.send_signal(signal.SIGHUP)
        process.communicate("go\n", timeout=PATIENCE)
    assert process.returncode == 3


def test_hatimerun_under_nohup_gives_the_ignored_SIGHUP_on() -> None:
    with start("-t", "20", "sh", "-c", "echo $$; read x; exit 3", prefix=("env", "--ignore-signal=HUP")) as process:
        os.kill(int(line(process)), signal.SIGHUP)
        process.communicate("go\n", timeout=PATIENCE)
    assert process.returncode == 3


def test_hatimerun_catches_SIGTERM_also_where_it_came_ignored() -> None:
    with start("-t", "20", "sh", "-c", "echo $$; exec sleep 60", prefix=("env", "--ignore-signal=TERM")) as process:
        child = int(line(process))
        process.terminate()
        assert process.wait(PATIENCE) == 98
    until(lambda: gone(child), "killed")


def test_hatimerun_knows_the_status_also_where_SIGCHLD_came_ignored() -> None:
    """A parent that ignores it never has a child to wait for."""
    with start("-t", "20", "sh", "-c", "exit 3", prefix=("env", "--ignore-signal=CHLD")) as process:
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 3


def test_hatimerun_stops_and_continues_the_program_with_itself() -> None:
    # A group of its own, of which we are the parent: the kernel stops no orphaned group.
    with start("-t", "20", "sh", "-c", "echo $$; read x; exit 3", process_group=0) as process:
        child = int(line(process))
        process.send_signal(signal.SIGTSTP)
        until(lambda: field(child, "State").startswith("T"), "the program is stopped")
        until(lambda: field(process.pid, "State").startswith("T"), "hatimerun is stopped")
        process.send_signal(signal.SIGCONT)
        until(lambda: not field(child, "State").startswith("T"), "the program is continued")
        process.communicate("go\n", timeout=PATIENCE)
    assert process.returncode == 3


# ---- what the program is given --------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"LC_CTYPE": "C"}, {"LC_ALL": "C"}, {"LC_CTYPE": "C.UTF-8"}, {"LANG": "POSIX"}])
def test_hatimerun_gives_the_environment_on_as_it_was(given: dict[str, str]) -> None:
    """Python adds LC_CTYPE to its own in the C locale."""
    environment = {"PATH": os.environ["PATH"], **given}
    ended = subprocess.run([*HATIMERUN, "-t", "20", "env"], env=environment, capture_output=True, text=True, check=True)
    assert sorted(ended.stdout.splitlines()) == sorted(f"{name}={value}" for name, value in environment.items())


def test_hatimerun_gives_signal_dispositions_and_mask_on_as_they_were() -> None:
    """Python ignores SIGPIPE and SIGXFSZ for itself, and we block what we wait for."""
    show = ["sh", "-c", "exec grep -E '^Sig(Blk|Ign|Cgt):' /proc/self/status"]

    def table(text: str) -> dict[str, int]:
        # glibc's posix_spawn ignores its own two signals, 32 and 33, in every child
        return {name: int(value, 16) & ~(0b11 << 31) for name, value in map(str.split, text.splitlines())}

    plain = subprocess.run([*DEFAULTS, *show], capture_output=True, text=True, check=True)
    assert table(run("-t", "20", *show).stdout) == table(plain.stdout)


def test_hatimerun_gives_descriptors_on_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "extra").write_text("from descriptor 7\n")
    command = 'exec 7<"$1"; shift; exec "$@"'
    show = "cat <&7; cat; ls /proc/self/fd | tr '\\n' ' '"
    ended = subprocess.run(
        ["sh", "-c", command, "sh", str(tmp_path / "extra"), *HATIMERUN, "-t", "20", "sh", "-c", show],
        input="from stdin\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "from descriptor 7\nfrom stdin\n0 1 2 3 7 "  # 3 is the directory that ls reads


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_hatimerun_keeps_the_status_when_stderr_cannot_be_written(stderr: str) -> None:
    command = f'exec "$@" {stderr}'
    ended = subprocess.run(["sh", "-c", command, "sh", *HATIMERUN, "-v", "-t", "20", "sh", "-c", "exit 3"], check=False)
    assert ended.returncode == 3


@pytest.mark.parametrize("tool", ["hatimerun", "halockrun"])
def test_hatimerun_and_halockrun_import_little(tool: str) -> None:
    """What a start costs is mostly what it imports."""
    probe = f"import sys; before = set(sys.modules); import gds.cli.{tool}; print(*sorted(set(sys.modules) - before))"
    root = Path(gds.__file__).parents[1]
    command = [sys.executable, "-S", "-c", probe]  # -S: what site loads is not ours
    loaded = subprocess.run(command, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True)
    names = set(loaded.stdout.split())
    assert {name for name in names if name.startswith("gds")} == {
        *("gds", "gds.cli", "gds.cli.launching", f"gds.cli.{tool}", "gds.errors"),
    }
    assert not {"argparse", "asyncio", "getopt", "gettext", "re", "subprocess", "typing"} & names


# ---- the terminal ---------------------------------------------------------------------------------------------------


class Terminal:
    """A pseudo-terminal with a program in front of it; `seen` collects what it shows."""

    def __init__(self, *command: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*DEFAULTS, "setsid", "--ctty", "--wait", *command], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def shows(self, text: str) -> None:
        """Waits until text stands on the screen, and forgets all up to its end."""
        until(lambda: text in self.read(), f"{text!r} on the terminal")
        self.seen = self.seen.split(text, 1)[1]

    def read(self) -> str:
        while select.select([self._ours], [], [], 0)[0]:
            try:
                data = os.read(self._ours, 4096)
            except OSError:  # nobody has the other side open any more
                break
            if not data:
                break
            self.seen += data.decode()
        return self.seen

    def ends_with(self, status: int) -> None:
        assert self.process.wait(PATIENCE) == status, self.read()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._ours)  # hangs up: whatever is left gets SIGHUP
        self.process.kill()
        self.process.wait()


def test_hatimerun_lets_the_program_read_the_terminal() -> None:
    with Terminal(*HATIMERUN, "-t", "20", "sh", "-c", "echo name?; read x; echo hello $x") as terminal:
        terminal.shows("name?")
        terminal.type("world\n")
        terminal.shows("hello world")
        terminal.ends_with(0)


def test_hatimerun_takes_the_terminal_back_when_the_program_has_ended() -> None:
    lines = f"{' '.join(HATIMERUN)} -t 20 sh -c 'read x; echo first $x'; read y; echo second $y"
    with Terminal("sh", "-c", lines) as terminal:
        terminal.type("one\n")
        terminal.shows("first one")
        terminal.type("two\n")
        terminal.shows("second two")
        terminal.ends_with(0)


def test_hatimerun_takes_the_terminal_back_at_the_limit() -> None:
    lines = f"{' '.join(HATIMERUN)} -t 0.5 cat; echo status $?; read y; echo second $y"
    with Terminal("sh", "-c", lines) as terminal:
        terminal.shows("status 99")
        terminal.type("two\n")
        terminal.shows("second two")
        terminal.ends_with(0)


def test_hatimerun_hands_ctrl_c_to_the_program() -> None:
    with Terminal(*HATIMERUN, "-t", "20", "sh", "-c", "echo began; exec sleep 60") as terminal:
        terminal.shows("began")
        terminal.type("\x03")
        terminal.ends_with(130)


def test_hatimerun_hands_ctrl_c_to_a_program_that_has_the_terminal() -> None:
    with Terminal(*HATIMERUN, "-t", "20", "cat") as terminal:
        terminal.type("ping\n")
        terminal.shows("ping\r\nping\r\n")  # the echo, and cat
        terminal.type("\x03")
        terminal.ends_with(130)


def job_shell() -> Terminal:
    """A shell with job control, without an editor that would draw what is typed a second time."""
    return Terminal("bash", "--norc", "--noprofile", "--noediting", "-i")


def test_hatimerun_is_one_job_for_ctrl_z_and_fg() -> None:
    with job_shell() as terminal:
        terminal.type(f'{" ".join(HATIMERUN)} -t 20 sh -c \'echo u""p; exec cat\'; echo sta""tus $?\n')
        terminal.shows("up\r\n")
        terminal.type("ping\n")
        terminal.shows("ping\r\nping\r\n")
        terminal.type("\x1a")
        terminal.shows("Stopped")
        terminal.shows("status 148\r\n")  # the shell's own word: 128 + SIGTSTP
        terminal.type("fg\n")
        terminal.shows("hatimerun -t 20")
        terminal.type("pong\n")
        terminal.shows("pong\r\npong\r\n")
        terminal.type("\x04")
        terminal.type('echo la""st $?; exit 0\n')
        terminal.shows("last 0\r\n")
        terminal.ends_with(0)


def test_hatimerun_keeps_the_limit_in_the_background_of_a_terminal() -> None:
    with job_shell() as terminal:
        terminal.type(f'{" ".join(HATIMERUN)} -t 0.5 cat & wait $!; echo sta""tus $?; exit 0\n')
        terminal.shows("status 99\r\n")
        terminal.ends_with(0)
