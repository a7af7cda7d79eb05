"""gds history, as text: what a person at three in the morning has to see."""

from __future__ import annotations

import time

import pytest

from gds.cli.tell import _lines, _placed, _since
from gds.errors import UsageError


def told(*decisions: tuple[str, str, str]) -> list[str]:
    """The lines, without their times."""
    records = [
        {"at": f"2026-01-31T03:00:{n:02d}Z", "resource": name, "event": event, "because": because}
        for n, (name, event, because) in enumerate(decisions)
    ]
    return [line.removeprefix("2026-01-31T03:00:") for line in _lines(records)]


def test_a_second_restart_for_the_same_reason_is_told_with_its_reason() -> None:
    asked = "restart asked by root"
    assert told(("web", "STOPPING", asked), ("web", "ONLINE", asked), ("web", "STOPPING", asked)) == [
        "00Z  web  STOPPING: restart asked by root",
        "01Z  web  ONLINE",
        "02Z  web  STOPPING: restart asked by root",
    ]


def test_coming_to_rest_for_the_reason_that_was_just_said_does_not_say_it_again() -> None:
    waits = "stop asked by root; waits until web is down"
    assert told(("db", "STOPPING", waits), ("db", "OFFLINE", "stop asked by root")) == [
        f"00Z  db  STOPPING: {waits}",
        "01Z  db  OFFLINE",
    ]
    failed = "Start failed: no"
    assert told(("db", "STOPPING", failed), ("db", "START_FAILED", failed))[1] == f"01Z  db  START_FAILED: {failed}"
    assert told(("db", "OFFLINE", "disabled"))[0] == "00Z  db  OFFLINE: disabled"


def test_the_same_again_and_again_is_one_line_with_how_often_and_the_last_time() -> None:
    lines = told(*[("web", "probe", "the probe exited with status 100")] * 5, ("web", "ONLINE", ""))
    assert lines == [
        "00Z  web  probe: the probe exited with status 100  (5 times, the last at 2026-01-31T03:00:04Z)",
        "05Z  web  ONLINE",
    ]


def test_what_was_said_in_two_lines_and_in_red_is_one_line() -> None:
    assert told(("web", "status FAULTED", "disk\nfull \x1b[31m")) == ["00Z  web  status FAULTED: disk full \\u001b[31m"]


def test_names_stand_in_a_column() -> None:
    assert told(("a", "ONLINE", ""), ("longer", "ONLINE", "")) == ["00Z  a       ONLINE", "01Z  longer  ONLINE"]
    assert _lines([]) == []


def test_who_never_heard_of_the_cluster_does_not_say_when_it_last_did() -> None:
    known = {"group": "shop", "masters": [], "nodes": {}, "because": "", "nowhere": {}, "barred": {}}
    away = "http://10.0.0.1:2379: connection refused"
    assert _placed({**known, "away": away, "heard": False}) == [
        "this node has heard nothing of the cluster yet",
        f"  {away}",
    ]
    assert _placed({**known, "away": away, "heard": True})[0].startswith("when this node last heard of the cluster: ")


def test_what_a_dead_master_said_last_is_not_repeated() -> None:
    dead = "it has not been heard of for 10 s; fence_command is under way; nothing of n8 is taken before it succeeds"
    told = {
        "group": "z",
        "away": "",
        "heard": True,
        "masters": [{"node": "n8", "token": 1119, "because": dead}],
        "nodes": {"n8": {"state": "ONLINE"}},
        "because": "",
        "nowhere": {},
        "barred": {},
    }
    assert _placed(told) == [f"its group z belongs to n8 (token 1119), taken for dead: {dead}"]
    assert "taken for dead" not in _placed({**told, "away": "no answer"})[0]


def test_where_its_group_is_in_the_cluster() -> None:
    here = {"state": "ONLINE", "because": ""}
    on_n1 = {
        "group": "shop",
        "away": "",
        "masters": [{"node": "n1", "token": 7}],
        "nodes": {"n1": here},
        "because": "it stays",
    }
    barred = {"nowhere": {"n3": "is drained"}, "barred": {"n2": "gave it over 20 s ago"}}
    assert _placed({**on_n1, **barred}) == [
        "its group shop belongs to n1 (token 7), ONLINE",
        "  not to n2: gave it over 20 s ago",
        "  not to n3: is drained",
    ]
    assert _placed({**on_n1, **barred, "away": "etcd: no answer within 0.7 s"}) == [
        "when this node last heard of the cluster: its group shop belongs to n1 (token 7), ONLINE",
        "  etcd: no answer within 0.7 s",
    ]
    nobody = {"group": "shop", "away": "", "masters": [], "nodes": {}, "because": "it is offline by request"}
    assert _placed({**nobody, "nowhere": {}, "barred": {}}) == ["no node has its group shop: it is offline by request"]


def ago(text: str) -> float:
    """Seconds."""
    return time.time() - time.mktime(time.strptime(_since(text), "%Y-%m-%dT%H:%M:%SZ")) + time.timezone


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 7 * 86400)])
def test_since_so_long_ago(text: str, seconds: int) -> None:
    assert abs(ago(text) - seconds) < 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-01-31", "2026-01-31T00:00:00Z"),
        ("2026-01-31T12:30", "2026-01-31T12:30:00Z"),
        ("2026-01-31T12:30:15+02:00", "2026-01-31T10:30:15Z"),
        ("2026-01-31T12:30:15Z", "2026-01-31T12:30:15Z"),
    ],
)
def test_since_a_time(text: str, said: str) -> None:
    assert _since(text) == said


@pytest.mark.parametrize("text", ["", "noon", "5", "xm", "99999999999d", "-1h"])
def test_since_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="cannot use"):
        _since(text)
