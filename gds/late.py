"""What is loaded when it is first needed: edges and drivers that many a runner never uses, each behind a small thing
that looks like it. An idle runner pays for none of them.
"""

from __future__ import annotations

import os

from gds.daemon.environment import AS_RUNNER, Account, parse_file
from gds.errors import ConfigError
from gds.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping
    from typing import Any

    from gds.api.server import Connection
    from gds.daemon.fed import Run
    from gds.daemon.ownlife import ServiceManager
    from gds.daemon.pmfdesk import PmfDesk
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.tags import Tags
    from gds.fault.score import Outcome
    from gds.linux.dslog import DataServiceLog
    from gds.linux.journal import Log
    from gds.linux.loop import Loop
    from gds.linux.notify import Notifies
    from gds.linux.output import Outputs
    from gds.linux.reaper import Reaper
    from gds.linux.zygote import Zygote
    from gds.model.resource import Output, Resource
    from gds.ports import LastingForest
    from gds.probes import Probes


class LateZygote:
    """The fork server, made when something must be forked that posix_spawn cannot make."""

    def __init__(self, loop: Loop, reaper: Reaper) -> None:
        self._loop = loop
        self._reaper = reaper
        self._made: Zygote | None = None

    def get(self) -> Zygote:
        """The one there is."""
        if self._made is None:
            from gds.linux.zygote import Zygote

            self._made = Zygote(self._loop, self._reaper)
        return self._made

    def end(self) -> None:
        """The runner ends, and waits a moment: the process has a cgroup of its own, which can only go after it."""
        if self._made is None:
            return
        pid = self._made.pid
        self._made.close()
        for _ in range(20):
            if not pid or not procfs.alive(pid):
                break
            self._loop.turn(0.02)


class LateOutputs:
    """Outputs, loaded when the first application wants more than to inherit."""

    def __init__(self, loop: Loop, runtime_dir: str, log: Log) -> None:
        self._loop = loop
        self._runtime_dir = runtime_dir
        self._log = log
        self._made: Outputs | None = None

    def _get(self) -> Outputs:
        if self._made is None:
            from gds.linux.output import Outputs

            self._made = Outputs(self._loop, self._runtime_dir, self._log)
        return self._made

    def open(self, name: str, stream: str, output: Output, uid: int, gid: int) -> int:
        """The descriptor to hand over."""
        if output.kind == "inherit" and self._made is None:
            return 1 if stream == "stdout" else 2
        return self._get().open(name, stream, output, uid, gid)

    def adopt(self, name: str, stream: str, output: Output, uid: int, gid: int) -> None:
        """After a crash of the runner before us."""
        if output.kind != "inherit":
            self._get().adopt(name, stream, output, uid, gid)

    def hand_over(self) -> list[tuple[str, str, int]]:
        """See Outputs."""
        return self._made.hand_over() if self._made is not None else []

    def inherit(self, feeds: Iterable[tuple[str, str, int]]) -> None:
        """What the runner before us, in this process, handed over."""
        for name, stream, fd in feeds:
            self._get().inherited[(name, stream)] = fd

    def inherited(self) -> None:
        """Each application has taken its own: nobody wants the rest."""
        if self._made is not None:
            for fd in self._made.inherited.values():
                os.close(fd)
            self._made.inherited.clear()

    def after_spawn(self, name: str) -> None:
        """The application has its descriptors."""
        if self._made is not None:
            self._made.after_spawn(name)

    def flush(self, name: str) -> None:
        """The application is gone: nothing more comes."""
        if self._made is not None:
            self._made.flush(name)

    def release(self, name: str) -> None:
        """No descriptor names it any more."""
        if self._made is not None:
            self._made.release(name)

    def tidy(self, names: set[str]) -> None:
        """After a crash of the runner before us: what resources left that are none of `names`. In order, nothing is."""
        if self._runtime_dir and os.path.isdir(f"{self._runtime_dir}/out"):
            self._get().tidy(names)

    def reopen(self) -> None:
        """SIGUSR2."""
        if self._made is not None:
            self._made.reopen()

    def paths(self, name: str) -> dict[str, str]:
        """stream -> file."""
        return self._made.paths(name) if self._made is not None else {}

    def close(self) -> None:
        """The runner ends."""
        if self._made is not None:
            self._made.close()


