"""Failures: each error says what failed, where, and what to do; nothing hangs."""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import (
    ActionNotFoundError,
    DecodeError,
    EndpointError,
    InitializationError,
    InvalidArgumentError,
    NotFoundError,
    RemoteTaskNotFoundError,
    RemoteTaskUsageError,
    RpcError,
    UnauthenticatedError,
    UnimplementedError,
)
from flyte.models import ActionPhase, UnknownPhase
from flyte.remote import Action, App, Project, Run, Task, TaskDetails, TimeFilter
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionStatus
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import ListRunsRequest, ListRunsResponse
from flyte_api.registry import registry
from flyte_api.services.flyteidl2.workflow.run_service import RunService, RunServiceBase
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, ServiceBase, serve
from support.peers import saying


def client_for(endpoint: str) -> Client:
    return Client(endpoint, project="p", domain="d", timeout=20)


@pytest.fixture
def unset() -> Any:
    """No default client, as in a fresh process."""
    before = registry.default
    registry.set_default(None)
    yield
    registry.set_default(before)


# --- where to ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: Project.get("x"),
        lambda: list(Run.listall()),
        lambda: Task.get("t", version="1").fetch(),
        lambda: flyte.current_client(),
    ],
)
def test_no_endpoint(unset: None, call: Callable[[], object]) -> None:
    with pytest.raises(InitializationError, match=r"flyte\.init\(.*flyte\.devbox\.start\(\)"):
        call()


def test_init_without_endpoint(unset: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLYTE_ENDPOINT", "FLYTE_ADMIN_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InitializationError, match="endpoint"):
        flyte.init()


def test_second_init(unset: None) -> None:
    flyte.init("http://127.0.0.1:1", project="p", domain="d", token="first-secret")
    first = flyte.current_client()
    flyte.init("http://127.0.0.1:1", project="p", domain="d", token="first-secret")
    assert flyte.current_client() is first, "the same again changes nothing"
    with pytest.raises(InitializationError, match="project") as caught:
        flyte.init("http://127.0.0.1:1", project="other", domain="d", token="second-secret")
    assert "replace=True" in str(caught.value) and "secret" not in str(caught.value)
    assert flyte.current_client() is first
    flyte.init("http://127.0.0.1:1", project="other", domain="d", token="second-secret", replace=True)
    assert flyte.current_client().project == "other"
    flyte.current_client().close()


def test_no_project(box: Devbox) -> None:
    with (
        Client(box.endpoint, token=box.token) as client,
        pytest.raises(InitializationError, match=r"No project and no domain is set"),
    ):
        list(Run.listall(client=client))


def test_nothing_listening() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with client_for(endpoint) as client, pytest.raises(EndpointError) as caught:
            Run.get("r1", client=client)
    text = str(caught.value)
    assert endpoint.removeprefix("http://") in text and "GetRunDetails" in text


async def test_a_web_server() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>"
    async with saying(page) as address, client_for(f"http://{address}") as client:
        with pytest.raises(EndpointError, match=r"HTTP/1\.1|not a Connect server"):
            await Run.get.aio("r1", client=client)


def test_wrong_token(box: Devbox) -> None:
    client = Client(box.endpoint, token="not-the-token", project="p", domain="d")
    with client, pytest.raises(UnauthenticatedError) as caught:
        Run.get("r1", client=client)
    assert "not-the-token" not in str(caught.value) and "not-the-token" not in repr(client)


@pytest.mark.parametrize("endpoint", ["", "ftp://x", "http://", "http://host:port", "two words"])
def test_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"endpoint|host|port"):
        Client(endpoint)


