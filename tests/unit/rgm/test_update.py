"""A change of properties: every tunability in every situation, the order of the methods, refused as a whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.model.methodcall import Setting
from gds.model.resource import Command, Group, Resource
from gds.model.restype import ResourceType
from gds.model.tunable import Tunable
from gds.model.typed import Typed
from gds.rgm.update import (
    CHANGE,
    START,
    STOP,
    UPDATE,
    VALIDATE,
    Refused,
    Situation,
    Step,
    Update,
    of_group,
    of_resource,
)

TOLD = Command(("/bin/true",))
WEB = Resource("web", TOLD, "shop", validate_command=TOLD, update_command=TOLD)
BARE = Resource("web", TOLD, "shop")
SITUATIONS = {
    "online": Situation(online=True, down=False),
    "degraded while disabled is impossible, so: starting": Situation(down=False),
    "stopped by a person": Situation(wanted=False),
    "failed to start": Situation(),
    "disabled": Situation(enabled=False),
    "disabled, not down yet": Situation(enabled=False, down=False),
    "busy": Situation(online=True, down=False, busy="its group is busy: db is STARTING"),
    "stuck": Situation(online=True, down=False, stuck="db could not be stopped"),
}
LIVE, TOLD_LIVE = "Validate change", "Validate change Update"
EXPECTED: dict[tuple[Tunable, str, bool], str] = {
    **{
        (Tunable.ANYTIME, situation, restart): TOLD_LIVE if situation == "online" else LIVE
        for situation in SITUATIONS
        for restart in (False, True)
    },
    **{(Tunable.WHEN_DISABLED, situation, False): "refused: can only be changed while" for situation in SITUATIONS},
    (Tunable.WHEN_DISABLED, "disabled", False): LIVE,
    (Tunable.WHEN_DISABLED, "disabled", True): LIVE,
    (Tunable.WHEN_DISABLED, "disabled, not down yet", False): "Validate Stop change",
    (Tunable.WHEN_DISABLED, "disabled, not down yet", True): "Validate Stop change",
    (Tunable.WHEN_DISABLED, "online", True): "Validate Stop change Start",
    (Tunable.WHEN_DISABLED, "degraded while disabled is impossible, so: starting", True): "Validate Stop change Start",
    (Tunable.WHEN_DISABLED, "stopped by a person", True): LIVE,
    (Tunable.WHEN_DISABLED, "failed to start", True): "Validate change Start",
    **{
        (tunable, situation, restart): f"refused: {how}"
        for tunable, how in ((Tunable.AT_CREATION, "gds reload"), (Tunable.NONE, "can never be changed"))
        for situation in SITUATIONS
        for restart in (False, True)
    },
    **{
        (tunable, situation, restart): f"refused: {how}"
        for tunable in (Tunable.ANYTIME, Tunable.WHEN_DISABLED)
        for situation, how in (("busy", "its group is busy"), ("stuck", "could not be stopped"))
        for restart in (False, True)
    },
}


def test_the_table_is_the_whole_cross_product() -> None:
    assert set(EXPECTED) == set(itertools.product(Tunable, SITUATIONS, (False, True)))


@pytest.mark.parametrize(("tunable", "situation", "restart"), EXPECTED, ids=lambda v: str(v))
def test_every_tunability_in_every_situation(tunable: Tunable, situation: str, restart: bool) -> None:
    after = WEB.replace(retry_count=7)
    ruled = of_resource(WEB, after, ["retry_count"], {"retry_count": tunable}, SITUATIONS[situation], restart)
    expected = EXPECTED[tunable, situation, restart]
    if isinstance(ruled, Refused):
        assert expected.startswith("refused: ")
        assert expected.removeprefix("refused: ") in ruled.because
        assert ruled.busy is (situation == "busy" and tunable in (Tunable.ANYTIME, Tunable.WHEN_DISABLED))
    else:
        assert " ".join(step.what for step in ruled.steps) == expected
        assert ruled.keys == ("retry_count",)
        assert {step.resource for step in ruled.steps} == {"web"}
        assert ruled.is_live is (STOP not in expected)


def test_who_declares_no_method_is_not_called() -> None:
    ruled = of_resource(
        BARE, BARE.replace(nice=5), ["nice"], {"nice": Tunable.ANYTIME}, SITUATIONS["online"], restart=False
    )
    assert ruled == Update(("nice",), (Step("web", CHANGE),))


def test_validate_and_update_are_those_of_the_values_as_they_would_be() -> None:
    after = WEB.replace(validate_command=None, update_command=None, nice=5)
    keys = ["validate_command", "update_command", "nice"]
    tunable = dict.fromkeys(keys, Tunable.ANYTIME)
    assert of_resource(WEB, after, keys, tunable, SITUATIONS["online"]) == Update(tuple(keys), (Step("web", CHANGE),))
    back = of_resource(after, WEB, keys, tunable, SITUATIONS["online"])
    assert isinstance(back, Update)
    assert [step.what for step in back.steps] == [VALIDATE, CHANGE, UPDATE]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_changes_nothing_calls_nothing_and_is_never_refused(situation: str) -> None:
    for tunable in Tunable:
        ruled = of_resource(WEB, WEB, ["retry_count"], {"retry_count": tunable}, SITUATIONS[situation])
        assert ruled == Update()


def test_of_a_registered_type_its_settings_are_compared() -> None:
    kind = ResourceType("lamp", "1")
    before = WEB.replace(typed=Typed(kind, (Setting("Colour", "WARM"), Setting("Level", 1, "n1"))))
    after = WEB.replace(typed=Typed(kind, (Setting("Colour", "WARM"), Setting("Level", 2, "n1"))), retry_count=9)
    tunable = {"colour": Tunable.ANYTIME, "level{n1}": Tunable.ANYTIME, "retry_count": Tunable.ANYTIME}
    ruled = of_resource(before, after, list(tunable), tunable, SITUATIONS["online"])
    assert isinstance(ruled, Update)
    assert ruled.keys == ("level{n1}",)


def test_a_group_asks_and_tells_each_of_its_resources() -> None:
    shop = Group("shop", resources=("db", "web", "mail"))
    members = [(BARE.replace(name="db"), True), (WEB, True), (WEB.replace(name="mail"), False)]
    after = shop.replace(pingpong_interval=5.0)
    keys, tunable = ["pingpong_interval"], {"pingpong_interval": Tunable.ANYTIME}
    ruled = of_group(shop, after, keys, tunable, Situation(), members)
    assert isinstance(ruled, Update)
    assert [(s.resource, s.what) for s in ruled.steps] == [
        ("web", VALIDATE),
        ("mail", VALIDATE),
        ("shop", CHANGE),
        ("web", UPDATE),
    ]
    assert of_group(shop, shop, keys, tunable, Situation(), members) == Update()
    fixed = of_group(
        shop, shop.replace(rg_mode="SCALABLE"), ["rg_mode"], {"rg_mode": Tunable.AT_CREATION}, Situation(), []
    )
    assert isinstance(fixed, Refused)
    assert "when the group is created" in fixed.because
    busy = of_group(shop, after, keys, tunable, Situation(busy="it is busy"), members)
    assert busy == Refused("it is busy", busy=True)


KEYS = ("retry_count", "retry_interval", "nice", "description", "stop_timeout", "start_grace")
AFTER = {
    "retry_count": 9,
    "retry_interval": 9.0,
    "nice": 9,
    "description": "9",
    "stop_timeout": 9.0,
    "start_grace": 9.0,
}


@given(
    tunable=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(list(Tunable)), min_size=1),
    same=st.sets(st.sampled_from(KEYS)),
    situation=st.sampled_from(list(SITUATIONS.values())),
    restart=st.booleans(),
)
def test_all_keys_change_or_none(
    tunable: dict[str, Tunable], same: set[str], situation: Situation, restart: bool
) -> None:
    changed = [key for key in tunable if key not in same]
    after = WEB.replace(**{key: AFTER[key] for key in changed})
    ruled = of_resource(WEB, after, list(tunable), tunable, situation, restart)
    alone = [of_resource(WEB, after, [key], tunable, situation, restart) for key in changed]
    if any(isinstance(each, Refused) for each in alone):
        assert isinstance(ruled, Refused)
        return
    assert isinstance(ruled, Update)
    assert ruled.keys == tuple(changed)
    what = [step.what for step in ruled.steps]
    assert what.count(CHANGE) == (1 if changed else 0)
    assert what == sorted(what, key=[VALIDATE, STOP, CHANGE, START, UPDATE].index)
    assert (START in what) <= (situation.enabled and situation.wanted)
    assert not (START in what and UPDATE in what), "who was started anew has read its values by itself"
