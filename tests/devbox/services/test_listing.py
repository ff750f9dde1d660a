"""The rules that all listings share, on runs that nothing executes."""

from __future__ import annotations

import pytest

from devbox.calls import Calls, page, shell, where
from flyte.devbox.store.listing import like_to_glob
from flyte_api.messages.flyteidl2.common.identifier import TriggerName
from flyte_api.messages.flyteidl2.common.list import Filter, FilterFunction, ListRequest, Sort, SortDirection
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.task.task_definition import TaskName
from flyte_api.messages.flyteidl2.workflow.internal_run_service import UpdateActionStatusRequest
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionStatus
from flyte_api.messages.flyteidl2.workflow.run_service import ListActionsRequest, ListRunsRequest, ListRunsResponse
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.workflow.internal_run_service import InternalRunService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.status import Status

EQUAL, NOT_EQUAL, VALUE_IN = FilterFunction.EQUAL, FilterFunction.NOT_EQUAL, FilterFunction.VALUE_IN


async def set_phase(calls: Calls, run: str, phase: ActionPhase, end: Timestamp | None = None) -> None:
    status = ActionStatus(phase=phase, attempts=1, end_time=end)
    request = UpdateActionStatusRequest(action_id=calls.action_id(run), status=status)
    await calls.unary(InternalRunService.UPDATE_ACTION_STATUS, request)


async def listed(calls: Calls, request: ListRequest | None = None, **fields: object) -> ListRunsResponse:
    fields = fields or {"project_id": calls.scope}
    return await calls.unary(RunService.LIST_RUNS, ListRunsRequest(request=request, **fields))  # type: ignore[arg-type]


def names(reply: ListRunsResponse) -> list[str]:
    return [
        run.action.id.run.name
        for run in reply.runs
        if run.action is not None and run.action.id is not None and run.action.id.run is not None
    ]


async def filtered(calls: Calls, *filters: Filter) -> list[str]:
    return sorted(names(await listed(calls, page(*filters))))


@pytest.fixture
async def four(calls: Calls) -> Calls:
    """Runs r1 to r4: queued, running, succeeded, failed."""
    phases = (ActionPhase.QUEUED, ActionPhase.RUNNING, ActionPhase.SUCCEEDED, ActionPhase.FAILED)
    for number, phase in enumerate(phases, 1):
        await calls.record(f"r{number}", task=f"env.Task_{number}")
        if phase != ActionPhase.QUEUED:
            await set_phase(calls, f"r{number}", phase)
    return calls


async def test_active_runs_come_first_then_the_newest(four: Calls) -> None:
    await four.record("r5")
    assert names(await listed(four)) == ["r5", "r1", "r2", "r3", "r4"]


async def test_children_are_no_runs(four: Calls) -> None:
    await four.record("r1", "child", parent="a0")
    assert names(await listed(four)) == ["r1", "r2", "r3", "r4"]


async def test_exact_tokens(four: Calls) -> None:
    first = await listed(four, page(limit=2))
    assert (names(first), first.token) == (["r1", "r2"], "2")
    second = await listed(four, page(limit=2, token=first.token))
    # Nothing follows, and the server knows.
    assert (names(second), second.token) == (["r3", "r4"], "")
    beyond = await listed(four, page(token="100"))
    assert (names(beyond), beyond.token) == ([], "")


async def test_sorting(four: Calls) -> None:
    assert names(await listed(four, page(sort="created_at", ascending=True))) == ["r1", "r2", "r3", "r4"]
    assert names(await listed(four, page(sort="created_at"))) == ["r4", "r3", "r2", "r1"]
    # Runs that have not ended have no end time: last when ascending, first when descending, then by name.
    assert names(await listed(four, page(sort="ended_at", ascending=True))) == ["r3", "r4", "r1", "r2"]
    assert names(await listed(four, page(sort="ended_at"))) == ["r1", "r2", "r4", "r3"]
    keys = [Sort(key="ended_at", direction=SortDirection.ASCENDING), Sort(key="run_name")]
    assert names(await listed(four, page(keys=keys, sort="ignored"))) == ["r3", "r4", "r2", "r1"]


async def test_filters(four: Calls) -> None:
    assert await filtered(four, where("phase", EQUAL, "4")) == ["r2"]
    assert await filtered(four, where("phase", VALUE_IN, "4", "6")) == ["r2", "r4"]
    assert await filtered(four, where("phase", VALUE_IN, "4")) == ["r2"]
    assert await filtered(four, where("phase", FilterFunction.GREATER_THAN, "4")) == ["r3", "r4"]
    assert await filtered(four, where("phase", FilterFunction.LESS_THAN_OR_EQUAL, "4")) == ["r1", "r2"]
    both = (where("phase", NOT_EQUAL, "1"), where("run_name", NOT_EQUAL, "r2"))
    assert await filtered(four, *both) == ["r3", "r4"]
    assert await filtered(four, where("created_at", FilterFunction.GREATER_THAN_OR_EQUAL, "2020-01-01T00:00:00Z")) == [
        "r1",
        "r2",
        "r3",
        "r4",
    ]
    assert await filtered(four, where("created_at", FilterFunction.LESS_THAN, "2020-01-01T00:00:00+02:00")) == []


