"""RunService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from flyte.devbox.executor.executor import Executor
from flyte.devbox.keys import ActionKey
from flyte.devbox.runs.creation import create_run
from flyte.devbox.runs.messages import find_action_details, find_run_details, listed_action, run_action
from flyte.devbox.runs.recording import Origin, Recorder
from flyte.devbox.runs.requests import action_key, run_key
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.actions import LISTING, require_paused, require_root
from flyte.devbox.store.listing import Query, compile_request
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.core.literals import Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.workflow.run_definition import Run, RunSource
from flyte_api.messages.flyteidl2.workflow.run_service import (
    AbortActionRequest,
    AbortActionResponse,
    AbortRunRequest,
    AbortRunResponse,
    CreateRunRequest,
    CreateRunResponse,
    GetActionDataURIsRequest,
    GetActionDataURIsResponse,
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    GetActionLogContextRequest,
    GetActionLogContextResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
    ListActionsRequest,
    ListActionsResponse,
    ListRunsRequest,
    ListRunsResponse,
    SignalEventRequest,
    SignalEventResponse,
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

from . import caller, data_uris, run_watches
from .actions import DEFAULT_REASON, ActionsService


class RunService(RunServiceBase):
    """Runs and their actions. Its streams are in `run_watches`."""

    def __init__(self, state: SharedState, executor: Executor, recorder: Recorder, actions: ActionsService) -> None:
        self._state = state
        self._store = state.store
        self._executor = executor
        self._recorder = recorder
        self._actions = actions

    async def create_run(self, request: CreateRunRequest, call: ServerCall) -> CreateRunResponse:
        """Create a run and queue its root action."""
        found = caller.caller(call)
        origin = Origin(
            source=RunSource(request.source),
            subject=None if found is None else found[0],
            identity=None if found is None else found[1],
        )
        row = create_run(request, self._state, self._recorder, origin)
        return CreateRunResponse(run=Run(action=run_action(row)))

    async def get_run_details(self, request: GetRunDetailsRequest, call: ServerCall) -> GetRunDetailsResponse:
        """Everything about a run."""
        run = run_key(request.run_id)
        identifier = ActionIdentifier(run=request.run_id, name=run.root.name)
        return GetRunDetailsResponse(details=find_run_details(self._store, run, identifier))

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        """Everything about an action."""
        key = action_key(request.action_id)
        details = find_action_details(self._store, key, request.action_id or key.identifier())
        return GetActionDetailsResponse(details=details)

    async def list_runs(self, request: ListRunsRequest, call: ServerCall) -> ListRunsResponse:
        """Return a page of runs, active ones first."""
        query = compile_request(request.request, LISTING)
        require_root(query)
        _scope(query, request)
        if request.paused_actions_only:
            require_paused(query)
        rows = self._store.actions.select(query, extra=1)
        runs = [Run(action=run_action(row)) for row in rows[: query.limit]]
        return ListRunsResponse(runs=runs, token=query.next_token() if len(rows) > len(runs) else "")

    async def list_actions(self, request: ListActionsRequest, call: ServerCall) -> ListActionsResponse:
        """Return a page of the actions of a run; empty for an unknown run."""
        query = compile_request(request.request, LISTING)
        if request.run_id is None:
            return ListActionsResponse()
        run = run_key(request.run_id)
        query.match(project=run.project, domain=run.domain, run_name=run.run)
        rows = self._store.actions.select(query, extra=1)
        actions = [listed_action(row) for row in rows[: query.limit]]
        return ListActionsResponse(actions=actions, token=query.next_token() if len(rows) > len(actions) else "")

    async def abort_run(self, request: AbortRunRequest, call: ServerCall) -> AbortRunResponse:
        """Mark a run as aborted at once, and end its processes in the background."""
        run = run_key(request.run_id)
        row = self._store.actions.root(run)
        if row is None:
            abort(Status.NOT_FOUND, f"run not found: {'/'.join(run)}")
        self._abort(row.key, DEFAULT_REASON if request.reason is None else request.reason)
        return AbortRunResponse()

    async def abort_action(self, request: AbortActionRequest, call: ServerCall) -> AbortActionResponse:
        """Mark an action as aborted at once, and end its processes in the background."""
        key = action_key(request.action_id)
        if self._store.actions.get(key) is None:
            abort(Status.NOT_FOUND, f"action not found: {key.name}")
        self._abort(key, request.reason or DEFAULT_REASON)
        return AbortActionResponse()

    async def signal_event(self, request: SignalEventRequest, call: ServerCall) -> SignalEventResponse:
        """Signal a condition."""
        payload = request.payload
        if payload is None:
            abort(Status.INVALID_ARGUMENT, "payload is required")
        value = Primitive(
            boolean=payload.bool_value,
            integer=payload.int_value,
            float_value=payload.float_value,
            string_value=payload.string_value,
        )
        found = caller.caller(call)
        principal = None if found is None else bytes(found[1])
        self._actions.deliver(action_key(request.action_id), Literal(scalar=Scalar(primitive=value)), principal)
        return SignalEventResponse()

    async def get_action_data_uris(
        self, request: GetActionDataURIsRequest, call: ServerCall
    ) -> GetActionDataURIsResponse:
        """Return the URIs of an action's inputs and, once it succeeded, its outputs."""
        uris = data_uris.find(self._store, action_key(request.action_id))
        return GetActionDataURIsResponse(inputs_uri=uris.inputs, outputs_uri=uris.outputs)

    async def get_action_log_context(
        self, request: GetActionLogContextRequest, call: ServerCall
    ) -> GetActionLogContextResponse:
        """Return the pod and container that an attempt would have in a cluster."""
        event = self._store.events.newest(action_key(request.action_id), request.attempt)
        if event is None or event.log_context is None:
            abort(Status.NOT_FOUND, f"no log context for attempt {request.attempt}")
        return GetActionLogContextResponse(log_context=event.log_context, cluster=event.cluster)

    def watch_run_details(
        self, request: WatchRunDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchRunDetailsResponse]:
        """Send a run's details, and again after each change."""
        return run_watches.run_details(self._state, request)

    def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        """Send an action's details, and again after each change."""
        return run_watches.action_details(self._state, request)

    def watch_runs(self, request: WatchRunsRequest, call: ServerCall) -> AsyncIterator[WatchRunsResponse]:
        """Send existing runs, then new and changed runs."""
        return run_watches.runs(self._state, request)

    def watch_actions(self, request: WatchActionsRequest, call: ServerCall) -> AsyncIterator[WatchActionsResponse]:
        """Send the actions of a run, then changed actions."""
        return run_watches.actions(self._state, request)

    def watch_cluster_events(
        self, request: WatchClusterEventsRequest, call: ServerCall
    ) -> AsyncIterator[WatchClusterEventsResponse]:
        """The cluster events of an attempt."""
        return run_watches.cluster_events(self._state, request)

    def watch_groups(self, request: WatchGroupsRequest, call: ServerCall) -> AsyncIterator[WatchGroupsResponse]:
        """Send statistics of runs by task."""
        return run_watches.groups(self._state, request)

    def _abort(self, key: ActionKey, reason: str) -> None:
        self._store.actions.set_aborted(key, reason)
        self._executor.abort(key, reason)


def _scope(query: Query, request: ListRunsRequest) -> None:
    if (project := request.project_id) is not None:
        query.match(project=project.name, domain=project.domain)
    elif (task := request.task_name) is not None:
        query.match(task_project=task.project, task_domain=task.domain, task_name=task.name)
    elif (version := request.task_id) is not None:
        query.match(
            task_project=version.project,
            task_domain=version.domain,
            task_name=version.name,
            task_version=version.version,
        )
    elif (trigger := request.trigger_name) is not None:
        query.match(
            project=trigger.project,
            domain=trigger.domain,
            trigger_task_name=trigger.task_name,
            trigger_name=trigger.name,
        )
