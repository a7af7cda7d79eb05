"""Names of resources, groups and nodes. Sun: semantics.md 18."""

from __future__ import annotations

import pytest

from gds.model.names import Nametag, name_fault


@pytest.mark.parametrize("name", ["a", "web", "Web-1_b", "x" * 255])
def test_legal_names(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "a name may not be empty"),
        ("x" * 256, "a name has at most 255 characters, this one 256"),
        ("1web", "a name starts with a letter A-Z or a-z"),
        ("-web", "a name starts with a letter A-Z or a-z"),
        ("über", "a name starts with a letter A-Z or a-z"),
        ("web/1 b", "a name has letters, digits, '-' and '_' only, not ' ' '/'"),
        ("wéb", "a name has letters, digits, '-' and '_' only, not 'é'"),
    ],
)
def test_illegal_names_say_why(name: str, said: str) -> None:
    assert name_fault(name) == said


def test_a_nametag_is_spelled_as_suns() -> None:
    assert str(Nametag("shop", "web")) == "shop,web,0.svc"
    assert str(Nametag("shop", "web", 2, "mon")) == "shop,web,2.mon"
