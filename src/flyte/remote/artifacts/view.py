"""What a version of an artifact says of itself, and its value."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING, Any, cast, get_args

from flyte.artifacts import KIND_KEY, Card, CardFormat, Kind
from flyte.remote._common import console_url, principal
from flyte_api.messages.flyteidl2.artifact.artifact import ArtifactIdentifier, ArtifactName, ArtifactSpec
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.core.artifact_id import (
    ArtifactInfo,
    ArtifactKey,
    ArtifactVersionId,
    TimePartition,
)
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_rpc.sync.decorators import blocking

from .partitions import as_values

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.artifact.artifact import Artifact as ArtifactMessage
    from flyte_rpc.calls.client import Client


class ArtifactView:
    """Properties and value of an `Artifact`."""

    if TYPE_CHECKING:
        pb2: ArtifactMessage

        @property
        def client(self) -> Client: ...

    @property
    def _id(self) -> ArtifactIdentifier:
        return self.pb2.artifact_id or ArtifactIdentifier()

    @property
    def _name(self) -> ArtifactName:
        return self._id.name or ArtifactName()

    @property
    def _spec(self) -> ArtifactSpec:
        return self.pb2.spec or ArtifactSpec()

    @property
    def _info(self) -> ArtifactInfo:
        return self._spec.info or ArtifactInfo()

    @property
    def tracker(self) -> str:
        """Everything that names this version, as one text: `org/project/domain/name@version`."""
        name = self._name
        return f"{name.org}/{name.project}/{name.domain}/{name.name}@{self._id.version}"

    @property
    def artifact_version_id(self) -> ArtifactVersionId:
        """What names this version, as literals and `parents` have it."""
        name = self._name
        key = ArtifactKey(org=name.org, project=name.project, domain=name.domain, name=name.name)
        return ArtifactVersionId(key=key, version=self._id.version)

    @property
    def url(self) -> str:
        """Where the web console shows the artifact."""
        name = self._name
        return console_url(self.client, name.domain, name.project, "artifacts", name.name)

    @property
    def _action(self) -> ActionIdentifier | None:
        source = self._spec.source
        return None if source is None or source.task_action is None else source.task_action.action

    def _run_url(self, action: str = "") -> str | None:
        found = self._action
        if found is None:
            return None
        run, name = found.run or RunIdentifier(), self._name
        return console_url(
            self.client, run.domain or name.domain, run.project or name.project, "runs", run.name, action=action
        )

    @property
    def source(self) -> str:
        """Where it comes from: `run r1/a0 (attempt 1)`, or what its publisher calls it; empty when nobody said."""
        source, action = self._spec.source, self._action
        if source is None:
            return ""
        if source.task_action is None or action is None:
            return source.external_ref or ""
        run = action.run or RunIdentifier()
        return f"run {run.name}/{action.name} (attempt {source.task_action.attempt})"

    @property
    def source_run_url(self) -> str | None:
        """Where the web console shows the run that made it; None when no run has."""
        return self._run_url()

    @property
    def source_action_url(self) -> str | None:
        """Where the web console shows the action that made it; None when no action has."""
        action = self._action
        return None if action is None else self._run_url(action.name)

    @property
    def partitions(self) -> dict[str, Any]:
        """The partition it is of, by key: a `date` for a day, week or month, a `datetime` in UTC for an hour, else text."""
        return as_values(self._spec.partitions, self._spec.time_partition)

    @property
    def time_partition(self) -> TimePartition | None:
        """The time that it is a partition of, with its key and granularity; None when there is none."""
        return self._spec.time_partition

    @property
    def partition_mismatch(self) -> str:
        """How its partition differs from what the artifact is divided by; empty when it does not."""
        found = self.pb2.partition_schema_mismatch
        return "" if found is None else found.message or "its partition keys are not those of the artifact"

    @property
    def kind(self) -> str:
        """What it is: "model", "data", "generic", or what a newer client has called it.

        It is kept in the attribute `flyte.io/kind`; where that is missing, the card says it. Default: "generic".
        """
        declared = self.attrs.get(KIND_KEY)
        if declared:
            return declared
        card = self._info.card
        return card.type if card is not None and card.type in get_args(Kind) else "generic"

    @property
    def attrs(self) -> dict[str, str]:
        """Its attributes, with that which keeps its kind, as a copy."""
        return dict(self._info.user_metadata)

    @property
    def card(self) -> Card | None:
        """The page about it; None when there is none."""
        found = self._info.card
        if found is None or not found.uri:
            return None
        # Whatever a newer client has called them.
        return Card(uri=found.uri, format=cast(CardFormat, found.format), card_type=cast(Kind, found.type))

    @property
    def parents(self) -> tuple[ArtifactVersionId, ...]:
        """The versions that it was made of, the most important one first. Without a key it is one of the same artifact."""
        return tuple(self._spec.parent_artifacts)

    @property
    def created_by(self) -> str:
        """Who published it: an e-mail address, the name of an application, or the subject; empty if nobody knows."""
        return principal(self.pb2.created_by)

    @property
    def literal(self) -> Literal:
        """The value as tasks take it, with what names this version: calls that it is passed to know where it is from."""
        stored = self._spec.value or Literal()
        if stored.artifact_id is not None:
            return stored
        made = copy(stored)
        made.artifact_id = self.artifact_version_id
        return made

    @blocking
    async def to_python(self, python_type: Any = None, *, allow_pickle: bool = False) -> Any:
        """The value: a `File`, `Dir` or `StructuredDataset`. Nothing is downloaded before it is opened.

        Args:
            python_type: Annotation to read it as. Default: what it was published as.
            allow_pickle: Load it if it is pickled, which runs whatever code its writer put into it. Default: False.

        Raises:
            TypeError: It is not of that type, or has no Python form; `literal` has it as it is.
        """
        from flyte.types import literals_to_python
        from flyte_api.messages.flyteidl2.core.interface import Variable, VariableEntry, VariableMap
        from flyte_api.messages.flyteidl2.task.common import NamedLiteral

        spec, name = self._spec, self.tracker
        declared = VariableMap(variables=[VariableEntry(key=name, value=Variable(type=spec.type))])
        as_types = None if python_type is None else {name: python_type}
        values = [NamedLiteral(name=name, value=spec.value)]
        if allow_pickle:
            # Pickles run code and may be stored elsewhere: the event loop does not wait for that.
            read = await asyncio.to_thread(literals_to_python, values, declared, as_types=as_types, allow_pickle=True)
        else:
            read = literals_to_python(values, declared, as_types=as_types)
        if name in read.unsupported:
            raise TypeError(f"artifact {name} has no Python form: {read.unsupported[name]}")
        return read.values[name]

    @blocking
    async def coerce_to_literal(self, python_type: Any = None) -> Literal:
        """The value as a literal of another type, such as `File | None`, with what names this version.

        Args:
            python_type: Annotation. Default: what it was published as, which gives `literal`.

        Raises:
            TypeError: It is not of that type.
        """
        if python_type is None:
            return self.literal
        from flyte.types import literal_type_of, to_literal

        kind = literal_type_of(python_type)
        made = to_literal(await self.to_python.aio(python_type), kind, name=f"artifact {self.tracker}")
        made.artifact_id = self.literal.artifact_id
        return made
