"""Where keys and values stand: against a text one can count, and against tomllib on texts nobody wrote."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.config.positions import Keys, Place, Positions, TooDeep

TEXT = '''# a comment = 1
top = "x" # [not.a.table]
[resource.web]  # here
start_command = ["a", # "b"
   'c', """
d
""", ]
"quoted key" = {in1 = 1, "in 2" = {x = [1, {y = 2}]}}
a.b . "c.d" = 1979-05-27T07:32:00Z
text = """two
lines "quoted" \\" here"""
literal = \'\'\'it's
\'\'\'
  [ group . "g" ]
float = -1.5e+3

[[array]]
k = 1
[[array]]
k = 2
[array.sub]
s = true
'''

PLACES: list[tuple[Keys, tuple[int, int], tuple[int, int]]] = [
    (("top",), (2, 1), (2, 7)),
    (("resource",), (3, 2), (3, 2)),
    (("resource", "web"), (3, 2), (3, 2)),
    (("resource", "web", "start_command"), (4, 1), (4, 17)),
    (("resource", "web", "start_command", 0), (4, 18), (4, 18)),
    (("resource", "web", "start_command", 1), (5, 4), (5, 4)),
    (("resource", "web", "start_command", 2), (5, 9), (5, 9)),
    (("resource", "web", "quoted key"), (8, 1), (8, 16)),
    (("resource", "web", "quoted key", "in1"), (8, 17), (8, 23)),
    (("resource", "web", "quoted key", "in 2"), (8, 26), (8, 35)),
    (("resource", "web", "quoted key", "in 2", "x", 0), (8, 41), (8, 41)),
    (("resource", "web", "quoted key", "in 2", "x", 1, "y"), (8, 45), (8, 49)),
    (("resource", "web", "a", "b", "c.d"), (9, 1), (9, 15)),
    (("resource", "web", "text"), (10, 1), (10, 8)),
    (("resource", "web", "literal"), (12, 1), (12, 11)),
    (("group", "g"), (14, 5), (14, 5)),
    (("group", "g", "float"), (15, 1), (15, 9)),
    (("array", 0, "k"), (18, 1), (18, 5)),
    (("array", 1, "k"), (20, 1), (20, 5)),
    (("array", 1, "sub", "s"), (22, 1), (22, 5)),
]


@pytest.mark.parametrize(("keys", "key", "value"), PLACES, ids=[str(p[0]) for p in PLACES])
def test_places(keys: Keys, key: tuple[int, int], value: tuple[int, int]) -> None:
    positions = Positions(TEXT)
    assert positions.stopped == -1
    assert positions.place(positions.offset_of(keys, True)) == Place(*key)
    assert positions.place(positions.offset_of(keys, False)) == Place(*value)


def test_what_is_missing_is_told_at_its_table() -> None:
    positions = Positions(TEXT)
    assert positions.place(positions.offset_of(("resource", "web", "missing", 3), False)) == Place(3, 2)
    assert positions.place(positions.offset_of(("missing",), True)) == Place(1, 1)


def test_literal() -> None:
    positions = Positions("a = 0o022\nb = 'x'")
    assert positions.literal(("a",)).startswith("0o022")
    assert positions.literal(("b",)).startswith("'x'")
    assert positions.literal(("c",)) == ""


def test_keys_given_twice() -> None:
    text = "[a]\nx = 1\nx = 2\n[b]\n[a]\ny = {z = 1, z = 2}\n"
    twice = [(keys, text[:second].count("\n") + 1) for keys, _, second in Positions(text).twice]
    assert twice == [(("a", "x"), 3), (("a",), 5), (("a", "y", "z"), 6)]


NO_TOML = ["a", "a =", "= 1", "[a", "a = [1", "a = {b", "a = 'x", 'a = """x', "a = 1 2", "[a]]", "a = {b = 1 c}"]
NO_TOML += ["a = [1 2]"]


@pytest.mark.parametrize("text", NO_TOML)
def test_what_is_no_toml_stops_the_scanner_quietly(text: str) -> None:
    assert Positions("ok = 1\n" + text).place(0) == Place(1, 1)
    assert Positions("ok = 1\n" + text).values[("ok",)] == 5


DEEP = ["a=" + "[" * 99, "a=" + "{a=" * 99, ".".join("a" * 99) + "=1", f"[{'.'.join('a' * 99)}]"]


@pytest.mark.parametrize("text", DEEP, ids=["arrays", "tables", "key", "header"])
def test_too_deep(text: str) -> None:
    assert Positions(text).stopped >= 0
    with pytest.raises(TooDeep):
        Positions(text, strict=True)


KEY = st.text("abcXYZ_-09", min_size=1, max_size=4)
QUOTED = st.text("ab .#[]=é\"'\\\t", max_size=5)
SCALAR = st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False), st.text("ab#[]{}=,\"'\\\n é", max_size=8))


def _string(text: str) -> str:
    return '"' + "".join([c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text]) + '"'


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return "[" + ",\n ".join([_toml(v) for v in value]) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_string(k)} = {_toml(v)}" for k, v in value.items()]) + "}"
    return repr(value)


VALUE = st.recursive(
    SCALAR, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(QUOTED, v, max_size=3)), max_leaves=6
)


def _paths(value: Any, keys: Keys = ()) -> list[tuple[Keys, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [(keys, value)] if keys else []
    for key, inner in pairs:
        found.extend(_paths(inner, (*keys, key)))
    return found


@given(st.dictionaries(KEY, st.dictionaries(QUOTED, VALUE, max_size=3), max_size=3))
def test_every_path_of_tomllib_has_a_place_that_holds_its_value(tables: dict[str, dict[str, Any]]) -> None:
    text = ""
    for name, table in tables.items():
        text += f"[{name}] # {name}\n" + "".join([f"{_string(k)} = {_toml(v)}\n" for k, v in table.items()])
    positions = Positions(text, strict=True)
    assert positions.stopped == -1
    for keys, value in _paths(tomllib.loads(text)):
        assert keys in positions.keys
        if len(keys) > 1:
            written = text[positions.values[keys] :]
            assert written.startswith(_toml(value))


@given(st.text("[]{}=.,\"'#\\\n\r\tab01é", max_size=60))
def test_the_scanner_takes_whatever_comes(text: str) -> None:
    positions = Positions(text)
    try:
        data = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError:
        return
    assert all(keys[:1] in positions.keys for keys, _ in _paths(data)) or "\r" in text
