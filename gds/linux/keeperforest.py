"""Rung B of the tracking ladder: every tree has a keeper, a tiny process that is the tree's own sub-reaper.

Works everywhere, without privilege or cgroup (platform.md 6: exact for every daemon tried). This is the runner's side:
it plants trees, hears what their keepers tell, and looks into /proc only when somebody asks who is in a tree.

- Keepers are made by the zygote and used again: an empty tree's keeper waits for the next command. A few wait for
  ever, some for half a minute, no more than `_MOST_IDLE` at all.
- A keeper that was killed: its tree's processes climb to the runner, which is a sub-reaper too. They are told from
  other children by being nobody's, and killed to the last one; only then is the tree said to be empty, with the reason
  why it was lost. When two keepers are killed at once nobody knows whose orphan is whose: both trees end.
- A keeper that does not answer: it is continued, in case somebody stopped it; a kill is carried out from here
  meanwhile, and a keeper that stays dumb is killed itself, which ends the tree as above.
- After a crash of the runner, keepers of lasting trees are found by their records (keeper.Record) and taken back.
  Adopted keepers are children of init: if one of those is killed, only processes that were seen before are still known,
  and the reason says so. Runner and keeper killed together is not covered: what that keeper had climbs to init.

Narrower than rung A: an orphan that reaches the runner as PID 1 from outside of all trees (a command executed in the
container by somebody else, gone, its child left) is not told from one of a tree whose keeper was just killed.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import stat
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET, socket

from gds.errors import EngineError, InternalError
from gds.linux import keeper as process
from gds.linux import launch as starting
from gds.linux import lineage, parcel, prctl, procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.linux.loop import Loop, Timer
    from gds.linux.reaper import Reaper
    from gds.linux.zygote import Zygote
    from gds.ports import Launch, TreeListener

_MOST_IDLE = 16
"""Keepers that wait for work, at 1 MB each."""
_KEPT_IDLE = 2
"""Of those, how many wait for longer than `_IDLE_SECONDS`."""
_IDLE_SECONDS = 30.0
_PATIENCE = 0.25
"""Seconds a keeper may take to acknowledge; doubled each time."""
_STRIKES = 5
"""Unanswered reminders after which a keeper that should kill is killed itself (7.75 s)."""
_TRIES = 3
"""Keepers asked for one tree, when they are killed before they could say hello."""

KEEPER_KILLED = "its keeper was killed"
KEEPER_KILLED_LATE = "its keeper was killed after its runner: processes that were never seen may be left"


class _Keeper:
    """The runner's end of one keeper."""

    __slots__ = ("adopted", "idle_since", "pid", "pidfd", "sock", "start", "tree")

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        self.pid = 0
        self.start = 0
        self.pidfd = -1
        self.adopted = False
        self.tree: KeeperTree | None = None
        self.idle_since = 0.0

    def is_itself(self) -> bool:
        """The process with its number is still that keeper."""
        facts = procfs.stat(self.pid) if self.pid else None
        return facts is not None and facts[2] == self.start

    def signal(self, number: int) -> None:
        """Only ever to that very process."""
        if self.pid:
            try:
                fd = os.pidfd_open(self.pid)
            except OSError:
                return
            try:
                if self.is_itself():
                    signal.pidfd_send_signal(fd, number)
            except OSError:
                pass  # gone in between
            finally:
                os.close(fd)


