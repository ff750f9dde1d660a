"""Connections that end, quietly or not, and what becomes of the calls on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from h2.errors import ErrorCodes
from h2.events import Event, PingReceived

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from flyte_rpc.transports.http2 import keepalive
from rpc.conftest import AT_ONCE
from support.echo import Echo, Note
from support.peers import Peer, raw_server, scripted, silent


async def test_a_graceful_goaway_lets_calls_finish_and_moves_later_ones() -> None:
    def script(peer: Peer, at: int) -> None:
        peer.begin(at)
        peer.goaway()
        peer.message(at, b'{"ok": 1}')
        peer.end(at)

    async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
        for _ in range(3):
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
        assert len(peers) == 3
        for peer in peers:
            await peer.gone.wait()  # a connection that has drained is closed


async def test_a_whole_reply_counts_even_if_the_connection_goes_with_it() -> None:
    def script(peer: Peer, at: int) -> None:
        peer.reply(at)
        peer.goaway(code=ErrorCodes.INTERNAL_ERROR)
        peer.transport.close()

    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
        assert (await unary(client, Echo.WRITE, Note())).ok == 1


@pytest.mark.parametrize("refusals", [1, 9])
async def test_a_call_after_the_last_stream_of_a_goaway_is_sent_again_even_a_write(refusals: int) -> None:
    """More often than there are attempts: a server that limits the requests of a connection refuses many at once."""

    def script(peer: Peer, at: int) -> None:
        if len(peers) > refusals:
            peer.reply(at)
        else:
            peer.goaway(last_stream=0)

    calls: list[CallRecord] = []
    async with (
        scripted(script) as (endpoint, peers),
        Client(endpoint, timeout=20, retry=AT_ONCE, on_call=calls.append) as client,
    ):
        assert (await unary(client, Echo.WRITE, Note())).ok == 1
        assert len(peers) == len(calls) == refusals + 1


async def test_a_server_that_refuses_every_call_is_an_error_in_the_end() -> None:
    async with (
        scripted(lambda peer, at: peer.goaway(last_stream=0)) as (endpoint, _),
        Client(endpoint, timeout=20, retry=AT_ONCE) as client,
    ):
        with pytest.raises(errors.ConnectionLostError, match="safe to repeat"):
            await unary(client, Echo.WRITE, Note())


@pytest.mark.parametrize(
    ("breaks", "shown"),
    [
        (
            lambda peer, at: peer.reset(at, ErrorCodes.INTERNAL_ERROR),
            "the server reset the stream (INTERNAL_ERROR)",
        ),
        (
            # HAProxy says so when its connection to the server breaks after it has forwarded the request.
            lambda peer, at: peer.reset(at, ErrorCodes.REFUSED_STREAM),
            "the server reset the stream (REFUSED_STREAM)",
        ),
        (
            lambda peer, at: peer.goaway(code=ErrorCodes.ENHANCE_YOUR_CALM),
            "closed the connection with ENHANCE_YOUR_CALM",
        ),
        (lambda peer, at: peer.transport.close(), "the server closed the connection"),
        (lambda peer, at: peer.frame(0x0, b"x", stream=0), "Protocol error"),
    ],
)
async def test_a_write_is_not_repeated_and_a_read_is(breaks: Callable[[Peer, int], None], shown: str) -> None:
    broken: list[Peer] = []

    def script(peer: Peer, at: int) -> None:
        if len(broken) < 2:
            broken.append(peer)
            breaks(peer, at)
        else:
            peer.reply(at)

    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20, retry=AT_ONCE) as client:
        with pytest.raises(errors.ConnectionLostError) as raised:
            await unary(client, Echo.WRITE, Note())
        assert shown in str(raised.value)
        assert (raised.value.attempts, raised.value.unprocessed) == (1, False)
        assert len(broken) == 1
        assert (await unary(client, Echo.SAY, Note())).ok == 1
        assert len(broken) == 2


async def test_the_first_refusal_of_a_read_does_not_count_as_an_attempt() -> None:
    refused: list[int] = []

    def script(peer: Peer, at: int) -> None:
        refused.append(at)
        peer.reset(at, ErrorCodes.REFUSED_STREAM)

    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20, retry=AT_ONCE) as client:
        with pytest.raises(errors.ConnectionLostError, match="REFUSED_STREAM"):
            await unary(client, Echo.SAY, Note())
        assert len(refused) == AT_ONCE.attempts + 1


async def test_a_stream_delivers_what_came_before_it_broke() -> None:
    def script(peer: Peer, at: int) -> None:
        peer.begin(at)
        for n in range(3):
            peer.message(at, b'{"n": %d}' % n)
        peer.flush()
        peer.transport.close()

    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
        seen = []
        with pytest.raises(errors.ConnectionLostError):
            async for note in stream(client, Echo.COUNT, Note()):
                seen.append(note.n)
        assert seen == [0, 1, 2]


async def test_a_lost_connection_leaves_timeouts_around_the_call_working() -> None:
    """A transport that wakes calls by cancelling their task leaves the task marked as cancelled."""
    async with (
        scripted(lambda peer, at: peer.transport.close()) as (endpoint, _),
        Client(endpoint, timeout=20) as client,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                with pytest.raises(errors.ConnectionLostError):
                    await unary(client, Echo.WRITE, Note())
                await asyncio.Event().wait()
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0


async def test_a_connection_that_was_silent_until_the_deadline_is_not_used_again() -> None:
    def script(peer: Peer, at: int) -> None:
        if len(peers) > 1:
            peer.reply(at)

    async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
        with pytest.raises(errors.DeadlineExceededError, match=r"no reply after 0\.\d+ s"):
            await unary(client, Echo.SAY, Note(), timeout=0.5)
        assert (await unary(client, Echo.SAY, Note())).ok == 1


async def test_an_unanswered_ping_ends_the_connection() -> None:
    async def settings_and_silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\0\0\0\4\0\0\0\0\0")
        await reader.read(-1)

    async with raw_server(settings_and_silence) as address:
        endpoint = parse_endpoint(f"http://{address}")
        transport = GrpcTransport(endpoint, ping_interval=0.01, ping_timeout=0.01)
        with pytest.raises(errors.ConnectionLostError, match=r"not answered a ping for 0\.01 s"):
            await transport.unary("/a.B/C", b"", [], 20)


async def test_answered_pings_keep_a_quiet_stream_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "SPARING_INTERVAL", 0.01)
    pings = asyncio.Event()

    def script(peer: Peer, at: int) -> None:
        receive = peer.h2.receive_data
        seen = 0

        def counting(data: bytes) -> list[Event]:
            nonlocal seen
            found = receive(data)
            seen += sum(isinstance(event, PingReceived) for event in found)
            if seen >= 5:
                pings.set()
            return found

        peer.h2.receive_data = counting  # type: ignore[method-assign]

    async with scripted(script) as (endpoint, _):
        transport = GrpcTransport(parse_endpoint(endpoint), ping_interval=0.005, ping_timeout=20)
        replies = transport.server_stream("/a.B/C", b"", [], None)
        waiting = asyncio.ensure_future(anext(replies))
        await pings.wait()
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        await transport.aclose()


async def test_a_server_that_feels_pinged_too_often_is_pinged_less() -> None:
    async with scripted(lambda peer, at: peer.goaway(code=ErrorCodes.ENHANCE_YOUR_CALM)) as (endpoint, _):
        transport = GrpcTransport(parse_endpoint(endpoint), ping_interval=30)
        for expected in (60, 120, 240):
            with pytest.raises(errors.ConnectionLostError):
                await transport.unary("/a.B/C", b"", [], 20)
            assert transport.pings.interval == expected
        await transport.aclose()


async def test_calls_that_wait_for_a_connection_share_it_and_its_failure() -> None:
    connections = 0
    waiting = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await waiting.wait()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with raw_server(talk) as address, Client(f"http://{address}", timeout=20, transport="grpc") as client:
        calls = [asyncio.ensure_future(unary(client, Echo.SAY, Note())) for _ in range(20)]
        gone = asyncio.ensure_future(unary(client, Echo.SAY, Note()))
        while not connections:
            await asyncio.sleep(0)
        gone.cancel()
        waiting.set()
        failures = await asyncio.gather(*calls, return_exceptions=True)
        assert connections == 1
        assert [type(failure) for failure in failures] == [errors.EndpointError] * 20
        assert len({failure.request_id for failure in failures if isinstance(failure, errors.RpcError)}) == 20


async def test_closing_the_client_fails_calls_that_wait_for_a_connection() -> None:
    async with silent() as address:
        client = Client(f"http://{address}", timeout=20)
        task = asyncio.ensure_future(unary(client, Echo.WRITE, Note()))
        while not client._pool._transports:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises((errors.ConnectionLostError, errors.InitializationError), match=r"was closed|is closed"):
            await task
