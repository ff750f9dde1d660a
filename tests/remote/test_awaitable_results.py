"""Methods that are coroutines in the official SDK, called as programs for it do."""

from __future__ import annotations

import asyncio

import flyte
from flyte.models import ActionPhase, UnknownPhase
from flyte.remote import TaskDetails


async def test_results_can_be_awaited(multiply: TaskDetails) -> None:
    run = await flyte.run.aio(multiply, x=21)
    assert await run.action.wait(quiet=True, timeout=60) is ActionPhase.SUCCEEDED
    details = await run.action.details()
    assert (await details.inputs(), await details.outputs()) == ({"x": 21, "y": 2}, (42,))
    assert await asyncio.gather(run.action.wait(quiet=True), run.action.details()) == [ActionPhase.SUCCEEDED, details]


async def test_an_unknown_phase_can_be_awaited() -> None:
    assert await UnknownPhase(42) == "unknown(42)"
