"""Deploys triggers: looks up the task, uploads inputs and checks the replaced revision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flyte._routing import Operation
from flyte.definitions.trigger import Trigger
from flyte.errors import FailedPreconditionError, InternalError, NotFoundError, RpcError
from flyte.remote._task import Task
from flyte.remote.launch.creation import upload_inputs
from flyte.remote.tasks.details import TaskDetails
from flyte_api.messages.flyteidl2.common.identifier import ProjectIdentifier
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import UploadInputsRequest
from flyte_api.messages.flyteidl2.task.common import Inputs, TriggerAutomationSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerSpec
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.scope import Scope

from .details import TriggerDetails
from .spec import automation_of, spec_of

Send = Callable[[TriggerSpec, str, str, TriggerAutomationSpec, int], Awaitable[TriggerDetails]]
"""Sends a trigger: the run spec, the trigger's name, its task, its automation, and the revision that it replaces."""


async def deploy(
    send: Send,
    client: Client,
    scope: Scope,
    trigger: Trigger,
    task_name: str,
    task_version: str | None,
    revision: int | None,
) -> TriggerDetails:
    """Deploy a trigger that replaces `revision`, or the latest revision."""
    if task_version is None:
        handle = Task.get(task_name, scope.project, scope.domain, auto_version="latest", client=client)
    else:
        handle = Task.get(task_name, scope.project, scope.domain, task_version, client=client)
    task = await handle.fetch.aio()
    spec, automation = spec_of(trigger, task), automation_of(trigger)
    replaced = await _latest(client, scope, trigger.name, task_name) if revision is None else revision
    await _store(client, scope, task, spec)
    try:
        return await send(spec, trigger.name, task_name, automation, replaced)
    except InternalError as cause:
        # The open-source server has no status code for an outdated revision, so compare with the trigger itself.
        lost = await _lost(cause, client, scope, trigger.name, task_name, replaced)
        if lost is None:
            raise
        raise lost from cause


async def _latest(client: Client, scope: Scope, name: str, task_name: str) -> int:
    """Return the latest revision; 0 if the trigger does not exist or was deleted."""
    try:
        found = await TriggerDetails.get.aio(name, task_name, project=scope.project, domain=scope.domain, client=client)
    except NotFoundError:
        return 0
    return found.revision


async def _store(client: Client, scope: Scope, task: TaskDetails, spec: TriggerSpec) -> None:
    """Upload the inputs if the server supports it: scheduled runs may only see uploaded inputs."""
    if spec.inputs is None or spec.inputs == Inputs():
        return
    project = ProjectIdentifier(organization=scope.org, domain=scope.domain, name=scope.project)
    request = UploadInputsRequest(project_id=project, task_id=task.pb2.task_id, inputs=spec.inputs)
    stored = await upload_inputs(client, Operation.UPLOAD_TRIGGER, project, request)
    if stored is not None:
        spec.inputs, spec.offloaded_input_data = None, stored


async def _lost(
    cause: InternalError, client: Client, scope: Scope, name: str, task_name: str, replaced: int
) -> FailedPreconditionError | None:
    """Return the error for a trigger that is not at the replaced revision; None if it is."""
    if not replaced:
        return None
    try:
        now = await _latest(client, scope, name, task_name)
    except RpcError:
        return None
    if now == replaced:
        return None
    state = f"is at revision {now}" if now else "was deleted"
    error = FailedPreconditionError(
        f"trigger {name} of task {task_name} {state}, so revision {replaced} cannot be replaced",
        hint="Another user has changed it. Fetch it again and decide what to deploy.",
    )
    error.method, error.endpoint, error.request_id = cause.method, cause.endpoint, cause.request_id
    return error
