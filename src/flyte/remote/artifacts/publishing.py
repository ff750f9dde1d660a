"""Builds the message that publishes a version of an artifact."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Collection
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

import attrs

from flyte._context import ctx
from flyte.definitions.artifact import KIND_KEY, Card, CardFormat, HasVersionId, Kind, Metadata, one_of
from flyte.types import DataFrame, Dir, File, literal_type_of, to_literal
from flyte_api.messages.flyteidl2.artifact.artifact import ArtifactSource, ArtifactSpec, TaskActionSource
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.core.artifact_id import ArtifactCard, ArtifactInfo, ArtifactVersionId
from flyte_api.messages.flyteidl2.core.types import (
    LiteralType,
    StructuredDatasetType,
    StructuredDatasetTypeDatasetColumn,
)
from flyte_rpc.arguments import several, text, texts
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import before_deadline
from flyte_rpc.calls.scope import Scope

from .partitions import as_messages

_MOST_PARENTS = 32
_LONGEST = 255
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@attrs.frozen
class Publication:
    """A version to be published.

    Attributes:
        name: Name of the artifact.
        version: The version.
        spec: The message to publish.
        by_content: Whether the version is the hash of the content, so that it may already exist.
    """

    name: str
    version: str
    spec: ArtifactSpec
    by_content: bool


def artifact_name(name: object) -> str:
    """The name of an artifact.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty, too long, or has characters that servers reject.
    """
    return _plain("name", name)


def described(told: Metadata | None, **given: Any) -> Metadata:
    """Return the metadata to publish: the arguments override the value's own metadata.

    Raises:
        ValueError: There is no name.
    """
    said = {argument: value for argument, value in given.items() if value is not None}
    if told is not None:
        return attrs.evolve(told, **said)
    if "name" not in said:
        raise ValueError("name is missing; pass name=, or a value created with flyte.artifacts.new")
    return Metadata(**said)


async def publication(
    value: File | Dir | DataFrame,
    about: Metadata,
    *,
    python_type: Any,
    external_ref: str | None,
    scope: Scope,
    client: Client,
) -> Publication:
    """Check the arguments, upload a local value, and build the publication.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument is invalid.
    """
    name = artifact_name(about.name)
    version = None if about.version is None else text("version", about.version, 1, _LONGEST)
    labels, moment = as_messages(about.partitions)
    if isinstance(value, DataFrame) and value.val is not None:
        value = await _uploaded_frame(value, scope, client)
    kind = _type(value, python_type)
    spec = ArtifactSpec(
        type=kind,
        info=_info(about),
        source=_source(external_ref, scope),
        parent_artifacts=[] if about.parents is None else _parents(about.parents),
        partitions=labels,
        time_partition=moment,
    )
    spec.value = to_literal(value, kind, name="value")
    if len(urlsplit(value.uri).scheme) < 2:  # A path; one letter is the drive of a Windows path.
        spec.value = to_literal(await _uploaded(value, scope, client), kind, name="value")
    by_content = version is None and about.version_from_content
    if by_content and not spec.value.hash:
        raise ValueError(
            "version_from_content needs a value with a content hash: upload it with from_local, name a key in "
            "from_existing_remote, or pass a version"
        )
    return Publication(name, version or (spec.value.hash if by_content else uuid.uuid4().hex), spec, by_content)


def _plain(argument: str, value: object) -> str:
    found = text(argument, value, 1, _LONGEST)
    if not _NAME.fullmatch(found):
        raise ValueError(f"{argument} is {found!r}; it takes letters, digits, dots, dashes and underscores")
    return found


def _type(value: Any, python_type: Any) -> LiteralType:
    if not isinstance(value, (File, Dir, DataFrame)):
        hint = "File.from_local(path) uploads a file" if isinstance(value, (str, PurePath)) else "store it first"
        raise TypeError(f"value takes a File, a Dir or a DataFrame of flyte.io, not {type(value).__name__}; {hint}")
    if python_type is not None:
        return literal_type_of(python_type)
    if isinstance(value, DataFrame):
        columns = [
            StructuredDatasetTypeDatasetColumn(name=name, literal_type=literal_type_of(kind))
            for name, kind in value.columns.items()
            if kind is not Any
        ]
        return LiteralType(structured_dataset_type=StructuredDatasetType(format=value.format, columns=columns))
    return literal_type_of(Dir if isinstance(value, Dir) else File)


async def _uploaded_frame(value: DataFrame, scope: Scope, client: Client) -> DataFrame:
    """Upload a frame in memory."""
    async with before_deadline("the upload of the data frame"):
        stored: DataFrame = await DataFrame.from_local.aio(
            value.val, project=scope.project, domain=scope.domain, client=client
        )
    return dataclasses.replace(stored, columns=value.columns, hash=value.hash or stored.hash)


async def _uploaded(value: File | Dir | DataFrame, scope: Scope, client: Client) -> File | Dir:
    """Upload a local path so that others can read it."""
    if isinstance(value, DataFrame):
        raise ValueError(
            f"value is a local path ({value.uri!r}) that nobody else can read; upload it with upload_file or "
            "upload_dir and pass the URI"
        )
    kind = Dir if isinstance(value, Dir) else File
    async with before_deadline(f"the upload of {value.uri}"):
        stored: File | Dir = await kind.from_local.aio(
            value.uri, format=value.format, project=scope.project, domain=scope.domain, client=client
        )
    return dataclasses.replace(stored, hash=value.hash or stored.hash)


def _info(about: Metadata) -> ArtifactInfo:
    attributes = {} if about.attrs is None else texts("attrs", about.attrs)
    if about.kind is not None:
        # A reserved attribute that the caller has set takes precedence.
        attributes.setdefault(KIND_KEY, one_of("kind", about.kind, Kind))
    return ArtifactInfo(
        description="" if about.description is None else text("description", about.description, 0, _LONGEST),
        user_metadata=attributes,
        card=None if about.card is None else _card(about.card),
    )


def _card(card: Card) -> ArtifactCard:
    if not isinstance(card, Card):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"card takes a flyte.artifacts.Card, not {type(card).__name__}")
    return ArtifactCard(
        uri=text("card.uri", card.uri, 1, 1024),
        format=one_of("card.format", card.format, CardFormat),
        type=one_of("card.card_type", card.card_type, Kind),
    )


def _source(external_ref: str | None, scope: Scope) -> ArtifactSource | None:
    """Return the source: the external reference, or the action that this code runs in."""
    if external_ref is not None:
        return ArtifactSource(external_ref=text("external_ref", external_ref, 1, 1024))
    here = ctx()
    project, domain = here.project or scope.project, here.domain or scope.domain
    # Servers take actions of the artifact's own project and domain only.
    if not here or not here.run_name or (project, domain) != (scope.project, scope.domain):
        return None
    run = RunIdentifier(org=scope.org, project=project, domain=domain, name=here.run_name)
    action = ActionIdentifier(run=run, name=here.action_name or "")
    return ArtifactSource(task_action=TaskActionSource(action=action, attempt=here.attempt or 0))


def _parents(parents: Collection[str | ArtifactVersionId | HasVersionId]) -> list[ArtifactVersionId]:
    found = several("parents", parents)
    if len(found) > _MOST_PARENTS:
        raise ValueError(f"parents takes at most {_MOST_PARENTS} versions, not {len(found)}")
    return [_parent(f"parents[{number}]", each) for number, each in enumerate(found)]


def _parent(argument: str, parent: str | ArtifactVersionId | HasVersionId) -> ArtifactVersionId:
    if isinstance(parent, str):
        # Without a key, it is a version of the same artifact.
        return ArtifactVersionId(version=_plain(argument, parent))
    if isinstance(parent, ArtifactVersionId):
        return parent
    identity = getattr(parent, "artifact_version_id", None)
    if not isinstance(identity, ArtifactVersionId):
        raise TypeError(f"{argument} takes a version, an Artifact or an ArtifactVersionId, not {type(parent).__name__}")
    return identity