class KeeperTree:
    """One start of one command; see ports.Tree."""

    __slots__ = (
        "_forest",
        "again",
        "incarnation",
        "keeper",
        "killing",
        "known",
        "lasting",
        "listener",
        "lost",
        "main_alive",
        "main_exit_told",
        "main_pid",
        "name",
        "over",
        "patience",
        "reminders",
        "started",
        "tries",
    )

    def __init__(self, forest: KeeperForest, name: str, incarnation: int, listener: TreeListener) -> None:
        self._forest = forest
        self.name = name
        self.incarnation = incarnation
        self.listener = listener
        self.again: Launch | None = None
        """How to start it once more, until its keeper has said hello; the descriptors in it are copies."""
        self.keeper: _Keeper | None = None
        self.main_pid = 0
        self.main_alive = False
        self.main_exit_told = False
        self.started = False
        self.over = False
        self.lasting = False
        """It survives a crash of the runner: asked for, and its keeper could make itself findable."""
        self.lost = ""
        self.killing = False
        self.patience: Timer | None = None
        self.reminders = 0
        self.tries = 0
        self.known: dict[int, int] = {}
        """pid -> start time of members seen: what is left to go by when an adopted keeper is killed."""

    def members(self) -> list[int]:
        """The live processes, the first one first when it lives."""
        found = self.parents()
        pids = list(found)
        if self.main_pid in found and pids[0] != self.main_pid:
            pids.remove(self.main_pid)
            pids.insert(0, self.main_pid)
        return pids

    def parents(self) -> dict[int, int]:
        """pid -> parent pid of each live member."""
        if self.over:
            return {}
        found = self._forest.members_of(self)
        if self.keeper is not None and self.keeper.adopted:
            self._remember(found)
        return found

    def forget_again(self) -> None:
        """It will not be started once more."""
        if self.again is not None:
            os.close(self.again.stdout)
            os.close(self.again.stderr)
            self.again = None

    def _remember(self, pids: dict[int, int]) -> None:
        self.known = {pid: facts[2] for pid in pids if (facts := procfs.stat(pid)) is not None}

    def signal(self, number: int, pids: list[int] | None = None) -> list[int]:
        """See ports.Tree. SIGCONT follows but for SIGKILL and those that stop."""
        if self.over:
            return []
        roots = self._forest.roots_of(self)
        wanted = self.members() if pids is None else pids
        return [pid for pid in wanted if pid not in roots and lineage.send(pid, number, roots)]

    def kill(self) -> None:
        """See ports.Tree."""
        if not self.over:
            self._forest.kill(self)

    def release(self) -> None:
        """See ports.Tree; the keeper was free when the tree was empty."""
        self.known.clear()


