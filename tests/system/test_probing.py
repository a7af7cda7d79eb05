"""The built-in probes against real listeners: every way to answer, to fail, and to be too slow."""

from __future__ import annotations

import json
import os
import resource
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gds.linux.loop import WRITE
from gds.linux.probing import Answer, Prober, one_line
from gds.linux.resolving import Names
from gds.model.resource import Port, Probe
from tests.system.turning import Turning, nothing_left_open

pytestmark = pytest.mark.slow

RESET = struct.pack("ii", 1, 0)


class Stage(Turning):
    """A loop, a prober on it, and listeners that behave as a test says, served by the same loop."""

    def __init__(self) -> None:
        super().__init__()
        self.prober = Prober(self.loop)
        self.opened: list[socket.socket] = []

    def close(self) -> None:
        for each in self.opened:
            each.close()
        super().close()

    def listen(
        self, family: int = socket.AF_INET, backlog: int = 128, at: str | tuple[str, int] | None = None
    ) -> socket.socket:
        made = socket.socket(family, socket.SOCK_STREAM)
        self.opened.append(made)
        made.bind(at or ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        made.listen(backlog)
        return made

    def serve(self, on_request: Callable[[socket.socket, bytes], None], family: int = socket.AF_INET) -> int:
        """An HTTP server's socket; `on_request(connection, what it asked)` for each connection. Its port."""
        listener = self.listen(family)

        def accept(_events: int) -> None:
            connection, _ = listener.accept()
            self.opened.append(connection)
            self.loop.watch(connection.fileno(), lambda _e: heard(connection))

        def heard(connection: socket.socket) -> None:
            self.loop.unwatch(connection.fileno())
            on_request(connection, connection.recv(65536))

        self.loop.watch(listener.fileno(), accept)
        port: int = listener.getsockname()[1]
        return port

    def says(self, answer: bytes, family: int = socket.AF_INET) -> int:
        """A server that gives this answer, whole, and hangs up."""

        def reply(connection: socket.socket, _asked: bytes) -> None:
            self.send(connection, answer)

        return self.serve(reply, family)

    def send(self, connection: socket.socket, data: bytes, then: Callable[[], None] | None = None) -> None:
        """All of it, however slowly it is taken; hang up, or do `then`."""
        connection.setblocking(False)
        left = [data]

        def go_on(_events: int) -> None:
            try:
                left[0] = left[0][connection.send(left[0]) :]
            except BlockingIOError:
                return
            except OSError:
                left[0] = b""  # the probe has heard enough
            if not left[0]:
                self.loop.unwatch(connection.fileno())
                if then is None:
                    connection.close()
                else:
                    then()

        self.loop.watch(connection.fileno(), go_on, WRITE)

    def ask(self, what: Probe | Port, timeout: float = 5.0) -> Answer:
        got: list[Answer] = []
        self.prober.ask(what, timeout, got.append)
        assert got == [], "the answer came before ask returned"
        self.until(lambda: bool(got), timeout + 20)
        return got[0]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with nothing_left_open():
        made = Stage()
        yield made
        made.close()
        del made  # and what its prober holds


def http(
    port: int, path: str = "/", host: str = "127.0.0.1", expect: tuple[tuple[int, int], ...] = ((200, 399),)
) -> Probe:
    return Probe("http", f"http://{host}:{port}{path}", host=host, port=port, path=path, expect=expect)


def waiting(port: int) -> int:
    """Sockets in TIME_WAIT with that port at one of their ends."""
    found = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            found += words[3] == "06" and f"{port:04X}" in (words[1][-4:], words[2][-4:])
    return found


# -- tcp ------------------------------------------------------------------------------------------------------------


def test_a_port_that_listens_is_well(stage: Stage) -> None:
    port = stage.listen().getsockname()[1]
    answer = stage.ask(Port(port))
    assert (answer.outcome, answer.message) == ("ok", "")
    assert answer.seconds > 0


def test_tcp6_asks_the_ipv6_loopback(stage: Stage) -> None:
    port = stage.listen(socket.AF_INET6).getsockname()[1]
    assert stage.ask(Port(port, "tcp6")).outcome == "ok"
    assert stage.ask(Port(port, "tcp")).outcome == "refused"


def test_nobody_listens(stage: Stage) -> None:
    listener = stage.listen()
    port = listener.getsockname()[1]
    listener.close()
    answer = stage.ask(Port(port))
    assert answer.outcome == "refused"
    assert answer.message == f"127.0.0.1 port {port}: connection refused"


def test_the_application_reads_an_end_of_file_and_nothing_waits_behind(stage: Stage) -> None:
    listener = stage.listen()
    port = listener.getsockname()[1]
    for _ in range(200):
        assert stage.ask(Port(port)).outcome == "ok"
        connection, _ = listener.accept()
        assert connection.recv(100) == b"", "an orderly end, not a reset"
        connection.close()
    assert waiting(port) == 0


def test_an_application_that_greets_first_is_well(stage: Stage) -> None:
    listener = stage.listen()
    got: list[Answer] = []
    stage.prober.ask(Port(listener.getsockname()[1]), 1.0, got.append)
    connection, _ = listener.accept()
    connection.sendall(b"220 hello\r\n")
    stage.until(lambda: bool(got))
    connection.close()
    assert got[0].outcome == "ok"


def fill(stage: Stage, listener: socket.socket) -> list[socket.socket]:
    """Connect until the listen queue takes no more."""
    made = []
    for _ in range(2):  # with a backlog of 0 the queue holds one; the second waits outside
        one = socket.socket(listener.family, socket.SOCK_STREAM)
        stage.opened.append(one)
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        made.append(one)
    return made


def test_a_full_queue_is_silence_and_the_connect_has_95_percent_of_the_time(stage: Stage) -> None:
    listener = stage.listen(backlog=0)
    fill(stage, listener)
    answer = stage.ask(Port(listener.getsockname()[1]), 0.6)
    assert answer.outcome == "timeout"
    assert answer.message.endswith("no answer within 0.57 s")
    assert answer.seconds >= 0.57


def test_a_queue_that_empties_in_time_is_well(stage: Stage) -> None:
    listener = stage.listen(backlog=0)
    fill(stage, listener)
    got: list[Answer] = []
    stage.prober.ask(Port(listener.getsockname()[1]), 10.0, got.append)
    stage.loop.turn(0.05)
    assert got == []
    for _ in range(2):
        listener.accept()[0].close()
    stage.until(lambda: bool(got), 10)  # the kernel repeats its SYN after a second
    assert got[0].outcome == "ok"
    assert got[0].seconds > 0.1


def test_a_connection_reset_before_we_hang_up_is_no_orderly_disconnect(stage: Stage) -> None:
    listener = stage.listen()
    port = listener.getsockname()[1]
    got: list[Answer] = []
    stage.prober.ask(Port(port), 1.0, got.append)
    connection, _ = listener.accept()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()
    stage.until(lambda: bool(got))
    assert got[0].outcome == "disconnect"
    assert got[0].message == f"127.0.0.1 port {port}: connected, then connection reset by peer"


def test_a_cancelled_question_is_never_answered(stage: Stage) -> None:
    listener = stage.listen(backlog=0)
    fill(stage, listener)
    port = listener.getsockname()[1]
    got: list[Answer] = []
    slow = http(port, host="127.0.0.1")
    asked = [stage.prober.ask(what, 0.3, got.append) for what in (Port(port), Port(1), slow)]
    asked.append(stage.prober.ask(Probe("unix", "/nowhere", path="/nowhere"), 0.3, got.append))
    asked.append(stage.prober.ask(Probe("tcp", "", host="localhost", port=port), 0.3, got.append))
    for each in asked:
        each.cancel()
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        stage.loop.turn(0.05)
    assert got == []


def test_a_machine_out_of_descriptors_says_nothing_about_the_application(stage: Stage) -> None:
    port = stage.listen().getsockname()[1]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
    taken = [os.dup(0) for _ in range(highest)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 1, before[1]))
    try:
        answers = [stage.ask(what) for what in (Port(port), http(port), Probe("unix", "/nowhere", path="/nowhere"))]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in taken:
            os.close(fd)
    assert [a.outcome for a in answers] == ["unable"] * 3
    assert "too many open files" in answers[0].message


