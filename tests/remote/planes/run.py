"""RunService: the part that data calls need."""

from __future__ import annotations

from collections.abc import AsyncIterator

from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import Action, ActionAttempt, ActionDetails, ActionStatus, Run
from flyte_api.messages.flyteidl2.workflow.run_service import (
    CreateRunRequest,
    CreateRunResponse,
    GetActionDataURIsRequest,
    GetActionDataURIsResponse,
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    WatchActionDetailsRequest,
    WatchActionDetailsResponse,
)
from flyte_api.services.flyteidl2.workflow.run_service import RunServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort


def succeeded(name: str = "a0") -> ActionDetails:
    """The details of an action that has ended well."""
    return ActionDetails(
        id=ActionIdentifier(run=RunIdentifier(project="p", domain="d", name="r1"), name=name),
        status=ActionStatus(phase=ActionPhase.SUCCEEDED, attempts=1),
        attempts=[ActionAttempt(attempt=1, phase=ActionPhase.SUCCEEDED, logs_available=True)],
    )


class Runs(RunServiceBase):
    """Every action has succeeded."""

    def __init__(self) -> None:
        self.created: list[CreateRunRequest] = []
        self.uris: GetActionDataURIsResponse | None = None

    async def create_run(self, request: CreateRunRequest, call: ServerCall) -> CreateRunResponse:
        self.created.append(request)
        return CreateRunResponse(run=Run(action=Action(id=succeeded().id)))

    async def get_action_details(self, request: GetActionDetailsRequest, call: ServerCall) -> GetActionDetailsResponse:
        return GetActionDetailsResponse(details=succeeded())

    async def watch_action_details(
        self, request: WatchActionDetailsRequest, call: ServerCall
    ) -> AsyncIterator[WatchActionDetailsResponse]:
        yield WatchActionDetailsResponse(details=succeeded())

    async def get_action_data_uris(
        self, request: GetActionDataURIsRequest, call: ServerCall
    ) -> GetActionDataURIsResponse:
        if self.uris is None:
            abort(Status.NOT_FOUND, "outputs not available for action a0")
        return self.uris
