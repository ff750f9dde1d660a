"""The serving side: what the generated `...ServiceBase` classes stand on, over grpclib's HTTP/2 server.

The embedded control plane and the fakes of the tests use it. The client never imports this module.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any

from grpclib import GRPCError
from grpclib.const import Cardinality as WireCardinality
from grpclib.const import Handler as Route
from grpclib.const import Status as WireStatus
from grpclib.encoding.base import CodecBase
from grpclib.protocol import H2Protocol
from grpclib.server import Server, Stream

from flyte_rpc.calls.rpc import Cardinality, Rpc
from flyte_rpc.status import Status
from flyte_rpc.transports.framing import BadFrame
from flyte_rpc.transports.grpclib.connection import TolerantProcessor

from .grpclib_compat import read_message
from .service import Abort, ServerCall, ServiceBase, abort

__all__ = ["Abort", "Authenticate", "RunningServer", "ServerCall", "ServiceBase", "Status", "abort", "serve"]

_log = logging.getLogger("flyte_rpc.server")

_BACKLOG = 1024
"""Connections that wait to be accepted. A proxy may open one for each of many concurrent calls."""

_GRACE = 5.0
"""Seconds that cancelled handlers get to finish when the server stops."""

_WIRE_CARDINALITY = {
    Cardinality.UNARY: WireCardinality.UNARY_UNARY,
    Cardinality.SERVER_STREAM: WireCardinality.UNARY_STREAM,
    Cardinality.CLIENT_STREAM: WireCardinality.STREAM_UNARY,
    Cardinality.BIDI: WireCardinality.STREAM_STREAM,
}


Authenticate = Callable[[ServerCall], Awaitable[None] | None]
"""Looks at a call before its request is read; calls `abort(Status.UNAUTHENTICATED, ...)` to turn it away."""


class RunningServer:
    """A server that accepts calls until it is closed."""

    def __init__(self, server: _Server, host: str, port: int) -> None:
        self._server = server
        self.host = host
        self.port = port

    @property
    def endpoint(self) -> str:
        """Where a client on this machine reaches it."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    async def close(self) -> None:
        """Stop accepting, cancel the handlers that run, drop the connections. Closing twice does nothing."""
        await self._server.stop()

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
) -> RunningServer:
    """Serve on this event loop, in cleartext HTTP/2.

    Args:
        services: One object per service.
        host: Address to listen on. Default: this machine only.
        port: TCP port; 0 takes a free one, see `RunningServer.port`.
        authenticate: Called before each request is read. Default: everybody may call.

    Raises:
        OSError: The address cannot be bound.
    """
    server = _Server([_Servable(list(services), authenticate)])
    listener = _listen(host, port)
    await server.start(sock=listener, backlog=_BACKLOG)
    return RunningServer(server, host, listener.getsockname()[1])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off, which costs 40 ms a call, only where the protocol is spelt out.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere the option lets two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


class _Codec(CodecBase):
    """Handlers read requests themselves, with a size limit; grpclib is left to encode the replies."""

    @property
    def __content_subtype__(self) -> str:
        return "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        return message_type.parse(data)


class _Server(Server):
    """grpclib's server, with connections that tolerate unknown frames and that can be dropped."""

    def __init__(self, handlers: list[_Servable]) -> None:
        super().__init__(handlers, codec=_Codec())
        self._protocols: set[_Protocol] = set()

    def _protocol_factory(self) -> H2Protocol:
        return _Protocol(self._protocols, super()._protocol_factory())

    async def stop(self) -> None:
        self.close()
        # Handlers get to their `finally` clauses first; since Python 3.12 the listener waits for its connections.
        running = [asyncio.ensure_future(handler.wait_closed()) for handler in self._handlers]
        if running:
            await asyncio.wait(running, timeout=_GRACE)
        for protocol in list(self._protocols):
            protocol.processor.close("the server has stopped")
        await self.wait_closed()


class _Protocol(H2Protocol):
    def __init__(self, alive: set[_Protocol], like: H2Protocol) -> None:
        super().__init__(like.handler, like.config, like.h2_config)
        self._alive = alive

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.processor = TolerantProcessor(self.handler, self.connection)
        self._alive.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._alive.discard(self)
        super().connection_lost(exc)


