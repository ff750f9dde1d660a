"""A server that reads and writes single HTTP/2 frames, on real sockets."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from h2.errors import ErrorCodes
from hpack import Decoder, Encoder

from flyte_rpc.errors import ConnectionLostError
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from flyte_rpc.transports.http2 import frames
from support.peers import OK, REPLY, raw_server


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


def message(data: bytes) -> bytes:
    """A gRPC message."""
    return struct.pack(">BI", 0, len(data)) + data


def setting(key: int, value: int) -> bytes:
    return struct.pack(">HI", key, value)


def window_update(stream: int, size: int) -> Frame:
    return Frame(frames.WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def reset(stream: int, code: ErrorCodes) -> Frame:
    return Frame(frames.RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(code: ErrorCodes) -> Frame:
    """The client's goodbye. It has processed no stream of the server."""
    return Frame(frames.GOAWAY, 0, 0, struct.pack(">II", 0, code))


class Wire:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.encoder = Encoder()
        self.decoder: Any = Decoder()  # it returns text, whatever its annotation says

    async def read(self) -> Frame:
        """Return the next frame."""
        head = await self.reader.readexactly(9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return Frame(kind, flags, stream, await self.reader.readexactly(int.from_bytes(head[:3])))

    async def read_request(self) -> list[Frame]:
        """Return the frames up to the end of a request."""
        found = [await self.read()]
        while found[-1].kind != frames.DATA or not found[-1].flags & frames.END_STREAM:
            found.append(await self.read())
        return found

    async def read_all(self) -> list[Frame]:
        """Return the frames until the client has closed the connection."""
        found: list[Frame] = []
        while True:
            try:
                found.append(await self.read())
            except asyncio.IncompleteReadError as end:
                assert end.partial == b""
                return found

    async def settle(self) -> list[Frame]:
        """Wait until the client has processed all that was sent, and its tasks have run. Return what it has sent."""
        found: list[Frame] = []
        for payload in (b"settle 1", b"settle 2"):
            self.send(frames.PING, payload)
            while (frame := await self.read()) != (frames.PING, frames.ACK, 0, payload):
                found.append(frame)
        return found

    def send(self, kind: int, payload: bytes = b"", stream: int = 0, flags: int = 0) -> None:
        head = struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream)
        self.writer.write(head + payload)

    def data(self, stream: int, payload: bytes, flags: int = 0) -> None:
        """Send data, in frames of the largest size."""
        for at in range(0, len(payload), frames.DEFAULT_FRAME):
            self.send(frames.DATA, payload[at : at + frames.DEFAULT_FRAME], stream, flags)

    def headers(self, stream: int, headers: Iterable[tuple[str, str]] = REPLY, *, end: bool = False) -> None:
        flags = frames.END_HEADERS | (frames.END_STREAM if end else 0)
        self.send(frames.HEADERS, self.encoder.encode(headers), stream, flags)

    def reply(self, stream: int, data: bytes = b"reply") -> None:
        """Send a whole reply."""
        self.headers(stream)
        self.data(stream, message(data))
        self.headers(stream, OK, end=True)


class Wires:
    """A client, and the server's ends of its connections."""

    def __init__(self, transport: GrpcTransport) -> None:
        self.transport = transport
        self.arrived: asyncio.Queue[Wire] = asyncio.Queue()

    async def accept(self, *settings: bytes) -> Wire:
        """Wait for a connection, send these settings, and read what the client begins with."""
        wire = await self.arrived.get()
        wire.send(frames.SETTINGS, b"".join(settings))
        while (frame := await wire.read()) != (frames.SETTINGS, frames.ACK, 0, b""):
            assert frame.kind in (frames.SETTINGS, frames.WINDOW_UPDATE)
        return wire

    def call(self, request: bytes = b"", *, timeout: float = 20) -> asyncio.Task[bytes]:
        return asyncio.ensure_future(self.transport.unary("/a.B/C", request, [], timeout))

    async def called(self, *settings: bytes, request: bytes = b"") -> tuple[Wire, asyncio.Task[bytes]]:
        """Make the first call, and read its request."""
        call = self.call(request)
        wire = await self.accept(*settings)
        await wire.read_request()
        return wire, call


@asynccontextmanager
async def wired(**options: Any) -> AsyncGenerator[Wires]:
    """A client of such a server. What a test waits for has to come within 10 seconds."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(frames.PREFACE)) == frames.PREFACE
        wires.arrived.put_nowait(Wire(reader, writer))
        await asyncio.Event().wait()

    async with asyncio.timeout(10), raw_server(talk) as address:
        wires = Wires(GrpcTransport(parse_endpoint(f"http://{address}"), **options))
        try:
            yield wires
        finally:
            await wires.transport.aclose()


async def failure(call: asyncio.Task[bytes]) -> ConnectionLostError:
    """Return the error with which a call has lost its connection."""
    with pytest.raises(ConnectionLostError) as raised:
        await call
    return raised.value
