"""Runs whose name is chosen again: whether a start returns them, and how they differ from what it would start."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from flyte._hashing import canonical
from flyte._routing import Operation, route
from flyte.errors import (
    AlreadyExistsError,
    InternalError,
    NotFoundError,
    PermissionDeniedError,
    UnimplementedError,
    UnknownError,
)
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.core.identifier import Identifier
from flyte_api.messages.flyteidl2.core.literals import Literal as LiteralMessage
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataRequest
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionDetails,
    ActionMetadata,
    RunDetails,
    TaskActionMetadata,
)
from flyte_api.messages.flyteidl2.workflow.run_service import GetRunDetailsRequest
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.typeguards import is_dict

OnExisting = Literal["reuse", "error"]
_log = logging.getLogger("flyte.remote")

_UNREADABLE = (NotFoundError, UnimplementedError, PermissionDeniedError, InternalError, UnknownError)
"""Errors of servers that do not return what would be compared."""
_SHOWN = 5


class NewRun(NamedTuple):
    """What a start would run."""

    client: Client
    run_id: RunIdentifier
    task_id: TaskIdentifier | None
    spec: TaskSpec
    inputs: Inputs | None


async def find(new: NewRun) -> RunDetails | None:
    """Fetch the run of that name. Returns None if there is none, or if the server does not tell."""
    try:
        return await fetch(new)
    except NotFoundError:
        return None
    except _UNREADABLE as error:
        _log.info("whether run %s exists is unknown: %s", new.run_id.name, error)
        return None


async def fetch(new: NewRun) -> RunDetails:
    """Fetch the existing run.

    Raises:
        RpcError: The call failed.
    """
    reply = await unary(new.client, RunService.GET_RUN_DETAILS, GetRunDetailsRequest(run_id=new.run_id))
    return reply.details or RunDetails()


async def require_same(new: NewRun, existing: RunDetails) -> None:
    """Refuse an existing run that has another task or other inputs, as far as the server returns them.

    Raises:
        AlreadyExistsError: It differs. The message says in what.
        RpcError: A call failed.
    """
    action = existing.action or ActionDetails()
    difference = _other_task(new, action)
    if not difference and new.inputs is not None:
        difference = _other_inputs(new.inputs, await _inputs(new, action))
    if difference:
        raise taken(new, f"but {difference}")


def taken(new: NewRun, what: str = "") -> AlreadyExistsError:
    """Return the error for a run whose name is taken."""
    run = new.run_id
    error = AlreadyExistsError(
        f"run {run.name} of {run.project}/{run.domain} exists" + (f", {what}" if what else ""),
        hint='Choose another name, or pass on_existing="reuse" to get the existing run.',
    )
    error.method, error.endpoint = RunService.CREATE_RUN.path.lstrip("/"), new.client.endpoint
    return error


def _other_task(new: NewRun, action: ActionDetails) -> str:
    template = new.spec.task_template or TaskTemplate()
    wanted = new.task_id or template.id or Identifier()
    task = (action.metadata or ActionMetadata()).task or TaskActionMetadata()
    current = task.id or TaskIdentifier()
    if current.name and wanted.name:
        for name in ("project", "domain", "name", "version"):
            mine, other = getattr(wanted, name), getattr(current, name)
            if mine and other and mine != other:
                return f"it runs {_title(current)}, not {_title(wanted)}"
    if action.task is None or action.task.task_template is None:
        return ""
    names = list(_differences(action.task.task_template.to_dict(), template.to_dict()))
    return f"its task is defined differently: {_listed(names)}" if names else ""


def _title(task: TaskIdentifier | Identifier) -> str:
    return f"{task.name} {task.version} of {task.project}/{task.domain}"


async def _inputs(new: NewRun, action: ActionDetails) -> Inputs:
    """Fetch the inputs of the existing run. They are empty if the server does not return them."""
    identifier = action.id or ActionIdentifier(run=new.run_id, name="a0")
    try:
        cluster = await route(new.client, Operation.GET_ACTION_DATA, identifier)
        reply = await unary(cluster, DataProxyService.GET_ACTION_DATA, GetActionDataRequest(action_id=identifier))
    except _UNREADABLE as error:
        _log.info("the inputs of run %s cannot be compared: %s", new.run_id.name, error)
        return Inputs()
    return reply.inputs or Inputs()


def _other_inputs(new: Inputs, existing: Inputs) -> str:
    if not existing.literals:
        return ""
    current = {item.name: item.value or LiteralMessage() for item in existing.literals}
    wanted = {item.name: item.value or LiteralMessage() for item in new.literals}
    names = [
        name
        for name in {**wanted, **current}
        if name not in wanted or name not in current or canonical(wanted[name]) != canonical(current[name])
    ]
    if not names:
        return ""
    return f"it has other values of the input{'s' if len(names) > 1 else ''} {_listed(names)}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _differences(current: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths of fields that differ between two messages in their JSON form."""
    for name in {**current, **wanted}:
        one, other = current.get(name), wanted.get(name)
        if is_dict(one) and is_dict(other):
            yield from _differences(one, other, f"{prefix}{name}.")
        elif one != other:
            yield f"{prefix}{name}"
