"""The first look at shell strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.config.shell import Simple, simple_commands

CASES: list[tuple[str, list[tuple[str, str]]]] = [
    ("", []),
    ("a", [("a", "")]),
    ("a b;c", [("a b", ";"), ("c", "")]),
    ("a && b || c", [("a", "&&"), ("b", "||"), ("c", "")]),
    ("a | b |& c", [("a", "|"), ("b", "|&"), ("c", "")]),
    ("a & b", [("a", "&"), ("b", "")]),
    ("a\nb # c & d\n# e", [("a", "\n"), ("b", "\n")]),
    ("a#b", [("a#b", "")]),
    ('a \'b & c\' "d ; \\" e" f', [('a b & c d ; \\" e f', "")]),
    ("a \\; b\\\nc", [("a ; bc", "")]),
    ("a `b & c`", [("a b & c", "")]),
    ("a $(b ; (c) ')' \")\") d", [("a $(b ; (c) ')' \")\") d", "")]),
    ("a $(b", [("a $(b", "")]),
    ("a 'b", [("a b", "")]),
    ("a 2>&1 >/dev/null b", [("a b", "")]),
    ("a &> f b", [("a b", "")]),
    ("a x>f", [("a x", "")]),
    ("a < f", [("a", "")]),
    ("a >", [("a", "")]),
    ("(a; b)", [("a", ";"), ("b", ")")]),
    ("case x in y) z ;; esac", [("case x in y", ")"), ("z", ";;"), ("esac", "")]),
    ("a\\", [("a", "")]),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[repr(c[0]) for c in CASES])
def test_simple_commands(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(" ".join(c.words), c.end) for c in simple_commands(text)] == expected


PROGRAMS = [
    ("/usr/bin/curl -s", "curl"),
    ("exec env A=1 _b2= curl", "curl"),
    ("! curl", "curl"),
    ("A=1", ""),
    ("1=2 x", "1=2"),
    ("=x y", "=x"),
]


@pytest.mark.parametrize(("text", "expected"), PROGRAMS)
def test_program(text: str, expected: str) -> None:
    assert simple_commands(text)[0].program == expected


def test_a_command_of_introductions_has_no_program() -> None:
    assert Simple(("exec",), "").command == ()


@given(st.text("ab '\"`\\$()#;&|<>\n1{}!=", max_size=40))
def test_whatever_comes_is_taken(text: str) -> None:
    for each in simple_commands(text):
        assert each.words
        assert each.program == each.program.rpartition("/")[2]
