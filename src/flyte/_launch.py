"""`flyte.run`, `flyte.rerun` and `flyte.with_runcontext`, which start runs of deployed tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Never

from flyte._client import resolve_client
from flyte.access.authoring import refuse
from flyte.definitions.notifications import Notifications
from flyte.remote._run import Run
from flyte.remote._task import LazyEntity
from flyte.remote.launch.creation import create
from flyte.remote.launch.rerun import Rerun
from flyte.remote.launch.rerun import rerun as create_again
from flyte.remote.launch.run_context import LogFormat, RunContext, check_names
from flyte.remote.runs.run_details import RunDetails
from flyte.remote.tasks.details import TaskDetails
from flyte.types.frames.declared import takes_frames
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_rpc.arguments import flag, seconds, text
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


@blocking_function
async def rerun(
    run_name: str,
    action_name: str = "a0",
    recover: bool = False,
    force_rerun_actions: Sequence[str] | None = None,
    allow_missing_source_outputs: bool = False,
    **inputs: Any,
) -> Run:
    """Start a new run with the task, inputs and settings of an earlier run, except for the given inputs.

    `run.rerun()` does the same for a run at hand, and `flyte.with_runcontext(...).rerun` with settings.

    Args:
        run_name: Name of the earlier run, in the project and domain of the current client.
        action_name: The action whose task and inputs to use. Default: "a0", the root action.
        recover: Whether to keep the results of actions that succeeded, and run only the others. Default: False. Servers
            that cannot recover run all actions.
        force_rerun_actions: With `recover`, names of actions to run although they succeeded. The server ignores names
            that do not exist.
        allow_missing_source_outputs: Whether to start even if the outputs of the earlier run were deleted. Then the client
            cannot check that its inputs still exist. Default: False.
        inputs: New values of inputs, by name. If all inputs are given, those of the earlier run are not read.

    Returns:
        The new run.

    Raises:
        RemoteTaskUsageError: The task has no such input, or the action is not the run of a task; nothing was started.
        TypeError: An input has the wrong type; nothing was started.
        ValueError: The arguments conflict; nothing was sent.
        NotFoundError: The run, the action, or its inputs do not exist.
        RpcError: The call failed; the subclass says how.

    Calls `RunService.GetRunDetails`, `DataProxyService.GetActionData` and `UploadInputs`, and `RunService.CreateRun`; with
    an action `RunService.GetActionDetails`, and for missing outputs `RunService.GetActionDataURIs`.
    """
    what = Rerun(action_name, recover, force_rerun_actions, allow_missing_source_outputs)
    return await _start_again(RunContext(), run_name, what, inputs)


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

    @blocking
    async def rerun(
        self,
        /,
        run_name: str,
        action_name: str = "a0",
        recover: bool = False,
        force_rerun_actions: Sequence[str] | None = None,
        allow_missing_source_outputs: bool = False,
        **inputs: Any,
    ) -> Run:
        """Start a new run like an earlier one. The settings of this runner override those of the earlier run.

        Args:
            run_name: Name of the earlier run, in the project and domain of the client.
            action_name: The action whose task and inputs to use. Default: "a0", the root action.
            recover: Whether to keep the results of actions that succeeded. Default: False.
            force_rerun_actions: With `recover`, names of actions to run although they succeeded.
            allow_missing_source_outputs: Whether to start even if the outputs of the earlier run were deleted.
                Default: False.
            inputs: New values of inputs, by name.

        Returns:
            The new run. Errors and calls are those of `flyte.rerun`.

        Raises:
            AlreadyExistsError: The name is taken by a run with another task or other inputs.
        """
        what = Rerun(action_name, recover, force_rerun_actions, allow_missing_source_outputs)
        with within(self.context.timeout):
            return await _start_again(self.context, run_name, what, inputs)

    def __repr__(self) -> str:
        return f"Runner({self.context!r})"


_AUTHORING: Mapping[str, tuple[object, ...]] = {
    "copy_bundle_to": (None,),
    "copy_style": (None, "loaded_modules"),
    "dry_run": (None, False),
    "interactive_mode": (None, False),
    "reset_root_logger": (None, False),
    "tracked": (None, False),
    "tracked_strict": (None, False),
}
"""Arguments of the official SDK for tasks whose code is here, and their values without effect."""


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
    version: str | None = None,
    notifications: Notifications | None = None,
    run_start_time: datetime | None = None,
    log_level: int | str | None = None,
    log_format: LogFormat | None = None,
    user_log_level: int | str | None = None,
    debug: bool = False,
    disable_run_cache: bool = False,
    preserve_original_types: bool | None = None,
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
        version: Version of the deployed task to run. Default: the version of the task that is passed to `run`.
        notifications: Whom to notify when the run ends: the name of a rule on the server, or notifications of
            `flyte.notify`, one or a list. Default: nobody.
        run_start_time: The logical start time of the run, for tasks that read it. Default: the server sets it.
        log_level: Log level of the official SDK in the tasks, such as logging.DEBUG or "debug". Sets LOG_LEVEL.
        log_format: Log format of the official SDK in the tasks: "console" or "json". Sets LOG_FORMAT.
        user_log_level: Log level of the tasks' own messages through `flyte.logger`. Sets USER_LOG_LEVEL.
        debug: Whether the tasks start an editor in the container, to debug them in the web console, on clusters that offer
            it. Default: False.
        disable_run_cache: Accepted for the official SDK, which then packages the code again. A deployed task is packaged
            already, so this has no effect. For fresh outputs, pass `overwrite_cache=True`.
        preserve_original_types: None or False. For the types of outputs, use `run.outputs(as_types=...)`.
        timeout: Maximum seconds to start the run, for all calls together, or a timedelta. It does not limit the run.
            Default: the client's for each call.
        client: The client for the calls. Default: the task's.
        authoring: Arguments of the official SDK for tasks whose code is here, such as `copy_style` and `dry_run`. Only
            their defaults are accepted.

    Raises:
        TypeError: A value has the wrong type, or an argument does not exist.
        ValueError: The mode, the name, `on_existing`, the scope, the timeout or a number is invalid, or an argument is only
            for tasks whose code is here.
    """
    if mode not in (None, "remote"):
        raise ValueError(
            f"mode must be 'remote', not {mode!r}: flyte-remote runs deployed tasks on a control plane. To run the code of a "
            "task on this machine, use the official SDK (the distribution `flyte`)"
        )
    refuse("with_runcontext", authoring, _AUTHORING)
    if flag("preserve_original_types", preserve_original_types, optional=True):
        raise ValueError("preserve_original_types cannot be True; pass run.outputs(as_types={...}) the types to read")
    flag("disable_run_cache", disable_run_cache)
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
            version=version,
            notifications=notifications,
            run_start_time=run_start_time,
            log_level=log_level,
            log_format=log_format,
            user_log_level=user_log_level,
            debug=debug,
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
    if context.version is not None and context.version != details.version:
        details = await _version_of(details, context.version)
    if by_position:
        raise details.positional_inputs(len(by_position))
    check_names(details, inputs, "run")
    message = await _encoded(details, inputs)
    message.context = context.texts()
    what: dict[str, Any] = {"task_spec": details.spec} if details.overridden else {"task_id": details.pb2.task_id}
    client = context.client or details.client
    scope = client.scope(context.project or details.project or None, context.domain or details.domain or None)
    context = context.named()
    run_spec = context.spec(scope, details.queue)
    created = await create(context, client, scope, what, details.spec, message, run_spec)
    return Run(created, client)


