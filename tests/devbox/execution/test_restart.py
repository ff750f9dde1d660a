"""The state of a devbox after a restart: after a stop, and after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import flyte.devbox
from devbox.calls import DEADLINE, Calls, shell
from devbox.execution.test_execution import closed
from flyte.devbox.executor.processes import orphans
from flyte_api.messages.flyteidl2.actions.actions_service import Action, EnqueueRequest
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.project.project_service import CreateProjectRequest, GetProjectRequest, Project
from flyte_api.messages.flyteidl2.workflow.run_definition import ErrorInfoKind, TaskAction
from flyte_api.messages.flyteidl2.workflow.run_service import ListRunsRequest
from flyte_api.services.flyteidl2.actions.actions_service import ActionsService
from flyte_api.services.flyteidl2.project.project_service import ProjectService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.client import Client

FOREVER = "echo $$; exec sleep 600"


@asynccontextmanager
async def connected(endpoint: str, token: str) -> AsyncGenerator[Calls, None]:
    async with Client(endpoint, token=token) as client:
        yield Calls(client, "flytesnacks")


@asynccontextmanager
async def running(directory: Path, **options: object) -> AsyncGenerator[Calls, None]:
    """A devbox in this process, on that directory."""
    async with flyte.devbox.start(dir=directory, **options) as box, connected(box.endpoint, box.token) as calls:  # type: ignore[arg-type]
        yield calls


@contextmanager
def killable(directory: Path, *options: str) -> Generator[tuple[subprocess.Popen[str], str, str], None, None]:
    """A devbox in a process of its own: the process, its endpoint and its token."""
    command = [sys.executable, "-m", "flyte.devbox", "--dir", str(directory), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            while not process.stdout.readline().startswith("token file"):
                pass
            state = json.loads((directory / "devbox.json").read_text())
            yield process, state["endpoint"], (directory / "token").read_text()
        finally:
            process.kill()


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as calls:
        await calls.unary(ProjectService.CREATE_PROJECT, CreateProjectRequest(project=Project(id="mine")))
        task = await calls.deploy("env.t", spec=shell("echo remembered"))
        before = await calls.run(task, name="r1")
    async with running(tmp_path) as calls:
        reply = await calls.unary(ProjectService.GET_PROJECT, GetProjectRequest(id="mine"))
        assert reply.project is not None
        assert before.id is not None
        assert await calls.details(before.id) == before
        assert await calls.log(before.id) == ["remembered"]
        again = await calls.run(task, name="r2")
        assert again.status is not None and again.status.phase == ActionPhase.SUCCEEDED
        runs = (await calls.unary(RunService.LIST_RUNS, ListRunsRequest(project_id=calls.scope))).runs
        assert len(runs) == 2


async def test_a_stop_aborts_what_runs_and_keeps_what_is_queued(tmp_path: Path) -> None:
    async with running(tmp_path, parallel=1, grace=0.2) as calls:
        first = (await calls.create(shell(FOREVER), name="r1")).id
        assert first is not None
        await calls.first_line(first)
        second = (await calls.create(shell("echo now"), name="r2")).id
        assert second is not None
        queued = await calls.details(second)
        assert queued.status is not None and queued.status.phase == ActionPhase.QUEUED
    async with running(tmp_path) as calls:
        details = await calls.ended(first)
        assert details.status is not None and details.status.phase == ActionPhase.ABORTED
        assert details.abort_info is not None and "stopped" in details.abort_info.reason
        assert (await calls.ended(second)).attempts[-1].phase == ActionPhase.SUCCEEDED
        assert await calls.log(second) == ["now"]


async def test_killed_while_a_task_runs(tmp_path: Path) -> None:
    """The action has failed with a reason, the rest of its process group is killed, and other runs continue."""
    home = tmp_path / "box"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb")
    with killable(home, "--parallel", "1") as (process, endpoint, token):
        async with connected(endpoint, token) as calls:
            script = f"exec 9> {fifo}; sh -c 'trap \"\" TERM; echo up; while :; do sleep 600; done' & wait"
            action = (await calls.create(shell(script), name="r1")).id
            assert action is not None
            await calls.first_line(action)
            queued = (await calls.create(shell("echo later"), name="r2")).id
            assert queued is not None
        process.kill()
        process.wait(DEADLINE)
    async with running(home) as calls:
        details = await calls.ended(action)
        assert details.status is not None and details.status.phase == ActionPhase.FAILED
        error = details.error_info
        assert error is not None and error.kind == ErrorInfoKind.SYSTEM
        assert error.code == "DevboxRestarted" and "stopped unexpectedly" in error.message
        assert await calls.log(action) == ["up"]
        await closed(reader)
        assert (await calls.ended(queued)).attempts[-1].phase == ActionPhase.SUCCEEDED


async def test_killed_while_a_task_waits_for_its_child(tmp_path: Path) -> None:
    home = tmp_path / "box"
    with killable(home, "--parallel", "1") as (process, endpoint, token):
        async with connected(endpoint, token) as calls:
            root = (await calls.create(shell(FOREVER), name="r1")).id
            assert root is not None
            await calls.first_line(root)

            async def enqueue(name: str) -> None:
                spec = calls.identify(shell(FOREVER), f"env.{name}")
                task = TaskAction(id=calls.task_id(f"env.{name}"), spec=spec)
                action = Action(action_id=calls.action_id("r1", name), parent_action_name="a0", task=task)
                await calls.unary(ActionsService.ENQUEUE, EnqueueRequest(action=action))

            # The parent waits, so its place goes to the first child; the second one has to queue.
            await enqueue("first")
            await calls.first_line(calls.action_id("r1", "first"))
            await enqueue("second")
            await calls.until(calls.action_id("r1", "second"), ActionPhase.WAITING_FOR_RESOURCES)
        process.kill()
        process.wait(DEADLINE)
    async with running(home) as calls:
        for name, phase in (("a0", ActionPhase.FAILED), ("first", ActionPhase.FAILED), ("second", ActionPhase.ABORTED)):
            details = await calls.ended(calls.action_id("r1", name))
            assert details.status is not None and details.status.phase == phase, name


async def test_a_process_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """The process id of a dead task may have been reused."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        try:
            assert not orphans.kill(other.pid, "another birth", "no such marker")
            assert other.poll() is None
            assert orphans.kill(other.pid, orphans.start_time(other.pid), "no such marker")
            assert other.wait(DEADLINE) == -9
        finally:
            other.kill()
    assert orphans.start_time(other.pid) == ""
    assert not orphans.kill(None, "", "no such marker")
