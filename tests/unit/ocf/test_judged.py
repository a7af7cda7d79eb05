"""From what a runner says of itself to the code that Pacemaker understands (engines.md 3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from gds.ocf.agent import judged, main
from gds.ocf.asked import CONFIGURED, DEGRADED, GENERIC, INSTALLED, NOT_RUNNING, SUCCESS, UNIMPLEMENTED, Asked, Failure
from gds.ocf.attendant import by_parameters


def status(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The document of a runner with these resources; each is online and fine but for what is given."""
    fine = {
        "state": "ONLINE",
        "status": "OK",
        "status_msg": "",
        "enabled": True,
        "restarts": {"done": 0, "limit": 2, "interval_seconds": 60.0},
        "because": "it is so",
        "probe": None,
    }
    made = [{"name": f"r{n}", **fine, **each} for n, each in enumerate(resources)]
    return {"groups": [{"name": "g", "resources": made}], **more}


def restarts(done: int, limit: int) -> dict[str, Any]:
    return {"restarts": {"done": done, "limit": limit, "interval_seconds": 60.0}}


@pytest.mark.parametrize(
    ("resources", "code"),
    [
        ([{}], SUCCESS),
        ([{"state": "ONLINE_NOT_MONITORED"}], SUCCESS),
        ([restarts(1, 2)], SUCCESS),
        ([{"state": "STARTING", **restarts(1, 2)}], SUCCESS),
        ([{"state": "STOPPING"}], SUCCESS),
        ([{}, {"state": "OFFLINE", "enabled": False}], SUCCESS),
        ([restarts(0, 0)], SUCCESS),
        ([restarts(7, -1)], SUCCESS),
        ([restarts(2, 2)], DEGRADED),
        ([{"status": "DEGRADED"}], DEGRADED),
        ([{"state": "MONITOR_FAILED"}], DEGRADED),
        ([{}, {"state": "OFFLINE"}], DEGRADED),
        ([{"state": "OFFLINE"}], NOT_RUNNING),
        ([{"state": "OFFLINE", "enabled": False}], NOT_RUNNING),
        ([], NOT_RUNNING),
        ([{"state": "START_FAILED"}], GENERIC),
        ([{}, {"state": "STOP_FAILED"}], GENERIC),
        ([{"status": "FAULTED"}], GENERIC),
        ([{"state": "OFFLINE", "status": "FAULTED"}, {}], DEGRADED),
    ],
)
def test_what_monitor_answers(resources: list[dict[str, Any]], code: int) -> None:
    found, because = judged(status(*resources))
    assert found == code
    assert bool(because) is (code in (DEGRADED, GENERIC))


def test_a_runner_that_leaves_is_no_longer_running() -> None:
    assert judged(status({}, stopping=True))[0] == GENERIC


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({}, CONFIGURED),
        ({"OCF_RESKEY_config": "web.toml"}, CONFIGURED),
        ({"OCF_RESKEY_config": "/x/web.toml", "OCF_RESKEY_runtime_dir": "run"}, CONFIGURED),
    ],
)
def test_parameters_that_no_node_could_use(environ: dict[str, str], code: int) -> None:
    with pytest.raises(Failure, match="cannot") as failure:
        Asked(environ).check()
    assert failure.value.code == code


def test_a_descriptor_that_only_this_node_lacks() -> None:
    asked = Asked({"OCF_RESKEY_config": "/nowhere/web.toml"})
    asked.check()
    with pytest.raises(Failure, match=r"cannot find /nowhere/web\.toml on this node") as failure:
        asked.check_here()
    assert failure.value.code == INSTALLED


def test_what_the_environment_says() -> None:
    asked = Asked(
        {
            "OCF_RESOURCE_INSTANCE": "web",
            "OCF_RESKEY_config": "/etc/gds/web.toml",
            "OCF_RESKEY_retry_count": "3",
            "OCF_RESKEY_crm_feature_set": "3.16.2",
            "OCF_RESKEY_CRM_meta_timeout": "20000",
            "OCF_RESKEY_CRM_meta_interval": "10000",
            "OCF_RESKEY_CRM_meta_on_node": "n1",
            "OCF_CHECK_LEVEL": "10",
        }
    )
    assert (asked.runtime_dir, asked.state_dir) == ("/run/gds/ocf-web", "/var/lib/gds/ocf-web")
    assert (asked.timeout, asked.is_probe, asked.node, asked.level) == (20.0, False, "n1", 10)
    assert asked.properties == {"retry_count": "3"}
    assert Asked({}).is_probe
    assert Asked({"OCF_RESKEY_CRM_meta_timeout": "soon"}).timeout == 300.0


def test_a_copy_of_a_clone_is_at_home_in_the_same_place_whatever_its_number() -> None:
    assert Asked({"OCF_RESOURCE_INSTANCE": "web:1"}).runtime_dir == "/run/gds/ocf-web"
    unique = {"OCF_RESOURCE_INSTANCE": "web:1", "OCF_RESKEY_CRM_meta_globally_unique": "true"}
    assert Asked(unique).runtime_dir == "/run/gds/ocf-web:1"


def test_an_action_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["promote"]) == UNIMPLEMENTED
    assert "cannot promote" in capsys.readouterr().err
    assert main([]) == UNIMPLEMENTED
    assert main(["--help"]) == SUCCESS


def test_what_is_wrong_with_a_parameter_is_said_of_the_parameter() -> None:
    asked = Asked({"OCF_RESKEY_config": "/etc/gds/web.toml", "OCF_RESKEY_retry_count": "many"})
    made = "/tmp/gds-ocf-x/web.toml"
    said = (
        f'{made}:7:17: resource.web.retry_count: expected a whole number, not "many"\n'
        f"{made}:3:1: resource.web.start_comand: unknown key\n"
        f"{made}: nothing is declared\n"
        f"gds: cannot use {made}: 3 errors"
    )
    assert by_parameters(said, made, asked).split("\n") == [
        'parameter retry_count: expected a whole number, not "many"',
        "/etc/gds/web.toml: resource.web.start_comand: unknown key",
        "/etc/gds/web.toml: nothing is declared",
        "gds: cannot use /etc/gds/web.toml: 3 errors",
    ]
