"""TrackedRunService: runs that are only reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    Action,
    ActionDetails,
    ActionMetadata,
    ActionStatus,
    EnrichedAction,
    ErrorInfo,
    Run,
    RunDetails,
    TaskActionMetadata,
)
from flyte_api.messages.flyteidl2.workflow.run_service import (
    AbortRunRequest,
    AbortRunResponse,
    CreateRunResponse,
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
    ListActionsRequest,
    ListActionsResponse,
    ListRunsRequest,
    ListRunsResponse,
    WatchActionDetailsRequest,
    WatchActionDetailsResponse,
    WatchActionsRequest,
    WatchActionsResponse,
    WatchRunDetailsRequest,
    WatchRunDetailsResponse,
    WatchRunsRequest,
    WatchRunsResponse,
)
from flyte_api.messages.flyteidl2.workflow.tracked_run_service import (
    CreateTrackedRunRequest,
    ReportTrackedActionsRequest,
    ReportTrackedActionsResponse,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.messages.google.rpc.status import Status as Outcome
from flyte_api.services.flyteidl2.workflow.tracked_run_service import TrackedRunServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

_ENDED = (ActionPhase.SUCCEEDED, ActionPhase.FAILED, ActionPhase.ABORTED)


class Tracker(TrackedRunServiceBase):
    """Keeps what is reported; watches are told of every change, and end when what they follow has ended."""

    def __init__(self) -> None:
        self.created: list[CreateTrackedRunRequest] = []
        self.actions: dict[tuple[str, str], ActionDetails] = {}
        self._changed = asyncio.Condition()

    def _action(self, run: str, name: str = "a0") -> ActionDetails:
        if (run, name) not in self.actions:
            abort(Status.NOT_FOUND, f"there is no action {run}/{name}")
        return self.actions[run, name]

    def _run(self, run: str) -> RunDetails:
        return RunDetails(action=self._action(run))

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _changes(self) -> AsyncIterator[None]:
        """Once at first, and once after each change."""
        while True:
            yield
            async with self._changed:
                await self._changed.wait()

    async def create_run(self, request: CreateTrackedRunRequest, call: ServerCall) -> CreateRunResponse:
        assert request.run_id is not None
        if (request.run_id.name, "a0") in self.actions:
            abort(Status.ALREADY_EXISTS, f"there is a run {request.run_id.name}")
        self.created.append(request)
        id = ActionIdentifier(run=request.run_id, name="a0")
        metadata = ActionMetadata(task=TaskActionMetadata(id=request.task_id))
        status = ActionStatus(phase=ActionPhase.RUNNING, start_time=request.run_start_time, attempts=1)
        self.actions[request.run_id.name, "a0"] = ActionDetails(id=id, metadata=metadata, status=status)
        await self._tell()
        return CreateRunResponse(run=Run(action=Action(id=id, metadata=metadata, status=status), labels=request.labels))

    async def report_actions(
        self, request: ReportTrackedActionsRequest, call: ServerCall
    ) -> ReportTrackedActionsResponse:
        assert request.run_id is not None
        statuses: list[Outcome] = []
        for update in request.updates:
            assert update.event is not None and update.event.id is not None
            key = (request.run_id.name, update.event.id.name)
            if update.event.phase == ActionPhase.UNSPECIFIED:
                statuses.append(Outcome(code=3, message="phase is required"))
                continue
            metadata = ActionMetadata(parent=update.parent_name, group=update.group)
            status = ActionStatus(phase=update.event.phase, start_time=Timestamp(seconds=1_700_000_000), attempts=1)
            error = update.event.error_info or None
            self.actions[key] = ActionDetails(id=update.event.id, metadata=metadata, status=status, error_info=error)
            statuses.append(Outcome())
        await self._tell()
        return ReportTrackedActionsResponse(statuses=statuses)

    async def get_run_details(self, request: GetRunDetailsRequest, call: ServerCall) -> GetRunDetailsResponse:
        assert request.run_id is not None
        return GetRunDetailsResponse(details=self._run(request.run_id.name))

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        run, name = _names(request.action_id)
        return GetActionDetailsResponse(details=self._action(run, name))

    async def watch_run_details(
        self, request: WatchRunDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchRunDetailsResponse]:
        assert request.run_id is not None
        async for _ in self._changes():
            found = self._run(request.run_id.name)
            yield WatchRunDetailsResponse(details=found)
            if found.action is not None and _has_ended(found.action):
                return

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        async for _ in self._changes():
            found = self._action(*_names(request.action_id))
            yield WatchActionDetailsResponse(details=found)
            if _has_ended(found):
                return

    async def list_runs(self, request: ListRunsRequest, call: ServerCall) -> ListRunsResponse:
        assert request.request is not None
        start = int(request.request.token or 0)
        stop = start + request.request.limit
        roots = [_short(action) for (_, name), action in self.actions.items() if name == "a0"]
        token = str(stop) if stop < len(roots) else ""
        return ListRunsResponse(runs=[Run(action=root) for root in roots[start:stop]], token=token)

    async def list_actions(self, request: ListActionsRequest, call: ServerCall) -> ListActionsResponse:
        assert request.run_id is not None
        return ListActionsResponse(actions=self._of_run(request.run_id))

    def _of_run(self, run: RunIdentifier) -> list[Action]:
        return [_short(action) for (name, _), action in self.actions.items() if name == run.name]

    async def watch_runs(self, request: WatchRunsRequest, call: ServerCall) -> AsyncIterator[WatchRunsResponse]:
        assert request.project_id is not None
        async for _ in self._changes():
            yield WatchRunsResponse(
                runs=[Run(action=_short(a)) for (_, name), a in self.actions.items() if name == "a0"]
            )

    async def watch_actions(
        self, request: WatchActionsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionsResponse]:
        assert request.run_id is not None
        async for _ in self._changes():
            every = [EnrichedAction(action=action, meets_filter=True) for action in self._of_run(request.run_id)]
            yield WatchActionsResponse(enriched_actions=every)

    async def abort_run(self, request: AbortRunRequest, call: ServerCall) -> AbortRunResponse:
        assert request.run_id is not None
        root = self._action(request.run_id.name)
        assert root.status is not None
        root.status.phase = ActionPhase.ABORTED
        root.error_info = ErrorInfo(message=request.reason or "")
        await self._tell()
        return AbortRunResponse()


def _names(id: ActionIdentifier | None) -> tuple[str, str]:
    assert id is not None and id.run is not None
    return id.run.name, id.name


def _has_ended(action: ActionDetails) -> bool:
    return action.status is not None and action.status.phase in _ENDED


def _short(action: ActionDetails) -> Action:
    return Action(id=action.id, metadata=action.metadata, status=action.status)
