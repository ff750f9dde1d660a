"""The Connect transport against connect-go, the library that the real backend runs on, over each version of HTTP."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from typing import Any, get_args

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.status import Status
from flyte_rpc.transports.connect import protocol
from flyte_rpc.transports.connect.transport import ConnectTransport, HttpVersion
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.transport import TransportName
from rpc.conftest import AT_ONCE
from support.connect_server import STATS, ConnectServer
from support.echo import Echo, Note

WAYS: dict[str, tuple[str, HttpVersion]] = {
    "cleartext-http1": ("both", "auto"),
    "cleartext-http2": ("both", "2"),
    "tls-http2": ("tls", "auto"),
    "tls-http1-chosen-by-server": ("tls_http1", "auto"),
    "tls-http1": ("tls", "1.1"),
}
"""Which port of the server, and which version of HTTP."""


@pytest.fixture(params=WAYS)
async def client(
    request: pytest.FixtureRequest, connect_go: ConnectServer, trusting: ssl.SSLContext
) -> AsyncGenerator[Client, None]:
    port, http = WAYS[request.param]

    def transport(endpoint: Endpoint) -> ConnectTransport:
        return ConnectTransport(endpoint, ssl_context=trusting, http=http)

    async with Client(connect_go.endpoints[port], timeout=20, retry=AT_ONCE, transport=transport) as made:
        yield made


async def stats(connect_go: ConnectServer, **fields: Any) -> Note:
    """The server's counters, over a connection of their own."""
    async with Client(connect_go.endpoints["both"], timeout=20, transport="connect") as client:
        return await unary(client, STATS, Note(**fields))


