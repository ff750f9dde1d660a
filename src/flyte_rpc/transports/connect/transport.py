"""The Connect transport. It turns every failure into an error of `flyte_rpc.errors`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from flyte_rpc.errors import ConnectionLostError, EndpointError, RpcError, UnimplementedError
from flyte_rpc.transports.checks import CheckedStream, check_call
from flyte_rpc.transports.diagnosis import ForeignReply, NoReply
from flyte_rpc.transports.shared_task import SharedTask
from flyte_rpc.version import USER_AGENT

from . import protocol
from .dialing import Dialer
from .http1 import Http1Connection
from .http1_pool import IDLE_SECONDS, Http1Pool
from .http2 import Http2Pool
from .http_call import Headers, HttpCall, HttpPool, Reply, Request
from .streaming import ConnectStreamingCall, Deadline, ReplyStream, read_all

if TYPE_CHECKING:
    import ssl

    from flyte_rpc.transports.endpoint import Endpoint
    from flyte_rpc.transports.network.settings import Network
    from flyte_rpc.transports.transport import Metadata

HttpVersion = Literal["auto", "1.1", "2"]

_CLOSED = "the client was closed"

_PROBE_SECONDS = 5.0
"""How long a server may take to answer, or close, the connection on which it is asked whether it speaks HTTP/1.1."""


class ConnectTransport:
    """Calls to one endpoint by the Connect protocol, for the event loop it is created on."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        network: Network | None = None,
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
            network: Trust and proxies. Default: the system's trust store and the proxies of the environment.
            ssl_context: TLS settings that replace those of `network`. ALPN is set on it.
            user_agent: The `user-agent` header.
            connect_seconds: For name resolution, TCP, TLS and the HTTP/2 handshake together.
            http: The version of HTTP. `"auto"` lets the server choose with TLS, and is HTTP/1.1 in cleartext, or
                HTTP/2 if the server speaks nothing else, which it shows by an answer in HTTP/2 or by none at all.
            idle_seconds: After how long without a call an HTTP/1.1 connection is closed.
            close_seconds: How long a peer may take to read what was sent to it, once the client is closed.
        """
        self._may_turn = http == "auto" and not endpoint.tls
        """Whether HTTP/1.1 is a guess, which a server may disprove."""
        self._http: HttpVersion = "1.1" if self._may_turn else http
        self._idle_seconds = idle_seconds
        self._close_seconds = close_seconds
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(
            endpoint, network=network, ssl_context=ssl_context, user_agent=user_agent, connect_seconds=connect_seconds
        )
        self._pool: HttpPool | None = None
        self._streaming_pool: HttpPool | None = None
        """The connections of calls in which the client streams."""
        self._negotiating = SharedTask(self._dial_first)
        self._probing = SharedTask(self._probe)
        self._replied = False
        """Whether the server has ever replied, so that it speaks the version of HTTP in use."""
        self._closed = False
        self.answered = False
        """Whether the server has ever answered as a Connect server does."""

    @property
    def connected(self) -> bool:
        return self._dialer.connected

    @property
    def description(self) -> str:
        """Protocol and HTTP version, for people."""
        return f"Connect over HTTP/{'2' if isinstance(self._pool, Http2Pool) else '1.1'}"

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        check_call(self._loop, path, timeout)
        deadline = Deadline(self._loop, timeout)
        headers = (*protocol.UNARY_HEADERS, *metadata)
        call, reply = await self._send(deadline, path, headers, request, streaming=False)
        try:
            body = await deadline.apply(read_all(call, reply), call)
        finally:
            call.release()
        if reply.status != 200 or protocol.content_type(reply.headers) != protocol.UNARY_TYPE:
            raise self._error(reply, body, protocol.UNARY_TYPE)
        self.answered = True
        return protocol.decompress(reply.headers.get("content-encoding", ""), body)

    async def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        check_call(self._loop, path, timeout)
        deadline = Deadline(self._loop, timeout)
        headers = (*protocol.STREAM_HEADERS, *metadata)
        call, reply = await self._send(deadline, path, headers, protocol.envelope(request), streaming=True)
        try:
            replies = ReplyStream(call, deadline, self._stream_error)
            await replies.begin(reply)
            self.answered = True
            while (message := await replies.receive()) is not None:
                yield message
        finally:
            call.release()

    @asynccontextmanager
    async def open(
        self, path: str, metadata: Metadata, timeout: float | None, *, bidirectional: bool = True
    ) -> AsyncGenerator[CheckedStream, None]:
        check_call(self._loop, path, timeout)
        deadline = Deadline(self._loop, timeout)
        call = await deadline.apply(self._open_streaming(bidirectional=bidirectional), None)
        try:
            call.begin(Request(path, (*protocol.STREAM_HEADERS, *metadata), deadline.header(), b""))
            replies = ReplyStream(call, deadline, self._stream_error)
            stream = CheckedStream(ConnectStreamingCall(call, deadline, replies), self._loop)
            try:
                yield stream
            finally:
                stream.leave()
        finally:
            call.release()

    def close(self) -> None:
        self._closed = True
        self._negotiating.close(_CLOSED)
        self._probing.close(_CLOSED)
        for pool in self._pools():
            pool.close(_CLOSED)

    async def aclose(self) -> None:
        self.close()
        for pool in self._pools():
            await pool.wait_closed(self._close_seconds)

    def _pools(self) -> list[HttpPool]:
        return list(dict.fromkeys(pool for pool in (self._pool, self._streaming_pool) if pool is not None))

    def _stream_error(self, reply: Reply, body: bytes) -> RpcError:
        return self._error(reply, body, protocol.STREAM_TYPE)

    def _error(self, reply: Reply, body: bytes, sent: str) -> RpcError:
        error = protocol.reply_error(reply.status, reply.headers, body, sent)
        self.answered = self.answered or error.__cause__ is None
        return error

    async def _send(
        self, deadline: Deadline, path: str, headers: Headers, body: bytes, *, streaming: bool
    ) -> tuple[HttpCall, Reply]:
        """Send a request and wait for the headers of the reply. The caller releases the call in the end."""
        while True:
            call = await self._open(deadline, streaming=streaming)
            try:
                request = Request(path, headers, deadline.header(), body)
                reply = await deadline.apply(call.send(request), call)
            except BaseException as error:  # a cancellation above all: the connection has to be given back
                call.release()
                if not (self._turn_to_http2(error) or await self._refuses_http1(error, deadline)):
                    raise
            else:
                self._replied = True
                return call, reply

    def _turn_to_http2(self, error: BaseException) -> bool:
        """Use HTTP/2 from now on if a server in cleartext speaks nothing else. It cannot have read the failed request."""
        cause = error.__cause__
        if not self._may_turn or not isinstance(cause, ForeignReply) or not cause.http2:
            return False
        if self._http == "1.1":
            self._http, self._pool = "2", None  # connections of the pool close as their calls fail in the same way
        return True

    async def _refuses_http1(self, error: BaseException, deadline: Deadline) -> bool:
        """Whether the server proves to speak HTTP/2 only, so that it cannot have read a request that it did not answer."""
        if not self._may_turn or self._replied or not isinstance(error.__cause__, NoReply):
            return False
        try:
            return self._http == "2" or await deadline.apply(self._probing.run(), None)
        except RpcError:
            return False  # the error of the call says more

    async def _probe(self) -> bool:
        """Use HTTP/2 from now on if the server speaks it, and answers nothing over HTTP/1.1.

        One that speaks both answers the harmless request of this probe. It may have acted on the request before.
        """
        connection = await self._dialer.dial_http2()
        try:
            first = await self._dialer.dial_http1()
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    proven = await first.refuses_http1()
            finally:
                first.abort()
            if not proven or self._closed:
                return False
            self._http, self._pool = "2", Http2Pool(self._dialer.dial_http2)
            self._pool.add(connection)
            return True
        except TimeoutError:
            return False
        finally:
            if self._http != "2":
                connection.close("the server speaks HTTP/1.1")

    async def _open(self, deadline: Deadline, *, streaming: bool) -> HttpCall:
        return await deadline.apply(self._open_call(streaming=streaming), None)

    async def _open_call(self, *, streaming: bool) -> HttpCall:
        self._check_open()
        pool = self._pool or await self._negotiate()
        return await pool.open(streaming=streaming)

    async def _open_streaming(self, *, bidirectional: bool) -> HttpCall:
        """A connection for a call in which the client streams."""
        self._check_open()
        pool = self._streaming_pool or await self._negotiate_streaming()
        if bidirectional and isinstance(pool, Http1Pool):
            raise UnimplementedError(
                "the server or a proxy speaks HTTP/1.1, which cannot carry a call that streams both ways",
                hint="Use an endpoint that speaks HTTP/2.",
                unprocessed=True,
            )
        return await pool.open(streaming=True)

    async def _negotiate_streaming(self) -> HttpPool:
        """HTTP/2 if the server speaks it: in cleartext, the calls before may have taken HTTP/1.1 on a guess."""
        if not self._may_turn or self._http == "2":
            self._streaming_pool = self._pool or await self._negotiate()
            return self._streaming_pool
        second = Http2Pool(self._dialer.dial_http2)
        try:
            connection = await self._dialer.dial_http2()
        except EndpointError as error:
            if not isinstance(error.__cause__, ForeignReply) or not error.__cause__.http1:
                raise
            self._streaming_pool = self._pool or await self._negotiate()
        else:
            second.add(connection)
            self._streaming_pool = second
        return self._streaming_pool

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

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionLostError(_CLOSED, hint="Create a new Client.", unprocessed=True)
