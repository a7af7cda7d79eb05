"""The judges are pure: facts and the time go in, decisions with reasons come out.

No file below imports what could ask for the time, sleep, fork, log, roll dice or reach the machine, and none calls the
builtins that could. Then a test of a judge needs no fake of anything, and `gds simulate` is the real thing.
"""

from __future__ import annotations

import ast

import pytest

from tests.arch.source import Module, modules, within

PURE = (
    "gds.model",
    "gds.pmf",
    "gds.fault",
    "gds.rgm",
    "gds.seam",
    "gds.script",
    "gds.stage",
    "gds.requested",
    "gds.simulate",
    "gds.troupe",
    "gds.whatif",
    "gds.clusterscript",
    "gds.clusterfacts",
    "gds.clustersim",
    "gds.dsdl.asking",
    "gds.dsdl.effects",
    "gds.dsdl.monitoring",
    "gds.dsdl.network",
    "gds.dsdl.trees",
    "gds.dsdl.values",
    "gds.config.addressed",
    "gds.config.compile",
    "gds.config.declared",
    "gds.config.graph",
    "gds.config.hints",
    "gds.config.relations",
    "gds.config.lint",
    "gds.config.rtr",
    "gds.config.rtrblock",
    "gds.config.rtrnotes",
    "gds.config.rtrtext",
    "gds.config.rtrwrite",
    "gds.config.typecheck",
)
IMPURE = frozenset(
    (
        *("asyncio", "os", "time", "datetime", "random", "subprocess", "socket", "signal", "threading", "logging"),
        *("pydantic", "psutil", "toml", "sdnotify", "pydantic_settings", "pydantic_core"),
        *("select", "io", "pathlib", "shutil", "tempfile", "multiprocessing", "secrets", "uuid"),
    )
)
"""Modules that know the world."""
HANDS = frozenset(("open", "print", "input", "breakpoint"))
"""Builtins that touch it."""


def pure() -> list[Module]:
    """The modules that must be."""
    return [m for m in modules() if any(within(m.name, unit) for unit in PURE)]


@pytest.mark.parametrize("module", pure(), ids=lambda m: m.name)
def test_a_judge_knows_nothing_of_the_machine(module: Module) -> None:
    culprits = [
        f"{module.place(i.line)}: {module.name} imports {i.target}; a judge is told, it does not look"
        for i in module.imports()
        if i.target.split(".")[0] in IMPURE
    ]
    culprits += [
        f"{module.place(node.lineno)}: {module.name} calls {node.func.id}(); that is for hands, not for judges"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in HANDS
    ]
    assert not culprits, "\n".join(culprits)


def test_every_pure_unit_is_there() -> None:
    names = {m.name for m in modules()}
    assert not [unit for unit in PURE if unit not in names]