class _Servable:
    """Our services in the shape that grpclib routes by."""

    def __init__(self, services: list[ServiceBase], authenticate: Authenticate | None) -> None:
        self._services = services
        self._authenticate = authenticate

    def __mapping__(self) -> dict[str, Route]:
        routes: dict[str, Route] = {}
        for service in self._services:
            for name, rpc in service.RPCS:
                if rpc.path in routes:
                    raise ValueError(f"two services offer {rpc.path}")
                handle = _handler(getattr(service, name), rpc, self._authenticate)
                routes[rpc.path] = Route(handle, _WIRE_CARDINALITY[rpc.cardinality], None, None)
        return routes


def _handler(
    method: Callable[..., Any], rpc: Rpc[Any, Any], authenticate: Authenticate | None
) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
    """The coroutine function that serves one RPC and turns whatever it raises into a status."""

    async def handle(stream: Stream[Any, Any]) -> None:
        call = _call(rpc, stream)
        try:
            if authenticate is not None:
                verdict = authenticate(call)
                if inspect.isawaitable(verdict):
                    await verdict
            await _serve_one(method, rpc, stream, call)
        except Abort as error:
            raise GRPCError(WireStatus(error.status.value), error.message) from None
        except Exception as error:
            # The text may name files and values of the server, so the client only gets what to quote when asking.
            _log.exception("%s failed (request id %s)", rpc.path, call.request_id or "none", exc_info=error)
            hint = f"; its log has the request id {call.request_id}" if call.request_id else ""
            raise GRPCError(WireStatus.INTERNAL, f"the server failed to handle the call{hint}") from None

    return handle


async def _serve_one(
    method: Callable[..., Any], rpc: Rpc[Any, Any], stream: Stream[Any, Any], call: ServerCall
) -> None:
    scope: AbstractAsyncContextManager[Any] = nullcontext()
    if rpc.cardinality in (Cardinality.CLIENT_STREAM, Cardinality.BIDI):
        request: Any = _requests(rpc, stream)
        scope = aclosing(request)
    else:
        data = await _read(stream)
        if data is None:
            abort(Status.INVALID_ARGUMENT, "the request is missing")
        request = _parse(rpc, data)
    async with scope:
        if rpc.cardinality in (Cardinality.UNARY, Cardinality.CLIENT_STREAM):
            await stream.send_message(await method(request, call))
            return
        replies = method(request, call)
        async with aclosing(replies):
            async for reply in replies:
                await stream.send_message(reply)


async def _requests(rpc: Rpc[Any, Any], stream: Stream[Any, Any]) -> AsyncGenerator[Any, None]:
    while (data := await _read(stream)) is not None:
        yield _parse(rpc, data)


async def _read(stream: Stream[Any, Any]) -> bytes | None:
    try:
        # grpclib's own reader has no limit and fails with assertions; the HTTP/2 stream has no public name.
        return await read_message(stream._stream)  # pyright: ignore[reportPrivateUsage]
    except BadFrame as error:
        abort(Status.RESOURCE_EXHAUSTED if error.too_large else Status.INVALID_ARGUMENT, str(error))


def _parse(rpc: Rpc[Any, Any], data: bytes) -> Any:
    try:
        return rpc.request_type.parse(data)
    except ValueError as error:
        abort(Status.INVALID_ARGUMENT, f"the request is not a {rpc.request_type.__name__}: {error}")


def _call(rpc: Rpc[Any, Any], stream: Stream[Any, Any]) -> ServerCall:
    metadata: dict[str, str] = {}
    if stream.metadata is not None:
        metadata.update((key, value) for key, value in stream.metadata.items() if isinstance(value, str))
    address = stream.peer.addr()
    return ServerCall(
        path=rpc.path,
        metadata=metadata,
        peer=f"{address[0]}:{address[1]}" if address else "",
        deadline=stream.deadline.time_remaining() if stream.deadline is not None else None,
    )
