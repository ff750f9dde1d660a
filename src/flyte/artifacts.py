"""The metadata of artifacts. `flyte.remote.Artifact.create` publishes an artifact with it."""

from flyte.definitions.artifact import (
    KIND_KEY,
    Card,
    CardFormat,
    CardType,
    Granularity,
    Kind,
    Metadata,
    TimePartition,
    new,
)

__all__ = ["KIND_KEY", "Card", "CardFormat", "CardType", "Granularity", "Kind", "Metadata", "TimePartition", "new"]
