"""Artifacts by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from flyte._client import resolve_client
from flyte_api.entities.artifact_group import ArtifactGroupBase
from flyte_api.messages.flyteidl2.artifact.artifact import Artifact as ArtifactMessage
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_rpc.arguments import text, whole
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.filters import as_filters
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager
from flyte_rpc.sync.decorators import blocking

from .partition_schema import PartitionSchema, declaration, schema_of
from .partitions import as_time, as_values, merged, selecting
from .publishing import artifact_name
from .selection import checked_limit, read_values

if TYPE_CHECKING:
    from .artifact import Artifact

_MAX_VALUES = 1000


class ArtifactGroup(ArtifactGroupBase):
    """All versions of an artifact, by its name."""

    @property
    def latest(self) -> Artifact:
        """The newest version."""
        from .artifact import Artifact

        return Artifact(self.pb2.latest or ArtifactMessage(), self.client)

    @property
    def partition_schema(self) -> PartitionSchema | None:
        """The partition keys; None for an artifact without partitions. Only `get_schema` sets `declared`."""
        found = schema_of(self.pb2.partition_schema)
        return found if found.all_keys else None

    @property
    def latest_time_partition(self) -> date | datetime | None:
        """The latest time partition: a date, or a datetime in UTC for hours; None without a time key."""
        found = self.pb2.latest_time_partition
        if found is None:
            return None
        schema = self.partition_schema
        return as_time(found.to_datetime(), "day" if schema is None else schema.granularity)

    @property
    def latest_partitions(self) -> list[dict[str, Any]]:
        """The partitions at that time by their other keys, as far as the server reports them."""
        return [as_values(partitions, None) for partitions in self.pb2.latest_partitions]

    _REPR = (
        "name",
        "versions",
        "partitions=_keys_text",
        "latest_partition=_latest_partition_text",
        "latest_version=latest.version",
        "description=latest.description",
        "created_at=latest.created_at",
        "source=latest.source",
    )

    @property
    def _keys_text(self) -> str:
        return "" if self.partition_schema is None else ", ".join(self.partition_schema.all_keys)

    @property
    def _latest_partition_text(self) -> str:
        return "" if self.latest_time_partition is None else self.latest_time_partition.isoformat()

    @listing
    @classmethod
    def listall(
        cls,
        search: str | None = None,
        limit: int | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List artifacts by name, the most recently published first.

        Args:
            search: Only artifacts whose name contains this text. Default: all.
            limit: Maximum number of items. Default: all, as with -1.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts.

        Raises:
            TypeError: An argument has the wrong type; nothing was sent.
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `ArtifactService.ListArtifactNames`.
        """
        wanted = "" if search is None else text("search", search)
        return cls._list(
            filters=as_filters(Filter, ("CONTAINS", "name", [wanted])) if wanted else [],
            limit=checked_limit(limit),
            page_size=page_size,
            timeout=timeout,
            project=project,
            domain=domain,
            client=client,
        )

    @blocking
    @classmethod
    @within_timeout
    async def declare(
        cls,
        name: str,
        partitions: Mapping[str, Any],
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> PartitionSchema:
        """Declare the partition keys of an artifact before its first version. They cannot be changed later.

        Args:
            name: Name of the artifact.
            partitions: The type of each key. `date` or "day", `datetime` or "hour", "week" and "month" make a time key;
                at most one is allowed. `str` and `int` make a text key; at most 16 are allowed.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            The keys as stored by the server.

        Raises:
            TypeError: An argument has the wrong type; nothing was sent.
            ValueError: An argument is invalid; nothing was sent.
            FailedPreconditionError: The artifact has other keys. Publish under another name.
            RpcError: The call failed; the subclass says how.

        Calls `ArtifactService.DeclareArtifact`.
        """
        keys = declaration(partitions)
        kept = await cls._declare.aio(artifact_name(name), keys, project=project, domain=domain, client=client)
        return schema_of(kept, declared=True)

    @blocking
    @classmethod
    @within_timeout
    async def get_schema(
        cls,
        name: str,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> PartitionSchema:
        """Fetch the partition keys of an artifact.

        Args:
            name: Name of the artifact.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            The keys; none for an artifact without partitions.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The artifact has neither a declaration nor a version.
            RpcError: The call failed; the subclass says how.

        Calls `ArtifactService.GetArtifactSchema`.
        """
        found = await cls._schema.aio(artifact_name(name), project=project, domain=domain, client=client)
        return schema_of(found.partition_schema, declared=found.declared)

    @blocking
    @classmethod
    @within_timeout
    async def partition_values(
        cls,
        /,
        name: str,
        key: str,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        limit: int = _MAX_VALUES,
        partitions: Mapping[str, Any] | None = None,
        client: Client | None = None,
        **fixed: Any,
    ) -> list[str | date]:
        """Fetch the values of a partition key in the versions of an artifact, in ascending order.

        Args:
            name: Name of the artifact.
            key: The key.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            limit: Maximum number of values, at least 1. Default: 1000.
            partitions: Only versions in these partitions, as in `listall`. Default: all.
            client: The client for the calls. Default: the current one.
            fixed: The partitions as keyword arguments: `region="us"`. They override `partitions`. Use `partitions` for
                keys that have the name of an argument.

        Returns:
            Texts; for the time key, dates, or datetimes in UTC if its partitions are hours.

        Raises:
            TypeError: An argument has the wrong type; nothing was sent.
            ValueError: An argument is invalid; nothing was sent. Or the artifact has no such key.
            NotFoundError: The artifact does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `ArtifactService.GetArtifactSchema`, then `ListPartitionValues`.
        """
        name, key = artifact_name(name), text("key", key, 1)
        filters = selecting(merged(partitions, fixed))
        whole("limit", limit, 1)
        caller = resolve_client(client)
        schema = await cls.get_schema.aio(name, project=project, domain=domain, client=caller)
        if key not in schema.all_keys:
            known = ", ".join(schema.all_keys) or "none: it has no partitions"
            raise ValueError(f"artifact {name} has no partition key {key!r}; its keys are {known}")
        values = await cls._partition_values.aio(
            name, key, filters, limit=limit, project=project, domain=domain, client=caller
        )
        return [*read_values(values, schema.granularity)] if key == schema.time_key else [*values]
