"""The gRPC transport: connects, frames, and turns every way of failing into `flyte.errors`.

With `connection.py` and `framing.py`, the only client code that knows grpclib and h2.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from copy import copy
from importlib import metadata as distribution
from typing import TYPE_CHECKING

from grpclib.metadata import encode_timeout
from h2.errors import ErrorCodes
from h2.exceptions import H2Error

from flyte.errors import ConnectionLostError, DeadlineExceededError, DecodeError, RpcError

from . import diagnosis
from .connection import PING_EVERY, PING_TIMEOUT, ClientProtocol, ClientStream
from .framing import BadFrame, frame, read_message

if TYPE_CHECKING:
    import ssl

    from .endpoint import Endpoint
    from .transport import Metadata

_LONGEST_TIMEOUT = 99_999_999
"""What fits into the eight digits of `grpc-timeout`, in seconds."""

_NOT_SENT = "The request was not sent: check the endpoint, or allow more seconds with timeout=."

_USER_AGENT = (
    f"flyte-remote/{distribution.version('flyte-remote')} (python {sys.version_info[0]}.{sys.version_info[1]})"
)


class GrpcTransport:
    """One connection to one endpoint, for the event loop it is created on, replaced when it ends."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connect_seconds: float = 10.0,
        ping_every: float = PING_EVERY,
        ping_timeout: float = PING_TIMEOUT,
    ) -> None:
        """Describe the connection; it is made by the first call.

        Args:
            endpoint: Where to.
            connect_seconds: For name resolution, TCP, TLS and the HTTP/2 handshake together.
            ping_every: Seconds between pings while calls are open.
            ping_timeout: Seconds after which an unanswered ping means that the connection is dead.
        """
        self._endpoint = endpoint
        self._connect_seconds = connect_seconds
        self._loop = asyncio.get_running_loop()
        self._connecting: asyncio.Task[ClientProtocol] | None = None
        self._protocol: ClientProtocol | None = None
        self.ping_every = ping_every
        """Seconds between pings: doubled when a server says that it is pinged too often."""
        self._ping_timeout = ping_timeout
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._protocol is not None

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        clock = _Clock(timeout)
        async with self._open(path, request, metadata, clock) as call:
            reply = await call.read()
            if reply is not None and await call.read() is not None:
                raise DecodeError("the server sent more than one reply")
            await call.finish()
            if reply is None:
                raise DecodeError("the server reported success without a reply")
            return reply

    async def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        clock = _Clock(timeout)
        async with self._open(path, request, metadata, clock) as call:
            while (reply := await call.read()) is not None:
                yield reply
            await call.finish()

    def close(self) -> None:
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._protocol is not None:
            self._protocol.http2.close("the client was closed")

    async def aclose(self) -> None:
        self.close()
        if self._protocol is not None:
            await self._protocol.closed

    @asynccontextmanager
    async def _open(self, path: str, request: bytes, metadata: Metadata, clock: _Clock) -> AsyncGenerator[_Call, None]:
        """Send a request; the call is reset when the block is left before its end."""
        async with clock.limit("not connected to the server", hint=_NOT_SENT):
            protocol = await self._connect()
        stream = protocol.link.create_stream()
        headers = [
            (":method", "POST"),
            (":scheme", "https" if self._endpoint.tls else "http"),
            (":path", path),
            (":authority", self._endpoint.authority),
            *clock.headers(),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", _USER_AGENT),
            *metadata,
        ]
        started = time.monotonic()
        try:
            async with clock.limit("the server takes no request"):
                release = await stream.send_request(headers, _processor=protocol.http2)
        except H2Error as error:
            raise ConnectionLostError(f"the request could not be sent ({error})", unprocessed=True) from None
        try:
            async with clock.limit("the server takes no request"):
                await stream.send_all(frame(request))
            yield _Call(stream, clock)
        except DeadlineExceededError:
            if protocol.last_received < started:
                protocol.http2.drain()  # not a byte since: it may be a dead connection, which no later call should use
            raise
        finally:
            if stream.closable:
                stream.reset_nowait(ErrorCodes.CANCEL)
            release()

    async def _connect(self) -> ClientProtocol:
        """The connection; made anew when there is none, once for all calls that wait for it."""
        protocol = self._protocol
        if protocol is not None and protocol.usable:
            return protocol
        if self._connecting is None or self._connecting.done():
            if protocol is not None and protocol.http2.pinged_too_often:
                self.ping_every *= 2
            self._connecting = self._loop.create_task(self._handshake())
            self._connecting.add_done_callback(_seen)
        connecting = self._connecting
        try:
            return await asyncio.shield(connecting)
        except RpcError as error:
            raise copy(error) from error.__cause__  # each call adds to its error where it happened
        except asyncio.CancelledError:
            if self._closed and connecting.cancelled():
                raise self._was_closed() from None
            raise

    def _was_closed(self) -> ConnectionLostError:
        return ConnectionLostError("the client was closed", hint="Make a new Client.", unprocessed=True)

    async def _handshake(self) -> ClientProtocol:
        if self._closed:
            raise self._was_closed()
        endpoint = self._endpoint
        if endpoint.tls and self._tls is None:
            self._tls = _tls_context()
        protocol: ClientProtocol | None = None
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, protocol = await self._loop.create_connection(
                    lambda: ClientProtocol(self._loop, ping_every=self.ping_every, ping_timeout=self._ping_timeout),
                    endpoint.host,
                    endpoint.port,
                    ssl=self._tls,
                    happy_eyeballs_delay=0.25,
                )
                await protocol.ready
            if not protocol.http2.settled:
                raise diagnosis.not_http2(endpoint, protocol.head)
            await protocol.watch_the_loop()
            self._protocol = protocol
            return protocol
        except BaseException as error:
            if protocol is not None:
                protocol.http2.close("the handshake failed")
            if isinstance(error, OSError) and not isinstance(error, RpcError):
                raise diagnosis.unreachable(endpoint, error, connected=protocol is not None) from error
            raise