def test_a_thousand_probes_a_second(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    script = (
        "import socket, sys\nl = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(4096)\n"
        "print(l.getsockname()[1], flush=True)\n"
        "while True:\n  c = l.accept()[0]; c.recv(1); c.close()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        what = Port(int(listener.stdout.readline()))
        answers: list[Answer] = []
        began = stage.loop.now()
        used = time.process_time()
        for n in range(2000):
            stage.loop.at(began + n / 1000, lambda: stage.prober.ask(what, 20, answers.append))
        stage.until(lambda: len(answers) == 2000)
        used = time.process_time() - used
        listener.kill()
    assert {a.outcome for a in answers} == {"ok"}
    with capsys.disabled():
        print(f" tcp probe: {used / 2000 * 1e6:.0f} us CPU each ", end="")


# -- names ----------------------------------------------------------------------------------------------------------


def named(stage: Stage, tmp_path: Path, *addresses: str) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"{a}  Other.example web.example # web.example2\n" for a in addresses))
    stage.prober.names = Names(stage.loop, hosts=str(hosts))


def test_a_name_is_well_when_both_families_answer(stage: Stage, tmp_path: Path) -> None:
    port = stage.listen().getsockname()[1]
    named(stage, tmp_path, "127.0.0.1", "::1")
    probe = Probe("tcp", "", host="WEB.example", port=port)
    answer = stage.ask(probe)
    assert answer.outcome == "refused"
    assert answer.message == (
        f"WEB.example: ::1 port {port}: connection refused "
        "(the other address family answers: name an address if only one is served)"
    )
    stage.listen(socket.AF_INET6, at=("::1", port))
    assert stage.ask(probe).outcome == "ok"


