"""Runs at scheduled times, on an advanced clock."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

import flyte.devbox
from devbox.calls import DEADLINE, DOMAIN, inputs, integer, shell
from devbox.triggers.scheduled import HOUR, TASK, Scheduled, cron, devbox, missed, run_name
from flyte.devbox.keys import TriggerKey
from flyte.devbox.triggers import scheduler
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.core.literals import Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import UploadInputsRequest
from flyte_api.messages.flyteidl2.task.common import (
    FixedRate,
    FixedRateUnit,
    Schedule,
    TriggerAutomationSpec,
)
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerSpec
from flyte_api.messages.flyteidl2.trigger.trigger_service import (
    DeleteTriggersRequest,
    DeployTriggerRequest,
    UpdateTriggersRequest,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import RunSource
from flyte_api.messages.flyteidl2.workflow.run_service import (
    WatchRunsRequest,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.trigger.trigger_service import TriggerService
from flyte_api.services.flyteidl2.workflow.run_service import RunService


async def test_each_scheduled_time_starts_a_run(timed: Scheduled) -> None:
    # A full hour in Kolkata is half past in UTC. No such hour shall end during the test.
    await timed.box.advance.aio(timedelta(minutes=(35 - timed.box.now.minute) % 60))
    await timed.trigger(schedule=cron("0 * * * *", "Asia/Kolkata"), inputs=inputs(x=integer(3)))
    start = timed.box.now
    assert await timed.box.advance.aio(3 * HOUR) == 3
    assert timedelta() <= timed.box.now - start - 3 * HOUR < HOUR
    await timed.box.wait_until_idle.aio(DEADLINE)
    runs = await timed.runs()
    times = await timed.start_times(runs)
    assert [time.minute for time in times] == [30, 30, 30]
    assert start < times[0] <= start + HOUR and times[2] - times[1] == times[1] - times[0] == HOUR
    for run, time in zip(runs, times, strict=True):
        assert run.metadata is not None and run.metadata.source == RunSource.SCHEDULE_TRIGGER
        assert run.metadata.trigger_id == TriggerIdentifier(name=timed.trigger_name(), revision=1)
        assert run.status is not None and run.status.phase.name == "SUCCEEDED"
        key = TriggerKey(timed.project, DOMAIN, TASK, "nightly")
        assert run_name(run) == scheduler.run_name(key, round(time.timestamp() * 1e6))
        assert (await timed.data(timed.action_id(run_name(run)))).inputs == inputs(x=integer(3))
    status = (await timed.triggered()).status
    assert status is not None and status.triggered_at is not None
    assert status.triggered_at.to_datetime() > start + 2 * HOUR


async def test_registration_starts_nothing(timed: Scheduled) -> None:
    # A boundary of the interval that does not pass during the test.
    long_ago = Timestamp.of(timed.box.now - timedelta(days=1000, hours=5))
    rate = FixedRate(value=1, unit=FixedRateUnit.DAY, start_time=long_ago)
    await timed.trigger(schedule=Schedule(rate=rate))
    await timed.box.wait_until_idle.aio(DEADLINE)
    assert await timed.runs() == []
    assert await timed.box.advance.aio(timedelta(days=1)) == 1
    (time,) = await timed.start_times(await timed.runs())
    assert (time - long_ago.to_datetime()) % timedelta(days=1) == timedelta()


async def test_a_rate_counts_from_the_activation(timed: Scheduled) -> None:
    made = await timed.trigger(schedule=Schedule(rate=FixedRate(value=90, unit=FixedRateUnit.MINUTE)))
    assert made.status is not None and made.status.deployed_at is not None
    deployed = made.status.deployed_at.to_datetime()
    assert await timed.box.advance.aio(timedelta(minutes=89)) == 0
    assert await timed.box.advance.aio(timedelta(minutes=2)) == 1
    assert await timed.start_times(await timed.runs()) == [deployed + timedelta(minutes=90)]
    names = [timed.trigger_name()]
    await timed.unary(TriggerService.UPDATE_TRIGGERS, UpdateTriggersRequest(names=names, active=False))
    assert await timed.box.advance.aio(timedelta(days=1)) == 0
    await timed.unary(TriggerService.UPDATE_TRIGGERS, UpdateTriggersRequest(names=names, active=True))
    assert await timed.box.advance.aio(timedelta(minutes=89)) == 0
    assert await timed.box.advance.aio(timedelta(minutes=2)) == 1


async def test_intervals_in_cron_notation(timed: Scheduled) -> None:
    await timed.trigger(schedule=cron("@every 1h30m"))
    assert await timed.box.advance.aio(3 * HOUR) == 2


async def test_a_kickoff_input_replaces_the_inputs(timed: Scheduled) -> None:
    stored = OffloadedInputData(uri="file:///elsewhere", inputs_hash="h")
    await timed.trigger(schedule=cron("@every 1h", kickoff_time_input_arg="at"), offloaded_input_data=stored)
    assert await timed.box.advance.aio(HOUR) == 1
    await timed.box.wait_until_idle.aio(DEADLINE)
    runs = await timed.runs()
    (time,) = await timed.start_times(runs)
    literal = Literal(scalar=Scalar(primitive=Primitive(datetime=Timestamp.of(time))))
    assert (await timed.data(timed.action_id(run_name(runs[0])))).inputs == inputs(at=literal)


async def test_stored_inputs_are_used(timed: Scheduled) -> None:
    upload = UploadInputsRequest(project_id=timed.scope, task_id=timed.task_id(TASK), inputs=inputs(x=integer(8)))
    stored = (await timed.unary(DataProxyService.UPLOAD_INPUTS, upload)).offloaded_input_data
    await timed.trigger(schedule=cron("@every 1h"), offloaded_input_data=stored)
    assert await timed.box.advance.aio(HOUR) == 1
    await timed.box.wait_until_idle.aio(DEADLINE)
    (run,) = await timed.runs()
    assert (await timed.data(timed.action_id(run_name(run)))).inputs == inputs(x=integer(8))


async def test_only_active_triggers_fire(timed: Scheduled) -> None:
    await timed.trigger("off", cron("@every 1h"), active=False)
    await timed.trigger("deleted", cron("@every 1h"))
    await timed.trigger("unscheduled")
    names = [timed.trigger_name("deleted")]
    await timed.unary(TriggerService.DELETE_TRIGGERS, DeleteTriggersRequest(names=names))
    assert await timed.box.advance.aio(3 * HOUR) == 0


async def test_a_new_schedule_replaces_the_old_one(timed: Scheduled) -> None:
    await timed.trigger(schedule=cron("@every 1h"))
    await timed.trigger(schedule=cron("@every 24h"))
    assert await timed.box.advance.aio(12 * HOUR) == 0
    assert await timed.box.advance.aio(12 * HOUR) == 1
    (run,) = await timed.runs()
    assert run.metadata is not None and run.metadata.trigger_id is not None
    assert run.metadata.trigger_id.revision == 2


async def test_a_run_that_cannot_start_is_logged_and_the_next_one_starts(
    timed: Scheduled, caplog: pytest.LogCaptureFixture
) -> None:
    await timed.unary(
        TriggerService.DEPLOY_TRIGGER,
        DeployTriggerRequest(
            name=timed.trigger_name(),
            spec=TriggerSpec(active=True, task_version="2"),
            automation_spec=TriggerAutomationSpec(schedule=cron("@every 1h")),
        ),
    )
    rate = Schedule(rate=FixedRate(value=1))
    await timed.trigger("without-unit", rate)
    with caplog.at_level(logging.WARNING, logger="flyte.devbox"):
        assert await timed.box.advance.aio(HOUR) == 0
        assert "nightly cannot start its run" in caplog.text and "task not found" in caplog.text
        assert caplog.text.count("without-unit cannot be scheduled") <= 1
    await timed.deploy(TASK, "2")
    assert await timed.box.advance.aio(HOUR) == 1


async def test_a_clock_that_would_start_too_many_runs_stands_still(timed: Scheduled) -> None:
    await timed.trigger(schedule=cron("* * * * *"), active=True)
    before = timed.box.now
    with pytest.raises(flyte.devbox.DevboxError, match="more than 100 runs"):
        await timed.box.advance.aio(timedelta(days=365))
    assert timed.box.now - before < HOUR and await timed.runs() == []


async def test_the_arguments_of_advance(timed: Scheduled) -> None:
    with pytest.raises(TypeError, match="timedelta"):
        await timed.box.advance.aio(60)
    with pytest.raises(ValueError, match="negative"):
        await timed.box.advance.aio(-HOUR)
    with pytest.raises(ValueError, match="9999"):
        await timed.box.advance.aio(timedelta.max)
    await asyncio.to_thread(timed.box.stop)
    with pytest.raises(flyte.devbox.DevboxError, match="stopped"):
        await timed.box.advance.aio(HOUR)


async def test_a_wait_for_a_busy_devbox_ends(timed: Scheduled, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    await timed.create(shell(f'read line < "{pipe}"'), name="busy")
    with pytest.raises(TimeoutError, match="busy/a0"):
        await timed.box.wait_until_idle.aio(0.01)
    waiting = asyncio.create_task(timed.box.wait_until_idle.aio(DEADLINE))
    await asyncio.to_thread(pipe.write_text, "go\n")
    await waiting
    details = await timed.details(timed.action_id("busy"))
    assert details.status is not None and details.status.phase.name == "SUCCEEDED"


async def test_a_stop_ends_a_wait(timed: Scheduled) -> None:
    await timed.create(shell("exec sleep 600"), name="forever")
    await timed.until(timed.action_id("forever"), ActionPhase.RUNNING)
    waiting = asyncio.create_task(timed.box.wait_until_idle.aio(DEADLINE))
    await asyncio.to_thread(timed.box.stop)
    with pytest.raises(flyte.devbox.DevboxError, match="stopped"):
        await waiting


async def test_the_devbox_starts_runs_by_itself(timed: Scheduled) -> None:
    """By real time: the next full second of an interval."""
    await timed.trigger(schedule=cron("@every 1s"))
    async with aclosing(timed.stream(RunService.WATCH_RUNS, WatchRunsRequest(project_id=timed.scope))) as messages:
        async for message in messages:
            assert message.runs[0].action is not None and message.runs[0].action.metadata is not None
            assert message.runs[0].action.metadata.trigger_name == "nightly"
            break


async def test_missed_times_are_made_up_for_after_a_restart(tmp_path: Path) -> None:
    async with devbox(dir=tmp_path) as timed:
        await timed.deploy(TASK)
        await timed.trigger(schedule=cron("@every 1h"))
        assert await timed.box.advance.aio(2 * HOUR) == 2
        now = timed.box.now
    missed(tmp_path, timedelta(hours=5))
    async with devbox(dir=tmp_path) as timed:
        assert timed.box.now >= now, "the advance is gone"
        await timed.box.wait_until_idle.aio(DEADLINE)
        times = await timed.start_times(await timed.runs())
        assert len(times) == len(set(times)) == 7
        assert max(times) - min(times) == 6 * HOUR


async def test_missed_times_have_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scheduler, "MAX_MISSED", 3)
    async with devbox(dir=tmp_path) as timed:
        await timed.deploy(TASK)
        await timed.trigger(schedule=cron("@every 1h"))
    missed(tmp_path, timedelta(days=400, minutes=30))
    with caplog.at_level(logging.WARNING, logger="flyte.devbox"):
        async with devbox(dir=tmp_path) as timed:
            await timed.box.wait_until_idle.aio(DEADLINE)
            assert len(await timed.runs()) == 3
            assert await timed.box.advance.aio(HOUR) == 1
    assert "missed more than 3 scheduled times" in caplog.text


async def test_triggers_that_are_due_together_all_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is one of missed times only."""
    monkeypatch.setattr(scheduler, "MAX_MISSED", 3)
    async with devbox(dir=tmp_path) as timed:
        await timed.deploy(TASK)
        for number in range(5):
            await timed.trigger(f"t{number}", schedule=cron("@every 24h"))
    missed(tmp_path, timedelta(days=1))
    async with devbox(dir=tmp_path) as timed:
        await timed.box.wait_until_idle.aio(DEADLINE)
        assert len(await timed.runs()) == 5
