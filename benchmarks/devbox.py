"""How long the embedded control plane takes: to start, to run trivial tasks, to list many runs.

python benchmarks/devbox.py [runs]
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import flyte.devbox
from flyte.devbox import bus, clock
from flyte.devbox.store.rows import ActionRow
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.identifier import ProjectIdentifier
from flyte_api.messages.flyteidl2.common.list import Filter, ListRequest
from flyte_api.messages.flyteidl2.core.tasks import Container, TaskTemplate
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_service import (
    CreateRunRequest,
    ListRunsRequest,
    WatchActionDetailsRequest,
)
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls import call_path
from flyte_rpc.calls.client import Client

SCOPE = ProjectIdentifier(name="flytesnacks", domain="development")
LISTED = 10_000


def noop() -> None:
    """The least a task can do."""


def report(what: str, value: float, unit: str) -> None:
    print(f"{what:<58}{value:10.1f} {unit}")


async def run_one(client: Client, **task: Any) -> None:
    """Create a run and follow it to its end."""
    reply = await call_path.unary(client, RunService.CREATE_RUN, CreateRunRequest(project_id=SCOPE, **task))
    assert reply.run is not None and reply.run.action is not None
    request = WatchActionDetailsRequest(action_id=reply.run.action.id)
    async with aclosing(call_path.stream(client, RunService.WATCH_ACTION_DETAILS, request)) as messages:
        async for message in messages:
            details = message.details
    assert details is not None and details.status is not None and details.status.phase.name == "SUCCEEDED"


async def throughput(client: Client, count: int, **task: Any) -> float:
    """Runs per second, all requested at once."""
    start = time.perf_counter()
    await asyncio.gather(*(run_one(client, **task) for _ in range(count)))
    return count / (time.perf_counter() - start)


async def latency(client: Client, count: int, **task: Any) -> float:
    """Milliseconds from the request to the end, one after another."""
    start = time.perf_counter()
    for _ in range(count):
        await run_one(client, **task)
    return 1000 * (time.perf_counter() - start) / count


def fill(store: Store, count: int) -> None:
    """Many runs in a database, as they are stored by real ones."""
    now = clock.now()
    with store.database.transaction():
        for number in range(count):
            store.actions.add(
                ActionRow(
                    SCOPE.name,
                    SCOPE.domain,
                    f"r{number:05}",
                    "a0",
                    parent=None,
                    phase=number % 7 + 1,
                    action_type=1,
                    action_spec=b"",
                    inputs_uri="",
                    created_at=now + number,
                    updated_at=now,
                    task_name=f"env.task{number % 100}",
                )
            )


async def page(client: Client, request: ListRequest) -> float:
    """Milliseconds for one page of runs."""
    start = time.perf_counter()
    for _ in range(10):
        await call_path.unary(client, RunService.LIST_RUNS, ListRunsRequest(request=request, project_id=SCOPE))
    return 100 * (time.perf_counter() - start)


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    made = act()
    return made, 1000 * (time.perf_counter() - start)


async def main(count: int) -> None:
    code = "import flyte.devbox; flyte.devbox.start().stop()"
    _, whole = timed(lambda: subprocess.run([sys.executable, "-c", code], check=True))
    report("a new process that starts and stops one", whole, "ms")
    box, _ = timed(lambda: flyte.devbox.start())
    _, stop = timed(box.stop)
    report("stop", stop, "ms")
    box, again = timed(lambda: flyte.devbox.start())
    report("further start", again, "ms")
    with box:
        client = box.connect()
        await call_path.unary(client, RunService.LIST_RUNS, ListRunsRequest(project_id=SCOPE))
        command = TaskSpec(task_template=TaskTemplate(type="container", container=Container(command=["true"])))
        report("a command (true), request to end", await latency(client, 20, task_spec=command), "ms")
        report(f"commands, {count} at once", await throughput(client, count, task_spec=command), "runs/s")
        task = await flyte.devbox.deploy.aio(noop, environment="bench")
        identifier = TaskIdentifier(project=SCOPE.name, domain=SCOPE.domain, name=task.name, version=task.version)
        await run_one(client, task_id=identifier)
        report("a Python function, request to end", await latency(client, 10, task_id=identifier), "ms")
        report(
            f"Python functions, {count // 4} at once",
            await throughput(client, count // 4, task_id=identifier),
            "runs/s",
        )
    _, bare = timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
    report("for comparison: python -c pass", bare, "ms")

    await listing()


async def listing() -> None:
    with tempfile.TemporaryDirectory() as directory:
        flyte.devbox.start(dir=directory).stop()
        store = Store(Path(directory) / "devbox.sqlite", bus.Bus())
        fill(store, LISTED)
        store.close()
        with flyte.devbox.start(dir=directory) as box:
            client = box.connect()
            await page(client, ListRequest())
            report(f"page of 50 among {LISTED} runs", await page(client, ListRequest(limit=50)), "ms")
            report("page of 200", await page(client, ListRequest(limit=200)), "ms")
            report("page of 200 at the far end", await page(client, ListRequest(limit=200, token="9800")), "ms")
            named = ListRequest(limit=50, filters=[Filter(field="task_name", values=["env.task7"])])
            report("page of 50, filtered by task name", await page(client, named), "ms")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