class LateNotifies:
    """NOTIFY_SOCKETs, loaded when the first application wants one."""

    def __init__(
        self, loop: Loop, runtime_dir: str, heard: Callable[[str, dict[str, str], int], None], log: Log
    ) -> None:
        self._loop = loop
        self._runtime_dir = runtime_dir
        self._heard = heard
        self._log = log
        self._made: Notifies | None = None

    def _get(self) -> Notifies:
        if self._made is None:
            from gds.linux.notify import Notifies

            self._made = Notifies(self._loop, self._runtime_dir, self._heard, self._log)
        return self._made

    def open(self, name: str, uid: int) -> str:
        """An application's NOTIFY_SOCKET."""
        return self._get().open(name, uid)

    def hand_over(self) -> list[tuple[str, str, int, int]]:
        """See Notifies."""
        return self._made.hand_over() if self._made is not None else []

    def resume(self, ears: Iterable[tuple[str, str, int, int]]) -> None:
        """What the runner before us, in this process, handed over."""
        for ear in ears:
            self._get().resume(*ear)

    def drain(self, name: str) -> None:
        """What a dead application said last is heard before its death is judged."""
        if self._made is not None:
            self._made.drain(name)

    def close(self, name: str) -> None:
        """No descriptor names it any more."""
        if self._made is not None:
            self._made.close(name)

    def close_all(self) -> None:
        """The runner ends."""
        if self._made is not None:
            self._made.close_all()


class LateProbes:
    """Probes, loaded when the first resource is asked by a built-in one."""

    def __init__(self, loop: Loop, reaper: Reaper) -> None:
        self._loop = loop
        self._reaper = reaper
        self._made: Probes | None = None

    def ask(self, resource: Resource, on_answer: Callable[[Outcome], None]) -> Run:
        """See Probes."""
        if self._made is None:
            from gds.probes import Probes

            self._made = Probes(self._loop, self._reaper)
        return self._made.ask(resource, on_answer)


class LateTags:
    """Nametags, loaded when somebody first asks for one, or when a runner before us left some."""

    def __init__(
        self,
        loop: Loop,
        forest: LastingForest,
        log: Log,
        environ: Mapping[str, str],
        decided: Callable[[str, str, str], None],
        no_tags: Callable[[], None],
        rgmd: Rgmd,
    ) -> None:
        self._loop = loop
        self._forest = forest
        self._log = log
        self._environ = environ
        self._rgmd = rgmd
        self._decided = decided
        self._no_tags = no_tags
        self._made: Tags | None = None
        self._desk: PmfDesk | None = None

    def _get(self) -> Tags:
        if self._made is None:
            from gds.daemon.tags import Tags

            told = self._decided, self._no_tags, self._tagged, self._unmonitored
            self._made = Tags(self._loop, self._forest, self._log, *told)
        return self._made

    def _tagged(self, resource: str, nametag: str, there: bool) -> None:
        from gds.daemon.ownmonitor import tagged

        tagged(self._rgmd, resource, nametag, there)

    def _unmonitored(self, resource: str, nametag: str, because: str) -> None:
        from gds.daemon.ownmonitor import unmonitored

        unmonitored(self._rgmd, self._get().all, resource, nametag, because)

    def answer(self, client: Connection, request: dict[str, Any], stopping: bool) -> None:
        """A request of pmfadm's."""
        desk = self._get_desk()
        if stopping:
            self._get().ending = "the runner is stopping everything"
        desk.answer(client, request)

    def _get_desk(self) -> PmfDesk:
        if self._desk is None:
            from gds.daemon.pmfdesk import PmfDesk

            self._desk = PmfDesk(self._get(), self._loop, self._log, self._environ)
        return self._desk

    def unsettled(self) -> tuple[str, ...]:
        """Nametags between two states."""
        return self._made.unsettled() if self._made is not None else ()

    def hand_over(self) -> tuple[dict[str, Any] | None, list[int]]:
        """For the runner after us, in this process: all tags and who waits for them; and descriptors."""
        if self._made is None:
            return None, []
        facts, fds = self._made.hand_over()
        return {**facts, "waiting": self._desk.hand_over() if self._desk is not None else []}, fds

    def waiting(self) -> set[int]:
        """Descriptors of those who wait for a tag, and will in the runner after us too."""
        return {each[0] for each in self._desk.hand_over()} if self._desk is not None else set()

    def resume(self, facts: dict[str, Any]) -> None:
        """What the runner before us, in this process, handed over."""
        self._get().resume(facts)

    def resume_clients(self, facts: dict[str, Any], clients: Mapping[int, Connection]) -> None:
        """Those who waited go on waiting."""
        if facts["waiting"]:
            self._get_desk().resume(facts["waiting"], clients)

    def take_strays(self, found: Iterable[tuple[str, int]]) -> None:
        """Those of a runner that was killed."""
        self._get().take_strays(found)

    @property
    def empty(self) -> bool:
        """No tag, and no process of one."""
        return self._made is None or self._made.empty

    @property
    def had_any(self) -> bool:
        """Somebody has asked for a tag."""
        return self._made is not None and self._made.had_any

    def end(self, because: str) -> None:
        """Everything of them is ended."""
        self._get().end(because)

    def hurry(self) -> None:
        """SIGKILL to everything of them."""
        if self._made is not None:
            self._made.hurry()


