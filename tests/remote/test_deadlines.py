"""What `timeout=` of a method bounds: each page of a listing, all calls of a method together, a whole log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import flyte
from flyte.errors import DeadlineExceededError, WaitTimeoutError
from flyte.remote import Action, Project, Task
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import TailLogsRequest, TailLogsResponse
from flyte_api.messages.flyteidl2.project.project_service import (
    CreateProjectRequest,
    CreateProjectResponse,
    GetProjectRequest,
    GetProjectResponse,
    ListProjectsRequest,
    ListProjectsResponse,
)
from flyte_api.messages.flyteidl2.task.task_service import GetTaskDetailsRequest, GetTaskDetailsResponse
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_service import WatchActionDetailsRequest, WatchActionDetailsResponse
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import before_deadline, within
from flyte_rpc.gather import gather
from flyte_rpc.serving.server import RunningServer, ServerCall, serve
from remote.planes.dataproxy import Data
from remote.planes.project import ThreeProjects
from remote.planes.run import Runs, succeeded
from remote.planes.task import Tasks

FIRST = 20.0
"""The client's timeout, which no call of these tests needs."""


async def forever() -> None:
    await asyncio.Event().wait()


class Projects(ThreeProjects):
    """Never answers the methods that `hangs` names."""

    hangs: frozenset[str] = frozenset()

    async def create_project(self, request: CreateProjectRequest, call: ServerCall) -> CreateProjectResponse:
        self.calls.append(call)
        return CreateProjectResponse()

    async def get_project(self, request: GetProjectRequest, call: ServerCall) -> GetProjectResponse:
        if "get" in self.hangs:
            self.calls.append(call)
            await forever()
        return await super().get_project(request, call)

    async def list_projects(self, request: ListProjectsRequest, call: ServerCall) -> ListProjectsResponse:
        if request.token and "list" in self.hangs:
            await forever()
        return await super().list_projects(request, call)


