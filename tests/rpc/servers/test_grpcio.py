"""The client against the C core of gRPC with its default settings: sizes, statuses, metadata, streams, cancellation."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.status import Status
from support.echo import Echo, Note
from support.grpcio_server import DETAILS, GrpcioServer

from .conftest import stats

MEGABYTE = 2**20


async def test_small_calls(client: Client) -> None:
    for n in range(100):
        assert (await unary(client, Echo.WRITE, Note(n=n))).n == n


async def test_empty_messages(client: Client) -> None:
    assert [note async for note in stream(client, Echo.COUNT, Note(to=0))] == []
    with pytest.raises(errors.UnknownError):
        await client.transport().unary(Echo.SAY.path, b"", [], 20)  # which is not JSON


async def test_twenty_megabytes_both_ways(client: Client) -> None:
    request = json.dumps({"big": random.Random(0).randbytes(10 * MEGABYTE).hex()}).encode()
    assert await client.transport().unary(Echo.WRITE.path, request, [], 60) == request


@pytest.mark.parametrize("message", ["", "no such note", "não, 100 % 日本 \N{PILE OF POO}\n%41"])
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
async def test_statuses(client: Client, status: Status, message: str) -> None:
    with pytest.raises(errors.RpcError) as raised:
        await unary(client, Echo.WRITE, Note(status=status, message=message))
    error = raised.value
    assert (error.status, error.message, error.details) == (status, message, DETAILS)
    assert type(error) is type(errors.rpc_error(status, ""))


async def test_a_method_that_the_server_lacks(client: Client) -> None:
    with pytest.raises(errors.UnimplementedError):
        await unary(client, Echo.MISSING, Note())


async def test_metadata_arrives_as_it_was_sent(transport: object, shared_server: GrpcioServer) -> None:
    sent = {f"x-{n}": "v" * n for n in (1, 10, 100, 1000)} | {"x-symbols": "a, b; c=%20 ~!"}
    async with Client(
        shared_server.endpoint,
        timeout=20,
        transport=transport,
        token="secret-token",
        metadata=list(sent.items()),  # type: ignore[arg-type]
    ) as client:
        for _ in range(3):  # the second and third time, from tables of headers
            await unary(client, Echo.SAY, Note())
            seen = (await stats(shared_server)).metadata
            assert seen.items() >= sent.items()
            assert seen["authorization"] == "Bearer secret-token"
            assert seen["user-agent"] == client.user_agent


async def test_twenty_thousand_items(client: Client) -> None:
    assert [note.n async for note in stream(client, Echo.COUNT, Note(to=20_000))] == list(range(20_000))


async def test_an_error_after_the_last_item(client: Client) -> None:
    seen: list[int] = []
    with pytest.raises(errors.DataLossError, match="gone") as raised:
        async for note in stream(client, Echo.COUNT, Note(to=3, status=Status.DATA_LOSS, message="gone")):
            seen.append(note.n)
    assert seen == [0, 1, 2]
    assert raised.value.details == DETAILS


async def test_a_slow_reader_slows_the_server_down(client: Client, shared_server: GrpcioServer) -> None:
    if client.settings.transport == "grpclib":
        pytest.skip("grpclib's windows of the connection and of a stream have the same size, so other calls wait")
    """At no moment is the server far ahead of the reader, by windows and the buffers of the sockets."""
    count, size, ahead = 400, 250_000, 0
    before = (await stats(shared_server)).counts.get("items", 0)
    read = 0
    async for note in stream(client, Echo.COUNT, Note(to=count, size=size)):
        assert (note.n, len(note.big)) == (read, size)
        read += 1
        if read % 20 == 0:
            for _ in range(5):
                await unary(client, Echo.SAY, Note())  # a stream that is held up holds up no call
            ahead = max(ahead, (await stats(shared_server)).counts["items"] - before - read)
    assert read == count
    assert 0 < ahead * size <= 24 * MEGABYTE < count * size


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_the_server_sees_a_cancellation(client: Client, shared_server: GrpcioServer, kind: str) -> None:
    counts = (await stats(shared_server)).counts
    before = {name: counts.get(name, 0) for name in ("entered", "cancelled")}

    async def call() -> None:
        if kind == "unary":
            await unary(client, Echo.WRITE, Note(hang=True))
        else:
            async for _ in stream(client, Echo.COUNT, Note(to=1, hang=True)):
                pass

    task = asyncio.ensure_future(call())
    await stats(shared_server, entered=before["entered"] + 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stats(shared_server, cancelled=before["cancelled"] + 1)
    assert (await unary(client, Echo.SAY, Note(n=1))).n == 1


@pytest.mark.parametrize("rpc", [Echo.SAY, Echo.WRITE], ids=["read", "write"])
async def test_both_sides_give_up_at_the_deadline(client: Client, rpc: object) -> None:
    """Client and server watch the same deadline. Whoever notices first, the error says what happened."""

    async def late(seconds: float) -> type[BaseException]:
        with pytest.raises(errors.RpcError) as raised:
            await unary(client, rpc, Note(hang=True), timeout=seconds)  # type: ignore[arg-type]
        return type(raised.value)

    await unary(client, Echo.SAY, Note())
    one_by_one = [await late(0.05) for _ in range(10)]
    together = await asyncio.gather(*(late(0.2) for _ in range(10)))
    assert one_by_one == together == [errors.DeadlineExceededError] * 10


async def test_the_deadline_of_a_stream(client: Client) -> None:
    replies = stream(client, Echo.COUNT, Note(to=1, hang=True), timeout=0.2)
    assert (await anext(replies)).n == 0
    with pytest.raises(errors.DeadlineExceededError):
        await anext(replies)
