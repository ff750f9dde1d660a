"""Stored times, which are integer microseconds since the epoch, UTC; and the clock that triggers follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.timestamp import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


def now() -> int:
    """The current time in microseconds."""
    return time.time_ns() // 1000


class Clock:
    """The clock of triggers: the time of this machine, plus what `advance` has added."""

    def __init__(self, advanced: int, save: Callable[[int], None]) -> None:
        """Create the clock.

        Args:
            advanced: Microseconds by which it was advanced before.
            save: Stores the new sum of all advances.
        """
        self._advanced = advanced
        self._save = save

    def now(self) -> int:
        """Return the current time in microseconds."""
        return now() + self._advanced

    def advance(self, micros: int) -> None:
        """Move the clock forward."""
        self._save(self._advanced + micros)
        self._advanced += micros


def to_timestamp(micros: int) -> Timestamp:
    """Convert a stored time to a Timestamp message."""
    seconds, rest = divmod(micros, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def from_timestamp(value: Timestamp) -> int:
    """Convert a Timestamp message to a stored time, truncated to microseconds."""
    return value.seconds * 1_000_000 + value.nanos // 1000


def to_datetime(micros: int) -> datetime:
    """Convert a stored time to a datetime in UTC."""
    return _EPOCH + micros * _MICRO


def from_datetime(moment: datetime) -> int:
    """Convert a datetime with a time zone to a stored time."""
    return (moment - _EPOCH) // _MICRO


def to_micros(span: timedelta) -> int:
    """Convert a span of time to microseconds."""
    return span // _MICRO


def from_text(text: str) -> int:
    """Parse an RFC 3339 time, in UTC by default. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return from_datetime(moment)


def to_text(value: Timestamp) -> str:
    """Format a Timestamp message as RFC 3339 in UTC, without trailing zeros of the fraction."""
    fraction = f".{value.nanos:09}".rstrip("0").rstrip(".")
    return f"{to_datetime(value.seconds * 1_000_000).replace(tzinfo=None).isoformat()}{fraction}Z"


def to_seconds(value: Duration | None) -> float:
    """Convert a Duration message to seconds; None is 0."""
    return 0.0 if value is None else value.seconds + value.nanos / 1e9
