"""Task functions that the tests deploy."""

import asyncio
import os
import time


def multiply(x: int, y: int = 2) -> int:
    """Multiply two numbers."""
    print(f"multiplying {x} by {y}", flush=True)
    return x * y


def fail(message: str) -> int:
    """Fail on purpose."""
    raise ValueError(message)


async def shout(words: list[str], times: int = 1) -> tuple[str, int]:
    """Give two outputs."""
    await asyncio.sleep(0)
    return " ".join(words).upper() * times, len(words)


def environment(name: str) -> str:
    """Tell a variable of the process."""
    return os.environ.get(name, "")


def wait_for_file(path: str) -> str:
    """Run until a file is there, or somebody ends it."""
    print("waiting", flush=True)
    while not os.path.exists(path):
        time.sleep(0.01)
    print("found", flush=True)
    return path


def nothing() -> None:
    """Give no output."""
