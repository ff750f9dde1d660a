"""Closing sockets when their event loop is shut down, as `asyncio.run` does, even if nobody closes the client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable


class LoopGuard:
    """Runs a coroutine function when the running event loop is shut down."""

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        """Describe the guard; `start` activates it.

        Args:
            close: Closes the sockets, and waits for a bounded time.
        """
        self._close = close
        self._generator: AsyncGenerator[None, None] | None = None

    async def start(self) -> None:
        """Guard the running event loop. Starting twice does nothing."""
        if self._generator is None:
            self._generator = self._until_the_loop_ends()
            await anext(self._generator)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield  # loops close the async generators that are open when they are shut down
        finally:
            await self._close()
