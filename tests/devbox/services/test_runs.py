from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import flyte.devbox
from devbox.calls import Calls, inputs, integer, interface, shell, text, variables
from flyte.devbox.services.caller import SUBJECT_HEADER
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, ProjectIdentifier, TriggerName
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.interface import Parameter
from flyte_api.messages.flyteidl2.core.tasks import RuntimeMetadata, TaskMetadata
from flyte_api.messages.flyteidl2.core.types import SimpleType
from flyte_api.messages.flyteidl2.task.common import NamedParameter
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import RunSource
from flyte_api.messages.flyteidl2.workflow.run_service import (
    AbortActionRequest,
    AbortRunRequest,
    CreateRunRequest,
    GetActionDataRequest,
    GetActionDataURIsRequest,
    GetActionDetailsRequest,
    GetActionLogContextRequest,
    GetRunDetailsRequest,
    WatchActionDetailsRequest,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.client import Client
from flyte_rpc.status import Status

CREATE = RunService.CREATE_RUN


async def test_a_new_run(calls: Calls) -> None:
    action = await calls.create(shell("true"), source=RunSource.CLI)
    assert action.id is not None and action.id.run is not None
    assert re.fullmatch("r[bcdfghjklmnpqrstvwxz2456789]{19}", action.id.run.name)
    assert action.id.name == "a0"
    assert action.metadata is not None and action.status is not None
    assert action.metadata.source == RunSource.CLI
    assert action.metadata.executed_by is None
    assert action.status.phase == ActionPhase.QUEUED
    assert action.status.attempts == 1
    assert action.status.start_time is not None and action.status.end_time is None
    await calls.ended(action.id)


async def test_who_started_it_is_told_by_a_header(calls: Calls) -> None:
    proxied = Client(calls.client.endpoint, token=calls.client.settings.token, metadata=[(SUBJECT_HEADER, "somebody")])
    async with proxied as client:
        action = await Calls(client, calls.project).create(shell("true"))
    assert action.metadata is not None and action.metadata.executed_by is not None
    user = action.metadata.executed_by.user
    assert user is not None and user.id is not None and user.id.subject == "somebody"


async def test_creating_twice_is_creating_once(calls: Calls) -> None:
    first = await calls.run(shell("true"), name="same", inputs=inputs(x=integer(1)))
    again = await calls.create(shell("false"), name="same", inputs=inputs(x=integer(2)))
    assert again.status is not None and again.status.phase == ActionPhase.SUCCEEDED
    assert first.id is not None
    assert (await calls.data(first.id)).inputs == inputs(x=integer(1))


@pytest.mark.parametrize("name", ["", "Upper", "9digit", "end-", "under_score", "x" * 31])
async def test_names_that_no_run_can_have(calls: Calls, name: str) -> None:
    request = CreateRunRequest(run_id=calls.run_id(name), task_spec=shell("true"))
    assert "name" in await calls.refused(Status.INVALID_ARGUMENT, CREATE, request)


async def test_refusals(calls: Calls) -> None:
    spec = shell("true")
    await calls.refused(Status.INVALID_ARGUMENT, CREATE, CreateRunRequest(task_spec=spec))
    unknown = ProjectIdentifier(name="none", domain="development")
    await calls.refused(Status.NOT_FOUND, CREATE, CreateRunRequest(project_id=unknown, task_spec=spec))
    await calls.refused(Status.INTERNAL, CREATE, CreateRunRequest(project_id=ProjectIdentifier(), task_spec=spec))
    # Not NOT_FOUND: so answers the real backend.
    missing = CreateRunRequest(project_id=calls.scope, task_id=calls.task_id("none"))
    await calls.refused(Status.UNKNOWN, CREATE, missing)
    triggered = CreateRunRequest(project_id=calls.scope, trigger_name=TriggerName(name="nightly"))
    assert "nightly" in await calls.refused(Status.NOT_FOUND, CREATE, triggered)
    await calls.refused(Status.INTERNAL, CREATE, CreateRunRequest(project_id=calls.scope))


async def test_a_deployed_task_runs(calls: Calls) -> None:
    identifier = await calls.deploy("env.t", "v7", shell("echo $FLYTE_TASK_NAME $FLYTE_TASK_VERSION"))
    details = await calls.run(identifier)
    assert details.id is not None
    assert await calls.log(details.id) == ["env.t v7"]
    assert details.metadata is not None and details.metadata.task is not None
    assert details.metadata.task.id == identifier
    assert details.task is not None and details.task.task_template is not None


async def test_details_echo_the_callers_organization(calls: Calls) -> None:
    await calls.run(shell("true"), name="r1")
    request = GetRunDetailsRequest(run_id=calls.run_id("r1", org="mine"))
    reply = await calls.unary(RunService.GET_RUN_DETAILS, request)
    assert reply.details is not None and reply.details.action is not None
    assert reply.details.action.id == calls.action_id("r1", org="mine")
    assert reply.details.run_spec is not None and reply.details.run_spec.raw_data_storage is not None
    assert reply.details.run_spec.raw_data_storage.raw_data_prefix.startswith("file:///")


async def test_run_start_time_for_tasks_that_know_it(calls: Calls) -> None:
    async def start_time(version: str, name: str) -> Timestamp | None:
        metadata = TaskMetadata(runtime=RuntimeMetadata(version=version))
        await calls.run(shell("true", metadata), name=name, run_start_time=Timestamp(seconds=5))
        request = GetRunDetailsRequest(run_id=calls.run_id(name))
        reply = await calls.unary(RunService.GET_RUN_DETAILS, request)
        assert reply.details is not None and reply.details.run_spec is not None
        return reply.details.run_spec.run_start_time

    assert await start_time("2.3.5", "r1") is None
    assert await start_time("flyte 2.3.6", "r2") == Timestamp(seconds=5)


async def test_defaults_fill_in_for_missing_inputs(calls: Calls) -> None:
    spec = shell("true")
    assert spec.task_template is not None
    spec.task_template.interface = interface(variables(x=SimpleType.INTEGER, y=SimpleType.STRING))
    spec.default_inputs = [
        NamedParameter(name="x", parameter=Parameter(default=integer(1))),
        NamedParameter(name="y", parameter=Parameter(default=text("default"))),
    ]
    details = await calls.run(spec, inputs=inputs(x=integer(5)))
    assert details.id is not None
    assert (await calls.data(details.id)).inputs == inputs(x=integer(5), y=text("default"))


async def test_data_uris(calls: Calls) -> None:
    await calls.run(shell('cp "$FLYTE_INPUT_PATH" "$FLYTE_OUTPUT_PATH/outputs.pb"'), name="rabc")
    request = GetActionDataURIsRequest(action_id=calls.action_id("rabc"))
    uris = await calls.unary(RunService.GET_ACTION_DATA_URIS, request)
    base, _, rest = uris.inputs_uri.partition(f"/{calls.project}/")
    assert rest == "development/rabc/inputs/inputs.pb"
    # `ac` is the shard of "flyte/rabc-a0".
    assert uris.outputs_uri == f"{base}/ac/{calls.project}/development/rabc/a0/1/outputs.pb"


async def test_failed_actions_have_inputs_only(calls: Calls) -> None:
    details = await calls.run(shell("false"), inputs=inputs(x=integer(1)))
    assert details.id is not None
    uris = await calls.unary(RunService.GET_ACTION_DATA_URIS, GetActionDataURIsRequest(action_id=details.id))
    assert uris.inputs_uri and not uris.outputs_uri
    data = await calls.data(details.id)
    assert data.inputs == inputs(x=integer(1))
    assert (data.outputs.literals, data.outputs_uri) == ([], "")


async def test_outputs_under_a_base_of_the_runs_own(calls: Calls, tmp_path: object) -> None:
    run_spec = RunSpec(run_base_dir=f"file://{tmp_path}/own")
    await calls.run(shell('cp "$FLYTE_INPUT_PATH" "$FLYTE_OUTPUT_PATH/outputs.pb"'), name="r1", run_spec=run_spec)
    request = GetActionDataURIsRequest(action_id=calls.action_id("r1"))
    uris = await calls.unary(RunService.GET_ACTION_DATA_URIS, request)
    assert uris.inputs_uri == f"file://{tmp_path}/own/{calls.project}/development/r1/inputs/inputs.pb"
    assert uris.outputs_uri == f"file://{tmp_path}/own/{calls.project}/development/r1/xt/a0/1/outputs.pb"
    foreign = CreateRunRequest(
        project_id=calls.scope, task_spec=shell("true"), run_spec=RunSpec(run_base_dir="s3://bucket/x")
    )
    assert "s3://bucket" in await calls.refused(Status.INTERNAL, CREATE, foreign)


async def test_odd_names_stay_inside_the_storage(calls: Calls, box: flyte.devbox.Devbox) -> None:
    odd = ProjectIdentifier(name=calls.project, domain="../../..")
    reply = await calls.unary(CREATE, CreateRunRequest(project_id=odd, task_spec=calls.identify(shell("pwd"))))
    assert reply.run is not None and reply.run.action is not None and reply.run.action.id is not None
    details = await calls.ended(reply.run.action.id)
    assert details.status is not None and details.status.phase == ActionPhase.SUCCEEDED
    assert details.attempts[0].outputs is not None
    written = Path(unquote(urlsplit(details.attempts[0].outputs.output_uri).path)).parent
    assert written.is_dir() and written.resolve().is_relative_to(box.dir / "blobs")


async def test_log_context(calls: Calls) -> None:
    details = await calls.run(shell("true"), name="r1")
    request = GetActionLogContextRequest(action_id=details.id, attempt=1)
    reply = await calls.unary(RunService.GET_ACTION_LOG_CONTEXT, request)
    assert reply.log_context is not None
    assert reply.log_context.primary_pod_name == reply.log_context.pods[0].pod_name == "r1-a0-0"
    for attempt in (0, 2):
        later = GetActionLogContextRequest(action_id=details.id, attempt=attempt)
        await calls.refused(Status.NOT_FOUND, RunService.GET_ACTION_LOG_CONTEXT, later)


async def test_get_action_data_is_another_services_business(calls: Calls) -> None:
    request = GetActionDataRequest(action_id=calls.action_id("r1"))
    await calls.refused(Status.UNIMPLEMENTED, RunService.GET_ACTION_DATA, request)


async def test_unknown_runs_and_actions(calls: Calls) -> None:
    run, action = calls.run_id("none"), calls.action_id("none")
    await calls.refused(Status.NOT_FOUND, RunService.GET_RUN_DETAILS, GetRunDetailsRequest(run_id=run))
    await calls.refused(Status.NOT_FOUND, RunService.GET_ACTION_DETAILS, GetActionDetailsRequest(action_id=action))
    await calls.refused(Status.NOT_FOUND, RunService.ABORT_RUN, AbortRunRequest(run_id=run))
    await calls.refused(Status.NOT_FOUND, RunService.ABORT_ACTION, AbortActionRequest(action_id=action))
    uris = GetActionDataURIsRequest(action_id=action)
    await calls.refused(Status.NOT_FOUND, RunService.GET_ACTION_DATA_URIS, uris)


async def test_requests_without_an_id(calls: Calls) -> None:
    bad = Status.INVALID_ARGUMENT
    await calls.refused(bad, RunService.GET_RUN_DETAILS, GetRunDetailsRequest())
    await calls.refused(bad, RunService.ABORT_RUN, AbortRunRequest())
    nameless = GetActionDetailsRequest(action_id=ActionIdentifier(name="a0"))
    await calls.refused(bad, RunService.GET_ACTION_DETAILS, nameless)


async def test_abort_overrules_an_end(calls: Calls) -> None:
    ended = await calls.run(shell("true"), name="r1")
    await calls.abort("r1", "")
    assert ended.id is not None and ended.status is not None
    details = await calls.details(ended.id)
    assert details.status is not None and details.abort_info is not None
    assert details.status.phase == ActionPhase.ABORTED
    assert details.abort_info.reason == ""
    # The first end counts.
    assert details.status.end_time == ended.status.end_time


async def test_abort_of_one_action(calls: Calls) -> None:
    action = (await calls.create(shell("echo up; exec sleep 600"), name="r1")).id
    assert action is not None
    await calls.first_line(action)
    await calls.unary(RunService.ABORT_ACTION, AbortActionRequest(action_id=action))
    details = await calls.ended(action)
    assert details.abort_info is not None and details.abort_info.reason == "User requested abort"


async def test_watching_details_to_the_end(calls: Calls) -> None:
    action = (await calls.create(shell("true"))).id
    watch = WatchActionDetailsRequest(action_id=action)
    seen = [message.details async for message in calls.stream(RunService.WATCH_ACTION_DETAILS, watch)]
    last = seen[-1]
    assert last is not None and last.status is not None
    assert last.status.phase == ActionPhase.SUCCEEDED
    assert last.attempts[-1].phase == ActionPhase.SUCCEEDED
    assert all(not item.attempts or item.attempts[-1].phase < ActionPhase.SUCCEEDED for item in seen[:-1] if item)