async def test_text_filters(four: Calls) -> None:
    assert await filtered(four, where("task_name", FilterFunction.CONTAINS, "Task_1")) == ["r1"]
    assert await filtered(four, where("task_name", FilterFunction.CONTAINS, "task_1")) == []
    assert await filtered(four, where("task_name", FilterFunction.CONTAINS_CASE_INSENSITIVE, "tASK_1")) == ["r1"]
    assert await filtered(four, where("task_name", FilterFunction.ENDS_WITH, "k_2")) == ["r2"]
    assert await filtered(four, where("task_name", FilterFunction.NOT_ENDS_WITH, "k_2")) == ["r1", "r3", "r4"]
    assert await filtered(four, where("task_name", FilterFunction.CONTAINS, "T%3")) == ["r3"]
    assert await filtered(four, where("task_name", FilterFunction.CONTAINS, "T*3")) == []
    # A column without a value is neither equal nor unequal.
    assert await filtered(four, where("created_by_subject", NOT_EQUAL, "x")) == []
    assert await filtered(four, where("trigger_name", NOT_EQUAL, "x")) == []


REFUSED = [
    (page(limit=201), Status.INVALID_ARGUMENT, "200"),
    (page(sort="name"), Status.INVALID_ARGUMENT, "invalid sort field: name"),
    (page(where("name", EQUAL, "a0")), Status.INVALID_ARGUMENT, "invalid filter field: name"),
    (page(where("labels.x", EQUAL, "a")), Status.INVALID_ARGUMENT, "labels.x"),
    (page(where("phase", FilterFunction.VALUE_NOT_IN, "1")), Status.INVALID_ARGUMENT, "unsupported filter function"),
    (page(where("phase", FilterFunction.EXISTS)), Status.INVALID_ARGUMENT, "unsupported filter function"),
    (page(where("phase", EQUAL)), Status.INVALID_ARGUMENT, "no values"),
    (page(token="x"), Status.INVALID_ARGUMENT, "invalid token"),
    (page(token="-1"), Status.INVALID_ARGUMENT, "invalid token"),
    (page(where("phase", EQUAL, "SUCCEEDED")), Status.INTERNAL, '"SUCCEEDED"'),
    (page(where("created_at", EQUAL, "yesterday")), Status.INTERNAL, '"yesterday"'),
    (page(where("phase", FilterFunction.CONTAINS, "1")), Status.INTERNAL, "operator"),
    (page(where("phase", EQUAL, "1", "2")), Status.INTERNAL, "VALUE_IN"),
]


@pytest.mark.parametrize(("request_", "status", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
async def test_refused_requests(calls: Calls, request_: ListRequest, status: Status, words: str) -> None:
    assert words in await calls.refused(status, RunService.LIST_RUNS, ListRunsRequest(request=request_))


async def test_default_and_largest_page(calls: Calls) -> None:
    for number in range(51):
        await calls.record(f"n{number}")
    assert len((await listed(calls)).runs) == 50
    assert len((await listed(calls, page(limit=200))).runs) == 51


async def test_scopes(four: Calls) -> None:
    named = TaskName(project=four.project, domain="development", name="env.Task_2")
    assert names(await listed(four, task_name=named)) == ["r2"]
    assert names(await listed(four, task_id=four.task_id("env.Task_2"))) == ["r2"]
    assert names(await listed(four, task_id=four.task_id("env.Task_2", "other"))) == []
    trigger = TriggerName(project=four.project, domain="development", name="nightly")
    assert names(await listed(four, trigger_name=trigger)) == []
    everywhere = await listed(four, page(where("project", EQUAL, four.project)), org="any")
    assert sorted(names(everywhere)) == ["r1", "r2", "r3", "r4"]


async def test_paused_only(four: Calls) -> None:
    waiting = await four.record("r2", "child", parent="a0")
    status = ActionStatus(phase=ActionPhase.PAUSED)
    request = UpdateActionStatusRequest(action_id=waiting, status=status)
    await four.unary(InternalRunService.UPDATE_ACTION_STATUS, request)
    assert names(await listed(four, project_id=four.scope, paused_actions_only=True)) == ["r2"]


async def test_actions_are_listed_with_bare_metadata(calls: Calls) -> None:
    await calls.record("r1")
    await calls.record("r1", "child", parent="a0")
    request = ListActionsRequest(run_id=calls.run_id("r1", org="o"))
    reply = await calls.unary(RunService.LIST_ACTIONS, request)
    assert [action.id.name for action in reply.actions if action.id] == ["child", "a0"]
    child = reply.actions[0]
    assert child.id is not None and child.id.run is not None and child.id.run.org == ""
    assert child.metadata is not None and child.status is not None
    assert child.metadata.parent == "a0"
    assert child.metadata.task is None and child.metadata.funtion_name == "" and child.metadata.action_type == 0
    for unknown in (ListActionsRequest(run_id=calls.run_id("none")), ListActionsRequest()):
        assert (await calls.unary(RunService.LIST_ACTIONS, unknown)).actions == []


async def test_listed_runs_show_all_but_the_details(calls: Calls) -> None:
    await calls.run(shell("true"), name="r1")
    (run,) = (await listed(calls)).runs
    assert run.action is not None and run.action.metadata is not None and run.action.status is not None
    assert run.action.metadata.task is not None and run.action.metadata.task.id is not None
    assert run.action.metadata.task.id.name == "env.task"
    assert run.action.metadata.funtion_name == "env.task"
    assert run.action.metadata.action_type.name == "TASK"
    assert run.action.status.duration_ms is not None
    assert run.labels == {}


def test_like_patterns() -> None:
    assert like_to_glob("a%b_c") == "a*b?c"
    assert like_to_glob("[*?]") == "[[][*][?]]"
    assert like_to_glob(r"\%\_\\x\a") == r"%_\xa"
