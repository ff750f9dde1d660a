"""Reading messages from grpclib's streams within limits."""

from __future__ import annotations

from grpclib.protocol import Stream

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
