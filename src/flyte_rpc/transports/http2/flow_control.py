"""The sending half of a connection: what fits into windows and socket now, in one write for each turn of the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from . import frames
from .frames import frame, number

if TYPE_CHECKING:
    from h2.errors import ErrorCodes

    from .stream import Exchange


class Sender:
    """Frames on their way out."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._out: list[bytes] = []
        self._blocked: set[Exchange] = set()
        """Exchanges that wait for a window or for the socket before they send more."""
        self._paused = False
        self._window = frames.DEFAULT_WINDOW
        self.first_window = frames.DEFAULT_WINDOW
        """What each exchange may send to begin with."""
        self.largest_frame = frames.DEFAULT_FRAME
        self.stopped = False
        """Whether nothing is sent any more."""

    @property
    def closing(self) -> bool:
        """Whether what is sent now would not leave: the socket may have failed before the connection is told."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send frames together with what else is sent in this turn of the loop."""
        if self.stopped:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._transport.write(data)

    def stop(self, code: ErrorCodes) -> None:
        """Say goodbye and close the socket. What nobody will send the rest of need not leave any more."""
        self.stopped = True
        self._out.clear()
        if not self._transport.is_closing():
            self._transport.write(frame(frames.GOAWAY, 0, 0, number(0) + number(code)))
            self._transport.close()

    def abort(self) -> None:
        """Close the socket without waiting for what was sent to leave."""
        self._transport.abort()

    def headers(self, stream: int, block: bytes) -> None:
        """Send a header block, in as many frames as it takes."""
        most = self.largest_frame
        if len(block) <= most:
            self.write(frame(frames.HEADERS, frames.END_HEADERS, stream, block))
            return
        self.write(frame(frames.HEADERS, 0, stream, block[:most]))
        for at in range(most, len(block), most):
            flags = frames.END_HEADERS if at + most >= len(block) else 0
            self.write(frame(frames.CONTINUATION, flags, stream, block[at : at + most]))

    def message(self, exchange: Exchange, data: bytes, at: int) -> int:
        """Send as much of a request as windows and socket take now.

        Args:
            exchange: Whose request it is.
            data: All of it.
            at: How much of it has been sent.

        Returns:
            How much has been sent now. The exchange is woken when more may be.
        """
        size = len(data)
        while at < size and not self._paused:
            part = min(size - at, self.largest_frame, self._window, exchange.send_window)
            if part <= 0:
                break
            self._window -= part
            exchange.send_window -= part
            end = at + part
            exchange.sent = end == size
            self.write(frame(frames.DATA, frames.END_STREAM if exchange.sent else 0, exchange.id, data[at:end]))
            if part == self.largest_frame:
                self._flush()  # so that the socket's fill is known before the next one
            at = end
        if at < size:
            self._blocked.add(exchange)
        return at

    def reset(self, stream: int, code: ErrorCodes) -> None:
        """Tell the peer that a stream has ended early."""
        self.write(frame(frames.RST_STREAM, 0, stream, number(code)))

    def allow(self, stream: int, more: int) -> None:
        """Let the peer send more: on a stream, or, as stream 0, on the connection."""
        self.write(frame(frames.WINDOW_UPDATE, 0, stream, number(more)))

    def allowed(self, more: int) -> bool:
        """The peer takes more on the connection. Returns whether that is within the rules."""
        self._window += more
        return self._window <= frames.LARGEST_WINDOW

    def forget(self, exchange: Exchange) -> None:
        """An exchange sends no more."""
        self._blocked.discard(exchange)

    def pause(self) -> None:
        """The socket takes no more for now."""
        self._paused = True

    def resume(self) -> None:
        """The socket takes more again."""
        self._paused = False
        self.unblock()

    def unblock(self) -> None:
        """Have those try again who could not send all."""
        if self._blocked:
            blocked, self._blocked = self._blocked, set()
            for exchange in blocked:
                exchange.wake()
