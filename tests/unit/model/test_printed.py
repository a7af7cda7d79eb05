"""What an application says cannot do anything to the terminal of who reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.model.printed import escaped, printed, printed_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain  with two blanks", "plain  with two blanks"),
        ("ümläut — 日本 ✓", "ümläut — 日本 ✓"),
        ("one\ntwo\r\n\n\tthree\n", "one two three"),
        ("a\x1b[31mred", "a\\u001b[31mred"),
        ("a\x1b]52;c;cm0gLXJmIC8=\x07", "a\\u001b]52;c;cm0gLXJmIC8=\\u0007"),
        ("a\x9b2Jb\x7f\x08", "a\\u009b2Jb\\u007f\\u0008"),
        ("txt.\u202egnp", "txt.\\u202egnp"),
        ("a\u2028b\x0bc\x85d", "a b c d"),
        ("lone \ud800", "lone \\ud800"),
        ("beyond \U000e0001", "beyond \\udb40\\udc01"),
    ],
)
def test_one_line_and_nothing_a_terminal_would_obey(text: str, shown: str) -> None:
    assert printed(text) == shown


@given(st.text(st.characters(codec=None)))
def test_whatever_it_is_it_can_be_printed(text: str) -> None:
    assert printed(text).isprintable()
    printed(text).encode()
    assert all(line.isprintable() for line in printed_lines(text).split("\n"))


def test_lines_that_are_ours_stay() -> None:
    text = "cannot stop a: STOP_FAILED\n  and\x1b[2J b\n"
    assert printed_lines(text) == "cannot stop a: STOP_FAILED\nand\\u001b[2J b\n"
    assert printed_lines("usage:  x") == "usage:  x"


@given(st.text())
def test_a_document_is_the_same_document(text: str) -> None:
    document = escaped(json.dumps({"message": text}, ensure_ascii=False))
    assert document.isprintable()
    assert json.loads(document) == {"message": text}
