"""Starting a run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyte._routing import Operation, route
from flyte.errors import RemoteTaskUsageError
from flyte.remote.tasks.details import TaskDetails
from flyte_api.messages.flyteidl2.common.run import Relation, RelationType
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataRequest
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.calls.call_path import unary

from .run_context import RunContext
from .starting import create

if TYPE_CHECKING:
    from flyte.remote._run import Run


async def rerun(run: Run, name: str | None, changes: Mapping[str, Any]) -> Run:
    """See `Run.rerun`."""
    context = RunContext(name=name)
    details = await run.details.aio()
    action, client = details.action, run.client
    spec, metadata = action.pb2.task, action.metadata.task
    if spec is None or metadata is None:
        raise RemoteTaskUsageError(f"run {run.name} is not the run of a task, so it can't be started again")
    task = TaskDetails(TaskDetailsMessage(task_id=metadata.id, spec=spec), client)
    keeper = await route(client, Operation.GET_ACTION_DATA, action.action_id)
    data = await unary(keeper, DataProxyService.GET_ACTION_DATA, GetActionDataRequest(action_id=action.action_id))
    kept = {item.name: item.value for item in (data.inputs or Inputs()).literals}
    # Values that stay are passed on as they are, whatever their type.
    inputs = task.inputs({**kept, **changes})
    inputs.context = [] if data.inputs is None else list(data.inputs.context)
    relation = Relation(related_to=action.action_id.run, relation_type=RelationType.RERUN)
    scope = client.scope(**run.place)
    return await create(context, client, scope, {"task_spec": spec}, inputs, relation=relation)
