"""One gRPC call over HTTP/2: its deadline, its status, and the error for each way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from math import ceil
from typing import TypeVar

from flyte_rpc.errors import DeadlineExceededError, DecodeError, RpcError

from . import diagnosis
from .connections import Http2Connections
from .framing import frame
from .http2.connection import Http2Connection

_MAX_TIMEOUT = 99_999_999
"""What fits into the eight digits of `grpc-timeout`."""

T = TypeVar("T")


def timeout_header(seconds: float) -> str:
    """The value of `grpc-timeout` for a remaining time."""
    left = max(seconds, 0.0)
    # Rounded up: a server that gives up before its client makes the failure look like one of the server.
    if left < _MAX_TIMEOUT / 1e6:
        return f"{ceil(left * 1e6)}u"
    if left < _MAX_TIMEOUT / 1e3:
        return f"{ceil(left * 1e3)}m"
    return f"{min(ceil(left), _MAX_TIMEOUT)}S"


async def connected_before(connecting: Awaitable[T], end: float | None, timeout: float | None) -> T:
    """Wait for a connection.

    Args:
        connecting: What to wait for.
        end: The deadline of the call, as time of the event loop; None for none.
        timeout: The seconds of the call, for the error.

    Raises:
        DeadlineExceededError: The deadline passes first. Nothing was sent.
    """
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            return await connecting
    except TimeoutError as error:
        if isinstance(error, RpcError) or not limit.expired():
            raise
        raise DeadlineExceededError.after("not connected to the server", timeout, unprocessed=True) from None


class GrpcCall:
    """A stream with its deadline, and the error for each way to fail."""

    __slots__ = (
        "_checked",
        "_connections",
        "_expected_messages",
        "_started",
        "_streaming",
        "_timeout",
        "_timer",
        "connection",
        "stream",
    )

    def __init__(
        self,
        connections: Http2Connections,
        connection: Http2Connection,
        loop: asyncio.AbstractEventLoop,
        expected_messages: int,
        end: float | None,
        timeout: float | None,
        *,
        long: bool,
        streaming: bool = False,
    ) -> None:
        self._connections = connections
        self.connection = connection
        self._expected_messages = expected_messages
        self._timeout = timeout
        self._streaming = streaming
        self._started = loop.time()
        self._checked = False
        self.stream = connection.open(expected_messages, long=long)
        # One timer for the whole call: a scope for each wait costs more than the waiting.
        self._timer = None if end is None else loop.call_at(end, self.stream.expire)

    def release(self) -> None:
        """End the call."""
        if self._timer is not None:
            self._timer.cancel()
        self.connection.release(self.stream)
        self._connections.released(self.connection)

    async def wait_for_messages(self) -> None:
        """Wait for the expected number of messages, or for the end of the reply.

        Raises:
            RpcError: Neither arrives.
        """
        stream = self.stream
        while True:
            if not self._checked and stream.headers is not None:
                diagnosis.check_response(stream.headers)
                self._checked = True
            if len(stream.messages) >= self._expected_messages:
                return
            if stream.malformed is not None:
                if stream.malformed.cut and stream.trailers is None:
                    raise self.failure()
                raise DecodeError(str(stream.malformed))
            if stream.ended:
                return
            if stream.finished:
                raise self.failure()
            await stream.wait()

    def check_status(self) -> None:
        """Raise the error of the status at the end of a reply, unless it is OK."""
        stream = self.stream
        headers, trailers = stream.headers or {}, stream.trailers
        if "grpc-status" in headers:
            trailers = headers
        elif trailers is None:
            raise self.failure()
        diagnosis.raise_for_status(trailers)

    def failure(self) -> RpcError:
        """The error for a reply that did not arrive."""
        stream = self.stream
        if stream.expired and stream.failure is None:
            if stream.id and self.connection.last_received <= self._started:
                self.connection.drain()  # it may be dead, so that no later call should use it
            missing = "no status" if stream.messages else "no reply"
            what = missing if stream.sent or self._streaming else "the server takes no request"
            return DeadlineExceededError.after(what, self._timeout, unprocessed=not stream.id)
        if stream.failure is None:
            return diagnosis.missing_status(complete=stream.headers is not None and stream.malformed is None)
        return stream.failure.error()


class GrpcStreamingCall:
    """A call in which the client streams. One task sends, and another one may receive."""

    __slots__ = ("_call",)

    def __init__(self, call: GrpcCall) -> None:
        self._call = call

    async def send(self, message: bytes) -> bool:
        return await self._write(frame(message), end=False)

    async def end(self) -> None:
        await self._write(b"", end=True)

    async def receive(self) -> bytes | None:
        stream = self._call.stream
        while not stream.messages:
            await self._call.wait_for_messages()
            if stream.ended and not stream.messages:
                self._call.check_status()
                return None
        return stream.take()

    async def _write(self, data: bytes, *, end: bool) -> bool:
        stream, connection = self._call.stream, self._call.connection
        if stream.finished:
            return False
        at = connection.continue_request(stream, data, 0, end=end)
        while at < len(data):
            await stream.wait_to_send()
            if stream.finished:
                return False
            at = connection.continue_request(stream, data, at, end=end)
        return True
