"""CreateRun. If the server supports it, inputs are stored first, and the request refers to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyte._routing import Operation, route
from flyte.errors import (
    AlreadyExistsError,
    DeadlineExceededError,
    RpcCancelledError,
    UnavailableError,
    UnimplementedError,
)
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

_UNKNOWN_OUTCOME = (UnavailableError, DeadlineExceededError, RpcCancelledError)
"""Errors after which the server may have executed the call."""


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

    Args:
        context: The settings, with a name: see `RunContext.named`.
        client: The client for the calls.
        scope: Project and domain to run in.
        what: The task, as a field of the request.
        inputs: Its inputs.
        queue: The task's own queue.
        relation: How the run is related to another.

    Returns:
        The message of the new run; None if a run of the context's name exists.

    Raises:
        RpcError: The call failed. If the run may have been created nevertheless, a note on the error has its name.
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
    try:
        # A retry finds the run of the first attempt, because its name is in the request.
        reply = await unary(client, RunService.CREATE_RUN.repeatable(), request)
    except AlreadyExistsError:
        return None
    except _UNKNOWN_OUTCOME as error:
        if not error.unprocessed:
            error.add_note(f"The run may have been created; check with Run.get({context.name!r}).")
        raise
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
