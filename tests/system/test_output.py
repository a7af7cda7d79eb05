"""Where output goes: real processes printing into what they were given, and a runner that is killed meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gds.errors import ConfigError
from gds.linux.logfile import PIECE
from gds.linux.output import TURN, Outputs, kept
from gds.model.resource import Output
from tests.system.lab import Box
from tests.system.running import alive, eventually
from tests.system.turning import Turning, nothing_left_open

pytestmark = pytest.mark.slow

NOBODY = 65534

# Prints numbered lines, as quickly as it can or with pauses.
WRITER = """
import sys
n, width = int(sys.argv[1]), int(sys.argv[2])
import os
lines = [b"%09d" % i + b"." * (width - 10) + b"\\n" for i in range(n)]
for i in range(0, n, 50):
    data = b"".join(lines[i : i + 50])
    while data:
        data = data[os.write(1, data) :]
"""


class Bench(Turning):
    """Outputs on a loop, in a directory that every user may enter, as a runner has them."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.place = place
        self.run = place / "run"
        self.run.mkdir(mode=0o755)
        self.outputs = Outputs(self.loop, str(self.run), self.log, str(place / "journal.socket"))

    def rotated(self, name: str = "web.log", rotate: int = 1 << 20, keep: int = 10_000) -> Output:
        return Output("file", str(self.place / name), rotate, keep)

    def start(self, argv: list[str], output: Output, uid: int = -1, **more: object) -> subprocess.Popen[bytes]:
        """Start an application as the runner does, with stdout there."""
        fd = self.outputs.open("web", "stdout", output, uid, uid)
        user = {"user": uid, "group": uid, "extra_groups": []} if uid >= 0 else {}
        process = subprocess.Popen(argv, stdout=fd, **user, **more)  # type: ignore[call-overload]
        self.outputs.after_spawn("web")
        return process  # type: ignore[no-any-return]

    def finish(self, process: subprocess.Popen[bytes]) -> None:
        self.until(lambda: process.poll() is not None)
        assert process.returncode == 0
        self.outputs.flush("web")

    def text(self, name: str = "web.log") -> bytes:
        return b"".join(Path(each).read_bytes() for each in kept(str(self.place / name)))

    def close(self) -> None:
        self.outputs.close()
        super().close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with nothing_left_open(), tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        made = Bench(Path(directory))
        yield made
        made.close()


def numbers(n: int, width: int) -> bytes:
    return b"".join(b"%09d" % i + b"." * (width - 10) + b"\n" for i in range(n))


# -- what costs nothing ---------------------------------------------------------------------------------------------


def test_inherit_is_our_own(bench: Bench) -> None:
    assert bench.outputs.open("web", "stdout", Output("inherit")) == 1
    assert bench.outputs.open("web", "stderr", Output("inherit")) == 2


def test_null_swallows(bench: Bench) -> None:
    bench.finish(bench.start(["sh", "-c", "echo x; test $(readlink /proc/$$/fd/1) = /dev/null"], Output("null")))


@pytest.mark.parametrize("uid", [-1, NOBODY])
def test_a_file_is_handed_over_and_can_be_opened_anew(bench: Bench, uid: int) -> None:
    output = Output("file", str(bench.place / "web.log"))
    script = "echo one; echo two >>/dev/stdout; exec sh -c 'echo three >>/dev/stderr' 2>&1"
    for _ in range(2):
        bench.finish(bench.start(["sh", "-c", script], output, uid))
    assert bench.text() == b"one\ntwo\nthree\n" * 2
    facts = (bench.place / "web.log").stat()
    assert (facts.st_uid, stat.S_IMODE(facts.st_mode)) == (max(uid, 0), 0o640)
    assert bench.outputs.paths("web") == {"stdout": str(bench.place / "web.log")}
    assert list(bench.run.iterdir()) == []


