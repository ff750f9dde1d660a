"""Calls in which the client streams, over every transport. The servers are grpclib's and connect-go's."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Callable

import pytest
from h2.errors import ErrorCodes

from flyte import errors
from flyte_rpc.serving.server import RunningServer
from flyte_rpc.transports.choice import transport_factory
from flyte_rpc.transports.connect.transport import ConnectTransport
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.transport import StreamingCall, Transport
from support.connect_server import ConnectServer
from support.echo import Echo, Note
from support.peers import REPLY, Peer, scripted

SUM, CHAT = Echo.SUM.path, Echo.CHAT.path


def note(**fields: object) -> bytes:
    return bytes(Note(**fields))


async def replies(call: StreamingCall) -> list[int]:
    found: list[int] = []
    while (reply := await call.receive()) is not None:
        found.append(Note.parse(reply).n)
    return found


Open = Callable[[str, str], Transport]


@pytest.fixture
async def opening(trusting: ssl.SSLContext) -> AsyncGenerator[Open, None]:
    """Opens transports by name, and closes them."""
    opened: list[Transport] = []

    def open_transport(name: str, endpoint: str) -> Transport:
        where = parse_endpoint(endpoint)
        if name.startswith("connect-"):
            made: Transport = ConnectTransport(where, ssl_context=trusting, http=name.removeprefix("connect-"))  # type: ignore[arg-type]
        else:
            made = transport_factory(name, "tests", trusting)(where)  # type: ignore[arg-type]
        opened.append(made)
        return made

    yield open_transport
    for transport in opened:
        await transport.aclose()


# Which transports reach which ports of the connect-go server.
TWO_WAYS = [
    ("grpc", "both"),
    ("grpc", "tls"),
    ("grpclib", "both"),
    ("grpclib", "tls"),
    ("auto", "both"),
    ("auto", "http2"),
    ("connect", "both"),
    ("connect", "tls"),
    ("connect", "http2"),
    ("connect-2", "both"),
]
ONE_WAY = [*TWO_WAYS, ("connect", "http1"), ("connect", "tls_http1"), ("connect-1.1", "both"), ("auto", "http1")]


async def stats(opening: Open, server: ConnectServer, **fields: object) -> Note:
    """The counters of the server, once so many calls have hung (`n`) and were cancelled (`to`)."""
    asking = opening("connect", server.endpoints["both"])
    return Note.parse(await asking.unary("/test.Echo/Stats", note(**fields), [], 20))


class TestClientStreams:
    @pytest.mark.parametrize(("name", "port"), ONE_WAY)
    async def test_all_messages_arrive(self, opening: Open, connect_go: ConnectServer, name: str, port: str) -> None:
        transport = opening(name, connect_go.endpoints[port])
        for count in (0, 1, 50):
            async with transport.open(SUM, [], 20, bidirectional=False) as call:
                for n in range(count):
                    assert await call.send(note(n=n))
                await call.end()
                await call.end()
                reply = await call.receive()
                assert reply is not None
                assert Note.parse(reply).total == sum(range(count))
                assert await call.receive() is None

    @pytest.mark.parametrize(("name", "port"), ONE_WAY)
    async def test_more_than_any_window_holds(
        self, opening: Open, connect_go: ConnectServer, name: str, port: str
    ) -> None:
        message = note(n=1, big="x" * 300_000)
        async with opening(name, connect_go.endpoints[port]).open(SUM, [], 60, bidirectional=False) as call:
            for _ in range(20):
                assert await call.send(message)
            await call.end()
            assert Note.parse(await call.receive() or b"").total == 20

    @pytest.mark.parametrize(("name", "port"), ONE_WAY)
    async def test_a_server_that_refuses_early_ends_the_sending(
        self, opening: Open, connect_go: ConnectServer, name: str, port: str
    ) -> None:
        async with opening(name, connect_go.endpoints[port]).open(SUM, [], 20, bidirectional=False) as call:
            assert await call.send(note(status=8, message="enough"))
            big = note(big="x" * 1_000_000)
            while await call.send(big):
                await asyncio.sleep(0)
            with pytest.raises(errors.ResourceExhaustedError, match="enough"):
                await call.receive()

    async def test_nothing_is_sent_after_the_end(self, opening: Open, connect_go: ConnectServer) -> None:
        for name in ("grpc", "grpclib", "connect"):
            async with opening(name, connect_go.endpoints["both"]).open(SUM, [], 20, bidirectional=False) as call:
                await call.end()
                with pytest.raises(RuntimeError, match=r"after end\(\)"):
                    await call.send(note(n=1))


class TestBothWays:
    @pytest.mark.parametrize(("name", "port"), TWO_WAYS)
    async def test_messages_and_replies_take_turns(
        self, opening: Open, connect_go: ConnectServer, name: str, port: str
    ) -> None:
        async with opening(name, connect_go.endpoints[port]).open(CHAT, [], 20) as call:
            for n in range(20):
                assert await call.send(note(n=n))
                assert Note.parse(await call.receive() or b"").n == 2 * n
            await call.end()
            assert await call.receive() is None

    @pytest.mark.parametrize(("name", "port"), TWO_WAYS)
    async def test_sending_and_receiving_at_once(
        self, opening: Open, connect_go: ConnectServer, name: str, port: str
    ) -> None:
        """4 MB each way: neither side may wait for the other to have finished."""
        big = "x" * 100_000

        async def send(call: StreamingCall) -> None:
            for n in range(40):
                assert await call.send(note(n=n, big=big))
            await call.end()

        async with opening(name, connect_go.endpoints[port]).open(CHAT, [], 60) as call:
            _, received = await asyncio.gather(send(call), replies(call))
            assert received == [2 * n for n in range(40)]

    @pytest.mark.parametrize(("name", "port"), TWO_WAYS)
    async def test_a_sender_waits_for_the_server(
        self, opening: Open, connect_go: ConnectServer, name: str, port: str
    ) -> None:
        """The server sends what it receives and is not read, so both ways fill up."""
        sent, big = 0, os.urandom(50_000).hex()  # random, because the server compresses

        async def send(call: StreamingCall) -> None:
            nonlocal sent
            while await call.send(note(n=1, big=big)):
                sent += 1

        async with opening(name, connect_go.endpoints[port]).open(CHAT, [], 60) as call:
            sending = asyncio.ensure_future(send(call))
            seen = -1
            while seen != sent:
                seen = sent
                done, _ = await asyncio.wait([sending], timeout=0.3)
                assert not done
            assert 0 < sent < 300, "about 30 MB are not on their way"
            for _ in range(sent):
                assert await call.receive() is not None
            sending.cancel()

    @pytest.mark.parametrize(("name", "port"), TWO_WAYS)
    async def test_replies_before_an_error_are_received(
        self, opening: Open, connect_go: ConnectServer, name: str, port: str
    ) -> None:
        async with opening(name, connect_go.endpoints[port]).open(CHAT, [], 20) as call:
            assert await call.send(note(n=1))
            assert await call.send(note(status=5, message="no such note"))
            assert Note.parse(await call.receive() or b"").n == 2
            with pytest.raises(errors.NotFoundError, match="no such note"):
                await call.receive()
            assert not await call.send(note(n=2))

    @pytest.mark.parametrize(("name", "port"), TWO_WAYS)
    async def test_leaving_the_block_cancels_the_call(
        self, opening: Open, connect_go: ConnectServer, name: str, port: str
    ) -> None:
        async with opening(name, connect_go.endpoints[port]).open(CHAT, [], 20) as call:
            await call.send(note(hang=True))
            await stats(opening, connect_go, n=1)
        await stats(opening, connect_go, to=1)

    @pytest.mark.parametrize(("name", "port"), TWO_WAYS)
    async def test_the_deadline_ends_the_call(
        self, opening: Open, connect_go: ConnectServer, name: str, port: str
    ) -> None:
        async with opening(name, connect_go.endpoints[port]).open(CHAT, [], 0.2) as call:
            await call.send(note(hang=True))
            with pytest.raises(errors.DeadlineExceededError):
                await call.receive()
            assert not await call.send(note(n=1, big="x" * 30_000_000))

    @pytest.mark.parametrize(("name", "port"), [("connect", "http1"), ("connect", "tls_http1"), ("auto", "http1")])
    async def test_http1_cannot(self, opening: Open, connect_go: ConnectServer, name: str, port: str) -> None:
        transport = opening(name, connect_go.endpoints[port])
        with pytest.raises(errors.UnimplementedError, match="cannot carry a call that streams both ways") as raised:
            async with transport.open(CHAT, [], 20):
                pass
        assert raised.value.unprocessed

    async def test_over_our_own_server(self, opening: Open, server: RunningServer) -> None:
        for name in ("grpc", "grpclib", "auto"):
            async with opening(name, server.endpoint).open(CHAT, [], 20) as call:
                for n in range(3):
                    await call.send(note(n=n))
                await call.end()
                assert await replies(call) == [0, 2, 4]


class TestConnectionsThatBreak:
    @pytest.mark.parametrize("name", ["grpc", "grpclib"])
    async def test_in_the_middle(self, opening: Open, name: str) -> None:
        def begin(peer: Peer, at: int) -> None:
            peer.begin(at)
            peer.message(at, note(n=1))

        async with (
            scripted(lambda peer, at: None, on_headers=begin) as (endpoint, peers),
            opening(name, endpoint).open(CHAT, [], 20) as call,
        ):
            assert Note.parse(await call.receive() or b"").n == 1
            peers[0].transport.close()
            with pytest.raises(errors.ConnectionLostError):
                await call.receive()
            assert not await call.send(note(n=1))
            await call.end()

    @pytest.mark.parametrize("name", ["grpc", "grpclib"])
    async def test_a_server_that_answers_without_reading_on(self, opening: Open, name: str) -> None:
        def refuse(peer: Peer, at: int) -> None:
            peer.auto_window = False
            peer.begin(at, (*REPLY, ("grpc-status", "8"), ("grpc-message", "too large")), end=True)
            peer.reset(at, ErrorCodes.NO_ERROR)

        async with (
            scripted(lambda peer, at: None, on_headers=refuse) as (endpoint, _),
            opening(name, endpoint).open(SUM, [], 20) as call,
        ):
            while await call.send(note(big="x" * 1_000_000)):
                await asyncio.sleep(0)
            with pytest.raises(errors.ResourceExhaustedError, match="too large"):
                await call.receive()

    async def test_nothing_listens(self, opening: Open) -> None:
        for name in ("grpc", "grpclib", "connect", "auto"):
            with pytest.raises(errors.EndpointError) as raised:
                async with opening(name, "http://127.0.0.1:1").open(CHAT, [], 20):
                    pass
            assert raised.value.unprocessed
