"""Whatever is in an RTR file: a type, or errors in words with places that exist; never a traceback. What is written is
read back, and whatever a descriptor gives is settled or refused in words."""

from __future__ import annotations

import json
import marshal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gds.config.registry import read_type
from gds.config.rtr import read_rtr
from gds.config.rtrtext import MOST_FAULTS
from gds.config.rtrwrite import write_rtr
from gds.config.typecheck import amend, settle
from gds.model.methodcall import About, validate_call
from gds.model.restype import (
    METHODS,
    PropertyDeclaration,
    PropertyType,
    ResourceType,
    Upgrade,
    UpgradeWhen,
    find_type,
    version_order,
)
from gds.model.sysprops import SYSTEM, Presence
from gds.model.tunable import Tunable
from gds.model.typecodec import pack_settings, pack_type, unpack_settings, unpack_type

SAMPLE = (Path(__file__).parents[1] / "unit" / "config" / "samples" / "lamp.rtr").read_text()
PIECES = st.sampled_from(
    [
        *'{}=;,"#$\\\n\t\0é“”',
        "#$upgrade",
        '#$upgrade_from "1" ANYTIME\n',
        "\r\n",
        '"',
        '\\"',
        "PROPERTY",
        "PROPERTY = Wick;",
        "EXTENSION;",
        "ENUM { A, B };",
        "DEFAULT = ",
        "MIN = -",
        "9" * 5000,
        "{" * 50,
        "}" * 50,
        ";" * 50,
        "=" * 50,
        "Resource_type = x;",
        "Failover = TRUE;",
        "\ufeff",
        "\x1b[31m",
        "a" * 300,
    ]
)


def judged(text: str) -> None:
    """Said in words, at places that exist; a sound one is written and read back."""
    read = read_rtr(text, "x.rtr")
    lines = text.count("\n") + 1
    assert (read.type is None) is bool(read.faults)
    assert len(read.faults) <= MOST_FAULTS + 1
    for fault in (*read.faults, *read.remarks):
        assert fault.message
        assert str(fault).isprintable()
        assert 1 <= fault.line <= lines
        assert 1 <= fault.column <= len(text.split("\n")[fault.line - 1]) + 1
    if read.type is not None:
        assert read_rtr(write_rtr(read.type), "x.rtr").type == read.type


def test_the_sample_is_sound() -> None:
    assert read_rtr(SAMPLE, "lamp.rtr").faults == ()


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_spoiled_file_is_told_in_words(data: st.DataObject) -> None:
    text = SAMPLE
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 40)))
        text = text[:start] + data.draw(st.one_of(st.just(""), PIECES, st.text(max_size=5))) + text[end:]
    judged(text)


@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
@example("")
@example("#$")
@example("{ENUM{")
@example("a={")
def test_any_text_is_told_in_words(text: str) -> None:
    judged(text)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("rtr")
    directory.chmod(0o755)
    return directory / "x.rtr"


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=20).map(lambda b: SAMPLE.encode() + b)))
@settings(max_examples=100, deadline=None)
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfea\0")
def test_any_bytes_are_told_in_words(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o644)
    read, _ = read_type(str(file), 0)
    assert (read.type is None) is bool(read.faults)
    for fault in read.faults:
        assert str(fault).isprintable()


# -- types that are sound

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
ELEMENT = TEXT.map(lambda t: t.replace(",", "")).filter(bool)
VERSIONS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/\\*?,;[]"), min_size=1)
PATHS = TEXT.filter(lambda t: bool(t) and not t.startswith("/"))


@st.composite
def extensions(draw: st.DrawFn, name: str) -> PropertyDeclaration:
    """A property of the type's own, with a default inside its bounds, or without one."""
    kind = draw(st.sampled_from(PropertyType))
    fields: dict[str, Any] = {"description": draw(TEXT), "tunable": draw(st.sampled_from(Tunable))}
    default: Any
    if kind is PropertyType.INT:
        low, high = sorted(draw(st.tuples(st.integers(-9, 99), st.integers(-9, 99))))
        fields |= {"minimum": draw(st.sampled_from([None, low])), "maximum": draw(st.sampled_from([None, high]))}
        default = draw(st.integers(low, high))
    elif kind is PropertyType.BOOLEAN:
        default = draw(st.booleans())
    elif kind is PropertyType.ENUM:
        words = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower))
        fields["enumlist"] = tuple(words)
        default = draw(st.sampled_from(words))
    elif kind is PropertyType.STRING:
        default = draw(TEXT)
        fields |= {"min_length": draw(st.none() | st.integers(0, len(default)))}
        fields |= {"max_length": draw(st.none() | st.integers(len(default), 50))}
    else:
        default = tuple(draw(st.lists(ELEMENT, max_size=3)))
        fields |= {"array_min": draw(st.none() | st.integers(0, len(default)))}
        fields |= {"array_max": draw(st.none() | st.integers(len(default), 9))}
    per_node = draw(st.booleans())
    if not per_node and fields["tunable"] is not Tunable.NONE and draw(st.booleans()):
        default = None
    return PropertyDeclaration(name, kind, extension=True, per_node=per_node, default=default, **fields)


