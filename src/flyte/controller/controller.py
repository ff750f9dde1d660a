"""Submits calls from one task to others, and returns their results."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from flyte import _hashing as hashing
from flyte._client import current_client
from flyte._context import TaskContext, ctx
from flyte._routing import Operation, route
from flyte._task_errors import origin_of, task_error
from flyte.errors import (
    ActionAbortedError,
    AlreadyExistsError,
    BaseRuntimeError,
    InternalError,
    RpcError,
    RuntimeSystemError,
    TaskTimeoutError,
)
from flyte.models import ActionPhase
from flyte_api.messages.flyteidl2.actions.actions_service import AbortRequest, Action, EnqueueRequest
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, ProjectIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.core.execution import ExecutionError
from flyte_api.messages.flyteidl2.core.interface import TypedInterface
from flyte_api.messages.flyteidl2.core.literals import KeyValuePair
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataRequest, UploadInputsRequest
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import TaskAction
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDetailsRequest
from flyte_api.messages.google.protobuf.wrappers import StringValue
from flyte_api.services.flyteidl2.actions.actions_service import ActionsService
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.entities.reconnecting import persistent
from flyte_rpc.sync import bridge

from .children import Children, ChildResult
from .names import Names

T = TypeVar("T")

_log = logging.getLogger("flyte.controller")

_AT_ONCE = 1000
"""Maximum number of concurrent children per parent. Further ones wait here, not on the control plane."""
_SUBMITTING = 20
"""Maximum number of concurrent submissions per parent."""
_SUBMISSION = Backoff(attempts=100, first=0.5, longest=10.0)
_CLEANING_UP = 6.0
"""Seconds in which a cancelled call can abort its child."""


class DeployedTask(Protocol):
    """The part of `TaskDetails` that the controller uses."""

    @property
    def name(self) -> str: ...
    @property
    def queue(self) -> str | None: ...
    @property
    def spec(self) -> TaskSpec: ...
    @property
    def template(self) -> TaskTemplate: ...
    @property
    def typed_interface(self) -> TypedInterface: ...
    @property
    def task_id(self) -> TaskIdentifier | None: ...
    def encode_inputs(self, values: Mapping[str, Any]) -> Inputs: ...


class Controller:
    """The children of the action that this process executes. Everything runs on the bridge's event loop."""

    def __init__(self, client: Client, context: TaskContext) -> None:
        """Create the controller on the first call; see `submit`."""
        self._client = client
        self._context = context
        self._run = RunIdentifier(
            org=client.org, project=context.project or "", domain=context.domain or "", name=context.run_name or ""
        )
        self._project = ProjectIdentifier(
            organization=client.org, domain=context.domain or "", name=context.project or ""
        )
        self._names = Names(context.action_name or "")
        self._children = Children(client, self._identifier(context.action_name or ""))
        self._under_way = asyncio.Semaphore(_AT_ONCE)
        self._submitting = asyncio.Semaphore(_SUBMITTING)

    def _identifier(self, name: str) -> ActionIdentifier:
        return ActionIdentifier(run=self._run, name=name)

    def call(self, details: DeployedTask, values: Mapping[str, Any], group: str = "") -> Coroutine[Any, Any, Any]:
        """Name a child and check its inputs immediately, in the order of the calls. Return an awaitable for the rest.

        Args:
            details: The task.
            values: Its inputs by name.
            group: The group that the child is shown in. Default: none.

        Raises:
            RemoteTaskUsageError: Inputs are missing or unknown.
            TypeError: An input has the wrong type.
            ValueError: An input is out of range, or the inputs together are too large.
        """
        inputs = details.encode_inputs(values)
        inputs.context = [KeyValuePair(key=k, value=v) for k, v in ctx().custom_context.items()]
        counted = hashing.without_ignored(inputs, details.template.metadata)
        digest = hashing.sha256(hashing.canonical(counted))
        name = self._names.next(hashing.identity(details.template, details.name), digest, group)
        return self._run_to_end(details, inputs, name, group)

    async def _run_to_end(self, details: DeployedTask, inputs: Inputs, name: str, group: str) -> Any:
        async with self._under_way:
            try:
                async with self._submitting:
                    await self._enqueue(details, inputs, name, group)
                ended = await self._children.ended(name)
            except asyncio.CancelledError:
                await asyncio.shield(self._abort(name))
                raise
            return await self._result(details, name, ended)

    async def _enqueue(self, details: DeployedTask, inputs: Inputs, name: str, group: str) -> None:
        upload = UploadInputsRequest(run_id=self._run, task_spec=details.spec, inputs=inputs)
        uri = await self._submit(partial(self._upload, upload))
        template = details.template
        key = hashing.cache_key(template, details.name, inputs, "")
        action = Action(
            action_id=self._identifier(name),
            parent_action_name=self._context.action_name,
            input_uri=uri,
            group=group,
            task=TaskAction(
                id=details.task_id,
                spec=details.spec,
                cache_key=StringValue(value=key) if key else None,
                queue=details.queue or "",
            ),
        )
        await self._submit(partial(self._enqueue_action, EnqueueRequest(action=action)))

    async def _submit(self, call: Callable[[], Awaitable[T]]) -> T:
        """Send a part of a submission until it succeeds. The names of children make this idempotent."""
        return await persistent(call, label="the submission of a child", backoff=_SUBMISSION)

    async def _upload(self, request: UploadInputsRequest) -> str:
        client = await route(self._client, Operation.UPLOAD_INPUTS, self._project)
        reply = await unary(client, DataProxyService.UPLOAD_INPUTS, request)
        return "" if reply.offloaded_input_data is None else reply.offloaded_input_data.uri

    async def _enqueue_action(self, request: EnqueueRequest) -> None:
        try:
            await unary(self._client, ActionsService.ENQUEUE, request)
        except AlreadyExistsError:
            return  # submitted by an earlier attempt of this call or of the parent; watch the child as usual
        except InternalError as cause:
            # The backend has no separate status for this.
            if "already exists" not in cause.message:
                raise

    async def _abort(self, name: str) -> None:
        """Abort a child after its call was cancelled. It may have ended, or may not exist."""
        request = AbortRequest(action_id=self._identifier(name), reason="the parent cancelled the call")
        with suppress(RpcError):
            await unary(self._client, ActionsService.ABORT, request, timeout=5)

    async def _result(self, details: DeployedTask, name: str, ended: ChildResult) -> Any:
        what = f"Child {name} ({details.name}) of action {self._context.action_name} in run {self._context.run_name}"
        if ended.phase.is_success:
            return await self._outputs(details, name)
        error = ended.error or ExecutionError()
        if ended.phase is ActionPhase.ABORTED:
            reason = error.message or await self._abort_reason(name)
            raise ActionAbortedError(f"{what} was aborted" + (f": {reason}" if reason else ""))
        origin = f" ({origin_of(error.kind.name, error.code)})" if error.message or error.code else ""
        told = f"{origin}: {error.message}" if error.message else origin
        if ended.phase is ActionPhase.TIMED_OUT:
            raise TaskTimeoutError(f"{what} timed out{told}", code=error.code)
        if told:
            raise task_error(error.kind.name, error.code, f"{what} failed{told}", fault=error.gpu_fault)
        raise RuntimeSystemError(f"{what} failed without an error message")

    async def _abort_reason(self, name: str) -> str:
        """Fetch why a child was aborted, which updates of children leave out. Empty if that is unknown."""
        request = GetActionDetailsRequest(action_id=self._identifier(name))
        try:
            reply = await unary(self._client, RunService.GET_ACTION_DETAILS, request)
        except RpcError as error:
            _log.info("the reason why child %s was aborted is unknown: %s", name, error)
            return ""
        info = None if reply.details is None else reply.details.abort_info
        return "" if info is None else info.reason

    async def _outputs(self, details: DeployedTask, name: str) -> Any:
        from flyte.types import literals_to_python

        request = GetActionDataRequest(action_id=self._identifier(name))
        client = await route(self._client, Operation.GET_ACTION_DATA, self._identifier(name))
        data = await unary(client, DataProxyService.GET_ACTION_DATA, request)
        literals = [] if data.outputs is None else data.outputs.literals
        values = [*literals_to_python(literals, details.typed_interface.outputs).values.values()]
        if len(values) < 2:
            return values[0] if values else None
        return tuple(values)


