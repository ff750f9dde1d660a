from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from devbox.calls import Calls, shell, where
from flyte.errors import NotFoundError
from flyte_api.messages.flyteidl2.common.list import Filter, FilterFunction
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.internal_run_service import (
    RecordActionEventsRequest,
    RecordActionRequest,
    UpdateActionStatusRequest,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionEvent,
    ActionStatus,
    ClusterEvent,
    EnrichedAction,
    TraceAction,
)
from flyte_api.messages.flyteidl2.workflow.run_service import (
    WatchActionDetailsRequest,
    WatchActionsRequest,
    WatchClusterEventsRequest,
    WatchGroupsRequest,
    WatchRunDetailsRequest,
    WatchRunsRequest,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.workflow.internal_run_service import InternalRunService
from flyte_api.services.flyteidl2.workflow.run_service import RunService
from flyte_rpc.status import Status

RUNNING, SUCCEEDED = ActionPhase.RUNNING, ActionPhase.SUCCEEDED


async def set_phase(calls: Calls, run: str, name: str, phase: ActionPhase) -> None:
    status = ActionStatus(phase=phase, attempts=1)
    request = UpdateActionStatusRequest(action_id=calls.action_id(run, name), status=status)
    await calls.unary(InternalRunService.UPDATE_ACTION_STATUS, request)


class Seen:
    """One watched action, in short."""

    def __init__(self, item: EnrichedAction) -> None:
        assert item.action is not None and item.action.id is not None and item.action.status is not None
        self.name = item.action.id.name
        self.phase = item.action.status.phase
        self.meets = item.meets_filter
        self.below = {ActionPhase(phase).name: count for phase, count in item.children_phase_counts.items()}


async def watch(calls: Calls, run: str, *filters: Filter) -> AsyncGenerator[list[Seen], None]:
    request = WatchActionsRequest(run_id=calls.run_id(run), filter=list(filters))
    async with aclosing(calls.stream(RunService.WATCH_ACTIONS, request)) as messages:
        async for message in messages:
            yield [Seen(item) for item in message.enriched_actions]


@pytest.fixture
async def tree(calls: Calls) -> Calls:
    """Run r1: a0 above b and c, d below b."""
    await calls.record("r1")
    await calls.record("r1", "b", parent="a0", task="env.Bee")
    await calls.record("r1", "c", parent="a0", task="env.Sea")
    await calls.record("r1", "d", parent="b", task="env.deep")
    return calls


async def test_actions_with_counts_of_all_descendants(tree: Calls) -> None:
    async with aclosing(watch(tree, "r1")) as messages:
        first = await anext(messages)
        assert [item.name for item in first] == ["a0", "b", "c", "d"]
        assert [item.below for item in first] == [{"QUEUED": 3}, {"QUEUED": 1}, {}, {}]
        await set_phase(tree, "r1", "d", RUNNING)
        changed = await anext(messages)
        # Ancestors are sent too, because their counts have changed.
        assert [(item.name, item.phase.name) for item in changed] == [
            ("a0", "QUEUED"),
            ("b", "QUEUED"),
            ("d", "RUNNING"),
        ]
        assert changed[0].below == {"QUEUED": 2, "RUNNING": 1}
        assert changed[1].below == {"QUEUED": 0, "RUNNING": 1}
        await tree.record("r1", "e", parent="d")
        added = await anext(messages)
        assert [item.name for item in added] == ["a0", "b", "d", "e"]
        assert added[2].below == {"QUEUED": 1}


async def test_filtered_actions_keep_their_ancestors(tree: Calls) -> None:
    running = where("PHASE", FilterFunction.VALUE_IN, str(int(RUNNING)))
    async with aclosing(watch(tree, "r1", running)) as messages:
        await set_phase(tree, "r1", "d", RUNNING)
        shown = await anext(messages)
        assert [(item.name, item.meets) for item in shown] == [("a0", True), ("b", True), ("d", True)]
        await set_phase(tree, "r1", "d", SUCCEEDED)
        hidden = await anext(messages)
        assert [(item.name, item.meets) for item in hidden] == [("a0", False), ("b", False), ("d", False)]
        await set_phase(tree, "r1", "b", RUNNING)
        again = await anext(messages)
        assert [(item.name, item.meets) for item in again] == [("a0", True), ("b", True)]


async def test_name_filter_looks_at_the_last_part_of_the_task_name(tree: Calls) -> None:
    named = where("NAME", FilterFunction.CONTAINS_CASE_INSENSITIVE, "SEA")
    async with aclosing(watch(tree, "r1", named)) as messages:
        assert [item.name for item in await anext(messages)] == ["a0", "c"]


async def test_other_filters_are_refused(tree: Calls) -> None:
    wrong = (
        where("PHASE", FilterFunction.EQUAL, "4"),
        where("PHASE", FilterFunction.VALUE_IN, "RUNNING"),
        where("phase", FilterFunction.VALUE_IN, "4"),
        where("NAME", FilterFunction.CONTAINS, "x"),
    )
    for item in wrong:
        with pytest.raises(ValueError, match=r"(?i)phase"):
            await anext(watch(tree, "r1", item))


async def test_an_unknown_run_may_still_come(calls: Calls) -> None:
    async with aclosing(watch(calls, "later")) as messages:
        await calls.create(shell("true"), name="later")
        (item,) = await anext(messages)
        assert item.name == "a0"


async def test_traces_older_than_their_parent_come_after_it(calls: Calls) -> None:
    await calls.record("r1")
    trace = TraceAction(name="step", start_time=Timestamp(seconds=1), end_time=Timestamp(seconds=2))
    request = RecordActionRequest(action_id=calls.action_id("r1", "t"), parent="a0", trace=trace)
    await calls.unary(InternalRunService.RECORD_ACTION, request)
    async with aclosing(watch(calls, "r1")) as messages:
        root, step = await anext(messages)
        assert (root.name, step.name, step.phase) == ("a0", "t", SUCCEEDED)
        assert root.below == {"SUCCEEDED": 1}


async def test_runs_as_they_come_and_change(calls: Calls) -> None:
    await calls.record("old")
    request = WatchRunsRequest(project_id=calls.scope)
    async with aclosing(calls.stream(RunService.WATCH_RUNS, request)) as messages:

        async def following() -> list[tuple[str, str]]:
            runs = (await anext(messages)).runs
            actions = [run.action for run in runs]
            return [
                (action.id.run.name, action.status.phase.name)
                for action in actions
                if action is not None
                and action.id is not None
                and action.id.run is not None
                and action.status is not None
            ]

        assert await following() == [("old", "QUEUED")]
        await calls.record("new")
        assert await following() == [("new", "QUEUED")]
        await set_phase(calls, "old", "a0", RUNNING)
        assert await following() == [("old", "RUNNING")]
        # A child is no run.
        await calls.record("old", "child", parent="a0")
        await set_phase(calls, "new", "a0", SUCCEEDED)
        assert await following() == [("new", "SUCCEEDED")]


async def test_run_details_end_with_the_run(calls: Calls) -> None:
    await calls.create(shell("true"), name="r1")
    request = WatchRunDetailsRequest(run_id=calls.run_id("r1"))
    seen = [message.details async for message in calls.stream(RunService.WATCH_RUN_DETAILS, request)]
    last = seen[-1]
    assert last is not None and last.run_spec is not None and last.action is not None and last.action.status is not None
    assert last.action.status.phase == SUCCEEDED


async def test_details_of_what_is_not_there(calls: Calls) -> None:
    with pytest.raises(NotFoundError):
        await anext(calls.stream(RunService.WATCH_RUN_DETAILS, WatchRunDetailsRequest(run_id=calls.run_id("none"))))
    unknown = WatchActionDetailsRequest(action_id=calls.action_id("none"))
    with pytest.raises(NotFoundError):
        await anext(calls.stream(RunService.WATCH_ACTION_DETAILS, unknown))


async def test_a_status_alone_does_not_end_the_details(calls: Calls) -> None:
    """The stream ends with a terminal event; the status may change earlier."""
    action = await calls.record("r1")
    request = WatchActionDetailsRequest(action_id=action)
    async with aclosing(calls.stream(RunService.WATCH_ACTION_DETAILS, request)) as messages:
        await anext(messages)
        await set_phase(calls, "r1", "a0", SUCCEEDED)
        details = (await anext(messages)).details
        assert details is not None and details.status is not None and details.status.phase == SUCCEEDED
        await set_phase(calls, "r1", "a0", ActionPhase.FAILED)
        details = (await anext(messages)).details
        assert details is not None and details.status is not None and details.status.phase == ActionPhase.FAILED


async def test_cluster_events_as_they_come_until_the_attempt_ends(calls: Calls) -> None:
    action = await calls.record("r1")

    async def happened(phase: ActionPhase, message: str, attempt: int = 1) -> None:
        event = ActionEvent(id=action, attempt=attempt, phase=phase, cluster_events=[ClusterEvent(message=message)])
        await calls.unary(InternalRunService.RECORD_ACTION_EVENTS, RecordActionEventsRequest(events=[event]))

    await happened(ActionPhase.QUEUED, "queued")
    await happened(ActionPhase.QUEUED, "another attempt", attempt=2)
    request = WatchClusterEventsRequest(id=action, attempt=1)
    async with aclosing(calls.stream(RunService.WATCH_CLUSTER_EVENTS, request)) as messages:
        assert [event.message for event in (await anext(messages)).cluster_events] == ["queued"]
        await happened(RUNNING, "running")
        assert [event.message for event in (await anext(messages)).cluster_events] == ["running"]
        await happened(ActionPhase.FAILED, "killed")
        assert [event.message for item in [item async for item in messages] for event in item.cluster_events] == [
            "killed"
        ]


async def test_cluster_events_of_what_is_over_or_not_there(calls: Calls) -> None:
    action = (await calls.create(shell("echo up; exec sleep 600"), name="r1")).id
    assert action is not None
    await calls.first_line(action)
    await calls.abort("r1")
    await calls.ended(action)
    over = calls.stream(RunService.WATCH_CLUSTER_EVENTS, WatchClusterEventsRequest(id=action, attempt=1))
    assert [event.message async for item in over for event in item.cluster_events] == ["aborted"]
    with pytest.raises(NotFoundError):
        await anext(
            calls.stream(RunService.WATCH_CLUSTER_EVENTS, WatchClusterEventsRequest(id=calls.action_id("none")))
        )


async def test_groups(calls: Calls) -> None:
    await calls.record("r1", task="env.a")
    await calls.record("r2", task="env.a")
    await calls.record("r3", task="env.b")
    await set_phase(calls, "r1", "a0", ActionPhase.FAILED)
    until = WatchGroupsRequest(project_id=calls.scope, end_date=Timestamp.now())
    (message,) = [item async for item in calls.stream(RunService.WATCH_GROUPS, until)]
    assert message.sentinel
    groups = {group.task_name: group for group in message.task_groups}
    assert set(groups) == {"env.a", "env.b"}
    assert groups["env.a"].total_runs == 2
    assert groups["env.a"].average_failure_rate == 0.5
    assert {item.phase.name: item.count for item in groups["env.a"].phase_counts} == {"QUEUED": 1, "FAILED": 1}
    assert [item.run_name for item in groups["env.a"].recent_statuses] == ["r2", "r1"]


async def test_groups_go_on_without_an_end(calls: Calls) -> None:
    request = WatchGroupsRequest(project_id=calls.scope)
    async with aclosing(calls.stream(RunService.WATCH_GROUPS, request)) as messages:
        assert (await anext(messages)).task_groups == []
        await calls.record("r1")
        assert [group.total_runs for group in (await anext(messages)).task_groups] == [1]


async def test_missing_ids(calls: Calls) -> None:
    for rpc, request in (
        (RunService.WATCH_RUN_DETAILS, WatchRunDetailsRequest()),
        (RunService.WATCH_ACTIONS, WatchActionsRequest()),
        (RunService.WATCH_ACTION_DETAILS, WatchActionDetailsRequest()),
        (RunService.WATCH_CLUSTER_EVENTS, WatchClusterEventsRequest()),
    ):
        with pytest.raises(ValueError, match="required") as caught:
            await anext(calls.stream(rpc, request))  # type: ignore[arg-type]
        assert getattr(caught.value, "status", None) is Status.INVALID_ARGUMENT
