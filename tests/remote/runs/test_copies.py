"""Copies keep their client, pickles leave it out, and a run shares its state with its root action only."""

from __future__ import annotations

import copy
import pickle
from collections.abc import AsyncIterator, Callable

import pytest

from flyte._client import use_client
from flyte.remote import Run
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action, ActionStatus
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from remote.planes.run import Runs, succeeded


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with await serve([Runs()]) as server, Client(server.endpoint, project="p", domain="d") as client:
        yield client


@pytest.fixture
def run(client: Client) -> Run:
    """A run that was listed while it was running, and has succeeded since."""
    running = Action(id=succeeded().id, status=ActionStatus(phase=ActionPhase.RUNNING))
    return Run(RunMessage(action=running, labels={"team": "ml"}), client)


@pytest.fixture
async def other() -> AsyncIterator[Client]:
    """Another control plane, whose client is the current one."""
    async with Client("http://127.0.0.1:1") as client:
        with use_client(client):
            yield client


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
async def test_a_copy_keeps_its_client(duplicate: Callable[[Run], Run], run: Run, other: Client) -> None:
    copied = duplicate(run)
    assert copied.client is run.client is not other
    assert copied == run and copied.pb2 == run.pb2


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
async def test_a_copy_has_its_own_state(duplicate: Callable[[Run], Run], run: Run) -> None:
    action = run.action
    copied = duplicate(run)
    await run.wait.aio(quiet=True)
    assert (run.phase, action.phase, copied.phase) == ("succeeded", "succeeded", "running")


async def test_an_unpickled_entity_uses_the_current_client(run: Run, other: Client) -> None:
    for entity in (run, run.action):
        unpickled = pickle.loads(pickle.dumps(entity))
        assert unpickled.client is other
        assert unpickled == entity and unpickled.pb2 == entity.pb2


async def test_a_pickled_action_leaves_its_run_out(run: Run) -> None:
    assert b"team" in pickle.dumps(run)
    assert b"team" not in pickle.dumps(run.action)


async def test_a_run_and_its_root_action_share_their_state(run: Run) -> None:
    action = run.action
    async for _ in action.watch():
        assert (run.phase, run.pb2.action and run.pb2.action.status) == ("succeeded", succeeded().status)
    assert run.labels == {"team": "ml"} and action.phase == "succeeded"

    listed = pickle.loads(pickle.dumps(run))
    assert (listed.phase, listed.labels) == ("succeeded", {"team": "ml"})


async def test_they_still_share_it_after_the_message_is_replaced(run: Run) -> None:
    action = run.action
    run.pb2 = RunMessage(action=Action(id=succeeded().id, status=ActionStatus(phase=ActionPhase.QUEUED)))
    assert action.phase == "queued"
    await action.sync.aio()
    assert run.phase == "succeeded"
