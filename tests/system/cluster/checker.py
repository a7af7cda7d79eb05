"""The judge of a log: was there ever an instant with two masters, did tokens only rise, did it come back in time?

Rules:
- An *instance* is one life of the application: group, node, incarnation and token. Two instances of one group must not
  overlap, neither in time (a beat of one between two beats of the other) nor in the log's order, for a frozen process
  may write an old time stamp when it wakes: what counts for a shared disk is when the write took effect.
- A *mastery* is group, node and token. Tokens rise in the order in which masteries first show; after a beat with a
  token, none with a lower one (that is what a shared resource would see).
- A group's *outage* is a stretch without a beat of any instance, longer than `QUIET`. Each fault says how long one may
  be, and from when on that counts: from the outage's own beginning, or from the fault's healing.
- A fault may promise more: that the same instance goes on ("instance"), or the same master ("mastery").

Pure: lines and facts in, violations out. It does not know how faults are made.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECOND = 1_000_000_000
QUIET = SECOND // 4
"""Nanoseconds without a beat that are not yet an outage: a busy machine's own."""


class Beat(NamedTuple):
    """A line of the log. `at`: CLOCK_MONOTONIC, ns."""

    group: str
    node: str
    incarnation: int
    token: int
    pid: int
    at: int
    word: str = "beat"


class Fault(NamedTuple):
    """What was done, and what it may lead to. `began`, `healed`: ns; `bound`: seconds that an outage of a group in
    `hits` may last; `from_healing`: the seconds count from `healed` at the earliest. `keeps`: what must go on in each
    group in `hits`: "instance", "mastery" or "" (nothing); a group that is not in it keeps its instance. No `hits`: all
    of them. `tolerates`: ms of overlap that this trial is known for, measured instead of refused.
    `forgets`: the store was emptied, and its tokens begin anew: they are not judged."""

    number: int
    kind: str
    target: str
    began: int
    healed: int
    bound: float
    hits: tuple[str, ...] = ()
    from_healing: bool = False
    keeps: str = ""
    tolerates: float = 0.0
    forgets: bool = False


class Left(NamedTuple):
    """A process of a group that is there at the end."""

    group: str
    node: str
    pid: int


class Violation(NamedTuple):
    """What must not be. `ms`: how long, where that says something; `fault`: the number of the last fault before."""

    rule: str
    group: str
    at: int
    ms: float
    because: str
    fault: int = 0


class Instance(NamedTuple):
    """One life: first and last beat, as time and as line numbers. `awake`: the stretches in which it really beat, for
    it may have been stopped in between."""

    group: str
    node: str
    incarnation: int
    token: int
    first: int
    last: int
    first_line: int
    last_line: int
    awake: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return f"incarnation {self.incarnation} on {self.node} with token {self.token}"


class Outage(NamedTuple):
    """No beat between the two, ns."""

    group: str
    began: int
    ended: int

    @property
    def seconds(self) -> float:
        """How long."""
        return (self.ended - self.began) / SECOND


def parse(lines: Iterable[str]) -> list[Beat]:
    """The log's lines in their order. Raises ValueError with the line's number for one that is not a beat: a torn or
    mixed line would mean that the log itself cannot be trusted."""
    found = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) != 7 or not line.endswith("\n"):
            raise ValueError(f"cannot read line {number} of the log: {line!r}")
        group, node, incarnation, token, pid, at, word = words
        found.append(Beat(group, node, int(incarnation), int(token), int(pid), int(at), word))
    return found


def instances(beats: Sequence[Beat]) -> list[Instance]:
    """Each life that is in the log, in the order of their first lines."""
    found: dict[tuple[str, str, int, int], list[tuple[int, int]]] = {}
    for line, beat in enumerate(beats):
        found.setdefault(beat[:4], []).append((beat.at, line))
    made = []
    for who, seen in found.items():
        stamps = sorted(at for at, _ in seen)
        made.append(Instance(*who, stamps[0], stamps[-1], seen[0][1], seen[-1][1], _stretches(stamps)))
    return made


