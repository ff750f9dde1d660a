"""A connection that breaks at each stage of each kind of call: what the user sees, how soon, and what the server did.

Against a devbox through the public API, and for a change that cannot be told from a repeated one, against the echo service.
"""

from __future__ import annotations

import asyncio
import pickle
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

import flyte
import flyte.devbox
from flyte import errors
from flyte.devbox import Devbox
from flyte.remote import Project, Run, Task, TaskDetails, upload_file
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from support.echo import Echo, EchoServer, Note
from support.proxies.faults import ANSWERED, CONNECTING, SENDING, FaultProxy, Stage, fault_proxy

from . import jobs

SECONDS = 8.0
"""Within which each operation ends, whatever breaks. Without the break, each takes some milliseconds."""

RUNS = 5


class Scenario(NamedTuple):
    """What the operations find at the devbox."""

    box: Devbox
    task: TaskDetails
    run: Run


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    with flyte.devbox.start(memory=True, grace=1.0) as box:
        box.connect()
        task = flyte.devbox.deploy(jobs.talk)
        run = flyte.run(task)
        for _ in range(RUNS - 1):
            flyte.run(task).wait(quiet=True, timeout=60)
        run.wait(quiet=True, timeout=60)
        yield Scenario(box, task, run)


async def fetch_run(scenario: Scenario, client: Client) -> Run:
    """The run that the operations follow."""
    return await Run.get.aio(scenario.run.name, project="flytesnacks", client=client)


async def read(scenario: Scenario, client: Client, run: Run) -> None:
    assert (await fetch_run(scenario, client)).phase == "succeeded"


async def create(scenario: Scenario, client: Client, run: Run) -> None:
    """Start a run, in a project in which there is no other."""
    with flyte.use_client(client):
        task = Task.get(scenario.task.name, version=scenario.task.version, project="flytesnacks", client=client)
        made = await flyte.with_runcontext(project=client.project).run.aio(task)
    assert (await Run.get.aio(made.name, client=scenario.box.connect(project=client.project))).name == made.name


async def pages(scenario: Scenario, client: Client, run: Run) -> None:
    names = [run.name async for run in Run.listall(project="flytesnacks", client=client)]
    assert len(names) == len(set(names)) == RUNS


async def watch(scenario: Scenario, client: Client, run: Run) -> None:
    phases = [str(details.phase) async for details in run.watch(timeout=SECONDS)]
    assert phases[-1] == "succeeded"


async def logs(scenario: Scenario, client: Client, run: Run) -> None:
    assert [line async for line in run.get_logs()] == [f"line {n}" for n in range(jobs.LINES)], (
        "none lost, none doubled"
    )


async def upload(scenario: Scenario, client: Client, run: Run) -> None:
    _, uri = await upload_file.aio(Path(__file__), project="flytesnacks", client=client)
    assert uri.endswith(Path(__file__).name)


class Operation(NamedTuple):
    """What a user does, and which of its calls breaks."""

    act: Callable[[Scenario, Client, Run], Awaitable[None]]
    path: str
    skip: int = 0


OPERATIONS: Final = {
    "read": Operation(read, RunService.GET_RUN_DETAILS.path),
    "create": Operation(create, RunService.CREATE_RUN.path),
    "pager": Operation(pages, RunService.LIST_RUNS.path, skip=1),
    "watch": Operation(watch, RunService.WATCH_ACTION_DETAILS.path),
    "logs": Operation(logs, DataProxyService.TAIL_LOGS.path),
    "upload": Operation(upload, DataProxyService.CREATE_UPLOAD_LOCATION.path),
}

STAGES = pytest.mark.parametrize("stage", Stage, ids=lambda stage: stage.value)


@pytest.fixture
async def proxy(scenario: Scenario) -> AsyncGenerator[FaultProxy, None]:
    async with fault_proxy(scenario.box.endpoint) as running:
        yield running


@pytest.fixture
async def client(scenario: Scenario, proxy: FaultProxy) -> AsyncGenerator[Client, None]:
    """A client of a project of its own, in which there are no runs."""
    name = f"p{uuid.uuid4().hex[:12]}"
    direct = scenario.box.connect(project="flytesnacks")
    await Project.create.aio(name, name, client=direct)
    async with Client(
        proxy.endpoint, token=scenario.box.token, project=name, domain="development", page_size=2
    ) as made:
        yield made


async def created(scenario: Scenario, client: Client) -> int:
    """How many runs there are in the client's project."""
    return len(await Run.listall(client=scenario.box.connect(project=client.project)).collect.aio())


@STAGES
@pytest.mark.parametrize("name", OPERATIONS)
async def test_every_operation_succeeds_all_the_same(
    scenario: Scenario, proxy: FaultProxy, client: Client, name: str, stage: Stage
) -> None:
    """The client is connected when the break comes. All of these operations can be repeated, starting a run included."""
    operation = OPERATIONS[name]
    run = await fetch_run(scenario, client)
    await proxy.arm(stage, operation.path, skip=operation.skip)
    async with asyncio.timeout(SECONDS):
        await operation.act(scenario, client, run)
    if name != "watch" or stage not in (Stage.TRAILERS, Stage.REPLY):  # a watch leaves at the final phase
        assert proxy.fired == 1
    assert await created(scenario, client) == (1 if name == "create" else 0)


@pytest.mark.parametrize("stage", CONNECTING, ids=lambda stage: stage.value)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_endpoint_that_was_never_reached_is_reported_at_once(
    scenario: Scenario, proxy: FaultProxy, client: Client, name: str, stage: Stage
) -> None:
    run = pickle.loads(pickle.dumps(scenario.run))  # without the client that it was fetched with
    await proxy.arm(stage, OPERATIONS[name].path)
    async with asyncio.timeout(SECONDS):
        with flyte.use_client(client), pytest.raises(errors.EndpointError) as raised:
            await OPERATIONS[name].act(scenario, client, run)
    assert proxy.fired == 1
    assert raised.value.unprocessed
    assert await created(scenario, client) == 0


@STAGES
async def test_a_change_is_made_once_and_its_error_says_that_it_may_have_been_made(stage: Stage) -> None:
    """Nothing tells a repeated call of this method from another one, so it must not be repeated."""
    echo = EchoServer()
    async with (
        await serve([echo]) as server,
        fault_proxy(server.endpoint) as proxy,
        Client(proxy.endpoint) as client,
        asyncio.timeout(SECONDS),
    ):
        await unary(client, Echo.SAY, Note())
        echo.calls.clear()
        await proxy.arm(stage, Echo.WRITE.path)
        await closed_socket_noticed()
        if stage in (*SENDING, *ANSWERED):
            with pytest.raises(errors.ConnectionLostError, match="may have taken effect") as raised:
                await unary(client, Echo.WRITE, Note(n=1))
            assert not raised.value.unprocessed
        else:
            assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1
        assert proxy.fired == 1
        assert len(echo.calls) == (0 if stage in SENDING else 1)
        await closed_socket_noticed()
        assert (await unary(client, Echo.WRITE, Note(n=2))).n == 2, "later calls use a new connection"


async def closed_socket_noticed() -> None:
    """Let the event loop tell the client that its socket was closed. What is sent before that is lost."""
    for _ in range(10):
        await asyncio.sleep(0)
