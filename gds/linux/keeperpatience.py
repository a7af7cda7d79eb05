"""Keepers that owe an answer: they are reminded, and what they should have killed is killed from here meanwhile."""

from __future__ import annotations

from gds.linux import parcel, striking

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from gds.linux.keepertree import KeeperTree
    from gds.linux.loop import Loop
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

_PATIENCE = 0.25
"""Seconds a keeper may take to acknowledge; doubled each time."""
_STRIKES = 5
"""Unanswered reminders after which a keeper that should kill is killed itself (7.75 s)."""


class Patience:
    """See the module."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def begin(self, tree: KeeperTree) -> None:
        """Its keeper owes an answer from now on."""
        tree.patience = self._loop.after(_PATIENCE * 2 ** min(tree.reminders, 5), lambda: self._remind(tree))

    def end(self, tree: KeeperTree) -> None:
        """It has answered, or nobody is there to wait for."""
        tree.reminders = 0
        if tree.patience is not None:
            tree.patience.cancel()
            tree.patience = None

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
        self.end(tree)
        self.begin(tree)

    def _remind(self, tree: KeeperTree) -> None:
        """It owes an answer: perhaps it was stopped."""
        tree.patience = None
        keeper = tree.keeper
        if tree.over or tree.lost or keeper is None:
            return
        keeper.signal(signal.SIGCONT)
        if tree.killing:
            striking.strike_below([keeper.pid] if keeper.is_itself() else [])
            if tree.reminders >= _STRIKES and not keeper.adopted:
                keeper.signal(signal.SIGKILL)
        tree.reminders += 1
        self.begin(tree)
