"""Runs of triggers on request."""

from __future__ import annotations

from devbox.calls import DOMAIN, inputs, integer, interface, page, shell, variables, where
from devbox.triggers.scheduled import TASK, Scheduled, cron, run_name
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier, TriggerName
from flyte_api.messages.flyteidl2.common.list import FilterFunction
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus
from flyte_api.messages.flyteidl2.core.tasks import TaskMetadata
from flyte_api.messages.flyteidl2.core.types import SimpleType
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import UploadInputsRequest
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerSpec
from flyte_api.messages.flyteidl2.trigger.trigger_service import (
    DeleteTriggersRequest,
    DeployTriggerRequest,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import RunSource
from flyte_api.messages.flyteidl2.workflow.run_service import (
    CreateRunRequest,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.trigger.trigger_service import TriggerService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.status import Status


async def test_a_run_of_a_trigger_on_request(timed: Scheduled) -> None:
    settings = RunSpec(queue="fast")
    await timed.trigger(active=False, inputs=inputs(x=integer(3)), run_spec=settings)
    request = CreateRunRequest(run_id=timed.run_id("mine"), trigger_name=timed.trigger_name(), source=RunSource.WEB)
    made = (await timed.unary(RunService.CREATE_RUN, request)).run
    assert made is not None and made.action is not None and made.action.metadata is not None
    metadata = made.action.metadata
    assert metadata.trigger_name == "nightly"
    assert metadata.trigger_id == TriggerIdentifier(name=timed.trigger_name(), revision=1)
    assert metadata.source == RunSource.WEB
    assert metadata.task is not None and metadata.task.id == timed.task_id(TASK)
    details = await timed.ended(timed.action_id("mine"))
    assert details.metadata is not None and details.metadata.trigger_id == metadata.trigger_id
    assert (await timed.data(timed.action_id("mine"))).inputs == inputs(x=integer(3))
    assert (await timed.settings(made.action)).queue == "fast"
    status = (await timed.triggered()).status
    assert status is not None and status.triggered_at is not None


async def test_a_request_overrides_what_the_trigger_has(timed: Scheduled) -> None:
    await timed.trigger(inputs=inputs(x=integer(3), y=integer(4)), run_spec=RunSpec(queue="fast"))
    request = CreateRunRequest(
        run_id=timed.run_id("mine"),
        trigger_name=timed.trigger_name(),
        inputs=inputs(x=integer(5)),
        run_spec=RunSpec(queue="slow"),
    )
    await timed.unary(RunService.CREATE_RUN, request)
    await timed.ended(timed.action_id("mine"))
    assert (await timed.data(timed.action_id("mine"))).inputs == inputs(x=integer(5))
    (run,) = await timed.runs()
    assert (await timed.settings(run)).queue == "slow"


async def test_refused_runs(timed: Scheduled) -> None:
    unknown = CreateRunRequest(project_id=timed.scope, trigger_name=timed.trigger_name("unknown"))
    assert '"unknown"' in await timed.refused(Status.NOT_FOUND, RunService.CREATE_RUN, unknown)
    await timed.unary(
        TriggerService.DEPLOY_TRIGGER,
        DeployTriggerRequest(name=timed.trigger_name(), spec=TriggerSpec(task_version="gone")),
    )
    request = CreateRunRequest(project_id=timed.scope, trigger_name=timed.trigger_name())
    assert "gone" in await timed.refused(Status.UNKNOWN, RunService.CREATE_RUN, request)
    await timed.unary(TriggerService.DELETE_TRIGGERS, DeleteTriggersRequest(names=[timed.trigger_name()]))
    await timed.refused(Status.NOT_FOUND, RunService.CREATE_RUN, request)


async def test_runs_are_found_by_their_trigger(timed: Scheduled) -> None:
    for name in ("a", "b"):
        await timed.trigger(name)
        request = CreateRunRequest(run_id=timed.run_id(f"of-{name}"), trigger_name=timed.trigger_name(name))
        await timed.unary(RunService.CREATE_RUN, request)
    await timed.create(timed.task_id(TASK), name="alone")
    assert [run_name(run) for run in await timed.runs(trigger_name=timed.trigger_name("a"))] == ["of-a"]
    found = await timed.runs(page(where("trigger_name", FilterFunction.EQUAL, "b")))
    assert [run_name(run) for run in found] == ["of-b"]
    by_task = await timed.runs(page(where("trigger_task_name", FilterFunction.EQUAL, TASK)))
    assert {run_name(run) for run in by_task} == {"of-a", "of-b"}
    first = await timed.runs(page(where("trigger_revision", FilterFunction.LESS_THAN, "2")))
    assert {run_name(run) for run in first} == {"of-a", "of-b"}
    assert [run_name(run) for run in await timed.runs(page(sort="trigger_name", ascending=True))] == [
        "of-a",
        "of-b",
        "alone",
    ]
    nobody = TriggerName(project=timed.project, domain=DOMAIN, name="a")
    assert await timed.runs(trigger_name=nobody) == []


async def test_inputs_can_be_uploaded_for_a_trigger(timed: Scheduled) -> None:
    await timed.trigger()
    request = UploadInputsRequest(
        project_id=timed.scope, trigger_name=timed.trigger_name(), inputs=inputs(x=integer(1))
    )
    reply = await timed.unary(DataProxyService.UPLOAD_INPUTS, request)
    assert reply.offloaded_input_data is not None and reply.offloaded_input_data.inputs_hash == "ImpW6TmERHA"


async def test_the_cache_tells_scheduled_times_apart_if_the_task_gets_them(timed: Scheduled) -> None:
    """Stored inputs do not contain the scheduled time."""
    metadata = TaskMetadata(discoverable=True, discovery_version="1")
    copy = shell('cp "$FLYTE_INPUT_PATH" "$FLYTE_OUTPUT_PATH/outputs.pb"', metadata)
    assert copy.task_template is not None
    copy.task_template.interface = interface(outputs=variables(x=SimpleType.INTEGER))
    task = await timed.deploy(TASK, "2", copy)
    upload = UploadInputsRequest(project_id=timed.scope, task_id=task, inputs=inputs(x=integer(8)))
    stored = (await timed.unary(DataProxyService.UPLOAD_INPUTS, upload)).offloaded_input_data
    schedule = cron("@every 9999h", kickoff_time_input_arg="at")
    await timed.trigger(schedule=schedule, offloaded_input_data=stored, task_version="2")

    async def cache_status(name: str, at: Timestamp) -> CatalogCacheStatus:
        run_id = timed.run_id(name)
        request = CreateRunRequest(run_id=run_id, trigger_name=timed.trigger_name(), run_start_time=at)
        await timed.unary(RunService.CREATE_RUN, request)
        details = await timed.ended(timed.action_id(name))
        assert details.status is not None and details.status.phase == ActionPhase.SUCCEEDED
        return details.status.cache_status

    noon = Timestamp(seconds=1_700_000_000, nanos=500_000_000)
    assert await cache_status("r1", noon) != CatalogCacheStatus.CACHE_HIT
    assert await cache_status("r2", noon) == CatalogCacheStatus.CACHE_HIT
    assert (
        await cache_status("r3", Timestamp(seconds=noon.seconds, nanos=noon.nanos + 1)) != CatalogCacheStatus.CACHE_HIT
    )
