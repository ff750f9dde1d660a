from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncGenerator, Iterator

import pytest

from flyte.errors import BlockingCallError
from flyte_rpc.entities.stream import Stream
from flyte_rpc.sync import bridge


class Source:
    """An async generator that says when it was closed, and how far it ran ahead."""

    def __init__(self, count: int | None, error: Exception | None = None) -> None:
        self.count, self.error = count, error
        self.made = 0
        self.opened = 0
        self.threads: set[str] = set()
        self.closed = threading.Event()

    async def __call__(self) -> AsyncGenerator[int, None]:
        self.opened += 1
        try:
            n = 0
            while self.count is None or n < self.count:
                self.threads.add(threading.current_thread().name)
                self.made += 1
                yield n
                n += 1
            if self.error is not None:
                raise self.error
        finally:
            self.closed.set()


class Endless(Source):
    """Two items, and then nothing for ever."""

    async def __call__(self) -> AsyncGenerator[int, None]:
        try:
            yield 0
            yield 1
            await asyncio.Event().wait()
        finally:
            self.closed.set()


def test_for() -> None:
    source = Source(2500)
    assert list(Stream(source)) == list(range(2500))
    assert source.threads == {"rpc-bridge"}
    assert source.closed.is_set()


async def test_async_for_stays_on_the_callers_loop() -> None:
    source = Source(10)
    assert [n async for n in Stream(source)] == list(range(10))
    assert source.threads == {threading.current_thread().name}


async def test_for_works_inside_a_running_loop() -> None:
    assert list(Stream(Source(10))) == list(range(10))


def test_each_loop_begins_anew() -> None:
    source = Source(3)
    stream = Stream(source)
    assert list(stream) == list(stream) == [0, 1, 2]
    assert source.opened == 2


def test_an_error_comes_after_the_items_before_it_and_once() -> None:
    iterator = iter(Stream(Source(3, LookupError("gone"))))
    assert [next(iterator), next(iterator), next(iterator)] == [0, 1, 2]
    with pytest.raises(LookupError, match="gone"):
        next(iterator)
    assert next(iterator, None) is None


def test_a_slow_consumer_holds_the_source_back() -> None:
    source = Source(None)
    for n in Stream(source):
        if n == 5000:
            break
    assert source.closed.wait(20)
    assert source.made < 5000 + 2001


def test_leaving_the_loop_closes_the_source() -> None:
    source = Endless(None)
    for _ in Stream(source):
        break
    gc.collect()
    assert source.closed.wait(20)


def test_leaving_a_with_block_closes_the_source_before_going_on() -> None:
    source = Endless(None)
    with Stream(source) as stream:
        kept = iter(stream)
        assert next(kept) == 0
    assert source.closed.is_set()


def test_an_iterator_that_never_began_can_be_closed() -> None:
    with Stream(Endless(None)) as stream:
        kept = iter(stream)
    assert next(kept, None) is None


async def test_leaving_an_async_loop_closes_the_source() -> None:
    source = Endless(None)
    async for _ in Stream(source):
        break
    gc.collect()
    async with asyncio.timeout(20):
        while not source.closed.is_set():
            await asyncio.sleep(0)


async def test_leaving_an_async_with_block_closes_the_source() -> None:
    source = Endless(None)
    async with Stream(source) as stream:
        kept = aiter(stream)
        assert await anext(kept) == 0
    assert source.closed.is_set()


def test_waiting_on_the_bridge_itself_is_refused() -> None:
    async def iterate() -> list[int]:
        return list(Stream(Source(3)))

    with pytest.raises(BlockingCallError):
        bridge.run(iterate())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_loop_does_not_go_on_in_a_forked_child() -> None:
    iterator: Iterator[int] = iter(Stream(Endless(None)))
    assert next(iterator) == 0
    next(iterator)
    child = os.fork()
    if child == 0:
        try:
            next(iterator)
        except BlockingCallError:
            os._exit(0)
        except BaseException:
            os._exit(2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def test_closing_ends_a_reader_that_waits_in_another_task() -> None:
    source = Endless(None)
    stream = Stream(source)
    seen: list[int] = []
    waiting = asyncio.Event()

    async def read() -> str:
        async for item in stream:
            seen.append(item)
            if item == 1:
                waiting.set()
        return "ended"

    reader = asyncio.create_task(read())
    await waiting.wait()
    await asyncio.sleep(0)
    await stream.aclose()
    assert source.closed.is_set()
    assert await reader == "ended" and seen == [0, 1]
    assert reader.cancelling() == 0


async def test_cancelling_a_reader_is_still_a_cancellation() -> None:
    source = Endless(None)
    waiting = asyncio.Event()

    async def read() -> None:
        async for item in Stream(source):
            if item == 1:
                waiting.set()

    reader = asyncio.create_task(read())
    await waiting.wait()
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.closed.is_set()
