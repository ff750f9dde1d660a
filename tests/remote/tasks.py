"""Task functions that the tests deploy."""

import asyncio
import os
import time

from flyte.types import File


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


def length(data: File) -> int:
    """The length of a text."""
    return len(data.open("r").read())


def publish(endpoint: str) -> str:
    """Publish to another control plane: in this project, in another domain, and as from elsewhere."""
    import flyte
    from flyte.remote import Artifact

    here = flyte.ctx()
    with flyte.Client(endpoint, project=here.project, domain=here.domain, timeout=20) as client:
        made = Artifact.create(File("s3://made"), name="made", client=client)
        Artifact.create(File("s3://made"), name="made", domain="production", client=client)
        Artifact.create(File("s3://made"), name="named", external_ref="s3://there", client=client)
    return made.version
