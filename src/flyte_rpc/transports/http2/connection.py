"""One HTTP/2 connection of the client: what gRPC needs of HTTP/2, done directly.

* A failing exchange wakes its reader by events, after the data that was received; tasks are never cancelled for it.
* A graceful GOAWAY lets calls in flight finish and sends new ones over a new connection.
* Exchanges that the server has certainly not acted on are marked, so that any call may be repeated.
* What answers is remembered, so that a peer that is not HTTP/2 can be named.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, cast

from h2.errors import ErrorCodes

from . import frames
from .concurrency import Turns
from .flow_control import Sender
from .frames import FrameReader, Violation, frame
from .headers import HeaderReader, HeaderWriter
from .stream import Exchange

if TYPE_CHECKING:
    from flyte_rpc.transports.transport import Metadata

WINDOW_BYTES = 32 * 2**20
"""How much a server may send ahead of what was read, so that a large page is not slowed by round trips."""

PING_EVERY = 30.0
"""Seconds between pings while calls are open. Proxies and NATs drop idle connections without a word."""

PING_TIMEOUT = 15.0
"""Seconds after which an unanswered ping means that the connection is dead."""

_FIRST_BYTES = 512
_SHUTDOWN_SECONDS = 1.0
_PING = b"flyteflt"
_CLOSES = "the server closes the connection"
_SETTINGS = frames.settings(
    (
        (frames.ENABLE_PUSH, 0),
        (frames.INITIAL_WINDOW_SIZE, WINDOW_BYTES),
        (frames.MAX_HEADER_LIST_SIZE, frames.HEADER_BYTES),
    )
)


class ClientProtocol(asyncio.Protocol):
    """A connection, its handshake, and the exchanges on it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        headers: HeaderWriter,
        *,
        ping_every: float = PING_EVERY,
        ping_timeout: float = PING_TIMEOUT,
    ) -> None:
        self._loop = loop
        self._ping_every = ping_every
        self._ping_timeout = ping_timeout
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the server has sent its HTTP/2 settings, or when it is clear that it will not."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self.head = b""
        """The first bytes that were received."""
        self.settled = False
        """Whether the peer's settings have come, with which HTTP/2 begins."""
        self.last_received = 0.0
        """Time of the event loop when the last bytes were received."""
        self.draining = False
        self.pinged_too_often = False
        self.closed_because = ""
        self._guard = self._until_the_loop_ends()
        self._timer: asyncio.TimerHandle | None = None
        self._expecting = False
        """Whether the timer waits for the answer to a ping."""

        self._exchanges: dict[int, Exchange] = {}
        self._next_id = 1
        self._turns = Turns(loop)

        self._headers = headers
        self._header_reader = HeaderReader()
        self._receive_window = WINDOW_BYTES
        self._frames = FrameReader(
            {
                frames.DATA: self._read_data,
                frames.HEADERS: self._read_headers,
                frames.RST_STREAM: self._read_reset,
                frames.SETTINGS: self._read_settings,
                frames.PUSH_PROMISE: self._read_push,
                frames.PING: self._read_ping,
                frames.GOAWAY: self._read_goaway,
                frames.WINDOW_UPDATE: self._read_window,
            }
        )

    # The connection's life.

    @property
    def usable(self) -> bool:
        """Whether a new call may go over this connection."""
        over = self.draining or self.closed_because or self._sender.closing
        return not over and self._next_id < frames.LAST_STREAM

    async def watch_the_loop(self) -> None:
        """Have the socket closed when the event loop is shut down, as by `asyncio.run`, though nobody closed the client."""
        await anext(self._guard)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield  # loops close the async generators that are open when they are shut down
        finally:
            self.close("the event loop was shut down")
            await self.wait_closed(_SHUTDOWN_SECONDS)

    async def wait_closed(self, seconds: float) -> None:
        """Until the socket is closed, by force if the peer takes longer to read what was sent."""
        await asyncio.wait([self.closed], timeout=seconds)
        if not self.closed.done():
            self._sender.abort()
            await self.closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sender = Sender(self._loop, cast(asyncio.Transport, transport))
        self._sender.write(frames.PREFACE + _SETTINGS)
        self._sender.allow(0, WINDOW_BYTES - frames.DEFAULT_WINDOW)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.close(f"the connection broke ({exc})" if exc else "the server closed the connection")
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._sender.pause()

    def resume_writing(self) -> None:
        self._sender.resume()

    def drain(self) -> None:
        """Take no new calls; close once those in flight have ended."""
        self.draining = True
        self._turns.turn_away(_CLOSES)
        self._close_if_drained()

    def close(self, reason: str = "the connection was closed", code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Fail all exchanges and close the socket."""
        if self.closed_because:
            return
        self.closed_because = reason
        if self._timer is not None:
            self._timer.cancel()
        self._frames.stopped = True
        self._sender.stop(code)
        self._turns.turn_away(reason)
        for exchange in self._exchanges.values():
            exchange.fail(reason)
        self._settle()

    def _close_if_drained(self) -> None:
        if self.draining and not self._exchanges:
            self.close("the server closed the connection")

    def _settle(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def _look_after(self) -> None:
        """Ping a peer that is quiet while calls are open."""
        self._timer = None
        if not self._exchanges:
            return
        quiet = self._loop.time() - self.last_received
        if quiet < self._ping_every:
            self._timer = self._loop.call_later(self._ping_every - quiet, self._look_after)
            return
        self._sender.write(frame(frames.PING, 0, 0, _PING))
        self._expecting = True
        self._timer = self._loop.call_later(self._ping_timeout, self._expect_life, self._loop.time())

    def _expect_life(self, since: float) -> None:
        self._timer, self._expecting = None, False
        if self.last_received >= since:
            self._look_after()
            return
        self._sender.abort()  # closing would wait for unsent data to drain, into a connection that takes none
        self.close(f"the server has not answered a ping for {self._ping_timeout:g} s")

    # What calls do.

    def open(self, wanted: int) -> Exchange:
        """An exchange whose turn it may not be yet: see `Exchange.admitted`."""
        exchange = Exchange(self, self._loop, wanted)
        if not self.usable:
            exchange.fail(self.closed_because or _CLOSES, unprocessed=True)
        else:
            self._turns.enter(exchange)
        return exchange

    def begin(self, exchange: Exchange, path: str, metadata: Metadata, timeout: str, data: bytes) -> int:
        """Send headers, and as much of the request as fits now. Returns how much did."""
        exchange.id = stream = self._next_id
        self._next_id = stream + 2
        exchange.send_window = self._sender.first_window
        exchange.receive_window = WINDOW_BYTES
        self._exchanges[stream] = exchange
        if self._timer is None:
            self._timer = self._loop.call_later(self._ping_every, self._look_after)
        self._sender.headers(stream, self._headers.write(path, metadata, timeout))
        return self._sender.message(exchange, data, 0)

    def go_on(self, exchange: Exchange, data: bytes, at: int) -> int:
        """Send more of a request, of which so much has been sent. Returns how much has been sent now."""
        return self._sender.message(exchange, data, at)

    def leave(self, exchange: Exchange) -> None:
        """The end of an exchange for its caller; a reset for the peer unless both sides were through."""
        self._sender.forget(exchange)
        self._turns.leave(exchange)
        if self._exchanges.pop(exchange.id, None) is not None and not (exchange.ended and exchange.sent):
            self._sender.reset(exchange.id, ErrorCodes.CANCEL)
        if self.draining:
            self._close_if_drained()

    def grant(self, exchange: Exchange, owed: int) -> int:
        """Open the window of a stream by what was read of it, if that is much. Returns what is still owed."""
        if owed < WINDOW_BYTES // 2:
            return owed
        exchange.receive_window += owed
        self._sender.allow(exchange.id, owed)
        return 0

    # What the peer sends.

    def data_received(self, data: bytes) -> None:
        if self.closed_because:
            return
        self.last_received = self._loop.time()
        if not self.settled:
            self.head = (self.head + data)[:_FIRST_BYTES]
        try:
            self._frames.feed(data)
        except Violation as error:
            self.close(f"Protocol error: {error}", error.code)

    def _read_data(self, flags: int, stream: int, payload: bytes) -> None:
        charged = len(payload)
        exchange = self._exchange(stream)
        self._receive_window -= charged
        if self._receive_window < 0:
            raise Violation("more data than the connection's window allows", ErrorCodes.FLOW_CONTROL_ERROR)
        if self._receive_window <= WINDOW_BYTES // 2:
            self._sender.allow(0, WINDOW_BYTES - self._receive_window)
            self._receive_window = WINDOW_BYTES
        if exchange is None:
            return
        if exchange.ended:
            self._break(exchange, ErrorCodes.STREAM_CLOSED)
        elif exchange.headers is None:
            self._break(exchange, ErrorCodes.PROTOCOL_ERROR)
        elif charged > exchange.receive_window:
            self._break(exchange, ErrorCodes.FLOW_CONTROL_ERROR)
        else:
            if flags & frames.PADDED:
                payload = frames.unpadded(frames.PADDED, payload)
            if charged:
                exchange.receive(payload, charged)
            if flags & frames.END_STREAM:
                exchange.end()

    def _read_headers(self, flags: int, stream: int, block: bytes) -> None:
        headers = self._header_reader.read(block)  # even if nobody wants them: later ones refer to them
        exchange = self._exchange(stream)
        if exchange is None:
            return
        ends = flags & frames.END_STREAM
        if exchange.ended:
            self._break(exchange, ErrorCodes.STREAM_CLOSED)
            return
        if exchange.headers is None:
            if headers.get(":status", "").startswith("1") and not ends:
                return  # a server may send word in advance
            exchange.headers = headers
            if headers.get("content-type") != "application/grpc" or headers.get(":status") != "200":
                exchange.wake()  # it may be no reply at all, which need not be waited for
        elif ends:
            exchange.trailers = headers
        else:
            self._break(exchange, ErrorCodes.PROTOCOL_ERROR)
            return
        if ends:
            exchange.end()

    def _read_reset(self, flags: int, stream: int, payload: bytes) -> None:
        code = _code(payload)
        exchange = self._exchange(stream)
        if exchange is not None:
            del self._exchanges[stream]
            exchange.fail(
                f"the server reset the stream ({frames.error_name(code)})",
                unprocessed=code == ErrorCodes.REFUSED_STREAM,
            )

    def _read_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Violation("settings of a stream")
        if flags & frames.ACK:
            return
        for key, value in frames.read_settings(payload):
            if key == frames.HEADER_TABLE_SIZE:
                self._headers.limit_table(value)
            elif key == frames.MAX_CONCURRENT_STREAMS:
                self._turns.limit(value)
            elif key == frames.MAX_FRAME_SIZE:
                self._sender.largest_frame = value
            elif key == frames.INITIAL_WINDOW_SIZE:
                change, self._sender.first_window = value - self._sender.first_window, value
                for exchange in self._exchanges.values():
                    exchange.send_window += change
        self._sender.write(frame(frames.SETTINGS, frames.ACK, 0, b""))
        self.settled = True
        self._settle()
        self._sender.unblock()

    def _read_push(self, flags: int, stream: int, payload: bytes) -> None:
        raise Violation("something is pushed, which was refused")

    def _read_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Violation("a ping of a stream")
        if len(payload) != 8:
            raise Violation("a ping has a wrong size", ErrorCodes.FRAME_SIZE_ERROR)
        if not flags & frames.ACK:
            self._sender.write(frame(frames.PING, frames.ACK, 0, payload))
        elif self._expecting and self._timer is not None:
            self._timer.cancel()
            self._expecting = False
            self._timer = self._loop.call_later(self._ping_every, self._look_after)

    def _read_goaway(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Violation("a GOAWAY of a stream")
        last, code = _code(payload[:4]) & frames.LAST_STREAM, _code(payload[4:8])
        for exchange in self._exchanges.values():
            if exchange.id > last:
                exchange.fail("the server closed the connection before it looked at the request", unprocessed=True)
        if code == ErrorCodes.NO_ERROR:
            self.drain()
        else:
            self.pinged_too_often = code == ErrorCodes.ENHANCE_YOUR_CALM
            self.close(f"the server closed the connection with {frames.error_name(code)}")

    def _read_window(self, flags: int, stream: int, payload: bytes) -> None:
        more = _code(payload) & frames.LARGEST_WINDOW
        if not stream:
            if not more or not self._sender.allowed(more):
                raise Violation("a window update is out of range", ErrorCodes.FLOW_CONTROL_ERROR)
        elif (exchange := self._exchange(stream)) is not None:
            exchange.send_window += more
            if not more or exchange.send_window > frames.LARGEST_WINDOW:
                self._break(exchange, ErrorCodes.FLOW_CONTROL_ERROR)
        self._sender.unblock()

    def _exchange(self, stream: int) -> Exchange | None:
        """The exchange that a frame is for. None if it was left: the frame was under way when the server was told."""
        found = self._exchanges.get(stream)
        if found is None and (not stream & 1 or stream >= self._next_id):
            raise Violation(f"a frame of stream {stream}, which was never opened")
        return found

    def _break(self, exchange: Exchange, code: ErrorCodes) -> None:
        """End one exchange because of what the peer did in it."""
        del self._exchanges[exchange.id]
        self._sender.reset(exchange.id, code)
        exchange.fail(f"the server broke the rules of HTTP/2 ({code.name})")


def _code(payload: bytes) -> int:
    """The 32 bits that make up a frame."""
    if len(payload) != 4:
        raise Violation("a frame has a wrong size", ErrorCodes.FRAME_SIZE_ERROR)
    return int.from_bytes(payload)
