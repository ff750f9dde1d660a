"""Which transport a client uses: gRPC, Connect, or the one of the two that works."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from flyte_rpc.errors import EndpointError, InternalError, RpcError, UnavailableError, UnknownError

from .checks import check_call
from .endpoint import Endpoint
from .transport import Metadata, StreamingCall, Transport, TransportFactory, TransportName

if TYPE_CHECKING:
    import ssl

    from .connect.transport import ConnectTransport, HttpVersion
    from .grpc import GrpcTransport
    from .grpclib.transport import GrpclibTransport
    from .network.settings import Network

_REFUSED = frozenset((405, 415, 464))
"""HTTP statuses that refuse a request for its form, before any handler runs: method, content type, HTTP version.

464 is what load balancers of AWS answer if the protocol of a request is not that of the servers behind them.
"""

_LEAST = 0.001
"""Minimum seconds that a second attempt gets. Transports reject zero."""

_NO_ALPN = "no application protocol"
"""What a TLS alert says if the server speaks no HTTP/2, which is all that gRPC offers. OpenSSL writes it in two ways."""


class _Preference(enum.Enum):
    """What is known about an endpoint."""

    GRPC_FIRST = enum.auto()
    CONNECT_FIRST = enum.auto()
    """gRPC was refused, or a reply came without trailers."""
    GRPC = enum.auto()
    CONNECT = enum.auto()
    CONNECT_HTTP2 = enum.auto()
    """Connect over HTTP/2 in cleartext, where nothing negotiates the version."""


def transport_factory(
    transport: TransportName,
    user_agent: str,
    ssl_context: ssl.SSLContext | None = None,
    network: Network | None = None,
) -> TransportFactory:
    """The factory of the chosen transport. Its modules are imported with the first connection.

    Args:
        transport: The choice.
        user_agent: The `user-agent` header.
        ssl_context: TLS settings that replace those of `network`.
        network: Trust and proxies. Default: the system's trust store and the proxies of the environment.
    """

    def grpc(endpoint: Endpoint) -> GrpcTransport:
        from .grpc import GrpcTransport

        return GrpcTransport(endpoint, user_agent=user_agent, network=network, ssl_context=ssl_context)

    def connect(endpoint: Endpoint, http: HttpVersion = "auto") -> ConnectTransport:
        from .connect.transport import ConnectTransport

        return ConnectTransport(endpoint, user_agent=user_agent, network=network, ssl_context=ssl_context, http=http)

    def grpclib(endpoint: Endpoint) -> GrpclibTransport:
        from .grpclib.transport import GrpclibTransport

        return GrpclibTransport(endpoint, user_agent=user_agent, network=network, ssl_context=ssl_context)

    preferences: dict[Endpoint, _Preference] = {}  # for the transports of all event loops

    def auto(endpoint: Endpoint) -> Transport:
        return _AutoTransport(endpoint, grpc, connect, preferences)

    factories: dict[TransportName, TransportFactory] = {
        "auto": auto,
        "grpc": grpc,
        "connect": connect,
        "grpclib": grpclib,
    }
    return factories[transport]


class _AutoTransport:
    """Uses gRPC, and Connect where gRPC does not pass. The first success decides.

    A call is sent a second time, over the other transport, only if the first attempt was certainly not executed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        open_grpc: Callable[[Endpoint], GrpcTransport],
        open_connect: Callable[[Endpoint, HttpVersion], ConnectTransport],
        preferences: dict[Endpoint, _Preference],
    ) -> None:
        self._endpoint = endpoint
        self._open_connect = open_connect
        self._preferences = preferences
        self._loop = asyncio.get_running_loop()
        self._grpc = open_grpc(endpoint)
        self._connect: ConnectTransport | None = None
        self._closed = False
        self._chosen: Transport | None = None
        """The transport of all further calls, as soon as it is known."""

    @property
    def connected(self) -> bool:
        return self._grpc.connected or (self._connect is not None and self._connect.connected)

    @property
    def description(self) -> str:
        """Protocol and HTTP version, for people; empty while undecided."""
        if self._chosen is None:
            return ""
        used = self._grpc if self._chosen is self._grpc else self._connect_transport()
        return f"{used.description}, chosen automatically"

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        chosen = self._chosen or self._known()
        if chosen is not None:
            return await chosen.unary(path, request, metadata, timeout)
        check_call(self._loop, path, timeout)
        end = self._loop.time() + timeout
        first = self._first()
        try:
            reply = await first.unary(path, request, metadata, timeout)
        except RpcError as error:
            other = self._fallback(first, error)
            if other is None:
                raise
            left = max(end - self._loop.time(), _LEAST)
            try:
                reply = await other.unary(path, request, metadata, left)
            except RpcError as second:
                failure = self._failure(other, error, second)
                raise failure from failure.__cause__
            first = other
        self._choose(first)
        return reply

    def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        chosen = self._chosen or self._known()
        if chosen is not None:
            return chosen.server_stream(path, request, metadata, timeout)
        return self._first_stream(path, request, metadata, timeout)

    async def _first_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        check_call(self._loop, path, timeout)
        end = None if timeout is None else self._loop.time() + timeout
        first = self._first()
        error: RpcError | None = None
        other: Transport | None = None
        async with aclosing(first.server_stream(path, request, metadata, timeout)) as replies:
            try:
                async for reply in replies:
                    yield reply
            except RpcError as failure:
                other = self._fallback(first, failure)
                if other is None:
                    raise
                error = failure
        if error is None or other is None:
            self._choose(first)
            return
        left = None if end is None else max(end - self._loop.time(), _LEAST)
        async with aclosing(other.server_stream(path, request, metadata, left)) as replies:
            try:
                async for reply in replies:
                    self._choose(other)
                    yield reply
            except RpcError as second:
                combined = self._failure(other, error, second)
                raise combined from combined.__cause__
        self._choose(other)

    @asynccontextmanager
    async def open(
        self, path: str, metadata: Metadata, timeout: float | None, *, bidirectional: bool = True
    ) -> AsyncGenerator[StreamingCall, None]:
        """As `Transport.open`. Only a server that refuses the connection makes it try the other transport.

        Messages cannot be sent again, so a call that is refused later fails. The next call uses the other transport.
        """
        check_call(self._loop, path, timeout)
        end = None if timeout is None else self._loop.time() + timeout
        transport = self._chosen or self._known() or self._first()
        started = False
        try:
            async with transport.open(path, metadata, timeout, bidirectional=bidirectional) as call:
                started = True
                yield call
            return
        except RpcError as failure:
            if transport is self._chosen:
                raise
            other = self._fallback(transport, failure)
            if other is None or started:
                raise
        left = None if end is None else max(end - self._loop.time(), _LEAST)
        async with other.open(path, metadata, left, bidirectional=bidirectional) as call:
            yield call

    def close(self) -> None:
        self._closed = True
        self._grpc.close()
        if self._connect is not None:
            self._connect.close()

    async def aclose(self) -> None:
        self._closed = True
        await self._grpc.aclose()
        if self._connect is not None:
            await self._connect.aclose()

    def _connect_transport(self) -> ConnectTransport:
        if self._connect is None:
            known = self._preferences.get(self._endpoint) is _Preference.CONNECT_HTTP2
            self._connect = self._open_connect(self._endpoint, "2" if known or self._cleartext_http2() else "auto")
            if self._closed:
                self._connect.close()
        return self._connect

    def _cleartext_http2(self) -> bool:
        """Whether gRPC has shown that the server speaks HTTP/2 in cleartext, so that Connect can as well."""
        return self._grpc.connected and not self._endpoint.tls

    def _known(self) -> Transport | None:
        """The transport that another event loop has found to work."""
        match self._preferences.get(self._endpoint):
            case _Preference.GRPC:
                self._chosen = self._grpc
            case _Preference.CONNECT | _Preference.CONNECT_HTTP2:
                self._chosen = self._connect_transport()
            case _:
                pass
        return self._chosen

    def _first(self) -> Transport:
        """The transport to try first."""
        if self._preferences.get(self._endpoint) is _Preference.CONNECT_FIRST:
            return self._connect_transport()
        return self._grpc

    def _choose(self, transport: Transport) -> None:
        self._chosen = transport
        if transport is self._grpc:
            self._preferences[self._endpoint] = _Preference.GRPC
        elif self._preferences.get(self._endpoint) is not _Preference.CONNECT_HTTP2:
            http2 = self._cleartext_http2()
            self._preferences[self._endpoint] = _Preference.CONNECT_HTTP2 if http2 else _Preference.CONNECT

    def _prefer(self, preference: _Preference) -> None:
        """Note which transport the next call tries first, unless another call has decided in the meantime."""
        if self._chosen is None:
            self._preferences[self._endpoint] = preference

    def _fallback(self, first: Transport, error: RpcError) -> Transport | None:
        """The transport to send a failed call over again. None unless the call was certainly not executed."""
        if first is self._grpc:
            if _lost_trailers(error):
                self._prefer(_Preference.CONNECT_FIRST)
                return None
            if not _refused_grpc(error):
                return None
            # Calls that begin from now on need not be refused first.
            self._prefer(_Preference.CONNECT_FIRST)
            return self._connect_transport()
        if self._connect is not None and self._connect.answered:
            self._choose(first)
            return None
        if isinstance(error, UnavailableError):
            self._prefer(_Preference.GRPC_FIRST)  # nothing has shown that the server speaks Connect
        return self._grpc if _refused(error) else None

    def _failure(self, other: Transport, first: RpcError, second: RpcError) -> RpcError:
        """The error of a call that failed over both transports: that of the first, unless the second says more."""
        from .diagnosis import ForeignReply

        if self._connect is not None and other is self._connect and self._connect.answered:
            self._choose(other)
            return second
        if other is self._connect and isinstance(second, UnavailableError):
            self._prefer(_Preference.GRPC_FIRST)
        if _refused(second) or (isinstance(second, EndpointError) and second.unprocessed):
            return first
        if isinstance(second.__cause__, ForeignReply) and isinstance(
            second, (EndpointError, InternalError, UnknownError)
        ):
            first.unprocessed = False  # something has read the second request
            return first
        return second


def _lost_trailers(error: RpcError) -> bool:
    from .diagnosis import MissingTrailers

    return isinstance(error.__cause__, MissingTrailers)


def _refused_grpc(error: RpcError) -> bool:
    """Whether a gRPC call was certainly not executed because the peer does not speak gRPC."""
    from .diagnosis import ForeignReply

    cause = error.__cause__
    if isinstance(cause, ForeignReply):
        return cause.http1 or _refused(error)
    return isinstance(error, EndpointError) and _NO_ALPN in str(cause).lower().replace("_", " ")


def _refused(error: RpcError) -> bool:
    """Whether the server refused a call for its form, or is another kind of server, so that no handler ran."""
    from .diagnosis import ForeignReply

    cause = error.__cause__
    return isinstance(cause, ForeignReply) and (cause.status in _REFUSED or (cause.status == 404 and cause.html))
