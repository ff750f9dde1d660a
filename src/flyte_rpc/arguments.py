"""Checks of public methods' arguments before a call. Each error names the argument and its valid values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from .codec.structs import StructMixin
    from .codec.well_known import DurationMixin, TimestampMixin

T = TypeVar("T")
Moment = TypeVar("Moment", bound="TimestampMixin")
Span = TypeVar("Span", bound="DurationMixin")
Object = TypeVar("Object", bound="StructMixin")

_LONGEST = 1e9
"""Maximum number of seconds, about 30 years. Event loops and headers do not take any number."""


def text(argument: str, value: object, low: int = 0, high: int = 0) -> str:
    """Check that a value is text of an allowed length.

    Raises:
        TypeError: The value is not text.
        ValueError: The value is shorter than `low` or (unless 0) longer than `high`.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} takes text, not {type(value).__name__} ({value!r})")
    if len(value) < low:
        raise ValueError(f"{argument} must not be empty" if low == 1 else f"{argument} takes at least {low} characters")
    if high and len(value) > high:
        raise ValueError(f"{argument} takes at most {high} characters, and {value[:40]!r}... has {len(value)}")
    return value


def alias(argument: str, value: object, other: str, other_value: object) -> Any:
    """Return the value of an argument that has two names.

    Raises:
        TypeError: Neither or both are given.
    """
    if value is not None and other_value is not None:
        raise TypeError(f"pass {argument}= or {other}=, not both; they mean the same")
    given = other_value if value is None else value
    if given is None:
        raise TypeError(f"missing argument: {argument}")
    return given


def several(argument: str, values: Collection[T]) -> list[T]:
    """Convert several values to a list.

    Raises:
        TypeError: The value is a single string, which would be taken as a list of its characters.
    """
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{argument} takes several values; for one, write {argument}=({values!r},)")
    return list(values)


def whole(argument: str, value: object, low: int) -> int:
    """Check that a value is an integer of at least `low`.

    Raises:
        TypeError: The value is not an integer.
        ValueError: The value is less than `low`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} takes a whole number, not {type(value).__name__} ({value!r})")
    if value < low:
        raise ValueError(f"{argument} is {value}; it must {'not be negative' if low == 0 else f'be at least {low}'}")
    return value


def flag(argument: str, value: object, *, optional: bool = False) -> bool | None:
    """Check that a value is True or False, or None if the argument is optional.

    Raises:
        TypeError: It is something else, such as 1 or "no".
    """
    if not isinstance(value, bool) and not (optional and value is None):
        raise TypeError(f"{argument} takes True or False, not {value!r}")
    return value


def texts(argument: str, values: object) -> dict[str, str]:
    """Check a mapping of text to text, such as labels, and return a copy.

    Raises:
        TypeError: It is not a mapping, or a name or value is not text. The message omits values, which may be secrets.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{argument} takes a mapping of text to text, not {type(values).__name__}")
    found: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", values).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"{argument} takes text for keys and values, not {name!r}: {type(value).__name__}")
        found[name] = value
    return found


def instant(argument: str, value: object) -> datetime:
    """Check that a value is a datetime with a time zone.

    Raises:
        TypeError: The value is not a datetime.
        ValueError: The datetime has no time zone.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{argument} takes a datetime, not {type(value).__name__} ({value!r})")
    if value.utcoffset() is None:
        raise ValueError(f"{argument} has no time zone, so it is ambiguous: {value!r}; add tzinfo=UTC, for example")
    return value


def seconds(argument: str, value: object) -> float:
    """Check that a value is a positive number of seconds, or a positive timedelta.

    Raises:
        TypeError: The value is neither a number nor a timedelta.
        ValueError: The value is zero, negative, NaN, or more than 30 years.
    """
    if isinstance(value, timedelta):
        number: float = value.total_seconds()
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{argument} takes a number of seconds or a timedelta, not {type(value).__name__} ({value!r})")
    else:
        number = value
    if not 0 < number <= _LONGEST:
        raise ValueError(f"{argument} is {value!r}; it must be a positive number of seconds, at most {_LONGEST:.0e}")
    return float(number)


def as_timestamp(message: type[Moment], argument: str, value: datetime | Moment | None) -> Moment | None:
    """Convert a datetime to a `message`. A `message` and None are returned unchanged.

    Raises:
        TypeError: It is not a datetime.
        ValueError: It has no time zone.
    """
    if value is None or isinstance(value, message):
        return value
    return message.of(instant(argument, value))


def as_duration(message: type[Span], argument: str, value: timedelta | Span | None) -> Span | None:
    """Convert a timedelta to a `message`. A `message` and None are returned unchanged.

    Raises:
        TypeError: The value is not a timedelta.
        ValueError: The timedelta is out of the message's range.
    """
    if value is None or isinstance(value, message):
        return value
    if not isinstance(value, timedelta):
        raise TypeError(f"{argument} takes a timedelta, not {type(value).__name__} ({value!r})")
    return message.of(value)


def as_struct(message: type[Object], argument: str, value: Mapping[str, object] | Object | None) -> Object | None:
    """Convert a mapping to a `message`. A `message` and None are returned unchanged.

    Raises:
        TypeError: The value is not a mapping, or contains something that JSON cannot express.
    """
    if value is None or isinstance(value, message):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"{argument} takes a mapping, not {type(value).__name__} ({value!r})")
    return message.of(value)
