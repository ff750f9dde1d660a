"""Sending within the limits of flow control: windows, frame size and socket, with one write per turn of the event loop."""

from __future__ import annotations

import asyncio

from h2.errors import ErrorCodes

from . import frames
from .frames import frame, number
from .stream import Http2Stream

_UNREAD_ACKNOWLEDGEMENTS = 1000
"""Acknowledgements that are queued for a peer that does not read."""


class FrameSender:
    """Sends the frames of one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._out: list[bytes] = []
        self._blocked: set[Http2Stream] = set()
        """Streams that wait for a window or for the socket."""
        self._paused = False
        self._acknowledgements = 0
        """Acknowledgements since the socket takes no more data."""
        self._window = frames.DEFAULT_WINDOW
        self.initial_window = frames.DEFAULT_WINDOW
        """The send window of a new stream."""
        self.largest_frame = frames.DEFAULT_FRAME
        self.stopped = False
        """Whether the connection sends nothing any more."""

    @property
    def closing(self) -> bool:
        """Whether the socket is closing, which the connection may not know yet."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send frames together with what else is sent in this turn of the loop."""
        if self.stopped:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def acknowledge(self, data: bytes) -> None:
        """Send an acknowledgement. A peer that asks for many and reads none is not read any more until it reads."""
        self.write(data)
        if self._paused:
            self._acknowledgements += 1
            if self._acknowledgements == _UNREAD_ACKNOWLEDGEMENTS:
                self._transport.pause_reading()

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._transport.write(data)

    def stop(self, code: ErrorCodes) -> None:
        """Send GOAWAY and close the socket. Queued frames are dropped."""
        self.stopped = True
        self._out.clear()
        if not self._transport.is_closing():
            self._transport.write(frame(frames.GOAWAY, 0, 0, number(0) + number(code)))
            self._transport.close()

    def abort(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    def send_headers(self, stream_id: int, block: bytes) -> None:
        """Send a header block, in as many frames as it takes."""
        limit = self.largest_frame
        if len(block) <= limit:
            self.write(frame(frames.HEADERS, frames.END_HEADERS, stream_id, block))
            return
        self.write(frame(frames.HEADERS, 0, stream_id, block[:limit]))
        for at in range(limit, len(block), limit):
            flags = frames.END_HEADERS if at + limit >= len(block) else 0
            self.write(frame(frames.CONTINUATION, flags, stream_id, block[at : at + limit]))

    def send_data(self, stream: Http2Stream, data: bytes, at: int, *, end: bool = True) -> int:
        """Send as much of a piece of a request as windows and socket take now.

        Args:
            stream: The stream of the request.
            data: The piece.
            at: How much of it has been sent.
            end: Whether the request ends with it.

        Returns:
            How much of it has been sent. The stream is woken when it can send more.
        """
        size = len(data)
        if not size and end and not stream.sent:  # flow control does not apply to an empty frame
            stream.sent = True
            self.write(frame(frames.DATA, frames.END_STREAM, stream.id, b""))
        while at < size and not self._paused:
            part = min(size - at, self.largest_frame, self._window, stream.send_window)
            if part <= 0:
                break
            self._window -= part
            stream.send_window -= part
            stop = at + part
            stream.sent = end and stop == size
            self.write(frame(frames.DATA, frames.END_STREAM if stream.sent else 0, stream.id, data[at:stop]))
            if part == self.largest_frame:
                self._flush()  # so that the socket's fill is known before the next one
            at = stop
        if at < size:
            self._blocked.add(stream)
        return at

    def send_reset(self, stream_id: int, code: ErrorCodes) -> None:
        """Reset a stream."""
        self.write(frame(frames.RST_STREAM, 0, stream_id, number(code)))

    def send_window_update(self, stream_id: int, size: int) -> None:
        """Open a receive window: of a stream, or of the connection as stream 0."""
        self.write(frame(frames.WINDOW_UPDATE, 0, stream_id, number(size)))

    def add_window(self, size: int) -> bool:
        """Widen the connection's send window. Returns False if that exceeds the limit of HTTP/2."""
        self._window += size
        return self._window <= frames.LARGEST_WINDOW

    def discard(self, stream: Http2Stream) -> None:
        """Forget a stream that sends no more."""
        self._blocked.discard(stream)

    def pause(self) -> None:
        """Stop sending data: the socket's buffer is full."""
        self._paused = True

    def resume(self) -> None:
        """Send data again."""
        self._paused = False
        if self._acknowledgements >= _UNREAD_ACKNOWLEDGEMENTS and not self.closing:
            self._transport.resume_reading()
        self._acknowledgements = 0
        self.unblock()

    def unblock(self) -> None:
        """Wake the streams that could not send all of their data."""
        if self._blocked:
            blocked, self._blocked = self._blocked, set()
            for stream in blocked:
                stream.wake()
