"""Starting a run again."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from flyte._routing import Operation, route
from flyte.definitions.validators import is_bool
from flyte.errors import NotFoundError, RemoteTaskUsageError
from flyte.remote.runs.action_details import ActionDetails
from flyte.remote.runs.downloads.links import data_uris
from flyte.remote.runs.run_details import RunDetails
from flyte.remote.tasks.details import TaskDetails
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData, Relation, RelationType
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataRequest
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.run import Recover, RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.arguments import text
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.scope import Scope

from .creation import create
from .run_context import RunContext, check_names, pairs

ROOT = "a0"
"""Name of the root action of every run."""
_log = logging.getLogger("flyte.remote")


def _names(value: Sequence[str] | str | None) -> tuple[str, ...]:
    names = () if value is None else (value,) if isinstance(value, str) else tuple(value)
    return tuple(text("force_rerun_actions", name, 1) for name in names)


@attrs.frozen
class Rerun:
    """What to run again.

    Attributes:
        action_name: The action whose task and inputs to use.
        recover: Whether to keep the results of actions that succeeded.
        force_rerun_actions: Names of actions to run although they succeeded.
        allow_missing_outputs: Whether to start even if the outputs of the earlier run no longer exist.
    """

    action_name: str = ROOT
    recover: bool = attrs.field(default=False, validator=is_bool)
    force_rerun_actions: tuple[str, ...] = attrs.field(default=(), converter=_names)
    allow_missing_outputs: bool = attrs.field(default=False, validator=is_bool)

    def __attrs_post_init__(self) -> None:
        text("action_name", self.action_name, 1, 30)
        if self.force_rerun_actions and not self.recover:
            raise ValueError("force_rerun_actions needs recover=True: otherwise, all actions run again anyway")
        if self.recover and self.action_name != ROOT:
            raise ValueError(
                f"recover=True cannot be combined with action_name={self.action_name!r}: the actions of the earlier run "
                "are recovered by name, and a run of one of its actions has other names"
            )


async def rerun(
    run: RunDetails, scope: Scope, context: RunContext, what: Rerun, changes: Mapping[str, Any]
) -> RunMessage:
    """Create a run like an earlier one, under the name of the context. See `Run.rerun`.

    Returns:
        The message of the new run, or of the existing run of that name.
    """
    client = run.client
    action = run.action
    if what.action_name != ROOT:
        place = action.action_id.run or RunIdentifier()
        action = await ActionDetails.get.aio(
            run.name, what.action_name, project=place.project, domain=place.domain, client=client
        )
    spec, metadata = action.pb2.task, action.metadata.task
    if spec is None or metadata is None:
        raise RemoteTaskUsageError(
            f"action {action.name} of run {action.run_name} is not the run of a task, so it cannot be rerun"
        )
    task = TaskDetails(TaskDetailsMessage(task_id=metadata.id, spec=spec), client)
    check_names(task, changes, "rerun", partial=True)
    inputs, stored = await _inputs(task, action, what, changes)
    if inputs is not None and context.custom_context:
        kept = {pair.key: pair.value for pair in inputs.context}
        inputs.context = pairs({**kept, **context.custom_context})
    if what.recover and changes:
        _log.warning(
            "run %s is recovered with other inputs (%s): actions that succeeded keep the results that they had with the "
            "earlier inputs, unless force_rerun_actions names them",
            run.name,
            ", ".join(changes),
        )
    run_spec = context.inherited(run.pb2.run_spec or RunSpec())
    kind = RelationType.RECOVER if what.recover else RelationType.RERUN
    run_spec.relation = Relation(related_to=action.action_id.run, relation_type=kind)
    if what.force_rerun_actions:
        run_spec.recover = Recover(force_rerun_actions=list(what.force_rerun_actions))
    return await create(context, client, scope, {"task_spec": spec}, spec, inputs, run_spec, stored)


async def _inputs(
    task: TaskDetails, action: ActionDetails, what: Rerun, changes: Mapping[str, Any]
) -> tuple[Inputs | None, OffloadedInputData | None]:
    """Return the inputs, or where they are stored."""
    if changes and set(changes) == set(task.interface.inputs):
        return task.encode_inputs(changes), None
    cluster = await route(action.client, Operation.GET_ACTION_DATA, action.action_id)
    request = GetActionDataRequest(action_id=action.action_id)
    try:
        data = await unary(cluster, DataProxyService.GET_ACTION_DATA, request)
    except NotFoundError as error:
        if not what.allow_missing_outputs:
            error.add_note(
                "Servers report missing outputs like missing inputs. If the inputs still exist, pass "
                "allow_missing_outputs=True to run.rerun, or allow_missing_source_outputs=True to flyte.rerun. "
                "Otherwise, pass a value for every input."
            )
            raise
        missing = error
    else:
        kept = {item.name: item.value for item in (data.inputs or Inputs()).literals}
        # Unchanged values are passed on as they are, whatever their type.
        inputs = task.encode_inputs({**kept, **changes})
        inputs.context = [] if data.inputs is None else list(data.inputs.context)
        return inputs, None
    uri = (await data_uris(action.client, action.action_id)).inputs
    if uri is None:
        raise missing
    if changes:
        raise RemoteTaskUsageError(
            f"the inputs of run {action.run_name} can be reused but not read, so they cannot be merged with new values of "
            f"{', '.join(changes)}; pass a value for every input: {', '.join(task.interface.inputs)}"
        ) from missing
    # The server requires a hash, and uses it as part of cache keys. The inputs are not readable, so their location is hashed.
    return None, OffloadedInputData(
        uri=uri, inputs_hash=base64.b64encode(hashlib.sha256(uri.encode()).digest()).decode()
    )
