"""TaskService."""

from __future__ import annotations

from flyte.devbox import clock
from flyte.devbox.runs.requests import require_project
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.listing import Query, compile_request
from flyte.devbox.store.rows import TaskRow
from flyte.devbox.store.tasks import LISTING, VERSIONS_LISTING
from flyte.devbox.triggers import deployment
from flyte.devbox.triggers.messages import summary
from flyte_api.messages.flyteidl2.task.environment import Environment
from flyte_api.messages.flyteidl2.task.task_definition import (
    DocumentationEntity,
    Task,
    TaskDetails,
    TaskIdentifier,
    TaskMetadata,
    TaskName,
    TaskSpec,
    TaskSummary,
)
from flyte_api.messages.flyteidl2.task.task_service import (
    DeployTaskRequest,
    DeployTaskResponse,
    GetTaskDetailsRequest,
    GetTaskDetailsResponse,
    ListTasksRequest,
    ListTasksResponse,
    ListTasksResponseListTasksMetadata,
    ListVersionsRequest,
    ListVersionsResponse,
    ListVersionsResponseVersionResponse,
)
from flyte_api.services.flyteidl2.task.task_service import TaskServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

_SHORT_TEXT = 255
_LONG_TEXT = 2048


class TaskService(TaskServiceBase):
    """Deployed tasks and their versions."""

    def __init__(self, state: SharedState) -> None:
        self._clock = state.clock
        self._store = state.store

    async def deploy_task(self, request: DeployTaskRequest, call: ServerCall) -> DeployTaskResponse:
        """Store a version of a task and its triggers. An existing version is replaced."""
        identifier = request.task_id or TaskIdentifier()
        require_project(self._store, identifier.project)
        for trigger in request.triggers:
            deployment.check_automation(trigger.automation_spec)
        spec = request.spec
        if spec is None:
            abort(Status.INTERNAL, "failed to store task: spec is required")
        _cut_texts(spec)
        environment = spec.environment or Environment()
        now = clock.now()
        with self._store.database.transaction():
            self._store.tasks.put(
                TaskRow(
                    project=identifier.project,
                    domain=identifier.domain,
                    name=identifier.name,
                    version=identifier.version,
                    environment=environment.name,
                    function_name=function_name(identifier.name, environment.name),
                    env_description=environment.description,
                    short_description=(spec.documentation or DocumentationEntity()).short_description,
                    spec_digest=self._store.tasks.put_spec(bytes(spec)),
                    created_at=now,
                    updated_at=now,
                )
            )
            if request.triggers:
                deployment.deploy_with_task(self._store.triggers, identifier, request.triggers, self._clock.now())
        return DeployTaskResponse()

    async def get_task_details(self, request: GetTaskDetailsRequest, call: ServerCall) -> GetTaskDetailsResponse:
        """Return exactly the requested version, with its spec."""
        key = request.task_id or TaskIdentifier()
        row = self._store.tasks.get(key.project, key.domain, key.name, key.version)
        if row is None:
            abort(Status.NOT_FOUND, f"task not found: {{{key.project} {key.domain} {key.name} {key.version}}}")
        spec = TaskSpec.parse(self._store.tasks.spec(row.spec_digest) or b"")
        return GetTaskDetailsResponse(
            details=TaskDetails(task_id=_identifier(row), metadata=self._metadata(row), spec=spec)
        )

    async def list_tasks(self, request: ListTasksRequest, call: ServerCall) -> ListTasksResponse:
        """Return a page of tasks: the newest matching version of each."""
        query = compile_request(request.request, LISTING)
        scope = Query()
        if request.project_id is not None:
            for each in (scope, query):
                each.match(project=request.project_id.name, domain=request.project_id.domain)
        for known in request.known_filters:
            if known.deployed_by is not None:
                query.match(deployed_by=known.deployed_by)
        rows = self._store.tasks.newest(query)
        metadata = ListTasksResponseListTasksMetadata()
        if rows:
            metadata.total = self._store.tasks.count_names(scope)
            metadata.filtered_total = self._store.tasks.count_names(query)
        items = [
            Task(task_id=_identifier(row), metadata=self._metadata(row), task_summary=TaskSummary()) for row in rows
        ]
        return ListTasksResponse(tasks=items, token=query.page_token(len(rows)), metadata=metadata)

    async def list_versions(self, request: ListVersionsRequest, call: ServerCall) -> ListVersionsResponse:
        """Return a page of the versions of a task; empty for an unknown task."""
        name = request.task_name or TaskName()
        query = compile_request(request.request, VERSIONS_LISTING)
        query.match(project=name.project, domain=name.domain, name=name.name)
        rows = self._store.tasks.versions(query)
        items = [
            ListVersionsResponseVersionResponse(version=row.version, deployed_at=clock.to_timestamp(row.created_at))
            for row in rows
        ]
        return ListVersionsResponse(versions=items, token=query.page_token(len(rows)))

    def _metadata(self, row: TaskRow) -> TaskMetadata:
        triggers = self._store.triggers.of_task(row.project, row.domain, row.name, row.version)
        return TaskMetadata(
            short_name=row.function_name,
            deployed_at=clock.to_timestamp(row.created_at),
            environment_name=row.environment,
            triggers_summary=summary(triggers),
            short_description=row.short_description,
        )


def function_name(task_name: str, environment: str) -> str:
    """Return the short name of a task: the part after its environment's name, else its last segment."""
    if environment and task_name.startswith(f"{environment}."):
        return task_name.removeprefix(f"{environment}.")
    return task_name.rpartition(".")[2]


def _identifier(row: TaskRow) -> TaskIdentifier:
    return TaskIdentifier(project=row.project, domain=row.domain, name=row.name, version=row.version)


def _cut_texts(spec: TaskSpec) -> None:
    """Truncate descriptions by bytes, like the real backend, but never within a character."""
    if spec.environment is not None:
        spec.environment.description = _cut(spec.environment.description, _SHORT_TEXT)
    if spec.documentation is not None:
        spec.documentation.short_description = _cut(spec.documentation.short_description, _SHORT_TEXT)
        spec.documentation.long_description = _cut(spec.documentation.long_description, _LONG_TEXT)


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
