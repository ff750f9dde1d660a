"""The HTTP/2 connections to one endpoint: as many as the server's limit of streams makes necessary."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING

from flyte_rpc.errors import ConnectionLostError, DeadlineExceededError, RpcError

from . import diagnosis
from .dial import dial
from .http2.connection import Http2Connection
from .http2.headers import HeaderWriter

if TYPE_CHECKING:
    import ssl

    from .endpoint import Endpoint

MAX_CONNECTIONS = 16
"""Connections to one endpoint. Servers admit about 100 streams on each; these are enough for 1,000 watches and more."""

_IDLE_SECONDS = 30.0
"""Seconds after which a connection without calls is closed while there is another one."""


class Http2Connections:
    """Opens connections when they are needed, and replaces those that end."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        ssl_context: ssl.SSLContext | None,
        user_agent: str,
        connect_seconds: float,
        ping_interval: float,
        ping_timeout: float,
        close_seconds: float,
    ) -> None:
        """Describe the connections; the first call opens one. The arguments are those of `GrpcTransport`."""
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._ssl_context = ssl_context
        self._user_agent = user_agent
        self._connect_seconds = connect_seconds
        self.ping_interval = ping_interval
        """Seconds between pings: doubled when a server says that it is pinged too often."""
        self._ping_timeout = ping_timeout
        self._close_seconds = close_seconds
        self._open: list[Http2Connection] = []
        self._connecting: asyncio.Task[Http2Connection] | None = None
        self._closed = False
        self.connected = False
        """Whether the server has ever been reached."""

    def pick(self, *, long: bool) -> Http2Connection | None:
        """A connection that takes a stream now; None if there is none."""
        for connection in self._open:
            if connection.usable and connection.has_room(long=long):
                return connection
        return None

    async def acquire(self, end: float | None, timeout: float | None, *, long: bool) -> Http2Connection:
        """A connection for a call. With the largest number of connections, the call may have to wait for its stream.

        Args:
            end: Time of the event loop at which the call's deadline is.
            timeout: Seconds of that deadline, for the error.
            long: Whether the call may stay open for long.

        Raises:
            RpcError: The server cannot be reached, or the deadline has passed.
        """
        limit = asyncio.timeout_at(end)
        try:
            async with limit:
                while True:
                    connection = self.pick(long=long)
                    if connection is not None:
                        return connection
                    usable = [connection for connection in self._open if connection.usable]
                    if len(usable) >= MAX_CONNECTIONS:
                        return min(usable, key=lambda connection: connection.load)
                    try:
                        await self._connect()
                    except RpcError:
                        if usable := [connection for connection in usable if connection.usable]:
                            # The server takes no further connection, and will take a stream on one it has.
                            return min(usable, key=lambda connection: connection.load)
                        raise
        except TimeoutError as error:
            if isinstance(error, RpcError) or not limit.expired():
                raise
            what = f"not connected to the server after {round(timeout or 0, 3):g} s"
            raise DeadlineExceededError(what, unprocessed=True) from None

    def released(self, connection: Http2Connection) -> None:
        """Note that a call on a connection has ended."""
        if len(self._open) > 1 and not connection.load:
            self._loop.call_later(_IDLE_SECONDS, self._close_idle, connection)

    def close(self) -> None:
        """Close all connections. Running calls fail."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        for connection in self._open:
            connection.close("the client was closed")

    async def aclose(self) -> None:
        """Close all connections, and wait until their sockets are closed."""
        self.close()
        for connection in self._open:
            await connection.wait_closed(self._close_seconds)

    def _close_idle(self, connection: Http2Connection) -> None:
        others = any(other.usable for other in self._open if other is not connection)
        if others and not connection.load:
            connection.drain()

    async def _connect(self) -> Http2Connection:
        """A new connection. One task makes it for all waiting calls."""
        if self._connecting is None or self._connecting.done():
            self._discard_ended()
            self._connecting = self._loop.create_task(self._handshake())
            self._connecting.add_done_callback(_consume_exception)
        connecting = self._connecting
        try:
            return await asyncio.shield(connecting)
        except RpcError as error:
            raise copy(error) from error.__cause__  # each call adds to its error where it happened
        except asyncio.CancelledError:
            if self._closed and connecting.cancelled():
                raise self._closed_error() from None
            raise

    def _discard_ended(self) -> None:
        ended = [connection for connection in self._open if connection.closed_because]
        if any(connection.pings_refused for connection in ended):
            self.ping_interval *= 2
        self._open = [connection for connection in self._open if connection not in ended]

    def _closed_error(self) -> ConnectionLostError:
        return ConnectionLostError("the client was closed", hint="Make a new Client.", unprocessed=True)

    async def _handshake(self) -> Http2Connection:
        if self._closed:
            raise self._closed_error()
        endpoint, made = self._endpoint, list[Http2Connection]()
        if endpoint.tls and self._ssl_context is None:
            self._ssl_context = _default_ssl_context()
        if endpoint.tls and self._ssl_context is not None:
            self._ssl_context.set_alpn_protocols(["h2"])

        def make_connection() -> Http2Connection:
            headers = HeaderWriter("https" if endpoint.tls else "http", endpoint.authority, self._user_agent)
            made.append(
                Http2Connection(self._loop, headers, ping_interval=self.ping_interval, ping_timeout=self._ping_timeout)
            )
            return made[-1]

        try:
            async with asyncio.timeout(self._connect_seconds):
                connection = await dial(endpoint, make_connection, self._ssl_context if endpoint.tls else None)
            await connection.watch_the_loop()
            self._open.append(connection)
            self.connected = True
            return connection
        except OSError as error:
            if isinstance(error, RpcError):
                raise
            reached = any(connection.reached for connection in made)
            raise diagnosis.unreachable(endpoint, error, connected=reached) from error


def _consume_exception(task: asyncio.Task[Http2Connection]) -> None:
    if not task.cancelled():
        task.exception()  # if no call waits any more, asyncio would report the exception as never retrieved


def _default_ssl_context() -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
