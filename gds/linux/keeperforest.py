"""Rung B of the tracking ladder: every tree has a keeper, a tiny process that is the tree's own sub-reaper.

Works everywhere, without privilege or cgroup (platform.md 6: exact for every daemon tried). This is the runner's side:
it plants trees, hears what their keepers tell, and looks into /proc only when somebody asks who is in a tree.

- Keepers are made by the zygote and used again: an empty tree's keeper waits for the next command (keeperpool).
- A keeper that was killed: its tree's processes climb to the zygote, which kills them to the last one and says so; if
  the zygote is dead too, they climb to the runner, where they are told from other children by being nobody's. Only
  then is the tree said to be empty, with the reason why it was lost. Of two killed at once nobody knows whose orphan is
  whose: both trees end.
- A keeper that does not answer: it is continued, in case somebody stopped it; a kill is carried out from here
  meanwhile, and a keeper that stays dumb is killed itself, which ends the tree as above.
- After a crash of the runner, keepers of lasting trees are found by their records (keeperrecord) and taken back. The
  zygote of the dead runner still stands behind them. Only if that is killed too, and then the keeper, do processes
  climb to init; those that were seen before are still killed, and the reason says that others may be left.

Narrower than rung A: with its zygote dead, a runner that is PID 1 cannot tell an orphan from outside of all trees (left
by a command that somebody executed in the container) from one of a tree whose keeper was just killed, and kills both.
"""

from __future__ import annotations

import errno
import os

from gds.errors import InternalError
from gds.linux import launch as starting
from gds.linux import lineage, parcel, prctl, procfs
from gds.linux.keeperfolder import private_folder
from gds.linux.keeperhandover import facts_of, followed
from gds.linux.keeperhunt import Hunt
from gds.linux.keeperlegacy import Legacy
from gds.linux.keeperline import Lines
from gds.linux.keeperpatience import Patience
from gds.linux.keeperpool import Pool, Watch
from gds.linux.keepertree import Keeper, KeeperTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.linux.loop import Loop
    from gds.linux.reaper import Reaper
    from gds.linux.zygote import Zygote
    from gds.model.launch import Launch
    from gds.ports import Tree, TreeListener

_TRIES = 3
"""Keepers asked for one tree, when they are killed before they could say hello."""


