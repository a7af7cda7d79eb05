"""The verbs that act: start, stop, restart, enable, disable, monitor, unmonitor, probe, giveover, clear, reload."""

from __future__ import annotations

import sys

from gds.api import client
from gds.cli import options
from gds.errors import GdsError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WHERE = {"--socket": "socket", "--runtime-dir": "runtime_dir"}
_WAITING = (
    *("start", "stop", "restart", "enable", "disable", "rg.online", "rg.offline", "rg.restart", "rg.switch"),
    *("node.drain", "node.evacuate", "node.resume"),
)


def failed(error: GdsError) -> int:
    """Say it on stderr; the exit status (design.md 4)."""
    print(f"gds: {error}", file=sys.stderr)
    if isinstance(error, client.NoRunner):
        return 4
    if isinstance(error, client.Denied):
        return 77
    if isinstance(error, UsageError):
        return 2
    code: int = getattr(error, "code", 1)
    return code


def owners(names: list[str], where: options.Options) -> dict[str, list[str]]:
    """Which runner has which of the names. Raises GdsError for a name that nobody or more than one has."""
    paths = client.sockets(where.values.get("socket", ""), where.values.get("runtime_dir", ""))
    if len(paths) == 1:
        return {paths[0]: names}
    found: dict[str, list[str]] = {}
    reachable: list[str] = []
    known: dict[str, set[str]] = {}
    for path in paths:
        try:
            answer = client.ask(path, {"verb": "status"})
        except client.NoRunner:
            continue  # a socket left by a runner that was killed; the others answer
        reachable.append(path)
        groups = answer.get("status", {}).get("groups", [])
        known[path] = {g["name"] for g in groups} | {r["name"] for g in groups for r in g["resources"]}
    if not reachable:
        raise client.NoRunner(f"cannot reach a runner at {', '.join(paths)}")
    if not names:
        return {path: [] for path in reachable}
    for name in names:
        have = [path for path in reachable if name in known[path]]
        if not have:
            raise client.NoRunner(f"cannot find {name}: no runner has a resource or group of that name")
        if len(have) > 1:
            raise UsageError(f"cannot choose: {name} stands in {' and in '.join(have)}; name one with --socket")
        found.setdefault(have[0], []).append(name)
    return found


def talk(message: dict[str, Any]) -> None:
    """What the runner says before the end goes to stderr."""
    if "line" in message:
        print(message["line"], file=sys.stderr)


def _act(
    verb: str, argv: list[str], usage: str, need_names: bool = True, by_name: bool = True
) -> tuple[int, list[dict[str, Any]]]:
    flags = {"--no-wait": "no_wait"} if verb in _WAITING else {}
    valued = {**_WHERE, "--timeout": "timeout"}
    if verb == "reload":
        flags = {"--dry-run": "dry_run"}
    if verb == "probe":
        flags = {"--json": "json"}
    answers: list[dict[str, Any]] = []
    try:
        typed = options.parse(argv, flags, valued)
        if need_names and not typed.names:
            raise UsageError(f"cannot {verb.replace('.', ' ')}: no name is given\nusage: {usage}")
        if not need_names and typed.names:
            raise UsageError(f"cannot {verb} {typed.names[0]}: it takes no name\nusage: {usage}")
        timeout = options.seconds(typed.values["timeout"], "--timeout") if "timeout" in typed.values else None
        code = 0
        for path, names in _asked(verb, typed, by_name).items():
            request: dict[str, Any] = {"verb": verb, "names": names, **dict.fromkeys(typed.flags, True)}
            answer = client.ask(path, request, talk, timeout)
            answers.append(answer)
            if answer.get("message"):
                print(f"gds: {answer['message']}".replace("\n", "\ngds: "), file=sys.stderr)
            code = code or int(answer.get("code", 1))
        if "json" in typed.flags:
            answers = [{**a, "as_json": True} for a in answers]
    except options.HelpAsked:
        print(f"usage: {usage}")
        return 0, []
    except GdsError as error:
        return failed(error), []
    return code, answers


