"""What following logs, and waiting on a stream of events, have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLine

T = TypeVar("T")


async def with_silences(source: AsyncGenerator[T], after: float) -> AsyncGenerator[T | None]:
    """The items of `source`, and a None whenever it has been silent for `after` seconds."""
    pending: asyncio.Task[T] | None = None
    try:
        while True:
            if pending is None:
                pending = asyncio.ensure_future(_next(source))
            # Waiting must not cancel the read, as wait_for would: that ends the stream and loses items.
            done, _ = await asyncio.wait([pending], timeout=after)
            if not done:
                yield None
                continue
            try:
                item = pending.result()
            except StopAsyncIteration:
                return
            finally:
                pending = None
            yield item
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.wait([pending])


async def _next(source: AsyncGenerator[T]) -> T:
    return await anext(source)


def moment_of(line: LogLine) -> datetime | None:
    """When a line was written; None where that was not told, or is no time: the log is worth more than that."""
    try:
        return None if line.timestamp is None else line.timestamp.to_datetime()
    except ValueError:
        return None


class Backlog:
    """How far a log was read, so that another connection, which begins where the log begins, brings no line twice.

    Lines come in the order of their times. One without a time, or with none that there is, is taken for new, since nothing
    tells it from others.
    """

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._at_last = 0  # how many lines of the time `_last` were new
        self._from: datetime | None = None
        self._repeated = 0  # how many more lines of the time `_from` are known

    def connect(self) -> None:
        """The log is read from its beginning again."""
        self._from, self._repeated = self._last, self._at_last

    def is_new(self, line: LogLine) -> bool:
        """Whether a line was not there on an earlier connection."""
        moment = moment_of(line)
        if moment is None:
            return True
        if self._from is not None:
            if moment < self._from:
                return False
            if moment == self._from and self._repeated:
                self._repeated -= 1
                return False
        self._at_last = self._at_last + 1 if moment == self._last else 1
        self._last = moment
        return True