class TestUnary:
    async def test_request_and_reply(self, client: Client, connect_go: ConnectServer) -> None:
        assert (await unary(client, Echo.SAY, Note(n=7), timeout=5)).n == 7
        seen = await stats(connect_go)
        assert seen.calls == {"Say": 1} and seen.protocols == {"connect": 1}
        assert seen.headers["Connect-Protocol-Version"] == ["1"]
        assert 4000 < int(seen.headers["Connect-Timeout-Ms"][0]) <= 5000
        assert len(seen.headers["X-Request-Id"][0]) == 32
        assert seen.headers["User-Agent"][0].startswith("flyte")

    async def test_empty_request_and_reply(self, client: Client) -> None:
        transport = client.transport()
        assert b"an empty request" in await transport.unary("/test.Echo/Say", b"", [], 20)
        assert await transport.unary("/test.Echo/Say", b'{"empty": true}', [], 20) == b""

    async def test_large_messages(self, client: Client) -> None:
        big = "x" * 5_000_000
        assert (await unary(client, Echo.SAY, Note(big=big))).big == big
        assert len((await unary(client, Echo.SAY, Note(size=40_000_000))).big) == 40_000_000

    async def test_replies_are_compressed(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        encodings: list[str] = []
        decompress = protocol.decompress
        monkeypatch.setattr(
            protocol, "decompress", lambda encoding, data: encodings.append(encoding) or decompress(encoding, data)
        )
        assert (await unary(client, Echo.SAY, Note(size=1000))).big == "x" * 1000
        assert encodings == ["gzip"]
        assert [note.n async for note in stream(client, Echo.COUNT, Note(to=3))] == [0, 1, 2]
        assert encodings[1:4] == ["gzip"] * 3

    @pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
    async def test_errors(self, client: Client, status: Status) -> None:
        with pytest.raises(errors.RpcError) as raised:
            await unary(client, Echo.WRITE, Note(status=status, message="no ümlaut"))
        assert raised.value.status == status
        assert raised.value.message == "no ümlaut"
        assert raised.value.details == b""

    async def test_details_are_those_that_grpc_carries(self, client: Client, connect_go: ConnectServer) -> None:
        request = Note(status=9, message="not yet", details=True)
        with pytest.raises(errors.FailedPreconditionError) as raised:
            await unary(client, Echo.WRITE, request)
        async with Client(connect_go.endpoints["both"], timeout=20, transport="grpc") as grpc:
            with pytest.raises(errors.FailedPreconditionError) as expected:
                await unary(grpc, Echo.WRITE, request)
        assert raised.value.details == expected.value.details != b""

    async def test_a_method_that_the_server_lacks(self, client: Client) -> None:
        with pytest.raises(errors.UnimplementedError, match="HTTP 404"):
            await unary(client, Echo.MISSING, Note())

    async def test_the_deadline_ends_the_call_on_both_sides(self, client: Client, connect_go: ConnectServer) -> None:
        with pytest.raises(errors.DeadlineExceededError):
            await unary(client, Echo.WRITE, Note(hang=True), timeout=0.2)
        await stats(connect_go, to=1)

    async def test_cancelling_a_call_cancels_it_at_the_server(self, client: Client, connect_go: ConnectServer) -> None:
        task = asyncio.ensure_future(unary(client, Echo.WRITE, Note(hang=True)))
        await stats(connect_go, n=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stats(connect_go, to=1)
        assert (await unary(client, Echo.SAY, Note(n=2))).n == 2

    async def test_closing_the_client_fails_calls_that_run(self, client: Client, connect_go: ConnectServer) -> None:
        task = asyncio.ensure_future(unary(client, Echo.WRITE, Note(hang=True)))
        await stats(connect_go, n=1)
        await client.aclose()
        with pytest.raises(errors.ConnectionLostError, match="the client was closed"):
            await task

    async def test_a_write_whose_connection_breaks_is_not_repeated(
        self, client: Client, connect_go: ConnectServer
    ) -> None:
        with pytest.raises(errors.ConnectionLostError) as raised:
            await unary(client, Echo.WRITE, Note(cut=True))
        assert not raised.value.unprocessed
        assert (await stats(connect_go)).calls == {"Write": 1}

    async def test_a_read_whose_connection_breaks_is_repeated(self, client: Client, connect_go: ConnectServer) -> None:
        with pytest.raises(errors.ConnectionLostError):
            await unary(client, Echo.SAY, Note(cut=True))
        assert (await stats(connect_go)).calls == {"Say": AT_ONCE.attempts}

    async def test_calls_reuse_connections(self, client: Client, connect_go: ConnectServer) -> None:
        for n in range(20):
            await unary(client, Echo.SAY, Note(n=n))
        assert [note.n async for note in stream(client, Echo.COUNT, Note(to=3))] == [0, 1, 2]
        await unary(client, Echo.SAY, Note())
        assert list((await stats(connect_go)).peers.values()) == [22]

    async def test_many_calls_at_a_time_share_few_connections(self, client: Client, connect_go: ConnectServer) -> None:
        replies = await asyncio.gather(*(unary(client, Echo.SAY, Note(n=n)) for n in range(200)))
        assert [reply.fields.get("n", 0) for reply in replies] == list(range(200))
        assert len((await stats(connect_go)).peers) <= 17  # the first of an HTTP/1.1 server is one more


class TestStreams:
    async def test_ten_thousand_messages(self, client: Client) -> None:
        assert [note.n async for note in stream(client, Echo.COUNT, Note(to=10_000))] == list(range(10_000))

    async def test_large_messages_and_a_slow_reader(self, client: Client) -> None:
        """More than windows and buffers take: the server has to wait for the reader."""
        sizes: list[int] = []
        async for note in stream(client, Echo.COUNT, Note(to=200, big="x" * 400_000)):
            sizes.append(len(note.big))
            await asyncio.sleep(0)
        assert sizes == [400_000] * 200

    async def test_an_empty_stream(self, client: Client) -> None:
        assert [note async for note in stream(client, Echo.COUNT, Note(to=0))] == []

    async def test_an_error_after_the_last_message(self, client: Client) -> None:
        numbers: list[int] = []
        with pytest.raises(errors.NotFoundError, match="after the last") as raised:
            async for note in stream(client, Echo.COUNT, Note(to=3, status=5, message="after the last", details=True)):
                numbers.append(note.n)
        assert numbers == [0, 1, 2]
        assert b"google.protobuf.Duration" in raised.value.details

    async def test_an_error_before_the_first_message(self, client: Client) -> None:
        with pytest.raises(errors.PermissionDeniedError):
            await anext(stream(client, Echo.COUNT, Note(to=0, status=7)))

    async def test_a_stream_that_is_cut_off(self, client: Client) -> None:
        numbers: list[int] = []
        with pytest.raises(errors.ConnectionLostError):
            async for note in stream(client, Echo.COUNT, Note(to=3, cut=True)):
                numbers.append(note.n)
        assert numbers == [0, 1, 2]

    async def test_closing_a_stream_cancels_it(self, client: Client, connect_go: ConnectServer) -> None:
        replies = stream(client, Echo.COUNT, Note(to=2, hang=True))
        assert (await anext(replies)).n == 0
        await replies.aclose()
        await stats(connect_go, to=1)

    async def test_a_silent_stream_can_be_cancelled(self, client: Client, connect_go: ConnectServer) -> None:
        """The real server sends not even headers before the first message."""
        task = asyncio.ensure_future(anext(stream(client, Echo.COUNT, Note(to=0, hang=True))))
        await stats(connect_go, n=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stats(connect_go, to=1)

    async def test_the_deadline_of_a_stream(self, client: Client, connect_go: ConnectServer) -> None:
        replies = stream(client, Echo.COUNT, Note(to=1, hang=True), timeout=0.2)
        assert (await anext(replies)).n == 0
        with pytest.raises(errors.DeadlineExceededError):
            await anext(replies)
        await stats(connect_go, to=1)

    async def test_streams_leave_room_for_calls(self, client: Client, connect_go: ConnectServer) -> None:
        watches = [stream(client, Echo.COUNT, Note(to=1, hang=True)) for _ in range(300)]
        await asyncio.gather(*(anext(watch) for watch in watches))
        assert (await unary(client, Echo.SAY, Note(n=1))).n == 1
        await asyncio.gather(*(watch.aclose() for watch in watches))
        await stats(connect_go, to=300)


def test_every_version_of_http_is_covered() -> None:
    assert {http for _, http in WAYS.values()} == set(get_args(HttpVersion))


@pytest.mark.parametrize(
    ("name", "port"),
    [("connect", "http1"), ("connect", "tls"), ("grpc", "both"), ("grpclib", "both")],
)
def test_the_end_of_the_event_loop_closes_connections(
    connect_go: ConnectServer, trusting: ssl.SSLContext, name: TransportName, port: str
) -> None:
    opened: list[socket.socket] = []

    async def call() -> Note:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection

        async def remember(*args: Any, **options: Any) -> Any:
            made = await connect(*args, **options)
            opened.append(made[0].get_extra_info("socket"))
            return made

        loop.create_connection = remember  # type: ignore[method-assign]
        return await unary(client, Echo.SAY, Note(n=3))

    client = Client(connect_go.endpoints[port], timeout=20, transport=name, ssl_context=trusting)
    assert asyncio.run(call()).n == 3
    assert opened
    assert all(handle.fileno() == -1 for handle in opened)
