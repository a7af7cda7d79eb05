"""One nametag, alive: what was asked for, the trees of its processes, and their names in a forest."""

from __future__ import annotations

from gds.model.names import TAG_MARK
from gds.pmf.tag import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from gds.daemon.watching import Watching
    from gds.pmf.tag import TagView
    from gds.ports import Callback, TimerHandle, Tree

    class Log(Protocol):
        """The runner's own log."""

        def info(self, text: str, **fields: str | int | float | bool | None) -> None: ...
        def warning(self, text: str, **fields: str | int | float | bool | None) -> None: ...


SIGKILL, SIGTERM = 9, 15


def tree_name(nametag: str) -> str:
    """The name of a tag's tree; a colon would say something else to a forest."""
    return TAG_MARK + nametag.replace("%", "%25").replace(":", "%3A")


def nametag_of(name: str) -> str:
    """The reverse of `tree_name`."""
    return name[len(TAG_MARK) :].replace("%3A", ":").replace("%25", "%")


class Spec:
    """What pmfadm -c asked for: everything a start needs, kept for all later ones. `uid` -1: as the runner.
    `serves`: the resource whose Start asked for it, and which is up only as long as there is this tag; "" = none.
    `monitors`: the resource whose Monitor_start, or Update, asked for it; "" = none."""

    __slots__ = ("action", "argv", "cwd", "env", "gid", "groups", "level", "monitors", "owner", "serves", "uid")

    def __init__(self, owner: int, argv: tuple[str, ...], cwd: str, env: dict[str, str]) -> None:
        self.owner = owner
        self.argv = argv
        self.cwd = cwd
        self.env = env
        self.action = ""
        self.level = -1
        self.uid = -1
        self.gid = -1
        self.groups: tuple[int, ...] | None = None
        self.serves = ""
        self.monitors = ""


class Tag:
    """One nametag, alive."""

    __slots__ = (
        "behind",
        "incarnation",
        "on_first",
        "on_over",
        "pause",
        "pending",
        "spec",
        "tree",
        "view",
        "watching",
    )

    def __init__(self, spec: Spec, view: TagView) -> None:
        self.spec = spec
        self.view = view
        self.tree: Tree | None = None
        """Of the command or the action program; None in between."""
        self.incarnation = 0
        """Of what is planted, or runs; 0 = nothing, so that late news are about nothing."""
        self.behind: list[Tree] = []
        self.on_first: Callable[[str], None] | None = None
        """Told once what came of the first start: "" = it runs."""
        self.on_over: list[Callback] = []
        """Told when nothing of the present tree is waited for any more."""
        self.pause: TimerHandle | None = None
        self.pending: list[int] = []
        """Signals for a tree that is not up yet."""
        self.watching: Watching | None = None
        """Which processes of the command are waited for, with -C."""

    @property
    def acting(self) -> bool:
        """Its tree is that of the action program, whose exit status decides."""
        return self.view.life is Life.ACTING


def trees_of(one: Tag) -> list[Tree]:
    """All that its signals reach."""
    return [*([one.tree] if one.tree is not None else []), *one.behind]


def send(tree: Tree, number: int) -> None:
    """A signal, to all of it."""
    if number == SIGKILL:
        tree.kill()  # reaches those being born, too
    else:
        tree.signal(number)
