"""The etcd engine against members that misbehave: who is asked, and what an answer means. engines.md 2.3."""

from __future__ import annotations

import time

import pytest

from gds.model.store import Committed, Conflict, Rejected, Unknown
from tests.contract.engines import Heard, Told
from tests.unit.engine.gateway import (
    HANG_UP,
    RANGE,
    SILENT,
    STATUS,
    TXN,
    VERSION,
    Reply,
    b64,
    key_of,
)
from tests.unit.engine.world import PUT, World, failing

# -- one endpoint after the other --------------------------------------------------------------------------------------


def test_a_connection_is_kept(world: World) -> None:
    one = world.gateway()
    engine, _ = world.begun(one)
    before = one.calls
    assert [world.commit(engine) for _ in range(5)] == [Committed(11 + n) for n in range(5)]
    assert one.calls == before


def test_a_connection_that_the_server_ends_is_made_anew(world: World) -> None:
    one = world.gateway()
    engine, _ = world.begun(one)
    header = one.header
    one.script[TXN] = [Reply({"header": header, "succeeded": True}, last=True)] * 3
    assert [world.commit(engine) for _ in range(3)] == [Committed(10)] * 3


@pytest.mark.parametrize("path", [VERSION, STATUS])
@pytest.mark.parametrize(
    "fault", [SILENT, HANG_UP, Reply(b"{", 200), Reply(b"what?", 404)], ids=["silent", "hangs up", "half", "404"]
)
def test_who_is_not_well_is_not_asked(world: World, path: str, fault: Reply) -> None:
    """A member that hangs takes the connection and says nothing: the request was not sent, and goes to the next."""
    sick, well = world.gateway(member=1), world.gateway(member=2)
    sick.script[path] = lambda _asked: fault
    engine, heard = world.begun(sick, well)
    assert world.commit(engine) == Committed(11)
    assert sick.of(TXN) == []
    assert heard.words.count("loaded") == 1
    assert "away" not in heard.words


def test_each_address_of_a_name_is_tried(world: World) -> None:
    """A member listens on one family only, and the name has both."""
    one = world.gateway()
    engine, _ = world.begun(one, endpoints=(f"http://localhost:{one.port}",))
    assert world.commit(engine) == Committed(11)
    assert one.of(TXN)[0].headers["host"] == f"localhost:{one.port}"


def test_a_name_that_nobody_has_is_told_as_such(world: World) -> None:
    engine, heard = world.engine(endpoints=("http://nobody.invalid:2379",), attempt=2.0), Heard()
    engine.begin(heard)
    world.until(lambda: heard.is_away)
    assert "cannot resolve nobody.invalid" in heard.reasons[0]


def test_who_knows_no_leader_is_not_asked(world: World) -> None:
    cut, well = world.gateway(member=1), world.gateway(member=2)
    cut.script[STATUS] = lambda _asked: Reply({"header": cut.header, "version": "3.5.16"})
    engine, _ = world.begun(cut, well)
    assert world.commit(engine) == Committed(11)
    assert "it knows no leader" in engine.describe()["endpoints"][0]["fault"]


def test_nobody_there_is_unknown_in_time_and_told_once(world: World) -> None:
    gone = [world.gateway(), world.gateway()]
    for each in gone:
        each.close()
    engine, heard = world.engine(*gone), Heard()
    engine.begin(heard)
    world.until(lambda: heard.is_away)
    began = time.monotonic()
    answer = world.commit(engine, timeout=0.4)
    assert 0.3 < time.monotonic() - began < 5.0
    assert isinstance(answer, Unknown)
    assert "connection refused" in answer.because
    world.rest(0.5)
    assert heard.words == ["away"]


def test_what_was_sent_is_not_sent_again(world: World) -> None:
    """A second try may succeed after the first one did."""
    one, two = world.gateway(member=1), world.gateway(member=2)
    engine, _ = world.begun(one, two)
    one.script[TXN] = HANG_UP
    answer = world.commit(engine)
    assert isinstance(answer, Unknown)
    assert "hung up" in answer.because
    assert len(one.of(TXN)) == 1
    assert two.of(TXN) == []
    assert world.commit(engine) == Committed(11)
    assert len(two.of(TXN)) == 1


