"""The command: python -m tests.bench."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.bench import figures, install, machine, presets
from tests.bench.peers import FLOOR, PEERS
from tests.bench.peers.contract import Peer
from tests.bench.processes import become_subreaper, command_line, descendants
from tests.bench.results import QUANTITIES, markdown


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line; ends the program with 2 when it is wrong."""
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measures gds beside its peers and the bare loop, interleaved in one run. It knows no time limits.",
        epilog=f"Figures: {', '.join(presets.LEADS)}. Peers: {', '.join(names)}; `gds` means both rungs.",
    )
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--quick", action="store_true", help="1 and 100 apps, few rounds (the default; minutes)")
    how_much.add_argument("--full", action="store_true", help="1, 100 and 1000 apps, all rounds (an hour or so)")
    how_much.add_argument("--smoke", action="store_true", help="3 apps, each figure once: numbers that mean nothing")
    parser.add_argument("--only", metavar="FIGURE,...", help="these figures; `hung` means every hung_…")
    parser.add_argument("--peers", metavar="NAME,...", help="these peers; the bare loop is always measured")
    parser.add_argument("--sizes", metavar="N,...", help="sizes of the fleets, instead of the preset's")
    parser.add_argument("--rounds", type=int, metavar="N", help="visits of each peer, instead of the preset's")
    parser.add_argument("--seconds", type=float, metavar="S", help="over which idleness and probes are measured")
    parser.add_argument("--megabytes", type=int, metavar="N", help="of log output, instead of the preset's")
    parser.add_argument("--seed", type=int, help="of the order of peers and victims; printed")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write everything there, raw samples too")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write the table there, not only to stdout")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", default=install.default_cache(), help="where peers are put (%(default)s)"
    )
    parser.add_argument(
        "--run-directory",
        metavar="DIR",
        default=machine.run_directory(),
        help="what the supervisors keep while they run goes there (%(default)s)",
    )
    parser.add_argument(
        "--state-directory",
        metavar="DIR",
        default=tempfile.gettempdir(),
        help="for what gds keeps over a crash; best on a disk (%(default)s)",
    )
    parser.add_argument("--no-install", action="store_true", help="use only what is there already")
    options = parser.parse_args(argv)
    options.figures = _chosen(parser, "figure", options.only, list(presets.LEADS))
    options.peers = _chosen(parser, "peer", options.peers, names)
    preset = presets.FULL if options.full else presets.SMOKE if options.smoke else presets.QUICK
    if options.sizes:
        words = options.sizes.split(",")
        if not all(word.isdigit() and int(word) > 0 for word in words):
            parser.error(f"cannot take sizes {options.sizes!r}: numbers above 0 with commas between them")
        preset = preset._replace(sizes=tuple(sorted({int(word) for word in words})))
    if options.rounds:
        preset = preset._replace(rounds=options.rounds, entries=options.rounds)
    if options.seconds:
        preset = preset._replace(window=options.seconds)
    if options.megabytes:
        preset = preset._replace(log_bytes=options.megabytes * 1_000_000)
    options.preset = preset
    options.seed = Random().randrange(1_000_000) if options.seed is None else options.seed
    return options


