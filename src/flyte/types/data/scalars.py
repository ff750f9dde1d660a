"""Plain Python numbers from objects that stand for one, such as the scalars of NumPy."""

import operator
from typing import Any

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


def _class_of(value: object) -> type[object]:
    return type(value)
