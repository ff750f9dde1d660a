"""The gRPC transport over HTTP/2. It connects, and turns every failure into an error of `flyte_rpc.errors`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from copy import copy
from typing import TYPE_CHECKING

from flyte_rpc.errors import ConnectionLostError, DeadlineExceededError, DecodeError, RpcError
from flyte_rpc.version import USER_AGENT

from . import diagnosis
from .framing import frame
from .http2.connection import PING_INTERVAL, PING_TIMEOUT, Http2Connection
from .http2.headers import HeaderWriter

if TYPE_CHECKING:
    import ssl

    from .endpoint import Endpoint
    from .transport import Metadata

_MAX_TIMEOUT = 99_999_999
"""What fits into the eight digits of `grpc-timeout`."""

_NOT_SENT = "The request was not sent. Check the endpoint, or allow more time (see `timeout=` of the client)."


class GrpcTransport:
    """One connection to one endpoint, for the event loop it is created on, replaced when it ends."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        connect_seconds: float = 10.0,
        ping_interval: float = PING_INTERVAL,
        ping_timeout: float = PING_TIMEOUT,
        close_seconds: float = 1.0,
    ) -> None:
        """Describe the connection; it is made by the first call.

        Args:
            endpoint: Where to connect to.
            ssl_context: TLS settings for an endpoint with TLS. ALPN is set to `h2` on it. Default: the system's trust
                store, and TLS 1.2 or newer.
            user_agent: The `user-agent` header.
            connect_seconds: For name resolution, TCP, TLS and the HTTP/2 handshake together.
            ping_interval: Seconds between pings while calls are open.
            ping_timeout: Seconds after which an unanswered ping means that the connection is dead.
            close_seconds: How long a peer may take to read what was sent to it, once the client is closed.
        """
        self._endpoint = endpoint
        self._connect_seconds = connect_seconds
        self._loop = asyncio.get_running_loop()
        self._connecting: asyncio.Task[Http2Connection] | None = None
        self._connection: Http2Connection | None = None
        self.ping_interval = ping_interval
        """Seconds between pings: doubled when a server says that it is pinged too often."""
        self._ping_timeout = ping_timeout
        self._close_seconds = close_seconds
        self._ssl_context = ssl_context
        self._user_agent = user_agent
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        # Until two messages have arrived, which is an error, only the end is of interest.
        call = await self._start_call(path, request, metadata, timeout, expected_messages=2)
        try:
            await call.wait_for_messages()
            messages = call.stream.messages
            if len(messages) > 1:
                raise DecodeError("the server sent more than one reply")
            call.check_status()
            if not messages:
                raise DecodeError("the server reported success without a reply")
            return messages[0]
        finally:
            call.release()

    async def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        call = await self._start_call(path, request, metadata, timeout, expected_messages=1)
        stream = call.stream
        try:
            while True:
                while stream.messages:
                    yield stream.take()
                if stream.ended:
                    break
                await call.wait_for_messages()
            call.check_status()
        finally:
            call.release()

    def close(self) -> None:
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.close("the client was closed")

    async def aclose(self) -> None:
        self.close()
        if self._connection is not None:
            await self._connection.wait_closed(self._close_seconds)

    async def _start_call(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None, *, expected_messages: int
    ) -> _Call:
        """Send a request. The caller releases the call in the end."""
        end = None if timeout is None else self._loop.time() + timeout
        connection = self._connection
        if connection is None or not connection.usable:
            connection = await self._connect_before(end, timeout)
        call = _Call(connection, self._loop, expected_messages, end, timeout)
        stream = call.stream
        try:
            while not stream.admitted:
                if stream.finished:
                    raise call.failure()
                await stream.wait()
            if not connection.usable:
                raise ConnectionLostError("the connection was closed before the request was sent", unprocessed=True)
            data = frame(request)
            at = connection.send_request(stream, path, metadata, self._timeout_header(end), data)
            while at < len(data):
                await stream.wait()
                if stream.finished:
                    break  # a server may answer early; the reply tells
                at = connection.continue_request(stream, data, at)
        except BaseException:  # a cancellation above all: the stream has to be given back
            call.release()
            raise
        return call

    def _timeout_header(self, end: float | None) -> str:
        if end is None:
            return ""
        left = max(end - self._loop.time(), 0.0)
        if left < 99:
            return f"{int(left * 1e6)}u"
        return f"{min(int(left), _MAX_TIMEOUT)}S"

    async def _connect_before(self, end: float | None, timeout: float | None) -> Http2Connection:
        limit = asyncio.timeout_at(end)
        try:
            async with limit:
                return await self._connect()
        except TimeoutError as error:
            if isinstance(error, RpcError) or not limit.expired():
                raise
            what = f"not connected to the server after {_seconds(timeout)}"
            raise DeadlineExceededError(what, hint=_NOT_SENT, unprocessed=True) from None

    async def _connect(self) -> Http2Connection:
        """The connection. If there is none, one task makes it for all waiting calls."""
        connection = self._connection
        if connection is not None and connection.usable:
            return connection
        if self._connecting is None or self._connecting.done():
            if connection is not None and connection.pings_refused:
                self.ping_interval *= 2
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

    def _closed_error(self) -> ConnectionLostError:
        return ConnectionLostError("the client was closed", hint="Make a new Client.", unprocessed=True)

    async def _handshake(self) -> Http2Connection:
        if self._closed:
            raise self._closed_error()
        endpoint = self._endpoint
        if endpoint.tls and self._ssl_context is None:
            self._ssl_context = _default_ssl_context()
        if endpoint.tls and self._ssl_context is not None:
            self._ssl_context.set_alpn_protocols(["h2"])
        connection: Http2Connection | None = None
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await self._loop.create_connection(
                    lambda: Http2Connection(
                        self._loop,
                        HeaderWriter("https" if endpoint.tls else "http", endpoint.authority, self._user_agent),
                        ping_interval=self.ping_interval,
                        ping_timeout=self._ping_timeout,
                    ),
                    endpoint.host,
                    endpoint.port,
                    ssl=self._ssl_context if endpoint.tls else None,
                    happy_eyeballs_delay=0.25,
                )
                await connection.ready
            if not connection.settings_received:
                raise diagnosis.not_http2(endpoint, connection.first_bytes)
            await connection.watch_the_loop()
            self._connection = connection
            return connection
        except BaseException as error:
            if connection is not None:
                connection.close("the handshake failed")
            if isinstance(error, OSError) and not isinstance(error, RpcError):
                raise diagnosis.unreachable(endpoint, error, connected=connection is not None) from error
            raise


