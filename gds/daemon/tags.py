"""PMF by itself: the driver of nametags that people make with pmfadm. Sun: semantics.md 4.

Facts come from trees and from `pmfdesk.py`, `pmf/tag.py` judges, the orders are carried out here.

Where processes are. A tag has one tree at a time, named "@NAMETAG" (no resource's name begins so): that of its command
or of its action program. With -C, a tree whose watched processes are gone is *left behind* when others live on in it;
so is the tree of an action program that exited with status 0. They are not waited for, but the signals of the tag reach
them while there is a tag. Nothing is forgotten: at the end of the runner every tree is ended, SIGTERM first, SIGKILL
after `GRACE`; and so are those of a runner that was killed, before their nametags can be used again.

stdin, stdout and stderr are /dev/null (Sun: "/dev/null or the console"). Tags are in memory only, as at Sun: they end
with the runner.
"""

from __future__ import annotations

import os
from collections import deque

from gds.daemon import tagparcel
from gds.daemon.leftovers import GRACE, Leftovers
from gds.daemon.nametag import SIGKILL, SIGTERM, Spec, Tag, send, tree_name, trees_of
from gds.daemon.watching import Watching
from gds.errors import unreachable
from gds.model.ending import how_it_ended
from gds.model.launch import Launch
from gds.pmf import tag
from gds.pmf.tag import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gds.daemon.nametag import Log
    from gds.daemon.watching import Loop
    from gds.pmf.tag import Event
    from gds.ports import Callback, LastingForest, Tree


class Watcher:
    """Listens to one tree for one tag."""

    __slots__ = ("_is_action", "_tag", "_tags")

    def __init__(self, tags: Tags, one: Tag, is_action: bool) -> None:
        self._tags = tags
        self._tag = one
        self._is_action = is_action

    def tree_started(self, tree: Tree) -> None:
        self._tags.started(self._tag, tree, self._is_action)

    def tree_failed(self, tree: Tree, errno: int, message: str) -> None:
        self._tags.failed(self._tag, tree, self._is_action, message)

    def main_exited(self, tree: Tree, status: int | None) -> None:
        self._tags.main_exited(self._tag, tree, self._is_action, status)

    def tree_emptied(self, tree: Tree, status: int | None, lost: str) -> None:
        self._tags.emptied(self._tag, tree, status, lost)


