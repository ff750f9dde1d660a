"""Starting runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from flyte._routing import Operation, route
from flyte.errors import AlreadyExistsError, UnimplementedError
from flyte.remote._run import Run
from flyte.remote._task import LazyEntity
from flyte.remote.tasks.details import TaskDetails
from flyte_api.messages.flyteidl2.common.identifier import ProjectIdentifier
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData, Relation
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import UploadInputsRequest
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import CreateRunRequest
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client, Scope
from flyte_rpc.sync.decorators import blocking, blocking_function

from .run_context import RunContext


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
        RemoteTaskNotFoundError: There is no such task or version.
        RpcError: The call failed; its subclasses say how.

    Calls `DataProxyService.UploadInputs` and `RunService.CreateRun`; before them what `LazyEntity.fetch` calls.
    """
    return await start(RunContext(), task, inputs)


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
        return await start(self.context, task, inputs)

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
        name: Name of the run, at most 30 lower-case letters, digits and dashes, beginning with a letter. Default: the server
            makes one up.
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
        client: The client to ask with. Default: the task's.

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


async def start(context: RunContext, task: TaskDetails | LazyEntity, inputs: Mapping[str, Any]) -> Run:
    """Start a run: check and write the inputs, then say what to run."""
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
    return await create(context, client, scope, what, message, details.queue)


async def create(
    context: RunContext,
    client: Client,
    scope: Scope,
    what: Mapping[str, Any],
    inputs: Inputs,
    queue: str | None = None,
    relation: Relation | None = None,
) -> Run:
    """Create the run of `what`: a `task_id` or a `task_spec`."""
    names = context.identifiers(scope)
    spec = context.spec(scope, queue)
    if relation is not None:
        spec.relation = relation
    upload = UploadInputsRequest(**names, **what, inputs=inputs, base_dir=spec.run_base_dir)
    project = ProjectIdentifier(organization=scope.org, domain=scope.domain, name=scope.project)
    offloaded = await upload_inputs(client, Operation.UPLOAD_INPUTS, project, upload)
    request = CreateRunRequest(
        **names,
        **what,
        inputs=None if offloaded is not None else inputs,
        offloaded_input_data=offloaded,
        run_spec=spec if bytes(spec) else None,
    )
    # With a name of ours, a repetition finds the run of the first try.
    rpc = RunService.CREATE_RUN if context.name is None else RunService.CREATE_RUN.repeatable()
    try:
        reply = await unary(client, rpc, request)
    except AlreadyExistsError:
        if context.name is None:
            raise
        return await Run.get.aio(context.name, project=scope.project, domain=scope.domain, client=client)
    return Run(reply.run or RunMessage(), client)


async def upload_inputs(
    client: Client, operation: Operation, project: ProjectIdentifier, request: UploadInputsRequest
) -> OffloadedInputData | None:
    """Store inputs; None where the server can't, so that they travel with the request that needs them."""
    try:
        client = await route(client, operation, project)
        reply = await unary(client, DataProxyService.UPLOAD_INPUTS, request)
    except UnimplementedError:
        return None
    return reply.offloaded_input_data