def test_a_family_without_address_is_skipped(stage: Stage, tmp_path: Path) -> None:
    port = stage.listen().getsockname()[1]
    named(stage, tmp_path, "127.0.0.1")
    assert stage.ask(Probe("tcp", "", host="web.example", port=port)).outcome == "ok"


def test_a_family_is_well_when_one_of_its_addresses_is(stage: Stage, tmp_path: Path) -> None:
    port = stage.listen().getsockname()[1]
    named(stage, tmp_path, "127.0.0.2", "127.0.0.1", "127.0.0.3")
    assert stage.ask(Probe("tcp", "", host="web.example", port=port)).outcome == "ok"


def test_families_are_asked_side_by_side_with_the_full_time_each(stage: Stage, tmp_path: Path) -> None:
    full = stage.listen(backlog=0)
    port = full.getsockname()[1]
    fill(stage, full)
    fill(stage, stage.listen(socket.AF_INET6, 0, ("::1", port)))
    named(stage, tmp_path, "127.0.0.1", "::1")
    answer = stage.ask(Probe("tcp", "", host="web.example", port=port), 2.0)
    assert answer.outcome == "timeout"
    assert 1.9 <= answer.seconds < 3.7, "one after the other would take 3.8"


def test_http_takes_the_family_that_answers(stage: Stage, tmp_path: Path) -> None:
    port = stage.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup")
    named(stage, tmp_path, "::1", "127.0.0.1")
    answer = stage.ask(http(port, host="web.example"))
    assert (answer.outcome, answer.message) == ("ok", "up")


def test_hosts_are_read_again_when_they_change(stage: Stage, tmp_path: Path) -> None:
    port = stage.listen().getsockname()[1]
    named(stage, tmp_path, "127.0.0.2")
    probe = Probe("tcp", "", host="web.example", port=port)
    assert stage.ask(probe).outcome == "refused"
    (tmp_path / "hosts.new").write_text("127.0.0.1 web.example\n")
    (tmp_path / "hosts.new").rename(tmp_path / "hosts")
    assert stage.ask(probe).outcome == "ok"


