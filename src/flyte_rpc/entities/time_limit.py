"""Time limits of streams and watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from flyte_rpc.errors import RpcError, WaitTimeoutError

T = TypeVar("T")


class ExpiredError(Exception):
    """The stream as a whole timed out, as opposed to the deadline of one call."""


async def before(end: float | None, awaitable: Awaitable[T]) -> T:
    """Await something until a time of the running event loop.

    Raises:
        ExpiredError: The time has come.
    """
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as error:
        if limit.expired() and not isinstance(error, RpcError):
            raise ExpiredError from None
        raise


def expiring(
    source: Callable[[], AsyncGenerator[T, None]], timeout: float | None, waited_for: str
) -> Callable[[], AsyncGenerator[T, None]]:
    """Limit the time of a stream.

    Args:
        source: Opens the stream.
        timeout: Total seconds. None for no limit.
        waited_for: The event that `WaitTimeoutError` names.
    """
    if timeout is None:
        return source

    async def items() -> AsyncGenerator[T, None]:
        clock = asyncio.get_running_loop().time
        start = clock()
        async with aclosing(source()) as found:
            while True:
                try:
                    item = await before(start + timeout, anext(found))
                except StopAsyncIteration:
                    return
                except ExpiredError:
                    raise WaitTimeoutError(waited_for, elapsed=clock() - start) from None
                yield item

    return items
