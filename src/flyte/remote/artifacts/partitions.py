"""Converts partitions of artifacts to messages, filters and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, TypeGuard

from flyte.definitions.artifact import TimePartition, aware
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_api.messages.flyteidl2.core.artifact_id import Granularity, LabelValue, Partitions
from flyte_api.messages.flyteidl2.core.artifact_id import TimePartition as TimePartitionMessage
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.arguments import text
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.entities.filters import Clause, as_filters, rfc3339
from flyte_rpc.typeguards import is_mapping, is_sequence

LONGEST_KEY = 64
_TIME_FIELD = "time_partition"
_LAST = timedelta(microseconds=1)
_GRANULARITIES: dict[str, Granularity] = {
    "hour": Granularity.HOUR,
    "day": Granularity.DAY,
    "week": Granularity.WEEK,
    "month": Granularity.MONTH,
}


class Span(NamedTuple):
    """A time partition."""

    start: datetime
    """In UTC."""
    granularity: str

    @property
    def last(self) -> datetime:
        """The last microsecond of the span."""
        start = self.start
        match self.granularity:
            case "hour":
                return start + (timedelta(hours=1) - _LAST)
            case "day":
                return start + (timedelta(days=1) - _LAST)
            case "week":
                return start + (timedelta(days=7) - _LAST)
            case _:
                month = start.replace(day=28) + timedelta(days=4)
                return month.replace(day=1) - _LAST


def granularity_message(name: str) -> Granularity:
    """Return the message value of a granularity."""
    return _GRANULARITIES[name]


def granularity_name(value: Granularity) -> str:
    """Return the name of a granularity: "day" if unset, `unknown(42)` for a value of a newer server."""
    if value == Granularity.UNSET:
        return "day"
    return value.name.lower() if value.name else f"unknown({int(value)})"


def merged(partitions: Mapping[str, object] | None, others: Mapping[str, object]) -> dict[str, object]:
    """Merge partitions from a mapping and from keyword arguments, which take precedence, and check the keys.

    Raises:
        TypeError: `partitions` is not a mapping, or a key is not text.
        ValueError: A key is empty or too long, a value is None, or two values are times.
    """
    if partitions is not None and not is_mapping(partitions):
        raise TypeError(f"partitions takes a mapping of keys to values, not {type(partitions).__name__}")
    found: dict[str, object] = {**(partitions or {}), **others}
    times: list[str] = []
    for key, value in found.items():
        text("a key of partitions", key, 1, LONGEST_KEY)
        if value is None:
            raise ValueError(f"partition {key!r} is None; pass a value or omit the key")
        if _is_time(value) or (is_sequence(value) and any(map(_is_time, value))):
            times.append(key)
    if len(times) > 1:
        raise ValueError(
            f"partitions {times[0]!r} and {times[1]!r} are both times; an artifact has at most one time key"
        )
    return found


def as_messages(partitions: Mapping[str, object] | None) -> tuple[Partitions | None, TimePartitionMessage | None]:
    """Build the messages of a version's partition: its text keys and its time key.

    Raises:
        TypeError: A value is a collection.
        ValueError: A value is None or a datetime without a time zone, or there are two times.
    """
    texts: dict[str, LabelValue] = {}
    moment: TimePartitionMessage | None = None
    for key, value in merged(partitions, {}).items():
        if _is_time(value):
            span = span_of(f"partition {key!r}", value)
            at = LabelValue(time_value=Timestamp.of(span.start))
            moment = TimePartitionMessage(value=at, granularity=_GRANULARITIES[span.granularity], key=key)
        else:
            texts[key] = LabelValue(static_value=_text(key, value))
    return Partitions(value=texts) if texts else None, moment


def as_values(partitions: Partitions | None, moment: TimePartitionMessage | None) -> dict[str, Any]:
    """Return the partition of a version by key: the time key first, then the text keys."""
    found: dict[str, Any] = {}
    if moment is not None and moment.value is not None:
        value = _label(moment.value)
        name = granularity_name(moment.granularity)
        # The default name of the time key.
        key = moment.key or ("hour" if name == "hour" else "date")
        found[key] = as_time(value, name) if isinstance(value, datetime) else value
    if partitions is not None:
        found.update((key, _label(value)) for key, value in partitions.value.items())
    return found


def as_time(moment: datetime, granularity: str | None) -> date | datetime:
    """Return a date for days, weeks and months, else a datetime."""
    return moment.date() if granularity in ("day", "week", "month") else moment


def selecting(partitions: Mapping[str, object]) -> list[Filter]:
    """Return the filters that select partitions; see `Artifact.listall`.

    Raises:
        TypeError: A range is not of two times, or a list holds times.
        ValueError: A value is None, empty, or a time without time zone; a range ends before it begins.
    """
    return as_filters(Filter, *(clause for key, value in partitions.items() for clause in _clauses(key, value)))


def shown(partitions: Mapping[str, object]) -> str:
    """Format partitions: `date=2026-08-01, region=us`."""
    return ", ".join(f"{key}={_shown(value)}" for key, value in partitions.items())


def span_of(argument: str, value: date | datetime | TimePartition) -> Span:
    """Return the time partition that contains a time.

    Raises:
        ValueError: It is a datetime without time zone, or outside the years 1 to 9999.
    """
    given = value.value if isinstance(value, TimePartition) else value
    if isinstance(value, TimePartition):
        granularity: str = value.granularity
    else:
        granularity = "hour" if isinstance(value, datetime) else "day"
    aware(argument, given)
    try:
        moment = given.astimezone(UTC) if isinstance(given, datetime) else datetime.combine(given, time(), UTC)
        start = moment.replace(minute=0, second=0, microsecond=0)
        if granularity != "hour":
            start = start.replace(hour=0)
        if granularity == "week":
            start -= timedelta(days=start.weekday())
        elif granularity == "month":
            start = start.replace(day=1)
    except OverflowError:
        raise ValueError(f"{argument} is outside the years 1 to 9999 in UTC: {value!r}") from None
    return Span(start, granularity)


def _clauses(key: str, value: Any) -> Iterator[Clause]:
    argument = f"partition {key!r}"
    field = f"partition.{key}"
    if _is_time(value):
        yield "EQUAL", _TIME_FIELD, [rfc3339(span_of(argument, value).start)]
    elif isinstance(value, tuple):
        yield from _range(argument, value)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, (list, set, frozenset)):
        several: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
        if not several:
            raise ValueError(f"{argument} is empty, so nothing can match; omit it to list all partitions")
        if any(map(_is_time, several)):
            raise TypeError(
                f"{argument} takes one time or a range (start, end), not a list of times; make one call per time"
            )
        yield "VALUE_IN", field, [_text(key, each) for each in several]
    else:
        yield "EQUAL", field, [_text(key, value)]


def _range(argument: str, value: tuple[Any, ...]) -> Iterator[Clause]:
    if len(value) != 2 or not all(map(_is_time, value)):
        raise TypeError(
            f"{argument} takes a range of two times (start, end), not {value!r}; several texts go in a list"
        )
    first, last = (span_of(argument, each) for each in value)
    try:
        end = last.last
    except OverflowError:
        raise ValueError(f"{argument} ends outside the years 1 to 9999 in UTC: {value[1]!r}") from None
    if end < first.start:
        raise ValueError(f"{argument} ends ({value[1]}) before it begins ({value[0]}), so nothing can match")
    yield "GREATER_THAN_OR_EQUAL", _TIME_FIELD, [rfc3339(first.start)]
    yield "LESS_THAN_OR_EQUAL", _TIME_FIELD, [rfc3339(end)]


def _is_time(value: object) -> TypeGuard[date | TimePartition]:
    return isinstance(value, (date, TimePartition))


def _text(key: str, value: object) -> str:
    if value is None:
        raise ValueError(f"partition {key!r} has None among its values; remove it")
    if isinstance(value, bytes) or is_mapping(value) or is_sequence(value):
        raise TypeError(f"partition {key!r} takes a single value here, not {type(value).__name__} ({value!r})")
    found = str(value)
    if not found:
        raise ValueError(f"partition {key!r} must not be empty")
    return found


def _label(label: LabelValue) -> Any:
    """Return the value of a label: text or a datetime; the message itself for other kinds."""
    kind, value = which_one_of(label, "value")
    if kind == "time_value":
        return value.to_datetime()
    return value if kind == "static_value" else label


def _shown(value: object) -> str:
    if isinstance(value, TimePartition):
        return f"{_shown(value.value)} ({value.granularity})"
    return value.isoformat() if isinstance(value, date) else str(value)
