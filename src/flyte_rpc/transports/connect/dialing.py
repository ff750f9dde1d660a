"""Opening connections: TCP, TLS, and the choice between HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from flyte_rpc.errors import EndpointError
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.http2.connection import Http2Connection
from flyte_rpc.transports.http2.headers import HeaderWriter
from flyte_rpc.transports.http2.keepalive import PingPolicy
from flyte_rpc.transports.network.opening import Opener

from .http1 import Http1Connection
from .protocol import PROTOCOL_VERSION, TIMEOUT_HEADER

if TYPE_CHECKING:
    import ssl

    from flyte_rpc.transports.network.settings import Network

C = TypeVar("C", Http1Connection, Http2Connection)

Version = Literal["1.1", "2"]

_ALPN = {"1.1": "http/1.1", "2": "h2"}

# TCP's own keepalive notices dead peers below long-lived HTTP/1.1 streams, which have no pings.
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class Dialer:
    """Opens connections to one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        network: Network | None,
        ssl_context: ssl.SSLContext | None,
        user_agent: str,
        connect_seconds: float,
    ) -> None:
        """Describe the connections.

        Args:
            endpoint: Where to connect to.
            network: Trust and proxies. Default: the system's trust store and the proxies of the environment.
            ssl_context: TLS settings that replace those of `network`.
            user_agent: The `user-agent` header.
            connect_seconds: For name resolution, TCP, TLS and the HTTP/2 handshake together.
        """
        self._endpoint = endpoint
        self._network = network
        self._ssl_context = ssl_context
        self._user_agent = user_agent
        self._connect_seconds = connect_seconds
        self._loop = asyncio.get_running_loop()
        self._pings = PingPolicy()
        self.connected = False
        """Whether a connection has ever been made."""

    async def dial(self, *versions: Version) -> Http1Connection | Http2Connection:
        """Open a connection.

        Args:
            versions: The HTTP versions to offer. With TLS, the server chooses; in cleartext, the first is used.

        Raises:
            EndpointError: It cannot be opened. Nothing of a call was sent.
        """
        opener = Opener(
            self._endpoint,
            self._network,
            self._ssl_context,
            lambda: _Opening(versions[0], lambda: self._http1(opener.proxy_address), self._http2),
            protocols=tuple(_ALPN[version] for version in versions),
            user_agent=self._user_agent,
        )

        async def handshake(opening: _Opening) -> Http1Connection | Http2Connection:
            connection = opening.connection
            assert connection is not None  # it is made with the socket
            return connection if isinstance(connection, Http1Connection) else await opener.check_http2(connection)

        connection = await opener.connect(handshake, self._connect_seconds)
        self.connected = True
        return connection

    async def dial_http1(self) -> Http1Connection:
        """Open an HTTP/1.1 connection."""
        return self._expect(await self.dial("1.1"), Http1Connection, "HTTP/1.1")

    async def dial_http2(self) -> Http2Connection:
        """Open an HTTP/2 connection."""
        return self._expect(await self.dial("2"), Http2Connection, "HTTP/2")

    def _expect(self, connection: Http1Connection | Http2Connection, kind: type[C], name: str) -> C:
        if isinstance(connection, kind):
            return connection
        connection.close("the server chose another version of HTTP")
        raise EndpointError(f"{self._endpoint.address} does not offer {name} in the TLS handshake", unprocessed=True)

    def _http1(self, proxy: str) -> Http1Connection:
        return Http1Connection(self._loop, self._endpoint, self._user_agent, proxy)

    def _http2(self) -> Http2Connection:
        scheme = "https" if self._endpoint.tls else "http"
        headers = HeaderWriter(
            scheme,
            self._endpoint.authority,
            self._user_agent,
            fixed=(PROTOCOL_VERSION,),
            timeout_header=TIMEOUT_HEADER,
        )
        return Http2Connection(self._loop, headers, self._pings)


class _Opening(asyncio.Protocol):
    """Stands in for the protocol of a connection until the server has chosen it."""

    def __init__(
        self, cleartext: Version, http1: Callable[[], Http1Connection], http2: Callable[[], Http2Connection]
    ) -> None:
        self._cleartext = cleartext
        self._http1 = http1
        self._http2 = http2
        self.connection: Http1Connection | Http2Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        _keep_alive(transport.get_extra_info("socket"))
        tls = transport.get_extra_info("ssl_object")
        # Servers without ALPN speak HTTP/1.1.
        second = self._cleartext == "2" if tls is None else tls.selected_alpn_protocol() == "h2"
        self.connection = self._http2() if second else self._http1()
        cast(asyncio.Transport, transport).set_protocol(self.connection)
        self.connection.connection_made(transport)


def _keep_alive(handle: socket.socket | None) -> None:
    if handle is None:
        return
    try:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        pass  # a help against dead peers, without which calls work as well
