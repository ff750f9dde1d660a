"""Runs that are started under a name that is taken."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

import flyte
from flyte.errors import AlreadyExistsError, UnavailableError
from flyte.remote import Run, TaskDetails
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.core.interface import TypedInterface
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    GetActionDataRequest,
    GetActionDataResponse,
    UploadInputsRequest,
    UploadInputsResponse,
)
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    Action,
    ActionDetails,
    ActionMetadata,
    RunDetails,
    TaskActionMetadata,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_api.messages.flyteidl2.workflow.run_service import (
    CreateRunRequest,
    CreateRunResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
)
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyServiceBase
from flyte_api.services.flyteidl2.workflow.run_service import RunServiceBase
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote import tasks


def double(x: int, y: int = 2) -> int:
    return x * y


class Plane(RunServiceBase, DataProxyServiceBase):
    """Keeps the runs that it creates. A test says what it returns, and what happens to its replies."""

    RPCS = (*RunServiceBase.RPCS, *DataProxyServiceBase.RPCS)

    def __init__(self, *, refuses: bool, returns_inputs: bool, returns_tasks: bool) -> None:
        self.refuses = refuses
        self.returns_inputs = returns_inputs
        self.returns_tasks = returns_tasks
        self.runs: dict[str, CreateRunRequest] = {}
        self.uploaded: dict[str, Inputs] = {}
        self.before_create: list[Callable[[CreateRunRequest], None]] = []
        self.after_create: list[Callable[[], object]] = []
        self.creations = 0

    async def upload_inputs(self, request: UploadInputsRequest, call: ServerCall) -> UploadInputsResponse:
        abort(Status.UNIMPLEMENTED, "inputs travel with the run")

    async def create_run(self, request: CreateRunRequest, call: ServerCall) -> CreateRunResponse:
        assert request.run_id is not None
        self.creations += 1
        if self.before_create:
            self.before_create.pop(0)(request)
        name = request.run_id.name
        is_new = name not in self.runs
        self.runs.setdefault(name, request)
        if self.after_create:
            self.after_create.pop(0)()
        if self.refuses and not is_new:
            abort(Status.ALREADY_EXISTS, f"run {name} exists")
        return CreateRunResponse(run=RunMessage(action=self._action(name)))

    async def get_run_details(self, request: GetRunDetailsRequest, call: ServerCall) -> GetRunDetailsResponse:
        name = "" if request.run_id is None else request.run_id.name
        if name not in self.runs:
            abort(Status.NOT_FOUND, f"run {name} not found")
        action = self._action(name)
        details = ActionDetails(id=action.id, metadata=action.metadata)
        if self.returns_tasks:
            details.task = self.runs[name].task_spec or SPEC
        return GetRunDetailsResponse(details=RunDetails(action=details))

    async def get_action_data(self, request: GetActionDataRequest, call: ServerCall) -> GetActionDataResponse:
        if not self.returns_inputs:
            abort(Status.NOT_FOUND, "no data")
        assert request.action_id is not None and request.action_id.run is not None
        return GetActionDataResponse(inputs=self.runs[request.action_id.run.name].inputs)

    def _action(self, name: str) -> Action:
        request = self.runs[name]
        metadata = ActionMetadata()
        if self.returns_tasks:
            metadata.task = TaskActionMetadata(id=request.task_id or TASK)
        return Action(id=ActionIdentifier(run=request.run_id, name="a0"), metadata=metadata)


TASK = TaskIdentifier(project="p", domain="d", name="t", version="1")


def spec() -> TaskSpec:
    from flyte.types import interface_of

    interface, defaults = interface_of(double)
    assert isinstance(interface, TypedInterface)
    return TaskSpec(task_template=TaskTemplate(interface=interface), default_inputs=defaults)


SPEC = spec()
ONCE = Backoff(attempts=3, first=0.001, longest=0.001)


def task(client: Client, version: str = "1") -> TaskDetails:
    identifier = TaskIdentifier(project="p", domain="d", name="t", version=version)
    return TaskDetails(TaskDetailsMessage(task_id=identifier, spec=spec()), client)


servers = pytest.mark.parametrize("refuses", [True, False], ids=["refuses a name twice", "returns the run of a name"])


@servers
@pytest.mark.parametrize("returns_inputs", [True, False], ids=["inputs", "no inputs"])
@pytest.mark.parametrize("returns_tasks", [True, False], ids=["tasks", "no tasks"])
async def test_what_can_be_compared_is(refuses: bool, returns_inputs: bool, returns_tasks: bool) -> None:
    plane = Plane(refuses=refuses, returns_inputs=returns_inputs, returns_tasks=returns_tasks)
    async with await serve([plane]) as server, Client(server.endpoint, project="p", domain="d") as client:
        runner = flyte.with_runcontext(name="nightly", client=client)
        first = await runner.run.aio(task(client), x=1)
        assert await runner.run.aio(task(client), x=1, y=2) == first
        for version, inputs, is_known in [("1", {"x": 2}, returns_inputs), ("2", {"x": 1}, returns_tasks)]:
            if is_known:
                with pytest.raises(AlreadyExistsError, match="run nightly of p/d exists, but it "):
                    await runner.run.aio(task(client, version), **inputs)
            else:
                assert await runner.run.aio(task(client, version), **inputs) == first
    assert plane.creations == 1


@servers
@pytest.mark.parametrize("on_existing", [None, "error", "reuse"])
@pytest.mark.parametrize("name", ["nightly", None])
async def test_a_retry_finds_its_own_run(refuses: bool, on_existing: str | None, name: str | None) -> None:
    plane = Plane(refuses=refuses, returns_inputs=True, returns_tasks=True)
    async with await serve([plane]) as server, Client(server.endpoint, project="p", domain="d", retry=ONCE) as client:
        plane.after_create = [lambda: abort(Status.UNAVAILABLE, "lost")]
        runner = flyte.with_runcontext(name=name, on_existing=on_existing, client=client)  # type: ignore[arg-type]
        run = await runner.run.aio(task(client), x=1)
    assert [run.name] == list(plane.runs) and plane.creations == 2


@pytest.mark.parametrize("on_existing", [None, "error"])
@pytest.mark.parametrize("attempts", [1, 2])
async def test_a_run_that_another_caller_starts_in_between(on_existing: str | None, attempts: int) -> None:
    plane = Plane(refuses=True, returns_inputs=True, returns_tasks=True)

    def another(request: CreateRunRequest) -> None:
        plane.runs["nightly"] = CreateRunRequest.parse(bytes(request))
        literals = plane.runs["nightly"].inputs
        assert literals is not None
        literals.literals[0].value, literals.literals[1].value = literals.literals[1].value, literals.literals[0].value

    async with await serve([plane]) as server, Client(server.endpoint, project="p", domain="d", retry=ONCE) as client:
        plane.before_create = [another]
        if attempts > 1:
            plane.after_create = [lambda: abort(Status.UNAVAILABLE, "lost")]
        runner = flyte.with_runcontext(name="nightly", on_existing=on_existing, client=client)  # type: ignore[arg-type]
        with pytest.raises(AlreadyExistsError, match="run nightly"):
            await runner.run.aio(task(client), x=1)
    assert plane.creations == attempts


async def test_a_server_that_is_down_does_not_pass_for_one_without_the_run() -> None:
    plane = Plane(refuses=False, returns_inputs=True, returns_tasks=True)

    async def unavailable(request: GetRunDetailsRequest, call: ServerCall) -> GetRunDetailsResponse:
        abort(Status.UNAVAILABLE, "restarting")

    plane.get_run_details = unavailable  # type: ignore[method-assign]
    async with await serve([plane]) as server, Client(server.endpoint, project="p", domain="d", retry=ONCE) as client:
        with pytest.raises(UnavailableError, match="restarting"):
            await flyte.with_runcontext(name="nightly", client=client).run.aio(task(client), x=1)
    assert plane.creations == 0


def test_on_the_devbox(multiply: TaskDetails) -> None:
    name = f"r{uuid.uuid4().hex[:10]}"
    runner = flyte.with_runcontext(name=name)
    first = runner.run(multiply, x=5)
    assert runner.run(multiply, x=5, y=2) == first, "the default is an input like any other"
    with pytest.raises(AlreadyExistsError) as caught:
        runner.run(multiply, x=5, y=3)
    assert str(caught.value).startswith(
        "flyteidl2.workflow.RunService/CreateRun failed with ALREADY_EXISTS: "
        f"run {name} of flytesnacks/development exists, but it has other values of the input y ("
    )
    assert 'pass on_existing="reuse"' in str(caught.value)
    with pytest.raises(AlreadyExistsError, match="other values of the inputs x, y"):
        runner.run(multiply, x=6, y=3)
    nothing = flyte.devbox.deploy(tasks.nothing)
    with pytest.raises(
        AlreadyExistsError, match=rf"it runs {multiply.name} {multiply.version} of .*, not {nothing.name}"
    ):
        runner.run(nothing)
    with pytest.raises(AlreadyExistsError, match=r"its task is defined differently: container\.env"):
        runner.run(multiply.override(env_vars={"A": "1"}), x=5)
    assert runner.run(multiply.override(), x=5) == first
    assert flyte.with_runcontext(name=name, on_existing="reuse").run(nothing) == first
    with pytest.raises(AlreadyExistsError, match=f"run {name} of flytesnacks/development exists "):
        flyte.with_runcontext(name=name, on_existing="error").run(multiply, x=5)
    first.wait(quiet=True, timeout=60)
    assert first.outputs() == (10,) and Run.get(name).inputs() == {"x": 5, "y": 2}


def test_runs_that_are_started_again(multiply: TaskDetails) -> None:
    first = flyte.run(multiply, x=5, y=3)
    name = f"r{uuid.uuid4().hex[:10]}"
    again = first.rerun(name=name, y=4)
    assert again == first.rerun(name=name, y=4) != first
    with pytest.raises(AlreadyExistsError, match="other values of the input y"):
        first.rerun(name=name)
    assert first.rerun(name=name, on_existing="reuse") == again
    with pytest.raises(AlreadyExistsError):
        first.rerun(name=name, on_existing="error", y=4)
    with pytest.raises(ValueError, match="on_existing"):
        first.rerun(name=name, on_existing="replace")  # type: ignore[arg-type]


def test_only_names_that_are_chosen_cost_a_call(box: flyte.devbox.Devbox, multiply: TaskDetails) -> None:
    calls: list[CallRecord] = []
    with Client(
        box.endpoint, token=box.token, project="flytesnacks", domain="development", on_call=[calls.append]
    ) as client:
        for settings in ({}, {"name": f"r{uuid.uuid4().hex[:10]}", "on_existing": "reuse"}):
            flyte.with_runcontext(client=client, **settings).run(multiply, x=1)  # type: ignore[arg-type]
        assert not [call for call in calls if call.method.endswith("GetRunDetails")]
        flyte.with_runcontext(client=client, name=f"r{uuid.uuid4().hex[:10]}").run(multiply, x=1)
        assert len([call for call in calls if call.method.endswith("GetRunDetails")]) == 1
