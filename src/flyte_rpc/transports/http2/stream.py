"""One call on a connection: what of its reply has arrived, and who waits for more of it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES, PREFIX_BYTES, BadFrame, message_size

if TYPE_CHECKING:
    from .connection import ClientProtocol


class Failure(NamedTuple):
    """Why an exchange ended before its reply."""

    reason: str
    unprocessed: bool
    """Whether HTTP/2 guarantees that the server did not act on the request."""


class Exchange:
    """A request and its reply. The connection fills in what arrives; one task at a time waits for it."""

    __slots__ = (
        "_connection",
        "_loop",
        "_owed",
        "_partial",
        "_waiter",
        "_wanted",
        "admitted",
        "bad",
        "ended",
        "expired",
        "failure",
        "headers",
        "id",
        "messages",
        "receive_window",
        "send_window",
        "sent",
        "trailers",
    )

    def __init__(self, connection: ClientProtocol, loop: asyncio.AbstractEventLoop, wanted: int) -> None:
        """An exchange that has not begun.

        Args:
            connection: What it will take place on.
            loop: The connection's event loop.
            wanted: How many messages its reader waits for; it is woken by the end too, and by what is not gRPC.
        """
        self._connection = connection
        self._loop = loop
        self._wanted = wanted
        self._waiter: asyncio.Future[None] | None = None
        self._partial = bytearray()
        self._owed = 0
        """Bytes received of which the peer was not told that there is room for as many more."""
        self.id = 0
        """The stream; 0 before it is opened."""
        self.admitted = False
        """Whether it counts among the calls that the peer allows at once."""
        self.send_window = self.receive_window = 0
        self.headers: dict[str, str] | None = None
        self.messages: deque[bytes] = deque()
        self.trailers: dict[str, str] | None = None
        self.bad: BadFrame | None = None
        """Why messages after those that are here cannot be read."""
        self.sent = False
        """Whether the request has left in full."""
        self.ended = False
        """Whether the server has sent all it will."""
        self.failure: Failure | None = None
        self.expired = False
        """Whether its deadline has passed."""

    def wake(self) -> None:
        """Have the reader look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self) -> None:
        """Until something has changed; it may be anything."""
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    @property
    def over(self) -> bool:
        """Whether nothing more will arrive in time."""
        return self.ended or self.failure is not None or self.expired

    def fail(self, reason: str, *, unprocessed: bool = False) -> None:
        """Let what was received be read, and then let every wait end."""
        if self.failure is None:
            self.failure = Failure(reason, unprocessed)
        self.wake()

    def expire(self) -> None:
        """The deadline has passed."""
        self.expired = True
        self.wake()

    def end(self) -> None:
        """The server has sent all it will."""
        self.ended = True
        if self._partial and self.bad is None:
            self.bad = BadFrame("the message is cut short", cut=True)
        self.wake()

    def receive(self, data: bytes, charged: int) -> None:
        """Take a piece of the reply.

        Args:
            data: The piece.
            charged: What it counts for in the stream's window, padding included.
        """
        self.receive_window -= charged
        self._owed += charged
        if self.bad is None:
            try:
                self._split(data)
            except BadFrame as error:
                self.bad = error
                self._partial.clear()
        if len(self.messages) >= self._wanted or self.bad is not None:
            self.wake()
        if not self.messages:
            self._grant()

    def take(self) -> bytes:
        """The next message, of which there must be one."""
        message = self.messages.popleft()
        if not self.messages:
            self._grant()
        return message

    def _split(self, data: bytes) -> None:
        """Find the messages in what has arrived."""
        partial = self._partial
        if partial:
            partial += data
            # A large message arrives in many pieces: until it is complete, none of it is copied.
            if len(partial) < PREFIX_BYTES or len(partial) < PREFIX_BYTES + message_size(partial, 0, MAX_MESSAGE_BYTES):
                return
            data = bytes(partial)
            partial.clear()
        at, end = 0, len(data)
        while end - at >= PREFIX_BYTES:
            stop = at + PREFIX_BYTES + message_size(data, at, MAX_MESSAGE_BYTES)
            if stop > end:
                break
            self.messages.append(data[at + PREFIX_BYTES : stop])
            at = stop
        if at < end:
            partial += data[at:]

    def _grant(self) -> None:
        """Allow as much again as was read, in large steps. A reader that falls behind holds its own stream up, no other."""
        if self._owed and not self.ended:
            self._owed = self._connection.grant(self, self._owed)
