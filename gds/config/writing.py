"""A value of the model → what one would write in a descriptor: as plain data, and as TOML text. Pure.

`plain` is the reverse of `document.py`: what it gives is read back to the same value (a test does so for every key).
So it is also the one form in which values that people set are kept.
"""

from __future__ import annotations

import json
import math
import signal as signals

from gds.model.properties import GROUP, RESOURCE, Property, by_name
from gds.model.resource import UNLIMITED, Command, ExitMap, Output, Probe
from gds.model.state import FailoverMode
from gds.model.value import defaults_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECRET = "environment"
"""The key whose values are nobody's business but of who may act: only the names in it are shown."""
HIDDEN = "..."
TABLES = {"resource": by_name(RESOURCE), "group": by_name(GROUP)}
"""The properties of each kind of table, by key."""


def plain(prop: Property, value: Any) -> Any:
    """The value as parsed TOML would have it; None: it is not given, and cannot be written."""
    if value is None or (prop.kind == "umask" and value < 0):
        return None
    if isinstance(value, FailoverMode):
        return value.value
    if isinstance(value, Command):
        return value.text or list(value.argv)
    if isinstance(value, Probe):
        return _probe(value)
    if isinstance(value, ExitMap):
        return {**{str(status): score for status, score in value.pairs}, "other": value.other}
    if isinstance(value, Output):
        return {"path": value.path, "rotate": value.rotate, "keep": value.keep} if value.kind == "file" else value.kind
    match prop.kind:
        case "duration":
            return -1 if math.isinf(value) else int(value) if value == int(value) else value
        case "signal":
            return signal_word(value)
        case "umask":
            return f"{value:03o}"
        case "environment":
            return dict(value)
        case "prefix":
            return list(value)
        case "limits":
            return {name: _limit(soft, hard) for name, soft, hard in value}
    return [str(each) for each in value] if isinstance(value, tuple) else value


def signal_word(number: int) -> str | int:
    """The name of a signal, or its number when it has none."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return number


def _limit(soft: int, hard: int) -> str | int:
    words = ["infinity" if each == UNLIMITED else str(each) for each in (soft, hard)]
    if soft != hard:
        return ":".join(words)
    return words[0] if soft == UNLIMITED else soft


def _probe(value: Probe) -> dict[str, Any]:
    made: dict[str, Any] = {value.kind: value.target}
    if value.kind == "notify":
        made["notify"] = value.interval or True
    defaults = defaults_of(Probe)
    if value.expect != defaults["expect"]:
        made["expect"] = [f"{low}-{high}" for low, high in value.expect]
    for field in ("refused_score", "timeout_score", "disconnect_score", "status_score", "error_score"):
        if getattr(value, field) != defaults[field]:
            made[field] = getattr(value, field)
    return made


def toml_text(value: Any) -> str:
    """Plain data as TOML on one line; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_key(k)} = {toml_text(v)}" for k, v in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join([toml_text(each) for each in value]) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _key(name: str) -> str:
    bare = name.isascii() and bool(name) and all(c.isalnum() or c in "-_" for c in name)
    return name if bare else toml_text(name)


def without_secrets(key: str, value: Any) -> Any:
    """Plain data that everybody who may read the socket may see."""
    return dict.fromkeys(value, HIDDEN) if key == SECRET and isinstance(value, dict) else value
