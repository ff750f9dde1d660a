"""Work that several callers wait for, such as making the connection that all of them need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from copy import copy
from typing import Any, Generic, TypeVar

from flyte_rpc.errors import ConnectionLostError, RpcError

T = TypeVar("T")


class SharedTask(Generic[T]):
    """Runs a coroutine function at most once at a time. Callers that come in the meantime wait for the same result."""

    def __init__(self, function: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Describe the work; `run` starts it.

        Args:
            function: Does the work.
        """
        self._function = function
        self._task: asyncio.Task[T] | None = None
        self._closed_because = ""

    async def run(self) -> T:
        """Start the work, or wait for the work under way. A cancelled caller does not cancel it.

        Raises:
            RpcError: The work failed. Every caller gets an error of its own, to which it may add.
            ConnectionLostError: `close` was called.
        """
        if self._closed_because:
            raise self._closed_error()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._function())
            self._task.add_done_callback(_consume_exception)
        task = self._task
        try:
            return await asyncio.shield(task)
        except RpcError as error:
            raise copy(error) from error.__cause__
        except asyncio.CancelledError:
            if self._closed_because and task.cancelled():
                raise self._closed_error() from None
            raise

    def close(self, reason: str) -> None:
        """Cancel the work under way, and refuse to start it again."""
        self._closed_because = self._closed_because or reason
        if self._task is not None:
            self._task.cancel()

    def _closed_error(self) -> ConnectionLostError:
        return ConnectionLostError(self._closed_because, hint="Create a new Client.", unprocessed=True)


def _consume_exception(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # if no caller waits any more, asyncio would report the exception as never retrieved
