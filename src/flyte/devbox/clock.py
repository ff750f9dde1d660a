"""Stored times: integer microseconds since the epoch, UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.timestamp import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


def now() -> int:
    """The current time in microseconds."""
    return time.time_ns() // 1000


def to_timestamp(micros: int) -> Timestamp:
    """Convert a stored time to a Timestamp message."""
    seconds, rest = divmod(micros, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def from_timestamp(value: Timestamp) -> int:
    """Convert a Timestamp message to a stored time, truncated to microseconds."""
    return value.seconds * 1_000_000 + value.nanos // 1000


def from_text(text: str) -> int:
    """Parse an RFC 3339 time, in UTC by default. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICRO


def to_seconds(value: Duration | None) -> float:
    """Convert a Duration message to seconds; None is 0."""
    return 0.0 if value is None else value.seconds + value.nanos / 1e9
