"""Connections: one per endpoint and event loop, shared by a client and those derived from it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from flyte_rpc.errors import InitializationError
from flyte_rpc.sync import bridge
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.transport import Transport, TransportFactory, TransportName

if TYPE_CHECKING:
    import ssl

    from flyte_rpc.transports.network.settings import Network


def deferred(
    transport: TransportName | TransportFactory,
    user_agent: str,
    ssl_context: ssl.SSLContext | None,
    network: Network | None,
) -> TransportFactory:
    """The factory of a choice of transport. Transports are imported with the first connection.

    Raises:
        TypeError: `ssl_context` is not an `ssl.SSLContext`, or `network` is not a `Network`.
    """
    if network is not None and not hasattr(network, "proxy_of"):
        raise TypeError(f"network takes a Network, not {type(network).__name__}")
    if ssl_context is not None and not hasattr(ssl_context, "wrap_bio"):
        raise TypeError(f"ssl_context takes an ssl.SSLContext, not {type(ssl_context).__name__}")
    if callable(transport):
        return transport
    factory: TransportFactory | None = None

    def open_transport(endpoint: Endpoint) -> Transport:
        nonlocal factory
        if factory is None:
            from flyte_rpc.transports.choice import transport_factory

            factory = transport_factory(transport, user_agent, ssl_context, network)
        return factory(endpoint)

    return open_transport


class ConnectionPool:
    """Opens and closes transports. A forked child process does not use its parent's."""

    def __init__(self, open_transport: TransportFactory) -> None:
        self._open_transport = open_transport
        self._transports: dict[tuple[Endpoint, asyncio.AbstractEventLoop], Transport] = {}
        self._lock = threading.Lock()
        self._generation = bridge.fork_generation()
        self.closed = False

    def transport(self, endpoint: Endpoint) -> Transport:
        """The transport to an endpoint for the running event loop.

        Raises:
            InitializationError: The pool is closed.
        """
        if self._generation != bridge.fork_generation():
            self._forget()
        key = (endpoint, _supported_loop())
        transport = self._transports.get(key)
        if transport is None:
            with self._lock:
                if self.closed:
                    raise InitializationError(f"The client for {endpoint} is closed. Create a new one.")
                transport = self._open_transport(endpoint)
                if not hasattr(transport, "unary"):
                    raise TypeError(f"the function in transport= returned {type(transport).__name__}, not a transport")
                open_loops = {key: way for key, way in self._transports.items() if not key[1].is_closed()}
                self._transports = {**open_loops, key: transport}
        return transport

    def close(self) -> None:
        """Close all connections. Running calls fail."""
        running = _running_loop()
        for (_, loop), transport in self._retire():
            if loop is running:
                transport.close()
            else:
                _close_on(loop, transport)

    async def aclose(self) -> None:
        """Close all connections, and wait for those of the running event loop."""
        running = asyncio.get_running_loop()
        for (_, loop), transport in self._retire():
            if loop is running:
                await transport.aclose()
            else:
                _close_on(loop, transport)

    def _retire(self) -> list[tuple[tuple[Endpoint, asyncio.AbstractEventLoop], Transport]]:
        if self._generation != bridge.fork_generation():
            self._forget()
        with self._lock:
            self.closed = True
            retired, self._transports = self._transports, {}
        return list(retired.items())

    def _forget(self) -> None:
        """Drop the parent process's sockets, and its lock, which one of its threads may have held during the fork."""
        self._lock, self._transports, self._generation = threading.Lock(), {}, bridge.fork_generation()


def _supported_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise InitializationError(
            "Calls need an asyncio event loop, such as asyncio's own or uvloop; trio and others are not supported. "
            "Use the blocking form of the call from a thread."
        ) from None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _close_on(loop: asyncio.AbstractEventLoop, transport: Transport) -> None:
    with suppress(RuntimeError):  # the loop is closed, and so are its sockets
        loop.call_soon_threadsafe(transport.close)
