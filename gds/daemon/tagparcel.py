"""A nametag as plain values, for the runner after us in this same process (`gds upgrade`), and back.

Loaded with tags.py: what the old runner writes must be written by the old runner's code.
"""

from __future__ import annotations

from gds.model.value import fields_of
from gds.model.window import Mark, Window
from gds.pmf.tag import Life, TagView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Spec(Protocol):
        """What pmfadm -c asked for; see nametag.Spec."""

        owner: int
        argv: tuple[str, ...]
        cwd: str
        env: dict[str, str]
        action: str
        level: int
        uid: int
        gid: int
        groups: tuple[int, ...] | None
        serves: str
        monitors: str


WHOSE = ("serves", "monitors")
SPEC = ("owner", "argv", "cwd", "env", "action", "level", "uid", "gid", "groups", *WHOSE)


def of_spec(spec: Spec) -> dict[str, Any]:
    """What was asked for."""
    return {name: getattr(spec, name) for name in SPEC}


def put_spec(spec: Spec, plain: dict[str, Any]) -> None:
    """The reverse of `of_spec`. Raises KeyError for what this version misses; who wrote it may not have known yet
    whose a tag is."""
    for name in SPEC:
        setattr(spec, name, plain[name] if name not in WHOSE else plain.get(name, ""))


def of_view(view: TagView) -> dict[str, Any]:
    """What PMF knows of it."""
    made = {name: getattr(view, name) for name in fields_of(TagView)}
    return {**made, "life": view.life.value, "failures": [(m.at, m.weight) for m in view.failures.marks]}


def view_of(plain: dict[str, Any]) -> TagView:
    """The reverse of `of_view`. Raises TypeError or ValueError for what this version does not know."""
    marks = tuple([Mark(at, weight) for at, weight in plain["failures"]])
    return TagView(**{**plain, "life": Life(plain["life"]), "failures": Window(marks)})
