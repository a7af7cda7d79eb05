"""gds rt: the registered resource types. No runner is needed."""

from __future__ import annotations

import os
import sys

from gds.cli import options
from gds.config import places
from gds.config.registry import (
    Registered,
    Registry,
    directory_of,
    load_registry,
    look_up,
    matching,
    read_type,
    register,
    text_of_type,
    unregister,
)
from gds.errors import ConfigError, GdsError, UsageError
from gds.model.propertyvalue import text_of
from gds.model.restype import PropertyDeclaration, ResourceType
from gds.model.sysprops import properties_of
from gds.model.value import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

USAGE = """usage: gds rt register FILE...           check RTR files and keep them
       gds rt list [--json]              the types there are
       gds rt show NAME [--json]         a type: its methods, its properties, its upgrades
       gds rt show NAME --rtr            its RTR file (of the generic type too: gds rt show gds --rtr)
       gds rt check FILE...              only check RTR files
       gds rt unregister NAME...         forget a type

  NAME             [vendor.]type[:version], in any letter case; without a version the latest
  --state-dir DIR  where registered types are kept (in rt/), as for gds run

Mistakes of a file, one a line: FILE:LINE:COLUMN: ENTRY: MESSAGE.
Exit status: 0 done, 1 failed or another content is registered under the name, 2 usage, 4 no such type, 75 a resource
has the type, 77 not permitted, 78 a bad RTR file or bad settings."""

ACTIONS = ("register", "list", "show", "check", "unregister")


@options.door(USAGE, USAGE)
def main(argv: list[str]) -> int:
    """One action on the registry; exit status as above."""
    typed = options.parse(argv, {"--json": "json", "--rtr": "rtr"}, {"--state-dir": "state_dir"})
    action, names = _understood(typed)
    try:
        return _act(action, names, typed)
    except OSError as error:
        what = f"use {error.filename}" if error.filename else "print"
        print(f"gds: cannot {what}: {error.strerror}{_remedy(error)}", file=sys.stderr)
        return 77 if isinstance(error, PermissionError) else 1


def _remedy(error: OSError) -> str:
    return "; --state-dir names another directory" if isinstance(error, PermissionError) else ""


def _understood(typed: options.Options) -> tuple[str, list[str]]:
    """The action and its names. Raises UsageError."""
    words = [*typed.names, *(typed.after or [])]
    if not words:
        raise UsageError(f"cannot guess what to do with types: say {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}")
    action, names = words[0], words[1:]
    if action not in ACTIONS:
        raise UsageError(f"cannot use gds rt {action}: there is no such action{options.near(action, ACTIONS)}")
    if "rtr" in typed.flags and action != "show":
        raise UsageError("cannot use --rtr here: only `gds rt show` has it")
    if "json" in typed.flags and (action not in ("list", "show") or "rtr" in typed.flags):
        raise UsageError("cannot use --json here: only `gds rt list` and `gds rt show` have it")
    if action == "list" and names:
        raise UsageError("cannot list one type: `gds rt show NAME` does")
    if action == "show" and len(names) != 1:
        raise UsageError("cannot show: name one type")
    if action != "list" and not names:
        raise UsageError(f"cannot {action}: name {'types' if action == 'unregister' else 'RTR files'}")
    return action, names


def _act(action: str, names: list[str], typed: options.Options) -> int:
    if action == "check":
        return _check(names)
    state_dir = _state_dir(typed.values)
    if action == "register":
        return _register(names, state_dir)
    registry = load_registry(state_dir, os.geteuid())
    if action == "list":
        status = _list(registry, state_dir, "json" in typed.flags)
    elif action == "show":
        status = _show(registry, names[0], typed.flags)
    else:
        status = _unregister(registry, names, state_dir)
    for fault in registry.faults:
        print(fault, file=sys.stderr)
    return status or (78 if registry.faults and action == "list" else 0)


