"""The verbs that tell: why, history."""

from __future__ import annotations

import os
import sys

from gds.api import client
from gds.cli import options
from gds.cli.control import ANSWER_LIMIT, WHERE, answered, owners
from gds.errors import GdsError, UsageError
from gds.model.printed import escaped, printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NO_ANSWER = 4
"""Exit status: a runner that should have been asked did not answer (design.md 4)."""
WHY = "usage: gds why NAME... [--json] [--socket PATH]"


@options.door(WHY)
def why(argv: list[str]) -> int:
    """gds why NAME: the present state, then what led to it, oldest first."""
    typed = options.parse(argv, {"--json": "json"}, WHERE)
    if not typed.names:
        raise UsageError(f"cannot tell why: no name is given\n{WHY}")
    found: list[dict[str, Any]] = []
    for path, names in owners(typed.names, typed).items():
        found += answered(path, {"verb": "why", "names": names})["why"]
    if "json" in typed.flags:
        import json

        print(escaped(json.dumps({"schema": 1, "why": found}, ensure_ascii=False)))
        return 0
    for each in found:
        _tell_why(each)
    return 0


def _tell_why(each: dict[str, Any]) -> None:
    resource, budget = each["resource"], each["budget"]
    print(f"{resource['name']} is {resource['state']}, status {resource['status']}")
    because, message = printed(resource["because"]), printed(resource["status_msg"])
    if because:
        print(f"  because {because}")
    if message and message not in because:
        print(f"  {message}")
    if "cluster" in each:
        for line in _placed(each["cluster"]):
            print(f"  {printed(line)}")
    limit = budget["restarts_limit"]
    text = f"  restarts: {budget['restarts_done']} of {limit if limit >= 0 else 'no limit'}"
    text += f" within {budget['interval_seconds']:g} s"
    if budget["oldest_restart_expires_in_seconds"] is not None:
        text += f"; the oldest drops out in {budget['oldest_restart_expires_in_seconds']:g} s"
    print(text)
    if budget["probe_sum"]:
        left = budget["oldest_score_expires_in_seconds"]
        print(f"  failures: {budget['probe_sum']} of 100; the oldest drops out in {left:g} s")
    if each["chain"]:
        print("  what led here, oldest first:")
        for line in _lines(each["chain"]):
            print(f"    {line}")


def _placed(told: dict[str, Any]) -> list[str]:
    """Where its group is in the cluster, and why not elsewhere."""
    group = told["group"]
    if told["away"] and not told.get("heard", True):
        return ["this node has heard nothing of the cluster yet", f"  {told['away']}"]
    lines = []
    for master in told["masters"]:
        state = told["nodes"].get(master["node"], {}).get("state", "")
        if (dead := master.get("because", "")) and not told["away"]:
            state = f"taken for dead: {dead}"  # what it said last is no longer to be believed
        lines.append(f"its group {group} belongs to {master['node']} (token {master['token']}){state and ', '}{state}")
    if not lines:
        lines.append(f"no node has its group {group}{told['because'] and ': '}{told['because']}")
    if told["away"]:
        return [f"when this node last heard of the cluster: {line}" for line in lines] + [f"  {told['away']}"]
    reasons = {**told["nowhere"], **told["barred"]}
    return lines + [f"  not to {node}: {why}" for node, why in sorted(reasons.items())]


def _lines(records: list[dict[str, Any]]) -> list[str]:
    """One line a decision. What comes to rest for the reason that was said just before does not say it again; the same
    line many times over is one."""
    width = max((len(r["resource"]) for r in records), default=0)
    said: dict[str, str] = {}
    lines: list[str] = []
    last: tuple[str, ...] = ()
    first, times = "", 1
    for record in records:
        name, event, because = record["resource"], printed(record["event"]), printed(record["because"])
        rests = event in AT_REST and said.get(name, "").startswith(because)
        text = event if rests or not because else f"{event}: {because}"
        line = f"{record['at']}  {name:<{width}}  {text}"
        if (name, event, because) == last:
            times += 1
            lines[-1] = f"{first}  ({times} times, the last at {record['at']})"
        else:
            lines.append(line)
            first, times = line, 1
        last = (name, event, because)
        said[name] = because
    return lines


