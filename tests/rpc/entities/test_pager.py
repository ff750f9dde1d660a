from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flyte.errors import BlockingCallError, FlyteError
from flyte_rpc.entities.pager import Page, Pager
from flyte_rpc.sync import bridge

Way = Callable[[Pager[int]], list[int]]


class Listing:
    """Numbers from 0, served by offset, with a note of every request."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.requests: list[tuple[str, int]] = []
        self.threads: set[str] = set()
        self.fail_at: str | None = None
        self.hold_at: str | None = None
        self.held = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self, token: str, size: int) -> Page[int]:
        self.requests.append((token, size))
        self.threads.add(threading.current_thread().name)
        if token == self.fail_at:
            raise LookupError(f"page {token} is gone")
        if token == self.hold_at:
            try:
                self.held.set()
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        begin = int(token or 0)
        end = min(begin + size, self.total)
        return Page(list(range(begin, end)), str(end) if end < self.total else "")

    def pager(self, limit: int | None = None, page_size: int = 100) -> Pager[int]:
        return Pager(self, limit=limit, page_size=page_size)


async def _collected(pager: Pager[int]) -> list[int]:
    return [item async for item in pager]


async def _paged(pager: Pager[int]) -> list[int]:
    return [item async for page in pager.pages() for item in page]


async def _aio(pager: Pager[int]) -> list[int]:
    return await pager.collect.aio()


WAYS: list[Way] = [
    list,
    lambda pager: pager.collect(),
    lambda pager: [item for page in pager.pages() for item in page],
    lambda pager: asyncio.run(_collected(pager)),
    lambda pager: asyncio.run(_paged(pager)),
    lambda pager: asyncio.run(_aio(pager)),
]


@pytest.mark.parametrize("way", WAYS, ids=["for", "collect", "pages", "async for", "async pages", "collect.aio"])
@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        (0, []),
        (1, [1]),
        (99, [99]),
        (100, [100]),
        (101, [100, 1]),
        (250, [100, 100, 50]),
        (251, [100, 100, 51]),
        (1000, [100, 100, 100]),
        (None, [100, 100, 100]),
    ],
)
def test_exactly_the_limit_in_the_fewest_requests(way: Way, limit: int | None, sizes: list[int]) -> None:
    listing = Listing(250)
    assert way(listing.pager(limit)) == list(range(250 if limit is None else min(limit, 250)))
    assert [size for _, size in listing.requests] == sizes


def test_a_server_that_sends_more_than_was_asked_for() -> None:
    async def fetch(token: str, size: int) -> Page[int]:
        return Page(range(50), "more")

    assert len(Pager(fetch, limit=7, page_size=10).collect()) == 7


def test_first_asks_for_one() -> None:
    listing = Listing(250)
    assert listing.pager().first() == 0
    assert asyncio.run(listing.pager().first.aio()) == 0
    assert listing.requests == [("", 1), ("", 1)]
    assert Listing(0).pager().first() is None
    assert listing.pager(limit=0).first() is None
    assert len(listing.requests) == 2


@pytest.mark.parametrize(("limit", "page_size", "complaint"), [(-1, 10, "negative"), (None, 0, "at least 1")])
def test_bad_bounds_are_refused_at_once(limit: int | None, page_size: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Listing(1).pager(limit, page_size)


def test_nothing_is_fetched_before_it_is_iterated() -> None:
    listing = Listing(250)
    pager = listing.pager()
    iter(pager)
    aiter(pager)
    iter(pager.pages())
    assert listing.requests == []


def test_each_loop_begins_anew() -> None:
    listing = Listing(150)
    pager = listing.pager()
    assert list(pager) == list(pager)
    assert len(listing.requests) == 4


async def test_the_next_page_is_fetched_while_the_last_one_is_used() -> None:
    listing = Listing(250)
    items = aiter(listing.pager())
    assert await anext(items) == 0
    await asyncio.sleep(0)
    assert [token for token, _ in listing.requests] == ["", "100"]
    await items.aclose()


async def test_a_page_that_the_limit_excludes_is_not_fetched_ahead() -> None:
    listing = Listing(250)
    items = aiter(listing.pager(limit=100))
    assert await anext(items) == 0
    await asyncio.sleep(0)
    assert len(listing.requests) == 1
    await items.aclose()


async def test_an_async_loop_that_is_left_leaves_no_task() -> None:
    listing = Listing(250)
    listing.hold_at = "100"
    async for _ in listing.pager():
        await asyncio.sleep(0)
        break
    gc.collect()
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
    assert listing.cancelled.is_set()


def test_a_loop_that_is_left_leaves_no_task() -> None:
    listing = Listing(250)
    listing.hold_at = "100"
    for _ in listing.pager():
        assert listing.held.wait(20)
        break
    gc.collect()
    assert listing.cancelled.wait(20)


@pytest.mark.filterwarnings("error")
def test_a_failure_ahead_that_nobody_waits_for_is_not_reported() -> None:
    listing = Listing(250)
    listing.fail_at = "100"

    async def leave_early() -> None:
        items = aiter(listing.pager())
        await anext(items)
        await asyncio.sleep(0)
        await items.aclose()

    complaints: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        await leave_early()
        gc.collect()

    asyncio.run(main())
    assert len(listing.requests) == 2
    assert complaints == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failing_page_comes_after_the_items_before_it(asynchronous: bool) -> None:
    listing = Listing(250)
    listing.fail_at = "100"
    seen: list[int] = []

    async def walk() -> None:
        async for item in listing.pager():
            seen.append(item)

    with pytest.raises(LookupError, match="page 100 is gone"):
        if asynchronous:
            asyncio.run(walk())
        else:
            seen.extend(item for item in listing.pager() if seen.append(item))  # type: ignore[func-returns-value]
    assert seen == list(range(100))


def test_repeated_tokens_end_the_listing() -> None:
    tokens = {"": "a", "a": "b", "b": "a"}

    async def fetch(token: str, size: int) -> Page[str]:
        return Page([token or "first"], tokens[token])

    assert Pager(fetch, limit=None, page_size=1).collect() == ["first", "a", "b"]


def test_empty_pages_are_passed_over_but_not_for_ever() -> None:
    async def fetch(token: str, size: int) -> Page[int]:
        at = int(token or 0)
        return Page([at] if at % 10 == 0 else [], str(at + 1) if at < 40 else "")

    assert Pager(fetch, limit=None, page_size=5).collect() == [0, 10, 20, 30, 40]

    async def never(token: str, size: int) -> Page[int]:
        return Page([], str(int(token or 0) + 1))

    with pytest.raises(FlyteError, match="100 empty pages in a row"):
        Pager(never, limit=None, page_size=5).collect()


def test_an_empty_last_page_is_no_page() -> None:
    async def fetch(token: str, size: int) -> Page[int]:
        return Page([], "") if token else Page([1], "more")

    assert list(Pager(fetch, limit=None, page_size=1).pages()) == [[1]]


async def test_a_blocking_loop_inside_a_running_loop() -> None:
    listing = Listing(250)
    assert len(list(listing.pager())) == 250
    assert listing.threads == {"rpc-bridge"}


def test_ten_threads() -> None:
    listing = Listing(250)
    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(lambda _: len(list(listing.pager())), range(40))) == {250}


def test_a_blocking_loop_changes_threads_for_pages_not_for_items(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[object] = []
    run = bridge.run

    def counting(coro: Coroutine[Any, Any, Any]) -> Any:
        runs.append(coro)
        return run(coro)

    monkeypatch.setattr(bridge, "run", counting)
    assert len(list(Listing(2500).pager(page_size=500))) == 2500
    assert len(runs) == 6


def test_a_listing_that_is_forked_between_pages_says_so_in_the_child() -> None:
    """It hung there: the child has no event loop thread to fetch the next page."""
    pages = iter(Listing(6).pager(page_size=2).pages())
    next(pages)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            next(pages)
        except BlockingCallError:
            status = 0
        finally:
            os._exit(status)
    for _ in range(200):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        threading.Event().wait(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(list(pages)) == 2
