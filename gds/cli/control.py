"""The verbs that act: start, stop, restart, enable, disable, monitor, unmonitor, probe, giveover, clear, reload."""

from __future__ import annotations

import sys

from gds.api import client
from gds.cli import options
from gds.errors import GdsError, UsageError
from gds.model.printed import printed, printed_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.cli.lost import Lost
    from gds.cli.options import Verb

WHERE = {"--socket": "socket", "--runtime-dir": "runtime_dir"}
"""The options that say which runner is asked."""
ANSWER_LIMIT = 30.0
"""Seconds that a runner which answers at all may take for what it only has to tell."""
_WAITING = (
    *("start", "stop", "restart", "enable", "disable", "rg.online", "rg.offline", "rg.restart", "rg.switch"),
    *("node.drain", "node.evacuate", "node.resume"),
)
_FLAGS = {"reload": {"--dry-run": "dry_run"}, "probe": {"--json": "json"}}


class Refused(GdsError):
    """The runner's own answer, with its exit status."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def answered(path: str, request: dict[str, Any], timeout: float = ANSWER_LIMIT) -> dict[str, Any]:
    """What the runner at `path` answers within `timeout` seconds. Raises GdsError, Refused when it refuses."""
    answer = client.ask(path, request, timeout=timeout)
    if answer["code"]:
        raise Refused(answer["message"], int(answer["code"]))
    return answer


def owners(names: list[str], where: options.Options, mute: list[GdsError] | None = None) -> dict[str, list[str]]:
    """Which runner has which of the names; without names, all that answer. Raises GdsError for a name that nobody or
    more than one has, or may have; without names, when a runner does not answer or is gone, unless there is a list for
    what is to be said of these."""
    paths = client.sockets(where.values.get("socket", ""), where.values.get("runtime_dir", ""))
    if len(paths) == 1:
        return {paths[0]: names}
    known, silent, gone = _asked_all(paths)
    if not known:
        raise silent[0] if silent else client.NoRunner(f"cannot reach a runner at {', '.join(paths)}")
    if not names:
        if mute is not None:
            mute += [*silent, *gone]
        elif silent or gone:
            raise [*silent, *gone][0]
        return {path: [] for path in known}
    if mute is not None:
        mute += silent
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_owner(name, known, silent, gone), []).append(name)
    return found


def _asked_all(paths: list[str]) -> tuple[dict[str, set[str]], list[client.NoAnswer], list[Lost]]:
    """The names that each runner which answers has; those that are there and do not answer; those that are gone."""
    known: dict[str, set[str]] = {}
    silent: list[client.NoAnswer] = []
    gone: list[Lost] = []
    for path in paths:
        try:
            answer = client.ask(path, {"verb": "status"}, timeout=ANSWER_LIMIT)
        except client.NoRunner:
            from gds.cli import lost

            if (found := lost.at(path)) is not None:
                gone.append(found)
            continue
        except client.NoAnswer as error:
            silent.append(error)
            continue
        groups = answer.get("status", {}).get("groups", [])
        known[path] = {g["name"] for g in groups} | {r["name"] for g in groups for r in g["resources"]}
    return known, silent, gone


def _owner(name: str, known: dict[str, set[str]], silent: list[client.NoAnswer], gone: list[Lost]) -> str:
    """The one runner that has it. Raises GdsError."""
    have = [path for path in known if name in known[path]]
    had = [each for each in gone if name in each.names]
    if len(have) > 1:
        raise UsageError(f"cannot choose: {name} stands in {' and in '.join(have)}; name one with --socket")
    if have and had:
        raise UsageError(
            f"cannot choose: {name} stands in {have[0]}, and stood in {had[0].path}, whose runner is gone and did not"
            " end in order: it may still run there; start that runner again, or name one with --socket"
        )
    if have:
        return have[0]
    if had or silent:
        raise [*had, *silent][0]  # it has it, or may have it
    told = "".join([f"; {each}" for each in gone])
    raise client.NoRunner(f"cannot find {name}: no runner has a resource or group of that name{told}")


def talk(message: dict[str, Any]) -> None:
    """What the runner says before the end goes to stderr."""
    if "line" in message:
        print(printed_lines(message["line"]), file=sys.stderr)


def say(message: str) -> None:
    """What the runner says at the end, which may be several lines, goes to stderr."""
    print(f"gds: {printed_lines(message)}".replace("\n", "\ngds: "), file=sys.stderr)


def timeout_of(typed: options.Options) -> float | None:
    """--timeout in seconds; None: no limit. Raises UsageError."""
    return options.seconds(typed.values["timeout"], "--timeout") if "timeout" in typed.values else None


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
    meant = options.near(argv[0], verbs)
    print(f"gds: cannot {of} {argv[0]}: there is no such verb{meant}\nusage: {usage}", file=sys.stderr)
    return "", 2


def acting(verb: str, usage: str, by_name: bool = True) -> Verb:
    """The verb that asks the runners for this. `by_name`: the names say which runner is meant."""

    @options.door(f"usage: {usage}")
    def act(argv: list[str]) -> int:
        return _acted(verb, _typed(verb, argv, usage), by_name)[0]

    return act


def _typed(verb: str, argv: list[str], usage: str) -> options.Options:
    flags = {"--no-wait": "no_wait"} if verb in _WAITING else _FLAGS.get(verb, {})
    typed = options.parse(argv, flags, {**WHERE, "--timeout": "timeout"})
    if verb == "reload" and typed.names:
        raise UsageError(f"cannot {verb} {typed.names[0]}: it takes no name\nusage: {usage}")
    if verb != "reload" and not typed.names:
        raise UsageError(f"cannot {verb.replace('.', ' ')}: no name is given\nusage: {usage}")
    return typed


def _acted(verb: str, typed: options.Options, by_name: bool = True) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, and what each runner answered."""
    timeout = timeout_of(typed)
    answers: list[dict[str, Any]] = []
    code = 0
    for path, names in _asked(verb, typed, by_name).items():
        request: dict[str, Any] = {"verb": verb, "names": names, **dict.fromkeys(typed.flags, True)}
        try:
            answer = client.ask(path, request, talk, timeout)
        except client.NoAnswer as error:
            raise client.NoAnswer(f"{error} What it was asked it may still do when it goes on") from None
        answers.append(answer)
        if answer.get("message"):
            say(answer["message"])
        code = code or int(answer.get("code", 1))
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