def _state_dir(flags: dict[str, str]) -> str:
    """The state directory that `gds run` would have. Raises ConfigError."""
    euid = os.geteuid()
    given = {**places.variables(os.environ), **flags}
    if "state_dir" not in given and places.settings_file(os.environ):
        from gds.config.settings import load_settings

        read = load_settings(flags, os.environ, euid)
        if read.problems:
            told = "\n".join([str(problem) for problem in read.problems])
            raise ConfigError(f"cannot know the state directory: the settings are bad\n{told}")
        given = read.values
    found = given.get("state_dir", "")
    if "\0" in found or (flags and not found.strip()):
        raise UsageError("cannot use --state-dir: expected the path of a directory")
    return os.path.abspath(places.state_dir(found, os.environ, euid))


# -- register, check, unregister


def _check(files: list[str]) -> int:
    status = 0
    for file in files:
        kind, _ = _read(file)
        if kind is None:
            status = 78
        else:
            count = len(kind.declared)
            print(f"{file}: type {kind.name}, {count} declared propert{'y' if count == 1 else 'ies'}, nothing wrong")
    return status


def _read(file: str) -> tuple[ResourceType | None, str]:
    """The type of a file; told: its mistakes (the result), or its remarks."""
    found, text = read_type(file, os.geteuid())
    for fault in found.faults:
        print(fault)
    for remark in found.remarks:
        print(str(remark).replace(f" {remark.key}: ", f" {remark.key}: warning: ", 1))
    sys.stdout.flush()
    if found.type is None:
        count = len(found.faults)
        print(f"gds: cannot use {file}: {count} error{'' if count == 1 else 's'}", file=sys.stderr)
    else:
        missing = [m for m, _ in found.type.methods if not _is_program(found.type.path_of(m))]
        if missing:
            what = ", ".join([f"{method} ({found.type.path_of(method)})" for method in missing])
            print(f"{file}: warning: no programs on this machine: {what}", file=sys.stderr)
    return found.type, text


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _register(files: list[str], state_dir: str) -> int:
    read = [(file, *_read(file)) for file in files]
    if any(kind is None for _, kind, _ in read):
        return 78
    for file, kind, text in read:
        assert kind is not None
        new = register(kind, text, state_dir, os.geteuid())
        print(f"{kind.name}: {'registered' if new else 'is registered already, with this content'} ({file})")
    return 0


def _unregister(registry: Registry, names: list[str], state_dir: str) -> int:
    chosen: list[Registered] = []
    for name in names:
        damaged = [f for f in registry.faults if os.path.basename(f.path).lower() == name.lower()]
        found = matching(registry, name)
        if damaged and not found:
            unregister(damaged[0].path)
            print(f"{name}: the damaged file {damaged[0].path} is removed")
            continue
        if not found:
            print(f"gds: cannot unregister {name}: {look_up(registry, name)}", file=sys.stderr)
            return 4
        if len(found) > 1:
            listed = ", ".join([each.type.name for each in found])
            print(f"gds: cannot unregister {name}: it may mean {listed}; name one", file=sys.stderr)
            return 2
        if found[0].is_built_in:
            print(f"gds: cannot unregister {found[0].type.name}: it is built into gds", file=sys.stderr)
            return 1
        chosen += found
    for each in chosen:
        if users := _users(each.type):
            print(f"gds: cannot unregister {each.type.name}: {', '.join(users)} has the type", file=sys.stderr)
            return 75
    for each in chosen:
        unregister(each.path)
        print(f"{each.type.name}: unregistered; {directory_of(state_dir)} keeps it no longer")
    return 0


def _users(kind: ResourceType) -> list[str]:
    """The resources of that type in the runners that can be asked. A runner that cannot be asked keeps what it has
    in memory, and is none the worse for a file that is gone until it reads its descriptors again."""
    from gds.api import client

    found: list[str] = []
    try:
        for path in client.sockets():
            answer = client.ask(path, {"verb": "status", "names": []}, timeout=5.0)
            for group in (answer.get("status") or {}).get("groups", ()):
                found += [r["name"] for r in group["resources"] if str(r["type"]).lower() == kind.name.lower()]
    except GdsError:
        return found
    return found


# -- list, show


