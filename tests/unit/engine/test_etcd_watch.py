"""The etcd engine: reading everything and following what changes, whatever a member does. engines.md 2.3."""

from __future__ import annotations

import pytest

from gds.model.store import Committed, Unknown
from tests.contract.engines import Heard, Told
from tests.unit.engine.gateway import (
    RANGE,
    SILENT,
    STATUS,
    TXN,
    VERSION,
    WATCH,
    Asked,
    Reply,
    b64,
    key_of,
)
from tests.unit.engine.world import PUT, World, failing


def test_a_large_store_is_read_in_pages_of_one_revision(world: World) -> None:
    one = world.gateway()
    names = [f"k{number:02}" for number in range(7)]

    def page(asked: Asked) -> Reply:
        rest = [name for name in names if f"/gds/{name}" >= key_of(asked)]
        kvs = [one.event(name, name, 4)["kv"] for name in rest[:3]]
        one.revision += 1
        return Reply({"header": one.header, "kvs": kvs, "more": len(rest) > 3})

    one.script[RANGE] = page
    engine, heard = world.begun(one)
    assert sorted(heard.records) == names
    assert [each.body.get("revision") for each in one.of(RANGE)[:3]] == ["0", "11", "11"]
    assert one.of(WATCH)[0].body["create_request"]["start_revision"] == "12"
    assert engine.describe()["unreadable"] == {}


def test_a_compaction_while_loading_begins_anew(world: World) -> None:
    one = world.gateway()
    kvs = [one.event("a", "1", 4)["kv"]]
    one.script[RANGE] = [
        Reply({"header": one.header, "kvs": kvs, "more": True}),
        failing("etcdserver: mvcc: required revision has been compacted", 11),
        Reply({"header": one.header, "kvs": kvs}),
    ]
    _, heard = world.begun(one)
    assert heard.words == ["loaded"]
    assert heard.values == {"a": "1"}


def test_a_page_of_garbage_is_no_end_of_it(world: World) -> None:
    one = world.gateway()
    one.script[RANGE] = [Reply({"header": one.header, "kvs": 5}), Reply({"header": {"revision": "many"}})]
    engine, heard = world.engine(one), Heard()
    engine.begin(heard)
    world.until(lambda: "back" in heard.words)
    assert heard.words == ["away", "loaded", "back"]
    assert "cannot be read" in heard.reasons[0]


def test_news_comes_in_pieces_of_any_size_and_more_than_one_at_a_time(world: World) -> None:
    import json

    one = world.gateway()
    _, heard = world.begun(one)
    lines = []
    for revision in range(11, 21):
        one.revision = revision
        lines.append(json.dumps({"result": {"header": one.header, "events": [one.event("k", "ä" * 50, revision, 11)]}}))
    text = ("\n".join(lines) + "\n").encode()
    for first in range(0, len(text), 97):
        one.tell(raw=text[first : first + 97])
        world.loop.turn(0.0)
    world.until(lambda: heard.revision == 20)
    assert [change.revision for change in heard.changes] == list(range(11, 21))


def test_what_was_told_already_is_not_told_again(world: World) -> None:
    one = world.gateway()
    _, heard = world.begun(one)
    for revision in (11, 12):
        one.revision = revision
        one.tell({"events": [one.event("k", "1", 11), one.event("k", "2", 12, 11)][: revision - 10]})
    one.tell({"events": [one.event("k", "2", 12, 11)]})
    world.until(lambda: heard.revision == 12)
    world.rest()
    assert [change.revision for change in heard.changes] == [11, 12]


def test_a_watch_asks_for_a_leader_and_resumes_behind_what_it_heard(world: World) -> None:
    """Without the header it stays silent on a member that lost its leader."""
    one, two = world.gateway(member=1), world.gateway(member=2)
    engine, heard = world.begun(one, two)
    assert one.of(WATCH)[0].headers["grpc-metadata-hasleader"] == "true"
    one.revision = two.revision = 15
    one.tell({"events": [one.event("k", "1", 12)]})
    world.until(lambda: heard.revision == 12)
    one.tell(raw=b'{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}\n')
    world.until(lambda: two.of(WATCH))
    assert two.of(WATCH)[0].body["create_request"]["start_revision"] == "13"
    two.tell({"events": [two.event("k", "2", 15, 12)]})
    world.until(lambda: heard.revision == 15)
    assert heard.words == ["loaded", "changed", "changed"]
    assert engine.describe()["watch"]["resumed"] == 1