# --- what is not there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "error", "named"),
    [
        (lambda: Project.get("nope"), NotFoundError, "nope"),
        (lambda: Project.update("nope", name="x"), NotFoundError, "nope"),
        (lambda: Run.get("nope"), NotFoundError, "nope"),
        (lambda: Action.get("nope"), ActionNotFoundError, "No action named 'a0' of a run named 'nope' in "),
        (lambda: list(Run.listall(task_name=3)), TypeError, "task_name takes a string, not int"),  # type: ignore[arg-type]
        (lambda: list(Run.listall(task_name="")), ValueError, "task_name is empty; omit it to list all items"),
        (lambda: Run.listall(project=3), TypeError, "project takes"),  # type: ignore[arg-type]
        (lambda: pickle.dumps(Run.listall()), TypeError, "pickle list"),
        (lambda: list(Run.listall(sort_by=3)), TypeError, "sort_by takes"),  # type: ignore[arg-type]
        (lambda: list(Run.listall(in_phase=iter(["failed"]))), TypeError, "in_phase=list(...)"),  # type: ignore[arg-type]
        (
            lambda: flyte.Resources(memory=("2Gi", "1Gi")),
            ValueError,
            "requests 2Gi, which is more than its limit of 1Gi",
        ),
        (
            lambda: Task.get("nope", version="v1").fetch(),
            RemoteTaskNotFoundError,
            "No task named 'nope' with version 'v1' in",
        ),
        (lambda: Task.get("nope", auto_version="latest").fetch(), RemoteTaskNotFoundError, "No task named 'nope'"),
    ],
)
def test_unknown_things(box: Devbox, ask: Callable[[], object], error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named) as caught:
        ask()
    cause = caught.value if isinstance(caught.value, RpcError) else caught.value.__cause__
    if isinstance(cause, RpcError):
        assert cause.endpoint == box.endpoint and cause.hint
        no_call_failed = isinstance(cause, RemoteTaskNotFoundError) and cause.__cause__ is None
        assert (cause.request_id and cause.method) or no_call_failed


def test_unknown_version_and_action(multiply: TaskDetails) -> None:
    with pytest.raises(RemoteTaskNotFoundError, match=r"has no version 'v999' in .*; its newest version is"):
        Task.get(multiply.name, version="v999").fetch()
    run = flyte.run(multiply, x=1)
    with pytest.raises(NotFoundError, match="zz9"):
        Action.get(run.name, "zz9")
    with pytest.raises(NotFoundError):
        list(Action(ActionMessage(id=ActionIdentifier(run=run.pb2.action.id.run, name="zz9"))).watch(timeout=20))
    assert list(Action.listall("nosuchrun")) == []


def test_unknown_project_of_a_run(multiply: TaskDetails) -> None:
    with pytest.raises(NotFoundError, match="nosuchproject"):
        flyte.with_runcontext(project="nosuchproject").run(multiply, x=1)


