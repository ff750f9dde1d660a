"""Connect calls over the client's own HTTP/2 connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from flyte_rpc.errors import ConnectionLostError
from flyte_rpc.transports.connections import Http2Connections
from flyte_rpc.transports.http2.connection import Http2Connection
from flyte_rpc.transports.http2.stream import Http2Stream

from .http_call import Reply, Request


class ByteStream(Http2Stream):
    """A stream whose reply is bytes rather than gRPC messages: each piece is a message, as it arrives."""

    __slots__ = ()

    def _split(self, data: bytes) -> None:
        if data:
            self.messages.append(data)


class Http2Pool:
    """Calls over the HTTP/2 connections to one endpoint."""

    def __init__(self, connect: Callable[[], Coroutine[Any, Any, Http2Connection]]) -> None:
        """Describe the connections; calls make them.

        Args:
            connect: Makes a connection.
        """
        self._loop = asyncio.get_running_loop()
        self._connections = Http2Connections(connect)
        self.add = self._connections.add
        self.close = self._connections.close
        self.wait_closed = self._connections.wait_closed

    async def open(self, *, streaming: bool) -> Http2Call:
        """Wait for a stream that the server admits. Nothing is sent yet."""
        connection = await self._connections.acquire(long=streaming)
        call = Http2Call(self._loop, self._connections, connection, streaming=streaming)
        try:
            await call.wait_until_admitted()
        except BaseException:  # a cancellation above all: the stream has to be given back
            call.release()
            raise
        return call


class Http2Call:
    """A call on one stream of a connection."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Http2Connections,
        connection: Http2Connection,
        *,
        streaming: bool,
    ) -> None:
        self._connections = connections
        self._connection = connection
        self._started = loop.time()
        self._stream = connection.open(1, ByteStream, long=streaming)
        self._released = False

    async def wait_until_admitted(self) -> None:
        """Wait for the server's stream limit to leave room."""
        while not self._stream.admitted:
            if self._stream.finished:
                raise self._failure()
            await self._stream.wait()

    async def send(self, request: Request) -> Reply:
        connection, stream, data = self._connection, self._stream, request.body
        self._check_usable()
        at = connection.send_request(stream, request.path, request.headers, request.timeout, data)
        while at < len(data):
            await stream.wait()
            if stream.finished or (stream.headers is not None and stream.headers.get(":status") != "200"):
                break  # a server may refuse a request before it has read all of it
            at = connection.continue_request(stream, data, at)
        return await self.reply()

    def begin(self, request: Request) -> None:
        self._check_usable()
        self._connection.send_request(
            self._stream, request.path, request.headers, request.timeout, request.body, end=False
        )

    async def write(self, data: bytes) -> bool:
        connection, stream, at = self._connection, self._stream, 0
        while not stream.finished:
            at = connection.continue_request(stream, data, at, end=False)
            if at == len(data):
                return True
            await stream.wait_to_send()
        return False

    def end(self) -> None:
        if not self._stream.finished:
            self._connection.continue_request(self._stream, b"", 0)

    async def reply(self) -> Reply:
        stream = self._stream
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
        if self._connection.last_received <= self._started:
            self._connection.drain()  # it may be dead, so that no later call should use it

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._connection.release(self._stream)
            self._connections.released(self._connection)

    def _check_usable(self) -> None:
        if not self._connection.usable:
            raise ConnectionLostError("the connection was closed before the request was sent", unprocessed=True)

    def _failure(self) -> ConnectionLostError:
        failure = self._stream.failure
        if failure is None:
            return ConnectionLostError("the server ended the stream without a reply")
        return failure.error()
