"""Requests over HTTP/2 that are not gRPC, on the streams of grpclib's server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal

from grpclib.protocol import Stream
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from flyte_rpc.serving.dispatch import Disconnected

from .exchange import Headers
from .router import Router

_SKIPPED_BYTES = 2**20
_SKIP_SECONDS = 2.0
"""How much of a body that nobody reads is skipped, and for how long, before the client is told to stop."""

_CONNECTION_HEADERS = frozenset(("connection", "keep-alive"))
"""Headers that HTTP/2 forbids."""


class BodyBuffer:
    """What has arrived of a request's body, in the place of grpclib's buffer, which only reads sizes that are known.

    The client may send more as soon as it is read.
    """

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        self._acknowledge = acknowledge
        self._pieces: deque[tuple[bytes, int]] = deque()
        self._ended = False
        self._changed = asyncio.Event()

    def add(self, data: bytes, ack_size: int) -> None:
        self._pieces.append((data, ack_size))
        self._changed.set()

    def eof(self) -> None:
        self._ended = True
        self._changed.set()

    async def read(self) -> bytes:
        """The next piece; empty at the end."""
        while True:
            while self._pieces:
                data, size = self._pieces.popleft()
                self._acknowledge(size)
                if data:  # a frame may consist of padding
                    return data
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()

    def unacked_size(self) -> int:
        size = sum(size for _, size in self._pieces)
        self._pieces.clear()
        return size


class Http2Exchange:
    """A request on one stream."""

    def __init__(self, stream: Stream, headers: list[tuple[str, str]], body: BodyBuffer) -> None:
        self._stream = stream
        self.http: Literal["1.1", "2"] = "2"
        self._body = body
        self._torn = False
        """Whether a write was cancelled, so that nothing can follow it."""
        fields = dict(headers)
        self.method = fields.get(":method", "")
        self.target = fields.get(":path", "")
        own = {"host": fields[":authority"]} if ":authority" in fields else {}
        self.headers: Mapping[str, str] = {**{n: v for n, v in fields.items() if n[:1] != ":"}, **own}
        address = stream.connection.get_peer().addr()
        self.peer = f"{address[0]}:{address[1]}" if address else ""

    async def read(self) -> bytes:
        return await self._body.read()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        length = ("content-length", str(len(body)))
        if self.method == "HEAD" or not body:
            await self._send_headers(status, (*headers, length), end=True)
            return
        await self._send_headers(status, (*headers, length))
        await self._send_data(body, end=True)

    async def start(self, status: int, headers: Headers) -> None:
        await self._send_headers(status, headers)

    async def write(self, data: bytes) -> None:
        await self._send_data(data)

    async def end(self) -> None:
        if self._torn:
            raise Disconnected
        try:
            await self._stream.end()
        except ProtocolError:
            raise Disconnected from None

    async def _send_headers(self, status: int, headers: Headers, *, end: bool = False) -> None:
        sent = [(":status", str(status)), *(pair for pair in headers if pair[0] not in _CONNECTION_HEADERS)]
        try:
            await self._stream.send_headers(sent, end_stream=end)
        except ProtocolError:
            raise Disconnected from None

    async def _send_data(self, data: bytes, *, end: bool = False) -> None:
        if self._torn:
            raise Disconnected
        self._torn = True
        try:
            await self._stream.send_data(data, end_stream=end)
        except ProtocolError:
            raise Disconnected from None
        self._torn = False

    async def close(self, *, answered: bool) -> None:
        """Reset the stream, unless both sides have ended it."""
        if answered and self._stream.closable:
            await self._skip_body()
        if self._stream.closable:
            self._stream.reset_nowait(ErrorCodes.NO_ERROR if answered else ErrorCodes.INTERNAL_ERROR)

    async def _skip_body(self) -> None:
        # Some clients, curl among them, lose the reply to a request that is reset while they send it.
        skipped = 0
        try:
            async with asyncio.timeout(_SKIP_SECONDS):
                while skipped < _SKIPPED_BYTES and (piece := await self._body.read()):
                    skipped += len(piece)
        except TimeoutError:
            pass


async def serve_http2(
    router: Router, stream: Stream, headers: list[tuple[str, str]], body: BodyBuffer, release: Callable[[], object]
) -> None:
    """Answer a request."""
    try:
        exchange = Http2Exchange(stream, headers, body)
        answered = await router.answer(exchange)
        await exchange.close(answered=answered)
    finally:
        release()