def _consume_exception(task: asyncio.Task[Http2Connection]) -> None:
    if not task.cancelled():
        task.exception()  # if no call waits any more, asyncio would report the exception as never retrieved


def _default_ssl_context() -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _seconds(timeout: float | None) -> str:
    return f"{round(timeout or 0, 3):g} s"


class _Call:
    """An stream with its deadline, and the error for each way to fail."""

    __slots__ = ("_checked", "_connection", "_expected_messages", "_started", "_timeout", "_timer", "stream")

    def __init__(
        self,
        connection: Http2Connection,
        loop: asyncio.AbstractEventLoop,
        expected_messages: int,
        end: float | None,
        timeout: float | None,
    ) -> None:
        self._connection = connection
        self._expected_messages = expected_messages
        self._timeout = timeout
        self._started = loop.time()
        self._checked = False
        self.stream = connection.open(expected_messages)
        # One timer for the whole call: a scope for each wait costs more than the waiting.
        self._timer = None if end is None else loop.call_at(end, self.stream.expire)

    def release(self) -> None:
        """End the call."""
        if self._timer is not None:
            self._timer.cancel()
        self._connection.release(self.stream)

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
            if stream.id and self._connection.last_received < self._started:
                self._connection.drain()  # it may be dead, so that no later call should use it
            missing = "no status" if stream.messages else "no reply"
            what = missing if stream.sent else "the server takes no request"
            return DeadlineExceededError(f"{what} after {_seconds(self._timeout)}")
        if stream.failure is None:
            return diagnosis.missing_status(complete=stream.headers is not None and stream.malformed is None)
        return ConnectionLostError(stream.failure.reason, unprocessed=stream.failure.unprocessed)
