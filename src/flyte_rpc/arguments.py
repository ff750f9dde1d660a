"""Arguments of public methods, checked before anything is sent: each error names the argument and what it takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from .codec.structs import StructMixin
    from .codec.well_known import DurationMixin, TimestampMixin

T = TypeVar("T")
Moment = TypeVar("Moment", bound="TimestampMixin")
Span = TypeVar("Span", bound="DurationMixin")
Object = TypeVar("Object", bound="StructMixin")


def text(argument: str, value: object, low: int = 0, high: int = 0) -> str:
    """A text within the length that the server takes.

    Raises:
        TypeError: It is not text.
        ValueError: It is shorter than `low` or (unless 0) longer than `high`.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} takes text, not {type(value).__name__} ({value!r})")
    if len(value) < low:
        raise ValueError(f"{argument} must not be empty" if low == 1 else f"{argument} takes at least {low} characters")
    if high and len(value) > high:
        raise ValueError(f"{argument} takes at most {high} characters, and {value[:40]!r}... has {len(value)}")
    return value


def several(argument: str, values: Collection[T]) -> list[T]:
    """Several values as a list.

    Raises:
        TypeError: It is a single text, which would count as one value for each of its letters.
    """
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{argument} takes several values; for one, write {argument}=({values!r},)")
    return list(values)


def whole(argument: str, value: object, low: int) -> int:
    """A whole number of at least `low`.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is smaller.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} takes a whole number, not {type(value).__name__} ({value!r})")
    if value < low:
        raise ValueError(f"{argument} is {value}; it must {'not be negative' if low == 0 else f'be at least {low}'}")
    return value


def texts(argument: str, values: object) -> dict[str, str]:
    """Texts under names, such as labels, as a dict of their own.

    Raises:
        TypeError: It is no mapping, or a name or a value is not text. Values, which may be secrets, are not repeated.
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
    """A datetime that names an instant.

    Raises:
        TypeError: It is not a datetime.
        ValueError: It has no time zone.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{argument} takes a datetime, not {type(value).__name__} ({value!r})")
    if value.utcoffset() is None:
        raise ValueError(f"{argument} has no time zone, so it names no instant: {value!r}; add tzinfo=UTC, for example")
    return value


def seconds(argument: str, value: object) -> float:
    """A span of time that is over some day: a positive number of seconds.

    Raises:
        TypeError: It is not a number.
        ValueError: It is zero, negative or not a number of seconds.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{argument} takes a number of seconds, not {type(value).__name__} ({value!r})")
    if not value > 0:
        raise ValueError(f"{argument} is {value!r}; it must be a positive number of seconds")
    return float(value)


def as_timestamp(message: type[Moment], argument: str, value: datetime | Moment | None) -> Moment | None:
    """An instant as the message that `message` is; the message itself, and None, stay as they are.

    Raises:
        TypeError: It is not a datetime.
        ValueError: It has no time zone.
    """
    if value is None or isinstance(value, message):
        return value
    return message.of(instant(argument, value))


def as_duration(message: type[Span], argument: str, value: timedelta | Span | None) -> Span | None:
    """A span of time as the message that `message` is; the message itself, and None, stay as they are.

    Raises:
        TypeError: It is not a timedelta.
        ValueError: It is longer than the message can say.
    """
    if value is None or isinstance(value, message):
        return value
    if not isinstance(value, timedelta):
        raise TypeError(f"{argument} takes a timedelta, not {type(value).__name__} ({value!r})")
    return message.of(value)


def as_struct(message: type[Object], argument: str, value: Mapping[str, object] | Object | None) -> Object | None:
    """A JSON object as the message that `message` is; the message itself, and None, stay as they are.

    Raises:
        TypeError: It is not a mapping, or holds something that JSON has not.
    """
    if value is None or isinstance(value, message):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"{argument} takes a mapping, not {type(value).__name__} ({value!r})")
    return message.of(value)