def _chosen(parser: argparse.ArgumentParser, kind: str, text: str | None, known: list[str]) -> set[str]:
    if text is None:
        return set(known)
    chosen: set[str] = set()
    for word in text.split(","):
        found = [name for name in known if name == word or name.startswith((f"{word} ", f"{word}_"))]
        if not found:
            parser.error(f"cannot take {kind} {word!r}: one of {', '.join(known)}")
        chosen.update(found)
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, and end with 0 when nothing was left behind."""
    options = parse(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        cache = install.open_cache(options.cache)
        peers = [each(install.place(cache)) for each in PEERS if each.name in options.peers or each.name == FLOOR]
        absent = {peer.name: peer.missing() for peer in peers} if options.no_install else install.install(peers, cache)
    except install.CannotInstall as error:
        print(error, file=sys.stderr)
        return 1
    absent = {name: reason for name, reason in absent.items() if reason}
    directories: list[Path] = []
    try:
        directories.append(Path(tempfile.mkdtemp(prefix="gdsb-", dir=options.run_directory)))
        directories.append(Path(tempfile.mkdtemp(prefix="gdsb-", dir=options.state_directory)))
        return _measure(options, peers, absent, *directories)
    except install.CannotInstall as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"cannot measure: {error}", file=sys.stderr)
    finally:
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)
    return 1


def _measure(
    options: argparse.Namespace, peers: list[Peer], absent: dict[str, str], directory: Path, state: Path
) -> int:
    programs = install.compile_programs(directory)
    versions = {peer.name: install.version(peer) for peer in peers if peer.name not in absent}
    present = [peer for peer in peers if peer.name not in absent]
    become_subreaper()
    machine.raise_descriptor_limit()
    print(f"seed {options.seed}, preset {options.preset.name}, in {directory}", file=sys.stderr)
    if os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1):
        print(f"the machine is busy (load average {machine.load()}): numbers will wander", file=sys.stderr)
    began, load, stolen = time.time(), machine.load(), machine.stolen()
    with machine.own_cgroup() as cgroup:
        bench = figures.Bench(present, options.figures, options.preset, programs, directory, state, options.seed)
        try:
            bench.run()
        except KeyboardInterrupt:
            bench.failures.append("all that was asked: interrupted; what there is follows")
    left = [f"{pid} {command_line(pid)}" for pid in descendants(os.getpid())]
    if cgroup and Path(cgroup).exists():
        left.append(f"cgroup {cgroup}")
    shutil.rmtree(directory)
    shutil.rmtree(state)
    lost, all_ticks = (after - before for after, before in zip(machine.stolen(), stolen, strict=True))
    bench.results.peers = [peer.name for peer in peers]
    facts = {
        **machine.describe(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        "seconds": round(time.time() - began),
        "preset": options.preset.name,
        "seed": options.seed,
        "run_directory": options.run_directory,
        "state_directory": options.state_directory,
        "load_before": load,
        "load_after": machine.load(),
        "stolen_percent": round(100 * lost / max(1.0, all_ticks), 1),
    }
    head = (
        f"{facts['at']}, {facts['system']}, {facts['processors']} processors, preset {facts['preset']}, "
        f"{facts['seconds']} s; load average {facts['load_before']} before, {facts['load_after']} after; "
        f"{facts['stolen_percent']} % of the processors' time went to other machines.\n"
        f"Run directories under {facts['run_directory']}, what gds keeps under {facts['state_directory']}.\n"
        f"Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}.\n"
        "(N×): the median by the bare loop's of the same run. A p99 of fewer than 100 samples is the greatest.\n"
    )
    settings = [f"{peer.name}: {peer.setting}; an app that daemonises: {peer.daemon_means}." for peer in present]
    table = f"{head}\n{markdown(bench.results, absent)}\nSettings. {' '.join(settings)}\n"
    print(table)
    if options.markdown:
        options.markdown.write_text(table)
    if options.json:
        everything = {
            "schema": 1,
            **facts,
            "versions": versions,
            "units": QUANTITIES,
            "summary": bench.results.summary(),
            "samples": bench.results.samples,
            "reasons": bench.results.reasons,
            "absent": absent,
            "failures": bench.failures,
            "left_behind": left,
        }
        options.json.write_text(json.dumps(everything, indent=1) + "\n")
    for failure in bench.failures:
        print(f"cannot measure {failure}", file=sys.stderr)
    if left:
        print(f"left behind: {'; '.join(left)}", file=sys.stderr)
        return 1
    kept = f"; kept for the next run: {options.cache}, and Debian's packages" if not options.no_install else ""
    print(f"left behind: no process, no file, no cgroup{kept}", file=sys.stderr)
    return 0


def _terminated(_number: int, _frame: object) -> None:
    raise SystemExit(143)
