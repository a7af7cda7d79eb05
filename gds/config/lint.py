"""The linter: what is allowed and yet hardly meant. Pure; a warning never stops a run (design.md 2)."""

from __future__ import annotations

from gds.config.compile import Declared, Fault
from gds.model.resource import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def lint(declared: tuple[Declared, ...], plan: Plan, facts: Mapping[tuple[str, ...], str]) -> list[Fault]:
    """Every remark about a plan without fault."""
    return []
