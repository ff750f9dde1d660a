"""A forwarder that reads HTTP/1.1 and cuts one request at a chosen stage, once. Later connections go through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from .faults import Stage

HTTP1_STAGES = [stage for stage in Stage if stage not in (Stage.BEFORE_CONNECT, Stage.HANDSHAKE, Stage.TRAILERS)]


class _Cut(Exception):
    """The stage is reached."""


class Http1FaultProxy:
    """Forwards to a server on loopback until `arm` says what is to break."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.fired = 0
        """How often something was broken; 1 in the end."""
        self._stage: Stage | None = None
        self._path = ""
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, stage: Stage, path: str) -> None:
        """Break something once.

        Args:
            stage: When. At the stage of connecting, idle connections are dropped.
            path: How the path of the request begins.
        """
        self._stage, self._path = stage, path
        if stage is Stage.AFTER_CONNECT:
            for writer in self._open:
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        up: asyncio.StreamWriter | None = None
        try:
            if self._stage is Stage.AFTER_CONNECT:
                self._break()
            up_reader, up = await asyncio.open_connection("127.0.0.1", self.target)
            while True:
                await self._exchange(reader, up, up_reader, writer)
        except (_Cut, asyncio.CancelledError, asyncio.IncompleteReadError, OSError):
            pass  # broken on purpose, or one side has gone
        finally:
            self._open.discard(writer)
            for each in (writer, up):
                if each is not None:
                    each.close()

    async def close(self) -> None:
        """Drop all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        up: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Forward a request and its reply."""
        head = await reader.readuntil(b"\r\n\r\n")
        breaks = head.split(b" ", 2)[1].decode().startswith(self._path)
        up.write(head)
        await self._reach(Stage.REQUEST_HEADERS, breaks, up)
        body = await reader.readexactly(int(_field(head, b"content-length") or 0))
        up.write(body[: len(body) // 2])
        await self._reach(Stage.REQUEST_BODY, breaks, up)
        up.write(body[len(body) // 2 :])
        head = await up_reader.readuntil(b"\r\n\r\n")
        await self._reach(Stage.REQUEST, breaks, writer)
        writer.write(head)
        await self._reach(Stage.REPLY_HEADERS, breaks, writer)
        async for part in _body(head, up_reader):
            writer.write(part[: len(part) // 2])
            await self._reach(Stage.REPLY_BODY, breaks, writer)
            writer.write(part[len(part) // 2 :])
            await writer.drain()
        await self._reach(Stage.REPLY, breaks, writer)

    async def _reach(self, stage: Stage, breaks: bool, writer: asyncio.StreamWriter) -> None:
        """Break the connection if this is the stage, as soon as the kernel has what was written."""
        if breaks and self._stage is stage:
            writer.transport.set_write_buffer_limits(0)
            await writer.drain()
            self._break()

    def _break(self) -> None:
        self._stage = None
        self.fired += 1
        raise _Cut


def _field(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""


async def _body(head: bytes, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The body of a reply as it is sent: whole, or in its chunks."""
    if _field(head, b"transfer-encoding").lower() != b"chunked":
        size = int(_field(head, b"content-length") or 0)
        if size:
            yield await reader.readexactly(size)
        return
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        yield line + await reader.readexactly(size + 2)
        if not size:
            return


@asynccontextmanager
async def http1_fault_proxy(port: int) -> AsyncGenerator[Http1FaultProxy, None]:
    """A forwarder in front of a port."""
    proxy = Http1FaultProxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = int(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
