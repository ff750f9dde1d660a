"""A connection that speaks HTTP/2. grpclib reads and writes it, and serves gRPC; other requests go to our own router."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from grpclib.config import Configuration
from grpclib.metadata import decode_metadata
from grpclib.protocol import H2Protocol, Stream
from grpclib.server import Handler, Server
from h2.config import H2Configuration
from h2.errors import ErrorCodes
from h2.events import RequestReceived
from h2.settings import SettingCodes

from flyte_rpc.transports.grpclib.connection import TolerantProcessor
from flyte_rpc.transports.http2.receive_windows import WINDOW_BYTES

from .batched_writes import BatchedWrites
from .connect.http2 import BodyBuffer, serve_http2
from .connect.router import Router
from .connections import Connections
from .dispatch import Dispatcher
from .grpc import Codec, DetailsCodec, GrpcRoutes, take_timeout

_GRPC = "application/grpc"
_GRPC_WEB = "application/grpc-web"

_MAX_STREAMS = 1024
"""Maximum number of streams that a connection serves at a time. Further streams are refused one by one.

The server announces h2's limit of 100. Before the announcement arrives, a client may open any number of streams, and Envoy
opens one for each waiting call. h2 would end the connection at stream 101.
"""

_CONFIGURATION = Configuration(http2_connection_window_size=WINDOW_BYTES)
"""A connection receives more than the 4 MiB of one stream, so that a handler that does not read holds up no other call."""

_PSEUDO_HEADERS = 2
"""Every request has the pseudo-headers of its method and its path."""


class Http2Server(Server):
    """Makes the connections. It never listens itself."""

    def __init__(self, dispatcher: Dispatcher, router: Router) -> None:
        super().__init__(
            [GrpcRoutes(dispatcher)], codec=Codec(), status_details_codec=DetailsCodec(), config=_CONFIGURATION
        )
        self._h2_config = H2Configuration(
            client_side=False,
            header_encoding="latin-1",  # decodes everything; grpclib's ASCII would drop the connection
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_inbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._router = router

    def connection(self, connections: Connections) -> Http2Connection:
        """Make the protocol of a new connection.

        Args:
            connections: Where it is noted while it is open.
        """
        handler = _RoutingHandler(
            self._router, self._mapping, self._codec, self._status_details_codec, self.__dispatch__
        )
        return Http2Connection(handler, self._config, self._h2_config, connections)


class Http2Connection(H2Protocol):
    """One connection."""

    def __init__(self, handler: _RoutingHandler, config: Any, h2_config: Any, connections: Connections) -> None:
        super().__init__(handler, config, h2_config)
        self._routing = handler
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = BatchedWrites(cast(asyncio.Transport, transport))  # uvloop's is not of that class
        super().connection_made(self._transport)
        # The client has been told the limit; this only stops h2 from enforcing it.
        settings = self.connection._connection.local_settings  # pyright: ignore[reportPrivateUsage]
        del settings[SettingCodes.MAX_CONCURRENT_STREAMS]
        self.processor = _ServerProcessor(self.handler, self.connection)
        self._connections.add(self)

    @property
    def idle(self) -> bool:
        """Whether no stream is open."""
        return not self.processor.streams

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.discard(self)
        super().connection_lost(exc)

    async def cancel_calls(self) -> None:
        """Cancel the handlers, and wait until they are done."""
        self._routing.close()
        await self._routing.wait_closed()

    def close(self) -> None:
        """Close the socket after sending what is written."""
        self.processor.close("the server has stopped")

    def abort(self) -> None:
        """Close the socket at once."""
        self._transport.abort()


class _ServerProcessor(TolerantProcessor):
    """Refuses streams beyond the limit."""

    def process_request_received(self, event: RequestReceived) -> None:
        if len(self.streams) < _MAX_STREAMS:
            super().process_request_received(event)
        else:
            self.connection.create_stream(stream_id=event.stream_id).reset_nowait(ErrorCodes.REFUSED_STREAM)


class _RoutingHandler(Handler):
    """Starts a task per request: grpclib's for gRPC, ours for all others."""

    def __init__(self, router: Router, *grpc: Any) -> None:
        super().__init__(*grpc)
        self._router = router

    def accept(self, stream: Stream, headers: list[tuple[str, str]], release_stream: Callable[[], Any]) -> None:
        kind = path = ""
        pseudo = 0
        binary = False
        for name, value in headers:
            if name == "content-type":
                kind = value
            elif name == ":path":
                path = value
                pseudo += 1
            elif name == ":method":
                pseudo += 1
            elif name[-4:] == "-bin":
                binary = True
        if pseudo != _PSEUDO_HEADERS or (binary and not _decodable(headers)):
            stream.reset_nowait(ErrorCodes.PROTOCOL_ERROR)
            release_stream()
        elif path in self.mapping and kind.startswith(_GRPC) and not kind.startswith(_GRPC_WEB):
            super().accept(stream, take_timeout(stream, headers), release_stream)
        else:
            self.__gc_step__()
            # grpclib gave the stream a buffer of its own a moment ago, which has nothing in it yet.
            assert stream.id is not None
            body = BodyBuffer(partial(stream.connection.ack, stream.id))
            stream.buffer = body  # type: ignore[assignment]
            answering = serve_http2(self._router, stream, headers, body, release_stream)
            self._tasks[stream] = self.loop.create_task(answering)


def _decodable(headers: list[tuple[str, str]]) -> bool:
    """Whether grpclib can decode the binary headers. It would neither answer nor end a request otherwise."""
    try:
        decode_metadata(headers)
    except ValueError:
        return False
    return True
