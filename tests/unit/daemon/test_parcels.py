"""What an upgrade carries of an application and of a nametag: all of it, or a reason why not."""

from __future__ import annotations

import marshal

import pytest

from gds.daemon import appparcel, tagparcel
from gds.daemon.app import App
from gds.daemon.nametag import Spec
from gds.daemon.resuming import understand
from gds.fault.history import MonitorState
from gds.model.resource import Command, Resource
from gds.model.state import ResourceStatus
from gds.model.value import Value, fields_of
from gds.model.window import Mark, Window
from gds.pmf import tag
from gds.rgm.life import Life
from gds.rgm.resource import ResourceView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WINDOW = Window((Mark(1.0, 30), Mark(2.5, 100)))


class Appointment:
    """A timer."""

    when = 42.0

    def cancel(self) -> None:
        """It never comes."""


def full() -> App:
    """An application of which nothing is as it is at first."""
    app = App(Resource("web", Command(("sleep", "1")), group="shop", retry_count=7))
    app.view = ResourceView(
        "web", Life.WAITING, "it died", 3.5, True, True, ResourceStatus.DEGRADED, "so", 4.0, True, True, "db", Life.HELD
    )
    app.wanted = app.enabled = app.monitored = False
    app.incarnation = 9
    app.depths = {12: 0, 13: 1}
    app.history = MonitorState(WINDOW, Window((Mark(2.0),)), 1)
    app.monitor_failures = WINDOW
    app.probe_message = "ill"
    app.delay = Appointment()
    return app


def carried(plain: Any) -> Any:
    """As the next runner reads it."""
    return marshal.loads(marshal.dumps(plain, 4))


def test_all_of_an_application_is_carried_but_what_has_a_reason() -> None:
    app = full()
    again = appparcel.app_of(carried(appparcel.of_app(app, 10.0)))
    assert again.name == "web"
    assert again.resource == app.resource
    for slot in App.__slots__:
        if slot not in appparcel.LEFT:
            assert getattr(again, slot) == getattr(app, slot), slot
    assert set(appparcel.LEFT) <= set(App.__slots__)


def test_instants_are_carried_and_a_probe_under_way_is_due_at_once() -> None:
    app = full()
    assert appparcel.of_app(app, 10.0)["delay"] == 42.0
    assert appparcel.of_app(app, 10.0)["probe"] is None
    app.probe_timer = Appointment()
    assert appparcel.of_app(app, 10.0)["probe"] == 42.0
    app.probing = object()  # type: ignore[assignment]  # whatever asks: only that it asks counts
    assert appparcel.of_app(app, 10.0)["probe"] == 10.0
    app.view = app.view.replace(life=Life.ONLINE)
    assert appparcel.of_app(app, 10.0)["delay"] is None


def test_what_cannot_be_carried_is_said_by_name() -> None:
    class Stranger(Value):
        """Of nobody's."""

    with pytest.raises(TypeError, match="cannot hand over a Stranger"):
        appparcel.pack(Stranger())


def test_dictionaries_with_any_keys_come_back() -> None:
    for each in ({}, {1: 2, "a": (1, None)}, {"x": {"y": b"z"}}):
        assert appparcel.unpack(carried(appparcel.pack(each))) == each


@pytest.mark.parametrize("slot", ["tree", "name", "not_there"])
def test_a_slot_that_this_version_does_not_take_is_refused(slot: str) -> None:
    plain = appparcel.of_app(full(), 10.0)
    plain["slots"][slot] = 1
    with pytest.raises((KeyError, AttributeError)):
        appparcel.app_of(plain)


def parcel() -> dict[str, Any]:
    """What a runner with one application hands over, as far as it is looked at."""
    plain = appparcel.of_app(full(), 10.0)
    return {"apps": ({**plain, "tree": None},), "groups": (), "settings": {"node": "n1"}, "tags": None}


def test_what_the_new_code_does_not_know_is_named_by_it() -> None:
    assert understand(parcel()) == ""
    later = parcel()
    later["apps"][0]["slots"]["view"]["moon"] = "full"
    assert "moon" in understand(later)
    later = parcel()
    later["settings"]["moon"] = "full"
    assert "moon" in understand(later)
    later = parcel()
    later["apps"][0]["slots"]["view"]["life"]["v"] = "DREAMING"
    assert "DREAMING" in understand(later)


def test_a_nametag_is_carried_whole() -> None:
    view = tag.TagView("one", 3, 60.0, True, tag.Life.WAITING, "it died", WINDOW, 5, 7.0, True)
    assert tagparcel.view_of(carried(tagparcel.of_view(view))) == view
    assert set(tagparcel.of_view(view)) == set(fields_of(tag.TagView))
    assert set(tagparcel.SPEC) == set(Spec.__slots__)
    spec = Spec(4, ("sleep", "1"), "/", {"A": "1"})
    spec.serves, spec.monitors = "web", "db"
    plain = carried(tagparcel.of_spec(spec))
    assert plain == {name: getattr(spec, name) for name in tagparcel.SPEC}
    other = Spec(0, (), "", {})
    tagparcel.put_spec(other, plain)
    assert tagparcel.of_spec(other) == tagparcel.of_spec(spec)
    del plain["serves"], plain["monitors"]  # who handed it over did not know of that
    tagparcel.put_spec(other, plain)
    assert (other.serves, other.monitors) == ("", "")
