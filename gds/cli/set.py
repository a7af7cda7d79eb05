"""gds set: properties changed while everything runs."""

from __future__ import annotations

from gds.api import client
from gds.cli import options
from gds.cli.control import WHERE, owners, say, talk, timeout_of
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE = """usage: gds set NAME KEY=VALUE... [--unset KEY]... [--restart] [--dry-run] [--json] [--timeout SECONDS]

NAME is a resource, or a group for the keys of [group.NAME]. A VALUE is written as in a descriptor; where the key wants
a string, quotes may be left out: retry_count=5 retry_interval=5m failover_mode=SOFT 'environment={A = "1"}'.
All keys change, or none: a bad value, a key that may not change now, or a Validate that says no refuses the whole.

  --unset KEY   what was set is forgotten: the descriptor (or the default) rules again
  --restart     allow what can only change while the resource is disabled: stop, change, start; in nobody's budget
  --dry-run     say what would be done; nothing is called and nothing changes

What was set is stronger than the descriptor, also after a crash, a restart of the runner and a reboot, until --unset,
or until the descriptor says the same. `gds get NAME` shows what comes from where, `gds diff` what differs.

Exit status: 0 done, 1 refused (Validate, or not now), 2 usage, 4 unknown, 75 busy, 77 not permitted, 78 bad key or
value."""


@options.door(USAGE, "usage: gds set NAME KEY=VALUE... (gds set --help tells more)")
def main(argv: list[str]) -> int:
    """gds set; the exit status (design.md 4)."""
    unset, rest = _unsets(argv)
    flags = {"--restart": "restart", "--dry-run": "dry_run", "--json": "json"}
    typed = options.parse(rest, flags, {**WHERE, "--timeout": "timeout"})
    name, pairs = _words([*typed.names, *(typed.after or [])])
    if not pairs and not unset:
        raise UsageError(f"cannot set {name}: no KEY=VALUE is given, and no --unset KEY")
    timeout = timeout_of(typed)
    ((path, names),) = owners([name], typed).items()
    request = {
        "verb": "set",
        "names": names,
        "pairs": pairs,
        "unset": unset,
        "restart": "restart" in typed.flags,
        "dry_run": "dry_run" in typed.flags,
    }
    return _tell(name, client.ask(path, request, talk, timeout), typed)


def _unsets(argv: list[str]) -> tuple[list[str], list[str]]:
    """--unset may be given again and again: the keys, and the other words."""
    keys: list[str] = []
    rest: list[str] = []
    left = list(argv)
    while left:
        word = left.pop(0)
        if word == "--":
            return keys, [*rest, word, *left]
        if word == "--unset":
            if not left:
                raise UsageError("cannot use --unset: it needs a key")
            word = f"--unset={left.pop(0)}"
        if word.startswith("--unset="):
            keys += [key for key in word.removeprefix("--unset=").split(",") if key]
        else:
            rest.append(word)
    return keys, rest


def _words(words: list[str]) -> tuple[str, list[list[str]]]:
    """The name and the pairs. Raises UsageError."""
    if not words:
        raise UsageError("cannot set: no name is given")
    name, *rest = words
    if "=" in name:
        raise UsageError(f"cannot set {name}: the name of a resource or group comes first")
    pairs = []
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"cannot set {name}: {word} is not KEY=VALUE")
        pairs.append([key.strip(), value.strip()])
    return name, pairs


def _tell(name: str, answer: dict[str, Any], typed: options.Options) -> int:
    code = int(answer.get("code", 1))
    if answer.get("message"):
        say(answer["message"])
    changes = answer.get("changes", [])
    if "json" in typed.flags:
        import json

        shown = [{k: c[k] for k in ("key", "old", "new", "tunable")} | {"changed": not c["same"]} for c in changes]
        done = {"schema": 1, "name": name, "done": code == 0 and "dry_run" not in typed.flags, "changes": shown}
        print(json.dumps(done, ensure_ascii=False))
    elif code == 0 and "dry_run" not in typed.flags:
        for change in changes:
            old, new = change["old"] or "not given", change["new"] or "not given"
            print(f"{name}: {change['key']} {f'{old} -> {new}' if not change['same'] else f'is {new} already'}")
    return code
