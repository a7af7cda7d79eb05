"""The etcd engine: who we are to it, and whether it is the store that it was. engines.md 2.1, 2.3 and 2.4."""

from __future__ import annotations

import pytest

from gds.model.store import Committed, Rejected, Unknown
from tests.contract.engines import Heard, Told
from tests.unit.engine.gateway import (
    LOGIN,
    RANGE,
    SILENT,
    STATUS,
    TXN,
    VERSION,
    WATCH,
    Asked,
    Reply,
)
from tests.unit.engine.world import PUT, World, failing

# -- who we are --------------------------------------------------------------------------------------------------------


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


def test_a_store_that_wants_a_user_says_so_for_each_reason_once(world: World) -> None:
    one = world.gateway()
    one.script[RANGE] = failing("etcdserver: user name is empty", 3)
    engine, heard = world.engine(one), Heard()
    engine.begin(heard)
    world.until(lambda: heard.is_away)
    assert heard.reasons == ["etcd wants a user (user name is empty): set user and password_file in [runner.etcd]"]
    one.script[RANGE] = failing("etcdserver: permission denied", 7)
    world.until(lambda: len(heard.reasons) > 1)
    assert "permission denied" in heard.reasons[1]
    assert heard.words == ["away"], "it was away all the time"
    del one.script[RANGE]
    world.until(lambda: heard.words == ["away", "loaded", "back"])


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


# -- versions and stores -----------------------------------------------------------------------------------------------


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


def test_an_endpoint_that_is_well_again_is_not_called_ill(world: World) -> None:
    one, two = world.gateway(member=1), world.gateway(member=2)
    engine, _ = world.begun(one, two)

    def faults() -> list[str]:
        return [each["fault"] for each in engine.describe()["endpoints"]]

    one.script[TXN] = SILENT
    assert isinstance(world.commit(engine, timeout=0.3), Unknown)
    assert "no answer within" in faults()[0]
    assert world.commit(engine) == Committed(11), "the other one is asked"
    del one.script[TXN]
    world.until(lambda: faults() == ["", ""])


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
