"""CreateRun: the inputs are stored first, where the server can, and the request refers to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyte._routing import Operation, route
from flyte.errors import AlreadyExistsError, UnimplementedError
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

from .run_context import RunContext


async def create(
    context: RunContext,
    client: Client,
    scope: Scope,
    what: Mapping[str, Any],
    inputs: Inputs,
    queue: str | None = None,
    relation: Relation | None = None,
) -> RunMessage | None:
    """Create a run of `what`: a `task_id` or a `task_spec`.

    Returns:
        The message of the new run; None if a run of the context's name exists.
    """
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
    # A retry under a name of the caller's choice finds the run of the first attempt.
    rpc = RunService.CREATE_RUN if context.name is None else RunService.CREATE_RUN.repeatable()
    try:
        reply = await unary(client, rpc, request)
    except AlreadyExistsError:
        if context.name is None:
            raise
        return None
    return reply.run or RunMessage()


async def upload_inputs(
    client: Client, operation: Operation, project: ProjectIdentifier, request: UploadInputsRequest
) -> OffloadedInputData | None:
    """Store inputs. Returns None if the server cannot store them, so that they travel with the request."""
    try:
        client = await route(client, operation, project)
        reply = await unary(client, DataProxyService.UPLOAD_INPUTS, request)
    except UnimplementedError:
        return None
    return reply.offloaded_input_data
