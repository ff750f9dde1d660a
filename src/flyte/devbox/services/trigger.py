"""TriggerService."""

from __future__ import annotations

from flyte.devbox.keys import TriggerKey
from flyte.devbox.runs.creation import find_trigger
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.listing import Query, compile_request
from flyte.devbox.store.triggers import LISTING, REVISIONS_LISTING
from flyte.devbox.triggers import deployment, messages
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier, TriggerName
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
from flyte_api.services.flyteidl2.trigger.trigger_service import TriggerServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort


class TriggerService(TriggerServiceBase):
    """Triggers and their revisions. Whether the project and the task of a trigger exist is not checked."""

    def __init__(self, state: SharedState) -> None:
        self._clock = state.clock
        self._database = state.store.database
        self._store = state.store
        self._triggers = state.store.triggers

    async def deploy_trigger(self, request: DeployTriggerRequest, call: ServerCall) -> DeployTriggerResponse:
        """Store a new revision of a trigger."""
        if request.name is None:
            abort(Status.INVALID_ARGUMENT, "name is required")
        deployment.check_automation(request.automation_spec)
        if request.spec is None:
            abort(Status.INTERNAL, "failed to store trigger: spec is required")
        with self._database.transaction():
            row = deployment.deploy(
                self._triggers,
                TriggerKey.of(request.name),
                request.spec,
                request.automation_spec,
                self._clock.now(),
                replaces=request.revision,
            )
        return DeployTriggerResponse(trigger=messages.details(row))

    async def get_trigger_details(
        self, request: GetTriggerDetailsRequest, call: ServerCall
    ) -> GetTriggerDetailsResponse:
        """Return a trigger at its latest revision, unless it was deleted."""
        row = find_trigger(request.name or TriggerName(), self._store)
        return GetTriggerDetailsResponse(trigger=messages.details(row))

    async def get_trigger_revision_details(
        self, request: GetTriggerRevisionDetailsRequest, call: ServerCall
    ) -> GetTriggerRevisionDetailsResponse:
        """Return one revision of a trigger, even of a deleted one."""
        wanted = request.id or TriggerIdentifier()
        key = TriggerKey.of(wanted.name or TriggerName())
        row = self._triggers.revision(key, wanted.revision)
        if row is None:
            abort(Status.NOT_FOUND, f"revision {wanted.revision} of trigger {key} not found")
        return GetTriggerRevisionDetailsResponse(trigger=messages.details(row))

    async def list_triggers(self, request: ListTriggersRequest, call: ServerCall) -> ListTriggersResponse:
        """Return a page of triggers, active ones first."""
        query = compile_request(request.request, LISTING)
        _scope(query, request)
        rows = self._triggers.select(query)
        return ListTriggersResponse(triggers=[messages.listed(row) for row in rows], token=query.page_token(len(rows)))

    async def get_trigger_revision_history(
        self, request: GetTriggerRevisionHistoryRequest, call: ServerCall
    ) -> GetTriggerRevisionHistoryResponse:
        """Return a page of a trigger's revisions, the newest first; none for an unknown trigger."""
        query = compile_request(request.request, REVISIONS_LISTING)
        rows = self._triggers.revisions(TriggerKey.of(request.name or TriggerName()), query)
        items = [messages.revision(row) for row in rows]
        return GetTriggerRevisionHistoryResponse(triggers=items, token=query.page_token(len(rows)))

    async def update_triggers(self, request: UpdateTriggersRequest, call: ServerCall) -> UpdateTriggersResponse:
        """Activate or deactivate triggers. Unknown and unchanged ones are ignored."""
        with self._database.transaction():
            for name in request.names:
                row = self._triggers.get(TriggerKey.of(name)) if name.task_name else None
                if row is not None and bool(row.active) != request.active:
                    self._triggers.set_active(row, request.active, self._clock.now())
        return UpdateTriggersResponse()

    async def delete_triggers(self, request: DeleteTriggersRequest, call: ServerCall) -> DeleteTriggersResponse:
        """Delete triggers. Unknown ones are ignored, and revisions are kept."""
        with self._database.transaction():
            for name in request.names:
                row = self._triggers.get(TriggerKey.of(name)) if name.task_name else None
                if row is not None:
                    self._triggers.delete(row, self._clock.now())
        return DeleteTriggersResponse()


def _scope(query: Query, request: ListTriggersRequest) -> None:
    if (project := request.project_id) is not None:
        query.match(project=project.name, domain=project.domain)
    elif (task := request.task_name) is not None:
        query.match(project=task.project, domain=task.domain, task_name=task.name)
    elif (version := request.task_id) is not None:
        query.match(
            project=version.project, domain=version.domain, task_name=version.name, task_version=version.version
        )
