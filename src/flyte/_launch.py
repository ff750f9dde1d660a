"""`flyte.run` and `flyte.with_runcontext`: starting runs of deployed tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from flyte.remote._run import Run
from flyte.remote._task import LazyEntity
from flyte.remote.launch.creation import create
from flyte.remote.launch.run_context import RunContext
from flyte.remote.tasks.details import TaskDetails
from flyte_rpc.calls.client import Client
from flyte_rpc.sync.decorators import blocking, blocking_function


@blocking_function
async def run(task: TaskDetails | LazyEntity, /, **inputs: Any) -> Run:
    """Start a run of a deployed task. `flyte.with_runcontext(...).run` does the same with settings.

    Args:
        task: What to run: the result of `Task.get`, of its `fetch`, or of `override`.
        inputs: The task's inputs by name. Those with defaults may be left out.

    Returns:
        The run, which has only just begun; wait for it with `run.wait()`.

    Raises:
        RemoteTaskUsageError: Inputs are missing or unknown; all of them are named. Nothing was sent.
        TypeError: An input has the wrong type, or `task` is not a deployed task. Nothing was sent.
        ValueError: An input is out of range, or all together are larger than travels with a call. Nothing was sent.
        RemoteTaskNotFoundError: The task or version does not exist.
        RpcError: The call failed; the subclass says how.

    Calls `DataProxyService.UploadInputs` and `RunService.CreateRun`; before them what `LazyEntity.fetch` calls.
    """
    return await _start(RunContext(), task, inputs)


class Runner:
    """Starts runs with settings; made by `flyte.with_runcontext`."""

    def __init__(self, context: RunContext) -> None:
        """Keep the settings."""
        self.context = context

    @blocking
    async def run(self, task: TaskDetails | LazyEntity, /, **inputs: Any) -> Run:
        """Start a run of a deployed task, with the settings of this runner.

        With a name of your choice, starting is idempotent: the same name again gives the run that there is.

        Args:
            task: What to run: the result of `Task.get`, of its `fetch`, or of `override`.
            inputs: The task's inputs by name. Those with defaults may be left out.

        Returns:
            The run. Arguments, errors and calls are those of `flyte.run`.
        """
        return await _start(self.context, task, inputs)

    def __repr__(self) -> str:
        return f"Runner({self.context!r})"


def with_runcontext(
    *,
    name: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    env_vars: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    interruptible: bool | None = None,
    overwrite_cache: bool = False,
    cache_lookup_scope: Literal["global", "project-domain"] | None = None,
    queue: str | None = None,
    service_account: str | None = None,
    raw_data_path: str | None = None,
    run_base_dir: str | None = None,
    max_action_concurrency: int | None = None,
    custom_context: Mapping[str, str] | None = None,
    client: Client | None = None,
) -> Runner:
    """Settings for runs to start: `flyte.with_runcontext(name="nightly").run(task, x=1)`.

    Args:
        name: Name of the run, at most 30 lower-case letters, digits and dashes, beginning with a letter. Default: a
            random one.
        project: Project to run in. Default: the task's.
        domain: Domain to run in. Default: the task's.
        env_vars: Environment variables of all its actions, over those of their tasks.
        labels: Labels of the run.
        annotations: Annotations of the run.
        interruptible: Whether its actions may run on machines that can be taken away. Default: as their tasks say.
        overwrite_cache: Whether results are worked out anew, and replace cached ones. Default: False.
        cache_lookup_scope: Where cached results are looked for, "global" or "project-domain". Default: the server's.
        queue: Queue to run in. Default: the task's.
        service_account: Kubernetes service account to run as.
        raw_data_path: Where tasks put large data. Default: the server's.
        run_base_dir: Where inputs and outputs are kept. Default: the server's.
        max_action_concurrency: Most actions of the run at a time. Default: no limit.
        custom_context: Texts that its tasks find in `flyte.ctx().custom_context`, over those of this code's own.
        client: The client for the calls. Default: the task's.

    Raises:
        TypeError: A value of the wrong kind.
        ValueError: The name, a scope or a number that can't be.
    """
    return Runner(
        RunContext(
            name=name,
            project=project,
            domain=domain,
            env_vars=env_vars,
            labels=labels,
            annotations=annotations,
            interruptible=interruptible,
            overwrite_cache=overwrite_cache,
            cache_lookup_scope=cache_lookup_scope,
            queue=queue,
            service_account=service_account,
            raw_data_path=raw_data_path,
            run_base_dir=run_base_dir,
            max_action_concurrency=max_action_concurrency,
            custom_context=custom_context,
            client=client,
        )
    )


async def _start(context: RunContext, task: TaskDetails | LazyEntity, inputs: Mapping[str, Any]) -> Run:
    """Start a run."""
    if isinstance(task, LazyEntity):
        details = await task.fetch.aio()
    elif isinstance(task, TaskDetails):  # pyright: ignore[reportUnnecessaryIsInstance]
        details = task
    else:
        raise TypeError(f"run takes a deployed task, as Task.get gives it, not {type(task).__name__}")
    message = details.inputs(inputs)
    message.context = context.texts()
    what: dict[str, Any] = {"task_spec": details.spec} if details.overridden else {"task_id": details.pb2.task_id}
    client = context.client or details.client
    scope = client.scope(context.project or details.project or None, context.domain or details.domain or None)
    context = context.named()
    created = await create(context, client, scope, what, message, details.queue)
    return await Run._created(created, context.name, scope, client)  # pyright: ignore[reportPrivateUsage]
