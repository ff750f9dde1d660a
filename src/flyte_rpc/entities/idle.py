"""Detects silent streams and checks whether they are complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")

_BATCH = 1000
"""Size of a batch at which the reader waits for the consumer, so that a slow consumer slows the server down."""


async def with_silences(source: AsyncGenerator[T, None], after: float) -> AsyncGenerator[T | None, None]:
    """Yield the items of a stream, and None whenever it has been silent for `after` seconds."""
    pending: asyncio.Task[T] | None = None
    try:
        while True:
            if pending is None:
                pending = asyncio.ensure_future(_next(source))
            # asyncio.wait_for would cancel the read, which ends the stream and loses items.
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
    async with aclosing(_batches(source, after, size)) as batches:
        async for batch in batches:
            if batch:
                ended = False
                yield batch
            elif ended:
                return
            else:
                ended = await is_over()
                if ended and not linger:
                    return


async def _batches(
    source: AsyncGenerator[T, None], after: float, size: Callable[[T], int]
) -> AsyncGenerator[list[T], None]:
    """Yield all items that have arrived at a time, and an empty list whenever the stream has been silent."""
    arrived: list[T] = []
    news, room = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        total = 0
        async for item in source:
            total = size(item) if not arrived else total + size(item)
            arrived.append(item)
            news.set()
            if total >= _BATCH:
                room.clear()
                await room.wait()

    # One task for the whole stream: a task for each item would cost more than the item.
    reading = asyncio.ensure_future(read())
    reading.add_done_callback(lambda _: news.set())
    try:
        while True:
            try:
                async with asyncio.timeout(after):
                    await news.wait()
            except TimeoutError:
                yield []
                continue
            news.clear()
            if arrived:
                batch = arrived.copy()
                arrived.clear()
                room.set()
                if reading.done():
                    news.set()
                yield batch
            elif reading.done():
                reading.result()
                return
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        if not reading.cancelled():
            reading.exception()  # nobody is left to be told


async def with_checks(
    source: AsyncGenerator[T, None], after: float, check: Callable[[], Awaitable[T | None]]
) -> AsyncGenerator[T, None]:
    """Yield the items of a stream, and what a check finds whenever the stream has been silent.

    A server may lose the last update of a stream that it keeps open.

    Args:
        source: The stream.
        after: Seconds without an item that count as a silence.
        check: Fetches the current item, and returns None if there is nothing to yield. It runs beside the stream: an
            item that arrives meanwhile cancels it.
    """
    pending: asyncio.Task[T] | None = None
    checking: asyncio.Task[T | None] | None = None
    try:
        while True:
            if pending is None:
                pending = asyncio.ensure_future(_next(source))
            if checking is None:
                await asyncio.wait([pending], timeout=after)
            else:
                await asyncio.wait([pending, checking], return_when=asyncio.FIRST_COMPLETED)
            if pending.done():
                done, pending = pending, None
                if checking is not None:
                    checking.cancel()
                    checking = None
                try:
                    item = done.result()
                except StopAsyncIteration:
                    return
                yield item
            elif checking is None:
                checking = asyncio.ensure_future(_found(check))
            elif checking.done():
                found, checking = checking.result(), None
                if found is not None:
                    yield found
    finally:
        left = [task for task in (pending, checking) if task is not None]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


async def _found(check: Callable[[], Awaitable[T | None]]) -> T | None:
    return await check()


async def _next(source: AsyncGenerator[T, None]) -> T:
    return await anext(source)
