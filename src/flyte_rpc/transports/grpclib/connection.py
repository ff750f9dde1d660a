"""A connection of grpclib, with what it lacks: a handshake, tolerance of unknown frames, and reasons of failures."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from grpclib.client import Handler
from grpclib.config import Configuration
from grpclib.protocol import EventsProcessor, H2Protocol, Stream
from h2.config import H2Configuration
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
)

from flyte_rpc.errors import ConnectionLostError
from flyte_rpc.transports.http2 import frames
from flyte_rpc.transports.http2.keepalive import PING_INTERVAL, PING_TIMEOUT
from flyte_rpc.transports.http2.receive_windows import WINDOW_BYTES

_FIRST_BYTES = 512

# The window of the connection is larger than the 4 MiB of a stream, so that a slow reader holds up no other call.
_CONFIGURATION = Configuration(
    http2_connection_window_size=WINDOW_BYTES, _keepalive_time=PING_INTERVAL, _keepalive_timeout=PING_TIMEOUT
).__for_client__()

# Header values are decoded where they are used: one that is not UTF-8 must not end the connection.
_H2_CONFIGURATION = H2Configuration(
    client_side=True,
    header_encoding=None,
    validate_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_inbound_headers=False,
    normalize_outbound_headers=False,
)


class Waits(Protocol):
    """The waits of one call, which grpclib knows as the wrapper of its stream."""

    def cancel(self, error: Exception) -> None:
        """End the waits: the stream has failed."""
        ...

    def reply_ended(self) -> None:
        """End the waits for sending: the reply is complete."""
        ...


class TolerantProcessor(EventsProcessor):
    """Ignores what HTTP/2 says to ignore, where grpclib drops the connection."""

    def process(self, event: Event) -> None:
        processors = getattr(self, "processors", None)  # deleted by grpclib when the connection closes
        if processors is not None and type(event) in processors:
            super().process(event)

    def process_data_received(self, event: DataReceived) -> None:
        if event.flow_controlled_length:  # an empty DATA frame is legal, and grpclib takes it for the end
            super().process_data_received(event)


class _ClientProcessor(TolerantProcessor):
    """Passes on what the calls of a client have to know."""

    def __init__(self, protocol: GrpclibConnection) -> None:
        super().__init__(protocol.handler, protocol.connection)
        self._protocol = protocol

    def process_remote_settings_changed(self, event: RemoteSettingsChanged) -> None:
        super().process_remote_settings_changed(event)
        self._protocol.settings_received = True
        self._protocol.resolve_ready()

    def process_request_received(self, event: RequestReceived) -> None:
        self.close("the server broke the rules of HTTP/2 (it opened a stream)")

    def process_stream_ended(self, event: StreamEnded) -> None:
        super().process_stream_ended(event)
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            cast(Waits, stream.wrapper).reply_ended()

    def process_connection_terminated(self, event: ConnectionTerminated) -> None:
        last = event.last_stream_id
        for stream in self.streams.values():
            if last is not None and stream.id is not None and stream.id > last:
                reason = "the server closed the connection before it looked at the request"
                cast(Waits, stream.wrapper).cancel(ConnectionLostError(reason, unprocessed=True))
        if event.error_code:
            self.close(f"the server closed the connection with {frames.error_name(event.error_code)}")
        else:
            self.close("the server closed the connection")

    def process_stream_reset(self, event: StreamReset) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None and event.remote_reset:
            reason = f"the server reset the stream ({frames.error_name(event.error_code)})"
            refused = event.error_code == ErrorCodes.REFUSED_STREAM
            cast(Waits, stream.wrapper).cancel(ConnectionLostError(reason, refused=refused))
        super().process_stream_reset(event)

    def close(self, reason: str = "the connection was closed") -> None:
        self._protocol.closed_because = self._protocol.closed_because or reason
        super().close(reason)
        for waits in self._protocol.waiting:
            waits.cancel(ConnectionLostError(reason))
        self._protocol.resolve_ready()


class GrpclibConnection(H2Protocol):
    """One connection. Calls open their streams on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(Handler(), _CONFIGURATION, _H2_CONFIGURATION)
        self._loop = loop
        self._socket: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the server has sent its HTTP/2 settings, or cannot send them any more."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self.settings_received = False
        self.first_bytes = b""
        """The first bytes from the server."""
        self.last_received = 0.0
        """Time of the event loop at which the last bytes arrived."""
        self.closed_because = ""
        self.draining = False
        """Whether new calls use another connection."""
        self.waiting: set[Waits] = set()
        """Calls that wait for a stream of their own."""

    @property
    def usable(self) -> bool:
        """Whether a new call may go over this connection."""
        return not (self.draining or self.closed_because)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = cast(asyncio.Transport, transport)
        self.processor = _ClientProcessor(self)
        acknowledge, connection = self.connection.ack, self.connection

        def acknowledge_if_open(stream_id: int, size: int) -> None:
            if not connection.is_closing():
                acknowledge(stream_id, size)

        # What arrived before the connection broke can still be read; grpclib fails when it acknowledges it.
        setattr(connection, "ack", acknowledge_if_open)  # noqa: B010

    def data_received(self, data: bytes) -> None:
        self.last_received = self._loop.time()
        if not self.settings_received:
            self.first_bytes = (self.first_bytes + data)[:_FIRST_BYTES]
            # h2 takes other bytes for a frame, and would wait for the rest of it.
            if len(self.first_bytes) > 3 and self.first_bytes[3] != frames.SETTINGS:
                self.close("Protocol error: it does not begin with settings")
        if not self.closed_because:
            super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.close(f"the connection broke ({exc})" if exc else "the server closed the connection")
        if not self.closed.done():
            self.closed.set_result(None)

    async def shake_hands(self) -> bool:
        """Wait for the server's settings. Returns False, and closes the socket, if the peer sends something else."""
        try:
            await self.ready
        finally:
            if not self.settings_received:
                self.close("the handshake failed")
        return self.settings_received

    def resolve_ready(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def create_stream(self, waits: Waits) -> Stream:
        """A stream that has not been opened."""
        return self.connection.create_stream(wrapper=cast(Any, waits))

    def close(self, reason: str) -> None:
        """Close the socket; calls fail."""
        if not self.closed_because:
            self.processor.close(reason)

    def close_if_drained(self) -> None:
        """Close a connection that takes no new calls and has none left."""
        if self.draining and not self.processor.streams:
            self.close("the connection was replaced")

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the socket is closed. After so many seconds, close it by force."""
        await asyncio.wait([self.closed], timeout=seconds)
        if not self.closed.done() and self._socket is not None:
            self._socket.abort()
            await self.closed
