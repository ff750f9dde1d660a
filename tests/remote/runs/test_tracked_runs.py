"""Tracked runs: created, reported, and read like others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from flyte.devbox import Devbox
from flyte.errors import AlreadyExistsError, NotFoundError, RuntimeUserError, UnimplementedError, WaitTimeoutError
from flyte.models import ActionPhase
from flyte.remote import TrackedAction, TrackedActionDetails, TrackedRun, TrackedRunDetails
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase as Phase
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import Action, ActionEvent, ErrorInfo, ErrorInfoKind
from flyte_api.messages.flyteidl2.workflow.tracked_run_service import TrackedActionUpdate
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from remote.planes.tracked import Tracker

TASK = TaskIdentifier(org="acme", project="p", domain="d", name="env.train", version="v1")
BEGUN = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def tracker() -> Tracker:
    return Tracker()


@pytest.fixture
async def client(tracker: Tracker) -> AsyncGenerator[Client]:
    async with (
        await serve([tracker]) as server,
        Client(server.endpoint, org="acme", project="p", domain="d", timeout=20) as made,
    ):
        yield made


@pytest.fixture
async def run(client: Client) -> TrackedRun:
    return await TrackedRun.create.aio("r1", TASK, run_start_time=BEGUN, labels={"team": "a"}, client=client)


def update(name: str, phase: Phase, message: str = "") -> TrackedActionUpdate:
    run = RunIdentifier(org="acme", project="p", domain="d", name="r1")
    error = ErrorInfo(message=message, kind=ErrorInfoKind.USER) if message else None
    event = ActionEvent(id=ActionIdentifier(run=run, name=name), phase=phase, attempt=1, error_info=error)
    return TrackedActionUpdate(event=event, parent_name="" if name == "a0" else "a0")


async def test_a_run_is_announced(run: TrackedRun, tracker: Tracker, client: Client) -> None:
    assert (run.name, run.phase, run.task_name, run.task_version) == ("r1", ActionPhase.RUNNING, "env.train", "v1")
    assert (run.start_time, run.labels) == (BEGUN, {"team": "a"})
    assert run.url.endswith("/v2/domain/d/project/p/tracked-runs/r1")
    assert repr(run).startswith("TrackedRun(name='r1', phase='running', task_name='env.train', task_version='v1'")
    assert await TrackedRun.get.aio("r1", client=client) == run
    with pytest.raises(AlreadyExistsError, match="there is a run r1"):
        await TrackedRun.create.aio("r1", TASK, client=client)
    with pytest.raises(NotFoundError, match="there is no action gone"):
        await TrackedRun.get.aio("gone", client=client)
    with pytest.raises(ValueError, match="name must not be empty"):
        await TrackedRun.create.aio("", TASK, client=client)
    with pytest.raises(ValueError, match="task"):
        await TrackedRun.create.aio("r2", TASK, TaskSpec(), client=client)
    assert len(tracker.created) == 1


async def test_actions_are_reported(run: TrackedRun, client: Client) -> None:
    statuses = await run.report.aio([update("b", Phase.RUNNING), update("c", Phase.UNSPECIFIED)])
    assert [(status.code, status.message) for status in statuses] == [(0, ""), (3, "phase is required")]
    with pytest.raises(TypeError, match="updates takes several values"):
        await run.report.aio("b")  # type: ignore[arg-type]  # which is the point
    root, child = [action async for action in TrackedAction.listall("r1", client=client)]
    assert (root.name, root.is_root, child.name, child.parent_name) == ("a0", True, "b", "a0")
    assert child.phase is ActionPhase.RUNNING
    assert child.url.endswith("/tracked-runs/r1?i=b")
    await run.report.aio([update("b", Phase.FAILED, "out of luck")])
    details = await child.details.aio()
    assert isinstance(details, TrackedActionDetails)
    assert (details.error_message, child.phase) == ("out of luck", ActionPhase.FAILED)
    with pytest.raises(RuntimeUserError, match="Action b of run r1 failed: out of luck"):
        details.raise_for_status()


async def test_a_run_is_followed_to_its_end(run: TrackedRun) -> None:
    phases = []
    async for details in run.watch(timeout=20):
        assert isinstance(details, TrackedRunDetails)
        phases.append(details.phase)
        if len(phases) == 1:
            await run.report.aio([update("b", Phase.RUNNING)])
        elif len(phases) == 2:
            await run.report.aio([update("a0", Phase.SUCCEEDED)])
    assert phases == [ActionPhase.RUNNING, ActionPhase.RUNNING, ActionPhase.SUCCEEDED]
    found = await run.details.aio()
    assert (run.phase, found.action.name, run.labels) == (ActionPhase.SUCCEEDED, "a0", {"team": "a"})


async def test_an_action_is_followed_to_its_end(run: TrackedRun, client: Client) -> None:
    await run.report.aio([update("b", Phase.RUNNING)])
    action = [a async for a in TrackedAction.listall("r1", client=client)][1]
    seen = []
    async for details in action.watch(timeout=20):
        seen.append(str(details.phase))
        await run.report.aio([update("b", Phase.SUCCEEDED)])
    assert seen == ["running", "succeeded"]
    with pytest.raises(NotFoundError):
        gone = ActionIdentifier(run=RunIdentifier(name="r1"), name="gone")
        async for _ in TrackedActionDetails(type(details.pb2)(id=gone), client).watch():
            pass


async def test_a_watch_that_takes_too_long(run: TrackedRun) -> None:
    with pytest.raises(WaitTimeoutError, match=r"r1.* to end"):
        async for _ in run.watch(timeout=0.2):
            pass


async def test_all_runs_and_actions_are_followed(run: TrackedRun, client: Client) -> None:
    seen = []
    async for other in TrackedRun.watchall(timeout=20, client=client):
        seen.append((type(other), other.name))
        if len(seen) == 1:
            await TrackedRun.create.aio("r2", TASK, client=client)
        if other.name == "r2":
            break
    assert seen == [(TrackedRun, "r1"), (TrackedRun, "r1"), (TrackedRun, "r2")]
    async for action in TrackedAction.watchall("r1", timeout=20, client=client):
        assert type(action) is TrackedAction and action.run_name == "r1" and action.meets_filter
        break


async def test_listing_pages(client: Client) -> None:
    await asyncio.gather(*(TrackedRun.create.aio(f"r{n}", TASK, client=client) for n in range(5)))
    found = await TrackedRun.listall(page_size=2, client=client).collect.aio()
    assert sorted(run.name for run in found) == [f"r{n}" for n in range(5)]


async def test_a_run_is_aborted(run: TrackedRun, client: Client) -> None:
    assert await run.abort.aio("enough") is True
    assert (await run.details.aio()).action.error_message == "enough"
    gone = Action(id=ActionIdentifier(run=RunIdentifier(name="gone"), name="a0"))
    assert await TrackedRun(type(run.pb2)(action=gone), client).abort.aio() is False


def test_a_server_without_tracked_runs(box: Devbox) -> None:
    with pytest.raises(UnimplementedError, match="ListRuns"):
        TrackedRun.listall().first()


async def test_plain_values(client: Client, run: TrackedRun) -> None:
    named = await TrackedRun.create.aio("r9", "train.model", task_version="v1", run_start_time=BEGUN, client=client)
    assert (named.name, named.task_name) == ("r9", "train.model")
    at = datetime(2026, 3, 1, tzinfo=UTC)
    sent = run.action_update("b", "FAILED", attempt=2, group="g", error="out of luck", output_uri="s3://o", at=at)
    event = sent.event
    assert event is not None and event.id is not None and event.id.run is not None and event.error_info is not None
    assert (event.id.run.name, event.id.name, event.attempt, event.phase) == (run.name, "b", 2, Phase.FAILED)
    assert (sent.parent_name, sent.group, event.error_info.message) == ("a0", "g", "out of luck")
    assert event.updated_time is not None and event.updated_time.to_datetime() == at
    assert event.outputs is not None and event.outputs.output_uri == "s3://o"
    assert run.action_update("a0", "running").parent_name == ""
    (status,) = await run.report.aio([sent])
    assert status.code == 0
    with pytest.raises(ValueError, match="phase is 'over'; the phases are queued"):
        run.action_update("b", "over")
    with pytest.raises(ValueError, match="attempt"):
        run.action_update("b", "running", attempt=0)
    with pytest.raises(TypeError, match=r"task_id='train\.model' needs the version of the task: pass task_version="):
        await TrackedRun.create.aio("r9", "train.model", client=client)
    for task in (None, TASK):
        with pytest.raises(TypeError, match="task_version goes with the name of the task: pass task_id="):
            await TrackedRun.create.aio("r9", task, task_version="v1", client=client)
