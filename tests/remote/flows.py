"""Tasks that call other tasks, deployed by the tests. Workers import this module too, so handles are made lazily here."""

import asyncio
import os
import signal
import time

import flyte
from flyte.errors import BaseRuntimeError
from flyte.remote import Task

_multiply = Task.get("flows.multiply", auto_version="latest")
_stubborn = Task.get("flows.stubborn", auto_version="latest")
_patient = Task.get("flows.patient", auto_version="latest")
_context = Task.get("flows.context", auto_version="current")
_in_sequence = Task.get("flows.in_sequence", auto_version="latest")


@flyte.task
def multiply(x: int, y: int = 2) -> int:
    """Multiply two numbers."""
    return x * y


@flyte.task
def stubborn(message: str) -> None:
    """Fail, and give no output otherwise."""
    raise LookupError(message)


@flyte.task
def patient(path: str) -> str:
    """Run until a file is there; say with another file that it runs."""
    open(f"{path}.up", "w").close()
    while not os.path.exists(path):
        time.sleep(0.01)
    return path


@flyte.task
def context() -> dict[str, str]:
    """Tell what is known of the execution."""
    here = flyte.ctx()
    assert here, "a task has a context"
    texts = {
        name: str(getattr(here, name)) for name in ("action", "run_name", "project", "domain", "version", "attempt")
    }
    return {**texts, **here.custom_context}


@flyte.workflow
def in_sequence(val: int) -> int:
    """Call one after the other, from sync code."""
    first = _multiply(x=val)
    return _multiply(x=first, y=10)


@flyte.workflow
async def gather(n: int) -> list[int]:
    """Call many at a time, some of them equal."""
    calls = [_multiply(x=i // 2) for i in range(n)]
    return list(await asyncio.gather(*calls))


@flyte.workflow
def mapped(n: int, broken: bool = False) -> list[str]:
    """Call many at a time, from sync code; tell results and errors."""
    items: list[object] = [i if not broken or i != 1 else "one" for i in range(n)]
    results = flyte.map(_multiply, items, concurrency=3, y=3, return_exceptions=True)
    return [str(r) if isinstance(r, int) else type(r).__name__ for r in results]


@flyte.workflow
async def mapped_later(n: int) -> list[int]:
    """Use the async forms: a list, one result after the other, and single calls."""
    listed = await flyte.map.aio(_multiply, range(n), y=3)
    streamed = [result async for result in flyte.map.aio(_multiply, range(n), y=4)]
    handle = await _multiply.aio(x=1, y=5)
    details = await (await _multiply.fetch.aio()).aio(x=1, y=6)
    return [*listed, *streamed, handle, details]


@flyte.workflow
def nested(val: int) -> int:
    """Call a task that calls tasks."""
    return _in_sequence(val=val)


@flyte.workflow
async def contexts() -> list[dict[str, str]]:
    """Pass texts along."""
    with flyte.custom_context(colour="blue"):
        outer = await _context()
        with flyte.custom_context(size="large"):
            inner = await _context()
    return [outer, inner, await _context()]


@flyte.workflow
def told(message: str) -> str:
    """Catch what a child failed with."""
    try:
        _stubborn(message=message)
    except BaseRuntimeError as error:
        return f"{type(error).__name__} {error.code}: {error}"
    return "no error"


@flyte.workflow
def not_told(message: str) -> int:
    """Let what a child failed with end this task too."""
    _stubborn(message=message)
    return 1


@flyte.workflow
async def not_told_later(message: str) -> int:
    """The same in async code."""
    await _stubborn(message=message)
    return 1


@flyte.workflow
def not_told_of_many(message: str) -> int:
    """The same with a map."""
    flyte.map(_stubborn, [message])
    return 1


@flyte.workflow
async def gives_up(path: str) -> str:
    """Cancel a child."""
    call = asyncio.ensure_future(_patient(path=path))
    while not os.path.exists(f"{path}.up"):
        await asyncio.sleep(0.01)
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return "cancelled"
    return "not cancelled"


@flyte.workflow
async def waits(path: str) -> str:
    """Wait for a child."""
    return await _patient(path=path)


@flyte.workflow
async def waits_for_many(directory: str, n: int) -> int:
    """Call many at a time."""
    return len(await asyncio.gather(*(_patient(path=f"{directory}/{i}") for i in range(n))))


@flyte.workflow
def second_attempt(path: str) -> int:
    """Fail once, after a call."""
    result = _multiply(x=21)
    if not os.path.exists(path):
        open(path, "w").close()
        raise ConnectionError("the first attempt always fails")
    return result


@flyte.workflow
def misused() -> list[str]:
    """Calls that are refused before anything is submitted."""
    told = []
    for call in (
        lambda: _multiply(1),
        lambda: _multiply(y=1),
        lambda: _multiply(x=1, z=1),
        lambda: _multiply(x="1"),
        lambda: flyte.map(_multiply, [1], concurrency=0),
    ):
        try:
            call()
        except Exception as error:
            told.append(type(error).__name__)
    return told


@flyte.workflow
async def dies(path: str) -> str:
    """Lose the process while a child is running."""
    call = asyncio.ensure_future(_patient(path=path))
    while not os.path.exists(f"{path}.now"):
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
    return await call
