"""Streams of items for `for` and `async for`."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from types import AsyncGeneratorType
from typing import Generic, NoReturn, Self, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet

from flyte_rpc.calls.options import carrying_stream
from flyte_rpc.sync import bridge
from flyte_rpc.sync.misuse import NotASequence, warn_if_in_coroutine

T = TypeVar("T")

_AHEAD = 1000
"""Maximum number of buffered items for a blocking consumer."""

_CLOSE_SECONDS = 5.0
"""Seconds that closing a blocking loop waits for its source to clean up."""


class Stream(NotASequence, Generic[T]):
    """A stream of items from an async generator. Each loop opens a new generator and closes it when the loop ends.

    `for` takes all available items at once, so a busy source costs one thread switch per batch. A `with`
    or `async with` block closes the loops that were opened in it.
    """

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} reads from a connection, so it cannot be pickled")

    def __init__(self, source: Callable[[], AsyncGenerator[T, None]]) -> None:
        """Create the stream. Iterating opens it.

        Args:
            source: Returns a new async generator.
        """
        carrying = carrying_stream(source)
        self._set_up(lambda: _one_by_one(carrying))

    def _set_up(self, batches: Callable[[], AsyncGenerator[Sequence[T], None]]) -> None:
        self._batches = batches
        self._readings: WeakKeyDictionary[AsyncGenerator[T, None], _Reading] = WeakKeyDictionary()
        self._feeds: WeakSet[_Feed[T]] = WeakSet()
        # Inside a `with` block, abandoned loops are kept until the end of the block, which closes them.
        self._held: list[object] | None = None

    def __aiter__(self) -> AsyncGenerator[T, None]:
        reading = _Reading()
        generator = reading.items(self._batches)
        self._readings[generator] = reading
        if self._held is not None:
            self._held.append(generator)
        return generator

    def __iter__(self) -> Iterator[T]:
        warn_if_in_coroutine("use `async for`")
        feed = _Feed(self._batches)
        self._feeds.add(feed)
        if self._held is not None:
            self._held.append(feed)
        return feed

    def close(self) -> None:
        """End all `for` loops over the stream."""
        for feed in list(self._feeds):
            feed.close()

    async def aclose(self) -> None:
        """End all `async for` loops over the stream on this event loop."""
        for generator, reading in list(self._readings.items()):
            if cast(AsyncGeneratorType[T, None], generator).ag_running:
                await reading.interrupt()
            else:
                await generator.aclose()

    def __enter__(self) -> Self:
        self._held = []
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
        self._held = None

    async def __aenter__(self) -> Self:
        self._held = []
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
        self._held = None


class BatchedStream(Stream[T]):
    """A stream whose source yields several items at a time, which costs less per item."""

    def __init__(self, source: Callable[[], AsyncGenerator[Sequence[T], None]]) -> None:
        """Create the stream. Iterating opens it.

        Args:
            source: Returns a new async generator. It should bound the size of a batch: `for` reads about a thousand
                items ahead, but always whole batches.
        """
        self._set_up(carrying_stream(source))


async def _one_by_one(source: Callable[[], AsyncGenerator[T, None]]) -> AsyncGenerator[Sequence[T], None]:
    async with aclosing(source()) as items:
        async for item in items:
            yield (item,)


class _Reading:
    """One `async for` loop over a stream. Another task can end it while it waits for an item."""

    def __init__(self) -> None:
        self._reader: asyncio.Task[object] | None = None
        self._interrupted = False
        self._ended = asyncio.Event()

    async def items(self, source: Callable[[], AsyncGenerator[Sequence[T], None]]) -> AsyncGenerator[T, None]:
        try:
            async with aclosing(source()) as batches:
                while True:
                    self._reader = asyncio.current_task()
                    try:
                        batch = await anext(batches)
                    except StopAsyncIteration:
                        return
                    except asyncio.CancelledError:
                        if not self._interrupted or self._reader is None:
                            raise
                        self._reader.uncancel()
                        return
                    for item in batch:
                        yield item
        finally:
            self._ended.set()

    async def interrupt(self) -> None:
        """End the loop as if the stream had ended, and wait until the source is closed."""
        self._interrupted = True
        if self._reader is not None:
            self._reader.cancel()
        await self._ended.wait()


class _Shared(Generic[T]):
    """State shared by the source's task and the consuming thread. The task has no reference to the iterator, so
    an abandoned iterator is garbage-collected and ends the task.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.items: deque[T] = deque()
        self.ended = False
        self.error: BaseException | None = None
        self.room = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def begin(self, source: Callable[[], AsyncGenerator[Sequence[T], None]]) -> None:
        self.task = asyncio.get_running_loop().create_task(self.pump(source))
        self.task.add_done_callback(self.end)

    async def pump(self, source: Callable[[], AsyncGenerator[Sequence[T], None]]) -> None:
        async with aclosing(source()) as batches:
            async for batch in batches:
                with self.changed:
                    self.items.extend(batch)
                    full = len(self.items) >= _AHEAD
                    self.changed.notify()
                if full:
                    self.room.clear()
                    await self.room.wait()

    def end(self, task: asyncio.Task[None]) -> None:
        with self.changed:
            self.ended = True
            self.error = None if task.cancelled() else task.exception()
            self.changed.notify_all()

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


class _Feed(Iterator[T]):
    """The blocking side of one loop."""

    def __init__(self, source: Callable[[], AsyncGenerator[Sequence[T], None]]) -> None:
        self._shared = shared = _Shared[T]()
        self._batch: deque[T] = deque()
        self._generation = bridge.fork_generation()
        bridge.check_blocking_allowed()
        bridge.call_soon(lambda: shared.begin(source))

    def __next__(self) -> T:
        if not self._batch:
            self._batch = self._take()
        return self._batch.popleft()

    def _take(self) -> deque[T]:
        if self._generation != bridge.fork_generation():
            raise bridge.forked_error()
        shared = self._shared
        with shared.changed:
            shared.changed.wait_for(lambda: shared.items or shared.ended)
            taken, shared.items = shared.items, deque()
            if not taken:
                error, shared.error = shared.error, None
                raise error or StopIteration
        if len(taken) >= _AHEAD:
            bridge.call_soon(shared.room.set)
        return taken

    def close(self) -> None:
        """End the loop and wait briefly until the source has cleaned up."""
        shared = self._shared
        if self._generation == bridge.fork_generation() and not shared.ended:
            bridge.call_soon(shared.cancel)
            with shared.changed:
                shared.changed.wait_for(lambda: shared.ended, _CLOSE_SECONDS)
        shared.items.clear()
        self._batch.clear()

    def __del__(self) -> None:
        # The garbage collector may run on any thread, even the bridge's, so this must not block.
        if not self._shared.ended and self._generation == bridge.fork_generation():
            with suppress(RuntimeError):  # the interpreter is shutting down, and the bridge has stopped
                bridge.call_soon(self._shared.cancel)
