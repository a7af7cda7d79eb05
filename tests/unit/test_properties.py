"""One table of properties: it and the model's fields are the same set, and everything in it is told truly."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from gds.config.compile import compile_plan
from gds.config.declared import Declared
from gds.config.document import GROUP_TABLE, RESOURCE_TABLE
from gds.config.explain import shown_default
from gds.config.places import FREE, PATHS, WORDS
from gds.model.glossary import GLOSSARY, GROUP_STATE, RESOURCE_STATE, STATUS
from gds.model.properties import (
    ETCD,
    GROUP,
    KINDS,
    RESOURCE,
    SETTINGS,
    TUNABLE_HELP,
    Property,
    Tunable,
    by_name,
    default_of,
)
from gds.model.resource import Group, Resource
from gds.model.settings import Settings
from gds.model.state import FailoverMode, GroupState, ResourceState, ResourceStatus
from gds.model.value import defaults_of, fields_of

ALL = [*RESOURCE, *GROUP, *SETTINGS]
DESIGN = """
start_command stop_command probe_command validate_command init_command boot_command fini_command prenet_start_command
postnet_stop_command monitor_check_command update_command port_list network_aware child_mon_level stop_signal
failover_enabled failover_mode pmf_managed log_level probe_timeout start_timeout stop_timeout validate_timeout
init_timeout boot_timeout fini_timeout prenet_start_timeout postnet_stop_timeout monitor_check_timeout update_timeout
retry_count retry_interval thorough_probe_interval num_probe_timeouts monitor_retry_count monitor_retry_interval
resource_dependencies resource_dependencies_weak resource_dependencies_restart resource_dependencies_offline_restart
network_resources_used scalable load_balancing_policy load_balancing_weights group type description enabled monitored
probe exit_map start_grace restart_delay restart_delay_max user group_name supplementary_groups working_directory umask
environment environment_files pass_environment limits nice oom_score_adjust stdout stderr ready
"""
DESIGN_OF_GROUPS = """
nodelist rg_mode maximum_primaries desired_primaries failback pingpong_interval rg_dependencies rg_affinities
implicit_network_dependencies auto_start_on_new_cluster description
"""


def test_supported_properties_are_the_fields_of_a_resource_in_their_order() -> None:
    fields = [f for f in fields_of(Resource) if f not in ("name", "typed")]
    supported = [p.name for p in RESOURCE if p.supported]
    assert supported == fields


def test_supported_settings_are_the_fields_of_settings() -> None:
    assert [p.name for p in SETTINGS if p.supported] == list(fields_of(Settings))


def test_supported_keys_of_a_group_are_its_fields() -> None:
    assert {p.name for p in GROUP if p.supported} == set(fields_of(Group)) - {"name", "resources"}


def test_every_key_of_the_design_is_known() -> None:
    assert set(DESIGN.split()) <= set(by_name(RESOURCE))
    assert set(DESIGN_OF_GROUPS.split()) == set(by_name(GROUP))


@pytest.mark.parametrize("table", [RESOURCE, GROUP, SETTINGS], ids=["resource", "group", "settings"])
def test_names_stand_once(table: tuple[Property, ...]) -> None:
    assert len(by_name(table)) == len(table)


@pytest.mark.parametrize("prop", ALL, ids=[f"{p.name}" for p in ALL])
def test_a_property_is_told_in_full(prop: Property) -> None:
    assert prop.help.endswith(".")
    assert prop.kind in KINDS or prop.kind == "table"
    assert prop.tunable in TUNABLE_HELP
    assert prop.name == prop.name.lower()
    assert not prop.sun or prop.sun[0].isupper()
    if prop.minimum is not None and prop.maximum is not None:
        assert prop.minimum < prop.maximum
    if prop.supported:
        assert prop.example


EXAMPLES = [p for p in (*RESOURCE, *GROUP) if p.example]


@pytest.mark.parametrize("prop", EXAMPLES, ids=[p.name for p in EXAMPLES])
def test_an_example_is_accepted(prop: Property) -> None:
    values = tomllib.loads(f"{prop.name} = {prop.example}")
    table = GROUP_TABLE if prop in GROUP else RESOURCE_TABLE
    assert prop.name in table.validate_python(values)


@pytest.mark.parametrize("prop", SETTINGS, ids=[p.name for p in SETTINGS])
def test_the_light_words_of_settings_are_those_of_the_table(prop: Property) -> None:
    assert WORDS.get(prop.name, ()) == prop.words
    assert (prop.name in FREE) <= (prop.supported and not prop.words)
    assert (prop.name in PATHS) == (prop.kind == "path")


@pytest.mark.parametrize("prop", ETCD, ids=[p.name for p in ETCD])
def test_the_light_paths_of_etcd_are_those_of_the_table(prop: Property) -> None:
    assert (f"etcd_{prop.name}" in PATHS) == (prop.kind == "path")


def test_defaults_are_read_from_the_model() -> None:
    keys = by_name(RESOURCE)
    assert default_of(keys["retry_count"]) == 2
    assert default_of(keys["start_command"]) is None
    assert default_of(keys["init_command"]) is None
    assert default_of(by_name(SETTINGS)["on_giveover"]) == "auto"
    assert default_of(by_name(GROUP)["description"]) == ""
    assert default_of(by_name(GROUP)["nodelist"]) == ()
    assert default_of(Property("nobody's", "string", "Of no table.")) is None


SHOWN: list[tuple[str, str]] = [
    ("retry_interval", "370 s"),
    ("retry_count", "2"),
    ("stop_signal", "15 (SIGTERM)"),
    ("network_aware", "true when port_list is given"),
    ("umask", "the runner's"),
    ("stdout", '"inherit"'),
    ("failover_mode", '"SOFT"'),
    ("port_list", "none"),
    ("user", "none"),
    ("group", "the name of the resource"),
    ("ready", '"probe"'),
]


@pytest.mark.parametrize(("name", "expected"), SHOWN, ids=[s[0] for s in SHOWN])
def test_a_default_is_shown_as_one_would_write_it(name: str, expected: str) -> None:
    prop = by_name(RESOURCE)[name]
    default: Any = default_of(prop)
    assert shown_default(prop, default) == expected


@pytest.mark.parametrize("prop", [p for p in RESOURCE if p.supported], ids=[p.name for p in RESOURCE if p.supported])
def test_a_default_is_within_its_own_bounds(prop: Property) -> None:
    default = default_of(prop)
    if prop.minimum is not None and isinstance(default, (int, float)):
        assert default >= prop.minimum
    if prop.words and default is not None:
        assert default in prop.words
    assert defaults_of(Resource).get(prop.name) == default


def test_every_state_status_and_mode_is_explained() -> None:
    told = {(e.topic, e.word) for e in GLOSSARY}
    assert {w for t, w in told if t == RESOURCE_STATE} == set(ResourceState)
    assert {w for t, w in told if t == GROUP_STATE} == set(GroupState)
    assert {w for t, w in told if t == STATUS} == set(ResourceStatus)
    assert set(FailoverMode) <= {w for _, w in told}
    assert {t.value for t in Tunable if t is not Tunable.NONE} <= {w for _, w in told}
    assert {str(code) for code in (0, 1, 2, 3, 4, 75, 77, 78)} <= {w for _, w in told}


def test_an_empty_declaration_is_an_empty_plan() -> None:
    compiled = compile_plan((), {})
    assert (compiled.plan.resources, compiled.plan.groups, compiled.faults) == ((), (), ())


def test_a_table_whose_key_was_refused_is_not_in_the_plan() -> None:
    broken = Declared("a", "a.toml", ("resource", "a"), {}, broken=frozenset({"start_command"}))
    compiled = compile_plan((broken,), {})
    assert (compiled.plan.resources, compiled.faults, compiled.sound) == ((), (), ())
