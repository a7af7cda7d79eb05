"""What applications say to their NOTIFY_SOCKET: real senders, strangers, floods, and a runner that was killed."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.linux.notify import BURST, KEYS, LARGEST, MOST_A_SECOND, Notifies, parse
from tests.system.turning import Turning, nothing_left_open

pytestmark = pytest.mark.slow

NOBODY = 65534
DAEMON = 1

# Becomes the user by itself: that user may not be allowed to run the Python of the tests.
SEND = """
import os, socket, sys
uid = int(os.environ.get("AS", "0"))
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
address = os.environ["NOTIFY_SOCKET"]
if address.startswith("@"):
    address = "\\0" + address[1:]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
    line.connect(address)
    for message in sys.argv[1:]:
        line.send(message.encode())
"""


class Desk(Turning):
    """A loop that listens to applications, in a directory that every user may enter, and what it heard."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.place = place
        self.heard: list[tuple[str, dict[str, str], int]] = []
        self.notifies = Notifies(self.loop, str(place), lambda *message: self.heard.append(message), self.log)

    def send(self, address: str, *messages: str, uid: int = 0) -> int:
        """From a process of that user; its pid."""
        argv = [sys.executable, "-I", "-S", "-c", SEND, *messages]
        environ = {"NOTIFY_SOCKET": address, "AS": str(uid)}
        process = subprocess.Popen(argv, env=environ, stderr=subprocess.DEVNULL)
        self.until(lambda: process.poll() is not None)
        self.loop.turn(0)
        return process.pid if process.returncode == 0 else 0

    def close(self) -> None:
        self.notifies.close_all()
        super().close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with nothing_left_open(), tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        made = Desk(Path(directory))
        yield made
        made.close()


def sender(address: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    line.connect(f"\0{address[1:]}" if address.startswith("@") else address)
    return line


# -- who is heard ---------------------------------------------------------------------------------------------------


def test_an_application_says_that_it_is_ready(desk: Desk) -> None:
    address = desk.notifies.open("web", NOBODY, NOBODY)
    pid = desk.send(address, "READY=1\nSTATUS=up and running\nX_OTHER=1", uid=NOBODY)
    assert desk.heard == [("web", {"READY": "1", "STATUS": "up and running"}, pid)]


def test_root_may_speak_for_the_application(desk: Desk) -> None:
    address = desk.notifies.open("web", NOBODY, NOBODY)
    pid = desk.send(address, "WATCHDOG=1")
    assert desk.heard == [("web", {"WATCHDOG": "1"}, pid)]


def test_the_socket_is_the_applications_alone(desk: Desk) -> None:
    address = Path(desk.notifies.open("web", NOBODY, NOBODY))
    facts = address.stat()
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (NOBODY, NOBODY, 0o600)
    assert stat.S_IMODE(address.parent.stat().st_mode) == 0o711
    assert desk.send(str(address), "READY=1", uid=DAEMON) == 0
    assert desk.heard == []


def test_another_user_is_not_believed_even_where_it_can_send(desk: Desk) -> None:
    address = desk.notifies.open("web", NOBODY, NOBODY)
    os.chmod(address, 0o666)
    pid = desk.send(address, "READY=1", "READY=1", uid=DAEMON)
    assert desk.heard == []
    assert desk.said == [
        f"<4>notification of user 1 (pid {pid}) thrown away: not the application's user resource=web"
    ], "said once"


def test_each_application_has_its_own(desk: Desk) -> None:
    for name in ("a", "b"):
        with sender(desk.notifies.open(name)) as line:
            line.send(f"STATUS={name}".encode())
    desk.until(lambda: len(desk.heard) == 2)
    assert sorted((name, said["STATUS"], pid) for name, said, pid in desk.heard) == [
        ("a", "a", os.getpid()),
        ("b", "b", os.getpid()),
    ]


def test_sdnotify_speaks_to_us(desk: Desk) -> None:
    script = "import sdnotify; sdnotify.SystemdNotifier(debug=True).notify('READY=1\\nSTATUS=hello')"
    environ = {"NOTIFY_SOCKET": desk.notifies.open("web")}
    process = subprocess.Popen([sys.executable, "-c", script], env=environ)
    desk.until(lambda: process.poll() is not None)
    desk.until(lambda: bool(desk.heard))
    assert desk.heard == [("web", {"READY": "1", "STATUS": "hello"}, process.pid)]


def test_systemd_notify_and_its_barrier_are_answered(desk: Desk) -> None:
    environ = {"NOTIFY_SOCKET": desk.notifies.open("web"), "PATH": os.environ["PATH"]}
    process = subprocess.Popen(["systemd-notify", "--ready", "--status=fine"], env=environ)
    desk.until(lambda: process.poll() is not None, 20)
    assert process.returncode == 0, "BARRIER=1 waits for a descriptor to be closed, and fails after five seconds"
    assert desk.heard[0][1] == {"READY": "1", "STATUS": "fine"}
    assert len(desk.heard) == 1


# -- what is heard --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", {}),
        (b"READY", {}),
        (b"READY=", {"READY": ""}),
        (b"READY=1\nREADY=0", {"READY": "0"}),
        (b"WATCHDOG=trigger\n\n", {"WATCHDOG": "trigger"}),
        (b"STATUS=a=b", {"STATUS": "a=b"}),
        (b"STATUS=\xff\x1b[2J", {"STATUS": "\N{REPLACEMENT CHARACTER} [2J"}),
        ("STATUS=größer → weiter".encode(), {"STATUS": "größer → weiter"}),
        (b"MAINPID=12\nSTOPPING=1\nRELOADING=1", {"MAINPID": "12", "STOPPING": "1", "RELOADING": "1"}),
        (b"ready=1\n READY=1\nFDSTORE=1\nBARRIER=1", {}),
    ],
)
def test_a_message_is_read(data: bytes, said: dict[str, str]) -> None:
    assert parse(data) == said


