"""Starting a run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyte._routing import Operation, route
from flyte.errors import RemoteTaskUsageError
from flyte.remote.runs.action_details import ActionDetails
from flyte.remote.tasks.details import TaskDetails
from flyte_api.messages.flyteidl2.common.run import Relation, RelationType
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataRequest
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Scope

from .creation import create
from .run_context import RunContext


async def rerun(action: ActionDetails, scope: Scope, context: RunContext, changes: Mapping[str, Any]) -> RunMessage:
    """Create a run like the one of a root action, under the name of the context. See `Run.rerun`.

    Returns:
        The message of the new run, or of the existing run of that name.
    """
    client = action.client
    spec, metadata = action.pb2.task, action.metadata.task
    if spec is None or metadata is None:
        raise RemoteTaskUsageError(f"run {action.run_name} is not the run of a task, so it cannot be rerun")
    task = TaskDetails(TaskDetailsMessage(task_id=metadata.id, spec=spec), client)
    cluster = await route(client, Operation.GET_ACTION_DATA, action.action_id)
    data = await unary(cluster, DataProxyService.GET_ACTION_DATA, GetActionDataRequest(action_id=action.action_id))
    kept = {item.name: item.value for item in (data.inputs or Inputs()).literals}
    # Unchanged values are passed on as they are, whatever their type.
    inputs = task.inputs({**kept, **changes})
    inputs.context = [] if data.inputs is None else list(data.inputs.context)
    relation = Relation(related_to=action.action_id.run, relation_type=RelationType.RERUN)
    return await create(context, client, scope, {"task_spec": spec}, spec, inputs, relation=relation)
