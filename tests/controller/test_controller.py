"""Children on a control plane that misbehaves; a well-behaved one runs them in `remote/test_calls.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Any

import pytest

import flyte
from flyte import errors
from flyte._client import use_client
from flyte.remote import TaskDetails
from flyte.types import interface_of, literal_type_of, to_literal
from flyte_api.messages.flyteidl2.actions.actions_service import (
    AbortRequest,
    AbortResponse,
    EnqueueRequest,
    EnqueueResponse,
    WatchForUpdatesRequest,
    WatchForUpdatesResponse,
)
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.core.execution import ExecutionError, ExecutionErrorErrorKind
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    GetActionDataRequest,
    GetActionDataResponse,
    UploadInputsRequest,
    UploadInputsResponse,
)
from flyte_api.messages.flyteidl2.task.common import NamedLiteral, Outputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import AbortInfo, ActionDetails
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDetailsRequest, GetActionDetailsResponse
from flyte_api.messages.flyteidl2.workflow.state_service import ActionUpdate, ControlMessage
from flyte_api.services.flyteidl2.actions.actions_service import ActionsServiceBase
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyServiceBase
from flyte_api.services.flyteidl2.workflow.run_service import RunServiceBase
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import ServerCall, Status, abort, serve

DEADLINE = 30.0


class Plane(ActionsServiceBase, DataProxyServiceBase, RunServiceBase):
    """Accepts children and reports their end as a test requires. Executes nothing."""

    RPCS = (*ActionsServiceBase.RPCS, *DataProxyServiceBase.RPCS, *RunServiceBase.RPCS)

    def __init__(self) -> None:
        self.refusals: list[Status] = []
        """The answers to the next submissions, in order."""
        self.streams: list[Status | None] = []
        """How the next streams end before sending anything; None is a clean end."""
        self.ending = ActionUpdate(phase=ActionPhase.SUCCEEDED)
        self.taken: list[str] = []
        self.groups: list[str] = []
        self.aborted: asyncio.Queue[str] = asyncio.Queue()
        self.reason: str | None = None
        """Why actions were aborted; None if it does not tell."""
        self.watches = 0
        self._news = asyncio.Condition()

    async def upload_inputs(self, request: UploadInputsRequest, call: ServerCall) -> UploadInputsResponse:
        return UploadInputsResponse(offloaded_input_data=OffloadedInputData(uri="file:///in", inputs_hash="h"))

    async def enqueue(self, request: EnqueueRequest, call: ServerCall) -> EnqueueResponse:
        assert request.action is not None and request.action.action_id is not None
        status = self.refusals.pop(0) if self.refusals else None
        if status in (None, Status.INTERNAL, Status.ALREADY_EXISTS):
            async with self._news:
                self.taken.append(request.action.action_id.name)
                self.groups.append(request.action.group)
                self._news.notify_all()
        if status is not None:
            abort(status, "action already exists" if status is Status.INTERNAL else "not now")
        return EnqueueResponse()

    async def watch_for_updates(
        self, request: WatchForUpdatesRequest, call: ServerCall
    ) -> AsyncIterator[WatchForUpdatesResponse]:
        self.watches += 1
        if self.streams:
            status = self.streams.pop(0)
            if status is not None:
                abort(status, "no stream")
            return
        yield WatchForUpdatesResponse(control_message=ControlMessage(sentinel=True))
        told: list[str] = []
        while True:
            async with self._news:
                await self._news.wait_for(lambda: len(self.taken) > len(told))
            for name in self.taken[len(told) :]:
                told.append(name)
                update = ActionUpdate.parse(bytes(self.ending))
                update.action_id = ActionIdentifier(name=name)
                yield WatchForUpdatesResponse(action_update=update)

    async def abort(self, request: AbortRequest, call: ServerCall) -> AbortResponse:
        assert request.action_id is not None
        self.aborted.put_nowait(request.action_id.name)
        return AbortResponse()

    async def get_action_data(self, request: GetActionDataRequest, call: ServerCall) -> GetActionDataResponse:
        value = NamedLiteral(name="o0", value=to_literal(42, literal_type_of(int), name="o0"))
        return GetActionDataResponse(outputs=Outputs(literals=[value]))

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        if self.reason is None:
            abort(Status.UNAVAILABLE, "not now")
        return GetActionDetailsResponse(details=ActionDetails(abort_info=AbortInfo(reason=self.reason)))


def double(x: int) -> int:
    return 2 * x


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.fixture
async def task(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[TaskDetails, None]:
    """A task to call from inside an action."""
    for name, value in {"PROJECT": "p", "DOMAIN": "d", "RUN_NAME": "r1", "ACTION_NAME": "a0"}.items():
        monkeypatch.setenv(f"FLYTE_{name}", value)
    template = TaskTemplate(type="python", interface=interface_of(double)[0])
    message = TaskDetailsMessage(task_id=TaskIdentifier(name="t", version="1"), spec=TaskSpec(task_template=template))
    async with await serve([plane]) as server:
        once = Backoff(attempts=1, first=0.0, longest=0.0)
        async with Client(server.endpoint, project="p", domain="d", retry=once) as client:
            with use_client(client):
                yield TaskDetails(message, client)


async def called(task: TaskDetails, **inputs: Any) -> Any:
    async with asyncio.timeout(DEADLINE):
        return await task(**inputs)


async def test_submitting_is_repeated_until_it_succeeds(plane: Plane, task: TaskDetails) -> None:
    plane.refusals = [Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED]
    assert await called(task, x=1) == 42
    assert len(plane.taken) == 1


@pytest.mark.parametrize("status", [Status.ALREADY_EXISTS, Status.INTERNAL])
async def test_a_child_that_is_there_already_is_followed(plane: Plane, task: TaskDetails, status: Status) -> None:
    # As when the reply to a first try was lost; the backend has an internal error for it.
    plane.refusals = [status]
    assert await called(task, x=1) == 42
    assert len(plane.taken) == 1


async def test_what_cannot_be_submitted_raises(plane: Plane, task: TaskDetails) -> None:
    plane.refusals = [Status.PERMISSION_DENIED]
    with pytest.raises(errors.PermissionDeniedError, match="not now"):
        await called(task, x=1)


async def test_following_survives_streams_that_break(plane: Plane, task: TaskDetails) -> None:
    plane.streams = [Status.UNAVAILABLE, None, Status.INTERNAL]
    assert await called(task, x=1) == 42
    assert plane.watches == 4


async def test_what_cannot_be_followed_raises(plane: Plane, task: TaskDetails) -> None:
    plane.streams = [Status.PERMISSION_DENIED]
    with pytest.raises(errors.PermissionDeniedError, match="no stream"):
        await called(task, x=1)


async def test_calls_share_one_stream(plane: Plane, task: TaskDetails) -> None:
    async with asyncio.timeout(DEADLINE):
        assert await asyncio.gather(*(task(x=x) for x in range(50))) == [42] * 50
        assert [await task(x=x) for x in range(50, 60)] == [42] * 10
    assert plane.watches == 1
    assert len({*plane.taken}) == 60


USER, SYSTEM = ExecutionErrorErrorKind.USER, ExecutionErrorErrorKind.SYSTEM
ENDINGS: dict[str, tuple[ActionUpdate, type[Exception], str]] = {
    "aborted": (ActionUpdate(phase=ActionPhase.ABORTED), errors.ActionAbortedError, "was aborted"),
    "aborted, and why": (
        ActionUpdate(phase=ActionPhase.ABORTED, error=ExecutionError(message="by ann", kind=USER)),
        errors.ActionAbortedError,
        "was aborted: by ann",
    ),
    "timed out": (ActionUpdate(phase=ActionPhase.TIMED_OUT), errors.TaskTimeoutError, "timed out"),
    "timed out, and why": (
        ActionUpdate(phase=ActionPhase.TIMED_OUT, error=ExecutionError(message="5 s", kind=SYSTEM)),
        errors.TaskTimeoutError,
        r"timed out \(system error\): 5 s",
    ),
    "failed": (
        ActionUpdate(phase=ActionPhase.FAILED, error=ExecutionError(code="ValueError", message="no", kind=USER)),
        errors.RuntimeUserError,
        r"failed \(user error ValueError\): no",
    ),
    "failed silently": (ActionUpdate(phase=ActionPhase.FAILED), errors.RuntimeSystemError, "without an error message"),
}


@pytest.mark.parametrize("name", ENDINGS)
async def test_children_that_do_not_succeed_raise(plane: Plane, task: TaskDetails, name: str) -> None:
    plane.ending, error, message = ENDINGS[name]
    with pytest.raises(error, match=message) as caught:
        await called(task, x=1)
    assert type(caught.value) is error
    assert plane.taken[0] in str(caught.value) and "(t)" in str(caught.value)


async def test_a_cancelled_call_aborts_its_child(plane: Plane, task: TaskDetails) -> None:
    plane.ending = ActionUpdate(phase=ActionPhase.RUNNING)
    call = asyncio.ensure_future(task(x=1))
    async with asyncio.timeout(DEADLINE):
        while not plane.taken:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await plane.aborted.get() == plane.taken[0]


async def test_map_aborts_what_is_under_way_when_one_fails(plane: Plane, task: TaskDetails) -> None:
    plane.refusals = [Status.PERMISSION_DENIED]
    plane.ending = ActionUpdate(phase=ActionPhase.RUNNING)
    with pytest.raises(errors.PermissionDeniedError):
        async with asyncio.timeout(DEADLINE):
            await flyte.map(task, range(10), concurrency=3)
    assert plane.aborted.qsize() >= 2


async def test_map_reads_an_async_generator_on_the_loop_of_the_caller(plane: Plane, task: TaskDetails) -> None:
    begun, loops = asyncio.Event(), set[object]()

    async def items() -> AsyncGenerator[object]:
        for x in range(4):
            begun.set()
            await asyncio.sleep(0)
            loops.add(asyncio.get_running_loop())
            yield {"x": x} if x % 2 else x

    async with asyncio.timeout(DEADLINE):
        assert await flyte.map.aio(task, items(), concurrency=3) == [42] * 4
        assert begun.is_set() and loops == {asyncio.get_running_loop()}
        assert [r async for r in flyte.map(task, items())] == [42] * 4
        assert await asyncio.to_thread(flyte.map, task, items()) == [42] * 4
    assert len(set(plane.taken)) == len(plane.taken) == 12


async def test_map_ends_an_async_generator_when_a_call_fails(plane: Plane, task: TaskDetails) -> None:
    plane.refusals = [Status.PERMISSION_DENIED]
    closed = asyncio.Event()

    async def items() -> AsyncGenerator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(errors.PermissionDeniedError):
            await flyte.map(task, items(), concurrency=1)
        await closed.wait()


async def test_an_error_of_the_items_is_that_of_map(plane: Plane, task: TaskDetails) -> None:
    async def items() -> AsyncGenerator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        async with asyncio.timeout(DEADLINE):
            await flyte.map(task, items(), return_exceptions=True)


async def test_map_shows_its_calls_as_a_group(plane: Plane, task: TaskDetails) -> None:
    async with asyncio.timeout(DEADLINE):
        await flyte.map(task, [1])
        await flyte.map(task, [1], group_name="nightly")
        await called(task, x=1)
    assert plane.groups == [f"{task.name}_map", f"{task.name}_nightly", ""]
    assert len(set(plane.taken)) == 3, "the group is part of the name"
    with pytest.raises(ValueError, match="group_name must not be empty"):
        flyte.map(task, [1], group_name="")


async def test_an_input_is_given_once(plane: Plane, task: TaskDetails) -> None:
    with pytest.raises(errors.RemoteTaskUsageError, match="both have the input x of task") as caught:
        async with asyncio.timeout(DEADLINE):
            await flyte.map(task, [{"x": 1}], x=2)
    assert "pass it either in all items or once for all calls" in str(caught.value) and plane.taken == []


@pytest.mark.parametrize("reason", ["by ann", "", None], ids=["a reason", "no reason", "a server that does not tell"])
async def test_the_reason_of_an_abort_is_fetched(plane: Plane, task: TaskDetails, reason: str | None) -> None:
    plane.ending, plane.reason = ActionUpdate(phase=ActionPhase.ABORTED), reason
    with pytest.raises(errors.ActionAbortedError, match="was aborted: by ann$" if reason else "was aborted$"):
        await called(task, x=1)


@pytest.mark.parametrize("way", ["call", "map"])
async def test_errors_of_sync_calls_have_no_other_error_as_their_context(
    plane: Plane, task: TaskDetails, way: str
) -> None:
    plane.ending = ENDINGS["failed"][0]
    work = partial(task, x=1) if way == "call" else partial(flyte.map, task, [1])
    with pytest.raises(errors.RuntimeUserError) as caught:
        await asyncio.to_thread(work)
    assert caught.value.__context__ is caught.value.__cause__ is None
    files = [entry.path.name for entry in caught.traceback]
    assert not {"bridge.py", "children.py"} & {*files}
