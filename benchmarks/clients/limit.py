"""The jobs by hand, on grpc.aio and upb: no entities, no types of its own, no errors to speak of, C throughout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from checks import clock, counted, listed, resident
from flyteidl2.common.identifier_pb2 import ActionIdentifier, ProjectIdentifier, RunIdentifier
from flyteidl2.common.list_pb2 import ListRequest
from flyteidl2.workflow import run_service_pb2 as service
from flyteidl2.workflow.run_definition_pb2 import Run
from flyteidl2.workflow.run_service_pb2_grpc import RunServiceStub

SCOPE = {"org": "acme", "project": "flytesnacks", "domain": "development"}

target = ""
opened: list[RunServiceStub] = []


def connect(endpoint: str) -> None:
    global target
    target = endpoint.removeprefix("http://")


def stub() -> RunServiceStub:
    """The one connection, opened on the loop that uses it."""
    if not opened:
        opened.append(RunServiceStub(grpc.aio.insecure_channel(target)))
    return opened[0]


async def runs(count: int) -> AsyncIterator[Run]:
    project = ProjectIdentifier(organization="acme", domain="development", name=f"runs-{count}")
    token = ""
    while True:
        request = ListRequest(limit=100, token=token)
        page = await stub().ListRuns(service.ListRunsRequest(request=request, project_id=project))
        for run in page.runs:
            yield run
        token = page.token
        if not token:
            return


def row(action: Any) -> tuple[str, int, str]:
    return action.id.run.name, action.status.phase, action.metadata.task.id.name


async def list_async(count: int) -> dict[str, Any]:
    start = clock()
    rows = [row(run.action) async for run in runs(count)]
    return listed(rows, clock() - start)


list_sync = list_async


async def list_untouched(count: int) -> dict[str, Any]:
    start = clock()
    found = 0
    async for last in runs(count):  # noqa: B007, it is read below
        found += 1
    seconds = clock() - start
    return counted(found, last.action.id.run.name, seconds)


async def get_many(count: int, at_once: int) -> dict[str, Any]:
    names = iter([f"r{number:019d}" for number in range(count)])
    rows: list[tuple[str, int, str]] = []

    async def some() -> None:
        for name in names:
            request = service.GetRunDetailsRequest(run_id=RunIdentifier(name=name, **SCOPE))
            rows.append(row((await stub().GetRunDetails(request)).details.action))

    start = clock()
    await asyncio.gather(*(some() for _ in range(at_once)))
    return listed(sorted(rows), clock() - start)


async def watch_many(count: int) -> dict[str, Any]:
    rows: list[tuple[str, int, str]] = []

    async def follow(number: int) -> None:
        action = ActionIdentifier(run=RunIdentifier(name=f"r{number:019d}", **SCOPE), name="a0")
        async for update in stub().WatchActionDetails(service.WatchActionDetailsRequest(action_id=action)):
            rows.append(row(update.details))

    start = clock()
    await asyncio.gather(*map(follow, range(count)))
    return listed(sorted(rows, key=lambda row: row[0]), clock() - start)


async def memory(count: int) -> dict[str, Any]:
    before = resident()
    kept = [run async for run in runs(count)]
    untouched = (resident() - before) / count
    rows = [row(run.action) for run in kept]
    check = listed(rows, 0)["check"]
    del rows
    return {"untouched": untouched, "touched": (resident() - before) / count, "check": check}