AT_REST = ("ONLINE", "ONLINE_NOT_MONITORED", "OFFLINE")
"""Where a resource comes to when all went well."""
HISTORY = """usage: gds history [NAME] [OPTION...]
       gds history --export NAME|--all [OPTION...] > FILE

  NAME              a resource or group; without one, all
  -n, --most COUNT  at most so many decisions, the last ones (200)
  --since WHEN      not before: 30m, 2h, 7d ago, or 2026-01-31, 2026-01-31T12:00 (UTC)
  --json            the decisions as one JSON document
  --export          a scenario of what happened and was decided, which `gds simulate FILE` replays; no arguments of
                    commands, no environment and no users are in it
  --state-dir DIR   read the history that a runner keeps there, and ask nobody: also where it runs no more, or hangs
  --socket PATH     ask this runner

Without a runner the history in the state directory is read."""
MOST_FACTS = 20_000
"""Facts and decisions in an export, unless -n says otherwise."""


@options.door(HISTORY)
def history(argv: list[str]) -> int:
    """gds history [NAME]: the decisions; --export: as a scenario."""
    typed = options.parse(
        argv,
        {"--json": "json", "--export": "export", "--all": "all"},
        {
            **WHERE,
            "--state-dir": "state_dir",
            "--since": "since",
            **dict.fromkeys(("-n", "--lines", "--most"), "most"),
        },
    )
    exporting = "export" in typed.flags
    _check(typed, exporting)
    most = typed.values.get("most", str(MOST_FACTS) if exporting else "200")
    if not most.isdigit() or not int(most):
        raise UsageError(f"cannot show {most} lines: -n is a number above 0")
    since = _since(typed.values["since"]) if "since" in typed.values else ""
    away: list[GdsError] = []
    found = _recorded(typed, int(most), since, exporting, away)
    for each in away:
        print(f"gds: {each} ({_KEPT})", file=sys.stderr)
    if exporting:
        return _export(found, typed.names[0] if typed.names else "all") or (NO_ANSWER if away else 0)
    if "json" in typed.flags:
        import json

        print(escaped(json.dumps({"schema": 1, "history": found}, ensure_ascii=False)))
    else:
        for line in _lines(found):
            print(line)
    return NO_ANSWER if away else 0


def _check(typed: options.Options, exporting: bool) -> None:
    """Raises UsageError."""
    if len(typed.names) > 1:
        raise UsageError(f"cannot show more than one history at a time\n{HISTORY}")
    if "all" in typed.flags and typed.names:
        raise UsageError(f"cannot choose between {typed.names[0]} and --all: give one of them\n{HISTORY}")
    if exporting and not typed.names and "all" not in typed.flags:
        raise UsageError(f"cannot export: give a name, or --all\n{HISTORY}")


def _since(text: str) -> str:
    """RFC 3339 in UTC. Raises UsageError."""
    from datetime import UTC, datetime, timedelta

    try:
        if text[-1:] in ("s", "m", "h"):
            when = datetime.now(UTC) - timedelta(seconds=options.seconds(text, "--since"))
        elif text[-1:] == "d" and text[:-1].isdigit():
            when = datetime.now(UTC) - timedelta(days=int(text[:-1]))
        else:
            when = datetime.fromisoformat(text)
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        return when.strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        said = f"cannot use {text} as --since: write 30m, 2h, 7d, or a time such as 2026-01-31T12:00 (UTC)"
        raise UsageError(said) from None


_KEPT = "--state-dir DIR reads what it kept, without asking it"


