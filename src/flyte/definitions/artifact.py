"""The metadata of artifacts, for `flyte.remote.Artifact.create`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

import attrs
from attrs import field

from flyte.definitions.validators import is_bool_of_class
from flyte_rpc.lazy import resolve
from flyte_rpc.sync.decorators import blocking

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.core.artifact_id import ArtifactVersionId

KIND_KEY = "flyte.io/kind"
"""The attribute that stores the kind of an artifact."""

Kind = Literal["model", "data", "generic"]
CardFormat = Literal["html", "md", "json", "yaml", "csv", "tsv", "png", "jpg", "jpeg"]
CardType = Kind
_MEDIA_TYPES: dict[str, str] = {
    "html": "text/html",
    "md": "text/markdown",
    "json": "application/json",
    "yaml": "application/yaml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
}
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

    @blocking
    @classmethod
    async def create_from(
        cls,
        *,
        content: str | None = None,
        local_path: str | Path | None = None,
        format: CardFormat = "html",
        card_type: Kind = "generic",
    ) -> Card:
        """Upload a page, and return the card for it.

        Args:
            content: The page as text.
            local_path: A file with the page, instead of `content`.
            format: File format, which decides about the media type. Default: "html".
            card_type: Kind of card. Default: "generic".

        Raises:
            OSError: The file cannot be read.
            ValueError: Neither or both of `content` and `local_path` are given, or the format or kind does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `DataProxyService.CreateUploadLocation`, and uploads to the returned link.
        """
        one_of("format", format, CardFormat)
        one_of("card_type", card_type, Kind)
        if (content is None) == (local_path is None):
            raise ValueError("Card.create_from takes either content= or local_path=")
        upload = resolve("flyte.remote:upload_file")
        with TemporaryDirectory() as folder:
            path = Path(folder, f"{card_type}.{format}") if local_path is None else Path(local_path)
            if content is not None:
                path.write_text(content, "utf-8")
            _, uri = await upload.aio(path, content_type=_MEDIA_TYPES[format], progress=False)
        return Card(uri=uri, format=format, card_type=card_type)


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
    version_from_content: bool = field(default=False, validator=is_bool_of_class)

    @classmethod
    def create_model_metadata(
        cls,
        *,
        name: str,
        version: str | None = None,
        description: str | None = None,
        card: Card | None = None,
        framework: str | None = None,
        model_type: str | None = None,
        architecture: str | None = None,
        task: str | None = None,
        modality: Sequence[str] = ("text",),
        serial_format: str = "safetensors",
        attrs: Mapping[str, str] | None = None,
    ) -> Metadata:
        """Return the metadata of a model: of kind "model", with the usual attributes.

        Args:
            name: Name of the artifact.
            version: The version. Default: a new one each time.
            description: Description.
            card: A page about the model.
            framework: The framework, such as "pytorch".
            model_type: The type of model, such as "transformer".
            architecture: The architecture, such as "LlamaForCausalLM".
            task: What it does, such as "text-generation".
            modality: Kinds of data that it processes. Default: text.
            serial_format: File format. Default: "safetensors".
            attrs: Further attributes. Those of the other arguments win.
        """
        fields = {
            "framework": framework or "",
            "model_type": model_type or "",
            "architecture": architecture or "",
            "task": task or "",
            "modality": modality if isinstance(modality, str) else ",".join(modality),
            "serial_format": serial_format,
        }
        every = {**(attrs or {}), KIND_KEY: "model", **fields}
        return cls(name=name, version=version, description=description, attrs=every, card=card, kind="model")


def new(value: T, metadata: Metadata) -> T:
    """Return a copy of a value with metadata for publishing it.

    Args:
        value: A `File`, `Dir` or `DataFrame` of `flyte.io`.
        metadata: The metadata.

    Raises:
        TypeError: The value has another type, or `metadata` is not a `Metadata`.
    """
    from flyte.types import DataFrame, Dir, File

    if not isinstance(value, (File, Dir, DataFrame)):
        raise TypeError(f"value takes a File, a Dir or a DataFrame of flyte.io, not {type(value).__name__}")
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
