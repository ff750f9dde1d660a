"""The gRPC core in C, which most gRPC clients are built on, against our server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import grpc.aio
import pytest

from flyte_api.messages.google.protobuf.duration import Duration
from flyte_rpc.serving.server import RunningServer, Status
from support.echo import Echo, EchoServer, Note

SAY, COUNT, SUM, CHAT, MISSING = (rpc.path for rpc in (Echo.SAY, Echo.COUNT, Echo.SUM, Echo.CHAT, Echo.MISSING))

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
async def channel(server: RunningServer) -> AsyncGenerator[grpc.aio.Channel, None]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.enable_retries", 0)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options) as made:
        yield made


def method(channel: grpc.aio.Channel, kind: str, path: str) -> Any:
    return getattr(channel, kind)(path, request_serializer=bytes, response_deserializer=Note.parse)


async def test_all_kinds_of_methods(channel: grpc.aio.Channel) -> None:
    assert (await method(channel, "unary_unary", SAY)(Note(n=1))).n == 1
    assert [note.n async for note in method(channel, "unary_stream", COUNT)(Note(to=3))] == [0, 1, 2]
    assert (await method(channel, "stream_unary", SUM)(iter([Note(n=1), Note(n=4)]))).total == 5
    chat = method(channel, "stream_stream", CHAT)()
    for n in range(3):
        await chat.write(Note(n=n))
        assert (await chat.read()).n == 2 * n
    await chat.done_writing()
    assert await chat.read() is grpc.aio.EOF


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK], ids=lambda s: s.name)
async def test_errors(channel: grpc.aio.Channel, status: Status) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await method(channel, "unary_unary", SAY)(Note(status=status.name, message="não, 100%\nnow", details=True))
    error = raised.value
    assert (error.code().value[0], error.details()) == (status.value, "não, 100%\nnow")
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert packed.startswith(bytes((8, status.value, 18)))
    assert packed.endswith(b"type.googleapis.com/google.protobuf.Duration\x12\x02" + bytes(Duration(seconds=90)))


async def test_a_method_that_does_not_exist(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await method(channel, "unary_unary", MISSING)(Note())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert raised.value.details() == "there is no method /test.Echo/Missing"


async def test_deadlines_and_cancelling(channel: grpc.aio.Channel, echo: EchoServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await method(channel, "unary_unary", SAY)(Note(hang=True), timeout=0.1)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await echo.cancelled.wait()
    echo.cancelled.clear()
    stream = method(channel, "unary_stream", COUNT)(Note(to=1, hang=True))
    assert (await stream.read()).n == 0
    stream.cancel()
    await echo.cancelled.wait()


async def test_large_messages(channel: grpc.aio.Channel) -> None:
    big = "x" * 20_000_000
    assert (await method(channel, "unary_unary", SAY)(Note(big=big))).big == big


async def test_many_calls_at_a_time(channel: grpc.aio.Channel) -> None:
    say = method(channel, "unary_unary", SAY)
    replies = await asyncio.gather(*(say(Note(n=n)) for n in range(300)))
    assert [reply.n for reply in replies] == list(range(300))
