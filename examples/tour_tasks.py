"""The tasks of the tour: plain functions with type annotations for inputs and outputs."""

import asyncio
import os
import time

import flyte
from flyte.remote import Task


def train(rounds: int, rate: float = 0.1) -> tuple[float, list[float]]:
    """Pretend to train a model.

    Args:
        rounds: Number of training rounds.
        rate: Learning rate.
    """
    print(os.environ.get("TOUR_GREETING", "training"), flush=True)
    losses = [round((1 - rate) ** n, 4) for n in range(1, rounds + 1)]
    for number, loss in enumerate(losses, start=1):
        print(f"round {number}: loss {loss}", flush=True)
    return losses[-1], losses


@flyte.workflow
async def compare(rates: list[float]) -> float:
    """Train with several rates concurrently, each in a child action. Return the lowest loss."""
    train = Task.get("tour_tasks.train", auto_version="latest")
    results = await asyncio.gather(*(train(rounds=2, rate=rate) for rate in rates))
    return min(loss for loss, _ in results)


def broken() -> int:
    """Always fail."""
    raise RuntimeError("the data is not what it was")


def endless() -> None:
    """Run until aborted."""
    while True:
        time.sleep(1)
