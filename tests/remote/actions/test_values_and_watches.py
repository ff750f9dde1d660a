"""Literals, typed values, first failures, editors, and watches that end early or fetch the values."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import NotDoneError, RuntimeUserError, WaitTimeoutError
from flyte.models import ActionPhase
from flyte.remote import Action, ActionDetails, Run, TaskDetails
from flyte.remote.runs.queries.failures import first_failed
from flyte.types import TypeTransformerFailedError
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase as WirePhase
from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus
from flyte_api.messages.flyteidl2.core.execution import TaskLog, TaskLogLinkType
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.workflow.run_definition import Action as ActionMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionAttempt,
    ActionMetadata,
    ActionStatus,
    SignalInfo,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionDetails as DetailsMessage,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    ListActionsRequest,
    ListActionsResponse,
    WatchActionDetailsRequest,
    WatchActionDetailsResponse,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.serving.server import ServerCall, serve
from remote import tasks
from remote.planes.dataproxy import Data
from remote.planes.run import Runs, succeeded


@dataclass
class Point:
    x: int
    y: int = 0


def move(point: dict[str, int]) -> dict[str, int]:
    """Move a point."""
    return {"x": point["x"] + 1, "y": 5}


@pytest.fixture(scope="module")
def moved(flyte_devbox_session: Devbox) -> Iterator[Run]:
    box = flyte_devbox_session
    with Client(box.endpoint, token=box.token, project="flytesnacks", domain="development", timeout=60) as client:
        with flyte.use_client(client):
            run = flyte.run(flyte.devbox.deploy(move, name="values.move"), point={"x": 1})
            run.wait(quiet=True, timeout=60)
        yield run


Reads = Callable[[Run], Any]
VIEWS: dict[str, Reads] = {
    "run": lambda run: run,
    "run details": lambda run: run.details(),
    "action": lambda run: run.action,
    "details": lambda run: run.details().action,
}
views = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


@views
def test_literals(moved: Run, view: Reads) -> None:
    source = view(moved)
    inputs, outputs = source.input_literals(), source.output_literals()
    assert list(inputs) == ["point"] and list(outputs) == ["o0"]
    for literals, message in (
        (inputs, "no input is named 'poin'; did you mean 'point'"),
        (outputs, "no output is named 'poin'"),
    ):
        with pytest.raises(KeyError, match=message):
            literals["poin"]
        again = pickle.loads(pickle.dumps(literals))
        assert again == literals and again.get("poin") is None
        with pytest.raises(KeyError, match=message):
            again["poin"]
    assert isinstance(inputs["point"], Literal) and outputs["o0"] == moved.outputs().literals["o0"]


@views
def test_typed_values(moved: Run, view: Reads) -> None:
    source = view(moved)
    assert source.typed_outputs({"o0": dict[str, int]}) == {"o0": {"x": 2, "y": 5}}
    with pytest.raises(KeyError, match="no output is named 'o9'; did you mean 'o0'"):
        source.typed_outputs({"o0": dict[str, int], "o9": int})
    with pytest.raises(KeyError, match="no input is named 'zz'; the inputs are point"):
        source.typed_inputs({"zz": int})
    assert source.typed_inputs({"point": dict[str, int]}) == {"point": {"x": 1}}
    assert source.typed_inputs({}) == {}
    with pytest.raises(TypeError, match="o0"):
        source.typed_outputs({"o0": int})
    with pytest.raises(TypeError, match="types takes a mapping of names to types, not list"):
        source.typed_outputs(["o0"])
    with pytest.raises(TypeError, match="deserializers takes a mapping of types to functions, not function"):
        source.typed_inputs({"point": int}, lambda value: value)


def test_deserializers_get_plain_data(moved: Run) -> None:
    received: list[object] = []

    def load(data: Any) -> Point:
        received.append(data)
        return Point(len(received))

    assert moved.typed_outputs({"o0": Point}, {Point: load}) == {"o0": Point(1)}
    assert moved.typed_inputs({"point": Point}, deserializers={Point: load}, timeout=30) == {"point": Point(2)}
    assert received == [moved.outputs()[0], moved.inputs()["point"]]


def test_errors_of_deserializers_name_the_value(moved: Run) -> None:
    def load(data: Any) -> Point:
        raise LookupError("an old version")

    with pytest.raises(TypeTransformerFailedError) as caught:
        moved.typed_outputs({"o0": Point}, {Point: load})
    assert "output 'o0': the deserializer of Point failed: LookupError: an old version" in str(caught.value)
    assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(TypeError, match="deserializers takes functions, and has 3 for Point"):
        moved.typed_inputs({"point": Point}, {Point: 3})  # type: ignore[dict-item]


def test_types_that_cannot_be_hashed(moved: Run) -> None:
    hint = Annotated[dict[str, int], ["x", "y"]]
    assert moved.typed_outputs({"o0": hint}) == {"o0": {"x": 2, "y": 5}}


def test_outputs_of_runs_without_them(box: Devbox, tmp_path: Path) -> None:
    failed = flyte.run(flyte.devbox.deploy(tasks.fail), message="broken")
    failed.wait(quiet=True, timeout=60)
    with pytest.raises(RuntimeUserError, match="broken"):
        failed.output_literals()
    with pytest.raises(RuntimeUserError, match="broken"):
        failed.action.typed_outputs({"o0": int})
    going_on = flyte.run(flyte.devbox.deploy(tasks.wait_for_file), path=str(tmp_path / "gate"))
    try:
        details = going_on.details()
        for source in (going_on, going_on.action, details, details.action):
            with pytest.raises(NotDoneError):
                source.output_literals()
        assert set(going_on.input_literals()) == {"path"}
    finally:
        (tmp_path / "gate").touch()
        going_on.wait(quiet=True, timeout=60)
    # Details that were read before the end read the outputs after it.
    assert set(details.output_literals()) == set(details.action.output_literals()) == {"o0"}


def test_the_first_failure_of_a_run(box: Devbox, moved: Run) -> None:
    run = flyte.run(flyte.devbox.deploy(tasks.fail), message="broken")
    run.wait(quiet=True, timeout=60)
    failure = run.first_failure()
    assert type(failure) is ActionDetails and failure.name == "a0" and "broken" in failure.error_message
    assert moved.first_failure() is None


class Failing(Runs):
    """A run with a failed root, and a failed child."""

    def __init__(self) -> None:
        super().__init__()
        self.filters: list[tuple[str, list[str]]] = []

    async def list_actions(self, request: ListActionsRequest, call: ServerCall) -> ListActionsResponse:
        assert request.request is not None
        self.filters += [(clause.field, clause.values) for clause in request.request.filters]
        return ListActionsResponse(
            actions=[listed("a0", WirePhase.FAILED, 9).pb2, listed("a1", WirePhase.FAILED, 5).pb2]
        )

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        assert request.action_id is not None
        return GetActionDetailsResponse(details=succeeded(request.action_id.name))


async def test_the_first_failure_among_many() -> None:
    plane = Failing()
    async with asyncio.timeout(60), await serve([plane]) as server, Client(server.endpoint) as client:
        failure = await Run(RunMessage(action=ActionMessage(id=succeeded().id)), client).first_failure.aio()
    assert failure is not None and failure.name == "a1"
    numbers = [WirePhase.FAILED, WirePhase.TIMED_OUT, WirePhase.ABORTED]
    assert plane.filters == [("phase", [str(int(number)) for number in numbers])]


def listed(name: str, phase: WirePhase, end: int | None, parent: str = "a0") -> Action:
    status = ActionStatus(phase=phase, start_time=Timestamp(seconds=1))
    if end is not None:
        status.end_time = Timestamp(seconds=end)
    metadata = ActionMetadata(parent="" if name == "a0" else parent)
    return Action(ActionMessage(id=ActionIdentifier(name=name), metadata=metadata, status=status))


@pytest.mark.parametrize(
    ("actions", "first"),
    [
        ([], None),
        ([listed("a0", WirePhase.ABORTED, 9)], "a0"),
        ([listed("a0", WirePhase.TIMED_OUT, 9), listed("a1", WirePhase.ABORTED, 3)], "a0"),
        ([listed("a0", WirePhase.FAILED, 9), listed("a1", WirePhase.FAILED, 5)], "a1"),
        ([listed("a0", WirePhase.FAILED, 4), listed("a1", WirePhase.FAILED, 5)], "a1"),
        (
            [
                listed("a0", WirePhase.FAILED, 9),
                listed("a1", WirePhase.FAILED, 8),
                listed("a2", WirePhase.TIMED_OUT, 6),
                listed("a3", WirePhase.FAILED, 7, parent="a1"),
            ],
            "a2",
        ),
        ([listed("a1", WirePhase.FAILED, 5, "a2"), listed("a2", WirePhase.FAILED, 4, "a1")], "a2"),
    ],
)
def test_which_failure_is_the_first(actions: list[Action], first: str | None) -> None:
    assert first_failed(actions) == first


class Developing(Runs):
    """Its action starts, then an editor becomes ready; `ends` before or after that."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[TaskLog] = []
        self.ends = False
        self.closed = asyncio.Event()

    def _state(self, phase: WirePhase, links: list[TaskLog]) -> WatchActionDetailsResponse:
        attempts = [
            ActionAttempt(attempt=1, log_info=[ide("/old")], logs_available=True),
            ActionAttempt(attempt=2, log_info=links, logs_available=bool(links)),
        ]
        status = ActionStatus(phase=phase, attempts=2)
        return WatchActionDetailsResponse(details=DetailsMessage(id=succeeded().id, status=status, attempts=attempts))

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        self.closed.clear()
        try:
            yield self._state(WirePhase.QUEUED, [])
            yield self._state(WirePhase.RUNNING, [])
            if self.links:
                yield self._state(WirePhase.RUNNING, self.links)
            if not self.ends:
                await asyncio.Event().wait()
            yield self._state(WirePhase.SUCCEEDED, self.links)
        finally:
            self.closed.set()


