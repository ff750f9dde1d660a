"""Starting runs."""

from __future__ import annotations

from typing import Any

from flyte.runtime.call import unary
from flyte.syncify import blocking_function
from flyte_api.messages.flyteidl2.common.identifier import ProjectIdentifier
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import CreateRunRequest
from flyte_api.services.flyteidl2.workflow.run_service import RunService

from ._run import Run
from ._task import LazyEntity
from ._task_details import TaskDetails


@blocking_function
async def run(task: TaskDetails | LazyEntity, /, **inputs: Any) -> Run:
    """Start a run of a deployed task.

    Args:
        task: What to run: the result of `Task.get`, of its `fetch`, or of `override`.
        inputs: The task's inputs by name. Those with defaults may be left out.

    Returns:
        The run, which has only just begun; wait for it with `run.wait()`.

    Raises:
        RemoteTaskUsageError: Inputs are missing or unknown; all of them are named. Nothing was sent.
        TypeError: An input has the wrong type, or `task` is not a deployed task. Nothing was sent.
        ValueError: An input is out of range, or all together are larger than travels with a call. Nothing was sent.
        RemoteTaskNotFoundError: There is no such task or version.
        RpcError: The call failed; its subclasses say how.

    Calls `RunService.CreateRun`; before it what `LazyEntity.fetch` calls.
    """
    if isinstance(task, LazyEntity):
        details = await task.fetch.aio()
    elif isinstance(task, TaskDetails):  # pyright: ignore[reportUnnecessaryIsInstance]
        details = task
    else:
        raise TypeError(f"run takes a deployed task, as Task.get gives it, not {type(task).__name__}")
    message = details.inputs(inputs)
    client = details.client
    scope = client.scope(details.project, details.domain)
    request = CreateRunRequest(
        project_id=ProjectIdentifier(organization=scope.org, domain=scope.domain, name=scope.project),
        task_id=None if details.overridden else details.pb2.task_id,
        task_spec=details.pb2.spec if details.overridden else None,
        inputs=message,
        run_spec=RunSpec(queue=details.queue) if details.queue else None,
    )
    reply = await unary(client, RunService.CREATE_RUN, request)
    return Run(reply.run or RunMessage(), client)
