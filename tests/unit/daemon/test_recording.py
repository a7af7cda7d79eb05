"""What the drivers did can be played again: every scenario goes through the real drivers, which record it; the record
is exported, read back and replayed by `gds simulate`'s judges, and the decisions are the same, to the letter.

The scenarios hold every kind of thing that happens: deaths, probes with scores, timeouts, starts and stops that fail,
acts of persons, giveovers granted and refused, delays, what is cleared, what is not monitored.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gds.config.recorded import Exported, export, left_out
from gds.config.scenario import read_scenario
from gds.daemon.keeping import Keeping
from gds.daemon.recording import BETWEEN
from gds.fault.score import Outcome
from gds.linux import clock, jsonline
from gds.model.resource import Command, ExitMap, Port, Probe
from gds.model.state import ResourceStatus
from gds.rgm.resource import Life
from gds.script import first_difference
from gds.simulate import simulate
from tests.scenarios import script
from tests.unit.daemon.test_simulate_agrees import PLAYED, Both, refusal
from tests.unit.daemon.world import PROBED, WEB, Here, ends

if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.daemon.app import App


class Kept:
    """Where the drivers of a test keep what they do: records as they would come out of the store."""

    def __init__(self, here: Here) -> None:
        self._records: list[dict[str, object] | Callable[[], dict[str, object]]] = []
        here.rgmd.kept = Keeping(here.loop, self, self, lambda: clock.rfc3339(here.loop.now()), lambda *_of: None)

    def note(self, record: dict[str, object]) -> None:
        """What survives the runner is not of interest here."""

    def add(self, record: dict[str, object] | Callable[[], dict[str, object]]) -> None:
        """The history."""
        self._records.append(record)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Oldest first."""
        made: list[dict[str, Any]] = []
        for each in self._records:
            record = json.loads(jsonline.dump(each() if callable(each) else each))
            made.append({"at": clock.rfc3339(record["monotonic"]), "boot": "b", **record})
        return made

    def exported(self) -> Exported:
        """The scenario of all of it."""
        made = export(self.records, "a test")
        assert made is not None
        return made


class Recorded(Both):
    """The scenario through the drivers, recorded; with the receptionist's part of a giveover."""

    def asked(self, app: App, act: str) -> None:
        refused = act == "giveover" and app.view.life is Life.ONLINE and refusal(self.here.rgmd, app)
        super().asked(app, act)
        if refused:
            self.here.rgmd.kept.decided(app, "giveover refused", refused)


def replayed(made: Exported, here: Here) -> None:
    """The same decisions, and at the end everything stands as it does in the drivers."""
    transcript = simulate(made.scenario.plan, made.scenario.script)
    assert first_difference(made.scenario.decided, transcript.decisions) is None
    for standing in transcript.after:
        app = here.app(standing.name)
        assert (standing.state, standing.status) == (here.state(standing.name), app.view.status)
        assert standing.because == app.view.why


@pytest.mark.parametrize("name", PLAYED)
def test_a_record_of_a_scenario_is_replayed_to_the_same_decisions(name: str) -> None:
    scenario = read_scenario(str(script(name)), None)
    both = Recorded(scenario)
    kept = Kept(both.here)
    both.play(simulate(scenario.plan, scenario.script).at)
    made = kept.exported()
    assert made.scenario.decided
    replayed(made, both.here)
    both.here.close()


def test_a_decision_that_is_not_the_same_is_found() -> None:
    scenario = read_scenario(str(script("fm-6-worked-example")), None)
    both = Recorded(scenario)
    kept = Kept(both.here)
    both.play(simulate(scenario.plan, scenario.script).at)
    made = kept.exported()
    (resource,) = made.scenario.plan.resources
    other = made.scenario.plan.replace(resources=(resource.replace(retry_count=resource.retry_count + 1),))
    away = first_difference(made.scenario.decided, simulate(other, made.scenario.script).decisions)
    assert away is not None
    assert away.expected is not None
    assert away.made is not None
    assert f"of {resource.retry_count} within" in away.expected.because
    assert f"of {resource.retry_count + 1} within" in away.made.because
    both.here.close()


