"""The gRPC transport over HTTP/2. It connects, and turns every failure into an error of `flyte_rpc.errors`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flyte_rpc.errors import ConnectionLostError, DecodeError
from flyte_rpc.version import USER_AGENT

from .checks import CheckedStream, check_call
from .connections import IDLE_SECONDS, Http2Connections
from .framing import frame
from .grpc_call import GrpcCall, GrpcStreamingCall, connected_before, timeout_header
from .http2.connection import Http2Connection
from .http2.headers import HeaderWriter
from .http2.keepalive import PING_INTERVAL, PING_TIMEOUT, PingPolicy
from .network.opening import Opener

if TYPE_CHECKING:
    import ssl

    from .endpoint import Endpoint
    from .network.settings import Network
    from .transport import Metadata


class GrpcTransport:
    """gRPC calls to one endpoint, for the event loop it is created on."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        network: Network | None = None,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        connect_seconds: float = 10.0,
        ping_interval: float = PING_INTERVAL,
        ping_timeout: float = PING_TIMEOUT,
        close_seconds: float = 1.0,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Describe the connections; the first call opens one.

        Args:
            endpoint: Where to connect to.
            network: Trust and proxies. Default: the system's trust store and the proxies of the environment.
            ssl_context: TLS settings that replace those of `network`. ALPN is set to `h2` on it.
            user_agent: The `user-agent` header.
            connect_seconds: For name resolution, TCP, TLS and the HTTP/2 handshake together.
            ping_interval: Seconds of silence before a ping while calls are open. Later pings of one silence wait for five
                minutes at least. The interval doubles when the server says that it is pinged too often.
            ping_timeout: Seconds after which an unanswered ping means that the connection is dead.
            close_seconds: How long a peer may take to read what was sent to it, once the client is closed.
            idle_seconds: Seconds after which a connection without calls is closed while there is another one.
        """
        self._endpoint = endpoint
        self._network = network
        self._ssl_context = ssl_context
        self._user_agent = user_agent
        self._connect_seconds = connect_seconds
        self._close_seconds = close_seconds
        self._loop = asyncio.get_running_loop()
        self._connections = Http2Connections(self._connect, idle_seconds)
        self._connected = False
        self.pings = PingPolicy(ping_interval, ping_timeout)
        """When the server is pinged, on all connections."""

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def description(self) -> str:
        """Protocol and HTTP version, for people."""
        return "gRPC over HTTP/2"

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        # Until two messages have arrived, which is an error, only the end is of interest.
        call = await self._start_call(path, request, metadata, timeout, expected_messages=2, long=False)
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
        call = await self._start_call(path, request, metadata, timeout, expected_messages=1, long=True)
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

    @asynccontextmanager
    async def open(
        self, path: str, metadata: Metadata, timeout: float | None, *, bidirectional: bool = True
    ) -> AsyncGenerator[CheckedStream, None]:
        call = await self._start_call(path, None, metadata, timeout, expected_messages=1, long=True)
        stream = CheckedStream(GrpcStreamingCall(call), self._loop)
        try:
            yield stream
        finally:
            stream.leave()
            call.release()

    def close(self) -> None:
        self._connections.close("the client was closed")

    async def aclose(self) -> None:
        self.close()
        await self._connections.wait_closed(self._close_seconds)

    async def _start_call(
        self,
        path: str,
        request: bytes | None,
        metadata: Metadata,
        timeout: float | None,
        *,
        expected_messages: int,
        long: bool,
    ) -> GrpcCall:
        """Send a request; None if the messages follow. The caller releases the call in the end."""
        check_call(self._loop, path, timeout)
        end = None if timeout is None else self._loop.time() + timeout
        connection = self._connections.pick(long=long)
        if connection is None:
            connection = await connected_before(self._connections.acquire(long=long), end, timeout)
        streaming = request is None
        call = GrpcCall(
            self._connections, connection, self._loop, expected_messages, end, timeout, long=long, streaming=streaming
        )
        stream = call.stream
        try:
            while not stream.admitted:
                if stream.finished:
                    raise call.failure()
                await stream.wait()
            if not connection.usable:
                raise ConnectionLostError("the connection was closed before the request was sent", unprocessed=True)
            data = b"" if request is None else frame(request)
            header = "" if end is None else timeout_header(end - self._loop.time())
            at = connection.send_request(stream, path, metadata, header, data, end=not streaming)
            while at < len(data):
                await stream.wait()
                if stream.finished:
                    break  # a server may answer early; the reply tells
                at = connection.continue_request(stream, data, at)
        except BaseException:  # a cancellation above all: the stream has to be given back
            call.release()
            raise
        return call

    async def _connect(self) -> Http2Connection:
        endpoint = self._endpoint

        def make_connection() -> Http2Connection:
            headers = HeaderWriter("https" if endpoint.tls else "http", endpoint.authority, self._user_agent)
            return Http2Connection(self._loop, headers, self.pings)

        opener = Opener(
            endpoint,
            self._network,
            self._ssl_context,
            make_connection,
            protocols=("h2",),
            user_agent=self._user_agent,
            expected="gRPC",
        )
        connection = await opener.connect(opener.check_http2, self._connect_seconds)
        self._connected = True
        return connection
