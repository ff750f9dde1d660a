"""The jobs of our client."""

from __future__ import annotations

import asyncio
from typing import Any

from checks import clock, counted, listed, resident

import flyte
from flyte.remote import Action, Run


def connect(endpoint: str, transport: Any = None) -> None:
    flyte.init(endpoint, org="acme", project="flytesnacks", domain="development", transport=transport)


def list_sync(count: int) -> dict[str, Any]:
    start = clock()
    rows = [(run.name, run.phase, run.task_name) for run in Run.listall(project=f"runs-{count}")]
    return listed(rows, clock() - start)


async def list_async(count: int) -> dict[str, Any]:
    start = clock()
    rows = [(run.name, run.phase, run.task_name) async for run in Run.listall(project=f"runs-{count}")]
    return listed(rows, clock() - start)


async def list_untouched(count: int) -> dict[str, Any]:
    start = clock()
    found = 0
    async for last in Run.listall(project=f"runs-{count}"):  # noqa: B007, it is read below
        found += 1
    seconds = clock() - start
    return counted(found, last.name, seconds)


async def get_many(count: int, at_once: int) -> dict[str, Any]:
    names = iter([f"r{number:019d}" for number in range(count)])
    rows: list[tuple[str, Any, str]] = []

    async def some() -> None:
        for name in names:
            run = await Run.get.aio(name)
            rows.append((run.name, run.phase, run.task_name))

    start = clock()
    await asyncio.gather(*(some() for _ in range(at_once)))
    return listed(sorted(rows), clock() - start)


async def watch_many(count: int) -> dict[str, Any]:
    actions = [run.action async for run in Run.listall(project="runs-1000")][:count]
    rows: list[tuple[str, Any, str]] = []

    async def follow(action: Action) -> None:
        async for details in action.watch():
            rows.append((details.run_name, details.phase, details.task_name))

    start = clock()
    await asyncio.gather(*map(follow, actions))
    return listed(sorted(rows, key=lambda row: row[0]), clock() - start)


def memory(count: int) -> dict[str, Any]:
    before = resident()
    kept = list(Run.listall(project=f"runs-{count}"))
    untouched = (resident() - before) / count
    rows = [(run.name, run.phase, run.task_name) for run in kept]
    check = listed(rows, 0)["check"]
    del rows
    return {"untouched": untouched, "touched": (resident() - before) / count, "check": check}