# A network and a resolv.conf of its own. The name server is on the loop that asks, so a resolver that blocked the
# loop would never be answered.
RESOLVING = """
    import json, os, signal, socket, sys
    from gds.linux.loop import Loop
    from gds.linux.probing import Prober
    from gds.linux.reaper import Reaper
    from gds.model.resource import Probe

    class Clock:
        ahead = 0.0
        def monotonic(self):
            import time
            return time.monotonic() + self.ahead

    clock = Clock()
    loop = Loop(clock)
    reaper = Reaper(loop)
    strangers = []
    reaper.on_stranger = lambda pid, status: strangers.append(pid)
    prober = Prober(loop, reaper.expect)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    listener = socket.create_server(("127.0.0.7", 0))
    port = listener.getsockname()[1]
    asked = []
    mode = "answer"

    def query(_events):
        data, who = server.recvfrom(4096)
        end = data.index(b"\\0", 12)
        kind = int.from_bytes(data[end + 1 : end + 3], "big")
        asked.append(kind)
        if mode == "silent":
            return
        record = b""
        if kind == 1 and mode == "answer":
            record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + bytes([127, 0, 0, 7])
        code = b"\\x83" if mode == "unknown" else b"\\x80"
        head = data[:2] + b"\\x81" + code + b"\\0\\1" + (b"\\0\\1" if record else b"\\0\\0") + bytes(4)
        server.sendto(head + data[12 : end + 5] + record, who)

    loop.watch(server.fileno(), query)

    def ask(host, seconds, http=False):
        got = []
        probes = [Probe("tcp", "", host=host, port=port)] * 2
        if http:
            probes = [Probe("http", "", host=host, port=port, path="/")]
        for probe in probes:
            prober.ask(probe, seconds, got.append)
        while len(got) < len(probes):
            loop.turn(1)
        assert {a.outcome for a in got} == {got[0].outcome}, got
        return got[0].outcome, got[0].message

    def gone():
        for _ in range(100):
            if not open(f"/proc/self/task/{os.getpid()}/children").read():
                return True
            loop.turn(0.1)
        return False

    seen = {"first": ask("web.test", 10), "queries": len(asked), "children gone": gone()}
    seen["fresh"] = ask("web.test", 10)
    seen["queries later"] = len(asked)
    clock.ahead = 1000.0
    mode = "silent"
    seen["stale"] = ask("web.test", 0.4)
    seen["killed"] = gone()
    seen["silence"] = ask("other.test", 0.4)
    seen["http silence"] = ask("other.test", 0.4, True)
    mode = "unknown"
    seen["unknown"] = ask("nobody.test", 10)
    seen["http unknown"] = ask("nobody.test", 10, True)
    mode = "empty"
    seen["empty"] = ask("empty.test", 10)
    seen["illegal"] = ask("x" * 300 + ".test", 10)
    seen["strangers"] = len(strangers) if gone() else -1
    print(json.dumps(seen))
"""


