"""The client against the C core of gRPC with limits that operators set: streams, ages of connections, pings, compression."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.transports import framing
from flyte_rpc.transports.endpoint import Endpoint, parse_endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from flyte_rpc.transports.http2.keepalive import Keepalive
from rpc.conftest import AT_ONCE
from support.echo import Echo, Note
from support.grpcio_server import grpcio_server

from .conftest import stats


async def test_two_hundred_calls_where_ten_are_allowed(transport: Any) -> None:
    with grpcio_server({"grpc.max_concurrent_streams": 10}) as server:
        async with Client(server.endpoint, timeout=60, transport=transport) as client:
            # Reads: the server counts a stream for a little longer than its client, and may refuse the next one.
            replies = await asyncio.gather(*(unary(client, Echo.SAY, Note(write=n)) for n in range(200)))
            assert [reply.write for reply in replies] == list(range(200))
        seen = await stats(server)
        assert set(seen.writes.values()) == {1} and len(seen.writes) == 200
        assert seen.counts["most"] <= 10


async def test_tls(transport: Any, certificate: Path, trusting: ssl.SSLContext) -> None:
    with grpcio_server(certificate=certificate) as server:
        async with Client(server.endpoint, timeout=20, transport=transport, ssl_context=trusting) as client:
            big = "x" * 3_000_000
            assert (await unary(client, Echo.WRITE, Note(big=big))).big == big
            assert [note.n async for note in stream(client, Echo.COUNT, Note(to=100))] == list(range(100))


@pytest.mark.parametrize("age", [40, 200])
async def test_connections_of_limited_age_lose_no_call(transport: Any, age: int) -> None:
    """The server ends its connections with GOAWAY again and again, while 1,000 writes go over them."""
    if transport == "grpclib":
        pytest.skip("h2 takes no frames after a GOAWAY, so the calls in flight are lost")
    with grpcio_server({"grpc.max_connection_age_ms": age, "grpc.max_connection_age_grace_ms": 20_000}) as server:
        async with Client(server.endpoint, timeout=60, retry=AT_ONCE, transport=transport) as client:
            connections, written, failures = 0, 0, list[BaseException]()
            numbers = iter(range(100_000))

            async def write() -> None:
                nonlocal written
                while written < 1000 or connections < 5:
                    n = next(numbers)
                    try:
                        assert (await unary(client, Echo.WRITE, Note(write=n))).write == n
                    except Exception as error:
                        failures.append(error)
                    written += 1

            writers = [asyncio.ensure_future(write()) for _ in range(20)]
            while connections < 5:
                connections = (await stats(server)).counts.get("connections", 0)
            await asyncio.gather(*writers)
        assert failures == []
        seen = await stats(server)
        assert written >= 1000 and len(seen.writes) == written
        assert set(seen.writes.values()) == {1}, "each was carried out once"


async def test_the_server_does_not_mind_the_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default, the C core closes a connection for the third ping in five minutes without a reply in between.

    The intervals of the client are shortened, but not the one that servers prescribe.
    """
    answers = asyncio.Semaphore(0)
    answered = Keepalive.answered

    def counting(keepalive: Keepalive) -> None:
        answered(keepalive)
        answers.release()

    monkeypatch.setattr(Keepalive, "answered", counting)
    transports: list[GrpcTransport] = []

    def impatient(endpoint: Endpoint) -> GrpcTransport:
        transports.append(GrpcTransport(endpoint, ping_interval=0.05, ping_timeout=10))
        return transports[-1]

    with grpcio_server() as server:
        async with Client(server.endpoint, timeout=60, transport=impatient) as client, asyncio.timeout(30):
            replies = stream(client, Echo.COUNT, Note(to=1, hang=True))
            await anext(replies)
            for n in range(4):
                for _ in range(2):  # after each reply, the client may ping twice
                    await answers.acquire()
                with pytest.raises(TimeoutError):  # and not a third time
                    await asyncio.wait_for(answers.acquire(), 0.2)
                assert (await unary(client, Echo.SAY, Note(n=n))).n == n
            assert (await stats(server)).counts["connections"] == 1, "the server has not closed the connection"
            assert [transport.pings.interval for transport in transports] == [0.05], "nor asked for fewer pings"
            await replies.aclose()


@pytest.mark.parametrize("accepts", [[], [("grpc-accept-encoding", "identity,gzip")]], ids=["unasked", "asked"])
async def test_compressed_replies(monkeypatch: pytest.MonkeyPatch, accepts: list[tuple[str, str]]) -> None:
    sizes: list[int] = []
    gunzip = framing.gunzip

    def counting(data: bytes, limit: int) -> bytes:
        sizes.append(len(data))
        return gunzip(data, limit)

    monkeypatch.setattr(framing, "gunzip", counting)
    with grpcio_server(compression="gzip") as server:
        transport = GrpcTransport(parse_endpoint(server.endpoint))
        reply = await transport.unary(Echo.SAY.path, b'{"size": 1000000}', accepts, 20)
        assert json.loads(reply) == {"size": 1_000_000, "big": "x" * 1_000_000}
        assert len(sizes) == 1 and sizes[0] < 100_000
        items = transport.server_stream(Echo.COUNT.path, b'{"to": 100, "size": 1000}', accepts, 20)
        assert [json.loads(item) async for item in items] == [{"n": n, "big": "x" * 1000} for n in range(100)]
        assert len(sizes) == 101
        await transport.aclose()
