"""The fields of an artifact version, read from its message."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import Any, cast, get_args

from flyte.definitions.artifact import KIND_KEY, Card, CardFormat, Kind
from flyte_api.messages.flyteidl2.artifact.artifact import Artifact, ArtifactIdentifier, ArtifactName, ArtifactSpec
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.core.artifact_id import ArtifactInfo, ArtifactKey, ArtifactVersionId
from flyte_api.messages.flyteidl2.core.literals import Literal


def name_of(artifact: Artifact) -> ArtifactName:
    """The name with its organization, project and domain."""
    return identifier_of(artifact).name or ArtifactName()


def identifier_of(artifact: Artifact) -> ArtifactIdentifier:
    """The name and the version."""
    return artifact.artifact_id or ArtifactIdentifier()


def spec_of(artifact: Artifact) -> ArtifactSpec:
    """The published part."""
    return artifact.spec or ArtifactSpec()


def info_of(artifact: Artifact) -> ArtifactInfo:
    """The metadata."""
    return spec_of(artifact).info or ArtifactInfo()


def tracker(artifact: Artifact) -> str:
    """`org/project/domain/name@version`."""
    name = name_of(artifact)
    return f"{name.org}/{name.project}/{name.domain}/{name.name}@{identifier_of(artifact).version}"


def version_id(artifact: Artifact) -> ArtifactVersionId:
    """The identifier of the version, as literals have it."""
    name = name_of(artifact)
    key = ArtifactKey(org=name.org, project=name.project, domain=name.domain, name=name.name)
    return ArtifactVersionId(key=key, version=identifier_of(artifact).version)


def source_action(artifact: Artifact) -> ActionIdentifier | None:
    """The action that published the version."""
    source = spec_of(artifact).source
    return None if source is None or source.task_action is None else source.task_action.action


def source_text(artifact: Artifact) -> str:
    """`run r1/a0 (attempt 1)`, or the external reference; empty if unknown."""
    source, action = spec_of(artifact).source, source_action(artifact)
    if source is None:
        return ""
    if source.task_action is None or action is None:
        return source.external_ref or ""
    return f"run {(action.run or RunIdentifier()).name}/{action.name} (attempt {source.task_action.attempt})"


def kind_of(artifact: Artifact) -> str:
    """The kind: an attribute, else what the card says, else "generic"."""
    info = info_of(artifact)
    declared = info.user_metadata.get(KIND_KEY)
    if declared:
        return declared
    return info.card.type if info.card is not None and info.card.type in get_args(Kind) else "generic"


def card_of(artifact: Artifact) -> Card | None:
    """The page about the version; None if there is none."""
    card = info_of(artifact).card
    if card is None or not card.uri:
        return None
    # Formats and types of newer clients are passed on as they are.
    return Card(uri=card.uri, format=cast(CardFormat, card.format), card_type=cast(Kind, card.type))


def literal_of(artifact: Artifact) -> Literal:
    """The value, with the identifier of the version."""
    stored = spec_of(artifact).value or Literal()
    if stored.artifact_id is not None:
        return stored
    literal = copy(stored)
    literal.artifact_id = version_id(artifact)
    return literal


async def read_value(artifact: Artifact, python_type: Any, *, allow_pickle: bool) -> Any:
    """The value as a Python value. See `Artifact.to_python`."""
    from flyte.types import literals_to_python
    from flyte_api.messages.flyteidl2.core.interface import Variable, VariableEntry, VariableMap
    from flyte_api.messages.flyteidl2.task.common import NamedLiteral

    spec, name = spec_of(artifact), tracker(artifact)
    declared = VariableMap(variables=[VariableEntry(key=name, value=Variable(type=spec.type))])
    as_types = None if python_type is None else {name: python_type}
    values = [NamedLiteral(name=name, value=spec.value)]
    if allow_pickle:
        # Pickles run code and may need a download, so they are loaded in a thread.
        read = await asyncio.to_thread(literals_to_python, values, declared, as_types=as_types, allow_pickle=True)
    else:
        read = literals_to_python(values, declared, as_types=as_types)
    if name in read.unsupported:
        raise TypeError(f"artifact {name} has no Python form: {read.unsupported[name]}")
    return read.values[name]
