"""What the parameters make of a descriptor: one resource or group of it, with properties laid over.

Nothing is judged here: the result is a descriptor like any other, and the compiler says what is wrong with it. What
leads out of the choice (dependencies on resources that were not chosen; rg_dependencies and rg_affinities of groups)
is left out, because Pacemaker keeps the order and company of what it places: `gds convert --to pcs` prints it.
"""

from __future__ import annotations

import json
import os

from gds.model.properties import RESOURCE, by_name
from gds.ocf.asked import ARGS, GENERIC, INSTALLED, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Tables = dict[str, dict[str, Any]]

_LARGEST = 1 << 20
SCALAR = frozenset(("boolean", "integer", "duration", "string", "path", "word", "command", "signal", "account"))
"""Kinds of properties that a parameter can carry."""
SETTABLE = {
    name: prop
    for name, prop in by_name(RESOURCE).items()
    if prop.kind in SCALAR and prop.supported and not prop.of and name not in ("enabled", "monitored", "description")
}
"""The properties that the agent takes as parameters."""
_TRUE, _FALSE = ("1", "true", "yes", "on", "y"), ("0", "false", "no", "off", "n")


def text_of(config: str, name: str, properties: Mapping[str, str]) -> str:
    """The descriptor for the resource or group `name` ("" all) of `config`, a file or a directory. Raises Failure."""
    resources, groups = _tables(config)
    if name:
        resources = _selected(config, name, resources)
        _cut(resources, groups)
        groups = {g: groups[g] for g in {_group_of(r, t) for r, t in resources.items()} if g in groups}
    if properties:
        if len(resources) != 1:
            raise Failure(
                ARGS,
                f"cannot use {', '.join(properties)}: {config} has {len(resources)} resources, and these parameters"
                f" are properties of one; name it with the parameter resource ({', '.join(sorted(resources))})",
            )
        (only,) = resources.values()
        for key, text in properties.items():
            for known in [k for k in only if k.lower() == key.lower()]:
                del only[known]
            only[key.lower()] = _value(key.lower(), text)
    made = {"group": groups, "resource": resources}
    lines = [
        f"[{kind}.{_quoted(each)}]\n" + "".join([f"{_quoted(k)} = {_toml(v)}\n" for k, v in table.items()])
        for kind, tables in made.items()
        for each, table in tables.items()
    ]
    return f"# made by ocf:gds:app from {json.dumps(config)}; change that one\n\n" + "\n".join(lines)


def _tables(config: str) -> tuple[Tables, Tables]:
    """All resources and groups of the file, or of the directory's files."""
    import tomllib

    resources: Tables = {}
    groups: Tables = {}
    for path in _files(config):
        try:
            with open(path, "rb") as file:
                read = tomllib.loads(file.read(_LARGEST).decode())
        except OSError as error:
            raise Failure(INSTALLED, f"cannot read {path}: {error.strerror}") from None
        except ValueError as error:
            raise Failure(ARGS, f"cannot read {path}: {error}") from None
        lower = {key.lower(): value for key, value in read.items() if key != "$schema"}
        if "resource" not in lower and "group" not in lower:
            resources[os.path.basename(path).removesuffix(".toml")] = lower
            continue
        for kind, found in (("resource", resources), ("group", groups)):
            tables = lower.get(kind, {})
            if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
                raise Failure(ARGS, f"cannot use {path}: {kind} must be tables; `gds check {path}` says more")
            found.update(tables)
    return resources, groups


def _files(config: str) -> list[str]:
    if not os.path.isdir(config):
        return [config]
    return [f"{config}/{each}" for each in sorted(os.listdir(config)) if each.endswith(".toml")]


def _group_of(name: str, table: Mapping[str, Any]) -> str:
    return str(next((value for key, value in table.items() if key.lower() == "group"), name))


def _selected(config: str, name: str, resources: Tables) -> Tables:
    """The members of the group of that name, else the one resource."""
    members = {each: table for each, table in resources.items() if _group_of(each, table) == name}
    if members:
        return members
    if name in resources:
        return {name: resources[name]}
    known = sorted({*resources, *[_group_of(each, table) for each, table in resources.items()]})
    raise Failure(ARGS, f"cannot find {name} in {config}: it has {', '.join(known) or 'nothing'}")


def _cut(resources: Tables, groups: Tables) -> None:
    for table in resources.values():
        for key in [k for k in table if k.lower().startswith("resource_dependencies")]:
            needs = table[key].split(",") if isinstance(table[key], str) else table[key]
            table[key] = [n for n in needs if str(n).partition("{")[0].partition("@")[0].strip() in resources]
    for table in groups.values():
        for key in [k for k in table if k.lower() in ("rg_dependencies", "rg_affinities")]:
            del table[key]


def _value(name: str, text: str) -> object:
    """As the descriptor would have it; what does not fit is left to the compiler's message."""
    if name not in SETTABLE:
        import difflib

        near = difflib.get_close_matches(name, SETTABLE, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Failure(ARGS, f"cannot use the parameter {name}: there is no such one{hint}")
    kind = SETTABLE[name].kind
    if kind == "boolean" and text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    if kind in ("integer", "signal") and text.lstrip("-").isdecimal():
        return int(text)
    if kind == "duration":
        try:
            return float(text)
        except ValueError:
            return text  # with a unit
    return text


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return f"[{', '.join([_toml(each) for each in value])}]"
    if isinstance(value, dict):
        return f"{{{', '.join([f'{_quoted(k)} = {_toml(v)}' for k, v in value.items()])}}}"
    raise Failure(ARGS, f"cannot hand on {value!r}: no property has a date or a time")


def _quoted(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for one character that JSON leaves alone."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write(path: str, text: str) -> None:
    """In place whole, for us alone: a descriptor may name what not everybody should read. Raises Failure."""
    new = f"{path}.new"
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(new, path)
    except OSError as error:
        raise Failure(GENERIC, f"cannot write {path}: {error.strerror}") from None