def _stretches(stamps: Sequence[int]) -> tuple[tuple[int, int], ...]:
    breaks = [n for n in range(1, len(stamps)) if stamps[n] - stamps[n - 1] > QUIET]
    return tuple((stamps[a], stamps[b - 1]) for a, b in zip([0, *breaks], [*breaks, len(stamps)], strict=True))


def overlaps(lives: Sequence[Instance]) -> list[tuple[Instance, Instance, int, float]]:
    """Pairs of one group that were there at once: earlier, later, since when, and for how many ms both really beat (0
    for a single beat)."""
    found = []
    for group in {life.group for life in lives}:
        here = sorted([life for life in lives if life.group == group], key=lambda life: life.first)
        open_ones: list[Instance] = []
        for life in here:
            # lives are sorted by time: what ended before, in time and in the file, meets none of those that follow
            open_ones = [o for o in open_ones if o.last >= life.first or o.last_line >= life.first_line]
            for other in open_ones:
                at_once = min(other.last, life.last) >= max(other.first, life.first)
                lines = min(other.last_line, life.last_line) > max(other.first_line, life.first_line)
                if at_once or lines:
                    found.append((other, life, max(other.first, life.first), _both_awake(other, life) / 1e6))
            open_ones.append(life)
    return sorted(found, key=lambda pair: pair[2])


def _both_awake(one: Instance, other: Instance) -> int:
    return sum(max(min(b, d) - max(a, c), 0) for a, b in one.awake for c, d in other.awake)


def outages(beats: Sequence[Beat], group: str, quiet: int = QUIET) -> list[Outage]:
    """Stretches without a beat of the group, in order."""
    stamps = sorted(beat.at for beat in beats if beat.group == group)
    return [Outage(group, a, b) for a, b in pairwise(stamps) if b - a > quiet]


def longest(found: Sequence[Outage], began: int, ended: int) -> float:
    """Seconds of the longest outage that touches this stretch of time."""
    return max([o.seconds for o in found if o.ended > began and o.began < ended], default=0.0)


def judge(beats: Sequence[Beat], faults: Sequence[Fault], ended: int, left: Sequence[Left] = ()) -> list[Violation]:
    """All that was wrong, the earliest first. `ended`: when the trial was over, ns; `left`: the processes there then.

    At the end (the last `QUIET`) each group that ever beat must have exactly one instance that beats, and every process
    left must be of the node that has it.
    """
    lives = instances(beats)
    found = [*_two_at_once(lives, faults), *_tokens(beats, faults)]
    for group in sorted({beat.group for beat in beats}):
        here = [beat for beat in beats if beat.group == group]
        found += _late(here, group, faults, ended)
        found += _not_kept([life for life in lives if life.group == group], group, faults, ended)
        found += _at_the_end(here, group, ended, left)
    return sorted([v._replace(fault=last_before(faults, v.at)) for v in found], key=lambda v: v.at)


def last_before(faults: Sequence[Fault], at: int) -> int:
    """The number of the last fault that had begun."""
    return max([f.number for f in faults if f.began <= at], default=0)


def _two_at_once(lives: Sequence[Instance], faults: Sequence[Fault]) -> list[Violation]:
    found = []
    for one, other, at, ms in overlaps(lives):
        if not _tolerated(faults, at, ms):
            found.append(Violation("two masters", one.group, at, ms, f"{one}, and {other}"))
    return found


def _tolerated(faults: Sequence[Fault], at: int, ms: float) -> bool:
    """A trial that is known for an overlap of so many ms was on, or has just been healed."""
    return any(f.began <= at <= f.healed + f.tolerates * 1e6 and 0 < f.tolerates >= ms for f in faults)


