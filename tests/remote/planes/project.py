"""ProjectService: projects that are always the same."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.project.project_service import (
    GetProjectRequest,
    GetProjectResponse,
    ListProjectsRequest,
    ListProjectsResponse,
    Project,
    Projects,
)
from flyte_api.services.flyteidl2.project.project_service import ProjectServiceBase
from flyte_rpc.serving.server import ServerCall


class ThreeProjects(ProjectServiceBase):
    """Has three projects, on pages of one."""

    def __init__(self) -> None:
        self.calls: list[ServerCall] = []

    async def get_project(self, request: GetProjectRequest, call: ServerCall) -> GetProjectResponse:
        self.calls.append(call)
        return GetProjectResponse(project=Project(id=request.id))

    async def list_projects(self, request: ListProjectsRequest, call: ServerCall) -> ListProjectsResponse:
        self.calls.append(call)
        at = int(request.token or "0")
        return ListProjectsResponse(
            projects=Projects(projects=[Project(id=f"p{at}")], token=str(at + 1) if at < 2 else "")
        )
