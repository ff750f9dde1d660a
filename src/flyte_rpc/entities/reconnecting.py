"""The loop that reconnects a broken stream, and the loop that retries a call until it succeeds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from flyte_rpc.calls.retry import BROKEN_STREAM, BUSY_SERVER, SUBSCRIPTIONS, Backoff, Failures
from flyte_rpc.errors import EndpointError, RpcError, UnauthenticatedError, UnknownError

T = TypeVar("T")

RESUMABLE = (*BROKEN_STREAM, UnknownError)
"""Errors after which a stream is opened again. Go servers end a stream with UNKNOWN after any error without a code, such as a
race in a burst of updates."""

_LONG_LIFE = 10.0
"""Seconds after which the end of a stream is not a failure. Proxies cut streams that are quiet for too long."""

_log = logging.getLogger("flyte_rpc.watch")


async def resuming(
    subscribe: Callable[[], AsyncGenerator[T, None]],
    *,
    label: str,
    is_over: Callable[[RpcError | None], Awaitable[bool]] | None = None,
    resume_after: tuple[type[RpcError], ...] = RESUMABLE,
    backoff: Backoff = SUBSCRIPTIONS,
    reached: bool = False,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[T, None]:
    """Yield the items of a stream, and reconnect when it breaks or ends.

    Failures count only in a row: any item starts the count again, and so does a stream that was open for ten seconds,
    since a proxy may cut a stream because nothing happens. Clean ends do not count, but the delays after them grow as
    well.

    Args:
        subscribe: Opens one stream.
        label: The name of the stream in log messages.
        is_over: Called when the stream ends, with the error, or None for a clean end. Returns whether the stream is
            complete; may raise. Default: the stream is never complete.
        resume_after: Errors after which the stream reconnects. Others are raised immediately.
        backoff: Maximum attempts and delays.
        reached: Whether the server has answered before. Otherwise an `EndpointError` of the first attempt is raised
            immediately, because waiting would only hide a wrong endpoint.
        sleep: Waits between attempts.
        clock: Tells the time in seconds.

    Raises:
        RpcError: The stream failed too often in a row, or with a permanent error. Credentials that the server rejects in
            the middle of a stream are renewed if possible, and the stream reconnects.
    """
    failures, quiet_ends = Failures(backoff), 0
    while True:
        opened_at = clock()
        try:
            async with aclosing(subscribe()) as items:
                async for item in items:
                    failures.reset()
                    quiet_ends = 0
                    yield item
            if is_over is not None and await is_over(None):
                return
            quiet_ends += 1
            delay = backoff.delay(quiet_ends)
        except resume_after as error:
            if isinstance(error, EndpointError) and not reached:
                raise
            if is_over is not None and await is_over(error):
                return
            # An `EndpointError` after so long is a slow attempt to connect; the stream was never open.
            if clock() - opened_at >= _LONG_LIFE and not isinstance(error, EndpointError):
                failures.reset()
            delay = failures.delay_after(error)
            _log.warning("%s broke; reconnecting in %.1f s: %s", label, delay, error)
        except UnauthenticatedError as error:
            if not error.renewed:
                raise
            delay = failures.delay_after(error)
            _log.info("%s has new credentials; reconnecting in %.1f s", label, delay)
        reached = True
        await sleep(delay)


async def persistent(
    call: Callable[[], Awaitable[T]],
    *,
    label: str,
    backoff: Backoff,
    retry_after: tuple[type[RpcError], ...] = BUSY_SERVER,
) -> T:
    """Send an idempotent call until it succeeds.

    Args:
        call: Makes one attempt.
        label: The name of the call in log messages.
        backoff: Maximum attempts and delays.
        retry_after: Errors after which the call is retried. Others are raised immediately.

    Raises:
        RpcError: The call failed too often, or with a permanent error.
    """
    failures = Failures(backoff)
    while True:
        try:
            return await call()
        except retry_after as error:
            delay = failures.delay_after(error)
            _log.warning("%s failed; retrying in %.1f s: %s", label, delay, error)
        await asyncio.sleep(delay)
