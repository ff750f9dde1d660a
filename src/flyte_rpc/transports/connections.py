"""The HTTP/2 connections to one endpoint: as many as the server's limit of streams makes necessary."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from flyte_rpc.errors import RpcError

from .http2.connection import Http2Connection
from .shared_task import SharedTask

MAX_CONNECTIONS = 16
"""Connections to one endpoint. Servers admit about 100 streams on each; these are enough for 1,000 watches and more."""

IDLE_SECONDS = 30.0
"""Seconds after which a connection without calls is closed while there is another one."""


class Http2Connections:
    """Opens connections when they are needed, and replaces those that end."""

    def __init__(
        self, connect: Callable[[], Coroutine[Any, Any, Http2Connection]], idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """Describe the connections; the first call opens one.

        Args:
            connect: Opens a connection and completes its handshake.
            idle_seconds: Seconds after which a connection without calls is closed while there is another one.
        """
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._connect = connect
        self._connecting = SharedTask(self._add_new)
        self._open: list[Http2Connection] = []
        self._idle_timer: asyncio.TimerHandle | None = None

    def add(self, connection: Http2Connection) -> None:
        """Add a connection, and forget those that have ended."""
        self._open = [other for other in self._open if not other.closed_because]
        self._open.append(connection)

    def pick(self, *, long: bool) -> Http2Connection | None:
        """A connection that takes a stream now; None if there is none."""
        for connection in self._open:
            if connection.usable and connection.has_room(long=long):
                return connection
        return None

    async def acquire(self, *, long: bool) -> Http2Connection:
        """A connection for a call. The call may have to wait for its stream: see `Http2Stream.admitted`.

        Args:
            long: Whether the call may stay open for long, as watches and logs do.

        Raises:
            RpcError: The server cannot be reached.
        """
        while (connection := self.pick(long=long)) is None:
            if len(self._usable()) >= MAX_CONNECTIONS:
                return self._least_loaded()
            try:
                connection = await self._connecting.run()
            except RpcError:
                if self._usable():
                    # The server takes no further connection, and will take a stream on one that it has.
                    return self._least_loaded()
                raise
            if not connection.usable:
                return connection  # the call fails on it: a server that ends every connection is not called for ever
        return connection

    def released(self, connection: Http2Connection) -> None:
        """Note that a call on a connection has ended."""
        if self._idle_timer is None and len(self._open) > 1 and not connection.load:
            self._idle_timer = self._loop.call_later(self._idle_seconds, self._close_idle)

    def close(self, reason: str) -> None:
        """Close all connections. Running calls fail."""
        self._connecting.close(reason)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        for connection in self._open:
            connection.close(reason)

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the sockets are closed. After so many seconds, close them by force."""
        for connection in self._open:
            await connection.wait_closed(seconds)

    def _usable(self) -> list[Http2Connection]:
        return [connection for connection in self._open if connection.usable]

    def _least_loaded(self) -> Http2Connection:
        return min(self._usable(), key=lambda connection: connection.load)

    async def _add_new(self) -> Http2Connection:
        connection = await self._connect()
        self.add(connection)
        return connection

    def _close_idle(self) -> None:
        """Close connections that had no call for a while, but for one."""
        self._idle_timer = None
        usable = self._usable()
        since = self._loop.time() - self._idle_seconds
        for connection in reversed(usable[1:]):
            if not connection.load and connection.last_received <= since:
                connection.drain()
        if any(connection.usable for connection in usable[1:]):
            self._idle_timer = self._loop.call_later(self._idle_seconds, self._close_idle)
