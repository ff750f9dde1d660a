"""ProjectService."""

from __future__ import annotations

from flyte.devbox import clock
from flyte.devbox.store.project_listing import compile_request
from flyte.devbox.store.rows import ProjectRow
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.project.project_service import (
    CreateProjectRequest,
    CreateProjectResponse,
    Domain,
    GetProjectRequest,
    GetProjectResponse,
    ListProjectsRequest,
    ListProjectsResponse,
    Project,
    Projects,
    ProjectState,
    UpdateProjectRequest,
    UpdateProjectResponse,
)
from flyte_api.messages.flyteidl2.task.run import Labels
from flyte_api.services.flyteidl2.project.project_service import ProjectServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

DEFAULT_PROJECT = "flytesnacks"
_DOMAINS = ("Development", "Production", "Staging")
_MAX_DESCRIPTION = 300


def seed(store: Store) -> None:
    """Create the project that every new devbox has."""
    now = clock.now()
    store.projects.add(
        ProjectRow(
            identifier=DEFAULT_PROJECT,
            name=DEFAULT_PROJECT,
            description="",
            labels=None,
            state=int(ProjectState.ACTIVE),
            created_at=now,
            updated_at=now,
        )
    )


class ProjectService(ProjectServiceBase):
    """Projects, each with the same three domains."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create_project(self, request: CreateProjectRequest, call: ServerCall) -> CreateProjectResponse:
        """Create a project."""
        row = _row(request.project)
        if not self._store.projects.add(row):
            abort(Status.ALREADY_EXISTS, f"project already exists: {row.identifier}")
        return CreateProjectResponse()

    async def update_project(self, request: UpdateProjectRequest, call: ServerCall) -> UpdateProjectResponse:
        """Replace everything but the id. Omitted fields are cleared."""
        row = _row(request.project)
        if not self._store.projects.replace(row):
            abort(Status.NOT_FOUND, f"project not found: {row.identifier}")
        return UpdateProjectResponse()

    async def get_project(self, request: GetProjectRequest, call: ServerCall) -> GetProjectResponse:
        """Return one project, even if it is archived."""
        if not request.id:
            abort(Status.INVALID_ARGUMENT, "id is required")
        row = self._store.projects.get(request.id)
        if row is None:
            abort(Status.NOT_FOUND, f"project not found: {request.id}")
        return GetProjectResponse(project=_message(row))

    async def list_projects(self, request: ListProjectsRequest, call: ServerCall) -> ListProjectsResponse:
        """Return a page of projects; archived ones only if there is a filter."""
        query = compile_request(request)
        rows = self._store.projects.select(query)
        token = query.next_token() if query.limit is not None and len(rows) == query.limit else ""
        return ListProjectsResponse(projects=Projects(projects=[_message(row) for row in rows], token=token))


def _row(project: Project | None) -> ProjectRow:
    if project is None or not project.id:
        abort(Status.INVALID_ARGUMENT, "project.id is required")
    if len(project.description) > _MAX_DESCRIPTION:
        abort(Status.INTERNAL, f"value too long for type character varying({_MAX_DESCRIPTION}): description")
    now = clock.now()
    return ProjectRow(
        identifier=project.id,
        name=project.name,
        description=project.description,
        labels=None if project.labels is None else bytes(project.labels),
        state=int(project.state),
        created_at=now,
        updated_at=now,
    )


def _message(row: ProjectRow) -> Project:
    return Project(
        id=row.identifier,
        name=row.name,
        domains=[Domain(id=name.lower(), name=name) for name in _DOMAINS],
        description=row.description,
        labels=None if row.labels is None else Labels.parse(row.labels),
        state=ProjectState(row.state),
    )
