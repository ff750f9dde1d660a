"""`flyte.map`, which calls one task for many inputs."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, Never

from flyte.errors import BaseRuntimeError, RemoteTaskUsageError
from flyte_rpc.arguments import flag, whole
from flyte_rpc.sync import bridge

from .controller.controller import awaited, current
from .remote._task import LazyEntity
from .remote.tasks.calling import require_context
from .remote.tasks.details import TaskDetails


class Results(Awaitable[list[Any]], AsyncIterable[Any]):
    """The results of `flyte.map` in async code: `await` gives the list, `async for` one after the other.

    They can be awaited once, like a coroutine.
    """

    def __init__(self, work: Coroutine[Any, Any, list[Any]]) -> None:
        """Keep the calls, which begin when the results are awaited."""
        self._work = work

    def __await__(self) -> Generator[Any, Any, list[Any]]:
        return self._work.__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        for result in await self._work:
            yield result

    def __iter__(self) -> Never:
        raise TypeError("the results of flyte.map in async code need `await`, or `async for`")


class _Map:
    """`flyte.map` and `flyte.map.aio`."""

    __name__ = __qualname__ = "map"

    def __call__(
        self,
        task: TaskDetails | LazyEntity,
        items: Iterable[Any],
        *,
        concurrency: int = 100,
        return_exceptions: bool = False,
        **common: Any,
    ) -> Any:
        """Call a task once for each item, from within a task.

        Args:
            task: The task.
            items: Its inputs. Each item is a mapping of inputs by name, or the value of the only input that is not in
                `common`. They are consumed one by one, as calls begin.
            concurrency: Maximum number of concurrent calls, at least 1. Default: 100.
            return_exceptions: Whether to return exceptions of failed calls as results. Default: False; the first one is
                raised, and running calls are aborted.
            common: Inputs that are the same for all calls.

        Returns:
            The results in the order of the items; in async code, an awaitable of them.

        Raises:
            TypeError: `task` is not a deployed task.
            RemoteTaskUsageError: The code does not run in a task, or inputs are missing or unknown.
            ValueError: `concurrency` is below 1.
            BaseRuntimeError: A call failed.

        Each call uses the RPCs of `TaskDetails.__call__`.
        """
        if bridge.in_event_loop():
            return self.aio(task, items, concurrency=concurrency, return_exceptions=return_exceptions, **common)
        _check(task, items, concurrency, return_exceptions)
        details = task.fetch() if isinstance(task, LazyEntity) else task
        try:
            return bridge.run(_gathered(details, iter(items), concurrency, return_exceptions, common))
        except BaseRuntimeError as error:
            raise error.with_traceback(
                None
            ) from error.__cause__  # the frames of the bridge say nothing about the child

    def aio(
        self,
        task: TaskDetails | LazyEntity,
        items: Iterable[Any],
        *,
        concurrency: int = 100,
        return_exceptions: bool = False,
        **common: Any,
    ) -> Results:
        """Call a task once for each item: the async form of `flyte.map`, with the same arguments and errors.

        Returns:
            The results in the order of the items: `await` them for a list, or loop with `async for`, which begins when all
            calls have ended.
        """
        _check(task, items, concurrency, return_exceptions)
        return Results(_awaited(task, iter(items), concurrency, return_exceptions, common))

    def __repr__(self) -> str:
        return "<function flyte.map>"


map = _Map()


def _check(task: TaskDetails | LazyEntity, items: Iterable[Any], concurrency: int, keep: bool) -> None:
    if not isinstance(task, (LazyEntity, TaskDetails)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"map takes a deployed task, as Task.get gives it, not {type(task).__name__}")
    if not isinstance(items, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"map takes a list or another iterable of items, not {type(items).__name__}")
    whole("concurrency", concurrency, 1)
    flag("return_exceptions", keep)
    require_context(task.name)


async def _awaited(
    task: TaskDetails | LazyEntity, items: Iterator[Any], concurrency: int, keep: bool, common: Mapping[str, Any]
) -> list[Any]:
    details = await task.fetch.aio() if isinstance(task, LazyEntity) else task
    found: list[Any] = await awaited(_gathered(details, items, concurrency, keep, common))
    return found


async def _gathered(
    details: TaskDetails, items: Iterator[Any], concurrency: int, keep: bool, common: Mapping[str, Any]
) -> list[Any]:
    results: dict[int, Any] = {}
    controller, as_inputs = current(), _inputs_of(details, common)
    numbered = enumerate(items)

    async def work() -> None:
        for number, item in numbered:
            try:
                results[number] = await controller.call(details, as_inputs(item))
            except Exception as error:
                if not keep:
                    raise
                results[number] = error

    # A fixed number of workers instead of a task per item, so that waiting items cost nothing.
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except ExceptionGroup as errors:
        failure = errors.exceptions[0]
    else:
        return [results[number] for number in range(len(results))]
    raise failure


def _inputs_of(details: TaskDetails, common: Mapping[str, Any]) -> Callable[[Any], Mapping[str, Any]]:
    left = [name for name in details.required_args if name not in common]

    def inputs(item: Any) -> Mapping[str, Any]:
        if isinstance(item, Mapping):
            return {**common, **item}
        if len(left) != 1:
            names = ", ".join(left) or "none"
            raise RemoteTaskUsageError(
                f"task {details.name} has {len(left)} required inputs that are not in common ({names}), so each item must be a mapping of inputs by name"
            )
        return {**common, left[0]: item}

    return inputs
