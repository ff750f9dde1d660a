"""Plain Python numbers from objects that stand for one, such as the scalars of NumPy, and checks of times."""

import datetime as dt
import operator
from typing import Any

from .mismatch import Mismatch

_PLAIN = (int, float, str, bytes)

_OF_ARBITRARY_PRECISION = ("decimal", "fractions")
"""Modules of numbers that seldom have an exact float. The caller decides about rounding, not the digits of a value."""


def as_scalar(value: Any) -> Any:
    """Convert an object that stands for a bool, an int or a float; return all others unchanged.

    An object stands for an int if it has `__index__`, for a float if it has `__float__` and its value is exact as a float,
    and for a bool if its `item()` is one. Containers stand for nothing, even with a single item.
    """
    kind = _class_of(value)
    if value is None or isinstance(value, _PLAIN) or hasattr(kind, "__len__"):
        return value
    if kind.__name__ in ("bool", "bool_"):
        held = value.item() if hasattr(value, "item") else value
        return held if isinstance(held, bool) else value
    if hasattr(kind, "__index__"):
        return operator.index(value)
    if hasattr(kind, "__float__") and kind.__module__ not in _OF_ARBITRARY_PRECISION:
        number = float(value)
        if number == value or number != number:  # NaN is the only number that differs from itself
            return number
    return value


def check_moment(value: dt.datetime) -> None:
    """Check that a datetime can be stored exactly. Subclasses, such as that of pandas, may hold more than a datetime.

    Raises:
        Mismatch: It has no time zone, has nanoseconds, or is no moment, like the `NaT` of pandas.
    """
    if value != value:  # Like NaN.
        raise Mismatch(f"{value} is not a moment; pass None for a missing one, with an Optional type", fits_type=True)
    if value.utcoffset() is None:
        raise Mismatch("the datetime has no time zone; add one, such as tzinfo=datetime.UTC", fits_type=True)
    if getattr(value, "nanosecond", 0):
        raise Mismatch("the datetime has nanoseconds; round it to microseconds first", fits_type=True)


def check_span(value: dt.timedelta) -> None:
    """Check that a timedelta can be stored exactly.

    Raises:
        Mismatch: It has nanoseconds.
    """
    if getattr(value, "nanoseconds", 0):
        raise Mismatch("the timedelta has nanoseconds; round it to microseconds first", fits_type=True)


def _class_of(value: object) -> type[object]:
    return type(value)
