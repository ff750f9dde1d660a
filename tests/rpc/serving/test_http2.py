"""Requests over HTTP/2 that are not gRPC, frame by frame, and gRPC beside them on one connection."""

from __future__ import annotations

import asyncio
import json

import pytest
from h2.errors import ErrorCodes
from h2.events import Event, StreamEnded, StreamReset

from flyte_rpc.serving.server import RunningServer
from support.echo import Echo, EchoServer, Note
from support.raw_client import RawClient, message, raw_client

SAY, COUNT, SUM, CHAT = (rpc.path for rpc in (Echo.SAY, Echo.COUNT, Echo.SUM, Echo.CHAT))

PROTO = {"content-type": "application/proto", "te": ""}
STREAM = {"content-type": "application/connect+proto", "te": ""}
WEB = {"content-type": "application/grpc-web", "te": ""}

pytestmark = pytest.mark.usefixtures("quiet")


def note(**fields: object) -> bytes:
    return bytes(Note(**fields))


async def test_all_protocols_share_a_connection(server: RunningServer, echo: EchoServer) -> None:
    async with raw_client(server.port) as client:
        for _ in range(3):
            assert (await client.call(SAY, message(note(n=1)))).data == message(note(n=1))
            assert (await client.call(SAY, note(n=1), **PROTO)).data == note(n=1)
            answer = await client.call(COUNT, message(note(to=1)), **STREAM)
            assert answer.data == message(note(n=0)) + message(b"{}", flag=2)
            answer = await client.call(SAY, message(note(n=1)), **WEB)
            assert answer.data == message(note(n=1)) + message(b"grpc-status: 0\r\n", flag=0x80)
            assert answer.trailers == {}
            assert (await client.call("/healthz", **{":method": "GET", "content-type": ""})).data == b"ok\n"
    assert len({call.peer for call in echo.calls}) == 1


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nothing", {"content-type": ""}, "404"),
        ("/test.Echo/None", PROTO, "404"),
        (SAY, {":method": "PUT"}, "405"),
        (COUNT, {":method": "GET"}, "405"),
        (SAY, STREAM, "415"),
        (COUNT, PROTO, "415"),
        (SAY, PROTO | {"connect-protocol-version": "7"}, "400"),
    ],
)
async def test_refusals(server: RunningServer, path: str, headers: dict[str, str], status: str) -> None:
    async with raw_client(server.port) as client:
        assert (await client.call(path, **headers)).headers[":status"] == status
        assert (await client.call(SAY, note(n=1), **PROTO)).headers[":status"] == "200"


