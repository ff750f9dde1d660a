"""`flyte.run` and `flyte.with_runcontext`, which start runs of deployed tasks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Never

from flyte.access.authoring import note
from flyte.remote._run import Run
from flyte.remote._task import LazyEntity
from flyte.remote.launch.creation import create
from flyte.remote.launch.run_context import RunContext
from flyte.remote.tasks.details import TaskDetails
from flyte_rpc.arguments import seconds
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within
from flyte_rpc.sync.decorators import blocking, blocking_function


@blocking_function
async def run(task: TaskDetails | LazyEntity, /, *by_position: Never, **inputs: Any) -> Run:
    """Start a run of a deployed task. `flyte.with_runcontext(...).run` does the same with settings.

    Args:
        task: What to run: the result of `Task.get`, of its `fetch`, or of `override`.
        by_position: Not accepted: the order of inputs is not part of a deployed task.
        inputs: The task's inputs by name. Those with defaults may be left out. To limit the time of the calls, use
            `flyte.with_runcontext(timeout=...).run` or `flyte.call_options`.

    Returns:
        The new run. Wait for it with `run.wait()`.

    Raises:
        RemoteTaskUsageError: Inputs are missing or unknown. The message names all of them. Nothing was sent.
        TypeError: An input has the wrong type, or `task` is not a deployed task. Nothing was sent.
        ValueError: An input is out of range, or the inputs together are too large. Nothing was sent.
        RemoteTaskNotFoundError: The task or version does not exist.
        RpcError: The call failed; the subclass says how.

    Calls what `LazyEntity.fetch` calls, then `DataProxyService.UploadInputs` and `RunService.CreateRun`.
    """
    return await _start(RunContext(), task, by_position, inputs)


class Runner:
    """Starts runs with settings. Create it with `flyte.with_runcontext`."""

    def __init__(self, context: RunContext) -> None:
        """Keep the settings."""
        self.context = context

    @blocking
    async def run(self, task: TaskDetails | LazyEntity, /, *by_position: Never, **inputs: Any) -> Run:
        """Start a run of a deployed task, with the settings of this runner.

        If you choose the name, starting is idempotent: the same name with the same task and inputs returns the existing
        run. The settings of runs are not compared.

        Args:
            task: What to run: the result of `Task.get`, of its `fetch`, or of `override`.
            inputs: The task's inputs by name. Those with defaults may be left out.

        Returns:
            The run. Arguments, errors and calls are those of `flyte.run`.

        Raises:
            AlreadyExistsError: The name is taken by a run with another task or other inputs; the message says in what it
                differs. Or the name is taken, and `on_existing` is "error".

        With a name, calls `RunService.GetRunDetails` first, and `DataProxyService.GetActionData` if the run exists.
        """
        with within(self.context.timeout):
            return await _start(self.context, task, by_position, inputs)

    def __repr__(self) -> str:
        return f"Runner({self.context!r})"


_AUTHORING = frozenset(
    (
        "copy_bundle_to",
        "copy_style",
        "interactive_mode",
        "log_format",
        "log_level",
        "preserve_original_types",
        "reset_root_logger",
        "user_log_level",
        "version",
    )
)
"""Arguments of the official SDK for tasks whose code is here."""


def with_runcontext(
    mode: Literal["remote"] | None = None,
    *,
    name: str | None = None,
    on_existing: Literal["reuse", "error"] | None = None,
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
    timeout: float | timedelta | None = None,
    client: Client | None = None,
    **authoring: Any,
) -> Runner:
    """Return a runner with settings: `flyte.with_runcontext(name="nightly").run(task, x=1)`.

    Args:
        mode: "remote". Every run is executed by the control plane.
        name: Name of the run: at most 30 lower-case letters, digits and dashes, starting with a letter. Default: a
            random name.
        on_existing: What to do if a run of that name exists: "reuse" returns it, whatever it runs; "error" raises an
            `AlreadyExistsError`. Default: return it if it has the same task and inputs, else raise the error.
        project: Project to run in. Default: the task's.
        domain: Domain to run in. Default: the task's.
        env_vars: Environment variables of all actions. They override those of the tasks.
        labels: Labels of the run.
        annotations: Annotations of the run.
        interruptible: Whether actions may run on preemptible machines. Default: each task decides.
        overwrite_cache: Whether to run tasks even if their outputs are cached, and replace those. Default: False.
        cache_lookup_scope: Where to look for cached outputs: "global" or "project-domain". Default: the server's.
        queue: Queue to run in. Default: the task's.
        service_account: Kubernetes service account to run as.
        raw_data_path: Location for large data of tasks. Default: the server's.
        run_base_dir: Location of inputs and outputs. Default: the server's.
        max_action_concurrency: Maximum number of concurrent actions of the run. Default: no limit.
        custom_context: Texts for `flyte.ctx().custom_context` of its tasks. They override those of the current context.
        timeout: Maximum seconds to start the run, for all calls together, or a timedelta. It does not limit the run.
            Default: the client's for each call.
        client: The client for the calls. Default: the task's.
        authoring: Arguments of the official SDK for tasks whose code is here, such as `copy_style` and `log_level`. They
            have no effect; a warning says so, once.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: The mode, the name, `on_existing`, the scope, the timeout or a number is invalid.
    """
    if mode not in (None, "remote"):
        raise ValueError(f"mode must be 'remote', not {mode!r}: this package runs deployed tasks on a control plane")
    note("with_runcontext", authoring, _AUTHORING, stacklevel=3)
    return Runner(
        RunContext(
            name=name,
            on_existing=on_existing,
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
            timeout=None if timeout is None else seconds("timeout", timeout),
            client=client,
        )
    )


async def _start(
    context: RunContext, task: TaskDetails | LazyEntity, by_position: tuple[object, ...], inputs: Mapping[str, Any]
) -> Run:
    """Start a run."""
    if isinstance(task, LazyEntity):
        details = await task.fetch.aio()
    elif isinstance(task, TaskDetails):  # pyright: ignore[reportUnnecessaryIsInstance]
        details = task
    else:
        raise TypeError(f"run takes a deployed task, as Task.get gives it, not {type(task).__name__}")
    if by_position:
        raise details.positional_inputs(len(by_position))
    message = details.inputs(inputs)
    message.context = context.texts()
    what: dict[str, Any] = {"task_spec": details.spec} if details.overridden else {"task_id": details.pb2.task_id}
    client = context.client or details.client
    scope = client.scope(context.project or details.project or None, context.domain or details.domain or None)
    context = context.named()
    created = await create(context, client, scope, what, details.spec, message, details.queue)
    return Run(created, client)
