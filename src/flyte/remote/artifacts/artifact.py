"""Artifacts: values that outlive the runs that created them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from flyte._client import resolve_client
from flyte.definitions.artifact import Card, Kind, metadata_of
from flyte.errors import AlreadyExistsError, NotFoundError
from flyte.remote._common import ProjectScope, console_url, principal
from flyte.types import DataFrame, Dir, File
from flyte_api.entities.artifact import ArtifactBase
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.core.artifact_id import ArtifactVersionId, TimePartition
from flyte_api.messages.flyteidl2.core.literals import Literal as LiteralMessage
from flyte_rpc.arguments import text
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.filters import SortBy
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager
from flyte_rpc.sync.decorators import blocking, fetching

from . import fields
from .group import ArtifactGroup
from .partitions import as_values, merged, selecting, shown
from .publishing import artifact_name, described, publication
from .selection import checked_limit, conditions, refuse_several


class Artifact(ArtifactBase):
    """A version of an artifact: a named file, directory or data frame, with its source.

    Versions can be partitioned by one time key and several text keys. In arguments, a `date` stands for that day, a
    `datetime` for its hour in UTC, and a `flyte.artifacts.TimePartition` for other spans; anything else is converted to
    text.
    """

    # Methods about all versions belong to the group; other SDKs have them here.
    list_names = ArtifactGroup.listall
    declare = ArtifactGroup.declare
    get_schema = ArtifactGroup.get_schema
    partition_values = ArtifactGroup.partition_values

    _REPR = (
        "name",
        "version",
        "kind",
        "partitions=_partitions_text",
        "description",
        "created_at",
        "created_by",
        "source",
    )

    @property
    def _partitions_text(self) -> str:
        return shown(self.partitions)

    @property
    def tracker(self) -> str:
        """The full name of this version: `org/project/domain/name@version`."""
        return fields.tracker(self.pb2)

    @property
    def artifact_version_id(self) -> ArtifactVersionId:
        """The identifier of this version, for literals and `parents`."""
        return fields.version_id(self.pb2)

    @property
    def url(self) -> str:
        """The artifact's page in the web console."""
        name = fields.name_of(self.pb2)
        return console_url(self.client, name.domain, name.project, "artifacts", name.name)

    @property
    def source(self) -> str:
        """The source: `run r1/a0 (attempt 1)`, or an external reference; empty if unknown."""
        return fields.source_text(self.pb2)

    @property
    def source_run_url(self) -> str | None:
        """The web console's page of the run that created it; None if no run did."""
        return self._source_url(None)

    @property
    def source_action_url(self) -> str | None:
        """The web console's page of the action that created it; None if no action did."""
        action = fields.source_action(self.pb2)
        return None if action is None else self._source_url(action.name)

    def _source_url(self, action_name: str | None) -> str | None:
        action, name = fields.source_action(self.pb2), fields.name_of(self.pb2)
        if action is None:
            return None
        run = action.run or RunIdentifier()
        place = run.domain or name.domain, run.project or name.project
        return console_url(self.client, *place, "runs", run.name, action=action_name or "")

    @property
    def partitions(self) -> dict[str, Any]:
        """The partition by key: a `date` for a day, week or month, a `datetime` in UTC for an hour, else text."""
        spec = fields.spec_of(self.pb2)
        return as_values(spec.partitions, spec.time_partition)

    @property
    def time_partition(self) -> TimePartition | None:
        """Its time partition, with key and granularity; None if there is none."""
        return fields.spec_of(self.pb2).time_partition

    @property
    def partition_mismatch(self) -> str:
        """How its partition keys differ from the artifact's; empty if they match."""
        mismatch = self.pb2.partition_schema_mismatch
        return "" if mismatch is None else mismatch.message or "its partition keys are not those of the artifact"

    @property
    def kind(self) -> str:
        """ "model", "data", "generic", or another kind of a newer client. Default: "generic"."""
        return fields.kind_of(self.pb2)

    @property
    def attrs(self) -> dict[str, str]:
        """The attributes, including the kind, as a copy."""
        return dict(fields.info_of(self.pb2).user_metadata)

    @property
    def card(self) -> Card | None:
        """The card; None if there is none."""
        return fields.card_of(self.pb2)

    @property
    def parents(self) -> tuple[ArtifactVersionId, ...]:
        """The parent versions, the most important one first. A parent without a key belongs to the same artifact."""
        return tuple(fields.spec_of(self.pb2).parent_artifacts)

    @property
    def created_by(self) -> str:
        """Its publisher: an e-mail address, the name of an application, or a subject; empty if unknown."""
        return principal(self.pb2.created_by)

    @property
    def literal(self) -> LiteralMessage:
        """The value for a task, with the identifier of this version."""
        return fields.literal_of(self.pb2)

    @blocking
    async def to_python(self, python_type: Any = None, *, allow_pickle: bool = False) -> Any:
        """Read the value: a `File`, `Dir` or `DataFrame`. Nothing is downloaded before you open it.

        Args:
            python_type: Annotation to read it as. Default: the published type.
            allow_pickle: Load a pickled value, which runs the code in it. Default: False.

        Raises:
            TypeError: The value has another type, or no Python form; use `literal` then.
        """
        return await fields.read_value(self.pb2, python_type, allow_pickle=allow_pickle)

    @blocking
    async def coerce_to_literal(self, python_type: Any = None) -> LiteralMessage:
        """The value as a literal of another type, such as `File | None`, with the identifier of this version.

        Args:
            python_type: Annotation. Default: the published type, which gives `literal`.

        Raises:
            TypeError: The value has another type.
        """
        if python_type is None:
            return self.literal
        from flyte.types import literal_type_of, to_literal

        literal_type = literal_type_of(python_type)
        value = await fields.read_value(self.pb2, python_type, allow_pickle=False)
        literal = to_literal(value, literal_type, name=f"artifact {self.tracker}")
        literal.artifact_id = self.literal.artifact_id
        return literal

    @fetching
    @classmethod
    @within_timeout
    async def create(
        cls,
        value: File | Dir | DataFrame,
        *,
        name: str | None = None,
        version: str | None = None,
        description: str | None = None,
        attrs: Mapping[str, str] | None = None,
        kind: Kind | None = None,
        card: Card | None = None,
        python_type: Any = None,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        external_ref: str | None = None,
        partitions: Mapping[str, Any] | None = None,
        parents: Collection[str | ArtifactVersionId | Artifact] | None = None,
        client: Client | None = None,
    ) -> Self:
        """Publish a version of an artifact.

        Args:
            value: A `File`, `Dir` or `DataFrame`. A file or directory given by a path of this machine is
                uploaded. If it was created with `flyte.artifacts.new`, its metadata is the default of the arguments
                below.
            name: Name of the artifact: letters, digits, dots, dashes and underscores, at most 255.
            version: The version, at most 255 characters. Default: a new one each time.
            description: Description, at most 255 characters. Default: none.
            attrs: Custom attributes. Default: none.
            kind: "model", "data" or "generic". Default: unset.
            card: A page about it for the console. Default: none.
            python_type: Annotation to store the value as, such as `File | None`. Default: its own class.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            external_ref: Its source in another system, at most 1024 characters. Default: the action that this
                code runs in, if it is in the same project and domain, else nothing.
            partitions: Its partition, by key. Default: none.
            parents: Up to 32 parent versions, the most important one first: artifacts, ids, or texts for
                versions of the same artifact. Servers do not check that they exist. Default: none.
            client: The client for the calls. Default: the current one.

        Returns:
            The published version. With `version_from_content`, this may be an existing version.

        Raises:
            TypeError: An argument has the wrong type; nothing was sent.
            ValueError: An argument is invalid; nothing was sent.
            AlreadyExistsError: The version exists.
            RpcError: The call failed; the subclass says how. An upload raises what `File.from_local` does.

        Calls `ArtifactService.CreateArtifact`.
        """
        told = metadata_of(value)
        about = described(
            told,
            name=name,
            version=version,
            description=description,
            attrs=attrs,
            kind=kind,
            card=card,
            partitions=partitions,
            parents=parents,
        )
        caller = resolve_client(client)
        scope = caller.scope(project, domain)
        made = await publication(
            value, about, python_type=python_type, external_ref=external_ref, scope=scope, client=caller
        )
        place: ProjectScope = {"project": scope.project, "domain": scope.domain}
        try:
            return await cls._create.aio(made.name, made.version, made.spec, **place, client=caller)
        except AlreadyExistsError:
            if not made.by_content:
                raise
        return await cls._get.aio(made.name, version=made.version, **place, client=caller)

    @fetching
    @classmethod
    @within_timeout
    async def get(
        cls,
        /,
        name: str,
        version: str | Literal["latest"] = "latest",
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        partitions: Mapping[str, Any] | None = None,
        client: Client | None = None,
        **partition_kwargs: Any,
    ) -> Self:
        """Fetch a version of an artifact: a specific version, the latest one, or the latest one of a partition.

        Args:
            name: Name of the artifact.
            version: The version. Default: the newest.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            partitions: The partition, by key, instead of a version. Default: any.
            client: The client for the calls. Default: the current one.
            partition_kwargs: The partition as keyword arguments: `region="us"`. They override `partitions`. Use
                `partitions` for keys that have the name of an argument.

        Raises:
            TypeError: A partition is given as a range or list; nothing was sent.
            ValueError: An argument is unusable, or version and partition are both given; nothing was sent.
            NotFoundError: The version does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `ArtifactService.GetArtifact`; for a partition `ListArtifacts`.
        """
        name = artifact_name(name)
        chosen = merged(partitions, partition_kwargs)
        if not chosen:
            wanted = None if version == "latest" else text("version", version, 1)
            return await cls._get.aio(name, version=wanted, project=project, domain=domain, client=client)
        if version != "latest":
            raise ValueError(f"version {version!r} already names one version; pass version or partitions, not both")
        refuse_several(chosen)
        found = await cls._list(
            name=name, filters=selecting(chosen), project=project, domain=domain, client=client
        ).first.aio()
        if found is None:
            raise NotFoundError(
                f"artifact {name} has no version in partition {shown(chosen)}",
                hint="Pass a date or datetime for a time key; text only matches text keys. "
                "Artifact.partition_values lists the existing values.",
            )
        return found

    @listing
    @classmethod
    def listall(
        cls,
        /,
        name: str | None = None,
        created_after: datetime | None = None,
        limit: int | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
        source_run: str | None = None,
        source_action: str | None = None,
        source_external_ref: str | None = None,
        kind: Kind | None = None,
        attrs: Mapping[str, str | Collection[str]] | None = None,
        latest_per_partition: bool = False,
        partitions: Mapping[str, Any] | None = None,
        sort_by: SortBy | None = None,
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
        **partition_kwargs: Any,
    ) -> Pager[Self]:
        """List versions of artifacts.

        Select a partition by its value. A range `(start, end)` of two times selects all partitions
        from the one that contains `start` to the one that contains `end`, inclusive. A list of texts selects any of
        them.

        Args:
            name: Only versions of this artifact. Default: any.
            created_after: Only those published later than this instant, which needs a time zone. Default: all.
            limit: Maximum number of items. Default: all, as with -1.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            source_run: Only versions that this run created.
            source_action: Only versions that an action of this name created; usually combined with `source_run`.
            source_external_ref: Only versions with this external reference.
            kind: Only versions that were published as "model", "data" or "generic".
            attrs: Only versions with these attributes. A list matches any of its values.
            latest_per_partition: Only the latest version of each partition; requires `name`. Default: False.
            partitions: Only versions in these partitions, by key. Default: all.
            sort_by: Field to sort by, such as "created_at" or ("name", "asc"); `-` in front for descending. Default:
                the server's order, which is the newest first.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.
            client: The client for the calls. Default: the current one.
            partition_kwargs: The partitions as keyword arguments: `region=["us", "eu"]`. They override `partitions`. Use
                `partitions` for keys that have the name of an argument.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts.

        Raises:
            TypeError: An argument has the wrong type; nothing was sent.
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `ArtifactService.ListArtifacts`.
        """
        if latest_per_partition and name is None:
            raise ValueError("latest_per_partition requires name, because artifacts have different partitions")
        return cls._list(
            name=None if name is None else artifact_name(name),
            source_run=source_run,
            source_action=source_action,
            source_external_ref=source_external_ref,
            filters=[*conditions(created_after, kind, attrs), *selecting(merged(partitions, partition_kwargs))],
            latest_per_partition=latest_per_partition,
            sort_by=sort_by,
            limit=checked_limit(limit),
            page_size=page_size,
            timeout=timeout,
            project=project,
            domain=domain,
            client=client,
        )