@given(st.binary(max_size=LARGEST))
def test_no_message_is_too_strange(data: bytes) -> None:
    for key, value in parse(data).items():
        assert key in KEYS
        assert value == "" or value.isprintable()


plain = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=40)


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), plain), st.dictionaries(plain, plain))
def test_what_was_meant_is_read_whatever_stands_around_it(meant: dict[str, str], other: dict[str, str]) -> None:
    others = [f"{k}={v}" for k, v in other.items() if k.partition("=")[0] not in KEYS]
    lines = [f"{k}={v}" for k, v in meant.items()]
    mixed = [line for pair in zip(lines, others, strict=False) for line in pair]
    mixed += lines[len(others) :] + others[len(lines) :]
    assert parse("\n".join(mixed).encode()) == meant


def test_a_message_that_is_too_long_is_thrown_away(desk: Desk) -> None:
    with sender(desk.notifies.open("web")) as line:
        line.send(b"READY=1\nSTATUS=" + b"x" * LARGEST)
        line.send(b"STATUS=" + b"x" * (LARGEST - 7))
    desk.until(lambda: bool(desk.heard))
    assert [set(said) for _, said, _ in desk.heard] == [{"STATUS"}]
    assert desk.said == [f"<4>notification of more than {LARGEST} bytes thrown away resource=web"]


def test_descriptors_that_come_along_are_not_kept(desk: Desk) -> None:
    reader, writer = os.pipe()
    with sender(desk.notifies.open("web")) as line:
        for _ in range(5):
            socket.send_fds(line, [b"FDSTORE=1\nREADY=1"], [writer] * 10)
    os.close(writer)
    desk.until(lambda: len(desk.heard) == 5)
    os.set_blocking(reader, False)
    assert os.read(reader, 1) == b"", "nobody holds the other end any more"
    os.close(reader)


# -- floods ---------------------------------------------------------------------------------------------------------


def test_a_flood_does_not_starve_the_loop_and_the_sender_waits(desk: Desk) -> None:
    address = desk.notifies.open("noisy")
    script = SEND.replace("for message in sys.argv[1:]:", "while True:").replace("message.encode()", "b'WATCHDOG=1'")
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", script], env={"NOTIFY_SOCKET": address})
    try:
        with sender(desk.notifies.open("quiet")) as line:
            line.send(b"READY=1")
        turns: list[tuple[int, int]] = []

        def enough() -> bool:
            turns.append((int(desk.loop.now()), len(desk.heard)))
            return len(desk.heard) > 2 * MOST_A_SECOND

        desk.until(enough, 60)
    finally:
        process.kill()
        process.wait()
    assert any(name == "quiet" for name, _, _ in desk.heard)
    counts = [count for _, count in turns]
    assert max(after - before for before, after in pairwise(counts)) <= BURST + 1
    seconds = Counter[int]()
    for (_, before), (second, after) in pairwise(turns):
        seconds[second] += after - before
    assert max(seconds.values()) <= MOST_A_SECOND + BURST + 1
    assert desk.said == [f"<4>{MOST_A_SECOND} notifications in a second; it has to wait resource=noisy"]


