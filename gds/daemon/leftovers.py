"""Trees that no nametag waits for: left behind by a tag (see tags.py), or by a runner that was killed.

They are followed until they are gone. Those of a killed runner are ended, SIGTERM first, SIGKILL after `GRACE`, before
their nametags can be used again.
"""

from __future__ import annotations

from gds.daemon.nametag import SIGTERM, nametag_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gds.daemon.nametag import Log, Tag
    from gds.ports import Callback, LastingForest, Scheduler, Tree

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL when the runner ends."""


class Leftovers:
    """See the module. Listens to its trees; `check_empty` is called after one is gone."""

    def __init__(
        self,
        loop: Scheduler,
        forest: LastingForest,
        log: Log,
        decided: Callable[[str, str, str], None],
        check_empty: Callback,
    ) -> None:
        self._loop = loop
        self._forest = forest
        self._log = log
        self._decided = decided
        self._check_empty = check_empty
        self._left: dict[Tree, Tag | None] = {}
        """Trees left behind by a tag, and (None) those of a runner before us."""
        self._strays: dict[Tree, str] = {}
        self._when_clean: list[tuple[str, Callback]] = []
        self._hurried = False

    @property
    def empty(self) -> bool:
        """None is left, and nobody waits for one."""
        return not (self._left or self._when_clean)

    def being_ended(self, nametag: str) -> bool:
        """Processes that a killed runner left under this name are on their way out: never two copies."""
        return nametag in self._strays.values()

    def when_clean(self, nametag: str, callback: Callback) -> None:
        """Call back when they are gone, or when the runner ends."""
        self._when_clean.append((nametag, callback))

    def add(self, one: Tag, tree: Tree) -> None:
        """This tag goes on without it."""
        tree.listener = self
        one.behind.append(tree)
        self._left[tree] = one

    def take_strays(self, found: Iterable[tuple[str, int]]) -> int:
        """Trees (name, incarnation) of a runner that was killed: their tags are lost, so they are ended. Returns the
        greatest incarnation; 0 = there are none."""
        greatest = 0
        for name, incarnation in found:
            greatest = max(greatest, incarnation)
            nametag = nametag_of(name)
            because = "its runner was killed, and the tag with it: ended"
            self._log.warning(because, nametag=nametag)
            self._decided(nametag, "ENDED", because)
            tree = self._forest.adopt(name, incarnation, 0, self)
            self._left[tree] = None
            self._strays[tree] = nametag
            self.end_tree(tree)
        if self._strays:
            self._loop.after(GRACE, self._kill_strays)
        return greatest

    def _kill_strays(self) -> None:
        for tree in self._strays:
            tree.kill()

    # -- to the runner after us, in this same process ------------------------------------------------------------------

    def unsettled(self) -> list[str]:
        """Nametags whose trees cannot be handed over now."""
        left = [nametag_of(tree.name) for tree in self._left if not self._forest.is_settled(tree)]
        return [*left, *self._strays.values(), *[name for name, _ in self._when_clean]]

    def nobodys(self, alive: set[Tag]) -> list[Tree]:
        """Those that none of these tags left behind."""
        return [tree for tree, whose in self._left.items() if whose not in alive]

    def resume(self, plain: dict[str, Any], one: Tag | None) -> None:
        """What the runner before us, in this process, handed over."""
        tree = self._forest.resume(plain, self)
        if one is not None:
            one.behind.append(tree)
        self._left[tree] = one

    # -- the end of the runner ----------------------------------------------------------------------------------------

    def release_waiting(self) -> None:
        """Nobody waits any more."""
        waiting, self._when_clean = self._when_clean, []
        for _nametag, callback in waiting:
            callback()

    def end(self) -> None:
        """All are ended."""
        for tree in self._left:
            self.end_tree(tree)

    def end_tree(self, tree: Tree) -> None:
        """SIGTERM; SIGKILL once everything is in a hurry."""
        if self._hurried:
            tree.kill()
        else:
            tree.signal(SIGTERM)

    def begin_hurry(self) -> None:
        """From now on whatever is ended is killed."""
        self._hurried = True

    def kill(self) -> None:
        """SIGKILL to all."""
        for tree in self._left:
            tree.kill()

    # -- what trees tell ----------------------------------------------------------------------------------------------

    def tree_started(self, tree: Tree) -> None:
        """It was taken back from a runner before us."""

    def main_exited(self, tree: Tree, status: int | None) -> None:
        """Others may live."""

    def tree_failed(self, tree: Tree, errno: int, message: str) -> None:
        """It could not be taken back."""
        self._gone(tree)

    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None:
        """The last process is gone."""
        self._gone(tree)

    def _gone(self, tree: Tree) -> None:
        tree.release()
        one = self._left.pop(tree, None)
        if one is not None:
            one.behind.remove(tree)
        nametag = self._strays.pop(tree, "")
        if nametag and not self.being_ended(nametag):
            ready = [callback for name, callback in self._when_clean if name == nametag]
            self._when_clean = [each for each in self._when_clean if each[0] != nametag]
            for callback in ready:
                callback()
        self._loop.soon(self._check_empty)