class LateDataServiceLog:
    """The logs SUNW.gds kept, loaded when the first resource wants them (log_level)."""

    def __init__(self, state_dir: str, node: str) -> None:
        self._state_dir = state_dir
        self._node = node
        self._made: DataServiceLog | None = None

    @property
    def problem(self) -> str:
        """Why it cannot be written; "" = it can."""
        return self._made.problem if self._made is not None else ""

    def write(self, group: str, resource: str, kind: str, failed: bool, text: str) -> None:
        """One line; nothing is kept without a state directory."""
        if not self._state_dir:
            return
        if self._made is None:
            from gds.linux.dslog import DataServiceLog

            self._made = DataServiceLog(self._state_dir, self._node)
        self._made.write(group, resource, kind, failed, text)


def service_manager(loop: Loop, environ: MutableMapping[str, str], log: Log) -> ServiceManager:
    """Who started us and wants to know how we are; takes its variables out of the environment."""
    if "NOTIFY_SOCKET" in environ:
        from gds.linux.systemd import ServiceManager as Systemd

        return Systemd(loop, environ, log.error)
    return Nobody()


class Nobody:
    """Nobody started us who wants to know."""

    present = False

    def ready(self, status: str = "") -> None:
        """Nothing."""

    status = reloading = stopping = ready

    def exit_status(self, code: int) -> None:
        """Nothing."""

    def every(self, deserved: Callable[[], bool]) -> None:
        """Nothing."""

    def extend_timeout(self, seconds: float) -> None:
        """Nothing."""


def account(resource: Resource) -> Account:
    """As whom the application runs. Raises ConfigError when there is no such user or group."""
    if not (resource.user or resource.group_name or resource.supplementary_groups):
        return AS_RUNNER
    from gds.linux.accounts import look_up

    return Account(*look_up(resource))


def environment_files(resource: Resource) -> dict[str, str]:
    """Read as the runner, before privileges are dropped. Their values never appear in any message.

    Raises ConfigError when a file that is not optional ("-" before its path) cannot be read.
    """
    found: dict[str, str] = {}
    for path in resource.environment_files:
        optional = path.startswith("-")
        try:
            with open(path[1:] if optional else path, "rb") as file:
                data = file.read(1 << 20)
        except OSError as error:
            if optional:
                continue
            raise ConfigError(f"cannot read environment file {path}: {error.strerror}") from None
        found.update(parse_file(data.decode("utf-8", "surrogateescape")))
    return found
