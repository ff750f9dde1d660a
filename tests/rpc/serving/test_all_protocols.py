"""What holds for each protocol: authentication, handlers that fail, and stopping."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, ServiceBase, Status, abort, serve
from flyte_rpc.transports.connect.transport import ConnectTransport
from rpc.conftest import AT_ONCE
from support.echo import Echo, EchoServer, Note
from support.raw_client import raw_client

TRANSPORTS = {
    "grpc": "grpc",
    "connect-1.1": lambda endpoint: ConnectTransport(endpoint, http="1.1"),
    "connect-2": lambda endpoint: ConnectTransport(endpoint, http="2"),
}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Any:
    return TRANSPORTS[request.param]


async def test_nobody_gets_past_authentication(transport: Any) -> None:
    echo = EchoServer()
    seen: list[ServerCall] = []

    async def check(call: ServerCall) -> None:
        seen.append(call)
        if call.metadata.get("authorization") != "Bearer right":
            abort(Status.UNAUTHENTICATED, "who are you?")

    async with await serve([echo], authenticate=check) as server:
        async with Client(server.endpoint, token="wrong", transport=transport) as client:
            with pytest.raises(errors.UnauthenticatedError, match=r"who are you\?"):
                await unary(client, Echo.WRITE, Note())
            with pytest.raises(errors.UnauthenticatedError):
                await anext(stream(client, Echo.COUNT, Note(to=1)))
        assert echo.calls == []
        async with Client(server.endpoint, token="right", transport=transport) as client:
            assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1
    assert [call.path for call in seen] == [Echo.WRITE.path, Echo.COUNT.path, Echo.WRITE.path]
    assert all("Bearer" not in repr(call) for call in seen)


@pytest.mark.parametrize(
    ("kind", "path", "answered"),
    [
        ("application/proto", Echo.SAY.path, b'"unauthenticated"'),
        ("application/connect+proto", Echo.COUNT.path, b'"unauthenticated"'),
        ("application/grpc-web", Echo.SAY.path, b"grpc-status: 16"),
    ],
)
async def test_calls_are_turned_away_before_their_request_is_read(kind: str, path: str, answered: bytes) -> None:
    def nobody(call: ServerCall) -> None:
        abort(Status.UNAUTHENTICATED, "no")

    async with await serve([EchoServer()], authenticate=nobody) as server, raw_client(server.port) as client:
        answer = await client.answer(client.begin(path, **{"content-type": kind, "te": ""}))
    assert answered in answer.data


async def test_a_handler_that_waits_for_something_cancelled(transport: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Waiting(ServiceBase):
        RPCS = (("say", Echo.SAY),)

        async def say(self, request: Note, call: ServerCall) -> Note:
            future: asyncio.Future[Note] = asyncio.get_running_loop().create_future()
            future.cancel()
            return await future

    async with (
        await serve([Waiting()]) as server,
        Client(server.endpoint, transport=transport, retry=AT_ONCE, timeout=20) as client,
    ):
        with pytest.raises(errors.InternalError, match="the server failed to handle the call"):
            await unary(client, Echo.SAY, Note())
    assert "/test.Echo/Say failed" in caplog.text


async def test_a_handler_that_cannot_be_encoded(transport: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ServiceBase):
        RPCS = (("say", Echo.SAY), ("count", Echo.COUNT))

        async def say(self, request: Note, call: ServerCall) -> Note:
            return Note(bad={1, 2})

        async def count(self, request: Note, call: ServerCall) -> Any:
            yield Note(n=0)
            yield Note(bad={1, 2})

    async with (
        await serve([Broken()]) as server,
        Client(server.endpoint, transport=transport, retry=AT_ONCE, timeout=20) as client,
    ):
        with pytest.raises(errors.InternalError, match="the server failed to handle the call"):
            await unary(client, Echo.SAY, Note())
        replies = stream(client, Echo.COUNT, Note())
        assert (await anext(replies)).n == 0
        with pytest.raises(errors.InternalError, match="the server failed to handle the call"):
            await anext(replies)
    assert "not JSON serializable" in caplog.text


@pytest.mark.parametrize("kind", ["application/connect+proto", "application/grpc"])
async def test_stopping_does_not_wait_for_a_client_that_does_not_read(kind: str) -> None:
    echo = EchoServer()
    async with await serve([echo]) as server, raw_client(server.port) as client:
        client.h2.increment_flow_control_window(2**31 - 1 - 65_535)
        client.h2.update_settings({4: 2**31 - 1})
        stream_id = client.begin(Echo.COUNT.path, **{"content-type": kind})
        request = bytes(Note(to=10_000, size=100_000))
        client.send(stream_id, len(request).to_bytes(5, "big") + request, end=True)
        await echo.entered.wait()
        (connection,) = server.connections._open
        while connection.connection.write_ready.is_set():  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await server.close()
        assert len(server.connections) == 0
