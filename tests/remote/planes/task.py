"""TaskService: functions as deployed tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flyte.types import interface_of
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails, TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.task.task_service import (
    GetTaskDetailsRequest,
    GetTaskDetailsResponse,
    ListVersionsRequest,
    ListVersionsResponse,
    ListVersionsResponseVersionResponse,
)
from flyte_api.services.flyteidl2.task.task_service import TaskServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort


class Tasks(TaskServiceBase):
    """Has the same tasks in every project."""

    def __init__(self) -> None:
        self.versions: dict[str, dict[str, TaskSpec]] = {}
        self.calls: list[ServerCall] = []

    def put(self, function: Callable[..., Any], name: str, *versions: str) -> None:
        """Deploy a function, the newest version last."""
        interface, defaults = interface_of(function)
        spec = TaskSpec(task_template=TaskTemplate(interface=interface), default_inputs=defaults)
        self.versions.setdefault(name, {}).update(dict.fromkeys(versions, spec))

    async def get_task_details(self, request: GetTaskDetailsRequest, call: ServerCall) -> GetTaskDetailsResponse:
        self.calls.append(call)
        asked = request.task_id or TaskIdentifier()
        spec = self.versions.get(asked.name, {}).get(asked.version)
        if spec is None:
            abort(Status.NOT_FOUND, f"task not found: {asked.name} {asked.version}")
        return GetTaskDetailsResponse(details=TaskDetails(task_id=asked, spec=spec))

    async def list_versions(self, request: ListVersionsRequest, call: ServerCall) -> ListVersionsResponse:
        self.calls.append(call)
        name = "" if request.task_name is None else request.task_name.name
        found = [ListVersionsResponseVersionResponse(version=v) for v in reversed(self.versions.get(name, {}))]
        return ListVersionsResponse(versions=found)
