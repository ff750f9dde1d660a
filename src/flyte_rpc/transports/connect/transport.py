"""The Connect transport. It turns every failure into an error of `flyte_rpc.errors`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import TYPE_CHECKING, Literal, TypeVar

from flyte_rpc.errors import ConnectionLostError, DeadlineExceededError, DecodeError, RpcError
from flyte_rpc.transports.diagnosis import ForeignReply
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES
from flyte_rpc.transports.shared_task import SharedTask
from flyte_rpc.version import USER_AGENT

from . import protocol
from .dialing import Dialer
from .http1 import Http1Connection
from .http1_pool import IDLE_SECONDS, Http1Pool
from .http2 import Http2Pool
from .http_call import Headers, HttpCall, HttpPool, Reply, Request

if TYPE_CHECKING:
    import ssl

    from flyte_rpc.transports.endpoint import Endpoint
    from flyte_rpc.transports.transport import Metadata

HttpVersion = Literal["auto", "1.1", "2"]

_TAIL_SECONDS = 1.0
"""How long the body of a stream may stay open after the message that ends it, for its connection to be kept."""

_ERROR_BYTES = 2**20
"""How much of an error reply is read."""

_CLOSED = "the client was closed"

T = TypeVar("T")


class ConnectTransport:
    """Calls to one endpoint by the Connect protocol, for the event loop it is created on."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        connect_seconds: float = 10.0,
        http: HttpVersion = "auto",
        idle_seconds: float = IDLE_SECONDS,
        close_seconds: float = 1.0,
    ) -> None:
        """Describe the connections; calls make them.

        Args:
            endpoint: Where to connect to.
            ssl_context: TLS settings for an endpoint with TLS. ALPN is set on it. Default: the system's trust store, and
                TLS 1.2 or newer.
            user_agent: The `user-agent` header.
            connect_seconds: For name resolution, TCP, TLS and the HTTP/2 handshake together.
            http: The version of HTTP. `"auto"` lets the server choose with TLS, and is HTTP/1.1 in cleartext, or
                HTTP/2 if the server speaks nothing else.
            idle_seconds: After how long without a call an HTTP/1.1 connection is closed.
            close_seconds: How long a peer may take to read what was sent to it, once the client is closed.
        """
        self._may_turn = http == "auto" and not endpoint.tls
        """Whether HTTP/1.1 is a guess, which a server may disprove."""
        self._http: HttpVersion = "1.1" if self._may_turn else http
        self._idle_seconds = idle_seconds
        self._close_seconds = close_seconds
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(endpoint, ssl_context=ssl_context, user_agent=user_agent, connect_seconds=connect_seconds)
        self._pool: HttpPool | None = None
        self._negotiating = SharedTask(self._dial_first)
        self._closed = False
        self.answered = False
        """Whether the server has ever answered as a Connect server does."""

    @property
    def connected(self) -> bool:
        return self._dialer.connected

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        deadline = _Deadline(self._loop, timeout)
        headers = (*protocol.UNARY_HEADERS, *metadata)
        call, reply = await self._send(deadline, path, headers, request, streaming=False)
        try:
            body = await deadline.apply(_read_all(call, reply), call)
        finally:
            call.release()
        if reply.status != 200 or protocol.content_type(reply.headers) != protocol.UNARY_TYPE:
            raise self._error(reply, body)
        self.answered = True
        return protocol.decompress(reply.headers.get("content-encoding", ""), body)

    async def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        deadline = _Deadline(self._loop, timeout)
        headers = (*protocol.STREAM_HEADERS, *metadata)
        call, reply = await self._send(deadline, path, headers, protocol.envelope(request), streaming=True)
        try:
            if reply.status != 200 or protocol.content_type(reply.headers) != protocol.STREAM_TYPE:
                raise self._error(reply, await deadline.apply(_read_all(call, reply), call))
            self.answered = True
            envelopes = protocol.EnvelopeReader(reply.headers)
            while not envelopes.ended:
                piece = await deadline.apply(call.read(), call)
                if not piece:
                    what = "in the middle of a message" if envelopes.cut else "without the message that ends it"
                    raise ConnectionLostError(f"the stream was cut off {what}")
                for message in envelopes.feed(piece):
                    yield message
            await _read_tail(call)
            if envelopes.error is not None:
                raise envelopes.error
        finally:
            call.release()

    def close(self) -> None:
        self._closed = True
        self._negotiating.close(_CLOSED)
        if self._pool is not None:
            self._pool.close(_CLOSED)

    async def aclose(self) -> None:
        self.close()
        if self._pool is not None:
            await self._pool.wait_closed(self._close_seconds)

    def _error(self, reply: Reply, body: bytes) -> RpcError:
        error = protocol.reply_error(reply.status, reply.headers, body)
        self.answered = self.answered or error.__cause__ is None
        return error

    async def _send(
        self, deadline: _Deadline, path: str, headers: Headers, body: bytes, *, streaming: bool
    ) -> tuple[HttpCall, Reply]:
        """Send a request and wait for the headers of the reply. The caller releases the call in the end."""
        while True:
            call = await self._open(deadline, streaming=streaming)
            try:
                request = Request(path, headers, deadline.header(), body)
                return call, await deadline.apply(call.send(request), call)
            except BaseException as error:  # a cancellation above all: the connection has to be given back
                call.release()
                if not self._turn_to_http2(error):
                    raise

    def _turn_to_http2(self, error: BaseException) -> bool:
        """Use HTTP/2 from now on if a server in cleartext speaks nothing else. It cannot have read the failed request."""
        cause = error.__cause__
        if not self._may_turn or not isinstance(cause, ForeignReply) or not cause.http2:
            return False
        if self._http == "1.1":
            self._http, self._pool = "2", None  # connections of the pool close as their calls fail in the same way
        return True

    async def _open(self, deadline: _Deadline, *, streaming: bool) -> HttpCall:
        return await deadline.apply(self._open_call(streaming=streaming), None)

    async def _open_call(self, *, streaming: bool) -> HttpCall:
        if self._closed:
            raise self._closed_error()
        pool = self._pool or await self._negotiate()
        return await pool.open(streaming=streaming)

    async def _negotiate(self) -> HttpPool:
        """The connections. One task finds out for all waiting calls which version of HTTP the server speaks."""
        if self._http != "auto":
            self._pool = self._http1_pool() if self._http == "1.1" else Http2Pool(self._dialer.dial_http2)
            return self._pool
        return await self._negotiating.run()

    async def _dial_first(self) -> HttpPool:
        connection = await self._dialer.dial("2", "1.1")
        if isinstance(connection, Http1Connection):
            first = self._http1_pool()
            await first.add(connection)
            self._pool = first
        else:
            second = Http2Pool(self._dialer.dial_http2)
            second.add(connection)
            self._pool = second
        return self._pool

    def _http1_pool(self) -> Http1Pool:
        return Http1Pool(self._dialer.dial_http1, idle_seconds=self._idle_seconds)

    @staticmethod
    def _closed_error() -> ConnectionLostError:
        return ConnectionLostError(_CLOSED, hint="Make a new Client.", unprocessed=True)