async def _encoded(details: TaskDetails, inputs: Mapping[str, Any]) -> Inputs:
    """Encode the inputs, in a thread if there may be frames or arrays among them, which are uploaded first."""
    declared = details.typed_interface.inputs
    if declared is not None and any(v.value is not None and takes_frames(v.value.type) for v in declared.variables):
        return await asyncio.to_thread(details.encode_inputs, inputs)
    return details.encode_inputs(inputs)


async def _version_of(details: TaskDetails, version: str) -> TaskDetails:
    """Fetch another version of a task."""
    if details.overridden:
        raise ValueError(
            f"version={version!r} cannot be combined with an override of version {details.version!r}; get that version "
            "with Task.get, and override it"
        )
    return await TaskDetails.fetch.aio(
        details.name,
        version,
        project=details.project or None,
        domain=details.domain or None,
        client=details.client,
    )


async def _start_again(context: RunContext, run_name: str, what: Rerun, inputs: Mapping[str, Any]) -> Run:
    """Start a run like an earlier one."""
    if context.version is not None:
        raise ValueError("a rerun has the definition of the earlier run; to run another version, use run")
    client = resolve_client(context.client)
    details = await RunDetails.get.aio(text("run_name", run_name, 1, 30), client=client)
    place = details.action_id.run or RunIdentifier()
    scope = client.scope(context.project or place.project, context.domain or place.domain)
    return Run(await create_again(details, scope, context.named(), what, inputs), client)
