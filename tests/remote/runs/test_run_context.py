"""Runs with settings, runs under a name, and runs that are started again."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import RemoteTaskUsageError
from flyte.remote import Run, TaskDetails
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier
from flyte_api.messages.flyteidl2.workflow.run_service import CreateRunRequest, CreateRunResponse
from flyte_api.services.flyteidl2.workflow.run_service import RunServiceBase
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.serving.server import ServerCall, serve
from remote import tasks


def test_settings_reach_the_run(box: Devbox) -> None:
    task = flyte.devbox.deploy(tasks.environment)
    runner = flyte.with_runcontext(
        env_vars={"COLOUR": "green"},
        labels={"team": "a"},
        annotations={"note": "n"},
        interruptible=False,
        overwrite_cache=True,
        queue="fast",
        service_account="sa",
        max_action_concurrency=3,
    )
    run = runner.run(task, name="COLOUR")
    run.wait(quiet=True, timeout=60)
    assert run.outputs() == ("green",)
    details = run.details()
    assert (details.labels, details.annotations, details.env_vars) == (
        {"team": "a"},
        {"note": "n"},
        {"COLOUR": "green"},
    )
    spec = details.pb2.run_spec
    assert spec is not None and spec.interruptible is not None and spec.interruptible.value is False
    assert spec.cache_config is not None and spec.cache_config.overwrite_cache
    assert (spec.queue, spec.max_action_concurrency) == ("fast", 3)
    assert run.inputs() == {"name": "COLOUR"}, "inputs that were uploaded can be read like any other"


def test_elsewhere(multiply: TaskDetails, project: str) -> None:
    run = flyte.with_runcontext(project=project, domain="staging").run(multiply, x=1)
    assert (run.project, run.domain) == (project, "staging")
    assert list(Run.listall(project=project, domain="staging")) == [run]


def test_a_name_makes_it_idempotent(multiply: TaskDetails) -> None:
    name = f"r{uuid.uuid4().hex[:10]}"
    first = flyte.with_runcontext(name=name).run(multiply, x=5)
    again = flyte.with_runcontext(name=name).run(multiply, x=5)
    assert first.name == again.name == name and first == again
    assert first.start_time == again.start_time
    again.wait(quiet=True, timeout=60)
    assert again.outputs() == (10,)


def test_start_again(multiply: TaskDetails) -> None:
    first = flyte.run(multiply, x=5, y=3)
    first.wait(quiet=True, timeout=60)
    again = first.rerun(y=4)
    again.wait(quiet=True, timeout=60)
    assert again != first and again.outputs() == (20,) and again.inputs() == {"x": 5, "y": 4}
    spec = again.details().pb2.run_spec
    assert spec is not None and spec.relation is not None and spec.relation.relation_type.name == "RERUN"
    same = first.rerun(name=f"r{uuid.uuid4().hex[:10]}")
    same.wait(quiet=True, timeout=60)
    assert same.outputs() == first.outputs()
    with pytest.raises(RemoteTaskUsageError, match="has no input z"):
        first.rerun(z=1)
    with pytest.raises(TypeError, match="y"):
        first.rerun(y="four")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"name": ""}, ValueError, "must not be empty"),
        ({"name": "x" * 31}, ValueError, "at most 30"),
        ({"name": "Upper"}, ValueError, "lower-case letters"),
        ({"name": "1st"}, ValueError, "begins with a letter"),
        ({"name": "end-"}, ValueError, "does not end with a dash"),
        ({"env_vars": ["A"]}, TypeError, "env_vars takes a mapping"),
        ({"labels": {"a": 1}}, TypeError, "labels takes text"),
        ({"cache_lookup_scope": "moon"}, ValueError, "moon"),
        ({"max_action_concurrency": -1}, ValueError, "at least 0"),
        ({"retries": 1}, TypeError, "retries"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        flyte.with_runcontext(**settings)


class Inline(RunServiceBase):
    """A server without a data proxy."""

    def __init__(self) -> None:
        self.requests: list[CreateRunRequest] = []

    async def create_run(self, request: CreateRunRequest, call: ServerCall) -> CreateRunResponse:
        self.requests.append(request)
        return CreateRunResponse()


async def test_inputs_travel_inline_where_they_cannot_be_uploaded(multiply: TaskDetails) -> None:
    service, calls = Inline(), list[CallRecord]()
    message = TaskDetailsMessage(task_id=TaskIdentifier(name="t", version="1"), spec=multiply.spec)
    async with await serve([service]) as server:
        client = Client(server.endpoint, project="p", domain="d", on_call=[calls.append])
        async with client:
            await flyte.run.aio(TaskDetails(message, client), x=7)
    (request,) = service.requests
    assert request.offloaded_input_data is None and request.inputs is not None
    assert [item.name for item in request.inputs.literals] == ["x", "y"]
    assert [c.method.rpartition("/")[2] for c in calls] == ["SelectCluster", "UploadInputs", "CreateRun"]