def test_the_system_resolver_is_asked_without_blocking_the_loop(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:1\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: files dns\n")
    (tmp_path / "script.py").write_text(textwrap.dedent(RESOLVING))
    enter = (
        'ip link set lo up; for f in resolv.conf nsswitch.conf; do mount --bind "$1/$f" /etc/$f; done; '
        'exec "$2" -W error "$1/script.py"'
    )
    argv = ["unshare", "--net", "--mount", "sh", "-ec", enter, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    well = ["ok", ""]
    assert (seen["first"], seen["fresh"]) == (well, well)
    assert seen["children gone"]
    assert seen["queries"] == seen["queries later"] == 2, "one child for both, A and AAAA; then it is remembered"
    assert seen["stale"] == well, "an outage of the name server leaves what was known in force"
    assert seen["killed"], "the child that nobody waits for any more is killed and reaped"
    silence = ["unable", "cannot resolve other.test: no answer within 0.38 s"]
    assert (seen["silence"], seen["http silence"]) == (silence, silence)
    unknown = ["error", "cannot resolve nobody.test: name or service not known"]
    assert (seen["unknown"], seen["http unknown"]) == (unknown, unknown)
    assert seen["empty"] == ["error", "cannot resolve empty.test: no address associated with hostname"]
    assert seen["illegal"][0] == "error"
    assert seen["strangers"] == 0


# -- unix -----------------------------------------------------------------------------------------------------------


def unix(path: Path) -> Probe:
    return Probe("unix", str(path), path=str(path))


def test_a_unix_socket_that_listens(stage: Stage, tmp_path: Path) -> None:
    stage.listen(socket.AF_UNIX, at=str(tmp_path / "s"))
    assert stage.ask(unix(tmp_path / "s")).outcome == "ok"


def test_an_abstract_unix_socket(stage: Stage) -> None:
    stage.listen(socket.AF_UNIX, at=f"\0gds-test-{os.getpid()}")
    assert stage.ask(Probe("unix", f"@gds-test-{os.getpid()}")).outcome == "ok"


def test_a_unix_socket_that_is_not_there_or_has_no_owner_refuses(stage: Stage, tmp_path: Path) -> None:
    stage.listen(socket.AF_UNIX, at=str(tmp_path / "stale")).close()
    for name in ("missing", "stale"):
        answer = stage.ask(unix(tmp_path / name))
        assert answer.outcome == "refused", answer
        assert answer.message.startswith(f"{tmp_path}/{name}: ")


def test_a_path_that_no_stream_listens_on_is_an_error(stage: Stage, tmp_path: Path) -> None:
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    stage.opened.append(datagrams)
    datagrams.bind(str(tmp_path / "d"))
    assert stage.ask(unix(tmp_path / "d")).outcome == "error"
    assert stage.ask(unix(tmp_path / ("long" * 40))).outcome == "error"


def test_a_unix_socket_with_a_full_queue(stage: Stage, tmp_path: Path) -> None:
    listener = stage.listen(socket.AF_UNIX, 0, str(tmp_path / "s"))
    fill(stage, listener)
    answer = stage.ask(unix(tmp_path / "s"), 0.4)
    assert answer.outcome == "timeout"
    assert answer.seconds >= 0.38
    got: list[Answer] = []
    stage.prober.ask(unix(tmp_path / "s"), 5.0, got.append)
    stage.loop.turn(0.05)
    assert got == []
    listener.accept()[0].close()
    stage.until(lambda: bool(got))
    assert got[0].outcome == "ok"


# -- http -----------------------------------------------------------------------------------------------------------


def test_what_is_asked_for(stage: Stage) -> None:
    asked: list[bytes] = []

    def reply(connection: socket.socket, request: bytes) -> None:
        asked.append(request)
        stage.send(connection, b"HTTP/1.1 204 No Content\r\n\r\n")

    port = stage.serve(reply, socket.AF_INET6)
    answer = stage.ask(http(port, "/health?deep=1", host="::1"))
    assert (answer.outcome, answer.message) == ("ok", "")
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == "GET /health?deep=1 HTTP/1.1"
    assert f"Host: [::1]:{port}" in lines
    assert "Connection: close" in lines


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CUT = "it hung up in the middle of its answer (HTTP 200)"


@pytest.mark.parametrize(
    ("answer", "outcome", "message"),
    [
        (OK + b"Content-Length: 9\r\n\r\n\r\nfine\r\nx", "ok", "fine"),
        (b"HTTP/1.0 200 OK\r\n\r\nas long as the connection", "ok", "as long as the connection"),
        (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "ok", "abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\ny", "ok", "y"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "ok", ""),
        (OK + b"Content-Length: 13\r\n\r\n\x1b[31m\x00red\xff\xc3\xa9!", "ok", "[31m red\ufffdé!"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 8\r\n\r\ntoo many", "status", "HTTP 503: too many"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status", "HTTP 404"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "error", "does not speak HTTP: "),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "error", "does not speak HTTP: it began with b'SSH-2.0-OpenSSH_9.2\\r'"),
        (b"\x00\xff\xfe" * 1000, "error", "does not speak HTTP: it began with "),
        (OK + b"Content-Length: many\r\n\r\n", "error", "does not speak HTTP: "),
        (OK + b"X-Long: " + b"y" * 300_000, "error", "does not speak HTTP: "),
        (OK + b"X-A: y\r\n" * 40_000, "error", "does not speak HTTP: "),
        (b"", "disconnect", "it hung up before it answered"),
        (b"HTTP/1.1 200", "disconnect", "it hung up before it answered"),
        (OK + b"Content-Length: 10\r\n\r\nhalf", "disconnect", CUT),
        (CHUNKED + b"5\r\nab", "disconnect", CUT),
    ],
    ids=lambda value: repr(value[:44]) if isinstance(value, bytes) else None,
)
def test_an_answer_and_what_it_means(stage: Stage, answer: bytes, outcome: str, message: str) -> None:
    port = stage.says(answer)
    got = stage.ask(http(port))
    assert got.outcome == outcome, got
    if outcome in ("ok", "status"):
        assert got.message == message
    else:
        assert got.message.startswith(f"127.0.0.1 port {port}: {message}")
        assert len(got.message) < 300


def test_the_statuses_that_are_expected_are_for_the_user_to_say(stage: Stage) -> None:
    port = stage.says(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    assert stage.ask(http(port, expect=((200, 299), (401, 401)))).outcome == "ok"
    assert stage.ask(http(port, expect=((402, 499),))).outcome == "status"


def test_of_a_large_body_only_the_beginning_is_read(stage: Stage) -> None:
    taken = [0]

    def reply(connection: socket.socket, _request: bytes) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        body = (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + b"e\xcc\x81" * 3000 + b"\nnext" + b"z" * (1 << 20)
        )
        stage.send(connection, body, lambda: taken.__setitem__(0, 1))

    answer = stage.ask(http(stage.serve(reply)))
    assert answer.outcome == "ok"
    assert 4000 < len(answer.message.encode()) <= 4096
    assert set(answer.message) == {"e", "\N{COMBINING ACUTE ACCENT}"}
    assert taken == [0], "the body was not sent to its end"


def test_a_server_that_takes_its_time_is_too_slow(stage: Stage) -> None:
    def dribble(connection: socket.socket, _request: bytes, parts: list[bytes]) -> None:
        def next_one() -> None:
            if parts:
                stage.send(connection, parts.pop(0), lambda: None)
                stage.loop.after(0.02, next_one)

        next_one()

    never = stage.serve(lambda connection, request: None)
    answer = stage.ask(http(never), 0.4)
    assert (answer.outcome, answer.message) == ("timeout", f"127.0.0.1 port {never}: no answer within 0.4 s")
    assert answer.seconds >= 0.4

    slow = stage.serve(lambda c, r: dribble(c, r, [bytes([b]) for b in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99]))
    assert stage.ask(http(slow), 0.4).outcome == "timeout"

    stuck = stage.serve(lambda c, r: dribble(c, r, [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]))
    answer = stage.ask(http(stuck), 1.5)
    assert (answer.outcome, answer.message) == (
        "timeout",
        f"127.0.0.1 port {stuck}: HTTP 200, then silence within 1.5 s",
    )

    quick = stage.serve(
        lambda c, r: dribble(c, r, [bytes([b]) for b in b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nk"])
    )
    answer = stage.ask(http(quick), 20)
    assert (answer.outcome, answer.message) == ("ok", "k")


def test_a_connection_reset_in_the_middle(stage: Stage) -> None:
    def reply(connection: socket.socket, _request: bytes) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        stage.loop.after(0.05, connection.close)

    port = stage.serve(reply)
    answer = stage.ask(http(port))
    assert answer.outcome == "disconnect"
    assert answer.message == f"127.0.0.1 port {port}: connection reset by peer in the middle of its answer (HTTP 200)"


def test_a_path_that_cannot_be_sent_is_an_error_and_not_a_silence(stage: Stage) -> None:
    port = stage.listen().getsockname()[1]
    for path in ("/a b", "/é", "/a\r\nX: y"):
        answer = stage.ask(http(port, path), 1.0)
        assert answer.outcome == "error"
        assert "cannot be asked for" in answer.message
        assert "\n" not in answer.message


def test_a_notify_probe_is_not_asked(stage: Stage) -> None:
    with pytest.raises(ValueError, match="notify"):
        stage.prober.ask(Probe("notify", "notify"), 1.0, lambda answer: None)


# -- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n \n\t\nfirst\nsecond", "first"),
        ("a\x07b\x9bc", "a b c"),
        ("é" * 5000, "é" * 2048),
        ("\ud800x", "x"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_the_prober_loads_http_only_when_it_is_asked_for() -> None:
    script = (
        "import sys; from gds.linux.probing import Prober; from gds.linux.loop import Loop; from gds.model.resource "
        "import Port; l = Loop(); p = Prober(l); got = []; p.ask(Port(1), 1.0, got.append)\n"
        "while not got: l.turn()\n"
        "print(sorted({'h11', 'socket', 're', 'ipaddress', 'typing'} & set(sys.modules)))"
    )
    root = str(Path(__file__).parents[2])
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {root!r}); {script}"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stdout + done.stderr