def _tokens(beats: Sequence[Beat], faults: Sequence[Fault]) -> list[Violation]:
    found = []
    newest: dict[str, Beat] = {}
    told: set[tuple[str, str, int, int]] = set()
    masteries: dict[tuple[str, int], str] = {}
    forgotten = any(f.forgets for f in faults)
    for beat in beats:
        owner = masteries.setdefault((beat.group, beat.token), beat.node)
        best = newest.setdefault(beat.group, beat)
        if beat.token > best.token:
            newest[beat.group] = beat
        if beat[:4] in told or forgotten:
            continue
        if owner != beat.node:
            told.add(beat[:4])
            because = f"token {beat.token} is that of {owner}, and {beat.node} has it, too"
            found.append(Violation("token twice", beat.group, beat.at, 0.0, because))
        elif beat.token < best.token and not _tolerated(faults, beat.at, 0.0):
            told.add(beat[:4])
            because = f"token {beat.token} on {beat.node} after token {best.token} on {best.node}"
            found.append(Violation("older token", beat.group, beat.at, 0.0, because))
        elif beat.token <= 0:
            told.add(beat[:4])
            found.append(Violation("no token", beat.group, beat.at, 0.0, f"{beat.node} runs it without a token"))
    return found


def _late(beats: Sequence[Beat], group: str, faults: Sequence[Fault], ended: int) -> list[Violation]:
    found = []
    # one that never ended counts, too
    gaps = outages([*beats, Beat(group, "", 0, 0, 0, ended)], group)
    windows = [(f, _over(f, faults)) for f in faults]
    for gap in gaps:
        # what began while a fault was on is that fault's; what began between two, the earlier one's; the last beat
        # before a fault lies a tick before it
        during = [f for f, over in windows if f.began <= gap.ended and over > gap.began + QUIET // 5]
        if not during:
            found.append(Violation("outage", group, gap.began, gap.seconds * 1e3, "nothing was done, and it was away"))
            continue
        until = max(_allowed_until(gap, f, group) for f in during)
        if gap.ended > until:
            late = (gap.ended - until) / SECOND
            kinds = ", ".join(f"{f.number} {f.kind} {f.target}".strip() for f in during)
            because = f"away for {gap.seconds:.2f} s, {late:.2f} s longer than it may after {kinds}"
            found.append(Violation("outage", group, gap.began, gap.seconds * 1e3, because))
    return found


def _over(fault: Fault, faults: Sequence[Fault]) -> int:
    """When the next fault begins, or never; a fault's consequences are its own until then."""
    return min([f.began for f in faults if f.began > fault.healed], default=1 << 62)


def _allowed_until(gap: Outage, fault: Fault, group: str) -> int:
    hit = not fault.hits or group in fault.hits
    bound = fault.bound if hit else 1.0
    start = max(gap.began, fault.healed) if fault.from_healing and hit else gap.began
    return start + int(bound * SECOND)


def _not_kept(lives: Sequence[Instance], group: str, faults: Sequence[Fault], ended: int) -> list[Violation]:
    found = []
    for fault in faults:
        hit = not fault.hits or group in fault.hits
        keeps = fault.keeps if hit else "instance"
        if keeps not in ("instance", "mastery"):
            continue
        until = min(_over(fault, faults), ended)
        during = [f for f in faults if f is not fault and f.began < until and f.healed > fault.began]
        if during:
            continue  # two at once promise nothing about who goes on
        before = [life for life in lives if life.first < fault.began]
        if not before:
            continue
        old = max(before, key=lambda life: life.last)
        for life in lives:
            moved = life.node != old.node or life.token != old.token
            if fault.began <= life.first < until and (moved or keeps == "instance"):
                because = f"after {fault.number} {fault.kind} {fault.target}: {old} did not go on, {life} came"
                found.append(Violation("moved", group, life.first, 0.0, because))
                break
    return found


def _at_the_end(beats: Sequence[Beat], group: str, ended: int, left: Sequence[Left]) -> list[Violation]:
    alive = {beat[:4] for beat in beats if ended - beat.at < QUIET}
    found = []
    if len(alive) != 1:
        found.append(Violation("at the end", group, ended, 0.0, f"{len(alive)} instances run: {sorted(alive)}"))
    masters = {who[1] for who in alive}
    for each in left:
        if each.group == group and each.node not in masters:
            because = (
                f"pid {each.pid} on {each.node}, which is not master ({', '.join(sorted(masters)) or 'nobody is'})"
            )
            found.append(Violation("left over", group, ended, 0.0, because))
    return found
