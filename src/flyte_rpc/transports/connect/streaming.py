"""Connect calls in which the client streams, and the replies of streams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from flyte_rpc.errors import ConnectionLostError, DeadlineExceededError, DecodeError, RpcError
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES

from . import protocol
from .http_call import HttpCall, Reply

_TAIL_SECONDS = 1.0
"""How long the body of a stream may stay open after the message that ends it, for its connection to be kept."""

_ERROR_BYTES = 2**20
"""How much of an error reply is read."""

T = TypeVar("T")


class Deadline:
    """The deadline of one call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        self._loop = loop
        self._timeout = timeout
        self._end = None if timeout is None else loop.time() + timeout

    def header(self) -> str:
        """The value of `connect-timeout-ms` for the remaining time."""
        return protocol.timeout_value(None if self._end is None else self._end - self._loop.time())

    async def apply(self, step: Awaitable[T], call: HttpCall | None) -> T:
        """Wait for a step of the call.

        Args:
            step: What to wait for.
            call: The call, if it has a connection already.

        Raises:
            DeadlineExceededError: The deadline passes first.
        """
        try:
            async with asyncio.timeout_at(self._end):
                return await step
        except TimeoutError as error:
            if isinstance(error, RpcError):  # the server says so itself
                raise
        if call is None:
            raise DeadlineExceededError.after("not connected to the server", self._timeout, unprocessed=True)
        call.deadline_passed()
        raise DeadlineExceededError.after("no reply", self._timeout)


class ReplyStream:
    """The messages of a streamed reply."""

    def __init__(self, call: HttpCall, deadline: Deadline, reply_error: Callable[[Reply, bytes], RpcError]) -> None:
        """Describe a reply that has not begun.

        Args:
            call: The call.
            deadline: Its deadline.
            reply_error: Makes the error of a reply that is no stream.
        """
        self._call = call
        self._deadline = deadline
        self._reply_error = reply_error
        self._envelopes: protocol.EnvelopeReader | None = None
        self._messages: deque[bytes] = deque()

    async def begin(self, reply: Reply) -> None:
        """Note the headers of the reply.

        Raises:
            RpcError: It is an error.
        """
        if reply.status != 200 or protocol.content_type(reply.headers) != protocol.STREAM_TYPE:
            raise self._reply_error(reply, await self._deadline.apply(read_all(self._call, reply), self._call))
        self._envelopes = protocol.EnvelopeReader(reply.headers)

    async def receive(self) -> bytes | None:
        """Wait for the next message. None means that the call has ended successfully.

        Raises:
            RpcError: The call failed.
        """
        if self._envelopes is None:
            await self.begin(await self._deadline.apply(self._call.reply(), self._call))
        envelopes = self._envelopes
        assert envelopes is not None
        while not self._messages:
            if envelopes.ended:
                await _read_tail(self._call)
                if envelopes.error is not None:
                    raise envelopes.error
                return None
            piece = await self._deadline.apply(self._call.read(), self._call)
            if not piece:
                what = "in the middle of a message" if envelopes.cut else "without the message that ends it"
                raise ConnectionLostError(f"the stream was cut off {what}")
            self._messages.extend(envelopes.feed(piece))
        return self._messages.popleft()


class ConnectStreamingCall:
    """A call in which the client streams."""

    def __init__(self, call: HttpCall, deadline: Deadline, replies: ReplyStream) -> None:
        self._call = call
        self._deadline = deadline
        self.receive = replies.receive

    async def send(self, message: bytes) -> bool:
        try:
            return await self._deadline.apply(self._call.write(protocol.envelope(message)), self._call)
        except DeadlineExceededError:  # `receive` raises it
            return False

    async def end(self) -> None:
        self._call.end()


async def read_all(call: HttpCall, reply: Reply) -> bytes:
    """The body of a reply. Of an error, which may be any page, the beginning is enough."""
    limit = MAX_MESSAGE_BYTES if reply.status == 200 else _ERROR_BYTES
    parts: list[bytes] = []
    size = 0
    while piece := await call.read():
        parts.append(piece)
        size += len(piece)
        if size > limit:
            if reply.status == 200:
                raise DecodeError(f"the message has more than {limit:,} bytes, which is the limit")
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _read_tail(call: HttpCall) -> None:
    """Read the end of a body after its last message, so that the connection can be kept. Failing to does no harm."""
    try:
        async with asyncio.timeout(_TAIL_SECONDS):
            await call.read()
    except (TimeoutError, RpcError):
        pass
