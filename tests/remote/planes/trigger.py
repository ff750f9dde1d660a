"""TriggerService: triggers with revisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier, TriggerName
from flyte_api.messages.flyteidl2.common.list import FilterFunction, ListRequest, SortDirection
from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpec, TriggerAutomationSpecType
from flyte_api.messages.flyteidl2.trigger.trigger_definition import (
    Trigger,
    TriggerDetails,
    TriggerRevision,
    TriggerRevisionAction,
    TriggerSpec,
    TriggerStatus,
)
from flyte_api.messages.flyteidl2.trigger.trigger_service import (
    DeleteTriggersRequest,
    DeleteTriggersResponse,
    DeployTriggerRequest,
    DeployTriggerResponse,
    GetTriggerDetailsRequest,
    GetTriggerDetailsResponse,
    GetTriggerRevisionDetailsRequest,
    GetTriggerRevisionDetailsResponse,
    GetTriggerRevisionHistoryRequest,
    GetTriggerRevisionHistoryResponse,
    ListTriggersRequest,
    ListTriggersResponse,
    UpdateTriggersRequest,
    UpdateTriggersResponse,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.trigger.trigger_service import TriggerServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

T = TypeVar("T")
Key = tuple[str, str, str, str]
Action = TriggerRevisionAction

_FIELDS: dict[str, Callable[[TriggerDetails], Any]] = {
    "name": lambda d: key_of(d)[3],
    "task_name": lambda d: key_of(d)[2],
    "task_version": lambda d: spec_of(d).task_version,
    "active": lambda d: "true" if spec_of(d).active else "false",
    "deployed_at": lambda d: stamp(status_of(d).deployed_at),
    "updated_at": lambda d: stamp(status_of(d).updated_at),
}


class Revision(NamedTuple):
    """A revision of a trigger, and the change that created it."""

    details: TriggerDetails
    action: Action


class Triggers(TriggerServiceBase):
    """Keeps triggers as the open-source server does.

    `before_deploy` runs before a received deployment is processed; `refuse_reads` is the error of reads.
    """

    def __init__(self) -> None:
        self.history: dict[Key, list[Revision]] = {}
        self.deployed: list[DeployTriggerRequest] = []
        self.listed: list[ListTriggersRequest] = []
        self.asked: list[ServerCall] = []
        self.before_deploy: Callable[[], None] = lambda: None
        self.refuse_reads: Status | None = None
        self._seconds = 0

    def put(self, details: TriggerDetails, action: Action = Action.DEPLOY) -> TriggerDetails:
        """Create a revision, also as another user."""
        revisions = self.history.setdefault(key_of(details), [])
        made = deepcopy(details)
        assert made.id is not None
        made.id.revision = len(revisions) + 1
        revisions.append(Revision(made, action))
        return made

    def latest(self, key: Key) -> TriggerDetails | None:
        """The latest revision of one that is not deleted."""
        revisions = self.history.get(key)
        if not revisions or status_of(revisions[-1].details).deleted_at is not None:
            return None
        return revisions[-1].details

    def now(self) -> Timestamp:
        """A moment later than every other one."""
        self._seconds += 1
        return Timestamp.of(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._seconds))

    async def deploy_trigger(self, request: DeployTriggerRequest, call: ServerCall) -> DeployTriggerResponse:
        self.asked.append(call)
        self.deployed.append(deepcopy(request))
        self.before_deploy()
        if request.name is None or request.spec is None:
            abort(Status.INTERNAL, "NOT NULL constraint failed")
        name = deepcopy(request.name)
        name.org = ""
        key = (name.project, name.domain, name.task_name, name.name)
        revisions = self.history.get(key, [])
        if revisions and request.revision and request.revision != len(revisions):
            abort(Status.INTERNAL, f"optimistic lock failure: expected {request.revision}, found {len(revisions)}")
        automation = deepcopy(request.automation_spec) or TriggerAutomationSpec()
        kinds = TriggerAutomationSpecType
        automation.type = kinds.TYPE_SCHEDULE if automation.schedule is not None else kinds.TYPE_NONE
        before = revisions[-1].details if revisions else TriggerDetails()
        at = self.now()
        flipped = not revisions or spec_of(before).active != request.spec.active
        made = self.put(
            TriggerDetails(
                id=TriggerIdentifier(name=name),
                spec=request.spec,
                automation_spec=automation,
                status=TriggerStatus(deployed_at=at, updated_at=at if flipped else status_of(before).updated_at),
            )
        )
        return DeployTriggerResponse(trigger=made)

    async def get_trigger_details(
        self, request: GetTriggerDetailsRequest, call: ServerCall
    ) -> GetTriggerDetailsResponse:
        self.asked.append(call)
        if self.refuse_reads is not None:
            abort(self.refuse_reads, "not for you")
        found = self.latest(_key(request.name))
        if found is None:
            abort(Status.NOT_FOUND, "trigger not found")
        return GetTriggerDetailsResponse(trigger=found)

    async def get_trigger_revision_details(
        self, request: GetTriggerRevisionDetailsRequest, call: ServerCall
    ) -> GetTriggerRevisionDetailsResponse:
        self.asked.append(call)
        asked = request.id or TriggerIdentifier()
        revisions = self.history.get(_key(asked.name), [])
        if not 1 <= asked.revision <= len(revisions):
            abort(Status.NOT_FOUND, f"trigger revision {asked.revision} not found")
        return GetTriggerRevisionDetailsResponse(trigger=revisions[asked.revision - 1].details)

    async def list_triggers(self, request: ListTriggersRequest, call: ServerCall) -> ListTriggersResponse:
        self.asked.append(call)
        self.listed.append(request)
        query = request.request or ListRequest()
        every = [details for key in self.history if (details := self.latest(key)) is not None]
        scope: tuple[str, ...] = ()
        if request.project_id is not None:
            scope = (request.project_id.name, request.project_id.domain)
        elif request.task_name is not None:
            scope = (request.task_name.project, request.task_name.domain, request.task_name.name)
        found = [details for details in every if key_of(details)[: len(scope)] == scope]
        for condition in query.filters:
            if condition.function != FilterFunction.EQUAL or condition.field not in _FIELDS:
                abort(Status.INVALID_ARGUMENT, f"invalid filter field: {condition.field}")
            field = _FIELDS[condition.field]
            found = [details for details in found if [field(details)] == condition.values]
        found.sort(key=lambda d: (spec_of(d).active, stamp(status_of(d).updated_at)), reverse=True)
        for order in reversed(query.sort_by_fields):
            if order.key not in _FIELDS:
                abort(Status.INVALID_ARGUMENT, f"invalid sort field: {order.key}")
            found.sort(key=_FIELDS[order.key], reverse=order.direction != SortDirection.ASCENDING)
        page, token = _page(found, query)
        items = [
            Trigger(id=d.id, status=d.status, active=spec_of(d).active, automation_spec=d.automation_spec) for d in page
        ]
        return ListTriggersResponse(triggers=items, token=token)

    async def get_trigger_revision_history(
        self, request: GetTriggerRevisionHistoryRequest, call: ServerCall
    ) -> GetTriggerRevisionHistoryResponse:
        self.asked.append(call)
        page, token = _page(self.history.get(_key(request.name), [])[::-1], request.request or ListRequest())
        items = [
            TriggerRevision(id=d.id, status=d.status, action=action, created_at=_last_change(status_of(d)))
            for d, action in page
        ]
        return GetTriggerRevisionHistoryResponse(triggers=items, token=token)

    async def update_triggers(self, request: UpdateTriggersRequest, call: ServerCall) -> UpdateTriggersResponse:
        self.asked.append(call)
        for name in request.names:
            found = self.latest(_key(name))
            if found is None or spec_of(found).active == request.active:
                continue
            changed = deepcopy(found)
            spec_of(changed).active = request.active
            status_of(changed).updated_at = self.now()
            self.put(changed, Action.ACTIVATE if request.active else Action.DEACTIVATE)
        return UpdateTriggersResponse()

    async def delete_triggers(self, request: DeleteTriggersRequest, call: ServerCall) -> DeleteTriggersResponse:
        self.asked.append(call)
        for name in request.names:
            found = self.latest(_key(name))
            if found is not None:
                changed = deepcopy(found)
                spec_of(changed).active = False
                status_of(changed).deleted_at = self.now()
                self.put(changed, Action.DELETE)
        return DeleteTriggersResponse()


def key_of(details: TriggerDetails) -> Key:
    """What names a trigger: project, domain, task, name."""
    return _key(None if details.id is None else details.id.name)


def spec_of(details: TriggerDetails) -> TriggerSpec:
    """The runs that it starts."""
    return details.spec or TriggerSpec()


def status_of(details: TriggerDetails) -> TriggerStatus:
    """When things happened to it."""
    return details.status or TriggerStatus()


def stamp(moment: Timestamp | None) -> int:
    """Something to sort by."""
    return 0 if moment is None else moment.seconds


def _key(name: TriggerName | None) -> Key:
    return ("", "", "", "") if name is None else (name.project, name.domain, name.task_name, name.name)


def _last_change(status: TriggerStatus) -> Timestamp | None:
    return max((status.deployed_at, status.updated_at, status.deleted_at), key=stamp)


def _page(found: Sequence[T], query: ListRequest) -> tuple[Sequence[T], str]:
    """A page, and a token whenever it is full, even if nothing follows."""
    start, size = int(query.token or "0"), query.limit or 50
    page = found[start : start + size]
    return page, str(start + size) if len(page) == size else ""
