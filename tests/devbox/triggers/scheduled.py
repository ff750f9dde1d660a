"""A devbox with a clock that tests advance."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import flyte.devbox
from devbox.calls import DOMAIN, Calls, page
from flyte_api.messages.flyteidl2.common.identifier import TriggerName
from flyte_api.messages.flyteidl2.common.list import ListRequest
from flyte_api.messages.flyteidl2.task.common import (
    Cron,
    Schedule,
    TriggerAutomationSpec,
)
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerDetails, TriggerSpec
from flyte_api.messages.flyteidl2.trigger.trigger_service import (
    DeployTriggerRequest,
    GetTriggerDetailsRequest,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import Action
from flyte_api.messages.flyteidl2.workflow.run_service import (
    GetRunDetailsRequest,
    ListRunsRequest,
)
from flyte_api.services.flyteidl2.trigger.trigger_service import TriggerService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.calls.client import Client

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
            spec=TriggerSpec(active=active, **{"task_version": "1", **spec}),
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


def missed(directory: Path, time: timedelta) -> None:
    """Let time pass while no devbox runs on the directory."""
    with closing(sqlite3.connect(directory / "devbox.sqlite")) as database, database:
        database.execute("UPDATE clock SET advance = advance + ?", (time // timedelta(microseconds=1),))


def cron(expression: str, zone: str = "", **fields: Any) -> Schedule:
    return Schedule(cron=Cron(expression=expression, timezone=zone), **fields)


def run_name(action: Action) -> str:
    assert action.id is not None and action.id.run is not None
    return action.id.run.name
