"""More calls than one connection takes: how many connections a client opens, for what, and when it closes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import pytest
from h2.settings import SettingCodes

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.transports import connections
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from rpc.conftest import AT_ONCE
from support.echo import Echo, Note
from support.peers import Peer, scripted


class Limited:
    """A server that takes so many streams on a connection, answers unary calls at once, and keeps watches open."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.most = 0
        self.open: dict[Peer, set[int]] = {}

    def headers(self, peer: Peer, at: int) -> None:
        streams = self.open.setdefault(peer, set())
        streams.add(at)
        self.most = max(self.most, len(streams))

    def script(self, peer: Peer, at: int) -> None:
        if peer.headers[-1][":path"].endswith("Count"):
            peer.begin(at)
            peer.message(at, b'{"n": 1}')
            peer.flush()
            return
        peer.reply(at)
        self.open[peer].discard(at)


async def watch(client: Client) -> AsyncGenerator[Note, None]:
    replies = stream(client, Echo.COUNT, Note())
    await anext(replies)
    return replies


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Peer.connection_made

    def announcing(peer: Peer, transport: asyncio.BaseTransport) -> None:
        peer.h2.local_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 100
        peer.h2.local_settings.acknowledge()
        begin(peer, transport)

    monkeypatch.setattr(Peer, "connection_made", announcing)


@pytest.mark.usefixtures("announced")
async def test_a_thousand_watches_and_a_thousand_calls_at_once() -> None:
    server = Limited(100)
    async with (
        scripted(server.script, server.headers) as (endpoint, peers),
        Client(endpoint, timeout=60, retry=AT_ONCE) as client,
    ):
        watches = await asyncio.gather(*(watch(client) for _ in range(1000)))
        replies = await asyncio.gather(*(unary(client, Echo.WRITE, Note()) for _ in range(1000)))
        assert all(reply.ok == 1 for reply in replies)
        assert 10 <= len(peers) <= connections.MAX_CONNECTIONS
        assert server.most <= 100
        for replies_of_watch in watches:
            await replies_of_watch.aclose()


@pytest.mark.usefixtures("announced")
async def test_watches_leave_room_for_other_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    server = Limited(100)
    async with scripted(server.script, server.headers) as (endpoint, peers), Client(endpoint, timeout=20) as client:
        watches = [await watch(client) for _ in range(90)]
        with pytest.raises(errors.DeadlineExceededError, match="not sent"):
            await anext(stream(client, Echo.COUNT, Note(), timeout=0.05))
        assert (await unary(client, Echo.WRITE, Note())).ok == 1
        await watches.pop().aclose()
        watches.append(await watch(client))
        for replies in watches:
            await replies.aclose()
        assert len(peers) == 1


@pytest.mark.usefixtures("announced")
async def test_a_further_connection_is_closed_when_it_is_idle() -> None:
    server = Limited(100)

    def impatient(endpoint: Endpoint) -> GrpcTransport:
        return GrpcTransport(endpoint, idle_seconds=0.01)

    async with (
        scripted(server.script, server.headers) as (endpoint, peers),
        Client(endpoint, timeout=20, transport=impatient) as client,
    ):
        watches = [await watch(client) for _ in range(91)]
        assert len(peers) == 2
        await watches.pop().aclose()
        await peers[1].gone.wait()
        assert not peers[0].gone.is_set()
        watches.append(await watch(client))
        assert len(peers) == 3
        for replies in watches:
            await replies.aclose()


@pytest.mark.usefixtures("announced")
async def test_a_server_that_takes_no_further_connection_serves_on_the_one_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Limited(100)
    async with scripted(server.script, server.headers) as (endpoint, peers), Client(endpoint, timeout=20) as client:
        watches = [await watch(client) for _ in range(90)]

        def refuse(peer: Peer, transport: asyncio.BaseTransport) -> None:
            peer.transport = cast(asyncio.Transport, transport)
            peer.peers.append(peer)
            peer.transport.abort()

        monkeypatch.setattr(Peer, "connection_made", refuse)
        waiting = asyncio.ensure_future(watch(client))
        while len(peers) < 2:
            await asyncio.sleep(0)
        await watches.pop().aclose()
        watches.append(await waiting)
        for replies in watches:
            await replies.aclose()


async def test_a_server_that_ends_every_connection_is_not_called_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Peer.connection_made

    def ending(peer: Peer, transport: asyncio.BaseTransport) -> None:
        begin(peer, transport)
        peer.goaway()
        peer.flush()

    monkeypatch.setattr(Peer, "connection_made", ending)
    async with (
        scripted(lambda peer, at: peer.reply(at)) as (endpoint, peers),
        Client(endpoint, timeout=60, retry=AT_ONCE) as client,
    ):
        with pytest.raises(errors.ConnectionLostError, match="safe to repeat"):
            await unary(client, Echo.WRITE, Note())
        assert len(peers) <= 40
        with pytest.raises(errors.ConnectionLostError):
            await anext(stream(client, Echo.COUNT, Note()))
