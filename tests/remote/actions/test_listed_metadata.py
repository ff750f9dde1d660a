"""Listings of actions where the server omits the metadata."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import pytest

from flyte.errors import DeadlineExceededError, PermissionDeniedError
from flyte.remote import Action, Condition
from flyte.remote.runs.queries.listed_metadata import complete_listing
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionType, RunSource
from flyte_api.messages.flyteidl2.workflow.run_service import GetActionDetailsRequest, GetActionDetailsResponse
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote.actions.listing import RUN, Listing, metadata

Connect = Callable[[Listing], AbstractAsyncContextManager[Client]]


@pytest.fixture
def connect() -> Connect:
    @asynccontextmanager
    async def connected(plane: Listing) -> AsyncIterator[Client]:
        async with (
            asyncio.timeout(60),
            await serve([plane]) as server,
            Client(server.endpoint, project="p", domain="d") as client,
        ):
            yield client

    return connected


async def test_one_watch_completes_all_pages(connect: Connect) -> None:
    plane = Listing(350)
    async with connect(plane) as client:
        found = await Action.listall("r1", client=client).collect.aio()
        await plane.closed.wait()
    assert [action.name for action in found] == [f"a{number}" for number in range(350)]
    assert [action.kind for action in found[:4]] == ["task", "trace", "condition", "task"]
    assert [action.task_name for action in found[:4]] == ["env.task0", "", "", "env.task3"]
    assert [action.metadata.action_type for action in found[:3]] == [
        ActionType.TASK,
        ActionType.TRACE,
        ActionType.CONDITION,
    ]
    assert found[1].metadata.trace == metadata(1).trace
    assert found[0].metadata.source is RunSource.CLI
    assert [action.parent_name for action in found[:2]] == [None, "a0"]
    assert [action.group for action in found[:3]] == ["even", "", "even"]
    assert plane.calls == {"list": 4, "watch": 1}
    assert plane.watches_open == 0


async def test_a_run_larger_than_the_first_message_of_the_watch(connect: Connect) -> None:
    plane = Listing(1250)
    async with connect(plane) as client:
        found = await Action.listall("r1", page_size=200, client=client).collect.aio()
    assert [action.kind for action in found] == ["task", "trace", "condition"] * 416 + ["task", "trace"]
    assert plane.calls == {"list": 7, "watch": 2}


async def test_brief_listings_and_complete_ones_make_no_other_call(connect: Connect) -> None:
    plane = Listing(5)
    async with connect(plane) as client:
        brief = await Action.listall("r1", brief=True, client=client).collect.aio()
        assert {action.kind for action in brief} == {""} and plane.calls == {"list": 1}
        plane.sends_metadata = True
        full = await Action.listall("r1", client=client).collect.aio()
    assert [action.kind for action in full] == ["task", "trace", "condition", "task", "trace"]
    assert plane.calls == {"list": 2}


async def test_limit_and_leaving_the_loop(connect: Connect) -> None:
    plane = Listing(300)
    async with connect(plane) as client:
        assert len(await Action.listall("r1", limit=3, client=client).collect.aio()) == 3
        assert plane.calls == {"list": 1, "watch": 1}
        first = await Action.listall("r1", client=client).first.aio()
        assert first is not None and first.task_name == "env.task0"
        async with aclosing(aiter(Action.listall("r1", client=client))) as actions:
            async for action in actions:
                assert action.kind == "task"
                break
        await plane.closed.wait()
    assert plane.watches_open == 0 and plane.calls["details"] == 0


@pytest.mark.parametrize("failure", [Status.UNKNOWN, Status.UNIMPLEMENTED], ids=lambda status: status.name)
async def test_details_replace_a_watch_that_fails(connect: Connect, failure: Status) -> None:
    plane = Listing(230)
    plane.watch_fails, plane.watch_shows = failure, 0
    async with connect(plane) as client:
        found = await Action.listall("r1", client=client).collect.aio()
    assert [action.kind for action in found] == ["task", "trace", "condition"] * 76 + ["task", "trace"]
    assert plane.calls == {"list": 3, "watch": 1, "details": 230}
    assert 1 < plane.details_at_once <= 16


@pytest.mark.parametrize(("silence", "deadline"), [(0.05, 30.0), (30.0, 0.05)], ids=["silence", "deadline"])
async def test_a_snapshot_without_all_actions_ends(connect: Connect, silence: float, deadline: float) -> None:
    plane = Listing(12)
    plane.watch_shows = 10
    async with connect(plane) as client:
        bare = Action.listall("r1", brief=True, client=client)
        pager = complete_listing(bare, client, RUN, limit=None, page_size=None, silence=silence, deadline=deadline)
        found = await pager.collect.aio()
        await plane.closed.wait()
    assert [action.kind for action in found] == ["task", "trace", "condition"] * 4
    assert plane.calls["details"] == 2


async def test_a_deleted_action_stays_as_it_was_listed(connect: Connect) -> None:
    class Deleting(Listing):
        async def get_action_details(
            self, request: GetActionDetailsRequest, call: ServerCall
        ) -> GetActionDetailsResponse:
            self.count = 1
            return await super().get_action_details(request, call)

    plane = Deleting(2)
    plane.watch_fails, plane.watch_shows = Status.UNIMPLEMENTED, 0
    async with connect(plane) as client:
        found = await Action.listall("r1", client=client).collect.aio()
    assert [(action.name, action.kind) for action in found] == [("a0", "task"), ("a1", "")]


async def test_other_errors_of_details_are_raised(connect: Connect) -> None:
    class Forbidding(Listing):
        async def get_action_details(
            self, request: GetActionDetailsRequest, call: ServerCall
        ) -> GetActionDetailsResponse:
            abort(Status.PERMISSION_DENIED, "not yours")

    plane = Forbidding(2)
    plane.watch_fails, plane.watch_shows = Status.UNIMPLEMENTED, 0
    async with connect(plane) as client:
        with pytest.raises(PermissionDeniedError, match="not yours"):
            await Action.listall("r1", client=client).collect.aio()


async def test_the_timeout_of_a_page_bounds_the_watch(connect: Connect) -> None:
    plane = Listing(3)
    plane.watch_shows = 0
    async with connect(plane) as client:
        with pytest.raises(DeadlineExceededError):
            await Action.listall("r1", timeout=0.3, client=client).collect.aio()
        await plane.closed.wait()


async def test_parents_and_children_of_listed_actions(connect: Connect) -> None:
    plane = Listing(4)
    async with connect(plane) as client:
        root, child, *_ = await Action.listall("r1", client=client).collect.aio()
        assert [action.name async for action in root.children()] == ["a1", "a2", "a3"]
        assert [action async for action in child.children()] == []
        plane.calls.clear()
        assert await root.parent.aio() is None and not plane.calls
        parent = await child.parent.aio()
    assert parent == root and parent.task_name == "env.task0"
    assert plane.calls == {"details": 1}


async def test_blocking_listings(connect: Connect) -> None:
    plane = Listing(3)
    async with connect(plane) as client:
        found = await asyncio.to_thread(lambda: [action.kind for action in Action.listall("r1", client=client)])
    assert found == ["task", "trace", "condition"]


async def test_conditions_take_one_watch_too(connect: Connect) -> None:
    plane = Listing(3)
    async with connect(plane) as client:
        found = await Condition.listall("r1", client=client).collect.aio()
    assert found[2].name == "question-2"
    assert plane.calls == {"list": 1, "watch": 1}