def test_probes_that_find_all_well_are_only_counted() -> None:
    here = Here(PROBED)
    kept = Kept(here)
    here.up()
    before = len(kept.records)
    here.run(60.0 * 1000)
    assert len(kept.records) == before
    here.tree().end_all(9)
    here.run(1.0)
    (death,) = [r for r in kept.records if r.get("fact") == "judge"]
    assert death["well"] == 1000
    replayed(kept.exported(), here)
    here.close()


def test_a_long_record_can_be_played_without_its_beginning() -> None:
    here = Here(PROBED.replace(thorough_probe_interval=10.0))
    kept = Kept(here)
    here.up()
    here.forest.programs["ask-web"] = ends(1)
    here.run(10.0 * BETWEEN * 3)
    records = kept.records
    again = [n for n, r in enumerate(records) if r.get("again")]
    assert len(again) >= 2
    made = export(records[again[0] - 3 :], "without its beginning")
    assert made is not None
    assert "older facts are not here" in made.notes[0]
    replayed(made, here)
    here.forest.programs["ask-web"] = ends(0)
    here.close()


def test_a_change_of_properties_begins_anew() -> None:
    here = Here(PROBED)
    kept = Kept(here)
    here.up()
    here.tree().end_all(9)
    here.run(1.0)
    here.app().resource = PROBED.replace(retry_count=7)
    here.tree().end_all(9)
    here.run(1.0)
    made = kept.exported()
    assert ["other properties" in note for note in made.notes] == [True]
    assert made.scenario.plan.resources[0].retry_count == 7
    assert "restart 2 of 7" in made.text
    assert "restart 1 of 2" not in made.text.partition("[[decided]]")[2]
    replayed(made, here)
    here.close()


def test_a_probe_that_cannot_be_run_and_a_monitor_that_fails() -> None:
    here = Here(PROBED.replace(probe_command=None, port_list=(Port(80),), network_aware=True, monitor_retry_count=1))
    kept = Kept(here)
    here.up()
    here.prober.answers.extend([Outcome("unable", 0, "no descriptor is left")] * 2)
    here.run(130.0)
    assert here.state().value == "MONITOR_FAILED"
    replayed(kept.exported(), here)
    here.rgmd.clear(here.app())
    here.run(1.0)
    assert here.state().value == "ONLINE"
    replayed(kept.exported(), here)
    here.close()


def test_what_was_cleared_is_replayed_with_its_reason() -> None:
    unmanaged = PROBED.replace(pmf_managed=False, stop_command=Command(("stop-web",)))
    here = Here(unmanaged, web=ends(0, 1.0), stop_web=ends(1))
    kept = Kept(here)
    here.up_later(2.0)
    here.rgmd.stop(here.app(), "stop asked by root")
    here.run(1.0)
    assert here.state().value == "STOP_FAILED"
    assert here.rgmd.clear(here.app(), "clear asked by root") == ""
    here.run(1.0)
    made = kept.exported()
    assert made.scenario.decided[-1].because == "clear asked by root"
    replayed(made, here)
    here.close()


def test_a_status_that_was_told_is_replayed() -> None:
    here = Here(PROBED)
    kept = Kept(here)
    here.up()
    here.rgmd.told_status(here.app(), ResourceStatus.DEGRADED, "slow today")
    here.run(200.0)
    here.tree().end_all(9)
    here.run(1.0)
    replayed(kept.exported(), here)
    here.close()


@pytest.mark.parametrize(
    "said", ["tab\t and bell\a", "back\\slash \\x and \\u", 'quote " and \x7f', "ümläut — 日本", "\ud800", "a\nb"]
)
def test_whatever_a_probe_says_is_told_and_replayed(said: str) -> None:
    here = Here(PROBED.replace(probe_command=None, probe=Probe("tcp", "80", "127.0.0.1", 80)))
    kept = Kept(here)
    here.up()
    here.prober.answers.extend([Outcome("error", 0, said)] * 2)
    here.run(130.0)
    made = kept.exported()
    transcript = simulate(made.scenario.plan, made.scenario.script)
    assert len(made.scenario.decided) > 4
    assert first_difference(made.scenario.decided, transcript.decisions) is None
    here.close()


