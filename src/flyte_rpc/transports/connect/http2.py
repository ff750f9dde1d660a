"""Connect calls over the client's own HTTP/2 connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from flyte_rpc.errors import ConnectionLostError
from flyte_rpc.transports.http2.connection import Http2Connection
from flyte_rpc.transports.http2.stream import Http2Stream

from .http_call import Reply, Request

MAX_CONNECTIONS = 8
"""Connections to one endpoint. A further one is opened when the server's stream limit is reached on the others."""

Connect = Callable[[], Awaitable[Http2Connection]]


class ByteStream(Http2Stream):
    """A stream whose reply is bytes rather than gRPC messages: each piece is a message, as it arrives."""

    __slots__ = ()

    def _split(self, data: bytes) -> None:
        if data:
            self.messages.append(data)


class Http2Pool:
    """The HTTP/2 connections to one endpoint."""

    def __init__(self, connect: Connect) -> None:
        """Describe the connections; calls make them.

        Args:
            connect: Makes a connection.
        """
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._connections: list[Http2Connection] = []
        self._connecting = asyncio.Lock()
        self._closed_because = ""

    def add(self, connection: Http2Connection) -> None:
        """Add a connection."""
        self._connections.append(connection)

    async def open(self, *, streaming: bool) -> Http2Call:
        """Wait for a stream that the server admits. Nothing is sent yet."""
        call = self._open_now(streaming)
        if call is None:
            async with self._connecting:
                # Another task may have connected, or a stream may have ended, in the meantime.
                call = self._open_now(streaming)
                if call is None and len(self._usable()) < MAX_CONNECTIONS:
                    connection = await self._connect()
                    self._connections.append(connection)
                    if self._closed_because:
                        connection.close(self._closed_because)
                    call = self._open_on(connection, streaming)
        if call is None:
            call = self._open_on(self._usable()[-1], streaming)
        try:
            await call.wait_until_admitted()
        except BaseException:
            call.release()
            raise
        return call

    def _usable(self) -> list[Http2Connection]:
        self._connections = [connection for connection in self._connections if not connection.closed_because]
        return [connection for connection in self._connections if connection.usable]

    def _open_now(self, streaming: bool) -> Http2Call | None:
        """A call on the first connection that admits another stream at once."""
        for connection in self._usable():
            call = self._open_on(connection, streaming)
            if call.admitted:
                return call
            call.release()
        return None

    def _open_on(self, connection: Http2Connection, streaming: bool) -> Http2Call:
        return Http2Call(self._loop, connection, streaming=streaming)

    def close(self, reason: str) -> None:
        """Close all connections; running calls fail."""
        self._closed_because = self._closed_because or reason
        for connection in self._connections:
            connection.close(reason)

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the sockets are closed. After so many seconds, close them by force."""
        for connection in self._connections:
            await connection.wait_closed(seconds)


class Http2Call:
    """A call on one stream of a connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Http2Connection, *, streaming: bool) -> None:
        self._connection = connection
        self._started = loop.time()
        self._stream = connection.open(1, ByteStream, long=streaming)
        self._released = False

    @property
    def admitted(self) -> bool:
        """Whether the server's stream limit leaves room for the stream."""
        return self._stream.admitted

    async def wait_until_admitted(self) -> None:
        """Wait for the server's stream limit to leave room."""
        while not self._stream.admitted:
            if self._stream.finished:
                raise self._failure()
            await self._stream.wait()

    async def send(self, request: Request) -> Reply:
        connection, stream, data = self._connection, self._stream, request.body
        if not connection.usable:
            raise ConnectionLostError("the connection was closed before the request was sent", unprocessed=True)
        at = connection.send_request(stream, request.path, request.headers, request.timeout, data)
        while at < len(data):
            await stream.wait()
            if stream.finished or (stream.headers is not None and stream.headers.get(":status") != "200"):
                break  # a server may refuse a request before it has read all of it
            at = connection.continue_request(stream, data, at)
        while stream.headers is None:
            if stream.finished:
                raise self._failure()
            await stream.wait()
        status = stream.headers.get(":status", "")
        return Reply(int(status) if status.isdecimal() and len(status) == 3 else 0, stream.headers)

    async def read(self) -> bytes:
        stream = self._stream
        while not stream.messages:
            if stream.ended:
                return b""
            if stream.finished:
                raise self._failure()
            await stream.wait()
        return stream.take()

    def deadline_passed(self) -> None:
        if self._connection.last_received < self._started:
            self._connection.drain()  # it may be dead, so that no later call should use it

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._connection.release(self._stream)

    def _failure(self) -> ConnectionLostError:
        failure = self._stream.failure
        if failure is None:
            return ConnectionLostError("the server ended the stream without a reply")
        return ConnectionLostError(failure.reason, unprocessed=failure.unprocessed)