@pytest.mark.parametrize("cut", [0, 10])
def test_half_an_answer_is_none(world: World, cut: int) -> None:
    one, two = world.gateway(member=1), world.gateway(member=2)
    engine, _ = world.begun(one, two)
    one.script[TXN] = Reply({"header": one.header, "succeeded": True}, cut=cut)
    assert isinstance(world.commit(engine), Unknown)


def test_a_silent_member_costs_one_time_out_and_no_more(world: World) -> None:
    """On a cut-off member a put fails only after 7 s by itself."""
    one, two = world.gateway(member=1), world.gateway(member=2)
    engine, heard = world.begun(one, two)
    one.script[TXN] = lambda _asked: SILENT
    assert world.commit(engine, timeout=0.3) == Unknown(f"{one.url}: no answer within 0.3 s")
    assert world.commit(engine, timeout=0.3).__class__ is Committed
    assert "away" not in heard.words


def test_a_late_answer_is_no_answer(world: World) -> None:
    one = world.gateway()
    engine, _ = world.begun(one)
    told = Told()
    one.script[TXN] = lambda _asked: SILENT
    engine.commit(PUT, 0.1, told)
    world.until(lambda: told.answers)
    del one.script[TXN]
    one.hang_up()
    world.rest(0.3)
    assert len(told.answers) == 1


def test_more_than_may_be_asked_at_once_wait_for_their_turn(world: World) -> None:
    one = world.gateway()
    engine, _ = world.begun(one)
    tolds = [Told() for _ in range(150)]
    for told in tolds:
        engine.commit(PUT, 20.0, told)
    world.until(lambda: all(told.answers for told in tolds))
    assert len({told.answers[0] for told in tolds}) == 150
    assert one.calls < 60


# -- what an answer means ----------------------------------------------------------------------------------------------


def test_succeeded_is_left_out_when_it_is_false(world: World) -> None:
    one = world.gateway()
    engine, _ = world.begun(one)
    one.script[TXN] = Reply({"header": one.header})
    assert world.commit(engine) == Conflict()


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (failing("etcdserver: permission denied", 7, 403), Rejected, "permission denied"),
        (failing("etcdserver: request is too large", 3), Rejected, "too large"),
        (Reply({"code": 3, "message": "etcdserver: duplicate key given in txn request"}, 400), Rejected, "duplicate"),
        (failing("etcdserver: request timed out", 14, 503), Unknown, "request timed out"),
        (failing("etcdserver: not a primary lessor", 2, 500), Unknown, "not a primary lessor"),
        (failing("etcdserver: leader changed", 14, 503), Unknown, "leader changed"),
        (Reply(b"upstream is gone", 502), Unknown, "HTTP 502: upstream is gone"),
        (Reply(b"<html>", 200), Unknown, "HTTP 200"),
        (Reply({"header": {"revision": "many"}}), Unknown, "cannot be read"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)
def test_only_what_etcd_refused_is_rejected(world: World, reply: Reply, kind: type, says: str) -> None:
    one = world.gateway()
    engine, _ = world.begun(one)
    one.script[TXN] = [reply]
    answer = world.commit(engine)
    assert isinstance(answer, kind)
    assert says in str(answer)


@pytest.mark.parametrize(
    ("modified", "kind"),
    [(None, Rejected), (9, Rejected), (10, Rejected), (12, Unknown)],
    ids=["absent", "9", "10", "12"],
)
def test_a_full_store_may_have_taken_it_all_the_same(world: World, modified: int | None, kind: type) -> None:
    """etcd applies a write and then finds that it was one too many; so it is looked whether the key was written."""
    one = world.gateway()
    engine, _ = world.begun(one)
    one.script[TXN] = failing("etcdserver: mvcc: database space exceeded", 8, 429)
    kvs = [] if modified is None else [{"key": b64("/gds/k"), "mod_revision": str(modified)}]
    one.script[RANGE] = Reply({"header": one.header, "kvs": kvs})
    answer = world.commit(engine)
    assert isinstance(answer, kind)
    assert "full" in str(answer)
    assert key_of(one.of(RANGE)[-1]) == "/gds/k"


def test_a_full_store_that_cannot_be_looked_at_is_unknown(world: World) -> None:
    one = world.gateway()
    engine, _ = world.begun(one)
    one.script[TXN] = failing("etcdserver: mvcc: database space exceeded", 8, 429)
    one.script[RANGE] = lambda _asked: SILENT
    assert isinstance(world.commit(engine, timeout=0.3), Unknown)