# -- through the runner ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uid", [-1, NOBODY])
def test_a_rotated_file_can_be_opened_anew_too(bench: Bench, uid: int) -> None:
    script = "echo one; echo two >/dev/stdout; echo three >>/dev/stdout; exec sh -c 'echo four >/proc/self/fd/1'"
    for _ in range(2):
        bench.finish(bench.start(["sh", "-c", script], bench.rotated(), uid))
    assert bench.text() == b"one\ntwo\nthree\nfour\n" * 2
    assert stat.S_IMODE((bench.place / "web.log").stat().st_mode) == 0o640
    fifo = bench.run / "out" / "stdout" / "web"
    assert (fifo.stat().st_uid, stat.S_IMODE(fifo.stat().st_mode)) == (max(uid, 0), 0o600)
    assert stat.S_IMODE(fifo.parent.stat().st_mode) == 0o700
    bench.outputs.release("web")
    assert not fifo.exists()
    assert bench.outputs.paths("web") == {}


def test_lines_arrive_whole_and_in_order_over_many_files(bench: Bench) -> None:
    bench.finish(bench.start([sys.executable, "-c", WRITER, "100000", "100"], bench.rotated(rotate=1 << 18)))
    files = kept(str(bench.place / "web.log"))
    assert len(files) > 30
    assert all(os.path.getsize(each) <= 1 << 18 for each in files)
    assert all(Path(each).read_bytes().endswith(b"\n") for each in files)
    assert bench.text() == numbers(100_000, 100)


def test_a_hundred_megabytes_without_a_newline(bench: Bench) -> None:
    bench.finish(bench.start(["sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' x"], bench.rotated(rotate=10 << 20)))
    sizes = [os.path.getsize(each) for each in kept(str(bench.place / "web.log"))]
    assert sum(sizes) == 100_000_000
    assert sizes[:-1] == [10 << 20] * (len(sizes) - 1)
    assert bench.said == []


def test_stdout_and_stderr_into_one_file_keep_their_order(bench: Bench) -> None:
    out = bench.outputs.open("web", "stdout", bench.rotated())
    err = bench.outputs.open("web", "stderr", bench.rotated())
    script = "for i in $(seq 500); do echo $i; echo $i >&2; done"
    process = subprocess.Popen(["sh", "-c", script], stdout=out, stderr=err)
    bench.outputs.after_spawn("web")
    bench.finish(process)
    assert bench.text().split() == [str(i).encode() for i in range(1, 501) for _ in (0, 1)]


def test_stdout_and_stderr_into_two_files(bench: Bench) -> None:
    out = bench.outputs.open("web", "stdout", bench.rotated("out.log"))
    err = bench.outputs.open("web", "stderr", bench.rotated("err.log"))
    process = subprocess.Popen(["sh", "-c", "echo o; echo e >&2"], stdout=out, stderr=err)
    bench.outputs.after_spawn("web")
    bench.finish(process)
    assert (bench.text("out.log"), bench.text("err.log")) == (b"o\n", b"e\n")


def test_a_grandchild_that_holds_stdout_holds_nothing_up(bench: Bench) -> None:
    bench.finish(bench.start(["sh", "-c", "echo first; sleep 60 & echo $! >&2; exec true"], bench.rotated(), stderr=subprocess.DEVNULL))  # fmt: skip  # noqa: E501
    assert bench.text() == b"first\n"
    left = [p for p in Path("/proc").iterdir() if p.name.isdigit() and holds(p, bench.run / "out" / "stdout" / "web")]
    assert [p.name for p in left if p.name != str(os.getpid())] != []
    for each in left:
        if each.name != str(os.getpid()):
            os.kill(int(each.name), signal.SIGKILL)


def holds(process: Path, path: Path) -> bool:
    try:
        return os.readlink(process / "fd" / "1") == str(path)
    except OSError:
        return False


def test_another_output_on_the_next_start(bench: Bench) -> None:
    for output in (bench.rotated("a.log"), bench.rotated("b.log"), Output("file", f"{bench.place}/c.log"), bench.rotated("a.log")):  # fmt: skip  # noqa: E501
        bench.finish(bench.start(["echo", "x"], output))
    assert [bench.text(f"{name}.log") for name in "abc"] == [b"x\nx\n", b"x\n", b"x\n"]


