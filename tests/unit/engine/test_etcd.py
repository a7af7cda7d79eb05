"""The etcd engine against members that misbehave: each trap of engines.md 2.3 and 2.4 that needs a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gds.engine.etcd import EtcdEngine
from gds.linux.loop import Loop
from gds.linux.resolving import Names
from gds.model.settings import EtcdSettings
from gds.model.store import Committed, Conflict, Put, Rejected, Transaction, Unknown
from tests.contract.engines import Heard, Told
from tests.unit.engine.gateway import (
    HANG_UP,
    LOGIN,
    RANGE,
    SILENT,
    STATUS,
    TXN,
    VERSION,
    WATCH,
    Asked,
    Gateway,
    Reply,
    b64,
    key_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.store import Answer

DEADLINE = 30.0
PUT = Transaction((), (Put("k", "v"),))


class World:
    """Misbehaving members, engines on them, and the loop of all."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.gateways: list[Gateway] = []
        self.engines: list[EtcdEngine] = []

    def gateway(self, **how: Any) -> Gateway:
        made = Gateway(self.loop, **how)
        self.gateways.append(made)
        return made

    def engine(self, *gateways: Gateway, **settings: Any) -> EtcdEngine:
        chosen: dict[str, Any] = {"attempt": 0.3, **settings}
        asked = EtcdSettings(endpoints=tuple(g.url for g in gateways), **chosen)
        made = EtcdEngine(asked, self.loop, "a", Names(self.loop))
        self.engines.append(made)
        return made

    def begun(self, *gateways: Gateway, **settings: Any) -> tuple[EtcdEngine, Heard]:
        engine, heard = self.engine(*gateways, **settings), Heard()
        engine.begin(heard)
        self.until(lambda: "loaded" in heard.words and engine.describe()["watch"]["is_current"])
        self.until(lambda: not engine._suspects)  # the questions of the beginning are answered
        return engine, heard

    def until(self, fact: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE
        while not fact():
            assert time.monotonic() < end, [each.describe() for each in self.engines]
            self.loop.turn(0.02)

    def rest(self, seconds: float = 0.1) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.loop.turn(0.02)

    def commit(self, engine: EtcdEngine, transaction: Transaction = PUT, timeout: float = 2.0) -> Answer:
        told = Told()
        engine.commit(transaction, timeout, told)
        self.until(lambda: told.answers)
        return told.answers[0]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    for engine in made.engines:
        engine.close()
    for gateway in made.gateways:
        gateway.close()


def failing(message: str, code: int, status: int = 400) -> Reply:
    return Reply({"error": message, "message": message, "code": code}, status)


# -- one endpoint after the other -------------------------------------------------------------------------------------


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


# -- what an answer means ---------------------------------------------------------------------------------------------


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


# -- who we are -------------------------------------------------------------------------------------------------------


@pytest.fixture
def password(tmp_path: Any) -> str:
    file = tmp_path / "password"
    file.write_text("secret\n")
    return str(file)


def test_one_login_serves_all_and_its_token_is_bare(world: World, password: str) -> None:
    one = world.gateway()
    engine, _ = world.begun(one, user="gds", password_file=password)
    for _ in range(3):
        world.commit(engine)
    assert [each.body for each in one.of(LOGIN)] == [{"name": "gds", "password": "secret"}]
    asked = [*one.of(TXN), *one.of(RANGE), *one.of(WATCH)]
    assert {each.headers.get("authorization") for each in asked} == {"token"}
    assert all("authorization" not in each.headers for each in (*one.of(LOGIN), *one.of(VERSION)))


@pytest.mark.parametrize(
    "refusal",
    [
        failing("etcdserver: invalid auth token", 16, 401),
        failing("etcdserver: revision of auth store is old", 3),
        failing("etcdserver: user name is empty", 3),
    ],
    ids=["expired", "old", "empty"],
)
def test_a_token_that_is_not_good_any_more_is_replaced(world: World, password: str, refusal: Reply) -> None:
    one = world.gateway()
    engine, heard = world.begun(one, user="gds", password_file=password)
    one.script[LOGIN] = Reply({"header": one.header, "token": "second"})

    def judge(asked: Asked) -> Reply | None:
        return None if asked.headers.get("authorization") == "second" else refusal

    one.script[TXN] = judge
    assert world.commit(engine) == Committed(11)
    assert len(one.of(LOGIN)) == 2
    assert "away" not in heard.words


def test_a_watch_logs_in_again_as_well(world: World, password: str) -> None:
    one = world.gateway()
    engine, heard = world.begun(one, user="gds", password_file=password)
    one.script[LOGIN] = Reply({"header": one.header, "token": "second"})
    refusal = failing("etcdserver: invalid auth token", 16, 401)
    for path in (WATCH, RANGE):
        one.script[path] = lambda asked: None if asked.headers.get("authorization") == "second" else refusal
    one.hang_up()
    world.until(lambda: one.of(WATCH)[-1].headers.get("authorization") == "second")
    world.until(lambda: engine.describe()["watch"]["is_current"])
    one.revision = 12
    one.tell({"events": [one.event("k", "1", 12)]})
    world.until(lambda: heard.values == {"k": "1"})


def test_a_wrong_password_is_told_as_such_and_not_hammered(world: World, password: str) -> None:
    one = world.gateway()
    wrong = "etcdserver: authentication failed, invalid user ID or password"
    one.script[LOGIN] = failing(wrong, 3)
    engine, heard = world.engine(one, user="gds", password_file=password), Heard()
    engine.begin(heard)
    world.until(lambda: heard.is_away)
    assert heard.reasons == [f"etcd: cannot log in as gds: {wrong.removeprefix('etcdserver: ')}"]
    answers = [world.commit(engine) for _ in range(5)]
    assert {type(answer) for answer in answers} == {Rejected}
    assert len(one.of(LOGIN)) <= 2


def test_a_store_without_passwords_is_used_and_that_is_said(world: World, password: str) -> None:
    one = world.gateway()
    one.script[LOGIN] = failing("etcdserver: authentication is not enabled", 9)
    engine, _ = world.begun(one, user="gds", password_file=password)
    assert world.commit(engine) == Committed(11)
    assert engine.describe()["has_no_passwords"] is True


def test_a_certificate_with_a_common_name_is_explained(world: World) -> None:
    """With passwords on the gateway answers 400 in plain text to each request."""
    one = world.gateway()
    one.script[STATUS] = Reply(b"Bad Request", 400)
    engine, heard = world.engine(one), Heard()
    engine.begin(heard)
    world.until(lambda: heard.is_away)
    assert "use one whose subject has no CN" in heard.reasons[0]


# -- versions and stores ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "allowed"), [("3.4.23", True), ("3.5.12", True), ("3.5.1", False)])
def test_an_old_etcd_is_refused_unless_it_is_allowed(world: World, version: str, allowed: bool) -> None:
    one = world.gateway()
    one.version = version
    engine, heard = world.engine(one), Heard()
    engine.begin(heard)
    world.until(lambda: heard.is_away)
    assert f"etcd {version}" in heard.reasons[0]
    assert "install 3.5.13 or newer" in heard.reasons[0]
    lenient, heard = world.engine(one, allow_old_etcd=True), Heard()
    lenient.begin(heard)
    world.until(lambda: heard.words)
    assert heard.words[0] == ("loaded" if allowed else "away")


def test_one_old_member_among_others_is_left_alone(world: World) -> None:
    old, new = world.gateway(member=1), world.gateway(member=2)
    old.version = "3.5.2"
    engine, heard = world.begun(old, new)
    assert world.commit(engine) == Committed(11)
    assert heard.words == ["loaded"]
    assert old.of(RANGE) == old.of(TXN) == []


def test_a_stranger_among_the_endpoints_is_left_alone(world: World) -> None:
    ours, stranger = world.gateway(cluster=77), world.gateway(cluster=88)
    engine, heard = world.begun(ours, stranger)
    ours.close()
    world.until(lambda: heard.is_away)
    assert isinstance(world.commit(engine, timeout=0.3), Unknown)
    assert stranger.of(TXN) == stranger.of(RANGE) == []
    assert "it belongs to another cluster (58, not 4d)" in str(engine.describe()["endpoints"])


def test_a_replaced_cluster_is_told_as_another_store(world: World) -> None:
    one = world.gateway(cluster=77)
    engine, heard = world.begun(one)
    one.cluster, one.revision = 88, 50
    one.hang_up()
    world.until(lambda: "back" in heard.words)
    assert heard.words == ["loaded", "away", "loaded", "back"]
    assert heard.reasons == ["another store answers: it is cluster 58, it was 4d"]
    assert world.commit(engine) == Committed(51)


@pytest.mark.parametrize(("revision", "term"), [(5, 3), (20, 2)], ids=["revision", "term"])
def test_a_restored_store_is_told_as_another_one(world: World, revision: int, term: int) -> None:
    one = world.gateway()
    engine, heard = world.begun(one)
    one.revision, one.term = revision, term
    answer = world.commit(engine)
    assert isinstance(answer, Unknown)
    assert "another store answers" in answer.because
    world.until(lambda: "back" in heard.words)
    assert heard.words == ["loaded", "away", "loaded", "back"]
    assert "went back" in heard.reasons[0]
    assert isinstance(world.commit(engine), Committed)


def test_what_was_asked_of_the_old_store_does_not_make_a_third(world: World) -> None:
    """Several questions under way when another store is found: it is told once, for all of them."""
    one = world.gateway()
    engine, heard = world.begun(one)
    tolds = [Told() for _ in range(5)]
    one.revision = 2
    for told in tolds:
        engine.commit(PUT, 2.0, told)
    world.until(lambda: all(told.answers for told in tolds) and "back" in heard.words)
    assert Unknown in {type(told.answers[0]) for told in tolds}
    world.rest(0.5)
    assert heard.words == ["loaded", "away", "loaded", "back"]


# -- loading and following --------------------------------------------------------------------------------------------


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