def test_nothing_that_is_nobodys_business_is_exported() -> None:
    secret = "hunter2"
    resource = PROBED.replace(
        start_command=Command(("web", "--password", secret)),
        probe_command=Command(("/bin/sh", "-c", f"ask-web -p {secret}"), f"ask-web -p {secret}"),
        environment=(("PASSWORD", secret),),
        description=secret,
        user="",
    )
    here = Here(resource)
    here.forest.programs[resource.start_command.shown] = ends(1)
    kept = Kept(here)
    here.up_later(400.0)
    assert secret not in kept.exported().text
    assert secret not in json.dumps([r for r in kept.records if "environment" in json.dumps(r)])
    here.close()


PROPERTIES = [
    WEB.replace(retry_count=-1, retry_interval=12.5, restart_delay=1.0, restart_delay_max=9.0),
    WEB.replace(failover_enabled=False, child_mon_level=1, group="shop"),
    PROBED.replace(exit_map=ExitMap(((0, 0), (1, 50)), 201)),
    WEB.replace(
        probe=Probe("http", "http://[::1]:8080/x?token=1", "::1", 8080, "/x", expect=((200, 204),), status_score=7)
    ),
    WEB.replace(probe=Probe("notify", "notify", interval=3.0, timeout_score=9), ready="notify"),
    WEB.replace(probe=Probe("unix", "/run/x.sock", path="/run/x.sock", error_score=1)),
    WEB.replace(port_list=(Port(80), Port(53, "udp")), network_aware=True),
    WEB.replace(port_list=(Port(80),), network_aware=False),
    WEB.replace(pmf_managed=False, stop_command=Command(("stop-web",)), probe_command=Command(("ask-web",))),
]


@pytest.mark.parametrize("resource", PROPERTIES, ids=range(len(PROPERTIES)))
def test_the_properties_that_a_judge_looks_at_come_back(resource: Any) -> None:
    here = Here(resource, web=ends(0) if not resource.pmf_managed else ends(0, 1e6))
    kept = Kept(here)
    here.rgmd.start(here.app(), "start asked by root")
    (back,) = kept.exported().scenario.plan.resources
    looked_at = (
        *("retry_count", "retry_interval", "restart_delay", "restart_delay_max", "failover_enabled", "failover_mode"),
        *("child_mon_level", "group", "exit_map", "ready", "port_list", "network_aware", "pmf_managed", "has_probe"),
        *("is_told", "wants_notify", "watchdog_interval", "tcp_ports"),
    )
    assert {k: getattr(back, k) for k in looked_at} == {k: getattr(resource, k) for k in looked_at}
    if resource.probe is not None:
        same = ("kind", "interval", "refused_score", "timeout_score", "disconnect_score", "status_score", "error_score")
        assert {k: getattr(back.probe, k) for k in same} == {k: getattr(resource.probe, k) for k in same}
    here.run(1.0)
    here.close()


def test_there_is_nothing_to_export_of_nothing() -> None:
    assert export([], "nothing") is None
    decided = {"at": "2026-01-01T00:00:00Z", "boot": "b", "monotonic": 1.0, "resource": "web", "group": "web"}
    assert export([{**decided, "event": "ONLINE", "because": ""}], "no fact") is None


def test_a_resource_of_a_registered_type_is_left_out_by_name_and_the_others_are_replayed() -> None:
    smpl = WEB.replace(name="smpl", group="smpl", start_command=Command(("/bin/true",)))
    smpl = smpl.replace(type="SUNW.smpl:1.0", pmf_managed=False, stop_command=Command(("/bin/true",)))
    here = Here(WEB, smpl)
    here.forest.programs["/bin/true"] = ends(0)
    kept = Kept(here)
    for name in ("web", "smpl"):
        here.up(name)
    (said,) = left_out(kept.records)
    assert said.startswith("smpl is left out: its type, SUNW.smpl:1.0, is a registered one")
    made = kept.exported()
    assert [each.name for each in made.scenario.plan.resources] == ["web"]
    assert made.scenario.decided
    assert made.notes == []
    replayed(made, here)
    assert export([each for each in kept.records if each["resource"] == "smpl"], "nothing but that") is None
    here.close()
