"""The same calls to every proxy and server: sizes, errors, streams, load, and deadlines."""

from __future__ import annotations

import asyncio

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.status import Status
from support.echo import Echo, Note

from .conftest import Peer

MEGABYTE = 2**20


async def test_small_calls(client: Client) -> None:
    for n in range(50):
        assert (await unary(client, Echo.WRITE, Note(n=n + 1))).n == n + 1


async def test_twenty_megabytes_to_the_server(client: Client) -> None:
    text = "x" * (20 * MEGABYTE)
    assert (await unary(client, Echo.WRITE, Note(big=text))).big == text


async def test_forty_megabytes_both_ways(client: Client) -> None:
    text = "x" * (40 * MEGABYTE)
    assert (await unary(client, Echo.WRITE, Note(big=text))).big == text


async def test_errors_of_the_server(client: Client, peer: Peer) -> None:
    for status in Status:
        if status is not Status.OK:
            with pytest.raises(errors.RpcError) as raised:
                await unary(client, Echo.WRITE, Note(status=peer.status(status), message=f"não: {status.name}"))
            assert (raised.value.status, raised.value.message) == (status, f"não: {status.name}")
    with pytest.raises(errors.UnimplementedError):
        await unary(client, Echo.MISSING, Note())


async def test_a_long_stream(client: Client) -> None:
    seen = [note.n async for note in stream(client, Echo.COUNT, Note(to=20_000))]
    assert seen == list(range(20_000))


async def test_an_error_at_the_end_of_a_stream(client: Client, peer: Peer) -> None:
    seen = []
    with pytest.raises(errors.ResourceExhaustedError):
        async for note in stream(client, Echo.COUNT, Note(to=3, status=peer.status(Status.RESOURCE_EXHAUSTED))):
            seen.append(note.n)
    assert seen == [0, 1, 2]


async def test_a_thousand_calls_at_once(client: Client, peer: Peer) -> None:
    replies = await asyncio.gather(*(unary(client, Echo.WRITE, Note(n=n + 1)) for n in range(1000)))
    assert [reply.n for reply in replies] == list(range(1, 1001))
    assert await peer.writes() == 1000, "each was carried out once"


@pytest.mark.parametrize("rpc", [Echo.SAY, Echo.WRITE], ids=["read", "write"])
async def test_deadlines_are_called_deadlines(client: Client, rpc: object, calls: list[CallRecord]) -> None:
    await unary(client, Echo.SAY, Note())
    calls.clear()

    async def late() -> errors.RpcError:
        with pytest.raises(errors.RpcError) as raised:
            await unary(client, rpc, Note(hang=True), timeout=0.2)  # type: ignore[arg-type]
        return raised.value

    failures = await asyncio.gather(*(late() for _ in range(20)))
    assert {type(failure) for failure in failures} == {errors.DeadlineExceededError}
    assert len(calls) == 20


async def test_many_watches_beside_calls(client: Client) -> None:
    watches = [stream(client, Echo.COUNT, Note(to=1, hang=True)) for _ in range(250)]
    await asyncio.gather(*(anext(watch) for watch in watches))
    replies = await asyncio.gather(*(unary(client, Echo.SAY, Note(n=n + 1), timeout=20) for n in range(250)))
    assert len(replies) == 250
    for watch in watches:
        await watch.aclose()
