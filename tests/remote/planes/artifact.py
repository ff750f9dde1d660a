"""ArtifactService: artifacts with versions, partitions and filters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from flyte_api.messages.flyteidl2.artifact.artifact import (
    Artifact,
    ArtifactIdentifier,
    ArtifactName,
    ArtifactPartitionSchema,
    ArtifactSpec,
    PartitionSchemaMismatch,
    TimePartitionKey,
)
from flyte_api.messages.flyteidl2.artifact.artifact_service import (
    ArtifactGroup,
    CreateArtifactRequest,
    CreateArtifactResponse,
    DeclareArtifactRequest,
    DeclareArtifactResponse,
    DeleteArtifactRequest,
    DeleteArtifactResponse,
    GetArtifactRequest,
    GetArtifactResponse,
    GetArtifactSchemaRequest,
    GetArtifactSchemaResponse,
    ListArtifactMetadataKeysRequest,
    ListArtifactMetadataKeysResponse,
    ListArtifactNamesRequest,
    ListArtifactNamesResponse,
    ListArtifactsRequest,
    ListArtifactsResponse,
    ListPartitionValuesRequest,
    ListPartitionValuesResponse,
)
from flyte_api.messages.flyteidl2.common.identifier import ProjectIdentifier, UserIdentifier
from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity, User, UserSpec
from flyte_api.messages.flyteidl2.common.list import Filter, FilterFunction, ListRequest, SortDirection
from flyte_api.messages.flyteidl2.core.artifact_id import Partitions
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.artifact.artifact_service import ArtifactServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

FIRST = datetime(2026, 8, 1, tzinfo=UTC)
"""When the first version is published; each further one a minute later than the one before."""
MOST = 100
"""Most items of a page."""

T = TypeVar("T")


class Registry(ArtifactServiceBase):
    """Keeps artifacts as a server does, which checks what it is sent; `requests` are all that it was sent."""

    def __init__(self) -> None:
        self.artifacts: list[Artifact] = []
        self.declared: dict[tuple[str, str, str], ArtifactPartitionSchema] = {}
        self.requests: list[object] = []

    async def create_artifact(self, request: CreateArtifactRequest, call: ServerCall) -> CreateArtifactResponse:
        self.requests.append(request)
        identity, spec = request.artifact_id, request.spec
        if identity is None or spec is None or spec.value is None or spec.type is None or not identity.version:
            abort(Status.INVALID_ARGUMENT, "artifact_id, spec.value and spec.type are required")
        name = _named(identity.name)
        if any(each.artifact_id == identity for each in self.artifacts):
            abort(Status.ALREADY_EXISTS, f"{name.name}@{identity.version} exists")
        expected, actual = self._schema(name), _schema_of(spec)
        wrong = expected is not None and not _same(expected, actual)
        made = Artifact(
            artifact_id=identity,
            spec=spec,
            created_at=Timestamp.of(FIRST + timedelta(minutes=len(self.artifacts))),
            created_by=EnrichedIdentity(
                user=User(id=UserIdentifier(subject="s1"), spec=UserSpec(email="ada@example.com"))
            ),
            partition_schema_mismatch=PartitionSchemaMismatch(expected=expected, actual=actual) if wrong else None,
        )
        self.artifacts.append(made)
        return CreateArtifactResponse(artifact=made)

    async def get_artifact(self, request: GetArtifactRequest, call: ServerCall) -> GetArtifactResponse:
        self.requests.append(request)
        name = _named(request.name)
        found = [each for each in self._of(name) if request.version in (None, _id(each).version)]
        if not found:
            abort(Status.NOT_FOUND, f"artifact {name.name} has no version {request.version or ''}")
        return GetArtifactResponse(artifact=found[-1])

    async def list_artifacts(self, request: ListArtifactsRequest, call: ServerCall) -> ListArtifactsResponse:
        self.requests.append(request)
        asked = request.request or ListRequest()
        if request.latest_per_partition and not request.name:
            abort(Status.INVALID_ARGUMENT, "latest_per_partition requires a name")
        found = [each for each in self._in(request.project_id) if request.name in (None, _name(each).name)]
        found = [each for each in reversed(found) if all(_passes(each, one) for one in asked.filters)]
        if request.latest_per_partition:
            latest: dict[bytes, Artifact] = {}
            for each in found:
                spec = _spec(each)
                latest.setdefault(bytes(spec.partitions or b"") + b"|" + bytes(spec.time_partition or b""), each)
            found = list(latest.values())
        for sort in reversed(asked.sort_by_fields):
            if sort.key not in ("created_at", "name"):
                abort(Status.INVALID_ARGUMENT, f"invalid sort field: {sort.key}")
            key = _created if sort.key == "created_at" else lambda each: _name(each).name
            found.sort(key=key, reverse=sort.direction == SortDirection.DESCENDING)
        page, token = _page(found, asked)
        return ListArtifactsResponse(artifacts=page, token=token)

    async def list_artifact_names(
        self, request: ListArtifactNamesRequest, call: ServerCall
    ) -> ListArtifactNamesResponse:
        self.requests.append(request)
        asked = request.request or ListRequest()
        names = dict.fromkeys(_name(each).name for each in reversed(self._in(request.project_id)))
        for one in asked.filters:
            if one.field != "name" or one.function != FilterFunction.CONTAINS:
                abort(Status.INVALID_ARGUMENT, f"invalid filter field: {one.field}")
            names = {name: None for name in names if one.values[0] in name}
        page, token = _page(list(names), asked)
        where = request.project_id or ProjectIdentifier()
        groups = [self._group(ArtifactName(project=where.name, domain=where.domain, name=name)) for name in page]
        return ListArtifactNamesResponse(groups=groups, token=token)

    async def list_artifact_metadata_keys(
        self, request: ListArtifactMetadataKeysRequest, call: ServerCall
    ) -> ListArtifactMetadataKeysResponse:
        self.requests.append(request)
        found = [each for each in self._in(request.project_id) if request.name in (None, _name(each).name)]
        return ListArtifactMetadataKeysResponse(keys=sorted({key for each in found for key in _attributes(each)}))

    async def delete_artifact(self, request: DeleteArtifactRequest, call: ServerCall) -> DeleteArtifactResponse:
        self.requests.append(request)
        kept = [each for each in self.artifacts if each.artifact_id != request.artifact_id]
        if kept == self.artifacts:
            abort(Status.NOT_FOUND, "no such version")
        self.artifacts = kept
        return DeleteArtifactResponse()

    async def declare_artifact(self, request: DeclareArtifactRequest, call: ServerCall) -> DeclareArtifactResponse:
        self.requests.append(request)
        name, wanted = _named(request.name), request.partition_schema or ArtifactPartitionSchema()
        kept = self._schema(name)
        if kept is not None and not _same(kept, wanted):
            abort(Status.FAILED_PRECONDITION, f"{name.name} has other partition keys")
        self.declared[name.project, name.domain, name.name] = wanted
        return DeclareArtifactResponse(partition_schema=wanted)

    async def get_artifact_schema(
        self, request: GetArtifactSchemaRequest, call: ServerCall
    ) -> GetArtifactSchemaResponse:
        self.requests.append(request)
        name = _named(request.name)
        kept = self._schema(name)
        if kept is None:
            abort(Status.NOT_FOUND, f"there is no artifact {name.name}")
        return GetArtifactSchemaResponse(
            partition_schema=kept, declared=(name.project, name.domain, name.name) in self.declared
        )

    async def list_partition_values(
        self, request: ListPartitionValuesRequest, call: ServerCall
    ) -> ListPartitionValuesResponse:
        self.requests.append(request)
        asked = request.request or ListRequest()
        found = [each for each in self._in(request.project_id) if _name(each).name == request.name]
        values = {
            value
            for each in found
            if all(_passes(each, one) for one in asked.filters)
            for value in _partition(each, request.key)
        }
        return ListPartitionValuesResponse(values=sorted(values)[: asked.limit or MOST])

    def _in(self, where: ProjectIdentifier | None) -> list[Artifact]:
        if where is None or not where.name or not where.domain:
            abort(Status.INVALID_ARGUMENT, "project_id is required")
        return [
            each for each in self.artifacts if (_name(each).project, _name(each).domain) == (where.name, where.domain)
        ]

    def _of(self, name: ArtifactName) -> list[Artifact]:
        place = ProjectIdentifier(name=name.project, domain=name.domain)
        return [each for each in self._in(place) if _name(each).name == name.name]

    def _schema(self, name: ArtifactName) -> ArtifactPartitionSchema | None:
        declared = self.declared.get((name.project, name.domain, name.name))
        if declared is not None:
            return declared
        versions = self._of(name)
        return _schema_of(_spec(versions[0])) if versions else None

    def _group(self, name: ArtifactName) -> ArtifactGroup:
        versions = self._of(name)
        times = [at for each in versions if (at := _time(each)) is not None]
        latest = max(times, default=None)
        others = [_spec(each).partitions for each in versions if latest is not None and _time(each) == latest]
        return ArtifactGroup(
            latest=versions[-1],
            versions=len(versions),
            partition_schema=self._schema(name),
            latest_time_partition=None if latest is None else Timestamp.of(latest),
            latest_partitions=[each or Partitions() for each in others],
        )


def _named(name: ArtifactName | None) -> ArtifactName:
    if name is None or not name.name or not name.project or not name.domain:
        abort(Status.INVALID_ARGUMENT, "project, domain and name are required")
    return name


def _id(artifact: Artifact) -> ArtifactIdentifier:
    return artifact.artifact_id or ArtifactIdentifier()


def _name(artifact: Artifact) -> ArtifactName:
    return _id(artifact).name or ArtifactName()


def _spec(artifact: Artifact) -> ArtifactSpec:
    return artifact.spec or ArtifactSpec()


def _created(artifact: Artifact) -> datetime:
    assert artifact.created_at is not None
    return artifact.created_at.to_datetime()


def _attributes(artifact: Artifact) -> dict[str, str]:
    info = _spec(artifact).info
    return {} if info is None else info.user_metadata


def _time(artifact: Artifact) -> datetime | None:
    at = _spec(artifact).time_partition
    return None if at is None or at.value is None or at.value.time_value is None else at.value.time_value.to_datetime()


def _partition(artifact: Artifact, key: str) -> Iterator[str]:
    spec, at = _spec(artifact), _time(artifact)
    if at is not None and spec.time_partition is not None and spec.time_partition.key == key:
        yield at.isoformat().replace("+00:00", "Z")
    value = spec.partitions.value.get(key) if spec.partitions is not None else None
    if value is not None and value.static_value is not None:
        yield value.static_value


def _schema_of(spec: ArtifactSpec) -> ArtifactPartitionSchema:
    at = spec.time_partition
    return ArtifactPartitionSchema(
        time_partition=None if at is None else TimePartitionKey(key=at.key, granularity=at.granularity),
        partition_keys=sorted(spec.partitions.value) if spec.partitions is not None else [],
    )


def _same(one: ArtifactPartitionSchema, other: ArtifactPartitionSchema) -> bool:
    return one.time_partition == other.time_partition and sorted(one.partition_keys) == sorted(other.partition_keys)


def _passes(artifact: Artifact, one: Filter) -> bool:
    """Whether a version meets a filter; a field or function that there is not ends the call."""
    field, values = one.field, one.values
    if not values:
        abort(Status.INVALID_ARGUMENT, f"filter {field} has no values")
    if field in ("created_at", "time_partition"):
        at = _created(artifact) if field == "created_at" else _time(artifact)
        wanted = datetime.fromisoformat(values[0])
        match one.function:
            case _ if at is None:
                return False
            case FilterFunction.EQUAL:
                return at == wanted
            case FilterFunction.GREATER_THAN:
                return at > wanted
            case FilterFunction.GREATER_THAN_OR_EQUAL:
                return at >= wanted
            case FilterFunction.LESS_THAN_OR_EQUAL:
                return at <= wanted
            case _:
                abort(Status.INVALID_ARGUMENT, f"unsupported filter function: {one.function}")
    if one.function not in (FilterFunction.EQUAL, FilterFunction.VALUE_IN):
        abort(Status.INVALID_ARGUMENT, f"unsupported filter function: {one.function}")
    return _text(artifact, field) in values


def _text(artifact: Artifact, field: str) -> str | None:
    """The text that a filter compares."""
    kind, _, key = field.partition(".")
    spec = _spec(artifact)
    source = spec.source
    action = source.task_action.action if source is not None and source.task_action is not None else None
    values: dict[str, str | None] = {
        "source_run": None if action is None or action.run is None else action.run.name,
        "source_action": None if action is None else action.name,
        "source_external_ref": None if source is None else source.external_ref,
    }
    if kind == "user_metadata":
        return _attributes(artifact).get(key)
    if kind == "partition":
        value = None if spec.partitions is None else spec.partitions.value.get(key)
        return None if value is None else value.static_value
    if field not in values:
        abort(Status.INVALID_ARGUMENT, f"invalid filter field: {field}")
    return values[field]


def _page(items: list[T], asked: ListRequest) -> tuple[list[T], str]:
    start = int(asked.token or 0)
    end = start + min(asked.limit or MOST, MOST)
    return items[start:end], str(end) if end < len(items) else ""
