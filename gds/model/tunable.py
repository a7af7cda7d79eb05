"""Tunable: when a property may be changed. Apart from the table of properties: a runner holds this and not that."""

from __future__ import annotations

from enum import StrEnum


class Tunable(StrEnum):
    """When a property may be changed (Sun: semantics.md 11)."""

    ANYTIME = "ANYTIME"
    WHEN_DISABLED = "WHEN_DISABLED"
    AT_CREATION = "AT_CREATION"
    NONE = "NONE"