_HOW = "[--no-wait] [--timeout SECONDS] [--socket PATH]"
start = acting("start", f"gds start NAME... {_HOW}")
stop = acting("stop", f"gds stop NAME... {_HOW}")
restart = acting("restart", f"gds restart NAME... {_HOW}")
enable = acting("enable", f"gds enable NAME... {_HOW}")
disable = acting("disable", f"gds disable NAME... {_HOW}")
monitor = acting("monitor", "gds monitor NAME... [--socket PATH]")
unmonitor = acting("unmonitor", "gds unmonitor NAME... [--socket PATH]")
giveover = acting("giveover", "gds giveover NAME [--socket PATH]")
clear = acting("clear", "gds clear NAME... [--socket PATH]")
reload = acting("reload", "gds reload [--dry-run] [--socket PATH]")
_PROBE = "gds probe NAME [--json] [--timeout SECONDS] [--socket PATH]"


@options.door(f"usage: {_PROBE}")
def probe(argv: list[str]) -> int:
    """gds probe"""
    typed = _typed("probe", argv, _PROBE)
    code, answers = _acted("probe", typed)
    for answer in answers:
        told = answer.get("probe")
        if not told:
            continue
        if "json" in typed.flags:
            import json

            print(json.dumps(told))
            continue
        because = printed(told["because"]) or "healthy"
        print(f"{told['resource']}: score {told['score']} in {told['seconds']:.3f} s: {because}")
        if told["output"]:
            print(f"  output: {printed(told['output'])}")
        print(f"  this would lead to: {printed(told['would'])}")
    return code
