"""TriggerService: revisions, listings and refusals."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from devbox.calls import DOMAIN, Calls, inputs, integer, page, shell, where
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier, TriggerName
from flyte_api.messages.flyteidl2.common.list import FilterFunction, ListRequest
from flyte_api.messages.flyteidl2.task.common import (
    ArtifactTrigger,
    Cron,
    FixedRate,
    Schedule,
    TriggerAutomationSpec,
    TriggerAutomationSpecType,
)
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import (
    TaskIdentifier,
    TaskName,
    TaskTrigger,
    TaskTriggerSpec,
    TaskTriggersSummary,
)
from flyte_api.messages.flyteidl2.task.task_service import (
    DeployTaskRequest,
    GetTaskDetailsRequest,
    ListTasksRequest,
)
from flyte_api.messages.flyteidl2.trigger.trigger_definition import (
    TriggerDetails,
    TriggerRevision,
    TriggerRevisionAction,
    TriggerSpec,
)
from flyte_api.messages.flyteidl2.trigger.trigger_service import (
    DeleteTriggersRequest,
    DeployTriggerRequest,
    GetTriggerDetailsRequest,
    GetTriggerRevisionDetailsRequest,
    GetTriggerRevisionHistoryRequest,
    ListTriggersRequest,
    ListTriggersResponse,
    UpdateTriggersRequest,
)
from flyte_api.services.flyteidl2.task.task_service import TaskService
from flyte_api.services.flyteidl2.trigger.trigger_service import TriggerService
from flyte_rpc.status import Status

YEARLY = TriggerAutomationSpec(schedule=Schedule(cron=Cron(expression="@yearly", timezone="Europe/Berlin")))
Action = TriggerRevisionAction


def named(calls: Calls, name: str, task: str = "env.task") -> TriggerName:
    return TriggerName(org="acme", project=calls.project, domain=DOMAIN, name=name, task_name=task)


async def deploy(
    calls: Calls,
    name: str = "nightly",
    task: str = "env.task",
    *,
    revision: int = 0,
    automation: TriggerAutomationSpec | None = YEARLY,
    **spec: Any,
) -> TriggerDetails:
    spec = {"active": True, "task_version": "1", **spec}
    request = DeployTriggerRequest(
        name=named(calls, name, task), revision=revision, spec=TriggerSpec(**spec), automation_spec=automation
    )
    reply = await calls.unary(TriggerService.DEPLOY_TRIGGER, request)
    assert reply.trigger is not None
    return reply.trigger


async def get(calls: Calls, name: str = "nightly", task: str = "env.task") -> TriggerDetails:
    request = GetTriggerDetailsRequest(name=named(calls, name, task))
    reply = await calls.unary(TriggerService.GET_TRIGGER_DETAILS, request)
    assert reply.trigger is not None
    return reply.trigger


async def update(calls: Calls, active: bool, *names: str) -> None:
    request = UpdateTriggersRequest(names=[named(calls, name) for name in names], active=active)
    await calls.unary(TriggerService.UPDATE_TRIGGERS, request)


async def delete(calls: Calls, *names: str) -> None:
    request = DeleteTriggersRequest(names=[named(calls, name) for name in names])
    await calls.unary(TriggerService.DELETE_TRIGGERS, request)


async def history(calls: Calls, request: ListRequest | None = None, name: str = "nightly") -> list[TriggerRevision]:
    asked = GetTriggerRevisionHistoryRequest(request=request, name=named(calls, name))
    return (await calls.unary(TriggerService.GET_TRIGGER_REVISION_HISTORY, asked)).triggers


async def listed(calls: Calls, request: ListRequest | None = None, **fields: Any) -> ListTriggersResponse:
    fields = fields or {"project_id": calls.scope}
    return await calls.unary(TriggerService.LIST_TRIGGERS, ListTriggersRequest(request=request, **fields))


def names(reply: ListTriggersResponse) -> list[str]:
    return [trigger.id.name.name for trigger in reply.triggers if trigger.id is not None and trigger.id.name]


def numbers(revisions: list[TriggerRevision]) -> list[int]:
    return [revision.id.revision for revision in revisions if revision.id is not None]


async def test_what_is_deployed_comes_back(calls: Calls) -> None:
    settings = RunSpec(queue="fast")
    made = await deploy(calls, description="d", inputs=inputs(x=integer(3)), run_spec=settings)
    assert made == await get(calls)
    name = TriggerName(project=calls.project, domain=DOMAIN, name="nightly", task_name="env.task")
    assert made.id == TriggerIdentifier(name=name, revision=1), "it has an organization"
    assert made.spec == TriggerSpec(
        active=True, task_version="1", description="d", inputs=inputs(x=integer(3)), run_spec=settings
    )
    assert made.status is not None and made.status.deployed_at == made.status.updated_at is not None
    assert made.status.triggered_at is None and made.status.deleted_at is None
    assert made.metadata is None and made.description is None
    assert made.automation_spec is not None
    assert made.automation_spec.type == TriggerAutomationSpecType.TYPE_SCHEDULE
    assert made.automation_spec.schedule == YEARLY.schedule


@pytest.mark.parametrize(
    "automation", [None, TriggerAutomationSpec(artifact=ArtifactTrigger(artifact_name="model"))], ids=["none", "event"]
)
async def test_only_schedules_have_a_type(calls: Calls, automation: TriggerAutomationSpec | None) -> None:
    made = await deploy(calls, automation=automation)
    assert made.automation_spec is not None
    assert made.automation_spec.type == TriggerAutomationSpecType.TYPE_NONE
    assert made.automation_spec.artifact == (None if automation is None else automation.artifact)


async def test_a_trigger_without_a_task_name_is_that_of_any_task(calls: Calls) -> None:
    await deploy(calls, task="env.other")
    found = await get(calls, task="")
    assert found.id is not None and found.id.name is not None and found.id.name.task_name == "env.other"


async def test_every_change_is_a_revision(calls: Calls) -> None:
    await deploy(calls, description="first")
    await deploy(calls, description="second", revision=1)
    await update(calls, False, "nightly", "unknown")
    await update(calls, False, "nightly")  # which changes nothing
    await update(calls, True, "nightly")
    await delete(calls, "nightly", "unknown")
    await delete(calls, "nightly")
    found = await history(calls)
    assert numbers(found) == [5, 4, 3, 2, 1]
    assert [revision.action for revision in found] == [
        Action.DELETE,
        Action.ACTIVATE,
        Action.DEACTIVATE,
        Action.DEPLOY,
        Action.DEPLOY,
    ]
    statuses = [revision.status for revision in found]
    assert all(status is not None for status in statuses)
    assert found[0].status is not None and found[0].created_at == found[0].status.deleted_at is not None
    assert found[1].status is not None and found[1].created_at == found[1].status.updated_at
    assert found[3].status is not None and found[3].created_at == found[3].status.deployed_at
    assert found[3].status.deployed_at != found[3].status.updated_at, "it was active before"


async def test_revisions_outlive_the_trigger(calls: Calls) -> None:
    await deploy(calls, description="first")
    await deploy(calls, description="second")
    await delete(calls, "nightly")

    async def revision(number: int) -> TriggerDetails:
        request = GetTriggerRevisionDetailsRequest(id=TriggerIdentifier(name=named(calls, "nightly"), revision=number))
        reply = await calls.unary(TriggerService.GET_TRIGGER_REVISION_DETAILS, request)
        assert reply.trigger is not None
        return reply.trigger

    first, last = await revision(1), await revision(3)
    assert first.spec is not None and first.spec.description == "first" and first.spec.active
    assert last.spec is not None and last.spec.description == "second" and not last.spec.active
    assert last.status is not None and last.status.deleted_at is not None
    gone = GetTriggerRevisionDetailsRequest(id=TriggerIdentifier(name=named(calls, "nightly"), revision=4))
    await calls.refused(Status.NOT_FOUND, TriggerService.GET_TRIGGER_REVISION_DETAILS, gone)
    await calls.refused(
        Status.NOT_FOUND,
        TriggerService.GET_TRIGGER_DETAILS,
        GetTriggerDetailsRequest(name=named(calls, "nightly")),
    )
    assert names(await listed(calls)) == []
    again = await deploy(calls)
    assert again.id is not None and again.id.revision == 4
    assert again.status is not None and again.status.deleted_at is None


async def test_an_outdated_revision_is_refused(calls: Calls) -> None:
    first = await deploy(calls, revision=7)  # new, so there is nothing to compare
    assert first.id is not None and first.id.revision == 1
    for stale in (2, 7):
        request = DeployTriggerRequest(name=named(calls, "nightly"), revision=stale, spec=TriggerSpec())
        message = await calls.refused(Status.INTERNAL, TriggerService.DEPLOY_TRIGGER, request)
        assert "revision 1" in message
    assert await get(calls) == first


async def test_refusals(calls: Calls) -> None:
    rpc = TriggerService.DEPLOY_TRIGGER
    name = named(calls, "nightly")
    await calls.refused(Status.INVALID_ARGUMENT, rpc, DeployTriggerRequest(spec=TriggerSpec()))
    await calls.refused(Status.INTERNAL, rpc, DeployTriggerRequest(name=name))
    for cron in (Cron(expression="0 9 * *"), Cron(expression="0 9 * * *", timezone="Mars/Olympus"), Cron()):
        automation = TriggerAutomationSpec(schedule=Schedule(cron=cron))
        await calls.refused(
            Status.INVALID_ARGUMENT,
            rpc,
            DeployTriggerRequest(name=name, spec=TriggerSpec(), automation_spec=automation),
        )
    with pytest.warns(DeprecationWarning):
        plain = TriggerAutomationSpec(schedule=Schedule(cron_expression="61 * * * *"))
    await calls.refused(
        Status.INVALID_ARGUMENT, rpc, DeployTriggerRequest(name=name, spec=TriggerSpec(), automation_spec=plain)
    )
    # Fixed rates are not checked.
    await deploy(calls, automation=TriggerAutomationSpec(schedule=Schedule(rate=FixedRate())))


async def test_a_missing_library_is_told_at_the_deployment(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cronsim" else find(name))
    name = named(calls, "nightly")
    cron = TriggerAutomationSpec(schedule=Schedule(cron=Cron(expression="8 8 8 8 *")))
    request = DeployTriggerRequest(name=name, spec=TriggerSpec(), automation_spec=cron)
    message = await calls.refused(Status.FAILED_PRECONDITION, TriggerService.DEPLOY_TRIGGER, request)
    assert "pip install 'cronsim" in message
    # Other schedules do not need it.
    await deploy(calls, automation=TriggerAutomationSpec(schedule=Schedule(cron=Cron(expression="@every 99h"))))


async def test_a_refused_task_leaves_nothing(calls: Calls) -> None:
    bad = TriggerAutomationSpec(schedule=Schedule(cron=Cron(expression="never")))
    triggers = [TaskTrigger(name="good"), TaskTrigger(name="bad", automation_spec=bad)]
    request = DeployTaskRequest(task_id=calls.task_id("t"), spec=shell("true"), triggers=triggers)
    await calls.refused(Status.INVALID_ARGUMENT, TaskService.DEPLOY_TASK, request)
    assert names(await listed(calls)) == []
    await calls.refused(
        Status.NOT_FOUND, TaskService.GET_TASK_DETAILS, GetTaskDetailsRequest(task_id=calls.task_id("t"))
    )


@pytest.fixture
async def four(calls: Calls) -> Calls:
    """Triggers a to d: two tasks, two versions, one inactive, one without a schedule."""
    await deploy(calls, "a", "env.one")
    await deploy(calls, "b", "env.one", task_version="2")
    await deploy(calls, "c", "env.two", active=False)
    await deploy(calls, "d", "env.two", automation=None)
    return calls


async def test_active_triggers_come_first_then_the_latest_change(four: Calls) -> None:
    assert names(await listed(four)) == ["d", "b", "a", "c"]
    assert [trigger.active for trigger in (await listed(four)).triggers] == [True, True, True, False]


async def test_scopes(four: Calls) -> None:
    task = TaskName(project=four.project, domain=DOMAIN, name="env.one")
    assert names(await listed(four, task_name=task)) == ["b", "a"]
    assert names(await listed(four, task_id=four.task_id("env.one", "2"))) == ["b"]
    assert names(await listed(four, task_id=four.task_id("env.one", ""))) == []
    assert names(await listed(four, page(where("project", FilterFunction.EQUAL, four.project)), org="any")) == [
        "d",
        "b",
        "a",
        "c",
    ]


async def test_filters_and_orders(four: Calls) -> None:
    async def found(field: str, *values: str, function: FilterFunction = FilterFunction.EQUAL) -> str:
        return "".join(sorted(names(await listed(four, page(where(field, function, *values))))))

    assert await found("active", "false") == "c"
    assert await found("active", "TRUE") == "abd"
    assert await found("name", "b", "c", function=FilterFunction.VALUE_IN) == "bc"
    assert await found("task_version", "2") == "b"
    assert await found("automation_type", "TYPE_NONE") == "d"
    assert await found("automation_type", "TYPE_SCHEDULE") == "abc"
    assert await found("deployed_at", "2020-01-01T00:00:00Z", function=FilterFunction.LESS_THAN) == ""
    assert names(await listed(four, page(sort="name", ascending=True))) == ["a", "b", "c", "d"]
    assert names(await listed(four, page(sort="deployed_at"))) == ["d", "c", "b", "a"]


async def test_a_full_page_has_a_token(four: Calls) -> None:
    first = await listed(four, page(limit=2))
    assert (names(first), first.token) == (["d", "b"], "2")
    second = await listed(four, page(limit=2, token="2"))
    assert (names(second), second.token) == (["a", "c"], "4")
    last = await listed(four, page(limit=2, token="4"))
    assert (names(last), last.token) == ([], "")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (page(sort="triggered_at"), Status.INVALID_ARGUMENT),
        (page(where("description", FilterFunction.EQUAL, "x")), Status.INVALID_ARGUMENT),
        (page(where("active", FilterFunction.EQUAL, "maybe")), Status.INTERNAL),
        (page(where("active", FilterFunction.CONTAINS, "t")), Status.INTERNAL),
        (page(limit=201), Status.INVALID_ARGUMENT),
    ],
)
async def test_refused_listings(calls: Calls, request_: ListRequest, status: Status) -> None:
    await calls.refused(status, TriggerService.LIST_TRIGGERS, ListTriggersRequest(request=request_))


async def test_a_history_has_pages_but_only_one_order(calls: Calls) -> None:
    for _ in range(3):
        await deploy(calls)
    assert numbers(await history(calls, page(sort="revision", ascending=True))) == [3, 2, 1]
    assert numbers(await history(calls, page(where("revision", FilterFunction.EQUAL, "1")))) == [3, 2, 1]
    assert numbers(await history(calls, page(limit=2, token="1"))) == [2, 1]
    bad = GetTriggerRevisionHistoryRequest(request=page(sort="name"), name=named(calls, "nightly"))
    await calls.refused(Status.INVALID_ARGUMENT, TriggerService.GET_TRIGGER_REVISION_HISTORY, bad)
    assert await history(calls, name="unknown") == []


async def with_triggers(calls: Calls, version: str, *triggers: TaskTrigger) -> TaskIdentifier:
    identifier = calls.task_id("env.task", version)
    request = DeployTaskRequest(task_id=identifier, spec=shell("true"), triggers=list(triggers))
    await calls.unary(TaskService.DEPLOY_TASK, request)
    return identifier


async def summary(calls: Calls, identifier: TaskIdentifier) -> TaskTriggersSummary | None:
    request = GetTaskDetailsRequest(task_id=identifier)
    reply = await calls.unary(TaskService.GET_TASK_DETAILS, request)
    assert reply.details is not None and reply.details.metadata is not None
    return reply.details.metadata.triggers_summary


def trigger(name: str, active: bool = True) -> TaskTrigger:
    spec = TaskTriggerSpec(active=active, inputs=inputs(x=integer(1)), description="with the task")
    return TaskTrigger(name=name, spec=spec, automation_spec=YEARLY)


async def test_triggers_that_come_with_a_task(calls: Calls) -> None:
    first = await with_triggers(calls, "1", trigger("a"), trigger("b", active=False))
    assert names(await listed(calls)) == ["a", "b"]
    found = await get(calls, "a")
    assert found.spec is not None
    assert (found.spec.task_version, found.spec.description) == ("1", "with the task")
    assert found.spec.inputs == inputs(x=integer(1))
    both = await summary(calls, first)
    assert both is not None and both.stats is not None and (both.stats.total, both.stats.active) == (2, 1)

    second = await with_triggers(calls, "2", trigger("b"), trigger("c"))
    assert sorted(names(await listed(calls))) == ["b", "c"], "the trigger that is not in the list remains"
    assert numbers(await history(calls, name="b")) == [2, 1]
    assert await summary(calls, first) is None

    # Without triggers, a deployment does not touch those of the task.
    third = await with_triggers(calls, "3")
    assert sorted(names(await listed(calls))) == ["b", "c"]
    assert await summary(calls, third) is None

    await with_triggers(calls, "2", trigger("c"))
    only = await summary(calls, second)
    assert only is not None and only.details is not None
    assert (only.details.name, only.details.active) == ("c", True)
    assert only.details.automation_spec is not None and only.details.automation_spec.schedule == YEARLY.schedule


async def test_tasks_are_listed_by_their_triggers(calls: Calls) -> None:
    for task, count in (("env.one", 1), ("env.two", 2), ("env.none", 0)):
        await calls.deploy(task)
        for number in range(count):
            await deploy(calls, f"t{number}", task, active=number == 0)

    async def tasks(request: ListRequest) -> list[str]:
        reply = await calls.unary(TaskService.LIST_TASKS, ListTasksRequest(request=request, project_id=calls.scope))
        return [task.task_id.name for task in reply.tasks if task.task_id is not None]

    assert await tasks(page(sort="total_triggers")) == ["env.two", "env.one", "env.none"]
    ascending = await tasks(page(sort="active_triggers", ascending=True))
    assert ascending[0] == "env.none" and set(ascending[1:]) == {"env.one", "env.two"}
    assert await tasks(page(where("total_triggers", FilterFunction.GREATER_THAN, "1"))) == ["env.two"]
    assert await tasks(page(where("trigger_name", FilterFunction.EQUAL, "t0"))) == ["env.one"]
    assert await tasks(page(where("active_triggers", FilterFunction.EQUAL, "0"))) == ["env.none"]
