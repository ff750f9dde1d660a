"""One HTTP/2 stream: a request, and as much of the reply as has arrived."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from flyte_rpc.errors import ConnectionLostError
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES, PREFIX_BYTES, BadFrame, decompress, message_size


class Failure(NamedTuple):
    """Why a stream ended before its reply was complete."""

    reason: str
    unprocessed: bool
    """Whether HTTP/2 guarantees that the server did not act on the request."""
    refused: bool = False
    """Whether the peer says so, with REFUSED_STREAM, which is no guarantee behind a proxy."""

    def error(self) -> ConnectionLostError:
        """The error to raise."""
        return ConnectionLostError(self.reason, unprocessed=self.unprocessed, refused=self.refused)


class Http2Stream:
    """A request and its reply. The connection adds what arrives; one task waits for it, and another may wait to send."""

    __slots__ = (
        "_consumed",
        "_expected_messages",
        "_grant_window",
        "_loop",
        "_partial",
        "_sender",
        "_waiter",
        "admitted",
        "ended",
        "expired",
        "failure",
        "headers",
        "id",
        "largest_receive_window",
        "long",
        "malformed",
        "messages",
        "receive_window",
        "send_window",
        "sent",
        "trailers",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        expected_messages: int,
        grant_window: Callable[[Http2Stream, int], int],
        *,
        long: bool = False,
    ) -> None:
        """Describe a stream that is not opened yet.

        Args:
            loop: The connection's event loop.
            expected_messages: How many messages its reader waits for. The end of the reply wakes it as well, and so does
                a reply that is not gRPC.
            grant_window: Called with the stream and the bytes that were read. It may open the stream's receive window by
                them, and returns how many of them are still to be granted.
            long: Whether it may stay open for long, as watches and logs do.
        """
        self._grant_window = grant_window
        self._loop = loop
        self._expected_messages = expected_messages
        self._waiter: asyncio.Future[None] | None = None
        self._sender: asyncio.Future[None] | None = None
        self._partial = bytearray()
        self._consumed = 0
        """Bytes that were read and not yet granted to the peer again by a window update."""
        self.id = 0
        """The stream identifier; 0 before the stream is opened."""
        self.admitted = False
        """Whether it counts towards the peer's limit of concurrent streams."""
        self.send_window = self.receive_window = 0
        self.largest_receive_window = 0
        """What the receive window is when all that arrived has been read."""
        self.long = long
        self.headers: dict[str, str] | None = None
        self.messages: deque[bytes] = deque()
        self.trailers: dict[str, str] | None = None
        self.malformed: BadFrame | None = None
        """Why the messages after the received ones cannot be read."""
        self.sent = False
        """Whether the request has left in full."""
        self.ended = False
        """Whether the server has ended the stream."""
        self.failure: Failure | None = None
        self.expired = False
        """Whether its deadline has passed."""

    def wake(self) -> None:
        """Wake the tasks that wait."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        sender = self._sender
        if sender is not None and not sender.done():
            sender.set_result(None)

    @property
    def waiting(self) -> bool:
        """Whether the reader waits for more."""
        return self._waiter is not None

    async def wait(self) -> None:
        """Wait until something has changed."""
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    async def wait_to_send(self) -> None:
        """Wait until something has changed, in a task that sends while another one waits for the reply."""
        self._sender = sender = self._loop.create_future()
        try:
            await sender
        finally:
            self._sender = None

    @property
    def finished(self) -> bool:
        """Whether nothing more will arrive before the deadline."""
        return self.ended or self.failure is not None or self.expired

    def fail(self, reason: str, *, unprocessed: bool = False, refused: bool = False) -> None:
        """Fail the stream. Messages that have arrived can still be read."""
        if self.failure is None:
            self.failure = Failure(reason, unprocessed, refused)
        self.wake()

    def expire(self) -> None:
        """Note that the deadline has passed."""
        self.expired = True
        self.wake()

    def end(self) -> None:
        """Note that the server has ended the stream."""
        self.ended = True
        if self._partial and self.malformed is None:
            self.malformed = BadFrame("the message is cut short", cut=True)
        self.wake()

    def receive(self, data: bytes, charged: int) -> None:
        """Add a piece of the reply.

        Args:
            data: The piece.
            charged: What it counts for in the stream's window, padding included.
        """
        self.receive_window -= charged
        self._consumed += charged
        if self.malformed is None:
            try:
                self._split(data)
            except BadFrame as error:
                self.malformed = error
                self._partial.clear()
        if len(self.messages) >= self._expected_messages or self.malformed is not None:
            self.wake()
        if not self.messages:
            self._grant()

    def take(self) -> bytes:
        """Return the next message. There must be one."""
        message = self.messages.popleft()
        if not self.messages:
            self._grant()
        return message

    def _split(self, data: bytes) -> None:
        """Split the received bytes into messages."""
        partial = self._partial
        if partial:
            partial += data
            # A large message arrives in many pieces: until it is complete, none of it is copied.
            if len(partial) < PREFIX_BYTES or len(partial) < PREFIX_BYTES + message_size(
                partial, 0, MAX_MESSAGE_BYTES, compression=True
            ):
                return
            data = bytes(partial)
            partial.clear()
        at, end = 0, len(data)
        while end - at >= PREFIX_BYTES:
            stop = at + PREFIX_BYTES + message_size(data, at, MAX_MESSAGE_BYTES, compression=True)
            if stop > end:
                break
            message = data[at + PREFIX_BYTES : stop]
            if data[at]:
                message = decompress((self.headers or {}).get("grpc-encoding", ""), message)
            self.messages.append(message)
            at = stop
        if at < end:
            partial += data[at:]

    def _grant(self) -> None:
        """Open the receive window by what was read, in large steps. A slow reader holds up its own stream only."""
        if self._consumed and not self.ended:
            self._consumed = self._grant_window(self, self._consumed)
