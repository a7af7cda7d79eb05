"""Which known name is most like an unknown one. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """`; did you mean …?` with the known name most like `word`; when none is, `otherwise`."""
    close = nearest(word, known)
    return f"; did you mean {close}?" if close else otherwise


class _Hints:
    """How many comparisons are still made. A file of a hundred thousand bad keys is not worth minutes."""

    MOST = 100_000
    left = MOST


def hints_anew() -> None:
    """Every run starts with all its suggestions."""
    _Hints.left = _Hints.MOST


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name most like `word`, or an empty string; also when too many have been asked for in this run."""
    if _Hints.left <= 0:
        return ""
    names = list(known)
    _Hints.left -= len(names)
    import difflib

    found = difflib.get_close_matches(word[:64], names, 1, 0.6)
    return found[0] if found else ""