def _asked(verb: str, typed: options.Options, by_name: bool) -> dict[str, list[str]]:
    """Which runner is asked for which names."""
    if by_name:
        return owners(typed.names, typed)
    # the names are of nodes, or the first alone is of a group: any runner of the cluster will do, if there is but one
    paths = list(owners(typed.names[:1] if verb == "rg.switch" else [], typed))
    if len(paths) > 1:
        raise UsageError(f"cannot choose: there are runners at {' and at '.join(paths)}; name one with --socket")
    return {paths[0]: typed.names}


def chosen(of: str, argv: list[str], verbs: dict[str, str], usage: str) -> tuple[str, int]:
    """The verb that `gds OF VERB …` begins with; or "" and the exit status, when help was asked for or there is no such
    verb, which has been said."""
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: {usage}\n")
        for verb, said in verbs.items():
            print(f"  {verb:9} {said}")
        return "", 0 if argv else 2
    if argv[0] in verbs:
        return argv[0], 0
    import difflib

    near = difflib.get_close_matches(argv[0], verbs, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    print(f"gds: cannot {of} {argv[0]}: there is no such verb{meant}\nusage: {usage}", file=sys.stderr)
    return "", 2


def act(verb: str, argv: list[str], usage: str, by_name: bool = True) -> int:
    """A verb of `gds rg` or `gds node`. `by_name`: the names say which runner is meant."""
    return _act(verb, argv, usage, by_name=by_name)[0]


def start(argv: list[str]) -> int:
    """gds start"""
    return _act("start", argv, "gds start NAME... [--no-wait] [--timeout SECONDS] [--socket PATH]")[0]


def stop(argv: list[str]) -> int:
    """gds stop"""
    return _act("stop", argv, "gds stop NAME... [--no-wait] [--timeout SECONDS] [--socket PATH]")[0]


def restart(argv: list[str]) -> int:
    """gds restart"""
    return _act("restart", argv, "gds restart NAME... [--no-wait] [--timeout SECONDS] [--socket PATH]")[0]


def enable(argv: list[str]) -> int:
    """gds enable"""
    return _act("enable", argv, "gds enable NAME... [--no-wait] [--timeout SECONDS] [--socket PATH]")[0]


def disable(argv: list[str]) -> int:
    """gds disable"""
    return _act("disable", argv, "gds disable NAME... [--no-wait] [--timeout SECONDS] [--socket PATH]")[0]


def monitor(argv: list[str]) -> int:
    """gds monitor"""
    return _act("monitor", argv, "gds monitor NAME... [--socket PATH]")[0]


def unmonitor(argv: list[str]) -> int:
    """gds unmonitor"""
    return _act("unmonitor", argv, "gds unmonitor NAME... [--socket PATH]")[0]


def giveover(argv: list[str]) -> int:
    """gds giveover"""
    return _act("giveover", argv, "gds giveover NAME [--socket PATH]")[0]


def clear(argv: list[str]) -> int:
    """gds clear"""
    return _act("clear", argv, "gds clear NAME... [--socket PATH]")[0]


def reload(argv: list[str]) -> int:
    """gds reload"""
    return _act("reload", argv, "gds reload [--dry-run] [--socket PATH]", need_names=False)[0]


def probe(argv: list[str]) -> int:
    """gds probe"""
    code, answers = _act("probe", argv, "gds probe NAME [--json] [--timeout SECONDS] [--socket PATH]")
    for answer in answers:
        told = answer.get("probe")
        if not told:
            continue
        if answer.get("as_json"):
            import json

            print(json.dumps(told))
            continue
        print(f"{told['resource']}: score {told['score']} in {told['seconds']:.3f} s: {told['because'] or 'healthy'}")
        if told["output"]:
            print(f"  output: {told['output']}")
        print(f"  this would lead to: {told['would']}")
    return code
