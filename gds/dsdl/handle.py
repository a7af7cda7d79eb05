"""Who asks, about which resource, and what a monitor remembers between two calls. Sun's scds_handle_t."""

from __future__ import annotations

import os
import sys

from gds.api import client
from gds.errors import GdsError, UsageError
from gds.fault.history import FRESH
from gds.model.names import name_fault
from gds.model.window import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gds.dsdl.values import Kind, Properties
    from gds.fault.history import MonitorState
    from gds.model.window import Window

LOG_SOCKET = "/dev/log"
"""Where the system log listens, when there is one; without it what is logged goes to stderr."""


class Handle:
    """See the module. `expected`: nametags of the service that were seen alive, or have to be; `reported`:
    those whose end was told, so that it is told once; `deaths`: those svc_wait counts; `monitor`: the scores that still
    add up."""

    def __init__(self, resource: str, group: str, type: str, method: str, node: str, socket: str) -> None:
        for what, name in (("resource", resource), ("group", group)):
            fault = name_fault(name)
            if fault:
                raise UsageError(
                    f"cannot tell which {what} is meant: {fault}; give it, or set GDS_{what.upper()} as the runner does"
                )
        self.resource = resource
        self.group = group
        self.type = type
        self.method = method
        self.node = node
        self.socket = socket
        self.log_socket = LOG_SOCKET
        self.debug_level = 0
        self.monitor: MonitorState = FRESH
        self.properties: Properties | None = None
        self.expected: set[str] = set()
        self.reported: set[str] = set()
        self.deaths: Window = EMPTY

    @classmethod
    def of_environment(
        cls, resource: str = "", group: str = "", socket: str = "", environ: Mapping[str, str] | None = None
    ) -> Handle:
        """From what the runner gives every command; the arguments are stronger. The group of a resource that is not
        the caller's is asked of the runner (Sun: semantics.md 15.1, -G is optional). Raises GdsError."""
        env = os.environ if environ is None else environ
        named = resource or env.get("GDS_RESOURCE", "")
        about_self = not resource or resource == env.get("GDS_RESOURCE")
        where = socket or env.get("GDS_SOCKET", "") or _only_one()
        ours = env.get("GDS_GROUP", "")
        return cls(
            resource=named,
            group=group or (ours if about_self else "") or _group_of(named, where) or ours or named,
            type=env.get("GDS_TYPE", "gds") if about_self else "gds",
            method=(env.get("GDS_METHOD", "") if about_self else "")
            or os.path.basename(sys.argv[0] if sys.argv else ""),
            node=env.get("GDS_NODE", ""),
            socket=where,
        )

    @classmethod
    def of_arguments(cls, argv: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[Handle, list[str]]:
        """From -R, -T and -G, as the RGM calls the methods of a registered type, and as a monitor is started with them
        (Sun: scds_initialize); and the words that are none of these. Raises UsageError."""
        values: dict[str, str] = {}
        rest: list[str] = []
        words = list(argv)
        while words:
            word = words.pop(0)
            if word[:2] in ("-R", "-T", "-G", "-Z"):
                value = word[2:] or (words.pop(0) if words else "")
                if not value:
                    raise UsageError(f"cannot use {word} without a value")
                values[word[1]] = value
            else:
                rest.append(word)
        for letter, what in (("R", "resource"), ("G", "group")):
            if letter not in values:
                raise UsageError(f"cannot tell which {what} is meant: -{letter} is missing")
        handle = cls.of_environment(values["R"], values["G"], environ=environ)
        handle.type = values.get("T", handle.type)
        return handle, rest

    @property
    def tag(self) -> str:
        """What begins each line in the system log: SC[type,group,resource,method] (Sun: semantics.md 17)."""
        return f"SC[{self.type},{self.group},{self.resource},{self.method}]"

    def nametag(self, kind: Kind, instance: int) -> str:
        """Of one tree under PMF (Sun: semantics.md 4.4)."""
        if instance < 0:
            raise UsageError(f"cannot use instance {instance}: instances count from 0")
        return f"{self.group},{self.resource},{instance}.{kind.value}"

    def environment(self) -> dict[str, str]:
        """What a program started under PMF is given, so that it can make a handle of its own."""
        return {
            "GDS_RESOURCE": self.resource,
            "GDS_GROUP": self.group,
            "GDS_TYPE": self.type,
            "GDS_NODE": self.node,
        }


def _group_of(resource: str, socket: str) -> str:
    """Its group, as the runner knows it; "" where it does not answer, or knows no such resource: whatever is asked of
    the resource later is told so."""
    question = {"verb": "scha.resource_get", "resource": resource, "group": "", "optag": "GROUP", "args": []}
    try:
        answer = client.ask(socket, question)
    except GdsError:
        return ""
    return str(answer["lines"][0]) if answer.get("scha") and not answer["code"] else ""


def _only_one() -> str:
    """The only runner there is. Raises GdsError."""
    found = client.sockets()
    if len(found) > 1:
        raise UsageError(f"cannot choose a runner: {' and '.join(found)} are there; give socket=, or set GDS_SOCKET")
    return found[0]
