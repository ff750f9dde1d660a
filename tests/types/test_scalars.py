"""Objects that stand for a number, as the scalars of NumPy do, are inputs like that number."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from flyte.types import from_literal, literal_type_of, to_literal


class Whole:
    """Like `numpy.int64`, which is no `int`."""

    def __init__(self, held: int) -> None:
        self.held = held

    def __index__(self) -> int:
        return self.held

    def __hash__(self) -> int:
        return hash(self.held)

    def __eq__(self, other: object) -> bool:
        return other == self.held


class Real:
    """Like `numpy.float32`, which is no `float`."""

    def __init__(self, held: float) -> None:
        self.held = held

    def __float__(self) -> float:
        return self.held

    def __eq__(self, other: object) -> bool:
        return other == self.held

    __hash__ = None  # type: ignore[assignment]


class bool_:
    """Like `numpy.bool_`, which has the number 1.0 too."""

    def __init__(self, held: bool) -> None:
        self.held = held

    def item(self) -> bool:
        return self.held

    def __float__(self) -> float:
        return float(self.held)


class Array:
    """Like an array with one item."""

    def __len__(self) -> int:
        return 1

    def __index__(self) -> int:
        return 1

    def __float__(self) -> float:
        return 1.0


@dataclass
class Settings:
    epochs: int
    rate: float
    fast: bool


def sent(value: Any, annotation: Any) -> Any:
    literal_type = literal_type_of(annotation)
    return from_literal(to_literal(value, literal_type, name="x"), literal_type)


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (Whole(3), int, 3),
        (Whole(3), float, 3.0),
        (Whole(3), int | str, 3),
        (Whole(3), float | int, 3),
        (Real(0.5), float, 0.5),
        (Real(0.5), int | float, 0.5),
        (bool_(True), bool, True),
        ([Whole(1), Whole(2)], list[int], [1, 2]),
        ({"a": Real(1.5)}, dict[str, float], {"a": 1.5}),
        ({"a": [Whole(1), Real(0.5), bool_(False)]}, dict[str, Any], {"a": [1, 0.5, False]}),
    ],
)
def test_stands_for_its_number(value: Any, annotation: Any, expected: Any) -> None:
    found = sent(value, annotation)
    assert found == expected and type(found) is type(expected)


def test_in_a_data_class() -> None:
    found = sent(Settings(Whole(3), Real(0.5), bool_(True)), Settings)  # type: ignore[arg-type]
    assert (found.epochs, found.rate, found.fast) == (3, 0.5, True)
    assert [type(part) for part in (found.epochs, found.rate, found.fast)] == [int, float, bool]


def test_not_a_number_stays_one() -> None:
    found = sent(Real(float("nan")), float)
    assert found != found


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (bool_(True), int),
        (bool_(True), float),
        (True, int),
        (Real(1.0), int),
        (Whole(1), bool),
        (Whole(1), str),
        (Array(), int),
        (Array(), float),
        (Decimal("0.5"), float),
        (Fraction(1, 2), float),
    ],
)
def test_stands_for_nothing_else(value: Any, annotation: Any) -> None:
    with pytest.raises(TypeError, match=rf"x: expected {annotation.__name__}, got "):
        sent(value, annotation)


def test_must_fit_into_64_bits_too() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        sent(Whole(2**63), int)


def test_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    assert sent(numpy.int64(3), int) == 3
    assert sent(numpy.float32(0.1), float) == float(numpy.float32(0.1))
    assert sent(numpy.bool_(True), bool) is True
    for value in (numpy.bool_(True), numpy.array([1]), numpy.float64(1)):
        with pytest.raises(TypeError, match="expected int"):
            sent(value, int)
