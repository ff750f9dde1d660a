"""One HTTP/2 connection of the client, on grpclib's protocol layer, where that layer gives up too early.

grpclib's own client stack wakes waiting calls by cancelling their tasks. That breaks `asyncio.timeout` around a call, drops
replies that had arrived before the connection went, and treats every GOAWAY as the end. Here:

* a failing stream wakes its reader by events, after the data that was received;
* a graceful GOAWAY lets calls in flight finish and sends new ones over a new connection;
* streams that the server has certainly not acted on are marked, so that any call may be repeated;
* what answers is remembered, so that a peer that is not HTTP/2 can be named.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, NamedTuple, cast

from grpclib.config import Configuration
from grpclib.protocol import AbstractHandler, Connection, H2Protocol, Stream
from grpclib.utils import Wrapper
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, RemoteSettingsChanged, StreamReset
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame

from .framing import TolerantProcessor

WINDOW_BYTES = 32 * 2**20
"""How much a server may send ahead of what was read, so that a large page is not slowed by round trips."""

PING_EVERY = 30.0
"""Seconds between pings while calls are open. Proxies and NATs drop idle connections without a word."""

PING_TIMEOUT = 15.0
"""Seconds after which an unanswered ping means that the connection is dead."""

_HEAD_BYTES = 512
_SHUTDOWN_SECONDS = 1.0

_hpack_log = logging.getLogger("hpack")
if _hpack_log.level == logging.NOTSET:
    # Its DEBUG lines spell out every header, credentials included: an application that debugs itself must not log those.
    _hpack_log.setLevel(logging.INFO)


class Failure(NamedTuple):
    """Why a stream ended before its reply."""

    reason: str
    unprocessed: bool
    """Whether HTTP/2 guarantees that the server did not act on the request."""


class ClientStream(Stream):
    """A stream that is woken, not cancelled, when it fails."""

    failure: Failure | None = None
    ended = False
    """Whether the server has sent all it will."""

    async def send_all(self, data: bytes) -> None:
        """Send the request. Returns early when the stream ends first: reading the reply tells how."""
        rest = memoryview(data)
        while True:
            await self.connection.write_ready.wait()
            if self.failure is not None or self.ended:
                return
            window = self._h2_connection.local_flow_control_window(cast(int, self.id))
            if window <= 0:
                self.window_updated.clear()
                await self.window_updated.wait()
                continue
            size = min(window, self._h2_connection.max_outbound_frame_size)
            part, rest = rest[:size], rest[size:]
            self._h2_connection.send_data(cast(int, self.id), bytes(part), end_stream=not rest)
            self.connection.flush()
            if not rest:
                return

    def fail(self, reason: str, *, unprocessed: bool = False) -> None:
        """Let what was received be read, and then let every wait of this stream end."""
        if self.failure is None:
            self.failure = Failure(reason, unprocessed)
        self._wake()

    def _wake(self) -> None:
        self.headers_received.set()
        self.trailers_received.set()
        self.window_updated.set()
        self.buffer.eof()

    def __terminated__(self, reason: str) -> None:
        self.fail(reason)

    def __ended__(self) -> None:
        self.ended = True
        self._wake()


class _ClientConnection(Connection):
    closing = False
    dead = False
    """Whether the peer has left a ping unanswered."""

    def create_stream(self, *, stream_id: int | None = None, wrapper: Wrapper | None = None) -> ClientStream:
        return ClientStream(self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper)

    def flush(self) -> None:
        if not self.is_closing():
            super().flush()

    def close(self) -> None:
        if not self.closing and hasattr(
            self, "_transport"
        ):  # only grpclib's ping timer comes here without `_Processor.close`
            self.dead = True
            self._transport.abort()  # closing would wait for unsent data to drain, into a connection that takes none
        super().close()
        # Whoever waits to write or for a free stream must see that neither will come.
        self.write_ready.set()
        self.stream_close_waiter.set()


class _GracefulH2(H2Connection):
    """A GOAWAY without an error announces the end, it is not the end: h2 would reject every later frame."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        if frame.error_code != ErrorCodes.NO_ERROR:
            return super()._receive_goaway_frame(frame)
        event = ConnectionTerminated()
        event.error_code = ErrorCodes.NO_ERROR
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class _Processor(TolerantProcessor):
    """Draining, and telling streams that were not processed from those that may have been."""

    def __init__(self, handler: AbstractHandler, connection: _ClientConnection) -> None:
        super().__init__(handler, connection)
        self.link = connection
        self.draining = False
        self.settled = False
        """Whether the peer's settings have come, with which HTTP/2 begins."""
        self.pinged_too_often = False
        self.closed_because = ""

    def register(self, stream: Stream) -> Callable[[], None]:
        release = super().register(stream)
        if self.closed_because:
            _fail(stream, self.closed_because, unprocessed=True)

        def release_and_drain() -> None:
            release()
            self._close_if_drained()

        return release_and_drain

    def drain(self) -> None:
        """Take no new calls; close once those in flight have ended."""
        self.draining = True
        self._close_if_drained()

    def close(self, reason: str = "the connection was closed") -> None:
        if not self.closed_because:
            self.closed_because = reason
            self.link.closing = True
            super().close(reason)

    def process_remote_settings_changed(self, event: RemoteSettingsChanged) -> None:
        super().process_remote_settings_changed(event)
        self.settled = True

    def process_connection_terminated(self, event: ConnectionTerminated) -> None:
        for stream in self.streams.values():
            if event.last_stream_id is not None and cast(int, stream.id) > event.last_stream_id:
                _fail(stream, "the server closed the connection before it looked at the request", unprocessed=True)
        if event.error_code == ErrorCodes.NO_ERROR:
            self.drain()
        else:
            self.pinged_too_often = event.error_code == ErrorCodes.ENHANCE_YOUR_CALM
            self.close(f"the server closed the connection with {_error_name(event.error_code)}")

    def process_stream_reset(self, event: StreamReset) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            who = "the server reset the stream" if event.remote_reset else "the server broke the rules of HTTP/2"
            _fail(
                stream,
                f"{who} ({_error_name(event.error_code)})",
                unprocessed=event.remote_reset and event.error_code == ErrorCodes.REFUSED_STREAM,
            )

    def _close_if_drained(self) -> None:
        if self.draining and not self.streams:
            self.close("the server closed the connection")


