"""gds simulate --cluster: what would a cluster do? A play of nodes and people goes in, every decision comes out."""

from __future__ import annotations

import json
import sys

from gds.cli import descriptors
from gds.clusterscript import ClusterTranscript
from gds.model.value import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gds.clusterscript import ClusterScript

NO_END = 1


def play(names: list[str], as_json: bool) -> int:
    """Play the last of `names`, with the groups of the others when there are some; the exit status of simulate.
    Raises ConfigError."""
    from gds.clustersim import MOST, simulate_cluster
    from gds.config.clusterscenario import read_cluster_scenario

    *paths, file = names
    plan = descriptors.plan_to_play(paths)
    scenario = read_cluster_scenario(file, plan.groups if plan else None)
    if scenario.problems:
        raise descriptors.unplayable(scenario.problems)
    transcript = simulate_cluster(scenario.script)
    if as_json:
        print(json.dumps(document_of(transcript, scenario.description), indent=1, ensure_ascii=False))
    else:
        print(text_of(scenario.script, transcript, scenario.description))
    if transcript.cut:
        print(f"gds: cannot see an end of {file}: cut after {MOST} lines", file=sys.stderr)
        return NO_END
    return 0


def text_of(script: ClusterScript, transcript: ClusterTranscript, description: str) -> str:
    """For people: before, what happened and was decided, after."""
    width = max(map(len, [name for name, _ in transcript.nodes] + [s.group for s in transcript.groups]))
    times = f"L {script.lifetime:g} s, M {script.margin:g} s, renewed every {script.renew:g} s"
    lines = [*([description, ""] if description else []), f"Before: {', '.join(script.nodes)} ({times})", "", "Played"]
    lines += [f"  {x.at:>10.3f}  {x.about:<{width}}  {x.kind:<7}  {x.text}" for x in transcript.lines]
    lines += ["", f"After {transcript.at:g} s"]
    lines += [f"  {name:<{width}}  {how}" for name, how in transcript.nodes]
    for each in transcript.groups:
        where = ", ".join([f"{node} {state} since {since:g} s" for node, state, since in each.masters])
        away = f"; away for {each.away:g} s in all" if each.away else ""
        lines.append(f"  {each.group:<{width}}  {where or f'nowhere: {each.because}'}{away}")
    return "\n".join(lines)


def document_of(transcript: ClusterTranscript, description: str) -> dict[str, Any]:
    """For programs, version 1: keys may be added, never renamed."""
    return {
        "schema": 1,
        "description": description,
        "lines": [{f: getattr(line, f) for f in fields_of(type(line))} for line in transcript.lines],
        "nodes": [{"node": node, "state": how} for node, how in transcript.nodes],
        "groups": [
            {
                "group": each.group,
                "masters": [{"node": n, "state": state, "since": since} for n, state, since in each.masters],
                "because": each.because,
                "away_seconds": each.away,
            }
            for each in transcript.groups
        ],
        "seconds": transcript.at,
        "cut": transcript.cut,
    }
