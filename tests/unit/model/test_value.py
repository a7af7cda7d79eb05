"""Value: frozen records that the runner can afford."""

from __future__ import annotations

import pickle

import pytest

from gds.model.value import Value, defaults_of, fields_of, rehearse


class Point(Value):
    """Two numbers, the second with a default."""

    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        """Values may compute."""
        return self.x + self.y


class Named(Point):
    """Inherited fields come first."""

    name: str = ""


class Other(Value):
    """The same fields as Point."""

    x: int
    y: int = 2


class Empty(Value):
    """No field at all."""


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (Point(1), (1, 2)),
        (Point(1, 3), (1, 3)),
        (Point(y=4, x=3), (3, 4)),
        (Named(1, 2, "a"), (1, 2, "a")),
        (Named(1, name="a"), (1, 2, "a")),
        (Empty(), ()),
    ],
)
def test_construction_by_place_and_by_name(made: Value, expected: tuple[object, ...]) -> None:
    assert tuple(getattr(made, f) for f in fields_of(type(made))) == expected


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"z": 1}), ((1,), {"x": 1}), ((), {"y": 2})]
)
def test_a_wrong_set_of_fields_is_refused(args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Point(*args, **kwargs)


def test_a_value_is_frozen() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="cannot set x: a Point is frozen"):
        point.x = 5  # type: ignore[misc]  # that is what is tested
    with pytest.raises(AttributeError, match="cannot delete x: a Point is frozen"):
        del point.x
    with pytest.raises(AttributeError):
        setattr(point, "z", 5)  # noqa: B010  # no new attributes either, and mypy would not let it be written plainly
    assert point == Point(1)


def test_equality_and_hash_go_by_class_and_fields() -> None:
    assert Point(1) == Point(1, 2)
    assert hash(Point(1)) == hash(Point(1, 2))
    assert Point(1) != Point(2)
    assert Point(1) != Other(1)
    assert Point(1) != (1, 2)
    assert len({Point(1), Point(1, 2), Other(1), Named(1)}) == 3


def test_repr_shows_every_field() -> None:
    assert repr(Named(1, name="a")) == "Named(x=1, y=2, name='a')"


def test_replace_changes_some_fields_and_refuses_others() -> None:
    assert Named(1).replace(name="b", x=9) == Named(9, 2, "b")
    with pytest.raises(TypeError, match="Point has no field colour, size"):
        Point(1).replace(size=1, colour=2)


def test_a_value_survives_a_pickle() -> None:
    assert pickle.loads(pickle.dumps(Named(1, 2, "a"))) == Named(1, 2, "a")


def test_state_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Point(1).__setstate__((1, 2, 3))


def test_a_field_without_default_may_not_follow_one_that_has_one() -> None:
    with pytest.raises(TypeError, match=r"Bad\.y: a field without a default follows one that has a default"):
        exec("class Bad(Value):\n x: int = 1\n y: int", {"Value": Value, "__name__": __name__})


def test_fields_and_defaults_are_told() -> None:
    assert fields_of(Named) == ("x", "y", "name")
    assert defaults_of(Named) == {"y": 2, "name": ""}


def test_methods_and_properties_are_welcome() -> None:
    assert Point(1).sum == 3


def test_an_own_constructor_is_kept() -> None:
    class Lazy(Value):
        """Says how it is made."""

        x: int

        def __init__(self, x: str) -> None:
            object.__setattr__(self, "x", int(x))

    assert Lazy("7").x == 7


def test_a_constructor_can_be_compiled_before_it_is_needed() -> None:
    class Quick(Value):
        """Never made before."""

        x: int = 1

    class Own(Value):
        """Has a constructor of its own, which stays."""

        x: int

        def __init__(self) -> None:
            object.__setattr__(self, "x", 5)

    before, own = Quick.__init__, Own.__init__
    rehearse(Quick, Own)
    assert Quick.__init__ is not before
    assert Own.__init__ is own
    assert (Quick(2).x, Quick().x, Own().x) == (2, 1, 5)
