"""The etcd engine with real etcd: what every engine promises, and what happens when etcd's members do not."""

from __future__ import annotations

import json
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gds.engine.etcd import EtcdEngine
from gds.model.settings import EtcdSettings
from gds.model.store import Committed, Compare, Conflict, Delete, Put, Rejected, Transaction, Unknown
from tests.contract.engines import (
    CHECKS,
    SHARED_CHECKS,
    Heard,
    SharedBench,
    Told,
    answers_come_once_however_many_are_asked,
    any_text_is_a_value,
    commit,
    nodes_see_each_other,
    write,
)
from tests.system.etcds import DEADLINE, Cluster, Guarded, Member, OneMember, Turning

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    with Member(tmp_path_factory.mktemp("etcd")) as made:
        yield made


@pytest.fixture
def bench(member: Member) -> Iterator[OneMember]:
    made = OneMember(member)
    yield made
    made.close()


@pytest.fixture
def turning() -> Iterator[Turning]:
    made = Turning()
    yield made
    made.close()


def begun(turning: Turning, settings: EtcdSettings, node: str = "a") -> tuple[EtcdEngine, Heard]:
    """An engine that has loaded and follows."""
    engine, heard = turning.make(settings, node), Heard()
    engine.begin(heard)
    turning.until(lambda: "loaded" in heard.words and engine.describe()["watch"]["is_current"])
    return engine, heard


def away_because(turning: Turning, settings: EtcdSettings) -> str:
    """What an engine says that cannot begin."""
    engine, heard = turning.make(settings), Heard()
    engine.begin(heard)
    turning.until(lambda: heard.words)
    engine.close()
    assert heard.words == ["away"]
    return heard.reasons[0]


# -- one member: every promise ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [*CHECKS, *SHARED_CHECKS], ids=lambda check: check.__name__)
def test_etcd(check: Callable[[SharedBench], None], bench: OneMember) -> None:
    check(bench)


def test_an_old_etcd_is_refused_unless_it_is_allowed(turning: Turning, member: Member) -> None:
    """The distribution's is old; what else was named by ETCD_BIN need not be."""
    strict, heard = turning.make(EtcdSettings(endpoints=(member.url,))), Heard()
    strict.begin(heard)
    turning.until(lambda: heard.words)
    is_old = member.version < (3, 5, 13)
    assert heard.words[0] == ("away" if is_old else "loaded")
    assert ["older than 3.5.13" in reason and "set allow_old_etcd" in reason for reason in heard.reasons] == [
        True
    ] * is_old
    engine, _ = begun(turning, EtcdSettings(endpoints=(member.url,), allow_old_etcd=True))
    described = engine.describe()
    assert described["endpoints"][0]["version"] == described["version"]
    assert described["endpoints"][0]["leads"] is True
    assert described["leader"] == member.url


def test_foreign_bytes_under_our_prefix_are_said_and_left_out(bench: OneMember) -> None:
    def put(key: str, value: bytes) -> None:
        body = {"key": b64encode(f"{bench.prefix}/{key}".encode()).decode(), "value": b64encode(value).decode()}
        asked = urllib.request.Request(f"{bench.member.url}/v3/kv/put", json.dumps(body).encode())
        with urllib.request.urlopen(asked, timeout=DEADLINE):
            pass

    put("bad", b"\xff\xfe")
    put("good", b"1")
    engine, heard = begun(bench, bench.settings)
    assert heard.values == {"good": "1"}
    assert list(engine.describe()["unreadable"]) == ["bad"]
    put("good", b"\x80")
    bench.until(lambda: heard.records == {})
    write(bench, engine, Put("bad", "mended"))
    bench.until(lambda: heard.values == {"bad": "mended"})
    assert list(engine.describe()["unreadable"]) == ["good"]
    put("worse", b"\xff")
    bench.member.ctl("del", f"{bench.prefix}/good")
    last = write(bench, engine, Put("end", ""))
    bench.until(lambda: heard.revision >= last)
    assert list(engine.describe()["unreadable"]) == ["worse"]


def test_other_keys_are_no_business_of_ours(bench: OneMember) -> None:
    engine, heard = begun(bench, bench.settings)
    for key in (bench.prefix, f"{bench.prefix}0", f"{bench.prefix}x/y"):
        bench.member.ctl("put", key, "not ours")
    last = write(bench, engine, Put("k", "1"))
    bench.until(lambda: heard.revision >= last)
    assert heard.values == {"k": "1"}
    assert len(heard.changes) == 1


