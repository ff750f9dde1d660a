"""Request headers that a block adds to the calls that are made in it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flyte.errors import PermissionDeniedError, RpcError
from flyte.remote import Action, Project, auth_metadata
from flyte_api.messages.flyteidl2.project.project_service import GetProjectRequest, GetProjectResponse
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import RunningServer, ServerCall, Status, abort, serve
from remote.planes.dataproxy import Data
from remote.planes.project import ThreeProjects
from remote.planes.run import Runs, succeeded


@pytest.fixture
def projects() -> ThreeProjects:
    return ThreeProjects()


@pytest.fixture
def data() -> Data:
    return Data("here")


@pytest.fixture
async def server(projects: ThreeProjects, data: Data) -> AsyncIterator[RunningServer]:
    async with await serve([projects, data, Runs()]) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[Client]:
    metadata = [("x-tenant", "client")]
    async with Client(server.endpoint, token="client-token", metadata=metadata, page_size=1, timeout=20) as made:
        yield made


def seen(calls: list[ServerCall], *names: str) -> list[tuple[str | None, ...]]:
    return [tuple(call.metadata.get(name) for name in names) for call in calls]


async def test_a_block_adds_to_the_calls_made_in_it(projects: ThreeProjects, client: Client) -> None:
    with auth_metadata(("Authorization", "Bearer users-token"), ("x-user", "u1")):
        await Project.get.aio("a", client=client)
    await Project.get.aio("a", client=client)
    assert seen(projects.calls, "authorization", "x-user", "x-tenant") == [
        ("Bearer users-token", "u1", "client"),
        ("Bearer client-token", None, "client"),
    ]


async def test_blocks_add_up_and_the_inner_one_wins(projects: ThreeProjects, client: Client) -> None:
    with auth_metadata(("x-user", "u1"), ("x-tenant", "block")):
        with auth_metadata(("x-user", "u2"), ("x-more", "m")):
            await Project.get.aio("a", client=client)
        await Project.get.aio("a", client=client)
    assert seen(projects.calls, "x-user", "x-tenant", "x-more") == [("u2", "block", "m"), ("u1", "block", None)]


async def test_blocking_calls_and_threads_have_their_own(projects: ThreeProjects, client: Client) -> None:
    def work(user: str, turn: threading.Barrier) -> None:
        with auth_metadata(("x-user", user)):
            turn.wait(20)
            Project.get(user, client=client)
            turn.wait(20)

    turn = threading.Barrier(3)
    await asyncio.gather(*(asyncio.to_thread(work, f"u{n}", turn) for n in range(3)))
    assert sorted(seen(projects.calls, "x-user")) == [("u0",), ("u1",), ("u2",)]


async def test_a_listing_takes_them_along(projects: ThreeProjects, client: Client) -> None:
    with auth_metadata(("x-user", "u1")):
        pager = Project.listall(client=client)
    with auth_metadata(("x-user", "u2"), ("x-more", "m")):
        assert [project.id async for project in pager] == ["p0", "p1", "p2"]
    assert {*seen(projects.calls, "x-user", "x-more")} == {("u1", "m")}
    projects.calls.clear()
    assert len(await asyncio.to_thread(list, pager)) == 3
    assert await pager.first.aio() is not None
    assert {*seen(projects.calls, "x-user", "x-more")} == {("u1", None)}
    projects.calls.clear()
    await Project.get.aio("a", client=client)
    assert seen(projects.calls, "x-user") == [(None,)]


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_log_takes_them_along(blocking: bool, projects: ThreeProjects, data: Data, client: Client) -> None:
    with auth_metadata(("x-user", "u1")):
        log = Action(ActionMessage(id=succeeded().id), client).get_logs()
    if blocking:
        assert await asyncio.to_thread(list, log) == ["here"]
    else:
        async for line in log:
            assert line == "here"
            # Not those of the log: this call is the reader's own.
            await Project.get.aio("a", client=client)
    assert seen(data.calls, "x-user") == [("u1",)]
    assert {*seen(projects.calls, "x-user")} <= {(None,)}


class Talkative(ThreeProjects):
    """Repeats in its errors what it was sent."""

    async def get_project(self, request: GetProjectRequest, call: ServerCall) -> GetProjectResponse:
        abort(Status.PERMISSION_DENIED, f"no rights for {dict(call.metadata)}")


async def test_they_are_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with await serve([Talkative()]) as server, Client(server.endpoint, timeout=20) as client:
        with auth_metadata(("authorization", "Basic secret-one"), ("x-key", "secret-two")):
            with pytest.raises(PermissionDeniedError) as raised:
                await Project.get.aio("a", client=client)
            assert "secret" not in repr(client)
    error: RpcError = raised.value
    assert "x-key" in str(error)
    assert "secret" not in f"{error} {error!r} {caplog.text}"


@pytest.mark.parametrize(
    ("pairs", "error", "complaint"),
    [
        ((), ValueError, "at least one pair"),
        ((("", "v"),), ValueError, "has the header ''"),
        ((("a b", "v"),), ValueError, "has the header 'a b'"),
        ((("grpc-timeout", "1S"),), ValueError, "without grpc- or connect- in front"),
        ((("key-bin", "v"),), ValueError, "-bin at the end"),
        ((("x-request-id", "v"),), ValueError, "the client sets itself"),
        ((("key", ""),), ValueError, "value of 'key' is empty"),
        ((("key", "secret\n"),), ValueError, "not printable"),
        (("key", "secret"), TypeError, "tuples of strings, not str"),
        ((("key", b"secret"),), TypeError, "tuples of strings, not tuple"),
    ],
)
def test_bad_pairs_are_refused_at_once(pairs: Any, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint) as raised, auth_metadata(*pairs):
        pass
    assert "secret" not in str(raised.value)
