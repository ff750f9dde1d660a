"""InternalRunService and EventsProxyService: executors outside the devbox report progress through them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from flyte.devbox import clock
from flyte.devbox.keys import ActionKey
from flyte.devbox.runs.recording import Place, Recorder, inputs_file
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.workflow.events_proxy_service import RecordRequest, RecordResponse
from flyte_api.messages.flyteidl2.workflow.internal_run_service import (
    RecordActionEventRequest,
    RecordActionEventResponse,
    RecordActionEventsRequest,
    RecordActionEventsResponse,
    RecordActionEventStreamRequest,
    RecordActionEventStreamResponse,
    RecordActionRequest,
    RecordActionResponse,
    RecordActionStreamRequest,
    RecordActionStreamResponse,
    UpdateActionStatusRequest,
    UpdateActionStatusResponse,
    UpdateActionStatusStreamRequest,
    UpdateActionStatusStreamResponse,
)
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionEvent, ActionStatus
from flyte_api.messages.google.rpc.status import Status as Outcome
from flyte_api.services.flyteidl2.workflow.events_proxy_service import EventsProxyServiceBase
from flyte_api.services.flyteidl2.workflow.internal_run_service import InternalRunServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

_OK = 0


def _outcome(status: Status, message: str) -> Outcome:
    return Outcome(code=int(status), message=message)


class InternalRunService(InternalRunServiceBase):
    """All RPCs return OK; the reply's `status` field has the actual result."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder

    async def record_action(self, request: RecordActionRequest, call: ServerCall) -> RecordActionResponse:
        """Record an action that another process executes."""
        return self._record(request)

    async def record_action_stream(
        self, requests: AsyncIterator[RecordActionStreamRequest], call: ServerCall
    ) -> AsyncIterator[RecordActionStreamResponse]:
        """One reply per request, until the client has no more."""
        async for item in requests:
            yield RecordActionStreamResponse(response=self._record(item.request or RecordActionRequest()))

    async def update_action_status(
        self, request: UpdateActionStatusRequest, call: ServerCall
    ) -> UpdateActionStatusResponse:
        """Record an action's status, unless it is stale."""
        return self._update(request)

    async def update_action_status_stream(
        self, requests: AsyncIterator[UpdateActionStatusStreamRequest], call: ServerCall
    ) -> AsyncIterator[UpdateActionStatusStreamResponse]:
        """One reply per request, until the client has no more."""
        async for item in requests:
            response = self._update(item.request or UpdateActionStatusRequest())
            yield UpdateActionStatusStreamResponse(response=response, nonce=item.nonce)

    async def record_action_events(
        self, request: RecordActionEventsRequest, call: ServerCall
    ) -> RecordActionEventsResponse:
        """Append events."""
        return RecordActionEventsResponse(status=self._append(request.events))

    async def record_action_event_stream(
        self, requests: AsyncIterator[RecordActionEventStreamRequest], call: ServerCall
    ) -> AsyncIterator[RecordActionEventStreamResponse]:
        """One reply per request, until the client has no more."""
        async for item in requests:
            event = (item.request or RecordActionEventRequest()).event
            identifier = None if event is None else event.id
            status = self._append([] if event is None else [event])
            response = RecordActionEventResponse(action_id=identifier, status=status)
            yield RecordActionEventStreamResponse(response=response, nonce=item.nonce)

    def _record(self, request: RecordActionRequest) -> RecordActionResponse:
        return RecordActionResponse(action_id=request.action_id, status=self._recorded(request))

    def _recorded(self, request: RecordActionRequest) -> Outcome:
        if request.action_id is None or request.action_id.run is None:
            return _outcome(Status.INVALID_ARGUMENT, "action_id with its run is required")
        key = ActionKey.of(request.action_id)
        parent = None if not request.parent else self._store.actions.get(key.sibling(request.parent))
        place = Place(
            key=key,
            parent=request.parent or None,
            group=request.group,
            inputs_uri=inputs_file(request.input_uri),
            run_output_base="",
            run_spec=RunSpec() if parent is None else RunSpec.parse(parent.run_spec),
        )
        if request.task is not None:
            self._recorder.task(place, request.task, execute=False)
        elif request.trace is not None:
            self._recorder.trace(place, request.trace)
        elif request.condition is not None:
            self._recorder.condition(place, request.condition, execute=False)
        else:
            return _outcome(Status.INVALID_ARGUMENT, "one of task, trace and condition is required")
        return Outcome(code=_OK)

    def _update(self, request: UpdateActionStatusRequest) -> UpdateActionStatusResponse:
        return UpdateActionStatusResponse(action_id=request.action_id, status=self._updated(request))

    def _updated(self, request: UpdateActionStatusRequest) -> Outcome:
        if request.action_id is None or request.action_id.run is None:
            return _outcome(Status.INVALID_ARGUMENT, "action_id with its run is required")
        key, status = ActionKey.of(request.action_id), request.status or ActionStatus()
        with self._store.database.transaction():
            if request.output is not None or request.principal is not None:
                output = None if request.output is None else bytes(request.output)
                principal = None if request.principal is None else bytes(request.principal)
                if not self._store.actions.set_signal(key, output, principal):
                    return _outcome(Status.INTERNAL, f"action not found: {key.name}")
            self._store.actions.update_status(
                key,
                int(status.phase),
                attempts=status.attempts,
                cache_status=int(status.cache_status),
                started_at=None if status.start_time is None else clock.from_timestamp(status.start_time),
                ended_at=None if status.end_time is None else clock.from_timestamp(status.end_time),
                abort_reason=request.abort_reason,
            )
        return Outcome(code=_OK)

    def _append(self, events: list[ActionEvent]) -> Outcome:
        if not all(_named(event.id) for event in events):
            return _outcome(Status.INVALID_ARGUMENT, "every event must name its action and run")
        self._store.events.add(*events)
        return Outcome(code=_OK)


class EventsProxyService(EventsProxyServiceBase):
    """Executors append to the event log through this service."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def record(self, request: RecordRequest, call: ServerCall) -> RecordResponse:
        """Append events."""
        if not all(_named(event.id) for event in request.events):
            abort(Status.INTERNAL, "failed to record events: every event must name its action and run")
        self._store.events.add(*request.events)
        return RecordResponse()


def _named(identifier: ActionIdentifier | None) -> bool:
    return identifier is not None and identifier.run is not None
