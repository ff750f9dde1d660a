"""Filters repeated lines out of logs that a server replays from the beginning on each connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine


def timestamp_of(line: LogLine) -> datetime | None:
    """Return the time of a line; None if it is unset or invalid."""
    try:
        return None if line.timestamp is None else line.timestamp.to_datetime()
    except ValueError:
        return None


_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # outside the years 1 to 9999


def _instant(line: LogLine) -> int | None:
    """Return the time of a line in nanoseconds, which is much cheaper than a datetime; None if unset or invalid."""
    timestamp = line.timestamp
    if timestamp is None or not _FIRST_SECOND <= timestamp.seconds <= _LAST_SECOND:
        return None
    return timestamp.seconds * 1_000_000_000 + timestamp.nanos


class LogDeduplicator:
    """Recognizes the lines of a log that an earlier connection has delivered.

    Lines come in the order of their times. A line without a valid time counts as new.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._count_at_last = 0  # new lines with the time `_last`
        self._replayed_to: int | None = None
        self._known_at_replayed = 0  # further known lines with the time `_replayed_to`

    def reconnect(self) -> None:
        """Record that a new connection starts the log from its beginning."""
        self._replayed_to, self._known_at_replayed = self._last, self._count_at_last

    def is_new(self, line: LogLine) -> bool:
        """Whether no earlier connection has delivered this line."""
        instant = _instant(line)
        if instant is None:
            return True
        if self._replayed_to is not None:
            if instant < self._replayed_to:
                return False
            if instant == self._replayed_to and self._known_at_replayed:
                self._known_at_replayed -= 1
                return False
        self._count_at_last = self._count_at_last + 1 if instant == self._last else 1
        self._last = instant
        return True

    def new_lines(self, lines: Sequence[LogLine]) -> Sequence[LogLine]:
        """The lines that no earlier connection has delivered."""
        if self._replayed_to is not None:
            return [line for line in lines if self.is_new(line)]
        # All lines are new. Only those with the last time matter later, so the times of the others need no decoding.
        last, count = None, 0
        for line in reversed(lines):
            instant = _instant(line)
            if instant is None:
                continue
            if last is not None and instant != last:
                break
            last, count = instant, count + 1
        else:
            if last == self._last:
                count += self._count_at_last
        if last is not None:
            self._last, self._count_at_last = last, count
        return lines
