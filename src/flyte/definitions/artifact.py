"""The metadata of artifacts, which users write and `flyte.remote.Artifact.create` publishes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

import attrs

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.core.artifact_id import ArtifactVersionId

KIND_KEY = "flyte.io/kind"
"""The attribute that keeps what an artifact is."""

Kind = Literal["model", "data", "generic"]
CardFormat = Literal["html", "md", "json", "yaml", "csv", "tsv", "png", "jpg", "jpeg"]
Granularity = Literal["hour", "day", "week", "month"]


class HasVersionId(Protocol):
    """An artifact, as far as a reference to it needs: `flyte.remote.Artifact`."""

    @property
    def artifact_version_id(self) -> ArtifactVersionId:
        """The identifier of the version."""
        ...


_GETTER = "get_artifact_metadata"
T = TypeVar("T")


def one_of(argument: str, value: object, choices: Any) -> Any:
    """A value of a Literal type.

    Raises:
        ValueError: It is none.
    """
    known = get_args(choices)
    if value not in known:
        raise ValueError(f"{argument} is one of {', '.join(map(repr, known))}, not {value!r}")
    return value


@attrs.frozen
class TimePartition:
    """A partition that is a span of time, where `date` (a day) and `datetime` (an hour) do not say it.

    Args:
        value: A day, or an instant, anywhere in the span. A datetime needs a time zone.
        granularity: How long the span is: "hour", "day", "week" (from Monday) or "month", in UTC. Default: "day".

    Raises:
        TypeError: The value is neither a date nor a datetime.
        ValueError: The datetime has no time zone, or there is no such granularity.
    """

    value: date | datetime
    granularity: Granularity = "day"

    def __attrs_post_init__(self) -> None:
        one_of("TimePartition.granularity", self.granularity, Granularity)
        if not isinstance(self.value, date):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"TimePartition.value takes a date or a datetime, not {type(self.value).__name__}")
        aware("TimePartition.value", self.value)


def aware(argument: str, value: date | datetime) -> None:
    """Make sure that a time names an instant.

    Raises:
        ValueError: It is a datetime without time zone.
    """
    if isinstance(value, datetime) and value.utcoffset() is None:
        raise ValueError(
            f"{argument} has no time zone, so it names no instant: {value!r}. "
            "Add one, for example .replace(tzinfo=timezone.utc), or give a date for a whole day in UTC"
        )


@attrs.frozen(kw_only=True)
class Card:
    """A page about an artifact that the console shows.

    Args:
        uri: Where it is stored; `flyte.remote.upload_file` stores one.
        format: How it is written: "html", "md", "json", "yaml", "csv", "tsv", "png", "jpg" or "jpeg". Default: "html".
        card_type: What it is about: "model", "data" or "generic". Default: "generic".
    """

    uri: str
    format: CardFormat = "html"
    card_type: Kind = "generic"


@attrs.frozen(kw_only=True)
class Metadata:
    """What `Artifact.create` would otherwise be told in arguments, which win where both say something.

    Args:
        name: Name of the artifact.
        version: The version. Default: a new one each time.
        description: What it is, for people.
        attrs: Attributes of your own, by name.
        card: A page about it.
        kind: What it is; see `Artifact.kind`.
        partitions: The partition it is of, by key.
        parents: The versions that it was made of.
        version_from_content: Without a version, take the content hash of the value, so that the same content is published
            once. Default: False.
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
    """A copy of a value that tells what to publish it as.

    Args:
        value: A `File`, `Dir` or `StructuredDataset` of `flyte.types`.
        metadata: What to say of it.

    Raises:
        TypeError: The value is none of these, or the metadata no `Metadata`.
    """
    from flyte.types import Dir, File, StructuredDataset

    if not isinstance(value, (File, Dir, StructuredDataset)):
        raise TypeError(f"value takes a File, a Dir or a StructuredDataset of flyte.types, not {type(value).__name__}")
    if not isinstance(metadata, Metadata):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"metadata takes a flyte.artifacts.Metadata, not {type(metadata).__name__}")
    made = copy.copy(value)
    # References are frozen; the copy is nobody else's yet.
    object.__setattr__(made, _GETTER, _Told(metadata))
    return made


@attrs.frozen
class _Told:
    """Called as the method that values of other libraries have; an object, so that it can be pickled and compared."""

    metadata: Metadata

    def __call__(self) -> Metadata:
        return self.metadata


def metadata_of(value: object) -> Metadata | None:
    """What a value tells of itself, by `new` or a method `get_artifact_metadata`; None if it tells nothing.

    Raises:
        TypeError: What it tells is no `Metadata`.
    """
    getter = getattr(value, _GETTER, None)
    found = getter() if callable(getter) else None
    if found is not None and not isinstance(found, Metadata):
        raise TypeError(f"value.{_GETTER}() gives {type(found).__name__}, not a flyte.artifacts.Metadata")
    return found
