"""Forked workers behave like executed ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import pytest

import flyte
import flyte.devbox
from devbox.calls import DEADLINE, Calls
from devbox.execution.test_execution import closed
from devbox.execution.test_restart import killable
from devbox.sample import jobs
from flyte._client import use_client
from flyte.errors import RuntimeUserError
from flyte.remote import Run, TaskDetails
from flyte_rpc.calls.client import Client

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")


@asynccontextmanager
async def using(endpoint: str, token: str, project: str = "flytesnacks") -> AsyncGenerator[Client, None]:
    async with Client(endpoint, token=token, project=project, domain="development") as client:
        with use_client(client):
            yield client


@pytest.fixture
async def client(calls: Calls) -> AsyncGenerator[Client, None]:
    async with using(calls.client.endpoint, calls.client.settings.token or "", calls.project) as made:
        yield made


async def told(task: TaskDetails) -> dict[str, str]:
    run = await flyte.run.aio(task)
    await run.wait.aio(quiet=True, timeout=60)
    found: dict[str, str] = (await run.outputs.aio())[0]
    return found


async def server_of(run: Run) -> int:
    """Return the process that the run's worker was forked from."""
    async for line in run.get_logs():
        return int(line)
    raise AssertionError("it has printed nothing")


async def test_a_fork_is_like_an_executed_worker(client: Client) -> None:
    task = await flyte.devbox.deploy.aio(jobs.process)
    # A variable that an interpreter reads at startup.
    seeded = await flyte.devbox.deploy.aio(jobs.process, env_vars={"PYTHONHASHSEED": "1"})
    # More than fits into a request.
    large = await flyte.devbox.deploy.aio(jobs.process, env_vars={"LARGE": "x" * 70_000})
    forked, again, executed, other = [await told(each) for each in (task, task, seeded, large)]
    assert forked["parent"] == again["parent"] != str(os.getpid())
    assert executed["parent"] == other["parent"] == str(os.getpid())
    assert forked["pid"] != again["pid"] and forked["cwd"] != again["cwd"]
    for each in (forked, again, executed, other):
        assert each["session"] == each["pid"]
        assert each["path"] == each["cwd"]
        assert each["files"] == "scratch"
        assert each["arguments"] == executed["arguments"]
    added = {"PYTHONHASHSEED": executed, "LARGE": other}
    for name, each in added.items():
        assert {*each["variables"].split()} - {*forked["variables"].split()} == {name}


async def test_more_requests_than_the_socket_has_room_for() -> None:
    async with flyte.devbox.start(parallel=100) as box, using(box.endpoint, box.token):
        # While the server is still busy with its own imports.
        task = await flyte.devbox.deploy.aio(jobs.process, env_vars={"PADDING": "x" * 20_000})
        found = await asyncio.gather(*(told(task) for _ in range(30)))
    assert len({each["pid"] for each in found}) == 30
    assert len({each["parent"] for each in found} - {str(os.getpid())}) == 1


async def test_the_process_that_forks_is_replaced_when_it_dies(client: Client, tmp_path: Path) -> None:
    stays = await flyte.devbox.deploy.aio(jobs.endless)
    fifo, reader = pipe(tmp_path)
    with reader:
        run = await flyte.run.aio(stays, path=fifo)
        server = await server_of(run)
        os.kill(server, signal.SIGKILL)
        assert await run.wait.aio(quiet=True, timeout=60) == "failed"
        await closed(reader)
    with pytest.raises(RuntimeUserError, match="SIGKILL") as caught:
        await run.raise_for_status.aio()
    assert caught.value.code == "Interrupted"
    facts = await told(await flyte.devbox.deploy.aio(jobs.process))
    assert facts["parent"] not in (str(server), str(os.getpid()))


async def test_nothing_outlives_a_devbox_that_is_killed(tmp_path: Path) -> None:
    fifo, reader = pipe(tmp_path)
    with killable(tmp_path / "box") as (process, endpoint, token), reader:
        async with using(endpoint, token):
            stays = await flyte.devbox.deploy.aio(jobs.endless)
            await server_of(await flyte.run.aio(stays, path=fifo))
            process.kill()
            process.wait(DEADLINE)
            await closed(reader)


def pipe(directory: Path) -> tuple[str, IO[bytes]]:
    """A named pipe, and a reader that notices when all its writers have ended."""
    path = directory / "fifo"
    os.mkfifo(path)
    return str(path), os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
