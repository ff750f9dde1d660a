"""Runs of triggers: on request, and at scheduled times on an advanced clock."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import flyte.devbox
from devbox.calls import DEADLINE, DOMAIN, Calls, inputs, integer, page, shell, where
from flyte.devbox.triggers import scheduler
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier, TriggerName
from flyte_api.messages.flyteidl2.common.list import FilterFunction, ListRequest
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.core.literals import Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import UploadInputsRequest
from flyte_api.messages.flyteidl2.task.common import (
    Cron,
    FixedRate,
    FixedRateUnit,
    Schedule,
    TriggerAutomationSpec,
)
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerDetails, TriggerSpec
from flyte_api.messages.flyteidl2.trigger.trigger_service import (
    DeleteTriggersRequest,
    DeployTriggerRequest,
    GetTriggerDetailsRequest,
    UpdateTriggersRequest,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import Action, RunSource
from flyte_api.messages.flyteidl2.workflow.run_service import (
    CreateRunRequest,
    GetRunDetailsRequest,
    ListRunsRequest,
    WatchRunsRequest,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.trigger.trigger_service import TriggerService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.client import Client
from flyte_rpc.status import Status

HOUR = timedelta(hours=1)
TASK = "env.task"


class Scheduled(Calls):
    """Calls to a devbox whose clock the test advances."""

    def __init__(self, client: Client, box: flyte.devbox.Devbox) -> None:
        super().__init__(client, "flytesnacks")
        self.box = box

    async def trigger(
        self, name: str = "nightly", schedule: Schedule | None = None, *, active: bool = True, **spec: Any
    ) -> TriggerDetails:
        automation = None if schedule is None else TriggerAutomationSpec(schedule=schedule)
        request = DeployTriggerRequest(
            name=self.trigger_name(name),
            spec=TriggerSpec(active=active, task_version="1", **spec),
            automation_spec=automation,
        )
        reply = await self.unary(TriggerService.DEPLOY_TRIGGER, request)
        assert reply.trigger is not None
        return reply.trigger

    def trigger_name(self, name: str = "nightly") -> TriggerName:
        return TriggerName(project=self.project, domain=DOMAIN, name=name, task_name=TASK)

    async def triggered(self, name: str = "nightly") -> TriggerDetails:
        request = GetTriggerDetailsRequest(name=self.trigger_name(name))
        reply = await self.unary(TriggerService.GET_TRIGGER_DETAILS, request)
        assert reply.trigger is not None
        return reply.trigger

    async def runs(self, request: ListRequest | None = None, **scope: Any) -> list[Action]:
        """The runs of the project, the oldest first."""
        scope = scope or {"project_id": self.scope}
        request = request or page(sort="created_at", ascending=True)
        reply = await self.unary(RunService.LIST_RUNS, ListRunsRequest(request=request, **scope))
        return [run.action for run in reply.runs if run.action is not None]

    async def settings(self, action: Action) -> RunSpec:
        assert action.id is not None
        reply = await self.unary(RunService.GET_RUN_DETAILS, GetRunDetailsRequest(run_id=action.id.run))
        assert reply.details is not None and reply.details.run_spec is not None
        return reply.details.run_spec

    async def start_times(self, actions: list[Action]) -> list[datetime]:
        """The scheduled times of runs."""
        settings = [await self.settings(action) for action in actions]
        return [run.run_start_time.to_datetime() for run in settings if run.run_start_time is not None]


@asynccontextmanager
async def devbox(**options: Any) -> AsyncGenerator[Scheduled, None]:
    async with (
        flyte.devbox.start(grace=1.0, **options) as box,
        Client(box.endpoint, token=box.token, project="flytesnacks", domain=DOMAIN) as client,
    ):
        yield Scheduled(client, box)


@pytest.fixture
async def calls() -> AsyncGenerator[Scheduled, None]:
    """A devbox of the test's own, because its clock is advanced, with a deployed task."""
    async with devbox(memory=True) as made:
        await made.deploy(TASK)
        yield made


