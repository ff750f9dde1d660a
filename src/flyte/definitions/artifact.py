"""The metadata of artifacts, for `flyte.remote.Artifact.create`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

import attrs

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.core.artifact_id import ArtifactVersionId

KIND_KEY = "flyte.io/kind"
"""The attribute that stores the kind of an artifact."""

Kind = Literal["model", "data", "generic"]
CardFormat = Literal["html", "md", "json", "yaml", "csv", "tsv", "png", "jpg", "jpeg"]
Granularity = Literal["hour", "day", "week", "month"]


class HasVersionId(Protocol):
    """The part of `flyte.remote.Artifact` that references need."""

    @property
    def artifact_version_id(self) -> ArtifactVersionId:
        """The identifier of the version."""
        ...


_GETTER = "get_artifact_metadata"
T = TypeVar("T")


def one_of(argument: str, value: object, choices: Any) -> Any:
    """Check a value of a Literal type.

    Raises:
        ValueError: It is not one of the type's values.
    """
    known = get_args(choices)
    if value not in known:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, known))}, not {value!r}")
    return value


@attrs.frozen
class TimePartition:
    """A time partition, for spans other than a `date` (a day) or a `datetime` (an hour).

    Args:
        value: A date or datetime in the span. A datetime needs a time zone.
        granularity: Length of the span: "hour", "day", "week" (from Monday) or "month", in UTC. Default: "day".

    Raises:
        TypeError: The value is neither a date nor a datetime.
        ValueError: The datetime has no time zone, or the granularity does not exist.
    """

    value: date | datetime
    granularity: Granularity = "day"

    def __attrs_post_init__(self) -> None:
        one_of("TimePartition.granularity", self.granularity, Granularity)
        if not isinstance(self.value, date):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"TimePartition.value takes a date or a datetime, not {type(self.value).__name__}")
        aware("TimePartition.value", self.value)


def aware(argument: str, value: date | datetime) -> None:
    """Check that a datetime has a time zone.

    Raises:
        ValueError: It is a datetime without a time zone.
    """
    if isinstance(value, datetime) and value.utcoffset() is None:
        raise ValueError(
            f"{argument} has no time zone, so it is ambiguous: {value!r}. "
            "Add one, for example .replace(tzinfo=timezone.utc), or pass a date for a whole day in UTC"
        )


@attrs.frozen(kw_only=True)
class Card:
    """A page about an artifact, shown in the console.

    Args:
        uri: Where the page is stored, for example with `flyte.remote.upload_file`.
        format: File format: "html", "md", "json", "yaml", "csv", "tsv", "png", "jpg" or "jpeg". Default: "html".
        card_type: Kind of card: "model", "data" or "generic". Default: "generic".
    """

    uri: str
    format: CardFormat = "html"
    card_type: Kind = "generic"


@attrs.frozen(kw_only=True)
class Metadata:
    """Metadata of an artifact. Arguments of `Artifact.create` override it.

    Args:
        name: Name of the artifact.
        version: The version. Default: a new one each time.
        description: Description.
        attrs: Custom attributes, by name.
        card: A page about it.
        kind: Kind of artifact; see `Artifact.kind`.
        partitions: Its partition, by key.
        parents: The versions it was made from.
        version_from_content: Without a version, use the content hash of the value, so that the same content is published
            only once. Default: False.
    """

    name: str
    version: str | None = None
    description: str | None = None
    attrs: Mapping[str, str] | None = None
    card: Card | None = None
    kind: Kind | None = None
    partitions: Mapping[str, Any] | None = None
    parents: Sequence[str | ArtifactVersionId | HasVersionId] | None = None
    version_from_content: bool = False


def new(value: T, metadata: Metadata) -> T:
    """Return a copy of a value with metadata for publishing it.

    Args:
        value: A `File`, `Dir` or `StructuredDataset` of `flyte.types`.
        metadata: The metadata.

    Raises:
        TypeError: The value has another type, or `metadata` is not a `Metadata`.
    """
    from flyte.types import Dir, File, StructuredDataset

    if not isinstance(value, (File, Dir, StructuredDataset)):
        raise TypeError(f"value takes a File, a Dir or a StructuredDataset of flyte.types, not {type(value).__name__}")
    if not isinstance(metadata, Metadata):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"metadata takes a flyte.artifacts.Metadata, not {type(metadata).__name__}")
    made = copy.copy(value)
    # References are frozen, but nobody else has the copy yet.
    object.__setattr__(made, _GETTER, _Told(metadata))
    return made


@attrs.frozen
class _Told:
    """In place of the method `get_artifact_metadata`: an object that can be pickled and compared."""

    metadata: Metadata

    def __call__(self) -> Metadata:
        return self.metadata


def metadata_of(value: object) -> Metadata | None:
    """Return the metadata of a value, from `new` or its method `get_artifact_metadata`; None if it has none.

    Raises:
        TypeError: The method does not return a `Metadata`.
    """
    getter = getattr(value, _GETTER, None)
    found = getter() if callable(getter) else None
    if found is not None and not isinstance(found, Metadata):
        raise TypeError(f"value.{_GETTER}() returns {type(found).__name__}, not a flyte.artifacts.Metadata")
    return found
