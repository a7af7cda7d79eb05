"""The words of etcd's JSON gateway: each trap of engines.md 2.3 that needs no network."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from gds.engine.etcd_words import (
    Header,
    News,
    Trouble,
    count_body,
    header_of,
    look_body,
    modified_of,
    news_of,
    number,
    packed,
    page_body,
    page_of,
    range_end,
    refusal,
    transaction_body,
    understood,
    unpacked,
    watch_body,
)
from gds.model.store import Change, Compare, Delete, Put, Record, Transaction

P = "/gds/"


def b64(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


# -- bytes and numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "nodes/a", "ä 世 \x00\n", "x" * 10_000])
def test_bytes_travel_as_base64_on_one_line(text: str) -> None:
    assert packed(text) == b64(text)
    assert unpacked(packed(text)) == text


@pytest.mark.parametrize("foreign", [b64(b"\xff\xfe"), "no base64!", "a"])
def test_what_is_not_ours_is_no_text(foreign: str) -> None:
    assert unpacked(foreign) is None


@pytest.mark.parametrize(("told", "meant"), [("9223372036854775807", 2**63 - 1), ("0", 0), (None, 0), (7, 7)])
def test_numbers_are_strings_and_left_out_when_zero(told: object, meant: int) -> None:
    assert number(told) == meant


def test_a_prefix_ends_where_its_last_byte_is_one_more() -> None:
    assert b64decode(range_end("/gds/")) == b"/gds0"


# -- questions --------------------------------------------------------------------------------------------------------


def test_a_transaction_compares_what_was_asked_and_no_more() -> None:
    compares = (
        Compare("a", modified=0),
        Compare("b", created=5),
        Compare("c", 7, 3),
        Compare("d"),
        Compare("e", value="v"),
    )
    told = json.loads(transaction_body(P, Transaction(compares, (Put("a", "v"), Delete("b")))))

    assert [(b64decode(c["key"]).decode(), c["target"], c["result"]) for c in told["compare"]] == [
        ("/gds/a", "MOD", "EQUAL"),
        ("/gds/b", "CREATE", "EQUAL"),
        ("/gds/c", "MOD", "EQUAL"),
        ("/gds/c", "CREATE", "EQUAL"),
        ("/gds/e", "VALUE", "EQUAL"),
    ]
    values = [c.get("mod_revision", c.get("create_revision", c.get("value"))) for c in told["compare"]]
    assert values == ["0", "5", "7", "3", b64("v")]
    assert told["success"] == [
        {"request_put": {"key": b64("/gds/a"), "value": b64("v")}},
        {"request_delete_range": {"key": b64("/gds/b")}},
    ]


def test_a_transaction_that_only_compares_reads_so_that_no_stale_member_answers() -> None:
    told = json.loads(transaction_body(P, Transaction((Compare("a", 0),))))
    assert [list(each) for each in (*told["success"], *told["failure"])] == [["request_range"]] * 2
    assert "serializable" not in json.dumps(told)


def test_pages_go_on_behind_the_last_key_at_the_same_revision() -> None:
    first, second = json.loads(page_body(P)), json.loads(page_body(P, "/gds/x", 42))
    assert (b64decode(first["key"]), first["revision"]) == (b"/gds/", "0")
    assert (b64decode(second["key"]), second["revision"]) == (b"/gds/x\0", "42")
    assert first["range_end"] == second["range_end"] == b64("/gds0")


def test_a_watch_begins_at_a_revision_and_covers_the_prefix() -> None:
    told = json.loads(watch_body(P, 43))["create_request"]
    assert told["start_revision"] == "43"
    assert (b64decode(told["key"]), b64decode(told["range_end"])) == (b"/gds/", b"/gds0")


def test_looks_ask_for_no_values() -> None:
    assert json.loads(look_body("/gds/k"))["keys_only"] is True
    assert json.loads(count_body(P))["count_only"] is True


# -- troubles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "message", "is_refusal"),
    [
        (400, {"error": "etcdserver: duplicate key given in txn request", "code": 3}, "duplicate key given in", True),
        (400, {"code": 3, "message": "etcdserver: request is too large", "details": []}, "request is too large", True),
        (403, {"error": "etcdserver: permission denied", "code": 7}, "permission denied", True),
        (503, {"error": "etcdserver: request timed out", "code": 14}, "request timed out", False),
        (503, {"code": 14, "message": "etcdserver: leader changed"}, "leader changed", False),
        (504, {"error": "context deadline exceeded", "code": 4}, "context deadline exceeded", False),
        (500, {"error": "etcdserver: not a primary lessor", "code": 2}, "not a primary lessor", False),
        (200, {"error": {"grpc_code": 14, "message": "etcdserver: no leader"}}, "no leader", False),
        (200, {"error": {"code": 7, "message": "etcdserver: permission denied"}}, "permission denied", True),
        (500, {}, "HTTP 500", False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_trouble_is_understood_in_either_versions_words(
    status: int, body: dict[str, Any], message: str, is_refusal: bool
) -> None:
    told = understood(status, json.dumps(body).encode())
    assert isinstance(told, Trouble)
    assert message in told.message
    assert told.is_refusal is is_refusal


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, b"Bad Request: no\n JSON ", "HTTP 400: Bad Request: no JSON"),
        (502, b"", "HTTP 502"),
        (200, b"[1]", "HTTP 200: an answer that is no object"),
        (200, b"\xff\xfe{", "HTTP 200: \ufffd\ufffd{"),
    ],
)
def test_what_is_no_object_is_a_trouble(status: int, body: bytes, message: str) -> None:
    assert understood(status, body) == Trouble(message, 0, False)


@pytest.mark.parametrize(
    ("trouble", "wants"),
    [
        (Trouble("invalid auth token", 16, True), True),
        (Trouble("revision of auth store is old", 3, True), True),
        (Trouble("user name is empty", 3, True), True),
        (Trouble("permission denied", 7, True), False),
        (Trouble("request timed out", 14), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_some_troubles_want_a_login(trouble: Trouble, wants: bool) -> None:
    assert trouble.wants_login is wants


def test_a_full_store_is_told_from_other_refusals() -> None:
    assert Trouble("mvcc: database space exceeded", 8, True).is_full
    assert not Trouble("too many requests", 8, True).is_full


# -- records and news -------------------------------------------------------------------------------------------------

HEADER = {"cluster_id": "14841639068965178418", "member_id": "10276657743932975437", "revision": "9", "raft_term": "2"}


def kv(key: str, value: str | bytes | None, created: int = 0, modified: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {"key": b64(key), "create_revision": str(created), "mod_revision": str(modified)}
    return found if value is None else {**found, "value": b64(value)}


def test_a_header_has_numbers_beyond_what_a_double_holds() -> None:
    assert header_of({"header": HEADER}) == Header(14841639068965178418, 10276657743932975437, 9, 2)
    assert header_of({}) == Header()


def test_a_page_leaves_out_what_is_not_ours_and_says_so() -> None:
    told = {"header": HEADER, "kvs": [kv("/gds/a", "1", 2, 3), kv("/gds/b", b"\xff", 4, 4), kv("/gds/c", None, 5, 6)]}
    page = page_of(P, told)
    assert page.records == (Record("a", "1", 2, 3), Record("c", "", 5, 6))
    assert page.unreadable == ("b",)
    assert page.after == ""
    assert page_of(P, {**told, "more": True}).after == "/gds/c"
    assert page_of(P, {"header": HEADER}).records == ()


@pytest.mark.parametrize("kvs", [5, "x", [5], [{"key": "", "mod_revision": {}}]])
def test_a_page_that_cannot_be_read_is_an_error(kvs: object) -> None:
    for read in (lambda told: page_of(P, told), modified_of):
        with pytest.raises(ValueError, match=r"."):
            read({"header": HEADER, "kvs": kvs})


def line(**result: Any) -> bytes:
    return json.dumps({"result": {"header": HEADER, **result}}).encode()


def test_an_event_without_a_type_is_a_put() -> None:
    events = [{"kv": kv("/gds/a", "1", 8, 9)}, {"type": "PUT", "kv": kv("/gds/b", None, 9, 9)}]
    news = news_of(P, line(events=[*events, {"type": "DELETE", "kv": {"key": b64("/gds/c"), "mod_revision": "9"}}]))
    assert isinstance(news, News)
    assert news.changes == (
        Change("a", Record("a", "1", 8, 9), 9),
        Change("b", Record("b", "", 9, 9), 9),
        Change("c", None, 9),
    )
    assert (news.created, news.compacted, news.ended) == (False, 0, "")


def test_a_key_that_became_garbage_is_told_as_removed() -> None:
    news = news_of(P, line(events=[{"kv": kv("/gds/a", b"\xff\x00", 8, 9)}]))
    assert isinstance(news, News)
    assert news.changes == (Change("a", None, 9),)
    assert news.unreadable == ("a",)


@pytest.mark.parametrize(
    ("result", "created", "compacted", "ended"),
    [
        ({"created": True}, True, 0, ""),
        ({"canceled": True, "compact_revision": "7"}, False, 7, "the watch was cancelled"),
        ({"created": True, "canceled": True, "cancel_reason": "permission denied"}, False, 0, "permission denied"),
        ({}, False, 0, ""),
    ],
    ids=str,
)
def test_what_else_a_watch_says(result: dict[str, Any], created: bool, compacted: int, ended: str) -> None:
    news = news_of(P, line(**result))
    assert isinstance(news, News)
    assert (news.created, news.compacted, news.ended) == (created, compacted, ended)


def test_an_error_inside_of_a_stream_is_a_trouble() -> None:
    for inner in (
        {"grpc_code": 14, "http_code": 503, "message": "etcdserver: no leader"},
        {"code": 14, "message": "no leader"},
    ):
        assert news_of(P, json.dumps({"error": inner}).encode()) == Trouble("no leader", 14, False)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"no JSON", b"[]", line(events=[{"kv": {"key": "", "mod_revision": "x"}}]), line(events=5)),
        *(line(events=[5]), line(events=[{}]), line(events=[{"kv": 5}]), line(compact_revision=[])),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        news_of(P, text)


# -- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "strict", "lenient"),
    [
        ("3.5.13", "", ""),
        ("3.5.16", "", ""),
        ("3.6.0-rc.1", "", ""),
        ("4.0.0", "", ""),
        ("3.5.12", "older than 3.5.13", ""),
        ("3.5.3", "older than 3.5.13", ""),
        ("3.5.2", "can lose", "can lose"),
        ("3.5.0", "can lose", "can lose"),
        ("3.4.23", "older than 3.5.13", ""),
        ("3.3.27", "not supported", "not supported"),
        ("2.3.8", "not supported", "not supported"),
        ("", "not supported", "not supported"),
        ("nonsense", "not supported", "not supported"),
    ],
)
def test_which_versions_are_used(version: str, strict: str, lenient: str) -> None:
    for allow, reason in ((False, strict), (True, lenient)):
        told = refusal(version, allow)
        assert reason in told
        assert bool(told) is bool(reason)
        assert not told or "install 3.5.13" in told