# --- what is refused before anything is sent ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: Run.get(""), "name must not be empty"),
        (lambda: Run.get("x" * 31), "name takes at most 30 characters"),
        (lambda: Action.get("x" * 31), "run_name takes at most 30"),
        (lambda: Action.get("run", "x" * 31), "name takes at most 30"),
        (lambda: Action.listall(""), "for_run_name must not be empty"),
        (lambda: Project.get(""), "id must not be empty"),
        (lambda: Project.create("", "n"), "id must not be empty"),
        (lambda: Project.create("x" * 64, "n"), "id takes at most 63"),
        (
            lambda: Project.create("My Project", "n"),
            "'My Project' is not; 'my-project' would be one. name= takes any text",
        ),
        (lambda: Project.create("-", "n"), "'-' is not. name="),
        (lambda: Project.create("x-", "n"), "'x-' is not; 'x' would be one"),
        (lambda: Project.create("x", "n", description="d" * 301), "description takes at most 300"),
        (lambda: Project.update("x", state="gone"), "'active' or 'archived', not 'gone'"),
        (lambda: Task.get("", version="1"), "name must not be empty"),
        (lambda: Task.get("x" * 256, version="1"), "name takes at most 255"),
        (lambda: Task.get("t", version="1" * 64), "version takes at most 63"),
        (lambda: Task.get("t"), "neither was"),
        (lambda: Task.get("t", version="1", auto_version="latest"), "both were"),
        (lambda: Task.get("t", auto_version="newest"), "'latest' or 'current', not 'newest'"),
        (lambda: Task.versions(""), "name must not be empty"),
        (lambda: Run.listall(in_phase=("sucess",)), "did you mean 'succeeded'"),
        (lambda: Run.listall(in_phase=()), "in_phase is empty"),
        (lambda: Run.listall(in_phase=(99,)), "in_phase has the unknown number 99; known: queued, waiting"),
        (lambda: Run.listall(in_phase=(0,)), "in_phase has the unknown number 0"),
        (lambda: Run.listall(in_phase=(UnknownPhase(42),)), r"unknown value 'unknown\(42\)'"),
        (lambda: App.listall(in_status=(99,)), "in_status has the unknown number 99"),
        (lambda: Run.listall(limit=-1), "limit is -1; it must not be negative"),
        (lambda: Run.listall(page_size=0), "page_size is 0"),
        (lambda: Run.listall(sort_by=("created_at", "down")), "direction 'down'"),
        (lambda: Run.listall(sort_by=""), "sort_by"),
        (
            lambda: Run.listall(sort_by=("-phase", "asc")),
            r"sort_by has \('-phase', 'asc'\), which gives the direction twice; write \('phase', 'asc'\) or \('phase', 'desc'\)",
        ),
        (lambda: Project.listall(sort_by=[("-name", "desc")]), "gives the direction twice"),
        (lambda: Run.listall(project=""), "project must not be empty"),
        (lambda: TimeFilter(after=datetime(2024, 1, 1)), "has no time zone"),
        (
            lambda: TimeFilter(datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)),
            "is later than before",
        ),
    ],
)
def test_values_that_cannot_be_meant(box: Devbox, ask: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda: Run.listall(in_phase="failed"),
            r"in_phase takes several values; for one, write in_phase=\('failed',\)",
        ),
        (lambda: Run.listall(in_phase=ActionPhase.FAILED), r"in_phase=\('failed',\)"),
        (lambda: Run.listall(in_phase=(None,)), "takes names"),
        (lambda: Run.listall(created_at=datetime.now(UTC)), "takes a TimeFilter, not datetime"),
        (lambda: Run.get(7), "name takes text, not int"),
        (lambda: TimeFilter(after="2024-01-01"), "takes a datetime, not str"),
        (lambda: Project.create("labelled", "n", labels={"a": 1}), "labels takes text"),
        (lambda: flyte.run("a name"), "takes a deployed task"),
        (lambda: Run.listall(limit="5"), "limit takes a whole number, not str"),
        (lambda: Run.listall(limit=True), "limit takes a whole number, not bool"),
        (lambda: Run.get("r1", client="x"), r"client takes a Client, not str"),
        (lambda: Client(None), "endpoint takes text"),
        (lambda: Client("http://h", timeout="5"), "timeout takes a number of seconds or a timedelta, not str"),
        (lambda: Run(RunMessage()).wait(timeout="5"), "timeout takes a number of seconds or a timedelta, not str"),
        (lambda: Project.listall(filters={"a": 1}), "filters takes text, not dict"),
    ],
)
def test_kinds_that_cannot_be_meant(box: Devbox, ask: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ask()


def test_pages_larger_than_the_server_allows(box: Devbox) -> None:
    with pytest.raises(InvalidArgumentError, match=r"Pass page_size=200 or less, for requests of 500 items. `limit=`"):
        Run.listall(page_size=500).collect()
    assert len(Run.listall(limit=1000).collect()) <= 1000


def test_inputs_of_a_run(multiply: TaskDetails) -> None:
    for inputs, message in (
        ({}, "needs x; it takes x, y"),
        ({"x": 1, "z": 2, "why": 3}, "has no input z, why"),
        ({"yy": 1}, r"has no input yy \(did you mean y\?\) and needs x"),
    ):
        with pytest.raises(RemoteTaskUsageError, match=message):
            flyte.run(multiply, **inputs)
        with pytest.raises(RemoteTaskUsageError, match=message):
            multiply(**inputs)
    for value in ("1", 1.5, True, None, [1]):
        with pytest.raises(TypeError, match="x"):
            flyte.run(multiply, x=value)
    with pytest.raises(ValueError, match="64"):
        flyte.run(multiply, x=2**63)
    with pytest.raises(ValueError, match=r"the inputs of task .* have 26 bytes, 11 of them x; the limit is 5"):
        flyte.run(multiply.override(max_inline_io_bytes=5), x=1)


def test_calling_outside_a_task(multiply: TaskDetails) -> None:
    lazy = Task.get(multiply.name, version=multiply.version)
    for call in (lambda: multiply(x=1), lambda: lazy(x=1)):
        with pytest.raises(RemoteTaskUsageError, match=r"only from within another task\. .*flyte\.run\(task"):
            call()
    for call in (lambda: multiply(1), lambda: lazy(1)):
        with pytest.raises(RemoteTaskUsageError, match="takes its inputs by name only, and 1 "):
            call()


# --- replies that are not what they should be --------------------------------------------------------------------------


class Scripted(RunServiceBase):
    """Answers ListRuns with the bytes it was given."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply

    async def list_runs(self, request: ListRunsRequest, call: ServerCall) -> ListRunsResponse:
        return _Raw(self.reply)  # type: ignore[return-value]


class _Raw:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def __bytes__(self) -> bytes:
        return self.data


async def listed(service: ServiceBase) -> list[Run]:
    async with await serve([service]) as server, client_for(server.endpoint) as client:
        return [run async for run in Run.listall.aio(client=client)]


def _runs(phase: int = 5) -> bytes:
    identifier = ActionIdentifier(run=RunIdentifier(project="p", domain="d", name="r1"), name="a0")
    status = ActionStatus(phase=phase)  # type: ignore[arg-type]
    return bytes(ListRunsResponse(runs=[RunMessage(action=ActionMessage(id=identifier, status=status))]))


async def test_a_reply_cut_in_the_middle_of_a_field() -> None:
    whole = _runs()
    for end in (1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(DecodeError, match="ListRuns") as caught:
            await listed(Scripted(whole[:end]))
        assert caught.value.endpoint and caught.value.request_id


async def test_a_phase_newer_than_ours() -> None:
    (run,) = await listed(Scripted(_runs(phase=42)))
    assert run.phase == "unknown(42)" and run.raw_phase == 42
    assert not run.done() and not run.phase.is_terminal and "unknown(42)" in repr(run)
    (blank,) = await listed(Scripted(_runs(phase=0)))
    assert blank.phase == "unspecified"


async def test_a_server_without_the_method() -> None:
    with pytest.raises(UnimplementedError, match="ListRuns"):
        await listed(RunServiceBase())


class Stuck(RunServiceBase):
    """Never answers, and sends the same page token for ever when it lists."""

    def __init__(self) -> None:
        self.asked = 0

    async def list_runs(self, request: ListRunsRequest, call: ServerCall) -> ListRunsResponse:
        self.asked += 1
        return ListRunsResponse(runs=[RunMessage()], token="again")

    async def get_run_details(self, request: Any, call: ServerCall) -> Any:
        await asyncio.Event().wait()

    def watch_action_details(self, request: Any, call: ServerCall) -> AsyncIterator[Any]:
        return _never()


async def _never() -> AsyncIterator[Any]:
    await asyncio.Event().wait()
    yield


async def test_nothing_hangs() -> None:
    stuck = Stuck()
    async with await serve([stuck]) as server, Client(server.endpoint, project="p", domain="d", timeout=0.2) as client:
        assert len([run async for run in Run.listall.aio(client=client)]) <= 2
        with pytest.raises(TimeoutError, match="GetRunDetails"):
            await Run.get.aio("r1", client=client)
        run = Run(
            RunMessage(action=ActionMessage(id=ActionIdentifier(run=RunIdentifier(name="r1"), name="a0"))), client
        )
        with pytest.raises(TimeoutError):
            await run.wait.aio(timeout=0.2, quiet=True)
    assert RunService.LIST_RUNS.method == "ListRuns"
