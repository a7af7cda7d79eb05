"""PMF's driver: the application's own tree. Starts it, hears of its deaths, tells them; never restarts anything.

Facts emitted: a start that could not be executed, READY, the end of the tree (or of the watched part of it).
Every answer is about the tree it came from; one about an older incarnation is dropped (style.md 1, rule 8).
"""

from __future__ import annotations

import os

from gds.model.ending import how_it_ended as how_it_ended
from gds.model.ending import signal_name as signal_name
from gds.pmf import family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.rgmd import Rgmd
    from gds.ports import LastingForest, Tree


class Watcher:
    """Listens to one tree for one application."""

    __slots__ = ("_app", "_pmfd", "over")

    def __init__(self, pmfd: Pmfd, app: App) -> None:
        self._pmfd = pmfd
        self._app = app
        self.over = False

    def tree_started(self, tree: Tree) -> None:
        self._pmfd.started(self._app, tree)

    def tree_failed(self, tree: Tree, errno: int, message: str) -> None:
        self.over = True
        self._pmfd.failed(self._app, tree, message)

    def main_exited(self, tree: Tree, status: int | None) -> None:
        self._pmfd.main_exited(self._app, tree, status)

    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None:
        self.over = True
        self._pmfd.emptied(self._app, tree, status, lost)


class Pmfd:
    """See the module."""

    def __init__(self, rgmd: Rgmd) -> None:
        self._rgmd = rgmd
        self._sentinels: dict[str, list[int]] = {}

    def launch(self, app: App, because: str) -> None:
        """Start the application as a new incarnation. Nothing of the last one is left: Stop came before."""
        rgmd = self._rgmd
        app.incarnation += 1
        app.depths = None
        try:
            launch = rgmd.launch_of(app, because)
        except rgmd.refusals as error:
            rgmd.outputs.after_spawn(app.name)
            if app.start is not None:
                app.start.failed(str(error))
            return
        rgmd.kept.about_to_start(app)
        watcher = Watcher(self, app)
        tree = rgmd.forest.plant(app.name, app.incarnation, launch, watcher, lasting=True)
        rgmd.outputs.after_spawn(app.name)
        if not watcher.over:
            app.tree = tree  # also while its start is on the way: a stop that comes before it waits for its end

    def take_back(self, app: App, incarnation: int, main_pid: int) -> None:
        """An earlier runner's tree: follow it again."""
        app.incarnation = incarnation
        tree = self._rgmd.forest.adopt(app.name, incarnation, main_pid, Watcher(self, app))
        if app.tree is None and tree.main_pid:
            app.tree = tree

    def resume(self, app: App, facts: dict[str, Any], forest: LastingForest) -> None:
        """The tree that the runner before us in this process had: followed on, with all that happened meanwhile."""
        tree = app.tree = forest.resume(facts, Watcher(self, app))
        if not tree.main_alive and app.resource.child_mon_level >= 0 and not app.view.left_alone:
            self.main_exited(app, tree, facts.get("status"))  # who of the others is watched is looked for again

    def is_dead(self, app: App) -> bool:
        """It should have a process, and has none: past its budget it was left alone."""
        return app.tree is None and app.resource.pmf_managed

    # -- facts from the tree ------------------------------------------------------------------------------------------

    def started(self, app: App, tree: Tree) -> None:
        """It runs."""
        if tree.incarnation != app.incarnation or (app.tree is not None and app.tree is not tree):
            tree.kill()
            return
        app.tree = tree
        if app.resource.child_mon_level > 0:
            self.look(app)
        if app.start is not None:
            app.start.launched()
        elif app.stop is not None and app.resource.typed is not None:
            tree.kill()  # its Stop waits for the end of its Start
        elif app.stop is not None:
            app.stop.hurry()  # asked to stop while the start was on its way

    def failed(self, app: App, tree: Tree, message: str) -> None:
        """It could not be executed."""
        tree.release()
        if app.tree is tree:
            app.tree = None
        if tree.incarnation != app.incarnation:
            return
        if app.start is not None:
            app.start.failed(message)
        elif app.stop is not None:
            app.stop.emptied()

    def main_exited(self, app: App, tree: Tree, status: int | None) -> None:
        """The first process ended: by itself that means nothing (Sun: semantics.md 4.1), but for child_mon_level."""
        if app.tree is not tree:
            return
        if not app.resource.pmf_managed:
            if app.start is not None:
                how = how_it_ended(status)
                app.tree = None
                tree.release()
                app.start.returned(how, status == 0)
            return
        if app.resource.child_mon_level >= 0 and app.stop is None:
            self._rgmd.loop.soon(lambda: self._anyone_watched(app, tree, status))

    def _anyone_watched(self, app: App, tree: Tree, status: int | None) -> None:
        self._unwatch(app)
        if app.tree is not tree or app.stop is not None:
            return
        level = app.resource.child_mon_level
        self.look(app)
        alive = tree.members()
        depths = app.depths or {}
        left = [] if level == 0 else family.watched(depths, alive, level)
        if alive and not left:
            self._rgmd.died(app, f"{how_it_ended(status)}; {len(alive)} deeper than child_mon_level {level}")
        for pid in left:
            self._watch(app, pid, lambda _events: self._anyone_watched(app, tree, status))

    def _watch(self, app: App, pid: int, on_death: Callable[[int], None]) -> None:
        """The first process is gone, and one that counts as well as it is not: its death has to be looked at too."""
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return  # gone since, or no descriptor is left: the next look finds out
        self._sentinels.setdefault(app.name, []).append(fd)
        self._rgmd.watch(fd, on_death)

    def _unwatch(self, app: App) -> None:
        for fd in self._sentinels.pop(app.name, ()):
            self._rgmd.unwatch(fd)
            os.close(fd)

    def look(self, app: App) -> None:
        """Observe who is whose child, for child_mon_level."""
        if app.tree is not None and app.resource.child_mon_level > 0:
            app.depths = family.observe(app.depths or {}, app.tree.main_pid, app.tree.parents())

    def emptied(self, app: App, tree: Tree, status: int | None, lost: str) -> None:
        """The last process is gone."""
        if app.tree is not tree:
            tree.release()
            return
        app.tree = None
        app.depths = None
        self._unwatch(app)
        self._rgmd.outputs.flush(app.name)
        if app.stop is not None:
            app.stop.emptied()
        else:
            self._rgmd.died(app, lost or how_it_ended(status))
        tree.release()
