"""A forwarder that reads HTTP/2 frames and cuts one call at a chosen stage, once. Later connections go through."""

from __future__ import annotations

import asyncio
import enum
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from hpack import Decoder

_DATA, _HEADERS = 0, 1
_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 1, 4, 8, 32
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DOWN_SECONDS = 0.2
"""How long nothing listens."""


class Stage(enum.Enum):
    """When the connection breaks. The first three break the next connection, the others a call."""

    BEFORE_CONNECT = "before connect"
    """Nothing listens for a fifth of a second."""
    AFTER_CONNECT = "after connect"
    HANDSHAKE = "in the handshake"
    """In the middle of the settings of the server."""
    REQUEST_HEADERS = "after the request headers"
    REQUEST_BODY = "in the middle of the request body"
    REQUEST = "after the request"
    """The server has received the whole request and begins to reply; the client receives nothing of the reply."""
    REPLY_HEADERS = "after the reply headers"
    REPLY_BODY = "in the middle of the reply"
    TRAILERS = "before the trailers"
    REPLY = "after the reply"


CONNECTING = (Stage.BEFORE_CONNECT, Stage.AFTER_CONNECT, Stage.HANDSHAKE)
SENDING = (Stage.REQUEST_HEADERS, Stage.REQUEST_BODY)
ANSWERED = (Stage.REQUEST, Stage.REPLY_HEADERS, Stage.REPLY_BODY, Stage.TRAILERS)


class FaultProxy:
    """Forwards to a server on loopback until `arm` says what is to break."""

    def __init__(self, target: str) -> None:
        where = urlsplit(target)
        self._target = (where.hostname, where.port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._stage: Stage | None = None
        self._path = ""
        self._skip = 0
        self.fired = 0
        """How often something was broken; 1 in the end."""

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    async def listen(self) -> None:
        """Accept connections, on the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, and drop all connections."""
        if self._server is not None:
            self._server.close()
        self._drop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def arm(self, stage: Stage, path: str, *, skip: int = 0) -> None:
        """Break something once.

        Args:
            stage: When. Stages of connecting drop the connections that are open.
            path: The method whose call breaks.
            skip: How many calls of the method go through before.
        """
        self._stage, self._path, self._skip = stage, path, skip
        if stage in CONNECTING:
            self._drop()
        if stage is Stage.BEFORE_CONNECT:
            assert self._server is not None
            self._server.close()
            self._fire()
            task = asyncio.ensure_future(self._listen_again())
            self._tasks.add(task)

    async def _listen_again(self) -> None:
        await asyncio.sleep(_DOWN_SECONDS)
        await self.listen()

    def is_at(self, stage: Stage) -> bool:
        """Whether this is the stage to break at."""
        return self._stage is stage

    def takes(self) -> bool:
        """Whether the call of the method that begins now is the one to break."""
        if self._stage is None or self._stage in CONNECTING:
            return False
        self._skip -= 1
        return self._skip == -1

    def _fire(self) -> None:
        self._stage = None
        self.fired += 1
        self._drop()

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        if self.is_at(Stage.AFTER_CONNECT):
            self._fire()
            return
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        self._writers.add(up_writer)
        call = _WatchedCall(self)
        done = await asyncio.gather(
            self._pump_requests(reader, up_writer, call),
            self._pump_replies(up_reader, writer, call),
            return_exceptions=True,
        )
        unexpected = [
            error for error in done if error and not isinstance(error, (OSError, asyncio.IncompleteReadError))
        ]
        if unexpected:
            raise unexpected[0]

    async def _pump_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, call: _WatchedCall
    ) -> None:
        try:
            writer.write(await reader.readexactly(len(_PREFACE)))
            while True:
                kind, flags, stream, frame = await _read_frame(reader)
                if kind == _HEADERS:
                    call.sees(flags, stream, frame[9:], self._path)
                mine = stream == call.stream
                if mine and kind == _DATA and self.is_at(Stage.REQUEST_BODY):
                    writer.write(frame[: 9 + (len(frame) - 9) // 2])
                    await self._break_after(writer)
                    return
                writer.write(frame)
                if mine and kind == _HEADERS and self.is_at(Stage.REQUEST_HEADERS):
                    await self._break_after(writer)
                    return
                await writer.drain()
        finally:
            writer.close()

    async def _pump_replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, call: _WatchedCall
    ) -> None:
        try:
            if self.is_at(Stage.HANDSHAKE):
                writer.write((await reader.readexactly(9))[:5])
                await self._break_after(writer)
                return
            while True:
                kind, flags, stream, frame = await _read_frame(reader)
                if stream == call.stream and kind in (_DATA, _HEADERS):
                    begins, ends = not call.answered, bool(flags & _END_STREAM)
                    call.answered = True
                    if begins and self.is_at(Stage.REQUEST):
                        self._fire()
                        return
                    if kind == _HEADERS and ends and not begins and self.is_at(Stage.TRAILERS):
                        await self._break_after(writer)
                        return
                    if kind == _DATA and self.is_at(Stage.REPLY_BODY):
                        writer.write(frame[: 9 + (len(frame) - 9) // 2])
                        await self._break_after(writer)
                        return
                    writer.write(frame)
                    if (begins and self.is_at(Stage.REPLY_HEADERS)) or (ends and self.is_at(Stage.REPLY)):
                        await self._break_after(writer)
                        return
                else:
                    writer.write(frame)
                await writer.drain()
        finally:
            writer.close()

    async def _break_after(self, writer: asyncio.StreamWriter) -> None:
        """Break the connections as soon as the kernel has all that was written."""
        writer.transport.set_write_buffer_limits(0)
        await writer.drain()
        self._stage = None
        self.fired += 1
        # An orderly end, because a reset could overtake what was written before it.
        for each in self._writers:
            each.close()
        self._writers.clear()


class _WatchedCall:
    """Which stream of a connection is the call that breaks."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._decoder = Decoder()
        self.stream = 0
        self.answered = False

    def sees(self, flags: int, stream: int, block: bytes, path: str) -> None:
        """Look at the headers of a request."""
        assert flags & _END_HEADERS and not flags & (_PADDED | _PRIORITY), (
            "the client writes header blocks in this form"
        )
        headers = dict(self._decoder.decode(block))
        if headers.get(":path") == path and self._proxy.takes():
            self.stream, self.answered = stream, False


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    """Type, flags, stream, and all bytes of a frame."""
    head = await reader.readexactly(9)
    high, low, kind, flags, stream = struct.unpack(">HBBBL", head)
    return kind, flags, stream, head + await reader.readexactly(high << 8 | low)


@asynccontextmanager
async def fault_proxy(target: str) -> AsyncGenerator[FaultProxy, None]:
    """A forwarder in front of `target`."""
    proxy = FaultProxy(target)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
