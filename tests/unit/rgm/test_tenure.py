"""The times of a cluster's nodes: which go together, and what a renewal allows. (That it is safe: tests/property.)"""

from __future__ import annotations

import pytest

from gds.model.settings import EtcdSettings
from gds.rgm.tenure import Tenure, refusal

FINE: list[tuple[str, tuple[float, float, float, float, float]]] = [
    ("default", (10, 2, 1, 2, 0)),
    ("fast", (5, 1, 0.7, 1, 0)),
    ("just enough, whatever floating point makes of it", (6.3, 1.1, 1.3, 0.6, 0.7)),
    ("least margin", (7.0, 2, 1, 0.6, 0)),
]


@pytest.mark.parametrize("numbers", [f[1] for f in FINE], ids=[f[0] for f in FINE])
def test_times_that_go_together(numbers: tuple[float, float, float, float, float]) -> None:
    assert refusal(*numbers) == ""


def test_the_defaults_go_together() -> None:
    e = EtcdSettings()
    assert refusal(e.lifetime, e.renew, e.attempt, e.margin, e.grace) == ""


REFUSED: list[tuple[str, tuple[float, float, float, float, float], str]] = [
    ("no lifetime", (0, 2, 1, 2, 0), "lifetime is 0 s; it must be more than 0"),
    ("no renewal", (10, -1, 1, 2, 0), "renew is -1 s; it must be more than 0"),
    ("no attempt", (10, 2, 0, 2, 0), "attempt is 0 s; it must be more than 0"),
    ("not a number", (float("nan"), 2, 1, 2, 0), "lifetime is nan s; it must be more than 0"),
    ("grace that was before", (10, 2, 1, 2, -0.5), "grace is -0.5 s; it must be 0 or more"),
    (
        "a kill that comes too late",
        (10, 2, 1, 0.5, 0),
        "margin is 0.5 s; to wake up, to kill everything and to remove the addresses takes up to 0.6 s",
    ),
    (
        "an election stops everything",
        (7, 2, 1, 2, 0),
        "renew 2 + an election of etcd's leader 2.2 + one attempt 1 + margin 2 + grace 0 = 7.2 s is more than lifetime "
        "7 s; make lifetime at least 7.2, or the others smaller",
    ),
    (
        "three attempts stop everything",
        (10, 2, 2, 2, 1),
        "renew 2 + 3 attempts of 2 + margin 2 + grace 1 = 11 s is more than lifetime 10 s; make lifetime at least 11, "
        "or the others smaller",
    ),
]


@pytest.mark.parametrize(("numbers", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_times_that_are_refused(numbers: tuple[float, float, float, float, float], said: str) -> None:
    assert refusal(*numbers) == f"cannot keep a node's tenure: {said}"


def test_what_a_renewal_allows() -> None:
    tenure = Tenure(lifetime=10.0, margin=2.0, grace=1.5, sent_at=100.0)
    assert (tenure.until, tenure.stop_at) == (108.0, 106.5)
    assert [tenure.may_run(now) for now in (100.0, 107.9, 108.0)] == [True, True, False]
    assert [tenure.must_stop(now) for now in (106.4, 106.5, 109.0)] == [False, True, True]


def test_an_answer_that_comes_late_takes_nothing_back() -> None:
    tenure = Tenure(lifetime=10.0, margin=2.0, grace=0.0, sent_at=100.0)
    assert tenure.renewed(102.0).until == 110.0
    assert tenure.renewed(102.0).renewed(101.0).until == 110.0


def test_a_candidate_waits_for_the_longer_of_two_lifetimes() -> None:
    tenure = Tenure(lifetime=10.0, margin=2.0, grace=0.0, sent_at=0.0)
    assert tenure.fence_after(100.0) == pytest.approx(110.1)
    assert tenure.fence_after(100.0, theirs=5.0) == pytest.approx(110.1)
    assert tenure.fence_after(100.0, theirs=20.0) == pytest.approx(120.2)
