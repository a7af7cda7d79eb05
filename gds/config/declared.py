"""What a file declares, and what is found wrong with it: the words between reading, compiling and the linter. Pure."""

from __future__ import annotations

from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Keys = tuple[str | int, ...]


class Declared(Value):
    """One table of a file: `keys` leads to it, `values` are the keys given in it. `group` = a `[group.NAME]`.

    `broken` are keys whose value was refused already. `given`: of a registered type, whose properties stand in
    `values` all together, the keys that stand in the file.
    """

    name: str
    path: str
    keys: Keys
    values: dict[str, Any]
    group: bool = False
    broken: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()

    def has(self, key: str) -> bool:
        """The key was given, be it with a value that was refused."""
        return key in self.values or key in self.broken


class Fault(Value):
    """What is wrong with the value (`on_key`: with the key itself) that `keys` leads to in the file `path`.

    For a warning, `code` names the rule of the linter. `other` is a second key that has to do with it.
    """

    path: str
    keys: Keys
    message: str
    on_key: bool = False
    code: str = ""
    other: tuple[str, Keys] | None = None