class _Handler(AbstractHandler):
    """grpclib's side for requests from the peer, of which a client gets none."""

    def accept(self, stream: Stream, headers: Any, release_stream: Callable[[], None]) -> None:
        stream.reset_nowait(ErrorCodes.REFUSED_STREAM)
        release_stream()

    def cancel(self, stream: Stream) -> None:
        pass

    def close(self) -> None:
        pass


class ClientProtocol(H2Protocol):
    """A connection and its handshake."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, ping_every: float, ping_timeout: float) -> None:
        config = Configuration(
            _keepalive_time=ping_every,
            _keepalive_timeout=ping_timeout,
            # grpclib's defaults stop after two pings and send one in five minutes.
            _http2_max_pings_without_data=0,
            _http2_min_sent_ping_interval_without_data=ping_every / 2,
            http2_connection_window_size=WINDOW_BYTES,
            http2_stream_window_size=WINDOW_BYTES,
        )
        h2_config = H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_inbound_headers=False,
            normalize_outbound_headers=False,
        )
        super().__init__(_Handler(), config, h2_config)
        self._ping_timeout = ping_timeout
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the server has sent its HTTP/2 settings, or when it is clear that it will not."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self.head = b""
        """The first bytes that were received."""
        self._guard = self._until_the_loop_ends()
        self.last_received = 0.0
        """`time.monotonic()` of the last bytes that were received."""

    @property
    def usable(self) -> bool:
        """Whether a new call may go over this connection."""
        return not (self.http2.draining or self.http2.closed_because or self.connection.is_closing())

    async def watch_the_loop(self) -> None:
        """Have the socket closed when the event loop is shut down, as by `asyncio.run`, though nobody closed the client."""
        await anext(self._guard)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield  # loops close the async generators that are open when they are shut down
        finally:
            self.http2.close("the event loop was shut down")
            await asyncio.wait([self.closed], timeout=_SHUTDOWN_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        h2 = _GracefulH2(self.h2_config)
        h2.initiate_connection()
        h2.increment_flow_control_window(WINDOW_BYTES - h2.local_settings.initial_window_size)
        h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES})
        self.link = _ClientConnection(h2, cast(asyncio.Transport, transport), config=self.config.__for_client__())
        self.connection = self.link
        self.http2 = _Processor(self.handler, self.link)
        self.processor = self.http2
        self.connection.flush()
        self.connection.initialize()

    def data_received(self, data: bytes) -> None:
        if self.http2.closed_because:
            return
        self.last_received = time.monotonic()
        if not self.ready.done():
            self.head = (self.head + data)[:_HEAD_BYTES]
        super().data_received(data)
        if self.http2.settled or self.http2.closed_because:
            self._settle()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.link.dead:
            reason = f"the server has not answered a ping for {self._ping_timeout:g} s"
        else:
            reason = f"the connection broke ({exc})" if exc else "the server closed the connection"
        self.http2.close(reason)
        self._settle()
        if not self.closed.done():
            self.closed.set_result(None)

    def _settle(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)


def _fail(stream: Stream, reason: str, *, unprocessed: bool) -> None:
    assert isinstance(stream, ClientStream)  # `_ClientConnection.create_stream` makes no other
    stream.fail(reason, unprocessed=unprocessed)


def _error_name(code: int | None) -> str:
    try:
        return ErrorCodes(code or 0).name
    except ValueError:
        return f"error {code}"