def ide(uri: str, *, ready: bool = True, kind: TaskLogLinkType = TaskLogLinkType.IDE) -> TaskLog:
    return TaskLog(uri=uri, ready=ready, link_type=kind)


@pytest.fixture
def plane() -> Developing:
    return Developing()


@pytest.fixture
def data() -> Data:
    return Data("here")


@pytest.fixture
def calls() -> list[CallRecord]:
    return []


@pytest.fixture
async def run(plane: Developing, data: Data, calls: list[CallRecord]) -> AsyncIterator[Run]:
    async with (
        asyncio.timeout(60),
        await serve([plane, data]) as server,
        Client(server.endpoint, on_call=[calls.append]) as client,
    ):
        yield Run(RunMessage(action=ActionMessage(id=succeeded().id)), client)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("/ide/r1?x=1", "{endpoint}/ide/r1?x=1"), ("https://ide.example/r1", "https://ide.example/r1")],
)
async def test_the_url_of_an_editor(run: Run, plane: Developing, uri: str, expected: str) -> None:
    plane.links = [ide("/dashboard", kind=TaskLogLinkType.DASHBOARD), ide("/starting", ready=False), ide(uri)]
    url = expected.format(endpoint=run.client.endpoint)
    assert await run.get_debug_url.aio() == url
    await plane.closed.wait()
    assert await run.action.get_debug_url.aio(timeout=30) == url


