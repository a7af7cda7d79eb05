"""Meta-data: by default what the DTD of OCF 1.0 allows, on request what 1.1 adds; from the one table of properties."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from gds.model.properties import RESOURCE, Tunable, by_name
from gds.ocf.agent import ACTIONS
from gds.ocf.chosen import SETTABLE
from gds.ocf.metadata import document

OWN = ["config", "resource", "runtime_dir", "state_dir", "revision"]


@pytest.mark.parametrize("newer", [False, True])
def test_every_parameter_is_there_once_with_words_about_it(newer: bool) -> None:
    root = ET.fromstring(document(newer))
    parameters = root.findall("parameters/parameter")
    assert [p.get("name") for p in parameters] == [*OWN, *SETTABLE]
    for each in parameters:
        assert (each.findtext("longdesc") or "").strip()
        assert (each.findtext("shortdesc") or "").strip()
    assert [p.get("name") for p in parameters if p.get("required") == "1"] == ["config"]


@pytest.mark.parametrize("newer", [False, True])
def test_every_action_that_is_told_is_one_that_the_agent_has(newer: bool) -> None:
    actions = ET.fromstring(document(newer)).findall("actions/action")
    names = {str(a.get("name")) for a in actions}
    assert names <= set(ACTIONS)
    assert {"start", "stop", "monitor", "validate-all", "meta-data"} <= names
    assert ("reload-agent" in names) is newer
    assert all(str(a.get("timeout")).endswith("s") for a in actions)
    assert [a.get("depth") for a in actions if a.get("name") == "monitor"] == ["0", "10"]


def test_the_old_form_has_nothing_that_its_dtd_does_not_know() -> None:
    text = document(False)
    assert "<!DOCTYPE resource-agent SYSTEM" in text
    assert ET.fromstring(text).findtext("version") == "1.0"
    allowed = {"name", "required", "unique"}
    for each in ET.fromstring(text).iter("parameter"):
        assert set(each.attrib) <= allowed
    assert {c.get("type") for c in ET.fromstring(text).iter("content")} <= {"string", "integer", "boolean"}


def test_the_new_form_says_what_a_running_application_takes_without_a_restart() -> None:
    root = ET.fromstring(document(True))
    assert root.findtext("version") == "1.1"
    table = by_name(RESOURCE)
    for each in root.iter("parameter"):
        name = str(each.get("name"))
        if name in table:
            assert (each.get("reloadable") == "1") is (table[name].tunable is Tunable.ANYTIME), name
    reloadable = [p.get("name") for p in root.iter("parameter") if p.get("reloadable") == "1"]
    assert "revision" in reloadable
    assert "retry_count" in reloadable
    assert "start_command" not in reloadable
    mode = next(p for p in root.iter("parameter") if p.get("name") == "failover_mode")
    assert "HARD" in [o.get("value") for o in mode.iter("option")]
