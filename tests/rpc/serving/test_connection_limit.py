"""Connections that nobody uses: they end when others need their place, or when nothing ever comes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.connections import default_limit
from flyte_rpc.serving.server import RunningServer, serve
from support.echo import Echo, EchoServer, Note

LIMIT = 6


@pytest.fixture
def echo() -> EchoServer:
    return EchoServer()


@pytest.fixture
async def server(echo: EchoServer) -> AsyncIterator[RunningServer]:
    async with await serve([echo], max_connections=LIMIT) as running:
        yield running


async def silent(server: RunningServer, count: int) -> list[asyncio.StreamReader]:
    """Open connections that send nothing."""
    readers: list[asyncio.StreamReader] = []
    for _ in range(count):
        reader, _ = await asyncio.open_connection(server.host, server.port)
        readers.append(reader)
    return readers


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    except ConnectionResetError:
        return True


async def test_a_new_connection_takes_the_place_of_one_without_a_request(server: RunningServer) -> None:
    readers = await silent(server, 3 * LIMIT)
    async with Client(server.endpoint, timeout=10) as client:
        assert (await unary(client, Echo.SAY, Note(text="here"))).text == "here"
        assert all([await closed(reader) for reader in readers[: 2 * LIMIT]])
        assert len(server.connections) <= LIMIT


async def test_connections_with_requests_stay(echo: EchoServer, server: RunningServer) -> None:
    body = b'{"hang": true}'
    head = f"POST /test.Echo/Say HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\nContent-Length: {len(body)}\r\n\r\n"
    readers: list[asyncio.StreamReader] = []
    writers: list[asyncio.StreamWriter] = []
    for _ in range(LIMIT):
        echo.entered.clear()
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(head.encode() + body)
        readers.append(reader)  # a connection ends with its reader
        writers.append(writer)
        await asyncio.wait_for(echo.entered.wait(), 10)
    (late,) = await silent(server, 1)
    assert await closed(late)
    assert len(server.connections) == LIMIT
    writers[0].close()
    await asyncio.wait_for(echo.cancelled.wait(), 10)
    async with Client(server.endpoint, timeout=10, transport="connect") as client:
        assert (await unary(client, Echo.SAY, Note(text="again"))).text == "again"
    for writer in writers:
        writer.close()


async def test_a_connection_without_its_first_bytes_is_closed() -> None:
    async with await serve([EchoServer()], patience=0.05) as running:
        (reader,) = await silent(running, 1)
        assert await closed(reader)
        reader, writer = await asyncio.open_connection(running.host, running.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


def test_the_default_is_half_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    for allowed, limit in ((1024, 512), (1, 1), (1 << 20, 10_000), (resource.RLIM_INFINITY, 10_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, allowed=allowed: (allowed, allowed))
        assert default_limit() == limit
    monkeypatch.setitem(sys.modules, "resource", None)
    assert default_limit() == 10_000