async def test_an_action_without_an_editor(run: Run, plane: Developing) -> None:
    with pytest.raises(WaitTimeoutError, match="for action r1/a0 to start its editor"):
        await run.get_debug_url.aio(timeout=0.2)
    await plane.closed.wait()
    plane.ends = True
    assert await run.get_debug_url.aio() is None
    with pytest.raises(ValueError, match="timeout"):
        await run.get_debug_url.aio(timeout=0)


async def collected(run: Run) -> list[ActionDetails]:
    return [details async for details in run.watch(wait_for="logs-ready", timeout=0.2)]


async def test_watches_end_at_the_start_and_at_the_first_logs(run: Run, plane: Developing) -> None:
    plane.links = [ide("/log", ready=False)]
    assert [str(d.phase) async for d in run.watch(wait_for="running")] == ["queued", "running"]
    await plane.closed.wait()
    assert [d.logs_available() async for d in run.action.watch(wait_for="logs-ready")] == [False, False, True]
    await plane.closed.wait()
    assert run.phase is ActionPhase.RUNNING
    plane.links = []
    for waiting in (run.wait.aio(wait_for="logs-ready", timeout=0.2, quiet=True), collected(run)):
        with pytest.raises(WaitTimeoutError, match="for action r1/a0 to write its first logs"):
            await waiting
        await plane.closed.wait()
    plane.ends = True
    phases = [str(d.phase) async for d in run.action.watch(wait_for="logs-ready", timeout=30)]
    assert phases == ["queued", "running", "succeeded"]
    for source in (run, run.action):
        with pytest.raises(ValueError, match="wait_for must be one of 'terminal', 'running', 'logs-ready', not 'end'"):
            source.watch(wait_for="end")  # type: ignore[arg-type]  # which is the point


