"""An HTTP/2 client that sends whatever it is told to, for tests of what the server makes of it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived


class Answer(NamedTuple):
    headers: dict[str, str]
    data: bytes
    trailers: dict[str, str]

    @property
    def status(self) -> int:
        """The gRPC status, in trailers or, in an answer without data, in headers."""
        return int((self.headers | self.trailers)["grpc-status"])

    @property
    def message(self) -> str:
        return (self.headers | self.trailers).get("grpc-message", "")


def message(data: bytes, *, size: int | None = None, flag: int = 0) -> bytes:
    """Data with a gRPC prefix, a true one unless told otherwise."""
    return struct.pack(">BI", flag, len(data) if size is None else size) + data


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def begin(self, path: str, **headers: str) -> int:
        stream = self.h2.get_next_available_stream_id()
        sent = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x"}
        sent |= {"te": "trailers", "content-type": "application/grpc"} | headers
        self.h2.send_headers(stream, [(name, value) for name, value in sent.items() if value])
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.h2.send_data(stream, data, end_stream=end)
        self.flush()

    def reset(self, stream: int) -> None:
        self.h2.reset_stream(stream, 8)
        self.flush()

    async def answer(self, stream: int) -> Answer:
        """What the server says until the stream ends."""
        headers: dict[str, str] = {}
        trailers: dict[str, str] = {}
        data = b""
        while received := await self.reader.read(65_536):
            for event in self.h2.receive_data(received):
                match event:
                    case ResponseReceived(stream_id=at) if at == stream:
                        headers = dict(event.headers)  # type: ignore[arg-type]
                    case DataReceived(stream_id=at) if at == stream:
                        data += event.data
                    case TrailersReceived(stream_id=at) if at == stream:
                        trailers = dict(event.headers)  # type: ignore[arg-type]
                    case StreamEnded(stream_id=at) | StreamReset(stream_id=at) if at == stream:
                        self.flush()
                        return Answer(headers, data, trailers)
                    case _:
                        pass
            self.flush()
        raise ConnectionError("the server closed the connection")

    async def call(self, path: str, *parts: bytes, **headers: str) -> Answer:
        stream = self.begin(path, **headers)
        for part in parts:
            self.send(stream, part)
        self.send(stream, b"", end=True)
        return await self.answer(stream)


@asynccontextmanager
async def raw_client(port: int) -> AsyncGenerator[RawClient, None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()
