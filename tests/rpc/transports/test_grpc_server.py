from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import RunningServer, ServerCall, Status, abort, serve
from flyte_rpc.transports.framing import MAX_MESSAGE_BYTES
from support.echo import Echo, EchoServer, Note
from support.raw_client import message, raw_client

SAY, COUNT, SUM, CHAT = (rpc.path for rpc in (Echo.SAY, Echo.COUNT, Echo.SUM, Echo.CHAT))


def note(**fields: object) -> bytes:
    return message(bytes(Note(**fields)))


async def test_all_four_kinds_of_methods(server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        assert (await client.call(SAY, note(a=1))).data == note(a=1)
        assert (await client.call(COUNT, note(to=2))).data == note(n=0) + note(n=1)
        assert (await client.call(SUM, note(n=1), note(n=4))).data == note(total=5)
        assert (await client.call(CHAT, note(n=1), note(n=4))).data == note(n=2) + note(n=8)
        assert (await client.call(SUM)).data == note(total=0)


@pytest.mark.parametrize("subtype", ["", "+proto"])
async def test_content_types(server: RunningServer, subtype: str) -> None:
    async with raw_client(server.port) as client:
        assert (await client.call(SAY, note(a=1), **{"content-type": "application/grpc" + subtype})).status == Status.OK


async def test_a_web_page_is_not_for_us(server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        assert (await client.call(SAY, note(a=1), **{"content-type": "text/html"})).headers[":status"] == "415"


@pytest.mark.parametrize(
    ("path", "parts", "status", "shown"),
    [
        (SAY, [message(b"not json")], Status.INVALID_ARGUMENT, "the request is not a Note"),
        (SAY, [], Status.INVALID_ARGUMENT, "the request is missing"),
        (SAY, [message(b"{", size=9)], Status.INVALID_ARGUMENT, "cut short"),
        (SAY, [b"\0\0"], Status.INVALID_ARGUMENT, "cut short"),
        (SAY, [message(b"{}", flag=1)], Status.INVALID_ARGUMENT, "compressed"),
        (SAY, [message(b"", size=MAX_MESSAGE_BYTES + 1)], Status.RESOURCE_EXHAUSTED, "the limit is"),
        (CHAT, [message(b"not json")], Status.INVALID_ARGUMENT, "the request is not a Note"),
        ("/test.Echo/None", [note()], Status.UNIMPLEMENTED, "there is no method /test.Echo/None"),
    ],
)
async def test_requests_that_are_not(
    server: RunningServer, path: str, parts: list[bytes], status: Status, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with raw_client(server.port) as client:
        answer = await client.call(path, *parts)
        assert answer.status == status
        assert shown in answer.message
        assert (await client.call(SAY, note(a=1))).status == Status.OK
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_what_a_handler_raises(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(errors.FailedPreconditionError, match="não, 100%"):
        await unary(client, Echo.SAY, Note(status="FAILED_PRECONDITION", message="não, 100%"))
    assert not caplog.records
    with pytest.raises(errors.InternalError, match="its log has the request id"):
        await unary(client, Echo.SAY, Note(crash=True))
    assert "RuntimeError: secret path" in caplog.text


async def test_a_stream_that_fails_has_sent_its_items(client: Client) -> None:
    replies = stream(client, Echo.COUNT, Note(to=1, status="NOT_FOUND"))
    assert (await anext(replies)).n == 0
    with pytest.raises(errors.NotFoundError):
        await anext(replies)


async def test_a_call_knows_where_it_comes_from(echo: EchoServer, server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        await client.call(
            SAY, note(), **{"x-request-id": "r1", "authorization": "Bearer hunter2", "grpc-timeout": "5S"}
        )
        host, port = client.writer.get_extra_info("sockname")
    call = echo.calls[0]
    assert (call.path, call.request_id, call.peer) == (SAY, "r1", f"{host}:{port}")
    assert call.deadline is not None and 0 < call.deadline <= 5
    assert call.metadata["authorization"] == "Bearer hunter2"
    assert "hunter2" not in repr(call)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_nobody_gets_past_authentication(asynchronous: bool) -> None:
    echo = EchoServer()

    def check(call: ServerCall) -> None:
        if call.metadata.get("authorization") != "Bearer right":
            abort(Status.UNAUTHENTICATED, "who are you?")

    async def check_later(call: ServerCall) -> None:
        await asyncio.sleep(0)
        check(call)

    async with await serve([echo], authenticate=check_later if asynchronous else check) as server:
        async with raw_client(server.port) as client:
            # It is turned away before its request has come.
            answer = await client.answer(client.begin(SAY))
            assert (answer.status, answer.message) == (Status.UNAUTHENTICATED, "who are you?")
        for token in (None, "wrong"):
            async with Client(server.endpoint, token=token) as anonymous:
                with pytest.raises(
                    errors.UnauthenticatedError, match=r"who are you\?.*Create the client with a valid token"
                ):
                    await unary(anonymous, Echo.SAY, Note())
                with pytest.raises(errors.UnauthenticatedError):
                    await anext(stream(anonymous, Echo.COUNT, Note(to=1)))
        assert echo.calls == []
        async with Client(server.endpoint, token="right") as known:
            assert (await unary(known, Echo.SAY, Note(a=1))).a == 1


@pytest.mark.parametrize("path", [SAY, COUNT])
@pytest.mark.parametrize("how", ["reset", "disconnect"])
async def test_a_client_that_goes_away_stops_its_handler(
    echo: EchoServer, server: RunningServer, how: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with raw_client(server.port) as client:
        at = client.begin(path)
        client.send(at, note(to=1, hang=True), end=True)
        await echo.entered.wait()
        if how == "reset":
            client.reset(at)
        else:
            client.writer.close()
        await echo.cancelled.wait()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_passing_deadline_stops_the_handler(echo: EchoServer, server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        answer = await client.call(SAY, note(hang=True), **{"grpc-timeout": "20m"})
    assert answer.status == Status.DEADLINE_EXCEEDED
    assert echo.cancelled.is_set()


async def test_stopping_cancels_handlers_and_drops_connections(echo: EchoServer, server: RunningServer) -> None:
    async with Client(server.endpoint, timeout=20) as client:
        task = asyncio.ensure_future(unary(client, Echo.WRITE, Note(hang=True)))
        await echo.entered.wait()
        await server.close()
        assert echo.cancelled.is_set()
        with pytest.raises(errors.RpcError):
            await task
        await server.close()


async def test_frames_of_unknown_types_are_ignored(server: RunningServer) -> None:
    async with raw_client(server.port) as client:
        client.writer.write(b"\0\0\4\x10\0\0\0\0\0u=3 " + b"\0\0\1\xbb\0\0\0\0\0x")
        assert (await client.call(SAY, note(a=1))).status == Status.OK


async def test_small_writes_are_not_held_back(server: RunningServer) -> None:
    """Nagle's algorithm together with delayed acknowledgements would add 40 ms to each call."""
    async with Client(server.endpoint) as client:
        await unary(client, Echo.SAY, Note())
        accepted = [connection._transport for connection in server.connections._open]
        assert len(accepted) == 1
        assert accepted[0].get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_one_service_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"two services offer /test\.Echo/Say"):
        await serve([EchoServer(), EchoServer()])


async def test_a_port_that_is_taken(server: RunningServer) -> None:
    with pytest.raises(OSError, match="in use"):
        await serve([EchoServer()], port=server.port)


async def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("needs IPv6")
    try:
        server = await serve([EchoServer()], host="::1")
    except OSError:
        pytest.skip("needs an IPv6 loopback address")
    async with server, Client(server.endpoint) as client:
        assert server.endpoint == f"http://[::1]:{server.port}"
        assert (await unary(client, Echo.SAY, Note(a=1))).a == 1