def test_a_thousand_and_more_records_are_loaded(bench: OneMember) -> None:
    engine, _ = begun(bench, bench.settings)
    for first in range(0, 1200, 100):
        write(bench, engine, *[Put(f"k/{number:04}", str(number)) for number in range(first, first + 100)])
    _, heard = begun(bench, bench.settings, "b")
    assert heard.values == {f"k/{number:04}": str(number) for number in range(1200)}


def test_a_full_store_rejects_and_recovers(turning: Turning, tmp_path: Path) -> None:
    with Member(tmp_path / "small", "--quota-backend-bytes", str(1 << 20)) as small:
        engine, heard = begun(turning, EtcdSettings(endpoints=(small.url,), allow_old_etcd=True))
        first = write(turning, engine, Put("mark", "0"))
        number = 0
        while isinstance(
            commit(turning, engine, Transaction((), (Put("big", "x" * 100_000 + str(number)),))), Committed
        ):
            number += 1
            assert number < 100
        turning.until(lambda: isinstance(commit(turning, engine, Transaction((), (Put("k", "1"),))), Rejected))
        rejected = commit(turning, engine, Transaction((Compare("mark", first),), (Put("mark", "1"),)))
        assert isinstance(rejected, Rejected)
        assert "etcd is full" in rejected.because
        assert commit(turning, engine, Transaction((Compare("mark", 0),), (Delete("mark"),))) == Conflict()
        write(turning, engine, Delete("big"))
        assert not heard.is_away
        small.compact()
        small.ctl("defrag")
        small.ctl("alarm", "disarm")
        last = write(turning, engine, Put("mark", "2"), compares=(Compare("mark", first),))
        turning.until(lambda: heard.revision >= last)
        assert heard.values["mark"] == "2"


# -- certificates and passwords ---------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with Guarded(tmp_path) as made:
        yield made


def test_certificates(turning: Turning, guarded: Guarded, member: Member) -> None:
    good, other = guarded.settings, guarded.other
    engine, heard = begun(turning, good)
    last = write(turning, engine, Put("k", "1"))
    turning.until(lambda: heard.revision >= last)
    engine.close()
    cases = [
        (good.replace(ca_file=f"{other}/ca.crt"), "its certificate is not trusted"),
        (good.replace(ca_file=""), "its certificate is not trusted"),
        (
            good.replace(cert_file="", key_file=""),
            "it may not accept our certificate|it does not accept our certificate",
        ),
        (
            good.replace(cert_file=f"{other}/client.crt", key_file=f"{other}/client.key"),
            "it may not accept our certificate|it does not accept our certificate",
        ),
        (good.replace(endpoints=(guarded.url.replace("127.0.0.1", "localhost"),)), "its certificate is another's"),
        (good.replace(endpoints=(member.url.replace("http:", "https:"),)), "it does not speak TLS"),
        (EtcdSettings(endpoints=(guarded.url.replace("https:", "http:"),)), "if it speaks TLS, write https://"),
    ]
    for settings, reason in cases:
        said = away_because(turning, settings.replace(attempt=0.5))
        assert any(each in said for each in reason.split("|")), (reason, said)


def test_passwords(turning: Turning, guarded: Guarded) -> None:
    early, heard = begun(turning, guarded.settings)
    good = guarded.guard()
    answer = commit(turning, early, Transaction((), (Put("k", "nobody"),)))
    assert isinstance(answer, Rejected)
    assert "user is not set" in answer.because

    engine, heard = begun(turning, good)
    first = write(turning, engine, Put("k", "1"))
    turning.until(lambda: heard.revision >= first)
    said = away_because(turning, good.replace(prefix="/elsewhere"))
    assert "permission denied to user gds; /elsewhere must be" in said
    said = away_because(turning, good.replace(attempt=0.5, **guarded.client_named("gds")))
    assert "use one whose subject has no CN" in said

    turning.rest(2.5)  # the token lives for one second
    second = write(turning, engine, Put("k", "2"))
    guarded.password.write_text("wrong\n")
    said = away_because(turning, good)
    assert said.endswith("cannot log in as gds: authentication failed, invalid user ID or password")
    guarded.password.write_text("secret\n")
    guarded.kill()
    guarded.start()
    turning.rest()
    last = write(turning, engine, Put("k", "3"))
    turning.until(lambda: heard.revision >= last)
    assert first < second < last
    assert [change.record.value for change in heard.changes if change.record] == ["1", "2", "3"]


def test_the_promises_hold_behind_certificates_and_passwords(guarded: Guarded) -> None:
    settings = guarded.guard()
    for check in (any_text_is_a_value, answers_come_once_however_many_are_asked, nodes_see_each_other):
        bench = OneMember(guarded, settings)
        check(bench)
        bench.close()


# -- three members and a network that breaks --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture
def inside(cluster: Cluster) -> Iterator[Cluster]:
    """The test is a client in the lab; whatever it broke is mended afterwards."""
    with cluster.inside():
        yield cluster
    cluster("heal")
    cluster("up")
    cluster.leader()