class SlowTasks(Tasks):
    """Answers once `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.asked = asyncio.Event()

    async def get_task_details(self, request: GetTaskDetailsRequest, call: ServerCall) -> GetTaskDetailsResponse:
        self.asked.set()
        await self.go.wait()
        return await super().get_task_details(request, call)


class EndlessLog(Data):
    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
        async for reply in super().tail_logs(request, call):
            yield reply
        await forever()


class Recording(Runs):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[ServerCall] = []

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        self.calls.append(call)
        async for reply in super().watch_action_details(request, call):
            yield reply


@pytest.fixture
def projects() -> Projects:
    return Projects()


@pytest.fixture
def tasks() -> SlowTasks:
    return SlowTasks()


@pytest.fixture
async def server(projects: Projects, tasks: SlowTasks) -> AsyncIterator[RunningServer]:
    async with await serve([projects, tasks, EndlessLog("here"), Runs()]) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[Client]:
    async with Client(server.endpoint, project="p", domain="d", page_size=1, timeout=FIRST) as made:
        yield made


def deadlines(calls: list[ServerCall]) -> list[float]:
    return [call.deadline or 0.0 for call in calls]


async def test_the_calls_of_a_method_share_its_timeout(projects: Projects, client: Client) -> None:
    await Project.create.aio("a", "A", timeout=1000, client=client)
    first, second = deadlines(projects.calls)
    assert FIRST < second < first <= 1000
    projects.hangs = frozenset({"get"})
    with pytest.raises(DeadlineExceededError, match="ProjectService/GetProject"):
        await Project.create.aio("a", "A", timeout=0.2, client=client)


async def test_an_inner_timeout_cannot_exceed_the_outer_one(projects: Projects, client: Client) -> None:
    with flyte.call_options(timeout=5):
        await Project.get.aio("a", client=client)
        await Project.get.aio("a", timeout=100, client=client)
        await Project.create.aio("a", "A", timeout=50, client=client)
    block, argument, create, get = deadlines(projects.calls)
    assert 0 < block <= 5
    assert 50 < argument <= 100
    assert 5 < get <= create <= 50  # Connect sends whole milliseconds


async def test_a_listing_bounds_each_page(projects: Projects, client: Client) -> None:
    pager = Project.listall(timeout=1000, client=client)
    assert len(await pager.collect.aio()) == 3
    assert await asyncio.to_thread(pager.first) is not None
    assert all(FIRST < deadline <= 1000 for deadline in deadlines(projects.calls))
    projects.hangs = frozenset({"list"})
    found: list[str] = []
    with pytest.raises(DeadlineExceededError, match="ListProjects"):
        async for project in Project.listall(timeout=1, client=client):
            found.append(project.id)
    assert found == ["p0"]


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_log_ends_at_its_timeout(blocking: bool, client: Client) -> None:
    action = Action(ActionMessage(id=succeeded().id), client)
    with pytest.raises(WaitTimeoutError, match="for the end of the log of action a0"):
        if blocking:
            await asyncio.to_thread(list, action.get_logs(timeout=0.3))
        else:
            async for line in action.get_logs(timeout=0.3):
                assert line == "here"


async def test_a_hasty_fetch_does_not_end_those_that_wait_for_it(tasks: SlowTasks, client: Client) -> None:
    tasks.put(forever, "t", "1")
    handle = Task.get("t", version="1", client=client)
    hasty = asyncio.create_task(handle.fetch.aio(timeout=0.2))
    await tasks.asked.wait()
    waiting = asyncio.create_task(handle.fetch.aio())
    impatient = asyncio.create_task(handle.fetch.aio(timeout=0.1))
    with pytest.raises(DeadlineExceededError, match="another fetch of task t did not end"):
        await impatient
    with pytest.raises(DeadlineExceededError, match="GetTaskDetails"):
        await hasty
    tasks.go.set()
    assert (await waiting).name == "t"


async def test_starting_a_run_has_one_timeout(tasks: SlowTasks, client: Client) -> None:
    tasks.put(forever, "t", "1")
    with pytest.raises(DeadlineExceededError, match="GetTaskDetails"):
        await flyte.with_runcontext(timeout=0.2).run.aio(Task.get("t", version="1", client=client))
    tasks.go.set()
    run = await flyte.with_runcontext(timeout=1000).run.aio(Task.get("t", version="1", client=client))
    assert FIRST < deadlines(tasks.calls)[-1] <= 1000
    assert run.name == "r1"


async def test_concurrent_calls_share_it_too(projects: Projects, client: Client) -> None:
    projects.hangs = frozenset({"get"})
    with within(0.2), pytest.raises(DeadlineExceededError):
        await gather(Project.get.aio(name, client=client) for name in "ab")


@pytest.mark.parametrize("transport", ["grpc", "connect", "grpclib"])
async def test_the_error_states_the_timeout_of_the_caller(projects: Projects, client: Client, transport: Any) -> None:
    projects.hangs = frozenset({"get"})
    async with Client(client.endpoint, transport=transport, timeout=0.25) as impatient:
        with pytest.raises(DeadlineExceededError, match=r"no reply after 0\.25 s"):
            await Project.get.aio("a", client=impatient)
        with pytest.raises(DeadlineExceededError, match=r"no reply after 0\.2 s"):
            await Project.get.aio("a", timeout=0.2, client=impatient)
        with within(0.15), pytest.raises(DeadlineExceededError, match=r"no reply after 0\.15 s"):
            await Project.get.aio("a", timeout=100, client=impatient)


async def test_work_between_the_calls_counts() -> None:
    with within(0.05), pytest.raises(DeadlineExceededError, match=r"the upload did not end within 0\.05 s"):
        async with before_deadline("the upload"):
            await forever()
    with within(1000), pytest.raises(TimeoutError, match="of its own"):
        async with before_deadline("the upload"):
            raise TimeoutError("of its own")


async def test_nothing_is_sent_after_the_deadline(projects: Projects, client: Client) -> None:
    with within(0.01):
        with pytest.raises(DeadlineExceededError):
            async with before_deadline("waiting"):
                await forever()
        with pytest.raises(DeadlineExceededError, match=r"no time was left to send the request after 0\.01 s"):
            await Project.get.aio("a", client=client)
    assert projects.calls == []


async def test_a_wait_is_in_the_block() -> None:
    runs = Recording()
    async with await serve([runs]) as running, Client(running.endpoint, timeout=20) as other:
        action = Action(ActionMessage(id=succeeded().id), other)
        with flyte.call_options(metadata=[("x-a", "wait")]):
            await action.wait.aio(quiet=True)
            await asyncio.to_thread(lambda: action.wait(quiet=True))
    assert [call.metadata.get("x-a") for call in runs.calls] == ["wait", "wait"]
