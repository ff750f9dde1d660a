"""The open connections of a server, and how they end."""

from __future__ import annotations

import asyncio
from typing import Protocol

_GRACE = 5.0
"""Seconds that cancelled handlers get to finish."""

_FLUSH = 1.0
"""Seconds that clients get to read what was sent to them."""


_MOST = 10_000


def default_limit() -> int:
    """Return how many connections a server keeps open: half of the files that the process may open."""
    try:
        import resource
    except ImportError:  # not on this system
        return _MOST
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if allowed == resource.RLIM_INFINITY else max(1, min(_MOST, allowed // 2))


class Connection(Protocol):
    """A connection, whatever protocol it speaks."""

    @property
    def idle(self) -> bool:
        """Whether it has no request to answer."""
        ...

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
    """The open connections, the oldest first.

    There is a limit, so that connections that nobody uses cannot take all of the process's open files. At the limit, a new
    connection replaces the oldest one without a request, or is closed if there is none.
    """

    def __init__(self, limit: int | None = None) -> None:
        """Start without connections.

        Args:
            limit: Most connections. Default: half of the files that the process may open.
        """
        self.limit = default_limit() if limit is None else limit
        """Most connections."""
        self._open: dict[Connection, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Note that a connection is open, and close another one if there are too many."""
        if len(self._open) >= self.limit:
            unused = next((other for other in self._open if other.idle), connection)
            self._open.pop(unused, None)
            unused.abort()
            if unused is connection:
                return
        self._open[connection] = None
        self._empty.clear()

    def hand_over(self, connection: Connection) -> None:
        """Make room for the protocol that adds itself in place of this one."""
        self._open.pop(connection, None)

    def discard(self, connection: Connection) -> None:
        """Note that a connection is gone."""
        self._open.pop(connection, None)
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