def test_reopen_follows_a_file_that_was_moved(bench: Bench) -> None:
    process = bench.start(["sh", "-c", "echo one; read x; echo two"], bench.rotated(), stdin=subprocess.PIPE)
    bench.until(lambda: bench.text() == b"one\n")
    (bench.place / "web.log").rename(bench.place / "moved")
    bench.outputs.reopen()
    assert process.stdin is not None
    process.stdin.close()
    bench.until(lambda: process.poll() is not None)
    bench.outputs.flush("web")
    assert ((bench.place / "moved").read_bytes(), bench.text()) == (b"one\n", b"two\n")


def test_nobody_who_prints_without_end_takes_more_than_its_share_of_a_turn(bench: Bench) -> None:
    noisy = []
    for n in range(4):
        fd = bench.outputs.open(f"noisy{n}", "stdout", bench.rotated(f"noisy{n}.log", 8 << 20, 1))
        noisy.append(subprocess.Popen(["yes"], stdout=fd))
        bench.outputs.after_spawn(f"noisy{n}")
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        bench.loop.after(0.001, tick)

    tick()
    began = bench.loop.turns
    most = 0
    try:
        while ticks < 200:
            bench.loop.turn(1.0)
            most = max(most, bench.outputs._copied)
    finally:
        for each in noisy:
            each.kill()
            each.wait()
    assert bench.loop.turns - began >= 200
    assert 0 < most <= TURN + PIECE
    assert all(total(f"{bench.place}/noisy{n}.log") for n in range(4)), "everybody had a turn"


