"""The streams of RunService: each sends the current state, then the new state after each change.

A slow client may miss intermediate states, but never the last one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from flyte.devbox import bus, clock, phases
from flyte.devbox.keys import ActionKey
from flyte.devbox.runs.messages import find_action_details, find_run_details, run_action
from flyte.devbox.runs.requests import action_key, run_key
from flyte.devbox.runs.tree import RunTree, TreeFilter
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.actions import LISTING, newest_runs, require_created, require_root
from flyte.devbox.store.listing import Query
from flyte.devbox.store.rows import ActionRow
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionDetails,
    Run,
    TaskGroup,
    TaskGroupPhaseCounts,
    TaskGroupRecentStatus,
)
from flyte_api.messages.flyteidl2.workflow.run_service import (
    WatchActionDetailsRequest,
    WatchActionDetailsResponse,
    WatchActionsRequest,
    WatchActionsResponse,
    WatchClusterEventsRequest,
    WatchClusterEventsResponse,
    WatchGroupsRequest,
    WatchGroupsResponse,
    WatchRunDetailsRequest,
    WatchRunDetailsResponse,
    WatchRunsRequest,
    WatchRunsResponse,
)
from flyte_rpc.serving.server import Status, abort

_SNAPSHOT_RUNS = 100
_ACTIONS_PAGE = 1000
_GROUPED_RUNS = 1000
_RECENT = 10
_GROUPS_PAUSE = 1.0
"""Seconds between two lists of groups, which are expensive to compute."""


async def run_details(state: SharedState, request: WatchRunDetailsRequest) -> AsyncIterator[WatchRunDetailsResponse]:
    """Send a run's details until they show a final attempt."""
    run = run_key(request.run_id)
    with state.changes.subscribe(bus.events_of(run.root)) as subscription:
        while True:
            details = find_run_details(state.store, run, ActionIdentifier(run=request.run_id, name=run.root.name))
            yield WatchRunDetailsResponse(details=details)
            if details.action is not None and _has_ended(details.action):
                return
            await subscription.changes()


async def action_details(
    state: SharedState, request: WatchActionDetailsRequest
) -> AsyncIterator[WatchActionDetailsResponse]:
    """Send an action's details until they show a final attempt."""
    key = action_key(request.action_id)
    with state.changes.subscribe(bus.events_of(key)) as subscription:
        while True:
            details = find_action_details(state.store, key, request.action_id or key.identifier())
            yield WatchActionDetailsResponse(details=details)
            if _has_ended(details):
                return
            await subscription.changes()


async def runs(state: SharedState, request: WatchRunsRequest) -> AsyncIterator[WatchRunsResponse]:
    """Send existing runs, then new and changed runs."""
    scope = request.project_id
    query = Query(order=LISTING.default_order, limit=_SNAPSHOT_RUNS)
    require_root(query)
    if scope is not None:
        query.match(project=scope.name, domain=scope.domain)
    with state.changes.subscribe(bus.RUNS) as subscription:
        rows = state.store.actions.select(query)
        if rows:
            yield WatchRunsResponse(runs=[Run(action=run_action(row)) for row in rows])
        while True:
            for run in await subscription.changes():
                if scope is None or (run.project, run.domain) == (scope.name, scope.domain):
                    row = state.store.actions.root(run)
                    if row is not None:
                        yield WatchRunsResponse(runs=[Run(action=run_action(row))])


async def actions(state: SharedState, request: WatchActionsRequest) -> AsyncIterator[WatchActionsResponse]:
    """Send the actions of a run with counts of descendants, then changed actions. Unknown runs send nothing."""
    wanted = TreeFilter.of(request.filter)
    run = run_key(request.run_id)
    tree = RunTree(wanted, lambda name: state.store.actions.get(ActionKey(*run, name)))
    with state.changes.subscribe(bus.actions_of(run)) as subscription:
        offset = 0
        while rows := state.store.actions.of_run(run, limit=_ACTIONS_PAGE, offset=offset):
            offset += len(rows)
            if found := tree.update(rows):
                yield WatchActionsResponse(enriched_actions=found)
        while True:
            changed = [state.store.actions.get(key) for key in await subscription.changes()]
            if found := tree.update(row for row in changed if row is not None):
                yield WatchActionsResponse(enriched_actions=found)


async def cluster_events(
    state: SharedState, request: WatchClusterEventsRequest
) -> AsyncIterator[WatchClusterEventsResponse]:
    """The cluster events of an attempt as they are recorded, until the attempt or the action has ended."""
    key = action_key(request.id)
    position = (0, 0, 0)
    with state.changes.subscribe(bus.events_of(key)) as subscription:
        while True:
            row = state.store.actions.get(key)
            if row is None:
                abort(Status.NOT_FOUND, f"action not found: {key.name}")
            ended = phases.is_terminal(row.phase)
            batch = WatchClusterEventsResponse()
            for at, event in state.store.events.of_attempt(key, request.attempt, position):
                position = at
                batch.cluster_events.extend(event.cluster_events)
                ended = ended or phases.is_terminal(event.phase)
            if batch.cluster_events:
                yield batch
            if ended:
                return
            await subscription.changes()


async def groups(state: SharedState, request: WatchGroupsRequest) -> AsyncIterator[WatchGroupsResponse]:
    """Send statistics of runs by task: once with an end date, else again after runs have changed."""
    with state.changes.subscribe(bus.RUNS) as subscription:
        yield WatchGroupsResponse(task_groups=_groups(state.store, request), sentinel=True)
        while request.end_date is None:
            await subscription.changes()
            yield WatchGroupsResponse(task_groups=_groups(state.store, request), sentinel=True)
            await asyncio.sleep(_GROUPS_PAUSE)


def _groups(store: Store, request: WatchGroupsRequest) -> list[TaskGroup]:
    query = newest_runs(_GROUPED_RUNS)
    if request.project_id is not None:
        query.match(project=request.project_id.name, domain=request.project_id.domain)
    require_created(query, request.start_date, request.end_date)
    groups: dict[str, list[ActionRow]] = {}
    for row in store.actions.select(query):
        groups.setdefault(row.task_name or row.task_short_name or row.name, []).append(row)
    return [_group(name, rows) for name, rows in groups.items()]


def _has_ended(details: ActionDetails) -> bool:
    return bool(details.attempts) and phases.is_terminal(details.attempts[-1].phase)


def _group(name: str, rows: list[ActionRow]) -> TaskGroup:
    """Build one group. Its rows are sorted newest first."""
    counts = Counter(row.phase for row in rows)
    return TaskGroup(
        task_name=name,
        total_runs=len(rows),
        latest_run_time=clock.to_timestamp(rows[0].created_at),
        average_failure_rate=counts[ActionPhase.FAILED] / len(rows),
        phase_counts=[
            TaskGroupPhaseCounts(phase=ActionPhase(phase), count=count) for phase, count in sorted(counts.items())
        ],
        recent_statuses=[
            TaskGroupRecentStatus(run_name=row.run_name, phase=ActionPhase(row.phase)) for row in rows[:_RECENT]
        ],
    )
