"""What a word means: the properties, settings and glossary of the model, and the linter's codes, as text or data.

One source for `gds explain`: the tables the rest of gds works from.
"""

from __future__ import annotations

from gds.config.lint import CODES
from gds.config.refusal import nearest, shown
from gds.config.values import plain
from gds.model.glossary import GLOSSARY, Entry
from gds.model.properties import ETCD, GROUP, KINDS, RESOURCE, SETTINGS, TUNABLE_HELP, Property, default_of
from gds.model.resource import Output
from gds.model.state import FailoverMode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROPERTY, GROUP_PROPERTY, SETTING, WARNING = "key of [resource.NAME]", "key of [group.NAME]", "setting", "warning"
ETCD_SETTING = "setting of [runner.etcd]"
TABLES = ((PROPERTY, RESOURCE), (GROUP_PROPERTY, GROUP), (SETTING, SETTINGS), (ETCD_SETTING, ETCD))

RUNNER = (
    "[runner] in /etc/gds/gds.toml (GDS_CONFIG names another file). GDS_ and the key in capitals is the variable, "
    "which is stronger than the file; most have a flag of gds run too, which is stronger than both. `gds explain KEY` "
    "tells more of each."
)
_EXIT = "exit "


def meanings(word: str) -> list[dict[str, Any]]:
    """Every meaning of a word, in any capitalisation; empty when there is none."""
    asked = word.lower().strip()
    exit_only = asked.startswith(_EXIT)
    asked = asked.removeprefix(_EXIT).removeprefix("status ").strip()
    found: list[dict[str, Any]] = []
    if not exit_only:
        for topic, table in TABLES:
            found.extend([_property(topic, p) for p in table if asked in (p.name, p.sun.lower())])
        found.extend([_entry(Entry(code, WARNING, text)) for code, text in CODES.items() if code == asked])
    if asked in ("runner", "[runner]", "gds.toml") and not exit_only:
        found.append(_runner())
    found.extend([_entry(e) for e in GLOSSARY if _is_asked(e, asked) and (not exit_only or "exit" in e.topic)])
    setting = asked.removeprefix("gds_")
    if setting != asked:
        found.extend([_property(SETTING, p) for p in SETTINGS if p.name == setting])
    for before in ("etcd_", "etcd."):
        if setting.startswith(before):
            found.extend([_property(ETCD_SETTING, p) for p in ETCD if p.name == setting.removeprefix(before)])
    return found


def all_words() -> dict[str, list[tuple[str, str]]]:
    """Every word with a line about it, by topic."""
    made: dict[str, list[tuple[str, str]]] = {
        topic: [(p.name, p.help if p.supported else "not supported yet") for p in table] for topic, table in TABLES
    }
    for entry in GLOSSARY:
        made.setdefault(entry.topic, []).append((entry.word, entry.text))
    made[WARNING] = list(CODES.items())
    return made


def suggestion(word: str) -> str:
    """The known word most like this one, or an empty string."""
    known = {each.lower(): each for words in all_words().values() for each, _ in words}
    known |= {p.sun.lower(): p.name for p in (*RESOURCE, *GROUP) if p.sun}
    close = nearest(word.lower(), known)
    return known.get(close, "")


def _runner() -> dict[str, Any]:
    """The table of settings: each key with a line about it."""
    tables = ((SETTINGS, ""), (ETCD, "etcd."))
    keys = [{"word": before + p.name, "text": p.help} for table, before in tables for p in table if p.supported]
    return {"word": "runner", "topic": "table of settings", "text": RUNNER, "keys": keys}


def _is_asked(entry: Entry, asked: str) -> bool:
    if entry.word.lower() in (asked, asked.replace("_", " "), asked.replace("-", " ")):
        return True
    low, dots, high = entry.word.partition("..")
    return bool(dots) and asked.isascii() and asked.isdigit() and len(asked) < 4 and int(low) <= int(asked) <= int(high)


def _entry(entry: Entry) -> dict[str, Any]:
    return {"word": entry.word, "topic": entry.topic, "text": entry.text}


def _property(topic: str, prop: Property) -> dict[str, Any]:
    made: dict[str, Any] = {"word": prop.name, "topic": topic, "text": prop.help, "supported": prop.supported}
    if prop.kind in KINDS:
        made["value"] = "one of " + ", ".join([str(w) for w in prop.words]) if prop.words else KINDS[prop.kind]
    elif prop in SETTINGS and prop.name == "etcd":
        made["value"] = "a table of " + ", ".join([each.name for each in ETCD])
    if bounds := _bounds(prop):
        made["bounds"] = bounds
    if prop.supported and prop.kind != "table" and (default := default_of(prop)) is not None:
        made["default"] = shown_default(prop, default)
    if topic not in (SETTING, ETCD_SETTING):
        made["tunable"] = f"{prop.tunable}: {TUNABLE_HELP[prop.tunable]}"
    if prop.sun and prop.sun.lower() != prop.name:
        made["sun"] = prop.sun
    if topic == ETCD_SETTING:
        made["variable"] = f"GDS_ETCD_{prop.name.upper()}"
    elif topic == SETTING and prop.kind != "table":
        made["variable"] = f"GDS_{prop.name.upper()}"
    if prop.example:
        made["example"] = f"{prop.name} = {prop.example}"
    return made


def _bounds(prop: Property) -> str:
    unit = " s" if prop.kind == "duration" else ""
    low = f"at least {plain(prop.minimum)}{unit}" if prop.minimum is not None else ""
    high = f"at most {plain(prop.maximum)}{unit}" if prop.maximum is not None else ""
    return ", ".join([part for part in (low, high) if part])


def shown_default(prop: Property, default: Any) -> str:
    """A default as one would write it, or what it amounts to."""
    if prop.name == "network_aware":
        return "true when port_list is given"
    if prop.name in ("group", "node", "runtime_dir", "state_dir", "socket"):
        return "the name of the resource" if prop.name == "group" else "by rule"
    if prop.name == "umask":
        return "the runner's"
    if prop.name == "nodelist":
        return "every node"
    if prop.name == "rg_mode":
        return "FAILOVER when maximum_primaries is 1, else SCALABLE"
    if isinstance(default, Output):
        return shown(default.kind)
    if isinstance(default, FailoverMode):
        return shown(str(default.value))
    if prop.kind == "signal":
        return f"{default} (SIGTERM)"
    if prop.kind == "duration":
        return f"{default:g} s"
    if default == () or default == "":
        return "none"
    return shown(default)
