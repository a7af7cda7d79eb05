"""The source of gds as data: its modules, and what each imports, read with `ast`; nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "gds"


class Import(NamedTuple):
    """One imported name: `target` is a module, or a module and a name in it. `typing`: only for static checkers."""

    target: str
    line: int
    typing: bool


class Module(NamedTuple):
    """One file of gds under its dotted name."""

    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> Iterator[Import]:
        """Every import of the file, also inside functions."""
        return _imports(self.tree, typing=False)

    def place(self, line: int) -> str:
        """For messages: file and line."""
        return f"{self.path.relative_to(ROOT)}:{line}"


@cache
def modules() -> tuple[Module, ...]:
    """All files of gds."""
    return tuple(_module(path) for path in sorted(PACKAGE.rglob("*.py")))


def within(name: str, package: str) -> bool:
    """`name` is `package`, or a module (or a name) in it."""
    return name == package or name.startswith(package + ".")


def _module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, ast.parse(path.read_text(), str(path)))


def _imports(node: ast.AST, *, typing: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, typing)
    elif isinstance(node, ast.ImportFrom):
        if node.level or node.module is None:
            raise AssertionError(f"line {node.lineno}: a relative import hides what is imported")
        for alias in node.names:
            yield Import(f"{node.module}.{alias.name}", node.lineno, typing)
    elif isinstance(node, ast.If) and _is_type_checking(node.test):
        for child in node.body:
            yield from _imports(child, typing=True)
        for child in node.orelse:
            yield from _imports(child, typing=typing)
    else:
        for each in ast.iter_child_nodes(node):
            yield from _imports(each, typing=typing)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