async def test_a_refused_body_is_skipped(server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        stream = client.begin(SAY, **{"content-type": "text/html"})
        assert (await client.answer(stream)).headers[":status"] == "415"
        for _ in range(5):
            client.send(stream, bytes(10_000))
        client.send(stream, b"", end=True)
        resets: list[Event] = []
        answered = client.begin(SAY, **PROTO)
        client.send(answered, note(n=1), end=True)
        ended = False
        while not ended:
            for event in client.h2.receive_data(await client.reader.read(65_536)):
                resets += [event] if isinstance(event, StreamReset) else []
                ended = ended or (isinstance(event, StreamEnded) and event.stream_id == answered)
        assert resets == []


async def test_a_refused_body_that_does_not_end(server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        stream = client.begin(SAY, **{"content-type": "text/html"})
        assert (await client.answer(stream)).headers[":status"] == "415"
        for _ in range(70):
            client.send(stream, bytes(16_000))
        answer = await client.answer(stream)
        assert answer.headers == {}, "the stream was reset"
        assert (await client.call(SAY, note(n=1), **PROTO)).data == note(n=1)


async def test_replies_arrive_while_requests_are_sent(server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        stream = client.begin(CHAT, **STREAM)
        client.send(stream, message(note(n=1)))
        data = b""
        while not data.endswith(message(note(n=2))):
            for event in client.h2.receive_data(await client.reader.read(65_536)):
                data += getattr(event, "data", b"") if getattr(event, "stream_id", 0) == stream else b""
            client.flush()
        client.send(stream, b"", end=True)
        assert (await client.answer(stream)).data == message(b"{}", flag=2)


@pytest.mark.parametrize("how", ["reset", "disconnect"])
@pytest.mark.parametrize(("path", "headers"), [(SAY, PROTO), (COUNT, STREAM), (SAY, WEB)])
async def test_a_client_that_goes_away(
    server: RunningServer, echo: EchoServer, path: str, headers: dict[str, str], how: str
) -> None:
    async with raw_client(server.port) as client:
        stream = client.begin(path, **headers)
        data = note(to=1, hang=True)
        client.send(stream, data if headers is PROTO else message(data), end=True)
        await echo.entered.wait()
        if how == "reset":
            client.reset(stream)
        else:
            client.writer.close()
        await echo.cancelled.wait()


async def test_stopping_the_server(server: RunningServer, echo: EchoServer) -> None:
    async with raw_client(server.port) as client:
        stream = client.begin(SAY, **PROTO)
        client.send(stream, note(hang=True), end=True)
        await echo.entered.wait()
        await server.close()
        assert echo.cancelled.is_set()
        with pytest.raises(ConnectionError):
            await client.answer(stream)


async def test_a_client_that_does_not_read_holds_the_handler_up(server: RunningServer, echo: EchoServer) -> None:
    async with raw_client(server.port) as client:
        stream = client.begin(COUNT, **STREAM)
        client.send(stream, message(note(to=10_000, size=100_000)), end=True)
        window = client.h2.remote_flow_control_window(stream)
        arrived = 0
        while window > arrived:
            for event in client.h2.receive_data(await client.reader.read(65_536)):
                arrived += getattr(event, "flow_controlled_length", 0)
            client.writer.write(client.h2.data_to_send())
        assert echo.sent <= 1
        client.reset(stream)
        client.h2.increment_flow_control_window(arrived)
        assert (await client.call(SAY, note(n=1), **PROTO)).data == note(n=1)


async def hold_up(client: RawClient, stream: int, echo: EchoServer) -> int:
    """Send to a handler that does not read until the window is used up. Returns how many messages were sent whole."""
    data = message(note(n=1, padding="x" * 100_000))
    sent = 0
    while client.h2.local_flow_control_window(stream) > len(data):
        for at in range(0, len(data), 16_384):
            client.send(stream, data[at : at + 16_384])
        sent += 1
        await client.writer.drain()
    return sent


async def test_a_handler_that_does_not_read_holds_the_client_up(server: RunningServer, echo: EchoServer) -> None:
    echo.reading.clear()
    async with raw_client(server.port) as client:
        stream = client.begin(SUM, **STREAM)
        while client.h2.local_flow_control_window(stream) < 2**20:  # the server's settings
            client.h2.receive_data(await client.reader.read(65_536))
            client.flush()
        sent = await hold_up(client, stream, echo)
        await echo.entered.wait()
        assert echo.read == 1 and sent < 100
        echo.reading.set()
        client.send(stream, b"", end=True)
        assert json.loads((await client.answer(stream)).data[5:].partition(b"}")[0] + b"}") == {"total": sent}


async def settled(client: RawClient, streams: list[int]) -> dict[int, Event]:
    """How each of the streams ends."""
    ended: dict[int, Event] = {}
    while len(ended) < len(streams):
        received = await client.reader.read(65_536)
        assert received, "the server closed the connection"
        for event in client.h2.receive_data(received):
            if isinstance(event, StreamEnded | StreamReset):
                ended[event.stream_id or 0] = event
        client.flush()
    return ended


async def test_more_streams_than_the_limit_before_the_client_knows_it(server: RunningServer, echo: EchoServer) -> None:
    """As Envoy does: it opens a stream for each waiting call while the server's settings are on their way."""
    async with raw_client(server.port) as client, asyncio.timeout(20):
        streams = [client.begin(SAY, **PROTO) for _ in range(300)]
        for stream in streams:
            client.send(stream, note(n=1), end=True)
        ended = await settled(client, streams)
        assert all(isinstance(event, StreamEnded) for event in ended.values())
        assert len(echo.calls) == 300
        assert client.h2.remote_settings.max_concurrent_streams == 100, "the limit that the server announces"


async def test_streams_beyond_all_reason_are_refused_one_by_one(server: RunningServer, echo: EchoServer) -> None:
    async with raw_client(server.port) as client, asyncio.timeout(20):
        hanging = [client.begin(SAY, **PROTO) for _ in range(1024)]
        refused = [client.begin(SAY, **PROTO) for _ in range(10)]
        ended = await settled(client, refused)
        assert {(event.stream_id, event.error_code) for event in ended.values() if isinstance(event, StreamReset)} == {
            (stream, ErrorCodes.REFUSED_STREAM) for stream in refused
        }
        for stream in hanging[:2]:
            client.send(stream, note(n=1), end=True)
            assert (await client.answer(stream)).data == note(n=1)
        assert len(echo.calls) == 2


async def test_a_handler_that_does_not_read_holds_up_its_own_call_only(server: RunningServer, echo: EchoServer) -> None:
    echo.reading.clear()
    async with raw_client(server.port) as client, asyncio.timeout(20):
        stream = client.begin(SUM, **STREAM)
        while client.h2.local_flow_control_window(stream) < 2**20:  # the server's settings
            client.h2.receive_data(await client.reader.read(65_536))
            client.flush()
        data = message(note(n=1))
        client.send(stream, data)
        await echo.entered.wait()
        while window := client.h2.local_flow_control_window(stream):
            client.send(stream, bytes(min(window, 16_384)))
            await client.writer.drain()
        assert (await client.call(SAY, note(n=1, big="x" * 10_000), **PROTO)).headers[":status"] == "200"
        echo.reading.set()