def test_a_socket_closed_by_what_it_led_to(desk: Desk) -> None:
    def close(name: str, said: dict[str, str], pid: int) -> None:
        desk.heard.append((name, said, pid))
        notifies.close(name)

    notifies = Notifies(desk.loop, str(desk.place), close, desk.log)
    with sender(notifies.open("web")) as line:
        line.send(b"STOPPING=1")
        line.send(b"STATUS=late")
        desk.until(lambda: bool(desk.heard))
        assert len(desk.heard) == 1
        with pytest.raises(ConnectionRefusedError):
            line.send(b"READY=1")
    assert list((desk.place / "notify").iterdir()) == []


def test_last_words_are_heard_when_the_tree_is_gone(desk: Desk) -> None:
    with sender(desk.notifies.open("web")) as line:
        line.send(b"STATUS=cannot bind port 80")
    desk.notifies.drain("web")
    assert desk.heard[0][1] == {"STATUS": "cannot bind port 80"}
    desk.notifies.drain("nobody")


# -- the runner comes and goes --------------------------------------------------------------------------------------

RUNNER = """
    import sys
    from gds.linux.loop import Loop
    from gds.linux.notify import Notifies

    loop = Loop()
    notifies = Notifies(loop, sys.argv[1], lambda name, said, pid: print(said, flush=True))
    print(notifies.open("web"), flush=True)
    loop.run()
"""


def test_a_successor_listens_at_the_same_address(tmp_path: Path) -> None:
    addresses = []
    for n in range(2):
        argv = [sys.executable, "-c", textwrap.dedent(RUNNER), str(tmp_path)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as runner:
            assert runner.stdout is not None
            addresses.append(runner.stdout.readline().strip())
            with sender(addresses[-1]) as line:
                line.send(f"STATUS={n}".encode())
                assert runner.stdout.readline() == f"{{'STATUS': '{n}'}}\n"
                runner.kill()
                runner.wait()
                with pytest.raises(ConnectionRefusedError):
                    line.send(b"WATCHDOG=1")
    assert addresses[0] == addresses[1] == f"{tmp_path}/notify/web"


def test_opening_again_keeps_the_socket_unless_the_user_changed(desk: Desk) -> None:
    address = desk.notifies.open("web", NOBODY, NOBODY)
    first = os.stat(address).st_ino
    assert desk.notifies.open("web", NOBODY, NOBODY) == address
    assert os.stat(address).st_ino == first
    assert desk.notifies.open("web", DAEMON, DAEMON) == address
    assert os.stat(address).st_uid == DAEMON
    os.unlink(address)
    desk.notifies.open("web", DAEMON, DAEMON)
    assert desk.send(address, "READY=1", uid=DAEMON)


def test_a_long_name_and_a_long_directory(desk: Desk) -> None:
    addresses = [desk.notifies.open("w" * 254 + last) for last in "ab"]
    assert len(set(addresses)) == 2
    assert all(len(a) <= 107 for a in addresses)
    assert desk.notifies.open("w" * 254 + "a") == addresses[0]
    with sender(addresses[1]) as line:
        line.send(b"READY=1")
    desk.until(lambda: bool(desk.heard))
    assert desk.heard[0][0] == "w" * 254 + "b"
    with pytest.raises(OSError, match=r"^cannot make a notify socket in .*choose a shorter runtime_dir$"):
        Notifies(desk.loop, "/tmp/" + "x" * 100, lambda *_: None).open("web")


def test_a_directory_that_cannot_be_written_is_said(desk: Desk) -> None:
    (desk.place / "file").touch()
    with pytest.raises(
        OSError, match=f"^cannot make the notify socket {desk.place}/file/notify/web of web: not a directory"
    ):
        Notifies(desk.loop, f"{desk.place}/file", lambda *_: None).open("web")


def test_without_a_runtime_directory_the_sender_alone_is_checked(desk: Desk) -> None:
    desk.notifies = Notifies(desk.loop, "", lambda *message: desk.heard.append(message), desk.log)
    address = desk.notifies.open("web", NOBODY, NOBODY)
    assert address.startswith("@")
    assert desk.notifies.open("web", NOBODY, NOBODY) == address
    desk.send(address, "READY=1", uid=DAEMON)
    assert desk.heard == []
    desk.send(address, "READY=1", uid=NOBODY)
    assert [said for _, said, _ in desk.heard] == [{"READY": "1"}]
