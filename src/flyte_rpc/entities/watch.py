"""Watches: streams that reconnect and end with a final item."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import TypeVar

from flyte_rpc.arguments import seconds
from flyte_rpc.calls.retry import SUBSCRIPTIONS, Backoff
from flyte_rpc.errors import RpcError, WaitTimeoutError

from .idle import with_checks
from .reconnecting import resuming
from .stream import Stream
from .time_limit import ExpiredError, before

T = TypeVar("T")

_SILENCE = 30.0
"""Seconds without an item after which the current state is fetched."""


class Watch(Stream[T]):
    """A stream that reconnects, and ends after the first final item.

    A broken stream reconnects after half a second, then after twice as long each time, at most five times. Any item
    starts the count again, and so does a stream that was open for ten seconds. If the server ends the stream before a
    final item, the watch subscribes again without counting a failure. An item may arrive twice then, because servers
    begin with the current state.

    Servers may lose an update. A watch that knows how fetches the current state when its stream has been silent for 30
    seconds, and delivers it if it differs from the last item.
    """

    def __init__(
        self,
        subscribe: Callable[[], AsyncGenerator[T, None]],
        *,
        is_final: Callable[[T], bool],
        timeout: float | timedelta | None = None,
        waited_for: str = "the end of a watch",
        about: str = "",
        phase: Callable[[T], str] | None = None,
        bounded: bool = False,
        fetch: Callable[[], Awaitable[T | None]] | None = None,
        each: Callable[[T], None] | None = None,
        on_final: Callable[[T], Awaitable[None]] | None = None,
        reached: Callable[[], bool] | None = None,
        silence: float | None = None,
        backoff: Backoff = SUBSCRIPTIONS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the watch. Iterating opens it.

        Args:
            subscribe: Opens one stream.
            is_final: Returns whether an item is the last one.
            timeout: Total seconds, or a timedelta. None for no limit.
            waited_for: The event that `WaitTimeoutError` names.
            about: The name of the watched resource, for watches that end with another event.
            phase: Returns the phase of the last item, for `WaitTimeoutError`.
            bounded: Whether the watch is over when the server ends the stream without an error. Default: it subscribes again.
            fetch: Fetches the current state after a silence; it returns None if it is unknown. Default: silences are
                waited out.
            each: Called with each item before the item is delivered.
            on_final: Awaited with the final item before the item is delivered.
            reached: Returns whether the server has answered before. If so, a failure to connect is retried from the first
                attempt on. Default: it has not.
            silence: Seconds without an item that make a silence. Default: 30.
            backoff: Maximum attempts and delays after a broken stream.
            sleep: Waits between attempts.
            clock: Tells the time in seconds.

        Raises:
            TypeError: `timeout` is not a number of seconds.
            ValueError: `timeout` is not positive.
        """
        self._timeout = None if timeout is None else seconds("timeout", timeout)
        super().__init__(self._follow)
        self._subscribe = subscribe
        self._is_final = is_final
        self._waited_for = waited_for
        self._about = about
        self._phase = phase
        self._bounded = bounded
        self._fetch = fetch
        self._each = each
        self._on_final = on_final
        self._reached = reached
        self._silence = _SILENCE if silence is None else silence
        self._backoff = backoff
        self._sleep = sleep
        self._clock = clock

    def ending(
        self,
        is_final: Callable[[T], bool],
        *,
        on_final: Callable[[T], Awaitable[None]] | None = None,
        until: str = "",
        silence: float | None = None,
    ) -> Watch[T]:
        """Return a watch of the same resource that ends with another item.

        Args:
            is_final: Returns whether an item is the last one.
            on_final: Awaited with the final item before the item is delivered.
            until: What the watched resource does then, in `WaitTimeoutError`, such as `to start`. Default: the event of
                this watch.
            silence: Seconds without an item that make a silence. Default: that of this watch.
        """
        return self._copy(is_final, self._each, on_final, until=until, silence=silence)

    def telling(self, each: Callable[[T], None]) -> Watch[T]:
        """Return a watch of the same resource that calls a function with each item before the item is delivered."""
        return self._copy(self._is_final, each, self._on_final)

    def _copy(
        self,
        is_final: Callable[[T], bool],
        each: Callable[[T], None] | None,
        on_final: Callable[[T], Awaitable[None]] | None,
        *,
        until: str = "",
        silence: float | None = None,
    ) -> Watch[T]:
        return Watch(
            self._subscribe,
            is_final=is_final,
            timeout=self._timeout,
            waited_for=f"{self._about} {until}" if until else self._waited_for,
            about=self._about,
            phase=self._phase,
            bounded=self._bounded,
            fetch=self._fetch,
            each=each,
            on_final=on_final,
            reached=self._reached,
            silence=self._silence if silence is None else silence,
            backoff=self._backoff,
            sleep=self._sleep,
            clock=self._clock,
        )

    async def _follow(self) -> AsyncGenerator[T, None]:
        clock = asyncio.get_running_loop().time
        start = clock()
        end = None if self._timeout is None else start + self._timeout
        last: T | None = None
        source = resuming(
            self._subscribe,
            label="a watch",
            is_over=_is_clean_end if self._bounded else None,
            backoff=self._backoff,
            reached=self._reached is not None and self._reached(),
            sleep=self._sleep,
            clock=self._clock,
        )
        fetch = self._fetch

        async def news() -> T | None:
            item = None if fetch is None else await fetch()
            if item is None or (last is not None and not self._is_final(item) and _state(item) == _state(last)):
                return None
            return item

        try:
            async with (
                aclosing(source) as updates,
                aclosing(updates if fetch is None else with_checks(updates, self._silence, news)) as items,
            ):
                while True:
                    try:
                        item = await (anext(items) if end is None else before(end, anext(items)))
                    except StopAsyncIteration:  # a bounded watch has ended
                        return
                    last = item
                    if self._each is not None:
                        self._each(item)
                    final = self._is_final(item)
                    if final and self._on_final is not None:
                        await before(end, self._on_final(item))
                    yield item
                    if final:
                        return
        except ExpiredError:
            phase = "" if self._phase is None or last is None else self._phase(last)
            raise WaitTimeoutError(self._waited_for, elapsed=clock() - start, last_phase=phase) from None


async def _is_clean_end(error: RpcError | None) -> bool:
    return error is None


def _state(item: object) -> object:
    """The state of an item. Entities are equal if they identify the same resource, whatever its state."""
    return getattr(item, "pb2", item)
