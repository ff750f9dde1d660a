"""Log lines."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLineOriginator
from flyte_rpc.entities.filters import rfc3339

from .deduplication import timestamp_of

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine as LineMessage


class LogLine(str):
    """A log line of a run, action or app. It is its text, and knows when and where it was written.

    Two lines are equal if their texts are.

    Attributes:
        message: The text without a line break and without the time in front that `show_ts` adds.
        replica: Name of the replica of an app, or of the pod of an action; empty if unknown.
        container: Name of the container; empty if unknown.
        system: Whether the platform wrote the line.
    """

    __slots__ = ("_source", "_timestamp", "container", "message", "replica", "system")

    message: str
    replica: str
    container: str
    system: bool
    _timestamp: datetime | None
    _source: LineMessage | None

    def __new__(
        cls,
        message: str,
        timestamp: datetime | None = None,
        replica: str = "",
        system: bool = False,
        container: str = "",
        *,
        show_ts: bool = False,
    ) -> Self:
        """Create a line.

        Args:
            message: The text, without a line break.
            timestamp: When it was written; None if unknown.
            replica: Name of the replica or pod.
            system: Whether the platform wrote it.
            container: Name of the container.
            show_ts: Begin the text with the time in UTC.
        """
        shown = f"{rfc3339(timestamp)} {message}" if show_ts and timestamp is not None else message
        line = super().__new__(cls, shown)
        line.message, line.replica, line.container, line.system = message, replica, container, system
        line._timestamp, line._source = timestamp, None
        return line

    @classmethod
    def read(cls, source: LineMessage, replica: str = "", container: str = "", *, show_ts: bool = False) -> Self:
        """Create a line from its message. For code of this library."""
        system = source.originator == LogLineOriginator.SYSTEM
        message = source.message.rstrip("\r\n")
        if show_ts:
            return cls(message, timestamp_of(source), replica, system, container, show_ts=True)
        line = cls(message, None, replica, system, container)
        line._source = source  # its time is decoded when it is read, because that takes longer than all else
        return line

    @property
    def timestamp(self) -> datetime | None:
        """When the line was written; None if unknown."""
        if self._source is not None:
            self._timestamp, self._source = timestamp_of(self._source), None
        return self._timestamp

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (
            type(self),
            str(self),
            (self.message, self.timestamp, self.replica, self.system, self.container),
        )


def _restored(cls: type[LogLine], text: str, fields: tuple[str, datetime | None, str, bool, str]) -> LogLine:
    line = cls(*fields)
    return line if str(line) == text else cls(*fields, show_ts=True)
