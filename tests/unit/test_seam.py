"""A verdict as a request to the RGM, and as a status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gds import seam
from gds.fault.verdict import Giveover, Healthy, LeaveAlone, Restart, Watch
from gds.model.state import ResourceStatus
from gds.model.value import Value
from gds.rgm.events import GiveoverAsked, LeftAlone, RestartJudged

if TYPE_CHECKING:
    from gds.fault.verdict import Verdict


@pytest.mark.parametrize(
    ("said", "request_", "status"),
    [
        (Healthy(), None, (ResourceStatus.OK, "")),
        (Watch("why"), None, (ResourceStatus.DEGRADED, "why")),
        (Restart("why", 1, 2, "cause"), RestartJudged("why", 1.5, "cause"), None),
        (Giveover("why"), GiveoverAsked("why"), None),
        (LeaveAlone("why"), LeftAlone("why"), None),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Value) else "",
)
def test_what_a_verdict_asks_for_and_says(
    said: Verdict, request_: Value | None, status: tuple[ResourceStatus, str] | None
) -> None:
    assert seam.request(said, 1.5) == request_
    assert seam.status(said) == status


def test_what_a_monitor_asks_for_is_the_monitors() -> None:
    asked = seam.request(Giveover("why"))
    assert isinstance(asked, GiveoverAsked)
    assert asked.by_monitor
