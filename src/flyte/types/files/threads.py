"""Threads for transfers: the event loop never waits for a socket or a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Self, TypeVar

from flyte_rpc.http.transfer import Transfer

T = TypeVar("T")

_STOPPING = 5.0
"""Seconds that a cancelled transfer has for cleaning up. A thread that still connects ends later, by its time limit."""


class TransferThreads:
    """Runs blocking transfers beside the event loop."""

    def __init__(self, limit: int) -> None:
        """Create the threads when they are needed.

        Args:
            limit: The most transfers at a time.
        """
        # Not the loop's default executor, which may have fewer threads and is shared with others.
        self._executor = ThreadPoolExecutor(limit, "flyte-transfer")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[[Transfer], T], *, idle: float, timeout: float | None = None) -> T:
        """Run a transfer in a thread, and cancel it together with this coroutine.

        Args:
            work: The transfer. It sees the context variables of the caller.
            idle: The most seconds that the peer may send or accept nothing.
            timeout: The most seconds for the transfer. Default: no limit.

        Raises:
            TimeoutError: The time is over. The transfer is cancelled.
        """
        transfer = Transfer(idle)
        context = copy_context()
        future = asyncio.get_running_loop().run_in_executor(self._executor, lambda: context.run(work, transfer))
        try:
            await asyncio.wait([future], timeout=timeout)
            if not future.done():
                raise TimeoutError
        finally:
            if not future.done():
                await _stop(future, transfer)
        return future.result()


async def _stop(future: asyncio.Future[T], transfer: Transfer) -> None:
    future.add_done_callback(_consume_exception)
    transfer.cancel()
    await asyncio.wait([future], timeout=_STOPPING)


def _consume_exception(future: asyncio.Future[T]) -> None:
    """Nobody waits for the outcome of a cancelled transfer."""
    if not future.cancelled():
        future.exception()
