"""Calls to a server that changes settings, windows and header tables at random while they run.

Every request and every reply is compared byte by byte with what was sent, and the server notes each frame that breaks a
rule. A seed chooses what the server does; the sockets choose how it meets the client.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing

import pytest

from flyte import errors
from flyte_rpc.transports import connections
from flyte_rpc.transports.connect.transport import ConnectTransport
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from flyte_rpc.transports.transport import Transport
from support.fuzzing_server import PROFILES, digest, fuzzing_server

SEEDS = range(2 * len(PROFILES))
CALLERS, CALLS = 12, 4
TIMEOUT = 30.0


def _request(chance: random.Random, body: bytes, **more: str) -> list[tuple[str, str]]:
    """Headers of which some are in the table, some enter it, and some exceed a frame."""
    sizes = (0, 1, 1, 1, 1, 1, 1, 30, 30, 400, 20_000)
    metadata = {f"x-{chance.randrange(3)}": "w" * chance.choice(sizes) for _ in range(chance.randrange(4))}
    metadata |= {f"x-{name}": value for name, value in more.items()}
    return [("x-request-id", digest(body, metadata)), *metadata.items()]


async def _unary(transport: Transport, chance: random.Random, body: bytes) -> None:
    if isinstance(transport, GrpcTransport) and chance.random() < 0.3:
        text = chance.choice(("no 1", "no 2", "no 3"))
        with pytest.raises(errors.NotFoundError) as raised:
            await transport.unary("/a.B/Unary", body, _request(chance, body, status="5", message=text), TIMEOUT)
        assert raised.value.message == text
        return
    assert await transport.unary("/a.B/Unary", body, _request(chance, body), TIMEOUT) == body[::-1]


async def _stream(transport: Transport, chance: random.Random, body: bytes) -> None:
    replies = transport.server_stream("/a.B/Stream", body, _request(chance, body), TIMEOUT)
    assert b"".join([reply async for reply in replies]) == body[::-1]


async def _left_early(transport: Transport, chance: random.Random, body: bytes) -> None:
    """A call that is cancelled while its request is on its way, or a stream that is closed in the middle."""
    metadata = _request(chance, body)
    if chance.random() < 0.5:
        task = asyncio.ensure_future(transport.unary("/a.B/Unary", body, metadata, TIMEOUT))
        for _ in range(chance.randrange(20)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return
    async with aclosing(transport.server_stream("/a.B/Stream", body, metadata, TIMEOUT)) as replies:
        async for _ in replies:
            if chance.random() < 0.3:
                break


async def _caller(transport: Transport, chance: random.Random) -> None:
    for _ in range(CALLS):
        body = chance.randbytes(chance.choice((0, 1, 100, 5000, 16_379, 70_000, 150_000)))
        await chance.choice((_unary, _unary, _stream, _left_early))(transport, chance, body)


@pytest.mark.parametrize("protocol", ["grpc", "connect"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_all_bytes_arrive(protocol: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1 if seed < len(PROFILES) else 16  # of connections
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", limit)
    async with fuzzing_server(seed) as (endpoint, peers, violations):
        at = parse_endpoint(endpoint)
        transport: Transport = GrpcTransport(at) if protocol == "grpc" else ConnectTransport(at, http="2")
        try:
            callers = [_caller(transport, random.Random(f"{seed}/{n}")) for n in range(CALLERS)]
            outcomes = await asyncio.gather(*callers, return_exceptions=True)
        finally:
            await transport.aclose()
        assert violations == []
        assert outcomes == [None] * CALLERS
        assert sum(peer.changes for peer in peers) > 10, "settings have changed often"
        assert len(peers) <= limit
