"""RunService, the streams: each sends the current state, then again whenever it changes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from flyte.devbox import bus, clock, phases
from flyte.devbox.keys import ActionKey, RunKey
from flyte.devbox.plane import Plane
from flyte.devbox.runs.messages import action_details, run_action
from flyte.devbox.runs.tree import RunTree, TreeFilter
from flyte.devbox.store.actions import DEFAULT_ORDER
from flyte.devbox.store.listing import Query
from flyte.devbox.store.rows import ActionRow
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionDetails,
    Run,
    RunDetails,
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
from flyte_api.services.flyteidl2.workflow.run_service import RunServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

from .requests import action_key, run_key

_SNAPSHOT_RUNS = 100
_ACTIONS_PAGE = 1000
_GROUPED_RUNS = 1000
_RECENT = 10
_GROUPS_PAUSE = 1.0
"""Seconds between two lists of groups, which are costly to make."""


class RunWatches(RunServiceBase):
    """The watches. A slow client misses states in between, never the last one."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._store = plane.store

    async def watch_run_details(
        self, request: WatchRunDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchRunDetailsResponse]:
        """A run's details; ends once they show a terminal attempt."""
        run = run_key(request.run_id)
        with self._plane.news.subscribe(bus.events_of(run.root)) as subscription:
            while True:
                details = self.run_details(run, ActionIdentifier(run=request.run_id, name=run.root.name))
                yield WatchRunDetailsResponse(details=details)
                if details.action is not None and _has_ended(details.action):
                    return
                await subscription.changes()

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        """An action's details; ends once they show a terminal attempt."""
        key = action_key(request.action_id)
        with self._plane.news.subscribe(bus.events_of(key)) as subscription:
            while True:
                details = self.action_details(key, request.action_id or key.identifier())
                yield WatchActionDetailsResponse(details=details)
                if _has_ended(details):
                    return
                await subscription.changes()

    async def watch_runs(self, request: WatchRunsRequest, call: ServerCall) -> AsyncIterator[WatchRunsResponse]:
        """The runs there are, then each one that is created or changes."""
        scope = request.project_id
        query = Query(order=DEFAULT_ORDER, limit=_SNAPSHOT_RUNS)
        query.require("parent IS NULL")
        if scope is not None:
            query.require("project = ? AND domain = ?", scope.name, scope.domain)
        with self._plane.news.subscribe(bus.RUNS) as subscription:
            rows = self._store.actions.select(query)
            if rows:
                yield WatchRunsResponse(runs=[Run(action=run_action(row)) for row in rows])
            while True:
                for run in await subscription.changes():
                    if scope is None or (run.project, run.domain) == (scope.name, scope.domain):
                        row = self._store.actions.root(run)
                        if row is not None:
                            yield WatchRunsResponse(runs=[Run(action=run_action(row))])

    async def watch_actions(
        self, request: WatchActionsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionsResponse]:
        """The actions of a run with counts of their descendants, then those that change. An unknown run is silent."""
        wanted = TreeFilter.of(request.filter)
        run = run_key(request.run_id)
        tree = RunTree(wanted, lambda name: self._store.actions.get(ActionKey(*run, name)))
        with self._plane.news.subscribe(bus.actions_of(run)) as subscription:
            offset = 0
            while rows := self._store.actions.of_run(run, limit=_ACTIONS_PAGE, offset=offset):
                offset += len(rows)
                if found := tree.update(rows):
                    yield WatchActionsResponse(enriched_actions=found)
            while True:
                changed = [self._store.actions.get(key) for key in await subscription.changes()]
                if found := tree.update(row for row in changed if row is not None):
                    yield WatchActionsResponse(enriched_actions=found)

    async def watch_cluster_events(
        self, request: WatchClusterEventsRequest, call: ServerCall
    ) -> AsyncIterator[WatchClusterEventsResponse]:
        """The cluster events of an attempt as they are recorded, until the attempt or the action has ended."""
        key = action_key(request.id)
        position = (0, 0, 0)
        with self._plane.news.subscribe(bus.events_of(key)) as subscription:
            while True:
                row = self._store.actions.get(key)
                if row is None:
                    abort(Status.NOT_FOUND, f"action not found: {key.name}")
                ended = phases.is_terminal(row.phase)
                batch = WatchClusterEventsResponse()
                for at, event in self._store.events.of_attempt(key, request.attempt, position):
                    position = at
                    batch.cluster_events.extend(event.cluster_events)
                    ended = ended or phases.is_terminal(event.phase)
                if batch.cluster_events:
                    yield batch
                if ended:
                    return
                await subscription.changes()

    async def watch_groups(self, request: WatchGroupsRequest, call: ServerCall) -> AsyncIterator[WatchGroupsResponse]:
        """Runs by task. With an end date one list; without, another one whenever runs have changed."""
        with self._plane.news.subscribe(bus.RUNS) as subscription:
            yield WatchGroupsResponse(task_groups=self._groups(request), sentinel=True)
            while request.end_date is None:
                await subscription.changes()
                yield WatchGroupsResponse(task_groups=self._groups(request), sentinel=True)
                await asyncio.sleep(_GROUPS_PAUSE)

    def run_details(self, run: RunKey, identifier: ActionIdentifier) -> RunDetails:
        """Everything about a run; NOT_FOUND when there is none."""
        row = self._store.actions.root(run)
        if row is None:
            abort(Status.NOT_FOUND, f"run not found: {'/'.join(run)}")
        return RunDetails(run_spec=RunSpec.parse(row.run_spec), action=action_details(row, self._store, identifier))

    def action_details(self, key: ActionKey, identifier: ActionIdentifier) -> ActionDetails:
        """Everything about an action; NOT_FOUND when there is none."""
        row = self._store.actions.get(key)
        if row is None:
            abort(Status.NOT_FOUND, f"action not found: {key.name}")
        return action_details(row, self._store, identifier)

    def _groups(self, request: WatchGroupsRequest) -> list[TaskGroup]:
        query = Query(order="created_at DESC, run_name", limit=_GROUPED_RUNS)
        query.require("parent IS NULL")
        if request.project_id is not None:
            query.require("project = ? AND domain = ?", request.project_id.name, request.project_id.domain)
        if request.start_date is not None:
            query.require("created_at >= ?", clock.from_timestamp(request.start_date))
        if request.end_date is not None:
            query.require("created_at <= ?", clock.from_timestamp(request.end_date))
        groups: dict[str, list[ActionRow]] = {}
        for row in self._store.actions.select(query):
            groups.setdefault(row.task_name or row.task_short_name or row.name, []).append(row)
        return [_group(name, rows) for name, rows in groups.items()]


def _has_ended(details: ActionDetails) -> bool:
    return bool(details.attempts) and phases.is_terminal(details.attempts[-1].phase)


def _group(name: str, rows: list[ActionRow]) -> TaskGroup:
    """One group; its rows come newest first."""
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