def test_a_disk_that_is_full_blocks_nobody(bench: Bench) -> None:
    disk = bench.place / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", str(disk)], check=True)
    try:
        output = Output("file", str(disk / "web.log"), 10 << 20, 5)
        bench.finish(bench.start([sys.executable, "-c", WRITER, "50000", "100"], output))
        size = (disk / "web.log").stat().st_size
        bench.outputs.release("web")
        assert 0 < size <= 256 << 10
        assert bench.said == [
            f"<3>cannot write {disk}/web.log: no space left on device; output is dropped until it works again",
            f"<4>{disk}/web.log: {5_000_000 - size} bytes of output were lost: no space left on device",
        ]
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_two_hundred_megabytes(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    script = f"yes {'x' * 99} | head -c 200000000"
    began, used = time.perf_counter(), time.process_time()
    bench.finish(bench.start(["sh", "-c", script], bench.rotated(rotate=10 << 20)))
    took, used = time.perf_counter() - began, time.process_time() - used
    sizes = [os.path.getsize(each) for each in kept(str(bench.place / "web.log"))]
    assert sum(sizes) == 200_000_000
    assert all(size % 100 == 0 for size in sizes)
    with capsys.disabled():
        print(f" 200 MB rotated: {200 / took:.0f} MB/s, {used:.2f} CPU s ", end="")


# -- crash ----------------------------------------------------------------------------------------------------------

RUNNER = """
    import json, os, sys
    from gds.linux.journal import Log
    from gds.linux.loop import Loop
    from gds.linux.output import Outputs
    from gds.model.resource import Output

    run, path, writer = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    loop = Loop()
    outputs = Outputs(loop, run, Log())
    output = Output("file", path, 1 << 20, 10_000)
    if writer:
        fd = outputs.open("web", "stdout", output)
        actions = [(os.POSIX_SPAWN_DUP2, fd, 1), (os.POSIX_SPAWN_CLOSE, 0)]
        pid = os.posix_spawn(writer[0], writer, os.environ, file_actions=actions, setsid=True)
        outputs.after_spawn("web")
        print(pid, flush=True)
    else:
        outputs.adopt("web", "stdout", output)
        print("again", flush=True)
    loop.run()
"""


def test_a_runner_killed_at_any_instant_loses_nothing(tmp_path: Path) -> None:
    script = textwrap.dedent(RUNNER)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    lines, width = 1_500_000, 100
    writer = [sys.executable, "-c", WRITER, str(lines), str(width)]
    said, pid, kills = "", 0, 0
    log = str(tmp_path / "web.log")
    while not pid or alive(pid):
        argv = [sys.executable, "-c", script, str(tmp_path), log, json.dumps([] if pid else writer)]
        runner = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert runner.stdout is not None
        said = runner.stdout.readline()
        pid = pid or int(said)
        deadline = time.monotonic() + (chance.uniform(0.0, 0.08) if kills < 40 else 60.0)
        while time.monotonic() < deadline and alive(pid):
            time.sleep(0.001)
        finished = not alive(pid)
        if not finished:
            kills += 1
            runner.kill()
        else:
            eventually(lambda: total(log) == lines * width, "all that was printed is in the files", 30)
            runner.kill()
        runner.wait()
        runner.stdout.close()
    assert kills >= 10, f"seed {seed}"
    files = kept(log)
    text = b"".join(Path(each).read_bytes() for each in files)
    assert len(text) == lines * width, f"seed {seed}"
    assert text == numbers(lines, width), f"seed {seed}"


def total(log: str) -> int:
    return sum(os.path.getsize(each) for each in kept(log))


def test_while_the_runner_is_away_the_application_waits_and_lives(bench: Bench) -> None:
    process = bench.start([sys.executable, "-c", WRITER, "20000", "100"], bench.rotated())
    bench.loop.unwatch(next(iter(bench.outputs._feeds.values())).fd)
    asleep = f"/proc/{process.pid}/wchan"
    eventually(lambda: "pipe" in Path(asleep).read_text(), "the writer waits for room", 20)
    assert process.poll() is None
    successor = Outputs(bench.loop, str(bench.run), bench.log)
    successor.adopt("web", "stdout", bench.rotated())
    bench.until(lambda: process.poll() is not None)
    assert process.returncode == 0
    successor.flush("web")
    successor.close()
    assert bench.text() == numbers(20_000, 100)


def test_fifos_of_resources_that_are_no_longer_declared_go(bench: Bench) -> None:
    for name in ("old", "new"):
        bench.outputs.open(name, "stdout", bench.rotated(f"{name}.log"))
        bench.outputs.after_spawn(name)
    Outputs(bench.loop, str(bench.run), bench.log).tidy({"new"})
    assert [p.name for p in (bench.run / "out" / "stdout").iterdir()] == ["new"]


def test_without_a_runtime_directory_it_works_until_the_runner_ends(bench: Bench) -> None:
    outputs = Outputs(bench.loop, "", bench.log)
    fd = outputs.open("web", "stdout", bench.rotated(), NOBODY, NOBODY)
    script = "echo one; echo two >/dev/stdout"
    process = subprocess.Popen(["sh", "-c", script], stdout=fd, user=NOBODY, group=NOBODY, extra_groups=[])
    outputs.after_spawn("web")
    bench.until(lambda: process.poll() is not None)
    assert process.returncode == 0
    outputs.flush("web")
    outputs.close()
    assert bench.text() == b"one\ntwo\n"


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotate", [0, 1000])
def test_what_cannot_be_opened_is_explained(bench: Bench, rotate: int) -> None:
    (bench.place / "shared").mkdir()
    (bench.place / "shared").chmod(0o1777)
    (bench.place / "shared" / "link").symlink_to("/etc/passwd")
    (bench.place / "closed").mkdir(mode=0o700)
    os.chown(bench.place / "closed", 1, 1)
    for path, uid, reason in (
        ("missing/web.log", -1, f"there is no directory {bench.place}/missing; create it"),
        ("shared", -1, "it is a directory; name a file in it"),
        ("shared/link", -1, "it is a symbolic link in a directory that others can write; name the file itself"),
        (
            "closed/web.log",
            NOBODY,
            f"permission denied; let the user of the resource write {bench.place}/closed, or choose another directory",
        ),
    ):
        with pytest.raises(ConfigError) as refused:
            bench.outputs.open("web", "stdout", Output("file", f"{bench.place}/{path}", rotate), uid, uid)
        assert str(refused.value) == f"cannot write stdout of web to {bench.place}/{path}: {reason}"
    assert bench.outputs.paths("web") == {}


def test_a_second_stream_that_cannot_be_opened_leaves_nothing_of_the_first(bench: Bench) -> None:
    bench.outputs.open("web", "stdout", Output("file", f"{bench.place}/web.log"))
    with pytest.raises(ConfigError):
        bench.outputs.open("web", "stderr", Output("file", f"{bench.place}/missing/web.log"))
    assert bench.outputs._lent == {}


# -- the journal ----------------------------------------------------------------------------------------------------


def test_the_journal_is_told_who_speaks(bench: Bench) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(bench.place / "journal.socket"))
        listener.listen()
        process = bench.start(["sh", "-c", "echo '<3>one'; echo two >&1"], Output("journal"))
        line, _ = listener.accept()
        with line:
            process.wait(10)
            text = b""
            while data := line.recv(1000):
                text += data
    assert text == b"web\n\n6\n1\n0\n0\n0\n<3>one\ntwo\n"
    assert bench.said == []


