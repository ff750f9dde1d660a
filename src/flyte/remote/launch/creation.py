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
from flyte_api.entities.run import run_summary
from flyte_api.messages.flyteidl2.common.identifier import ProjectIdentifier
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import UploadInputsRequest
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.run import Labels, RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import RunDetails
from flyte_api.messages.flyteidl2.workflow.run_service import CreateRunRequest
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.scope import Scope

from .existing import NewRun, fetch, find, require_same, taken
from .run_context import RunContext

_UNKNOWN_OUTCOME = (UnavailableError, DeadlineExceededError, RpcCancelledError)
"""Errors after which the server may have executed the call."""


async def create(
    context: RunContext,
    client: Client,
    scope: Scope,
    what: Mapping[str, Any],
    spec: TaskSpec,
    inputs: Inputs | None,
    run_spec: RunSpec,
    stored: OffloadedInputData | None = None,
) -> RunMessage:
    """Create a run of `what`: a `task_id` or a `task_spec`.

    Args:
        context: The settings, with a name: see `RunContext.named`.
        client: The client for the calls.
        scope: Project and domain to run in.
        what: The task, as a field of the request.
        spec: The definition of the task.
        inputs: Its inputs; None if only `stored` knows them.
        run_spec: The settings as a message.
        stored: Inputs that are on the server already. Default: store `inputs`.

    Returns:
        The message of the new run, or of the existing run of that name.

    Raises:
        AlreadyExistsError: A run of that name exists, and the context refuses it.
        RpcError: The call failed. If the run may have been created nevertheless, a note on the error has its name.
    """
    names = context.identifiers(scope)
    new = NewRun(client, names["run_id"], what.get("task_id"), spec, inputs)
    if context.on_existing != "reuse":
        # Before anything is sent: some servers overwrite the inputs of an existing run, or return it as if it was new.
        existing = await find(new)
        if existing is not None:
            return await _accepted(new, existing, context)
    offloaded = stored or await _store(client, scope, {**names, **what}, inputs or Inputs(), run_spec.run_base_dir)
    request = CreateRunRequest(
        **names,
        **what,
        inputs=None if offloaded is not None else inputs,
        offloaded_input_data=offloaded,
        run_spec=run_spec if bytes(run_spec) else None,
    )
    try:
        # A retry finds the run of the first attempt, because its name is in the request.
        reply = await unary(client, RunService.CREATE_RUN.repeatable(), request)
    except AlreadyExistsError as error:
        # After a retry, it may be the run of the first attempt. A run of another caller is recognized by its differences.
        if context.on_existing == "error" and error.attempts == 1:
            raise
    except _UNKNOWN_OUTCOME as error:
        if not error.unprocessed:
            error.add_note(f"The run may have been created; check with Run.get({context.name!r}).")
        raise
    else:
        return reply.run or RunMessage()
    existing = await fetch(new)
    if context.on_existing != "reuse":
        await require_same(new, existing)
    return _summary(existing)


async def _store(
    client: Client, scope: Scope, fields: Mapping[str, Any], inputs: Inputs, base_dir: str
) -> OffloadedInputData | None:
    upload = UploadInputsRequest(**fields, inputs=inputs, base_dir=base_dir)
    project = ProjectIdentifier(organization=scope.org, domain=scope.domain, name=scope.project)
    return await upload_inputs(client, Operation.UPLOAD_INPUTS, project, upload)


async def _accepted(new: NewRun, existing: RunDetails, context: RunContext) -> RunMessage:
    if context.on_existing == "error":
        raise taken(new)
    await require_same(new, existing)
    return _summary(existing)


def _summary(details: RunDetails) -> RunMessage:
    labels = (details.run_spec or RunSpec()).labels or Labels()
    return run_summary(details, labels=labels.values)


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
