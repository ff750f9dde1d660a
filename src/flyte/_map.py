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
    Mapping,
)
from typing import Any, Never, cast

from flyte.errors import BaseRuntimeError, RemoteTaskUsageError
from flyte_rpc.arguments import flag, text, whole
from flyte_rpc.sync import bridge

from .controller.controller import awaited, current
from .remote._task import LazyEntity
from .remote.tasks.calling import require_context
from .remote.tasks.details import TaskDetails

_END = object()
"""In place of an item after the last one."""


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
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        group_name: str | None = None,
        concurrency: int = 100,
        return_exceptions: bool = False,
        **common: Any,
    ) -> Any:
        """Call a task once for each item, from within a task.

        Args:
            task: The task.
            items: Its inputs. Each item is a mapping of inputs by name, or the value of the only input that is not in
                `common`. They are consumed one by one, as calls begin. An async iterable, such as an async generator, is
                consumed on the event loop of the caller, if it runs in one.
            group_name: The calls are shown as a group in the web console, with the name of the task, an underscore and
                this name. Default: "map".
            concurrency: Maximum number of concurrent calls, at least 1. Default: 100.
            return_exceptions: Whether to return exceptions of failed calls as results. Default: False; the first one is
                raised, and running calls are aborted.
            common: Inputs that are the same for all calls.

        Returns:
            The results in the order of the items; in async code, an awaitable of them.

        Raises:
            TypeError: `task` is not a deployed task.
            RemoteTaskUsageError: The code does not run in a task, inputs are missing or unknown, or an item has an input
                that is in `common`, too.
            ValueError: `concurrency` is below 1, or `group_name` is empty.
            BaseRuntimeError: A call failed.

        Each call uses the RPCs of `TaskDetails.__call__`.
        """
        if bridge.in_event_loop():
            return self.aio(
                task,
                items,
                group_name=group_name,
                concurrency=concurrency,
                return_exceptions=return_exceptions,
                **common,
            )
        group = _check(task, items, group_name, concurrency, return_exceptions)
        details = task.fetch() if isinstance(task, LazyEntity) else task
        try:
            return bridge.run(_gathered(details, _Items(items), group, concurrency, return_exceptions, common))
        except BaseRuntimeError as error:
            raise error.with_traceback(
                None
            ) from error.__cause__  # the frames of the bridge say nothing about the child

    def aio(
        self,
        task: TaskDetails | LazyEntity,
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        group_name: str | None = None,
        concurrency: int = 100,
        return_exceptions: bool = False,
        **common: Any,
    ) -> Results:
        """Call a task once for each item: the async form of `flyte.map`, with the same arguments and errors.

        Returns:
            The results in the order of the items: `await` them for a list, or loop with `async for`, which begins when all
            calls have ended.
        """
        group = _check(task, items, group_name, concurrency, return_exceptions)
        return Results(_awaited(task, items, group, concurrency, return_exceptions, common))

    def __repr__(self) -> str:
        return "<function flyte.map>"


map = _Map()


def _check(
    task: TaskDetails | LazyEntity,
    items: Iterable[Any] | AsyncIterable[Any],
    group_name: str | None,
    concurrency: int,
    keep: bool,
) -> str:
    """Check the arguments, and return the name of the group."""
    if not isinstance(task, (LazyEntity, TaskDetails)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"map takes a deployed task, as Task.get gives it, not {type(task).__name__}")
    if not isinstance(items, (Iterable, AsyncIterable)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"map takes a list or another iterable of items, not {type(items).__name__}")
    whole("concurrency", concurrency, 1)
    flag("return_exceptions", keep)
    name = "map" if group_name is None else text("group_name", group_name, 1)
    require_context(task.name)
    return f"{task.name}_{name}"


class _Items:
    """Numbers the items, one at a time. Workers share it."""

    def __init__(
        self, items: Iterable[Any] | AsyncIterable[Any], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Begin to iterate.

        Args:
            items: The items.
            loop: The event loop on which to iterate over async items. Default: that of the workers.
        """
        self._async = aiter(items) if isinstance(items, AsyncIterable) else None
        self._sync = None if isinstance(items, AsyncIterable) else iter(items)
        self._loop = loop
        self._count = 0
        # An async generator can be asked for one item at a time.
        self._lock = asyncio.Lock()

    async def next(self) -> tuple[int, Any]:
        """Return the next item and its number, or `_END` as the item."""
        async with self._lock:
            if self._sync is not None:
                item = next(self._sync, _END)
            else:
                item = await self._on_loop(self._next_async())
            self._count += 1
            return self._count - 1, item

    async def _next_async(self) -> Any:
        return _END if self._async is None else await anext(self._async, _END)

    async def aclose(self) -> None:
        """End an async generator whose items are no longer wanted."""
        close = getattr(self._async, "aclose", None)
        if close is not None:
            await self._on_loop(close())

    async def _on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


async def _awaited(
    task: TaskDetails | LazyEntity,
    items: Iterable[Any] | AsyncIterable[Any],
    group: str,
    concurrency: int,
    keep: bool,
    common: Mapping[str, Any],
) -> list[Any]:
    details = await task.fetch.aio() if isinstance(task, LazyEntity) else task
    # The calls are made on the bridge's loop, but an async generator may use what belongs to this one.
    source = _Items(items, asyncio.get_running_loop())
    found: list[Any] = await awaited(_gathered(details, source, group, concurrency, keep, common))
    return found


async def _gathered(
    details: TaskDetails, items: _Items, group: str, concurrency: int, keep: bool, common: Mapping[str, Any]
) -> list[Any]:
    results: dict[int, Any] = {}
    controller, as_inputs = current(), _inputs_of(details, common)

    async def work() -> None:
        while True:
            number, item = await items.next()
            if item is _END:
                return
            try:
                results[number] = await controller.call(details, as_inputs(item), group)
            except Exception as error:
                if not keep:
                    raise
                results[number] = error

    # A fixed number of workers instead of a task per item, so that waiting items cost nothing.
    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(concurrency):
                workers.create_task(work())
    except ExceptionGroup as errors:
        failure = errors.exceptions[0]
    else:
        return [results[number] for number in range(len(results))]
    finally:
        await items.aclose()
    raise failure


def _inputs_of(details: TaskDetails, common: Mapping[str, Any]) -> Callable[[Any], Mapping[str, Any]]:
    left = [name for name in details.required_args if name not in common]

    def inputs(item: Any) -> Mapping[str, Any]:
        if isinstance(item, Mapping):
            twice = [name for name in cast("Mapping[str, Any]", item) if name in common]
            if twice:
                raise RemoteTaskUsageError(
                    f"an item and the arguments of flyte.map both have the input {', '.join(twice)} of task {details.name}; "
                    "pass it either in all items or once for all calls"
                )
            return {**common, **item}
        if len(left) != 1:
            names = ", ".join(left) or "none"
            raise RemoteTaskUsageError(
                f"task {details.name} has {len(left)} required inputs that are not in common ({names}), so each item must be a mapping of inputs by name"
            )
        return {**common, left[0]: item}

    return inputs
