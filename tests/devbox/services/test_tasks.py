from __future__ import annotations

from devbox.calls import Calls, page, shell, where
from flyte_api.messages.flyteidl2.common.list import FilterFunction, ListRequest
from flyte_api.messages.flyteidl2.task.common import Cron, Schedule, TriggerAutomationSpec
from flyte_api.messages.flyteidl2.task.environment import Environment
from flyte_api.messages.flyteidl2.task.task_definition import (
    DocumentationEntity,
    TaskDetails,
    TaskIdentifier,
    TaskName,
    TaskTrigger,
)
from flyte_api.messages.flyteidl2.task.task_service import (
    DeployTaskRequest,
    GetTaskDetailsRequest,
    ListTasksRequest,
    ListTasksRequestKnownFilter,
    ListTasksResponse,
    ListVersionsRequest,
    ListVersionsResponse,
)
from flyte_api.services.flyteidl2.task.task_service import TaskService
from flyte_rpc.status import Status


async def details(calls: Calls, identifier: TaskIdentifier) -> TaskDetails:
    reply = await calls.unary(TaskService.GET_TASK_DETAILS, GetTaskDetailsRequest(task_id=identifier))
    assert reply.details is not None
    return reply.details


async def listed(calls: Calls, request: ListRequest | None = None, **fields: object) -> ListTasksResponse:
    fields = fields or {"project_id": calls.scope}
    return await calls.unary(TaskService.LIST_TASKS, ListTasksRequest(request=request, **fields))  # type: ignore[arg-type]


async def versions(calls: Calls, name: str, request: ListRequest | None = None) -> ListVersionsResponse:
    task = TaskName(project=calls.project, domain="development", name=name)
    return await calls.unary(TaskService.LIST_VERSIONS, ListVersionsRequest(request=request, task_name=task))


def names(reply: ListTasksResponse) -> list[tuple[str, str]]:
    return [(task.task_id.name, task.task_id.version) for task in reply.tasks if task.task_id is not None]


async def test_deploy_and_get(calls: Calls) -> None:
    spec = shell("true")
    spec.environment = Environment(name="env", description="d" * 300)
    spec.documentation = DocumentationEntity(short_description="é" * 200)
    identifier = await calls.deploy("env.sub.task", "v1", spec)
    found = await details(calls, identifier)
    assert found.task_id == TaskIdentifier(
        project=calls.project, domain="development", name="env.sub.task", version="v1"
    )
    assert found.metadata is not None
    assert found.metadata.short_name == "sub.task"
    assert found.metadata.environment_name == "env"
    assert found.metadata.deployed_at is not None
    # 255 bytes of two-byte letters.
    assert found.metadata.short_description == "é" * 127
    assert found.spec is not None and found.spec.environment is not None
    assert found.spec.environment.description == "d" * 255
    assert found.spec.task_template == spec.task_template


async def test_deploying_again_replaces_but_keeps_the_time(calls: Calls) -> None:
    identifier = await calls.deploy("t", "v1")
    first = await details(calls, identifier)
    await calls.deploy("t", "v1", shell("echo changed"))
    second = await details(calls, identifier)
    assert first.metadata is not None and second.metadata is not None
    assert second.metadata.deployed_at == first.metadata.deployed_at
    assert second.spec != first.spec
    assert len((await versions(calls, "t")).versions) == 1


async def test_refusals(calls: Calls) -> None:
    deploy, get = TaskService.DEPLOY_TASK, TaskService.GET_TASK_DETAILS
    spec = shell("true")
    await calls.refused(Status.INTERNAL, deploy, DeployTaskRequest(spec=spec))
    unknown = TaskIdentifier(project="none", domain="development", name="t", version="1")
    assert '"none"' in await calls.refused(Status.NOT_FOUND, deploy, DeployTaskRequest(task_id=unknown, spec=spec))
    await calls.refused(Status.INTERNAL, deploy, DeployTaskRequest(task_id=calls.task_id("t")))
    monthly = TriggerAutomationSpec(schedule=Schedule(cron=Cron(expression="0 0 32 * *")))
    triggered = DeployTaskRequest(
        task_id=calls.task_id("t"), spec=spec, triggers=[TaskTrigger(name="monthly", automation_spec=monthly)]
    )
    assert "day of month" in await calls.refused(Status.INVALID_ARGUMENT, deploy, triggered)
    await calls.deploy("t", "1")
    for missing in (calls.task_id("t", "2"), calls.task_id("t", ""), None):
        await calls.refused(Status.NOT_FOUND, get, GetTaskDetailsRequest(task_id=missing))


async def test_list_shows_the_newest_version_of_each_name(calls: Calls) -> None:
    for name, version in (("a", "1"), ("b", "1"), ("a", "2"), ("a", "1")):
        await calls.deploy(name, version)
    reply = await listed(calls)
    # Deploying an old version again does not make it the newest.
    assert names(reply) == [("a", "2"), ("b", "1")]
    assert reply.token == ""
    assert reply.metadata is not None and (reply.metadata.total, reply.metadata.filtered_total) == (2, 2)
    assert reply.tasks[0].task_summary is not None
    filtered = await listed(calls, page(where("version", FilterFunction.EQUAL, "1"), sort="name", ascending=True))
    assert names(filtered) == [("a", "1"), ("b", "1")]
    only = await listed(calls, page(where("name", FilterFunction.CONTAINS, "a")))
    assert only.metadata is not None and (only.metadata.total, only.metadata.filtered_total) == (2, 1)
    none = await listed(calls, page(where("name", FilterFunction.EQUAL, "z")))
    assert none.metadata is not None and (none.metadata.total, none.metadata.filtered_total) == (0, 0)


async def test_known_filters(calls: Calls) -> None:
    await calls.deploy("a")
    by_somebody = [ListTasksRequestKnownFilter(deployed_by="somebody")]
    assert names(await listed(calls, project_id=calls.scope, known_filters=by_somebody)) == []
    entrypoints = [ListTasksRequestKnownFilter(is_entrypoint=True)]
    assert names(await listed(calls, project_id=calls.scope, known_filters=entrypoints)) == [("a", "1")]


async def test_full_pages_have_tokens(calls: Calls) -> None:
    for name in "ab":
        await calls.deploy(name)
    first = await listed(calls, page(limit=1, sort="name", ascending=True))
    assert (names(first), first.token) == ([("a", "1")], "1")
    second = await listed(calls, page(limit=1, sort="name", ascending=True, token=first.token))
    assert (names(second), second.token) == ([("b", "1")], "2")
    third = await listed(calls, page(limit=1, sort="name", ascending=True, token=second.token))
    assert (names(third), third.token) == ([], "")


async def test_versions(calls: Calls) -> None:
    for version in ("1", "3", "2"):
        await calls.deploy("t", version)
    await calls.deploy("other", "9")
    assert [item.version for item in (await versions(calls, "t")).versions] == ["2", "3", "1"]
    ordered = await versions(calls, "t", page(sort="version", limit=2))
    assert ([item.version for item in ordered.versions], ordered.token) == (["3", "2"], "2")
    assert all(item.deployed_at is not None for item in ordered.versions)
    unknown = await versions(calls, "none")
    assert (unknown.versions, unknown.token) == ([], "")
    task = TaskName(project=calls.project, domain="development", name="t")
    bad = ListVersionsRequest(request=page(sort="name"), task_name=task)
    await calls.refused(Status.INVALID_ARGUMENT, TaskService.LIST_VERSIONS, bad)
