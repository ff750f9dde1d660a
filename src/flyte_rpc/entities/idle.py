"""Detects silent streams and checks whether they are complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")

_BATCH = 1000
"""Size of a batch at which the reader waits for the consumer, so that a slow consumer slows the server down."""


class _ReadAhead(Generic[T]):
    """Reads a stream in one task. A task for each item would cost more than the item.

    Use it in an `async with` block, which ends the task.
    """

    def __init__(self, source: AsyncGenerator[T, None], size: Callable[[T], int] = lambda item: 1) -> None:
        self._source = source
        self._size = size
        self._arrived: list[T] = []
        self._room = asyncio.Event()
        self._waiter: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.ensure_future(self._read())
        self._reading.add_done_callback(self.wake)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await _end(self._reading)

    async def next(self, after: float | None) -> list[T] | None:
        """Return all items that have arrived, as soon as there is one.

        Args:
            after: Seconds without an item that count as a silence. None to wait without limit.

        Returns:
            The items; an empty list after a silence or `wake`; None at the end of the stream.
        """
        while not self._arrived:
            if self._reading.done():
                self._reading.result()
                return None
            loop = asyncio.get_running_loop()
            self._waiter = waiter = loop.create_future()
            timer = None if after is None else loop.call_later(after, self.wake)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
            if not self._arrived and not self._reading.done():
                return []
        batch, self._arrived = self._arrived, []
        self._room.set()
        return batch

    def wake(self, _: object = None) -> None:
        """Have `next` return."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _read(self) -> None:
        total = 0
        async for item in self._source:
            total = self._size(item) + (total if self._arrived else 0)
            self._arrived.append(item)
            self.wake()
            if total >= _BATCH:
                self._room.clear()
                await self._room.wait()


async def with_silences(source: AsyncGenerator[T, None], after: float) -> AsyncGenerator[T | None, None]:
    """Yield the items of a stream, and None whenever it has been silent for `after` seconds."""
    async with _ReadAhead(source) as ahead:
        while (batch := await ahead.next(after)) is not None:
            if not batch:
                yield None
            for item in batch:
                yield item


async def until_silent(
    source: AsyncGenerator[T, None],
    after: float,
    is_over: Callable[[], Awaitable[bool]],
    *,
    size: Callable[[T], int] = lambda item: 1,
    linger: bool = True,
) -> AsyncGenerator[list[T], None]:
    """Yield the items of a stream in batches until it ends, or until it is silent and nothing can follow.

    A server may keep the stream of an ended resource open. So `is_over` is called after a silence.

    Args:
        source: The stream. It is read ahead of the consumer until the batch is large enough.
        after: Seconds without an item that count as a silence.
        is_over: Returns whether the stream is complete.
        size: Returns what an item adds to the size of a batch. The item with which a batch reaches 1000 is its last.
        linger: Wait for one more silence after that, because the last items may still arrive. Default: True.
    """
    ended = False
    async with _ReadAhead(source, size) as ahead:
        while (batch := await ahead.next(after)) is not None:
            if batch:
                ended = False
                yield batch
            elif ended:
                return
            else:
                ended = await is_over()
                if ended and not linger:
                    return


async def with_checks(
    source: AsyncGenerator[T, None], after: float, check: Callable[[], Awaitable[T | None]]
) -> AsyncGenerator[T, None]:
    """Yield the items of a stream, and what a check finds whenever the stream has been silent.

    A server may lose the last update of a stream that it keeps open.

    Args:
        source: The stream. Items that have arrived together are yielded without a check between them.
        after: Seconds without an item that count as a silence.
        check: Fetches the current item, and returns None if there is nothing to yield. It runs beside the stream: an
            item that arrives meanwhile cancels it.
    """
    checking: asyncio.Future[T | None] | None = None
    async with _ReadAhead(source) as ahead:
        try:
            while (batch := await ahead.next(after if checking is None else None)) is not None:
                if batch and checking is not None:
                    await _end(checking)
                    checking = None
                for item in batch:
                    yield item
                if not batch and checking is None:
                    checking = asyncio.ensure_future(check())
                    checking.add_done_callback(ahead.wake)
                elif checking is not None and checking.done():
                    found, checking = checking.result(), None
                    if found is not None:
                        yield found
        finally:
            if checking is not None:
                await _end(checking)


async def _end(task: asyncio.Future[Any]) -> None:
    """Cancel a task, and wait until it has ended."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # its error is no longer relevant
