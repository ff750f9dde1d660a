"""Runs that are started again: their settings, parts of them, and recovery."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte.devbox import Devbox
from flyte.errors import NotFoundError, RemoteTaskUsageError
from flyte.remote import Action, Run, TaskDetails
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.run import RelationType
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataRequest, GetActionDataResponse
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionDetails,
    ActionMetadata,
    RunDetails,
    TaskActionMetadata,
)
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetActionDataURIsResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
)
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote import flows, tasks
from remote.planes.dataproxy import Data
from remote.planes.run import Runs


def spec_of(run: Run) -> RunSpec:
    spec = run.details().pb2.run_spec
    assert spec is not None
    return spec


def test_settings_are_inherited_and_changed(box: Devbox) -> None:
    task = flyte.devbox.deploy(tasks.environment)
    runner = flyte.with_runcontext(
        env_vars={"COLOUR": "green", "SIZE": "1"}, labels={"team": "a"}, queue="fast", overwrite_cache=True
    )
    first = runner.run(task, name="COLOUR")
    first.wait(quiet=True, timeout=60)
    again = first.rerun(env_vars={"COLOUR": "red"}, labels={"try": "2"})
    again.wait(quiet=True, timeout=60)
    details = again.details()
    assert (details.env_vars, details.labels) == ({"COLOUR": "red", "SIZE": "1"}, {"team": "a", "try": "2"})
    spec = spec_of(again)
    assert spec.queue == "fast" and spec.cache_config is not None and spec.cache_config.overwrite_cache
    third = flyte.with_runcontext(queue="slow").rerun(again.name)
    spec = spec_of(third)
    assert spec.queue == "slow" and third.details().labels == {"team": "a", "try": "2"}
    assert spec.relation is not None and spec.relation.related_to is not None
    assert spec.relation.related_to.name == again.name, "the run itself, not the one that it reran"


def test_rerun_by_name(multiply: TaskDetails) -> None:
    first = flyte.run(multiply, x=5, y=3)
    first.wait(quiet=True, timeout=60)
    again = flyte.rerun(first.name, y=4)
    again.wait(quiet=True, timeout=60)
    assert again.outputs() == (20,) and again != first


def test_settings_are_not_inputs(multiply: TaskDetails) -> None:
    first = flyte.run(multiply, x=5, y=3)
    first.wait(quiet=True, timeout=60)
    with pytest.raises(
        RemoteTaskUsageError, match=r"has no input timeout; it takes x, y\. timeout is a setting of runs"
    ) as caught:
        flyte.rerun(first.name, timeout=5)
    assert "write flyte.with_runcontext(timeout=...).rerun(...)" in str(caught.value)
    for again in (flyte.rerun, flyte.with_runcontext(queue="q").rerun):
        with pytest.raises(
            RemoteTaskUsageError, match=r"write flyte\.with_runcontext\(project=\.\.\., env_vars=\.\.\.\)\.rerun"
        ):
            again(first.name, project="p", env_vars={"A": "b"})
    with pytest.raises(
        RemoteTaskUsageError, match=r"labels is a setting of runs: write flyte\.with_runcontext\(labels=\.\.\.\)\.run"
    ):
        flyte.run(multiply, x=1, y=2, labels={})
    with pytest.raises(RemoteTaskUsageError) as caught:
        flyte.run(multiply, x=1, z=2)
    assert "with_runcontext" not in str(caught.value)


async def test_rerun_of_one_action(box: Devbox) -> None:
    await flyte.devbox.deploy.aio(flows.multiply, name="flows.multiply")
    parent = await flyte.devbox.deploy.aio(flows.in_sequence, name="flows.in_sequence")
    first = await flyte.run.aio(parent, val=3)
    assert await first.wait.aio(quiet=True, timeout=60) == "succeeded"
    child = next(action for action in await Action.listall(first.name).collect.aio() if action.name != "a0")
    again = await flyte.rerun.aio(first.name, child.name, x=4)
    assert await again.wait.aio(quiet=True, timeout=60) == "succeeded"
    assert again.task_name == "flows.multiply" and (await again.inputs.aio())["x"] == 4
    with pytest.raises(NotFoundError):
        await flyte.rerun.aio(first.name, "nothing")


async def test_the_devbox_takes_over_what_succeeded(box: Devbox, tmp_path: Path) -> None:
    await flyte.devbox.deploy.aio(flows.multiply, name="flows.multiply")
    parent = await flyte.devbox.deploy.aio(flows.second_attempt, name="flows.second_attempt")
    first = await flyte.run.aio(parent, path=str(tmp_path / "tried"))
    assert await first.wait.aio(quiet=True, timeout=60) == "failed"

    async def phases_of_child(**options: Any) -> tuple[str, list[str]]:
        again = await flyte.rerun.aio(first.name, **options)
        assert await again.wait.aio(quiet=True, timeout=60) == "succeeded"
        assert await again.outputs.aio() == (42,)
        (child,) = [action for action in await Action.listall(again.name).collect.aio() if action.name != "a0"]
        details = await child.details.aio()
        assert (await details.outputs.aio()) == (42,)
        return child.name, [str(each.phase) for each in details.get_phase_transitions()]

    name, phases = await phases_of_child(recover=True)
    assert "running" not in phases and phases[-1] == "succeeded"
    for options in ({}, {"recover": True, "force_rerun_actions": [name]}):
        same, phases = await phases_of_child(**options)
        assert same == name and "running" in phases


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"force_rerun_actions": ["a1"]}, "needs recover=True"),
        ({"recover": True, "action_name": "a1"}, "cannot be combined with action_name='a1'"),
        ({"action_name": ""}, "action_name must not be empty"),
    ],
)
def test_arguments_that_conflict(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        flyte.rerun("r1", **arguments)
    with pytest.raises(ValueError, match="another version"):
        flyte.with_runcontext(version="v2").rerun("r1")


class Plane(Runs):
    """Has one run, with its task, and its settings."""

    def __init__(self, task: TaskDetails) -> None:
        super().__init__()
        self.task = task

    async def get_run_details(self, request: GetRunDetailsRequest, call: ServerCall) -> GetRunDetailsResponse:
        if request.run_id is None or request.run_id.name != "r1":
            abort(Status.NOT_FOUND, "no such run")
        metadata = ActionMetadata(task=TaskActionMetadata(id=TaskIdentifier(name=self.task.name, version="1")))
        action = ActionDetails(
            id=ActionIdentifier(run=RunIdentifier(project="p", domain="d", name="r1"), name="a0"),
            metadata=metadata,
            task=self.task.spec,
        )
        return GetRunDetailsResponse(details=RunDetails(action=action, run_spec=RunSpec(queue="q")))


class Gone(Data):
    """Has deleted the data of its actions."""

    async def get_action_data(self, request: GetActionDataRequest, call: ServerCall) -> GetActionDataResponse:
        abort(Status.NOT_FOUND, "outputs not found")


async def test_recovery(multiply: TaskDetails, caplog: pytest.LogCaptureFixture) -> None:
    plane = Plane(multiply)
    async with await serve([plane, Gone("g")]) as server, Client(server.endpoint, project="p", domain="d") as client:
        with flyte.use_client(client), caplog.at_level(logging.WARNING, "flyte.remote"):
            await flyte.rerun.aio("r1", recover=True, force_rerun_actions=["a2", "a3"], x=1, y=2)
    (request,) = plane.created
    spec = request.run_spec
    assert spec is not None and spec.relation is not None and spec.recover is not None
    assert spec.relation.relation_type == RelationType.RECOVER and spec.queue == "q"
    assert spec.recover.force_rerun_actions == ["a2", "a3"]
    assert "run r1 is recovered with other inputs (x, y)" in caplog.text


async def test_missing_outputs(multiply: TaskDetails) -> None:
    plane = Plane(multiply)
    async with await serve([plane, Gone("g")]) as server, Client(server.endpoint, project="p", domain="d") as client:
        with flyte.use_client(client):
            with pytest.raises(NotFoundError) as caught:
                await flyte.rerun.aio("r1")
            assert "allow_missing_source_outputs=True" in caught.value.__notes__[0]
            with pytest.raises(NotFoundError):
                await flyte.rerun.aio("r1", allow_missing_source_outputs=True)
            plane.uris = GetActionDataURIsResponse(inputs_uri="s3://b/inputs.pb")
            with pytest.raises(RemoteTaskUsageError, match="pass a value for every input: x, y"):
                await flyte.rerun.aio("r1", allow_missing_source_outputs=True, x=1)
            assert plane.created == []
            await flyte.rerun.aio("r1", allow_missing_source_outputs=True)
    (request,) = plane.created
    stored = request.offloaded_input_data
    assert stored is not None and stored.uri == "s3://b/inputs.pb" and stored.inputs_hash


def test_logging_and_start_time_reach_the_run(multiply: TaskDetails) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    runner = flyte.with_runcontext(
        log_level=logging.DEBUG,
        user_log_level="warning",
        log_format="json",
        debug=True,
        run_start_time=start,
        env_vars={"LOG_FORMAT": "console"},
        notifications="on-call",
    )
    run = runner.run(multiply, x=1)
    assert run.details().env_vars == {
        "LOG_LEVEL": "10",
        "USER_LOG_LEVEL": "30",
        "LOG_FORMAT": "console",
        "_F_E_VS": "1",
    }
    spec = spec_of(run)
    assert spec.notification_rule_name == "on-call"
    assert spec.run_start_time is not None and spec.run_start_time.to_datetime() == start


def test_another_version(box: Devbox, multiply: TaskDetails) -> None:
    handle = flyte.remote.Task.get(multiply.name, auto_version="latest")
    assert flyte.with_runcontext(version=multiply.version).run(handle, x=1).task_version == multiply.version
    with pytest.raises(flyte.errors.RemoteTaskNotFoundError, match="no version 'none'"):
        flyte.with_runcontext(version="none").run(handle, x=1)
    with pytest.raises(ValueError, match="cannot be combined with an override"):
        flyte.with_runcontext(version="none").run(handle.override(retries=1), x=1)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"log_level": "loud"}, ValueError, "log_level has 'loud'; the levels are"),
        ({"log_level": True}, TypeError, "log_level takes a level"),
        ({"log_format": "xml"}, ValueError, "xml"),
        ({"notifications": 5}, TypeError, "notifications takes text"),
        ({"run_start_time": "now"}, TypeError, "run_start_time takes a datetime, not str"),
        ({"disable_run_cache": None}, TypeError, "disable_run_cache takes True or False"),
    ],
)
def test_settings_that_are_invalid(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        flyte.with_runcontext(**settings)