def _seen(task: asyncio.Task[ClientProtocol]) -> None:
    if not task.cancelled():
        task.exception()  # all who waited may have gone, which is no reason to report the failure as overlooked


def _tls_context() -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    return context


class _Clock:
    """The deadline of a call, and what to say when it passes."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._end = None if timeout is None else asyncio.get_running_loop().time() + timeout

    def headers(self) -> list[tuple[str, str]]:
        if self._end is None:
            return []
        left = self._end - asyncio.get_running_loop().time()
        return [("grpc-timeout", encode_timeout(min(max(left, 0.0), _LONGEST_TIMEOUT)))]

    @asynccontextmanager
    async def limit(self, what: str, *, hint: str = "") -> AsyncGenerator[None, None]:
        scope = asyncio.timeout_at(self._end)
        try:
            async with scope:
                yield
        except TimeoutError as error:
            if isinstance(error, RpcError) or not scope.expired():
                raise
            raise DeadlineExceededError(
                f"{what} after {round(self._timeout or 0, 3):g} s", hint=hint, unprocessed=bool(hint)
            ) from None


class _Call:
    """The reading side of a call whose request has been sent."""

    def __init__(self, stream: ClientStream, clock: _Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._answered = False

    async def read(self) -> bytes | None:
        """The next reply; None at the end, of which `finish` tells the status."""
        async with self._clock.limit("no reply"):
            if not self._answered:
                await self._stream.headers_received.wait()
                if self._stream.headers is None:
                    raise self._lost()
                diagnosis.check_response(dict(self._stream.headers))
                self._answered = True
            try:
                return await read_message(self._stream)
            except BadFrame as error:
                if error.cut and self._stream.trailers is None:
                    raise self._lost() from None
                raise DecodeError(str(error)) from None

    async def finish(self) -> None:
        """Wait for the status, and raise what it means unless it is OK."""
        stream = self._stream
        trailers = dict(stream.headers or ())
        if "grpc-status" not in trailers:  # else headers and trailers are one
            async with self._clock.limit("no status"):
                await stream.trailers_received.wait()
            if stream.trailers is None:
                raise self._lost()
            trailers = dict(stream.trailers)
        diagnosis.raise_for_status(trailers)

    def _lost(self) -> RpcError:
        failure = self._stream.failure
        if failure is None:
            return ConnectionLostError("the reply ended without a status, as when something cuts it off on the way")
        return ConnectionLostError(failure.reason, unprocessed=failure.unprocessed)
