"""What the parameters make of a descriptor is a descriptor again: one group or resource, with properties laid over."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.config.load import load
from gds.ocf.asked import ARGS, INSTALLED, Failure
from gds.ocf.chosen import SETTABLE, _toml, text_of

SHOP = """
[group.store]
[group.shop]
nodelist = ["n1", "n2"]
rg_dependencies = ["store"]
rg_affinities = ["+store"]
[resource.pg]
group = "store"
start_command = ["postgres", "-D", "/var/lib/pg"]
[resource.app]
group = "shop"
start_command = "exec app"
resource_dependencies = ["pg{LOCAL_NODE}", "cache"]
environment = {A = "1", "B" = "two"}
[resource.cache]
group = "shop"
start_command = "exec cache"
resource_dependencies_weak = "pg, app2"
[resource.app2]
start_command = "exec app2"
Stop_timeout = 9
"""


def chosen(tmp_path: Path, name: str = "", **properties: str) -> dict[str, Any]:
    """The tables that a runner would read."""
    (tmp_path / "shop.toml").write_text(SHOP)
    return tomllib.loads(text_of(str(tmp_path / "shop.toml"), name, properties))


def test_a_group_is_its_members_without_what_leads_out_of_it(tmp_path: Path) -> None:
    found = chosen(tmp_path, "shop")
    assert found["group"] == {"shop": {"nodelist": ["n1", "n2"]}}
    assert list(found["resource"]) == ["app", "cache"]
    assert found["resource"]["app"]["resource_dependencies"] == ["cache"]
    assert found["resource"]["app"]["environment"] == {"A": "1", "B": "two"}
    assert found["resource"]["cache"]["resource_dependencies_weak"] == []


def test_one_resource_is_chosen_by_its_name_and_its_group_comes_along(tmp_path: Path) -> None:
    found = chosen(tmp_path, "pg")
    assert list(found["resource"]) == ["pg"]
    assert list(found["group"]) == ["store"]


def test_a_property_is_laid_over_in_the_type_that_it_has(tmp_path: Path) -> None:
    found = chosen(
        tmp_path, "app2", retry_count="5", stop_timeout="2.5", retry_interval="5m", network_aware="true", user="www"
    )
    assert found["resource"]["app2"] == {
        "start_command": "exec app2",
        "retry_count": 5,
        "stop_timeout": 2.5,
        "retry_interval": "5m",
        "network_aware": True,
        "user": "www",
    }


def test_what_comes_out_compiles(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(SHOP)
    made = tmp_path / "chosen.toml"
    made.write_text(text_of(str(tmp_path / "shop.toml"), "shop", {}))
    loaded = load([str(made)], can_abort=False, look=False)
    assert loaded.plan is not None, loaded.problems
    assert [r.name for r in loaded.plan.resources] == ["app", "cache"]


def test_the_shortest_descriptor_is_named_after_its_file(tmp_path: Path) -> None:
    (tmp_path / "web.toml").write_text('start_command = "exec web"\n')
    found = tomllib.loads(text_of(str(tmp_path / "web.toml"), "web", {"retry_count": "1"}))
    assert found["resource"] == {"web": {"start_command": "exec web", "retry_count": 1}}


def test_a_directory_is_all_of_its_files(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.toml").write_text('start_command = "exec x"\n')
    (tmp_path / "notes.txt").write_text("not a descriptor")
    assert list(tomllib.loads(text_of(str(tmp_path), "", {}))["resource"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "properties", "said"),
    [
        ("nobody", {}, "cannot find nobody in"),
        ("", {"retry_count": "1"}, "has 4 resources, and these parameters are properties of one"),
        ("pg", {"retry_cuont": "1"}, "cannot use the parameter retry_cuont: there is no such one; did you mean retry_"),
        ("pg", {"group": "x"}, "cannot use the parameter group"),
    ],
)
def test_what_cannot_be_chosen_is_told(tmp_path: Path, name: str, properties: dict[str, str], said: str) -> None:
    with pytest.raises(Failure) as failure:
        chosen(tmp_path, name, **properties)
    assert failure.value.code == ARGS
    assert said in str(failure.value)


def test_a_file_that_is_not_there_or_not_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot read") as failure:
        text_of(str(tmp_path / "none.toml"), "a", {})
    assert failure.value.code == INSTALLED
    (tmp_path / "bad.toml").write_text("[resource")
    with pytest.raises(Failure, match="cannot read") as failure:
        text_of(str(tmp_path / "bad.toml"), "a", {})
    assert failure.value.code == ARGS
    (tmp_path / "odd.toml").write_text("resource = 3")
    with pytest.raises(Failure, match="resource must be tables"):
        text_of(str(tmp_path / "odd.toml"), "a", {})
    (tmp_path / "date.toml").write_text("start_command = 1979-05-27")
    with pytest.raises(Failure, match="no property has a date"):
        text_of(str(tmp_path / "date.toml"), "", {})


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES.filter(lambda value: "\\ud" not in ascii(value)))
def test_every_value_that_toml_can_hold_is_read_back_as_it_was(value: object) -> None:
    assert tomllib.loads(f"v = {_toml(value)}")["v"] == value


def test_the_parameters_are_properties_that_one_word_can_carry() -> None:
    assert {"retry_count", "start_timeout", "failover_mode", "start_command", "user"} <= set(SETTABLE)
    assert not {"environment", "resource_dependencies", "port_list", "enabled", "hostnamelist"} & set(SETTABLE)
