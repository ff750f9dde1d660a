"""Filters for listings of artifacts, and conversion of partition values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime

from flyte.definitions.artifact import KIND_KEY, Kind, one_of
from flyte.errors import DecodeError
from flyte_api.messages.flyteidl2.common.list import Filter
from flyte_rpc.arguments import instant, several, text
from flyte_rpc.entities.filters import Clause, as_filters, rfc3339
from flyte_rpc.typeguards import is_mapping

from .partitions import as_time


def conditions(
    created_after: datetime | None, kind: Kind | None, attrs: Mapping[str, str | Collection[str]] | None
) -> list[Filter]:
    """Build the filters of `Artifact.listall`, except those of partitions.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument is empty, unknown, or a datetime without a time zone.
    """
    return as_filters(Filter, *_after(created_after), *_attributes(kind, attrs))


def checked_limit(limit: int | None) -> int | None:
    """Convert the limit of a listing: -1 means all, as in the reference SDK."""
    return None if limit == -1 else limit


def refuse_several(partitions: Mapping[str, object]) -> None:
    """Make sure that partitions select one partition.

    Raises:
        TypeError: One is a range or a list.
    """
    for key, value in partitions.items():
        if isinstance(value, (list, tuple, set, frozenset)):
            raise TypeError(
                f"partition {key!r} takes a single value here, not {value!r}; "
                "for several use Artifact.listall(name, latest_per_partition=True, ...)"
            )


def read_values(values: list[str], granularity: str | None) -> list[date | datetime]:
    """Parse the values of a time key.

    Raises:
        DecodeError: A value is not a valid time.
    """
    found: list[date | datetime] = []
    for value in values:
        try:
            moment = datetime.fromisoformat(value)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise DecodeError(f"the server sent {value[:40]!r}, which is not a valid partition time") from None
        found.append(as_time(moment, granularity))
    return found


def _after(moment: datetime | None) -> Iterator[Clause]:
    if moment is None:
        return
    yield "GREATER_THAN", "created_at", [rfc3339(instant("created_after", moment))]


def _attributes(kind: Kind | None, attrs: Mapping[str, str | Collection[str]] | None) -> Iterator[Clause]:
    if kind is not None:
        yield "VALUE_IN", f"user_metadata.{KIND_KEY}", [one_of("kind", kind, Kind)]
    if attrs is not None and not is_mapping(attrs):
        raise TypeError(f"attrs takes a mapping of text to text, not {type(attrs).__name__}")
    for key, value in (attrs or {}).items():
        text("a key of attrs", key, 1)
        values = [value] if isinstance(value, str) else several(f"attrs[{key!r}]", value)
        if not values:
            raise ValueError(f"attrs[{key!r}] is empty, so nothing can match; omit it to list all versions")
        yield "VALUE_IN", f"user_metadata.{key}", [text(f"attrs[{key!r}]", each) for each in values]
