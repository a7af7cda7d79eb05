"""gds get and gds diff: what every property is and where that comes from; what runs against what the files say."""

from __future__ import annotations

from gds.api import client
from gds.cli import options
from gds.cli.control import WHERE, Refused, owners
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE = """usage: gds get NAME [KEY...] [--json] [--socket PATH]

Prints each property as it is in force, written as in a descriptor, and where it comes from: default, file:line, or who
set it and when, or the verb that switched it. Exit status: 0, 4 unknown name, 78 unknown key."""
BACK = {"enable": "disable", "disable": "enable", "monitor": "unmonitor", "unmonitor": "monitor"}
DIFF = """usage: gds diff [NAME...] [--cluster] [--json] [--socket PATH]

What runs against what the descriptors say now: values that were set or switched, and changes of files that no reload
took over yet. --cluster: what the nodes of the cluster say differently.

Exit status: 0 no difference, 1 difference, 4 unknown name, 78 a descriptor does not compile."""


@options.door(USAGE)
def main(argv: list[str]) -> int:
    """gds get; the exit status."""
    typed = options.parse(argv, {"--json": "json"}, WHERE)
    if not typed.names:
        raise UsageError(f"cannot get: no name is given\n{USAGE.partition(chr(10))[0]}")
    name, *keys = typed.names
    ((path, names),) = owners([name], typed).items()
    answer = client.ask(path, {"verb": "get", "names": names, "keys": keys}, timeout=60.0)
    if answer["code"]:
        raise _refused(answer)
    found = answer["properties"]
    if "json" in typed.flags:
        import json

        print(json.dumps({"schema": 1, "properties": found}, ensure_ascii=False))
        return 0
    lines = [(f"{p['key']} = {p['text']}" if p["text"] else f"# {p['key']} is not given", p["source"]) for p in found]
    width = min(60, max([len(line) for line, _ in lines], default=0))
    for line, source in lines:
        print(f"{line:<{width}}  # {source}")
    return 0


@options.door(DIFF)
def diff(argv: list[str]) -> int:
    """gds diff; the exit status."""
    typed = options.parse(argv, {"--json": "json", "--cluster": "cluster"}, WHERE)
    if "cluster" in typed.flags:
        return _between_nodes(typed)
    merged: dict[str, list[Any]] = {"differences": [], "fresh": [], "gone": []}
    code = 0
    for path, names in owners(typed.names, typed).items():
        answer = client.ask(path, {"verb": "diff", "names": names}, timeout=60.0)
        if answer["code"] not in (0, 1) or "differences" not in answer:
            raise _refused(answer)
        code = code or int(answer["code"])
        for key, found in merged.items():
            found += answer[key]
    if "json" in typed.flags:
        import json

        print(json.dumps({"schema": 1, **merged}, ensure_ascii=False))
        return code
    for each in merged["differences"]:
        print(_line(each))
    for each in merged["fresh"]:
        print(f"{each['name']}: stands in {each['place']} and does not run; `gds reload` starts it")
    for name in merged["gone"]:
        print(f"{name}: runs, and no descriptor names it any more; `gds reload` stops it")
    return code


def _between_nodes(typed: options.Options) -> int:
    """gds diff --cluster"""
    found: list[dict[str, Any]] = []
    for path, names in owners(typed.names, typed).items():
        answer = client.ask(path, {"verb": "diff.cluster", "names": names}, timeout=60.0)
        if "differences" not in answer:
            raise _refused(answer)
        found += answer["differences"]
    if "json" in typed.flags:
        import json

        print(json.dumps({"schema": 1, "differences": found}, ensure_ascii=False))
        return 1 if found else 0
    for each in found:
        print(between_nodes(each))
    return 1 if found else 0


def between_nodes(each: dict[str, Any]) -> str:
    """What the files of nodes say differently, in one line."""
    missing = "not given" if each["key"] else "not declared"
    said = ", ".join(f"{node}: {text or missing}" for node, text in each["nodes"].items())
    return f"{each['name']}: {each['key']} differs: {said}" if each["key"] else f"{each['name']}: {said}"


def _line(each: dict[str, Any]) -> str:
    runs = each["runs"] or "not given"
    says = f"{each['place']} says {each['file']}" if each["place"] else f"{each['file'] or 'nothing'} by default"
    if each.get("switched"):
        why = f"switched by `gds {each['switched']}`; `gds {BACK[each['switched']]} {each['name']}` follows the file"
    elif each["set"]:
        why = f"set by {each['by']} at {each['at']}; `gds set {each['name']} --unset {each['key']}` follows the file"
    else:
        why = "changed there since; `gds reload` takes it over"
    return f"{each['name']}: {each['key']} is {runs}, {says} ({why})"


def _refused(answer: dict[str, Any]) -> Refused:
    return Refused(str(answer["message"]).replace("\n", "\ngds: "), int(answer["code"]) or 1)
