"""The RPCs of a devbox as short calls, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import grpc.aio
import pytest

from flyte.errors import RpcError
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, ProjectIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.list import Filter, FilterFunction, ListRequest, Sort, SortDirection
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.identifier import Identifier
from flyte_api.messages.flyteidl2.core.interface import TypedInterface, Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.literals import KeyValuePair, Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.core.tasks import Container, Resources, TaskMetadata, TaskTemplate
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataRequest, TailLogsRequest
from flyte_api.messages.flyteidl2.task.common import Inputs, NamedLiteral
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.task.task_service import DeployTaskRequest
from flyte_api.messages.flyteidl2.workflow.internal_run_service import RecordActionRequest
from flyte_api.messages.flyteidl2.workflow.run_definition import Action, ActionDetails, TaskAction
from flyte_api.messages.flyteidl2.workflow.run_service import (
    AbortRunRequest,
    CreateRunRequest,
    GetActionDetailsRequest,
    WatchActionDetailsRequest,
)
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.task.task_service import TaskService
from flyte_api.services.flyteidl2.workflow.internal_run_service import InternalRunService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls import call_path as call
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.rpc import Rpc
from flyte_rpc.status import Status

DEADLINE = 20.0
"""Timeout of all operations in seconds. It is generous, and only ends tests that hang."""

DOMAIN = "development"

Req = TypeVar("Req")
Res = TypeVar("Res")


def container(*command: str, env: Mapping[str, str] | None = None, resources: Resources | None = None) -> Container:
    pairs = [KeyValuePair(key=key, value=value) for key, value in (env or {}).items()]
    return Container(image="none", command=list(command), env=pairs, resources=resources)


def shell(script: str, metadata: TaskMetadata | None = None, **options: Any) -> TaskSpec:
    """A task that runs a shell script."""
    template = TaskTemplate(
        type="container", container=container("/bin/sh", "-c", script, **options), metadata=metadata
    )
    return TaskSpec(task_template=template)


def simple(kind: SimpleType) -> LiteralType:
    return LiteralType(simple=kind)


def variables(**kinds: SimpleType) -> VariableMap:
    entries = [VariableEntry(key=name, value=Variable(type=simple(kind))) for name, kind in kinds.items()]
    return VariableMap(variables=entries)


def interface(inputs: VariableMap | None = None, outputs: VariableMap | None = None) -> TypedInterface:
    return TypedInterface(inputs=inputs, outputs=outputs)


def integer(value: int) -> Literal:
    return Literal(scalar=Scalar(primitive=Primitive(integer=value)))


def text(value: str) -> Literal:
    return Literal(scalar=Scalar(primitive=Primitive(string_value=value)))


def inputs(**values: Literal) -> Inputs:
    return Inputs(literals=[NamedLiteral(name=name, value=value) for name, value in values.items()])


def where(field: str, function: FilterFunction, *values: str) -> Filter:
    return Filter(field=field, function=function, values=list(values))


def page(
    *filters: Filter,
    limit: int = 0,
    token: str = "",
    sort: str = "",
    ascending: bool = False,
    keys: Sequence[Sort] = (),
) -> ListRequest:
    """Build a list request; `sort` and `ascending` fill the field that older clients use."""
    made = ListRequest(limit=limit, token=token, filters=list(filters), sort_by_fields=list(keys))
    if sort:
        direction = SortDirection.ASCENDING if ascending else SortDirection.DESCENDING
        with pytest.warns(DeprecationWarning, match="sort_by is deprecated"):
            made.sort_by = Sort(key=sort, direction=direction)
    return made


class Calls:
    """A client, and the test's own project."""

    def __init__(self, client: Client, project: str) -> None:
        self.client = client
        self.project = project

    @property
    def scope(self) -> ProjectIdentifier:
        return ProjectIdentifier(name=self.project, domain=DOMAIN)

    def run_id(self, name: str, org: str = "") -> RunIdentifier:
        return RunIdentifier(org=org, project=self.project, domain=DOMAIN, name=name)

    def action_id(self, run: str, name: str = "a0", org: str = "") -> ActionIdentifier:
        return ActionIdentifier(run=self.run_id(run, org), name=name)

    def task_id(self, name: str, version: str = "1") -> TaskIdentifier:
        return TaskIdentifier(project=self.project, domain=DOMAIN, name=name, version=version)

    def identify(self, spec: TaskSpec, name: str = "env.task", version: str = "1") -> TaskSpec:
        assert spec.task_template is not None
        spec.task_template.id = Identifier(project=self.project, domain=DOMAIN, name=name, version=version)
        return spec

    async def unary(self, rpc: Rpc[Req, Res], request: Req) -> Res:
        return await call.unary(self.client, rpc, request, timeout=DEADLINE)

    async def refused(self, status: Status, rpc: Rpc[Any, Any], request: Any) -> str:
        """Return the error message of a call that fails."""
        with pytest.raises(RpcError) as caught:
            await self.unary(rpc, request)
        assert caught.value.status is status, caught.value
        return str(caught.value)

    async def stream(self, rpc: Rpc[Req, Res], request: Req) -> AsyncGenerator[Res, None]:
        async with asyncio.timeout(DEADLINE):
            async with aclosing(call.stream(self.client, rpc, request)) as messages:
                async for message in messages:
                    yield message

    async def bidi(self, rpc: Rpc[Req, Res], requests: AsyncIterator[Req]) -> AsyncGenerator[Res, None]:
        """Make a bidirectional streaming call, which the SDK lacks, with the reference implementation of gRPC."""
        async with (
            asyncio.timeout(DEADLINE),
            grpc.aio.insecure_channel(self.client.endpoint.removeprefix("http://")) as channel,
        ):
            method = channel.stream_stream(rpc.path, bytes, rpc.response_type.parse)  # type: ignore[attr-defined]
            async for reply in method(requests, metadata=[("authorization", f"Bearer {self.client.settings.token}")]):
                yield reply

    async def create(self, spec: TaskSpec | TaskIdentifier, name: str = "", **fields: Any) -> Action:
        """Create a run."""
        identity: dict[str, Any] = {"run_id": self.run_id(name)} if name else {"project_id": self.scope}
        if isinstance(spec, TaskIdentifier):
            identity["task_id"] = spec
        else:
            template = spec.task_template
            identity["task_spec"] = spec if template is None or template.id is not None else self.identify(spec)
        reply = await self.unary(RunService.CREATE_RUN, CreateRunRequest(**identity, **fields))
        assert reply.run is not None and reply.run.action is not None
        return reply.run.action

    async def ended(self, action: ActionIdentifier) -> ActionDetails:
        """Follow an action to the end of its stream."""
        details = None
        async for message in self.stream(RunService.WATCH_ACTION_DETAILS, WatchActionDetailsRequest(action_id=action)):
            details = message.details
        assert details is not None
        return details

    async def run(self, spec: TaskSpec | TaskIdentifier, **fields: Any) -> ActionDetails:
        """Create a run and follow it to its end."""
        action = await self.create(spec, **fields)
        assert action.id is not None
        return await self.ended(action.id)

    async def until(self, action: ActionIdentifier, phase: ActionPhase, attempt: int = 1) -> ActionDetails:
        """Follow an action until an attempt is in a phase."""
        async with aclosing(
            self.stream(RunService.WATCH_ACTION_DETAILS, WatchActionDetailsRequest(action_id=action))
        ) as messages:
            async for message in messages:
                assert message.details is not None
                found = {item.attempt: item.phase for item in message.details.attempts}
                if found.get(attempt) == phase:
                    return message.details
        raise AssertionError(f"attempt {attempt} of {action.name} never was {phase.name}")

    async def until_status(self, action: ActionIdentifier, phase: ActionPhase) -> ActionDetails:
        """Follow an action that has no events until its status is a phase."""
        async with aclosing(
            self.stream(RunService.WATCH_ACTION_DETAILS, WatchActionDetailsRequest(action_id=action))
        ) as messages:
            async for message in messages:
                assert message.details is not None and message.details.status is not None
                if message.details.status.phase == phase:
                    return message.details
        raise AssertionError(f"{action.name} never was {phase.name}")

    async def details(self, action: ActionIdentifier) -> ActionDetails:
        reply = await self.unary(RunService.GET_ACTION_DETAILS, GetActionDetailsRequest(action_id=action))
        assert reply.details is not None
        return reply.details

    async def lines(self, action: ActionIdentifier, attempt: int = 1) -> AsyncGenerator[str, None]:
        """The log of an attempt, line by line."""
        request = TailLogsRequest(action_id=action, attempt=attempt)
        async with aclosing(self.stream(DataProxyService.TAIL_LOGS, request)) as messages:
            async for message in messages:
                for log in message.logs:
                    for line in log.lines:
                        yield line.message

    async def log(self, action: ActionIdentifier, attempt: int = 1) -> list[str]:
        return [line async for line in self.lines(action, attempt)]

    async def first_line(self, action: ActionIdentifier, attempt: int = 1) -> str:
        """Wait until an attempt prints something."""
        await self.until(action, ActionPhase.RUNNING, attempt)
        async with aclosing(self.lines(action, attempt)) as lines:
            async for line in lines:
                return line
        raise AssertionError("nothing was printed")

    async def data(self, action: ActionIdentifier) -> Any:
        return await self.unary(DataProxyService.GET_ACTION_DATA, GetActionDataRequest(action_id=action))

    async def abort(self, run: str, reason: str | None = None) -> None:
        await self.unary(RunService.ABORT_RUN, AbortRunRequest(run_id=self.run_id(run), reason=reason))

    async def deploy(self, name: str, version: str = "1", spec: TaskSpec | None = None) -> TaskIdentifier:
        identifier = self.task_id(name, version)
        request = DeployTaskRequest(task_id=identifier, spec=self.identify(spec or shell("true"), name, version))
        await self.unary(TaskService.DEPLOY_TASK, request)
        return identifier

    async def record(self, run: str, name: str = "a0", parent: str = "", task: str = "env.task") -> ActionIdentifier:
        """Record an action that nothing executes."""
        identifier = self.action_id(run, name)
        action = TaskAction(id=self.task_id(task), spec=self.identify(shell("true"), task))
        request = RecordActionRequest(action_id=identifier, parent=parent, task=action)
        reply = await self.unary(InternalRunService.RECORD_ACTION, request)
        assert reply.status is not None and reply.status.code == 0
        return identifier
