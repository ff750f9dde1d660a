"""Keep-alive connections of HTTP/1.1, bounded in number."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from flyte_rpc.errors import ConnectionLostError
from flyte_rpc.transports.loop_guard import LoopGuard

from .http1 import Http1Connection
from .http_call import Reply, Request

UNARY_CONNECTIONS = 16
"""Unary calls at a time; more wait for a connection."""

STREAM_CONNECTIONS = 512
"""Streams at a time. Each has a connection of its own, besides those of unary calls."""

IDLE_SECONDS = 30.0
"""After so many seconds without a call, a connection is closed: before most servers and proxies do it."""

_SHUTDOWN_SECONDS = 1.0

Connect = Callable[[], Awaitable[Http1Connection]]


class Http1Pool:
    """The HTTP/1.1 connections to one endpoint."""

    def __init__(self, connect: Connect, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Describe the connections; calls make them.

        Args:
            connect: Makes a connection.
            idle_seconds: After how long without a call a connection is closed.
        """
        self._connect = connect
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._unary = asyncio.Semaphore(UNARY_CONNECTIONS)
        self._streams = asyncio.Semaphore(STREAM_CONNECTIONS)
        self._idle: dict[Http1Connection, asyncio.TimerHandle] = {}
        """Connections without a call, the last used at the end, with the timers that close them."""
        self._open: set[Http1Connection] = set()
        self._loop_guard = LoopGuard(self._close_with_the_loop)
        self._closed_because = ""

    async def open(self, *, streaming: bool) -> Http1Call:
        """Wait for a connection for a call. Nothing is sent yet."""
        limit = self._streams if streaming else self._unary
        await limit.acquire()
        try:
            connection = self._take_idle() or await self._new_connection()
        except BaseException:  # a cancelled call gives its place back, too
            limit.release()
            raise
        return Http1Call(self, connection, limit)

    async def add(self, connection: Http1Connection) -> None:
        """Add a connection that has no call yet."""
        await self._loop_guard.start()
        self._track(connection)
        self._keep(connection)

    async def _new_connection(self) -> Http1Connection:
        await self._loop_guard.start()
        connection = await self._connect()
        self._track(connection)
        if self._closed_because:
            connection.close(self._closed_because)
            raise ConnectionLostError(self._closed_because, unprocessed=True)
        return connection

    def _track(self, connection: Http1Connection) -> None:
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._forget(connection))

    def _forget(self, connection: Http1Connection) -> None:
        self._open.discard(connection)
        if timer := self._idle.pop(connection, None):
            timer.cancel()

    def _take_idle(self) -> Http1Connection | None:
        """The connection that was used last: the others get the chance to be closed as idle."""
        while self._idle:
            connection, timer = self._idle.popitem()
            timer.cancel()
            if connection.usable:
                connection.prepare()
                return connection
            connection.abort()
        return None

    def _keep(self, connection: Http1Connection) -> None:
        """Keep a connection for the next call."""
        if self._closed_because or len(self._idle) >= UNARY_CONNECTIONS:
            connection.close(self._closed_because or "more connections than needed")
            return
        limit, seconds = connection.idle_limit, self._idle_seconds
        if limit is not None:
            seconds = min(seconds, max(limit - 1.0, 0.0))
        self._idle[connection] = self._loop.call_later(seconds, self._close_idle, connection)

    def _close_idle(self, connection: Http1Connection) -> None:
        self._idle.pop(connection, None)
        connection.close("the connection was idle")

    def finish(self, connection: Http1Connection) -> None:
        """Take back the connection of a call that has ended."""
        if connection.finish_call():
            self._keep(connection)

    def close(self, reason: str) -> None:
        """Close all connections; running calls fail."""
        self._closed_because = self._closed_because or reason
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        for connection in list(self._open):
            connection.close(reason)

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the sockets are closed. After so many seconds, close them by force."""
        closing = [connection.closed for connection in self._open]
        if closing:
            await asyncio.wait(closing, timeout=seconds)
        for connection in list(self._open):
            connection.abort()
        if closing:
            await asyncio.wait(closing)

    async def _close_with_the_loop(self) -> None:
        self.close("the event loop was shut down")
        await self.wait_closed(_SHUTDOWN_SECONDS)


class Http1Call:
    """A call on a connection of the pool."""

    def __init__(self, pool: Http1Pool, connection: Http1Connection, limit: asyncio.Semaphore) -> None:
        self._pool = pool
        self._connection = connection
        self._limit = limit
        self._released = False

    async def send(self, request: Request) -> Reply:
        return await self._connection.send(request)

    def begin(self, request: Request) -> None:
        self._connection.begin(request)

    async def write(self, data: bytes) -> bool:
        return await self._connection.write(data)

    def end(self) -> None:
        self._connection.end()

    async def reply(self) -> Reply:
        return await self._connection.reply()

    async def read(self) -> bytes:
        return await self._connection.read()

    def deadline_passed(self) -> None:
        """Nothing to do: `release` closes a connection whose reply is incomplete."""

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._pool.finish(self._connection)
            self._limit.release()
