"""Following something until it is final, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from flyte_rpc.arguments import seconds
from flyte_rpc.calls.retry import SUBSCRIPTIONS, Backoff
from flyte_rpc.errors import (
    DeadlineExceededError,
    EndpointError,
    RpcCancelledError,
    RpcError,
    UnavailableError,
    WaitTimeoutError,
)

from .stream import Stream

R = TypeVar("R")
T = TypeVar("T")

_log = logging.getLogger("flyte.watch")

_TRANSIENT = (UnavailableError, DeadlineExceededError, RpcCancelledError)
"""What a restart, a rollout or a proxy's time limit does to a stream. A reset stream is an UnavailableError too."""


class Watch(Stream[T]):
    """A stream that opens again when it breaks, and that ends after the first item that is final.

    A broken stream is opened again after half a second, then after twice as long each time, five times at most; any item
    starts the count anew. A server that ends the stream before an item was final is asked again, without counting. An item may
    come twice when that happens, as servers begin with the present state.
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
            waited_for: What `WaitTimeoutError` says was waited for.
            phase: What `WaitTimeoutError` gives as the last phase, of the last item.
            backoff: How often and how fast a broken stream is opened again.
            sleep: How delays are waited for.

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
        begun = clock()
        end = None if self._timeout is None else begun + self._timeout
        failures = idle = 0
        reached = False
        last: T | None = None
        try:
            while True:
                try:
                    async with aclosing(self._subscribe()) as items:
                        while True:
                            try:
                                item = await (anext(items) if end is None else _before(end, anext(items)))
                            except StopAsyncIteration:
                                break
                            reached, failures, idle = True, 0, 0
                            last = item
                            yield item
                            if self._is_final(item):
                                return
                    idle += 1
                    delay = self._backoff.delay(idle)
                except _TRANSIENT as error:
                    if isinstance(error, EndpointError) and not reached:
                        raise  # nothing was ever there: waiting would only hide a wrong endpoint
                    failures += 1
                    if failures >= self._backoff.attempts:
                        raise
                    delay = self._backoff.delay(failures)
                    _log.warning("a watch broke, opening it again in %.1f s: %s", delay, error)
                reached = True
                await _before(end, self._sleep(delay))
        except _Expired:
            phase = "" if self._phase is None or last is None else self._phase(last)
            raise WaitTimeoutError(self._waited_for, elapsed=clock() - begun, last_phase=phase) from None


class _Expired(Exception):
    """The whole watch has run out of time, which is not one stream's deadline."""


async def _before(end: float | None, awaitable: Awaitable[R]) -> R:
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as error:
        if limit.expired() and not isinstance(error, RpcError):
            raise _Expired from None
        raise
