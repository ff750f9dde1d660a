"""Data calls that a control plane delegates to clusters: which calls, with which metadata, and how answers are cached."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flyte import _routing
from flyte._launch import Runner
from flyte._routing import Operation, route
from flyte.errors import DecodeError, InitializationError, PermissionDeniedError, WaitTimeoutError
from flyte.remote import Action, ActionDetails, TaskDetails, auth_metadata
from flyte.remote.launch.run_context import RunContext
from flyte.types import File
from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequest, SelectClusterResponse
from flyte_api.messages.flyteidl2.common.identifier import (
    ActionIdentifier,
    ClusterPoolIdentifier,
    DomainIdentifier,
    OrgIdentifier,
    ProjectIdentifier,
    RunIdentifier,
)
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.serving.server import RunningServer, ServerCall, Status, abort, serve
from remote.planes.cluster import Clusters
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded

PROJECT = ProjectIdentifier(domain="d", name="p")


@pytest.fixture
def clusters() -> Clusters:
    return Clusters()


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def near() -> Data:
    return Data("near")


@pytest.fixture
def far() -> Data:
    return Data("far")


@pytest.fixture
async def plane(clusters: Clusters, near: Data, runs: Runs) -> AsyncIterator[RunningServer]:
    async with await serve([clusters, near, runs]) as server:
        yield server


@pytest.fixture
async def data_plane(far: Data) -> AsyncIterator[RunningServer]:
    async with await serve([far]) as server:
        yield server


@pytest.fixture
async def client(plane: RunningServer) -> AsyncIterator[Client]:
    async with Client(
        plane.endpoint, project="p", domain="d", token="sesame", metadata=[("x-tenant", "t")], timeout=20
    ) as made:
        yield made


def action(name: str) -> ActionIdentifier:
    return ActionIdentifier(run=RunIdentifier(project="p", domain="d", name="r1"), name=name)


async def where(client: Client) -> Any:
    return (await ActionDetails(succeeded(), client).inputs.aio())["place"]


async def test_data_is_read_where_it_is_with_the_same_identity(
    clusters: Clusters, near: Data, far: Data, client: Client, data_plane: RunningServer
) -> None:
    clusters.name(data_plane.endpoint, "c1")
    assert await where(client) == "far"
    assert near.calls == []
    sent = far.calls[0].metadata
    assert (sent["authorization"], sent["x-tenant"]) == ("Bearer sesame", "t")
    (asked,) = clusters.asked
    assert (asked.operation, which_one_of(asked, "resource")) == (
        Operation.GET_ACTION_DATA,
        ("action_id", succeeded().id),
    )
    assert await where(client) == "far"
    assert len(clusters.asked) == 1


async def test_logs_and_inputs_of_runs_go_there_and_the_run_itself_does_not(
    clusters: Clusters, near: Data, far: Data, runs: Runs, client: Client, data_plane: RunningServer
) -> None:
    clusters.name(data_plane.endpoint, "c1")
    lines = [line async for line in Action(ActionMessage(id=succeeded().id), client).get_logs()]
    assert lines == ["far"]
    message = TaskDetailsMessage(
        task_id=TaskIdentifier(name="t", version="1"), spec=TaskSpec(task_template=TaskTemplate())
    )
    await Runner(RunContext(client=client)).run.aio(TaskDetails(message, client))
    (created,) = runs.created
    assert created.offloaded_input_data is not None and created.offloaded_input_data.uri == "s3://far"
    assert near.calls == []
    assert [(r.operation, which_one_of(r, "resource")[1]) for r in clusters.asked] == [
        (Operation.TAIL_LOGS, succeeded().id),
        (Operation.UPLOAD_INPUTS, PROJECT),
    ]


async def test_uploads_go_there(clusters: Clusters, client: Client, data_plane: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    clusters.name(data_plane.endpoint, "c1")
    with pytest.raises(NotImplementedError, match="CreateUploadLocation") as raised:
        await File.from_local.aio(tmp_path / "a", client=client)
    assert data_plane.endpoint in str(raised.value), "this fake has no storage, and it is the one that was asked"
    assert [which_one_of(asked, "resource")[1] for asked in clusters.asked] == [PROJECT]


async def test_an_upload_waits_for_the_answer_no_longer_than_it_may(
    clusters: Clusters, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("x")
    clusters.gate.clear()
    with pytest.raises(WaitTimeoutError, match=r"a was not uploaded: gave up after 0\.\d s"):
        await File.from_local.aio(tmp_path / "a", timeout=0.2, client=client)
    clusters.gate.set()


@pytest.mark.parametrize("named", ["", "own", "own without cluster"])
async def test_the_control_plane_itself(named: str, clusters: Clusters, client: Client) -> None:
    if named:
        clusters.name(client.endpoint, "" if "without" in named else "c1")
    assert await route(client, Operation.GET_ACTION_DATA, action("a0")) is client
    await route(client, Operation.GET_ACTION_DATA, action("a0"))
    assert len(clusters.asked) == 1
    await route(client, Operation.GET_ACTION_DATA, action("a1"))
    # Only a server that knows no clusters by name has said the same of every action.
    assert len(clusters.asked) == (1 if "without" in named else 2)
    await route(client, Operation.USE_SECRETS, DomainIdentifier(name="d"))
    assert len(clusters.asked) == (2 if "without" in named else 3)


@pytest.mark.parametrize("named", ["http://10.96.0.17:8090", "https://plane.internal", "not an endpoint", "elsewhere"])
async def test_an_answer_without_a_cluster_means_the_server_itself(
    named: str, clusters: Clusters, near: Data, far: Data, client: Client, data_plane: RunningServer
) -> None:
    """Behind a proxy, the server names the address that the proxy calls, which the client may not be able to reach."""
    clusters.name(data_plane.endpoint if named == "elsewhere" else named)
    assert await where(client) == "near"
    assert [line async for line in Action(ActionMessage(id=succeeded().id), client).get_logs()] == ["near"]
    assert far.calls == []
    assert await route(client, Operation.TAIL_LOGS, action("a1")) is client
    assert len(clusters.asked) == 2, "once for each operation, since no answer of this server tells actions apart"


async def test_a_server_without_clusters_is_asked_once(near: Data) -> None:
    calls: list[CallRecord] = []
    async with await serve([near]) as server, Client(server.endpoint, on_call=calls.append) as client:
        for name in ("a0", "a1"):
            assert await route(client, Operation.GET_ACTION_DATA, action(name)) is client
        assert await route(client, Operation.USE_SECRETS, OrgIdentifier(name="o")) is client
    assert [call.method for call in calls] == ["flyteidl2.cluster.ClusterService/SelectCluster"]


class Choosy(Clusters):
    """Does not answer everybody."""

    async def select_cluster(self, request: SelectClusterRequest, call: ServerCall) -> SelectClusterResponse:
        reply = await super().select_cluster(request, call)
        if call.metadata.get("x-user") == "mallory":
            abort(Status.PERMISSION_DENIED, "not for you")
        return reply


async def test_what_somebody_else_is_refused_is_nobody_elses_failure() -> None:
    choosy = Choosy()
    choosy.gate.clear()
    async with await serve([choosy]) as server, Client(server.endpoint) as client, asyncio.timeout(30):
        with auth_metadata(("x-user", "mallory")):
            refused = asyncio.create_task(route(client, Operation.TAIL_LOGS, action("a0")))
        await choosy.arrived.wait()
        choosy.arrived.clear()
        answered = asyncio.create_task(route(client, Operation.TAIL_LOGS, action("a0")))
        await choosy.arrived.wait()
        choosy.gate.set()
        with pytest.raises(PermissionDeniedError, match="not for you"):
            await refused
        assert await answered is client


async def test_many_who_ask_at_once_ask_once(clusters: Clusters, client: Client, data_plane: RunningServer) -> None:
    clusters.name(data_plane.endpoint, "c1")
    clusters.gate.clear()
    asking = [asyncio.create_task(route(client, Operation.TAIL_LOGS, action("a0"))) for _ in range(20)]
    await clusters.arrived.wait()
    asking.pop(0).cancel()  # the one whose question it was
    clusters.gate.set()
    found = {id(other) for other in await asyncio.gather(*asking)}
    assert len(found) == 1 and len(clusters.asked) == 1


async def test_actions_of_one_cluster_share_a_connection(
    clusters: Clusters, client: Client, data_plane: RunningServer
) -> None:
    clusters.name(data_plane.endpoint, "c1")
    found = {id(await route(client, Operation.GET_ACTION_DATA, action(f"a{n}"))) for n in range(50)}
    assert len(found) == 1 and len(clusters.asked) == 50


async def test_only_so_many_answers_are_kept(
    clusters: Clusters, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_routing, "_MOST", 2)

    async def asks(name: str) -> bool:
        before = len(clusters.asked)
        await route(client, Operation.TAIL_LOGS, action(name))
        return len(clusters.asked) > before

    assert [await asks(name) for name in ("a", "b", "a", "c", "a", "b")] == [True, True, False, True, False, True]


async def test_answers_do_not_hold_for_ever(
    clusters: Clusters, client: Client, monkeypatch: pytest.MonkeyPatch, data_plane: RunningServer
) -> None:
    monkeypatch.setattr(_routing, "_FRESH", 0.0)
    assert await route(client, Operation.TAIL_LOGS, PROJECT) is client
    clusters.name(data_plane.endpoint, "c1")
    assert (await route(client, Operation.TAIL_LOGS, PROJECT)).endpoint == data_plane.endpoint


async def test_what_the_server_refuses_is_told_and_asked_again(clusters: Clusters, client: Client) -> None:
    def refuse(_: SelectClusterRequest) -> SelectClusterResponse:
        abort(Status.PERMISSION_DENIED, "not yours")

    clusters.answer = refuse
    with pytest.raises(PermissionDeniedError, match=r"SelectCluster failed.*not yours"):
        await where(client)
    clusters.answer = lambda _: SelectClusterResponse()
    assert await where(client) == "near"


async def test_it_is_closed_with_the_client(clusters: Clusters, client: Client, data_plane: RunningServer) -> None:
    clusters.name(data_plane.endpoint, "c1")
    other = await route(client, Operation.TAIL_LOGS, PROJECT)
    assert (other.project, other.timeout, other.closed) == ("p", 20, False)
    assert await where(client) == "far"
    await client.aclose()
    assert other.closed
    with pytest.raises(InitializationError, match="is closed"):
        await where(client)


async def test_a_closed_copy_of_a_client_calls_no_cluster(
    clusters: Clusters, client: Client, data_plane: RunningServer
) -> None:
    clusters.name(data_plane.endpoint, "c1")
    copy = client.with_options(timeout=10)
    assert await where(copy) == "far"
    await copy.aclose()
    with pytest.raises(InitializationError, match="closed"):
        await where(copy)
    assert await where(client) == "far", "the client that it was made from stays open"


async def test_a_client_that_nobody_has_is_forgotten(clusters: Clusters, plane: RunningServer) -> None:
    client = Client(plane.endpoint, token="sesame")
    await route(client, Operation.TAIL_LOGS, PROJECT)
    await client.aclose()
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("own", "named", "leads_to"),
    [
        ("https://plane.example.com", "https://data.example.com", "https://data.example.com:443"),
        ("https://plane.example.com", "data.example.com:8443", "https://data.example.com:8443"),
        ("https://plane.example.com", "dns:///data.example.com", "https://data.example.com:443"),
        ("https://plane.example.com", "https://PLANE.example.com", None),
        ("https://plane.example.com", "http://plane.example.com", None),  # behind a proxy that terminates TLS
        ("https://plane.example.com:8443", "http://plane.example.com:8443", None),
        ("https://plane.example.com", "https://plane.example.com:8443", "https://plane.example.com:8443"),
        ("https://plane.example.com", "http://data.example.com", InitializationError),
        ("https://plane.example.com", "http://127.0.0.1:80", InitializationError),
        ("https://plane.example.com", "http://plane.example.com:8080", InitializationError),
        ("http://plane.internal", "http://data.internal:81", "http://data.internal:81"),
        ("http://plane.internal", "data.internal:81", "http://data.internal:81"),
        ("http://plane.internal", "https://data.internal", "https://data.internal:443"),
        ("http://127.0.0.1:8090", "http://localhost:8091", "http://localhost:8091"),
        ("http://127.0.0.1:8090", "http://data.internal:81", InitializationError),
        ("http://127.0.0.1:8090", "ftp://data.internal", DecodeError),
        ("http://127.0.0.1:8090", "http://user:pass@127.0.0.1:1", DecodeError),
    ],
)
def test_where_an_answer_may_lead(own: str, named: str, leads_to: str | type[Exception] | None) -> None:
    client, reply = Client(own, token="sesame"), SelectClusterResponse(cluster_endpoint=named, cluster="c1")
    if isinstance(leads_to, type):
        with pytest.raises(leads_to, match=r"cleartext|cannot be used") as raised:
            _routing.destination(client, reply)
        assert "sesame" not in str(raised.value) and "pass@" not in str(raised.value)
    else:
        found = _routing.destination(client, reply)
        assert (None if found is None else str(found)) == leads_to


async def test_a_refused_endpoint_gets_nothing(clusters: Clusters, near: Data, far: Data, client: Client) -> None:
    clusters.name("http://data.invalid:81", "c1")
    with pytest.raises(InitializationError, match=r"has data at http://data\.invalid:81, where the credentials would"):
        await where(client)
    assert near.calls == far.calls == []


async def test_every_kind_of_resource_can_be_asked_about(clusters: Clusters, client: Client) -> None:
    for resource in (OrgIdentifier(name="o"), ClusterPoolIdentifier(name="c"), TaskIdentifier(name="t"), PROJECT):
        await route(client, Operation.USE_SECRETS, resource)
        assert which_one_of(clusters.asked[-1], "resource")[1] == resource
    message = {field[0] for field in SelectClusterRequest.FIELDS} - {"operation"}
    assert message == {*_routing._RESOURCES.values()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_connections_of_its_own() -> None:
    async def life() -> None:
        clusters, far = Clusters(), Data("far")
        async with await serve([far]) as data_plane, await serve([clusters]) as plane:
            clusters.name(data_plane.endpoint, "c1")
            async with Client(plane.endpoint, token="sesame", timeout=20) as client:
                assert await where(client) == "far"
                child = await asyncio.to_thread(_forked, client)
                assert child == 0 and len(far.calls) == 2

    asyncio.run(life())


def _forked(client: Client) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if ActionDetails(succeeded(), client).inputs()["place"] == "far" else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