async def _read_all(call: HttpCall, reply: Reply) -> bytes:
    """The body of a reply. Of an error, which may be any page, the beginning is enough."""
    limit = MAX_MESSAGE_BYTES if reply.status == 200 else _ERROR_BYTES
    parts: list[bytes] = []
    size = 0
    while piece := await call.read():
        parts.append(piece)
        size += len(piece)
        if size > limit:
            if reply.status == 200:
                raise DecodeError(f"the message has more than {limit:,} bytes, which is the limit")
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _read_tail(call: HttpCall) -> None:
    """Read the end of a body after its last message, so that the connection can be kept. It does not matter if that fails."""
    try:
        async with asyncio.timeout(_TAIL_SECONDS):
            await call.read()
    except (TimeoutError, RpcError):
        pass


class _Deadline:
    """The deadline of one call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        self._loop = loop
        self._timeout = timeout
        self._end = None if timeout is None else loop.time() + timeout

    def header(self) -> str:
        """The value of `connect-timeout-ms` for the remaining time."""
        return protocol.timeout_value(None if self._end is None else self._end - self._loop.time())

    async def apply(self, step: Awaitable[T], call: HttpCall | None) -> T:
        """Wait for a step of the call.

        Args:
            step: What to wait for.
            call: The call, if it has a connection already.

        Raises:
            DeadlineExceededError: The deadline passes first.
        """
        try:
            async with asyncio.timeout_at(self._end):
                return await step
        except TimeoutError as error:
            if isinstance(error, RpcError):  # the server says so itself
                raise
        seconds = f"{round(self._timeout or 0, 3):g} s"
        if call is None:
            raise DeadlineExceededError(f"not connected to the server after {seconds}", unprocessed=True)
        call.deadline_passed()
        raise DeadlineExceededError(f"no reply after {seconds}")
