"""Runs that a server creates before the connection breaks: a retry finds them, and creates no second one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import flyte
from flyte._launch import Runner
from flyte.errors import DeadlineExceededError, PermissionDeniedError, UnavailableError
from flyte.remote import Run, TaskDetails
from flyte.remote.launch.run_context import RunContext, random_run_name
from flyte.types import File
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
    GetActionDataRequest,
    GetActionDataResponse,
)
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    Action,
    ActionDetails,
    ActionMetadata,
    ActionStatus,
    RunDetails,
    TaskActionMetadata,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import (
    CreateRunRequest,
    CreateRunResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
)
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote.planes.dataproxy import Data
from remote.planes.run import Runs
from support.proxies.proxy import CuttingProxy, cutting_proxy

AT_ONCE = Backoff(attempts=4, first=0.001, longest=0.001)
TASK = TaskIdentifier(project="p", domain="d", name="t", version="1")
SPEC = TaskSpec(task_template=TaskTemplate())
Start = Callable[[Client, str | None], Awaitable[Run]]


class Unlucky(Runs):
    """Creates runs, and then breaks the first replies. It names runs itself where the request does not."""

    def __init__(self, *, refuses_twice: bool) -> None:
        super().__init__()
        self.refuses_twice = refuses_twice
        self.runs: dict[str, RunMessage] = {}
        self.unlucky: list[Callable[[], object]] = []
        self.requests: list[CreateRunRequest] = []

    async def create_run(self, request: CreateRunRequest, call: ServerCall) -> CreateRunResponse:
        self.requests.append(request)
        name = request.run_id.name if request.run_id is not None else f"server{len(self.runs)}"
        is_new = name not in self.runs
        self.runs.setdefault(name, RunMessage(action=_action(name)))
        if self.unlucky:
            self.unlucky.pop(0)()
        if self.refuses_twice and not is_new:
            abort(Status.ALREADY_EXISTS, f"run {name} exists")
        return CreateRunResponse(run=self.runs[name])

    async def get_run_details(self, request: GetRunDetailsRequest, call: ServerCall) -> GetRunDetailsResponse:
        name = "" if request.run_id is None else request.run_id.name
        if name not in {*self.runs, "before"}:
            abort(Status.NOT_FOUND, f"run {name} not found")
        action = _action(name)
        details = ActionDetails(id=action.id, metadata=action.metadata, status=action.status, task=SPEC)
        return GetRunDetailsResponse(details=RunDetails(action=details))


def _action(name: str) -> Action:
    return Action(
        id=ActionIdentifier(run=RunIdentifier(project="p", domain="d", name=name), name="a0"),
        metadata=ActionMetadata(task=TaskActionMetadata(id=TASK)),
        status=ActionStatus(phase=ActionPhase.QUEUED, attempts=1),
    )


async def starts(client: Client, name: str | None) -> Run:
    task = TaskDetails(TaskDetailsMessage(task_id=TASK, spec=SPEC), client)
    if name is None:
        return await flyte.run.aio(task)
    return await Runner(RunContext(name=name)).run.aio(task)


async def starts_again(client: Client, name: str | None) -> Run:
    return await (await Run.get.aio("before", client=client)).rerun.aio(name=name)


class NoInputs(Data):
    """Stores the inputs of runs, and has none."""

    async def get_action_data(self, request: GetActionDataRequest, call: ServerCall) -> GetActionDataResponse:
        reply = await super().get_action_data(request, call)
        reply.inputs = None
        return reply


@pytest.fixture(params=[True, False], ids=["refuses a name twice", "returns the run of a name"])
def plane(request: pytest.FixtureRequest) -> Unlucky:
    return Unlucky(refuses_twice=request.param)


ways = pytest.mark.parametrize("start", [starts, starts_again], ids=["run", "rerun"])
names = pytest.mark.parametrize("name", [None, "nightly"], ids=["no name", "a name"])


@ways
@names
async def test_a_connection_that_breaks_before_the_reply(plane: Unlucky, start: Start, name: str | None) -> None:
    async with await serve([plane, NoInputs("d")]) as server:
        with cutting_proxy(server.endpoint) as proxy:
            async with Client(proxy.endpoint, project="p", domain="d", retry=AT_ONCE) as client:
                plane.unlucky = [proxy.cut]
                run = await start(client, name)
    assert list(plane.runs) == [run.name] and len(plane.requests) == 2
    assert name in (None, run.name)


@ways
async def test_a_server_that_says_it_is_unavailable_after_it_has_created_the_run(plane: Unlucky, start: Start) -> None:
    async with (
        await serve([plane, NoInputs("d")]) as server,
        Client(server.endpoint, project="p", domain="d", retry=AT_ONCE) as client,
    ):
        plane.unlucky = [lambda: abort(Status.UNAVAILABLE, "going down")] * 3
        run = await start(client, None)
    assert list(plane.runs) == [run.name] and len(plane.requests) == 4


@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED], ids=lambda status: status.name)
async def test_an_error_says_what_the_run_would_be_called(plane: Unlucky, status: Status) -> None:
    async with (
        await serve([plane, NoInputs("d")]) as server,
        Client(server.endpoint, project="p", domain="d", retry=AT_ONCE) as client,
    ):
        plane.unlucky = [lambda: abort(status, "no")] * 4
        with pytest.raises((UnavailableError, DeadlineExceededError)) as raised:
            await starts(client, None)
    (name,) = plane.runs
    assert raised.value.__notes__ == [f"The run may have been created; check with Run.get({name!r})."]


async def test_each_run_of_a_runner_has_a_name_of_its_own(plane: Unlucky) -> None:
    async with (
        await serve([plane, NoInputs("d")]) as server,
        Client(server.endpoint, project="p", domain="d") as client,
    ):
        task = TaskDetails(TaskDetailsMessage(task_id=TASK, spec=SPEC), client)
        runner = flyte.with_runcontext()
        runs = [await runner.run.aio(task) for _ in range(3)]
    assert len({run.name for run in runs}) == len(plane.runs) == 3
    assert runner.context.name is None


def test_random_names_are_names_of_runs() -> None:
    for _ in range(1000):
        name = random_run_name()
        assert re.fullmatch(r"r[b-z2-9]{19}", name) and not set(name) & set("aeiouy")
        assert RunContext(name=name).named().name == name


class Storage(Data):
    """Signs links for uploads, once the connection was cut."""

    def __init__(self, cut: list[CuttingProxy]) -> None:
        super().__init__("storage")
        self.cut = cut
        self.signed: list[CreateUploadLocationRequest] = []

    async def create_upload_location(
        self, request: CreateUploadLocationRequest, call: ServerCall
    ) -> CreateUploadLocationResponse:
        self.signed.append(request)
        if self.cut:
            self.cut.pop().cut()
        abort(Status.PERMISSION_DENIED, "no more")


async def test_a_link_for_an_upload_is_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    cut: list[CuttingProxy] = []
    storage = Storage(cut)
    async with await serve([storage]) as server:
        with cutting_proxy(server.endpoint) as proxy:
            async with Client(proxy.endpoint, project="p", domain="d", retry=AT_ONCE) as client:
                cut.append(proxy)
                with pytest.raises(PermissionDeniedError, match="no more"):
                    await File.from_local.aio(tmp_path / "a", client=client)
    assert len(storage.signed) == 2


def test_the_devbox_accepts_random_names_and_lists_runs_in_their_order(project: str, multiply: TaskDetails) -> None:
    runs = [flyte.with_runcontext(project=project).run(multiply, x=n, y=1) for n in range(5)]
    assert all(re.fullmatch(r"r[b-z2-9]{19}", run.name) for run in runs)
    listed = [run.name for run in Run.listall()]
    assert listed == [run.name for run in reversed(runs)], "the newest first"
    assert Run.get(runs[0].name) == runs[0]


@pytest.mark.parametrize("page_size", [1, 3])
def test_runs_that_start_during_a_listing_take_no_place_in_it(
    project: str, multiply: TaskDetails, page_size: int
) -> None:
    runner = flyte.with_runcontext(project=project)
    runs = [runner.run(multiply, x=n, y=1) for n in range(13)]
    found: list[Run] = []
    for run in Run.listall(page_size=page_size, limit=12):
        found.append(run)
        if len(found) in (2, 5):
            runner.run(multiply, x=len(found), y=2)
    assert found == list(reversed(runs))[:12]
