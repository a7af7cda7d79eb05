"""gds simulate: what would the judges do? A script of timed facts goes in, every decision with its reason comes out."""

from __future__ import annotations

import json
import sys

from gds.cli import options
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.config.load import Problem
    from gds.model.resource import Plan
    from gds.script import Standing, Transcript

USAGE = """usage: gds simulate [PATH...] SCENARIO [--json]

  PATH        a descriptor, or a directory of them (*.toml); without one, SCENARIO declares its resources itself
  SCENARIO    a TOML file of timed facts
  --json      the transcript as one JSON document

Nothing is started, and this machine is not asked whether commands exist. A fact is a table [[fact]] with `at` (since
the runner started) and one of: died (exit status or signal), probe (exit status, signal, timeout, cannot, unable; ok,
refused, disconnect, status, error of built-in probes), asked (start, stop, restart, enable, disable, monitor,
unmonitor, giveover, clear), starts ({takes, fails, dies, hangs}: how starts go from now on), stops ({takes, deaf,
leaves, command, command_takes}). `every` and `times` repeat it.
Exit status: 0 played, 1 there was no end to it, 78 a file cannot be used."""

NO_END = 1
FAULTY = 78


def main(argv: list[str]) -> int:
    """Play a scenario; exit status as above."""
    try:
        typed = options.parse(argv, {"--json": "json"}, {})
        if not typed.names or typed.after is not None:
            raise UsageError("cannot simulate: name a scenario")
    except options.HelpAsked:
        print(USAGE)
        return 0
    except UsageError as error:
        print(f"gds: {error}\n{USAGE}", file=sys.stderr)
        return 2
    from gds.config.load import load
    from gds.config.scenario import read_scenario
    from gds.simulate import MOST, simulate

    *paths, file = typed.names
    plan: Plan | None = None
    if paths:
        loaded = load(paths, can_abort=True, look=False)
        if loaded.plan is None:
            return _refused(loaded.problems)
        plan = loaded.plan
    scenario = read_scenario(file, plan)
    if scenario.problems:
        return _refused(scenario.problems)
    transcript = simulate(scenario.plan, scenario.script)
    if "json" in typed.flags:
        print(json.dumps(document_of(transcript, scenario.description), indent=1, ensure_ascii=False))
    else:
        print(text_of(transcript, scenario.description))
    if transcript.cut:
        print(f"gds: cannot see an end of {file}: cut after {MOST} lines", file=sys.stderr)
        return NO_END
    return 0


def _refused(problems: tuple[Problem, ...]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"gds: cannot simulate: {len(problems)} error{'' if len(problems) == 1 else 's'}", file=sys.stderr)
    return FAULTY


def text_of(transcript: Transcript, description: str) -> str:
    """The transcript for people: before, what happened and was decided, after."""
    width = max((len(s.name) for s in transcript.before), default=0)
    lines = [*([description, ""] if description else []), "Before"]
    lines += [f"  {s.name:<{width}}  {s.state}" for s in transcript.before]
    lines += ["", "Played"]
    lines += [f"  {x.at:>10.3f}  {x.resource:<{width}}  {x.kind:<7}  {x.text}" for x in transcript.lines]
    lines += ["", f"After {transcript.at:g} s"]
    for standing in transcript.after:
        lines += _after(standing, width)
    end = "goes on" if transcript.exit_status < 0 else f"ends with exit status {transcript.exit_status}"
    lines.append(f"  the runner {end}")
    return "\n".join(lines)


def _after(standing: Standing, width: int) -> list[str]:
    because = f": {standing.because}" if standing.because else ""
    done = f"{standing.restarts} of {standing.limit}" if standing.limit >= 0 else f"{standing.restarts}"
    starts = f"{standing.started} start{'' if standing.started == 1 else 's'}"
    return [
        f"  {standing.name:<{width}}  {standing.state}, {standing.status}{because}",
        f"  {'':<{width}}  {starts}; within {standing.interval:g} s {done} restarts, failures {standing.sum} of 100",
    ]


def document_of(transcript: Transcript, description: str) -> dict[str, Any]:
    """The transcript for programs, version 1: keys may be added, never renamed."""
    return {
        "schema": 1,
        "description": description,
        "before": [_plain(s) for s in transcript.before],
        "lines": [
            {"at": round(x.at, 6), "resource": x.resource, "kind": x.kind, "text": x.text} for x in transcript.lines
        ],
        "after": [_plain(s) for s in transcript.after],
        "seconds": round(transcript.at, 6),
        "exit_status": transcript.exit_status if transcript.exit_status >= 0 else None,
        "cut": transcript.cut,
    }


def _plain(standing: Standing) -> dict[str, Any]:
    return {
        "name": standing.name,
        "state": standing.state.value,
        "status": standing.status.value,
        "because": standing.because,
        "starts": standing.started,
        "restarts": {"done": standing.restarts, "limit": standing.limit, "interval_seconds": standing.interval},
        "sum": standing.sum,
    }
