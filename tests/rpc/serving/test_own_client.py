"""The client of this package over Connect against the server of this package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.errors import RpcError
from flyte_rpc.serving.server import RunningServer, Status
from flyte_rpc.transports.connect.transport import ConnectTransport
from rpc.conftest import AT_ONCE
from support.echo import Echo, EchoServer, Note

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(params=["1.1", "2"])
async def over(request: pytest.FixtureRequest, server: RunningServer) -> AsyncGenerator[Client, None]:
    """A client over Connect with a version of HTTP."""

    def transport(endpoint: Any) -> ConnectTransport:
        return ConnectTransport(endpoint, http=request.param)

    async with Client(server.endpoint, timeout=20, retry=AT_ONCE, transport=transport) as made:
        yield made


async def test_calls(over: Client, echo: EchoServer) -> None:
    assert (await unary(over, Echo.WRITE, Note(n=1))).n == 1
    assert [note.n async for note in stream(over, Echo.COUNT, Note(to=3))] == [0, 1, 2]
    assert all(call.request_id for call in echo.calls)
    assert echo.calls[0].deadline is not None and 0 < echo.calls[0].deadline <= 20


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK], ids=lambda s: s.name)
async def test_errors(over: Client, status: Status) -> None:
    asked = Note(status=status.name, message="não, 100%", details=True)
    with pytest.raises(RpcError, match="não, 100%") as raised:
        await unary(over, Echo.WRITE, asked)
    assert raised.value.status is status
    assert b"google.protobuf.Duration" in raised.value.details
    replies = stream(over, Echo.COUNT, Note(to=1, status=status.name))
    assert (await anext(replies)).n == 0
    with pytest.raises(RpcError, match="after the last") as raised:
        await anext(replies)
    assert raised.value.status is status


async def test_a_method_that_does_not_exist(over: Client) -> None:
    with pytest.raises(errors.UnimplementedError, match="there is no method"):
        await unary(over, Echo.MISSING, Note())


async def test_deadlines(over: Client, echo: EchoServer) -> None:
    with pytest.raises(errors.DeadlineExceededError):
        await unary(over.with_options(timeout=0.1), Echo.WRITE, Note(hang=True))
    await echo.cancelled.wait()


async def test_a_stream_that_is_closed(over: Client, echo: EchoServer) -> None:
    replies = stream(over, Echo.COUNT, Note(to=1, hang=True))
    assert (await anext(replies)).n == 0
    await replies.aclose()
    await echo.cancelled.wait()


async def test_stopping_the_server(over: Client, echo: EchoServer, server: RunningServer) -> None:
    call = asyncio.ensure_future(unary(over, Echo.WRITE, Note(hang=True)))
    await echo.entered.wait()
    await server.close()
    with pytest.raises(errors.UnavailableError):
        await call
    assert echo.cancelled.is_set()


async def test_large_messages(over: Client) -> None:
    big = "x" * 20_000_000
    assert (await unary(over, Echo.WRITE, Note(big=big))).big == big


async def test_many_calls_at_a_time(over: Client) -> None:
    replies = await asyncio.gather(*(unary(over, Echo.WRITE, Note(n=n)) for n in range(300)))
    assert [reply.n for reply in replies] == list(range(300))