MEND = {"kill": "start", "pause": "resume", "partition": "heal"}


@pytest.mark.parametrize("role", ["leader", "follower"])
@pytest.mark.parametrize("fault", list(MEND))
def test_the_member_in_use_fails(fault: str, role: str, inside: Cluster, turning: Turning) -> None:
    """Each commit is answered in its time, the next ones succeed elsewhere, and no news is lost or told twice."""
    leader = inside.leader()
    node = leader if role == "leader" else next(each for each in ("n1", "n2", "n3") if each != leader)
    url = inside("url", node)
    others = [each for each in inside.endpoints if each != url]
    settings = EtcdSettings(endpoints=(url, *others), prefix=f"/{fault}/{role}", allow_old_etcd=True)
    a, heard_a = begun(turning, settings, "a")
    b, heard_b = begun(turning, settings.replace(endpoints=(*others, url)), "b")
    write(turning, a, Put("k", "before"))
    assert a.describe()["endpoints"][0]["is_in_use"]

    inside(fault, node)
    slowest, number = 0.0, 0
    ends = time.monotonic() + DEADLINE
    while True:
        number += 1
        began = time.monotonic()
        answer = commit(turning, a, Transaction((), (Put("k", str(number)),)), 1.0)
        slowest = max(slowest, time.monotonic() - began)
        assert isinstance(answer, Committed | Unknown), answer
        if isinstance(answer, Committed):
            break
        assert time.monotonic() < ends, a.describe()
        turning.rest(0.1)
    assert slowest < 5.0, "a second, on a machine that may be slow"
    assert not a.describe()["endpoints"][0]["is_in_use"]
    turning.until(lambda: not heard_a.is_away and not heard_b.is_away)
    last = write(turning, b, Put("end", ""))
    turning.until(lambda: heard_a.revision >= last and heard_b.revision >= last)
    assert heard_a.changes == heard_b.changes
    assert [heard.words.count("loaded") for heard in (heard_a, heard_b)] == [1, 1]
    assert (heard_a.words + heard_b.words).count("away") == 0 or role == "leader", "one that follows is no loss"
    inside(MEND[fault], *([] if fault == "partition" else [node]))


def test_without_a_majority_it_is_away_and_comes_back_by_itself(inside: Cluster, turning: Turning) -> None:
    settings = EtcdSettings(endpoints=inside.endpoints, prefix="/majority", allow_old_etcd=True)
    a, heard = begun(turning, settings)
    first = write(turning, a, Put("k", "1"))
    inside("kill", "n1")
    inside("pause", "n2")
    turning.until(lambda: commit(turning, a, Transaction((), (Put("k", "2"),)), 0.5) and heard.is_away)
    inside("start", "n1")
    inside("resume", "n2")
    turning.until(lambda: not heard.is_away)
    last = write(turning, a, Put("k", "3"))
    turning.until(lambda: heard.revision >= last)
    assert heard.words.count("loaded") == 1
    assert heard.records["k"].created == first


def test_a_wiped_cluster_is_another_store(inside: Cluster, turning: Turning) -> None:
    """It has the same id, for it was made by the same words; only its revisions tell."""
    settings = EtcdSettings(endpoints=inside.endpoints, prefix="/wiped", allow_old_etcd=True)
    a, heard = begun(turning, settings)
    for number in range(20):
        write(turning, a, Put("k", str(number)))
    with inside.begun("wipe") as wiping:
        turning.until(lambda: wiping.poll() is not None)
        assert wiping.returncode == 0, wiping.stderr.read() if wiping.stderr else ""
    turning.until(lambda: "back" in heard.words and not heard.is_away)
    assert heard.words.count("loaded") == 2
    assert heard.values == {}
    assert "another store answers" in a.describe()["reloaded"]
    told = Told()
    a.commit(Transaction((), (Put("k", "new"),)), 5.0, told)
    turning.until(lambda: told.answers and heard.values == {"k": "new"})


def test_a_stopped_client_finds_its_place_again(member: Member, turning: Turning) -> None:
    """The engine's own process was stopped for a while: the loop stands still, etcd does not."""
    settings = EtcdSettings(endpoints=(member.url,), prefix="/stopped", allow_old_etcd=True)
    a, heard = begun(turning, settings)
    for number in range(30):
        member.ctl("put", "/stopped/k", str(number))
    turning.until(lambda: heard.values == {"k": "29"})
    assert [change.record.value for change in heard.changes if change.record] == [str(n) for n in range(30)]
    assert isinstance(commit(turning, a, Transaction((), (Put("k", "end"),))), Committed)
