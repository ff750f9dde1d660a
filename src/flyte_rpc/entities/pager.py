"""Paged listings that prefetch the next page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Generic, NamedTuple, NoReturn, Protocol, TypeVar

from flyte_rpc.arguments import seconds, whole
from flyte_rpc.calls.options import carrying, within
from flyte_rpc.errors import SdkError
from flyte_rpc.sync import bridge
from flyte_rpc.sync.decorators import blocking
from flyte_rpc.sync.misuse import NotASequence

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_TURNS = 2
"""Event loop iterations until a request is sent."""
_EMPTY_PAGES = 100
"""Consecutive empty pages with a token after which a listing fails. A server that filters after paging sends a few."""
_REMEMBERED = 10_000
"""Number of items that a loop recognizes at least. It keeps the keys of at most twice as many."""


class Page(NamedTuple, Generic[T]):
    """One reply of a list method."""

    items: Sequence[T]
    token: str
    """The token of the next page; empty on the last page."""


class _BothWays(Protocol[T_co]):
    def __iter__(self) -> Iterator[T_co]: ...
    def __aiter__(self) -> AsyncGenerator[T_co, None]: ...


class Pager(NotASequence, Generic[T]):
    """A listing for `for` or `async for`. It fetches nothing before the loop starts; each loop starts from the first page.

    A loop yields each entity once. If servers count pages by position, a new entity moves others to the next page, which
    then repeats them; the pager drops the repeats and fills up to the limit. It recognizes the last 10,000 entities. It
    cannot find what moves the other way: when an entity disappears from a page that was already fetched, or moves there,
    one entity of the next page may be missing.
    """

    _instead = "pager.collect()"

    def __init__(
        self,
        fetch_page: Callable[[str, int], Awaitable[Page[T]]],
        *,
        limit: int | None,
        page_size: int,
        timeout: float | timedelta | None = None,
        key: Callable[[T], Hashable] | None = None,
    ) -> None:
        """Create the listing without fetching anything.

        Args:
            fetch_page: Fetches the page of a token (empty for the first page) with at most the given number of items.
            limit: Maximum number of items. None for all.
            page_size: Items per request, at least 1.
            timeout: Maximum seconds for each page, or a timedelta. Default: each call has its own limit.
            key: Identifies an item, so that repeats are dropped; None for an item that is always kept. Default: all items
                are kept.

        Raises:
            TypeError: `limit` or `page_size` is not an int, or `timeout` is not a number of seconds.
            ValueError: `limit` is negative, `page_size` below 1, or `timeout` not positive.
        """
        if limit is not None:
            whole("limit", limit, 0)
        whole("page_size", page_size, 1)
        self._timeout = None if timeout is None else seconds("timeout", timeout)
        self._fetch = carrying(fetch_page)
        self._limit = limit
        self._page_size = page_size
        self._key = key

    def __aiter__(self) -> AsyncGenerator[T, None]:
        return self._items()

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page

    def __repr__(self) -> str:
        limit = "" if self._limit is None else f"limit={self._limit}, "
        return f"Pager({limit}page_size={self._page_size})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Pager fetches pages through a client, so it cannot be pickled; pickle list(pager)")

    def pages(self) -> _BothWays[list[T]]:
        """Iterate over whole pages with `for` or `async for`. Empty pages are skipped."""
        return _Pages(self._walk)

    @blocking
    async def first(self) -> T | None:
        """Fetch only the first item. Returns None if the listing is empty."""
        limit = 1 if self._limit is None else min(1, self._limit)
        async with aclosing(Pager(self._fetch, limit=limit, page_size=1, timeout=self._timeout)._items()) as items:
            return await anext(items, None)

    @blocking
    async def collect(self) -> list[T]:
        """Fetch all items, up to the limit, as a list."""
        found: list[T] = []
        async with aclosing(self._walk()) as pages:
            async for page in pages:
                found += page
        return found

    async def page(self, token: str, size: int) -> Page[T]:
        """Fetch one page, for listings built on this one. It has no `.aio` form and ignores the limit.

        Args:
            token: The token that came with the previous page; empty for the first page.
            size: Maximum number of items.
        """
        with within(self._timeout):
            return await self._fetch(token, size)

    async def _items(self) -> AsyncGenerator[T, None]:
        async with aclosing(self._walk()) as pages:
            async for page in pages:
                for item in page:
                    yield item

    async def _walk(self) -> AsyncGenerator[list[T], None]:
        left = self._limit
        token, seen, empty = "", {""}, 0
        repeats = None if self._key is None else _Repeats(self._key)
        ahead: asyncio.Task[Page[T]] | None = None
        try:
            while left is None or left > 0:
                page = await (self._get(token, left) if ahead is None else ahead)
                ahead = None
                more = page.token not in seen
                fetched = page.items if repeats is None else repeats.new_items(page.items, last=not more)
                items = list(fetched if left is None else fetched[:left])
                if left is not None:
                    left -= len(items)
                token = page.token
                empty = 0 if page.items else empty + 1
                if empty >= _EMPTY_PAGES:
                    raise SdkError(f"the server sent {empty} empty pages in a row and still reports more pages")
                more = more and left != 0
                seen.add(token)
                if more and items:
                    ahead = asyncio.create_task(self._get(token, left))
                    for _ in range(_TURNS):
                        # Otherwise a caller that does not await between items would delay the request.
                        await asyncio.sleep(0)
                if items:
                    yield items
                if not more:
                    return
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.wait([ahead])
                if not ahead.cancelled():
                    ahead.exception()  # marks the exception as retrieved; the page is not needed

    async def _get(self, token: str, left: int | None) -> Page[T]:
        return await self.page(token, self._page_size if left is None else min(self._page_size, left))


class _Repeats(Generic[T]):
    """Drops the items that one loop over a listing has already yielded."""

    def __init__(self, key: Callable[[T], Hashable]) -> None:
        self._key = key
        self._newer: set[Hashable] = set()
        self._older: set[Hashable] = set()
        self._in_a_row = 0
        """Repeats since the last new item."""

    def new_items(self, items: Sequence[T], *, last: bool) -> Sequence[T]:
        """Return the items of the next page that earlier pages do not have.

        Args:
            items: The page.
            last: Whether no page follows, so that its items need not be remembered.

        Raises:
            SdkError: The server has only sent repeats for a long time, so the listing would not end.
        """
        if last and not self._newer and not self._older:
            return items  # the only page, which most listings have
        keys = [self._key(item) for item in items]
        distinct = set(keys)
        if len(distinct) < len(keys) or not (self._newer.isdisjoint(distinct) and self._older.isdisjoint(distinct)):
            items = self._without_repeats(items, keys)
        elif items:
            self._in_a_row = 0
        if len(self._newer) >= _REMEMBERED:
            self._older, self._newer = self._newer, set()
        distinct.discard(None)
        self._newer |= distinct
        return items

    def _without_repeats(self, items: Sequence[T], keys: Sequence[Hashable]) -> Sequence[T]:
        kept: list[T] = []
        of_page: set[Hashable] = set()
        for item, key in zip(items, keys, strict=True):
            if key is not None and (key in of_page or key in self._newer or key in self._older):
                self._in_a_row += 1
            else:
                of_page.add(key)
                kept.append(item)
                self._in_a_row = 0
        if self._in_a_row > _REMEMBERED:
            raise SdkError(f"the server has repeated {self._in_a_row} items in a row and still reports more pages")
        return kept


class _Pages(Generic[T]):
    """Iterates over pages. A blocking loop switches threads once per page, not once per item."""

    def __init__(self, walk: Callable[[], AsyncGenerator[list[T], None]]) -> None:
        self._walk = walk

    def __aiter__(self) -> AsyncGenerator[list[T], None]:
        return self._walk()

    def __iter__(self) -> Iterator[list[T]]:
        pages, generation = self._walk(), bridge.fork_generation()
        while (page := bridge.run(_next(pages))) is not None:
            try:
                yield page
            except GeneratorExit:
                if generation == bridge.fork_generation():
                    bridge.call_soon(lambda: asyncio.ensure_future(_close(pages)))
                raise
            if generation != bridge.fork_generation():
                raise bridge.forked_error()


async def _next(pages: AsyncGenerator[list[T], None]) -> list[T] | None:
    return await anext(pages, None)


async def _close(pages: AsyncGenerator[list[T], None]) -> None:
    await pages.aclose()