class Tags:
    """See the module."""

    def __init__(
        self,
        loop: Loop,
        forest: LastingForest,
        log: Log,
        decided: Callable[[str, str, str], None],
        no_tags: Callback,
        served: Callable[[str, str, bool], None],
        unmonitored: Callable[[str, str, str], None],
    ) -> None:
        """`decided` keeps a decision: nametag, event, reason. `no_tags` is called whenever nothing is left. `served`:
        a resource has a nametag now (True), or has it no more. `unmonitored`: one that monitors a resource is gone:
        resource, nametag, reason."""
        self._loop = loop
        self._forest = forest
        self._log = log
        self._decided = decided
        self._no_tags = no_tags
        self._served = served
        self._unmonitored = unmonitored
        self.all: dict[str, Tag] = {}
        self.had_any = False
        """Somebody has asked for a tag."""
        self.ending = ""
        """Why nothing is started any more; "" while the runner goes on."""
        self._leftovers = Leftovers(loop, forest, log, decided, self._check_empty)
        self.being_ended = self._leftovers.being_ended
        self.when_clean = self._leftovers.when_clean
        self._count = 0
        self._queue: deque[tuple[Tag, Event]] = deque()
        self._stepping = False
        self._null = -1

    @property
    def empty(self) -> bool:
        """No tag, and no process of one."""
        return not self.all and self._leftovers.empty

    # -- what is asked ------------------------------------------------------------------------------------------------

    def create(
        self, nametag: str, spec: Spec, retries: int, period: float, because: str, on_first: Callable[[str], None]
    ) -> None:
        """A new tag; there must be none of that name. `on_first` hears "", or why it could not be started."""
        begun = tag.begin(nametag, retries, period, bool(spec.action), because)
        one = Tag(spec, begun.view)
        one.on_first = on_first
        self.had_any = True
        self.all[nametag] = one
        if spec.serves:
            self._served(spec.serves, nametag, True)
        self._drive(one, begun)

    def submit(self, one: Tag, event: Event) -> None:
        """One fact about one tag; facts that come while an order is carried out wait."""
        if self._stepping:
            self._queue.append((one, event))
        else:
            self._drive(one, tag.step(one.view, event, self._loop.now()))

    def signal(self, one: Tag, number: int) -> None:
        """To all its processes, watched or not, those of an action program as well (Sun: 4.1 rule 12)."""
        if one.tree is not None and not one.tree.main_pid:
            one.pending.append(number)
        for tree in trees_of(one):
            send(tree, number)

    def pids(self, one: Tag) -> list[int]:
        """All its processes, watched or not."""
        if one.watching is not None:
            one.watching.look()  # it is paid for anyhow
        return [pid for tree in trees_of(one) for pid in tree.members()]

    # -- what the runner asks -----------------------------------------------------------------------------------------

    def take_strays(self, found: Iterable[tuple[str, int]]) -> None:
        """Trees (name, incarnation) of a runner that was killed: their tags are lost, so they are ended."""
        self._count = max(self._count, self._leftovers.take_strays(found))

    # -- to the runner after us, in this same process ------------------------------------------------------------------

    def unsettled(self) -> tuple[str, ...]:
        """Nametags that cannot be handed over now: their tree is neither up nor gone, or a runner's that was killed."""
        is_settled = self._forest.is_settled
        moving = [n for n, one in self.all.items() if one.on_first or not all(map(is_settled, trees_of(one)))]
        return (*moving, *self._leftovers.unsettled())

    def hand_over(self) -> tuple[dict[str, Any], list[int]]:
        """All of them, and descriptors. Changes nothing. While none is `unsettled`."""
        fds: list[int] = []

        def of(tree: Tree) -> dict[str, Any]:
            facts, needed = self._forest.hand_over(tree)
            fds.extend(needed)
            return facts

        tags = []
        for one in self.all.values():
            pause = getattr(one.pause, "when", 0.0) if one.view.life is Life.WAITING else 0.0
            tags.append(
                {
                    "spec": tagparcel.of_spec(one.spec),
                    "view": tagparcel.of_view(one.view),
                    "incarnation": one.incarnation,
                    "tree": of(one.tree) if one.tree is not None else None,
                    "behind": [of(tree) for tree in one.behind],
                    "pause": pause,
                    "depths": one.watching.depths if one.watching is not None else None,
                }
            )
        nobodys = [of(tree) for tree in self._leftovers.nobodys(set(self.all.values()))]
        return {"tags": tags, "nobodys": nobodys, "count": self._count, "had_any": self.had_any}, fds

    def resume(self, facts: dict[str, Any]) -> None:
        """The reverse: every process is followed on, nothing is started or ended."""
        self._count, self.had_any = facts["count"], facts["had_any"]
        for plain in facts["tags"]:
            spec = Spec(0, (), "", {})
            tagparcel.put_spec(spec, plain["spec"])
            one = Tag(spec, tagparcel.view_of(plain["view"]))
            self.all[one.view.nametag] = one
            for each in plain["behind"]:
                self._leftovers.resume(each, one)
            if plain["tree"] is not None:
                self._resume_tree(one, plain)
            if plain["pause"]:
                one.pause = self._loop.at(plain["pause"], lambda one=one: self.submit(one, tag.PauseOver()))  # type: ignore[misc]
        for each in facts["nobodys"]:
            self._leftovers.resume(each, None)

    def _resume_tree(self, one: Tag, plain: dict[str, Any]) -> None:
        one.incarnation = plain["incarnation"]
        tree = one.tree = self._forest.resume(plain["tree"], Watcher(self, one, one.acting))
        if plain["depths"] is not None:
            one.watching = Watching(
                self._loop, tree, one.spec.level, lambda how: self._unwatched(one, tree, how), plain["depths"]
            )
            if not tree.main_alive:
                one.watching.first_ended("ended before the upgrade")

    def end(self, because: str) -> None:
        """The runner ends: everything is ended; `no_tags` is called when nothing is left."""
        self.ending = because
        self._leftovers.release_waiting()
        for one in list(self.all.values()):
            trees = trees_of(one)
            self.submit(one, tag.StopAsked(because))
            for tree in trees:
                self._leftovers.end_tree(tree)
            if one.tree is not None and not one.tree.main_pid:
                one.pending.append(SIGTERM)
        self._leftovers.end()
        self._loop.after(GRACE, self.hurry)
        self._check_empty()

    def hurry(self) -> None:
        """SIGKILL to everything, now."""
        self._leftovers.begin_hurry()
        for one in self.all.values():
            one.pending.append(SIGKILL)
            for tree in trees_of(one):
                tree.kill()
        self._leftovers.kill()

    def _check_empty(self) -> None:
        if self.empty:
            self._no_tags()

    # -- the step -----------------------------------------------------------------------------------------------------

    def _drive(self, one: Tag, made: tag.Step) -> None:
        self._stepping = True
        try:
            self._take(one, made)
            while self._queue:
                each, fact = self._queue.popleft()
                self._take(each, tag.step(each.view, fact, self._loop.now()))
        finally:
            self._stepping = False

    def _take(self, one: Tag, made: tag.Step) -> None:
        before, one.view = one.view, made.view
        for order in made.orders:
            self._carry_out(one, order)
        # told after it was begun: a restart does not wait for its own log line
        if made.because and (made.because != before.because or made.orders):
            self._decided(made.view.nametag, made.view.life.value, made.because)
            say = self._log.warning if made.view.failed != before.failed else self._log.info
            say(made.because, nametag=made.view.nametag, state=made.view.life.value)

    def _carry_out(self, one: Tag, order: tag.Order) -> None:
        if isinstance(order, tag.Start):
            self._plant(one, one.spec.argv, False)
        elif isinstance(order, tag.RunAction):
            # Sun: executed as it is, with two arguments more
            argv = ("/bin/sh", "-c", one.spec.action + ' "$@"', "sh", "failed", one.view.nametag)
            self._plant(one, argv, True)
        elif isinstance(order, tag.Pause):
            one.pause = self._loop.after(order.seconds, lambda: self.submit(one, tag.PauseOver()))
        elif isinstance(order, tag.CancelPause):
            if one.pause is not None:
                one.pause.cancel()
        elif isinstance(order, tag.Remove):
            self._remove(one, order.because)
        else:
            unreachable(order)

    def _plant(self, one: Tag, argv: tuple[str, ...], is_action: bool) -> None:
        self._count += 1
        number = one.incarnation = self._count
        one.pending.clear()
        spec = one.spec
        if self._null < 0:
            try:
                self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            except OSError as error:
                self._unplanted(one, is_action, f"cannot open {os.devnull}: {error.strerror}")
                return
        launch = Launch(argv, spec.env, self._null, self._null, spec.cwd, -1, spec.uid, spec.gid, spec.groups)
        # lasting: what a runner that is killed leaves is found, and ended, by the next one
        listener = Watcher(self, one, is_action)
        tree = self._forest.plant(tree_name(one.view.nametag), number, launch, listener, lasting=True)
        if one.incarnation == number:
            one.tree = tree  # else it has failed already

    def _remove(self, one: Tag, because: str) -> None:
        self.all.pop(one.view.nametag, None)
        if one.spec.serves:
            self._served(one.spec.serves, one.view.nametag, False)
        if one.spec.monitors:
            self._unmonitored(one.spec.monitors, one.view.nametag, because)
        self._over(one)
        self._tell_first(one, because)
        self._loop.soon(self._check_empty)

    def _tell_first(self, one: Tag, fault: str) -> None:
        told, one.on_first = one.on_first, None
        if told is not None:
            told(fault)

    # -- facts from trees ---------------------------------------------------------------------------------------------

    def started(self, one: Tag, tree: Tree, is_action: bool) -> None:
        """It runs."""
        if tree.incarnation != one.incarnation:
            return
        one.tree = tree
        for number in one.pending:
            send(tree, number)
        one.pending.clear()
        if is_action:
            return
        if one.spec.level >= 0:
            one.watching = Watching(self._loop, tree, one.spec.level, lambda how: self._unwatched(one, tree, how))
        self.submit(one, tag.Started())
        self._tell_first(one, "")

    def failed(self, one: Tag, tree: Tree, is_action: bool, message: str) -> None:
        """It could not be executed."""
        tree.release()
        if tree.incarnation == one.incarnation:
            self._unplanted(one, is_action, message)

    def _unplanted(self, one: Tag, is_action: bool, message: str) -> None:
        self._over(one)
        if is_action:
            self.submit(one, tag.ActionFailed(message))
            self.submit(one, tag.Emptied(message))
        else:
            fault = message if message.startswith("cannot") else f"cannot start {one.spec.argv[0]}: {message}"
            self.submit(one, tag.StartFailed(fault))

    def main_exited(self, one: Tag, tree: Tree, is_action: bool, status: int | None) -> None:
        """The first process ended: that decides for an action program, and for -C."""
        if one.tree is not tree:
            return
        if is_action:
            if status == 0 and one.acting:
                self._leave_behind(one, tree)
                self.submit(one, tag.ActionSucceeded())
            else:
                self.submit(one, tag.ActionFailed(how_it_ended(status)))
        elif one.watching is not None:
            one.watching.first_ended(how_it_ended(status))

    def emptied(self, one: Tag, tree: Tree, status: int | None, lost: str) -> None:
        """The last process is gone."""
        tree.release()
        if one.tree is not tree:
            return
        self._over(one)
        how = lost or how_it_ended(status)
        if one.acting:
            # its keeper was killed: nobody knows its exit status
            self.submit(one, tag.ActionFailed(how))
        self.submit(one, tag.Emptied(how))

    def _over(self, one: Tag) -> None:
        """Nothing of the tree is waited for any more."""
        if one.watching is not None:
            one.watching.cancel()
            one.watching = None
        one.tree = None
        one.incarnation = 0
        told, one.on_over = one.on_over, []
        for callback in told:
            callback()

    # -- processes that are not waited for ----------------------------------------------------------------------------

    def _unwatched(self, one: Tag, tree: Tree, how: str) -> None:
        """The last watched process is gone, others live on."""
        self._leave_behind(one, tree)
        self.submit(one, tag.Emptied(how))

    def _leave_behind(self, one: Tag, tree: Tree) -> None:
        self._leftovers.add(one, tree)
        self._over(one)
