"""The server that the generated `...ServiceBase` classes stand on: one port for gRPC, Connect and gRPC-Web.

The embedded control plane and the fakes of the tests use it. The client never imports this module.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Collection, Iterable

from flyte_rpc.status import Status

from .connect.http1 import Http1Connection
from .connect.router import Router
from .connections import Connections
from .dispatch import Authenticate, Dispatcher
from .first_bytes import FirstBytes
from .http2 import Http2Server
from .service import Abort, ServerCall, ServiceBase, abort

__all__ = ["Abort", "Authenticate", "RunningServer", "ServerCall", "ServiceBase", "Status", "abort", "serve"]

_BACKLOG = 1024
"""Connections that wait to be accepted. A proxy may open one for each of many concurrent calls."""


class RunningServer:
    """A server that accepts calls until it is closed."""

    def __init__(self, listener: asyncio.Server, connections: Connections, host: str, port: int) -> None:
        self._listener = listener
        self.connections = connections
        """The open ones."""
        self.host = host
        self.port = port

    @property
    def endpoint(self) -> str:
        """Where a client on this machine reaches it."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    async def close(self) -> None:
        """Stop accepting, cancel the handlers that run, drop the connections. Closing twice does nothing."""
        self._listener.close()
        await self.connections.close()
        await self._listener.wait_closed()  # which waits for the connections since Python 3.12

    async def __aenter__(self) -> RunningServer:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


async def serve(
    services: Iterable[ServiceBase],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    authenticate: Authenticate | None = None,
    hosts: Collection[str] | None = None,
    max_connections: int | None = None,
    patience: float = 20.0,
) -> RunningServer:
    """Serve on this event loop, in cleartext: gRPC over HTTP/2; Connect and gRPC-Web over HTTP/1.1 and HTTP/2.

    `GET /healthz` and `GET /readyz` answer without credentials.

    Args:
        services: One object per service.
        host: Address to listen on. Default: this machine only.
        port: TCP port; 0 takes a free one, see `RunningServer.port`.
        authenticate: Called before each request is read. Default: everybody may call.
        hosts: Host names, without ports, that requests may be for, so that pages of other sites cannot call the server. Requests
            with an `Origin` must come from the host that they are for. Calls over gRPC, which browsers cannot make, are not
            checked. Default: all.
        max_connections: Most open connections. At the limit, a new one replaces the oldest one without a request, or is closed
            if there is none. Default: half of the files that the process may open, at most 10,000.
        patience: Seconds after which a connection without its first bytes is closed.

    Raises:
        OSError: The address cannot be bound.
        ValueError: Two services offer the same method, or `host` is a path: the server does not listen on Unix sockets.
    """
    if "/" in host:
        raise ValueError(
            f"host={host!r} is a path or URL. The server listens on TCP only: write a host name or an address."
        )
    dispatcher = Dispatcher(services, authenticate)
    router = Router(dispatcher, hosts)
    http2 = Http2Server(dispatcher, router)
    connections = Connections(max_connections)

    def accept() -> FirstBytes:
        return FirstBytes(
            connections,
            http1=lambda: Http1Connection(router, connections),
            http2=lambda: http2.connection(connections),
            patience=patience,
        )

    sock = _bind(host, port)
    # The event loop accepts as many at once, several times before the first of them can be closed again.
    backlog = min(_BACKLOG, max(1, connections.limit // 4))
    listener = await asyncio.get_running_loop().create_server(accept, sock=sock, backlog=backlog)
    return RunningServer(listener, connections, host, sock.getsockname()[1])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off, which costs 40 ms a call, only where the protocol is spelt out.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere the option lets two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound
