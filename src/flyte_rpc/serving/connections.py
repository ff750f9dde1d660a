"""The open connections of a server, and how they end."""

from __future__ import annotations

import asyncio
from typing import Protocol

_GRACE = 5.0
"""Seconds that cancelled handlers get to finish."""

_FLUSH = 1.0
"""Seconds that clients get to read what was sent to them."""


class Connection(Protocol):
    """A connection, whatever protocol it speaks."""

    async def cancel_calls(self) -> None:
        """Cancel the handlers, and wait until they are done."""
        ...

    def close(self) -> None:
        """Close the socket after sending what is written."""
        ...

    def abort(self) -> None:
        """Close the socket at once."""
        ...


class Connections:
    """A set of open connections."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Note that a connection is open."""
        self._open.add(connection)
        self._empty.clear()

    def discard(self, connection: Connection) -> None:
        """Note that a connection is gone."""
        self._open.discard(connection)
        if not self._open:
            self._empty.set()

    async def close(self) -> None:
        """Cancel all handlers, then close all sockets."""
        running = [asyncio.ensure_future(connection.cancel_calls()) for connection in self._open]
        if running:  # handlers get to their `finally` clauses first
            await asyncio.wait(running, timeout=_GRACE)
        for connection in list(self._open):
            connection.close()
        try:
            async with asyncio.timeout(_FLUSH):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self._open):
                connection.abort()
            await self._empty.wait()
