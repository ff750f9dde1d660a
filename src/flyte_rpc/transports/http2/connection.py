"""One HTTP/2 connection of a client, with what gRPC needs of HTTP/2.

* A failing stream wakes its reader after the data that was received. No task is cancelled for it.
* After a graceful GOAWAY, calls in flight finish, and new ones use another connection.
* Streams that the server has certainly not acted on are marked as unprocessed, so that any call can be retried.
* The first received bytes are kept, so that an error can name a peer that does not speak HTTP/2.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from h2.errors import ErrorCodes

from flyte_rpc.transports.loop_guard import LoopGuard

from . import frames
from .concurrency import StreamLimiter
from .flow_control import FrameSender
from .frames import FrameReader, Violation, frame
from .headers import HeaderReader, HeaderWriter
from .keepalive import Keepalive, PingPolicy
from .receive_windows import FIRST_WINDOW_BYTES, ReceiveWindows
from .stream import Http2Stream

if TYPE_CHECKING:
    from flyte_rpc.transports.transport import Metadata

_UNPRODUCTIVE_FRAMES = 1000
"""Empty data frames and informational responses in a row after which the peer is taken for hostile."""

_FIRST_BYTES = 512
_SHUTDOWN_SECONDS = 1.0
_PING = b"keepaliv"
_CLOSES = "the server closes the connection"
_SETTINGS = frames.settings(
    (
        (frames.ENABLE_PUSH, 0),
        (frames.INITIAL_WINDOW_SIZE, FIRST_WINDOW_BYTES),
        (frames.MAX_HEADER_LIST_SIZE, frames.HEADER_BYTES),
    )
)


class Http2Connection(asyncio.Protocol):
    """A connection, its handshake, and its streams."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        headers: HeaderWriter,
        pings: PingPolicy,
    ) -> None:
        self._loop = loop
        self._pings = pings
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the server has sent its HTTP/2 settings, or cannot send them any more."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self.first_bytes = b""
        """The first bytes from the server."""
        self.settings_received = False
        """Whether the server has sent its settings, with which HTTP/2 begins."""
        self.draining = False
        self.closed_because = ""
        self._loop_guard = LoopGuard(self._close_with_the_loop)
        self._keepalive = Keepalive(
            loop, pings, calls_open=self._has_streams, send_ping=self._send_ping, dead=self._abort
        )
        self._unproductive = 0
        """Frames in a row that carry nothing."""

        self._streams: dict[int, Http2Stream] = {}
        self._next_id = 1
        self._limiter = StreamLimiter(loop)

        self._headers = headers
        self._header_reader = HeaderReader()
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

    @property
    def load(self) -> int:
        """How many streams are open or waiting."""
        return self._limiter.load

    @property
    def last_received(self) -> float:
        """Time of the event loop at which the last bytes arrived."""
        return self._keepalive.last_received

    def has_room(self, *, long: bool) -> bool:
        """Whether the server's limit of streams admits another one now."""
        return self._limiter.has_room(long=long)

    async def shake_hands(self) -> bool:
        """Wait for the server's settings. Returns False, and closes the socket, if the peer sends something else."""
        try:
            await self.ready
            await self._loop_guard.start()
        finally:
            if not self.settings_received:
                self.close("the handshake failed")
        return self.settings_received

    async def _close_with_the_loop(self) -> None:
        self.close("the event loop was shut down")
        await self.wait_closed(_SHUTDOWN_SECONDS)

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the socket is closed. After so many seconds, drop unsent data and close it by force."""
        await asyncio.wait([self.closed], timeout=seconds)
        if not self.closed.done():
            self._sender.abort()
            await self.closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sender = FrameSender(self._loop, cast(asyncio.Transport, transport))
        self._sender.write(frames.PREFACE + _SETTINGS)
        self._windows = ReceiveWindows(self._sender)
        self._windows.announce()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.close(f"the connection broke ({exc})" if exc else "the server closed the connection")
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._sender.pause()

    def resume_writing(self) -> None:
        self._sender.resume()

    def drain(self) -> None:
        """Refuse new calls, and close the connection when the calls in flight have ended."""
        self.draining = True
        self._limiter.reject_waiting(_CLOSES)
        self._close_if_drained()

    def close(self, reason: str = "the connection was closed", code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Fail all streams and close the socket."""
        if self.closed_because:
            return
        self.closed_because = reason
        self._keepalive.stop()
        self._frames.stopped = True
        self._sender.stop(code)
        self._limiter.reject_waiting(reason)
        for stream in self._streams.values():
            stream.fail(reason)
        self._resolve_ready()

    def _close_if_drained(self) -> None:
        if self.draining and not self._streams:
            self.close("the server closed the connection")

    def _resolve_ready(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def _send_ping(self) -> None:
        self._sender.write(frame(frames.PING, 0, 0, _PING))

    def _abort(self, reason: str) -> None:
        self._sender.abort()  # closing would wait for unsent data to drain, into a connection that takes none
        self.close(reason)

    def _has_streams(self) -> bool:
        return bool(self._streams)

    # What calls do.

    def open(
        self, expected_messages: int, stream_type: type[Http2Stream] = Http2Stream, *, long: bool = False
    ) -> Http2Stream:
        """A stream for a call. It may have to wait for the stream limit: see `Http2Stream.admitted`."""
        stream = stream_type(self._loop, expected_messages, self._windows.grant, long=long)
        if not self.usable:
            stream.fail(self.closed_because or _CLOSES, unprocessed=True)
        else:
            self._limiter.acquire(stream)
        return stream

    def send_request(
        self, stream: Http2Stream, path: str, metadata: Metadata, timeout: str, data: bytes, *, end: bool = True
    ) -> int:
        """Send the headers, and as much of the request as fits now. Returns the position in the request.

        With `end=False`, the request goes on after `data`.
        """
        stream.id = stream_id = self._next_id
        self._next_id = stream_id + 2
        stream.send_window = self._sender.initial_window
        self._windows.open(stream)
        self._streams[stream_id] = stream
        self._keepalive.start()
        self._sender.send_headers(stream_id, self._headers.write(path, metadata, timeout))
        return self._sender.send_data(stream, data, 0, end=end)

    def continue_request(self, stream: Http2Stream, data: bytes, at: int, *, end: bool = True) -> int:
        """Send more of a piece of a request from position `at`. Returns the new position."""
        return self._sender.send_data(stream, data, at, end=end)

    def release(self, stream: Http2Stream) -> None:
        """End a stream for its caller, and reset it unless both sides have finished."""
        self._sender.discard(stream)
        self._limiter.release(stream)
        self._windows.release(stream)
        if self._streams.pop(stream.id, None) is not None and not (stream.ended and stream.sent):
            self._sender.send_reset(stream.id, ErrorCodes.CANCEL)
        if self.draining:
            self._close_if_drained()

    # What the peer sends.

    def data_received(self, data: bytes) -> None:
        if self.closed_because:
            return
        self._keepalive.last_received = self._loop.time()
        if not self.settings_received:
            self.first_bytes = (self.first_bytes + data)[:_FIRST_BYTES]
        try:
            self._frames.feed(data)
        except Violation as error:
            self.close(f"Protocol error: {error}", error.code)

    def _read_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        charged = len(payload)
        stream = self._find(stream_id)
        self._windows.charge(charged)
        self._note_progress(bool(payload) or bool(flags & frames.END_STREAM))
        if stream is None:
            return
        if stream.ended:
            self._reset_stream(stream, ErrorCodes.STREAM_CLOSED)
        elif stream.headers is None:
            self._reset_stream(stream, ErrorCodes.PROTOCOL_ERROR)
        elif charged > stream.receive_window:
            self._reset_stream(stream, ErrorCodes.FLOW_CONTROL_ERROR)
        else:
            if flags & frames.PADDED:
                payload = frames.unpadded(frames.PADDED, payload)
            if charged:
                stream.receive(payload, charged)
            if flags & frames.END_STREAM:
                stream.end()

    def _read_headers(self, flags: int, stream_id: int, block: bytes) -> None:
        headers = self._header_reader.read(block)  # even of a released stream: later blocks refer to them
        stream = self._find(stream_id)
        if stream is None:
            return
        ends = flags & frames.END_STREAM
        if stream.ended:
            self._reset_stream(stream, ErrorCodes.STREAM_CLOSED)
            return
        if stream.headers is None:
            if headers.get(":status", "").startswith("1") and not ends:
                self._note_progress(False)  # an informational response
                return
            self._note_progress(True)
            stream.headers = headers
            if headers.get("content-type") != "application/grpc" or headers.get(":status") != "200":
                stream.wake()  # it may not be gRPC at all
        elif ends:
            stream.trailers = headers
        else:
            self._reset_stream(stream, ErrorCodes.PROTOCOL_ERROR)
            return
        if ends:
            stream.end()

    def _read_reset(self, flags: int, stream_id: int, payload: bytes) -> None:
        code = _uint32(payload)
        stream = self._find(stream_id)
        if stream is not None:
            del self._streams[stream_id]
            if code == ErrorCodes.NO_ERROR and stream.headers is not None and "grpc-status" in stream.headers:
                # A status in headers that left the stream open: the reset says that nothing follows.
                stream.end()
                return
            # REFUSED_STREAM is no proof that nothing happened: HAProxy sends it when its own connection to the server
            # breaks after it has forwarded the request.
            reason = f"the server reset the stream ({frames.error_name(code)})"
            stream.fail(reason, refused=code == ErrorCodes.REFUSED_STREAM)

    def _read_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise Violation("settings of a stream")
        if flags & frames.ACK:
            return
        for key, value in frames.read_settings(payload):
            if key == frames.HEADER_TABLE_SIZE:
                self._headers.limit_table(value)
            elif key == frames.MAX_CONCURRENT_STREAMS:
                self._limiter.set_limit(value)
            elif key == frames.MAX_FRAME_SIZE:
                self._sender.largest_frame = value
            elif key == frames.INITIAL_WINDOW_SIZE:
                change, self._sender.initial_window = value - self._sender.initial_window, value
                for stream in self._streams.values():
                    stream.send_window += change
        self._sender.acknowledge(frame(frames.SETTINGS, frames.ACK, 0, b""))
        self.settings_received = True
        self._resolve_ready()
        self._sender.unblock()

    def _read_push(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise Violation("something is pushed, which was refused")

    def _read_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise Violation("a ping of a stream")
        if len(payload) != 8:
            raise Violation("a ping has a wrong size", ErrorCodes.FRAME_SIZE_ERROR)
        if not flags & frames.ACK:
            self._sender.acknowledge(frame(frames.PING, frames.ACK, 0, payload))
        else:
            self._keepalive.answered()

    def _read_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise Violation("a GOAWAY of a stream")
        last, code = _uint32(payload[:4]) & frames.LAST_STREAM, _uint32(payload[4:8])
        for stream in self._streams.values():
            if stream.id > last:
                stream.fail("the server closed the connection before it looked at the request", unprocessed=True)
        if code == ErrorCodes.NO_ERROR:
            self.drain()
        else:
            if code == ErrorCodes.ENHANCE_YOUR_CALM:
                self._pings.back_off()
            self.close(f"the server closed the connection with {frames.error_name(code)}")

    def _read_window(self, flags: int, stream_id: int, payload: bytes) -> None:
        more = _uint32(payload) & frames.LARGEST_WINDOW
        if not stream_id:
            if not more or not self._sender.add_window(more):
                raise Violation("a window update is out of range", ErrorCodes.FLOW_CONTROL_ERROR)
        elif (stream := self._find(stream_id)) is not None:
            stream.send_window += more
            if not more or stream.send_window > frames.LARGEST_WINDOW:
                self._reset_stream(stream, ErrorCodes.FLOW_CONTROL_ERROR)
        self._sender.unblock()

    def _note_progress(self, progress: bool) -> None:
        if progress:
            self._unproductive = 0
            self._keepalive.reply_received()
        else:
            self._unproductive += 1
            if self._unproductive > _UNPRODUCTIVE_FRAMES:
                raise Violation("a flood of frames that carry nothing", ErrorCodes.ENHANCE_YOUR_CALM)

    def _find(self, stream_id: int) -> Http2Stream | None:
        """The stream that a frame is for. None if it was released: the frame may have crossed the reset."""
        stream = self._streams.get(stream_id)
        if stream is None and (not stream_id & 1 or stream_id >= self._next_id):
            raise Violation(f"a frame of stream {stream_id}, which was never opened")
        return stream

    def _reset_stream(self, stream: Http2Stream, code: ErrorCodes) -> None:
        """Reset a stream on which the peer broke the protocol."""
        del self._streams[stream.id]
        self._sender.send_reset(stream.id, code)
        stream.fail(f"the server broke the rules of HTTP/2 ({code.name})")


def _uint32(payload: bytes) -> int:
    """The 32-bit number that makes up a payload."""
    if len(payload) != 4:
        raise Violation("a frame has a wrong size", ErrorCodes.FRAME_SIZE_ERROR)
    return int.from_bytes(payload)
