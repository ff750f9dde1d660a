"""The partitions of an artifact: its keys, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from flyte._client import resolve_client
from flyte_api.entities.artifact_group import ArtifactGroupBase
from flyte_rpc.arguments import text, whole
from flyte_rpc.calls.client import Client
from flyte_rpc.sync.decorators import blocking

from .partition_schema import PartitionSchema, declaration, schema_of
from .partitions import merged, selecting
from .publishing import artifact_name
from .selection import read_values

_MOST_VALUES = 1000


class Partitioned(ArtifactGroupBase):
    """What can be done about the partitions of artifacts."""

    @blocking
    @classmethod
    async def declare(
        cls,
        name: str,
        partitions: Mapping[str, Any],
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> PartitionSchema:
        """Fix the partition keys of an artifact before there is a version. They can't be changed later.

        Args:
            name: Name of the artifact.
            partitions: What each key is. `date` or "day", `datetime` or "hour", "week" and "month" are times, of which there
                may be one; `str` and `int` are texts, of which there may be 16.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client to ask with. Default: the current one.

        Returns:
            The keys as the server keeps them.

        Raises:
            TypeError: An argument is of another type; nothing was sent.
            ValueError: An argument is not usable; nothing was sent.
            FailedPreconditionError: The artifact has other keys. Publish under another name.
            RpcError: The call failed; its subclasses say how.

        Calls `ArtifactService.DeclareArtifact`.
        """
        keys = declaration(partitions)
        kept = await cls._declare.aio(artifact_name(name), keys, project=project, domain=domain, client=client)
        return schema_of(kept, declared=True)

    @blocking
    @classmethod
    async def get_schema(
        cls,
        name: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> PartitionSchema:
        """Fetch the partition keys of an artifact.

        Args:
            name: Name of the artifact.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client to ask with. Default: the current one.

        Returns:
            The keys; none for an artifact without partitions.

        Raises:
            ValueError: An argument is not usable; nothing was sent.
            NotFoundError: There is neither a declaration nor a version.
            RpcError: The call failed; its subclasses say how.

        Calls `ArtifactService.GetArtifactSchema`.
        """
        found = await cls._schema.aio(artifact_name(name), project=project, domain=domain, client=client)
        return schema_of(found.partition_schema, declared=found.declared)

    @blocking
    @classmethod
    async def partition_values(
        cls,
        /,
        name: str,
        key: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        limit: int = _MOST_VALUES,
        partitions: Mapping[str, Any] | None = None,
        client: Client | None = None,
        **fixed: Any,
    ) -> list[str | date]:
        """The values that a partition key has among the versions of an artifact, in ascending order.

        Args:
            name: Name of the artifact.
            key: The key.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            limit: Most values, at least 1. Default: 1000.
            partitions: Only among the versions of the partitions that this selects, as in `listall`. Default: all.
            client: The client to ask with. Default: the current one.
            fixed: The same as arguments of their own: `region="us"`. They win over `partitions`, which is for keys that are
                called like an argument.

        Returns:
            Texts; of the time key dates, or datetimes in UTC where its partitions are hours.

        Raises:
            TypeError: An argument is of another type; nothing was sent.
            ValueError: An argument is not usable; nothing was sent. Or the artifact has no such key.
            NotFoundError: There is no such artifact.
            RpcError: The call failed; its subclasses say how.

        Calls `ArtifactService.GetArtifactSchema`, then `ListPartitionValues`.
        """
        name, key = artifact_name(name), text("key", key, 1)
        filters = selecting(merged(partitions, fixed))
        whole("limit", limit, 1)
        caller = resolve_client(client)
        schema = await cls.get_schema.aio(name, project=project, domain=domain, client=caller)
        if key not in schema.all_keys:
            known = ", ".join(schema.all_keys) or "none: it has no partitions"
            raise ValueError(f"key is {key!r}, which artifact {name} is not divided by; its keys are {known}")
        values = await cls._partition_values.aio(
            name, key, filters, limit=limit, project=project, domain=domain, client=caller
        )
        return [*read_values(values, schema.granularity)] if key == schema.time_key else [*values]
