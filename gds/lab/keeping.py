"""The keeper of a node: starts its member of etcd and its runner, and the runner again when it fails, as systemd would
(units/gds.service). A member of etcd that ended stays so until `gds lab start`.

    python -m gds.lab.keeping DIRECTORY NODE         (gds lab starts it)

It ends with its node. SIGUSR1: start what is missing.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from gds.lab import cells, members, network
from gds.lab.place import Lab, LabFault, read
from gds.lab.records import record

FINAL = (0, 75, 77, 78)
"""Exit statuses after which a runner is not started again."""
_AGAIN = 0.1
_PATIENCE = 1.0
"""Seconds until the next start: after a life that lasted, and after one that did not."""
_HEARD = (signal.SIGCHLD, signal.SIGUSR1)
SETTINGS = "gds.toml"


class Keeper:
    """One node's. It is in the node's cgroup and network already."""

    def __init__(self, lab: Lab, node: str) -> None:
        self._lab = lab
        self._home = lab.home(node)
        others = [name for name in lab.nodes if name != node]
        where = ["--runtime-dir", f"{self._home}/run", "--state-dir", f"{self._home}/state"]
        engine = ["--engine", "etcd", "--etcd-endpoints", ",".join(lab.url(name) for name in (node, *others))]
        runner = [sys.executable, "-P", "-m", "gds", "run", *engine, "--node", node, *where, *lab.paths]
        self._commands = {"etcd": members.command(lab, node), "runner": runner}
        self._alive: dict[int, str] = {}
        self._started: dict[str, float] = {}
        self._due: dict[str, float] = dict.fromkeys(self._commands, 0.0)

    def keep(self) -> None:
        """For ever."""
        while True:
            now = time.monotonic()
            for what in [each for each, at in self._due.items() if at <= now]:
                del self._due[what]
                self._start(what)
            soon = min(self._due.values(), default=now + 3600.0)
            told = signal.sigtimedwait(_HEARD, max(0.0, soon - now))
            self._bury()  # also for SIGUSR1, which comes before the SIGCHLD of what it asks for
            if told is not None and told.si_signo == signal.SIGUSR1:
                missing = self._commands.keys() - self._alive.values()
                self._due.update(dict.fromkeys(missing, 0.0))

    def _start(self, what: str) -> None:
        log = os.open(f"{self._home}/{what}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        env = members.environment()
        if what == "runner":
            env["GDS_CONFIG"] = f"{self._lab.directory}/{SETTINGS}"
        argv = self._commands[what]
        try:
            pid = os.posix_spawn(
                argv[0],
                argv,
                env,
                file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
                setsid=True,
                setsigmask=(),
                setsigdef=_HEARD,
            )
        except OSError as error:
            os.write(log, f"-- gds lab: cannot start the {what}: {error.strerror}\n".encode())
            return
        finally:
            os.close(log)
        self._alive[pid] = what
        self._started[what] = time.monotonic()
        record(f"{self._home}/{what}.pid", pid)

    def _bury(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            what = self._alive.pop(pid, "")
            if not what:
                continue
            code = os.waitstatus_to_exitcode(status)
            how = f"by signal {-code}" if code < 0 else f"with {code}"
            again = what == "runner" and code not in FINAL
            if again:
                lasted = time.monotonic() - self._started[what] > _PATIENCE
                self._due[what] = time.monotonic() + (_AGAIN if lasted else _PATIENCE)
            with open(f"{self._home}/{what}.log", "a", encoding="utf-8") as log:
                log.write(
                    f"-- gds lab: the {what} ended {how}; {'it is started again' if again else 'it stays down'}\n"
                )


def main(argv: list[str]) -> None:
    """Never returns, but for what is refused."""
    directory, node = argv
    try:
        _keep(directory, node)
    except LabFault as error:
        sys.exit(str(error))


def _keep(directory: str, node: str) -> None:
    lab = read(directory)
    cells.join(lab.cell(node))
    network.enter(lab, node)
    os.chdir(lab.cwd if os.path.isdir(lab.cwd) else "/")
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    record(f"{lab.home(node)}/keeper.pid", os.getpid())
    Keeper(lab, node).keep()


if __name__ == "__main__":
    main(sys.argv[1:])