_lock = threading.Lock()
_controller: tuple[tuple[object, ...], Controller] | None = None


def current() -> Controller:
    """Return the controller of the current action. It is created on the bridge's loop."""
    global _controller
    context, client = ctx(), current_client()
    key = (os.getpid(), client, context.project, context.domain, context.run_name, context.action_name)
    with _lock:
        if _controller is None or _controller[0] != key:
            _controller = key, Controller(client, context)
        return _controller[1]


def submit(details: DeployedTask, values: Mapping[str, Any]) -> Any:
    """Call a task from within a task.

    Args:
        details: The task.
        values: Its inputs by name.

    Returns:
        The task's result: None for no outputs, a tuple for several. In async code, an awaitable of it.

    Raises:
        RemoteTaskUsageError: Inputs are missing or unknown; nothing was submitted.
        TypeError: An input has the wrong type; nothing was submitted.
        BaseRuntimeError: The child failed, was aborted or timed out; the subclass says which.
        RpcError: The child can't be submitted or watched.

    Calls `DataProxyService.UploadInputs`, `ActionsService.Enqueue` and `WatchForUpdates`, and
    `DataProxyService.GetActionData`; `ActionsService.Abort` when the call is cancelled, and
    `RunService.GetActionDetails` when the child was aborted.
    """
    work = current().call(details, values)
    if bridge.in_event_loop():
        return awaited(work)
    try:
        return bridge.run(work)
    except BaseRuntimeError as error:
        raise error.with_traceback(None) from error.__cause__  # the frames of the bridge say nothing about the child


def submit_later(details: DeployedTask, values: Mapping[str, Any]) -> Coroutine[Any, Any, Any]:
    """Call a task from within a task, as `submit` does in async code.

    Returns:
        A coroutine with the task's result.
    """
    return awaited(current().call(details, values))


async def awaited(work: Coroutine[Any, Any, Any]) -> Any:
    """Wait for work on the bridge's loop. A cancelled wait gives the work some time to clean up."""
    over: Future[None] = Future()

    async def until_over() -> Any:
        try:
            return await work
        finally:
            over.set_result(None)

    try:
        return await asyncio.wrap_future(bridge.start(until_over()))
    except BaseRuntimeError as error:
        raise error.with_traceback(None) from error.__cause__
    except asyncio.CancelledError:
        # The process may exit next, which would end the thread that calls the control plane.
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLEANING_UP):
                await asyncio.shield(asyncio.wrap_future(over))
        raise
