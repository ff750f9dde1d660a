"""A module of a package, with a relative import."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import datetime
from typing import NamedTuple

from flyte.errors import RuntimeUserError

from .helpers import twice


class Pair(NamedTuple):
    small: int
    large: float


def double(number: int = 4) -> int:
    """Double a number.

    Whatever it is.
    """
    print(f"doubling {number}")
    return twice(number)


async def pair(number: int) -> Pair:
    await asyncio.sleep(0)
    return Pair(number, number * 1.5)


def day_of(time: datetime) -> str:
    return time.isoformat()


def nothing() -> None:
    print("nothing to return")


def fails(number: int) -> int:
    raise ValueError(f"{number} will not do")


async def fails_with_a_code() -> None:
    raise RuntimeUserError("as agreed", code="AGREED")


def leaves() -> None:
    sys.exit("had enough")


def lies() -> int:
    return "text"  # type: ignore[return-value]


def succeeds_later() -> int:
    attempt = int(os.environ["FLYTE_ATTEMPT"])
    if attempt < 2:
        raise RuntimeError("not yet")
    return attempt


def variable(name: str) -> str:
    return os.environ.get(name, "")


def greedy() -> int:
    return len(bytearray(1 << 30))


def unannotated(number):  # type: ignore[no-untyped-def]
    return number


def process() -> dict[str, str]:
    """What a task can tell of its own process."""
    with open("scratch", "w") as file:
        file.write("x")
    return {
        "pid": str(os.getpid()),
        "parent": str(os.getppid()),
        "session": str(os.getsid(0)),
        "files": " ".join(os.listdir()),
        "arguments": str(len(sys.argv)),
        "path": sys.path[1],
        "cwd": os.getcwd(),
        "variables": " ".join(sorted(os.environ)),
    }


def endless(path: str) -> None:
    """Open a file, tell who has started this process, and stay."""
    with open(path, "w"):
        print(os.getppid(), flush=True)
        time.sleep(600)


def secret_file(name: str) -> str:
    """The content of a secret that is mounted as a file."""
    with open(os.path.join(os.environ["FLYTE_SECRETS_DEFAULT_DIR"], name), encoding="utf-8") as file:
        return file.read()
