"""The tasks of the tour: plain functions, annotated so that their inputs and outputs have types."""

import asyncio
import os
import time

import flyte
from flyte.remote import Task


def train(rounds: int, rate: float = 0.1) -> tuple[float, list[float]]:
    """Pretend to train a model.

    Args:
        rounds: How often to go over the data.
        rate: How much is learnt each time.
    """
    print(os.environ.get("TOUR_GREETING", "training"), flush=True)
    losses = [round((1 - rate) ** n, 4) for n in range(1, rounds + 1)]
    for number, loss in enumerate(losses, start=1):
        print(f"round {number}: loss {loss}", flush=True)
    return losses[-1], losses


@flyte.workflow
async def compare(rates: list[float]) -> float:
    """Train with several rates at a time, each in a child action; give the lowest loss."""
    train = Task.get("tour_tasks.train", auto_version="latest")
    results = await asyncio.gather(*(train(rounds=2, rate=rate) for rate in rates))
    return min(loss for loss, _ in results)


def broken() -> int:
    """Fail, as things do."""
    raise RuntimeError("the data is not what it was")


def endless() -> None:
    """Run until somebody ends it."""
    while True:
        time.sleep(1)
