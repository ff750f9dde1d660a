"""Logs that a server replays from the beginning on each connection: which lines are new."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine


def timestamp_of(line: LogLine) -> datetime | None:
    """The time of a line; None if it is unset or invalid."""
    try:
        return None if line.timestamp is None else line.timestamp.to_datetime()
    except ValueError:
        return None


class LogReplay:
    """Recognizes the lines of a log that an earlier connection has delivered.

    Lines come in the order of their times. A line without a valid time counts as new.
    """

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._count_at_last = 0  # new lines with the time `_last`
        self._replayed_to: datetime | None = None
        self._known_at_replayed = 0  # further known lines with the time `_replayed_to`

    def reconnect(self) -> None:
        """Note that the log is read from its beginning again."""
        self._replayed_to, self._known_at_replayed = self._last, self._count_at_last

    def is_new(self, line: LogLine) -> bool:
        """Whether no earlier connection has delivered this line."""
        timestamp = timestamp_of(line)
        if timestamp is None:
            return True
        if self._replayed_to is not None:
            if timestamp < self._replayed_to:
                return False
            if timestamp == self._replayed_to and self._known_at_replayed:
                self._known_at_replayed -= 1
                return False
        self._count_at_last = self._count_at_last + 1 if timestamp == self._last else 1
        self._last = timestamp
        return True
