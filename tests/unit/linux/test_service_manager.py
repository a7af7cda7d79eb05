"""What the runner tells the service manager, received on a socket as systemd's is."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.linux.loop import Loop
from gds.linux.systemd import ServiceManager, ascii_safe, watchdog_interval

NOT_CONNECTED = os.strerror(errno.ENOTCONN)


class Systemd:
    """The other side."""

    def __init__(self, address: str) -> None:
        self.loop = Loop()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.managers: list[ServiceManager] = []
        self.environ = {"NOTIFY_SOCKET": address, "PATH": "/bin"}

    def manager(self, **more: str) -> ServiceManager:
        made = ServiceManager(self.loop, self.environ | more)
        self.managers.append(made)
        return made

    def close(self) -> None:
        for each in self.managers:
            each.close()
        self.socket.close()
        self.loop._epoll.close()

    def heard(self) -> list[str]:
        found = []
        try:
            while True:
                found.append(self.socket.recv(8192).decode())
        except BlockingIOError:
            return found

    def until(self, fact: Callable[[], bool], within: float = 5.0) -> None:
        deadline = time.monotonic() + within
        while not fact():
            assert time.monotonic() < deadline, "it did not come"
            self.loop.turn(0.02)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(str(tmp_path / "notify"))
    yield made
    made.close()


def test_the_life_of_a_runner(systemd: Systemd) -> None:
    manager = systemd.manager()
    assert manager.present
    manager.status("web STARTING")
    manager.ready("1 of 1 online")
    manager.status("1 of 1 online")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.reloading("Reloading")
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.ready()
    manager.watchdog()
    manager.extend_timeout(30)
    manager.stopping("Stopping: asked to end")
    manager.exit_status(75)
    heard = systemd.heard()
    reloading = heard.pop(2).split("\n")
    assert reloading[0] == "RELOADING=1"
    assert reloading[2:] == ["STATUS=Reloading"]
    assert before <= int(reloading[1].removeprefix("MONOTONIC_USEC=")) <= after
    assert heard == [
        "STATUS=web STARTING",
        "READY=1\nSTATUS=1 of 1 online",
        "READY=1",
        "WATCHDOG=1",
        "EXTEND_TIMEOUT_USEC=30000000",
        "STOPPING=1\nSTATUS=Stopping: asked to end",
        "EXIT_STATUS=75",
    ]


def test_no_command_inherits_our_socket_or_our_watchdog(systemd: Systemd) -> None:
    environ = systemd.environ | {"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}
    kept = os.environ.get("NOTIFY_SOCKET")
    manager = ServiceManager(systemd.loop, environ)
    assert environ == {"PATH": "/bin"}
    assert os.environ.get("NOTIFY_SOCKET") == kept
    assert manager.watchdog_interval == 1.0
    script = "for fd in /proc/self/fd/*; do readlink $fd; done"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, close_fds=False)
    assert "socket:" not in done.stdout
    manager.close()


def test_an_abstract_socket() -> None:
    systemd = Systemd(f"@gds-test-{os.getpid()}")
    systemd.manager().ready()
    assert systemd.heard() == ["READY=1"]
    systemd.close()


def test_without_a_service_manager_nothing_is_said_or_loaded() -> None:
    script = (
        "import sys; from gds.linux.loop import Loop; from gds.linux.systemd import ServiceManager\n"
        "m = ServiceManager(Loop(), {}); m.ready('x'); m.status('y'); m.watchdog(); m.every(lambda: True)\n"
        "print(m.present, m.fault, {'sdnotify', 'socket'} & set(sys.modules))"
    )
    root = str(Path(__file__).parents[3])
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {root!r})\n{script}"]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "False  set()\n"


def test_a_socket_that_is_not_there_is_a_fault_and_no_exception(tmp_path: Path, systemd: Systemd) -> None:
    manager = ServiceManager(systemd.loop, {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    manager.ready()
    assert not manager.present
    assert manager.fault == f"cannot reach the service manager at {tmp_path}/gone: No such file or directory"


def test_each_fault_is_told_once(tmp_path: Path, systemd: Systemd) -> None:
    said: list[str] = []
    ServiceManager(systemd.loop, {"NOTIFY_SOCKET": str(tmp_path / "gone")}, said.append)
    assert said == [f"cannot reach the service manager at {tmp_path}/gone: No such file or directory"]
    said.clear()
    manager = ServiceManager(systemd.loop, systemd.environ, said.append)
    systemd.managers.append(manager)
    assert said == []
    systemd.socket.close()
    for text in ("one", "two", "three"):
        manager.status(text)
    # how it went away is told, then that it stays away
    assert said == [f"cannot tell the service manager: {why}" for why in ("Connection refused", NOT_CONNECTED)]


def test_a_service_manager_that_went_away_is_a_fault_and_no_exception(systemd: Systemd) -> None:
    manager = systemd.manager()
    systemd.socket.close()
    manager.ready()
    assert manager.fault == "cannot tell the service manager: Connection refused"
    assert systemd.loop.next_due() is None, "nobody wakes up for it again"


def test_words_that_sdnotify_would_drop_arrive(systemd: Systemd) -> None:
    systemd.manager().status("größer → weiter\nzweite Zeile…")
    assert systemd.heard() == ["STATUS=gr??er -> weiter zweite Zeile..."]


@given(st.text())
def test_any_status_is_one_line_of_ascii(text: str) -> None:
    said = ascii_safe(text)
    assert said.isascii()
    assert not said or said.isprintable()
    assert len(said) <= 2000


def test_the_same_status_is_told_once(systemd: Systemd) -> None:
    manager = systemd.manager()
    for text in ("a", "a", "b", "b", "a"):
        manager.status(text)
    assert systemd.heard() == ["STATUS=a", "STATUS=b", "STATUS=a"]


def test_a_full_queue_delays_what_matters_and_loses_what_is_old(systemd: Systemd) -> None:
    manager = systemd.manager()
    for n in range(1000):
        manager.status(f"{n}")
    manager.reloading()
    manager.ready("done")
    manager.stopping()
    began = systemd.heard()
    assert 0 < len(began) < 1000
    late: list[str] = []

    def more() -> bool:
        late.extend(systemd.heard())
        return len(late) == 3

    systemd.until(more)
    assert late == ["STATUS=999", "READY=1\nSTATUS=done", "STOPPING=1"]
    manager.watchdog()
    assert systemd.heard() == ["WATCHDOG=1"]


def test_the_watchdog_is_fed_for_as_long_as_it_is_deserved(systemd: Systemd) -> None:
    manager = systemd.manager(WATCHDOG_USEC="40000")
    assert manager.watchdog_interval == 0.02
    deserved = True
    manager.every(lambda: deserved)
    fed: list[str] = []

    def enough() -> bool:
        fed.extend(systemd.heard())
        return len(fed) >= 5

    systemd.until(enough)
    assert set(fed) == {"WATCHDOG=1"}
    deserved = False
    systemd.until(lambda: not systemd.heard())
    turns = systemd.loop.turns
    systemd.until(lambda: systemd.loop.turns >= turns + 5)
    assert systemd.heard() == []
    deserved = True
    systemd.until(lambda: bool(systemd.heard()))


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "0"}, 0.0),
        ({"WATCHDOG_USEC": "-5"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "me"}, 0.0),
    ],
)
def test_how_often_the_watchdog_wants_to_hear(environ: dict[str, str], seconds: float) -> None:
    assert watchdog_interval(environ) == seconds
