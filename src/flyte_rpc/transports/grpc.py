"""The gRPC transport: connects, frames, and turns every way of failing into `flyte.errors`.

With `connection.py` and what that imports, the only client code that knows HTTP/2.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from copy import copy
from importlib import metadata as distribution
from typing import TYPE_CHECKING

from flyte_rpc.errors import ConnectionLostError, DeadlineExceededError, DecodeError, RpcError

from . import diagnosis
from .framing import frame
from .http2.connection import PING_EVERY, PING_TIMEOUT, ClientProtocol
from .http2.headers import HeaderWriter

if TYPE_CHECKING:
    import ssl

    from .endpoint import Endpoint
    from .transport import Metadata

_LARGEST = 99_999_999
"""What fits into the eight digits of `grpc-timeout`."""

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
        close_seconds: float = 1.0,
    ) -> None:
        """Describe the connection; it is made by the first call.

        Args:
            endpoint: Where to.
            connect_seconds: For name resolution, TCP, TLS and the HTTP/2 handshake together.
            ping_every: Seconds between pings while calls are open.
            ping_timeout: Seconds after which an unanswered ping means that the connection is dead.
            close_seconds: How long a peer may take to read what was sent to it, once the client is closed.
        """
        self._endpoint = endpoint
        self._connect_seconds = connect_seconds
        self._loop = asyncio.get_running_loop()
        self._connecting: asyncio.Task[ClientProtocol] | None = None
        self._protocol: ClientProtocol | None = None
        self.ping_every = ping_every
        """Seconds between pings: doubled when a server says that it is pinged too often."""
        self._ping_timeout = ping_timeout
        self._close_seconds = close_seconds
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._protocol is not None

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        # Until two messages have arrived, which is an error, only the end is of interest.
        call = await self._begin(path, request, metadata, timeout, wanted=2)
        try:
            await call.arrival()
            messages = call.exchange.messages
            if len(messages) > 1:
                raise DecodeError("the server sent more than one reply")
            call.finish()
            if not messages:
                raise DecodeError("the server reported success without a reply")
            return messages[0]
        finally:
            call.leave()

    async def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        call = await self._begin(path, request, metadata, timeout, wanted=1)
        exchange = call.exchange
        try:
            while True:
                while exchange.messages:
                    yield exchange.take()
                if exchange.ended:
                    break
                await call.arrival()
            call.finish()
        finally:
            call.leave()

    def close(self) -> None:
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._protocol is not None:
            self._protocol.close("the client was closed")

    async def aclose(self) -> None:
        self.close()
        if self._protocol is not None:
            await self._protocol.wait_closed(self._close_seconds)

    async def _begin(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None, *, wanted: int
    ) -> _Call:
        """Send a request. Whoever gets the call leaves it in the end."""
        end = None if timeout is None else self._loop.time() + timeout
        protocol = self._protocol
        if protocol is None or not protocol.usable:
            protocol = await self._connect_before(end, timeout)
        call = _Call(protocol, self._loop, wanted, end, timeout)
        exchange = call.exchange
        try:
            while not exchange.admitted:
                if exchange.over:
                    raise call.lost()
                await exchange.wait()
            if not protocol.usable:
                raise ConnectionLostError("the connection was closed before the request was sent", unprocessed=True)
            data = frame(request)
            at = protocol.begin(exchange, path, metadata, self._timeout_header(end), data)
            while at < len(data):
                await exchange.wait()
                if exchange.over:
                    break  # a server may answer early; the reply tells
                at = protocol.go_on(exchange, data, at)
        except BaseException:  # a cancellation above all: the stream has to be given back
            call.leave()
            raise
        return call

    def _timeout_header(self, end: float | None) -> str:
        if end is None:
            return ""
        left = max(end - self._loop.time(), 0.0)
        if left < 99:
            return f"{int(left * 1e6)}u"
        return f"{min(int(left), _LARGEST)}S"

    async def _connect_before(self, end: float | None, timeout: float | None) -> ClientProtocol:
        limit = asyncio.timeout_at(end)
        try:
            async with limit:
                return await self._connect()
        except TimeoutError as error:
            if isinstance(error, RpcError) or not limit.expired():
                raise
            what = f"not connected to the server after {_seconds(timeout)}"
            raise DeadlineExceededError(what, hint=_NOT_SENT, unprocessed=True) from None

    async def _connect(self) -> ClientProtocol:
        """The connection; made anew when there is none, once for all calls that wait for it."""
        protocol = self._protocol
        if protocol is not None and protocol.usable:
            return protocol
        if self._connecting is None or self._connecting.done():
            if protocol is not None and protocol.pinged_too_often:
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
                    lambda: ClientProtocol(
                        self._loop,
                        HeaderWriter("https" if endpoint.tls else "http", endpoint.authority, _USER_AGENT),
                        ping_every=self.ping_every,
                        ping_timeout=self._ping_timeout,
                    ),
                    endpoint.host,
                    endpoint.port,
                    ssl=self._tls,
                    happy_eyeballs_delay=0.25,
                )
                await protocol.ready
            if not protocol.settled:
                raise diagnosis.not_http2(endpoint, protocol.head)
            await protocol.watch_the_loop()
            self._protocol = protocol
            return protocol
        except BaseException as error:
            if protocol is not None:
                protocol.close("the handshake failed")
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


def _seconds(timeout: float | None) -> str:
    return f"{round(timeout or 0, 3):g} s"


class _Call:
    """An exchange with its deadline, and what to say when it goes wrong."""

    __slots__ = ("_checked", "_protocol", "_started", "_timeout", "_timer", "_wanted", "exchange")

    def __init__(
        self,
        protocol: ClientProtocol,
        loop: asyncio.AbstractEventLoop,
        wanted: int,
        end: float | None,
        timeout: float | None,
    ) -> None:
        self._protocol = protocol
        self._wanted = wanted
        self._timeout = timeout
        self._started = loop.time()
        self._checked = False
        self.exchange = protocol.open(wanted)
        # One timer for the whole call: a scope for each wait costs more than the waiting.
        self._timer = None if end is None else loop.call_at(end, self.exchange.expire)

    def leave(self) -> None:
        """The call is over, whatever became of it."""
        if self._timer is not None:
            self._timer.cancel()
        self._protocol.leave(self.exchange)

    async def arrival(self) -> None:
        """Wait until there are as many messages as are wanted, or until the server has sent all it will.

        Raises:
            RpcError: Neither will be.
        """
        exchange = self.exchange
        while True:
            if not self._checked and exchange.headers is not None:
                diagnosis.check_response(exchange.headers)
                self._checked = True
            if len(exchange.messages) >= self._wanted:
                return
            if exchange.bad is not None:
                if exchange.bad.cut and exchange.trailers is None:
                    raise self.lost()
                raise DecodeError(str(exchange.bad))
            if exchange.ended:
                return
            if exchange.over:
                raise self.lost()
            await exchange.wait()

    def finish(self) -> None:
        """Raise what the status at the end of a reply means, unless it is OK."""
        exchange = self.exchange
        headers, trailers = exchange.headers or {}, exchange.trailers
        if "grpc-status" in headers:
            trailers = headers
        elif trailers is None:
            raise self.lost()
        diagnosis.raise_for_status(trailers)

    def lost(self) -> RpcError:
        """Why there is no more."""
        exchange = self.exchange
        if exchange.expired and exchange.failure is None:
            if exchange.id and self._protocol.last_received < self._started:
                self._protocol.drain()  # not a byte since: it may be a dead connection, which no later call should use
            if not exchange.sent:
                what = "the server takes no request"
            else:
                what = "no status" if exchange.messages else "no reply"
            return DeadlineExceededError(f"{what} after {_seconds(self._timeout)}")
        if exchange.failure is None:
            return ConnectionLostError("the reply ended without a status, as when something cuts it off on the way")
        return ConnectionLostError(exchange.failure.reason, unprocessed=exchange.failure.unprocessed)
