"""How much the server may send ahead of the readers: of one connection, and of each of its streams."""

from __future__ import annotations

from . import frames
from .flow_control import FrameSender
from .stream import Http2Stream

WINDOW_BYTES = 32 * 2**20
"""The window of the connection, and the largest of a call with one reply: round trips do not slow down a large page."""

FIRST_WINDOW_BYTES = 2**18
"""The window of a new stream. It doubles while its reader waits for more, so that a slow reader costs no more than this."""

_LARGEST_LONG_WINDOW = 4 * 2**20
"""The largest window of a long stream, whose reader may stop reading at any time."""

_GROWTH_BYTES = 64 * 2**20
"""By how much the windows of all streams of a connection may have grown at a time."""


class ReceiveWindows:
    """The receive windows of one connection."""

    def __init__(self, sender: FrameSender) -> None:
        self._sender = sender
        self._connection = WINDOW_BYTES
        self._growth = 0

    def announce(self) -> None:
        """Open the window of the connection, which no setting does."""
        self._sender.send_window_update(0, WINDOW_BYTES - frames.DEFAULT_WINDOW)

    def open(self, stream: Http2Stream) -> None:
        """Give a new stream its window."""
        stream.receive_window = stream.largest_receive_window = FIRST_WINDOW_BYTES

    def release(self, stream: Http2Stream) -> None:
        """Let other streams grow by what this one had grown."""
        if stream.largest_receive_window:
            self._growth -= stream.largest_receive_window - FIRST_WINDOW_BYTES
            stream.largest_receive_window = 0

    def charge(self, size: int) -> None:
        """Count received data against the window of the connection, and open it again once half of it is used.

        Data never exceeds this window: it is at least half open, which is more than the largest frame.
        """
        self._connection -= size
        if self._connection <= WINDOW_BYTES // 2:
            self._sender.send_window_update(0, WINDOW_BYTES - self._connection)
            self._connection = WINDOW_BYTES

    def grant(self, stream: Http2Stream, consumed: int) -> int:
        """Open the window of a stream if much was read. Returns the bytes that are still to be granted."""
        size = stream.largest_receive_window
        if consumed < size // 2 or not size:
            return consumed
        if stream.waiting:  # the window holds up the server, and not the reader
            limit = _LARGEST_LONG_WINDOW if stream.long else WINDOW_BYTES
            growth = max(0, min(size, limit - size, _GROWTH_BYTES - self._growth))
            self._growth += growth
            stream.largest_receive_window += growth
            consumed += growth
        stream.receive_window += consumed
        self._sender.send_window_update(stream.id, consumed)
        return 0
