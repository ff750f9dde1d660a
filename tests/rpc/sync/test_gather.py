"""Several things at a time."""

from __future__ import annotations

import asyncio

import pytest

from flyte_rpc.gather import gather


async def test_results_come_in_order() -> None:
    later = asyncio.Event()

    async def slow() -> str:
        await later.wait()
        return "slow"

    async def fast() -> str:
        later.set()
        return "fast"

    assert await gather([slow(), fast()]) == ["slow", "fast"]
    assert await gather([]) == []


async def test_the_others_have_ended_when_one_fails() -> None:
    begun = asyncio.Event()
    ended: list[str] = []

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")

    async def failing() -> None:
        await begun.wait()
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        await gather([endless(), failing()])
    assert ended == ["endless"]