def _list(registry: Registry, state_dir: str, as_json: bool) -> int:
    if as_json:
        _print_json(
            {
                "schema": 1,
                "directory": directory_of(state_dir),
                "types": [_summary(each) for each in registry.types],
                "problems": [{f: getattr(p, f) for f in fields_of(type(p))} for p in registry.faults],
            }
        )
        return 0
    rows = [("NAME", "VERSION", "METHODS", "PROPERTIES", "DESCRIPTION")]
    for each in registry.types:
        kind = each.type
        text = kind.rt_description + (" (built in)" if each.is_built_in else "")
        rows.append((kind.name, kind.rt_version, str(len(kind.methods)), str(len(properties_of(kind))), text.strip()))
    _print_table(rows)
    return 0


def _show(registry: Registry, name: str, flags: set[str]) -> int:
    found = look_up(registry, name)
    if not isinstance(found, Registered):
        print(f"gds: cannot show {name}: {found}", file=sys.stderr)
        return 4
    if "rtr" in flags:
        print(text_of_type(found), end="")
    elif "json" in flags:
        _print_json({"schema": 1, **_document(found)})
    else:
        _print_type(found)
    return 0


def _summary(each: Registered) -> dict[str, Any]:
    """The type properties, under Sun's names in lower case."""
    kind = each.type
    left_out = ("methods", "upgrades", "declared")
    values = {field: getattr(kind, field) for field in fields_of(ResourceType) if field not in left_out}
    return {"name": kind.name, **values, "built_in": each.is_built_in, "path": each.path}


def _document(each: Registered) -> dict[str, Any]:
    kind = each.type
    declared = {p.key for p in kind.declared}
    return {
        **_summary(each),
        "methods": {method: kind.path_of(method) for method, _ in kind.methods},
        "upgrades": [{"from_version": u.from_version, "when": u.when} for u in kind.upgrades],
        "properties": [
            {**{f: getattr(p, f) for f in fields_of(PropertyDeclaration)}, "declared": p.key in declared}
            for p in properties_of(kind)
        ],
    }


def _print_type(each: Registered) -> None:
    kind = each.type
    print(f"{kind.name}   {kind.rt_description}".rstrip())
    print(f"  {'from':<15} {each.path or 'built into gds'}")
    for name, value in (
        ("RT_version", kind.rt_version),
        ("API_version", kind.api_version),
        ("Init_nodes", kind.init_nodes),
        ("Failover", kind.failover),
        ("Single_instance", kind.single_instance),
        ("Proxy", kind.proxy),
        ("Global_zone", kind.global_zone),
        ("Pkglist", kind.pkglist),
    ):
        if value not in (False, ()):
            print(f"  {name:<15} {text_of(value)}")
    for upgrade in kind.upgrades:
        print(f'  {"upgrade from":<15} "{upgrade.from_version}" {upgrade.when}')
    print("\nMethods")
    for method, _ in kind.methods:
        print(f"  {method:<15} {kind.path_of(method)}")
    print("\nProperties (- : required)")
    declared = {p.key for p in kind.declared}
    rows = [("  NAME", "TYPE", "DEFAULT", "TUNABLE", "LIMITS", "OF")]
    for p in properties_of(kind):
        default = "-" if p.default is None else text_of(p.default) or '""'
        owner = "type" if p.extension else "Sun, declared" if p.key in declared else "Sun"
        kind_word = f"{p.type} per node" if p.per_node else str(p.type)
        rows.append((f"  {p.name}", kind_word, default, p.tunable, _limits(p), owner))
    _print_table(rows)


def _limits(p: PropertyDeclaration) -> str:
    told = [",".join(p.enumlist)] if p.enumlist else []
    for low, high, unit in (
        (p.minimum, p.maximum, ""),
        (p.min_length, p.max_length, " characters"),
        (p.array_min, p.array_max, " elements"),
    ):
        if low is not None or high is not None:
            told.append(f"{'' if low is None else low}..{'' if high is None else high}{unit}")
    return "; ".join(told)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]).rstrip())


def _print_json(document: dict[str, Any]) -> None:
    import json

    print(json.dumps(document, indent=1))