def missed(directory: Path, time: timedelta) -> None:
    """Let time pass while no devbox runs on the directory."""
    with closing(sqlite3.connect(directory / "devbox.sqlite")) as database, database:
        database.execute("UPDATE clock SET advance = advance + ?", (time // timedelta(microseconds=1),))


def cron(expression: str, zone: str = "", **fields: Any) -> Schedule:
    return Schedule(cron=Cron(expression=expression, timezone=zone), **fields)


def run_name(action: Action) -> str:
    assert action.id is not None and action.id.run is not None
    return action.id.run.name


async def test_a_run_of_a_trigger_on_request(calls: Scheduled) -> None:
    settings = RunSpec(queue="fast")
    await calls.trigger(active=False, inputs=inputs(x=integer(3)), run_spec=settings)
    request = CreateRunRequest(run_id=calls.run_id("mine"), trigger_name=calls.trigger_name(), source=RunSource.WEB)
    made = (await calls.unary(RunService.CREATE_RUN, request)).run
    assert made is not None and made.action is not None and made.action.metadata is not None
    metadata = made.action.metadata
    assert metadata.trigger_name == "nightly"
    assert metadata.trigger_id == TriggerIdentifier(name=calls.trigger_name(), revision=1)
    assert metadata.source == RunSource.WEB
    assert metadata.task is not None and metadata.task.id == calls.task_id(TASK)
    details = await calls.ended(calls.action_id("mine"))
    assert details.metadata is not None and details.metadata.trigger_id == metadata.trigger_id
    assert (await calls.data(calls.action_id("mine"))).inputs == inputs(x=integer(3))
    assert (await calls.settings(made.action)).queue == "fast"
    status = (await calls.triggered()).status
    assert status is not None and status.triggered_at is not None


async def test_a_request_overrides_what_the_trigger_has(calls: Scheduled) -> None:
    await calls.trigger(inputs=inputs(x=integer(3), y=integer(4)), run_spec=RunSpec(queue="fast"))
    request = CreateRunRequest(
        run_id=calls.run_id("mine"),
        trigger_name=calls.trigger_name(),
        inputs=inputs(x=integer(5)),
        run_spec=RunSpec(queue="slow"),
    )
    await calls.unary(RunService.CREATE_RUN, request)
    await calls.ended(calls.action_id("mine"))
    assert (await calls.data(calls.action_id("mine"))).inputs == inputs(x=integer(5))
    (run,) = await calls.runs()
    assert (await calls.settings(run)).queue == "slow"


async def test_refused_runs(calls: Scheduled) -> None:
    unknown = CreateRunRequest(project_id=calls.scope, trigger_name=calls.trigger_name("unknown"))
    assert '"unknown"' in await calls.refused(Status.NOT_FOUND, RunService.CREATE_RUN, unknown)
    await calls.unary(
        TriggerService.DEPLOY_TRIGGER,
        DeployTriggerRequest(name=calls.trigger_name(), spec=TriggerSpec(task_version="gone")),
    )
    request = CreateRunRequest(project_id=calls.scope, trigger_name=calls.trigger_name())
    assert "gone" in await calls.refused(Status.UNKNOWN, RunService.CREATE_RUN, request)
    await calls.unary(TriggerService.DELETE_TRIGGERS, DeleteTriggersRequest(names=[calls.trigger_name()]))
    await calls.refused(Status.NOT_FOUND, RunService.CREATE_RUN, request)


async def test_runs_are_found_by_their_trigger(calls: Scheduled) -> None:
    for name in ("a", "b"):
        await calls.trigger(name)
        request = CreateRunRequest(run_id=calls.run_id(f"of-{name}"), trigger_name=calls.trigger_name(name))
        await calls.unary(RunService.CREATE_RUN, request)
    await calls.create(calls.task_id(TASK), name="alone")
    assert [run_name(run) for run in await calls.runs(trigger_name=calls.trigger_name("a"))] == ["of-a"]
    found = await calls.runs(page(where("trigger_name", FilterFunction.EQUAL, "b")))
    assert [run_name(run) for run in found] == ["of-b"]
    by_task = await calls.runs(page(where("trigger_task_name", FilterFunction.EQUAL, TASK)))
    assert {run_name(run) for run in by_task} == {"of-a", "of-b"}
    first = await calls.runs(page(where("trigger_revision", FilterFunction.LESS_THAN, "2")))
    assert {run_name(run) for run in first} == {"of-a", "of-b"}
    assert [run_name(run) for run in await calls.runs(page(sort="trigger_name", ascending=True))] == [
        "of-a",
        "of-b",
        "alone",
    ]
    nobody = TriggerName(project=calls.project, domain=DOMAIN, name="a")
    assert await calls.runs(trigger_name=nobody) == []


async def test_inputs_can_be_uploaded_for_a_trigger(calls: Scheduled) -> None:
    await calls.trigger()
    request = UploadInputsRequest(
        project_id=calls.scope, trigger_name=calls.trigger_name(), inputs=inputs(x=integer(1))
    )
    reply = await calls.unary(DataProxyService.UPLOAD_INPUTS, request)
    assert reply.offloaded_input_data is not None and reply.offloaded_input_data.inputs_hash == "ImpW6TmERHA"


async def test_each_scheduled_time_starts_a_run(calls: Scheduled) -> None:
    # A full hour in Kolkata is half past in UTC. No such hour shall end during the test.
    await calls.box.advance.aio(timedelta(minutes=(35 - calls.box.now.minute) % 60))
    await calls.trigger(schedule=cron("0 * * * *", "Asia/Kolkata"), inputs=inputs(x=integer(3)))
    start = calls.box.now
    assert await calls.box.advance.aio(3 * HOUR) == 3
    assert timedelta() <= calls.box.now - start - 3 * HOUR < HOUR
    await calls.box.wait_until_idle.aio(DEADLINE)
    runs = await calls.runs()
    times = await calls.start_times(runs)
    assert [time.minute for time in times] == [30, 30, 30]
    assert start < times[0] <= start + HOUR and times[2] - times[1] == times[1] - times[0] == HOUR
    for run, time in zip(runs, times, strict=True):
        assert run.metadata is not None and run.metadata.source == RunSource.SCHEDULE_TRIGGER
        assert run.metadata.trigger_id == TriggerIdentifier(name=calls.trigger_name(), revision=1)
        assert run.status is not None and run.status.phase.name == "SUCCEEDED"
        key = scheduler.TriggerKey(calls.project, DOMAIN, TASK, "nightly")
        assert run_name(run) == scheduler.run_name(key, round(time.timestamp() * 1e6))
        assert (await calls.data(calls.action_id(run_name(run)))).inputs == inputs(x=integer(3))
    status = (await calls.triggered()).status
    assert status is not None and status.triggered_at is not None
    assert status.triggered_at.to_datetime() > start + 2 * HOUR


async def test_registration_starts_nothing(calls: Scheduled) -> None:
    # A boundary of the interval that does not pass during the test.
    long_ago = Timestamp.of(calls.box.now - timedelta(days=1000, hours=5))
    rate = FixedRate(value=1, unit=FixedRateUnit.DAY, start_time=long_ago)
    await calls.trigger(schedule=Schedule(rate=rate))
    await calls.box.wait_until_idle.aio(DEADLINE)
    assert await calls.runs() == []
    assert await calls.box.advance.aio(timedelta(days=1)) == 1
    (time,) = await calls.start_times(await calls.runs())
    assert (time - long_ago.to_datetime()) % timedelta(days=1) == timedelta()


async def test_a_rate_counts_from_the_activation(calls: Scheduled) -> None:
    made = await calls.trigger(schedule=Schedule(rate=FixedRate(value=90, unit=FixedRateUnit.MINUTE)))
    assert made.status is not None and made.status.deployed_at is not None
    deployed = made.status.deployed_at.to_datetime()
    assert await calls.box.advance.aio(timedelta(minutes=89)) == 0
    assert await calls.box.advance.aio(timedelta(minutes=2)) == 1
    assert await calls.start_times(await calls.runs()) == [deployed + timedelta(minutes=90)]
    names = [calls.trigger_name()]
    await calls.unary(TriggerService.UPDATE_TRIGGERS, UpdateTriggersRequest(names=names, active=False))
    assert await calls.box.advance.aio(timedelta(days=1)) == 0
    await calls.unary(TriggerService.UPDATE_TRIGGERS, UpdateTriggersRequest(names=names, active=True))
    assert await calls.box.advance.aio(timedelta(minutes=89)) == 0
    assert await calls.box.advance.aio(timedelta(minutes=2)) == 1


async def test_intervals_in_cron_notation(calls: Scheduled) -> None:
    await calls.trigger(schedule=cron("@every 1h30m"))
    assert await calls.box.advance.aio(3 * HOUR) == 2


async def test_a_kickoff_input_replaces_the_inputs(calls: Scheduled) -> None:
    stored = OffloadedInputData(uri="file:///elsewhere", inputs_hash="h")
    await calls.trigger(schedule=cron("@every 1h", kickoff_time_input_arg="at"), offloaded_input_data=stored)
    assert await calls.box.advance.aio(HOUR) == 1
    await calls.box.wait_until_idle.aio(DEADLINE)
    runs = await calls.runs()
    (time,) = await calls.start_times(runs)
    literal = Literal(scalar=Scalar(primitive=Primitive(datetime=Timestamp.of(time))))
    assert (await calls.data(calls.action_id(run_name(runs[0])))).inputs == inputs(at=literal)


async def test_stored_inputs_are_used(calls: Scheduled) -> None:
    upload = UploadInputsRequest(project_id=calls.scope, task_id=calls.task_id(TASK), inputs=inputs(x=integer(8)))
    stored = (await calls.unary(DataProxyService.UPLOAD_INPUTS, upload)).offloaded_input_data
    await calls.trigger(schedule=cron("@every 1h"), offloaded_input_data=stored)
    assert await calls.box.advance.aio(HOUR) == 1
    await calls.box.wait_until_idle.aio(DEADLINE)
    (run,) = await calls.runs()
    assert (await calls.data(calls.action_id(run_name(run)))).inputs == inputs(x=integer(8))


async def test_only_active_triggers_fire(calls: Scheduled) -> None:
    await calls.trigger("off", cron("@every 1h"), active=False)
    await calls.trigger("deleted", cron("@every 1h"))
    await calls.trigger("unscheduled")
    names = [calls.trigger_name("deleted")]
    await calls.unary(TriggerService.DELETE_TRIGGERS, DeleteTriggersRequest(names=names))
    assert await calls.box.advance.aio(3 * HOUR) == 0


async def test_a_new_schedule_replaces_the_old_one(calls: Scheduled) -> None:
    await calls.trigger(schedule=cron("@every 1h"))
    await calls.trigger(schedule=cron("@every 24h"))
    assert await calls.box.advance.aio(12 * HOUR) == 0
    assert await calls.box.advance.aio(12 * HOUR) == 1
    (run,) = await calls.runs()
    assert run.metadata is not None and run.metadata.trigger_id is not None
    assert run.metadata.trigger_id.revision == 2


async def test_a_run_that_cannot_start_is_logged_and_the_next_one_starts(
    calls: Scheduled, caplog: pytest.LogCaptureFixture
) -> None:
    await calls.unary(
        TriggerService.DEPLOY_TRIGGER,
        DeployTriggerRequest(
            name=calls.trigger_name(),
            spec=TriggerSpec(active=True, task_version="2"),
            automation_spec=TriggerAutomationSpec(schedule=cron("@every 1h")),
        ),
    )
    rate = Schedule(rate=FixedRate(value=1))
    await calls.trigger("without-unit", rate)
    with caplog.at_level(logging.WARNING, logger="flyte.devbox"):
        assert await calls.box.advance.aio(HOUR) == 0
        assert "nightly cannot start its run" in caplog.text and "task not found" in caplog.text
        assert caplog.text.count("without-unit cannot be scheduled") <= 1
    await calls.deploy(TASK, "2")
    assert await calls.box.advance.aio(HOUR) == 1


async def test_a_clock_that_would_start_too_many_runs_stands_still(calls: Scheduled) -> None:
    await calls.trigger(schedule=cron("* * * * *"), active=True)
    before = calls.box.now
    with pytest.raises(flyte.devbox.DevboxError, match="more than 100 runs"):
        await calls.box.advance.aio(timedelta(days=365))
    assert calls.box.now - before < HOUR and await calls.runs() == []


async def test_the_arguments_of_advance(calls: Scheduled) -> None:
    with pytest.raises(TypeError, match="timedelta"):
        await calls.box.advance.aio(60)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="negative"):
        await calls.box.advance.aio(-HOUR)
    await asyncio.to_thread(calls.box.stop)
    with pytest.raises(flyte.devbox.DevboxError, match="stopped"):
        await calls.box.advance.aio(HOUR)


async def test_a_wait_for_a_busy_devbox_ends(calls: Scheduled, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    await calls.create(shell(f'read line < "{pipe}"'), name="busy")
    with pytest.raises(TimeoutError, match="busy/a0"):
        await calls.box.wait_until_idle.aio(0.01)
    waiting = asyncio.create_task(calls.box.wait_until_idle.aio(DEADLINE))
    await asyncio.to_thread(pipe.write_text, "go\n")
    await waiting
    details = await calls.details(calls.action_id("busy"))
    assert details.status is not None and details.status.phase.name == "SUCCEEDED"


async def test_a_stop_ends_a_wait(calls: Scheduled) -> None:
    await calls.create(shell("exec sleep 600"), name="forever")
    await calls.until(calls.action_id("forever"), ActionPhase.RUNNING)
    waiting = asyncio.create_task(calls.box.wait_until_idle.aio(DEADLINE))
    await asyncio.to_thread(calls.box.stop)
    with pytest.raises(flyte.devbox.DevboxError, match="stopped"):
        await waiting


async def test_the_devbox_starts_runs_by_itself(calls: Scheduled) -> None:
    """By real time: the next full second of an interval."""
    await calls.trigger(schedule=cron("@every 1s"))
    async with aclosing(calls.stream(RunService.WATCH_RUNS, WatchRunsRequest(project_id=calls.scope))) as messages:
        async for message in messages:
            assert message.runs[0].action is not None and message.runs[0].action.metadata is not None
            assert message.runs[0].action.metadata.trigger_name == "nightly"
            break


async def test_missed_times_are_made_up_for_after_a_restart(tmp_path: Path) -> None:
    async with devbox(dir=tmp_path) as calls:
        await calls.deploy(TASK)
        await calls.trigger(schedule=cron("@every 1h"))
        assert await calls.box.advance.aio(2 * HOUR) == 2
        now = calls.box.now
    missed(tmp_path, timedelta(hours=5))
    async with devbox(dir=tmp_path) as calls:
        assert calls.box.now >= now, "the advance is gone"
        await calls.box.wait_until_idle.aio(DEADLINE)
        times = await calls.start_times(await calls.runs())
        assert len(times) == len(set(times)) == 7
        assert max(times) - min(times) == 6 * HOUR


async def test_missed_times_have_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scheduler, "MAX_MISSED", 3)
    async with devbox(dir=tmp_path) as calls:
        await calls.deploy(TASK)
        await calls.trigger(schedule=cron("@every 1h"))
    missed(tmp_path, timedelta(days=400, minutes=30))
    with caplog.at_level(logging.WARNING, logger="flyte.devbox"):
        async with devbox(dir=tmp_path) as calls:
            await calls.box.wait_until_idle.aio(DEADLINE)
            assert len(await calls.runs()) == 3
            assert await calls.box.advance.aio(HOUR) == 1
    assert "missed more than 3 scheduled times" in caplog.text
