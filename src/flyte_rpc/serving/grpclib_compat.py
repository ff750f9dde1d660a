"""What grpclib's HTTP/2 server needs to get on with every client, and to read messages within limits."""

from __future__ import annotations

from grpclib.protocol import EventsProcessor, Stream
from h2.events import DataReceived, Event

from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES, PREFIX_BYTES, BadFrame, message_size


async def read_message(stream: Stream, limit: int = MAX_MESSAGE_BYTES) -> bytes | None:
    """The next length-prefixed message of a stream; None when the other side has ended it.

    Raises:
        BadFrame: What arrived is not a whole, uncompressed message of at most `limit` bytes.
    """
    try:
        head = await stream.recv_data(PREFIX_BYTES)
        if not head:
            return None
        return await stream.recv_data(message_size(head, 0, limit))
    except AssertionError as error:  # how grpclib's buffer says that the stream ended inside a message
        raise BadFrame("the message is cut short", cut=True) from error


class TolerantProcessor(EventsProcessor):
    """Ignores what HTTP/2 says to ignore, where grpclib drops the connection."""

    def process(self, event: Event) -> None:
        processors = getattr(self, "processors", None)  # deleted by grpclib when the connection closes
        if processors is not None and type(event) in processors:
            super().process(event)

    def process_data_received(self, event: DataReceived) -> None:
        if event.flow_controlled_length:  # an empty DATA frame is legal, and grpclib takes it for the end
            super().process_data_received(event)
