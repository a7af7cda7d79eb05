"""States and status: what the RGM did, and what a monitor thinks. Two types, two owners, never merged.

Sun: semantics.md 10. The words are the field's; the values are what people and programs are shown.
"""

from __future__ import annotations

from enum import StrEnum


class ResourceState(StrEnum):
    """What the RGM concluded from the methods it ran (Sun: semantics.md 10.1)."""

    OFFLINE = "OFFLINE"
    STARTING = "STARTING"
    ONLINE = "ONLINE"
    ONLINE_NOT_MONITORED = "ONLINE_NOT_MONITORED"
    STOPPING = "STOPPING"
    START_FAILED = "START_FAILED"
    STOP_FAILED = "STOP_FAILED"
    MONITOR_FAILED = "MONITOR_FAILED"


class GroupState(StrEnum):
    """What a group is on this node (Sun: semantics.md 10.2)."""

    UNMANAGED = "UNMANAGED"
    OFFLINE = "OFFLINE"
    PENDING_ONLINE = "PENDING_ONLINE"
    PENDING_ONLINE_BLOCKED = "PENDING_ONLINE_BLOCKED"
    ONLINE = "ONLINE"
    ONLINE_FAULTED = "ONLINE_FAULTED"
    PENDING_OFFLINE = "PENDING_OFFLINE"
    ERROR_STOP_FAILED = "ERROR_STOP_FAILED"


class ResourceStatus(StrEnum):
    """What the monitor or a method says of the resource (Sun: semantics.md 10.3)."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    FAULTED = "FAULTED"
    OFFLINE = "OFFLINE"
    UNKNOWN = "UNKNOWN"


class FailoverMode(StrEnum):
    """How a failed method and a monitor's requests are answered (Sun: semantics.md 8)."""

    NONE = "NONE"
    SOFT = "SOFT"
    HARD = "HARD"
    RESTART_ONLY = "RESTART_ONLY"
    LOG_ONLY = "LOG_ONLY"
