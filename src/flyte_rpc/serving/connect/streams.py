"""Calls whose messages come in envelopes, one after another: the streams of Connect, and all of gRPC-Web."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from attrs import frozen

from flyte_rpc.calls.rpc import Cardinality
from flyte_rpc.serving.dispatch import Dispatcher, Method
from flyte_rpc.serving.service import Abort
from flyte_rpc.transports.connect.protocol import COMPRESSED, END_OF_STREAM
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES, PREFIX_BYTES, BadFrame, message_size
from flyte_rpc.transports.rpc_status import packed_status

from .call import connect_timeout, end_time, grpc_timeout, server_call
from .codecs import MessageCodec
from .compression import accepts_gzip, check_encoding, compress, decompress
from .errors import end_of_stream
from .exchange import Exchange

_PREFIX = struct.Struct(">BL")

UNQUOTED = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
"""Characters of an error's message that gRPC sends as they are."""

_TRAILERS = 0x80
"""The flag of the trailers of gRPC-Web."""


@frozen
class Envelopes:
    """What the protocols with envelopes differ in."""

    encoding_header: str
    accept_header: str
    timeout: Callable[[Exchange], float | None]
    end: Callable[[Abort | None], bytes]
    """The envelope that ends the replies."""
    text: bool = False
    """Whether the bodies are base64."""

    def written(self, data: bytes) -> bytes:
        """Envelopes as they are in the body."""
        return b64encode(data) if self.text else data


async def serve_stream(
    dispatcher: Dispatcher,
    method: Method,
    exchange: Exchange,
    codec: MessageCodec,
    content_type: str,
    protocol: Envelopes,
) -> None:
    """Answer a request. How the call ends is in the last envelope."""
    wire = _EnvelopeWire(exchange, method, codec, content_type, protocol)
    failure: Abort | None = None
    try:
        timeout = protocol.timeout(exchange)
        wire.check_encoding()
        await dispatcher.run_until(end_time(timeout), method, server_call(method, exchange, timeout), wire)
    except Abort as error:
        failure = error
    await wire.finish(failure)


class _EnvelopeWire:
    """The messages of one call."""

    def __init__(
        self, exchange: Exchange, method: Method, codec: MessageCodec, content_type: str, protocol: Envelopes
    ) -> None:
        self._exchange = exchange
        self._rpc = method.rpc
        self._codec = codec
        self._content_type = content_type
        self._protocol = protocol
        self._partial = bytearray()
        self._base64 = Base64Reader() if protocol.text else None
        self._single = method.rpc.cardinality in (Cardinality.UNARY, Cardinality.SERVER_STREAM)
        self._compressed = False
        self._compress = accepts_gzip(exchange.headers.get(protocol.accept_header, ""))
        self._started = False

    def check_encoding(self) -> None:
        """Read whether requests are compressed.

        Raises:
            Abort: They are, but not with gzip.
        """
        self._compressed = check_encoding(self._exchange.headers.get(self._protocol.encoding_header, ""))

    async def read(self) -> Any:
        data = await self._envelope()
        if data is None:
            return None
        if self._single and await self._envelope() is not None:
            raise BadFrame("the method takes one request, but there are more")
        return self._codec.decode(self._rpc, data)

    async def write(self, reply: Any) -> None:
        data = self._codec.encode(reply)
        flags = 0
        if self._compress and (packed := await compress(data)) is not None:
            flags, data = COMPRESSED, packed
        await self._send(_PREFIX.pack(flags, len(data)) + data)

    async def finish(self, failure: Abort | None) -> None:
        """Send how the call ended."""
        await self._send(self._protocol.end(failure))
        await self._exchange.end()

    async def _send(self, data: bytes) -> None:
        if not self._started:
            self._started = True
            headers = [("content-type", self._content_type), (self._protocol.accept_header, "gzip")]
            if self._compress:
                headers.append((self._protocol.encoding_header, "gzip"))
            await self._exchange.start(200, headers)
        await self._exchange.write(self._protocol.written(data))

    async def _envelope(self) -> bytes | None:
        """The next message, decompressed. None at the end."""
        if not await self._fill(PREFIX_BYTES):
            if self._partial:
                raise BadFrame("the message is cut short", cut=True)
            return None
        size = message_size(self._partial, 0, MAX_MESSAGE_BYTES, compression=self._compressed)
        compressed = self._partial[0] == COMPRESSED
        end = PREFIX_BYTES + size
        if not await self._fill(end):
            raise BadFrame("the message is cut short", cut=True)
        data = bytes(memoryview(self._partial)[PREFIX_BYTES:end])
        del self._partial[:end]
        return await decompress(data) if compressed and data else data

    async def _fill(self, size: int) -> bool:
        """Read until there are so many bytes. Returns whether there are."""
        while len(self._partial) < size:
            piece = await self._exchange.read()
            if not piece:
                return False
            self._partial += self._base64.feed(piece) if self._base64 else piece
        return True


class Base64Reader:
    """Decodes base64 that arrives in pieces. Each part of it may have been padded for itself."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """Decode what is complete.

        Raises:
            BadFrame: It is not base64.
        """
        data = self._rest + piece
        whole = len(data) - len(data) % 4
        data, self._rest = data[:whole], data[whole:]
        decoded = bytearray()
        at = 0
        while at < whole:
            padding = data.find(b"=", at)
            stop = whole if padding < 0 else padding // 4 * 4 + 4
            try:
                decoded += b64decode(data[at:stop], validate=True)
            except ValueError as error:
                raise BadFrame(f"the body is not base64: {error}") from None
            at = stop
        return bytes(decoded)


def _connect_end(failure: Abort | None) -> bytes:
    data = end_of_stream(failure)
    return _PREFIX.pack(END_OF_STREAM, len(data)) + data


def _grpc_web_end(failure: Abort | None) -> bytes:
    lines = [f"grpc-status: {0 if failure is None else failure.status.value}"]
    if failure is not None:
        lines.append(f"grpc-message: {quote(failure.message, safe=UNQUOTED)}")
        if failure.details:
            packed = packed_status(failure.status, failure.message, failure.details)
            lines.append(f"grpc-status-details-bin: {b64encode(packed).decode().rstrip('=')}")
    data = "".join(f"{line}\r\n" for line in lines).encode()
    return _PREFIX.pack(_TRAILERS, len(data)) + data


CONNECT = Envelopes("connect-content-encoding", "connect-accept-encoding", connect_timeout, _connect_end)
GRPC_WEB = Envelopes("grpc-encoding", "grpc-accept-encoding", grpc_timeout, _grpc_web_end)
GRPC_WEB_TEXT = Envelopes("grpc-encoding", "grpc-accept-encoding", grpc_timeout, _grpc_web_end, text=True)
