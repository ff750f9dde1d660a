"""The steps below a call: settings, names, TCP, proxy and TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime
from typing import Any, cast

import attrs

from flyte_rpc.errors import EndpointError, RpcError
from flyte_rpc.transports import diagnosis
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.network.opening import Opener
from flyte_rpc.transports.network.proxies import Proxy
from flyte_rpc.transports.network.settings import Network

from .report import Failed

_SECONDS = 10.0
_WARN_DAYS = 14


class _Peer(asyncio.Protocol):
    """A connection on which nothing is sent."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def close(self, reason: str) -> None:
        self.transport.close()


async def resolve(endpoint: Endpoint, proxy: Proxy | None) -> str:
    """Resolve the name of the endpoint, or of the proxy that resolves it."""
    if endpoint.socket_path:
        return f"the Unix socket {endpoint.socket_path}"
    host, port = (endpoint.host, endpoint.port) if proxy is None else (proxy.host, proxy.port)
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), _SECONDS)
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or "no answer"
        raise Failed(f"{host} cannot be resolved ({reason})", "Check the host name and the DNS servers.") from None
    addresses = list(dict.fromkeys(str(place[0]) for _, _, _, _, place in found))
    what = "the proxy " if proxy is not None else ""
    return f"{what}{host} is {', '.join(addresses)}"


async def connect(endpoint: Endpoint, network: Network) -> str:
    """Connect over TCP, to the proxy if there is one, and through it."""
    proxy = network.proxy_of(endpoint)
    # The proxy is that of the endpoint itself: without TLS, the environment may set another.
    direct = attrs.evolve(network, proxy="" if proxy is None else proxy.url)
    peer = await _open(endpoint._replace(tls=False), direct, (), endpoint)
    peer.transport.abort()
    return f"{endpoint.address} accepts connections" + (f" through the proxy {proxy.address}" if proxy else "")


async def handshake(endpoint: Endpoint, network: Network) -> str:
    """Complete a TLS handshake, and describe the certificate."""
    if not endpoint.tls:
        return "not used: the endpoint is cleartext"
    peer = await _open(endpoint, network, ("h2", "http/1.1"), endpoint)
    try:
        tls: ssl.SSLObject = peer.transport.get_extra_info("ssl_object")
        chosen = {"h2": "HTTP/2", "http/1.1": "HTTP/1.1"}.get(tls.selected_alpn_protocol() or "", "no HTTP version")
        certificate = cast("dict[str, Any] | None", tls.getpeercert())
        described = _certificate(certificate) if certificate else "certificate not verified"
        return f"{tls.version()}, {chosen} chosen, {described}"
    finally:
        peer.transport.abort()


def _certificate(certificate: dict[str, Any]) -> str:
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    issuer = {name: value for part in certificate.get("issuer", ()) for name, value in part}
    signed = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed authority"
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (until - datetime.now(UTC)).days
    expiry = f"valid until {until:%Y-%m-%d}" + (f", only {days} more days" if days < _WARN_DAYS else "")
    return f"certificate for {', '.join(names) or 'no host'} by {signed}, {expiry}"


async def _open(endpoint: Endpoint, network: Network, protocols: tuple[str, ...], shown: Endpoint) -> _Peer:
    opener = Opener(endpoint, network, None, _Peer, protocols=protocols)

    async def connect_to(address: str) -> _Peer:
        return await opener.open(address)

    try:
        return await opener.dial(connect_to, _SECONDS)
    except RpcError as error:
        raise Failed(error.message, error.hint) from None
    except OSError as error:
        found: EndpointError = diagnosis.unreachable(shown, error, connected=False)
        raise Failed(found.message, found.hint) from None