@st.composite
def types(draw: st.DrawFn) -> ResourceType:
    """Any sound type."""
    taken = set(SYSTEM)
    own = draw(st.lists(NAMES.filter(lambda n: n.lower() not in taken), max_size=4, unique_by=str.lower))
    system = [s.declaration for s in SYSTEM.values() if s.presence is not Presence.RGM]
    chosen = draw(st.lists(st.sampled_from(system), max_size=4, unique=True))
    chosen = [each.replace(tunable=draw(st.sampled_from(Tunable))) for each in chosen]
    methods = {"Start": draw(PATHS), "Stop": "/" + draw(TEXT)}
    methods |= draw(st.dictionaries(st.sampled_from(METHODS), PATHS, max_size=4))
    aware = draw(st.booleans())
    froms = draw(st.lists(VERSIONS | st.just(""), max_size=3, unique=True)) if aware else []
    return ResourceType(
        draw(NAMES),
        draw(VERSIONS),
        vendor_id=draw(NAMES | st.just("")),
        rt_description=draw(TEXT),
        api_version=draw(st.integers(1, 7)),
        rt_basedir="/" + draw(TEXT),
        failover=draw(st.booleans()),
        single_instance=draw(st.booleans()),
        proxy=draw(st.booleans()),
        global_zone=draw(st.booleans()),
        init_nodes=draw(st.sampled_from(["RG_PRIMARIES", "RT_INSTALLED_NODES"])),
        pkglist=tuple(draw(st.lists(TEXT.filter(bool), max_size=2))),
        sysdefined_type=draw(st.sampled_from(["NONE", "LOGICAL_HOSTNAME", "SHARED_ADDRESS"])),
        methods=tuple([(method, methods[method]) for method in METHODS if method in methods]),
        upgrade_aware=aware,
        upgrades=tuple([Upgrade(version, draw(st.sampled_from(UpgradeWhen))) for version in froms]),
        declared=(*chosen, *[draw(extensions(name)) for name in own]),
    )


@given(types())
@settings(max_examples=300, deadline=None)
def test_any_type_that_is_written_is_read_back(kind: ResourceType) -> None:
    read = read_rtr(write_rtr(kind, ("made by a test",)), "x.rtr")
    assert [str(fault) for fault in read.faults] == []
    assert read.type == kind
    assert find_type(kind.name, [kind]) == kind
    assert find_type(kind.unversioned.swapcase(), [kind]) == kind


@given(types())
@settings(max_examples=100, deadline=None)
def test_any_type_survives_the_journey_to_the_runner(kind: ResourceType) -> None:
    plain = pack_type(kind)
    assert unpack_type(marshal.loads(marshal.dumps(plain))) == kind
    assert unpack_type(json.loads(json.dumps(plain))) == kind
    given = {each.name: "x" for each in kind.declared if each.default is None and each.type is PropertyType.STRING}
    made = settle(kind, given).settings
    plain_settings = pack_settings(made)
    assert unpack_settings(marshal.loads(marshal.dumps(plain_settings))) == made
    assert unpack_settings(json.loads(json.dumps(plain_settings))) == made


VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.integers(-10, 100),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["8080/tcp", "5m", "WARM", "cold", "true", "3@n1", "LB_STICKY", "a,b"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["n1", "n2", "x", ""]), inner, max_size=2)
    ),
    max_leaves=4,
)
LAMP = read_rtr(SAMPLE, "lamp.rtr").type
assert LAMP is not None
LAMP_KEYS = st.sampled_from(
    [*[each.name for each in LAMP.declared], *SYSTEM, "Brightness{n1}", "wick{n2}", "description", "group", "{", "x{}"]
)


@given(st.dictionaries(LAMP_KEYS | st.text(max_size=6), VALUES, max_size=6), st.booleans(), st.booleans())
@settings(max_examples=400, deadline=None)
def test_whatever_is_given_is_settled_or_refused_in_words(given: dict[str, Any], enabled: bool, as_text: bool) -> None:
    assert LAMP is not None
    least = settle(LAMP, {"port_list": [], "wick": "cotton"})
    for settled in (
        settle(LAMP, {"port_list": [], "wick": "cotton"} | given, ("n1", "n2")),
        amend(LAMP, least.settings, given, enabled=enabled, as_text=as_text),
    ):
        assert bool(settled.faults) is not bool(settled.settings)
        for fault in settled.faults:
            assert fault.message.isprintable()
        words = validate_call(LAMP, About("l", "g"), creating=True, settings=settled.settings)
        assert all("\0" not in word and len(word) < 131_072 for word in words)


NUMBERS = st.lists(st.integers(0, 10**6), min_size=1, max_size=4)


@given(NUMBERS, NUMBERS)
def test_versions_with_dots_are_ordered_as_their_numbers(a: list[int], b: list[int]) -> None:
    one, two = version_order(".".join(map(str, a))), version_order(".".join(map(str, b)))
    assert (one < two, one == two) == (a < b, a == b)
