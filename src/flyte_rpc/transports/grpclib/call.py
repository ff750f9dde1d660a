"""One gRPC call on a stream of grpclib: its deadline, its messages, its status, and the error for each way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from grpclib.exceptions import StreamTerminatedError
from h2.errors import ErrorCodes
from h2.exceptions import H2Error

from flyte_rpc.errors import ConnectionLostError, DeadlineExceededError, DecodeError, RpcError
from flyte_rpc.transports import diagnosis
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES, PREFIX_BYTES, BadFrame, decompress, frame, message_size

from .connection import GrpclibConnection

T = TypeVar("T")


class GrpclibCall:
    """A call of any kind. The transport opens and releases it."""

    def __init__(
        self, connection: GrpclibConnection, loop: asyncio.AbstractEventLoop, end: float | None, timeout: float | None
    ) -> None:
        self._connection = connection
        self._loop = loop
        self._end = end
        self._timeout = timeout
        self._started = loop.time()
        self._stream = connection.create_stream(self)
        self._release: Callable[[], None] | None = None
        self._failure: Exception | None = None
        """Why grpclib has terminated the stream."""
        self._headers: dict[str, str] | None = None
        self._sending: set[asyncio.Timeout] = set()
        self._receiving: set[asyncio.Timeout] = set()
        self._request_sent = False
        self._reply_ended = False

    # What grpclib reports.

    def cancel(self, error: Exception) -> None:
        """End all waits: the stream has failed. A complete reply counts all the same."""
        stream = self._stream
        if stream.id is not None and stream.trailers is not None:
            return
        if self._failure is None:
            self._failure = error
        self._interrupt(self._sending | self._receiving)

    def reply_ended(self) -> None:
        """End the waits for sending: the reply is complete."""
        self._reply_ended = True
        self._interrupt(self._sending)

    def _interrupt(self, waits: set[asyncio.Timeout]) -> None:
        for wait in waits:
            if not wait.expired():
                wait.reschedule(self._loop.time())

    # What the transport and its callers do.

    async def open(self, headers: list[tuple[str, str]]) -> None:
        """Open the stream, as soon as the server's limit of streams leaves room.

        Raises:
            RpcError: It cannot be opened.
        """
        self._connection.waiting.add(self)
        try:
            request = self._stream.send_request(headers, _processor=self._connection.processor)
            self._release = await self._wait(request, self._sending)
        finally:
            self._connection.waiting.discard(self)

    async def send(self, message: bytes, *, end: bool = False) -> bool:
        if self._over:
            return False
        try:
            await self._wait(self._stream.send_data(frame(message), end_stream=end), self._sending)
        except RpcError:  # `receive` says what happened
            return False
        self._request_sent = self._request_sent or end
        return True

    async def end(self) -> None:
        if self._over:
            return
        try:
            await self._wait(self._stream.end(), self._sending)
        except RpcError:
            return
        self._request_sent = True

    @property
    def _over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._reply_ended or self._failure is not None or bool(self._connection.closed_because)

    async def receive(self) -> bytes | None:
        stream = self._stream
        if self._headers is None:
            self._headers = headers = _decoded(await self._wait(stream.recv_headers(), self._receiving))
            diagnosis.check_response(headers)
        if "grpc-status" in self._headers:
            diagnosis.raise_for_status(self._headers)
            return None
        try:
            prefix = await self._wait(stream.recv_data(PREFIX_BYTES), self._receiving)
            if prefix:
                size = message_size(prefix, 0, MAX_MESSAGE_BYTES, compression=True)
                message: bytes = await self._wait(stream.recv_data(size), self._receiving)
                return decompress(self._headers.get("grpc-encoding", ""), message) if prefix[0] else message
        except AssertionError:  # grpclib's buffer: the stream ended inside a message
            if stream.trailers is None:
                raise self._lost() from None
            raise DecodeError("the message is cut short") from None
        except BadFrame as error:
            raise DecodeError(str(error)) from None
        if stream.trailers is None:
            raise self._lost()
        diagnosis.raise_for_status(_decoded(stream.trailers))
        return None

    def release(self) -> None:
        """End the call, and reset its stream unless both sides have finished."""
        if self._release is None:
            return
        if self._stream.closable:
            self._stream.reset_nowait(ErrorCodes.CANCEL)
        self._release()

    async def _wait(self, step: Awaitable[T], waits: set[asyncio.Timeout]) -> T:
        # A step of a terminated stream ends at once, unless what it waits for has arrived.
        limit = asyncio.timeout_at(self._end if self._failure is None else self._loop.time())
        try:
            async with limit:
                waits.add(limit)
                return await step
        except TimeoutError:
            raise self._error(sending=waits is self._sending) from None
        except (H2Error, KeyError) as error:  # grpclib and h2 find that the stream or connection is closed
            reason = self._connection.closed_because or f"the connection takes no request ({error})"
            raise ConnectionLostError(reason, unprocessed=self._stream.id is None) from None
        finally:
            waits.discard(limit)

    def _error(self, *, sending: bool) -> RpcError:
        """The error for a wait that was interrupted."""
        if self._failure is None and not (sending and self._reply_ended):
            opened = self._stream.id is not None
            if opened and self._connection.last_received <= self._started:
                self._connection.draining = True  # it may be dead, so that no later call should use it
            what = "no reply" if self._request_sent or opened else "the server takes no request"
            return DeadlineExceededError.after(what, self._timeout, unprocessed=not opened)
        if isinstance(self._failure, ConnectionLostError):
            failure = self._failure
            return ConnectionLostError(
                failure.message,
                unprocessed=failure.unprocessed or self._stream.id is None,
                refused=failure.refused,
            )
        if isinstance(self._failure, StreamTerminatedError):
            return ConnectionLostError(str(self._failure), unprocessed=False)
        return ConnectionLostError("the server ended the call before the request was complete")

    def _lost(self) -> ConnectionLostError:
        """The error for a reply without a status."""
        if self._failure is not None:
            return ConnectionLostError(str(self._failure), unprocessed=False)
        return diagnosis.missing_status(complete=True)


def _decoded(headers: Any) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in headers}


def _text(raw: bytes | str) -> str:
    return raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
