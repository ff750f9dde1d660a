"""Servers that misbehave on purpose, on real sockets, for tests of what a client makes of them."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset

OK = (("grpc-status", "0"),)
REPLY = ((":status", "200"), ("content-type", "application/grpc"))

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def raw_server(talk: Talk) -> AsyncGenerator[str, None]:
    """A TCP server that does whatever `talk` does with each connection. Gives its `host:port`."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@asynccontextmanager
async def saying(data: bytes) -> AsyncGenerator[str, None]:
    """A server that answers whatever comes first with `data`, and closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(data)
        await writer.drain()

    async with raw_server(talk) as address:
        yield address


@asynccontextmanager
async def silent() -> AsyncGenerator[str, None]:
    """A server that accepts connections, reads, and says nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with raw_server(talk) as address:
        yield address


class Peer(asyncio.Protocol):
    """One HTTP/2 connection whose replies are scripted: `script(peer, stream_id)` runs for each whole request."""

    def __init__(
        self,
        script: Callable[[Peer, int], None],
        peers: list[Peer],
        on_headers: Callable[[Peer, int], None] = lambda peer, stream_id: None,
    ) -> None:
        self.script = script
        self.on_headers = on_headers
        self.peers = peers
        self.h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        )
        self.resets: list[StreamReset] = []
        self.reset_seen = asyncio.Event()
        self.gone = asyncio.Event()
        self.headers: list[dict[str, str]] = []
        self.auto_window = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not of that class
        self.peers.append(self)
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            match event:
                case RequestReceived():
                    self.headers.append(dict(event.headers))  # type: ignore[arg-type]
                    self.on_headers(self, event.stream_id)
                case DataReceived() if self.auto_window:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case StreamEnded():
                    self.script(self, event.stream_id)
                case StreamReset():
                    self.resets.append(event)
                    self.reset_seen.set()
                case ConnectionTerminated():
                    self.transport.close()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())

    def begin(self, stream: int, headers: tuple[tuple[str, str], ...] = REPLY, *, end: bool = False) -> None:
        self.h2.send_headers(stream, headers, end_stream=end)

    def message(self, stream: int, data: bytes, *, size: int | None = None, flag: int = 0, end: bool = False) -> None:
        prefix = struct.pack(">BI", flag, len(data) if size is None else size)
        self.h2.send_data(stream, prefix + data, end_stream=end)

    def end(self, stream: int, trailers: tuple[tuple[str, str], ...] = OK) -> None:
        self.h2.send_headers(stream, trailers, end_stream=True)

    def reply(self, stream: int, data: bytes = b'{"ok": 1}') -> None:
        self.begin(stream)
        self.message(stream, data)
        self.end(stream)

    def reset(self, stream: int, code: ErrorCodes) -> None:
        self.h2.reset_stream(stream, code)

    def goaway(self, last_stream: int = 2**31 - 1, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        # Written by hand: h2 sends nothing more after a GOAWAY of its own.
        self.flush()
        body = struct.pack(">II", last_stream, code)
        self.frame(0x7, body)

    def frame(self, kind: int, body: bytes, stream: int = 0, flags: int = 0) -> None:
        """A frame of any type, known to h2 or not."""
        self.flush()
        self.transport.write(struct.pack(">I", len(body))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + body)


@asynccontextmanager
async def scripted(
    script: Callable[[Peer, int], None],
    on_headers: Callable[[Peer, int], None] = lambda peer, stream_id: None,
    *,
    tls: ssl.SSLContext | None = None,
    path: str | None = None,
) -> AsyncGenerator[tuple[str, list[Peer]], None]:
    """An HTTP/2 server over `script`, on a port or a Unix socket. Gives its endpoint and the connections it has had."""
    peers: list[Peer] = []
    loop = asyncio.get_running_loop()

    def make() -> Peer:
        return Peer(script, peers, on_headers)

    if path is not None:
        server = await loop.create_unix_server(make, path)
        endpoint = f"unix://{path}"
    else:
        server = await loop.create_server(make, "127.0.0.1", 0, ssl=tls)
        endpoint = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield endpoint, peers
    finally:
        server.close()
        for peer in peers:
            peer.transport.abort()
