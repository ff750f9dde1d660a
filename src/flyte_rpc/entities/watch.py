"""Watches: streams that reconnect and end with a final item."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from flyte_rpc.arguments import seconds
from flyte_rpc.calls.retry import SUBSCRIPTIONS, Backoff
from flyte_rpc.errors import RpcError, WaitTimeoutError

from .resuming import resuming
from .stream import Stream

R = TypeVar("R")
T = TypeVar("T")


class Watch(Stream[T]):
    """A stream that reconnects, and ends after the first final item.

    A broken stream is opened again after half a second, then after twice as long each time, five times at most. Any item
    starts the count again. If the server ends the stream before a final item, the watch subscribes again without counting a
    failure. An item may arrive twice then, because servers begin with the current state.
    """

    def __init__(
        self,
        subscribe: Callable[[], AsyncGenerator[T, None]],
        *,
        is_final: Callable[[T], bool],
        timeout: float | None = None,
        waited_for: str = "the end of a watch",
        phase: Callable[[T], str] | None = None,
        backoff: Backoff = SUBSCRIPTIONS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Describe the watch; it is opened by iterating.

        Args:
            subscribe: Opens one stream.
            is_final: Whether nothing can follow an item.
            timeout: Seconds for everything. None for as long as it takes.
            waited_for: The event that `WaitTimeoutError` names.
            phase: What `WaitTimeoutError` gives as the last phase, of the last item.
            backoff: How often and how fast a broken stream is opened again.
            sleep: Waits between attempts.

        Raises:
            ValueError: `timeout` is not positive.
        """
        if timeout is not None:
            seconds("timeout", timeout)
        super().__init__(self._follow)
        self._subscribe = subscribe
        self._is_final = is_final
        self._timeout = timeout
        self._waited_for = waited_for
        self._phase = phase
        self._backoff = backoff
        self._sleep = sleep

    async def _follow(self) -> AsyncGenerator[T, None]:
        clock = asyncio.get_running_loop().time
        start = clock()
        end = None if self._timeout is None else start + self._timeout
        last: T | None = None
        source = resuming(self._subscribe, label="a watch", backoff=self._backoff, sleep=self._sleep)
        try:
            async with aclosing(source) as items:
                while True:
                    item = await (anext(items) if end is None else _before(end, anext(items)))
                    last = item
                    yield item
                    if self._is_final(item):
                        return
        except _ExpiredError:
            phase = "" if self._phase is None or last is None else self._phase(last)
            raise WaitTimeoutError(self._waited_for, elapsed=clock() - start, last_phase=phase) from None


class _ExpiredError(Exception):
    """The whole watch has run out of time, which is not one stream's deadline."""


async def _before(end: float | None, awaitable: Awaitable[R]) -> R:
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as error:
        if limit.expired() and not isinstance(error, RpcError):
            raise _ExpiredError from None
        raise