def test_a_compacted_watch_reads_everything_anew(world: World) -> None:
    one = world.gateway()
    engine, heard = world.begun(one)
    one.script[RANGE] = lambda _asked: Reply({"header": one.header, "kvs": [one.event("new", "1", 40)["kv"]]})
    one.revision = 41
    one.tell({"canceled": True, "compact_revision": "30"})
    world.until(lambda: heard.words == ["loaded", "loaded"])
    assert heard.values == {"new": "1"}
    world.until(lambda: len(one.of(WATCH)) == 2)
    assert one.of(WATCH)[1].body["create_request"]["start_revision"] == "42"
    assert "forgotten what was before revision 30" in engine.describe()["reloaded"]


def test_a_stream_that_hangs_is_found_by_what_it_does_not_tell(world: World) -> None:
    """A stopped member gives no error at all. A commit of ours that is not heard of gives it away."""
    one, two = world.gateway(member=1), world.gateway(member=2)
    engine, heard = world.begun(one, two)
    assert world.commit(engine) == Committed(11)
    two.revision = 11
    world.until(lambda: two.streams)
    assert two.of(WATCH)[0].body["create_request"]["start_revision"] == "11"
    two.tell({"events": [two.event("k", "v", 11)]})
    world.until(lambda: heard.revision == 11)
    assert heard.words == ["loaded", "changed"]


def test_a_silent_stream_is_taken_up_anew_and_nobody_is_blamed(world: World) -> None:
    one = world.gateway()
    engine = world.engine(one)
    engine._watch._silence = 0.2  # the real one is seconds
    heard = Heard()
    engine.begin(heard)
    world.until(lambda: len(one.of(WATCH)) >= 3)
    assert heard.words == ["loaded"]
    assert engine.describe()["endpoints"][0]["fault"] == ""


def test_a_watch_that_is_not_begun_goes_elsewhere(world: World) -> None:
    one, two = world.gateway(member=1), world.gateway(member=2)
    one.script[WATCH] = lambda _asked: SILENT
    engine, heard = world.begun(one, two)
    assert two.streams
    assert engine.describe()["watch"]["is_current"]
    assert heard.words == ["loaded"]


@pytest.mark.parametrize("garbage", [b"what?\n", b"[]\n", b'{"result": {"events": [{"kv": {"mod_revision": "x"}}]}}\n'])
def test_a_stream_of_garbage_is_left(world: World, garbage: bytes) -> None:
    one = world.gateway()
    engine, heard = world.begun(one)
    one.tell(raw=garbage)
    world.until(lambda: len(one.of(WATCH)) == 2)
    world.until(lambda: engine.describe()["watch"]["is_current"])
    one.revision = 11
    one.tell({"events": [one.event("k", "1", 11)]})
    world.until(lambda: heard.values == {"k": "1"})


def test_a_value_that_is_no_text_is_said_and_left_out(world: World) -> None:
    one = world.gateway()
    bad = one.event("bad", "", 4)["kv"]
    bad["value"] = "//79"
    one.script[RANGE] = [Reply({"header": one.header, "kvs": [bad, one.event("good", "1", 5)["kv"]]})]
    engine, heard = world.begun(one)
    assert heard.values == {"good": "1"}
    assert engine.describe()["unreadable"] == {"bad": 10}
    one.revision = 11
    one.tell({"events": [{**one.event("good", "", 11), "kv": {**bad, "key": b64("/gds/good"), "mod_revision": "11"}}]})
    world.until(lambda: heard.revision == 11)
    assert heard.values == {}
    assert engine.describe()["unreadable"] == {"bad": 10, "good": 11}
    one.revision = 12
    one.tell({"events": [one.event("good", "2", 12)]})
    world.until(lambda: heard.values == {"good": "2"})
    assert engine.describe()["unreadable"] == {"bad": 10}


def test_back_comes_after_what_was_missed(world: World) -> None:
    one = world.gateway()
    engine, heard = world.begun(one)
    for path in (TXN, RANGE, STATUS):
        one.script[path] = lambda _asked: SILENT
    one.hang_up()
    assert isinstance(world.commit(engine, timeout=0.2), Unknown)
    world.until(lambda: heard.is_away)
    one.revision = 14
    for path in (TXN, RANGE, STATUS):
        del one.script[path]
    world.until(lambda: one.streams)
    one.tell({"events": [one.event("k", "1", 13)]})
    world.until(lambda: not heard.is_away)
    assert heard.words == ["loaded", "away", "changed", "back"]


def test_closed_nothing_is_left(world: World) -> None:
    one, two = world.gateway(), world.gateway()
    engine, heard = world.begun(one, two)
    two.script[VERSION] = lambda _asked: SILENT
    one.script[TXN] = lambda _asked: SILENT
    told = Told()
    engine.commit(PUT, 1.0, told)
    world.rest(0.05)
    engine.close()
    world.until(lambda: not one.streams)
    words = list(heard.words)
    world.rest(1.2)
    assert told.answers == []
    assert heard.words == words
    assert world.loop.next_due() is None
