"""gds simulate: what would the judges do? A script of timed facts goes in, every decision with its reason comes out."""

from __future__ import annotations

import json
import sys

from gds.cli import descriptors, options
from gds.errors import ConfigError, UsageError
from gds.model.value import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.script import Decision, Difference, Standing, Transcript

USAGE = """usage: gds simulate [PATH...] SCENARIO [--json] [--cluster]

  PATH        a descriptor, or a directory of them (*.toml); without one, SCENARIO declares its resources itself
  SCENARIO    a TOML file of timed facts
  --cluster   SCENARIO plays a cluster: nodes that die or are cut off, giveovers, switches; who masters what, and why.
              Its format, with an example: `gds simulate --cluster --help`
  --json      the transcript as one JSON document
  --compare   only whether the decisions are those that SCENARIO says were made

Nothing is started, and this machine is not asked whether commands exist. A fact is a table [[fact]] with `at` (since
the runner started) and one of: died (exit status or signal), probe (exit status, signal, timeout, cannot, unable; ok,
refused, disconnect, status, error of built-in probes), asked (start, stop, restart, enable, disable, monitor,
unmonitor, giveover, clear), control (an optag of scha_control, asked by root), starts ({takes, fails, dies, hangs}: how
starts go from now on), stops ({takes, deaf, leaves, command, command_takes}), prenet_start and postnet_stop ({takes,
fails, hangs}). `every` and `times` repeat it. A fact with `group` in place of `resource` is asked of it (online,
offline, restart, suspend, resume, manage, unmanage, clear). Not played, for they change no decision: Init, Boot, Fini
and Update; and the methods of registered types, which a scenario cannot declare.

A scenario that `gds history --export` wrote is replayed, and its decisions are compared with those that were made. PATH
then takes the place of the properties it was recorded with: what would have been decided with others?
Exit status: 0 played, 1 there was no end to it, or the decisions are not the same, 78 a file cannot be used."""

NO_END = NOT_THE_SAME = 1


def _usage(argv: list[str]) -> str:
    if "--cluster" not in argv:
        return USAGE
    from gds.config import clusterscenario

    return f"usage: gds simulate --cluster [PATH...] SCENARIO [--json]\n\n{clusterscenario.__doc__}"


@options.door(_usage, USAGE)
def main(argv: list[str]) -> int:
    """Play a scenario; exit status as above."""
    typed = options.parse(argv, {"--json": "json", "--compare": "compare", "--cluster": "cluster"}, {})
    if not typed.names or typed.after is not None:
        raise UsageError("cannot simulate: name a scenario")
    if {"cluster", "compare"} <= typed.flags:
        raise UsageError("cannot compare: a cluster's scenario holds no recorded decisions")
    if "cluster" in typed.flags:
        from gds.cli.simulatecluster import play

        return play(typed.names, "json" in typed.flags)
    return _play(typed)


def _play(typed: options.Options) -> int:
    from gds.config.scenario import read_scenario
    from gds.script import first_difference
    from gds.simulate import MOST, simulate

    *paths, file = typed.names
    scenario = read_scenario(file, descriptors.plan_to_play(paths))
    if scenario.problems:
        raise descriptors.unplayable(scenario.problems)
    if "compare" in typed.flags and not scenario.decided:
        raise ConfigError(f"cannot compare: {file} does not say what was decided, it has no [[decided]]")
    transcript = simulate(scenario.plan, scenario.script)
    away = first_difference(scenario.decided, transcript.decisions) if scenario.decided else None
    if "json" in typed.flags:
        document = document_of(transcript, scenario.description)
        if scenario.decided:
            document["compared"] = compared(away, len(scenario.decided))
        print(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        if "compare" not in typed.flags:
            print(text_of(transcript, scenario.description))
        if scenario.decided:
            print(comparison(away, len(scenario.decided)))
    if transcript.cut:
        print(f"gds: cannot see an end of {file}: cut after {MOST} lines", file=sys.stderr)
        return NO_END
    return NOT_THE_SAME if away is not None else 0


def comparison(away: Difference | None, decided: int) -> str:
    """Whether the decisions are those that were made, for people."""
    if away is None:
        return f"  the same decisions as recorded: {decided}"
    which = away.expected or away.made
    assert which is not None
    after = f"after {away.same} that are" if away.same else "the first of all"
    return "\n".join(
        [
            f"  NOT the same decisions: {which.resource} at {which.at:.3f} s, {after}",
            f"    recorded  {_decision(away.expected)}",
            f"    now       {_decision(away.made)}",
        ]
    )


def _decision(made: Decision | None) -> str:
    if made is None:
        return "nothing"
    return f"{made.said}: {made.because}" if made.because else made.said


def compared(away: Difference | None, decided: int) -> dict[str, Any]:
    """The same for programs."""
    if away is None:
        return {"same": True, "decisions": decided}
    told = {"recorded": away.expected, "now": away.made}
    sides = {side: {f: getattr(d, f) for f in fields_of(type(d))} if d else None for side, d in told.items()}
    return {"same": False, "decisions": decided, "after": away.same, **sides}


def text_of(transcript: Transcript, description: str) -> str:
    """The transcript for people: before, what happened and was decided, after."""
    names = [*[s.name for s in transcript.before], *[g.name for g in transcript.groups]]
    width = max(map(len, names), default=0)
    lines = [*([description, ""] if description else []), "Before"]
    lines += [f"  {s.name:<{width}}  {s.state}" for s in transcript.before]
    lines += ["", "Played"]
    lines += [f"  {x.at:>10.3f}  {x.resource:<{width}}  {x.kind:<7}  {x.text}" for x in transcript.lines]
    lines += ["", f"After {transcript.at:g} s"]
    lines += [f"  {g.name:<{width}}  group {g.state}{', suspended' if g.suspended else ''}" for g in transcript.groups]
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
        "groups": [{"name": g.name, "state": g.state.value, "suspended": g.suspended} for g in transcript.groups],
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
