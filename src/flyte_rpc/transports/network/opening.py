"""Opening one connection: to a socket of this machine, to an address, or through a proxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from flyte_rpc.errors import EndpointError, RpcError
from flyte_rpc.transports import diagnosis
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.version import USER_AGENT

from .dial import dial
from .proxies import Proxy
from .settings import Network
from .tunnel import Handover, Tunnel

if TYPE_CHECKING:
    import ssl


class _Closable(Protocol):
    def close(self, reason: str) -> None: ...


class Http2Peer(Protocol):
    """A new connection that has to prove that its peer speaks HTTP/2."""

    @property
    def first_bytes(self) -> bytes:
        """The first bytes from the server."""
        ...

    @property
    def closed_because(self) -> str:
        """Why the connection ended; empty while it is open."""
        ...

    async def shake_hands(self) -> bool:
        """Wait for the server's settings. Returns False, and closes the socket, if the peer sends something else."""
        ...


P = TypeVar("P", bound=asyncio.Protocol)
C = TypeVar("C", bound=_Closable)
H = TypeVar("H", bound=Http2Peer)


class Opener(Generic[P]):
    """Opens sockets to one endpoint, for protocols of one kind."""

    def __init__(
        self,
        endpoint: Endpoint,
        network: Network | None,
        ssl_context: ssl.SSLContext | None,
        make_protocol: Callable[[], P],
        *,
        protocols: tuple[str, ...],
        user_agent: str = USER_AGENT,
        expected: str = "HTTP/2",
    ) -> None:
        """Describe the sockets.

        Args:
            endpoint: Where to connect to.
            network: Trust and proxies. Default: the system's trust store and the proxies of the environment.
            ssl_context: TLS settings that replace those of `network`. ALPN is set on it.
            make_protocol: Makes the protocol of a connection.
            protocols: What ALPN offers.
            user_agent: The `user-agent` header for proxies.
            expected: What the peer should speak, for errors.
        """
        self._endpoint = endpoint
        self._network = network or Network()
        self._ssl_context = ssl_context
        self._make_protocol = make_protocol
        self._protocols = protocols
        self._user_agent = user_agent
        self._expected = expected
        self._accepted = False
        """Whether the peer has accepted a connection."""
        self._loop = asyncio.get_running_loop()

    @property
    def proxy_address(self) -> str:
        """`host:port` of the proxy; empty for a direct connection."""
        proxy = self._network.proxy_of(self._endpoint)
        return "" if proxy is None else proxy.address

    async def connect(self, handshake: Callable[[P], Coroutine[Any, Any, C]], seconds: float) -> C:
        """Open a connection, and say what to do if that fails.

        Args:
            handshake: Waits until the peer of a new connection has shown that it is of the right kind.
            seconds: For everything.

        Raises:
            EndpointError: The endpoint cannot be connected to, or is of the wrong kind. Nothing of a call was sent.
            InitializationError: Certificates, keys or proxies cannot be used.
        """

        async def connect(address: str) -> C:
            return await handshake(await self.open(address))

        try:
            try:
                return await self.dial(connect, seconds)
            except OSError as error:
                if isinstance(error, RpcError):
                    raise
                raise diagnosis.unreachable(
                    self._endpoint,
                    error,
                    connected=self._accepted,
                    expected=self._expected,
                    proxy=self.proxy_address,
                ) from error
        except EndpointError as error:
            proxy = self._network.proxy_of(self._endpoint)
            if proxy is None or not proxy.occurs_in(error.message):
                raise
            # The peer has copied the credentials of the proxy.
            raise diagnosis.no_tunnel(self._endpoint, proxy.address, self._expected) from None

    async def check_http2(self, connection: H) -> H:
        """Wait until a peer has shown that it speaks HTTP/2.

        Raises:
            EndpointError: It does not.
        """
        if not await connection.shake_hands():
            raise diagnosis.not_http2(
                self._endpoint,
                connection.first_bytes,
                connection.closed_because,
                expected=self._expected,
                proxy=self.proxy_address,
            )
        return connection

    async def dial(self, connect: Callable[[str], Coroutine[Any, Any, C]], seconds: float) -> C:
        """Connect to the endpoint or its proxy, trying the addresses beside each other.

        Args:
            connect: Connects to one address with `open`, and waits until the peer has shown that it is of the right kind.
            seconds: For everything.

        Raises:
            OSError: The endpoint cannot be connected to.
            EndpointError: It is of the wrong kind, or the proxy is the reason.
        """
        proxy = self._network.proxy_of(self._endpoint)
        target = self._endpoint if proxy is None else Endpoint(proxy.host, proxy.port, proxy.tls)
        try:
            async with asyncio.timeout(seconds):
                return await dial(target, connect)
        except socket.gaierror as error:
            if proxy is None:
                raise
            raise diagnosis.unreachable_proxy(proxy.address, error) from None

    async def open(self, address: str) -> P:
        """Open a connection to one address of the endpoint or of its proxy."""
        protocol = await self._open(address)
        self._accepted = True
        return protocol

    async def _open(self, address: str) -> P:
        endpoint, loop = self._endpoint, self._loop
        proxy = self._network.proxy_of(endpoint)
        if endpoint.socket_path:
            _, protocol = await loop.create_unix_connection(self._make_protocol, endpoint.socket_path)
            return protocol
        if proxy is not None:
            return await self._through(proxy, address)
        _, protocol = await loop.create_connection(
            self._make_protocol, address, endpoint.port, ssl=self._tls(), server_hostname=self._server_name()
        )
        return protocol

    async def _through(self, proxy: Proxy, address: str) -> P:
        endpoint, loop = self._endpoint, self._loop
        tls = self._network.ssl_context() if proxy.tls else None
        try:
            transport, tunnel = await loop.create_connection(
                lambda: Tunnel(loop, proxy, endpoint, self._user_agent),
                address,
                proxy.port,
                ssl=tls,
                server_hostname=None if tls is None else proxy.host,
            )
        except OSError as error:
            raise diagnosis.unreachable_proxy(proxy.address, error) from None
        try:
            await tunnel.established
            protocol, context = self._make_protocol(), self._tls()
            if context is None:
                tunnel.hand_over(transport, protocol)
                return protocol
            if tunnel.early:  # servers wait for the client to begin the handshake
                raise diagnosis.no_tunnel(endpoint, proxy.address, "TLS")
            handover = Handover()
            secured = await loop.start_tls(transport, handover, context, server_hostname=self._server_name())
            if secured is None:
                raise EndpointError(f"the proxy {proxy.address} closes the connection", unprocessed=True)
            handover.hand_over(secured, protocol)
            return protocol
        except BaseException:  # a cancellation above all: nobody else knows the socket
            transport.abort()
            raise

    def _tls(self) -> ssl.SSLContext | None:
        if not self._endpoint.tls:
            return None
        if self._ssl_context is None:
            return self._network.ssl_context(*self._protocols)
        self._ssl_context.set_alpn_protocols(list(self._protocols))
        return self._ssl_context

    def _server_name(self) -> str | None:
        return (self._network.server_name or self._endpoint.host) if self._endpoint.tls else None
