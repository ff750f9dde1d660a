"""Servers that lack a method: one clear error, in every kind of call, and never a second attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flyte.errors import EndpointError, UnimplementedError
from flyte.remote import Action, Project, Run
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails, ActionStatus
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetActionDataRequest,
    WatchActionDetailsResponse,
    WatchRunsRequest,
)
from flyte_api.services.flyteidl2.project.project_service import ProjectServiceBase
from flyte_api.services.flyteidl2.workflow.run_service import RunService, RunServiceBase
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.serving.server import serve
from support.peers import Peer, scripted

NOT_MOUNTED = ((":status", "404"), ("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff"))
ID = ActionIdentifier(run=RunIdentifier(project="p", domain="d", name="r1"), name="a0")


def not_mounted(peer: Peer, at: int) -> None:
    """What a router answers for a path that nothing is mounted at: a status, and text that is no gRPC."""
    peer.begin(at, NOT_MOUNTED)
    peer.h2.send_data(at, b"404 page not found\n", end_stream=True)


def without_a_body(peer: Peer, at: int) -> None:
    peer.begin(at, ((":status", "404"),), end=True)


@asynccontextmanager
async def without_the_methods() -> AsyncGenerator[tuple[str, Any], None]:
    """A gRPC server that knows the services by name."""
    async with await serve([RunServiceBase(), ProjectServiceBase()]) as running:
        yield running.endpoint, None


@asynccontextmanager
async def without_the_services() -> AsyncGenerator[tuple[str, Any], None]:
    """A gRPC server of nothing."""
    async with await serve([]) as running:
        yield running.endpoint, None


async def drained(items: Any) -> None:
    async for _ in items:
        pass


CALLS: dict[str, tuple[str, Callable[[Client], Awaitable[Any]]]] = {
    "get": ("ProjectService/GetProject", lambda c: Project.get.aio("p", client=c)),
    "list": ("RunService/ListRuns", lambda c: Run.listall(client=c).collect.aio()),
    "watch": ("RunService/WatchActionDetails", lambda c: drained(Action(ActionMessage(id=ID), c).watch())),
    "call": ("RunService/AbortAction", lambda c: Action(ActionMessage(id=ID), c).abort.aio()),
    "unary": (
        "RunService/GetActionData",
        lambda c: unary(c, RunService.GET_ACTION_DATA, GetActionDataRequest(action_id=ID)),
    ),
    "stream": ("RunService/WatchRuns", lambda c: drained(stream(c, RunService.WATCH_RUNS, WatchRunsRequest()))),
}


@pytest.mark.parametrize(
    "server",
    [without_the_methods, without_the_services, lambda: scripted(not_mounted), lambda: scripted(without_a_body)],
    ids=["no-method", "no-service", "404", "404-without-body"],
)
@pytest.mark.parametrize("kind", CALLS)
async def test_each_kind_of_call_says_so_at_once(server: Any, kind: str) -> None:
    method, call = CALLS[kind]
    records: list[CallRecord] = []
    async with (
        server() as (endpoint, _),
        Client(endpoint, project="p", domain="d", timeout=20, on_call=records.append) as client,
        asyncio.timeout(30),
    ):
        with pytest.raises(UnimplementedError) as caught:
            await call(client)
    error = caught.value
    assert error.method.endswith(method) and error.endpoint == endpoint and error.request_id
    for part in (method, endpoint, "is not offered by the server (UNIMPLEMENTED)", "older than this client", "upgrade"):
        assert part in str(error)
    assert isinstance(error, NotImplementedError)
    assert [record.attempt for record in records] == [1], "it was tried again"


async def test_a_watch_ends_when_what_it_follows_is_taken_away() -> None:
    """Behind a load balancer the next connection may lead to an older server."""
    asked = 0

    def script(peer: Peer, at: int) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            not_mounted(peer, at)
            return
        details = ActionDetails(id=ID, status=ActionStatus(phase=ActionPhase.RUNNING))
        peer.begin(at)
        peer.message(at, bytes(WatchActionDetailsResponse(details=details)))
        peer.end(at)

    seen: list[str] = []
    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client, asyncio.timeout(30):
        with pytest.raises(UnimplementedError, match="WatchActionDetails is not offered"):
            async for item in Action(ActionMessage(id=ID), client).watch():
                seen.append(item.phase)
    assert (seen, asked) == (["running"], 2)


async def test_the_blocking_form_says_the_same() -> None:
    async with scripted(not_mounted) as (endpoint, _):

        def use() -> None:
            with Client(endpoint, project="p", domain="d", timeout=20) as client:
                with pytest.raises(UnimplementedError, match="GetProject is not offered"):
                    Project.get("p", client=client)
                with pytest.raises(UnimplementedError, match="ListRuns is not offered"):
                    list(Run.listall(client=client))
                with pytest.raises(UnimplementedError, match="WatchActionDetails is not offered"):
                    list(Action(ActionMessage(id=ID), client).watch())

        await asyncio.to_thread(use)


async def test_a_page_is_from_a_web_server_and_no_older_control_plane() -> None:
    headers = ((":status", "404"), ("content-type", "text/html"))
    async with (
        scripted(lambda peer, at: peer.begin(at, headers, end=True)) as (endpoint, _),
        Client(endpoint, timeout=20) as client,
    ):
        with pytest.raises(EndpointError, match="not a gRPC server"):
            await Project.get.aio("p", client=client)
