"""Watches of servers that restart. The connection is real."""

from __future__ import annotations

import asyncio

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.entities.results import as_is, watched
from flyte_rpc.entities.watch import Watch
from flyte_rpc.serving.server import serve
from support.echo import Echo, EchoServer, Note


def watch_of(client: Client) -> Watch[Note]:
    watch: Watch[Note] = watched(
        as_is,
        client,
        Echo.COUNT,
        Note(to=3),
        items=lambda reply: [reply],
        final=lambda item: item.n == 2,
        about="the notes",
        timeout=20,
    )
    return watch


async def test_a_watch_that_begins_while_the_server_is_away(echo: EchoServer) -> None:
    refused = asyncio.Event()

    def observe(call: CallRecord) -> None:
        if isinstance(call.error, errors.EndpointError):
            refused.set()

    async with await serve([echo]) as first, Client(first.endpoint, timeout=20, on_call=observe) as client:
        await unary(client, Echo.SAY, Note())
        await first.close()

        async def collect() -> list[int]:
            return [note.n async for note in watch_of(client)]

        watching = asyncio.ensure_future(collect())
        waiting = asyncio.ensure_future(refused.wait())
        await asyncio.wait([watching, waiting], return_when=asyncio.FIRST_COMPLETED)
        async with await serve([echo], port=first.port):
            assert await watching == [0, 1, 2]


async def test_a_watch_of_a_server_that_was_never_there(echo: EchoServer) -> None:
    async with await serve([echo]) as server:
        await server.close()
        async with Client(server.endpoint, timeout=20) as client:
            with pytest.raises(errors.EndpointError, match="nothing is listening"):
                async for _ in watch_of(client):
                    pass
