"""Connect in cleartext to servers that answer nothing over HTTP/1.1, and calls of the wrong kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.calls.rpc import Cardinality, Rpc
from flyte_rpc.serving.server import RunningServer
from rpc.conftest import AT_ONCE
from support.connect_server import ConnectServer
from support.echo import Echo, EchoServer, Note
from support.peers import raw_server

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Front:
    """A server in front of another one. It counts the connections over HTTP/1.1, and the calls that came over them."""

    def __init__(self, backend: int, *, answers_options: bool) -> None:
        self.backend = backend
        self.answers_options = answers_options
        self.posts = 0
        self.probes = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65536)
        if not first.startswith(PREFACE):
            self.posts += first.startswith(b"POST")
            self.probes += first.startswith(b"OPTIONS")
            if self.answers_options and first.startswith(b"OPTIONS"):
                writer.write(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")
                return
            writer.transport.abort()
            return
        other, there = await asyncio.open_connection("127.0.0.1", self.backend)
        there.write(first)
        try:
            await asyncio.gather(copied(reader, there), copied(other, writer))
        finally:
            there.close()


async def copied(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)


@pytest.fixture
async def calls() -> list[CallRecord]:
    return []


@pytest.fixture
async def http2_only(server: RunningServer) -> AsyncGenerator[tuple[Front, str], None]:
    front = Front(server.port, answers_options=False)
    async with raw_server(front) as address:
        yield front, f"http://{address}"


class TestHttp2Only:
    @pytest.mark.parametrize("rpc", [Echo.SAY, Echo.WRITE], ids=["read", "write"])
    async def test_the_first_call_succeeds(
        self, http2_only: tuple[Front, str], echo: EchoServer, calls: list[CallRecord], rpc: Any
    ) -> None:
        front, endpoint = http2_only
        async with Client(endpoint, timeout=20, retry=AT_ONCE, transport="connect", on_call=calls.append) as client:
            for n in range(3):
                assert (await unary(client, rpc, Note(n=n))).n == n
        assert len(echo.calls) == len(calls) == 3
        assert (front.posts, front.probes) == (1, 1)

    async def test_many_first_calls_share_the_probe(self, http2_only: tuple[Front, str], echo: EchoServer) -> None:
        front, endpoint = http2_only
        async with Client(endpoint, timeout=20, transport="connect") as client:
            replies = await asyncio.gather(*(unary(client, Echo.WRITE, Note(n=n)) for n in range(10)))
        assert [reply.n for reply in replies] == list(range(10))
        assert len(echo.calls) == 10
        assert front.probes == 1

    async def test_a_first_stream(self, http2_only: tuple[Front, str]) -> None:
        async with Client(http2_only[1], timeout=20, transport="connect") as client:
            assert [note.n async for note in stream(client, Echo.COUNT, Note(to=3))] == [0, 1, 2]

    @pytest.mark.parametrize("rpc", [Echo.SAY, Echo.WRITE], ids=["read", "write"])
    async def test_a_go_server(self, connect_go: ConnectServer, rpc: Any) -> None:
        async with Client(connect_go.endpoints["http2"], timeout=20, retry=AT_ONCE, transport="connect") as client:
            assert (await unary(client, rpc, Note(n=1))).n == 1


class TestServersThatSpeakBoth:
    async def test_a_write_that_may_have_happened_is_not_sent_again(
        self, server: RunningServer, echo: EchoServer, calls: list[CallRecord]
    ) -> None:
        front = Front(server.port, answers_options=True)
        async with (
            raw_server(front) as address,
            Client(f"http://{address}", timeout=20, retry=AT_ONCE, transport="connect", on_call=calls.append) as client,
        ):
            with pytest.raises(errors.ConnectionLostError) as raised:
                await unary(client, Echo.WRITE, Note(n=1))
        assert not raised.value.unprocessed
        assert (len(calls), front.posts, echo.calls) == (1, 1, [])

    async def test_a_server_that_has_answered_is_not_probed(self) -> None:
        posts = 0
        heads: list[bytes] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal posts
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            posts += 1
            if posts == 1:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 2\r\n")
                writer.write(b"connection: close\r\n\r\n{}")
                await writer.drain()
                return
            writer.transport.abort()

        async with (
            raw_server(talk) as address,
            Client(f"http://{address}", timeout=20, retry=AT_ONCE, transport="connect") as client,
        ):
            await unary(client, Echo.WRITE, Note())
            with pytest.raises(errors.ConnectionLostError):
                await unary(client, Echo.WRITE, Note())
        assert all(head.startswith(b"POST") for head in heads)
        assert len(heads) == 2


class TestCallsOfTheWrongKind:
    @pytest.mark.parametrize("backend", ["connect-go", "ours"])
    @pytest.mark.parametrize("token", [None, "wrong token"])
    @pytest.mark.parametrize(
        ("rpc", "shown"),
        [
            (Echo.SAY, "does not stream, but was called as one that does"),
            (Echo.COUNT, "streams, but was called as one that does not"),
        ],
        ids=["unary", "stream"],
    )
    async def test_the_error_says_so(
        self,
        connect_go: ConnectServer,
        server: RunningServer,
        backend: str,
        token: str | None,
        rpc: Rpc[Note, Note],
        shown: str,
    ) -> None:
        endpoint = server.endpoint if backend == "ours" else connect_go.endpoints["both"]
        async with Client(endpoint, timeout=20, retry=AT_ONCE, transport="connect", token=token) as client:
            with pytest.raises(errors.UnimplementedError, match=shown) as raised:
                if rpc.cardinality is Cardinality.UNARY:
                    await anext(stream(client, rpc, Note(to=1)))
                else:
                    await unary(client, rpc, Note(to=1))
        assert raised.value.unprocessed
        assert "not a Connect server" not in str(raised.value) and "transport=" not in str(raised.value)

    async def test_another_refusal_of_the_type_is_not_blamed_on_the_kind(self) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 415 Unsupported Media Type\r\naccept-post: application/grpc\r\ncontent-length: 0\r\n\r\n"
            )
            await writer.drain()

        async with (
            raw_server(talk) as address,
            Client(f"http://{address}", timeout=20, retry=AT_ONCE, transport="connect") as client,
        ):
            with pytest.raises(errors.EndpointError, match="not a Connect server"):
                await unary(client, Echo.WRITE, Note())


async def test_a_server_that_closes_every_connection_at_once_is_not_asked_for_ever(calls: list[CallRecord]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with (
        raw_server(talk) as address,
        Client(f"http://{address}", timeout=20, retry=AT_ONCE, transport="connect", on_call=calls.append) as client,
    ):
        with pytest.raises((errors.EndpointError, errors.ConnectionLostError)):
            await unary(client, Echo.SAY, Note())
    assert len(calls) <= AT_ONCE.attempts
