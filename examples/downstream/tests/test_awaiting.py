"""The async client. The library runs on another event loop, like a remote one."""

from __future__ import annotations

import asyncio

import pytest
from flyte.errors import NotFoundError

from library_sdk import Book, Client, Reader


async def test_reading(stocked: Client) -> None:
    book = await Book.get.aio("hill", "b0", client=stocked)
    assert book.donor == "a neighbour"
    assert {b.name async for b in Book.of_branch("harbour", page_size=2, client=stocked)} == {
        "b0",
        "b1",
        "b2",
        "b3",
        "b4",
    }
    assert len(await Reader.listall(client=stocked).collect.aio()) == 5
    with pytest.raises(NotFoundError):
        await Reader.get.aio("card-9", client=stocked)


async def test_many_at_once(client: Client) -> None:
    await asyncio.gather(*(Book.add.aio("harbour", f"b{n}", "Dune", client=client) for n in range(20)))
    assert len(await Book.listall(page_size=7, client=client).collect.aio()) == 20


async def test_watching(stocked: Client) -> None:
    book = await Book.get.aio("harbour", "b0", client=stocked)
    states: list[str] = []
    async for seen in book.watch(timeout=20):
        states.append(seen.state)
        if seen.state == "shelved":
            await book.discard.aio()
    assert states == ["shelved", "discarded"]