class KeeperForest:
    """See the module. In `runtime_dir`/keepers a later runner finds the keepers of lasting trees.

    Without a runtime_dir ("", or one that we may not write) lasting trees end with the runner, and
    `why_not_lasting` says why. Raises EngineError when the folder is another's.
    """

    rung = "keeper"

    def __init__(self, loop: Loop, reaper: Reaper, zygote: Callable[[], Zygote], runtime_dir: str = "") -> None:
        self._loop = loop
        self._reaper = reaper
        self._zygote = zygote
        folder, self.why_not_lasting = private_folder(runtime_dir)
        self._folder = folder
        self._lines = Lines(loop, self._told, self._hung_up, self._keeper_died)
        self._patience = Patience(loop)
        self._pool = Pool(loop, self._lines.hang_up)
        self._watch = Watch(loop)
        self._legacy = Legacy(folder)
        self._closed = False
        prctl.become_subreaper()
        self._hunt = Hunt(loop, reaper, zygote, folder, self._lines.keepers, self._cleaned_up, self._main_exited)

    # -- Forest -------------------------------------------------------------------------------------------------------

    def plant(
        self, name: str, incarnation: int, launch: Launch, listener: TreeListener, *, lasting: bool
    ) -> KeeperTree:
        """See ports.Forest."""
        tree = KeeperTree(self, name, incarnation, listener)
        tree.lasting = lasting and bool(self._folder)
        if lasting:
            self._legacy.forget(name)
        self._start(tree, launch)
        return tree

    def survivors(self) -> list[tuple[str, int]]:
        """See ports.Forest. A keeper that cannot be reached though it lives is killed with its tree."""
        return self._legacy.look() if self._folder else []

    def gone(self, name: str) -> tuple[int, int] | None:
        """(incarnation, wait status) of a lasting tree that emptied while no runner was there; known after
        `survivors`, forgotten when the name is planted again."""
        return self._legacy.gone(name)

    def adopt(self, name: str, incarnation: int, main_pid: int, listener: TreeListener) -> KeeperTree:
        """See ports.Forest."""
        tree = KeeperTree(self, name, incarnation, listener)
        tree.lasting = True
        tree.started = True
        tree.main_pid = main_pid
        keeper = self._legacy.take(name, incarnation)
        if keeper is None:
            gone = self._legacy.gone(name)
            status = gone[1] if gone is not None and gone[0] == incarnation else None
            self._loop.soon(lambda: self._empty(tree, status))
        else:
            tree.keeper = keeper
            keeper.tree = tree
            tree.main_alive = main_pid > 0 and procfs.alive(main_pid) and lineage.descends(main_pid, {keeper.pid})
            seen = tree.parents()
            if not tree.main_pid:
                tree.main_pid = next(iter(seen), 0)
            self._lines.serve(keeper)
            if keeper.record is not None and not lineage.is_alive(keeper.record.guard, keeper.record.guard_start):
                self._watch.add(keeper)
        listener.tree_started(tree)
        return tree

    def under_way(self) -> list[str]:
        """See ports.LastingForest."""
        trees = [keeper.tree for keeper in self._lines.keepers.values() if keeper.tree is not None]
        return [tree.name for tree in trees if ":" in tree.name]

    def is_settled(self, tree: Tree) -> bool:
        """See ports.LastingForest. Not while its keeper is dying, or what it left is hunted."""
        assert isinstance(tree, KeeperTree)
        keeper = tree.keeper
        return tree.started and not tree.lost and keeper is not None and keeper.sock.fileno() >= 0

    def hand_over(self, tree: Tree) -> tuple[dict[str, Any], tuple[int, ...]]:
        """See ports.LastingForest. The socket goes with it, and what its keeper has said and nobody has heard yet."""
        assert isinstance(tree, KeeperTree)
        facts = facts_of(tree)
        return facts, (facts["fd"],)

    def resume(self, facts: dict[str, Any], listener: TreeListener) -> KeeperTree:
        """See ports.LastingForest. Behind its keeper stands the zygote that the runner before us had: it is our child
        still, and lives as long as its last keeper."""
        tree, keeper, record = followed(self, facts, listener)
        guard = record.guard
        self._lines.serve(keeper)
        if not lineage.is_alive(guard, record.guard_start):
            self._watch.add(keeper)
        elif not self._reaper.expects(guard):
            self._reaper.expect(guard, lambda _status: self._guard_died(guard), of_tree=True)
        return tree

    def _guard_died(self, guard: int) -> None:
        """A zygote of the runner before us: its keepers are our children now."""
        for keeper in list(self._lines.keepers.values()):
            if keeper.record is not None and keeper.record.guard == guard:
                keeper.climbed = True
                self._watch.add(keeper)
        self._hunt.soon()

    def resumed(self) -> None:
        """See ports.LastingForest: keepers of methods end by themselves, with their trees."""

    def close(self) -> None:
        """See ports.Forest."""
        self._closed = True
        for part in (self._pool, self._watch, self._hunt):
            part.close()
        for keeper in list(self._lines.keepers.values()):
            self._lines.hang_up(keeper)
        self._legacy.close()

    # -- starting -----------------------------------------------------------------------------------------------------

    def _start(self, tree: KeeperTree, launch: Launch) -> None:
        folder = self._folder if tree.lasting else ""
        order = "start", folder, tree.name, tree.incarnation, starting.plain(launch)
        try:
            while (keeper := self._pool.take()) is not None:
                if self._lines.order(keeper, order, launch):
                    self._assign(keeper, tree)
                    return
                self._lines.hang_up(keeper)  # it was killed while it waited
            keeper = self._make()
            self._assign(keeper, tree)
            self._lines.order(keeper, order, launch)
            # it may yet be killed before it reads its orders, and the caller may close these as soon as we return
            tree.again = launch.replace(stdout=os.dup(launch.stdout), stderr=os.dup(launch.stderr))
        except OSError as error:
            number, words = error.errno or errno.EAGAIN, f"cannot make a keeper: {error.strerror}"
            self._loop.soon(lambda: self._give_up(tree, number, words))

    def _assign(self, keeper: Keeper, tree: KeeperTree) -> None:
        tree.keeper = keeper
        keeper.tree = tree
        self._patience.begin(tree)

    def _give_up(self, tree: KeeperTree, number: int, words: str) -> None:
        keeper, tree.keeper = tree.keeper, None
        if keeper is not None:
            keeper.tree = None
            self._lines.hang_up(keeper)
        self._failed(tree, number, words)

    def _make(self) -> Keeper:
        ours, theirs = parcel.pair()
        ours.setblocking(False)
        keeper = Keeper(ours)
        self._lines.serve(keeper)
        self._zygote().keeper(
            theirs,
            self._folder,
            lambda pid, number, words: self._made(keeper, pid, number, words),
            lambda climbed: self._cleaned(keeper, climbed),
        )
        return keeper

    def _made(self, keeper: Keeper, pid: int, number: int, words: str) -> None:
        if not pid and keeper.tree is not None:
            self._give_up(keeper.tree, number, words)

    def _cleaned(self, keeper: Keeper, climbed: bool) -> None:
        keeper.cleaned = True
        keeper.climbed = climbed
        if climbed and self._pool.remove(keeper):
            self._lines.hang_up(keeper)
        elif climbed and keeper.tree is not None and not keeper.dead:
            self._watch.add(keeper)
        self._hunt.soon()

    # -- what keepers say ---------------------------------------------------------------------------------------------

    def _told(self, keeper: Keeper, message: tuple[Any, ...]) -> None:
        what, tree = message[0], keeper.tree
        if what == "hello":
            self._hello(keeper, message)
        elif what == "trouble":
            self._loop.on_error(InternalError(f"a keeper failed: {message[1]}"))
        elif what == "busy":
            self._busy(keeper)
        elif tree is None:
            return
        elif what == "started":
            self._started(tree, message[1], message[2])
        elif what == "killing":
            self._patience.end(tree)
        elif what == "main":
            self._main_exited(tree, message[1])
        elif what == "failed":
            self._free(keeper)
            self._failed(tree, message[1], message[2])
        elif what == "empty":
            self._free(keeper)
            self._empty(tree, message[1])

    def _hello(self, keeper: Keeper, message: tuple[Any, ...]) -> None:
        _hello, _protocol, keeper.pid, keeper.start, _name, _incarnation, main, status = message
        tree = keeper.tree
        if tree is not None:
            tree.forget_again()
        if keeper.adopted and tree is not None:
            if main:
                tree.main_pid = main
            if status is not None:
                self._main_exited(tree, status)
            else:
                tree.main_alive = bool(main)

    def _started(self, tree: KeeperTree, pid: int, lasting: bool) -> None:
        tree.main_pid = pid
        tree.main_alive = True
        tree.started = True
        tree.lasting = lasting
        if not tree.killing:
            self._patience.end(tree)
        tree.listener.tree_started(tree)

    def _main_exited(self, tree: KeeperTree, status: int | None) -> None:
        tree.main_alive = False
        if not tree.main_exit_told and not tree.over:
            tree.main_exit_told = True
            tree.listener.main_exited(tree, status)

    def _failed(self, tree: KeeperTree, number: int, words: str) -> None:
        if not tree.over:
            tree.over = True
            tree.forget_again()
            self._patience.end(tree)
            tree.listener.tree_failed(tree, number, words)

    def _empty(self, tree: KeeperTree, status: int | None) -> None:
        if not tree.over:
            tree.over = True
            self._patience.end(tree)
            tree.main_alive = False
            tree.listener.tree_emptied(tree, status, tree.lost)

    # -- keepers that wait --------------------------------------------------------------------------------------------

    def _free(self, keeper: Keeper) -> None:
        """Its tree is empty: it waits for the next one."""
        if keeper.tree is not None:
            keeper.tree.keeper = None
            keeper.tree = None
        if keeper.adopted or keeper.climbed or self._closed:
            self._lines.hang_up(keeper)  # no zygote of ours stands behind it
        else:
            self._pool.put(keeper)

    # -- killing ------------------------------------------------------------------------------------------------------

    def kill(self, tree: KeeperTree) -> None:
        """Ask the keeper; if it does not answer, it is seen to from here."""
        self._patience.kill(tree)

    # -- keepers that died --------------------------------------------------------------------------------------------

    def _hung_up(self, keeper: Keeper) -> None:
        """Its end of the socket is closed: it is dead, or is just about to be."""
        tree = keeper.tree
        self._pool.remove(keeper)
        if tree is None:
            self._lines.hang_up(keeper)
        elif not keeper.pid and not keeper.adopted:
            # it never came to life, so it never read its orders
            keeper.tree = None
            self._lines.hang_up(keeper)
            self._try_again(tree)
        else:
            self._lines.wait_for_end(keeper)

    def _try_again(self, tree: KeeperTree) -> None:
        tree.tries += 1
        self._patience.end(tree)
        tree.keeper = None
        if tree.killing:
            self._failed(tree, errno.ECANCELED, "it was killed before it was started")
        elif tree.again is None or tree.tries >= _TRIES:
            self._failed(tree, errno.EAGAIN, "cannot start it: its keepers were killed")
        else:
            again, tree.again = tree.again, None
            self._start(tree, again)
            os.close(again.stdout)
            os.close(again.stderr)

    def _keeper_died(self, keeper: Keeper) -> None:
        self._lines.hang_up(keeper)
        tree = keeper.tree
        if tree is None or tree.over or keeper.dead:
            return
        keeper.dead = True
        self._patience.end(tree)
        if keeper.record is not None and (left := self._legacy.last_word(keeper.pid, keeper.record)) is not None:
            self._empty(tree, left)
            return
        self._hunt.add(tree)

    def _cleaned_up(self, tree: KeeperTree) -> None:
        """The hunt: nothing is left of a tree whose keeper was killed."""
        if tree.started:
            self._empty(tree, None)
        else:
            self._failed(tree, errno.ECANCELED, f"cannot start it: {tree.lost}")

    # -- membership ---------------------------------------------------------------------------------------------------

    def roots_of(self, tree: KeeperTree) -> set[int]:
        """Whose descendants the tree is."""
        if tree.lost:
            return {os.getpid()}
        keeper = tree.keeper
        return {keeper.pid} if keeper is not None and keeper.is_itself() else set()

    def members_of(self, tree: KeeperTree) -> dict[int, int]:
        """pid -> parent pid."""
        if tree.lost:
            tops = self._hunt.orphans()
            me = os.getpid()
            return {**{pid: me for pid in tops if procfs.alive(pid)}, **lineage.below(tops)}
        return lineage.below(self.roots_of(tree))

    def _busy(self, keeper: Keeper) -> None:
        """It serves another runner, and is not ours to touch."""
        tree, keeper.tree = keeper.tree, None
        self._lines.hang_up(keeper)
        if tree is not None:
            tree.keeper = None
            self._patience.end(tree)
        raise InternalError(
            f"cannot adopt {tree.name if tree is not None else 'a tree'}: its keeper serves another runner"
        )
