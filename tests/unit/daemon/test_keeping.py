"""A record gives an App back what it was made of, and nothing that makes no sense."""

from __future__ import annotations

import pytest

from gds.daemon.app import App
from gds.daemon.keeping import recall, record_of
from gds.fault.history import MonitorState
from gds.model.resource import Command, Resource
from gds.model.window import Mark, Window
from gds.rgm.resource import Life

WEB = Resource("web", Command(("web",)), group="web")


def test_what_was_kept_is_recalled() -> None:
    before = App(WEB)
    before.incarnation = 7
    before.wanted = False
    before.online_since_wall = 1e9
    before.history = MonitorState(Window((Mark(1.0, 50), Mark(3.0, 20))), Window((Mark(2.0, 1),)), 2)
    before.view = before.view.replace(life=Life.STARTING, last_try=True)
    after = App(WEB)
    assert recall(after, record_of(before), 10.0) is Life.STARTING
    assert (after.incarnation, after.wanted, after.online_since_wall) == (7, False, 1e9)
    assert after.history == before.history
    assert after.view.last_try


@pytest.mark.parametrize("told", [{}, {"last_try": False}, {"last_try": "yes"}, {"last_try": 1}])
def test_a_last_try_is_one_only_when_the_record_says_so(told: dict[str, object]) -> None:
    app = App(WEB)
    recall(app, {"life": "STARTING", **told}, 10.0)
    assert not app.view.last_try


@pytest.mark.parametrize("told", [{"life": "FLYING"}, {"incarnation": "many"}, {"scores": [[1.0]]}, {"restarts": 5}])
def test_a_record_that_makes_no_sense_is_not_believed(told: dict[str, object]) -> None:
    assert recall(App(WEB), {"life": "ONLINE", **told}, 10.0) is Life.OFFLINE


def test_what_lies_in_the_future_is_of_another_clock() -> None:
    app = App(WEB)
    recall(app, {"life": "ONLINE", "restarts": [5.0, 50.0]}, 10.0)
    assert app.history.restarts == Window((Mark(5.0, 1),))
