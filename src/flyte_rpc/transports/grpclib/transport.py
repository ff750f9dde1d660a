"""The gRPC transport over grpclib. It turns every failure into an error of `flyte_rpc.errors`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flyte_rpc.errors import DecodeError
from flyte_rpc.transports.checks import CheckedStream, check_call
from flyte_rpc.transports.grpc_call import connected_before, timeout_header
from flyte_rpc.transports.loop_guard import LoopGuard
from flyte_rpc.transports.network.opening import Opener
from flyte_rpc.transports.shared_task import SharedTask
from flyte_rpc.version import USER_AGENT

from .call import GrpclibCall
from .connection import GrpclibConnection

if TYPE_CHECKING:
    import ssl

    from flyte_rpc.transports.endpoint import Endpoint
    from flyte_rpc.transports.network.settings import Network
    from flyte_rpc.transports.transport import Metadata

_CLOSED = "the client was closed"


class GrpclibTransport:
    """gRPC calls to one endpoint over one connection of grpclib, for the event loop it is created on."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        network: Network | None = None,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        connect_seconds: float = 10.0,
        close_seconds: float = 1.0,
    ) -> None:
        """Describe the connection; the first call opens it.

        Args:
            endpoint: Where to connect to.
            network: Trust and proxies. Default: the system's trust store and the proxies of the environment.
            ssl_context: TLS settings that replace those of `network`. ALPN is set to `h2` on it.
            user_agent: The `user-agent` header.
            connect_seconds: For name resolution, TCP, TLS and the HTTP/2 handshake together.
            close_seconds: How long a peer may take to read what was sent to it, once the client is closed.
        """
        self._endpoint = endpoint
        self._network = network
        self._ssl_context = ssl_context
        self._user_agent = user_agent
        self._connect_seconds = connect_seconds
        self._close_seconds = close_seconds
        self._loop = asyncio.get_running_loop()
        self._connection: GrpclibConnection | None = None
        self._connecting = SharedTask(self._connect)
        self._retired: set[GrpclibConnection] = set()
        """Connections that take no new calls, and whose calls have not ended."""
        self._guard = LoopGuard(self.aclose)
        self._connected = False

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def description(self) -> str:
        """Protocol and HTTP version, for people."""
        return "gRPC over HTTP/2 of grpclib"

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        async with self._call(path, metadata, timeout) as call:
            await call.send(request, end=True)
            reply = await call.receive()
            if reply is None:
                raise DecodeError("the server reported success without a reply")
            if await call.receive() is not None:
                raise DecodeError("the server sent more than one reply")
            return reply

    async def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        async with self._call(path, metadata, timeout) as call:
            await call.send(request, end=True)
            while (reply := await call.receive()) is not None:
                yield reply

    @asynccontextmanager
    async def open(
        self, path: str, metadata: Metadata, timeout: float | None, *, bidirectional: bool = True
    ) -> AsyncGenerator[CheckedStream, None]:
        async with self._call(path, metadata, timeout) as call:
            stream = CheckedStream(call, self._loop)
            try:
                yield stream
            finally:
                stream.leave()

    @asynccontextmanager
    async def _call(self, path: str, metadata: Metadata, timeout: float | None) -> AsyncGenerator[GrpclibCall, None]:
        check_call(self._loop, path, timeout)
        end = None if timeout is None else self._loop.time() + timeout
        connection = self._connection
        if connection is None or not connection.usable:
            connection = await connected_before(self._connecting.run(), end, timeout)
        call = GrpclibCall(connection, self._loop, end, timeout)
        try:
            await call.open(self._headers(path, metadata, end))
            yield call
        finally:
            call.release()
            connection.close_if_drained()

    def close(self) -> None:
        self._connecting.close(_CLOSED)
        for connection in self._connections():
            connection.close(_CLOSED)

    async def aclose(self) -> None:
        self.close()
        for connection in self._connections():
            await connection.wait_closed(self._close_seconds)

    def _connections(self) -> list[GrpclibConnection]:
        return [*self._retired, *([self._connection] if self._connection is not None else [])]

    def _headers(self, path: str, metadata: Metadata, end: float | None) -> list[tuple[str, str]]:
        headers = [
            (":method", "POST"),
            (":scheme", "https" if self._endpoint.tls else "http"),
            (":path", path),
            (":authority", self._endpoint.authority),
        ]
        if end is not None:
            headers.append(("grpc-timeout", timeout_header(end - self._loop.time())))
        headers += [("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", self._user_agent)]
        return [*headers, *metadata]

    async def _connect(self) -> GrpclibConnection:
        if self._connection is not None and self._connection.usable:
            return self._connection
        opener = Opener(
            self._endpoint,
            self._network,
            self._ssl_context,
            lambda: GrpclibConnection(self._loop),
            protocols=("h2",),
            user_agent=self._user_agent,
            expected="gRPC",
        )
        connection = await opener.connect(opener.check_http2, self._connect_seconds)
        await self._guard.start()
        self._connected = True
        self._retire(self._connection)
        self._connection = connection
        return connection

    def _retire(self, connection: GrpclibConnection | None) -> None:
        """Keep a connection that takes no new calls until its socket is closed."""
        if connection is not None and not connection.closed.done():
            self._retired.add(connection)
            connection.closed.add_done_callback(lambda _: self._retired.discard(connection))