class KeeperForest:
    """See the module. `folder`: where lasting trees' keepers are found after a crash; "" = nowhere, they end with us.

    Raises EngineError when the folder is another's or cannot be made safe.
    """

    rung = "keeper"

    def __init__(self, loop: Loop, reaper: Reaper, zygote: Callable[[], Zygote], folder: str = "") -> None:
        self._loop = loop
        self._reaper = reaper
        self._zygote = zygote
        self._folder = folder
        self._keepers: dict[int, _Keeper] = {}
        self._idle: list[_Keeper] = []
        self._idle_timer: Timer | None = None
        self._found: dict[tuple[str, int], _Keeper] = {}
        self._gone: dict[str, tuple[int, int, str]] = {}
        self._lost: list[KeeperTree] = []
        self._hunt_timer: Timer | None = None
        self._hunt_pause = 0.0
        self._hunt_due = False
        self._closed = False
        if folder:
            _make_private(folder)
        prctl.become_subreaper()
        self._foreign = {pid: _start_of(pid) for pid in procfs.children(os.getpid())}
        reaper.on_stranger = self._stranger

    # -- Forest -------------------------------------------------------------------------------------------------------

    def plant(
        self, name: str, incarnation: int, launch: Launch, listener: TreeListener, *, lasting: bool
    ) -> KeeperTree:
        """See ports.Forest."""
        tree = KeeperTree(self, name, incarnation, listener)
        tree.lasting = lasting and bool(self._folder)
        if lasting:
            self._drop_gone(name)
        self._start(tree, launch)
        return tree

    def survivors(self) -> list[tuple[str, int]]:
        """See ports.Forest. A keeper that cannot be reached though it lives is killed with its tree."""
        found: list[tuple[str, int]] = []
        if not self._folder:
            return found
        for entry in sorted(os.listdir(self._folder)):
            number, _dot, kind = entry.partition(".")
            path = f"{self._folder}/{entry}"
            if not number.isdigit() or kind != "tree":
                continue
            record = process.Record.read(path)
            if record is None:
                process.remove(path)
                continue
            if record.status is not None:
                self._gone[record.name] = record.incarnation, record.status, path
                continue
            keeper = self._reach(int(number), record)
            if keeper is None:
                process.remove(path)
                process.remove(f"{self._folder}/{number}.sock")
                continue
            key = record.name, record.incarnation
            self._found[key] = keeper
            found.append(key)
        return found

    def gone(self, name: str) -> tuple[int, int] | None:
        """(incarnation, wait status) of a lasting tree that emptied while no runner was there; known after
        `survivors`, forgotten when the name is planted again."""
        left = self._gone.get(name)
        return left[:2] if left is not None else None

    def adopt(self, name: str, incarnation: int, main_pid: int, listener: TreeListener) -> KeeperTree:
        """See ports.Forest."""
        tree = KeeperTree(self, name, incarnation, listener)
        tree.lasting = True
        tree.started = True
        tree.main_pid = main_pid
        keeper = self._found.pop((name, incarnation), None)
        if keeper is None:
            self._loop.soon(lambda: self._empty(tree, self._last_word(tree)))
        else:
            tree.keeper = keeper
            keeper.tree = tree
            tree.main_alive = main_pid > 0 and procfs.alive(main_pid) and lineage.descends(main_pid, {keeper.pid})
            if not tree.main_pid:
                tree.main_pid = next(iter(tree.parents()), 0)
            self._serve(keeper)
        listener.tree_started(tree)
        return tree

    def close(self) -> None:
        """See ports.Forest."""
        self._closed = True
        for timer in (self._idle_timer, self._hunt_timer):
            if timer is not None:
                timer.cancel()
        for keeper in [*self._keepers.values(), *self._found.values()]:
            self._hang_up(keeper)
        self._found.clear()
        self._idle.clear()
        for name in list(self._gone):
            self._drop_gone(name)

    # -- starting -----------------------------------------------------------------------------------------------------

    def _start(self, tree: KeeperTree, launch: Launch) -> None:
        folder = self._folder if tree.lasting else ""
        order = "start", folder, tree.name, tree.incarnation, starting.plain(launch)
        while True:
            keeper = None
            try:
                keeper = self._idle.pop() if self._idle else self._make()
                parcel.send(keeper.sock, order, (launch.stdout, launch.stderr))
                if not keeper.pid:
                    # it may yet be killed before it reads its orders; the caller may close these as soon as we return
                    tree.again = launch.replace(stdout=os.dup(launch.stdout), stderr=os.dup(launch.stderr))
            except OSError as error:
                if keeper is not None:
                    self._retire(keeper)
                    if error.errno in (errno.EPIPE, errno.ECONNRESET):
                        continue  # it was killed while it waited
                self._fail_soon(tree, error.errno or errno.EAGAIN, f"cannot make a keeper: {error.strerror}")
                return
            tree.keeper = keeper
            keeper.tree = tree
            self._remind_later(tree)
            return

    def _make(self) -> _Keeper:
        ours, theirs = parcel.pair()
        ours.setblocking(False)
        keeper = _Keeper(ours)
        self._serve(keeper)
        self._zygote().keeper(theirs, lambda pid, number, words: self._made(keeper, pid, number, words))
        return keeper

    def _made(self, keeper: _Keeper, pid: int, number: int, words: str) -> None:
        tree = keeper.tree
        if not pid and tree is not None:
            keeper.tree = None
            self._hang_up(keeper)
            self._failed(tree, number, words)

    def _serve(self, keeper: _Keeper) -> None:
        self._keepers[keeper.sock.fileno()] = keeper
        self._loop.watch(keeper.sock.fileno(), lambda _events: self._heard(keeper))

    # -- what keepers say ---------------------------------------------------------------------------------------------

    def _heard(self, keeper: _Keeper) -> None:
        while keeper.sock.fileno() >= 0:
            try:
                message, fds = parcel.receive(keeper.sock)
            except BlockingIOError:
                return
            parcel.close(fds)
            if message is None:
                self._hung_up(keeper)
                return
            self._told(keeper, message)

    def _told(self, keeper: _Keeper, message: tuple[Any, ...]) -> None:
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
            self._patient(tree)
        elif what == "main":
            self._main_exited(tree, message[1])
        elif what == "failed":
            self._free(keeper)
            self._failed(tree, message[1], message[2])
        elif what == "empty":
            self._free(keeper)
            self._empty(tree, message[1])

    def _hello(self, keeper: _Keeper, message: tuple[Any, ...]) -> None:
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
            self._patient(tree)
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
            self._patient(tree)
            tree.listener.tree_failed(tree, number, words)

    def _fail_soon(self, tree: KeeperTree, number: int, words: str) -> None:
        self._loop.soon(lambda: self._failed(tree, number, words))

    def _empty(self, tree: KeeperTree, status: int | None) -> None:
        if not tree.over:
            tree.over = True
            self._patient(tree)
            tree.main_alive = False
            tree.listener.tree_emptied(tree, status, tree.lost)

    # -- keepers that wait --------------------------------------------------------------------------------------------

    def _free(self, keeper: _Keeper) -> None:
        """Its tree is empty: it waits for the next one."""
        if keeper.tree is not None:
            keeper.tree.keeper = None
            keeper.tree = None
        if keeper.adopted or self._closed:
            # a child of init: if it were killed one day, its tree would not climb to us
            self._retire(keeper)
            return
        keeper.idle_since = self._loop.now()
        self._idle.append(keeper)
        if len(self._idle) > _MOST_IDLE:
            self._loop.when_idle(self._too_many)
        if len(self._idle) > _KEPT_IDLE and self._idle_timer is None:
            self._idle_timer = self._loop.after(_IDLE_SECONDS, self._too_long)

    def _too_many(self) -> None:
        while len(self._idle) > _MOST_IDLE:
            self._retire(self._idle.pop(0))

    def _too_long(self) -> None:
        self._idle_timer = None
        long_ago = self._loop.now() - _IDLE_SECONDS
        while len(self._idle) > _KEPT_IDLE and self._idle[0].idle_since <= long_ago:
            self._retire(self._idle.pop(0))
        if len(self._idle) > _KEPT_IDLE:
            self._idle_timer = self._loop.at(self._idle[0].idle_since + _IDLE_SECONDS, self._too_long)

    def _retire(self, keeper: _Keeper) -> None:
        """At the end of its socket it ends."""
        if keeper in self._idle:
            self._idle.remove(keeper)
        self._hang_up(keeper)

    def _hang_up(self, keeper: _Keeper) -> None:
        fd = keeper.sock.fileno()
        if fd >= 0:
            self._loop.unwatch(fd)
            self._keepers.pop(fd, None)
            keeper.sock.close()
        if keeper.pidfd >= 0:
            self._loop.unwatch(keeper.pidfd)
            os.close(keeper.pidfd)
            keeper.pidfd = -1

    # -- killing ------------------------------------------------------------------------------------------------------

    def kill(self, tree: KeeperTree) -> None:
        """Ask the keeper; if it does not answer, see to it from here."""
        if tree.killing:
            return
        tree.killing = True
        keeper = tree.keeper
        if tree.lost or keeper is None:
            return  # is being hunted already
        try:
            parcel.send(keeper.sock, ("kill",))
        except OSError:
            pass  # it is dead, which comes next, or it does not listen, which the reminders see to
        self._patient(tree)
        self._remind_later(tree)

    def _patient(self, tree: KeeperTree) -> None:
        tree.reminders = 0
        if tree.patience is not None:
            tree.patience.cancel()
            tree.patience = None

    def _remind_later(self, tree: KeeperTree) -> None:
        tree.patience = self._loop.after(_PATIENCE * 2 ** min(tree.reminders, 5), lambda: self._remind(tree))

    def _remind(self, tree: KeeperTree) -> None:
        """It owes an answer: perhaps it was stopped."""
        tree.patience = None
        keeper = tree.keeper
        if tree.over or tree.lost or keeper is None:
            return
        keeper.signal(signal.SIGCONT)
        if tree.killing:
            lineage.strike_below([keeper.pid] if keeper.is_itself() else [])
            if tree.reminders >= _STRIKES and not keeper.adopted:
                keeper.signal(signal.SIGKILL)
        tree.reminders += 1
        self._remind_later(tree)

    # -- keepers that died --------------------------------------------------------------------------------------------

    def _hung_up(self, keeper: _Keeper) -> None:
        """Its end of the socket is closed: it is dead, or is just about to be."""
        tree = keeper.tree
        if keeper in self._idle:
            self._idle.remove(keeper)
        if tree is None:
            self._hang_up(keeper)
        elif not keeper.pid and not keeper.adopted:
            # it never came to life, so it never read its orders
            keeper.tree = None
            self._hang_up(keeper)
            self._try_again(tree)
        else:
            self._loop.unwatch(keeper.sock.fileno())
            self._keepers.pop(keeper.sock.fileno(), None)
            keeper.sock.close()
            self._wait_for_end(keeper)

    def _try_again(self, tree: KeeperTree) -> None:
        tree.tries += 1
        self._patient(tree)
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

    def _wait_for_end(self, keeper: _Keeper) -> None:
        """Its orphans climb when it is dead for the kernel, which is later than the end of its socket."""
        keeper.signal(signal.SIGKILL)
        try:
            keeper.pidfd = os.pidfd_open(keeper.pid)
        except OSError:
            self._loop.soon(lambda: self._keeper_died(keeper))
            return
        if not keeper.is_itself():
            self._loop.soon(lambda: self._keeper_died(keeper))
            return
        self._loop.watch(keeper.pidfd, lambda _events: self._keeper_died(keeper), select.EPOLLIN)

    def _keeper_died(self, keeper: _Keeper) -> None:
        self._hang_up(keeper)
        tree, keeper.tree = keeper.tree, None
        if tree is None or tree.over:
            return
        tree.keeper = None
        self._patient(tree)
        if keeper.adopted and (left := self._read_last_word(keeper, tree)) is not None:
            self._empty(tree, left)
            return
        tree.lost = KEEPER_KILLED_LATE if keeper.adopted else KEEPER_KILLED
        self._clean_up_after(keeper)
        self._lost.append(tree)
        self._hunt_pause = 0.0
        self._hunt()

    def _stranger(self, pid: int, status: int) -> None:
        """The reaper: a child that nobody expects has ended."""
        self._foreign.pop(pid, None)
        for tree in self._lost:
            if pid == tree.main_pid and tree.main_alive:
                self._main_exited(tree, status)
        if self._lost and not self._hunt_due:
            self._hunt_due = True
            self._loop.soon(self._hunt)

    def _hunt(self) -> None:
        """Kill the orphans of dead keepers; when none is left, their trees are empty."""
        self._hunt_due = False
        if self._hunt_timer is not None:
            self._hunt_timer.cancel()
            self._hunt_timer = None
        if not self._lost:
            return
        game = self._orphans()
        lineage.strike(game)
        others = self._remembered()
        for pid in others:
            lineage.send(pid, signal.SIGKILL, {pid})
        if game or others:
            self._hunt_pause = min(1.0, max(0.002, 2 * self._hunt_pause))
            self._hunt_timer = self._loop.after(self._hunt_pause, self._hunt)
            return
        trees, self._lost = self._lost, []
        for tree in trees:
            if tree.started:
                self._empty(tree, None)
            else:
                self._failed(tree, errno.ECANCELED, f"cannot start it: {tree.lost}")

    def _orphans(self) -> list[int]:
        """Children of ours that are nobody's."""
        keepers = {keeper.pid for keeper in self._keepers.values()}
        expected = self._reaper._expected  # the reaper has no question for it
        return [
            pid
            for pid in lineage.children_of()(os.getpid())
            if pid not in keepers and pid not in expected and self._foreign.get(pid) != _start_of(pid)
        ]

    def _remembered(self) -> list[int]:
        """Members of lost adopted trees that were seen before and are still there."""
        return [
            pid
            for tree in self._lost
            for pid, start in tree.known.items()
            if (facts := procfs.stat(pid)) is not None and facts[2] == start and facts[0] not in "ZX"
        ]

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
            tops = self._orphans()
            me = os.getpid()
            return {**{pid: me for pid in tops if procfs.alive(pid)}, **lineage.below(tops)}
        return lineage.below(self.roots_of(tree))

    # -- after a crash ------------------------------------------------------------------------------------------------

    def _reach(self, pid: int, record: process.Record) -> _Keeper | None:
        """Connect to the keeper of an earlier runner; None: it is dead, or had to be killed with its tree."""
        if _start_of(pid) != record.start:
            return None
        sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC)
        keeper = _Keeper(sock)
        keeper.pid, keeper.start, keeper.adopted = pid, record.start, True
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sock.connect(process.address(folder, pid))
            if process.peer(sock) != (pid, os.geteuid()):
                raise OSError(errno.EPERM, "another process listens there")
        except OSError:
            sock.close()
            # never two copies: what cannot be followed must not go on
            keeper.signal(signal.SIGSTOP)
            lineage.strike_below([pid])
            keeper.signal(signal.SIGKILL)
            return None
        finally:
            os.close(folder)
        keeper.signal(signal.SIGCONT)
        return keeper

    def _busy(self, keeper: _Keeper) -> None:
        raise InternalError(f"cannot adopt {keeper.tree.name if keeper.tree else '?'}: it serves another runner")

    def _last_word(self, tree: KeeperTree) -> int | None:
        left = self._gone.get(tree.name)
        return left[1] if left is not None and left[0] == tree.incarnation else None

    def _read_last_word(self, keeper: _Keeper, tree: KeeperTree) -> int | None:
        path = f"{self._folder}/{keeper.pid}.tree"
        record = process.Record.read(path)
        if record is not None and (record.name, record.incarnation) == (tree.name, tree.incarnation):
            process.remove(path)
            return record.status
        return None

    def _drop_gone(self, name: str) -> None:
        left = self._gone.pop(name, None)
        if left is not None:
            process.remove(left[2])

    def _clean_up_after(self, keeper: _Keeper) -> None:
        if self._folder:
            for kind in ("tree", "sock"):
                process.remove(f"{self._folder}/{keeper.pid}.{kind}")


def _start_of(pid: int) -> int:
    facts = procfs.stat(pid)
    return facts[2] if facts is not None else 0


def _make_private(folder: str) -> None:
    """Make the folder, ours alone."""
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        facts = os.lstat(folder)
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
            raise EngineError(f"cannot keep keepers in {folder}: it is not a directory of ours; remove it")
        if facts.st_mode & 0o077:
            os.chmod(folder, 0o700)
    except OSError as error:
        raise EngineError(f"cannot keep keepers in {folder}: {error.strerror}") from error
