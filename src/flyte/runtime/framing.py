"""What both ends of a gRPC connection share: message framing, and HTTP/2 tolerance that grpclib lacks.

Only the transport and the server import this module, and only when they open a connection.
"""

from __future__ import annotations

import struct

from grpclib.protocol import EventsProcessor, Stream
from h2.events import DataReceived, Event

MAX_MESSAGE_BYTES = 256 * 2**20
"""Largest message that either side reads. It bounds the memory one reply can claim, not what the API allows."""


class BadFrame(Exception):
    """The bytes of a message are cut short, compressed or larger than we accept."""

    def __init__(self, message: str, *, too_large: bool = False, cut: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large
        self.cut = cut


async def read_message(stream: Stream, limit: int = MAX_MESSAGE_BYTES) -> bytes | None:
    """The next length-prefixed message of a stream; None when the other side has ended it.

    Raises:
        BadFrame: What arrived is not a whole, uncompressed message of at most `limit` bytes.
    """
    try:
        head = await stream.recv_data(5)
        if not head:
            return None
        compressed, size = struct.unpack(">BI", head)
        if compressed:
            raise BadFrame("the message is compressed, which was not agreed")
        if size > limit:
            raise BadFrame(f"the message has {size:,} bytes; the limit is {limit:,}", too_large=True)
        return await stream.recv_data(size)
    except AssertionError as error:  # how grpclib's buffer says that the stream ended inside a message
        raise BadFrame("the message is cut short", cut=True) from error


def frame(message: bytes) -> bytes:
    """One message with its gRPC prefix."""
    return struct.pack(">BI", 0, len(message)) + message


class TolerantProcessor(EventsProcessor):
    """Ignores what HTTP/2 says to ignore, where grpclib drops the connection."""

    def process(self, event: Event) -> None:
        processors = getattr(self, "processors", None)  # deleted by grpclib when the connection closes
        if processors is not None and type(event) in processors:
            super().process(event)

    def process_data_received(self, event: DataReceived) -> None:
        if event.flow_controlled_length:  # an empty DATA frame is legal, and grpclib takes it for the end
            super().process_data_received(event)
