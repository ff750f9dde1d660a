"""A devbox that is killed while a task waits for its children."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import flyte
import flyte.devbox
from devbox.calls import DEADLINE
from devbox.execution.test_restart import killable
from flyte._client import use_client
from flyte.remote import Action, Run
from flyte_rpc.calls.client import Client
from remote import flows

CHILDREN = 10


async def phases(run: str) -> Counter[str]:
    return Counter([str(action.phase) async for action in Action.listall(run)])


async def test_a_fan_out_is_consistent_after_the_devbox_was_killed(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for done in (0, 1):
        (files / str(done)).touch()
    with killable(tmp_path / "box", "--parallel", "4") as (process, endpoint, token):
        async with Client(endpoint, token=token, project="flytesnacks", domain="development") as client:
            with use_client(client):
                await flyte.devbox.deploy.aio(flows.patient, name="flows.patient")
                task = await flyte.devbox.deploy.aio(flows.waits_for_many, name="flows.waits_for_many")
                run = await flyte.run.aio(task, directory=str(files), n=CHILDREN)
                async with asyncio.timeout(60):
                    while await phases(run.name) != {"succeeded": 2, "running": 5, "queued": CHILDREN - 6}:
                        await asyncio.sleep(0.05)
        process.kill()
        process.wait(DEADLINE)
    async with flyte.devbox.start(dir=tmp_path / "box") as box:
        box.connect()
        found = await Run.get.aio(run.name)
        assert found.phase == "failed"
        # What ran has failed with its parent, what waited for a place was aborted, what had ended stays as it was.
        assert await phases(run.name) == {"succeeded": 2, "failed": 5, "aborted": CHILDREN - 6}
        for child in range(2, CHILDREN):
            (files / str(child)).touch()
        again = await found.rerun.aio()
        assert await again.wait.aio(quiet=True, timeout=60) == "succeeded"
        assert await again.outputs.aio() == (CHILDREN,)
        assert await phases(again.name) == {"succeeded": CHILDREN + 1}
