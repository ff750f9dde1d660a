"""Artifacts by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self

from flyte_api.messages.flyteidl2.artifact.artifact import Artifact as ArtifactMessage
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_rpc.arguments import text
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.filters import as_filters
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager

from .partition_schema import PartitionSchema, schema_of
from .partitioned import Partitioned
from .partitions import as_time, as_values
from .selection import most

if TYPE_CHECKING:
    from .artifact import Artifact


class ArtifactGroup(Partitioned):
    """All versions of an artifact, by its name."""

    @property
    def latest(self) -> Artifact:
        """The version that was published last."""
        from .artifact import Artifact

        return Artifact(self.pb2.latest or ArtifactMessage(), self.client)

    @property
    def partition_schema(self) -> PartitionSchema | None:
        """The partition keys; None for an artifact without partitions. Whether they were declared, only `get_schema` knows."""
        found = schema_of(self.pb2.partition_schema)
        return found if found.all_keys else None

    @property
    def latest_time_partition(self) -> date | datetime | None:
        """The latest time that a version is a partition of: a date, or a datetime in UTC for hours; None without times."""
        found = self.pb2.latest_time_partition
        if found is None:
            return None
        schema = self.partition_schema
        return as_time(found.to_datetime(), "day" if schema is None else schema.granularity)

    @property
    def latest_partitions(self) -> list[dict[str, Any]]:
        """The partitions of that time by their other keys, as far as the server tells."""
        return [as_values(partitions, None) for partitions in self.pb2.latest_partitions]

    def _shown(self) -> Iterator[tuple[str, object]]:
        schema, latest = self.partition_schema, self.latest
        yield from (("name", self.name), ("versions", self.versions))
        yield "partitions", "" if schema is None else ", ".join(schema.all_keys)
        time = self.latest_time_partition
        yield "latest_partition", "" if time is None else time.isoformat()
        yield from (("latest_version", latest.version), ("description", latest.description))
        yield from (("created_at", latest.created_at), ("source", latest.source))

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
        client: Client | None = None,
    ) -> Pager[Self]:
        """List artifacts by name, that which was published to last first.

        Args:
            search: Only those with this in their name. Default: all.
            limit: Most items in all. Default: all there are, as with -1.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            page_size: Most items a request fetches. Default: the client's.
            client: The client to ask with. Default: the current one.

        Returns:
            A pager, to be used with `for` or `async for`; nothing is fetched before.

        Raises:
            TypeError: An argument is of another type; nothing was sent.
            ValueError: An argument is not usable; nothing was sent.
            RpcError: The call failed; its subclasses say how.

        Calls `ArtifactService.ListArtifactNames`.
        """
        wanted = "" if search is None else text("search", search)
        return cls._list(
            filters=as_filters(Filter, ("CONTAINS", "name", [wanted])) if wanted else [],
            limit=most(limit),
            page_size=page_size,
            project=project,
            domain=domain,
            client=client,
        )