def test_without_a_journal_output_goes_where_ours_goes_and_that_is_said(bench: Bench) -> None:
    assert bench.outputs.open("web", "stdout", Output("journal")) == 1
    assert bench.outputs.open("web", "stderr", Output("journal")) == 2
    why = f"cannot reach the journal at {bench.place}/journal.socket: no such file or directory"
    assert bench.said == [f"<4>{why}; output goes where the runner's own goes resource=web"] * 2


def test_a_journal_that_does_not_answer_holds_nobody_up(bench: Bench) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind(str(bench.place / "journal.socket"))
        listener.listen(0)
        other.connect(str(bench.place / "journal.socket"))
        began = time.monotonic()
        assert bench.outputs.open("web", "stdout", Output("journal")) == 1
        assert time.monotonic() - began < 10


JOURNALIST = """
    import os
    from gds.linux.journal import Log
    from gds.linux.loop import Loop
    from gds.linux.output import Outputs
    from gds.model.resource import Output

    outputs = Outputs(Loop(), "", Log())
    fds = [outputs.open("web", stream, Output("journal")) for stream in ("stdout", "stderr")]
    assert min(fds) > 2, fds
    actions = [(os.POSIX_SPAWN_DUP2, fds[0], 1), (os.POSIX_SPAWN_DUP2, fds[1], 2)]
    script = ["/bin/sh", "-c", "echo hello; echo '<3>trouble' >&2"]
    pid = os.posix_spawn("/bin/sh", script, os.environ, file_actions=actions)
    outputs.after_spawn("web")
    os.waitpid(pid, 0)
"""


def test_a_real_journal_files_it_under_the_resource() -> None:
    with Box("journal") as box:
        box.run(sys.executable, "-c", textwrap.dedent(JOURNALIST))
        box.run("journalctl", "--sync")
        lines = box.run("journalctl", "--identifier", "web", "--output", "json").stdout.splitlines()
    found = [(e["MESSAGE"], e["PRIORITY"], e["_TRANSPORT"]) for e in map(json.loads, lines)]
    assert sorted(found) == [("hello", "6", "stdout"), ("trouble", "3", "stdout")], "two streams have no order"


# -- many -----------------------------------------------------------------------------------------------------------


def test_a_fifo_grows_when_it_is_used_much_and_only_then(bench: Bench) -> None:
    quiet = bench.outputs.open("quiet", "stdout", bench.rotated("quiet.log"))
    bench.outputs.after_spawn("quiet")
    assert quiet > 2
    bench.finish(bench.start([sys.executable, "-c", WRITER, "100000", "100"], bench.rotated()))
    sizes = {n: fcntl.fcntl(f.fd, fcntl.F_GETPIPE_SZ) for (n, _), f in bench.outputs._feeds.items()}
    assert sizes == {"quiet": 65536, "web": 262144}
