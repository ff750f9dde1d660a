"""The context of a running task, and the decorators for task functions."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from flyte_rpc.calls.block import Block, Entered, setting
from flyte_rpc.version import VERSION

F = TypeVar("F", bound=Callable[..., Any])

_NOTHING: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class TaskContext:
    """The context of the current task. Outside a task, it is falsy and its fields are empty.

    Attributes:
        action_name: Name of the action within its run.
        run_name: Name of the run.
        project: Its project.
        domain: Its domain.
        version: Version of the task.
        task_name: Name of the task.
        attempt: Number of the attempt, from 1.
        input_path: Location of the inputs.
        output_path: Location of the outputs.
        raw_data_path: Location for large data.
        custom_context: Texts from the caller; see `flyte.custom_context`.
    """

    action_name: str | None = None
    run_name: str | None = None
    project: str | None = None
    domain: str | None = None
    version: str | None = None
    task_name: str | None = None
    attempt: int | None = None
    input_path: str | None = None
    output_path: str | None = None
    raw_data_path: str | None = None
    custom_context: Mapping[str, str] = attrs.field(default=_NOTHING, hash=False)

    @property
    def action(self) -> str | None:
        """Another name of `action_name`."""
        return self.action_name

    @property
    def attempt_number(self) -> int:
        """Number of the attempt, from 0: the count of the official SDK. Outside a task, 0."""
        return (self.attempt or 1) - 1

    def is_in_cluster(self) -> bool:
        """Whether the code runs in a task."""
        return bool(self)

    def __bool__(self) -> bool:
        return self.action_name is not None


_custom: ContextVar[Mapping[str, str]] = ContextVar("flyte_custom_context", default=_NOTHING)


def ctx() -> TaskContext:
    """Return the context of the current task.

    Returns:
        The context. Outside a task, it is falsy and its fields are empty.
    """
    env = os.environ.get
    action = env("FLYTE_ACTION_NAME")
    if not action:
        return TaskContext(custom_context=_custom.get())
    attempt = env("FLYTE_ATTEMPT", "")
    return TaskContext(
        action_name=action,
        run_name=env("FLYTE_RUN_NAME"),
        project=env("FLYTE_PROJECT"),
        domain=env("FLYTE_DOMAIN"),
        version=env("FLYTE_TASK_VERSION"),
        task_name=env("FLYTE_TASK_NAME"),
        attempt=int(attempt) if attempt.isdigit() else None,
        input_path=env("FLYTE_INPUT_PATH"),
        output_path=env("FLYTE_OUTPUT_PATH"),
        raw_data_path=env("FLYTE_RAW_DATA_PREFIX"),
        custom_context=_custom.get(),
    )


def get_custom_context() -> dict[str, str]:
    """Return the texts of the current `custom_context`, and in a task those of its caller.

    Returns:
        A copy. It is empty if there are none.
    """
    return dict(ctx().custom_context)


def version() -> str:
    """Return the version of flyte-remote, which is `flyte.__version__`."""
    return VERSION


logger = logging.getLogger("flyte.user")
"""The logger for messages of your own tasks and programs. It is a child of `flyte`, the logger of this package."""
system_logger = logging.getLogger("flyte")
"""The logger of this package."""


def custom_context(**texts: str) -> Block[Mapping[str, str]]:
    """Pass texts to all tasks that are called or started in a `with` block, and to the tasks that they call.

    Args:
        texts: Texts by name. They are merged with those of an outer block.

    Returns:
        The block. Used without `with`, it has no effect, and warns.

    Raises:
        TypeError: A value is not text.
    """
    for name, value in texts.items():
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"custom_context takes text, not {name}={value!r}")

    def enter() -> Entered[Mapping[str, str]]:
        merged = MappingProxyType({**_custom.get(), **texts})
        return setting(_custom, merged, merged)

    return Block("custom_context(...)", enter)


def task(function: F) -> F:
    """Mark a function as a task. It can be deployed, and still be called and tested as a plain function.

    Args:
        function: A function, `def` or `async def`, whose parameters and result are annotated.
    """
    return _marked(function, "task")


def workflow(function: F) -> F:
    """Mark a function as a task that calls other tasks; see `task`.

    Inside a run, `deployed(x=1)` submits the deployed task as a child action and returns its result; in an `async def`
    await it.

    Args:
        function: A function, `def` or `async def`, whose parameters and result are annotated.
    """
    return _marked(function, "workflow")


def _marked(function: F, kind: str) -> F:
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"flyte.{kind} decorates a function, not {type(function).__name__}")
    setattr(function, "__flyte_kind__", kind)  # noqa: B010 - an attribute that Callable does not declare
    return function