async def test_a_watch_can_fetch_the_values(run: Run, plane: Developing, data: Data) -> None:
    plane.ends = True
    *_, last = [details async for details in run.watch(cache_data_on_done=True)]
    assert len(data.calls) == 1
    assert (await last.inputs.aio())["place"] == "here" and await last.output_literals.aio() == {}
    assert len(data.calls) == 1
    *_, last = [details async for details in run.action.watch()]
    assert len(data.calls) == 1
    await last.inputs.aio()
    assert len(data.calls) == 2
    plane.ends = False
    assert len([d async for d in run.watch(cache_data_on_done=True, wait_for="running")]) == 2
    assert len(data.calls) == 2, "there are no outputs before the end"


async def test_a_watch_does_not_fail_without_values(plane: Developing) -> None:
    plane.ends = True
    async with asyncio.timeout(60), await serve([plane]) as server, Client(server.endpoint) as client:
        run = Run(RunMessage(action=ActionMessage(id=succeeded().id)), client)
        *_, last = [details async for details in run.watch(True)]
        assert last.done()
        with pytest.raises(NotImplementedError):
            await last.inputs.aio()


async def test_details_watch_themselves(run: Run, plane: Developing, data: Data) -> None:
    plane.ends = True
    action_id = succeeded().id
    assert action_id is not None
    found = [str(d.phase) async for d in ActionDetails.watch(action_id, client=run.client, timeout=30)]
    assert found == ["queued", "running", "succeeded"]
    details = ActionDetails(DetailsMessage(id=action_id), run.client)
    assert not details.done() and not details.is_running
    async for update in details.watch_updates(cache_data_on_done=True):
        assert type(update) is ActionDetails and details.phase is update.phase
        assert details.is_running == (details.phase is ActionPhase.RUNNING)
    assert details.done() and details.attempts == 2 and len(data.calls) == 1
    with pytest.raises(TypeError, match="action_id takes an ActionIdentifier, not str"):
        ActionDetails.watch("a0", client=run.client)  # type: ignore[arg-type]  # which is the point


def test_what_details_tell() -> None:
    message = succeeded()
    bare = ActionDetails(message)
    assert bare.status == message.status and bare.metadata == ActionMetadata() and bare.relation is None
    assert (bare.cluster(), bare.cluster(9), bare.signal_info) == ("", "", None)
    assert bare.cache_status() is CatalogCacheStatus.CACHE_DISABLED
    message.attempts[0].cluster, message.attempts[0].cache_status = "c1", CatalogCacheStatus.CACHE_HIT
    message.signal_info = SignalInfo(output=Literal())
    full = ActionDetails(message)
    assert (full.cluster(), full.cluster(attempt=1), full.cluster(2)) == ("c1", "c1", "")
    assert full.cache_status() is CatalogCacheStatus.CACHE_HIT and full.signal_info == message.signal_info
    assert ActionDetails(DetailsMessage()).status == ActionStatus()


def test_times_of_phases(multiply: TaskDetails) -> None:
    run = flyte.run(multiply, x=1)
    run.wait(quiet=True, timeout=60)
    details = run.details().action
    transitions = details.get_phase_transitions(1)
    assert transitions == details.phase_transitions() and details.get_phase_transitions(5) == []
    assert details.running_time is not None and details.running_time == details.phase_durations[ActionPhase.RUNNING]
    assert details.runtime is not None and details.runtime >= details.running_time
    assert details.start_time is not None and details.start_time <= datetime.now(UTC)