def _recorded(typed: options.Options, most: int, since: str, facts: bool, away: list[GdsError]) -> list[dict[str, Any]]:
    """The records: from the runners, else from where they are kept; `away`: what is to be said of runners that did not
    answer. Raises GdsError."""
    if "state_dir" in typed.values:
        return _kept([typed.values["state_dir"]], typed.names, most, since, facts)
    found: list[dict[str, Any]] = []
    try:
        request = {"verb": "history", "most": most, "since": since, "facts": facts}
        for path, names in _keepers(typed, away).items():
            found += answered(path, {**request, "names": names})["history"]
    except client.NoAnswer as error:
        raise client.NoAnswer(f"{error} ({_KEPT})") from None
    except client.NoRunner as error:
        if "socket" in typed.values or ("runtime_dir" not in typed.values and os.environ.get("GDS_SOCKET")):
            raise client.NoRunner(f"{error} ({_KEPT})") from None
        from gds.config import places

        top = places.state_dir(os.environ.get("GDS_STATE_DIR", ""), os.environ, os.geteuid())
        where = _stores(top)
        if not where:
            raise client.NoRunner(f"{error}; and there is no history in {top} (--state-dir names another)") from None
        kept = ", ".join(where)
        print(f"gds: no runner answers; this was kept in {kept} (--state-dir names another)", file=sys.stderr)
        return _kept(where, typed.names, most, since, facts)
    return found


def _keepers(typed: options.Options, away: list[GdsError]) -> dict[str, list[str]]:
    """Which runners are asked for which names: who has it now, else who had it. Raises GdsError."""
    try:
        return owners(typed.names, typed, away)
    except client.NoRunner:
        had = {}
        for path in owners([], typed, []) if typed.names else ():
            answer = client.ask(path, {"verb": "history", "names": typed.names, "most": 1}, timeout=ANSWER_LIMIT)
            if answer.get("history"):
                had[path] = typed.names
        if not had:
            raise
        return had


def _stores(top: str) -> list[str]:
    """State directories with a history: this one, and those of runners below it, one directory each."""
    try:
        below = sorted([entry.path for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False)])
    except OSError:
        below = []
    return [place for place in (top, *below) if _has_history(place)]


def _has_history(directory: str) -> bool:
    from gds.linux.history import spools

    try:
        return os.path.exists(f"{directory}/history.db") or bool(spools(directory))
    except OSError:
        return False


def _kept(where: list[str], names: list[str], most: int, since: str, facts: bool) -> list[dict[str, Any]]:
    """What is kept in these directories. Raises GdsError."""
    from gds.linux import archive

    found: list[dict[str, Any]] = []
    for directory in where:
        if os.path.exists(directory) and not os.access(directory, os.R_OK | os.X_OK):
            raise client.Denied(f"cannot read {directory}: permission denied")
        if not _has_history(directory):
            raise client.NoRunner(f"cannot find a history in {directory}")
        answer = archive.read(directory, names, most, since, archive.BOTH if facts else archive.DECISIONS)
        for note in (*answer.notes, *([answer.problem] if answer.problem else [])):
            print(f"gds: {note}", file=sys.stderr)
        found += answer.records
    if len(where) > 1:
        found.sort(key=lambda record: str(record["at"]))
    return found[-most:]


def _export(records: list[dict[str, Any]], name: str) -> int:
    from gds import __version__
    from gds.config.recorded import export, left_out
    from gds.script import first_difference
    from gds.simulate import simulate

    for note in left_out(records):
        print(f"gds: {note}", file=sys.stderr)
    made = export(records, f"{name}, recorded by gds {__version__}")
    if made is None:
        print(f"gds: cannot export {name}: nothing of it is recorded that could be replayed", file=sys.stderr)
        return 1
    for note in made.notes:
        print(f"gds: {note}", file=sys.stderr)
    sys.stdout.write(made.text)
    sys.stdout.flush()
    transcript = simulate(made.scenario.plan, made.scenario.script)
    if first_difference(made.scenario.decided, transcript.decisions) is not None:
        print(
            "gds: replayed, it does not lead to the same decisions: please report it, with this file", file=sys.stderr
        )
    return 0
