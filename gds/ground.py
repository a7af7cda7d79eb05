"""The ground a runner stands on: its loop, its directories (locked, or it is refused with 75), who started it, the
children it waits for, and the highest rung of tracking that works here.
"""

from __future__ import annotations

import os

from gds import late
from gds.errors import ConfigError, EngineError
from gds.linux.kept import Lock
from gds.linux.reaper import Reaper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Any

    from gds.linux.journal import Log
    from gds.linux.loop import Loop
    from gds.model.settings import Settings
    from gds.ports import LastingForest


class Ground:
    """See the module. Raises EngineError (75: somebody has the directories; else 1), ConfigError (78)."""

    def __init__(
        self,
        loop: Loop,
        settings: Settings,
        environ: MutableMapping[str, str],
        log: Log,
        facts: dict[str, Any],
    ) -> None:
        """`facts`: what a runner in this same process left for us; empty at an ordinary start."""
        self.loop = loop
        self.settings = settings
        self.log = log
        self.is_pid1 = os.getpid() == 1
        self.runtime_dir = _directory(settings.runtime_dir, "runtime_dir", log)
        self.state_dir = _directory(settings.state_dir, "state_dir", log)
        # One runner a directory: two would double every application.
        locks = facts.get("locks", {})
        self.locks = [Lock(d, locks.get(d, -1)) for d in dict.fromkeys((self.runtime_dir, self.state_dir)) if d]
        if self.runtime_dir and not facts:
            _check_socket(settings.socket, environ)

        # The service manager is found first, because it takes NOTIFY_SOCKET out of the environment applications see.
        self.manager = late.service_manager(loop, environ, log)

        # Orphans of our applications must come to us: their exit is attributed, and nobody is forgotten.
        from gds.linux.prctl import become_subreaper

        if not self.is_pid1:
            become_subreaper()
        self.reaper = Reaper(loop)
        self.zygote = late.LateZygote(loop, self.reaper)
        if settings.engine != "standalone":
            # A guard that ends what the runner before us left must not take us for a part of it.
            from gds.linux.guarding import announce

            announce(settings.runtime_dir)
        wanted = facts.get("rung") or environ.pop("GDS_TRACKING", "")
        environ.pop("GDS_TRACKING", None)
        self.forest = self._choose_forest(wanted, bool(facts))

    def _choose_forest(self, wanted: str, again: bool) -> LastingForest:
        """The highest rung that works here; `wanted` (GDS_TRACKING), cgroup or keeper, forces one. `again`: a runner
        was in this same process before us."""
        if wanted not in ("", "cgroup", "keeper"):
            raise ConfigError(f"cannot use GDS_TRACKING={wanted}: it is cgroup or keeper")
        if wanted != "keeper":
            import zlib

            from gds.linux.cgroupforest import CgroupForest

            # our cgroup is named after the directory, so that the next runner on it finds it again
            ident = f"{zlib.crc32(os.path.realpath(self.settings.runtime_dir).encode()):08x}"
            try:
                return CgroupForest(self.loop, self.reaper, ident, self.zygote.get, again)
            except EngineError as error:
                if wanted:
                    raise
                self.log.debug(f"{error}; keepers track instead")
        from gds.linux.keeperforest import KeeperForest

        forest = KeeperForest(self.loop, self.reaper, self.zygote.get, self.runtime_dir)
        if forest.why_not_lasting:
            self.log.warning(f"{forest.why_not_lasting}: applications end with this runner, also when it crashes")
        return forest


def _check_socket(path: str, environ: Mapping[str, str]) -> None:
    """Before anything is started: what can never be asked is refused. Raises ConfigError; EngineError (75)."""
    from gds.api import place

    named = environ.get("GDS_SOCKET", "")
    if named and os.path.abspath(named) == path:
        hint = "GDS_SOCKET in the environment names it: unset that, or name another place with --socket"
        place.check(path, hint)
    else:
        place.check(path)


def _directory(path: str, what: str, log: Log) -> str:
    """Make it, private to us where it is ours alone; "" when it cannot be written (a read-only container)."""
    try:
        os.makedirs(path, 0o755, exist_ok=True)
        trial = f"{path}/.trial.{os.getpid()}"
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.unlink(trial)
    except OSError as error:
        why = "it is no directory" if os.path.exists(path) and not os.path.isdir(path) else error.strerror
        said = f"cannot write {what} {path}: {why}"
        if error.errno == 28 and os.path.isdir(path):
            log.warning(f"{said}; it is tried again at each change")
            return path
        lost = (
            "no control socket, and a crash of this runner would be forgotten"
            if what == "runtime_dir"
            else "no history, and nothing is kept over a reboot"
        )
        log.warning(f"{said}: {lost}; --{what.replace('_', '-')} names another")
        return ""
    found = os.stat(path)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise ConfigError(
            f"cannot use {what} {path}: it must belong to us or root, and nobody else may write there"
            f" (it belongs to uid {found.st_uid}, mode {found.st_mode & 0o7777:o})"
        )
    return path
