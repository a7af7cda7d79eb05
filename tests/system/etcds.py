"""Real etcd for tests: one member on a port of its own, or the lab of several (tests/lab/etcd-cluster.sh).

Both are entered with `with`, and leave nothing. A test inside of a lab is itself a client in it: `inside` takes the
calling thread into the client's network.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from gds.engine.etcd import EtcdEngine
from gds.linux.loop import Loop
from gds.linux.resolving import Names
from gds.model.settings import EtcdSettings
from gds.model.store import Delete
from tests.system.lab import LAB, install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.store import Operation
    from gds.ports import ClusterEngine

DEADLINE = 30.0
SCRIPT = str(LAB / "etcd-cluster.sh")
_CLONE_NEWNET = 0x40000000
ETCD = os.environ.get("ETCD_BIN", "/usr/bin/etcd")
ETCDCTL = os.environ.get("ETCDCTL_BIN", "/usr/bin/etcdctl")
"""Another etcd than the distribution's is tried by naming it, here as for the lab."""
FAST = ("--heartbeat-interval", "20", "--election-timeout", "200")


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Turning:
    """A real loop, turned by the test; engines made here are closed at the end."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.names = Names(self.loop)
        self.engines: list[ClusterEngine] = []

    def until(self, fact: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE
        while not fact():
            assert time.monotonic() < end, f"not within {DEADLINE} s; {[e.describe() for e in self.engines]}"
            self.loop.turn(0.05)

    def rest(self, seconds: float = 0.4) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.loop.turn(0.05)

    def make(self, settings: EtcdSettings, node: str = "a") -> EtcdEngine:
        engine = EtcdEngine(settings, self.loop, node, self.names)
        self.engines.append(engine)
        return engine

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        self.engines.clear()


class Member:
    """One etcd on a loopback port, its data in `where`."""

    def __init__(self, where: Path, *arguments: str, scheme: str = "http") -> None:
        install("etcd")
        self.where = where
        self.arguments = arguments
        self.port = free_port()
        self.peer = free_port()
        self.scheme = scheme
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.tls: tuple[str, ...] = ()
        """What etcdctl needs to be let in."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """And wait until it serves."""
        peer = f"http://127.0.0.1:{self.peer}"
        command = [ETCD, "--name", "m", "--data-dir", str(self.where / "data"), *FAST]
        command += ["--listen-client-urls", self.url, "--advertise-client-urls", self.url]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        command += ["--initial-cluster", f"m={peer}", *self.arguments]
        self.where.mkdir(parents=True, exist_ok=True)
        with (self.where / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + DEADLINE
        while self._ctl("endpoint", "status").returncode:
            assert time.monotonic() < end, (self.where / "log").read_text()[-2000:]
            assert self._process.poll() is None, (self.where / "log").read_text()[-2000:]
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, and it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [ETCDCTL, "--endpoints", self.url, "--command-timeout", "5s", *self.tls, *words]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=DEADLINE)

    def ctl(self, *words: str) -> str:
        """etcdctl, which must succeed."""
        done = self._ctl(*words)
        assert done.returncode == 0, f"etcdctl {words}: {done.stderr}"
        return done.stdout

    @property
    def version(self) -> tuple[int, ...]:
        """As etcd itself says."""
        said = subprocess.run([ETCD, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
        return tuple(int(part) for part in said.split("."))

    def compact(self) -> None:
        """Forget everything but what is."""
        status = self.ctl("endpoint", "status", "-w", "fields")
        revision = next(line.split(":")[1].strip() for line in status.splitlines() if line.startswith('"Revision"'))
        self.ctl("compact", revision)

    def wipe(self) -> None:
        """An empty store at the same place."""
        self.kill()
        shutil.rmtree(self.where / "data")
        self.start()


class Guarded(Member):
    """A member that demands certificates of its own CA; with `guard` passwords as well."""

    def __init__(self, where: Path) -> None:
        self.pki, self.other = where / "pki", where / "other"
        for each in (self.pki, self.other):
            subprocess.run([SCRIPT, "pki", str(each)], check=True, env={**os.environ, "LAB_NAME": "pki"})
        arguments = ["--cert-file", f"{self.pki}/n1.crt", "--key-file", f"{self.pki}/n1.key", "--client-cert-auth"]
        arguments += ["--trusted-ca-file", f"{self.pki}/ca.crt", "--auth-token-ttl", "1"]
        super().__init__(where / "member", *arguments, scheme="https")
        client = ("--cert", f"{self.pki}/client.crt", "--key", f"{self.pki}/client.key")
        self.tls = ("--cacert", f"{self.pki}/ca.crt", *client)
        self.password = where / "password"
        self.settings = EtcdSettings(
            endpoints=(self.url,),
            ca_file=f"{self.pki}/ca.crt",
            cert_file=f"{self.pki}/client.crt",
            key_file=f"{self.pki}/client.key",
            allow_old_etcd=True,
        )

    def guard(self) -> EtcdSettings:
        """Passwords are on from now on; the settings of a user who may touch /gds only."""
        self.ctl("user", "add", "root:root")
        self.ctl("user", "grant-role", "root", "root")
        self.ctl("role", "add", "gds")
        self.ctl("role", "grant-permission", "gds", "readwrite", "--prefix=true", "/gds/")
        self.ctl("user", "add", "gds:secret")
        self.ctl("user", "grant-role", "gds", "gds")
        self.ctl("auth", "enable")
        self.tls += ("--user", "root:root")
        self.password.touch(0o600)
        self.password.write_text("secret\n")
        return self.settings.replace(user="gds", password_file=str(self.password))

    def client_named(self, name: str) -> dict[str, str]:
        """A good client certificate with that common name."""
        made, ca = self.where / name, self.pki / "ca"
        request = [
            "openssl",
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            f"/CN={name}",
        ]
        sign = [
            "openssl",
            "x509",
            "-req",
            "-in",
            f"{made}.csr",
            "-CA",
            f"{ca}.crt",
            "-CAkey",
            f"{ca}.key",
            "-days",
            "2",
        ]
        for command in ([*request, "-keyout", f"{made}.key", "-out", f"{made}.csr"], [*sign, "-out", f"{made}.crt"]):
            subprocess.run(command, check=True, capture_output=True)
        return {"cert_file": f"{made}.crt", "key_file": f"{made}.key"}


class OneMember(Turning):
    """A tests.contract.engines.SharedBench on one real member, under a prefix of its own."""

    def __init__(self, member: Member, settings: EtcdSettings | None = None) -> None:
        super().__init__()
        self.member = member
        self.prefix = f"{settings.prefix if settings else ''}/{uuid.uuid4().hex}"
        given = settings or EtcdSettings(endpoints=(member.url,), allow_old_etcd=True)
        self.settings = given.replace(prefix=self.prefix)

    def engine(self, node: str = "a") -> EtcdEngine:
        return self.make(self.settings, node)

    def silence(self) -> None:
        self.member.signal(signal.SIGSTOP)

    def end_silence(self) -> None:
        self.member.signal(signal.SIGCONT)

    def restart(self) -> None:
        self.member.kill()
        self.member.start()

    def behind_its_back(self, *operations: Operation) -> None:
        self.restart()
        for each in operations:
            key = f"{self.prefix}/{each.key}"
            self.member.ctl("del", key) if isinstance(each, Delete) else self.member.ctl("put", "--", key, each.value)
        self.member.compact()

    def wipe(self) -> None:
        self.member.wipe()


class Cluster:
    """The lab of several members; verbs as tests/lab/etcd-cluster.sh has them."""

    def __init__(self, where: Path, members: int = 3, **environment: str) -> None:
        install("etcd")
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.where = where / self.name
        self._members = members
        self._environment = {**os.environ, "LAB_NAME": self.name, "LAB_DIR": str(self.where), **environment}

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [SCRIPT, *words], env=self._environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def begun(self, *words: str) -> subprocess.Popen[str]:
        """The same, while the test goes on."""
        return subprocess.Popen([SCRIPT, *words], env=self._environment, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        try:
            self("up", str(self._members))
        except BaseException:
            self("down")
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self("down")

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(self("endpoints").split(","))

    def leader(self) -> str:
        """The member that leads; waits for one."""
        end = time.monotonic() + DEADLINE
        while (found := self("leader")) == "none":
            assert time.monotonic() < end
        return found

    @contextlib.contextmanager
    def inside(self, node: str = "c") -> Iterator[None]:
        """This thread's new sockets are in that node's network."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self('namespace', node)}") as there:
            assert libc.setns(there.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
